# SPDX-License-Identifier: MIT
"""What was made at import with a lambda that nobody holds any more, as `sorted(rows, key=lambda row: row[0])`.

Where such a lambda changes, no function takes the new code, and what came of it stays as it is: it is derived.
"""
from . import trees


def derived(plan, signatures):
    """The statements: [(module, name, statement, source)]."""
    held = {(signatures.of(one.old), one.old.co_firstlineno) for one in plan.patches + plan.stuck}
    ran = plan.statements + [one for change in plan.classes for one in change.statements]
    found = []
    for key, nodes in plan.target.by_code.items():
        for node in nodes if key not in held else ():
            if node.code.co_name == '<lambda>' and '<locals>' not in node.path and node.partner is not None and \
                    signatures.of(node.partner.code) != key[0]:
                name, statement = place(plan.examined.tree.body, node.partner.code.co_firstlineno)
                if statement is not None and statement not in ran:
                    found.append((plan.module, name, statement, plan.examined.data))
    return found


def place(body, line, prefix=''):
    """(what a statement binds, the statement) in which a line lies; one in a class is looked for there."""
    statement = trees.at_line(body, line)
    if trees.kind(statement) == 'ClassDef' and trees.at_line(statement.body, line) is not None:
        return place(statement.body, line, prefix + statement.name + '.')
    names = trees.bound(statement) if statement is not None else ()
    return ', '.join(prefix + name for name in names) or 'line %d' % line, statement

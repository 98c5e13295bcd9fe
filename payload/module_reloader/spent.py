# SPDX-License-Identifier: MIT
"""What was made at import with a lambda that nobody holds any more, as `sorted(rows, key=lambda row: row[0])`.

Where such a lambda changes, no function takes the new code, and what came of it stays as it is: it is derived.
"""
from . import trees


def derived(plan, signatures):
    """The statements: [(module, name, statement, source)]."""
    held = {(signatures.of(one.old), one.old.co_firstlineno) for one in plan.patches + plan.stuck}
    ran = set(map(id, plan.statements)).union(id(one) for change in plan.classes for one in change.statements)
    lines = {node.partner.code.co_firstlineno for key, nodes in plan.target.by_code.items() for node in nodes if key not in held and
             node.code.co_name == '<lambda>' and '<locals>' not in node.path and node.partner is not None and
             signatures.of(node.partner.code) != key[0]}
    return [(plan.module, name, statement, plan.examined.data) for name, statement in places(plan.examined.tree.body, lines)
            if id(statement) not in ran]


def places(body, lines, prefix=''):
    """(what a statement binds, the statement) in which each of LINES lies; those in a class are looked for there."""
    for line, one in trees.at_lines(body, lines):
        inner = places(one.body, [line], prefix + one.name + '.') if trees.kind(one) == 'ClassDef' else ()
        yield next(iter(inner), (', '.join(prefix + name for name in trees.bound(one)) or 'line %d' % line, one))

# SPDX-License-Identifier: MIT
"""Loads the engine inside a process that did not import it, runs one command with it, and tidies up.

boot.py executes this text, with `builtin` and `text_of` among its names.  The engine lives under a private name.  No
finder and no import lock is asked: its modules are made, registered and executed in the order of their own imports.
The commands that only look load only what they need and leave nothing; an engine of another version is replaced, and
what it remembered is adopted.
"""
import sys

PACKAGE, PUBLIC = '_mr_attach', 'module_reloader'
LOOKING = {'list': ('listing',), 'stale': ('listing',), 'history': ('history',)}


def needed(parts, name, found):
    """The names of the engine's modules that NAME needs, those it imports first."""
    if name in found or name not in parts:
        return found
    for line in parts[name].decode('utf-8').split('\n'):
        if line.startswith('from . import '):
            for one in line[14:].split(','):
                needed(parts, one.split()[0], found)
        elif line.startswith('from .') and ' import ' in line:
            needed(parts, line[6:].split(' ')[0], found)
    found.append(name)
    return found


def load(parts, names, context, digest):
    """The engine's package with the modules NAMES and what they need."""
    kind = type(sys)
    package = sys.modules.get(PACKAGE)
    if package is None or package.__dict__.get('digest') != digest:
        old, package = package, kind(PACKAGE)
        package.__dict__.update(__path__=[], __package__=PACKAGE, digest=digest, old=old)
        forget()
        sys.modules[PACKAGE] = package
    order = []
    for name in names:
        needed(parts, name, order)
    for name in order:
        full = PACKAGE if name == '__init__' else PACKAGE + '.' + name
        module = package if name == '__init__' else kind(full)
        if name in package.__dict__.get('loaded', ()):
            continue
        module.__dict__['__package__'] = PACKAGE
        sys.modules[full] = module
        code = context.timed(compile, parts[name], '<mr-attach>/%s.py' % name, 'exec', 0, True)
        exec(code, module.__dict__)
        if module is not package:
            setattr(package, name, module)
        package.__dict__.setdefault('loaded', set()).add(name)
    adopt(package)
    return package


def adopt(package):
    """Share what a module_reloader of the program remembers, or take over what an older engine did."""
    own = sys.modules.get(PUBLIC)
    state = getattr(own, 'state', None) if type(own) is type(sys) and own is not package else None
    if state is not None and isinstance(getattr(state, 'STATE', None), dict) and state.STATE.get('format') == 1:
        package.state.STATE = state.STATE
    old = package.__dict__.pop('old', None)
    if old is not None and hasattr(old, 'state'):
        package.state.adopt(old.state.STATE)
        if sys.modules.get(PUBLIC) is old:
            sys.modules[PUBLIC] = package


def forget():
    """Take the engine's modules out of sys.modules."""
    for name in [name for name in list(sys.modules) if name == PACKAGE or name.startswith(PACKAGE + '.')]:
        sys.modules.pop(name, None)


def remove(package):
    """Take away all that is ours."""
    if 'tracking' in package.__dict__:
        package.tracking.uninstall()
    if sys.modules.get(PUBLIC) is package:
        del sys.modules[PUBLIC]
    forget()


def name_is_free():
    """Whether nobody would miss the public name: nothing is loaded or could be imported under it."""
    posix = builtin('posix')                 # noqa: F821: boot.py gives it
    if PUBLIC in sys.modules:
        return False
    for folder in sys.path:
        for ending in ('', '.py'):
            try:
                posix.stat((folder or '.') + '/' + PUBLIC + ending)
                return False
            except (OSError, TypeError, ValueError):
                continue
    return True


def decoded(options):
    """The options, with names as Python has them."""
    found = dict(options)
    for key in ('keep', 'reinit'):
        found[key] = [text_of(text) for text in options.get(key) or ()]      # noqa: F821
    return found


def run(request, context, parts, digest):
    """Do the command of REQUEST: the parts of the answer that it knows."""
    command, before = request['command'], PACKAGE in sys.modules
    if command == 'untrack' and not before:
        return {}
    everything = [name for name in sorted(parts) if name != 'attached']
    package = load(parts, LOOKING.get(command, everything), context, digest)
    failed = True
    try:
        answer = perform(package, command, request, context)
        failed = answer.get('status', 0) != 0
    except (package.host.Refusal, package.sources.Problem if hasattr(package, 'sources') else Failed) as error:  # noqa
        answer = {'status': 1, 'error': dict(dict.fromkeys(('code', 'message', 'module', 'file', 'line', 'traceback',
                                                            'hint')), **error.error)}
    finally:
        leaves = before or command not in LOOKING and not failed and not request['options'].get('dry_run')
        if command == 'untrack' or not leaves:
            remove(package)
        elif command not in LOOKING and not failed and name_is_free():
            sys.modules[PUBLIC] = package
    answer['engine'] = package.host.VERSION
    return answer


def perform(package, command, request, context):
    options, who = decoded(request['options']), request['who']
    everything = bool(options.get('all'))
    if command == 'list':
        return {'modules': package.listing.listed(context, everything)}
    if command == 'stale':
        found, excluded = package.listing.stale_ones(context, everything)
        return {'modules': found, 'excluded_stale': excluded}
    if command == 'history':
        return {'history': package.history.listed()}
    if command == 'track':
        found = package.tracking.record_loaded(context)
        package.tracking.install()
        return {'modules': [package.listing.entry(one) for one in found]}
    if command == 'untrack':
        return {}
    if command == 'undo':
        return {'modules': package.history.undo(who)}
    if command == 'reload-stale':
        return package.commands.reload_stale(context, options, who).answer()
    if command == 'reload':
        targets = []
        for one in request['targets']:
            ours = one.get('ours') and dict(one['ours'], path=text_of(one['ours']['path']))      # noqa: F821
            targets.append(package.resolve.Target(text_of(one['text']), one['kind'], ours))      # noqa: F821
        return package.commands.reload_named(targets, context, options, who).answer()
    raise package.host.Refusal('engine', 'unknown command ' + ascii(command))

# SPDX-License-Identifier: MIT
"""Loads the engine inside a process that did not import it, runs one command with it, and tidies up.

boot.py executes this text.  The engine lives under a private name; host.part() makes its modules, when they are first
needed, without a finder and without an import lock.  The commands that only look leave nothing; an engine of another
version is replaced, and what it remembered is adopted.
"""
import sys

LAZY = {}                                    # what is defined in lazy.py: boot.py puts it here
PACKAGE, PUBLIC = '_mr_attach', 'module_reloader'
LOOKING = ('list', 'stale', 'history')
BRISK = 0.0002                               # seconds: the switch interval while the engine is at work
HALF = 5e-7                                  # half of its unit: setswitchinterval() cuts off, and would lose one each time


def load(parts, whole, context, digest):
    """The engine's package: with its public names if it is to stay (WHOLE)."""
    package = sys.modules.get(PACKAGE)
    if package is None or package.__dict__.get('digest') != digest:
        old, package = package, type(sys)(PACKAGE)
        package.__dict__.update(__path__=[], __package__=PACKAGE, digest=digest, old=old)
        whole = whole or old is not None     # the one that it replaces stayed
        forget()
        sys.modules[PACKAGE] = package
        for name in ('lazy', 'host'):
            module = sys.modules[PACKAGE + '.' + name] = package.__dict__[name] = type(sys)(PACKAGE + '.' + name)
            module.__dict__['__package__'] = PACKAGE
        package.lazy.__dict__.update(LAZY)
        package.lazy.load(package.host.__dict__, parts, 'host')
        package.host.PARTS.update(parts)
    for name in ('state', 'sources', 'tracking') if whole else ('state', 'sources'):
        package.host.part(name)
    if whole and '__version__' not in package.__dict__:
        package.lazy.load(package.__dict__, parts, '__init__')
    adopt(package)
    return package


def adopt(package):
    """Share what a module_reloader of the program remembers, or take over what an older engine did."""
    own = sys.modules.get(PUBLIC)
    old = package.__dict__.pop('old', None)
    state = getattr(own, 'state', None) if type(own) is type(sys) and own not in (package, old) else None
    if state is not None and isinstance(getattr(state, 'STATE', None), dict) and state.STATE.get('format') == 1:
        package.state.share(state.STATE)
    if old is None:
        return
    package.state.adopt(getattr(old.__dict__.get('state'), 'STATE', None))
    if own is old:
        sys.modules[PUBLIC] = package
    if 'tracking' in old.__dict__:
        package.tracking.loaded_modules.update(old.tracking.loaded_modules)
    for number, finder in enumerate(sys.meta_path):
        if type(finder).__module__ == PACKAGE + '.tracking':
            sys.meta_path[number] = package.tracking.CustomImportFinder()


def forget():
    """Take the engine's modules out of sys.modules: {name: module}."""
    return {name: sys.modules.pop(name, None) for name in ours()}


def ours():
    """The names under which the engine's modules are loaded, its own at last: its parts are its attributes, or half loaded."""
    known = getattr(sys.modules.get(PACKAGE), '__dict__', {})
    names = list(known) + list(getattr(known.get('host'), 'PARTS', ()))
    return [name for name in [PACKAGE + '.' + name for name in names] + [PACKAGE] if name in sys.modules]


def remove(package):
    """Take away all that is ours."""
    if 'tracking' in package.__dict__:
        package.tracking.uninstall()
    if sys.modules.get(PUBLIC) is package:
        del sys.modules[PUBLIC]
    forget()


def name_is_free(package, context):
    """Whether nobody would miss the public name: nothing is loaded or could be imported under it, as far as can be seen."""
    if PUBLIC in sys.modules:
        return False
    evidence, posix = package.host.part('evidence'), package.host.posix
    try:
        folders = [one if one[:1] == '/' else posix.getcwd() + '/' + one for one in sys.path if isinstance(one, str)]
        paths = ['%s/%s%s' % (folder, PUBLIC, ending) for folder in folders for ending in ('', '.py')]
        return all(found == evidence.MISSING for found in evidence.newest(paths, context))
    except package.host.faults(package.host.Refusal, OSError):
        return False


def decoded(options, text_of):
    """The options, with names as Python has them."""
    found = dict(options)
    for key in ('keep', 'reinit'):
        found[key] = [text_of(text) for text in options.get(key) or ()]
    return found


def run(request, context, parts, digest):
    """Do the command of REQUEST, at a brisk pace.

    Each look at a file lets go of the GIL.  Among busy threads it comes back only after each of them has had a switch
    interval: some 20 ms with four of them, more than a second for a hundred files.
    """
    interval = sys.getswitchinterval()

    def put_back():
        if abs(sys.getswitchinterval() - BRISK) < HALF:
            sys.setswitchinterval(interval + HALF)
    context.at_end(put_back)
    sys.setswitchinterval(min(interval, BRISK) + HALF)
    return work(request, context, parts, digest)


def work(request, context, parts, digest):
    """The parts of the answer that the engine knows."""
    command, before = request['command'], PACKAGE in sys.modules
    if command == 'untrack' and not before:
        return {}
    try:
        getattr(getattr(sys.modules.get(PACKAGE), 'state', None), 'busy', bool)()
    except BaseException as error:           # the one that is at work must not be replaced
        if not isinstance(getattr(error, 'error', None), dict):
            raise
        return refusal(error)
    held, package, stays = {name: sys.modules[name] for name in ours()}, None, before and command != 'untrack'

    def tidy():
        """Leave nothing, unless there is something to remember: what was done is, even if the telling of it was ended."""
        if package is None:                  # loading it was ended
            forget()
            sys.modules.update(held)
        elif not stays and context.result is None:
            remove(package)
    context.at_end(tidy)
    package = load(parts, command not in LOOKING, context, digest)
    try:
        with package.state.Busy(command, context):
            answer = perform(package, command, request, context)
    except (package.host.Refusal, package.sources.Problem) as error:
        answer = refusal(error)
    if command not in LOOKING + ('untrack',) and answer.get('status', 0) == 0:
        stays = stays or not request['options'].get('dry_run')
        if stays and name_is_free(package, context):
            sys.modules[PUBLIC] = package
    package.__dict__.update(context.compiled)
    answer['engine'] = package.host.VERSION
    return answer


def refusal(error):
    """The answer for a command that cannot be done."""
    keys = ('code', 'message', 'module', 'file', 'line', 'traceback', 'hint')
    return {'status': 1, 'error': dict(dict.fromkeys(keys), **error.error)}


def perform(package, command, request, context):
    options, who = decoded(request['options'], context.text_of), request['who']
    part, text_of = package.host.part, context.text_of
    everything = bool(options.get('all'))
    if command == 'list':
        return {'modules': part('listing').listed(context, everything)}
    if command == 'stale':
        found, excluded = part('listing').stale_ones(context, everything, options.get('verbose'))
        return {'modules': found, 'excluded_stale': excluded}
    if command == 'history':
        return {'history': part('history').listed()}
    if command == 'track':
        found = part('tracking').record_loaded(context)
        part('tracking').install()
        return {'modules': [part('listing').entry(one) for one in found]}
    if command == 'untrack':
        return {}
    if command == 'undo':
        return {'modules': part('history').undo(who, context)}
    if command == 'reload-stale':
        return part('commands').reload_stale(context, options, who).answer()
    if command == 'reload':
        targets = []
        for one in request['targets']:
            ours = one.get('ours') and dict(one['ours'], path=text_of(one['ours']['path']))
            targets.append(part('resolve').Target(text_of(one['text']), one['kind'], ours))
        return part('commands').reload_named(targets, context, options, who).answer()
    raise package.host.Refusal('engine', 'unknown command ' + ascii(command))

# SPDX-License-Identifier: MIT
"""Reloads changed modules of a running program, keeping its state.

The names of the original module_reloader package (github.com/Odie/module_reloader) work as there; a program that
imports this package first thing has its imports timed.  mr-attach carries the same package into processes that did not.
"""
from . import state
from . import host
from . import tracking
from .tracking import CustomImportFinder, LoadedModuleInfo, loaded_modules, track_module

__version__ = host.VERSION
__all__ = ['LoadedModuleInfo', 'loaded_modules', 'track_module', 'update_module_load_time', 'get_loaded_modules',
           'reload_module', 'reload_module_by_path', 'get_stale_modules', 'reload_stale_modules', 'CustomImportFinder']


def update_module_load_time(name):
    """Say that the module NAME was loaded just now."""
    now = host.time.time()
    if name in loaded_modules:
        loaded_modules[name].load_time = now
    if name in state.STATE['tracked']:
        state.STATE['tracked'][name]['time'] = now


def get_loaded_modules():
    """What is known of the loaded modules: a list of LoadedModuleInfo."""
    scope = host.part('scope')
    for module in scope.users():
        if module.name not in loaded_modules:
            loaded_modules[module.name] = LoadedModuleInfo(module.name, module.path, scope.born())
    return [info for name, info in list(loaded_modules.items()) if name in host.sys.modules]


def _run(command, *targets):
    commands = host.part('commands')
    context = host.Surroundings()
    with state.Busy(command):
        if command == 'reload':
            result = commands.reload_named(list(targets), context, {})
        else:
            result = commands.reload_stale(context, {})
    if result.error is not None:
        raise host.Refusal(result.error['code'], result.error['message'], result.error['hint'])
    for entry in result.modules:
        if entry['state'] in ('reloaded', 'unchanged'):
            update_module_load_time(entry['name'])
    return result


def reload_module(name):
    """Reload the module NAME if it is stale; the module."""
    _run('reload', host.part('resolve').Target(name, 'name'))
    return host.sys.modules.get(name)


def reload_module_by_path(path):
    """Reload the modules that were loaded from the file PATH, if they are stale; the first of them."""
    text = getattr(path, '__fspath__', lambda: path)()
    result = _run('reload', host.part('resolve').Target(text, 'path'))
    return host.sys.modules.get(result.modules[0]['name']) if result.modules else None


def get_stale_modules():
    """The names of the modules whose source is not what they run."""
    return [entry['name'] for entry in host.part('listing').stale_ones(host.Surroundings(), False)[0] if entry['state'] == 'stale']


def reload_stale_modules():
    """Reload all of them, or none; the names of those that were."""
    return [entry['name'] for entry in _run('reload-stale').modules if entry['state'] == 'reloaded']


if __name__ != '_mr_attach':                 # the program imported us: then its imports are timed from now on
    tracking.install()

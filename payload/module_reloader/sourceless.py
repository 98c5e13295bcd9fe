# SPDX-License-Identifier: MIT
"""Modules that were loaded from a .pyc and have no source: the code in the file is all there is.

Bodies of functions get new code as always.  Statements cannot be taken out of code to be run by themselves: if any at
module level or in a class changed, the module is refused.  Where it is not known what the module ran before, only names
and constants at module level tell, and a warning says so.
"""
from . import baseline, codes, host, sources, state

REASON = 'module-level statements changed, and there is no source to take them from'


def code_of(data):
    """The code of a .pyc that this Python can run, or None."""
    header = 16 if host.sys.version_info >= (3, 7) else 12
    if data[:4] != host.sys.modules['_frozen_importlib_external'].MAGIC_NUMBER:
        return None
    try:
        code = host.marshal.loads(memoryview(data)[header:])
    except host.faults(ValueError, EOFError, TypeError):
        return None
    return code if codes.is_code(code) else None


def load(result, context):
    """Read the file of a module: its code, and an empty syntax tree."""
    module = result.module
    result.data, result.stat = sources.read(module.path)
    result.code = code_of(result.data)
    if result.code is None:
        raise sources.Problem('no-source', '%s holds no code for this version of Python' % module.path, file=module.path)
    module.known_filename = result.code.co_filename
    result.tree = context.timed(host.compile_quietly, b'', module.path, 'exec', host.ONLY_AST)


def known(module, signatures):
    """The code that the module is known to run, or None."""
    record = state.tracked(module)
    code = code_of(record['source']) if record is not None else None
    whole = [one for one in baseline.reachable(module) if '<locals>' not in one.__qualname__]
    return code if code is not None and baseline.runs(code, whole, signatures) else None


def doubt(guess, module, code, signatures):
    """Add to a GUESS what there is to say of the module's own level."""
    bound = host.part('guess').stored(code, ('STORE_NAME', 'STORE_GLOBAL'))
    if bound - set(module.dict) or not baseline.constants_agree(module, code, signatures):
        guess.refused.append({'name': module.name, 'reason': REASON})
    elif guess.changed:
        guess.warnings.append('there is no source: values at import, members of classes and defaults were not compared')

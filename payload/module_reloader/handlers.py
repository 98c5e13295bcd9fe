# SPDX-License-Identifier: MIT
"""Whose exception it is: one that a signal handler of the program raised while our code ran belongs to the program.

A signal that another thread takes has its handler run in the main thread, at any bytecode of ours.  What it raises there
must not be taken for a mistake of the file or the value that we look at, whatever its kind (TimeoutError is an OSError):
so no except clause of ours names such kinds but by faults().

It is executed in the namespace of boot.py, too, and imports nothing.
"""
import sys


def faults(*kinds):
    """KINDS, for an except clause of ours; none if a handler of the program raised what came: it goes on."""
    return kinds if signal_of(sys.exc_info()[1], sys.modules.get('_signal')) is None else ()


def signal_of(error, signals):
    """The signal whose handler, installed by the program, raised ERROR; or None.  SIGNALS is the module _signal."""
    handlers = enumerate(map(signals.getsignal, range(1, signals.NSIG)), 1) if signals else ()
    handlers = {number: code_of(handler) for number, handler in handlers if callable(handler)}
    step, last = error.__traceback__, None
    while step is not None:
        frame, code = step.tb_frame, step.tb_frame.f_code
        if code in handlers.values():
            given = [frame.f_locals.get(name) for name in code.co_varnames[:code.co_argcount]]
            given.extend(frame.f_locals.get(code.co_varnames[code.co_argcount], ()) if code.co_flags & 4 else ())
            for number, where in zip(given, given[1:]):
                if where is not None and (where is frame.f_back or where is last) and isinstance(number, int) and \
                        handlers.get(number) is code:
                    return int(number)
        last, step = frame, step.tb_next
        if step is None and type(error) is KeyboardInterrupt and signals:
            interactive = signals.getsignal(signals.SIGINT) is signals.default_int_handler
            if interactive and code.co_code[error_lasti(error)] != raise_opcode():
                return int(signals.SIGINT)
    return None


def code_of(handler):
    """The code of a handler that is a function, a method, a partial of one, or an object with a __call__ of its own."""
    handler = handler.func if type(handler).__name__ == 'partial' and type(handler).__module__ == 'functools' else handler
    handler = getattr(handler, '__func__', handler)
    handler = handler if type(handler) is type(code_of) else getattr(type(handler), '__call__', None)
    return handler.__code__ if type(handler) is type(code_of) else None


def raise_opcode():
    """The number of the instruction of a raise statement, which differs between versions."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        step = error.__traceback__
        return step.tb_frame.f_code.co_code[step.tb_lasti]


def error_lasti(error):
    step = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    return step.tb_lasti

# SPDX-License-Identifier: MIT
"""Cases: what cannot be reloaded, and leaves everything as it was."""
from cases import F1, F2, case

X1, X2 = 'X = 1\n' + F1, 'X = 2\n' + F2
case('syntax_error', X1, X2 + 'def (:\n', 'h = m.f', 'm.f(), h(), m.X', (1, 1, 1), fails='syntax-error')


def broken_then_fixed(test):
    test.write(m='def f(: return 2\n')
    test.refused(test.attempt(), 'syntax-error')
    test.write(m='def f(): return 3\n')


case('syntax_error_then_fix', F1, '', '', 'm.f()', 3, edit=broken_then_fixed)
case('exc_halfway', X1, X2 + 'raise ValueError\n', 'h = m.f', 'm.X, m.f(), h()', (1, 1, 1), fails='exception')
case('exc_halfway_newname', F1, 'N = 5\n' + F2 + 'raise ValueError\n', '', 'hasattr(m, "N"), m.f()', (False, 1),
     fails='exception')
case('system_exit', X1, 'import sys\n' + X2 + 'sys.exit()\n', '', 'm.X, m.f(), hasattr(m, "sys")', (1, 1, False),
     fails='system-exit')
case('multi_fail_isolated', {'a': F1, 'b': F1}, {'a': F2 + 'raise ValueError\n', 'b': F2}, '', 'a.f(), b.f()', (1, 1),
     fails='exception')
case('multi_atomic', {'a': F1, 'b': F1}, {'a': F2, 'b': F2 + 'raise ValueError\n'}, '', 'a.f(), b.f()', (1, 1),
     fails='exception')
case('reads_what_left', 'X = 1\nY = 1\n', 'Y = X\n', '', 'm.X, m.Y', (1, 1), fails='exception')
case('calls_what_lacks_what_left', 'X = 1\ndef f(): return X\nY = f()\n', 'def f(): return X\nY = f() + 1\n', '', 'm.X, m.Y', (1, 1),
     fails='exception')

# SPDX-License-Identifier: MIT
"""Cases: sources, how they are read and what is left of them in a traceback."""
from cases import F1, F2, case

case('latin1_cookie', '# -*- coding: latin-1 -*-\ndef f(): return 1\n', b'# -*- coding: latin-1 -*-\ndef f(): return "\xe9"\n',
     '', 'm.f()', '\xe9')
case('bom_utf8', F1, b'\xef\xbb\xbfdef f(): return 2\n', '', 'm.f()', 2)
case('traceback_line', 'def f(): raise ValueError\n', '\n\ndef f(): raise ValueError\n', 'h = m.f', 'LINE(m.f), LINE(h)', (3, 3))
case('traceback_line_changed_fn', 'def f():\n    raise ValueError\n', '\n\ndef f():\n    x = 1\n    raise ValueError\n', 'h = m.f',
     'LINE(h)', 5)
case('getsource', F1, '\n' + F2, '', '__import__("inspect").getsource(m.f)', F2)
case('moved_functions', F1 + 'def g(): return 1\n', 'def g(): return 2\n' + F1, 'f = m.f; g = m.g', 'f(), g(), m.f is f', (1, 2, True))
case('name_moved_to_if', 'x = 1\n' + F1, 'if True:\n    x = 2\n' + F1, '', 'm.x', 2)
case('out_of_if', 'D = False\nif D:\n    x = 1\n', 'D = False\nx = 1\n', '', 'm.x', 1)

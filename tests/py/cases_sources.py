# SPDX-License-Identifier: MIT
"""Cases: sources, how they are read and what is left of them in a traceback."""
import os
import py_compile
import sys
import zipfile

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


def dated(text, shift):
    """An edit whose date of content is that of the source before, and SHIFT seconds."""
    def edit(test):
        found = os.stat(test.path('m.py'))
        test.write(m=text)
        os.utime(test.path('m.py'), ns=(found.st_atime_ns, found.st_mtime_ns + shift * 10 ** 9))
    return edit


case('same_mtime_diff_content', F1, '', '', 'm.f()', 22, edit=dated('def f(): return 22\n', 0))
case('older_mtime', F1, '', '', 'm.f()', 22, edit=dated('def f(): return 22\n', -5000))
case('pyc_same_second_same_size', F1, '', '', 'm.f()', 2, edit=dated(F2, 0))
case('pyc_now_same_second', F1, F2, '', 'm.f()', 2)


def load_from(test, place, name):
    """The module, from a PLACE that is on sys.path for that long."""
    sys.path.insert(0, test.path(place))
    try:
        return {'m': test.load(name)}
    finally:
        sys.path.remove(test.path(place))


def released(test):
    """Two releases, of which the link `current` on sys.path leads to one."""
    os.symlink('one', test.path('current'))
    return load_from(test, 'current', 'm')


def switched(shift):
    def edit(test):
        now = os.stat(test.path('one/m.py')).st_mtime
        os.utime(test.path('two/m.py'), (now + shift, now + shift))
        os.symlink('two', test.path('next'))
        os.rename(test.path('next'), test.path('current'))
    return edit


for name, shift in (('symlink_switch', -5000), ('symlink_switch_newer', 5000)):
    case(name, {'one__m': F1, 'two__m': F2}, {}, '', 'm.f()', 2, load=released, edit=switched(shift))


def one_deleted(test):
    os.unlink(test.path('a.py'))
    test.write(b=F2)


case('source_deleted', {'a': F1, 'b': F1}, {}, '', 'a.f(), b.f()', (1, 2), edit=one_deleted)
case('getsource_of_class', 'class K:\n    x = 1\n', '\n\nclass K:\n    x = 1\n' + F1, '', '__import__("inspect").getsource(m.K)',
     'class K:\n    x = 1\n')


def packed(text):
    """The module in a zip file, or replaced in it."""
    def pack(test):
        with zipfile.ZipFile(test.path('next.zip'), 'w') as archive:
            archive.writestr('inzip.py', text)
        os.rename(test.path('next.zip'), test.path('z.zip'))
    return pack


def from_zip(test):
    packed(F1)(test)
    return load_from(test, 'z.zip', 'inzip')


def compiled(test):
    """Instead of the source, its .pyc."""
    py_compile.compile(test.path('m.py'), test.path('bare.pyc'))
    os.unlink(test.path('m.py'))


def from_pyc(test):
    compiled(test)
    return {'m': test.load('bare')}


def replaced(test):
    test.write(m=F2)
    compiled(test)


case('pyc_only', F1, {}, 'h = m.f', 'm.f(), h()', (2, 2), load=from_pyc, edit=replaced)
case('zip_module', {}, {}, 'h = m.f', 'm.f(), h()', (2, 2), load=from_zip, edit=packed(F2))

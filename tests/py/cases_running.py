# SPDX-License-Identifier: MIT
"""Cases: code that is suspended or runs, and callables that others hold."""
from cases import case

case('generator_suspended', 'def g():\n    yield 0\n    yield "old"\n', 'def g():\n    yield 0\n    yield "new"\n',
     'i = m.g(); next(i)', 'next(i), list(m.g())[1]', ('old', 'new'))
case('coroutine_suspended', 'import types\n@types.coroutine\ndef p(): yield\nasync def c():\n    await p()\n    return "old"\n',
     'import types\n@types.coroutine\ndef p(): yield\nasync def c():\n    await p()\n    return "new"\n',
     'def end(c):\n    try:\n        while 1: c.send(None)\n    except StopIteration as e: return e.value\n'
     'c = m.c(); c.send(None)', 'end(c), end(m.c())', ('old', 'new'))
case('stack_loop', 'def step(): return 1\ndef loop(go):\n    r = [step()]\n    go()\n    r.append(step())\n    return r\n',
     'def step(): return 2\ndef loop(go):\n    return ["new"]\n', 'OUT = m.loop(RELOAD)', 'OUT, m.loop(None)',
     ([1, 2], ['new']))
case('asyncio_callback', 'out = []\ndef cb(): out.append("old")\n', 'out = []\ndef cb(): out.append("new")\n',
     'import asyncio; l = asyncio.new_event_loop(); l.call_soon(m.cb)',
     '[l.run_until_complete(asyncio.sleep(0, loop=l) if V < (3, 8) else asyncio.sleep(0)), l.close()] and m.out', ['new'])
case('asyncio_task_helper', 'import asyncio\ndef h(): return "old"\nasync def t(e):\n    a = h()\n    await e.wait()\n'
     '    return a + h()\n', 'import asyncio\ndef h(): return "new"\nasync def t(e):\n    a = h()\n    await e.wait()\n'
     '    return a + h()\n', 'import asyncio; l = asyncio.new_event_loop()\n'
     'async def mk(): return asyncio.Event()\ne = l.run_until_complete(mk())\n'
     'k = l.create_task(m.t(e))\nasync def tick(): pass\nl.run_until_complete(tick())',
     '(e.set(), l.run_until_complete(k), l.close())[1]', 'oldnew', (3, 10))
case('signal_handler', 'def h(s, f): out.append(1)\nout = []\n', 'def h(s, f): out.append(2)\nout = []\n',
     'import signal, os; o = signal.signal(signal.SIGUSR1, m.h)',
     '(os.kill(os.getpid(), signal.SIGUSR1), signal.signal(signal.SIGUSR1, o), m.out)[2]', [2])
case('timer_target', 'def f(): out.append(1)\nout = []\n', 'def f(): out.append(2)\nout = []\n',
     'import threading; t = threading.Timer(0, m.f)', '(t.start(), t.join(), m.out)[2]', [2])
case('thread_method_target', 'class K:\n    def r(self): self.x = 1\n', 'class K:\n    def r(self): self.x = 2\n',
     'import threading; k = m.K(); t = threading.Thread(target=k.r)', '(t.start(), t.join(), k.x)[2]', 2)
case('registry_dict', 'def f(): return 1\nR = {"f": f}\n', 'def f(): return 2\nR = {"f": f}\n', 'h = m.R',
     'm.R["f"](), h["f"]()', (2, 2))
case('tuple_const_of_funcs', 'def f(): return 1\nT = (f,)\n', 'def f(): return 2\nT = (f,)\n', 'h = m.T',
     'm.T[0](), h[0]()', (2, 2))
case('inst_dict_of_method_funcs', 'class K:\n    def __init__(self): self.cb = self.a\n    def a(self): return 1\n',
     'class K:\n    def __init__(self): self.cb = self.a\n    def a(self): return 2\n', 'k = m.K()', 'k.cb()', 2)

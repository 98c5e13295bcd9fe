# SPDX-License-Identifier: MIT
"""Programs made with what people really use; test_frameworks.py runs each of these tests in a process of its own."""
import importlib
import sys
import unittest

from harness import Program


def needs(name):
    try:
        importlib.import_module(name)
    except Exception:                        # a package of Debian's need not fit every CPython that sees it
        return unittest.skip('no %s for this CPython' % name)
    return lambda test: test


class Frameworks(Program):
    @needs('flask')
    def test_flask_view(self):
        text = 'import flask\napp = flask.Flask("shop")\n@app.route("/")\ndef home(): return "%s"\n'
        self.write(m=text % 'one')
        m = self.load('m')
        client, home = m.app.test_client(), m.home
        self.assertEqual(client.get('/').data, b'one')
        self.write(m=text % 'two')
        self.reload()
        self.assertEqual((client.get('/').data, m.app.view_functions['home'] is home, m.home is home), (b'two', True, True))

    @needs('flask')
    def test_flask_route_added(self):
        text = 'import flask\napp = flask.Flask("shop")\n@app.route("/")\ndef home(): return "%s"\n'
        new = '@app.route("/new")\ndef new(): return "new"\n'
        self.write(m=text % 'one')
        m = self.load('m')
        self.write(m=text % 'one' + new)
        self.assertEqual(len(self.entry(self.reload())['executed']), 1)
        self.assertEqual(m.app.test_client().get('/new').data, b'new')
        self.write(m=text % 'two' + new + new.replace('new', 'newer'))
        answer = self.attempt()              # Flask forbids it from 2.2 on, once a request was handled
        if answer['status']:
            self.assertEqual(self.refused(answer, 'exception')['message'][:14], 'AssertionError')
            self.assertEqual((m.home(), hasattr(m, 'newer')), ('one', False))
        else:
            self.assertEqual(m.app.test_client().get('/newer').data, b'newer')

    @needs('django')
    def test_django(self):
        import django
        from django.conf import settings
        from django.test import RequestFactory
        from django.urls import clear_url_caches, resolve
        if not settings.configured:
            settings.configure(ROOT_URLCONF='urls', SECRET_KEY='x', ALLOWED_HOSTS=['*'])
            django.setup()
        clear_url_caches()
        urls = 'from django.urls import path\nimport views\nurlpatterns = [path("", views.home)%s]\n' \
               'def __reload_after__(old):\n    from django.urls import clear_url_caches\n    clear_url_caches()\n'
        view = 'from django.http import HttpResponse\ndef home(request): return HttpResponse("%s")\n'
        self.write(views=view % 'one', urls=urls % '')
        self.load('views', 'urls')
        request = RequestFactory().get('/')
        self.assertEqual(resolve('/').func(request).content, b'one')
        self.write(views=view % 'two' + 'def new(request): return HttpResponse("new")\n',
                   urls=urls % ', path("new", views.new)')
        self.reload()
        self.assertEqual((resolve('/').func(request).content, resolve('/new').func(request).content), (b'two', b'new'))

    @needs('django')
    def test_django_model(self):
        import django
        from django.conf import settings
        if not settings.configured:
            settings.configure(ROOT_URLCONF='urls', SECRET_KEY='x', ALLOWED_HOSTS=['*'])
            django.setup()
        text = 'from django.db import models\nclass Tea(models.Model):\n    name = models.CharField(max_length=9)\n%s' \
               '    class Meta: app_label = "tea"\n    def shown(self): return "%s" + self.name\n'
        self.write(m=text % ('', 'one '))
        m = self.load('m')
        tea = m.Tea(name='green')
        self.write(m=text % ('', 'two '))
        self.reload()
        self.assertEqual(tea.shown(), 'two green')
        self.write(m=text % ('    price = models.IntegerField(default=1)\n', 'three '))
        error = self.refused(self.attempt(), 'refused')
        self.assertIn('m.Tea', error['message'])
        self.assertEqual((tea.shown(), hasattr(m.Tea, 'price')), ('two green', False))

    @needs('celery')
    def test_celery_task(self):
        text = 'import celery\napp = celery.Celery("shop", broker="memory://")\n@app.task\ndef brew(n): return n %s\n'
        self.write(m=text % '+ 1')
        m = self.load('m')
        brew = m.brew
        self.assertEqual(brew.apply((1,)).get(), 2)
        self.write(m=text % '* 10')
        self.reload()
        self.assertEqual((brew.apply((1,)).get(), brew.run(2), m.app.tasks[brew.name](3), m.brew is brew), (10, 20, 30, True))

    @needs('gevent')
    def test_gevent_greenlet(self):
        import gevent
        from gevent.event import Event
        text = 'def step(): return "%s"\ndef loop(event):\n    first = step()\n    event.wait()\n    return first + step()\n'
        self.write(m=text % 'old')
        m = self.load('m')
        event = Event()
        one = gevent.spawn(m.loop, event)
        gevent.sleep(0)
        self.write(m=text.replace('first +', '"-" + first +') % 'new')
        found = self.entry(self.reload())['running_old']
        self.assertEqual([(entry['kind'], entry['function'], entry['line']) for entry in found], [('greenlet', 'm.loop', 4)])
        event.set()
        self.assertEqual(one.get(), 'oldnew')

    @needs('numpy')
    def test_numpy_values(self):
        text = 'import numpy\nA = numpy.zeros(3)\nD = {"a": numpy.ones(2)}\nL = [A, A]\ndef f(): return %d\n'
        for name, known in (('m', True), ('n', False)):
            sys.dont_write_bytecode = not known
            self.write(**{name: text % 1})
            m = self.load(name)
            array = m.A
            array[0] = 5
            self.write(**{name: text % 222 + 'B = A + 1\n'})
            entry = self.entry(self.reload(), name)
            self.assertEqual((entry['baseline'] == 'none', m.f(), m.A is array, m.B[0]), (not known, 222, True, 6))

    @needs('attr')
    def test_attrs_class(self):
        text = 'import attr\n@attr.s\nclass K:\n    x = attr.ib(default=1)\n%s    def a(self): return %s\n'
        self.write(m=text % ('', 'self.x'))
        m = self.load('m')
        k, K = m.K(), m.K
        self.write(m=text % ('', 'self.x + 10'))
        self.reload()
        self.assertEqual((k.a(), m.K is K, k == m.K()), (11, True, True))
        self.write(m=text % ('    y = attr.ib(default=2)\n', 'self.x + 20'))
        self.reload()
        self.assertEqual((k.a(), m.K is K, m.K().y, repr(m.K())), (21, True, 2, 'K(x=1, y=2)'))

    @needs('fastapi')
    def test_fastapi_endpoint(self):
        """The body follows; what FastAPI made of the signature when it was decorated stays, and is told by the first call."""
        text = 'import fastapi\napp = fastapi.FastAPI()\n@app.get("/")\ndef home(%s): return "%s"\n'
        self.write(m=text % ('', 'one'))
        m = self.load('m')
        call = [one for one in m.app.routes if one.path == '/'][0].dependant.call
        self.write(m=text % ('', 'two'))
        self.reload()
        self.assertEqual((call(), m.home is call), ('two', True))
        self.write(m=text % ('a: int = 5', 'three'))
        answer = self.entry(self.reload())
        route = [one for one in m.app.routes if one.path == '/'][0]
        self.assertEqual((route.dependant.call(), m.home(), [one['text'] for one in answer['executed']]),
                         ('three', 'three', ['def home(a: int = 5): return "three"']))
        self.assertEqual([one.name for one in route.dependant.query_params], [])

    @needs('sqlalchemy')
    def test_sqlalchemy_model(self):
        text = 'from sqlalchemy import Column, Integer\nfrom sqlalchemy.orm import declarative_base\nBase = declarative_base()\n' \
            'class Tea(Base):\n    __tablename__ = "tea"\n    id = Column(Integer, primary_key=True)\n%s    def name(self): return "%s"\n'
        self.write(m=text % ('', 'one'))
        tea = self.load('m').Tea(id=1)
        self.write(m=text % ('', 'two'))
        self.reload()
        self.assertEqual(tea.name(), 'two')
        self.write(m=text % ('    size = Column(Integer)\n', 'three'))
        self.assertIn('DeclarativeMeta', self.refused(self.attempt(), 'refused')['message'])
        self.assertEqual((tea.name(), hasattr(tea, 'size')), ('two', False))

    @needs('pydantic')
    def test_pydantic_model(self):
        text = 'import pydantic\nclass Tea(pydantic.BaseModel):\n    size: int = 1\n%s    def name(self): return "%s"\n'
        self.write(m=text % ('', 'one'))
        tea = self.load('m').Tea(size=2)
        self.write(m=text % ('', 'two'))
        self.reload()
        self.assertEqual((tea.name(), tea.size), ('two', 2))
        self.write(m=text % ('    kind: str = "green"\n', 'three'))
        self.refused(self.attempt(), 'refused')
        self.assertEqual((tea.name(), hasattr(tea, 'kind')), ('two', False))

    @needs('line_profiler')
    def test_line_profiler(self):
        """What was wrapped for measuring runs the new code."""
        self.write(m='def f(): return 1\n')
        m = self.load('m')
        import line_profiler
        wrapped = line_profiler.LineProfiler()(m.f)
        wrapped()
        self.write(m='def f(): return 2\n')
        self.reload()
        self.assertEqual((m.f(), wrapped()), (2, 2))

    @needs('numba')
    def test_numba(self):
        """What it has compiled goes on, and is named; a module can have it compiled again."""
        text = 'import numba\n@numba.njit\ndef f(): return %d\n%s'
        self.write(m=text % (1, ''))
        m = self.load('m')
        self.assertEqual(m.f(), 1)
        self.write(m=text % (2, ''))
        for options in ({'dry_run': True}, {}):
            self.assertEqual([one['name'] for one in self.entry(self.reload(**options))['kept_old']], ['f'])
        self.assertEqual((m.f(), m.f.py_func()), (1, 2))
        self.write(m=text % (3, 'def __reload_after__(new): new.f.recompile()\n'))
        self.reload()
        self.assertEqual((m.f(), m.f.py_func()), (3, 3))


if __name__ == '__main__':
    unittest.main()

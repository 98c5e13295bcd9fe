# SPDX-License-Identifier: MIT
"""What a reload must mean, case by case: edit modules of a running program, reload what is stale, look.

Every case of the table (cases.py) runs three times, after how the old source is known: by the .pyc, by tracking, and
not at all, where a refusal that names what is undecided is right as well, and a silent wrong answer never is.
"""
import json
import sys
import unittest

import cases_beyond  # noqa: F401: these fill the table
import cases_classes  # noqa: F401
import cases_failures  # noqa: F401
import cases_functions  # noqa: F401
import cases_modules  # noqa: F401
import cases_running  # noqa: F401
import cases_sources  # noqa: F401
import cases_state  # noqa: F401
from cases import CASES
from harness import Program, command

NEW = sys.version_info

NAMED = {'derived_const'}                    # what is not led on but named in the report, which the table allows


def line_of(function):
    try:
        function()
    except ValueError as error:
        step = error.__traceback__
        while step.tb_next:
            step = step.tb_next
        return step.tb_lineno


def fails(function):
    try:
        function()
    except Exception as error:
        return type(error).__name__


FORESEEN = ('changed', 'added', 'removed', 'rebound', 'executed', 'derived', 'kept_old', 'running_old', 'warnings')
ONLY_RUNNING_TELLS = {
    'def_moves_under_if': ['rebound'],       # which branch runs
    'moved_out_of_a_branch': ['added'],
    'moved_out_of_an_else_last': ['added'],
    'moved_out_of_an_else_in_between': ['added'],
}


class Cases(Program):
    kind = 'pyc'

    def same_plan(self, one, dry, real):
        """A dry run says what the real one then does, save what only running tells."""
        codes = [answer['error'] and answer['error']['code'] for answer in (dry, real)]
        if codes != [None, None]:
            self.assertIn(codes[0], (codes[1], None))
            self.assertTrue(codes[0] or codes[1] in ('exception', 'system-exit'), codes)
            return
        for key in set(FORESEEN) - set(ONLY_RUNNING_TELLS.get(one.name, ())):
            said = [{entry['name']: entry[key] for entry in answer['modules']} for answer in (dry, real)]
            self.assertEqual(said[0], said[1], key)

    def run_case(self, one):
        if NEW[:2] < one.since:
            self.skipTest('needs Python %d.%d' % one.since)
        self.write(**one.before)
        if self.kind == 'tracked':
            command('track')
        if self.kind == 'none':
            sys.dont_write_bytecode = True
        found, answers = one.load(self), []

        def reload_now():
            one.edit(self)
            dry = self.attempt(dry_run=True) if self.kind == 'pyc' else None
            answers.append(self.attempt())
            if dry is not None:
                self.same_plan(one, dry, answers[0])

        space = dict(found, RELOAD=reload_now, LINE=line_of, FAILS=fails, V=sys.version_info, DERIVED=None)
        exec(one.hold, space)
        if not answers:
            reload_now()
        answer = answers[0]
        if one.fails and (self.kind != 'none' or answer['status']):
            self.assertIn(answer['error'] and answer['error']['code'], (one.fails, self.kind == 'none' and 'undecided'))
            self.assertEqual(eval(one.probe, space), one.expected)
            return
        if self.kind == 'none' and answer['status']:
            self.assertIn(answer['error']['code'], ('undecided', 'refused'), answer['error'])
            return
        self.assertIsNone(answer['error'], json.dumps(answer['error'], indent=1))
        try:
            got = eval(one.probe, space)
        except Exception as error:
            got = repr(error)
        if got != one.expected and (one.name in NAMED or self.kind == 'none'):
            said = [entry for entry in answer['modules'] if entry['kept_old'] or entry['derived'] or entry['warnings']]
            self.assertTrue(said, 'silent: %r, %r' % (got, answer['modules']))
            return
        self.assertEqual(got, one.expected, answer['modules'])


class Tracked(Cases):
    kind = 'tracked'


class Unknown(Cases):
    kind = 'none'


for one in CASES:
    setattr(Cases, 'test_' + one.name, lambda self, one=one: self.run_case(one))

if __name__ == '__main__':
    unittest.main()

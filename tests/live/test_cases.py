# SPDX-License-Identifier: MIT
"""The table of cases through the program, on processes that were never prepared: tests/py/live_cases.py is the target."""
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from harness import HERE_NOW, REQUIRED, RUNS, TOP, LiveTest, attach, each, environment, expand

MARK = b'\x01'
KINDS = ('Cases', 'Tracked', 'Unknown') if RUNS == 'all' else ('Cases',)
PYTHONS = [p for p in (HERE_NOW if RUNS == 'all' else REQUIRED) if p.need != 'extra']
TARGET = 'import os, runpy, sys; os.chdir(%r); sys.path[0] = ""; sys.argv = %r; runpy.run_path("live_cases.py", {}, "__main__")'


@expand
class Cases(LiveTest):
    @each([('%s_%s' % (kind.lower(), p.name.replace('.', '_')), p, kind) for p in PYTHONS for kind in KINDS])
    def test(self, python, kind):
        with python.folder() as (inside, outside), tempfile.TemporaryFile() as said:
            for part in ('payload', os.path.join('tests', 'py')):
                shutil.copytree(os.path.join(TOP, part), os.path.join(outside, part),
                                ignore=shutil.ignore_patterns('__pycache__'))
            time.sleep(2)                    # or all of this is looked at each time, as newer than the process
            code = TARGET % (inside + '/tests/py', ['live_cases.py', kind])
            process = subprocess.Popen(python.argv('-c', code, proc=True), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=said, env=dict(environment(), TMPDIR='/tmp'))
            with process:
                asked = sum(self.answer(process, line) for line in process.stdout)
            said.seek(0)
            text = said.read().decode('utf-8', 'replace')
            self.assertEqual(process.returncode, 0, text[-3000:])
            self.assertGreater(asked, 500, text[-3000:])

    def answer(self, process, line):
        """Whether LINE was a command."""
        if not line.startswith(MARK):
            return False
        result = attach(process.pid, '-j', *json.loads(line[1:].decode()))
        process.stdin.write(json.dumps(result.json).encode() + b'\n')
        process.stdin.flush()
        return True


if __name__ == '__main__':
    unittest.main()

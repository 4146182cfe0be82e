#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs unittest files and answers in the Test Anything Protocol.

    tests/tap.py FOLDER | FILE.py...
"""
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]


class Result(unittest.TestResult):
    """Prints each test as it ends."""

    def line(self, good, test, rest=''):
        name = test.id().replace('__main__.', '') if hasattr(test, 'id') else str(test)
        print(f'{"ok" if good else "not ok"} - {name}{rest}', flush=True)

    def fault(self, test, error):
        self.line(False, test)
        for line in self._exc_info_to_string(error, test).rstrip().splitlines()[-12:]:
            print(f'# {line}', flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line(True, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(True, test, f' # SKIP {reason}')

    def addError(self, test, error):
        super().addError(test, error)
        self.fault(test, error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.fault(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.fault(subtest, error)


def load(paths):
    loader = unittest.defaultTestLoader
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            yield loader.discover(str(path))
        else:
            yield loader.discover(str(path.parent), pattern=path.name)


def main(paths):
    sys.path.insert(0, str(ROOT))
    result = Result()
    unittest.TestSuite(load(paths)).run(result)
    if not result.testsRun and not result.skipped:
        print(f'# no test in {" ".join(paths)}')
    return 0 if result.wasSuccessful() and (result.testsRun or result.skipped) else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

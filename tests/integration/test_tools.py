#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What counts and judges the tests is tested too."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]
import suites                                                                # noqa: E402
from tests.demo import judge                                                 # noqa: E402
from tests.real import photographs                                           # noqa: E402


def passage(identity, plate, kind='final', region='US-CA'):
    return {'id': identity, 'type': kind, 'plate': plate, 'region': {'code': region},
            'direction': 'approaching'}


CAR = {'plate': '7KLX284', 'region': 'US-CA', 'direction': 'approaching', 'light': 'day'}


class Judge(unittest.TestCase):
    def good(self, *passages):
        return judge.vehicles([CAR], list(passages)).good

    def test_right(self):
        self.assertTrue(self.good(passage('a', '7KLX284', 'provisional'), passage('a', '7KLX284')))

    def test_region_is_told_but_does_not_decide(self):
        report = judge.vehicles([CAR], [passage('a', '7KLX284', region='US-NV')])
        self.assertTrue(report.good)
        self.assertIn('US-NV, not US-CA', report.lines[0][0])

    def test_missed_and_wrong(self):
        self.assertFalse(self.good())
        self.assertFalse(self.good(passage('a', '7KLX234')))
        self.assertFalse(self.good(passage('a', '7KLX284'), passage('b', 'KLX284')))

    def test_told_twice(self):
        self.assertFalse(self.good(passage('a', '7KLX284'), passage('b', '7KLX284')))
        self.assertFalse(self.good(passage('a', '7KLX284'), passage('a', '7KLX284')))

    def test_provisional_without_final(self):
        self.assertFalse(self.good(passage('a', '7KLX284'), passage('b', 'XYZ', 'provisional')))


class Protocol(unittest.TestCase):
    def results(self, text):
        return [(r.name, r.outcome, r.why) for r in suites.tap_results(text)]

    def test_all_outcomes(self):
        text = 'ok 1 - one\nnot ok - two\n# because\n# of this\nok - three # SKIP no such thing\n'
        self.assertEqual(self.results(text), [('one', 'passed', ''),
                                              ('two', 'failed', 'because\nof this'),
                                              ('three', 'skipped', 'no such thing')])

    def test_prose_is_no_result(self):
        self.assertEqual(self.results('okay then\nwhether ok or not ok\n# nothing\n'), [])


class Counted(unittest.TestCase):
    def test_named_failures(self):
        text = 'failed: node/test_add: wrong: 1, not 2\n40 passed, 1 failed, 3 not supported\n'
        good, bad = suites.counted_results(text)
        self.assertEqual((good.outcome, good.count), ('passed', 40))
        self.assertEqual((bad.name, bad.outcome, bad.why),
                         ('node/test_add', 'failed', 'wrong: 1, not 2'))

    def test_failures_without_names_count(self):
        results = suites.counted_results('1 passed, 2 failed\n')
        self.assertEqual([r.outcome for r in results], ['passed', 'failed', 'failed'])


class Scripts(unittest.TestCase):
    """An exit status that contradicts the list of results is never lost."""

    def outcomes(self, code):
        with tempfile.TemporaryDirectory() as folder:
            suites.LOGS, kept = pathlib.Path(folder), suites.LOGS
            try:
                results = suites.script('probe', [suites.PYTHON, '-c', code], 20)
                return [r.outcome for r in results]
            finally:
                suites.LOGS = kept

    def test_status_decides_without_results(self):
        self.assertEqual(self.outcomes('pass'), ['passed'])
        self.assertEqual(self.outcomes('raise SystemExit(1)'), ['failed'])
        self.assertEqual(self.outcomes('raise SystemExit(77)'), ['skipped'])

    def test_crash_after_good_results(self):
        code = 'import os; print("ok - one", flush=True); os.abort()'
        self.assertEqual(self.outcomes(code), ['passed', 'failed'])

    def test_skip_status_does_not_hide_a_failure(self):
        self.assertEqual(self.outcomes('print("not ok - one"); raise SystemExit(77)'), ['failed'])


class Photographs(unittest.TestCase):
    def test_iou(self):
        self.assertEqual(photographs.iou([0, 0, 10, 10], [0, 0, 10, 10]), 1)
        self.assertAlmostEqual(photographs.iou([0, 0, 10, 10], [5, 0, 10, 10]), 1 / 3)
        self.assertEqual(photographs.iou([0, 0, 10, 10], [20, 0, 10, 10]), 0)

    def test_letter_o_is_zero(self):
        self.assertEqual(photographs.plain('oyo 9-feu'), '0Y09FEU')

    def score(self, plates, wanted=('recall', 'exact', 'region')):
        score = photographs.Score(wanted)
        row = {'x': '100', 'y': '100', 'w': '80', 'h': '40', 'text': 'ABC0', 'region': 'us-ca'}
        score.picture('a.jpg', [row], plates)
        return score.shares()

    def test_shares(self):
        plate = {'plate': 'ABCO', 'box': [102, 100, 80, 40], 'region': {'code': 'US-CA'}}
        self.assertEqual(self.score([plate]), {'recall': 1, 'exact': 1, 'region': 1})
        self.assertEqual(self.score([]), {'recall': 0, 'exact': 0, 'region': 0})
        away = {**plate, 'box': [400, 400, 80, 40], 'plate': 'ABC8', 'region': None}
        self.assertEqual(self.score([away]), {'recall': 0, 'exact': 0, 'region': 0})

    def test_floor_fails(self):
        score = photographs.Score(('clean',))
        score.picture('a.jpg', [], [{'plate': 'X'}])
        for floor, fails in ((0.9, 1), (0.0, 0)):
            with contextlib.redirect_stdout(io.StringIO()) as told:
                self.assertEqual(photographs.judge('no_plates', score,
                                                   {'no_plates': {'clean': floor}}), fails)
            self.assertEqual(told.getvalue().startswith('not ok'), bool(fails))


if __name__ == '__main__':
    unittest.main()

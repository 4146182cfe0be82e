#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The judge of the soak sees what grows, starves or gets lost."""
import pathlib
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.soak import soak                                                  # noqa: E402

HOUR_S = 3600


class Pulse(soak.Pulse):
    """One that heard what it is told, without a socket."""

    def __init__(self, fed, pauses=()):
        self.fed, self.pauses = fed, list(pauses)


class Judge(unittest.TestCase):
    def setUp(self):
        self.soak = soak.Soak(types.SimpleNamespace(seed=1), pathlib.Path('/nonexistent'))
        self.soak.lasted_s = self.soak.fed_until = HOUR_S
        self.soak.status, self.soak.watchdog_s = 0, 60
        self.soak.asked = self.soak.answered = 700
        self.soak.plates = ['A1', 'B2']
        self.soak.camera = types.SimpleNamespace(clean_rounds=2)
        self.soak.pulse = Pulse(list(range(HOUR_S)))
        self.soak.samples = [{'s': s, 'calm': s % 100 < 60, 'rss': 80000 + s % 7, 'threads': 7,
                              'descriptors': 20} for s in range(0, HOUR_S, 10)]
        self.soak.passages = [{'id': str(n), 'type': kind, 'plate': 'A1'} for n in range(4)
                              for kind in ('provisional', 'final')]
        self.soak.decided = [(p['id'], p['type']) for p in self.soak.passages]

    def bad(self):
        return [what for what, _, good in self.soak.judge() if not good]

    def grow(self, what, by):
        for sample in self.soak.samples:
            sample[what] += round(by * sample['s'] / HOUR_S)

    def test_good(self):
        self.assertEqual(self.bad(), [])

    def test_growth(self):
        for what, by, named in (('rss', 8000, 'memory (RSS)'), ('descriptors', 4, 'descriptors'),
                                ('threads', 4, 'threads')):
            with self.subTest(what=what):
                self.setUp()
                self.grow(what, by)
                self.assertEqual(self.bad(), [named])

    def test_disturbed_samples_do_not_count(self):
        for sample in self.soak.samples:
            sample['descriptors'] += 0 if sample['calm'] else sample['s']
        self.assertEqual(self.bad(), [])

    def test_too_few_samples(self):
        self.soak.samples = self.soak.samples[:5]
        self.assertEqual(self.bad(), ['memory (RSS)', 'descriptors', 'threads'])

    def test_watchdog(self):
        self.soak.pulse = Pulse([s for s in range(HOUR_S) if not 1000 < s < 1070])
        self.assertEqual(self.bad(), ['watchdog'])
        self.soak.pulse.pauses = [(1005, 1060)]     # the machine stood still meanwhile
        self.assertEqual(self.bad(), [])
        self.soak.pulse = Pulse(list(range(HOUR_S - 100)))
        self.assertEqual(self.bad(), ['watchdog'])

    def test_delivery(self):
        lost = self.soak.passages.pop(2)
        self.assertEqual(self.bad(), ['delivery', 'order'])
        self.soak.passages.append(lost)
        self.assertEqual(self.bad(), ['order'])
        self.setUp()
        self.soak.passages.append(self.soak.passages[-1])   # again: at least once is allowed
        self.assertEqual(self.bad(), [])
        self.soak.decided, self.soak.passages = [], []
        self.assertEqual(self.bad(), ['delivery', 'vehicles'])

    def test_vehicles_and_answers(self):
        self.soak.camera.clean_rounds = 3
        self.soak.answered -= 1
        self.soak.status = -6
        self.assertEqual(self.bad(), ['service', 'questions', 'vehicles'])


if __name__ == '__main__':
    unittest.main()

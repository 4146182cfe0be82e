# SPDX-License-Identifier: Apache-2.0
"""The figures of models/evaluate.py on cases whose answers are known.

    /usr/bin/python3 -m unittest tests/models/test_measures.py
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
from models import measures  # noqa: E402


class Texts(unittest.TestCase):
    def test_clean(self):
        self.assertEqual(measures.clean('rod-1q 7'), 'R0D1Q7')

    def test_edit_distance(self):
        self.assertEqual(measures.edit_distance('ABC123', 'ABC123'), 0)
        self.assertEqual(measures.edit_distance('ABC123', 'A8C12'), 2)
        self.assertEqual(measures.edit_distance('', 'XY'), 2)

    def test_alignment_names_what_was_lost_and_added(self):
        self.assertEqual(measures.alignment('1AB2', '1B27'),
                         [('1', '1'), ('A', measures.NOTHING), ('B', 'B'), ('2', '2'),
                          (measures.NOTHING, '7')])

    def test_confusion_counts(self):
        confusion = measures.Confusion()
        confusion.add('11A', 'I1A')
        confusion.add('1', '1')
        self.assertIn('| 1 | 3 | 66.7 % | I 1 |', confusion.table())
        self.assertIn('| A | 1 | 100.0 % |  |', confusion.table())


class Detections(unittest.TestCase):
    def test_iou(self):
        self.assertAlmostEqual(measures.iou((0, 0, 10, 10), (5, 0, 10, 10)), 50 / 150)
        self.assertEqual(measures.iou((0, 0, 10, 10), (20, 0, 10, 10)), 0)

    def test_average_precision(self):
        # Right, wrong, right of two: precision 1 up to recall 1/2, then 2/3.
        hits = [(0.9, True), (0.8, False), (0.7, True)]
        self.assertAlmostEqual(measures.average_precision(hits, 2), 0.5 + 0.5 * 2 / 3)
        self.assertAlmostEqual(measures.average_precision(hits, 4), 0.25 + 0.25 * 2 / 3)
        self.assertEqual(measures.average_precision([], 4), 0)

    def test_precision_recall(self):
        hits = [(0.9, True), (0.8, False), (0.3, True)]
        self.assertEqual(measures.precision_recall(hits, 4, 0.5), (0.5, 0.25))


class Confidence(unittest.TestCase):
    def test_bins_and_error(self):
        reliability = measures.Reliability()
        for right in [True] * 9 + [False]:
            reliability.add(0.9, right)
        self.assertEqual([(b[2], round(b[3], 6), b[4]) for b in reliability.bins()],
                         [(10, 0.9, 0.9)])
        self.assertAlmostEqual(reliability.error(), 0)
        for _ in range(10):
            reliability.add(0.99, False)
        self.assertAlmostEqual(reliability.error(), 0.99 / 2)

    def test_no_confidence_is_counted(self):
        reliability = measures.Reliability()
        reliability.add(0.0, False)
        self.assertEqual(reliability.bins()[0][2], 1)


if __name__ == '__main__':
    unittest.main()

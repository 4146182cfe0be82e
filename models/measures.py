# SPDX-License-Identifier: Apache-2.0
"""What models/evaluate.py counts: overlaps, edits, precision and recall, reliability.

Boxes here are x, y, w, h. Only the standard library and NumPy.
"""
import collections
import re

import numpy as np

BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)     # of confidence, upper ends belong to the bin
NOTHING = '·'                                   # in a confusion: no character there


def clean(text):
    """Plates are compared without spaces and signs, O being 0."""
    return re.sub('[^A-Z0-9]', '', text.upper()).replace('O', '0')


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return inter / max(a[2] * a[3] + b[2] * b[3] - inter, 1e-9)


def distances(a, b):
    """Edit distances of all beginnings of two texts, [len(a) + 1, len(b) + 1]."""
    d = np.zeros((len(a) + 1, len(b) + 1), int)
    d[:, 0], d[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (x != y))
    return d


def edit_distance(a, b):
    return int(distances(a, b)[-1, -1])


def alignment(truth, text):
    """Pairs (character of the truth, character read); NOTHING where one has none."""
    d, i, j, pairs = distances(truth, text), len(truth), len(text), []
    while i or j:
        if i and j and d[i, j] == d[i - 1, j - 1] + (truth[i - 1] != text[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((truth[i], text[j]))
        elif i and d[i, j] == d[i - 1, j] + 1:
            i -= 1
            pairs.append((truth[i], NOTHING))
        else:
            j -= 1
            pairs.append((NOTHING, text[j]))
    return pairs[::-1]


class Confusion:
    """How often each character was read as which."""

    def __init__(self):
        self.counts = collections.Counter()

    def add(self, truth, text):
        self.counts.update(alignment(truth, text))

    def table(self):
        """Markdown: for each character how often it stood there, and what it was taken for."""
        lines = ['| character | times | right | taken for |', '|---|---|---|---|']
        for c in sorted({a for a, _ in self.counts}, key=lambda c: (c == NOTHING, c)):
            row = {b: n for (a, b), n in self.counts.items() if a == c}
            wrong = sorted(((n, b) for b, n in row.items() if b != c), reverse=True)
            told = ', '.join(f'{b} {n}' for n, b in wrong)
            times = sum(row.values())
            right = '–' if c == NOTHING else f'{100 * row.get(c, 0) / times:.1f} %'
            lines.append(f'| {"nothing" if c == NOTHING else c} | {times} | {right} | {told} |')
        return '\n'.join(lines).replace(NOTHING, 'nothing')


class Reliability:
    """Whether answers given a confidence are right as often as it says."""

    def __init__(self):
        self.answers = []

    def add(self, confidence, right):
        self.answers.append((float(confidence), bool(right)))

    def bins(self):
        """[(low, high, answers, mean confidence, share right)] of the bins with answers."""
        out = []
        for low, high in zip(BINS[:-1], BINS[1:]):
            inside = [a for a in self.answers if low < a[0] <= high or (low == a[0] == 0)]
            if inside:
                mean, right = np.mean(inside, 0)
                out.append((low, high, len(inside), float(mean), float(right)))
        return out

    def error(self):
        """Expected calibration error: mean distance of confidence and truth over the bins."""
        total = max(1, len(self.answers))
        return sum(n * abs(mean - right) for _, _, n, mean, right in self.bins()) / total

    def table(self):
        lines = ['| confidence | answers | mean confidence | right |', '|---|---|---|---|']
        lines += [f'| {low:g} to {high:g} | {n} | {100 * mean:.1f} % | {100 * right:.1f} % |'
                  for low, high, n, mean, right in self.bins()]
        return '\n'.join(lines) + f'\n\nExpected calibration error {100 * self.error():.1f} %.'


def average_precision(hits, total):
    """Area under the interpolated precision over recall of (score, hit)."""
    if not hits or not total:
        return 0.0
    ok = np.array([h for _, h in sorted(hits, key=lambda h: -h[0])], float)
    recall = np.cumsum(ok) / total
    precision = np.cumsum(ok) / np.arange(1, len(ok) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0], recall])) * precision))


def precision_recall(hits, total, threshold):
    """Precision and recall of what is at or above the threshold."""
    kept = [h for s, h in hits if s >= threshold]
    return sum(kept) / max(1, len(kept)), sum(kept) / max(1, total)


def percent(a, b):
    return f'{100 * a / b:.1f} % ({a}/{b})' if b else '–'

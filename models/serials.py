# SPDX-License-Identifier: Apache-2.0
"""How likely which texts are on plates: the weights of pipeline/format.c, counted.

    /usr/bin/python3 -m models.serials

Takes the serials of models/labels/us_states.csv (real plates, of which none is in eval/) and
the formats of pipeline/formats.inc. A pattern says where letters stand and where digits; O and
0 fit both. A pattern is one of the region's own formats, a format of another region, all
letters, or any other of that length. For each kind: how often a plate shows it, by how many such
patterns there are, in units of what that is for "any other".
"""
import collections
import csv
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LABELS = os.path.join(HERE, 'labels', 'us_states.csv')
FORMATS = os.path.join(HERE, '..', 'pipeline', 'formats.inc')
LENGTHS = range(4, 9)
KINDS = ('own', 'another', 'word', 'other')


def formats():
    """{region: [serial]}, A for a letter and 0 for a digit."""
    with open(FORMATS, encoding='utf-8') as f:
        rows = re.findall(r'LPR_FORMATS\("([^"]*)", (.*)\)', f.read())
    return {region: re.findall(r'"([^"]*)"', serials) for region, serials in rows}


def fits(text, serial):
    return len(text) == len(serial) and all(
        c in '0O' or c.isdigit() == (s == '0') for c, s in zip(text, serial))


def kind(text, own, every):
    if any(fits(text, s) for s in own):
        return 'own'
    if any(fits(text, s) for s in every):
        return 'another'
    return 'word' if text.replace('0', 'O').isalpha() else 'other'


def weights():
    """{kind: weight}, 1 for "other"."""
    known = formats()
    every = {s for serials in known.values() for s in serials}
    shown, there = collections.Counter(), collections.Counter()
    with open(LABELS, newline='', encoding='utf-8') as f:
        plates = [(f'US-{r["file"][:2].upper()}', r['text']) for r in csv.DictReader(f)]
    for region, text in plates:
        n = len(text)
        if n not in LENGTHS:
            continue
        own = {s for s in known.get(region, ()) if len(s) == n}
        another = {s for s in every if len(s) == n} - own
        shown[kind(text, own, every)] += 1
        there.update(own=len(own), another=len(another), word=1,
                     other=2 ** n - len(own) - len(another) - 1)
    rate = {k: shown[k] / there[k] for k in KINDS}
    return {k: rate[k] / rate['other'] for k in KINDS}


def main():
    for name, weight in weights().items():
        print(f'{name:8}{weight:6.1f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())

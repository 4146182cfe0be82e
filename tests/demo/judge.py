# SPDX-License-Identifier: Apache-2.0
"""Compares passages with what was to be read."""
import csv
import dataclasses
import re


def plain(text):
    return re.sub(r'[^0-9A-Z]', '', text.upper()).replace('O', '0')


@dataclasses.dataclass
class Report:
    """lines: [(sentence, its final passage or None)]; good: all right and nothing else told."""
    right: int
    asked: int
    good: bool
    lines: list


def finals_of(passages):
    return [p for p in passages if p['type'] == 'final']


def ids_are_sound(passages):
    """Sentences about ids that do not have exactly one final."""
    count = {p['id']: 0 for p in passages}
    for passage in finals_of(passages):
        count[passage['id']] += 1
    return [f'passage {identity} has {n} finals' for identity, n in count.items() if n != 1]


def beside(told, true):
    return told if told == true else f'{told}, not {true}'


def vehicles(truth, passages):
    """One line a vehicle; a vehicle is right with exactly one final passage of its plate."""
    lines, right = [], 0
    finals = finals_of(passages)
    for vehicle in truth:
        hits = [p for p in finals if plain(p['plate']) == vehicle['plate']]
        state, way = vehicle['region'], vehicle['direction']
        if len(hits) == 1:
            right += 1
            state = beside((hits[0].get('region') or {}).get('code') or 'none', state)
            way = beside(hits[0]['direction'], way)
            word = 'right'
        else:
            word = f'told {len(hits)} times' if hits else 'missed'
        lines.append((f'{word:8} {vehicle["plate"]:9} {state:18} {way:24} {vehicle["light"]:5}',
                      hits[0] if hits else None))
    known = {v['plate'] for v in truth}
    strangers = [p for p in finals if plain(p['plate']) not in known]
    lines += [(f'wrong    {p["plate"]:9} is not in the clip', p) for p in strangers]
    faults = ids_are_sound(passages)
    lines += [(fault, None) for fault in faults]
    return Report(right, len(truth), right == len(truth) and not strangers and not faults, lines)


def labels(table):
    """{file: [text]} of a labels.csv."""
    texts = {}
    with open(table, newline='') as rows:
        for row in csv.DictReader(rows):
            if row['text']:
                texts.setdefault(row['file'], []).append(plain(row['text']))
    return texts

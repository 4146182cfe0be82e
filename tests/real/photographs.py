#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the real photographs of $PLATED_DATA/eval with platectl and says how well.

    tests/real/photographs.py [--write FILE.md] [--set-floors MARGIN] [SET...]

recall   labelled plates that were found, intersection over union 0.5 or more
exact    labelled texts that were read letter for letter; letter O counts as digit 0
region   labelled states and provinces that were named right
clean    pictures without a plate in which none was found

As a test (Test Anything Protocol) it fails when a picture cannot be read, or when a share
falls below tests/real/floors.json. --write puts the table between the markers of a page,
--set-floors writes floors that lie MARGIN below what was measured.
"""
import argparse
import csv
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLATECTL = pathlib.Path(os.environ.get('PLATECTL', ROOT / 'build' / 'daemon' / 'platectl'))
MODELS = pathlib.Path(os.environ.get('PLATED_MODELS') or ROOT / 'models')
FLOORS = pathlib.Path(__file__).with_name('floors.json')
SHARES = ('recall', 'exact', 'region', 'clean')
# What a set's labels can be asked for; the stretched world scenes and art have no readable text.
SETS = {'us_scenes': ('recall', 'exact', 'region'), 'us_crops': ('exact', 'region'),
        'eu_scenes': ('recall', 'exact'), 'world_scenes': ('recall',),
        'canada_art': ('exact', 'region'), 'no_plates': ('clean',)}


def data_folder():
    return pathlib.Path(os.environ.get('PLATED_DATA') or ROOT.parent / 'shared' / 'data') / 'eval'


def images(folder):
    """Where a set keeps its pictures; one without labels keeps them at its top."""
    return folder / 'images' if (folder / 'images').is_dir() else folder


def labels(folder):
    """{file: [row]}; a picture without a row has no labelled plate."""
    rows = {path.name: [] for path in images(folder).glob('*.*') if path.suffix != '.csv'}
    table = folder / 'labels.csv'
    if table.exists():
        for row in csv.DictReader(table.open(newline='')):
            rows.setdefault(row['file'], []).append(row)
    return rows


def plain(text):
    return re.sub(r'[^0-9A-Z]', '', text.upper()).replace('O', '0')


def iou(a, b):
    """Of two boxes [x, y, w, h]."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def read(files):
    """(answers by file name, exit status, what platectl said on stderr)."""
    done = subprocess.run([PLATECTL, 'read', '--json', '--models', MODELS, *files], cwd=ROOT,
                          capture_output=True, text=True)
    answers = {}
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        answers[pathlib.Path(answer['file']).name] = answer
    return answers, done.returncode, done.stderr.strip()


def region_code(plate):
    region = plate.get('region') or {}
    return (region.get('code') or '').lower()


class Score:
    """Hits and asked, for each share."""

    def __init__(self, wanted):
        self.counts = {share: [0, 0] for share in wanted}
        self.missed = []
        self.false = []                 # texts of plates where there is none

    def add(self, share, hit, name):
        if share in self.counts:
            self.counts[share][0] += bool(hit)
            self.counts[share][1] += 1
            if not hit:
                self.missed.append(f'{share}: {name}')

    def picture(self, name, rows, plates):
        self.add('clean', not plates, f'{name}: {[p["plate"] for p in plates]}')
        self.false += [p['plate'] for p in plates] if not rows else []
        for row in rows:
            box = [float(row[k] or 0) for k in 'xywh']
            nearest = max(plates, key=lambda p: iou(p['box'], box), default=None)
            if box[2]:
                self.add('recall', nearest and iou(nearest['box'], box) >= 0.5, name)
            if row['text']:
                texts = [plain(p['plate']) for p in plates]
                self.add('exact', plain(row['text']) in texts, f'{name} {row["text"]}: {texts}')
            if '-' in row['region']:
                codes = [region_code(p) for p in plates]
                self.add('region', nearest and region_code(nearest) == row['region'].lower(),
                         f'{name} {row["region"]}: {codes}')

    def shares(self):
        return {share: hits / asked for share, (hits, asked) in self.counts.items() if asked}


def measure(name, verbose):
    """(score, pictures, seconds, sentence about what failed or None)"""
    folder = data_folder() / name
    rows = labels(folder)
    started = time.monotonic()
    answers, status, said = read([images(folder) / file for file in sorted(rows)])
    seconds = time.monotonic() - started
    score = Score(SETS[name])
    for file in sorted(rows):
        if file in answers:
            score.picture(file, rows[file], answers[file]['plates'])
    absent = sorted(set(rows) - set(answers))
    if verbose:
        print(*(f'# missed {m}' for m in score.missed), sep='\n')
    if status or absent:
        why = f'platectl ended with {status}, {len(absent)} pictures without an answer'
        return score, len(rows), seconds, ': '.join([why, *absent[:3], said[-300:]])
    return score, len(rows), seconds, None


def table(results):
    """Markdown of all sets, with the machine-made note that says from what."""
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, text=True,
                            capture_output=True).stdout.strip()
    lines = ['| set | pictures | recall | exact | region | clean |',
             '| --- | --: | --: | --: | --: | --: |']
    for name, (score, pictures) in results.items():
        cells = []
        for share in SHARES:
            hits, asked = score.counts.get(share, (0, 0))
            cells.append(f'{100 * hits / asked:.1f} % ({hits}/{asked})' if asked else '')
        lines.append(f'| `{name}` | {pictures} | ' + ' | '.join(cells) + ' |')
    files = ', '.join(f'`{path.name}` {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}'
                      for path in sorted(MODELS.glob('*.onnx')))
    return '\n'.join([*lines, '', f'Measured by `tests/real/photographs.py` at commit `{commit}` '
                      f'with {files} (SHA-256).'])


def write_between_markers(path, text):
    page = path.read_text()
    pattern = re.compile(r'(<!-- figures: begin -->\n).*?(<!-- figures: end -->)', re.DOTALL)
    if not pattern.search(page):
        sys.exit(f'{path} has no markers <!-- figures: begin --> and <!-- figures: end -->')
    path.write_text(pattern.sub(lambda m: m.group(1) + text + '\n' + m.group(2), page))


def judge(name, score, floors):
    """Prints one test for each floor of a set."""
    shares = score.shares()
    bad = 0
    for share, floor in floors.get(name, {}).items():
        got = shares.get(share, 0.0)
        good = got >= floor
        bad += not good
        print(f'{"ok" if good else "not ok"} - {name} {share}')
        if not good:
            print(f'# {share} is {got:.3f}, its floor {floor:.3f}')
    return bad


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--write', type=pathlib.Path, metavar='FILE.md')
    parser.add_argument('--set-floors', type=float, metavar='MARGIN')
    parser.add_argument('--verbose', action='store_true', help='name what was missed')
    parser.add_argument('set', nargs='*')
    args = parser.parse_args(arguments)
    if set(args.set) - set(SETS):
        parser.error(f'the sets are {", ".join(SETS)}')
    if not data_folder().is_dir():
        print('PLATED_DATA names no folder with real photographs')
        return 77
    floors = json.loads(FLOORS.read_text()) if FLOORS.exists() else {}
    bad, results = 0, {}
    for name in args.set or SETS:
        if not (data_folder() / name).is_dir():
            print(f'ok - {name} # SKIP the set is not there')
            continue
        score, pictures, seconds, why = measure(name, args.verbose)
        results[name] = (score, pictures)
        told = ', '.join(f'{share} {hits}/{asked} = {100 * hits / asked:.1f} %'
                         for share, (hits, asked) in score.counts.items() if asked)
        if score.false:
            long = sum(len(text) >= 4 for text in score.false)
            told += f', {len(score.false)} false plates, {long} with 4 characters or more'
        print(f'## {name}: {pictures} pictures in {seconds:.0f} s: {told or "nothing scored"}')
        print(f'{"not ok" if why else "ok"} - {name} every picture is read', flush=True)
        if why:
            print(f'# {why}')
            bad += 1
        bad += judge(name, score, floors)
    if args.write:
        write_between_markers(args.write, table(results))
    if args.set_floors is not None:
        for name, (score, _) in results.items():
            floors[name] = {share: round(got - args.set_floors, 3)
                            for share, got in score.shares().items() if got > args.set_floors}
        FLOORS.write_text(json.dumps(floors, indent=2) + '\n')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""All three networks from their training pictures to .onnx files, in one command.

    /usr/bin/python3 -m models.train_all --minutes 9 --device cuda --jobs 16
        [--only detector,reader,region] [--scale 1.0] [--out models/.cache/trained]

Draws the caches (with --jobs processes), goes on from the released files, and leaves
detector.onnx, reader.onnx and region.onnx in --out, uncalibrated, with what each step
said in train_all.log. --minutes is for everything; what drawing the caches leaves of it
is dealt out by SHARES. Run again after an interruption it keeps the caches and goes on
with each training where it was. Every step is seeded; --steps in place of minutes makes
the detector and the reader repeat. models/pack.py makes the folder of pictures to take
along. Release what is better on the held-out parts, after models.calibrate.
"""
import argparse
import contextlib
import importlib.util
import os
import shutil
import sys
import time

import cv2

from models import synth

HERE = os.path.dirname(os.path.abspath(__file__))
LABELS = os.path.join(HERE, 'labels', 'us_states.csv')
SHARES = {'detector': 0.5, 'reader': 0.35, 'region': 0.15}
# what, seed, val, pictures at scale 1
CACHES = {'detector': (('detector', 1, False, 40000), ('detector', 1, True, 400),
                       ('empty', 1, False, 12000), ('empty', 1, True, 400),
                       ('photographs', 1, True, None)),
          'reader': (('reader', 1, False, 60000), ('reader', 1, True, 1500)), 'region': ()}
DATA = {'detector': 'detector-train-1:0.75,empty-train-1:0.25',
        'reader': 'reader-train-1:0.55,reader-pseudo-train:0.45'}
VAL = {'detector': 'detector-real,detector-val-1,empty-val-1',
       'reader': 'reader-val-1,reader-pseudo-val'}


def cache(*name):
    return os.path.join(synth.CACHE, *name)


def draw(task, args):
    """The caches of one network, but for those that are there."""
    for what, seed, val, count in CACHES[task]:
        name = ('detector-real' if what == 'photographs' else
                f"{what}-{'val' if val else 'train'}-{seed}")
        if not os.path.exists(cache(name + '.npy')):
            scaled = max(8, int(count * args.scale)) if count else None
            synth.make_cache(what, scaled, seed, val, args.jobs)


def restored(task, settle):
    """The released file as a checkpoint to start from."""
    from models import restore
    path = cache(f'{task}-released.pt')
    if not os.path.exists(path):
        restore.main([os.path.join(HERE, task + '.onnx'), path, '--settle', settle])
    return path


def real_plates(args, start):
    """Crops of real plates with labels by eye, and by a reader where its readings agree."""
    from models import pseudo
    if not os.path.exists(cache('pseudo.json')):
        pseudo.main(['label', '--reader', start, '--device', args.device])
    if not os.path.exists(cache('reader-pseudo-val.npy')):
        pseudo.main(['cache', '--reader', start, '--eye', LABELS, '--renders', '3',
                     '--jobs', str(args.jobs)])


def train_yolo(task, args, minutes):
    from models import train_yolo as trainer
    start = restored(task, f'{task}-train-1')
    if task == 'reader':
        real_plates(args, start)
    out = cache(task)
    more = ['--steps', str(args.steps)] if args.steps else []
    if os.path.exists(out + '.last.pt'):
        more.append('--resume')
    if args.device != 'cpu':
        more += ['--bf16', '--batch', '128', '--lr', '0.004' if args.scratch else '0.002']
    if not args.scratch:
        more += ['--start', start]
    trainer.main([task, '--data', DATA[task], '--val', VAL[task], '--out', out, '--minutes',
                  f'{minutes:.2f}', '--every', '1', '--device', args.device, '--workers',
                  str(max(0, args.jobs - 2)), '--seed', str(args.seed), *more])


def train_region(args):
    from models import train_region as trainer
    if not os.path.exists(cache('region.npz')):
        trainer.main(['prepare', '--seed', str(args.seed)])
    trainer.main(['train', '--epochs', str(max(1, int(40 * args.scale))), '--device', args.device,
                  '--workers', str(max(0, args.jobs - 2)), '--bfloat16', str(int(
                      args.device != 'cpu')), '--seed', str(args.seed), '--resume'])


def train(task, args, begin):
    """One network; its share is of what the networks before it have left."""
    rest = SHARES[task] / sum(SHARES[t] for t in list(SHARES)[list(SHARES).index(task):]
                              if t in args.only)
    draw(task, args)
    minutes = max(0.1, (args.minutes - (time.monotonic() - begin) / 60) * rest)
    if task == 'region':
        train_region(args)
    else:
        train_yolo(task, args, minutes)
    # Whatever becomes of the export, the weights are there.
    shutil.copy(cache(task + '.pt'), args.out)
    from models import export
    options = ['--opset', '13'] if task == 'region' else []
    return export.main([cache(task + '.pt'), os.path.join(args.out, task + '.onnx'), '--half',
                        *options])


class Both:
    """Writes to the terminal and to a log."""

    def __init__(self, *files):
        self.files = files

    def write(self, text):
        for f in self.files:
            f.write(text)

    def flush(self):
        for f in self.files:
            f.flush()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=120)
    parser.add_argument('--steps', type=int, help='of detector and reader, instead of minutes')
    parser.add_argument('--only', default=','.join(SHARES))
    parser.add_argument('--scale', type=float, default=1.0, help='of caches and epochs')
    parser.add_argument('--scratch', action='store_true', help='not from the released files')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--seed', type=int, default=21)
    parser.add_argument('--out', default=cache('trained'))
    args = parser.parse_args(arguments)
    args.only = args.only.split(',')
    if set(args.only) - set(SHARES):
        parser.error(f'the networks are {", ".join(SHARES)}')
    missing = [m for m in ('torch', 'onnx', 'PIL') if not importlib.util.find_spec(m)]
    if missing:
        parser.error(f'Python has no {", ".join(missing)} here')
    cv2.setNumThreads(1)
    os.makedirs(args.out, exist_ok=True)
    begin, bad = time.monotonic(), 0
    with open(os.path.join(args.out, 'train_all.log'), 'a', encoding='utf-8') as log, \
            contextlib.redirect_stdout(Both(sys.stdout, log)):
        for task in SHARES:
            if task in args.only:
                bad |= train(task, args, begin)
                print(f'{task}: done after {(time.monotonic() - begin) / 60:.1f} minutes',
                      flush=True)
    return bad


if __name__ == '__main__':
    sys.exit(main())

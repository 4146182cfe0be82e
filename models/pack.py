# SPDX-License-Identifier: Apache-2.0
"""Packs all that a training needs into one small folder, to take it to another machine.

    /usr/bin/python3 -m models.pack [--mib 60] [--out models/.cache/pack]
    PLATED_DATA=models/.cache/pack PLATED_FONTS=models/.cache/pack/fonts ...

The folder has the layout of $PLATED_DATA/train with pictures compressed until they fit,
and the fonts that plates.py draws with. Nothing of eval/ is in it. It is not for the
repository: it holds photographs of real vehicles.
"""
import argparse
import os
import shutil
import sys

import cv2

from models import plates, synth

HERE = os.path.dirname(os.path.abspath(__file__))
SETS = ('det_experiment_plates', 'det_openimages', 'det_romanian', 'us_states')
QUALITIES = (95, 90, 80, 70, 65, 60, 55, 50, 40)


def pictures():
    """[(path, path inside the pack)] of all pictures, in a fixed order."""
    for name in SETS:
        folder = os.path.join(synth.data_root(), 'train', name, 'images')
        for file in sorted(os.listdir(folder)):
            yield os.path.join(folder, file), os.path.join('train', name, 'images', file)


def encoded(quality, room):
    """{path inside: bytes} as WebP of a quality, or None when that takes more room.

    The names stay, .jpg and all: OpenCV looks at the bytes."""
    out, total = {}, 0
    for path, inside in pictures():
        image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        data = cv2.imencode('.webp', image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        # An archive adds a header and pads to 512 bytes.
        total += len(data) + 1024
        if total > room:
            return None
        out[inside] = data
    return out


def copy_rest(out):
    """Labels, groups and fonts; returns their bytes."""
    total = 0
    for name in SETS:
        for file in ('labels.csv', 'groups.csv'):
            path = os.path.join(synth.data_root(), 'train', name, file)
            if os.path.exists(path):
                target = os.path.join(out, 'train', name)
                os.makedirs(target, exist_ok=True)
                shutil.copy(path, target)
                total += os.path.getsize(path)
    for path in sorted(set(plates.fonts('serial') + plates.fonts('name'))):
        target = os.path.join(out, 'fonts', os.path.relpath(path, plates.FONT_ROOT))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)
        total += os.path.getsize(path)
    return total


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='models.pack', description=__doc__.split('\n')[0])
    parser.add_argument('--mib', type=float, default=60, help='largest size of the folder')
    parser.add_argument('--out', default=os.path.join(HERE, '.cache', 'pack'))
    args = parser.parse_args(arguments)
    shutil.rmtree(args.out, ignore_errors=True)
    room = args.mib * 2 ** 20 - copy_rest(args.out)
    for quality in QUALITIES:
        files = encoded(quality, room)
        if files:
            break
    else:
        print(f'{args.mib:g} MiB is too little even at quality {QUALITIES[-1]}', file=sys.stderr)
        return 1
    for inside, data in files.items():
        path = os.path.join(args.out, inside)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(data)
    total = sum(os.path.getsize(os.path.join(d, f))
                for d, _, names in os.walk(args.out) for f in names)
    print(f'{args.out}: {len(files)} pictures at quality {quality}, {total / 2 ** 20:.1f} MiB')
    return 0


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Fits what the released models' confidences mean, on held-out training pictures.

    /usr/bin/python3 -m models.calibrate [--platectl build/daemon/platectl] [--write]

Reader: `platectl read` over the held-out crops of train/us_states whose text was read by
eye (labels/us_states.csv); a character's probability to be right is the sigmoid of
scale * logit(confidence) + shift. Region: the scale of the logits that makes the held-out
plates most probable. --write puts both into the files' metadata, plated.calibration.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import onnx

from models import measures, synth
from models.pseudo import read_by_eye

HERE = os.path.dirname(os.path.abspath(__file__))
LABELS = os.path.join(HERE, 'labels', 'us_states.csv')
KEY = 'plated.calibration'


def set_key(source, target, value):
    """Copies a model with its calibration replaced, or removed by None."""
    model = onnx.load(source)
    kept = [p for p in model.metadata_props if p.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    if value is not None:
        model.metadata_props.add(key=KEY, value=value)
    onnx.save(model, target)


def fit_logistic(x, right, rounds=50):
    """(scale, shift) under which sigmoid(scale * x + shift) is most probable; Newton's method."""
    design, w = np.stack([x, np.ones_like(x)], 1), np.array([1.0, 0.0])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-design @ w))
        curve = design.T @ (design * (p * (1 - p))[:, None]) + 1e-6 * np.eye(2)
        w = w - np.linalg.solve(curve, design.T @ (p - right))
    return float(w[0]), float(w[1])


def fit_scale(logits, truth):
    """The factor on logits under which softmax makes the truth most probable."""
    def loss(scale):
        z = logits * scale
        z = z - z.max(1, keepdims=True)
        return -np.mean(z[np.arange(len(z)), truth] - np.log(np.exp(z).sum(1)))
    scales = np.exp(np.linspace(np.log(0.2), np.log(5), 400))
    return float(scales[np.argmin([loss(s) for s in scales])])


def judge(truth, text):
    """For each character of a reading, whether the truth has it there."""
    return [a == b for a, b in measures.alignment(truth, text) if b != measures.NOTHING]


def read_held_out(platectl):
    """[(truth, plate or None)] of the held-out crops, by an uncalibrated reader."""
    eye = read_by_eye(LABELS)
    paths = [p for p in synth.load_plate_crops(val=True) if eye.get(os.path.basename(p))]
    with tempfile.TemporaryDirectory() as folder:
        for name in ('detector', 'reader', 'region'):
            set_key(f'{HERE}/{name}.onnx', f'{folder}/{name}.onnx', None)
        done = subprocess.run([platectl, 'read', '--json', '--models', folder, *paths],
                              stdout=subprocess.PIPE, check=True, text=True)
    for line in done.stdout.splitlines():
        record = json.loads(line)
        best = max(record['plates'], key=lambda p: len(p['plate']) * p['detection'], default=None)
        yield eye[os.path.basename(record['file'])], best


def fit_reader(platectl):
    confidence, right, plates, exact = [], [], 0, 0
    for truth, plate in read_held_out(platectl):
        plates += 1
        if plate:
            exact += plate['plate'] == truth
            right += judge(truth, plate['plate'])
            confidence += [c['confidence'] for c in plate['characters']]
    p = np.clip(confidence, 1e-4, 1 - 1e-4)
    scale, shift = fit_logistic(np.log(p / (1 - p)), np.array(right, float))
    print(f'reader: {plates} held-out plates, {measures.percent(exact, plates)} exact, '
          f'{len(right)} characters, {100 * np.mean(right):.2f} % right; '
          f'scale {scale:.3f}, shift {shift:.3f}')
    return f'{scale:.3f},{shift:.3f}'


def fit_region():
    from models import train_region as R
    from models.engine import Engine
    model = onnx.load(f'{HERE}/region.onnx')
    strings = {p.key: p.value for p in model.metadata_props}
    engine = Engine(f'{HERE}/region.onnx')
    real, labels, part = R.real_pictures(quiet=True)
    cuts = [R.fit(R.margined(p), R.INPUT, strings['plated.letterbox']) for p in real[part == 1]]
    mean, std = float(strings['plated.mean']), float(strings['plated.std'])
    logits = np.concatenate([
        engine.run(((c[None, None] / 255 - mean) / std).astype(np.float32))[0] for c in cuts])
    scale = fit_scale(logits.astype(float), labels[part == 1])
    print(f'region: {len(cuts)} held-out plates; scale {scale:.3f}')
    return f'{scale:.3f}'


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='models.calibrate', description=__doc__.split('\n')[0])
    parser.add_argument('--platectl',
                        default=os.path.join(HERE, '..', 'build', 'daemon', 'platectl'))
    parser.add_argument('--write', action='store_true')
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    for name, value in (('reader', fit_reader(args.platectl)), ('region', fit_region())):
        if args.write:
            set_key(f'{HERE}/{name}.onnx', f'{HERE}/{name}.onnx', value)
    return 0


if __name__ == '__main__':
    sys.exit(main())

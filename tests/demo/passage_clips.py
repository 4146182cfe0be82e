#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws clips of one to four vehicles that stop, overtake, hide each other and park.

    passage_clips.py FOLDER [NAME…]

Writes FOLDER/NAME.avi (Motion JPEG, 1280x720, 8 frames a second) and NAME.json with the vehicles
in it. Every run draws the same clips.
"""
import dataclasses
import json
import multiprocessing
import os
import pathlib
import sys

import cv2
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from models import plates                                                    # noqa: E402
from tests.demo import make_clip, scene                                      # noqa: E402

FPS = 8
IN, OUT = make_clip.LANE_M['in'], make_clip.LANE_M['out']


@dataclasses.dataclass(frozen=True)
class Actor:
    """A vehicle and its way: (seconds, metres to the right, metres away), straight in between."""
    kind: str
    colour: tuple
    region: str
    text: str
    seed: int
    way: tuple
    front: bool = True

    def position(self, seconds):
        """(x, z), or None before the first and after the last point."""
        times, x, z = zip(*self.way)
        if not times[0] <= seconds <= times[-1]:
            return None
        return float(np.interp(seconds, times, x)), float(np.interp(seconds, times, z))


BLUE = Actor('sedan', (150, 92, 52), 'US-CA', '7KLX284', 5, ())
WHITE = Actor('suv', (206, 208, 210), 'CA-ON', 'CKHA 382', 8, ())
RED = Actor('pickup', (42, 38, 128), 'US-TX', 'BXC-4821', 7, ())
VAN = Actor('van', (222, 224, 226), 'US-NY', 'KDP-9936', 6, ())


def drives(actor, *way, front=True):
    return dataclasses.replace(actor, way=way, front=front)


CLIPS = {
    # It comes, waits, rolls on to the gate, waits again and goes.
    'stops': (12, [drives(BLUE, (0, IN, 26), (2, IN, 9), (5, IN, 9), (6, IN, 5.7), (9, IN, 5.7),
                          (10.5, IN, 2.4))]),
    # The one behind passes the one in front, plates beside each other in between.
    'overtaking': (11, [drives(RED, (0, IN, 16), (7, IN, 6.5), (9, IN, 2.4)),
                        drives(VAN, (.5, OUT, 30), (5.5, OUT, 5), (6.5, OUT, 2.4))]),
    # A vehicle that stands is hidden for a second by one that crosses before it.
    'occlusion': (13, [drives(BLUE, (0, IN, 20), (2, IN, 12), (8, IN, 12), (10, IN, 5.7),
                              (11.5, IN, 2.4)),
                       drives(WHITE, (2.5, OUT, 20), (4, OUT, 7.5), (5, IN, 7.5), (5.8, IN, 7.5),
                              (7, OUT, 5), (8, OUT, 2.4))]),
    # One stands for longer than a passage lasts while two others come and go.
    'parked': (22, [drives(WHITE, (0, OUT, 8.5), (22, OUT, 8.5), front=False),
                    drives(RED, (2, IN, 26), (5, IN, 5.7), (7, IN, 5.7), (8.2, IN, 2.4)),
                    drives(VAN, (12, IN, 26), (15, IN, 5.7), (17, IN, 5.7), (18.2, IN, 2.4))]),
    # Two come behind each other while two leave side by side with them.
    'four': (15, [drives(BLUE, (0, IN, 26), (2.5, IN, 5.7), (4, IN, 5.7), (5.2, IN, 2.4)),
                  drives(VAN, (4, IN, 26), (7.5, IN, 5.7), (9, IN, 5.7), (10.2, IN, 2.4)),
                  drives(RED, (1, OUT, 4), (2, OUT, 6), (3.5, OUT, 7), (6.5, OUT, 30), front=False),
                  drives(WHITE, (7.5, OUT, 4), (8.5, OUT, 6), (10, OUT, 7), (13, OUT, 30),
                         front=False)]),
}


def plain(text):
    return ''.join(c for c in text if c.isalnum()).replace('O', '0')


_drawn = {}


def vehicle(actor):
    key = (actor.text, actor.front)
    if key not in _drawn:
        gray, _ = plates.draw_plate(np.random.default_rng(actor.seed), text=actor.text,
                                    region=actor.region, style='clean', size=(320, 160))
        look = scene.Look(actor.kind, actor.colour, actor.front)
        _drawn[key] = scene.Vehicle(look, gray, False)
    return _drawn[key]


def encoded(job):
    """JPEG bytes of a frame: the far vehicles first, so that the near ones hide them."""
    name, number = job
    cv2.setNumThreads(1)
    image = scene.background(False).copy()
    present = [(actor, actor.position(number / FPS)) for actor in CLIPS[name][1]]
    for actor, (x, z) in sorted((p for p in present if p[1]), key=lambda p: -p[1][1]):
        vehicle(actor).draw(image, x, z, 0)
    rng = np.random.default_rng(number)
    noise = rng.normal(0, 2.5, image.shape[:2])[..., None]
    image = np.clip(cv2.GaussianBlur(image, (3, 3), .6) + noise, 0, 255).astype(np.uint8)
    ok, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, make_clip.QUALITY])
    if not ok:
        raise RuntimeError(f'{name}: frame {number} cannot be encoded')
    return data.tobytes()


def draw(folder, name, pool):
    """Writes a clip, and gives the plates in it."""
    seconds, actors = CLIPS[name]
    jpegs = pool.map(encoded, [(name, n) for n in range(int(seconds * FPS))], chunksize=4)
    make_clip.write_avi(folder / f'{name}.avi', jpegs, FPS)
    told = [plain(actor.text) for actor in actors]
    (folder / f'{name}.json').write_text(json.dumps({'fps': FPS, 'plates': told}) + '\n')
    return told


def main(arguments):
    folder = pathlib.Path(arguments[0])
    with multiprocessing.Pool(min(os.cpu_count() or 1, 4)) as pool:
        for name in arguments[1:] or CLIPS:
            print(f'{name}: {", ".join(draw(folder, name, pool))}')


if __name__ == '__main__':
    main(sys.argv[1:])

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the demo clip: vehicles that approach a gate, stop and leave, by day and by night.

    make_clip.py [--short] CLIP.avi TRUTH.json

Writes Motion JPEG in AVI, 1280x720 at 15 frames a second, and what is to be read in it:
plate, region, direction and the seconds in which the plate is in view. Every run draws
the same clip. --short: the first two vehicles only, about nine seconds.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import struct
import sys

import cv2
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from models import plates                                                    # noqa: E402
from tests.demo import scene                                                 # noqa: E402

FPS = 15
LANE_M = {'in': -1.25, 'out': 1.25}
STOP_Z, FAR_Z, NEAR_Z = 5.7, 34.0, 2.4
QUALITY = 80

# start in seconds, lane, shape, colour (BGR), region, plate as drawn, seed of its design
DAY = [
    (0.0, 'in', 'sedan', (150, 92, 52), 'US-CA', '7KLX284', 5),
    (3.4, 'out', 'suv', (206, 208, 210), 'CA-ON', 'CKHA 382', 8),
    (6.4, 'in', 'pickup', (42, 38, 128), 'US-TX', 'BXC-4821', 7),
    (12.0, 'in', 'van', (222, 224, 226), 'US-NY', 'KDP-9936', 6),
]
NIGHT = [
    (18.6, 'in', 'suv', (92, 94, 96), 'US-WA', 'AWK3317', 11),
    (24.4, 'in', 'sedan', (40, 36, 34), 'US-FL', 'DKS V31', 13),
    (27.6, 'out', 'pickup', (120, 84, 60), 'CA-BC', 'AB4 25K', 9),
    (32.0, 'in', 'sedan', (60, 70, 150), 'US-AZ', 'CPE6258', 17),
]
DUSK_S, FADE_S = 18.0, 1.0
LENGTH_S, SHORT_S = 38.5, 9.2

# Seconds of approach, stop and departure of each lane.
PACE = {'in': (2.9, 1.9, 1.1), 'out': (0.9, 1.5, 2.4)}


def ease(a, b, share):
    """From a to b, slow at the end."""
    return a + (b - a) * (1 - (1 - share) ** 2)


def position(lane, seconds):
    """(z, at the stop) of a vehicle so long after its start, or None when it is away."""
    come, stand, leave = PACE[lane]
    if not 0 <= seconds < come + stand + leave:
        return None
    if lane == 'in':
        if seconds < come:
            return ease(FAR_Z, STOP_Z, seconds / come), False
        if seconds < come + stand:
            return STOP_Z, True
        share = (seconds - come - stand) / leave
        return STOP_Z + (NEAR_Z - STOP_Z) * share ** 1.5, False
    if seconds < come:
        return ease(NEAR_Z, STOP_Z + .6, seconds / come), False
    if seconds < come + stand:
        return STOP_Z + .6, True
    share = (seconds - come - stand) / leave
    return STOP_Z + .6 + (FAR_Z - STOP_Z) * share ** 1.7, False


class Cast:
    """The vehicles, drawn when they are first needed."""

    def __init__(self, script):
        self.script = script
        self.drawn = {}

    def vehicle(self, index):
        if index not in self.drawn:
            _, lane, kind, colour, region, text, seed = self.script[index]
            gray, _ = plates.draw_plate(np.random.default_rng(seed), text=text, region=region,
                                        style='clean', size=(320, 160))
            look = scene.Look(kind, colour, lane == 'in')
            self.drawn[index] = scene.Vehicle(look, gray, self.script[index] in NIGHT)
        return self.drawn[index]

    def present(self, seconds):
        """[(index, x, z, stopped)], farthest first."""
        found = []
        for index, (start, lane, *_) in enumerate(self.script):
            where = position(lane, seconds - start)
            if where:
                found.append((index, LANE_M[lane], *where))
        return sorted(found, key=lambda f: -f[2])


def barrier_opening(script, seconds):
    """0 to 1: the arm rises late in each stop at the entry and falls behind the vehicle."""
    opening = 0.0
    for start, lane, *_ in script:
        if lane == 'in':
            since = seconds - start - PACE['in'][0]
            opening = max(opening, min(np.clip((since - .8) / .9, 0, 1),
                                       np.clip((4.0 - since) / .8, 0, 1)))
    return opening


def draw(cast, number):
    """Frame `number` as uint8 BGR."""
    seconds = number / FPS
    rng = np.random.default_rng(1000 + number)
    dark = float(np.clip((seconds - DUSK_S + FADE_S) / FADE_S, 0, 1))
    image = cv2.addWeighted(scene.background(False), 1 - dark, scene.background(True), dark, 0)
    for index, x, z, stopped in cast.present(seconds):
        shake = 0 if stopped else rng.normal(0, .004)
        yaw = .05 * np.sin(index * 2.1) + (.02 * np.sin(seconds * 2) if not stopped else 0)
        cast.vehicle(index).draw(image, x + shake, z, yaw)
    scene.barrier(image, barrier_opening(cast.script, seconds), dark > .5)
    image = cv2.GaussianBlur(image, (3, 3), .6)
    noise = rng.integers(0, 256, (scene.HEIGHT // 2, scene.WIDTH), np.uint8)
    noise = np.vstack([noise, noise[:, ::-1]])
    depth = 5 + 9 * dark
    gain = ((noise.astype(np.float32) - 127.5) * (depth / 128))[..., None]
    return np.clip(image + gain, 0, 255).astype(np.uint8)


_cast = None


def encoded(job):
    """JPEG bytes of one frame; runs in a worker process."""
    global _cast
    script, number = job
    if _cast is None or _cast.script != script:
        cv2.setNumThreads(1)
        _cast = Cast(script)
    ok, data = cv2.imencode('.jpg', draw(_cast, number), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not ok:
        raise RuntimeError(f'frame {number} cannot be encoded')
    return data.tobytes()


def chunk(name, data):
    return name + struct.pack('<I', len(data)) + data + b'\0' * (len(data) % 2)


def avi_header(frames, biggest, movi_bytes, fps):
    """RIFF header of one Motion JPEG stream (Microsoft, "AVI RIFF File Reference")."""
    w, h = scene.WIDTH, scene.HEIGHT
    main = struct.pack('<14I', 1000000 // fps, biggest * fps, 0, 0x10, frames, 0, 1, biggest, w, h,
                       0, 0, 0, 0)
    stream = struct.pack('<4s4sIHHIIIIIIII4H', b'vids', b'MJPG', 0, 0, 0, 0, 1, fps, 0, frames,
                         biggest, 0xFFFFFFFF, 0, 0, 0, w, h)
    bitmap = struct.pack('<IiiHH4sIiiII', 40, w, h, 1, 24, b'MJPG', w * h * 3, 0, 0, 0, 0)
    strl = b'strl' + chunk(b'strh', stream) + chunk(b'strf', bitmap)
    hdrl = chunk(b'LIST', b'hdrl' + chunk(b'avih', main) + chunk(b'LIST', strl))
    index_bytes = 8 + 16 * frames
    riff = struct.pack('<4sI4s', b'RIFF', 4 + len(hdrl) + 8 + movi_bytes + index_bytes, b'AVI ')
    return riff + hdrl + struct.pack('<4sI4s', b'LIST', movi_bytes, b'movi')


def write_avi(path, jpegs, fps=FPS):
    """Writes the frames and their index. The clips here stay far below AVI's 1 GB."""
    chunks = [chunk(b'00dc', j) for j in jpegs]
    index, offset = [], 4
    for jpeg, packed in zip(jpegs, chunks):
        index.append(struct.pack('<4sIII', b'00dc', 0x10, offset, len(jpeg)))
        offset += len(packed)
    with open(path, 'wb') as out:
        out.write(avi_header(len(jpegs), max(map(len, jpegs)), offset, fps))
        out.writelines(chunks)
        out.write(chunk(b'idx1', b''.join(index)))


def truth(script, length_s):
    """What is to be read, with the seconds in which each plate is wholly in view."""
    cast, vehicles = Cast(script), []
    for index, (start, lane, kind, _, region, text, _) in enumerate(script):
        look = scene.Look(kind, (0, 0, 0), lane == 'in')
        seen, widest = [], 0
        for number in range(int(length_s * FPS)):
            for found, x, z, _ in cast.present(number / FPS):
                box = scene.plate_box(look, x, z)
                if found == index and box and box[2] >= 30:
                    seen.append(number / FPS)
                    widest = max(widest, box[2])
        vehicles.append({
            'plate': ''.join(c for c in text if c.isalnum()).replace('O', '0'), 'region': region,
            'direction': 'approaching' if lane == 'in' else 'leaving',
            'light': 'night' if start >= DUSK_S else 'day',
            'from_s': round(seen[0], 2), 'to_s': round(seen[-1], 2), 'widest_px': widest})
    return {'fps': FPS, 'width': scene.WIDTH, 'height': scene.HEIGHT, 'seconds': length_s,
            'vehicles': vehicles}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('clip')
    parser.add_argument('truth')
    parser.add_argument('--short', action='store_true')
    parser.add_argument('--jobs', type=int, default=min(os.cpu_count() or 1, 4))
    args = parser.parse_args(arguments)
    script, length_s = (DAY[:2], SHORT_S) if args.short else (DAY + NIGHT, LENGTH_S)
    jobs = [(script, n) for n in range(int(length_s * FPS))]
    with multiprocessing.Pool(args.jobs) as pool:
        jpegs = pool.map(encoded, jobs, chunksize=max(1, len(jobs) // (4 * args.jobs)))
    told = truth(script, length_s)
    write_avi(args.clip, jpegs)
    pathlib.Path(args.truth).write_text(json.dumps(told, indent=1) + '\n')
    print(f'{len(jpegs)} frames, {len(told["vehicles"])} vehicles, '
          f'{os.path.getsize(args.clip) / 1e6:.0f} MB')
    return 0


if __name__ == '__main__':
    sys.exit(main())

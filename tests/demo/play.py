#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plays the demo clip through the daemon into a broker of its own and shows the passages.

    tests/demo/play.py [--real] [--short]

Ends with status 0 when every vehicle of the clip was read right and nothing else was told.
--real: over the photographs and clips of $PLATED_DATA instead. Pictures go to demo/.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.demo import broker, judge                                         # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / 'build' / 'demo'
MODELS = pathlib.Path(os.environ.get('PLATED_MODELS') or ROOT / 'models')
PICTURES = ROOT / 'demo'
PLATED = ROOT / 'build' / 'daemon' / 'plated'
FONT = '/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf'


def clip(short):
    """(clip, truth) as drawn from the sources of now; drawn again only when these changed."""
    name = 'short' if short else 'gate'
    made, truth = WORK / f'{name}.avi', WORK / f'{name}.json'
    sources = [ROOT / 'tests/demo' / f for f in ('make_clip.py', 'scene.py')] \
        + [ROOT / 'models/plates.py']
    newest = max(s.stat().st_mtime for s in sources)
    if not (made.exists() and truth.exists() and truth.stat().st_mtime > newest):
        print('drawing the clip ... ', end='', flush=True)
        subprocess.run([sys.executable, ROOT / 'tests/demo/make_clip.py', made, truth,
                        *(['--short'] if short else [])], check=True)
    return made, json.loads(truth.read_text())


class Service:
    """The daemon with one source as its camera. Ends by itself once the source is over."""

    def __init__(self, name, source, port, realtime):
        self.folder = WORK / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.config = self.folder / 'plated.conf'
        self.config.write_text(f'''[camera]
name = {name}
source = {source}
realtime = {'yes' if realtime else 'no'}
exit_at_end = yes

[models]
directory = {MODELS}

[mqtt]
host = 127.0.0.1
port = {port}

[outbox]
file = {self.folder / 'outbox.db'}

[snapshot]
directory = {self.folder / 'snapshots'}
''')
        (self.folder / 'snapshots').mkdir()
        self.log = self.folder / 'plated.log'
        with open(self.log, 'wb') as out:
            self.process = subprocess.Popen([PLATED, '--config', self.config], stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)

    def why(self):
        lines = self.log.read_text(errors='replace').strip().splitlines()
        return lines[-1] if lines else 'it said nothing'


def show(passage, clock_s):
    """One line for a passage as it arrives."""
    region = passage.get('region') or {}
    print(f'{clock_s:6.1f} s  {passage["type"]:11}  {passage["plate"]:9} '
          f'{region.get("code", "-"):6} {passage["confidence"]:.2f}  {passage["direction"]:11} '
          f'{passage["reads"]:3} reads  {"corrected " if passage["corrected"] else ""}'
          f'after {passage["latency_ms"] / 1000:.2f} s', flush=True)


def follow(service, listener, limit_s):
    """The passages of one run of the daemon, and what it ended with."""
    started, passages = time.monotonic(), []
    ended = None
    while True:
        message = listener.take(0.2)
        if message and message[0].endswith('/passage') and message[1]:
            passages.append(json.loads(message[1]))
            show(passages[-1], time.monotonic() - started)
        if message:
            continue
        if ended is not None:
            return passages, ended
        ended = service.process.poll()
        if ended is None and time.monotonic() - started > limit_s:
            print(f'the daemon was not done after {limit_s:.0f} s', flush=True)
            broker.end(service.process)
            ended = 124


def annotate(passage, target):
    """The best frame with box, plate and state drawn in. False without a frame."""
    if not passage.get('snapshot') or not pathlib.Path(passage['snapshot']).exists():
        return False
    image = cv2.imdecode(np.fromfile(passage['snapshot'], np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return False
    x, y, w, h = passage['box']
    region = passage.get('region') or {}
    text = passage['plate'] + (f'  {region["name"]}' if region else '')
    picture = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    pen = ImageDraw.Draw(picture)
    size = max(14, picture.width // 40)
    font = ImageFont.truetype(FONT, size) if os.path.exists(FONT) else ImageFont.load_default()
    pen.rectangle((x - 3, y - 3, x + w + 3, y + h + 3), outline=(0, 230, 90), width=3)
    width = pen.textlength(text, font) + 12
    left, top = max(0, min(x, picture.width - width)), y - 1.5 * size - 6
    top = top if top > 0 else y + h + 6
    pen.rectangle((left, top, left + width, top + 1.4 * size), fill=(0, 0, 0))
    pen.text((left + 6, top + .1 * size), text, fill=(0, 230, 90), font=font)
    picture.save(target, quality=90)
    return True


def pictures(passages, prefix):
    """{id: picture} for all final passages."""
    made = {}
    for number, passage in enumerate((p for p in passages if p['type'] == 'final'), 1):
        target = PICTURES / f'{prefix}-{number:02}-{passage["plate"]}.jpg'
        if annotate(passage, target):
            made[passage['id']] = target.relative_to(ROOT)
    return made


def play(port, name, source, realtime, limit_s):
    """(passages, None or what went wrong)"""
    listener = broker.Listener(port, f'plated/{name}/#')
    time.sleep(0.3)                                     # let the subscription stand
    service = Service(name, source, port, realtime)
    try:
        passages, status = follow(service, listener, limit_s)
    finally:
        broker.end(service.process)
        listener.close()
    return passages, None if status == 0 else f'plated ended with {status}: {service.why()}'


def drawn_demo(port, short):
    path, truth = clip(short)
    print(f'\nthe clip: {truth["seconds"]:.0f} s, {len(truth["vehicles"])} vehicles', flush=True)
    passages, wrong = play(port, 'demo', f'file:{path}', True, truth['seconds'] + 110)
    made = pictures(passages, 'gate')
    print()
    report = judge.vehicles(truth['vehicles'], passages)
    for line, passage in report.lines:
        print(line + (f'  {made[passage["id"]]}' if passage and passage['id'] in made else ''))
    if wrong:
        print(wrong)
    print(f'{report.right} of {report.asked} vehicles read right', flush=True)
    return 0 if report.good and not wrong else 1


def real_demo(port):
    data = pathlib.Path(os.environ.get('PLATED_DATA') or ROOT.parent / 'shared' / 'data')
    if not data.is_dir():
        print('PLATED_DATA names no folder with real photographs')
        return 1
    status = 0
    for path in sorted((data / 'video').glob('*.*')):
        print(f'\n{path.name}', flush=True)
        passages, wrong = play(port, path.stem.replace('_', '-'), f'file:{path}', True, 180)
        finals = [p['plate'] for p in passages if p['type'] == 'final']
        print(f'{len(finals)} passages: {" ".join(finals)}{wrong or ""}', flush=True)
        pictures(passages, path.stem)
        status |= bool(wrong)
    for name in ('us_scenes', 'eu_scenes'):
        folder = data / 'eval' / name
        if (folder / 'images').is_dir():
            print(f'\nphotographs of {name}', flush=True)
            passages, wrong = play(port, name.replace('_', '-'), f'images:{folder}/images/*.jpg',
                                   False, 300)
            told = judge.photographs(folder / 'labels.csv', passages)
            print(f'{told}{wrong or ""}', flush=True)
            pictures(passages, name)
            status |= bool(wrong)
    return status


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--real', action='store_true')
    parser.add_argument('--short', action='store_true', help='two vehicles, nine seconds')
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    WORK.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir()
    mosquitto = broker.Broker(WORK)
    try:
        print(f'a broker listens on 127.0.0.1:{mosquitto.port}; in a second terminal:\n'
              f"  mosquitto_sub -h 127.0.0.1 -p {mosquitto.port} -t 'plated/#' -v", flush=True)
        return real_demo(mosquitto.port) if args.real else drawn_demo(mosquitto.port, args.short)
    finally:
        mosquitto.close()


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f'demo: {error}')

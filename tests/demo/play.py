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

from PIL import Image, ImageDraw, ImageFont, ImageOps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.demo import broker, judge                                         # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / 'build' / 'demo'
MODELS = pathlib.Path(os.environ.get('PLATED_MODELS') or ROOT / 'models')
PICTURES = ROOT / 'demo'
PLATED = ROOT / 'build' / 'daemon' / 'plated'
PLATECTL = PLATED.with_name('platectl')
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

# The classifier learnt from photographs and is never sure of a drawn plate: its best guess is shown.
[passage]
region = 0.01

[outbox]
file = {self.folder / 'outbox.db'}

[store]
file = {self.folder / 'events.db'}

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


def label(pen, size, font, plate):
    """Draws box, plate and state of one plate."""
    x, y, w, h = plate['box']
    region = plate.get('region') or {}
    text = plate['plate'] + (f'  {region["name"]}' if region else '')
    pen.rectangle((x - 3, y - 3, x + w + 3, y + h + 3), outline=(0, 230, 90), width=3)
    text_width = pen.textlength(text, font) + 12
    left, top = max(0, min(x, size[0] - text_width)), y - 1.5 * font.size - 6
    top = top if top > 0 else y + h + 6
    pen.rectangle((left, top, left + text_width, top + 1.4 * font.size), fill=(0, 0, 0))
    pen.text((left + 6, top + .1 * font.size), text, fill=(0, 230, 90), font=font)


def annotate(source, plates, target):
    """A copy of a picture with its plates drawn in. False when it cannot be read."""
    try:
        picture = ImageOps.exif_transpose(Image.open(source)).convert('RGB')
    except OSError:
        return False
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, max(14, picture.width // 40))
    for plate in plates:
        label(pen, picture.size, font, plate)
    picture.save(target, quality=90)
    return True


def pictures(passages, prefix):
    """{id: picture} for all final passages."""
    made = {}
    for number, passage in enumerate((p for p in passages if p['type'] == 'final'), 1):
        target = PICTURES / f'{prefix}-{number:02}-{passage["plate"]}.jpg'
        if passage.get('snapshot') and annotate(passage['snapshot'], [passage], target):
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
        if (data / 'eval' / name / 'images').is_dir():
            status |= photographs(data / 'eval' / name)
    return status


def photographs(folder):
    """Still pictures show a vehicle each, so platectl reads them one by one."""
    print(f'\nphotographs of {folder.name}', flush=True)
    files = sorted((folder / 'images').iterdir())
    done = subprocess.run([PLATECTL, 'read', '--json', '--models', MODELS, *files],
                          stdout=subprocess.PIPE, text=True)
    labels, right, asked = judge.labels(folder / 'labels.csv'), 0, 0
    for answer in map(json.loads, done.stdout.splitlines()):
        file = pathlib.Path(answer['file'])
        texts = [p['plate'] for p in answer['plates'] if p['plate']]
        wanted = labels.get(file.name, [])
        hits = sum(judge.plain(w) in map(judge.plain, texts) for w in wanted)
        right, asked = right + hits, asked + len(wanted)
        print(f'{"right" if wanted and hits == len(wanted) else "-":6} {file.name[:40]:40} '
              f'{" ".join(texts) or "nothing"}  ({" ".join(wanted) or "no label"})', flush=True)
        annotate(file, answer['plates'], PICTURES / f'{folder.name}-{file.stem}.jpg')
    print(f'{right} of {asked} labelled plates read letter for letter')
    return int(done.returncode != 0)


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

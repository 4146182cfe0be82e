#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the motion gate saves, and that it misses nothing.

    tests/bench/motion.py [--seconds N]

Plays an empty yard and a car that stands in it, both with the noise of a sensor, through the daemon
at their own pace, with the gate and without, and prints the processor time of a second. Then plays
the whole demo clip both ways and compares the passages.
"""
import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.bench import released                                             # noqa: E402
from tests.demo import judge, make_clip                                      # noqa: E402
from tests.integration import daemon                                         # noqa: E402

CLIP_S, SETTLE_S = 6, 4
# The first car of the demo clip stands before the barrier then, which does not move yet.
STANDS_S, STANDS_FRAMES = 3.0, 10


def draw(folder, name, script, numbers):
    """A clip of these frames of a script."""
    jpegs = [make_clip.encoded((script, n)) for n in numbers]
    make_clip.write_avi(folder / name, jpegs)
    return folder / name


def processor_s(pid):
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf('SC_CLK_TCK')


def start(folder, name, source, gate, **camera):
    return daemon.Daemon(folder, 1, name=name, outbox={'file': ''}, motion={'gate': gate},
                         passage={'quiet': '2s', 'rearm': '45s', 'provisional_reads': 2,
                                  'provisional': 0.8},
                         engine={'threads': 1}, camera={'source': f'file:{source}', **camera})


def load(folder, name, source, gate, seconds):
    """(processor time of a second, frames looked at in a second) once all has settled."""
    service = start(folder, f'{name}-{gate}', source, gate, loop='yes', realtime='yes')
    with contextlib.closing(service):
        service.wait_said('plated: ready')
        time.sleep(SETTLE_S)
        before, begun = (processor_s(service.process.pid), frames(service)), time.monotonic()
        time.sleep(seconds)
        after, took = (processor_s(service.process.pid), frames(service)), time.monotonic() - begun
        service.end()
    return [(b - a) / took for a, b in zip(before, after)]


def frames(service):
    told = subprocess.run([daemon.PLATECTL, 'status', '--json', '--config', service.path],
                          capture_output=True, text=True).stdout
    return json.loads(told)['state']['frames']


def passages(folder, source, gate):
    service = start(folder, f'demo-{gate}', source, gate, exit_at_end='yes')
    with contextlib.closing(service):
        begun = time.monotonic()
        service.process.wait(10 * daemon.PATIENCE_S)
        took = time.monotonic() - begun
    return service.decided(), took


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--seconds', type=float, default=15, help='of each measurement')
    args = parser.parse_args()
    if daemon.lacking():
        sys.exit(f'motion: {daemon.lacking()}')
    released.head(1)
    with tempfile.TemporaryDirectory(prefix='plated-motion-') as name:
        folder = pathlib.Path(name)
        length = range(CLIP_S * make_clip.FPS)
        first = [make_clip.DAY[0]]
        still = int(STANDS_S * make_clip.FPS)
        clips = {'an empty yard': draw(folder, 'empty.avi', [], length),
                 'a car that stands': draw(folder, 'standing.avi', first,
                                           [still + n % STANDS_FRAMES for n in length])}
        print(f'{"":18} {"without":>22} {"with the gate":>22}')
        for what, clip in clips.items():
            told = [load(folder, clip.stem, clip, gate, args.seconds) for gate in ('no', 'yes')]
            print(f'{what:18}' + ''.join(f'{1000 * cpu:10.0f} ms {looks:4.1f} fps' for cpu, looks
                                         in told) + f'   {told[1][0] / told[0][0]:.2f} of it')
        clip, truth = folder / 'gate.avi', folder / 'gate.json'
        subprocess.run([sys.executable, ROOT / 'tests/demo/make_clip.py', clip, truth], check=True,
                       stdout=subprocess.DEVNULL)
        vehicles = json.loads(truth.read_text())['vehicles']
        good = True
        for gate, what in (('no', 'without'), ('yes', 'with the gate')):
            told, took = passages(folder, clip, gate)
            report = judge.vehicles(vehicles, told)
            good = good and report.good
            print(f'{what}: {report.right} of {report.asked} vehicles of the demo clip right, '
                  f'{len(judge.finals_of(told))} passages, {took:.1f} s')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hours with a real broker and a camera that come and go: nothing grows, nothing is lost.

    tests/soak/soak.py [--hours N] [--fps N] [--seed N] [--keep DIR] [--write PAGE]

A camera plays the first vehicles of the demo clip again and again. At random moments it vanishes,
freezes, repeats itself or sends broken pictures, the broker stops, the configuration is read again.
The script stands in for systemd and notes when the watchdog was fed; it asks for metrics and status
all the time. What is judged, and how, stands in `judge`; the last line says whether all of it held.
SIGINT ends it early, with a judgement of what was seen. --write puts the figures into a page.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.bench import released                                             # noqa: E402
from tests.demo import broker                                                # noqa: E402
from tests.integration import cameras, daemon                                # noqa: E402

CLIP_HZ = 15
SAMPLE_S = 10
# A sample counts when everything has been well for so long: what is opened again is open.
CALM_S = 20
WARM_SHARE = 0.1
# Longer between two looks at the clock means that all of this was stopped, as by a lid.
PAUSE_S = 3
RSS_KIB = 1024
# What a camera may do, by its name in tests/integration/cameras.py.
WRONGS = {'camera freezes': 'frozen', 'camera repeats a picture': 'stuck', 'broken pictures': 'broken'}
RSS_SHARE = 0.02


class Pulse:
    """Hears sd_notify(3) and notes when this process itself did not run."""

    def __init__(self, folder):
        self.systemd = daemon.Systemd(folder)
        self.fed, self.pauses, self.ready, self.ended = [], [], False, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        last = time.monotonic()
        while not self.ended:
            lines = []
            try:
                lines = self.systemd.socket.recv(4096).decode().splitlines()
            except TimeoutError:
                pass
            now = time.monotonic()
            if now - last > PAUSE_S:
                self.pauses.append((last, now))
            last = now
            self.ready = self.ready or 'READY=1' in lines
            if 'WATCHDOG=1' in lines:
                self.fed.append(now)

    def paused_s(self, since, until):
        return sum(max(0, min(until, b) - max(since, a)) for a, b in self.pauses)

    def longest_s(self, end):
        """The longest time without food, pauses of the machine aside."""
        times = [*self.fed, end]
        return max(b - a - self.paused_s(a, b) for a, b in zip(times, times[1:]))

    def close(self):
        self.ended = True
        self.thread.join()
        self.systemd.close()


class Soak:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.random = random.Random(args.seed)
        self.samples, self.counts, self.closing = [], {}, []
        self.asked, self.answered, self.stopped = 0, 0, False
        signal.signal(signal.SIGINT, self.on_signal)
        self.disturbed = time.monotonic()

    def owned(self, thing, close='close'):
        self.closing.append(getattr(thing, close))
        return thing

    def on_signal(self, number, frame):
        self.stopped = True

    # ---- what takes part ---------------------------------------------------

    def clip(self):
        """Every so many frames of the short clip, and the plates that pass in it."""
        clip, truth = self.folder / 'short.avi', self.folder / 'short.json'
        subprocess.run([sys.executable, ROOT / 'tests/demo/make_clip.py', '--short', clip, truth],
                       check=True, stdout=subprocess.DEVNULL)
        self.plates = [v['plate'] for v in json.loads(truth.read_text())['vehicles']]
        return cameras.jpegs_of(clip)[::max(1, round(CLIP_HZ / self.args.fps))]

    def start(self):
        self.camera = self.owned(cameras.Camera(self.clip(), self.args.fps))
        self.broker = self.owned(daemon.Mosquitto(self.folder), 'stop').start()
        self.subscriber = self.owned(daemon.Subscriber(self.broker.port, self.folder,
                                                       pattern='plated/gate/passage'))
        self.pulse = self.owned(Pulse(self.folder))
        period_s = int(re.search(r'^WatchdogSec=(\d+)$', (
            ROOT / 'systemd/plated.service.in').read_text(), re.M)[1])
        self.watchdog_s = period_s
        self.metrics_port = broker.free_port()
        self.daemon = self.owned(daemon.Daemon(
            self.folder, self.broker.port, engine={'threads': 1},
            metrics={'port': self.metrics_port},
            camera={'source': self.camera.source(), 'silence': '5s', 'frozen': '8s'},
            env=self.pulse.systemd.env | {'WATCHDOG_USEC': str(period_s * 1000000)}))
        daemon.wait_for(lambda: self.pulse.ready, 'readiness')
        self.started = self.disturbed = time.monotonic()

    def close(self):
        for close in reversed(self.closing):
            close()

    # ---- what happens to it --------------------------------------------------

    def disturb(self, kind):
        """Begins a disturbance; returns what ends it."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == 'broker stops':
            self.broker.stop()
            return self.broker.start
        if kind == 'reload':
            self.daemon.process.send_signal(signal.SIGHUP)
            return lambda: None
        if kind == 'camera vanishes':
            self.camera.vanish()
        else:
            setattr(self.camera, WRONGS[kind], True)
        return self.camera.come_back

    def choose(self):
        """One or two disturbances at once, and for how long."""
        kind = self.random.choice(('camera vanishes', 'reload', *WRONGS))
        kinds = self.random.choice(([kind], ['broker stops'], [kind, 'broker stops']))
        return kinds, self.random.uniform(3, 25)

    def ask(self, family, address, request, expected):
        """One request to the daemon; whether the answer begins as it should."""
        self.asked += 1
        with socket.socket(family) as asking:
            asking.settimeout(daemon.PATIENCE_S)
            try:
                asking.connect(address)
                asking.sendall(request)
                self.answered += asking.recv(1 << 16).startswith(expected)
            except OSError:
                pass

    def sample(self):
        self.ask(socket.AF_UNIX, str(self.daemon.sections['control']['socket']), b'status\n',
                 b'{"ok":true,')
        self.ask(socket.AF_INET, ('127.0.0.1', self.metrics_port),
                 b'GET /metrics HTTP/1.1\r\n\r\n', b'HTTP/1.1 200 ')
        process = pathlib.Path(f'/proc/{self.daemon.process.pid}')
        status = (process / 'status').read_text()
        now = time.monotonic()
        return {'s': now - self.started, 'calm': now - self.disturbed > CALM_S,
                'rss': int(re.search(r'^VmRSS:\s*(\d+)', status, re.M)[1]),
                'threads': int(re.search(r'^Threads:\s*(\d+)', status, re.M)[1]),
                'descriptors': len(os.listdir(process / 'fd'))}

    def over(self):
        return self.stopped or self.daemon.process.poll() is not None

    def watch(self, seconds):
        """Lets time pass and takes samples."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.over():
            time.sleep(min(1, max(0, until - time.monotonic())))
            if not self.samples or (time.monotonic() - self.started
                                    - self.samples[-1]['s'] >= SAMPLE_S):
                self.samples.append(self.sample())

    def run(self):
        until = self.started + self.args.hours * 3600
        while time.monotonic() < until and not self.over():
            self.watch(self.random.uniform(30, 90))
            kinds, seconds = self.choose()
            ends = [self.disturb(kind) for kind in kinds]
            self.watch(seconds)
            self.disturbed = time.monotonic()
            for end in ends:
                end()
        self.lasted_s = time.monotonic() - self.started

    def finish(self):
        """The end in good order, and until all that was decided has arrived."""
        self.stopped = False
        self.watch(CALM_S + SAMPLE_S)
        self.fed_until = time.monotonic()
        usage = os.sysconf('SC_CLK_TCK')
        stat = pathlib.Path(f'/proc/{self.daemon.process.pid}/stat').read_text().rsplit(')', 1)[1]
        self.cpu_s = sum(map(int, stat.split()[11:13])) / usage
        self.status = self.daemon.end()
        self.decided = daemon.keys(self.daemon.decided())
        try:
            daemon.wait_for(lambda: set(self.decided) <= set(
                daemon.keys(self.subscriber.passages())), 'all passages')
        except AssertionError:
            pass                                    # judged below
        self.passages = self.subscriber.passages()

    # ---- what is made of it --------------------------------------------------

    def quarters(self, what):
        """Medians of the second and of the last quarter of the calm samples, warming up aside."""
        calm = [s for s in self.samples if s['calm'] and s['s'] > WARM_SHARE * self.lasted_s]
        if len(calm) < 8:
            return 0, float('inf')
        n = len(calm) // 4
        return (statistics.median(s[what] for s in calm[n:2 * n]),
                statistics.median(s[what] for s in calm[-n:]))

    def judge(self):
        """[(what, figures, whether it holds)]"""
        received = daemon.keys(self.passages)
        finals = [p for p in self.passages if p['type'] == 'final']
        ids = {p['id'] for p in self.passages}
        rss, descriptors, threads = map(self.quarters, ('rss', 'descriptors', 'threads'))
        longest_s = self.pulse.longest_s(self.fed_until)
        shown = self.camera.clean_rounds * len(self.plates)
        right = sum(p['plate'] in self.plates for p in finals)
        return [
            ('service', f'ended with {self.status} when it was told to', self.status == 0),
            ('memory (RSS)', f'{rss[0]:.0f} KiB in the second quarter, {rss[1]:.0f} KiB in the last',
             rss[1] <= rss[0] + max(RSS_KIB, RSS_SHARE * rss[0])),
            ('descriptors', f'{descriptors[0]:.0f}, {descriptors[1]:.0f}',
             descriptors[1] <= descriptors[0]),
            ('threads', f'{threads[0]:.0f}, {threads[1]:.0f}', threads[1] <= threads[0]),
            ('watchdog', f'fed {len(self.pulse.fed)} times, at most {longest_s:.1f} s apart of '
                         f'{self.watchdog_s} s allowed', longest_s < self.watchdog_s),
            ('questions', f'{self.answered} of {self.asked} answered (status, metrics)',
             self.answered == self.asked),
            ('delivery', f'{len(self.decided)} messages decided, {len(set(received))} arrived, '
                         f'{len(received) - len(set(received))} of them again',
             set(received) == set(self.decided) and len(self.decided) > 0),
            ('order', 'as decided', daemon.unique(received) == self.decided),
            ('finals', f'{len({p["id"] for p in finals})} of {len(ids)} passages',
             {p['id'] for p in finals} == ids),
            ('vehicles', f'{shown} shown whole, {len(finals)} told of, {right} of them read exactly',
             len(finals) >= shown),
        ]

    def figures(self, verdicts):
        pauses_s = sum(b - a for a, b in self.pulse.pauses)
        paused = (f', of which the machine stood still for {pauses_s:.0f} s'
                  if self.pulse.pauses else '')
        yield f'Lasted {self.lasted_s / 3600:.2f} h{paused}; seed {self.args.seed}.'
        yield f'Camera: {self.camera.sent} frames at {self.args.fps:g} a second, ' \
              f'{self.camera.connections} connections, {self.camera.rounds} rounds of the clip.'
        yield 'Disturbances: ' + ', '.join(f'{n} × {kind}' for kind, n
                                           in sorted(self.counts.items())) + '.'
        yield f'Processor time of the service: {self.cpu_s:.0f} s, ' \
              f'{100 * self.cpu_s / self.lasted_s:.1f} % of one processor.'
        yield ''
        yield '| what | figures | holds |'
        yield '| --- | --- | --- |'
        for what, told, good in verdicts:
            yield f'| {what} | {told} | {"yes" if good else "**no**"} |'


def page(lines):
    return '\n'.join([
        '# Hours on end', '',
        'This page is written by `./run soak`: the real daemon between a broker and a camera that '
        'come and go.', 'Memory, descriptors and threads are flat when the median of the last '
        'quarter of the time is not above',
        f'that of the second (memory: by more than {RSS_KIB} KiB or {100 * RSS_SHARE:g} %); '
        f'samples are taken every {SAMPLE_S} seconds,', f'the first {100 * WARM_SHARE:g} % and '
        f'{CALM_S} seconds after every disturbance aside.', '',
        f'Measured on {released.device()}, {os.cpu_count()} processors, at commit `{released.commit()}`.', '',
        *lines, ''])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--hours', type=float, default=2)
    parser.add_argument('--fps', type=float, default=3)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    parser.add_argument('--keep', type=pathlib.Path, help='a folder for all that is written')
    parser.add_argument('--write', type=pathlib.Path, help='the page for the figures')
    args = parser.parse_args()
    if args.hours <= 0 or not 0 < args.fps <= CLIP_HZ:
        parser.error(f'--hours above 0 and --fps up to {CLIP_HZ}')
    why = daemon.lacking()
    if why:
        print(f'soak: {why}', file=sys.stderr)
        return 77
    folder = args.keep or pathlib.Path(tempfile.mkdtemp(prefix='plated-soak-'))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    print(f'soak: {args.hours:g} h, seed {args.seed}, in {folder}', flush=True)
    soak = Soak(args, folder)
    try:
        soak.start()
        soak.run()
        soak.finish()
        verdicts = soak.judge()
        (folder / 'samples.json').write_text(json.dumps(soak.samples))
    finally:
        soak.close()
    lines = list(soak.figures(verdicts))
    print('\n'.join(lines))
    if args.write:
        args.write.write_text(page(lines))
    bad = [what for what, _, good in verdicts if not good]
    if not bad and not args.keep:
        shutil.rmtree(folder)
    print('soak: ' + (f'{", ".join(bad)} did not hold; see {folder}' if bad else 'all of it held'))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""What the tests of the daemon share: pictures to read, brokers that remember, running daemons."""
import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.demo import broker                                                # noqa: E402
from tests.integration import schema                                         # noqa: E402

BUILD = pathlib.Path(os.environ.get('PLATED_BUILD') or ROOT / 'build')
PLATED = BUILD / 'daemon' / 'plated'
PLATECTL = BUILD / 'daemon' / 'platectl'
MODELS = ROOT / 'models'
PATIENCE_S = int(os.environ.get('PLATED_PATIENCE_S') or 180)
# When in the short clip both plates stand in view, each in its half of the picture.
BOTH_S, HALF_PX = 4.6, 640


def lacking():
    """Why these tests cannot run here, or None."""
    for program in ('mosquitto', 'mosquitto_sub', 'stdbuf'):
        try:
            broker.program(program)
        except FileNotFoundError as error:
            return str(error)
    if not PLATED.exists():
        return f'{PLATED} is not built'
    for model in ('detector.onnx', 'reader.onnx'):
        if not (MODELS / model).exists():
            return f'models/{model} is not there'
    try:
        import cv2, numpy                                                    # noqa: E401, F401
    except ImportError as error:
        return str(error)
    return None


@functools.lru_cache
def drawn():
    """The plates, and JPEGs by name: left and right with one each, none without."""
    import cv2
    import numpy as np
    with tempfile.TemporaryDirectory(prefix='plated-clip-') as folder:
        clip, truth = pathlib.Path(folder, 'short.avi'), pathlib.Path(folder, 'short.json')
        subprocess.run([sys.executable, ROOT / 'tests/demo/make_clip.py', '--short', clip, truth],
                       check=True, stdout=subprocess.DEVNULL)
        video = cv2.VideoCapture(str(clip))
        video.set(cv2.CAP_PROP_POS_MSEC, BOTH_S * 1000)
        good, frame = video.read()
        plates = [v['plate'] for v in json.loads(truth.read_text())['vehicles']]
    if not good:
        raise RuntimeError('the short clip cannot be read')
    pictures = {'left': frame[:, :HALF_PX], 'right': frame[:, HALF_PX:],
                'none': np.full((720, HALF_PX), 90, np.uint8)}
    return plates, {n: cv2.imencode('.jpg', p)[1].tobytes() for n, p in pictures.items()}


def sequence(folder, pictures, name, fps=1):
    """A clip of these pictures in this order as a source."""
    import cv2
    frames = {picture: cv2.imread(str(folder / f'{picture}.jpg')) for picture in set(pictures)}
    height, width = frames[pictures[0]].shape[:2]
    clip = folder / f'{name}.avi'
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*'MJPG'), fps, (width, height))
    for picture in pictures:
        writer.write(frames[picture])
    writer.release()
    return f'file:{clip}'


class Mosquitto:
    """Remembers sessions over an orderly restart; can be stopped, started, killed."""

    def __init__(self, folder, extra='allow_anonymous true\n'):
        self.folder, self.port, self.process = folder, broker.free_port(), None
        self.config = folder / 'mosquitto.conf'
        self.config.write_text(
            f'listener {self.port} 127.0.0.1\n{extra}persistence true\n'
            f'persistence_location {folder}/\nmax_queued_messages 0\nlog_dest file '
            f'{folder}/mosquitto.log\n' + ('user root\n' if os.getuid() == 0 else ''))

    def start(self):
        self.process = subprocess.Popen([broker.program('mosquitto'), '-c', self.config],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise RuntimeError('mosquitto did not start')

    def stop(self):
        if self.process:
            broker.end(self.process)


class Subscriber:
    """mosquitto_sub with a session that the broker keeps while it is away."""

    def __init__(self, port, folder, pattern='plated/#', name='test', more=()):
        self.out = folder / f'{name}.received'
        self.errors = folder / f'{name}.errors'
        with open(self.out, 'ab') as out, open(self.errors, 'ab') as errors:
            self.process = subprocess.Popen(
                ['stdbuf', '-oL', broker.program('mosquitto_sub'), '-h', '127.0.0.1', '-p', str(port), '-q', '1',
                 '-c', '-i', name, '-t', pattern, '-F', '%r %t %x', '-d', *more],
                stdout=out, stderr=errors)
        try:
            wait_for(lambda: 'SUBACK' in self.out.read_text(errors='replace'), 'a subscription')
        except AssertionError:
            self.close()
            raise

    def messages(self):
        """[(retained, topic, bytes)] so far, whole lines only."""
        lines = re.findall(r'^([01]) (plated\S*|other\S*) ([0-9a-f]*)\n',
                           self.out.read_text(errors='replace'), re.M)
        return [(r == '1', topic, bytes.fromhex(payload)) for r, topic, payload in lines]

    def passages(self, topic='plated/gate/passage'):
        return [json.loads(p) for _, t, p in self.messages() if t == topic]

    def texts(self, topic):
        return [p.decode() for _, t, p in self.messages() if t == topic]

    def close(self):
        broker.end(self.process)


def wait_for(condition, what, seconds=PATIENCE_S):
    """Its first true value; fails after so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f'{what} did not come about within {seconds} s')


class Daemon:
    """plated with a configuration of its own; what it wrote can be read."""

    def __init__(self, folder, port, name='plated', env=None, start=True, **sections):
        self.folder, self.path = folder, folder / f'{name}.conf'
        self.log = folder / f'{name}.log'
        self.sections = {
            'camera': {'name': 'gate'},
            'models': {'directory': MODELS} | ({} if (MODELS / 'region.onnx').exists()
                                               else {'region': ''}),
            'passage': {'quiet': '1500ms', 'rearm': '1s', 'provisional_reads': 1,
                        'provisional': 0.5},
            'mqtt': {'host': '127.0.0.1', 'port': port, 'state_interval': '1s'},
            'outbox': {'file': folder / 'outbox.db'},
            'control': {'socket': folder / f'{name}.sock'},
            'store': {'file': folder / 'events.db'},
            'log': {'level': 'debug'},
        }
        self.env = {**os.environ, **(env or {})}
        self.configure(**sections)
        self.process = None
        if start:
            self.start()

    def configure(self, **sections):
        for section, values in sections.items():
            self.sections.setdefault(section, {}).update(values)
        self.path.write_text(''.join(
            f'[{section}]\n' + ''.join(f'{k} = {v}\n' for k, v in values.items())
            for section, values in self.sections.items()))

    def start(self):
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen([PLATED, '--config', self.path], stdout=log, stderr=log,
                                            env=self.env)
        return self

    def said(self):
        return self.log.read_text(errors='replace') if self.log.exists() else ''

    def decided(self):
        """The passages that it says it has decided, in order."""
        return [json.loads(p) for p in re.findall(r'^plated: passage (\{.*\})$', self.said(), re.M)]

    def wait_said(self, text):
        wait_for(lambda: text in self.said() or self.process.poll() is not None, f"'{text}'")
        if text not in self.said():
            raise AssertionError(f"'{text}' was not said before the end:\n{self.said()[-2000:]}")

    def wait_decided(self, n):
        wait_for(lambda: len(self.decided()) >= n, f'passage {n}')

    def reload(self):
        before = self.said().count(self.path.name + ' was applied')
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.said().count(self.path.name + ' was applied') > before, 'a reload')

    def end(self, number=signal.SIGTERM):
        """Sends a signal and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Systemd:
    """Listens to sd_notify(3)."""

    def __init__(self, folder):
        self.path, self.heard = tempfile.mktemp(prefix='notify', dir=folder), []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.1)
        self.env = {'NOTIFY_SOCKET': self.path}

    def hear(self, pattern):
        """All lines up to the first that matches; later ones are for the next call."""
        until, at = time.monotonic() + PATIENCE_S, 0
        while time.monotonic() < until:
            for at in range(at, len(self.heard)):
                if re.fullmatch(pattern, self.heard[at]):
                    before, self.heard = self.heard[:at + 1], self.heard[at + 1:]
                    return before
            try:
                self.heard += self.socket.recv(4096).decode().splitlines()
            except TimeoutError:
                pass
        raise AssertionError(f'{pattern} was not among {self.heard}')

    def close(self):
        self.socket.close()


def keys(passages):
    return [(p['id'], p['type']) for p in passages]


def unique(items):
    """Each once, where it came first."""
    return list(dict.fromkeys(items))


class Case(unittest.TestCase):
    """A folder for each test, pictures for all of a class."""

    @classmethod
    def setUpClass(cls):
        why = lacking()
        if why:
            raise unittest.SkipTest(why)
        cls.pictures = pathlib.Path(tempfile.mkdtemp(prefix='plated-pictures-'))
        cls.addClassCleanup(shutil.rmtree, cls.pictures)
        cls.plates, frames = drawn()
        for name, frame in frames.items():
            (cls.pictures / f'{name}.jpg').write_bytes(frame)
        cls.vehicles = sequence(cls.pictures, ['left', 'none', 'none', 'right', 'none', 'none'],
                                'vehicles')
        cls.empty = sequence(cls.pictures, ['none'], 'empty')

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='plated-test-'))
        self.addCleanup(shutil.rmtree, self.folder)

    def mosquitto(self, **options):
        made = Mosquitto(self.folder, **options)
        self.addCleanup(made.stop)
        return made.start()

    def subscriber(self, port, **options):
        made = Subscriber(port, self.folder, **options)
        self.addCleanup(made.close)
        return made

    def notify(self):
        made = Systemd(self.folder)
        self.addCleanup(made.close)
        return made

    def daemon(self, port, **options):
        made = Daemon(self.folder, port, **options)
        self.addCleanup(made.close)
        return made

    def stored(self, table):
        """Rows of a table of the outbox, which no daemon has open."""
        with contextlib.closing(sqlite3.connect(self.folder / 'outbox.db')) as outbox:
            return outbox.execute(f'SELECT count(*) FROM {table}').fetchone()[0]

    def check_pairs(self, passages):
        """A final for each passage and at most one of each type, in this order."""
        types = {}
        for passage in passages:
            self.assertEqual(schema.check(passage, 'passage'), [])
            types.setdefault(passage['id'], []).append(passage['type'])
        for kinds in types.values():
            self.assertIn(kinds, (['provisional', 'final'], ['final']))

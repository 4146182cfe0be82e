#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Cameras that vanish, hang, repeat themselves, change or break, through real pipelines."""
import json
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration.cameras import Camera                                 # noqa: E402
from tests.integration.daemon import Case, wait_for                          # noqa: E402

FPS = 5


class Cameras(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.mosquitto()
        self.subscriber = self.subscriber(self.broker.port)

    def camera(self, names):
        made = Camera([self.jpeg(name) for name in names], FPS)
        self.addCleanup(made.close)
        return made

    def jpeg(self, name):
        """A picture of the class, or with '@' of half its size."""
        if not name.endswith('@'):
            return (self.pictures / f'{name}.jpg').read_bytes()
        import cv2
        whole = cv2.imread(str(self.pictures / f'{name[:-1]}.jpg'))
        return cv2.imencode('.jpg', whole[::2, ::2])[1].tobytes()

    def start(self, source, **sections):
        camera = {'source': source, 'silence': '2s'} | sections.pop('camera', {})
        return self.daemon(self.broker.port, camera=camera, **sections)

    def states(self):
        return [(s['state'], s['reason']) for s in map(json.loads,
                                                       self.subscriber.texts('plated/gate/state'))]

    def wait_state(self, state, reason='', since=0):
        """Until the state says so; how many states there were by then."""
        def found():
            states = self.states()
            hits = [n for n in range(since, len(states))
                    if states[n][0] == state and reason in (states[n][1] or '')]
            return hits and hits[0] + 1
        return wait_for(found, f'state {state} {reason}')

    def lively(self):
        """A vehicle that comes and goes, no two pictures after one another the same."""
        return self.camera(['left', 'left@'] * 4 + ['none', 'none@'] * 8)

    def check_up(self, daemon):
        self.assertIsNone(daemon.process.poll(), daemon.said()[-2000:])
        self.assertEqual(daemon.end(), 0)
        self.check_pairs(self.subscriber.passages())

    def test_vanishes(self):
        """Lost, tried again for ever, back by itself; the reason stands in the state."""
        camera = self.lively()
        daemon = self.start(camera.source())
        at = self.wait_state('playing')
        camera.vanish()
        at = self.wait_state('lost', since=at)
        connections = camera.connections
        camera.come_back()
        self.wait_state('playing', since=at)
        wait_for(lambda: camera.connections > connections, 'another connection')
        daemon.wait_decided(len(daemon.decided()) + 1)
        self.check_up(daemon)

    def test_freezes(self):
        """A driver that gives nothing any more."""
        camera = self.lively()
        daemon = self.start(camera.source())
        at = self.wait_state('playing')
        camera.frozen = True
        at = self.wait_state('lost', 'gave no picture for', at)
        camera.come_back()
        self.wait_state('playing', since=at)
        self.check_up(daemon)

    def test_repeats(self):
        """A driver that gives its last picture for ever is lost until it gives another."""
        camera = self.lively()
        daemon = self.start(camera.source(), camera={'frozen': '2s'})
        at = self.wait_state('playing')
        camera.stuck = True
        at = self.wait_state('lost', 'gave the same picture for', at)
        wait_for(lambda: camera.connections >= 3, 'two attempts')
        self.assertNotIn('playing', [state for state, _ in self.states()[at:]])
        camera.come_back()
        self.wait_state('playing', since=at)
        self.check_up(daemon)

    def test_changes_size(self):
        """In the midst of the stream: passages in both sizes, each told with its own."""
        camera = self.camera(['left'] * 8 + ['none'] * 16 + ['left@'] * 8 + ['none@'] * 16)
        daemon = self.start(camera.source(), passage={'final': 0.2, 'provisional': 0.2})
        widths = wait_for(lambda: (lambda w: w if len(w) > 1 else None)(
            {p['frame']['width'] for p in self.subscriber.passages()}), 'both sizes')
        self.assertEqual(widths, {640, 320})
        self.assertEqual(camera.connections, 1)
        self.check_up(daemon)

    def test_breaks(self):
        """JPEGs with holes are looked at as far as they go, or left out; good ones follow."""
        camera = self.lively()
        daemon = self.start(camera.source())
        daemon.wait_decided(2)
        camera.broken = True
        sent = camera.sent
        wait_for(lambda: camera.sent > sent + 4 * FPS, 'broken pictures')
        camera.come_back()
        daemon.wait_decided(len(daemon.decided()) + 2)
        self.check_up(daemon)

    def test_no_pictures(self):
        """What is no JPEG at all gives no picture."""
        camera = self.lively()
        daemon = self.start(camera.source())
        at = self.wait_state('playing')
        good, camera.frames = camera.frames, [b'no picture'] * len(camera.frames)
        at = self.wait_state('lost', since=at)
        camera.frames = good
        self.wait_state('playing', since=at)
        self.check_up(daemon)

    def test_driver_hangs(self):
        """A lost camera whose driver holds whoever opens it: the watchdog starves."""
        pipe = self.folder / 'device'
        os.mkfifo(pipe)
        systemd = self.notify()
        daemon = self.start(f'gst:filesrc location={pipe} ! multipartdemux boundary=x ! jpegdec',
                            env=systemd.env | {'WATCHDOG_USEC': '4000000'})
        # Opens at once while somebody writes; the second open(2) finds nobody.
        with open(pipe, 'wb') as writer:
            writer.write(b'this is no stream of pictures\r\n' * 1000)
        self.wait_state('lost')
        systemd.hear('WATCHDOG=1')
        fed = time.monotonic()

        def starves():
            """Whether it was not fed for longer than systemd waits."""
            nonlocal fed
            try:
                if b'WATCHDOG=1' in systemd.socket.recv(4096):
                    fed = time.monotonic()
            except TimeoutError:
                pass
            return time.monotonic() - fed > 5

        wait_for(starves, 'the end of the watchdog')
        daemon.end(signal.SIGKILL)

    def test_no_device(self):
        """Retried for ever without a device; the watchdog is content."""
        systemd = self.notify()
        daemon = self.start('v4l2:/dev/v4l/by-id/not-there',
                            env=systemd.env | {'WATCHDOG_USEC': '4000000'})
        systemd.hear('READY=1')
        self.wait_state('lost', '/dev/v4l/by-id/not-there')
        for _ in range(6):
            systemd.hear('WATCHDOG=1')
        self.check_up(daemon)


if __name__ == '__main__':
    unittest.main()

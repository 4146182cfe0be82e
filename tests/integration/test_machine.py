#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon on a machine that is hot, whose clock is not set, in front of an empty yard."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration.cameras import Camera                                 # noqa: E402
from tests.integration.daemon import Case, wait_for                          # noqa: E402

FPS = 10


class Machine(Case):
    def setUp(self):
        super().setUp()
        self.root = self.folder / 'root'
        self.broker = self.mosquitto()
        self.subscriber = self.subscriber(self.broker.port)

    def put(self, path, text=''):
        whole = self.root / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text)

    def start(self, names, **sections):
        """A daemon that sees these pictures in a circle, and the machine below self.root."""
        camera = Camera([(self.pictures / f'{name}.jpg').read_bytes() for name in names], FPS)
        self.addCleanup(camera.close)
        return self.daemon(self.broker.port, camera={'source': camera.source()},
                           env={'PLATED_SYSTEM_ROOT': str(self.root)}, **sections)

    def states(self):
        return [json.loads(s) for s in self.subscriber.texts('plated/gate/state')]

    def wait_state(self, good):
        """The first state from now on for which good(state) holds."""
        since = len(self.states())
        return wait_for(lambda: next((s for s in self.states()[since:] if good(s)), None), 'a state')

    def test_heat(self):
        """Ten degrees above the limit a frame in a second, below it all of them again."""
        zone = 'sys/class/thermal/thermal_zone0/temp'
        self.put(zone, '60000\n')
        daemon = self.start(['left', 'none'], motion={'gate': 'no'})
        cool = self.wait_state(lambda s: s['state'] == 'playing' and s['fps'] > 2)
        self.assertEqual((cool['temperature_c'], cool['slowed']), (60, False))
        self.put(zone, '85000\n')
        hot = self.wait_state(lambda s: s['slowed'] and s['fps'] < 1.3)
        self.assertGreater(hot['frames_passed'], 0)
        self.put(zone, '74000\n')           # not yet cool enough for another line in the log
        self.wait_state(lambda s: s['temperature_c'] == 74 and s['slowed'])
        self.put(zone, '60000\n')
        self.wait_state(lambda s: not s['slowed'] and s['fps'] > 2)
        self.assertEqual((daemon.said().count('the processor has 85 °C: frames are looked at less'),
                          daemon.said().count('the processor has 60 °C: frames are looked at as')),
                         (1, 1))
        self.assertEqual(daemon.end(), 0)

    def test_clock(self):
        """Flagged until a time server has set it, in the state and in passages."""
        self.root.mkdir()
        daemon = self.start(['left'] * FPS + ['none'] * 4 * FPS)
        self.wait_state(lambda s: not s['clock_synchronised'])
        daemon.wait_decided(1)
        self.assertFalse(daemon.decided()[0]['clock_synchronised'])
        self.put('run/systemd/timesync/synchronized')
        self.wait_state(lambda s: s['clock_synchronised'])
        known = len(daemon.decided())
        daemon.wait_decided(known + 2)
        self.assertTrue(daemon.decided()[-1]['clock_synchronised'])
        self.assertEqual(daemon.end(), 0)

    def test_empty_yard(self):
        """Frames without motion are passed over, but for two a second; a car that stands is one
        passage however long it stands."""
        daemon = self.start(['none'])
        still = self.wait_state(lambda s: s['frames_passed'] > 4 * FPS)
        self.assertLess(still['fps'], FPS / 2)
        self.assertEqual(daemon.end(), 0)
        daemon = self.start(['left'], name='standing', passage={'longest': '3s'})
        wait_for(lambda: [p['type'] for p in daemon.decided()] == ['provisional', 'final'], 'both')
        passed = self.wait_state(lambda s: s['state'] == 'playing' and s['frames_passed'] > 5 * FPS)
        self.assertLess(passed['fps'], FPS / 2)
        self.assertEqual(len(daemon.decided()), 2)
        self.assertEqual(daemon.end(), 0)


if __name__ == '__main__':
    unittest.main()

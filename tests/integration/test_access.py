#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Decisions at the gate: from lists that change while it runs, to a message or a pulse, never late."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

try:
    import cv2
    import numpy as np
except ImportError as error:
    raise unittest.SkipTest(str(error))

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.demo import broker                                                # noqa: E402
from tests.integration import schema                                         # noqa: E402
from tests.integration.daemon import (BUILD, Case, PATIENCE_S, PLATECTL, sequence,
                                      wait_for)                              # noqa: E402


class Access(Case):
    def setUp(self):
        super().setUp()
        self.list = self.folder / 'list.csv'
        left, right = self.plates
        self.list.write_text(f'plate,name\n{left},Left\n?,Nobody\n{right},Right,,,,deny\n')

    def gate(self, port, **options):
        sections = {'camera': {'source': self.vehicles, 'exit_at_end': 'yes'},
                    'access': {'lists': self.list, 'confidence': 0.5}}
        for name, values in options.pop('sections', {}).items():
            sections.setdefault(name, {}).update(values)
        return self.daemon(port, **sections, **options)

    def decisions(self, subscriber):
        found = [(retained, json.loads(p)) for retained, t, p in subscriber.messages()
                 if t == 'plated/gate/access']
        for retained, message in found:
            self.assertFalse(retained)
            self.assertEqual(schema.check(message, 'access'), [])
        return [m for _, m in found]

    def test_once_for_each_passage(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.gate(mosquitto.port)
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'the end')
        decisions = self.decisions(subscriber)
        self.assertEqual([(d['decision'], d['reason'], d['name']) for d in decisions],
                         [('granted', 'listed', 'Left'), ('denied', 'blocked', 'Right')])
        passages = subscriber.passages()
        self.check_pairs(passages)
        for decision in decisions:
            self.assertEqual(decision['expires_ms'] - decision['time_ms'], 10000)
            own = [p for p in passages if p['id'] == decision['id']]
            self.assertEqual(own[-1]['type'], 'final')
            for passage in own:
                self.assertEqual(passage['access'],
                                 {k: decision[k] for k in ('decision', 'reason', 'listed', 'name')})
        self.assertIn('list.csv:3: a plate is 2 to 16 letters and digits; the line is left out',
                      daemon.said())
        self.assertIn('2 plates are listed', daemon.said())
        quiet = daemon.said().split('plated: passage {')[0]
        self.assertFalse(any(plate in quiet for plate in self.plates))

    def test_list_changes(self):
        """Written anew and put in place of the old one; taken away; written into."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        # It drives up: what comes up in one place again and again is taken for a sign.
        shifted = np.roll(cv2.imread(str(self.pictures / 'left.jpg')), 80, 1)
        cv2.imwrite(str(self.pictures / 'shifted.jpg'), shifted)
        source = sequence(self.pictures, ['left', 'shifted', 'none', 'none', 'none'], 'again')
        daemon = self.gate(mosquitto.port, sections={'camera': {
            'source': source, 'exit_at_end': 'no', 'loop': 'yes', 'realtime': 'yes'}})
        wait_for(lambda: self.decisions(subscriber), 'a decision')
        self.assertEqual(self.decisions(subscriber)[0]['decision'], 'granted')
        new = self.folder / 'new.csv'
        new.write_text('OTHER1,Somebody\n')
        new.replace(self.list)
        daemon.wait_said('1 plates are listed')
        at = len(self.decisions(subscriber)) + 1
        wait_for(lambda: len(self.decisions(subscriber)) > at, 'a decision after the change')
        self.assertEqual(self.decisions(subscriber)[-1]['decision'], 'unknown')
        self.list.unlink()
        daemon.wait_said('list.csv: No such file or directory; the lists read before stay')
        self.list.write_text(f'{self.plates[0]},Left,2000-01-01,2001-01-01\n')
        wait_for(lambda: daemon.said().count('1 plates are listed') > 1, 'the list again')
        at = len(self.decisions(subscriber)) + 1
        wait_for(lambda: len(self.decisions(subscriber)) > at, 'a decision after that')
        self.assertEqual(self.decisions(subscriber)[-1]['reason'], 'expired')
        self.assertEqual(daemon.end(), 0)

    def test_list_replaced_while_read(self):
        """Lists put in place of each other as fast as can be, then one written line by line: only
        whole ones are ever read."""
        daemon = self.gate(1, sections={'camera': {'source': self.empty, 'exit_at_end': 'no'}})
        daemon.wait_said('2 plates are listed')
        new = self.folder / 'new.csv'
        until = time.monotonic() + 3
        while time.monotonic() < until:
            for n in (3000, 5000):
                new.write_text(''.join(f'A{i:05}\n' for i in range(n)))
                new.replace(self.list)
                time.sleep(0.3)
        daemon.wait_said('5000 plates are listed')
        slowest, last = 0, time.monotonic()
        with open(self.list, 'w', buffering=1) as written:
            for i in range(30):
                written.write(f'B{i:05},Somebody\n')
                time.sleep(0.05)
                slowest, last = max(slowest, time.monotonic() - last), time.monotonic()
        daemon.wait_said(' 30 plates are listed')
        self.assertEqual(daemon.end(), 0)
        told = set(re.findall(r'(\d+) plates are listed', daemon.said()))
        if slowest > 0.9:
            self.skipTest(f'this machine kept a line waiting for {slowest:.1f} s')
        self.assertLessEqual(told, {'2', '3000', '5000', '30'})
        self.assertNotIn('is left out', daemon.said().split('2 plates are listed', 1)[1])

    def test_never_late(self):
        """No broker when the vehicle is there: its decision is not told when the broker comes."""
        mosquitto = self.mosquitto()
        mosquitto.stop()
        daemon = self.gate(mosquitto.port)
        wait_for(lambda: daemon.said().count('the broker is away and never hears') == 2,
                 'the end of both decisions')
        mosquitto.start()
        subscriber = self.subscriber(mosquitto.port)
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        wait_for(lambda: any(p['type'] == 'final' for p in subscriber.passages()), 'the passages')
        self.assertEqual(self.decisions(subscriber), [])
        self.assertEqual(subscriber.passages()[-1]['access']['decision'], 'denied')

    def test_expiry(self):
        """With MQTT 5 the broker too drops a decision that it cannot hand on in time."""
        mosquitto = self.mosquitto()
        heard = self.folder / 'expiry'
        with open(heard, 'wb') as out:
            process = subprocess.Popen(
                ['stdbuf', '-oL', broker.program('mosquitto_sub'), '-V', '5', '-h', '127.0.0.1',
                 '-p', str(mosquitto.port), '-t', 'plated/gate/#', '-F', '%t %E'], stdout=out)
        self.addCleanup(broker.end, process)
        daemon = self.gate(mosquitto.port, sections={'mqtt': {'protocol': '5'},
                                                     'access': {'expiry': '7s'}})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        wait_for(lambda: heard.read_text().count('gate/passage') >= 2, 'the passages')
        lines = [line.split(' ') for line in heard.read_text().splitlines()]
        expiries = {topic.split('/')[-1]: expiry for topic, expiry in lines}
        self.assertIn(expiries['access'], ('7', '6'))
        self.assertEqual(expiries['passage'], '')

    def test_reload_keeps_what_is_decided(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        source = sequence(self.pictures, ['left'] * 12 + ['none'] * 4, 'long')
        daemon = self.gate(mosquitto.port, sections={
            'camera': {'source': source, 'realtime': 'yes'},
            'mqtt': {'protocol': '5'}})
        wait_for(lambda: self.decisions(subscriber), 'a decision')
        daemon.configure(access={'tolerance': 0})
        daemon.reload()
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        wait_for(lambda: any(p['type'] == 'final' for p in subscriber.passages()), 'the final')
        self.assertEqual(len(self.decisions(subscriber)), 1)
        self.assertEqual(subscriber.passages()[-1]['access']['decision'], 'granted')

    def test_missing_list(self):
        daemon = self.gate(1, sections={'access': {'lists': '/nonexistent/l.csv'}})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 78)
        self.assertIn('[access] lists: /nonexistent/l.csv: No such file or directory',
                      daemon.said())

    def test_relay(self):
        """Against a stand-in for libgpiod, which writes down what it is told: no pins here."""
        fake = BUILD / 'tests' / 'integration' / 'libfakegpiod.so'
        if not fake.exists():
            self.skipTest('built without libgpiod')
        log = self.folder / 'gpio'
        mosquitto = self.mosquitto()
        preload = f'{os.environ.get("LD_PRELOAD", "")} {fake}'.strip()
        daemon = self.gate(mosquitto.port, env={'LD_PRELOAD': preload, 'FAKE_GPIO': str(log)},
                           sections={'access': {'gpio_line': 17, 'pulse': '200ms'}})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        lines = [line.split() for line in log.read_text().splitlines()]
        self.assertEqual([line[1:] for line in lines],
                         [['open', '/dev/gpiochip0', '17'], ['set', '1'], ['set', '0'], ['close']])
        self.assertGreaterEqual(float(lines[2][0]) - float(lines[1][0]), 0.19)

    def test_no_chip(self):
        daemon = self.gate(1, sections={'access': {'gpio_line': 17, 'gpio_chip': '/dev/nochip'}})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 78)
        self.assertIn('[access] gpio_line', daemon.said())
        self.assertIn('line 17 of /dev/nochip: No such file or directory', daemon.said())


class Check(unittest.TestCase):
    def test_lists_check(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            good, bad = pathlib.Path(folder, 'good.csv'), pathlib.Path(folder, 'bad.csv')
            good.write_text('plate\nABC123\nXYZ987\n')
            bad.write_text('ABC123,,tomorrow\n')
            done = subprocess.run([PLATECTL, 'lists', 'check', good], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '2 plates\n', ''))
            done = subprocess.run([PLATECTL, 'lists', 'check', good, bad], capture_output=True,
                                  text=True)
            self.assertEqual((done.returncode, done.stdout), (1, '2 plates\n'))
            self.assertIn('bad.csv:1: dates are like', done.stderr)
            done = subprocess.run([PLATECTL, 'lists', 'check', bad.with_name('none')],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn('No such file', done.stderr)


if __name__ == '__main__':
    unittest.main()

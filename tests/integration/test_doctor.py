#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""platectl doctor finds what was made wrong on purpose, and says what to do about it."""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration.daemon import Case, PATIENCE_S, PLATECTL, sequence, wait_for  # noqa: E402

CARD = '30 1 179:2 / / rw{noatime} shared:1 - ext4 /dev/mmcblk0p2 {ro}\n'


class Doctor(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import cv2
        good = cv2.imread(str(cls.pictures / 'left.jpg'))
        for name, picture in (('dark', good // 8), ('blurred', cv2.GaussianBlur(good, (0, 0), 6)),
                              ('white', cv2.convertScaleAbs(good, alpha=2.5))):
            cv2.imwrite(str(cls.pictures / f'{name}.jpg'), picture)

    def setUp(self):
        super().setUp()
        self.root = self.folder / 'root'
        self.put('run/systemd/timesync/synchronized', '')
        self.put('sys/class/thermal/thermal_zone0/temp', '48000\n')
        self.put('sys/devices/platform/soc/soc:firmware/get_throttled', '0\n')
        self.put('proc/self/mountinfo', CARD.format(noatime=',noatime', ro='rw'))

    def put(self, path, text):
        whole = self.root / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text)

    def ask(self, daemon, status=0):
        """{what: [(grade, sentence)]}"""
        ended = subprocess.run([PLATECTL, 'doctor', '--json', '--config', daemon.path], text=True,
                               capture_output=True, timeout=PATIENCE_S,
                               env={**daemon.env, 'PLATED_SYSTEM_ROOT': str(self.root)})
        self.assertEqual(ended.returncode, status, ended.stdout + ended.stderr)
        found = {}
        for item in json.loads(ended.stdout):
            found.setdefault(item['what'], []).append((item['grade'], item['sentence']))
        return found

    def configured(self, picture, port=1, **sections):
        """A configuration whose camera shows this, without a daemon."""
        source = sequence(self.pictures, [picture] * 3, f'see-{picture}')
        return self.daemon(port, start=False, camera={'source': source, 'loop': 'yes',
                                                      'realtime': 'yes'}, **sections)

    def fps(self, daemon):
        told = subprocess.run([PLATECTL, 'status', '--json', '--config', daemon.path], text=True,
                              capture_output=True, timeout=PATIENCE_S).stdout
        return json.loads(told)['state']['fps'] if told else 0

    def check(self, found, what, grade, part):
        self.assertTrue(any(g == grade and part in s for g, s in found[what]), (what, found[what]))

    def test_well(self):
        """All is as it should be, and the service is asked instead of its camera."""
        broker = self.mosquitto()
        daemon = self.configured('left', broker.port)
        daemon.start()
        wait_for(lambda: self.fps(daemon) > 0, 'a rate')
        found = self.ask(daemon)
        self.assertEqual({g for told in found.values() for g, _ in told} - {'advice'}, {'ok'})
        for what in ('config', 'service', 'broker', 'clock', 'heat', 'power', 'disk', 'light', 'focus'):
            self.assertEqual({g for g, _ in found[what]}, {'ok'}, found[what])
        self.check(found, 'camera', 'ok', 'pictures of 640 × 720')
        self.check(found, 'camera', 'ok', 'are looked at')
        self.check(found, 'broker', 'ok', 'the service is connected to 127.0.0.1')
        self.assertEqual(daemon.end(), 0)

    def test_service_away(self):
        """The camera is opened here, the broker does not answer."""
        found = self.ask(self.configured('left'), status=1)
        self.check(found, 'service', 'advice', 'systemctl start plated')
        self.check(found, 'broker', 'wrong', 'broker 127.0.0.1')
        self.check(found, 'camera', 'ok', 'pictures of 640 × 720')
        self.check(found, 'focus', 'ok', 'sharpness')

    def test_broker(self):
        found = self.ask(self.configured('left', self.mosquitto().port))
        self.check(found, 'broker', 'ok', '127.0.0.1 accepts us')

    def test_pictures(self):
        for picture, what, part in (('dark', 'light', 'too dark'), ('white', 'light', 'are white'),
                                    ('blurred', 'focus', 'not sharp')):
            with self.subTest(picture=picture):
                self.check(self.ask(self.configured(picture), status=1), what, 'advice', part)

    def test_camera_away(self):
        daemon = self.configured('left')
        for source, part in (('v4l2:/dev/v4l/by-id/none', 'No such file or directory: plug it in'),
                             ('v4l2:/dev/null', 'is not a camera or is in use'),
                             ('file:/nonexistent.avi', '/nonexistent.avi cannot be read')):
            with self.subTest(source=source):
                daemon.configure(camera={'source': source})
                self.check(self.ask(daemon, status=1), 'camera', 'wrong', part)

    def test_machine(self):
        self.put('sys/class/thermal/thermal_zone0/temp', '84000\n')
        self.put('sys/devices/platform/soc/soc:firmware/get_throttled', '50005\n')
        self.put('proc/self/mountinfo', CARD.format(noatime='', ro='rw'))
        (self.root / 'run/systemd/timesync/synchronized').unlink()
        daemon = self.configured('left', models={'directory': '/nonexistent'})
        found = self.ask(daemon, status=1)
        self.check(found, 'clock', 'advice', 'not set by a time server')
        self.check(found, 'heat', 'wrong', '84 °C')
        self.check(found, 'power', 'wrong', 'voltage is too low now')
        self.check(found, 'disk', 'advice', 'add noatime')
        self.check(found, 'models', 'wrong', '/nonexistent/detector.onnx')
        self.put('sys/class/thermal/thermal_zone0/temp', '72000\n')
        self.put('sys/devices/platform/soc/soc:firmware/get_throttled', '50000\n')
        self.put('proc/self/mountinfo', CARD.format(noatime=',noatime', ro='rw').replace(' rw', ' ro'))
        lists = self.folder / 'list.csv'
        lists.write_text('plate,name\nAB1234,Anna\n!!!!,Nobody\n')
        daemon.configure(outbox={'file': ''}, access={'lists': lists},
                         snapshot={'directory': self.folder / 'not' / 'yet'})
        found = self.ask(daemon, status=1)
        self.check(found, 'heat', 'advice', '72 °C')
        self.check(found, 'power', 'advice', 'has been too low')
        self.check(found, 'disk', 'wrong', 'read-only')
        self.check(found, 'disk', 'advice', 'kept in memory')
        self.check(found, 'lists', 'wrong', '1 lines are skipped')

    def test_text(self):
        daemon = self.configured('left')
        ended = subprocess.run([PLATECTL, 'doctor', '--config', daemon.path], text=True,
                               capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, 1)
        for line in ended.stdout.splitlines()[:-1]:
            self.assertRegex(line, r'^(ok    |advice|wrong )  \w+ +\S')
        self.assertRegex(ended.stdout.splitlines()[-1], r'^\d wrong, \d to improve$')

    def test_bad_configuration(self):
        path = self.folder / 'bad.conf'
        path.write_text('[camera]\nfps = many\n')
        ended = subprocess.run([PLATECTL, 'doctor', '--config', path], text=True,
                               capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, 78)
        self.assertIn('bad.conf:2: [camera] fps: expected', ended.stderr)


if __name__ == '__main__':
    unittest.main()

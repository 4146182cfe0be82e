#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Passages that are kept and asked for later, and plates that are told as hashes only."""
import csv
import hashlib
import hmac
import io
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration import schema                                         # noqa: E402
from tests.integration.daemon import (Case, PATIENCE_S, PLATECTL, keys, wait_for)  # noqa: E402

KEY = 'a key of the tests alone'


def hashed(plate):
    return hmac.new(KEY.encode(), plate.replace('O', '0').encode(), hashlib.sha256).hexdigest()


def written_bytes(process):
    """What the process gave to the disk, or None where the system does not count it."""
    io_file = pathlib.Path(f'/proc/{process.pid}/io')
    return int(re.search(r'^wchar: (\d+)$', io_file.read_text(), re.M)[1])


class Stored(Case):
    def events(self, daemon, *arguments, status=0):
        ended = subprocess.run([PLATECTL, 'events', '--config', daemon.path, *map(str, arguments)],
                               capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, status, ended.stderr)
        return ended.stdout if status == 0 else ended.stderr

    def asked(self, daemon, *arguments):
        return [json.loads(line) for line in
                self.events(daemon, '--json', *arguments).splitlines()]

    def finals(self, subscriber):
        return [p for p in subscriber.passages() if p['type'] == 'final']


class Events(Stored):
    def test_events(self):
        """What was told can be asked for while the service runs, and after it."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        access = self.folder / 'access.csv'
        access.write_text(f'{self.plates[0]},=Anna "A" Smith\n')
        daemon = self.daemon(mosquitto.port, access={'lists': access},
                             camera={'source': self.vehicles, 'loop': 'no'},
                             snapshot={'directory': self.folder / 'pictures', 'crop': 'yes'})
        daemon.wait_said('camera gate ended')
        wait_for(lambda: len(self.finals(subscriber)) >= 2, 'the passages')
        told = self.finals(subscriber)
        self.assertEqual(self.asked(daemon), told)
        for passage in told:
            self.assertEqual(schema.check(passage, 'passage'), [])
            picture = pathlib.Path(passage['snapshot'])
            self.assertEqual(picture.read_bytes()[:2], b'\xff\xd8')
            crop = picture.with_name(f'{passage["id"]}-crop.jpg')
            self.assertEqual(crop.read_bytes()[:2], b'\xff\xd8')
        one = told[0]['plate']
        self.assertEqual(self.asked(daemon, '--plate', f'{one[:3].lower()}-{one[3:]}'), told[:1])
        self.assertEqual(self.asked(daemon, '--plate', f'{one[:3]}*'), told[:1])
        self.assertEqual(self.asked(daemon, '--limit', 1), told[1:])
        self.assertEqual(self.asked(daemon, '--since', '1h'), told)
        self.assertEqual(self.asked(daemon, '--until', '1h'), [])
        self.assertEqual(self.asked(daemon, '--since', told[1]['first_seen']), told[1:])
        rows = list(csv.DictReader(io.StringIO(self.events(daemon, '--csv'))))
        self.assertEqual([r['id'] for r in rows], [p['id'] for p in told])
        self.assertEqual(rows[0]['name'], "'=Anna \"A\" Smith")
        self.assertEqual(rows[0]['decision'], 'granted')
        self.assertEqual(len(self.events(daemon).splitlines()), 2)
        wrote = written_bytes(daemon.process)
        self.assertEqual(daemon.end(), 0)
        self.assertEqual(self.asked(daemon), told)
        print(f'## 2 passages: {wrote} bytes given to files and sockets, log and pictures among '
              'them', file=sys.stderr)

    def test_refusals(self):
        daemon = self.daemon(1, start=False)
        self.assertIn('events.db: No such file', self.events(daemon, status=1))
        self.assertIn('--since: expected 2026-03-01',
                      self.events(daemon, '--since', 'x', status=64))
        self.assertIn("--limit: expected a number", self.events(daemon, '--limit', '0', status=64))
        (self.folder / 'events.db').write_text('no database, and not a short file either')
        self.assertIn('not a store of passages, or broken', self.events(daemon, status=1))
        daemon.configure(store={'file': ''})
        self.assertIn('no passages are kept', self.events(daemon, status=78))

    def test_broken_store(self):
        """It costs what it held, and nothing else."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        (self.folder / 'events.db').write_text('no database, and not a short file either')
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles})
        daemon.wait_said('camera gate ended')
        wait_for(lambda: len(self.finals(subscriber)) >= 2, 'the passages')
        self.assertEqual(daemon.end(), 0)
        self.assertIn('events.db is broken; it was set aside as', daemon.said())
        self.assertEqual(keys(self.asked(daemon)), keys(self.finals(subscriber)))


class Privacy(Stored):
    def test_hashes_only(self):
        """Neither messages nor files nor the log say a plate, a name or show a picture."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        key, access = self.folder / 'key', self.folder / 'access.csv'
        key.write_text(KEY + '\n')
        key.chmod(0o600)
        access.write_text(f'{self.plates[0]},Anna Smith\n')
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles},
                             privacy={'hash': 'yes', 'key_file': key}, access={'lists': access},
                             mqtt={'commands': 'yes'})
        daemon.wait_said('camera gate ended')
        wait_for(lambda: len(self.finals(subscriber)) >= 2 and
                 len(subscriber.texts('plated/gate/access')) >= 2, 'the passages')
        told = self.finals(subscriber)
        self.assertEqual([p['plate'] for p in told], [hashed(p) for p in self.plates])
        for passage in told:
            self.assertEqual(schema.check(passage, 'passage'), [])
            self.assertEqual(passage['characters'], [])
            self.assertIn(passage['plate'], [c['plate'] for c in passage['candidates']])
        decisions = [json.loads(t) for t in subscriber.texts('plated/gate/access')]
        self.assertEqual([d['decision'] for d in decisions], ['granted', 'unknown'])
        self.assertEqual(decisions[0]['listed'], hashed(self.plates[0]))
        for decision in decisions:
            self.assertEqual(schema.check(decision, 'access'), [])
            self.assertEqual(decision['name'], None)
        self.assertEqual(self.asked(daemon, '--plate', self.plates[1]), told[1:])
        self.assertEqual(daemon.end(), 0)
        kept = [subscriber.out, daemon.log, *self.folder.glob('*.db*')]
        self.assertGreaterEqual(len(kept), 4)
        everything = b''.join(p.read_bytes() for p in kept)
        everything += b''.join(payload for _, _, payload in subscriber.messages())
        for secret in [*self.plates, 'Anna', KEY]:
            self.assertNotIn(secret.encode(), everything)
        self.assertEqual(list(self.folder.glob('**/*.jpg')), [])

    def test_no_key(self):
        daemon = self.daemon(1, camera={'source': self.empty}, privacy={'hash': 'yes'})
        self.assertEqual(daemon.process.wait(60), 78)
        self.assertIn('[privacy] hash: expected a key of 16 characters or more', daemon.said())


if __name__ == '__main__':
    unittest.main()

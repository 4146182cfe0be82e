#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Passages on their way to the broker while everything goes wrong."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration.daemon import Case, keys, unique, wait_for            # noqa: E402

# As many messages as daemon/delivery.c has under way at once.
WINDOW = 16


class Outbox:
    """The outbox as a dead daemon left it, read from a copy: recovery is the next start's task."""

    def __init__(self, folder, copy):
        copy.mkdir()
        self.messages, self.owed, self.whole = {}, {}, 'ok'
        if not (folder / 'outbox.db').exists():
            return
        for suffix in ('', '-wal'):
            if (folder / f'outbox.db{suffix}').exists():
                shutil.copy(folder / f'outbox.db{suffix}', copy / f'outbox.db{suffix}')
        with contextlib.closing(sqlite3.connect(copy / 'outbox.db')) as db:
            self.whole = db.execute('PRAGMA integrity_check').fetchone()[0]
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'owed'").fetchone():
                return
            self.messages = {n: json.loads(p) for n, p in
                             db.execute('SELECT sequence, payload FROM message ORDER BY sequence')}
            self.owed = {i: json.loads(p) for i, p in db.execute('SELECT id, payload FROM owed')}


class Killed(Case):
    """kill -9 at random moments, the broker being there or not. PLATED_KILLS, PLATED_SEED."""

    def setUp(self):
        super().setUp()
        self.kills = int(os.environ.get('PLATED_KILLS') or 12)
        self.seed = int(os.environ.get('PLATED_SEED') or random.randrange(1 << 32))
        self.random = random.Random(self.seed)
        self.committed, self.owed, self.sequences = {}, {}, {}
        self.decided = []

    def wait_moment(self, daemon):
        """Until somewhere in the start, between passages, or just behind a commit."""
        kind = self.random.choice(('start', 'between', 'commit', 'commit'))
        if kind == 'start':
            time.sleep(self.random.uniform(0, 1))
            return
        before = daemon.log.stat().st_size
        daemon.wait_decided(self.random.randint(1, 4))
        self.assertGreater(daemon.log.stat().st_size, before)
        time.sleep(self.random.uniform(0, 0.01 if kind == 'commit' else 0.5))

    def learn(self, daemon, n):
        """What this daemon has committed, from what it wrote and what it left behind."""
        outbox = Outbox(self.folder, self.folder / f'copy-{n}')
        self.assertEqual(outbox.whole, 'ok')
        for sequence, passage in outbox.messages.items():
            self.sequences.setdefault(sequence, passage)
            self.assertEqual(self.sequences[sequence], passage)
        for passage in [*outbox.messages.values(), *daemon.decided()]:
            known = self.committed.setdefault(keys([passage])[0], passage)
            self.assertEqual(known, passage)
        self.owed.update(outbox.owed)
        self.decided += keys(daemon.decided())
        return len(outbox.messages)

    def kill_often(self, mosquitto):
        left, away = 0, False
        for n in range(self.kills):
            if self.random.random() < 0.3:
                (mosquitto.start if away else mosquitto.stop)()
                away = not away
            daemon = self.daemon(mosquitto.port, name=f'plated-{n}',
                                 camera={'source': self.vehicles, 'loop': 'yes'})
            self.wait_moment(daemon)
            daemon.end(signal.SIGKILL)
            left = max(left, self.learn(daemon, n))
            shutil.rmtree(self.folder / f'copy-{n}')
        if away:
            mosquitto.start()
        return left

    def check_received(self, received):
        ids = unique(p['id'] for p in received)
        times = unique((p['type'], p['plate'], p['first_seen_ms'], p['id']) for p in received)
        self.assertEqual(len({t[:3] for t in times}), len(times), 'the same under another id')
        self.assertEqual(set(self.committed) - set(keys(received)), set(), 'lost')
        first = {}
        for passage in received:
            told = first.setdefault(keys([passage])[0], passage)
            self.assertEqual(passage, told)
            self.assertEqual(passage, self.committed.get(keys([passage])[0], passage))
        self.assertEqual({p['id'] for p in received if p['type'] == 'final'}, set(ids))
        self.assertLessEqual(set(self.owed), set(ids))
        at = {key: n for n, key in enumerate(first)}
        for order in (unique(self.decided),
                      [keys([self.sequences[n]])[0] for n in sorted(self.sequences)]):
            self.assertEqual(sorted(order, key=at.get), order, 'out of order')
        self.check_pairs(first.values())
        return len(first)

    def test_kills(self):
        print(f'PLATED_SEED={self.seed} PLATED_KILLS={self.kills}', file=sys.stderr)
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        left = self.kill_often(mosquitto)
        last = self.daemon(mosquitto.port, name='last', camera={'source': self.empty,
                                                                'exit_at_end': 'yes'})
        self.assertEqual(last.process.wait(180), 0, last.said()[-2000:])
        wait_for(lambda: set(self.committed) <= set(keys(subscriber.passages())), 'all passages')
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'the end')
        received = subscriber.passages()
        n = self.check_received(received)
        self.assertGreaterEqual(n, self.kills // 2)
        self.assertLessEqual(len(received) - n, WINDOW * self.kills)
        end = Outbox(self.folder, self.folder / 'copy-end')
        self.assertEqual((end.whole, end.messages, end.owed), ('ok', {}, {}))
        print(f'{self.kills} kills: {len(self.committed)} messages known to be committed, '
              f'{n} delivered, {len(received) - n} again, {len(self.owed)} finals owed, '
              f'at most {left} left behind', file=sys.stderr)


if __name__ == '__main__':
    unittest.main()

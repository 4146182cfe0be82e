#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Passages on their way to the broker while everything goes wrong."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import re
import select
import signal
import socket
import sqlite3
import ssl
import sys
import threading
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration.daemon import (Case, Daemon, MODELS, Mosquitto, Subscriber, keys, unique,
                                      wait_for)                              # noqa: E402
from tests.integration.test_secure import authority, certificate             # noqa: E402

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


class BadBroker:
    """Takes connections and does wrong to each; counts them."""

    def __init__(self, port, wrong):
        self.wrong, self.connections, self.open, self.ended = wrong, 0, [], False
        self.listener = socket.create_server(('127.0.0.1', port))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            taken, _ = self.listener.accept()
            taken.settimeout(0.2)
            self.connections += 1
            self.open.append(taken)
            threading.Thread(target=self.serve, args=(taken,), daemon=True).start()

    def serve(self, taken):
        with contextlib.suppress(OSError):
            self.wrong(self, taken)

    def packets(self, taken):
        """(type, body) of all that comes."""
        buffer = b''
        while not self.ended:
            with contextlib.suppress(TimeoutError):
                more = taken.recv(65536)
                if not more:
                    return
                buffer += more
            while whole := self.whole_packet(buffer):
                first, head, n = whole
                yield first >> 4, buffer[head:head + n]
                buffer = buffer[head + n:]

    @staticmethod
    def whole_packet(buffer):
        n, shift = 0, 0
        for at, byte in enumerate(buffer[1:5]):
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (buffer[0], at + 2, n) if len(buffer) >= at + 2 + n else None
        return None

    def close(self):
        self.ended = True
        self.thread.join()
        for taken in [self.listener, *self.open]:
            taken.close()


def hang(server, taken):
    while not server.ended:
        time.sleep(0.05)


def refuse(server, taken):
    next(server.packets(taken))
    taken.sendall(bytes((0x20, 2, 0, 4)))
    taken.close()


def cut(server, taken):
    """Goes in the midst of a PUBACK."""
    for kind, _ in server.packets(taken):
        if kind == 1:
            taken.sendall(bytes((0x20, 2, 0, 0)))
        elif kind == 3:
            taken.sendall(bytes((0x40, 2, 0)))
            break
    taken.close()


def withhold(server, taken):
    """Everything but acknowledgements."""
    for kind, _ in server.packets(taken):
        if kind == 1:
            taken.sendall(bytes((0x20, 2, 0, 0)))
        elif kind == 12:
            taken.sendall(bytes((0xd0, 0)))


class Misbehaving:
    """One daemon, a broker that does wrong, and a good one that comes after it on the same port."""

    def __init__(self, folder, name, wrong, sentence, source, times, tls=None):
        self.folder, self.name, self.sentence, self.times = folder / name, name, sentence, times
        self.folder.mkdir()
        self.folder.chmod(0o755)
        extra, mqtt, self.more = 'allow_anonymous true\n', {}, ()
        if tls:
            extra += f'cafile {tls}/ca.pem\ncertfile {tls}/server.pem\nkeyfile {tls}/server.key\n'
            mqtt = {'host': 'localhost', 'tls': 'yes', 'ca_file': tls / 'ca.pem'}
            self.more = ('--cafile', str(tls / 'ca.pem'))
        self.closing = []
        self.good = Mosquitto(self.folder, extra=extra)
        self.closing.append(self.good.stop)
        self.subscribe()
        self.subscriber.close()
        self.good.stop()
        self.bad = BadBroker(self.good.port, wrong)
        self.closing.append(self.bad.close)
        self.daemon = Daemon(self.folder, self.good.port, mqtt=mqtt,
                             camera={'source': source, 'loop': 'yes', 'realtime': 'yes'},
                             env={'JOURNAL_STREAM': '8:1'})
        self.closing.append(self.daemon.close)

    def subscribe(self):
        self.good.start()
        self.subscriber = Subscriber(self.good.port, self.folder, more=self.more)
        self.closing.append(self.subscriber.close)

    def lines(self, level):
        return re.findall(rf'^<{level}>(.*)$', self.daemon.said(), re.M)

    def decided(self):
        return [json.loads(line[8:]) for line in self.lines(7) if line.startswith('passage {')]

    def repeated(self):
        return sum(self.sentence in line for line in self.lines(7))

    def suffer(self):
        wait_for(lambda: self.repeated() >= self.times and len(self.decided()) >= 2,
                 f'{self.name}: {self.sentence}')
        self.connections = self.bad.connections
        copy = Outbox(self.folder, self.folder / 'copy')
        self.kept = [keys([p])[0] for p in copy.messages.values()]
        self.warned = self.lines(4)
        self.connected = sum('connected to broker' in line for line in self.lines(6))

    def mend(self):
        self.bad.close()
        self.subscribe()

    def recover(self):
        wait_for(lambda: set(self.kept) <= set(keys(self.subscriber.passages())),
                 f'{self.name}: delivery')
        self.status = self.daemon.end()

    def close(self):
        for close in reversed(self.closing):
            close()


class Brokers(Case):
    """Each is told of once while it does wrong; then all passages arrive."""

    def wrong_certificate(self):
        authority(self.folder, 'ca', '/CN=test authority')
        authority(self.folder, 'stranger', '/CN=somebody else')
        certificate(self.folder, 'server', 'ca', '/CN=localhost')
        certificate(self.folder, 'false', 'stranger', '/CN=localhost')
        for path in self.folder.iterdir():
            path.chmod(0o644)
        self.folder.chmod(0o755)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / 'false.pem', self.folder / 'false.key')

        def show(server, taken):
            with context.wrap_socket(taken, server_side=True) as shown:
                shown.recv(1)
        return show

    def check(self, case):
        received, decided = keys(case.subscriber.passages()), keys(case.decided())
        self.assertEqual(case.status, 0)
        self.assertEqual(len(case.warned), 1, case.warned)
        self.assertIn(case.sentence, case.warned[0])
        self.assertLessEqual(case.connected, 2)
        self.assertEqual(case.kept, decided[:len(case.kept)])
        self.assertGreaterEqual(len(case.kept), 2)
        self.assertEqual(unique(received), decided)
        # What the bad broker did not acknowledge was never the good one's; its own connection held.
        self.assertEqual(len(received), len(set(received)))
        self.assertIn('connected to broker', ' '.join(case.lines(6)))
        print(f'## {case.name}: {case.connections} connections, {case.repeated()} repeated '
              f'failures, {len(case.kept)} messages kept, {len(received)} delivered; {case.warned[0]}',
              file=sys.stderr)

    def test_misbehaving(self):
        if not shutil.which('openssl'):
            self.skipTest('openssl is not installed')
        kinds = (('hangs', hang, 'no answer', 1), ('refuses', refuse, 'bad user name', 3),
                 ('cuts', cut, 'the connection was lost', 4),
                 ('withholds', withhold, 'messages are not acknowledged', 1))
        cases = []
        for name, wrong, sentence, times in kinds:
            cases.append(Misbehaving(self.folder, name, wrong, sentence, self.vehicles, times))
            self.addCleanup(cases[-1].close)
        cases.append(Misbehaving(self.folder, 'false', self.wrong_certificate(),
                                 'certificate verify failed', self.vehicles, 3, tls=self.folder))
        self.addCleanup(cases[-1].close)
        for step in (Misbehaving.suffer, Misbehaving.mend, Misbehaving.recover, self.check):
            for case in cases:
                with self.subTest(broker=case.name):
                    step(case)


class Backlog(Case):
    """A day of traffic that waits for the broker."""
    N = 10000

    def peak_kib(self, daemon):
        """The most memory that it ever had."""
        status = pathlib.Path(f'/proc/{daemon.process.pid}/status').read_text()
        return int(re.search(r'^VmHWM:\s*(\d+) kB$', status, re.M)[1])

    def fill(self):
        """Rows as the daemon writes them, in the outbox that it made."""
        with contextlib.closing(sqlite3.connect(self.folder / 'outbox.db')) as db, db:
            topic, text = db.execute("SELECT topic, payload FROM message "
                                     "WHERE payload LIKE '%\"final\"%' LIMIT 1").fetchone()
            passage = json.loads(text)
            start = db.execute('SELECT count(*) FROM message').fetchone()[0]
            for _ in range(start, self.N):
                payload = text.replace(passage['id'], str(uuid.uuid4()))
                db.execute('INSERT INTO message (topic, payload, created, synchronised) '
                           'VALUES (?, ?, ?, 1)', (topic, payload, time.time_ns() // 1000))
            return [keys([json.loads(p)])[0] for p, in
                    db.execute('SELECT payload FROM message ORDER BY sequence')]

    def test_backlog(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        mosquitto.stop()
        limits = {'max_rows': 2 * self.N}
        first = self.daemon(mosquitto.port, name='first', outbox=limits,
                            camera={'source': self.vehicles, 'loop': 'yes'})
        first.wait_decided(4)
        self.assertEqual(first.end(), 0)
        waiting = self.fill()
        mosquitto.start()
        # A clip that is over, so that the memory is that of the delivery alone.
        quiet = {'source': self.empty, 'loop': 'no'}
        started = time.monotonic()
        second = self.daemon(mosquitto.port, name='second', outbox=limits, camera=quiet)
        wait_for(lambda: time.sleep(0.2) or subscriber.out.read_bytes().count(
            b' plated/gate/passage ') >= self.N, 'the backlog')
        took = time.monotonic() - started
        peak = self.peak_kib(second)
        self.assertEqual(second.end(), 0)
        self.assertEqual((self.stored('message'), self.stored('owed')), (0, 0))
        idle = self.daemon(mosquitto.port, name='idle', outbox=limits, camera=quiet)
        idle.wait_said('plated: connected to broker')
        idle.wait_said('plated: camera gate ended')
        without = self.peak_kib(idle)
        self.assertEqual(idle.end(), 0)
        received = keys(subscriber.passages())
        self.assertEqual(len(waiting), self.N)
        self.assertEqual(received, waiting)
        self.assertLess(peak - without, 4096)
        print(f'## {self.N} messages in {took:.0f} s; at most {without} KiB without them, '
              f'{peak} KiB with them', file=sys.stderr)


class Models(Case):
    def test_corrupted_model(self):
        """Refused at start with a sentence; on a reload the good one goes on."""
        whole = (MODELS / 'detector.onnx').read_bytes()
        broken = {'half': whole[:len(whole) // 2], 'noise': random.Random(1).randbytes(100000)}
        for name, content in broken.items():
            (self.folder / f'{name}.onnx').write_bytes(content)
            daemon = self.daemon(1, name=name, camera={'source': self.empty},
                                 models={'detector': self.folder / f'{name}.onnx'})
            self.assertEqual(daemon.process.wait(60), 78)
            self.assertIn(f'{name}.onnx: ', daemon.said())
            self.assertEqual(len(daemon.said().splitlines()), 1, daemon.said())
        daemon = self.daemon(1, camera={'source': self.vehicles, 'loop': 'yes'})
        daemon.wait_decided(1)
        for name in broken:
            daemon.configure(models={'detector': self.folder / f'{name}.onnx'})
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: daemon.said().count('the running configuration stays') ==
                     list(broken).index(name) + 1, 'a refusal')
            daemon.wait_decided(len(daemon.decided()) + 2)
        self.assertEqual(daemon.end(), 0)


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
        print(f'## PLATED_SEED={self.seed} PLATED_KILLS={self.kills}', file=sys.stderr)
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
        print(f'## {self.kills} kills: {len(self.committed)} messages known to be committed, '
              f'{n} delivered, {len(received) - n} again, {len(self.owed)} finals owed, '
              f'at most {left} left behind', file=sys.stderr)


if __name__ == '__main__':
    unittest.main()

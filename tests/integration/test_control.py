#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells on its own machine: the control socket, the metrics, and nothing else."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.demo import broker                                                # noqa: E402
from tests.integration import schema                                         # noqa: E402
from tests.integration.daemon import Case, PATIENCE_S, PLATECTL, sequence, wait_for  # noqa: E402

# As daemon/service_control.c has them.
CLIENTS, PATIENCE_OF_SERVER_S = 16, 10


def sockets_of(pid):
    """{inode} of the sockets that a process has open."""
    links = set()
    for entry in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        with contextlib.suppress(OSError):
            links.add(os.readlink(entry))
    return {int(m[1]) for m in (re.fullmatch(r'socket:\[(\d+)\]', link) for link in links) if m}


def listening(pid):
    """[(address in hex, port)] on which a process takes connections or datagrams."""
    own, found = sockets_of(pid), []
    for table in ('tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'):
        path = pathlib.Path(f'/proc/{pid}/net/{table}')
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            words = line.split()
            bound = words[3] == '0A' if table.startswith('tcp') else words[2].endswith(':0000')
            if bound and int(words[9]) in own:
                address, port = words[1].split(':')
                found.append((address, int(port, 16)))
    return found


class Service(Case):
    """A daemon over a clip that never ends, which a broker hears."""

    def setUp(self):
        super().setUp()
        self.broker = self.mosquitto()
        self.idle = sequence(self.pictures, ['none', 'left', 'none'], 'idle')

    def start(self, **sections):
        daemon = self.daemon(self.broker.port, log={'level': 'info'},
                             camera={'source': self.idle, 'loop': 'yes', 'realtime': 'yes'}, **sections)
        daemon.wait_said('plated: ready')
        daemon.wait_said('connected to broker')
        return daemon

    def ctl(self, daemon, *arguments, status=0, text=True):
        ended = subprocess.run([PLATECTL, *arguments, '--config', daemon.path], text=text,
                               capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, status, ended.stderr)
        return ended

    def descriptors(self, daemon):
        return len(os.listdir(f'/proc/{daemon.process.pid}/fd'))


class Control(Service):
    def socket(self, daemon):
        made = socket.socket(socket.AF_UNIX)
        self.addCleanup(made.close)
        made.connect(str(daemon.sections['control']['socket']))
        made.settimeout(PATIENCE_S)
        return made

    def ask(self, daemon, request):
        """Sends bytes and reads up to the end; the end of a connection cut off is an end too."""
        asking, answer = self.socket(daemon), b''
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            asking.sendall(request)
            while more := asking.recv(65536):
                answer += more
        return answer

    def test_status(self):
        daemon = self.start()
        path = daemon.sections['control']['socket']
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)
        told = json.loads(self.ctl(daemon, 'status', '--json').stdout)
        self.assertEqual(schema.check(told['state'], 'state'), [])
        self.assertEqual({k: told[k] for k in ('ok', 'ready', 'stopping', 'pid', 'config',
                                               'broker', 'broker_connected')},
                         {'ok': True, 'ready': True, 'stopping': False, 'pid': daemon.process.pid,
                          'config': str(daemon.path), 'broker': '127.0.0.1',
                          'broker_connected': True})
        self.assertRegex(self.ctl(daemon, 'status').stdout,
                         r'\Aservice  plated \S+, process \d+, up \d+ s, \S+\n'
                         r'camera   gate: playing, [\d.]+ frames a second, latency (-|\d+) ms\n'
                         r'broker   127\.0\.0\.1: connected, \d+ messages waiting, 0 dropped\n'
                         r'machine  (-|\d+) °C.*, clock (not )?synchronised\n\Z')
        self.broker.stop()
        wait_for(lambda: ': away,' in self.ctl(daemon, 'status', status=1).stdout, 'the loss')
        self.assertEqual(daemon.end(), 0)
        self.assertFalse(path.exists())
        self.assertIn('the service does not run', self.ctl(daemon, 'status', status=69).stderr)

    def test_snapshot(self):
        """The next frame for who asks, and for nobody else."""
        import cv2
        daemon = self.start()
        subscriber = self.subscriber(self.broker.port, pattern='plated/gate/snapshot')
        picture = self.folder / 'now.jpg'
        self.ctl(daemon, 'snapshot', picture)
        self.assertEqual(cv2.imread(str(picture)).shape[:2], (720, 640))
        self.assertTrue(self.ctl(daemon, 'snapshot', '-', text=False).stdout.startswith(b'\xff\xd8'))
        self.ctl(daemon, 'snapshot', '/nonexistent/now.jpg', status=73)
        self.ctl(daemon, 'snapshot', status=64)
        self.assertEqual(subscriber.messages(), [])
        daemon.configure(camera={'source': 'v4l2:/dev/video-not-there'})
        daemon.reload()
        wait_for(lambda: '/dev/video-not-there' in self.ctl(daemon, 'status', status=1).stdout, 'loss')
        self.assertIn('the camera is lost: ', self.ctl(daemon, 'snapshot', picture, status=69).stderr)

    @unittest.skipIf(os.getuid() != 0, 'only root can ask as somebody else')
    def test_strangers(self):
        """The socket is for user and group; pictures in privacy mode for root alone."""
        nobody, group = 65534, os.getgid()
        self.folder.chmod(0o755)
        daemon = self.start()
        daemon.path.chmod(0o644)

        def ask(group, *arguments):
            ended = subprocess.run([PLATECTL, *arguments, '--config', daemon.path], text=True,
                                   capture_output=True, timeout=PATIENCE_S, user=nobody, group=group,
                                   extra_groups=[])
            return ended.returncode, ended.stderr

        try:
            self.assertEqual(ask(group, 'status'), (0, ''))
        except PermissionError:
            self.skipTest('the build lies where nobody else may run it')
        self.assertEqual(ask(group, 'snapshot', '/dev/null'), (0, ''))
        status, said = ask(nobody, 'status')
        self.assertEqual(status, 69)
        self.assertIn("only root and the members of the service's group may ask", said)
        daemon.wait_said(f'a snapshot for user {nobody}, process ')
        key = self.folder / 'key'
        key.write_text('0123456789abcdef0123456789abcdef')
        key.chmod(0o600)
        daemon.configure(privacy={'hash': 'yes', 'key_file': key})
        daemon.reload()
        status, said = ask(group, 'snapshot', '/dev/null')
        self.assertEqual(status, 69)
        self.assertIn('only root may take a picture', said)
        self.ctl(daemon, 'snapshot', '/dev/null')

    def test_requests(self):
        daemon = self.start()
        for request, answer in ((b'status\n', rb'\{"ok":true,"ready":true,.*\}\n'),
                                (b'status\nstatus\n', rb'\{"ok":true,.*\}\n'),
                                (b'open the gate\n', rb'\{"ok":false,"error":"the request is .*"\}\n'),
                                (b'\n', rb'\{"ok":false,.*\}\n'),
                                (b's' * 257, rb''), (b's' * 1000000 + b'\n', rb''),
                                (b'sta\0tus\n', rb'')):
            with self.subTest(request=request[:20]):
                self.assertRegex(self.ask(daemon, request), rb'\A' + answer + rb'\Z')

    def test_hostile(self):
        """Slow, silent, many: each is cut off, and others are answered meanwhile."""
        daemon = self.start()
        before = self.descriptors(daemon)
        silent = [self.socket(daemon) for _ in range(3 * CLIENTS)]
        slow = self.socket(daemon)
        slow.sendall(b'sta')
        deaf = self.socket(daemon)
        deaf.sendall(b'snapshot\n')
        self.assertLessEqual(self.descriptors(daemon), before + CLIENTS + 1)
        begun = time.monotonic()
        self.ctl(daemon, 'status')
        self.assertLess(time.monotonic() - begun, PATIENCE_OF_SERVER_S)
        self.assertEqual(silent[0].recv(1), b'', 'the oldest was not cut off')
        for late in (slow, silent[-1]):
            self.assertEqual(late.recv(1), b'')
        wait_for(lambda: self.descriptors(daemon) <= before, 'all connections gone')
        self.ctl(daemon, 'status')
        self.assertEqual(daemon.end(), 0)

    def test_socket_left_behind(self):
        daemon = self.start()
        self.assertEqual(daemon.end(signal.SIGKILL), -signal.SIGKILL)
        self.assertTrue(daemon.sections['control']['socket'].exists())
        daemon.start()
        wait_for(lambda: daemon.said().count('plated: ready') == 2, 'the second start')
        self.ctl(daemon, 'status')

    def test_socket_of_another(self):
        """It is left alone, and the service runs without."""
        first = self.start()
        second = self.daemon(self.broker.port, name='second', outbox={'file': ''},
                             camera={'name': 'other', 'source': self.idle, 'loop': 'yes'},
                             control={'socket': first.sections['control']['socket']})
        second.wait_said('no control socket')
        second.wait_said('plated: ready')
        self.assertEqual(second.end(), 0)
        self.assertEqual(json.loads(self.ctl(first, 'status', '--json').stdout)['pid'],
                         first.process.pid)


SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)', re.I)


class Metrics(Service):
    def setUp(self):
        super().setUp()
        self.port = broker.free_port()

    def ask(self, request):
        answer = b''
        with socket.create_connection(('127.0.0.1', self.port), PATIENCE_S) as asking, \
                contextlib.suppress(BrokenPipeError, ConnectionResetError):
            asking.sendall(request)
            while more := asking.recv(65536):
                answer += more
        return answer

    def scrape(self):
        """{name with labels: value}, each line being as the format wants it."""
        head, body = self.ask(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n').split(b'\r\n\r\n', 1)
        self.assertIn(b'HTTP/1.1 200 OK\r\n', head)
        self.assertIn(b'Content-Type: text/plain; version=0.0.4', head)
        self.assertIn(b'Content-Length: %d\r\n' % len(body), head)
        values, types = {}, {}
        for line in body.decode().splitlines():
            told = re.fullmatch(r'# TYPE (\S+) (counter|gauge)', line)
            if told:
                self.assertNotIn(told[1], types)
                types[told[1]] = told[2]
            elif not line.startswith('# HELP '):
                sample = SAMPLE.fullmatch(line)
                self.assertTrue(sample, line)
                self.assertEqual(types[sample[1]] == 'counter', sample[1].endswith('_total'))
                values[line.rsplit(' ', 1)[0]] = float(sample[3])
        return values

    def test_metrics(self):
        daemon = self.start(metrics={'port': self.port})
        self.assertEqual(listening(daemon.process.pid), [('0100007F', self.port)])
        wait_for(lambda: self.scrape()['plated_passages_total{type="final"}'] >= 1, 'a passage')
        first = self.scrape()
        self.assertEqual((first['plated_camera_up'], first['plated_broker_connected'],
                          first['plated_broker_connections_total']), (1, 1, 1))
        self.assertGreater(first['process_resident_memory_bytes'], 1e6)
        self.assertEqual(first['process_open_fds'], self.descriptors(daemon) + 1)
        self.assertTrue(any(name.startswith('plated_build_info{') for name in first))
        wait_for(lambda: self.scrape()['plated_frames_total'] > first['plated_frames_total'],
                 'more frames')
        page = (pathlib.Path(__file__).resolve().parents[2] / 'docs/operations.md').read_text()
        for name in {n.split('{')[0] for n in first}:
            self.assertIn(f'`{name}`', page)

    def test_requests(self):
        self.start(metrics={'port': self.port})
        for request, answer in ((b'GET / HTTP/1.1\r\n\r\n', b'HTTP/1.1 404 '),
                                (b'POST /metrics HTTP/1.1\r\n\r\n', b'HTTP/1.1 405 '),
                                (b'\r\n\r\n', b'HTTP/1.1 400 '), (b'GET\r\n\r\n', b'HTTP/1.1 400 '),
                                (b'GET /metrics SIP/2.0\r\n\r\n', b'HTTP/1.1 400 '),
                                (b'GET /' + b'x' * 100000, b''), (b'GET /\0 HTTP/1.1\r\n\r\n', b'')):
            with self.subTest(request=request[:20]):
                answered = self.ask(request)
                self.assertTrue(answered.startswith(answer) and bool(answered) == bool(answer),
                                answered[:80])

    def test_hostile(self):
        daemon = self.start(metrics={'port': self.port})
        before = self.descriptors(daemon)
        with contextlib.ExitStack() as stack:
            for _ in range(3 * CLIENTS):
                stack.enter_context(socket.create_connection(('127.0.0.1', self.port), PATIENCE_S))
            self.assertIn('plated_camera_up', self.scrape())
            self.assertLessEqual(self.descriptors(daemon), before + CLIENTS + 1)
            wait_for(lambda: self.descriptors(daemon) <= before, 'all connections gone')

    def test_comes_and_goes(self):
        """On reload; a port that is taken costs a warning."""
        daemon = self.start()
        self.assertEqual(listening(daemon.process.pid), [], 'something listens without being asked')
        daemon.configure(metrics={'port': self.broker.port})
        daemon.reload()
        daemon.wait_said(f'no metrics: 127.0.0.1:{self.broker.port}: Address already in use')
        daemon.configure(metrics={'port': self.port})
        daemon.reload()
        self.assertIn('plated_camera_up', self.scrape())
        daemon.configure(metrics={'port': 0})
        daemon.reload()
        self.assertEqual(listening(daemon.process.pid), [])
        self.assertEqual(daemon.end(), 0)


class Check(Case):
    def check(self, text, status, *said):
        path = self.folder / 'some.conf'
        path.write_text(text)
        ended = subprocess.run([PLATECTL, 'config', 'check', path], capture_output=True, text=True,
                               timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, status, ended.stderr)
        for part in said:
            self.assertIn(part, ended.stdout + ended.stderr)

    def test_config_check(self):
        self.check('[camera]\nsource = test:\n', 0, 'some.conf: good')
        self.check('[mqtt]\nport = many\n', 78, 'some.conf:2: [mqtt] port: expected')
        self.check('[camera]\nsource = nonsense\n', 78, 'some.conf:2: [camera] source: ')


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, read-only or away, on a file system of the test's own."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration.daemon import Case, keys, unique, wait_for             # noqa: E402
from tests.integration.test_faults import Outbox                             # noqa: E402


def mount(*argv):
    return subprocess.run(['mount', *map(str, argv)], capture_output=True, text=True)


class Disk(Case):
    """The databases and pictures lie on a file system that the test mounts; root alone may."""

    def setUp(self):
        super().setUp()
        self.disk = self.folder / 'disk'
        self.disk.mkdir()
        self.broker = self.mosquitto()
        self.received = self.subscriber(self.broker.port)
        self.broker.stop()

    def mounted(self, *argv):
        made = mount(*argv, self.disk)
        if made.returncode:
            self.skipTest(f'no file system can be mounted: {made.stderr.strip()}')
        self.addCleanup(subprocess.run, ['umount', '-l', self.disk], check=False)

    def start(self, name, **more):
        return self.daemon(self.broker.port, name=name,
                           camera={'source': self.vehicles, 'loop': 'yes'},
                           outbox={'file': self.disk / 'outbox.db'},
                           store={'file': self.disk / 'events.db'},
                           snapshot={'directory': self.disk / 'pictures', 'crop': 'yes'}, **more)

    def fill(self):
        """Not a byte is free afterwards."""
        with open(self.disk / 'filler', 'ab', buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while filler.write(bytes(size)):
                        pass

    def deliver(self, daemon, expected):
        """The broker comes back: all that was told arrives, in order and under one id."""
        self.broker.start()
        wait_for(lambda: set(expected) <= set(keys(self.received.passages())), 'delivery')
        received = keys(self.received.passages())
        order = [k for k in unique(received) if k in set(expected)]
        self.assertEqual(order, expected)
        return len(received) - len(unique(received))

    def end(self, daemon):
        """Each passage that was begun has one final."""
        self.assertEqual(daemon.end(), 0)
        wait_for(lambda: self.received.texts('plated/gate/availability')[-1:] == ['offline'],
                 'the end')
        received = {keys([p])[0]: p for p in self.received.passages()}
        self.check_pairs(received.values())

    def test_full(self):
        """Full while passages come, then with room again, then killed: none is lost."""
        self.mounted('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs')
        daemon = self.start('full')
        daemon.wait_decided(2)
        self.fill()
        daemon.wait_said('passages are kept in memory')
        full = len(daemon.decided())
        daemon.wait_decided(full + 4)
        (self.disk / 'filler').unlink()
        daemon.wait_said('outbox.db takes passages again')
        daemon.wait_decided(len(daemon.decided()) + 1)
        daemon.end(signal.SIGKILL)
        decided = keys(daemon.decided())
        copy = Outbox(self.disk, self.folder / 'copy')
        self.assertEqual(copy.whole, 'ok')
        self.assertEqual([keys([p])[0] for p in copy.messages.values()][:len(decided)], decided)
        for sentence in ('passages are kept in memory', 'no pictures: '):
            self.assertEqual(daemon.said().count(sentence), 1, sentence)
        second = self.daemon(self.broker.port, name='second', camera={'source': self.empty},
                             outbox={'file': self.disk / 'outbox.db'},
                             store={'file': self.disk / 'events.db'})
        again = self.deliver(second, decided)
        self.end(second)
        print(f'## full disk: {len(decided)} messages told, {full} before it was known, all '
              f'delivered, {again} again', file=sys.stderr)

    def test_away_at_start(self):
        """What the disk held goes out as soon as it is there, without a restart."""
        self.mounted('-t', 'tmpfs', '-o', 'size=8m', 'tmpfs')
        first = self.start('first')
        first.wait_decided(4)
        first.end(signal.SIGKILL)
        kept = [keys([p])[0] for p in
                Outbox(self.disk, self.folder / 'copy').messages.values()]
        self.assertEqual(mount('-o', 'remount,ro', self.disk).returncode, 0)
        second = self.start('second')
        second.wait_said('passages are kept in memory')
        second.wait_said('plated: ready')
        second.wait_decided(3)
        self.assertEqual(mount('-o', 'remount,rw', self.disk).returncode, 0)
        second.wait_said('outbox.db takes passages again')
        second.wait_said('events.db takes passages again')
        second.wait_decided(len(second.decided()) + 2)
        told = keys(second.decided())
        again = self.deliver(second, kept + told)
        self.end(second)
        print(f'## read-only at start: {len(kept)} kept from before and {len(told)} told since, '
              f'{again} again', file=sys.stderr)

    def test_read_only(self):
        """A file system that ext4 takes away after an error: the gate goes on."""
        trigger = list(pathlib.Path('/sys/fs/ext4').glob('*/trigger_fs_error'))
        if not shutil.which('mkfs.ext4') or not trigger:
            self.skipTest('no ext4 whose errors can be made')
        image = self.folder / 'image'
        with open(image, 'wb') as file:
            file.truncate(16 << 20)
        subprocess.run(['mkfs.ext4', '-q', '-F', image], check=True)
        self.mounted('-o', 'loop,errors=remount-ro', image)
        device = os.path.basename(subprocess.run(
            ['findmnt', '-no', 'SOURCE', self.disk], capture_output=True, text=True).stdout.strip())
        daemon = self.start('plated')
        daemon.wait_decided(2)
        pathlib.Path(f'/sys/fs/ext4/{device}/trigger_fs_error').write_text('test')
        daemon.wait_said('passages are kept in memory')
        daemon.wait_decided(len(daemon.decided()) + 4)
        told = keys(daemon.decided())
        again = self.deliver(daemon, told)
        self.end(daemon)
        print(f'## read-only disk: {len(told)} messages told and delivered, {again} again',
              file=sys.stderr)


if __name__ == '__main__':
    unittest.main()

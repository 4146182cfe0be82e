#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""platectl: pictures read by hand, and passages watched."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration import schema                                         # noqa: E402
from tests.integration.daemon import Case, MODELS, PATIENCE_S, PLATECTL, wait_for  # noqa: E402


class Read(Case):
    def setUp(self):
        super().setUp()
        self.config = self.folder / 'plated.conf'
        self.config.write_text('' if (MODELS / 'region.onnx').exists() else '[models]\nregion =\n')

    def read(self, *arguments, status=0):
        ended = subprocess.run([PLATECTL, 'read', '--config', self.config, '--models', MODELS,
                                *arguments], capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, status, ended.stderr)
        return ended

    def objects(self, *arguments, **options):
        lines = self.read('--json', *arguments, **options).stdout.splitlines()
        objects = [json.loads(line) for line in lines]
        for item in objects:
            self.assertEqual(schema.check(item, 'picture'), [])
        return objects

    def test_pictures(self):
        left, right, none = self.objects(*(self.pictures / f'{n}.jpg'
                                           for n in ('left', 'right', 'none')))
        self.assertEqual([p['plate'] for p in left['plates'] + right['plates'] if p['plate']],
                         self.plates)
        self.assertEqual(none['plates'], [])
        self.assertEqual((left['width'], left['height']), (640, 720))
        x, y, w, h = left['plates'][0]['box']
        self.assertTrue(0 <= x and 0 <= y and x + w <= 640 and y + h <= 720 and w > h > 10)
        self.assertGreater(left['ms']['detect'], 0)
        self.assertGreater(left['ms']['read'], 0)

    def test_directory(self):
        """All that is in it, in the order of names, hidden files and links to folders aside."""
        deep = self.folder / 'tree' / 'b' / 'deep'
        deep.mkdir(parents=True)
        for target in (deep / 'x.jpg', self.folder / 'tree' / 'a.jpg', self.folder / 'tree' / 'c.jpg',
                       self.folder / 'tree' / '.hidden.jpg'):
            target.write_bytes((self.pictures / 'none.jpg').read_bytes())
        (self.folder / 'tree' / 'b' / 'up').symlink_to('..')
        (self.folder / 'tree' / 'd.jpg').symlink_to(self.pictures / 'left.jpg')
        os.mkfifo(self.folder / 'tree' / 'fifo')
        files = [o['file'] for o in self.objects(self.folder / 'tree')
                 if pathlib.Path(o['file']).is_file()]
        self.assertEqual([str(pathlib.Path(f).relative_to(self.folder / 'tree')) for f in files],
                         ['a.jpg', 'b/deep/x.jpg', 'c.jpg', 'd.jpg'])

    def test_broken_files(self):
        """One sentence for each, the others are read, and the status tells."""
        good = (self.pictures / 'left.jpg').read_bytes()
        folder = self.folder / 'mixed'
        folder.mkdir()
        (folder / 'a-cut.jpg').write_bytes(good[:len(good) // 3])
        (folder / 'b-empty.jpg').write_bytes(b'')
        (folder / 'c-text.jpg').write_text('no picture at all\n')
        (folder / 'd-good.jpg').write_bytes(good)
        ended = self.read('--json', folder, folder / 'missing.jpg', '/dev/null', status=1)
        names = [pathlib.Path(json.loads(line)['file']).name for line in ended.stdout.splitlines()]
        self.assertEqual(names[-1], 'd-good.jpg')
        complaints = ended.stderr.splitlines()
        for name in ('b-empty.jpg', 'c-text.jpg', 'missing.jpg', '/dev/null'):
            self.assertEqual(len([c for c in complaints if name in c]), 1, ended.stderr)
        # A picture that breaks off is read as far as it goes or refused, never both.
        self.assertEqual(('a-cut.jpg' in names) + sum('a-cut.jpg' in c for c in complaints), 1)

    def test_text(self):
        told = self.read(self.pictures / 'left.jpg', self.pictures / 'none.jpg').stdout
        self.assertRegex(told, rf'^\S*left\.jpg: {self.plates[0]} [01]\.\d\d .*at \d+,\d+ \d+x\d+\n'
                               r'\S*none\.jpg: no plate\n$')

    def test_usage(self):
        for arguments in ([], ['read'], ['read', '--nonsense', 'x'], ['nonsense'],
                          ['watch', '--port', 'x']):
            ended = subprocess.run([PLATECTL, *arguments], capture_output=True, text=True)
            self.assertEqual(ended.returncode, 64, arguments)
            self.assertTrue(ended.stderr)
        for verb in ('help', 'version'):
            subprocess.run([PLATECTL, verb], check=True, stdout=subprocess.DEVNULL)

    def test_missing_models(self):
        ended = subprocess.run([PLATECTL, 'read', '--models', '/nonexistent', 'x.jpg'],
                               capture_output=True, text=True)
        self.assertEqual(ended.returncode, 1)
        self.assertIn('/nonexistent/detector.onnx', ended.stderr)


class Watch(Case):
    def test_watch(self):
        mosquitto = self.mosquitto()
        for options in ([], ['--json']):
            with self.subTest(options=options):
                log = self.folder / f'watch{len(options)}.out'
                with open(log, 'wb') as out:
                    watch = subprocess.Popen([PLATECTL, 'watch', '--host', '127.0.0.1', '--port',
                                              str(mosquitto.port), *options], stdout=out)
                self.addCleanup(lambda p: p.poll() is None and p.kill(), watch)
                daemon = self.daemon(mosquitto.port, name=f'watched{len(options)}',
                                     camera={'source': self.vehicles, 'loop': 'yes'})
                wait_for(lambda: len(log.read_text().splitlines()) >= 4, 'passages')
                self.assertEqual(daemon.end(), 0)
                watch.send_signal(signal.SIGINT)
                self.assertEqual(watch.wait(PATIENCE_S), 0)
                for line in log.read_text().splitlines():
                    if options:
                        self.assertEqual(schema.check(json.loads(line), 'passage'), [])
                    else:
                        self.assertRegex(line, r'^\d{4}-\S+Z (provisional|final)\s+[0-9A-Z]+ '
                                               r'[01]\.\d\d \S+ (approaching|leaving|unknown) gate$')


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One passage for each vehicle, whatever it does; and how soon the gate hears of it."""
import json
import multiprocessing
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.demo import broker, judge                                         # noqa: E402
from tests.integration.daemon import (Case, PATIENCE_S, sequence, wait_for)  # noqa: E402

# As installed; the daemon of the other tests is told more easily and sooner again.
INSTALLED = {'quiet': '2s', 'rearm': '45s', 'provisional_reads': 2, 'provisional': 0.8}


class Vehicles(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from tests.demo import passage_clips
        cls.clips = pathlib.Path(tempfile.mkdtemp(prefix='plated-clips-'))
        cls.addClassCleanup(shutil.rmtree, cls.clips)
        with multiprocessing.Pool(2) as pool:
            cls.truth = {name: passage_clips.draw(cls.clips, name, pool)
                         for name in passage_clips.CLIPS}

    def finals(self, port, name, subscriber):
        """What the daemon tells of a clip, each frame of which it looks at."""
        daemon = self.daemon(port, name=name, passage=INSTALLED,
                             camera={'name': name, 'exit_at_end': 'yes',
                                     'source': f'file:{self.clips / name}.avi'})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said()[-2000:])
        wait_for(lambda: subscriber.texts(f'plated/{name}/availability')[-1:] == ['offline'],
                 'the end')
        passages = subscriber.passages(f'plated/{name}/passage')
        self.check_pairs(passages)
        return [judge.plain(p['plate']) for p in judge.finals_of(passages)]

    def test_one_passage_for_each(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        told = {name: self.finals(mosquitto.port, name, subscriber) for name in self.truth}
        right = asked = passages = 0
        for name, plates in self.truth.items():
            hits = sum(told[name].count(plate) == 1 for plate in plates)
            right, asked, passages = right + hits, asked + len(plates), passages + len(told[name])
            print(f'## {name}: {len(plates)} vehicles, {len(told[name])} passages, {hits} right',
                  file=sys.stderr)
        precision, recall = right / max(1, passages), right / asked
        print(f'## passages: precision {precision:.3f}, recall {recall:.3f}', file=sys.stderr)
        self.assertEqual((precision, recall), (1, 1), f'told {told}, in view {self.truth}')


class Latency(Case):
    """A plate that is there from one frame to the next: how soon a subscriber hears of it."""
    FPS, TIMES = 10, 12

    def heard(self, port):
        """mosquitto_sub that writes when each message arrived."""
        out = open(self.folder / 'heard', 'wb')
        process = subprocess.Popen(
            ['stdbuf', '-oL', broker.program('mosquitto_sub'), '-h', '127.0.0.1', '-p', str(port),
             '-t', 'plated/gate/#', '-F', '%U %t %p'], stdout=out)
        self.addCleanup(out.close)
        self.addCleanup(broker.end, process)

    def messages(self, leaf):
        """[(milliseconds since 1970 on arrival, message)]"""
        text = (self.folder / 'heard').read_text(errors='replace')
        return [(float(at) * 1000, json.loads(payload)) for at, payload in
                re.findall(rf'^([\d.]+) plated/gate/{leaf} (\{{.*\}})\n', text, re.M)]

    def live_source(self):
        """Left and right in turns, with pauses, as from a camera."""
        clip = ['left'] * 6 + ['none'] * 10 + ['right'] * 6 + ['none'] * 10
        path = sequence(self.pictures, clip * (self.TIMES // 2), 'live', self.FPS).removeprefix('file:')
        return (f'gst:filesrc location={path} ! avidemux ! jpegdec ! videorate ! '
                f'identity sync=true single-segment=true ! videoconvert')

    def report(self, name, delays, reads=None):
        delays = sorted(delays)
        frames = f', after {min(reads)} to {max(reads)} readings' if reads else ''
        p50, p99 = delays[len(delays) // 2], delays[min(len(delays) - 1, len(delays) * 99 // 100)]
        print(f'## {name}: {len(delays)} times, p50 {p50:.0f} ms ({p50 * self.FPS / 1000:.1f} '
              f'frames), p99 {p99:.0f} ms ({p99 * self.FPS / 1000:.1f} frames){frames}',
              file=sys.stderr)
        return p50

    def test_latency(self):
        mosquitto = self.mosquitto()
        self.heard(mosquitto.port)
        access = self.folder / 'access.csv'
        access.write_text('\n'.join(self.plates) + '\n')
        daemon = self.daemon(mosquitto.port, access={'lists': access},
                             passage=INSTALLED | {'quiet': '500ms', 'rearm': '500ms'},
                             camera={'source': self.live_source()})
        wait_for(lambda: sum(m['type'] == 'final' for _, m in self.messages('passage')) >=
                 self.TIMES - 2, 'the passages')
        self.assertEqual(daemon.end(), 0)
        first = {m['id']: m['first_seen_ms'] for _, m in self.messages('passage')}
        told = [(at, m) for at, m in self.messages('passage') if m['type'] == 'provisional']
        decided = [(at, m) for at, m in self.messages('access') if m['id'] in first]
        self.assertGreaterEqual(len(told), self.TIMES - 4)
        self.assertGreaterEqual(len(decided), self.TIMES - 4)
        # From the first frame that shows the plate, which is legible in it.
        self.report('provisional', [at - m['first_seen_ms'] for at, m in told],
                    [m['reads'] for _, m in told])
        self.report('access', [at - first[m['id']] for at, m in decided])
        handed = self.report('access, from the decision on',
                             [at - m['time_ms'] for at, m in decided])
        self.assertLessEqual(max(m['reads'] for _, m in told), 3)
        self.assertLess(handed, 1000)
        for at, message in decided:
            self.assertLess(at, message['expires_ms'])


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""plated as its users meet it: a real source, the released models, a real broker."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.demo import broker                                                # noqa: E402
from tests.integration import schema                                         # noqa: E402
from tests.integration.daemon import (Case, MODELS, PATIENCE_S, PLATED, keys, sequence, unique,
                                      wait_for)                              # noqa: E402


class Configuration(Case):
    def refused(self, text, *arguments):
        """What is said on the way to exit status 78."""
        path = self.folder / 'bad.conf'
        path.write_text(text)
        ended = subprocess.run([PLATED, '--config', path, *arguments], capture_output=True,
                               text=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, 78, ended.stderr)
        return ended.stderr.replace(str(path), 'bad.conf')

    def test_bad_value(self):
        told = self.refused('[mqtt]\nport = many\n')
        self.assertEqual(told, "plated: bad.conf:2: [mqtt] port: expected a whole number from 0 to "
                               "65535, found 'many'\n")

    def test_check_config(self):
        for text, part in (('[camera]\nsource = nonsense\n', 'bad.conf:2: [camera] source: '),
                           ('[mqtt]\nusername = u\npassword_file = /nonexistent/p\n',
                            'bad.conf:3: [mqtt] password_file: /nonexistent/p: No such file')):
            self.assertIn(part, self.refused(text, '--check-config'))

    def test_unknown_key_is_a_warning(self):
        path = self.folder / 'odd.conf'
        path.write_text('[mqtt]\nhots = broker\n')
        ended = subprocess.run([PLATED, '--config', path, '--check-config'], capture_output=True,
                               text=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, 0)
        self.assertIn("odd.conf:2: [mqtt] has no key 'hots'; it is ignored", ended.stderr)

    def test_missing_file(self):
        ended = subprocess.run([PLATED, '--config', self.folder / 'none.conf'], capture_output=True,
                               text=True, timeout=PATIENCE_S)
        self.assertEqual(ended.returncode, 78)
        self.assertIn('none.conf: No such file or directory', ended.stderr)

    def test_missing_model(self):
        told = self.refused('[models]\ndirectory = /nonexistent\n[outbox]\nfile =\n')
        self.assertIn('/nonexistent/detector.onnx', told)

    def test_missing_clip(self):
        region = '' if (MODELS / 'region.onnx').exists() else 'region =\n'
        told = self.refused('[camera]\nsource = file:/nonexistent.mp4\n'
                            f'[models]\ndirectory = {MODELS}\n{region}[outbox]\nfile =\n')
        self.assertIn('bad.conf:2: [camera] source: ', told)
        self.assertIn('/nonexistent.mp4', told)

    def test_defaults_are_a_configuration(self):
        printed = subprocess.run([PLATED, '--print-defaults'], capture_output=True, text=True,
                                 check=True).stdout
        path = self.folder / 'defaults.conf'
        path.write_text(printed)
        subprocess.run([PLATED, '--config', path, '--check-config'], check=True,
                       stdout=subprocess.DEVNULL)


class Models(Case):
    def start(self, name, cache):
        """{name: inode} of the cache after the service has been ready."""
        daemon = self.daemon(1, name=name, camera={'source': self.vehicles},
                             models={'cache': cache})
        wait_for(lambda: 'ready' in daemon.said(), 'ready')
        self.assertEqual(daemon.end(), 0)
        self.assertNotIn('compiled', daemon.said())
        return {p.name: p.stat().st_ino for p in cache.iterdir()}

    def test_compiled_once(self):
        cache = self.folder / 'cache'
        cache.mkdir()
        first = self.start('first', cache)
        self.assertEqual(sorted(n.split('-')[0] for n in first), ['detector', 'reader', 'region'])
        self.assertEqual(self.start('second', cache), first)


class Delivery(Case):
    def test_finite_source(self):
        """Every vehicle once; the service ends by itself with nothing left behind."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'exit_at_end': 'yes'},
                             snapshot={'directory': self.folder / 'snapshots', 'crop': 'yes',
                                       'publish': 'yes', 'publish_crop': 'yes'})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'the end')
        passages = subscriber.passages()
        self.check_pairs(passages)
        finals = [p for p in passages if p['type'] == 'final']
        self.assertEqual([p['plate'] for p in finals], self.plates)
        self.assertEqual(keys(passages), keys(daemon.decided()))
        for passage in finals:
            self.assertEqual(passage['frame'], {'width': 640, 'height': 720})
            self.assertTrue(pathlib.Path(passage['snapshot']).read_bytes().startswith(b'\xff\xd8'))
        pictures = list((self.folder / 'snapshots').iterdir())
        self.assertEqual(sorted(p.name for p in pictures),
                         sorted(n for p in finals for n in (p['id'] + '.jpg', p['id'] + '-crop.jpg')))
        for topic in ('snapshot', 'crop'):
            sent = [p for _, t, p in subscriber.messages() if t == f'plated/gate/{topic}']
            self.assertEqual(len(sent), len(passages))
            self.assertTrue(all(p.startswith(b'\xff\xd8') for p in sent))
        self.assertFalse(any(retained for retained, topic, _ in subscriber.messages()
                             if topic.endswith(('passage', 'snapshot', 'crop'))))
        for state in subscriber.texts('plated/gate/state'):
            self.assertEqual(schema.check(json.loads(state), 'state'), [])

    def test_still_pictures(self):
        """Every plate of every picture is a passage of its own, without a provisional one."""
        for number, picture in enumerate(('left', 'none', 'left', 'right')):
            (self.folder / f'{number}.jpg').symlink_to(self.pictures / f'{picture}.jpg')
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': f'images:{self.folder}/*.jpg',
                                                     'exit_at_end': 'yes'})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'the end')
        passages = subscriber.passages()
        self.assertEqual([p['type'] for p in passages], ['final'] * 3)
        self.assertEqual([p['plate'] for p in passages],
                         [self.plates[0], self.plates[0], self.plates[1]])
        self.assertEqual(len({p['id'] for p in passages}), 3)

    def test_retained(self):
        """Who comes later sees availability and state, and no passage."""
        mosquitto = self.mosquitto()
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'loop': 'yes'})
        daemon.wait_decided(4)
        late = self.subscriber(mosquitto.port, name='late')
        wait_for(lambda: len([m for m in late.messages() if m[0]]) >= 2, 'retained messages')
        retained = {topic for was_retained, topic, _ in late.messages() if was_retained}
        self.assertEqual(retained, {'plated/gate/availability', 'plated/gate/state'})
        self.assertEqual(daemon.end(), 0)

    def test_broker_restarts(self):
        """A broker that goes and comes while passages flow: none lost, none out of order."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'loop': 'yes'})
        for _ in range(2):
            daemon.wait_decided(len(daemon.decided()) + 6)
            mosquitto.stop()
            daemon.wait_decided(len(daemon.decided()) + 6)
            mosquitto.start()
        daemon.wait_decided(len(daemon.decided()) + 6)
        # The end waits for the broker only briefly: let it be back, with all that waited for it.
        waited = set(keys(daemon.decided()))
        wait_for(lambda: waited <= set(keys(subscriber.passages())), 'what waited')
        self.assertEqual(daemon.end(), 0, daemon.said()[-2000:])
        decided = keys(daemon.decided())
        wait_for(lambda: len(set(keys(subscriber.passages()))) == len(set(decided)), 'all passages')
        received = keys(subscriber.passages())
        self.assertEqual(unique(received), decided)
        self.check_pairs([p for i, p in enumerate(subscriber.passages())
                          if keys([p])[0] not in received[:i]])
        # Again only what the broker had not acknowledged when it went.
        self.assertLessEqual(len(received) - len(decided), 4)

    def test_broker_is_away_at_start(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        mosquitto.stop()
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'loop': 'yes'})
        daemon.wait_said('plated: ready')
        daemon.wait_decided(6)
        self.assertEqual(daemon.said().count('Connection refused'),
                         len(re.findall(r'broker 127\.0\.0\.1:\d+: Connection refused',
                                        daemon.said())))
        mosquitto.start()
        wait_for(lambda: len(subscriber.passages()) >= 6, 'the passages')
        self.assertEqual(daemon.end(), 0)
        self.assertEqual(unique(keys(subscriber.passages())), keys(daemon.decided()))

    def test_daemon_is_killed(self):
        """What was decided without a broker is delivered by the next start, and owed finals too."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        mosquitto.stop()
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'loop': 'yes'})
        daemon.wait_decided(7)
        daemon.end(signal.SIGKILL)
        decided = daemon.decided()
        self.assertGreaterEqual(self.stored('message'), len(decided))
        mosquitto.start()
        again = self.daemon(mosquitto.port, name='again', camera={'source': self.empty,
                                                                  'exit_at_end': 'yes'})
        self.assertEqual(again.process.wait(PATIENCE_S), 0, again.said())
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'the end')
        passages = subscriber.passages()
        # The last one may have been stored and not yet written about.
        self.assertEqual(keys(passages)[:len(decided)], keys(decided))
        self.check_pairs(passages)
        self.assertEqual({p['id'] for p in passages},
                         {p['id'] for p in passages if p['type'] == 'final'})
        self.assertEqual(len(keys(passages)), len(set(keys(passages))))

    def test_two_daemons(self):
        mosquitto = self.mosquitto()
        daemon = self.daemon(mosquitto.port, camera={'source': self.empty})
        daemon.wait_said('plated: ready')
        second = self.daemon(mosquitto.port, name='second', camera={'source': self.empty})
        self.assertEqual(second.process.wait(PATIENCE_S), 1)
        self.assertIn('outbox.db is in use by another process', second.said())

    def test_broken_outbox(self):
        (self.folder / 'outbox.db').write_text('no database, but long enough to look at it')
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'exit_at_end': 'yes'})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said())
        self.assertIn('outbox.db is broken; it was set aside as', daemon.said())
        wait_for(lambda: len(subscriber.passages()) == len(daemon.decided()), 'the passages')
        self.assertTrue((self.folder / 'outbox.db.broken').exists())


class Life(Case):
    def test_notify(self):
        """What systemd hears from the start to the end."""
        mosquitto = self.mosquitto()
        systemd = self.notify()
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'loop': 'yes'},
                             env=systemd.env | {'WATCHDOG_USEC': '4000000'})
        self.assertNotIn('WATCHDOG=1', systemd.hear('STATUS=loading models'))
        systemd.hear('READY=1')
        systemd.hear(r'STATUS=camera playing, [1-9][\d.]* fps, broker connected, \d+ passages waiting')
        systemd.hear('WATCHDOG=1')
        daemon.process.send_signal(signal.SIGHUP)
        reloading = systemd.hear('READY=1')
        self.assertIn('RELOADING=1', reloading)
        stamps = [int(line[15:]) for line in reloading if line.startswith('MONOTONIC_USEC=')]
        self.assertAlmostEqual(stamps[0] / 1e6, time.monotonic(), delta=PATIENCE_S)
        daemon.process.send_signal(signal.SIGTERM)
        systemd.hear('STOPPING=1')
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0)

    def test_signals_while_loading(self):
        """A reload that is asked for too early comes later; a stop is a stop."""
        for number, heard in ((signal.SIGHUP, 'RELOADING=1'), (signal.SIGTERM, 'STOPPING=1')):
            with self.subTest(signal=number):
                systemd = self.notify()
                daemon = self.daemon(1, name=number.name, env=systemd.env,
                                     camera={'source': self.empty, 'loop': 'yes'},
                                     outbox={'file': ''})
                systemd.hear('STATUS=loading models')
                daemon.process.send_signal(number)
                systemd.hear(heard)
                self.assertEqual(daemon.end(), 0, daemon.said())

    def test_ready_without_camera(self):
        """A camera that is away: ready all the same, said in the state, watchdog fed."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': 'v4l2:/dev/video-not-there'})
        daemon.wait_said('plated: ready')
        wait_for(lambda: any('"state":"lost"' in s for s in subscriber.texts('plated/gate/state')),
                 'the state')
        self.assertEqual(daemon.end(), 0)

    def test_terminate(self):
        """SIGTERM ends what passes at the moment, and says goodbye."""
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        standing = sequence(self.pictures, ['left'], 'standing')
        daemon = self.daemon(mosquitto.port, camera={'source': standing, 'loop': 'yes', 'fps': 20},
                             passage={'longest': '1h'})
        daemon.wait_decided(1)
        self.assertEqual(daemon.end(), 0, daemon.said())
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'offline')
        passages = subscriber.passages()
        self.assertEqual([p['type'] for p in passages], ['provisional', 'final'])
        self.check_pairs(passages)
        late = self.subscriber(mosquitto.port, name='late', pattern='plated/gate/availability')
        wait_for(late.messages, 'the retained message')
        self.assertEqual(late.messages(), [(True, 'plated/gate/availability', b'offline')])
        self.assertEqual((self.stored('message'), self.stored('owed')), (0, 0))

    def test_last_will(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': self.empty})
        wait_for(lambda: subscriber.texts('plated/gate/availability') == ['online'], 'online')
        daemon.end(signal.SIGKILL)
        wait_for(lambda: subscriber.texts('plated/gate/availability') == ['online', 'offline'],
                 'the last will')

    def test_plates_are_not_logged(self):
        mosquitto = self.mosquitto()
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'exit_at_end': 'yes'},
                             log={'level': 'info'})
        subscriber = self.subscriber(mosquitto.port)
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0)
        wait_for(lambda: len(subscriber.passages()) >= 1, 'passages')
        for plate in self.plates:
            self.assertNotIn(plate, daemon.said())


class Commands(Case):
    def command(self, port, *arguments):
        subprocess.run([broker.program('mosquitto_pub'), '-p', str(port), '-t', 'plated/gate/command',
                        '-q', '1', *arguments], check=True, timeout=PATIENCE_S)

    def test_commands(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port, pattern='plated/gate/snapshot')
        self.command(mosquitto.port, '-m', 'reload', '-r')
        source = sequence(self.pictures, ['none'] * 3, 'idle')
        daemon = self.daemon(mosquitto.port, mqtt={'commands': 'yes'},
                             camera={'source': source, 'loop': 'yes', 'realtime': 'yes'})
        daemon.wait_said('a retained command is not obeyed')
        self.command(mosquitto.port, '-m', 'snapshot')
        wait_for(subscriber.messages, 'a snapshot')
        self.assertTrue(subscriber.messages()[0][2].startswith(b'\xff\xd8'))
        self.command(mosquitto.port, '-m', 'open the gate')
        daemon.wait_said('a command of 13 bytes is neither snapshot nor reload')
        self.command(mosquitto.port, '-m', 'reload')
        daemon.wait_said('plated.conf was applied')
        self.assertEqual(len(subscriber.messages()), 1)
        daemon.configure(mqtt={'commands': 'no'})
        daemon.reload()
        self.command(mosquitto.port, '-m', 'snapshot')
        self.assertEqual(daemon.end(), 0)
        self.assertEqual(len(subscriber.messages()), 1)


class Reload(Case):
    def test_bad_configuration_is_not_taken(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'loop': 'yes'})
        daemon.wait_decided(2)
        good = daemon.path.read_text()
        for text, part in (('[mqtt]\nport = many\n', ':2: [mqtt] port: expected a whole number'),
                           (good + '[engine]\nthreads = 99\n', 'threads: expected a whole number'),
                           (good.replace(str(MODELS), '/nonexistent'), '/nonexistent/detector.onnx'),
                           (good.replace('file:', 'nonsense:'), '[camera] source: ')):
            daemon.path.write_text(text)
            said = daemon.said().count('; the running configuration stays')
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: daemon.said().count('; the running configuration stays') > said,
                     'a refusal')
            self.assertIn(part, daemon.said())
            daemon.wait_decided(len(daemon.decided()) + 2)
        self.assertEqual(daemon.end(), 0)
        self.assertEqual(keys(subscriber.passages()), keys(daemon.decided()))
        self.assertEqual(subscriber.texts('plated/gate/availability'), ['online', 'offline'])

    def test_new_topics(self):
        """Another prefix and name: goodbye under the old topics, passages under the new."""
        mosquitto = self.mosquitto()
        old = self.subscriber(mosquitto.port, name='old')
        new = self.subscriber(mosquitto.port, name='new', pattern='other/#')
        daemon = self.daemon(mosquitto.port, camera={'source': self.vehicles, 'loop': 'yes'})
        daemon.wait_decided(2)
        daemon.configure(camera={'name': 'north'}, mqtt={'prefix': 'other'})
        daemon.reload()
        wait_for(lambda: len(new.passages('other/north/passage')) >= 4, 'new passages')
        self.assertEqual(daemon.end(), 0)
        # Said once more by the last will where the broker was slow to take the goodbye.
        said = old.texts('plated/gate/availability')
        self.assertEqual((said[0], set(said[1:])), ('online', {'offline'}))
        wait_for(lambda: new.texts('other/north/availability') == ['online', 'offline'], 'the end')
        wait_for(lambda: len(old.passages()) + len(new.passages('other/north/passage'))
                 >= len(daemon.decided()), 'all passages')
        received = old.passages() + new.passages('other/north/passage')
        self.assertEqual(unique(keys(received)), keys(daemon.decided()))

    def test_no_frame_is_lost(self):
        """Models, thresholds, snapshots and broker change while vehicles pass: all are told of."""
        rounds = 40
        many = sequence(self.pictures, ['left', 'none', 'none', 'right', 'none', 'none'] * rounds,
                        'many')
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        daemon = self.daemon(mosquitto.port, camera={'source': many, 'exit_at_end': 'yes'})
        for n, change in enumerate(({'recognition': {'detect_threshold': 0.3}},
                                    {'mqtt': {'keepalive': '20s'}, 'engine': {'threads': 1}},
                                    {'snapshot': {'directory': self.folder / 'snapshots'},
                                     'passage': {'final': 0.4}})):
            daemon.wait_decided(2 + 4 * n)
            daemon.configure(**change)
            daemon.reload()
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said()[-2000:])
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'the end')
        finals = [p['plate'] for p in daemon.decided() if p['type'] == 'final']
        self.assertEqual(finals, self.plates * rounds)
        self.assertEqual(unique(keys(subscriber.passages())), keys(daemon.decided()))
        self.assertTrue(list((self.folder / 'snapshots').iterdir()))

    def test_new_camera(self):
        mosquitto = self.mosquitto()
        daemon = self.daemon(mosquitto.port, camera={'source': self.empty, 'loop': 'yes'})
        daemon.wait_said('plated: ready')
        self.assertEqual(daemon.decided(), [])
        daemon.configure(camera={'source': self.vehicles})
        daemon.reload()
        daemon.wait_decided(4)
        self.assertEqual(daemon.end(), 0)


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""plated with brokers that want a password or speak TLS, and with those it must not trust."""
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.demo import broker                                                # noqa: E402
from tests.integration.daemon import Case, wait_for                          # noqa: E402


NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']


def authority(folder, name, subject):
    """NAME.pem, signed by itself, and NAME.key."""
    subprocess.run(['openssl', 'req', '-x509', *NEW_KEY, '-days', '2', '-subj', subject, '-keyout',
                    folder / f'{name}.key', '-out', folder / f'{name}.pem'], check=True,
                   capture_output=True)


def certificate(folder, name, signer, subject):
    """NAME.pem, signed by an authority for this machine, and NAME.key."""
    names, request = folder / f'{name}.names', folder / f'{name}.csr'
    names.write_text('subjectAltName=DNS:localhost,IP:127.0.0.1\n')
    subprocess.run(['openssl', 'req', '-new', *NEW_KEY, '-subj', subject, '-keyout',
                    folder / f'{name}.key', '-out', request], check=True, capture_output=True)
    subprocess.run(['openssl', 'x509', '-req', '-in', request, '-days', '2', '-CA',
                    folder / f'{signer}.pem', '-CAkey', folder / f'{signer}.key',
                    '-CAcreateserial', '-extfile', names, '-out', folder / f'{name}.pem'],
                   check=True, capture_output=True)


class Password(Case):
    def setUp(self):
        super().setUp()
        passwords = self.folder / 'passwords'
        subprocess.run([broker.program('mosquitto_passwd'), '-b', '-c', passwords, 'gate',
                        'sesame'], check=True, capture_output=True)
        passwords.chmod(0o644)
        self.folder.chmod(0o755)
        self.broker = self.mosquitto(extra=f'allow_anonymous false\npassword_file {passwords}\n')
        self.secret = self.folder / 'secret'

    def start(self, secret, mode=0o600, **options):
        self.secret.write_text(secret + '\n')
        self.secret.chmod(mode)
        options.setdefault('mqtt', {}).update({'username': 'gate', 'password_file': self.secret})
        return self.daemon(self.broker.port, camera={'source': self.empty}, **options)

    def test_good_password(self):
        for protocol in ('3.1.1', '5'):
            daemon = self.start('sesame', name=f'good-{protocol}', mqtt={'protocol': protocol})
            daemon.wait_said('plated: connected to broker')
            self.assertEqual(daemon.end(), 0)

    def test_wrong_password_then_right(self):
        """One sentence why, no restart needed: the file is read again on reload."""
        for protocol, why in (('3.1.1', 'not authorised'), ('5', 'Not authorized')):
            with self.subTest(protocol=protocol):
                daemon = self.start('open', name=f'wrong-{protocol}', mqtt={'protocol': protocol})
                daemon.wait_said(why)
                daemon.wait_said('plated: ready')
                self.secret.write_text('sesame\n')
                daemon.reload()
                daemon.wait_said('plated: connected to broker')
                self.assertEqual(daemon.end(), 0)
                self.assertNotIn('sesame', daemon.said())

    def test_readable_password(self):
        daemon = self.start('sesame', mode=0o640)
        self.assertEqual(daemon.process.wait(60), 78)
        self.assertIn('[mqtt] password_file: ', daemon.said())
        self.assertIn('mode 0640 lets others read the secret, expected 0600', daemon.said())

    def test_credential(self):
        """systemd's credential goes before the file."""
        (self.folder / 'mqtt-password').write_text('sesame')
        daemon = self.start('wrong', env={'CREDENTIALS_DIRECTORY': str(self.folder)})
        daemon.wait_said('plated: connected to broker')
        self.assertEqual(daemon.end(), 0)


class Tls(Case):
    def setUp(self):
        super().setUp()
        if not shutil.which('openssl'):
            self.skipTest('openssl is not installed')
        authority(self.folder, 'ca', '/CN=test authority')
        authority(self.folder, 'stranger', '/CN=somebody else')
        certificate(self.folder, 'server', 'ca', '/CN=localhost')
        certificate(self.folder, 'client', 'ca', '/CN=gate')
        for path in self.folder.iterdir():
            path.chmod(0o644)
        self.folder.chmod(0o755)

    def broker_with(self, extra=''):
        made = self.mosquitto(extra=f'allow_anonymous true\ncafile {self.folder}/ca.pem\n'
                                    f'certfile {self.folder}/server.pem\n'
                                    f'keyfile {self.folder}/server.key\n{extra}')
        return made.port

    def start(self, port, **mqtt):
        return self.daemon(port, camera={'source': self.empty},
                           mqtt={'host': 'localhost', 'tls': 'yes',
                                 'ca_file': self.folder / 'ca.pem'} | mqtt)

    def test_trusted(self):
        daemon = self.start(self.broker_with())
        daemon.wait_said('plated: connected to broker localhost')
        self.assertEqual(daemon.end(), 0)

    def test_client_certificate(self):
        port = self.broker_with('require_certificate true\n')
        daemon = self.start(port, cert_file=self.folder / 'client.pem',
                            key_file=self.folder / 'client.key')
        daemon.wait_said('plated: connected to broker localhost')
        self.assertEqual(daemon.end(), 0)

    def test_stranger(self):
        """A certificate of an authority that was not named."""
        daemon = self.start(self.broker_with(), ca_file=self.folder / 'stranger.pem')
        daemon.wait_said('certificate verify failed')
        daemon.wait_said('plated: ready')
        self.assertNotIn('connected to broker', daemon.said())
        self.assertEqual(daemon.end(), 0)

    def test_wrong_name(self):
        """The right authority, another host."""
        daemon = self.start(self.broker_with(), host='127.0.0.2')
        wait_for(lambda: 'broker 127.0.0.2' in daemon.said(), 'a refusal')
        self.assertNotIn('connected to broker', daemon.said())
        self.assertEqual(daemon.end(), 0)


if __name__ == '__main__':
    unittest.main()

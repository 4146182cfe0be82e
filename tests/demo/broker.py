# SPDX-License-Identifier: Apache-2.0
"""A mosquitto of one's own on a free loopback port, and what is published on it."""
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def program(name):
    """Debian keeps mosquitto in sbin, which is not in everybody's PATH."""
    found = shutil.which(name) or shutil.which(name, path='/usr/sbin:/sbin:/usr/bin')
    if not found:
        raise FileNotFoundError(f'{name} is not installed')
    return found


def end(process, patience_s=10):
    """Asks a process to stop, and makes it when it does not. Its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


class Broker:
    """Started in the folder, on loopback alone, without memory of earlier runs."""

    def __init__(self, folder, port=None):
        self.port = port or free_port()
        config = folder / 'mosquitto.conf'
        config.write_text(f'listener {self.port} 127.0.0.1\nallow_anonymous true\n'
                          'persistence false\nlog_dest stderr\n'
                          + ('user root\n' if os.getuid() == 0 else ''))
        self.log = folder / 'mosquitto.log'
        with open(self.log, 'wb') as out:
            self.process = subprocess.Popen([program('mosquitto'), '-c', config], stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        self.wait()

    def wait(self):
        until = time.monotonic() + 15
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(('127.0.0.1', self.port)) == 0:
                    return
            time.sleep(0.05)
        end(self.process)
        raise RuntimeError(f'mosquitto did not start: {self.log.read_text()[-300:]}')

    def close(self):
        end(self.process)


class Listener:
    """mosquitto_sub in the background; take() gives (topic, bytes)."""

    def __init__(self, port, pattern='plated/#'):
        self.arrived = queue.Queue()
        self.process = subprocess.Popen(
            [program('mosquitto_sub'), '-h', '127.0.0.1', '-p', str(port), '-q', '1', '-t', pattern,
             '-F', '%t %x'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.thread = threading.Thread(target=self.pump, daemon=True)
        self.thread.start()

    def pump(self):
        for line in self.process.stdout:
            topic, _, payload = line.decode('ascii', 'replace').rstrip('\n').partition(' ')
            self.arrived.put((topic, bytes.fromhex(payload)))

    def take(self, seconds):
        """The next message, or None when there is none in that time."""
        try:
            return self.arrived.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self):
        end(self.process)

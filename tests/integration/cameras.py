# SPDX-License-Identifier: Apache-2.0
"""A camera that can go wrong: JPEGs over a loopback connection, read by a real pipeline."""
import contextlib
import socket
import struct
import threading
import time

BOUNDARY = b'plated-test-camera'


def jpegs_of(avi):
    """The frames of a Motion JPEG clip in AVI, as they lie in the file."""
    data, at, frames = avi.read_bytes(), 0, []
    at = data.index(b'movi') + 4
    while data[at:at + 4] == b'00dc':
        n = struct.unpack_from('<I', data, at + 4)[0]
        frames.append(data[at + 8:at + 8 + n])
        at += 8 + n + n % 2
    return frames


class Camera:
    """Serves `frames` in a circle, `fps` a second, to whoever connects; starts with the first
    unless it is stuck.

    vanish() cuts the connection and refuses others until come_back(); frozen sends nothing more,
    broken sends JPEGs with holes, stuck sends the same picture again and again."""

    def __init__(self, frames, fps):
        self.frames, self.period_s = frames, 1 / fps
        self.frozen = self.broken = self.stuck = self.ended = False
        self.shown, self.rounds, self.sent, self.connections = 0, 0, 0, 0
        self.clean_rounds, self.spoiled = 0, False      # rounds of which every frame was good
        self.listener = self.taken = None
        self.port = self.listen(0)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def source(self):
        return (f'gst:tcpclientsrc host=127.0.0.1 port={self.port} ! '
                f'multipartdemux boundary={BOUNDARY.decode()} ! jpegdec')

    def listen(self, port):
        self.listener = socket.create_server(('127.0.0.1', port), reuse_port=False)
        self.listener.settimeout(0.1)
        return self.listener.getsockname()[1]

    def packet(self):
        jpeg = self.frames[self.shown]
        if self.broken:
            jpeg = jpeg[:len(jpeg) // 3] + bytes(64) + jpeg[len(jpeg) // 2:-64]
        return (b'--' + BOUNDARY + b'\r\nContent-Type: image/jpeg\r\nContent-Length: '
                + str(len(jpeg)).encode() + b'\r\n\r\n' + jpeg + b'\r\n')

    def step(self):
        self.sent += 1
        if self.stuck:
            return
        self.shown = (self.shown + 1) % len(self.frames)
        if self.shown == 0:
            self.rounds += 1
            self.clean_rounds += not self.spoiled
            self.spoiled = False

    def serve(self):
        self.shown, self.spoiled, due = self.shown * self.stuck, False, time.monotonic()
        while not self.ended and self.listener:
            self.spoiled |= self.frozen or self.broken or self.stuck
            if not self.frozen:
                self.taken.sendall(self.packet())
                self.step()
            due = max(due + self.period_s, time.monotonic() - self.period_s)
            time.sleep(max(0, due - time.monotonic()))

    def run(self):
        while not self.ended:
            if not self.listener:
                time.sleep(0.02)
                continue
            with contextlib.suppress(OSError):
                self.taken, _ = self.listener.accept()
                self.taken.settimeout(1)
                self.connections += 1
                self.serve()
            self.cut()

    def cut(self):
        """Ends the connection the way of a pulled plug: with a reset, not in good order."""
        taken, self.taken = self.taken, None
        with contextlib.suppress(OSError, AttributeError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            taken.close()

    def vanish(self):
        listener, self.listener = self.listener, None
        listener.close()

    def come_back(self):
        self.frozen = self.broken = self.stuck = False
        if not self.listener:
            self.listen(self.port)

    def close(self):
        self.ended = True
        self.thread.join()
        if self.listener:
            self.listener.close()

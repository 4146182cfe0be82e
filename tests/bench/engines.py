# SPDX-License-Identifier: Apache-2.0
"""Inference engines as tests/bench/compare.py sees them: started on a model with some
threads, they say how they loaded, run when told, and write their outputs.

Processors are given one by one, for a quiet virtual machine can pack two threads on one:
each engine may use the first of them, one for each thread, and keeps its threads there.
"""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
PYTHON = os.environ.get('PYTHON', '/usr/bin/python3')


class Failed(RuntimeError):
    """What an engine said when it could not load or run a model."""


def environment():
    """Without what this machine tells OpenBLAS, which Python's engines suffer from."""
    return {k: v for k, v in os.environ.items() if not k.startswith('OPENBLAS_')}


def on_processors(threads):
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    return lambda: os.sched_setaffinity(0, cpus)


class Plated:
    """The engine itself, a process for each round; `model` may be a compiled file. What it
    is timed on is the tool's own pattern: reading a file would count as its memory."""

    name, title = 'plated', 'plated'

    def __init__(self, tool, model, inputs, threads):
        self.threads, self.loads = threads, []
        self.command = [tool, 'bench', model, '--threads', threads, '--pin', '--json']
        self.tensors = [a for name, path in inputs for a in ('--input', f'{name}={path}')]
        self.tool, self.model, self.told = tool, model, None

    def call(self, command):
        done = subprocess.run([str(a) for a in command], capture_output=True, text=True,
                              preexec_fn=on_processors(self.threads), env=environment())
        if done.returncode:
            raise Failed(done.stderr.strip().splitlines()[-1])
        return done.stdout

    def run(self, n):
        """(wall, cpu) medians of n inferences; each call loads anew."""
        started = time.monotonic() * 1e3
        told = json.loads(self.call([*self.command, '--iters', n, '--warmup', 1]))
        self.loads.append((told['load_ms'], told['ready_ms'] - started))
        self.told = told
        return [told['median_ms']], [told['cpu_ms']]

    def outputs(self):
        with tempfile.TemporaryDirectory() as folder:
            self.call([self.tool, 'run', self.model, *self.tensors, '--threads', self.threads,
                       '--output-dir', folder])
            return {p.stem: np.load(p) for p in pathlib.Path(folder).glob('*.npy')}

    def memory_kb(self):
        return self.told['peak_rss_kb'], self.told['avg_rss_kb']

    def close(self):
        pass


class Peer:
    """A process that loads once and is then driven by lines."""

    def __init__(self, command, threads):
        started = time.monotonic() * 1e3
        self.threads, self.rss_kb = threads, []
        self.process = subprocess.Popen(
            [str(a) for a in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment(),
            preexec_fn=on_processors(threads))
        told = self.answer()
        self.base_kb = told['base_kb']
        self.loads = [(told['load_ms'], told['ready_ms'] - started)]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            said = self.process.stderr.read().strip().splitlines()
            self.process.wait()
            raise Failed(said[-1] if said else f'ended with {self.process.returncode}')
        return json.loads(line)

    def ask(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        return self.answer()

    def cpu_of_threads(self):
        told = {}
        for task in pathlib.Path(f'/proc/{self.process.pid}/task').iterdir():
            fields = (task / 'stat').read_text().rsplit(')', 1)[1].split()
            told[int(task.name)] = int(fields[11]) + int(fields[12])
        return told

    def warm(self):
        """Runs, and keeps the threads that were busy then on processors of their own."""
        before = self.cpu_of_threads()
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            self.ask('run 1')
        after = self.cpu_of_threads()
        busy = sorted(after, key=lambda t: before.get(t, 0) - after[t])[:self.threads]
        for cpu, thread in zip(sorted(os.sched_getaffinity(0)), busy):
            os.sched_setaffinity(thread, {cpu})

    def run(self, n):
        told = self.ask(f'run {n}')
        self.rss_kb += told['rss_kb']
        return told['wall'], told['cpu']

    def memory_kb(self):
        """Peak and average, above what the interpreter had before the engine came."""
        status = pathlib.Path(f'/proc/{self.process.pid}/status').read_text()
        peak = int(status.split('VmHWM:')[1].split()[0])
        average = sum(self.rss_kb) / max(len(self.rss_kb), 1)
        return peak - self.base_kb, average - self.base_kb

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class OnnxRuntime(Peer):
    name, title = 'onnxruntime', 'ONNX Runtime'

    def __init__(self, modules, model, inputs, threads):
        self.folder = tempfile.TemporaryDirectory()
        request = []
        for i, (name, path) in enumerate(inputs):
            array = np.load(path)
            raw = pathlib.Path(self.folder.name) / f'in{i}.bin'
            raw.write_bytes(np.ascontiguousarray(array).tobytes())
            request.append({'name': name, 'type': str(array.dtype), 'dims': array.shape,
                            'file': str(raw)})
        path = pathlib.Path(self.folder.name) / 'request.json'
        path.write_text(json.dumps(request))
        super().__init__(['node', HERE / 'onnxruntime.js', modules, model, path, threads], threads)

    def outputs(self):
        told = self.ask(f'outputs {self.folder.name}')
        return {o['name']: np.frombuffer(pathlib.Path(o['file']).read_bytes(), o['type'])
                .reshape(o['dims']) for o in told['outputs']}

    def close(self):
        super().close()
        self.folder.cleanup()


class Python(Peer):
    def __init__(self, model, inputs, threads):
        (_, path), = inputs
        super().__init__([PYTHON, HERE / 'peer.py', self.name, model, path, threads], threads)

    def outputs(self):
        with tempfile.TemporaryDirectory() as folder:
            told = self.ask(f'outputs {folder}')
            arrays = [np.load(f'{folder}/{i}.npy') for i in range(told['n'])]
        return dict(zip(told['names'] or map(str, range(told['n'])), arrays))


class OpenCv(Python):
    name, title = 'opencv', 'OpenCV DNN'


class PyTorch(Python):
    name, title = 'pytorch', 'PyTorch'

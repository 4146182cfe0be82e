#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the engine with others on the benchmark networks and the released models.

    tests/bench/compare.py [--peers] [--a72] [--networks a,b] [--threads 1,2] [--rounds N]

The networks come from `models.benchmarks` (build/networks). What was measured of a network
lies in build/bench/NAME.json; docs/benchmarks.md is written from all that lies there. With
--peers ONNX Runtime (npm: onnxruntime-node), OpenCV DNN and PyTorch (Debian) run too, turn
by turn with ours. With --a72 the estimator of a Cortex-A72 in $A72 or ../shared/a72 runs
ours at one thread, from build-static/ (`./run arm64`). docs/engine-performance.md is
written from the same.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests' / 'bench')]
import numpy as np                                                           # noqa: E402
import onnx                                                                  # noqa: E402
import a72                                                                   # noqa: E402
import engines                                                               # noqa: E402
import page                                                                  # noqa: E402
import performance                                                           # noqa: E402
import released                                                              # noqa: E402
from models import halve                                                     # noqa: E402

NETWORKS, RESULTS, PEERS = ROOT / 'build/networks', ROOT / 'build/bench', ROOT / 'build/peers'
TOOL = pathlib.Path(os.environ.get('PLATED_NN', ROOT / 'build/engine/plated-nn'))
# Of one engine in one round.
ROUND_MS, ROUND_MOST = 400, 25
COMPILED_STARTS = 6


class Case:
    """A network with an input, and PyTorch's answer where there is one."""

    def __init__(self, name):
        self.name = name
        folder = NETWORKS / name
        self.released = not folder.exists()
        self.model = ROOT / 'models' / f'{name}.onnx' if self.released else folder / 'model.onnx'
        self.wide = self.model
        self.torch = None if self.released else folder / 'model.pt'
        self.inputs = [(p.stem.partition('_')[2], p) for p in sorted(folder.glob('input_*.npy'))]
        self.expected = {p.stem.partition('_')[2]: np.load(p)
                         for p in sorted(folder.glob('output_*.npy'))}

    def seed_input(self, folder):
        """A released model comes without one: seeded noise of its input's shape."""
        told = released.output(TOOL, 'inspect', self.model)
        name, shape = re.search(r'^input (\S+): float32 (\S+)', told, re.M).groups()
        x = np.random.default_rng(1).random([int(d) for d in shape.split('×')], np.float32)
        path = pathlib.Path(folder) / 'input.npy'
        np.save(path, x)
        self.inputs = [(name, path)]

    def widen(self, folder):
        """OpenCV 4.6 reads no float16, which the released models are stored in."""
        self.wide = pathlib.Path(folder) / 'wide.onnx'
        onnx.save(halve.whole(onnx.load(self.model)), self.wide)


def difference(outputs, expected):
    """The largest of all outputs, divided by the largest value of that output."""
    worst = 0
    for i, (name, y) in enumerate(expected.items()):
        mine = outputs[name] if name in outputs else list(outputs.values())[i]
        if mine.shape != y.shape:
            mine = mine.reshape(y.shape)
        worst = max(worst, float(np.abs(mine - y).max() / np.abs(y).max()))
    return worst


def make(kind, case, threads):
    if kind is engines.Plated:
        return kind(TOOL, case.model, case.inputs, threads)
    if kind is engines.OnnxRuntime:
        return kind(PEERS / 'node_modules', case.model, case.inputs, threads)
    return kind(case.torch if kind is engines.PyTorch else case.wide, case.inputs, threads)


def start(kinds, case, threads, failures):
    running = []
    for kind in kinds:
        try:
            engine = make(kind, case, threads)
            if isinstance(engine, engines.Peer):
                engine.warm()
            engine.run(1)
            running.append(engine)
        except engines.Failed as why:
            failures[kind.name] = str(why)
            print(f'{case.name}: {kind.title}: {why}', file=sys.stderr)
    return running


def interleaved(running, rounds):
    """{engine: (wall times, processor times)}, in turns."""
    told = {e.name: ([], []) for e in running}
    for turn in range(rounds):
        for engine in running:
            wall = told[engine.name][0]
            typical = statistics.median(wall) if wall else engine.run(1)[0][0]
            n = max(1, min(ROUND_MOST, round(ROUND_MS / typical)))
            for kept, new in zip(told[engine.name], engine.run(n)):
                kept += new
    return told


def measure_threads(kinds, case, threads, rounds):
    failures, told = {}, {}
    running = start(kinds, case, threads, failures)
    times = interleaved(running, rounds)
    for engine in running:
        wall, cpu = times[engine.name]
        peak, average = engine.memory_kb()
        load, started = (statistics.median(t[i] for t in engine.loads) for i in range(2))
        told[engine.name] = {
            'wall_ms': statistics.median(wall), 'cpu_ms': statistics.median(cpu), 'n': len(wall),
            'load_ms': load, 'started_ms': started, 'peak_kb': peak, 'average_kb': average}
        if threads == 1:
            told[engine.name]['outputs'] = engine.outputs()
        engine.close()
    told.update((name, {'failed': why}) for name, why in failures.items())
    return told


def compiled(case):
    """Load of the compiled file, memory and first inference of ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'model.nnp'
        subprocess.run([TOOL, 'compile', case.model, path, '--threads', '1'], check=True,
                       stdout=subprocess.PIPE)
        engine = engines.Plated(TOOL, path, case.inputs, 1)
        for _ in range(COMPILED_STARTS):
            engine.run(3)
        load, started = (statistics.median(t[i] for t in engine.loads) for i in range(2))
        return {'load_ms': load, 'started_ms': started, **{
            k: engine.told[k] for k in ('first_ms', 'median_ms', 'peak_rss_kb', 'weights_bytes',
                                        'arena_bytes', 'isa', 'gflops')}}


def profile(case):
    """Layer by layer, at one thread."""
    engine = engines.Plated(TOOL, case.model, case.inputs, 1)
    return json.loads(engine.call([TOOL, 'profile', case.model, '--threads', 1, '--pin', '--json',
                                   '--iters', 15]))


def estimates(case, tool, before):
    """Of the engine as it is, and of another program: COMMIT=PROGRAM."""
    told = {}
    for key, at, program in [('a72', released.commit(), a72.STATIC),
                             *([('a72_before', *before.split('=', 1))] if before else [])]:
        found = a72.estimate(tool, program, case.model)
        if found:
            told[key] = {**found, 'commit': at}
    return told


def versions():
    told = {'onnxruntime': None, 'opencv': released.output(
        engines.PYTHON, '-c', 'import cv2; print(cv2.__version__)'),
        'pytorch': released.output(engines.PYTHON, '-c', 'import torch; print(torch.__version__)')}
    package = PEERS / 'node_modules/onnxruntime-node/package.json'
    if package.exists():
        told['onnxruntime'] = json.loads(package.read_text())['version']
    return told


def measure(case, args):
    kinds = [engines.Plated]
    if args.peers:
        kinds += [engines.OnnxRuntime, engines.OpenCv]
        kinds += [engines.PyTorch] if case.torch else []
    told = {'threads': {}, 'ours': compiled(case), 'profile': profile(case),
            'commit': released.commit(), 'device': released.device(), 'compiler': released.compiler(),
            'kernel': platform.release(), 'load': round(os.getloadavg()[0], 1), 'versions': versions()}
    for threads in args.threads:
        told['threads'][str(threads)] = measure_threads(kinds, case, threads, args.rounds)
    results = told['threads'].get('1', {})
    expected = case.expected or results.get('onnxruntime', {}).get('outputs')
    for result in results.values():
        outputs = result.pop('outputs', None)
        if outputs is not None and expected:
            result['difference'] = difference(outputs, expected)
    return told


def fetch_peers():
    if not (PEERS / 'node_modules/onnxruntime-node').exists():
        subprocess.run(['npm', 'install', '--prefix', str(PEERS), '--ignore-scripts',
                        'onnxruntime-node'], check=True)


def export(names):
    wanted = [n for n in names if n not in released.MODELS]
    if wanted:
        subprocess.run([engines.PYTHON, '-m', 'models.benchmarks', str(NETWORKS), '--networks',
                        ','.join(wanted)], check=True, cwd=ROOT, env=engines.environment())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--peers', action='store_true')
    parser.add_argument('--a72', action='store_true')
    parser.add_argument('--networks', default=','.join(page.ORDER))
    parser.add_argument('--threads', default='1,2')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--no-times', action='store_true', help='with --a72: the estimate alone')
    parser.add_argument('--before', metavar='COMMIT=PROGRAM',
                        help='with --a72: an older static plated-nn, for what was won')
    args = parser.parse_args()
    args.threads = [int(t) for t in args.threads.split(',')]
    names = args.networks.split(',')
    unknown = [n for n in names if n not in page.ORDER]
    if unknown:
        parser.error(f'there is no network {unknown[0]}; there are {", ".join(page.ORDER)}')
    RESULTS.mkdir(parents=True, exist_ok=True)
    export(names)
    if args.peers:
        fetch_peers()
    tool = a72.find() if args.a72 else None
    for name in names:
        case, path = Case(name), RESULTS / f'{name}.json'
        before = json.loads(path.read_text()) if path.exists() else {}
        with tempfile.TemporaryDirectory() as folder:
            if case.released:
                case.seed_input(folder)
                case.widen(folder)
            told = before if args.no_times else {**before, **measure(case, args)}
            if tool:
                told.update(estimates(case, tool, args.before))
        path.write_text(json.dumps(told, indent=1))
        print('\n'.join(page.lines(name, told)), flush=True)
    page.write(RESULTS)
    performance.write(RESULTS)
    return 0


if __name__ == '__main__':
    sys.exit(main())

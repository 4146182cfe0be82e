#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the third-party networks of the data set with plated-nn and with ONNX Runtime.

    tests/bench/networks.py [--nn PATH] [--peers FOLDER] [--write] [PATTERN …]

ONNX Runtime comes from npm: `npm install --prefix build/peers --ignore-scripts onnxruntime-node`.
--write writes docs/networks.md. Ends with 1 when a network that both run differs.
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests' / 'integration'), str(ROOT / 'tests' / 'bench')]
import numpy as np                                                           # noqa: E402
import networks                                                              # noqa: E402
import released                                                              # noqa: E402

PAGE = ROOT / 'docs' / 'networks.md'
HEAD = '''# Networks of others

Written by `tests/bench/networks.py --write`, which runs every network of the data set
(`$PLATED_DATA/models/onnx`) with the same seeded input through `plated-nn run` and through
ONNX Runtime on one thread. The difference is the largest one of all outputs, divided by the
largest value of that output (0.01 where all are smaller); {tolerance:g} passes. Where activations
are rounded to 8 bits, a sum in another order moves some of them by a whole step and layers behind
it move more: there the root mean square of the difference must be at most {rounded:g} of that of
the output. In the networks under `light` nearly all weights of a tensor are equal: they show that
operators and shapes are right, little of the numbers.

Outputs that stand beside a file, made by others, are compared as well;
`tests/integration/test_networks.py` does that part in every test run.

| | |
| --- | --- |
| plated | {plated} |
| ONNX Runtime | {ort}, npm package onnxruntime-node, Node.js {node} |
| device | {device}, {isa}, Linux {kernel} |

{summary}

| network | opset | nodes | inputs | against ONNX Runtime | against stored outputs |
| --- | --- | ---: | --- | --- | --- |
'''


def version(peers):
    package = peers / 'node_modules' / 'onnxruntime-node' / 'package.json'
    if not package.exists():
        sys.exit(f'{package} is missing: npm install --prefix {peers} --ignore-scripts '
                 'onnxruntime-node')
    return json.loads(package.read_text())['version']


def onnxruntime(peers, network, inputs, folder):
    """({output: array}, '') of ONNX Runtime, or (None, its sentence)."""
    folder = pathlib.Path(folder)
    request = []
    for i, (name, array) in enumerate(inputs.items()):
        (folder / f'in{i}.bin').write_bytes(np.ascontiguousarray(array).tobytes())
        request.append({'name': name, 'type': str(array.dtype), 'dims': array.shape,
                        'file': str(folder / f'in{i}.bin')})
    (folder / 'request.json').write_text(json.dumps(request))
    done = subprocess.run(['node', str(ROOT / 'tests/bench/onnxruntime.js'),
                           str(peers / 'node_modules'), str(network.path),
                           str(folder / 'request.json'), '1'], input=f'outputs {folder}\n',
                          capture_output=True, text=True, timeout=300)
    if done.returncode:
        return None, last_line(done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    return {o['name']: np.frombuffer(pathlib.Path(o['file']).read_bytes(), o['type'])
            .reshape(o['dims']) for o in told['outputs']}, ''


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else 'it said nothing'


def judge(network, found):
    told = found.why or f'{found.largest:.1e}'
    if network.rounds and not found.why:
        told += f', rms {found.rms:.1e}'
    return told if found.passes(network) else f'differs: {told}'


def against_runtime(args, network):
    inputs = networks.seeded(network)
    with tempfile.TemporaryDirectory() as folder:
        ours, why = networks.run(args.nn, network, inputs, folder)
        if ours is None:
            return f'not supported: {why}'
        theirs, why = onnxruntime(args.peers, network, inputs, folder)
        if theirs is None:
            return f'runs; ONNX Runtime does not: {why}'
        return judge(network, networks.compare(ours, theirs))


def against_stored(args, network):
    worst, n = networks.Difference(), 0
    for _, inputs, outputs in networks.stored(network):
        with tempfile.TemporaryDirectory() as folder:
            ours, why = networks.run(args.nn, network, inputs, folder)
        if ours is None:
            return 'not supported'
        worst = max(worst, networks.compare(ours, outputs, alike=True))
        n += 1
    if not n:
        return '–'
    return judge(network, worst) + (f' ({n} sets)' if n > 1 else '')


def shape(dtype, dims):
    return f'{dtype} ' + '×'.join(str(d) for d in dims)


def row(args, network):
    opsets = ', '.join(f'{d} {v}'.strip() for d, v in sorted(network.opsets.items()))
    inputs = ', '.join(shape(t, s) for _, t, s in network.inputs())
    return (network.name, opsets or '–', str(len(network.model.graph.node)), inputs,
            against_runtime(args, network), against_stored(args, network))


def summary(rows):
    bad = sum('differs' in r[4] + r[5] for r in rows)
    lacking = sum(r[4].startswith('not supported') for r in rows)
    good = len(rows) - bad - lacking
    return (f'{good} of {len(rows)} networks run and agree, {bad} differ, '
            f'{lacking} are not supported, for the reason that stands there.')


def page(args, rows, found):
    info = {'tolerance': networks.TOLERANCE, 'rounded': networks.TOLERANCE_8_BIT,
            'plated': released.output('git', 'describe', '--always') or 'unknown',
            'ort': version(args.peers), 'node': released.output('node', '--version').lstrip('v'),
            'device': released.device(), 'isa': platform.machine(),
            'kernel': platform.release(), 'summary': summary(rows)}
    lines = [HEAD.format(**info).rstrip('\n')]
    lines += ['| ' + ' | '.join(cell.replace('|', '\\|') for cell in r) + ' |' for r in rows]
    lines += ['', '## Operators', '', '| network | operators |', '| --- | --- |']
    lines += [f'| {n.name} | {", ".join(n.operators)} |' for n in found]
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--nn', default=os.environ.get('PLATED_NN',
                                                       ROOT / 'build/engine/plated-nn'))
    parser.add_argument('--peers', type=pathlib.Path, default=ROOT / 'build/peers')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('patterns', nargs='*')
    args = parser.parse_args()
    version(args.peers)
    found = list(networks.find(args.patterns))
    if not found:
        sys.exit(f'{networks.NETWORKS}: no networks, PLATED_DATA says where the data is')
    rows = []
    for network in found:
        rows.append(row(args, network))
        print(f'{network.name:60} {rows[-1][4]}; stored {rows[-1][5]}', flush=True)
    print(summary(rows))
    if args.write:
        PAGE.write_text(page(args, rows, found))
    return any('differs' in r[4] + r[5] for r in rows)


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the node tests of ONNX through plated-nn: python3 onnx_nodes.py [--nn PATH] [PATTERN …]

Needs Debian's libonnx-testdata, python3-onnx and python3-numpy; exits 77 without them.
Every test runs twice: with its inputs given while running, and with all of them constant, so
that the same operators are checked as the constant folder uses them. Inputs that must be
constant (shapes, axes) are made so in the first run. Any operator that the engine knows must
give the right values, but for the tests named in UNSUPPORTED, which must be refused in words.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get('ONNX_TESTDATA', '/usr/share/libonnx-testdata/data'))
FOLDERS = ('node', 'simple', 'pytorch-operator', 'pytorch-converted')

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper
except ImportError as error:
    print(f'skipped: {error}')
    sys.exit(77)

# Tests of known operators that ask for what the engine does not do, and why.
UNSUPPORTED = {
    'test_batchnorm_*_training_mode': 'training',
    'test_training_dropout*': 'training',
    'test_maxpool_with_argmax_*': 'Indices of MaxPool',
    'test_cast*_BFLOAT16*': 'bfloat16',
    'test_*_float16': 'arithmetic in float16',
    'test_Conv3d*': 'convolution in three dimensions',
}
# The engine holds tensors of numbers and no subgraph that depends on its input.
NO_TENSORS = 'values that are no tensors of numbers'
SUBGRAPHS = {'If', 'Loop', 'Scan'}
# Tests whose own values are not those of the specification.
DIFFERENT = {
    'test_resize_downsample_scales_*_align_corners':
        'computed with the length before it is rounded; PyTorch and the text of opset 19 round',
}
# Tests that were computed with 3.1415 for pi.
LOOSE = {'test_*window*': 1e-3}
# Fewer than this many right tests mean that the harness is broken, not the engine.
LEAST_PASSED = 700


def find_tests(patterns):
    for folder in FOLDERS:
        for path in sorted((DATA / folder).glob('*/model.onnx')):
            name = path.parent.name
            if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns):
                yield folder, path.parent


def read_tensors(folder, kind, count):
    """Arrays of input_*.pb or output_*.pb; None when one is no tensor."""
    arrays = []
    for i in range(count):
        path = folder / f'{kind}_{i}.pb'
        if not path.exists():
            return None
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(path.read_bytes())
            arrays.append(np.ascontiguousarray(numpy_helper.to_array(tensor))
                          .reshape(tuple(tensor.dims)))
        except Exception:  # sequences and optional values parse as anything
            return None
    return arrays


def with_constants(model, arrays, names):
    """A copy of the model in which the named inputs are initialisers."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for value in [v for v in changed.graph.input if v.name in names]:
        changed.graph.input.remove(value)
        changed.graph.initializer.append(numpy_helper.from_array(arrays[value.name], value.name))
    return changed


def modern(model):
    """The model, marked opset 7 where it is older and its operators did not change until then."""
    for opset in model.opset_import:
        if opset.domain == '' and opset.version < 7:
            try:
                same = all(onnx.defs.get_schema(n.op_type, 7).since_version ==
                           onnx.defs.get_schema(n.op_type, opset.version).since_version
                           for n in model.graph.node)
            except onnx.defs.SchemaError:
                return model
            opset.version = 7 if same else opset.version
    return model


def verify(nn, model, arrays, expected, folder, rtol):
    """(outcome, message) of one run of the tool."""
    path = folder / 'model.onnx'
    path.write_bytes(model.SerializeToString())
    given = {v.name for v in model.graph.input} - {t.name for t in model.graph.initializer}
    argv = [nn, 'verify', path, '--rtol', rtol, '--atol', '1e-6']
    for option, values in (('--input', {n: a for n, a in arrays.items() if n in given}),
                           ('--expect', expected)):
        for i, (name, array) in enumerate(values.items()):
            file = folder / f'{option[2:]}_{i}.npy'
            np.save(file, array)
            argv += [option, f'{name}={file}']
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)
    message = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ''
    message = message.replace(f'{folder}/', '')
    if done.returncode == 0:
        return 'passed', ''
    if done.returncode < 0 or 'Sanitizer' in done.stderr:
        return 'failed', f'ended by signal {-done.returncode}\n{done.stderr}'
    return 'failed', message or f'exit status {done.returncode}'


def run_test(nn, path):
    """(outcome, message) of both runs: the first that did not pass counts."""
    model = modern(onnx.load(str(path / 'model.onnx')))
    data = path / 'test_data_set_0'
    inputs = [v.name for v in model.graph.input]
    if len(list(data.glob('input_*.pb'))) < len(inputs):
        initialised = {t.name for t in model.graph.initializer}
        inputs = [n for n in inputs if n not in initialised]
    outputs = [v.name for v in model.graph.output]
    arrays = read_tensors(data, 'input', len(inputs))
    results = read_tensors(data, 'output', len(outputs))
    if arrays is None or results is None or any(a.dtype == object for a in arrays + results):
        return 'unsupported', NO_TENSORS
    arrays = dict(zip(inputs, arrays))
    expected = dict(zip(outputs, results))
    rtol = max([r for p, r in LOOSE.items() if fnmatch.fnmatch(path.name, p)] + [1e-4])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def attempt(constants):
            changed = with_constants(model, arrays, constants)
            return verify(nn, changed, arrays, expected, folder, rtol)

        # No input of a running network is empty.
        empty = [n for n, a in arrays.items() if a.size == 0]
        outcome, message = attempt(empty)
        if 'must be constant' in message:
            outcome, message = attempt(inputs[1:] + empty)
        if outcome != 'passed' and 'must be constant' not in message:
            return outcome, message
        outcome, message = attempt(inputs)
        return outcome, message and f'folded: {message}'


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def judge(name, operators, outcome, message):
    """A refusal passes for what is unknown or listed, and only for that."""
    if outcome == 'passed' or 'ended by signal' in message:
        return outcome, message
    excused = (message == NO_TENSORS or 'is not known' in message or operators & SUBGRAPHS or
               'opsets 7 to' in message or matches(name, UNSUPPORTED) or matches(name, DIFFERENT))
    return 'unsupported' if excused else 'failed', message


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--nn', default=os.environ.get('PLATED_NN',
                                                       str(ROOT / 'build/engine/plated-nn')))
    parser.add_argument('--verbose', action='store_true', help='name what is not supported too')
    parser.add_argument('patterns', nargs='*')
    options = parser.parse_args()
    if not (DATA / 'node').is_dir():
        print(f'skipped: no {DATA} (Debian: libonnx-testdata)')
        return 77
    tests = list(find_tests(options.patterns))
    counts = collections.defaultdict(collections.Counter)
    totals = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        futures = [executor.submit(run_test, options.nn, path) for _, path in tests]
        for (folder, path), future in zip(tests, futures):
            operators = {n.op_type for n in onnx.load(str(path / 'model.onnx')).graph.node}
            outcome, message = judge(path.name, operators, *future.result())
            for operator in operators:
                counts[operator][outcome] += 1
            totals[outcome] += 1
            if outcome == 'failed' or (options.verbose and outcome == 'unsupported'):
                print(f'{outcome}: {folder}/{path.name}: {message}')
    print(f'{"operator":28}{"passed":>8}{"failed":>8}{"unsupported":>13}')
    for operator, count in sorted(counts.items()):
        if count['passed'] or count['failed']:
            print(f'{operator:28}{count["passed"]:8}{count["failed"]:8}{count["unsupported"]:13}')
    print('not supported:', ' '.join(sorted(o for o, c in counts.items()
                                            if not c['passed'] and not c['failed'])))
    print(f'{totals["passed"]} passed, {totals["failed"]} failed, '
          f'{totals["unsupported"]} not supported')
    if not options.patterns and totals['passed'] < LEAST_PASSED:
        print(f'fewer than {LEAST_PASSED} passed')
        return 1
    return 1 if totals['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())

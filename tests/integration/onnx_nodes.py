#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of ONNX through plated-nn: onnx_nodes.py [--nn PATH] [--write-docs] [PATTERN …]

Needs Debian's libonnx-testdata, python3-onnx and python3-numpy; exits 77 without them.
Every test runs twice: with its inputs given while running, and with all of them constant, so
that the same operators are checked as the constant folder uses them. Inputs that must be
constant (shapes, axes) are made so in the first run. Models of opset 6 and older go through ONNX's
own converter first. Any operator that the engine knows must give the right values, but for the
tests named in REFUSED, which must be refused in words, and DIFFERENT.

A whole run holds the share of right tests against BAR and its counts against docs/operators.md,
which --write-docs writes.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import fnmatch
import json
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
    from onnx import TensorProto, numpy_helper, version_converter
    import operators_page
except ImportError as error:
    print(f'skipped: {error}')
    sys.exit(77)

# Of the node tests whose inputs and outputs are tensors of NUMBERS, this share must be right.
BAR = 0.98
NUMBERS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BOOL,
           TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
           TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}
OLDEST = 7
TRAINING = 'ai.onnx.preview.training'

# Tests of known operators that ask for what the engine does not do, and why.
REFUSED = {}
# Tests whose own values are not those that the engine wants to give, and why.
DIFFERENT = {
    'test_resize_downsample_scales_*_align_corners':
        'computed with the length before it is rounded; PyTorch and ONNX Runtime round it first',
}
# Tests without one right answer: what the specification promises instead, for all outputs.
RANDOM = {'test_bernoulli*': lambda x, y: bool(np.isin(y, (0, 1)).all() and
                                               not y[x <= 0].any() and y[x >= 1].all())}
# Tests that were computed with 3.1415 for pi, or whose values have four digits.
LOOSE = {'test_*window*': 1e-3, 'test_gridsample_bicubic': 1e-3, 'test_roialign_*': 1e-3}


@dataclasses.dataclass
class Test:
    """A test and what became of it: passed, failed, different or unsupported."""
    folder: str
    name: str
    operators: list             # (domain, type)
    numbers: bool               # all inputs and outputs are tensors of numbers, no training
    outcome: str = ''
    why: str = ''
    random: bool = False        # passed by what the specification promises


def find_tests(patterns):
    for folder in FOLDERS:
        for path in sorted((DATA / folder).glob('*/model.onnx')):
            name = path.parent.name
            if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns):
                yield folder, path.parent


def matching(name, table):
    """The value whose pattern matches the name, or None."""
    return next((v for p, v in table.items() if fnmatch.fnmatch(name, p)), None)


def kinds(model):
    """What the inputs and outputs hold besides tensors of numbers, as words."""
    for value in list(model.graph.input) + list(model.graph.output):
        kind = value.type.WhichOneof('value')
        element = value.type.tensor_type.elem_type
        if kind == 'tensor_type' and element not in NUMBERS:
            yield {TensorProto.STRING: 'strings', TensorProto.BFLOAT16: 'bfloat16'}.get(
                element, f'element type {element}')
        elif kind != 'tensor_type':
            yield {'sequence_type': 'sequences', 'optional_type': 'optional values'}.get(kind, kind)


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


def opset(model):
    """The version of the standard's own operators that the model is written for."""
    return next((o.version for o in model.opset_import if o.domain in ('', 'ai.onnx')), 1)


def modern(model):
    """The model, brought to the oldest opset of the engine by ONNX's own converter if it can."""
    if opset(model) >= OLDEST:
        return model
    try:
        return version_converter.convert_version(model, OLDEST)
    except Exception:  # it throws what its C++ throws
        return model


def call(nn, verb, model, arrays, folder, *more):
    """The finished process of one run of the tool."""
    path = folder / 'model.onnx'
    path.write_bytes(model.SerializeToString())
    given = {v.name for v in model.graph.input} - {t.name for t in model.graph.initializer}
    argv = [nn, verb, path, *more]
    for i, (name, array) in enumerate((n, a) for n, a in arrays.items() if n in given):
        np.save(folder / f'input_{i}.npy', array)
        argv += ['--input', f'{name}={folder}/input_{i}.npy']
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)


def verify(nn, model, arrays, expected, folder, rtol):
    """(outcome, message) of one run of the tool."""
    more = ['--rtol', rtol, '--atol', '1e-6']
    for i, (name, array) in enumerate(expected.items()):
        np.save(folder / f'expect_{i}.npy', array)
        more += ['--expect', f'{name}={folder}/expect_{i}.npy']
    done = call(nn, 'verify', model, arrays, folder, *more)
    message = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ''
    message = message.replace(f'{folder}/', '')
    if done.returncode == 0:
        return 'passed', ''
    if done.returncode < 0 or 'Sanitizer' in done.stderr:
        return 'failed', f'ended by signal {-done.returncode}\n{done.stderr}'
    return 'failed', message or f'exit status {done.returncode}'


def verify_random(nn, model, arrays, expected, folder, promised):
    """The same where only type, shape, range and repetition can be judged."""
    results = []
    for _ in range(2):
        out = folder / 'out'
        done = call(nn, 'run', model, arrays, folder, '--output-dir', out)
        if done.returncode:
            return 'failed', (done.stderr.strip().splitlines() or ['it said nothing'])[-1]
        results.append([np.load(out / f'{name}.npy') for name in expected])
    for first, second, right in zip(*results, expected.values()):
        if (first.dtype, first.shape) != (right.dtype, right.shape):
            return 'failed', f'{first.dtype}{first.shape}, expected {right.dtype}{right.shape}'
        if not np.array_equal(first, second):
            return 'failed', 'two runs differ'
        if not promised(*arrays.values(), first):
            return 'failed', 'values that the specification forbids'
    return 'passed', ''


def run_test(nn, path, model):
    """(outcome, message) of both runs: the first that did not pass counts."""
    model = modern(model)
    data = path / 'test_data_set_0'
    inputs = [v.name for v in model.graph.input]
    if len(list(data.glob('input_*.pb'))) < len(inputs):
        initialised = {t.name for t in model.graph.initializer}
        inputs = [n for n in inputs if n not in initialised]
    outputs = [v.name for v in model.graph.output]
    arrays = read_tensors(data, 'input', len(inputs))
    results = read_tensors(data, 'output', len(outputs))
    if arrays is None or results is None or any(a.dtype == object for a in arrays + results):
        return 'unsupported', 'values that are no tensors of numbers'
    arrays = dict(zip(inputs, arrays))
    expected = dict(zip(outputs, results))
    rtol = matching(path.name, LOOSE) or 1e-4
    promised = matching(path.name, RANDOM)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def attempt(constants):
            changed = with_constants(model, arrays, constants)
            if promised:
                return verify_random(nn, changed, arrays, expected, folder, promised)
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


def excuse(test, model, message, known):
    """Why a test may be refused, in words for the page; None when it must not be."""
    missing = sorted({t for d, t in test.operators if (d, t) not in known})
    if any(domain == TRAINING for domain, _ in test.operators):
        return 'training operators'
    for kind in kinds(model):
        return kind
    if 'is not known' in message or 'a subgraph' in message:
        return operators_page.reason(missing[0]) if missing else None
    if opset(model) < OLDEST:
        return f'written for opset {opset(model)}'
    return matching(test.name, REFUSED)


def judge(nn, folder, path, known):
    """The test with its outcome. A refusal passes for what is unknown or listed only."""
    model = onnx.load(str(path / 'model.onnx'))
    operators = sorted({(n.domain if n.domain != 'ai.onnx' else '', n.op_type)
                        for n in model.graph.node})
    numbers = not any(kinds(model)) and all(domain != TRAINING for domain, _ in operators)
    test = Test(folder, path.name, operators, numbers)
    test.outcome, test.why = run_test(nn, path, model)
    if test.outcome == 'passed':
        test.random = matching(test.name, RANDOM) is not None
    elif 'ended by signal' not in test.why:
        different = matching(test.name, DIFFERENT)
        excused = different or excuse(test, model, test.why, known)
        if excused:
            test.outcome = 'different' if different else 'unsupported'
            test.why = excused
    return test


def stale(tests):
    """Patterns of REFUSED and DIFFERENT that excuse no test any more."""
    for table, outcome in ((REFUSED, 'unsupported'), (DIFFERENT, 'different')):
        for pattern in table:
            if not any(fnmatch.fnmatch(t.name, pattern) and t.outcome == outcome for t in tests):
                yield pattern


def close(tests, known, options):
    """Prints the figures of a whole run; the number of things that are wrong with them."""
    wrong = 0
    for pattern in stale(tests):
        print(f'failed: {pattern}: it is listed as not supported, and all its tests pass')
        wrong += 1
    page = operators_page.write(tests, known, BAR)
    path = ROOT / 'docs' / 'operators.md'
    if options.write_docs:
        path.write_text(page)
    elif not path.exists() or path.read_text() != page:
        print('failed: docs/operators.md: it is not what this run found; '
              'tests/integration/onnx_nodes.py --write-docs writes it')
        wrong += 1
    share, lines = operators_page.totals(tests)
    for line in lines:
        print(f'## {line}')
    if share < BAR:
        print(f'failed: share: {100 * share:.2f} % of the node tests of numbers, '
              f'the bar is {100 * BAR:g} %')
        wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--nn', default=os.environ.get('PLATED_NN',
                                                       str(ROOT / 'build/engine/plated-nn')))
    parser.add_argument('--verbose', action='store_true', help='name what is not supported too')
    parser.add_argument('--write-docs', action='store_true', help='write docs/operators.md')
    parser.add_argument('patterns', nargs='*')
    options = parser.parse_args()
    if not (DATA / 'node').is_dir():
        print(f'skipped: no {DATA} (Debian: libonnx-testdata)')
        return 77
    listed = subprocess.run([options.nn, 'ops', '--json'], check=True, capture_output=True)
    known = {(o['domain'], o['type']): o for o in json.loads(listed.stdout)['operators']}
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        tests = list(executor.map(lambda found: judge(options.nn, *found, known),
                                  find_tests(options.patterns)))
    for test in tests:
        if test.outcome == 'failed' or (options.verbose and test.outcome != 'passed'):
            print(f'{test.outcome}: {test.folder}/{test.name}: {test.why}')
    totals = collections.Counter(t.outcome for t in tests)
    wrong = totals['failed'] + (0 if options.patterns else close(tests, known, options))
    print(f'{totals["passed"]} passed, {wrong} failed, {totals["different"]} differ, '
          f'{totals["unsupported"]} not supported')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())

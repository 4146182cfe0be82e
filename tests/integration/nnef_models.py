# SPDX-License-Identifier: Apache-2.0
"""Models of NNEF made in a folder, and an independent account of its sliding windows."""
import itertools
import os
import pathlib
import struct
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
NN = os.environ.get('PLATED_NN', str(ROOT / 'build/engine/plated-nn'))
DATA = pathlib.Path(os.environ.get('PLATED_DATA', ROOT / '../shared/data')) / 'models/nnef'
FULL = 'extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;\n'
PRIMITIVES = {'f': 'scalar', 'i': 'integer', 'u': 'integer', 'b': 'logical'}


def write_tensor(path, array, quantised=False):
    """A tensor file, to the specification's layout."""
    kinds = {'f': 0, 'u': 2 if quantised else 1, 'i': 3 if quantised else 4, 'b': 5}
    bits = 1 if array.dtype.kind == 'b' else array.itemsize * 8
    data = np.packbits(array).tobytes() if bits == 1 else array.tobytes()
    extents = list(array.shape) + [0] * (8 - array.ndim)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack('<4B2I8I2I19I', 0x4e, 0xef, 1, 0, len(data), array.ndim, *extents,
                                 bits, kinds[array.dtype.kind], *[0] * 19) + data)


def write_zeros(path, shape):
    """A float32 tensor of zeros that takes no room on disk."""
    write_tensor(path, np.zeros([0] * len(shape), np.float32))
    n = int(np.prod(shape)) * 4
    with open(path, 'r+b') as file:
        file.seek(4)
        file.write(struct.pack('<2I', n, len(shape)) + struct.pack(f'<{len(shape)}I', *shape))
        file.truncate(128 + n)


class Model:
    """A folder with graph.nnef, variables and what a run needs."""

    def __init__(self, text, variables=None, quant=None):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        (self.path / 'graph.nnef').write_text(text)
        for label, array in (variables or {}).items():
            write_tensor(self.path / f'{label}.dat', array)
        if quant:
            (self.path / 'graph.quant').write_text(quant)

    def run(self, verb, inputs=None, expected=None, *options):
        arguments = []
        for kind, arrays in (('input', inputs or {}), ('expect', expected or {})):
            for name, array in arrays.items():
                file = self.path / f'{kind}-{name}.npy'
                np.save(file, np.asarray(array, order='C'))
                arguments += [f'--{kind}', f'{name}={file}']
        if verb == 'run':
            arguments += ['--output-dir', self.folder.name]
        return subprocess.run([NN, verb, self.path, *arguments, *options], capture_output=True,
                              text=True, timeout=600)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


def operators(report):
    """What inspect says of the nodes: operator and how many, sorted."""
    lines = report.split('operators:')[1].split('parameters:')[0].splitlines()[1:]
    return sorted(line.strip() for line in lines if line.strip())


def geometry(extents, size, stride, dilation, padding):
    """(padding, count of windows) of each dimension; [] is automatic."""
    result = []
    for n, k, s, d, p in itertools.zip_longest(extents, size, stride, dilation, padding or []):
        span = (k - 1) * d + 1
        if p is None:
            count = -(-n // s)
            total = max(0, (count - 1) * s + span - n)
            p = (total // 2, total - total // 2)
        else:
            count = (n + sum(p) - span) // s + 1
        result.append((p, count))
    return result


BORDERS = {'constant': {'mode': 'constant'}, 'replicate': {'mode': 'edge'},
           'reflect': {'mode': 'reflect'}, 'reflect-even': {'mode': 'symmetric'}}


def windows(x, size, padding=None, stride=None, dilation=None, border='constant', outside=0.0):
    """All windows of all dimensions: shape [counts…, volume]."""
    stride, dilation = stride or [1] * x.ndim, dilation or [1] * x.ndim
    shape = geometry(x.shape, size, stride, dilation, padding)
    mode = BORDERS[border] if border != 'ignore' else {'mode': 'constant'}
    if mode['mode'] == 'constant':
        mode = {'mode': 'constant', 'constant_values': outside}
    padded = np.pad(x.astype(np.float64), [p for p, _ in shape], **mode)
    parts = []
    for at in itertools.product(*(range(k) for k in size)):
        parts.append(padded[tuple(slice(a * d, a * d + (count - 1) * s + 1, s)
                                  for a, d, s, (_, count) in zip(at, dilation, stride, shape))])
    return np.stack(parts, -1)

# SPDX-License-Identifier: Apache-2.0
"""Third-party networks of the data set: where they are, what goes in, what came out elsewhere."""
import dataclasses
import os
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get('PLATED_DATA') or ROOT.parent / 'shared' / 'data')
NETWORKS = DATA / 'models' / 'onnx'
# Shapes for what a file leaves open: (start of its path, shape). Open otherwise: 1.
SHAPES = (('ppocr-kahsolt/ch_PP-OCRv2_det', (1, 3, 320, 480)),
          ('ppocr-kahsolt/ch_ppocr_mobile_v2.0_cls', (1, 3, 48, 192)),
          ('tract/qtdnn', (40, 10)), ('tract/q', (25, 10)), ('tract/lgbm', (7, 13)),
          ('tract/xgboost', (7, 13)), ('tract/linear', (7, 21)))
# A difference that counts as none, relative to the largest value of the output.
TOLERANCE = 1e-4
# Where activations are rounded to 8 bits, a sum in another order moves some of them by a whole
# step, and layers behind it move more: there the root of the mean square counts, of both.
TOLERANCE_8_BIT = 1e-2
ROUNDING = {'QuantizeLinear', 'DynamicQuantizeLinear', 'QLinearConv', 'QLinearMatMul'}
# Stored with padding where the file says VALID: what padding does not touch.
UNPADDED = {'tract/qtdnn_10x5_101_i32_biases/model.onnx': slice(1, -1)}


@dataclasses.dataclass
class Network:
    path: pathlib.Path
    model: onnx.ModelProto

    @property
    def name(self):
        return self.path.relative_to(NETWORKS).as_posix()

    @property
    def operators(self):
        return sorted({(n.domain + '.' if n.domain else '') + n.op_type
                       for n in self.model.graph.node})

    @property
    def opsets(self):
        """Versions of the domains that its nodes use."""
        used = {'' if n.domain == 'ai.onnx' else n.domain for n in self.model.graph.node}
        return {o.domain: o.version for o in self.model.opset_import if o.domain in used}

    @property
    def rounds(self):
        return bool(ROUNDING & {n.op_type for n in self.model.graph.node})

    def inputs(self):
        """[(name, numpy type, shape)] with all dims given."""
        constants = {i.name for i in self.model.graph.initializer}
        given = next((s for p, s in SHAPES if self.name.startswith(p)), None)
        for info in self.model.graph.input:
            if info.name in constants:
                continue
            of = info.type.tensor_type
            shape = tuple(max(d.dim_value, 0) or (given[i] if given else 1)
                          for i, d in enumerate(of.shape.dim))
            yield info.name, onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[of.elem_type], shape


def find(patterns=()):
    for path in sorted(NETWORKS.rglob('*.onnx')):
        network = Network(path, onnx.load(str(path), load_external_data=False))
        if not patterns or any(p in network.name for p in patterns):
            yield network


def picture(rng, shape):
    """Rectangles of all sizes in all colours, a little noise, values from 0 to 1."""
    batch, channels, height, width = shape
    x = np.full(shape, 0.5)
    for _ in range(150):
        h, w = (1 + np.array([height, width]) * rng.random(2) ** 3 / 2).astype(int)
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        x[:, :, top:top + h, left:left + w] = rng.random((batch, channels, 1, 1))
    return np.clip(x + rng.normal(0, 0.02, shape), 0, 1)


def seeded(network, seed=20):
    """Pictures where the input is one, numbers from 0 to 1 elsewhere; 0 and 1 for integers."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name, dtype, shape in network.inputs():
        if dtype.kind != 'f':
            values = rng.integers(0, 2, shape)
        elif len(shape) == 4 and min(shape[2:]) > 16:
            values = picture(rng, shape)
        else:
            values = rng.random(shape)
        inputs[name] = values.astype(dtype)
    return inputs


def proto(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def stored(network):
    """[(what, inputs, outputs)] that stand beside the file. Outputs may be fewer than it has."""
    graph = network.model.graph
    inputs = [name for name, _, _ in network.inputs()]
    outputs = [o.name for o in graph.output]
    path = network.path
    if (path.parent / 'io.npz').exists():
        rows = UNPADDED.get(network.name, slice(None))
        with np.load(path.parent / 'io.npz', allow_pickle=False) as io:
            yield ('io.npz', {n: io[n] for n in inputs},
                   {n: io[n][rows] for n in outputs if n in io})
    for folder in sorted(path.parent.glob('test_data_set_*')):
        yield (folder.name,
               {n: proto(folder / f'input_{i}.pb') for i, n in enumerate(inputs)},
               {n: proto(folder / f'output_{i}.pb') for i, n in enumerate(outputs)})
    pb = path.with_name(f'{path.stem}_output_0.pb')
    if pb.exists():
        # What ONNX's own test runner feeds these networks: a ramp from 0 to 1.
        ramps = {n: (np.arange(np.prod(s)).reshape(s) / np.prod(s)).astype(t)
                 for n, t, s in network.inputs()}
        yield pb.name, ramps, {outputs[0]: proto(pb)}


def run(nn, network, inputs, folder):
    """({output: array}, '') of plated-nn, or (None, its sentence)."""
    folder = pathlib.Path(folder)
    argv = [str(nn), 'run', str(network.path), '--output-dir', str(folder / 'out')]
    for i, (name, array) in enumerate(inputs.items()):
        np.save(folder / f'in{i}.npy', np.asarray(array, order='C'))
        argv += ['--input', f'{name}={folder}/in{i}.npy']
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f'it ended with {done.returncode}']
        return None, lines[-1].replace('plated-nn: ', '', 1).replace(f'{network.path}: ', '', 1)
    files = [line.split(' ')[0] for line in done.stdout.splitlines()]
    return {o.name: np.load(f) for o, f in zip(network.model.graph.output, files)}, ''


# Outputs that are nearly nothing everywhere are not measured by their own largest value.
SMALLEST = 1e-2


@dataclasses.dataclass(order=True)
class Difference:
    """How far an output is off: by its largest value, and in the root mean square."""
    largest: float = 0.0
    rms: float = 0.0
    why: str = ''               # there is nothing to compare

    def passes(self, network):
        return (self.rms <= TOLERANCE_8_BIT and not self.why if network.rounds
                else self.largest <= TOLERANCE)


def difference(actual, expected):
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return Difference(np.inf, np.inf, f'{actual.dtype} {list(actual.shape)} instead of '
                                          f'{expected.dtype} {list(expected.shape)}')
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not (np.isfinite(a) == finite).all():
        return Difference(np.inf, np.inf, 'not finite in other places')
    if not finite.any():
        return Difference()
    a, b = a[finite], b[finite]
    return Difference(float(np.abs(a - b).max() / max(np.abs(b).max(), SMALLEST)),
                      float(np.sqrt(np.square(a - b).mean()) /
                            max(np.sqrt(np.square(b).mean()), SMALLEST)))


def like(array, other):
    """Values that a library without tensors wrote: as many floats, of another shape and width."""
    if array.dtype.kind == other.dtype.kind == 'f' and array.size == other.size:
        return array.astype(other.dtype).reshape(other.shape)
    return array


def compare(actual, expected, alike=False):
    """The worst of all outputs. With `alike`, shape and width of floats do not count."""
    worst = Difference()
    for name, array in expected.items():
        found = difference(actual[name], like(array, actual[name]) if alike else array)
        worst = max(worst, found)
    return worst

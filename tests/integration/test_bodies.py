#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Graphs within graphs, and arithmetic in float16: what the engine rewrites while it loads."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np

try:
    import onnx
    import onnx.parser
    from onnx import numpy_helper
except ImportError:
    raise unittest.SkipTest('python3-onnx is not installed')

ROOT = pathlib.Path(__file__).resolve().parents[2]
NN = os.environ.get('PLATED_NN', str(ROOT / 'build/engine/plated-nn'))
X = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5


def model_of(text):
    """From ONNX's own text form, which can name neither a scalar nor an absent input."""
    model = onnx.parser.parse_model(f'<ir_version: 7, opset_import: ["" : 15]>\n{text}')
    for value in model.graph.input:
        value.type.tensor_type.shape.SetInParent()
    for node in model.graph.node:
        node.input[:] = ['' if name == 'absent' else name for name in node.input]
    return model


class Case(unittest.TestCase):
    def verify(self, model, inputs, outputs, rtol=1e-6):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / 'model.onnx').write_bytes(model.SerializeToString())
            arguments = []
            for option, arrays in (('--input', inputs), ('--expect', outputs)):
                for key, array in arrays.items():
                    np.save(folder / f'{key}.npy', array)
                    arguments += [option, f'{key}={folder}/{key}.npy']
            return subprocess.run([NN, 'verify', folder / 'model.onnx', '--rtol', str(rtol),
                                   '--atol', str(rtol), *arguments],
                                  capture_output=True, text=True, timeout=60)

    def check(self, model, inputs, outputs, rtol=1e-6):
        done = self.verify(model, inputs, outputs, rtol)
        self.assertEqual(done.returncode, 0, done.stderr)

    def refuse(self, words, model):
        done = self.verify(model, {'x': X}, {'y': X})
        self.assertGreater(done.returncode, 0)
        self.assertIn(words, done.stderr)

class Bodies(Case):
    BRANCHES = '''
        then_branch = left () => (float[2,3] a) { a = Add (x, w) },
        else_branch = right () => (float[2,3] b) { t = Mul (x, w)  b = Relu (t) }'''

    def test_condition_from_a_shape(self):
        """What PyTorch writes for `if x.shape[0] > 1`."""
        for limit, expected in ((1, X + 3), (2, (X * 3).clip(0))):
            model = model_of(f'''
                m (float[2,3] x) => (float[2,3] y) {{
                    w = Constant <value_float = 3.0> ()
                    shape = Shape (x)
                    zero = Constant <value_int = 0> ()
                    limit = Constant <value_int = {limit}> ()
                    n = Gather (shape, zero)
                    more = Greater (n, limit)
                    y = If (more) <{self.BRANCHES}>
                }}''')
            self.check(model, {'x': X}, {'y': expected})

    def test_condition_while_running(self):
        for shape in ('', '1'):
            model = model_of(f'''
                m (float[2,3] x, bool[{shape}] c) => (float[2,3] y) {{
                    w = Constant <value_float = 3.0> ()
                    y = If (c) <{self.BRANCHES}>
                }}''')
            for truth, expected in ((True, X + 3), (False, (X * 3).clip(0))):
                given = np.full((1,) if shape else (), truth)
                self.check(model, {'x': X, 'c': given}, {'y': expected})

    def test_branches_of_two_shapes(self):
        model = model_of('''
            m (float[2,3] x, bool c) => (float[N] y) {
                y = If (c) <then_branch = l () => (float[2,3] a) { a = Relu (x) },
                            else_branch = r () => (float[3,2] b) { b = Transpose (x) }>
            }''')
        done = self.verify(model, {'x': X, 'c': np.array(True)}, {'y': X})
        self.assertIn('the branches differ in shape', done.stderr)

    def test_unknown_operator_in_the_branch_not_taken(self):
        model = model_of('''
            m (float[2,3] x) => (float[2,3] y) {
                yes = Constant <value = bool {1}> ()
                y = If (yes) <then_branch = l () => (float[2,3] a) { a = Neg (x) },
                              else_branch = r () => (float[2,3] b) { b = Nonsense (x) }>
            }''')
        self.check(model, {'x': X}, {'y': -X})

    def test_bodies_in_bodies(self):
        """The inner body reads a value two graphs further out, and one of its own turn."""
        model = model_of('''
            m (float[2,3] x) => (float[2,3] y, float[4,2,3] all) {
                trips = Constant <value_int = 4> ()
                yes = Constant <value = bool {1}> ()
                y, all = Loop (trips, yes, x) <body = turn
                    (int64 i, bool go, float[2,3] state) => (bool more, float[2,3] next,
                                                             float[2,3] seen) {
                        more = Identity (go)
                        two = Constant <value_int = 2> ()
                        late = Less (two, i)
                        next = If (late) <
                            then_branch = l () => (float[2,3] a) { a = Mul (state, x) },
                            else_branch = r () => (float[2,3] b) { b = Add (state, x) }>
                        seen = Neg (state)
                    }>
            }''')
        states = [X]
        for turn in range(4):
            states.append(states[-1] * X if turn > 2 else states[-1] + X)
        self.check(model, {'x': X}, {'y': states[-1], 'all': -np.stack(states[:4])})

    def test_loop_that_ends_itself(self):
        model = model_of('''
            m (float[2,3] x) => (float[2,3] y) {
                yes = Constant <value = bool {1}> ()
                five = Constant <value_int = 5> ()
                zero = Constant <value_int = 0> ()
                n, y = Loop (absent, yes, zero, x) <body = turn
                    (int64 i, bool go, int64 count, float[2,3] state)
                    => (bool more, int64 next, float[2,3] sum) {
                        one = Constant <value_int = 1> ()
                        next = Add (count, one)
                        more = Less (next, five)
                        sum = Add (state, x)
                    }>
            }''')
        self.check(model, {'x': X}, {'y': X * 6})

    def test_loop_without_end(self):
        self.refuse('more than 100000 values', model_of('''
            m (float[2,3] x) => (float[2,3] y) {
                yes = Constant <value = bool {1}> ()
                y = Loop (absent, yes, x) <body = turn
                    (int64 i, bool go, float[2,3] s) => (bool go, float[2,3] t) { t = Neg (s) }>
            }'''))

    def test_scan(self):
        model = model_of('''
            m (float[2,3] x, float[3,2] z) => (float[2] last, float[3,2] sums) {
                zero = Constant <value_floats = [0.0, 0.0]> ()
                last, sums = Scan <num_scan_inputs = 2, scan_input_axes = [1, -2],
                                   scan_input_directions = [1, 0], scan_output_directions = [1],
                                   body = turn (float[2] s, float[2] a, float[2] b)
                                       => (float[2] t, float[2] u) {
                                           p = Mul (a, b)  t = Add (s, p)  u = Identity (t)
                                       }> (zero, x, z)
            }''')
        z = np.arange(6, dtype=np.float32).reshape(3, 2)
        sums = np.cumsum(X.T[::-1] * z, axis=0)
        self.check(model, {'x': X, 'z': z}, {'last': sums[-1], 'sums': sums[::-1]})

    def test_depth(self):
        inner = 'a0 = Neg (x)'
        for depth in range(1, 11):
            inner = f'''
                c{depth} = Constant <value = bool {{1}}> ()
                a{depth} = If (c{depth}) <
                    then_branch = l () => (float[2,3] a{depth - 1}) {{ {inner} }},
                    else_branch = r () => (float[2,3] b{depth}) {{ b{depth} = Relu (x) }}>'''
            model = model_of(f'm (float[2,3] x) => (float[2,3] a{depth}) {{ {inner} }}')
            if depth <= 8:
                self.check(model, {'x': X}, {f'a{depth}': -X})
        self.refuse('graphs stand more than 8 deep in each other', model)

    def test_broken_bodies(self):
        self.refuse("output 'a' is made twice", model_of('''
            m (float[2,3] x) => (float[2,3] y) {
                yes = Constant <value = bool {1}> ()
                y = If (yes) <
                    then_branch = l () => (float[2,3] b) { b = Neg (a)  a = Neg (x) },
                    else_branch = r () => (float[2,3] c) { c = Relu (x) }>
            }'''))
        self.refuse('its then_branch has 1 inputs, 0 were expected', model_of('''
            m (float[2,3] x) => (float[2,3] y) {
                yes = Constant <value = bool {1}> ()
                y = If (yes) <
                    then_branch = l (float[2,3] a) => (float[2,3] b) { b = Neg (a) },
                    else_branch = r () => (float[2,3] c) { c = Relu (x) }>
            }'''))
        self.refuse("attribute 'else_branch' is missing", model_of('''
            m (float[2,3] x) => (float[2,3] y) {
                yes = Constant <value = bool {1}> ()
                y = If (yes) <then_branch = l () => (float[2,3] b) { b = Neg (x) }>
            }'''))


class Half(Case):
    """Whole networks in float16."""

    def halved(self, name):
        """The model with all of its floats in float16, and float16 weights' values in float32."""
        half = onnx.load(str(ROOT / 'models' / name))
        full = onnx.ModelProto()
        full.CopyFrom(half)
        for i, tensor in enumerate(half.graph.initializer):
            if tensor.data_type == onnx.TensorProto.FLOAT:
                array = numpy_helper.to_array(tensor).astype(np.float16)
                half.graph.initializer[i].CopyFrom(numpy_helper.from_array(array, tensor.name))
                full.graph.initializer[i].CopyFrom(
                    numpy_helper.from_array(array.astype(np.float32), tensor.name))
        for value in [*half.graph.input, *half.graph.output]:
            if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
                value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
        return half, full

    def test_region_network(self):
        half, full = self.halved('region.onnx')
        shape = [d.dim_value or 1 for d in full.graph.input[0].type.tensor_type.shape.dim]
        x = np.random.RandomState(1).rand(*shape).astype(np.float16)
        name, output = full.graph.input[0].name, full.graph.output[0].name
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / 'full.onnx').write_bytes(full.SerializeToString())
            np.save(path / 'x.npy', x.astype(np.float32))
            subprocess.run([NN, 'run', path / 'full.onnx', '--input', f'{name}={path}/x.npy',
                            '--output-dir', path], check=True, capture_output=True)
            expected = np.load(path / f'{output}.npy')
        self.check(half, {name: x}, {output: expected.astype(np.float16)}, 2e-3)


if __name__ == '__main__':
    unittest.main()

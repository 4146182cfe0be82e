#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""plated-nn convert: NNEF 1.0 that says the same as the model and reads back equal.

The tool compares what it wrote with what it read; what the files say is looked at here as well,
for both ends could misread the standard in the same way."""
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

import numpy as np

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    import networks
except ImportError as error:
    raise unittest.SkipTest(str(error))

ROOT = pathlib.Path(__file__).resolve().parents[2]
NN = os.environ.get('PLATED_NN', str(ROOT / 'build/engine/plated-nn'))
TYPES = {np.dtype(t): o for o, t in onnx.mapping.TENSOR_TYPE_TO_NP_TYPE.items()
         if o not in (TensorProto.STRING, TensorProto.BFLOAT16, TensorProto.COMPLEX64,
                      TensorProto.COMPLEX128)}
random = np.random.RandomState(3)


def f32(*shape):
    return random.standard_normal(shape).astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


def convert(model, out, *options):
    return subprocess.run([NN, 'convert', *options, model, out], capture_output=True, text=True,
                          timeout=300)


class Base(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.n = 0

    def model(self, nodes, inputs, outputs, constants=None, opset=13, metadata=None):
        """The path of a model. `inputs`: {name: (type, shape)}."""
        infos = [helper.make_tensor_value_info(n, TYPES[np.dtype(t)], s)
                 for n, (t, s) in inputs.items()]
        results = [helper.make_tensor_value_info(n, 0, None) for n in outputs]
        tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()]
        model = helper.make_model(helper.make_graph(nodes, 'case', infos, results, tensors),
                                  opset_imports=[helper.make_opsetid('', opset)], ir_version=7)
        if metadata:
            helper.set_model_props(model, metadata)
        path = self.folder / f'model{self.n}.onnx'
        path.write_bytes(model.SerializeToString())
        return path

    def written(self, path, *options):
        """The text of the NNEF that reads back equal, and its folder."""
        self.n += 1
        out = self.folder / f'out{self.n}'
        done = convert(path, out, *options)
        self.assertEqual(done.returncode, 0, f'{path}: {done.stderr}')
        self.assertIn('equal when read back', done.stdout)
        return (out / 'graph.nnef').read_text(), out

    def one(self, op, inputs, opset=13, outputs=1, **attributes):
        """The text for one node. Arrays in a tuple are constants, None is absent."""
        names, given, constants = [], {}, {}
        for i, x in enumerate(inputs):
            names.append('' if x is None else f'in{i}')
            if isinstance(x, tuple):
                constants[f'in{i}'] = np.asarray(x[0])
            elif x is not None:
                given[f'in{i}'] = (x.dtype, x.shape)
        results = [f'out{i}' for i in range(outputs)]
        node = helper.make_node(op, names, results, **attributes)
        return self.written(self.model([node], given, results, constants, opset))[0]

    def standard(self, expected, op, inputs, opset=13, outputs=1, **attributes):
        """Written with standard operations alone, and in these words."""
        text = self.one(op, inputs, opset, outputs, **attributes)
        self.assertNotIn('onnx_', text)
        self.assertNotIn('extension', text)
        for words in [expected] if isinstance(expected, str) else expected:
            self.assertIn(words, text)

    def own(self, expected, op, inputs, opset=13, outputs=1, **attributes):
        """Written as a fragment of its own, declared before."""
        text = self.one(op, inputs, opset, outputs, **attributes)
        self.assertIn('extension KHR_enable_fragment_definitions;', text)
        self.assertIn(f'fragment onnx_{op}( ', text)
        for words in [expected] if isinstance(expected, str) else expected:
            self.assertIn(words, text)


class Standard(Base):
    def test_unary(self):
        x = f32(2, 3, 4)
        for op, name in (('Abs', 'abs'), ('Ceil', 'ceil'), ('Cos', 'cos'), ('Exp', 'exp'),
                         ('Floor', 'floor'), ('Identity', 'copy'), ('Log', 'log'), ('Neg', 'neg'),
                         ('Reciprocal', 'rcp'), ('Relu', 'relu'), ('Sigmoid', 'sigmoid'),
                         ('Sign', 'sign'), ('Sin', 'sin'), ('Softplus', 'softplus'),
                         ('Sqrt', 'sqrt'), ('Tan', 'tan'), ('Sinh', 'sinh'), ('Cosh', 'cosh'),
                         ('Tanh', 'tanh'), ('Asin', 'asin'), ('Acos', 'acos'), ('Atan', 'atan'),
                         ('Asinh', 'asinh'), ('Acosh', 'acosh'), ('Atanh', 'atanh'),
                         ('Elu', 'elu')):
            with self.subTest(op):
                self.standard(f'out0 = {name}(in0);', op, [x])
        self.standard('out0 = not(in0);', 'Not', [x > 0])
        self.standard('out0 = leaky_relu(in0, alpha = 0.200000003);', 'LeakyRelu', [x], alpha=0.2)

    def test_broadcasting_lines_up_from_the_first_dimension(self):
        x, row, one = f32(2, 3, 4, 5), f32(4, 1), f32(1)
        for op, name in (('Add', 'add'), ('Sub', 'sub'), ('Mul', 'mul'), ('Div', 'div'),
                         ('Less', 'lt'), ('LessOrEqual', 'le'), ('Greater', 'gt'),
                         ('GreaterOrEqual', 'ge'), ('Equal', 'eq'), ('Max', 'max'), ('Min', 'min'),
                         ('PRelu', 'prelu')):
            with self.subTest(op):
                self.standard(['= unsqueeze(in1, axes = [0, 1]);', f'out0 = {name}(in0, in1_1);'],
                              op, [x, row])
        self.standard('in1 = constant<scalar>(shape = [1, 1, 4, 1], value = [', 'Mul', [x, (row,)])
        self.standard(['in1 = constant<scalar>(shape = [1], value = [', 'out0 = mul(in0, in1);'],
                      'Mul', [x, (one,)])
        self.standard('in1 = constant<scalar>(shape = [], value = [2.5]);', 'Pow',
                      [x, (np.float32(2.5),)])
        self.standard(['= unsqueeze(in0, axes = [0, 1, 2]);', '= unsqueeze(in2, axes = [0, 1]);',
                       'out0 = select(in0_1, in1, in2_2);'],
                      'Where', [f32(5) > 0, x, row])
        self.standard('out0 = and(in0, in1);', 'And', [x > 0, x > 1])
        self.standard(['out0_1 = max(in0, in1_2);', 'out0 = max(out0_1, in2);'], 'Max',
                      [x, row, one])
        self.standard('add(', 'Sum', [x, row, row])

    def test_clamp(self):
        x = f32(9)
        low, high = (np.float32(-0.5),), (np.float32(0.25),)
        self.standard('out0 = clamp(in0, in1, in2);', 'Clip', [x, low, high])
        self.standard('out0 = max(in0, in1);', 'Clip', [x, low])
        self.standard('out0 = min(in0, in2);', 'Clip', [x, None, high])
        self.standard('out0 = copy(in0);', 'Clip', [x])
        self.standard('out0 = clamp(in0, 0.0, 6.0);', 'Clip', [x], 10, min=0.0, max=6.0)

    def test_shapes(self):
        x = f32(2, 3, 4)
        self.standard('out0 = reshape(in0, shape = [6, 4]);', 'Reshape', [x, (i64(0 + 6, -1),)])
        self.standard('out0 = reshape(in0, shape = [2, 12]);', 'Flatten', [x])
        self.standard('out0 = transpose(in0, axes = [2, 0, 1]);', 'Transpose', [x], perm=[2, 0, 1])
        self.standard('axes = [2, 1, 0]', 'Transpose', [x])
        self.standard('out0 = concat([in0, in1], axis = 2);', 'Concat', [x, x], axis=-1)
        self.standard('[out0, out1] = split(in0, axis = 2, ratios = [1, 3]);', 'Split',
                      [x, (i64(1, 3),)], axis=-1, outputs=2)
        self.standard('out0 = slice(in0, axes = [1, 2], begin = [1, 1], end = [3, 4]);', 'Slice',
                      [x, (i64(1, -3),), (i64(99, 2 ** 62),), (i64(1, -1),)])
        self.standard('end = [4], stride = [2]);', 'Slice',
                      [x, (i64(0),), (i64(4),), (i64(2),), (i64(2),)])
        self.standard('out0 = slice(in0, axes = [0], begin = [1], end = [2]);', 'Slice', [x], 9,
                      starts=[1], ends=[2])
        y = f32(1, 3, 1)
        self.standard('out0 = squeeze(in0, axes = [0, 2]);', 'Squeeze', [y])
        self.standard('out0 = squeeze(in0, axes = [2]);', 'Squeeze', [y, (i64(-1),)])
        self.standard('out0 = unsqueeze(in0, axes = [0, 4]);', 'Unsqueeze', [y], 11, axes=[0, -1])
        self.standard('out0 = tile(in0, repeats = [2, 1, 3]);', 'Tile', [x, (i64(2, 1, 3),)])
        self.standard(['in0_1 = unsqueeze(in0, axes = [0]);', 'out0 = tile(in0_1, '
                       'repeats = [5, 2, 1, 4]);'], 'Expand', [y, (i64(5, 2, 1, 4),)])
        pads = (i64(0, 1, 2, 0, 0, 1),)
        self.standard("out0 = pad(in0, padding = [(0, 0), (1, 0), (2, 1)], border = 'constant', "
                      'value = 1.5);', 'Pad', [x, pads, (np.float32(1.5),)])
        self.standard("border = 'reflect'", 'Pad', [x, pads], mode='reflect')
        self.standard("border = 'replicate'", 'Pad', [x, pads], mode='edge')
        self.standard('out0 = copy(in0);', 'Dropout', [x], 10)

    def test_reductions(self):
        x = f32(2, 3, 4)
        self.standard('out0 = sum_reduce(in0, axes = [0, 2]);', 'ReduceSum', [x, (i64(0, -1),)])
        self.standard(['out0_1 = mean_reduce(in0, axes = [1]);',
                       'out0 = squeeze(out0_1, axes = [1]);'], 'ReduceMean', [x], axes=[1],
                      keepdims=0)
        self.standard('max_reduce(in0, axes = [0, 1, 2])', 'ReduceMax', [x], 11)
        self.standard('min_reduce(in0, axes = [1])', 'ReduceMin', [x, (i64(1),)], 18)
        self.standard('argmax_reduce(in0, axes = [2])', 'ArgMax', [x], axis=-1)
        self.standard('argmin_reduce(in0, axes = [0])', 'ArgMin', [x], keepdims=0)
        self.standard('out0 = softmax(in0, axes = [1, 2]);', 'Softmax', [x], 11)
        self.standard('out0 = softmax(in0, axes = [2]);', 'Softmax', [x])
        y = f32(1, 3, 8, 9)
        self.standard('out0 = mean_reduce(in0, axes = [2, 3]);', 'GlobalAveragePool', [y])
        self.standard('out0 = max_reduce(in0, axes = [2, 3]);', 'GlobalMaxPool', [y])
        self.standard('local_response_normalization(in0, size = [1, 3, 1, 1], alpha = ', 'LRN', [y],
                      size=3)

    def test_windows(self):
        x = f32(1, 4, 9, 10)
        w, b = (f32(6, 2, 3, 2),), (f32(6),)
        self.standard(["border = 'constant', padding = [(1, 0), (2, 1)], stride = [2, 1], "
                       'dilation = [1, 2], groups = 2);', 'shape = [1, 6]'],
                      'Conv', [x, w, b], pads=[1, 2, 0, 1], strides=[2, 1], dilations=[1, 2],
                      group=2)
        self.standard('padding = [(1, 1), (0, 1)], stride = [2, 1]', 'Conv', [x, w],
                      auto_pad='SAME_UPPER', strides=[2, 1], group=2)
        self.standard('padding = [(1, 1), (1, 0)], stride = [2, 1]', 'Conv', [x, w],
                      auto_pad='SAME_LOWER', strides=[2, 1], group=2)
        self.standard('padding = [(0, 0)], stride = [1]', 'Conv', [f32(2, 3, 7), (f32(4, 3, 2),)])
        self.standard('padding = [(0, 0), (0, 0), (0, 0)]', 'Conv',
                      [f32(1, 2, 4, 5, 6), (f32(3, 2, 2, 2, 2),)])
        self.standard("deconv(in0, in1, in2_1, border = 'constant', padding = [(1, 1), (1, 1)], "
                      'stride = [2, 2]'.replace('in2_1', 'in2'), 'ConvTranspose',
                      [x, (f32(4, 3, 4, 4),), (f32(3),)], strides=[2, 2], pads=[1, 1, 1, 1])
        self.standard('output_shape = [1, 3, 18, 20], padding = [(1, 1), (1, 1)]', 'ConvTranspose',
                      [x, (f32(4, 3, 3, 3),)], strides=[2, 2], pads=[1, 1, 1, 1],
                      output_padding=[1, 1])
        self.standard("max_pool(in0, size = [1, 1, 3, 3], border = 'ignore', padding = [(0, 0), "
                      '(0, 0), (1, 1), (1, 1)], stride = [1, 1, 2, 2]', 'MaxPool', [x],
                      kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
        self.standard('(0, 0), (0, 1), (0, 0)], stride = [1, 1, 2, 2]', 'MaxPool', [x],
                      kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        self.standard("avg_pool(in0, size = [1, 1, 3, 3], border = 'ignore'", 'AveragePool', [x],
                      kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        self.standard("avg_pool(in0, size = [1, 1, 3, 3], border = 'constant'", 'AveragePool', [x],
                      kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)

    def test_resize(self):
        x, twice = f32(1, 2, 5, 4), (np.float32([1, 1, 2, 3]),)
        self.standard('out0 = nearest_upsample(in0, factor = [2, 3]);', 'Upsample', [x], 7,
                      scales=[1.0, 1.0, 2.0, 3.0])
        self.standard('nearest_upsample(in0, factor = [2, 3])', 'Resize', [x, None, twice])
        self.standard("multilinear_upsample(in0, factor = [2, 3], method = 'symmetric', "
                      "border = 'replicate')", 'Resize', [x, None, twice], mode='linear')
        self.standard("method = 'aligned'", 'Resize', [x, None, None, (i64(1, 2, 10, 8),)],
                      mode='linear', coordinate_transformation_mode='align_corners')
        self.standard("method = 'asymmetric'", 'Upsample', [x, twice], 9, mode='linear')

    def test_products(self):
        a, b = f32(2, 3, 4), f32(4, 5)
        self.standard(['in1_1 = unsqueeze(in1, axes = [0]);', 'out0 = matmul(in0, in1_1);'],
                      'MatMul', [a, b])
        x = f32(3, 4)
        self.standard('out0 = linear(in0, in1, in2', 'Gemm', [x, (f32(5, 4),), (f32(5),)], transB=1)
        self.standard(['= transpose(in1, axes = [1, 0]);', 'out0 = linear(in0, '], 'Gemm',
                      [x, (f32(4, 5),)])
        y, along = f32(2, 3, 4, 4), (np.abs(f32(3)) + 0.5,)
        self.standard(['shape = [1, 3]', 'out0 = batch_normalization(in0, mean = in3, '
                       'variance = in4, offset = in2, scale = in1, epsilon = '],
                      'BatchNormalization', [y, along, along, along, along])


class Own(Base):
    """What the standard lacks, or does not have with these types and shapes."""

    def test_operators(self):
        x = f32(2, 3, 4)
        self.own('( out0, out1 ) = onnx_TopK(in0, in1, axis = 1, onnx_opset = 13);', 'TopK',
                 [x, (i64(2),)], outputs=2, axis=1)
        self.own('x1: tensor<integer>, axis: integer, onnx_opset: integer ) -> '
                 '( y0: tensor<scalar> );', 'Gather', [x, (i64(1, 0),)], axis=2)
        self.own('to = 7, onnx_opset = 13', 'Cast', [x], to=TensorProto.INT64)
        self.own("mode = 'CRD'", 'DepthToSpace', [f32(1, 8, 2, 2)], blocksize=2, mode='CRD')
        self.own('onnx_HardSigmoid(in0, alpha = 0.25, beta = 0.5, ', 'HardSigmoid', [x], alpha=0.25,
                 beta=0.5)
        self.own('alpha = 0.5', 'Elu', [x], alpha=0.5)
        self.own('onnx_Erf(in0, ', 'Erf', [x])
        self.own('onnx_Round(in0, ', 'Round', [x])
        self.own('axis = -1', 'LayerNormalization', [x, (f32(4),), (f32(4),)], 17, axis=-1)
        self.own('onnx_CumSum', 'CumSum', [x, (np.int64(1),)])
        self.own("coordinate_transformation_mode = 'half_pixel'", 'Resize',
                 [f32(1, 1, 4, 4), None, (np.float32([1, 1, 1.5, 1.5]),)], mode='linear',
                 coordinate_transformation_mode='half_pixel')

    def test_types(self):
        n = np.arange(6, dtype=np.int32).reshape(2, 3)
        self.own("('in0', 'int32')", 'Add', [n, n])
        self.own('x0: tensor<integer>', 'ReduceSum', [n.astype(np.int64)])
        self.own("('in0', 'uint8')", 'Max', [n.astype(np.uint8), n.astype(np.uint8)], 13)

    def test_absent_inputs(self):
        x = f32(4, 1, 3)
        w, r, start = (f32(1, 8, 3),), (f32(1, 8, 2),), (f32(1, 1, 2),)
        self.own('onnx_inputs = [0, 1, 2, 5], ', 'LSTM', [x, w, r, None, None, start], 14,
                 outputs=3, hidden_size=2)
        self.own('onnx_inputs = [0, 2], ', 'Clip', [x.astype(np.int32), None, (np.int32(1),)])

    def test_one_type_with_two_signatures(self):
        nodes = [helper.make_node('Gather', ['x', 'at'], ['a'], axis=0),
                 helper.make_node('Gather', ['x', 'at'], ['b'], axis=1),
                 helper.make_node('Gather', ['n', 'at'], ['c'])]
        path = self.model(nodes, {'x': (np.float32, (3, 3)), 'n': (np.int64, (3,))},
                          ['a', 'b', 'c'], {'at': i64(1)})
        text, _ = self.written(path)
        self.assertEqual(text.count('fragment onnx_Gather( '), 1)
        self.assertIn('b = onnx_Gather(x, at, axis = 1, ', text)
        self.assertIn('fragment onnx_Gather__1( ', text)
        self.assertIn('c = onnx_Gather__1(n, at, onnx_opset = 13);', text)

    def test_dims_known_while_running(self):
        nodes = [helper.make_node('NonZero', ['x'], ['places']),
                 helper.make_node('Cast', ['places'], ['numbers'], to=TensorProto.FLOAT),
                 helper.make_node('Transpose', ['numbers'], ['y'])]
        text, _ = self.written(self.model(nodes, {'x': (np.float32, (3, 4))}, ['y']))
        self.assertIn('y = onnx_Transpose(numbers, onnx_opset = 13);', text)

    def test_bodies_are_written_out(self):
        def branch(op, name):
            return helper.make_graph([helper.make_node(op, ['x'], [name])], name, [],
                                     [helper.make_tensor_value_info(name, 1, None)])
        node = helper.make_node('If', ['c'], ['y'], then_branch=branch('Relu', 'a'),
                                else_branch=branch('Neg', 'b'))
        text, _ = self.written(self.model([node], {'x': (np.float32, (2,)), 'c': (bool, ())}, ['y']))
        self.assertRegex(text, r'y = select\(\w+, a, b\);')

    def test_infinite_attribute(self):
        self.own('alpha = 1e999', 'Celu', [f32(3)], alpha=float('inf'))

    def test_quantised(self):
        scale, zero = np.float32(0.05), np.uint8(3)
        nodes = [helper.make_node('QuantizeLinear', ['x', 's', 'z'], ['q']),
                 helper.make_node('DequantizeLinear', ['q', 's', 'z'], ['d']),
                 helper.make_node('DequantizeLinear', ['w', 'ws', 'wz'], ['wd'], axis=0),
                 helper.make_node('Conv', ['d', 'wd'], ['y'])]
        constants = {'s': scale, 'z': zero, 'ws': np.float32([0.1, 0.2]), 'wz': np.int8([0, 0]),
                     'w': random.randint(-128, 128, (2, 3, 3, 3)).astype(np.int8)}
        text, out = self.written(self.model(nodes, {'x': (np.float32, (1, 3, 6, 6))}, ['y'],
                                            constants))
        self.assertIn('onnx_QuantizeLinear(x, s, z, ', text)
        self.assertIn('y = conv(d, ', text)

    def test_constant_of_every_type(self):
        for dtype in (np.float16, np.float64, np.int8, np.uint8, np.int16, np.uint16, np.int32,
                      np.uint32, np.int64, np.uint64, bool):
            with self.subTest(dtype):
                values = (random.randint(0, 2, (4, 5)) * 7 % 128).astype(dtype)
                node = helper.make_node('Gather', ['table', 'at'], ['y'])
                text, out = self.written(self.model([node], {'at': (np.int64, (3,))}, ['y'],
                                                    {'table': values}))
                self.assertIn("table = variable<", text)
                self.check_file(out / 'table.dat', values)

    def check_file(self, path, values):
        """The header of the standard, and the elements behind it."""
        content = path.read_bytes()
        magic, major, minor, length, rank = struct.unpack('<2sBBII', content[:12])
        extents = struct.unpack('<8I', content[12:44])
        bits, item = struct.unpack('<II', content[44:52])
        code = {'f': 0, 'u': 1, 'i': 4, 'b': 5}[values.dtype.kind]
        self.assertEqual((magic, major, minor), (b'N\xef', 1, 0))
        self.assertEqual((length, rank), (values.nbytes, values.ndim))
        self.assertEqual(extents[:rank] + extents[rank:], values.shape + (0,) * (8 - rank))
        self.assertEqual((bits, item), (8 * values.itemsize, code))
        self.assertEqual(content[52:128], bytes(76))
        self.assertEqual(content[128:], values.tobytes())


class Names(Base):
    def test_names_that_are_no_identifiers(self):
        nodes = [helper.make_node('Relu', ['input.1'], ['graph']),
                 helper.make_node('Neg', ['graph'], ['/out/0']),
                 helper.make_node('Abs', ['graph'], ['_out_0'])]
        path = self.model(nodes, {'input.1': (np.float32, (2, 3))}, ['/out/0', 'graph', '_out_0'])
        text, _ = self.written(path)
        self.assertRegex(text, r"names: \(string, string\)\[\] = \[\s*\('input_1', 'input.1'\)")
        self.assertIn("'/out/0'", text)
        identifiers = re.findall(r'^    (\w+) = ', text, re.MULTILINE)
        self.assertEqual(len(identifiers), len(set(identifiers)))
        self.assertNotIn('graph', identifiers)

    def test_ends_that_are_one_value(self):
        nodes = [helper.make_node('Relu', ['x'], ['y'])]
        path = self.model(nodes, {'x': (np.float32, (2,))}, ['y', 'x'])
        text, _ = self.written(path)
        self.assertIn(' = copy(x);', text)

    def test_constant_output(self):
        nodes = [helper.make_node('Relu', ['x'], ['y'])]
        path = self.model(nodes, {'x': (np.float32, (2,))}, ['y', 'c'], {'c': f32(20)})
        self.assertIn('c = variable<scalar>(shape = [20]', self.written(path)[0])

    def test_metadata(self):
        nodes = [helper.make_node('Relu', ['x'], ['y'])]
        told = {'plated.task': 'detect', "it's": 'a "b" \\ c', 'lines': 'one\ntwo\t100 %', 'ü': '→',
                'empty': ''}
        path = self.model(nodes, {'x': (np.float32, (2,))}, ['y'], metadata=told)
        text, _ = self.written(path)
        self.assertIn("('plated.task', 'detect')", text)
        self.assertIn("('lines', 'one%0Atwo%09100 %25')", text)

    def test_open_shapes_are_bound(self):
        nodes = [helper.make_node('Relu', ['x'], ['y'])]
        path = self.model(nodes, {'x': (np.float32, ('batch', 3, 'side', 'side'))}, ['y'])
        text, _ = self.written(path, '--shape', 'x=2x3x8x9')
        self.assertIn('x = external<scalar>(shape = [2, 3, 8, 9]);', text)


class Refused(Base):
    def refuse(self, words, path, out):
        before = sorted(p.name for p in self.folder.iterdir())
        done = convert(path, out)
        self.assertGreater(done.returncode, 0)
        self.assertIn(words, done.stderr)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), before)

    def test_place(self):
        path = self.model([helper.make_node('Relu', ['x'], ['y'])], {'x': (np.float32, (2,))}, ['y'])
        full = self.folder / 'full'
        full.mkdir()
        (full / 'keep').write_text('mine')
        self.refuse('it holds files already, an empty or new directory is needed', path, full)
        self.assertEqual((full / 'keep').read_text(), 'mine')
        self.refuse('No such file or directory', path, self.folder / 'missing' / 'out')
        empty = self.folder / 'empty'
        empty.mkdir()
        self.assertEqual(convert(path, f'{empty}/').returncode, 0)

    def test_attributes(self):
        node = helper.make_node('HardSigmoid', ['x'], ['y'], 'hard', alpha=float('nan'))
        path = self.model([node], {'x': (np.float32, (2,))}, ['y'])
        self.refuse("node 'hard' (HardSigmoid): attribute 'alpha' is not a number, which NNEF "
                    'cannot say', path, self.folder / 'out')


class Whole(Base):
    """Whole networks: ours, those the tests make, and those of others."""

    def all(self, paths):
        for path, options in paths:
            with self.subTest(f'{path.parent.name}/{path.name}'):
                self.written(path, *options)

    def test_released(self):
        self.all((p, ()) for p in sorted((ROOT / 'models').glob('*.onnx')))

    def test_fixtures(self):
        """One network of each kind that the tests make; open dimensions bound."""
        paths = sorted(p for kind in ('resnet18', 'yolov5n', 'yolov7_tiny')
                       for p in (ROOT / 'build' / 'fixtures').glob(f'{kind}_*/*.onnx'))
        if not paths:
            self.skipTest('build/fixtures is not there')
        self.all((p, ('--shape', 'images=1x1x128x96') if 'dynamic' in p.parent.name else ())
                 for p in paths)

    def test_others(self):
        if not networks.NETWORKS.is_dir():
            self.skipTest(f'{networks.NETWORKS} is missing, PLATED_DATA says where the data is')
        for network in networks.find():
            shapes = [o for n, _, s in network.inputs()
                      for o in ('--shape', f'{n}={"x".join(map(str, s))}')]
            if 'ai.onnx.ml' in network.opsets:
                continue
            with self.subTest(network.name):
                self.written(network.path, *shapes)


if __name__ == '__main__':
    unittest.main()

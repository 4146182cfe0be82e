#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Operators in the forms that ONNX's own node tests lack: those of older opsets, large tensors
on several threads, sizes that divide by nothing, and models that must be refused."""
import itertools
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    raise unittest.SkipTest('python3-onnx is not installed')

ROOT = pathlib.Path(__file__).resolve().parents[2]
NN = os.environ.get('PLATED_NN', str(ROOT / 'build/engine/plated-nn'))
TYPES = {np.dtype(t): o for o, t in onnx.mapping.TENSOR_TYPE_TO_NP_TYPE.items()
         if o not in (TensorProto.STRING, TensorProto.BFLOAT16, TensorProto.COMPLEX64,
                      TensorProto.COMPLEX128)}
random = np.random.RandomState(7)


def f32(*shape):
    return random.standard_normal(shape).astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


class Case(unittest.TestCase):
    tolerance = '1e-5'

    def command(self, verb, op, inputs, opset, outputs, threads, attributes, folder):
        """The finished process. `inputs`: arrays; those in a tuple are constants, None is absent,
        as it is among `outputs`. An output that is a name has that name and no reader."""
        names, graph_inputs, constants, arguments = [], [], [], []
        for i, given in enumerate(inputs):
            names.append(f'in{i}' if given is not None else '')
            if isinstance(given, tuple):
                constants.append(numpy_helper.from_array(np.asarray(given[0]), f'in{i}'))
            elif given is not None:
                graph_inputs.append(helper.make_tensor_value_info(f'in{i}', TYPES[given.dtype],
                                                                  given.shape))
                np.save(folder / f'in{i}.npy', np.asarray(given, order='C'))
                arguments += ['--input', f'in{i}={folder}/in{i}.npy']
        expected = {f'out{i}': o for i, o in enumerate(outputs)
                    if o is not None and not isinstance(o, str)}
        node = helper.make_node(op, names, [f'out{i}' if f'out{i}' in expected else o or ''
                                            for i, o in enumerate(outputs)], **attributes)
        infos = [helper.make_tensor_value_info(n, TYPES[o.dtype], None) for n, o in expected.items()]
        model = helper.make_model(helper.make_graph([node], 'case', graph_inputs, infos, constants),
                                  opset_imports=[helper.make_opsetid('', opset)], ir_version=7)
        (folder / 'model.onnx').write_bytes(model.SerializeToString())
        for name, array in expected.items():
            np.save(folder / f'{name}.npy', np.asarray(array, order='C'))
            arguments += ['--expect', f'{name}={folder}/{name}.npy']
        return subprocess.run([NN, verb, folder / 'model.onnx', '--rtol', self.tolerance, '--atol',
                               self.tolerance,
                               '--threads', str(threads), *arguments],
                              capture_output=True, text=True, timeout=120)

    def check(self, op, inputs, expected, opset=13, threads=1, **attributes):
        outputs = expected if isinstance(expected, list) else [expected]
        with tempfile.TemporaryDirectory() as folder:
            done = self.command('verify', op, inputs, opset, outputs, threads, attributes,
                                pathlib.Path(folder))
        self.assertEqual(done.returncode, 0, f'{op} opset {opset} {attributes}: {done.stderr}')

    def refuse(self, words, op, inputs, opset=13, **attributes):
        with tempfile.TemporaryDirectory() as folder:
            done = self.command('verify', op, inputs, opset, [np.zeros(1, np.float32)], 1,
                                attributes, pathlib.Path(folder))
        self.assertGreater(done.returncode, 0, f'{op} {attributes}: {done.stderr}')
        self.assertIn(words, done.stderr, f'{op} {attributes}')


class Opsets(Case):
    """Attributes that later became inputs, and meanings that changed."""

    def test_slice(self):
        x = f32(4, 5, 6)
        self.check('Slice', [x], x[1:3, :, -2:], 9, starts=[1, -2], ends=[3, 9999], axes=[0, 2])
        self.check('Slice', [x], x[1:3, 2:], 7, starts=[1, 2], ends=[3, 5])
        self.check('Slice', [x, (i64(-1),), (i64(-2 ** 63),), (i64(1),), (i64(-2),)], x[:, ::-2], 10)
        self.check('Slice', [x, (i64(3),), (i64(-2 ** 63),), (i64(2),), (i64(-2 ** 63),)],
                   x[:, :, 3:4], 11)
        self.check('Slice', [x, (i64(0, 1),), (i64(2 ** 63 - 1, 5),), None, (i64(2 ** 62, 2),)],
                   x[0:1, 1:5:2], 13)

    def test_clip(self):
        x = f32(100)
        self.check('Clip', [x], x.clip(-0.5, 0.25), 7, min=-0.5, max=0.25)
        self.check('Clip', [x], x.clip(0, None), 10, min=0.0)
        self.check('Clip', [x, None, (np.float32(0.5),)], x.clip(None, 0.5), 11)
        n = np.arange(-5, 6)
        self.check('Clip', [n, (np.int64(-2),)], n.clip(-2, None), 12)

    def test_pad(self):
        x = f32(2, 3, 4)
        pads = [0, 1, 2, 1, 0, 3]
        widths = [(0, 1), (1, 0), (2, 3)]
        self.check('Pad', [x], np.pad(x, widths, constant_values=2.5), 10, pads=pads, value=2.5)
        self.check('Pad', [x], np.pad(x, widths, 'edge'), 7, pads=pads, mode='edge')
        self.check('Pad', [x, (i64(2, 3),), None, (i64(-1),)],
                   np.pad(x, [(0, 0), (0, 0), (2, 3)], 'reflect'), 18, mode='reflect')
        self.check('Pad', [x, (i64(0, 0, -1, 0, 0, -1),)], x[:, :, 1:3], 13)
        self.check('Pad', [x, (i64(0, 0, 5, 0, 0, 6),)],
                   np.pad(x, [(0, 0), (0, 0), (5, 6)], 'wrap'), 19, mode='wrap')

    def test_squeeze(self):
        x = f32(1, 3, 1, 2)
        self.check('Squeeze', [x], x.squeeze(2), 11, axes=[-2])
        self.check('Squeeze', [x], x.squeeze(), 9)
        self.check('Squeeze', [x, (i64(0, 2),)], x.squeeze((0, 2)), 13)
        self.check('Unsqueeze', [x], x[None, ..., None], 11, axes=[0, -1])
        self.check('Unsqueeze', [x, (i64(-1, 0),)], x[None, ..., None], 13)

    def test_split(self):
        x = f32(2, 7)
        self.check('Split', [x], [x[:, :3], x[:, 3:7]], 11, axis=1, split=[3, 4])
        self.check('Split', [x], [x[:1], x[1:]], 7)
        self.check('Split', [x, (i64(3, 0, 4),)], [x[:, :3], x[:, :0], x[:, 3:]], 13, axis=-1)
        self.check('Split', [x], [x[:, :3], x[:, 3:6], x[:, 6:]], 18, axis=1, num_outputs=3)

    def test_top_k(self):
        x = random.permutation(60).reshape(3, 20).astype(np.float32)
        at = np.argsort(-x, 1)[:, :4]
        self.check('TopK', [x], [np.take_along_axis(x, at, 1), at], 7, k=4)
        self.check('TopK', [x, (i64(4),)], [np.take_along_axis(x, at, 1), at], 10)

    def test_upsample(self):
        x = f32(1, 2, 3, 5)
        twice = x.repeat(2, 2).repeat(3, 3)
        self.check('Upsample', [x], twice, 7, scales=[1.0, 1.0, 2.0, 3.0])
        scales = (np.array([1, 1, 2, 3], np.float32),)
        self.check('Upsample', [x, scales], twice, 9, mode='nearest')
        self.check('Resize', [x, scales], twice, 10)
        self.check('Resize', [x, None, scales], twice, 13, mode='nearest', nearest_mode='floor',
                   coordinate_transformation_mode='asymmetric')
        self.check('Resize', [x, None, None, (i64(6, 15),)], twice, 18, axes=[2, 3],
                   mode='nearest', nearest_mode='floor',
                   coordinate_transformation_mode='asymmetric')

    def test_resize_policy(self):
        x = f32(1, 1, 4, 8)
        self.check('Resize', [x, None, None, (i64(8, 8),)], x, 18, axes=[2, 3],
                   keep_aspect_ratio_policy='not_larger')
        self.check('Resize', [x, None, None, (i64(8, 8),)], x.repeat(2, 2).repeat(2, 3), 18,
                   axes=[2, 3], keep_aspect_ratio_policy='not_smaller')

    def test_softmax(self):
        x = f32(2, 3, 4)
        power = np.exp(x)
        self.check('Softmax', [x], power / power.sum((1, 2), keepdims=True), 11)
        self.check('Softmax', [x], power / power.sum(2, keepdims=True), 13)
        self.check('LogSoftmax', [x], x - np.log(power.sum(1, keepdims=True)), 13, axis=1)

    def test_reduce(self):
        x = f32(2, 3, 4, 5)
        self.check('ReduceSum', [x], x.sum((1, 3), keepdims=True), 11, axes=[1, -1])
        self.check('ReduceSum', [x, (i64(1),)], x.sum(1), 13, keepdims=0)
        self.check('ReduceMax', [x], x.max((0, 2)), 13, axes=[0, 2], keepdims=0)
        self.check('ReduceMax', [x, (i64(0, 2),)], x.max((0, 2)), 18, keepdims=0)
        self.check('ReduceMean', [x, None], x, 18, noop_with_empty_axes=1)
        n = np.arange(-4, 4).reshape(2, 4)
        self.check('ReduceMean', [n], np.trunc(n.mean(1)).astype(np.int64), 13, axes=[1], keepdims=0)
        self.check('ReduceProd', [n], n.prod(1), 13, axes=[1], keepdims=0)

    def test_others(self):
        x = f32(2, 3, 4)
        self.check('Dropout', [x], x, 7, ratio=0.9)
        self.check('Dropout', [x], [x, np.ones(x.shape, bool)], 13)
        self.check('Dropout', [x], [x, 'mask'], 7)
        self.check('MaxPool', [x], [x.max(2, keepdims=True), 'places'], 8, kernel_shape=[4])
        scale, bias, mean = f32(3), f32(3), f32(3)
        variance = np.abs(f32(3)) + 0.1
        def along(v): return v[None, :, None]
        for opset in (7, 9, 14, 15):
            self.check('BatchNormalization', [x, (scale,), (bias,), (mean,), (variance,)],
                       (x - along(mean)) / np.sqrt(along(variance) + 1e-3) * along(scale) +
                       along(bias), opset, epsilon=1e-3)
        self.check('Mish', [x], x * np.tanh(np.log1p(np.exp(x))), 18)
        data, at = np.zeros(5, np.float32), i64(1, 1, 3)[:, None]
        self.check('ScatterND', [data, at, np.float32([2, 5, -1])], np.float32([0, 5, 0, 0, 0]), 18,
                   reduction='max')
        self.check('Transpose', [x], x.T, 7)


class Large(Case):
    """Tensors that several threads share."""

    def threads(self, op, inputs, expected, opset=13, **attributes):
        for threads in (1, 4):
            self.check(op, inputs, expected, opset, threads, **attributes)

    def test_elementwise(self):
        x, y = f32(3, 37, 65, 33), f32(1, 37, 1, 33)
        self.threads('Add', [x, y], x + y)
        self.threads('Mul', [y, x], x * y)
        self.threads('Sub', [x, f32(1)[0:1] * 0 + 3], x - 3)
        self.threads('Max', [x, y, f32(33) * 0], np.maximum(np.maximum(x, y), 0))
        self.threads('Sigmoid', [x], 1 / (1 + np.exp(-x)))
        self.threads('Where', [x > 0, x, y], np.where(x > 0, x, y))
        self.threads('Pow', [x, (np.float32(2),)], x * x)

    def test_transpose(self):
        for shape in ((2, 35, 67, 19), (1, 85, 3, 1600)):
            x = f32(*shape)
            for perm in itertools.permutations(range(4)):
                self.threads('Transpose', [x], x.transpose(perm), perm=perm)
        self.threads('Transpose', [x.astype(np.int64)], x.astype(np.int64).transpose(3, 1, 2, 0),
                     perm=[3, 1, 2, 0])

    def test_concat_and_split(self):
        x, y = f32(2, 30, 41, 43), f32(2, 11, 41, 43)
        self.threads('Concat', [x, y, x], np.concatenate([x, y, x], 1), axis=1)
        z = f32(2, 30, 41, 7)
        self.threads('Concat', [x, z], np.concatenate([x, z], -1), axis=-1)
        self.threads('Split', [x, (i64(3, 40),)], [x[..., :3], x[..., 3:]], axis=3)
        self.threads('Slice', [x, (i64(1, 0),), (i64(99, 99),), (i64(2, 3),), (i64(2, 2),)],
                     x[:, :, 1::2, ::2])

    def test_pool(self):
        x = f32(2, 9, 61, 47)
        for k, stride, pad in ((5, 1, 2), (9, 1, 4), (13, 1, 6), (2, 2, 0), (3, 2, 1), (7, 3, 2)):
            padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], constant_values=-np.inf)
            windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (2, 3))
            windows = windows[:, :, ::stride, ::stride]
            shape = dict(kernel_shape=[k, k], strides=[stride, stride], pads=[pad] * 4)
            self.threads('MaxPool', [x], windows.max((-1, -2)), **shape)
            inside = np.isfinite(windows)
            total = np.where(inside, windows, 0).sum((-1, -2))
            self.threads('AveragePool', [x], total / inside.sum((-1, -2)).astype(np.float32), **shape)
            self.threads('AveragePool', [x], total / np.float32(k * k), count_include_pad=1, **shape)

    def test_pool_dilated(self):
        x = f32(1, 4, 40, 41)
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 7), (2, 3))[..., ::2, ::3]
        self.threads('MaxPool', [x], windows.max((-1, -2)), kernel_shape=[3, 3], dilations=[2, 3])

    def test_resize(self):
        x = f32(1, 16, 40, 40)
        self.threads('Resize', [x, None, (np.float32([1, 1, 2, 2]),)], x.repeat(2, 2).repeat(2, 3),
                     coordinate_transformation_mode='asymmetric', nearest_mode='floor')
        y = x.repeat(2, 3)
        left, right = np.roll(x, 1, 3), np.roll(x, -1, 3)
        left[..., 0], right[..., -1] = x[..., 0], x[..., -1]
        y[..., 0::2] = 0.75 * x + 0.25 * left
        y[..., 1::2] = 0.75 * x + 0.25 * right
        self.threads('Resize', [x, None, (np.float32([1, 1, 1, 2]),)], y, mode='linear')

    def test_reduce(self):
        x = f32(3, 80, 41, 37)
        for axes in ((1,), (2, 3), (0, 2), (0, 1, 2, 3)):
            self.threads('ReduceMean', [x], x.mean(axes, np.float64).astype(np.float32), axes=axes,
                         keepdims=0)
        self.threads('ArgMax', [x], x.argmax(1), axis=1, keepdims=0)
        power = np.exp(x)
        self.threads('Softmax', [x], power / power.sum(1, keepdims=True), axis=1)


class Detection(Case):
    def test_non_max_suppression(self):
        """Against the plain definition, on boxes that overlap a lot."""
        n, classes = 300, 3
        corners = random.uniform(0, 50, (1, n, 2))
        boxes = np.concatenate([corners, corners + random.uniform(5, 30, (1, n, 2))], 2)
        boxes = boxes.astype(np.float32)
        scores = random.uniform(0, 1, (1, classes, n)).astype(np.float32)

        def iou(a, b):
            low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
            both = np.prod(np.clip(high - low, 0, None))
            return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)

        rows = []
        for c in range(classes):
            kept = []
            for i in np.argsort(-scores[0, c], kind='stable'):
                if len(kept) < 20 and scores[0, c, i] > 0.3 and \
                        all(iou(boxes[0, i], boxes[0, j]) <= 0.45 for j in kept):
                    kept.append(i)
            rows += [[0, c, i] for i in kept]
        limits = [(i64(20),), (np.float32([0.45]),), (np.float32([0.3]),)]
        self.check('NonMaxSuppression', [boxes, scores, *limits], i64(*rows), 11)
        centers = np.concatenate([(boxes[..., [1, 0]] + boxes[..., [3, 2]]) / 2,
                                  boxes[..., [3, 2]] - boxes[..., [1, 0]]], 2)
        self.check('NonMaxSuppression', [centers, scores, *limits], i64(*rows), 10,
                   center_point_box=1)

    def test_nothing_left(self):
        limits = [(i64(20),), (np.float32([0.45]),), (np.float32([0.3]),)]
        self.check('NonMaxSuppression', [f32(1, 8, 4), np.zeros((1, 2, 8), np.float32), *limits],
                   np.zeros((0, 3), np.int64), 11)


class Dynamic(Case):
    """Shapes that only the run knows, through the chain that YOLO exports put behind NMS."""

    def setUp(self):
        value, node = helper.make_tensor_value_info, helper.make_node
        constants = {'most': i64(50), 'iou': np.float32([0.5]), 'threshold': np.float32([0.5]),
                     'zero': np.array(0), 'one': i64(1), 'two': i64(2), 'batch_box': i64(0, 2),
                     'rows': i64(-1), 'column': i64(-1, 1)}
        nodes = [
            node('NonMaxSuppression', ['boxes', 'scores', 'most', 'iou', 'threshold'], ['kept']),
            node('Gather', ['kept', 'batch_box'], ['pairs'], axis=1),
            node('GatherND', ['boxes', 'pairs'], ['chosen']),
            node('GatherND', ['scores', 'kept'], ['confidence_flat']),
            node('Reshape', ['confidence_flat', 'column'], ['confidence']),
            node('Slice', ['kept', 'one', 'two', 'one'], ['class_int']),
            node('Cast', ['class_int'], ['class'], to=TensorProto.FLOAT),
            node('Concat', ['chosen', 'class', 'confidence'], ['table'], axis=1),
            node('Mul', ['table', 'table'], ['squares']),
            node('ReduceSum', ['squares', 'one'], ['sums'], keepdims=0),
            node('TopK', ['sums', 'count'], ['best', 'order']),
            node('Shape', ['sums'], ['count']),
            node('Gather', ['table', 'order'], ['ordered'], axis=0),
        ]
        nodes[10], nodes[11] = nodes[11], nodes[10]
        graph = helper.make_graph(
            nodes, 'chain', [value('boxes', TensorProto.FLOAT, [1, 6, 4]),
                             value('scores', TensorProto.FLOAT, [1, 2, 6])],
            [value('table', TensorProto.FLOAT, None), value('ordered', TensorProto.FLOAT, None)],
            [numpy_helper.from_array(a, n) for n, a in constants.items()])
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)],
                                       ir_version=7)

    def table(self, scores):
        boxes = (np.arange(6)[:, None] * 100 + np.float32([0, 0, 10, 10]))[None].astype(np.float32)
        rows = [[*boxes[0, i], c, scores[0, c, i]] for c in range(2)
                for i in np.argsort(-scores[0, c], kind='stable') if scores[0, c, i] > 0.5]
        table = np.array(rows, np.float32).reshape(-1, 6)
        order = np.argsort(-(table * table).sum(1), kind='stable')
        with tempfile.TemporaryDirectory() as folder:
            for name, array in (('boxes', boxes), ('scores', scores), ('table', table),
                                ('ordered', table[order])):
                np.save(f'{folder}/{name}.npy', array)
            onnx.save(self.model, f'{folder}/model.onnx')
            done = subprocess.run([NN, 'verify', f'{folder}/model.onnx',
                                   '--input', f'boxes={folder}/boxes.npy',
                                   '--input', f'scores={folder}/scores.npy',
                                   '--expect', f'table={folder}/table.npy',
                                   '--expect', f'ordered={folder}/ordered.npy'],
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_some_all_none(self):
        self.table(random.uniform(0, 1, (1, 2, 6)).astype(np.float32))
        self.table(random.uniform(0.6, 1, (1, 2, 6)).astype(np.float32))
        self.table(np.zeros((1, 2, 6), np.float32))

    def shaped_by_count(self, op, inputs, count, **attributes):
        """The error of one operator on numbers whose shape is count × the rest."""
        value, node = helper.make_tensor_value_info, helper.make_node
        nodes = [node('NonZero', ['chosen'], ['places']), node('Shape', ['places'], ['shape']),
                 node('Slice', ['shape', 'one', 'two'], ['count']),
                 node('Concat', ['count', 'rest'], ['dims'], axis=0),
                 node('Reshape', ['numbers', 'dims'], ['x']), node(op, inputs, ['y'], **attributes)]
        graph = helper.make_graph(
            nodes, 'case', [value('chosen', TensorProto.FLOAT, [4000]),
                            value('numbers', TensorProto.FLOAT, [4000])],
            [value('y', TensorProto.FLOAT, None)],
            [numpy_helper.from_array(a, n) for n, a in (('one', i64(1)), ('two', i64(2)),
                                                        ('rest', i64(-1)))])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=7)
        with tempfile.TemporaryDirectory() as folder:
            onnx.save(model, f'{folder}/model.onnx')
            np.save(f'{folder}/chosen.npy', np.float32(np.arange(4000) < count))
            np.save(f'{folder}/numbers.npy', f32(4000))
            np.save(f'{folder}/y.npy', f32(count, 1))
            done = subprocess.run([NN, 'verify', f'{folder}/model.onnx',
                                   '--input', f'chosen={folder}/chosen.npy',
                                   '--input', f'numbers={folder}/numbers.npy',
                                   '--expect', f'y={folder}/y.npy'], capture_output=True, text=True)
        return done.stderr

    def test_longer_lines(self):
        """Fewer rows than planned are longer ones: scratch for one of them grows."""
        self.assertIn('more working memory', self.shaped_by_count('TopK', ['x', 'one'], 2, axis=1))


class SharedMemory(Case):
    def test_scatter_of_itself(self):
        """The updates are the data: a result in the data's memory would change them."""
        node = helper.make_node
        nodes = [node('Relu', ['x'], ['a']), node('ScatterND', ['a', 'at', 'a'], ['y'])]
        graph = helper.make_graph(
            nodes, 'case', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [64])],
            [helper.make_tensor_value_info('y', TensorProto.FLOAT, [64])],
            [numpy_helper.from_array(np.arange(63, -1, -1)[:, None], 'at')])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=7)
        x = np.arange(64, dtype=np.float32)
        with tempfile.TemporaryDirectory() as folder:
            np.save(f'{folder}/x.npy', x)
            np.save(f'{folder}/y.npy', x[::-1].copy())
            onnx.save(model, f'{folder}/model.onnx')
            done = subprocess.run([NN, 'verify', f'{folder}/model.onnx', '--input',
                                   f'x={folder}/x.npy', '--expect', f'y={folder}/y.npy'],
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


class Refused(Case):
    """A hostile or broken model ends in a sentence."""

    def test_attributes(self):
        x = f32(1, 2, 8, 8)
        self.refuse('strides holds 0', 'MaxPool', [x], kernel_shape=[2, 2], strides=[0, 1])
        self.refuse('kernel_shape holds -3', 'MaxPool', [x], kernel_shape=[2, -3])
        self.refuse('does not fit', 'MaxPool', [x], kernel_shape=[9, 9])
        self.refuse('pads holds', 'AveragePool', [x], kernel_shape=[2, 2], pads=[0, 0, 2 ** 40, 0])
        self.refuse('no permutation', 'Transpose', [x], perm=[0, 1, 1, 3])
        self.refuse('perm has 3', 'Transpose', [x], perm=[0, 1, 2])
        self.refuse('axis 4', 'Concat', [x, x], axis=4)
        self.refuse('does not fit input 0', 'Concat', [x, f32(1, 2, 8, 7)], axis=1)
        self.refuse('axis -5', 'Softmax', [x], axis=-5)
        self.refuse('named twice', 'ReduceMax', [x], axes=[1, -3])
        self.refuse('blocksize is 0', 'DepthToSpace', [x], blocksize=0)
        self.refuse('do not divide', 'DepthToSpace', [x], blocksize=2 ** 31 - 1)
        self.refuse('data type 99', 'Cast', [x], to=99)
        self.refuse('size is 0', 'LRN', [x], size=0)
        self.refuse('k is 9', 'TopK', [x, (i64(9),)])
        self.refuse('leave', 'Split', [x], 11, axis=1, split=[1])

    def test_inputs(self):
        x = f32(4, 6)
        self.refuse('do not divide', 'Reshape', [x, (i64(-1, 5),)])
        self.refuse('too large', 'Reshape', [x, (i64(2 ** 40, 2 ** 40),)])
        self.refuse('is -2', 'Reshape', [x, (i64(-2, 5),)])
        self.refuse('must be constant', 'Reshape', [x, i64(6, 4)])
        self.refuse('step of axis 0', 'Slice', [x, (i64(0),), (i64(1),), (i64(0),), (i64(0),)])
        self.refuse('does not expand', 'Expand', [x, (i64(3, 6),)])
        self.refuse('too large', 'Expand', [f32(1), (i64(2 ** 40, 2 ** 40),)])
        self.refuse('too large', 'ConstantOfShape', [(i64(2 ** 20, 2 ** 20),)])
        self.refuse('no end', 'Range', [(np.float32(0),), (np.float32(1),), (np.float32(0),)])
        self.refuse('no end', 'Range', [(np.int64(0),), (np.int64(2 ** 62),), (np.int64(1),)])
        self.refuse('too large', 'Tile', [x, (i64(2 ** 30, 2 ** 30),)])
        self.refuse('do not broadcast', 'Add', [x, f32(5)])
        self.refuse('expected float32 like input 0', 'Add', [x, i64(1)])
        self.refuse('does not scale', 'Resize', [f32(1, 1, 2, 2), None,
                                                 (np.float32([1, 1, np.nan, 1]),)])
        self.refuse('too large', 'Resize', [f32(1, 1, 2, 2), None,
                                            (np.float32([1, 1, 1e8, 1e8]),)])
        self.refuse('too large', 'Pad', [x, (i64(0, 0, 2 ** 61, 0),)])

    def test_no_output(self):
        """Nodes whose result has no name would be evaluated into nothing."""
        for op, needs in (('Shape', 'none of its outputs'), ('MaxPool', 'output 0 has no name')):
            outputs = ['', 'y'] if op == 'MaxPool' else ['']
            nodes = [helper.make_node(op, ['x'], outputs, **({'kernel_shape': [1]} if outputs[1:]
                                                             else {})),
                     helper.make_node('Relu', ['x'], ['z'])]
            value = helper.make_tensor_value_info
            graph = helper.make_graph(nodes, 'case', [value('x', TensorProto.FLOAT, [1, 1, 3])],
                                      [value('z', TensorProto.FLOAT, None)])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)],
                                      ir_version=7)
            with tempfile.NamedTemporaryFile(suffix='.onnx') as file:
                file.write(model.SerializeToString())
                file.flush()
                done = subprocess.run([NN, 'inspect', file.name], capture_output=True, text=True)
            self.assertGreater(done.returncode, 0)
            self.assertIn(needs, done.stderr)

    def test_values(self):
        n = np.arange(6)
        self.refuse('division by zero', 'Div', [n, n - 3])
        self.refuse('division by zero', 'Mod', [n, n * 0])
        self.refuse('index 6', 'Gather', [n, i64(0, 6)])
        self.refuse('index -7', 'GatherElements', [n, i64(-7)])
        self.refuse('index 6', 'GatherND', [n, i64(6)[:, None]])
        self.refuse('index 9', 'ScatterND', [n, i64(9)[:, None], i64(1)])
        self.refuse('axis 1', 'CumSum', [n, np.array(1)])


if __name__ == '__main__':
    unittest.main()

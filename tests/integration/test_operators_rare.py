#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Operators that few networks use, in the forms that ONNX's own node tests lack: older and newer
opsets, odd lengths, several threads, empty results, and models that must be refused."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import NN, TYPES, Case, f32, helper, i64, onnx, random


class Losses(Case):
    def test_negative_log_likelihood(self):
        x, weight = f32(3, 5, 4, 2), np.abs(f32(5))
        target = random.randint(0, 5, (3, 4, 2))
        loss = -np.take_along_axis(x, target[:, None], 1)[:, 0]
        check = 'NegativeLogLikelihoodLoss'
        self.check(check, [x, target], loss, 12, reduction='none')
        self.check(check, [x, target.astype(np.int32)], loss.mean(), 13)
        self.check(check, [x, target, weight], (loss * weight[target]).sum(), 13, reduction='sum')
        self.check(check, [x, target, weight],
                   (loss * weight[target]).sum() / weight[target].sum(), 13)
        # Without weights too, what is ignored counts for nothing: as in PyTorch.
        self.check(check, [x, target], loss[target != 2].mean(), 13, ignore_index=2)
        self.check(check, [x, np.where(target == 2, -100, target)],
                   np.where(target == 2, 0, loss), 13, ignore_index=-100, reduction='none')

    def test_softmax_cross_entropy(self):
        x = np.float64(f32(2, 7) * 300)
        target = i64(6, 0)
        shifted = x - x.max(1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        loss = -logs[[0, 1], target]
        self.check('SoftmaxCrossEntropyLoss', [x, target], [loss.mean(), logs], 12)
        self.check('SoftmaxCrossEntropyLoss', [x, target], [loss, logs], 13, reduction='none')

    def test_refused(self):
        x = f32(3, 5)
        for op in ('NegativeLogLikelihoodLoss', 'SoftmaxCrossEntropyLoss'):
            self.refuse('target 5 is none of 5 classes', op, [x, i64(0, 5, 1)])
            self.refuse('target -1 is none of 5', op, [x, i64(0, -1, 1)], ignore_index=-2)
            self.refuse('do not fit', op, [x, i64(0, 1)])
            self.refuse('reduction is all', op, [x, i64(0, 1, 2)], reduction='all')
            self.refuse('expected 5 elements', op, [x, i64(0, 1, 2), f32(4)])


class Choice(Case):
    """Results whose size only the run knows."""

    def test_compress(self):
        x = f32(3, 4, 2)
        for axis in (0, 1, 2, -1):
            chosen = random.randint(0, 2, x.shape[axis]).astype(bool)
            self.check('Compress', [x, chosen], x.compress(chosen, axis), 9, axis=axis)
        chosen = np.array([0, 1, 1], bool)
        self.check('Compress', [x, chosen], x.compress(chosen), 11)
        self.check('Compress', [x, chosen[:1]], x[:0], 11, axis=0)
        self.check('Compress', [x.astype(np.float16), chosen], x[1:].astype(np.float16), 11, axis=0)
        self.check('Compress', [x, np.array([1, 0, 0, 0, 0], bool)], x[:1], 11, axis=0)
        self.refuse('slice 4 is chosen of 3', 'Compress', [x, np.array([0] * 4 + [1], bool)],
                    axis=0)

    def test_unique(self):
        x = random.randint(-3, 4, 200).astype(np.int8)
        sorted_outputs = np.unique(x, True, True, True)
        self.check('Unique', [x], list(sorted_outputs), 11)
        values, first, inverse, counts = sorted_outputs
        place = np.argsort(first)
        back = np.argsort(place)
        self.check('Unique', [x], [values[place], first[place], back[inverse], counts[place]], 11,
                   sorted=0)

    def test_unique_slices(self):
        x = random.randint(0, 2, (2, 20, 2)).astype(np.float64)
        for axis in (0, 1, -1):
            self.check('Unique', [x], list(np.unique(x, True, True, True, axis)), 11, axis=axis)
        y = np.float32([1, np.nan, -np.inf, np.nan, 0, -0.0])
        self.check('Unique', [y], [np.float32([-np.inf, 0, 1, np.nan]), i64(2, 4, 0, 1),
                                   i64(2, 3, 0, 3, 1, 1), i64(1, 2, 1, 2)], 11)

    def test_chain(self):
        """The true sizes reach what follows."""
        node, value = helper.make_node, helper.make_tensor_value_info
        nodes = [node('Unique', ['x'], ['u', '', '', 'counts']), node('Mul', ['u', 'u'], ['y']),
                 node('Shape', ['counts'], ['n'])]
        graph = helper.make_graph(nodes, 'chain', [value('x', TYPES[np.dtype(np.int32)], [9])],
                                  [value('y', TYPES[np.dtype(np.int32)], None),
                                   value('n', TYPES[np.dtype(np.int64)], None)])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=7)
        for x in (np.arange(9), np.zeros(9), np.arange(9) % 3):
            u = np.unique(x)
            with tempfile.TemporaryDirectory() as folder:
                onnx.save(model, f'{folder}/model.onnx')
                argv = [NN, 'verify', f'{folder}/model.onnx']
                for option, name, array in (('--input', 'x', x), ('--expect', 'y', u * u),
                                            ('--expect', 'n', i64(len(u)))):
                    np.save(f'{folder}/{name}.npy',
                            array.astype(np.int64 if name == 'n' else np.int32))
                    argv += [option, f'{name}={folder}/{name}.npy']
                done = subprocess.run(argv, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


class Numbers(Case):
    def test_bit_shift(self):
        x, y = np.uint8([[1], [255]]), np.uint8([0, 1, 7, 8, 200])
        left = [[1, 2, 128, 0, 0], [255, 254, 128, 0, 0]]
        right = [[1, 0, 0, 0, 0], [255, 127, 1, 0, 0]]
        self.check('BitShift', [x, y], np.uint8(left), 11, direction='LEFT')
        self.check('BitShift', [x, y], np.uint8(right), 11, direction='RIGHT')
        z = np.uint64([2 ** 63, 1])
        self.check('BitShift', [z, np.uint64([63, 63])], np.uint64([1, 0]), direction='RIGHT')
        self.refuse("direction is 'UP'", 'BitShift', [x, y], direction='UP')
        self.refuse('int32 is not supported', 'BitShift', [np.int32([1]), np.int32([1])],
                    direction='LEFT')

    def test_cast_like(self):
        x = np.float32([-1.5, 0, 300, 2 ** 31])
        self.check('CastLike', [x, np.int32([0])], np.int32([-1, 0, 300, 2 ** 31 - 1]), 15)
        self.check('CastLike', [x, np.zeros(1, bool)], x != 0, 19)
        self.check('CastLike', [x, np.float16([0])], np.float16([-1.5, 0, 300, np.inf]), 21)

    def test_hardmax(self):
        x = np.round(f32(3, 4, 5))
        flat = x.reshape(3, 20)
        one = np.zeros_like(flat)
        one[np.arange(3), flat.argmax(1)] = 1
        self.check('Hardmax', [x], one.reshape(x.shape), 11)
        self.check('Hardmax', [x], np.float32(np.arange(5) == x.argmax(2)[..., None]), 13)
        self.check('Hardmax', [x], np.float32(np.arange(4)[:, None] == x.argmax(1)[:, None]), 13, 4,
                   axis=-2)

    def test_shrink(self):
        x = f32(100)
        self.check('Shrink', [x], np.where(x < -0.5, x + 0.25, np.where(x > 0.5, x - 0.25, 0)), 9,
                   bias=0.25)
        n = np.arange(-4, 5)
        self.check('Shrink', [n], np.where(n < -1.5, n + 1, np.where(n > 1.5, n - 1, 0)), 9,
                   lambd=1.5, bias=1.0)
        self.check('Shrink', [np.uint8([0, 1, 2, 200])], np.uint8([0, 0, 1, 199]), 9, lambd=1.0,
                   bias=1.0)

    def test_mean_variance_normalization(self):
        x = f32(3, 4, 5, 6)
        for axes in ((0, 2, 3), (1,), (-1, 0), (0, 1, 2, 3)):
            mean, deviation = x.mean(axes, keepdims=True), x.std(axes, keepdims=True)
            self.check('MeanVarianceNormalization', [x], (x - mean) / deviation, 9, axes=axes)
        self.check('MeanVarianceNormalization', [x[..., 0]],
                   (x[..., 0] - x[..., 0].mean(1, keepdims=True)) /
                   x[..., 0].std(1, keepdims=True), 13, axes=[1])
        self.refuse('axis 3', 'MeanVarianceNormalization', [x[..., 0]])

    def test_det(self):
        for n in (1, 2, 5, 20):
            x = np.float64(f32(3, 2, n, n))
            self.check('Det', [x], np.linalg.det(x), 11)
        self.check('Det', [np.zeros((4, 4), np.float32)], np.float32(0), 11)
        self.check('Det', [np.float32([[0, 2], [3, 0]])], np.float32(-6), 11)
        self.refuse('2×3 is not square', 'Det', [f32(2, 3)])

    def test_reverse_sequence(self):
        x = np.arange(24).reshape(3, 4, 2)
        y = np.stack([x[0], x[1, [1, 0, 2, 3]], x[2, [3, 2, 1, 0]]])
        self.check('ReverseSequence', [x, i64(0, 2, 4)], y, 10, batch_axis=0, time_axis=1)
        self.check('ReverseSequence', [x.swapaxes(0, 1), i64(0, 2, 4)], y.swapaxes(0, 1), 10)
        self.refuse('sequence 1 has a length of 5 of 4', 'ReverseSequence', [x, i64(0, 5, 4)],
                    batch_axis=0, time_axis=1)
        self.refuse('expected 0 and 1', 'ReverseSequence', [x, i64(0, 2, 4)], batch_axis=1,
                    time_axis=1)


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Operators and forms of them that opsets 18 to 21 brought, which Debian's ONNX 1.12 has no data
for. What is expected is computed here, by numpy or by PyTorch."""
import itertools
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import Case, f32, i64

try:
    import torch
    from torch.nn import functional
except ImportError:
    torch = None

random = np.random.RandomState(13)
INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)


def needs_torch(test):
    return unittest.skipUnless(torch, 'python3-torch is not installed')(test)


def of_torch(tensor):
    return tensor.numpy()


class Elementwise(Case):
    def test_bitwise(self):
        for dtype in INTEGERS:
            info = np.iinfo(dtype)
            a = random.randint(info.min, info.max, (3, 4, 5), dtype=dtype)
            b = random.randint(info.min, info.max, (4, 1), dtype=dtype)
            self.check('BitwiseAnd', [a, b], a & b, 18)
            self.check('BitwiseOr', [b, a], a | b, 18)
            self.check('BitwiseXor', [a, b], a ^ b, 18)
            self.check('BitwiseNot', [a], ~a, 18)
        self.refuse('float32 is not supported', 'BitwiseAnd', [f32(2), f32(2)], 18)
        self.refuse('supported from opset 18', 'BitwiseNot', [i64(1)], 17)

    @needs_torch
    def test_gelu(self):
        x = np.concatenate([f32(500) * 3, np.float32([0, -0.0, 40, -40, np.inf, np.nan])])
        for dtype, way in itertools.product((np.float32, np.float64), ('none', 'tanh')):
            wide = x.astype(dtype)
            y = of_torch(functional.gelu(torch.from_numpy(wide), approximate=way))
            self.check('Gelu', [wide], y, 20, approximate=way)
        self.check('Gelu', [x], of_torch(functional.gelu(torch.from_numpy(x))), 20)
        self.check('Gelu', [x], of_torch(functional.gelu(torch.from_numpy(x))), 13,
                   domain='com.microsoft')
        x = x[:-2]
        self.check('QuickGelu', [x], x / (1 + np.exp(-1.5 * x.astype(float))).astype(np.float32), 13,
                   domain='com.microsoft', alpha=1.5)
        self.refuse('approximate erf', 'Gelu', [x], 20, approximate='erf')

    def test_tests(self):
        for dtype in (np.float32, np.float64):
            x = np.array([1, np.inf, -np.inf, np.nan, 0], dtype)
            self.check('IsInf', [x], np.isinf(x), 20)
            self.check('IsInf', [x], x == np.inf, 20, detect_negative=0)
            self.check('IsInf', [x], x == -np.inf, 20, detect_positive=0)
            self.check('IsNaN', [x], np.isnan(x), 20)

    def test_cast(self):
        """`saturate` speaks of 8-bit floats alone."""
        x = np.float32([1.6, -1.6, 0, 100])
        self.check('Cast', [x], x.astype(np.int32), 19, to=6, saturate=0)
        self.refuse('float8e4m3fn', 'Cast', [x], 19, to=17)
        self.refuse('bfloat16', 'Cast', [x], 19, to=16)
        self.refuse('int4', 'Cast', [x], 21, to=22)
        self.refuse('string', 'Cast', [x], 21, to=8)

    def test_erf(self):
        """Of integers: towards zero, as a cast has it."""
        x = np.int32([-100, -2, -1, 0, 1, 2, 3, 100])
        self.check('Erf', [x], np.int32([-1, 0, 0, 0, 0, 0, 0, 1]), 13)
        self.check('Erf', [x[3:].astype(np.uint8)], np.uint8([0, 0, 0, 0, 1]), 13)

    def test_compare(self):
        a, b = random.randint(0, 3, (2, 40)).astype(np.uint8)
        for opset in (13, 19, 21):
            self.check('Equal', [a, b], a == b, opset)
        self.check('GreaterOrEqual', [a, b], a >= b, 16)
        self.check('Where', [a > b, a, b], np.where(a > b, a, b), 16)


class Shapes(Case):
    def test_shape(self):
        x = f32(2, 3, 4)
        self.check('Shape', [x], i64(2, 3, 4), 21)
        for start, end in itertools.product((-9, -2, 0, 1, 3, 9), repeat=2):
            self.check('Shape', [x], i64(*(2, 3, 4)[slice(*np.clip(
                [start + 3 * (start < 0), end + 3 * (end < 0)], 0, 3))]), 19, start=start, end=end)
        self.check('Shape', [x], i64(3, 4), 15, start=1)

    def test_reshape(self):
        x = f32(2, 3, 4)
        self.check('Reshape', [x, (i64(0, -1),)], x.reshape(2, 12), 21, allowzero=0)
        self.check('Reshape', [(np.zeros((0, 3), np.float32),), (i64(3, 0),)],
                   np.zeros((3, 0), np.float32), 19, allowzero=1)

    def test_constant_of_shape(self):
        import onnx
        for dtype in (*INTEGERS, np.float32, np.float64, np.float16, bool):
            one = np.ones(1, dtype)
            self.check('ConstantOfShape', [(i64(2, 3),)], np.ones((2, 3), dtype), 21,
                       value=onnx.numpy_helper.from_array(one))

    def test_split(self):
        x = f32(10, 3)
        self.check('Split', [x], [x[:4], x[4:8], x[8:]], 18, num_outputs=3)
        self.check('Split', [x], [x[:3], x[3:6], x[6:9], x[9:]], 18, num_outputs=4)
        self.check('Split', [x, (i64(1, 9),)], [x[:1], x[1:]], 18)
        self.refuse('num_outputs is 2 for 1', 'Split', [x], 18, num_outputs=2)

    def test_center_crop_pad(self):
        x = f32(5, 8, 3)

        def expected(sizes):
            y = np.zeros(sizes, np.float32)
            there, here = [], []
            for n, m in zip(x.shape, sizes):
                common = min(n, m)
                there.append(slice((n - common) // 2, (n - common) // 2 + common))
                here.append(slice((m - common) // 2, (m - common) // 2 + common))
            y[tuple(here)] = x[tuple(there)]
            return y

        for sizes in ((5, 8, 3), (2, 3, 1), (8, 11, 4), (3, 13, 3), (6, 7, 2)):
            self.check('CenterCropPad', [x, (i64(*sizes),)], expected(sizes), 18)
        self.check('CenterCropPad', [x, (i64(4, 9),)], expected((9, 8, 4)), 18, axes=[-1, 0])
        self.check('CenterCropPad', [x.astype(np.uint8), (i64(10),)],
                   expected((5, 10, 3)).astype(np.uint8), 18, axes=[1])
        self.refuse('2 sizes for 3', 'CenterCropPad', [x, (i64(4, 9),)], 18)
        self.refuse('named twice', 'CenterCropPad', [x, (i64(4, 9),)], 18, axes=[0, -3])
        self.refuse('is -4', 'CenterCropPad', [x, (i64(-4),)], 18, axes=[0])
        self.refuse('too large', 'CenterCropPad', [x, (i64(2 ** 40),)], 18, axes=[0])


class Windows(Case):
    @needs_torch
    def test_col2im(self):
        for image, block, given in (
                ((5, 6), (2, 3), {}),
                ((7, 8), (3, 2), dict(strides=[2, 3], pads=[1, 1, 1, 1])),
                ((9, 9), (3, 3), dict(dilations=[2, 1], pads=[2, 0, 2, 0]))):
            pads = given.get('pads', [0] * 4)
            options = dict(stride=given.get('strides', 1), dilation=given.get('dilations', 1),
                           padding=pads[:2])
            full = torch.from_numpy(f32(2, 3, *image))
            columns = functional.unfold(full, block, **options)
            y = functional.fold(columns, image, block, **options)
            for dtype in (np.float32, np.float64, np.int32):
                x = np.rint(of_torch(columns) * 10).astype(dtype)
                y = of_torch(functional.fold(torch.from_numpy(x.astype(float)), image, block,
                                             **options))
                self.check('Col2Im', [x, (i64(*image),), (i64(*block),)], y.astype(dtype), 18,
                           **given)

    def test_col2im_forms(self):
        """One and three dimensions, and pads that differ from side to side."""
        x = f32(1, 2 * 3, 4)
        y = np.zeros((1, 2, 7), np.float32)
        for channel, tap, position in itertools.product(range(2), range(3), range(4)):
            at = position * 2 + tap - 1
            if 0 <= at < 7:
                y[0, channel, at] += x[0, channel * 3 + tap, position]
        self.check('Col2Im', [x, (i64(7),), (i64(3),)], y, 18, strides=[2], pads=[1, 1])
        x = f32(2, 8, 2 * 3 * 1)
        y = np.zeros((2, 1, 3, 4, 2), np.float32)
        for k, (a, b, c) in enumerate(itertools.product(range(2), repeat=3)):
            for i, (d, e, f) in enumerate(itertools.product(range(2), range(3), range(1))):
                y[:, 0, a + d, b + e, c + f] += x[:, k, i]
        self.check('Col2Im', [x, (i64(3, 4, 2),), (i64(2, 2, 2),)], y, 18)
        self.refuse('are not 6 positions of blocks of 4', 'Col2Im',
                    [f32(1, 8, 5), (i64(3, 4),), (i64(2, 2),)], 18)
        self.refuse('block_shape holds 0', 'Col2Im', [f32(1, 8, 5), (i64(3, 4),), (i64(2, 0),)], 18)
        self.refuse('strides has 1 numbers', 'Col2Im',
                    [f32(1, 8, 6), (i64(3, 4),), (i64(2, 2),)], 18, strides=[1])

    @needs_torch
    def test_affine_grid(self):
        for sizes in ((2, 3, 4, 5), (1, 1, 1, 7), (2, 1, 3, 4, 5)):
            n = len(sizes) - 2
            theta = f32(sizes[0], n, n + 1)
            for corners in (0, 1):
                y = functional.affine_grid(torch.from_numpy(theta), sizes, bool(corners))
                self.check('AffineGrid', [theta, (i64(*sizes),)], of_torch(y), 20,
                           align_corners=corners)
            self.check('AffineGrid', [theta.astype(float), (i64(*sizes),)], of_torch(
                functional.affine_grid(torch.from_numpy(theta.astype(float)), sizes, False)), 20)
        self.refuse('do not fit', 'AffineGrid', [f32(2, 2, 3), (i64(2, 1, 3, 4, 5),)], 20)
        self.refuse('do not fit', 'AffineGrid', [f32(2, 2, 3), (i64(3, 1, 3, 4),)], 20)

    def test_average_pool(self):
        """Dilations came with opset 19."""
        x = f32(2, 3, 9, 10)
        for pads, include in itertools.product(([0] * 4, [2, 1, 1, 2]), (0, 1)):
            widths = [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])]
            wide, ones = np.pad(x, widths), np.pad(np.ones_like(x), widths, constant_values=include)
            height, width = (wide.shape[2] - 5) // 2 + 1, wide.shape[3] - 3 + 1
            total = [sum(part[:, :, 2 * i:2 * i + 2 * height - 1:2, 2 * j:2 * j + width]
                         for i, j in itertools.product(range(3), range(2)))
                     for part in (wide, ones)]
            self.check('AveragePool', [x], total[0] / total[1], 19, kernel_shape=[3, 2],
                       dilations=[2, 2], strides=[2, 1], pads=pads, count_include_pad=include)


class Normalisation(Case):
    @needs_torch
    def test_group(self):
        for shape, groups in (((2, 6, 5, 7), 3), ((1, 4, 9), 4), ((3, 8), 2), ((2, 4, 3, 2, 2), 1)):
            x = f32(*shape) * 3 + 1
            scale, bias = f32(shape[1]), f32(shape[1])
            y = functional.group_norm(torch.from_numpy(x), groups, torch.from_numpy(scale),
                                      torch.from_numpy(bias), 1e-3)
            self.check('GroupNormalization', [x, (scale,), (bias,)], of_torch(y), 21, 2,
                       num_groups=groups, epsilon=1e-3)
            each = shape[1] // groups
            y = functional.group_norm(torch.from_numpy(x), groups,
                                      torch.from_numpy(scale[:groups].repeat(each)),
                                      torch.from_numpy(bias[:groups].repeat(each)))
            self.check('GroupNormalization', [x, (scale[:groups],), (bias[:groups],)], of_torch(y),
                       18, num_groups=groups)
        x = f32(1, 6, 4)
        self.refuse('do not divide into 4', 'GroupNormalization', [x, f32(6), f32(6)], 21,
                    num_groups=4)
        self.refuse('num_groups is 0', 'GroupNormalization', [x, f32(6), f32(6)], 21, num_groups=0)
        self.refuse('expected 6 elements', 'GroupNormalization', [x, f32(3), f32(3)], 21,
                    num_groups=3)

    def test_layer(self):
        """Scales and biases that broadcast to the input in other ways than one for each number."""
        x = f32(3, 4, 5)
        for axis, scale, bias in ((-1, (5,), (1,)), (1, (5,), (4, 1)), (1, (4, 5), (3, 1, 1)),
                                  (2, (4, 1), ()), (0, (3, 4, 5), (4, 5)), (-2, (1, 4, 5), (5,))):
            s, b = f32(*scale), f32(*bias)
            axes = tuple(range(axis % 3, 3))
            mean = x.mean(axes, keepdims=True)
            inverse = 1 / np.sqrt(x.var(axes, keepdims=True) + np.float32(1e-5))
            y = ((x - mean) * inverse * s + b).astype(np.float32)
            self.check('LayerNormalization', [x, (s,), (np.asarray(b, np.float32),)],
                       [y, mean, inverse], 17, axis=axis)
        wide = x.astype(np.float64)
        mean, inverse = wide.mean(2, keepdims=True), 1 / np.sqrt(wide.var(2, keepdims=True) + 1e-5)
        for stash, dtype in ((1, np.float32), (11, np.float64)):
            self.check('LayerNormalization', [wide, np.ones(5)],
                       [(wide - mean) * inverse, mean.astype(dtype), inverse.astype(dtype)], 17,
                       stash_type=stash)
        self.refuse('does not fit the normalised', 'LayerNormalization', [x, f32(4)], 17)
        self.refuse('stash_type float16', 'LayerNormalization', [x, f32(5)], 17, stash_type=10)


class Resizing(Case):
    @needs_torch
    def test_antialias(self):
        x = f32(1, 2, 17, 23)
        for size in ((5, 6), (17, 7), (3, 40), (16, 22), (30, 31), (1, 1)):
            for mode, way, a in (('linear', 'bilinear', -0.75), ('cubic', 'bicubic', -0.5)):
                y = functional.interpolate(torch.from_numpy(x), size, mode=way, align_corners=False,
                                           antialias=True)
                self.check('Resize', [x, None, None, (i64(1, 2, *size),)], of_torch(y), 18,
                           mode=mode, antialias=1, exclude_outside=1, cubic_coeff_a=a)

    def test_antialias_edges(self):
        """Without exclude_outside the first and last elements stand for what lies outside."""
        x = f32(1, 1, 1, 19)
        for n, cubic in itertools.product((4, 7, 13), (False, True)):
            scale, y = n / 19, np.zeros((1, 1, 1, n), np.float32)
            for i in range(n):
                at = (i + 0.5) / scale - 0.5
                places = np.arange(-30, 60)
                d = np.abs(places - at) * scale
                weights = np.clip(1 - d, 0, None)
                if cubic:
                    weights = np.where(d <= 1, 1.25 * d ** 3 - 2.25 * d ** 2 + 1, np.where(
                        d < 2, -0.75 * d ** 3 + 3.75 * d ** 2 - 6 * d + 3, 0))
                y[..., i] = (x[0, 0, 0, np.clip(places, 0, 18)] * weights).sum() / weights.sum()
            self.check('Resize', [x, None, None, (i64(n),)], y, 19, axes=[3], antialias=1,
                       mode='cubic' if cubic else 'linear')

    def test_symmetric(self):
        """half_pixel_symmetric: the middle of both images is the same place."""
        x = np.arange(10, dtype=np.float32).reshape(1, 1, 1, 10)
        for scale in (0.55, 0.6, 1.37):
            n = int(np.floor(np.float32(10) * np.float32(scale)))
            offset = 5 * (1 - n / (np.float64(np.float32(scale)) * 10))
            at = offset + (np.arange(n) + 0.5) / np.float64(np.float32(scale)) - 0.5
            y = np.interp(at, np.arange(10), x[0, 0, 0]).astype(np.float32)
            self.check('Resize', [x, None, (np.float32([scale]),)], y.reshape(1, 1, 1, n), 19,
                       axes=[3], mode='linear',
                       coordinate_transformation_mode='half_pixel_symmetric')


class Reductions(Case):
    FUNCTIONS = {
        'ReduceSum': np.sum, 'ReduceMean': np.mean, 'ReduceMax': np.max, 'ReduceMin': np.min,
        'ReduceProd': np.prod, 'ReduceL1': lambda x, **k: np.abs(x).sum(**k),
        'ReduceL2': lambda x, **k: np.sqrt((x * x).sum(**k)),
        'ReduceSumSquare': lambda x, **k: (x * x).sum(**k),
        'ReduceLogSum': lambda x, **k: np.log(x.sum(**k)),
        'ReduceLogSumExp': lambda x, **k: np.log(np.exp(x).sum(**k)),
    }

    def test_axes(self):
        """Axes are an input of all of them from opset 18 on."""
        x = random.uniform(0.1, 2, (2, 3, 4)).astype(np.float32)
        for (op, func), opset in itertools.product(self.FUNCTIONS.items(), (18, 20)):
            self.check(op, [x, (i64(0, -1),)], func(x, axis=(0, 2), keepdims=True), opset)
            self.check(op, [x, (i64(1),)], func(x, axis=1), opset, keepdims=0)
            self.check(op, [x], func(x, keepdims=True), opset)
            self.check(op, [x, (np.zeros(0, np.int64),)], func(x, keepdims=True), opset)
        for op in ('ReduceSum', 'ReduceMax'):
            self.check(op, [x, (np.zeros(0, np.int64),)], x, 18, noop_with_empty_axes=1)
            self.check(op, [x], x, 18, noop_with_empty_axes=1)

    def test_nothing(self):
        """What is left when nothing is reduced to one number."""
        x = np.zeros((2, 0, 3), np.float32)
        for op, value in (('ReduceMax', -np.inf), ('ReduceMin', np.inf), ('ReduceSum', 0),
                          ('ReduceProd', 1), ('ReduceL1', 0), ('ReduceL2', 0),
                          ('ReduceLogSum', -np.inf), ('ReduceLogSumExp', -np.inf),
                          ('ReduceSumSquare', 0)):
            self.check(op, [(x,), (i64(1),)], np.full((2, 1, 3), value, np.float32), 20)
        for dtype in INTEGERS:
            info, none = np.iinfo(dtype), np.zeros((2, 0), dtype)
            self.check('ReduceMax', [(none,), (i64(1),)], np.full((2, 1), info.min, dtype), 20)
            self.check('ReduceMin', [(none,), (i64(1),)], np.full((2, 1), info.max, dtype), 20)
        self.refuse('nothing to reduce', 'ReduceMean', [(x,), (i64(1),)], 20)

    def test_bool(self):
        x = np.array([[True, False], [False, False], [True, True]])
        self.check('ReduceMax', [x, (i64(1),)], x.any(1, keepdims=True), 20)
        self.check('ReduceMin', [x, (i64(1),)], x.all(1, keepdims=True), 20)
        none = np.zeros((2, 0), bool)
        self.check('ReduceMax', [(none,), (i64(1),)], np.zeros((2, 1), bool), 20)
        self.check('ReduceMin', [(none,), (i64(1),)], np.ones((2, 1), bool), 20)

    def test_integers(self):
        x = np.array([[3, 4, 12], [0, 1, 1]], np.int32)
        self.check('ReduceL2', [x], np.int32([[13], [1]]), 13, axes=[1])
        self.check('ReduceLogSum', [x], np.int32([[2], [0]]), 13, axes=[1])
        self.check('ReduceLogSumExp', [x], np.int32([[12], [1]]), 13, axes=[1])

    def test_scatter(self):
        ufuncs = {'add': np.add, 'mul': np.multiply, 'max': np.maximum, 'min': np.minimum}
        for dtype, (name, ufunc) in itertools.product((np.float32, np.int64, np.uint8),
                                                      ufuncs.items()):
            data = random.randint(0, 9, (4, 5)).astype(dtype)
            at = random.randint(-4, 4, (6, 5))
            updates = random.randint(0, 4, (6, 5)).astype(dtype)
            y = data.copy()
            ufunc.at(y, (at, np.arange(5)[None].repeat(6, 0)), updates)
            # More rows than the data has: repetitions are what a reduction is for.
            self.check('ScatterElements', [data, at, updates], y, 18, axis=0, reduction=name)
            y, rows = data.copy(), random.randint(0, 4, 3)
            more = random.randint(0, 4, (3, 5)).astype(dtype)
            ufunc.at(y, rows, more)
            self.check('ScatterND', [data, rows[:, None], more], y, 18, reduction=name)


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Quantised operators against their definitions in numpy, integer by integer."""
import itertools
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import NN, Case, TensorProto, f32, helper, numpy_helper

random = np.random.RandomState(11)
BYTES = (np.uint8, np.int8)


def bytes_of(dtype, *shape):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return random.randint(low, high + 1, shape).astype(dtype)


def along(values, axis, rank):
    """A vector as the factor of one axis; a scalar as it is."""
    values = np.asarray(values)
    return values if values.size == 1 else values.reshape([-1 if i == axis else 1
                                                           for i in range(rank)])


def quantize(x, scale, zero, dtype):
    info = np.iinfo(dtype)
    return np.clip(np.rint(x / scale) + zero, info.min, info.max).astype(dtype)


def convolve(x, w, group=1, strides=None, pads=None, dilations=None):
    """The sum of products, in int64; x and w less their zero points."""
    n = x.ndim - 2
    strides, dilations = strides or [1] * n, dilations or [1] * n
    pads = pads or [0] * (2 * n)
    x = np.pad(x, [(0, 0), (0, 0)] + list(zip(pads[:n], pads[n:])))
    extent = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations)]
    size = [(x.shape[2 + i] - extent[i]) // strides[i] + 1 for i in range(n)]
    y = np.zeros((x.shape[0], w.shape[0], *size), np.int64)
    inputs, outputs = w.shape[1], w.shape[0] // group
    for g in range(group):
        part = x[:, g * inputs:(g + 1) * inputs]
        kernel = w[g * outputs:(g + 1) * outputs]
        for tap in itertools.product(*(range(k) for k in w.shape[2:])):
            view = part[(slice(None), slice(None)) + tuple(
                slice(tap[i] * dilations[i], tap[i] * dilations[i] + (size[i] - 1) * strides[i] + 1,
                      strides[i]) for i in range(n))]
            y[:, g * outputs:(g + 1) * outputs] += np.einsum('nc...,mc->nm...', view,
                                                             kernel[(...,) + tap])
    return y


class Exact(Case):
    tolerance = '0'


class Convolution(Exact):
    SHAPES = (
        # input, weights, attributes
        ((1, 3, 9, 11), (8, 3, 3, 3), dict(pads=[1, 1, 1, 1])),
        ((2, 4, 8, 7), (6, 4, 1, 1), {}),
        ((1, 5, 13, 10), (7, 5, 3, 2), dict(strides=[2, 3], pads=[0, 1, 2, 3])),
        ((1, 4, 12, 12), (4, 4, 3, 3), dict(dilations=[2, 3], pads=[2, 0, 1, 4])),
        ((2, 6, 10, 9), (12, 3, 3, 3), dict(group=2, pads=[1, 1, 1, 1])),
        ((1, 6, 11, 9), (6, 1, 3, 3), dict(group=6, pads=[1, 1, 1, 1])),
        ((1, 6, 11, 9), (12, 1, 5, 3), dict(group=6, strides=[2, 2], pads=[2, 1, 2, 1])),
        ((1, 6, 11, 9), (6, 2, 3, 3), dict(group=3, dilations=[2, 2], pads=[2, 5, 2, 5])),
        ((1, 3, 20), (5, 3, 4), dict(strides=[3], pads=[2, 1])),
        ((2, 4, 20), (4, 1, 4), dict(group=4, strides=[3], pads=[2, 1], dilations=[2])),
        ((1, 2, 5, 6, 7), (4, 2, 3, 2, 3), dict(pads=[1, 0, 1, 1, 1, 0], strides=[1, 2, 1])),
    )

    def test_integer(self):
        for (xs, ws, given), (tx, tw) in itertools.product(
                self.SHAPES, itertools.product(BYTES, BYTES)):
            x, w = bytes_of(tx, *xs), bytes_of(tw, *ws)
            zx = bytes_of(tx)
            for zw in (bytes_of(tw), bytes_of(tw, ws[0])):
                y = convolve(x.astype(int) - zx, w.astype(int) - along(zw, 0, w.ndim), **given)
                self.check('ConvInteger', [x, (w,), (zx,), (zw,)], y.astype(np.int32), **given)
            # What a run alone knows: nothing is packed beforehand.
            self.check('ConvInteger', [x, w, zx, zw], y.astype(np.int32), 10, 2, **given)
            self.check('ConvInteger', [x, (w,)], convolve(x.astype(int), w.astype(int), **given)
                       .astype(np.int32), kernel_shape=ws[2:], **given)

    def test_auto_pad(self):
        x, w = bytes_of(np.uint8, 1, 3, 8, 7), bytes_of(np.int8, 4, 3, 4, 4)
        zero = np.uint8(100)
        for auto_pad, pads in (('SAME_UPPER', [1, 1, 1, 2]), ('SAME_LOWER', [1, 2, 1, 1]),
                               ('VALID', [0, 0, 0, 0])):
            y = convolve(x.astype(int) - zero, w.astype(int), strides=[2, 2], pads=pads)
            self.check('ConvInteger', [x, (w,), (zero,)], y.astype(np.int32), auto_pad=auto_pad,
                       strides=[2, 2])

    def test_long_sums(self):
        """The largest products: sums of 16 bits, or of pairs of them, would overflow."""
        x = np.full((1, 600, 9, 9), 255, np.uint8)
        for w, zero in ((np.full((5, 600, 3, 3), -128, np.int8), np.int8(127)),
                        (np.full((5, 600, 3, 3), 127, np.int8), np.int8(-128))):
            y = convolve(x.astype(int), w.astype(int) - zero)
            self.check('ConvInteger', [x, (w,), (np.uint8(0),), (zero,)], y.astype(np.int32))

    def test_many_pixels(self):
        x, w = bytes_of(np.uint8, 2, 20, 70, 51), bytes_of(np.int8, 33, 20, 3, 3)
        y = convolve(x.astype(int) - 3, w.astype(int), pads=[1, 1, 1, 1])
        for threads in (1, 4):
            self.check('ConvInteger', [x, (w,), (np.uint8(3),)], y.astype(np.int32), 10, threads,
                       pads=[1, 1, 1, 1])

    def test_quantised(self):
        for (xs, ws, given), (tx, tw, ty) in itertools.product(
                self.SHAPES, itertools.product(BYTES, BYTES, BYTES)):
            x, w = bytes_of(tx, *xs), bytes_of(tw, *ws)
            zx, zy = bytes_of(tx), ty(5)
            # Powers of two: every way to multiply and divide gives the same halves.
            scale_x, scale_y = np.float32(0.25), np.float32(2.0 ** random.randint(5, 9))
            bias = random.randint(-5000, 5000, ws[0]).astype(np.int32)
            channels = ((bytes_of(tw), np.float32(0.5)),
                        (bytes_of(tw, ws[0]), 2.0 ** random.randint(-3, 2, ws[0])))
            for zw, scale_w in channels:
                y = convolve(x.astype(int) - zx, w.astype(int) - along(zw, 0, w.ndim), **given)
                y = (y + along(bias, 1, y.ndim)) * (scale_x * along(scale_w, 1, y.ndim))
                self.check('QLinearConv', [x, (scale_x,), (zx,), (w,), (np.float32(scale_w),), (zw,),
                                           (scale_y,), (zy,), (bias,)],
                           quantize(y, scale_y, zy, ty), 10, **given)

    def test_halves(self):
        """Halves go to the even neighbour, and what is too large to the last number."""
        x = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 16, 16)
        w, one, zero = np.ones((1, 1, 1, 1), np.int8), np.float32(1), np.int8(0)
        for scale in (2, 4, 0.25):
            self.check('QLinearConv', [x, (one,), (zero,), (w,), (one,), (zero,),
                                       (np.float32(scale),), (np.int8(-3),)],
                       quantize(x.astype(float), scale, -3, np.int8), 10)

    def test_refused(self):
        x, w = bytes_of(np.uint8, 1, 4, 5, 5), bytes_of(np.int8, 6, 4, 3, 3)
        one, zero, wide = np.float32(1), np.uint8(0), np.zeros(6, np.uint8)
        self.refuse('kernel_shape', 'ConvInteger', [x, w], kernel_shape=[3, 4])
        self.refuse('do not divide', 'ConvInteger', [x, w], group=4)
        self.refuse('expect 4 channels', 'ConvInteger', [x, w], group=2)
        self.refuse("'group' is 0", 'ConvInteger', [x, w], group=0)
        self.refuse('expected one number', 'ConvInteger', [x, w, wide])
        self.refuse('expected 6 elements', 'ConvInteger', [x, w, zero, np.zeros(5, np.int8)])
        self.refuse('input 3 is uint8, expected int8', 'ConvInteger', [x, w, zero, wide])
        self.refuse('float32 is not supported', 'ConvInteger', [x.astype(np.float32), w])
        self.refuse('does not fit', 'ConvInteger', [x, bytes_of(np.int8, 6, 4, 7, 3)])
        self.refuse('weights of 6 dimensions', 'ConvInteger', [x, bytes_of(np.int8, 6, 4, 1, 1, 1, 1)])
        self.refuse('is 0', 'ConvInteger', [x, (np.zeros((6, 4, 0, 3), np.int8),)])
        self.refuse('the weights are empty', 'ConvInteger', [x, (np.zeros((0, 4, 3, 3), np.int8),)])
        self.refuse('input 7 of type float32', 'QLinearConv',
                    [x, one, zero, w, one, np.int8(0), one, one])


class Product(Exact):
    SHAPES = (((3, 5), (5, 4)), ((1, 17), (17, 130)), ((70, 33), (33, 70)), ((2, 3, 6, 7), (7, 9)),
              ((2, 1, 6, 7), (1, 3, 7, 5)), ((7,), (7, 5)), ((4, 7), (7,)), ((7,), (7,)),
              ((3, 4, 7), (3, 7, 2)), ((2, 0), (0, 3)))

    def sides(self, a, b, ta, tb):
        """Zero points of all forms: one, one for each row or column, and those of a batch."""
        yield bytes_of(ta), bytes_of(tb)
        if a.ndim > 1 and b.ndim > 1:
            yield bytes_of(ta, a.shape[-2]), bytes_of(tb, b.shape[-1])
            yield (bytes_of(ta, *a.shape[:-1], 1),
                   bytes_of(tb, *b.shape[:-2], 1, b.shape[-1]))

    def test_integer(self):
        for (sa, sb), ta, tb in itertools.product(self.SHAPES, BYTES, BYTES):
            a, b = bytes_of(ta, *sa), bytes_of(tb, *sb)
            for za, zb in self.sides(a, b, ta, tb):
                rows = za.reshape(-1, 1) if za.ndim == 1 else za
                y = np.matmul(a.astype(int) - rows, b.astype(int) - zb).astype(np.int32)
                if 0 not in sa:
                    self.check('MatMulInteger', [a, b, za, zb], y, 10, 2)
                self.check('MatMulInteger', [a, (b,), (za,), (zb,)] if 0 not in sa else
                           [(a,), (b,), (za,), (zb,)], y, 10)
            y = np.matmul(a.astype(int), b.astype(int)).astype(np.int32)
            if 0 not in sa:
                self.check('MatMulInteger', [a, (b,)], y, 10)

    def test_quantised(self):
        for (sa, sb), ta, tb, ty in itertools.product(self.SHAPES[:6], BYTES, BYTES, BYTES):
            a, b = bytes_of(ta, *sa), bytes_of(tb, *sb)
            for za, zb in self.sides(a, b, ta, tb):
                pa = 2.0 ** random.randint(-3, 3, za.shape)
                pb = 2.0 ** random.randint(-3, 3, zb.shape)
                rows = za.reshape(-1, 1) if za.ndim == 1 else za
                y = np.matmul((a.astype(int) - rows) * pa.reshape(rows.shape),
                              (b.astype(int) - zb) * pb)
                self.check('QLinearMatMul',
                           [a, (np.float32(pa),), (za,), (b,), (np.float32(pb),), (zb,),
                            (np.float32(64),), (ty(7),)], quantize(y, 64, 7, ty), 10)

    def test_refused(self):
        a, b = bytes_of(np.uint8, 4, 5), bytes_of(np.int8, 5, 6)
        self.refuse('cannot be multiplied', 'MatMulInteger', [a, a])
        self.refuse('expected 4 elements', 'MatMulInteger', [a, b, np.zeros(5, np.uint8)])
        self.refuse('expected 6 elements', 'MatMulInteger',
                    [a, b, np.uint8(0), np.zeros((5, 1), np.int8)])


class Linear(Exact):
    """QuantizeLinear and DequantizeLinear."""

    def test_quantize(self):
        x = f32(2, 6, 5, 3) * 40
        for dtype in (np.uint8, np.int8, np.uint16, np.int16):
            scale, zero = np.float32(0.375), dtype(9)
            y = quantize(x, scale, 9, dtype)
            self.check('QuantizeLinear', [x, (scale,), (zero,)], y, 21)
            self.check('QuantizeLinear', [x, (scale,), (zero,)], y, 10, 3)
            self.check('QuantizeLinear', [x, (scale,), (zero,)], y, domain='com.microsoft')
            for axis in (0, 1, 2, 3, -1, -3):
                n = x.shape[axis]
                scales = np.float32(random.uniform(0.001, 1, n))
                zeros = bytes_of(np.uint8, n).astype(dtype) // 2
                y = quantize(x, along(scales, axis % 4, 4), along(zeros, axis % 4, 4).astype(int),
                             dtype)
                self.check('QuantizeLinear', [x, (scales,), (zeros,)], y, 13, axis=axis)
        self.check('QuantizeLinear', [x, (np.float32(0.5),)], quantize(x, 0.5, 0, np.uint8), 13)
        whole = random.randint(-300, 300, (3, 7)).astype(np.int32)
        self.check('QuantizeLinear', [whole, (np.float32(2),), (np.int8(3),)],
                   quantize(whole, 2, 3, np.int8), 13)

    def test_output_dtype(self):
        x = f32(4, 4) * 300
        for number, dtype in ((2, np.uint8), (3, np.int8), (4, np.uint16), (5, np.int16)):
            self.check('QuantizeLinear', [x, (np.float32(0.5),)], quantize(x, 0.5, 0, dtype), 21,
                       output_dtype=number, saturate=0)
        self.refuse('output_dtype is int8, the zero point uint8', 'QuantizeLinear',
                    [x, (np.float32(1),), (np.uint8(0),)], 21, output_dtype=3)
        self.refuse('float8e4m3fn', 'QuantizeLinear', [x, (np.float32(1),)], 21, output_dtype=17)
        self.refuse('int4', 'QuantizeLinear', [x, (np.float32(1),)], 21, output_dtype=22)

    def test_values(self):
        """Infinities saturate, NaN becomes the least number, halves become even."""
        x = np.float32([np.inf, -np.inf, np.nan, 0.5, 1.5, 2.5, -0.5, -1.5, 1e30, -1e30, 126.5])
        self.check('QuantizeLinear', [x, (np.float32(1),), (np.int8(1),)],
                   np.int8([127, -128, -128, 1, 3, 3, 1, -1, 127, -128, 127]), 13)
        self.check('QuantizeLinear', [x, (np.float32(0.5),), (np.uint16(65535),)],
                   np.uint16([65535, 0, 0, 65535, 65535, 65535, 65534, 65532, 65535, 0, 65535]), 21)

    def test_dequantize(self):
        for dtype in (np.uint8, np.int8, np.uint16, np.int16):
            x = random.randint(np.iinfo(dtype).min, np.iinfo(dtype).max, (3, 4, 5, 2)).astype(dtype)
            zero, scale = dtype(77), np.float32(0.3)
            y = (x.astype(np.int32) - 77).astype(np.float32) * scale
            self.check('DequantizeLinear', [x, (scale,), (zero,)], y, 10)
            self.check('DequantizeLinear', [x, (scale,), (zero,)], y, domain='com.microsoft')
            for axis in (0, 1, 3, -2):
                n = x.shape[axis]
                scales = np.float32(random.uniform(0.001, 1, n))
                zeros = x.reshape(-1)[:n].copy()
                y = (x.astype(np.int32) - along(zeros, axis % 4, 4)).astype(np.float32) * \
                    along(scales, axis % 4, 4)
                self.check('DequantizeLinear', [x, (scales,), (zeros,)], y, 13, axis=axis)
        x = random.randint(-2 ** 31, 2 ** 31 - 1, (5, 5)).astype(np.int32)
        self.check('DequantizeLinear', [x, (np.float32(0.01),)], x.astype(np.float32) *
                   np.float32(0.01), 10)

    def test_blocks(self):
        x = f32(3, 10, 4) * 20
        for axis, block in ((0, 2), (1, 3), (1, 1), (1, 16), (2, 3), (-1, 1), (-2, 5)):
            shape = list(x.shape)
            shape[axis] = -(-shape[axis] // block)
            scales = random.uniform(0.05, 1, shape).astype(np.float32)
            zeros = bytes_of(np.int8, *shape)
            wide = scales.repeat(block, axis).take(range(x.shape[axis]), axis)
            offsets = zeros.repeat(block, axis).take(range(x.shape[axis]), axis).astype(int)
            y = quantize(x, wide, offsets, np.int8)
            self.check('QuantizeLinear', [x, (scales,), (zeros,)], y, 21, axis=axis,
                       block_size=block)
            self.check('DequantizeLinear', [y, (scales,), (zeros,)],
                       (y.astype(int) - offsets).astype(np.float32) * wide, 21, axis=axis,
                       block_size=block)
        self.refuse('do not fit blocks of 3', 'QuantizeLinear', [x, (f32(3, 3, 4),)], 21, axis=1,
                    block_size=3)
        self.refuse('block_size is -1', 'QuantizeLinear', [x, (np.float32(1),)], 21, block_size=-1)

    def test_dynamic(self):
        for x in (f32(3, 4, 5), np.abs(f32(7, 9)) + 2, -np.abs(f32(7, 9)) - 1, f32(300, 301)):
            low, high = min(x.min(), 0), max(x.max(), 0)
            scale = np.float32(np.float32(high - low) / np.float32(255))
            zero = np.uint8(np.rint(np.clip(np.float32(-low) / scale, 0, 255)))
            y = quantize(x, scale, zero, np.uint8)
            for threads in (1, 3):
                self.check('DynamicQuantizeLinear', [x], [y, scale, zero], 11, threads)
        self.check('DynamicQuantizeLinear', [np.zeros((2, 3), np.float32)],
                   [np.zeros((2, 3), np.uint8), np.float32(1), np.uint8(0)], 11)

    def test_other_types(self):
        """float8 and 4 bits are refused by name, as initialisers and as inputs."""
        for number, name in ((17, 'float8e4m3fn'), (19, 'float8e5m2'), (21, 'uint4'), (22, 'int4')):
            node = helper.make_node('DequantizeLinear', ['x', 'scale'], ['y'])
            info = helper.make_tensor_value_info
            tensor = TensorProto(name='x', dims=[2], data_type=number, raw_data=bytes(2))
            for inputs, constants in (([], [tensor]), ([info('x', number, [2])], [])):
                scale = numpy_helper.from_array(np.float32(1), 'scale')
                graph = helper.make_graph([node], 'case', inputs, [info('y', 1, [2])],
                                          [*constants, scale])
                model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 21)],
                                          ir_version=7)
                with tempfile.NamedTemporaryFile(suffix='.onnx') as file:
                    file.write(model.SerializeToString())
                    file.flush()
                    done = subprocess.run([NN, 'inspect', file.name], capture_output=True,
                                          text=True)
                self.assertGreater(done.returncode, 0)
                self.assertIn(f'element type {number} ({name}) is not supported', done.stderr)


class Contrib(Exact):
    """What ONNX Runtime's quantiser writes between the operators of the standard."""

    def check(self, op, inputs, expected, **attributes):
        super().check(op, inputs, expected, domain='com.microsoft', **attributes)

    def test_binary(self):
        for dtype, (sa, sb) in itertools.product(
                BYTES, (((2, 3, 9), (2, 3, 9)), ((4, 5), (5,)), ((5,), (4, 5)), ((4, 5), ()))):
            a, b = bytes_of(dtype, *sa), bytes_of(dtype, *sb)
            za, zb, zc = dtype(3), dtype(100), dtype(50)
            pa, pb, pc = np.float32(0.25), np.float32(0.5), np.float32(1)
            wide_a, wide_b = (a.astype(int) - za) * pa, (b.astype(int) - zb) * pb
            given = [a, (pa,), (za,), b, (pb,), (zb,), (pc,), (zc,)]
            self.check('QLinearAdd', given, quantize(wide_a + wide_b, pc, zc, dtype))
            given[6] = (np.float32(64),)
            self.check('QLinearMul', given, quantize(wide_a * wide_b, 64, zc, dtype))
        a = np.uint8([[1, 2, 255]])
        self.check('QLinearAdd', [a, (pa,), None, a, (pa,), None, (pa,)],
                   np.uint8([[2, 4, 255]]))

    def test_unary(self):
        for dtype in BYTES:
            info = np.iinfo(dtype)
            x = np.arange(info.min, info.max + 1).astype(dtype)
            given = [x, (np.float32(0.05),), (dtype(20),), (np.float32(1 / 256),), (dtype(info.min),)]
            wide = (x.astype(int) - 20) * 0.05
            self.check('QLinearSigmoid', given,
                       quantize(1 / (1 + np.exp(-wide)), 1 / 256, info.min, dtype))
            given[3:] = [(np.float32(0.07),), (dtype(30),)]
            self.check('QLinearLeakyRelu', given,
                       quantize(np.where(wide < 0, 0.2 * wide, wide), 0.07, 30, dtype), alpha=0.2)
        self.check('QLinearLeakyRelu', [np.uint8([0, 7]), (np.float32(2),), None, (np.float32(1),)],
                   np.uint8([0, 14]))

    def test_concat(self):
        for dtype in BYTES:
            parts = [bytes_of(dtype, 2, n, 3) for n in (1, 4, 2)]
            scales, zeros = [0.5, 2.0, 1.0], [dtype(1), dtype(90), dtype(0)]
            given = [(np.float32(1),), (dtype(10),)]
            for part, scale, zero in zip(parts, scales, zeros):
                given += [part, (np.float32(scale),), (zero,)]
            wide = [quantize((p.astype(int) - z) * s, 1, 10, dtype)
                    for p, s, z in zip(parts, scales, zeros)]
            self.check('QLinearConcat', given, np.concatenate(wide, 1), axis=-2)
        self.refuse('does not fit input 2', 'QLinearConcat', given, domain='com.microsoft', axis=0)

    def test_pool(self):
        for dtype in BYTES:
            x, zx, zy = bytes_of(dtype, 2, 3, 8, 4), dtype(7), dtype(-3 % 100)
            given = [x, (np.float32(0.5),), (zx,), (np.float32(0.25),), (zy,)]
            wide = (x.astype(int) - zx) * 0.5
            self.check('QLinearGlobalAveragePool', given,
                       quantize(wide.mean((2, 3), keepdims=True), 0.25, zy, dtype))
            self.check('QLinearGlobalAveragePool', given,
                       quantize(wide.mean((1, 2), keepdims=True), 0.25, zy, dtype), channels_last=1)
            y = wide.reshape(2, 3, 4, 2, 2, 2).mean((3, 5))
            self.check('QLinearAveragePool', given, quantize(y, 0.25, zy, dtype),
                       kernel_shape=[2, 2], strides=[2, 2])
            padded = np.pad(wide, [(0, 0), (0, 0), (1, 0), (0, 1)])
            sums = padded[:, :, :-1, :-1] + padded[:, :, 1:, :-1] + padded[:, :, :-1, 1:] + \
                padded[:, :, 1:, 1:]
            ones = np.pad(np.ones((8, 4)), [(1, 0), (0, 1)])
            count = ones[:-1, :-1] + ones[1:, :-1] + ones[:-1, 1:] + ones[1:, 1:]
            for include, divisor in ((0, count), (1, 4)):
                self.check('QLinearAveragePool', given, quantize(sums / divisor, 0.25, zy, dtype),
                           kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=include)


if __name__ == '__main__':
    unittest.main()

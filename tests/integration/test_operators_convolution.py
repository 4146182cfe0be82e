#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Conv in three dimensions, ConvTranspose and DeformConv against PyTorch and numpy."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import NN, Case, f32

try:
    import torch
    from torch.nn import functional
except ImportError:
    raise unittest.SkipTest('python3-torch is not installed')

import onnx
from onnx import TensorProto, helper, numpy_helper


def tensor(array):
    """In float64: what is compared with has no rounding of its own."""
    return None if array is None else torch.from_numpy(array).double()


def rounded(result):
    return result.numpy().astype(np.float32)


class Conv3d(Case):
    def conv(self, x, w, b=None, pads=(0,) * 6, threads=1, **attributes):
        padded = functional.pad(tensor(x), [pads[i] for i in (2, 5, 1, 4, 0, 3)])
        expected = functional.conv3d(padded, tensor(w), tensor(b),
                                     attributes.get('strides', 1), 0,
                                     attributes.get('dilations', 1), attributes.get('group', 1))
        inputs = [x, (w,), (b,)] if b is not None else [x, (w,)]
        if any(pads):
            attributes['pads'] = pads
        self.check('Conv', inputs, rounded(expected), 11, threads, **attributes)
        self.check('Conv', [i[0] if isinstance(i, tuple) else i for i in inputs], rounded(expected),
                   11, threads, **attributes)

    def test_shapes(self):
        self.conv(f32(1, 1, 1, 1, 1), f32(1, 1, 1, 1, 1))
        self.conv(f32(2, 3, 5, 6, 7), f32(4, 3, 2, 3, 1), f32(4))
        self.conv(f32(1, 2, 1, 6, 7), f32(3, 2, 1, 3, 3), f32(3), pads=[2, 1, 0, 1, 0, 1])
        self.conv(f32(1, 2, 1, 4, 4), f32(3, 2, 1, 1, 1), f32(3), pads=[2, 0, 0, 0, 0, 0],
                  strides=[5, 1, 1])
        self.conv(f32(2, 4, 9, 8, 7), f32(6, 2, 3, 2, 3), f32(6), pads=[1, 2, 0, 2, 0, 1],
                  strides=[2, 3, 1], dilations=[2, 1, 2], group=2)
        self.conv(f32(1, 4, 3, 4, 5), f32(8, 1, 3, 3, 3), f32(8), pads=[1] * 6, group=4,
                  kernel_shape=[3, 3, 3])

    def test_large(self):
        for threads in (1, 4):
            self.conv(f32(1, 35, 7, 21, 23), f32(50, 35, 3, 3, 3) / 30, f32(50), [1] * 6, threads)

    def test_auto_pad(self):
        x, w = f32(1, 2, 5, 6, 7), f32(3, 2, 2, 3, 4)
        for name, pads in (('SAME_UPPER', (1, 2, 1, 1, 0, 1)), ('SAME_LOWER', (2, 1, 1, 1, 1, 0)),
                           ('VALID', (0,) * 6)):
            expected = rounded(functional.conv3d(functional.pad(tensor(x), pads), tensor(w)))
            self.check('Conv', [x, (w,)], expected, 11, auto_pad=name)

    def test_fused(self):
        """What passes put into a convolution: scales, sums and activations."""
        x, w, b, scale = f32(1, 2, 4, 5, 6), f32(3, 2, 1, 1, 1), f32(3), f32(3, 1, 1, 1)
        other, addend = f32(1, 3, 6, 5, 6), f32(2, 1, 1, 1)
        y = rounded(functional.conv3d(functional.pad(tensor(x + addend), (0, 0, 0, 0, 1, 1)),
                                      tensor(w), tensor(b)))
        y = np.maximum(y * scale + other, 0)
        node, value = helper.make_node, helper.make_tensor_value_info
        nodes = [node('Add', ['x', 'addend'], ['xa']),
                 node('Conv', ['xa', 'w', 'b'], ['c'], pads=[1, 0, 0, 1, 0, 0]),
                 node('Mul', ['c', 'scale'], ['m']), node('Add', ['m', 'other'], ['s']),
                 node('Relu', ['s'], ['y'])]
        graph = helper.make_graph(
            nodes, 'case', [value('x', TensorProto.FLOAT, x.shape),
                            value('other', TensorProto.FLOAT, other.shape)],
            [value('y', TensorProto.FLOAT, None)],
            [numpy_helper.from_array(a, n) for n, a in (('w', w), ('b', b), ('scale', scale),
                                                        ('addend', addend))])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=7)
        with tempfile.TemporaryDirectory() as folder:
            for name, array in (('x', x), ('other', other), ('y', y)):
                np.save(f'{folder}/{name}.npy', array)
            onnx.save(model, f'{folder}/model.onnx')
            done = subprocess.run([NN, 'verify', f'{folder}/model.onnx', '--input',
                                   f'x={folder}/x.npy', '--input', f'other={folder}/other.npy',
                                   '--expect', f'y={folder}/y.npy'], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_refused(self):
        x, w = f32(1, 2, 4, 4, 4), f32(3, 2, 2, 2, 2)
        self.refuse("'strides' has 2 values", 'Conv', [x, w], kernel_shape=[2, 2, 2],
                    strides=[1, 1])
        self.refuse('says a depth of 3', 'Conv', [x, w], kernel_shape=[3, 2, 2])
        self.refuse('spans 4 does not fit into 3', 'Conv', [f32(1, 2, 3, 4, 4), w],
                    dilations=[3, 1, 1])
        self.refuse('at most 3', 'Conv', [x, w], kernel_shape=[1, 1, 1, 1])


class ConvTranspose(Case):
    def transposed(self, x, w, b=None, pads=None, threads=1, **attributes):
        n = x.ndim - 2
        function = (functional.conv_transpose1d, functional.conv_transpose2d,
                    functional.conv_transpose3d)[n - 1]
        whole = rounded(function(tensor(x), tensor(w), tensor(b), attributes.get('strides', 1), 0,
                                 attributes.get('output_padding', 0), attributes.get('group', 1),
                                 attributes.get('dilations', 1)))
        if pads:
            attributes['pads'] = pads
            whole = whole[(..., *[slice(pads[i], whole.shape[2 + i] - pads[n + i])
                                  for i in range(n)])]
        inputs = [x, (w,)] + ([(b,)] if b is not None else [])
        self.check('ConvTranspose', inputs, whole, 11, threads, **attributes)

    def test_one_dimension(self):
        self.transposed(f32(2, 3, 9), f32(3, 4, 5), f32(4))
        self.transposed(f32(2, 4, 9), f32(4, 3, 5), f32(6), [2, 1], strides=[3], dilations=[2],
                        output_padding=[2], group=2)

    def test_two_dimensions(self):
        self.transposed(f32(1, 3, 1, 1), f32(3, 2, 3, 2))
        for stride in (1, 2, 3, 5):
            self.transposed(f32(2, 6, 7, 5), f32(6, 4, 4, 3), f32(8), [1, 0, 2, 1],
                            strides=[stride, stride], group=2)
        self.transposed(f32(1, 4, 6, 7), f32(4, 5, 3, 3), f32(5), [3, 3, 2, 4], dilations=[2, 3],
                        strides=[2, 1], kernel_shape=[3, 3])
        self.transposed(f32(1, 4, 3, 3), f32(4, 1, 2, 2), f32(4), [5, 0, 0, 5], strides=[4, 4],
                        group=4)

    def test_three_dimensions(self):
        self.transposed(f32(2, 4, 3, 4, 5), f32(4, 3, 2, 3, 4), f32(6), [0, 1, 2, 1, 2, 0],
                        strides=[1, 2, 3], dilations=[2, 1, 1], output_padding=[0, 1, 2], group=2)

    def test_large(self):
        for threads in (1, 4):
            self.transposed(f32(1, 70, 33, 31), f32(70, 45, 4, 4) / 16, f32(45), [1, 1, 1, 1], threads,
                            strides=[2, 2])
            self.transposed(f32(1, 64, 20, 20), f32(64, 64, 2, 2) / 8, f32(64), None, threads,
                            strides=[2, 2])

    def test_auto_pad(self):
        x, w = f32(1, 2, 4, 5), f32(2, 3, 3, 4)
        whole = rounded(functional.conv_transpose2d(tensor(x), tensor(w), None, (2, 1)))
        self.check('ConvTranspose', [x, w], whole, 11, auto_pad='VALID', strides=[2, 1])
        self.check('ConvTranspose', [x, w], whole[..., :8, 1:6], 11, auto_pad='SAME_UPPER',
                   strides=[2, 1])
        self.check('ConvTranspose', [x, w], whole[..., 1:, 2:7], 11, auto_pad='SAME_LOWER',
                   strides=[2, 1])

    def test_output_shape(self):
        """Pads follow from the shape; what lies behind the products is the bias."""
        x, w, b = f32(1, 2, 4, 5), f32(2, 3, 3, 4), f32(3)
        whole = rounded(functional.conv_transpose2d(tensor(x), tensor(w), tensor(b), 2))
        self.assertEqual(whole.shape[2:], (9, 12))
        self.check('ConvTranspose', [x, w, b], whole[..., 1:, 2:11], 11, output_shape=[8, 9],
                   strides=[2, 2])
        self.check('ConvTranspose', [x, w, b], whole[..., :8, 1:10], 11, output_shape=[8, 9],
                   strides=[2, 2], auto_pad='SAME_UPPER', pads=[7, 7, 7, 7])
        larger = np.broadcast_to(b[:, None, None], (1, 3, 11, 12)).copy()
        larger[:, :, :9] = whole
        self.check('ConvTranspose', [x, w, b], larger, 11, output_shape=[11, 12], strides=[2, 2])

    def test_refused(self):
        x, w = f32(1, 4, 5, 5), f32(4, 2, 3, 3)
        self.refuse("'strides' holds 0", 'ConvTranspose', [x, w], strides=[0, 1])
        self.refuse("'pads' has 3 values", 'ConvTranspose', [x, w], pads=[0, 1, 2])
        self.refuse("'dilations' has 3 values for 2", 'ConvTranspose', [x, w], strides=[1, 1],
                    dilations=[1, 1, 1])
        self.refuse('kernel_shape says 4', 'ConvTranspose', [x, w], kernel_shape=[4, 3])
        self.refuse('in 3 groups', 'ConvTranspose', [x, w], group=3)
        self.refuse('would be -5', 'ConvTranspose', [x, w], pads=[6, 0, 6, 0])
        self.refuse('input 2 is 5', 'ConvTranspose', [x, w, f32(5)])
        self.refuse('too large', 'ConvTranspose', [x, w], strides=[2 ** 24, 2 ** 24])
        self.refuse('attributes for 1 spatial', 'ConvTranspose', [x, w], strides=[2])


class DeformConv(Case):
    """Against a convolution where it is one, and against its definition where it is not."""

    @staticmethod
    def pixel(plane, y, x):
        total, (height, width) = 0.0, plane.shape
        for row in (int(np.floor(y)), int(np.floor(y)) + 1):
            for column in (int(np.floor(x)), int(np.floor(x)) + 1):
                if 0 <= row < height and 0 <= column < width:
                    total += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
        return total

    def reference(self, x, w, offset, b, mask, pads, strides, dilations, group, offset_group):
        n, channels = x.shape[:2]
        outs, group_in, kh, kw = w.shape
        oh, ow = offset.shape[2:]
        offset = offset.reshape(n, offset_group, kh, kw, 2, oh, ow)
        mask = np.ones((n, offset_group, kh, kw, oh, ow)) if mask is None else \
            mask.reshape(n, offset_group, kh, kw, oh, ow)
        columns = np.zeros((n, channels, kh, kw, oh, ow))
        for i, c, ky, kx, oy, ox in np.ndindex(*columns.shape):
            g = c // (channels // offset_group)
            dy, dx = offset[i, g, ky, kx, :, oy, ox].astype(np.float64)
            columns[i, c, ky, kx, oy, ox] = mask[i, g, ky, kx, oy, ox] * self.pixel(
                x[i, c], oy * strides[0] - pads[0] + ky * dilations[0] + dy,
                ox * strides[1] - pads[1] + kx * dilations[1] + dx)
        y = np.concatenate([np.einsum('ncklyx,ockl->noyx',
                                      columns[:, g * group_in:(g + 1) * group_in],
                                      w[g * outs // group:(g + 1) * outs // group])
                            for g in range(group)], 1)
        return (y + (0 if b is None else b[:, None, None])).astype(np.float32)

    def test_definition(self):
        for group, offset_group, pads, strides, dilations, out in (
                (1, 1, [0, 0, 0, 0], [1, 1], [1, 1], (5, 5)),
                (2, 1, [1, 0, 2, 1], [2, 1], [1, 2], (4, 5)),
                (1, 4, [1, 1, 1, 1], [1, 1], [2, 1], (5, 7)),
                (4, 2, [0, 1, 0, 1], [1, 2], [1, 1], (5, 4))):
            x, w, b = f32(2, 4, 7, 6), f32(8, 4 // group, 3, 2), f32(8)
            offset, mask = f32(2, offset_group * 12, *out), f32(2, offset_group * 6, *out)
            options = dict(pads=pads, strides=strides, dilations=dilations, group=group,
                           offset_group=offset_group)
            for given in ((b, mask), (None, mask), (b, None), (None, None)):
                expected = self.reference(x, w, offset, *given, **options)
                inputs = [x, (w,), offset, *given]
                while inputs[-1] is None:
                    inputs.pop()
                self.check('DeformConv', inputs, expected, 19, **options)

    def test_plain(self):
        """Without offsets it is a convolution."""
        x, w, b = f32(1, 37, 33, 29), f32(50, 37, 3, 3) / 16, f32(50)
        expected = rounded(functional.conv2d(tensor(x), tensor(w), tensor(b), 1, 1))
        offset = np.zeros((1, 18, 33, 29), np.float32)
        for threads in (1, 4):
            self.check('DeformConv', [x, w, offset, b], expected, 19, threads, pads=[1] * 4,
                       kernel_shape=[3, 3])

    def test_wild_offsets(self):
        x, w, offset = f32(1, 1, 3, 3), f32(1, 1, 1, 1), np.zeros((1, 2, 3, 3), np.float32)
        expected = x * w
        for i, bad in enumerate((np.nan, np.inf, -np.inf, 3e38)):
            offset[0, i % 2].flat[i] = bad
            expected.flat[i] = 0
        self.check('DeformConv', [x, w, offset], expected, 19)

    def test_refused(self):
        x, w, offset = f32(1, 4, 5, 5), f32(2, 4, 3, 3), f32(1, 18, 3, 3)
        self.refuse('offset_group 0', 'DeformConv', [x, w, offset], 19, offset_group=0)
        self.refuse('in 2 groups', 'DeformConv', [x, w, offset], 19, group=2)
        self.refuse('into 3 offset', 'DeformConv', [x, w, offset], 19, offset_group=3)
        self.refuse('input 2 of 1×18×3×3', 'DeformConv', [x, w, offset], 19, offset_group=2)
        self.refuse('input 4 of', 'DeformConv', [x, w, offset, None, f32(1, 9, 3, 2)], 19)
        self.refuse('for 3 positions', 'DeformConv', [x, w, offset], 19, pads=[1, 0, 0, 0])
        self.refuse('kernel_shape says 2', 'DeformConv', [x, w, offset], 19, kernel_shape=[2, 3])
        self.refuse('3 spatial', 'DeformConv', [x, w, offset], 19, strides=[1, 1, 1])
        self.refuse('expected 2 elements', 'DeformConv', [x, w, offset, f32(3)], 19)
        self.refuse('expected 4 to 4', 'DeformConv', [f32(4, 5, 5), w, offset], 19)


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""NNEF 1.0: every operation of the standard against numpy or torch, files, and the models of other
projects where the data is there."""
import math
import pathlib
import re
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from nnef_models import (DATA, FULL, PRIMITIVES, Model, operators, windows,  # noqa: E402
                         write_tensor, write_zeros)

try:
    import torch
    from torch.nn import functional
except ImportError:
    torch = None
random = np.random.RandomState(11)


def f32(*shape):
    return random.standard_normal(shape).astype(np.float32)


class Case(unittest.TestCase):
    def check(self, call, inputs, expected, tolerance=1e-5, head='', **variables):
        """`call` is an expression over inputs a, b, … (arrays in order) and `variables`."""
        names = dict(zip('abcdefgh', inputs))
        outputs = expected if isinstance(expected, (list, tuple)) else [expected]
        results = [f'y{i}' for i in range(len(outputs))]
        lines = [f'{n} = external<{PRIMITIVES[x.dtype.kind]}>(shape = {list(x.shape)});'
                 for n, x in names.items()]
        lines += [f'{n} = variable<{PRIMITIVES[x.dtype.kind]}>(shape = {list(x.shape)}, '
                  f'label = "some/{n}");' for n, x in variables.items()]
        left = results[0] if len(results) == 1 else f'({", ".join(results)})'
        if call.startswith('['):
            left, call = f'[{", ".join(results)}]', call[1:]
        text = (f'version 1.0;\n{head}graph g({", ".join(names)}) -> ({", ".join(results)})\n{{\n'
                + '\n'.join(lines) + f'\n{left} = {call};\n}}\n')
        with Model(text, {f'some/{n}': x for n, x in variables.items()}) as model:
            done = model.run('verify', names, dict(zip(results, outputs)), '--rtol', str(tolerance),
                             '--atol', str(tolerance))
        self.assertEqual(done.returncode, 0, f'{call}: {done.stderr}{done.stdout}')

    def refuse(self, words, text, variables=None, quant=None):
        with Model(text, variables, quant) as model:
            done = model.run('inspect')
        self.assertGreater(done.returncode, 0, text)
        self.assertIn(words, done.stderr)


class Elementwise(Case):
    def test_unary(self):
        x, small, large = f32(2, 3, 4), random.uniform(-0.9, 0.9, (3, 4)).astype(np.float32), \
            random.uniform(1.1, 3, (3, 4)).astype(np.float32)
        for name in ('abs', 'sign', 'exp', 'sin', 'cos', 'sinh', 'cosh', 'tanh', 'floor', 'ceil'):
            self.check(f'{name}(a)', [x], getattr(np, name)(x))
        for name in ('tan', 'arcsin', 'arccos', 'arctan', 'arctanh', 'arcsinh'):
            self.check(f'{name.replace("arc", "a")}(a)', [small], getattr(np, name)(small))
        for name, value in (('log', np.log), ('acosh', np.arccosh), ('sqrt', np.sqrt),
                            ('log2', np.log2), ('rcp', np.reciprocal),
                            ('rsqrt', lambda v: v ** -0.5), ('rsqr', lambda v: v ** -2.0),
                            ('sqr', np.square)):
            self.check(f'{name}(a)', [large], value(large))
        self.check('neg(a)', [x], -x)
        self.check('copy(a)', [x], x)
        self.check('round(a)', [x * 5 + 0.1], np.round(x * 5 + 0.1))

    def test_binary(self):
        """Shapes line up at the first dimension."""
        x, y = f32(2, 3, 4, 5), f32(2, 3)
        wide = y[:, :, None, None]
        for name, value in (('add', np.add), ('sub', np.subtract), ('mul', np.multiply),
                            ('min', np.minimum), ('max', np.maximum), ('div', np.divide)):
            self.check(f'{name}(a, b)', [x, y], value(x, wide))
            self.check(f'{name}(b, a)', [x, y], value(wide, x))
            self.check(f'{name}(a, 0.75)', [x], value(x, np.float32(0.75)))
        self.check('pow(a, b)', [abs(x), y], abs(x) ** wide)

    def test_compared(self):
        x, y = np.round(f32(4, 5)), np.round(f32(4))
        for name, value in (('lt', np.less), ('gt', np.greater), ('le', np.less_equal),
                            ('ge', np.greater_equal), ('eq', np.equal), ('ne', np.not_equal)):
            self.check(f'{name}(a, b)', [x, y], value(x, y[:, None]))
        p, q = x > 0, y > 0
        self.check('and(a, b)', [p, q], p & q[:, None])
        self.check('or(a, b)', [p, q], p | q[:, None])
        self.check('not(a)', [p], ~p)
        self.check('select(b, a, 2.0)', [x, q], np.where(q[:, None], x, 2).astype(np.float32))

    def test_clamp_and_casts(self):
        x, low = f32(3, 4), f32(3) - 1
        self.check('clamp(a, -0.5, 0.25)', [x], x.clip(-0.5, 0.25))
        self.check('clamp(a, b, 0.25)', [x, low], np.maximum(np.minimum(x, 0.25), low[:, None]))
        self.check('cast<integer>(a)', [x * 9], (x * 9).astype(np.int64))
        self.check('cast<logical>(a)', [np.round(x)], np.round(x) != 0)
        self.check('cast<scalar>(a)', [x > 0], (x > 0).astype(np.float32))
        self.check('[copy_n(a, times = 2)', [x], [x, x])
        self.check('add_n([a, b, a])', [x, low], 2 * x + low[:, None])

    def test_integers(self):
        n = np.array([[1, -7], [5, 3]])
        self.check('add(a, 1)', [n], n + 1)
        self.check('mul(a, 0.5)', [n], (n * 0.5).astype(np.float32))
        self.check('lt(a, b)', [n, np.array([2, 4])], n < np.array([[2], [4]]))

    def test_activations(self):
        x, slope = f32(2, 3, 5), f32(1, 3)
        sigmoid = 1 / (1 + np.exp(-x))
        erf = np.vectorize(math.erf)
        self.check('relu(a)', [x], np.maximum(x, 0))
        self.check('sigmoid(a)', [x], sigmoid)
        self.check('silu(a)', [x], x * sigmoid)
        self.check('gelu(a)', [x], (x * (1 + erf(x / math.sqrt(2))) / 2).astype(np.float32))
        self.check('softplus(a)', [x], np.log(np.exp(x) + 1))
        self.check('softabs(a, epsilon = 0.1)', [x], np.sqrt(x * x + np.float32(0.1)))
        self.check('elu(a)', [x], np.where(x < 0, np.exp(x) - 1, x))
        self.check('elu(a, alpha = 0.5)', [x], np.where(x < 0, (np.exp(x) - 1) / 2, x))
        self.check('selu(a)', [x], (1.05070102 * np.where(x < 0, 1.67326319 * (np.exp(x) - 1), x))
                   .astype(np.float32))
        self.check('leaky_relu(a, alpha = 0.1)', [x], np.where(x < 0, np.float32(0.1) * x, x))
        self.check('prelu(a, b)', [x, slope], np.where(x < 0, x * slope[:, :, None], x))
        for axes in ([1], [2], [1, 2]):
            e = np.exp(x - x.max(tuple(axes), keepdims=True))
            self.check(f'softmax(a, axes = {axes})', [x], e / e.sum(tuple(axes), keepdims=True))


class Shapes(Case):
    def test_reshape(self):
        x = f32(2, 3, 4, 5)
        self.check('reshape(a, shape = [6, -1])', [x], x.reshape(6, 20))
        self.check('reshape(a, shape = [0, -1])', [x], x.reshape(2, 60))
        self.check('reshape(a, shape = [12], axis_start = 1, axis_count = 2)', [x],
                   x.reshape(2, 12, 5))
        self.check('reshape(a, shape = [2, 2], axis_start = 2, axis_count = 1)', [x],
                   x.reshape(2, 3, 2, 2, 5))
        self.check('transpose(a, axes = [2, 0, 1])', [x], x.transpose(2, 0, 1, 3))
        self.check('unsqueeze(a, axes = [0, 5])', [x], x[None, ..., None])
        self.check('squeeze(a, axes = [0, 2])', [x[:1, :, :1]], x[0, :, 0])

    def test_joined_and_taken_apart(self):
        x, y = f32(2, 3, 4), f32(2, 1, 4)
        self.check('concat([a, b, a], axis = 1)', [x, y], np.concatenate([x, y, x], 1))
        self.check('stack([a, a], axis = 3)', [x], np.stack([x, x], 3))
        self.check('[unstack(a, axis = 1)', [x], [x[:, 0], x[:, 1], x[:, 2]])
        self.check('[split(a, axis = 2, ratios = [1, 3])', [np.concatenate([x, x], 2)],
                   [x[..., :2], np.concatenate([x, x], 2)[..., 2:]])
        self.check('tile(a, repeats = [1, 2, 3])', [x], np.tile(x, (1, 2, 3)))
        self.check('gather(a, b, axis = 1)', [x, np.array([[2, 0], [1, 1]])],
                   x[:, [[2, 0], [1, 1]]])

    def test_slice(self):
        x = f32(6, 7, 8)
        for call, value in (
                ('axes = [0, 2], begin = [1, 2], end = [3, 0]', x[1:3, :, 2:]),
                ('axes = [1], begin = [-3], end = [-1]', x[:, -3:-1]),
                ('axes = [1, 0], begin = [1, 0], end = [7, 5], stride = [2, 3]', x[0:5:3, 1:7:2]),
                ('axes = [2], begin = [-1], end = [-9], stride = [-1]', x[..., ::-1]),
                ('axes = [2], begin = [6], end = [0], stride = [-2]', x[..., 6:0:-2])):
            self.check(f'slice(a, {call})', [x], value)

    def test_pad(self):
        x = f32(2, 4, 5)
        widths = [(0, 1), (2, 0), (3, 4)]
        for border, mode in (('constant', 'constant'), ('replicate', 'edge'),
                             ('reflect-even', 'symmetric')):
            self.check(f'pad(a, padding = {widths}, border = "{border}")', [x],
                       np.pad(x, widths, mode))
        self.check('pad(a, padding = [(0, 0), (3, 1), (0, 2)], border = "reflect")', [x],
                   np.pad(x, [(0, 0), (3, 1), (0, 2)], 'reflect'))
        self.check(f'pad(a, padding = {widths}, value = 1.5)', [x],
                   np.pad(x, widths, constant_values=1.5))


class Reductions(Case):
    def test_reduced(self):
        x = f32(2, 3, 4, 5)
        for axes in ([1], [0, 3], [0, 1, 2, 3]):
            for name, value in (('sum', np.sum), ('mean', np.mean), ('max', np.max), ('min', np.min)):
                self.check(f'{name}_reduce(a, axes = {axes})', [x],
                           value(x, tuple(axes), keepdims=True))
            self.check(f'sum_reduce(a, axes = {axes}, normalize = true)', [x],
                       x.mean(tuple(axes), keepdims=True))
            for name, value in (('any', np.any), ('all', np.all)):
                self.check(f'{name}_reduce(a, axes = {axes})', [x > 0],
                           value(x > 0, tuple(axes), keepdims=True))
            self.check(f'moments(a, axes = {axes})', [x],
                       (x.mean(tuple(axes), keepdims=True), x.var(tuple(axes), keepdims=True)))
        self.check('argmax_reduce(a, axes = [2])', [x], x.argmax(2)[:, :, None])
        self.check('argmin_reduce(a, axes = [0])', [x], x.argmin(0)[None])

    def test_products(self):
        x, y, bias = f32(2, 4, 5), f32(1, 5, 3), f32(1, 6)
        self.check('matmul(a, b)', [x, y], x @ y)
        self.check('matmul(a, b, transposeA = true, transposeB = true)',
                   [x.transpose(0, 2, 1), y.transpose(0, 2, 1)], x @ y)
        m, w = f32(3, 5), f32(6, 5)
        self.check('linear(a, w, v)', [m], m @ w.T + bias, w=w, v=bias)
        self.check('linear(a, w)', [m], m @ w.T, w=w)
        self.check('linear(a, w, 0.5)', [m], m @ w.T + np.float32(0.5), w=w)

    def test_normalised(self):
        x = f32(2, 6, 5, 4)
        mean, var, offset, scale = f32(1, 6), abs(f32(1, 6)), f32(1, 6), f32(1, 6)
        wide = [v[:, :, None, None] for v in (mean, var, offset, scale)]
        self.check('batch_normalization(a, m, v, o, s, epsilon = 0.01)', [x],
                   wide[2] + wide[3] * (x - wide[0]) / np.sqrt(wide[1] + 0.01), m=mean, v=var,
                   o=offset, s=scale)
        self.check('batch_normalization(a, m, v, offset = 0.5, scale = 1.0, epsilon = 0.01)', [x],
                   0.5 + (x - wide[0]) / np.sqrt(wide[1] + 0.01), m=mean, v=var)
        full = f32(1, 6, 5, 4)
        self.check('batch_normalization(a, m, v, o, s, epsilon = 0.01)', [x],
                   wide[2] + wide[3] * (x - full) / np.sqrt(wide[1] + 0.01), m=full, v=var,
                   o=offset, s=scale)
        for axes in ([1], [2, 3]):
            a = tuple(axes)
            self.check(f'l1_normalization(a, axes = {axes}, bias = 0.1)', [x],
                       x / (abs(x).sum(a, keepdims=True) + np.float32(0.1)))
            self.check(f'l2_normalization(a, axes = {axes}, epsilon = 0.5)', [x],
                       x / np.maximum(np.sqrt((x * x).sum(a, keepdims=True)), 0.5))

    def test_local(self):
        x = f32(2, 6, 5, 4)
        for size in ([1, 5, 1, 1], [1, 4, 1, 1], [1, 1, 3, 3], [1, 3, 2, 1]):
            mean = windows(x, size).mean(-1)
            square = windows(x * x, size).mean(-1)
            self.check(f'local_response_normalization(a, size = {size}, alpha = 0.5, beta = 0.75, '
                       'bias = 2.0)', [x], (x / (2 + 0.5 * square) ** 0.75).astype(np.float32))
            self.check(f'local_mean_normalization(a, size = {size})', [x],
                       (x - mean).astype(np.float32))
            self.check(f'local_variance_normalization(a, size = {size}, bias = 0.1, epsilon = 0.2)',
                       [x], (x / np.maximum(np.sqrt(square) + 0.1, 0.2)).astype(np.float32))
            c = x - mean
            sigma = np.sqrt(windows(c * c, size).mean(-1))
            self.check(f'local_contrast_normalization(a, size = {size}, epsilon = 0.2)', [x],
                       (c / np.maximum(sigma, 0.2)).astype(np.float32), 1e-4)


class Pools(Case):
    """Over padding that is stated and automatic, borders, steps, and over channels."""
    cases = [dict(size=[1, 1, 2, 2], stride=[1, 1, 2, 2], padding=[(0, 0)] * 4),
             dict(size=[1, 1, 3, 2]),
             dict(size=[1, 1, 3, 3], stride=[1, 1, 2, 2]),
             dict(size=[1, 1, 3, 3], stride=[1, 1, 2, 3], padding=[(0, 0), (0, 0), (1, 2), (0, 1)]),
             dict(size=[1, 1, 2, 3], dilation=[1, 1, 2, 2]),
             dict(size=[1, 3, 1, 1]),
             dict(size=[2, 2, 2, 2], stride=[1, 2, 1, 2]),
             dict(size=[1, 1, 1, 1], stride=[1, 1, 2, 2], padding=[(0, 0)] * 4)]

    @staticmethod
    def text(case):
        return ', '.join(f'{k} = {v}' for k, v in case.items())

    def each(self):
        for case in self.cases:
            for border in ('constant', 'ignore', 'replicate', 'reflect', 'reflect-even'):
                yield case, border, f'{self.text(case)}, border = "{border}"'

    def test_sums_and_means(self):
        x = f32(2, 5, 7, 6)
        for case, border, text in self.each():
            w = windows(x, border=border, outside=np.nan if border == 'ignore' else 0, **case)
            mean = np.nanmean(w, -1).astype(np.float32)
            self.check(f'box(a, {text})', [x], np.nansum(w, -1).astype(np.float32))
            self.check(f'avg_pool(a, {text})', [x], mean)
            if border != 'reflect':
                self.check(f'box(a, {text}, normalize = true)', [x], mean)
                self.check(f'rms_pool(a, {text})', [x],
                           np.sqrt(np.nanmean(w * w, -1)).astype(np.float32))

    def test_maxima(self):
        x = f32(2, 5, 7, 6) - 2
        for case, border, text in self.each():
            outside = -np.inf if border == 'ignore' else 0
            w = windows(x, border=border, outside=outside, **case)
            best = w.max(-1).astype(np.float32)
            self.check(f'max_pool(a, {text})', [x], best)
            if case['size'][:2] == [1, 1]:
                self.check(f'argmax_pool(a, {text})', [x], w.argmax(-1))
                self.check(f'max_pool_with_index(a, {text})', [x], (best, w.argmax(-1)))

    def test_samples(self):
        x = f32(2, 3, 7, 6)
        for case in self.cases:
            if case['size'][:2] != [1, 1]:
                continue
            for border in ('constant', 'replicate'):
                w = windows(x, border=border, **case)
                index = random.randint(0, w.shape[-1], w.shape[:-1])
                taken = np.take_along_axis(w, index[..., None], -1)[..., 0].astype(np.float32)
                self.check(f'sample(a, b, {self.text(case)}, border = "{border}")', [x, index], taken)

    def test_desample(self):
        """The opposite of sample: what is taken with weights is put back with them."""
        x = f32(2, 3, 7, 6)
        for case in self.cases:
            if case['size'][:2] != [1, 1]:
                continue
            places = np.arange(1, x.size + 1).reshape(x.shape)
            w = windows(places, **case)
            index = random.randint(0, w.shape[-1], w.shape[:-1])
            taken = np.take_along_axis(w, index[..., None], -1)[..., 0].astype(int)
            values, back = f32(*index.shape), np.zeros(x.size + 1, np.float32)
            np.add.at(back, taken.ravel(), values.ravel())
            for name in ('desample', 'max_unpool'):
                self.check(f'{name}(a, b, {self.text(case)}, output_shape = {list(x.shape)})',
                           [values, index], back[1:].reshape(x.shape))

    def test_debox(self):
        x = f32(2, 5, 7, 6)
        for case in self.cases:
            places = np.arange(1, x.size + 1).reshape(x.shape)
            w = windows(places, **case).astype(int)
            values, back = f32(*w.shape[:-1]), np.zeros(x.size + 1, np.float32)
            np.add.at(back, w.ravel(), np.repeat(values.ravel(), w.shape[-1]))
            back = back[1:].reshape(x.shape)
            text = f'{self.text(case)}, output_shape = {list(x.shape)}'
            self.check(f'debox(a, {text})', [values], back)
            self.check(f'debox(a, {text}, normalize = true)', [values],
                       back / np.float32(w.shape[-1]))
            self.check(f'avg_unpool(a, {text})', [values], back / np.float32(w.shape[-1]))
        y = f32(1, 2, 3, 3)
        self.check('debox(a, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], padding = '
                   '[(0, 0), (0, 0), (0, 0), (0, 0)])', [y], y.repeat(2, 2).repeat(2, 3))


@unittest.skipUnless(torch, 'python3-torch is not installed')
class Convolutions(Case):
    def tensors(self, *arrays):
        return [torch.from_numpy(a) for a in arrays]

    def test_conv(self):
        x, w, bias = f32(2, 4, 9, 8), f32(6, 4, 3, 3), f32(1, 6)
        a, b, c = self.tensors(x, w, bias[0])
        self.check('conv(a, w, v)', [x], functional.conv2d(a, b, c, padding=1).numpy(), 1e-4,
                   w=w, v=bias)
        self.check('conv(a, w, padding = [(0, 0), (0, 0)], stride = [2, 1], dilation = [2, 3])', [x],
                   functional.conv2d(a, b, stride=(2, 1), dilation=(2, 3)).numpy(), 1e-4, w=w)
        self.check('conv(a, w, 0.5, padding = [(2, 0), (1, 3)])', [x],
                   (functional.conv2d(functional.pad(a, (1, 3, 2, 0)), b) + 0.5).numpy(), 1e-4, w=w)
        # Automatic padding with a step: the odd element stands behind.
        self.check('conv(a, w, stride = [2, 2])', [x],
                   functional.conv2d(functional.pad(a, (0, 1, 1, 1)), b, stride=2).numpy(), 1e-4,
                   w=w)
        for border, mode in (('replicate', 'replicate'), ('reflect', 'reflect')):
            self.check(f'conv(a, w, border = "{border}")', [x],
                       functional.conv2d(functional.pad(a, (1, 1, 1, 1), mode), b).numpy(), 1e-4,
                       w=w)
        self.check('conv(a, b)', [x, w], functional.conv2d(a, b, padding=1).numpy(), 1e-4)

    def test_groups_and_ranks(self):
        x, w, plane = f32(1, 4, 7, 6), f32(6, 2, 3, 3), f32(8, 1, 3, 3)
        a, b, c = self.tensors(x, w, plane)
        self.check('conv(a, w, groups = 2)', [x],
                   functional.conv2d(a, b, padding=1, groups=2).numpy(), 1e-4, w=w)
        self.check('conv(a, w, groups = 0)', [x],
                   functional.conv2d(a, c, padding=1, groups=4).numpy(), 1e-4, w=plane)
        point = f32(5, 8, 1, 1)
        bias = f32(1, 5)
        d, = self.tensors(point)
        both = functional.conv2d(functional.conv2d(a, c, padding=1, stride=1, groups=4), d)
        self.check('separable_conv(a, p, q, v, padding = [(1, 1), (1, 1)])', [x],
                   both.numpy() + bias[:, :, None, None], 1e-4, p=plane, q=point, v=bias)
        line, kernel = f32(2, 3, 9), f32(4, 3, 3)
        a, b = self.tensors(line, kernel)
        self.check('conv(a, w, stride = [2], padding = [(0, 1)])', [line],
                   functional.conv1d(functional.pad(a, (0, 1)), b, stride=2).numpy(), 1e-4, w=kernel)

    def test_deconv(self):
        x, w, bias = f32(2, 4, 5, 4), f32(4, 6, 3, 3), f32(1, 6)
        a, b, c = self.tensors(x, w, bias[0])
        back = functional.conv_transpose2d
        self.check('deconv(a, w, v, stride = [2, 2], padding = [(1, 1), (1, 1)])', [x],
                   back(a, b, c, stride=2, padding=1).numpy(), 1e-4, w=w, v=bias)
        self.check('deconv(a, w, padding = [(0, 0), (0, 0)], stride = [2, 1], dilation = [1, 2])',
                   [x], back(a, b, stride=(2, 1), dilation=(1, 2)).numpy(), 1e-4, w=w)
        # Automatic: as many times as the step, cut more behind than before.
        whole = back(a, b, stride=2).numpy()
        self.check('deconv(a, w, stride = [2, 2])', [x], whole[:, :, :10, :8], 1e-4, w=w)
        self.check('deconv(a, w, stride = [2, 2], padding = [(1, 1), (1, 1)], output_shape = '
                   '[2, 6, 10, 8])', [x],
                   back(a, b, stride=2, padding=1, output_padding=1).numpy(), 1e-4, w=w)
        groups = f32(4, 3, 2, 2)
        g, = self.tensors(groups)
        self.check('deconv(a, w, stride = [2, 2], groups = 2)', [x],
                   back(a, g, stride=2, groups=2).numpy(), 1e-4, w=groups)

    def test_separable_deconv(self):
        x, point, plane = f32(1, 3, 4, 5), f32(3, 6, 1, 1), f32(6, 1, 3, 3)
        a, p, q = self.tensors(x, point, plane)
        back = functional.conv_transpose2d
        expected = back(back(a, p), q, padding=1, groups=6).numpy() + 0.25
        self.check('separable_deconv(a, q, p, 0.25, padding = [(1, 1), (1, 1)])', [x], expected,
                   1e-4, p=point, q=plane)

    def test_resampled(self):
        x = f32(2, 3, 4, 6)
        a, = self.tensors(x)
        up = functional.interpolate
        self.check('nearest_upsample(a, factor = [2, 3])', [x], x.repeat(2, 2).repeat(3, 3))
        self.check('nearest_downsample(a, factor = [2, 3])', [x], x[:, :, ::2, ::3])
        self.check('area_downsample(a, factor = [2, 3])', [x],
                   functional.avg_pool2d(a, (2, 3)).numpy())
        self.check('multilinear_upsample(a, factor = [2, 3])', [x],
                   up(a, scale_factor=(2, 3), mode='bilinear', align_corners=False).numpy())
        self.check('multilinear_upsample(a, factor = [2, 3], method = "aligned")', [x],
                   up(a, scale_factor=(2, 3), mode='bilinear', align_corners=True).numpy())
        # By twice, with zeros around, it is a transposed convolution.
        for method, line, cut in (('symmetric', [0.25, 0.75, 0.75, 0.25], 1),
                                  ('asymmetric', [0.5, 1.0, 0.5], 1)):
            kernel = torch.tensor(np.outer(line, line), dtype=torch.float32).expand(3, 1, -1, -1)
            whole = functional.conv_transpose2d(a, kernel, stride=2, padding=cut, groups=3,
                                                output_padding=0 if method == 'symmetric' else 1)
            self.check(f'multilinear_upsample(a, factor = [2, 2], method = "{method}", '
                       'border = "constant")', [x], whole.numpy())


class Quantised(Case):
    def test_operations(self):
        x = f32(50) * 2
        for bits, is_signed, symmetric in ((8, True, False), (8, False, False), (8, True, True),
                                           (4, True, False)):
            high = 2 ** (bits - is_signed) - 1
            low = 0 if not is_signed else -high if symmetric else -high - 1
            zero = 3
            q = np.clip(np.round(x / np.float32(0.02)) + zero, low, high)
            self.check(f'zero_point_linear_quantize(a, zero_point = {zero}, scale = 0.02, bits = '
                       f'{bits}, signed = {str(is_signed).lower()}, symmetric = '
                       f'{str(symmetric).lower()})', [x], ((q - zero) * 0.02).astype(np.float32))
            r = 2 ** bits - 1 - (is_signed and symmetric)
            z = np.round((np.clip(x, -1, 2) + 1) / 3 * r) / r * 3 - 1
            self.check(f'min_max_linear_quantize(a, -1.0, 2.0, bits = {bits}, signed = '
                       f'{str(is_signed).lower()}, symmetric = {str(symmetric).lower()})', [x],
                       z.astype(np.float32))
        z = np.round((np.clip(x, -1, 2) + 1) / 3 * 15) / 15 * 3 - 1
        self.check('linear_quantize(a, -1.0, 2.0, bits = 4)', [x], z.astype(np.float32))
        m = math.ceil(math.log2(3.0))
        q = np.round(np.clip(np.log2(abs(x)), m - 7, m))
        self.check('logarithmic_quantize(a, 3.0, bits = 3)', [x],
                   (np.sign(x) * 2.0 ** q).astype(np.float32))

    def run_quant(self, quant, array, x, expected):
        text = ('version 1.0;\ngraph g(x) -> (y)\n{\nx = external(shape = [2, 3]);\n'
                'w = variable(shape = [2, 3], label = "w");\ny = mul(x, w);\n}\n')
        with Model(text, quant=quant) as model:
            write_tensor(model.path / 'w.dat', array, quantised=True)
            done = model.run('verify', {'x': x}, {'y': expected}, '--rtol', '1e-5', '--atol', '1e-5')
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def test_files(self):
        """Integers in a variable's file mean what graph.quant says."""
        x = f32(2, 3)
        u = np.array([[0, 100, 255], [1, 2, 128]], np.uint8)
        self.run_quant('"w": zero_point_linear_quantize(zero_point = 128, scale = 0.1, bits = 8, '
                       'signed = false, symmetric = false);', u, x,
                       (x * ((u.astype(float) - 128) * 0.1)).astype(np.float32))
        self.run_quant('"w": linear_quantize(min = -1.0, max = 3.0, bits = 8);', u, x,
                       (x * (u / 255 * 4 - 1)).astype(np.float32))
        i = np.array([[-127, 0, 127], [1, -2, 64]], np.int8)
        self.run_quant('"w": min_max_linear_quantize(min = -2.0, max = 2.0, bits = 8, signed = true,'
                       ' symmetric = true);', i, x, (x * (i / 127 * 2)).astype(np.float32))

    def test_activations(self):
        x, w = f32(2, 3), f32(2, 3)
        q = np.clip(np.round(x / np.float32(0.1)), -128, 127) * np.float32(0.1)
        self.run_quant('"x": zero_point_linear_quantize(zero_point = 0, scale = 0.1, bits = 8, '
                       'signed = true, symmetric = false);', w, x, (q * w).astype(np.float32))


class Files(Case):
    head = 'version 1.0;\ngraph g(x) -> (y)\n{\nx = external(shape = [2, 3]);\n'

    def with_variable(self, label, shape='[2, 3]', kind='scalar'):
        return (self.head + f'w = variable<{kind}>(shape = {shape}, label = "{label}");\n'
                'y = add(x, cast<scalar>(w));\n}\n')

    def test_types(self):
        x = f32(2, 3)
        for dtype in (np.float16, np.float32, np.float64, np.int8, np.int64, np.uint16, np.bool_):
            w = np.array([[1, 0, 1], [0, 1, 1]], dtype)
            with Model(self.with_variable('deep/er/w', kind=PRIMITIVES[w.dtype.kind]),
                       {'deep/er/w': w}) as model:
                done = model.run('verify', {'x': x}, {'y': x + w.astype(np.float32)})
            self.assertEqual(done.returncode, 0, f'{dtype}: {done.stderr}')

    def test_refusals(self):
        w = f32(2, 3)
        for label in ('../w', '/etc/w', 'a/../w', './w', 'a//w', ''):
            text = self.with_variable(label)
            self.refuse('No such file' if label == '' else "is not a file in the model's directory",
                        text)
        self.refuse("5:5: variable: label 'w': 'w.dat' of shape 2×3: No such file", self.with_variable('w'))
        self.refuse("label 'w': its file holds 2×3, the shape is 3×2",
                    self.with_variable('w', '[3, 2]'), {'w': w})
        self.refuse("label 'w': its file holds int8, and graph.quant does not say",
                    self.with_variable('w'), {'w': w.astype(np.int8)})
        self.refuse("label 'w': its file holds float32", self.with_variable('w', kind='integer'),
                    {'w': w})
        self.refuse("graph.quant: 1:6: expected an expression", self.with_variable('w'), {'w': w},
                    '"w": ;')
        self.refuse('graph.quant: 1:5: zero_point_linear_quantize: parameter',
                    self.with_variable('w'), {'w': w}, '"w":zero_point_linear_quantize();')

    def test_links(self):
        with Model(self.with_variable('w')) as model, Model('') as other:
            write_tensor(other.path / 'w.dat', f32(2, 3))
            (model.path / 'w.dat').symlink_to(other.path / 'w.dat')
            done = model.run('inspect')
            self.assertIn("'w.dat' of shape 2×3: Too many levels of symbolic links", done.stderr)

    def test_paths(self):
        """A directory, the file in it, and neither."""
        with Model(self.head + 'y = relu(x);\n}\n') as model:
            self.assertEqual(model.run('run', {'x': f32(2, 3)}).returncode, 0)
            path, model.path = model.path, model.path / 'graph.nnef'
            self.assertEqual(model.run('inspect').returncode, 0)
            model.path = path
            (path / 'graph.nnef').unlink()
            self.assertIn('No such file', model.run('inspect').stderr)

    def test_same_label(self):
        w, x = f32(2, 3), f32(2, 3)
        text = self.head + ('v = variable(shape = [2, 3], label = "w");\n'
                            'w = variable(shape = [2, 3], label = "w");\n'
                            'y = add(x, mul(v, w));\n}\n')
        with Model(text, {'w': w}) as model:
            done = model.run('verify', {'x': x}, {'y': x + w * w})
        self.assertEqual(done.returncode, 0, done.stderr)


def flat_network(blocks):
    """A small network in the flat syntax."""
    lines, at = ['x = external(shape = [1, 3, 16, 16]);'], 'x'
    for i, (channels, deep) in enumerate(blocks):
        lines += [f'w{i} = variable(shape = [{channels}, {deep}, 3, 3], label = "b{i}/w");',
                  f'c{i} = conv({at}, w{i}, padding = [(1, 1), (1, 1)]);', f'r{i} = relu(c{i});',
                  f'p{i} = max_pool(r{i}, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], border = '
                  f'"ignore", padding = [(0, 0), (0, 0), (0, 0), (0, 0)]);']
        at = f'p{i}'
    return f'version 1.0;\ngraph g(x) -> (y)\n{{\n' + '\n'.join(lines) + \
        f'\ns = mul({at}, 0.5);\ny = softmax(s);\n}}\n'


COMPOSITIONAL = 'version 1.0;\n' + FULL + '''
fragment block(x: tensor<scalar>, width: integer, scope: string) -> (y: tensor<scalar>)
{
    w = variable(shape = [width, shape_of(x)[1]] + [3] * 2, label = scope + '/w');
    c = relu(conv(x, w, padding = [(1, 1)] * 2));
    y = max_pool(c, size = [1, 1] + [2, 2], stride = [1, 1, 2, 2], border = 'ignore',
                 padding = [for i in range_of(shape_of(c)) yield (0, 0)]);
}
fragment blocks(x: tensor<scalar>, widths: integer[], at: integer = 0) -> (y: tensor<scalar>)
{
    z = block(x, width = widths[0], scope = 'b' + string(at));
    y = blocks(z, widths = widths[1:], at = at + 1) if length_of(widths) > 1 else z;
}
graph g(x) -> (y)
{
    x = external(shape = [1, 3, 16, 16]);
    y = softmax(blocks(x, widths = [4, 8, 16]) * 0.5);
}
'''


class Syntaxes(Case):
    def test_flat_and_compositional_are_one(self):
        sizes = [(4, 3), (8, 4), (16, 8)]
        weights = {f'b{i}/w': f32(o, c, 3, 3) for i, (o, c) in enumerate(sizes)}
        x = f32(1, 3, 16, 16)
        found = []
        for text in (flat_network(sizes), COMPOSITIONAL):
            with Model(text, weights) as model:
                done = model.run('run', {'x': x})
                self.assertEqual(done.returncode, 0, done.stderr)
                found.append((operators(model.run('inspect').stdout),
                              np.load(model.path / 'y.npy').tobytes()))
        self.assertEqual(found[0], found[1])
        self.assertEqual(len(found[0][0]), 5)

    def test_operators(self):
        x = f32(3, 4)
        self.check('(a + 1.0) * a - -a / 2.0 ^ a', [x], (x + 1) * x + x / 2 ** x, head=FULL)
        self.check('select(a > 0.5 || a < -0.5, a, 0.0)', [x], np.where(abs(x) > 0.5, x, 0),
                   head=FULL)


class Projects(Case):
    """Models of other projects, from PLATED_DATA."""

    def examples(self, name):
        folder = DATA / name
        if not folder.is_dir():
            self.skipTest(f'{folder} is not there')
        return folder

    def tract_case(self, folder, text):
        arrays = np.load(folder / 'io.npz')
        with Model(text) as model:
            for file in folder.glob('*.dat'):
                (model.path / file.name).write_bytes(file.read_bytes())
            graph = re.search(r'graph \w+\s*\((.*?)\)\s*->\s*\((.*?)\)', text)
            names = [[n.strip() for n in part.split(',')] for part in graph.groups()]
            return model.run('verify', {n: arrays[n] for n in names[0]},
                             {n: arrays[n] for n in names[1]}, '--rtol', '1e-4', '--atol', '1e-5')

    def test_tract_standard(self):
        """Written in the standard alone; an input is stored, the output follows from the text."""
        folder = self.examples('tract') / 'parallel-ops'
        x = np.load(folder / 'io.npz')['input'].astype(np.float64)
        e = np.exp(x - x.max(2, keepdims=True))
        soft = e / e.sum(2, keepdims=True)
        c = np.tanh(x) * soft
        expected = ((c + c.sum(2, keepdims=True)) * soft).astype(np.float32)
        with Model((folder / 'graph.nnef').read_text()) as model:
            done = model.run('verify', {'input': x.astype(np.float32)}, {'output': expected},
                             '--rtol', '1e-4', '--atol', '1e-6')
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def test_tract_standard_but_for_the_inputs(self):
        """Where external() has the vendor's name and the rest is the standard's."""
        for name in ('debox/debox_base', 'debox/debox_high_dim', 'fixed_roll',
                     'resize/nearest_upsample'):
            folder = self.examples('tract') / name
            text = (folder / 'graph.nnef').read_text()
            text = re.sub(r"tract_core_external\((.*?), datum_type = 'f32'\)", r'external(\1)', text)
            done = self.tract_case(folder, text)
            self.assertEqual(done.returncode, 0, f'{name}: {done.stderr}{done.stdout}')

    def test_tract_refused(self):
        """Operations of the vendor, and what else the standard does not know, by name."""
        root = self.examples('tract')
        fragments = "needs 'extension KHR_enable_fragment_definitions;'"
        reasons = {
            'tract_core_external': [
                'debox/debox_base', 'debox/debox_high_dim', 'fixed_roll',
                'grid_sample/grid_sample_identity', 'q40_linear_followed_slice',
                'qwen35-recurrent/causal-conv1d-update', 'qwen35-recurrent/gdn-recurrent',
                'resize/core_resize_f16', 'resize/core_resize_linear', 'resize/core_resize_nearest',
                'resize/core_resize_sizes', 'resize/nearest_upsample', 'slice-over-slice-optim-loop'],
            'tract_core_submodel': ['submodel'],
            'tract_core_range': ['tdim-cmp'],
            fragments: [
                'export-scan-state', 'gru-epilogue', 'scatter-nd-block', 'sdpa/simple-causal-f32',
                'sdpa/simple-f16', 'sdpa/simple-mask-f32', 'sdpa/simple-non-causal-f32',
                'sdpa/simple-scale-f32', 'submodel/nnet2', 'variable-in-fragment'],
            "needs 'extension KHR_enable_operator_expressions;'": [
                'cmp-operators', 'conv-then-shape-of-mask', 'non_zero_two_nodes', 'reshape_with_bc'],
            "'S' is used before it is assigned": [
                'pulse-sync-inputs-multi-delay', 'slice-of-static-with-streaming-size'],
            "'B' is used before it is assigned": ['tile-with-tdim'],
            "'filter' is of type array, tensor<scalar> was expected": ['conv-bias',
                                                                       'conv-with-batch'],
            "'y' is of type array, tensor<scalar> was expected": ['pool-padding'],
        }
        runs = ['copy-requant', 'parallel-bin', 'parallel-ops']
        names = [n for list_of in reasons.values() for n in list_of]
        found = sorted(str(p.parent.relative_to(root)) for p in root.rglob('graph.nnef'))
        self.assertEqual(sorted(names + runs), found)
        for words, list_of in reasons.items():
            for name in list_of:
                with Model((root / name / 'graph.nnef').read_text()) as model:
                    done = model.run('inspect')
                self.assertGreater(done.returncode, 0, name)
                self.assertIn(words, done.stderr, name)
        for name in runs:
            with Model((root / name / 'graph.nnef').read_text()) as model:
                self.assertEqual(model.run('inspect').returncode, 0, name)

    def khronos(self, name):
        return (self.examples('khronos') / 'parser/cpp/examples' / name).read_text()

    def flat(self, name, write):
        """A model with all its variables written."""
        text = self.khronos(name)
        model = Model(text)
        for shape, label in re.findall(r"shape = \[([\d, ]*)\], label = '([^']*)'", text):
            write(model.path / f'{label}.dat', [int(n) for n in shape.split(',')])
        return model

    @staticmethod
    def seeded(path, shape):
        scale = 1 / np.sqrt(np.prod(shape[1:]))
        write_tensor(path, (random.uniform(-1, 1, shape) * scale).astype(np.float32))

    def test_khronos_flat(self):
        """The syntax of 2017, whose statements end without a semicolon."""
        with self.flat('googlenet_flat.txt', self.seeded) as model:
            done = model.run('run', {'input': f32(1, 3, 224, 224)})
            self.assertEqual(done.returncode, 0, done.stderr)
            found = operators(model.run('inspect').stdout)
            self.assertEqual(np.load(model.path / 'output.npy').shape, (1, 1000, 1, 1))
        self.assertIn(['Conv', '58'], [line.split() for line in found])
        for name, convolutions in (('alexnet', 8), ('resnet', 54)):
            with self.flat(f'{name}_flat.txt', write_zeros) as model:
                done = model.run('inspect')
            self.assertEqual(done.returncode, 0, f'{name}: {done.stderr}')
            self.assertIn(['Conv', str(convolutions)],
                          [line.split() for line in operators(done.stdout)])

    def test_khronos_compositional(self):
        """Variables are asked for one after the other."""
        for name, variables, convolutions in (('alexnet', 16, 8), ('googlenet', 116, 58)):
            with Model(self.khronos(f'{name}_comp.txt')) as model:
                done = model.run('inspect')
                for _ in range(variables):
                    missing = re.search(r"'([^']*)' of shape (\S*): No such file", done.stderr)
                    self.assertTrue(missing, done.stderr)
                    write_zeros(model.path / missing[1], [int(n) for n in missing[2].split('×')])
                    done = model.run('inspect')
            self.assertEqual(done.returncode, 0, f'{name}: {done.stderr}')
            self.assertIn(['Conv', str(convolutions)],
                          [line.split() for line in operators(done.stdout)])

    def test_khronos_refused(self):
        """A document holds one graph, and this one does not make its output."""
        self.refuse('78:1: a second graph', self.khronos('resnet_comp.txt'))
        self.refuse("18:7: output 'output1' of the graph is not assigned",
                    self.khronos('vgg19_flat.txt'))
        for name, words in (('resnet_comp.txt', "'conv1/filter.dat' of shape 64×3×7×7"),
                            ('vgg19_comp.txt', "'conv1/filter.dat' of shape 64×3×3×3")):
            one = re.split(r'graph ResNet200', self.khronos(name))[0]
            self.refuse(words, one)


if __name__ == '__main__':
    unittest.main()

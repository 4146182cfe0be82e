#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Operators of detectors and their kin that sample, pool and select: against PyTorch where it has
them, else against their definitions in numpy."""
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import Case, f32, i64, random

try:
    import torch
    from torch.nn import functional
except ImportError:
    raise unittest.SkipTest('python3-torch is not installed')


class MaxPoolIndices(Case):
    def pool(self, x, kernel, stride, pad, dilation, threads=1, ceil_mode=0):
        n = x.ndim - 2
        function = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[n - 1]
        y, at = function(torch.from_numpy(x), kernel, stride, pad, dilation, ceil_mode=bool(ceil_mode),
                         return_indices=True)
        planes = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * n)
        size = np.prod(x.shape[2:])
        attributes = dict(kernel_shape=kernel, strides=stride, pads=pad * 2, dilations=dilation,
                          ceil_mode=ceil_mode)
        rows = at.numpy() + planes * size
        self.check('MaxPool', [x], [y.numpy(), rows], 12, threads, **attributes)
        places = np.unravel_index(at.numpy(), x.shape[2:])
        columns = np.ravel_multi_index(places, x.shape[2:], order='F') + planes * size
        self.check('MaxPool', [x], [y.numpy(), columns], 12, threads, storage_order=1, **attributes)

    def test_dimensions(self):
        self.pool(f32(2, 3, 17), [3], [2], [1], [2])
        self.pool(f32(2, 3, 12, 11), [3, 2], [2, 1], [1, 1], [2, 3])
        self.pool(f32(1, 2, 6, 7, 8), [2, 3, 2], [2, 1, 3], [1, 1, 0], [1, 2, 1])
        self.pool(f32(1, 2, 11, 10), [3, 3], [2, 2], [0, 0], [1, 1], ceil_mode=1)

    def test_large(self):
        for threads in (1, 4):
            self.pool(f32(2, 9, 61, 47), [3, 3], [2, 2], [1, 1], [1, 1], threads)

    def test_equal_values_and_types(self):
        x = np.uint8([[[3, 3, 2, 1], [3, 0, 2, 2]]])[None]
        self.check('MaxPool', [x], [np.uint8([[[[3, 2]]]]), i64(0, 2).reshape(1, 1, 1, 2)], 12,
                   kernel_shape=[2, 2], strides=[2, 2])
        x = np.float64([[[1, np.nan, 2, 9]]])
        self.check('MaxPool', [x], [np.float64([[[np.nan, 9]]]), i64(1, 3).reshape(1, 1, 2)], 12,
                   kernel_shape=[2], strides=[2])

    def test_padding_alone(self):
        """A window that sees nothing has no index."""
        self.check('MaxPool', [np.float32([[[4]]])],
                   [np.float32([[[-np.inf, 4]]]), i64(-1, 0).reshape(1, 1, 2)], 12, kernel_shape=[1],
                   pads=[1, 0])


class MaxUnpool(Case):
    def test_undoes_pooling(self):
        for n, kernel, stride, pad in ((1, [2], [2], [0]), (2, [3, 2], [3, 2], [0, 0]),
                                       (3, [2, 2, 2], [2, 2, 2], [0, 0, 0])):
            x = f32(2, 3, *[6] * n)
            pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[n - 1]
            unpool = (functional.max_unpool1d, functional.max_unpool2d,
                      functional.max_unpool3d)[n - 1]
            y, at = pool(torch.from_numpy(x), kernel, stride, return_indices=True)
            planes = np.arange(6).reshape(2, 3, *[1] * n) * 6 ** n
            self.check('MaxUnpool', [y.numpy(), at.numpy() + planes],
                       unpool(y, at, kernel, stride).numpy(), 11, kernel_shape=kernel,
                       strides=stride, pads=pad * 2)

    def test_output_shape(self):
        """The indices count in the shape that the window makes."""
        y = np.zeros((1, 1, 3, 5), np.float32)
        y[0, 0, 1, 2], y[0, 0, 0, 3] = 7, 8
        self.check('MaxUnpool', [np.float32([[[[7, 8]]]]), i64(6, 3).reshape(1, 1, 1, 2),
                                 (i64(1, 1, 3, 5),)], y, 9, kernel_shape=[2, 2], strides=[2, 2])

    def test_refused(self):
        x = np.float32([[[7, 8]]])
        kernel = dict(kernel_shape=[2], strides=[2])
        self.refuse('index 4 is not one of 4', 'MaxUnpool', [x, i64(0, 4).reshape(1, 1, 2)],
                    **kernel)
        self.refuse('index -1 is', 'MaxUnpool', [x, i64(-1, 0).reshape(1, 1, 2)], **kernel)
        self.refuse('index 3 lies outside', 'MaxUnpool',
                    [x, i64(0, 3).reshape(1, 1, 2), (i64(1, 1, 3),)], **kernel)
        self.refuse('another shape', 'MaxUnpool', [x, i64(0, 1)], **kernel)
        self.refuse('does not fit input 0', 'MaxUnpool',
                    [x, i64(0, 1).reshape(1, 1, 2), (i64(1, 2, 3),)], **kernel)
        self.refuse('would be -1', 'MaxUnpool', [x, i64(0, 1).reshape(1, 1, 2)], pads=[2, 3],
                    **kernel)
        self.refuse('too large', 'MaxUnpool', [x, i64(0, 1).reshape(1, 1, 2)], kernel_shape=[2],
                    strides=[2 ** 31 - 1])


if __name__ == '__main__':
    unittest.main()

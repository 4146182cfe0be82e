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
        for axes in ((1, 1), (1, 2 ** 63 - 1), (-2 ** 63, 1)):
            self.refuse('expected 0 and 1', 'ReverseSequence', [x, i64(0, 2, 4)],
                        batch_axis=axes[0], time_axis=axes[1])


class Signals(Case):
    def test_dft(self):
        for n in (1, 2, 3, 8, 30, 97, 128):
            x = np.float64(f32(2, n, 3, 2))
            spectrum = np.fft.fft(x[..., 0] + 1j * x[..., 1], axis=1)
            whole = np.stack([spectrum.real, spectrum.imag], -1)
            self.check('DFT', [x], whole, 17)
            self.check('DFT', [whole], x, 17, inverse=1)
            self.check('DFT', [x, None, (i64(1)[0],)], whole, 20)
            half = np.fft.rfft(x[..., 0], axis=1)
            self.check('DFT', [x[..., :1]], np.stack([half.real, half.imag], -1), 17, onesided=1)

    def test_dft_axis_and_length(self):
        x = np.float64(f32(2, 5, 6, 1))
        for axis, last in ((2, (i64(2)[0],)), (-2, None)):
            for n in (4, 6, 11):
                spectrum = np.fft.fft(x[..., 0], n, 2)
                whole = np.stack([spectrum.real, spectrum.imag], -1)
                self.check('DFT', [x, (i64(n)[0],)], whole, 17, axis=axis)
                self.check('DFT', [x, (i64(n)[0],), last], whole, 20)

    def test_dft_refused(self):
        self.refuse('expected 1 (real) or 2 (complex)', 'DFT', [f32(1, 4, 3)], 17)
        self.refuse('no one-sided', 'DFT', [f32(1, 4, 2)], 17, onesided=1)
        self.refuse('holds the parts', 'DFT', [f32(1, 4, 2)], 17, axis=2)
        self.refuse('a transform of 0', 'DFT', [f32(1, 4, 2), (i64(0),)], 17)
        self.refuse('before opset 20', 'DFT', [f32(1, 4, 2), None, (i64(1),)], 17)

    def test_stft(self):
        x, window = np.float64(f32(2, 50, 1)), np.float64(np.abs(f32(12)))
        frames = np.stack([x[:, i:i + 12, 0] for i in range(0, 39, 7)], 1)
        for given, of in ((window, frames * window), (None, frames)):
            half, whole = np.fft.rfft(of), np.fft.fft(of)
            inputs = [x, (i64(7)[0],), given, (i64(12)[0],)]
            self.check('STFT', inputs, np.stack([half.real, half.imag], -1), 17)
            self.check('STFT', inputs, np.stack([whole.real, whole.imag], -1), 17, onesided=0)
        self.refuse('neither window nor', 'STFT', [x, (i64(7),)], 17)
        self.refuse('a window of 12 for frames of 11', 'STFT', [x, (i64(7),), window, (i64(11),)],
                    17)
        self.refuse('0 apart', 'STFT', [x, (i64(0),), window], 17)

    def test_windows(self):
        for n in (1, 2, 9, 16):
            for op, window in (('BlackmanWindow', np.blackman), ('HannWindow', np.hanning)):
                size = [(i64(n)[0],)]
                self.check(op, size, window(n + 1)[:n].astype(np.float32), 17)
                if n > 1:
                    self.check(op, size, window(n), 17, output_datatype=11, periodic=0)
            angle = 2 * np.pi * np.arange(n) / n
            self.check('HammingWindow', size, np.float16(25 / 46 - 21 / 46 * np.cos(angle)), 17,
                       output_datatype=10)
        self.refuse('a window of -1', 'HannWindow', [(i64(-1),)], 17)
        self.refuse('too large', 'HannWindow', [(i64(2 ** 40),)], 17)

    def test_mel_weight_matrix(self):
        bins, length, rate = 6, 64, 8000
        mel = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), bins + 3)[:-1]
        edges = np.floor((length + 1) * 700 * (10 ** (mel / 2595) - 1) / rate)
        x = np.arange(length // 2 + 1)[:, None]
        low, center, high = edges[:-2], edges[1:-1], edges[2:]
        with np.errstate(divide='ignore', invalid='ignore'):
            rise, fall = (x - low) / (center - low), (high - x) / (high - center)
        weights = np.where(x == center, 1, np.where(x < center, rise, fall).clip(0, None))
        inputs = [(np.array(v),) for v in (bins, length, rate)]
        inputs += [(np.float32(v),) for v in (0, 4000)]
        self.check('MelWeightMatrix', inputs, weights.astype(np.float32), 17)
        inputs[2] = (np.array(0),)
        self.refuse('at 0 samples a second', 'MelWeightMatrix', inputs, 17)


class Words(Case):
    def vectorize(self, x, mode, weights=None, **attributes):
        """The definition, for pools of 1-grams 2 3 5 4 and 2-grams 5,6 7,8 6,7."""
        pool = [(2,), (3,), (5,), (4,), (5, 6), (7, 8), (6, 7)]
        weights = weights or [1.0] * 7
        y = np.zeros(7, np.float32)
        for n in range(attributes['min_gram_length'], attributes['max_gram_length'] + 1):
            for step in range(1, (attributes['max_skip_count'] if n > 1 else 0) + 2):
                for i in range(len(x) - (n - 1) * step):
                    gram = tuple(x[i:i + (n - 1) * step + 1:step])
                    if gram in pool:
                        at = pool.index(gram)
                        y[at] = weights[at] + (0 if mode == 'IDF' else y[at])
        return y

    def test_tf_idf(self):
        fixed = dict(ngram_counts=[0, 4], ngram_indexes=list(range(7)),
                     pool_int64s=[2, 3, 5, 4, 5, 6, 7, 8, 6, 7])
        weights = [0.5, 2.0, -1.0, 3.0, 0.25, 7.0, 1.5]
        x = random.randint(2, 9, 60)
        for low, high, skip, mode in ((1, 1, 0, 'TF'), (2, 2, 0, 'TF'), (1, 2, 3, 'TF'),
                                      (1, 2, 5, 'IDF'), (1, 2, 5, 'TFIDF'), (1, 1, 99, 'IDF')):
            lengths = dict(min_gram_length=low, max_gram_length=high, max_skip_count=skip)
            more = {} if mode == 'TF' else {'weights': weights}
            self.check('TfIdfVectorizer', [x], self.vectorize(x, mode, more.get('weights'),
                                                              **lengths),
                       9, mode=mode, **lengths, **fixed, **more)
            y = np.stack([self.vectorize(row, mode, more.get('weights'), **lengths)
                          for row in x.reshape(6, 10)])
            self.check('TfIdfVectorizer', [x.reshape(6, 10).astype(np.int32)], y, 13, mode=mode,
                       **lengths, **fixed, **more)

    def test_refused(self):
        good = dict(mode='TF', min_gram_length=1, max_gram_length=2, max_skip_count=0,
                    ngram_counts=[0, 2], ngram_indexes=[0, 1, 2], pool_int64s=[1, 2, 3, 4])
        for words, change in (('strings', dict(pool_strings=['a'])),
                              ('does not divide', dict(ngram_counts=[0, 3])),
                              ('does not divide', dict(ngram_counts=[0, 9])),
                              ('4 ngram_indexes for 3', dict(ngram_indexes=[0, 1, 2, 3])),
                              ('ngram_indexes holds -1', dict(ngram_indexes=[0, -1, 2])),
                              ('mode is', dict(mode='BM25')),
                              ('n-grams of 3 to 2', dict(min_gram_length=3)),
                              ('2 lengths, 3 were', dict(max_gram_length=3)),
                              ('limit 1024', dict(max_skip_count=2 ** 40)),
                              ('one float for each', dict(weights=[1.0]))):
            self.refuse(words, 'TfIdfVectorizer', [i64(1, 2)], 9, **{**good, **change})


class Pools(Case):
    def test_lp_pool(self):
        x = f32(2, 3, 11, 13)
        for p, k, stride, pad, threads in ((2, 3, 2, 1, 4), (1, 2, 1, 0, 1), (3, 4, 3, 2, 1)):
            padded = np.pad(np.abs(x), [(0, 0), (0, 0), (pad, pad), (pad, pad)])
            windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (2, 3))
            norm = (windows[:, :, ::stride, ::stride] ** p).sum((-1, -2)) ** (1 / p)
            self.check('LpPool', [x], norm, 11, threads, p=p, kernel_shape=[k, k],
                       strides=[stride] * 2, pads=[pad] * 4)
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 3), (2, 3))[..., ::2, ::2]
        self.check('LpPool', [x], np.sqrt((windows ** 2).sum((-1, -2))), 18, kernel_shape=[3, 2],
                   dilations=[2, 2])
        ceil = np.sqrt(np.add.reduceat(x[0, 0] ** 2, [0, 4, 8, 12], 1))[None, :1]
        self.check('LpPool', [x[:1, 0, :1]], ceil, 18, kernel_shape=[4], strides=[4], ceil_mode=1)
        self.check('GlobalLpPool', [x], np.sqrt((x ** 2).sum((2, 3), keepdims=True)), 7)
        self.check('GlobalLpPool', [x[..., 0]], np.abs(x[..., 0]).sum(2, keepdims=True), 7, p=1)
        self.refuse('p is 0', 'GlobalLpPool', [x], p=0)

    def test_max_roi_pool(self):
        x = np.arange(48, dtype=np.float32).reshape(1, 1, 6, 8)
        rois = np.float32([[0, 0, 0, 7, 5], [0, 2, 1, 3, 4], [0, 90, 90, 95, 95], [0, 3, 3, 2, 2]])
        y = np.zeros((4, 1, 2, 2), np.float32)
        y[0, 0] = [[x[0, 0, 2, 3], x[0, 0, 2, 7]], [x[0, 0, 5, 3], x[0, 0, 5, 7]]]
        y[1, 0] = [[x[0, 0, 2, 2], x[0, 0, 2, 3]], [x[0, 0, 4, 2], x[0, 0, 4, 3]]]
        y[3, 0] = x[0, 0, 3, 3]
        self.check('MaxRoiPool', [x, rois], y, 7, pooled_shape=[2, 2])
        self.check('MaxRoiPool', [x, rois * np.float32([1, 2, 2, 2, 2])], y, 7,
                   pooled_shape=[2, 2], spatial_scale=0.5)
        rois[1, 0] = 1
        self.refuse('region 1', 'MaxRoiPool', [x, rois], 7, pooled_shape=[2, 2])
        rois[1, :2] = 0, np.nan
        self.refuse('region 1', 'MaxRoiPool', [x, rois], 7, pooled_shape=[2, 2])


class Chance(Case):
    def draw(self, op, inputs=(), opset=15, **attributes):
        """Output 0 of one run."""
        inputs = [np.asarray(a) for a in inputs]
        names = [f'in{i}' for i in range(len(inputs))]
        node = helper.make_node(op, names, ['y'], name=attributes.pop('node', op), **attributes)
        value = helper.make_tensor_value_info
        graph = helper.make_graph([node], 'case', [value(n, TYPES[a.dtype], a.shape)
                                                   for n, a in zip(names, inputs)],
                                  [onnx.ValueInfoProto(name='y')])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)],
                                  ir_version=7)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / 'model.onnx').write_bytes(model.SerializeToString())
            argv = [NN, 'run', path / 'model.onnx', '--output-dir', path]
            for name, array in zip(names, inputs):
                np.save(path / f'{name}.npy', array)
                argv += ['--input', f'{name}={path / name}.npy']
            done = subprocess.run(argv, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return np.load(path / 'y.npy')

    def test_uniform_is_that_of_numpy(self):
        y = self.draw('RandomUniform', shape=[40, 50], seed=7.0, low=-2.0, high=3.0)
        expected = np.random.RandomState(7).uniform(-2, 3, (40, 50)).astype(np.float32)
        np.testing.assert_array_equal(y, expected)
        y = self.draw('RandomUniformLike', [np.zeros((2, 3), np.float64)], seed=7.0)
        np.testing.assert_array_equal(y, np.random.RandomState(7).uniform(0, 1, (2, 3)))
        y = self.draw('RandomUniformLike', [np.zeros(9, np.int64)], seed=7.0, dtype=10)
        np.testing.assert_array_equal(y, np.random.RandomState(7).uniform(0, 1, 9)
                                      .astype(np.float16))

    def test_normal_is_that_of_numpy(self):
        y = self.draw('RandomNormal', shape=[1001], seed=3.0, mean=5.0, scale=2.0, dtype=11)
        np.testing.assert_allclose(y, np.random.RandomState(3).normal(5, 2, 1001), rtol=1e-12)
        y = self.draw('RandomNormalLike', [np.zeros(9, np.float32)], seed=3.0)
        np.testing.assert_allclose(y, np.random.RandomState(3).normal(0, 1, 9), rtol=1e-6)

    def test_seeds(self):
        def draw(**more):
            return self.draw('RandomUniform', shape=[8], **more)
        np.testing.assert_array_equal(draw(node='a'), draw(node='a'))
        self.assertTrue((draw(node='a') != draw(node='b')).all())
        self.assertTrue((draw(seed=1.0) != draw(seed=2.0)).all())
        np.testing.assert_array_equal(draw(node='a', seed=1.0), draw(node='b', seed=1.0))

    def test_bernoulli(self):
        p = np.repeat(np.float32([0, 0.2, 0.9, 1]), 20000)
        for dtype, kind in ((None, np.float32), (9, bool), (6, np.int32), (10, np.float16)):
            y = self.draw('Bernoulli', [p], seed=1.0, **({'dtype': dtype} if dtype else {}))
            self.assertEqual(y.dtype, kind)
            share = y.reshape(4, -1).mean(1, dtype=np.float64)
            np.testing.assert_allclose(share, [0, 0.2, 0.9, 1], atol=0.01)
            self.assertEqual((share[0], share[3]), (0, 1))

    def test_multinomial(self):
        p = np.array([[0.1, 0.2, 0, 0.7], [0.25, 0.25, 0.5, 0]])
        with np.errstate(divide='ignore'):
            logs = np.log(p * 3)
        for number, kind in ((6, np.int32), (7, np.int64)):
            y = self.draw('Multinomial', [logs], 7, sample_size=20000, seed=1.0, dtype=number)
            self.assertEqual((y.shape, y.dtype), ((2, 20000), kind))
            shares = [np.bincount(row, minlength=4) / 20000 for row in y]
            np.testing.assert_allclose(shares, p, atol=0.02)
            self.assertEqual(shares[0][2] + shares[1][3], 0)

    def test_dropout(self):
        x = f32(50, 40)
        keep = np.random.RandomState(5).uniform(0, 1, x.shape) >= 0.3
        inputs = [x, (np.float32(0.3),), (np.array(True),)]
        self.check('Dropout', inputs, [x * keep / np.float32(0.7), keep], 13, seed=5)
        inputs[2] = np.array(True)
        self.check('Dropout', inputs, [x * keep / np.float32(0.7), keep], 12, seed=5)
        inputs[2] = np.array(False)
        self.check('Dropout', inputs, [x, np.ones_like(keep)], 13, seed=5)
        self.check('Dropout', [x], [x, np.ones_like(x)], 7, ratio=0.9)
        self.refuse('the ratio is 1', 'Dropout', [x, (np.float32(1),), (np.array(True),)])

    def test_dropout_leaves_its_input(self):
        """Another reader of the input sees it as it was."""
        node, value = helper.make_node, helper.make_tensor_value_info
        nodes = [node('Relu', ['x'], ['a']), node('Dropout', ['a', 'ratio', 'yes'], ['b'], seed=5),
                 node('Sub', ['a', 'b'], ['y'])]
        graph = helper.make_graph(
            nodes, 'case', [value('x', 1, [64])], [value('y', 1, None)],
            [onnx.numpy_helper.from_array(np.float32(0.5), 'ratio'),
             onnx.numpy_helper.from_array(np.array(True), 'yes')])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=7)
        x = np.arange(64, dtype=np.float32)
        keep = np.random.RandomState(5).uniform(0, 1, 64) >= 0.5
        with tempfile.TemporaryDirectory() as folder:
            np.save(f'{folder}/x.npy', x)
            np.save(f'{folder}/y.npy', x - x * keep * 2)
            onnx.save(model, f'{folder}/model.onnx')
            done = subprocess.run([NN, 'verify', f'{folder}/model.onnx', '--input',
                                   f'x={folder}/x.npy', '--expect', f'y={folder}/y.npy'],
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_refused(self):
        self.refuse('shape is missing', 'RandomUniform', [])
        self.refuse('too large', 'RandomNormal', [], shape=[2 ** 20, 2 ** 20])
        self.refuse('int64 are not supported', 'RandomNormal', [], shape=[2], dtype=7)
        self.refuse('int64 are not supported', 'RandomNormalLike', [i64(1)])
        self.refuse('sample_size is 0', 'Multinomial', [f32(1, 2)], sample_size=0)
        self.refuse('row 0 holds no', 'Multinomial', [np.full((1, 2), -np.inf, np.float32)])
        self.refuse('expected int32 or int64', 'Multinomial', [f32(1, 2)], dtype=1)


class Training(Case):
    def test_batch_normalization(self):
        x = f32(4, 3, 5, 2)
        scale, bias, mean, variance = f32(3), f32(3), f32(3), np.abs(f32(3))
        axes = (0, 2, 3)
        def along(v): return v[:, None, None]
        seen, spread = x.mean(axes), x.var(axes)
        y = (x - along(seen)) / np.sqrt(along(spread) + 1e-3) * along(scale) + along(bias)
        inputs = [x] + [(v,) for v in (scale, bias, mean, variance)]
        outputs = [y, mean * 0.7 + seen * 0.3, variance * 0.7 + spread * 0.3]
        for threads in (1, 4):
            self.check('BatchNormalization', inputs, outputs, 14, threads, training_mode=1,
                       epsilon=1e-3, momentum=0.7)
        self.check('BatchNormalization', inputs, outputs[:1], 15, training_mode=1, epsilon=1e-3)
        for opset, attributes in ((14, {'training_mode': 0}), (9, {})):
            with tempfile.TemporaryDirectory() as folder:
                done = self.command('verify', 'BatchNormalization', inputs, opset, outputs, 1,
                                    attributes, pathlib.Path(folder))
            self.assertIn('output 1 is not supported', done.stderr)

    def test_behind_a_convolution(self):
        """The convolution must not take the statistics of training for constants."""
        node, value = helper.make_node, helper.make_tensor_value_info
        x, w = f32(2, 3, 6, 6), f32(4, 3, 1, 1)
        constants = {'w': w, 'scale': f32(4), 'bias': f32(4), 'mean': f32(4),
                     'variance': np.abs(f32(4))}
        nodes = [node('Conv', ['x', 'w'], ['a']),
                 node('BatchNormalization', ['a', 'scale', 'bias', 'mean', 'variance'], ['y'],
                      training_mode=1)]
        graph = helper.make_graph(nodes, 'case', [value('x', 1, x.shape)], [value('y', 1, None)],
                                  [onnx.numpy_helper.from_array(a, n)
                                   for n, a in constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 15)], ir_version=7)
        a = np.einsum('nchw,kc->nkhw', x, w[..., 0, 0])
        def along(v): return v[:, None, None]
        seen, spread = a.mean((0, 2, 3)), a.var((0, 2, 3))
        y = (a - along(seen)) / np.sqrt(along(spread) + 1e-5)
        y = y * along(constants['scale']) + along(constants['bias'])
        with tempfile.TemporaryDirectory() as folder:
            np.save(f'{folder}/x.npy', x)
            np.save(f'{folder}/y.npy', y)
            onnx.save(model, f'{folder}/model.onnx')
            done = subprocess.run([NN, 'verify', f'{folder}/model.onnx', '--input',
                                   f'x={folder}/x.npy', '--expect', f'y={folder}/y.npy'],
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == '__main__':
    unittest.main()

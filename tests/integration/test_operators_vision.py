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


def ordered(box):
    return np.concatenate([np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])])


class EfficientNms(Case):
    """TensorRT's operator against its description, written down plainly."""

    def reference(self, boxes, scores, anchors=None, background_class=-1, max_output_boxes=20,
                  score_threshold=0.25, iou_threshold=0.45, score_activation=0, box_coding=0,
                  class_agnostic=0):
        batch, n, classes = scores.shape
        results = [np.zeros((batch, 1), np.int32), np.zeros((batch, max_output_boxes, 4), np.float32),
                   np.zeros((batch, max_output_boxes), np.float32),
                   np.zeros((batch, max_output_boxes), np.int32)]
        if score_activation:
            scores = (1 / (1 + np.exp(-scores.astype(np.float64)))).astype(np.float32)
        for image in range(batch):
            kept = []
            for flat in np.argsort(-scores[image].ravel(), kind='stable')[:4096]:
                place, c = divmod(flat, classes)
                if c == background_class or scores[image, place, c] < score_threshold or \
                        len(kept) == max_output_boxes:
                    continue
                box = boxes[image, place, c] if boxes.ndim == 4 else boxes[image, place]
                anchor = None if anchors is None else anchors[image % len(anchors), place]
                box = self.corners(box, anchor, box_coding)
                if all(self.iou(box, other) < iou_threshold for other, d in kept
                       if class_agnostic or c == d):
                    for result, value in zip(results[1:], (box, scores[image, place, c], c)):
                        result[image, len(kept)] = value
                    kept.append((box, c))
            results[0][image] = len(kept)
        return results

    @staticmethod
    def corners(box, anchor, center_size):
        if center_size:
            if anchor is not None:
                box = np.concatenate([box[:2] * anchor[2:] + anchor[:2],
                                      np.exp(box[2:]) * anchor[2:]])
            return np.concatenate([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])
        return box if anchor is None else ordered(box) + ordered(anchor)

    @staticmethod
    def iou(a, b):
        a, b = ordered(a), ordered(b)
        both = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
        return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)

    def suppress(self, *inputs, domain='TRT', **attributes):
        expected = self.reference(*inputs, **attributes)
        self.assertGreater(expected[0].min(), 0)
        self.check('EfficientNMS_TRT', list(inputs), expected, domain=domain, plugin_version='1',
                   **{'max_output_boxes': 20, **attributes})
        return expected

    def boxes(self, *shape):
        low = random.uniform(0, 60, (*shape, 2))
        return np.concatenate([low, low + random.uniform(5, 30, (*shape, 2))], -1).astype(np.float32)

    def test_plain(self):
        boxes = self.boxes(2, 200)
        scores = random.uniform(0, 1, (2, 200, 3)).astype(np.float32)
        self.suppress(boxes, scores)
        self.suppress(boxes, scores, domain='')
        self.suppress(boxes, scores, background_class=1, score_threshold=0.6, iou_threshold=0.3)
        self.suppress(boxes, scores, class_agnostic=1)
        self.suppress(boxes[..., [2, 3, 0, 1]].copy(), scores)
        few = self.suppress(boxes, scores, score_threshold=0.985, max_output_boxes=50)
        self.assertLess(few[0].max(), 50)

    def test_coding(self):
        corners = self.boxes(2, 100)
        scores = random.uniform(0, 1, (2, 100, 2)).astype(np.float32)
        centers = np.concatenate([(corners[..., :2] + corners[..., 2:]) / 2,
                                  corners[..., 2:] - corners[..., :2]], -1)
        self.suppress(centers, scores, box_coding=1)
        self.suppress(self.boxes(2, 100, 2), scores)
        for anchors in (centers, centers[:1]):
            self.suppress(f32(2, 100, 4) / 4, scores, anchors, box_coding=1)
        self.suppress(np.abs(f32(2, 100, 4)) / 100, scores, corners[:1])

    def test_raw_scores(self):
        boxes, scores = self.boxes(1, 150), 2 * f32(1, 150, 4)
        self.suppress(boxes, scores, score_activation=1, score_threshold=0.4)
        self.suppress(boxes, scores, score_activation=1, score_threshold=0.0, max_output_boxes=600)

    def test_candidates(self):
        """No more than the 4096 best scores are looked at."""
        boxes = self.boxes(1, 1)[:, [0] * 5001] + np.float32([500, 0, 500, 0]) * \
            (np.arange(5001) // 4096)[:, None].astype(np.float32)
        scores = np.linspace(1, 0.5, 5001, dtype=np.float32)[None, :, None]
        self.assertEqual(self.suppress(boxes, scores)[0], 1)

    def test_nothing(self):
        expected = [np.zeros((1, 1), np.int32), np.zeros((1, 5, 4), np.float32),
                    np.zeros((1, 5), np.float32), np.zeros((1, 5), np.int32)]
        inputs = [self.boxes(1, 9), np.full((1, 9, 2), 0.1, np.float32)]
        self.check('EfficientNMS_TRT', inputs, expected, domain='TRT', max_output_boxes=5)
        self.check('EfficientNMS_TRT', inputs, [None, None, expected[2]], domain='TRT',
                   max_output_boxes=5)

    def test_refused(self):
        boxes, scores = self.boxes(1, 9), np.ones((1, 9, 2), np.float32)

        def refuse(words, *inputs, **attributes):
            self.refuse(words, 'EfficientNMS_TRT', list(inputs), domain='TRT', **attributes)

        refuse('max_output_boxes is 0', boxes, scores, max_output_boxes=0)
        refuse('max_output_boxes is 1099511627776', boxes, scores, max_output_boxes=2 ** 40)
        refuse('box_coding is 2', boxes, scores, box_coding=2)
        refuse('boxes and scores are not', boxes, scores[:, 1:])
        refuse('boxes and scores are not', self.boxes(1, 9, 3), scores)
        refuse('anchors do not fit', boxes, scores, self.boxes(1, 8))


class GridSample(Case):
    def sample(self, x, grid, threads=1, opset=16, **options):
        for mode in ('bilinear', 'nearest', 'bicubic'):
            for padding in ('zeros', 'border', 'reflection'):
                for align in (0, 1):
                    if x.ndim == 5 and mode == 'bicubic':
                        continue
                    y = functional.grid_sample(torch.from_numpy(x).double(),
                                               torch.from_numpy(grid).double(), mode, padding,
                                               bool(align)).numpy().astype(np.float32)
                    name = mode.removeprefix('bi') if opset >= 20 else mode
                    self.check('GridSample', [x, grid], y, opset, threads, mode=name,
                               padding_mode=padding, align_corners=align)

    def test_two_dimensions(self):
        self.sample(f32(2, 3, 5, 7), random.uniform(-1.6, 1.6, (2, 9, 8, 2)).astype(np.float32))
        self.sample(f32(1, 2, 1, 4), random.uniform(-5, 5, (1, 9, 8, 2)).astype(np.float32), 1, 20)

    def test_three_dimensions(self):
        grid = random.uniform(-1.5, 1.5, (2, 4, 3, 5, 3)).astype(np.float32)
        self.sample(f32(2, 3, 5, 6, 7), grid, 1, 20)

    def test_three_dimensions_cubic(self):
        """Along the first axis alone it is what two dimensions give."""
        x = f32(1, 2, 6, 5)
        grid = random.uniform(-1.4, 1.4, (1, 3, 4, 2)).astype(np.float32)
        for padding in ('border', 'reflection'):
            y = functional.grid_sample(torch.from_numpy(x), torch.from_numpy(grid), 'bicubic',
                                       padding, False).numpy()
            self.check('GridSample', [x[..., None].repeat(3, -1),
                                      np.concatenate([0 * grid[..., :1] + 0.1, grid[..., :1],
                                                      grid[..., 1:]], -1)[:, None]], y[:, :, None],
                       20, mode='cubic', padding_mode=padding)

    def test_large(self):
        for threads in (1, 4):
            y = random.uniform(-1.1, 1.1, (1, 70, 61, 2)).astype(np.float32)
            self.sample(f32(1, 33, 40, 50), y, threads)

    def test_wild_coordinates(self):
        """Neither NaN nor infinity reads outside."""
        x = np.abs(f32(1, 1, 3, 4)) + 1
        grid = np.float32([[np.nan, 0], [np.inf, 0], [0, -np.inf], [3e38, 0]]).reshape(1, 1, 4, 2)
        for mode in ('linear', 'nearest', 'cubic'):
            self.check('GridSample', [x, grid], np.zeros((1, 1, 1, 4), np.float32), 20, mode=mode)
        self.check('GridSample', [x, grid], x[0, 0, [1, 1, 0, 1], [0, 3, 2, 3]].reshape(1, 1, 1, 4),
                   20, mode='nearest', padding_mode='border', align_corners=1)

    def test_refused(self):
        x, grid = f32(1, 2, 3, 4), f32(1, 5, 5, 2)
        self.refuse("mode is 'area'", 'GridSample', [x, grid], 16, mode='area')
        self.refuse("padding_mode is 'wrap'", 'GridSample', [x, grid], 16, padding_mode='wrap')
        self.refuse('does not fit', 'GridSample', [x, f32(1, 5, 5, 3)], 16)
        self.refuse('does not fit', 'GridSample', [x, f32(2, 5, 5, 2)], 16)
        self.refuse('expected 4 to 5', 'GridSample', [f32(1, 2, 3), grid], 16)


class RoiAlign(Case):
    @staticmethod
    def point(plane, y, x):
        """The four weighted neighbours of a point."""
        (height, width), n = plane.shape, []
        if not (-1 <= y <= height and -1 <= x <= width):
            return np.zeros(4)
        y, x = max(y, 0), max(x, 0)
        y0, x0 = min(int(y), height - 1), min(int(x), width - 1)
        y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
        dy, dx = (y - y0) * (y1 > y0), (x - x0) * (x1 > x0)
        return np.array([(1 - dy) * (1 - dx) * plane[y0, x0], (1 - dy) * dx * plane[y0, x1],
                         dy * (1 - dx) * plane[y1, x0], dy * dx * plane[y1, x1]])

    def reference(self, x, rois, images, height, width, ratio, scale, half, mode):
        out = np.zeros((len(rois), x.shape[1], height, width))
        for r, c, i, j in np.ndindex(*out.shape):
            x0, y0, x1, y1 = rois[r].astype(np.float64) * scale - (0.5 if half else 0)
            h, w = [s if half else max(s, 1) for s in (y1 - y0, x1 - x0)]
            h, w = h / height, w / width
            ny, nx = [ratio or int(np.ceil(s)) for s in (h, w)]
            points = [self.point(x[images[r], c], y0 + (i + (k + 0.5) / ny) * h,
                                 x0 + (j + (m + 0.5) / nx) * w)
                      for k in range(ny) for m in range(nx)]
            if points:
                out[r, c, i, j] = np.max(points) if mode == 'max' else np.sum(points) / len(points)
        return out.astype(x.dtype)

    def align(self, x, rois, images, half=1, ratio=0, scale=0.5, mode='avg', height=3, width=2,
              threads=1):
        expected = self.reference(x, rois, images, height, width, ratio, scale, half, mode)
        options = dict(output_height=height, output_width=width, sampling_ratio=ratio,
                       spatial_scale=float(scale), mode=mode)
        if half:
            self.check('RoiAlign', [x, rois, images], expected, 16, threads, **options)
        else:
            self.check('RoiAlign', [x, rois, images], expected, 10, threads, **options)
            self.check('RoiAlign', [x, rois, images], expected, 16, threads,
                       coordinate_transformation_mode='output_half_pixel', **options)

    def test_modes(self):
        x = f32(2, 3, 9, 11)
        rois = np.float32([[0, 0, 10, 12], [3, 2, 17, 9], [-6, -4, 5, 39.3], [4, 4, 4.5, 4.5],
                           [12, 9, 3, 2], [60, 60, 70, 70]])
        images = i64(0, 1, 1, 0, 0, 1)
        for half in (0, 1):
            for mode in ('avg', 'max'):
                for ratio in (0, 1, 3):
                    self.align(x, rois, images, half, ratio, mode=mode)
        self.align(x.astype(np.float64), rois.astype(np.float64), images)

    def test_far_larger_than_the_input(self):
        """Points outside are counted, not visited."""
        x = np.abs(f32(1, 2, 4, 5))
        self.align(x, np.float32([[-140, -140, 141, 140]]), i64(0), 1, 0, 1, 'max', 1, 1)
        self.align(x, np.float32([[-140, -140, 141, 140]]), i64(0), 0, 0, 1, 'avg', 1, 1)
        y = np.zeros((1, 2, 1, 1), np.float32)
        self.check('RoiAlign', [x, np.float32([[1e6, 1e6, 9e8, 9e8]]), i64(0)], y, 16)

    def test_large(self):
        x, rois = f32(1, 40, 30, 40), random.uniform(0, 60, (30, 4)).astype(np.float32)
        for threads in (1, 4):
            self.align(x, np.sort(rois)[:, [0, 1, 2, 3]], np.zeros(30, np.int64), 1, 2, 0.5, 'avg',
                       2, 2, threads)

    def test_refused(self):
        x, rois = f32(1, 2, 5, 5), np.float32([[0, 0, 3, 3]])
        self.refuse("mode is 'sum'", 'RoiAlign', [x, rois, i64(0)], 16, mode='sum')
        self.refuse("mode is 'pixel'", 'RoiAlign', [x, rois, i64(0)], 16,
                    coordinate_transformation_mode='pixel')
        self.refuse('sampling_ratio is -1', 'RoiAlign', [x, rois, i64(0)], 16, sampling_ratio=-1)
        self.refuse('output_width is 0', 'RoiAlign', [x, rois, i64(0)], 16, output_width=0)
        self.refuse('too large', 'RoiAlign', [x, rois, i64(0)], 16, output_width=2 ** 24,
                    output_height=2 ** 24)
        self.refuse('expected 1 elements', 'RoiAlign', [x, rois, i64(0, 0)], 16)
        self.refuse('have 3 numbers', 'RoiAlign', [x, rois[:, :3], i64(0)], 16)
        self.refuse('of image 1 of 1', 'RoiAlign', [x, rois, i64(1)], 16)
        self.refuse('of image -1 of 1', 'RoiAlign', [x, rois, i64(-1)], 16)
        for bad in (np.nan, np.inf, 1e12):
            self.refuse('region 0 has no place', 'RoiAlign', [x, rois + np.float32(bad), i64(0)], 16)


if __name__ == '__main__':
    unittest.main()

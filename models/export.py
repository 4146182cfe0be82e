# SPDX-License-Identifier: Apache-2.0
"""Exports a checkpoint to ONNX with the metadata of docs/model-contract.md.

    /usr/bin/python3 -m models.export CHECKPOINT OUT.onnx [--head raw|flat|decoded|nms]
        [--opset 11..17] [--size HxW] [--dynamic] [--unfolded] [--half]

Heads of a YOLO network: `raw` gives one map a level [1, anchors, H/s, W/s, 5 + classes],
`flat` the same as [1, anchors * (5 + classes), H/s, W/s], `decoded` one tensor
[1, N, 5 + classes] in input pixels, `nms` one tensor [N, 7].
"""
import argparse
import inspect
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch
from torch import nn
from torch.onnx import TrainingMode

from models import halve, networks

HEADS = ('raw', 'flat', 'decoded', 'nms')


class Decoded(nn.Module):
    """Sigmoid, grid and anchors in the graph, as YOLOv5 and YOLOv7 exporters emit them."""

    def __init__(self, net, dynamic=False):
        super().__init__()
        self.net, self.dynamic = net, dynamic

    def grid(self, ny, nx):
        """Column and row of every cell, [1, 1, ny, nx, 2]."""
        rows, columns = torch.meshgrid(torch.arange(ny), torch.arange(nx), indexing='ij')
        return torch.stack([columns, rows], 2).view(1, 1, ny, nx, 2).float()

    def dynamic_grid(self, raw):
        ny, nx = raw.shape[2], raw.shape[3]
        rows = torch.arange(ny).view(1, 1, -1, 1, 1).expand(1, 1, ny, nx, 1)
        columns = torch.arange(nx).view(1, 1, 1, -1, 1).expand(1, 1, ny, nx, 1)
        return torch.cat([columns, rows], 4).float()

    def decode(self, raw, stride, anchors):
        grid = (self.dynamic_grid(raw) if self.dynamic
                else self.grid(int(raw.shape[2]), int(raw.shape[3])))
        anchors = anchors.view(1, -1, 1, 1, 2)
        y = raw.sigmoid()
        xy, wh, rest = y.split((2, 2, self.net.head.no - 4), 4)
        if self.net.style == 'yolov5':
            xy = (xy * 2 + (grid - 0.5)) * stride
            wh = (wh * 2) ** 2 * anchors
        else:
            xy = xy * (2.0 * stride) + stride * (grid - 0.5)
            wh = wh ** 2 * (4 * anchors)
        y = torch.cat([xy, wh, rest], 4)
        return y.view(raw.shape[0], -1, self.net.head.no)

    def forward(self, x):
        levels = zip(self.net(x), self.net.strides, self.net.anchors)
        return torch.cat([self.decode(raw, s, a.clone()) for raw, s, a in levels], 1)


def suppress(boxes, scores, limit, iou_threshold, score_threshold):
    """Greedy NMS after the specification of ONNX: rows of (batch, class, box)."""
    chosen = []
    for b in range(scores.shape[0]):
        x0, y0, x1, y1 = boxes[b].unbind(1)
        area = (x1 - x0) * (y1 - y0)
        for c in range(scores.shape[1]):
            order = torch.argsort(scores[b, c], descending=True, stable=True)
            order = order[scores[b, c][order] > score_threshold].tolist()
            kept = []
            for i in order:
                if len(kept) >= limit:
                    break
                k = torch.tensor(kept, dtype=torch.long)
                w = (torch.minimum(x1[i], x1[k]) - torch.maximum(x0[i], x0[k])).clamp(min=0)
                h = (torch.minimum(y1[i], y1[k]) - torch.maximum(y0[i], y0[k])).clamp(min=0)
                inter = w * h
                if not bool((inter / (area[i] + area[k] - inter) > iou_threshold).any()):
                    kept.append(i)
            chosen += [(b, c, i) for i in kept]
    return torch.tensor(chosen, dtype=torch.long).view(-1, 3)


class NonMaxSuppression(torch.autograd.Function):
    """ONNX's operator: computed here, one node in the graph."""

    @staticmethod
    def forward(ctx, boxes, scores, limit, iou_threshold, score_threshold):
        return suppress(boxes, scores, int(limit), float(iou_threshold), float(score_threshold))

    @staticmethod
    def symbolic(g, boxes, scores, limit, iou_threshold, score_threshold):
        return g.op('NonMaxSuppression', boxes, scores, limit, iou_threshold, score_threshold)


class WithNms(nn.Module):
    """[N, 7]: batch, x0, y0, x1, y1, class, score. One class a box, NMS within classes."""

    def __init__(self, net, dynamic=False, limit=100, iou_threshold=0.45, score_threshold=0.25,
                 span=4096.0):
        super().__init__()
        self.decoded = Decoded(net, dynamic)
        self.span = span
        self.limit, self.iou_threshold, self.score_threshold = limit, iou_threshold, score_threshold
        self.register_buffer('corners', torch.tensor(
            [[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]]))

    def candidates(self, x):
        """Corner boxes [1, N, 4], best score [1, N, 1] and class [1, N, 1]."""
        y = self.decoded(x)
        boxes = y[:, :, :4] @ self.corners
        scores = y[:, :, 5:] * y[:, :, 4:5]
        best, kind = scores.max(2, keepdim=True)
        return boxes, best, kind

    def forward(self, x):
        boxes, best, kind = self.candidates(x)
        apart = boxes + kind.float() * self.span
        rows = NonMaxSuppression.apply(
            apart, best.transpose(1, 2).contiguous(), torch.tensor([self.limit]),
            torch.tensor([self.iou_threshold]), torch.tensor([self.score_threshold]))
        batch, index = rows[:, 0], rows[:, 2]
        columns = [batch.unsqueeze(1).float(), boxes[batch, index, :],
                   kind[batch, index, :].float(), best[batch, index, :]]
        return torch.cat(columns, 1)


def with_head(net, head, dynamic=False, **nms):
    """The module to export, and the names of its outputs."""
    if isinstance(net, networks.ResNet):
        return net, ['logits']
    net.head.flat = head == 'flat'
    if head in ('raw', 'flat'):
        return net, [f'level{i}' for i in range(len(net.strides))]
    if head == 'decoded':
        return Decoded(net, dynamic), ['output']
    return WithNms(net, dynamic, **nms), ['detections']


def dynamic_axes(net, outputs, head):
    axes = {'images': {0: 'batch', 2: 'height', 3: 'width'}}
    for index, name in enumerate(outputs):
        if isinstance(net, networks.ResNet):
            axes[name] = {0: 'batch'}
        elif head == 'raw':
            axes[name] = {0: 'batch', 2: f'rows{index}', 3: f'columns{index}'}
        elif head == 'flat':
            axes[name] = {0: 'batch', 2: f'rows{index}', 3: f'columns{index}'}
        elif head == 'decoded':
            axes[name] = {0: 'batch', 1: 'boxes'}
    if head == 'nms':
        axes[outputs[0]] = {0: 'detections'}
    return axes


def contract(net, metadata, head):
    """Metadata strings: the checkpoint's, with anchors and strides for raw heads."""
    strings = {key: str(value) for key, value in metadata.items() if key.startswith('plated.')}
    if isinstance(net, networks.Yolo) and head in ('raw', 'flat'):
        strings['plated.anchors'] = ';'.join(
            ','.join(f'{v:g}' for v in level.flatten().tolist()) for level in net.anchors)
        strings['plated.strides'] = ','.join(str(s) for s in net.strides)
    return strings


def write(net, path, size, head='raw', opset=17, dynamic=False, unfolded=False, metadata=None,
          **nms):
    """Exports `net` for inputs [1, C, *size]; returns the module and its output names."""
    net.eval()
    module, outputs = with_head(net, head, dynamic, **nms)
    module.eval()
    channels = next(m for m in net.modules() if isinstance(m, nn.Conv2d)).in_channels
    axes = None
    if dynamic:
        axes = dynamic_axes(net, outputs, head)
    elif head == 'nms' and isinstance(net, networks.Yolo):
        axes = {outputs[0]: {0: 'detections'}}
    # PyTorch from 2.9 on would trace in another way, which names and cuts the graph anew.
    known = inspect.signature(torch.onnx.export).parameters
    exporter = {'dynamo': False} if 'dynamo' in known else {}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            module, torch.zeros(1, channels, *size), str(path), opset_version=opset,
            input_names=['images'], output_names=outputs, dynamic_axes=axes,
            training=TrainingMode.PRESERVE if unfolded else TrainingMode.EVAL,
            do_constant_folding=not unfolded, **exporter)
    model = onnx.load(str(path))
    for key, value in contract(net, metadata or {}, head).items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name = 'plated'
    onnx.checker.check_model(model)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    onnx.save(model, str(path))
    return module, outputs


def run(module, x):
    """Outputs of the module as a list of arrays."""
    with torch.no_grad():
        y = module(x)
    return [v.numpy() for v in (y if isinstance(y, (list, tuple)) else [y])]


def engine():
    """The engine's tool, if it was built: $PLATED_NN, the build folder or PATH."""
    built = pathlib.Path(__file__).resolve().parent.parent / 'build' / 'engine' / 'plated-nn'
    for candidate in (os.environ.get('PLATED_NN'), str(built), shutil.which('plated-nn')):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    return None


def verify(path, module, outputs, size, rtol=1e-4):
    """Compares the engine's outputs with PyTorch's on a seeded picture: True, False or None."""
    tool = engine()
    if tool is None:
        return None
    channels = next(m for m in module.modules() if isinstance(m, nn.Conv2d)).in_channels
    x = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(7))
    with tempfile.TemporaryDirectory() as folder:
        np.save(f'{folder}/images.npy', x.numpy())
        command = [tool, 'verify', str(path), '--rtol', str(rtol),
                   '--input', f'images={folder}/images.npy']
        for name, value in zip(outputs, run(module, x)):
            np.save(f'{folder}/{name}.npy', value)
            command += ['--expect', f'{name}={folder}/{name}.npy']
        return subprocess.run(command, check=False).returncode == 0


def parse_size(text):
    height, width = (int(v) for v in text.lower().split('x'))
    return height, width


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='models.export', description=__doc__.split('\n')[0])
    parser.add_argument('checkpoint')
    parser.add_argument('output')
    parser.add_argument('--head', choices=HEADS, default='raw')
    parser.add_argument('--opset', type=int, choices=range(11, 18), default=17)
    parser.add_argument('--size', type=parse_size, help='HxW; default: that of the training')
    parser.add_argument('--dynamic', action='store_true', help='batch, height and width are free')
    parser.add_argument('--half', action='store_true', help='store the weights as float16')
    parser.add_argument('--unfolded', action='store_true', help='keep BatchNormalization nodes')
    args = parser.parse_args(arguments)
    net, metadata, rest = networks.load(args.checkpoint)
    size = args.size or rest.get('size')
    if not size:
        parser.error('the checkpoint names no input size: give --size HxW')
    net.merge()
    module, outputs = write(net, args.output, tuple(size), args.head, args.opset, args.dynamic,
                            args.unfolded, metadata)
    same = verify(args.output, module, outputs, tuple(size))
    if args.half:
        halve.main([args.output])
    said = {True: 'equal to PyTorch', False: 'DIFFERS from PyTorch', None: 'engine not built'}
    print(f'{args.output}: {os.path.getsize(args.output):,} bytes, opset {args.opset}, '
          f'outputs {", ".join(outputs)}; {said[same]}')
    return 1 if same is False else 0


if __name__ == '__main__':
    sys.exit(main())

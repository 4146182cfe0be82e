# SPDX-License-Identifier: Apache-2.0
"""Writes ONNX files with the answers of PyTorch, for the engine's tests.

    /usr/bin/python3 -m models.fixtures DIR [--networks a,b] [--opsets 11,13,17] [--full]

Each case is a folder: model.onnx, input_<name>.npy, output_<name>.npy. DIR/cases.txt
has one line a case: folder, relative and absolute tolerance. Weights are seeded; the
statistics of BatchNorm are those of the layer's own inputs, disturbed, so that
folding is tested and no signal dies or explodes on its way. The answers are computed
in double precision; since a deep random network magnifies rounding, the absolute
tolerance of a case is a few times what PyTorch itself loses there in float32.

Most cases are narrow networks on small pictures. Of yolov7-tiny, yolov5n and
resnet18 one case each has full width and its real input; --full adds the others.
"""
import argparse
import copy
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

from models import export, networks

RTOL = 1e-4             # of each value; ATOL_SHARE of the largest is the most that ATOL may be
ATOL, ATOL_SHARE, ROUNDINGS = 1e-5, 1e-4, 4
OPSETS = tuple(range(11, 18))
YOLO = ('yolov7-tiny', 'yolov7', 'yolov5n', 'yolov5m')
RESNET = ('resnet18', 'resnet34', 'resnet50')
NARROW = {'yolov7-tiny': 0.25, 'yolov7': 0.125, 'yolov5n': 0.5, 'yolov5m': 0.125,
          'resnet18': 0.125, 'resnet34': 0.125, 'resnet50': 0.125}
FULL = ('yolov7-tiny', 'yolov5n', 'resnet18')
HALF = ('yolov7', 'yolov5m', 'resnet34', 'resnet50')


def picture(channels, height, width, seed):
    """Shapes of several sizes with noise, 0 to 1."""
    g = torch.Generator().manual_seed(seed)
    x = 0.4 * torch.rand(1, channels, height, width, generator=g)
    for cells in (3, 7, 17):
        coarse = torch.rand(1, channels, cells, cells, generator=g)
        x += nn.functional.interpolate(coarse, (height, width), mode='nearest') / 4
    return x.clamp(0, 1)


@torch.no_grad()
def enliven(net, size, seed):
    """Random weights and BatchNorm statistics under which signals keep their scale."""
    g = torch.Generator().manual_seed(seed)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.weight.uniform_(0.6, 1.4, generator=g)
        m.bias.normal_(1.0, 0.7, generator=g)
        m.momentum = None
    channels = next(m for m in net.modules() if isinstance(m, nn.Conv2d)).in_channels
    net.train()
    for k in range(2):
        net(torch.cat([picture(channels, *size, seed + 10 * k + i) for i in range(4)]))
    for m in norms:
        m.running_mean += 0.3 * m.running_var.sqrt() * torch.randn(m.num_features, generator=g)
        m.running_var *= torch.empty(m.num_features).uniform_(0.5, 1.5, generator=g)
        m.momentum = 0.03
    net.eval()
    if isinstance(net, networks.Yolo):
        spread(net, picture(channels, *size, seed))
    return net


@torch.no_grad()
def spread(net, x):
    """Scales the head so that its logits lie about -1 with a deviation of 1.5."""
    net.head.flat = True
    for conv, y in zip(net.head.out, net(x)):
        gain = 1.5 / y.std()
        conv.weight *= gain
        conv.bias *= gain
    for conv, y in zip(net.head.out, net(x)):
        conv.bias -= y.mean((0, 2, 3)) + 1.0
    net.head.flat = False


@torch.no_grad()
def prune(net, seed):
    """Zeroes a third of the BatchNorm weights and 40 % of each convolution's weights."""
    g = torch.Generator().manual_seed(seed)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.weight[torch.rand(m.num_features, generator=g) < 1 / 3] = 0
        elif isinstance(m, nn.Conv2d):
            flat = m.weight.view(-1)
            flat[torch.randperm(flat.numel(), generator=g)[:round(0.4 * flat.numel())]] = 0


def overlaps(boxes):
    """IoU of every pair."""
    x0, y0, x1, y1 = boxes.unbind(1)
    area = (x1 - x0) * (y1 - y0)
    w = (torch.minimum(x1[:, None], x1) - torch.maximum(x0[:, None], x0)).clamp(min=0)
    h = (torch.minimum(y1[:, None], y1) - torch.maximum(y0[:, None], y0)).clamp(min=0)
    return w * h / (area[:, None] + area - w * h)


@torch.no_grad()
def thresholds(net, x):
    """Score and IoU thresholds that rounding cannot cross, for NMS over about 60 boxes."""
    boxes, best, kind = export.WithNms(net).candidates(x)
    scores, order = best[0, :, 0].sort(descending=True)
    gaps = scores[40:81] - scores[41:82]
    cut = 40 + int(gaps.argmax())
    score = float(scores[cut] + scores[cut + 1]) / 2
    same = kind[0, order[:cut + 1], 0]
    pairs = overlaps(boxes[0, order[:cut + 1]])[same[:, None] == same]
    iou = max(np.arange(0.30, 0.60, 0.005), key=lambda v: float((pairs - v).abs().min()))
    if (scores[:cut] - scores[1:cut + 1]).min() < 2e-6 or gaps.max() < 1e-4 \
            or (pairs - iou).abs().min() < 2e-4:
        return None
    return {'iou_threshold': float(iou), 'score_threshold': score}


class Writer:
    """Writes cases below a folder and their lines into cases.txt."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines, self.made, self.seed = [], {}, 0

    def network(self, spec, size, merged, pruned=False):
        """An enlivened network; the last one of each form is used again."""
        key = (tuple(sorted(spec.items())), size, merged, pruned)
        if key not in self.made:
            torch.manual_seed(1 + len(self.made))
            net = enliven(networks.build(spec), size, 1 + len(self.made))
            if pruned:
                prune(net, 5)
            self.made[key] = net.merge() if merged else net
        return self.made[key]

    def case(self, name, spec, size, head='raw', opset=13, dynamic=False, unfolded=False,
             merged=True, pruned=False, actual=None):
        """Exports for `size`; a dynamic model is answered at the size `actual`."""
        net = self.network(spec, size, merged, pruned)
        channels = spec.get('ch', 3)
        for seed in range(100, 140):
            x = picture(channels, *(actual or size), seed)
            nms = thresholds(net, x) if head == 'nms' else {}
            if nms is not None:
                break
        else:
            raise RuntimeError(f'{name}: no picture with clear thresholds')
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for stale in folder.iterdir():
            stale.unlink()
        module, outputs = export.write(net, folder / 'model.onnx', size, head, opset, dynamic,
                                       unfolded, self.metadata(net, spec), **nms)
        np.save(folder / 'input_images.npy', x.numpy())
        atol = ATOL
        single = export.run(module, x)
        double = export.run(copy.deepcopy(module).double(), x.double())
        for output, value, rough in zip(outputs, double, single):
            if not value.size or not np.isfinite(value).all() or np.abs(value).max() > 1e5:
                raise RuntimeError(f'{name}: output {output} is empty or has lost its scale')
            loss = np.abs(value - rough).max()
            if loss > ATOL_SHARE * np.abs(value).max():
                raise RuntimeError(f'{name}: float32 loses {loss:g} of output {output}')
            np.save(folder / f'output_{output}.npy', value.astype(np.float32))
            atol = max(atol, min(ROUNDINGS * loss, ATOL_SHARE * np.abs(value).max()))
        self.lines.append(f'{name} {RTOL:g} {atol:.2g}\n')
        (self.folder / 'cases.txt').write_text(''.join(self.lines))

    @staticmethod
    def metadata(net, spec):
        task = 'region' if isinstance(net, networks.ResNet) else 'detect'
        names = ','.join(f'class{i}' for i in range(spec['nc']))
        return {'plated.task': task, 'plated.version': 'fixture', 'plated.classes': names,
                'plated.mean': '0', 'plated.std': '1', 'plated.letterbox': 'zeros'}


def short(name):
    return name.replace('-', '_')


def yolo_cases(w, name, opsets):
    """Every opset once with heads in turn, every head folded and not, and free sizes."""
    spec = {'name': name, 'nc': 2, 'ch': 1, 'width': NARROW[name], 'divisor': 4}
    size = (96, 96)
    heads = export.HEADS
    for index, opset in enumerate(opsets):
        head = heads[(index + YOLO.index(name)) % len(heads)]
        w.case(f'{short(name)}_{head}_op{opset}', spec, size, head, opset)
    last = opsets[-1]
    w.case(f'{short(name)}_raw_unfolded', spec, size, 'raw', opsets[0], unfolded=True,
           merged=False)
    w.case(f'{short(name)}_nms_unfolded', spec, size, 'nms', last, unfolded=True, merged=False)
    w.case(f'{short(name)}_decoded_dynamic', spec, size, 'decoded', last, dynamic=True,
           actual=(64, 128))
    w.case(f'{short(name)}_nms_colour', {**spec, 'ch': 3, 'nc': 5}, (64, 160), 'nms', 12 if 12 in
           opsets else last)


def resnet_cases(w, name, opsets):
    spec = {'name': name, 'nc': 57, 'ch': 1, 'width': NARROW[name], 'divisor': 4}
    for opset in opsets:
        w.case(f'{name}_op{opset}', spec, (64, 64), 'raw', opset)
    w.case(f'{name}_unfolded', spec, (64, 64), 'raw', opsets[-1], unfolded=True)
    w.case(f'{name}_dynamic', spec, (64, 64), 'raw', opsets[0], dynamic=True, actual=(96, 64))


def large_case(w, name, width, opset):
    region = name in RESNET
    spec = {'name': name, 'nc': 57 if region else 1, 'ch': 1, 'width': width}
    side = 224 if region else 384 if width == 1 else 192
    tag = 'full' if width == 1 else 'half'
    w.case(f'{short(name)}_{tag}', spec, (side, side), 'raw' if region else 'decoded', opset)


def write_all(folder, names, opsets, full):
    w = Writer(folder)
    for name in names:
        started = time.monotonic()
        if name in YOLO:
            yolo_cases(w, name, opsets)
        else:
            resnet_cases(w, name, opsets)
        if full or name in FULL:
            large_case(w, name, 1.0, opsets[-1])
        if not full and name in HALF:
            large_case(w, name, 0.5, opsets[-1])
        w.made.clear()
        print(f'{name}: {time.monotonic() - started:.1f} s', flush=True)
    if 'yolov7-tiny' in names:
        spec = {'name': 'yolov7-tiny', 'nc': 1, 'ch': 1, 'width': 0.5}
        w.case('yolov7_tiny_pruned', spec, (96, 96), 'raw', opsets[-1], unfolded=True,
               merged=False, pruned=True)
    return w.lines


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='models.fixtures', description=__doc__.split('\n')[0])
    parser.add_argument('folder')
    parser.add_argument('--networks', default=','.join(YOLO + RESNET))
    parser.add_argument('--opsets', default=','.join(str(o) for o in OPSETS))
    parser.add_argument('--full', action='store_true', help='full width for every network')
    args = parser.parse_args(arguments)
    names = args.networks.split(',')
    unknown = [n for n in names if n not in YOLO + RESNET]
    opsets = sorted(int(o) for o in args.opsets.split(','))
    if unknown or not set(opsets) <= set(OPSETS):
        parser.error(f'networks: {", ".join(YOLO + RESNET)}; opsets: 11 to 17')
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    lines = write_all(args.folder, names, opsets, args.full)
    print(f'{len(lines)} cases in {args.folder}')
    return 0


if __name__ == '__main__':
    sys.exit(main())

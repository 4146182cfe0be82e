# SPDX-License-Identifier: Apache-2.0
"""The networks of the project, in PyTorch.

YOLOv7-tiny and YOLOv7 (Wang, Bochkovskiy, Liao: "YOLOv7", 2022), YOLOv5n and
YOLOv5m (architecture as published with release 6), ResNet18, 34 and 50 (He et
al.: "Deep Residual Learning", 2015). The layer tables are published facts; the
definitions here are the project's own.

A YOLO network's forward returns its raw maps, one a level, [B, anchors, ny, nx,
5 + nc], as logits (with `head.flat`, [B, anchors * (5 + nc), ny, nx]). Decoding
and NMS belong to models/export.py.

    net = build({'name': 'yolov7-tiny', 'nc': 1, 'ch': 1, 'width': 0.5})
    save('a.pt', net, metadata={'plated.task': 'detect', ...})
    net, metadata, rest = load('a.pt')

`/usr/bin/python3 -m models.networks` prints parameters and FLOPs of each.
"""
import math
import sys

import torch
from torch import nn

STRIDES = (8, 16, 32)
# w,h in pixels, one row a level, clustered by their authors on COCO at 640.
ANCHORS_COCO_V5 = ((10, 13, 16, 30, 33, 23), (30, 61, 62, 45, 59, 119),
                   (116, 90, 156, 198, 373, 326))
ANCHORS_COCO_V7 = ((12, 16, 19, 36, 40, 28), (36, 75, 76, 55, 72, 146),
                   (142, 110, 192, 243, 459, 401))


def scaled(channels, width, divisor=8):
    """Channels of a layer under a width multiplier, rounded up to a multiple."""
    return max(divisor, int(math.ceil(channels * width / divisor - 1e-9)) * divisor)


class ConvBn(nn.Module):
    """Convolution without bias, batch normalisation, activation."""

    def __init__(self, c_in, c_out, k=1, s=1, act='silu', p=None):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, k, s, k // 2 if p is None else p, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.03)
        self.act = activation(act)

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


def activation(name):
    if name == 'silu':
        return nn.SiLU(inplace=True)
    if name == 'leaky':
        return nn.LeakyReLU(0.1, inplace=True)
    if name == 'relu':
        return nn.ReLU(inplace=True)
    return nn.Identity()


class Elan(nn.Module):
    """Efficient layer aggregation: a chain of 3x3 convolutions beside a 1x1 branch.

    `taps` names the members of [bypass, entry, chain...] that are concatenated,
    last first, before the closing 1x1.
    """

    def __init__(self, c_in, c_side, c_chain, c_out, length, taps, act):
        super().__init__()
        self.bypass = ConvBn(c_in, c_side, act=act)
        self.entry = ConvBn(c_in, c_side, act=act)
        widths = [c_side] + [c_chain] * length
        self.chain = nn.ModuleList(
            ConvBn(a, b, 3, act=act) for a, b in zip(widths[:-1], widths[1:]))
        self.taps = tuple(taps)
        members = [c_side] + widths
        self.close = ConvBn(sum(members[t] for t in self.taps), c_out, act=act)

    def forward(self, x):
        members = [self.bypass(x), self.entry(x)]
        for layer in self.chain:
            members.append(layer(members[-1]))
        return self.close(torch.cat([members[t] for t in self.taps], 1))


def elan_tiny(c_in, c, c_out, act):
    return Elan(c_in, c, c, c_out, 2, (3, 2, 1, 0), act)


def elan_backbone(c_in, c, c_out, act):
    return Elan(c_in, c, c, c_out, 4, (5, 3, 1, 0), act)


def elan_neck(c_in, c_side, c_chain, c_out, act):
    return Elan(c_in, c_side, c_chain, c_out, 4, (5, 4, 3, 2, 1, 0), act)


class Downsample(nn.Module):
    """YOLOv7's transition: max pooling beside a strided convolution."""

    def __init__(self, c_in, c_branch, act):
        super().__init__()
        self.pool = nn.MaxPool2d(2, 2)
        self.pooled = ConvBn(c_in, c_branch, act=act)
        self.entry = ConvBn(c_in, c_branch, act=act)
        self.strided = ConvBn(c_branch, c_branch, 3, 2, act)

    def forward(self, x, *others):
        pooled = self.pooled(self.pool(x))
        return torch.cat([self.strided(self.entry(x)), pooled, *others], 1)


def pools():
    return nn.ModuleList(nn.MaxPool2d(k, 1, k // 2) for k in (5, 9, 13))


class SppTiny(nn.Module):
    """Spatial pyramid pooling with a cross-stage bypass, YOLOv7-tiny's form."""

    def __init__(self, c_in, c, act):
        super().__init__()
        self.bypass = ConvBn(c_in, c, act=act)
        self.entry = ConvBn(c_in, c, act=act)
        self.pools = pools()
        self.mix = ConvBn(4 * c, c, act=act)
        self.close = ConvBn(2 * c, c, act=act)

    def forward(self, x):
        a, b = self.bypass(x), self.entry(x)
        mixed = self.mix(torch.cat([p(b) for p in reversed(self.pools)] + [b], 1))
        return self.close(torch.cat([mixed, a], 1))


class SppCsp(nn.Module):
    """YOLOv7's spatial pyramid pooling: convolutions before and after the pools."""

    def __init__(self, c_in, c, act):
        super().__init__()
        self.entry = nn.Sequential(ConvBn(c_in, c, act=act), ConvBn(c, c, 3, act=act),
                                   ConvBn(c, c, act=act))
        self.pools = pools()
        self.mix = nn.Sequential(ConvBn(4 * c, c, act=act), ConvBn(c, c, 3, act=act))
        self.bypass = ConvBn(c_in, c, act=act)
        self.close = ConvBn(2 * c, c, act=act)

    def forward(self, x):
        a = self.entry(x)
        mixed = self.mix(torch.cat([a] + [p(a) for p in self.pools], 1))
        return self.close(torch.cat([mixed, self.bypass(x)], 1))


class RepConv(nn.Module):
    """Re-parameterised 3x3: two (three) linear branches that `merge` makes one."""

    def __init__(self, c_in, c_out, act):
        super().__init__()
        self.dense = nn.Sequential(nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False),
                                   nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.03))
        self.point = nn.Sequential(nn.Conv2d(c_in, c_out, 1, bias=False),
                                   nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.03))
        self.same = nn.BatchNorm2d(c_in, eps=1e-3, momentum=0.03) if c_in == c_out else None
        self.merged = None
        self.act = activation(act)

    def forward(self, x):
        if self.merged is not None:
            return self.act(self.merged(x))
        y = self.dense(x) + self.point(x)
        return self.act(y if self.same is None else y + self.same(x))

    @torch.no_grad()
    def merge(self):
        if self.merged is not None:
            return
        weight, bias = folded(*self.dense)
        w1, b1 = folded(*self.point)
        weight[:, :, 1:2, 1:2] += w1
        bias += b1
        if self.same is not None:
            gain, shift = affine(self.same)
            index = torch.arange(len(gain))
            weight[index, index, 1, 1] += gain
            bias += shift
        c_out, c_in = weight.shape[:2]
        self.merged = nn.Conv2d(c_in, c_out, 3, 1, 1)
        self.merged.weight.data, self.merged.bias.data = weight, bias
        self.dense = self.point = self.same = None


def affine(bn):
    gain = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    return gain, bn.bias - gain * bn.running_mean


def folded(conv, bn):
    gain, shift = affine(bn)
    return conv.weight * gain[:, None, None, None], shift.clone()


class Implicit(nn.Module):
    """YOLOR's implicit knowledge: a learned vector added to or multiplied in."""

    def __init__(self, channels, mean):
        super().__init__()
        self.vector = nn.Parameter(torch.full((1, channels, 1, 1), float(mean)))
        nn.init.normal_(self.vector, mean, 0.02)


class Head(nn.Module):
    """Anchored detection head: one 1x1 convolution a level, to raw maps."""

    def __init__(self, nc, widths, anchors, implicit=False):
        super().__init__()
        self.nc, self.no, self.strides = nc, nc + 5, STRIDES[:len(widths)]
        table = torch.tensor(anchors, dtype=torch.float32).view(len(widths), -1, 2)
        self.register_buffer('anchors', table)
        self.na = table.shape[1]
        self.flat = False
        self.out = nn.ModuleList(nn.Conv2d(c, self.no * self.na, 1) for c in widths)
        self.add = self.mul = None
        if implicit:
            self.add = nn.ModuleList(Implicit(c, 0.0) for c in widths)
            self.mul = nn.ModuleList(Implicit(self.no * self.na, 1.0) for _ in widths)
        self.set_prior()

    @torch.no_grad()
    def set_prior(self):
        """Biases that begin with few objects a picture (Lin et al., focal loss)."""
        for conv, stride in zip(self.out, self.strides):
            bias = conv.bias.view(self.na, -1)
            bias[:, 4] = math.log(8 / (640 / stride) ** 2)
            bias[:, 5:] = math.log(0.6 / (self.nc - 0.99)) if self.nc > 1 else 0.5

    def forward(self, features):
        maps = []
        for level, x in enumerate(features):
            if self.add is not None:
                x = self.add[level].vector + x
            x = self.out[level](x)
            if self.mul is not None:
                x = self.mul[level].vector * x
            if self.flat:
                maps.append(x)
                continue
            b, _, ny, nx = x.shape
            maps.append(x.view(b, self.na, self.no, ny, nx).permute(0, 1, 3, 4, 2).contiguous())
        return maps

    @torch.no_grad()
    def merge(self):
        """Folds the implicit vectors into the convolutions."""
        if self.add is None:
            return
        for conv, add, mul in zip(self.out, self.add, self.mul):
            conv.bias += (conv.weight[:, :, 0, 0] @ add.vector.view(-1, 1)).view(-1)
            conv.bias *= mul.vector.view(-1)
            conv.weight *= mul.vector.view(-1, 1, 1, 1)
        self.add = self.mul = None


class Yolo(nn.Module):
    """What the detectors share: the head, its geometry, and merging for export."""

    style = 'yolov7'

    @property
    def anchors(self):
        return self.head.anchors

    @property
    def strides(self):
        return self.head.strides

    def merge(self):
        """Re-parameterises for inference: the same function in fewer operators."""
        for module in self.modules():
            if isinstance(module, (RepConv, Head)):
                module.merge()
        return self


class YoloV7Tiny(Yolo):
    def __init__(self, nc=80, ch=3, width=1.0, anchors=ANCHORS_COCO_V5, divisor=8, act='leaky'):
        super().__init__()

        def w(c):
            return scaled(c, width, divisor)

        self.stem = nn.Sequential(ConvBn(ch, w(32), 3, 2, act), ConvBn(w(32), w(64), 3, 2, act),
                                  elan_tiny(w(64), w(32), w(64), act))
        self.stage3 = nn.Sequential(nn.MaxPool2d(2, 2), elan_tiny(w(64), w(64), w(128), act))
        self.stage4 = nn.Sequential(nn.MaxPool2d(2, 2), elan_tiny(w(128), w(128), w(256), act))
        self.stage5 = nn.Sequential(nn.MaxPool2d(2, 2), elan_tiny(w(256), w(256), w(512), act))
        self.spp = SppTiny(w(512), w(256), act)
        self.up = nn.Upsample(scale_factor=2, mode='nearest')
        self.lower4, self.side4 = ConvBn(w(256), w(128), act=act), ConvBn(w(256), w(128), act=act)
        self.top4 = elan_tiny(2 * w(128), w(64), w(128), act)
        self.lower3, self.side3 = ConvBn(w(128), w(64), act=act), ConvBn(w(128), w(64), act=act)
        self.top3 = elan_tiny(2 * w(64), w(32), w(64), act)
        self.down4 = ConvBn(w(64), w(128), 3, 2, act)
        self.bottom4 = elan_tiny(2 * w(128), w(64), w(128), act)
        self.down5 = ConvBn(w(128), w(256), 3, 2, act)
        self.bottom5 = elan_tiny(2 * w(256), w(128), w(256), act)
        self.last = nn.ModuleList(ConvBn(w(a), w(2 * a), 3, act=act) for a in (64, 128, 256))
        self.head = Head(nc, [w(128), w(256), w(512)], anchors, implicit=True)

    def forward(self, x):
        c3 = self.stage3(self.stem(x))
        c4 = self.stage4(c3)
        p5 = self.spp(self.stage5(c4))
        t4 = self.top4(torch.cat([self.side4(c4), self.up(self.lower4(p5))], 1))
        t3 = self.top3(torch.cat([self.side3(c3), self.up(self.lower3(t4))], 1))
        b4 = self.bottom4(torch.cat([self.down4(t3), t4], 1))
        b5 = self.bottom5(torch.cat([self.down5(b4), p5], 1))
        return self.head([f(y) for f, y in zip(self.last, (t3, b4, b5))])


class YoloV7(Yolo):
    def __init__(self, nc=80, ch=3, width=1.0, anchors=ANCHORS_COCO_V7, divisor=8, act='silu'):
        super().__init__()

        def w(c):
            return scaled(c, width, divisor)

        self.stem = nn.Sequential(ConvBn(ch, w(32), 3, 1, act), ConvBn(w(32), w(64), 3, 2, act),
                                  ConvBn(w(64), w(64), 3, 1, act), ConvBn(w(64), w(128), 3, 2, act),
                                  elan_backbone(w(128), w(64), w(256), act))
        self.stage3 = nn.Sequential(Downsample(w(256), w(128), act),
                                    elan_backbone(2 * w(128), w(128), w(512), act))
        self.stage4 = nn.Sequential(Downsample(w(512), w(256), act),
                                    elan_backbone(2 * w(256), w(256), w(1024), act))
        self.stage5 = nn.Sequential(Downsample(w(1024), w(512), act),
                                    elan_backbone(2 * w(512), w(256), w(1024), act))
        self.spp = SppCsp(w(1024), w(512), act)
        self.up = nn.Upsample(scale_factor=2, mode='nearest')
        self.lower4, self.side4 = ConvBn(w(512), w(256), act=act), ConvBn(w(1024), w(256), act=act)
        self.top4 = elan_neck(2 * w(256), w(256), w(128), w(256), act)
        self.lower3, self.side3 = ConvBn(w(256), w(128), act=act), ConvBn(w(512), w(128), act=act)
        self.top3 = elan_neck(2 * w(128), w(128), w(64), w(128), act)
        self.down4 = Downsample(w(128), w(128), act)
        self.bottom4 = elan_neck(2 * w(128) + w(256), w(256), w(128), w(256), act)
        self.down5 = Downsample(w(256), w(256), act)
        self.bottom5 = elan_neck(2 * w(256) + w(512), w(512), w(256), w(512), act)
        self.last = nn.ModuleList(RepConv(w(a), w(2 * a), act) for a in (128, 256, 512))
        self.head = Head(nc, [w(256), w(512), w(1024)], anchors, implicit=True)

    def forward(self, x):
        c3 = self.stage3(self.stem(x))
        c4 = self.stage4(c3)
        p5 = self.spp(self.stage5(c4))
        t4 = self.top4(torch.cat([self.side4(c4), self.up(self.lower4(p5))], 1))
        t3 = self.top3(torch.cat([self.side3(c3), self.up(self.lower3(t4))], 1))
        b4 = self.bottom4(self.down4(t3, t4))
        b5 = self.bottom5(self.down5(b4, p5))
        return self.head([f(y) for f, y in zip(self.last, (t3, b4, b5))])


class Bottleneck(nn.Module):
    def __init__(self, c, shortcut, act):
        super().__init__()
        self.narrow, self.wide = ConvBn(c, c, act=act), ConvBn(c, c, 3, act=act)
        self.shortcut = shortcut

    def forward(self, x):
        y = self.wide(self.narrow(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    """Cross-stage partial block with three outer convolutions."""

    def __init__(self, c_in, c_out, repeats, shortcut, act, divisor=8):
        super().__init__()
        c = c_out // 2
        self.entry, self.bypass = ConvBn(c_in, c, act=act), ConvBn(c_in, c, act=act)
        self.blocks = nn.Sequential(*(Bottleneck(c, shortcut, act) for _ in range(repeats)))
        self.close = ConvBn(2 * c, c_out, act=act)

    def forward(self, x):
        return self.close(torch.cat([self.blocks(self.entry(x)), self.bypass(x)], 1))


class Sppf(nn.Module):
    """Spatial pyramid pooling by three chained 5x5 pools."""

    def __init__(self, c_in, c_out, act):
        super().__init__()
        self.entry = ConvBn(c_in, c_in // 2, act=act)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.close = ConvBn(4 * (c_in // 2), c_out, act=act)

    def forward(self, x):
        a = self.entry(x)
        b = self.pool(a)
        c = self.pool(b)
        return self.close(torch.cat([a, b, c, self.pool(c)], 1))


class YoloV5(Yolo):
    style = 'yolov5'

    def __init__(self, nc=80, ch=3, width=1.0, anchors=ANCHORS_COCO_V5, divisor=8, act='silu',
                 base_width=0.25, depth=0.33):
        super().__init__()

        def w(c):
            return scaled(c, width * base_width, divisor)

        def n(repeats):
            return max(1, round(repeats * depth))

        self.stem = nn.Sequential(ConvBn(ch, w(64), 6, 2, act, p=2),
                                  ConvBn(w(64), w(128), 3, 2, act),
                                  C3(w(128), w(128), n(3), True, act))
        self.stage3 = nn.Sequential(ConvBn(w(128), w(256), 3, 2, act),
                                    C3(w(256), w(256), n(6), True, act))
        self.stage4 = nn.Sequential(ConvBn(w(256), w(512), 3, 2, act),
                                    C3(w(512), w(512), n(9), True, act))
        self.stage5 = nn.Sequential(ConvBn(w(512), w(1024), 3, 2, act),
                                    C3(w(1024), w(1024), n(3), True, act),
                                    Sppf(w(1024), w(1024), act))
        self.up = nn.Upsample(scale_factor=2, mode='nearest')
        self.lower4 = ConvBn(w(1024), w(512), act=act)
        self.top4 = C3(2 * w(512), w(512), n(3), False, act)
        self.lower3 = ConvBn(w(512), w(256), act=act)
        self.top3 = C3(2 * w(256), w(256), n(3), False, act)
        self.down4 = ConvBn(w(256), w(256), 3, 2, act)
        self.bottom4 = C3(2 * w(256), w(512), n(3), False, act)
        self.down5 = ConvBn(w(512), w(512), 3, 2, act)
        self.bottom5 = C3(2 * w(512), w(1024), n(3), False, act)
        self.head = Head(nc, [w(256), w(512), w(1024)], anchors)

    def forward(self, x):
        c3 = self.stage3(self.stem(x))
        c4 = self.stage4(c3)
        l5 = self.lower4(self.stage5(c4))
        l4 = self.lower3(self.top4(torch.cat([self.up(l5), c4], 1)))
        t3 = self.top3(torch.cat([self.up(l4), c3], 1))
        b4 = self.bottom4(torch.cat([self.down4(t3), l4], 1))
        b5 = self.bottom5(torch.cat([self.down5(b4), l5], 1))
        return self.head([t3, b4, b5])


class Residual(nn.Module):
    """Residual block; `bottleneck` is 1x1-3x3-1x1 with four times the channels out."""

    def __init__(self, c_in, c, stride, bottleneck):
        super().__init__()
        c_out = 4 * c if bottleneck else c
        if bottleneck:
            layers = [conv_bn(c_in, c, 1), nn.ReLU(inplace=True), conv_bn(c, c, 3, stride),
                      nn.ReLU(inplace=True), conv_bn(c, c_out, 1)]
        else:
            layers = [conv_bn(c_in, c, 3, stride), nn.ReLU(inplace=True), conv_bn(c, c, 3)]
        self.body = nn.Sequential(*layers)
        self.project = None
        if stride != 1 or c_in != c_out:
            self.project = conv_bn(c_in, c_out, 1, stride)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.body(x) + (x if self.project is None else self.project(x)))


def conv_bn(c_in, c_out, k, s=1):
    return nn.Sequential(nn.Conv2d(c_in, c_out, k, s, k // 2, bias=False), nn.BatchNorm2d(c_out))


class ResNet(nn.Module):
    """Residual network; with `inner` it first shrinks its input to that many pixels a side."""

    def __init__(self, nc=1000, ch=3, width=1.0, depths=(2, 2, 2, 2), bottleneck=False, divisor=8,
                 dropout=0.0, inner=None):
        super().__init__()
        self.inner = inner
        widths = [scaled(c, width, divisor) for c in (64, 128, 256, 512)]
        self.stem = nn.Sequential(*conv_bn(ch, widths[0], 7, 2), nn.ReLU(inplace=True),
                                  nn.MaxPool2d(3, 2, 1))
        stages, c_in = [], widths[0]
        for level, (c, depth) in enumerate(zip(widths, depths)):
            for index in range(depth):
                stride = 2 if level and index == 0 else 1
                stages.append(Residual(c_in, c, stride, bottleneck))
                c_in = 4 * c if bottleneck else c
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()
        self.classify = nn.Linear(c_in, nc)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
            elif isinstance(module, Residual):
                # Each block begins as the identity (Goyal et al., "Large Minibatch SGD").
                nn.init.zeros_(module.body[-1][1].weight)

    def forward(self, x):
        if self.inner:
            x = nn.functional.interpolate(x, (self.inner, self.inner), mode='bilinear',
                                          align_corners=False)
        return self.classify(self.drop(torch.flatten(self.pool(self.stages(self.stem(x))), 1)))

    def merge(self):
        return self


NETWORKS = {
    'yolov7-tiny': (YoloV7Tiny, {}),
    'yolov7': (YoloV7, {}),
    'yolov5n': (YoloV5, {'base_width': 0.25, 'depth': 0.33}),
    'yolov5m': (YoloV5, {'base_width': 0.75, 'depth': 0.67}),
    'resnet18': (ResNet, {'depths': (2, 2, 2, 2)}),
    'resnet34': (ResNet, {'depths': (3, 4, 6, 3)}),
    'resnet50': (ResNet, {'depths': (3, 4, 6, 3), 'bottleneck': True}),
}


def build(spec):
    """A network from {'name': ..., 'nc': ..., 'ch': ..., 'width': ..., ...}."""
    options = dict(spec)
    kind, fixed = NETWORKS[options.pop('name')]
    net = kind(**fixed, **options)
    net.spec = dict(spec)
    return net


def save(path, net, metadata=None, **rest):
    """Writes a checkpoint; `rest` may hold an optimiser's state and the like."""
    torch.save({'spec': net.spec, 'weights': net.state_dict(), 'metadata': metadata or {},
                'rest': rest}, path)


def load(path):
    """Network in eval mode, metadata, rest of a checkpoint that `save` wrote."""
    data = torch.load(path, map_location='cpu')
    net = build(data['spec'])
    net.load_state_dict(data['weights'])
    return net.eval(), data['metadata'], data['rest']


def parameters(net):
    return sum(p.numel() for p in net.parameters())


@torch.no_grad()
def flops(net, height, width):
    """FLOPs of one forward (a multiply-add is two), of convolutions and Linear."""
    total, hooks = [0], []

    def count(module, _, output):
        if isinstance(module, nn.Linear):
            total[0] += 2 * module.weight.numel()
        else:
            total[0] += 2 * module.weight.numel() * output.shape[2] * output.shape[3]

    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(count))
    first = next(m for m in net.modules() if isinstance(m, nn.Conv2d))
    training = net.training
    net.eval()(torch.zeros(1, first.in_channels, height, width))
    net.train(training)
    for hook in hooks:
        hook.remove()
    return total[0]


def main():
    print(f'{"network":12} {"classes":>7} {"input":>10} {"parameters":>11} {"GFLOP":>7}')
    for name, nc, ch, size in (
            ('yolov5n', 80, 3, 640), ('yolov5m', 80, 3, 640), ('yolov7-tiny', 80, 3, 640),
            ('yolov7', 80, 3, 640), ('resnet18', 1000, 3, 224), ('resnet34', 1000, 3, 224),
            ('resnet50', 1000, 3, 224), ('yolov7-tiny', 1, 1, 384), ('yolov7', 1, 1, 384),
            ('yolov5n', 1, 1, 384), ('resnet18', 57, 1, 224)):
        net = build({'name': name, 'nc': nc, 'ch': ch}).merge()
        print(f'{name:12} {nc:7} {ch:2}x{size:3}x{size:3} {parameters(net):11,} '
              f'{flops(net, size, size) / 1e9:7.2f}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())

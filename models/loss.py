# SPDX-License-Identifier: Apache-2.0
"""Loss of the anchored detectors, decoding, suppression and average precision.

Assignment: an object belongs to an anchor when neither side differs by more than
a factor, and to the cell of its centre and the two nearest neighbour cells.
Boxes by complete IoU (Zheng et al., 2020), objectness by the IoU reached, classes
by binary cross entropy.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

from models import measures

LEVEL_BALANCE = (4.0, 1.0, 0.4)


def complete_iou(a, b, eps=1e-7):
    """CIoU of boxes [n, 4] given as cx, cy, w, h."""
    a0, a1 = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b0, b1 = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    inter = (torch.minimum(a1, b1) - torch.maximum(a0, b0)).clamp(min=0).prod(1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - inter + eps
    iou = inter / union
    hull = torch.maximum(a1, b1) - torch.minimum(a0, b0)
    apart = ((a[:, :2] - b[:, :2]) ** 2).sum(1) / ((hull ** 2).sum(1) + eps)
    angle = (torch.atan(b[:, 2] / (b[:, 3] + eps)) - torch.atan(a[:, 2] / (a[:, 3] + eps)))
    v = 4 / math.pi ** 2 * angle ** 2
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return iou - apart - alpha * v, iou


def assign(targets, anchors, stride, ny, nx, ratio):
    """Cells and anchors that answer for each target on one level.

    targets [n, 6]: image, class, cx, cy, w, h in pixels; anchors [na, 2] in pixels.
    Returns image, anchor, row, column (long, [m]), box [m, 4] in pixels, class [m]."""
    na, n = len(anchors), len(targets)
    t = targets[None].expand(na, n, 6)
    a = torch.arange(na, device=t.device)[:, None].expand(na, n)
    r = t[..., 4:6] / anchors[:, None]
    fits = torch.maximum(r, 1 / r.clamp(min=1e-6)).amax(2) < ratio
    t, a = t[fits], a[fits]
    cell = t[:, 2:4] / stride
    near = cell - cell.floor()
    rows, limits = [torch.zeros_like(cell)], (nx, ny)
    masks = [torch.ones_like(cell[:, 0], dtype=torch.bool)]
    for axis in (0, 1):
        for step in (-1, 1):
            side = near[:, axis] < 0.5 if step < 0 else near[:, axis] >= 0.5
            shift = torch.zeros_like(cell)
            shift[:, axis] = step
            there = cell[:, axis].floor() + step
            rows.append(shift)
            masks.append(side & (there >= 0) & (there < limits[axis]))
    pick = torch.stack(masks)
    at = (cell.floor()[None] + torch.stack(rows))[pick].long()
    t = t[None].expand(5, -1, -1)[pick]
    a = a[None].expand(5, -1)[pick]
    col, row = at[:, 0].clamp(0, nx - 1), at[:, 1].clamp(0, ny - 1)
    return t[:, 0].long(), a, row, col, t[:, 2:6], t[:, 1].long()


class YoloLoss:
    def __init__(self, net, box=0.05, obj=1.0, cls=0.3, ratio=4.0):
        self.anchors, self.strides, self.nc = net.anchors, net.strides, net.head.nc
        self.box, self.obj, self.cls, self.ratio = box, obj, cls, ratio

    def __call__(self, maps, targets):
        """Scalar loss and its three parts."""
        zero = maps[0].sum() * 0
        lbox, lobj, lcls = zero, zero, zero
        for raw, anchors, stride, balance in zip(maps, self.anchors, self.strides, LEVEL_BALANCE):
            b, na, ny, nx, _ = raw.shape
            im, an, row, col, want, kind = assign(targets, anchors, stride, ny, nx, self.ratio)
            goal = torch.zeros_like(raw[..., 4])
            if len(im):
                p = raw[im, an, row, col]
                s = p[:, :4].sigmoid()
                centre = (s[:, :2] * 2 - 0.5 + torch.stack([col, row], 1)) * stride
                size = (s[:, 2:] * 2) ** 2 * anchors[an]
                ciou, iou = complete_iou(torch.cat([centre, size], 1), want)
                lbox = lbox + (1 - ciou).mean()
                goal[im, an, row, col] = iou.detach().clamp(0)
                onehot = torch.zeros_like(p[:, 5:])
                onehot[torch.arange(len(im), device=kind.device), kind] = 1
                lcls = lcls + F.binary_cross_entropy_with_logits(p[:, 5:], onehot)
            lobj = lobj + balance * F.binary_cross_entropy_with_logits(raw[..., 4], goal)
        total = self.box * lbox + self.obj * lobj + self.cls * lcls
        return total, torch.stack([lbox, lobj, lcls]).detach()


def decode(maps, anchors, strides):
    """Raw maps (numpy or torch) of one batch to [B, N, 5 + classes]: cx, cy, w, h, probabilities."""
    out = []
    for raw, a, stride in zip(maps, anchors, strides):
        raw = torch.as_tensor(raw)
        b, na, ny, nx, no = raw.shape
        y = raw.float().sigmoid().cpu()
        rows, cols = torch.meshgrid(torch.arange(ny), torch.arange(nx), indexing="ij")
        grid = torch.stack([cols, rows], 2)
        y[..., :2] = (y[..., :2] * 2 - 0.5 + grid) * stride
        y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * torch.as_tensor(a).cpu()[None, :, None, None]
        out.append(y.reshape(b, -1, no))
    return torch.cat(out, 1).numpy()


def suppress(found, confidence, overlap, contained=0.7):
    """Class-agnostic NMS of one picture [N, 5 + classes]: rows x0, y0, x1, y1, score, class.

    A box goes when it overlaps a better one by IoU, or when so much of the smaller of the
    two lies in the other: characters of one line never do."""
    cls = found[:, 5:]
    kind = cls.argmax(1)
    score = found[:, 4] * cls[np.arange(len(cls)), kind]
    keep = np.where(score > confidence)[0]
    keep = keep[np.argsort(-score[keep], kind="stable")][:300]
    x, y, w, h = found[keep, :4].T
    box = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
    chosen = []
    alive = np.ones(len(keep), bool)
    for i in range(len(keep)):
        if not alive[i]:
            continue
        chosen.append(i)
        alive[i + 1:] &= iou_matrix(box[i:i + 1], box[i + 1:])[0] <= overlap
        alive[i + 1:] &= share_matrix(box[i:i + 1], box[i + 1:])[0] <= contained
    return np.concatenate([box[chosen], score[keep][chosen, None], kind[keep][chosen, None]], 1)


def share_matrix(a, b):
    """Intersection by the smaller area of corner boxes [n, 4] x [m, 4]."""
    lo = np.maximum(a[:, None, :2], b[None, :, :2])
    hi = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    area = lambda q: (q[:, 2] - q[:, 0]) * (q[:, 3] - q[:, 1])
    return np.clip(hi - lo, 0, None).prod(2) / (np.minimum(area(a)[:, None], area(b)[None]) + 1e-9)


def iou_matrix(a, b):
    """IoU of corner boxes [n, 4] x [m, 4]."""
    lo = np.maximum(a[:, None, :2], b[None, :, :2])
    hi = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    inter = np.clip(hi - lo, 0, None).prod(2)
    area = lambda q: (q[:, 2] - q[:, 0]) * (q[:, 3] - q[:, 1])
    return inter / (area(a)[:, None] + area(b)[None] - inter + 1e-9)


def hits(found, truth, overlap=0.5):
    """{class: ([(score, whether it met a true box)], number of true boxes)} over pictures.

    found: list of rows (x0, y0, x1, y1, score, class); truth: list of rows (class, x0, y0, x1, y1)."""
    out = {}
    for c in sorted({int(c) for t in truth for c in t[:, 0]}):
        met, total = [], 0
        for f, t in zip(found, truth):
            t = t[t[:, 0] == c][:, 1:]
            f = f[f[:, 5] == c]
            total += len(t)
            used = np.zeros(len(t), bool)
            for row in f[np.argsort(-f[:, 4])]:
                ok = False
                if len(t):
                    iou = iou_matrix(row[None, :4], t)[0]
                    j = int(np.argmax(np.where(used, -1, iou)))
                    ok = not used[j] and iou[j] >= overlap
                    used[j] |= ok
                met.append((float(row[4]), bool(ok)))
        out[c] = (met, total)
    return out


def average_precision(found, truth, overlap=0.5):
    """AP at one IoU, the mean over the classes that occur; arguments as those of hits()."""
    areas = [measures.average_precision(*h) for h in hits(found, truth, overlap).values()]
    return float(np.mean(areas)) if areas else 0.0


def reading(rows, alphabet):
    """Text of the characters of one plate, rows (x0, y0, x1, y1, score, class): stacked small
    characters from top to bottom, two lines one after the other."""
    if not len(rows):
        return "", []
    order = np.argsort((rows[:, 0] + rows[:, 2]) / 2)
    columns = []
    for i in order:
        placed = False
        if columns:
            last = rows[columns[-1]]
            o = np.minimum(rows[i, 2], last[:, 2]) - np.maximum(rows[i, 0], last[:, 0])
            small = np.minimum(rows[i, 2] - rows[i, 0], last[:, 2] - last[:, 0])
            apart = np.abs((last[:, 1] + last[:, 3] - rows[i, 1] - rows[i, 3]) / 2)
            placed = bool((o > 0.5 * small).any() and (apart > 0.4 * (rows[i, 3] - rows[i, 1])).all())
        if placed:
            columns[-1].append(i)
        else:
            columns.append([i])
    stacked = sum(len(c) > 1 for c in columns)
    if stacked >= 2:
        mid = np.median((rows[:, 1] + rows[:, 3]) / 2)
        centre = (rows[:, 1] + rows[:, 3]) / 2
        split = (centre.min() + centre.max()) / 2 if np.ptp(centre) > 0 else mid
        idx = [i for i in order if centre[i] <= split] + [i for i in order if centre[i] > split]
    else:
        idx = [i for c in columns for i in sorted(c, key=lambda k: rows[k, 1])]
    return "".join(alphabet[int(rows[i, 5])] for i in idx), [float(rows[i, 4]) for i in idx]

# SPDX-License-Identifier: Apache-2.0
"""Pruning while a network trains, after the second study and after network slimming.

    Pruner(net, 'static:0.2,0.1')    the smallest weights by L1, once, before training
    Pruner(net, 'dynamic:0.2,0.1')   the same, chosen anew each epoch
    Pruner(net, 'slim:1e-4')         an L1 penalty on BatchNorm weights (Liu et al., 2017)

The first share is of every Conv2d's weights, the second of every BatchNorm2d's. What is
pruned stays zero. slim() afterwards silences the share of channels whose BatchNorm
weights are smallest over the whole network: they give a constant, which the engine folds.
"""
import torch
from torch import nn

MODES = ('static', 'dynamic', 'slim')


def parse(text):
    """('static', (0.2, 0.1)) of 'static:0.2,0.1'; ValueError with a sentence."""
    mode, _, numbers = text.partition(':')
    try:
        shares = tuple(float(v) for v in numbers.split(','))
    except ValueError:
        shares = ()
    if mode not in MODES or len(shares) != (1 if mode == 'slim' else 2):
        raise ValueError(f'"{text}" is not static:CONV,BN, dynamic:CONV,BN or slim:PENALTY')
    if mode != 'slim' and not all(0 <= s < 1 for s in shares):
        raise ValueError(f'"{text}": shares lie from 0 to below 1')
    return mode, shares


def smallest(weight, share):
    """Mask that is 0 for the share of elements that are smallest by magnitude."""
    count = round(share * weight.numel())
    mask = torch.ones_like(weight)
    if count:
        order = weight.detach().abs().flatten().argsort()
        mask.view(-1)[order[:count]] = 0
    return mask


class Pruner:
    """Keeps a network pruned: epoch() at the start of each, apply() after each step."""

    def __init__(self, net, text):
        self.mode, self.shares = parse(text)
        self.conv = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
        self.bn = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        self.masks = None

    def layers(self):
        """The layers in the order of the masks."""
        return self.conv + self.bn

    @torch.no_grad()
    def epoch(self):
        """Chooses what is pruned; static keeps its first choice."""
        if self.mode == 'dynamic' or (self.mode == 'static' and self.masks is None):
            self.masks = [(m.weight, smallest(m.weight, share)) for layers, share in
                          zip((self.conv, self.bn), self.shares) for m in layers]
        self.apply()

    @torch.no_grad()
    def apply(self):
        for weight, mask in self.masks or ():
            weight.mul_(mask)

    def penalty(self):
        """What is added to the loss."""
        if self.mode != 'slim':
            return 0.0
        return self.shares[0] * sum(m.weight.abs().sum() for m in self.bn)

    def state(self):
        return [mask for _, mask in self.masks or ()]

    def restore(self, masks):
        """Takes up the masks that state() gave, when a training is resumed."""
        weights = [m.weight for m in self.layers()]
        if masks:
            self.masks = list(zip(weights, (m.to(weights[0].device) for m in masks)))


@torch.no_grad()
def slim(net, share):
    """Silences the share of channels with the smallest BatchNorm weights; returns how many.

    Every layer keeps its best channel."""
    layers = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    limit = torch.cat([m.weight.abs() for m in layers]).quantile(share)
    silenced = 0
    for m in layers:
        weak = m.weight.abs() < limit
        weak[m.weight.abs().argmax()] = False
        m.weight[weak] = 0
        m.bias[weak] = 0
        silenced += int(weak.sum())
    return silenced


def sparsity(net):
    """Shares of zeros over all Conv2d weights and over all BatchNorm2d weights."""
    shares = []
    for kind in (nn.Conv2d, nn.BatchNorm2d):
        weights = [m.weight for m in net.modules() if isinstance(m, kind)]
        zeros = sum(int((w == 0).sum()) for w in weights)
        shares.append(zeros / max(1, sum(w.numel() for w in weights)))
    return tuple(shares)

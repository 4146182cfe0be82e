# SPDX-License-Identifier: Apache-2.0
"""A released .onnx as a PyTorch network again: to measure it, or to train it further.

    /usr/bin/python3 -m models.restore models/reader.onnx models/.cache/reader.pt
        [--settle reader-train-1,...]

Export folded BatchNorm into the convolutions. Here it becomes an identity behind
them, so the network gives what the file gives. --settle measures the layers on the
pictures of caches and splits weight and statistics so that training mode, which
normalises by the batch, begins where the file ends; without it do not train.
"""
import argparse
import os
import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from models import halve, networks


def layers(net, size):
    """Convolutions and Linear layers in the order of a forward, with the BatchNorm behind each."""
    order, hooks, pairs = [], [], {}
    for module in net.modules():
        if isinstance(module, networks.ConvBn):
            pairs[module.conv] = module.bn
        if isinstance(module, nn.Sequential):
            pairs.update({a: b for a, b in zip(module[:-1], module[1:])
                          if isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d)})
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(lambda m, *_: order.append(m)))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 1, *size))
    for hook in hooks:
        hook.remove()
    return [(layer, pairs.get(layer)) for layer in order]


def specification(metadata, size, nodes):
    """The spec of the network that the metadata speak of; its width from the first layer."""
    classes = len(metadata['plated.classes'].split(','))
    first = nodes[0][0].shape[0]
    if metadata['plated.task'] != 'region':
        anchors = [[float(v) for v in level.split(',')]
                   for level in metadata['plated.anchors'].split(';')]
        return {'name': 'yolov7-tiny', 'nc': classes, 'ch': 1, 'width': first / 32,
                'anchors': anchors}
    return {'name': 'resnet18', 'nc': classes, 'ch': 1, 'width': first / 64, 'dropout': 0.2}


def inner_size(graph):
    """The size a region classifier first shrinks its input to, or None: the last number that
    is put together for its Resize."""
    constants = {n.output[0]: numpy_helper.to_array(n.attribute[0].t)
                 for n in graph.node if n.op_type == 'Constant'}
    makers = {n.output[0]: n for n in graph.node}
    for node in graph.node:
        if node.op_type == 'Resize':
            return int(constants[makers[node.input[3]].input[-1]][-1])
    return None


@torch.no_grad()
def fill(layer, bn, weight, bias):
    layer.weight.copy_(torch.tensor(weight).view_as(layer.weight))
    if bn is None:
        layer.bias.copy_(torch.tensor(bias))
        return
    bn.running_mean.zero_()
    bn.running_var.fill_(1)
    bn.weight.fill_((1 + bn.eps) ** 0.5)
    bn.bias.copy_(torch.tensor(bias))


def restore(path):
    """(network in eval mode, metadata, input size) of a released file."""
    model = onnx.load(str(path))
    metadata = {p.key: p.value for p in model.metadata_props}
    if 'plated.task' not in metadata:
        raise SystemExit(f'{path}: no plated.task in its metadata: not a model of this project')
    arrays = halve.constants(model.graph)
    for node in model.graph.node:
        if node.op_type == 'Identity' and node.input[0] in arrays:   # of equal ones one is kept
            arrays[node.output[0]] = arrays[node.input[0]]
    nodes = [[arrays[n] for n in node.input[1:]] for node in model.graph.node
             if node.op_type in ('Conv', 'Gemm')]
    size = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[2:])
    spec = specification(metadata, size, nodes)
    if metadata['plated.task'] == 'region':
        spec['inner'] = inner_size(model.graph)
    net = networks.build(spec)
    if isinstance(net, networks.Yolo):
        for add, mul in zip(net.head.add, net.head.mul):
            add.vector.data.zero_()
            mul.vector.data.fill_(1)
    mine = layers(net, size)
    shapes = [tuple(m.weight.shape) for m, _ in mine]
    if shapes != [n[0].shape for n in nodes]:
        raise SystemExit(f'{path}: its layers are not those of a {spec["name"]}')
    for (layer, bn), (weight, bias) in zip(mine, nodes):
        fill(layer, bn, weight, bias)
    return net.eval(), metadata, size


@torch.no_grad()
def settle(net, batches, size):
    """Gives every BatchNorm the statistics of the pictures; the function stays the same."""
    sums, hooks = {}, []

    def look(layer, _, output):
        count, first, second = sums.get(layer, (0, 0, 0))
        flat = output.double().transpose(0, 1).flatten(1)
        sums[layer] = (count + flat.shape[1], first + flat.sum(1), second + (flat ** 2).sum(1))

    pairs = [(layer, bn) for layer, bn in layers(net, size) if bn is not None]
    for layer, _ in pairs:
        hooks.append(layer.register_forward_hook(look))
    for x in batches:
        net(x)
    for hook in hooks:
        hook.remove()
    for layer, bn in pairs:
        count, first, second = sums[layer]
        mean = first / count
        var = (second / count - mean ** 2).clamp(min=1e-6)
        gain = bn.weight / torch.sqrt(bn.running_var + bn.eps)
        bn.bias.add_((gain * (mean - bn.running_mean)).float())
        bn.weight.copy_(gain * torch.sqrt(var + bn.eps))
        bn.running_mean.copy_(mean)
        bn.running_var.copy_(var)


def pictures(names, mean, std, count=256, batch=32):
    """Normalised batches from caches, spread evenly over each."""
    from models.dataset import Cache
    for name in names:
        images = Cache(name).images
        chosen = images[np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)]
        x = torch.from_numpy(chosen[:, None].astype(np.float32)).div_(255).sub_(mean).div_(std)
        yield from x.split(batch)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='models.restore', description=__doc__.split('\n')[0])
    parser.add_argument('model')
    parser.add_argument('checkpoint')
    parser.add_argument('--settle', help='caches to measure the layers on')
    args = parser.parse_args(arguments)
    net, metadata, size = restore(args.model)
    if args.settle:
        settle(net, pictures(args.settle.split(','), float(metadata['plated.mean']),
                             float(metadata['plated.std'])), size)
    os.makedirs(os.path.dirname(args.checkpoint) or '.', exist_ok=True)
    networks.save(args.checkpoint, net, metadata, size=list(size))
    return 0


if __name__ == '__main__':
    sys.exit(main())

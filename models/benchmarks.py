# SPDX-License-Identifier: Apache-2.0
"""Exports the networks that `./run bench` times, with seeded weights.

    /usr/bin/python3 -m models.benchmarks DIR [--networks a,b] [--list]

Each is a folder as models/fixtures.py makes them (model.onnx with a raw head,
input_images.npy, PyTorch's answers as output_<name>.npy) with model.pt, the same network
as TorchScript. What is there and newer than the sources stays. Denormal and infinite
numbers would be slower than a trained network's: an activation that is one, or large,
ends the export.
"""
import argparse
import pathlib
import sys
import time

import torch

from models import export, fixtures, networks

# Folder: specification, height and width.
NETWORKS = {
    'yolov7-tiny': ({'name': 'yolov7-tiny', 'nc': 1, 'ch': 1}, (384, 384)),
    'yolov7-tiny-35': ({'name': 'yolov7-tiny', 'nc': 35, 'ch': 1}, (384, 384)),
    'yolov7': ({'name': 'yolov7', 'nc': 1, 'ch': 1}, (384, 384)),
    'yolov5n-640': ({'name': 'yolov5n', 'nc': 1, 'ch': 3}, (640, 640)),
    'yolov5n': ({'name': 'yolov5n', 'nc': 1, 'ch': 1}, (384, 384)),
    'yolov5m-640': ({'name': 'yolov5m', 'nc': 80, 'ch': 3}, (640, 640)),
    'resnet18': ({'name': 'resnet18', 'nc': 57, 'ch': 1}, (224, 224)),
    'resnet34': ({'name': 'resnet34', 'nc': 57, 'ch': 1}, (224, 224)),
    'resnet50': ({'name': 'resnet50', 'nc': 57, 'ch': 1}, (224, 224)),
}
LARGEST = 1e4
SMALLEST_NORMAL = torch.finfo(torch.float32).tiny


def check_scale(net, x):
    """Raises where an operator's output holds numbers that no trained network has."""
    def look(module, _, output):
        for y in output if isinstance(output, (list, tuple)) else [output]:
            size = y.abs()
            if not bool((size <= LARGEST).all()):
                raise RuntimeError(f'{type(module).__name__} makes values beyond {LARGEST:g}')
            if bool(((size < SMALLEST_NORMAL) & (size > 0)).any()):
                raise RuntimeError(f'{type(module).__name__} makes denormal values')

    hooks = [m.register_forward_hook(look) for m in net.modules() if not list(m.children())]
    export.run(net, x)
    for hook in hooks:
        hook.remove()


def write(writer, name):
    spec, size = NETWORKS[name]
    writer.made.clear()
    net = writer.network(spec, size, merged=True)
    x = fixtures.picture(spec['ch'], *size, 100)
    check_scale(net, x)
    writer.case(name, spec, size)
    with torch.no_grad():
        torch.jit.freeze(torch.jit.trace(net, x, strict=False)).save(str(writer.folder / name / 'model.pt'))
    return networks.flops(net, *size)


def is_fresh(folder):
    sources = [pathlib.Path(m.__file__) for m in (export, fixtures, networks)]
    newest = max(s.stat().st_mtime for s in [*sources, pathlib.Path(__file__)])
    made = folder / 'model.pt'
    return made.exists() and made.stat().st_mtime > newest


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='models.benchmarks', description=__doc__.split('\n')[0])
    parser.add_argument('folder', type=pathlib.Path, nargs='?')
    parser.add_argument('--networks', default=','.join(NETWORKS))
    parser.add_argument('--list', action='store_true', help='names, one a line')
    args = parser.parse_args(arguments)
    names = args.networks.split(',')
    unknown = [n for n in names if n not in NETWORKS]
    if unknown or (not args.folder and not args.list):
        parser.error(f'there is no network {unknown[0]}' if unknown else 'a folder is missing')
    if args.list:
        print('\n'.join(names))
        return 0
    torch.use_deterministic_algorithms(True)
    writer = fixtures.Writer(args.folder)
    for name in names:
        if is_fresh(args.folder / name):
            continue
        started = time.monotonic()
        flops = write(writer, name)
        print(f'{name}: {flops / 1e9:.2f} GFLOP, {time.monotonic() - started:.1f} s', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The questions of the second study on this project's data: which pruning, and when?

    /usr/bin/python3 -m models.study --minutes 30 [--device cuda --workers 12] [--write]

Trains YOLOv5m (deep) and YOLOv5n (shallow) on plates (one class) and on characters (35)
without pruning and with static and dynamic L1 pruning at the study's shares, exports each
and times it in the project's engine. What is done is kept in models/.cache/study/ and not
trained again. --write makes docs/pruning.md of it; --networks, --pruning, --data and --steps
make it smaller.
"""
import argparse
import itertools
import json
import os
import subprocess
import sys
import time

from models import evaluate, export, networks, prune, synth, train_yolo

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, '..', 'docs', 'pruning.md')
# Shares of Conv2d and BatchNorm2d weights that the study pruned away.
SHARES = {'yolov5m': '0.40,0.30', 'yolov5n': '0.20,0.0991', 'yolov7-tiny': '0.30,0.20'}
DEPTH = {'yolov5m': 'deep', 'yolov5n': 'shallow', 'yolov7-tiny': 'shallow'}
DATA = {'detector': 'plates, 1 class', 'reader': 'characters, 35 classes'}
PRUNING = ('none', 'static', 'dynamic')
TEXT = """# Pruning

What the project's second study asked, on its own data: with many classes (characters) or few
(plates), a deep network (YOLOv5m) or a shallow one (YOLOv5n), is it better to prune once before
training (static) or anew each epoch (dynamic)? Smallest weights of Conv2d and BatchNorm2d by L1, at
the study's shares; mAP@.5 on held-out scenes and drawn plates; time and mean memory of an inference
in this project's engine. Zeros that lie scattered in a convolution make no inference faster by
themselves; channels that are silent as a whole (`--prune slim:1e-4`, `prune.slim()`) can.

"""


def train(args, task, network, pruning):
    """Trains one network; the path of its checkpoint."""
    out = os.path.join(synth.CACHE, 'study', f'{task}-{network}-{pruning}')
    os.makedirs(os.path.dirname(out), exist_ok=True)
    options = ['--steps', str(args.steps)] if args.steps else ['--minutes', str(args.minutes)]
    if pruning != 'none':
        options += ['--prune', f'{pruning}:{SHARES[network]}']
    if args.device != 'cpu':
        options.append('--bf16')
    if os.path.exists(out + '.last.pt'):
        options.append('--resume')
    train_yolo.main([task, '--network', network, '--width', str(args.width), '--out', out,
                     '--device', args.device, '--workers', str(args.workers),
                     '--seed', str(args.seed), *options])
    return out + '.last.pt'


def bench(path):
    """Median time in ms and mean memory in MiB of inferences in the project's engine."""
    tool = export.engine()
    if tool is None:
        raise SystemExit('the engine is not built: ./run build')
    done = subprocess.run([tool, 'bench', path, '--threads', '1', '--iters', '30', '--json'],
                          stdout=subprocess.PIPE, check=True, text=True)
    said = json.loads(done.stdout)
    return said['median_ms'], said['avg_rss_kb'] / 1024


def measure(checkpoint, task):
    """What the table shows of one trained network."""
    net, metadata, rest = networks.load(checkpoint)
    conv, bn = prune.sparsity(net)
    path = checkpoint[:-len('.last.pt')] + '.onnx'
    parameters = networks.parameters(net)
    export.write(net.merge(), path, tuple(rest['size']), metadata=metadata)
    val = train_yolo.TASKS[task]['val'].split(',')[-1]
    ms, mib = bench(path)
    return {'map50': rest['val'][val]['map50'], 'steps': rest['step'], 'conv': conv, 'bn': bn,
            'parameters': parameters, 'ms': ms, 'mib': mib}


def table(rows):
    lines = ['| data | network | pruning | zeros in Conv2d | in BatchNorm2d | mAP@.5 | ms a frame '
             '| memory, MiB | steps |', '|---|---|---|---|---|---|---|---|---|']
    for (task, network, pruning), r in rows:
        lines.append(f'| {DATA[task]} | {network} ({DEPTH[network]}) | {pruning} | '
                     f'{100 * r["conv"]:.1f} % | {100 * r["bn"]:.1f} % | {r["map50"]:.3f} | '
                     f'{r["ms"]:.1f} | {r["mib"]:.1f} | {r["steps"]} |')
    return '\n'.join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--networks', default='yolov5m,yolov5n')
    parser.add_argument('--pruning', default=','.join(PRUNING))
    parser.add_argument('--data', default=','.join(DATA))
    parser.add_argument('--minutes', type=float, default=30, help='of each training')
    parser.add_argument('--steps', type=int, help='instead of minutes')
    parser.add_argument('--width', type=float, default=1.0)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--workers', type=int, default=0)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--write', action='store_true')
    args = parser.parse_args(arguments)
    wanted = [v.split(',') for v in (args.data, args.networks, args.pruning)]
    for names, known in zip(wanted, (DATA, SHARES, PRUNING)):
        if set(names) - set(known):
            parser.error(f'{",".join(names)}: there are {", ".join(known)}')
    rows = []
    for case in itertools.product(*wanted):
        kept = os.path.join(synth.CACHE, 'study', '-'.join(case) + '.json')
        if not os.path.exists(kept):
            figures = measure(train(args, *case), case[0])
            with open(kept, 'w', encoding='utf-8') as f:
                json.dump(figures, f)
        with open(kept, encoding='utf-8') as f:
            rows.append((case, json.load(f)))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    if args.write:
        told = (f'`models.study {" ".join(arguments or sys.argv[1:])}`; {evaluate.device()}, one '
                f'thread, {time.strftime("%Y-%m-%d", time.gmtime())}.')
        with open(PAGE, 'w', encoding='utf-8') as f:
            f.write(TEXT + told + '\n\n' + table(rows) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())

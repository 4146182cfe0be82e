# SPDX-License-Identifier: Apache-2.0
"""docs/benchmarks.md from what tests/bench/compare.py measured."""
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'benchmarks.md'
TITLES = {
    'yolov7-tiny': 'YOLOv7-tiny 1×384×384', 'yolov7-tiny-35': 'YOLOv7-tiny, 35 classes',
    'yolov7': 'YOLOv7 1×384×384', 'yolov5n-640': 'YOLOv5n 3×640×640',
    'yolov5n': 'YOLOv5n 1×384×384', 'yolov5m-640': 'YOLOv5m 3×640×640',
    'resnet18': 'ResNet18 1×224×224', 'resnet34': 'ResNet34', 'resnet50': 'ResNet50',
    'detector': 'our detector', 'reader': 'our reader', 'region': 'our region model'}
ORDER = tuple(TITLES)
ENGINES = {'plated': 'plated', 'onnxruntime': 'ONNX Runtime', 'opencv': 'OpenCV DNN',
           'pytorch': 'PyTorch'}
MIB = 1 << 20

# What others reached elsewhere, and what we ask of ourselves beside it. Best of ONNX Runtime,
# OpenCV, ncnn, XNNPACK and MNN by ONNX Runtime's time on one thread of a Zen 4 core.
BEST_OF_FIVE = {
    'yolov7-tiny': 0.70, 'yolov7-tiny-35': 0.70, 'yolov7': 0.71, 'yolov5n-640': 1.00,
    'yolov5n': 1.00, 'yolov5m-640': 0.77, 'resnet18': 0.57, 'resnet34': 0.51, 'resnet50': 0.85}
# Estimated ms on one core of a Raspberry Pi 4: ncnn, MNN, ONNX Runtime, OpenCV.
A72 = {
    'yolov7-tiny': (389, 375, 645, 1098), 'yolov7': (3165, 2964, 5076, 9240),
    'yolov5n-640': (617, 581, 761, 1295), 'yolov5n': (192, 191, 251, 432),
    'yolov5m-640': (4449, 4373, 6761, 11880), 'resnet18': (203, 208, 483, 781),
    'resnet34': (367, 381, 986, 1594), 'resnet50': (739, 752, 1103, 1740)}
# The fastest load from .onnx in ms and the least peak memory in MB of the same five.
LOAD_MS = {'yolov7-tiny': 53, 'resnet18': 91}
PEAK_MB = {'yolov7-tiny': 59, 'resnet18': 103, 'yolov5m-640': 208}
OF_BEST, OF_A72, NNP_MS, SLACK, SPEED_UP, SPEED_UP_GFLOP = 0.95, 0.85, 5, 10 * MIB, 1.8, 1


def bar(value, limit, digits=2):
    """`value`, and whether it is within the limit or how far from it."""
    told = f'{value:.{digits}f} of {limit:.{digits}f}'
    return f'{told}, met' if value <= limit else f'{told}, {value / limit - 1:+.0%}'


def of(told, engine, key, threads='1'):
    return told.get('threads', {}).get(threads, {}).get(engine, {}).get(key)


def number(value, form='.1f'):
    return '–' if value is None else format(value, form)


def table(head, rows):
    """A Markdown table; the first column is text, the others are numbers."""
    if not rows:
        return ['Not measured yet.', '']
    return ['| ' + ' | '.join(head) + ' |', '| --- ' + '| ---: ' * (len(head) - 1) + '|',
            *('| ' + ' | '.join(row) + ' |' for row in rows), '']


def one_thread(results):
    rows = []
    for name, told in results.items():
        ours, ort = of(told, 'plated', 'cpu_ms'), of(told, 'onnxruntime', 'cpu_ms')
        if not ours:
            continue
        limit = BEST_OF_FIVE.get(name)
        judged = bar(ours / ort, OF_BEST * limit) if ort and limit else \
            f'{ours / ort:.2f}' if ort else '–'
        rows.append([TITLES[name], *(number(of(told, e, 'cpu_ms')) for e in ENGINES), judged])
    return table(['network', *(f'{t}, ms' for t in ENGINES.values()),
                  'plated ÷ ONNX Runtime'], rows)


def two_threads(results):
    rows = []
    for name, told in results.items():
        ours = of(told, 'plated', 'cpu_ms', '2')
        if not ours:
            continue
        ratios = []
        for peer in ('onnxruntime', 'opencv'):
            theirs = of(told, peer, 'cpu_ms', '2')
            ratios.append(bar(ours / theirs, 1) if theirs else '–')
        gain = of(told, 'plated', 'wall_ms') / of(told, 'plated', 'wall_ms', '2')
        gflop = told['ours']['gflops'] * told['ours']['median_ms'] / 1e3
        if gflop > SPEED_UP_GFLOP:
            short = '' if gain >= SPEED_UP else f', {gain / SPEED_UP - 1:+.0%}'
            gain = f'{gain:.2f} of {SPEED_UP}' + (short or ', met')
        else:
            gain = f'{gain:.2f}'
        rows.append([TITLES[name], *(number(of(told, e, 'cpu_ms', '2')) for e in ENGINES),
                     number(of(told, 'plated', 'wall_ms', '2')), *ratios, gain])
    return table(['network', *(f'{t}, ms' for t in ENGINES.values()), 'plated, wall ms',
                  'plated ÷ ONNX Runtime', 'plated ÷ OpenCV', 'faster than one thread'], rows)


def study(results):
    rows = []
    for name, told in results.items():
        for engine, title in ENGINES.items():
            wall = of(told, engine, 'wall_ms')
            if wall:
                rows.append([TITLES[name], title, f'{1e3 / wall:.1f}',
                             number(of(told, engine, 'load_ms')),
                             f'{of(told, engine, "average_kb") / 1024:.0f}',
                             number(of(told, engine, 'difference'), '.1e')])
            elif of(told, engine, 'failed'):
                rows.append([TITLES[name], title, 'does not run', '–', '–', '–'])
    return table(['network', 'engine', 'FPS', 'model load time, ms', 'average memory, MiB',
                  'difference to PyTorch'], rows)


def loading(results):
    rows = []
    for name, told in results.items():
        ours, onnx = told.get('ours'), of(told, 'plated', 'started_ms')
        if not ours or not onnx:
            continue
        peers = [of(told, e, 'load_ms') for e in ENGINES if e != 'plated']
        peers = [p for p in peers if p]
        fastest = bar(of(told, 'plated', 'load_ms'), min(peers), 1) if peers else '–'
        rows.append([TITLES[name], bar(ours['load_ms'], NNP_MS, 1), number(ours['started_ms']),
                     fastest, bar(onnx, LOAD_MS[name], 1) if name in LOAD_MS else number(onnx),
                     f'{ours["first_ms"]:.1f} / {ours["median_ms"]:.1f}'])
    return table(['network', 'from .nnp, ms', 'process start to ready', 'from .onnx, ms',
                  'process start to ready', 'first inference / the next, ms'], rows)


def memory(results):
    rows = []
    for name, told in results.items():
        peak, ours = of(told, 'plated', 'peak_kb'), told.get('ours')
        if not peak:
            continue
        limit = (ours['weights_bytes'] + ours['arena_bytes'] + SLACK) / MIB
        others = bar(peak / 1e3, PEAK_MB[name], 0) if name in PEAK_MB else number(peak / 1e3, '.0f')
        rows.append([TITLES[name], f'{ours["weights_bytes"] / MIB:.1f}',
                     f'{ours["arena_bytes"] / MIB:.1f}', bar(peak / 1024, limit, 1), others,
                     f'{ours["peak_rss_kb"] / 1024:.1f}',
                     *(number(p and p / 1024, '.0f') for p in (
                         of(told, e, 'peak_kb') for e in ENGINES if e != 'plated'))])
    return table(['network', 'weights, MiB', 'arena, MiB', 'peak from .onnx, MiB', 'the same, MB',
                  'peak from .nnp, MiB', *(f'{t}, MiB' for e, t in ENGINES.items()
                                           if e != 'plated')], rows)


def cortex_a72(results):
    rows = []
    for name, told in results.items():
        if not told.get('a72'):
            continue
        others = A72.get(name, (None,) * 4)
        ms = told['a72']['ms']
        judged = bar(ms, OF_A72 * min(others[:2]), 0) if name in A72 else number(ms, '.0f')
        rows.append([TITLES[name], judged, f'{told["a72"]["peak"]:.0f} %',
                     *(number(o, 'd') for o in others),
                     f'{ms / min(others[:2]):.2f}' if name in A72 else '–', told['a72']['commit']])
    return table(['network', 'plated, ms', 'multiply-adds executed, of the peak', 'ncnn', 'MNN',
                  'ONNX Runtime', 'OpenCV', 'plated ÷ better of ncnn and MNN', 'commit'], rows)


HEAD = '''# Benchmarks

Written by `./run bench --peers --a72` (`tests/bench/compare.py`); do not edit. The networks have
seeded weights and raw heads (`models/benchmarks.py`); ours are those released. All engines read
the same ONNX files (PyTorch: TorchScript of the same network), FP32, batch 1, and run by turns in
one run; figures are medians. Each has as many processors as threads, and each thread one of them.

{machine}
Where a figure has a bar, both stand there: `0.60 of 0.66, met`, or how far it is from being met.

## Processor time of an inference, one thread

The bar is {of_best} times what the best of ONNX Runtime, OpenCV, ncnn, XNNPACK and MNN needed beside
ONNX Runtime on a core of Zen 4.

'''
TWO = '''## Two threads

Processor time of both threads together; the ratios are of these. The last column is wall time, bar
{speed_up} above {gflop} GFLOP.

'''
STUDY = '''## Engines side by side

One thread; frames a second by wall time. Load time is what the engine's own call takes, without
the start of its process. Memory is resident memory while it runs: of ours the whole process, of
the others what they add to that of Node.js or Python. The difference is the largest one of all
outputs, divided by the largest value of that output, to PyTorch in double precision; of our
released models to ONNX Runtime.

'''
LOAD = '''## Loading

Ours, one thread. The bar from `.nnp` is {nnp} ms; from `.onnx` the fastest of the engines in this run, and
from process start to ready the fastest of five engines elsewhere.

'''
MEMORY = '''## Memory

Peak resident memory, one thread. The bar is weights as packed, planned arena and {slack} MiB; in MB
the least of five engines elsewhere. From `.nnp` weights are pages of the file, shared between
processes. The others: what they add to that of Node.js or Python.

'''
ARM = '''## Raspberry Pi 4, estimated

One thread of a Cortex-A72 at 1.5 GHz by an estimator that counts what a static arm64 build executes
under qemu, and prices it; one warm inference, in ms, within about 8 %. The bar is {of_a72} times the
better of ncnn and MNN, estimated alike. Multiply-adds that Winograd saves are not executed.

'''


def machine(results):
    told = {}
    for name, result in results.items():
        if 'device' in result:
            key = (result['device'], result['kernel'], result['compiler'], result['commit'],
                   result['ours']['isa'], json.dumps(result['versions'], sort_keys=True))
            told.setdefault(key, []).append((TITLES[name], result['load']))
    lines = []
    for (device, kernel, compiler, at, isa, versions), names in told.items():
        others = ', '.join(f'{ENGINES[e]} {v}' for e, v in json.loads(versions).items() if v)
        load = max(load for _, load in names)
        which = '' if len(told) == 1 else f' ({", ".join(name for name, _ in names)})'
        lines.append(f'- {device}, {isa}, Linux {kernel}; {compiler}; commit {at}{which}; {others}; '
                     f'load average before up to {load}'
                     + (': other work took turns, so that wall times, load times among them, say '
                        'little; processor times are less disturbed' if load > 1 else ''))
    return '\n'.join(lines) + '\n'


def read(folder):
    """What was measured of each network, in the order of the tables."""
    paths = {name: pathlib.Path(folder) / f'{name}.json' for name in ORDER}
    return {n: json.loads(p.read_text()) for n, p in paths.items() if p.exists()}


def write(folder):
    results = read(folder)
    text = HEAD.format(machine=machine(results), of_best=OF_BEST)
    text += '\n'.join(one_thread(results)) + '\n'
    text += TWO.format(speed_up=SPEED_UP, gflop=SPEED_UP_GFLOP)
    text += '\n'.join(two_threads(results)) + '\n'
    text += STUDY + '\n'.join(study(results)) + '\n'
    text += LOAD.format(nnp=NNP_MS) + '\n'.join(loading(results)) + '\n'
    text += MEMORY.format(slack=SLACK // MIB) + '\n'.join(memory(results)) + '\n'
    text += ARM.format(of_a72=OF_A72) + '\n'.join(cortex_a72(results))
    PAGE.write_text(text.rstrip() + '\n')


def lines(name, told):
    """What a terminal shows of one network."""
    yield f'{TITLES[name]}, commit {told.get("commit", "?")}'
    for section in (one_thread, two_threads, loading, memory, cortex_a72):
        found = section({name: told})
        if len(found) > 2:
            yield from found[:1] + found[2:-1]

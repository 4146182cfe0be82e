#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times the released models and the whole way of a still picture on this machine.

    tests/bench/released.py [--threads N] [--iters N]

Every figure is a median; device, compiler, threads and commit stand above them.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build'
MODELS = ('detector', 'reader', 'region')


def output(*argv):
    done = subprocess.run([str(a) for a in argv], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ''


def device():
    for path in ('/proc/device-tree/model', '/sys/firmware/devicetree/base/model'):
        if os.path.exists(path):
            return pathlib.Path(path).read_text().strip('\0\n')
    for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def compiler():
    """The first line that the compiler of the build says about itself."""
    commands = json.loads((BUILD / 'compile_commands.json').read_text())
    words = [w for w in commands[0]['command'].split() if not w.endswith('ccache')]
    told = output(words[0], '--version')
    return told.splitlines()[0] if told else 'unknown compiler'


def options():
    told = json.loads(output('meson', 'introspect', '--buildoptions', BUILD) or '[]')
    return {o['name']: o['value'] for o in told}


def commit():
    """The commit at work, marked where more differs from it than pages that are written."""
    changed = output('git', 'status', '--porcelain', '--untracked-files=no', '--', ':!docs',
                     ':!models/*.md')
    return (output('git', 'describe', '--always') or 'unknown') + ('-dirty' if changed else '')


def head(threads):
    of = options()
    print(f'device    {device()}, {os.cpu_count()} processors, Linux {platform.release()}')
    print(f'compiler  {compiler()}, -O{of.get("optimization", "?")}')
    print(f'threads   {threads or os.cpu_count()}')
    print(f'commit    {commit()}\n')


def bench(name, threads, iters):
    """The JSON line of plated-nn, or None where it failed."""
    argv = [BUILD / 'engine' / 'plated-nn', 'bench', ROOT / 'models' / f'{name}.onnx',
            '--iters', iters, '--json']
    argv += ['--threads', threads] if threads else []
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if done.returncode:
        print(f'{name}: {done.stderr.strip() or "plated-nn failed"}', file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def pictures():
    """Real photographs of gates, as far as this machine has them."""
    data = pathlib.Path(os.environ.get('PLATED_DATA') or ROOT.parent / 'shared' / 'data')
    return sorted((data / 'eval' / 'us_scenes' / 'images').glob('*.jpg'))[:40]


def whole_way():
    files = pictures()
    if not files:
        print('platectl read: not timed, PLATED_DATA names no photographs')
        return 0
    done = subprocess.run([BUILD / 'daemon' / 'platectl', 'read', '--json', '--models',
                           ROOT / 'models', *files], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        print(f'platectl read: {done.stderr.strip()}', file=sys.stderr)
        return 1
    times = [json.loads(line)['ms'] for line in done.stdout.splitlines()]
    told = ', '.join(f'{part} {statistics.median(t[part] for t in times):.1f} ms'
                     for part in ('detect', 'read', 'region'))
    print(f'platectl read, {len(times)} photographs: {told}')
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--threads', type=int, default=0)
    parser.add_argument('--iters', type=int, default=50)
    args = parser.parse_args()
    head(args.threads)
    print(f'{"model":10} {"load ms":>8} {"median ms":>10} {"p10 ms":>8} {"p90 ms":>8} '
          f'{"GFLOP/s":>8} {"peak RSS MB":>12}')
    failed = 0
    for name in MODELS:
        if not (ROOT / 'models' / f'{name}.onnx').exists():
            print(f'{name:10} is not released yet')
            continue
        told = bench(name, args.threads, args.iters)
        failed |= told is None
        if told:
            print(f'{name:10} {told["load_ms"]:8.1f} {told["median_ms"]:10.2f} '
                  f'{told["p10_ms"]:8.2f} {told["p90_ms"]:8.2f} {told["gflops"]:8.1f} '
                  f'{told["peak_rss_kb"] / 1024:12.1f}')
    print()
    return failed | whole_way()


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""What the estimator of a Cortex-A72 in $A72 or ../shared/a72 says of a static arm64
plated-nn (`./run arm64`): one warm inference at one thread, between two markers."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATIC = ROOT / 'build-static/engine/plated-nn'
FUNCTIONS = 6


def find():
    """The estimator, or None with the reason told."""
    tool = pathlib.Path(os.environ.get('A72') or ROOT.parent / 'shared' / 'a72') / 'a72'
    lacking = [str(p) for p in (tool, STATIC) if not os.access(p, os.X_OK)]
    lacking += [] if shutil.which('qemu-aarch64') else ['qemu-aarch64']
    if lacking:
        print(f'no estimate for the Cortex-A72: {", ".join(lacking)} missing', file=sys.stderr)
        return None
    return tool


def parse(report):
    """Times in ms on a Raspberry Pi 4; of the functions as the estimator has them."""
    def number(pattern):
        return float(re.search(pattern, report).group(1))

    rows = re.findall(r'^ +([\d.]+)% +([\d.]+) +([\d.]+) +([\d.]+) +[\d.]+ +(\S+)$', report, re.M)
    return {'ms': number(r'on a Pi 4 expect ([\d.]+) ms'), 'time': number(r'time +([\d.]+) ms'),
            'fma': number(r'fp32 FMA +(\d+)'), 'peak': number(r'([\d.]+)% of the 8 flop/cycle'),
            'memory': number(r'memory (\d+)%'), 'traffic_mb': number(r'memory traffic +([\d.]+) MB'),
            'functions': [[float(share), name] for share, _, _, _, name in rows[:FUNCTIONS]]}


def estimate(tool, program, model):
    """The same as parse(), or None with the reason told."""
    done = subprocess.run([tool, '-r', program, 'bench', model, '--threads', '1', '--marks'],
                          capture_output=True, text=True)
    if 'on a Pi 4 expect' not in done.stdout:
        print(f'{model}: the estimator failed: {done.stderr.strip()}', file=sys.stderr)
        return None
    return parse(done.stdout)

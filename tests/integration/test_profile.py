#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What plated-nn profile and bench say agrees with what the network is."""
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = os.environ.get('PLATED_NN', str(ROOT / 'build' / 'engine' / 'plated-nn'))
MODEL = ROOT / 'models' / 'region.onnx'
if not os.access(TOOL, os.X_OK) or not MODEL.exists():
    print(f'skipped: {TOOL} or {MODEL} is missing')
    sys.exit(77)


def tool(command, *options):
    done = subprocess.run([TOOL, command, MODEL, *options], capture_output=True, text=True,
                          check=True)
    return done.stdout


class Profile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gflop = float(re.search(r'GFLOP: ([\d.]+)', tool('inspect')).group(1))

    def test_layers(self):
        told = json.loads(tool('profile', '--json', '--iters', '3', '--threads', '1'))
        layers = told['layers']
        self.assertAlmostEqual(sum(x['flops'] for x in layers) / 1e9 / self.gflop, 1, delta=0.01)
        ms = sum(x['ms'] for x in layers)
        share = self.gflop / ms * 1e3 / told['peak_gflops']
        # Winograd may pass 1; a peak or a time in another unit would be far off.
        self.assertTrue(0.01 < share < 4, share)
        for layer in layers:
            if layer['operator'] == 'Conv':
                self.assertTrue(layer['algorithm'], layer)
                self.assertGreater(layer['flops'], 0, layer)
            self.assertGreaterEqual(layer['bytes'], 0)
        weights = MODEL.stat().st_size
        self.assertGreater(sum(x['bytes'] for x in layers), weights / 2)

    def test_totals_add_up(self):
        lines, totals = tool('profile', '--iters', '2').strip().split('\n\n')
        rows = [float(line.split()[0]) for line in lines.splitlines()[1:]]
        told = [float(line.split()[0]) for line in totals.splitlines()]
        self.assertAlmostEqual(told[-1], sum(rows), delta=0.001 * len(rows))
        self.assertAlmostEqual(told[-1], sum(told[:-1]), delta=0.001 * len(told))
        self.assertTrue(totals.endswith(f'{len(rows)} layers'), totals)

    def test_marks_print_nothing(self):
        self.assertEqual(tool('bench', '--marks', '--threads', '1'), '')


if __name__ == '__main__':
    unittest.main()

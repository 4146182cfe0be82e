#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Convolutions are done by the algorithm that was chosen for them, and it is the same network."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = os.environ.get('PLATED_NN', str(ROOT / 'build' / 'engine' / 'plated-nn'))
MODEL = ROOT / 'models' / 'region.onnx'
if not os.access(TOOL, os.X_OK) or not MODEL.exists():
    print(f'skipped: {TOOL} or {MODEL} is missing')
    sys.exit(77)


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments), '--threads', '1'], capture_output=True,
                          text=True, check=True).stdout


def algorithms(model, *options):
    told = json.loads(tool('profile', model, '--json', '--iters', '1', '--warmup', '0', *options))
    return [layer['algorithm'] for layer in told['layers']]


def is_winograd(names):
    return any(name.startswith('winograd') for name in names)


class Algorithms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        cls.input, dims = re.search(r'input (\S+): float32 (\S+)', tool('inspect', MODEL)).groups()
        shape = [int(dim) for dim in dims.split('×')]
        rng = numpy.random.default_rng(1)
        numpy.save(cls.dir / 'x.npy', rng.random(shape, dtype=numpy.float32))
        cls.exact = cls.run_model('exact', MODEL, '--exact')

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def run_model(cls, name, model, *options):
        """The first output."""
        out = cls.dir / name
        out.mkdir()
        tool('run', model, '--input', f'{cls.input}={cls.dir / "x.npy"}', '--output-dir', out,
             *options)
        return numpy.load(next(iter(sorted(out.glob('*.npy')))))

    def assert_same_network(self, got):
        largest = numpy.abs(self.exact).max()
        self.assertLessEqual(numpy.abs(got - self.exact).max(), 1e-4 * largest)

    def test_chosen_by_estimate(self):
        self.assertTrue(is_winograd(algorithms(MODEL)))
        self.assert_same_network(self.run_model('estimate', MODEL))

    def test_exact_forbids(self):
        self.assertFalse(is_winograd(algorithms(MODEL, '--exact')))
        self.assertFalse(is_winograd(algorithms(MODEL, '--isa', 'c')))

    def test_compiled_file_keeps_the_choice(self):
        for name, options in (('plain', ()), ('exact', ('--exact',))):
            kept = self.dir / f'{name}.nnp'
            tool('compile', MODEL, kept, *options)
            self.assertEqual(algorithms(kept), algorithms(MODEL, *options))

    def test_measured(self):
        kept = self.dir / 'tuned.nnp'
        tool('compile', MODEL, kept, '--tune')
        self.assert_same_network(self.run_model('tuned', kept))


if __name__ == '__main__':
    unittest.main()

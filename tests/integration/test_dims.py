#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Open dimensions on the command line of plated-nn: by name, by shape, and what inspect tells."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np

try:
    import onnx
    from onnx import TensorProto, helper
except ImportError:
    raise unittest.SkipTest('python3-onnx is not installed')

ROOT = pathlib.Path(__file__).resolve().parents[2]
NN = os.environ.get('PLATED_NN', str(ROOT / 'build/engine/plated-nn'))


class Dims(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, d)
                for n, d in (('x', ['batch', 3, 'height', None]), ('y', None))]
        graph = helper.make_graph([helper.make_node('Relu', ['x'], ['y'])], 'g', info[:1], info[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=7,
                                  producer_name='a test', producer_version='2')
        helper.set_model_props(model, {'task': 'nothing', 'size': '3'})
        onnx.save(model, self.folder / 'm.onnx')

    def nn(self, verb, *arguments):
        done = subprocess.run([NN, verb, self.folder / 'm.onnx', *arguments], capture_output=True,
                              text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def save(self, *shape):
        path = self.folder / 'x.npy'
        np.save(path, np.full(shape, -1, np.float32))
        return f'x={path}'

    def test_inspect_tells_what_is_open(self):
        code, out, _ = self.nn('inspect')
        self.assertEqual(code, 0)
        for line in ("input x: float32 ?×3×?×? (open: 0 'batch', 2 'height', 3)",
                     'output y: float32 of any shape', 'producer: a test 2', 'opset: 13',
                     'metadata task: nothing', 'metadata size: 3'):
            self.assertIn(line, out.splitlines())
        self.assertIn('--dim or --shape', out)
        code, out, _ = self.nn('inspect', '--shape', 'x=2x3x4x5')
        self.assertIn("input x: float32 2×3×4×5 (open: 0 'batch', 2 'height', 3)", out.splitlines())
        self.assertIn('output y: float32 2×3×4×5', out.splitlines())

    def test_bench_refuses_open_dims(self):
        code, _, err = self.nn('bench', '--iters', '1', '--dim', 'height=4')
        self.assertEqual(code, 1)
        self.assertIn("input 'x' leaves dimension 3 open (the model says batch×3×height×?)", err)
        code, _, err = self.nn('bench', '--iters', '1', '--dim', 'depth=4')
        self.assertIn("no input of the model has a dimension 'depth'", err)
        code, _, err = self.nn('bench', '--dim', 'height=x')
        self.assertIn("'x' is not a number", err)

    def test_run_and_verify(self):
        given = self.save(2, 3, 4, 5)
        np.save(self.folder / 'expected.npy', np.zeros((2, 3, 4, 5), np.float32))
        expected = f'y={self.folder}/expected.npy'
        for more in ([], ['--dim', 'batch=2'], ['--shape', 'x=2x3x4x5'],
                     ['--dim', 'batch=2', '--dim', 'height=4']):
            code, out, err = self.nn('verify', '--input', given, '--expect', expected, *more)
            self.assertEqual(code, 0, err)
        code, _, err = self.nn('run', '--input', given, '--output-dir', self.folder / 'out')
        self.assertEqual(code, 0, err)
        self.assertEqual(np.load(self.folder / 'out/y.npy').shape, (2, 3, 4, 5))
        code, _, err = self.nn('verify', '--input', given, '--expect', expected, '--dim', 'batch=3')
        self.assertEqual(code, 1)
        self.assertIn("dimension 0 ('batch') is given as 2 and as 3", err)


if __name__ == '__main__':
    unittest.main()

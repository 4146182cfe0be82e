# SPDX-License-Identifier: Apache-2.0
"""Counted weights and halved files.

    /usr/bin/python3 -m unittest tests/models/test_files.py
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
sys.path.insert(0, ROOT)
from models import export, halve, restore, serials  # noqa: E402


class Serials(unittest.TestCase):
    def test_pattern(self):
        self.assertTrue(serials.fits('7ABC123', '0AAA000'))
        self.assertTrue(serials.fits('70BC1O3', '0AAA000'))
        self.assertFalse(serials.fits('7ABC12', '0AAA000'))
        self.assertEqual(serials.kind('ABCD12', {'AAAA00'}, {'AAAA00', '000AAA'}), 'own')
        self.assertEqual(serials.kind('123ABC', {'AAAA00'}, {'AAAA00', '000AAA'}), 'another')
        self.assertEqual(serials.kind('B0BBY', set(), set()), 'word')
        self.assertEqual(serials.kind('B1BBY', set(), set()), 'other')

    def test_weights_of_the_pipeline_are_those_counted(self):
        with open(os.path.join(ROOT, 'pipeline', 'format.c'), encoding='utf-8') as f:
            written = dict(re.findall(r'#define (OWN|ANOTHER|WORD) +([\d.]+)f', f.read()))
        counted = serials.weights()
        for name, value in written.items():
            self.assertAlmostEqual(float(value), counted[name.lower()], delta=0.5)
        self.assertEqual(len(written), 3)


class Halved(unittest.TestCase):
    def model(self, weight):
        graph = helper.make_graph(
            [helper.make_node('Gemm', ['x', 'w', 'b'], ['y'])], 'g',
            [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 32])],
            [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 16])],
            [numpy_helper.from_array(weight, 'w'),
             numpy_helper.from_array(np.ones(16, np.float32), 'b')])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])

    def test_large_tensors_are_halved_once(self):
        weight = np.linspace(-1, 1, 512, dtype=np.float32).reshape(32, 16)
        model = self.model(weight)
        self.assertEqual(halve.halve(model), 1)
        onnx.checker.check_model(model)
        self.assertEqual(halve.halve(model), 0)
        kept = {i.name: i.data_type for i in model.graph.initializer}
        self.assertEqual(kept, {'b': TensorProto.FLOAT, 'w_half': TensorProto.FLOAT16})
        np.testing.assert_allclose(halve.constants(model.graph)['w'], weight, atol=5e-4)
        halve.whole(model)
        self.assertEqual([n.op_type for n in model.graph.node], ['Gemm'])
        np.testing.assert_allclose(halve.constants(model.graph)['w'], weight, atol=5e-4)

    def test_what_does_not_fit_is_refused(self):
        with self.assertRaisesRegex(ValueError, 'w: too large'):
            halve.halve(self.model(np.full((32, 16), 1e6, np.float32)))

    def test_released_files_are_halved_and_can_be_restored(self):
        total = 0
        for name in ('detector', 'reader', 'region'):
            path = os.path.join(ROOT, 'models', f'{name}.onnx')
            total += os.path.getsize(path)
            model = onnx.load(path)
            self.assertEqual(halve.halve(model), 0, name)
            net, metadata, _ = restore.restore(path)
            self.assertTrue(all(bool(p.isfinite().all()) for p in net.parameters()))
            self.assertIn('plated.task', metadata)
        self.assertLess(total, 12e6)

    @unittest.skipIf(export.engine() is None, 'the engine is not built')
    def test_engine_widens_every_half(self):
        x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
        graph = helper.make_graph(
            [helper.make_node('Cast', ['x'], ['y'], to=TensorProto.FLOAT)], 'g',
            [helper.make_tensor_value_info('x', TensorProto.FLOAT16, x.shape)],
            [helper.make_tensor_value_info('y', TensorProto.FLOAT, x.shape)])
        with tempfile.TemporaryDirectory() as folder:
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)]),
                      f'{folder}/cast.onnx')
            np.save(f'{folder}/x.npy', x)
            subprocess.run([export.engine(), 'run', f'{folder}/cast.onnx', '--input',
                            f'x={folder}/x.npy', '--output-dir', folder], check=True,
                           stdout=subprocess.DEVNULL)
            y = np.load(f'{folder}/y.npy')
        wanted = x.astype(np.float32)
        number = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.isnan(y), ~number)
        np.testing.assert_array_equal(y.view(np.uint32)[number], wanted.view(np.uint32)[number])

    def test_command(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'm.onnx')
            onnx.save(self.model(np.ones((32, 16), np.float32)), path)
            before = os.path.getsize(path)
            self.assertEqual(halve.main([path]), 0)
            self.assertLess(os.path.getsize(path), before)
            self.assertEqual(halve.main([]), 2)


if __name__ == '__main__':
    unittest.main()

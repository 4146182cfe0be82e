#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What judges the benchmarks is tested too."""
import json
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests' / 'bench')]
try:
    import numpy as np
except ImportError as missing:
    print(f'skipped: {missing} (apt install python3-numpy)')
    sys.exit(77)
import a72                                                                   # noqa: E402
import compare                                                               # noqa: E402
import page                                                                  # noqa: E402
import performance                                                           # noqa: E402

REPORT = '''instructions          91753411   (99.51% costed in 195 blocks, 148 traces)
cycles                79033068   compute 88%, memory 10%, mispredicted branches 3%
time                     52.69 ms at 1500 MHz, 1 core; on a Pi 4 expect 59.54 ms (x1.13, +-8%)
fp32 FMA             201254912   7.64 GFLOP/s, 63.7% of the 8 flop/cycle peak
memory traffic            13.7 MB, 0.26 GB/s

  share   ms      compute  stall   IPC  symbol
   74.2%    39.10    35.00    4.10  1.11  nn_f32_gemm_8x12__neon
   20.7%    10.89     9.04    1.85  1.38  nn_pack_im2col
'''


def result(**more):
    side = {'wall_ms': 10.0, 'cpu_ms': 10.0, 'peak_kb': 40000, 'average_kb': 39000,
            'load_ms': 30.0, 'started_ms': 40.0, 'difference': 1e-6}
    layer = {'operator': 'Conv', 'algorithm': 'direct', 'name': 'c', 'shape': '1', 'ms': 4.0,
             'flops': 4000000000, 'bytes': 8000000}
    return {'device': 'a core', 'kernel': '6', 'compiler': 'gcc', 'commit': 'abc',
            'load': 0.2,
            'versions': {'onnxruntime': '1.30.0', 'opencv': None, 'pytorch': None},
            'ours': {'isa': 'avx2', 'load_ms': 4.0, 'started_ms': 6.0, 'first_ms': 11.0,
                     'median_ms': 10.0, 'peak_rss_kb': 30000, 'weights_bytes': 24 << 20,
                     'arena_bytes': 9 << 20, 'gflops': 400.0},
            'threads': {'1': {'plated': side, 'onnxruntime': {**side, 'cpu_ms': 20.0},
                              'opencv': {'failed': 'no such layer'}}},
            'profile': {'peak_gflops': 2000.0, 'layers': [layer, {**layer, 'ms': 1.0}]},
            'a72': {**a72.parse(REPORT), 'commit': 'abc'}, **more}


class Judge(unittest.TestCase):
    def test_bars(self):
        self.assertEqual(page.bar(0.6, 0.66), '0.60 of 0.66, met')
        self.assertEqual(page.bar(0.66, 0.66), '0.66 of 0.66, met')
        self.assertEqual(page.bar(1.1, 1), '1.10 of 1.00, +10%')

    def test_difference_is_of_the_largest_value(self):
        expected = {'a': np.array([1.0, -10.0]), 'b': np.array([2.0])}
        outputs = {'a': np.array([1.5, -10.0]), 'b': np.array([2.0])}
        self.assertAlmostEqual(compare.difference(outputs, expected), 0.05)
        # Engines that do not tell names give outputs in their order.
        self.assertAlmostEqual(compare.difference({'0': outputs['a'], '1': outputs['b']}, expected),
                               0.05)

    def test_estimate(self):
        told = a72.parse(REPORT)
        self.assertEqual((told['ms'], told['peak'], told['memory']), (59.54, 63.7, 10))
        self.assertEqual(told['functions'], [[74.2, 'nn_f32_gemm_8x12__neon'],
                                             [20.7, 'nn_pack_im2col']])


class Pages(unittest.TestCase):
    def written(self, module, results):
        with tempfile.TemporaryDirectory() as folder:
            for name, told in results.items():
                (pathlib.Path(folder) / f'{name}.json').write_text(json.dumps(told))
            with unittest.mock.patch.object(module, 'PAGE', pathlib.Path(folder) / 'page.md'):
                module.write(folder)
                return module.PAGE.read_text()

    def test_benchmarks(self):
        text = self.written(page, {'yolov7-tiny': result(), 'region': result()})
        self.assertIn('| YOLOv7-tiny 1×384×384 | 10.0 | 20.0 | – | – | 0.50 of 0.66, met |', text)
        self.assertIn('| our region model | 10.0 | 20.0 | – | – | 0.50 |', text)
        self.assertIn('| OpenCV DNN | does not run |', text)
        self.assertIn('4.0 of 5.0, met', text)
        self.assertIn('60 of 319, met', text)
        self.assertIn('39.1 of 43.0, met', text)
        self.assertIn('Not measured yet.', text)        # two threads

    def test_two_threads(self):
        both = result()
        both['threads']['2'] = {'plated': {'wall_ms': 5.0, 'cpu_ms': 10.0},
                                'onnxruntime': {'wall_ms': 5.0, 'cpu_ms': 8.0}}
        text = self.written(page, {'resnet18': both})
        self.assertIn('1.25 of 1.00, +25% | – | 2.00 of 1.8, met |', text)

    def test_performance(self):
        before = {'ms': 119.08, 'commit': 'old'}
        text = self.written(performance, {'yolov7-tiny': result(a72_before=before)})
        self.assertIn('| YOLOv7-tiny 1×384×384 | 119 | 60 | 2.00× |', text)
        self.assertIn('| Conv direct | 2 | 5.00 | 100.0 % | 1600.0 | 80 % | 16.0 | 3.2 |', text)
        self.assertIn('`nn_f32_gemm_8x12__neon` 74 %', text)


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of the ONNX tests: what counts, and what a run must not pass over in silence."""
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import types
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import NN

try:
    import onnx_nodes
    import operators_page
except SystemExit:
    raise unittest.SkipTest('python3-onnx is not installed')


def make(name, outcome, folder='node', operators=(('', 'Add'),), numbers=True, why='', random=False):
    return onnx_nodes.Test(folder, name, list(operators), numbers, outcome, why, random)


class Figures(unittest.TestCase):
    def setUp(self):
        self.tests = [make('test_a', 'passed'), make('test_b', 'different', why='rounds'),
                      make('test_c', 'unsupported', operators=[('', 'SequenceAt')], numbers=False,
                           why='sequences'),
                      make('test_d', 'passed', 'simple', [('', 'Add'), ('', 'Mul')]),
                      make('test_e', 'passed', operators=[('', 'Bernoulli')], random=True)]
        self.known = {('', t): {'since': 7} for t in ('Add', 'Mul', 'Bernoulli')}
        self.known['plated', 'Silu'] = {'since': 1}

    def test_share_is_of_node_tests_of_numbers(self):
        share, lines = operators_page.totals(self.tests)
        self.assertAlmostEqual(share, 2 / 3)
        self.assertIn('2 of 3 (66.67 %), 1 of them judged', lines[0])
        self.assertIn('ONNX tests: 3 of 5, node tests: 2 of 4', lines[1])

    def test_page(self):
        page = operators_page.write(self.tests, self.known, 0.98).splitlines()
        newest = operators_page.OPSET_MAX
        for line in (f'| Add | 7–{newest} | 2 | 1 | 0 |', f'| Mul | 7–{newest} | 1 | 0 | 0 |',
                     '| node | 4 | 2 | 1 | 1 |', '| all | 5 | 3 | 1 | 1 |', '| plated | 3 | 2 |',
                     '| Silu | plated |', '- rounds (1): b', '- sequences (1): c'):
            self.assertIn(line, page)
        self.assertTrue(any(line.startswith('- not there yet: Abs, Acos') for line in page))

    def close(self, tests):
        options = types.SimpleNamespace(write_docs=False)
        page = operators_page.write(tests, self.known, onnx_nodes.BAR)
        root, onnx_nodes.ROOT = onnx_nodes.ROOT, self.root(page)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return onnx_nodes.close(tests, self.known, options)
        finally:
            onnx_nodes.ROOT = root

    def root(self, page):
        """A repository whose page is `page`."""
        folder = unittest.mock.MagicMock()
        path = folder.__truediv__.return_value.__truediv__.return_value
        path.exists.return_value, path.read_text.return_value = True, page
        return folder

    def test_share_below_the_bar_fails(self):
        excused = [make(p.replace('*', 'x'), 'different') for p in onnx_nodes.DIFFERENT] + \
                  [make(p.replace('*', 'x'), 'unsupported', numbers=False)
                   for p in onnx_nodes.REFUSED]
        good = [make(f'test_{i}', 'passed') for i in range(500)]
        self.assertEqual(self.close(good + excused), 0)
        self.assertEqual(self.close(good[:5] + excused), 1)

    def test_excuse_that_excuses_nothing_fails(self):
        good = [make(f'test_{i}', 'passed') for i in range(500)]
        self.assertEqual(self.close(good), len(onnx_nodes.DIFFERENT) + len(onnx_nodes.REFUSED))

    def test_page_that_differs_fails(self):
        with unittest.mock.patch.object(operators_page, 'write', side_effect=['old', 'new']):
            with unittest.mock.patch.object(onnx_nodes, 'DIFFERENT', {}):
                self.assertEqual(self.close([make('test_a', 'passed')]), 1)


class Judged(unittest.TestCase):
    def judge(self, name, message, operators=(('', 'Add'),), known=(('', 'Add'),)):
        test = make(name, '', operators=operators)
        model = onnx_nodes.onnx.helper.make_model(
            onnx_nodes.onnx.helper.make_graph([], 'g', [], []),
            opset_imports=[onnx_nodes.onnx.helper.make_opsetid('', 13)])
        return onnx_nodes.excuse(test, model, message, dict.fromkeys(known))

    def test_a_known_operator_has_no_excuse(self):
        self.assertIsNone(self.judge('test_add', 'input 0 of type int8 is not supported'))
        self.assertIsNone(self.judge('test_add', 'differs at element 0'))

    def test_an_unknown_one_is_named(self):
        self.assertEqual(self.judge('test_x', 'operator New is not known', [('', 'New')]),
                         'operator New')


class Listing(unittest.TestCase):
    def ops(self, *more):
        return subprocess.run([NN, 'ops', *more], capture_output=True, text=True)

    def test_both_forms_agree(self):
        told = json.loads(self.ops('--json').stdout)
        lines = [line.split() for line in self.ops().stdout.splitlines()]
        self.assertEqual(lines, [[o['domain'] or 'ai.onnx', o['type'], str(o['since'])] +
                                 ([','.join(o['flags'])] if o['flags'] else [])
                                 for o in told['operators']])
        self.assertEqual(told['opset_max'], operators_page.OPSET_MAX)

    def test_known_operators(self):
        listed = json.loads(self.ops('--json').stdout)['operators']
        found = {(o['domain'], o['type']): o for o in listed}
        self.assertEqual(found['', 'NonZero']['flags'], ['dynamic'])
        self.assertEqual(found['', 'Abs']['since'], 7)
        self.assertEqual(found['', 'Mish']['since'], 18)

    def test_no_model_is_wanted(self):
        done = self.ops('model.onnx')
        self.assertGreater(done.returncode, 0)
        self.assertIn('Usage', done.stderr)


if __name__ == '__main__':
    unittest.main()

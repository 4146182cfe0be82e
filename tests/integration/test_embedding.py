#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The library as a stranger meets it: installed elsewhere, found by pkg-config, compiled against
from C and C++, with the programs that the pages show."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import numpy as np

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    raise unittest.SkipTest('python3-onnx is not installed')

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('PLATED_BUILD', ROOT / 'build'))
HEADER = ROOT / 'engine/include/nn.h'


def command(*argv, env=None):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(env or {})})
    if done.returncode:
        raise AssertionError(f'{" ".join(map(str, argv))}: {done.stdout}{done.stderr}')
    return done.stdout


def programs(page):
    """The C programs of a page."""
    return [b for b in re.findall(r'^```c\n(.*?)^```', (ROOT / page).read_text(), re.DOTALL | re.M)
            if 'int main(' in b]


def public_functions():
    """Names that nn.h declares for use from outside."""
    text = re.sub(r'/\*.*?\*/', '', HEADER.read_text(), flags=re.DOTALL)
    declarations = re.findall(r'^NN_PUBLIC\b(.*?);', text, re.DOTALL | re.M)
    return {re.search(r'\b(nn_\w+)\(', d).group(1) for d in declarations}


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.root = cls.folder / 'root'
        command('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--tags',
                'runtime,devel', '--destdir', cls.root)
        cls.pc = next(cls.root.rglob('plated-nn.pc'))
        cls.library = next(cls.root.rglob('libplated-nn.so'))
        cls.env = {'PKG_CONFIG_PATH': str(cls.pc.parent),
                   'PKG_CONFIG_SYSROOT_DIR': str(cls.root)}

    def flags(self, *what):
        return command('pkg-config', *what, 'plated-nn', env=self.env).split()

    def compiled(self, name, source, *options):
        """A C11 program built the way the page says."""
        (self.folder / f'{name}.c').write_text(source)
        command('cc', '-std=c11', '-D_POSIX_C_SOURCE=200809L', '-Wall', '-Wextra', '-Werror',
                *options, '-o', self.folder / name, self.folder / f'{name}.c',
                *self.flags('--cflags', '--libs'))
        return self.folder / name

    def run_program(self, program, *arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, 'LD_LIBRARY_PATH': str(self.library.parent)})

    def save(self, name, nodes, inputs, outputs, constants=(), domains=()):
        infos = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, d) for n, d in values]
                 for values in (inputs, outputs)]
        graph = helper.make_graph(nodes, name, *infos, constants)
        opsets = [helper.make_opsetid('', 13), *(helper.make_opsetid(*d) for d in domains)]
        path = self.folder / f'{name}.onnx'
        path.write_bytes(helper.make_model(graph, opset_imports=opsets,
                                           ir_version=7).SerializeToString())
        return path

    def test_embedding_page(self):
        source, = programs('docs/embedding.md')
        lines = [line for line in source.splitlines() if line.strip()]
        self.assertLessEqual(len(lines), 45, 'the example grows')
        weights = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1), 'w')
        model = self.save('classes', [helper.make_node('Conv', ['image', 'w'], ['c']),
                                      helper.make_node('GlobalMaxPool', ['c'], ['p']),
                                      helper.make_node('Flatten', ['p'], ['scores'])],
                          [('image', ['batch', 3, 'height', 'width'])], [('scores', None)],
                          [weights])
        program = self.compiled('embedding', source)
        done = self.run_program(program, model)
        self.assertEqual(done.returncode, 0, done.stderr)
        image = (np.arange(3 * 32 * 48) % 256 / 255).reshape(3, 32 * 48)
        expected = (np.arange(12).reshape(4, 3) @ image).max(axis=1)
        np.testing.assert_allclose([float(x) for x in done.stdout.split()], expected, atol=1e-3)

        done = self.run_program(program, self.folder / 'nowhere.onnx')
        self.assertEqual(done.returncode, 1)
        self.assertIn('nowhere.onnx: No such file', done.stderr)
        other = self.save('other', [helper.make_node('Relu', ['a'], ['b'])],
                          [('a', [1, 3, 'height', 'width'])], [('b', None)])
        done = self.run_program(program, other)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no input 'image'", done.stderr)

    def test_operator_page(self):
        source, = programs('docs/adding-an-op.md')
        node = helper.make_node('Thin', ['x'], ['t'], domain='com.example', step=3)
        model = self.save('thin', [node, helper.make_node('Relu', ['t'], ['y'])],
                          [('x', [1, 2, 7, 8])], [('y', None)], domains=[('com.example', 1)])
        program = self.compiled('operator', source)
        done = self.run_program(program, model)
        self.assertEqual(done.returncode, 0, done.stderr)
        x = np.arange(112, dtype=np.float32).reshape(2, 7, 8) - 40
        expected = np.maximum(x[:, ::3, ::3], 0).ravel()
        self.assertEqual([float(v) for v in done.stdout.split()], expected.tolist())

        node.attribute[0].i = 17
        done = self.run_program(program, self.save('wrong', [node], [('x', [1, 2, 7, 8])],
                                                   [('t', None)]))
        self.assertEqual(done.returncode, 1)
        self.assertIn('step 17, 1 to 16 were expected', done.stderr)

    def test_exported_symbols(self):
        """All that the header declares, and nothing else."""
        listing = command('nm', '-D', '--defined-only', '--format=posix', self.library)
        exported = {line.split()[0].split('@')[0] for line in listing.splitlines()}
        self.assertGreater(len(public_functions()), 50)
        self.assertEqual(exported, public_functions())

    def test_header_is_installed_as_it_is(self):
        header = next(self.root.rglob('nn.h'))
        self.assertEqual(header.read_text(), HEADER.read_text())
        self.assertIn(f'-I{header.parent}', self.flags('--cflags'))

    def test_version(self):
        source = '''#include <nn.h>
                    #include <stdio.h>
                    int main(void) { puts(nn_version()); return 0; }'''
        done = self.run_program(self.compiled('version', source))
        self.assertEqual(done.stdout.strip(),
                         command('pkg-config', '--modversion', 'plated-nn', env=self.env).strip())

    def test_standards_of_c(self):
        for standard in ('c99', 'c11', 'gnu17'):
            with self.subTest(standard=standard):
                (self.folder / 'alone.c').write_text('#include <nn.h>\nint unused;\n')
                command('cc', f'-std={standard}', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-c',
                        '-o', self.folder / 'alone.o', self.folder / 'alone.c',
                        *self.flags('--cflags'))

    def test_cpp(self):
        if not shutil.which('c++'):
            self.skipTest('there is no C++ compiler')
        source = '''#include <nn.h>
                    #include <iostream>
                    int main()
                    {
                        NnContextOptions options{};
                        NnContext *context = nullptr;
                        NnError error;
                        options.threads = 1;
                        if (nn_context_new(&options, &context, &error) < 0)
                            return 1;
                        std::cout << nn_context_threads(context) << '\\n';
                        nn_context_free(context);
                    }'''
        (self.folder / 'cpp.cpp').write_text(source)
        command('c++', '-std=c++17', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-o',
                self.folder / 'cpp', self.folder / 'cpp.cpp', *self.flags('--cflags', '--libs'))
        self.assertEqual(self.run_program(self.folder / 'cpp').stdout, '1\n')


if __name__ == '__main__':
    unittest.main()

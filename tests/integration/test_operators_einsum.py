#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Einsum against numpy's."""
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import Case, f32, random


class Einsum(Case):
    def einsum(self, equation, *inputs, threads=1):
        wide = [i.astype(np.float64) if i.dtype == np.float32 else i for i in inputs]
        expected = np.asarray(np.einsum(equation, *wide)).astype(inputs[0].dtype)
        self.check('Einsum', list(inputs), expected, 12, threads, equation=equation)

    def test_one_input(self):
        for equation, shape in (('ij->ji', (3, 5)), ('ij->', (3, 5)), ('ii->i', (4, 4)),
                                ('ii', (4, 4)),
                                ('...ii->...', (2, 3, 4, 4)),
                                ('bAa', (2, 3, 4)), ('...ij->...ji', (2, 3, 4, 5)), ('i...->...', (2, 3, 4)),
                                ('iji->j', (3, 2, 3)), (' i j -> j ', (2, 3)), ('...', (2, 3))):
            self.einsum(equation, f32(*shape))
        self.check('Einsum', [np.float32(7)], np.float32(7), 12, equation='')

    def test_products(self):
        """Those that a matrix product does, with all that must be reordered for it."""
        for equation, a, b in (('ij,jk->ik', (3, 4), (4, 5)), ('ij,jk', (3, 4), (4, 5)),
                               ('ji,kj->ki', (3, 4), (5, 3)), ('i,j->ij', (3,), (4,)),
                               ('i,i->', (3,), (3,)), ('bij,bjk->bik', (2, 3, 4), (2, 4, 5)),
                               ('bqhd,bkhd->bhqk', (2, 5, 3, 4), (2, 6, 3, 4)),
                               ('bhqk,bkhd->bqhd', (2, 3, 5, 6), (2, 6, 3, 4)),
                               ('nctv,tvw->nctw', (2, 3, 4, 5), (4, 5, 6)),
                               ('nctv,vw->nctw', (2, 3, 4, 5), (5, 6)),
                               ('abc,cd->dba', (2, 3, 4), (4, 5)),
                               ('...ij,...jk->...ik', (2, 1, 3, 4), (5, 4, 6)),
                               ('...ij,jk->...ik', (2, 7, 3, 4), (4, 6)),
                               ('...,...', (3, 1), (4,)), ('bii,bj->bji', (2, 3, 3), (2, 4)),
                               ('ij,ij->ij', (3, 4), (3, 4)),
                               ('abcd,dcba->', (2, 3, 4, 5), (5, 4, 3, 2))):
            self.einsum(equation, f32(*a), f32(*b))

    def test_sums(self):
        """What no matrix product does."""
        self.einsum('ij,kl->', f32(3, 4), f32(2, 5))
        self.einsum('ij,jk->k', f32(3, 4), f32(4, 5))
        self.einsum('ij,jk,kl->il', f32(3, 4), f32(4, 5), f32(5, 2))
        self.einsum('i,i,i,i->i', *[f32(5) for _ in range(4)])
        self.einsum('bij,bjk,bk->bi', f32(2, 3, 4), f32(2, 4, 5), f32(2, 5))
        self.einsum('...a,...b,ab->...', f32(2, 3, 4), f32(3, 5), f32(4, 5))

    def test_types(self):
        for dtype in (np.float64, np.int32, np.int64, np.uint8):
            a, b = [random.uniform(0, 9, s).astype(dtype) for s in ((3, 4), (4, 5))]
            self.einsum('ij,jk->ki', a, b)
            self.einsum('ij->j', a)

    def test_large(self):
        for threads in (1, 4):
            self.einsum('bqhd,bkhd->bhqk', f32(2, 67, 5, 33), f32(2, 71, 5, 33), threads=threads)
            self.einsum('ijk->kj', f32(30, 41, 52), threads=threads)

    def test_refused(self):
        x = f32(3, 4)
        for words, equation, inputs in (
                ("'1' where a label", '1', [x]), ("'-' where '->'", 'ij-', [x]),
                ("'..j->j' where a label", 'i..j->j', [x]),
                ("'...->i' where a label", '...i...->i', [x]),
                ("',k' behind its output", 'ij->i,k', [x]),
                ('more than 8 labels', 'abcdefghij', [x]),
                ('has 2 dimensions, its term has 3', 'ijk', [x]),
                ('has 2 dimensions, its term has 1', 'i', [x]),
                ('1 inputs, the equation has 2', 'ij,jk', [x]),
                ('is in no input', 'ij->k', [x]), ('is there twice', 'ij->ii', [x]),
                ('stands for 4 and for 3', 'ij,jk', [x, x]), ('stands for 3 and for 4', 'ii', [x]),
                ('more than 16 terms', ','.join(['i'] * 17), [x]),
                ('products to add up', ','.join('abcdefghijklmnop') + '->',
                 [f32(6) for _ in range(16)]),
                ('too large', ','.join('abcdefgh') + '->abcdefgh', [f32(30) for _ in range(8)]),
                ('expected float32 like input 0', 'i,i', [f32(2), np.arange(2)])):
            self.refuse(words, 'Einsum', inputs, 12, equation=equation)
        self.refuse('would have 9 dimensions', 'Einsum', [f32(1) for _ in range(9)], 12,
                    equation='a,b,c,d,e,f,g,h,i')


if __name__ == '__main__':
    unittest.main()

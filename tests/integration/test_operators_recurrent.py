#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""RNN, GRU and LSTM against PyTorch where that has the form, and against the equations of the
specification in numpy where it does not."""
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_operators import Case, f32

try:
    import torch
except ImportError:
    torch = None

GATES = {'RNN': 1, 'GRU': 3, 'LSTM': 4}
DEFAULTS = {'RNN': ['Tanh'], 'GRU': ['Sigmoid', 'Tanh'], 'LSTM': ['Sigmoid', 'Tanh', 'Tanh']}
FUNCTIONS = {
    'Affine': lambda x, a, b: a * x + b,
    'Elu': lambda x, a, b: np.where(x < 0, a * np.expm1(x), x),
    'HardSigmoid': lambda x, a, b: np.clip(a * x + b, 0, 1),
    'LeakyRelu': lambda x, a, b: np.where(x < 0, a * x, x),
    'Relu': lambda x, a, b: np.maximum(x, 0),
    'ScaledTanh': lambda x, a, b: a * np.tanh(b * x),
    'Sigmoid': lambda x, a, b: 1 / (1 + np.exp(-x)),
    'Softplus': lambda x, a, b: np.log1p(np.exp(x)),
    'Softsign': lambda x, a, b: x / (1 + np.abs(x)),
    'Tanh': lambda x, a, b: np.tanh(x),
    'ThresholdedRelu': lambda x, a, b: np.where(x >= a, x, 0),
}
HAS_ALPHA = ('Affine', 'Elu', 'HardSigmoid', 'LeakyRelu', 'ScaledTanh', 'ThresholdedRelu')
HAS_BETA = ('Affine', 'HardSigmoid', 'ScaledTanh')
ALPHA = {'Elu': 1, 'HardSigmoid': 0.2, 'LeakyRelu': 0.01, 'ThresholdedRelu': 1}


def functions(op, n, names, alphas, betas):
    alphas, betas, result = list(alphas), list(betas), []
    for name in names or DEFAULTS[op] * n:
        a = alphas.pop(0) if name in HAS_ALPHA and alphas else ALPHA.get(name, 1)
        b = betas.pop(0) if name in HAS_BETA and betas else 0.5 if name == 'HardSigmoid' else 0
        result.append(lambda x, f=FUNCTIONS[name], a=a, b=b: f(x, a, b))
    return result


def one_sequence(op, x, w, r, bias, h, c, p, act, clip, linear, coupled):
    """All states of one sequence of one direction, in float64."""
    n = r.shape[1]
    wb, rb = bias[:len(w)], bias[len(w):]
    bound = (lambda v: np.clip(v, -clip, clip)) if clip else (lambda v: v)
    states = []
    for row in x:
        a, s = w @ row + wb, r @ h + rb
        if op == 'RNN':
            h = act[0](bound(a + s))
        elif op == 'GRU':
            z = act[0](bound((a + s)[:n]))
            reset = act[0](bound((a + s)[n:2 * n]))
            hidden = reset * s[2 * n:] if linear else r[2 * n:] @ (reset * h) + rb[2 * n:]
            h = (1 - z) * act[1](bound(a[2 * n:] + hidden)) + z * h
        else:
            i, o, f, g = np.split(a + s, 4)
            i = act[0](bound(i + p[:n] * c))
            f = 1 - i if coupled else act[0](bound(f + p[2 * n:] * c))
            c = f * c + i * act[1](bound(g))
            h = act[0](bound(o + p[n:2 * n] * c)) * act[2](bound(c))
        states.append(h)
    return np.array(states).reshape(len(x), n), h, c


def reference(op, x, w, r, bias=None, lengths=None, h0=None, c0=None, p=None, direction='forward',
              layout=0, activations=None, activation_alpha=(), activation_beta=(), clip=None,
              linear_before_reset=0, input_forget=0, hidden_size=None):
    """Y, Y_h and Y_c as the specification defines them."""
    d, width, n = len(w), w.shape[1], r.shape[2]
    if layout:
        x = x.swapaxes(0, 1)
        h0, c0 = [v if v is None else v.swapaxes(0, 1) for v in (h0, c0)]
    steps, batch = x.shape[:2]
    bias = np.zeros((d, 2 * width)) if bias is None else bias
    p = np.zeros((d, 3 * n)) if p is None else p
    zeros = np.zeros((d, batch, n))
    h0, c0 = [zeros if v is None else v for v in (h0, c0)]
    act = functions(op, d, activations, activation_alpha, activation_beta)
    y, y_h, y_c = np.zeros((steps, d, batch, n)), zeros.copy(), zeros.copy()
    for k in range(d):
        backward = direction == 'reverse' or k == 1
        for b in range(batch):
            length = steps if lengths is None else lengths[b]
            rows = x[:length, b][::-1] if backward else x[:length, b]
            m = len(act) // d
            states, y_h[k, b], y_c[k, b] = one_sequence(
                op, *[v.astype(np.float64) for v in (rows, w[k], r[k], bias[k], h0[k, b], c0[k, b],
                                                     p[k])],
                act[k * m:k * m + m], clip, linear_before_reset, input_forget)
            y[:length, k, b] = states[::-1] if backward else states
    if layout:
        y, y_h, y_c = y.transpose(2, 0, 1, 3), y_h.swapaxes(0, 1), y_c.swapaxes(0, 1)
    results = [v.astype(np.float32) for v in (y, y_h, y_c)]
    return results if op == 'LSTM' else results[:2]


def weights(op, d, inputs, n):
    return [f32(d, GATES[op] * n, inputs) / 4, f32(d, GATES[op] * n, n) / 4,
            f32(d, 2 * GATES[op] * n) / 4]


class Recurrent(Case):
    def against_equations(self, op, inputs, constant=True, threads=1, opset=14, **attributes):
        expected = reference(op, *inputs, **attributes)
        if constant:
            inputs = [inputs[0], *[(v,) if v is not None else None for v in inputs[1:4]],
                      *inputs[4:]]
        self.check(op, inputs, expected, opset, threads, **attributes)

    def test_directions_and_layouts(self):
        for op in GATES:
            for direction, d in (('forward', 1), ('reverse', 1), ('bidirectional', 2)):
                for layout in (0, 1):
                    x, h0, c0 = f32(6, 3, 7), f32(d, 3, 35), f32(d, 3, 35)
                    if layout:
                        x, h0, c0 = [v.swapaxes(0, 1).copy() for v in (x, h0, c0)]
                    given = [x, *weights(op, d, 7, 35), np.int32([4, 6, 0]), h0]
                    given += [c0] if op == 'LSTM' else []
                    for constant in (True, False):
                        self.against_equations(op, given, constant, direction=direction,
                                               layout=layout)

    def test_gru_linear_before_reset(self):
        for direction, d in (('forward', 1), ('bidirectional', 2)):
            self.against_equations('GRU', [f32(5, 2, 3), *weights('GRU', d, 3, 4)],
                                   direction=direction, linear_before_reset=1)
        self.against_equations('GRU', [f32(5, 2, 3), *weights('GRU', 1, 3, 4)[:2]],
                               linear_before_reset=1)

    def test_lstm_peepholes_and_coupling(self):
        for d in (1, 2):
            given = [f32(5, 2, 3), *weights('LSTM', d, 3, 4), None, None, f32(d, 2, 4), f32(d, 12)]
            for coupled in (0, 1):
                self.against_equations('LSTM', given, input_forget=coupled, hidden_size=4,
                                       direction='bidirectional' if d == 2 else 'forward')

    def test_activations(self):
        x = f32(4, 2, 3)
        for name in FUNCTIONS:
            extra = {}
            if name in HAS_ALPHA:
                extra['activation_alpha'] = [0.3]
            if name in HAS_BETA:
                extra['activation_beta'] = [0.6]
            given = [x, *weights('RNN', 1, 3, 5)]
            self.against_equations('RNN', given, activations=[name], **extra)
            if name not in ('Affine', 'ScaledTanh'):
                self.against_equations('RNN', given, activations=[name])
        self.against_equations('GRU', [x, *weights('GRU', 2, 3, 5)], direction='bidirectional',
                               activations=['HardSigmoid', 'Elu', 'Sigmoid', 'LeakyRelu'],
                               activation_alpha=[0.1, 0.7, 0.3], activation_beta=[0.4])
        self.against_equations('LSTM', [x, *weights('LSTM', 1, 3, 5)],
                               activations=['Softsign', 'Relu', 'ScaledTanh'],
                               activation_alpha=[1.5], activation_beta=[0.5])

    def test_clip(self):
        for op in GATES:
            self.against_equations(op, [3 * f32(6, 2, 4), *weights(op, 1, 4, 6)], clip=0.4)

    def test_missing_outputs(self):
        given = [f32(5, 2, 3), *weights('LSTM', 1, 3, 4)]
        y, y_h, y_c = reference('LSTM', *given)
        for outputs in ([y], [None, y_h], [None, None, y_c], [y, None, y_c]):
            self.check('LSTM', given, outputs, 7)

    def test_large(self):
        for op in GATES:
            for threads in (1, 4):
                self.against_equations(op, [f32(23, 1, 130), *weights(op, 2, 130, 100)], True,
                                       threads, direction='bidirectional')

    @unittest.skipUnless(torch, 'python3-torch is not installed')
    def test_torch(self):
        """The equations above are those of PyTorch too."""
        torch.manual_seed(1)
        order = {'RNN': [0], 'GRU': [1, 0, 2], 'LSTM': [0, 3, 1, 2]}
        for op in GATES:
            module = getattr(torch.nn, op)(6, 5, bidirectional=True)
            x, h0, c0 = f32(7, 2, 6), f32(2, 2, 5), f32(2, 2, 5)

            def stack(name):
                parts = [getattr(module, f'{name}_l0{s}').detach().numpy()
                         for s in ('', '_reverse')]
                return np.stack([np.concatenate([np.split(v, GATES[op])[i] for i in order[op]])
                                 for v in parts])

            state = [torch.from_numpy(v) for v in (h0, c0)]
            with torch.no_grad():
                y, last = module(torch.from_numpy(x), tuple(state) if op == 'LSTM' else state[0])
            expected = [y.numpy().reshape(7, 2, 2, 5).swapaxes(1, 2)]
            expected += [v.numpy() for v in last] if op == 'LSTM' else [last.numpy()]
            bias = np.concatenate([stack('bias_ih'), stack('bias_hh')], 1)
            inputs = [x, stack('weight_ih'), stack('weight_hh'), bias, None, h0]
            self.check(op, inputs + ([c0] if op == 'LSTM' else []), expected, 14,
                       direction='bidirectional', linear_before_reset=1 if op == 'GRU' else 0)

    def test_refused(self):
        x, given = f32(5, 2, 3), weights('LSTM', 1, 3, 4)
        self.refuse("direction is 'up'", 'LSTM', [x, *given], direction='up')
        self.refuse("activation 'Tan' is not known", 'LSTM', [x, *given],
                    activations=['Tan', 'Tanh', 'Tanh'])
        self.refuse('has 2 names, expected 3', 'LSTM', [x, *given], activations=['Tanh', 'Tanh'])
        self.refuse('hidden_size is 5', 'LSTM', [x, *given], hidden_size=5)
        self.refuse('clip is -1', 'LSTM', [x, *given], clip=-1.0)
        self.refuse('input 1 is 1×16×3, expected 2×16×3', 'LSTM', [x, *given],
                    direction='bidirectional')
        self.refuse('input 3 is', 'LSTM', [x, *given[:2], f32(1, 16)])
        self.refuse('input 5 is', 'LSTM', [x, *given, None, f32(1, 3, 4)])
        self.refuse('sequence 1 has the length 6 of 5', 'LSTM', [x, *given, np.int32([1, 6])])
        self.refuse('sequence 0 has the length -1', 'LSTM', [x, *given, np.int32([-1, 5])])
        self.refuse('the weights are empty', 'LSTM', [x, given[0], (f32(1, 0, 0),)])


if __name__ == '__main__':
    unittest.main()

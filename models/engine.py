# SPDX-License-Identifier: Apache-2.0
"""The project's inference engine in Python, through its public C interface.

    net = Engine('models/detector.onnx')
    outputs = net.run(x)            # float32 array in, list of arrays out

The library is build/engine/libplated-nn.so, or what $PLATED_NN_LIBRARY names.
"""
import ctypes
import os
import pathlib

import numpy as np

LIBRARY = pathlib.Path(__file__).resolve().parent.parent / 'build' / 'engine' / 'libplated-nn.so'
F32 = 1


class Tensor(ctypes.Structure):
    _fields_ = [('dtype', ctypes.c_int), ('rank', ctypes.c_int),
                ('dims', ctypes.c_int64 * 8), ('data', ctypes.c_void_p)]

    def array(self):
        """A view of the elements, valid until the next run."""
        shape = tuple(self.dims[:self.rank])
        if self.dtype != F32:
            raise ValueError(f'a tensor of type {self.dtype}: only float32 is read here')
        count = int(np.prod(shape))
        if not count:
            return np.zeros(shape, np.float32)
        flat = ctypes.cast(self.data, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(flat, (count,)).reshape(shape)


class Options(ctypes.Structure):
    _fields_ = [('threads', ctypes.c_int), ('isa', ctypes.c_char_p),
                ('log', ctypes.c_void_p), ('log_userdata', ctypes.c_void_p)]


def library():
    path = os.environ.get('PLATED_NN_LIBRARY', str(LIBRARY))
    if not os.path.exists(path):
        raise SystemExit(f'{path} is not there: build the engine first (./run build)')
    nn = ctypes.CDLL(path)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
            ('nn_model_n_outputs', size, [pointer]),
            ('nn_session_input', ctypes.POINTER(Tensor), [pointer, size]),
            ('nn_session_output', ctypes.POINTER(Tensor), [pointer, size]),
            ('nn_model_flops', ctypes.c_uint64, [pointer]),
            ('nn_model_arena_bytes', size, [pointer]),
            ('nn_session_free', pointer, [pointer]),
            ('nn_model_free', pointer, [pointer]),
            ('nn_context_free', pointer, [pointer])):
        function = getattr(nn, name)
        function.restype, function.argtypes = result, arguments
    return nn


class Engine:
    """One model with one session; close() or the end of the process frees them."""

    def __init__(self, path, threads=1):
        self.nn = library()
        self.error = ctypes.create_string_buffer(512)
        self.context, self.model, self.session = (ctypes.c_void_p() for _ in range(3))
        self._check(self.nn.nn_context_new(ctypes.byref(Options(threads=threads)),
                                           ctypes.byref(self.context), self.error))
        self._check(self.nn.nn_model_load(self.context, str(path).encode(), None,
                                          ctypes.byref(self.model), self.error))
        self._check(self.nn.nn_session_new(self.model, ctypes.byref(self.session), self.error))
        self.outputs = self.nn.nn_model_n_outputs(self.model)

    def _check(self, status):
        if status < 0:
            raise RuntimeError(self.error.value.decode('utf-8', 'replace'))

    def run(self, x):
        """Copies of all outputs for one input of the model's shape."""
        place = self.nn.nn_session_input(self.session, 0).contents.array()
        if place.shape != x.shape:
            raise ValueError(f'the input is {x.shape}, the model takes {place.shape}')
        place[...] = x
        self._check(self.nn.nn_session_run(self.session, self.error))
        return [self.nn.nn_session_output(self.session, i).contents.array().copy()
                for i in range(self.outputs)]

    def flops(self):
        return self.nn.nn_model_flops(self.model)

    def arena_bytes(self):
        return self.nn.nn_model_arena_bytes(self.model)

    def close(self):
        self.session = self.nn.nn_session_free(self.session)
        self.model = self.nn.nn_model_free(self.model)
        self.context = self.nn.nn_context_free(self.context)

# SPDX-License-Identifier: Apache-2.0
"""Stores the weights of an ONNX file in half precision: half the bytes, computed with as before.

    /usr/bin/python3 -m models.halve FILE.onnx ...

Each large initialiser becomes one of float16 and a Cast to float32, which every runtime
folds while it loads. A file that is halved already stays as it is.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LARGE = 256     # elements; biases stay as they are
STORED = "_half"


def halve(model):
    """Changes the model; how many initialisers were halved."""
    graph, casts = model.graph, []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LARGE:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            stored = values.astype(np.float16)
        if not np.isfinite(stored).all():
            raise ValueError(f"{tensor.name}: too large for half precision")
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(stored, tensor.name + STORED))
        casts.append(helper.make_node("Cast", [tensor.name + STORED], [tensor.name],
                                      name=tensor.name + "_cast", to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return len(casts)


def constants(graph):
    """{name: array} of the initialisers, halved ones in single precision."""
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]].astype(np.float32)
    return arrays


def whole(model):
    """Undoes it in the model, for what reads no float16."""
    graph, arrays = model.graph, constants(model.graph)
    for node in [n for n in graph.node if n.op_type == "Cast" and n.output[0] in arrays]:
        graph.node.remove(node)
        graph.initializer.remove(next(i for i in graph.initializer if i.name == node.input[0]))
        graph.initializer.append(numpy_helper.from_array(arrays[node.output[0]], node.output[0]))
    return model


def main(paths):
    if not paths or paths[0].startswith("-"):
        print(__doc__.split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    for path in paths:
        before, model = os.path.getsize(path), onnx.load(path)
        count = halve(model)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        print(f"{path}: {count} tensors, {before:,} to {os.path.getsize(path):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One model in OpenCV DNN or PyTorch, driven by lines on its standard input.

    tests/bench/peer.py opencv|pytorch MODEL INPUT.npy THREADS

OpenCV reads the .onnx file, PyTorch a TorchScript file. Prints a JSON line when it is
ready; then, for each line, another: `run N` gives wall and processor times of N
inferences in ms, `outputs FOLDER` writes the outputs as .npy files in their order.
"""
import json
import os
import pathlib
import sys
import time

import numpy as np


def resident_kb():
    pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGESIZE') // 1024


def opencv(model, x, threads):
    import cv2
    cv2.setNumThreads(threads)
    started = time.monotonic()
    net = cv2.dnn.readNetFromONNX(model)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    names = net.getUnconnectedOutLayersNames()

    def run():
        net.setInput(x)
        return net.forward(names)
    return run, started, names


def pytorch(model, x, threads):
    import torch
    torch.set_num_threads(threads)
    started = time.monotonic()
    net = torch.jit.load(model).eval()
    tensor = torch.from_numpy(x)

    def run():
        with torch.inference_mode():
            y = net(tensor)
        return [v.numpy() for v in (y if isinstance(y, (list, tuple)) else [y])]
    return run, started, None


def timed(run, n):
    told = {'wall': [], 'cpu': [], 'rss_kb': []}
    for _ in range(n):
        cpu, wall = time.process_time(), time.monotonic()
        run()
        told['wall'].append((time.monotonic() - wall) * 1e3)
        told['cpu'].append((time.process_time() - cpu) * 1e3)
        told['rss_kb'].append(resident_kb())
    return told


def write(run, names, folder):
    outputs = run()
    for i, y in enumerate(outputs):
        np.save(f'{folder}/{i}.npy', y)
    return {'names': list(names) if names else None, 'n': len(outputs)}


def main():
    engine, model, path, threads = sys.argv[1:]
    x = np.load(path)
    base_kb = resident_kb()
    run, started, names = {'opencv': opencv, 'pytorch': pytorch}[engine](model, x, int(threads))
    ready = time.monotonic()
    print(json.dumps({'load_ms': (ready - started) * 1e3, 'ready_ms': ready * 1e3,
                      'base_kb': base_kb}), flush=True)
    for line in sys.stdin:
        verb, value = line.split(maxsplit=1)
        told = timed(run, int(value)) if verb == 'run' else write(run, names, value.strip())
        print(json.dumps(told), flush=True)


if __name__ == '__main__':
    main()

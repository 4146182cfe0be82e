# SPDX-License-Identifier: Apache-2.0
"""The caches of models/synth.py and models/pseudo.py as batches, with light augmentation."""
import itertools
import multiprocessing
import os

import cv2
import numpy as np

from models.synth import CACHE


class Cache:
    """One cache: uint8 pictures [N, H, W] (mapped) and per-picture rows (class, x0, y0, x1, y1)."""

    def __init__(self, name, folder=CACHE):
        base = os.path.join(folder, name)
        self.images = np.load(base + ".npy", mmap_mode="r")
        rows = np.load(base + ".npz")["rows"]
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        self.first = np.searchsorted(rows[:, 0], np.arange(len(self.images) + 1))
        self.rows = rows[:, 1:]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return np.array(self.images[i]), self.rows[self.first[i]:self.first[i + 1]].copy()


def statistics(caches, count=2000):
    """Mean and standard deviation of pixels on the 0...1 scale, letterbox zeros included."""
    parts = [c.images[:: max(1, len(c) // count)] for c in caches]
    s = sum(float(p.sum(dtype=np.float64)) for p in parts) / 255
    n = sum(p.size for p in parts)
    mean = s / n
    var = sum(float(((p.astype(np.float32) / 255 - mean) ** 2).sum(dtype=np.float64)) for p in parts) / n
    return mean, var ** 0.5


def augment(rng, img, rows, flip):
    """Small changes at training time: place and size, light, noise, blur; mirror for the detector."""
    H, W = img.shape
    if rng.random() < 0.7:
        s = np.exp(rng.normal(0, 0.09 if not flip else 0.14))
        sx, sy = s * np.exp(rng.normal(0, 0.05)), s
        tx = (W - sx * W) / 2 + rng.normal(0, 0.02 if not flip else 0.06) * W
        ty = (H - sy * H) / 2 + rng.normal(0, 0.03 if not flip else 0.06) * H
        img = cv2.warpAffine(img, np.float32([[sx, 0, tx], [0, sy, ty]]), (W, H))
        if len(rows):
            full = rows[:, 1:] * [sx, sy, sx, sy] + [tx, ty, tx, ty]
            cut = np.clip(full, 0, [W, H, W, H])
            area = lambda b: np.maximum(b[:, 2] - b[:, 0], 0) * np.maximum(b[:, 3] - b[:, 1], 0)
            keep = area(cut) > 0.45 * area(full)
            rows = np.concatenate([rows[:, :1], cut], 1)[keep]
    if flip and rng.random() < 0.5:
        img = img[:, ::-1]
        rows = rows.copy()
        rows[:, [1, 3]] = W - rows[:, [3, 1]]
    gain, bias = np.exp(rng.normal(0, 0.2)), rng.normal(0, 14)
    # The letterbox stays zero, as it does in the pipeline.
    lut = np.clip(np.arange(256) * gain + bias, 0, 255)
    if not flip and rng.random() < 0.08:
        lut = 255 - lut
    lut[0] = 0
    img = lut.astype(np.uint8)[img]
    roll = rng.random()
    if roll < 0.1:
        img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.4, 1.2))
    elif roll < 0.2:
        noise = rng.normal(0, rng.uniform(2, 10), img.shape)
        img = np.where(img > 0, np.clip(img + noise, 0, 255), 0).astype(np.uint8)
    return np.ascontiguousarray(img), rows


class Batches:
    """Endless batches: (uint8 [B, H, W], targets [n, 6] of image, class, cx, cy, w, h)."""

    def __init__(self, caches, weights, batch, flip, seed):
        self.caches, self.batch, self.flip = caches, batch, flip
        self.weights = np.array(weights, float) / sum(weights)
        self.rng = np.random.default_rng(seed)
        self.order = [[] for _ in caches]

    def _next(self):
        k = int(self.rng.choice(len(self.caches), p=self.weights))
        if not self.order[k]:
            self.order[k] = self.rng.permutation(len(self.caches[k])).tolist()
        return self.caches[k][self.order[k].pop()]

    def __iter__(self):
        return self

    def __next__(self):
        images, targets = [], []
        for i in range(self.batch):
            img, rows = augment(self.rng, *self._next(), self.flip)
            images.append(img)
            targets.append(to_targets(rows, i))
        return np.stack(images), np.concatenate(targets).astype(np.float32)


def batches(caches, weights, batch, flip, seed, workers=0):
    """Batches made here, or in turn by that many forked processes, each with its own seed: with
    the same number of workers they come in the same order again."""
    if not workers:
        return Batches(caches, weights, batch, flip, (*seed, 0))
    pipes, fork = [], multiprocessing.get_context("fork")
    for k in range(workers):
        ours, theirs = fork.Pipe(duplex=False)
        made = Batches(caches, weights, batch, flip, (*seed, k))
        process = fork.Process(target=_send, args=(theirs, made), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
    return (pipe.recv() for pipe in itertools.cycle(pipes))


def _send(pipe, made):
    """A worker: a pipe holds little, so it is never more than a batch ahead."""
    cv2.setNumThreads(1)
    try:
        for batch in made:
            pipe.send(batch)
    except (BrokenPipeError, KeyboardInterrupt):
        pass


def to_targets(rows, index):
    """Corner rows to (image, class, cx, cy, w, h)."""
    if not len(rows):
        return np.zeros((0, 6), np.float32)
    c, x0, y0, x1, y1 = rows.T
    return np.stack([np.full(len(rows), index), c, (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], 1)

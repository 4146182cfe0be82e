# SPDX-License-Identifier: Apache-2.0
"""Detect and read in Python: the pipeline in short, for evaluation and for labelling.

    Recognizer(detector, reader).read(gray) -> [{box, detection, plate, characters}]
"""
import numpy as np
import torch

from models import loss as L
from models import networks, plates, synth


class Network:
    """A trained checkpoint with its normalisation and input size."""

    def __init__(self, path):
        self.net, meta, rest = networks.load(path)
        self.mean, self.std = float(meta["plated.mean"]), float(meta["plated.std"])
        self.size = tuple(rest["size"])

    @torch.no_grad()
    def scores(self, images):
        """All boxes of letterboxed uint8 pictures [N, H, W], as L.decode gives them."""
        x = (np.asarray(images)[:, None].astype(np.float32) / 255 - self.mean) / self.std
        maps = self.net(torch.from_numpy(x.astype(np.float32)))
        return L.decode(maps, self.net.anchors, self.net.strides)

    def find(self, images, confidence):
        """Suppressed rows of letterboxed uint8 pictures [N, H, W]."""
        overlap, contained = (0.45, 0.7) if self.net.head.nc == 1 else (0.3, 0.4)
        return [L.suppress(f, confidence, overlap, contained) for f in self.scores(images)]


class Recognizer:
    def __init__(self, detector, reader, detect_confidence=0.35, read_confidence=0.35):
        self.detector, self.reader = Network(detector) if detector else None, Network(reader)
        self.detect_confidence, self.read_confidence = detect_confidence, read_confidence

    def detect(self, gray):
        """Plates as (x0, y0, x1, y1, confidence) in the picture's pixels."""
        img, s, (dx, dy) = synth.letterbox(gray, self.detector.size)
        rows = self.detector.find([img], self.detect_confidence)[0]
        rows[:, :4] = (rows[:, :4] - [dx, dy, dx, dy]) / s
        return rows[:, :5]

    def read_crop(self, crop):
        """(text, confidences, rows in the crop's pixels) of one cut."""
        img, s, (dx, dy) = synth.letterbox(crop, self.reader.size)
        rows = self.reader.find([img], self.read_confidence)[0]
        rows[:, :4] = (rows[:, :4] - [dx, dy, dx, dy]) / s
        text, confidences = L.reading(rows, plates.ALPHABET)
        return text, confidences, rows

    def cut(self, gray, box):
        H, W = gray.shape
        mw, mh = (box[2] - box[0]) * synth.MARGIN, (box[3] - box[1]) * synth.MARGIN
        x0, y0 = int(max(0, round(box[0] - mw))), int(max(0, round(box[1] - mh)))
        x1, y1 = int(min(W, round(box[2] + mw))), int(min(H, round(box[3] + mh)))
        return gray[y0:max(y1, y0 + 2), x0:max(x1, x0 + 2)]

    def read(self, gray):
        """Plates of one picture, in the shape of `platectl read --json`."""
        out = []
        for row in self.detect(gray):
            text, confidences, _ = self.read_crop(self.cut(gray, row))
            x0, y0, x1, y1 = (float(v) for v in row[:4])
            out.append({"plate": text, "confidence": float(np.prod(confidences)) if confidences else 0.0,
                        "detection": float(row[4]), "box": [x0, y0, x1 - x0, y1 - y0],
                        "candidates": [], "region": None})
        return out

# SPDX-License-Identifier: Apache-2.0
"""A trained detector or reader run on letterboxed pictures, for labelling."""
import numpy as np
import torch

from models import loss as L
from models import networks


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


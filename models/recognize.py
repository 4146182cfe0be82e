# SPDX-License-Identifier: Apache-2.0
"""A trained detector or reader run on letterboxed pictures, for labelling."""
import numpy as np
import torch

from models import loss as L
from models import networks


class Network:
    """A trained checkpoint with its normalisation and input size."""

    def __init__(self, path, device="cpu"):
        self.net, meta, rest = networks.load(path)
        self.net.to(device)
        self.mean, self.std = float(meta["plated.mean"]), float(meta["plated.std"])
        self.size = tuple(rest["size"])

    @torch.no_grad()
    def scores(self, images):
        """All boxes of letterboxed uint8 pictures [N, H, W], as L.decode gives them."""
        x = torch.from_numpy(np.asarray(images)[:, None]).to(self.net.anchors.device)
        maps = self.net(x.float().div_(255).sub_(self.mean).div_(self.std))
        return L.decode(maps, self.net.anchors, self.net.strides)

    def find(self, images, confidence):
        """Suppressed rows of letterboxed uint8 pictures [N, H, W]."""
        overlap, contained = (0.45, 0.7) if self.net.head.nc == 1 else (0.3, 0.4)
        return [L.suppress(f, confidence, overlap, contained) for f in self.scores(images)]


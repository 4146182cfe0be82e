# SPDX-License-Identifier: Apache-2.0
"""Train the plate detector or the plate reader (YOLOv7-tiny, narrowed; or another YOLO).

    /usr/bin/python3 -m models.synth detector && /usr/bin/python3 -m models.synth detector --val
    /usr/bin/python3 -m models.train_yolo detector --minutes 75 --out models/.cache/detector

Adam with one warm-up and a cosine to the end of the time (or of --steps), an
exponential moving average of the weights, a checkpoint every few minutes
(<out>.last.pt, resumed by --resume) and the best one on the validation part
(<out>.pt), which models/export.py turns into ONNX. --device cuda --bf16 --workers 12
where there is a GPU; with the same seed, steps and workers a training on CPU repeats.
"""
import argparse
import copy
import json
import math
import os
import sys
import time

import cv2
import numpy as np
import torch

from models import loss as L
from models import networks, plates, prune, synth
from models.dataset import Cache, batches, statistics

PLATE_THRESHOLD = 0.35      # of the pipeline

TASKS = {
    "detector": dict(
        task="detect", classes=["plate"], size=synth.DETECT_SIZE,
        val="detector-real,detector-val-1,empty-val-1", flip=True, ratio=4.0, cls=0.05, batch=16,
        lr=2e-3, confidence=0.01, overlap=0.45, contained=0.7,
        # k-means of the scenes' boxes at 384x384, by area.
        anchors=((12, 6, 19, 9, 28, 14), (40, 20, 56, 28, 85, 42), (130, 60, 170, 110, 300, 220))),
    "reader": dict(
        task="read", classes=list(plates.ALPHABET), size=synth.READ_SIZE, val="reader-val-1", flip=False, ratio=2.6, cls=1.0,
        batch=32, lr=3e-3, confidence=0.25, overlap=0.3, contained=0.4,
        # k-means of the characters at 128x256; the coarsest level serves huge ones.
        anchors=((8, 36, 14, 30, 16, 46), (21, 48, 22, 58, 30, 56), (44, 72, 60, 96, 90, 100))),
}


class Average:
    """Exponential moving average of weights and batch statistics."""

    def __init__(self, net, decay=0.998):
        self.net, self.decay, self.steps = copy.deepcopy(net).eval(), decay, 0
        for p in self.net.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, net):
        self.steps += 1
        d = self.decay * (1 - math.exp(-self.steps / 300))
        theirs = net.state_dict()
        for k, v in self.net.state_dict().items():
            if v.dtype.is_floating_point:
                v.mul_(d).add_(theirs[k].detach(), alpha=1 - d)
            else:
                v.copy_(theirs[k])


@torch.no_grad()
def predict(net, images, mean, std, conf, batch=32):
    """Suppressed rows for uint8 pictures [N, H, W]."""
    found = []
    for i in range(0, len(images), batch):
        x = torch.from_numpy(np.array(images[i:i + batch])[:, None]).to(net.anchors.device)
        maps = net(x.float().div_(255).sub_(mean).div_(std))
        found += [L.suppress(f, conf["confidence"], conf["overlap"], conf["contained"])
                  for f in L.decode(maps, net.anchors, net.strides)]
    return found


def validate(net, caches, conf, mean, std, limit):
    """Figures on held-out caches: {name: {...}} and the one number that picks the best.

    Of a cache without any object, clean is the share of pictures in which none is found."""
    report, score = {}, 0.0
    for name, cache in caches.items():
        n = min(limit, len(cache))
        found = predict(net, cache.images[:n], mean, std, conf)
        truth = [cache[i][1] for i in range(n)]
        entry = {"map50": round(L.average_precision(found, truth), 4)}
        if not any(map(len, truth)):
            clean = np.mean([not (f[:, 4] >= PLATE_THRESHOLD).any() for f in found])
            entry = {"clean": round(float(clean), 4)}
        if conf["task"] == "read":
            exact = 0
            for f, t in zip(found, truth):
                want = np.concatenate([t[:, 1:], np.ones((len(t), 1)), t[:, :1]], 1)
                exact += L.reading(f, plates.ALPHABET)[0] == L.reading(want, plates.ALPHABET)[0]
            entry["exact"] = round(exact / n, 4)
        score += entry.get("exact", entry.get("clean", entry.get("map50")))
        report[name] = entry
    return report, score / max(1, len(caches))


def learning_rate(peak, done, warm=0.04):
    """Warm up, then a cosine down to a fiftieth; done in 0...1."""
    if done < warm:
        return peak * (0.05 + 0.95 * done / warm)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm))))


def metadata_of(conf, mean, std, version):
    return {"plated.task": conf["task"], "plated.version": version,
            "plated.classes": ",".join(conf["classes"]), "plated.mean": f"{mean:.6f}",
            "plated.std": f"{std:.6f}", "plated.letterbox": "zeros"}


def optimizer_of(net, lr):
    """Weight decay on convolution weights alone."""
    decay = [p for p in net.parameters() if p.ndim > 1 and p.shape[0] > 1]
    ids = {id(p) for p in decay}
    rest = [p for p in net.parameters() if id(p) not in ids]
    return torch.optim.AdamW([{"params": decay, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}],
                             lr=lr, betas=(0.9, 0.99))


def parse(argv=None):
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=sorted(TASKS))
    ap.add_argument("--data", help="caches, NAME[:weight],... (default: WHAT-train-1)")
    ap.add_argument("--val", help="caches of the validation part ")
    ap.add_argument("--out", help="checkpoint without .pt (default: models/.cache/WHAT)")
    ap.add_argument("--network", default="yolov7-tiny",
                    choices=("yolov7-tiny", "yolov7", "yolov5n", "yolov5m"))
    ap.add_argument("--width", type=float, default=0.5)
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--steps", type=int, help="instead of --minutes: the schedule then repeats exactly")
    ap.add_argument("--batch", type=int)
    ap.add_argument("--lr", type=float)
    ap.add_argument("--start", help="checkpoint to begin from, with a fresh schedule")
    ap.add_argument("--resume", action="store_true")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--every", type=float, default=5, help="minutes between validations")
    ap.add_argument("--limit", type=int, default=400, help="pictures a validation cache")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--workers", type=int, default=0, help="processes that make batches")
    ap.add_argument("--device", default="cpu", help="cpu or cuda")
    ap.add_argument("--bf16", action="store_true", help="convolutions in bfloat16: twice as fast "
                    "where the CPU has AVX-512 BF16; on a GPU always sensible")
    ap.add_argument("--prune", help="static:CONV,BN, dynamic:CONV,BN or slim:PENALTY, see prune.py")
    ap.add_argument("--version", default="1")
    args = ap.parse_args(argv)
    if args.device != "cpu" and not torch.cuda.is_available():
        ap.error(f"--device {args.device}: PyTorch sees no such device")
    if args.prune:
        try:
            prune.parse(args.prune)
        except ValueError as error:
            ap.error(f"--prune {error}")
    return args


class Training:
    """A network with its average, optimiser, data and place in the schedule."""

    def __init__(self, args):
        self.args, self.conf = args, TASKS[args.what]
        conf = self.conf
        self.out = args.out or os.path.join(synth.CACHE, args.what)
        specs = [(s.split(":") + ["1"])[:2] for s in (args.data or f"{args.what}-train-1").split(",")]
        self.caches = [Cache(n) for n, _ in specs]
        self.weights = [float(w) for _, w in specs]
        self.vals = {n: Cache(n) for n in (args.val or conf["val"]).split(",")}
        self.batch = args.batch or conf["batch"]
        self.net = networks.build({"name": args.network, "nc": len(conf["classes"]), "ch": 1,
                                   "width": args.width, "anchors": conf["anchors"]})
        self.mean, self.std = statistics(self.caches)
        self.elapsed, self.step, self.best = 0.0, 0, -1.0
        self._load(self.out + ".last.pt" if args.resume else args.start)
        self.metadata = metadata_of(conf, self.mean, self.std, args.version)
        self.criterion = L.YoloLoss(self.net, cls=conf["cls"], ratio=conf["ratio"])

    def _load(self, source):
        """Weights, average and optimiser: new, or those of a checkpoint."""
        started = rest = None
        if source:
            started, meta, rest = networks.load(source)
            self.net.load_state_dict(rest["live"] if self.args.resume else started.state_dict())
            self.mean, self.std = float(meta["plated.mean"]), float(meta["plated.std"])
        self.net.to(self.args.device).train()
        if self.args.bf16:
            self.net.to(memory_format=torch.channels_last)
        self.ema = Average(self.net)
        self.opt = optimizer_of(self.net, self.args.lr or self.conf["lr"])
        self.pruner = prune.Pruner(self.net, self.args.prune) if self.args.prune else None
        if self.args.resume:
            self.elapsed, self.step, self.best = rest["elapsed"], rest["step"], rest["best"]
            self.opt.load_state_dict(rest["optimizer"])
            self.ema.net.load_state_dict(started.state_dict())
            self.ema.steps = rest["ema_steps"]
            if self.pruner:
                self.pruner.restore(rest["masks"])

    def learn(self, images, targets, rate):
        """One step; the loss and its parts as a tensor."""
        for g in self.opt.param_groups:
            g["lr"] = rate
        x = torch.from_numpy(images).to(self.args.device, non_blocking=True)[:, None]
        x = x.float().div_(255).sub_(self.mean).div_(self.std)
        if self.args.bf16:
            x = x.contiguous(memory_format=torch.channels_last)
        kind = "cpu" if self.args.device == "cpu" else "cuda"
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=self.args.bf16):
            maps = self.net(x)
        total, parts = self.criterion([m.float() for m in maps],
                                      torch.from_numpy(targets).to(self.args.device))
        self.opt.zero_grad(set_to_none=True)
        (total + (self.pruner.penalty() if self.pruner else 0)).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.opt.step()
        if self.pruner:
            self.pruner.apply()
        self.ema.update(self.net)
        self.step += 1
        return torch.cat([total.detach()[None], parts])

    def report(self, pictures, seconds, sums):
        """Validates the average, saves it when it is the best, and saves what --resume needs."""
        smooth = self.smooth()
        report, score = validate(smooth, self.vals, self.conf, self.mean, self.std, self.args.limit)
        loss = (sums / max(1, pictures)).tolist() if pictures else []
        line = {"minutes": round(self.elapsed / 60, 1), "step": self.step,
                "per_s": round(pictures / max(1e-9, seconds), 1),
                "loss": [round(v, 4) for v in loss], "val": report}
        if self.pruner:
            line["zeros"] = [round(v, 4) for v in prune.sparsity(smooth)]
        print(json.dumps(line), flush=True)
        extra = dict(size=list(self.conf["size"]), step=self.step, val=report)
        if score >= self.best:
            self.best = score
            self._save(self.out + ".pt", smooth, **extra)
        self._save(self.out + ".last.pt", smooth, **extra, live=self.net.state_dict(),
                   best=self.best, optimizer=self.opt.state_dict(), elapsed=self.elapsed,
                   ema_steps=self.ema.steps, masks=self.pruner.state() if self.pruner else [])

    def smooth(self):
        """The average, with what is pruned as zero as in the network itself."""
        smooth = self.ema.net.eval()
        if self.pruner:
            for (_, mask), layer in zip(self.pruner.masks or (), prune.Pruner(
                    smooth, self.args.prune).layers()):
                layer.weight.mul_(mask)
        return smooth

    def _save(self, path, net, **rest):
        """In one step: a training that is ended while it saves can still be resumed."""
        networks.save(path + ".part", net, self.metadata, **rest)
        os.replace(path + ".part", path)

    def done(self, begin):
        """The share of the schedule that is behind."""
        self.elapsed = time.time() - begin
        if self.args.steps:
            return self.step / self.args.steps
        return self.elapsed / (self.args.minutes * 60)

    def run(self):
        data = batches(self.caches, self.weights, self.batch, self.conf["flip"],
                       (self.args.seed, self.step), self.args.workers)
        epoch = max(1, sum(len(c) for c in self.caches) // self.batch)
        rate = self.args.lr or self.conf["lr"]
        begin, last, seen, sums = time.time() - self.elapsed, time.time(), 0, 0
        while (done := self.done(begin)) < 1:
            if self.pruner and (self.step % epoch == 0 or self.pruner.masks is None):
                self.pruner.epoch()
            images, targets = next(data)
            sums = sums + self.learn(images, targets, learning_rate(rate, done)) * len(images)
            seen += len(images)
            if time.time() - last > self.args.every * 60:
                self.report(seen, time.time() - last, sums)
                last, seen, sums = time.time(), 0, 0
        self.report(seen, time.time() - last, sums)


def main(argv=None):
    args = parse(argv)
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    training = Training(args)
    print(json.dumps({"what": args.what, "mean": training.mean, "std": training.std,
                      "images": [len(c) for c in training.caches],
                      "parameters": networks.parameters(training.net)}), flush=True)
    training.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

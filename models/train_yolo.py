# SPDX-License-Identifier: Apache-2.0
"""Train the plate detector or the plate reader (YOLOv7-tiny, narrowed).

    /usr/bin/python3 -m models.synth detector && /usr/bin/python3 -m models.synth detector --val
    /usr/bin/python3 -m models.train_yolo detector --minutes 75 --out models/.cache/detector

Adam with one warm-up and a cosine to the end of the time (or of --steps), an
exponential moving average of the weights, a checkpoint every few minutes
(<out>.last.pt, resumed by --resume) and the best one on the validation part
(<out>.pt), which models/export.py turns into ONNX. Runs on CPU; --device cuda
where there is one.
"""
import argparse
import copy
import json
import math
import os
import time

import cv2
import numpy as np
import torch

from models import loss as L
from models import networks, plates, synth
from models.dataset import Batches, Cache, statistics

TASKS = {
    "detector": dict(
        task="detect", classes=["plate"], size=synth.DETECT_SIZE, val="detector-real,detector-val-1", flip=True, ratio=4.0, cls=0.05,
        batch=16, lr=2e-3, confidence=0.01, overlap=0.45, contained=0.7,
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
        x = (np.asarray(images[i:i + batch])[:, None].astype(np.float32) / 255 - mean) / std
        maps = net(torch.from_numpy(x.astype(np.float32)))
        found += [L.suppress(f, conf["confidence"], conf["overlap"], conf["contained"])
                  for f in L.decode(maps, net.anchors, net.strides)]
    return found


def validate(net, caches, conf, mean, std, limit):
    """Figures on held-out caches: {name: {...}} and the one number that picks the best."""
    report, score = {}, 0.0
    for name, cache in caches.items():
        n = min(limit, len(cache))
        found = predict(net, cache.images[:n], mean, std, conf)
        truth = [cache[i][1] for i in range(n)]
        entry = {"map50": round(L.average_precision(found, truth), 4)}
        if conf["task"] == "read":
            exact = 0
            for f, t in zip(found, truth):
                want = np.concatenate([t[:, 1:], np.ones((len(t), 1)), t[:, :1]], 1)
                exact += L.reading(f, plates.ALPHABET)[0] == L.reading(want, plates.ALPHABET)[0]
            entry["exact"] = round(exact / n, 4)
        score += entry.get("exact", entry["map50"])
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
    ap.add_argument("--bf16", action="store_true",
                    help="convolutions in bfloat16: twice as fast where the CPU has AVX-512 BF16")
    ap.add_argument("--version", default="1")
    return ap.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    conf = TASKS[args.what]
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    out = args.out or os.path.join(synth.CACHE, args.what)
    specs = [(s.split(":") + ["1"])[:2] for s in (args.data or f"{args.what}-train-1").split(",")]
    caches = [Cache(n) for n, _ in specs]
    vals = {n: Cache(n) for n in (args.val or conf["val"]).split(",")}
    net = networks.build({"name": "yolov7-tiny", "nc": len(conf["classes"]), "ch": 1,
                          "width": args.width, "anchors": conf["anchors"]})
    mean, std = statistics(caches)
    elapsed, step, best = 0.0, 0, -1.0
    source = out + ".last.pt" if args.resume else args.start
    if source:
        started, meta, rest = networks.load(source)
        net.load_state_dict(rest["live"] if args.resume else started.state_dict())
        mean, std = float(meta["plated.mean"]), float(meta["plated.std"])
    net.train()
    if args.bf16:
        net.to(memory_format=torch.channels_last)
    ema = Average(net)
    opt = optimizer_of(net, args.lr or conf["lr"])
    if args.resume:
        elapsed, step, best = rest["elapsed"], rest["step"], rest["best"]
        opt.load_state_dict(rest["optimizer"])
        ema.net.load_state_dict(started.state_dict())
        ema.steps = rest["ema_steps"]
    criterion = L.YoloLoss(net, cls=conf["cls"], ratio=conf["ratio"])
    metadata = metadata_of(conf, mean, std, args.version)
    batches = Batches(caches, [float(w) for _, w in specs], args.batch or conf["batch"], mean, std,
                      conf["flip"], (args.seed, step))
    print(json.dumps({"what": args.what, "mean": mean, "std": std, "images": [len(c) for c in caches],
                      "gflop": networks.flops(net, *conf["size"]) / 1e9,
                      "parameters": networks.parameters(net)}), flush=True)
    net.train()
    begin, last_val, seen, sums = time.time() - elapsed, time.time(), 0, np.zeros(4)
    while True:
        elapsed = time.time() - begin
        done = step / args.steps if args.steps else elapsed / (args.minutes * 60)
        if done >= 1 or time.time() - last_val > args.every * 60:
            ema.net.eval()
            report, score = validate(ema.net, vals, conf, mean, std, args.limit)
            print(json.dumps({"minutes": round(elapsed / 60, 1), "step": step, "per_s": round(seen / max(
                1e-9, time.time() - last_val), 1), "loss": (sums / max(1, seen)).round(4).tolist(),
                "val": report}), flush=True)
            extra = dict(size=list(conf["size"]), step=step, val=report)
            if score >= best:
                best = score
                networks.save(out + ".pt", ema.net, metadata, **extra)
            networks.save(out + ".last.pt", ema.net, metadata, **extra, live=net.state_dict(), best=best,
                          optimizer=opt.state_dict(), elapsed=elapsed, ema_steps=ema.steps)
            last_val, seen, sums = time.time(), 0, np.zeros(4)
            if done >= 1:
                return
        for g in opt.param_groups:
            g["lr"] = learning_rate(args.lr or conf["lr"], done)
        x, targets = next(batches)
        x = torch.from_numpy(x)
        if args.bf16:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            maps = net(x)
        total, parts = criterion([m.float() for m in maps], torch.from_numpy(targets))
        opt.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        opt.step()
        ema.update(net)
        step += 1
        seen += len(x)
        sums += np.array([float(total), *parts]) * len(x)


if __name__ == "__main__":
    main()

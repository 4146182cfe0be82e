# SPDX-License-Identifier: Apache-2.0
"""Measures the released models and writes docs/accuracy.md and the model cards.

    /usr/bin/python3 -m models.evaluate [--models DIR] [--sets NAME,...] [--verbose] [--write]
        the C product: `platectl read --json` over the photographs of $PLATED_DATA/eval
    /usr/bin/python3 -m models.evaluate --networks [--write]
        each released .onnx through the project's engine and, rebuilt, through PyTorch
    ... --sheets DIR
        what was missed, misread or found for nothing as pictures, to look at

found: a plate with IoU of half or more; exact: the text is the label with O and 0 equal;
in ten: the label is among the candidates; CER: edit distance by label length, a plate not
found counting as empty; false: plates that are none, a picture. In scenes only one plate
is labelled: others that are really there stand in models/labels/scenes_others.csv.
"""
import argparse
import collections
import csv
import json
import os
import platform
import re
import subprocess
import sys
import time

import cv2
import numpy as np

from models import measures, synth
from models.measures import clean, iou, percent

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PAGE = os.path.join(ROOT, "docs", "accuracy.md")
OTHERS = os.path.join(HERE, "labels", "scenes_others.csv")
SETS = ("us_scenes", "us_crops", "eu_scenes", "world_scenes", "no_plates")
PICTURES = (".jpg", ".jpeg", ".png")
WIDTHS = ((0, 60), (60, 80), (80, 100), (100, 160), (160, 10000))
NIGHT = 60      # a picture whose median grey is below is a night one


# ------------------------------------------------------------------ sets and answers


def load_set(name):
    """{path: [{box, text, region}]}; pictures without labels have an empty list."""
    base = os.path.join(synth.data_root(), "eval", name)
    folder = os.path.join(base, "images")
    if not os.path.isdir(folder):
        folder = base
    files = {os.path.join(folder, f): [] for f in sorted(os.listdir(folder))
             if f.lower().endswith(PICTURES)}
    labels = os.path.join(base, "labels.csv")
    if os.path.exists(labels):
        with open(labels, newline="") as f:
            for r in csv.DictReader(f):
                path = os.path.join(folder, r["file"])
                if path in files and r["w"]:
                    files[path].append({"box": [float(r[k]) for k in "xywh"],
                                        "text": clean(r["text"]), "region": r["region"]})
    return files


def other_plates():
    """{file: [box]} of plates that are there and have no label."""
    boxes = collections.defaultdict(list)
    if os.path.exists(OTHERS):
        with open(OTHERS, newline="") as f:
            for r in csv.DictReader(f):
                boxes[r["file"]].append([float(r[k]) for k in "xywh"])
    return boxes


def read_set(args, files):
    """({path: plates}, median times in ms) out of the C product."""
    command = [args.platectl, "read", "--json", "--models", args.models]
    command += ["--config", args.config] if args.config else []
    done = subprocess.run([*command, *files], stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{args.platectl} ended with {done.returncode}")
    found, times = {}, collections.defaultdict(list)
    for line in done.stdout.splitlines():
        record = json.loads(line)
        found[record["file"]] = record["plates"]
        for key, value in record["ms"].items():
            if value > 0:
                times[key].append(value)
    return found, {k: round(float(np.median(v)), 1) for k, v in times.items()}


def texts_of(plate):
    """The reading and its candidates."""
    return [clean(plate["plate"])] + [clean(c["plate"]) for c in plate["candidates"]]


class Figures:
    """Counts of one set, or of a part of one."""

    def __init__(self):
        self.n = collections.Counter()

    def label(self, label, hit):
        """One labelled plate and the answer that overlaps it by half, or None."""
        n = self.n
        n["labels"] += 1
        n["found"] += hit is not None
        if label["text"]:
            texts = texts_of(hit) if hit else [""]
            n["texts"] += 1
            n["exact"] += texts[0] == label["text"]
            n["ten"] += label["text"] in texts
            n["edits"] += measures.edit_distance(texts[0], label["text"])
            n["length"] += len(label["text"])
        if len(label["region"]) == 5:
            n["regions"] += 1
            n["named"] += region_of(hit)[0] == label["region"]

    def cer(self):
        return f"{self.n['edits'] / self.n['length']:.3f}" if self.n["length"] else "–"


def region_of(plate):
    """(code in small letters, confidence) that an answer names."""
    region = (plate or {}).get("region") or {}
    return (region.get("code") or "").lower(), region.get("confidence") or 0.0


def nearest(plates, box):
    """The answer that overlaps a box most, when by half or more."""
    best = max(plates, key=lambda p: iou(p["box"], box), default=None)
    return best if best and iou(best["box"], box) >= 0.5 else None


class Product:
    """What platectl said about all sets, counted in every way that the page shows."""

    def __init__(self):
        self.sets, self.widths, self.light = {}, {}, {}
        self.confusion = measures.Confusion()
        self.reads, self.regions = measures.Reliability(), measures.Reliability()
        self.others, self.failures = other_plates(), []

    def add(self, name, files, found):
        whole = self.sets.setdefault(name, Figures())
        for path, labels in files.items():
            got = found.get(path)
            whole.n["pictures"] += 1
            whole.n["missing"] += got is None
            got = got or []
            for label in labels:
                hit = nearest(got, label["box"])
                for figures in (whole, *self.parts(name, path, label)):
                    figures.label(label, hit)
                self.answer(path, label, hit)
            self.unmatched(whole, path, labels, got)

    def parts(self, name, path, label):
        """The figures of a scene's plate width and light."""
        if name != "us_scenes":
            return []
        low, high = next(w for w in WIDTHS if w[0] <= label["box"][2] < w[1])
        width = f"{low} to {high} px" if high < 10000 else f"from {low} px"
        dark = np.median(cv2.imread(path, cv2.IMREAD_GRAYSCALE)) < NIGHT
        return [self.widths.setdefault((low, width), Figures()),
                self.light.setdefault("night" if dark else "day", Figures())]

    def answer(self, path, label, hit):
        right = bool(hit) and clean(hit["plate"]) == label["text"]
        if label["text"] and hit:
            self.confusion.add(label["text"], clean(hit["plate"]))
            self.reads.add(hit["confidence"], right)
        if len(label["region"]) == 5 and hit and region_of(hit)[0]:
            code, confidence = region_of(hit)
            self.regions.add(confidence, code == label["region"])
        if not hit or (label["text"] and not right):
            said = hit["plate"] if hit else "not found"
            self.failures.append((path, label["box"], f"{label['text'] or 'plate'}: {said}"))

    def unmatched(self, whole, path, labels, got):
        real = [label["box"] for label in labels] + self.others[os.path.basename(path)]
        false = [p for p in got if all(iou(p["box"], b) < 0.5 for b in real)]
        whole.n["false"] += len(false)
        whole.n["dirty"] += bool(false)
        self.failures += [(path, p["box"], f"false: {p['plate']} {p['detection']:.2f}")
                          for p in false]


# ------------------------------------------------------------------ the networks alone


def both(model):
    """(run by the engine, run by PyTorch) of a released file, its metadata and size."""
    import torch

    from models.engine import Engine
    from models.restore import restore
    net, metadata, size = restore(model)
    engine = Engine(model)
    mean, std = float(metadata["plated.mean"]), float(metadata["plated.std"])

    def normal(image):
        return ((image[None, None].astype(np.float32) / 255 - mean) / std).astype(np.float32)

    def torch_run(image):
        with torch.no_grad():
            y = net(torch.from_numpy(normal(image)))
        return [v.numpy() for v in (y if isinstance(y, list) else [y])]

    return net, metadata, size, {"engine": lambda image: engine.run(normal(image)),
                                 "PyTorch": torch_run}


def scene_pictures(name, size):
    """Letterboxed pictures of a set with labelled boxes as rows (class, x0, y0, x1, y1)."""
    for path, labels in load_set(name).items():
        img, s, (dx, dy) = synth.letterbox(cv2.imread(path, cv2.IMREAD_GRAYSCALE), size)
        boxes = np.array([label["box"] for label in labels], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        yield img, np.concatenate([np.zeros((len(boxes), 1)), boxes * s + [dx, dy, dx, dy]], 1)


def cached_pictures(name):
    from models.dataset import Cache
    path = os.path.join(synth.CACHE, name + ".npy")
    if not os.path.exists(path):
        raise SystemExit(f"{path} is not there: see models/README.md for what makes it")
    cache = Cache(name)
    return (cache[i] for i in range(len(cache)))


def measure_yolo(model, task, sources, threshold):
    """Rows (source, pictures, runtime, precision, recall, mAP, exact, largest difference)."""
    from models import loss as L
    from models import plates
    net, _, size, runs = both(model)
    low, overlap, contained = (0.01, 0.45, 0.7) if task == "detector" else (0.05, 0.3, 0.4)
    for name in sources:
        pictures = scene_pictures(name, size) if "_" in name else cached_pictures(name)
        truth, found, apart = [], {r: [] for r in runs}, 0.0
        for image, rows in pictures:
            truth.append(rows)
            maps = {r: run(image) for r, run in runs.items()}
            apart = max([apart] + [float(np.abs(a - b).max()) for a, b in zip(*maps.values())])
            for r in runs:
                decoded = L.decode(maps[r], net.anchors, net.strides)[0]
                found[r].append(L.suppress(decoded, low, overlap, contained))
        for r in runs:
            hits = L.hits(found[r], truth)
            flat = [h for met, _ in hits.values() for h in met]
            precision, recall = measures.precision_recall(
                flat, sum(total for _, total in hits.values()), threshold)
            areas = [measures.average_precision(*h) for h in hits.values()]
            ap, exact = np.mean(areas) if areas else None, None
            if task == "reader":
                exact = np.mean([same_text(f[f[:, 4] > threshold], t, plates.ALPHABET)
                                 for f, t in zip(found[r], truth)])
            elif not hits:
                precision = recall = None
                exact = np.mean([not (f[:, 4] >= threshold).any() for f in found[r]])
            yield name, len(truth), r, precision, recall, ap, exact, apart


def same_text(found, truth, alphabet):
    from models import loss as L
    want = np.concatenate([truth[:, 1:], np.ones((len(truth), 1)), truth[:, :1]], 1)
    return L.reading(found, alphabet)[0] == L.reading(want, alphabet)[0]


def measure_region(model):
    """Rows as measure_yolo's, with accuracy alone."""
    from models import train_region as R
    _, metadata, _, runs = both(model)
    real, labels, part = R.real_pictures(quiet=True)
    sources = {"held-out plates": ([R.margined(p) for p in real[part == 1]], labels[part == 1])}
    sources["us_crops"] = R.labelled_cuts("us_crops")
    for name, (cuts, truth) in sources.items():
        right, apart = collections.Counter(), 0.0
        for cut, label in zip(cuts, truth):
            image = R.fit(cut, R.INPUT, metadata["plated.letterbox"])
            logits = {r: run(image)[0][0] for r, run in runs.items()}
            apart = max(apart, float(np.abs(logits["engine"] - logits["PyTorch"]).max()))
            for r, row in logits.items():
                right[r] += int(row.argmax()) == label
        for r in runs:
            yield name, len(truth), r, None, None, None, right[r] / len(truth), apart


def networks_table(args):
    """Markdown of the first study's figures for the three networks."""
    model = {m: os.path.join(args.models, m + ".onnx") for m in ("detector", "reader", "region")}
    pseudo = os.path.exists(os.path.join(synth.CACHE, "reader-pseudo-val.npy"))
    rows = [("detector", row) for row in measure_yolo(
        model["detector"], "detector",
        ("detector-real", "detector-val-1", "empty-val-1", "us_scenes", "eu_scenes",
         "world_scenes"), 0.35)]
    rows += [("reader", row) for row in measure_yolo(
        model["reader"], "reader", ("reader-val-1",) + ("reader-pseudo-val",) * pseudo, 0.40)]
    rows += [("region", row) for row in measure_region(model["region"])]
    lines = ["| network | pictures of | pictures | run by | precision | recall | mAP@.5 | accuracy "
             "| largest difference |", "|---|---|---|---|---|---|---|---|---|"]
    for network, (name, count, runtime, *figures, apart) in rows:
        cells = ["–" if v is None else f"{v:.3f}" for v in figures]
        lines.append(f"| {network} | {name} | {count} | {runtime} | " + " | ".join(cells)
                     + f" | {apart:.1e} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


# ------------------------------------------------------------------ pages


def sets_table(product):
    lines = ["| set | pictures | found | exact | in ten | CER | region | false a picture "
             "| pictures with a false plate |", "|---|---|---|---|---|---|---|---|---|"]
    for name, figures in product.sets.items():
        n = figures.n
        lines.append(f"| {name} | {n['pictures']} | {percent(n['found'], n['labels'])} | "
                     f"{percent(n['exact'], n['texts'])} | {percent(n['ten'], n['texts'])} | "
                     f"{figures.cer()} | {percent(n['named'], n['regions'])} | "
                     f"{n['false'] / max(1, n['pictures']):.3f} | "
                     f"{percent(n['dirty'], n['pictures'])} |")
    return "\n".join(lines)


def parts_table(head, parts):
    lines = [f"| {head} | plates | found | exact | in ten | CER |", "|---|---|---|---|---|---|"]
    for name, figures in parts:
        n = figures.n
        lines.append(f"| {name} | {n['labels']} | {percent(n['found'], n['labels'])} | "
                     f"{percent(n['exact'], n['texts'])} | {percent(n['ten'], n['texts'])} | "
                     f"{figures.cer()} |")
    return "\n".join(lines)


def device():
    """Processor and core count."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            models = [l.split(":", 1)[1].strip() for l in f if l.startswith(("model name", "Model"))]
        name = models[0] if models else name
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.machine()}"


def fill(path, marker, text):
    """Replace what stands between <!-- MARKER --> and <!-- /MARKER --> of a page."""
    with open(path) as f:
        old = f.read()
    pattern = f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)"
    new, count = re.subn(pattern, lambda m: m.group(1) + text.rstrip() + "\n" + m.group(2), old,
                         flags=re.S)
    if not count:
        raise SystemExit(f"{path}: no marker <!-- {marker} -->")
    with open(path, "w") as f:
        f.write(new)


def card(name):
    return os.path.join(HERE, name + ".md")


def note(command):
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"`/usr/bin/python3 -m models.evaluate{command} --write`; {device()}, {day}."


def write_product(product, times):
    ms = times.get("us_scenes") or {}
    told = note("") + (" Median on us_scenes: " + ", ".join(
        f"{k} {v} ms" for k, v in ms.items()) + "." if ms else "")
    sets = told + "\n\n" + sets_table(product)
    fill(PAGE, "sets", sets)
    fill(PAGE, "widths", parts_table("width in the frame", [
        (name, f) for (_, name), f in sorted(product.widths.items())]))
    fill(PAGE, "light", parts_table("light", sorted(product.light.items())))
    fill(PAGE, "confusion", product.confusion.table())
    fill(PAGE, "reads", product.reads.table())
    fill(PAGE, "regions", product.regions.table())
    for name in ("detector", "reader", "region"):
        fill(card(name), "product figures", sets)


def write_networks(table):
    fill(PAGE, "networks", note(" --networks") + "\n\n" + table)
    head = table.splitlines()[:2]
    for name in ("detector", "reader", "region"):
        rows = [l for l in table.splitlines() if l.startswith(f"| {name} ")]
        fill(card(name), "network figures",
             "\n".join([note(" --networks"), "", *head, *rows]))


def write_sheets(product, folder):
    """One PNG for each set and kind of failure, five tiles a row."""
    os.makedirs(folder, exist_ok=True)
    tiles = collections.defaultdict(list)
    for path, (x, y, w, h), told in product.failures:
        img = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        name = os.path.relpath(path, os.path.join(synth.data_root(), "eval")).split(os.sep)[0]
        x0, y0 = int(max(0, x - w / 2)), int(max(0, y - h / 2))
        cut = img[y0:int(y + 1.5 * h) + 1, x0:int(x + 1.5 * w) + 1]
        tile = np.zeros((220, 300), np.uint8)
        tile[20:], _, _ = synth.letterbox(cut, (200, 300))
        cv2.putText(tile, told, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1, cv2.LINE_AA)
        tiles[name + ("-false" if told.startswith("false") else "-missed")].append(tile)
    for name, list_ in tiles.items():
        list_ += [np.zeros_like(list_[0])] * (-len(list_) % 5)
        rows = [np.hstack(list_[i:i + 5]) for i in range(0, len(list_), 5)]
        cv2.imwrite(os.path.join(folder, name + ".png"), np.vstack(rows))


def add_apart(product, name, files, found):
    """A set again without the plates that a training set shows too, where there are any."""
    twins = synth.in_eval("us_states", "eval")
    apart = {path: labels for path, labels in files.items()
             if f"{name}/{os.path.basename(path)}" not in twins}
    if len(apart) < len(files):
        rest = Product()
        rest.add(name, apart, found)
        product.sets[name + " apart"] = rest.sets[name]


def measure_product(args):
    product, times = Product(), {}
    for name in args.sets.split(","):
        files, before = load_set(name), len(product.sets)
        found, times[name] = read_set(args, files)
        product.add(name, files, found)
        add_apart(product, name, files, found)
        print("\n".join(sets_table(product).splitlines()[2 + before:]), flush=True)
        if product.sets[name].n["missing"]:
            print(f"{name}: {product.sets[name].n['missing']} pictures without an answer",
                  file=sys.stderr)
    return product, times


def parse(argv=None):
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--platectl", default=os.path.join(ROOT, "build", "daemon", "platectl"))
    ap.add_argument("--models", default=HERE, help="folder of the three .onnx files")
    ap.add_argument("--config", help="configuration for platectl")
    ap.add_argument("--networks", action="store_true")
    ap.add_argument("--sets", default=",".join(SETS))
    ap.add_argument("--sheets", metavar="DIR")
    ap.add_argument("--write", action="store_true")
    ap.add_argument("--verbose", action="store_true", help="name each failure")
    args = ap.parse_args(argv)
    if args.write and not args.networks and args.sets != ",".join(SETS):
        ap.error("--write needs all sets")
    return args


def main(argv=None):
    args = parse(argv)
    cv2.setNumThreads(1)
    if args.networks:
        import torch
        torch.set_num_threads(1)
        table = networks_table(args)
        if args.write:
            write_networks(table)
        return 0
    product, times = measure_product(args)
    if args.verbose:
        for path, _, told in product.failures:
            print(f"  {os.path.basename(path)}: {told}")
        print(parts_table("width", [(n, f) for (_, n), f in sorted(product.widths.items())]))
        print(product.reads.table())
    if args.sheets:
        write_sheets(product, args.sheets)
    if args.write:
        write_product(product, times)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Measure the models on the real photographs of $PLATED_DATA/eval.

    /usr/bin/python3 -m models.evaluate [--platectl build/daemon/platectl] [--write]
        through the C product: `platectl read --json` over each set
    /usr/bin/python3 -m models.evaluate --python
        the same figures with the checkpoints in PyTorch (no candidates, no region)
    /usr/bin/python3 -m models.evaluate --torch [--write]
        the detector's AP@.5 and the reader's character mAP@.5 on the held-out parts

found: a plate with IoU >= 0.5; exact: the text is the label with O and 0 equal;
in candidates: the label is the text or one of the candidates; CER: edit distance
by label length, a plate not found counting as empty; false plates: plates that
overlap no label by 0.5, a picture. --write puts the figures between the markers
of the model cards.
"""
import argparse
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

from models import synth

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SETS = ("us_scenes", "us_crops", "eu_scenes", "world_scenes", "no_plates")
PICTURES = (".jpg", ".jpeg", ".png")


def clean(text):
    """Plates are compared without spaces and signs, O being 0."""
    return re.sub("[^A-Z0-9]", "", text.upper()).replace("O", "0")


def edit_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def iou(a, b):
    """IoU of boxes x, y, w, h."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return inter / max(a[2] * a[3] + b[2] * b[3] - inter, 1e-9)


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
                    files[path].append({"box": [float(r[k]) for k in "xywh"], "text": clean(r["text"]),
                                        "region": r["region"]})
    return files


def plates_by_platectl(platectl, config, files):
    """{path: plates} out of the C product, and the median of its times in ms."""
    command = [platectl, "read", "--json"] + (["--config", config] if config else [])
    folder = os.path.dirname(next(iter(files)))
    done = subprocess.run(command + [folder], stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{platectl} ended with {done.returncode}")
    found, times = {}, {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        if "plates" not in record:
            continue
        found[os.path.join(folder, os.path.basename(record["file"]))] = record["plates"]
        for key, value in (record.get("ms") or {}).items():
            if isinstance(value, (int, float)) and value > 0:
                times.setdefault(key, []).append(value)
    return found, {k: round(float(np.median(v)), 1) for k, v in times.items()}


def candidate_texts(plate):
    texts = [plate.get("plate") or ""]
    for c in plate.get("candidates") or []:
        texts.append(c if isinstance(c, str) else c.get("plate", ""))
    return [clean(t) for t in texts]


def measure(files, found):
    """Figures of one set."""
    n = dict(labels=0, found=0, texts=0, exact=0, candidates=0, edits=0, length=0, regions=0, right=0, false=0)
    for path, labels in files.items():
        got = found.get(path, [])
        for label in labels:
            n["labels"] += 1
            overlaps = [iou(p["box"], label["box"]) for p in got]
            best = int(np.argmax(overlaps)) if got else -1
            hit = got[best] if got and overlaps[best] >= 0.5 else None
            n["found"] += hit is not None
            if label["text"]:
                texts = candidate_texts(hit) if hit else [""]
                n["texts"] += 1
                n["exact"] += texts[0] == label["text"]
                n["candidates"] += label["text"] in texts
                n["edits"] += edit_distance(texts[0], label["text"])
                n["length"] += len(label["text"])
            if len(label["region"]) == 5:
                region = (hit or {}).get("region") or {}
                code = region if isinstance(region, str) else region.get("code") or ""
                n["regions"] += 1
                n["right"] += code.lower() == label["region"]
        n["false"] += sum(all(iou(p["box"], l["box"]) < 0.5 for l in labels) for p in got)
    n["pictures"] = len(files)
    n["missing"] = sum(path not in found for path in files)
    return n


def percent(a, b):
    return f"{100 * a / b:.1f} % ({a}/{b})" if b else "–"


HEAD = "| set | pictures | found | exact | in candidates | CER | region | false plates a picture |\n" \
       "|---|---|---|---|---|---|---|---|"


def row(name, n):
    cer = f"{n['edits'] / n['length']:.3f}" if n["length"] else "–"
    # Scenes with one labelled plate show others too: their unmatched plates are not known to be false.
    false = f"{n['false'] / max(1, n['pictures']):.2f}" if name in ("no_plates", "world_scenes") else "–"
    return (f"| {name} | {n['pictures']} | {percent(n['found'], n['labels'])} | "
            f"{percent(n['exact'], n['texts'])} | {percent(n['candidates'], n['texts'])} | {cer} | "
            f"{percent(n['right'], n['regions'])} | {false} |")


def device():
    """Processor and core count, for the cards."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            models = [l.split(":", 1)[1].strip() for l in f if l.startswith(("model name", "Model"))]
        name = models[0] if models else name
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.machine()}"


def fill(card, marker, text):
    """Replace what stands between <!-- MARKER --> and <!-- /MARKER --> of a card."""
    path = os.path.join(HERE, card)
    if not os.path.exists(path):
        return
    with open(path) as f:
        old = f.read()
    pattern = f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)"
    new, count = re.subn(pattern, lambda m: m.group(1) + text.rstrip() + "\n" + m.group(2), old, flags=re.S)
    if not count:
        print(f"{card}: no marker <!-- {marker} -->", file=sys.stderr)
        return
    with open(path, "w") as f:
        f.write(new)


def product(args, names):
    """Figures through platectl, or through PyTorch with --python."""
    lines, numbers, times = [HEAD], {}, {}
    recognizer = None
    if args.python:
        from models.recognize import Recognizer
        recognizer = Recognizer(args.detector, args.reader)
    for name in names:
        files = load_set(name)
        if recognizer:
            found = {p: recognizer.read(cv2.imread(p, cv2.IMREAD_GRAYSCALE)) for p in files}
        else:
            found, ms = plates_by_platectl(args.platectl, args.config, files)
            times[name] = ms
        numbers[name] = measure(files, found)
        lines.append(row(name, numbers[name]))
        print(lines[-1] if len(lines) > 2 else "\n".join(lines), flush=True)
        if numbers[name]["missing"]:
            print(f"{name}: {numbers[name]['missing']} pictures without an answer", file=sys.stderr)
        if args.verbose:
            explain(files, found)
    return lines, times


def explain(files, found):
    for path, labels in files.items():
        for label in labels:
            got = found.get(path, [])
            best = max(got, key=lambda p: iou(p["box"], label["box"]), default=None)
            if best is None or iou(best["box"], label["box"]) < 0.5:
                print(f"  {os.path.basename(path)}: {label['text']} not found, {len(got)} others")
            elif label["text"] and clean(best["plate"]) != label["text"]:
                print(f"  {os.path.basename(path)}: {label['text']} read {best['plate']}")


def held_out_parts(args):
    """AP of the checkpoints on the held-out caches."""
    from models.dataset import Cache
    from models.recognize import Network
    from models.train_yolo import TASKS, validate
    results = {}
    for what, path in (("detector", args.detector), ("reader", args.reader)):
        conf = dict(TASKS[what], confidence=0.01 if what == "detector" else 0.05)
        net = Network(path)
        names = [n for n in conf["val"].split(",") + ["reader-pseudo-val"] * (what == "reader")
                 if os.path.exists(os.path.join(synth.CACHE, n + ".npy"))]
        for name in names:
            cache = Cache(name)
            report, _ = validate(net.net, {name: cache}, conf, net.mean, net.std, len(cache))
            exact = validate(net.net, {name: cache}, TASKS[what], net.mean, net.std, len(cache))[0]
            results[name] = dict(report[name], pictures=len(cache))
            if "exact" in exact[name]:
                results[name]["exact"] = exact[name]["exact"]
            print(name, results[name], flush=True)
    return results


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--platectl", default=os.path.join(ROOT, "build", "daemon", "platectl"))
    ap.add_argument("--config")
    ap.add_argument("--python", action="store_true")
    ap.add_argument("--torch", action="store_true")
    ap.add_argument("--detector", default=os.path.join(synth.CACHE, "detector.pt"))
    ap.add_argument("--reader", default=os.path.join(synth.CACHE, "reader.pt"))
    ap.add_argument("--sets", default=",".join(SETS))
    ap.add_argument("--write", action="store_true")
    ap.add_argument("--verbose", action="store_true")
    args = ap.parse_args()
    cv2.setNumThreads(1)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    if args.torch:
        results = held_out_parts(args)
        if args.write:
            for what in ("detector", "reader"):
                lines = [f"`/usr/bin/python3 -m models.evaluate --torch`, PyTorch, {device()}, {day}.", "",
                         "| part | pictures | mAP@.5 |" + (" exact plates |" if what == "reader" else ""),
                         "|---|---|---|" + ("---|" if what == "reader" else "")]
                for name, r in results.items():
                    if name.startswith(what):
                        lines.append(f"| {name} | {r['pictures']} | {r['map50']:.3f} |" +
                                     (f" {100 * r['exact']:.1f} % |" if what == "reader" else ""))
                fill(what + ".md", "held-out figures", "\n".join(lines))
        return
    lines, times = product(args, args.sets.split(","))
    if args.write and not args.python:
        ms = times.get("us_scenes") or {}
        note = (f"`/usr/bin/python3 -m models.evaluate`, which runs `platectl read --json`; {device()}, {day}. "
                + ("Median on us_scenes: " + ", ".join(f"{k} {v} ms" for k, v in ms.items()) + "." if ms else ""))
        for card in ("detector.md", "reader.md", "region.md"):
            fill(card, "product figures", note + "\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()

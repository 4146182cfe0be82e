# SPDX-License-Identifier: Apache-2.0
"""Label the real US plate crops with a first reader, where its readings agree.

    /usr/bin/python3 -m models.pseudo label --reader models/.cache/reader.pt
        reads each crop of train/us_states under several changes of light, size and
        place; keeps those whose readings agree (models/.cache/pseudo.json)
    /usr/bin/python3 -m models.pseudo cache [--renders N]
        renders them as reader crops: caches reader-pseudo-train and -val

A list of what was read by eye, FILE,TEXT a line (an empty text drops the crop), can be
given with --eye: it outranks the reader, and its characters are found by aligning the
known text with the reader's weak detections.
"""
import argparse
import collections
import csv
import json
import os

import cv2
import numpy as np

from models import plates, synth
from models.recognize import Network
from models import loss as L

ASPECT = 2.0  # plates are 12 x 6 inches; the crops were stored at 224 x 128
VIEWS = 4


def views(rng, gray):
    """The crop as it is, and changed: (picture at READ_SIZE, scale x, scale y, dx, dy)."""
    H, W = synth.READ_SIZE
    for k in range(VIEWS):
        s = 0.86 if k == 0 else float(rng.uniform(0.74, 0.98))
        w = W * s * (1 if k == 0 else rng.uniform(0.9, 1.0))
        h = min(H * s, W * s / ASPECT * (1 if k == 0 else rng.uniform(0.92, 1.08)), H - 2)
        sx, sy = w / gray.shape[1], h / gray.shape[0]
        dx, dy = (W - w) / 2, (H - h) / 2
        if k:
            dx, dy = dx + rng.uniform(-6, 6), dy + rng.uniform(-4, 4)
        img = gray
        if k % 3 == 1:
            img = cv2.GaussianBlur(img, (0, 0), float(rng.uniform(0.4, 1.0)))
        if k % 3 == 2:
            img = np.clip((img.astype(np.float32) - 128) * rng.uniform(0.6, 1.3) + 128
                          + rng.normal(0, 15), 0, 255).astype(np.uint8)
        A = np.float32([[sx, 0, dx], [0, sy, dy]])
        yield cv2.warpAffine(img, A, (W, H), borderMode=cv2.BORDER_REPLICATE), sx, sy, dx, dy


def consensus(readings):
    """The text most views agree on: (text, share, confidence, boxes [n, 4])."""
    votes = collections.defaultdict(list)
    for text, confidences, boxes in readings:
        votes[text].append((min(confidences) if confidences else 0.0, boxes))
    text = max(votes, key=lambda t: (len(votes[t]), t))
    best = votes[text]
    boxes = np.median([b for _, b in best], axis=0) if text else np.zeros((0, 4))
    return text, len(best) / len(readings), float(np.mean([c for c, _ in best])), boxes


def in_order(rows):
    """Rows in reading order with the text."""
    text, confidences = L.reading(rows, plates.ALPHABET)
    left = list(range(len(rows)))
    order = []
    for char, conf in zip(text, confidences):
        i = next(k for k in left if abs(rows[k, 4] - conf) < 1e-6 and plates.ALPHABET[int(rows[k, 5])] == char)
        left.remove(i)
        order.append(i)
    return text, confidences, rows[order]


def label(args):
    reader = Network(args.reader, args.device)
    rng = np.random.default_rng(7)
    out = {}
    paths = synth.load_plate_crops(val=False) + synth.load_plate_crops(val=True)
    if args.again:
        # What the first reader left, and its favourite mistake: M and W taken for H.
        with open(os.path.join(synth.CACHE, "pseudo.json")) as f:
            out = json.load(f)
        left = {n for n, e in out.items() if not trusted(e) or "H" in e["text"]}
        paths = [p for p in paths if os.path.basename(p) in left]
    for path in paths:
        gray = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        sets = list(views(rng, gray))
        readings = []
        for rows, (_, sx, sy, dx, dy) in zip(reader.find([v[0] for v in sets], 0.3), sets):
            text, confidences, rows = in_order(rows)
            readings.append((text, confidences, (rows[:, :4] - [dx, dy, dx, dy]) / [sx, sy, sx, sy]))
        text, share, confidence, boxes = consensus(readings)
        out[os.path.basename(path)] = dict(text=text, share=round(share, 3), confidence=round(confidence, 4),
                                           boxes=np.round(boxes, 1).tolist())
    with open(os.path.join(synth.CACHE, "pseudo.json"), "w") as f:
        json.dump(out, f)
    good = [v for v in out.values() if trusted(v)]
    print(f"{len(out)} crops, {len(good)} kept, shares "
          f"{np.percentile([v['share'] for v in out.values()], [10, 25, 50, 75]).round(2).tolist()}")


def trusted(entry, share=0.7, confidence=0.6):
    return (4 <= len(entry["text"]) <= 8 and entry["share"] >= share and entry["confidence"] >= confidence)


def read_by_eye(path):
    if not path:
        return {}
    with open(path, newline="") as f:
        return {r["file"]: r["text"].replace("O", "0") for r in csv.DictReader(f)}


def align(reader, gray, text, top=25, floor=0.003):
    """Boxes of a known text: the best chain of weak detections, each to the right of the one
    before or, in a stack, below it."""
    rng = np.random.default_rng(0)
    img, sx, sy, dx, dy = next(views(rng, gray))
    rows = reader.scores([img])[0]
    best = []
    for c in text:
        score = rows[:, 4] * rows[:, 5 + plates.ALPHABET.index(c)]
        pick = np.argsort(-score)[:top]
        pick = pick[score[pick] > floor]
        if not len(pick):
            return None
        value, back = np.log(score[pick]), np.full(len(pick), -1)
        if best:
            before, total, _ = best[-1]
            gap = rows[pick, :2][:, None] - rows[before, :2][None]
            room = 0.7 * (rows[pick, 2:4][:, None] + rows[before, 2:4][None]) / 2
            below = (np.abs(gap[..., 0]) < 0.5 * room[..., 0]) & (gap[..., 1] > room[..., 1])
            chain = np.where((gap[..., 0] > room[..., 0]) | below, total[None], -np.inf)
            back = chain.argmax(1)
            value = value + chain.max(1)
        if not np.isfinite(value).any():
            return None
        best.append((pick, value, back))
    k, chosen = int(np.argmax(best[-1][1])), []
    for pick, _, back in reversed(best):
        chosen.append(pick[k])
        k = int(back[k])
    x, y, w, h = rows[chosen[::-1], :4].T
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
    return (boxes - [dx, dy, dx, dy]) / [sx, sy, sx, sy]


def agrees(reader, gray, text):
    """Whether a later reader, one that has seen real plates, reads the same."""
    img = next(views(np.random.default_rng(0), gray))[0]
    return L.reading(reader.find([img], 0.3)[0], plates.ALPHABET)[0] == text


def labelled(val, eye, reader, check):
    """[(gray at the plate's shape, [(char, box)])] of one part."""
    with open(os.path.join(synth.CACHE, "pseudo.json")) as f:
        entries = json.load(f)
    kept, lost = [], 0
    for path in synth.load_plate_crops(val=val):
        name = os.path.basename(path)
        entry = entries.get(name)
        text, boxes = (entry["text"], entry["boxes"]) if entry and trusted(entry) else ("", [])
        gray = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        if name in eye and eye[name] != text:
            text, boxes = eye[name], []
            if entry and entry["text"] == text:
                boxes = entry["boxes"]
            elif text:
                found = align(reader, gray, text)
                boxes = [] if found is None else found.tolist()
            lost += bool(text) and not boxes
        elif text and name not in eye and check and not agrees(check, gray, text):
            continue
        if not text or not boxes:
            continue
        h, w = gray.shape
        tall = int(round(w / ASPECT))
        gray = cv2.resize(gray, (w, tall), interpolation=cv2.INTER_AREA)
        f = tall / h
        kept.append((gray, [(c, b[0], b[1] * f, b[2], b[3] * f) for c, b in zip(text, boxes)]))
    if lost:
        print(f"{lost} texts read by eye could not be aligned")
    return kept


def cache(args):
    eye = read_by_eye(args.eye)
    reader = Network(args.reader) if eye else None
    check = Network(args.check) if args.check else None
    for val in (False, True):
        plates_here = labelled(val, eye, reader, check)
        backgrounds = synth.Backgrounds([p for p in synth.load_pictures() if p.val == val])
        renders = 2 if val else args.renders
        synth.write_cache(
            "reader-pseudo-" + ("val" if val else "train"),
            lambda rng, i: synth.reader_crop(rng, backgrounds,
                                             plate=plates_here[i % len(plates_here)]),
            len(plates_here) * renders, 5 + val, synth.READ_SIZE, args.jobs)
        print("val" if val else "train", len(plates_here), "plates")


def main(argv=None):
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["label", "cache"])
    ap.add_argument("--reader", default=os.path.join(synth.CACHE, "reader.pt"))
    ap.add_argument("--again", action="store_true", help="label: only what is not trusted so far")
    ap.add_argument("--eye", help="CSV with the columns file,text")
    ap.add_argument("--check", help="checkpoint of a later reader that must read the same")
    ap.add_argument("--renders", type=int, default=6)
    ap.add_argument("--device", default="cpu", help="label: cpu or cuda")
    ap.add_argument("--jobs", type=int, default=1, help="cache: processes that share the work")
    args = ap.parse_args(argv)
    cv2.setNumThreads(1)
    import torch
    torch.set_num_threads(1)
    os.makedirs(synth.CACHE, exist_ok=True)
    {"label": label, "cache": cache}[args.what](args)


if __name__ == "__main__":
    main()

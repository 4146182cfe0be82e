# SPDX-License-Identifier: Apache-2.0
"""Training pictures: reader crops and detector scenes, made from a seed.

Reader crops are drawn plates (models/plates.py) under a camera's eye. Detector
scenes are the real photographs of $PLATED_DATA/train/det_*, rescaled to the
sizes a gate sees, with drawn plates and real US plate crops pasted in, and with
drawn things that carry writing and are no plate (models/writing.py).

    /usr/bin/python3 -m models.synth reader   [--count N] [--seed S]
    /usr/bin/python3 -m models.synth detector [--count N] [--seed S]
    /usr/bin/python3 -m models.synth empty [--count N] [--seed S]
    /usr/bin/python3 -m models.synth photographs

write the caches that models/train_yolo.py reads (models/.cache/, not versioned).
Needs numpy, OpenCV and Pillow; no PyTorch.
"""
import argparse
import csv
import hashlib
import multiprocessing
import os
import time

import cv2
import numpy as np

from models import plates, writing

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(HERE, ".cache")
SEEN = os.path.join(HERE, "labels", "photographs.csv")
IN_EVAL = os.path.join(HERE, "labels", "in_eval.csv")
DETECT_SIZE = (384, 384)  # height, width
READ_SIZE = (128, 256)
MARGIN = 0.08  # of the plate's width and height on each side, docs/model-contract.md


def data_root():
    return os.environ.get("PLATED_DATA", os.path.join(HERE, "..", "..", "shared", "data"))


def held_out(group, share=0.12):
    """Whether a group of pictures belongs to the validation part: by name, so it never moves."""
    return int(hashlib.sha1(group.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF < share


# ---------------------------------------------------------------- real pictures


class Picture:
    """A real photograph, grey, with the boxes (x0, y0, x1, y1) of its plates, and of what a
    detector took for plates and is none."""

    __slots__ = ("path", "boxes", "lookalikes", "stretched", "val", "_image")

    def __init__(self, path, stretched, val):
        self.path, self.stretched, self.val = path, stretched, val
        self.boxes, self.lookalikes, self._image = [], [], None

    def image(self):
        if self._image is None:
            self._image = cv2.imread(self.path, cv2.IMREAD_GRAYSCALE)
        return self._image


def _group_of(folder, name, groups):
    if folder == "det_romanian":
        # Neighbouring seconds of one drive show the same street: 200 at a time stay together.
        clip, _, t = name.partition("#t=")
        return clip + "/" + str(int("".join(c for c in t if c.isdigit()) or 0) // 200)
    return groups.get(name, name)


def seen_by_eye():
    """{(set, file): [(box, whether a plate)]}: detections without a label, looked at one by one."""
    seen = {}
    with open(SEEN, newline="") as f:
        for r in csv.DictReader(f):
            x, y, w, h = (float(r[k]) for k in "xywh")
            seen.setdefault((r["set"], r["file"]), []).append(((x, y, x + w, y + h), r["plate"] == "1"))
    return seen


def load_pictures(root=None):
    """All detector photographs of the training sets."""
    root = root or data_root()
    found, seen = [], seen_by_eye()
    for folder in ("det_experiment_plates", "det_openimages", "det_romanian"):
        base = os.path.join(root, "train", folder)
        groups = {}
        if os.path.exists(os.path.join(base, "groups.csv")):
            with open(os.path.join(base, "groups.csv"), newline="") as f:
                groups = {r["file"]: r["group"] for r in csv.DictReader(f)}
        byname = {}
        with open(os.path.join(base, "labels.csv"), newline="") as f:
            for r in csv.DictReader(f):
                name = r["file"]
                if name not in byname:
                    val = held_out(_group_of(folder, name, groups))
                    byname[name] = Picture(os.path.join(base, "images", name),
                                           folder != "det_romanian", val)
                if r["w"]:
                    x, y, w, h = (float(r[k]) for k in "xywh")
                    byname[name].boxes.append((x, y, x + w, y + h))
        for name, picture in byname.items():
            for box, plate in seen.get((folder, name), ()):
                (picture.boxes if plate else picture.lookalikes).append(box)
        found += [p for p in byname.values() if os.path.exists(p.path)]
    return found


def in_eval(name, column="file"):
    """Files of a training set that show the very plate of a picture below eval/, and are never
    used; or, in the column eval, those pictures."""
    with open(IN_EVAL, newline="") as f:
        return {r[column] for r in csv.DictReader(f) if r["set"] == name}


def load_plate_crops(root=None, val=False):
    """Paths of the real US plate crops of one part; the split is by file."""
    base = os.path.join(root or data_root(), "train", "us_states", "images")
    names = sorted(set(os.listdir(base)) - in_eval("us_states"))
    return [os.path.join(base, n) for n in names if held_out("us/" + n, 0.1) == val]


# ---------------------------------------------------------------- geometry


def letterbox(img, size):
    """Fit into (height, width) keeping the shape, centred, zeros elsewhere.

    Returns the picture, the scale and the offset (dx, dy)."""
    H, W = size
    h, w = img.shape[:2]
    s = min(W / w, H / h)
    nw, nh = max(1, int(round(w * s))), max(1, int(round(h * s)))
    dx, dy = (W - nw) // 2, (H - nh) // 2
    out = np.zeros((H, W), np.uint8)
    how = cv2.INTER_AREA if s < 0.6 else cv2.INTER_LINEAR
    out[dy:dy + nh, dx:dx + nw] = cv2.resize(img, (nw, nh), interpolation=how)
    return out, s, (dx, dy)


def _quad(rng, cx, cy, w, h, turn, skew):
    """Corners of a plate seen a little from the side."""
    c = np.array([[-w / 2, -h / 2], [w / 2, -h / 2], [w / 2, h / 2], [-w / 2, h / 2]])
    c += rng.uniform(-skew, skew, (4, 2)) * np.array([w * 0.5, h])
    shear = rng.normal(0, turn / 90)
    a = np.deg2rad(rng.normal(0, turn))
    c[:, 1] += shear * c[:, 0]
    rot = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return (c @ rot.T + [cx, cy]).astype(np.float32)


def _warp_into(scene, plate, quad, gain, bias, soft, shape=None):
    """Blend a plate into the scene (float32) on a quadrilateral; returns the homography.

    shape: mask of what is not rectangular, as large as the plate."""
    h, w = plate.shape
    tw = max(np.hypot(*(quad[1] - quad[0])), np.hypot(*(quad[2] - quad[3])), 2)
    f = tw / w
    small = plate
    shape = np.full((h, w), 255, np.uint8) if shape is None else shape
    if f < 0.8:
        size = (max(4, int(w * f)), max(2, int(h * f)))
        small, shape = (cv2.resize(v, size, interpolation=cv2.INTER_AREA) for v in (plate, shape))
    sh, sw = small.shape
    src = np.float32([[0, 0], [sw, 0], [sw, sh], [0, sh]])
    M = cv2.getPerspectiveTransform(src, quad)
    H, W = scene.shape
    x0, y0 = np.maximum(np.floor(quad.min(0)).astype(int) - 3, 0)
    x1, y1 = np.minimum(np.ceil(quad.max(0)).astype(int) + 4, [W, H])
    full = cv2.getPerspectiveTransform(np.float32([[0, 0], [w, 0], [w, h], [0, h]]), quad)
    if x1 <= x0 or y1 <= y0:
        return full
    T = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], np.float64) @ M
    size = (int(x1 - x0), int(y1 - y0))
    img = cv2.warpPerspective(small, T, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpPerspective(shape, T, size, flags=cv2.INTER_LINEAR)
    mask = mask.astype(np.float32) / 255
    if soft > 0.2:
        mask = cv2.GaussianBlur(mask, (0, 0), soft)
        img = cv2.GaussianBlur(img, (0, 0), soft)
    part = scene[y0:y1, x0:x1]
    part += mask * (img.astype(np.float32) * gain + bias - part)
    return full


def _map_boxes(boxes, M):
    """Axis-aligned boxes of transformed boxes [(c, x0, y0, x1, y1)] -> float array."""
    if not boxes:
        return np.zeros((0, 4), np.float32)
    b = np.array([x[1:] for x in boxes], np.float64)
    pts = np.stack([b[:, [0, 1]], b[:, [2, 1]], b[:, [2, 3]], b[:, [0, 3]]], 1).reshape(-1, 1, 2)
    q = cv2.perspectiveTransform(pts, M).reshape(-1, 4, 2)
    # A tilted glyph fills its quadrilateral, not the corners: the middle of the edges is tighter.
    lo, hi = np.sort(q, 1)[:, :2].mean(1), np.sort(q, 1)[:, 2:].mean(1)
    return np.concatenate([lo, hi], 1).astype(np.float32)


# ---------------------------------------------------------------- camera


def _motion_kernel(rng, length):
    k = np.zeros((length, length), np.float32)
    a = rng.uniform(-0.5, 0.5) if rng.random() < .7 else rng.uniform(0, np.pi)
    c, d = (length - 1) / 2, np.array([np.cos(a), np.sin(a)]) * length / 2
    cv2.line(k, tuple(int(round(v)) for v in c - d), tuple(int(round(v)) for v in c + d), 1.0, 1)
    return k / max(k.sum(), 1e-6)


def camera(rng, img, strength=1.0, blur_px=1.0):
    """What optics, light, sensor and compression do to a float32 picture; returns uint8."""
    H, W = img.shape
    if rng.random() < 0.3 * strength:
        ramp = cv2.resize(rng.uniform(0.35, 1.25, (2, 3)).astype(np.float32), (W, H))
        img = img * ramp
    if rng.random() < 0.12 * strength:
        edge = np.array([[rng.uniform(0, W), 0], [rng.uniform(0, W), H], [W * 2, H], [W * 2, 0]])
        m = np.zeros((H, W), np.uint8)
        cv2.fillPoly(m, [edge.astype(np.int32)], 255)
        m = cv2.GaussianBlur(m, (0, 0), rng.uniform(0.5, 4)).astype(np.float32) / 255
        img = img * (1 - m * rng.uniform(0.3, 0.65))
    if rng.random() < 0.1 * strength:
        y, x = np.mgrid[0:H, 0:W].astype(np.float32)
        r = rng.uniform(0.08, 0.35) * W
        d = (x - rng.uniform(0, W)) ** 2 + (y - rng.uniform(0, H)) ** 2
        img = img + np.exp(-d / (2 * r * r)) * rng.uniform(40, 170)
    img = (img - 128) * rng.uniform(1 - .45 * strength, 1 + .25 * strength) + 128
    img = img + rng.normal(0, 22 * strength)
    img = np.clip(img, 0, 255)
    if rng.random() < 0.4:
        img = 255 * (img / 255) ** np.exp(rng.normal(0, 0.35 * strength))
    roll = rng.random()
    if roll < 0.45:
        img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.3, 1.0) * blur_px)
    elif roll < 0.6:
        n = int(rng.integers(2, max(3, int(3 + 3 * blur_px))))
        img = cv2.filter2D(img, -1, _motion_kernel(rng, n))
    elif roll < 0.7:
        soft = cv2.GaussianBlur(img, (0, 0), 1.2)
        img = img + (img - soft) * rng.uniform(0.3, 1.5)
    if rng.random() < 0.6:
        img = img + rng.normal(0, 1, img.shape).astype(np.float32) * abs(rng.normal(0, 8 * strength))
    out = np.clip(img, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        q = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
        out = cv2.imdecode(cv2.imencode(".jpg", out, q)[1], cv2.IMREAD_GRAYSCALE)
    return out


def _recorded(rng, img):
    """What a cheap recorder leaves of a picture at times: fewer pixels, blocks."""
    h, w = img.shape
    if rng.random() < 0.12:
        f = rng.uniform(0.6, 0.9)
        small = cv2.resize(img, (int(w * f), int(h * f)), interpolation=cv2.INTER_AREA)
        img = cv2.resize(small, (w, h), interpolation=rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    if rng.random() < 0.15:
        q = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 35))]
        img = cv2.imdecode(cv2.imencode(".jpg", img, q)[1], cv2.IMREAD_GRAYSCALE)
    return img


# ---------------------------------------------------------------- reader crops


class Backgrounds:
    """Grey patches to stand behind things: real where there are photographs, else clouds."""

    def __init__(self, pictures=()):
        self.pictures = list(pictures)

    def patch(self, rng, w, h):
        if self.pictures and rng.random() < 0.85:
            img = self.pictures[rng.integers(len(self.pictures))].image()
            H, W = img.shape
            cw = int(rng.integers(12, max(13, W // 2)))
            ch = max(6, min(H - 1, int(cw * h / w)))
            x, y = int(rng.integers(0, W - cw)), int(rng.integers(0, max(1, H - ch)))
            return cv2.resize(img[y:y + ch, x:x + cw], (w, h)).astype(np.float32)
        cloud = rng.normal(rng.uniform(20, 220), 30, (4, 6)).astype(np.float32)
        return cv2.resize(cloud, (w, h), interpolation=cv2.INTER_LINEAR)


def reader_crop(rng, backgrounds, text=None, region=None, size=READ_SIZE, plate=None):
    """One reader input: (uint8 size, boxes float [n, 4] in its pixels, classes int [n]).

    plate: (gray, boxes as draw_plate gives them) instead of a drawn one."""
    gray, boxes = plate or plates.draw_plate(rng, text=text, region=region)
    h, w = gray.shape
    long = w / h > 3
    most = 300 if rng.random() < 0.6 else 100
    px = float(np.exp(rng.uniform(np.log(42), np.log(most)))) * (1.25 if long else 1.0)
    aspect = w / h * np.exp(rng.normal(0, 0.1))
    ph = px / aspect
    W, H = int(px * 1.7), int(ph * 2 + px * 0.2)
    scene = backgrounds.patch(rng, W, H)
    turn = 1.5 if rng.random() < 0.6 else 5.0
    quad = _quad(rng, W / 2, H / 2, px, ph, turn, rng.choice([0.01, 0.03, 0.06]))
    gain, bias = rng.uniform(0.75, 1.05), rng.uniform(-15, 15)
    if rng.random() < 0.07:
        # Night with a lamp beside the camera: the plate throws its light back, all else is dark.
        scene *= rng.uniform(0.05, 0.4)
        gain, bias = rng.uniform(1.0, 1.7), rng.uniform(0, 40)
    M = _warp_into(scene, gray, quad, gain, bias, rng.uniform(0, 0.6))
    blur = np.clip(px / 130, 0.55, 2.2)
    img = _recorded(rng, camera(rng, scene, 1.0, blur))
    chars = _map_boxes(boxes, M)
    x0, y0 = quad.min(0)
    x1, y1 = quad.max(0)
    jit = rng.normal(0, 0.03, 4) * [x1 - x0, y1 - y0, x1 - x0, y1 - y0]
    mw, mh = (x1 - x0) * MARGIN, (y1 - y0) * MARGIN
    cx0, cy0 = int(max(0, x0 - mw + jit[0])), int(max(0, y0 - mh + jit[1]))
    cx1, cy1 = int(min(W, x1 + mw + jit[2] + 1)), int(min(H, y1 + mh + jit[3] + 1))
    crop = img[cy0:cy1, cx0:cx1]
    out, s, (dx, dy) = letterbox(crop, size)
    if len(chars):
        chars = (chars - [cx0, cy0, cx0, cy0]) * s + [dx, dy, dx, dy]
        chars = np.clip(chars, 0, [size[1], size[0], size[1], size[0]]).astype(np.float32)
    classes = np.array([plates.ALPHABET.index(b[0]) for b in boxes], np.int64)
    ok = ((chars[:, 2] - chars[:, 0]) > 2) & ((chars[:, 3] - chars[:, 1]) > 4)
    return out, chars[ok], classes[ok]


# ---------------------------------------------------------------- detector scenes


def _level_around(scene, quad):
    """Mean grey of the neighbourhood of a quadrilateral."""
    (x0, y0), (x1, y1) = quad.min(0).astype(int), np.ceil(quad.max(0)).astype(int)
    w, h = (x1 - x0) // 2, y1 - y0
    around = scene[max(0, y0 - h):max(0, y1 + h), max(0, x0 - w):max(0, x1 + w)]
    return float(around.mean()) if around.size else 110.0


def _overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


class Scenes:
    """Detector scenes of one part (training or validation) of the photographs."""

    def __init__(self, root=None, val=False):
        self.pictures = [p for p in load_pictures(root) if p.val == val]
        self.street = [p for p in self.pictures if not p.stretched]
        self.crops = load_plate_crops(root, val)
        self._crop_cache = {}

    def _plate(self, rng):
        """A plate to paste: drawn, or a real crop."""
        if self.crops and rng.random() < 0.45:
            path = self.crops[rng.integers(len(self.crops))]
            if path not in self._crop_cache:
                self._crop_cache[path] = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
            return self._crop_cache[path]
        return plates.draw_plate(rng, region="EU" if rng.random() < 0.2 else None)[0]

    def _paste(self, rng, scene, cx, cy, w):
        """Paste one plate; returns its box."""
        plate = self._plate(rng)
        stretch = rng.normal(0.02, 0.08) if rng.random() < 0.75 else rng.uniform(-.25, .5)
        h = w * plate.shape[0] / plate.shape[1] * np.exp(stretch)
        quad = _quad(rng, cx, cy, w, h, 3.0 if rng.random() < .85 else 8.0, 0.03)
        level = _level_around(scene, quad)
        if rng.random() < 0.15:
            # Ground as bright as the vehicle, no rim: only the characters tell.
            ground = max(float(np.median(plate)), 20)
            gain, soft = np.clip((level + rng.normal(0, 6)) / ground, 0.15, 1.3), rng.uniform(.5, 2)
            _warp_into(scene, plate, quad, gain, 0, soft)
            return (*quad.min(0), *quad.max(0))
        target = np.clip(level * rng.uniform(0.7, 2.0) + rng.uniform(0, 50), 25, 225)
        gain = np.clip(target / max(float(plate.mean()), 20), 0.25, 1.25)
        if rng.random() < 0.35:
            # The holder: a dark or light rim.
            pad = quad.mean(0) + (quad - quad.mean(0)) * (1 + rng.uniform(.04, .14))
            shade = float(np.clip(level + rng.normal(-30, 40), 5, 230))
            cv2.fillConvexPoly(scene, np.round(pad).astype(np.int32), shade, cv2.LINE_AA)
        _warp_into(scene, plate, quad, gain, rng.uniform(-8, 8), rng.uniform(0.2, 0.7))
        return (*quad.min(0), *quad.max(0))

    def _view(self, rng, w, h, picture=None, want=None):
        """A real photograph seen through a w x h window: (float32 picture, boxes)."""
        p = picture or self.pictures[rng.integers(len(self.pictures))]
        img = p.image()
        ih, iw = img.shape
        ax = rng.choice([1.0, 1.2, 1.33, 1.5, 1.78]) if p.stretched else 1.0
        cover = max(w / (iw * ax), h / ih)
        s = cover * np.exp(rng.uniform(0, 0.35))
        cx, cy = iw * ax / 2, ih / 2
        if p.boxes and want:
            b = p.boxes[rng.integers(len(p.boxes))]
            s = np.clip(want / ((b[2] - b[0]) * ax), cover, cover * 4)
            cx, cy = (b[0] + b[2]) / 2 * ax, (b[1] + b[3]) / 2
        vw, vh = w / s, h / s
        x = np.clip(cx + rng.uniform(-.4, .4) * vw - vw / 2, 0, max(0, iw * ax - vw))
        y = np.clip(cy + rng.uniform(-.4, .4) * vh - vh / 2, 0, max(0, ih - vh))
        A = np.float32([[s * ax, 0, -x * s], [0, s, -y * s]])
        if s < 0.6:
            img = cv2.GaussianBlur(img, (0, 0), 0.35 / s)
        view = cv2.warpAffine(img, A, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        view, boxes = view.astype(np.float32), []
        for b in p.boxes:
            q = np.array([b[0] * s * ax - x * s, b[1] * s - y * s, b[2] * s * ax - x * s, b[3] * s - y * s])
            c = np.clip(q, 0, [w, h, w, h])
            seen = (c[2] - c[0]) * (c[3] - c[1]) / ((q[2] - q[0]) * (q[3] - q[1]))
            if seen > 0.35:
                boxes.append(tuple(c))
            elif seen > 0:
                self._erase(rng, view, c)
        return view, boxes

    def _mosaic(self, rng, w, h):
        """Several photographs beside one another: small plates, many of them."""
        n = int(rng.choice([2, 2, 3]))
        xs = [0] + sorted(int(w * (i + rng.uniform(-.12, .12)) / n) for i in range(1, n)) + [w]
        ys = [0] + sorted(int(h * (i + rng.uniform(-.12, .12)) / n) for i in range(1, n)) + [h]
        scene, boxes = np.zeros((h, w), np.float32), []
        for x0, x1 in zip(xs[:-1], xs[1:]):
            for y0, y1 in zip(ys[:-1], ys[1:]):
                v, b = self._view(rng, x1 - x0, y1 - y0)
                scene[y0:y1, x0:x1] = v
                boxes += [(q[0] + x0, q[1] + y0, q[2] + x0, q[3] + y0) for q in b]
        return scene, boxes

    def _close(self, rng, w, h):
        """One plate that fills most of the picture, as when a crop is looked at again."""
        scene, _ = self._view(rng, w, h)
        scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(1, 6))
        tw = min(w, 2 * h) * rng.uniform(0.55, 1.03)
        box = self._paste(rng, scene, w / 2 + rng.normal(0, 0.03) * w, h / 2 + rng.normal(0, 0.03) * h, tw)
        return scene, [box]

    def _erase(self, rng, scene, box):
        """Take a plate out of the picture: what is left is a car without one."""
        x0, y0, x1, y1 = (int(v) for v in box)
        w, h = x1 - x0 + 6, y1 - y0 + 6
        H, W = scene.shape
        sy = y0 - h - 2 if y0 - h - 2 >= 0 else y1 + 3
        if sy < 0 or sy + h > H or w >= W or h >= H:
            v = float(np.median(scene))
            cv2.rectangle(scene, (x0 - 3, y0 - 3), (x1 + 3, y1 + 3), v, -1)
            return
        sx = int(np.clip(x0 - 3, 0, W - w))
        tx, ty = sx, int(np.clip(y0 - 3, 0, H - h))
        scene[ty:ty + h, tx:tx + w] = scene[sy:sy + h, sx:sx + w].copy()

    def _clock(self, rng, scene):
        """The camera's clock and name, laid over the picture."""
        H, W = scene.shape
        ink = float(rng.choice([250, 10]))
        digits = lambda n: "".join(rng.choice(list("0123456789"), n))
        word = f"20{digits(2)}-{digits(2)}-{digits(2)} {digits(2)}:{digits(2)}:{digits(2)}"
        if rng.random() < .4:
            word = rng.choice(["CAM " + digits(2), digits(2) + ":" + digits(2), writing.phrase(rng, 2)])
        y = H * rng.choice([0.02, 0.93])
        x = W * rng.uniform(0.01, .5)
        h = H * rng.uniform(.03, .06)
        if rng.random() < .3:
            cv2.rectangle(scene, (int(x), int(y)), (int(x + W * .45), int(y + h)), 255 - ink, -1)
        plates.put_word(scene, rng, word, x, y, W * .45, h, ink)

    def _sign(self, rng, scene, boxes, largest):
        """Something with writing that is no plate, beside the plates; often on their vehicle."""
        H, W = scene.shape
        sign, shape = writing.draw_sign(rng)
        h, w = sign.shape
        size = float(np.exp(rng.uniform(np.log(14), np.log(largest))))
        f = size / np.sqrt(w * h / 2)
        cx, cy = rng.uniform(0, W), rng.uniform(0, H)
        if boxes and rng.random() < 0.4:
            b = boxes[rng.integers(len(boxes))]
            cx = (b[0] + b[2]) / 2 + rng.normal(0, 1) * (b[2] - b[0])
            cy = (b[1] + b[3]) / 2 + rng.normal(0, 1.5) * (b[3] - b[1])
        quad = _quad(rng, cx, cy, w * f, h * f, 3.0 if rng.random() < .7 else 10.0, 0.04)
        if any(_overlap((*quad.min(0), *quad.max(0)), b) for b in boxes):
            return
        gain = np.clip(_level_around(scene, quad) * rng.uniform(.8, 2.2) / 128, 0.2, 1.15)
        _warp_into(scene, sign, quad, gain, rng.uniform(-8, 8), rng.uniform(0.2, 0.7), shape)

    def _writing(self, rng, scene, boxes, most, largest=120):
        for _ in range(int(rng.integers(0, most + 1))):
            if rng.random() < 0.2:
                self._clock(rng, scene)
            else:
                self._sign(rng, scene, boxes, largest)

    def scene(self, rng, size=DETECT_SIZE):
        """One detector input: (uint8 size, boxes float [n, 4] in its pixels)."""
        H, W = size
        ratio = rng.choice([16 / 9, 4 / 3, 1.0, 0.75], p=[.35, .25, .3, .1])
        w, h = (W, int(round(W / ratio))) if ratio >= 1 else (int(round(H * ratio)), H)
        kind = rng.random()
        if kind < 0.1:
            scene, boxes = self._close(rng, w, h)
        elif kind < 0.3:
            scene, boxes = self._mosaic(rng, w, h)
        elif kind < 0.55:
            scene, boxes = self._view(rng, w, h, want=float(np.exp(rng.uniform(np.log(22), np.log(280)))))
        elif kind < 0.8:
            pick = self.street[rng.integers(len(self.street))]
            scene, boxes = self._view(rng, w, h, picture=pick)
        else:
            scene, boxes = self._view(rng, w, h)
        boxes = [tuple(b) for b in boxes]
        if kind >= 0.1:
            boxes = self._change_plates(rng, scene, boxes, w, h)
        if rng.random() < 0.4:
            self._writing(rng, scene, boxes, 4)
        img = camera(rng, scene, 0.6, 0.7)
        out = np.zeros((H, W), np.uint8)
        dx, dy = (W - w) // 2, (H - h) // 2
        out[dy:dy + h, dx:dx + w] = img
        b = np.array(boxes, np.float32).reshape(-1, 4)
        b = np.clip(b, 0, [w, h, w, h]) + [dx, dy, dx, dy]
        big = ((b[:, 2] - b[:, 0]) >= 7) & ((b[:, 3] - b[:, 1]) >= 3)
        return out, b[big].astype(np.float32)

    def _plain(self, rng, ratio):
        """A part of a photograph beside its plates, uint8; often around what looks like one."""
        labelled = [p for p in self.pictures if "det_openimages" not in p.path or p.lookalikes]
        alike = [p for p in labelled if p.lookalikes]
        near = bool(alike) and rng.random() < 0.35
        while True:
            pool = alike if near else labelled
            p = pool[rng.integers(len(pool))]
            img = p.image()
            ih, iw = img.shape
            f = np.exp(rng.uniform(np.log(0.25), np.log(0.95)))
            cw, ch = int(iw * f), int(min(ih, iw * f / ratio * (1.33 if p.stretched else 1.0)))
            x, y = int(rng.integers(0, iw - cw + 1)), int(rng.integers(0, ih - ch + 1))
            if near:
                x0, y0, x1, y1 = p.lookalikes[rng.integers(len(p.lookalikes))]
                x = int(np.clip((x0 + x1 - cw) / 2 + rng.uniform(-.35, .35) * cw, 0, iw - cw))
                y = int(np.clip((y0 + y1 - ch) / 2 + rng.uniform(-.35, .35) * ch, 0, ih - ch))
            if not any(_overlap((x, y, x + cw, y + ch), b) for b in p.boxes):
                return img[y:y + ch, x:x + cw]

    def empty(self, rng, size=DETECT_SIZE):
        """A detector input without any plate: parts of photographs beside their plates, writing,
        pages."""
        H, W = size
        ratio = rng.choice([16 / 9, 4 / 3, 1.0, 0.75])
        w, h = (W, int(round(W / ratio))) if ratio >= 1 else (int(round(H * ratio)), H)
        scene = cv2.resize(self._plain(rng, ratio), (w, h)).astype(np.float32)
        if rng.random() < 0.1:
            scene = np.ascontiguousarray(scene[::-1])
        if rng.random() < 0.25:
            scene = writing.draw_page(rng, w, h, scene)
        else:
            self._writing(rng, scene, [], 5, 120 if rng.random() < .7 else 360)
        out = np.zeros((H, W), np.uint8)
        dx, dy = (W - w) // 2, (H - h) // 2
        out[dy:dy + h, dx:dx + w] = camera(rng, scene, 0.6, 0.7)
        return out, np.zeros((0, 4), np.float32)

    def _change_plates(self, rng, scene, boxes, w, h):
        """Replace, erase and add plates in place; returns all boxes."""
        kept, mode = [], rng.random()
        for b in boxes:
            bw = b[2] - b[0]
            if mode < 0.07:
                self._erase(rng, scene, b)
            elif mode < 0.45 and 9 < bw < 260:
                # A US plate where a real vehicle carries one.
                self._erase(rng, scene, b)
                tw = bw * rng.uniform(0.65, 1.1)
                kept.append(self._paste(rng, scene, (b[0] + b[2]) / 2, (b[1] + b[3]) / 2, tw))
            else:
                kept.append(b)
        if mode > 0.35 and rng.random() < 0.5:
            for _ in range(int(rng.integers(1, 4))):
                tw = float(np.exp(rng.normal(np.log(32), 0.45)))
                tw = float(np.clip(tw, 13, w * 0.6))
                cx, cy = rng.uniform(tw * .6, w - tw * .6), rng.uniform(h * 0.15, h - tw * .35)
                box = (cx - tw * .6, cy - tw * .35, cx + tw * .6, cy + tw * .35)
                if not any(_overlap(box, k) for k in kept):
                    kept.append(self._paste(rng, scene, cx, cy, tw))
        return kept


# ---------------------------------------------------------------- caches


def write_part(path, make, count, seed, first, step):
    """Samples first, first + step, ... of a cache; returns their rows of labels."""
    images, rows, start = np.load(path, mmap_mode="r+"), [], time.time()
    for i in range(first, count, step):
        # One generator a sample: whoever makes it, it is the same.
        rng = np.random.default_rng((seed, i))
        images[i], boxes, classes = make(rng, i)
        rows += [(i, c, *b) for b, c in zip(boxes, classes)]
        if first == 0 and (i // step + 1) % 2000 == 0:
            print(f"{path}: {i}/{count}, {i / (time.time() - start):.0f}/s", flush=True)
    images.flush()
    return rows


def write_cache(name, make, count, seed, size, jobs=1):
    """Write count samples below CACHE as <name>.npy (pictures) and <name>.npz (labels).

    make(rng, i) gives picture, boxes and classes of sample i; with several jobs, processes
    forked from this one share the samples."""
    os.makedirs(CACHE, exist_ok=True)
    path = os.path.join(CACHE, name)
    np.lib.format.open_memmap(path + ".npy.part", "w+", np.uint8, (count, *size)).flush()
    tasks = [(path + ".npy.part", make, count, seed, k, jobs) for k in range(jobs)]
    if jobs == 1:
        parts = [write_part(*tasks[0])]
    else:
        fork = multiprocessing.get_context("fork")
        with fork.Pool(jobs, initializer=_take, initargs=(tasks,)) as pool:
            parts = pool.map(_make_part, range(jobs), chunksize=1)
    rows = sorted(sum(parts, []), key=lambda r: r[0])
    np.savez(path + ".npz", rows=np.array(rows, np.float32).reshape(-1, 6))
    os.replace(path + ".npy.part", path + ".npy")


def _take(tasks):
    """In a forked process: what cannot be sent through a pipe is inherited."""
    global _tasks
    _tasks = tasks


def _make_part(k):
    return write_part(*_tasks[k])


def make_cache(what, count=None, seed=1, val=False, jobs=1):
    """One of the caches that the command line names; returns its name."""
    name = f"{what}-{'val' if val else 'train'}-{seed}"
    seed += 1000000 if val else 0
    if what == "reader":
        backgrounds = Backgrounds([p for p in load_pictures() if p.val == val])
        write_cache(name, lambda rng, i: reader_crop(rng, backgrounds),
                    count or (1500 if val else 40000), seed, READ_SIZE, jobs)
        return name
    if what == "photographs":
        return make_photographs(seed)
    scenes = Scenes(val=val)
    draw = scenes.empty if what == "empty" else scenes.scene

    def make(rng, i):
        img, boxes = draw(rng)
        return img, boxes, np.zeros(len(boxes))
    write_cache(name, make, count or (400 if val else 2500 if what == "empty" else 14000), seed,
                DETECT_SIZE, jobs)
    return name


def make_photographs(seed):
    """The held-out photographs as they are."""
    held = [p for p in load_pictures() if p.val]

    def make(rng, i):
        img, s, (dx, dy) = letterbox(held[i].image(), DETECT_SIZE)
        boxes = np.array(held[i].boxes).reshape(-1, 4) * s + [dx, dy, dx, dy]
        return img, boxes, np.zeros(len(boxes))
    write_cache("detector-real", make, len(held), seed, DETECT_SIZE)
    return "detector-real"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["reader", "detector", "empty", "photographs"],
                    help="empty: detector scenes without plates; photographs: the held-out real ones "
                    "as they are, for validation")
    ap.add_argument("--count", type=int)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--val", action="store_true", help="the held-out part")
    ap.add_argument("--jobs", type=int, default=1, help="processes that share the work")
    args = ap.parse_args()
    cv2.setNumThreads(1)
    make_cache(args.what, args.count, args.seed, args.val, args.jobs)


if __name__ == "__main__":
    main()

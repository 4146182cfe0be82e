# SPDX-License-Identifier: Apache-2.0
"""Trains and measures the region classifier (ResNet18, 57 states and provinces).

    /usr/bin/python3 -m models.train_region prepare            caches the pictures as arrays
    /usr/bin/python3 -m models.train_region train [--epochs N] [--resume] [--letterbox stretch]
    /usr/bin/python3 -m models.train_region evaluate [--json] [--write] [--model FILE.onnx]

Real crops come from $PLATED_DATA/train/us_states (default ../shared/data beside the
repository), drawn ones of all regions from models/plates.py. Pictures are cached in
models/.cache/region.npz, the checkpoint is models/.cache/region.pt. With the same seed
and the same data a training repeats itself, and --resume goes on after the last epoch.
"""
import argparse
import csv
import hashlib
import itertools
import json
import math
import multiprocessing
import os
import pathlib
import sys
import time

import cv2
import numpy as np
import torch
from torch.nn import functional

from models import halve, networks, synth

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE / '.cache'
DATA = pathlib.Path(os.environ.get('PLATED_DATA', HERE.parent.parent / 'shared' / 'data'))
STATES = ('AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV '
          'NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY').split()
PROVINCES = 'AB BC MB ON QC SK'.split()
REGIONS = ['US-' + s for s in sorted(STATES)] + ['CA-' + p for p in PROVINCES]
NEGATIVE = -1
STORED = (224, 128)     # width, height of the cached pictures
INPUT = 224
MARGIN = 0.08           # the cut's margin on each side, docs/model-contract.md
STAGES = ((0.0, 112), (0.4, 144))  # share of the training, pixels the network looks at
DRAWN_STATE, DRAWN_PROVINCE = 40, 300
LETTERED_STATE, LETTERED_PROVINCE = 20, 400
EPOCH_STATE, EPOCH_PROVINCE = 56, 120  # of both kinds, of one region in an epoch
# Other names under which a plate of the region is known, beside those of plates.py.
ALSO = {'CA-BC': [('Beautiful British Columbia', ''), ('British Columbia', 'Beautiful')],
        'CA-MB': [('Friendly Manitoba', ''), ('Manitoba', '100 000 lakes')],
        'CA-ON': [('Ontario', 'Yours to discover'), ('Ontario', 'Keep it beautiful'),
                  ('Ontario', '')],
        'CA-QC': [('Québec', 'La belle province'), ('Quebec', 'Je me souviens')],
        'CA-SK': [('Saskatchewan', 'Land of living skies'), ('Saskatchewan', '')],
        'CA-AB': [('Alberta', 'Wild rose country'), ('Alberta', '')]}


# ------------------------------------------------------------------ pictures


def read_labels(folder):
    with open(folder / 'labels.csv', newline='', encoding='utf-8') as f:
        return list(csv.DictReader(f))


def region_index(code):
    code = code.upper()
    return REGIONS.index(code) if code in REGIONS else NEGATIVE


def thumbnails(pictures):
    small = np.stack([cv2.resize(p, (24, 14), interpolation=cv2.INTER_AREA) for p in pictures])
    flat = small.reshape(len(small), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)


def split(files, labels):
    """True for validation: the set's own 'valid' part, and six more of each region."""
    valid = np.array(['_valid_' in f or '_test_' in f for f in files])
    for region in range(len(REGIONS)):
        members = [i for i in np.flatnonzero(labels == region) if not valid[i]]
        members.sort(key=lambda i: hashlib.sha1(files[i].encode()).digest())
        valid[members[:6]] = True
    return valid


def real_pictures(quiet=False):
    """Pictures, labels, and which are for training (0), validation (1) or neither (2)."""
    folder = DATA / 'train' / 'us_states'
    rows = sorted(read_labels(folder), key=lambda r: r['file'])
    files = [r['file'] for r in rows]
    pictures = np.stack([cv2.resize(cv2.imread(str(folder / 'images' / f), cv2.IMREAD_GRAYSCALE),
                                    STORED, interpolation=cv2.INTER_AREA) for f in files])
    labels = np.array([region_index(r['region']) for r in rows])
    valid = split(files, labels)
    part = valid.astype(np.int64)
    part[valid & (labels == NEGATIVE)] = 2
    # A training picture that is nearly one of the validation part would flatter the figure.
    thumbs = thumbnails(pictures)
    twin = (thumbs @ thumbs[valid].T).max(1) > 0.985
    part[~valid & twin] = 2
    part[np.isin(files, list(synth.in_eval('us_states')))] = 2
    if not quiet:
        print(f'{len(files)} real pictures: {(part == 0).sum()} to train, {(part == 1).sum()} to '
              f'validate, {(~valid & twin).sum()} left out as twins of validation pictures')
    return pictures, labels, part


def drawn_pictures(seed):
    """Plates of every region; provinces many, since no real one is there."""
    from models import plates
    for code, names in ALSO.items():
        formats = plates.REGIONS[code][2]
        for index, (name, slogan) in enumerate(names):
            plates.REGIONS[f'{code}/{index}'] = (name, slogan, formats)
    pictures, labels = [], []
    for label, code in enumerate(REGIONS):
        aliases = [code] + [f'{code}/{i}' for i in range(len(ALSO.get(code, ())))]
        for index in range(DRAWN_PROVINCE if code.startswith('CA') else DRAWN_STATE):
            rng = np.random.default_rng([seed, label, index])
            style = 'clean' if index % 5 < 2 else None
            gray, _ = plates.draw_plate(rng, region=aliases[index % len(aliases)], style=style)
            pictures.append(cv2.resize(gray, STORED, interpolation=cv2.INTER_AREA))
            labels.append(label)
    print(f'{len(pictures)} drawn pictures')
    return np.stack(pictures), np.array(labels)


def prepare(seed):
    real, real_labels, part = real_pictures()
    drawn, drawn_labels = drawn_pictures(seed)
    lettered, lettered_labels = relettered_pictures(seed, real, real_labels, part)
    drawn = np.concatenate([drawn, lettered])
    drawn_labels = np.concatenate([drawn_labels, lettered_labels])
    CACHE.mkdir(exist_ok=True)
    np.savez(CACHE / 'region.npz', real=real, real_labels=real_labels, part=part, drawn=drawn,
             drawn_labels=drawn_labels)


def relettered(rng, plate, name, slogan):
    """A real plate with the name and slogan of another region in place of its own."""
    from models import plates
    out = plate.astype(np.float32)
    h, w = plate.shape
    middle = out[int(.35 * h):int(.65 * h), int(.1 * w):int(.9 * w)]
    dark, light = np.percentile(middle, (5, 90))
    ground = np.median(middle)
    ink = dark if ground - dark > light - ground else light
    top, bottom = int(h * rng.uniform(.24, .28)), int(h * rng.uniform(.76, .8))
    cover = np.zeros((h, w), np.float32)
    cover[5:top, 6:w - 6] = cover[bottom:h - 5, 6:w - 6] = 1
    cover = cv2.GaussianBlur(cover, (0, 0), 1.5)
    out += cover * (ground + rng.normal(0, 3, out.shape).astype(np.float32) - out)
    name = name.upper() if rng.random() < 0.4 else name
    plates.put_word(out, rng, name, w * .2, h * rng.uniform(.04, .07),
                    w * rng.uniform(.5, .62), h * rng.uniform(.12, .16), float(ink))
    if slogan:
        plates.put_word(out, rng, slogan, w * .2, h * rng.uniform(.85, .88), w * .6,
                        h * rng.uniform(.07, .1), float(ink))
    out = cv2.GaussianBlur(out, (0, 0), rng.uniform(.3, .6))
    return np.clip(out, 0, 255).astype(np.uint8)


def relettered_pictures(seed, real, labels, part):
    """Real looks under other names: what is read must be the name, not the photograph."""
    from models import plates
    sources = np.flatnonzero((part == 0) & (labels != NEGATIVE))
    pictures, targets_of = [], []
    for label, code in enumerate(REGIONS):
        names = [plates.REGIONS[code][:2], *ALSO.get(code, ())]
        for index in range(LETTERED_PROVINCE if code.startswith('CA') else LETTERED_STATE):
            rng = np.random.default_rng([seed, 1, label, index])
            pictures.append(relettered(rng, real[rng.choice(sources)], *names[index % len(names)]))
            targets_of.append(label)
    print(f'{len(pictures)} relettered pictures')
    return np.stack(pictures), np.array(targets_of)


# -------------------------------------------------------------- augmentation


def background(rng, width, height):
    coarse = rng.uniform(0, 1, (int(rng.integers(1, 5)), int(rng.integers(1, 6))))
    low, high = np.sort(rng.uniform(0, 255, 2))
    coarse = (low + (high - low) * coarse).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def framed(rng, plate):
    """A dealer's frame, or something over a part of the plate."""
    h, w = plate.shape
    plate = plate.copy()
    tone = float(rng.choice([rng.uniform(0, 70), rng.uniform(120, 255)]))
    if rng.random() < 0.3:
        top, bottom = (int(h * rng.uniform(0, 0.09)) for _ in range(2))
        side = int(w * rng.uniform(0, 0.03))
        plate[:top], plate[h - bottom:], plate[:, :side], plate[:, w - side:] = (tone,) * 4
    if rng.random() < 0.2:
        x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
        plate[y:y + int(h * rng.uniform(.05, .3)), x:x + int(w * rng.uniform(.03, .15))] = tone
    return plate


def corners(rng, width, height):
    """Where the plate's corners lie in a cut of the given size: margin, turn, perspective."""
    spread = rng.uniform(-0.01, 0.13) if rng.random() < 0.7 else MARGIN
    margins = spread + rng.normal(0, 0.02, 4)
    x0, x1 = margins[0] / (1 + 2 * spread), 1 - margins[1] / (1 + 2 * spread)
    y0, y1 = margins[2] / (1 + 2 * spread), 1 - margins[3] / (1 + 2 * spread)
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) + rng.normal(0, 0.012, (4, 2))
    points *= (width, height)
    centre = points.mean(0)
    shear = np.array([[1, rng.normal(0, 0.06)], [math.tan(math.radians(rng.normal(0, 2.5))), 1]])
    return ((points - centre) @ shear.T + centre).astype(np.float32)


def degrade(rng, cut):
    """What optics, light and the sensor do to it."""
    h, w = cut.shape
    if rng.random() < 0.35:
        angle = rng.uniform(0, 2 * np.pi)
        yy, xx = np.mgrid[:h, :w].astype(np.float32)
        side = (xx / w - rng.uniform(.2, .8)) * np.cos(angle) + \
            (yy / h - rng.uniform(.2, .8)) * np.sin(angle)
        cut = cut * (1 - rng.uniform(.2, .7) / (1 + np.exp(-side * rng.uniform(3, 40))))
    cut = 255 * np.clip(cut / 255, 0, 1) ** math.exp(rng.normal(0, 0.35))
    cut = (cut - 128) * rng.uniform(0.35, 1.25) + 128 + rng.normal(0, 25)
    if rng.random() < 0.04:
        cut = 255 - cut
    if rng.random() < 0.4:
        cut = cv2.GaussianBlur(cut, (0, 0), rng.uniform(0.3, 1.1))
    elif rng.random() < 0.2:
        length = int(rng.integers(2, 6))
        kernel = np.ones((1, length) if rng.random() < .7 else (length, 1), np.float32) / length
        cut = cv2.filter2D(cut, -1, kernel)
    if rng.random() < 0.6:
        cut = cut + rng.normal(0, rng.uniform(1, 9), cut.shape)
    cut = np.clip(cut, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        _, data = cv2.imencode('.jpg', cut, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        cut = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return cut


def fit(cut, size, letterbox):
    """The cut in a square input, as the pipeline does it."""
    if letterbox == 'stretch':
        return cv2.resize(cut, (size, size), interpolation=cv2.INTER_LINEAR)
    h, w = cut.shape
    scale = size / max(h, w)
    nw, nh = max(1, round(w * scale)), max(1, round(h * scale))
    canvas = np.zeros((size, size), np.uint8)
    x, y = (size - nw) // 2, (size - nh) // 2
    canvas[y:y + nh, x:x + nw] = cv2.resize(cut, (nw, nh), interpolation=cv2.INTER_LINEAR)
    return canvas


def augment(rng, plate, size, letterbox, progress=1.0):
    """One cut as a camera gives it; early in a training many are near and undisturbed."""
    clear = rng.random() < 0.8 * (1 - progress / 0.3)
    nearest = 75 + 75 * max(0.0, 1 - progress / 0.3)
    width = int(math.exp(rng.uniform(math.log(nearest), math.log(240))))
    height = max(24, int(width * rng.uniform(0.42, 0.62)))
    if not clear:
        plate = framed(rng, plate)
    if width < STORED[0]:
        plate = cv2.resize(plate, (width, max(16, int(width * STORED[1] / STORED[0]))),
                           interpolation=cv2.INTER_AREA)
    h, w = plate.shape
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners(rng, width, height))
    cut = background(rng, width, height)
    if rng.random() < 0.15:
        cut = cv2.warpPerspective(plate.astype(np.float32), matrix, (width, height),
                                  borderMode=cv2.BORDER_REPLICATE)
    else:
        cut = cv2.warpPerspective(plate.astype(np.float32), matrix, (width, height), cut,
                                  borderMode=cv2.BORDER_TRANSPARENT)
    cut = np.clip(cut, 0, 255).astype(np.uint8) if clear else degrade(rng, cut)
    return fit(cut, size, letterbox)


def margined(plate):
    """A cut without disturbance: the plate, with its margin filled from its edge."""
    h, w = plate.shape
    y, x = round(h * MARGIN), round(w * MARGIN)
    return cv2.copyMakeBorder(plate, y, y, x, x, cv2.BORDER_REPLICATE)


# ------------------------------------------------------------------ training


def tensor(pictures, mean, std, device='cpu'):
    x = torch.from_numpy(np.stack(pictures)).to(device).float().div_(255).sub_(mean).div_(std)
    return x.unsqueeze(1).contiguous(memory_format=torch.channels_last)


_data = None    # of the training under way; forked processes inherit it


def cut(task):
    """One augmented picture of an epoch; its chance hangs on its place in the epoch alone."""
    seed, epoch, place, drawn, index, letterbox, progress = task
    rng = np.random.default_rng([seed, epoch, place])
    return augment(rng, _data['drawn' if drawn else 'real'][index], INPUT, letterbox, progress)


def cuts(order, args, epoch):
    """The augmented pictures of an epoch in its order, made here or by forked processes."""
    tasks = ((args.seed, epoch, place, k, i, args.letterbox, epoch / args.epochs)
             for place, (k, i) in enumerate(order))
    if not args.workers:
        yield from map(cut, tasks)
        return
    with multiprocessing.get_context('fork').Pool(args.workers) as pool:
        yield from pool.imap(cut, tasks, chunksize=args.batch)


def epoch_order(rng, data):
    """(drawn?, index) of an epoch: all real pictures once and a share of the drawn ones."""
    order = [(0, i) for i in np.flatnonzero(data['part'] == 0)
             if data['real_labels'][i] != NEGATIVE or rng.random() < 0.5]
    for label, code in enumerate(REGIONS):
        members = np.flatnonzero(data['drawn_labels'] == label)
        count = EPOCH_PROVINCE if code.startswith('CA') else EPOCH_STATE
        order += [(1, i) for i in rng.choice(members, count, replace=False)]
    return [order[i] for i in rng.permutation(len(order))]


def targets(labels, smoothing):
    """Smoothed one-hot rows; for a picture of no region the same for all."""
    n = len(REGIONS)
    rows = torch.full((len(labels), n), smoothing / n)
    for row, label in zip(rows, labels):
        if label == NEGATIVE:
            row.fill_(1 / n)
        else:
            row[label] += 1 - smoothing
    return rows


class Average:
    """Exponential moving average of a network's weights and statistics."""

    def __init__(self, net, decay=0.995):
        self.state = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self, net):
        self.updates += 1
        d = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for key, value in net.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value, 1 - d)
            else:
                self.state[key].copy_(value)


@torch.no_grad()
def classify(net, pictures, mean, std, batch=64):
    """Probabilities of pictures that already have the input's size."""
    net.eval()
    device = net.classify.weight.device
    rows = [net(tensor(pictures[i:i + batch], mean, std, device)).softmax(1).cpu()
            for i in range(0, len(pictures), batch)]
    return torch.cat(rows).numpy()


def validate(net, data, letterbox):
    """Share of the validation part that is named rightly."""
    chosen = np.flatnonzero(data['part'] == 1)
    cuts = [fit(margined(data['real'][i]), INPUT, letterbox) for i in chosen]
    answers = classify(net, cuts, data['mean'], data['std']).argmax(1)
    return float((answers == data['real_labels'][chosen]).mean())


def load_data():
    path = CACHE / 'region.npz'
    if not path.exists():
        raise SystemExit('no cached pictures: run "models.train_region prepare" first')
    with np.load(path) as arrays:
        data = dict(arrays)
    real = data['real'][data['part'] == 0]
    data['mean'] = round(float(real.mean()) / 255, 4)
    data['std'] = round(float(real.std()) / 255, 4)
    return data


def size_at(progress):
    return [size for begin, size in STAGES if progress >= begin][-1]


def metadata(data, letterbox):
    return {'plated.task': 'region', 'plated.version': '1', 'plated.classes': ','.join(REGIONS),
            'plated.mean': data['mean'], 'plated.std': data['std'],
            'plated.letterbox': letterbox}


def learning_rate(step, steps, peak):
    warm = min(1.0, (step + 1) / 200)
    return peak * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def train_epoch(net, average, optimiser, data, args, epoch, steps_done):
    rng = np.random.default_rng([args.seed, epoch])
    order = epoch_order(rng, data)
    progress = epoch / args.epochs
    net.inner = size_at(progress)
    batches = len(order) // args.batch
    made = cuts(order[:batches * args.batch], args, epoch)
    total, started = 0.0, time.monotonic()
    net.train()
    for b in range(batches):
        rate = learning_rate(steps_done + b, args.epochs * batches, args.rate)
        for group in optimiser.param_groups:
            group['lr'] = rate
        chosen = order[b * args.batch:(b + 1) * args.batch]
        names = ('real_labels', 'drawn_labels')
        pictures = list(itertools.islice(made, args.batch))
        goal = targets([data[names[k]][i] for k, i in chosen], 0.05).to(args.device)
        kind = 'cpu' if args.device == 'cpu' else 'cuda'
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bool(args.bfloat16)):
            logits = net(tensor(pictures, data['mean'], data['std'], args.device))
        loss = functional.cross_entropy(logits.float(), goal)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update(net)
        total += float(loss)
    seconds = time.monotonic() - started
    return batches, total / batches, batches * args.batch / seconds


def averaged(net, average):
    smooth = networks.build(net.spec)
    smooth.load_state_dict(average.state)
    return smooth.to(net.classify.weight.device).eval()


def train(args):
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    global _data
    data = _data = load_data()
    net = networks.build({'name': 'resnet18', 'nc': len(REGIONS), 'ch': 1, 'width': args.width,
                          'dropout': 0.2, 'inner': STAGES[-1][1]})
    net = net.to(args.device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), args.rate, weight_decay=0.02)
    average, epoch, steps = Average(net), 0, 0
    checkpoint = CACHE / args.name
    if args.resume and checkpoint.exists():
        _, _, rest = networks.load(checkpoint)
        net.load_state_dict(rest['live'])
        optimiser.load_state_dict(rest['optimiser'])
        average.state = {k: v.to(args.device) for k, v in rest['average'].items()}
        average.updates = rest['updates']
        epoch, steps = rest['epoch'], rest['steps']
        torch.set_rng_state(rest['rng'])
    while epoch < args.epochs:
        done, loss, speed = train_epoch(net, average, optimiser, data, args, epoch, steps)
        epoch, steps = epoch + 1, steps + done
        smooth = averaged(net, average)
        smooth.inner = net.inner
        line = f'epoch {epoch}/{args.epochs} at {net.inner} px: loss {loss:.3f}, {speed:.0f} pictures/s'
        if epoch % args.every == 0 or epoch == args.epochs:
            line += f', validation {100 * validate(smooth, data, args.letterbox):.1f} %'
        print(line, flush=True)
        partial = checkpoint.with_suffix('.part')
        networks.save(partial, smooth, metadata(data, args.letterbox), size=(INPUT, INPUT),
                      live=net.state_dict(), optimiser=optimiser.state_dict(), epoch=epoch,
                      average=average.state, updates=average.updates, steps=steps,
                      rng=torch.get_rng_state())
        os.replace(partial, checkpoint)
    return 0


# ---------------------------------------------------------------- evaluation


class Released:
    """An exported model run by OpenCV: neither PyTorch nor our engine has a say in it."""

    def __init__(self, path):
        import onnx
        model = onnx.load(str(path))
        strings = {p.key: p.value for p in model.metadata_props}
        self.size = model.graph.input[0].type.tensor_type.shape.dim[3].dim_value
        self.net = cv2.dnn.readNetFromONNX(halve.whole(model).SerializeToString())
        self.mean, self.std = float(strings['plated.mean']), float(strings['plated.std'])
        self.letterbox = strings['plated.letterbox']
        if strings['plated.classes'].split(',') != REGIONS:
            raise SystemExit(f'{path}: its classes are not those of this training')

    def chances(self, cuts):
        rows = []
        for cut in cuts:
            x = fit(cut, self.size, self.letterbox).astype(np.float32) / 255
            self.net.setInput(((x - self.mean) / self.std)[None, None])
            logits = self.net.forward()[0]
            e = np.exp(logits - logits.max())
            rows.append(e / e.sum())
        return np.array(rows)


def cut_out(gray, box):
    """The plate with its margin, as far as the picture reaches."""
    x, y, w, h = (round(float(v)) for v in box)
    dx, dy = round(MARGIN * w), round(MARGIN * h)
    return gray[max(0, y - dy):y + h + dy, max(0, x - dx):x + w + dx]


def labelled_cuts(name):
    """(cuts with margin, regions) of a labelled set below eval/; unknown regions are left out."""
    folder = DATA / 'eval' / name
    rows = [r for r in read_labels(folder) if region_index(r['region']) != NEGATIVE]
    pictures = [cv2.imread(str(folder / 'images' / r['file']), cv2.IMREAD_GRAYSCALE)
                for r in rows]
    cuts = [cut_out(p, [r[k] for k in 'xywh']) for p, r in zip(pictures, rows)]
    return cuts, np.array([region_index(r['region']) for r in rows])


def measure_set(model, name):
    """Figures of a labelled set of plates below eval/."""
    cuts, truth = labelled_cuts(name)
    chances = model.chances(cuts)
    ranks = (-chances).argsort(1)
    sure = chances.max(1) >= 0.5
    right = ranks[:, 0] == truth
    return {f'{name}_plates': len(truth), f'{name}_right': float(right.mean()),
            f'{name}_right_in_3': float((ranks[:, :3] == truth[:, None]).any(1).mean()),
            f'{name}_sure': float(sure.mean()),
            f'{name}_right_when_sure': float(right[sure].mean()) if sure.any() else None}


def measure(path):
    """Figures of a released model: its validation part, and sets it was never trained on."""
    model = Released(path)
    real, labels, part = real_pictures(quiet=True)
    plates, truth = real[part == 1], labels[part == 1]
    figures = {'validation_plates': len(plates)}
    for width in (STORED[0], 120, 90, 60):
        small = [cv2.resize(p, (width, width * STORED[1] // STORED[0]),
                            interpolation=cv2.INTER_AREA) for p in plates]
        answers = model.chances([margined(p) for p in small]).argmax(1)
        figures[f'validation_{width}px_right'] = float((answers == truth).mean())
    for name in ('us_crops', 'us_scenes', 'canada_art'):
        if (DATA / 'eval' / name).is_dir():
            figures.update(measure_set(model, name))
    return figures


def evaluate(args):
    cv2.setNumThreads(args.threads)
    figures = measure(args.model)
    if args.json:
        print(json.dumps(figures))
        return 0
    for key, value in figures.items():
        print(f'{key:28} {shown(value)}')
    if args.write:
        from models.evaluate import fill
        fill(HERE / 'region.md', 'figures', table(figures))
    return 0


def shown(value):
    if value is None:
        return '–'
    return str(value) if isinstance(value, int) else f'{100 * value:.1f} %'


def table(figures):
    """The figures as the card shows them."""
    day = time.strftime('%Y-%m-%d', time.gmtime())
    lines = [f'`/usr/bin/python3 -m models.train_region evaluate --write`, OpenCV '
             f'{cv2.__version__}, {day}. "Sure" is a confidence of one half or more.', '',
             '| held-out real plates, shrunk to a width of | plates | right |', '|---|---|---|']
    for key, value in figures.items():
        if key.startswith('validation_') and key.endswith('px_right'):
            lines.append(f'| {key.split("_")[1][:-2]} px | {figures["validation_plates"]} '
                         f'| {shown(value)} |')
    lines += ['', '| set | plates | right | right in 3 | sure | right when sure |',
              '|---|---|---|---|---|---|']
    for name in (k[:-7] for k in figures if k.endswith('_plates') and k != 'validation_plates'):
        columns = [shown(figures[f'{name}_{what}'])
                   for what in ('plates', 'right', 'right_in_3', 'sure', 'right_when_sure')]
        lines.append('| ' + ' | '.join([f'eval/{name}', *columns]) + ' |')
    return '\n'.join(lines)


def has_bfloat16():
    try:
        return 'avx512_bf16' in pathlib.Path('/proc/cpuinfo').read_text(encoding='ascii')
    except OSError:
        return False


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='models.train_region',
                                     description=__doc__.split('\n')[0])
    parser.add_argument('verb', choices=('prepare', 'train', 'evaluate'))
    parser.add_argument('--epochs', type=int, default=40)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--rate', type=float, default=1e-3)
    parser.add_argument('--width', type=float, default=0.5)
    parser.add_argument('--letterbox', choices=('stretch', 'zeros'), default='stretch')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--workers', type=int, default=0, help='processes that make pictures')
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--every', type=int, default=2, help='epochs between validations')
    parser.add_argument('--name', default='region.pt', help='checkpoint below models/.cache')
    parser.add_argument('--bfloat16', type=int, choices=(0, 1), default=int(has_bfloat16()),
                        help='bfloat16 arithmetic; default: where the processor has it')
    parser.add_argument('--model', default=str(HERE / 'region.onnx'), help='to evaluate')
    parser.add_argument('--resume', action='store_true')
    parser.add_argument('--write', action='store_true', help='figures into models/region.md')
    parser.add_argument('--json', action='store_true')
    args = parser.parse_args(arguments)
    if args.verb == 'prepare':
        prepare(args.seed)
        return 0
    return train(args) if args.verb == 'train' else evaluate(args)


if __name__ == '__main__':
    sys.exit(main())

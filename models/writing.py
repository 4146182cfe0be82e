# SPDX-License-Identifier: Apache-2.0
"""Things that carry writing, or look as if they did, and are no licence plate.

    draw_sign(rng) -> (gray, mask)    road, shop and house signs, stickers, badges, grilles, lamps
    draw_page(rng, w, h, photograph)  a whole picture: text, diagram, screen, line drawing

gray is float32, mask uint8 of the same size (255 where the thing is). The same generator
draws the same thing. Needs numpy, OpenCV and Pillow, as plates.py does.
"""
import cv2
import numpy as np

from models import plates

WORDS = """access ahead alarm all and area auto avenue bakery bank bar beach bicycle board bridge
building bus cafe call camera car caution centre church city clean clear close closed clinic coffee
company control corner course crossing customers data deliveries delivery dental detour diesel
direct directors do door drive east electric emergency end engine enter entrance exit express family
fine fire first fleet floor food for free fresh garage garden gas gate general glass go golden grand
green group guests hall hand hardware high hill home hospital hotel hour house in industrial inn
input insurance is island keep kitchen lake land lane law left level library life light limit line
loading local main maintenance market max memory metal mile motor music new no north not notice now
number of office oil old on one online only open order output park parking parts path pay permit
pharmacy phone pizza plan plant play please police pool post power press private process property
public pull push quality rail railway red repair reserved restaurant right river road room route
safety sale school screen service shop sign site slow south speed sport stairs start state station
stop storage store storm street student sun super supply system table taxi the this ticket time to
tool tow tower town toys track traffic transport truck turn two unit up value van vehicles video
visitors warning water way web welcome west when wine with work world yard yield your zone""".split()
TAILS = ("", "", "", ".com", " 24h", " & Co", " Ltd", " Inc.", "!", " GT", " 4x4", " 2.0", " S")


def _digits(rng, n):
    return "".join(str(d) for d in rng.integers(0, 10, n))


def _word(rng):
    return WORDS[rng.integers(len(WORDS))]


def _cased(rng, text):
    roll = rng.random()
    return text.upper() if roll < 0.5 else text.title() if roll < 0.85 else text


def _number(rng):
    """A number as it stands on signs: telephone, time, date, price, house, distance."""
    d = lambda n: _digits(rng, n)
    kinds = (f"{d(3)}-{d(3)}-{d(4)}", f"({d(3)}) {d(3)}-{d(4)}", f"1-800-{d(3)}-{d(4)}",
             f"{d(1)}:{d(2)} - {d(1)}:{d(2)}", f"${d(1)}.{d(2)}", f"{d(2)}/{d(2)}/{d(2)}", d(1), d(2),
             d(3), d(4), f"{d(2)} km/h", f"{d(1)} t", f"{d(2)}%", f"No. {d(2)}")
    return kinds[rng.integers(len(kinds))]


def phrase(rng, most=3):
    """One line of a sign."""
    if rng.random() < 0.22:
        return _number(rng)
    words = " ".join(_word(rng) for _ in range(int(rng.integers(1, most + 1))))
    tail = TAILS[rng.integers(len(TAILS))] if rng.random() < 0.2 else ""
    return _cased(rng, words) + tail


def _face(rng):
    faces = plates.fonts("name")
    return faces[rng.integers(len(faces))]


def _greys(rng):
    """Ground and ink; seldom of little contrast."""
    ground = float(rng.uniform(120, 255) if rng.random() < 0.6 else rng.uniform(0, 110))
    apart = rng.uniform(40, 220) if rng.random() < 0.8 else rng.uniform(15, 50)
    ink = ground - apart if ground > 115 else ground + apart
    return ground, float(np.clip(ink, 0, 255))


def _lines(canvas, rng, box, texts, ink, same=0.6, fill=0.8):
    """Texts below one another in a box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box
    face, pitch = _face(rng), (y1 - y0) / max(1, len(texts))
    one = rng.random() < same
    for i, text in enumerate(texts):
        plates.put_word(canvas, rng, text, x0, y0 + i * pitch + pitch * (1 - fill) / 2, x1 - x0,
                        pitch * fill, ink, font=face if one else None)


def _board(rng, aspect, height=120):
    """An empty board with its mask: (canvas, mask, ink); rounded, with or without a border."""
    h, w = height, max(24, int(height * aspect))
    ground, ink = _greys(rng)
    canvas, mask = np.full((h, w), ground, np.float32), np.zeros((h, w), np.uint8)
    r = int(rng.choice([0, 0, 6, 14]))
    cv2.rectangle(mask, (r, 0), (w - 1 - r, h - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (w - 1, h - 1 - r), 255, -1)
    for x in (r, w - 1 - r):
        for y in (r, h - 1 - r):
            cv2.circle(mask, (x, y), r, 255, -1, cv2.LINE_AA)
    if rng.random() < 0.4:
        m = int(rng.integers(1, 8))
        cv2.rectangle(canvas, (m, m), (w - 1 - m, h - 1 - m), ink, int(rng.integers(1, 6)))
    return canvas, mask, ink


# ---------------------------------------------------------------- signs


def _notice(rng):
    """Several lines: parking, warning, direction, opening hours."""
    canvas, mask, ink = _board(rng, np.exp(rng.uniform(np.log(0.5), np.log(2.6))))
    h, w = mask.shape
    top = 0.08
    if rng.random() < 0.3:
        # One huge letter, an arrow or a symbol over or beside the lines.
        size = int(min(h, w) * rng.uniform(0.3, 0.5))
        if rng.random() < 0.5:
            plates.put_word(canvas, rng, "PHEX!?"[rng.integers(6)], 0, h * .06, w, size, ink)
        else:
            plates.put(canvas, plates.emblem(rng, size), (w - size) // 2, int(h * .06), ink)
        top = 0.1 + size / h
    n = max(1, int(rng.integers(2, 7) * (1 - top)))
    _lines(canvas, rng, (w * .07, h * top, w * .93, h * .94), [phrase(rng) for _ in range(n)], ink)
    return canvas, mask


def _banner(rng):
    """One long line: a shop, a street's name, a firm on a van."""
    canvas, mask, ink = _board(rng, rng.uniform(2.6, 9), 72)
    h, w = mask.shape
    text = phrase(rng, 4)
    _lines(canvas, rng, (w * .05, h * .1, w * .95, h * .9), [text], ink, fill=rng.uniform(.6, .95))
    return canvas, mask


def _sticker(rng):
    """Bumper stickers, a month's or a year's sticker, a house's number, labels: small boards."""
    canvas, mask, ink = _board(rng, rng.choice([0.8, 1.0, 1.4, 2.0, 3.0, 4.0]))
    h, w = mask.shape
    months = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
    kind, texts = rng.random(), [phrase(rng, 2)]
    if kind < 0.25:
        texts = [months[rng.integers(12)], _digits(rng, 2)][:int(rng.integers(1, 3))]
    elif kind < 0.4:
        texts = [_digits(rng, int(rng.integers(1, 4)))]
    elif kind < 0.5:
        # A code of bars.
        for x in np.cumsum(rng.integers(2, 7, w // 5)):
            if x < w * .93:
                end = (int(x + rng.integers(1, 4)), int(h * .7))
                cv2.rectangle(canvas, (int(x), int(h * .1)), end, ink, -1)
        plates.put_word(canvas, rng, _digits(rng, 10), w * .1, h * .74, w * .8, h * .18, ink)
        return canvas, mask
    elif kind < 0.65:
        texts = []
    elif w > h * 2:
        texts = [phrase(rng, 3) for _ in range(int(rng.integers(1, 4)))]
    _lines(canvas, rng, (w * .08, h * .1, w * .92, h * .9), texts, ink)
    return canvas, mask


def _shape(rng):
    """Road signs that are no rectangle: disc, octagon, triangle, diamond, chevrons."""
    s = 120
    ground, ink = _greys(rng)
    canvas, mask = np.full((s, s), ground, np.float32), np.zeros((s, s), np.uint8)
    n = int(rng.choice([3, 4, 8, 40]))
    turn = {3: np.pi if rng.random() < .3 else 0, 4: 0, 8: np.pi / 8, 40: 0}[n]
    angles = np.arange(n) * 2 * np.pi / n + turn
    ring = lambda r: np.int32(np.stack([s / 2 + r * np.sin(angles), s / 2 - r * np.cos(angles)], 1))
    cv2.fillPoly(mask, [ring(s * .49)], 255, cv2.LINE_AA)
    if rng.random() < 0.7:
        cv2.polylines(canvas, [ring(s * .43)], True, ink, int(rng.integers(2, 14)), cv2.LINE_AA)
    if rng.random() < 0.7:
        text = ["STOP", "YIELD", _digits(rng, 2), _word(rng).upper(), "P", "!"][rng.integers(6)]
        _lines(canvas, rng, (s * .2, s * .28, s * .8, s * .72), [text], ink)
    else:
        plates.put(canvas, plates.emblem(rng, s // 2), s // 4, s // 4, ink)
    return canvas, mask


def _chevrons(rng):
    canvas, mask, ink = _board(rng, rng.uniform(1.5, 5), 80)
    h, w = mask.shape
    step, thick = h * rng.uniform(.6, 1.0), h * rng.uniform(.2, .35)
    slope = rng.choice([-1, 1]) * h / 2
    for x in np.arange(-h, w + h, step):
        straight = rng.random() >= .98
        bend = [(x, 0), (x, h)] if straight else [(x, 0), (x + slope, h / 2), (x, h)]
        cv2.polylines(canvas, [np.int32(bend)], False, ink, int(thick), cv2.LINE_AA)
    return canvas, mask


def _badge(rng):
    """A maker's name in an ellipse or between bars."""
    w, h = int(rng.uniform(100, 240)), 90
    ground, ink = _greys(rng)
    canvas, mask = np.full((h, w), ground, np.float32), np.zeros((h, w), np.uint8)
    middle, axes = (w // 2, h // 2), (w // 2 - 2, h // 2 - 2)
    cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(canvas, middle, axes, 0, 0, 360, ink, int(rng.integers(2, 9)), cv2.LINE_AA)
    text = _cased(rng, _word(rng))[:int(rng.integers(2, 8))]
    _lines(canvas, rng, (w * .14, h * .25, w * .86, h * .75), [text], ink)
    return canvas, mask


def _bars(rng):
    """Grilles, radiators, lamps, fences, windows, stacks of bricks: rows of bars or cells."""
    w, h = int(rng.uniform(90, 300)), int(rng.uniform(50, 130))
    ground, ink = _greys(rng)
    canvas, mask = np.full((h, w), ground, np.float32), np.full((h, w), 255, np.uint8)
    upright, level = rng.random() < 0.8, rng.random() < 0.5
    thick = int(rng.integers(1, 8))
    if upright:
        for x in np.arange(0, w, max(thick + 2, w / rng.uniform(4, 22))):
            cv2.line(canvas, (int(x), 0), (int(x), h), ink, thick)
    if level or not upright:
        for y in np.arange(0, h, max(thick + 2, h / rng.uniform(2, 9))):
            cv2.line(canvas, (0, int(y)), (w, int(y)), ink, thick)
    if rng.random() < 0.4:
        ramp = cv2.resize(rng.uniform(0.4, 1.4, (3, 4)).astype(np.float32), (w, h))
        canvas *= ramp
    if rng.random() < 0.4:
        mask[:] = 0
        r = int(h * rng.uniform(.15, .5))
        cv2.line(mask, (r, h // 2), (w - r, h // 2), 255, 2 * r, cv2.LINE_AA)
    return canvas, mask


def _lettering(rng):
    """Letters without a board, raised or painted: a model's name, a web address, a number."""
    text = phrase(rng, 2) if rng.random() < 0.6 else _cased(rng, _word(rng))[:int(rng.integers(2, 6))]
    if rng.random() < 0.25:
        text = " ".join(text.upper())
    ink = float(rng.uniform(0, 255))
    mask = plates.word_mask(_face(rng), text, 48)
    if mask is None:
        return np.full((8, 8), ink, np.float32), np.zeros((8, 8), np.uint8)
    mask = cv2.copyMakeBorder(mask, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=0)
    if rng.random() < 0.5:
        h, w = mask.shape
        lean = rng.uniform(-.1, .5)
        A = np.float32([[1, -lean, lean * h], [0, 1, 0]])
        mask = cv2.warpAffine(mask, A, (int(w + abs(lean) * h), h))
    canvas = np.full(mask.shape, ink, np.float32)
    if rng.random() < 0.5:
        plates.emboss(canvas, mask.astype(np.float32) / 255, rng, rng.uniform(20, 120))
    return canvas, mask


SIGNS = ((_notice, .2), (_banner, .15), (_sticker, .18), (_shape, .08), (_chevrons, .03), (_badge, .1),
         (_bars, .11), (_lettering, .15))


def draw_sign(rng):
    """One thing; see the module's docstring."""
    makers, shares = zip(*SIGNS)
    canvas, mask = makers[rng.choice(len(makers), p=shares)](rng)
    return np.clip(canvas, 0, 255), mask


# ---------------------------------------------------------------- pages


def _paper(rng, w, h):
    dark = rng.random() < 0.15
    ground = float(rng.uniform(0, 50) if dark else rng.uniform(190, 255))
    ink = float(rng.uniform(180, 255) if dark else rng.uniform(0, 110))
    return np.full((h, w), ground, np.float32), ink, ground


def _paragraph(canvas, rng, x, y, w, lines, size, ink, face):
    """Lines of running text, ragged; returns the height."""
    pitch = size * rng.uniform(1.2, 1.7)
    for i in range(lines):
        words = " ".join(_word(rng) for _ in range(max(1, int(w / size / 3.2))))
        if rng.random() < 0.15:
            words += " " + _number(rng)
        words = words.capitalize() if i == 0 else words
        mask = plates.word_mask(face, words, max(8, int(size * 1.2)))
        f = min(size / max(1, mask.shape[0]), w / mask.shape[1])
        small = cv2.resize(mask, (max(2, int(mask.shape[1] * f)), max(2, int(mask.shape[0] * f))),
                           interpolation=cv2.INTER_AREA)
        plates.put(canvas, small, int(x), int(y + i * pitch), ink)
    return lines * pitch


def _text(rng, w, h):
    """A printed page or a notice: headings and paragraphs in one or two columns."""
    canvas, ink, _ = _paper(rng, w, h)
    size = float(np.exp(rng.uniform(np.log(5), np.log(26))))
    face, columns = _face(rng), int(rng.integers(1, 3))
    for c in range(columns):
        x, y = w * (c + .05) / columns, rng.uniform(-size, h * .15)
        while y < h:
            if rng.random() < 0.3:
                big = size * rng.uniform(1.4, 3)
                plates.put_word(canvas, rng, phrase(rng, 3), x, y, w * .85 / columns, big, ink)
                y += big * 1.4
            lines = int(rng.integers(1, 7))
            y += _paragraph(canvas, rng, x, y, w * .88 / columns, lines, size, ink, face) + size
    return canvas


def _diagram(rng, w, h):
    """Boxes, circles, lines, arrows and the words beside and in them."""
    canvas, ink, ground = _paper(rng, w, h)
    face, thick = _face(rng), int(rng.integers(1, 3))
    spots = rng.uniform(.1, .9, (int(rng.integers(3, 12)), 2)) * [w, h]
    for a, b in zip(spots[:-1], spots[1:]):
        corner = (b[0], a[1]) if rng.random() < .6 else b
        cv2.polylines(canvas, [np.int32([a, corner, b])], False, ink, thick, cv2.LINE_AA)
    for x, y in spots:
        bw, bh = w * rng.uniform(.06, .25), h * rng.uniform(.04, .16)
        a, b = (int(x - bw / 2), int(y - bh / 2)), (int(x + bw / 2), int(y + bh / 2))
        roll = rng.random()
        if roll < 0.5:
            cv2.rectangle(canvas, a, b, ground if rng.random() < .8 else (ground + ink) / 2, -1)
            cv2.rectangle(canvas, a, b, ink, thick)
        elif roll < 0.65:
            cv2.circle(canvas, (int(x), int(y)), int(bh / 2) + 1, ink, thick, cv2.LINE_AA)
        texts = [phrase(rng, 2) for _ in range(int(rng.integers(1, 3)))]
        for i, text in enumerate(texts):
            plates.put_word(canvas, rng, text, a[0] + 2, a[1] + (i + .1) * bh / len(texts), bw - 4,
                            bh / len(texts) * .7, ink, font=face)
    return canvas


def _screen(rng, w, h, photograph):
    """A web page or a table: bars, cells, buttons, small pictures, addresses."""
    canvas, ink, ground = _paper(rng, w, h)
    rows, columns = int(rng.integers(3, 12)), int(rng.integers(1, 6))
    for r in range(rows):
        y0, y1 = h * r / rows, h * (r + 1) / rows
        if rng.random() < 0.3:
            canvas[int(y0):int(y1)] = rng.uniform(0, 255)
        for c in range(columns):
            x0, x1 = w * c / columns, w * (c + 1) / columns
            roll = rng.random()
            if roll < 0.15:
                part = canvas[int(y0) + 1:int(y1) - 1, int(x0) + 1:int(x1) - 1]
                part[:] = cv2.resize(photograph, part.shape[::-1]) if part.size else 0
            elif roll < 0.35:
                sign, mask = draw_sign(rng)
                f = min((x1 - x0) / sign.shape[1], (y1 - y0) / sign.shape[0]) * rng.uniform(.5, .95)
                size = (max(2, int(sign.shape[1] * f)), max(2, int(sign.shape[0] * f)))
                part = canvas[int(y0):int(y0) + size[1], int(x0):int(x0) + size[0]]
                alpha = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
                part += alpha * (cv2.resize(sign, size, interpolation=cv2.INTER_AREA) - part)
            elif roll < 0.85:
                local = canvas[int(y0):int(y1), int(x0):int(x1)].mean()
                value = ink if abs(local - ink) > 60 else 255.0 - local
                plates.put_word(canvas, rng, phrase(rng, 2), x0 + 3, y0 + (y1 - y0) * .2, x1 - x0 - 6,
                                (y1 - y0) * rng.uniform(.25, .7), value)
        if rng.random() < 0.5:
            cv2.line(canvas, (0, int(y0)), (w, int(y0)), ink, 1)
    return canvas


def _drawing(rng, w, h, photograph):
    """A photograph as a line drawing, with a few labels."""
    img = cv2.GaussianBlur(cv2.resize(photograph, (w, h)), (0, 0), rng.uniform(0.8, 2.5))
    soft = cv2.GaussianBlur(img, (0, 0), rng.uniform(1.5, 6))
    lines = np.clip(img / (soft + 1), 0, 1) * 255
    lines = np.clip((lines - 255) * rng.uniform(1.5, 6) + 250, 0, 255).astype(np.float32)
    for _ in range(int(rng.integers(0, 9))):
        x, y, s = rng.uniform(0, w * .8), rng.uniform(0, h * .9), rng.uniform(8, 22)
        plates.put_word(lines, rng, phrase(rng, 2), x, y, w * .25, s, 20.0)
        if rng.random() < 0.6:
            end = (int(x + rng.normal(0, w * .15)), int(y + rng.normal(0, h * .15)))
            cv2.line(lines, (int(x), int(y)), end, 30.0, 1, cv2.LINE_AA)
    return lines


def draw_page(rng, w, h, photograph):
    """A whole picture without a plate, float32; photograph: one without a plate to draw from."""
    roll = rng.random()
    if roll < 0.3:
        return _text(rng, w, h)
    if roll < 0.55:
        return _diagram(rng, w, h)
    if roll < 0.8:
        return _screen(rng, w, h, photograph)
    return _drawing(rng, w, h, photograph)

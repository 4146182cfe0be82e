# SPDX-License-Identifier: Apache-2.0
"""Licence plates drawn from nothing: United States, Canada, and long European ones.

The one function most callers need:

    draw_plate(rng, text=None, region=None, style=None, size=None)
        -> (gray, boxes)

    rng     numpy.random.Generator; the same seed draws the same plate
    text    serial with an optional ' ' or '-' gap ("7ABC123", "KDP-9989");
            None invents one in a format of the region
    region  ISO 3166-2 code as in REGIONS ("US-CA", "CA-ON"), "EU" for a long
            plate; None picks one at random
    style   "clean" for a legible new plate (the demo clip), None for the full
            variety: old, dirty, stickers, frames, pictures behind the serial
    size    (width, height) in pixels, default 320x160 (EU: 416x88)
    gray    uint8 array, height x width
    boxes   [(char, x0, y0, x1, y1)] of the serial, in reading order, pixels of
            `gray`; a drawn letter O is named '0', the class of the reader

Only numpy, OpenCV and Pillow are needed here, no PyTorch.
"""
import functools
import glob
import os

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

ALPHABET = "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ"

# code: (name, slogan, serial formats). A = letter, 0 = digit, the rest is drawn as it is.
REGIONS = {
    "US-AL": ("Alabama", "Heart of Dixie", "0A000A0 00AA000 000A0000"),
    "US-AK": ("Alaska", "The Last Frontier", "AAA_000"),
    "US-AZ": ("Arizona", "Grand Canyon State", "AAA0000 A0A_0AA"),
    "US-AR": ("Arkansas", "The Natural State", "000_AAA AAA_00A"),
    "US-CA": ("California", "dmv.ca.gov", "0AAA000 00000A0"),
    "US-CO": ("Colorado", "", "AAA-000 AAA-A00 000-AAA"),
    "US-CT": ("Connecticut", "Constitution State", "AA_00000 000-AAA A00_AAA"),
    "US-DE": ("Delaware", "The First State", "000000 00000"),
    "US-DC": ("Washington, DC", "Taxation Without Representation", "AA_0000"),
    "US-FL": ("Florida", "Sunshine State", "AAA_A00 AA0_0AA A00_0AA"),
    "US-GA": ("Georgia", "Peach State", "AAA0000"),
    "US-HI": ("Hawaii", "Aloha State", "AAA_000"),
    "US-ID": ("Idaho", "Famous Potatoes", "0A_00000 0A_A0000 A_000000"),
    "US-IL": ("Illinois", "Land of Lincoln", "AA_00000 A00_0000 000_0000"),
    "US-IN": ("Indiana", "In God We Trust", "000AAA 000A"),
    "US-IA": ("Iowa", "", "AAA_000"),
    "US-KS": ("Kansas", "", "000_AAA 0000AAA"),
    "US-KY": ("Kentucky", "Unbridled Spirit", "000_AAA AAA000"),
    "US-LA": ("Louisiana", "Sportsman's Paradise", "000_AAA AAA_000"),
    "US-ME": ("Maine", "Vacationland", "0000_AA 000_AAA"),
    "US-MD": ("Maryland", "", "0AA0000 AAA_000"),
    "US-MA": ("Massachusetts", "The Spirit of America", "0AA_A00 000_AA0 0AAA_00"),
    "US-MI": ("Michigan", "Pure Michigan", "AAA_0000 AAA_A00"),
    "US-MN": ("Minnesota", "10,000 lakes", "000-AAA AAA-000"),
    "US-MS": ("Mississippi", "", "AAA_000 AAA_0000"),
    "US-MO": ("Missouri", "Show-Me State", "AA0_A0A AA0-A0A"),
    "US-MT": ("Montana", "Treasure State", "AAA000 0-00000A 00-0000A"),
    "US-NE": ("Nebraska", "", "AAA_000 0-A0000 00-A000"),
    "US-NV": ("Nevada", "Home Means Nevada", "000-A00 00A-000 000-AAA"),
    "US-NH": ("New Hampshire", "Live Free or Die", "000_0000 000_000"),
    "US-NJ": ("New Jersey", "Garden State", "A00-AAA AAA-00A"),
    "US-NM": ("New Mexico", "Land of Enchantment", "000-AAA AAA-000 AAAA00"),
    "US-NY": ("New York", "Excelsior", "AAA-0000 AAA_0000"),
    "US-NC": ("North Carolina", "First in Flight", "AAA-0000"),
    "US-ND": ("North Dakota", "Peace Garden State", "AAA_000 000_AAA"),
    "US-OH": ("Ohio", "Birthplace of Aviation", "AAA_0000 AA00AA"),
    "US-OK": ("Oklahoma", "Native America", "AAA-000 000-AAA"),
    "US-OR": ("Oregon", "Pacific Wonderland", "000_AAA AAA_000"),
    "US-PA": ("Pennsylvania", "visitPA.com", "AAA-0000 AAA_0000"),
    "US-RI": ("Rhode Island", "Ocean State", "00-000 000-000 AA-000"),
    "US-SC": ("South Carolina", "While I breathe, I hope", "AAA_000 000_AAA"),
    "US-SD": ("South Dakota", "Great Faces. Great Places.", "0A0_000 00A_000"),
    "US-TN": ("Tennessee", "The Volunteer State", "A00-00A 000-AAA"),
    "US-TX": ("Texas", "The Lone Star State", "AAA-0000 AA0-A000 A00-AAA"),
    "US-UT": ("Utah", "Greatest Snow on Earth", "A00_0AA 000_AAA"),
    "US-VT": ("Vermont", "Green Mountain State", "AAA_000 000A000"),
    "US-VA": ("Virginia", "Virginia is for Lovers", "AAA-0000"),
    "US-WA": ("Washington", "Evergreen State", "AAA0000 000-AAA"),
    "US-WV": ("West Virginia", "Wild, Wonderful", "0AA_000 00A_000"),
    "US-WI": ("Wisconsin", "America's Dairyland", "AAA-0000 000-AAA"),
    "US-WY": ("Wyoming", "", "00_00000 0-00000 0_0000A"),
    "CA-AB": ("Alberta", "Wild Rose Country", "AAA-0000 AAA-000"),
    "CA-BC": ("British Columbia", "Beautiful", "AA0_00A AAA_000 000_AAA"),
    "CA-MB": ("Manitoba", "Friendly", "AAA_000"),
    "CA-ON": ("Ontario", "Yours to Discover", "AAAA_000 AAA_000"),
    "CA-QC": ("Québec", "Je me souviens", "A00_AAA AAA_000 000_AAA"),
    "CA-SK": ("Saskatchewan", "Land of Living Skies", "000_AAA"),
}

FONT_ROOT = os.environ.get("PLATED_FONTS", "/usr/share/fonts")
_SERIAL_FONTS = [
    "opentype/national-park/NationalPark-Heavy.otf",
    "opentype/national-park/NationalPark-Regular.otf",
    "opentype/bebas-neue/BebasNeue-Bold.otf",
    "opentype/bebas-neue/BebasNeue-Regular.otf",
    "opentype/bebas-neue/BebasNeue-Book.otf",
    "opentype/b612/B612Mono-Bold.otf",
    "opentype/b612/B612-Bold.otf",
    "opentype/league-mono/LeagueMono-CondensedSemiBold.otf",
    "opentype/league-mono/LeagueMono-NarrowBold.otf",
    "opentype/league-mono/LeagueMono-CondensedMedium.otf",
    "truetype/opendin/OSP-DIN.ttf",
    "truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
    "truetype/dejavu/DejaVuSansMono-Bold.ttf",
    "truetype/liberation/LiberationSans-Bold.ttf",
    "truetype/liberation/LiberationSansNarrow-Bold.ttf",
    "truetype/roboto/unhinted/RobotoCondensed-Bold.ttf",
    "truetype/roboto/unhinted/RobotoCondensed-Medium.ttf",
    "truetype/roboto/unhinted/RobotoTTF/Roboto-Medium.ttf",
]
_NAME_FONTS = _SERIAL_FONTS + [
    "truetype/dejavu/DejaVuSerif-Bold.ttf",
    "truetype/dejavu/DejaVuSerifCondensed-BoldItalic.ttf",
    "truetype/dejavu/DejaVuSans-BoldOblique.ttf",
    "truetype/liberation/LiberationSerif-Bold.ttf",
    "truetype/liberation/LiberationSerif-BoldItalic.ttf",
    "truetype/liberation/LiberationSans-BoldItalic.ttf",
    "truetype/liberation/LiberationSerif-Regular.ttf",
]


@functools.lru_cache(maxsize=None)
def fonts(kind):
    """Font files of one kind that this machine has; Debian package names stand in the card."""
    wanted = _SERIAL_FONTS if kind == "serial" else _NAME_FONTS
    found = [os.path.join(FONT_ROOT, f) for f in wanted]
    found = [f for f in found if os.path.exists(f)]
    if not found:
        found = sorted(glob.glob(FONT_ROOT + "/**/*Bold.[ot]tf", recursive=True))
    if not found:
        raise RuntimeError("no fonts found below " + FONT_ROOT)
    return found


@functools.lru_cache(maxsize=64)
def _font(path, px):
    return ImageFont.truetype(path, px)


@functools.lru_cache(maxsize=20000)
def word_mask(path, word, px):
    """Coverage mask of a word, cut to its ink; None where the font has no ink for it."""
    font = _font(path, px)
    x0, y0, x1, y1 = font.getbbox(word)
    if x1 <= x0 or y1 <= y0:
        return None
    img = Image.new("L", (x1 - x0 + 8, y1 - y0 + 8), 0)
    ImageDraw.Draw(img).text((4 - x0, 4 - y0), word, fill=255, font=font)
    arr = np.asarray(img)
    ys, xs = np.where(arr > 40)
    if len(ys) == 0:
        return None
    return arr[ys.min():ys.max() + 1, xs.min():xs.max() + 1]


# Stroke glyphs as a plate die has them: (x, y) on the unit square, y down; a third
# element r rounds that corner; a first element "o" closes the stroke.
_M = 0.48
_DIE = {
    "0": [["o", (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]],
    "1": [[(.18, .2), (.55, 0), (.55, 1)]],
    "1b": [[(.18, .2), (.55, 0), (.55, 1)], [(.15, 1), (.95, 1)]],
    "2": [[(0, .27), (0, 0, 1), (1, 0, 1), (1, _M, 1), (0, .86), (0, 1), (1, 1)]],
    "2b": [[(0, .27), (0, 0, 1), (1, 0, 1), (1, .42, 1), (0, 1), (1, 1)]],
    "3": [[(0, .2), (0, 0, 1), (1, 0, 1), (1, _M, 1), (.35, _M)],
          [(.35, _M), (1, _M, 1), (1, 1, 1), (0, 1, 1), (0, .8)]],
    "3b": [[(0, 0), (1, 0), (.45, .4), (1, .4, 1), (1, 1, 1), (0, 1, 1), (0, .8)]],
    "4": [[(.76, 1), (.76, 0), (0, .7), (1.02, .7)]],
    "4b": [[(.8, 1), (.8, 0)], [(.45, 0), (0, .68), (1.02, .68)]],
    "5": [[(.95, 0), (.06, 0), (.03, .42), (1, .38, 1), (1, 1, 1), (0, 1, 1), (0, .8)]],
    "6": [[(1, .2), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, .44, 1), (0, .44, 1), (0, .7)]],
    "6b": [[(.72, 0), (0, .5, 1), (0, 1, 1), (1, 1, 1), (1, .42, 1), (.1, .42, 1), (0, .66)]],
    "7": [[(0, 0), (1, 0), (.36, 1)]],
    "7b": [[(0, .12), (0, 0), (1, 0), (1, .15), (.4, .6, 1), (.4, 1)]],
    "8": [["o", (.05, 0, 1), (.95, 0, 1), (.95, _M, 1), (.05, _M, 1)],
          ["o", (0, _M, 1), (1, _M, 1), (1, 1, 1), (0, 1, 1)]],
    "9": [[(0, .8), (0, 1, 1), (1, 1, 1), (1, 0, 1), (0, 0, 1), (0, .56, 1), (1, .56, 1), (1, .3)]],
    "9b": [[(.28, 1), (1, .5, 1), (1, 0, 1), (0, 0, 1), (0, .58, 1), (.9, .58, 1), (1, .34)]],
    "A": [[(0, 1), (.5, 0), (1, 1)], [(.17, .68), (.83, .68)]],
    "Ab": [[(0, 1), (.42, 0), (.58, 0), (1, 1)], [(.15, .7), (.85, .7)]],
    "B": [[(0, _M), (0, 0), (.92, 0, 1), (.92, _M, 1), (0, _M)],
          [(0, _M), (1, _M, 1), (1, 1, 1), (0, 1), (0, _M)]],
    "C": [[(1, .25), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, .75)]],
    "D": [["o", (0, 0), (1, 0, 1), (1, 1, 1), (0, 1)]],
    "E": [[(1, 0), (0, 0), (0, 1), (1, 1)], [(0, _M), (.82, _M)]],
    "F": [[(1, 0), (0, 0), (0, 1)], [(0, _M), (.82, _M)]],
    "G": [[(1, .25), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, .55), (.55, .55)]],
    "H": [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, _M), (1, _M)]],
    "I": [[(.5, 0), (.5, 1)]],
    "Ib": [[(.5, 0), (.5, 1)], [(.1, 0), (.9, 0)], [(.1, 1), (.9, 1)]],
    "J": [[(1, 0), (1, 1, 1), (0, 1, 1), (0, .7)]],
    "Jb": [[(.5, 0), (1, 0), (1, 1, 1), (0, 1, 1), (0, .7)]],
    "K": [[(0, 0), (0, 1)], [(1, 0), (0, .62)], [(.36, .4), (1, 1)]],
    "L": [[(0, 0), (0, 1), (1, 1)]],
    "M": [[(0, 1), (0, 0), (.5, .65), (1, 0), (1, 1)]],
    "N": [[(0, 1), (0, 0), (1, 1), (1, 0)]],
    "P": [[(0, 1), (0, 0), (1, 0, 1), (1, .52, 1), (0, .52)]],
    "Q": [["o", (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)], [(.58, .72), (1.05, 1.03)]],
    "R": [[(0, 1), (0, 0), (1, 0, 1), (1, .5, 1), (0, .5)], [(.48, .5), (1, 1)]],
    "S": [[(1, .22), (1, 0, 1), (0, 0, 1), (0, _M, 1), (1, _M, 1), (1, 1, 1), (0, 1, 1), (0, .78)]],
    "T": [[(0, 0), (1, 0)], [(.5, 0), (.5, 1)]],
    "U": [[(0, 0), (0, 1, 1), (1, 1, 1), (1, 0)]],
    "V": [[(0, 0), (.5, 1), (1, 0)]],
    "W": [[(0, 0), (.22, 1), (.5, .3), (.78, 1), (1, 0)]],
    "Wb": [[(0, 0), (0, 1), (.5, .4), (1, 1), (1, 0)]],
    "X": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    "Y": [[(0, 0), (.5, .5), (1, 0)], [(.5, .5), (.5, 1)]],
    "Z": [[(0, 0), (1, 0), (0, 1), (1, 1)]],
}
_DIE["O"] = _DIE["0"]


def _rounded(points, closed, radius):
    """Polyline in pixels with its flagged corners replaced by quadratic curves."""
    pts = [np.array(p[:2], np.float64) for p in points]
    n, out = len(pts), []
    for i, p in enumerate(pts):
        inner = closed or 0 < i < n - 1
        if len(points[i]) < 3 or not points[i][2] or not inner:
            out.append(p)
            continue
        a, b = pts[i - 1] - p, pts[(i + 1) % n] - p
        la, lb = np.hypot(*a), np.hypot(*b)
        ra, rb = min(radius, la / 2), min(radius, lb / 2)
        p0, p1 = p + a / max(la, 1e-6) * ra, p + b / max(lb, 1e-6) * rb
        for t in np.linspace(0, 1, 7):
            # Pulling the control point in by little gives the squarish bowls of a die.
            out.append((1 - t) ** 2 * p0 + 2 * t * (1 - t) * p + t * t * p1)
    return np.array(out)


def _serifs(path):
    """Short bars across the free ends of a stroke that lie on the outline."""
    for end, inner in ((path[0], path[1]), (path[-1], path[-2])):
        x, y = end[:2]
        upright = abs(end[1] - inner[1]) > abs(end[0] - inner[0])
        if upright and y in (0, 1):
            yield [(max(0, x - .18), y), (min(1, x + .18), y)]
        elif not upright and y in (0, 1):
            yield [(x, y), (x, y + (.14 if y == 0 else -.14))]


def _die_glyph(char, w, h, stroke, radius, variant, vertex, serif):
    """Mask of one stroke glyph, w x h pixels outside; vertex: height of the middle of M and W."""
    key = char + "b" if variant and char + "b" in _DIE else char
    mask = np.zeros((h, w), np.uint8)
    pad = stroke / 2
    sx, sy = max(w - 1 - stroke, 1), max(h - 1 - stroke, 1)
    paths = list(_DIE[key])
    if serif:
        paths += [bar for path in paths if path[0] != "o" for bar in _serifs(path)]
    for path in paths:
        closed = path[0] == "o"
        path = path[1:] if closed else path
        if char in vertex:
            path = [(x, vertex[char]) if x == .5 else (x, y) for x, y in path]
        pts = [(p[0] * sx + pad, p[1] * sy + pad, *p[2:]) for p in path]
        line = np.round(_rounded(pts, closed, radius * w) * 16).astype(np.int32)
        cv2.polylines(mask, [line.reshape(-1, 1, 2)], closed, 255, max(1, int(round(stroke))),
                      cv2.LINE_AA, 4)
    return mask


class _Face:
    """How the serial of one plate looks: a die or a font, with its weight and stretch.

    bar: its 1 is a mere bar; serif: a die with slabs at the ends of its strokes."""

    def __init__(self, rng, clean):
        self.die = rng.random() < (0.6 if not clean else 1.0)
        self.stroke = rng.uniform(0.10, 0.155) if clean else rng.uniform(0.085, 0.185)
        self.radius = rng.uniform(0.3, 0.62)
        self.variants = {c: rng.random() < 0.4 for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
        faces = fonts("serial")
        self.path = faces[rng.integers(len(faces))]
        self.weight = int(rng.integers(-1, 3))
        self.narrow = {"1": rng.uniform(.45, .8), "I": rng.uniform(.35, .8)}
        self.vertex = {"M": rng.uniform(.4, 1.0), "W": rng.uniform(0, .55)}
        self.bar = not clean and rng.random() < 0.2
        self.serif = not clean and rng.random() < 0.2

    def glyph(self, char, w, h):
        """Mask of the character, at most w wide and h high."""
        if self.die:
            f = self.narrow.get(char, 1.0)
            gw = max(4, int(round(w * f)))
            stroke = min(self.stroke * h, gw * (0.23 if char in "MW" else 0.34))
            bar = self.bar and char == "1"
            return _die_glyph("I" if bar else char, gw, h, stroke, self.radius,
                              self.variants[char] and not bar, self.vertex, self.serif)
        mask = word_mask(self.path, char, 96)
        if mask is None:
            return np.full((h, max(2, w // 4)), 255, np.uint8)
        k = abs(self.weight) * 2 + 1
        if self.weight:
            pad = cv2.copyMakeBorder(mask, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=0)
            op = cv2.dilate if self.weight > 0 else cv2.erode
            mask = op(pad, np.ones((k, k), np.uint8))[3:-3, 3:-3]
        ref = word_mask(self.path, "H", 96)
        gw = int(round(mask.shape[1] / max(1, ref.shape[1]) * w * 0.95))
        return cv2.resize(mask, (int(np.clip(gw, 3, int(w * 1.12))), h), interpolation=cv2.INTER_AREA)


def _random_serial(rng, region):
    if region == "EU":
        fmts = "AA-00_AAA A_000_AAA AA00_AAA 0000_AAA AA-000-AA A-AA0000 AAA_0000 00-AAA-0".split()
    elif region in REGIONS and rng.random() < 0.6:
        fmts = REGIONS[region][2].split()
    else:
        n = int(rng.integers(4, 8))
        if rng.random() < 0.3:
            # A vanity text: letters at random, or what can be spoken.
            first = int(rng.integers(2))
            fmts = ["A" * n if rng.random() < 0.5 else "".join("CV"[(i + first) % 2] for i in range(n))]
        else:
            fmts = ["".join(rng.choice(list("A0"), n))]
            if rng.random() < 0.5 and n > 4:
                k = int(rng.integers(1, n))
                fmts = [fmts[0][:k] + rng.choice(list("_-")) + fmts[0][k:]]
    fmt = fmts[rng.integers(len(fmts))]
    pools = {"A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0": "0123456789", "V": "AEIOU",
             "C": "BCDFGHJKLMNPQRSTVWXYZ"}
    if "0" in fmt and rng.random() < 0.6:
        pools["A"] = "ABCDEFGHJKLMNPRSTUVWXYZ"      # most states leave out what looks like a digit
    out = []
    for c in fmt:
        pool = pools.get(c, c)
        out.append(pool[rng.integers(len(pool))])
    return "".join(out).replace("_", " ")


def put(canvas, mask, x, y, value, alpha=1.0):
    """Blend a constant grey through a mask; clipped at the border."""
    H, W = canvas.shape
    h, w = mask.shape
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, W), min(y + h, H)
    if x1 <= x0 or y1 <= y0:
        return
    m = mask[y0 - y:y1 - y, x0 - x:x1 - x].astype(np.float32) * (alpha / 255)
    part = canvas[y0:y1, x0:x1]
    part += m * (value - part)


def put_word(canvas, rng, word, x, y, w, h, value, font=None, alpha=1.0):
    """A word in about the given box, keeping its shape; returns its width."""
    faces = fonts("name")
    path = font or faces[rng.integers(len(faces))]
    mask = word_mask(path, word, 48)
    if mask is None:
        return 0
    f = min(w / mask.shape[1], h / mask.shape[0])
    tw, th = max(2, int(mask.shape[1] * f)), max(2, int(mask.shape[0] * f))
    mask = cv2.resize(mask, (tw, th), interpolation=cv2.INTER_AREA)
    put(canvas, mask, int(x + (w - tw) / 2), int(y + (h - th) / 2), value, alpha)
    return tw


def _backdrop(canvas, rng, contrast):
    """Gradients, hills, clouds and discs behind the serial, weaker than the serial."""
    H, W = canvas.shape
    amp = contrast * rng.uniform(0.1, 0.45)
    kind = rng.integers(5)
    if kind == 0:
        ramp = np.linspace(-1, 1, H, dtype=np.float32)[:, None]
        canvas += ramp * amp * rng.choice([-1, 1])
    elif kind == 1:
        small = rng.normal(0, 1, (int(rng.integers(3, 7)), int(rng.integers(4, 10))))
        canvas += cv2.resize(small.astype(np.float32), (W, H), interpolation=cv2.INTER_CUBIC) * amp * 0.5
    elif kind == 2:
        layer = np.zeros((H, W), np.uint8)
        for _ in range(int(rng.integers(1, 4))):
            xs = np.linspace(0, W, 9)
            ys = H * rng.uniform(0.2, 0.9) + rng.normal(0, H * 0.08, 9)
            poly = np.vstack([np.stack([xs, ys], 1), [[W, H], [0, H]]]).astype(np.int32)
            cv2.fillPoly(layer, [poly], int(rng.integers(60, 256)), cv2.LINE_AA)
        canvas += (layer.astype(np.float32) / 255) * amp * rng.choice([-1, 1])
    elif kind == 3:
        layer = np.zeros((H, W), np.uint8)
        c = (int(W * rng.uniform(0.1, 0.9)), int(H * rng.uniform(0.3, 0.7)))
        ax = (int(H * rng.uniform(0.1, 0.45)), int(H * rng.uniform(0.1, 0.45)))
        cv2.ellipse(layer, c, ax, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
        for _ in range(int(rng.integers(0, 6))):
            p = [(int(rng.integers(W)), int(rng.integers(H))) for _ in range(2)]
            cv2.line(layer, p[0], p[1], int(rng.integers(80, 256)), int(rng.integers(1, 5)), cv2.LINE_AA)
        layer = cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.6, 4))
        canvas += (layer.astype(np.float32) / 255) * amp * rng.choice([-1, 1])


def emblem(rng, size):
    """Mask of a small symbol between or beside the characters."""
    m = np.zeros((size, size), np.uint8)
    c, s = size // 2, size
    kind = rng.integers(6)
    if kind == 0:
        cv2.circle(m, (c, c), max(1, int(s * rng.uniform(0.12, 0.45))), 255,
                   -1 if rng.random() < .6 else max(1, s // 12), cv2.LINE_AA)
    elif kind == 1:
        n = int(rng.integers(4, 8))
        a = np.arange(2 * n) * np.pi / n
        r = np.where(np.arange(2 * n) % 2, 0.2, 0.48) * s
        cv2.fillPoly(m, [np.stack([c + r * np.sin(a), c - r * np.cos(a)], 1).astype(np.int32)], 255)
    elif kind == 2:
        a = np.sort(rng.uniform(0, 2 * np.pi, 9))
        r = rng.uniform(0.15, 0.5, 9) * s
        cv2.fillPoly(m, [np.stack([c + r * np.sin(a), c - r * np.cos(a)], 1).astype(np.int32)], 255)
    elif kind == 3:
        h = max(1, int(s * rng.uniform(0.04, 0.08)))
        cv2.rectangle(m, (int(s * .15), c - h), (int(s * .85), c + h), 255, -1)
    elif kind == 4:
        for _ in range(int(rng.integers(3, 9))):
            p = rng.uniform(0.05, 0.95, (2, 2)) * s
            cv2.line(m, tuple(map(int, p[0])), tuple(map(int, p[1])), 255,
                     int(rng.integers(1, max(2, s // 8))), cv2.LINE_AA)
    else:
        cv2.ellipse(m, (c, c), (int(s * .3), int(s * .46)), 0, 0, 360, 255, max(1, s // 10), cv2.LINE_AA)
    return m


def _layout(rng, text, face, box, gap_f, wide=0.55):
    """Place the serial's characters in box (x0, y0, x1, y1): [(char, x, y, mask)], gaps [x].

    wide: a gap as a share of a character's place."""
    x0, y0, x1, y1 = box
    h = y1 - y0
    slots = [wide if c in " -·" else 1.0 for c in text]
    full = x1 - x0
    pitch = min(full / sum(slots), h * rng.uniform(0.62, 0.82))
    if rng.random() < 0.35:
        pitch = min(full / sum(slots), h * rng.uniform(0.5, 0.62))
    used = pitch * sum(slots)
    x = x0 + (full - used) * (0.5 if rng.random() < .8 else rng.random())
    placed, gaps = [], []
    for c, s in zip(text, slots):
        if c in " -·":
            gaps.append((c, x + pitch * s / 2, pitch * s))
        else:
            mask = face.glyph(c, max(4, int(pitch * (1 - gap_f))), h)
            placed.append((c, int(round(x + (pitch - mask.shape[1]) / 2)), y0, mask))
        x += pitch * s
    return placed, gaps


def _stack(rng, face, chars, x, y0, h):
    """Two or three small characters above one another, as on truck and special plates."""
    each = h / len(chars)
    ch = int(each * 0.9)
    out = []
    for i, c in enumerate(chars):
        mask = face.glyph(c, int(ch * 0.68), ch)
        out.append((c, int(x), int(y0 + i * each + (each - ch) / 2), mask))
    return out


def _serial(rng, text, face, W, H, clean, long):
    """All characters of the serial with positions; also the gaps for emblems."""
    if long and W < 3 * H:
        at = text.find(" ") if " " in text else len(text) // 2
        left, gap_f = int(W * rng.uniform(.04, .12)), rng.uniform(0.1, 0.25)
        lines = [(left, int(H * .06), int(W * .95), int(H * .47)),
                 (left, int(H * .53), int(W * .95), int(H * .94))]
        rows = [_layout(rng, part.strip(" -"), face, line, gap_f)[0]
                for part, line in zip((text[:at], text[at:]), lines)]
        return rows[0] + rows[1], [], (left, lines[0][1], lines[1][2], lines[1][3])
    if long:
        box = (int(W * rng.uniform(.03, .12)), int(H * rng.uniform(.12, .2)),
               int(W * rng.uniform(.93, .98)), int(H * rng.uniform(.8, .9)))
        return _layout(rng, text, face, box, rng.uniform(0.14, 0.3)) + (box,)
    top = rng.uniform(0.24, 0.3) if clean else rng.uniform(0.18, 0.34)
    bot = rng.uniform(0.74, 0.8) if clean else rng.uniform(0.7, 0.86)
    left = rng.uniform(0.04, 0.08)
    box = [int(W * left), int(H * top), int(W * (1 - left)), int(H * bot)]
    flat = text.replace(" ", "").replace("-", "")
    style = rng.random()
    gap_f = rng.uniform(0.1, 0.26)
    if not clean and style < 0.03 and len(flat) >= 4:
        k = len(flat) // 2
        mid = (box[1] + box[3]) // 2
        lo, hi = [box[0], int(H * .12), box[2], mid - 3], [box[0], mid + 3, box[2], int(H * .9)]
        a, _ = _layout(rng, flat[:k], face, lo, gap_f)
        b, _ = _layout(rng, flat[k:], face, hi, gap_f)
        return a + b, [], tuple(box)
    if not clean and style < 0.17 and len(flat) >= 5:
        n = 2 if rng.random() < 0.85 else 3
        h = box[3] - box[1]
        sw = int(h / n * 0.66)
        pre, post, rest = [], [], flat
        if rng.random() < 0.75:
            pre, rest = _stack(rng, face, rest[:n], box[0], box[1], h), rest[n:]
            box[0] += sw + 6
        if not pre or (len(rest) > 4 and rng.random() < 0.25):
            post, rest = _stack(rng, face, rest[-n:], box[2] - sw, box[1], h), rest[:-n]
            box[2] -= sw + 6
        middle, gaps = _layout(rng, rest, face, box, gap_f)
        return pre + middle + post, gaps, tuple(box)
    if not clean and style < 0.29:
        # A picture beside the serial: specialty plates.
        d = int((box[3] - box[1]) * rng.uniform(0.5, 1.0))
        if rng.random() < .75:
            box[0] += d
        else:
            box[2] -= d
    wide = 0.55 if clean or rng.random() < 0.6 else rng.uniform(0.3, 1.7)
    placed, gaps = _layout(rng, text, face, box, gap_f, wide)
    return placed, gaps, tuple(box)


def _furniture(canvas, rng, region, value, bg, contrast, clean, long):
    """Name, slogan, stickers."""
    H, W = canvas.shape
    name, slogan, _ = REGIONS.get(region, ("", "", ""))
    if long:
        if rng.random() < 0.75:
            cv2.rectangle(canvas, (0, 0), (int(W * rng.uniform(.06, .1)), H),
                          float(rng.uniform(20, 110)), -1)
        return
    up = rng.random() < 0.45
    txt = name.upper() if up else name
    top_h, bot_h = H * rng.uniform(0.1, 0.17), H * rng.uniform(0.06, 0.12)
    strength = 1.0 if clean else rng.uniform(0.35, 1.0)
    swap = not clean and rng.random() < 0.15
    ty, by = H * rng.uniform(0.03, 0.07), H * 0.97 - bot_h
    if swap:
        ty, by, top_h = H * 0.96 - top_h, H * 0.04, top_h
    if not clean and rng.random() < 0.15:
        band = int(ty + top_h + 3)
        canvas[:band] += rng.choice([-1, 1]) * contrast * rng.uniform(.2, .7)
    if txt and (clean or rng.random() < 0.93):
        put_word(canvas, rng, txt, W * .2, ty, W * .6, top_h, value, alpha=strength)
    words = [slogan] if clean else [slogan, slogan.upper(), "COUNTY", "TRUCK", "19 68", "VETERAN", ""]
    word = words[rng.integers(len(words))]
    if word:
        put_word(canvas, rng, word, W * .2, by, W * .6, bot_h, value, alpha=strength)
    for x, y in ((.03, .04), (.83, .04), (.03, .8), (.83, .8)):
        if rng.random() < (0.15 if clean else 0.28):
            _sticker(canvas, rng, x, y)


def _sticker(canvas, rng, x, y):
    """A month or a year, its corner at these shares of the plate."""
    H, W = canvas.shape
    w, h = int(W * rng.uniform(.09, .14)), int(H * rng.uniform(.12, .18))
    x, y = int(W * x), int(H * y)
    back = float(rng.uniform(20, 240))
    cv2.rectangle(canvas, (x, y), (x + w, y + h), back, -1)
    words = ["JAN", "FEB", "MAR", "JUN", "SEP", "OCT", "DEC", "11", "07", "22", "19", "24"]
    put_word(canvas, rng, words[rng.integers(len(words))], x + 2, y + 2, w - 4, h - 4,
             10.0 if back > 120 else 245.0)


def _bolts(canvas, rng, rows):
    """Heads of screws, or slots, at these heights."""
    H, W = canvas.shape
    if rng.random() >= 0.75:
        return
    slot = rng.random() < 0.4
    for bx in (.2, .8):
        for by in rows:
            if rng.random() < 0.25:
                continue
            p = (int(W * bx), int(H * by))
            v = float(rng.choice([15, 60, 230]) if not slot else rng.uniform(10, 60))
            r = max(2, int(H * rng.uniform(.018, .03)))
            ax = (r * 3, r) if slot else (r, r)
            cv2.ellipse(canvas, p, ax, 0, 0, 360, v, -1, cv2.LINE_AA)


def emboss(canvas, ink, rng, amount):
    """Raised strokes catch light on one side and throw shadow on the other."""
    soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.8, 1.8))
    dx, dy = rng.choice([-2, -1, 1, 2]), rng.choice([-2, -1, 1, 2])
    M = np.float32([[1, 0, dx], [0, 1, dy]])
    moved = cv2.warpAffine(soft, M, (soft.shape[1], soft.shape[0]))
    canvas += (soft - moved) * amount


def _frame(canvas, rng, box):
    """A dealer's frame, or a rim, over the edge of the plate; it may touch the serial's box."""
    H, W = canvas.shape
    v = float(rng.choice([rng.uniform(0, 60), rng.uniform(150, 255)]))
    t = int(H * rng.uniform(.02, .13))
    b = int(H * rng.uniform(.02, .15))
    s = int(W * rng.uniform(.01, .04))
    if rng.random() < 0.35:
        b = max(b, int(H - box[3] + rng.uniform(-.04, .12) * (box[3] - box[1])))
    if rng.random() < 0.15:
        t = max(t, int(box[1] + rng.uniform(-.04, .06) * (box[3] - box[1])))
    canvas[:t], canvas[H - b:], canvas[:, :s], canvas[:, W - s:] = v, v, v, v
    for y, h in ((0, t), (H - b, b)):
        if h > H * 0.07 and rng.random() < 0.6:
            word = "".join(rng.choice(list("ABCDEFGHIKLMNORSTUVY"), int(rng.integers(5, 14))))
            put_word(canvas, rng, word, W * .15, y + h * .15, W * .7, h * .7, 255.0 - v)


def _age(canvas, rng):
    """Dirt, rust, scratches."""
    H, W = canvas.shape
    if rng.random() < 0.35:
        spots = rng.normal(0, 1, (H // 4, W // 4)).astype(np.float32)
        spots = cv2.resize(cv2.GaussianBlur(spots, (0, 0), 1.2), (W, H))
        canvas += np.where(spots > rng.uniform(.6, 1.2), rng.uniform(-70, 30), 0).astype(np.float32)
    if rng.random() < 0.2:
        cloud = cv2.resize(rng.normal(0, 1, (5, 9)).astype(np.float32), (W, H),
                           interpolation=cv2.INTER_CUBIC)
        canvas += cloud * rng.uniform(3, 18)
    for _ in range(int(rng.integers(0, 4)) if rng.random() < 0.15 else 0):
        p = [(int(rng.integers(W)), int(rng.integers(H))) for _ in range(2)]
        cv2.line(canvas, p[0], p[1], float(rng.uniform(30, 220)), 1, cv2.LINE_AA)


def _levels(rng, clean):
    """Grey of ground and ink."""
    if clean:
        return (rng.uniform(200, 240), rng.uniform(15, 60))
    bg, fg = rng.uniform(150, 250), rng.uniform(5, 110)
    if rng.random() < 0.3:
        bg, fg = rng.uniform(10, 110), rng.uniform(150, 250)
    if abs(bg - fg) < 45:
        fg = bg - 45 if bg > 127 else bg + 45
    return bg, fg


def draw_plate(rng, text=None, region=None, style=None, size=None):
    """Draw one plate; see the module's docstring."""
    clean = style == "clean"
    if region is None:
        codes = list(REGIONS)
        region = "EU" if rng.random() < 0.12 else codes[rng.integers(len(codes))]
    long = region == "EU"
    W, H = size or ((416, 88) if long else (320, 160))
    if long and not size and not clean and rng.random() < 0.25:
        W, H = 280, int(rng.uniform(150, 210))      # a European plate of two lines
    text = (text or _random_serial(rng, region)).upper()
    bg, fg = _levels(rng, clean)
    contrast = abs(bg - fg)
    canvas = np.full((H, W), bg, np.float32)
    if not clean and not long and rng.random() < 0.55:
        _backdrop(canvas, rng, contrast)
    face = _Face(rng, clean)
    placed, gaps, box = _serial(rng, text, face, W, H, clean, long)
    name_ink = fg if rng.random() < .7 else bg + (fg - bg) * rng.uniform(.4, 1)
    _furniture(canvas, rng, region, name_ink, bg, contrast, clean, long)
    if clean and not long:
        _bolts(canvas, rng, (.07, .93))
    if not clean and not long and (box[0] > W * 0.16 or box[2] < W * 0.84):
        d = int((box[3] - box[1]) * rng.uniform(.5, .95))
        x = int(W * 0.03) if box[0] > W * .16 else box[2] + 2
        put(canvas, emblem(rng, d), x, (box[1] + box[3] - d) // 2, fg, rng.uniform(.3, 1))
    for c, gx, gw in gaps:
        if c == "-" or (not clean and rng.random() < 0.45):
            d = max(4, int(gw * rng.uniform(.5, 1.0 if clean else 1.5)))
            m = emblem(rng, d)
            put(canvas, m, int(gx - d / 2), int((box[1] + box[3]) / 2 - d / 2), fg, rng.uniform(.5, 1))
    ink = np.zeros((H, W), np.float32)
    boxes = []
    for c, x, y, mask in placed:
        put(ink, mask, x, y, 1.0)
        h, w = mask.shape
        bx = (max(0, x), max(0, y), min(W, x + w), min(H, y + h))
        boxes.append(("0" if c == "O" else c,) + bx)
    canvas += ink * (fg - canvas)
    if not clean or rng.random() < .5:
        emboss(canvas, ink, rng, rng.uniform(0, 40) if not clean else 12)
    if not clean:
        if not long:
            low = rng.choice([0, 0, .12, .2])
            _bolts(canvas, rng, (.07 + low * rng.random(), .93 - low * rng.random()))
            if rng.random() < 0.1:
                _sticker(canvas, rng, rng.choice([.01, .86]), rng.uniform(.1, .8))
        if rng.random() < 0.3:
            _frame(canvas, rng, box)
        elif rng.random() < 0.4:
            m = int(rng.integers(1, 6))
            cv2.rectangle(canvas, (m, m), (W - 1 - m, H - 1 - m), float(fg), int(rng.integers(1, 4)))
        _age(canvas, rng)
    return np.clip(canvas, 0, 255).astype(np.uint8), boxes

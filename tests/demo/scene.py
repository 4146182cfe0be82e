# SPDX-License-Identifier: Apache-2.0
"""The gate of the demo clip: a camera between an entry lane (left) and an exit lane (right).

Everything is drawn in metres and projected: x to the right, y up from the road, z away
from the camera. The camera looks straight ahead, 1.5 m above the road.
"""
import functools

import cv2
import numpy as np

WIDTH, HEIGHT = 1280, 720
FOCAL_PX = 2000.0
CAMERA_Y = 1.5
HORIZON_PX = 150.0
TEXELS = 800            # of a vehicle's textures, per metre
PLATE_M = (0.305, 0.1525)
AMBIENT_NIGHT = 0.13    # share of the daylight that is left
RETRO_NIGHT = 0.62      # a plate throws the gate's lamp back, paint does not


def project(x, y, z):
    """Pixels of a point in metres."""
    return WIDTH / 2 + FOCAL_PX * x / z, HORIZON_PX + FOCAL_PX * (CAMERA_Y - y) / z


def _polygon(image, points, colour):
    cv2.fillPoly(image, [np.round(np.float64(points) * 16).astype(np.int32)], colour,
                 cv2.LINE_AA, 4)


def _ground(image, x0, x1, z0, z1, colour, y=0.0):
    _polygon(image, [project(x0, y, z0), project(x1, y, z0), project(x1, y, z1),
                     project(x0, y, z1)], colour)


def _box(image, x0, x1, y0, y1, z, colour):
    _polygon(image, [project(x0, y0, z), project(x1, y0, z), project(x1, y1, z),
                     project(x0, y1, z)], colour)


def _sky_and_trees(image, rng):
    horizon = int(HORIZON_PX)
    ramp = np.linspace(0, 1, horizon)[:, None, None]
    image[:horizon] = (1 - ramp) * np.array([205, 165, 125]) + ramp * np.array([235, 222, 208])
    for x in range(-40, WIDTH + 40, 26):
        radius = int(rng.integers(18, 46))
        green = rng.integers(45, 85)
        cv2.circle(image, (x + int(rng.integers(-9, 9)), horizon - int(rng.integers(0, 26))),
                   radius, (int(green * .7), int(green), int(green * .65)), -1, cv2.LINE_AA)


def _houses(image):
    for x0, x1, top, z, shade in ((-9, -5.4, 5.2, 60, 150), (3, 9, 6.4, 75, 128),
                                  (11, 16, 5, 55, 165)):
        _box(image, x0, x1, 0, top, z, (shade - 18, shade - 6, shade))
        _polygon(image, [project(x0 - .4, top, z), project(x1 + .4, top, z),
                         project((x0 + x1) / 2, top + 2.2, z)], (72, 70, 96))
        for y in (.9, 3.1):
            for x in np.arange(x0 + .6, x1 - .7, 1.7):
                _box(image, x, x + .7, y, y + 1.2, z, (92, 80, 70))


def _road(image, rng):
    horizon = int(HORIZON_PX)
    image[horizon:] = (70, 92, 86)
    _ground(image, -2.9, 2.9, 1.2, 200, (96, 98, 99))
    for side in (-2.9, 2.75):
        _ground(image, side, side + .15, 1.2, 200, (150, 155, 158))
    for z in np.arange(2.0, 60, 2.2):
        _ground(image, -.05, .05, z, z + 1.2, (200, 204, 206))
    _ground(image, -2.6, -.25, 4.75, 5.0, (210, 213, 214))
    grain = rng.normal(0, 5, (HEIGHT - horizon, WIDTH // 2, 1))
    grain = cv2.resize(grain, (WIDTH, HEIGHT - horizon))[..., None]
    image[horizon:] = np.clip(image[horizon:] + grain, 0, 255)


def _gatehouse(image):
    _box(image, 3.1, 5.6, 0, 2.7, 13, (168, 186, 196))
    _box(image, 2.9, 5.8, 2.6, 2.85, 12.8, (88, 92, 104))
    _box(image, 3.4, 4.5, 1.0, 2.0, 12.9, (96, 84, 66))
    for x in np.arange(-12, -3.2, .55):
        _box(image, x, x + .05, 0, 1.5, 16, (78, 84, 82))
    _box(image, -12, -3.2, 1.2, 1.26, 16, (78, 84, 82))
    _box(image, -3.25, -3.1, 0, 3.4, 11, (70, 74, 76))
    _box(image, -3.2, -2.6, 3.3, 3.42, 11, (70, 74, 76))


@functools.lru_cache(maxsize=None)
def background(night):
    """The empty gate, uint8 BGR; the caller copies it."""
    rng = np.random.default_rng(11)
    image = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    _sky_and_trees(image, rng)
    _houses(image)
    _road(image, rng)
    _gatehouse(image)
    image = cv2.GaussianBlur(image, (0, 0), 1.0)
    if night:
        light = np.full((HEIGHT, WIDTH, 1), AMBIENT_NIGHT * .7, np.float32)
        light[:int(HORIZON_PX)] = .05
        for x, z, power in ((-1.3, 6.0, .34), (1.3, 8.0, .26), (-2.8, 11, .2)):
            cx, cy = project(x, 0, z)
            yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
            spread = 1.4 * FOCAL_PX / z
            spot = np.exp(-((xx - cx) / spread) ** 2 - ((yy - cy) / (spread * .55)) ** 2)
            light += (power * spot)[..., None]
        image *= light * np.array([1.0, .92, .85], np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def barrier(image, opening, night):
    """The arm over the entry lane; `opening` goes from 0 (down) to 1 (up)."""
    shade = AMBIENT_NIGHT * 3 if night else 1.0
    z, pivot, angle = 4.9, (-2.75, .98), np.radians(4 + 78 * opening)
    for k in range(9):
        ends = [(pivot[0] + d * np.cos(angle), pivot[1] + d * np.sin(angle))
                for d in (.26 * k, .26 * (k + 1))]
        colour = (48, 40, 205) if k % 2 else (232, 234, 236)
        corners = [project(x, y + dy, z) for (x, y), dy in
                   zip((ends[0], ends[1], ends[1], ends[0]), (-.03, -.03, .03, .03))]
        _polygon(image, corners, tuple(int(c * shade) for c in colour))


# ---- vehicles ---------------------------------------------------------------

class Look:
    """Sizes in metres and colours of one vehicle."""

    def __init__(self, kind, colour, front):
        self.colour = np.array(colour, np.float32)
        self.front = front
        width, hood, roof, depth = {'sedan': (1.82, .92, 1.42, 1.15), 'suv': (1.9, 1.08, 1.68, .95),
                                    'pickup': (1.96, 1.15, 1.82, 1.2),
                                    'van': (1.9, 1.12, 1.95, .45)}[kind]
        self.width, self.hood, self.roof = width, hood, roof
        self.depth = depth if front else depth * .55
        self.plate_y = .52 if front else (.62 if kind == 'pickup' else .78)
        self.kind = kind


def _shaded(colour, factor):
    return tuple(float(min(255, c * factor)) for c in colour)


class Canvas:
    """A texture in metres: colour, coverage, and how much of it shines at night."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        size = (int(height * TEXELS), int(width * TEXELS))
        self.colour = np.zeros(size + (3,), np.float32)
        self.alpha = np.zeros(size, np.float32)
        self.glow = np.full(size, AMBIENT_NIGHT, np.float32)

    def at(self, x, y):
        """Pixels of a point: x from the middle, y up from the lower edge."""
        return (x + self.width / 2) * TEXELS, (self.height - y) * TEXELS

    def polygon(self, points, colour, glow=None):
        pts = [self.at(*p) for p in points]
        _polygon(self.colour, pts, colour)
        _polygon(self.alpha, pts, 1.0)
        if glow is not None:
            _polygon(self.glow, pts, glow)

    def rect(self, x0, x1, y0, y1, colour, glow=None, round_m=0.0):
        r = min(round_m, (x1 - x0) / 2, (y1 - y0) / 2)
        if r <= 0:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, glow)
            return
        arc = np.linspace(0, np.pi / 2, 7)
        points = []
        for cx, cy, start in ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 1), (x0 + r, y0 + r, 2),
                              (x1 - r, y0 + r, 3)):
            turned = arc + start * np.pi / 2
            points += list(zip(cx + r * np.cos(turned), cy + r * np.sin(turned)))
        self.polygon(points, colour, glow)

    def shade(self, top, bottom):
        """Light from above: multiplies the colour from the upper to the lower edge."""
        self.colour *= np.linspace(top, bottom, len(self.colour), dtype=np.float32)[:, None, None]

    def paste(self, gray, x, y, width, height):
        """A drawn plate, its middle at (x, y), bright at night."""
        px = (round(width * TEXELS), round(height * TEXELS))
        small = cv2.resize(gray, px, interpolation=cv2.INTER_AREA).astype(np.float32)
        left, top = (int(v) for v in self.at(x - width / 2, y + height / 2))
        area = np.s_[top:top + px[1], left:left + px[0]]
        self.colour[area] = small[..., None] * np.array([1.0, .985, .975], np.float32)
        self.alpha[area] = 1
        self.glow[area] = RETRO_NIGHT

    def pyramid(self, night):
        """Premultiplied BGRA in halving sizes."""
        colour = self.colour * self.glow[..., None] if night else self.colour
        level = np.dstack([colour * self.alpha[..., None], self.alpha * 255]).astype(np.float32)
        levels = [level]
        while min(levels[-1].shape[:2]) > 24:
            levels.append(cv2.resize(levels[-1], None, fx=.5, fy=.5, interpolation=cv2.INTER_AREA))
        return levels


def _front(look, canvas):
    w = look.width / 2
    for side in (-1, 1):
        x = side * (w - .3)
        canvas.rect(x - .2, x + .2, look.hood - .34, look.hood - .16, (60, 60, 62), round_m=.07)
        canvas.rect(x - .17, x + .17, look.hood - .32, look.hood - .18, (238, 240, 240), 1.6, .06)
        canvas.rect(x - .1, x + .1, .3, .38, (185, 190, 190), .5, .03)
    canvas.rect(-.5, .5, look.hood - .36, look.hood - .12, (36, 36, 38), round_m=.05)
    for y in np.arange(look.hood - .33, look.hood - .13, .05):
        canvas.rect(-.47, .47, y, y + .014, (120, 122, 124))
    canvas.rect(-.07, .07, look.hood - .28, look.hood - .2, (190, 192, 194), round_m=.035)
    canvas.rect(-w + .16, w - .16, .24, .4, (44, 44, 46), round_m=.06)


def _rear(look, canvas):
    w = look.width / 2
    low = look.plate_y - .02
    for side in (-1, 1):
        x = side * (w - .2)
        canvas.rect(x - .16, x + .16, low, low + .2, (36, 30, 172), .75, .05)
        canvas.rect(x - .05, x + .05, low + .04, low + .1, (205, 208, 210), .2, .02)
    canvas.rect(-w + .05, w - .05, .3, .5, _shaded(look.colour, .82), round_m=.06)
    canvas.rect(-.27, .27, look.plate_y - .12, look.plate_y + .12, _shaded(look.colour, .6),
                round_m=.03)
    canvas.rect(-w + .1, w - .1, look.hood - .1, look.hood - .085, _shaded(look.colour, .55))


def _lower(look, gray):
    """The plane of the bumper with wheels and plate."""
    canvas = Canvas(look.width + .04, look.hood + .02)
    w = look.width / 2
    for side in (-1, 1):
        x = side * (w - .17)
        canvas.rect(x - .12, x + .12, 0, .45, (26, 26, 27), round_m=.03)
    canvas.rect(-w, w, .2, look.hood, _shaded(look.colour, 1.0), round_m=.12)
    canvas.shade(1.05, .74)
    (_front if look.front else _rear)(look, canvas)
    pw, ph = PLATE_M
    canvas.rect(-pw / 2 - .012, pw / 2 + .012, look.plate_y - ph / 2 - .012,
                look.plate_y + ph / 2 + .012, (34, 34, 36), round_m=.015)
    canvas.paste(gray, 0, look.plate_y, pw, ph)
    return canvas


def _upper(look):
    """Windscreen and roof, behind the bonnet or the boot."""
    canvas = Canvas(look.width + .3, look.roof - look.hood + .12)
    w, top = look.width / 2, canvas.height - .02
    lean = .12 if look.kind == 'van' else .24
    canvas.polygon([(-w + .02, 0), (w - .02, 0), (w - lean, top), (-w + lean, top)],
                   _shaded(look.colour, .9))
    glass = [(-w + .12, .05), (w - .12, .05), (w - lean - .07, top - .07),
             (-w + lean + .07, top - .07)]
    canvas.polygon(glass, (62, 56, 50))
    canvas.polygon([(-.25, .05), (.35, .05), (.55, top - .07), (.1, top - .07)], (98, 90, 82))
    if look.front:
        canvas.rect(.22, .58, .06, .26, (48, 50, 60), round_m=.08)
        canvas.rect(.3, .5, .2, .42, (120, 140, 172), round_m=.1)
    for side in (-1, 1):
        x = side * (w + .04)
        canvas.rect(x - .09, x + .09, .06, .2, _shaded(look.colour, .8), round_m=.05)
    return canvas


def plate_box(look, x, z):
    """[x, y, w, h] of the plate in pixels, or None when it is not wholly in view."""
    (x0, y0), (x1, y1) = (project(x + sx * PLATE_M[0] / 2, look.plate_y + sy * PLATE_M[1] / 2, z)
                          for sx, sy in ((-1, 1), (1, -1)))
    inside = x0 >= 0 and y0 >= 0 and x1 < WIDTH and y1 < HEIGHT
    return [round(x0), round(y0), round(x1 - x0), round(y1 - y0)] if inside else None


class Vehicle:
    """One drawn vehicle that can be put anywhere into a picture."""

    def __init__(self, look, gray, night):
        self.look, self.night = look, night
        lower, upper = _lower(look, gray), _upper(look)
        self.lower = (lower.width, lower.height, lower.pyramid(night))
        self.upper = (upper.width, upper.height, upper.pyramid(night))

    def draw(self, image, x, z, yaw):
        """Middle of the bumper at x, z metres, turned by `yaw` radians."""
        look = self.look
        self._shadow(image, x, z)
        self._plane(image, self.upper, x, look.hood - .06, z + look.depth, yaw)
        self._bonnet(image, x, z)
        self._plane(image, self.lower, x, 0, z, yaw)
        if self.night:
            self._lights(image, x, z)

    def _shadow(self, image, x, z):
        w = self.look.width / 2
        shade = (9, 9, 9) if self.night else (48, 49, 50)
        _ground(image, x - w * .97, x + w * .97, z - .12, z + 3.5, shade)

    def _bonnet(self, image, x, z):
        look, w = self.look, self.look.width / 2
        gain = AMBIENT_NIGHT if self.night else 1.0
        far = z + look.depth
        _polygon(image, [project(x - w, look.hood - .1, z), project(x + w, look.hood - .1, z),
                         project(x + w * .96, look.hood + .02, far),
                         project(x - w * .96, look.hood + .02, far)],
                 _shaded(look.colour, 1.12 * gain))

    def _plane(self, image, part, x, y, z, yaw):
        width, height, levels = part
        dx, dz = width / 2 * np.cos(yaw), width / 2 * np.sin(yaw)
        corners = np.float32([project(x + s * dx, y + up, z + s * dz)
                              for s, up in ((-1, height), (1, height), (1, 0), (-1, 0))])
        scale = FOCAL_PX / z / TEXELS
        level = levels[int(np.clip(np.floor(-np.log2(scale)), 0, len(levels) - 1))]
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
        x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (WIDTH, HEIGHT))
        if x1 <= x0 or y1 <= y0:
            return
        h, w = level.shape[:2]
        matrix = cv2.getPerspectiveTransform(np.float32([(0, 0), (w, 0), (w, h), (0, h)]),
                                             corners - np.float32([x0, y0]))
        layer = cv2.warpPerspective(level, matrix, (int(x1 - x0), int(y1 - y0)))
        view = image[y0:y1, x0:x1]
        view[:] = np.clip(view * (1 - layer[..., 3:] / 255) + layer[..., :3], 0, 255)

    def _lights(self, image, x, z):
        look = self.look
        y = look.hood - .25 if look.front else look.plate_y + .08
        colour = (225, 240, 250) if look.front else (20, 18, 120)
        for side in (-1, 1):
            centre = project(x + side * (look.width / 2 - (.3 if look.front else .2)), y, z)
            _glare(image, centre, (.55 if look.front else .2) * FOCAL_PX / z, colour)


@functools.lru_cache(maxsize=None)
def _halo():
    yy, xx = np.mgrid[-1:1:129j, -1:1:129j]
    r = np.sqrt(xx ** 2 + yy ** 2)
    return (np.exp(-(r / .22) ** 2) + .28 * np.exp(-(r / .5) ** 2) * (r < 1)).astype(np.float32)


def _glare(image, centre, radius, colour):
    """Adds a headlamp's halo, cut at the picture's edge."""
    r = int(max(radius, 3))
    cx, cy = (int(round(c)) for c in centre)
    x0, y0, x1, y1 = max(cx - r, 0), max(cy - r, 0), min(cx + r, WIDTH), min(cy + r, HEIGHT)
    if x1 <= x0 or y1 <= y0:
        return
    halo = cv2.resize(_halo(), (2 * r, 2 * r))[y0 - cy + r:y1 - cy + r, x0 - cx + r:x1 - cx + r]
    view = image[y0:y1, x0:x1]
    view[:] = np.clip(view + halo[..., None] * np.array(colour, np.float32), 0, 255)

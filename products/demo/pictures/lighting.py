"""Lighting: lamps that glow in an evening room."""

import math

from .colour import INK, Palette, darker, lighter, mix
from .solids import (
    band,
    box,
    disc,
    glass,
    level,
    polygon,
    profile,
    round_paint,
    smooth,
    stand,
    tube,
    turned,
    wood_grain,
)
from .studio import FLOOR, MIDDLE, TILT, Canvas, dusk, glow, shadow

HOT = "#fffaea"
WARM = "#ffd98f"
EMBER = "#e09a4a"


def backdrop(c: Canvas) -> None:
    dusk(c, "#67617d")


def table_lamp(c: Canvas, p: Palette) -> None:
    glow(c, MIDDLE, 330, 560, strength=0.5)
    stand(c, 150, strength=0.6)
    pool(c, MIDDLE, 430)
    turned(c, [(380, 13), (470, 13)], "#c79a4b", metal=True)
    body = [(452, 30), (474, 34), (520, 92), (600, 146), (680, 140), (752, 92)]
    d = turned(c, body, p.body)
    wash(c, d, 440, 640)
    shade = [(150, 130), (430, 238)]
    lit_cone(c, shade, p.second, 330)
    for y, r in ((158, 133), (420, 234)):
        band(c, y, 6, r, mix(p.second, EMBER, 0.55), opacity=0.6)


def pendant(c: Canvas, p: Palette) -> None:
    beam(c, (258, 440), (702, 440), (880, 800), (80, 800))
    pool(c, MIDDLE, 470, FLOOR + 40, 0.6)
    c.line(f"M{MIDDLE} -10V200", darker(p.detail, 0.3), 9)
    turned(c, [(186, 20), (232, 30), (244, 34)], "#c79a4b", metal=True)
    bell = [(236, 44), (262, 104), (320, 168), (380, 196), (424, 216), (446, 240)]
    turned(c, bell, p.body, gloss=0.4)
    y, r = 446, 240
    c.ellipse(MIDDLE, y, r, r * TILT, lighter(p.body, 0.35))
    inside = [(0, HOT), (0.5, "#ffeec4"), (1, mix(WARM, EMBER, 0.4))]
    c.ellipse(
        *(MIDDLE, y + 2, r * 0.96, r * TILT * 0.88),
        c.radial(inside, MIDDLE, y + 6, r, TILT * 1.3),
    )
    bulb(c, MIDDLE, 452, 46)
    glow(c, MIDDLE, 470, 330, strength=0.55)


def floor_lamp(c: Canvas, p: Palette) -> None:
    beam(c, (268, 300), (448, 300), (590, 880), (80, 880))
    pool(c, 340, 330, 836, 0.62)
    shadow(c, 640, 856, 100, 0.6)
    turned(c, [(838, 104), (846, 106), (858, 102)], "#3a3a40", 640, gloss=0)
    level(c, 838, 104, "#4c4a52", 640)
    turned(c, [(806, 11), (822, 15), (838, 28)], p.body, 640, metal=True, gloss=0)
    stem = "M640 824C640 560 680 210 576 112C506 50 384 62 360 160"
    tube(c, stem, 15, p.body, metal=True)
    turned(c, [(146, 18), (184, 27)], p.body, 359, metal=True, gloss=0)
    lit_cone(c, [(180, 46), (306, 108)], p.second, 270, 359)
    glow(c, 359, 290, 260, strength=0.5)


def mushroom_lamp(c: Canvas, p: Palette) -> None:
    glow(c, MIDDLE, 420, 560, strength=0.6)
    stand(c, 150, strength=0.6)
    pool(c, MIDDLE, 480, strength=0.55)
    foot = profile([(440, 84), (560, 80), (660, 98), (720, 138), (752, 152)])
    glowing(c, foot, p.body, MIDDLE, 470, 330)
    c.path(foot, c.linear([(0, INK, 0.22), (0.4, INK, 0)], y1=470, y2=620))
    cap = profile(
        [(216, 60), (240, 144), (300, 226), (380, 274), (440, 284), (478, 262)]
    )
    glowing(c, cap, p.body, MIDDLE - 30, 360, 350, 0.8)
    sheen = smooth([(286, 372), (318, 302), (378, 256), (440, 236)])
    c.line(sheen, "#fff", 16, opacity=0.75, filter=c.blur(6))
    glow(c, MIDDLE, 380, 330, strength=0.3)


def wall_sconce(c: Canvas, p: Palette) -> None:
    beam(c, (400, 300), (560, 300), (790, -60), (170, -60), strength=0.75)
    beam(c, (400, 600), (560, 600), (800, 1000), (160, 1000), strength=0.75)
    for y in (250, 660):
        glow(c, MIDDLE, y, 300, strength=0.7)
    plate = box(416, 236, 128, 440, 22)
    c.path(plate, INK, opacity=0.4, filter=c.blur(14), transform="translate(22 20)")
    side = c.linear([(0, lighter(p.body, 0.25)), (1, p.detail)], 416, 236, 544, 676)
    c.path(plate, side, stroke=lighter(p.body, 0.5), stroke_width=2)
    for y in (262, 650):
        c.ellipse(MIDDLE, y, 8, 8, lighter(p.body, 0.6))
    turned(c, [(306, 98), (602, 98)], p.body, metal=True, gloss=0.2)
    c.ellipse(MIDDLE, 306, 98, 98 * TILT, lighter(p.body, 0.6))
    c.ellipse(MIDDLE, 307, 89, 89 * TILT * 0.86, HOT)
    for y in (330, 572):
        band(c, y, 7, 98, p.detail, opacity=0.7)
    glow(c, MIDDLE, 300, 120, HOT, 0.6, 0.5)


def desk_lamp(c: Canvas, p: Palette) -> None:
    beam(c, (196, 400), (350, 470), (440, 800), (20, 800), strength=0.62)
    pool(c, 236, 280, FLOOR + 30, 0.7)
    shadow(c, 640, FLOOR + 14, 136, 0.6)
    turned(c, [(730, 134), (748, 138), (766, 132)], p.body, 640, gloss=0.2)
    level(c, 730, 134, p.body, 640)
    turned(c, [(694, 18), (732, 26)], p.detail, 640)
    joint, elbow, neck = (640, 694), (738, 452), (414, 262)
    for start, end in ((joint, elbow), (elbow, neck)):
        arm(c, start, end, p)
    for x, y in (joint, elbow, neck):
        c.ellipse(x, y, 25, 25, darker(p.body, 0.4))
        c.ellipse(x - 2, y - 2, 20, 20, p.second)
        c.ellipse(x - 2, y - 2, 7, 7, p.detail)
    c.group(lambda: desk_lamp_head(c, p), transform="rotate(25 414 262)")


def paper_lantern(c: Canvas, p: Palette) -> None:
    x, y, r = MIDDLE, 440, 282
    glow(c, x, y, 570, strength=0.55)
    pool(c, x, 420, 850, 0.4)
    c.line(f"M{x} -10V200", "#2c2836", 7)
    ball = disc(x, y, r, r * 0.92)
    glowing(c, ball, p.body, x - 24, y + 20, r * 1.12)
    ribs = ""
    for i in range(-9, 10):
        turn = i / 10
        ry, rx = y + r * 0.92 * math.sin(turn * 1.5), r * math.cos(turn * 1.5)
        ribs += f"M{x - rx:.1f} {ry:.1f}A{rx:.1f} {rx * 0.1:.1f} 0 0 0 {x + rx:.1f} "
        ribs += f"{ry:.1f}"
    c.line(ribs, "#a9733c", 3, opacity=0.42)
    for at, wide in ((y - r * 0.92, 62), (y + r * 0.92, 58)):
        c.ellipse(x, at, wide, wide * 0.2, darker(p.second, 0.2))
        c.ellipse(x, at - 2, wide - 8, wide * 0.13, HOT)
    c.line(f"M{x - 54} {y - 262}L{x} {y - 300}L{x + 54} {y - 262}", "#4a4048", 5)


def candle_trio(c: Canvas, p: Palette) -> None:
    wax = mix(p.body, "#dd9f3c", 0.4)
    glow(c, MIDDLE, 340, 560, strength=0.42)
    for x, top, r in ((486, 330, 92), (290, 480, 92), (690, 560, 92)):
        shadow(c, x, FLOOR, r * 0.95, 0.5)
        pool(c, x, 240, strength=0.3)
        d = turned(c, [(top, r), (FLOOR, r)], wax, x, gloss=0.22)
        wash(c, d, top, top + 170, 0.9)
        c.ellipse(x, top, r, r * TILT, lighter(wax, 0.5))
        hollow = [(0, HOT), (0.5, WARM), (1, mix(wax, EMBER, 0.5))]
        c.ellipse(
            *(x, top + 2, r * 0.84, r * TILT * 0.78),
            c.radial(hollow, x, top + 2, r * 0.9, TILT),
        )
        c.line(f"M{x} {top + 4}q-3 -16 2 -30", "#3b2a20", 6)
        flame(c, x + 2, top - 14, 108)


def string_lights(c: Canvas, p: Palette) -> None:
    rows = ((-40, 110, 1000, 60, 290, 0.85), (-40, 380, 1000, 430, 380, 1.1))
    for x1, y1, x2, y2, sag, size in rows:
        cx, cy = (x1 + x2) / 2, (y1 + y2) / 2 + sag
        cord = f"M{x1} {y1}Q{cx} {cy} {x2} {y2}"
        c.line(cord, darker(p.second, 0.1), 11 * size)
        c.line(cord, lighter(p.second, 0.3), 2.5, transform="translate(-1 -3)")
        count = 6 if size < 1 else 5
        for i in range(count):
            t = (i + 0.6) / (count + 0.2)
            x = (1 - t) ** 2 * x1 + 2 * t * (1 - t) * cx + t * t * x2
            y = (1 - t) ** 2 * y1 + 2 * t * (1 - t) * cy + t * t * y2
            festoon(c, p, x, y, size)


def lantern(c: Canvas, p: Palette) -> None:
    glow(c, MIDDLE, 500, 560, strength=0.6)
    stand(c, 175, strength=0.65)
    pool(c, MIDDLE, 430, strength=0.5)
    tube(c, "M362 372C270 110 690 110 598 372", 11, p.detail, metal=True)
    metal = lighter(p.body, 0.12)
    chimney = [(388, 84), (430, 116), (500, 134), (560, 126), (612, 96)]
    glow(c, MIDDLE, 500, 220, strength=0.9)
    flame(c, MIDDLE, 606, 130)
    turned(c, [(596, 30), (630, 34)], p.second, gloss=0)
    glass(c, chimney, "#f3dfae", depth=0.2)
    for side in (-1, 1):
        rail = f"M{MIDDLE + side * 130} 690C{MIDDLE + side * 196} 600 "
        rail += f"{MIDDLE + side * 196} 420 {MIDDLE + side * 104} 330"
        tube(c, rail, 24, metal, metal=True)
    lantern_metal(c, p, metal)


def globe_lamp(c: Canvas, p: Palette) -> None:
    x, y, r = MIDDLE, 432, 236
    glow(c, x, y, 570, strength=0.62)
    stand(c, 190, strength=0.6)
    pool(c, x, 440, strength=0.5)
    ring = [(604, 172), (626, 180), (730, 180), (752, 172)]
    c.ellipse(x, 604, 172, 172 * TILT, darker(p.body, 0.2))
    glowing(c, disc(x, y, r), "#f3ead6", x - 26, y + 10, r * 1.2)
    c.ellipse(x - 92, y - 98, 58, 40, "#fff", opacity=0.7, filter=c.blur(20))
    d = profile(ring, open_top=True)
    c.path(d, round_paint(c, p.body, x, 180))
    wood_grain(c, d, p.detail, x - 180, 626, 360, 150)
    wash(c, d, 604, 710, 0.75)
    lip = f"M{x - 172} 604A172 {172 * TILT} 0 0 0 {x + 172} 604"
    c.line(lip, lighter(p.second, 0.5), 6)
    c.ellipse(x, 722, 9, 9, HOT)
    glow(c, x, 722, 34, strength=0.7)


# Parts of lamps.


def desk_lamp_head(c: Canvas, p: Palette) -> None:
    x = 346
    turned(c, [(226, 34), (240, 44), (286, 46)], p.detail, x)
    turned(c, [(268, 52), (300, 84), (370, 124), (424, 142)], p.body, x)
    c.ellipse(x, 424, 142, 142 * 0.26, lighter(p.body, 0.4))
    inside = [(0, HOT), (0.5, "#ffeec4"), (1, mix(WARM, EMBER, 0.4))]
    c.ellipse(x, 426, 133, 31, c.radial(inside, x, 428, 133, 0.3))
    bulb(c, x, 430, 32)
    glow(c, x, 440, 190, strength=0.6)


def arm(c: Canvas, start: tuple, end: tuple, p: Palette) -> None:
    """Two parallel rods, and the spring between them."""
    (x1, y1), (x2, y2) = start, end
    long = math.hypot(x2 - x1, y2 - y1)
    nx, ny = (y1 - y2) / long * 11, (x2 - x1) / long * 11
    spring = "M"
    for i in range(25):
        t, side = 0.14 + i * 0.017, 0.9 * (-1) ** i
        spring += f"{x1 + (x2 - x1) * t + nx * side:.1f} "
        spring += f"{y1 + (y2 - y1) * t + ny * side:.1f}L"
    c.line(spring[:-1], "#c9c4bd", 4)
    for side in (-1, 1):
        dx, dy = nx * side, ny * side
        d = f"M{x1 + dx:.1f} {y1 + dy:.1f}L{x2 + dx:.1f} {y2 + dy:.1f}"
        tube(c, d, 13, lighter(p.body, 0.12), metal=True)


def festoon(c: Canvas, p: Palette, x: float, y: float, size: float) -> None:
    """A bulb hanging from a cord at (x, y)."""
    s = size
    body = [(y + 62 * s, 22 * s), (y + 96 * s, 42 * s), (y + 134 * s, 50 * s)]
    body += [(y + 170 * s, 38 * s), (y + 190 * s, 12 * s)]
    glow(c, x, y + 125 * s, 170 * s, strength=0.75)
    glowing(c, profile(body, x), mix(p.body, WARM, 0.4), x, y + 128 * s, 62 * s)
    coil = f"M{x - 12 * s} {y + 76 * s}C{x - 44 * s} {y + 176 * s} "
    coil += f"{x + 44 * s} {y + 176 * s} {x + 12 * s} {y + 76 * s}"
    c.line(coil, "#ffffff", 4 * s)
    turned(c, [(y - 8, 17 * s), (y + 70 * s, 25 * s)], p.second, x, gloss=0.3)
    band(c, y + 52 * s, 7 * s, 24 * s, p.detail, x)


def lantern_metal(c: Canvas, p: Palette, metal: str) -> None:
    """The hood, the plate and the tank of the storm lantern."""
    turned(c, [(606, 92), (622, 118), (640, 124)], metal, metal=True, gloss=0)
    tank = [(640, 150), (664, 178), (726, 182), (752, 168)]
    turned(c, tank, metal, metal=True, gloss=0.2)
    level(c, 640, 148, metal)
    glow(c, MIDDLE, 636, 130, strength=0.6, squash=0.2)
    turned(c, [(606, 84), (632, 92)], metal, metal=True, gloss=0)
    tube(c, "M618 694h60", 14, p.second)
    c.ellipse(684, 694, 16, 20, p.second)
    turned(c, [(344, 108), (366, 116), (396, 96)], metal, metal=True, gloss=0)
    turned(c, [(270, 72), (300, 82), (346, 84)], metal, metal=True, gloss=0.1)
    for x in (430, 463, 497, 530):
        c.line(f"M{x} 312v18", darker(metal, 0.6), 11)
    turned(c, [(240, 40), (252, 84), (276, 90)], metal, metal=True, gloss=0)
    c.ellipse(MIDDLE, 232, 15, 15, stroke=p.detail, stroke_width=8)


def bulb(c: Canvas, x: float, y: float, r: float) -> None:
    """The lower half of a lit bulb, seen below a shade."""
    paint = c.radial([(0, "#ffffff"), (0.6, HOT), (1, WARM)], x, y, r)
    c.path(
        f"M{x - r} {y}a{r} {r} 0 0 0 {2 * r} 0a{r} {r * 0.3} 0 0 0 {-2 * r} 0Z", paint
    )


# Light, of general use.


def glowing(c: Canvas, d: str, colour: str, x, y, r, squash=1.0) -> None:
    """Fill d as something that light shines through, hottest at (x, y)."""
    edge = mix(mix(colour, EMBER, 0.42), INK, 0.1)
    stops = [(0, HOT), (0.34, mix(colour, "#fff1cc", 0.8))]
    stops += [(0.72, mix(colour, WARM, 0.62)), (1, edge)]
    c.path(d, c.radial(stops, x, y, r, squash))


def lit_cone(c: Canvas, points: list, colour: str, y: float, x=MIDDLE) -> None:
    """A lit shade of cloth, straight from its top to its foot, open above."""
    (top, r_top), (_, r) = points[0], points[-1]
    d = profile(points, x, sharp=True)
    glowing(c, d, colour, x - r * 0.1, y, r * 1.15)
    weave = "".join(
        f"M{x + r_top * i / 12:.1f} {top}L{x + r * i / 12:.1f} {points[-1][0] + 40}"
        for i in range(-11, 12)
    )
    c.line(weave, EMBER, 1.6, opacity=0.22, clip_path=c.clip(d))
    c.ellipse(x, top, r_top, r_top * TILT, mix(colour, EMBER, 0.4))
    c.ellipse(x, top + 1, r_top * 0.94, r_top * TILT * 0.84, HOT)
    glow(c, x, top - 8, r_top * 1.5, strength=0.5, squash=0.6)


def pool(c: Canvas, x: float, r: float, y=FLOOR + 6, strength=0.5) -> None:
    """Lamplight lying on the floor."""
    glow(c, x, y, r, strength=strength, squash=0.22)


def beam(c: Canvas, *corners: tuple, strength=0.5) -> None:
    """Light falling from the edge between the first two corners."""
    d = polygon(*corners)
    y1 = (corners[0][1] + corners[1][1]) / 2
    stops = [(0, WARM, strength), (0.5, WARM, strength * 0.4), (1, WARM, 0)]
    c.path(d, c.linear(stops, 0, y1, 0, corners[2][1]), filter=c.blur(16))


def wash(c: Canvas, d: str, y1: float, y2: float, strength=0.6) -> None:
    """Lamplight on the upper part of the outline d, gone at y2."""
    c.path(d, c.linear([(0, WARM, strength), (1, WARM, 0)], 0, y1, 0, y2))


def flame(c: Canvas, x: float, y: float, tall: float) -> None:
    """A candle's flame, standing on (x, y)."""
    glow(c, x, y - tall * 0.45, tall * 2.6, strength=0.85)
    for share, paint in (
        (1, c.linear([(0, "#f7a63c"), (1, "#ffd873")], 0, y - tall, 0, y)),
        (0.64, c.linear([(0, "#ffeeb0"), (1, "#ffffff")], 0, y - tall * 0.6, 0, y)),
    ):
        h, w = tall * share, tall * 0.3 * share
        c.path(
            f"M{x} {y - h}C{x + w * 0.5} {y - h * 0.7} {x + w * 1.5} {y - h * 0.1} "
            f"{x} {y}C{x - w * 1.5} {y - h * 0.1} {x - w * 0.5} {y - h * 0.7} "
            f"{x} {y - h}Z",
            paint,
        )


SHAPES = (
    table_lamp,
    pendant,
    floor_lamp,
    mushroom_lamp,
    wall_sconce,
    desk_lamp,
    paper_lantern,
    candle_trio,
    string_lights,
    lantern,
    globe_lamp,
)

"""Glassware: clear and tinted glass on a sweep of pale sea green paper."""

import math

from .colour import Palette, darker, lighter, mix
from .solids import (
    band,
    disc,
    glass,
    leaf,
    level,
    liquid,
    profile,
    rim,
    smooth,
    speckle,
    tube,
    turned,
)
from .studio import FLOOR, MIDDLE, TILT, Canvas, glow, shadow, sweep

WATER = "#b9dbe2"
WINE = "#7b2338"
WAX = "#f3e7d2"


def backdrop(c: Canvas) -> None:
    sweep(c, "#b7d0c1")


def tumblers(c: Canvas, p: Palette) -> None:
    for x, top, r, drink in ((318, 372, 156, WATER), (654, 500, 146, None)):
        lit_shadow(c, x, r * 0.86, p.body)
        body = [(top, r), (top + 120, r * 0.96), (680, r * 0.87), (FLOOR, r * 0.8)]
        if drink:
            held = [(top + 104, r * 0.93), (680, r * 0.83), (722, r * 0.78)]
            liquid(c, held, drink, x, opacity=0.6)
        glass(c, body, p.body, x, depth=0.58)
        heel(c, FLOOR, r * 0.8, p.body, x, 34)
        flutes(c, (top + 96, r * 0.96), (FLOOR - 6, r * 0.79), p.body, x)
        rim(c, top, r, p.body, x)


def carafe(c: Canvas, p: Palette) -> None:
    lit_shadow(c, MIDDLE, 160, p.body)
    body = [(226, 84), (300, 66), (400, 72), (520, 146), (640, 186), (FLOOR, 158)]
    held = [(520, 138), (570, 162), (640, 176), (732, 154)]
    liquid(c, held, WATER, opacity=0.66)
    glass(c, body, p.body, depth=0.52)
    heel(c, FLOOR, 156, p.body)
    rim(c, 226, 84, p.body)
    turned(c, [(204, 56), (252, 50)], p.second, gloss=0.2)
    turned(c, [(118, 8), (126, 36), (166, 60), (206, 44), (220, 30)], p.second)


def wine_glasses(c: Canvas, p: Palette) -> None:
    for x, top, drink in ((316, 236, WINE), (644, 262, "#e3c877")):
        lit_shadow(c, x, 104, p.body)
        c.ellipse(x, FLOOR, 112, 112 * TILT, p.body, opacity=0.5)
        c.ellipse(x, FLOOR, 112, 112 * TILT, stroke="#fff", stroke_width=3, opacity=0.7)
        glass(c, [(546, 20), (570, 9), (690, 8), (728, 22), (748, 78)], p.body, x)
        held = [(top + 150, 126), (top + 200, 128), (506, 96), (540, 44)]
        liquid(c, held + [(550, 16)], drink, x)
        bowl = [(top, 98), (top + 90, 126), (top + 180, 136), (500, 112), (544, 54)]
        glass(c, bowl + [(560, 14)], p.body, x, depth=0.32)
        rim(c, top, 98, p.body, x)


def decanter(c: Canvas, p: Palette) -> None:
    lit_shadow(c, MIDDLE, 235, p.body)
    body = [(262, 78), (286, 56), (400, 50), (490, 88), (570, 196), (660, 254)]
    body += [(715, 250), (FLOOR, 214)]
    held = [(584, 200), (640, 238), (690, 244), (736, 206)]
    liquid(c, held, WINE, opacity=0.92)
    glass(c, body, p.body, depth=0.36)
    heel(c, FLOOR, 210, p.body, deep=18)
    glass(c, [(200, 22), (236, 30), (300, 42)], p.body, depth=0.6)
    rim(c, 262, 78, p.body)
    glass(c, [(92, 6), (104, 38), (146, 62), (190, 42), (206, 24)], p.body, depth=0.6)
    c.ellipse(458, 124, 16, 10, "#fff", opacity=0.8)


def bud_vase(c: Canvas, p: Palette) -> None:
    lit_shadow(c, MIDDLE, 112, p.body)
    held = [(604, 96), (650, 128), (700, 130), (738, 92)]
    liquid(c, held, WATER, opacity=0.6)
    green = "#5f7f52"
    tube(c, "M462 716C478 600 500 420 506 214", 11, green)
    leaf(c, 494, 372, 62, 128, 34, green)
    leaf(c, 488, 414, -54, 138, 36, green)
    body = [(424, 50), (446, 36), (520, 34), (570, 66), (640, 134), (700, 142)]
    glass(c, [*body, (FLOOR, 92)], p.body, depth=0.46)
    heel(c, FLOOR, 92, p.body, deep=16)
    rim(c, 424, 50, p.body)
    bloom(c, 508, 196, 92, "#e0846c")


def bloom(c: Canvas, x: float, y: float, r: float, colour: str) -> None:
    for ring, (count, share) in enumerate(((9, 1.0), (8, 0.72), (6, 0.46))):
        tone = darker(colour, 0.12 * ring)
        for i in range(count):
            turn = f"translate({x} {y}) rotate({360 * (i + ring * 0.5) / count:.0f})"
            long = r * share
            stops = [(0, darker(tone, 0.25)), (1, lighter(tone, 0.3))]
            c.path(
                disc(0, -long * 0.62, long * 0.36, long * 0.56),
                c.linear(stops, 0, 0, 0, -long * 1.1),
                transform=turn,
            )
    c.ellipse(x, y, r * 0.2, fill="#e9bf62")
    speckle(c, disc(x, y, r * 0.2), "#7d5a1c", x - r / 4, y - r / 4, r / 2, r / 2, 30)


def storage_jars(c: Canvas, p: Palette) -> None:
    jars = ((250, 372, 0.34, "#8a4a2a"), (716, 548, 0.2, "#c98a4a"))
    for x, top, gap, food in (*jars, (486, 462, 0.26, "#e6d3a4")):
        r = 122
        lit_shadow(c, x, r * 0.95, p.body)
        fill = top + (FLOOR - top) * gap
        held = [(fill, r - 10), (fill + 30, r - 9), (FLOOR - 16, r - 12)]
        liquid(c, held, food, x, opacity=1)
        grains = profile(held, x)
        speckle(c, grains, darker(food, 0.5), x - r, fill, 2 * r, FLOOR - fill, 150)
        speckle(c, grains, lighter(food, 0.5), x - r, fill, 2 * r, FLOOR - fill, 90)
        glass(c, [(top, r - 4), (top + 24, r), (FLOOR, r - 4)], p.body, x, depth=0.34)
        turned(c, [(top - 40, r + 2), (top + 8, r + 2)], p.second, x, gloss=0.15)
        level(c, top - 40, r + 2, p.second, x)
        for ring in (0.72, 0.4):
            c.ellipse(
                *(x, top - 40, r * ring, r * ring * TILT),
                **{"stroke": darker(p.second), "stroke_width": 2, "opacity": 0.4},
            )


def oil_bottle(c: Canvas, p: Palette) -> None:
    lit_shadow(c, MIDDLE, 128, "#d8b13a")
    held = [(446, 112), (480, 122), (560, 124), (734, 122)]
    liquid(c, held, "#c9a32c", opacity=0.9)
    body = [(250, 42), (268, 36), (340, 38), (390, 74), (440, 124), (500, 134)]
    glass(c, [*body, (620, 134), (FLOOR, 128)], p.body, depth=0.4)
    heel(c, FLOOR, 126, p.body, deep=18)
    tube(c, "M480 210C480 160 492 130 540 96", 22, "#b9c0c4", metal=True)
    c.ellipse(545, 92, 12, 8, "#3a3f45", transform="rotate(-34 545 92)")
    turned(c, [(196, 30), (206, 38), (222, 30)], "#b9c0c4", metal=True)
    turned(c, [(218, 34), (262, 30)], p.second, gloss=0.2)
    label(c, MIDDLE, 530, 134, 150)
    leaf(c, 470, 650, -24, 86, 15, "#7f8a52")
    leaf(c, 484, 640, 26, 78, 15, "#8a9460")
    leaf(c, 476, 664, -78, 60, 12, "#6f7a48")
    turned(c, [(610, 6), (622, 18), (640, 20), (656, 8)], "#515a33", 502, gloss=0.4)


def label(c: Canvas, x, y, r, height) -> None:
    half, drop = r * 0.72, r * TILT * 0.7
    d = (
        f"M{x - half} {y}Q{x} {y + drop * 0.62:.1f} {x + half} {y}V{y + height}"
        f"Q{x} {y + height + drop * 0.62:.1f} {x - half} {y + height}Z"
    )
    paper = [(0, "#fbf6ea"), (0.6, "#efe6d2"), (1, "#cfc4ad")]
    c.path(d, c.linear(paper, x - half, 0, x + half, 0))


def juice_jug(c: Canvas, p: Palette) -> None:
    lit_shadow(c, MIDDLE, 165, "#f0a640")
    tube(c, "M612 376C772 340 772 640 634 640", 34, lighter(p.detail, 0.35))
    held = [(420, 140), (520, 158), (620, 172), (690, 172), (736, 146)]
    liquid(c, held, "#ec9a35", opacity=0.94)
    for x, y, r in ((410, 560, 62), (548, 628, 56), (446, 690, 48)):
        citrus(c, x, y, r)
    c.group(lambda: citrus(c, 0, 0, 74), transform="translate(520 404) scale(1 .36)")
    body = [(300, 144), (400, 146), (520, 166), (640, 184), (FLOOR, 150)]
    glass(c, body, p.body, depth=0.32)
    heel(c, FLOOR, 148, p.body, deep=16)
    rim(c, 300, 144, p.body)
    lip = "M376 283C346 284 312 280 286 270C296 312 316 348 338 372L340 318Z"
    clear = [(0, lighter(p.body, 0.5), 0.9), (1, p.body, 0.55)]
    c.path(lip, c.linear(clear, 286, 270, 350, 370))
    c.line("M376 283C346 284 312 280 286 270", darker(p.body, 0.2), 4, opacity=0.7)
    c.line("M287 271C296 312 316 348 338 372", "#fff", 4, opacity=0.8)


def citrus(c: Canvas, x: float, y: float, r: float) -> None:
    c.ellipse(x, y, r, fill="#e8842a")
    c.ellipse(x, y, r * 0.9, fill="#fbe3b4")
    wedge = f"M0 {-r * 0.12:.1f}L{r * 0.27:.1f} {-r * 0.74:.1f}"
    wedge += f"Q0 {-r * 0.94:.1f} {-r * 0.27:.1f} {-r * 0.74:.1f}Z"
    for i in range(8):
        turn = f"translate({x} {y}) rotate({i * 45})"
        c.path(wedge, "#f5a83f", transform=turn)


def candle_holder_glass(c: Canvas, p: Palette) -> None:
    for x, top, count in ((350, 420, 4), (634, 586, 2)):
        lit_shadow(c, x, 96, p.body)
        glow(c, x, top - 236, 190, strength=0.6)
        wax = lighter(p.second, 0.45) if count == 2 else WAX
        turned(c, [(top - 190, 15), (top - 180, 22), (top + 20, 24)], wax, x)
        step = (FLOOR - 24 - top - 30) / count
        glass(c, [(FLOOR - 30, 40), (FLOOR - 14, 90), (FLOOR, 98)], p.body, x)
        for i in reversed(range(count)):
            y = top + 30 + i * step
            ball = [(y - 4, 18), (y + step * 0.14, 52), (y + step / 2, 64)]
            ball += [(y + step * 0.86, 52), (y + step + 4, 18)]
            glass(c, ball, p.body, x, depth=0.6)
        glass(c, [(top, 44), (top + 18, 42), (top + 40, 26)], p.body, x, depth=0.6)
        rim(c, top, 44, p.body, x)
        flame(c, x, top - 192)


def flame(c: Canvas, x: float, y: float, high=72.0) -> None:
    c.line(f"M{x} {y + 6}V{y - 14}", "#3b2a20", 4)
    d = f"M{x} {y - high - 6}C{x + 30} {y - high * 0.5} {x + 24} {y} {x} {y}"
    d += f"C{x - 24} {y} {x - 30} {y - high * 0.5} {x} {y - high - 6}Z"
    stops = [(0, "#ffd071"), (0.6, "#fff3c9"), (1, "#f7a63c")]
    c.path(d, c.linear(stops, 0, y - high, 0, y))


def bell_jar(c: Canvas, p: Palette) -> None:
    shadow(c, MIDDLE, FLOOR, 235, 0.5)
    turned(c, [(706, 232), (720, 244), (FLOOR, 234)], p.second, gloss=0.2)
    level(c, 706, 232, p.second)
    c.ellipse(MIDDLE, 706, 196, 196 * TILT, darker(p.second, 0.3), opacity=0.45)
    moss = [(634, 30), (650, 96), (684, 142), (706, 150)]
    mound = turned(c, moss, "#74854d", gloss=0)
    speckle(c, mound, "#c5cf95", 330, 640, 300, 100, 160)
    for angle, long in ((-62, 170), (58, 180), (-36, 250), (34, 240), (-8, 300)):
        leaf(c, 480 + angle * 0.4, 668, angle, long, 34, "#5f8a55")
    for x, y in ((398, 676), (566, 682)):
        turned(c, [(y - 10, 8), (y + 14, 10)], WAX, x, gloss=0)
        turned(c, [(y - 40, 6), (y - 30, 22), (y - 8, 32)], "#c0714f", x)
    dome = [(222, 16), (232, 76), (272, 146), (350, 188), (450, 196), (700, 196)]
    glass(c, dome, p.body, depth=0.28)
    glass(c, [(160, 8), (168, 26), (186, 32), (206, 22), (224, 18)], p.body, depth=0.7)
    c.ellipse(MIDDLE, 700, 196, 196 * TILT, stroke="#fff", stroke_width=3, opacity=0.5)


def water_bottle(c: Canvas, p: Palette) -> None:
    lit_shadow(c, MIDDLE, 122, p.body)
    held = [(396, 112), (430, 120), (520, 122), (736, 118)]
    liquid(c, held, WATER, opacity=0.6)
    body = [(250, 66), (290, 66), (322, 92), (372, 124), (440, 130), (560, 130)]
    glass(c, [*body, (FLOOR, 124)], p.body, depth=0.42)
    sleeve = mix(p.detail, p.body, 0.15)
    band(c, 500, 252, (132, 127), sleeve)
    for y in range(526, 740, 24):
        c.path(
            f"M{MIDDLE - 127} {y}A131 {131 * TILT:.1f} 0 0 0 {MIDDLE + 127} {y}",
            **{"stroke": darker(sleeve), "stroke_width": 3, "opacity": 0.35},
        )
    for y in (262, 276):
        c.line(f"M414 {y}A66 11 0 0 0 546 {y}", darker(p.body, 0.2), 3, opacity=0.5)
    tube(c, "M436 176C420 60 540 60 524 176", 18, sleeve)
    turned(c, [(170, 70), (180, 76), (246, 74)], p.second, gloss=0.25)
    level(c, 170, 70, p.second)


# What only glass needs.


def lit_shadow(c: Canvas, x: float, r: float, colour: str) -> None:
    shadow(c, x, FLOOR, r, 0.36)
    far = x + r * 0.95
    glow(c, far, FLOOR + 14, r * 0.8, lighter(colour, 0.45), 0.85, 0.17)
    glow(c, far - r * 0.1, FLOOR + 12, r * 0.3, "#ffffff", 0.8, 0.16)


def heel(c: Canvas, bottom, r, colour, x=MIDDLE, deep=24.0) -> None:
    d = profile([(bottom - deep, r * 0.98), (bottom, r)], x, sharp=True)
    stops = [(0, darker(colour, 0.4), 0.45), (0.3, lighter(colour, 0.7), 0.5)]
    stops += [(0.62, darker(colour, 0.2), 0.35), (1, darker(colour, 0.45), 0.5)]
    c.path(d, c.linear(stops, x - r, 0, x + r, 0))
    inner = r * 0.86
    c.ellipse(x, bottom - deep, inner, inner * TILT, lighter(colour, 0.7), opacity=0.35)
    edge = f"M{x - r * 0.8:.1f} {bottom + r * TILT * 0.5:.1f}"
    edge += f"Q{x:.1f} {bottom + r * TILT * 1.35:.1f} {x + r * 0.7:.1f} "
    edge += f"{bottom + r * TILT * 0.62:.1f}"
    c.line(edge, "#fff", 3, opacity=0.6)


def flutes(c: Canvas, top: tuple, bottom: tuple, colour, x=MIDDLE, count=9) -> None:
    (y1, r1), (y2, r2) = top, bottom
    for i in range(1, count):
        turn = math.pi * i / count
        across, round_ = -math.cos(turn), math.sin(turn) * TILT
        x1, x2 = x + r1 * across, x + r2 * across
        ends = [(x1, y1 + r1 * round_), ((x1 + x2) / 2, (y1 + y2) / 2 + r1 * round_)]
        d = smooth([*ends, (x2, y2 + r2 * round_ * 0.8)])
        c.line(d, darker(colour, 0.35), 3, opacity=0.35)
        c.line(d, "#fff", 3, opacity=0.45, transform="translate(4 0)")


SHAPES = (
    tumblers,
    carafe,
    wine_glasses,
    decanter,
    bud_vase,
    storage_jars,
    oil_bottle,
    juice_jug,
    candle_holder_glass,
    bell_jar,
    water_bottle,
)

"""Plants and garden: leaves, clay and forged steel on light leaf green."""

from math import cos, radians, sin

from .colour import INK, WARM_LIGHT, Palette, darker, lighter, mix
from .desk import grounded
from .solids import (
    block,
    box,
    disc,
    leaf,
    level,
    mouth,
    polygon,
    profile,
    round_paint,
    smooth,
    speckle,
    tube,
    turned,
    wood_grain,
)
from .studio import FLOOR, MIDDLE, Canvas, shadow, shadow_below, sweep, table_from_above

LAWN = "#bccb9f"
SOIL = "#45352a"
LEAF = "#5f8a55"
DEEP_LEAF = "#3f7a55"
STEEL = "#b9c0c4"
BRASS = "#c79a4b"
STONEWARE = "#ece6da"
ROBIN = "#c9683a"


def backdrop(c: Canvas) -> None:
    sweep(c, LAWN)


def potted_monstera(c: Canvas, p: Palette) -> None:
    shadow(c, MIDDLE, FLOOR, 130, 0.6, 1.4)
    pot(c, 540, 158, p.second, FLOOR)
    for x, y, angle, long, squeeze, bend in (
        (476, 236, 10, 172, 0.8, -40),
        (330, 264, -38, 214, 0.9, 30),
        (636, 270, 42, 210, 0.9, -30),
        (250, 400, -74, 190, 0.85, 60),
        (716, 404, 82, 190, 0.85, -60),
        (410, 350, -20, 232, 1.0, 20),
        (570, 400, 30, 214, 1.0, -20),
    ):
        stem = f"M{MIDDLE + (x - MIDDLE) * 0.12:.0f} 548"
        stem += f"Q{MIDDLE + (x - MIDDLE) * 0.3 + bend * 0.3:.0f} 400 {x} {y}"
        tube(c, stem, 9, p.detail)
        colour = mix(p.body, p.detail, (long % 40) / 90)
        _split_leaf(c, x, y, angle, long, squeeze, colour)


# A monstera leaf that hangs on its stem at (x, y).
def _split_leaf(c: Canvas, x, y, angle, long, squeeze, colour) -> None:
    def draw() -> None:
        dim, lit = darker(colour, 0.18), lighter(colour, 0.24)
        if angle > 40:
            lit, dim = lighter(colour, 0.08), darker(colour, 0.3)
        for side, paint in ((-1, lit), (1, dim)):
            shade = c.linear([(0, darker(paint, 0.2)), (1, paint)], 0, 0, 0, -long)
            half = _half_leaf(long, side)
            c.path(half, shade, fill_rule="evenodd")
        c.line(f"M0 0V{-long * 0.94:.1f}", lighter(colour, 0.5), 3, opacity=0.7)

    place = f"translate({x} {y}) rotate({angle}) scale({squeeze} 1)"
    c.group(draw, transform=place)


# A lobed edge, cut towards the midrib, with two holes near it.
def _half_leaf(long: float, side: int) -> str:
    def at(wide: float, up: float) -> str:
        return f"{side * long * wide:.1f} {-long * up:.1f} "

    d = f"M0 0C{at(0.06, -0.17)}{at(0.4, -0.2)}{at(0.52, -0.02)}"
    d += f"Q{at(0.6, 0.05)}{at(0.58, 0.13)}"
    cuts = ((0.16, 0.58, 0.33, 0.54), (0.36, 0.53, 0.53, 0.43), (0.56, 0.42, 0.72, 0.3))
    for up, wide, next_up, next_wide in cuts:
        d += f"Q{at(wide * 0.6, up - 0.05)}{at(wide * 0.36, up - 0.1)}"
        d += f"Q{at(wide * 0.66, up + 0.02)}{at(wide * 0.98, up + 0.05)}"
        d += f"Q{at(wide + 0.03, (up + next_up) / 2 + 0.06)}{at(next_wide, next_up)}"
    d += f"Q{at(0.2, 0.68)}{at(0.12, 0.66)}Q{at(0.2, 0.72)}{at(0.27, 0.77)}"
    d += f"Q{at(0.18, 0.93)}{at(0, 1)}Z"
    for up in (0.2, 0.4):
        d += disc(side * long * 0.1, -long * up, long * 0.026, long * 0.045)
    return d


def succulent_pot(c: Canvas, p: Palette) -> None:
    shadow(c, MIDDLE, FLOOR, 190, 0.6)
    body = [(560, 292), (620, 282), (690, 236), (735, 180), (FLOOR, 168)]
    d = turned(c, body, p.second)
    speckle(c, d, lighter(p.second, 0.6), 190, 570, 580, 200, 90)
    mouth(c, 560, 292, p.second, lip=0.05, fill=(0.9, SOIL))
    grit = disc(MIDDLE, 566, 270, 42)
    speckle(c, grit, "#ffffff", 210, 522, 540, 90, 200)
    _haworthia(c, 640, 566, p)
    for x, y, r, colour in ((480, 590, 60, p.detail), (250, 566, 46, p.detail)):
        c.ellipse(x + 12, y + 6, r * 1.5, r * 0.4, INK, opacity=0.4, filter=c.blur(8))
    _rosette(c, 374, 470, 178, p.body)
    _rosette(c, 560, 560, 84, mix(p.body, "#d58f8f", 0.55))


def _haworthia(c: Canvas, x, y, p: Palette) -> None:
    for angle, long in (
        *((-58, 170), (60, 170), (-40, 220), (44, 214), (-24, 262), (26, 256)),
        *((-9, 296), (12, 280), (-34, 150), (34, 150), (0, 190)),
    ):
        leaf(c, x + angle * 0.5, y, angle, long, 30, mix(p.detail, p.body, 0.2), False)
        turn = f"translate({x + angle * 0.5} {y}) rotate({angle})"
        rings = "".join(f"M-8 {-long * k:.0f}H8" for k in (0.3, 0.42, 0.54, 0.66))
        c.line(rings, "#ffffff", 4, opacity=0.45, transform=turn)


def _rosette(c: Canvas, x, y, r, colour) -> None:
    def draw() -> None:
        for ring, (count, share) in enumerate(
            ((13, 1.0), (12, 0.84), (10, 0.67), (8, 0.5), (6, 0.34), (4, 0.18))
        ):
            tone = mix(darker(colour, 0.26), lighter(colour, 0.4), ring / 5)
            for i in range(count):
                angle = 360 / count * (i + ring * 0.37) + 20
                _petal(c, angle, r * share, tone)

    c.group(draw, transform=f"translate({x} {y}) scale(1 0.74)")


def _petal(c: Canvas, angle, long, colour) -> None:
    wide = long * 0.3 + 7
    d = f"M0 0C{-wide} {-long * 0.3:.1f} {-wide * 1.25:.1f} {-long * 0.86:.1f} "
    d += f"0 {-long}"
    d += f"C{wide * 1.25:.1f} {-long * 0.86:.1f} {wide} {-long * 0.3:.1f} 0 0Z"
    light = 0.16 * cos(radians(angle + 40))
    tone = lighter(colour, light) if light > 0 else darker(colour, -light)
    stops = [(0.3, darker(tone, 0.34)), (0.85, tone), (1, mix(tone, "#d98a80", 0.5))]
    turn = f"rotate({angle:.1f})"
    c.path(d, c.linear(stops, 0, 0, 0, -long), transform=turn)
    c.path(d, stroke=lighter(tone, 0.4), stroke_width=1.6, opacity=0.6, transform=turn)


def watering_can(c: Canvas, p: Palette) -> None:
    x = 560
    shadow(c, x, FLOOR, 190, 0.6)
    tube(c, "M640 420C700 210 900 280 870 440C850 560 800 640 730 668", 26, p.body)
    spout = "M420 720C300 690 300 560 250 400L186 300L214 284L288 372"
    spout += "C356 500 360 590 430 610Z"
    tube(c, "M440 500L330 462", 14, p.body)
    shade = [(0, lighter(p.body, 0.4)), (0.4, p.body), (1, darker(p.body, 0.45))]
    c.path(spout, c.linear(shade, 230, 560, 400, 500))
    body = [(430, 160), (470, 164), (600, 184), (700, 194), (FLOOR, 190)]
    turned(c, body, p.body, x)
    for y, r in ((452, 163), (716, 195)):
        c.line(f"M{x - r} {y}A{r} {r * 0.17} 0 0 0 {x + r} {y}", lighter(p.body), 6)
    level(c, 430, 160, p.body, x)
    half = f"M{x - 128} 434A128 20 0 0 0 {x + 40} 452Q{x + 4} 426 {x + 30} 411"
    c.path(half + f"A128 20 0 0 0 {x - 128} 434Z", darker(p.body, 0.65))
    _rose(c, 196, 288)


def _rose(c: Canvas, x, y) -> None:
    def draw() -> None:
        horn = "M-18 8L-56 -62H56L18 8Z"
        c.path(horn, round_paint(c, BRASS, 0, 52, True))
        c.ellipse(0, -62, 56, 20, lighter(BRASS, 0.35))
        dots = "".join(
            disc(r * cos(turn * 0.9), -62 + r * 0.34 * sin(turn * 0.9), 3, 2)
            for r, count in ((14, 7), (28, 7), (42, 7))
            for turn in range(count)
        )
        c.path(dots, darker(BRASS, 0.6))

    c.group(draw, transform=f"translate({x} {y}) rotate(-34)")


def trowel(c: Canvas, p: Palette) -> None:
    table_from_above(c, LAWN)

    def draw() -> None:
        _blade(c)
        tube_shadow = "M0 -20V90"
        c.line(tube_shadow, INK, 30, opacity=0.3, filter=c.blur(8))
        tube(c, "M0 -70C0 -20 -4 20 0 96", 26, STEEL, metal=True)
        grip = [(88, 26), (120, 30), (200, 40), (300, 34), (360, 40), (392, 22)]
        d = profile(grip, 0, tilt=0.3)
        shadow_below(c, d, 24, 0.42)
        turned(c, grip, p.body, 0, tilt=0.3)
        veins = "M-16 128C-22 220 -10 300 -18 356M0 126C6 230 -6 280 4 360M16 130V350"
        c.line(veins, p.detail, 2.5, opacity=0.35)
        c.rect(-29, 84, 58, 36, round_paint(c, BRASS, 0, 29, True), round=5)
        c.line("M-38 346H38", p.detail, 4, opacity=0.6)
        c.ellipse(0, 380, 9, 6, darker(p.detail, 0.5))

    place = "translate(500 470) rotate(38) scale(1.06)"
    c.group(draw, transform=place)


def _blade(c: Canvas) -> None:
    d = "M-30 -58C-84 -70 -100 -110 -100 -170C-100 -270 -56 -350 0 -404"
    d += "C56 -350 100 -270 100 -170C100 -110 84 -70 30 -58Z"
    shadow_below(c, d, 24, 0.42)
    stops = [(0, lighter(STEEL, 0.7)), (0.3, darker(STEEL, 0.2))]
    stops += [(0.5, darker(STEEL, 0.36)), (0.72, lighter(STEEL, 0.2)), (1, "#ffffff")]
    c.path(d, c.linear(stops, -100, 0, 100, 0))
    gully = "M0 -76C-34 -130 -30 -260 0 -360C30 -260 34 -130 0 -76Z"
    c.path(gully, INK, opacity=0.2, filter=c.blur(10))
    c.path(d, stroke="#ffffff", stroke_width=3, opacity=0.7)
    marks = "".join(f"M-12 {y}H12" for y in (-150, -190, -230, -270))
    c.line(marks, darker(STEEL, 0.55), 4, opacity=0.7)


def plant_stand(c: Canvas, p: Palette) -> None:
    shadow(c, MIDDLE, 756, 170, 0.5)
    for angle, long, wide in (
        *((-30, 300, 30), (30, 300, 30), (-17, 380, 34), (18, 366, 34)),
        *((-6, 430, 36), (8, 410, 34), (-22, 250, 28), (24, 240, 28), (0, 320, 32)),
    ):
        _sword(c, MIDDLE + angle * 2.4, 470, angle, long, wide)
    tube(c, "M480 470V748", 26, p.detail)
    ring = f"A192 {192 * 0.17:.1f} 0 0"
    c.line(f"M288 630{ring} 1 672 630", p.detail, 18)
    body = [(440, 168), (480, 170), (560, 162), (618, 140)]
    turned(c, body, STONEWARE)
    c.line(f"M312 440{ring} 0 648 440", lighter(STONEWARE, 0.6), 6)
    tube(c, f"M288 630{ring} 0 672 630", 22, p.body)
    for side in (-1, 1):
        x = MIDDLE + side * 178
        tube(c, f"M{x} 470L{x + side * 34} 772", 32, p.body)
        c.ellipse(x, 468, 15, 6, p.second)


def _sword(c: Canvas, x, y, angle, long, wide) -> None:
    leaf(c, x, y, angle, long, wide, DEEP_LEAF, False)
    turn = f"translate({x} {y}) rotate({angle})"
    edge = f"M0 0C{-wide} {-long * 0.3} {-wide * 0.8} {-long * 0.75} 0 {-long}"
    edge += f"C{wide * 0.8} {-long * 0.75} {wide} {-long * 0.3} 0 0"
    c.line(edge, "#d9cf8a", 4, opacity=0.8, transform=turn)
    for share in (0.3, 0.45, 0.6, 0.75):
        mark = f"M-14 {-long * share}q7 -9 14 0t14 0"
        c.line(mark, lighter(DEEP_LEAF, 0.4), 4, opacity=0.4, transform=turn)


def hanging_planter(c: Canvas, p: Palette) -> None:
    c.ellipse(560, 560, 190, 230, INK, opacity=0.13, filter=c.blur(30))
    shadow(c, 510, 850, 140, 0.16)
    rope = darker(STONEWARE, 0.1)
    c.line("M480 0V96", darker(p.second, 0.1), 9)
    c.line(f"M486 120L{MIDDLE + 6} 440", darker(rope, 0.25), 8)
    for angle in (-84, -60, -30, 4, 32, 62, 86):
        leaf(c, MIDDLE + angle * 0.8, 456, angle, 150, 50, DEEP_LEAF)
    body = [(440, 212), (510, 222), (600, 200), (670, 140), (694, 96)]
    d = turned(c, body, p.body)
    speckle(c, d, p.detail, 260, 440, 440, 260)
    mouth(c, 440, 212, p.body, fill=(0.95, SOIL))
    for x in (274, 686):
        tube(c, f"M480 110L{x} 448", 12, rope)
        c.ellipse(x, 450, 11, 13, p.second)
    c.ellipse(480, 100, 24, 24, stroke=BRASS, stroke_width=11)
    _foliage(c)


def _foliage(c: Canvas) -> None:
    for angle in (-66, -40, -14, 16, 44, 68):
        leaf(c, MIDDLE + angle * 2, 456, angle, 128, 46, LEAF)
    for x, long, sway in (
        (300, 330, -40),
        (352, 170, 10),
        (628, 210, 16),
        (668, 370, 34),
    ):
        _trail(c, x, 452, long, sway)


# A vine that hangs over the rim.
def _trail(c: Canvas, x, y, long, sway) -> None:
    count = round(long / 44)
    spots = [
        (x + sway * i / count + 9 * sin(i * 1.9), y + long * i / count)
        for i in range(count + 1)
    ]
    c.line(smooth(spots), darker(LEAF, 0.3), 6)
    for i, (at_x, at_y) in enumerate(spots):
        side = -1 if i % 2 else 1
        size = 74 - i * 4
        colour = mix(LEAF, "#a9bf6a", (i * 0.37) % 0.5)
        leaf(c, at_x, at_y, side * (118 + i * 3), size, size * 0.5, colour)


def herb_box(c: Canvas, p: Palette) -> None:
    grounded(c, 150, 810, 764)
    _chives(c, 676, p)
    _thyme(c, 480, p)
    _basil(c, 280, p)
    cedar = mix(p.second, "#b5763f", 0.65)
    front = box(150, 560, 660, 204, 8)
    shade = [(0, lighter(cedar, 0.3)), (0.5, cedar), (1, darker(cedar, 0.3))]
    c.path(front, c.linear(shade, 150, 560, 810, 764))
    wood_grain(c, front, darker(cedar, 0.5), 150, 560, 660, 100)
    wood_grain(c, front, darker(cedar, 0.5), 150, 664, 660, 100)
    c.line("M152 662H808", darker(cedar, 0.55), 5, opacity=0.6)
    c.rect(142, 544, 676, 24, c.linear([(0, "#ffffff"), (1, STEEL)], y1=540, y2=568))
    for x in (172, 788):
        for y in (610, 712):
            c.ellipse(x, y, 6, 6, darker(STEEL, 0.3))
    for x, word in ((280, 64), (480, 74), (676, 58)):
        c.path(box(x - 56, 634, 112, 52, 6), INK, opacity=0.25, filter=c.blur(4))
        c.path(box(x - 58, 630, 112, 52, 6), STONEWARE)
        c.line(f"M{x - word / 2} 656h{word - 8}", p.detail, 7)


def _basil(c: Canvas, x, p: Palette) -> None:
    for tip, height in ((-84, 110), (-40, 190), (24, 230), (84, 160), (106, 80)):
        c.line(f"M{x + tip * 0.3} 556L{x + tip} {556 - height}", p.detail, 7)
    for i, (tip, height) in enumerate(
        [(-92, 96), (104, 84), (-48, 170), (82, 150), (20, 214), (-6, 96), (50, 50)]
        + [(-62, 30)]
    ):
        tone = mix(lighter(p.body, 0.12), "#9bbf5c", i * 0.618 % 1 * 0.6)
        for angle in (-96, 96, -48, 52, 2):
            leaf(c, x + tip, 560 - height, angle, 92, 62, tone)


def _thyme(c: Canvas, x, p: Palette) -> None:
    colour = mix(p.body, "#8a9460", 0.45)
    for angle in (-44, -33, -22, -11, 0, 10, 21, 32, 44):
        long = 236 - abs(angle) * 1.6 + (angle * 7) % 30
        turn = f"translate({x + angle * 0.8} 560) rotate({angle * 0.8:.1f})"

        def draw() -> None:
            c.line(f"M0 0V{-long}", "#7a5a45", 4)
            for i in range(int(long / 17)):
                y, size = -24 - i * 16, 15 - i * 0.35
                for side in (-1, 1):
                    tone = lighter(colour, 0.3) if side < 0 else darker(colour, 0.12)
                    c.ellipse(side * size * 0.8, y, size, 6.5, tone)

        c.group(draw, transform=turn)


def _chives(c: Canvas, x, p: Palette) -> None:
    for i in range(22):
        lean = (i * 0.618 % 1 - 0.5) * 2
        long = 250 + (i * 0.755 % 1) * 130 - abs(lean) * 70
        blade = f"M{x + lean * 56:.0f} 560q{lean * 10:.0f} {-long * 0.6:.0f} "
        blade += f"{lean * 64:.0f} {-long:.0f}"
        tone = mix(darker(p.body, 0.2), lighter(p.body, 0.4), i * 0.37 % 1)
        c.line(blade, tone, 8)
        if i % 6 == 1:
            top_x, top_y = x + lean * 120, 560 - long
            c.ellipse(top_x, top_y, 25, 23, "#a58bc0")
            for turn in range(0, 360, 30):
                ray = (
                    f"M0 0L{21 * cos(radians(turn)):.0f} {20 * sin(radians(turn)):.0f}"
                )
                place = f"translate({top_x:.0f} {top_y:.0f})"
                c.line(ray, "#cdb9de", 4, transform=place)


def secateurs(c: Canvas, p: Palette) -> None:
    table_from_above(c, LAWN)
    c.group(
        lambda: _pruner(c, p), transform="translate(460 420) rotate(34) scale(1.12)"
    )


def _pruner(c: Canvas, p: Palette) -> None:
    left = "M14 -6C-40 60 -96 150 -104 250C-108 320 -96 380 -76 426"
    right = "M-14 -6C40 60 96 150 104 250C108 320 92 370 74 404"
    blade = "M-34 40C-74 -60 -64 -190 34 -296C60 -200 66 -80 30 34Z"
    hook = "M22 46C78 10 112 -70 96 -196C90 -220 74 -224 68 -204C72 -120 50 -40 -24 18Z"
    for line in (left, right):
        c.line(line, INK, 56, **_cast(c))
    for d in (blade, hook):
        shadow_below(c, d, 22, 0.36)
    tube(c, "M-56 150q28 -24 56 0t56 0", 12, STEEL, metal=True)
    dim = [(0, lighter(STEEL, 0.2)), (1, darker(STEEL, 0.5))]
    c.path(hook, c.linear(dim, 40, -200, 100, 40))
    _handle(c, left, p)
    lit = [(0, "#ffffff"), (0.4, STEEL), (0.75, darker(STEEL, 0.3)), (1, STEEL)]
    c.path(blade, c.linear(lit, -70, -100, 66, -60))
    c.line("M34 -294C-62 -190 -72 -60 -34 38", "#ffffff", 5, opacity=0.8)
    c.line("M20 -250C48 -190 52 -80 24 20", darker(STEEL, 0.4), 3, opacity=0.6)
    _handle(c, right, p)
    c.ellipse(2, 4, 34, 34, darker(STEEL, 0.4))
    c.ellipse(0, 0, 32, 32, round_paint(c, STEEL, 0, 32, True))
    c.ellipse(0, 0, 14, 14, BRASS)
    c.line("M-8 5L8 -5", darker(BRASS, 0.6), 4)


def _cast(c: Canvas) -> dict:
    return {"opacity": 0.36, "filter": c.blur(14), "transform": "translate(30 6)"}


def _handle(c: Canvas, d: str, p: Palette) -> None:
    c.line(d, darker(STEEL, 0.4), 44)
    c.line(d, STEEL, 34, transform="translate(-3 -2)")
    long = {"stroke_dasharray": "360 900", "stroke_dashoffset": -120}
    c.line(d, darker(p.body, 0.4), 60, **long)
    c.line(d, p.body, 48, transform="translate(-4 -3)", **long)
    c.line(d, lighter(p.body, 0.5), 9, transform="translate(-14 -6)", **long)


def terracotta_pots(c: Canvas, p: Palette) -> None:
    for x, top, r, low in (
        (620, 330, 168, 724),
        (290, 470, 128, 742),
        (486, 590, 92, 792),
    ):
        shadow(c, x, low, r * 0.92, 0.55)
        turned(c, [(low - 22, r * 0.94), (low, r * 0.8)], darker(p.body, 0.06), x)
        level(c, low - 22, r * 0.94, darker(p.body, 0.25), x)
        pot(c, top, r, p.body, low - 14, x)


def garden_gloves(c: Canvas, p: Palette) -> None:
    table_from_above(c, LAWN)
    places = (
        "translate(370 480) rotate(-16)",
        "translate(620 510) rotate(14) scale(-1 1)",
    )
    for place in places:
        c.group(lambda: _glove(c, p), transform=f"{place} scale(1.08)")


FINGERS = (
    *(("M-66 -40L-104 -214", 58), ("M-22 -50L-36 -276", 60)),
    *(("M24 -50L38 -266", 60), ("M68 -36L106 -196", 54)),
    ("M-70 100C-110 70 -150 30 -178 -38", 62),
)


def _glove(c: Canvas, p: Palette) -> None:
    palm = "M-98 -60H98C104 30 100 100 86 160H-82C-98 100 -104 30 -98 -60Z"
    cuff = "M-84 150H88C96 210 106 260 112 300H-108C-102 260 -92 210 -84 150Z"
    for d, wide in FINGERS:
        c.line(
            d, INK, wide, opacity=0.3, filter=c.blur(12), transform="translate(14 16)"
        )
    for d in (palm, cuff):
        shadow_below(c, d, 16, 0.34)
    _cuff(c, cuff, p)
    for grow, tone in ((5, darker(p.body, 0.28)), (0, p.body)):
        for d, wide in FINGERS:
            c.line(d, tone, wide + grow)
        c.line(palm, tone, grow + 12)
        c.path(palm, tone)
    for d, wide in FINGERS:
        c.line(d, lighter(p.body, 0.4), wide * 0.36, opacity=0.6, filter=c.blur(7))
    seams = "M-46 -60Q-44 0 -32 60M0 -66V64M46 -60Q44 0 32 60"
    c.line(seams, p.detail, 4, stroke_dasharray="9 8")
    c.line("M-78 110C-96 40 -96 0 -92 -40", p.detail, 4, opacity=0.5)


def _cuff(c: Canvas, d: str, p: Palette) -> None:
    shade = [(0, lighter(p.detail, 0.15)), (0.5, p.detail), (1, darker(p.detail, 0.3))]
    c.path(d, c.linear(shade, -110, 0, 112, 0))
    ribs = "".join(f"M{x * 0.86:.0f} 160L{x} 296" for x in range(-96, 110, 16))
    c.line(ribs, darker(p.detail, 0.4), 4, opacity=0.5)
    c.line("M-107 296H111", p.second, 12)


def bird_feeder(c: Canvas, p: Palette) -> None:
    c.path(box(330, 300, 420, 440, 20), INK, opacity=0.14, filter=c.blur(34))
    c.line("M480 0V190", "#8a6a4a", 9)
    glassy = c.linear([(0, "#ffffff", 0.4), (1, "#bcd0c8", 0.1)], 330, 330, 630, 660)
    c.rect(316, 330, 328, 344, darker(p.body, 0.35))
    c.rect(340, 340, 280, 330, lighter(LAWN, 0.4))
    _seeds(c)
    c.rect(340, 340, 280, 330, glassy)
    c.path("M360 352H430L350 560V360Z", "#ffffff", opacity=0.4)
    for x in (316, 614, 468):
        block(c, x, 320, 30 if x != 468 else 22, 354, 2, p.body, 3)
    block(c, 196, 664, 568, 56, 92, p.body, 8, p.detail)
    c.path(_grains(260, 628, 430, 30, 60), "#c99b55")
    for side in (-1, 1):
        _roof_half(c, side, p)
    c.ellipse(480, 182, 20, 20, stroke=BRASS, stroke_width=9)
    _bird(c, 268, 590)


def _seeds(c: Canvas) -> None:
    heap = "M340 470C400 440 440 500 500 476S580 450 620 474V672H340Z"
    c.path(heap, c.linear([(0, "#d9b06a"), (1, "#94682f")], y1=460, y2=672))
    for colour, start in (("#f0d596", 0.1), ("#6d4a22", 0.5), ("#3d2c1c", 0.8)):
        grains = _grains(340 + start * 9, 480 + start * 9, 280, 190, 70)
        c.path(grains, colour, opacity=0.8, clip_path=c.clip(heap))


def _grains(x, y, width, height, count) -> str:
    spots = ((i * 0.7548777 % 1, i * 0.5698403 % 1) for i in range(count))
    return "".join(disc(x + a * width, y + b * height, 7, 4.5) for a, b in spots)


def _roof_half(c: Canvas, side: int, p: Palette) -> None:
    def at(x: float, y: float) -> tuple:
        return MIDDLE + side * x, y

    tone = lighter(p.body, 0.2) if side < 0 else darker(p.body, 0.22)
    slope = polygon(at(0, 196), at(300, 372), at(300, 406), at(0, 236))
    if side < 0:
        gable = polygon(at(0, 230), at(-200, 350), at(200, 350))
        c.path(gable, darker(p.body, 0.15))
        c.ellipse(MIDDLE, 304, 22, 22, darker(p.body, 0.6))
    c.path(slope, INK, opacity=0.4, filter=c.blur(7), transform="translate(4 12)")
    c.path(slope, tone)
    c.line(f"M{MIDDLE} 197L{MIDDLE + side * 299} 373", lighter(p.second, 0.2), 6)
    for share in (0.33, 0.66):
        x, y = at(300 * share, 196 + 176 * share)
        c.line(f"M{x} {y + 4}v32", darker(p.body, 0.5), 3, opacity=0.5)


# A robin that has landed and looks to the right.
def _bird(c: Canvas, x, y) -> None:
    back, shade = "#7d6a55", INK
    c.ellipse(x + 8, y + 66, 56, 9, shade, opacity=0.4, filter=c.blur(5))
    c.line(f"M{x - 4} {y + 40}v26M{x + 16} {y + 40}v26", "#4a3a30", 5)
    c.path(
        f"M{x - 50} {y + 10}L{x - 128} {y + 44}L{x - 108} {y + 58}L{x - 34} {y + 44}Z",
        back,
    )
    body = f"M{x - 66} {y + 20}C{x - 60} {y - 40} {x - 12} {y - 56} {x - 4} {y - 70}"
    body += f"C{x + 16} {y - 108} {x + 74} {y - 92} {x + 72} {y - 48}"
    body += f"C{x + 80} {y + 30} {x + 20} {y + 56} {x - 20} {y + 54}Z"
    c.path(
        body, c.linear([(0, lighter(back)), (1, back)], x - 40, y - 60, x + 20, y + 50)
    )
    clip = c.clip(body)
    c.ellipse(x + 62, y - 26, 50, 56, ROBIN, clip_path=clip)
    c.ellipse(x + 26, y + 52, 46, 34, WARM_LIGHT, clip_path=clip, opacity=0.9)
    _wing_and_head(c, x, y, darker(back))


def _wing_and_head(c: Canvas, x, y, colour) -> None:
    wing = f"M{x - 84} {y + 32}C{x - 40} {y - 34} {x + 6} {y - 28} {x + 14} {y + 4}"
    c.path(wing + f"C{x - 6} {y + 34} {x - 40} {y + 40} {x - 84} {y + 32}Z", colour)
    c.path(f"M{x + 68} {y - 64}l30 10l-30 8Z", "#3a3128")
    c.ellipse(x + 46, y - 66, 7, 7, INK)
    c.ellipse(x + 44, y - 68, 2.2, 2.2, "#ffffff")


SHAPES = (
    potted_monstera,
    succulent_pot,
    watering_can,
    trowel,
    plant_stand,
    hanging_planter,
    herb_box,
    secateurs,
    terracotta_pots,
    garden_gloves,
    bird_feeder,
)


# Primitives.


# A flower pot with a collar, filled with earth.
def pot(c: Canvas, top, r, colour, low, x=MIDDLE) -> None:
    collar = (low - top) * 0.24
    wall = [(top + collar - 4, r * 0.9), (low, r * 0.66)]
    d = turned(c, wall, colour, x, gloss=0.16, sharp=True)
    bloom = f"M{x - r} {low - 30}q{r * 0.5} -60 {r} -24t{r} -20v90h{-2 * r}Z"
    c.path(bloom, "#ffffff", opacity=0.2, filter=c.blur(9), clip_path=c.clip(d))
    dark = profile([(top + collar, r * 0.9), (top + collar + 16, r * 0.88)], x)
    c.path(dark, INK, opacity=0.3, filter=c.blur(4), clip_path=c.clip(d))
    turned(c, [(top, r), (top + collar, r * 0.95)], colour, x, gloss=0.16, sharp=True)
    mouth(c, top, r, colour, x, lip=0.09, fill=(0.85, SOIL))

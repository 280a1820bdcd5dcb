"""Kitchen tools: on a counter, or on a table top, of soft grey-blue."""

import math

from .colour import Palette, darker, lighter, mix
from .solids import (
    box,
    disc,
    flat,
    leaf,
    level,
    mouth,
    polygon,
    profile,
    rod_flat,
    rod_shadow,
    round_paint,
    smooth,
    stand,
    tube,
    turned,
    wood_grain,
)
from .studio import (
    FLOOR,
    MIDDLE,
    TILT,
    Canvas,
    counter,
    shadow,
    shadow_below,
    table_from_above,
)

WALL = "#aab9c6"
STEEL = "#b9c0c4"
LAID = "rotate(-38 480 480)"  # how long tools lie across the table


def backdrop(c: Canvas) -> None:
    counter(c, WALL, "#c6ccd0")


def frying_pan(c: Canvas, p: Palette) -> None:
    x, y, r, tilt = 390, 600, 292, 0.3
    shadow(c, x, FLOOR - 16, 262, 0.55)
    tube(c, f"M{x + r - 20} {y + 24}C740 610 760 596 800 580", 34, STEEL, metal=True)
    tube(c, "M790 584L902 540", 44, p.second)
    c.ellipse(898, 538, 7, 5, darker(p.second, 0.6))
    turned(c, [(y, r), (y + 40, r - 12), (686, 232)], p.body, x, tilt, gloss=0.22)
    mouth(c, y, r, p.body, x, lip=0.03, tilt=tilt, inside=p.body)
    base, deep = 226, tilt * 0.94
    hot = mix(p.body, "#26262b", 0.55)
    stops = [(0, darker(hot, 0.25)), (1, lighter(hot, 0.16))]
    c.ellipse(x, y + 22, base, base * deep, c.linear(stops, x - base, 0, x + base, 0))
    fried_egg(c, x - 20, y + 18)
    leaf(c, x + 130, y + 36, 60, 50, 12, "#6f9a58")
    leaf(c, x + 132, y + 34, 10, 42, 12, "#7ca363")


def fried_egg(c: Canvas, x: float, y: float) -> None:
    around = ((-120, 4), (-78, -32), (-10, -38), (60, -44), (118, -14), (96, 22))
    edge = [(x + a, y + b) for a, b in (*around, (40, 44), (-30, 34), (-84, 38))]
    c.path(smooth(edge, closed=True), "#c98f4b", transform="translate(2 5)")
    white = [(0, "#ffffff"), (1, "#e9e4d8")]
    c.path(smooth(edge, closed=True), c.linear(white, x - 120, y, x + 120, y + 30))
    c.ellipse(x + 10, y + 3, 46, 24, "#d98a1e")
    yolk = [(0, "#ffe08a"), (0.5, "#f6b52f"), (1, "#df9222")]
    c.ellipse(x + 9, y - 3, 46, 25, c.radial(yolk, x - 6, y - 10, 60, 0.55))
    c.ellipse(x - 8, y - 12, 12, 5, "#fff", opacity=0.8)


def saucepan(c: Canvas, p: Palette) -> None:
    x, r = 390, 208
    shadow(c, x, FLOOR, r * 0.98, 0.5)
    tube(c, "M590 520C660 512 690 500 720 490", 30, STEEL, metal=True)
    tube(c, "M716 492L884 440", 42, p.second)
    c.ellipse(880, 439, 8, 6, darker(p.second, 0.6))
    turned(c, [(462, r), (690, r), (724, r - 6), (FLOOR, r - 26)], p.body, x, gloss=0.5)
    for spot in (502, 538):
        c.ellipse(x + 186, spot, 7, 8, lighter(STEEL, 0.5))
    rolled = [(452, r + 6), (462, r + 10), (474, r + 4)]
    turned(c, rolled, STEEL, x, metal=True, gloss=0)
    lid = [(392, 44), (406, 130), (430, 186), (454, r + 2)]
    turned(c, lid, mix(p.body, STEEL, 0.15), x, gloss=0.4)
    turned(c, [(368, 14), (396, 20)], STEEL, x, metal=True)
    turned(c, [(330, 34), (346, 44), (364, 36), (374, 16)], p.second, x)
    level(c, 330, 34, p.second, x)


def chopping_board(c: Canvas, p: Palette) -> None:
    shadow(c, 470, 706, 236, 0.5)
    body = "M264 372C264 342 286 326 312 326H408C424 326 428 312 428 296V206"
    body += "C428 130 532 130 532 206V296C532 312 536 326 552 326H648C674 326 696 342"
    body += " 696 372V676C696 704 680 718 654 718H306C280 718 264 704 264 676Z"
    hole = disc(480, 206, 22)
    c.path(body, darker(p.body, 0.45), transform="translate(14 4)")
    light = [(0, lighter(p.body, 0.35)), (0.5, p.body), (1, darker(p.body, 0.2))]
    c.path(body, c.linear(light, 264, 150, 700, 720))
    wood_grain(c, body, p.detail, 264, 150, 440, 570)
    c.path(body, stroke=lighter(p.body, 0.6), stroke_width=3, opacity=0.6)
    c.path(hole, darker(p.body, 0.6))
    c.path(hole, lighter(WALL, 0.1), transform="translate(4 3) scale(.99)")
    c.path(box(306, 372, 350, 300, 26), stroke=darker(p.body), stroke_width=3)
    lemon(c, 610, 728, 62)
    sprig(c, 262, 782, 396, 716)


def sprig(c: Canvas, x1, y1, x2, y2) -> None:
    rod_shadow(c, f"M{x1} {y1 - 6}L{x2} {y2 + 10}", 46, 10, 0.3)
    tube(c, f"M{x1} {y1}L{x2} {y2}", 8, "#5f8a55")
    for share, long in ((0.35, 78), (0.65, 74), (0.92, 56)):
        x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
        for angle in (-8, 118):
            leaf(c, x, y, angle, long, 34, "#6b9a58")
    leaf(c, x2, y2, 58, 70, 32, "#6b9a58")


def lemon(c: Canvas, x: float, y: float, r: float) -> None:
    shadow(c, x + 70, y + r * 0.7, r * 1.5, 0.45)
    whole = [(x + 20, y), (x + 60, y - r), (x + 140, y - r * 0.9), (x + 192, y - 12)]
    whole += [(x + 206, y), (x + 188, y + 18), (x + 130, y + r * 0.72), (x + 60, y + r)]
    skin = [(0, "#fff0a0"), (0.45, "#efc744"), (1, "#b98a1f")]
    paint = c.radial(skin, x + 84, y - 34, 160)
    c.path(smooth(whole, closed=True), paint)
    c.ellipse(x + 4, y + 3, r, r * 0.96, "#d9ab30")
    c.ellipse(x, y, r, r * 0.96, "#f3d35b")
    c.ellipse(x, y, r * 0.88, r * 0.84, "#fdf6d6")
    wedge = f"M0 -6L{r * 0.28:.0f} {-r * 0.7:.0f}Q0 {-r * 0.92:.0f} {-r * 0.28:.0f} "
    for i in range(8):
        turn = f"translate({x} {y}) rotate({i * 45})"
        c.path(wedge + f"{-r * 0.7:.0f}Z", "#f4dd7c", transform=turn)


def knife(c: Canvas, p: Palette) -> None:
    table_from_above(c, WALL)
    blade = "M566 424L330 430C220 434 130 470 62 520C200 540 380 546 538 544L566 540Z"
    handle = "M548 420H600C700 414 790 420 866 432C900 440 904 480 884 516"
    handle += "C868 526 850 512 830 500C760 486 680 486 604 492L566 500L548 500Z"
    shadow_below(c, blade, 14, transform=LAID)
    shadow_below(c, handle, 18, transform=LAID)

    def draw() -> None:
        steel = [(0, "#8d969c"), (0.3, "#dfe5e8"), (0.62, "#b5bec4"), (1, "#eef2f3")]
        c.path(blade, c.linear(steel, 0, 424, 0, 546))
        bevel = "M62 520C200 540 380 546 538 544L540 524C380 526 200 522 62 520Z"
        c.path(bevel, "#f7f9fa", opacity=0.85)
        c.path("M300 440L420 431L360 536L240 532Z", "#fff", opacity=0.3)
        wood = [(0, lighter(p.second, 0.4)), (0.4, p.second), (1, darker(p.second))]
        c.path(handle, c.linear(wood, 0, 416, 0, 520))
        wood_grain(c, handle, darker(p.second, 0.5), 560, 420, 330, 90)
        c.path(box(548, 418, 34, 84, 6), c.linear(steel, 0, 418, 0, 502))
        for x in (640, 726, 812):
            c.ellipse(x, 456, 10, fill="#e3e8ea", stroke="#6d757b", stroke_width=3)

    c.group(draw, transform=LAID)


def whisk(c: Canvas, p: Palette) -> None:
    table_from_above(c, WALL)
    bows = [bow(h) for h in (-150, -104, -54, 0, 54, 104, 150)]
    rod_shadow(c, "".join(_across(d) for d in bows), 8, 16, 0.26)
    rod_shadow(c, "M540 434L788 240", 46, 18)

    def draw() -> None:
        for d in bows:
            tube(c, d, 9, "#a8b1b7", metal=True)
        tube(c, "M566 480H872", 52, p.second)
        tube(c, "M600 480H640", 54, p.body)
        c.path(box(528, 452, 60, 56, 10), STEEL)
        steel = [(0, "#dfe5e8"), (0.4, "#f7f9fa"), (1, "#7d868c")]
        c.path(box(528, 452, 60, 56, 10), c.linear(steel, 0, 452, 0, 508))
        c.ellipse(872, 478, 9, fill=darker(p.second, 0.6))

    c.group(draw, transform=LAID)


def bow(h: float) -> str:
    return (
        f"M552 {480 + h * 0.1:.0f}C420 {480 + h * 0.5:.0f} 330 {480 + h * 1.2:.0f} "
        f"210 {480 + h}C120 {480 + h * 0.85:.0f} 62 {480 + h * 0.56:.0f} 62 480"
    )


def _across(d: str) -> str:
    turn = math.radians(-38)
    out, pair = "", []
    for word in d.replace("M", " M ").replace("C", " C ").split():
        if word in "MC":
            out += word
            continue
        pair.append(float(word) - MIDDLE)
        if len(pair) == 2:
            (x, y), pair = pair, []
            across = MIDDLE + x * math.cos(turn) - y * math.sin(turn)
            down = MIDDLE + x * math.sin(turn) + y * math.cos(turn)
            out += f"{across:.1f} {down:.1f} "
    return out


def rolling_pin(c: Canvas, p: Palette) -> None:
    table_from_above(c, WALL)
    c.ellipse(470, 500, 390, 330, "#fff", opacity=0.4, filter=c.blur(26))
    dough = [(150, 470), (240, 300), (420, 216), (620, 240), (770, 380), (790, 540)]
    dough += [(690, 700), (500, 774), (300, 744), (180, 640)]
    flat(c, smooth(dough, closed=True), "#efdcb8", 8, (160, 220, 800, 760))
    rod_shadow(c, "M110 690L850 286", 50, 24, 0.3)
    for ends in ("M100 688L260 600", "M700 360L862 272"):
        tube(c, ends, 46, p.second)
    rod_flat(c, 222, 622, 740, 338, 132, p.body, height=30)
    for x, y, squash in ((222, 622, 16), (740, 338, 16)):
        turn = f"rotate(-28.7 {x} {y})"
        edge = [(0, lighter(p.body, 0.3)), (1, darker(p.body, 0.35))]
        paint = c.linear(edge, 0, y - 66, 0, y + 66)
        c.ellipse(x, y, squash, 66, paint, transform=turn)
    for shift in (-30, -6, 22):
        d = f"M236 {616 + shift}L730 {344 + shift}"
        c.line(d, p.detail, 2.5, opacity=0.22)
    flour = "".join(disc(x, y, 46, 24) for x, y in ((250, 300), (720, 720), (420, 280)))
    c.path(flour, "#fff", opacity=0.5, filter=c.blur(10))


def pepper_mill(c: Canvas, p: Palette) -> None:
    stand(c, 112)
    base = [(330, 78), (352, 86), (400, 66), (470, 58), (560, 74), (650, 108)]
    turned(c, [*base, (712, 120), (FLOOR, 112)], p.body, gloss=0.4)
    turned(c, [(322, 80), (338, 84), (348, 80)], STEEL, metal=True, gloss=0)
    cap = [(158, 30), (176, 74), (216, 96), (260, 90), (296, 66), (324, 74)]
    turned(c, cap, p.body, gloss=0.4)
    turned(
        c, [(108, 10), (116, 26), (134, 30), (150, 20), (166, 16)], STEEL, metal=True
    )
    for y, r in ((664, 111), (680, 115)):
        d = f"M{MIDDLE - r} {y}A{r} {r * TILT:.1f} 0 0 0 {MIDDLE + r} {y}"
        c.line(d, darker(p.body, 0.4), 4, opacity=0.6)
    peppercorns(c)


def peppercorns(c: Canvas) -> None:
    for x, y in (
        (668, 762),
        (706, 784),
        (640, 792),
        (300, 790),
        (738, 756),
        (690, 808),
    ):
        shadow(c, x, y + 8, 11, 0.5)
        c.ellipse(x, y, 12, 11, "#2e2724")
        c.ellipse(x - 4, y - 4, 4, 3, "#8d7d70", opacity=0.8)


def colander(c: Canvas, p: Palette) -> None:
    stand(c, 150)
    for side in (-1, 1):
        x = MIDDLE + side * 286
        hoop = f"M{x} 452C{x + side * 110} 440 {x + side * 100} 540 {x - side * 10} 528"
        tube(c, hoop, 26, p.second)
    turned(c, [(700, 128), (FLOOR, 146)], p.body, gloss=0.1)
    body = [(440, 300), (520, 288), (600, 240), (668, 170), (712, 124)]
    mouth(c, 440, 300, p.body, lip=0.03, inside=darker(p.body, 0.1))
    for x, y in (
        (300, 430),
        (390, 416),
        (486, 406),
        (580, 418),
        (664, 432),
        (440, 440),
    ):
        tomato(c, x, y, 54)
    tomato(c, 540, 442, 56)
    front_of_colander(c, body, p)


def front_of_colander(c: Canvas, body: list[tuple], p: Palette) -> None:
    front = profile(body, open_top=True)
    tone = round_paint(c, p.body, MIDDLE, 300)
    c.path(front, tone)
    c.path(front, c.linear([(0.4, "#000", 0), (1, "#000", 0.2)], 0, 440, 0, 730))
    holes(c, p.body)
    rim = "M180 440A300 51 0 0 0 780 440"
    c.line(rim, darker(p.body, 0.15), 12)
    c.line(rim, lighter(p.body, 0.5), 6, transform="translate(0 -3)")


def holes(c: Canvas, colour: str) -> None:
    for row, (y, r) in enumerate(((506, 290), (552, 270), (596, 243), (640, 202))):
        for i in range(-6, 7):
            turn = math.radians(i * 13 + (row % 2) * 6.5)
            x, down = MIDDLE + r * math.sin(turn), y + r * TILT * math.cos(turn) * 0.8
            wide = 10 * math.cos(turn)
            if wide > 2.5:
                c.ellipse(x, down, wide, 10, darker(colour, 0.66))
                c.ellipse(x, down + 3, wide * 0.9, 8, darker(colour, 0.45))


def tomato(c: Canvas, x: float, y: float, r: float) -> None:
    skin = [(0, "#f7a58a"), (0.3, "#dc5a41"), (1, "#8f2a22")]
    c.ellipse(x, y, r, fill=c.radial(skin, x - r * 0.3, y - r * 0.35, r * 1.35))
    for turn in range(5):
        leaf(c, x + 6, y - r * 0.7, turn * 72 - 30, 22, 6, "#5f8a55", vein=False)


def kitchen_scale(c: Canvas, p: Palette) -> None:
    stand(c, 230, FLOOR - 2)
    for x in (290, 670):
        c.rect(x - 26, 738, 52, 22, darker(p.detail, 0.5), round=8)
    turned(c, [(398, 34), (470, 40)], STEEL, metal=True)
    case = "M330 462H630C654 462 664 474 668 494L706 714C710 738 700 748 680 748H280"
    case += "C260 748 250 738 254 714L292 494C296 474 306 462 330 462Z"
    paint = [(0, lighter(p.body, 0.4)), (0.45, p.body), (1, darker(p.body, 0.3))]
    c.path(case, c.linear(paint, 260, 460, 700, 750))
    c.line("M330 466H630", lighter(p.body, 0.7), 5, opacity=0.7)
    dial(c, MIDDLE, 608, 116, p)
    turned(c, [(330, 290), (352, 278), (392, 200), (408, 110)], p.second, gloss=0.3)
    mouth(c, 330, 290, p.second, lip=0.03, inside=p.second)


def dial(c: Canvas, x: float, y: float, r: float, p: Palette) -> None:
    c.ellipse(x + 3, y + 5, r + 10, fill=darker(p.body, 0.45), opacity=0.7)
    c.ellipse(x, y, r + 8, fill=STEEL)
    c.ellipse(x, y, r, fill="#faf6ec")
    for i in range(40):
        turn = math.radians(i * 9)
        inner = r * (0.78 if i % 5 == 0 else 0.86)
        across, up = math.sin(turn), math.cos(turn)
        d = f"M{x + inner * across:.1f} {y - inner * up:.1f}"
        d += f"L{x + r * 0.92 * across:.1f} {y - r * 0.92 * up:.1f}"
        c.line(d, "#3a3a40", 4 if i % 5 == 0 else 2)
    c.line(f"M{x - 14} {y + 26}L{x + 40} {y - 74}", "#c0483a", 6)
    c.ellipse(x, y, 13, fill="#3a3a40")
    c.path(f"M{x - r * 0.8} {y - r * 0.5}A{r} {r} 0 0 1 {x} {y - r * 0.94}", "#fff")


def moka_pot(c: Canvas, p: Palette) -> None:
    stand(c, 150)
    tube(c, "M574 316C640 300 700 320 704 360C708 420 690 480 668 520", 38, p.second)
    faceted(c, [(566, 112), (FLOOR, 164)], p.body)
    c.ellipse(400, 664, 15, 18, darker(p.body, 0.35))
    c.ellipse(398, 662, 11, 14, lighter(p.body, 0.6))
    turned(c, [(528, 104), (550, 118), (574, 116)], p.body, metal=True, gloss=0)
    spout = "M372 300L286 284L392 408Z"
    light = [(0, lighter(p.body, 0.8)), (1, darker(p.body, 0.25))]
    c.path(spout, c.linear(light, 286, 284, 380, 400))
    faceted(c, [(288, 146), (540, 96)], p.body)
    faceted(c, [(232, 34), (288, 150)], lighter(p.body, 0.1))
    c.line("M340 303Q480 332 620 303", lighter(p.body, 0.85), 4, opacity=0.8)
    c.path(box(560, 288, 46, 24, 8), darker(p.body, 0.4))
    turned(c, [(206, 12), (238, 16)], p.second)
    turned(c, [(168, 24), (184, 32), (206, 18), (216, 14)], p.second)


def faceted(c: Canvas, points: list[tuple], colour: str, x=MIDDLE, sides=10) -> None:
    (y1, r1), (y2, r2) = points
    tones = (lighter(colour, 0.2), lighter(colour, 0.6), colour)
    tones += (darker(colour, 0.3), darker(colour, 0.08))
    for i in range(sides // 2):
        a, b = (math.pi * k / (sides // 2) for k in (i, i + 1))
        corners = [
            (x - r * math.cos(turn), y + r * TILT * math.sin(turn) * 0.8)
            for y, r, turn in ((y1, r1, a), (y1, r1, b), (y2, r2, b), (y2, r2, a))
        ]
        tone = tones[i % len(tones)]
        stops = [(0, lighter(tone, 0.12)), (1, darker(tone, 0.18))]
        c.path(polygon(*corners), c.linear(stops, 0, y1, 0, y2))
        c.line(polygon(*corners), lighter(colour, 0.5), 1.5, opacity=0.35)


def apron(c: Canvas, p: Palette) -> None:
    table_from_above(c, WALL)
    body = (
        "M370 250H590C596 330 630 384 706 412C716 560 722 700 726 838C560 862 400 862"
    )
    body += " 234 838C238 700 244 560 254 412C330 384 364 330 370 250Z"
    apron_strings(c, p)
    flat(c, body, p.body, 16, (240, 250, 720, 860))
    for x, bend in ((318, -14), (400, 8), (580, -6), (650, 16)):
        fold = f"M{x} 850C{x + bend} 740 {x + bend * 2} 600 {x + bend} 470"
        c.line(fold, darker(p.body), 20, opacity=0.22, filter=c.blur(9))
        c.line(fold, "#fff", 9, opacity=0.16, filter=c.blur(6))
    pocket(c, p)
    hem = "M252 824C400 844 560 844 708 824M376 264H584"
    dashes = {"stroke_dasharray": "9 7", "opacity": 0.7}
    c.line(hem, lighter(p.body, 0.6), 3, **dashes)
    c.ellipse(484, 92, 24, fill=darker(WALL, 0.4), opacity=0.4, filter=c.blur(5))
    knob = [(0, lighter(p.detail, 0.6)), (1, darker(p.detail, 0.2))]
    c.ellipse(480, 86, 22, fill=c.radial(knob, 472, 78, 34))


def apron_strings(c: Canvas, p: Palette) -> None:
    strap = "M386 262C380 150 440 96 480 96C520 96 580 150 574 262"
    rod_shadow(c, strap, 18, 14, 0.25)
    tube(c, strap, 20, p.second)
    for side in (-1, 1):
        x = MIDDLE + side * 222
        tie = f"M{x} 424C{x + side * 70} 440 {x + side * 40} 520 {x + side * 66} 640"
        rod_shadow(c, tie, 16, 12, 0.25)
        tube(c, tie, 17, p.second)


def spoon(c: Canvas) -> None:
    rod_shadow(c, "M560 600V452", 20, 8, 0.3)
    c.line("M560 600V470", "#8a5f35", 15)
    c.line("M559 600V470", "#c79a63", 10)
    c.ellipse(560, 452, 24, 34, "#b98653")
    c.ellipse(557, 450, 17, 26, "#d3a873")


def pocket(c: Canvas, p: Palette) -> None:
    d = box(352, 540, 256, 176, 20)
    spoon(c)
    shadow_below(c, d, 5, 0.2)
    tone = mix(p.body, p.second, 0.18)
    paint = [(0, lighter(tone, 0.14)), (1, darker(tone, 0.1))]
    c.path(d, c.linear(paint, 352, 540, 608, 716))
    seam = "M366 556H594M366 556V700H594V556M480 556V700"
    c.line(seam, lighter(p.body, 0.6), 3, stroke_dasharray="9 7", opacity=0.7)


SHAPES = (
    frying_pan,
    saucepan,
    chopping_board,
    knife,
    whisk,
    rolling_pin,
    pepper_mill,
    colander,
    kitchen_scale,
    moka_pot,
    apron,
)

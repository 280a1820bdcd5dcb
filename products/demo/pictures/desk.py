"""Desk and study: paper, wood and small machines on muted ochre paper."""

from collections.abc import Callable
from math import cos, radians, sin

from .colour import INK, Palette, darker, lighter, mix
from .solids import (
    block,
    box,
    disc,
    mouth,
    polygon,
    profile,
    round_paint,
    smooth,
    speckle,
    stand,
    tube,
    turned,
    wood_grain,
)
from .studio import FLOOR, MIDDLE, Canvas, shadow, shadow_below, sweep, table_from_above

PAPER = "#cfb681"
CREAM = "#f7f0e0"
STEEL = "#b9c0c4"
GRAPHITE = "#33333a"
CORAL = "#b9553a"
CEDAR = "#dcb583"
SPINES = ("#7c8a5c", "#a5502f", "#e4d6b8", "#3f6f80", "#cf9d3d")


def backdrop(c: Canvas) -> None:
    sweep(c, PAPER)


def notebook(c: Canvas, p: Palette) -> None:
    table_from_above(c, PAPER)
    c.group(lambda: _closed_book(c, p), transform="rotate(-9 480 480)")


def _closed_book(c: Canvas, p: Palette) -> None:
    shadow_below(c, box(262, 156, 456, 662, 16), 22, 0.42)
    c.path("M470 790h34v104l-17 -20l-17 20Z", CORAL)
    c.path(box(262, 156, 456, 662, 16), darker(p.body, 0.4))
    c.path(box(258, 152, 452, 658, 6), darker(CREAM, 0.06))
    edges = "".join(f"M{x} 160V806" for x in (697, 701, 705))
    edges += "".join(f"M270 {y}H706" for y in (797, 801, 805))
    c.line(edges, darker(CREAM, 0.3), 1.4)
    face = [(0, lighter(p.body, 0.24)), (1, darker(p.body, 0.1))]
    c.path(box(250, 142, 442, 650, 16), c.linear(face, 250, 142, 692, 792))
    c.path(box(250, 142, 66, 650, 16), darker(p.body, 0.3), opacity=0.75)
    c.line("M317 144V790", lighter(p.body, 0.35), 2.5, opacity=0.6)
    c.line("M292 176V764", p.second, 6, stroke_dasharray="22 20")
    c.path(box(406, 253, 210, 138, 6), INK, opacity=0.25)
    c.path(box(404, 250, 208, 136, 6), p.second)
    c.line("M432 298H584M432 334H530", p.detail, 5, opacity=0.6)
    c.line("M646 143V791", darker(p.body, 0.5), 15)
    c.line("M643 145V789", lighter(p.body, 0.1), 3, opacity=0.6)


def pencil_pot(c: Canvas, p: Palette) -> None:
    stand(c, 140)

    def held() -> None:
        for x, angle, long, colour in (
            (404, -17, 300, p.detail),
            (450, -6, 372, SPINES[4]),
            (540, 10, 352, SPINES[3]),
            (572, 21, 288, p.second),
            (490, 2, 300, SPINES[0]),
            (436, -12, 232, CORAL),
        ):
            _pencil(c, x, 600, angle, long, colour)

    body = [(476, 158), (560, 161), (680, 156), (730, 146), (FLOOR, 134)]
    d = holding(c, body, p.body, held)
    speckle(c, d, p.detail, 320, 500, 320, 280)
    foot = profile([(664, 158), (700, 154), (730, 146), (FLOOR, 134)])
    c.path(foot, round_paint(c, p.second, MIDDLE, 158))


def _pencil(c: Canvas, x, y, angle, long, colour) -> None:
    def draw() -> None:
        tip = polygon((-18, -long), (-5, -long - 42), (5, -long - 42), (18, -long))
        c.path(tip, c.linear([(0, lighter(CEDAR)), (1, darker(CEDAR))], -18, 0, 18, 0))
        c.path(f"M-6 {-long - 40}L0 {-long - 60}L6 {-long - 40}Z", darker(colour, 0.45))
        for left, wide, paint in (
            (-18, 11, lighter(colour, 0.3)),
            (-7, 15, colour),
            (8, 10, darker(colour, 0.3)),
        ):
            top = f"a{wide / 2} 9 0 0 1 {wide} 0"
            c.path(f"M{left} 0V{-long}{top}V0Z", paint)

    c.group(draw, transform=f"translate({x} {y}) rotate({angle})")


def fountain_pen(c: Canvas, p: Palette) -> None:
    table_from_above(c, PAPER)
    flourish = "M180 640C150 706 250 742 320 700C366 664 330 630 306 668"
    flourish += "C276 728 350 776 450 752C540 728 590 742 650 770"
    c.line(flourish, p.body, 7, opacity=0.8)

    def draw() -> None:
        c.group(lambda: _pen(c, p), transform="translate(0 -44)")
        c.group(lambda: _pen_cap(c, p), transform="translate(0 110)")

    c.group(
        draw, transform="translate(523 483) rotate(-32) scale(1.1) translate(-490 -520)"
    )


def _pen(c: Canvas, p: Palette) -> None:
    body = "M330 484L356 481C560 470 700 476 800 482Q880 488 880 520Q880 552 800 558"
    body += "C700 564 560 570 356 559L330 556Z"
    shadow_below(c, body + "M160 520L330 490V550Z", 26, 0.4)
    c.path("M166 524L262 500H336V550H250Z", darker(GRAPHITE, 0.3))
    nib = (
        "M150 520C200 500 230 484 270 480L340 488V552L270 556C230 552 200 538 150 520Z"
    )
    c.path(nib, _lying(c, STEEL, 478, 558, True))
    c.line("M152 520H262", GRAPHITE, 2.5)
    c.ellipse(266, 520, 8, 8, GRAPHITE)
    c.path("M322 486L420 478V562L322 554Z", _lying(c, GRAPHITE, 478, 562))
    c.path(body.replace("330", "404"), _lying(c, p.body, 474, 568))
    for x, wide in ((404, 14), (780, 8), (796, 4)):
        c.rect(x, 477, wide, 86, _lying(c, "#c79a4b", 477, 563, True), round=3)
    c.line("M430 494H770", "#fff", 5, opacity=0.55, filter=c.blur(1.6))


def _pen_cap(c: Canvas, p: Palette) -> None:
    cap = "M420 474H720C772 476 784 500 784 520S772 564 720 566H420Z"
    shadow_below(c, cap, 26, 0.4)
    c.path(cap, _lying(c, p.body, 472, 568))
    gold = "#c79a4b"
    c.rect(424, 473, 30, 94, _lying(c, gold, 473, 567, True), round=3)
    c.rect(464, 473, 7, 94, _lying(c, gold, 473, 567, True), round=3)
    c.rect(722, 475, 10, 90, _lying(c, gold, 474, 566, True), round=3)
    c.line("M500 494H716", "#fff", 5, opacity=0.5, filter=c.blur(1.6))
    c.line("M514 536H722", INK, 16, opacity=0.35, filter=c.blur(4))
    clip = "M728 508H530Q498 508 498 522Q498 535 530 533L728 530Z"
    c.path(clip, _lying(c, gold, 506, 536, True))


def desk_clock(c: Canvas, p: Palette) -> None:
    stand(c, 176)
    y = 496
    for side in (-1, 1):
        x = MIDDLE + side * 120
        tube(c, f"M{x} 690L{x + side * 44} 758", 36, p.second)
    tube(c, f"M{MIDDLE - 44} {y - 262}H{MIDDLE + 44}", 36, p.second)
    c.rect(MIDDLE - 18, y - 262, 36, 40, darker(p.second, 0.3))
    extruded(c, disc(MIDDLE - 8, y + 4, 246), p.body, 22, -8)
    c.ellipse(MIDDLE - 8, y + 4, 224, 224, darker(p.body, 0.3))
    face = lighter(p.body, 0.75)
    shade = [(0, mix(face, p.second, 0.22)), (0.6, face), (1, "#ffffff")]
    c.ellipse(MIDDLE - 6, y + 7, 216, 216, c.linear(shade, 320, 300, 620, 700))
    _dial(c, MIDDLE - 6, y + 7, 216, p)


def _dial(c: Canvas, x, y, r, p: Palette) -> None:
    for hour in range(12):
        inner = 0.8 if hour % 3 else 0.72
        turn = radians(hour * 30)
        ends = [(x + r * k * sin(turn), y - r * k * cos(turn)) for k in (inner, 0.9)]
        c.line(smooth(ends), darker(p.detail, 0.3), 7 if hour % 3 else 13)
    for turn, long, wide, colour in (
        (306, 0.5, 17, GRAPHITE),
        (52, 0.72, 12, GRAPHITE),
        (172, 0.78, 4, CORAL),
    ):
        hand = f"M{x} {y}L{x + r * long * sin(radians(turn)):.1f} "
        hand += f"{y - r * long * cos(radians(turn)):.1f}"
        c.line(hand, INK, wide, opacity=0.16, transform="translate(6 8)")
        c.line(hand, colour, wide)
    c.ellipse(x, y, 14, 14, CORAL)
    c.ellipse(x, y, 5, 5, CREAM)


def desk_tray(c: Canvas, p: Palette) -> None:
    grounded(c, 176, 784, 750)
    for y, sheets in ((722, 9), (500, 4)):
        if y < 700:
            for x in (200, 742):
                c.rect(x, y, 20, 136, round_paint(c, p.detail, x + 10, 10), round=3)
        _tray(c, y, p, sheets)


def _tray(c: Canvas, y, p: Palette, sheets: int) -> None:
    left, right, inset, deep, wall, thick = 176, 784, 70, 124, 78, 24
    back = [(left + inset, y - deep), (right - inset, y - deep)]
    behind = [(x, level - wall) for x, level in back]
    paint = c.linear([(0, p.body), (1, darker(p.body, 0.25))], y1=y - 202, y2=y)
    c.path(polygon(*behind, *reversed(back)), paint)
    c.path(polygon(*back, (right, y), (left, y)), darker(p.body, 0.45))
    _sheets(c, y, sheets)
    for x, far, shade in ((left, 0, darker(p.body)), (right, 1, lighter(p.body, 0.2))):
        c.path(polygon((x, y), (x, y - wall), behind[far], back[far]), shade)
        edge = -thick if far else thick
        end_x, end_y = behind[far]
        rail = [(x, y - wall), (x + edge, y - wall), (end_x + edge * 0.8, end_y)]
        c.path(polygon(*rail, behind[far]), lighter(p.second, 0.3))
        block(c, min(x, x + edge), y - wall, thick, wall + 26, 2, p.body, 3)
    front = box(left, y, right - left, 28, 5)
    c.path(
        front, c.linear([(0, lighter(p.body)), (1, darker(p.body))], y1=y, y2=y + 28)
    )
    wood_grain(c, front, p.detail, left, y, right - left, 28)
    for x in (left, right - thick):
        for top in (y - 64, y - 16):
            c.rect(x, top, thick, 22, p.detail, opacity=0.55)


def _sheets(c: Canvas, y, count: int) -> None:
    for i in range(count):
        low, shift = y - 10 - i * 6, (i * 37 % 5 - 2) * 5
        far = [(280 + shift, low - 92), (684 + shift, low - 92)]
        near = [(732 + shift, low), (230 + shift, low)]
        c.path(polygon(*far, *near), darker(CREAM, 0.0 if (count - i) % 2 else 0.12))


def tape_dispenser(c: Canvas, p: Palette) -> None:
    grounded(c, 178, 840, 760)
    body = "M178 736C174 690 178 640 200 596L252 592C262 650 330 664 390 628"
    body += "C440 596 440 524 500 486C560 448 650 456 702 516C752 576 784 680 786 736"
    body += "Q786 760 766 760H198Q178 760 178 736Z"
    extruded(c, body, darker(p.body, 0.1), 76, -34)
    tape = polygon((222, 596), (266, 574), (512, 388), (468, 396))
    _tape_roll(c, 606, 490, 168, p)
    c.path(tape, "#f5e3b4", opacity=0.9)
    c.line("M222 596L468 396", "#d9bd78", 3)
    extruded(c, body, p.body, 20, -9)
    c.line("M196 700C196 664 202 630 212 606", "#fff", 7, opacity=0.4)
    c.ellipse(592, 560, 46, 46, darker(p.body, 0.35))
    c.ellipse(588, 556, 42, 42, round_paint(c, "#c79a4b", 588, 42, True))
    c.line("M566 574L610 538", "#5a4314", 6)
    teeth = "".join(f"l5 -13l5 {9 if i % 2 else 8}" for i in range(7))
    c.path(f"M194 606{teeth}L270 588L214 622Z", round_paint(c, STEEL, 232, 40, True))


def _tape_roll(c: Canvas, x, y, r, p: Palette) -> None:
    roll = "#ecd392"
    extruded(c, disc(x, y, r), darker(roll, 0.12), 36, -16)
    for share, colour in ((0.86, "#dfc27a"), (0.72, "#ecd392"), (0.58, "#d3b46a")):
        c.ellipse(x, y, r * share, stroke=colour, stroke_width=7, opacity=0.8)
    c.ellipse(x, y, r * 0.5, r * 0.5, p.second)
    c.ellipse(x, y, r * 0.42, r * 0.42, darker(p.detail, 0.4))


def bookends(c: Canvas, p: Palette) -> None:
    grounded(c, 104, 856, 762)
    for left, slope in ((104, 34), (676, -34)):
        arch = f"M{left} 762V524a90 90 0 0 1 180 0V762h-50V530a40 40 0 0 0 -80 0V762Z"
        extruded(c, arch, p.body, slope, -26)
        speckle(c, arch, p.second, left, 430, 180, 330, 60)
    x = 284
    sizes = ((82, 392), (66, 352), (92, 420), (74, 376), (78, 330))
    for (wide, tall), colour in zip(sizes, SPINES):
        _book(c, x, 762 - tall, wide, tall, colour)
        x += wide


def _book(c: Canvas, x, y, wide, tall, colour) -> None:
    far, slope = 30, 0.06
    shift = [(MIDDLE - corner) * slope for corner in (x, x + wide)]
    top = [(x + shift[0], y - far), (x + wide + shift[1], y - far)]
    c.path(polygon(*top, (x + wide, y + 3), (x, y + 3)), darker(CREAM, 0.12))
    c.line(f"M{x + shift[0]} {y - far}L{x} {y}", lighter(colour, 0.2), 5)
    c.line(f"M{x + wide + shift[1]} {y - far}L{x + wide - 2} {y}", darker(colour), 5)
    spine = box(x, y, wide, tall, 7)
    c.path(spine, round_paint(c, colour, x + wide / 2, wide / 2))
    for low in (0.1, 0.13, 0.86):
        c.rect(x + 1, y + tall * low, wide - 2, 5, CREAM, opacity=0.6)
    c.rect(x + wide * 0.22, y + tall * 0.24, wide * 0.56, tall * 0.24, CREAM, round=3)
    for share in (0.3, 0.35, 0.4):
        c.rect(x + wide * 0.34, y + tall * share, wide * 0.32, 5, darker(colour, 0.3))


def headphones(c: Canvas, p: Palette) -> None:
    for x in (286, 674):
        shadow(c, x, 742, 92, 0.5, 0.6)
    arc = "M248 540C224 330 300 196 480 196S736 330 712 540"
    tube(c, arc, 42, p.body)
    pad = "M312 322C350 254 410 226 480 226S610 254 648 322"
    c.line(pad, darker(p.second, 0.4), 50)
    c.line(pad, p.second, 42, transform="translate(-2 -3)")
    c.line(pad, lighter(p.second, 0.4), 8, transform="translate(-6 -12)", opacity=0.7)
    for side in (-1, 1):
        x = MIDDLE + side * 194
        tube(c, f"M{x + side * 40} 440V556", 20, p.detail, metal=True)
        turn = f"rotate({side * -5} {x} 610)"
        c.group(lambda: _ear(c, x, side, p), transform=turn)


def _ear(c: Canvas, x, side, p: Palette) -> None:
    inner = x - side * 58
    cushion = box(inner - 42, 484, 84, 264, 42)
    c.path(cushion, round_paint(c, p.second, inner, 46))
    c.line(f"M{inner} 498V734", darker(p.second, 0.35), 4, opacity=0.5)
    seat = box(inner + side * 30 - 14, 494, 28, 244, 12)
    c.path(seat, darker(p.body, 0.5))
    near, far = inner + side * 30, x + side * 62
    shell = f"M{near} 478C{far - side * 6} 482 {far} 548 {far} 616"
    shell += f"S{far - side * 6} 750 {near} 754Z"
    shade = [(0, lighter(p.body, 0.35)), (0.4, p.body), (1, darker(p.body, 0.45))]
    c.path(shell, c.linear(shade, x - 70, 500, x + 60, 740))
    c.line(f"M{near + side * 12} 490V742", lighter(p.body, 0.45), 4, opacity=0.6)
    knob = x + side * 40
    c.ellipse(knob, 556, 17, 30, round_paint(c, p.detail, knob, 17, True))


def radio(c: Canvas, p: Palette) -> None:
    grounded(c, 200, 764, 762)
    tube(c, "M700 400L794 116", 9, STEEL, metal=True)
    c.ellipse(795, 114, 10, 10, STEEL)
    for x in (212, 672):
        c.rect(x, 728, 76, 34, darker(p.detail, 0.3), round=8)
    block(c, 152, 412, 656, 326, 62, p.body, 10, p.detail)
    front = box(184, 444, 592, 262, 18)
    cloth = c.linear([(0, p.second), (1, lighter(p.second, 0.4))], 184, 444, 776, 706)
    c.path(front, darker(p.detail, 0.3), transform="translate(-3 -3)")
    c.path(front, cloth)
    weave = "".join(f"M{x} 450V700" for x in range(202, 520, 13))
    c.line(weave, darker(p.second, 0.5), 6, opacity=0.8, stroke_dasharray="1 11")
    c.path(box(528, 444, 248, 262, 18), lighter(CREAM, 0.2))
    c.path(box(552, 464, 200, 46, 8), GRAPHITE)
    c.line("M566 488H738", "#f0c987", 7, stroke_dasharray="2 12", stroke_linecap="butt")
    c.line("M648 472V502", CORAL, 5)
    _knob(c, 652, 610, 76, p)


def _knob(c: Canvas, x, y, r, p: Palette) -> None:
    c.ellipse(x + 10, y + 12, r, r, INK, opacity=0.35, filter=c.blur(7))
    c.ellipse(x, y, r, r, darker(p.detail, 0.2))
    shade = [(0, lighter("#c79a4b", 0.7)), (0.5, "#c79a4b"), (1, "#7c5a20")]
    c.ellipse(x, y, r - 5, r - 5, c.linear(shade, x - r, y - r, x + r, y + r))
    c.ellipse(
        *(x, y, r * 0.72, r * 0.72),
        c.linear(shade, x + r, y + r, x - r, y - r),
    )
    c.line(f"M{x - 18} {y - 30}L{x - 30} {y - 50}", GRAPHITE, 9)


def paperweight(c: Canvas, p: Palette) -> None:
    for turn, colour in ((-4, darker(CREAM, 0.07)), (3, CREAM)):
        sheet = polygon((232, 662), (690, 652), (830, 810), (130, 826))
        c.group(lambda: _letter(c, sheet, colour), transform=f"rotate({turn} 480 740)")
    shadow(c, MIDDLE, 742, 190, 0.5)
    c.ellipse(640, 782, 120, 22, lighter(p.body, 0.55), opacity=0.7, filter=c.blur(10))
    dome = [
        (368, 3),
        (380, 84),
        (410, 148),
        (476, 214),
        (570, 250),
        (660, 244),
        (742, 170),
    ]
    d = profile(dome)
    stops = [(0, lighter(p.body, 0.75)), (0.35, lighter(p.body, 0.2)), (0.7, p.body)]
    stops += [(0.9, darker(p.detail, 0.1)), (1, darker(p.detail, 0.35))]
    c.path(d, c.radial(stops, 520, 650, 300, 0.95))
    c.group(lambda: _river(c, p), clip_path=c.clip(d))
    c.path(d, stroke=lighter(p.body, 0.6), stroke_width=4, opacity=0.5)
    c.path("M300 520C316 450 368 410 420 396C400 440 350 470 318 530Z", "#fff")
    c.ellipse(306, 566, 9, 16, "#fff", opacity=0.9)


def _letter(c: Canvas, sheet: str, colour: str) -> None:
    shadow_below(c, sheet, 5, 0.25)
    c.path(sheet, colour)
    rows = "".join(f"M{196 - i * 14} {762 + i * 18}H{762 + i * 10}" for i in range(3))
    c.line(rows, darker(CREAM, 0.35), 3, opacity=0.6)


def _river(c: Canvas, p: Palette) -> None:
    for y, colour, opacity in (
        (640, p.detail, 0.5),
        (600, "#ffffff", 0.4),
        (684, "#ffffff", 0.3),
    ):
        wave = [(220, y), (330, y - 44), (470, y + 24), (610, y - 34), (750, y + 10)]
        c.line(smooth(wave), colour, 22, opacity=opacity, filter=c.blur(7))
    c.ellipse(480, 742, 170, 30, lighter(p.body, 0.7), opacity=0.5, filter=c.blur(9))
    for x, y, r in ((540, 540, 34), (470, 590, 13), (580, 612, 9), (500, 490, 8)):
        c.ellipse(x, y, r, r, lighter(p.body, 0.5), opacity=0.65)
        c.ellipse(x, y, r, r, stroke=p.detail, stroke_width=3, opacity=0.7)
        c.ellipse(x - r * 0.35, y - r * 0.35, r * 0.25, r * 0.25, "#fff")


def backpack(c: Canvas, p: Palette) -> None:
    grounded(c, 276, 690, 766)
    for side in (-1, 1):
        x = MIDDLE + side * 170
        tube(c, f"M{x} 350Q{x + side * 96} 480 {x + side * 30} 690", 34, p.detail)
    tube(c, "M430 214C430 140 530 140 530 214", 20, p.detail)
    body = "M292 330H668C690 460 700 600 700 700Q700 766 636 766H324Q260 766 260 700"
    body += "C260 600 270 460 292 330Z"
    shade = [(0, lighter(p.body, 0.3)), (0.5, p.body), (1, darker(p.body, 0.42))]
    c.path(body, c.linear(shade, 270, 330, 720, 740))
    c.line("M300 420H660", darker(p.body, 0.4), 34, opacity=0.3, filter=c.blur(12))
    roll = box(270, 226, 420, 112, 54)
    c.path(roll, c.linear(shade, 0, 210, 0, 352))
    for y in (262, 300):
        c.line(f"M280 {y}C400 {y + 9} 560 {y + 9} 680 {y}", darker(p.body, 0.45), 4)
    _pocket(c, p)
    for x in (370, 590):
        _strap(c, x, p)
    c.path(box(428, 424, 104, 54, 8), p.second)
    c.line("M448 444H512M448 460H492", p.detail, 4)


def _pocket(c: Canvas, p: Palette) -> None:
    pocket = box(308, 540, 344, 192, 36)
    c.path(pocket, INK, opacity=0.35, filter=c.blur(9), transform="translate(7 8)")
    shade = [(0, lighter(p.body, 0.32)), (0.5, p.body), (1, darker(p.body, 0.3))]
    c.path(pocket, c.linear(shade, 308, 540, 652, 740))
    c.line("M330 588H630", darker(p.detail, 0.3), 10)
    c.line("M330 588H630", STEEL, 3, stroke_dasharray="3 6", stroke_linecap="butt")
    tube(c, "M628 590V624", 10, p.detail)
    c.path(
        *(box(320, 552, 320, 168, 28),),
        stroke=lighter(p.body, 0.6),
        stroke_width=2.5,
        stroke_dasharray="9 7",
        opacity=0.7,
    )


def _strap(c: Canvas, x, p: Palette) -> None:
    c.rect(x - 12, 224, 32, 318, INK, round=6, opacity=0.28, filter=c.blur(6))
    leather = c.linear([(0, lighter(p.detail, 0.25)), (1, p.detail)], y1=220, y2=530)
    c.rect(x - 17, 220, 34, 318, leather, round=6)
    c.rect(x - 25, 382, 50, 42, round_paint(c, STEEL, x, 25, True), round=7)
    c.rect(x - 14, 392, 28, 22, darker(p.detail, 0.2), round=3)
    c.line(f"M{x} 392V416", STEEL, 5)


SHAPES = (
    notebook,
    pencil_pot,
    fountain_pen,
    desk_clock,
    desk_tray,
    tape_dispenser,
    bookends,
    headphones,
    radio,
    paperweight,
    backpack,
)


# Primitives.


# A thick plate: the outline d in front, its edge going back by (dx, dy).
def extruded(c: Canvas, d: str, colour: str, dx: float, dy: float) -> None:
    steps = round(max(abs(dx), abs(dy)) / 2)
    side = c.linear([(0.3, lighter(colour, 0.45)), (0.8, darker(colour, 0.45))])
    for i in range(steps, 0, -1):
        shift = f"translate({dx * i / steps:.1f} {dy * i / steps:.1f})"
        c.path(d, side, transform=shift)
    face = [(0.15, lighter(colour, 0.34)), (0.5, colour), (0.85, darker(colour, 0.2))]
    c.path(d, c.linear(face, 160, 200, 800, 840))
    c.path(d, stroke=lighter(colour, 0.6), stroke_width=2, opacity=0.4)


# The shadow of something whose straight front edge stands on the floor at y.
def grounded(c: Canvas, left: float, right: float, y: float) -> None:
    middle, r = (left + right) / 2, (right - left) / 2
    cast = [(0, INK, 0.3), (0.5, INK, 0.14), (1, INK, 0)]
    x, reach = middle + r * 0.3, r * 1.45
    c.ellipse(x, y - 8, reach, reach * 0.17, c.radial(cast, x, y - 8, reach, 0.17))
    for lift, soft, opacity in ((26, 9, 0.3), (9, 4, 0.4)):
        under = polygon(
            *((left + 6, y - lift), (right + lift, y - lift)),
            *((right + lift * 0.5, y + lift * 0.3), (left + 3, y + lift * 0.3)),
        )
        c.path(under, INK, opacity=opacity, filter=c.blur(soft))


# A turned vessel with what it holds standing behind its front wall.
def holding(
    c: Canvas, points: list[tuple], colour: str, held: Callable[[], None], x=MIDDLE
) -> str:
    top, r = points[0]
    mouth(c, top, r, colour, x)
    held()
    front = profile(points, x, open_top=True)
    c.group(lambda: turned(c, points, colour, x), clip_path=c.clip(front))
    lip = f"M{x - r} {top}A{r} {r * 0.17} 0 0 0 {x + r} {top}"
    c.line(lip, lighter(colour, 0.5), 5)
    return front


# How light runs over a round thing that lies level, from y1 to y2.
def _lying(c: Canvas, colour: str, y1, y2, metal=False) -> str:
    top = lighter(colour, 0.85 if metal else 0.4)
    stops = [(0, darker(colour, 0.05)), (0.24, top), (0.5, colour)]
    stops += [(0.82, darker(colour, 0.45)), (1, darker(colour, 0.25))]
    return c.linear(stops, 0, y1, 0, y2)

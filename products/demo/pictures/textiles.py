"""Textiles: cloth that hangs, folds and lies, on rose-coloured paper."""

import math

from .colour import INK, Palette, darker, lighter, mix
from .solids import (
    box,
    disc,
    leaf,
    mouth,
    polygon,
    smooth,
    tube,
    turned,
)
from .studio import FLOOR, MIDDLE, Canvas, shadow, shadow_below, sweep

WOOD = "#c79a63"
BRASS = "#c79a4b"


def backdrop(c: Canvas) -> None:
    sweep(c, "#dcb0a3")


def throw_blanket(c: Canvas, p: Palette) -> None:
    rest(c, 150, 810)
    for i in range(4):
        fold(c, 144 + i * 9, 646 - i * 94, 672 - i * 16, 106, p.body)
    flap = smooth([(330, 366), (304, 400), (296, 540), (290, 664)])
    flap += "L" + smooth([(676, 676), (672, 540), (676, 400), (688, 366)])[1:] + "Z"
    shadow_below(c, flap, 10, 0.3)
    fringe(c, 296, 672, 666, 62, lighter(p.body, 0.2), 16)
    cloth(c, flap, p.body, (290, 360, 700, 680))
    herringbone(c, flap, darker(p.body, 0.45), (270, 340, 440, 340), 28)
    for y, tall in ((560, 44), (622, 14)):
        stripe = f"M280 {y}L690 {y + 7}v{tall}L280 {y + tall - 7}Z"
        c.path(stripe, p.detail, opacity=0.6, clip_path=c.clip(flap))
    c.path("M280 364H700V424H280Z", _over(c, 364, 424), clip_path=c.clip(flap))
    folds(c, flap, (360, 500, 640), 450, 690, 0.12)


def cushion(c: Canvas, p: Palette) -> None:
    rest(c, 214, 750, 758)
    d = pillow(MIDDLE, 470, 290, 290)
    cloth(c, d, p.body, (210, 190, 760, 760))
    ribs = [_rib(i / 11 * 1.0, MIDDLE, 470, 300) for i in range(-11, 12)]
    clip = c.clip(d)
    c.line("".join(ribs), darker(p.body, 0.55), 8, opacity=0.5, clip_path=clip)
    shift = "translate(-8 0)"
    lit = lighter(p.body, 0.55)
    c.group(
        lambda: c.line("".join(ribs), lit, 4, opacity=0.45, transform=shift),
        clip_path=clip,
    )
    c.path(d, c.radial([(0, "#fff", 0.3), (1, "#fff", 0)], 390, 370, 240))
    c.path(d, c.radial([(0.6, INK, 0), (1, INK, 0.42)], 430, 420, 390))
    for x, y, turn in ((250, 250, 45), (706, 252, -45), (256, 690, -45)):
        crease(c, x, y, turn, clip)
    c.line(d, darker(p.body, 0.3), 11)


def linen_napkins(c: Canvas, p: Palette) -> None:
    rest(c, 196, 766)
    for i, colour in enumerate((p.body, p.second, p.body)):
        y, x = 690 - i * 56, 190 + (i % 2) * 12
        fold(c, x, y, 580 - (i % 2) * 16, 62, colour)
    top = polygon((250, 500), (716, 500), (768, 584), (192, 584))
    c.path(top, c.linear([(0, lighter(p.body, 0.6)), (1, p.body)], 200, 0, 770, 0))
    hem = polygon((268, 510), (698, 510), (742, 572), (220, 572))
    c.path(hem, stroke=lighter(p.body, 0.7), stroke_width=3, stroke_dasharray="9 6")
    shadow(c, 486, 560, 200, 0.34, 0.3)
    tube(c, "M330 500H640", 104, p.second)
    linen_roll(c, p, 300, 660, 500, 54)


def rug(c: Canvas, p: Palette) -> None:
    face = polygon((226, 420), (734, 420), (856, 752), (104, 752))
    shadow_below(c, face, 12, 0.4)
    fringe(c, 108, 852, 750, 42, p.second, 17)
    cloth(c, face, p.second, (100, 420, 860, 760))
    clip = c.clip(face)
    c.group(lambda: dunes(c, p), clip_path=clip)
    weft = "".join(f"M90 {424 + i * i * 0.11 + i * 3:.1f}H870" for i in range(44))
    c.line(weft, darker(p.detail, 0.3), 1.6, opacity=0.2, clip_path=clip)
    c.path(face, stroke=darker(p.body, 0.2), stroke_width=3, opacity=0.5)
    c.path("M226 424H734L770 524H190Z", INK, opacity=0.35, filter=c.blur(16))
    rolled(c, p, 206, 754, 392, 72)


def tea_towel(c: Canvas, p: Palette) -> None:
    pair = ((178, 290, p.second, p.body, 640), (504, 290, p.body, p.second, 720))
    rail(c, 108, 852, 196)
    for x, wide, colour, mark, foot in pair:
        back = hanging(x + 16, 190, wide - 6, foot - 80)
        cloth(c, back, darker(colour, 0.22), (x, 190, x + wide, foot))
        d = hanging(x, 186, wide, foot)
        shadow_below(c, d, 16, 0.3)
        cloth(c, d, colour, (x, 190, x + wide, foot + 60))
        clip = c.clip(d)
        for y, tall in ((90, 10), (114, 34), (162, 10)):
            band = f"M{x - 20} {foot - y}q{wide / 2} 14 {wide + 40} 0v{tall}"
            band += f"q{-wide / 2} 14 {-wide - 40} 0Z"
            c.path(band, mark, clip_path=clip)
        linen(c, d, darker(colour, 0.4), (x - 10, 170, wide + 20, foot - 150))
        drape = [x + wide * share for share in (0.2, 0.52, 0.8)]
        folds(c, d, drape, 230, foot + 10, 0.2)
        c.path(f"M{x} 176h{wide}v46h{-wide}Z", _over(c, 176, 222), clip_path=clip)


def bed_linen(c: Canvas, p: Palette) -> None:
    rest(c, 150, 810)
    wide = 660
    for i, colour in enumerate((p.body, lighter(p.body, 0.4), p.body)):
        fold(c, 150 + i * 6, 660 - i * 88, wide - i * 12, 94, colour)
    for i in range(4):
        x = 300 + i * 120
        c.ellipse(x + 2, 712, 15, 15, INK, opacity=0.3)
        c.ellipse(x, 708, 15, 15, p.second)
        c.ellipse(x - 1, 707, 9, 9, stroke=darker(p.second, 0.4), stroke_width=2.5)
    for x, y, turn, colour in (
        (MIDDLE + 12, 412, 0, lighter(p.body, 0.35)),
        (MIDDLE - 14, 274, -3, p.body),
    ):
        c.group(
            lambda: plump(c, p, x, y, colour),
            transform=f"rotate({turn} {x} {y})",
        )


def tote_bag(c: Canvas, p: Palette) -> None:
    rest(c, 262, 704, 760)
    groceries(c)
    strap(c, "M404 400C404 100 556 100 556 400", darker(p.body, 0.4))
    d = smooth([(270, 360), (262, 520), (256, 680), (268, 744), (300, 760)])
    d += "L" + smooth([(660, 760), (692, 744), (704, 680), (698, 520), (690, 360)])[1:]
    cloth(c, d + "Z", p.body, (240, 340, 730, 760))
    linen(c, d + "Z", lighter(p.body, 0.4), (240, 350, 480, 420))
    folds(c, d + "Z", (310, 420, 600, 664), 420, 750, 0.2)
    c.path("M270 360H690V392H269Z", darker(p.body, 0.3), opacity=0.6)
    c.line("M274 394H687", lighter(p.body, 0.5), 3, stroke_dasharray="10 7")
    pocket = box(386, 520, 188, 150, 14)
    c.path(pocket, p.second)
    c.path(pocket, c.linear([(0, INK, 0), (1, INK, 0.2)], 380, 520, 590, 670))
    c.path(pocket, stroke=p.body, stroke_width=3, stroke_dasharray="10 7")
    strap(c, "M372 470C362 60 606 60 588 470", p.body)
    for x in (372, 588):
        c.path(
            f"M{x - 13} 436l26 34M{x + 13} 436l-26 34", stroke=p.second, stroke_width=4
        )


def table_runner(c: Canvas, p: Palette) -> None:
    table(c)
    lie = polygon((382, 400), (578, 400), (630, 566), (330, 566))
    hang = smooth([(330, 566), (328, 640), (326, 712)])
    hang += "L" + smooth([(634, 712), (632, 640), (630, 566)])[1:] + "Z"
    shadow_below(c, hang, 14, 0.4)
    fringe(c, 330, 630, 712, 66, p.second, 22, knots=True)
    c.path(
        lie, c.linear([(0, lighter(p.body, 0.5)), (1, lighter(p.body, 0.2))], 300, 0)
    )
    cloth(c, hang, darker(p.body, 0.06), (320, 566, 640, 720))
    for d, y, tall in ((lie, 400, 166), (hang, 566, 150)):
        linen(c, d, darker(p.body, 0.5), (310, y, 340, tall))
    for left, right in ((0.08, 0.12), (0.88, 0.92)):
        a, b = 382 + 196 * left, 382 + 196 * right
        e, f = 330 + 300 * left, 330 + 300 * right
        c.path(f"M{a} 400H{b}L{f} 566V712H{e}V566Z", p.second, opacity=0.9)
    c.path("M330 560H630V600H330Z", _over(c, 560, 600))
    folds(c, hang, (400, 560), 600, 712, 0.16)
    shadow(c, MIDDLE, 486, 92, 0.4, 0.4)
    turned(c, [(396, 120), (430, 110), (466, 70), (486, 54)], p.detail)
    mouth(c, 396, 120, p.detail, inside=lighter(p.detail, 0.2))


def wool_socks(c: Canvas, p: Palette) -> None:
    c.line("M-20 182Q480 214 980 176", "#e9dcc8", 9)
    c.line("M-20 186Q480 218 980 180", INK, 3, opacity=0.25)
    for x, turn in ((256, 4), (556, -3)):
        c.group(lambda: sock(c, p, x, 206), transform=f"rotate({turn} {x + 75} 200)")
        for at in (x + 34, x + 118):
            peg(c, at, 154)


def curtain(c: Canvas, p: Palette) -> None:
    window(c)
    tube(c, "M60 118H900", 22, BRASS, metal=True)
    for x in (52, 908):
        c.path(disc(x, 116, 24), c.radial([(0, "#f4dfae"), (1, BRASS)], x - 7, 108, 28))
    for x, wide, gather in ((110, 300, 16), (596, 254, -16)):
        sheer(c, p, x, wide, gather)


def bath_robe(c: Canvas, p: Palette) -> None:
    shift = "translate(0 -10)"
    c.group(lambda: robe(c, p), transform=shift)


# Parts.


def robe(c: Canvas, p: Palette) -> None:
    tube(c, "M480 176C480 120 530 130 520 92C512 66 474 70 472 96", 9, "#8d8f94", True)
    tube(c, "M330 232C400 206 440 184 480 176C520 184 560 206 630 232", 22, WOOD)
    for side in (-1, 1):
        outer = ((112, 210), (150, 220), (186, 260), (222, 420), (262, 616), (258, 626))
        inner = ((184, 642), (176, 638), (140, 400))
        sleeve = _mirror(outer + inner, side)
        cloth(c, sleeve, darker(p.body, 0.1 + 0.06 * side), (190, 200, 780, 640))
        waffle(c, sleeve, darker(p.body, 0.4), (170, 190, 620, 460))
        cuff = _mirror(((255, 582), (259, 626), (183, 642), (171, 598)), side, False)
        c.path(cuff, darker(p.body, 0.14 + 0.08 * side))
    outline = ((36, 190), (100, 202), (140, 222), (154, 330), (148, 474), (168, 640))
    outline += ((186, 780), (190, 812), (180, 828), (90, 832), (0, 831))
    right = [(MIDDLE + x, y) for x, y in outline]
    left = [(MIDDLE - x, y) for x, y in reversed(outline)]
    d = smooth(right) + "L" + smooth(left)[1:] + "Z"
    shadow_below(c, d, 16, 0.34)
    cloth(c, d, p.body, (270, 200, 700, 840))
    waffle(c, d, darker(p.body, 0.4), (260, 190, 440, 660))
    folds(c, d, (330, 400, 580, 640), 520, 830, 0.2)
    robe_front(c, p)


def robe_front(c: Canvas, p: Palette) -> None:
    """The lapels, the belt and the pockets."""
    c.path("M436 196L478 440L526 196Z", darker(p.body, 0.55))
    c.line("M486 440C492 600 494 700 492 832", darker(p.body, 0.4), 5, opacity=0.7)
    for x in (338, 530):
        pocket = box(x, 590, 96, 110, 12)
        shadow_below(c, pocket, 5, 0.24)
        c.path(pocket, lighter(p.body, 0.12))
        c.rect(x, 590, 96, 22, p.second, opacity=0.75, round=6)
    for side in (-1, 1):
        points = ((36, 180), (96, 214), (88, 330), (-8, 470), (-4, 420), (30, 300))
        lapel = _mirror(points, side)
        shadow_below(c, lapel, 6, 0.22)
        tone = lighter(p.body, 0.38 - 0.12 * side)
        c.path(lapel, c.linear([(0, tone), (1, p.body)], 400, 190, 560, 500))
    belt = "M331 454Q480 476 629 454L630 498Q480 520 330 498Z"
    shadow_below(c, belt, 7, 0.3)
    c.path(belt, c.linear([(0, lighter(p.body, 0.3)), (1, p.detail)], 310, 0, 760, 0))
    for d in ("M474 496C450 580 442 640 446 716", "M498 496C516 570 530 610 526 676"):
        strap(c, d, mix(p.body, p.detail, 0.3), 30)
    c.path(box(458, 458, 58, 58, 18), mix(p.body, p.detail, 0.2))
    c.path(box(458, 458, 58, 58, 18), stroke=p.detail, stroke_width=3, opacity=0.6)


def sock(c: Canvas, p: Palette, x: float, y: float) -> None:
    """A sock hanging by its cuff, whose upper left corner is (x, y)."""
    outline = [(0, 0), (150, 0), (152, 140), (152, 300), (170, 380), (236, 448)]
    outline += [(280, 506), (254, 562), (180, 566), (90, 520), (18, 456), (-6, 390)]
    outline += [(2, 280), (-2, 140)]
    points = [(x + px, y + py) for px, py in outline]
    d = smooth(points[1:] + points[:1]) + "Z"
    shadow_below(c, d, 20, 0.3)
    cloth(c, d, p.body, (x, y, x + 260, y + 560))
    clip = c.clip(d)
    c.ellipse(x + 4, y + 446, 82, 66, p.second, clip_path=clip)
    c.ellipse(x + 268, y + 540, 92, 86, p.second, clip_path=clip)
    knit(c, d, darker(p.body, 0.5), (x - 20, y + 130, 320, 450))
    c.rect(x - 10, y - 6, 180, 124, p.second, clip_path=clip)
    ribs = "".join(f"M{x + 9 + i * 13} {y}v118" for i in range(12))
    c.line(ribs, darker(p.second, 0.3), 4, opacity=0.5, clip_path=clip)
    for i, tall in ((150, 16), (182, 8)):
        c.rect(x - 10, y + i, 180, tall, p.detail, opacity=0.85, clip_path=clip)
    shade = c.linear([(0.3, INK, 0), (1, INK, 0.2)], x, y, x + 300, y + 60)
    c.path(d, shade)


def peg(c: Canvas, x: float, y: float) -> None:
    c.path(box(x - 11, y + 4, 22, 92, 6), INK, opacity=0.25, filter=c.blur(4))
    paint = c.linear([(0, lighter(WOOD, 0.4)), (1, WOOD)], x - 11, 0, x + 11, 0)
    c.path(box(x - 11, y, 22, 88, 6), paint)
    c.line(f"M{x - 11} {y + 40}h22", "#8d8f94", 6)


def plump(c: Canvas, p: Palette, x: float, y: float, colour: str) -> None:
    """A soft pillow lying down."""
    right = [(x, y - 86), (x + 150, y - 76), (x + 262, y - 40), (x + 304, y - 14)]
    right += [(x + 308, y + 8), (x + 264, y + 40), (x + 150, y + 72), (x, y + 80)]
    left = [(2 * x - px, py) for px, py in reversed(right[1:-1])]
    d = smooth(right + left, closed=True)
    c.ellipse(x + 8, y + 74, 270, 22, INK, opacity=0.35, filter=c.blur(11))
    cloth(c, d, colour, (x - 300, y - 100, x + 260, y + 110))
    clip = c.clip(d)
    c.path(d, c.linear([(0.4, INK, 0), (1, INK, 0.24)], 0, y - 90, 0, y + 86))
    for side in (-1, 1):
        for i in (-1, 0, 1):
            line = f"M{x + side * 306} {y}q{-side * 50} {i * 14} "
            line += f"{-side * (120 + i * 12)} {i * 34}"
            c.line(line, INK, 9, opacity=0.16, clip_path=clip, filter=c.blur(3))
    seam = f"M{x - 306} {y + 2}C{x - 180} {y + 40} {x + 180} {y + 40} {x + 306} {y + 2}"
    c.line(seam, p.detail, 4, opacity=0.4)
    c.path(d, stroke=darker(colour, 0.25), stroke_width=2, opacity=0.5)


def linen_roll(c: Canvas, p: Palette, x1, x2, y, r) -> None:
    """A rolled napkin in a wooden ring."""
    c.ellipse(x2, y, r * 0.5, r, darker(p.second, 0.12))
    for share in (0.8, 0.55, 0.3):
        c.ellipse(
            *(x2, y, r * 0.5 * share, r * share),
            stroke=darker(p.second, 0.4),
            stroke_width=3,
        )
    body = f"M{x1} {y - r}H{x2}A{r / 2} {r} 0 0 0 {x2} {y + r}H{x1}"
    body += f"A{r / 2} {r} 0 0 1 {x1} {y - r}Z"
    lit = [(0, p.second), (0.25, lighter(p.second, 0.6)), (1, darker(p.second, 0.35))]
    c.path(body, c.linear(lit, 0, y - r, 0, y + r))
    linen(c, body, darker(p.second, 0.4), (x1 - 40, y - r, x2 - x1 + 60, 2 * r))
    ring = f"M440 {y - r - 6}h56a30 {r + 6} 0 0 0 0 {2 * r + 12}h-56"
    ring += f"a30 {r + 6} 0 0 1 0 {-2 * r - 12}Z"
    wood = [(0, WOOD), (0.25, lighter(WOOD, 0.6)), (1, darker(WOOD, 0.45))]
    c.path(ring, c.linear(wood, 0, y - r, 0, y + r))


def dunes(c: Canvas, p: Palette) -> None:
    """The waves of the rug, wider the nearer they lie."""
    colours = (p.body, p.second, p.detail, p.body, mix(p.body, p.second, 0.6), p.body)
    y = 470.0
    for i, colour in enumerate(colours):
        tall = 30 + i * 9
        points = [
            (80 + k * 100, y + math.sin(k * 1.15 + i * 1.7) * (12 + i * 4))
            for k in range(9)
        ]
        lower = [(x, py + tall) for x, py in reversed(points)]
        c.path(smooth(points) + "L" + smooth(lower)[1:] + "Z", colour)
        y += tall * 1.05


def rolled(c: Canvas, p: Palette, x1, x2, y, r) -> None:
    """The rolled-up end of a rug, its spiral to the right."""
    body = f"M{x1} {y - r}H{x2}V{y + r}H{x1}A{r * 0.45} {r} 0 0 1 {x1} {y - r}Z"
    lit = [(0, p.body), (0.25, lighter(p.body, 0.5)), (0.55, p.body)]
    paint = c.linear(lit + [(1, darker(p.detail, 0.4))], 0, y - r, 0, y + r)
    c.path(body, paint)
    c.ellipse(x2, y, r * 0.45, r, darker(p.body, 0.18))
    spiral = [
        (x2 + 0.45 * r * s * math.cos(a), y + r * s * math.sin(a))
        for a, s in ((i * 0.5, 0.86 - i * 0.02) for i in range(40))
    ]
    c.line(smooth(spiral), darker(p.body, 0.55), 4)
    c.line(smooth(spiral), p.second, 3, transform="translate(-3 -3)")


def rail(c: Canvas, x1: float, x2: float, y: float) -> None:
    """A brass rail on two posts, before the wall."""
    for x in (x1 + 30, x2 - 30):
        c.ellipse(x + 10, y + 14, 30, 30, INK, opacity=0.25, filter=c.blur(8))
        c.path(disc(x, y, 28), c.radial([(0, "#f4dfae"), (1, BRASS)], x - 9, y - 9, 34))
    tube(c, f"M{x1} {y}H{x2}", 24, BRASS, metal=True)


def table(c: Canvas) -> None:
    """A wooden table seen from its short end."""
    for x in (150, 752):
        shadow(c, x + 29, 806, 60, 0.45)
        leg = c.linear(
            [(0, lighter(WOOD, 0.2)), (1, darker(WOOD, 0.4))], x, 0, x + 58, 0
        )
        c.path(polygon((x, 590), (x + 58, 590), (x + 50, 808), (x + 8, 808)), leg)
    top = polygon((250, 400), (710, 400), (856, 566), (104, 566))
    c.path(top, c.linear([(0, lighter(WOOD, 0.6)), (1, WOOD)], 150, 400, 800, 566))
    boards = "M365 400L292 566M595 400L668 566"
    c.line(boards, darker(WOOD, 0.35), 3, opacity=0.5)
    edge = c.linear([(0, WOOD), (1, darker(WOOD, 0.3))], 104, 0, 856, 0)
    c.path(box(104, 564, 752, 40, 6), edge)


def window(c: Canvas) -> None:
    """A window with the morning in it."""
    frame = box(200, 150, 560, 600, 6)
    shadow_below(c, frame, 8, 0.2)
    c.path(frame, "#f6ece2")
    for x in (224, 490):
        for y in (174, 456):
            sky = [(0, "#bcd6e2"), (0.6, "#f4e9cf"), (1, "#fbdcb4")]
            c.rect(x, y, 246, 270, c.linear(sky, y1=174, y2=726))
    c.rect(176, 748, 608, 30, "#efe0d3", round=5)
    c.rect(176, 770, 608, 10, darker("#efe0d3", 0.16), round=4)


def sheer(c: Canvas, p: Palette, x: float, wide: float, lean: float) -> None:
    """One curtain, light showing through it."""
    hem = [(x + lean + wide * i / 14, 871 if i % 2 else 857) for i in range(14, -1, -1)]
    d = f"M{x} 142H{x + wide}L" + smooth(hem)[1:] + "Z"
    c.path(d, INK, opacity=0.16, filter=c.blur(16), transform="translate(16 8)")
    c.path(d, lighter(p.body, 0.5), opacity=0.6)
    shade = mix(p.second, INK, 0.15)
    c.group(lambda: pleats(c, x, wide, lean, shade), clip_path=c.clip(d))
    for i in range(7):
        at = x + wide * (i + 0.5) / 7
        c.ellipse(at, 128, 15, 20, stroke=darker(BRASS, 0.2), stroke_width=6)
    c.path(d, c.linear([(0.88, INK, 0), (1, INK, 0.14)], y2=880))
    c.rect(x, 142, wide, 20, darker(p.body, 0.1), opacity=0.5)


def pleats(c: Canvas, x: float, wide: float, lean: float, shade: str) -> None:
    step = wide / 7
    stops = [(0, shade, 0.4), (0.3, shade, 0), (0.45, "#ffffff", 0.5)]
    stops += [(0.7, shade, 0), (1, shade, 0.4)]
    for i in range(7):
        left = x + step * i
        fall = f"M{left:.1f} 142h{step:.1f}l{lean} 740h{-step:.1f}Z"
        c.path(fall, c.linear(stops, left, 0, left + step, 0))


def groceries(c: Canvas) -> None:
    """What looks out of the bag: a loaf and some greens."""
    crust = "#c98b4e"
    loaf = "M572 420L640 176C654 146 704 162 700 196L650 420Z"
    c.path(
        loaf, c.linear([(0, lighter(crust, 0.3)), (1, darker(crust, 0.3))], 590, 0, 700)
    )
    for x, y in ((640, 228), (626, 280), (612, 332)):
        c.line(f"M{x} {y}q26 -8 46 10", lighter(crust, 0.6), 9)
    for angle, long in ((-34, 190), (-16, 250), (4, 220), (20, 190)):
        leaf(c, 346, 400, angle, long, 54, "#6b9256")


def strap(c: Canvas, d: str, colour: str, width=28.0) -> None:
    """A flat band of cloth along d, with a seam at each edge."""
    c.line(d, darker(colour, 0.35), width, stroke_linecap="butt")
    c.line(d, lighter(colour, 0.12), width - 5, stroke_linecap="butt")
    c.line(d, lighter(colour, 0.5), 2.5, stroke_dasharray="9 7", opacity=0.8)


def crease(c: Canvas, x: float, y: float, turn: float, clip: str) -> None:
    """A dent that runs from the corner of a cushion to its middle."""
    c.group(
        lambda: c.ellipse(
            *(x, y, 80, 9, INK),
            **{"opacity": 0.3, "filter": c.blur(9)},
            transform=f"rotate({turn} {x} {y})",
        ),
        clip_path=clip,
    )


# Cloth, of general use.


def rest(c: Canvas, x1: float, x2: float, y=FLOOR) -> None:
    """The shadow under something that lies flat on the floor from x1 to x2."""
    far = f"M{x1} {y - 14}H{x2}L{x2 + 110} {y + 10}L{x2 + 20} {y + 26}H{x1 + 16}Z"
    c.path(far, INK, opacity=0.3, filter=c.blur(16))
    c.path(
        box(x1 + 14, y - 12, x2 - x1 - 20, 22, 11), INK, opacity=0.5, filter=c.blur(6)
    )


def cloth(c: Canvas, d: str, colour: str, bounds: tuple) -> None:
    """The matt face of a piece of cloth; bounds are where its light runs."""
    stops = [(0, lighter(colour, 0.34)), (0.45, colour), (1, darker(colour, 0.24))]
    c.path(d, c.linear(stops, *bounds))


def fold(c: Canvas, x, y, width, tall, colour) -> None:
    """One layer of folded cloth, its round back seen from the front."""
    d = box(x, y, width, tall, tall * 0.48)
    stops = [(0, lighter(colour, 0.5)), (0.3, lighter(colour, 0.16))]
    stops += [(0.7, darker(colour, 0.06)), (1, darker(colour, 0.42))]
    c.path(d, c.linear(stops, 0, y, 0, y + tall))
    c.path(d, c.linear([(0.4, INK, 0), (1, INK, 0.2)], x, 0, x + width, 0))
    seam = f"M{x + width - tall * 0.2:.1f} {y + tall * 0.52:.1f}H{x + width * 0.62:.1f}"
    c.line(seam, darker(colour, 0.5), 3, opacity=0.35)


def folds(c: Canvas, d: str, xs, y1: float, y2: float, strength=0.2) -> None:
    """Soft falls of hanging cloth at each of xs, inside the outline d."""

    def draw() -> None:
        for i, x in enumerate(xs):
            run = (
                f"M{x} {y1 + i % 2 * 40}C{x + 6} {(y1 + y2) / 2} {x - 8} {y2} {x} {y2}"
            )
            c.line(run, INK, 26, opacity=strength, filter=c.blur(10))
            shift = "translate(-30 0)"
            c.line(run, "#fff", 20, opacity=strength, transform=shift, filter=c.blur(9))

    c.group(draw, clip_path=c.clip(d))


def fringe(c: Canvas, x1, x2, y, long, colour, step=16, knots=False) -> None:
    """Threads hanging from a level edge."""
    threads = knot = ""
    for i in range(int((x2 - x1) / step) + 1):
        x, bend = x1 + i * step, 4 * math.sin(i * 2.1)
        threads += f"M{x} {y - 4}q{bend:.1f} {long / 2} {-bend:.1f} {long}"
        threads += f"m5 -2q{-bend:.1f} {-long / 3:.1f} -3 {-long * 0.6:.1f}"
        knot += disc(x + 1, y + long * 0.26, step * 0.34)
    c.line(threads, INK, 6, opacity=0.2, transform="translate(5 5)")
    c.line(threads, darker(colour, 0.3), 7)
    c.line(threads, lighter(colour, 0.2), 4)
    if knots:
        c.path(knot, lighter(colour, 0.3), stroke=darker(colour, 0.3), stroke_width=2)


def linen(c: Canvas, d: str, colour: str, area: tuple, step=7) -> None:
    """The fine cross weave of linen or canvas."""
    x, y, width, tall = area
    threads = "".join(f"M{x} {y + i * step}h{width}" for i in range(int(tall / step)))
    threads += "".join(f"M{x + i * step} {y}v{tall}" for i in range(int(width / step)))
    c.line(threads, colour, 1.2, opacity=0.2, clip_path=c.clip(d))


def waffle(c: Canvas, d: str, colour: str, area: tuple) -> None:
    """The sunken squares of a waffle weave."""
    x, y, width, tall = area
    clip = c.clip(d)
    grid = "".join(f"M{x} {y + i * 15}h{width}" for i in range(int(tall / 15)))
    grid += "".join(f"M{x + i * 15} {y}v{tall}" for i in range(int(width / 15)))
    c.line(grid, colour, 3, opacity=0.24, clip_path=clip)


def herringbone(c: Canvas, d: str, colour: str, area: tuple, step=28) -> None:
    """Rows of slanting stitches that turn at every step."""
    x, y, width, tall = area
    marks = ""
    for col in range(int(width / step)):
        slope = step * 0.7 * (-1) ** col
        for row in range(int(tall / 11) + 3):
            marks += f"M{x + col * step} {y + row * 11}l{step} {slope:.1f}"
    c.line(marks, colour, 3, opacity=0.36, clip_path=c.clip(d))


def knit(c: Canvas, d: str, colour: str, area: tuple) -> None:
    """The small v's of a knitted face."""
    x, y, width, tall = area
    stitches = ""
    for row in range(int(tall / 13)):
        for col in range(int(width / 16)):
            stitches += f"M{x + col * 16} {y + row * 13}l8 8l8 -8"
    c.line(stitches, colour, 2.4, opacity=0.26, clip_path=c.clip(d))


def pillow(x, y, wide, tall, pull=0.07) -> str:
    """A stuffed square, its sides drawn in between four corners."""
    px, py = wide * pull, tall * pull
    return (
        f"M{x - wide} {y - tall}Q{x} {y - tall + py} {x + wide} {y - tall}"
        f"Q{x + wide - px} {y} {x + wide} {y + tall}"
        f"Q{x} {y + tall - py} {x - wide} {y + tall}"
        f"Q{x - wide + px} {y} {x - wide} {y - tall}Z"
    )


def hanging(x, y, wide, foot) -> str:
    """A towel over a rail: a round top edge, a hem that moves a little."""
    hem = [(x + wide + 6, foot), (x + wide * 0.7, foot + 10)]
    hem += [(x + wide * 0.35, foot - 3), (x - 6, foot + 7)]
    return (
        f"M{x + 4} {y}Q{x + wide / 2} {y - 8} {x + wide - 4} {y}" f"L{smooth(hem)[1:]}Z"
    )


def _rib(share: float, x: float, y: float, half: float) -> str:
    """One upright rib of a stuffed thing, bowed outward from the middle."""
    out = x + share * half * 0.93
    bow = share * half * 0.1
    return f"M{out:.1f} {y - half}Q{out + bow:.1f} {y} {out:.1f} {y + half}"


def _over(c: Canvas, y1: float, y2: float) -> str:
    """The light on cloth where it bends over an edge."""
    stops = [(0, "#fff", 0.1), (0.35, "#fff", 0.45), (0.6, "#fff", 0), (1, INK, 0.18)]
    return c.linear(stops, 0, y1, 0, y2)


def _mirror(points: tuple, side: int, soft=True) -> str:
    """An outline given to the right of the middle, on either side of it."""
    placed = [(MIDDLE + side * x, y) for x, y in points]
    return smooth(placed, closed=True) if soft else polygon(*placed)


SHAPES = (
    throw_blanket,
    cushion,
    linen_napkins,
    rug,
    tea_towel,
    bed_linen,
    tote_bag,
    table_runner,
    wool_socks,
    curtain,
    bath_robe,
)

"""Bathroom things: on a sweep, or lying flat, in cool mint and aqua."""

import math

from .colour import Palette, darker, lighter, mix
from .solids import (
    block,
    box,
    disc,
    flat,
    leaf,
    level,
    mouth,
    polygon,
    profile,
    rod_shadow,
    round_paint,
    smooth,
    speckle,
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
    glow,
    shadow,
    shadow_below,
    sweep,
    table_from_above,
)

AQUA = "#a3d0cd"
STEEL = "#b9c0c4"
LAID = "rotate(-42 480 480)"  # how long things lie across the table


def backdrop(c: Canvas) -> None:
    sweep(c, AQUA)


def towel_stack(c: Canvas, p: Palette) -> None:
    flat_foot(c, MIDDLE, FLOOR - 2, 300)
    pile = ((p.body, 0, 300), (p.second, 6, 292), (p.body, -6, 296), (p.detail, 2, 284))
    for i, (colour, shift, half) in enumerate(pile):
        towel(c, MIDDLE + shift - half, 654 - i * 98, 2 * half, 98, colour)
    rolled_towel(c, 300, 356, 330, 96, mix(p.second, p.body, 0.12))


def towel(c: Canvas, x, y, width, height, colour) -> None:
    d = box(x, y, width, height, height * 0.46)
    light = [(0, lighter(colour, 0.42)), (0.4, lighter(colour, 0.1))]
    c.path(d, c.linear([*light, (1, darker(colour, 0.32))], 0, y, 0, y + height))
    side = [(0, "#fff", 0.18), (0.5, "#fff", 0), (1, darker(colour, 0.7), 0.3)]
    c.path(d, c.linear(side, x, 0, x + width, 0))
    for share in (0.36, 0.66):
        fold = f"M{x + width - 10} {y + height * share:.1f}"
        fold += f"C{x + width * 0.8} {y + height * share + 6:.1f} "
        fold += f"{x + width * 0.7} {y + height * share - 4:.1f} {x + width * 0.56} "
        fold += f"{y + height * (share + 0.04):.1f}"
        c.line(fold, darker(colour, 0.5), 4, opacity=0.32)
    hem = f"M{x + width * 0.16} {y + 1}V{y + height - 1}"
    c.line(hem, darker(colour, 0.2), 26, opacity=0.3, stroke_linecap="butt")
    c.line(hem, lighter(colour, 0.5), 16, opacity=0.5, stroke_linecap="butt")
    terry(c, d, colour, x, y, width, height)


def terry(c: Canvas, d: str, colour, x, y, width, height) -> None:
    clip, rows = c.clip(d), ""
    for row in range(int(height / 9) + 1):
        rows += f"M{x + (row * 5.3) % 9:.1f} {y + row * 9:.1f}h{width}"
    loops = {"stroke_dasharray": "0.5 8.5", "clip_path": clip}
    c.line(rows, darker(colour, 0.6), 5, opacity=0.13, **loops)
    rows = rows.replace("M", "M-3 -3m")
    c.line(rows, lighter(colour, 0.8), 4, opacity=0.3, **loops)


def rolled_towel(c: Canvas, x, y, long, r, colour) -> None:
    y -= r * 0.42
    half = r * 0.58
    c.ellipse(x + long / 2, y + half, long * 0.55, 14, "#1d1b2a", opacity=0.3)
    body = f"M{x} {y - half}H{x + long}A{half * 0.5} {half} 0 0 1 {x + long} {y + half}"
    body += f"H{x}Z"
    light = [(0, lighter(colour, 0.2)), (0.3, lighter(colour, 0.55)), (0.6, colour)]
    paint = c.linear([*light, (1, darker(colour, 0.35))], 0, y - half, 0, y + half)
    c.path(body, paint)
    terry(c, body, colour, x, y - half, long + half, half * 2)
    c.ellipse(x, y, half * 0.56, half, lighter(colour, 0.2))
    for share in (0.86, 0.62, 0.38, 0.16):
        c.ellipse(
            *(x, y + half * (1 - share) * 0.1, half * 0.56 * share, half * share),
            **{"stroke": darker(colour, 0.4), "stroke_width": 4, "opacity": 0.5},
        )


def soap_bar(c: Canvas, p: Palette) -> None:
    flat_foot(c, MIDDLE, FLOOR + 2, 270)
    for x in (262, 640):
        c.path(box(x, 704, 60, 52, 10), darker(p.second, 0.45))
    block(c, 176, 660, 608, 58, 62, p.second, 14, darker(p.second, 0.5))
    for x in (300, 392, 484, 576, 668):
        slot = polygon((x - 4, 612), (x + 10, 612), (x + 12, 648), (x - 8, 648))
        c.path(slot, darker(p.second, 0.5), opacity=0.6)
    flat_foot(c, 484, 644, 196)
    side = "M264 540C258 600 268 640 312 646H648C692 640 702 600 696 540Z"
    paint = [(0, lighter(p.body, 0.3)), (0.4, p.body), (1, darker(p.body, 0.3))]
    c.path(side, c.linear(paint, 264, 520, 696, 646))
    top = "M318 478H642C704 478 716 512 696 542C676 566 640 572 600 572H360"
    top += "C320 572 284 566 264 542C244 512 256 478 318 478Z"
    face = [(0, lighter(p.body, 0.75)), (1, lighter(p.body, 0.12))]
    c.path(top, c.linear(face, 264, 478, 696, 572))
    c.ellipse(481, 527, 134, 27, lighter(p.body, 0.7), opacity=0.8)
    c.ellipse(480, 525, 134, 27, darker(p.body, 0.16), opacity=0.55)
    c.ellipse(482, 529, 128, 24, lighter(p.body, 0.3))
    c.line("M286 560C300 600 300 614 318 628", "#fff", 10, opacity=0.4)
    foam(c)


def foam(c: Canvas) -> None:
    around = ((706, 470, 38), (752, 520, 22), (668, 418, 20), (232, 604, 26))
    for x, y, r in (*around, (206, 640, 16), (262, 640, 18), (742, 430, 13)):
        bubble(c, x, y, r)


def bubble(c: Canvas, x: float, y: float, r: float) -> None:
    thin = [(0, "#fff", 0.1), (0.7, "#dff3f5", 0.2), (0.9, "#e6d9f2", 0.55)]
    c.ellipse(x, y, r, fill=c.radial([*thin, (1, "#ffffff", 0.9)], x, y, r))
    c.ellipse(x - r * 0.36, y - r * 0.4, r * 0.26, r * 0.16, "#fff", opacity=0.95)
    c.ellipse(x + r * 0.4, y + r * 0.44, r * 0.12, fill="#fff", opacity=0.7)


def soap_dispenser(c: Canvas, p: Palette) -> None:
    stand(c, 142)
    tube(c, f"M{MIDDLE} 300V176", 24, STEEL, metal=True)
    nozzle = "M516 172H404C366 172 352 184 350 214"
    tube(c, nozzle, 30, STEEL, metal=True)
    turned(c, [(146, 40), (158, 46), (192, 44)], STEEL, metal=True, gloss=0)
    level(c, 146, 40, STEEL)
    body = [(318, 52), (340, 76), (372, 128), (420, 150), (560, 154), (700, 152)]
    d = turned(c, [*body, (FLOOR, 140)], p.body, gloss=0.4)
    speckle(c, d, p.detail, 320, 330, 320, 440)
    turned(c, [(262, 56), (326, 62)], STEEL, metal=True, gloss=0)
    level(c, 262, 56, STEEL)
    for i in range(-4, 5):
        x = MIDDLE + 56 * math.sin(i * 0.32)
        c.line(f"M{x:.1f} 278V326", darker(STEEL, 0.5), 3, opacity=0.45)
    dip = profile([(622, 154), (700, 152), (FLOOR, 140)], open_top=True)
    c.path(dip, round_paint(c, p.second, MIDDLE, 154))
    c.path(box(412, 470, 116, 92, 10), lighter(p.body, 0.7), opacity=0.85)
    drop = (
        "M470 486C490 512 496 522 496 532A26 22 0 0 1 444 532C444 522 450 512 470 486Z"
    )
    c.path(drop, p.detail)


def bath_mat(c: Canvas, p: Palette) -> None:
    table_from_above(c, AQUA)
    turn = "translate(34 34) scale(.93) rotate(-9 480 480)"
    for x in (106, 838):
        ends = "".join(f"M{x} {y}h18" for y in range(252, 716, 14))
        c.line(ends, lighter(p.second, 0.2), 7, transform=turn)
    mat = box(120, 240, 720, 484, 18)
    shadow_below(c, mat, 12, transform=turn)
    c.group(lambda: mat_face(c, mat, p), transform=turn)


def mat_face(c: Canvas, mat: str, p: Palette) -> None:
    paint = [(0, lighter(p.body, 0.26)), (1, darker(p.body, 0.1))]
    c.path(mat, c.linear(paint, 120, 240, 840, 724))
    for x, wide in ((186, 22), (226, 50), (294, 22), (644, 22), (684, 50), (752, 22)):
        c.rect(x, 240, wide, 484, p.second if wide < 40 else p.detail)
    for row in range(27):
        y = 252 + row * 17.6
        tufts = f"M{128 + (row % 2) * 7} {y:.1f}H832"
        dashes = {"stroke_dasharray": "2 12", "opacity": 0.3}
        c.line(tufts, "#fff", 9, **dashes)
        dashes["opacity"] = 0.2
        c.line(tufts, "#1d1b2a", 9, transform="translate(5 6)", **dashes)
    edge = box(130, 250, 700, 464, 12)
    c.path(edge, stroke=darker(p.body, 0.25), stroke_width=4, opacity=0.6)
    c.path(mat, stroke=lighter(p.body, 0.6), stroke_width=3, opacity=0.6)


def toothbrush_cup(c: Canvas, p: Palette) -> None:
    stand(c, 160)
    lip = p.body
    mouth(c, 452, 168, lip, lip=0.05, inside=lip)
    toothbrush(c, 470, 660, -15, p.detail, 1)
    toothbrush(c, 520, 660, 17, mix(p.second, "#c79a63", 0.5), -1)
    body = [(452, 168), (600, 162), (700, 152), (FLOOR, 138)]
    front = profile(body, open_top=True)
    c.path(front, round_paint(c, p.body, MIDDLE, 168))
    streak = polygon((378, 470), (404, 474), (408, 740), (388, 734))
    c.path(streak, "#fff", opacity=0.4, filter=c.blur(7))
    dip = profile([(636, 160), (700, 152), (FLOOR, 138)], open_top=True)
    c.path(dip, round_paint(c, p.second, MIDDLE, 160))
    speckle(c, front, p.detail, 312, 470, 336, 300)
    rim = f"M312 452A168 {168 * TILT:.1f} 0 0 0 648 452"
    c.line(rim, darker(p.body, 0.12), 9)
    c.line(rim, lighter(p.body, 0.65), 5, transform="translate(0 -2)")


def toothbrush(c: Canvas, x, y, angle, colour, side) -> None:
    def draw() -> None:
        for i in range(6):
            tone = ("#ffffff", "#d9e6ea")[i % 2]
            c.rect(-52, -532 + i * 18, 46, 15, tone, round=4)
            c.rect(-52, -524 + i * 18, 46, 7, "#9fb6bd", round=3, opacity=0.5)
        tube(c, "M0 0C6 -140 6 -220 0 -330C-4 -380 0 -420 0 -524", 26, colour)
        c.line("M1 -60V-300", "#fff", 3, opacity=0.3)

    c.group(draw, transform=f"translate({x} {y}) rotate({angle}) scale({side} 1)")


def hand_mirror(c: Canvas, p: Palette) -> None:
    table_from_above(c, AQUA)
    turn = "rotate(24 480 480)"
    handle = "M436 560C462 600 462 616 454 640C444 676 458 700 456 730C452 790 436 850"
    handle += " 448 892C458 916 502 916 512 892C524 850 508 790 504 730C502 700 516 676"
    handle += " 506 640C498 616 498 600 524 560Z"
    frame = disc(MIDDLE, 350, 214, 260)
    for d in (handle, frame):
        shadow_below(c, d, 18, transform=turn)
    c.group(lambda: mirror_face(c, handle, frame, p), transform=turn)


def mirror_face(c: Canvas, handle: str, frame: str, p: Palette) -> None:
    wood = [(0, lighter(p.body, 0.5)), (0.5, p.body), (1, darker(p.body, 0.34))]
    c.path(handle, c.linear(wood, 440, 0, 524, 0))
    for y in (642, 730):
        c.line(f"M454 {y}Q480 {y + 10} 506 {y}", darker(p.body, 0.45), 5, opacity=0.6)
    c.path(frame, c.linear(wood, 270, 150, 690, 540))
    c.ellipse(480, 350, 207, 253, stroke=lighter(p.body, 0.6), stroke_width=4)
    c.ellipse(480, 350, 176, 222, darker(p.body, 0.5))
    silver = [(0, "#f8fcfc"), (0.4, "#d3e4e7"), (0.7, "#a7c3ca"), (1, "#dfecee")]
    glassy = disc(482, 352, 170, 216)
    c.path(glassy, c.linear(silver, 330, 160, 640, 560))
    c.group(lambda: reflection(c), clip_path=c.clip(glassy))


def reflection(c: Canvas) -> None:
    def branch() -> None:
        for i, angle in enumerate((-70, -30, 8, 44, 82)):
            leaf(c, 560 - i * 8, 560 - i * 44, angle - 20, 150, 32, "#7fa58f")

    c.group(branch, filter=c.blur(7), opacity=0.55)
    for left, wide in ((350, 70), (450, 22)):
        streak = ((left, 120), (left + wide, 120), (left + wide - 150, 600))
        c.path(polygon(*streak, (left - 150, 600)), "#fff", opacity=0.45)


def back_brush(c: Canvas, p: Palette) -> None:
    table_from_above(c, AQUA)
    head = "M60 480C60 400 120 372 210 372C310 372 352 410 392 446C420 462 440 466 480"
    head += " 464H850C892 462 900 498 850 498H480C440 496 420 498 392 514C352 550 310"
    head += " 588 210 588C120 588 60 560 60 480Z"
    shadow_below(c, head, 20, transform=LAID)

    def draw() -> None:
        wood = [(0, lighter(p.body, 0.45)), (0.5, p.body), (1, darker(p.body, 0.3))]
        c.path(head, c.linear(wood, 200, 372, 260, 588))
        wood_grain(c, head, p.detail, 60, 372, 840, 216)
        c.path(head, stroke=lighter(p.body, 0.6), stroke_width=3, opacity=0.6)
        bristles(c, 206, 480, 116, 82)
        c.ellipse(850, 481, 8, fill=darker(p.body, 0.6))

    c.group(draw, transform=LAID)
    loop = "M750 236C800 150 880 170 846 226C830 250 786 246 752 236"
    rod_shadow(c, loop, 8, 10, 0.3)
    tube(c, loop, 9, p.second)


def bristles(c: Canvas, x, y, rx, ry) -> None:
    c.ellipse(x + 4, y + 6, rx + 6, ry + 6, "#5d452c", opacity=0.55)
    c.ellipse(x, y, rx + 2, ry + 2, "#8f7650")
    for row in range(-7, 8):
        for column in range(-11, 12):
            across, down = column * 11 + (row % 2) * 5.5, row * 11.5
            if (across / rx) ** 2 + (down / ry) ** 2 > 0.94:
                continue
            c.line(f"M{x + across + 4} {y + down + 6}l-4 -8", "#c9b184", 8)
            c.ellipse(x + across - 1, y + down - 3, 4.2, fill="#f4e7c8")


def bath_tray(c: Canvas, p: Palette) -> None:
    bathtub(c)
    wood = p.body
    block(c, 92, 520, 776, 40, 62, wood, 10, p.detail)
    for x in (170, 754):
        c.path(box(x, 556, 36, 34, 8), darker(wood, 0.4))
    c.path("M92 560H868V566Q480 582 92 566Z", "#1d1b2a", opacity=0.12)
    cup_of_tea(c, 246, 500, p.second)
    open_book(c, 500, 500)
    shadow(c, 752, 496, 52, 0.4, 0.4)
    turned(c, [(400, 48), (420, 50), (494, 48)], mix(p.second, "#ffffff", 0.3), 752)
    mouth(c, 400, 48, p.second, 752, inside="#f3e7d2", fill=(0.9, "#f6ecd6"))
    glow(c, 752, 356, 110, strength=0.6)
    c.line("M752 402V384", "#3b2a20", 4)
    flame = "M752 318C774 350 770 388 752 388C734 388 730 350 752 318Z"
    c.path(flame, c.linear([(0, "#ffd071"), (0.6, "#fff3c9"), (1, "#f7a63c")], 0, 318))


def bathtub(c: Canvas) -> None:
    shadow(c, MIDDLE, 818, 270, 0.5)
    for x in (300, 660):
        turned(c, [(776, 34), (800, 22), (824, 28)], "#c79a4b", x, metal=True)
    shell = [(548, 372), (600, 366), (690, 330), (760, 286), (800, 220)]
    turned(c, shell, "#f6f5f1", gloss=0.4, tilt=0.14)
    mouth(c, 548, 384, "#ffffff", lip=0.07, tilt=0.2, inside="#dfe6e6")
    water = disc(MIDDLE, 552, 350, 64)
    c.path(water, "#8cc4c6")
    for i in range(80):
        across = 336 * math.sin(i * 2.4)
        reach = math.sqrt(1 - (across / 350) ** 2)
        down = (i / 80 * 62 - 8) * reach
        r = 16 + 16 * ((i * 0.618) % 1)
        x, y = MIDDLE + across, 536 + down
        foam = [(0, "#ffffff"), (0.7, "#f2fafa"), (1, "#cfe6e6")]
        paint = c.radial(foam, x - r * 0.3, y - r * 0.3, r * 1.3)
        c.ellipse(x, y, r, r * 0.9, paint)


def cup_of_tea(c: Canvas, x: float, y: float, colour: str) -> None:
    shadow(c, x, y, 60, 0.4, 0.4)
    handle = f"M{x - 52} {y - 86}C{x - 118} {y - 98} {x - 106} "
    tube(c, handle + f"{y - 22} {x - 46} {y - 28}", 16, colour)
    turned(c, [(y - 110, 66), (y - 50, 62), (y - 14, 50), (y, 42)], colour, x)
    mouth(c, y - 110, 66, colour, x, fill=(0.6, "#9c5a2a"))


def open_book(c: Canvas, x: float, y: float) -> None:
    shadow(c, x, y, 130, 0.4, 0.3)
    cover = polygon((x - 142, y + 6), (x + 142, y + 6), (x + 122, y - 66))
    c.path(cover[:-1] + f"L{x - 122} {y - 66}Z", "#a5604c")
    for side in (-1, 1):
        edge = f"M{x} {y - 64}Q{x + side * 60} {y - 96} {x + side * 116} {y - 70}"
        edge += f"L{x + side * 136} {y}Q{x + side * 66} {y - 30} {x} {y + 2}Z"
        page = [(0, "#d8cfbb"), (0.5, "#fffaf0"), (1, "#efe6d4")]
        c.path(edge, c.linear(page, x, 0, x + side * 136, 0))
        for i in range(4):
            up = y - 62 + i * 14
            words = f"M{x + side * 20} {up - 8}Q{x + side * 64} {up - 24} "
            words += f"{x + side * (104 + i * 3)} {up - 8}"
            c.line(words, "#8a8578", 3, opacity=0.5)


def laundry_basket(c: Canvas, p: Palette) -> None:
    stand(c, 205)
    mouth(c, 344, 246, p.body, lip=0.05, inside=darker(p.body, 0.25))
    washing(c, p)
    body = [(344, 246), (460, 240), (620, 222), (FLOOR, 196)]
    front = profile(body, open_top=True)
    c.path(front, round_paint(c, darker(p.body, 0.42), MIDDLE, 246))
    weave(c, front, p.body)
    for y, r in ((344, 248), (362, 248)):
        rim = f"M{MIDDLE - r} {y}A{r} {r * TILT:.1f} 0 0 0 {MIDDLE + r} {y}"
        tube(c, rim, 20, p.body)
    hanging_cloth(c, p.detail)
    for side in (-1, 1):
        x = MIDDLE + side * 240
        loop = f"M{x} 400C{x + side * 78} 400 {x + side * 70} 500 {x - side * 4} 492"
        tube(c, loop, 22, darker(p.body, 0.15))


def washing(c: Canvas, p: Palette) -> None:
    heap = [(240, 350), (270, 300), (350, 262), (430, 286), (500, 246), (600, 268)]
    heap += [(680, 300), (716, 350), (600, 392), (480, 398), (350, 390)]
    cloth = [(0, lighter(p.second, 0.5)), (1, darker(p.second, 0.3))]
    sheet = smooth([(420, 350), (470, 262), (560, 214), (650, 250), (700, 360)])
    linen = [(0, "#fbf8f1"), (1, "#c9cfcd")]
    c.path(sheet + "Z", c.linear(linen, 430, 220, 700, 360))
    c.path(smooth(heap, closed=True), c.linear(cloth, 240, 246, 716, 392))
    for fold in (
        "M330 286C380 320 400 340 410 372",
        "M520 262C540 300 600 330 640 336",
    ):
        c.line(fold, darker(p.second, 0.5), 7, opacity=0.3)


def weave(c: Canvas, d: str, colour: str) -> None:
    paint = round_paint(c, colour, MIDDLE, 246)

    def draw() -> None:
        for row in range(17):
            y = 372 + row * 24
            r = 246 - (row / 17) ** 1.6 * 52
            for i in range(-9, 10):
                turn = math.radians(i * 11 + (row % 2) * 5.5)
                x, wide = MIDDLE + r * math.sin(turn), 24 * math.cos(turn)
                if wide < 2:
                    continue
                down = y + r * TILT * math.cos(turn)
                cane = (x - wide, down - 10, 2 * wide - 3, 19)
                c.rect(*cane, paint, round=8)
                c.rect(x - wide * 0.7, down - 6, wide * 1.2, 4, "#fff", opacity=0.3)

    c.group(draw, clip_path=c.clip(d))
    shade = [(0.45, "#1d1b2a", 0), (1, "#1d1b2a", 0.4)]
    c.path(d, c.linear(shade, MIDDLE - 246, 0, MIDDLE + 246, 0))


def hanging_cloth(c: Canvas, colour: str) -> None:
    d = "M520 352C560 330 620 320 668 330L676 560C640 590 590 586 540 574Z"
    shadow_below(c, d, 8, 0.3)
    cloth = [(0, lighter(colour, 0.4)), (0.5, colour), (1, darker(colour, 0.25))]
    c.path(d, c.linear(cloth, 520, 320, 690, 590))
    for y in (508, 530):
        c.line(
            f"M534 {y}C580 {y + 12} 640 {y + 14} 674 {y - 8}", "#fff", 7, opacity=0.5
        )
    c.line("M592 340C596 420 590 500 596 578", darker(colour, 0.5), 9, opacity=0.25)
    terry(c, d, colour, 520, 320, 160, 270)


def sponge(c: Canvas, p: Palette) -> None:
    flat_foot(c, 470, FLOOR - 14, 200)
    edge = []
    for i in range(26):
        turn = math.tau * i / 26
        r = 1 + 0.03 * math.sin(i * 1.45) + 0.025 * math.cos(i * 2.417)
        flatten = 0.86 if math.sin(turn) > 0 else 1.0
        across, down = 300 * r * math.cos(turn), 212 * r * flatten * math.sin(turn)
        edge.append((470 + across, 566 + down))
    d = smooth(edge, closed=True)
    body = [(0, lighter(p.body, 0.5)), (0.5, p.body), (1, darker(p.body, 0.42))]
    c.path(d, c.radial(body, 370, 450, 460))
    c.group(lambda: pores(c, p), clip_path=c.clip(d))
    c.path(d, stroke=lighter(p.body, 0.5), stroke_width=3, opacity=0.5)
    around = ((690, 704, 52), (758, 724, 36), (812, 742, 22), (638, 738, 34))
    for x, y, r in (*around, (744, 668, 24), (724, 330, 30), (780, 268, 18)):
        bubble(c, x, y, r)


def pores(c: Canvas, p: Palette) -> None:
    for i in range(260):
        across, down = (i * 1.5097554) % 2 - 1, (i * 1.1396806) % 2 - 1
        far = math.hypot(across, down)
        x, y = 470 + 320 * across, 560 + 220 * down
        r = (4 + 12 * abs(math.sin(i * 12.9898)) ** 2) * max(0.4, 1.2 - 0.6 * far)
        tone = mix(p.body, darker(p.detail, 0.25), 0.55 + 0.4 * ((i * 0.57) % 1))
        c.ellipse(x + 1.5, y + 2.5, r * 1.16, r * 1.05, lighter(p.body, 0.6))
        c.ellipse(x, y, r * 1.12, r * 0.95, tone)
        c.ellipse(x - r * 0.1, y - r * 0.2, r * 0.8, r * 0.6, darker(tone, 0.3))


def wall_hook(c: Canvas, p: Palette) -> None:
    table_from_above(c, AQUA)
    board = box(110, 208, 740, 112, 26)
    flat(c, board, p.body, 14, (110, 208, 850, 320))
    wood_grain(c, board, p.detail, 110, 208, 740, 112)
    for x in (150, 810):
        c.ellipse(x, 264, 10, fill=darker(p.body, 0.4))
        c.ellipse(x - 1, 263, 8, fill=STEEL)
    peg(c, 260, p)
    peg(c, 480, p)
    hung_towel(c, 700, p)
    peg(c, 700, p)
    loop = "M480 300C430 360 456 420 476 452C500 420 528 360 480 300"
    rod_shadow(c, loop, 7, 10, 0.28)
    tube(c, loop, 9, p.detail)
    bath_brush(c, 478, 440, p)


def peg(c: Canvas, x: float, p: Palette) -> None:
    tone = mix(p.detail, "#c79a4b", 0.25)
    c.path(box(x - 22, 226, 44, 76, 20), darker(tone, 0.4), transform="translate(3 4)")
    c.path(box(x - 22, 226, 44, 76, 20), tone)
    arm = f"M{x} 262C{x} 330 {x + 4} 352 {x + 2} 300"
    rod_shadow(c, arm, 20, 12, 0.3)
    ball = [(0, lighter(tone, 0.75)), (0.4, tone), (1, darker(tone, 0.45))]
    c.ellipse(x + 10, 300, 30, fill="#1d1b2a", opacity=0.25, filter=c.blur(7))
    c.ellipse(x, 288, 29, fill=c.radial(ball, x - 9, 279, 44))


def hung_towel(c: Canvas, x: float, p: Palette) -> None:
    d = f"M{x} 284C{x - 60} 320 {x - 124} 470 {x - 132} 800C{x - 60} 826 {x + 50} 830 "
    d += f"{x + 136} 800C{x + 126} 470 {x + 62} 320 {x} 284Z"
    shadow_below(c, d, 18)
    tone = p.second
    folds = [(0, lighter(tone, 0.4)), (0.24, darker(tone, 0.12)), (0.4, tone)]
    folds += [(0.52, lighter(tone, 0.4)), (0.7, darker(tone, 0.2)), (0.84, tone)]
    c.path(d, c.linear([*folds, (1, darker(tone, 0.26))], x - 134, 0, x + 134, 0))
    for share in (-0.55, -0.1, 0.4):
        fold = f"M{x} 300C{x + share * 60:.0f} 440 {x + share * 150:.0f} 600 "
        c.line(fold + f"{x + share * 180:.0f} 800", darker(tone, 0.5), 6, opacity=0.22)
    for y in (716, 742):
        stripe = f"M{x - 140} {y}C{x - 40} {y + 24} {x + 50} {y + 26} {x + 140} {y}"
        c.line(stripe, p.detail, 12, opacity=0.75, clip_path=c.clip(d))
    terry(c, d, tone, x - 140, 300, 280, 520)


def bath_brush(c: Canvas, x: float, y: float, p: Palette) -> None:
    d = f"M{x - 12} {y}H{x + 12}L{x + 16} {y + 130}C{x + 66} {y + 150} {x + 72} "
    d += f"{y + 230} "
    d += f"{x + 66} {y + 270}C{x + 56} {y + 326} {x - 56} {y + 326} {x - 66} {y + 270}"
    d += f"C{x - 72} {y + 230} {x - 66} {y + 150} {x - 16} {y + 130}Z"
    shadow_below(c, d, 14)
    wood = mix(p.body, "#c79a63", 0.4)
    paint = [(0, lighter(wood, 0.4)), (0.5, wood), (1, darker(wood, 0.3))]
    c.path(d, c.linear(paint, x - 70, y, x + 70, y + 300))
    bristles(c, x, y + 226, 46, 68)


def flat_foot(c: Canvas, x: float, y: float, r: float) -> None:
    shade = [(0, "#1d1b2a", 0.5), (0.75, "#1d1b2a", 0.3), (1, "#1d1b2a", 0)]
    far = x + r * 0.3
    soft = [(0, "#1d1b2a", 0.24), (1, "#1d1b2a", 0)]
    c.ellipse(far, y, r * 1.4, 44, c.radial(soft, far, y, r * 1.4, 44 / r / 1.4))
    c.ellipse(x + 6, y, r * 1.1, 18, c.radial(shade, x + 6, y, r * 1.1, 18 / r / 1.1))


SHAPES = (
    towel_stack,
    soap_bar,
    soap_dispenser,
    bath_mat,
    toothbrush_cup,
    hand_mirror,
    back_brush,
    bath_tray,
    laundry_basket,
    sponge,
    wall_hook,
)

"""Tableware: stoneware on a sweep of sand-coloured paper."""

from .colour import Palette, darker, lighter
from .solids import (
    band,
    disc,
    level,
    mouth,
    profile,
    round_paint,
    speckle,
    stand,
    tube,
    turned,
)
from .studio import FLOOR, MIDDLE, TILT, Canvas, shadow, sweep


def backdrop(c: Canvas) -> None:
    sweep(c, "#d8c4a6")


def mug(c: Canvas, p: Palette) -> None:
    x = MIDDLE - 40
    shadow(c, x, FLOOR, 170)
    tube(c, f"M{x + 160} 455C{x + 330} 400 {x + 330} 690 {x + 150} 660", 44, p.body)
    body = [(370, 186), (520, 190), (660, 184), (725, 168), (FLOOR, 150)]
    d = turned(c, body, p.body, x)
    speckle(c, d, p.detail, x - 190, 380, 380, 380)
    raw = profile([(700, 177), (728, 167), (FLOOR, 150)], x)
    c.path(raw, round_paint(c, p.second, x, 178))
    mouth(c, 370, 186, p.body, x, inside=p.second, fill=(0.52, "#4a2c1b"))


def espresso_cup(c: Canvas, p: Palette) -> None:
    stand(c, 275)
    turned(
        c,
        [(712, 290), (719, 288), (730, 262), (744, 190), (752, 150)],
        p.body,
        gloss=0.1,
    )
    level(c, 712, 290, p.body)
    c.ellipse(MIDDLE, 716, 190, 190 * TILT, darker(p.body, 0.18), opacity=0.55)
    tube(c, "M610 520C745 470 735 655 590 640", 34, p.second)
    body = [(450, 160), (560, 156), (650, 130), (702, 98), (716, 92)]
    turned(c, body, p.second)
    mouth(c, 450, 160, p.second, inside=p.body, fill=(0.45, "#3b2114"))
    c.ellipse(455, 462, 62, 9, "#b98354", opacity=0.55)


def bowl(c: Canvas, p: Palette) -> None:
    stand(c, 190)
    turned(c, [(700, 120), (752, 132)], p.second, gloss=0)
    body = [(470, 300), (545, 284), (625, 230), (690, 160), (722, 128)]
    d = turned(c, body, p.body)
    speckle(c, d, p.detail, 180, 480, 600, 250, 90)
    mouth(c, 470, 300, p.body, lip=0.04, tilt=0.24, inside=p.second)


def plates(c: Canvas, p: Palette) -> None:
    stand(c, 290)
    for i, colour in enumerate((p.second, p.body, p.second, p.body)):
        y = 690 - i * 44
        turned(
            c,
            [(y, 325), (y + 9, 323), (y + 24, 296), (y + 44, 220), (y + 56, 170)],
            colour,
            gloss=0.12,
        )
        c.ellipse(MIDDLE, y, 325, 325 * TILT, lighter(colour, 0.45))
    y = 690 - 3 * 44
    mouth(c, y, 325, p.body, lip=0.03, inside=lighter(p.body, 0.4))
    c.ellipse(MIDDLE, y + 10, 235, 235 * TILT, lighter(p.body, 0.26))
    c.ellipse(
        *(MIDDLE, y + 9, 235, 235 * TILT), stroke=darker(p.body, 0.2), stroke_width=2
    )


def pitcher(c: Canvas, p: Palette) -> None:
    stand(c, 165)
    tube(c, "M560 330C760 300 740 610 620 630", 46, p.body)
    body = [(270, 128), (330, 112), (400, 124), (540, 184), (660, 182), (752, 140)]
    d = turned(c, body, p.body)
    c.path(
        "M372 262C330 250 300 236 286 222C292 270 330 312 372 332Z",
        c.linear([(0, lighter(p.body, 0.4)), (1, p.body)], 286, 222, 372, 332),
    )
    dip = profile([(596, 190), (660, 182), (752, 140)])
    c.path(dip, round_paint(c, p.second, MIDDLE, 190), clip_path=c.clip(d))
    mouth(c, 270, 128, p.body, inside=p.second)
    c.path("M360 262C330 250 300 236 286 222C320 226 372 240 420 252Z", p.body)
    c.path(
        "M372 268C340 254 312 240 292 228C330 234 380 244 430 256Z",
        darker(p.second, 0.35),
    )


def teapot(c: Canvas, p: Palette) -> None:
    stand(c, 200)
    tube(c, "M365 372C330 190 630 190 595 372", 26, p.second)
    c.path(
        "M640 600C740 590 742 470 800 420L836 440C812 520 800 690 630 690Z",
        c.linear(
            [(0, lighter(p.body, 0.25)), (0.5, p.body), (1, darker(p.body, 0.35))],
            *(700, 460, 800, 640),
        ),
    )
    c.ellipse(818, 430, 22, 11, darker(p.body, 0.45), transform="rotate(28 818 430)")
    body = [(385, 92), (430, 160), (520, 222), (620, 226), (700, 190), (752, 140)]
    d = turned(c, body, p.body)
    speckle(c, d, p.detail, 250, 390, 460, 360)
    turned(c, [(362, 40), (378, 92), (400, 104)], p.body, gloss=0.2)
    turned(c, [(322, 22), (340, 26), (362, 15)], p.second)
    level(c, 322, 22, p.second)


def butter_dish(c: Canvas, p: Palette) -> None:
    stand(c, 300)
    turned(c, [(712, 318), (722, 316), (738, 292), (752, 250)], p.second, gloss=0.1)
    level(c, 712, 318, p.second)
    dome = "M236 706V560C236 510 262 486 310 486H650C698 486 724 510 724 560V706Z"
    c.path(
        dome,
        c.linear(
            [(0, lighter(p.body, 0.45)), (0.45, p.body), (1, darker(p.body, 0.3))],
            *(240, 480, 720, 720),
        ),
    )
    c.path(
        "M262 560C262 524 282 508 320 508H640",
        **{"stroke": "#fff", "stroke_width": 9, "opacity": 0.5},
        stroke_linecap="round",
        filter=c.blur(3),
    )
    c.rect(236, 690, 488, 18, darker(p.body, 0.25), round=4, opacity=0.5)
    turned(c, [(432, 44), (448, 48), (470, 26), (490, 34)], p.second)
    level(c, 432, 44, p.second)


def cake_stand(c: Canvas, p: Palette) -> None:
    stand(c, 150)
    foot = [(540, 60), (600, 42), (670, 52), (725, 120), (752, 160)]
    turned(c, foot, p.body)
    turned(
        c,
        [(500, 330), (516, 329), (526, 318), (538, 240), (560, 66)],
        p.body,
        gloss=0.15,
    )
    level(c, 500, 330, p.body)
    c.ellipse(MIDDLE, 500, 300, 300 * TILT, stroke=darker(p.body, 0.18), stroke_width=3)
    shadow(c, 470, 494, 150, 0.4, 0.3)
    crumb = "#b9783f"
    turned(c, [(372, 150), (400, 160), (450, 156), (494, 128)], crumb, gloss=0.12)
    level(c, 372, 150, "#c98b4e")
    glaze = profile([(360, 152), (384, 160), (404, 162)])
    c.path(glaze, round_paint(c, "#f6ead8", MIDDLE, 162))
    for x, long in ((345, 26), (400, 44), (470, 30), (540, 48), (600, 22)):
        c.line(f"M{x} 410v{long}", "#f1e2cc", 26)
    level(c, 360, 152, "#f3e5d0")
    for x, y in ((420, 350), (480, 362), (540, 348), (478, 338)):
        turned(c, [(y - 16, 6), (y - 6, 15), (y + 8, 13)], p.detail, x, gloss=0.4)


def salt_pig(c: Canvas, p: Palette) -> None:
    stand(c, 190)
    body = [(330, 60), (356, 130), (430, 190), (560, 212), (680, 204), (752, 170)]
    d = turned(c, body, p.body)
    speckle(c, d, p.second, 270, 330, 420, 420, 60)
    x, y = 448, 516
    c.ellipse(x, y, 138, 122, lighter(p.body, 0.45))
    c.ellipse(
        *(x + 3, y + 4, 121, 106),
        c.linear(
            [(0, darker(p.body, 0.7)), (1, darker(p.body, 0.3))], x, y - 100, x, y + 110
        ),
    )
    salt = f"M{x - 104} {y + 58}C{x - 60} {y + 10} {x + 40} {y + 14} {x + 106} {y + 58}"
    salt += f"C{x + 70} {y + 122} {x - 66} {y + 122} {x - 104} {y + 58}Z"
    c.path(salt, c.linear([(0, "#ffffff"), (1, "#cfd0d4")], 0, y + 10, 0, y + 110))
    tube(c, f"M{x + 10} {y + 40}L{x + 70} {y - 66}", 18, p.detail)


def egg_cups(c: Canvas, p: Palette) -> None:
    for x, colour in ((330, p.body), (630, p.second)):
        shadow(c, x, FLOOR, 95)
        egg = [(400, 8), (414, 52), (470, 96), (540, 110), (590, 100)]
        turned(c, egg, "#e9cfb2", x, gloss=0.3)
        cup = [(560, 122), (600, 118), (650, 84), (684, 46), (712, 48), (752, 100)]
        turned(c, cup, colour, x)
        lip = f"M{x - 122} 560A122 {122 * TILT} 0 0 0 {x + 122} 560"
        c.line(lip, lighter(colour, 0.5), 6)


def beakers(c: Canvas, p: Palette) -> None:
    colours = (p.body, p.second, p.detail)
    for x, top, colour in zip((300, 500, 680), (390, 470, 545), colours):
        r = 118 - (top - 390) * 0.14
        shadow(c, x, FLOOR, r * 0.9)
        body = [(top, r), (top + 120, r * 0.97), (700, r * 0.86), (FLOOR, r * 0.78)]
        turned(c, body, colour, x)
        band(c, FLOOR - 46, 46, (r * 0.83, r * 0.78), lighter(colour, 0.5), x)
        mouth(c, top, r, colour, x, lip=0.08, inside=lighter(colour, 0.3))


def sugar_bowl(c: Canvas, p: Palette) -> None:
    stand(c, 170)
    body = [(480, 168), (560, 196), (650, 194), (720, 168), (752, 150)]
    d = turned(c, body, p.body)
    speckle(c, d, p.detail, 280, 480, 400, 280)
    tube(c, "M560 452C600 380 660 330 690 300", 16, p.second)
    c.path(disc(694, 294, 18, 14), lighter(p.second, 0.2))
    turned(c, [(436, 70), (458, 150), (484, 178)], p.body, gloss=0.25)
    turned(c, [(384, 34), (408, 38), (440, 20)], p.second)
    level(c, 384, 34, p.second)


SHAPES = (
    mug,
    espresso_cup,
    bowl,
    plates,
    pitcher,
    teapot,
    butter_dish,
    cake_stand,
    salt_pig,
    egg_cups,
    beakers,
    sugar_bowl,
)

"""Simple volumes in the studio's light, from which every product is built."""

import math

from .colour import INK, darker, lighter, mix
from .studio import FLOOR, MIDDLE, TILT, Canvas, shadow, shadow_below

Point = tuple[float, float]


# Outlines: functions that give the `d` of a path.


def smooth(points: list[Point], closed=False) -> str:
    """A soft curve through the points (Catmull-Rom, written as Béziers)."""
    count = len(points)

    def at(i: int) -> Point:
        return points[i % count] if closed else points[min(max(i, 0), count - 1)]

    d = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for i in range(count if closed else count - 1):
        before, start, end, after = at(i - 1), at(i), at(i + 1), at(i + 2)
        x1, y1 = (start[k] + (end[k] - before[k]) / 6 for k in (0, 1))
        x2, y2 = (end[k] - (after[k] - start[k]) / 6 for k in (0, 1))
        d += f"C{x1:.1f} {y1:.1f} {x2:.1f} {y2:.1f} {end[0]:.1f} {end[1]:.1f}"
    return d + ("Z" if closed else "")


def polygon(*points: Point) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def box(x, y, width, height, r=0.0) -> str:
    """A rectangle with round corners."""
    r = min(r, width / 2, height / 2)
    return (
        f"M{x + r:.1f} {y:.1f}h{width - 2 * r:.1f}a{r} {r} 0 0 1 {r} {r}"
        f"v{height - 2 * r:.1f}a{r} {r} 0 0 1 -{r} {r}h-{width - 2 * r:.1f}"
        f"a{r} {r} 0 0 1 -{r} -{r}v-{height - 2 * r:.1f}a{r} {r} 0 0 1 {r} -{r}Z"
    )


def disc(x, y, rx, ry=None) -> str:
    ry = rx if ry is None else ry
    return (
        f"M{x - rx:.1f} {y:.1f}a{rx:.1f} {ry:.1f} 0 1 1 {2 * rx:.1f} 0"
        f"a{rx:.1f} {ry:.1f} 0 1 1 {-2 * rx:.1f} 0Z"
    )


# Turned things: whatever a potter's wheel or a lathe can make.


def profile(
    points: list[tuple], x=MIDDLE, tilt=TILT, open_top=False, sharp=False
) -> str:
    """The outline of a turned body from (y, radius) points, top to bottom.

    `sharp` joins the points by straight lines instead of a curve.
    """
    (top, r_top), (bottom, r_bottom) = points[0], points[-1]
    right = [(x + r, y) for y, r in points]
    left = [(x - r, y) for y, r in reversed(points)]
    along = _straight if sharp else smooth
    d = along(right)
    d += f"A{r_bottom:.1f} {r_bottom * tilt:.1f} 0 0 1 {x - r_bottom:.1f} {bottom:.1f}"
    d += "L" + along(left)[1:]
    sweep = 0 if open_top else 1
    return d + f"A{r_top:.1f} {r_top * tilt:.1f} 0 0 {sweep} {x + r_top:.1f} {top:.1f}Z"


def _straight(points: list[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def round_paint(c: Canvas, colour: str, x: float, r: float, metal=False) -> str:
    """How light runs round an upright cylinder of one colour."""
    if metal:
        stops = [(0, darker(colour, 0.35)), (0.12, lighter(colour, 0.35))]
        stops += [(0.22, lighter(colour, 0.85)), (0.36, colour)]
        stops += [(0.62, darker(colour, 0.38)), (0.8, darker(colour, 0.1))]
        stops += [(0.92, lighter(colour, 0.4)), (1, darker(colour, 0.3))]
    else:
        stops = [(0, darker(colour, 0.1)), (0.1, lighter(colour, 0.16))]
        stops += [(0.28, lighter(colour, 0.4)), (0.5, colour)]
        stops += [(0.84, darker(colour, 0.34)), (1, darker(colour, 0.22))]
    return c.linear(stops, x - r, 0, x + r, 0)


def turned(
    c: Canvas,
    points: list[tuple],
    colour: str,
    x=MIDDLE,
    tilt=TILT,
    gloss=0.35,
    metal=False,
    sharp=False,
) -> str:
    """Draw a turned body and return its outline.

    `gloss` is the strength of the highlight; 0 leaves it matt.
    """
    d = profile(points, x, tilt, sharp=sharp)
    r = max(radius for _, radius in points)
    top, bottom = points[0][0], points[-1][0]
    c.path(d, round_paint(c, colour, x, r, metal))
    c.path(d, c.linear([(0.45, INK, 0), (1, INK, 0.2)], 0, top, 0, bottom + r * tilt))
    if gloss:
        streak = [(x - radius * 0.62, y) for y, radius in points]
        streak += [(x - radius * 0.46, y) for y, radius in reversed(points)]
        c.group(
            lambda: c.path(
                polygon(*streak), "#fff", opacity=gloss, filter=c.blur(max(r / 22, 3))
            ),
            clip_path=c.clip(d),
        )
    return d


def mouth(
    c: Canvas, y, r, colour, x=MIDDLE, lip=0.06, tilt=TILT, inside=None, fill=None
) -> None:
    """The open top of a turned body: lip, inner wall, and what it holds.

    `fill` is (share of the radius, colour) of a liquid's surface.
    """
    inside = inside or colour
    c.ellipse(
        *(x, y, r, r * tilt),
        c.linear(
            [(0, lighter(colour, 0.5)), (0.6, lighter(colour, 0.2))]
            + [(1, darker(colour, 0.1))],
            *(x - r, 0, x + r, 0),
        ),
    )
    inner = r * (1 - lip)
    hole = disc(x, y + r * tilt * 0.04, inner, inner * tilt * (1 - lip * 0.6))
    c.path(
        hole,
        c.linear(
            [(0, darker(inside, 0.5)), (0.55, darker(inside, 0.22))]
            + [(1, lighter(inside, 0.2))],
            *(x - inner, 0, x + inner, 0),
        ),
    )
    if fill:
        share, liquid = fill
        c.group(
            lambda: c.ellipse(
                *(x, y + r * tilt * (1.15 - share), inner * 0.98, inner * tilt * 0.95),
                c.linear(
                    [(0, darker(liquid, 0.15)), (1, lighter(liquid, 0.18))],
                    *(x - inner, 0, x + inner, 0),
                ),
            ),
            clip_path=c.clip(hole),
        )


def level(c: Canvas, y, r, colour, x=MIDDLE, tilt=TILT) -> None:
    """The closed, level top of a turned body."""
    c.ellipse(
        *(x, y, r, r * tilt),
        c.linear(
            [(0, lighter(colour, 0.6)), (1, darker(colour, 0.02))], x - r, 0, x + r, 0
        ),
    )


def band(c: Canvas, y, height, r, colour, x=MIDDLE, tilt=TILT, opacity=1.0) -> None:
    """A stripe round an upright cylinder; r may be (at the top, at the bottom)."""
    above, below = r if isinstance(r, tuple) else (r, r)
    d = (
        f"M{x - above} {y}A{above} {above * tilt} 0 0 0 {x + above} {y}"
        f"L{x + below} {y + height}"
        f"A{below} {below * tilt} 0 0 1 {x - below} {y + height}Z"
    )
    c.path(d, round_paint(c, colour, x, max(above, below)), opacity=opacity)


def speckle(c: Canvas, d: str, colour: str, x, y, width, height, count=70) -> None:
    """Flecks in a glaze, in a fixed scatter, inside the outline d."""
    flecks = ""
    for i in range(count):
        fx = x + width * ((i * 0.6180339) % 1)
        fy = y + height * ((i * 0.7548777 + 0.13) % 1)
        r = 1.2 + 2.2 * ((i * 0.5698403) % 1) ** 2
        flecks += disc(fx, fy, r)
    c.path(flecks, colour, opacity=0.4, clip_path=c.clip(d))


# Glass: the same bodies, seen through.


def glass(
    c: Canvas, points: list[tuple], colour: str, x=MIDDLE, tilt=TILT, depth=0.42
) -> str:
    """Draw a turned body of glass and return its outline. `depth` is its tint."""
    d = profile(points, x, tilt)
    r = max(radius for _, radius in points)
    edge, core = min(1, depth * 1.5), depth * 0.55
    c.path(
        d,
        c.linear(
            [(0, darker(colour, 0.3), edge), (0.09, colour, depth)]
            + [(0.3, lighter(colour, 0.4), core), (0.6, colour, core)]
            + [(0.9, darker(colour, 0.15), depth), (1, darker(colour, 0.35), edge)],
            *(x - r, 0, x + r, 0),
        ),
    )

    def lights() -> None:
        for left, right, opacity in ((0.78, 0.64, 0.75), (0.58, 0.54, 0.4)):
            streak = [(x - radius * left, y) for y, radius in points]
            streak += [(x - radius * right, y) for y, radius in reversed(points)]
            c.path(polygon(*streak), "#fff", opacity=opacity, filter=c.blur(3))
        streak = [(x + radius * 0.82, y) for y, radius in points]
        streak += [(x + radius * 0.9, y) for y, radius in reversed(points)]
        c.path(polygon(*streak), "#fff", opacity=0.5, filter=c.blur(3))

    c.group(lights, clip_path=c.clip(d))
    c.path(d, stroke=darker(colour, 0.3), stroke_width=2.5, stroke_opacity=0.5)
    return d


def rim(c: Canvas, y, r, colour, x=MIDDLE, tilt=TILT) -> None:
    """The open top of a glass."""
    c.ellipse(x, y, r, r * tilt, colour, opacity=0.22)
    c.ellipse(
        *(x, y, r, r * tilt), stroke=darker(colour, 0.25), stroke_width=4, opacity=0.7
    )
    c.path(
        f"M{x - r} {y}A{r} {r * tilt} 0 0 0"
        f" {x + r * 0.3:.1f} {y + r * tilt * 0.95:.1f}",
        **{"stroke": "#fff", "stroke_width": 3, "opacity": 0.8},
    )


def liquid(c: Canvas, points, colour, x=MIDDLE, tilt=TILT, opacity=0.85) -> None:
    """What a glass holds, from its level down, with the surface lit."""
    d = profile(points, x, tilt)
    r, y = points[0][1], points[0][0]
    widest = max(radius for _, radius in points)
    c.path(d, round_paint(c, colour, x, widest), opacity=opacity)
    c.ellipse(x, y, r, r * tilt, lighter(colour, 0.3), opacity=min(1, opacity + 0.1))


# Rods, cords, handles, arms, stems.


def tube(c: Canvas, d: str, width: float, colour: str, metal=False) -> None:
    """A round rod along d."""
    c.line(d, darker(colour, 0.36), width)
    shift = f"translate({-width * 0.07:.1f} {-width * 0.07:.1f})"
    c.line(d, colour, width * 0.76, transform=shift)
    shift = f"translate({-width * 0.16:.1f} {-width * 0.16:.1f})"
    c.line(
        *(d, lighter(colour, 0.8 if metal else 0.5), width * 0.24),
        **{"transform": shift, "opacity": 0.85},
    )


# Boards, blocks, boxes.


def block(c: Canvas, x, y, width, height, deep, colour, r=6.0, grain=None) -> None:
    """A box seen from the front and a little above; y is its front top edge."""
    inset = deep * 0.55
    c.path(
        polygon(
            (x + inset, y - deep),
            (x + width - inset, y - deep),
            (x + width, y + 2),
            (x, y + 2),
        ),
        c.linear(
            [(0, lighter(colour, 0.62)), (1, lighter(colour, 0.18))], x, 0, x + width, 0
        ),
        stroke=lighter(colour, 0.4),
        stroke_width=2,
        stroke_linejoin="round",
    )
    front = box(x, y, width, height, r)
    c.path(
        front,
        c.linear(
            [(0, lighter(colour, 0.2)), (0.5, colour), (1, darker(colour, 0.24))],
            *(x, y, x + width, y + height),
        ),
    )
    c.line(f"M{x + r} {y + 1.5}h{width - 2 * r}", lighter(colour, 0.7), 3, opacity=0.6)
    if grain:
        wood_grain(c, front, grain, x, y, width, height)


def wood_grain(c: Canvas, d: str, colour: str, x, y, width, height) -> None:
    """A few long grain lines inside the outline d."""
    lines = ""
    for i in range(7):
        gy = y + height * (i + 0.6) / 7
        bend = height * 0.05 * math.sin(i * 2.3)
        lines += (
            f"M{x:.1f} {gy:.1f}c{width * 0.3:.1f} {bend * 2:.1f} "
            f"{width * 0.6:.1f} {-bend * 3:.1f} {width:.1f} {bend:.1f}"
        )
    c.line(lines, colour, 2.5, opacity=0.28, clip_path=c.clip(d))


def stand(c: Canvas, r: float, y=FLOOR, x=MIDDLE, strength=0.5) -> None:
    """The shadow under what stands at the middle of the floor."""
    shadow(c, x, y, r, strength)


# Flat things, seen from above.


def flat(c: Canvas, d: str, colour: str, height=14.0, bounds=(200, 200, 760, 760)):
    """Something flat on the table: its shadow, its face, its lit edge."""
    shadow_below(c, d, height)
    c.path(
        d,
        c.linear([(0, lighter(colour, 0.24)), (1, darker(colour, 0.1))], *bounds),
    )
    c.path(d, stroke=lighter(colour, 0.6), stroke_width=2, opacity=0.5)


def rod_flat(c: Canvas, x1, y1, x2, y2, width, colour, metal=False, height=12) -> None:
    """A straight round rod lying on the table, without round ends."""
    d = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    rod_shadow(c, d, width, height)
    long = math.hypot(x2 - x1, y2 - y1)
    nx, ny = -(y2 - y1) / long * width / 2, (x2 - x1) / long * width / 2
    if nx + ny > 0:
        nx, ny = -nx, -ny
    mid_x, mid_y = (x1 + x2) / 2, (y1 + y2) / 2
    top = lighter(colour, 0.85 if metal else 0.5)
    paint = c.linear(
        [(0, darker(colour, 0.05)), (0.28, top), (0.5, colour)]
        + [(0.85, darker(colour, 0.36)), (1, darker(colour, 0.2))],
        *(mid_x + nx, mid_y + ny, mid_x - nx, mid_y - ny),
    )
    c.path(
        polygon(
            (x1 + nx, y1 + ny),
            (x2 + nx, y2 + ny),
            (x2 - nx, y2 - ny),
            (x1 - nx, y1 - ny),
        ),
        paint,
    )


def rod_shadow(c: Canvas, d: str, width: float, height=12.0, strength=0.34) -> None:
    c.line(
        *(d, INK, width),
        **{"opacity": strength, "filter": c.blur(height * 0.7)},
        transform=f"translate({height * 0.7:.1f} {height:.1f})",
    )


# Plants.


def leaf(c: Canvas, x, y, angle, long, wide, colour, vein=True) -> None:
    """A pointed leaf from (x, y); angle in degrees, 0 is straight up."""
    left = (
        f"M0 0C{-wide} {-long * 0.3:.1f} {-wide * 0.8:.1f} {-long * 0.75:.1f} 0 {-long}"
    )
    right = (
        f"M0 0C{wide} {-long * 0.3:.1f} {wide * 0.8:.1f} {-long * 0.75:.1f} 0 {-long}"
    )

    def draw() -> None:
        lit, dim = lighter(colour, 0.2), darker(colour, 0.2)
        if angle > 40:
            lit, dim = colour, darker(colour, 0.32)
        c.path(
            left + "Z", c.linear([(0, mix(lit, dim, 0.6)), (1, lit)], 0, 0, 0, -long)
        )
        c.path(right + "Z", c.linear([(0, darker(dim)), (1, dim)], 0, 0, 0, -long))
        if vein:
            c.line(f"M0 0V{-long * 0.92:.1f}", lighter(colour, 0.45), 2, opacity=0.5)

    c.group(draw, transform=f"translate({x:.1f} {y:.1f}) rotate({angle:.1f})")

"""The studio: a canvas that collects SVG, its backdrops, and its one light.

The light stands at the upper left in every picture, so shadows fall to the lower right.
Lengths are pixels on a square of SIZE.
"""

from collections.abc import Callable, Iterable

from .colour import INK, WARM_LIGHT, darker, lighter, mix

SIZE = 960
MIDDLE = SIZE / 2
FLOOR = 752  # where things stand
TILT = 0.17  # how round a level circle looks: height over width

Stops = Iterable[tuple]  # (offset, colour) or (offset, colour, opacity)


class Canvas:
    """Collects the definitions and the marks of one picture."""

    def __init__(self) -> None:
        self.definitions: list[str] = []
        self.marks: list[str] = []

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">'
            f'<defs>{"".join(self.definitions)}</defs>{"".join(self.marks)}</svg>'
        )

    # Paints. Each returns what a `fill` or `clip-path` attribute takes.

    def linear(self, stops: Stops, x1=0.0, y1=0.0, x2=0.0, y2=SIZE) -> str:
        return self._define(
            f'linearGradient gradientUnits="userSpaceOnUse" x1="{x1:.1f}" '
            f'y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"',
            _stops(stops),
        )

    def radial(self, stops: Stops, x: float, y: float, r: float, squash=1.0) -> str:
        return self._define(
            f'radialGradient gradientUnits="userSpaceOnUse" cx="0" cy="0" r="{r:.1f}" '
            f'gradientTransform="translate({x:.1f} {y:.1f}) scale(1 {squash:.3f})"',
            _stops(stops),
        )

    def clip(self, d: str) -> str:
        return self._define("clipPath", f'<path d="{d}"/>')

    def blur(self, amount: float) -> str:
        # Blurring costs by the area: little blur needs little margin. And sRGB, for
        # converting to linear light and back takes as long as blurring.
        margin = 60 if amount >= 8 else 25
        return self._define(
            f'filter x="-{margin}%" y="-{margin}%"'
            f' width="{100 + 2 * margin}%" height="{100 + 2 * margin}%"'
            ' color-interpolation-filters="sRGB"',
            f'<feGaussianBlur stdDeviation="{amount:.1f}"/>',
        )

    def _define(self, opening: str, inside: str) -> str:
        key = f"d{len(self.definitions)}"
        tag, _, attributes = opening.partition(" ")
        self.definitions.append(f'<{tag} id="{key}" {attributes}>{inside}</{tag}>')
        return f"url(#{key})"

    # Marks.

    def path(self, d: str, fill="none", **attributes) -> None:
        self.marks.append(f'<path d="{d}" fill="{fill}"{_written(attributes)}/>')

    def line(self, d: str, stroke: str, width: float, **attributes) -> None:
        ends = {"stroke_linecap": "round", "stroke_linejoin": "round"}
        self.path(d, stroke=stroke, stroke_width=width, **{**ends, **attributes})

    def ellipse(self, x, y, rx, ry=None, fill="none", **attributes) -> None:
        ry = rx if ry is None else ry
        self.marks.append(
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" '
            f'fill="{fill}"{_written(attributes)}/>'
        )

    def rect(self, x, y, width, height, fill="none", round=0.0, **attributes) -> None:
        self.marks.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="{round:.1f}" fill="{fill}"'
            f"{_written(attributes)}/>"
        )

    def group(self, draw: Callable[[], None], **attributes) -> None:
        """Put the marks that `draw` makes inside one group."""
        self.marks.append(f"<g{_written(attributes)}>")
        draw()
        self.marks.append("</g>")


def _written(attributes: dict) -> str:
    return "".join(
        f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items()
    )


def _stops(stops: Stops) -> str:
    written = []
    for offset, colour, *opacity in stops:
        alpha = f' stop-opacity="{opacity[0]}"' if opacity else ""
        written.append(f'<stop offset="{offset}" stop-color="{colour}"{alpha}/>')
    return "".join(written)


# Backdrops.


def sweep(c: Canvas, colour: str) -> None:
    """A paper sweep: the wall bends softly into the floor."""
    wall, floor = lighter(colour, 0.2), mix(colour, WARM_LIGHT, 0.42)
    c.rect(
        *(0, 0, SIZE, SIZE),
        c.linear(
            [(0, wall), (0.5, colour), (0.66, darker(colour, 0.05)), (0.78, floor)]
            + [(1, lighter(colour, 0.2))]
        ),
    )
    _key_light(c)


def counter(c: Canvas, colour: str, top: str) -> None:
    """A wall and a worktop with an edge between the two."""
    edge = 640
    c.rect(0, 0, SIZE, SIZE, c.linear([(0, lighter(colour, 0.16)), (0.7, colour)]))
    c.rect(0, edge - 46, SIZE, 46, _fade_up(c, edge, 46, 0.10))
    c.rect(
        *(0, edge, SIZE, SIZE - edge),
        c.linear([(0, lighter(top, 0.05)), (1, lighter(top, 0.34))], y1=edge),
    )
    c.rect(0, edge, SIZE, 3, lighter(top, 0.5), opacity=0.7)
    _key_light(c)


def dusk(c: Canvas, colour: str) -> None:
    """An evening room, for things that glow."""
    c.rect(
        *(0, 0, SIZE, SIZE),
        c.linear(
            [(0, darker(colour, 0.3)), (0.62, colour), (0.7, darker(colour, 0.12))]
            + [(0.8, lighter(colour, 0.1)), (1, darker(colour, 0.12))]
        ),
    )


def table_from_above(c: Canvas, colour: str) -> None:
    """A table top seen from above, for things that lie flat."""
    c.rect(
        *(0, 0, SIZE, SIZE),
        c.linear([(0, lighter(colour, 0.38)), (1, darker(colour, 0.07))], x2=SIZE),
    )
    _key_light(c)


def window_wall(c: Canvas, colour: str) -> None:
    """A sweep with the light of a window lying across the wall."""
    sweep(c, colour)
    panes = "".join(
        f"M{x} {y} l150 -34 v190 l-150 34 Z" for x in (330, 500) for y in (120, 332)
    )
    c.path(panes, WARM_LIGHT, opacity=0.34, filter=c.blur(7))


def plinth(c: Canvas, colour: str) -> None:
    """A sweep with a low round stone to stand small things on."""
    sweep(c, colour)
    stone = mix(colour, WARM_LIGHT, 0.55)
    y, r, deep = FLOOR + 4, 350, 60
    shadow(c, MIDDLE, y + deep, r * 1.02, 0.36)
    c.path(
        f"M{MIDDLE - r} {y} v{deep} a{r} {r * TILT} 0 0 0 {2 * r} 0 v-{deep} Z",
        c.linear(
            [(0, darker(stone, 0.12)), (0.3, lighter(stone, 0.25))]
            + [(0.7, darker(stone, 0.06)), (1, darker(stone, 0.28))],
            *(MIDDLE - r, 0, MIDDLE + r, 0),
        ),
    )
    c.ellipse(
        *(MIDDLE, y, r, r * TILT),
        c.linear(
            [(0, lighter(stone, 0.6)), (1, darker(stone, 0.04))],
            *(MIDDLE - r, 0, MIDDLE + r, 0),
        ),
    )


def _key_light(c: Canvas) -> None:
    """The pool of light at the upper left, and the falling off far from it."""
    c.rect(
        *(0, 0, SIZE, SIZE),
        c.radial([(0, WARM_LIGHT, 0.5), (1, WARM_LIGHT, 0)], 250, 210, 640),
    )
    c.rect(
        *(0, 0, SIZE, SIZE),
        c.radial([(0.62, INK, 0), (1, INK, 0.13)], 410, 400, 820),
    )


def _fade_up(c: Canvas, bottom: float, height: float, opacity: float) -> str:
    stops = [(0, INK, 0), (1, INK, opacity)]
    return c.linear(stops, 0, bottom - height, 0, bottom)


# Shadows.


def shadow(c: Canvas, x: float, y: float, r: float, strength=0.5, reach=1.0) -> None:
    """What something standing at (x, y), r wide each side, casts on the floor."""
    far = [(0, INK, strength * 0.5), (0.5, INK, strength * 0.24), (1, INK, 0)]
    far_x, far_r = x + r * 0.5 * reach, r * (1.15 + 0.5 * reach)
    c.ellipse(
        *(far_x, y + 8, far_r, far_r * 0.2), c.radial(far, far_x, y + 8, far_r, 0.2)
    )
    near = [(0, INK, strength), (0.7, INK, strength * 0.75), (1, INK, 0)]
    c.ellipse(
        *(x + 5, y + 3, r * 1.14, r * TILT * 1.5),
        c.radial(near, x + 5, y + 3, r * 1.14, TILT * 1.3),
    )


def shadow_below(c: Canvas, d: str, height=14.0, strength=0.34, **attributes) -> None:
    """What a flat outline casts when it lies `height` above the table."""

    def draw() -> None:
        c.path(d, INK, opacity=strength, filter=c.blur(height * 0.9), **attributes)
        c.path(d, INK, opacity=strength * 0.7, filter=c.blur(3), **attributes)

    c.group(draw, transform=f"translate({height * 0.8:.1f} {height:.1f})")


def glow(c: Canvas, x, y, r, colour="#ffdf9e", strength=0.75, squash=1.0) -> None:
    """Light that spreads from a lamp or a flame."""
    stops = [(0, colour, strength), (0.35, colour, strength * 0.42), (1, colour, 0)]
    c.ellipse(x, y, r, r * squash, c.radial(stops, x, y, r, squash))

"""From the name of a shape and of a palette to the bytes of a picture."""

import functools
from io import BytesIO

import resvg_py
from PIL import Image

from . import bath, desk, garden, glassware, kitchen, lighting, table, textiles
from .colour import PALETTES
from .studio import SIZE, Canvas

QUALITY = 86
ROOMS = (table, glassware, kitchen, lighting, textiles, bath, desk, garden)
SHAPES = {shape.__name__: (room, shape) for room in ROOMS for shape in room.SHAPES}


def picture(shape: str, palette: str) -> bytes:
    """Return a square WebP of SIZE pixels; the same arguments, the same bytes."""
    room, _ = SHAPES[shape]
    image = _backdrop(ROOMS.index(room)).copy()
    image.alpha_composite(_raster(draw(shape, palette)))
    out = BytesIO()
    image.convert("RGB").save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def draw(shape: str, palette: str) -> Canvas:
    """Return a shape in a palette, with nothing behind it."""
    canvas = Canvas()
    SHAPES[shape][1](canvas, PALETTES[palette])
    return canvas


@functools.cache
def _backdrop(room: int) -> Image.Image:
    """Half the work of a picture, and the same for its whole shelf."""
    canvas = Canvas()
    ROOMS[room].backdrop(canvas)
    return _raster(canvas)


def _raster(canvas: Canvas) -> Image.Image:
    png = resvg_py.svg_to_bytes(
        svg_string=canvas.svg(), width=SIZE, height=SIZE, skip_system_fonts=True
    )
    return Image.open(BytesIO(png)).convert("RGBA")

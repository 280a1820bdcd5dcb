"""From the name of a shape and of a palette to the bytes of a picture."""

from io import BytesIO

import resvg_py
from PIL import Image

from . import bath, desk, garden, glassware, kitchen, lighting, table, textiles
from .colour import PALETTES
from .studio import SIZE, Canvas

QUALITY = 86
ROOMS = (table, glassware, kitchen, lighting, textiles, bath, desk, garden)
SHAPES = {shape.__name__: (room, shape) for room in ROOMS for shape in room.SHAPES}


def draw(shape: str, palette: str) -> str:
    """Return the SVG of a shape in a palette, on the backdrop of its category."""
    room, function = SHAPES[shape]
    canvas = Canvas()
    room.backdrop(canvas)
    function(canvas, PALETTES[palette])
    return canvas.svg()


def picture(shape: str, palette: str) -> bytes:
    """Return a square WebP of SIZE pixels; the same arguments, the same bytes."""
    png = resvg_py.svg_to_bytes(
        svg_string=draw(shape, palette), width=SIZE, height=SIZE, skip_system_fonts=True
    )
    out = BytesIO()
    image = Image.open(BytesIO(png)).convert("RGB")
    image.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()

"""Draws small squares of a picture that somebody has sent, in a process of its own.

`project.pictures` starts it for one picture. The file comes on standard input, the
sides of the squares are the arguments. The answer is a line of JSON and then the
squares, as WebP. A picture can be made to need any amount of memory and time. Here both
have a limit, nobody waits behind it, and what was allocated is gone with the process.

It imports nothing of the shop, so that it starts in a tenth of a second.
"""

import contextlib
import json
import resource
import sys
from io import BytesIO

from PIL import Image, ImageCms, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
# Decoded, a JPEG takes little, as it is decoded at the smallest scale that will do; a
# PNG four bytes a pixel, and again as much to shrink it; a WebP five times as much.
MAX_PIXELS = {"JPEG": 50_000_000, "PNG": 40_000_000, "WEBP": 20_000_000}
MAX_RATIO = 10  # of the longer side to the shorter
MEMORY = 576 * 1024 * 1024  # bytes of address space, 60 MB of them code
CPU_S = 20

ORIENTATION, UPRIGHT = 0x0112, 1  # of EXIF
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Refused(Exception):
    """A picture that is not drawn; `code` says why, `params` how much would be."""

    def __init__(self, code: str, **params: int) -> None:
        super().__init__(code)
        self.code, self.params = code, params


# --- From the header --------------------------------------------------------------


def opened(data: bytes) -> Image.Image:
    """The picture, of which only the header has been read. Raises `Refused`."""
    Image.MAX_IMAGE_PIXELS = None  # ours are lower, and say more
    try:
        picture = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise Refused("not_a_picture") from None
    check(
        *picture.size, kind="JPEG" if picture.format == "MPO" else str(picture.format)
    )
    return picture


def check(width: int, height: int, *, kind: str) -> None:
    """Raises `Refused` if the picture is too large, or too long and thin."""
    limit = MAX_PIXELS[kind]
    if width * height > limit:
        raise Refused(
            "too_many_pixels", width=width, height=height, limit=limit // 1_000_000
        )
    if max(width, height) > MAX_RATIO * min(width, height):
        raise Refused("too_thin", width=width, height=height, limit=MAX_RATIO)


# --- Squares ----------------------------------------------------------------------


def squares(data: bytes, sides: list[int]) -> list[bytes]:
    """The middle of the picture as squares of `sides` pixels, but never larger than
    it is: upright, in the colours of sRGB, without metadata. Raises `Refused`."""
    picture = opened(data)
    side = min(max(sides), *picture.size)
    profile = picture.info.get("icc_profile")
    turn = TURNS.get(picture.getexif().get(ORIENTATION, UPRIGHT))
    picture.draft(None, (2 * side, 2 * side))
    middle = _shrunk(_plain(_middle(picture)), side)
    middle = _in_srgb(middle, profile)
    if turn is not None:
        middle = middle.transpose(turn)
    return [_encoded(_shrunk(middle, min(s, side))) for s in sides]


def _middle(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _plain(picture: Image.Image) -> Image.Image:
    """With eight bits for each channel, and transparency as a channel."""
    if picture.mode.startswith("I"):
        return _eight_bits(picture)
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Keep the upper 8 of 16 bits of grey. Pillow would cut off values above 255."""
    grey = picture.point(lambda value: value * (1 / 256)).convert("L")
    hole = picture.info.get("transparency")
    if not isinstance(hole, int):
        return grey
    seen = [255] * (1 << 16)
    seen[hole] = 0
    alpha = picture.convert("I").point(seen, "L")
    return Image.merge("LA", (grey, alpha)).convert("RGBA")


def _shrunk(picture: Image.Image, side: int) -> Image.Image:
    if picture.width <= side:
        return picture
    return picture.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """In the colours that browsers show where no profile says otherwise."""
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    if profile:
        # A profile that is broken, or of another kind of colours, is left out.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            converted = ImageCms.profileToProfile(
                picture.convert("RGB") if alpha else picture,
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            picture = converted or picture
    picture = picture.convert("RGB")
    if alpha:
        picture.putalpha(alpha)
    return picture


def _encoded(picture: Image.Image) -> bytes:
    # What came with the picture (where it was taken) is not pasted along.
    bare, data = Image.new(picture.mode, picture.size), BytesIO()
    bare.paste(picture)
    bare.save(data, "WEBP", quality=85)
    return data.getvalue()


# --- The process ------------------------------------------------------------------


def main() -> None:
    """Answer for the picture on standard input."""
    limit_memory_and_time()
    sides = [int(side) for side in sys.argv[1:]]
    made: list[bytes] = []
    answer: dict[str, object] = {}
    try:
        made = squares(sys.stdin.buffer.read(), sides)
    except Refused as refusal:
        answer = {"refused": refusal.code, "params": refusal.params}
    except MemoryError:
        answer = {"refused": "too_much_memory"}
    except Exception as error:  # Pillow raises whatever its decoders do
        answer = {"refused": "broken", "why": repr(error)[:200]}
    answer["sizes"] = [len(data) for data in made]
    sys.stdout.buffer.write(b"".join([json.dumps(answer).encode(), b"\n", *made]))


def limit_memory_and_time() -> None:
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_S)):
        with contextlib.suppress(ValueError, OSError):  # macOS takes none of memory
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()

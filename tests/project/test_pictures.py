"""Pictures that people send: what is refused unread, and what colours come out."""

import subprocess
import sys
import zlib
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageCms

from project import decoder, pictures
from tests.support.factories import make_picture

RED, BLUE, CLEAR = (255, 0, 0, 255), (0, 0, 255, 255), 0


def bytes_of(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    data = BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def drawn(data: bytes, side: int = 64) -> Image.Image:
    """The square, as browsers show it."""
    (made,) = decoder.squares(data, [side])
    return Image.open(BytesIO(made)).convert("RGBA")


def is_near(colour: tuple, other: tuple, by: int = 8) -> bool:
    return all(abs(a - b) <= by for a, b in zip(colour, other, strict=True))


# --- Refused by its header --------------------------------------------------------


@pytest.mark.parametrize(
    "size, kind, code",
    [
        ((20_000, 2), "PNG", "too_thin"),
        ((2, 20_000), "WEBP", "too_thin"),
        ((11, 1), "JPEG", "too_thin"),
        ((6320, 6320), "WEBP", "too_many_pixels"),
        ((8000, 5001), "PNG", "too_many_pixels"),
        ((10_000, 5001), "JPEG", "too_many_pixels"),
        ((2**31 - 1, 2**31 - 1), "PNG", "too_many_pixels"),
    ],
)
def test_picture_is_refused_by_its_size_alone(size, kind, code):
    with pytest.raises(decoder.Refused, match=code):
        decoder.check(*size, kind=kind)


@pytest.mark.parametrize(
    "size, kind",
    [
        ((10, 1), "PNG"),
        ((1, 1), "JPEG"),
        ((8160, 6120), "JPEG"),  # what telephones take
        ((8000, 5000), "PNG"),
        ((5000, 4000), "WEBP"),
    ],
)
def test_picture_of_a_sensible_size_is_taken(size, kind):
    decoder.check(*size, kind=kind)


def test_thin_picture_is_never_decoded(monkeypatch):
    thin = bytes_of(Image.new("1", (20_000, 2)))
    assert len(thin) < 204

    def decoded(*args):
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", decoded)

    with pytest.raises(decoder.Refused, match="too_thin"):
        decoder.squares(thin, [960])


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg/>", b"GIF89a" + bytes(40), bytes_of(Image.new("L", (9, 9)), "TIFF")],
)
def test_file_that_is_no_picture_of_ours_is_refused(data):
    with pytest.raises(decoder.Refused, match="not_a_picture"):
        decoder.squares(data, [64])


# --- Colours ----------------------------------------------------------------------


def test_grey_of_16_bits_stays_grey():
    ramp = Image.new("I;16", (64, 64), 32_768)

    assert is_near(drawn(bytes_of(ramp)).getpixel((9, 9)), (128, 128, 128, 255))


def test_grey_of_16_bits_keeps_its_hole():
    data = bytes_of(Image.new("I;16", (64, 64), 32_768))
    cut = data.index(b"IDAT") - 4
    hole = b"\0\0\0\x02tRNS\x80\0"
    crc = zlib.crc32(hole[4:]).to_bytes(4, "big")

    shown = drawn(data[:cut] + hole + crc + data[cut:])

    assert shown.getpixel((9, 9))[3] == CLEAR


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (64, 64), "red"),
        Image.new("RGB", (64, 64), "red").convert("P"),
        Image.new("RGB", (64, 64), "red").quantize(2),
        Image.new("RGBA", (64, 64), "red"),
    ],
    ids=lambda image: image.mode,
)
def test_red_stays_red(image):
    assert is_near(drawn(bytes_of(image)).getpixel((9, 9)), RED)


def test_red_of_printers_stays_red():
    data = bytes_of(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG", quality=95)

    assert is_near(drawn(data).getpixel((9, 9)), RED, by=20)


@pytest.mark.parametrize(
    "mode, colour, shown",
    [
        ("1", 1, (255, 255, 255, 255)),
        ("L", 100, (100, 100, 100, 255)),
        ("LA", (100, 255), (100, 100, 100, 255)),
    ],
)
def test_grey_stays_grey(mode, colour, shown):
    data = bytes_of(Image.new(mode, (64, 64), colour))

    assert is_near(drawn(data).getpixel((9, 9)), shown)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "RGB"])
def test_hole_stays_a_hole(mode):
    options = {} if mode in ("LA", "RGBA") else {"transparency": 0}
    if mode == "RGB":
        options = {"transparency": (0, 0, 0)}

    data = bytes_of(Image.new(mode, (64, 64)), **options)

    assert drawn(data).getpixel((9, 9))[3] == CLEAR


def swapped_profile() -> bytes:
    """sRGB with red and blue in each other's place: nobody overlooks it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"????"), (b"bXYZ", b"rXYZ"), (b"????", b"bXYZ")):
        profile = profile.replace(old, new, 1)
    return profile


@pytest.mark.parametrize(
    "image, kind",
    [
        (Image.new("RGB", (64, 64), "red"), "PNG"),
        (Image.new("RGB", (64, 64), "red"), "JPEG"),
        (Image.new("RGB", (64, 64), "red"), "WEBP"),
        (Image.new("RGBA", (64, 64), "red"), "PNG"),
        (Image.new("RGB", (64, 64), "red").quantize(2), "PNG"),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_colours_are_those_of_the_profile(image, kind):
    data = bytes_of(image, kind, icc_profile=swapped_profile())

    assert is_near(drawn(data).getpixel((9, 9)), BLUE, by=12)


@pytest.mark.parametrize("profile", [b"nonsense", swapped_profile()[:200]])
def test_profile_that_is_broken_is_left_out(profile):
    data = bytes_of(Image.new("RGB", (64, 64), "red"), icc_profile=profile)

    assert is_near(drawn(data).getpixel((9, 9)), RED)


def test_first_of_many_frames_is_shown():
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))

    for kind in ("PNG", "WEBP"):
        data = bytes_of(red, kind, save_all=True, append_images=[blue] * 3)
        assert is_near(drawn(data).getpixel((9, 9)), RED)


# --- The square -------------------------------------------------------------------


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (100, 100)])
def test_square_is_the_middle_and_never_larger_than_the_picture(size):
    image = Image.new("RGB", size, "blue")
    left, top = (size[0] - 100) // 2, (size[1] - 100) // 2
    image.paste("red", (left, top, left + 100, top + 100))

    shown = drawn(bytes_of(image), 960)

    assert shown.size == (100, 100)
    corners = [shown.getpixel(at) for at in ((2, 2), (97, 2), (2, 97), (97, 97))]
    assert all(is_near(corner, RED) for corner in corners)


@pytest.mark.parametrize(
    "orientation, corner",
    [
        *((1, (2, 2)), (2, (61, 2)), (3, (61, 61)), (4, (2, 61))),
        *((5, (2, 2)), (6, (61, 2)), (7, (61, 61)), (8, (2, 61))),
    ],
)
def test_square_is_upright(orientation, corner):
    image = Image.new("RGB", (64, 64), "blue")
    image.paste("red", (0, 0, 24, 24))
    exif = Image.Exif()
    exif[decoder.ORIENTATION] = orientation

    shown = drawn(bytes_of(image, "PNG", exif=exif))

    assert is_near(shown.getpixel(corner), RED, by=30)


def test_several_squares_are_drawn_of_one_picture():
    upload = make_picture("a.png", Image.new("RGB", (700, 500)))

    made = pictures.squares(upload, [320, 640], max_bytes=10_000)

    assert [Image.open(BytesIO(data)).size[0] for data in made] == [320, 500]


# --- The process ------------------------------------------------------------------


def test_decoder_takes_no_more_memory_than_it_may():
    code = (
        "import runpy, sys; d = runpy.run_path(sys.argv[1]);"
        "d['limit_memory_and_time'](); bytearray(d['MEMORY'])"
    )
    command = [sys.executable, "-I", "-c", code, str(pictures.DECODER)]

    done = subprocess.run(command, capture_output=True, text=True)

    assert "MemoryError" in done.stderr or sys.platform == "darwin"


def test_decoder_that_is_ended_refuses_the_picture(tmp_path, monkeypatch, caplog):
    ended = tmp_path / "decoder.py"
    ended.write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setattr(pictures, "DECODER", ended)

    with pytest.raises(pictures.PictureRefused, match="too much memory"):
        pictures.squares(make_picture(), [64], max_bytes=10_000)

    assert "The decoder ended with -9" in caplog.text


def test_picture_behind_another_is_refused_after_a_while(monkeypatch):
    monkeypatch.setattr(pictures, "PATIENCE_S", 0.01)

    with pictures._turn, pytest.raises(pictures.PictureRefused, match="in a minute"):
        pictures.squares(make_picture(), [64], max_bytes=10_000)

    assert pictures.squares(make_picture(), [64], max_bytes=10_000)


def test_picture_behind_two_others_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(pictures, "PATIENCE_S", 600)

    with pictures._line, pictures._line, pictures._turn:
        with pytest.raises(pictures.PictureRefused, match="in a minute"):
            pictures.squares(make_picture(), [64], max_bytes=10_000)


def test_picture_of_too_many_bytes_is_not_read():
    upload = SimpleUploadedFile("a.png", bytes(11))

    with pytest.raises(pictures.PictureRefused, match="limit is 10"):
        pictures.squares(upload, [64], max_bytes=10)

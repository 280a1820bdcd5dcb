"""The profile: name and picture."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from PIL import Image

from project import pictures as shop_pictures
from tests.support.concurrency import together
from tests.support.factories import make_picture, make_shopper, make_user
from tests.support.servers import wait_until
from users.models import User

PROFILE = "/users/profile/"


@pytest.fixture
def anna(client, db):
    anna = make_shopper(username="anna", email="anna@example.com")
    client.force_login(anna)
    return anna


def save(client, **data):
    return client.post(PROFILE, {"first_name": "", "last_name": ""} | data)


def pictures_in(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))


# --- The page ---------------------------------------------------------------------


@pytest.mark.django_db
def test_profile_requires_a_sign_in(client):
    assert client.get(PROFILE).url == f"/users/login/?next={PROFILE}"
    assert save(client).url == f"/users/login/?next={PROFILE}"


def test_profile_shows_the_state_of_the_account(client, anna):
    context = client.get(PROFILE).context

    stands = ["verified", "has_password", "second_factor", "session_count"]
    assert {name: context[name] for name in stands} == {
        "verified": True,
        "has_password": True,
        "second_factor": False,
        "session_count": 0,
    }
    assert context["addresses"] == context["accounts"] == []


@pytest.mark.django_db
def test_profile_of_an_unverified_person_with_a_second_factor_says_so(client):
    ben = make_user()
    ben.set_unusable_password()
    ben.save()
    Authenticator.objects.create(user=ben, type="totp", data={"secret": "x"})
    client.force_login(ben)

    page = client.get(PROFILE)

    assert not page.context["verified"] and not page.context["has_password"]
    assert page.context["second_factor"]
    assert 'action="/users/confirm-email/"' in page.text


# --- The name ---------------------------------------------------------------------


def test_profile_saves_the_name(client, anna):
    page = client.get(
        save(client, first_name="Anna", last_name="Núñez-O’Neil 安娜").url
    )

    anna.refresh_from_db()
    assert (anna.first_name, anna.last_name) == ("Anna", "Núñez-O’Neil 安娜")
    assert anna.get_short_name() == "Anna"
    assert "Your profile has been saved." in page.text


@pytest.mark.parametrize(
    "name", ["a" * 151, "An\x00na", "An\x1bna", "a\u2028b", "\u202ea"]
)
@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_profile_refuses_a_name_that_is_too_long_or_holds_control_characters(
    client, anna, field, name
):
    page = save(client, **{field: name})

    anna.refresh_from_db()
    assert field in page.context["form"].errors
    assert getattr(anna, field) == ""


def test_profile_changes_only_its_own_fields(client, anna):
    save(client, first_name="A", email="x@example.com", is_staff="on", username="boss")

    anna.refresh_from_db()
    assert (anna.email, anna.is_staff, anna.username) == (
        "anna@example.com",
        False,
        "anna",
    )


# --- The picture ------------------------------------------------------------------


def picture_of(user, settings) -> Image.Image:
    user.refresh_from_db()
    with Image.open(settings.MEDIA_ROOT / user.picture.name) as picture:
        picture.load()
    return picture


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_picture_becomes_a_square_webp_under_a_name_nobody_can_guess(
    client, anna, settings, ending
):
    save(client, picture=make_picture(f"me.{ending}", Image.new("RGB", (900, 500))))

    stored = picture_of(anna, settings)
    assert (stored.format, stored.size) == ("WEBP", (256, 256))
    folder, name = anna.picture.name.split("/")
    assert folder == "people" and name.endswith(".webp")
    assert len(name) > 24 and "anna" not in name and "me" != name[:2]
    assert anna.picture.url in client.get(PROFILE).text


@pytest.mark.django_db(transaction=True)
def test_picture_of_a_deleted_person_is_deleted(client, anna, settings):
    save(client, picture=make_picture())
    assert len(pictures_in(settings.MEDIA_ROOT)) == 1

    anna.refresh_from_db()
    anna.delete()

    assert pictures_in(settings.MEDIA_ROOT) == []


def test_picture_is_recognised_by_content_not_by_name(client, anna, settings):
    png = make_picture("me.png")
    png.name, png.content_type = "me.exe", "text/html"

    save(client, picture=png)

    assert picture_of(anna, settings).format == "WEBP"


def test_picture_is_turned_upright_and_loses_where_it_was_taken(client, anna, settings):
    lying = Image.new("RGB", (800, 400), "red")
    lying.paste("blue", (400, 0, 800, 400))  # at the right; turned upright, at the foot
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    exif.get_ifd(0x8825)[1] = "N"  # where
    upload = make_picture("me.jpg", lying, exif=exif, comment=b"at home", quality=95)
    assert b"Exif" in upload.read() and upload.seek(0) == 0

    save(client, picture=upload)

    stored = picture_of(anna, settings).convert("RGB")
    top, foot = stored.getpixel((128, 10)), stored.getpixel((128, 245))
    assert top[0] > 200 > 60 > top[2] and foot[2] > 200 > 60 > foot[0]
    raw = (settings.MEDIA_ROOT / anna.picture.name).read_bytes()
    assert not any(mark in raw for mark in (b"EXIF", b"Exif", b"XMP", b"at home"))


def test_picture_keeps_its_transparency(client, anna, settings):
    save(client, picture=make_picture("me.png", Image.new("RGBA", (300, 300))))

    assert picture_of(anna, settings).getpixel((9, 9))[3] == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16"])
def test_picture_in_any_colour_mode_is_accepted(client, anna, settings, mode):
    ending = "jpg" if mode == "CMYK" else "png"

    save(client, picture=make_picture(f"me.{ending}", Image.new(mode, (300, 300))))

    assert picture_of(anna, settings).size == (256, 256)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has nothing in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def half(upload: SimpleUploadedFile) -> bytes:
    data = upload.read()
    return data[: len(data) // 2]


NOISE = Image.effect_noise((400, 400), 99)
REFUSED = {
    "too large": (b"\xff" * (5 * 1024 * 1024 + 1), "The limit is 5.0\xa0MB"),
    "a text": (b"<svg onload=alert(1)>", "We can’t read this picture."),
    "a gif": (make_picture("a.gif").read(), "We can’t read this picture."),
    "40 million pixels and one row": (png_header(8000, 5001), "too many pixels"),
    "a bomb": (png_header(60_000, 60_000), "too many pixels"),
    "half a jpeg": (half(make_picture("a.jpg", NOISE)), "The picture is damaged."),
    "half a png": (half(make_picture("a.png", NOISE)), "The picture is damaged."),
    "half a webp": (half(make_picture("a.webp", NOISE)), "The picture is damaged."),
    "nothing but a header": (png_header(80, 80), "The picture is damaged."),
    "nothing": (b"", "The submitted file is empty."),
}


@pytest.mark.parametrize("data, message", REFUSED.values(), ids=REFUSED)
def test_picture_that_cannot_be_used_is_refused_with_the_reason(
    client, anna, settings, data, message
):
    page = save(client, first_name="A", picture=SimpleUploadedFile("me.jpg", data))

    (error,) = page.context["form"].errors["picture"]
    assert message in error and message in page.text.replace("&nbsp;", "\xa0")
    anna.refresh_from_db()
    assert not anna.picture and anna.first_name == ""
    assert pictures_in(settings.MEDIA_ROOT) == []


def test_picture_with_many_pixels_in_a_small_file_is_refused_at_once(client, anna):
    vast = BytesIO()  # lossless WebP, all of one colour: a few bytes
    Image.new("RGB", (6320, 6320)).save(vast, "WEBP", lossless=True, method=0)

    page = save(client, picture=SimpleUploadedFile("me.webp", vast.getvalue()))

    (error,) = page.context["form"].errors["picture"]
    assert "too many pixels: 6320 × 6320" in error


def test_pictures_of_one_person_are_limited_and_the_name_is_still_saved(client, anna):
    answers = [save(client, picture=make_picture()) for _ in range(6)]

    (error,) = answers[-1].context["form"].errors["picture"]
    assert [answer.status_code for answer in answers[:-1]] == [302] * 5
    assert "You’ve uploaded too many pictures." in error
    assert save(client, first_name="Anna").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_account_is_not_locked_while_its_picture_is_processed(client_of):
    anna = make_shopper()
    browser = client_of(anna)

    with ThreadPoolExecutor(1) as pool, shop_pictures._turn:  # another one is drawn
        waiting = pool.submit(save, browser, picture=make_picture())
        wait_until(lambda: shop_pictures._line._value == 1, "no upload waits", 20)
        with transaction.atomic():
            User.objects.select_for_update(nowait=True).get(pk=anna.pk)
            drawn_before = waiting.done()

    assert not drawn_before
    assert waiting.result().status_code == 302


def test_picture_replaces_the_old_one_after_the_commit(
    client, anna, settings, django_capture_on_commit_callbacks
):
    save(client, picture=make_picture())
    (old,) = pictures_in(settings.MEDIA_ROOT)

    with django_capture_on_commit_callbacks(execute=True):
        save(client, picture=make_picture())
        assert old in pictures_in(settings.MEDIA_ROOT)

    anna.refresh_from_db()
    assert pictures_in(settings.MEDIA_ROOT) == [anna.picture.name] != [old]


def test_picture_is_removed_when_asked(
    client, anna, settings, django_capture_on_commit_callbacks
):
    assert "remove_picture" not in client.get(PROFILE).context["form"].fields
    save(client, picture=make_picture())
    assert "remove_picture" in client.get(PROFILE).context["form"].fields

    with django_capture_on_commit_callbacks(execute=True):
        save(client, remove_picture="on")

    anna.refresh_from_db()
    assert not anna.picture
    assert pictures_in(settings.MEDIA_ROOT) == []


def test_picture_stays_when_only_the_name_is_saved(client, anna, settings):
    save(client, picture=make_picture())
    before = pictures_in(settings.MEDIA_ROOT)

    save(client, first_name="Anna")

    assert picture_of(anna, settings).size == (48, 48)  # never larger than it was
    assert pictures_in(settings.MEDIA_ROOT) == before


@pytest.mark.django_db(transaction=True)
def test_pictures_uploaded_at_once_leave_one_file(client_of, settings):
    anna = make_shopper()
    browsers = [client_of(anna) for _ in range(4)]

    together(lambda b=b: save(b, picture=make_picture()) for b in browsers)

    anna.refresh_from_db()
    assert pictures_in(settings.MEDIA_ROOT) == [anna.picture.name]

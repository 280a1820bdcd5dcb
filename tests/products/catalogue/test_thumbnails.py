"""Thumbnails: one for each picture, made once, gone when nobody shows it."""

import os
import shutil

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from PIL import Image

from products import tasks
from products.catalogue import services as catalogue
from products.catalogue import thumbnails
from products.models import Product
from project import pictures
from tests.support.factories import (
    NO_PICTURES,
    make_picture,
    make_product,
    make_user,
)

pytestmark = pytest.mark.django_db


def colour_of(product: Product) -> tuple[int, ...]:
    with default_storage.open(product.image_small.name) as file:
        return Image.open(file).convert("RGB").getpixel((5, 5))


def picture_of(colour: str, name: str):
    return make_picture(name, Image.new("RGB", (40, 40), colour))


def age(*names: str) -> None:
    """Two days ago, that is."""
    for name in names:
        path = default_storage.path(name)
        os.utime(path, (os.path.getmtime(path) - 48 * 3600,) * 2)


# --- Made -------------------------------------------------------------------------


def test_thumbnails_are_made_when_a_picture_is_saved_and_not_again():
    product = make_product(image=make_picture())
    names = [product.image_small.name, product.image_large.name]
    assert all(map(default_storage.exists, names))
    times = [default_storage.get_modified_time(name) for name in names]

    loaded = Product.objects.get(pk=product.pk)
    loaded.name = "Another name"
    catalogue.save(loaded)

    assert [default_storage.get_modified_time(name) for name in names] == times


def test_product_whose_picture_is_missing_can_be_saved(settings, caplog):
    product = make_product(image=make_picture())
    shutil.rmtree(settings.MEDIA_ROOT)
    product = Product.objects.get(pk=product.pk)
    product.name = "Jug"

    catalogue.save(product)
    tasks.make_missing_thumbnails()

    assert Product.objects.get(pk=product.pk).name == "Jug"
    assert caplog.text.count("the picture is missing") == 1


def test_thumbnails_have_their_size_or_that_of_a_smaller_picture():
    product = make_product(image=make_picture("a.png", Image.new("RGB", (700, 800))))

    specs = (product.image_small, product.image_medium, product.image_large)
    sizes = []
    for spec in specs:
        with default_storage.open(spec.name) as file, Image.open(file) as thumbnail:
            sizes.append(thumbnail.size)

    assert sizes == [(320, 320), (640, 640), (700, 700)]


@pytest.mark.parametrize(
    "stored",
    [
        make_picture("a.png", Image.new("1", (20_000, 2))).read(),
        make_picture("a.png").read()[:60],
        b"no picture",
    ],
    ids=["thin", "half", "text"],
)
def test_stored_picture_that_cannot_be_drawn_becomes_a_plain_square(stored, caplog):
    name = default_storage.save("products/old.png", ContentFile(stored))

    product = make_product(image=name)

    with default_storage.open(product.image_small.name) as file:
        assert Image.open(file).size == (320, 320)
    assert "No thumbnail of products/old.png" in caplog.text


def test_thumbnail_that_fails_temporarily_is_drawn_later(monkeypatch, caplog):
    monkeypatch.setattr(pictures, "PATIENCE_S", 0.01)
    with pictures._turn:
        product = make_product(image=make_picture())
    made_at_once = default_storage.exists(product.image_small.name)

    assert tasks.make_missing_thumbnails() == 1

    assert not made_at_once and default_storage.exists(product.image_small.name)
    assert "busy" in caplog.text
    assert tasks.make_missing_thumbnails() == 0


def test_upload_in_the_admin_is_decoded_once_outside_the_transaction(
    client, monkeypatch
):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    product = make_product()
    squares, inner_transactions = pictures.squares, []

    def drawn(file, sides, **options):
        inner_transactions.append(list(connection.savepoint_ids))
        return squares(file, sides, **options)

    monkeypatch.setattr(pictures, "squares", drawn)
    form = {"name": "Jug", "sku": "J", "price": "1", "category": product.category_id}
    form |= NO_PICTURES

    response = client.post(
        f"/admin/products/product/{product.pk}/change/",
        form | {"image": picture_of("blue", "jug.png")},
    )

    product.refresh_from_db()
    assert response.status_code == 302
    assert inner_transactions == [[]]
    assert colour_of(product)[2] > 240


def test_upload_without_the_right_to_change_is_not_decoded(client, monkeypatch):
    onlooker = make_user(is_staff=True)
    onlooker.user_permissions.set(Permission.objects.filter(codename="view_product"))
    client.force_login(onlooker)
    product = make_product()
    drawn = []
    monkeypatch.setattr(thumbnails, "draw", lambda *args, **options: drawn.append(1))

    answer = client.post(
        f"/admin/products/product/{product.pk}/change/", {"image": make_picture()}
    )

    assert (answer.status_code, drawn) == (403, [])


def test_uploads_in_the_admin_are_rate_limited(client, settings):
    settings.ACCOUNT_RATE_LIMITS |= {"product_picture": "1/m/user"}
    client.force_login(make_user(is_staff=True, is_superuser=True))
    product = make_product()
    page = f"/admin/products/product/{product.pk}/change/"

    answers = [client.post(page, {"image": make_picture()}) for _ in range(2)]

    refused = [
        "You’ve uploaded too many pictures." in answer.text for answer in answers
    ]
    assert refused == [False, True]


# --- Names ------------------------------------------------------------------------


def test_pictures_with_different_extensions_have_their_own_thumbnails():
    looks = {"mug.jpg": "red", "mug.png": "lime", "mug.webp": "blue"}
    for name, colour in looks.items():
        default_storage.save(f"products/{name}", picture_of(colour, name))

    mugs = [make_product(image=f"products/{name}") for name in looks]

    assert [max(range(3), key=colour_of(mug).__getitem__) for mug in mugs] == [0, 1, 2]
    assert len({mug.image_small.name for mug in mugs}) == 3


@pytest.mark.parametrize("name", ["lamp.png", "lamp.jpg", "lamp.webp"])
def test_picture_that_was_replaced_shows_the_new_one(name):
    product = make_product(image=picture_of("red", "lamp.jpg"))
    old = (product.image.name, product.image_small.url)
    default_storage.delete(product.image.name)  # so that its name is free again

    product.image = picture_of("blue", name)
    product.save()

    assert colour_of(product)[2] > 240
    assert product.image.name != old[0] and product.image_small.url != old[1]


def test_name_of_an_upload_is_short_and_unique():
    names = {thumbnails.upload_name(Product(), "a" * 300 + ".PNG") for _ in range(9)}

    assert len(names) == 9
    assert all(len(n) < 80 and n.endswith(".png") for n in names)


# --- Gone -------------------------------------------------------------------------


def test_old_thumbnails_of_a_replaced_picture_are_deleted_after_a_day():
    product = make_product(image=picture_of("red", "lamp.jpg"))
    old = [product.image_small.name, product.image_large.name]
    product.image = picture_of("blue", "lamp.png")
    product.save()

    at_once = tasks.forget_old_thumbnails()
    still_there = default_storage.exists(old[0])
    age(*old, product.image_small.name)
    later = tasks.forget_old_thumbnails()

    assert (at_once, still_there, later) == (0, True, 2)
    assert not any(map(default_storage.exists, old))
    assert default_storage.exists(product.image_small.name)


def test_thumbnails_of_an_earlier_version_are_deleted_and_pictures_stay():
    product = make_product(image=make_picture())
    folder = thumbnails.folder_of(product.image.name)
    other = default_storage.save(f"{folder}/320-1.webp", ContentFile(b"old"))
    age(other, product.image.name)

    assert tasks.forget_old_thumbnails() == 1

    assert not default_storage.exists(other)
    assert default_storage.exists(product.image.name)


def test_forget_old_thumbnails_of_an_empty_storage_deletes_nothing():
    assert tasks.forget_old_thumbnails() == 0

"""Several pictures of a product: their order, their page and the admin's forms."""

import re

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from PIL import Image

from products.catalogue import services as catalogue
from products.models import Product, ProductImage
from tests.support.admin_forms import form_values
from tests.support.factories import make_picture, make_product, make_user

pytestmark = pytest.mark.django_db


def make_gallery(*texts: str) -> Product:
    """A product with a picture for each alternative text."""
    product = make_product()
    new = [
        ProductImage(file=stored(f"{number}.png"), alt=text, position=None)
        for number, text in enumerate(texts)
    ]
    catalogue.save_pictures(product, new=new)
    return product


def stored(name: str) -> str:
    return default_storage.save(f"products/{name}", make_picture(name))


def texts_of(product: Product) -> list[str]:
    return [picture.alt for picture in product.pictures.all()]


# --- The first picture ------------------------------------------------------------


def test_image_of_a_new_product_is_its_first_picture():
    product = make_product(image=make_picture())

    assert [p.file.name for p in product.pictures.all()] == [product.image.name]


def test_another_image_replaces_the_first_picture_and_no_other():
    product = Product.objects.get(pk=make_gallery("front", "back").pk)
    back = product.pictures.last().file.name

    product.image = make_picture("other.png")
    product.save()

    names = [picture.file.name for picture in product.pictures.all()]
    assert names == [product.image.name, back] and texts_of(product)[1] == "back"


def test_product_without_its_image_shows_the_next_picture():
    product = Product.objects.get(pk=make_gallery("front", "back").pk)

    product.image = ""
    product.save()

    product.refresh_from_db()
    assert texts_of(product) == ["back"]
    assert product.image.name == product.pictures.get().file.name


def test_picture_that_moves_to_the_front_becomes_the_image():
    product = make_gallery("front", "back")
    front, back = product.pictures.all()

    catalogue.save_pictures(product, changes={front.pk: {"position": 9}})

    product.refresh_from_db()
    assert texts_of(product) == ["back", "front"]
    assert product.image.name == back.file.name


def test_product_whose_pictures_are_deleted_has_no_image():
    product = make_gallery("front", "back")
    keys = [picture.pk for picture in product.pictures.all()]

    catalogue.save_pictures(product, deleted=keys)

    product.refresh_from_db()
    assert not product.image and not product.pictures.exists()


def test_pictures_have_thumbnails_of_all_sizes():
    for picture in make_gallery("front", "back").pictures.all():
        for size in ("small", "medium", "large"):
            assert default_storage.exists(getattr(picture, f"image_{size}").name)


# --- The page ---------------------------------------------------------------------


def test_page_shows_the_pictures_in_order_with_their_texts_and_sizes(client):
    product = make_gallery("front", "")
    front, back = product.pictures.all()

    page = client.get(product.get_absolute_url()).text

    pattern = r'id="picture-(\d)"><img[^>]* src="([^"]+)"[^>]* alt="([^"]*)'
    shown = re.findall(pattern, page)
    assert shown == [
        ("1", front.image_medium.url, "front"),
        ("2", back.image_medium.url, product.name),
    ]
    assert f"{back.image_large.url} 960w" in page
    assert re.findall(r'href="#picture-(\d)"', page) == ["1", "2"]


def test_page_of_one_picture_has_its_text_and_no_gallery(client):
    product = make_gallery("A lamp from the front")

    page = client.get(product.get_absolute_url()).text

    assert 'alt="A lamp from the front"' in page and "gallery" not in page


def test_pictures_cost_a_page_no_query(client, django_assert_num_queries):
    one, many = make_gallery("front"), make_gallery("a", "b", "c")
    with django_assert_num_queries(1):
        rows = Product.objects.with_offers().with_gallery()
        lengths = {row.pk: len(row.gallery) for row in rows}

    assert lengths == {one.pk: 1, many.pk: 3}


# --- The admin --------------------------------------------------------------------


@pytest.fixture
def ann() -> Client:
    return staff("ann")


@pytest.fixture
def ben() -> Client:
    return staff("ben")


def staff(name: str) -> Client:
    client = Client()
    client.force_login(make_user(username=name, is_staff=True, is_superuser=True))
    return client


def page_of(product: Product) -> str:
    return f"/admin/products/product/{product.pk}/change/"


def opened(client: Client, product: Product) -> dict:
    """What a browser sends if its form is sent as it was shown."""
    return form_values(client.get(page_of(product)).text)


def test_staff_add_a_picture_which_comes_last(ann):
    product = make_gallery("front")
    form = opened(ann, product)

    upload = make_picture("b.png", Image.new("RGB", (500, 400)))
    answer = ann.post(
        page_of(product),
        form | {"pictures-1-file": upload, "pictures-1-alt": "back"},
    )

    assert answer.status_code == 302, answer.context["errors"]
    assert texts_of(product) == ["front", "back"]
    assert default_storage.exists(product.pictures.last().image_small.name)


def test_staff_put_pictures_in_another_order_and_delete_one(ann):
    product = make_gallery("front", "back", "side")
    form = opened(ann, product)

    answer = ann.post(
        page_of(product),
        form | {"pictures-2-position": "0", "pictures-0-DELETE": "on"},
    )

    assert answer.status_code == 302, answer.context["errors"]
    product.refresh_from_db()
    assert texts_of(product) == ["side", "back"]
    assert product.image.name == product.pictures.first().file.name


def test_refused_picture_is_reported_and_nothing_is_saved(ann):
    product = make_gallery("front")
    fake = make_picture("b.png")
    fake.file.seek(0)
    fake.file.write(b"<html>")

    answer = ann.post(
        page_of(product),
        opened(ann, product) | {"pictures-1-file": fake, "pictures-0-alt": "new"},
    )

    assert "We can’t read this picture." in answer.text
    assert texts_of(product) == ["front"]


def test_two_people_who_change_different_things_both_keep_them(ann, ben):
    product = make_gallery("front", "back")
    anns, bens = opened(ann, product), opened(ben, product)

    ann.post(page_of(product), anns | {"pictures-1-alt": "from behind"})
    answer = ben.post(page_of(product), bens | {"pictures-1-position": "0"})

    assert answer.status_code == 302, answer.context["errors"]
    assert texts_of(product) == ["from behind", "front"]


def test_second_of_two_people_who_change_the_same_text_is_told(ann, ben):
    product = make_gallery("front")
    anns, bens = opened(ann, product), opened(ben, product)

    ann.post(page_of(product), anns | {"pictures-0-alt": "by Ann"})
    answer = ben.post(page_of(product), bens | {"pictures-0-alt": "by Ben"})

    assert "by Ann" in answer.text and answer.status_code == 200
    assert texts_of(product) == ["by Ann"]

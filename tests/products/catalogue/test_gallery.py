"""Several pictures of a product: their order, their page and the admin's forms."""

import re
from pathlib import PurePosixPath

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from products.catalogue import services as catalogue
from products.live import baskets
from products.models import Basket, Product, ProductImage, Variant
from tests.products.catalogue.test_views import structured
from tests.support.admin_forms import form_values
from tests.support.factories import (
    make_basket,
    make_options,
    make_order,
    make_picture,
    make_product,
    make_user,
    make_variant,
)

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

    pattern = r'id="picture-(\d)"\s*><img[^>]* src="([^"]+)"[^>]* alt="([^"]*)'
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


# --- Pictures of variants ---------------------------------------------------------


@pytest.fixture
def mugs() -> list[Variant]:
    """A mug with a picture for each of two colours, and one for none."""
    mugs = make_options(
        {"sku": "M-TS", "option_values": ["S", "Tide"]},
        {"sku": "M-CS", "option_values": ["S", "Chalk"]},
        {"sku": "M-TL", "option_values": ["L", "Tide"]},
        {"sku": "M-CL", "option_values": ["L", "Chalk"]},
        {"sku": "M-ML", "option_values": ["L", "Moss"]},
        names=["Size", "Colour"],
        slug="mug",
        name="Mug",
    )
    pictures = [("tide", mugs[0]), ("chalk", mugs[1]), ("box", None)]
    new = [
        ProductImage(file=stored(f"{text}.png"), alt=text, position=None, variant=whose)
        for text, whose in pictures
    ]
    catalogue.save_pictures(mugs[0].product, new=new)
    return mugs


def texts_shown(page: str) -> list[str]:
    return re.findall(r'id="picture-\d"\s*><img[^>]* alt="([^"]*)"', page)


@pytest.mark.parametrize(
    "sku, texts",
    [
        ("M-TS", ["tide", "box"]),
        ("M-CS", ["chalk", "box"]),
        ("M-CL", ["chalk", "box"]),  # as the other one in chalk
        ("", ["tide", "box"]),
    ],
)
def test_page_shows_the_pictures_of_the_chosen_variant(client, mugs, sku, texts):
    page = client.get(f"/products/mug/?variant={sku}").text

    assert texts_shown(page) == texts


def test_variant_in_a_colour_without_pictures_shows_those_of_no_variant(client, mugs):
    page = client.get("/products/mug/?variant=M-ML").text

    assert 'alt="box"' in page and 'alt="tide"' not in page


def test_variant_shows_all_pictures_if_each_belongs_to_another(client, mugs):
    catalogue.save_pictures(
        mugs[0].product, deleted=[mugs[0].product.pictures.last().pk]
    )

    page = client.get("/products/mug/?variant=M-ML").text

    assert texts_shown(page) == ["tide", "chalk"]


def test_structured_data_of_each_variant_has_its_picture(client, mugs):
    data = structured(client.get("/products/mug/"))

    names = [each["image"].split("/")[-2] for each in data["hasVariant"]]
    assert [name.split(".")[0] for name in names] == [
        *("tide", "chalk", "tide", "chalk", "box"),
    ]


def test_page_is_shared_with_the_first_picture_of_the_chosen_variant(client, mugs):
    page = client.get("/products/mug/?variant=M-CL").text

    (address,) = re.findall('og:image" content="([^"]*)"', page)
    assert address.startswith("http") and "/chalk.png/" in address


def contents_of(basket: Basket) -> list[dict]:
    return baskets.contents(baskets.owner_of_basket(basket)).facts["lines"]


def test_basket_and_order_show_the_picture_of_the_variant(client, mugs):
    tide, chalk = mugs[0], mugs[3]
    lines = contents_of(make_basket(lines={tide: 1, chalk: 1}))

    images = [PurePosixPath(line["image"]).parent.name for line in lines]
    assert images == ["tide.png", "chalk.png"]
    user = make_user()
    order = make_order({chalk: 1}, user=user)
    client.force_login(user)
    assert "/chalk.png/" in client.get(f"/orders/{order.number}/").text


def test_pictures_of_lines_follow_changes(mugs):
    product = mugs[0].product
    tide, chalk, box = product.pictures.all()

    catalogue.save_pictures(product, changes={chalk.pk: {"variant": None}})
    mugs[3].refresh_from_db()
    assert mugs[3].picture == chalk.file.name  # the first of no variant

    catalogue.save_pictures(product, deleted=[tide.pk])
    assert set(product.variants.values_list("picture", flat=True)) == {""}


def test_picture_stays_with_the_product_when_its_variant_is_deleted(mugs):
    mugs[1].movements.all().delete()

    mugs[1].delete()

    assert mugs[0].product.pictures.filter(alt="chalk", variant=None).exists()


def test_database_refuses_a_picture_of_another_product(mugs):
    other = make_variant()

    with pytest.raises(IntegrityError, match="picture_variant_of_its_product"):
        with transaction.atomic():
            mugs[0].product.pictures.update(variant=other)
            connection.check_constraints()


def test_staff_choose_the_variant_that_a_picture_shows(ann, mugs):
    product = mugs[0].product
    form = opened(ann, product)
    assert form["pictures-2-variant"] == ""

    answer = ann.post(page_of(product), form | {"pictures-2-variant": mugs[4].pk})

    assert answer.status_code == 302, answer.context["errors"]
    assert product.pictures.get(alt="box").variant == mugs[4]


def test_staff_cannot_choose_a_variant_of_another_product(ann, mugs):
    product = mugs[0].product
    form = opened(ann, product) | {"pictures-2-variant": make_variant().pk}

    assert "Select a valid choice." in ann.post(page_of(product), form).text


def test_form_of_pictures_costs_no_query_for_each(ann, mugs, django_assert_num_queries):
    product = mugs[0].product
    with CaptureQueriesContext(connection) as few:
        ann.get(page_of(product))
    new = [ProductImage(file=stored(f"{n}.png"), position=None) for n in range(3)]
    catalogue.save_pictures(product, new=new)

    with django_assert_num_queries(len(few)):
        ann.get(page_of(product))

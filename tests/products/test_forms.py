"""What may be sent."""

import pytest
from django import forms
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from products.basket.exceptions import BadQuantity
from products.basket.forms import quantity_from
from products.catalogue import thumbnails
from products.catalogue.forms import ProductForm, free_slug
from tests.support.factories import make_category, make_picture, make_product
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("text, quantity", [("1", 1), ("20", 20), (" 7 ", 7)])
def test_quantity_from_a_valid_number_is_that_number(text, quantity):
    assert quantity_from(text) == quantity


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0",
        "-1",
        "21",
        "1.5",
        "1e1",
        "many",
        "\x00",
        "9" * 5000,
        "١" * 30,
        "NaN",
        "0x2",
        "1_0" * 9,
    ],
)
def test_quantity_from_anything_else_is_refused(text):
    with pytest.raises(BadQuantity, match="from 1 to 20"):
        quantity_from(text)


def picture_errors(upload) -> list[str]:
    form = ProductForm({}, {"image": upload})
    return form.errors.get("image", [])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_picture_of_an_allowed_kind_is_accepted(name):
    assert picture_errors(make_picture(name)) == []


@pytest.mark.parametrize("name", ["a.gif", "a.bmp"])
def test_picture_of_another_kind_is_refused(name):
    assert "not allowed" in picture_errors(make_picture(name))[0]


def test_picture_of_another_kind_under_an_allowed_name_is_refused():
    upload = make_picture("a.gif")
    upload.name = "a.png"

    assert "We can’t read this picture." in picture_errors(upload)[0]


def test_picture_that_is_text_is_refused():
    upload = SimpleUploadedFile("a.png", b"<svg onload=alert(1)>", "image/png")

    assert "We can’t read this picture." in picture_errors(upload)[0]


def test_picture_that_is_truncated_is_refused():
    whole = make_picture("a.jpg", Image.effect_noise((400, 400), 90).convert("RGB"))
    upload = SimpleUploadedFile("a.jpg", whole.read()[:20_000], "image/jpeg")

    assert "The picture is damaged." in picture_errors(upload)[0]


def test_picture_of_too_many_bytes_is_refused_with_the_limit(monkeypatch):
    monkeypatch.setattr(thumbnails, "MAX_BYTES", 100)

    (error,) = picture_errors(make_picture())

    assert "The limit is 100\xa0bytes" in error


def test_picture_that_is_long_and_thin_is_refused_before_it_is_decoded():
    thin = make_picture("a.png", Image.new("1", (20_000, 2)))

    (error,) = picture_errors(thin)

    assert "too long and thin: 20000 × 2" in error


def test_no_form_of_the_admin_opens_a_picture_in_the_process_of_the_pages(rf):
    request = rf.get("/admin/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)

    fields = [
        field
        for model_admin in admin.site._registry.values()
        for obj in (None, model_admin.model())
        if model_admin.has_add_permission(request)
        for field in model_admin.get_form(request, obj).base_fields.values()
    ]

    assert len(fields) > 10
    assert not any(isinstance(field, forms.ImageField) for field in fields)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK", "LA"])
def test_picture_in_any_colours_can_be_saved_with_its_thumbnails(mode, settings):
    name = "a.jpg" if mode == "CMYK" else "a.png"
    product = make_product()

    product.image = make_picture(name, Image.new(mode, (64, 48)))
    product.save()

    assert (settings.MEDIA_ROOT / product.image_small.name).is_file()


def test_slug_of_a_name_that_is_taken_gets_a_number():
    make_product(slug="jug")
    make_product(slug="jug-2")

    assert free_slug("Jug", None) == "jug-3"


def test_slug_of_a_name_without_letters_is_product():
    assert free_slug("★", None) == "product"


def test_slug_that_was_entered_and_is_taken_is_refused():
    make_product(slug="jug")
    data = {"name": "Jug", "slug": "jug", "sku": "J", "price": "1"}
    form = ProductForm(data | {"category": make_category().pk})

    assert "slug" in form.errors


def test_price_below_zero_is_refused():
    form = ProductForm({"price": "-0.01"})

    assert "price" in form.errors
    assert isinstance(form.fields["price"], forms.DecimalField)

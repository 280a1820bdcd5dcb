import shutil

import pytest
from django.core.files.storage import default_storage

from products.models import Product
from products.services import catalogue
from tests.factories import make_picture, make_product

pytestmark = pytest.mark.django_db


def test_thumbnails_are_made_when_a_picture_is_saved_and_not_again():
    product = make_product(image=make_picture())
    names = [product.image_small.name, product.image_large.name]
    assert all(map(default_storage.exists, names))
    made = [default_storage.get_modified_time(name) for name in names]

    loaded = Product.objects.get(pk=product.pk)
    loaded.name = "Another name"
    catalogue.save(loaded)

    assert [default_storage.get_modified_time(name) for name in names] == made


def test_product_whose_picture_is_missing_can_be_saved(settings, caplog):
    product = make_product(image=make_picture())
    shutil.rmtree(settings.MEDIA_ROOT)
    product = Product.objects.get(pk=product.pk)
    product.price = 3

    catalogue.save(product)

    assert Product.objects.get(pk=product.pk).price == 3
    assert "the picture is missing" in caplog.text

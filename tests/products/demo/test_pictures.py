from io import BytesIO

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from products.demo import loading, rows
from products.demo.pictures import picture
from products.demo.pictures.render import SHAPES
from products.models import Product


def test_picture_is_a_large_square_webp():
    image = Image.open(BytesIO(picture("mug", "chalk")))

    assert (image.format, image.size) == ("WEBP", (960, 960))


def test_picture_drawn_twice_is_the_same():
    assert picture("teapot", "clay") == picture("teapot", "clay")


@pytest.mark.parametrize("shape", SHAPES)
def test_picture_of_each_shape_shows_something_on_its_backdrop(shape):
    room, function = SHAPES[shape]
    from products.demo.pictures.colour import PALETTES
    from products.demo.pictures.studio import Canvas

    empty, drawn = Canvas(), Canvas()
    room.backdrop(empty)
    room.backdrop(drawn)
    function(drawn, PALETTES["clay"])

    assert len(drawn.svg()) > len(empty.svg()) + 200


def test_load_pictures_draws_once_and_mends_what_is_missing():
    items = [item for _, item in rows.items()][:2]
    name = rows.picture_of(items[0])

    assert loading.load_pictures(items) == 2
    assert loading.load_pictures(items) == 0

    product = Product(image=name)
    default_storage.delete(product.image_medium.name)
    assert loading.load_pictures(items) == 0
    with default_storage.open(product.image_medium.name) as file:
        assert Image.open(file).size == (640, 640)

"""A whole shop whose pictures are in a bucket."""

import re
import urllib.request

import pytest

from tests.support.factories import make_picture, make_product
from tests.support.s3 import KEYS
from tests.support.servers import Daphne


@pytest.mark.django_db(transaction=True)
def test_pages_show_pictures_of_the_bucket_and_their_policy_admits_them(
    bucket, tmp_path, shared_redis, static
):
    bucket.let_everybody_read()
    product = make_product(image=make_picture())
    place = {
        "MEDIA_BUCKET": bucket.place.name,
        "MEDIA_BUCKET_ENDPOINT": bucket.server.url,
        "MEDIA_BUCKET_PREFIX": "shop",
        "CATALOGUE_MAX_AGE_S": "60",  # the second page is a kept one
    }
    shop = Daphne(tmp_path, shared_redis.url, **static, **place, **KEYS)
    shop.start()
    bucket.forget_requests()
    try:
        pages = [urllib.request.urlopen(f"{shop.url}/products/") for _ in range(2)]
        texts = [page.read().decode() for page in pages]
    finally:
        shop.stop()

    assert bucket.requests() == []
    folder = f"{bucket.server.url}/{bucket.place.name}/shop/"
    for page, text in zip(pages, texts, strict=True):
        policy = page.headers["Content-Security-Policy"]
        assert re.search(r"img-src ([^;]*)", policy)[1] == f"'self' data: {folder}"
        (address,) = re.findall(r'<img class="picture" src="([^"]*)"', text)
        assert address == f"{folder}CACHE/images/{product.image.name}/640-2.webp"
    with urllib.request.urlopen(address) as picture:
        assert picture.headers["Content-Type"] == "image/webp"
        assert "immutable" in picture.headers["Cache-Control"]
        assert picture.read(4) == b"RIFF"

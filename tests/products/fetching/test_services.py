"""Requests for pictures, and their worker."""

from datetime import timedelta

import pytest
from django.utils import timezone

from products import tasks
from products.fetching import services as fetching
from products.fetching.models import TRIES
from products.fetching.services import Wanted
from products.models import PictureFetch
from tests.products.fetching.pictures import Page
from tests.support.factories import make_picture, make_product

pytestmark = pytest.mark.django_db


def texts_of(product) -> list[str]:
    return [picture.alt for picture in product.pictures.all()]


def test_requested_picture_becomes_a_picture_of_the_product(server):
    product = make_product()

    assert fetching.request([Wanted(product.pk, f"{server.url}/lamp.png", "Lit")]) == 1
    assert tasks.fetch_pictures() == 1

    product.refresh_from_db()
    (picture,) = product.pictures.all()
    assert picture.alt == "Lit"
    assert product.image == picture.file
    assert picture.image_small.storage.exists(picture.image_small.name)
    assert not PictureFetch.objects.exists()


def test_pictures_are_in_the_order_of_their_positions(server):
    product = make_product()
    for name in ("b", "a"):
        server.pages[f"/{name}.png"] = server.pages["/lamp.png"]
    pictures = [
        Wanted(product.pk, f"{server.url}/b.png", "second", 2),
        Wanted(product.pk, f"{server.url}/a.png", "first", 1),
    ]

    fetching.request(pictures)
    fetching.fetch_due()

    assert texts_of(product) == ["first", "second"]


def test_picture_that_a_product_has_is_not_requested_again(server):
    product = make_product()
    wanted = Wanted(product.pk, f"{server.url}/lamp.png", "Lit")
    fetching.request([wanted])
    fetching.fetch_due()

    assert fetching.request([wanted, wanted]) == 0
    assert fetching.fetch_due() == 0

    assert server.requests == ["/lamp.png"]


def test_picture_requested_twice_is_fetched_once(server):
    product = make_product()
    wanted = Wanted(product.pk, f"{server.url}/lamp.png")

    fetching.request([wanted, wanted])
    fetching.request([wanted])
    fetching.fetch_due()

    assert product.pictures.count() == 1


def test_failed_fetch_keeps_its_reason_and_waits_while_others_go_on(server):
    product = make_product()
    missing = Wanted(product.pk, f"{server.url}/missing.png")
    fetching.request([missing, Wanted(product.pk, f"{server.url}/lamp.png", "Lit")])

    assert fetching.fetch_due() == 1
    assert fetching.fetch_due() == 0  # the failed one waits

    (row,) = PictureFetch.objects.all()
    assert row.problem == "The server answered with status 404."
    assert row.retry_at > timezone.now()
    assert server.requests.count("/missing.png") == 1
    assert texts_of(product) == ["Lit"]


def test_content_that_is_no_picture_is_refused_with_the_decoders_reason(server):
    product = make_product()
    server.pages["/fake.png"] = Page(b"<html>")

    fetching.request([Wanted(product.pk, f"{server.url}/fake.png")])
    fetching.fetch_due()

    assert PictureFetch.objects.get().problem.startswith("We can’t read this picture.")
    assert not product.pictures.exists()


def test_fetch_that_failed_too_often_waits_for_staff(server):
    product = make_product()
    wanted = Wanted(product.pk, f"{server.url}/lamp.png")
    fetching.request([wanted])
    PictureFetch.objects.update(
        failures=TRIES, retry_at=timezone.now() - timedelta(days=1), problem="away"
    )
    assert fetching.fetch_due() == 0

    (row,) = PictureFetch.objects.all()
    assert fetching.retry([row.pk]) == 1
    assert fetching.fetch_due() == 1


def test_fetch_that_another_worker_has_finished_adds_nothing(server, monkeypatch):
    product = make_product()
    fetching.request([Wanted(product.pk, f"{server.url}/lamp.png")])
    download = fetching.web.download

    def download_while_another_finishes(url):
        PictureFetch.objects.all().delete()
        return download(url)

    monkeypatch.setattr(fetching.web, "download", download_while_another_finishes)

    assert fetching.fetch_due() == 0
    assert not product.pictures.exists()


def test_own_pictures_of_a_product_stay_first(server):
    product = make_product(image=make_picture())

    fetching.request([Wanted(product.pk, f"{server.url}/lamp.png", "fetched")])
    fetching.fetch_due()

    assert texts_of(product) == ["", "fetched"]

"""After a restore of the database, versions are lower than pages show."""

import pytest
from django.db import connection

from products.live.registry import registry
from products.models import Stock
from products.stock import services as stock
from realtime.protocol import Close
from tests.support.factories import make_variant
from tests.support.page import Page
from tests.support.rows import restored
from tests.support.servers import wait_until


@pytest.fixture
def audits(settings) -> None:
    """A hub that starts now audits often."""
    settings.LIVE = settings.LIVE | {"AUDIT_S": 0.2}


def page_of_now() -> Page:
    page = Page()
    page.timeline = registry.timeline()
    return page


def sold(variant, *, units: int) -> None:
    for _ in range(units):
        stock.claim({variant.pk: 1})


def test_timeline_changes_with_a_restore_and_not_with_rows(transactional_db):
    before = registry.timeline()
    make_variant()
    connection.close()

    assert connection.timeline == before
    connection.ensure_connection()
    assert connection.timeline == before
    with restored():
        assert registry.timeline() != before


def test_open_socket_comes_back_after_a_restore_and_shows_the_restored_state(
    audits, open_socket
):
    lamp, page = make_variant(on_hand=10), page_of_now()
    topic = f"stock:{lamp.pk}"
    saved = Stock.objects.filter(pk=lamp.pk).values("on_hand", "reserved", "version")[0]
    sold(lamp, units=4)
    socket = open_socket(page)
    socket.watch(topic)
    assert page.shown[topic] == 5

    with restored():
        Stock.objects.filter(pk=lamp.pk).update(**saved)
        wait_until(lambda: socket.closed == Close.RESTART, "the goodbye", 10)
        open_socket(page).watch(topic)

        assert page.shown[topic] == 1
        assert page.facts[topic]["available"] == 10


def test_page_of_another_timeline_gets_every_item_whatever_its_versions(
    hub, open_socket
):
    lamp, page = make_variant(on_hand=10), Page({"stock:1": 7})
    topic = f"stock:{lamp.pk}"
    page.shown, page.timeline = {topic: 7}, "of an older database"

    socket = open_socket(page)
    socket.watch(topic)

    assert page.shown[topic] == 1
    assert page.timeline == registry.timeline()
    assert socket.watch(is_new=False)["items"] == [], "from now on versions count"


def test_page_that_does_not_know_its_timeline_gets_every_item(hub, open_socket):
    lamp, page = make_variant(), Page()
    page.shown, page.timeline = {f"stock:{lamp.pk}": 1}, ""

    items = open_socket(page).watch()["items"]

    assert [item[0] for item in items] == [f"stock:{lamp.pk}"]


def test_client_that_sends_no_timeline_is_compared_by_versions_and_gets_none(
    hub, open_socket
):
    lamp, page = make_variant(), Page()
    page.shown = {f"stock:{lamp.pk}": 7}

    answer = open_socket(page).watch()

    assert answer == {"t": "snap", "id": 1, "items": []}

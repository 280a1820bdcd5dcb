"""A change of stock, from the commit to the pages that show it."""

import time

import pytest
from django.db import transaction

from products.catalogue import services as catalogue
from products.models import Stock
from products.stock import services as stock
from realtime.publish import flush
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.shopper import Shopper


def facts_of(variant) -> dict:
    return Stock.objects.get(pk=variant.pk).facts(
        variant.prices, is_for_sale=variant.is_for_sale
    )


def test_subscription_without_versions_gets_the_state_of_each_topic(daphne):
    variant = make_variant(on_hand=7)

    with Client(daphne) as client:
        snap = client.watch(f"stock:{variant.pk}", "basket")

    items = {item[0]: item for item in snap["items"]}
    assert snap["id"] == 1
    assert items[f"stock:{variant.pk}"][1:3] == [1, facts_of(variant)]
    assert items["basket"][1:3] == [0, {"count": 0, "total": "0.00"}]


def test_subscription_with_versions_gets_only_what_is_newer(daphne):
    one, two = make_variant(on_hand=7), make_variant(on_hand=9)
    stock.claim({two.pk: 4})
    frame = {"t": "sub", "id": 5, "html": "en"}
    frame["topics"] = {f"stock:{one.pk}": 1, f"stock:{two.pk}": 1}

    with Client(daphne) as client:
        client.send(frame)
        snap = client.receive()

    assert snap["id"] == 5
    assert [item[:2] for item in snap["items"]] == [[f"stock:{two.pk}", 2]]


def test_second_subscription_replaces_the_first(daphne):
    one, two = make_variant(), make_variant()

    with Client(daphne) as client, Client(daphne) as other:
        client.watch(f"stock:{one.pk}")
        other.watch(f"stock:{one.pk}")
        del client.page.shown[f"stock:{one.pk}"]
        client.watch(f"stock:{two.pk}")
        stock.claim({one.pk: 1})
        assert other.shows(f"stock:{one.pk}", 2)["available"] == 9  # the premise
        stock.claim({two.pk: 1})

        client.shows(f"stock:{two.pk}", 2)

    names = [item[0] for frame in client.frames[2:] for item in frame["items"]]
    assert names == [f"stock:{two.pk}"]


def test_commit_reaches_a_watcher_as_facts_and_as_the_html_of_the_page(daphne):
    variant = make_variant(on_hand=9)

    with Client(daphne) as client:
        client.watch(f"stock:{variant.pk}")
        stock.claim({variant.pk: 6})
        facts = client.shows(f"stock:{variant.pk}", 2)

    assert facts == facts_of(variant)
    assert facts["available"] == 3
    page = Shopper(daphne).get(variant.get_absolute_url())
    assert client.page.html[f"stock:{variant.pk}"].strip() in page


def test_changed_price_reaches_a_watcher(daphne):
    variant = make_variant()

    with Client(daphne) as client:
        client.watch(f"stock:{variant.pk}")
        variant.price = 99
        catalogue.save(variant.product, variants=[variant])
        facts = client.shows(f"stock:{variant.pk}", 2)

    assert facts["price"] == "99.00"


def test_rollback_reaches_nobody(daphne):
    variant = make_variant()

    with Client(daphne) as client:
        client.watch(f"stock:{variant.pk}")
        with pytest.raises(RuntimeError), transaction.atomic():
            stock.claim({variant.pk: 6})
            raise RuntimeError
        flush()
        stock.claim({variant.pk: 1})
        facts = client.shows(f"stock:{variant.pk}", 2)

    assert facts["available"] == 9
    assert len(client.frames) == 2  # the snapshot, and the claim that was committed


def test_burst_costs_at_most_a_frame_a_tick_and_ends_at_the_last_state(daphne):
    variant = make_variant(on_hand=1000)

    with Client(daphne) as client:
        client.watch(f"stock:{variant.pk}")
        begun = time.monotonic()
        for _ in range(200):
            stock.claim({variant.pk: 1})
        flush()
        ticks = (time.monotonic() - begun) / 0.05
        facts = client.shows(f"stock:{variant.pk}", 201)

    assert facts["available"] == 800
    assert len(client.frames) - 1 <= ticks + 2 < 200


def test_changes_of_one_tick_travel_in_one_frame(daphne):
    variants = [make_variant() for _ in range(5)]
    topics = [f"stock:{variant.pk}" for variant in variants]

    with Client(daphne) as client:
        client.watch(*topics)
        with transaction.atomic():
            stock.claim({variant.pk: 1 for variant in variants})
        for topic in topics:
            client.shows(topic, 2)

    assert len(client.frames) <= 3  # the snapshot, and one tick, or two at its edge


def test_audiences_get_html_or_facts_as_they_asked(daphne):
    variant = make_variant()

    with Client(daphne) as with_html, Client(daphne, html=None) as without:
        with_html.watch(f"stock:{variant.pk}")
        without.watch(f"stock:{variant.pk}")
        stock.claim({variant.pk: 1})
        assert with_html.shows(f"stock:{variant.pk}", 2) == facts_of(variant)
        assert without.shows(f"stock:{variant.pk}", 2) == facts_of(variant)

    assert "<b>9</b>" in with_html.page.html[f"stock:{variant.pk}"]
    assert without.page.html[f"stock:{variant.pk}"] is None


def test_sockets_of_two_processes_both_hear(daphne, quick):
    variant = make_variant()

    with Client(daphne) as here, Client(quick) as there:
        here.watch(f"stock:{variant.pk}")
        there.watch(f"stock:{variant.pk}")
        stock.claim({variant.pk: 1})

        assert here.shows(f"stock:{variant.pk}", 2)["available"] == 9
        assert there.shows(f"stock:{variant.pk}", 2)["available"] == 9


def test_heartbeat_says_the_digest_of_what_the_socket_shows(daphne):
    variant = make_variant()

    with Client(daphne) as client:
        client.watch(f"stock:{variant.pk}", "basket")
        assert client.beat()["digest"] == client.page.digest()
        stock.claim({variant.pk: 1})
        client.shows(f"stock:{variant.pk}", 2)

        assert client.beat()["digest"] == client.page.digest()

    with Client(daphne) as other:
        other.watch("basket")
        other.page.known["basket"] = 5
        assert other.beat()["digest"] != other.page.digest()  # the control


@pytest.mark.parametrize("topics", [[], ["stock:999999999"]])
def test_socket_that_watches_nothing_gets_heartbeats_too(daphne, topics):
    with Client(daphne) as client:
        client.watch(*topics)

        assert client.beat()["digest"] == "00000000"

"""The same shop on our Daphne, with TLS too, on Daphne as it comes, and on uvicorn,
which waits for clients that are slow: what a page gets is the same, whether the server
has the wire or not."""

import http.client

import pytest
from websockets.exceptions import InvalidStatus

from products.basket import services as basket
from products.live.viewers import Owner
from products.stock import services as stock
from tests.support.client import Client
from tests.support.factories import (
    make_full_basket,
    make_user,
    make_variant,
    make_variants,
)
from tests.support.servers import Daphne, PlainDaphne, Uvicorn, wait_until
from tests.support.shopper import Shopper
from tests.support.tls import Secure

CHANGES = 20
PATIENCE_S = 20
DEAF = {"buffer": 4096, "max_queue": 1, "compression": None}


class SecureDaphne(Secure, Daphne):
    name = "secure"


KINDS = {
    "daphne": Daphne,
    "daphne-tls": SecureDaphne,
    "plain-daphne": PlainDaphne,
    "uvicorn": Uvicorn,
}


@pytest.fixture(scope="module", params=KINDS)
def started(request, django_db_setup, tmp_path_factory, shared_redis, static):
    kind, folder = KINDS[request.param], tmp_path_factory.mktemp("peer")
    seldom = {"LIVE_AUDIT_S": "3600", "LIVE_HEARTBEAT_S": "3600"}
    shop = kind(folder, shared_redis.url, **static, **seldom)
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def peer(transactional_db, redis, started):
    """A shop that shows no traceback meanwhile, and finds nothing by its audit."""
    since = started.mark()
    yield started
    assert "Traceback" not in started.said(since), started.said(since)


def without_times(frames: list[dict]) -> list[dict]:
    return [{k: v for k, v in frame.items() if k != "ts"} for frame in frames]


def test_talk_is_the_same_on_every_server(peer):
    variant = make_variant()
    topic, unknown = f"stock:{variant.pk}", "stock:999999999999"

    with Client(peer, html=None) as client:
        client.send({"t": "sub", "id": 1, "topics": {topic: None, unknown: None}})
        client.until(lambda frame: frame["t"] == "snap")
        stock.claim({variant.pk: 1})
        client.shows(topic, 2)
        client.send_raw("{")
        client.receive()
        client.send({"t": "sub", "id": 2, "topics": {topic: 2}})
        client.receive()
        client.send_raw(b"{}")
        assert client.closed() == 4501

    error, snap, update, bad, again, bye = without_times(client.frames)
    assert (error["code"], error["topics"]) == ("unknown_topic", [unknown])
    assert (snap["id"], [item[:2] for item in snap["items"]]) == (1, [[topic, 1]])
    assert [item[:2] for item in update["items"]] == [[topic, 2]]
    before, after = snap["items"][0][2], update["items"][0][2]
    assert after == before | {"available": before["available"] - 1}
    assert bad["code"] == "bad_json"
    assert again == {"t": "snap", "id": 2, "items": []}
    assert bye == {"t": "bye", "code": 4501, "retry_ms": None}


def test_page_of_another_origin_is_refused(peer):
    with pytest.raises(InvalidStatus) as refused:
        Client(peer, origin="https://evil.example").__enter__()

    assert refused.value.response.status_code == 403


def test_socket_ends_with_its_session(peer):
    user = make_user()
    with Shopper(peer, user).socket() as client:
        client.watch("basket")
        user.is_active = False
        user.save()

        assert client.closed(PATIENCE_S) == 4512


def test_frames_too_many_end_the_conversation(peer):
    with Client(peer) as client:
        client.flood("{", times=50)

        assert client.closed(PATIENCE_S) == 4008

    codes = [frame.get("code") for frame in client.frames]
    assert codes == ["bad_json"] * 20 + [4008]


def test_reader_that_is_slow_gets_the_state_as_it_is_when_it_reads(peer):
    """Send frames of half a megabyte, more than the kernel buffers."""
    user, other = make_user(), make_variant()
    variants = make_variants(100, name="🛋" * 160)
    mine = make_full_basket(Owner(user_id=user.pk), variants)
    shopper = Shopper(peer, user)
    names = ["basket:lines", f"stock:{other.pk}"]

    with shopper.socket(html=None) as quick, shopper.socket(**DEAF) as slow:
        quick.watch(*names)
        slow.watch(*names)
        for number in range(1, CHANGES + 1):
            basket.set_quantities(mine, {variants[0].pk: number % 9 + 2})
            quick.shows("basket:lines", number)

        facts = slow.shows("basket:lines", CHANGES, PATIENCE_S)

    assert facts == quick.page.facts["basket:lines"]
    received = [item for frame in slow.frames[1:] for item in frame["items"]]
    assert {item[0] for item in received} == {"basket:lines"}  # the other was not owed
    assert len(quick.frames) - 1 == CHANGES  # the premise: this many were written
    if type(peer) is not PlainDaphne:  # which takes whatever it is given
        assert len(received) < CHANGES


def ask(shop: SecureDaphne, path: str) -> str:
    link = http.client.HTTPSConnection(
        "localhost", shop.port, timeout=PATIENCE_S, context=shop.tls
    )
    try:
        link.request("GET", path)
        return link.getresponse().read().decode()
    finally:
        link.close()


def test_client_over_tls_that_never_reads_is_cut(redis, serve):
    shop = serve(redis, SecureDaphne, LIVE_SLOW_S="1")
    user = make_user()
    variants = make_variants(100, name="🛋" * 160)
    mine = make_full_basket(Owner(user_id=user.pk), variants)

    shopper = Shopper(shop, user)

    with shopper.socket(html=None) as quick, shopper.socket(**DEAF) as slow:
        quick.watch("basket:lines")
        slow.watch("basket:lines")
        for number in range(1, CHANGES + 1):
            basket.set_quantities(mine, {variants[0].pk: number % 9 + 2})
            quick.shows("basket:lines", number)  # else many are one frame, and taken
        wait_until(
            lambda: "shop_slow_cuts_total 1.0" in ask(shop, "/metrics"),
            "the cut",
            PATIENCE_S,
        )

        assert slow.closed() == 1006
    assert "Traceback" not in shop.said(), shop.said()

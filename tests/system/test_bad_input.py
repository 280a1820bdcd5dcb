"""Whatever a client sends is answered as the document says, never with a traceback
(the fixture `listening` reads the log afterwards)."""

import json
from http.client import HTTPConnection

import pytest
from websockets.frames import CloseCode

from products.stock import services as stock
from realtime.protocol import Close
from tests.support.client import Client
from tests.support.factories import make_variant

HUGE = 10**30

BAD_JSON = [
    "",
    " ",
    "{",
    "nonsense",
    "[" * 2000,
    '{"t":"sub","id":1,"topics":{}',
    '{"t":"sub","id":1,"topics":{}}}',
    "{'t':'sub'}",
    '{"t":"sub","id":1,"topics":{"a\0b":1}}',
    '{"t":"sub","id":NaN,"topics":{}}',
    '{"t":"sub","id":1,"topics":{"basket":NaN}}',
    '{"t":"sub","id":1,"topics":{"basket":-Infinity}}',
    "\ufeff{}",
]

BAD_MESSAGE = [
    "null",
    "0",
    "[]",
    '"sub"',
    "true",
    "{}",
    '{"t":"SUB","id":1,"topics":{}}',
    '{"t":["sub"],"id":1,"topics":{}}',
    '{"t":"unsub","id":1,"topics":{}}',
    '{"t":"sub","topics":{}}',
    '{"t":"sub","id":null,"topics":{}}',
    '{"t":"sub","id":"1","topics":{}}',
    '{"t":"sub","id":true,"topics":{}}',
    '{"t":"sub","id":1.0,"topics":{}}',
    '{"t":"sub","id":-1,"topics":{}}',
    f'{{"t":"sub","id":{HUGE},"topics":{{}}}}',
    '{"t":"sub","id":1}',
    '{"t":"sub","id":1,"topics":null}',
    '{"t":"sub","id":1,"topics":["basket"]}',
    '{"t":"sub","id":1,"topics":{"basket":1.5}}',
    '{"t":"sub","id":1,"topics":{"basket":1.0}}',
    '{"t":"sub","id":1,"topics":{"basket":1e3}}',
    '{"t":"sub","id":1,"topics":{"basket":1e999}}',
    '{"t":"sub","id":1,"topics":{"basket":true}}',
    '{"t":"sub","id":1,"topics":{"basket":false}}',
    '{"t":"sub","id":1,"topics":{"basket":"1"}}',
    '{"t":"sub","id":1,"topics":{"basket":-1}}',
    '{"t":"sub","id":1,"topics":{"basket":[]}}',
    '{"t":"sub","id":1,"topics":{"basket":{}}}',
    f'{{"t":"sub","id":1,"topics":{{"basket":{2**53 + 1}}}}}',
    f'{{"t":"sub","id":1,"topics":{{"basket":{HUGE}}}}}',
    '{"t":"sub","id":1,"topics":{},"html":"xx"}',
    '{"t":"sub","id":1,"topics":{},"html":""}',
    '{"t":"sub","id":1,"topics":{},"html":1}',
    '{"t":"sub","id":1,"topics":{},"html":true}',
    '{"t":"sub","id":1,"topics":{},"html":["en"]}',
    '{"t":"sub","id":1,"topics":{},"html":{"en":1}}',
    '{"t":"sub","id":1,"topics":{},"html":"en\\u0000"}',
    '{"t":"sub","id":1,"topics":{},"html":"../en"}',
    '{"t":"sub","id":1,"topics":{},"pace":-1}',
    '{"t":"sub","id":1,"topics":{},"pace":60001}',
    '{"t":"sub","id":1,"topics":{},"pace":5000.5}',
    '{"t":"sub","id":1,"topics":{},"pace":"5000"}',
    '{"t":"sub","id":1,"topics":{},"pace":true}',
]

UNKNOWN = [
    "nothing",
    "stock",
    "stock:",
    "stock:0",
    "stock:-1",
    "stock:+1",
    "stock:01",
    "stock: 1",
    "stock:1 ",
    "stock:1.0",
    "stock:1e3",
    "stock:1_0",
    "stock:٣",
    "stock:²",
    "stock:1\0",
    "stock:1\n",
    "stock:999999999",
    "stock:9223372036854775807",
    "stock:9223372036854775808",
    "stock:" + "9" * 3000,
    "stock:1;DROP TABLE products_stock",
    "stock:stock:1",
    "STOCK:1",
    "\ud800",
    "\U0001f600",
    "order:1",
    "orders",
    "x" * 4000,
]


def stays_usable(client: Client) -> bool:
    """Whether the socket still answers a proper subscription."""
    client.page.shown.clear()
    return client.watch("basket")["t"] == "snap"


@pytest.mark.parametrize("text", BAD_JSON)
def test_text_that_is_not_json_is_answered_bad_json(listening, text):
    with Client(listening) as client:
        client.send_raw(text)
        answer = client.receive()
        assert stays_usable(client)

    assert (answer["t"], answer["code"], answer["id"]) == ("err", "bad_json", None)


@pytest.mark.parametrize("text", BAD_MESSAGE)
def test_json_that_is_no_subscription_is_answered_bad_message(listening, text):
    with Client(listening) as client:
        client.send_raw(text)
        answer = client.receive()
        assert stays_usable(client)

    assert (answer["t"], answer["code"]) == ("err", "bad_message")


@pytest.mark.parametrize(
    "start, end", [("[" * 2000, "]" * 2000), ('{"":' * 800, "}" * 800)]
)
def test_deep_nesting_is_an_error_like_any_other(listening, start, end):
    deep = f"{start}1{end}"
    with Client(listening) as client:
        client.send_raw(f'{{"t":"sub","id":1,"topics":{deep}}}')
        answer = client.receive()
        assert stays_usable(client)

    # How deep Python reads depends on its version.
    assert answer["code"] in ("bad_json", "bad_message")


@pytest.mark.parametrize("name", UNKNOWN, ids=lambda name: ascii(name[:30]))
def test_unknown_topic_is_told_and_the_others_count(daphne, name):
    variant = make_variant()
    known = f"stock:{variant.pk}"

    with Client(daphne) as client:
        topics = json.dumps({name: None, known: None})
        client.send_raw(f'{{"t":"sub","id":3,"topics":{topics}}}')
        error, snap = client.receive(), client.receive()
        stock.claim({variant.pk: 1})
        update = client.receive()

    assert (error["code"], error["id"]) == ("unknown_topic", 3)
    assert error["topics"] == [name]
    assert (snap["t"], snap["id"]) == ("snap", 3)
    assert [item[:2] for item in snap["items"] + update["items"]] == [
        [known, 1],
        [known, 2],
    ]


def test_of_a_name_that_stands_twice_the_last_counts(daphne):
    topic = f"stock:{make_variant().pk}"

    with Client(daphne) as client:
        client.send_raw(f'{{"t":"sub","id":1,"topics":{{"{topic}":null,"{topic}":1}}}}')
        assert client.receive()["items"] == []
        client.send_raw(f'{{"t":"sub","id":1,"topics":{{"{topic}":1,"{topic}":null}}}}')
        assert len(client.receive()["items"]) == 1


def test_members_that_mean_nothing_are_ignored(listening):
    with Client(listening) as client:
        client.send_raw('{"t":"sub","id":1,"topics":{},"x":1,"__proto__":{"t":"hb"}}')

        assert client.receive() == {"t": "snap", "id": 1, "items": []}


def test_greatest_version_is_taken(daphne):
    topic = f"stock:{make_variant().pk}"
    frame = {"t": "sub", "id": 2**53, "topics": {topic: 2**53}}

    with Client(daphne) as client:
        client.send(frame)

        assert client.receive() == {"t": "snap", "id": 2**53, "items": []}


def test_refused_frame_leaves_the_subscription_as_it_was(daphne):
    variant = make_variant()

    with Client(daphne) as client:
        client.watch(f"stock:{variant.pk}")
        client.send_raw('{"t":"sub","id":2,"topics":{"basket":-1}}')
        assert client.receive()["code"] == "bad_message"
        stock.claim({variant.pk: 1})

        assert client.shows(f"stock:{variant.pk}", 2)["available"] == 9


@pytest.mark.parametrize(("count", "code"), [(64, None), (65, "too_many_topics")])
def test_topics_are_limited(listening, count, code):
    topics = {f"stock:{number}": None for number in range(10**9, 10**9 + count)}

    with Client(listening) as client:
        client.send_raw(json.dumps({"t": "sub", "id": 7, "topics": topics}))
        answer = client.receive()
        assert stays_usable(client) is True

    assert (answer["code"], answer["id"]) == (code or "unknown_topic", 7)


def padded(size: int, filling: str) -> str:
    """A subscription of exactly `size` bytes."""
    start, end = '{"t":"sub","id":1,"topics":{},"x":"', '"}'
    room = size - len(start) - len(end)
    width = len(filling.encode())
    return start + filling * (room // width) + "." * (room % width) + end


@pytest.mark.parametrize("filling", ["x", "é", "€", "😀"])
def test_frame_of_4096_bytes_is_read_and_one_more_ends_the_conversation(
    listening, filling
):
    fine, large = padded(4096, filling), padded(4097, filling)
    assert (len(fine.encode()), len(large.encode())) == (4096, 4097)

    with Client(listening) as client:
        client.send_raw(fine)
        assert client.receive()["t"] == "snap"
        client.send_raw(large)
        assert client.closed() == Close.FRAME_TOO_LARGE

    assert client.frames[-1] == {"t": "bye", "code": 4502, "retry_ms": None}


@pytest.mark.parametrize("size", [100_000, 900_000])
def test_frame_far_too_large_is_not_even_read(listening, size):
    with Client(listening) as client:
        client.send_raw("x" * size)

        assert client.closed() == CloseCode.MESSAGE_TOO_BIG


@pytest.mark.parametrize("data", [b"", b"\0", b'{"t":"sub","id":1,"topics":{}}'])
def test_binary_frame_ends_the_conversation(listening, data):
    with Client(listening) as client:
        client.send_raw(data)
        assert client.closed() == Close.BINARY_FRAME

    assert client.frames == [{"t": "bye", "code": 4501, "retry_ms": None}]


def test_twenty_frames_are_answered_and_the_next_ends_the_conversation(listening):
    with Client(listening) as client:
        for number in range(20):
            client.send({"t": "sub", "id": number, "topics": {}})
            assert client.receive()["id"] == number
        client.send({"t": "sub", "id": 20, "topics": {}})
        assert client.closed() == Close.TOO_MANY_FRAMES

    assert client.frames[-1] == {"t": "bye", "code": 4008, "retry_ms": 10_000}


def test_flood_ends_the_conversation_and_harms_nobody_else(daphne):
    variant = make_variant()

    with Client(daphne) as bystander, Client(daphne) as client:
        bystander.watch(f"stock:{variant.pk}")
        client.flood("{", times=500)
        assert client.closed() == Close.TOO_MANY_FRAMES
        stock.claim({variant.pk: 1})
        bystander.shows(f"stock:{variant.pk}", 2)

    assert len(client.frames) == 21  # 20 answers and the goodbye


@pytest.mark.parametrize("path", ["/evil", "%ff", "\xe9"])
def test_page_asked_for_by_a_header_that_daphne_trusts_links_to_the_shop(
    listening, path
):
    """Otherwise cached pages would hold the host of the first visitor."""
    link = HTTPConnection("127.0.0.1", listening.port, timeout=20)
    headers = {"Host": f"localhost:{listening.port}", "Daphne-Root-Path": path}
    link.request("GET", "/users/login/", headers=headers)
    answer = link.getresponse()
    page = answer.read().decode()
    link.close()

    assert answer.status == 200
    assert 'href="/products/' in page and 'href="/evil' not in page

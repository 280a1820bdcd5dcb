"""The sockets of a load test."""

import json
from types import SimpleNamespace

import pytest

from realtime.loadtest import watchers
from realtime.loadtest.ledger import Ledger
from tests.realtime.loadtest.runs import answering, open_wire
from tests.support.schema import DOCUMENT


@pytest.mark.parametrize("example", DOCUMENT["info"]["x-digests"], ids=str)
def test_digest_is_the_one_of_the_protocol(example):
    topics = example["topics"]

    assert watchers.digest(topics, topics) == example["digest"]


def test_socket_of_a_hidden_tab_asks_for_a_pace_and_is_not_timed():
    ledger, sent = Ledger(), []
    watcher = watchers.Watcher("http://localhost", ["stock:1"], ledger)
    watcher.wire = SimpleNamespace(send=lambda payload: sent.append(payload))
    watcher.hide()

    watcher.subscribe()
    watcher._receive(b'{"t":"upd","ts":1000,"items":[["stock:1",2,{"available":3}]]}')

    assert json.loads(sent[0])["pace"] == watchers.PACE_MS
    assert (ledger.count["hidden_pushes"], ledger.push.all.count) == (1, 0)
    watcher.show()
    assert "pace" not in json.loads(sent[1])


def test_digest_in_a_frame_to_a_hidden_tab_is_compared():
    ledger, sent = Ledger(), []
    watcher = watchers.Watcher("http://localhost", ["stock:42"], ledger)
    watcher.wire = SimpleNamespace(send=lambda payload: sent.append(payload))
    items = '"items":[["stock:42",17,{"available":3}]]'
    frame = '{"t":"upd","digest":"%s","spread_ms":3000,' + items + "}"

    watcher._receive((frame % "c78b56ea").encode())
    assert (ledger.count["gaps"], watcher.spread_s) == (0, 3)

    watcher._receive((frame % "00000000").encode())
    assert (ledger.count["gaps"], len(sent)) == (1, 1)


async def test_socket_that_cannot_reconnect_keeps_its_close_code():
    watcher = watchers.Watcher("http://localhost:9", ["stock:1"], Ledger())
    watcher._closed(1012)

    assert not await watcher.open()

    assert watcher.code == 1012


def test_socket_on_another_timeline_takes_every_version_as_newer():
    ledger = Ledger()
    watcher = watchers.Watcher("http://localhost", ["stock:1"], ledger)

    for timeline, version in (("a", 9), ("b", 3)):
        items = [["stock:1", version, {"available": version}]]
        frame = {"t": "snap", "id": 1, "timeline": timeline, "items": items}
        watcher._receive(json.dumps(frame).encode())

    assert (watcher.timeline, watcher.shown) == ("b", {"stock:1": 3})
    assert (ledger.newest, ledger.units) == ({"stock:1": 3}, {"stock:1": 3})


async def test_subscription_names_the_timeline():
    end, _, _ = open_wire()
    watcher = watchers.Watcher("http://localhost", ["stock:1"], Ledger())
    watcher.wire, watcher.timeline = end, "5d41402abc4b2a76"

    watcher.subscribe()

    sent = end.transport.written
    assert b'"timeline": "5d41402abc4b2a76"' in sent


@pytest.mark.parametrize(
    "failures, spread_s, seconds",
    [
        *[(0, None, 0.25), (0, 30.0, 30.0), (1, None, 0.25), (5, None, 4.0)],
        *[(6, 1.0, 4.0), (7, 1.0, 8.0), (8, 1.0, 16.0), (20, 1.0, 60.0)],
        *[(1, 40.0, 10.0), (6, 40.0, 10.0), (7, 40.0, 16.0), (1, 400.0, 60.0)],
    ],
)
def test_waits_grow_as_the_protocol_says(failures, spread_s, seconds):
    assert watchers.longest_wait(failures, spread_s) == seconds


async def test_socket_connects_from_the_given_address():
    ledger = Ledger()
    sources = ["127.0.0.2", "127.0.0.3"]

    async with answering(lambda: "no socket") as (url, peers):
        for source in sources:
            watcher = watchers.Watcher(url, ["stock:1"], ledger)
            watcher.source = source
            assert not await watcher.open()

    assert peers == sources
    assert ledger.refusals == {"HTTP/1.1 200 OK": 2}

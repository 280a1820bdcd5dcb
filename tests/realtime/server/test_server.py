"""The server around its connections."""

import gc

import pytest
from twisted.python.failure import Failure

from realtime.server import garbage, server
from realtime.server.server import Server


@pytest.mark.parametrize("key", ["log_failure", "failure"])
def test_error_that_twisted_has_caught_is_told(caplog, key):
    server.log_failure({"log_format": "all is well"})
    assert caplog.text == ""

    try:
        raise LookupError("in a callback of ours")
    except LookupError:
        server.log_failure({key: Failure()})

    assert "in a callback of ours" in caplog.text and "Traceback" in caplog.text


def is_kept_from_the_search(endpoint: str, *pages: str) -> bool:
    """Whether what there is when many sockets have opened is not searched again."""
    shop = Server(application=None, endpoints=[endpoint])
    shop.connections = {}
    for page in pages:
        shop.protocol_connected(page)
    gc.unfreeze()
    for _ in range(garbage.FREEZE_EVERY):
        shop.socket_opened()
    try:
        return gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_sockets_are_searched_for_garbage_only_where_there_may_be_some():
    assert is_kept_from_the_search("tcp:0")
    assert not is_kept_from_the_search("tcp:0", "a page that is being made")
    assert not is_kept_from_the_search("ssl:0")


def test_access_log_holds_no_query():
    told = []
    log = {"endpoints": ["tcp:0"], "action_logger": lambda *entry: told.append(entry)}
    shop = Server(application=None, **log)

    shop.log_action("http", "complete", {"path": "/orders/7/?t=SECRET", "status": 200})

    assert told == [("http", "complete", {"path": "/orders/7/", "status": 200})]


def test_connection_that_ends_after_it_was_forgotten_is_no_error(monkeypatch):
    """A refused one, if the server tidies up before it is gone."""
    monkeypatch.setattr(server.reactor, "callLater", lambda *later: None)
    shop = Server(application=None, endpoints=["tcp:0"])
    shop.connections = {}
    shop.protocol_connected("refused")
    shop.protocol_disconnected("refused")
    shop.application_checker()
    assert shop.connections == {}

    shop.protocol_disconnected("refused")

    assert shop.connections == {}

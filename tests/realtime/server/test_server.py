"""The server around its connections."""

import gc

import pytest
from twisted.python.failure import Failure

from realtime.server import garbage, server
from realtime.server.server import Server


@pytest.mark.parametrize("key", ["log_failure", "failure"])
def test_error_that_twisted_caught_is_logged(caplog, key):
    server.log_failure({"log_format": "all is well"})
    assert caplog.text == ""

    try:
        raise LookupError("in a callback of ours")
    except LookupError:
        server.log_failure({key: Failure()})

    assert "in a callback of ours" in caplog.text and "Traceback" in caplog.text


def freezes(endpoint: str, *pages: str) -> bool:
    """Whether a server freezes all objects after it has opened many sockets."""
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


def test_objects_are_frozen_only_if_there_can_be_no_garbage():
    assert freezes("tcp:0")
    assert not freezes("tcp:0", "a page that is being made")
    assert not freezes("ssl:0")


def test_access_log_has_no_query():
    entries = []

    def logger(*entry) -> None:
        entries.append(entry)

    log = {"endpoints": ["tcp:0"], "action_logger": logger}
    shop = Server(application=None, **log)

    shop.log_action("http", "complete", {"path": "/orders/7/?t=SECRET", "status": 200})

    assert entries == [("http", "complete", {"path": "/orders/7/", "status": 200})]


def test_connection_may_end_after_it_was_removed(monkeypatch):
    """A refused one, if the server removes it before it has gone."""
    monkeypatch.setattr(server.reactor, "callLater", lambda *later: None)
    shop = Server(application=None, endpoints=["tcp:0"])
    shop.connections = {}
    shop.protocol_connected("refused")
    shop.protocol_disconnected("refused")
    shop.application_checker()
    assert shop.connections == {}

    shop.protocol_disconnected("refused")

    assert shop.connections == {}

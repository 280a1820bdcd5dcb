"""When an outage of Redis is over."""

import threading

import pytest
from redis.exceptions import ConnectionError

from realtime import outages


def watch_of_outage() -> threading.Thread:
    """Report an outage, and return the thread that waits for its end."""
    before = set(threading.enumerate())
    outages.report(ConnectionError("gone"))
    (watch,) = set(threading.enumerate()) - before
    return watch


@pytest.fixture(autouse=True)
def _quickly(monkeypatch) -> None:
    monkeypatch.setattr(outages, "CHECK_S", 0.02)
    monkeypatch.setattr(outages, "UNSEEN_QUIET_S", 0.2)


def test_outage_that_is_over_is_logged(caplog):
    watch_of_outage().join()

    assert "Redis is back." in caplog.messages


def test_outage_that_a_test_has_left_is_forgotten(caplog, monkeypatch):
    """The streams of that test may be closed."""
    watch = watch_of_outage()

    monkeypatch.setattr(outages, "_outage", outages.Outage())

    watch.join()
    assert "Redis is back." not in caplog.messages

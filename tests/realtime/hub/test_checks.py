"""Checks find what no message has announced."""

import asyncio
import threading

import pytest

from products.live.registry import registry
from products.models import Stock
from realtime import publish
from realtime.hub.checks import Audit
from realtime.hub.health import Health
from tests.support.counters import counted
from tests.support.factories import make_variant
from tests.support.servers import wait_until


@pytest.fixture
def no_checks(settings) -> None:
    """A hub that starts now neither probes Redis nor, unless Redis fails, audits."""
    settings.LIVE = settings.LIVE | {"AUDIT_S": 600, "PROBE_S": 600}


def test_recovery_finds_a_lost_change_while_an_older_audit_still_runs(
    no_checks, hub, loop, open_socket, monkeypatch
):
    """The audit of a degraded hub has read the old version, and is not over yet."""
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    socket = open_socket()
    socket.watch(topic)
    has_looked, may_end = threading.Event(), threading.Event()
    versions = registry.versions

    def slow_versions(keys):
        changed = versions(keys)
        if not has_looked.is_set():
            has_looked.set()
            may_end.wait(20)
        return changed

    monkeypatch.setattr(registry, "versions", slow_versions)
    loop.call(hub.health.fail, OSError("Redis is away"))
    assert has_looked.wait(5)
    Stock.objects.update(version=2, reserved=1)  # and nobody says so

    loop.run(hub.layer_check.recover())

    assert socket.shows(topic, 2)["available"] == 9
    may_end.set()


@pytest.fixture
def no_audits(monkeypatch) -> None:
    """A hub that starts now never audits on its own."""

    async def wait(audit: Audit) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Audit, "run", wait)


@pytest.fixture
def audit(no_audits, no_checks, hub) -> Audit:
    """An audit that runs when the test says so, of a hub that does nothing by itself.

    As a hub begins to listen, it loads all topics. On a busy machine that may be late,
    and find a change before the audit does. So wait until it listens. It may also take
    Redis for away, then polls the database and counts no gaps. So this audit has a
    health of its own.
    """
    wait_until(lambda: hub.groups.channel, "the subscription", 20)
    parts = hub.registry, hub.database, hub.topics, hub.loader, hub.viewers
    return Audit(*parts, Health())


@pytest.mark.parametrize("is_late", [True, False])
@pytest.mark.parametrize("comes, gaps", [(True, 0), (False, 1)])
def test_change_that_an_audit_finds_is_a_gap_only_if_its_message_never_comes(
    audit, hub, loop, open_socket, comes, gaps, is_late
):
    """`is_late`: the hub takes Redis for away, as it answered too late.

    If the message of the new product came while the hub loads it, the socket would be
    answered before the query ends, and the query could find the change first.
    """
    variant = make_variant()
    assert publish.flush(20)
    topic = f"stock:{variant.pk}"
    socket = open_socket()
    socket.watch(topic)
    if is_late:
        loop.call(setattr, hub.health, "is_degraded", True)
    before = counted("shop_gaps_total")
    Stock.objects.update(version=2, reserved=1)
    loop.run(audit.compare())
    facts = socket.shows(topic, 2)

    if comes:
        loop.call(hub.listener.hear, {"topic": topic, "version": 2, "facts": facts})
    loop.run(audit.compare())

    assert counted("shop_gaps_total") - before == gaps

"""`publish()` never waits and never fails."""

import os
import subprocess
import sys
import time
from functools import reduce

import pytest

from realtime import publish as door
from realtime.publish import flush, group_of, publish
from tests.support.servers import database_url


@pytest.fixture
def at_redis(redis, settings):
    """`hear` listens at that Redis too."""
    settings.REDIS_URL = redis.url


def test_event_carries_topic_version_and_facts(at_redis, hear):
    with hear("stock:1") as events:
        publish("stock:1", version=3, facts={"available": 2})

    assert events == [
        {"type": "live", "topic": "stock:1", "version": 3, "facts": {"available": 2}}
    ]


def test_events_of_two_topics_leave_in_order(at_redis, hear):
    with hear("stock:1", "stock:2") as events:
        publish("stock:1", version=1)
        publish("stock:2", version=1)

    assert [event["topic"] for event in events] == ["stock:1", "stock:2"]


@pytest.mark.parametrize(("versions", "newest"), [((1, 2, 3), 3), ((3, 1, 2), 3)])
def test_waiting_events_of_a_topic_become_the_newest_since_the_first(versions, newest):
    first, *others = [
        {"topic": "stock:1", "version": version, "at": float(number)}
        for number, version in enumerate(versions)
    ]

    event = reduce(door._newest, others, first)

    assert event == {"topic": "stock:1", "version": newest, "at": 0.0}


def test_burst_of_events_arrives_as_its_last_state(at_redis, hear):
    with hear("stock:1") as events:
        for version in range(1, 501):
            publish("stock:1", version=version)

    versions = [event["version"] for event in events]
    assert versions[-1] == 500
    assert versions == sorted(set(versions))
    assert len(versions) < 500


def test_publish_without_redis_returns_at_once_and_logs_it_once(own_redis, caplog):
    own_redis.start()
    publish("stock:1", version=0)
    assert flush()
    own_redis.kill()
    caplog.clear()
    start = time.monotonic()
    for version in range(1000):
        publish("stock:1", version=version)
    assert time.monotonic() - start < 0.5

    assert flush(5)
    for version in range(1000, 1003):
        publish("stock:1", version=version)
        assert flush(5)
    records = [r for r in caplog.records if r.name == "realtime.outages"]
    assert [record.levelname for record in records] == ["ERROR"]


def test_publish_works_again_when_redis_is_back(own_redis, settings, hear):
    settings.REDIS_URL = own_redis.url
    publish("stock:1", version=1)
    assert flush(5)
    own_redis.start()

    with hear("stock:1") as events:
        publish("stock:1", version=2)
    assert [event["version"] for event in events] == [2]
    own_redis.restart()
    with hear("stock:1") as events:
        publish("stock:1", version=3)
    assert [event["version"] for event in events] == [3]


def test_publish_to_a_redis_that_hangs_returns_at_once(own_redis):
    own_redis.start()
    publish("stock:1", version=1)
    assert flush(5)

    with own_redis.frozen():
        start = time.monotonic()
        for version in range(100):
            publish("stock:1", version=version)
        assert time.monotonic() - start < 0.5
        assert flush(0.2) is False  # the premise: it hangs
        assert flush(door.SEND_TIMEOUT_S + 3)


def test_facts_that_cannot_be_packed_do_not_stop_later_events(at_redis, hear, caplog):
    publish("stock:1", version=0)
    assert flush()

    with hear("stock:1", "stock:2") as events:
        publish("stock:1", version=1, facts={"what": object()})
        flush()
        publish("stock:2", version=1)

    assert [event["topic"] for event in events] == ["stock:2"]
    assert "not sent" in caplog.text


CHILD = """
import os, sys, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads
import django
django.setup()
from realtime.publish import flush, publish
publish("stock:1", version=1)
assert flush(5)
pid = os.fork()
publish("stock:2", version=2 if pid else 3)
assert flush(5)
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os._exit(0)
"""


def test_publish_works_on_both_sides_of_a_fork(redis, at_redis, hear):
    environment = os.environ | {"REDIS_URL": redis.url, "DATABASE_URL": database_url()}
    environment["DJANGO_SETTINGS_MODULE"] = "project.settings"

    with hear("stock:1", "stock:2") as events:
        subprocess.run([sys.executable, "-c", CHILD], env=environment, check=True)

    versions = [(event["topic"], event["version"]) for event in events]
    assert sorted(versions) == [("stock:1", 1), ("stock:2", 2), ("stock:2", 3)]


EXITING = """
import django
django.setup()
from realtime.publish import publish
for number in range(50):
    publish(f"stock:{number + 1}", version=1)
"""


def test_process_that_ends_sends_its_waiting_events(redis, at_redis, hear):
    environment = os.environ | {"REDIS_URL": redis.url, "DATABASE_URL": database_url()}
    environment["DJANGO_SETTINGS_MODULE"] = "project.settings"

    with hear(*[f"stock:{number + 1}" for number in range(50)]) as events:
        subprocess.run([sys.executable, "-c", EXITING], env=environment, check=True)

    assert len(events) == 50


@pytest.mark.parametrize(
    ("topic", "group"),
    [
        ("stock:42", "live.stock.42"),
        ("basket:u7", "live.basket.u7"),
        ("basket:lines:tab0", "live.basket.lines.tab0"),
    ],
)
def test_group_name_is_valid_for_every_layer(topic, group):
    from channels.layers import get_channel_layer

    assert group_of(topic) == group
    assert len(group) < 100
    assert get_channel_layer  # every layer takes ASCII letters, digits, "-", "_", "."
    assert group.replace(".", "").isalnum()

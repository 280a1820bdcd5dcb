"""What a read replica must be, and how old what it shows is."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from project import server_urls
from project.replicas import standby
from project.replicas.standby import Look, Positions, Watch


def positions(*noted: tuple[float, int]) -> Positions:
    found = Positions()
    for when, position in noted:
        found.note(when, "this", position)
    return found


def test_standby_is_as_old_as_the_newest_position_that_it_has_reached():
    found = positions((10, 100), (11, 200), (12, 300))

    assert found.age(300, now=13) == 1
    assert found.age(299, now=13) == 2
    assert found.age(100, now=13) == 3
    assert found.age(99, now=13) == 3, "at least"


def test_standby_of_an_idle_primary_is_not_old():
    found = positions((10, 100), (11, 100), (500, 100))

    assert found.age(100, now=500.5) == 0.5
    assert found.covers(100, 1, now=500.5)


def test_standby_is_not_trusted_before_it_has_reached_a_position_of_late():
    found = positions((10, 100), (12, 300))

    assert found.covers(100, 5, now=13)
    assert not found.covers(100, 2, now=13)
    assert not found.covers(99, 5, now=13)
    assert not found.covers(300, 5, now=60), "nobody has asked the primary since"
    assert not Positions().covers(100, 5, now=13)


def test_positions_of_another_database_say_nothing():
    found = positions((10, 100))

    found.note(11, "that", 200)

    assert not found.covers(100, 60, now=12)


@pytest.mark.parametrize(
    ("look", "state"),
    [
        (Look("this", 100, True, True), standby.OK),
        (Look("that", 100, True, True), standby.ANOTHER),
        (Look("this", 100, False, False), standby.NO_STANDBY),
        (Look("this", None, False, False), standby.NO_STANDBY),
        (Look("this", 100, True, False), standby.CUT_OFF),
    ],
)
def test_replica_must_be_a_standby_of_the_same_database_that_follows(look, state):
    watch = Watch()
    watch.positions = positions((standby.time.monotonic(), 100))

    assert watch.judge(look) == state


@pytest.mark.django_db
def test_primary_itself_is_no_replica():
    look = Look(*standby.query_one(connection, standby.OF_REPLICA))
    which, _position = standby.query_one(connection, standby.OF_PRIMARY)

    assert look.which == which
    assert not look.is_standby


def test_replica_url_of_several_standbys_shares_the_connections():
    found = server_urls.replica("postgres://u:p@a,b:5433/d")

    assert (found["HOST"], found["PORT"]) == ("a,b", "5432,5433")
    assert found["OPTIONS"]["load_balance_hosts"] == "random"
    assert "target_session_attrs" not in found["OPTIONS"]
    assert found["OPTIONS"]["connect_timeout"] == 2
    url = "postgres://a,b/d?target_session_attrs=standby&connect_timeout=9"
    options = server_urls.replica(url)["OPTIONS"]
    assert options["target_session_attrs"] == "standby"
    assert options["connect_timeout"] == 9


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://a/d", "must begin with postgres://"),
        ("postgres://a,/d", "comma without a server"),
        ("postgres://a/d?pool_mode=transaction", "Use pool_mode=session"),
    ],
)
def test_replica_url_that_cannot_work_is_refused_by_its_name(url, problem):
    line = rf"\ADATABASE_REPLICA_URL.*{problem}.*\Z"
    with pytest.raises(ImproperlyConfigured, match=line):
        server_urls.replica(url)

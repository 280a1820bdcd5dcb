"""Which standbys may be read, and how far behind they are."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from project import server_urls
from project.replicas import standby
from project.replicas.standby import Look, Positions, Watch


def positions(*noted: tuple[float, int]) -> Positions:
    result = Positions()
    for when, position in noted:
        result.note(when, "this", position)
    return result


def test_age_of_a_standby_counts_from_the_newest_position_it_has_reached():
    noted = positions((10, 100), (11, 200), (12, 300))

    assert noted.age(300, now=13) == 1
    assert noted.age(299, now=13) == 2
    assert noted.age(100, now=13) == 3
    assert noted.age(99, now=13) == 3, "at least"


def test_standby_of_an_idle_primary_is_not_old():
    noted = positions((10, 100), (11, 100), (500, 100))

    assert noted.age(100, now=500.5) == 0.5
    assert noted.covers(100, 1, now=500.5)


def test_standby_is_not_trusted_before_it_has_reached_a_recent_position():
    noted = positions((10, 100), (12, 300))

    assert noted.covers(100, 5, now=13)
    assert not noted.covers(100, 2, now=13)
    assert not noted.covers(99, 5, now=13)
    assert not noted.covers(300, 5, now=60), "nobody has asked the primary since"
    assert not Positions().covers(100, 5, now=13)


def test_positions_of_another_database_are_forgotten():
    noted = positions((10, 100))

    noted.note(11, "that", 200)

    assert not noted.covers(100, 60, now=12)


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
def test_primary_is_not_taken_for_a_standby():
    look = Look(*standby.query_one(connection, standby.OF_REPLICA))
    which, _position = standby.query_one(connection, standby.OF_PRIMARY)

    assert look.which == which
    assert not look.is_standby


def test_replica_url_of_several_standbys_shares_the_connections():
    replica = server_urls.replica("postgres://u:p@a,b:5433/d")

    assert (replica["HOST"], replica["PORT"]) == ("a,b", "5432,5433")
    assert replica["OPTIONS"]["load_balance_hosts"] == "random"
    assert "target_session_attrs" not in replica["OPTIONS"]
    assert replica["OPTIONS"]["connect_timeout"] == 2
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

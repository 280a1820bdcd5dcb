"""What is sent to Sentry."""

import psycopg2
import pytest
import redis

from project import outages, sentry
from realtime import outages as redis_outages


@pytest.mark.parametrize(
    "module, error",
    [
        (outages, psycopg2.OperationalError("connection refused")),
        (redis_outages, redis.ConnectionError("connection refused")),
    ],
    ids=["database", "redis"],
)
def test_error_of_an_outage_is_reported_as_an_outage_and_not_sent(
    monkeypatch, module, error
):
    reports: list[BaseException] = []
    monkeypatch.setattr(module, "report", reports.append)

    event = sentry._before_send({}, {"exc_info": (type(error), error, None)})

    assert event is None
    assert reports == [error]

"""What the settings make of the environment."""

import pytest

from project.celery import app
from project.settings import celery_broker
from project.views import absolute


@pytest.mark.parametrize(
    "redis, broker",
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://:pass@host:6380/2", "rediss://:pass@host:6380/2"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        (
            "unix:///run/redis.sock?db=3",
            "redis+socket:///run/redis.sock?virtual_host=3",
        ),
    ],
)
def test_broker_of_a_redis_address_is_the_same_redis(redis, broker):
    assert celery_broker(redis) == broker


def test_tasks_that_beat_sends_exist():
    app.loader.import_default_modules()

    planned = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert planned
    assert planned <= set(app.tasks)


def test_absolute_of_a_path_is_under_the_shops_domain(settings):
    settings.DOMAIN_NAME = "https://shop.example"

    assert absolute("/basket/") == "https://shop.example/basket/"

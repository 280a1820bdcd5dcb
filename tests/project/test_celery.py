"""How tasks get from a page to a worker, and to which."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis as redis_client
from django.conf import settings as shop_settings
from django.urls import reverse
from post_office.models import Email

import project.celery
from project.celery import MAX_WAITING, app, flush, later
from project.mail.tasks import clean_outbox, deliver_mail, sweep_outbox
from tests.support.factories import make_user
from tests.support.servers import Redis, wait_until
from tests.support.workers import broker_at
from users.tasks import clear_sessions


@pytest.fixture
def redis(tmp_path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    with broker_at(redis.url):
        yield redis
    redis.stop()


def waiting(redis: Redis, queue: str) -> int:
    with redis_client.Redis.from_url(redis.url) as client:
        return client.llen(queue)


def test_task_lies_in_the_queue_of_its_kind(redis):
    later(deliver_mail, 1)
    later(sweep_outbox)
    later(clear_sessions)

    assert flush(5)
    assert waiting(redis, shop_settings.MAIL_QUEUE) == 2
    assert waiting(redis, shop_settings.DEFAULT_QUEUE) == 1
    assert waiting(redis, shop_settings.CACHE_QUEUE) == 0


def test_worker_that_is_told_nothing_takes_from_every_queue():
    assert set(app.amqp.queues.consume_from) == {
        shop_settings.DEFAULT_QUEUE,
        shop_settings.MAIL_QUEUE,
        shop_settings.CACHE_QUEUE,
    }


def test_tasks_are_json_and_cut_off_before_another_worker_may_have_them():
    conf = app.conf

    assert conf.accept_content == ["json"] and conf.task_serializer == "json"
    assert conf.task_acks_late
    lent = conf.broker_transport_options["visibility_timeout"]
    assert conf.task_soft_time_limit < conf.task_time_limit < lent
    assert {deliver_mail.name, sweep_outbox.name, clean_outbox.name} <= set(
        conf.task_routes
    )


def test_broker_that_is_frozen_delays_nobody_and_gets_the_tasks_later(redis, caplog):
    later(deliver_mail, 1)
    assert flush(5)
    with redis.frozen():
        begun = time.monotonic()
        for pk in range(100):
            later(deliver_mail, pk)
        assert time.monotonic() - begun < 0.2
        wait_until(lambda: "Redis is away" in caplog.text, "a warning", 10)

    wait_until(lambda: flush(0.1), "the rest", 20)

    assert waiting(redis, shop_settings.MAIL_QUEUE) > 90
    assert caplog.text.count("Redis is away") == 1


@pytest.mark.parametrize("end", ["ack", "reject", "requeue"])
def test_task_that_outlives_its_connection_ends_without_an_error(redis, end):
    """A worker that loses Redis in the middle of a task closes the channel, and then
    the task ends. An error would end the worker."""
    later(sweep_outbox)
    wait_until(lambda: waiting(redis, "mail") == 1, "the task", 10)
    with app.connection() as connection:
        channel = connection.channel()
        message = app.amqp.queues["mail"].bind(channel).get()

        connection.transport.client = None
        channel.close()
        getattr(message, end)()

        with redis_client.Redis.from_url(redis.url) as client:
            assert client.hlen("unacked") == 1  # it is delivered again after a time


@pytest.mark.django_db(transaction=True)
def test_page_that_sends_a_mail_answers_at_once_though_the_broker_is_frozen(
    redis, client, settings
):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    user = make_user()
    address = reverse("account_reset_password")
    client.post(address, {"email": "warm-up@example.com"})
    with redis.frozen():
        begun = time.monotonic()

        response = client.post(address, {"email": user.email})

        assert time.monotonic() - begun < 1
        assert response.status_code == 302
        assert Email.objects.get().to == [user.email]
    assert flush(10)


def test_tasks_beyond_what_may_wait_are_dropped(redis):
    with redis.frozen():
        begun = time.monotonic()
        for pk in range(MAX_WAITING + 50):
            later(deliver_mail, pk)
        assert time.monotonic() - begun < 1
    wait_until(lambda: flush(0.1), "the rest", 20)

    assert (
        MAX_WAITING - 5 <= waiting(redis, shop_settings.MAIL_QUEUE) <= MAX_WAITING + 1
    )


def test_one_thread_hands_over_what_many_give(redis):
    def give() -> None:
        for pk in range(20):
            later(deliver_mail, pk)

    threads = [threading.Thread(target=give) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert flush(10)
    assert waiting(redis, shop_settings.MAIL_QUEUE) == 100
    names = [thread.name for thread in threading.enumerate()]
    assert project.celery.sender.name in names

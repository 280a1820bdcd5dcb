"""An order is placed whatever else is down, and its mail goes out when that is back."""

from collections.abc import Iterator

import pytest
from post_office.models import STATUS, Email

from products.models import Order
from products.stock import books
from tests.support.buyer import Buyer
from tests.support.factories import make_variant
from tests.support.servers import START_S, Daphne, Redis, wait_until
from tests.support.smtp import SmtpServer, running
from tests.support.workers import Worker

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_S = 5  # nobody waits longer for a page, whatever is down


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with running() as server:
        yield server


@pytest.fixture
def worker(own_redis, smtp, tmp_path) -> Iterator[Worker]:
    """One with its own beat; it is not started yet."""
    worker = Worker(
        tmp_path,
        own_redis.url,
        beat=True,
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=str(smtp.port),
        EMAIL_USE_TLS="0",
        OUTBOX_SWEEP_S="0.3",
        OUTBOX_RETRY_S="0.2",
    )
    yield worker
    worker.kill()


def order_at(server: Daphne) -> Order:
    Buyer(server, {make_variant(on_hand=5): 1}).check_out_within(PATIENCE_S)
    return Order.objects.get()


def the_mail() -> Email:
    mail = Email.objects.get()
    assert mail.to == ["ann@example.com"]
    return mail


def test_order_without_a_worker_is_placed_and_its_mail_goes_out_later(
    serve, own_redis, worker, smtp
):
    own_redis.start()
    order = order_at(serve(own_redis))
    assert the_mail().status != STATUS.sent
    assert not smtp.taken

    worker.launch()

    wait_until(lambda: bool(smtp.taken), "the mail", START_S)
    assert smtp.subjects == [f"Your order {order.number}"]


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_order_without_redis_is_placed_and_its_mail_goes_out_later(
    serve, own_redis, worker, smtp, fault
):
    own_redis.start()
    server = serve(own_redis)
    if fault == "killed":
        own_redis.kill()
        order = order_at(server)
        own_redis.start()
    else:
        with own_redis.frozen():
            order = order_at(server)
    assert the_mail().status != STATUS.sent
    assert books.reconcile() == []

    worker.launch()

    wait_until(lambda: bool(smtp.taken), "the mail", START_S)
    assert smtp.subjects == [f"Your order {order.number}"]


def test_order_while_mail_and_redis_die_together_loses_nothing(
    serve, own_redis: Redis, worker, smtp
):
    """The worker is killed before it has sent, Redis with all its queues too."""
    own_redis.start()
    server = serve(own_redis)
    smtp.stop()
    worker.start()
    order = order_at(server)
    wait_until(Email.objects.filter(status=STATUS.requeued).exists, "a try", START_S)
    worker.kill()
    own_redis.kill()

    own_redis.start()
    smtp.start()
    worker.launch()

    wait_until(lambda: bool(smtp.taken), "the mail", START_S)
    assert smtp.subjects == [f"Your order {order.number}"]

"""The demo's orders: there at once, true to the books, and nobody's mail."""

import pytest
from django.core.management import call_command
from post_office.models import Email

from products.models import Order
from products.models.order import Status
from products.services import books, orders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo(settings) -> None:
    settings.EMAIL_BACKEND = "project.outbox.OutboxBackend"
    call_command("demo", "--no-pictures", "--accounts")


def test_demo_has_orders_of_every_kind_of_work_and_its_books_agree():
    present = set(Order.objects.values_list("status", flat=True))

    assert present == set(Status.values) - {Status.EXPIRED}
    assert books.reconcile() == []


def test_demo_twice_orders_nothing_more_and_moves_nothing_back():
    order = Order.objects.filter(status=Status.PAID).get()
    orders.cancel(order)
    before = Order.objects.count()

    call_command("demo", "--no-pictures", "--accounts")

    order.refresh_from_db()
    assert (Order.objects.count(), order.status) == (before, Status.CANCELLED)


def test_demo_writes_no_mail_to_people_who_do_not_exist():
    assert not Email.objects.exists()


def test_demo_shopper_has_ordered_before(client):
    assert client.login(username="shopper", password="shopper-demo-pass")

    page = client.get("/orders/").text

    assert Order.objects.get(user__username="shopper").number in page

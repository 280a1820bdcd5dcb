"""The demo's orders: on every column of the board, once, and with right books."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from post_office.models import Email

from products.demo import orders
from products.models import Order, OrderEvent
from products.orders import services
from tests.support.factories import make_user, make_variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelves() -> None:
    """More products than the guests have ordered."""
    for _ in range(5 * len(orders.GUESTS)):
        make_variant(on_hand=50)


@pytest.fixture
def staff(shelves):
    return make_user(username="staff", is_staff=True)


def test_demo_orders_are_in_every_status_and_their_books_agree(staff, capsys):
    assert orders.load() == len(orders.GUESTS)

    statuses = set(Order.objects.values_list("status", flat=True))
    assert statuses == set(Order.Status.values) - {"expired"}
    call_command("reconcile")
    assert "The books agree" in capsys.readouterr().out


def test_demo_orders_loaded_twice_are_placed_once_and_stay_unchanged(staff):
    orders.load()
    moved = Order.objects.get(email=f"noor@{orders.AT}")
    services.pack(moved, actor=staff)
    before = list(Order.objects.order_by("pk").values())

    assert orders.load() == 0

    assert list(Order.objects.order_by("pk").values()) == before


def test_demo_orders_have_ages_and_steps_in_order(staff):
    orders.load()

    now = timezone.now()
    ages = [
        now - placed for placed in Order.objects.values_list("placed_at", flat=True)
    ]
    assert min(ages) < timedelta(hours=1) < timedelta(days=1) < max(ages)
    for order in Order.objects.all():
        steps = list(order.events.order_by("version"))
        moments = [step.created_at for step in steps]
        assert moments == sorted(set(moments)) and moments[0] == order.placed_at
        assert moments[-1] == order.changed_at < now


def test_demo_orders_without_staff_are_not_placed(shelves):
    assert orders.load() == 0

    assert not OrderEvent.objects.exists()


def test_demo_orders_send_no_mail(staff, settings):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"

    orders.load()

    assert not Email.objects.exists()


def test_demo_orders_are_in_the_shoppers_history(staff, client):
    shopper = make_user(username="shopper")
    client.force_login(shopper)

    orders.load()

    assert Order.objects.get(user=shopper).number in client.get("/orders/").text

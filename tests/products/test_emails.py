"""The mails of orders, and those to staff: what they say, when, and that they come."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from post_office.models import STATUS, Email

from products import tasks
from products.models import Order, StockAlert, Variant
from products.orders import emails, exceptions, placing
from products.orders import services as orders
from products.stock import services as stock
from tests.support.factories import make_holder, make_order, make_user, make_variant
from tests.support.servers import START_S, Redis, wait_until
from tests.support.smtp import running
from tests.support.workers import Worker, broker_at

pytestmark = pytest.mark.django_db

EVIL = "Lamp {% include 'x' %} {{ 1 }} <b>&"


def html_of(message: EmailMultiAlternatives) -> str:
    return message.alternatives[0].content


# --- To the shopper ---------------------------------------------------------------


def test_order_whose_address_no_mail_reaches_is_placed_and_staff_read_why(settings):
    """Forms take no such address: it is one of before, or was written past them."""
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    order = make_order()
    Order.objects.filter(pk=order.pk).update(email="a..b@example.com")

    cancelled = orders.cancel(order)

    assert cancelled.status == Order.Status.CANCELLED
    note = order.events.last()
    assert note.note.startswith("The shopper was not emailed. Enter one")
    assert note.version == cancelled.version
    assert Email.objects.count() == 1, "that of placing it"


def test_each_step_a_shopper_would_want_to_know_is_one_mail():
    staff = make_user(is_staff=True)
    order = make_order(method=Order.Method.STRIPE)
    orders.pay(order)
    orders.pack(order, actor=staff)
    orders.ship(order, actor=staff)
    orders.deliver(order, actor=staff)
    orders.cancel(make_order())

    subjects = [message.subject.replace(order.number, "N") for message in mail.outbox]
    assert subjects[:3] == [
        "Your order N",
        "We’ve received your payment for order N",
        "Order N is on its way",
    ]
    assert subjects[4].endswith("has been cancelled") and len(subjects) == 5
    for message in mail.outbox:
        assert json.loads(json.dumps(message.written_from))


def test_order_that_was_not_paid_in_time_says_so(settings):
    settings.PAYMENT_MINUTES = -1
    make_order(method=Order.Method.STRIPE)

    tasks.expire_orders()

    assert mail.outbox[1].subject.endswith("has expired")


def test_note_for_staff_is_no_news_for_the_shopper():
    order = make_order()

    orders.note(order, actor=make_user(is_staff=True), note="Fragile")

    assert len(mail.outbox) == 1


def test_confirmation_has_link_lines_total_and_address(settings):
    settings.DOMAIN_NAME = "https://shop.example"
    lines = {make_variant(name="Lamp", price="12.50"): 2}
    order = make_order(lines, user=make_user())

    [message] = mail.outbox
    path = f"/orders/{order.number}/?t={order.access_token}"
    assert message.to == ["ann@example.com"]
    for text in (message.body, html_of(message)):
        assert f"https://shop.example{path}" in text
        for part in ("2 × Lamp", "€25.00", "Ann Lee", "High Street 1", "Germany"):
            assert part in text


def test_names_are_no_templates_and_no_markup():
    make_order({make_variant(name=EVIL): 1})

    [message] = mail.outbox
    assert EVIL in message.body
    escaped = EVIL.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert escaped.replace("'", "&#x27;") in html_of(message)
    assert EVIL not in html_of(message)


def test_mail_is_in_the_language_of_the_order():
    order = make_order()
    Order.objects.update(language="de")

    orders.cancel(order)

    assert '<html lang="de">' in html_of(mail.outbox[1])


def test_refused_move_writes_no_mail():
    order = make_order()
    orders.cancel(order)
    mail.outbox.clear()

    with pytest.raises(exceptions.StatusConflict):
        orders.cancel(order)

    assert mail.outbox == []


def test_mail_is_there_if_its_order_is(settings):
    """The outbox is part of the transaction: rolled back, there is none."""
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    with pytest.raises(RuntimeError), transaction.atomic():
        make_order()
        assert Email.objects.count() == 1
        raise RuntimeError

    assert not Email.objects.exists()


@pytest.fixture
def dead_redis(tmp_path) -> Iterator[Redis]:
    """One that is started later; tasks are meant for it."""
    redis = Redis(tmp_path)
    with broker_at(redis.url):
        yield redis
    redis.stop()


@pytest.mark.django_db(transaction=True)
def test_order_is_placed_without_redis_and_worker_and_its_mail_comes_later(
    settings, tmp_path, dead_redis
):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    order = make_order()
    assert Email.objects.get().status == STATUS.queued

    dead_redis.start()
    with running() as smtp:
        options = {
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(smtp.port),
            "EMAIL_USE_TLS": "0",
            "OUTBOX_SWEEP_S": "0.3",
        }
        worker = Worker(tmp_path, dead_redis.url, beat=True, **options)
        worker.launch()
        try:
            wait_until(lambda: smtp.taken, "the confirmation", START_S)
        finally:
            worker.kill()

    [taken] = smtp.taken
    assert taken["Subject"] == f"Your order {order.number}"
    body = taken.get_body(("plain",)).get_content()
    assert emails.order_link(order) in body


@pytest.mark.parametrize(
    "includes_tax, rows",
    [
        (True, ["Total: €25.00", "Includes 19% VAT: €3.99"]),
        (False, ["19% VAT: €4.75", "Total: €29.75"]),
    ],
)
def test_mails_of_an_order_show_the_sums_that_were_agreed(
    packers, settings, includes_tax, rows
):
    settings.PRICES_INCLUDE_TAX = includes_tax
    make_order({make_variant(price=Decimal("12.50")): 2})

    for message in mail.outbox:
        text = re.sub(r"<[^>]*>", "", html_of(message))

        assert "\n".join(rows) in message.body
        assert [line.strip() for line in text.splitlines() if "€" in line][-2:] == rows


# --- To staff ---------------------------------------------------------------------


@pytest.fixture
def packers(settings) -> None:
    settings.STAFF_ALERTS = {"low": [], "orders": ["a@example.com", "b@example.com"]}


@pytest.mark.parametrize("method", [Order.Method.DELIVERY, Order.Method.STRIPE])
def test_staff_who_asked_for_it_hear_once_of_an_order_that_comes_in(packers, method):
    lamp = make_variant(name=EVIL, price=Decimal("12.50"))
    order = make_order({lamp: 2}, method=method)
    orders.note(order, note="A note.")
    orders.cancel(order)

    [message] = [one for one in mail.outbox if "b@example.com" in one.to]

    assert message.subject == f"New order {order.number}"
    assert message.to == ["a@example.com", "b@example.com"]
    assert f"2 × {EVIL} ({lamp.sku}): €25.00" in message.body
    assert f"/staff/orders/{order.number}/" in message.body
    assert "/staff/orders/" in html_of(message) and "&lt;b&gt;" in html_of(message)
    for private in (order.access_token, order.email, order.line1, order.full_name):
        assert private not in message.body + html_of(message)


def test_order_placed_twice_or_not_at_all_is_one_mail_to_staff_or_none(
    packers, settings
):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    order = make_order()
    options = {"method": order.method, "language": "en", "seen": order.total}
    placing.place(order.basket, None, **options)
    with pytest.raises(RuntimeError), transaction.atomic():
        make_order()
        raise RuntimeError

    theirs = Email.objects.filter(subject__startswith="New order")

    assert [one.subject for one in theirs] == [f"New order {order.number}"]


def test_order_is_placed_though_staff_cannot_be_mailed(settings):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    settings.STAFF_ALERTS = {"low": [], "orders": ["a..b@example.com"]}

    order = make_order()

    assert order.events.last().note.startswith("An email was not sent. Enter one")
    assert Email.objects.count() == 1, "that to the shopper"


def test_order_that_comes_in_is_no_news_to_whom_nobody_named(settings):
    settings.STAFF_ALERTS = {"low": ["staff@example.com"], "orders": []}
    order = make_order()

    assert [message.to for message in mail.outbox] == [[order.email]]


@pytest.fixture
def staff(settings) -> None:
    settings.STAFF_ALERTS = {"low": ["staff@example.com"], "orders": []}
    settings.LOW_STOCK = 5


def sell(variant: Variant, units: int) -> None:
    make_order({variant: units})
    mail.outbox.clear()


def alerts() -> list[str]:
    """What the sweep writes: the mails' texts."""
    mail.outbox.clear()
    tasks.warn_of_low_stock()
    assert all(message.to == ["staff@example.com"] for message in mail.outbox)
    return [message.body for message in mail.outbox]


def a_day_later() -> None:
    """As if the alerts had been a day earlier."""
    for alert in StockAlert.objects.order_by("day"):
        alert.day -= timedelta(days=1)
        alert.save()


def test_staff_hear_once_that_a_product_runs_low(staff):
    lamp, vase = make_variant(name="Lamp <x>"), make_variant(name="Vase", on_hand=2)
    sell(lamp, 4)
    assert alerts() == []

    sell(lamp, 1)

    [text] = alerts()
    assert f"Lamp <x> ({lamp.sku}): 5 left" in text
    assert vase.name not in text, "it was low from the start"
    sell(lamp, 1)
    assert alerts() == []


def test_at_most_one_mail_a_product_and_day(staff):
    lamp = make_variant(on_hand=6)
    sell(lamp, 2)
    assert len(alerts()) == 1

    sell(lamp, 4)
    assert alerts() == [], "sold out on the same day"
    a_day_later()

    [text] = alerts()
    assert "sold out" in text
    a_day_later()
    assert alerts() == [], "that has been told"
    stock.receive(lamp.pk, 3)
    assert len(alerts()) == 1, "goods came, and they are few again"


def test_units_that_a_checkout_only_holds_are_not_sold(staff):
    lamp = make_variant(on_hand=6)
    stock.claim({lamp.pk: 4})
    make_holder(lamp, units=4)

    assert alerts() == []


def test_several_products_are_one_mail(staff):
    sell(make_variant(on_hand=2), 2)
    sell(make_variant(on_hand=2), 1)

    [text] = alerts()
    assert "sold out" in text and "1 left" in text


def test_nobody_is_warned_unless_somebody_is_named(settings):
    settings.STAFF_ALERTS = {"low": [], "orders": ["staff@example.com"]}
    sell(make_variant(on_hand=2), 2)

    assert alerts() == [] and not StockAlert.objects.exists()

"""Paying by Stripe, over real HTTP: what is lost, late, twice, or not Stripe's."""

import json
import threading
import time
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, override

from products import tasks
from products.exceptions import ShopError
from products.models import Order, Payment, Refund, Stock, WebhookEvent
from products.orders import services as orders
from products.orders.exceptions import StatusConflict
from products.payments import providers, refunds
from products.payments import services as payments
from products.payments import webhooks
from products.payments.exceptions import PaymentRefused, PaymentUnavailable
from products.payments.interface import Event, Refused
from products.payments.stripe import to_units
from products.payments.stripe_events import from_units
from products.stock import books
from project.celery import app, later
from tests.support.concurrency import together
from tests.support.factories import make_order, make_user, make_variant
from tests.support.servers import Redis, wait_until
from tests.support.stripe_server import PAID, SECRET, StripeServer, sign
from tests.support.workers import Worker, broker_at

pytestmark = pytest.mark.django_db(transaction=True)
HOOK = "/payments/stripe/webhook/"
Status = Order.Status


def make_pending(**fields) -> Order:
    lines = {make_variant(on_hand=1, price="12.50"): 1}
    return make_order(lines, method=Order.Method.STRIPE, **fields)


def tell(body: bytes, signature: str | None = None) -> int:
    signature = sign(body) if signature is None else signature
    return (
        Client(enforce_csrf_checks=True)
        .post(HOOK, body, "application/json", headers={"Stripe-Signature": signature})
        .status_code
    )


def begun(stripe: StripeServer, order: Order) -> dict:
    payments.start(order)
    return list(stripe.sessions.values())[-1]


def expire(order: Order) -> None:
    past = timezone.now() - timedelta(minutes=1)
    Order.objects.filter(pk=order.pk).update(expires_at=past)
    orders.expire_overdue()


def now(order: Order) -> tuple[str, list[str]]:
    """Its status, and its payments', the first one first."""
    order.refresh_from_db()
    rows = order.payments.order_by("pk").values_list("status", flat=True)
    return order.status, list(rows)


def ways(total: str, currency: str = "EUR") -> list[str]:
    """The methods by which so much can be paid."""
    return [value for value, _ in providers.available(Decimal(total), currency)]


# --- Which there are --------------------------------------------------------------


def test_without_keys_only_payment_on_delivery_is_offered():
    assert ways("10.00") == ["delivery"]
    with pytest.raises(PaymentUnavailable):
        providers.provider("stripe")
    assert tell(b"{}") == 404


def test_with_keys_delivery_stays_the_first(stripe):
    assert ways("10.00") == ["delivery", "stripe"]


@pytest.mark.parametrize(
    "total, currency, expected",
    [
        ("0.49", "EUR", ["delivery"]),
        ("0.50", "EUR", ["delivery", "stripe"]),
        ("0.30", "GBP", ["delivery", "stripe"]),
        ("999999.99", "EUR", ["delivery", "stripe"]),
        ("1000000.00", "EUR", ["delivery"]),
        ("49", "JPY", ["delivery"]),
        ("50", "JPY", ["delivery", "stripe"]),
        ("0.01", "XCD", ["delivery", "stripe"]),  # unknown: Stripe says
        ("0.00", "EUR", ["free"]),
    ],
)
def test_method_is_offered_for_amounts_it_takes(stripe, total, currency, expected):
    assert ways(total, currency) == expected


@pytest.mark.parametrize(
    "amount, currency, units",
    [("12.50", "EUR", 1250), ("500.00", "JPY", 500), ("1.25", "KWD", 1250)],
)
def test_amounts_are_counted_as_stripe_does(amount, currency, units):
    assert to_units(Decimal(amount), currency) == units
    assert from_units(units, currency) == Decimal(amount)


def test_half_a_yen_is_refused():
    with pytest.raises(Refused):
        to_units(Decimal("0.50"), "JPY")


# --- Starting ---------------------------------------------------------------------


def test_start_leads_to_stripe_with_the_total(stripe):
    order = make_pending()

    session = begun(stripe, order)

    payment = order.payments.get()
    assert payment.address == session["url"]
    assert (session["amount_total"], session["currency"]) == (1250, "eur")
    assert now(order) == (Status.PENDING, ["created"])


def test_start_after_a_dropped_answer_gives_the_same_session(stripe):
    order = make_pending()
    stripe.mood = "drops"
    with pytest.raises(PaymentUnavailable):
        payments.start(order)
    assert len(stripe.sessions) == 1
    stripe.mood = "well"

    address = payments.start(order)

    (session,) = stripe.sessions.values()
    assert address == session["url"]


def test_start_with_a_new_key_would_make_two_sessions(stripe):
    """The positive control of the one before."""
    order = make_pending()
    stripe.mood = "drops"
    with pytest.raises(PaymentUnavailable):
        payments.start(order)
    order.payments.update(idempotency_key="another")
    stripe.mood = "well"

    payments.start(order)

    assert len(stripe.sessions) == 2


@pytest.mark.parametrize("mood", ["down", "broken", "slow", "busy", "in use"])
def test_start_during_an_outage_of_stripe_keeps_the_attempt_and_works_later(
    stripe, settings, mood
):
    settings.STRIPE_TIMEOUT = 0.5 if mood == "slow" else 10
    order = make_pending()
    stripe.mood = mood
    with pytest.raises(PaymentUnavailable):
        payments.start(order)
    assert now(order) == (Status.PENDING, ["created"])
    stripe.mood = "well"

    assert payments.start(order).startswith(stripe.url)

    assert now(order) == (Status.PENDING, ["created"])


@pytest.mark.parametrize(
    "mood", ["refuses", "declines", "knows no such key", "forbids"]
)
def test_start_that_stripe_refuses_says_so_and_a_new_attempt_may_work(stripe, mood):
    order = make_pending()
    stripe.mood = mood
    with pytest.raises(PaymentRefused):
        payments.start(order)
    assert now(order) == (Status.PENDING, ["failed"])
    stripe.mood = "well"

    assert payments.start(order).startswith(stripe.url)


def test_start_with_a_bad_key_is_logged_once(stripe, caplog):
    stripe.mood = "knows no such key"
    cache.clear()

    for _ in range(3):
        with pytest.raises(PaymentRefused):
            payments.start(make_pending())

    errors = [r for r in caplog.records if r.name == payments.__name__]
    assert len(errors) == 1
    assert "Invalid API Key" in errors[0].getMessage()


def test_start_with_an_address_that_stripe_refuses_leaves_it_out(stripe):
    order = make_pending()
    Order.objects.filter(pk=order.pk).update(email="ann@b\u00fccher.example")

    session = begun(stripe, Order.objects.get())

    assert session["customer_email"] is None
    assert now(order) == (Status.PENDING, ["created"])


def test_start_with_changed_parameters_makes_a_new_attempt(stripe, settings):
    order = make_pending()
    stripe.mood = "drops"
    with pytest.raises(PaymentUnavailable):
        payments.start(order)
    stripe.mood, settings.SHOP_NAME = "well", "Another name"

    payments.start(order)

    assert now(order) == (Status.PENDING, ["failed", "created"])


def test_start_in_a_shop_that_takes_no_cards_any_more_is_refused(stripe, settings):
    order = make_pending()
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(PaymentRefused):
        payments.start(order)


def test_many_clicks_start_one_session(stripe):
    order = make_pending()

    outcomes = together([lambda: payments.start(order)] * 6)

    assert len(set(outcomes)) == len(stripe.sessions) == order.payments.count() == 1


def test_start_of_an_order_that_is_over_is_refused(stripe):
    order = make_pending()
    orders.cancel(order)

    with pytest.raises(StatusConflict):
        payments.start(order)

    assert stripe.asked == []


def test_pay_page_redirects_its_owner_only(stripe):
    user, stranger = make_user(), make_user()
    order = make_pending(user=user)
    page = reverse("products:order-pay", args=[order.number])
    client = Client()
    client.force_login(stranger)
    assert client.post(page).status_code == 404
    client.force_login(user)

    answer = client.post(page)

    address = order.payments.get().address
    assert f'content="0; url={address}"' in answer.content.decode()


def test_pay_page_while_stripe_is_down_says_so(stripe):
    user = make_user()
    order, client = make_pending(user=user), Client()
    client.force_login(user)
    stripe.mood = "down"

    answer = client.post(
        reverse("products:order-pay", args=[order.number]), follow=True
    )

    assert "try again" in answer.content.decode()
    assert now(order)[0] == Status.PENDING


@pytest.mark.parametrize("mood, text", [("down", "try again"), ("refuses", "another")])
def test_pay_page_that_fails_offers_to_pay_on_delivery(stripe, mood, text):
    user = make_user()
    order, client = make_pending(user=user), Client()
    client.force_login(user)
    stripe.mood = mood

    page = client.post(reverse("products:order-pay", args=[order.number]), follow=True)

    assert text in page.text
    assert reverse("products:order-pay-on-delivery", args=[order.number]) in page.text


# --- Paying another way -----------------------------------------------------------


def switch(order: Order, user) -> str:
    """The page after the shopper chose to pay on delivery."""
    client = Client()
    client.force_login(user)
    address = reverse("products:order-pay-on-delivery", args=[order.number])
    return client.post(address, follow=True).text


def test_switch_to_delivery_closes_the_page_and_the_order_is_packed_next(stripe):
    user = make_user()
    order = make_pending(user=user)
    session = begun(stripe, order)

    page = switch(order, user)

    assert "You pay on delivery." in page
    assert session["status"] == "expired"
    assert now(order) == (Status.PENDING, ["failed"])
    assert (order.method, order.expires_at) == (Order.Method.DELIVERY, None)
    assert orders.expire_overdue() == 0
    with pytest.raises(StatusConflict):
        payments.start(order)


def test_switch_of_an_order_that_a_stranger_has_is_not_found(stripe):
    order = make_pending(user=make_user())

    switch(order, make_user())

    order.refresh_from_db()
    assert order.method == Order.Method.STRIPE


def test_switch_while_somebody_has_paid_waits_for_the_payment(stripe):
    user = make_user()
    order = make_pending(user=user)
    session = begun(stripe, order)
    session["status"] = "complete"

    page = switch(order, user)

    assert "in progress" in page
    tell(stripe.event(session))
    assert now(order) == (Status.PAID, ["paid"])


def test_switch_while_stripe_is_down_closes_the_page_later(stripe):
    user = make_user()
    order = make_pending(user=user)
    session = begun(stripe, order)
    stripe.mood = "down"
    switch(order, user)
    assert now(order) == (Status.PENDING, ["closing"])
    assert order.method == Order.Method.DELIVERY
    stripe.mood = "well"

    assert payments.close_all() == 1

    assert session["status"] == "expired"


def test_payment_after_the_switch_is_given_back(stripe):
    user = make_user()
    order = make_pending(user=user)
    session = begun(stripe, order)
    switch(order, user)

    tell(stripe.event(session))

    assert now(order) == (Status.PENDING, ["refunded"])
    assert len(stripe.refunds) == 1


def test_switch_and_payment_in_a_race_never_take_money_twice(stripe):
    for _ in range(5):
        order = make_pending()
        body = stripe.event(begun(stripe, order))

        together(
            [
                lambda b=body: tell(b),
                lambda o=order: suppressed(payments.pay_on_delivery, o),
            ]
        )

        refunds.ask_all()
        _, (payment,) = now(order)
        is_by_card = order.method == Order.Method.STRIPE
        assert payment == ("paid" if is_by_card else "refunded")


def suppressed(verb, order: Order) -> None:
    with suppress(ShopError):
        verb(order)


# --- Hearing ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["completed", "async_payment_succeeded"])
def test_payment_pays_the_order_once(stripe, kind):
    order = make_pending()
    body = stripe.event(begun(stripe, order), kind)

    assert [tell(body), tell(body)] == [200, 200]

    assert now(order) == (Status.PAID, ["paid"])
    assert WebhookEvent.objects.count() == 1
    assert stripe.refunds == []


def test_event_that_comes_many_times_at_once_has_one_effect(stripe):
    order = make_pending()
    body = stripe.event(begun(stripe, order))

    assert together([lambda: tell(body)] * 6) == [200] * 6

    assert now(order) == (Status.PAID, ["paid"])
    assert order.events.filter(status=Status.PAID).count() == 1


def test_event_before_the_session_was_noted_is_understood(stripe):
    order = make_pending()
    stripe.mood = "drops"
    with pytest.raises(PaymentUnavailable):
        payments.start(order)
    (session,) = stripe.sessions.values()

    tell(stripe.event(session))

    assert now(order) == (Status.PAID, ["paid"])


def test_completed_without_the_money_waits_for_it(stripe):
    order = make_pending()
    session = begun(stripe, order)
    tell(stripe.event(session, payment_status="unpaid"))
    assert now(order) == (Status.PENDING, ["created"])

    tell(stripe.event(session, "async_payment_succeeded"))

    assert now(order) == (Status.PAID, ["paid"])


@pytest.mark.parametrize("kind", ["expired", "async_payment_failed"])
def test_failure_allows_another_try_and_changes_nothing_after_a_payment(stripe, kind):
    order = make_pending()
    tell(stripe.event(begun(stripe, order), kind))
    assert now(order) == (Status.PENDING, ["failed"])
    session = begun(stripe, order)
    tell(stripe.event(session))

    tell(stripe.event(session, kind))

    assert now(order) == (Status.PAID, ["failed", "paid"])


def test_second_payment_of_an_order_is_given_back(stripe):
    order = make_pending()
    first = begun(stripe, order)
    tell(stripe.event(first, "expired"))
    tell(stripe.event(begun(stripe, order)))

    tell(stripe.event(first))

    assert now(order) == (Status.PAID, ["refunded", "paid"])
    assert len(stripe.refunds) == 1


@pytest.mark.parametrize("wrong", [{"amount_total": 1}, {"currency": "usd"}])
def test_other_amount_or_currency_does_not_pay(stripe, wrong, caplog):
    order = make_pending()

    tell(stripe.event(begun(stripe, order), **wrong))

    assert now(order) == (Status.PENDING, ["differs"])
    assert "but the total is" in caplog.text
    assert WebhookEvent.objects.get().outcome == "differs"


def test_payment_of_an_expired_order_revives_it(stripe):
    order = make_pending()
    session = begun(stripe, order)
    expire(order)

    tell(stripe.event(session))

    assert now(order) == (Status.PAID, ["paid"])
    assert Stock.objects.get().reserved == 1
    assert books.reconcile() == []


def test_payment_of_an_expired_order_that_was_sold_is_given_back(stripe):
    order = make_pending()
    session = begun(stripe, order)
    expire(order)
    make_order({order.lines.get().variant: 1})

    tell(stripe.event(session))

    assert now(order) == (Status.EXPIRED, ["refunded"])
    assert books.reconcile() == []


def test_payment_of_a_cancelled_order_is_given_back_though_stripe_is_down(stripe):
    order = make_pending()
    session = begun(stripe, order)
    orders.cancel(order)
    stripe.mood = "drops"
    tell(stripe.event(session))
    assert now(order) == (Status.CANCELLED, ["refunding"])
    stripe.mood = "well"

    assert [refunds.ask_all(), refunds.ask_all()] == [1, 0]

    assert now(order) == (Status.CANCELLED, ["refunded"])
    assert len(stripe.refunds) == 1


def test_refund_that_stripe_refuses_is_noted_and_asked_for_later(stripe):
    order = make_pending()
    tell(stripe.event(begun(stripe, order)))
    orders.cancel(order)
    stripe.mood = "refuses"

    assert [refunds.ask_all(), refunds.ask_all()] == [0, 0]

    payment = order.payments.get()
    assert (
        payment.problem
        == "The payment service refused the refund. Please check the payment there."
    )
    assert payment.failures == 1, "it waits for its next try"
    stripe.mood = "well"
    order.payments.update(retry_at=timezone.now())
    assert refunds.ask_all() == 1
    payment.refresh_from_db()
    assert (payment.problem, payment.status) == ("", "refunded")


def test_cancelling_a_paid_order_gives_the_money_back(stripe):
    order = make_pending()
    tell(stripe.event(begun(stripe, order)))
    orders.cancel(order)

    assert refunds.ask_all() == 1

    assert now(order) == (Status.CANCELLED, ["refunded"])


@pytest.mark.parametrize("rival", [expire, orders.cancel])
def test_payment_in_a_race_keeps_money_and_goods_together(stripe, rival):
    for _ in range(5):
        order = make_pending()
        body = stripe.event(begun(stripe, order))

        together([lambda b=body: tell(b), lambda o=order: rival(o)])

        refunds.ask_all()
        status, (payment,) = now(order)
        assert (status == Status.PAID) == (payment == "paid")
        assert payment in ("paid", "refunded")
    assert books.reconcile() == []


def test_two_events_of_one_payment_at_once_pay_once_and_give_nothing_back(stripe):
    order = make_pending()
    session = begun(stripe, order)
    bodies = [stripe.event(session, kind) for kind in sorted(PAID)]

    assert together([lambda b=b: tell(b) for b in bodies]) == [200, 200]

    assert now(order) == (Status.PAID, ["paid"])
    assert stripe.refunds == []
    assert WebhookEvent.objects.count() == 2


def test_two_events_at_once_without_the_locks_give_the_price_of_goods_back(
    stripe, monkeypatch
):
    """The positive control: the goods go out, and the money back."""
    both_have_looked = threading.Barrier(2, timeout=60)

    def without_locks(event: Event) -> str:
        payment = Payment.objects.get(idempotency_key=event.key)
        order = Order.objects.get(pk=payment.order_id)
        both_have_looked.wait()
        return webhooks._paid(order, payment, event)

    monkeypatch.setattr(webhooks, "_handle", without_locks)
    order = make_pending()
    session = begun(stripe, order)
    bodies = [stripe.event(session, kind) for kind in sorted(PAID)]

    together([lambda b=b: tell(b) for b in bodies])

    assert now(order)[0] == Status.PAID
    assert len(stripe.refunds) == 1


def test_refunds_asked_for_by_many_sweepers_are_one(stripe):
    order = make_pending()
    tell(stripe.event(begun(stripe, order)))
    orders.cancel(order)

    together([refunds.ask_all] * 4)
    refunds.ask_all()

    assert now(order) == (Status.CANCELLED, ["refunded"])
    assert len(stripe.refunds) == 1
    given = order.events.filter(note="The payment was refunded.")
    assert given.count() == 1


def test_webhook_is_accepted_although_its_refund_fails_until_later(stripe, monkeypatch):
    def broken(refund: Refund) -> bool:
        raise RuntimeError("something nobody thought of")

    order = make_pending()
    session = begun(stripe, order)
    orders.cancel(order)
    with monkeypatch.context() as patch:
        patch.setattr(refunds, "ask", broken)

        assert tell(stripe.event(session)) == 200

    assert now(order) == (Status.CANCELLED, ["refunding"])
    assert refunds.ask_all() == 1


# --- Closing ----------------------------------------------------------------------


@pytest.mark.parametrize("end", [expire, orders.cancel])
def test_page_of_an_order_that_is_over_is_closed(stripe, end):
    order = make_pending()
    session = begun(stripe, order)
    assert payments.close_all() == 0  # it may still be paid
    end(order)

    assert [payments.close_all(), payments.close_all()] == [1, 0]

    assert session["status"] == "expired"
    assert now(order)[1] == ["failed"]


def test_page_is_closed_later_while_stripe_is_down(stripe):
    order = make_pending()
    session = begun(stripe, order)
    orders.cancel(order)
    stripe.mood = "down"
    assert payments.close_all() == 0
    stripe.mood = "well"

    assert payments.close_all() == 1

    assert session["status"] == "expired"


def test_page_whose_address_was_lost_is_closed(stripe):
    order = make_pending()
    stripe.mood = "drops"
    with pytest.raises(PaymentUnavailable):
        payments.start(order)
    orders.cancel(order)
    stripe.mood = "well"

    assert payments.close_all() == 1

    (session,) = stripe.sessions.values()
    assert session["status"] == "expired"


def test_page_that_was_paid_before_it_could_be_closed_is_given_back(stripe):
    order = make_pending()
    session = begun(stripe, order)
    orders.cancel(order)
    session["status"] = "complete"
    assert payments.close_all() == 1

    tell(stripe.event(session))

    assert now(order) == (Status.CANCELLED, ["refunded"])


def test_start_after_an_hour_is_a_new_page_and_closes_the_old_one(stripe):
    order = make_pending()
    old = begun(stripe, order)
    past = timezone.now() - timedelta(minutes=61)
    order.payments.update(created_at=past)

    new = begun(stripe, order)
    payments.close_all()

    assert (old["status"], new["status"]) == ("expired", "open")
    assert now(order) == (Status.PENDING, ["failed", "created"])
    tell(stripe.event(new))
    assert now(order) == (Status.PAID, ["failed", "paid"])


def test_page_asked_for_again_in_another_language_is_the_same(stripe, monkeypatch):
    # Every text is in every language, whatever is translated so far.
    spoken = "products.payments.stripe._"
    monkeypatch.setattr(spoken, lambda text: f"{get_language()}: {text}")
    order = make_pending()
    stripe.mood = "drops"
    with pytest.raises(PaymentUnavailable):
        payments.start(order)
    stripe.mood = "well"

    with override("de"):
        payments.start(order)

    assert len(stripe.sessions) == 1
    assert stripe.asked[0] == stripe.asked[1]


def test_old_events_are_forgotten_and_new_ones_kept(settings):
    new, old = (
        WebhookEvent.objects.create(provider="stripe", event_id=name)
        for name in ("evt_new", "evt_old")
    )
    age = timedelta(days=settings.WEBHOOK_EVENT_DAYS, minutes=1)
    rows = WebhookEvent.objects.filter(pk=old.pk)
    rows.update(received_at=timezone.now() - age)

    assert tasks.forget_old_events() == 1

    assert WebhookEvent.objects.get() == new


# --- By a worker ------------------------------------------------------------------


def test_worker_gives_money_back_and_closes_pages(stripe, tmp_path, settings):
    paid, left = make_pending(), make_pending()
    tell(stripe.event(begun(stripe, paid)))
    session = begun(stripe, left)
    orders.cancel(paid)
    orders.cancel(left)
    redis = Redis(tmp_path)
    redis.start()
    worker = Worker(
        tmp_path,
        redis.url,
        STRIPE_SECRET_KEY=settings.STRIPE_SECRET_KEY,
        STRIPE_WEBHOOK_SECRET=SECRET,
        STRIPE_API_BASE=stripe.url,
    )
    try:
        worker.start()
        with broker_at(redis.url):
            for name in ("retry-refunds", "close-payments"):
                entry = settings.CELERY_BEAT_SCHEDULE[name]
                later(app.tasks[entry["task"]])
        wait_until(lambda: now(paid)[1] == ["refunded"], "the refund", 30)
        wait_until(lambda: session["status"] == "expired", "the closing", 30)
    finally:
        worker.stop()
        redis.stop()
    assert len(stripe.refunds) == 1


def test_beat_sends_only_tasks_that_there_are(settings):
    app.loader.import_default_modules()
    names = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert names - set(app.tasks) == set()


# --- Who is not Stripe ------------------------------------------------------------


def test_signature_that_is_wrong_old_or_missing_is_refused(stripe):
    order = make_pending()
    body = stripe.event(begun(stripe, order))
    old = sign(body, at=time.time() - 600)

    for signature in ("", "t=1,v1=00", sign(body, "another"), old, sign(body + b" ")):
        assert tell(body, signature) == 400

    assert now(order) == (Status.PENDING, ["created"])
    assert WebhookEvent.objects.count() == 0
    assert tell(body) == 200  # the positive control


def test_unknown_events_are_taken_and_do_nothing(stripe):
    order = make_pending()
    session = begun(stripe, order)
    other = {"id": "evt_x", "type": "customer.created", "data": {"object": {}}}

    assert tell(json.dumps(other | {"object": "event"}).encode()) == 200
    assert tell(stripe.event(session, client_reference_id="nobody's")) == 200

    assert now(order) == (Status.PENDING, ["created"])
    outcomes = WebhookEvent.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["nothing to do", "no such payment"]


def test_event_with_our_key_and_another_session_pays_nothing(stripe):
    order = make_pending()
    session = begun(stripe, order)

    assert tell(stripe.event(session, id="cs_of_another_shop")) == 200

    assert now(order) == (Status.PENDING, ["created"])


def test_body_that_is_too_large_is_refused(stripe):
    assert tell(b" " * 300_000) == 413


def test_return_from_stripe_pays_nothing(stripe):
    user = make_user()
    order, client = make_pending(user=user), Client()
    client.force_login(user)
    payments.start(order)
    back = stripe.asked[0][2]["success_url"]

    assert client.get(back).status_code == 200

    assert now(order) == (Status.PENDING, ["created"])
    assert Payment.objects.get().intent == ""

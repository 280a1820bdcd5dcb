"""Money that goes back, or never came as it should: in the shop, in Stripe's dashboard,
by a bank; told late, twice and in any order."""

import json
from datetime import timedelta
from decimal import Decimal
from html import unescape
from itertools import permutations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from products import tasks
from products.models import Dispute, Order, Payment, Refund, WebhookEvent
from products.orders import services as orders
from products.orders.exceptions import OrderOnHold, StatusConflict
from products.payments import refunds
from products.payments import services as payments
from products.stock import books
from tests.products.payments.test_stripe import begun, expire, make_pending, now, tell
from tests.products.staff.test_board import BOARD, make_clerk
from tests.support.concurrency import together
from tests.support.factories import make_order, make_user, make_variant
from tests.support.stripe_server import StripeServer, intent_of

pytestmark = pytest.mark.django_db(transaction=True)
Status, OnHold = Order.Status, Order.OnHold
# Some of the 24 orders in which four events may come, with the right one's reverse.
TURNS = [*list(permutations(range(4)))[::5], (3, 2, 1, 0)]


def make_paid(stripe: StripeServer, **fields) -> tuple[Order, dict]:
    """An order of 12.50 EUR that was paid, and where."""
    order = make_pending(**fields)
    session = begun(stripe, order)
    tell(stripe.event(session))
    return order, session


def sums(order: Order) -> tuple[str, ...]:
    """Its status, why it is on hold, and of its last payment what came and went."""
    order.refresh_from_db()
    payment = order.payments.order_by("pk").last()
    parts = (payment.received, payment.refunded, payment.disputed)
    return (order.status, order.on_hold, payment.status, *(f"{p:.2f}" for p in parts))


def page_of(order: Order) -> str:
    """What its shopper reads."""
    client = Client()
    link = reverse("products:order", args=[order.number])
    return unescape(client.get(f"{link}?t={order.access_token}", follow=True).text)


def staff_page_of(order: Order) -> str:
    client = Client()
    client.force_login(make_clerk("view_order", "change_order"))
    return unescape(client.get(f"{BOARD}{order.number}/").text)


def column_of(order: Order) -> str:
    """In which column of the board it stands."""
    client = Client()
    client.force_login(make_clerk("view_order", "change_order"))
    page = client.get(f"{BOARD}?q={order.number}").text
    return (
        page[: page.index(f'data-key="{order.number}"')]
        .rpartition("data-column=")[2]
        .split('"')[1]
    )


def expect_good_books() -> None:
    assert books.reconcile() == []
    assert books.reconcile_money() == []


# --- Paid differently -------------------------------------------------------------

WRONG = [
    ({"amount_total": 1000}, "10.00 EUR", "€10.00"),
    ({"amount_total": 2000}, "20.00 EUR", "€20.00"),
    ({"currency": "usd"}, "12.50 USD", "12.50 USD"),
    ({"currency": "jpy", "amount_total": 1250}, "1250.00 JPY", "1,250.00 JPY"),
    ({"currency": "kwd", "amount_total": 1255}, "1.255 KWD", "1.255 KWD"),
]


@pytest.mark.parametrize("wrong, noted, shown", WRONG)
def test_order_paid_with_a_different_amount_waits_for_staff(
    stripe, wrong, noted, shown
):
    order = make_pending()

    tell(stripe.event(begun(stripe, order), **wrong))

    assert now(order) == (Status.PENDING, ["differs"])
    assert order.on_hold == OnHold.DIFFERS
    page = page_of(order)
    assert "Pay €12.50 now" not in page and "Pay on delivery instead" not in page
    assert f"We’ve received {shown}. The total is €12.50." in page
    assert order.events.filter(note__startswith=f"{noted} was paid").exists()
    assert shown in staff_page_of(order)
    assert column_of(order) == "hold"
    with pytest.raises(StatusConflict):
        payments.start(order)
    with pytest.raises(StatusConflict):
        payments.pay_on_delivery(order)


def test_order_paid_with_a_different_amount_does_not_expire(stripe):
    order = make_pending()
    tell(stripe.event(begun(stripe, order), amount_total=1000))

    expire(order)

    assert now(order) == (Status.PENDING, ["differs"])


@pytest.mark.parametrize("wrong, noted, shown", WRONG)
def test_different_amount_is_refunded_after_cancelling(stripe, wrong, noted, shown):
    order = make_pending()
    session = begun(stripe, order)
    tell(stripe.event(session, **wrong))
    orders.cancel(order)

    assert [refunds.ask_all(), refunds.ask_all()] == [1, 0]

    [given] = stripe.refunds
    assert given["amount"] == session["paid_total"]
    assert given["currency"] == session["currency"]
    assert now(order) == (Status.CANCELLED, ["refunded"])
    assert order.on_hold == ""
    assert f"We’ve refunded {shown} of {shown}." in page_of(order)
    expect_good_books()


def test_other_amount_for_an_order_that_is_over_is_given_back_at_once(stripe):
    order = make_pending()
    session = begun(stripe, order)
    orders.cancel(order)

    tell(stripe.event(session, amount_total=777))

    assert stripe.refunds[0]["amount"] == 777
    assert now(order) == (Status.CANCELLED, ["refunded"])


def test_staff_accept_a_different_amount_as_paid(stripe):
    order, clerk = make_pending(), make_clerk("view_order", "change_order")
    tell(stripe.event(begun(stripe, order), amount_total=1200))
    client = Client()
    client.force_login(clerk)

    client.post(f"{BOARD}{order.number}/go-on/", {"note": "Close enough"})

    assert sums(order) == ("paid", "", "paid", "12.00", "0.00", "0.00")
    assert orders.pack(order, actor=clerk).status == Status.PACKED
    expect_good_books()


def test_go_on_without_a_reason_is_refused(stripe):
    order, clerk = make_pending(), make_clerk("view_order", "change_order")
    tell(stripe.event(begun(stripe, order), amount_total=1200))
    client = Client()
    client.force_login(clerk)

    client.post(f"{BOARD}{order.number}/go-on/", {"note": " "})

    assert now(order) == (Status.PENDING, ["differs"])


def test_go_on_of_an_order_that_is_not_on_hold_is_refused(stripe):
    order, _session = make_paid(stripe)

    with pytest.raises(StatusConflict):
        payments.go_on(order, actor=make_user(), note="?")


# --- Refunds made in the dashboard ------------------------------------------------


def test_partial_refund_in_the_dashboard_is_recorded_and_told(stripe):
    order, session = make_paid(stripe)
    refund = stripe.refund_at_dashboard(session, 500)
    version = order.version

    tell(stripe.told("refund.created", refund))

    assert sums(order) == ("paid", "", "paid", "12.50", "5.00", "0.00")
    assert order.version > version
    assert "We’ve refunded €5.00 of €12.50." in page_of(order)
    staff = staff_page_of(order)
    assert "5.00 EUR was refunded at the payment service." in staff
    assert refund["id"] in staff and "−€5.00" in staff
    assert column_of(order) == "paid"
    expect_good_books()


def test_full_refund_in_the_dashboard_holds_an_order_that_was_not_sent(stripe):
    order, session = make_paid(stripe)
    clerk = make_clerk("view_order", "change_order")

    tell(stripe.told("refund.created", stripe.refund_at_dashboard(session, 1250)))

    assert sums(order) == ("paid", "refunded", "refunded", "12.50", "12.50", "0.00")
    page = page_of(order)
    assert "We’ll pack your order next" not in page
    assert "Your payment was refunded." in page
    assert column_of(order) == "hold"
    with pytest.raises(OrderOnHold):
        orders.pack(order, actor=clerk)
    expect_good_books()


def test_full_refund_of_a_packed_order_stops_its_shipping_until_staff_go_on(stripe):
    order, session = make_paid(stripe)
    clerk = make_clerk("view_order", "change_order")
    orders.pack(order, actor=clerk)
    refund = stripe.refund_at_dashboard(session, 1250, status="pending")
    tell(stripe.told("refund.created", refund))
    with pytest.raises(OrderOnHold):
        orders.ship(order, actor=clerk)

    payments.go_on(order, actor=clerk, note="A gift")
    tell(stripe.told("refund.updated", refund | {"status": "succeeded"}, at=1))

    assert orders.ship(order, actor=clerk).status == Status.SHIPPED


def test_full_refund_of_an_order_that_was_sent_holds_nothing(stripe):
    order, session = make_paid(stripe)
    clerk = make_clerk("view_order", "change_order")
    orders.ship(orders.pack(order, actor=clerk), actor=clerk)

    tell(stripe.told("refund.created", stripe.refund_at_dashboard(session, 1250)))

    assert sums(order)[:3] == ("shipped", "", "refunded")


def test_cancelling_after_a_full_refund_gives_nothing_back_twice(stripe):
    order, session = make_paid(stripe)
    tell(stripe.told("refund.created", stripe.refund_at_dashboard(session, 1250)))

    orders.cancel(order)

    assert refunds.ask_all() == 0
    assert len(stripe.refunds) == 1
    assert sums(order)[:3] == ("cancelled", "", "refunded")


def test_charge_refunded_without_its_refunds_is_looked_up(stripe):
    order, session = make_paid(stripe)
    for amount in (300, 200):
        stripe.refund_at_dashboard(session, amount)

    tell(stripe.told("charge.refunded", stripe.charge(session)))

    assert sums(order)[2:] == ("paid", "12.50", "5.00", "0.00")
    assert Refund.objects.count() == 2
    outcome = WebhookEvent.objects.filter(type="charge.refunded").get().outcome
    assert outcome == "refunds to be looked up"


def test_charge_refunded_is_looked_up_later_while_stripe_is_down(stripe):
    order, session = make_paid(stripe)
    stripe.refund_at_dashboard(session, 500)
    stripe.mood = "down"
    assert tell(stripe.told("charge.refunded", stripe.charge(session))) == 200
    assert sums(order)[4] == "0.00"
    stripe.mood = "well"

    tasks.retry_refunds()

    assert sums(order)[4] == "5.00"
    assert not Payment.objects.filter(is_outdated=True).exists()


def test_charge_refunded_of_an_old_version_brings_its_refunds(stripe):
    order, session = make_paid(stripe)
    refund = stripe.refund_at_dashboard(session, 500)
    charge = stripe.charge(session)
    charge["refunds"] = {"object": "list", "data": [refund], "has_more": False}
    requests = len(stripe.asked)

    tell(stripe.told("charge.refunded", charge, api_version="2020-08-27"))

    assert sums(order)[4] == "5.00"
    assert len(stripe.asked) == requests


def test_refund_reported_many_times_at_once_is_stored_once(stripe):
    order, session = make_paid(stripe)
    refund = stripe.refund_at_dashboard(session, 500)
    bodies = [
        stripe.told(kind, refund)
        for kind in ("refund.created", "charge.refund.updated", "refund.updated")
    ]

    assert together([lambda b=b: tell(b) for b in bodies * 2]) == [200] * 6

    assert sums(order)[4] == "5.00"
    assert order.events.filter(note__contains="5.00 EUR was refunded").count() == 1


def test_refund_in_any_order_of_its_events_is_the_same(stripe):
    outcomes = set()
    for turn in TURNS:
        order = make_pending()
        session = begun(stripe, order)
        paid = stripe.event(session)
        refund = stripe.refund_at_dashboard(session, 500, status="pending")
        done = refund | {"status": "succeeded"}
        bodies = [
            paid,
            stripe.told("refund.created", refund),
            stripe.told("charge.refunded", stripe.charge(session)),
            stripe.told("refund.updated", done, at=60),
        ]
        refund["status"] = "succeeded"

        for n in turn:
            assert tell(bodies[n]) == 200

        row = Refund.objects.get(payment__order=order)
        outcomes.add((*sums(order), row.status, row.is_ours))
    assert outcomes == {
        ("paid", "", "paid", "12.50", "5.00", "0.00", "done", False),
    }
    assert not WebhookEvent.objects.exclude(awaits="").exists()
    expect_good_books()


def test_refund_reported_together_with_its_payment_is_handled_afterwards(stripe):
    order, session = make_paid(stripe)
    refund = stripe.refund_at_dashboard(session, 500)
    Payment.objects.update(received=None)  # as the one sees it while the other begins
    tell(stripe.told("refund.created", refund))
    Payment.objects.update(received=Decimal("12.50"))
    assert sums(order)[4] == "0.00"

    tasks.retry_refunds()

    assert sums(order)[4] == "5.00"


def test_refund_of_another_shop_of_the_account_does_nothing(stripe):
    order, session = make_paid(stripe)
    refund = stripe.refund_at_dashboard(session, 500) | {"payment_intent": "pi_other"}

    assert tell(stripe.told("refund.created", refund)) == 200

    assert sums(order)[4] == "0.00"
    assert WebhookEvent.objects.latest("pk").outcome == "no such payment"


# --- Ours and theirs together -----------------------------------------------------


def test_cancelling_after_a_partial_refund_gives_the_rest_back(stripe):
    order, session = make_paid(stripe)
    tell(stripe.told("refund.created", stripe.refund_at_dashboard(session, 500)))

    orders.cancel(order)
    refunds.ask_all()

    assert [refund["amount"] for refund in stripe.refunds] == [500, 750]
    assert sums(order)[:5] == ("cancelled", "", "refunded", "12.50", "12.50")
    expect_good_books()


@pytest.mark.parametrize("before", [500, 1250])
def test_refund_after_one_in_the_dashboard_that_was_never_reported(stripe, before):
    order, session = make_paid(stripe)
    stripe.refund_at_dashboard(session, before)
    orders.cancel(order)

    refunds.ask_all()

    assert sum(refund["amount"] for refund in stripe.refunds) == 1250
    assert sums(order)[:5] == ("cancelled", "", "refunded", "12.50", "12.50")
    assert not Refund.objects.filter(status=Refund.Status.ASKED).exists()
    expect_good_books()


def test_refund_reported_before_its_answer_is_one_row(stripe):
    order, session = make_paid(stripe)
    orders.cancel(order)
    stripe.mood = "drops"
    refunds.ask_all()
    stripe.mood = "well"

    tell(stripe.told("refund.created", stripe.refunds[0]))
    refunds.ask_all()

    row = Refund.objects.get()
    assert (row.is_ours, row.status) == (True, Refund.Status.DONE)
    assert len(stripe.refunds) == 1
    assert sums(order)[:3] == ("cancelled", "", "refunded")


def test_our_refund_and_one_of_the_dashboard_in_a_race_never_exceed_the_payment(stripe):
    for _ in range(3):
        order, session = make_paid(stripe)
        orders.cancel(order)

        together([refunds.ask_all, lambda s=session: give_some(stripe, s)] * 2)
        tell(stripe.told("charge.refunded", stripe.charge(session)))
        refunds.ask_all()

        intent = intent_of(session)
        assert sum(refund["amount"] for refund in stripe.refunds_of(intent)) == 1250
        assert sums(order)[2:5] == ("refunded", "12.50", "12.50")


def give_some(stripe: StripeServer, session: dict) -> None:
    """In the dashboard, as long as there is something left to give."""
    with stripe.lock:
        stripe.give_back({"payment_intent": intent_of(session), "amount": "400"})


def test_refund_that_fails_later_is_shown_to_staff_and_not_asked_for_again(stripe):
    order, session = make_paid(stripe)
    orders.cancel(order)
    refunds.ask_all()
    failed = stripe.refunds[0]
    failed |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}

    tell(stripe.told("refund.failed", failed, at=60))

    assert sums(order)[:5] == ("cancelled", "stuck", "stuck", "12.50", "0.00")
    assert refunds.ask_all() == 0
    assert column_of(order) == "hold"
    assert "lost_or_stolen_card" in staff_page_of(order)
    again = stripe.refund_at_dashboard(session, 1250)
    tell(stripe.told("refund.created", again, at=120))
    assert sums(order)[:5] == ("cancelled", "", "refunded", "12.50", "12.50")


def test_failed_refund_stays_failed_when_an_older_report_arrives_later(stripe):
    order, session = make_paid(stripe)
    refund = stripe.refund_at_dashboard(session, 500)
    tell(stripe.told("refund.failed", refund | {"status": "failed"}, at=60))

    tell(stripe.told("refund.created", refund))

    assert sums(order)[2:5] == ("paid", "12.50", "0.00")


def test_refund_that_stripe_refuses_is_shown_to_staff(stripe):
    order, session = make_paid(stripe)
    stripe.disputed.add(intent_of(session))
    orders.cancel(order)

    refunds.ask_all()

    assert sums(order)[:3] == ("cancelled", "stuck", "stuck")
    assert Refund.objects.get().failure
    assert refunds.ask_all() == 0


@pytest.mark.parametrize("mood", ["down", "knows no such key", "busy"])
def test_refund_during_an_outage_of_stripe_is_asked_for_later(stripe, mood):
    order, _session = make_paid(stripe)
    orders.cancel(order)
    stripe.mood = mood
    assert refunds.ask_all() == 0
    assert sums(order)[2] == "refunding"
    stripe.mood = "well"

    assert refunds.ask_all() == 1

    assert sums(order)[2] == "refunded"


# --- Disputes ---------------------------------------------------------------------


def test_dispute_holds_the_order_and_staff_see_it(stripe):
    order, session = make_paid(stripe)
    clerk = make_clerk("view_order", "change_order")
    dispute = stripe.dispute(session)

    tell(stripe.told("charge.dispute.created", dispute))

    assert sums(order) == ("paid", "disputed", "paid", "12.50", "0.00", "0.00")
    assert "We’ll pack your order next" not in page_of(order)
    assert "Your bank has asked for the payment back." in page_of(order)
    assert column_of(order) == "hold"
    assert "fraudulent" in staff_page_of(order)
    with pytest.raises(OrderOnHold):
        orders.pack(order, actor=clerk)


def test_dispute_that_took_the_money_and_gave_it_back(stripe):
    order, session = make_paid(stripe)
    dispute = stripe.dispute(session)
    tell(stripe.told("charge.dispute.created", dispute))
    tell(stripe.told("charge.dispute.funds_withdrawn", dispute, at=1))
    assert sums(order)[1:] == ("disputed", "disputed", "12.50", "0.00", "12.50")
    won = dispute | {"status": "won"}

    tell(stripe.told("charge.dispute.closed", won, at=100))
    tell(stripe.told("charge.dispute.funds_reinstated", won, at=101))

    assert sums(order) == ("paid", "", "paid", "12.50", "0.00", "0.00")
    expect_good_books()


def test_dispute_that_was_lost_is_not_given_back_on_top(stripe):
    order, session = make_paid(stripe)
    dispute = stripe.dispute(session, "lost")
    tell(stripe.told("charge.dispute.closed", dispute))

    orders.cancel(order)

    assert refunds.ask_all() == 0
    assert stripe.refunds == []
    assert sums(order)[2:] == ("disputed", "12.50", "0.00", "12.50")
    expect_good_books()


def test_dispute_that_is_won_after_cancelling_gives_the_payment_back(stripe):
    order, session = make_paid(stripe)
    dispute = stripe.dispute(session)
    tell(stripe.told("charge.dispute.funds_withdrawn", dispute))
    orders.cancel(order)
    assert refunds.ask_all() == 0
    won = dispute | {"status": "won"}
    tell(stripe.told("charge.dispute.funds_reinstated", won, at=60))

    assert refunds.ask_all() == 1

    assert sums(order)[:5] == ("cancelled", "", "refunded", "12.50", "12.50")


def test_dispute_of_what_was_partly_refunded_leaves_no_more_than_was_paid(stripe):
    order, session = make_paid(stripe)
    tell(stripe.told("refund.created", stripe.refund_at_dashboard(session, 500)))
    dispute = stripe.dispute(session, amount=750)
    tell(stripe.told("charge.dispute.funds_withdrawn", dispute))
    orders.cancel(order)

    assert refunds.ask_all() == 0

    assert sums(order)[2:] == ("disputed", "12.50", "5.00", "7.50")


@pytest.mark.parametrize("end", ["won", "lost"])
def test_dispute_in_any_order_of_its_events_is_the_same(stripe, end):
    moves = {"won": "funds_reinstated", "lost": "updated"}[end]
    outcomes = set()
    for turn in TURNS:
        order = make_pending()
        session = begun(stripe, order)
        paid = stripe.event(session)
        dispute = stripe.dispute(session)
        closed = dispute | {"status": end}
        bodies = [
            paid,
            stripe.told("charge.dispute.created", dispute),
            stripe.told("charge.dispute.funds_withdrawn", dispute, at=0),
            stripe.told(f"charge.dispute.{moves}", closed, at=60),
        ]

        for n in turn:
            assert tell(bodies[n]) == 200

        row = Dispute.objects.get(payment__order=order)
        outcomes.add((*sums(order), row.status, row.is_withdrawn))
    assert outcomes == {
        (
            ("paid", "", "paid", "12.50", "0.00", "0.00", "won", False)
            if end == "won"
            else (
                "paid",
                "disputed",
                "disputed",
                "12.50",
                "0.00",
                "12.50",
                "lost",
                True,
            )
        )
    }


def test_inquiry_takes_no_money_and_holds_until_it_is_closed(stripe):
    order, session = make_paid(stripe)
    inquiry = stripe.dispute(session, "warning_needs_response")
    tell(stripe.told("charge.dispute.created", inquiry))
    assert sums(order) == ("paid", "disputed", "paid", "12.50", "0.00", "0.00")

    closed = inquiry | {"status": "warning_closed"}
    tell(stripe.told("charge.dispute.closed", closed, at=60))

    assert sums(order)[:3] == ("paid", "", "paid")


def test_dispute_says_by_its_balance_that_the_money_was_taken(stripe):
    order, session = make_paid(stripe)
    taken = [{"id": "txn_1", "object": "balance_transaction", "amount": -1250}]

    dispute = stripe.dispute(session, balance_transactions=taken)
    tell(stripe.told("charge.dispute.created", dispute))

    assert sums(order)[5] == "12.50"


# --- What is kept, what is broken, and the books ----------------------------------


def test_events_are_stored_without_personal_data(stripe):
    _order, session = make_paid(stripe)
    tell(stripe.told("charge.refunded", stripe.charge(session)))
    tell(stripe.told("charge.dispute.created", stripe.dispute(session)))

    payloads = json.dumps(list(WebhookEvent.objects.values_list("payload", flat=True)))

    assert "ann@example.com" not in payloads and "Ann Lee" not in payloads


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("refund.created", {"amount": None}),
        ("refund.created", {"amount": "500"}),
        ("refund.created", {"id": None}),
        ("refund.created", {"currency": None}),
        ("refund.created", {"status": 7}),
        ("refund.created", {"payment_intent": "\0"}),
        ("refund.created", {"metadata": {"refund": "\0"}}),
        ("charge.refunded", {"amount_refunded": None}),
        ("charge.refunded", {"refunds": {"data": [{"id": "re_1"}]}}),
        ("charge.dispute.created", {"amount": -1}),
        ("charge.dispute.created", {"balance_transactions": [{"amount": "x"}]}),
    ],
)
def test_event_about_money_that_is_broken_is_refused(stripe, kind, changes):
    order, session = make_paid(stripe)
    whole = {
        "refund.created": lambda: stripe.refund_at_dashboard(session, 500),
        "charge.refunded": lambda: stripe.charge(session),
        "charge.dispute.created": lambda: stripe.dispute(session),
    }[kind]()
    before = sums(order)

    assert tell(stripe.told(kind, whole | changes)) == 400

    assert sums(order) == before


def off(number: str) -> list[str]:
    """What the books say is wrong with an order."""
    return [drift.what for drift in books.reconcile_money() if drift.number == number]


def test_books_find_money_that_its_rows_do_not_explain(stripe):
    order, session = make_paid(stripe)
    tell(stripe.told("refund.created", stripe.refund_at_dashboard(session, 500)))
    expect_good_books()

    Payment.objects.update(refunded=1)
    assert off(order.number) == ["refunded is 1.00 EUR, its refunds say 5.00"]
    Payment.objects.update(refunded=5, disputed=2)
    assert off(order.number) == ["disputed is 2.00 EUR, disputes say 0.00"]
    Payment.objects.update(disputed=0, received=4)
    assert "5.00 of 4.00 EUR was refunded" in off(order.number)


def test_books_find_an_order_that_counts_as_paid_and_is_not(stripe):
    order, _session = make_paid(stripe)
    Payment.objects.update(received=None)

    assert off(order.number) == ["it counts as paid, but no payment of 12.50 EUR came"]


def test_books_find_money_of_an_order_that_is_over(stripe):
    order, _session = make_paid(stripe)
    orders.cancel(order)
    assert off(order.number) == []  # it is about to go back
    old = timezone.now() - timedelta(days=2)

    Payment.objects.update(changed_at=old)

    assert off(order.number) == ["12.50 EUR was paid, and not given back"]


def test_order_on_delivery_has_no_money_to_explain():
    make_order({make_variant(): 1})

    expect_good_books()

"""Which discount an order gets, and what becomes of its use."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from products.basket import holds
from products.basket import services as baskets
from products.live import baskets as live
from products.live.viewers import Owner
from products.models import Basket, Discount, DiscountUse, Order
from products.orders import placing
from products.orders import services as orders
from products.orders.exceptions import TermsChanged
from products.pricing import clock, discount_books, discount_flips, uses
from products.pricing.exceptions import (
    CodeOver,
    CodeUsedBefore,
    CodeUsedUp,
    DiscountIsNotRunning,
    DiscountWasUsed,
    UnknownCode,
)
from products.shipping.models import ShippingMethod
from tests.products.shipping.test_services import make_method, make_zone
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_discount,
    make_order,
    make_owner,
    make_user,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def basket() -> Basket:
    """Four lamps at 12.50."""
    return make_basket(lines={make_variant(price="12.50"): 4})


def facts(basket: Basket) -> dict:
    return live.contents(Owner(basket.user_id, basket.token)).facts


def sums(basket: Basket) -> tuple[str, str, str]:
    now = facts(basket)
    return now["discount"], now["discount_name"], now["total"]


def place(basket: Basket, **options) -> Order:
    basket = holds.start(basket)
    seen = options.pop("seen", None) or terms_of(basket)
    fixed = {"method": Order.Method.DELIVERY, "language": "en"}
    return placing.place(basket, CONTACT, seen=seen, **fixed | options)


# --- The choice -------------------------------------------------------------------


@pytest.mark.parametrize(
    "terms, expected",
    [
        ({"percent": "10"}, ("5.00", "SPRING", "45.00")),
        ({"percent": "33.33"}, ("16.67", "SPRING", "33.33")),
        ({"amount": "7.01"}, ("7.01", "SPRING", "42.99")),
        ({"amount": "500"}, ("50.00", "SPRING", "0.00")),
        ({"percent": "100"}, ("50.00", "SPRING", "0.00")),
    ],
)
def test_code_takes_a_percentage_or_an_amount_off(basket, terms, expected):
    make_discount(**terms)

    baskets.apply_code(basket, " spring ")

    assert sums(basket) == expected
    assert facts(basket)["code"]["problem"] == ""


def test_discount_without_a_code_needs_nobody_to_enter_it(basket):
    make_discount(code="", name="Birthday week")

    assert sums(basket) == ("5.00", "Birthday week", "45.00")


def test_code_that_nobody_entered_changes_nothing(basket):
    make_discount()

    assert sums(basket) == ("0.00", "", "50.00")


@pytest.mark.parametrize(
    "code, name, problem",
    [
        ("20", "SPRING", ""),
        ("10", "Birthday", "not_better"),
        ("5", "Birthday", "not_better"),
    ],
)
def test_order_gets_the_better_of_code_and_automatic_discount(
    basket, code, name, problem
):
    make_discount(code="", name="Birthday", percent="10")
    make_discount(code="", name="Small", amount="1")
    make_discount(percent=code)

    baskets.apply_code(basket, "SPRING")

    assert facts(basket)["discount_name"] == name
    assert facts(basket)["code"]["problem"] == problem


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"starts_at": HOUR}, "early"),
        ({"starts_at": -2 * HOUR, "ends_at": -HOUR}, "over"),
        ({"uses_limit": 3, "uses": 3}, "used_up"),
        ({"minimum": "50.01"}, "minimum"),
    ],
)
def test_code_that_does_not_hold_stays_in_the_basket_and_says_why(
    basket, changes, problem
):
    discount = make_discount()
    baskets.apply_code(basket, "SPRING")
    now = clock.now()
    times = {k: now + v for k, v in changes.items() if isinstance(v, timedelta)}
    Discount.objects.filter(pk=discount.pk).update(**changes | times)

    assert sums(basket) == ("0.00", "", "50.00")
    assert facts(basket)["code"] == {
        "code": "SPRING",
        "problem": problem,
        "minimum": changes.get("minimum", "0.00"),
    }


def test_minimum_is_reached_by_goods_of_exactly_so_much(basket):
    make_discount(minimum="50")

    baskets.apply_code(basket, "SPRING")

    assert sums(basket)[0] == "5.00"


def test_delivery_is_free_from_goods_after_the_discount(basket):
    method = make_method(make_zone("Germany", countries=["DE"]), (0, None, "4.90"))
    ShippingMethod.objects.filter(pk=method.pk).update(free_from="50")
    assert facts(basket)["shipping"] == "0.00"
    make_discount(amount="0.01")

    baskets.apply_code(basket, "SPRING")

    assert (facts(basket)["shipping"], facts(basket)["total"]) == ("4.90", "54.89")


# --- Entering it ------------------------------------------------------------------


@pytest.mark.parametrize(
    "code, changes, refusal",
    [
        ("SPRUNG", {}, UnknownCode),
        ("", {"code": ""}, UnknownCode),
        ("SPRING", {"starts_at": HOUR}, UnknownCode),
        ("SPRING", {"starts_at": -2 * HOUR, "ends_at": -HOUR}, CodeOver),
        ("SPRING", {"uses_limit": 1, "uses": 1}, CodeUsedUp),
    ],
)
def test_code_that_does_not_hold_is_refused(basket, code, changes, refusal):
    now = clock.now()
    times = {k: now + v for k, v in changes.items() if isinstance(v, timedelta)}
    make_discount(**changes | times)

    with pytest.raises(refusal):
        baskets.apply_code(basket, code)

    basket.refresh_from_db()
    assert basket.discount is None


def test_code_changes_the_version_and_keeps_the_hold(basket):
    make_discount()
    held = holds.start(basket)

    baskets.apply_code(basket, "SPRING")
    baskets.remove_code(basket)

    basket.refresh_from_db()
    assert basket.version == held.version + 2
    assert basket.held_until == held.held_until
    assert facts(basket)["code"] is None


def test_code_comes_along_at_sign_in(basket):
    make_discount()
    user = make_user()
    baskets.apply_code(basket, "SPRING")

    baskets.merge(token=basket.token, user_id=user.pk)

    mine = Basket.objects.open().get(user=user)
    assert sums(mine)[1] == "SPRING"


def test_code_that_an_account_has_used_is_refused_at_the_basket():
    make_discount(uses_each=1)
    user = make_user()
    basket = make_basket(Owner(user_id=user.pk), {make_variant(): 1})
    baskets.apply_code(basket, "SPRING")
    place(basket, user=user)

    with pytest.raises(CodeUsedBefore):
        baskets.apply_code(baskets.open_for(Owner(user_id=user.pk)), "SPRING")


# --- Placing ----------------------------------------------------------------------


def test_order_stores_the_discount_and_counts_its_use(basket):
    discount = make_discount()
    baskets.apply_code(basket, "SPRING")

    order = place(basket)

    assert (order.discount, order.discount_name) == (Decimal("5.00"), "SPRING")
    assert order.total == Decimal("45.00")
    assert placing.terms_of(order).costs.discount_name == "SPRING"
    discount.refresh_from_db()
    assert discount.uses == 1
    assert discount_books.drifts() == []


@pytest.mark.parametrize("changes", [{"percent": "9"}, {"uses": 1}, {"minimum": "51"}])
def test_order_on_terms_with_a_discount_that_has_changed_is_refused(basket, changes):
    discount = make_discount(uses_limit=1)
    baskets.apply_code(basket, "SPRING")
    seen = terms_of(holds.start(basket))
    Discount.objects.filter(pk=discount.pk).update(**changes)

    with pytest.raises(TermsChanged), transaction.atomic():
        place(basket, seen=seen)

    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"starts_at": HOUR},
        {"starts_at": -2 * HOUR, "ends_at": timedelta(0)},
        {"uses_limit": 1, "uses": 1},
        {"version": 2},
    ],
)
def test_use_of_a_discount_that_changed_since_it_was_chosen_is_not_taken(changes):
    """What `place` has read may be over by the time it takes a use."""
    discount = make_discount()
    order = make_order()
    now = clock.now()
    times = {k: now + v for k, v in changes.items() if isinstance(v, timedelta)}
    Discount.objects.filter(pk=discount.pk).update(**changes | times)

    assert uses.take(order, [discount], "u1") is False

    assert not DiscountUse.objects.exists()
    Discount.objects.filter(pk=discount.pk).update(
        starts_at=discount.starts_at, ends_at=None, uses_limit=None, uses=0, version=1
    )
    assert uses.take(order, [discount], "u1") is True


def test_order_of_a_guest_who_has_used_the_code_is_refused(basket):
    discount = make_discount(uses_each=1)
    baskets.apply_code(basket, "SPRING")
    place(basket)
    again = make_basket(lines={make_variant(): 1})
    baskets.apply_code(again, "SPRING")

    with pytest.raises(CodeUsedBefore), transaction.atomic():
        place(again)

    discount.refresh_from_db()
    assert discount.uses == Order.objects.count() == 1


@pytest.mark.parametrize("end", [orders.cancel, orders._expire])
def test_order_that_is_over_gives_its_use_back(basket, end):
    discount = make_discount(uses_limit=1, uses_each=1)
    baskets.apply_code(basket, "SPRING")
    order = place(
        basket,
        method=Order.Method.STRIPE if end is orders._expire else Order.Method.DELIVERY,
    )
    Order.objects.filter(pk=order.pk, expires_at__isnull=False).update(
        expires_at=timezone.now()
    )

    end(Order.objects.get(pk=order.pk))

    discount.refresh_from_db()
    assert discount.uses == 0
    assert discount_books.drifts() == []


def test_order_that_is_reopened_takes_its_use_even_above_the_limit(basket):
    discount = make_discount(uses_limit=1)
    baskets.apply_code(basket, "SPRING")
    order = place(basket, method=Order.Method.STRIPE)
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now())
    orders._expire(Order.objects.get(pk=order.pk))
    other = make_basket(make_owner(), {make_variant(): 1})
    baskets.apply_code(other, "SPRING")
    place(other)

    orders.revive(Order.objects.get(pk=order.pk))

    discount.refresh_from_db()
    assert discount.uses == 2
    assert discount_books.drifts() == []


def test_drift_of_uses_is_found(basket):
    """The positive control."""
    make_discount(uses=3)

    assert discount_books.drifts() == ["discount SPRING: uses is 3, its orders say 0"]


# --- In time ----------------------------------------------------------------------


def versions(*rows: Basket) -> list[int]:
    return [Basket.objects.get(pk=row.pk).version for row in rows]


def test_end_of_a_code_gives_its_baskets_a_next_version(basket):
    other = make_basket(lines={make_variant(): 1})
    discount = make_discount()
    baskets.apply_code(basket, "SPRING")
    discount_flips.settle_all()
    before = versions(basket, other)

    discount_flips.end_discount(discount)
    assert discount_flips.settle_all() == 1
    assert discount_flips.settle_all() == 0

    assert versions(basket, other) == [before[0] + 1, before[1]]
    assert facts(basket)["code"]["problem"] == "over"


def test_begin_of_an_automatic_discount_gives_all_baskets_with_lines_a_next_version(
    basket,
):
    empty = make_basket()
    discount = make_discount(code="", starts_at=clock.now() + HOUR)
    discount_flips.settle_all()
    before = versions(basket, empty)
    Discount.objects.filter(pk=discount.pk).update(
        starts_at=clock.now(), settled_at=clock.now() - HOUR
    )

    assert discount_flips.settle_all() == 1

    assert versions(basket, empty) == [before[0] + 1, before[1]]


def test_last_use_gives_other_baskets_with_the_code_a_next_version(basket):
    make_discount(uses_limit=1)
    other = make_basket(lines={make_variant(): 1})
    baskets.apply_code(basket, "SPRING")
    baskets.apply_code(other, "SPRING")
    discount_flips.settle_all()
    (before,) = versions(other)

    place(basket)
    discount_flips.settle_all()

    assert versions(other) == [before + 1]
    assert facts(other)["code"]["problem"] == "used_up"


def test_discount_is_not_ended_twice_nor_deleted_after_its_use(basket):
    discount = make_discount()
    baskets.apply_code(basket, "SPRING")
    place(basket)
    discount_flips.end_discount(discount)

    with pytest.raises(DiscountIsNotRunning):
        discount_flips.end_discount(discount)
    with pytest.raises(DiscountWasUsed):
        discount_flips.delete_discounts([discount])


def test_save_while_orders_are_placed_keeps_their_uses(basket):
    discount = make_discount()
    stale = Discount.objects.get(pk=discount.pk)
    baskets.apply_code(basket, "SPRING")
    place(basket)

    stale.name = "Summer"
    discount_flips.save_discount(stale)

    discount.refresh_from_db()
    assert (discount.name, discount.uses) == ("Summer", 1)

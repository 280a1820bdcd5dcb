"""Many shoppers who want the last uses of a code at one moment."""

import threading
from collections import Counter
from dataclasses import replace

import pytest

from products.models import Basket, Discount, DiscountUse, Order
from products.orders import placing
from products.orders import services as orders
from products.orders.exceptions import TermsChanged
from products.orders.terms import Terms
from products.pricing import discount_books, uses
from products.pricing.exceptions import CodeUsedBefore
from tests.support.concurrency import together
from tests.support.factories import (
    CONTACT,
    make_discount,
    make_holder,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

USES, SHOPPERS = 10, 60


def rush(discount: Discount, on_lines: Discount | None = None, **options) -> Counter:
    """60 shoppers with the code place their orders, all at once."""
    lamp = make_variant(on_hand=SHOPPERS, reserved=SHOPPERS)
    if on_lines is not None:
        on_lines.variants.set([lamp])
    held = [make_holder(lamp, units=1) for _ in range(SHOPPERS)]
    Basket.objects.update(discount=discount)
    offers = [
        (basket, terms_of(basket))
        for basket in Basket.objects.filter(pk__in=[basket.pk for basket in held])
    ]

    def buy(number: int, basket: Basket, seen: Terms) -> Order:
        contact = replace(CONTACT, **{"email": f"ann{number}@example.com"} | options)
        seen = replace(seen, contact=contact)
        fixed = {"method": Order.Method.DELIVERY, "language": "en"}
        return placing.place(basket, contact, seen=seen, **fixed)

    outcomes = together(
        [lambda n=n, offer=offer: buy(n, *offer) for n, offer in enumerate(offers)]
    )
    return Counter(
        type(end) if isinstance(end, Exception) else "done" for end in outcomes
    )


def discounted() -> int:
    return Order.objects.filter(discount__gt=0, discount_name="SPRING").count()


def test_code_with_ten_uses_is_had_by_exactly_ten_of_sixty_shoppers():
    discount = make_discount(uses_limit=USES)

    ends = rush(discount)

    assert ends == {"done": USES, TermsChanged: SHOPPERS - USES}
    discount.refresh_from_db()
    assert discount.uses == discounted() == DiscountUse.objects.count() == USES
    assert discount_books.drifts() == []


def test_code_that_looks_and_then_writes_is_had_by_all(monkeypatch):
    """The positive control: counted as it is often done, all sixty have it."""
    all_have_looked = threading.Barrier(SHOPPERS, timeout=60)

    def naive_take(order: Order, used: set[Discount], person: str) -> bool:
        (discount,) = used
        row = Discount.objects.get(pk=discount.pk)
        all_have_looked.wait()
        if row.is_used_up:
            return False
        Discount.objects.filter(pk=row.pk).update(uses=row.uses + 1)
        DiscountUse.objects.create(
            discount=row, order=order, person=person, percent=row.percent
        )
        return True

    monkeypatch.setattr(uses, "take", naive_take)
    discount = make_discount(uses_limit=USES)

    ends = rush(discount)

    assert ends == {"done": SHOPPERS}
    assert discounted() == SHOPPERS > USES
    assert discount_books.drifts() == [
        f"discount SPRING: uses is 1, its orders say {SHOPPERS}"
    ]


def test_code_for_one_use_a_person_is_had_once_by_sixty_baskets_of_one_address():
    ends = rush(make_discount(uses_each=1), email="ann@example.com")

    assert ends == {"done": 1, CodeUsedBefore: SHOPPERS - 1}
    assert discounted() == 1


def test_last_use_and_cancellations_at_once_lose_no_count():
    discount = make_discount(uses_limit=USES)
    rush(discount)
    placed = list(Order.objects.filter(discount__gt=0))

    together([lambda order=order: orders.cancel(order) for order in placed] * 2)

    discount.refresh_from_db()
    assert discount.uses == 0
    assert discount_books.drifts() == []


def test_orders_with_several_discounts_at_once_lose_no_count_and_wait_for_no_circle():
    """Each order uses a code, and a discount on its line that is about to run out."""
    code = make_discount()
    on_lines = make_discount(
        code="", name="Autumn", is_on_lines=True, percent="20", uses_limit=USES
    )

    ends = rush(code, on_lines=on_lines)

    assert ends == {"done": USES, TermsChanged: SHOPPERS - USES}
    counts = Discount.objects.order_by("pk").values_list("uses", flat=True)
    assert list(counts) == [USES, USES]
    assert discount_books.drifts() == []

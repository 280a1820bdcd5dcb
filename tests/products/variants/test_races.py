"""Staff who save the grid of one product at the same moment."""

from decimal import Decimal
from functools import partial

import pytest

from products.models import Variant
from tests.products.variants.test_admin import cell, current, opened, save, staff
from tests.support.concurrency import together
from tests.support.factories import make_options

pytestmark = pytest.mark.django_db(transaction=True)


def test_changes_of_staff_who_save_at_once_are_all_kept():
    one, two = make_options(
        {"option_values": ["S"]}, {"option_values": ["L"]}, names=["Size"]
    )
    product = one.product
    changes: list[dict[str, str]] = [
        {cell(one, "price"): "20", cell(two, "change"): "1"},
        {cell(one, "weight"): "300", cell(two, "change"): "2"},
        {cell(one, "sku"): "ONE", cell(two, "change"): "-4"},
        {cell(one, "position"): "9", cell(two, "change"): "8"},
        {cell(two, "price"): "30", cell(one, "change"): "16"},
        {cell(two, "weight"): "400", cell(one, "change"): "32"},
    ]
    people = [staff(f"staff{number}") for number in range(len(changes))]
    forms = [opened(person, product) for person in people]

    answers = together(
        partial(save, person, product, form, **change)
        for person, form, change in zip(people, forms, changes, strict=True)
    )

    assert [answer.status_code for answer in answers] == [302] * 6
    one, two = current(one), current(two)
    assert (one.price, one.weight, one.sku) == (Decimal(20), 300, "ONE")
    assert (two.price, two.weight, one.position) == (Decimal(30), 400, 9)
    assert (one.stock.on_hand, two.stock.on_hand) == (10 + 48, 10 + 7)
    product.refresh_from_db()
    assert product.lowest_price == Decimal(20)
    skus = Variant.objects.order_by("position").values_list("sku", flat=True)
    assert product.skus == list(skus)

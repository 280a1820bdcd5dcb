"""Refunds of parts add up to what was paid, in any order."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from products.pricing.refunds import refund

VECTORS = json.loads(Path(__file__).with_name("quote.json").read_text())["refunds"]


@pytest.mark.parametrize("vector", VECTORS)
def test_units_returned_one_by_one_have_the_expected_refunds(vector):
    whole = {key: vector[key] for key in ("amount", "tax", "units")}

    parts = [refund(**whole, returned=n, count=1) for n in range(vector["units"])]

    assert [part.amount for part in parts] == vector["one_by_one"]["amounts"]
    assert [part.tax for part in parts] == vector["one_by_one"]["taxes"]


@given(data=st.data())
def test_refunds_of_any_parts_add_up_to_what_was_paid(data):
    amount = data.draw(st.integers(0, 10**7))
    tax = data.draw(st.integers(0, amount))
    units = data.draw(st.integers(1, 50))
    parts, returned = [], 0
    while returned < units:
        count = data.draw(st.integers(0, units - returned))
        parts.append(
            refund(amount, tax, units=units, returned=returned, count=count or 1)
        )
        returned += count or 1

    assert sum(part.amount for part in parts) == amount
    assert sum(part.tax for part in parts) == tax
    assert all(0 <= part.tax <= part.amount for part in parts)


def test_refund_of_no_units_is_nothing():
    assert refund(1000, 160, units=3, returned=1, count=0) == (0, 0)


def test_refund_of_free_units_is_nothing():
    assert refund(0, 0, units=3, returned=0, count=3) == (0, 0)


@pytest.mark.parametrize(
    "units",
    [
        {"amount": 10, "tax": 1, "units": 3, "returned": 2, "count": 2},
        {"amount": 10, "tax": 1, "units": 3, "returned": -1, "count": 1},
        {"amount": 10, "tax": 1, "units": 3, "returned": 1, "count": -1},
        {"amount": 10, "tax": 1, "units": 0, "returned": 0, "count": 0},
        {"amount": -10, "tax": 1, "units": 3, "returned": 0, "count": 1},
        {"amount": 10, "tax": -1, "units": 3, "returned": 0, "count": 1},
    ],
)
def test_refund_refuses_units_that_are_not_left(units):
    with pytest.raises(ValueError):
        refund(**units)

"""The one calculation: expected results to the cent, and what holds for every order."""

import ast
import json
import sys
from collections import Counter
from dataclasses import FrozenInstanceError, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from products.pricing import quote as quotes
from products.pricing.quote import Line, allocate, quote

VECTORS = json.loads(Path(__file__).with_name("quote.json").read_text())

rates = st.sampled_from(["0", "5.5", "7", "10.75", "19", "20", "25"])
percents = st.none() | st.decimals(0, 100, places=2)
order_lines = st.builds(
    Line,
    unit=st.integers(0, 100_000),
    quantity=st.integers(1, 30),
    rate=rates,
    line_percent=percents,
    line_fixed_per_unit=st.integers(0, 2_000),
    code=st.sampled_from(["", "reduced"]),
)
orders = st.fixed_dictionaries(
    {
        "lines": st.lists(order_lines, min_size=1, max_size=8),
        "shipping": st.integers(0, 5_000),
        "shipping_rate": st.just("split") | rates,
        "gross_prices": st.booleans(),
    }
)
discounts = st.one_of(
    st.fixed_dictionaries({"order_percent": percents}),
    st.fixed_dictionaries({"order_fixed": st.integers(0, 200_000)}),
)


# --- Expected results -------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["quotes"], ids=lambda v: v["name"])
def test_quote_has_the_expected_result(vector):
    arguments = {key: value for key, value in vector.items() if key != "name"}
    expected = arguments.pop("expected")
    lines = [Line(**line) for line in arguments.pop("lines")]

    result = quote(lines, **arguments)

    for name in ("total", "tax", "order_discount", "tax_by_rate"):
        assert getattr(result, name) == expected[name], name
    for name in ("lines", "shipping"):
        parts = getattr(result, name)
        assert len(parts) == len(expected[name])
        for part, values in zip(parts, expected[name]):
            assert {key: getattr(part, key) for key in values} == values


@pytest.mark.parametrize("vector", VECTORS["allocations"])
def test_allocation_has_the_expected_result(vector):
    assert allocate(vector["amount"], vector["weights"]) == vector["expected"]


# --- What holds for every order ---------------------------------------------------


@given(order=orders, discount=discounts)
def test_quote_adds_up(order, discount):
    result = quote(**order, **discount)

    for line in result.lines:
        before = line.unit * line.quantity
        assert line.amount == before - line.line_discount - line.order_discount
    assert sum(line.order_discount for line in result.lines) == result.order_discount
    assert result.shipping_amount == order["shipping"]
    items = [*result.lines, *result.shipping]
    assert sum(item.tax for item in items) == result.tax
    by_rate = Counter()
    for item in items:
        by_rate[item.rate] += item.tax
    assert by_rate == Counter(result.tax_by_rate)
    paid_on_top = 0 if order["gross_prices"] else result.tax
    assert result.total == sum(item.amount for item in items) + paid_on_top


@given(order=orders, discount=discounts)
def test_quote_has_nothing_below_zero_and_no_tax_above_its_amount(order, discount):
    result = quote(**order, **discount)

    for line in result.lines:
        assert line.line_discount >= 0 and line.order_discount >= 0
    for item in (*result.lines, *result.shipping):
        assert 0 <= item.tax <= item.amount
    assert 0 <= result.order_discount
    assert 0 <= result.tax <= result.total


@given(order=orders, discount=discounts, data=st.data())
def test_total_is_the_same_when_a_line_is_split(order, discount, data):
    """Two cases are left out, as they are rounded for each line: a percentage of the
    line, and net prices with several taxes, each of which is rounded."""
    lines = [replace(line, line_percent=None) for line in order.pop("lines")]
    if not order["gross_prices"]:
        lines = [replace(line, rate="19", code="") for line in lines]
        order["shipping_rate"] = "split"
    index = data.draw(st.integers(0, len(lines) - 1))
    line = lines[index]
    first = data.draw(st.integers(0, line.quantity))
    parts = [replace(line, quantity=n) for n in (first, line.quantity - first) if n]

    whole = quote(lines, **order, **discount)
    split = quote([*lines[:index], *parts, *lines[index + 1 :]], **order, **discount)

    assert split.total == whole.total
    assert split.order_discount == whole.order_discount


@given(order=orders)
def test_line_discount_is_the_better_one(order):
    for line in order["lines"]:
        both = quote([line]).lines[0].line_discount
        fixed = quote([replace(line, line_percent=None)]).lines[0].line_discount
        percent = quote([replace(line, line_fixed_per_unit=0)]).lines[0].line_discount

        assert both == max(fixed, percent)
        assert fixed == min(line.line_fixed_per_unit, line.unit) * line.quantity


@given(amount=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**6)))
def test_allocation_adds_up_and_no_share_is_off_by_a_unit(amount, weights):
    total = sum(weights)
    if not total:
        amount = 0

    shares = allocate(amount, weights)

    assert sum(shares) == amount
    for share, weight in zip(shares, weights):
        assert abs(share * total - amount * weight) < max(total, 1)


# --- Input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        ("19", "19"),
        ("19.0", "19"),
        (Decimal("10.750"), "10.75"),
        (0, "0"),
        ("1E1", "10"),
    ],
)
def test_rate_is_shown_without_needless_zeros(rate, shown):
    result = quote([Line(1000, 1, rate)])

    assert result.lines[0].rate == shown and list(result.tax_by_rate) == [shown]


def test_taxes_of_one_rate_and_several_codes_are_calculated_apart():
    lines = [Line(3, 1, "19", code=code) for code in ("a", "b")]

    result = quote(lines)

    assert [line.tax for line in result.lines] == [0, 0]  # 0.48 each, not 0.96
    assert result.tax_by_rate == {"19": 0}


def test_shipping_of_free_goods_has_the_highest_rate():
    lines = [Line(0, 1, "7"), Line(0, 1, "19"), Line(0, 1, "10.75")]

    result = quote(lines, shipping=500)

    taxed = {part.rate: part.amount for part in result.shipping}
    assert taxed == {"7": 0, "10.75": 0, "19": 500}


def test_empty_order_costs_nothing():
    result = quote([])

    assert (result.total, result.tax, result.lines, result.shipping) == (0, 0, (), ())


def test_quote_is_frozen():
    result = quote([Line(100, 1, "19")])

    with pytest.raises(FrozenInstanceError):
        result.total = 1
    with pytest.raises(FrozenInstanceError):
        result.lines[0].amount = 1


LINE = Line(100, 1, "19")
REFUSED = [
    ({"lines": [replace(LINE, unit=-1)]}, ValueError, "unit"),
    ({"lines": [replace(LINE, unit=1.5)]}, TypeError, "unit"),
    ({"lines": [replace(LINE, unit=True)]}, TypeError, "unit"),
    ({"lines": [replace(LINE, quantity=0)]}, ValueError, "quantity"),
    ({"lines": [replace(LINE, quantity="2")]}, TypeError, "quantity"),
    ({"lines": [replace(LINE, rate="-7")]}, ValueError, "rate"),
    ({"lines": [replace(LINE, rate=10.75)]}, TypeError, "rate"),
    ({"lines": [replace(LINE, rate="nineteen")]}, ValueError, "rate"),
    ({"lines": [replace(LINE, rate="NaN")]}, ValueError, "rate"),
    ({"lines": [replace(LINE, rate="Infinity")]}, ValueError, "rate"),
    ({"lines": [replace(LINE, line_percent="101")]}, ValueError, "line_percent"),
    ({"lines": [replace(LINE, line_percent=-1)]}, ValueError, "line_percent"),
    ({"lines": [replace(LINE, line_fixed_per_unit=-1)]}, ValueError, "line_fixed"),
    ({"lines": [LINE], "order_percent": "100.01"}, ValueError, "order_percent"),
    ({"lines": [LINE], "order_percent": 0.5}, TypeError, "order_percent"),
    ({"lines": [LINE], "order_fixed": -1}, ValueError, "order_fixed"),
    ({"lines": [LINE], "order_fixed": Decimal(1)}, TypeError, "order_fixed"),
    ({"lines": [LINE], "order_percent": 5, "order_fixed": 5}, ValueError, "one disc"),
    ({"lines": [LINE], "shipping": -1}, ValueError, "shipping"),
    ({"lines": [LINE], "shipping": 1, "shipping_rate": "x"}, ValueError, "rate"),
    ({"lines": [LINE], "shipping_rate": "x"}, ValueError, "rate"),
    ({"lines": [], "shipping": 1}, ValueError, "no lines"),
]


@pytest.mark.parametrize(("order", "error", "message"), REFUSED)
def test_quote_refuses_what_no_order_can_have(order, error, message):
    with pytest.raises(error, match=message):
        quote(**order)


@pytest.mark.parametrize(("amount", "weights"), [(-1, [1]), (1, [1, -1]), (1, [0, 0])])
def test_allocation_refuses_what_cannot_be_split(amount, weights):
    with pytest.raises(ValueError):
        allocate(amount, weights)


def test_quote_imports_the_standard_library_only():
    tree = ast.parse(Path(quotes.__file__).read_text())

    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }

    assert imported and imported <= sys.stdlib_module_names

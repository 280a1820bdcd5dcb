"""The load test's own copy of the rules of prices."""

import base64
import json
import zlib
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given

from products.pricing.quote import Quote, quote
from realtime.loadtest import bills
from realtime.loadtest.bills import Bill, Line, faults
from realtime.loadtest.visit import Unexpected
from tests.products.pricing.test_quote import discounts, order_lines, orders

ROOT = Path(__file__).resolve().parents[3]
VECTORS = json.loads((ROOT / "tests/products/pricing/quote.json").read_text())
SPLIT = [v for v in VECTORS["quotes"] if v["shipping_rate"] == "split"]


def bill_of(vector: dict) -> Bill:
    """The bill of a vector's expected result."""
    expected = vector["expected"]
    lines = [
        Line(
            variant=str(number),
            quantity=line["quantity"],
            unit=line["unit"],
            line_discount=result["line_discount"],
            order_discount=result["order_discount"],
            amount=result["amount"],
            tax=result["tax"],
            kind=(Fraction(line["rate"]), line.get("code", "")),
        )
        for number, (line, result) in enumerate(
            zip(vector["lines"], expected["lines"], strict=True)
        )
    ]
    return Bill(
        lines,
        goods=sum(line.before for line in lines),
        discount=expected["order_discount"],
        shipping=vector["shipping"],
        tax=expected["tax"],
        total=expected["total"],
        is_gross=vector["gross_prices"],
    )


def bill_from(quoted: Quote, shipping: int, is_gross: bool) -> Bill:
    lines = [
        Line(
            *(str(number), line.quantity, line.unit, line.line_discount),
            *(line.order_discount, line.amount, line.tax),
            (Fraction(line.rate), line.code),
        )
        for number, line in enumerate(quoted.lines)
    ]
    goods = sum(line.before for line in lines)
    sums = (goods, quoted.order_discount, shipping, quoted.tax, quoted.total)
    return Bill(lines, *sums, is_gross)


@pytest.mark.parametrize("vector", SPLIT, ids=lambda v: v["name"])
def test_bill_with_the_expected_results_is_right(vector):
    assert faults(bill_of(vector)) == []


@pytest.mark.parametrize("vector", SPLIT, ids=lambda v: v["name"])
@pytest.mark.parametrize("name", ["goods", "discount", "shipping", "tax", "total"])
@pytest.mark.parametrize("cents", [-1, 1])
def test_bill_with_a_sum_that_is_one_cent_off_is_wrong(vector, name, cents):
    bill = bill_of(vector)

    wrong = bill._replace(**{name: getattr(bill, name) + cents})

    assert faults(wrong)


@pytest.mark.parametrize("vector", SPLIT, ids=lambda v: v["name"])
@pytest.mark.parametrize("name", ["unit", "line_discount", "order_discount", "amount"])
@pytest.mark.parametrize("cents", [-1, 1])
def test_bill_with_a_line_that_is_one_cent_off_is_wrong(vector, name, cents):
    bill = bill_of(vector)
    first, *others = bill.lines

    changed = first._replace(**{name: getattr(first, name) + cents})

    assert faults(bill._replace(lines=[changed, *others]))


def test_tax_of_a_line_may_not_be_in_another():
    first, second, *others = bill_of(SPLIT[0]).lines
    wrong = [first._replace(tax=first.tax + 2), second._replace(tax=second.tax - 2)]

    found = faults(bill_of(SPLIT[0])._replace(lines=[*wrong, *others]))

    assert found == ["tax of 19 %"]


@given(order=orders, discount=discounts)
def test_bills_of_the_shop_are_right(order, discount):
    order["shipping_rate"] = "split"

    quoted = quote(**order, **discount)

    assert faults(bill_from(quoted, order["shipping"], order["gross_prices"])) == []


@given(line=order_lines)
def test_amount_that_is_split_may_be_split_in_one_way_only(line):
    weights = [line.unit, line.quantity, 7]
    shares = bills.split(100, weights)
    if any(weights):
        assert bills.is_split(100, weights, shares)
        assert not bills.is_split(100, weights, [shares[0] + 1, *shares[1:]])


# --- Reading ----------------------------------------------------------------------

ROW = [7, "Lamp", 2, "12.50", "1.00", "2.00", "22.00", "3.51", "19.00", "standard"]
SHOWN = [1, None, [{}, [ROW + ["Autumn"]], [], ["24.00", "2.00", "0.00", "3.51"]]]
SHOWN[2][3] += ["22.00", True, "SPRING"]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_form_of_a_review_is_read(is_compressed):
    data = json.dumps(SHOWN).encode()
    data = zlib.compress(data) if is_compressed else data
    text = base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    bill = Bill.read(("." if is_compressed else "") + text + ":1abc:signature")

    assert bill.lines == [
        Line("7", 2, 1250, 100, 200, 2200, 351, (Fraction(19), "standard"))
    ]
    assert bill[1:] == (2400, 200, 0, 351, 2200, True)
    assert faults(bill) == []


@pytest.mark.parametrize("text", ["", "x", ".eJ:1:2", "W10:1:2", "bnVsbA:1:2"])
def test_form_without_terms_is_unexpected(text):
    with pytest.raises(Unexpected, match="no terms"):
        Bill.read(text)

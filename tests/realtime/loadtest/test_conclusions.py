"""What a load test concludes from its measurements."""

from fractions import Fraction

import pytest

from realtime.loadtest import conclusions, shoppers
from realtime.loadtest.bills import Bill, Line
from realtime.loadtest.visit import Visit
from tests.realtime.loadtest.runs import make_run

BILL = Bill(
    [Line("1", 1, 1250, 0, 0, 1250, 200, (Fraction(19), "standard"))],
    *(1250, 0, 0, 200, 1250, True),
)


def complaints(
    units: int, before: int, left: int, *flags: str, doubt: int = 0
) -> list[str]:
    """Return the complaints after so many units were ordered."""
    test = make_run(*flags)
    visit = Visit("http://localhost")
    test.stock, test.ledger.units = {"stock:1": before}, {"stock:1": left}
    test.ledger.newest, test.page_versions = {"stock:1": 7}, {"stock:1": 7}
    test.placed = [shoppers.Placed(str(n), BILL, visit) for n in range(units)]
    test.ledger.doubt["stock:1"] = doubt
    test.tally["finished"] = 1
    test.count()
    conclusions.conclude(test)
    return test.wrong


def test_stock_must_be_left_or_ordered():
    assert complaints(3, before=5, left=2) == []
    assert "oversold: 5 in stock, 6 ordered" in complaints(6, before=5, left=0)[0]
    assert "does not add up" in complaints(3, before=5, left=1)[0]
    assert complaints(3, 5, 1, "--shared") == []


def test_units_of_an_unanswered_request_may_be_gone_or_not():
    assert complaints(3, before=5, left=2, doubt=1) == []
    assert complaints(3, before=5, left=1, doubt=1) == []
    assert "does not add up" in complaints(3, before=5, left=0, doubt=1)[0]
    assert "does not add up" in complaints(3, before=5, left=3, doubt=1)[0]


def test_order_that_is_calculated_wrongly_is_named():
    test = make_run()
    bill = BILL._replace(total=1251)
    test.placed = [shoppers.Placed("ABCD2345", bill, Visit("http://localhost"))]
    test.count()

    conclusions.conclude(test)

    assert test.wrong == ["1 orders are calculated wrongly: order ABCD2345: total."]


@pytest.mark.parametrize(
    "active, steady",
    [
        ([("fanout", 10, 50)], (30, 50)),
        ([("fanout", 10, 50), ("shopping", 50, 90)], (60, 90)),
        ([("fanout", 10, 250), ("shopping", 250, 490)], (280, 490)),
    ],
)
def test_memory_is_compared_in_the_second_half_after_a_warm_up(active, steady):
    assert conclusions.steady_time(active) == steady

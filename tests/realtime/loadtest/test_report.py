"""The report of a load test."""

import pytest

from realtime.loadtest import report, vitals
from tests.realtime.loadtest.runs import make_run


@pytest.mark.parametrize("late_s, is_saturated", [(0.02, False), (0.3, True)])
def test_report_says_if_the_load_test_could_not_keep_up(late_s, is_saturated):
    test = make_run()
    test.vitals._since -= 60  # a minute, so that this process has idled
    for second in range(10):
        test.vitals.lag.add(second, late_s)

    test.figures = test.vitals.figures()

    assert test.figures["generator_is_saturated"] == is_saturated
    assert ("could not keep up" in " ".join(report.notes(test))) == is_saturated


def test_unknown_memory_is_left_out_of_the_rows():
    test = make_run()
    test.vitals.rows = {vitals.WHOLE: [{"at": 0.1}]}

    assert all("server_memory_mb" not in row for row in report.rows(test))

"""Expectations of a load test, and its verdict."""

import pytest

from realtime.loadtest.gates import Verdict, expectation, judge


@pytest.mark.parametrize(
    "text, value, is_met",
    [
        ("push_p99<150ms", 149.9, True),
        ("push_p99<150ms", 150, False),
        ("push_p99<=150ms", 150, True),
        ("push_p99 < 0.15s", 149, True),
        ("push_p99<150", 151, False),
        ("storm_s<5s", 4.9, True),
        ("storm_s<5", 5.1, False),
        ("storm_s<5000ms", 5.1, False),
        ("orders>=10", 10, True),
        ("orders>10", 10, False),
        ("gaps<1", 0, True),
        ("server_cpu_percent<90%", 91, False),
        ("server_loop_lag_ms<50ms", 51, False),
    ],
)
def test_expectation_compares_the_figure_with_its_limit(text, value, is_met):
    expected = expectation(text)

    assert (expected.complaint({expected.name: value}) is None) == is_met


def test_expectation_of_a_figure_that_was_not_measured_fails():
    assert "not measured" in expectation("order_p99<1s").complaint({"order_p99": None})


@pytest.mark.parametrize(
    "text", ["push_p99", "push_p99=3", "pish_p99<3ms", "orders<3ms", "", "push_p99<-1"]
)
def test_invalid_expectation_is_refused(text):
    with pytest.raises(ValueError):
        expectation(text)


@pytest.mark.parametrize(
    "wrong, push, cut_short, verdict",
    [
        ([], 1, None, Verdict.PASSED),
        ([], 9, None, Verdict.TOO_SLOW),
        (["An order is lost."], 9, None, Verdict.INCORRECT),
        ([], 9, Verdict.UNFINISHED, Verdict.UNFINISHED),
        (["An order is lost."], 1, Verdict.UNFINISHED, Verdict.INCORRECT),
        (["An order is lost."], 1, Verdict.UNREACHABLE, Verdict.UNREACHABLE),
        (["An order is lost."], 1, Verdict.INTERRUPTED, Verdict.INTERRUPTED),
    ],
)
def test_verdict_is_the_most_serious_of_all_findings(wrong, push, cut_short, verdict):
    limits = [expectation("push_p99<5ms")]
    why = cut_short and (cut_short, "It ended early.")

    code, sentences = judge(wrong, {"push_p99": push}, limits, why)

    assert code == verdict
    assert bool(sentences) == (verdict != Verdict.PASSED)


def test_every_verdict_has_its_own_exit_code():
    assert len({int(verdict) for verdict in Verdict} | {1, 2}) == len(Verdict) + 2


@pytest.mark.parametrize(
    "text, verdict",
    [
        ("memory_slope_kb_min<5", Verdict.TOO_SLOW),
        ("server_memory_mb<5", Verdict.TOO_SLOW),
        ("generator_lag_p99<5ms", Verdict.TOO_SLOW),
        ("generator_cpu_percent<5", Verdict.TOO_SLOW),
        ("push_p50<5ms", Verdict.OVERLOADED),
        ("server_loop_lag_ms<5ms", Verdict.OVERLOADED),
        ("failed_handshakes<5", Verdict.OVERLOADED),
    ],
)
def test_overloaded_generator_still_judges_figures_that_it_can_trust(text, verdict):
    expected = expectation(text)
    figures = {expected.name: 9, "generator_is_saturated": True}

    assert judge([], figures, [expected])[0] == verdict
    assert judge([], figures, [expectation(text.replace("<", ">"))])[0] == 0


def test_overloaded_generator_does_not_judge_a_missing_figure():
    figures = {"memory_slope_kb_min": None, "generator_is_saturated": True}

    code, _ = judge([], figures, [expectation("memory_slope_kb_min<5")])

    assert code == Verdict.OVERLOADED


def test_overloaded_generator_that_runs_out_of_time_blames_itself():
    why = Verdict.UNFINISHED, "The time was up."

    assert judge([], {"generator_is_saturated": True}, [], why)[0] == Verdict.OVERLOADED
    assert judge(["Lost."], {"generator_is_saturated": True}, [], why)[0] == 3

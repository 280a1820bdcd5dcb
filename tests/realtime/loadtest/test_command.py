"""The verdict that a load test reports."""

from collections import Counter

from realtime.loadtest import command
from realtime.loadtest.gates import Verdict
from realtime.loadtest.run import Run
from tests.realtime.loadtest.runs import make_run


def fallen_behind(late_s: float, *flags: str) -> Run:
    """Return a run that ended with lost and stale sockets, and a late loop."""
    test = make_run(*flags)
    test.vitals._since -= 60
    test.vitals.lag.add(3, late_s)
    test.count()
    test.tally["stray"], test.durations["patience"] = 5, 30.0
    test.lost_codes, test.stale = Counter({"1012": 2}), Counter({"stock:1": 3})
    test.unanswered = ["ABCDEFGH"]
    test.ledger.push.add(3, late_s)
    return test


def test_overloaded_generator_does_not_judge_what_it_missed(capsys):
    test = fallen_behind(5.0, "--expect", "push_p99<1s", "--expect", "orders>0")

    code = command.conclude(test)

    output = capsys.readouterr().out
    assert code == Verdict.OVERLOADED
    assert "OVERLOADED, exit code 7" in output
    assert output.count("Not judged, because the load test could not keep up: ") == 6


def test_generator_that_keeps_up_judges_the_same(capsys):
    test = fallen_behind(0.05, "--expect", "orders>0")

    assert command.conclude(test) == Verdict.INCORRECT
    assert "Not judged" not in capsys.readouterr().out


def test_overloaded_generator_still_reports_lost_orders(capsys):
    test = fallen_behind(5.0)
    test.lost = ["HGFEDCBA"]

    code = command.conclude(test)

    assert code == Verdict.INCORRECT
    assert "Confirmed orders are lost: HGFEDCBA." in capsys.readouterr().out


def test_report_without_any_figure_is_still_written(tmp_path, capsys):
    files = [tmp_path / name for name in ("a.html", "a.json", "a.csv")]
    flags = [f"--{file.suffix[1:]}={file}" for file in files]

    command.conclude(make_run(*flags))

    assert "INCORRECT" not in capsys.readouterr().out
    assert all(file.stat().st_size for file in files)

"""The phases of a load test."""

import pytest

from realtime.loadtest import phases, watchers
from tests.realtime.loadtest.runs import make_run


@pytest.mark.parametrize("share, hidden", [("0", 0), ("0.8", 40), ("1", 50)])
def test_hidden_tabs_are_spread_evenly(share, hidden):
    hidden_tabs = [phases.is_hidden(number, float(share)) for number in range(50)]

    assert sum(hidden_tabs) == hidden
    assert {sum(hidden_tabs[start : start + 10]) for start in range(0, 50, 10)} == {
        hidden // 5
    }


def test_socket_on_an_old_timeline_is_stale():
    test = make_run()
    test.topics = {"stock:1": 1}
    watcher = watchers.Watcher("http://localhost", ["stock:1"], test.ledger)
    watcher.is_live, watcher.shown, watcher.timeline = True, {"stock:1": 9}, "a"
    test.watchers, test.ledger.timeline = [watcher], "b"

    assert phases.find_stale(test, {"stock:1": 3}) == {"stock:1": 1}
    watcher.timeline = "b"
    assert phases.find_stale(test, {"stock:1": 3}) == {}


@pytest.mark.parametrize("spread_s", [None, 0, 3, 120])
def test_socket_may_fail_once_at_the_end_of_the_time_that_the_server_gave(spread_s):
    attempts = [watchers.longest_wait(failures, spread_s) for failures in (0, 1)]

    assert phases.patience(spread_s) >= sum(attempts) + 2 * watchers.HANDSHAKE_S

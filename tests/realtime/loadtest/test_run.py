"""One run of a load test."""

import asyncio

import pytest

from realtime.loadtest import conclusions, visit, watchers
from realtime.loadtest.gates import Verdict, judge
from tests.realtime.loadtest.runs import answering, make_run


def test_people_with_the_same_seed_do_the_same():
    def luck(seed: int) -> list[float]:
        people = [("buyer", 0), ("buyer", 1), ("holder", "stock:1"), ("auditor",)]
        test = make_run("--seed", str(seed))
        return [test.random_for(*who).random() for who in people]

    assert luck(6) == luck(6)
    assert len({*luck(6), *luck(7)}) == 8


async def test_socket_that_may_not_reconnect_is_reported():
    test = make_run()
    gone = watchers.Watcher("http://localhost:9", ["stock:1"], test.ledger)
    gone.shown, gone.is_live = {"stock:1": 1}, True
    gone.on_loss = test.bring_back
    test.watchers = [gone]

    gone._closed(4510)
    await test.wait_for_returning()
    conclusions.conclude(test)

    assert test.ledger.count["unexpected_closes"] == 1
    assert test.late == ["1 sockets were closed (4510) and did not reconnect."]


async def test_lost_sockets_are_reported_with_their_close_codes():
    test = make_run()
    for code in (1012, None, 1006, 1012):
        watcher = watchers.Watcher("http://localhost:9", ["stock:1"], test.ledger)
        watcher.shown, watcher.code = {"stock:1": 1}, code
        test.watchers.append(watcher)

    await test.wait_for_returning()
    conclusions.conclude(test)

    assert test.late == [
        "4 sockets were closed (1006, 1012, None) and did not reconnect."
    ]


@pytest.mark.parametrize(
    "late_s, refusal, verdict",
    [
        (5.0, TimeoutError(), Verdict.OVERLOADED),
        (5.0, ConnectionRefusedError(), Verdict.UNREACHABLE),
        (0.05, TimeoutError(), Verdict.UNREACHABLE),
    ],
)
async def test_overloaded_generator_does_not_report_handshakes_as_lost(
    late_s, refusal, verdict
):
    async with answering(lambda: "a page") as (url, _):
        test = make_run("--url", url, "--sockets", "1", "--rate", "100")
        test.vitals._since -= 60
        test.vitals.lag.add(0, late_s)
        test.topics = {"stock:1": 1}
        test._arrive = lambda watchers: asyncio.sleep(0, 0)
        test.ledger.refusals[str(refusal) or type(refusal).__name__] += 1

        try:
            await test.go_through_phases()
        except visit.Unreachable:
            actual = Verdict.UNREACHABLE
        else:
            test.count()
            conclusions.conclude(test)
            actual, _ = judge(test.wrong, test.figures, [], test.cut_short, test.late)

    assert actual == verdict

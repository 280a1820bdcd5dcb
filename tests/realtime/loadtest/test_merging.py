"""Several generators that make one load test."""

import json
from collections import Counter

import pytest

from realtime.loadtest import conclusions, merging
from tests.realtime.loadtest.runs import make_run


def test_measurements_of_generators_are_added_up():
    whole, parts = make_run(), [make_run(), make_run()]
    for number, part in enumerate(parts):
        part.ledger.push.add(number, 0.1 + number)
        part.ledger.closes[1000] += 3
        part.ledger.newest["stock:1"] = 7 + number
        part.ledger.units["stock:1"] = 5 - number
        part.stale, part.numbers = Counter({"stock:1": 2}), [str(number)]
        part.spans = [("idle", 1.0, 2.0 + number)]
        part.count()
        part.numbers = [f"N{number}"]
        results = json.loads(json.dumps(merging.raw(part)))
        merging.absorb(whole, results)

    conclusions.conclude(whole)

    assert whole.figures["push_p50"] == pytest.approx(100, rel=0.02)
    assert whole.figures["push_max"] == 1100
    assert sorted(whole.ledger.push.seconds) == [0, 1]
    assert whole.ledger.closes == {1000: 6}
    assert whole.ledger.units == {"stock:1": 4}, "as the newest version says"
    assert whole.figures["stale"] == 4
    assert whole.numbers == ["N0", "N1"]
    assert whole.spans == [("idle", 1.0, 3.0)]

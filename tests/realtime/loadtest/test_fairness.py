"""What a load test says of a drop, from what became of its people."""

import hashlib

import pytest

from realtime.loadtest import fairness
from realtime.loadtest.drops import line_faults

SEED = "5eed"
PROMISED = hashlib.sha256(SEED.encode()).hexdigest()


def person(place: int, **more) -> dict:
    return {
        "number": f"n{place}",
        "place": place,
        "state": "waiting",
        "order": "",
        "ordered_at": 0.0,
        "heard_at": 11.0,
    } | more


def buyer(place: int, **more) -> dict:
    return person(place, state="admitted", order=f"O{place}", ordered_at=10.0, **more)


def result(*people: dict, **more) -> dict:
    bought = sum(bool(each["order"]) for each in people)
    state = {"people": list(people), "faults": [], "state": "sold_out"}
    return state | {"bought": bought, "left": 0} | more


def test_fair_drop_has_no_faults():
    drop = result(buyer(1), buyer(2), person(3))

    assert fairness.faults(drop) == fairness.late(drop) == []
    assert fairness.figures(drop) == {
        "drop_people": 3,
        "drop_sold": 2,
        "drop_heard_s": 1.0,
    }


def test_run_without_a_drop_has_no_figures():
    drop = result()

    assert fairness.figures(drop) == {}
    assert fairness.faults(drop) == fairness.late(drop) == []


@pytest.mark.parametrize(
    "drop, text",
    [
        (result(buyer(1), person(2), buyer(3)), "overtaken: tickets n2"),
        (result(buyer(1), bought=2), "says that 2 people bought, but 1 did"),
        (result(buyer(1), person(2, number="n1")), "the same ticket: n1"),
        (result(buyer(1), faults=["Past the room."]), "Past the room."),
    ],
)
def test_fault_of_a_drop_is_found(drop, text):
    assert text in " ".join(fairness.faults(drop))


@pytest.mark.parametrize(
    "drop, text",
    [
        (result(buyer(1), state="running"), "ended as “running”"),
        (result(buyer(1), person(2, heard_at=0.0)), "1 people who wait did not hear"),
        (result(buyer(1), person(2, heard_at=13.0)), "heard only after 3 s"),
    ],
)
def test_slowness_of_a_drop_is_found(drop, text):
    assert text in " ".join(fairness.late(drop))


def line(numbers: list[str], seed: str = SEED) -> str:
    return "\n".join(["# shop", f"# seed: {seed}", *numbers, "# Later: …", "zzz", ""])


def test_line_in_the_order_of_the_seed_has_no_faults():
    numbers = sorted(
        map(str, range(20)),
        key=lambda n: hashlib.sha256(f"{SEED}:{n}".encode()).hexdigest(),
    )

    assert line_faults(line(numbers), PROMISED) == []
    assert line_faults(line(numbers[::-1]), PROMISED) == [
        "The line is not in the order of the published seed."
    ]


def test_line_of_another_seed_is_found():
    (fault,) = line_faults(line(["1"], "else"), PROMISED)

    assert fault == "The published seed is not the one that was promised."

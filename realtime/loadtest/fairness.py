"""Judges a drop by what became of the people of all generators."""

from collections import Counter
from typing import Any

HEARD_S = 2.0  # after the last order, everybody knows that nothing is left


def figures(drop: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a drop; {} if there was none."""
    people = drop["people"]
    if not people:
        return {}
    bought = [person for person in people if person["order"]]
    found: dict[str, Any] = {"drop_people": len(people), "drop_sold": len(bought)}
    heard = [p["heard_at"] for p in people if p["heard_at"] and not p["order"]]
    if heard and bought and drop["state"] == "sold_out":
        last = max(person["ordered_at"] for person in bought)
        found["drop_heard_s"] = round(max(0.0, max(heard) - last), 2)
    return found


def faults(drop: dict[str, Any]) -> list[str]:
    """Return what the shop did wrong, whatever it took in time."""
    people, wrong = drop["people"], list(drop["faults"])
    if not people:
        return wrong
    bought = [person for person in people if person["order"]]
    numbers = Counter(person["number"] for person in people if person["number"])
    if twice := [number for number, count in numbers.items() if count > 1]:
        wrong.append(f"Two people have the same ticket: {', '.join(twice)}.")
    if len(bought) != drop["bought"]:
        wrong.append(
            f"The room says that {drop['bought']} people bought, but {len(bought)} did."
        )
    last = max((person["place"] for person in bought), default=0)
    overtaken = [
        person["number"]
        for person in people
        if person["place"] and person["place"] < last and person["state"] == "waiting"
    ]
    if overtaken:
        wrong.append(f"People were overtaken: tickets {', '.join(overtaken[:5])}.")
    return wrong


def late(drop: dict[str, Any]) -> list[str]:
    """Return what was too slow, or did not happen in time."""
    people: list[dict[str, Any]] = drop["people"]
    slow: list[str] = []
    if not people:
        return slow
    if drop["state"] != "sold_out":
        slow.append(f"The drop ended as “{drop['state']}”, not sold out.")
    deaf = sum(not (p["order"] or p["heard_at"]) for p in people if p["number"])
    if deaf and drop["state"] == "sold_out":
        slow.append(f"{deaf} people who wait did not hear that nothing is left.")
    heard = figures(drop).get("drop_heard_s", 0.0)
    if heard > HEARD_S:
        slow.append(
            f"The last one heard only after {heard:g} s that nothing is left,"
            f" not within {HEARD_S:g} s."
        )
    return slow

"""Steps: what a drop does at its start, and about once a second after that.

A step gives places in the line, ends the turns that were not used, and admits the next
people. It depends on rows alone, so it can be run at any time, twice, and by several
processes at once: the one that locks the drop's row does it, and the others do nothing.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

from django.db import connection, transaction

from products.drops import gates, states
from products.drops.states import Status, Turn
from products.live import push
from products.models import Drop, Ticket
from products.pricing import clock

PACE_S = 120  # the time in which admitted people are counted
PACE_KNOWN_S = 30  # after the start
LATE_S = 2  # after so long without a step, requests make one

# The early tickets in the order of their hashes. Anybody can repeat this with the seed.
SHUFFLE = """
UPDATE products_ticket AS t SET place = r.place
FROM (
    SELECT id, row_number() OVER (
        ORDER BY sha256(convert_to(%(seed)s || ':' || number, 'UTF8')), number
    ) AS place
    FROM products_ticket WHERE drop_id = %(drop)s AND place IS NULL
) AS r
WHERE r.id = t.id
"""
# Later tickets in the order in which they were taken.
QUEUE = """
UPDATE products_ticket AS t SET place = %(last)s + r.n
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS n
    FROM products_ticket WHERE drop_id = %(drop)s AND place IS NULL
) AS r
WHERE r.id = t.id
"""
# Whether the owner of an admitted ticket `t` holds units of the drop.
HOLDS = """
EXISTS (
    SELECT FROM products_basket AS b
    JOIN products_basketline AS l ON l.basket_id = b.id AND l.held > 0
    JOIN products_variant AS v ON v.id = l.variant_id AND v.drop_id = t.drop_id
    WHERE b.status = 'open' AND b.held_until > %(now)s
      AND (b.user_id = t.user_id OR b.token = t.token)
)
"""
PASS_ON = f"""
UPDATE products_ticket AS t SET state = 'passed'
WHERE t.id = ANY(%(ids)s) AND NOT {HOLDS}
"""
# One statement, so that units and people are counted at the same moment.
COUNT = f"""
WITH unserved AS (
    SELECT t.ends_at FROM products_ticket AS t
    WHERE t.drop_id = %(drop)s AND t.state = 'admitted' AND NOT {HOLDS}
)
SELECT
    (SELECT COALESCE(sum(s.on_hand + s.backorder_limit - s.reserved), 0)::bigint
     FROM products_stock AS s
     JOIN products_variant AS v ON v.id = s.variant_id AND v.is_active
     JOIN products_product AS p ON p.id = v.product_id AND p.is_active
     WHERE v.drop_id = %(drop)s) AS available,
    (SELECT COALESCE(sum(l.held), 0)::bigint
     FROM products_basketline AS l
     JOIN products_variant AS v ON v.id = l.variant_id
     WHERE v.drop_id = %(drop)s AND l.held > 0) AS held,
    count(*) FILTER (WHERE t.state = 'waiting') AS waiting,
    count(*) FILTER (WHERE t.state = 'admitted') AS admitted,
    count(*) FILTER (WHERE t.state = 'bought') AS bought,
    count(*) FILTER (WHERE t.state = 'passed') AS passed,
    (SELECT count(*) FROM unserved) AS unserved,
    (SELECT min(ends_at) FROM unserved) AS ends,
    count(*) FILTER (WHERE t.admitted_at > %(since)s) AS lately
FROM products_ticket AS t
WHERE t.drop_id = %(drop)s
"""


class Counted(NamedTuple):
    """What a step counts."""

    available: int  # units that nobody has reserved
    held: int  # units in baskets
    waiting: int
    admitted: int
    bought: int
    passed: int
    unserved: int  # admitted people who have not reserved units
    ends: datetime | None  # when the first turn of these ends
    lately: int  # people admitted in the last minutes, but for the first of all


def step_all() -> int:
    """Make a step of each drop that has begun, or should; return how many."""
    drops = Drop.objects.due(clock.now()).values_list("pk", flat=True)
    return sum(step(pk) for pk in drops)


def keep_gates_closed() -> None:
    """Let planned drops sell the variants that were added to their products since."""
    for drop in Drop.objects.filter(status=Status.PLANNED):
        gates.keep_closed(drop)


def is_any_running() -> bool:
    """Return whether a drop has begun and is not sold out or over."""
    return Drop.objects.filter(status__in=states.LIVELY).exists()


def pauses(sweep_s: float) -> list[float]:
    """Return after how many seconds steps are due until the next sweep.

    There is one a second while a drop runs, and one at the second when a drop begins.
    """
    now = clock.now()
    soon = now + timedelta(seconds=2 * sweep_s)  # the next sweep may be late
    planned = Drop.objects.filter(status=Status.PLANNED, starts_at__gt=now)
    starts = planned.filter(starts_at__lte=soon).values_list("starts_at", flat=True)
    begins = [(start - now).total_seconds() for start in starts]
    if begins or is_any_running():
        begins += [float(second) for second in range(1, ceil(sweep_s))]
    return sorted({max(pause, 0.01) for pause in begins})


def step_if_late(drop: Drop) -> None:
    """Make a step if nothing else has made one for a while, as without a worker."""
    now = clock.now()
    is_due = drop.state.moves_on or (
        drop.status == Status.PLANNED and drop.starts_at <= now
    )
    last = drop.stepped_at or drop.starts_at
    if is_due and now - last > timedelta(seconds=LATE_S) and step(drop.pk):
        drop.refresh_from_db()


@transaction.atomic
def step(drop_id: int, at: datetime | None = None) -> bool:
    """Make a step. Return False if another process makes one, or none is due."""
    # no_key: people may take tickets, which refer to the row, at the same time.
    rows = Drop.objects.select_for_update(skip_locked=True, no_key=True)
    drop = rows.filter(pk=drop_id).first()
    if drop is None:
        return False
    at = at or clock.now()
    before = _material(drop)
    if states.START.allows(drop.status) and drop.starts_at <= at:
        _start(drop, at)
    if not drop.state.moves_on:
        return False
    _move_on(drop, at)
    drop.stepped_at = at
    if _material(drop) != before:
        drop.version += 1
        push.drop_changed(drop)
    drop.save()
    return True


def _start(drop: Drop, at: datetime) -> None:
    drop.early = drop.last_place = _run(SHUFFLE, drop=drop.pk, seed=drop.seed)
    drop.started_at = at
    drop.status = states.START.to.status


def _move_on(drop: Drop, at: datetime) -> None:
    gates.keep_closed(drop)
    drop.last_place += _run(QUEUE, drop=drop.pk, last=drop.last_place)
    _pass_on(drop, at)
    counted = _count(drop, at)
    _settle(drop, counted, at)
    if drop.state.admits:
        counted = _admit(drop, counted, at)
    drop.room = _room(drop, counted, at)


def _pass_on(drop: Drop, at: datetime) -> None:
    """End the turns that are over and whose people hold no units.

    The tickets are locked first. One that is locked already is just being used. Then a
    new statement sees the holds that were made before.
    """
    over = drop.tickets.filter(state=Turn.ADMITTED, ends_at__lte=at)
    ids = [t.pk for t in over.select_for_update(skip_locked=True).order_by("pk")]
    if ids:
        _run(PASS_ON, ids=ids, now=at)


def _count(drop: Drop, at: datetime) -> Counted:
    assert drop.started_at is not None
    since = max(drop.started_at, at - timedelta(seconds=PACE_S))
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"drop": drop.pk, "now": at, "since": since})
        return Counted._make(cursor.fetchone())


def _settle(drop: Drop, counted: Counted, at: datetime) -> None:
    """Let the drop be sold out if nothing is left, and reopen it if units came back."""
    is_gone = counted.available <= 0 and counted.held == 0
    if is_gone and states.SELL_OUT.allows(drop.status):
        drop.status, drop.ended_at = states.SELL_OUT.to.status, at
    elif counted.available > 0 and states.REOPEN.allows(drop.status):
        drop.status, drop.ended_at = states.REOPEN.to.status, None


def _admit(drop: Drop, counted: Counted, at: datetime) -> Counted:
    """Admit the next people; return the figures as they are then.

    Each admitted person must find as many units as one person may buy. If fewer are
    left, one person is admitted at a time.
    """
    takers = counted.available // drop.per_person or min(1, counted.available)
    free = min(drop.admitted_at_once, takers) - counted.unserved
    if free <= 0:
        return counted
    line = drop.tickets.filter(state=Turn.WAITING, place__isnull=False)
    first = list(line.select_for_update().order_by("place")[:free])
    if not first:
        return counted
    ends_at = at + timedelta(seconds=drop.turn_s)
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in first]).update(
        state=Turn.ADMITTED, admitted_at=at, ends_at=ends_at
    )
    drop.serving = max(drop.serving, *(ticket.place or 0 for ticket in first))
    return counted._replace(
        waiting=counted.waiting - len(first),
        admitted=counted.admitted + len(first),
        ends=min(counted.ends or ends_at, ends_at),
        lately=counted.lately + (len(first) if at != drop.started_at else 0),
    )


def _room(drop: Drop, counted: Counted, at: datetime) -> dict[str, Any]:
    return {
        "left": max(0, counted.available),
        "held": counted.held,
        "pace": _pace(drop, counted, at),
        "ends": counted.ends.isoformat() if counted.ends else None,
        "waiting": counted.waiting,
        "admitted": counted.admitted,
        "bought": counted.bought,
        "passed": counted.passed,
    }


def _pace(drop: Drop, counted: Counted, at: datetime) -> float:
    """Return how many people are admitted a minute.

    Until that is known, it is the slowest possible: everybody uses their whole turn.
    """
    assert drop.started_at is not None
    seconds = min(PACE_S, (at - drop.started_at).total_seconds())
    if seconds < PACE_KNOWN_S or not counted.lately:
        return round(60 * drop.admitted_at_once / drop.turn_s, 1)
    return round(60 * counted.lately / seconds, 1)


def _material(drop: Drop) -> tuple[Any, ...]:
    """Return the facts that are worth a push. The others go along with them."""
    facts = drop.facts
    names = ("state", "serving", "left", "held", "at_once", "ends", "bought", "passed")
    return tuple(facts[name] for name in names)


def _run(statement: str, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount

"""Checks that a drop sold what it had, to people whose turn it was, each once."""

from typing import NamedTuple

from django.db import connection

# Orders for units of a drop, from its start to its end. A variant belongs to a drop if
# staff chose it, or if they chose none and it is one of the product's.
SOLD = """
WITH sold AS (
    SELECT d.id AS drop_id, o.id AS order_id, o.number, sum(l.quantity) AS units,
           d.per_person, t.id AS ticket_id, t.state
    FROM products_drop AS d
    JOIN products_variant AS v ON v.product_id = d.product_id AND (
        EXISTS (SELECT FROM products_drop_variants AS c
                WHERE c.drop_id = d.id AND c.variant_id = v.id)
        OR NOT EXISTS (SELECT FROM products_drop_variants AS c WHERE c.drop_id = d.id)
    )
    JOIN products_orderline AS l ON l.variant_id = v.id
    JOIN products_order AS o ON o.id = l.order_id AND o.placed_at >= d.started_at
        AND o.placed_at < COALESCE(
            CASE d.status WHEN 'stopped' THEN d.ended_at END, 'infinity')
    LEFT JOIN products_ticket AS t ON t.order_id = o.id AND t.drop_id = d.id
    WHERE d.started_at IS NOT NULL
    GROUP BY d.id, o.id, t.id
)
"""
PAST_THE_ROOM = f"""{SOLD}
SELECT drop_id, 'order ' || number || ' was placed without a turn'
FROM sold WHERE ticket_id IS NULL OR state <> 'bought'
"""
TOO_MUCH = f"""{SOLD}
SELECT drop_id, 'order ' || number || ' has ' || units || ' units, but a person may '
    || 'have ' || per_person
FROM sold WHERE units > per_person
"""
# One person with two purchases: an account, a session or an email address.
TWICE = """
SELECT t.drop_id, 'one person bought ' || count(*) || ' times: tickets '
    || string_agg(t.number, ', ' ORDER BY t.id)
FROM products_ticket AS t JOIN products_order AS o ON o.id = t.order_id
WHERE t.state = 'bought' AND o.status NOT IN ('cancelled', 'expired')
GROUP BY t.drop_id, COALESCE(o.user_id::text, NULLIF(lower(o.email), ''), t.number)
HAVING count(*) > 1
"""
# Nobody is admitted or has bought while somebody before them still waits.
OUT_OF_TURN = """
SELECT d.id, 'ticket ' || t.number || ' at place ' || t.place
    || ' waits, but place ' || d.serving || ' was served'
FROM products_drop AS d JOIN products_ticket AS t ON t.drop_id = d.id
WHERE t.state = 'waiting' AND t.place < d.serving
"""
CHECKS = (PAST_THE_ROOM, TOO_MUCH, TWICE, OUT_OF_TURN)


class DropFault(NamedTuple):
    """Something that a drop did wrong."""

    drop_id: int
    what: str

    def __str__(self) -> str:
        return f"drop {self.drop_id}: {self.what}"


def reconcile_drops() -> list[DropFault]:
    """Return the faults of all drops. That no more units are sold than there are is
    part of the stock's books."""
    faults = []
    with connection.cursor() as cursor:
        for check in CHECKS:
            cursor.execute(check)
            faults += [DropFault._make(row) for row in cursor.fetchall()]
    return sorted(faults)

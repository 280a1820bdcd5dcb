"""Loads the states and versions of topics, many with one query.

Each function gets and returns identifiers: what follows the kind in a topic's key.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Max, Q, Sum

from products.live.baskets import owner_of_row
from products.live.viewers import Owner
from products.models import Drop, Order, Stock
from products.staff import columns, moves, vitals
from realtime import pulse
from realtime.registry import State

SHORT_SHELVES = 50  # that are shown to staff


def load_stock(ids: list[str]) -> dict[str, State]:
    rows = Stock.objects.filter(pk__in=[int(i) for i in ids])
    rows = rows.select_related("variant__product")
    return {str(row.pk): State(row.version, row.variant.stock_facts) for row in rows}


# A process compares thousands of versions every few seconds. Passed as one array, they
# cost a fifth of what they cost as parameters, which is how Django writes `__in`.
STOCK_VERSIONS = """
SELECT variant_id, version FROM products_stock WHERE variant_id = ANY(%s)
"""
BASKET_VERSIONS = """
SELECT DISTINCT ON (user_id, token) user_id, token, version FROM products_basket
WHERE user_id = ANY(%s::bigint[]) OR user_id IS NULL AND token = ANY(%s::text[])
ORDER BY user_id, token, version DESC
"""


def stock_versions(ids: list[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(STOCK_VERSIONS, [[int(i) for i in ids]])
        return {str(pk): version for pk, version in cursor}


def load_drops(ids: list[str]) -> dict[str, State]:
    rows = Drop.objects.filter(pk__in=[int(i) for i in ids])
    return {str(row.pk): State(row.version, row.facts) for row in rows}


def drop_versions(ids: list[str]) -> dict[str, int]:
    rows = Drop.objects.filter(pk__in=[int(i) for i in ids])
    return {str(pk): version for pk, version in rows.values_list("pk", "version")}


def load_shelf(ids: list[str]) -> dict[str, State]:
    rows = Stock.objects.filter(pk__in=[int(i) for i in ids])
    return {str(row.pk): State(row.version, row.shelf_facts) for row in rows}


def load_shelves(ids: list[str]) -> dict[str, State]:
    """Variants that are low or out of stock, those with the fewest units first.

    The version is the sum of all variants' versions. It only grows, as variants with
    movements are never deleted.
    """
    left = F("on_hand") - F("reserved")
    is_for_sale = Q(variant__is_active=True, variant__product__is_active=True)
    is_short = is_for_sale & Q(left__lte=settings.LOW_STOCK)
    stocks = Stock.objects.annotate(left=left)
    out = Count("pk", filter=is_short & Q(left__lte=0))
    low = Count("pk", filter=is_short & Q(left__gt=0))
    facts = stocks.aggregate(version=Sum("version"), low=low, out=out)
    version = facts.pop("version") or 0
    rows = stocks.filter(is_short).select_related("variant__product")
    rows = rows.order_by("left", "variant__product__name", "pk")[:SHORT_SHELVES]
    facts["variants"] = [
        {"variant": row.pk, "name": row.variant.name, "available": row.unreserved}
        for row in (rows if facts["low"] or facts["out"] else ())
    ]
    return {"": State(version, facts)}


def shelves_version(ids: list[str]) -> dict[str, int]:
    return {"": Stock.objects.aggregate(all=Sum("version"))["all"] or 0}


def load_orders(ids: list[str]) -> dict[str, State]:
    """How many orders wait for staff, by status."""
    version = orders_version(ids)[""]
    counted = Order.objects.active().values_list("status").annotate(Count("pk"))
    newest = Order.objects.order_by("-pk").values_list("number", flat=True).first()
    facts = {"counts": dict(counted.order_by()), "newest": newest}
    return {"": State(version, facts)}


def orders_version(ids: list[str]) -> dict[str, int]:
    """The newest event's key, plus the number of events with keys shortly before it
    (see `moves.late_events`)."""
    sums = moves.late_events().aggregate(newest=Max("pk"), late=Count("pk"))
    return {"": (sums["newest"] or 0) + sums["late"]}


def load_board(ids: list[str]) -> dict[str, State]:
    """What an open board needs: the cards that moved lately, the cards that take the
    places of those that left, and the counts of all columns."""
    moved, counts = moves.recent.look(), columns.counted()
    coming = moves.coming(counts, moved.orders)
    numbers = {column: [o.number for o in orders] for column, orders in coming.items()}
    facts = moved.facts | {"counts": counts, "coming": numbers}
    cards = {o.number: o for orders in coming.values() for o in orders}
    cards |= {order.number: order for order in moved.orders}
    return {"": State(moved.version, facts, {"cards": cards.values()})}


def load_pulse(ids: list[str]) -> dict[str, State]:
    """How the processes that serve sockets are doing. The database does not have this,
    so the hub loads it every few seconds while somebody watches."""
    parts = [vitals.Part(process) for process in pulse.everybody()]
    facts = {"processes": [part.facts for part in parts]}
    return {"": State(pulse.version(), facts, {"parts": parts})}


def pulse_version(ids: list[str]) -> dict[str, int]:
    """No versions: there is nothing to compare with, and nothing can be lost."""
    return {}


def load_order(tokens: list[str]) -> dict[str, State]:
    rows = Order.objects.filter(access_token__in=tokens)
    orders = rows.prefetch_related("lines", "payments")
    return {order.access_token: State(order.version, order.facts) for order in orders}


def order_versions(tokens: list[str]) -> dict[str, int]:
    orders = Order.objects.filter(access_token__in=tokens)
    return dict(orders.values_list("access_token", "version"))


def owner_of_key(key: str) -> Owner:
    return Owner(user_id=int(key[1:])) if key[0] == "u" else Owner(token=key[1:])


def by_owner(
    load: Callable[[Iterable[Owner]], dict[Owner, State]], empty: dict[str, Any]
) -> Callable[[list[str]], dict[str, State]]:
    """Turn a function that loads states by owner into a topic kind's `load`. `empty`
    is the facts of an owner without a basket."""

    def load_keys(keys: list[str]) -> dict[str, State]:
        owners = {key: owner_of_key(key) for key in keys}
        states = load(owners.values())
        return {key: states.get(o, State(0, empty)) for key, o in owners.items()}

    return load_keys


def basket_versions(keys: list[str]) -> dict[str, int]:
    owners = [owner_of_key(key) for key in keys]
    users = [owner.user_id for owner in owners if owner.user_id]
    tokens = [owner.token for owner in owners if owner.token]
    with connection.cursor() as cursor:
        cursor.execute(BASKET_VERSIONS, [users, tokens])
        return {owner_of_row(*ids).key: version for *ids, version in cursor}

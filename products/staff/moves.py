"""What moved on the board lately, as cards that every open board is sent.

A process renders a card once for each version of its order, language and right, however
many boards show it. What moved since a version is found by the events' keys, because
events are committed in another order than they are numbered.
"""

import threading
from collections import Counter, deque
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet, Subquery, prefetch_related_objects
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from products.models import Order, OrderEvent
from products.staff.columns import CARDS, CONDITIONS, column_of

LATE_EVENTS = 1000  # so many newer keys may be committed before an event is
MOST_CARDS = 40  # that are pushed at once: if more moved, boards fetch themselves anew
ENOUGH_CARDS = 8  # of earlier moves, for boards that missed the last push
KEPT_CARDS = 2000  # rendered ones


# --- Versions ---------------------------------------------------------------------


def late_events() -> QuerySet[OrderEvent]:
    """The newest event and those whose keys are not far below its own.

    The newest key plus the number of these is the version of everything that is shown
    of orders. Keys are given out in one order and committed in another: the newest key
    alone would not tell of an older one that came late. When it grows by d, the number
    loses d at most and wins one: every event raises the sum. And this costs the same
    after a million orders, which counting them all does not.
    """
    newest = OrderEvent.objects.order_by("-pk").values("pk")[:1]
    return OrderEvent.objects.filter(pk__gt=Subquery(newest) - LATE_EVENTS).order_by()


# --- Cards ------------------------------------------------------------------------

_cards: dict[tuple, SafeString] = {}


def card(order: Order, *, may_change: bool = True) -> SafeString:
    """The order's card in the current language, for the script: without a token and a
    way back in its forms. Needs `lines` and `handler` unless it is rendered already."""
    key = _key(order, may_change)
    if key not in _cards:
        context = {"order": order, "now": timezone.now(), "may_change": may_change}
        html = SafeString(render_to_string("staff/_card.html", context).strip())
        if len(_cards) >= KEPT_CARDS:
            _cards.clear()
        _cards[key] = html
    return _cards[key]


def prefetch_lines(orders: list[Order], *, may_change: bool = True) -> None:
    """The lines of those orders whose cards are not rendered yet."""
    new = [order for order in orders if _key(order, may_change) not in _cards]
    prefetch_related_objects(new, "lines")


def _key(order: Order, may_change: bool) -> tuple:
    """All that can change in a card; lines never do."""
    handler = order.handler
    return (
        *(order.pk, order.version, order.full_name, order.city, order.erased_at),
        *(handler and (handler.first_name, handler.username, handler.picture.name),),
        *(order.status, order.on_hold, order.placed_at, order.total),
        *(get_language(), may_change),
    )


# --- Moves ------------------------------------------------------------------------


class Moves(NamedTuple):
    """Which orders changed between two versions, as they are now, oldest move first."""

    since: int
    version: int
    orders: list[Order]

    @property
    def facts(self) -> dict:
        moved = [[o.number, o.version, column_of(o)] for o in self.orders]
        return {"since": self.since, "moved": moved}


def coming(counts: list[list], moved: list[Order]) -> dict[str, list[Order]]:
    """For each column with more orders than a board shows, or that had more, the last
    of those that it shows now: so many that a board which some of `moved` have left
    finds its own last card among them, and what comes next behind it.

    In: `columns.counted()`, and what `Moves` has."""
    left = sum(order.version > 1 for order in moved)  # who is new has left none
    if not left:
        return {}
    sums: Counter[str] = Counter()
    for column, *_, count in counts:
        sums[column] += count
    orders = Order.objects.select_related("handler")
    found = {
        column: list(
            orders.filter(CONDITIONS[column])[max(0, CARDS - left - 1) : CARDS]
        )
        for column, count in sums.items()
        if count + left > CARDS
    }
    prefetch_lines([order for orders in found.values() for order in orders])
    return found


class Recent:
    """What a process remembers between two looks, to tell what moved in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # looks are in the order of their snapshots
        self._forget("", {}, 0)

    def _forget(self, timeline: str, events: dict[int, int], version: int) -> None:
        """Begin here: what moved before is not known."""
        self._timeline, self._events = timeline, events
        self._since = self._version = version
        self._steps: deque[tuple[int, set[int]]] = deque()  # version, orders

    def look(self) -> Moves:
        with self._lock:
            events = dict(late_events().values_list("pk", "order_id"))
            version = max(events, default=0) + len(events)
            self._remember(connection.timeline, events, version)
            keys = {key: None for _, moved in self._steps for key in sorted(moved)}
            since = self._since
        found = Order.objects.select_related("handler").in_bulk(keys)
        orders = [found[key] for key in keys if key in found]
        prefetch_lines(orders)
        return Moves(since, version, orders)

    def _remember(self, timeline: str, events: dict[int, int], version: int) -> None:
        if timeline != self._timeline or version < self._version:
            self._forget(timeline, events, version)  # restored: rows are others
            return
        moved = {order for key, order in events.items() if key not in self._events}
        if len(moved) > MOST_CARDS or max(events, default=0) - LATE_EVENTS > max(
            self._events, default=0
        ):
            self._forget(timeline, events, version)
            return
        self._events = events
        if version > self._version:
            self._steps.append((self._version, moved))
            self._version = version
        while sum(len(moved) for _, moved in [*self._steps][:-1]) > ENOUGH_CARDS:
            self._steps.popleft()  # the newest always stays
        if self._steps:
            self._since = self._steps[0][0]


recent = Recent()

"""Finds the orders that moved lately, and renders their cards for all open boards.

A process renders a card once for each version of its order, language and permission,
however many boards show it. It finds what moved since a version by the keys of events,
because events are not committed in the order of their keys.
"""

import threading
from collections import Counter, deque
from typing import NamedTuple

from django.db.models import QuerySet, Subquery, prefetch_related_objects
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from products.models import Order, OrderEvent
from products.staff.columns import CARDS, CONDITIONS, column_of
from project.primary import primary

LATE_EVENTS = 1000  # an event may be committed after this many with higher keys
MOST_CARDS = 40  # in one push; if more moved, boards fetch themselves again
ENOUGH_CARDS = 8  # of earlier moves, for boards that missed a push
KEPT_CARDS = 2000  # rendered cards in memory


# --- Versions ---------------------------------------------------------------------


def late_events() -> QuerySet[OrderEvent]:
    """Return the newest event and those with keys not far below.

    The newest key plus the number of these events is the version of all that is shown
    about orders. The newest key alone is not enough: an event with a lower key may be
    committed later. If the newest key grows by d, the number shrinks by d - 1 at most,
    so every event raises the sum. Unlike a count of all events, this is as fast after a
    million orders.
    """
    newest = OrderEvent.objects.order_by("-pk").values("pk")[:1]
    return OrderEvent.objects.filter(pk__gt=Subquery(newest) - LATE_EVENTS).order_by()


# --- Cards ------------------------------------------------------------------------

_cards: dict[tuple, SafeString] = {}


def card(order: Order, *, may_change: bool = True) -> SafeString:
    """Return the order's card in the current language, for the script.

    Its forms have no token and no address to return to. Needs `lines` and `handler`
    unless the card is rendered already.
    """
    key = _key(order, may_change)
    if key not in _cards:
        context = {"order": order, "now": timezone.now(), "may_change": may_change}
        html = SafeString(render_to_string("staff/_card.html", context).strip())
        if len(_cards) >= KEPT_CARDS:
            _cards.clear()
        _cards[key] = html
    return _cards[key]


def prefetch_lines(orders: list[Order], *, may_change: bool = True) -> None:
    """Load the lines of orders whose cards are not rendered yet."""
    new = [order for order in orders if _key(order, may_change) not in _cards]
    prefetch_related_objects(new, "lines")


def _key(order: Order, may_change: bool) -> tuple:
    """Return all that can change in a card. Lines never change."""
    handler = order.handler
    return (
        *(order.pk, order.version, order.full_name, order.city, order.erased_at),
        *(handler and (handler.first_name, handler.username, handler.picture.name),),
        *(order.status, order.on_hold, order.placed_at, order.total),
        *(get_language(), may_change),
    )


# --- Moves ------------------------------------------------------------------------


class Moves(NamedTuple):
    """The orders that changed between two versions, the oldest move first."""

    since: int
    version: int
    orders: list[Order]

    @property
    def facts(self) -> dict:
        moved = [[o.number, o.version, column_of(o)] for o in self.orders]
        return {"since": self.since, "moved": moved}


def coming(counts: list[list], moved: list[Order]) -> dict[str, list[Order]]:
    """Return the orders that come into view when others leave a long column.

    For each column that has, or had, more orders than a board shows, these are the last
    ones that it shows now. There are enough of them that a board finds its own last
    card among them, with the next ones behind it. `counts` is `columns.counted()`.
    """
    left = sum(order.version > 1 for order in moved)  # new orders have left no column
    if not left:
        return {}
    sums: Counter[str] = Counter()
    for column, *_, count in counts:
        sums[column] += count
    orders = Order.objects.select_related("handler")
    following = {
        column: list(
            orders.filter(CONDITIONS[column])[max(0, CARDS - left - 1) : CARDS]
        )
        for column, count in sums.items()
        if count + left > CARDS
    }
    prefetch_lines([order for orders in following.values() for order in orders])
    return following


class Recent:
    """What a process remembers from its last look, to find what moved since then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # keeps looks in the order of their snapshots
        self._forget("", {}, 0)

    def _forget(self, timeline: str, events: dict[int, int], version: int) -> None:
        """Start again: what moved before is not known."""
        self._timeline, self._events = timeline, events
        self._since = self._version = version
        self._steps: deque[tuple[int, set[int]]] = deque()  # version, orders

    def look(self) -> Moves:
        with self._lock:
            events = dict(late_events().values_list("pk", "order_id"))
            version = max(events, default=0) + len(events)
            self._remember(primary().timeline, events, version)
            keys = {key: None for _, moved in self._steps for key in sorted(moved)}
            since = self._since
        rows = Order.objects.select_related("handler").in_bulk(keys)
        orders = [rows[key] for key in keys if key in rows]
        prefetch_lines(orders)
        return Moves(since, version, orders)

    def _remember(self, timeline: str, events: dict[int, int], version: int) -> None:
        if timeline != self._timeline or version < self._version:
            self._forget(timeline, events, version)  # the database was restored
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
            self._steps.popleft()  # the newest step always stays
        if self._steps:
            self._since = self._steps[0][0]


recent = Recent()

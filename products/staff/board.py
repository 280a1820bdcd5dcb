"""The columns of the board: orders sorted by what staff have to do with them.

An open board applies its filters itself to the cards that are pushed: if you change a
filter here, change static/js/board/filters.js too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise

from products.models import Order
from products.orders import states
from products.staff.columns import CARDS, CONDITIONS

CARDS_ALONE = 100  # cards on a page of a column that is shown alone
Prefetch = Callable[[list[Order]], None]


@dataclass
class Column:
    """A column of the board, with its orders."""

    key: str
    title: str | Promise
    hint: str | Promise
    condition: Q
    is_work: bool
    gets_late: bool
    orders: list[Order] = field(default_factory=list)
    count: int = 0
    page: Page | None = None

    @property
    def limit(self) -> int:
        return CARDS_ALONE if self.page else CARDS

    @property
    def hidden(self) -> int:
        """How many orders of the column have no card."""
        return 0 if self.page else self.count - len(self.orders)


def columns() -> list[Column]:
    """Return every column, empty."""
    return [
        Column(
            column.key,
            _title(column),
            column.hint,
            CONDITIONS[column.key],
            is_work=column.is_work,
            gets_late=column.gets_late,
        )
        for column in states.COLUMNS
    ]


def _title(column: states.Column) -> str | Promise:
    with_guests = settings.GUEST_CONFIRM_MINUTES and column.title_with_guests
    return with_guests or column.title


def fill(
    filters: dict[str, Any], user: AbstractUser, page: str, prefetch: Prefetch
) -> list[Column]:
    """Return the columns that the filters select, with their orders, in few queries.

    `filters` are valid, `user` is who looks, `page` is the page of a column that is
    shown alone, and `prefetch` loads the lines of the orders that are shown.
    """
    orders = _filtered(filters, user)
    if key := filters.get("status"):
        shown = [column for column in columns() if column.key == key]
        _fill_alone(shown[0], orders, page)
    else:
        is_search = bool(filters.get("q"))
        shown = [column for column in columns() if column.is_work or is_search]
        _fill_beside(shown, orders)
        # Of the orders that are done, show only those that a search has found.
        shown = [column for column in shown if column.is_work or column.orders]
    prefetch([order for column in shown for order in column.orders])
    return shown


def _filtered(filters: dict[str, Any], user: AbstractUser) -> QuerySet[Order]:
    orders = Order.objects.select_related("handler")
    if text := filters.get("q"):
        orders = orders.filter(_matches(text))
    if method := filters.get("method"):
        orders = orders.filter(method=method)
    if filters.get("mine"):
        orders = orders.filter(handler=user.pk)
    if filters.get("sort") == "oldest":
        return orders.order_by("placed_at", "pk")
    return orders


def _matches(text: str) -> Q:
    """Return the condition for orders whose number or e-mail address starts with it."""
    if "@" in text:
        return Q(email__istartswith=text)
    return Q(number__startswith=text.upper()) | Q(email__istartswith=text)


def _fill_alone(column: Column, orders: QuerySet[Order], page: str) -> None:
    pages = Paginator(orders.filter(column.condition), CARDS_ALONE)
    column.page = pages.get_page(page)
    column.orders = list(column.page.object_list)
    column.count = pages.count


def _fill_beside(shown: Iterable[Column], orders: QuerySet[Order]) -> None:
    totals = {column.key: Count("pk", filter=column.condition) for column in shown}
    in_any = reduce(or_, (column.condition for column in shown))
    counts = orders.filter(in_any).order_by().aggregate(**totals)
    for column in shown:
        column.count = counts[column.key]
        if column.count:
            column.orders = list(orders.filter(column.condition)[:CARDS])

"""What the staff's board shows: orders in columns, by what is to be done with them.

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

CARDS_ALONE = 100  # of a column that has the board for itself, on one page
Prefetch = Callable[[list[Order]], None]


@dataclass
class Column:
    """Orders that wait for the same thing."""

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
        """How many more there are than cards."""
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
    asked: dict[str, Any], user: AbstractUser, page: str, prefetch: Prefetch
) -> list[Column]:
    """The columns that were asked for, with their orders, in few queries.

    In: the valid filters, who looks, the number of the page of a column alone, and what
    loads the lines of the orders that are shown.
    """
    found = _filtered(asked, user)
    wanted = columns()
    if status := asked.get("status"):
        wanted = [column for column in wanted if column.key == status]
        _fill_alone(wanted[0], found, page)
    else:
        if not asked.get("q"):
            wanted = [column for column in wanted if column.is_work]
        _fill_beside(wanted, found)
        # Of the orders that are done, show only those that a search has found.
        wanted = [column for column in wanted if column.is_work or column.orders]
    prefetch([order for column in wanted for order in column.orders])
    return wanted


def _filtered(asked: dict[str, Any], user: AbstractUser) -> QuerySet[Order]:
    orders = Order.objects.select_related("handler")
    if text := asked.get("q"):
        orders = orders.filter(_matches(text))
    if method := asked.get("method"):
        orders = orders.filter(method=method)
    if asked.get("mine"):
        orders = orders.filter(handler=user)
    if asked.get("sort") == "oldest":
        return orders.order_by("placed_at", "pk")
    return orders


def _matches(text: str) -> Q:
    """Whose number or e-mail address begins so."""
    if "@" in text:
        return Q(email__istartswith=text)
    return Q(number__startswith=text.upper()) | Q(email__istartswith=text)


def _fill_alone(column: Column, found: QuerySet[Order], page: str) -> None:
    pages = Paginator(found.filter(column.condition), CARDS_ALONE)
    column.page = pages.get_page(page)
    column.orders = list(column.page.object_list)
    column.count = pages.count


def _fill_beside(wanted: Iterable[Column], found: QuerySet[Order]) -> None:
    of_each = {column.key: Count("pk", filter=column.condition) for column in wanted}
    any_of_them = reduce(or_, (column.condition for column in wanted))
    counts = found.filter(any_of_them).order_by().aggregate(**of_each)
    for column in wanted:
        column.count = counts[column.key]
        if column.count:
            column.orders = list(found.filter(column.condition)[:CARDS])

"""What the staff's board shows: orders in columns, by what is to be done with them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet, prefetch_related_objects
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from products.models import Order

Status = Order.Status
CARDS = 40  # of a column beside others
CARDS_ALONE = 100  # of a column that has the board for itself, on one page

CONFIRMED = Q(method=Order.Method.DELIVERY, expires_at=None)  # or need not be


@dataclass
class Column:
    """Orders that wait for the same thing."""

    key: str
    title: str | Promise
    holds: Q
    hint: str | Promise = ""
    orders: list[Order] = field(default_factory=list)
    count: int = 0
    page: Page | None = None

    @property
    def hidden(self) -> int:
        """How many more there are than cards."""
        return 0 if self.page else self.count - len(self.orders)


def columns() -> list[Column]:
    """Every column, empty; the first five are what is in work."""
    waiting, title = Q(status=Status.PENDING), _("Waiting for payment")
    if settings.GUEST_CONFIRM_MINUTES:
        title = _("Waiting for payment or confirmation")
    by_status = [
        Column(
            "pending",
            title,
            waiting & ~CONFIRMED,
            _("Nothing waits for its payment."),
        ),
        Column(
            "paid",
            _("To be packed"),
            Q(status=Status.PAID) | (waiting & CONFIRMED),
            _("Everything is packed."),
        ),
        Column(
            "packed",
            _("Packed"),
            Q(status=Status.PACKED),
            _("No parcel waits for its carrier."),
        ),
        Column(
            "shipped",
            _("On its way"),
            Q(status=Status.SHIPPED),
            _("Nothing is on its way."),
        ),
        Column("delivered", _("Delivered"), Q(status=Status.DELIVERED)),
        Column("cancelled", _("Cancelled"), Q(status=Status.CANCELLED)),
        Column("expired", _("Expired"), Q(status=Status.EXPIRED)),
    ]
    for column in by_status:
        column.holds &= Q(on_hold="")
    on_hold = Column("hold", _("On hold"), ~Q(on_hold=""), _("Nothing is on hold."))
    return [*by_status[:4], on_hold, *by_status[4:]]


IN_WORK = 5


def fill(asked: dict[str, Any], user: AbstractUser, page: str) -> list[Column]:
    """The columns that were asked for, with their orders, in few queries.

    In: the valid filters, who looks, the number of the page of a column alone.
    """
    found = _filtered(asked, user)
    wanted = columns()
    if status := asked.get("status"):
        wanted = [column for column in wanted if column.key == status]
        _fill_alone(wanted[0], found, page)
    else:
        if not asked.get("q"):
            wanted = wanted[:IN_WORK]
        _fill_beside(wanted, found)
        # Of what is done only what was looked for.
        wanted = wanted[:IN_WORK] + [c for c in wanted[IN_WORK:] if c.orders]
    shown = [order for column in wanted for order in column.orders]
    prefetch_related_objects(shown, "lines")
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
    pages = Paginator(found.filter(column.holds), CARDS_ALONE)
    column.page = pages.get_page(page)
    column.orders = list(column.page.object_list)
    column.count = pages.count


def _fill_beside(wanted: Iterable[Column], found: QuerySet[Order]) -> None:
    of_each = {column.key: Count("pk", filter=column.holds) for column in wanted}
    any_of_them = reduce(or_, (column.holds for column in wanted))
    counts = found.filter(any_of_them).order_by().aggregate(**of_each)
    for column in wanted:
        column.count = counts[column.key]
        if column.count:
            column.orders = list(found.filter(column.holds)[:CARDS])

"""Orders as a table: any number of them in the memory of a few hundred."""

import csv
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, time, timedelta

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from products.forms import ExportForm
from products.models import Order, OrderLine
from products.views.staff import StaffMixin

CHUNK = 500  # orders in memory at once
BOM = "\ufeff"
# What makes a spreadsheet take a text for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

COLUMNS = [
    *("number", "placed", "status", "payment", "total", "currency", "units", "lines"),
    *("email", "name", "line1", "line2", "postcode", "city", "region", "country"),
    *("phone", "handler", "changed"),
]


class OrdersExportView(StaffMixin, View):
    """The orders placed in some days, as CSV in UTF-8, the oldest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        form = ExportForm(request.GET)
        if not form.is_valid():
            messages.error(request, _("Please say from which day to which."))
            return redirect("staff:orders")
        since, until = form.cleaned_data["since"], form.cleaned_data["until"]
        content = rows(placed_between(since, until), bom=form.cleaned_data["bom"])
        if isinstance(request, ASGIRequest):  # which would collect an iterator first
            content = one_by_one(content)
        name = f"orders-{since:%Y-%m-%d}-{until:%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            content,
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "X-Accel-Buffering": "no",
            },
        )


def placed_between(since: date, until: date) -> QuerySet[Order]:
    """The orders of these days, both included, as the shop's clock has them."""
    zone = timezone.get_current_timezone()
    orders = Order.objects.filter(
        placed_at__gte=datetime.combine(since, time.min, zone)
    )
    if until < date.max:
        end = datetime.combine(until + timedelta(days=1), time.min, zone)
        orders = orders.filter(placed_at__lt=end)
    return orders.order_by("placed_at", "pk")


class Echo:
    """A file that gives back what is written."""

    def write(self, text: str) -> str:
        return text


def rows(orders: QuerySet[Order], *, bom: bool) -> Iterator[str]:
    """The table's text, some hundred lines at a time."""
    write = csv.writer(Echo()).writerow
    yield (BOM if bom else "") + write(COLUMNS)
    for chunk in chunks(orders.select_related("handler")):
        lines = lines_of(chunk)
        yield "".join(write(map(plain, row(o, lines[o.pk]))) for o in chunk)


def chunks(orders: QuerySet[Order]) -> Iterator[list[Order]]:
    """All of them, in short queries that each begin where the last one ended.

    A cursor would keep a connection for as long as the slowest browser takes, and is
    none where a pooler forbids it: then all rows would be fetched at once.
    """
    rest = orders
    while chunk := list(rest[:CHUNK]):
        yield chunk
        last = chunk[-1]
        later = Q(placed_at__gt=last.placed_at) | Q(pk__gt=last.pk)
        rest = orders.filter(later, placed_at__gte=last.placed_at)


def lines_of(orders: list[Order]) -> dict[int, list[tuple[int, str]]]:
    """Units and name of each order's lines. No rows that know their order, which knows
    them: Python would leave such rings in memory for thousands of orders."""
    lines = defaultdict(list)
    found = OrderLine.objects.filter(order__in=orders).order_by("pk")
    for order_id, *line in found.values_list("order_id", "quantity", "name"):
        lines[order_id].append(tuple(line))
    return lines


async def one_by_one(texts: Iterator[str]) -> AsyncIterator[str]:
    """The same, each part made in the request's thread when the last is sent."""
    following = sync_to_async(next)
    while (text := await following(texts, None)) is not None:
        yield text


def row(order: Order, lines: list[tuple[int, str]]) -> list:
    return [
        order.number,
        timezone.localtime(order.placed_at).isoformat(timespec="seconds"),
        order.status,
        order.method,
        order.total,
        order.currency,
        sum(quantity for quantity, name in lines),
        "; ".join(f"{quantity} × {name}" for quantity, name in lines),
        order.email,
        order.full_name,
        order.line1,
        order.line2,
        order.postcode,
        order.city,
        order.region,
        order.country.code,
        order.phone,
        order.handler.get_username() if order.handler else "",
        timezone.localtime(order.changed_at).isoformat(timespec="seconds"),
    ]


def plain(cell: object) -> object:
    """A cell that no spreadsheet runs: a text that looks like a formula is quoted."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA):
        return f"'{cell}"
    return cell

"""Exports orders as CSV, with only a few hundred of them in memory.

There is a row for each order, or for each of its lines. With rows for lines, only the
first line has the order's sums (`goods` to `total`, `units`), so that a column adds up.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.generic import View

from products.models import Order, OrderLine
from products.staff.forms import ExportForm
from products.staff.views import StaffMixin
from project.spreadsheets import (
    EUROPEAN_EXCEL,
    EXCEL,
    PLAIN,
    Dialect,
    Writer,
    telephone,
)

CHUNK = 500  # orders in memory at once
DIALECTS = {"csv": PLAIN, "excel": EXCEL, "excel-eu": EUROPEAN_EXCEL}

SUMS = ["goods", "discount", "shipping", "tax", "total"]
FIRST = [
    *("number", "placed", "status", "payment", *SUMS),
    *("discount_name", "currency", "units"),
]
LAST = [
    *("email", "name", "line1", "line2", "postcode", "city", "region", "country"),
    *("phone", "handler", "changed", "delivery", "carrier"),
    *("company", "vat_number"),
]
COLUMNS = [*FIRST, "lines", *LAST, "skus", "unit_prices", "line_discounts"]
LINE_COLUMNS = [
    *FIRST,
    *("line", "sku", "product", "quantity", "unit_price"),
    *("line_discount", "line_discount_name", "order_discount", "amount"),
    *("line_tax", "tax_rate", "tax_code", "tax_reason"),
    *LAST,
]


class OrdersExportView(StaffMixin, View):
    """Streams the orders placed on some days as CSV in UTF-8, the oldest first."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = ExportForm(request.GET)
        if not form.is_valid():
            messages.error(request, form.advice)
            return redirect("staff:orders")
        options = form.cleaned_data
        since, until = options["since"], options["until"]
        texts = rows(
            placed_between(since, until),
            DIALECTS[options["format"]],
            by_line=options["rows"] == "lines",
        )
        name = f"orders-{since:%Y-%m-%d}-{until:%Y-%m-%d}.csv"
        return csv_response(request, texts, name)


def csv_response(
    request: HttpRequest, texts: Iterator[str], name: str
) -> StreamingHttpResponse:
    """Return a download of a table, which is made while it is sent."""
    content: Iterator[str] | AsyncIterator[str] = texts
    if isinstance(request, ASGIRequest):  # it would collect an iterator first
        content = one_by_one(texts)
    return StreamingHttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Accel-Buffering": "no",
        },
    )


def placed_between(since: date, until: date) -> QuerySet[Order]:
    """Return the orders of these days, both included, in the shop's time zone."""
    zone = timezone.get_current_timezone()
    orders = Order.objects.filter(
        placed_at__gte=datetime.combine(since, time.min, zone)
    )
    if until < date.max:
        end = datetime.combine(until + timedelta(days=1), time.min, zone)
        orders = orders.filter(placed_at__lt=end)
    return orders.order_by("placed_at", "pk")


def rows(
    orders: QuerySet[Order], dialect: Dialect, *, by_line: bool = False
) -> Iterator[str]:
    """Yield the text of the table, some hundred lines at a time."""
    writer = Writer(dialect)
    yield writer.head(LINE_COLUMNS if by_line else COLUMNS)
    cells = line_rows if by_line else order_rows
    for chunk in chunks(orders.select_related("handler")):
        lines = lines_of(chunk)
        yield "".join(
            writer.row(row)
            for order in chunk
            for row in cells(order, lines[order.pk], writer)
        )


def chunks(orders: QuerySet[Order]) -> Iterator[list[Order]]:
    """Yield the orders in short queries, each starting where the last one ended.

    Orders that are placed after the first query are left out. A server-side cursor
    would keep a connection for as long as the slowest browser takes. Where a pooler
    forbids cursors, Django would fetch all rows at once.
    """
    newest = Order.objects.aggregate(pk=Max("pk"))["pk"] or 0
    rest = orders = orders.filter(pk__lte=newest)
    while chunk := list(rest[:CHUNK]):
        yield chunk
        last = chunk[-1]
        later = Q(placed_at__gt=last.placed_at) | Q(pk__gt=last.pk)
        rest = orders.filter(later, placed_at__gte=last.placed_at)


class Line(NamedTuple):
    """An order's line, as the table shows it."""

    quantity: int
    name: str
    sku: str
    unit_price: Decimal
    line_discount: Decimal
    discount_name: str
    order_discount: Decimal
    amount: Decimal
    tax: Decimal
    tax_rate: Decimal
    tax_code: str
    tax_reason: str


def lines_of(orders: list[Order]) -> dict[int, list[Line]]:
    """Return the lines of each order, as plain values.

    Model instances would refer to their order and the order to them. Python would keep
    such cycles in memory for thousands of orders.
    """
    lines = defaultdict(list)
    rows = OrderLine.objects.filter(order__in=orders).order_by("pk")
    for order_id, *line in rows.values_list("order_id", *Line._fields):
        lines[order_id].append(Line(*line))
    return lines


async def one_by_one(texts: Iterator[str]) -> AsyncIterator[str]:
    """Yield the same texts, each made in the request's thread when it is needed."""

    def following() -> str | None:
        return next(texts, None)

    while (text := await sync_to_async(following)()) is not None:
        yield text


def order_rows(order: Order, lines: list[Line], writer: Writer) -> Iterator[list]:
    """Yield the row of an order."""
    yield [
        *_first(order, lines),
        "; ".join(f"{line.quantity} × {line.name}" for line in lines),
        *_last(order),
        "; ".join(line.sku for line in lines),
        "; ".join(writer.number(line.unit_price) for line in lines),
        "; ".join(writer.number(line.line_discount) for line in lines),
    ]


def line_rows(order: Order, lines: list[Line], writer: Writer) -> Iterator[list]:
    """Yield a row for each line of an order."""
    first, last = _first(order, lines), _last(order)
    for number, line in enumerate(lines, start=1):
        yield [
            *first,
            number,
            line.sku,
            line.name,
            line.quantity,
            line.unit_price,
            line.line_discount,
            line.discount_name,
            line.order_discount,
            line.amount,
            line.tax,
            line.tax_rate,
            line.tax_code,
            line.tax_reason,
            *last,
        ]
        first = _without_sums(first)


def _first(order: Order, lines: list[Line]) -> list:
    return [
        order.number,
        order.placed_at,
        order.status,
        order.method,
        *(getattr(order, name) for name in SUMS),
        order.discount_name,
        order.currency,
        sum(line.quantity for line in lines),
    ]


def _without_sums(first: list) -> list:
    sums = (*SUMS, "units")
    return [
        "" if name in sums else cell for name, cell in zip(FIRST, first, strict=True)
    ]


def _last(order: Order) -> list:
    return [
        order.email,
        order.full_name,
        order.line1,
        order.line2,
        order.postcode,
        order.city,
        order.region,
        str(order.country),
        telephone(order.phone),
        order.handler.get_username() if order.handler else "",
        order.changed_at,
        order.delivery_name,
        order.delivery_carrier,
        order.company,
        order.vat_number,
    ]

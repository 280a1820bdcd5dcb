"""Orders as a table: which, how written, and in how little memory."""

import asyncio
import csv
import gc
import tracemalloc
from datetime import UTC, datetime

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from products.models import Order, OrderLine
from products.staff import export
from tests.products.staff.test_board import BOARD, make_clerk, make_orders
from tests.support.factories import make_order, make_variant

pytestmark = pytest.mark.django_db

EXPORT = f"{BOARD}export.csv"
ALWAYS = {"since": "2000-01-01", "until": "2100-01-01"}


@pytest.fixture
def clerk(client):
    user = make_clerk("view_order")
    client.force_login(user)
    return user


def table(response) -> list[dict]:
    text = response.getvalue().decode()
    return list(csv.DictReader(text.splitlines()))


def test_export_has_a_row_for_each_order(client, clerk):
    order = make_order({make_variant(name="Bowl", price="2.50"): 3})

    response = client.get(EXPORT, ALWAYS)

    (row,) = table(response)
    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment")
    assert (row["number"], row["total"], row["units"]) == (order.number, "7.50", "3")
    assert row["lines"] == "3 × Bowl"
    assert row["email"] == "ann@example.com"
    assert order.access_token not in str(row)


def test_both_days_are_included_and_no_others(client, clerk):
    made = make_orders(4)
    moments = [(9, 23, 59), (10, 0, 0), (11, 23, 59), (12, 0, 0)]
    for order, (day, hour, minute) in zip(made, moments, strict=True):
        moment = datetime(2026, 5, day, hour, minute, tzinfo=UTC)
        Order.objects.filter(pk=order.pk).update(placed_at=moment)

    rows = table(client.get(EXPORT, {"since": "2026-05-10", "until": "2026-05-11"}))

    assert [row["number"] for row in rows] == [made[1].number, made[2].number]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"since": "2026-05-10"},
        {"since": "2026-05-10", "until": "2026-05-09"},
        {"since": "yesterday", "until": "\0"},
        {"since": "0000-00-00", "until": "99999-01-01"},
    ],
)
def test_invalid_range_redirects_with_a_message(client, clerk, query):
    response = client.get(EXPORT, query, follow=True)

    assert response.redirect_chain == [(BOARD, 302)]
    assert "Enter a start date and an end date" in response.text


def test_range_to_the_end_of_time_is_a_range(client, clerk):
    make_orders(1)

    days = {"since": "0001-01-01", "until": "9999-12-31"}

    assert len(table(client.get(EXPORT, days))) == 1


def test_export_guards_every_text_of_an_order(client, clerk):
    threat = "Ann;=cmd|'/c calc'!A0;x"
    fields = ["full_name", "line1", "line2", "postcode", "city", "region", "phone"]
    make_orders(1, **{name: threat[:20] for name in fields})
    OrderLine.objects.update(name=threat, sku=threat)

    for rows in ("orders", "lines"):
        text = client.get(EXPORT, ALWAYS | {"rows": rows}).getvalue().decode()

        assert "cmd" in text
        assert ";=" not in text


@pytest.mark.parametrize("name", ["=1+1", "+49", "-1", "@SUM(A1)", "  =1"])
def test_cell_that_looks_like_a_formula_is_quoted(client, clerk, name):
    make_orders(1, full_name=name, city='a "quoted", city')

    (row,) = table(client.get(EXPORT, ALWAYS))

    assert row["name"] == f"'{name}"
    assert row["city"] == 'a "quoted", city'


def test_export_keeps_telephone_numbers_readable(client, clerk):
    make_orders(1, phone="+49-30-1234567")

    (row,) = table(client.get(EXPORT, ALWAYS))

    assert row["phone"] == "+49 30-1234567"


# --- Formats ----------------------------------------------------------------------


def test_export_in_rows_of_lines_has_sku_and_price_of_each(client, clerk):
    lamp = make_variant(name="Lamp", sku="LAMP-1", price="12.50")
    bowl = make_variant(name="Bowl", sku="BOWL-1", price="2.50")
    order = make_order({lamp: 1, bowl: 3})

    rows = table(client.get(EXPORT, ALWAYS | {"rows": "lines"}))

    assert [row["number"] for row in rows] == [order.number, order.number]
    names = ("line", "sku", "product", "quantity", "unit_price", "amount", "line_tax")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("1", "LAMP-1", "Lamp", "1", "12.50", "12.50", "1.99"),
        ("2", "BOWL-1", "Bowl", "3", "2.50", "7.50", "1.20"),
    ]
    assert {(row["tax_rate"], row["tax_code"]) for row in rows} == {
        ("19.00", "standard")
    }
    # Only the first line has the order's sums, so that a column adds up.
    assert [row["total"] for row in rows] == ["20.00", ""]
    assert [row["tax"] for row in rows] == ["3.19", ""]
    assert [row["units"] for row in rows] == ["4", ""]
    assert {row["email"] for row in rows} == {order.email}


def test_export_in_rows_of_orders_has_sku_and_price_of_each_line(client, clerk):
    make_order(
        {
            make_variant(sku="LAMP-1", price="12.50"): 1,
            make_variant(sku="BOWL-1", price="2.50"): 3,
        }
    )

    (row,) = table(client.get(EXPORT, ALWAYS))

    assert (row["skus"], row["unit_prices"]) == ("LAMP-1; BOWL-1", "12.50; 2.50")


def test_export_for_excel_in_europe_has_its_delimiter_mark_and_decimal_comma(
    client, clerk
):
    order = make_order({make_variant(name="Løg, rød; =1", price="2.50"): 3})

    content = client.get(EXPORT, ALWAYS | {"format": "excel-eu"}).getvalue()

    assert content.startswith(b"\xef\xbb\xbfnumber;placed;")
    text = content.decode("utf-8-sig")
    (row,) = csv.DictReader(text.splitlines(), delimiter=";")
    assert (row["number"], row["total"], row["units"]) == (order.number, "7,50", "3")
    assert row["unit_prices"] == "2,50"
    assert row["lines"] == "3 × Løg, rød; '=1"
    local = timezone.localtime(order.placed_at)
    assert row["placed"] == f"{local:%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize("query", [{"format": "xlsx"}, {"rows": "pages"}])
def test_invalid_format_redirects_with_a_message(client, clerk, query):
    response = client.get(EXPORT, ALWAYS | query, follow=True)

    assert response.redirect_chain == [(BOARD, 302)]
    assert "choose the rows and the format" in response.text


def test_board_offers_the_formats(client, clerk):
    text = client.get(BOARD).text

    assert '<option value="excel-eu">' in text
    assert '<option value="lines">' in text


def test_export_for_excel_has_a_byte_order_mark(client, clerk):
    make_orders(1, full_name="Søren 漢")

    marked = client.get(EXPORT, ALWAYS | {"format": "excel"}).getvalue()
    plain = client.get(EXPORT, ALWAYS).getvalue()

    assert client.get(EXPORT, ALWAYS | {"bom": "on"}).getvalue() == marked
    assert marked == b"\xef\xbb\xbf" + plain
    assert "Søren 漢".encode() in plain


def peak_of_an_export(client) -> int:
    """The most that Python held while it was made, in bytes, and no part of it kept."""
    gc.collect()
    tracemalloc.start()
    try:
        parts = client.get(EXPORT, ALWAYS).streaming_content
        lines = sum(part.count(b"\r\n") for part in parts)
        assert lines == Order.objects.count() + 1
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_orders(client, clerk, monkeypatch):
    """Twelve times as many: what is collected first would take twelve times as much."""
    monkeypatch.setattr(export, "CHUNK", 50)
    make_orders(250)
    peak_of_an_export(client)  # what is loaded once is loaded now

    few = peak_of_an_export(client)
    make_orders(2_750)
    many = peak_of_an_export(client)

    assert many < few * 2


def test_orders_placed_at_the_same_moment_are_exported_once(client, clerk, monkeypatch):
    """Where one chunk ends and the next begins."""
    monkeypatch.setattr(export, "CHUNK", 3)
    moments = [
        datetime(2026, 5, 10, hour, tzinfo=UTC) for hour in (1, 2, 2, 2, 2, 2, 3)
    ]
    made = make_orders(7)
    for order, moment in zip(made, reversed(moments), strict=True):
        Order.objects.filter(pk=order.pk).update(placed_at=moment)

    numbers = [row["number"] for row in table(client.get(EXPORT, ALWAYS))]

    in_order = Order.objects.order_by("placed_at", "pk")
    assert numbers == list(in_order.values_list("number", flat=True))


def test_order_placed_while_the_table_is_sent_is_not_in_it(client, clerk, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 2)
    make_orders(3)
    parts = iter(client.get(EXPORT, ALWAYS).streaming_content)
    next(parts), next(parts)

    make_orders(2)

    assert sum(part.count(b"\r\n") for part in parts) == 1


def test_connection_is_free_between_two_parts(client, clerk):
    """A slow browser holds no cursor, and no transaction either."""
    make_orders(600)
    parts = iter(client.get(EXPORT, ALWAYS).streaming_content)
    next(parts), next(parts)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors")
        (cursors,) = cursor.fetchone()

    assert cursors == 0
    assert sum(part.count(b"\r\n") for part in parts) == 100


def test_queries_grow_with_chunks_not_with_orders(client, clerk):
    make_orders(1_200)

    with CaptureQueriesContext(connection) as queries:
        assert len(table(client.get(EXPORT, ALWAYS))) == 1_200

    assert len(queries) < 12


@pytest.mark.django_db(transaction=True)
def test_server_sends_the_table_part_by_part():
    """Under ASGI, where Django would collect a plain iterator before it sends."""
    clerk = make_clerk("view_order")
    make_orders(1_200)

    async def parts() -> list[int]:
        client = AsyncClient()
        await client.aforce_login(clerk)
        response = await client.get(EXPORT, ALWAYS)
        assert response.is_async
        sizes = [part.count(b"\r\n") async for part in response.streaming_content]
        await sync_to_async(connections.close_all)()  # those of the other thread
        return sizes

    assert asyncio.run(parts()) == [1, 500, 500, 200]

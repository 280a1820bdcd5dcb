"""Queries that are compiled once give the rows that Django's own would give."""

import pytest
from django.db import connection
from django.db.models import Count

from products.models import Basket, BasketLine
from project.prepared import Prepared, note_related
from tests.support.concurrency import together
from tests.support.factories import make_basket, make_order, make_variant

pytestmark = pytest.mark.django_db


def lines_of(pk: int):
    lines = BasketLine.objects.filter(basket=pk)
    return lines.select_related("variant__product", "variant__stock").order_by("pk")


def test_rows_are_those_of_the_query(django_assert_num_queries):
    baskets = [make_basket(lines={make_variant(): 1, make_variant(): 2}) for _ in "ab"]
    prepared = Prepared(lines_of, int)

    for basket in baskets:
        with django_assert_num_queries(1):
            rows = prepared.rows(basket.pk)
            found = [(r.variant.product.name, r.variant.stock.on_hand) for r in rows]

        same = lines_of(basket.pk)
        assert rows == list(same)
        names = [(r.variant.product.name, r.variant.stock.on_hand) for r in same]
        assert found == names
        assert rows[0].__dict__.keys() >= same[0].__dict__.keys()


def test_annotations_and_text_values_are_read():
    basket = make_basket(lines={make_variant(): 1, make_variant(): 2})
    prepared = Prepared(
        lambda token: Basket.objects.filter(token=token).annotate(n=Count("lines")), str
    )

    assert prepared.first(basket.token).n == 2
    assert prepared.first("nobody's") is None


def test_values_are_no_sql():
    make_basket(lines={make_variant(): 1})
    prepared = Prepared(lambda token: Basket.objects.filter(token=token), str)

    assert prepared.rows("' OR 1=1 --") == []


def test_query_that_does_not_use_a_value_is_refused():
    prepared = Prepared(lambda pk: Basket.objects.all(), int)

    with pytest.raises(AssertionError, match="does not use"):
        prepared.rows(1)


def test_fields_are_converted_as_by_django():
    order = make_order()
    prepared = Prepared(lambda pk: type(order).objects.filter(pk=pk), int)

    row, same = prepared.first(order.pk), type(order).objects.get(pk=order.pk)

    assert row.country.name == same.country.name
    assert row.total == same.total and row.placed_at == same.placed_at
    assert row._state.db == "default" and not row._state.adding


@pytest.mark.django_db(transaction=True)
def test_one_query_serves_several_threads():
    baskets = [make_basket(lines={make_variant(): n}) for n in range(1, 9)]
    prepared = Prepared(lines_of, int)

    def read(basket: Basket) -> list[int]:
        try:
            return [row.quantity for row in prepared.rows(basket.pk)]
        finally:
            connection.close()

    found = together([lambda b=basket: read(b) for basket in baskets])

    assert found == [[n] for n in range(1, 9)]


def test_related_rows_that_are_known_take_no_query(django_assert_num_queries):
    order = make_order()
    lines = list(order.lines.all())

    note_related(order, "lines", lines)

    with django_assert_num_queries(0):
        assert list(order.lines.all()) == lines
    assert order.lines.filter(pk=0).count() == 0

"""Units that are sold before they are here."""

from collections import Counter
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from products.importing import batches
from products.importing.wanted import Wanted
from products.models import Product, Stock, StockMovement, Variant
from products.orders import preorders
from products.stock import backorders, books
from products.stock import services as stock
from products.stock.exceptions import NotEnoughStock, StockConflict
from tests.support.concurrency import together
from tests.support.factories import make_holder, make_user, make_variant

pytestmark = pytest.mark.django_db
SOON = timezone.localdate() + timedelta(days=30)


def make_preorder(on_hand: int = 0, limit: int = 5, **fields) -> Variant:
    variant = make_variant(on_hand=on_hand, **fields)
    backorders.set_limit(variant.pk, limit, SOON)
    return variant


def facts_of(variant: Variant) -> dict:
    return Variant.objects.get(pk=variant.pk).stock_facts


# --- Claims -----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_sixty_buyers_of_five_units_and_five_preorders_get_exactly_ten():
    variant = make_preorder(on_hand=5, limit=5)

    outcomes = together([lambda: stock.claim({variant.pk: 1})] * 60)

    ends = Counter(type(end) if isinstance(end, Exception) else 1 for end in outcomes)
    assert ends == {1: 10, NotEnoughStock: 50}
    make_holder(variant, units=10)
    call_command("reconcile")


@pytest.mark.django_db(transaction=True)
def test_claims_without_their_guard_are_stopped_by_the_table(monkeypatch):
    monkeypatch.setattr(stock, "GUARD", "")
    variant = make_preorder(on_hand=2, limit=3)

    outcomes = together([lambda: stock.claim({variant.pk: 1})] * 12)

    assert sum(isinstance(end, IntegrityError) for end in outcomes) == 7


def test_claim_says_whether_its_units_are_here():
    variant = make_preorder(on_hand=3, limit=5)

    days = [stock.claim({variant.pk: n})[0].promised for n in (2, 1, 1, 4)]

    assert days == [None, None, SOON, SOON]
    with pytest.raises(NotEnoughStock, match="Only 0 are left"):
        stock.claim({variant.pk: 1})


def test_units_that_are_not_here_cannot_be_shipped():
    variant = make_preorder(limit=5)
    stock.claim({variant.pk: 2})

    with pytest.raises(StockConflict):
        stock.ship({variant.pk: 2})

    stock.receive(variant.pk, 2)
    stock.ship({variant.pk: 2})
    row = Stock.objects.get(pk=variant.pk)
    assert (row.on_hand, row.reserved) == (0, 0)


def test_books_agree_while_more_is_sold_than_is_here():
    variant = make_preorder(on_hand=1, limit=5)
    stock.claim({variant.pk: 4})
    make_holder(variant, units=4)

    assert books.reconcile() == []

    Stock.objects.filter(pk=variant.pk).update(reserved=5)
    assert "reserved is 5" in str(books.reconcile()[0])


# --- The limit --------------------------------------------------------------------


def test_limit_is_noted_as_a_movement_by_staff():
    variant, staff = make_variant(on_hand=2), make_user()

    level = backorders.set_limit(variant.pk, 5, date(2030, 1, 2), actor=staff)

    movement = StockMovement.objects.get(variant=variant, version=level.version)
    assert (movement.kind, movement.actor) == ("offer", staff)
    assert movement.note == "Preorders: up to 5, from 01/02/2030."
    assert (movement.d_on_hand, movement.d_reserved) == (0, 0)


@pytest.mark.parametrize(
    "limit, day, problem",
    [
        (1, SOON, "2 units are sold already and are not here yet."),
        (0, None, "2 units are sold already"),
        (5, None, "Enter the day"),
        (-1, SOON, "Enter a limit"),
        (backorders.MOST + 1, SOON, "Enter a limit"),
    ],
)
def test_limit_that_cannot_be_is_refused(limit, day, problem):
    variant = make_preorder(on_hand=1, limit=5)
    stock.claim({variant.pk: 3})

    with pytest.raises(StockConflict, match=problem):
        backorders.set_limit(variant.pk, limit, day)

    assert Stock.objects.get(pk=variant.pk).backorder_limit == 5


def test_database_refuses_a_limit_without_a_day_and_more_than_the_limit():
    variant = make_preorder(limit=5)
    row = Stock.objects.filter(pk=variant.pk)

    for wrong in ({"ships_from": None}, {"reserved": 6}):
        with pytest.raises(IntegrityError), transaction.atomic():
            row.update(**wrong)


@pytest.mark.parametrize("counted, is_refused", [(0, True), (1, False)])
def test_count_may_fall_short_of_what_is_sold_by_the_limit(counted, is_refused):
    variant = make_preorder(on_hand=4, limit=5)
    stock.claim({variant.pk: 6})

    if is_refused:
        with pytest.raises(StockConflict):
            stock.count(variant.pk, counted)
    else:
        assert stock.count(variant.pk, counted).on_hand == counted


@pytest.mark.parametrize("counted, is_short", [(0, True), (1, False)])
def test_import_counts_no_less_than_the_limit_allows(counted, is_short):
    variant = make_preorder(on_hand=4, limit=5)
    stock.claim({variant.pk: 6})
    wanted = Wanted(variant, variant, counted=counted)
    stocks = {variant.pk: Stock.objects.get(pk=variant.pk)}

    assert bool([*batches.find_shortages([wanted], stocks)]) == is_short


# --- What is shown ----------------------------------------------------------------


def test_badge_follows_from_in_stock_to_preorder_to_sold_out(settings):
    settings.LOW_STOCK = 1
    variant = make_preorder(on_hand=2, limit=3)

    states = [facts_of(variant)]
    for units in (1, 1, 3):
        stock.claim({variant.pk: units})
        states.append(facts_of(variant))

    shown = [(f["state"], f["available"], f.get("now")) for f in states]
    assert shown == [
        ("in", 5, 2),
        ("low", 4, 1),
        ("preorder", 3, 0),
        ("out", 0, None),
    ]
    assert states[2]["ships_from"] == SOON.isoformat()


def test_facts_without_a_limit_are_as_ever():
    assert facts_of(make_variant(on_hand=3)).keys() == {
        *("variant", "available", "state", "price")
    }


def test_preorder_counts_as_available_and_is_told_to_search_engines(client):
    variant = make_preorder(limit=2)

    page = client.get(variant.get_absolute_url()).text

    assert list(Product.objects.sold_in((), in_stock=True)) == [variant.product]
    assert '"availability": "https://schema.org/PreOrder"' in page
    assert f'"availabilityStarts": "{SOON.isoformat()}"' in page
    assert "Preorder: ships from" in page


def test_change_takes_away_no_units_that_are_not_here():
    variant = make_preorder(on_hand=2, limit=5)

    with pytest.raises(StockConflict, match="Only 2 can be taken away"):
        stock.change(variant.pk, -3)

    assert stock.change(variant.pk, -2).on_hand == 0


def test_staff_set_the_limit_on_the_page_of_the_stock(admin_client):
    variant = make_variant(on_hand=0)
    page = reverse("admin:products_stock_change", args=[variant.pk])
    form = {"seen": 0, "backorder_limit": 7, "ships_from": SOON.isoformat()}

    shown = admin_client.post(page, form, follow=True)

    row = Stock.objects.get(pk=variant.pk)
    assert (row.backorder_limit, row.ships_from) == (7, SOON)
    assert "Preorders: up to 7" in shown.text
    assert f'value="{SOON.isoformat()}"' in shown.text


@pytest.mark.parametrize(
    "entry, problem",
    [
        ({"ships_from": ""}, "Enter the day."),
        ({"ships_from": "2020-01-01"}, "Enter a day that is not over."),
        ({"ships_from": "soon"}, "Enter a valid date."),
        ({"backorder_limit": "-1"}, "greater than or equal to 0"),
    ],
)
def test_wrong_limit_or_day_is_said_at_the_field(admin_client, entry, problem):
    variant = make_variant()
    page = reverse("admin:products_stock_change", args=[variant.pk])
    form = {"seen": 1, "backorder_limit": 7, "ships_from": SOON.isoformat()}

    shown = admin_client.post(page, form | entry)

    assert problem in shown.text
    assert Stock.objects.get(pk=variant.pk).backorder_limit == 0


def test_offer_of_preorders_moves_open_baskets_and_pages():
    variant = make_variant(on_hand=0)
    holder = make_holder(variant, units=1)
    version = holder.version

    level = preorders.offer(variant.pk, 3, SOON)

    holder.refresh_from_db()
    assert holder.version == version + 1
    assert level.version == Stock.objects.get(pk=variant.pk).version

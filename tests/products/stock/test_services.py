"""The five verbs of stock, one at a time."""

import pytest
from django.db import IntegrityError, connection, transaction

from products.catalogue.exceptions import UnknownProduct
from products.models import Stock, StockMovement
from products.stock import services as stock
from products.stock.exceptions import NotEnoughStock, StockConflict
from tests.support.factories import make_user, make_variant

pytestmark = pytest.mark.django_db

NOWHERE = 10**9  # the id of no product


def figures(variant) -> tuple[int, int, int]:
    row = Stock.objects.get(pk=variant.pk)
    return row.on_hand, row.reserved, row.version


def moves(variant) -> list[tuple]:
    rows = StockMovement.objects.filter(variant=variant).order_by("version")
    return list(rows.values_list("version", "kind", "d_on_hand", "d_reserved"))


# --- Each verb --------------------------------------------------------------------


def test_receive_adds_units_on_hand_and_logs_who_did_it():
    variant, staff = make_variant(on_hand=7), make_user()

    level = stock.receive(variant.pk, 20, note="delivery 17", actor=staff)

    assert (level.on_hand, level.reserved, level.version) == (27, 0, 2)
    assert figures(variant) == (27, 0, 2)
    movement = StockMovement.objects.get(variant=variant, version=2)
    assert (movement.kind, movement.d_on_hand) == ("received", 20)
    assert (movement.note, movement.actor) == ("delivery 17", staff)


def test_count_of_fewer_units_logs_the_difference():
    variant = make_variant(on_hand=10, reserved=2)

    stock.count(variant.pk, 7)

    assert figures(variant) == (7, 2, 3)
    assert moves(variant)[-1] == (3, "counted", -3, 0)


def test_count_of_the_same_units_is_logged_too():
    variant = make_variant(on_hand=10)

    stock.count(variant.pk, 10)

    assert moves(variant)[-1] == (2, "counted", 0, 0)


def test_claim_reserves_units():
    variant = make_variant(on_hand=10)

    (level,) = stock.claim({variant.pk: 4}, note="order K7")

    assert (level.on_hand, level.reserved) == (10, 4)
    assert moves(variant)[-1] == (2, "claimed", 0, 4)
    assert StockMovement.objects.get(variant=variant, version=2).note == "order K7"


def test_claim_of_the_last_units_is_granted():
    variant = make_variant(on_hand=3)

    stock.claim({variant.pk: 3})

    assert Stock.objects.get(pk=variant.pk).available == 0


def test_release_of_reserved_units_gives_them_back():
    variant = make_variant(on_hand=10, reserved=4)

    stock.release({variant.pk: 3})

    assert figures(variant) == (10, 1, 3)
    assert moves(variant)[-1] == (3, "released", 0, -3)


def test_ship_of_reserved_units_lowers_both_figures():
    variant = make_variant(on_hand=10, reserved=4)

    stock.ship({variant.pk: 4})

    assert figures(variant) == (6, 0, 3)
    assert moves(variant)[-1] == (3, "shipped", -4, -4)


def test_offer_changed_raises_the_version_and_moves_nothing():
    variant = make_variant(on_hand=10, reserved=4)

    level = stock.offer_changed(variant.pk, note="12.50 → 9.90")

    assert (level.prices.price, level.is_for_sale) == (variant.price, True)
    assert figures(variant) == (10, 4, 3)
    assert moves(variant)[-1] == (3, "offer", 0, 0)


def test_movements_of_any_kind_have_consecutive_versions():
    variant = make_variant(on_hand=10)
    stock.claim({variant.pk: 5})
    with pytest.raises(NotEnoughStock):
        stock.claim({variant.pk: 6})
    stock.release({variant.pk: 2})
    with pytest.raises(StockConflict):
        stock.ship({variant.pk: 4})
    stock.ship({variant.pk: 3})
    stock.count(variant.pk, 9)
    stock.offer_changed(variant.pk)

    assert [version for version, *_ in moves(variant)] == [1, 2, 3, 4, 5, 6]
    assert figures(variant) == (9, 0, 6)


# --- Each refusal -----------------------------------------------------------------


def refused(variant, error: type[Exception], call) -> Exception:
    """The refusal, which left the row and its movements as they were."""
    before = figures(variant), moves(variant)
    with pytest.raises(error) as refusal:
        call()
    assert (figures(variant), moves(variant)) == before
    return refusal.value


@pytest.mark.parametrize("units", [0, -1, stock.MAX_UNITS, 10**30])
def test_receive_of_impossible_units_is_refused(units):
    variant = make_variant(on_hand=1)

    refused(variant, StockConflict, lambda: stock.receive(variant.pk, units))


@pytest.mark.parametrize("units", [-1, stock.MAX_UNITS + 1, 10**30])
def test_count_of_impossible_units_is_refused(units):
    variant = make_variant(on_hand=1)

    refused(variant, StockConflict, lambda: stock.count(variant.pk, units))


def test_count_below_the_reserved_units_is_refused_with_both_numbers():
    variant = make_variant(on_hand=10, reserved=4)

    error = refused(variant, StockConflict, lambda: stock.count(variant.pk, 3))

    assert "3" in str(error) and "4 are reserved" in str(error)


@pytest.mark.parametrize(
    "available, text", [(0, "Only 0 are"), (1, "Only 1 is"), (3, "Only 3 are")]
)
def test_claim_of_too_many_units_is_refused_with_what_is_left(available, text):
    variant = make_variant(on_hand=available + 2, reserved=2)

    error = refused(variant, NotEnoughStock, lambda: stock.claim({variant.pk: 4}))

    assert (error.variant_id, error.wanted, error.available) == (
        variant.pk,
        4,
        available,
    )
    assert text in str(error)


@pytest.mark.parametrize("units", [2**31, 2**63, 10**30])
def test_claim_of_a_huge_number_is_refused(units):
    variant = make_variant(on_hand=3)

    refused(variant, NotEnoughStock, lambda: stock.claim({variant.pk: units}))


@pytest.mark.parametrize("verb", [stock.release, stock.ship])
def test_release_or_ship_of_too_many_units_is_refused(verb):
    variant = make_variant(on_hand=10, reserved=4)

    refused(variant, StockConflict, lambda: verb({variant.pk: 5}))


@pytest.mark.parametrize("verb", [stock.claim, stock.release, stock.ship])
@pytest.mark.parametrize("units", [0, -1])
def test_quantities_below_one_are_a_programming_error(verb, units):
    variant = make_variant(on_hand=10, reserved=4)

    refused(variant, ValueError, lambda: verb({variant.pk: units}))


@pytest.mark.parametrize(
    "call",
    [
        lambda: stock.receive(NOWHERE, 1),
        lambda: stock.count(NOWHERE, 1),
        lambda: stock.claim({NOWHERE: 1}),
        lambda: stock.release({NOWHERE: 1}),
        lambda: stock.ship({NOWHERE: 1}),
        lambda: stock.offer_changed(NOWHERE),
    ],
)
def test_every_verb_with_an_unknown_product_says_so(call):
    with pytest.raises(UnknownProduct):
        call()


# --- Several products -------------------------------------------------------------


def test_claim_of_several_products_takes_each():
    one, two = make_variant(on_hand=3), make_variant(on_hand=3)

    levels = stock.claim({two.pk: 2, one.pk: 1})

    assert [level.variant_id for level in levels] == [one.pk, two.pk]
    assert figures(one) == (3, 1, 2)
    assert figures(two) == (3, 2, 2)


@pytest.mark.parametrize("verb", [stock.claim, stock.release, stock.ship])
def test_several_products_with_one_shortage_change_nothing(verb):
    first, short, last = (make_variant(on_hand=6, reserved=3) for _ in range(3))
    wanted = {first.pk: 1, short.pk: 4, last.pk: 1}

    with pytest.raises((NotEnoughStock, StockConflict)):
        verb(wanted)

    assert [figures(variant) for variant in (first, short, last)] == [(6, 3, 2)] * 3
    assert len(moves(first)) == 2


def test_claim_of_nothing_does_nothing():
    assert stock.claim({}) == []


# --- The second net ---------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["reserved = on_hand + 1", "reserved = -1", "on_hand = reserved - 1", "on_hand=-1"],
)
def test_raw_sql_with_impossible_figures_is_refused_by_the_table(change):
    variant = make_variant(on_hand=10, reserved=4)

    with pytest.raises(IntegrityError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE products_stock SET {change}")

    assert figures(variant) == (10, 4, 2)


def test_movement_with_an_existing_version_is_refused_by_the_table():
    variant = make_variant(on_hand=10)

    with pytest.raises(IntegrityError), transaction.atomic():
        StockMovement.objects.create(variant=variant, version=1, kind="counted")


# --- What leaves ------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_claim_that_commits_is_pushed_once_with_the_new_state(hear):
    variant = make_variant(on_hand=10)

    with hear(f"stock:{variant.pk}") as events:
        stock.claim({variant.pk: 7})

    assert events == [
        {
            "type": "live",
            "topic": f"stock:{variant.pk}",
            "version": 2,
            "facts": {
                "variant": variant.pk,
                "available": 3,
                "state": "low",
                "price": "12.50",
            },
        }
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "verb", ["receive", "count", "claim", "release", "ship", "offer_changed"]
)
def test_every_verb_that_commits_is_pushed_once(hear, verb):
    variant = make_variant(on_hand=10, reserved=4)
    arguments = {
        "receive": [variant.pk, 5],
        "count": [variant.pk, 5],
        "offer_changed": [variant.pk],
    }.get(verb, [{variant.pk: 2}])

    with hear(f"stock:{variant.pk}") as events:
        getattr(stock, verb)(*arguments)

    assert [event["version"] for event in events] == [3]


@pytest.mark.django_db(transaction=True)
def test_claim_inside_a_transaction_is_pushed_only_after_it(hear):
    variant = make_variant(on_hand=10)
    topic = f"stock:{variant.pk}"

    with hear(topic) as after:
        with transaction.atomic():
            with hear(topic) as before:
                stock.claim({variant.pk: 1})

    assert before == []
    assert [event["version"] for event in after] == [2]


@pytest.mark.django_db(transaction=True)
def test_claim_that_rolls_back_is_not_pushed(hear):
    variant = make_variant(on_hand=10)

    with hear(f"stock:{variant.pk}") as events:
        with pytest.raises(RuntimeError), transaction.atomic():
            stock.claim({variant.pk: 1})
            raise RuntimeError

    assert events == []
    assert figures(variant) == (10, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_claim_of_several_products_that_is_refused_pushes_none(hear):
    one, two = make_variant(on_hand=3), make_variant(on_hand=0)

    with hear(f"stock:{one.pk}", f"stock:{two.pk}") as events:
        with pytest.raises(NotEnoughStock):
            stock.claim({one.pk: 1, two.pk: 1})

    assert events == []

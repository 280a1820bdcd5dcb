"""The five verbs of stock, one at a time."""

import pytest
from django.db import IntegrityError, connection, transaction

from products.catalogue.exceptions import UnknownProduct
from products.models import Stock, StockMovement
from products.stock import services as stock
from products.stock.exceptions import NotEnoughStock, StockConflict
from tests.support.factories import make_product, make_user

pytestmark = pytest.mark.django_db

NOWHERE = 10**9  # the id of no product


def figures(product) -> tuple[int, int, int]:
    row = Stock.objects.get(pk=product.pk)
    return row.on_hand, row.reserved, row.version


def moves(product) -> list[tuple]:
    rows = StockMovement.objects.filter(product=product).order_by("version")
    return list(rows.values_list("version", "kind", "d_on_hand", "d_reserved"))


# --- Each verb --------------------------------------------------------------------


def test_receive_adds_units_on_hand_and_logs_who_did_it():
    product, staff = make_product(on_hand=7), make_user()

    level = stock.receive(product.pk, 20, note="delivery 17", actor=staff)

    assert (level.on_hand, level.reserved, level.version) == (27, 0, 2)
    assert figures(product) == (27, 0, 2)
    movement = StockMovement.objects.get(product=product, version=2)
    assert (movement.kind, movement.d_on_hand) == ("received", 20)
    assert (movement.note, movement.actor) == ("delivery 17", staff)


def test_count_of_fewer_units_logs_the_difference():
    product = make_product(on_hand=10, reserved=2)

    stock.count(product.pk, 7)

    assert figures(product) == (7, 2, 3)
    assert moves(product)[-1] == (3, "counted", -3, 0)


def test_count_of_the_same_units_is_logged_too():
    product = make_product(on_hand=10)

    stock.count(product.pk, 10)

    assert moves(product)[-1] == (2, "counted", 0, 0)


def test_claim_reserves_units():
    product = make_product(on_hand=10)

    (level,) = stock.claim({product.pk: 4}, note="order K7")

    assert (level.on_hand, level.reserved) == (10, 4)
    assert moves(product)[-1] == (2, "claimed", 0, 4)
    assert StockMovement.objects.get(product=product, version=2).note == "order K7"


def test_claim_of_the_last_units_is_granted():
    product = make_product(on_hand=3)

    stock.claim({product.pk: 3})

    assert Stock.objects.get(pk=product.pk).available == 0


def test_release_of_reserved_units_gives_them_back():
    product = make_product(on_hand=10, reserved=4)

    stock.release({product.pk: 3})

    assert figures(product) == (10, 1, 3)
    assert moves(product)[-1] == (3, "released", 0, -3)


def test_ship_of_reserved_units_lowers_both_figures():
    product = make_product(on_hand=10, reserved=4)

    stock.ship({product.pk: 4})

    assert figures(product) == (6, 0, 3)
    assert moves(product)[-1] == (3, "shipped", -4, -4)


def test_offer_changed_raises_the_version_and_moves_nothing():
    product = make_product(on_hand=10, reserved=4)

    level = stock.offer_changed(product.pk, note="12.50 → 9.90")

    assert (level.price, level.is_active) == (product.price, True)
    assert figures(product) == (10, 4, 3)
    assert moves(product)[-1] == (3, "offer", 0, 0)


def test_movements_of_any_kind_have_consecutive_versions():
    product = make_product(on_hand=10)
    stock.claim({product.pk: 5})
    with pytest.raises(NotEnoughStock):
        stock.claim({product.pk: 6})
    stock.release({product.pk: 2})
    with pytest.raises(StockConflict):
        stock.ship({product.pk: 4})
    stock.ship({product.pk: 3})
    stock.count(product.pk, 9)
    stock.offer_changed(product.pk)

    assert [version for version, *_ in moves(product)] == [1, 2, 3, 4, 5, 6]
    assert figures(product) == (9, 0, 6)


# --- Each refusal -----------------------------------------------------------------


def refused(product, error: type[Exception], call) -> Exception:
    """The refusal, which left the row and its movements as they were."""
    before = figures(product), moves(product)
    with pytest.raises(error) as refusal:
        call()
    assert (figures(product), moves(product)) == before
    return refusal.value


@pytest.mark.parametrize("units", [0, -1, stock.MAX_UNITS, 10**30])
def test_receive_of_impossible_units_is_refused(units):
    product = make_product(on_hand=1)

    refused(product, StockConflict, lambda: stock.receive(product.pk, units))


@pytest.mark.parametrize("units", [-1, stock.MAX_UNITS + 1, 10**30])
def test_count_of_impossible_units_is_refused(units):
    product = make_product(on_hand=1)

    refused(product, StockConflict, lambda: stock.count(product.pk, units))


def test_count_below_the_reserved_units_is_refused_with_both_numbers():
    product = make_product(on_hand=10, reserved=4)

    error = refused(product, StockConflict, lambda: stock.count(product.pk, 3))

    assert "3" in str(error) and "4 are reserved" in str(error)


@pytest.mark.parametrize(
    "available, text", [(0, "Only 0 are"), (1, "Only 1 is"), (3, "Only 3 are")]
)
def test_claim_of_too_many_units_is_refused_with_what_is_left(available, text):
    product = make_product(on_hand=available + 2, reserved=2)

    error = refused(product, NotEnoughStock, lambda: stock.claim({product.pk: 4}))

    assert (error.product_id, error.asked, error.available) == (
        product.pk,
        4,
        available,
    )
    assert text in str(error)


@pytest.mark.parametrize("units", [2**31, 2**63, 10**30])
def test_claim_of_a_huge_number_is_refused(units):
    product = make_product(on_hand=3)

    refused(product, NotEnoughStock, lambda: stock.claim({product.pk: units}))


@pytest.mark.parametrize("verb", [stock.release, stock.ship])
def test_release_or_ship_of_too_many_units_is_refused(verb):
    product = make_product(on_hand=10, reserved=4)

    refused(product, StockConflict, lambda: verb({product.pk: 5}))


@pytest.mark.parametrize("verb", [stock.claim, stock.release, stock.ship])
@pytest.mark.parametrize("units", [0, -1])
def test_quantities_below_one_are_a_programming_error(verb, units):
    product = make_product(on_hand=10, reserved=4)

    refused(product, ValueError, lambda: verb({product.pk: units}))


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
    one, two = make_product(on_hand=3), make_product(on_hand=3)

    levels = stock.claim({two.pk: 2, one.pk: 1})

    assert [level.product_id for level in levels] == [one.pk, two.pk]
    assert figures(one) == (3, 1, 2)
    assert figures(two) == (3, 2, 2)


@pytest.mark.parametrize("verb", [stock.claim, stock.release, stock.ship])
def test_several_products_with_one_shortage_change_nothing(verb):
    first, short, last = (make_product(on_hand=6, reserved=3) for _ in range(3))
    wanted = {first.pk: 1, short.pk: 4, last.pk: 1}

    with pytest.raises((NotEnoughStock, StockConflict)):
        verb(wanted)

    assert [figures(product) for product in (first, short, last)] == [(6, 3, 2)] * 3
    assert len(moves(first)) == 2


def test_claim_of_nothing_does_nothing():
    assert stock.claim({}) == []


# --- The second net ---------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["reserved = on_hand + 1", "reserved = -1", "on_hand = reserved - 1", "on_hand=-1"],
)
def test_raw_sql_with_impossible_figures_is_refused_by_the_table(change):
    product = make_product(on_hand=10, reserved=4)

    with pytest.raises(IntegrityError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE products_stock SET {change}")

    assert figures(product) == (10, 4, 2)


def test_movement_with_an_existing_version_is_refused_by_the_table():
    product = make_product(on_hand=10)

    with pytest.raises(IntegrityError), transaction.atomic():
        StockMovement.objects.create(product=product, version=1, kind="counted")


# --- What leaves ------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_claim_that_commits_is_pushed_once_with_the_new_state(hear):
    product = make_product(on_hand=10)

    with hear(f"stock:{product.pk}") as events:
        stock.claim({product.pk: 7})

    assert events == [
        {
            "type": "live",
            "topic": f"stock:{product.pk}",
            "version": 2,
            "facts": {
                "product": product.pk,
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
    product = make_product(on_hand=10, reserved=4)
    arguments = {
        "receive": [product.pk, 5],
        "count": [product.pk, 5],
        "offer_changed": [product.pk],
    }.get(verb, [{product.pk: 2}])

    with hear(f"stock:{product.pk}") as events:
        getattr(stock, verb)(*arguments)

    assert [event["version"] for event in events] == [3]


@pytest.mark.django_db(transaction=True)
def test_claim_inside_a_transaction_is_pushed_only_after_it(hear):
    product = make_product(on_hand=10)
    topic = f"stock:{product.pk}"

    with hear(topic) as after:
        with transaction.atomic():
            with hear(topic) as before:
                stock.claim({product.pk: 1})

    assert before == []
    assert [event["version"] for event in after] == [2]


@pytest.mark.django_db(transaction=True)
def test_claim_that_rolls_back_is_not_pushed(hear):
    product = make_product(on_hand=10)

    with hear(f"stock:{product.pk}") as events:
        with pytest.raises(RuntimeError), transaction.atomic():
            stock.claim({product.pk: 1})
            raise RuntimeError

    assert events == []
    assert figures(product) == (10, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_claim_of_several_products_that_is_refused_pushes_none(hear):
    one, two = make_product(on_hand=3), make_product(on_hand=0)

    with hear(f"stock:{one.pk}", f"stock:{two.pk}") as events:
        with pytest.raises(NotEnoughStock):
            stock.claim({one.pk: 1, two.pk: 1})

    assert events == []

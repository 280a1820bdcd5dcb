"""Stock moves by these five verbs only, each one statement on one row.

The guard of the statement and the CHECK of the table say the same: what is reserved
is never negative and never more than what is on hand. Who asks for more than that
gets no row and a named refusal; there is nothing to lock, read or retry before.
`move_all` is the exception, for imports: many rows, which its caller has locked.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.utils.translation import gettext as _

from products.catalogue.exceptions import UnknownProduct
from products.live import push
from products.models import Stock, StockMovement
from products.stock.exceptions import NotEnoughStock, StockConflict

Kind = StockMovement.Kind

GUARD = "AND 0 <= s.reserved + %(d_reserved)s"
GUARD += " AND s.reserved + %(d_reserved)s <= s.on_hand + %(d_on_hand)s"

# The row and its movement in one round trip: the row's lock is held no longer.
MOVE = """
WITH moved AS (
    UPDATE products_stock AS s
    SET on_hand = s.on_hand + %(d_on_hand)s,
        reserved = s.reserved + %(d_reserved)s,
        version = s.version + 1
    FROM products_product AS p
    WHERE s.product_id = %(product_id)s AND p.id = s.product_id {guard}
    RETURNING s.product_id, s.on_hand, s.reserved, s.version, p.price, p.is_active
), logged AS (
    INSERT INTO products_stockmovement (
        product_id, version, kind, d_on_hand, d_reserved, note, actor_id, created_at
    )
    SELECT product_id, version, %(kind)s, %(d_on_hand)s, %(d_reserved)s, %(note)s,
           %(actor_id)s, statement_timestamp()
    FROM moved
)
SELECT product_id, on_hand, reserved, version, price, is_active FROM moved
"""

MOVE_ALL = """
WITH wanted AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(units)s::int[], %(notes)s::text[])
        AS w(product_id, d_on_hand, note)
), moved AS (
    UPDATE products_stock AS s
    SET on_hand = s.on_hand + w.d_on_hand, version = s.version + 1
    FROM wanted AS w, products_product AS p
    WHERE s.product_id = w.product_id AND p.id = s.product_id
    RETURNING s.product_id, s.on_hand, s.reserved, s.version, p.price, p.is_active,
              w.d_on_hand, w.note
), logged AS (
    INSERT INTO products_stockmovement (
        product_id, version, kind, d_on_hand, d_reserved, note, actor_id, created_at
    )
    SELECT product_id, version, %(kind)s, d_on_hand, 0, note, %(actor_id)s,
           statement_timestamp()
    FROM moved
)
SELECT product_id, on_hand, reserved, version, price, is_active FROM moved
"""


class Move(NamedTuple):
    """A change of the units on hand, one of many."""

    product_id: int
    d_on_hand: int
    note: str


class Level(NamedTuple):
    """A product's stock after a movement, and the offer it belongs to."""

    product_id: int
    on_hand: int
    reserved: int
    version: int
    price: Decimal
    is_active: bool


MAX_UNITS = 2**31 - 1


def receive(
    product_id: int, quantity: int, *, note: str = "", actor: AbstractUser | None = None
) -> Level:
    """`quantity` units (at least 1) came in. Raises `StockConflict`."""
    if quantity < 1:
        raise StockConflict(_("What was received must be 1 or more."))
    with transaction.atomic():
        on_hand = _locked(product_id).on_hand
        if on_hand + quantity > MAX_UNITS:
            raise StockConflict(_("That is more than a stock can hold."))
        return _moved(product_id, Kind.RECEIVED, quantity, 0, note, actor)


def count(
    product_id: int, counted: int, *, note: str = "", actor: AbstractUser | None = None
) -> Level:
    """Somebody counted `counted` units on the shelf: that is now on hand.

    Raises `StockConflict` for a count below what is reserved: those units are sold.
    """
    if not 0 <= counted <= MAX_UNITS:
        raise StockConflict(_("A count must be 0 or more."))
    with transaction.atomic():
        stock = _locked(product_id)
        if counted < stock.reserved:
            raise StockConflict(
                _(
                    "The count says %(counted)d, but %(reserved)d are reserved for"
                    " orders. Cancel orders first."
                )
                % {"counted": counted, "reserved": stock.reserved}
            )
        return _moved(product_id, Kind.COUNTED, counted - stock.on_hand, 0, note, actor)


def claim(quantities: Mapping[int, int], *, note: str = "") -> list[Level]:
    """Reserve units of several products (product id → units), all or nothing.

    Rows are taken in product order, so two claims never wait for each other in a
    circle. Raises `NotEnoughStock` for the first product that has too few.
    """
    with transaction.atomic():
        levels = []
        for product_id, quantity in _in_order(quantities):
            level = _move(product_id, Kind.CLAIMED, 0, quantity, note)
            if level is None:
                available = _existing(Stock.objects, product_id).available
                raise NotEnoughStock(product_id, quantity, available)
            levels.append(level)
        return levels


def release(quantities: Mapping[int, int], *, note: str = "") -> list[Level]:
    """Give reserved units back. Raises `StockConflict` if fewer are reserved."""
    with transaction.atomic():
        return [
            _moved(product_id, Kind.RELEASED, 0, -quantity, note)
            for product_id, quantity in _in_order(quantities)
        ]


def ship(quantities: Mapping[int, int], *, note: str = "") -> list[Level]:
    """Reserved units left the house. Raises `StockConflict` if fewer are reserved."""
    with transaction.atomic():
        return [
            _moved(product_id, Kind.SHIPPED, -quantity, -quantity, note)
            for product_id, quantity in _in_order(quantities)
        ]


def offer_changed(
    product_id: int, *, note: str = "", actor: AbstractUser | None = None
) -> Level:
    """Price or activity changed: nothing moves, but the topic has a new version."""
    return _moved(product_id, Kind.OFFER, 0, 0, note, actor)


def move_all(
    kind: Kind, moves: Sequence[Move], *, actor: AbstractUser | None = None
) -> list[Level]:
    """Many products at once, each at most once; in a transaction that has locked their
    rows, in the order of products, and has seen that they allow it. Pushes nothing."""
    if not moves:
        return []
    ids, units, notes = zip(*moves, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            MOVE_ALL,
            {
                "ids": list(ids),
                "units": list(units),
                "notes": list(notes),
                "kind": kind,
                "actor_id": actor.pk if actor else None,
            },
        )
        return [Level(*row) for row in cursor.fetchall()]


def _in_order(quantities: Mapping[int, int]) -> list[tuple[int, int]]:
    if any(quantity < 1 for quantity in quantities.values()):
        raise ValueError("quantities must be 1 or more")
    return sorted(quantities.items())


def _existing(stocks, product_id: int) -> Stock:
    try:
        return stocks.get(pk=product_id)
    except Stock.DoesNotExist:
        raise UnknownProduct from None


def _locked(product_id: int) -> Stock:
    return _existing(Stock.objects.select_for_update(), product_id)


def _moved(
    product_id: int,
    kind: Kind,
    d_on_hand: int,
    d_reserved: int,
    note: str = "",
    actor: AbstractUser | None = None,
) -> Level:
    level = _move(product_id, kind, d_on_hand, d_reserved, note, actor)
    if level is None:
        _existing(Stock.objects, product_id)
        raise StockConflict(_("Fewer units than that are reserved."))
    return level


def _move(
    product_id: int,
    kind: Kind,
    d_on_hand: int,
    d_reserved: int,
    note: str = "",
    actor: AbstractUser | None = None,
) -> Level | None:
    """Change a row, log the movement, push on commit; None if the guard says no."""
    if max(abs(d_on_hand), abs(d_reserved)) > MAX_UNITS:
        return None  # no row holds so many, and no column takes the number
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            MOVE.format(guard=GUARD),
            {
                "product_id": product_id,
                "kind": kind,
                "d_on_hand": d_on_hand,
                "d_reserved": d_reserved,
                "note": note,
                "actor_id": actor.pk if actor else None,
            },
        )
        row = cursor.fetchone()
        if row is None:
            return None
        level = Level(*row)
        push.stock_changed(**level._asdict())
        return level

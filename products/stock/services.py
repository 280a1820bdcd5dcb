"""Every change of stock, with its movement.

Each function runs one conditional UPDATE on one row, so callers need no lock and no
retry. The statement's guard and the table's CHECK are the same: the reserved units are
never negative, and never more than the units on hand and those that may be sold before
they are here. A change against the guard updates no row, and raises an exception of
`products.stock.exceptions`.

The exception is `move_all`, for imports. It changes many rows, which its caller locks.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date
from typing import NamedTuple, Self

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from products.catalogue.exceptions import UnknownProduct
from products.drops.exceptions import NotAdmitted
from products.live import push
from products.models import MovementKind, Prices, Stock, Variant
from products.stock.exceptions import NotEnoughStock, StockConflict

GUARD = "AND 0 <= s.reserved + %(d_reserved)s"
GUARD += " AND 0 <= s.on_hand + %(d_on_hand)s AND s.reserved + %(d_reserved)s"
GUARD += " <= s.on_hand + %(d_on_hand)s + s.backorder_limit"
# Nobody claims units of a drop past its room.
GATE = " AND (v.drop_id IS NULL OR v.drop_id = ANY(%(drops)s::bigint[]))"

# What a statement returns of each row, for `Level.read`.
LEVEL = "variant_id, on_hand, reserved, version, backorder_limit, ships_from, "
LEVEL += "is_for_sale, price, full_price, prior_price, price_until"

# One round trip for the row and its movement, so that the row is locked briefly.
MOVE = """
WITH moved AS (
    UPDATE products_stock AS s
    SET on_hand = s.on_hand + %(d_on_hand)s,
        reserved = s.reserved + %(d_reserved)s,
        version = s.version + 1
    FROM products_variant AS v JOIN products_product AS p ON p.id = v.product_id
    WHERE s.variant_id = %(variant_id)s AND v.id = s.variant_id {guard}
    RETURNING s.variant_id, s.on_hand, s.reserved, s.version, s.backorder_limit,
              s.ships_from, v.is_active AND p.is_active AS is_for_sale,
              v.price, v.full_price, v.prior_price, v.price_until
), logged AS (
    INSERT INTO products_stockmovement (
        variant_id, version, kind, d_on_hand, d_reserved, note, actor_id, created_at
    )
    SELECT variant_id, version, %(kind)s, %(d_on_hand)s, %(d_reserved)s, %(note)s,
           %(actor_id)s, statement_timestamp()
    FROM moved
)
SELECT {level} FROM moved
"""

MOVE_ALL = """
WITH wanted AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(units)s::int[], %(notes)s::text[])
        AS w(variant_id, d_on_hand, note)
), moved AS (
    UPDATE products_stock AS s
    SET on_hand = s.on_hand + w.d_on_hand, version = s.version + 1
    FROM wanted AS w
    JOIN products_variant AS v ON v.id = w.variant_id
    JOIN products_product AS p ON p.id = v.product_id
    WHERE s.variant_id = w.variant_id
    RETURNING s.variant_id, s.on_hand, s.reserved, s.version, s.backorder_limit,
              s.ships_from, v.is_active AND p.is_active AS is_for_sale,
              v.price, v.full_price, v.prior_price, v.price_until, w.d_on_hand, w.note
), logged AS (
    INSERT INTO products_stockmovement (
        variant_id, version, kind, d_on_hand, d_reserved, note, actor_id, created_at
    )
    SELECT variant_id, version, %(kind)s, d_on_hand, 0, note, %(actor_id)s,
           statement_timestamp()
    FROM moved
)
SELECT {level} FROM moved
"""


class Move(NamedTuple):
    """A change of a variant's units on hand, for `move_all`."""

    variant_id: int
    d_on_hand: int
    note: str


class Level(NamedTuple):
    """A variant's stock after a movement, whether it is for sale, and its prices."""

    variant_id: int
    on_hand: int
    reserved: int
    version: int
    backorder_limit: int
    ships_from: date | None
    is_for_sale: bool
    prices: Prices

    @property
    def promised(self) -> date | None:
        """The day from which the units of a claim ship, if not all of them are here."""
        return self.ships_from if self.reserved > self.on_hand else None

    @classmethod
    def read(cls, row: tuple) -> Self:
        """Return the level in a row of `MOVE` or `MOVE_ALL`."""
        return cls._make([*row[:7], Prices(*row[7:])])


MAX_UNITS = 2**31 - 1


def receive(
    variant_id: int, quantity: int, *, note: str = "", actor: AbstractUser | None = None
) -> Level:
    """Add units on hand. Raises `StockConflict` for less than 1 or too many."""
    if quantity < 1:
        raise StockConflict(_("Enter 1 or more units received."))
    with transaction.atomic():
        on_hand = _locked(variant_id).on_hand
        if on_hand + quantity > MAX_UNITS:
            raise StockConflict(_("That number is too large."))
        return _move(variant_id, MovementKind.RECEIVED, quantity, 0, note, actor)


def count(
    variant_id: int, counted: int, *, note: str = "", actor: AbstractUser | None = None
) -> Level:
    """Set the units on hand to `counted`.

    Raises `StockConflict` if more units are sold, apart from those that may be sold
    before they are here.
    """
    if not 0 <= counted <= MAX_UNITS:
        raise StockConflict(_("Enter a count of 0 or more."))
    with transaction.atomic():
        stock = _locked(variant_id)
        if counted + stock.backorder_limit < stock.reserved:
            raise StockConflict(
                _(
                    "You counted %(counted)d, but %(reserved)d are reserved for "
                    "orders. Cancel orders first."
                )
                % {"counted": counted, "reserved": stock.reserved}
            )
        return _move(
            variant_id, MovementKind.COUNTED, counted - stock.on_hand, 0, note, actor
        )


def change(
    variant_id: int, units: int, *, note: str = "", actor: AbstractUser | None = None
) -> Level:
    """Add units on hand, or take some away (fewer than 0), whatever there are now.

    Raises `StockConflict` if fewer units are free than are taken away.
    """
    if units >= 0:
        return receive(variant_id, units, note=note, actor=actor)
    with transaction.atomic():
        row = _locked(variant_id)
        free = min(row.available, row.on_hand)  # the first counts preorders too
        if free + units < 0:
            text = _("Only %(free)d can be taken away. The others are reserved.")
            raise StockConflict(text % {"free": free})
        return _move(variant_id, MovementKind.COUNTED, units, 0, note, actor)


def claim(
    quantities: Mapping[int, int], *, note: str = "", drops: Sequence[int] = ()
) -> list[Level]:
    """Reserve units of several variants (variant id → units), all or nothing.

    `drops` are the keys of drops whose units may be claimed. Raises `NotAdmitted` for a
    variant of another drop, and `NotEnoughStock` for the first variant that has too
    few. Rows are updated in the order of their keys, so two claims never deadlock.
    """
    # One statement is all or nothing without a savepoint.
    with transaction.atomic() if len(quantities) > 1 else nullcontext():
        return [
            _claim(variant_id, quantity, note, drops)
            for variant_id, quantity in _in_order(quantities)
        ]


def _claim(variant_id: int, quantity: int, note: str, drops: Sequence[int]) -> Level:
    kind = MovementKind.CLAIMED
    level = _try_move(variant_id, kind, 0, quantity, note, drops=drops)
    if level is not None:
        return level
    row = _get(Stock.objects.select_related("variant"), variant_id)
    if row.variant.drop_id is not None and row.variant.drop_id not in drops:
        raise NotAdmitted(row.variant.drop_id)
    raise NotEnoughStock(variant_id, quantity, row.available)


def claim_again(quantities: Mapping[int, int], *, note: str = "") -> list[Level]:
    """Reserve units of an order that had them before, also those of a drop.

    Raises `NotEnoughStock`.
    """
    variants = Variant.objects.filter(pk__in=quantities).exclude(drop=None)
    drops = list(variants.values_list("drop", flat=True))
    return claim(quantities, note=note, drops=drops)


def release(quantities: Mapping[int, int], *, note: str = "") -> list[Level]:
    """Give reserved units back. Raises `StockConflict` if fewer are reserved."""
    with transaction.atomic():
        return [
            _move(variant_id, MovementKind.RELEASED, 0, -quantity, note)
            for variant_id, quantity in _in_order(quantities)
        ]


def ship(quantities: Mapping[int, int], *, note: str = "") -> list[Level]:
    """Take reserved units off stock. Raises `StockConflict` if fewer are reserved."""
    with transaction.atomic():
        return [
            _move(variant_id, MovementKind.SHIPPED, -quantity, -quantity, note)
            for variant_id, quantity in _in_order(quantities)
        ]


def offer_changed(
    variant_id: int, *, note: str = "", actor: AbstractUser | None = None
) -> Level:
    """Give a variant with a new price or a new "active" its next version."""
    return _move(variant_id, MovementKind.OFFER, 0, 0, note, actor)


def move_all(
    kind: MovementKind, moves: Sequence[Move], *, actor: AbstractUser | None = None
) -> list[Level]:
    """Change the units on hand of many variants, each at most once.

    The caller's transaction has locked the stock rows in the order of their keys, and
    has checked that the moves are possible. This pushes nothing.
    """
    if not moves:
        return []
    ids, units, notes = zip(*moves, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            MOVE_ALL.format(level=LEVEL),
            {
                "ids": list(ids),
                "units": list(units),
                "notes": list(notes),
                "kind": kind,
                "actor_id": actor.pk if actor else None,
            },
        )
        return [Level.read(row) for row in cursor.fetchall()]


def _in_order(quantities: Mapping[int, int]) -> list[tuple[int, int]]:
    if any(quantity < 1 for quantity in quantities.values()):
        raise ValueError("quantities must be 1 or more")
    return sorted(quantities.items())


def _get(stocks: QuerySet[Stock], variant_id: int) -> Stock:
    """Return a variant's stock. Raises `UnknownProduct`."""
    try:
        return stocks.get(pk=variant_id)
    except Stock.DoesNotExist:
        raise UnknownProduct from None


def _locked(variant_id: int) -> Stock:
    return _get(Stock.objects.select_for_update(), variant_id)


def _move(
    variant_id: int,
    kind: MovementKind,
    d_on_hand: int,
    d_reserved: int,
    note: str = "",
    actor: AbstractUser | None = None,
) -> Level:
    """As `_try_move`, but raise `UnknownProduct` or `StockConflict` if it fails."""
    level = _try_move(variant_id, kind, d_on_hand, d_reserved, note, actor)
    if level is None:
        _get(Stock.objects.all(), variant_id)
        raise StockConflict(_("Fewer units than that are reserved, or on hand."))
    return level


def _try_move(
    variant_id: int,
    kind: MovementKind,
    d_on_hand: int,
    d_reserved: int,
    note: str = "",
    actor: AbstractUser | None = None,
    drops: Sequence[int] | None = None,
) -> Level | None:
    """Change a row, log the movement, push on commit; None if the guard forbids it.

    Units of drops are claimed only for these `drops`. None is for other movements.
    """
    guard = GUARD if drops is None else GUARD + GATE
    if max(abs(d_on_hand), abs(d_reserved)) > MAX_UNITS:
        return None  # the column's type has no room for the number
    with connection.cursor() as cursor:
        cursor.execute(
            MOVE.format(guard=guard, level=LEVEL),
            {
                "variant_id": variant_id,
                "kind": kind,
                "d_on_hand": d_on_hand,
                "d_reserved": d_reserved,
                "note": note,
                "actor_id": actor.pk if actor else None,
                "drops": list(drops or ()),
            },
        )
        row = cursor.fetchone()
        if row is None:
            return None
        level = Level.read(row)
        push.stock_changed(**level._asdict())
        return level

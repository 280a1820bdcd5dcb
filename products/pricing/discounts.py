"""Which discounts an order gets: the best one for each line, and one for the order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, Self

from django.db.models import DateTimeField, Func, Q

from products.models import BasketLine, Discount
from products.pricing import baskets as pricing
from products.pricing import rules
from products.pricing.baskets import Item
from products.pricing.reach import Reach


class Problem(StrEnum):
    """Why a discount does not count."""

    EARLY = "early"
    OVER = "over"
    USED_UP = "used_up"
    MINIMUM = "minimum"
    OTHER_GOODS = "other_goods"
    NOT_BETTER = "not_better"


class Choice(NamedTuple):
    """The discounts that count, and the basket's code with its problem, if any.

    `discount` is that of the order; `of_lines` has one or None for each line.
    """

    of_lines: tuple[Discount | None, ...]
    discount: Discount | None = None
    code: Discount | None = None
    problem: Problem | None = None

    @classmethod
    def none(cls, lines: Collection[BasketLine]) -> Self:
        return cls((None,) * len(lines))

    @property
    def used(self) -> set[Discount]:
        """The discounts that count."""
        return {each for each in (self.discount, *self.of_lines) if each}

    @property
    def terms(self) -> dict[str, Any]:
        """The order's discount as `products.pricing.baskets` takes it."""
        if self.discount is None:
            return {}
        return {
            "order_percent": self.discount.percent,
            "order_fixed": self.discount.amount or 0,
            "discount_name": str(self.discount),
        }

    @property
    def facts(self) -> dict[str, str] | None:
        """The basket's code, JSON-ready."""
        if self.code is None:
            return None
        return {
            "code": self.code.code,
            "problem": self.problem or "",
            "minimum": f"{self.code.minimum:.2f}",
        }


class Offered(NamedTuple):
    """Discounts that some lines may get, and which variants those on lines concern."""

    discounts: Sequence[Discount]
    reach: Reach


class ClockTimestamp(Func):
    """The database's time."""

    function = "clock_timestamp"
    output_field = DateTimeField()


_are_any: rules.Copies[bool] = rules.Copies()


def offered(
    codes: Collection[int | None],
    lines: Collection[BasketLine],
    version: str | None = None,
) -> Offered:
    """Return discounts that need no code, and those with these keys.

    This is one query, and one more if there are discounts on lines. `version` is that
    of the pricing rules: with it, a shop without discounts takes no query.
    """
    if not _are_any.get(version, "discounts", Discount.objects.exists):
        return Offered([], Reach(Discount, [], []))
    wanted = Q(code="") | Q(pk__in={pk for pk in codes if pk})
    rows = Discount.objects.filter(wanted).annotate(now=ClockTimestamp())
    ends = Q(ends_at=None) | Q(ends_at__gt=ClockTimestamp()) | ~Q(code="")
    found = list(rows.filter(ends)) if lines else []
    on_lines = [discount.pk for discount in found if discount.is_on_lines]
    return Offered(found, Reach(Discount, on_lines, [line.variant for line in lines]))


def by_code(text: str) -> Discount | None:
    """Return the discount of a code, however it is spelled."""
    code = "".join(text.split()).upper()
    rows = Discount.objects.exclude(code="").filter(code=code)
    return rows.annotate(now=ClockTimestamp()).first()


def choose(lines: Collection[BasketLine], offered: Offered, code: int | None) -> Choice:
    """Return the discounts for these lines, out of those that are offered.

    Each line gets the discount on lines that saves most. Then the order gets the one
    that saves most on what is left. `code` is the key of the basket's code. It counts
    if it saves more than each discount that needs no code.
    """
    rows = [each for each in offered.discounts if not each.code or each.pk == code]
    if not rows:
        return Choice.none(lines)
    rows.sort(key=lambda each: (bool(each.code), each.pk))
    own = next((each for each in rows if each.code), None)
    full = pricing.goods_of((line.variant.price, line.quantity) for line in lines)
    on_lines = {
        row.pk: row for row in rows if row.is_on_lines and problem_of(row, full) is None
    }
    of_lines = tuple(_best_of_line(line, on_lines, offered.reach) for line in lines)
    items = list(map(pricing.item, lines, of_lines))
    goods = pricing.price_items(items, {}).sums.goods
    best = _best_of_order(rows, goods)
    if own is None or own is best or own in of_lines:
        return Choice(of_lines, best, own)
    if own.is_on_lines:
        concerned = (own.pk in offered.reach.of(line.variant) for line in lines)
        why = problem_of(own, full) or (None if any(concerned) else Problem.OTHER_GOODS)
    else:
        why = problem_of(own, goods)
    return Choice(of_lines, best, own, why or Problem.NOT_BETTER)


def _best_of_line(
    line: BasketLine, on_lines: Mapping[int, Discount], reach: Reach
) -> Discount | None:
    """Return the discount that saves most on a line; of equal ones, the first."""
    concerned = set(reach.of(line.variant)) if on_lines else set()
    best, saving = None, Decimal(0)
    for pk, discount in on_lines.items():
        if pk in concerned:
            item = pricing.item(line, discount)
            saved = pricing.price_items([item], {}).lines[0].line_discount
            if saved > saving:
                best, saving = discount, saved
    return best


def _best_of_order(rows: Iterable[Discount], goods: Decimal) -> Discount | None:
    """Return the discount that saves most on an order; of equal ones, the first."""
    best, saving = None, Decimal(0)
    for discount in rows:
        if not discount.is_on_lines and problem_of(discount, goods) is None:
            saved = saving_of(discount, goods)
            if saved > saving:
                best, saving = discount, saved
    return best


def problem_of(discount: Any, goods: Decimal | None = None) -> Problem | None:
    """Return why a discount does not count for these goods, or None if it does.

    The discount has its `now`. Without goods, their minimum is not checked.
    """
    if discount.now < discount.starts_at:
        return Problem.EARLY
    if discount.ends_at is not None and discount.ends_at <= discount.now:
        return Problem.OVER
    if discount.is_used_up:
        return Problem.USED_UP
    if goods is not None and goods < discount.minimum:
        return Problem.MINIMUM
    return None


def saving_of(discount: Discount, goods: Decimal) -> Decimal:
    """Return how much a discount takes off goods."""
    priced = pricing.price_items(
        [Item(goods, 1, "")],
        {},
        order_percent=discount.percent,
        order_fixed=discount.amount or 0,
    )
    return priced.sums.discount


def person_of(user_id: int | None, email_key: str = "") -> str:
    """Return for whom a use counts: an account, or a guest's email address."""
    return f"u{user_id}" if user_id else email_key


def used_by(discount: Discount, person: str) -> int:
    """Return how often a person has used a discount."""
    return discount.orders.filter(person=person, is_counted=True).count()

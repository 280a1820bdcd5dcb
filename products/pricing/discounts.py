"""Which discount an order gets: at most one, the best of those that hold."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import DateTimeField, Func, Q

from products.models import BasketLine, Discount
from products.pricing import baskets as pricing
from products.pricing.baskets import Item


class Problem(StrEnum):
    """Why a discount does not count."""

    EARLY = "early"
    OVER = "over"
    USED_UP = "used_up"
    MINIMUM = "minimum"
    NOT_BETTER = "not_better"


class Choice(NamedTuple):
    """The discount that counts, and the basket's code with its problem, if any."""

    discount: Discount | None = None
    code: Discount | None = None
    problem: Problem | None = None

    @property
    def terms(self) -> dict[str, Any]:
        """The discount as `products.pricing.baskets` takes it."""
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


class ClockTimestamp(Func):
    """The database's time."""

    function = "clock_timestamp"
    output_field = DateTimeField()


def offered(codes: Iterable[int | None] = ()) -> list[Discount]:
    """Return discounts that need no code, and those with these keys. One query."""
    wanted = Q(code="") | Q(pk__in={pk for pk in codes if pk})
    rows = Discount.objects.filter(wanted).annotate(now=ClockTimestamp())
    return list(
        rows.filter(Q(ends_at=None) | Q(ends_at__gt=ClockTimestamp()) | ~Q(code=""))
    )


def by_code(text: str) -> Discount | None:
    """Return the discount of a code, however it is spelled."""
    code = "".join(text.split()).upper()
    rows = Discount.objects.exclude(code="").filter(code=code)
    return rows.annotate(now=ClockTimestamp()).first()


def choose(
    lines: Collection[BasketLine], discounts: Iterable[Discount], code: int | None
) -> Choice:
    """Return the discount for these lines, out of those that `offered` returned.

    `code` is the key of the basket's code. It counts if it saves more than each
    discount that needs no code.
    """
    goods = pricing.goods_of((line.variant.price, line.quantity) for line in lines)
    own = None
    best, saving = None, Decimal(0)
    for discount in sorted(discounts, key=lambda each: (bool(each.code), each.pk)):
        if discount.code and discount.pk != code:
            continue
        own = discount if discount.code else own
        if problem_of(discount, goods) is None:
            saved = saving_of(discount, goods)
            if saved > saving:
                best, saving = discount, saved
    if own is None or own is best:
        return Choice(best, own)
    return Choice(best, own, problem_of(own, goods) or Problem.NOT_BETTER)


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

"""Rows of baskets and their lines, by queries that are compiled once.

Pages on the way to an order read these several times.
"""

from django.db.models import Subquery

from products.live.viewers import Owner
from products.models import Basket, BasketLine, RulesVersion, Variant
from project.prepared import Prepared

_LOCKED = Prepared(lambda pk: Basket.objects.select_for_update().filter(pk=pk), int)
_OPEN_OF_USER = Prepared(
    lambda pk: Basket.objects.open().select_for_update().filter(user=pk), int
)
_OPEN_OF_TOKEN = Prepared(
    lambda token: Basket.objects.open()
    .select_for_update()
    .filter(user=None, token=token),
    str,
)
_ONE_OF_USER = Prepared(
    lambda user, pk: Basket.objects.filter(user=user, pk=pk), int, int
)
_ONE_OF_TOKEN = Prepared(
    lambda token, pk: Basket.objects.filter(user=None, token=token, pk=pk), str, int
)
_NEWEST_OF_USER = Prepared(
    lambda pk: Basket.objects.filter(user=pk).order_by("-version")[:1], int
)
_NEWEST_OF_TOKEN = Prepared(
    lambda token: Basket.objects.filter(user=None, token=token).order_by("-version")[
        :1
    ],
    str,
)
_FOR_SALE = Prepared(
    lambda pk: Variant.objects.for_sale().with_stock().filter(pk=pk), int
)
_LINES: Prepared[BasketLine] = Prepared(
    lambda pk: BasketLine.objects.filter(basket=pk)
    .select_related("variant__product", "variant__stock")
    .annotate(rules=Subquery(RulesVersion.objects.values("version")[:1]))
    .order_by("pk"),
    int,
)


def locked(pk: int) -> Basket | None:
    """Return a basket, locked."""
    return _LOCKED.first(pk)


def open_of(owner: Owner) -> Basket | None:
    """Return an owner's open basket, locked."""
    return _of(owner, _OPEN_OF_USER, _OPEN_OF_TOKEN)


def one_of(owner: Owner, pk: int) -> Basket | None:
    """Return a basket if it is the owner's."""
    return _of(owner, _ONE_OF_USER, _ONE_OF_TOKEN, pk)


def newest_of(owner: Owner) -> Basket | None:
    """Return an owner's newest basket, open or not. Its version is the highest."""
    return _of(owner, _NEWEST_OF_USER, _NEWEST_OF_TOKEN)


def _of(
    owner: Owner, of_user: Prepared[Basket], of_token: Prepared[Basket], *more: int
) -> Basket | None:
    if owner.user_id:
        return of_user.first(owner.user_id, *more)
    return of_token.first(owner.token, *more) if owner.token else None


def variant_for_sale(pk: int) -> Variant | None:
    """Return a variant that is sold, with its product and stock."""
    return _FOR_SALE.first(pk)


def lines(basket: Basket) -> list[BasketLine]:
    """Return a basket's lines with variant, product and stock, in their order.

    Each has the version of the pricing rules as `rules`, which was read no later.
    """
    rows = _LINES.rows(basket.pk)
    for line in rows:
        line.basket = basket
    return rows


def has_lines(basket: Basket) -> bool:
    """Return whether a basket is open and something is in it."""
    return basket.status == Basket.Status.OPEN and bool(lines(basket))


def version_of(rows: list[BasketLine]) -> str | None:
    """Return the version of the pricing rules that was read with lines."""
    version = getattr(rows[0], "rules", None) if rows else None
    return str(version) if version else None

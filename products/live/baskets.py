"""Loads the states of basket topics: the badge, the lines and the hold."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet

from products.basket import reading
from products.live.viewers import Owner
from products.models import Basket, BasketLine, VatNumber
from products.pricing import baskets as pricing
from products.pricing import discounts, rules
from products.pricing.baskets import PricedLine, todays_rates
from products.pricing.discounts import Offered
from products.pricing.tax import Rate
from products.shipping import services as shipping
from products.shipping.offers import Zone
from realtime.registry import State

EMPTY_BASKET = {"count": 0, "total": "0.00"}
NO_LINES = {
    "count": 0,
    "limit": settings.BASKET_LINE_LIMIT,
    "lines": [],
    "value": "0.00",
    **pricing.price_items([], {}).sums.facts,
    "delivery": None,
    "code": None,
}


def _owned_by(owners: Iterable[Owner]) -> Q:
    owners = list(owners)
    return Q(user_id__in=[o.user_id for o in owners if o.user_id]) | Q(
        user_id=None, token__in=[o.token for o in owners if o.token]
    )


def _latest(owners: Iterable[Owner]) -> QuerySet[Basket]:
    """The newest basket of each owner, open or not. A new basket continues its owner's
    versions, so the newest one has the highest."""
    return (
        Basket.objects.filter(_owned_by(owners))
        .order_by("user_id", "token", "-version")
        .distinct("user_id", "token")
    )


def owner_of_row(user_id: int | None, token: str | None) -> Owner:
    """The owner of a basket. Its token counts only if it belongs to no account."""
    return Owner(user_id=user_id) if user_id else Owner(token=token)


def owner_of_basket(basket: Basket) -> Owner:
    return owner_of_row(basket.user_id, basket.token)


def summary(owner: Owner) -> State:
    """The state of `owner`'s topic "basket", with one query if there is an owner."""
    return summaries([owner]).get(owner, State(0, EMPTY_BASKET))


# The units in each owner's newest basket, as in `_latest`, and the prices and units of
# the variants that are for sale. Written as SQL because Django takes 1.4 ms to build
# it, for each page that opens.
SUMMARIES = """
WITH latest AS (
    SELECT DISTINCT ON (user_id, token) id, user_id, token, version, status
    FROM products_basket
    WHERE user_id = ANY(%s) OR (user_id IS NULL AND token = ANY(%s))
    ORDER BY user_id, token, version DESC
)
SELECT latest.user_id, latest.token, latest.version, latest.status,
       sum(line.quantity),
       array_agg(variant.price) FILTER (WHERE variant.is_active AND product.is_active),
       array_agg(line.quantity) FILTER (WHERE variant.is_active AND product.is_active)
FROM latest
LEFT JOIN products_basketline line ON line.basket_id = latest.id
LEFT JOIN products_variant variant ON variant.id = line.variant_id
LEFT JOIN products_product product ON product.id = variant.product_id
GROUP BY latest.id, latest.user_id, latest.token, latest.version, latest.status
"""


def summaries(owners: Iterable[Owner]) -> dict[Owner, State]:
    """The number of units in each owner's open basket, and the price of the goods."""
    owners = [owner for owner in owners if owner]
    if not owners:
        return {}
    users = [o.user_id for o in owners if o.user_id]
    tokens = [o.token for o in owners if o.token]
    with connection.cursor() as cursor:
        cursor.execute(SUMMARIES, [users, tokens])
        rows = cursor.fetchall()
    states = {}
    for user_id, token, version, status, count, prices, quantities in rows:
        facts = EMPTY_BASKET
        if status == Basket.Status.OPEN and count:
            goods = pricing.goods_of(zip(prices or (), quantities or ()))
            facts = {"count": count, "total": f"{goods:.2f}"}
        states[owner_of_row(user_id, token)] = State(version, facts)
    return states


NO_HOLD = {"until": None}


def all_holds(owners: Iterable[Owner]) -> dict[Owner, State]:
    """When each owner's hold ends (ISO 8601), if there is one."""
    return {owner_of_basket(basket): hold_of(basket) for basket in _latest(owners)}


def hold(owner: Owner) -> State:
    """The state of `owner`'s topic "basket:hold", with one query."""
    basket = reading.newest_of(owner)
    return hold_of(basket) if basket else State(0, NO_HOLD)


def contents(owner: Owner) -> State:
    """The state of `owner`'s topic "basket:lines", with two queries."""
    basket = reading.newest_of(owner)
    if basket is None:
        return State(0, NO_LINES)
    is_open = basket.status == Basket.Status.OPEN
    return contents_of(basket, reading.lines(basket) if is_open else [])


def contents_of(basket: Basket, lines: list[BasketLine]) -> State:
    """The same of an open basket and its lines, as `reading` gives them."""
    version = reading.version_of(lines) or rules.current_version()
    return _states([basket], {basket.pk: lines}, version)[owner_of_basket(basket)]


def hold_of(basket: Basket) -> State:
    """The state of the topic "basket:hold" of a basket's owner."""
    until = basket.held_until
    facts = {"until": until.isoformat()} if until else NO_HOLD
    return State(basket.version, facts)


def all_contents(owners: Iterable[Owner]) -> dict[Owner, State]:
    """The lines of each owner's open basket, with current prices and stock."""
    owners = [owner for owner in owners if owner]
    if not owners:
        return {}
    # Query the versions first. A change in between is then shown with its old version,
    # and its push corrects that. The other way round, it would stay wrong.
    baskets = list(_latest(owners))
    lines = defaultdict(list)
    open_baskets = [b.pk for b in baskets if b.status == Basket.Status.OPEN]
    rows = BasketLine.objects.filter(basket__in=open_baskets)
    for line in rows.select_related("variant__product", "variant__stock").order_by(
        "pk"
    ):
        lines[line.basket_id].append(line)
    return _states(baskets, lines, rules.current_version())


def _states(
    baskets: Collection[Basket],
    lines: Mapping[int, list[BasketLine]],
    version: str | None,
) -> dict[Owner, State]:
    places = dict(zip(baskets, _tax_places(baskets), strict=True))
    rates = {
        (country, number): todays_rates(country, version, vat_number=number)
        for country, number in {*places.values()}
    }
    codes = [basket.discount_id for basket in baskets]
    now = _Rules(
        version,
        shipping.zones(version) if lines else [],
        discounts.offered(codes, [*chain(*lines.values())], version),
    )
    return {
        owner_of_basket(basket): _contents_of(
            basket, lines.get(basket.pk, []), rates[places[basket]], now
        )
        for basket in baskets
    }


def _tax_places(baskets: Iterable[Basket]) -> list[tuple[str, str]]:
    """Return the country of each basket, and its VAT number if that is accepted."""
    business = [basket for basket in baskets if basket.user_id and basket.vat_number]
    accepted: set[tuple[int | None, str]] = set()
    if business:
        numbers = VatNumber.objects.accepted().filter(
            user__in=[basket.user_id for basket in business],
            number__in=[basket.vat_number for basket in business],
        )
        accepted = set(numbers.values_list("user", "number"))
    return [
        (str(b.country), b.vat_number if (b.user_id, b.vat_number) in accepted else "")
        for b in baskets
    ]


class _Rules(NamedTuple):
    """What all baskets are priced by, apart from taxes."""

    version: str | None
    zones: list[Zone]
    offered: Offered


def _contents_of(
    basket: Basket, lines: list[BasketLine], rates: dict[str, Rate], now: _Rules
) -> State:
    for_sale = [line for line in lines if line.variant.is_for_sale]
    place = shipping.place_of(basket)
    choice = discounts.choose(for_sale, now.offered, basket.discount_id)
    priced, delivery = shipping.price(
        for_sale, rates, now.zones, place, choice, now.version
    )
    prices = {
        line.pk: price for line, price in zip(for_sale, priced.lines, strict=True)
    }
    return State(
        basket.version,
        {
            "count": sum(line.quantity for line in lines),
            "limit": settings.BASKET_LINE_LIMIT,
            "lines": [
                _line_facts(
                    line, prices.get(line.pk) or _last_price(line), _was(line, rates)
                )
                for line in lines
            ],
            "value": f"{_value(for_sale):.2f}",
            **priced.sums.facts,
            "delivery": shipping.facts(delivery) if for_sale else None,
            "code": choice.facts,
        },
    )


def _value(lines: Iterable[BasketLine]) -> Decimal:
    """Return the price of the goods, as `summaries` does, for the badge."""
    return pricing.goods_of((line.variant.price, line.quantity) for line in lines)


def _last_price(line: BasketLine) -> PricedLine:
    """What a line cost when it was added. Its variant is not for sale any more."""
    item = pricing.item(line)._replace(price=line.price_when_added)
    return pricing.price_items([item], {}).lines[0]


def _was(line: BasketLine, rates: dict[str, Rate]) -> str | None:
    """Return the price for which a line was added, if its variant has another now."""
    item = pricing.item(line)
    if item.price == line.price_when_added or not line.variant.is_for_sale:
        return None
    then = item._replace(price=line.price_when_added)
    return f"{pricing.price_items([then], rates).lines[0].price:.2f}"


def _line_facts(
    line: BasketLine, priced: PricedLine, was: str | None
) -> dict[str, Any]:
    variant = line.variant
    return {
        "variant": variant.pk,
        "name": variant.name,
        "url": variant.get_absolute_url(),
        "image": variant.thumbnail,
        "quantity": line.quantity,
        "held": line.held > 0,
        **({"ships_from": day.isoformat()} if (day := line.promised) else {}),
        "was": was,
        **priced.facts,
        "stock": variant.stock_facts,
        "stock_version": variant.stock.version,
    }

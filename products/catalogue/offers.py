"""Offers: what pages show of a product's variants, read with it in one query."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Self
from urllib.parse import urlencode

from django.conf import settings

from products.pricing.models import Prices

VARIANT = "variant"  # the parameter of a product's address that chooses one


def variant_address(page: str, sku: str) -> str:
    """Return the address of a product's page with this variant chosen."""
    return f"{page}?{urlencode({VARIANT: sku})}"


def stock_facts(
    *,
    variant_id: int,
    left: int,
    prices: Prices,
    is_for_sale: bool,
    backorder_limit: int = 0,
    ships_from: date | None = None,
) -> dict:
    """Return the public facts of a variant's offer, ready for JSON.

    In: `left`, the units on hand that nobody has reserved, and how many more are sold
    before they are here.

    `available` is how many units can be ordered. `state` is "in", "low" (at most
    `settings.LOW_STOCK`), "preorder", "out" or "gone" (not sold). If units are sold
    before they are here, `now` of them are, and the others ship from `ships_from`.
    Prices are those of `Prices.facts`. A variant that isn't for sale has no units and
    no price, because one that isn't sold yet must not reveal them.
    """
    if not is_for_sale:
        return {
            "variant": variant_id,
            "available": 0,
            "state": "gone",
            "price": None,
        }
    facts = {
        "variant": variant_id,
        "available": left + backorder_limit,
        "state": _state(left, backorder_limit),
        **prices.facts,
    }
    if backorder_limit and ships_from and facts["state"] != "out":
        facts |= {"now": max(left, 0), "ships_from": ships_from.isoformat()}
    return facts


def _state(left: int, backorder_limit: int) -> str:
    if left + backorder_limit <= 0:
        return "out"
    if left <= 0:
        return "preorder"
    return "low" if left <= settings.LOW_STOCK else "in"


class Offer(NamedTuple):
    """A variant as pages show it: what it costs, and how many units are left."""

    variant: int
    sku: str
    option_values: list[str]
    is_for_sale: bool
    drop: str | None  # the slug of the drop that sells it
    on_hand: int
    reserved: int
    version: int  # of the stock
    backorder_limit: int
    ships_from: date | None
    prices: Prices

    @classmethod
    def read(cls, row: list, is_sold: bool) -> Self:
        """Return the offer in a row of `with_offers`. `is_sold`: the product is."""
        *offer, price, full_price, prior_price, until = row
        variant, sku, option_values, is_active, drop, *stock, ships_from = offer
        day = ships_from and date.fromisoformat(ships_from)
        prices = Prices(
            Decimal(price),
            full_price and Decimal(full_price),
            prior_price and Decimal(prior_price),
            until and datetime.fromisoformat(until),
        )
        is_for_sale = is_active and is_sold
        about = [variant, sku, option_values, is_for_sale, drop]
        return cls._make([*about, *stock, day, prices])

    @property
    def price(self) -> Decimal:
        return self.prices.price

    @property
    def is_available(self) -> bool:
        """Whether it is for sale with units that can be ordered."""
        return self.is_for_sale and self.on_hand + self.backorder_limit > self.reserved

    @property
    def facts(self) -> dict:
        """The facts of the variant's live topic, for its partial."""
        return stock_facts(
            variant_id=self.variant,
            left=self.on_hand - self.reserved,
            backorder_limit=self.backorder_limit,
            ships_from=self.ships_from,
            prices=self.prices,
            is_for_sale=self.is_for_sale,
        )

"""Offers: what pages show of a product's variants, read with it in one query."""

from datetime import datetime
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
    *, variant_id: int, available: int, prices: Prices, is_for_sale: bool
) -> dict:
    """Return the public facts of a variant's offer, ready for JSON.

    `state` is "in", "low" (at most `settings.LOW_STOCK`), "out" or "gone" (not sold).
    Prices are those of `Prices.facts`. A variant that isn't for sale has no units and
    no price, because one that isn't sold yet must not reveal them.
    """
    price_facts = prices.facts
    if not is_for_sale:
        available, state, price_facts = 0, "gone", {"price": None}
    elif available <= 0:
        state = "out"
    else:
        state = "low" if available <= settings.LOW_STOCK else "in"
    return {
        "variant": variant_id,
        "available": available,
        "state": state,
        **price_facts,
    }


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
    prices: Prices

    @classmethod
    def read(cls, row: list, is_sold: bool) -> Self:
        """Return the offer in a row of `with_offers`. `is_sold`: the product is."""
        *offer, price, full_price, prior_price, until = row
        variant, sku, option_values, is_active, drop, *stock = offer
        prices = Prices(
            Decimal(price),
            full_price and Decimal(full_price),
            prior_price and Decimal(prior_price),
            until and datetime.fromisoformat(until),
        )
        is_for_sale = is_active and is_sold
        about = [variant, sku, option_values, is_for_sale, drop]
        return cls._make([*about, *stock, prices])

    @property
    def price(self) -> Decimal:
        return self.prices.price

    @property
    def is_available(self) -> bool:
        """Whether it is for sale with units left that nobody has reserved."""
        return self.is_for_sale and self.on_hand > self.reserved

    @property
    def facts(self) -> dict:
        """The facts of the variant's live topic, for its partial."""
        return stock_facts(
            variant_id=self.variant,
            available=self.on_hand - self.reserved,
            prices=self.prices,
            is_for_sale=self.is_for_sale,
        )

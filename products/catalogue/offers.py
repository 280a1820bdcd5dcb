"""Offers: what pages show of a product's variants, read with it in one query."""

from decimal import Decimal
from typing import NamedTuple, Self

from django.conf import settings


def stock_facts(
    *, variant_id: int, available: int, price: Decimal, is_for_sale: bool
) -> dict:
    """Return the public facts of a variant's offer, ready for JSON.

    `state` is "in", "low" (at most `settings.LOW_STOCK`), "out" or "gone" (not sold).
    `price` is a decimal string. A variant that isn't for sale has no units and no
    price, because one that isn't sold yet must not reveal them.
    """
    shown_price: str | None = f"{price:.2f}"
    if not is_for_sale:
        available, state, shown_price = 0, "gone", None
    elif available <= 0:
        state = "out"
    else:
        state = "low" if available <= settings.LOW_STOCK else "in"
    return {
        "variant": variant_id,
        "available": available,
        "state": state,
        "price": shown_price,
    }


class Offer(NamedTuple):
    """A variant as pages show it: what it costs, and how many units are left."""

    variant: int
    sku: str
    option_values: list[str]
    price: Decimal
    is_for_sale: bool
    on_hand: int
    reserved: int
    version: int  # of the stock

    @classmethod
    def read(cls, row: list, is_sold: bool) -> Self:
        """Return the offer in a row of `with_offers`. `is_sold`: the product is."""
        variant, sku, option_values, price, is_active, *stock = row
        is_for_sale = is_active and is_sold
        return cls(variant, sku, option_values, Decimal(price), is_for_sale, *stock)

    @property
    def facts(self) -> dict:
        """The facts of the variant's live topic, for its partial."""
        return stock_facts(
            variant_id=self.variant,
            available=self.on_hand - self.reserved,
            price=self.price,
            is_for_sale=self.is_for_sale,
        )

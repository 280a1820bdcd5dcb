"""Pushes changes to open pages once the transaction commits.

Services call this. No other module of the shop publishes.
"""

from datetime import date

from django.db import transaction

from products.catalogue.offers import stock_facts
from products.live.baskets import owner_of_basket
from products.models import Basket, Drop, Order, Prices
from realtime.publish import publish
from realtime.registry import AT_LEAST


def stock_changed(
    *,
    variant_id: int,
    on_hand: int,
    reserved: int,
    version: int,
    backorder_limit: int,
    ships_from: date | None,
    prices: Prices,
    is_for_sale: bool,
) -> None:
    """Push a variant's new stock, price or activity once the transaction commits."""
    facts = stock_facts(
        variant_id=variant_id,
        left=on_hand - reserved,
        backorder_limit=backorder_limit,
        ships_from=ships_from,
        prices=prices,
        is_for_sale=is_for_sale,
    )

    def push() -> None:
        publish(f"stock:{variant_id}", version=version, facts=facts)
        # Hints without facts, as few staff watch these topics, and often nobody does.
        publish(f"shelf:{variant_id}", version=version)
        publish("shelves:", version=AT_LEAST)

    transaction.on_commit(push)


def order_changed(order: Order) -> None:
    """Push an order to its page and to boards, once the transaction commits."""
    token, version = order.access_token, order.version

    def push() -> None:
        publish(f"order:{token}", version=version)
        publish("orders:", version=AT_LEAST)
        publish("board:", version=AT_LEAST)

    transaction.on_commit(push)


def basket_changed(basket: Basket) -> None:
    """Push a basket to its owner once the transaction commits.

    The push is a hint without facts: these take long to load, and often nobody watches.
    """
    owner, version = owner_of_basket(basket), basket.version

    def push() -> None:
        publish(f"basket:{owner.key}", version=version)
        publish(f"basket:lines:{owner.key}", version=version)
        publish(f"basket:hold:{owner.key}", version=version)

    transaction.on_commit(push)


def drop_changed(drop: Drop) -> None:
    """Push a drop to everybody in its room once the transaction commits."""
    pk, version, facts = drop.pk, drop.version, drop.facts

    def push() -> None:
        publish(f"drop:{pk}", version=version, facts=facts)

    transaction.on_commit(push)

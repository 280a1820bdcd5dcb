"""The shop's kinds of topic: who may watch them, how they are loaded and rendered."""

import re

from products.live.baskets import (
    EMPTY_BASKET,
    NO_HOLD,
    NO_LINES,
    all_contents,
    all_holds,
    summaries,
)
from products.live.loaders import (
    basket_versions,
    by_owner,
    drop_versions,
    load_board,
    load_drops,
    load_order,
    load_orders,
    load_pulse,
    load_shelf,
    load_shelves,
    load_stock,
    order_versions,
    orders_version,
    pulse_version,
    shelves_version,
    stock_versions,
)
from realtime.registry import PERSONAL, PUBLIC, Access, TopicKind

TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


def _is_number(text: str) -> bool:
    """Whether `text` is the one way to write some row's key."""
    is_digits = text.isascii() and text.isdigit() and len(text) < 19
    return is_digits and text[0] != "0"


def _is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


KINDS = {
    "stock": TopicKind(
        "products/_stock.html",
        "stock",
        PUBLIC,
        load_stock,
        stock_versions,
        accepts=_is_number,
    ),
    "drop": TopicKind(
        "drops/_room.html",
        "drop",
        PUBLIC,
        load_drops,
        drop_versions,
        accepts=_is_number,
    ),
    "shelf": TopicKind(
        "products/_shelf.html",
        "shelf",
        Access(right="products.view_stock"),
        load_shelf,
        stock_versions,
        accepts=_is_number,
    ),
    "shelves": TopicKind(
        "staff/_shelves.html",
        "shelves",
        Access(right="products.view_stock"),
        load_shelves,
        shelves_version,
    ),
    "order": TopicKind(
        "orders/_status.html",
        "order",
        PUBLIC,
        load_order,
        order_versions,
        accepts=_is_token,
    ),
    "orders": TopicKind(
        "staff/_counts.html",
        "orders",
        Access(right="products.view_order"),
        load_orders,
        orders_version,
    ),
    "board": TopicKind(
        "staff/_moves.html",
        "board",
        Access(right="products.view_order"),
        load_board,
        orders_version,
    ),
    "pulse": TopicKind(
        "staff/_pulse.html",
        "pulse",
        Access(right="products.view_order"),
        load_pulse,
        pulse_version,
    ),
    "basket": TopicKind(
        "products/_basket_badge.html",
        "basket",
        PERSONAL,
        by_owner(summaries, EMPTY_BASKET),
        basket_versions,
        empty=EMPTY_BASKET,
    ),
    "basket:hold": TopicKind(
        "orders/_hold.html",
        "hold",
        PERSONAL,
        by_owner(all_holds, NO_HOLD),
        basket_versions,
        empty=NO_HOLD,
    ),
    "basket:lines": TopicKind(
        "products/_basket_lines.html",
        "basket",
        PERSONAL,
        by_owner(all_contents, NO_LINES),
        basket_versions,
        empty=NO_LINES,
    ),
}

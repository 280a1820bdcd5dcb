"""What is live in the shop: topics, who may watch them, their state and their HTML.

A topic is a named piece of state. Its *name* is what pages and sockets say ("stock:42",
"basket"); its *key* is where it is kept ("stock:42", "basket:u7"): a personal topic's
key comes from the session, never from the client.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import connection, transaction
from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.template.loader import get_template, render_to_string
from django.template.loader_tags import IncludeNode
from django.urls import reverse
from django.utils import formats, translation

from products import columns, moves, vitals
from products.models import Basket, BasketLine, Order, Stock
from products.models.stock import stock_facts

# The live part knows the shop through this module alone.
from products.viewers import (  # noqa: F401
    BASKET_TOKEN,
    NOBODY,
    STRANGER,
    Ended,
    Identity,
    Owner,
    Viewer,
    compare,
    doubtful,
    identify,
    owner_of,
)
from realtime import pulse
from realtime.publish import publish


@dataclass(frozen=True, slots=True)
class State:
    """A topic at one moment: `facts` is JSON-ready and `version` only ever grows."""

    version: int
    facts: dict
    shown: dict | None = None  # what the partial needs beyond the facts; stays here


SHORT_SHELVES = 50  # that are shown to staff
NAMES_KEPT = 10_000  # of topics that were asked for, with what was found out of them
TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
# Of a topic whose version takes a query: "newer than whatever you have, look it up".
AT_LEAST = 2**53
PULSE = "pulse:"  # the key of what the pulse page shows


def timeline() -> str:
    """Return the name of the timeline that versions count on, as it is now. Another
    one says that the database may have gone back to an earlier state."""
    connection.ensure_connection()
    return connection.read_timeline()


# --- Baskets, as facts ------------------------------------------------------------

EMPTY_BASKET = {"count": 0, "total": "0.00"}
NO_LINES = EMPTY_BASKET | {"limit": settings.BASKET_LINE_LIMIT, "lines": []}


def _owned_by(owners: Iterable[Owner]) -> Q:
    owners = list(owners)
    return Q(user_id__in=[o.user_id for o in owners if o.user_id]) | Q(
        user_id=None, token__in=[o.token for o in owners if o.token]
    )


def _latest(owners: Iterable[Owner]) -> QuerySet[Basket]:
    """The newest basket of each owner. A new one goes on counting its owner's
    versions, so the newest has the highest, whether it is open or not."""
    return (
        Basket.objects.filter(_owned_by(owners))
        .order_by("user_id", "token", "-version")
        .distinct("user_id", "token")
    )


def _owner(user_id: int | None, token: str | None) -> Owner:
    """Of a basket: its token counts only while it is nobody's in particular."""
    return Owner(user_id=user_id) if user_id else Owner(token=token)


def _owner_of(basket: Basket) -> Owner:
    return _owner(basket.user_id, basket.token)


def summary(owner: Owner) -> State:
    """The state of `owner`'s topic "basket" in one query; none for nobody."""
    return summaries([owner]).get(owner, State(0, EMPTY_BASKET))


# Of the newest basket of each owner, as `_latest` finds it. Written out: Django would
# take 1.4 ms to put it together each time, and who opens a page asks for it.
SUMMARIES = """
WITH latest AS (
    SELECT DISTINCT ON (user_id, token) id, user_id, token, version, status
    FROM products_basket
    WHERE user_id = ANY(%s) OR (user_id IS NULL AND token = ANY(%s))
    ORDER BY user_id, token, version DESC
)
SELECT latest.user_id, latest.token, latest.version, latest.status,
       sum(line.quantity),
       sum(line.quantity * product.price) FILTER (WHERE product.is_active)
FROM latest
LEFT JOIN products_basketline line ON line.basket_id = latest.id
LEFT JOIN products_product product ON product.id = line.product_id
GROUP BY latest.id, latest.user_id, latest.token, latest.version, latest.status
"""


def summaries(owners: Iterable[Owner]) -> dict[Owner, State]:
    """Number of units and total price of each owner's open basket."""
    owners = [owner for owner in owners if owner]
    if not owners:
        return {}
    users = [o.user_id for o in owners if o.user_id]
    tokens = [o.token for o in owners if o.token]
    with connection.cursor() as cursor:
        cursor.execute(SUMMARIES, [users, tokens])
        rows = cursor.fetchall()
    states = {}
    for user_id, token, version, status, count, total in rows:
        is_open = status == Basket.Status.OPEN and count
        facts = (
            {"count": count, "total": f"{total or 0:.2f}"} if is_open else EMPTY_BASKET
        )
        states[_owner(user_id, token)] = State(version, facts)
    return states


NO_HOLD = {"until": None}


def all_holds(owners: Iterable[Owner]) -> dict[Owner, State]:
    """Until when each owner's checkout holds its units (ISO 8601), if it does."""
    states = {}
    for basket in _latest(owners):
        until = basket.held_until
        facts = {"until": until.isoformat()} if until else NO_HOLD
        states[_owner_of(basket)] = State(basket.version, facts)
    return states


def contents(owner: Owner) -> State:
    """The state of `owner`'s topic "basket:lines" in two queries."""
    return all_contents([owner]).get(owner, State(0, NO_LINES))


def all_contents(owners: Iterable[Owner]) -> dict[Owner, State]:
    """Every line of each owner's open basket, with price and stock as they are now."""
    owners = [owner for owner in owners if owner]
    if not owners:
        return {}
    # Versions first: a change in between is seen with its old version, and the push
    # that follows it puts that right; the other way round it would stay wrong.
    baskets = list(_latest(owners))
    lines = defaultdict(list)
    is_open = [b.pk for b in baskets if b.status == Basket.Status.OPEN]
    found = BasketLine.objects.filter(basket__in=is_open)
    for line in found.select_related("product__stock").order_by("pk"):
        lines[line.basket_id].append(line)
    return {
        _owner_of(basket): _contents_of(lines[basket.pk], version=basket.version)
        for basket in baskets
    }


def _contents_of(lines: list[BasketLine], *, version: int) -> State:
    rows = [_line_facts(line) for line in lines]
    total = sum(
        (
            line.quantity * line.product.price
            for line in lines
            if line.product.is_active
        ),
        Decimal("0.00"),
    )
    return State(
        version,
        {
            "count": sum(line.quantity for line in lines),
            "total": f"{total:.2f}",
            "limit": settings.BASKET_LINE_LIMIT,
            "lines": rows,
        },
    )


def _line_facts(line: BasketLine) -> dict:
    product = line.product
    # What isn't on sale has no price now: its line keeps the one that was shown.
    price = product.price if product.is_active else line.price_when_added
    changed = line.price_when_added != price
    return {
        "product": product.pk,
        "name": product.name,
        "url": product.get_absolute_url(),
        "image": product.image_small.url if product.image else "",
        "quantity": line.quantity,
        "held": line.held > 0,
        "price": f"{price:.2f}",
        "was": f"{line.price_when_added:.2f}" if changed else None,
        "line_total": f"{line.quantity * price:.2f}",
        "stock": product.stock_facts,
        "stock_version": product.stock.version,
    }


# --- Kinds of topic ---------------------------------------------------------------


def _load_stock(ids: list[str]) -> dict[str, State]:
    rows = Stock.objects.filter(pk__in=[int(i) for i in ids]).select_related("product")
    return {str(row.pk): State(row.version, row.product.stock_facts) for row in rows}


# A process compares thousands of versions every few seconds. As one array they cost a
# fifth of what they cost as so many parameters, which is how Django writes `__in`.
STOCK_VERSIONS = """
SELECT product_id, version FROM products_stock WHERE product_id = ANY(%s)
"""
BASKET_VERSIONS = """
SELECT DISTINCT ON (user_id, token) user_id, token, version FROM products_basket
WHERE user_id = ANY(%s::bigint[]) OR user_id IS NULL AND token = ANY(%s::text[])
ORDER BY user_id, token, version DESC
"""


def _stock_versions(ids: list[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(STOCK_VERSIONS, [[int(i) for i in ids]])
        return {str(pk): version for pk, version in cursor}


def _load_shelf(ids: list[str]) -> dict[str, State]:
    rows = Stock.objects.filter(pk__in=[int(i) for i in ids])
    return {str(row.pk): State(row.version, row.shelf_facts) for row in rows}


def _load_shelves(ids: list[str]) -> dict[str, State]:
    """What is low and what is out, for staff; of many the shortest. The sum of all
    versions is a version: it grows with each, and products with movements stay."""
    left = F("on_hand") - F("reserved")
    is_short = Q(product__is_active=True, left__lte=settings.LOW_STOCK)
    stocks = Stock.objects.annotate(left=left)
    out = Count("pk", filter=is_short & Q(left=0))
    low = Count("pk", filter=is_short & ~Q(left=0))
    facts = stocks.aggregate(version=Sum("version"), low=low, out=out)
    version = facts.pop("version") or 0
    rows = stocks.filter(is_short).select_related("product")
    rows = rows.order_by("left", "product__name", "pk")[:SHORT_SHELVES]
    facts["products"] = [
        {"product": row.pk, "name": row.product.name, "available": row.available}
        for row in (rows if facts["low"] or facts["out"] else ())
    ]
    return {"": State(version, facts)}


def _shelves_version(ids: list[str]) -> dict[str, int]:
    return {"": Stock.objects.aggregate(all=Sum("version"))["all"] or 0}


def _load_orders(ids: list[str]) -> dict[str, State]:
    """How many orders there are of each status that is somebody's work."""
    version = _orders_version(ids)[""]
    counted = Order.objects.active().values_list("status").annotate(Count("pk"))
    newest = Order.objects.order_by("-pk").values_list("number", flat=True).first()
    facts = {"counts": dict(counted.order_by()), "newest": newest}
    return {"": State(version, facts)}


def _orders_version(ids: list[str]) -> dict[str, int]:
    """The newest event's key and the number of events among the keys before it: see
    `moves.late_events`."""
    sums = moves.late_events().aggregate(newest=Max("pk"), late=Count("pk"))
    return {"": (sums["newest"] or 0) + sums["late"]}


def _load_board(ids: list[str]) -> dict[str, State]:
    """The cards that moved lately, those that take the places of who left, and the
    numbers of all: what an open board needs."""
    moved, counts = moves.recent.look(), columns.counted()
    coming = moves.coming(counts, moved.orders)
    numbers = {column: [o.number for o in orders] for column, orders in coming.items()}
    facts = moved.facts | {"counts": counts, "coming": numbers}
    cards = {o.number: o for orders in coming.values() for o in orders}
    cards |= {order.number: order for order in moved.orders}
    return {"": State(moved.version, facts, {"cards": cards.values()})}


def _load_pulse(ids: list[str]) -> dict[str, State]:
    """How the processes do that serve sockets. It is in no database: the hub asks for
    it anew as long as somebody looks."""
    parts = [vitals.Part(process) for process in pulse.everybody()]
    facts = {"processes": [part.facts for part in parts]}
    return {"": State(pulse.version(), facts, {"parts": parts})}


def _pulse_version(ids: list[str]) -> dict[str, int]:
    """None to compare with: nothing of it can be lost."""
    return {}


def _load_order(tokens: list[str]) -> dict[str, State]:
    found = Order.objects.filter(access_token__in=tokens)
    orders = found.prefetch_related("lines", "payments")
    return {order.access_token: State(order.version, order.facts) for order in orders}


def _order_versions(tokens: list[str]) -> dict[str, int]:
    orders = Order.objects.filter(access_token__in=tokens)
    return dict(orders.values_list("access_token", "version"))


def _owner_from(key: str) -> Owner:
    return Owner(user_id=int(key[1:])) if key[0] == "u" else Owner(token=key[1:])


def _by_owner(
    load: Callable[[Iterable[Owner]], dict[Owner, State]], empty: dict
) -> Callable[[list[str]], dict[str, State]]:
    def load_keys(keys: list[str]) -> dict[str, State]:
        owners = {key: _owner_from(key) for key in keys}
        states = load(owners.values())
        return {key: states.get(o, State(0, empty)) for key, o in owners.items()}

    return load_keys


def _basket_versions(keys: list[str]) -> dict[str, int]:
    owners = [_owner_from(key) for key in keys]
    users = [owner.user_id for owner in owners if owner.user_id]
    tokens = [owner.token for owner in owners if owner.token]
    with connection.cursor() as cursor:
        cursor.execute(BASKET_VERSIONS, [users, tokens])
        return {_owner(*ids).key: version for *ids, version in cursor}


class Access(NamedTuple):
    """To whom a kind is open."""

    personal: bool = False  # one for each owner: "basket" is whoever's who asks
    right: str | None = None  # a permission, one of STAFF_RIGHTS


EVERYBODY, OWNERS = Access(), Access(personal=True)


class Kind(NamedTuple):
    """One kind of topic. `load` and `versions` take and give keys without the kind."""

    template: str
    variable: str  # what the template calls the facts
    access: Access
    load: Callable[[list[str]], dict[str, State]]
    versions: Callable[[list[str]], dict[str, int]]
    # What follows the kind in a name ("stock:42"); None: nothing, as there is one.
    accepts: Callable[[str], bool] | None = None
    empty: dict | None = None  # of a personal kind: the facts of who is nobody yet


def _is_number(text: str) -> bool:
    """Whether `text` is how a row's key is written, in one way only."""
    is_digits = text.isascii() and text.isdigit() and len(text) < 19
    return is_digits and text[0] != "0"


def _is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


KINDS = {
    "stock": Kind(
        "products/_stock.html",
        "stock",
        EVERYBODY,
        _load_stock,
        _stock_versions,
        accepts=_is_number,
    ),
    "shelf": Kind(
        "products/_shelf.html",
        "shelf",
        Access(right="products.view_stock"),
        _load_shelf,
        _stock_versions,
        accepts=_is_number,
    ),
    "shelves": Kind(
        "staff/_shelves.html",
        "shelves",
        Access(right="products.view_stock"),
        _load_shelves,
        _shelves_version,
    ),
    "order": Kind(
        "orders/_status.html",
        "order",
        EVERYBODY,
        _load_order,
        _order_versions,
        accepts=_is_token,
    ),
    "orders": Kind(
        "staff/_counts.html",
        "orders",
        Access(right="products.view_order"),
        _load_orders,
        _orders_version,
    ),
    "board": Kind(
        "staff/_moves.html",
        "board",
        Access(right="products.view_order"),
        _load_board,
        _orders_version,
    ),
    "pulse": Kind(
        "staff/_pulse.html",
        "pulse",
        Access(right="products.view_order"),
        _load_pulse,
        _pulse_version,
    ),
    "basket": Kind(
        "products/_basket_badge.html",
        "basket",
        OWNERS,
        _by_owner(summaries, EMPTY_BASKET),
        _basket_versions,
        empty=EMPTY_BASKET,
    ),
    "basket:hold": Kind(
        "orders/_hold.html",
        "hold",
        OWNERS,
        _by_owner(all_holds, NO_HOLD),
        _basket_versions,
        empty=NO_HOLD,
    ),
    "basket:lines": Kind(
        "products/_basket_lines.html",
        "basket",
        OWNERS,
        _by_owner(all_contents, NO_LINES),
        _basket_versions,
        empty=NO_LINES,
    ),
}


def _kind_of(key: str) -> str:
    return key.rpartition(":")[0]


def is_personal(name: str) -> bool:
    """Whether each has a topic of this name for themselves."""
    return name in KINDS and KINDS[name].access.personal


def is_owned(key: str) -> bool:
    """Whether it is the key of somebody's own topic."""
    return KINDS[_kind_of(key)].access.personal


@lru_cache(NAMES_KEPT)
def is_public(name: str) -> bool:
    """Whether it needs no knowledge of who asks to say what `name` stands for."""
    kind = KINDS.get(name) or KINDS.get(name.partition(":")[0])
    return kind is None or kind.access == EVERYBODY


def key_of(name: str, viewer: Viewer) -> str | None:
    """Where the topic `name` is kept for `viewer`; None if there is none for them.

    This is the authorisation: a client can say "basket", never whose; and what is
    closed to a viewer does not exist for them.
    """
    if is_personal(name):
        return f"{name}:{viewer.owner.key}" if viewer.owner else f"{name}:"
    key, right = _shared(name)
    return key if right is None or right in viewer.rights else None


@lru_cache(NAMES_KEPT)
def _shared(name: str) -> tuple[str | None, str | None]:
    """Where a topic that is not personal is kept, and the right to it; None each if
    there is none."""
    name_of_kind, _, identifier = name.partition(":")
    kind = KINDS.get(name_of_kind)
    if kind is None or not _is_name(kind, name, identifier):
        return None, None
    return name if kind.accepts else f"{name}:", kind.access.right


def _is_name(kind: Kind, name: str, identifier: str) -> bool:
    if kind.accepts is None:
        return ":" not in name
    return kind.accepts(identifier)


def name_of(key: str) -> str:
    """The name by which clients know the topic kept under `key`."""
    kind = _kind_of(key)
    return key if KINDS[kind].accepts else kind


def is_nobodys(key: str) -> bool:
    """Whether `key` is the basket of a visitor who has none yet: it never changes."""
    return key.endswith(":") and is_owned(key)


def nobodys(key: str) -> State:
    """The state of a topic for which `is_nobodys` holds."""
    return State(0, KINDS[_kind_of(key)].empty)


def load(keys: Iterable[str]) -> dict[str, State]:
    """The state of each topic from the database; what does not exist is left out."""
    return _each_kind(keys, lambda kind: kind.load)


def versions(keys: Iterable[str]) -> dict[str, int]:
    """The versions alone, cheaper than `load`; what does not exist is left out."""
    return _each_kind(keys, lambda kind: kind.versions)


def _each_kind(keys: Iterable[str], method: Callable) -> dict:
    wanted: Mapping[str, list[str]] = defaultdict(list)
    for key in keys:
        kind, _, identifier = key.rpartition(":")
        wanted[kind].append(identifier)
    return {
        f"{kind}:{identifier}": found
        for kind, identifiers in wanted.items()
        for identifier, found in method(KINDS[kind])(identifiers).items()
    }


def render(key: str, state: State, language: str) -> str:
    """The topic's partial in `language`: the very template that the page includes."""
    kind = KINDS[_kind_of(key)]
    context = {kind.variable: state.facts, "version": state.version}
    context |= state.shown or {}
    with translation.override(language):
        return render_to_string(kind.template, context)


def prepare() -> None:
    """Load now what the first push would load while every socket waits: templates,
    the addresses of pages and of static files, languages. Addresses alone are a fifth
    of a second, as they import every view."""
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            reverse("products:list")
            formats.get_format("DATETIME_FORMAT")
    for kind in KINDS.values():
        _load_template(kind.template)
    staticfiles_storage.base_url  # noqa: B018  it reads its manifest on first use


def _load_template(name: str) -> None:
    """A template and what it includes, which Django would load as it renders it."""
    for node in get_template(name).template.nodelist.get_nodes_by_type(IncludeNode):
        included = node.template.var
        if isinstance(included, str):  # else it depends on the facts
            _load_template(included)


# --- What the services say --------------------------------------------------------


def stock_changed(
    *,
    product_id: int,
    on_hand: int,
    reserved: int,
    version: int,
    price: Decimal,
    is_active: bool,
) -> None:
    """Push a product's new stock, price or activity once the transaction commits."""
    facts = stock_facts(
        product_id=product_id,
        available=on_hand - reserved,
        price=price,
        is_active=is_active,
    )

    def push() -> None:
        publish(f"stock:{product_id}", version=version, facts=facts)
        # For the few who look after the shelves; often nobody does, so only a hint.
        publish(f"shelf:{product_id}", version=version)
        publish("shelves:", version=AT_LEAST)

    transaction.on_commit(push)


def order_changed(order: Order) -> None:
    """Push an order to who looks at it, and boards, once the transaction commits."""
    token, version = order.access_token, order.version

    def push() -> None:
        publish(f"order:{token}", version=version)
        publish("orders:", version=AT_LEAST)
        publish("board:", version=AT_LEAST)

    transaction.on_commit(push)


def basket_changed(basket: Basket) -> None:
    """Push a basket to its owner once the transaction commits.

    Only a hint leaves: lines are heavy, and often nobody has the basket open.
    """
    owner, version = _owner_of(basket), basket.version

    def push() -> None:
        publish(f"basket:{owner.key}", version=version)
        publish(f"basket:lines:{owner.key}", version=version)
        publish(f"basket:hold:{owner.key}", version=version)

    transaction.on_commit(push)

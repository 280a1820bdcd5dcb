"""Limits on what a visitor may hold and order without paying or signing in.

The database counts, under locks: what protects the stock must not depend on Redis. A
visitor's network is their IP address, for IPv6 the /64. A program on this machine has
no network; only the limits of its own basket apply.
"""

import hashlib
import unicodedata
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from products.basket.exceptions import HoldPaused
from products.drops.exceptions import PersonLimit
from products.live.viewers import Owner
from products.models import Basket, BasketLine, HoldSpell, Order, OrderLine
from products.orders import states
from products.orders.exceptions import TooManyOrders
from products.orders.terms import Contact
from project.mail.addresses import mailbox
from project.prepared import Prepared

Method = Order.Method
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Units are reserved for the order, and nobody has paid.
UNPAID = Q(status__in=states.PAY.statuses) | Q(
    status__in=states.RESERVING, method__in=[Method.DELIVERY, Method.FREE]
)
LOCK = 1_937_010_544  # the first half of our advisory locks' keys


class Visitor(NamedTuple):
    """Somebody without an account: their network, and the orders of their session."""

    network: str = ""
    orders: tuple[str, ...] = ()


HERE = Visitor()  # a program on this machine


# --- Holds ------------------------------------------------------------------------


_SPELLS = Prepared(lambda owner: HoldSpell.objects.filter(owner=owner), str)


def begin_hold(
    basket: Basket,
    variants: Collection[int],
    network: str,
    *,
    queued_for: Collection[int] = (),
) -> tuple[datetime, datetime]:
    """Record that the basket's owner holds the variants. Return (since, until).

    Variants that the owner has `queued_for` in a drop are not limited for networks.

    `since` is the moment from which their time counts; `until` is when this hold ends.
    An owner may hold a variant for `HOLD_MINUTES_AT_MOST`, short breaks included. After
    that they must wait for `HOLD_PAUSE_MINUTES`. Raises `HoldPaused`.
    """
    now, owner = timezone.now(), _owner(basket)
    rows = {row.variant_id: row for row in _SPELLS.rows(owner)}
    begun = {
        pk: rows[pk]
        for pk in variants
        if pk in rows and now < rows[pk].until + _pause()
    }
    since = min((row.since for row in begun.values()), default=now)
    if since + _longest() <= now:
        over = [r.until for r in begun.values() if r.since + _longest() <= now]
        raise HoldPaused(max(over) + _pause())
    if network:
        _check_network(network, owner, set(variants) - set(queued_for))
    until = min(now + timedelta(minutes=settings.HOLD_MINUTES), since + _longest())
    HoldSpell.objects.bulk_create(
        [
            HoldSpell(
                owner=owner,
                variant_id=variant,
                network=network,
                since=begun[variant].since if variant in begun else now,
                until=until,
            )
            for variant in sorted(variants)
        ],
        update_conflicts=True,
        unique_fields=["owner", "variant"],
        update_fields=["network", "since", "until"],
    )
    return since, until


def prolong_hold(basket: Basket) -> None:
    """Record that the basket's hold was prolonged, as its row says."""
    variants = basket.lines.values("variant")
    spells = HoldSpell.objects.filter(owner=_owner(basket), variant__in=variants)
    spells.update(until=basket.held_until)


def end_hold(basket: Basket, variants: Iterable[int]) -> None:
    """Forget how long the variants were held, because they were ordered."""
    HoldSpell.objects.filter(owner=_owner(basket), variant__in=variants).delete()


def forget_spells() -> int:
    """Delete rows that no limit counts any more. Return how many."""
    old = timezone.now() - max(HOUR, _pause())
    return HoldSpell.objects.filter(until__lt=old).delete()[0]


def _check_network(network: str, owner: str, variants: Collection[int]) -> None:
    """Raise `HoldPaused` if too many visitors of the network hold one of the variants.

    Visitors count who held it within the last hour and did not order it.
    """
    now, limit = timezone.now(), settings.HOLDS_PER_NETWORK
    others = HoldSpell.objects.filter(
        network=network, variant__in=variants, until__gt=now - HOUR
    ).exclude(owner=owner)
    counted = others.order_by().values("variant").annotate(n=Count("pk"))
    crowded = counted.filter(n__gte=limit or 2**31).annotate(first=Min("until"))
    if firsts := list(crowded.values_list("first", flat=True)):
        raise HoldPaused(max(firsts) + HOUR)


def _owner(basket: Basket) -> str:
    return Owner(basket.user_id, basket.token).key


def _longest() -> timedelta:
    return timedelta(minutes=settings.HOLD_MINUTES_AT_MOST)


def _pause() -> timedelta:
    return timedelta(minutes=settings.HOLD_PAUSE_MINUTES)


# --- Units for each person --------------------------------------------------------


def check_units(
    basket: Basket, lines: Iterable[BasketLine], email: str | None = None
) -> None:
    """Raise `PersonLimit` if the owner would have more of a variant than one may buy.

    Units count that were ordered from the owner's account or session, or with this
    email address. With an address, orders with the same one wait until the caller's
    transaction ends. Without limited variants this takes no query.
    """
    limited = [line for line in lines if line.variant.limit_per_person]
    if not limited:
        return
    person = Q(order__user=basket.user_id) if basket.user_id else Q(pk=None)
    if basket.token:
        person |= Q(order__basket__token=basket.token)
    if email:
        lock_mailbox(email)
        person |= of_mailbox(email, "order__")
    ordered = OrderLine.objects.filter(
        person, variant__in=[v.variant_id for v in limited]
    )
    ordered = ordered.exclude(order__status__in=states.OVER)
    rows = ordered.order_by().values_list("variant").annotate(Sum("quantity"))
    bought = dict(rows)
    for line in limited:
        limit, had = line.variant.limit_per_person, bought.get(line.variant_id, 0)
        if limit and had + line.quantity > limit:
            raise PersonLimit(line.variant.name, limit, had)


def of_mailbox(email: str, prefix: str = "") -> Q:
    """Return the condition for orders with this email address, however it is spelled.

    `prefix` leads to the order.
    """
    key = Q(**{f"{prefix}email_key": email_key(email)})
    return key | Q(**{f"{prefix}email__iexact": email})


def lock_mailbox(email: str) -> None:
    """Let orders with the same email address wait until this transaction ends."""
    lock_keys([email_key(email)])


# --- Orders of guests -------------------------------------------------------------


def marks(contact: Contact, visitor: Visitor) -> dict[str, str]:
    """Return the columns of `Order` by which a guest's order is counted.

    They are {} for an order that was placed on this machine.
    """
    if not visitor.network:
        return {}
    return {
        "network": visitor.network,
        "email_key": email_key(contact.email),
        "address_key": address_key(contact),
    }


def email_key(email: str) -> str:
    """Return one key for all known spellings of the same mailbox."""
    return _digest(mailbox(email))


def address_key(contact: Contact) -> str:
    """Return one key for all spellings of the same postal address.

    Punctuation, case, the width of letters and the encoding of accents do not matter.
    """
    text = f"{contact.line1}|{contact.postcode}|{contact.country}"
    text = unicodedata.normalize("NFKC", text).casefold()
    return _digest("".join(sign for sign in text if sign.isalnum() or sign == "|"))


def check_order(contact: Contact, visitor: Visitor) -> None:
    """Raise `TooManyOrders` if a guest may not place one more order.

    Until the caller's transaction ends, orders with the same address or network wait.
    """
    keys = marks(contact, visitor)
    if not keys:
        return
    lock_keys(keys.values())
    counts = _count(keys, visitor)
    if _any_over(counts, "open"):
        raise TooManyOrders(None)
    if _any_over(counts, "day"):
        raise TooManyOrders(DAY)
    if _any_over(counts, "hour"):
        raise TooManyOrders(HOUR)


def forget_networks() -> int:
    """Delete the network of orders that no limit counts any more. Return how many."""
    counted = UNPAID | Q(placed_at__gt=timezone.now() - DAY)
    old = Order.objects.exclude(network="").exclude(counted)
    return old.update(network="", email_key="", address_key="")


def _limits() -> dict[str, tuple[int, Q, str]]:
    """Return (maximum, condition for the orders it counts, column) for each limit."""
    now = timezone.now()
    hour, day = Q(placed_at__gt=now - HOUR), Q(placed_at__gt=now - DAY)
    return {
        "open_email": (settings.GUEST_OPEN_ORDERS_PER_EMAIL, UNPAID, "email_key"),
        "open_address": (settings.GUEST_OPEN_ORDERS_PER_ADDRESS, UNPAID, "address_key"),
        "open_network": (settings.GUEST_OPEN_ORDERS_PER_NETWORK, UNPAID, "network"),
        "day_email": (settings.GUEST_ORDERS_PER_DAY, day, "email_key"),
        "hour_email": (settings.GUEST_ORDERS_PER_HOUR, hour, "email_key"),
        "hour_session": (settings.GUEST_ORDERS_PER_HOUR, hour, "number__in"),
        "hour_network": (settings.GUEST_ORDERS_PER_NETWORK, hour, "network"),
    }


def _count(keys: dict[str, str], visitor: Visitor) -> dict[str, int]:
    by = keys | {"number__in": visitor.orders}
    recent = UNPAID | Q(placed_at__gt=timezone.now() - DAY)
    same_visitor = Q(_connector=Q.OR, **by)
    counts = {
        name: Count("pk", filter=which & Q(**{mark: by[mark]}))
        for name, (_most, which, mark) in _limits().items()
    }
    guests = Order.objects.filter(same_visitor, recent, user=None)
    return guests.order_by().aggregate(**counts)


def _any_over(counts: dict[str, int], kind: str) -> bool:
    limits = {k: most for k, (most, *_) in _limits().items() if k.startswith(kind)}
    return any(most and counts[name] >= most for name, most in limits.items())


def lock_keys(keys: Iterable[str]) -> None:
    """Wait for transactions that have locked one of these keys; lock them."""
    numbers = sorted(int(_digest(key)[:7], 16) for key in keys)
    with connection.cursor() as cursor:
        for number in numbers:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, number])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]

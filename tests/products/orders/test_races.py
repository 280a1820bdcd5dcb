"""Many shoppers and several staff at one moment. Each guarantee has its positive
control: the same race with the guard taken out, which must go wrong."""

import random
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from products.basket import holds
from products.basket import services as baskets
from products.basket.exceptions import BasketClosed, Shortage
from products.catalogue import services as catalogue
from products.exceptions import ShopError
from products.live.viewers import Owner
from products.models import (
    Basket,
    MovementKind,
    Order,
    OrderEvent,
    Stock,
    Variant,
)
from products.orders import placing
from products.orders import services as orders
from products.orders import states
from products.orders.exceptions import StatusConflict, TermsChanged
from products.orders.states import Status
from products.stock import books
from products.stock import services as stock
from products.sweeps import services as sweeps
from tests.support.concurrency import together
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_order,
    make_owner,
    make_user,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

UNITS, SHOPPERS, CLICKS, SWEEPERS = 10, 60, 20, 8


def place(basket: Basket, **options) -> Order:
    fixed = {"method": Order.Method.DELIVERY, "language": "en"}
    seen = options.pop("seen", None) or terms_of(basket)
    return placing.place(basket, CONTACT, seen=seen, **fixed | options)


def ends_of(outcomes: list) -> Counter:
    """How many met which end: "done", or the kind of exception."""
    return Counter(
        type(end) if isinstance(end, Exception) else "done" for end in outcomes
    )


def failures(outcomes: list) -> list[Exception]:
    """What is no refusal but an error, a deadlock above all."""
    return [
        end
        for end in outcomes
        if isinstance(end, Exception) and not isinstance(end, ShopError)
    ]


def reserved(variant: Variant) -> int:
    return Stock.objects.get(pk=variant.pk).reserved


# --- The last units ---------------------------------------------------------------


def rush(variant: Variant) -> Counter:
    """60 shoppers with one unit in the basket check out, all at once."""
    carts = [make_basket(lines={variant: 1}) for _ in range(SHOPPERS)]

    def check_out(basket: Basket) -> Order:
        return place(holds.start(basket))

    return ends_of(together([lambda b=b: check_out(b) for b in carts]))


def test_checkout_of_ten_units_by_sixty_shoppers_makes_exactly_ten_orders():
    variant = make_variant(on_hand=UNITS)

    ends = rush(variant)

    assert ends == {"done": UNITS, Shortage: SHOPPERS - UNITS}
    assert Order.objects.count() == reserved(variant) == UNITS
    assert books.reconcile() == []


def test_checkout_without_the_guard_is_stopped_by_the_table(monkeypatch):
    """The second net: errors where there should be refusals, but nothing oversold."""
    monkeypatch.setattr(stock, "GUARD", "")
    variant = make_variant(on_hand=UNITS)

    ends = rush(variant)

    assert ends == {"done": UNITS, IntegrityError: SHOPPERS - UNITS}
    assert books.reconcile() == []


def test_checkout_that_looks_and_then_writes_oversells(monkeypatch):
    """The positive control: claimed as it is often done, all sixty "buy"."""
    all_have_looked = threading.Barrier(SHOPPERS, timeout=60)

    def naive_claim(quantities: dict[int, int], **kwargs) -> list:
        for variant_id, units in quantities.items():
            row = Stock.objects.get(pk=variant_id)
            all_have_looked.wait()
            if row.available >= units:
                Stock.objects.filter(pk=variant_id).update(
                    reserved=row.reserved + units
                )
        return []

    monkeypatch.setattr(stock, "claim", naive_claim)
    variant = make_variant(on_hand=UNITS)

    ends = rush(variant)

    assert ends == {"done": SHOPPERS}
    assert Order.objects.count() == SHOPPERS > UNITS
    (drift,) = books.reconcile()  # and the books say so
    assert drift.held == (1, SHOPPERS)


# --- One basket, many clicks ------------------------------------------------------


@pytest.mark.parametrize("held", [True, False])
def test_order_clicked_twenty_times_at_once_is_placed_once(held):
    lamp, jug = make_variant(), make_variant()
    basket = make_basket(lines={lamp: 2, jug: 1})
    if held:
        holds.start(basket)

    outcomes = together([lambda: place(basket)] * CLICKS)

    assert set(outcomes) == {Order.objects.get()}
    assert (reserved(lamp), reserved(jug)) == (2, 1)
    assert books.reconcile() == []


def test_order_clicked_at_once_without_the_lock_fails_some(monkeypatch):
    """The positive control: the table's "one order a basket" is the second net."""
    all_have_looked = threading.Barrier(CLICKS, timeout=60)

    def no_lock(basket: Basket) -> Basket:
        unlocked = Basket.objects.get(pk=basket.pk)
        all_have_looked.wait()
        return unlocked

    basket = holds.start(make_basket(lines={make_variant(): 1}))
    monkeypatch.setattr(holds, "row", no_lock)

    ends = ends_of(together([lambda: place(basket)] * CLICKS))

    assert ends == {"done": 1, IntegrityError: CLICKS - 1}


def test_order_while_the_basket_changes_is_of_one_basket_or_the_other():
    lamp, jug = make_variant(), make_variant()
    basket = holds.start(make_basket(lines={lamp: 1}))
    seen = terms_of(basket)
    changes = [lambda: baskets.add(basket, jug.pk)] * 4

    outcomes = together([lambda: place(basket, seen=seen)] * 4 + changes)

    assert ends_of(outcomes).keys() <= {"done", TermsChanged, BasketClosed}
    for order in Order.objects.all():
        assert placing.terms_of(order) == seen
    assert books.reconcile() == []


def test_order_while_the_price_changes_costs_what_was_seen_or_is_refused():
    lamps = [make_variant() for _ in range(8)]
    carts = [holds.start(make_basket(lines={lamp: 2})) for lamp in lamps]
    shown = [terms_of(basket) for basket in carts]

    def reprice(lamp: Variant) -> None:
        lamp.price += 1
        catalogue.save(lamp.product, variants=[lamp])

    outcomes = together(
        [lambda b=b, s=s: place(b, seen=s) for b, s in zip(carts, shown, strict=True)]
        + [lambda p=p: reprice(p) for p in lamps]
    )

    assert failures(outcomes) == []
    assert ends_of(outcomes[:8]).keys() <= {"done", TermsChanged}
    for order in Order.objects.all():
        assert order.total == 25 == order.lines.get().amount
    assert books.reconcile() == []


def test_order_while_signing_in_is_placed_once_or_its_basket_is_merged():
    lamp, users = make_variant(on_hand=99), [make_user() for _ in range(6)]
    owners = [make_owner() for _ in users]
    carts = [holds.start(make_basket(owner, {lamp: 2})) for owner in owners]
    for user in users:
        holds.start(make_basket(Owner(user_id=user.pk), {lamp: 1}))

    outcomes = together(
        [lambda b=b: place(b) for b in carts]
        + [
            lambda o=o, u=u: baskets.merge(token=o.token, user_id=u.pk)
            for o, u in zip(owners, users, strict=True)
        ]
    )

    assert failures(outcomes) == []
    assert ends_of(outcomes[:6]).keys() <= {"done", BasketClosed}
    for basket, user in zip(carts, users, strict=True):
        mine = Basket.objects.open().get(user=user).lines.get().quantity
        ordered = Order.objects.filter(basket=basket).exists()
        assert mine == (1 if ordered else 3)
    assert books.reconcile() == []


# --- One order, several hands -----------------------------------------------------


def test_one_of_two_staff_wins_a_move_and_the_other_reads_who():
    staff = [make_user(is_staff=True) for _ in range(2)]
    for _ in range(10):
        order = make_order()

        outcomes = together(
            [lambda who=who: orders.pack(order, actor=who) for who in staff]
        )

        assert ends_of(outcomes) == {"done": 1, StatusConflict: 1}
        (won,) = (o for o in outcomes if isinstance(o, Order))
        (lost,) = (o for o in outcomes if not isinstance(o, Order))
        assert lost.who == won.handler.username
        assert won.events.count() == 2


def test_transition_that_looks_and_then_writes_is_won_by_both(monkeypatch):
    """The positive control: the condition belongs into the UPDATE."""
    staff = [make_user(is_staff=True) for _ in range(2)]
    order, both_have_looked = make_order(), threading.Barrier(2, timeout=60)

    from_anywhere = replace(states.PACK, sources=states.STATES)

    def naive_pack(who) -> Order:
        row = Order.objects.get(pk=order.pk)
        both_have_looked.wait()
        assert row.status == Status.PENDING
        return orders.advance(row, from_anywhere, actor=who)

    outcomes = together([lambda who=who: naive_pack(who) for who in staff])

    assert ends_of(outcomes) == {"done": 2}


def test_cancel_against_ship_gives_back_or_sends_off_but_not_both():
    lamp, staff = make_variant(on_hand=100), make_user(is_staff=True)
    make_order({lamp: 5})  # somebody else's, whose units a double would eat
    for _ in range(10):
        order = orders.pack(make_order({lamp: 2}), actor=staff)

        outcomes = together(
            [
                lambda: orders.cancel(order, actor=staff),
                lambda: orders.ship(order, actor=staff),
            ]
        )

        assert ends_of(outcomes) == {"done": 1, StatusConflict: 1}
        assert reserved(lamp) == 5
    shipped = Order.objects.filter(status=Status.SHIPPED).count()
    assert Stock.objects.get(pk=lamp.pk).on_hand == 100 - 2 * shipped
    assert books.reconcile() == []


def test_pay_against_expiry_is_won_by_one(settings):
    settings.PAYMENT_MINUTES = 0
    lamp = make_variant(on_hand=100)
    made = [make_order({lamp: 2}, method="stripe") for _ in range(8)]

    outcomes = together(
        [lambda o=o: orders.pay(o) for o in made] + [orders.expire_overdue] * 2
    )

    assert failures(outcomes) == []
    paid = Order.objects.filter(status=Status.PAID).count()
    expired = Order.objects.filter(status=Status.EXPIRED).count()
    assert (paid, paid + expired) == (ends_of(outcomes[:8])["done"], 8)
    assert reserved(lamp) == 2 * paid
    assert books.reconcile() == []


# --- Sweepers ---------------------------------------------------------------------


def lapse(count: int, variant: Variant) -> None:
    """So many checkouts that nobody looked after, of two units each."""
    for _ in range(count):
        holds.start(make_basket(lines={variant: 2}))
    moment = timezone.now() - timedelta(seconds=1)
    Basket.objects.filter(held_until__isnull=False).update(held_until=moment)


def test_hold_that_lapsed_is_released_once_by_eight_sweepers():
    lamp = make_variant(on_hand=200)
    lapse(40, lamp)

    outcomes = together([holds.release_lapsed] * SWEEPERS)

    assert failures(outcomes) == [] and sum(outcomes) == 40
    assert lamp.movements.filter(kind=MovementKind.RELEASED).count() == 40
    assert reserved(lamp) == 0 and books.reconcile() == []


def test_order_that_was_not_paid_expires_once_by_eight_sweepers(settings):
    settings.PAYMENT_MINUTES = 0
    lamp = make_variant(on_hand=200)
    for _ in range(40):
        make_order({lamp: 2}, method="stripe")

    outcomes = together([orders.expire_overdue] * SWEEPERS)

    assert failures(outcomes) == [] and sum(outcomes) == 40
    assert OrderEvent.objects.filter(status=Status.EXPIRED).count() == 40
    assert reserved(lamp) == 0 and books.reconcile() == []


def test_hold_that_lapsed_is_released_twice_without_the_lock(monkeypatch):
    """The positive control: sweepers that don't lock give back what isn't theirs."""
    lamp = make_variant(on_hand=200)
    make_order({lamp: 20})
    lapse(1, lamp)
    all_have_looked = threading.Barrier(SWEEPERS, timeout=60)
    lapsed = Basket.objects.get(held_until__isnull=False)

    def no_lock(rows) -> Basket | None:
        unlocked = Basket.objects.filter(pk=lapsed.pk, held_until__isnull=False).first()
        all_have_looked.wait()
        return unlocked

    def release_all(*carts: Basket) -> None:
        stock.release({lamp.pk: 2})
        Basket.objects.filter(pk=lapsed.pk).update(held_until=None)

    monkeypatch.setattr(sweeps, "_first_free", no_lock)
    monkeypatch.setattr(holds, "let_go", release_all)
    monkeypatch.setattr(holds, "SWEEP", 1)

    together([holds.release_lapsed] * SWEEPERS)

    assert lamp.movements.filter(kind=MovementKind.RELEASED).count() == SWEEPERS
    assert books.reconcile() != []


def test_checkout_that_goes_on_while_sweepers_run_holds_or_orders_all_it_says():
    lamp = make_variant(on_hand=200)
    lapse(20, lamp)
    carts = list(Basket.objects.all())

    outcomes = together(
        [holds.release_lapsed] * 4
        + [lambda b=b: holds.start(b) for b in carts[:10]]
        + [lambda b=b: place(b) for b in carts[10:]]
    )

    assert failures(outcomes) == []
    assert ends_of(outcomes[4:]) == {"done": 20}
    assert reserved(lamp) == 40 and books.reconcile() == []


# --- Everything at once -----------------------------------------------------------

STORM_S, STORMERS = 12, 8


class Storm:
    """A shop in which everybody does anything, in any order, until something breaks."""

    def __init__(self, variants: list[Variant]) -> None:
        self.variants = variants
        self.staff = make_user(is_staff=True)
        self.end = time.monotonic() + STORM_S

    def run(self, seed: int) -> Counter:
        """One who goes on until the end: how often they did what."""
        dice, done, owner = random.Random(seed), Counter(), make_owner()
        steps = [self.start, self.place] * 2
        steps += [self.change, self.cancel, self.move, self.sweep, self.reprice]
        while time.monotonic() < self.end:
            step = dice.choice(steps)
            try:
                step(dice, owner)
                done[step.__name__] += 1
            except ShopError as refusal:
                done[type(refusal).__name__] += 1
            except Exception:
                self.end = 0
                raise
        return done

    def rage(self) -> list:
        """What became of eight who do so at once."""
        return together([lambda n=n: self.run(n) for n in range(STORMERS)])

    def fill(self, dice: random.Random, owner: Owner) -> Basket:
        """The owner's basket, with many products in any order."""
        basket = baskets.open_for(owner)
        if basket.lines.exists():
            return basket
        for variant in dice.sample(self.variants, 5):
            baskets.add(basket, variant.pk, dice.randint(1, 3))
        return basket

    def start(self, dice: random.Random, owner: Owner) -> None:
        holds.start(self.fill(dice, owner))

    def place(self, dice: random.Random, owner: Owner) -> None:
        place(self.fill(dice, owner), method=dice.choice(Order.Method.values))

    def change(self, dice: random.Random, owner: Owner) -> None:
        basket = baskets.open_for(owner)
        wanted = list(basket.lines.values_list("variant_id", flat=True))
        dice.shuffle(wanted)
        baskets.set_quantities(basket, {pk: dice.randint(1, 3) for pk in wanted[:3]})
        if wanted[3:]:
            baskets.remove(basket, wanted[3])

    def cancel(self, dice: random.Random, owner: Owner) -> None:
        if order := self.some_order(dice):
            orders.cancel_by_shopper(order)

    def move(self, dice: random.Random, owner: Owner) -> None:
        if order := self.some_order(dice):
            orders.pack(order, actor=self.staff)
            dice.choice([orders.ship, orders.cancel])(order, actor=self.staff)

    def sweep(self, dice: random.Random, owner: Owner) -> None:
        held = Basket.objects.filter(held_until__isnull=False)
        some = list(held.values_list("pk", flat=True))
        held.filter(pk__in=some[: dice.randint(0, 1)]).update(held_until=timezone.now())
        holds.release_lapsed()
        orders.expire_overdue()

    def reprice(self, dice: random.Random, owner: Owner) -> None:
        variant = Variant.objects.get(pk=dice.choice(self.variants).pk)
        variant.price += 1
        variant.product.slug = f"{variant.sku.lower()}-{dice.random()}"
        catalogue.save(variant.product, variants=[variant])

    def some_order(self, dice: random.Random) -> Order | None:
        movable = Order.objects.filter(status__in=[Status.PENDING, Status.PACKED])
        return dice.choice(list(movable[:20]) or [None])


def deadlocks() -> int:
    """Those that PostgreSQL has counted in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return cursor.fetchone()[0]


def test_storm_of_shoppers_staff_and_sweepers_never_deadlocks_and_the_books_agree():
    storm = Storm([make_variant(on_hand=60) for _ in range(8)])
    before = deadlocks()

    outcomes = storm.rage()

    assert failures(outcomes) == []
    done = sum(outcomes, Counter())
    steps = {"start", "place", "change", "cancel", "move", "sweep", "reprice"}
    assert steps <= done.keys(), done
    assert deadlocks() == before
    assert books.reconcile() == []


def test_storm_in_which_stock_is_taken_in_another_order_deadlocks(monkeypatch):
    """The positive control: what is given back in the opposite order of claims."""
    in_order = stock._in_order
    monkeypatch.setattr(stock, "_in_order", lambda units: in_order(units)[::-1])
    storm = Storm([make_variant(on_hand=60) for _ in range(8)])

    outcomes = storm.rage()

    assert "deadlock detected" in f"{failures(outcomes)}"

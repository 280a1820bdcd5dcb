"""Topics: who may watch them, and that pages and pushes show the same."""

import random
import threading
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import reverse

from products.basket import holds
from products.basket import services as basket
from products.catalogue import services as catalogue
from products.live import baskets, loaders, viewers
from products.live.baskets import EMPTY_BASKET, NO_LINES
from products.live.registry import registry
from products.live.viewers import NOBODY, Owner
from products.models import Basket, Order, OrderEvent, Stock
from products.orders import services as orders
from products.staff import moves
from products.stock import services as stock
from realtime.registry import STRANGER, State, Viewer
from tests.support.concurrency import together
from tests.support.drops import make_drop
from tests.support.factories import (
    make_basket,
    make_full_basket,
    make_order,
    make_owner,
    make_user,
    make_variant,
    make_variants,
)

ANNA, BEN = Owner(user_id=7), Owner(token="b" * 32)
TOKEN = "aZ09_-" + "x" * 26
STAFF = {
    "board": "products.view_order",
    "orders": "products.view_order",
    "shelves": "products.view_stock",
    "shelf:42": "products.view_stock",
}


# --- Names and keys ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name, owner, key",
    [
        ("stock:42", NOBODY, "stock:42"),
        ("stock:42", ANNA, "stock:42"),
        ("basket", ANNA, "basket:u7"),
        ("basket", BEN, f"basket:t{'b' * 32}"),
        ("basket:lines", ANNA, "basket:lines:u7"),
        ("basket", NOBODY, "basket:"),
        ("basket:lines", NOBODY, "basket:lines:"),
        ("basket:hold", ANNA, "basket:hold:u7"),
        ("basket:hold", BEN, f"basket:hold:t{'b' * 32}"),
        ("basket:hold", NOBODY, "basket:hold:"),
        (f"order:{TOKEN}", NOBODY, f"order:{TOKEN}"),
        (f"order:{TOKEN}", ANNA, f"order:{TOKEN}"),
    ],
)
def test_key_of_a_personal_name_ends_with_the_viewers_owner(name, owner, key):
    assert registry.key_of(name, Viewer(owner.key)) == key
    assert registry.name_of(key) == name


@pytest.mark.parametrize("owner", [NOBODY, ANNA, BEN])
@pytest.mark.parametrize(
    "name",
    [
        "",
        ":",
        "stock",
        "stock:",
        "stock:0",
        "stock:-1",
        "stock:+1",
        "stock: 1",
        "stock:1 ",
        "stock:01",
        "stock:1.0",
        "stock:x",
        "stock:1:2",
        "stock:4\x002",
        "stock:٤٢",  # digits, to Python
        "stock:²",
        "stock:" + "9" * 19,
        "stock:" + "9" * 5000,
        "Stock:42",
        "basket:",
        "basket:u7",
        f"basket:t{'b' * 32}",
        "basket:lines:u7",
        "basket:lines:",
        "basket:hold:",
        "basket:hold:u7",
        "order",
        "order:",
        "order:7K3MPQ2X",
        f"order:{TOKEN[1:]}",
        f"order:{TOKEN}x",
        f"order:{TOKEN[1:]}:",
        f"order:{TOKEN[1:]}.",
        f"order:{TOKEN[1:]}\n",
        f"order:{TOKEN}\n",
        f"order:{TOKEN[1:]}é",
        f"Order:{TOKEN}",
        *STAFF,
        "board:",
        "board:1",
        "orders:",
        "orders:1",
        "shelves:",
        "__class__",
    ],
)
def test_key_of_a_name_without_a_topic_is_none(name, owner):
    assert registry.key_of(name, Viewer(owner.key)) is None


@pytest.mark.parametrize("name, right", STAFF.items())
@pytest.mark.parametrize("may", sorted({*STAFF.values(), "products.view_basket"}))
def test_key_of_a_staff_topic_needs_its_right(name, right, may):
    key = registry.key_of(name, Viewer(ANNA.key, frozenset([may])))

    if may == right:
        assert registry.name_of(key) == name
    else:
        assert key is None


@pytest.mark.django_db
def test_basket_of_an_outsider_is_their_own():
    variant = make_variant()
    user = make_user()
    make_basket(Owner(user_id=user.pk), {variant: 3})
    outsider = make_owner()

    key = registry.key_of("basket", Viewer(outsider.key))

    assert registry.load(
        [registry.key_of("basket", Viewer(Owner(user_id=user.pk).key))]
    )  # it is there
    assert registry.load([key])[key] == State(0, EMPTY_BASKET)


def test_topics_of_a_viewer_without_an_owner_are_empty():
    assert registry.is_ownerless("basket:") and registry.is_ownerless("basket:lines:")
    assert registry.is_ownerless("basket:hold:")
    assert not registry.is_ownerless("basket:u7")
    assert not registry.is_ownerless("orders:") and not registry.is_ownerless(
        "shelves:"
    )
    assert registry.empty_state("basket:").facts == EMPTY_BASKET
    assert registry.empty_state("basket:lines:").facts == NO_LINES
    assert registry.empty_state("basket:hold:").facts == {"until": None}


# --- State ------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "on_hand, is_active, available, state",
    [
        (6, True, 6, "in"),
        (5, True, 5, "low"),
        (1, True, 1, "low"),
        (0, True, 0, "out"),
        (6, False, 0, "gone"),
    ],
)
def test_load_of_stock_gives_the_units_that_can_be_bought(
    on_hand, is_active, available, state
):
    variant = make_variant(on_hand=on_hand, is_active=is_active)
    key = f"stock:{variant.pk}"

    entry = registry.load([key])[key]

    assert entry.version == (1 if on_hand else 0)
    assert entry.facts == {
        "variant": variant.pk,
        "available": available,
        "state": state,
        "price": "12.50" if is_active else None,
    }


@pytest.mark.django_db(transaction=True)
def test_product_that_is_not_on_sale_shows_no_price_anywhere(hear, client):
    variant = make_variant(on_hand=10, price="98.70")
    key = f"stock:{variant.pk}"
    with hear(key) as events:
        variant.is_active = False
        catalogue.save(variant.product, variants=[variant])
        stock.claim({variant.pk: 1})
        variant.price = Decimal("98.76")
        catalogue.save(variant.product, variants=[variant])

    state = registry.load([key])[key]
    page = client.get(variant.get_absolute_url())

    assert len(events) == 3
    for facts in (state.facts, *(event["facts"] for event in events)):
        assert (facts["state"], facts["available"], facts["price"]) == ("gone", 0, None)
    assert "98.7" not in registry.render(key, state, "en") + page.text
    assert "No longer sold" in registry.render(key, state, "en")
    assert page.status_code == 410 and variant.product.description not in page.text


@pytest.mark.django_db(transaction=True)
def test_load_of_stock_equals_its_push(hear):
    variant = make_variant(on_hand=10)
    key = f"stock:{variant.pk}"

    with hear(key) as events:
        stock.claim({variant.pk: 6})

    entry = registry.load([key])[key]
    assert (events[0]["version"], events[0]["facts"]) == (entry.version, entry.facts)


@pytest.mark.django_db
def test_load_of_topics_that_do_not_exist_leaves_them_out():
    variant = make_variant()
    key = f"stock:{variant.pk}"

    assert set(registry.load([key, "stock:999999999"])) == {key}
    assert set(registry.versions([key, "stock:999999999", "basket:u999"])) == {key}


@pytest.mark.django_db
def test_load_of_many_topics_takes_one_query_for_each_kind(django_assert_num_queries):
    variants = make_variants(30)
    owners = [make_owner() for _ in range(5)]
    for owner in owners:
        make_full_basket(owner, variants[:10])
    keys = [f"stock:{variant.pk}" for variant in variants]
    keys += [f"basket:{owner.key}" for owner in owners]

    with django_assert_num_queries(2):
        states = registry.load(keys)
    with django_assert_num_queries(2):
        versions = registry.versions(keys)

    assert len(states) == len(versions) == 35
    assert versions == {key: state.version for key, state in states.items()}


@pytest.mark.django_db
def test_summary_of_a_basket_equals_its_contents():
    owner = make_owner()
    dear, cheap, gone = (
        make_variant(price=price) for price in ("99.99", "0.10", "5.00")
    )
    make_basket(owner, {dear: 3, cheap: 20, gone: 1})
    gone.is_active = False
    gone.save()

    summary, contents = baskets.summary(owner), baskets.contents(owner)

    assert summary.version == contents.version == 3
    assert summary.facts == {"count": 24, "total": "301.97"}
    assert summary.facts == {name: contents.facts[name] for name in summary.facts}


@pytest.mark.django_db
def test_contents_of_a_basket_keep_the_shown_price_of_a_product_off_sale():
    owner, variant = make_owner(), make_variant(on_hand=4, price="12.50")
    make_basket(owner, {variant: 2})
    variant.is_active, variant.price = False, Decimal("98.76")
    variant.save()

    facts = baskets.contents(owner).facts

    (line,) = facts["lines"]
    assert (line["price"], line["was"], line["amount"]) == ("12.50", None, "25.00")
    assert line["stock"]["state"] == "gone" and line["stock"]["price"] is None
    assert facts["total"] == "0.00"


@pytest.mark.django_db
def test_contents_of_a_basket_show_current_price_and_stock():
    owner, variant = make_owner(), make_variant(on_hand=4, name="Brass lamp")
    make_basket(owner, {variant: 6})
    variant.price = 11
    variant.save()

    (line,) = baskets.contents(owner).facts["lines"]

    assert line == {
        "variant": variant.pk,
        "name": "Brass lamp",
        "url": f"/products/{variant.product.slug}/",
        "image": "",
        "quantity": 6,
        "held": False,
        "was": "12.50",
        "price": "11.00",
        "line_discount": "0.00",
        "discount_name": "",
        "order_discount": "0.00",
        "subtotal": "66.00",
        "amount": "66.00",
        "tax": "10.54",
        "tax_rate": "19",
        "tax_code": "standard",
        "stock": {
            "variant": variant.pk,
            "available": 4,
            "state": "low",
            "price": "11.00",
        },
        "stock_version": 1,
    }


@pytest.mark.django_db
@pytest.mark.parametrize("state_of", [baskets.summary, baskets.contents])
def test_state_of_a_basket_without_an_owner_costs_no_query(
    state_of, django_assert_num_queries
):
    with django_assert_num_queries(0):
        state = state_of(NOBODY)

    assert (state.version, state.facts["count"], state.facts["total"]) == (0, 0, "0.00")


@pytest.mark.django_db
@pytest.mark.parametrize("state_of", [baskets.summary, baskets.contents])
def test_state_of_a_closed_basket_is_empty_and_keeps_its_version(state_of):
    owner = make_owner()
    closed = make_basket(owner, {make_variant(): 2, make_variant(): 1})
    Basket.objects.filter(pk=closed.pk).update(status=Basket.Status.ORDERED)

    state = state_of(owner)

    assert (state.version, state.facts["count"]) == (2, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("state_of", [baskets.summary, baskets.contents])
def test_version_of_an_owners_basket_only_grows(state_of):
    owner, variant = make_owner(), make_variant()
    seen = [state_of(owner).version]
    for _ in range(3):
        mine = basket.open_for(owner)
        basket.add(mine, variant.pk)
        seen.append(state_of(owner).version)
        Basket.objects.filter(pk=mine.pk).update(status=Basket.Status.ORDERED)
        basket.open_for(owner)
        assert state_of(owner).version == seen[-1]

    assert seen == [0, 1, 2, 3]


def found(name: str, viewer: Viewer = STRANGER) -> State:
    """The state of a topic as its viewers get it."""
    key = registry.key_of(name, viewer)
    state = registry.load([key])[key]
    if key != registry.pulse_key:  # which is in no database
        assert registry.versions([key])[key] == state.version
    return state


@pytest.mark.django_db
def test_load_of_a_hold_gives_its_end_until_it_is_given_up():
    owner = make_owner()
    mine = make_basket(owner, {make_variant(): 2})
    seen = [found("basket:hold", Viewer(owner.key))]
    mine = holds.start(mine)
    seen.append(found("basket:hold", Viewer(owner.key)))
    holds.give_up(mine)
    seen.append(found("basket:hold", Viewer(owner.key)))

    until = mine.held_until.isoformat()
    assert [state.facts["until"] for state in seen] == [None, until, None]
    assert [state.version for state in seen] == [1, 2, 3]


@pytest.mark.django_db
def test_load_of_an_order_gives_its_state_and_no_address():
    order = make_order({make_variant(price="12.50"): 2, make_variant(price="3"): 1})

    state = found(f"order:{order.access_token}")

    assert state == State(
        1,
        {
            "token": order.access_token,
            "number": order.number,
            "status": "pending",
            "method": "delivery",
            "total": "28.00",
            "units": 3,
            "placed_at": order.placed_at.isoformat(),
            "changed_at": order.changed_at.isoformat(),
            "expires_at": None,
            "may": ["cancel"],
            "on_hold": "",
            "money": [],
        },
    )


@pytest.mark.django_db
def test_load_of_an_order_that_does_not_exist_finds_none():
    make_order()

    assert (
        registry.load([f"order:{TOKEN}"]) == registry.versions([f"order:{TOKEN}"]) == {}
    )


@pytest.mark.django_db
def test_load_of_the_orders_counts_those_that_wait_for_staff():
    board = Viewer(ANNA.key, frozenset(["products.view_order"]))
    assert found("orders", board) == State(0, {"counts": {}, "newest": None})
    staff = make_user(is_staff=True)
    for _ in range(2):
        make_order()
    orders.pack(make_order(), actor=staff)
    orders.cancel(gone := make_order(), actor=staff)

    state = found("orders", board)

    assert state.facts == {
        "counts": {"pending": 2, "packed": 1},
        "newest": gone.number,
    }


def log_event(order: Order, key: int) -> int:
    """Commit an event with that key; return the board's version."""
    count = order.events.count()
    OrderEvent.objects.create(pk=key, order=order, version=count + 1, status="paid")
    return registry.versions(["orders:"])["orders:"]


@pytest.mark.django_db
def test_version_of_the_orders_grows_with_each_event_in_any_order_of_commits():
    order, rng = make_order(), random.Random(4)
    first = order.events.get().pk
    given_out = [first + n for n in range(2, 400) if rng.random() < 0.8]  # with gaps
    committed = sorted(given_out, key=lambda key: key + rng.randrange(60))

    versions = [registry.versions(["orders:"])["orders:"]]
    versions += [log_event(order, key) for key in committed]
    versions += [log_event(order, max(committed) + jump) for jump in (1, 900, 5_000)]

    assert committed != given_out
    assert versions == sorted(set(versions))


@pytest.mark.django_db
def test_version_of_the_orders_does_not_fall_when_an_order_is_deleted(monkeypatch):
    monkeypatch.setattr(moves, "LATE_EVENTS", 5)
    old = make_order()
    for _ in range(5):
        make_order()
    before = registry.versions(["orders:"])

    old.delete()

    assert registry.versions(["orders:"]) == before


@pytest.mark.django_db(transaction=True)
def test_version_of_the_orders_grows_with_an_event_that_commits_late():
    """The event of a slow transaction has a lower key than one that commits first."""
    slow, quick = make_order(), make_order()
    is_written, may_commit = threading.Event(), threading.Event()

    def pay_slowly() -> None:
        with transaction.atomic():
            orders.pay(slow)
            is_written.set()
            assert may_commit.wait(60)

    def overtake() -> list[int]:
        assert is_written.wait(60)
        orders.pay(quick)
        seen = registry.versions(["orders:"])["orders:"]
        may_commit.set()
        return [seen]

    _, (seen,) = together([pay_slowly, overtake])

    newest = OrderEvent.objects.order_by("-pk").first()
    assert newest.order == quick  # the premise
    assert registry.versions(["orders:"])["orders:"] > seen


@pytest.mark.django_db
def test_load_of_the_shelves_lists_low_products_fewest_units_first():
    shelves = Viewer(ANNA.key, frozenset(["products.view_stock"]))
    for name, units in (("B", 5), ("C", 0), ("A", 5), ("D", 6), ("E", 1)):
        make_variant(name=name, on_hand=units)
    make_variant(name="F", on_hand=0, is_active=False)

    state = found("shelves", shelves)

    assert (state.facts["low"], state.facts["out"]) == (3, 1)
    rows = [(row["name"], row["available"]) for row in state.facts["variants"]]
    assert rows == [("C", 0), ("E", 1), ("A", 5), ("B", 5)]


@pytest.mark.django_db
def test_load_of_the_shelves_counts_all_low_products_and_lists_some(monkeypatch):
    shelves = Viewer(ANNA.key, frozenset(["products.view_stock"]))
    monkeypatch.setattr(loaders, "SHORT_SHELVES", 2)
    make_variants(3, on_hand=0)
    make_variants(4, on_hand=1)

    facts = found("shelves", shelves).facts

    assert (facts["low"], facts["out"], len(facts["variants"])) == (4, 3, 2)


@pytest.mark.django_db
def test_version_of_the_shelves_grows_with_every_movement():
    shelves = Viewer(ANNA.key, frozenset(["products.view_stock"]))
    lamp, jug = make_variant(), make_variant()
    before = found("shelves", shelves).version

    stock.claim({lamp.pk: 6, jug.pk: 1})

    assert found("shelves", shelves).version == before + 2


# --- One template, two callers ----------------------------------------------------


@pytest.fixture
def shopper(client: Client) -> tuple[Client, Viewer]:
    """A visitor whose basket has a normal, a changed and a sold-out product."""
    variants = [make_variant(on_hand=n) for n in (9, 3, 1)]
    for variant in variants:
        client.post(reverse("products:basket-add", args=[variant.pk]), {"quantity": 2})
    Stock.objects.filter(variant=variants[2]).update(on_hand=0)
    variants[0].price = 10
    variants[0].save()
    key = client.session.session_key
    return client, viewers.identify([key])[key]


def pushed(name: str, viewer: Viewer) -> str:
    key = registry.key_of(name, viewer)
    return registry.render(key, registry.load([key])[key], settings.LANGUAGE_CODE)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["basket", "basket:lines"])
def test_render_of_a_basket_equals_what_its_page_includes(shopper, name):
    client, viewer = shopper

    page = client.get(reverse("products:basket")).text

    assert pushed(name, viewer) in page


@pytest.mark.django_db
@pytest.mark.parametrize("on_hand", [9, 3, 0])
def test_render_of_stock_equals_what_its_pages_include(client, on_hand):
    variant = make_variant(on_hand=on_hand)

    html = pushed(f"stock:{variant.pk}", STRANGER)

    assert html in client.get(variant.get_absolute_url()).text
    assert html in client.get(reverse("products:list")).text
    assert html in client.get(reverse("products:index")).text


@pytest.mark.django_db
def test_render_of_a_basket_without_an_owner_equals_what_pages_include(client):
    page = client.get(reverse("products:basket")).text

    for name in ("basket", "basket:lines"):
        key = registry.key_of(name, STRANGER)
        assert registry.render(key, registry.empty_state(key), "en") in page


@pytest.mark.django_db
def test_render_escapes_markup_in_a_name():
    owner = make_owner()
    make_basket(owner, {make_variant(name="<b>Jug</b>"): 1})

    html = pushed("basket:lines", Viewer(owner.key))

    assert "&lt;b&gt;Jug&lt;/b&gt;" in html and "<b>Jug" not in html


@pytest.mark.django_db
def test_render_of_every_topic_carries_its_name_and_version():
    """The client finds by them what to replace. No request is needed to render."""
    owner, variant = make_owner(), make_variant(on_hand=3)
    holds.start(make_basket(owner, {variant: 1}))
    order = make_order({variant: 1})
    viewer = Viewer(owner.key, frozenset(STAFF.values()))
    names = ["basket", "basket:lines", "basket:hold", "board", "orders", "shelves"]
    names += ["pulse"]
    names += [f"stock:{variant.pk}", f"shelf:{variant.pk}"]
    names += [f"order:{order.access_token}", f"drop:{make_drop().pk}"]
    assert {registry.key_of(name, viewer).rpartition(":")[0] for name in names} == (
        registry.kinds.keys()
    )

    for name in names:
        html = pushed(name, viewer)
        version = found(name, viewer).version
        assert f'data-topic="{name}" data-version="{version}"' in html
        # The client subscribes to personal topics again on each new socket.
        assert ("data-personal" in html) == registry.is_personal(name)

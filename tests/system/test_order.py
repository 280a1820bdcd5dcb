"""An order is live for holders of its token, the board for staff, a hold for its
shopper; for nobody else is there anything to hear."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from products.basket import holds
from products.live.registry import registry
from products.live.viewers import Owner
from products.models import Basket, Order
from products.orders import services as orders
from products.stock import services as stock
from realtime.protocol import Close
from tests.support.client import Client
from tests.support.factories import make_basket, make_order, make_user, make_variant
from tests.support.servers import Daphne
from tests.support.shopper import Shopper
from users.models import User


def make_staff(*rights: str) -> User:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def topic_of(order: Order) -> str:
    return f"order:{order.access_token}"


def refusal(client: Client, name: str) -> tuple:
    """Return the code of the answer and the names in it."""
    client.send({"t": "sub", "id": 1, "topics": {name: None}})
    answer = client.receive()
    return answer["code"], answer["topics"]


# --- One order --------------------------------------------------------------------


def test_order_moves_on_its_guests_page_at_each_step(daphne):
    staff = make_staff()
    order = make_order(method="stripe")
    topic, steps = topic_of(order), ["pending"]

    with Client(daphne) as guest:
        guest.watch(topic)
        orders.pay(order)
        steps.append(guest.shows(topic, 2)["status"])
        orders.pack(order, actor=staff)
        steps.append(guest.shows(topic, 3)["status"])
        orders.ship(order, actor=staff)
        steps.append(guest.shows(topic, 4)["status"])
        orders.deliver(order)
        steps.append(guest.shows(topic, 5)["status"])

    assert steps == ["pending", "paid", "packed", "shipped", "delivered"]
    assert 'data-version="5"' in guest.page.html[topic]


def test_order_that_is_cancelled_moves_and_its_units_come_back(daphne):
    variant = make_variant(on_hand=9)
    order = make_order({variant: 2})

    with Client(daphne) as page:
        page.watch(topic_of(order), shelf := f"stock:{variant.pk}")
        orders.cancel_by_shopper(order)

        assert page.shows(topic_of(order), 2)["status"] == "cancelled"
        assert page.shows(shelf, 3)["available"] == 9


def test_order_that_expires_moves(daphne, settings):
    settings.PAYMENT_MINUTES = 0
    order = make_order(method="stripe")

    with Client(daphne) as page:
        page.watch(topic_of(order))
        orders.expire_overdue()

        assert page.shows(topic_of(order), 2)["status"] == "expired"


def test_order_tells_nobody_who_or_where_its_shopper_is(daphne):
    order = make_order()

    with Client(daphne) as page:
        page.watch(topic_of(order))
        orders.pay(order)
        page.shows(topic_of(order), 2)

    frames = f"{page.frames}"
    assert order.number in frames  # the premise
    for secret in (order.email, order.full_name, order.line1, order.postcode):
        assert secret not in frames


@pytest.mark.parametrize(
    "forge",
    [
        lambda order: f"order:{order.access_token[:-1]}!",
        lambda order: f"order:{order.access_token[:-1]}",
        lambda order: f"order:{order.access_token.swapcase()}",
        lambda order: f"order:{'A' * 32}",
        lambda order: f"order:{order.number}",
        lambda order: f"order:{order.pk}",
        lambda order: "order:",
    ],
    ids=["sign", "short", "case", "guess", "number", "key", "none"],
)
def test_order_by_a_wrong_token_is_no_topic(daphne, forge):
    order = make_order()

    with Client(daphne) as page:
        name = forge(order)
        page.send_raw(f'{{"t":"sub","id":1,"topics":{{"{name}":null}}}}')
        answer, snap = page.receive(), page.receive()

    assert (answer["code"], answer["topics"]) == ("unknown_topic", [name])
    assert snap["items"] == []


def test_order_of_somebody_else_moves_unheard(daphne):
    mine, theirs = make_order(), make_order()

    with Client(daphne) as page, Client(daphne) as other:
        page.watch(topic_of(mine))
        other.watch(topic_of(theirs))
        orders.pay(theirs)
        other.shows(topic_of(theirs), 2)  # the premise: there was news

        assert page.hears_nothing(0.5)


# --- The board --------------------------------------------------------------------


@pytest.fixture
def fresh(own_redis, serve) -> Daphne:
    """A shop that remembers nothing: there is one board, and its state of the test
    before would be newer than that of an emptied database."""
    own_redis.start()
    return serve(own_redis, LIVE_AUDIT_S="3600")


def version_of_all() -> int:
    return registry.versions(["orders:"])["orders:"]


def test_board_hears_of_every_order_and_every_step(fresh):
    staff = make_staff("view_order")

    with Shopper(fresh, staff).socket() as board:
        board.watch("orders")
        assert board.page.facts["orders"]["counts"] == {}
        order = make_order()
        assert board.shows("orders", version_of_all())["newest"] == order.number
        orders.pack(order, actor=staff)

        assert board.shows("orders", version_of_all())["counts"] == {"packed": 1}


def test_board_hears_what_is_low_and_what_is_out(fresh):
    variant = make_variant(on_hand=6, name="Brass lamp")

    with Shopper(fresh, make_staff("view_stock")).socket() as board:
        board.watch("shelves")
        assert board.page.facts["shelves"]["variants"] == []
        stock.claim({variant.pk: 1})
        assert board.shows("shelves", 2)["low"] == 1
        stock.claim({variant.pk: 5})

        facts = board.shows("shelves", 3)
    assert (facts["low"], facts["out"]) == (0, 1)
    assert facts["variants"][0]["name"] == "Brass lamp"


@pytest.mark.parametrize("name", ["orders", "shelves"])
@pytest.mark.parametrize(
    "who",
    [lambda: None, make_user, make_staff, lambda: make_staff("view_product")],
    ids=["visitor", "shopper", "staff without rights", "staff with another"],
)
def test_outsider_is_told_that_there_is_no_such_board(daphne, who, name):
    make_order()

    with Shopper(daphne, who()).socket() as socket:
        assert refusal(socket, name) == ("unknown_topic", [name])


def test_right_to_one_board_is_none_to_the_other(daphne):
    with Shopper(daphne, make_staff("view_stock")).socket() as socket:
        assert refusal(socket, "orders") == ("unknown_topic", ["orders"])
    with Shopper(daphne, make_staff("view_order")).socket() as socket:
        assert refusal(socket, "shelves") == ("unknown_topic", ["shelves"])


def test_staff_whose_right_was_revoked_hear_no_more_of_the_board(fresh):
    revoked, other = make_staff("view_order"), make_staff("view_order")

    with (
        Shopper(fresh, revoked).socket() as theirs,
        Shopper(fresh, other).socket() as board,
    ):
        theirs.watch("orders")
        board.watch("orders")
        make_order()
        before = version_of_all()
        theirs.shows("orders", before)  # the premise: they did hear
        board.shows("orders", before)

        revoked.user_permissions.clear()
        assert theirs.closed(2) == Close.RIGHTS_LOST
        make_order()
        board.shows("orders", version_of_all())

    assert theirs.page.shown["orders"] == before


# --- Holds ------------------------------------------------------------------------


def test_hold_that_lapses_is_told_to_its_shopper_and_to_nobody_else(daphne):
    variant, user, other = make_variant(), make_user(), make_user()
    basket = make_basket(Owner(user_id=user.pk), {variant: 2})
    make_basket(Owner(user_id=other.pk), {variant: 2})

    with (
        Shopper(daphne, user).socket() as checkout,
        Shopper(daphne, other).socket() as outsider,
    ):
        checkout.watch("basket:hold")
        outsider.watch("basket:hold")
        held = holds.start(basket)
        facts = checkout.shows("basket:hold", 2)
        assert facts == {"until": held.held_until.isoformat()}

        Basket.objects.filter(pk=basket.pk).update(held_until=timezone.now())
        assert holds.release_lapsed() == 1

        assert checkout.shows("basket:hold", 3) == {"until": None}
        assert outsider.hears_nothing(0.5)


def test_hold_that_is_prolonged_in_one_tab_counts_down_anew_in_the_other(daphne):
    user = make_user()
    basket = holds.start(make_basket(Owner(user_id=user.pk), {make_variant(): 2}))

    with Shopper(daphne, user).socket() as tab:
        tab.watch("basket:hold")
        prolonged = holds.start(basket)

        facts = tab.shows("basket:hold", prolonged.version)
    assert facts == {"until": prolonged.held_until.isoformat()}


def test_hold_ends_on_every_tab_when_its_order_is_placed(daphne):
    user = make_user()

    with Shopper(daphne, user).socket() as tab:
        tab.watch("basket", "basket:hold")
        order = make_order({make_variant(): 2}, user=user)
        last = order.basket.version

        assert tab.shows("basket:hold", last) == {"until": None}
        assert tab.shows("basket", last)["count"] == 0

"""A basket is its owner's alone, on every tab and device of theirs."""

import pytest

from products.basket import services as basket
from products.catalogue import services as catalogue
from products.live.viewers import Owner
from products.models import Basket
from tests.support.client import Client
from tests.support.factories import make_basket, make_user, make_variant
from tests.support.shopper import Shopper


def test_add_over_http_reaches_the_sessions_other_socket_at_once(daphne):
    variant = make_variant()
    shopper = Shopper(daphne)
    shopper.add(variant)

    with shopper.socket() as tab:
        tab.watch("basket", "basket:lines")
        shopper.add(variant, 2)
        facts = tab.shows("basket", 2, seconds=2)
        lines = tab.shows("basket:lines", 2, seconds=2)

    assert facts == {"count": 3, "total": "37.50"}
    assert [(line["variant"], line["quantity"]) for line in lines["lines"]] == [
        (variant.pk, 3)
    ]


def test_html_of_a_pushed_basket_is_what_the_page_shows(daphne):
    variant = make_variant()
    shopper = Shopper(daphne)
    shopper.add(variant)

    with shopper.socket() as tab:
        tab.watch("basket", "basket:lines")
        shopper.add(variant)
        tab.shows("basket", 2)
        tab.shows("basket:lines", 2)

    page = shopper.get("/basket/")
    assert tab.page.html["basket:lines"].strip() in page
    assert tab.page.html["basket"].strip() in page


def test_answer_over_http_and_push_are_the_same_item(daphne):
    shopper = Shopper(daphne)
    variant = make_variant()
    shopper.add(variant)

    with shopper.socket() as tab:
        tab.watch("basket", "basket:lines")
        answer = shopper.add(variant)
        tab.shows("basket", 2)
        tab.shows("basket:lines", 2)

    pushed = [item for frame in tab.frames[1:] for item in frame["items"]]
    assert sorted(pushed) == sorted(answer["items"])


def test_outsider_hears_nothing_of_anothers_basket(daphne):
    variant = make_variant()
    owner, outsider = Shopper(daphne), Shopper(daphne)
    owner.add(variant)
    outsider.add(variant)

    with owner.socket() as mine, outsider.socket() as theirs:
        mine.watch("basket", "basket:lines")
        theirs.watch("basket", "basket:lines")
        owner.add(variant, 5)

        assert mine.shows("basket", 2)["count"] == 6  # the premise: there was news
        assert theirs.hears_nothing(1)
    assert theirs.page.facts["basket"]["count"] == 1


def test_visitor_without_a_session_hears_nothing_of_anybodys_basket(daphne):
    variant = make_variant()
    owner = Shopper(daphne)
    owner.add(variant)

    with owner.socket() as mine, Shopper(daphne).socket() as stranger:
        mine.watch("basket")
        stranger.watch("basket", "basket:lines")
        owner.add(variant)

        mine.shows("basket", 2)
        assert stranger.hears_nothing(1)
    assert stranger.page.facts["basket"]["count"] == 0


def names_of_others(owner: Owner) -> list[str]:
    keys = [owner.key, f"u{owner.user_id}", f"t{owner.token}", "", " ", "u1", "*"]
    names = [f"{kind}:{key}" for kind in ("basket", "basket:lines") for key in keys]
    return [name for name in names if name != "basket:lines"] + [
        "BASKET",
        "Basket",
        " basket",
        "basket ",
        "basket\0",
        "basket\u200b",
        "live.basket",
        f"live.basket.{owner.key}",
        f"basket.{owner.key}",
        f"stock:1/../basket:{owner.key}",
        "probe:1",
        "__proto__",
        "",
    ]


@pytest.mark.parametrize("signed_in", [True, False])
def test_outsider_cannot_name_anothers_basket(daphne, signed_in):
    user = make_user() if signed_in else None
    shopper = Shopper(daphne, user)
    variant = make_variant()
    shopper.add(variant)
    row = Basket.objects.get()
    names = names_of_others(Owner(user_id=row.user_id, token=row.token))
    assert len(set(names)) <= 64

    with Shopper(daphne).socket() as stranger, shopper.socket() as mine:
        mine.watch("basket")
        frame = f'{{"t":"sub","id":1,"topics":{{{members(names)}}}}}'
        stranger.send_raw(frame)
        error, snap = stranger.receive(), stranger.receive()
        shopper.add(variant)
        mine.shows("basket", 2)  # the premise
        assert stranger.hears_nothing(0.5)

    assert (error["code"], error["topics"]) == ("unknown_topic", sorted(set(names)))
    assert snap["items"] == []


def members(names: list[str]) -> str:
    from json import dumps

    return ",".join(f"{dumps(name)}:null" for name in dict.fromkeys(names))


def test_signed_in_shoppers_devices_show_the_same_basket(daphne):
    user, variant = make_user(), make_variant()
    phone, laptop = Shopper(daphne, user), Shopper(daphne, user)
    phone.add(variant)

    with phone.socket() as one, laptop.socket() as two:
        one.watch("basket")
        two.watch("basket")
        laptop.add(variant, 2)

        assert one.shows("basket", 2)["count"] == 3
        assert two.shows("basket", 2)["count"] == 3


def test_first_basket_of_a_user_reaches_a_device_that_was_there_before(daphne):
    user, variant = make_user(), make_variant()
    phone, laptop = Shopper(daphne, user), Shopper(daphne, user)

    with laptop.socket() as socket:
        snap = socket.watch("basket", "basket:lines")
        assert {item[1] for item in snap["items"]} == {0}
        phone.add(variant)

        assert socket.shows("basket", 1)["count"] == 1
        assert len(socket.shows("basket:lines", 1)["lines"]) == 1


def test_first_basket_of_a_session_says_that_sockets_must_ask_again(daphne):
    variant, shopper = make_variant(), Shopper(daphne)

    with shopper.socket() as before:
        before.watch("basket")
        first, second = shopper.add(variant), shopper.add(variant)
        assert (first["identity"], second["identity"]) == (True, False)
        assert before.hears_nothing(0.3)

    with shopper.socket(before.page) as after:
        after.watch()
        assert after.page.facts["basket"]["count"] == 2


def test_sign_in_shows_the_merged_basket_to_the_users_other_device(daphne):
    user, variant = make_user(), make_variant()
    row = make_basket(lines={variant: 2})
    laptop = Shopper(daphne, user)
    laptop.add(variant)

    with laptop.socket() as socket:
        socket.watch("basket")
        basket.merge(token=row.token, user_id=user.pk)

        assert socket.shows("basket", 2)["count"] == 3


def test_basket_after_an_order_starts_empty_and_newer(daphne):
    user, variant = make_user(), make_variant()
    shopper = Shopper(daphne, user)
    shopper.add(variant, 3)
    Basket.objects.update(status=Basket.Status.ORDERED)

    with shopper.socket() as socket:
        socket.watch("basket")
        assert socket.page.facts["basket"]["count"] == 0
        shopper.add(variant)

        assert socket.shows("basket", 2)["count"] == 1


def test_changed_price_reaches_the_baskets_that_hold_the_product(daphne):
    variant, shopper = make_variant(), Shopper(daphne)
    shopper.add(variant, 2)

    with shopper.socket() as socket:
        socket.watch("basket", "basket:lines")
        variant.price = 20
        catalogue.save(variant.product, variants=[variant])
        facts = socket.shows("basket", 2)
        line = socket.shows("basket:lines", 2)["lines"][0]

    assert facts["total"] == "40.00"
    assert (line["price"], line["was"]) == ("20.00", "12.50")


@pytest.mark.parametrize(
    "other",
    [
        'analytics={"id":1,"x":[2]}',
        "a b=1",
        "bad@name=1",
        '="',
        "f\xfcr=1",
        "empty",
    ],
)
def test_cookies_of_others_do_not_hide_the_session(daphne, other):
    variant, shopper = make_variant(), Shopper(daphne)
    shopper.add(variant)
    cookie = shopper.cookie

    for header in (f"{other}; {cookie}", f"{cookie}; {other}"):
        with Client(daphne, cookie=header) as socket:
            socket.watch("basket")
            assert socket.page.facts["basket"]["count"] == 1


@pytest.mark.parametrize(
    "value",
    ["", "x", "x" * 3000, '"\\000\\000abcdefgh"', "'; DROP TABLE--", '"', "%00"],
)
def test_strange_session_cookie_is_nobody(daphne, value):
    with Client(daphne, cookie=f"sessionid={value}") as socket:
        socket.watch("basket")

        assert socket.page.facts["basket"]["count"] == 0

"""The pages of drops, as visitors with and without scripts use them."""

import subprocess
import sys

import pytest
from django.conf import settings as project
from django.test import Client

from products.drops import services as drops
from products.drops import steps
from products.drops.states import PAUSE, STOP, Turn
from products.models import Drop, Order, Product, Stock, Ticket
from products.pagecache import invalidation
from tests.support.drops import (
    at_place,
    begin,
    buy,
    join,
    later,
    make_drop,
    take,
    ticket,
)
from tests.support.factories import make_shopper, make_variant

pytestmark = pytest.mark.django_db

CHECK = project.BASE_DIR / "static" / "drops" / "check_order.py"


def page(drop: Drop) -> str:
    return f"/drops/{drop.slug}/"


def take_ticket(drop: Drop, client: Client | None = None) -> Client:
    client = client or Client()
    response = client.post(page(drop) + "join/")
    assert response.status_code == 303, response.content
    return client


def test_room_shows_the_hash_and_keeps_the_seed():
    drop = make_drop()

    html = Client().get(page(drop)).text

    assert drop.seed_sha256 in html
    assert drop.seed not in html
    assert "Take a ticket" in html


def test_ticket_is_kept_across_reloads_and_signing_in():
    drop, user = make_drop(), make_shopper()
    client = take_ticket(drop)
    number = Ticket.objects.get().number
    assert number in client.get(page(drop)).text
    take_ticket(drop, client)

    client.post("/users/login/", {"login": user.username, "password": "password"})

    assert number in client.get(page(drop)).text
    assert Ticket.objects.get().user == user


def test_ticket_of_an_account_is_shown_on_another_device():
    drop, user = make_drop(needs_account=True), make_shopper()
    phone, laptop = Client(), Client()
    phone.force_login(user)
    laptop.force_login(user)

    take_ticket(drop, phone)

    assert Ticket.objects.get().number in laptop.get(page(drop)).text


@pytest.mark.parametrize("who", ["visitor", "unverified"])
def test_drop_for_accounts_gives_no_ticket_to_others(who):
    drop, client = make_drop(needs_account=True), Client()
    if who == "unverified":
        client.force_login(make_shopper(verified=False))

    response = client.post(page(drop) + "join/", follow=True)

    assert "Sign in with a verified email address" in response.text
    assert not Ticket.objects.exists()


def test_too_many_tickets_for_a_network_are_refused_in_plain_text(settings):
    settings.DROP_TICKETS_PER_NETWORK = 2
    settings.TRUSTED_PROXY_COUNT = 1
    drop = make_drop()
    here = {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}
    answers = [Client(**here).post(page(drop) + "join/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert answers[2]["Content-Type"] == "text/plain"
    assert answers[2]["Retry-After"]
    assert "Too many tickets were given to your network" in answers[2].text
    elsewhere = Client(HTTP_X_FORWARDED_FOR="192.0.2.8").post(page(drop) + "join/")
    assert elsewhere.status_code == 303


def test_join_without_a_token_is_refused():
    drop = make_drop()

    answer = Client(enforce_csrf_checks=True).post(page(drop) + "join/")

    assert answer.status_code == 403
    assert not Ticket.objects.exists()


def test_number_of_a_ticket_gives_a_stranger_nothing():
    drop = make_drop(make_variant(on_hand=1))
    (owner,) = join(drop)
    drop = begin(drop)
    number = ticket(drop, owner).number
    stranger = Client()

    html = stranger.get(page(drop), {"ticket": number}).text
    claimed = stranger.post(
        page(drop) + "claim/", {"ticket": number, "variant": drop.variants.get().pk}
    )

    assert "<h2>It’s your turn</h2>" not in html
    assert claimed.status_code == 303
    assert claimed["Location"] == page(drop)
    assert Stock.objects.get(pk=drop.variants.get().pk).reserved == 0


def test_page_says_how_many_are_ahead_and_that_units_may_run_out():
    drop = make_drop(make_variant(on_hand=2), admitted_at_once=1)
    join(drop, 3)
    drop = begin(drop)
    client = take_ticket(drop)
    steps.step(drop.pk)

    html = client.get(page(drop)).text

    assert "Your place in the line: 4" in html
    assert "<dd data-ahead>2</dd>" in html
    assert "data-may-run-out>" in html


def test_page_refreshes_itself_without_a_script():
    html = Client().get(page(make_drop())).text

    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in html


def test_turn_leads_through_the_checkout_to_an_order():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant)
    client = take_ticket(drop)
    begin(drop)
    assert "It’s your turn" in client.get(page(drop)).text

    answer = client.post(page(drop) + "claim/", {"variant": variant.pk})

    assert answer["Location"] == "/checkout/"
    assert Stock.objects.get(pk=variant.pk).reserved == 1
    assert "Your units are reserved" in client.get(page(drop)).text
    address = {"email": "a@example.com", "full_name": "A", "line1": "B 1"}
    client.post(
        "/checkout/", address | {"postcode": "12345", "city": "P", "country": "DE"}
    )
    review = client.get("/checkout/review/")
    form = review.context["form"]
    sent = {"shown": form.initial["shown"], "method": "delivery"}
    client.post("/checkout/review/", sent)
    assert Ticket.objects.get().order == Order.objects.get()
    assert "You’ve bought in this drop" in client.get(page(drop)).text


def test_claim_of_more_units_than_allowed_says_so():
    variant = make_variant(on_hand=5)
    drop = make_drop(variant)
    client = take_ticket(drop)
    begin(drop)

    answer = client.post(
        page(drop) + "claim/", {"variant": variant.pk, "quantity": 2}, follow=True
    )

    assert "Each person can buy 1 unit in this drop." in answer.text
    assert Stock.objects.get(pk=variant.pk).reserved == 0


def test_checkout_of_somebody_whose_turn_is_over_leads_to_the_room():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant, turn_s=30)
    client = take_ticket(drop)
    begin(drop)
    client.post(page(drop) + "claim/", {"variant": variant.pk})
    client.post("/basket/update/", {f"quantity-{variant.pk}": 2})  # ends the hold
    Ticket.objects.update(ends_at=later(-1))

    answer = client.get("/checkout/", follow=True)

    assert answer.redirect_chain == [(page(drop), 303)]
    assert "You can buy it when it’s your turn." in answer.text


def test_basket_refuses_the_product_of_a_drop_in_json():
    variant = make_variant()
    make_drop(variant)

    answer = Client().post(
        f"/basket/add/{variant.pk}/", headers={"Accept": "application/json"}
    )

    assert answer.status_code == 422
    assert "sold in a drop" in answer.json()["messages"][0]["text"]


def test_pages_of_the_product_lead_to_the_drop_until_it_is_over():
    variant = make_variant()
    drop = make_drop(variant)
    pages = [variant.product.get_absolute_url(), "/products/"]

    assert all(page(drop) in Client().get(each).text for each in pages)
    assert all("/basket/add/" not in Client().get(each).text for each in pages)
    drops.move(drop, STOP)
    assert all(page(drop) not in Client().get(each).text for each in pages)


def test_cached_page_of_the_product_follows_the_drop(
    settings, monkeypatch, django_capture_on_commit_callbacks
):
    settings.CATALOGUE_MAX_AGE_S = 60
    monkeypatch.setattr(invalidation, "later", lambda task, *args: task(*args))
    variant = make_variant()
    url = variant.product.get_absolute_url()
    assert "/basket/add/" in Client().get(url).text

    with django_capture_on_commit_callbacks(execute=True):
        drop = make_drop(variant)

    assert page(drop) in Client().get(url).text


def test_script_of_the_page_confirms_the_published_order():
    drop = make_drop(make_variant(on_hand=1))
    join(drop, 50)
    promised = Client().get(page(drop)).text
    drop = begin(drop)
    join(drop, 3)
    steps.step(drop.pk)

    line = Client().get(page(drop) + "line.txt").getvalue()

    assert drop.seed_sha256 in promised
    done = check(line, drop.seed_sha256)
    assert done.stdout == b"50 tickets are in the order of the seed.\n", done.stderr
    assert len(CHECK.read_text().splitlines()) <= 11


@pytest.mark.parametrize("how", ["order", "seed"])
def test_script_of_the_page_finds_a_fraud(how):
    """The positive control."""
    drop = make_drop(make_variant(on_hand=1))
    join(drop, 9)
    drop = begin(drop)
    line = Client().get(page(drop) + "line.txt").getvalue()
    if how == "order":
        first, second = (drop.tickets.get(place=n).number.encode() for n in (1, 2))
        line = line.replace(first, b"x").replace(second, first).replace(b"x", second)
    else:
        line = line.replace(drop.seed[:3].encode(), b"abc")

    assert check(line, drop.seed_sha256).returncode != 0


def check(line: bytes, promised: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-I", str(CHECK), promised]
    return subprocess.run(command, input=line, capture_output=True)


def test_order_of_the_line_is_secret_before_the_start():
    drop = make_drop()
    join(drop)

    assert Client().get(page(drop) + "line.txt").status_code == 404


def test_place_that_is_given_up_can_be_taken_again():
    drop = make_drop()
    client = take_ticket(drop)

    client.post(page(drop) + "leave/")

    assert Ticket.objects.get().state == Turn.PASSED
    assert "Queue again" in client.get(page(drop)).text


def test_room_without_a_worker_makes_its_own_steps():
    drop = make_drop(make_variant(on_hand=1))
    client = take_ticket(drop)
    Drop.objects.update(starts_at=later(-3))

    assert "It’s your turn" in client.get(page(drop)).text


def test_room_says_that_it_is_sold_out():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant)
    join(drop)
    drop = begin(drop)
    buy(at_place(drop, 1), variant)
    steps.step(drop.pk)

    html = Client().get(page(drop)).text

    assert "<b>Sold out</b>" in html
    assert "Take a ticket" not in html


def test_room_says_that_units_are_in_baskets():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant)
    (owner,) = join(drop)
    drop = begin(drop)
    take(owner, variant)
    steps.step(drop.pk)

    assert "The last unit is in somebody’s basket" in Client().get(page(drop)).text


def test_paused_drop_says_that_places_are_kept():
    drop = drops.move(begin(make_drop(make_variant(on_hand=1))), PAUSE)

    assert "You keep your place." in Client().get(page(drop)).text


def test_list_shows_drops_that_are_not_over():
    planned, over = make_drop(), make_drop()
    drops.move(over, STOP)

    html = Client().get("/drops/").text

    assert page(planned) in html
    assert page(over) not in html


def test_drop_of_an_inactive_product_is_not_there():
    drop = make_drop()
    Product.objects.update(is_active=False)

    assert Client().get(page(drop)).status_code == 404


def test_page_of_somebody_who_waits_takes_few_queries(django_assert_max_num_queries):
    drop = make_drop(make_variant(on_hand=1))
    client = take_ticket(drop)
    client.get(page(drop))

    with django_assert_max_num_queries(6):
        client.get(page(drop))
    with django_assert_max_num_queries(4):
        client.get(page(drop) + "mine/")

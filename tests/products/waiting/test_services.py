"""Back in stock: one mail each, first come, first served."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from products import tasks
from products.catalogue.exceptions import UnknownProduct
from products.models import Product, StockMovement, Variant, Waiting
from products.stock import services as stock
from products.waiting import services as waiting
from tests.support.factories import make_user, make_variant

pytestmark = pytest.mark.django_db


def ask(variant: Variant, *names: str) -> None:
    for name in names:
        address = f"{name}@example.com"
        assert waiting.ask(variant.pk, address, language="en") is not None


def mailed() -> list[str]:
    """Whom the mails went to, in their order; forgets them."""
    names = [message.to[0].partition("@")[0] for message in mail.outbox]
    mail.outbox.clear()
    return names


@pytest.fixture(autouse=True)
def _at_once(settings) -> None:
    """Mails do not wait for somebody who may read it on the page."""
    settings.WAITING_PATIENCE_S = 0


@pytest.fixture
def lamp() -> Variant:
    """Sold out."""
    variant = make_variant(on_hand=3, name="Brass <lamp> {% x %}")
    stock.claim({variant.pk: 3})
    return variant


# --- Telling ----------------------------------------------------------------------


def test_as_many_people_are_told_as_units_came_back_in_order(lamp):
    ask(lamp, "ann", "bob", "cid", "dan")

    stock.receive(lamp.pk, 2)

    assert tasks.tell_waiting() == 2
    assert mailed() == ["ann", "bob"]
    assert tasks.tell_waiting() == 0, "the same units are told once"
    stock.release({lamp.pk: 1})
    assert tasks.tell_waiting() == 1
    assert mailed() == ["cid"]


def test_units_that_were_counted_count_too(lamp):
    ask(lamp, "ann", "bob")

    stock.count(lamp.pk, 4)
    tasks.tell_waiting()

    assert mailed() == ["ann"]


def test_nobody_is_told_of_units_that_are_gone_again(lamp):
    ask(lamp, "ann")

    stock.receive(lamp.pk, 1)
    stock.claim({lamp.pk: 1})

    assert tasks.tell_waiting() == 0
    stock.release({lamp.pk: 1})
    tasks.tell_waiting()
    assert mailed() == ["ann"]


def test_product_that_is_not_sold_any_more_is_not_told(lamp):
    ask(lamp, "ann")
    Product.objects.update(is_active=False)

    stock.receive(lamp.pk, 1)

    assert tasks.tell_waiting() == 0


def test_units_from_before_somebody_asked_are_not_theirs(lamp):
    stock.receive(lamp.pk, 5)
    stock.claim({lamp.pk: 5})
    ask(lamp, "ann", "bob")

    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()

    assert mailed() == ["ann"]


def test_mail_names_the_product(lamp):
    ask(lamp, "ann")
    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()

    [message] = mail.outbox
    html = message.alternatives[0].content
    assert message.subject == "Brass <lamp> {% x %} is back in stock"
    assert "Brass <lamp> {% x %}" in message.body
    assert "Brass &lt;lamp&gt; {% x %}" in html
    assert lamp.get_absolute_url() in message.body and "/tell-me/stop/" in message.body


def test_mail_waits_while_somebody_may_see_it_on_the_page(lamp, settings):
    settings.WAITING_PATIENCE_S = 3600
    ask(lamp, "ann")
    stock.receive(lamp.pk, 1)

    assert tasks.tell_waiting() == 0

    StockMovement.objects.update(created_at=timezone.now() - timedelta(hours=2))
    tasks.tell_waiting()
    assert mailed() == ["ann"]


def seen(variant: Variant, name: str) -> int:
    request = Waiting.objects.get(email=f"{name}@example.com").pk
    return waiting.seen(variant.pk, user=None, request=request)


def test_person_who_sees_it_on_the_page_gets_no_mail_and_uses_their_turn(lamp):
    ask(lamp, "ann", "bob", "cid")
    stock.receive(lamp.pk, 2)

    assert seen(lamp, "ann") == 1
    assert seen(lamp, "ann") == 0, "once"
    tasks.tell_waiting()

    assert mailed() == ["bob"], "two units, two people"
    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()
    assert mailed() == ["cid"]


def test_person_who_sees_it_before_their_turn_uses_nobodys_turn(lamp):
    ask(lamp, "ann", "bob")
    stock.receive(lamp.pk, 1)

    assert seen(lamp, "bob") == 0
    tasks.tell_waiting()

    assert mailed() == ["ann"]
    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()
    assert mailed() == ["bob"]


def test_page_that_reports_it_too_early_changes_nothing(lamp):
    ask(lamp, "ann")

    assert seen(lamp, "ann") == 0
    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()

    assert mailed() == ["ann"]


@pytest.mark.django_db(transaction=True)
def test_two_people_who_see_it_at_once_get_no_mail(lamp):
    ask(lamp, "ann", "bob", "cid")
    stock.receive(lamp.pk, 2)

    def read(name: str) -> int:
        try:
            return seen(lamp, name)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(read, ["ann", "bob"])) == [1, 1]

    assert tasks.tell_waiting() == 0


@pytest.mark.django_db(transaction=True)
def test_sweepers_at_once_tell_everybody_once(lamp):
    names = [f"user{n:02}" for n in range(20)]
    ask(lamp, *names)
    stock.receive(lamp.pk, 12)

    def sweep(_) -> None:
        try:
            tasks.tell_waiting()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sweep, range(8)))

    assert sorted(mailed()) == names[:12]


# --- Asking -----------------------------------------------------------------------


def test_two_requests_for_one_product_are_one(lamp):
    ask(lamp, "ann", "Ann", "ann")

    assert Waiting.objects.count() == 1


def test_person_who_was_told_may_ask_again(lamp):
    ask(lamp, "ann")
    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()
    stock.claim({lamp.pk: 1})
    ask(lamp, "ann")

    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()

    assert mailed() == ["ann", "ann"]


def test_product_in_stock_takes_no_requests():
    there = make_variant().pk
    assert waiting.ask(there, "ann@example.com", language="en") is None
    assert not Waiting.objects.exists()


def test_unknown_product_is_refused(lamp):
    catalogue_row = Product.objects.filter(pk=lamp.product_id)
    catalogue_row.update(is_active=False)
    for pk in (lamp.pk, 0):
        with pytest.raises(UnknownProduct):
            waiting.ask(pk, "ann@example.com", language="en")


def test_address_waits_for_so_many_products_and_no_more(lamp, settings):
    settings.WAITING_PER_ADDRESS = 1
    ask(lamp, "ann")
    ask(make_variant(on_hand=0), "ann", "bob")

    assert Waiting.objects.filter(email="ann@example.com").count() == 1
    assert Waiting.objects.filter(email="bob@example.com").count() == 1


# --- The pages --------------------------------------------------------------------


def tell_me(variant: Variant) -> str:
    return reverse("products:tell-me", args=[variant.pk])


def test_account_asks_with_one_click_and_cannot_enter_an_address(client, lamp):
    user = make_user()
    client.force_login(user)
    page = client.get(lamp.get_absolute_url())
    assert tell_me(lamp) in page.text and 'name="email"' not in page.text

    page = client.post(tell_me(lamp), {"email": "else@example.com"}, follow=True)

    assert "We’ll email you when Brass &lt;lamp&gt;" in page.text
    assert "We’ll tell you on this page" in page.text
    assert Waiting.objects.get().email == user.email
    assert Waiting.objects.get().user == user


def test_guest_gets_the_same_answer_whether_the_address_is_known_or_not(client, lamp):
    ask(lamp, "ann")
    answers = []
    for name in ("ann", "bob"):
        client.cookies.clear()
        data = {"email": f"{name}@example.com"}
        page = client.post(tell_me(lamp), data, follow=True)
        answers.append(re.findall(r'class="message[^<]*<', page.text))

    assert answers[0] == answers[1] != []
    assert mail.outbox == [], "nothing is written to an address that somebody typed"


def see(client, variant: Variant):
    return client.post(reverse("products:tell-seen", args=[variant.pk]))


def test_guest_who_sees_it_on_the_page_gets_no_mail(client, lamp):
    client.post(tell_me(lamp), {"email": "ann@example.com"})
    stock.receive(lamp.pk, 1)

    assert see(client, lamp).status_code == 204

    assert tasks.tell_waiting() == 0
    stock.claim({lamp.pk: 1})
    page = client.get(lamp.get_absolute_url())
    assert "We’ll tell you on this page" not in page.text, "they may ask again"


def test_account_that_sees_it_on_the_page_gets_no_mail(client, lamp):
    client.force_login(make_user())
    client.post(tell_me(lamp))
    stock.receive(lamp.pk, 1)

    assert see(client, lamp).status_code == 204

    assert tasks.tell_waiting() == 0


def test_visitor_who_entered_a_strangers_address_cannot_end_their_mail(client, lamp):
    ask(lamp, "ann")
    client.post(tell_me(lamp), {"email": "ann@example.com"})
    client.post(tell_me(lamp), {"email": "ann@example.com"})
    stock.receive(lamp.pk, 1)

    assert see(client, lamp).status_code == 204

    tasks.tell_waiting()
    assert mailed() == ["ann"]


def test_visitor_without_a_request_changes_nothing_on_the_page(client, lamp):
    ask(lamp, "ann")
    stock.receive(lamp.pk, 1)

    assert see(client, lamp).status_code == 204
    assert client.post("/products/999/tell-me/seen/").status_code == 204

    assert Waiting.objects.open().exists()


@pytest.mark.parametrize("email", ["", "x", "a@b", "a@example.com\nBcc: b@c.de"])
def test_invalid_address_is_refused(client, lamp, email):
    page = client.post(tell_me(lamp), {"email": email}, follow=True)

    assert "Enter an email address." in page.text
    assert not Waiting.objects.exists()


def test_asking_very_often_is_refused(client, lamp, settings):
    settings.ACCOUNT_RATE_LIMITS = {"tell_me": "1/m/ip"}
    pages = [
        client.post(tell_me(lamp), {"email": f"{name}@example.com"}, follow=True)
        for name in ("ann", "bob")
    ]

    assert "Too many attempts" in pages[1].text
    assert Waiting.objects.get().email == "ann@example.com"


def test_product_in_stock_shows_no_form(client):
    page = client.get(make_variant().get_absolute_url())

    assert re.search(r'data-tell="\d+" hidden', page.text)


def test_unknown_product_is_404(client):
    assert client.post("/products/999/tell-me/").status_code == 404


def test_link_in_the_mail_asks_before_it_deletes_all_requests(client, lamp):
    other = make_variant(on_hand=0)
    ask(lamp, "ann", "bob")
    ask(other, "ann")
    stock.receive(lamp.pk, 1)
    tasks.tell_waiting()
    link = re.search(r"/tell-me/stop/\S+", mail.outbox[0].body)[0]

    assert "Stop all back-in-stock emails" in client.get(link).text
    assert Waiting.objects.open().count() == 2, "looking changes nothing"
    assert "won’t get any more back-in-stock emails" in client.post(link).text

    assert Waiting.objects.open().get().email == "bob@example.com"


@pytest.mark.parametrize("token", ["1", "1:x", "x:y", ":", "%00"])
def test_wrong_link_changes_nothing(client, lamp, token):
    ask(lamp, "ann")

    for answer in (client.get, client.post):
        assert answer(f"/tell-me/stop/{token}/").status_code == 404
    assert Waiting.objects.count() == 1


def test_deleted_account_waits_for_nothing(lamp):
    user = make_user()
    waiting.ask(lamp.pk, user.email, language="en", user=user)

    user.delete()

    assert not Waiting.objects.exists()

"""One order as staff see it: its page, its notes, its packing slip, and the admin's."""

from html import unescape

import pytest
from django.urls import reverse

from products.models import Order, OrderEvent
from products.orders import services as orders
from tests.products.staff.test_board import BOARD, make_clerk
from tests.support.factories import make_order, make_user, make_variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(client):
    user = make_clerk("view_order", "change_order", username="clerk")
    client.force_login(user)
    return user


def page_of(order: Order) -> str:
    return f"{BOARD}{order.number}/"


def test_page_shows_address_lines_and_history(client, clerk):
    order = make_order({make_variant(name="Blue bowl", price="3.00"): 2})
    orders.pack(order, actor=clerk, note="two parcels")

    text = unescape(client.get(page_of(order)).text)

    for part in ("Ann Lee", "High Street 1", "12345 Port", "Germany", "Blue bowl"):
        assert part in text
    for part in ("Includes 19% VAT", "€0.96", "€6.00"):
        assert part in text
    for part in ("ann@example.com", "placed", "packed", "two parcels"):
        assert part in text
    assert order.access_token not in text


@pytest.mark.parametrize("number", ["NOBODY22", "%00", "x" * 300])
def test_order_that_does_not_exist_is_not_found(client, clerk, number):
    for path in (f"{BOARD}{number}/", f"{BOARD}{number}/slip/"):
        assert client.get(path).status_code == 404


def test_note_is_kept_in_the_history_and_moves_nothing(client, clerk):
    order = make_order()

    client.post(page_of(order) + "note/", {"note": "Rings twice"})

    event = OrderEvent.objects.get(note="Rings twice")
    assert (event.actor, event.status, event.version) == (clerk, "pending", 2)
    order.refresh_from_db()
    assert (order.status, order.handler, order.version) == ("pending", None, 2)
    assert "Rings twice" in client.get(page_of(order)).text


@pytest.mark.parametrize("note", ["", "  ", "x" * 501, "a\0b"])
def test_empty_note_is_refused(client, clerk, note):
    order = make_order()

    response = client.post(page_of(order) + "note/", {"note": note}, follow=True)

    assert "The note was not saved." in response.text
    assert order.events.count() == 1


def test_note_that_is_markup_is_shown_as_text(client, clerk):
    order = make_order()
    orders.note(order, actor=clerk, note="<img src=x onerror=alert(1)>")

    assert "<img src=x" not in client.get(page_of(order)).text


def test_page_of_a_long_history_takes_few_queries(
    client, clerk, django_assert_max_num_queries
):
    order = make_order({make_variant(): 1 for _ in range(20)})
    for n in range(30):
        orders.note(order, actor=clerk, note=f"note {n}")

    with django_assert_max_num_queries(15):
        client.get(page_of(order))


def test_packing_slip_has_units_and_address_and_no_price(client, clerk):
    order = make_order({make_variant(name="Blue bowl", price="3.00"): 2})

    text = unescape(client.get(page_of(order) + "slip/").text)

    for part in (
        "Packing slip",
        order.number,
        "Blue bowl",
        "<b>2</b>",
        "High Street 1",
    ):
        assert part in text
    assert "€" not in text and "3.00" not in text and "6.00" not in text


# --- The admin ----------------------------------------------------------------------


def admin_of(order: Order) -> str:
    return reverse("admin:products_order_change", args=[order.pk])


def inline(**fields) -> dict:
    """What the admin's form sends."""
    zero = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"}
    events = {"TOTAL_FORMS": "1", "INITIAL_FORMS": "0"}
    sent = {f"lines-{key}": value for key, value in zero.items()}
    return sent | {f"events-{key}": value for key, value in events.items()} | fields


def test_admin_shows_an_order_and_takes_a_note(client, clerk):
    order = make_order()
    assert "High Street 1" in client.get(admin_of(order)).text

    response = client.post(admin_of(order), inline(**{"events-0-note": "By phone"}))

    assert response.status_code == 302
    event = order.events.get(note="By phone")
    assert (event.actor, event.status) == (clerk, "pending")


def test_admin_changes_nothing_else_of_an_order(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    order = make_order()
    before = Order.objects.values().get()

    forged = {"status": "paid", "total": "0", "email": "evil@example.com"}
    client.post(admin_of(order), inline(**forged))

    assert Order.objects.values().get() == before
    assert order.events.count() == 1
    assert client.get(reverse("admin:products_order_add")).status_code == 403
    delete = reverse("admin:products_order_delete", args=[order.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def test_admin_does_not_show_the_key_to_an_order(client, clerk):
    order = make_order()

    assert order.access_token not in client.get(admin_of(order)).text


def test_staff_who_may_only_view_orders_cannot_add_a_note(client):
    client.force_login(make_clerk("view_order"))
    order = make_order()

    assert client.get(admin_of(order)).status_code == 200
    client.post(admin_of(order), inline(**{"events-0-note": "By phone"}))
    client.post(page_of(order) + "note/", {"note": "Rings twice"})

    assert order.events.count() == 1

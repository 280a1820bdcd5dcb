"""Delivery from the basket to the order: offered, chosen, agreed and shown."""

import csv
import io
from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from products.live import baskets as contents
from products.live.viewers import Owner
from products.models import Basket, Order, ShippingMethod, ShippingZone
from products.shipping import services as shipping
from products.shipping.services import PriceBand
from tests.products.orders.test_checkout import (
    CHECKOUT,
    GUEST,
    REVIEW,
    bring,
    fields,
    table,
    text,
)
from tests.products.shipping.test_services import make_method, make_zone
from tests.support.factories import (
    make_address,
    make_basket,
    make_owner,
    make_shopper,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db
DELIVERY = reverse("products:checkout-delivery")


@pytest.fixture
def zone() -> ShippingZone:
    return make_zone("Germany", countries=["DE"])


@pytest.fixture
def standard(zone) -> ShippingMethod:
    return make_method(zone, (0, None, "4.90"), name="Standard", carrier="Swift")


@pytest.fixture
def express(zone, standard) -> ShippingMethod:
    return make_method(
        *(zone, (0, None, "12.90")), name="Express", days_to=1, position=2
    )


@pytest.fixture
def basket(client) -> Basket:
    """A guest's, with two lamps at 12.50."""
    return bring(client, {make_variant(price="12.50"): 2})


def review(client: Client, **place: str) -> str:
    """Enter the address and open the review page."""
    client.get(CHECKOUT)
    client.post(CHECKOUT, GUEST | place)
    return client.get(REVIEW).text


def set_price(method: ShippingMethod, price: str) -> None:
    shipping.set_prices(method, [PriceBand(Decimal(0), None, Decimal(price))])


def sums(order: Order) -> tuple:
    return order.goods, order.shipping, order.total


# --- The price --------------------------------------------------------------------


def test_order_costs_goods_and_delivery_and_says_how_it_is_delivered(
    client, basket, standard
):
    form = fields(review(client))
    assert "delivery" not in form  # there is one method only

    client.post(REVIEW, form)

    order = Order.objects.get()
    assert sums(order) == (25, Decimal("4.90"), Decimal("29.90"))
    assert (order.delivery_name, order.delivery_carrier) == ("Standard", "Swift")
    assert (order.agreed_delivery["days"], order.is_pickup) == ((1, 3), False)
    assert sum(part.amount for part in order.shipping_parts.all()) == order.shipping


def test_shop_without_zones_delivers_at_no_charge(client, basket):
    page = review(client)
    client.post(REVIEW, fields(page))

    assert "Delivery Included" in text(page)
    assert sums(Order.objects.get()) == (25, 0, 25)


def test_delivery_is_free_from_its_amount_of_goods(client, basket, standard):
    standard.free_from = Decimal("25.00")
    standard.save()

    page = review(client)
    client.post(REVIEW, fields(page))

    assert "Standard (Swift), 1–3 working days Free" in text(page)
    assert Order.objects.get().shipping == 0


def test_page_of_review_offers_every_method_with_price_and_days(
    client, basket, standard, express
):
    page = text(review(client))

    assert "Standard Swift, 1–3 working days €4.90" in page
    assert "Express 1 working day €12.90" in page


# --- The choice -------------------------------------------------------------------


def test_method_that_is_chosen_changes_the_total_and_is_ordered(
    client, basket, standard, express
):
    form = fields(review(client))
    assert form["delivery"] == str(standard.pk)

    answer = client.post(DELIVERY, form | {"delivery": express.pk})
    page = client.get(REVIEW).text
    client.post(REVIEW, fields(page))

    assert (answer.status_code, answer["Location"]) == (303, REVIEW)
    assert fields(page)["delivery"] == str(express.pk)
    assert "Place order · €37.90" in page
    order = Order.objects.get()
    assert (order.delivery_name, order.total) == ("Express", Decimal("37.90"))


def test_method_chosen_without_updating_the_total_is_asked_for_again(
    client, basket, standard, express
):
    form = fields(review(client))

    refused = client.post(REVIEW, form | {"delivery": express.pk})

    assert refused.status_code == 409
    assert not Order.objects.exists()
    rows = table(refused)
    assert rows["Method of delivery"] == [
        "Standard (Swift), 1–3 working days",
        "Express, 1 working day",
    ]
    assert rows["Delivery"] == ["€4.90", "€12.90"]
    client.post(REVIEW, fields(refused.text))
    assert Order.objects.get().total == Decimal("37.90")


@pytest.mark.parametrize("chosen", ["999999", "x", "", "-1"])
def test_method_that_does_not_exist_changes_nothing(client, basket, standard, chosen):
    form = fields(review(client))

    client.post(DELIVERY, {"delivery": chosen})
    client.post(REVIEW, form | {"delivery": chosen})

    assert Order.objects.get().delivery_name == "Standard"


def test_method_of_another_zone_cannot_be_ordered(client, basket, standard):
    cheap = make_method(make_zone("FR", countries=["FR"]), (0, None, "0.10"))
    form = fields(review(client))

    client.post(DELIVERY, {"delivery": cheap.pk})
    client.post(REVIEW, form | {"delivery": cheap.pk})

    assert Order.objects.get().shipping == Decimal("4.90")


# --- What changes meanwhile -------------------------------------------------------


def test_price_of_delivery_that_rose_is_shown_before_anything_is_ordered(
    client, basket, standard
):
    form = fields(review(client))
    set_price(standard, "6.90")

    refused = client.post(REVIEW, form)

    assert refused.status_code == 409
    assert not Order.objects.exists()
    rows = table(refused)
    assert "Method of delivery" not in rows
    assert rows["Delivery"] == ["€4.90", "€6.90"]
    assert rows["Total"] == ["€29.90", "€31.90"]
    client.post(REVIEW, fields(refused.text))
    assert Order.objects.get().total == Decimal("31.90")


def test_method_that_staff_removed_is_replaced_by_another_and_shown(
    client, basket, standard, express
):
    form = fields(review(client))
    standard.delete()

    refused = client.post(REVIEW, form)

    assert refused.status_code == 409
    assert "Express" in table(refused)["Method of delivery"][1]


def test_zone_that_closed_meanwhile_orders_nothing_and_says_so(
    client, basket, zone, standard
):
    form = fields(review(client))
    zone.is_active = False
    zone.save()

    refused = client.post(REVIEW, form)

    assert refused.status_code == 409
    assert "We don’t deliver these products to this address" in text(refused.text)
    assert not Order.objects.exists()


def test_other_address_is_delivered_by_the_methods_of_its_zone(
    client, basket, standard, express
):
    islands = make_zone("Islands", countries=[], postcodes="DE: 27498")
    make_method(islands, (0, None, "17.90"), name="Ferry")
    review(client)
    client.post(DELIVERY, {"delivery": express.pk})

    page = review(client, postcode="27498")

    assert "Express" not in page
    client.post(REVIEW, fields(page))
    order = Order.objects.get()
    assert (order.delivery_name, order.shipping) == ("Ferry", Decimal("17.90"))


# --- Where the shop does not deliver ----------------------------------------------


def test_address_without_a_method_is_refused_before_the_review(client, basket, zone):
    make_method(zone, (10**9, None, "4.90"))

    client.get(CHECKOUT)
    client.post(CHECKOUT, GUEST)
    answer = client.get(REVIEW)

    assert answer.status_code == 409
    assert "We don’t deliver these products to this address" in text(answer.text)
    assert "Enter another address" in answer.text


def test_basket_says_where_the_shop_does_not_deliver(client, basket, zone):
    page = client.get(reverse("products:basket"))

    assert "We don’t deliver these products to Germany." in text(page.text)


def test_basket_shows_what_delivery_costs(client, basket, standard):
    page = text(client.get(reverse("products:basket")).text)

    assert "Delivery Standard (Swift), 1–3 working days €4.90" in page
    assert "Delivery to Germany. You can choose how at checkout." in page
    assert "Total €29.90" in page


def test_basket_keeps_silent_while_the_postcode_decides(client, basket):
    make_zone("Islands", countries=[], postcodes="DE: 27498")

    page = client.get(reverse("products:basket"))

    assert "We don’t deliver" not in page.text


def test_countries_to_choose_from_are_those_of_the_zones(client, basket, standard):
    make_zone("Islands", countries=[], postcodes="ES: 35")

    page = client.get(CHECKOUT)
    answer = client.post(CHECKOUT, GUEST | {"country": "FR"})

    choices = dict(page.context["form"].fields["country"].choices)
    assert set(choices) - {""} == {"DE", "ES"}
    assert answer.status_code == 200
    assert "country" in answer.context["form"].errors


def test_saved_address_in_another_country_is_refused(client, standard):
    shopper = make_shopper()
    abroad = make_address(shopper, country="FR", postcode="44000", city="Nantes")
    client.force_login(shopper)
    make_basket(Owner(user_id=shopper.pk), {make_variant(): 1})

    answer = client.post(CHECKOUT, {"saved": abroad.pk})

    assert "We don’t deliver to this country: France." in text(answer.text)


# --- Pick-up ----------------------------------------------------------------------


def test_pickup_costs_nothing_and_is_noted_on_the_order(client, basket, zone):
    ShippingMethod.objects.create(
        zone=zone, name="Pick-up", is_pickup=True, days_from=0, days_to=0
    )

    page = review(client)
    client.post(REVIEW, fields(page))

    assert "Pick-up, today" in text(page)
    order = Order.objects.get()
    assert (order.is_pickup, order.shipping) == (True, 0)


# --- Everywhere it is shown -------------------------------------------------------


@pytest.fixture
def order(client, basket, standard) -> Order:
    client.post(REVIEW, fields(review(client)))
    return Order.objects.get()


def test_page_of_the_order_shows_the_delivery(client, order):
    page = text(client.get(f"/orders/{order.number}/").text)

    assert "Delivery Standard (Swift), 1–3 working days €4.90" in page


def test_mail_of_the_order_says_the_delivery(order):
    (message,) = mail.outbox

    line = "Delivery: Standard (Swift), 1–3 working days: €4.90"
    assert line in message.body
    assert line.replace(": €", " · €") in text(message.alternatives[0].content)


def test_staff_see_the_delivery_on_card_page_slip_and_export(client, order):
    client.force_login(make_user(is_staff=True, is_superuser=True))

    board = client.get(reverse("staff:orders")).text
    page = client.get(reverse("staff:order", args=[order.number])).text
    slip = client.get(reverse("staff:order-slip", args=[order.number])).text
    day = order.placed_at.date().isoformat()
    export = client.get(reverse("staff:orders-export"), {"since": day, "until": day})

    assert "<span>Standard</span>" in board
    assert "Standard (Swift), 1–3 working days" in text(page)
    assert "Standard (Swift)" in slip
    (row,) = csv.DictReader(io.StringIO(export.getvalue().decode("utf-8-sig")))
    assert (row["delivery"], row["carrier"]) == ("Standard", "Swift")
    assert row["shipping"] == "4.90"


# --- The live topic ---------------------------------------------------------------


def test_topic_of_the_basket_has_the_offers_and_the_total(standard, express):
    owner = make_owner()
    make_basket(owner, {make_variant(price="12.50"): 2})

    facts = contents.contents(owner).facts

    delivery = facts["delivery"]
    assert [offer["name"] for offer in delivery["offers"]] == ["Standard", "Express"]
    assert delivery["chosen"]["price"] == facts["shipping"] == "4.90"
    assert facts["total"] == "29.90"


@pytest.mark.django_db(transaction=True)
def test_choice_reaches_the_other_tabs(client, basket, standard, express, hear):
    review(client)

    with hear("basket:lines:tabc") as events:
        client.post(DELIVERY, {"delivery": express.pk})

    chosen = Basket.objects.get()
    assert chosen.shipping_method == express
    assert [event["version"] for event in events] == [chosen.version]

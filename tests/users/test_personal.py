"""The download of personal data, and the deletion of accounts."""

import json
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.files.base import ContentFile
from django.db.models import EmailField
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from post_office.models import Email

from products import personal
from products.basket import holds
from products.basket import services as baskets
from products.basket.exceptions import BasketClosed
from products.live.viewers import Owner
from products.models import Basket, Order, Payment, VatNumber, Waiting
from products.orders import placing
from products.orders import services as orders
from products.stock import books
from products.vat import services as vat
from project.personal import Section, keepers
from tests.products.vat.business import BUSINESS, COMPANY, DANISH, give_number
from tests.support.concurrency import together
from tests.support.factories import (
    CONTACT,
    make_address,
    make_basket,
    make_order,
    make_shopper,
    make_user,
    make_variant,
)
from users import deletion
from users.models import Session, User

pytestmark = pytest.mark.django_db

DATA, DELETE = "/users/data/", "/users/data/delete/"
DOWNLOAD = "/users/data/download/"


@pytest.fixture
def shopper() -> User:
    return make_shopper(email="ann@example.com", first_name="Ann")


def finished(user: User, **fields) -> Order:
    """An order that was packed, shipped and delivered."""
    staff = make_user(is_staff=True)
    order = make_order(user=user, **fields)
    for step in (orders.pack, orders.ship, orders.deliver):
        order = step(order, actor=staff)
    return order


def sign_in(client: Client, user: User) -> None:
    """And say again that it is them."""
    client.post("/users/login/", {"login": user.username, "password": "password"})
    client.post("/users/reauthenticate/", {"password": "password"})


def delete(client: Client, user: User) -> HttpResponse:
    sign_in(client, user)
    return client.post(DELETE, {"is_sure": "on"}, follow=True)


# --- Every model ------------------------------------------------------------------


def refers_to_people(model) -> bool:
    return model is User or any(
        (
            field.related_model is User
            if field.is_relation
            else isinstance(field, EmailField) or field.name in ("email", "to")
        )
        for field in model._meta.local_fields
    )


def test_every_model_that_refers_to_people_is_in_the_download_or_says_why_not():
    listed = {s.model._meta.label for keeper in keepers() for s in keeper.SECTIONS}
    listed |= {label for keeper in keepers() for label in keeper.NOT_THEIRS}

    referring = {
        model._meta.label
        for model in apps.get_models(include_auto_created=True)
        if refers_to_people(model)
    }

    assert len(referring) >= 12
    assert (
        referring - listed == set()
    ), "A new model: add it to a keeper of PERSONAL_DATA."


def test_every_relation_to_people_is_looked_up_by_some_section():
    by = {(s.model, s.by) for keeper in keepers() for s in keeper.SECTIONS}

    missing = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if field.is_relation and field.related_model is User
        if (model, field.name) not in by
    ]

    assert missing == []


# --- Taking it along --------------------------------------------------------------


def test_download_holds_what_is_kept_and_nothing_secret_or_of_others(client, shopper):
    make_address(shopper, line1="1 Long Street")
    order = make_order(user=shopper)
    make_order()
    Waiting.objects.create(variant=make_variant(), email="ANN@example.com")
    SocialAccount.objects.create(user=shopper, provider="github", uid="7")
    sign_in(client, shopper)
    Authenticator.objects.create(user=shopper, type="totp", data={"secret": "S3CR3T"})

    response = client.get(DOWNLOAD)

    data = json.loads(response.content)
    assert response["Content-Type"].startswith("application/json")
    assert response["Content-Disposition"].endswith('-data.json"')
    assert "no-store" in response["Cache-Control"]
    assert data["account"][0]["email"] == "ann@example.com"
    assert [row["number"] for row in data["orders"]] == [order.number]
    assert data["order_lines"][0]["order__number"] == order.number
    assert data["postal_addresses"][0]["line1"] == "1 Long Street"
    assert [row["email"] for row in data["waiting_for"]] == ["ANN@example.com"]
    assert data["connected_accounts"][0]["uid"] == "7"
    assert data["second_factors"][0]["type"] == "totp"
    for secret in ("S3CR3T", shopper.password, order.access_token):
        assert secret not in response.text


def test_download_leaves_out_what_is_known_by_an_address_that_is_not_verified(client):
    user = make_user(email="victim@example.com")
    Waiting.objects.create(variant=make_variant(), email="victim@example.com")
    sign_in(client, user)

    data = json.loads(client.get(DOWNLOAD).content)

    assert data["waiting_for"] == [] and data["mails"] == []


def test_download_has_company_and_vat_number_of_account_basket_and_orders(
    client, shopper
):
    number = give_number(shopper)
    make_order(user=shopper, contact=BUSINESS)
    baskets.set_destination(
        make_basket(Owner(user_id=shopper.pk), {make_variant(): 1}),
        *("DK", "1401", number.number),
    )
    give_number(make_shopper())
    sign_in(client, shopper)

    data = json.loads(client.get(DOWNLOAD).content)

    (row,) = data["vat_numbers"]
    (order,) = data["orders"]
    assert (row["number"], row["company"]) == (DANISH, COMPANY)
    assert row["status"] == "accepted"
    assert (order["vat_number"], order["company"]) == (DANISH, COMPANY)
    assert DANISH in [basket["vat_number"] for basket in data["baskets"]]
    assert data["vat_numbers_decided"] == [{"number": DANISH, "status": "accepted"}]


@pytest.mark.parametrize("page", [DOWNLOAD, DELETE])
def test_data_pages_require_a_recent_authentication(client, shopper, page):
    client.force_login(shopper)

    response = client.get(page)

    assert response.status_code == 302
    assert response["Location"].startswith("/users/reauthenticate/?next=")
    assert client.post(DELETE, {"is_sure": "on"}).status_code == 302
    assert User.objects.filter(pk=shopper.pk).exists()


def test_section_has_at_most_the_limit_of_rows(monkeypatch, shopper):
    monkeypatch.setattr("project.personal.LIMIT", 2)
    section = Section("orders", Order, ("number",))
    numbers = [make_order(user=shopper).number for _ in range(3)]

    rows = section.rows(shopper, [])

    assert [row["number"] for row in rows] == numbers[:0:-1]


# --- Leaving ----------------------------------------------------------------------


def test_deletion_page_explains_the_deletion_and_requires_a_tick(client, shopper):
    sign_in(client, shopper)

    page = client.get(DELETE)
    refused = client.post(DELETE, {})

    assert "keep the name and address on the invoice for 10 years" in page.text
    assert "Tick the box" in refused.text
    assert User.objects.filter(pk=shopper.pk).exists()


def test_deletion_deletes_all_data_of_the_owner_alone(
    client, client_of, shopper, settings, django_capture_on_commit_callbacks
):
    lamp = make_variant(on_hand=5)
    shopper.picture.save("ann.webp", ContentFile(b"x"))
    place = shopper.picture.storage
    name = shopper.picture.name
    make_address(shopper)
    holds.start(make_basket(Owner(user_id=shopper.pk), {lamp: 2}))
    Waiting.objects.create(variant=lamp, email="ANN@example.com")
    Waiting.objects.create(variant=lamp, email="other@example.com")
    SocialAccount.objects.create(user=shopper, provider="github", uid="7")
    Email.objects.create(to="ann@example.com", from_email="shop@example.com")
    elsewhere = client_of(shopper)
    staff = make_user()
    LogEntry.objects.create(
        user=staff,
        content_type_id=1,
        object_id="0",
        object_repr="else",
        action_flag=2,
    )

    with django_capture_on_commit_callbacks(execute=True):
        response = delete(client, shopper)

    assert "Your account has been deleted" in response.text
    assert "We have sent a confirmation to ann@example.com" in response.text
    assert not User.objects.filter(pk=shopper.pk).exists()
    assert not Session.objects.filter(user_id=shopper.pk).exists()
    assert "_auth_user_id" not in elsewhere.session
    assert not EmailAddress.objects.filter(email="ann@example.com").exists()
    assert [w.email for w in Waiting.objects.all()] == ["other@example.com"]
    assert not Basket.objects.exists() and not Email.objects.exists()
    assert not place.exists(name)
    lamp.stock.refresh_from_db()
    assert lamp.stock.reserved == 0 and not books.reconcile()
    assert mail.outbox[-1].subject == "Your account has been deleted"
    assert mail.outbox[-1].to == ["ann@example.com"]


def test_order_under_way_keeps_what_delivering_takes_and_loses_it_afterwards(
    client, shopper
):
    order = make_order(user=shopper)
    staff = make_user(is_staff=True)

    delete(client, shopper)

    order.refresh_from_db()
    assert order.user is None and order.email and order.full_name
    assert f"Order {order.number} is still in progress" in mail.outbox[-1].body
    assert order.access_token in mail.outbox[-1].body
    assert "deleted their account" in order.events.last().note
    assert personal.erase_departed() == 0
    orders.deliver(
        orders.ship(orders.pack(order, actor=staff, note="rang +49 30 1"), actor=staff),
        actor=staff,
    )
    assert personal.erase_departed() == 1
    order.refresh_from_db()
    assert (order.email, order.phone) == ("", "")
    assert order.full_name and order.line1, "on the invoice"
    assert not order.events.filter(note__contains="+49").exists()
    assert personal.erase_departed() == 0


@pytest.mark.parametrize("days, is_kept", [(3650, True), (3660, False)])
def test_finished_order_keeps_its_invoice_for_the_legal_years(
    client, shopper, days, is_kept
):
    order = finished(shopper)
    Order.objects.filter(pk=order.pk).update(
        placed_at=timezone.now() - timedelta(days=days)
    )

    delete(client, shopper)

    order.refresh_from_db()
    assert order.user is None and order.email == ""
    assert bool(order.full_name) == bool(order.line1) == is_kept
    assert order.country and order.total, "for the tax"


def test_order_of_a_business_keeps_company_and_vat_number_as_its_name(client, shopper):
    give_number(shopper)
    unpaid = orders.cancel(make_order(user=shopper, contact=BUSINESS))
    invoiced = finished(shopper, contact=BUSINESS)

    delete(client, shopper)

    unpaid.refresh_from_db()
    invoiced.refresh_from_db()
    assert (unpaid.company, unpaid.vat_number) == ("", "")
    assert (invoiced.company, invoiced.vat_number) == (COMPANY, DANISH)
    assert not VatNumber.objects.exists()
    assert not Basket.objects.exclude(vat_number="").exists()


def test_number_that_departed_staff_accepted_stays_accepted(client, shopper):
    staff = make_user(is_staff=True)
    number = vat.accept(give_number(shopper, accepted=False), by=staff)

    delete(client, staff)

    number.refresh_from_db()
    assert (number.status, number.decided_by) == ("accepted", None)


def test_order_cancelled_unpaid_keeps_nothing_and_refunded_keeps_its_invoice(
    client, shopper
):
    unpaid = orders.cancel(make_order(user=shopper))
    refunded = orders.cancel(make_order(user=shopper))
    refunding = orders.cancel(make_order(user=shopper))
    for order, status in [(refunded, "refunded"), (refunding, "refunding")]:
        Payment.objects.create(
            order=order, provider="stripe", status=status, amount=1, currency="EUR"
        )

    delete(client, shopper)

    for order in (unpaid, refunded, refunding):
        order.refresh_from_db()
    assert (unpaid.full_name, unpaid.city, unpaid.email) == ("", "", "")
    assert refunded.full_name and not refunded.email
    assert refunding.email, "the money is still on its way"


def test_order_shipped_long_ago_counts_as_delivered(shopper, client):
    staff = make_user(is_staff=True)
    order = orders.ship(orders.pack(make_order(user=shopper), actor=staff), actor=staff)
    Order.objects.update(changed_at=timezone.now() - timedelta(days=91))

    delete(client, shopper)

    order.refresh_from_db()
    assert order.email == "" and order.full_name


def test_staff_read_why_an_order_has_no_address(client, shopper, client_of):
    order = orders.cancel(make_order(user=shopper))
    delete(client, shopper)
    staff = make_user(is_staff=True, is_superuser=True)

    page = client_of(staff).get(f"/staff/orders/{order.number}/")

    assert "Erased. The shopper deleted their account." in page.text
    assert "mailto:" not in page.text


def test_orders_of_others_lose_nothing(client, shopper):
    others = [finished(make_shopper()), orders.cancel(make_order())]

    delete(client, shopper)
    personal.erase_departed()

    for order in others:
        order.refresh_from_db()
        assert order.email and order.full_name


def test_deletion_is_confirmed_by_mail_and_deletes_mails_of_verified_addresses_only(
    client,
):
    user = make_user(email="victim@example.com")
    Email.objects.create(to="victim@example.com", from_email="shop@example.com")
    Waiting.objects.create(variant=make_variant(), email="victim@example.com")

    delete(client, user)

    assert Email.objects.count() == Waiting.objects.count() == 1
    assert not User.objects.filter(pk=user.pk).exists()


def test_last_administrator_cannot_be_deleted_but_the_last_but_one_can(client):
    first, second = (make_user(is_superuser=True, is_staff=True) for _ in range(2))
    make_user(is_superuser=True, is_active=False)

    deletion.delete(first, is_by_staff=True)
    page = delete(client, second)

    assert "last administrator account" in page.text
    assert list(User.objects.filter(is_active=True)) == [second]


def test_admin_deletes_people_the_same_way(client, admin_client, shopper):
    order = finished(shopper)
    other = make_shopper()
    page = "/admin/users/user/"

    admin_client.post(f"{page}{shopper.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": other.pk, "post": "yes"}
    admin_client.post(page, chosen)

    order.refresh_from_db()
    assert order.email == "" and order.departed_at
    assert not User.objects.filter(pk__in=[shopper.pk, other.pk]).exists()
    deleted = [
        one.to for one in mail.outbox if "account has been deleted" in one.subject
    ]
    assert deleted == [[shopper.email], [other.email]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_order_placed_while_its_account_is_deleted_is_departed_or_not_placed(attempt):
    user = make_shopper()
    basket = holds.start(make_basket(Owner(user_id=user.pk), {make_variant(): 1}))
    terms = placing.terms(basket, CONTACT)

    def place() -> Order:
        options = {"method": Order.Method.DELIVERY, "language": "en", "user": user}
        return placing.place(basket, CONTACT, seen=terms, **options)

    placed, deleted = together([place, lambda: deletion.delete(user)])

    assert deleted is None
    assert isinstance(placed, (Order, BasketClosed))
    for order in Order.objects.all():
        assert order.user is None and order.departed_at
    assert books.reconcile() == []

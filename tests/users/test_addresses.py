"""Postal addresses: only the user's own, and exactly one default."""

import pytest
from django.urls import reverse

from tests.support.concurrency import together
from tests.support.factories import make_address, make_shopper
from users import addresses
from users.models import Address

pytestmark = pytest.mark.django_db

PROFILE, ADD = "/users/profile/", "/users/addresses/add/"
HOME = {
    "full_name": "Anna Núñez",
    "line1": "Hafenstraße 7",
    "line2": "",
    "postcode": "20457",
    "city": "Hamburg",
    "region": "",
    "country": "DE",
    "phone": "+49 40 1234567",
}


@pytest.fixture
def anna(client):
    anna = make_shopper()
    client.force_login(anna)
    return anna


def add(client, **data):
    return client.post(ADD, HOME | data)


def page_of(address, action):
    return reverse(f"users:address-{action}", args=[address.pk])


def defaults(user) -> list[str]:
    return [a.city for a in user.addresses.filter(is_default=True)]


def cities(user) -> list[str]:
    return [address.city for address in user.addresses.all()]


# --- One's own --------------------------------------------------------------------


def test_address_added_is_listed_and_the_first_is_the_default(client, anna):
    response = add(client)
    add(client, city="Altona")

    page = client.get(response.url)
    assert response.url == PROFILE
    assert "Address added." in page.text
    assert "Hafenstraße 7" in page.text and "Altona" in page.text
    assert [a.city for a in page.context["addresses"]] == ["Hamburg", "Altona"]
    assert defaults(anna) == ["Hamburg"]


def test_address_form_tells_browsers_what_each_field_is_for(client, anna):
    page = client.get(ADD)

    fields = page.context["form"].fields
    kinds = {name: f.widget.attrs["autocomplete"] for name, f in fields.items()}
    assert kinds == {
        "full_name": "name",
        "line1": "address-line1",
        "line2": "address-line2",
        "postcode": "postal-code",
        "city": "address-level2",
        "region": "address-level1",
        "country": "country",
        "phone": "tel",
    }
    assert 'type="tel"' in page.text
    assert "<title>Add address ·" in page.text


@pytest.mark.parametrize(
    "field, value",
    [
        ("full_name", ""),
        ("full_name", "a" * 121),
        ("full_name", "Anna\nNúñez"),
        ("line1", "\x00"),
        ("line2", "\u202e7"),
        ("postcode", "2" * 21),
        ("city", "\x1b[2J"),
        ("region", "a" * 81),
        ("country", ""),
        ("country", "XX"),
        ("phone", "call me"),
        ("phone", "1" * 31),
    ],
)
def test_address_with_an_error_shows_it_beside_the_field(client, anna, field, value):
    page = add(client, **{field: value})

    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert not Address.objects.exists()


def test_address_changed_stays_the_default(client, anna):
    address = make_address(anna)

    response = client.post(page_of(address, "edit"), HOME | {"city": "Bremen"})

    assert "Address saved." in client.get(response.url).text
    assert cities(anna) == defaults(anna) == ["Bremen"]


def test_address_deleted_is_gone_and_the_next_becomes_the_default(client, anna):
    first, second = make_address(anna, city="A"), make_address(anna, city="B")
    make_address(anna, city="C")
    assert client.get(page_of(first, "delete")).status_code == 200
    assert defaults(anna) == ["A"]

    response = client.post(page_of(first, "delete"))
    assert "Address deleted." in client.get(response.url).text
    assert (cities(anna), defaults(anna)) == (["B", "C"], ["B"])

    client.post(page_of(second, "delete"))
    assert (cities(anna), defaults(anna)) == (["C"], ["C"])


def test_address_deleted_that_was_not_the_default_keeps_the_default(client, anna):
    make_address(anna, city="A")

    client.post(page_of(make_address(anna, city="B"), "delete"))

    assert defaults(anna) == ["A"]


def test_address_made_the_default_replaces_the_old_one(client, anna):
    make_address(anna, city="A")
    second = make_address(anna, city="B")

    assert client.get(page_of(second, "default")).status_code == 405
    response = client.post(page_of(second, "default"))

    assert defaults(anna) == ["B"]
    assert "This is now your default address." in client.get(response.url).text


def test_addresses_are_twenty_at_most(client, anna):
    for n in range(19):
        make_address(anna, city=f"City {n}")
    assert not client.get(PROFILE).context["address_limit_reached"]
    add(client, city="The last")
    assert client.get(PROFILE).context["address_limit_reached"]

    page = add(client, city="One more")

    assert "You already have 20 addresses." in page.text
    assert anna.addresses.count() == 20


# --- Nobody else's ----------------------------------------------------------------


@pytest.mark.parametrize("action", ["edit", "delete", "default"])
def test_address_of_somebody_else_is_not_found(client, anna, action):
    ben = make_shopper()
    make_address(ben, city="A")
    theirs = make_address(ben, city="B")

    for answer in (
        client.post(page_of(theirs, action), HOME),
        *([] if action == "default" else [client.get(page_of(theirs, action))]),
    ):
        assert answer.status_code == 404
    assert (cities(ben), defaults(ben)) == (["A", "B"], ["A"])


def test_addresses_of_somebody_else_are_not_listed(client, anna):
    make_address(make_shopper(), line1="Secret Lane 1")

    assert "Secret Lane" not in client.get(PROFILE).text


def test_addresses_require_a_sign_in(client):
    address = make_address(make_shopper())

    for path in (ADD, *(page_of(address, a) for a in ("edit", "delete", "default"))):
        assert client.post(path, HOME).url == f"/users/login/?next={path}"
    assert Address.objects.count() == 1


# --- At once ----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_addresses_added_at_once_have_one_default():
    anna = make_shopper()

    outcomes = together([lambda: make_address(anna)] * 8)

    assert not [o for o in outcomes if isinstance(o, Exception)]
    assert anna.addresses.count() == 8
    assert len(defaults(anna)) == 1


@pytest.mark.django_db(transaction=True)
def test_addresses_added_at_once_are_twenty_at_most():
    anna = make_shopper()
    for _ in range(17):
        make_address(anna)

    outcomes = together([lambda: make_address(anna)] * 6)

    refused = [o for o in outcomes if isinstance(o, addresses.TooManyAddresses)]
    assert len(refused) == 3
    assert anna.addresses.count() == 20


@pytest.mark.django_db(transaction=True)
def test_addresses_made_default_and_deleted_at_once_leave_one_default():
    anna = make_shopper()
    mine = [make_address(anna) for _ in range(8)]

    outcomes = together(
        [lambda a=a: addresses.make_default(a) for a in mine]
        + [lambda a=a: addresses.remove(a) for a in mine[:4]]
    )

    errors = [o for o in outcomes if o is not None]
    assert all(isinstance(error, Address.DoesNotExist) for error in errors)
    assert anna.addresses.count() == 4
    assert len(defaults(anna)) == 1


def test_address_made_default_after_its_deletion_changes_nothing(anna):
    make_address(anna, city="A")
    gone = make_address(anna, city="B")
    Address.objects.filter(pk=gone.pk).delete()

    with pytest.raises(Address.DoesNotExist):
        addresses.make_default(gone)

    assert defaults(anna) == ["A"]

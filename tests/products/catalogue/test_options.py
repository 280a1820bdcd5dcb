"""The options of a product, and the values that its variants have for them."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from products.catalogue import options
from products.catalogue import services as catalogue
from products.catalogue.exceptions import WrongOptions
from products.models import Product, Variant
from tests.support.admin_forms import form_values
from tests.support.factories import make_category, make_options, make_user, make_variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def mugs() -> list[Variant]:
    return make_options(
        {"sku": "M-CS", "option_values": ["Chalk", "S"]},
        {"sku": "M-TS", "option_values": ["Tide", "S"]},
        names=["Colour", "Size"],
        name="Mug",
    )


def another(*values: str) -> Variant:
    return Variant(sku="NEW", price=Decimal(1), option_values=list(values))


# --- The service ------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, problem",
    [
        (["Moss"], "NEW has 1 option values. The product has 2 options."),
        (["Moss", "S", "x"], "NEW has 3 option values. The product has 2 options."),
        (["Moss", ""], "NEW has no value for “Size”."),
        (["Moss", " "], "NEW has no value for “Size”."),
        (["Tide", "S"], "Another variant is “Tide, S” already."),
        (["tide ", "s"], "Another variant is “tide , s” already."),
    ],
)
def test_save_of_a_variant_with_wrong_values_is_refused(mugs, values, problem):
    variant = another(*values)

    with pytest.raises(WrongOptions, match=f"^{problem}$") as refusal:
        catalogue.save(mugs[0].product, variants=[variant])

    assert refusal.value.variant is variant
    assert Variant.objects.count() == 2


@pytest.mark.parametrize(
    "names, problem",
    [
        (["Colour"], "M-CS has 2 option values. The product has 1 options."),
        (["Colour", ""], "Each option needs a name."),
        (["Colour", "colour"], "Two options have the same name."),
        (["A", "B", "C", "D"], "A product has at most 3 options."),
    ],
)
def test_save_of_a_product_with_wrong_options_is_refused(mugs, names, problem):
    product = mugs[0].product
    product.option_names = names

    with pytest.raises(WrongOptions, match=f"^{problem}$"):
        catalogue.save(product)

    product.refresh_from_db()
    assert product.option_names == ["Colour", "Size"]


def test_save_of_a_new_product_with_wrong_values_is_refused():
    product = Product(name="Jug", slug="jug", category=make_category())

    with pytest.raises(WrongOptions):
        catalogue.save(product, variants=[another("Moss")])

    assert not Product.objects.exists()


def test_second_variant_of_a_product_without_options_is_refused():
    product = make_variant().product

    with pytest.raises(WrongOptions, match="has exactly one variant"):
        catalogue.save(product, variants=[another()])


def test_variants_may_be_given_options_with_their_product(mugs):
    product = mugs[0].product
    product.option_names = ["Colour"]
    for mug in mugs:
        mug.option_values = mug.option_values[:1]

    catalogue.save(product, variants=mugs)

    assert [v.option_values for v in product.variants.all()] == [["Chalk"], ["Tide"]]


def test_more_variants_than_a_product_may_have_are_refused(mugs, monkeypatch):
    monkeypatch.setattr(options, "MOST_VARIANTS", 2)

    with pytest.raises(WrongOptions, match="at most 2 variants"):
        catalogue.save(mugs[0].product, variants=[another("Moss", "S")])


# --- The database -----------------------------------------------------------------


def refused_by(name: str):
    """Expect the transaction to be refused by this constraint when it ends."""
    return pytest.raises(IntegrityError, match=name)


def test_database_refuses_a_variant_with_too_few_values(mugs):
    with refused_by("needs a value for each option"), transaction.atomic():
        Variant.objects.filter(pk=mugs[0].pk).update(option_values=["Chalk"])
        connection.check_constraints()


def test_database_refuses_a_new_variant_with_too_many_values(mugs):
    with refused_by("needs a value for each option"), transaction.atomic():
        new = another("Moss", "S", "x")
        new.product = mugs[0].product
        new.save()
        connection.check_constraints()


def test_database_refuses_options_that_the_variants_have_no_values_for(mugs):
    with refused_by("needs a value for each option"), transaction.atomic():
        Product.objects.update(option_names=["Colour", "Size", "Scent"])
        connection.check_constraints()


def test_database_refuses_an_empty_value(mugs):
    with refused_by("variant_options_filled"):
        Variant.objects.filter(pk=mugs[0].pk).update(option_values=["Chalk", ""])


# --- The admin --------------------------------------------------------------------


def test_admin_edits_a_product_with_several_variants(client, mugs):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    product = mugs[0].product
    address = f"/admin/products/product/{product.pk}/change/"
    form = form_values(client.get(address).text)

    answer = client.post(address, form | {"name": "Cup"})

    assert answer.status_code == 302, answer.context["errors"]
    assert "sku" not in form
    product.refresh_from_db()
    assert product.name == "Cup"


def test_admin_says_what_is_wrong_with_the_variants_of_a_product(client, mugs):
    Variant.objects.filter(pk=mugs[1].pk).update(option_values=["CHALK", "S"])
    client.force_login(make_user(is_staff=True, is_superuser=True))
    product = mugs[0].product
    address = f"/admin/products/product/{product.pk}/change/"

    answer = client.post(address, form_values(client.get(address).text))

    assert answer.status_code == 200
    assert "Another variant is “CHALK, S” already. Correct the" in answer.text

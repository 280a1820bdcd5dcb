from decimal import Decimal

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate, get_user_model
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from products.catalogue import services as catalogue
from products.demo import fixture, loading, rows
from products.live import baskets as live
from products.live.viewers import Owner
from products.models import (
    Discount,
    Product,
    ProductCategory,
    Sale,
    Stock,
    StockMovement,
    Variant,
)
from products.stock import services as stock
from tests.support.factories import make_basket, make_user

pytestmark = pytest.mark.django_db


def demo(*arguments: str) -> None:
    call_command("demo", "--no-pictures", *arguments)


def test_demo_fills_an_empty_shop_whose_books_agree(capsys):
    demo()

    assert Product.objects.active().with_offers().count() == rows.CATALOGUE_SIZE
    assert ProductCategory.objects.count() == 8
    call_command("reconcile")
    assert "The books agree" in capsys.readouterr().out


def test_demo_twice_adds_nothing_and_keeps_what_people_changed():
    demo()
    mug = Variant.objects.get(sku="TW-TB-101")
    mug.price = Decimal("21.00")
    catalogue.save(mug.product, variants=[mug])
    stock.count(mug.pk, 3)
    before = StockMovement.objects.count()

    demo()

    mug.refresh_from_db()
    assert mug.price == Decimal("21.00")
    assert mug.stock.on_hand == 3
    assert Product.objects.count() == rows.CATALOGUE_SIZE
    assert StockMovement.objects.count() == before


def test_demo_after_deletions_adds_what_is_missing():
    demo()
    stool = Variant.objects.filter(stock__on_hand=0, option_values=[]).first()
    stool.product.delete()

    demo()

    assert Variant.objects.filter(sku=stool.sku).exists()


def test_demo_interrupted_in_a_batch_leaves_none_of_it(monkeypatch):
    def fail(*args):
        raise RuntimeError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr(rows, "movement", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            demo()
        assert not Product.objects.exists()

    demo()
    assert Product.objects.count() == rows.CATALOGUE_SIZE


def test_demo_products_tops_up_to_the_number(capsys):
    demo("--products", "300")
    demo("--products", "500")
    demo("--products", "400")

    assert Product.objects.count() == 500
    assert Stock.objects.count() == Variant.objects.count() > 500
    call_command("reconcile")


def test_demo_has_products_with_options():
    demo()

    products = Product.objects.exclude(option_names=[]).prefetch_related("variants")
    assert len(products) >= 15
    for product in products:
        variants = product.variants.all()
        assert len(variants) > 1 and all(variant.weight for variant in variants)
        assert {len(v.option_values) for v in variants} == {len(product.option_names)}
        assert product.skus == [variant.sku for variant in variants]
        active = [variant.price for variant in variants if variant.is_active]
        assert product.lowest_price == min(active)


def test_demo_adds_no_variants_to_products_of_an_older_demo():
    demo()
    towels = Product.objects.get(variants__sku="TW-TX-505-TIDE")
    StockMovement.objects.filter(variant__product=towels).delete()
    towels.variants.exclude(sku="TW-TX-505-TIDE").delete()
    towels.variants.update(sku="TW-TX-505")

    demo()

    assert [variant.sku for variant in towels.variants.all()] == ["TW-TX-505"]


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5", "٣", "9" * 30])
def test_demo_products_without_a_number_is_refused_with_a_reason(count):
    with pytest.raises(CommandError, match="is no number of products"):
        demo(f"--products={count}")
    assert not Product.objects.exists()


def test_demo_accounts_can_sign_in_and_staff_may_move_stock():
    demo("--accounts")

    for name in loading.ACCOUNTS:
        assert authenticate(username=name, password=loading.password_of(name))
    staff = get_user_model().objects.get(username="staff")
    assert staff.has_perm("products.change_stock")
    assert not staff.has_perm("products.delete_product")
    assert not get_user_model().objects.get(username="shopper").is_staff


def is_verified(name: str) -> bool:
    return EmailAddress.objects.filter(
        user__username=name,
        email=f"{name}@example.com",
        verified=True,
        primary=True,
    ).exists()


def test_demo_accounts_are_verified():
    demo("--accounts")

    assert all(is_verified(name) for name in loading.ACCOUNTS)


def test_demo_accounts_that_exist_are_verified_too():
    waiting = make_user(username="shopper", email="shopper@example.com")
    EmailAddress.objects.create(user=waiting, email="shopper@example.com")
    make_user(username="staff", email="staff@example.com")

    demo("--accounts")
    rows = set(EmailAddress.objects.values_list())
    demo("--accounts")

    assert all(is_verified(name) for name in loading.ACCOUNTS)
    assert len(rows) == 3
    assert set(EmailAddress.objects.values_list()) == rows


def test_demo_account_with_another_address_is_left_unchanged():
    make_user(username="shopper", email="me@example.org")

    demo("--accounts")

    assert not EmailAddress.objects.filter(user__username="shopper").exists()
    assert is_verified("admin")


def test_demo_account_whose_address_another_has_verified_stays_unverified():
    other = make_user()
    EmailAddress.objects.create(user=other, email="staff@example.com", verified=True)

    demo("--accounts")

    assert not is_verified("staff")
    assert is_verified("shopper")


def test_demo_staff_see_people_and_mails_and_change_neither(client):
    demo("--accounts")
    staff = get_user_model().objects.get(username="staff")
    client.force_login(staff)
    shopper = get_user_model().objects.get(username="shopper")

    person = client.get(reverse("admin:users_user_change", args=[shopper.pk])).text
    outbox = client.get(reverse("admin:post_office_email_changelist"))

    assert "shopper@example.com" in person
    assert 'name="_save"' not in person
    assert outbox.status_code == 200
    assert not any(
        staff.has_perm(permission)
        for permission in [
            "users.change_user",
            "users.view_address",
            "account.change_emailaddress",
            "post_office.change_email",
            "usersessions.view_usersession",
        ]
    )


def test_demo_on_a_public_shop_creates_no_accounts():
    demo("--no-accounts")

    assert not get_user_model().objects.exists()


def test_fixture_equals_the_catalogue():
    assert (
        fixture.PATH.read_text() == fixture.text()
    ), "run manage.py demo --write-fixture"


def test_fixture_loaded_into_an_empty_database_is_shown(client):
    call_command("loaddata", "demo", verbosity=0)

    call_command("reconcile")
    page = client.get(reverse("products:list")).content.decode()
    assert f"{rows.CATALOGUE_SIZE} products" in page
    extra = catalogue.save(
        Product(
            category=ProductCategory.objects.first(),
            name="After",
            slug="after",
        ),
        variants=[Variant(sku="AFTER", price=1)],
    )
    assert extra.pk > rows.CATALOGUE_SIZE


def test_demo_has_one_sale_that_runs():
    demo()
    demo()

    sale = Sale.objects.running(timezone.now()).get()
    reduced = Variant.objects.exclude(full_price=None)
    assert {v.product for v in reduced} == set(sale.products.all())
    assert len(reduced) == len(loading.ON_SALE)
    assert all(v.prior_price == v.full_price for v in reduced)


def test_demo_has_one_discount_on_lines_however_often_it_is_loaded():
    demo()
    demo()

    discount = Discount.objects.get(is_on_lines=True)
    assert [shelf.slug for shelf in discount.categories.all()] == ["bath"]
    bath = Variant.objects.filter(product__category__slug="bath").latest("price")
    basket = make_basket(lines={bath: 3})
    (line,) = live.contents(Owner(token=basket.token)).facts["lines"]
    assert (line["line_discount"], line["discount_name"]) == ("6.00", "Bath week")


def test_demo_has_one_code_that_holds():
    demo()
    demo()

    code = Discount.objects.running(timezone.now()).exclude(code="").get()
    assert (code.code, code.is_used_up) == (loading.CODE, False)


def test_load_pictures_copies_once_and_restores_what_is_missing():
    items = [item for _, item in rows.items()][:2]
    product = Product(image=rows.picture_of(items[0]))

    assert loading.load_pictures(items) == 4  # the first item has three
    assert loading.load_pictures(items) == 0

    default_storage.delete(product.image_medium.name)
    assert loading.load_pictures(items) == 0
    with default_storage.open(product.image_medium.name) as file:
        assert Image.open(file).size == (640, 640)

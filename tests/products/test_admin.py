"""The shop behind the counter, as staff see it."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from products.models import (
    Basket,
    Product,
    ProductCategory,
    Stock,
    StockMovement,
    Variant,
    WebhookEvent,
)
from products.stock import services as stock
from tests.support.concurrency import together
from tests.support.factories import (
    NO_PICTURES,
    make_basket,
    make_category,
    make_order,
    make_picture,
    make_product,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    """An administrator who has signed in."""
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def clerk(client):
    """Signs in a member of staff who has only the permissions named."""

    def sign_in(*codenames: str):
        user = make_user(is_staff=True)
        permissions = Permission.objects.filter(codename__in=codenames)
        assert len(permissions) == len(codenames)
        user.user_permissions.set(permissions)
        client.force_login(user)
        return user

    return sign_in


def page(name: str, *args) -> str:
    return reverse(f"admin:products_{name}", args=args)


def text(response) -> str:
    """What the page says, without its tags."""
    html = re.sub(r"<(script|style).*?</\1>", "", response.text, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def product_form(product: Product | None = None, **changes) -> dict:
    data = dict(NO_PICTURES)
    if product:
        variant = product.variants.get()
        fields = ["name", "slug", "description"]
        data |= {name: getattr(product, name) for name in fields}
        data |= {"sku": variant.sku, "price": variant.price}
        data["category"] = product.category_id
        data |= {"is_active": "on"} if product.is_active else {}
    return {name: value for name, value in (data | changes).items() if value != ""}


# --- Products ---------------------------------------------------------------------


def test_product_list_shows_picture_price_and_available_units(client, boss):
    product = make_product(on_hand=9, reserved=2, price=Decimal("1250"))
    product.image = make_picture()
    product.save()

    response = client.get(page("product_changelist"))

    assert "€1,250.00" in text(response)
    assert '<td class="field-available">7</td>' in response.text
    assert f'<img src="{product.image_small.url}" width="48"' in response.text


def test_product_list_of_many_products_takes_no_more_queries(
    client, boss, django_assert_max_num_queries
):
    for _ in range(12):
        make_product()

    with django_assert_max_num_queries(8):
        client.get(page("product_changelist"))


@pytest.mark.parametrize(
    "level, names",
    [("in", {"six"}), ("low", {"one", "five"}), ("out", {"none", "taken"})],
)
def test_product_list_filtered_by_level_agrees_with_the_badge(
    client, boss, level, names
):
    for name, on_hand, reserved in [
        ("six", 6, 0),
        ("five", 6, 1),
        ("one", 1, 0),
        ("taken", 4, 4),
        ("none", 0, 0),
    ]:
        make_product(name=name, on_hand=on_hand, reserved=reserved)

    response = client.get(page("product_changelist"), {"level": level})

    shown = response.context["cl"].queryset
    assert {product.name for product in shown} == names
    variants = Variant.objects.filter(product__in=shown)
    assert {variant.stock_facts["state"] for variant in variants} == {level}


def test_product_list_ordered_by_available_starts_with_the_fewest(client, boss):
    few, none, many = (
        make_product(on_hand=n + 5, reserved=5, name=str(n)) for n in (2, 0, 7)
    )

    response = client.get(page("product_changelist"), {"o": "6"})

    assert list(response.context["cl"].queryset) == [none, few, many]


@pytest.mark.parametrize("query", ["Brass", "B-77", "warm light"])
def test_product_list_searched_finds_by_name_sku_and_description(client, boss, query):
    make_product(name="Brass lamp", sku="B-77", description="A warm light.")
    make_product()

    response = client.get(page("product_changelist"), {"q": query})

    assert [p.name for p in response.context["cl"].queryset] == ["Brass lamp"]


def test_product_added_gets_stock_and_a_slug_made_of_its_name(client, boss):
    make_product(slug="brass-lamp")
    data = {"name": "Brass lamp", "sku": "B-1", "price": "49.90", "is_active": "on"}
    data |= NO_PICTURES

    client.post(
        page("product_add"), data | {"category": make_category().pk, "description": ""}
    )

    variant = Variant.objects.get(sku="B-1")
    assert variant.product.slug == "brass-lamp-2"
    assert variant.product.lowest_price == variant.price == Decimal("49.90")
    assert variant.stock.available == 0


@pytest.mark.django_db(transaction=True)
def test_product_saved_with_a_new_price_is_pushed_and_logged_with_its_actor(
    client, boss, hear
):
    variant = make_variant(price=Decimal("12.50"))
    data = product_form(variant.product, price="9.90")

    with hear(f"stock:{variant.pk}") as events:
        client.post(page("product_change", variant.product_id), data)

    assert [event["facts"]["price"] for event in events] == ["9.90"]
    assert StockMovement.objects.get(kind="offer").actor == boss


def test_product_form_shows_stock_with_links_to_move_it(client, boss):
    variant = make_variant(on_hand=9, reserved=2)

    response = client.get(page("product_change", variant.product_id))

    assert "7 available : 9 on hand, 2 reserved" in text(response)
    assert page("stock_change", variant.pk) in response.text
    assert 'name="on_hand"' not in response.text


def test_product_form_cannot_write_stock(client, boss):
    variant = make_variant(on_hand=9)

    client.post(
        page("product_change", variant.product_id),
        product_form(variant.product, on_hand="500", stock="500", name="Saved"),
    )

    assert Product.objects.get().name == "Saved"
    assert Stock.objects.get(pk=variant.pk).on_hand == 9


def test_product_with_a_picture_shows_its_preview(client, boss):
    product = make_product()

    client.post(
        page("product_change", product.pk), product_form(product, image=make_picture())
    )

    product.refresh_from_db()
    response = client.get(page("product_change", product.pk))
    assert f'<img src="{product.image_small.url}" width="240"' in response.text


def test_product_picture_that_is_not_a_picture_is_refused_with_the_reason(client, boss):
    product = make_product()
    fake = make_picture()
    fake.file.seek(0)
    fake.file.write(b"<html>")

    response = client.post(
        page("product_change", product.pk), product_form(product, image=fake)
    )

    assert "We can’t read this picture." in text(response)
    assert not Product.objects.get(pk=product.pk).image


@pytest.mark.parametrize(
    "action, before, after", [("deactivate", True, False), ("activate", False, True)]
)
@pytest.mark.django_db(transaction=True)
def test_product_action_on_several_goes_through_the_service(
    client, boss, hear, action, before, after
):
    one, two = make_variant(is_active=before), make_variant(is_active=before)
    already = make_variant(is_active=after)
    ids = [variant.product_id for variant in (one, two, already)]
    topics = [f"stock:{variant.pk}" for variant in (one, two, already)]

    with hear(*topics) as events:
        response = client.post(
            page("product_changelist"),
            {"action": action, "_selected_action": ids},
            follow=True,
        )

    assert [event["topic"] for event in events] == topics[:2]
    assert Product.objects.filter(is_active=after).count() == 3
    assert StockMovement.objects.filter(kind="offer", actor=boss).count() == 2
    assert "2 products" in text(response)


def test_product_action_needs_the_permission_to_change(client, clerk):
    clerk("view_product")
    product = make_product()

    client.post(
        page("product_changelist"),
        {"action": "deactivate", "_selected_action": [product.pk]},
    )

    assert Product.objects.get(pk=product.pk).is_active


def test_product_page_for_staff_who_may_only_view_has_no_fields(client, clerk):
    clerk("view_product")
    product = make_product()

    response = client.get(page("product_change", product.pk))

    assert product.name in text(response)
    assert 'name="price"' not in response.text


def test_product_with_movements_is_not_deleted_and_the_page_says_what_to_do(
    client, boss
):
    product = make_product(on_hand=3, name="Brass lamp")

    response = client.post(page("product_delete", product.pk), {"post": "yes"})

    assert "1 stock movement of “Brass lamp”, which we keep for the accounts" in text(
        response
    )
    assert "Deactivate the product instead" in text(response)
    assert Product.objects.filter(pk=product.pk).exists()


def test_products_selected_for_deletion_stay_if_one_has_movements(client, boss):
    moved, fresh = make_product(on_hand=3), make_product(on_hand=0)

    response = client.post(
        page("product_changelist"),
        {
            "action": "delete_selected",
            "_selected_action": [moved.pk, fresh.pk],
            "post": "yes",
        },
    )

    assert "Deactivate the product instead" in text(response)
    assert Product.objects.count() == 2


def test_product_without_movements_is_deleted_with_its_stock(client, boss):
    product = make_product(on_hand=0)

    client.post(page("product_delete", product.pk), {"post": "yes"})

    assert not Product.objects.exists()
    assert not Stock.objects.exists()


# --- Categories -------------------------------------------------------------------


def test_category_list_counts_products_and_sorts_categories(client, boss):
    shelf = make_category(position=1)
    make_product(category=shelf)
    data = {
        "form-TOTAL_FORMS": 1,
        "form-INITIAL_FORMS": 1,
        "form-0-id": shelf.pk,
        "form-0-position": 7,
        "_save": "Save",
    }

    response = client.get(page("productcategory_changelist"))
    client.post(page("productcategory_changelist"), data)

    assert f"?category__id__exact={shelf.pk}" in response.text
    assert ProductCategory.objects.get().position == 7


def test_category_with_products_is_not_deleted(client, boss):
    product = make_product()

    response = client.post(
        page("productcategory_delete", product.category_id), {"post": "yes"}
    )

    assert "protected" in text(response)
    assert ProductCategory.objects.exists()


# --- Stock ------------------------------------------------------------------------


def move(client, variant: Product, follow=True, **data):
    """Fill in one of the two forms as the page shows it now, and press its button."""
    address = page("stock_change", variant.pk)
    seen = re.search(r'name="seen" value="(\d+)"', client.get(address).text)[1]
    return client.post(address, {"seen": seen} | data, follow=follow)


@pytest.mark.django_db(transaction=True)
def test_stock_received_is_added_logged_and_pushed(client, boss, hear):
    variant = make_variant(on_hand=7)

    with hear(f"stock:{variant.pk}") as events:
        response = move(client, variant, received="20", note="delivery 17")

    assert "Received: +20 on hand, now 27." in text(response)
    assert "27 available" in text(response)
    assert [event["facts"]["available"] for event in events] == [27]
    movement = StockMovement.objects.get(variant=variant, version=2)
    assert (movement.kind, movement.note) == ("received", "delivery 17")
    assert movement.actor == boss


def test_stock_counted_sets_the_units_on_hand(client, boss):
    variant = make_variant(on_hand=10, reserved=2)

    response = move(client, variant, counted="7")

    assert "Counted: -3 on hand, now 7." in text(response)
    assert Stock.objects.get(pk=variant.pk).available == 5
    assert StockMovement.objects.get(kind="counted").actor == boss


def test_stock_counted_below_the_reserved_units_is_refused_on_the_form(client, boss):
    variant = make_variant(on_hand=10, reserved=4)

    response = move(client, variant, counted="3")

    assert "You counted 3, but 4 are reserved for orders." in text(response)
    assert 'name="counted" value="3"' in response.text
    assert Stock.objects.get(pk=variant.pk).on_hand == 10


@pytest.mark.parametrize(
    "data, message",
    [
        ({"received": ""}, "This field is required."),
        ({"received": "0"}, "greater than or equal to 1"),
        ({"received": "-5"}, "greater than or equal to 1"),
        ({"received": "many"}, "Enter a whole number."),
        ({"received": "9" * 5000}, "Enter a whole number."),
        ({"received": str(2**31)}, "less than or equal to 2147483647"),
        ({"received": str(2**31 - 1)}, "number is too large"),
        ({"counted": "-1"}, "greater than or equal to 0"),
        ({"counted": "7", "note": "x" * 201}, "at most 200 characters"),
    ],
)
def test_stock_moved_with_bad_values_says_what_is_wrong(client, boss, data, message):
    variant = make_variant(on_hand=10)

    response = move(client, variant, **data)

    assert message in text(response)
    assert "Nothing was changed." in text(response)
    assert Stock.objects.get(pk=variant.pk).version == 1


def test_stock_received_by_a_double_click_is_received_once(client, boss):
    variant = make_variant(on_hand=7)
    address = page("stock_change", variant.pk)
    shown = {"seen": "1", "received": "20"}

    client.post(address, shown)
    response = client.post(address, shown)

    assert "Somebody changed this stock after you opened the page" in text(response)
    assert Stock.objects.get(pk=variant.pk).on_hand == 27

    again = re.search(r'name="seen" value="(\d+)"', response.text)[1]
    client.post(address, {"seen": again, "received": "20"})
    assert Stock.objects.get(pk=variant.pk).on_hand == 47


@pytest.mark.django_db(transaction=True)
def test_stock_received_by_two_clerks_at_once_is_received_once():
    """Both press on what the same page showed: the second is asked to look again."""
    variant, staff = make_variant(on_hand=7), make_user(
        is_superuser=True, is_staff=True
    )
    clerks = [Client(), Client()]
    for clerk in clerks:
        clerk.force_login(staff)
    form = {"seen": "1", "received": "20"}
    address = page("stock_change", variant.pk)

    together([lambda clerk=clerk: clerk.post(address, form) for clerk in clerks])

    assert Stock.objects.get(pk=variant.pk).on_hand == 27


def test_stock_received_during_sales_is_not_refused(client, boss):
    variant = make_variant(on_hand=7)
    address = page("stock_change", variant.pk)

    stock.claim({variant.pk: 2})
    client.post(address, {"seen": "1", "received": "20"})

    assert Stock.objects.get(pk=variant.pk).on_hand == 27


def test_stock_page_ignores_posted_figures(client, boss):
    variant = make_variant(on_hand=7)

    client.post(
        page("stock_change", variant.pk),
        {"on_hand": "500", "reserved": "0", "version": "9", "_save": "Save"},
    )

    row = Stock.objects.get(pk=variant.pk)
    assert (row.on_hand, row.version) == (7, 1)


def test_stock_page_for_staff_who_may_only_view_has_no_form_and_refuses_posts(
    client, clerk
):
    clerk("view_stock")
    variant = make_variant(on_hand=7)

    response = client.get(page("stock_change", variant.pk))
    refused = client.post(
        page("stock_change", variant.pk), {"seen": "1", "received": "20"}
    )

    assert "7 available" in text(response)
    assert 'name="received"' not in response.text
    assert refused.status_code == 403
    assert Stock.objects.get(pk=variant.pk).on_hand == 7


def test_stock_page_for_staff_without_the_right_to_stock_is_forbidden(client, clerk):
    clerk("change_product", "view_product")
    variant = make_variant(on_hand=7)

    assert client.get(page("stock_change", variant.pk)).status_code == 403
    refused = client.post(
        page("stock_change", variant.pk), {"seen": "1", "received": "20"}
    )
    assert refused.status_code == 403


def test_stock_page_for_staff_with_the_right_moves_stock(client, clerk):
    user = clerk("change_stock")
    variant = make_variant(on_hand=7)

    move(client, variant, received="20")

    assert StockMovement.objects.get(version=2).actor == user


def test_stock_can_neither_be_added_nor_deleted(client, boss):
    variant = make_variant()

    assert client.get(page("stock_add")).status_code == 403
    deleted = client.post(page("stock_delete", variant.pk), {"post": "yes"})
    assert deleted.status_code == 403
    assert Stock.objects.exists()


@pytest.mark.parametrize("name", ["stock", "stockmovement", "basket", "product"])
def test_page_of_an_unknown_row_leads_back_with_a_message(client, boss, name):
    response = client.get(page(f"{name}_change", 10**9), follow=True)

    assert "exist" in text(response)


def test_stock_list_shows_figures_and_offers_no_bulk_change(client, boss):
    make_variant(name="Brass lamp", on_hand=9, reserved=2)

    response = client.get(page("stock_changelist"), {"q": "brass"})

    assert '<td class="field-available">7</td>' in response.text
    assert "_selected_action" not in response.text


# --- Movements --------------------------------------------------------------------


def test_movements_of_a_product_are_linked_from_its_page(client, boss):
    variant, other = make_variant(on_hand=9, reserved=2), make_variant()

    link = f"{page('stockmovement_changelist')}?variant__id__exact={variant.pk}"
    response = client.get(page("product_change", variant.product_id))
    listed = client.get(link)

    assert link in response.text
    assert listed.context["cl"].result_count == 2
    assert "+9" in text(listed) and other.name not in text(listed)


def test_movements_are_read_only(client, boss):
    make_variant(on_hand=9)
    movement = StockMovement.objects.get()

    shown = client.get(page("stockmovement_change", movement.pk))
    changed = client.post(
        page("stockmovement_change", movement.pk), {"d_on_hand": "90"}
    )
    deleted = client.post(page("stockmovement_delete", movement.pk), {"post": "yes"})

    assert 'name="d_on_hand"' not in shown.text
    assert client.get(page("stockmovement_add")).status_code == 403
    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert StockMovement.objects.get().d_on_hand == 9


# --- Baskets ----------------------------------------------------------------------


def test_basket_is_shown_with_its_lines_and_without_its_token(client, boss):
    basket = make_basket(lines={make_variant(name="Brass lamp"): 3})

    listed = client.get(page("basket_changelist"))
    response = client.get(page("basket_change", basket.pk))

    assert '<td class="field-units">3</td>' in listed.text
    assert "guest" in text(listed)
    assert "Brass lamp" in text(response)
    assert basket.token not in listed.text + response.text


def test_baskets_are_read_only(client, boss):
    basket = make_basket(lines={make_variant(): 3})

    changed = client.post(page("basket_change", basket.pk), {"status": "ordered"})
    deleted = client.post(page("basket_delete", basket.pk), {"post": "yes"})

    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert client.get(page("basket_add")).status_code == 403
    assert Basket.objects.get().status == Basket.Status.OPEN


# --- Payments ---------------------------------------------------------------------


def test_payments_and_events_are_shown_without_the_payment_page(client, boss):
    order = make_order({make_variant(): 1})
    payment = order.payments.create(
        provider="stripe",
        amount="12.50",
        currency="EUR",
        reference="cs_1",
        address="https://pay.example.com/secret",
    )
    event = WebhookEvent.objects.create(
        provider="stripe", event_id="evt_1", type="x", payload={"id": "cs_1"}
    )

    shown = client.get(page("payment_change", payment.pk))
    on_the_order = client.get(page("order_change", order.pk))
    results = client.get(page("webhookevent_changelist"), {"q": "cs_1"})
    details = client.get(page("webhookevent_change", event.pk))

    assert order.number in text(shown) and "12.50 EUR" in text(shown)
    assert "pay.example.com" not in shown.text + on_the_order.text
    assert "12.50" in text(on_the_order)
    assert "evt_1" in text(results) and "cs_1" in text(details)


def test_payments_are_read_only(client, boss):
    order = make_order({make_variant(): 1})
    payment = order.payments.create(provider="stripe", amount=1, currency="EUR")

    changed = client.post(page("payment_change", payment.pk), {"status": "paid"})
    deleted = client.post(page("payment_delete", payment.pk), {"post": "yes"})

    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert client.get(page("payment_add")).status_code == 403
    assert order.payments.get().status == "created"


# --- The door ---------------------------------------------------------------------


def test_admin_for_a_shopper_is_forbidden(client):
    client.force_login(make_user())

    response = client.get(page("product_changelist"))

    assert response.url.startswith(reverse("admin:login"))


@pytest.mark.parametrize(
    "model",
    ["product", "productcategory", "stock", "stockmovement", "basket"]
    + ["payment", "webhookevent"],
)
def test_every_list_opens_with_its_search_and_filters(client, boss, model):
    make_basket(lines={make_variant(): 1})
    address = page(f"{model}_changelist")

    response = client.get(address, {"q": "lamp"})

    assert response.status_code == 200
    for spec in response.context["cl"].filter_specs:
        for choice in spec.choices(response.context["cl"]):
            if "query_string" in choice:
                filtered = client.get(address + choice["query_string"])
                assert filtered.status_code == 200, choice

"""The page of the admin with a product's options and the grid of its variants."""

import re
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from products.catalogue import services as catalogue
from products.models import Product, ProductImage, StockMovement, Variant
from products.stock import services as stock
from tests.support.admin_forms import form_values
from tests.support.factories import (
    make_options,
    make_picture,
    make_sale,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mugs() -> list[Variant]:
    return make_options(
        {"sku": "M-CS", "option_values": ["Chalk", "S"], "price": Decimal(18)},
        {"sku": "M-CL", "option_values": ["Chalk", "L"], "price": Decimal(24)},
        {"sku": "M-TS", "option_values": ["Tide", "S"], "price": Decimal(18)},
        names=["Colour", "Size"],
        name="Mug",
        slug="mug",
    )


def staff(name: str, *rights: str) -> Client:
    """A browser of somebody with these rights, or of a superuser."""
    client = Client()
    user = make_user(username=name, is_staff=True, is_superuser=not rights)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


@pytest.fixture
def ann() -> Client:
    return staff("ann")


@pytest.fixture
def ben() -> Client:
    return staff("ben")


def page_of(product: Product) -> str:
    return f"/admin/products/product/{product.pk}/variants/"


def opened(client: Client, product: Product) -> dict:
    return form_values(client.get(page_of(product)).text)


def grid(form: dict) -> dict:
    """The fields of the grid, and those of bulk changes."""
    return {name: value for name, value in form.items() if name[0] in "vbci"}


def save(client: Client, product: Product, form: dict, button="save", **changes):
    return client.post(page_of(product), grid(form) | {button: "1"} | changes)


def cell(variant: Variant, name: str) -> str:
    return f"v{variant.pk}-{name}"


def problems(answer) -> list[str]:
    found = re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', answer.text, re.S)
    return [" ".join(re.sub("<[^>]*>", " ", each).split()) for each in found]


def current(variant: Variant) -> Variant:
    return Variant.objects.select_related("stock").get(pk=variant.pk)


# --- The grid ---------------------------------------------------------------------


def test_grid_saves_what_was_changed_and_logs_it(ann, mugs):
    product = mugs[0].product
    form = opened(ann, product)

    answer = save(
        ann,
        product,
        form,
        **{
            cell(mugs[0], "price"): "19.50",
            cell(mugs[0], "weight"): "320",
            cell(mugs[1], "sku"): "M-BIG",
            cell(mugs[1], "position"): "9",
            cell(mugs[2], "change"): "5",
        },
    )

    assert answer.status_code == 302, problems(answer)
    first, second, third = map(current, mugs)
    assert (first.price, first.weight, first.stock.on_hand) == (
        Decimal("19.50"),
        320,
        10,
    )
    assert (second.sku, second.position) == ("M-BIG", 9)
    assert third.stock.on_hand == 15 and third.price == Decimal(18)
    product.refresh_from_db()
    assert product.skus == ["M-CS", "M-TS", "M-BIG"]
    texts = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert texts[0] == "Changed price and weight in grams for variant “M-CS”."
    assert len(texts) == 3


def test_unchanged_grid_saves_nothing(ann, mugs):
    product = mugs[0].product
    movements = StockMovement.objects.count()

    answer = save(ann, product, opened(ann, product))

    assert answer.status_code == 302
    assert StockMovement.objects.count() == movements and not LogEntry.objects.exists()


def test_grid_limits_the_units_for_each_person(ann, mugs):
    product, field = mugs[0].product, cell(mugs[0], "limit_per_person")

    save(ann, product, opened(ann, product), **{field: "2"})
    limits = [current(mug).limit_per_person for mug in mugs]
    save(ann, product, opened(ann, product), **{field: ""})

    assert limits == [2, None, None]
    assert current(mugs[0]).limit_per_person is None


def test_price_in_the_grid_is_the_one_without_the_sale(ann, mugs):
    make_sale(mugs[0])
    product = mugs[0].product
    form = opened(ann, product)
    assert form[cell(mugs[0], "price")] == "18.00"

    save(ann, product, form, **{cell(mugs[0], "price"): "20.00"})

    assert current(mugs[0]).base_price == Decimal("20.00")


@pytest.mark.parametrize(
    "column, value, problem",
    [
        ("price", "-1", "Price: Ensure this value is greater than or equal to 0.00."),
        ("price", "abc", "Price: Enter a number."),
        ("price", "", "Price: This field is required."),
        ("weight", "-5", "Weight in grams: Ensure this value is greater"),
        ("sku", "M-TS", "SKU: Another variant has this SKU."),
        ("sku", "", "SKU: This field is required."),
        ("change", "-11", "Stock change: Only 10 can be taken away."),
        ("change", "x", "Stock change: Enter a whole number."),
        ("position", "99999", "Position: Ensure this value is less"),
    ],
)
def test_wrong_value_is_reported_in_its_row_and_nothing_is_saved(
    ann, mugs, column, value, problem
):
    product = mugs[0].product
    form = opened(ann, product)
    change = {cell(mugs[0], column): value, cell(mugs[1], "weight"): "77"}
    change |= {cell(mugs[2], "change"): "4"}

    answer = save(ann, product, form, **change)

    assert answer.status_code == 200
    (found,) = problems(answer)
    assert found.startswith(problem)
    assert current(mugs[1]).weight == 0 and current(mugs[2]).stock.on_hand == 10
    assert f'value="{value}"' in answer.text


def test_two_rows_with_one_sku_are_both_reported(ann, mugs):
    product = mugs[0].product
    change = {cell(mug, "sku"): "SAME" for mug in mugs[:2]}

    answer = save(ann, product, opened(ann, product), **change)

    assert len(problems(answer)) == 2


def test_sku_of_another_product_is_refused(ann, mugs):
    make_variant(sku="LAMP")
    product = mugs[0].product
    answer = save(ann, product, opened(ann, product), **{cell(mugs[0], "sku"): "LAMP"})

    assert problems(answer) == ["SKU: Another variant has this SKU."]


def test_grid_costs_no_query_for_each_row(ann, mugs):
    many = make_options(
        *({"option_values": [f"{n}"]} for n in range(30)), names=["Size"]
    )
    counts = []
    for product in (mugs[0].product, many[0].product):
        with CaptureQueriesContext(connection) as queries:
            ann.get(page_of(product))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_grid_of_a_hundred_variants_is_saved(ann):
    rows = ({"option_values": [f"{n}"], "on_hand": 0} for n in range(100))
    many = make_options(*rows, names=["Size"])
    product = many[0].product

    answer = save(ann, product, opened(ann, product), **{cell(many[99], "weight"): "5"})

    assert answer.status_code == 302 and current(many[99]).weight == 5


# --- Two people -------------------------------------------------------------------


def test_changes_of_two_people_to_one_row_are_both_kept(ann, ben, mugs):
    product, mug = mugs[0].product, mugs[0]
    anns, bens = opened(ann, product), opened(ben, product)

    save(ann, product, anns, **{cell(mug, "price"): "30", cell(mug, "change"): "5"})
    answer = save(
        ben, product, bens, **{cell(mug, "weight"): "99", cell(mug, "change"): "7"}
    )

    assert answer.status_code == 302, problems(answer)
    mug = current(mug)
    assert (mug.price, mug.weight, mug.stock.on_hand) == (Decimal(30), 99, 22)


def test_second_of_two_people_who_change_one_price_is_told(ann, ben, mugs):
    product, mug = mugs[0].product, mugs[0]
    anns, bens = opened(ann, product), opened(ben, product)

    save(ann, product, anns, **{cell(mug, "price"): "30"})
    answer = save(ben, product, bens, **{cell(mug, "price"): "31"})

    assert problems(answer) == [
        "Price: ann changed this to “30.00”. Save again to replace it."
    ]
    assert current(mug).price == Decimal(30)
    again = save(ben, product, form_values(answer.text))
    assert again.status_code == 302 and current(mug).price == Decimal(31)


def test_stock_change_of_a_double_click_is_saved_once(ann, mugs):
    product, mug = mugs[0].product, mugs[0]
    form = opened(ann, product)

    save(ann, product, form, **{cell(mug, "change"): "5"})
    answer = save(ann, product, form, **{cell(mug, "change"): "5"})

    assert problems(answer)[0].startswith("Stock change: You have changed this stock")
    assert current(mug).stock.on_hand == 15
    save(ann, product, form_values(answer.text))
    assert current(mug).stock.on_hand == 20


def test_stock_change_keeps_what_was_sold_meanwhile(ann, mugs):
    product, mug = mugs[0].product, mugs[0]
    form = opened(ann, product)
    stock.claim({mug.pk: 4})

    refused = save(ann, product, form, **{cell(mug, "change"): "-7"})
    save(ann, product, form, **{cell(mug, "change"): "-6"})

    assert problems(refused) == [
        "Stock change: Only 6 can be taken away. The others are reserved."
    ]
    assert (current(mug).stock.on_hand, current(mug).stock.reserved) == (4, 4)


def test_variant_added_by_another_person_stays_as_it_is(ann, mugs):
    product = mugs[0].product
    form = opened(ann, product)
    new = Variant(sku="M-TL", price=9, option_values=["Tide", "L"])
    catalogue.save(product, variants=[new])

    answer = save(ann, product, form, **{cell(mugs[0], "weight"): "1"})

    assert answer.status_code == 302 and current(new).price == Decimal(9)


# --- Several rows -----------------------------------------------------------------


def test_bulk_change_sets_the_chosen_rows_and_no_other(ann, mugs):
    product = mugs[0].product
    form = opened(ann, product)

    answer = save(
        ann,
        product,
        form,
        button="bulk",
        **{
            cell(mugs[0], "chosen"): "on",
            cell(mugs[2], "chosen"): "on",
            "bulk-price": "15",
            "bulk-weight": "200",
            "bulk-change": "3",
            "bulk-active": "no",
        },
    )

    assert answer.status_code == 302, problems(answer)
    rows = [current(mug) for mug in mugs]
    assert [r.price for r in rows] == [Decimal(15), Decimal(24), Decimal(15)]
    assert [r.weight for r in rows] == [200, 0, 200]
    assert [r.stock.on_hand for r in rows] == [13, 10, 13]
    assert [r.is_active for r in rows] == [False, True, False]


@pytest.mark.parametrize("change", [{}, {"bulk-price": "15"}])
def test_bulk_change_of_no_row_or_to_nothing_is_refused(ann, mugs, change):
    product = mugs[0].product

    answer = save(ann, product, opened(ann, product), button="bulk", **change)

    assert problems(answer) == ["Choose rows and enter what to set. Nothing was saved."]


def test_variants_are_deleted_after_a_question_if_they_were_never_in_stock(ann, mugs):
    product = mugs[0].product
    new = Variant(sku="M-TL", price=9, option_values=["Tide", "L"])
    catalogue.save(product, variants=[new])
    form = opened(ann, product) | {cell(new, "chosen"): "on"}

    question = save(ann, product, form, button="delete")
    assert "Delete these variants?" in question.text and current(new)
    save(ann, product, form_values(question.text), button="confirm_delete")

    product.refresh_from_db()
    assert product.skus == ["M-CS", "M-CL", "M-TS"]


def test_variant_with_movements_is_not_deleted(ann, mugs):
    product = mugs[0].product
    form = opened(ann, product) | {cell(mugs[0], "chosen"): "on"}

    save(ann, product, form, button="confirm_delete")

    assert "M-CS: It has stock movements" in ann.get(page_of(product)).text
    assert current(mugs[0])


# --- Pictures ---------------------------------------------------------------------


def test_picture_is_given_to_a_variant_and_taken_back(ann, mugs):
    product = mugs[0].product
    name = default_storage.save("products/tide.png", make_picture("tide.png"))
    catalogue.save_pictures(product, new=[ProductImage(file=name, position=None)])
    picture = product.pictures.get()

    save(ann, product, opened(ann, product), **{cell(mugs[2], "picture"): picture.pk})
    assert product.pictures.get().variant == mugs[2]
    assert current(mugs[2]).picture == name

    twice = {cell(mugs[0], "picture"): picture.pk}
    answer = save(ann, product, opened(ann, product), **twice)
    assert problems(answer) == ["Picture: Another row has this picture."]

    save(ann, product, opened(ann, product), **{cell(mugs[2], "picture"): ""})
    assert product.pictures.get().variant is None


# --- Options ----------------------------------------------------------------------


def set_options(client: Client, product: Product, **changes):
    form = opened(client, product)
    fields = {name: form[name] for name in form if name.startswith("options-")}
    entered = {f"options-{name}": value for name, value in changes.items()}
    data = fields | {"save_options": "1"} | entered
    return client.post(page_of(product), data)


def combinations(product: Product) -> list[tuple[str, str, bool]]:
    """SKU, values and "active" of each variant in order."""
    rows = product.variants.order_by("position", "pk")
    return [(v.sku, " ".join(v.option_values), v.is_active) for v in rows]


def test_options_typed_once_become_the_grid(ann):
    lamp = make_variant(sku="L-1", price=Decimal(40), weight=900)
    product = lamp.product

    answer = set_options(
        ann,
        product,
        **{"name-0": "Colour", "values-0": "Brass\nInk", "name-1": " Size "},
        **{"values-1": "S\r\n\r\n L "},
    )

    assert answer.status_code == 302, problems(answer)
    product.refresh_from_db()
    assert product.option_names == ["Colour", "Size"]
    assert combinations(product) == [
        ("L-1", "Brass S", True),
        ("L-1-BRASS-L", "Brass L", False),
        ("L-1-INK-S", "Ink S", False),
        ("L-1-INK-L", "Ink L", False),
    ]
    new = product.variants.last()
    assert (new.price, new.weight, new.stock.on_hand) == (Decimal(40), 900, 0)


def test_new_value_adds_its_combinations_only(ann, mugs):
    set_options(ann, mugs[0].product, **{"values-0": "Chalk\nMoss\nTide"})

    assert [values for _sku, values, _active in combinations(mugs[0].product)] == [
        *("Chalk S", "Chalk L", "Moss S", "Moss L", "Tide S"),
    ]


def test_every_missing_combination_is_added_when_asked(ann, mugs):
    set_options(ann, mugs[0].product, everything="on")

    assert combinations(mugs[0].product)[3] == ("M-TIDE-L", "Tide L", False)


def test_value_in_the_place_of_another_renames_it(ann, mugs):
    set_options(ann, mugs[0].product, **{"values-0": "Chalk\nSea"})

    assert combinations(mugs[0].product)[2] == ("M-TS", "Sea S", True)


def test_option_is_added_to_variants_with_its_first_value(ann, mugs):
    set_options(ann, mugs[0].product, **{"name-2": "Lid", "values-2": "no"})

    assert combinations(mugs[0].product)[0] == ("M-CS", "Chalk S no", True)


@pytest.mark.parametrize(
    "changes, problem",
    [
        (
            {"values-0": "Chalk"},
            "“Tide” belongs to 1 variant. Delete the variant first.",
        ),
        ({"name-0": "", "values-0": ""}, "Another variant is “S” already."),
        ({"values-0": ""}, "Enter a value at least."),
        ({"name-2": "", "values-2": "x"}, "Enter a name for these values."),
        ({"values-0": "Chalk\nTide\nTIDE"}, "A value is there twice."),
        ({"name-1": "colour"}, "Two options have the same name."),
        ({"values-0": "Chalk\nTide\n" + "x" * 61}, "“" + "x" * 61 + "” is longer than"),
        ({"name-0": "x" * 41}, "Ensure this value has at most 40 characters"),
        (
            {"values-0": "Chalk\nTide\n" + "\n".join(map(str, range(99)))},
            "A product has at most 100 variants.",
        ),
    ],
)
def test_wrong_options_are_reported_and_nothing_is_saved(ann, mugs, changes, problem):
    before = combinations(mugs[0].product)

    answer = set_options(ann, mugs[0].product, **changes)

    assert answer.status_code == 200
    assert problems(answer)[0].startswith(problem)
    assert combinations(mugs[0].product) == before
    assert Product.objects.get().option_names == ["Colour", "Size"]


def test_options_that_somebody_else_changed_are_not_overwritten(ann, ben, mugs):
    product = mugs[0].product
    form = opened(ann, product)
    set_options(ben, product, **{"values-0": "Chalk\nTide\nMoss"})

    data = {name: form[name] for name in form if name.startswith("options-")}
    answer = ann.post(
        page_of(product), data | {"options-values-0": "Chalk\nSea", "save_options": "1"}
    )

    assert "Somebody else changed the options" in problems(answer)[0]
    assert "Sea S" not in [row[1] for row in combinations(product)]


# --- Who may ----------------------------------------------------------------------


def test_staff_without_the_right_to_move_stock_change_all_else(mugs):
    cat = staff("cat", "change_product", "view_product")
    product = mugs[0].product
    form = opened(cat, product)
    assert cell(mugs[0], "change") not in form and "bulk-change" not in form

    change = {cell(mugs[0], "change"): "5", cell(mugs[0], "weight"): "7"}
    save(cat, product, form, **change)

    assert current(mugs[0]).stock.on_hand == 10 and current(mugs[0]).weight == 7


def test_staff_who_may_not_delete_products_delete_no_variants(mugs):
    cat = staff("cat", "change_product", "view_product")
    product = mugs[0].product
    page = cat.get(page_of(product))
    assert "Delete the chosen" not in page.text

    answer = save(cat, product, form_values(page.text), button="confirm_delete")

    assert answer.status_code == 403


def test_staff_who_may_only_view_products_get_no_grid(mugs):
    cat = staff("cat", "view_product")

    assert cat.get(page_of(mugs[0].product)).status_code == 403


def test_page_of_a_product_leads_to_its_variants(ann, mugs):
    page = ann.get(f"/admin/products/product/{mugs[0].product_id}/change/").text

    assert f'href="{page_of(mugs[0].product)}"' in page


def test_variants_of_an_unknown_product_are_not_found(ann):
    assert ann.get("/admin/products/product/99/variants/").status_code == 404

"""Two people at one form of the admin: neither undoes what the other has saved."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from products.catalogue import services as catalogue
from products.models import ProductCategory
from project.edits.admin import SafeEditsMixin
from project.edits.forms import ListEditForm
from tests.support.concurrency import together
from tests.support.factories import (
    NO_PICTURES,
    make_category,
    make_picture,
    make_product,
    make_user,
)
from users.models import User

pytestmark = pytest.mark.django_db
FILES = {"image", "password"}  # a browser sends nothing of these
CATEGORIES = reverse("admin:products_productcategory_changelist")


def browser_of(name: str) -> Client:
    user = make_user(first_name=name, is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ann() -> Client:
    return browser_of("Ann")


@pytest.fixture
def ben() -> Client:
    return browser_of("Ben")


def page_of(row, name: str = "change") -> str:
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=[row.pk])


def form_on(response) -> dict:
    """What a browser would send of the page as it stands."""
    hidden = re.search(r'name="_seen" value="([^"]+)"', response.text)
    data = {"_seen": unescape(hidden[1])} | NO_PICTURES
    for bound in response.context["adminform"].form:
        value = bound.value()
        if value is True:
            data[bound.html_name] = "on"
        elif isinstance(value, list):
            data[bound.html_name] = [getattr(one, "pk", one) for one in value]
        elif value is not None and value is not False and bound.html_name not in FILES:
            data[bound.html_name] = value
    return data


def opened(client: Client, row) -> dict:
    return form_on(client.get(page_of(row)))


def text(response) -> str:
    html = re.sub(r"<(script|style).*?</\1>", "", response.text, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def make_group() -> Group:
    group = Group.objects.create(name="Packers")
    group.permissions.set(Permission.objects.filter(codename="view_order"))
    return group


# --- One field each ---------------------------------------------------------------


@pytest.mark.parametrize(
    "make, one, other",
    [
        (make_product, {"price": "15.00"}, {"is_active": None}),
        (make_product, {"description": "New"}, {"price": "9.00", "sku": "OTHER"}),
        (make_category, {"description": "New"}, {"position": "7"}),
        (make_user, {"first_name": "Zoe"}, {"last_name": "Lee", "is_active": None}),
        (make_group, {"permissions": []}, {"name": "Shippers"}),
    ],
)
def test_fields_that_each_of_two_changed_are_both_saved(ann, ben, make, one, other):
    row = make()
    hers, his = opened(ann, row) | one, opened(ben, row) | other

    first = ann.post(page_of(row), filled(hers))
    second = ben.post(page_of(row), filled(his), follow=True)

    assert first.status_code == 302
    assert "Somebody else changed" in text(second)
    now = opened(ann, row)
    for name, value in (one | other).items():
        assert str(now.get(name)) == str(value)


def filled(data: dict) -> dict:
    return {name: value for name, value in data.items() if value is not None}


def test_deactivated_product_stays_so_when_another_saves_its_price(ann, ben):
    product = make_product(price=Decimal("12.50"))
    his = opened(ben, product)
    hers = opened(ann, product)
    del hers["is_active"]

    ann.post(page_of(product), hers)
    ben.post(page_of(product), his | {"price": "11.00"})

    product.refresh_from_db()
    assert (product.is_active, product.lowest_price) == (False, Decimal("11.00"))


def test_picture_stays_when_another_saves_the_name(ann, ben):
    product = make_product()
    his = opened(ben, product)

    ann.post(page_of(product), opened(ann, product) | {"image": make_picture()})
    ben.post(page_of(product), his | {"name": "Brass lamp"})

    product.refresh_from_db()
    assert product.image and product.name == "Brass lamp"


def test_history_names_what_each_has_changed_and_no_more(ann, ben):
    product = make_product()
    his = opened(ben, product)
    ann.post(page_of(product), opened(ann, product) | {"price": "15.00"})

    ben.post(page_of(product), his | {"name": "Brass lamp"})

    newest = LogEntry.objects.order_by("-pk").first()
    assert newest.get_change_message() == "Changed Name."


def test_form_that_changes_nothing_undoes_nothing(ann, ben):
    product = make_product()
    his = opened(ben, product)
    ann.post(page_of(product), opened(ann, product) | {"price": "15.00"})

    ben.post(page_of(product), his)

    product.refresh_from_db()
    assert product.lowest_price == 15


def test_people_that_save_at_one_moment_lose_nothing(transactional_db):
    product = make_product()
    people = [browser_of(name) for name in ("Ann", "Ben", "Cy")]
    changes = [{"name": "Brass lamp"}, {"price": "15.00"}, {"description": "New"}]
    forms = [opened(p, product) | c for p, c in zip(people, changes, strict=True)]

    answers = together(
        lambda p=person, f=form: p.post(page_of(product), f)
        for person, form in zip(people, forms, strict=True)
    )

    product.refresh_from_db()
    assert [answer.status_code for answer in answers] == [302] * 3
    assert (product.name, product.lowest_price) == ("Brass lamp", 15)
    assert product.description == "New"


# --- The same field ---------------------------------------------------------------


@pytest.mark.parametrize(
    "make, name, hers, his",
    [
        (make_product, "price", "15.00", "9.00"),
        (make_product, "description", "Hers", "His"),
        (make_category, "name", "Hers", "His"),
        (make_user, "last_name", "Hers", "His"),
        (make_group, "name", "Hers", "His"),
    ],
)
def test_field_that_both_changed_is_refused_told_and_saved_when_sent_again(
    ann, ben, make, name, hers, his
):
    row = make()
    form = opened(ben, row)
    ann.post(page_of(row), opened(ann, row) | {name: hers})

    refused = ben.post(page_of(row), form | {name: his})

    said = text(refused)
    assert f"Ann changed this to “{hers}”. You entered “{his}”." in said
    assert "Nothing was saved. Somebody else changed" in said
    assert str(opened(ann, row)[name]) == hers
    assert refused.context["adminform"].form[name].value() == his

    again = ben.post(page_of(row), form_on(refused))

    assert again.status_code == 302
    assert str(opened(ann, row)[name]) == his


def test_choice_that_both_changed_is_told_by_its_name(ann, ben):
    lamps, mugs = make_category(name="Lamps"), make_category(name="Mugs")
    product = make_product()
    form = opened(ben, product)
    ann.post(page_of(product), opened(ann, product) | {"category": lamps.pk})

    refused = ben.post(page_of(product), form | {"category": mugs.pk})

    assert "Ann changed this to “Lamps”. You entered “Mugs”." in text(refused)


def test_rights_that_both_changed_are_refused(ann, ben):
    group = make_group()
    view, change = Permission.objects.filter(
        codename__in=["view_product", "change_product"]
    )
    form = opened(ben, group)
    ann.post(page_of(group), opened(ann, group) | {"permissions": [view.pk]})

    refused = ben.post(page_of(group), form | {"permissions": [change.pk]})

    assert "Ann changed this" in text(refused)
    assert list(group.permissions.all()) == [view]


def test_third_change_while_one_decides_is_told_too(ann, ben):
    product = make_product()
    form = opened(ben, product)
    ann.post(page_of(product), opened(ann, product) | {"price": "15.00"})
    refused = ben.post(page_of(product), form | {"price": "9.00"})
    ann.post(page_of(product), opened(ann, product) | {"price": "16.00"})

    again = ben.post(page_of(product), form_on(refused))

    assert "Ann changed this to “16.00”." in text(again)


def test_field_of_another_stays_theirs_after_a_refusal(ann, ben):
    product = make_product()
    form = opened(ben, product)
    hers = opened(ann, product) | {"price": "15.00", "name": "Brass lamp"}
    del hers["is_active"]
    ann.post(page_of(product), hers)
    refused = ben.post(page_of(product), form | {"price": "9.00"})

    shown = form_on(refused)
    ben.post(page_of(product), shown)

    assert shown["name"] == "Brass lamp" and "is_active" not in shown
    product.refresh_from_db()
    assert (product.lowest_price, product.name) == (9, "Brass lamp")
    assert not product.is_active


def test_two_who_enter_the_same_are_both_content(ann, ben):
    product = make_product()
    form = opened(ben, product)
    ann.post(page_of(product), opened(ann, product) | {"price": "15.00"})

    assert ben.post(page_of(product), form | {"price": "15"}).status_code == 302


def test_change_from_outside_of_the_admin_is_somebodys(ben):
    product = make_product()
    form = opened(ben, product)
    product.variants.update(price=15)

    refused = ben.post(page_of(product), form | {"price": "9.00"})

    assert "Somebody changed this to “15.00”." in text(refused)


def test_form_of_a_page_that_cannot_be_read_is_asked_again(ben):
    product = make_product(price=Decimal("12.50"))
    form = opened(ben, product) | {"_seen": "nonsense", "price": "9.00"}

    refused = ben.post(page_of(product), form)

    product.refresh_from_db()
    assert product.lowest_price == Decimal("12.50")
    assert ben.post(page_of(product), form_on(refused)).status_code == 302


# --- Deleting ---------------------------------------------------------------------


def test_row_that_was_changed_after_one_was_asked_is_not_deleted(ann, ben):
    category = make_category(name="Lamps")
    question = ben.get(page_of(category, "delete"))
    seen = re.search(r'name="_seen" value="([^"]+)"', question.text)[1]
    ann.post(page_of(category), opened(ann, category) | {"description": "Keep it!"})

    sent = {"post": "yes", "_seen": seen}
    answer = ben.post(page_of(category, "delete"), sent, follow=True)

    assert "Nothing was deleted. Somebody changed “Lamps”" in text(answer)
    assert ProductCategory.objects.filter(pk=category.pk).exists()


def test_row_that_is_as_it_was_shown_is_deleted(ben):
    category = make_category()
    question = ben.get(page_of(category, "delete"))
    seen = re.search(r'name="_seen" value="([^"]+)"', question.text)[1]

    ben.post(page_of(category, "delete"), {"post": "yes", "_seen": seen})

    assert not ProductCategory.objects.filter(pk=category.pk).exists()


def test_several_rows_one_of_which_was_changed_are_all_kept(ann, ben):
    one, other = make_category(), make_category()
    chosen = {"action": "delete_selected", "_selected_action": [one.pk, other.pk]}
    question = ben.post(CATEGORIES, chosen)
    seen = re.search(r'name="_seen" value="([^"]+)"', question.text)[1]
    ann.post(page_of(one), opened(ann, one) | {"description": "Keep it!"})

    sent = chosen | {"post": "yes", "_seen": seen}
    answer = ben.post(CATEGORIES, sent, follow=True)

    assert "Nothing was deleted. Somebody changed what you chose" in text(answer)
    assert ProductCategory.objects.filter(pk__in=[one.pk, other.pk]).count() == 2


def test_several_rows_that_are_as_they_were_shown_are_deleted(ben):
    rows = [make_category().pk for _ in range(2)]
    chosen = {"action": "delete_selected", "_selected_action": rows}
    question = ben.post(CATEGORIES, chosen)
    seen = re.search(r'name="_seen" value="([^"]+)"', question.text)[1]

    ben.post(CATEGORIES, chosen | {"post": "yes", "_seen": seen})

    assert not ProductCategory.objects.filter(pk__in=rows).exists()


# --- Lists ------------------------------------------------------------------------


def list_on(response) -> dict:
    formset = response.context["cl"].formset
    data = {"_save": "Save"}
    for bound in [b for form in (formset.management_form, *formset) for b in form]:
        data[bound.html_name] = bound.value()
        if bound.field.show_hidden_initial:
            hidden = rf'name="{bound.html_initial_name}" value="([^"]*)"'
            data[bound.html_initial_name] = re.search(hidden, response.text)[1]
    return data


def position_of(data: dict, row: ProductCategory) -> str:
    """The name of the field of this row in the list."""
    (key,) = [k for k, v in data.items() if k.endswith("-id") and str(v) == str(row.pk)]
    return key.replace("-id", "-position")


def test_list_that_is_old_undoes_nothing(ann, ben):
    one, other = make_category(position=1), make_category(position=2)
    his = list_on(ben.get(CATEGORIES))
    ann.post(page_of(one), opened(ann, one) | {"position": "9", "description": "New"})

    ben.post(CATEGORIES, his | {position_of(his, other): "5"})

    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.position, one.description, other.position) == (9, "New", 5)


def test_place_in_a_list_that_both_changed_is_refused_and_saved_when_sent_again(
    ann, ben
):
    one = make_category(position=1)
    his = list_on(ben.get(CATEGORIES))
    ann.post(page_of(one), opened(ann, one) | {"position": "9"})

    refused = ben.post(CATEGORIES, his | {position_of(his, one): "5"})

    assert "Ann changed this to “9”. Save again to replace it." in text(refused)
    one.refresh_from_db()
    assert one.position == 9

    again = ben.post(CATEGORIES, list_on(refused))

    assert again.status_code == 302
    one.refresh_from_db()
    assert one.position == 5


def test_products_are_deactivated_as_they_are_and_not_as_they_were_read():
    product = make_product()
    product.variants.update(price=15)

    (changed,) = catalogue.set_active([product.pk], False)

    product.refresh_from_db()
    assert (changed.pk, product.is_active, product.lowest_price) == (
        product.pk,
        False,
        15,
    )
    assert catalogue.set_active([product.pk], False) == []


# --- Every form -------------------------------------------------------------------


@pytest.mark.parametrize(
    "model_admin", admin.site._registry.values(), ids=lambda a: a.opts.label_lower
)
def test_every_form_that_changes_a_row_is_safe(rf, model_admin):
    request = rf.get("/admin/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    row = model_admin.model(pk=1)
    fields = model_admin.get_form(request, row, change=True).base_fields
    readonly = set(model_admin.get_readonly_fields(request, row))
    may_change = model_admin.has_change_permission(request, row)
    is_own_page = model_admin.opts.label_lower == "products.stock"  # has its own guard

    is_editable = may_change and not is_own_page and bool(set(fields) - readonly)

    assert isinstance(model_admin, SafeEditsMixin) or not is_editable


@pytest.mark.parametrize(
    "model_admin", admin.site._registry.values(), ids=lambda a: a.opts.label_lower
)
def test_no_row_is_changed_beneath_another(rf, model_admin):
    request = rf.get("/admin/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    row = model_admin.model(pk=1)

    inlines = model_admin.get_inline_instances(request, row)

    assert all(
        issubclass(inline.form, ListEditForm)
        for inline in inlines
        if inline.has_change_permission(request, row)
    )

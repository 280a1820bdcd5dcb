"""The Content-Security-Policy, in a browser that keeps to it."""

from collections.abc import Callable

import pytest
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.http import HttpRequest
from django.test import Client
from playwright.sync_api import Page, expect

from products.models import Variant
from tests.browser.pages import wait_until_live
from tests.support.factories import make_picture, make_user, make_variant
from tests.support.servers import wait_until
from users.models import User

NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  const { effectiveDirective, blockedURI, sourceFile } = event;
  window.violations.push([effectiveDirective, blockedURI, sourceFile].join(" "));
});
"""

SHOP = ["/", "/products/", "/products/lamp/", "/basket/", "/nowhere/"]
ENTRANCE = [
    "/users/login/",
    "/users/signup/",
    "/users/password/reset/",
    "/users/confirm-email/",
]
ACCOUNT = [
    "/users/profile/",
    "/users/addresses/add/",
    "/users/email/",
    "/users/password/change/",
    "/users/sessions/",
    "/users/2fa/",
    "/users/2fa/totp/activate/",  # its QR code is a data: address
    "/users/2fa/webauthn/add/",
    "/users/3rdparty/",
    "/users/logout/",
]
MODELS = [
    "auth/group",
    "post_office/email",
    "products/basket",
    "products/product",
    "products/productcategory",
    "products/stock",
    "products/stockmovement",
    "users/user",
]


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(slug="lamp", name="Lamp", image=make_picture())


@pytest.fixture
def boss(transactional_db) -> User:
    person = make_user(username="boss", is_staff=True, is_superuser=True)
    EmailAddress.objects.create(
        user=person, email=person.email, primary=True, verified=True
    )
    return person


@pytest.fixture
def signed_in(boss, daphne) -> Callable[[Page], None]:
    """Prepares a page: its visitor is the boss, who has just given their password."""
    client = Client()
    client.force_login(boss)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, boss, "password", reauthenticated=True)
    request.session.save()
    key = request.session.session_key

    def prepare(page: Page) -> None:
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": key}
        page.context.add_cookies([cookie | {"url": daphne.url}])
        page.context.add_init_script(NOTE_VIOLATIONS)

    return prepare


def noting(page: Page) -> None:
    page.context.add_init_script(NOTE_VIOLATIONS)


def violations(page: Page) -> list[str]:
    return page.evaluate("window.violations")


def refused(page: Page) -> set[str]:
    """The directives that were broken."""
    return {each.split()[0] for each in violations(page)}


def walk(page: Page, paths: list[str]) -> list[str]:
    """What the policy refused on these pages."""
    faults = []
    for path in paths:
        response = page.goto(path, wait_until="load")
        assert "script-src 'self'" in response.headers["content-security-policy"], path
        assert page.url.endswith(path)
        if page.locator("#live-status").count():
            wait_until_live(page)
        faults += [f"{path}: {each}" for each in violations(page)]
    return faults


def test_pages_of_the_shop_keep_to_the_policy(visit, lamp, complaints):
    page = visit(prepare=noting)

    assert walk(page, SHOP + ENTRANCE) == []
    assert [each for each in complaints if "404" not in each] == []
    complaints.forgive()


def test_pages_of_an_account_keep_to_the_policy(visit, lamp, signed_in):
    page = visit(prepare=signed_in)

    assert walk(page, SHOP[:-1] + ACCOUNT) == []
    page.goto("/users/2fa/totp/activate/")
    assert page.locator("img.qr").evaluate("each => each.naturalWidth") > 0


def test_pages_of_the_admin_keep_to_the_policy(visit, lamp, boss, signed_in):
    mail = EmailMultiAlternatives("Hello", "Text", to=["somebody@example.com"])
    mail.attach_alternative('<p style="color: red">Hello</p>', "text/html")
    get_connection("project.mail.outbox.OutboxBackend").send_messages([mail])
    page = visit("/admin/", live=False, prepare=signed_in)
    lists = [f"/admin/{model}/" for model in MODELS]
    forms = [
        "/admin/products/product/add/",
        "/admin/products/product/import/",
        f"/admin/products/product/{lamp.product.pk}/change/",
        f"/admin/products/product/{lamp.product.pk}/history/",
        f"/admin/products/stock/{lamp.pk}/change/",
        f"/admin/users/user/{boss.pk}/change/",
        "/admin/users/user/add/",
        "/admin/auth/group/add/",
    ]

    assert walk(page, ["/admin/", *lists, *forms]) == []
    page.goto("/admin/post_office/email/")
    page.locator("#result_list").get_by_role("link", name="somebody@").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("Hello")).to_have_css("color", "rgb(255, 0, 0)")
    assert violations(page) == []


def test_adding_a_product_in_the_admin_works_under_the_policy(visit, lamp, signed_in):
    page = visit("/admin/products/product/add/", live=False, prepare=signed_in)

    page.get_by_label("Name").fill("Green vase")
    page.get_by_label("Sku").fill("VASE-1")
    page.get_by_role("spinbutton", name="Price").fill("12.00")
    page.get_by_label("Category").select_option(index=1)
    expect(page.get_by_label("Slug")).to_have_value("green-vase")  # by its script
    with page.expect_popup() as opened:
        page.locator("#add_id_category").click()
    expect(opened.value.get_by_label("Name")).to_be_visible()

    assert violations(page) == []
    assert violations(opened.value) == []


INJECTED = {
    "inline script": (
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s);"
    ),
    "event handler": (
        "document.body.insertAdjacentHTML('beforeend',"
        ' \'<img src="/no" onerror="window.ran = 1">\');'
    ),
    "data: script": (
        "const s = document.createElement('script');"
        " s.src = 'data:text/javascript,window.ran = 1'; document.body.append(s);"
    ),
    "javascript: link": (
        "const a = document.createElement('a'); a.href = 'javascript:window.ran = 1';"
        " document.body.append(a); a.click();"
    ),
}


@pytest.mark.parametrize("path", ["/products/lamp/", "/users/profile/", "/admin/"])
def test_script_that_is_injected_into_a_page_does_not_run(
    visit, lamp, signed_in, complaints, path
):
    page = visit(path, live=path != "/admin/", prepare=signed_in)

    for name, injected in INJECTED.items():
        page.reload()  # which forgets the violations before
        page.evaluate(f"() => {{ {injected} }}")
        wait_until(lambda: violations(page), f"the refusal of {name}", 4)

        assert page.evaluate("window.ran") is None, name
        assert violations(page)[0].startswith("script-src"), name
    complaints.forgive()


def test_script_that_is_injected_runs_where_there_is_no_policy(browser):
    """The positive control: it is the policy that stops it, not the test."""
    page = browser.new_page()
    page.set_content("<body></body>")

    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s);"
    )

    assert page.evaluate("window.ran") == 1
    page.close()


def test_form_and_frame_to_elsewhere_are_refused(visit, lamp, signed_in, complaints):
    page = visit("/users/profile/", prepare=signed_in)

    page.evaluate(
        "const f = document.createElement('form'); f.action = 'https://evil.example/';"
        " document.body.append(f); f.submit();"
        "const i = document.createElement('iframe'); i.src = 'https://evil.example/';"
        " document.body.append(i);"
        "const b = document.createElement('base'); b.href = 'https://evil.example/';"
        " document.head.append(b);"
    )
    wanted = {"form-action", "frame-src", "base-uri"}
    wait_until(lambda: refused(page) == wanted, "the refusals", 4)
    assert page.url.endswith("/users/profile/")
    complaints.forgive()

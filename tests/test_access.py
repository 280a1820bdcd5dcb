"""Who gets in where: every address of the shop, walked by everybody.

An address that is new needs a line in ROUTES, or the first test says so.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlsplit

import pytest
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric import ec
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.mail import EmailMultiAlternatives, get_connection
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from fido2.cose import ES256
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CollectedClientData,
    RegistrationResponse,
)
from post_office.models import Email

from products.demo.loading import staff_permissions
from products.drops import services as drops
from products.live.viewers import Owner
from products.models import (
    PictureFetch,
    PictureJob,
    Product,
    ShippingMethod,
    ShippingZone,
    StockMovement,
    TaxClass,
    TaxRate,
    VatNumber,
    Waiting,
    WebhookEvent,
)
from products.pricing import clock
from tests.support.drops import make_drop
from tests.support.factories import (
    make_address,
    make_basket,
    make_discount,
    make_order,
    make_owner,
    make_picture,
    make_sale,
    make_shopper,
    make_variant,
)
from users.models import Session, User

pytestmark = pytest.mark.django_db

VISITORS = ["anonymous", "shopper", "unverified", "staff", "superuser"]
Row = tuple[str, str, str, str, str]

# What is answered: a status, or where one is sent: "login" to sign in, "again" to
# confirm that it is oneself, else the path.


def anyone(answer: str) -> Row:
    return (answer,) * 5


def strangers(answer: str, others: str = "/") -> Row:
    return (answer, others, others, others, others)


def members(answer: str) -> Row:
    return ("login", answer, answer, answer, answer)


def owner(answer: str) -> Row:
    """What is the shopper's, and to others is not there."""
    return ("login", answer, "404", "404", "404")


def staff(answer: str, superuser: str = "") -> Row:
    return ("login", "403", "403", answer, superuser or answer)


CONFIRM = r"users/^confirm-email/(?P<key>[-:\w]+)/$"  # the unverified one's link
PROVIDER = r"users/oidc/^(?P<provider_id>[^/]+)/login/"
RESET_KEY = r"reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$"

ROUTES: dict[str, Row] = {
    "": anyone("200"),
    "products/": anyone("200"),
    "products/category/<slug:slug>/": anyone("200"),
    "products/<slug:slug>/": anyone("200"),
    "search/suggest/": anyone("200"),
    "drops/": anyone("200"),
    "drops/<slug:slug>/": anyone("200"),
    "drops/<slug:slug>/mine/": anyone("200"),
    "drops/<slug:slug>/join/": anyone("405"),
    "drops/<slug:slug>/leave/": anyone("405"),
    "drops/<slug:slug>/claim/": anyone("405"),
    "drops/<slug:slug>/line.txt": anyone("404"),  # it has not begun
    "basket/": anyone("200"),
    "countries.json": anyone("200"),
    "basket/add/<int:variant_id>/": anyone("405"),
    "basket/code/": anyone("405"),
    "basket/update/": anyone("405"),
    "checkout/": ("200", "200", "403", "200", "200"),
    "checkout/delivery/": ("405", "405", "403", "405", "405"),
    "checkout/review/": ("/checkout/",) * 2 + ("403",) + ("/checkout/",) * 2,
    "orders/": members("200"),
    "orders/claim/": ("login", *["405"] * 4),
    "orders/confirm/<str:token>/": anyone("404"),  # says that the link is not right
    "orders/<str:number>/": ("404", "200", "404", "404", "404"),
    "orders/<str:number>/cancel/": anyone("405"),
    "orders/<str:number>/pay/": anyone("405"),
    "orders/<str:number>/pay-on-delivery/": anyone("405"),
    "payments/stripe/webhook/": anyone("405"),
    "products/<int:variant_id>/tell-me/": anyone("405"),
    "products/<int:variant_id>/tell-me/seen/": anyone("405"),
    "tell-me/stop/<str:token>/": anyone("404"),  # says that the link is not right
    "sitemap.xml": anyone("200"),
    "sitemap-<section>.xml": anyone("200"),
    "robots.txt": anyone("200"),
    "favicon.ico": anyone("/static/img/favicon.svg"),
    "media/<path:path>": anyone("200"),
    # --- Signing up, in and out ---
    "users/signup/": strangers("200"),
    "users/login/": strangers("200"),
    "users/logout/": strangers("/", "200"),
    "users/inactive/": anyone("200"),
    "users/confirm-email/": anyone("200"),
    CONFIRM: ("200", "403", "200", "403", "403"),
    "users/password/reset/": anyone("200"),
    "users/password/reset/done/": anyone("200"),
    "users/password/reset/key/done/": anyone("200"),
    f"users/password/^{RESET_KEY}": anyone("200"),  # says that the link is not right
    f"users/^password/{RESET_KEY}": anyone("200"),
    "users/login/code/confirm/": strangers("login"),  # not offered
    "users/2fa/authenticate/": strangers("login"),
    "users/2fa/webauthn/login/": strangers("login"),
    # --- One's account ---
    "users/profile/": members("200"),
    "users/addresses/add/": members("200"),
    "users/addresses/<int:pk>/": owner("200"),
    "users/addresses/<int:pk>/delete/": owner("200"),
    "users/addresses/<int:pk>/default/": members("405"),
    "users/data/": members("200"),
    "users/data/download/": members("200"),
    "users/data/delete/": members("200"),
    "users/email/": members("200"),
    "users/reauthenticate/": members("200"),
    # For people without a password; the others give theirs.
    "users/reauthenticate/code/": members("again"),
    "users/reauthenticate/code/confirm/": members("/users/reauthenticate/code/"),
    "users/password/change/": members("200"),
    "users/password/set/": members("/users/password/change/"),  # they have one
    "users/sessions/": members("200"),
    "users/ways-in/": members("200"),
    "users/ways-in/<int:pk>/disconnect/": members("405"),
    # --- Second factors ---
    "users/2fa/": members("200"),
    "users/2fa/reauthenticate/": ("login", "200", "again", "again", "again"),
    "users/2fa/totp/activate/": (
        *("login", "/users/2fa/totp/deactivate/", "/users/2fa/"),
        *("200", "200"),
    ),
    "users/2fa/totp/deactivate/": owner("200"),
    "users/2fa/recovery-codes/": owner("200"),
    "users/2fa/recovery-codes/generate/": members("200"),  # says what they lack
    "users/2fa/recovery-codes/download/": owner("200"),
    "users/2fa/webauthn/": members("200"),
    "users/2fa/webauthn/add/": ("login", "200", "/users/2fa/", "200", "200"),
    "users/2fa/webauthn/reauthenticate/": ("login", "200", "again", "again", "again"),
    "users/2fa/webauthn/keys/<int:pk>/edit/": owner("200"),
    "users/2fa/webauthn/keys/<int:pk>/remove/": owner("200"),
    # --- Providers of OAuth 2.0, none of which has keys here ---
    "users/3rdparty/": members("200"),
    "users/3rdparty/signup/": anyone("login"),
    "users/3rdparty/login/cancelled/": anyone("200"),
    "users/3rdparty/login/error/": anyone("401"),
    "users/social/login/cancelled/": anyone("/users/3rdparty/login/cancelled/"),
    "users/social/login/error/": anyone("/users/3rdparty/login/error/"),
    "users/social/signup/": anyone("/users/3rdparty/signup/"),
    "users/social/connections/": anyone("/users/3rdparty/"),
    "users/github/login/": anyone("404"),
    "users/github/login/callback/": anyone("404"),
    "users/google/login/": anyone("404"),
    "users/google/login/callback/": anyone("404"),
    "users/google/login/token/": anyone("404"),
    "users/oidc/sso/login/": anyone("404"),
    "users/oidc/sso/login/callback/": anyone("404"),
    r"users/^(?:github|google|oidc)/": anyone("404"),
    PROVIDER: anyone("404"),
    f"{PROVIDER}callback/": anyone("404"),
    # --- Staff ---
    "staff/drops/": staff("200"),
    "staff/drops/<slug:slug>/": staff("200"),
    "staff/drops/<slug:slug>/pace/": staff("405"),
    "staff/drops/<slug:slug>/<slug:move>/": staff("405"),
    "staff/orders/": staff("200"),
    "staff/orders/export.csv": staff("/staff/orders/"),  # names no days
    "staff/orders/<str:number>/": staff("200"),
    "staff/orders/<str:number>/slip/": staff("200"),
    "staff/orders/<str:number>/note/": staff("405"),
    "staff/orders/<str:number>/<slug:verb>/": staff("405"),
    "staff/pulse/": staff("200"),
    "admin/": staff("200"),
    "admin/login/": staff("/admin/"),
    "admin/logout/": ("/admin/", "/admin/", "/admin/", "405", "405"),
    "admin/password_change/": anyone("/users/password/change/"),
    "admin/password_change/done/": staff("200"),
    "admin/autocomplete/": staff("403"),  # names no field
    "admin/jsi18n/": staff("200"),
    "admin/r/<path:content_type_id>/<path:object_id>/": staff("/products/lamp/"),
    "admin/^<app_label>/$": staff("200"),
    "admin/(?P<url>.*)$": staff("404"),
    "admin/post_office/email/<int:pk>/preview/": staff("200"),
    "admin/products/product/<int:pk>/variants/": staff("200"),
    "admin/products/product/export/": staff("200"),
    "admin/products/product/import/": staff("200"),
    "admin/products/product/import/preview/": staff("/admin/products/product/import/"),
    "admin/products/product/import/pictures/<int:pk>/": staff("200"),
    "admin/products/shippingzone/defaults/": staff("405"),
    "admin/users/user/<int:pk>/resend/": staff("405"),
    "admin/users/user/<int:pk>/verify/": staff("405"),
    "admin/users/user/<int:pk>/sign-out/": staff("405"),
    "admin/users/user/<int:pk>/second-factor/": staff("403", "200"),
    "admin/users/user/<id>/password/": staff("403", "200"),
}

HOUR = timedelta(hours=1)
ALL = {"view", "add", "change", "delete"}
# What staff may do in the admin, and what superusers.
MODELS: dict[str, tuple[set[str], set[str]]] = {
    "account/emailconfirmation": ({"view"}, {"view"}),
    "auth/group": (set(), ALL),
    "post_office/email": ({"view"}, {"view"}),
    "products/basket": ({"view"}, {"view"}),
    "products/discount": (ALL - {"delete"}, ALL),  # those without orders
    "products/drop": (ALL - {"delete"}, ALL),  # planned ones may be deleted
    "products/order": ({"view", "change"}, {"view", "change"}),  # notes
    "products/payment": ({"view"}, {"view"}),
    "products/picturefetch": ({"view"}, {"view", "delete"}),
    "products/pricechange": ({"view"}, {"view"}),
    "products/product": (ALL - {"delete"}, ALL),
    "products/productcategory": (ALL - {"delete"}, ALL),
    "products/sale": (ALL - {"delete"}, ALL),  # planned ones may be deleted
    "products/shippingzone": ({"view"}, ALL),
    "products/stock": ({"view", "change"}, {"view", "change"}),
    "products/stockmovement": ({"view"}, {"view"}),
    "products/taxclass": ({"view"}, ALL),
    "products/taxrate": ({"view"}, ALL),
    "products/vatnumber": ({"view"}, {"view"}),  # decided by actions
    "products/ticket": ({"view"}, {"view"}),
    "products/waiting": ({"view"}, {"view"}),
    "products/webhookevent": ({"view"}, {"view"}),
    "users/user": ({"view"}, ALL),
}
ADMIN_PAGES = {
    "": "view",
    "add/": "add",
    "<path:object_id>/history/": "view",
    "<path:object_id>/delete/": "delete",
    "<path:object_id>/change/": "view",
}
for model, rights in MODELS.items():
    ROUTES[f"admin/{model}/<path:object_id>/"] = staff("change")
    for page, needed in ADMIN_PAGES.items():
        answers = ("200" if needed in may else "403" for may in rights)
        ROUTES[f"admin/{model}/{page}"] = staff(*answers)

# Where those who signed in long ago say their password again.
SENSITIVE = {route for route in ROUTES if route.startswith("users/2fa/")} - {
    "users/2fa/",
    "users/2fa/authenticate/",
    "users/2fa/reauthenticate/",
    "users/2fa/webauthn/",
    "users/2fa/webauthn/login/",
    "users/2fa/webauthn/reauthenticate/",
}


# --- The world that is walked -----------------------------------------------------


def routes() -> dict[str, URLPattern]:
    """Every address of the URLconf. Of two that are the same, the first answers."""
    found: dict[str, URLPattern] = {}
    for route, pattern in _routes(get_resolver().url_patterns):
        found.setdefault(route, pattern)
    return found


def _routes(
    patterns: Iterable[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _routes(each.url_patterns, route)
        else:
            yield re.sub(r"\(\?P<app_label>[^)]*\)", "<app_label>", route), each


@dataclass
class World:
    """People, and something of everything that addresses name."""

    people: dict[str, User]

    def client(self, visitor: str, *, recently: bool = True, **options) -> Client:
        """Their browser; whether they have given their password just now."""
        client = Client(raise_request_exception=False, **options)
        if visitor == "anonymous":
            return client
        user = self.people[visitor]
        client.force_login(user)
        if recently:
            request = HttpRequest()
            request.session = client.session
            record_authentication(request, user, "password", reauthenticated=True)
            request.session.save()
        return client

    @cached_property
    def paths(self) -> dict[str, str]:
        """An address for each route."""
        shopper = self.people["shopper"]
        lamp = make_variant(slug="lamp", image=make_picture())
        factors = give_factors(shopper)
        address = self.people["unverified"].emailaddress_set.get()
        link = EmailConfirmation.create(address)
        rows = {
            "account/emailconfirmation": link,
            "auth/group": Group.objects.create(name="Packers"),
            "post_office/email": a_mail(),
            "products/basket": make_basket(Owner(user_id=shopper.pk), {lamp: 1}),
            "products/picturefetch": PictureFetch.objects.create(
                product=lamp.product, url="https://pictures.example/lamp.png"
            ),
            "products/pricechange": lamp.price_changes.get(),
            "products/product": lamp.product,
            "products/productcategory": lamp.product.category,
            "products/shippingzone": make_zone_with_pickup(),
            "products/discount": make_discount(),
            "products/sale": make_sale(lamp, starts_at=clock.now() + HOUR),
            "products/stock": lamp.stock,
            "products/stockmovement": StockMovement.objects.get(),
            "products/vatnumber": VatNumber.objects.create(
                user=shopper, number="FR40303265045", company="Dupont SARL"
            ),
            "products/waiting": Waiting.objects.create(
                variant=lamp, email="ann@example.com", language="en"
            ),
            "products/taxclass": TaxClass.objects.get(code="standard"),
            "products/taxrate": TaxRate.objects.filter(country="DE")[0],
            "users/user": shopper,
        }
        order = rows["products/order"] = make_order(user=shopper)
        rows["products/payment"] = order.payments.create(
            provider="stripe", amount=order.total, currency=order.currency
        )
        rows["products/webhookevent"] = WebhookEvent.objects.create(
            provider="stripe", event_id="evt_1", type="checkout.session.completed"
        )
        drop = rows["products/drop"] = make_drop()
        rows["products/ticket"] = drops.join(drop, make_owner())
        kind = ContentType.objects.get_for_model(Product).pk
        values = {
            CONFIRM: f"users/confirm-email/{link.key}/",
            RESET_KEY: "reset/key/1-x/",
            "^(?P<provider_id>[^/]+)/": "sso/",
            "^(?:github|google|oidc)/": "github/else/",
            "<app_label>": "products",
            "(?P<url>.*)$": "nowhere/",
            "addresses/<int:pk>": f"addresses/{make_address(shopper).pk}",
            "keys/<int:pk>": f"keys/{factors['webauthn'].pk}",
            "ways-in/<int:pk>": "ways-in/1",
            "pictures/<int:pk>": f"pictures/{PictureJob.objects.create(name='a').pk}",
            "<int:variant_id>": f"{lamp.pk}",
            "category/<slug:slug>": f"category/{lamp.product.category.slug}",
            "drops/<slug:slug>": f"drops/{drop.slug}",
            "<slug:move>": "pause",
            "<slug:slug>": "lamp",
            "<str:number>": order.number,
            "<slug:verb>": "pack",
            "<str:token>": "1:x",
            "<section>": "products",
            "<path:path>": lamp.product.image.name,
            "<path:content_type_id>/<path:object_id>": f"{kind}/{lamp.product_id}",
        }
        for model, row in rows.items():
            for parameter in ("<path:object_id>", "<int:pk>", "<id>"):
                values[f"admin/{model}/{parameter}"] = f"admin/{model}/{row.pk}"
        return {route: filled(route, values) for route in routes()}


def give_factors(user: User) -> dict[str, Authenticator]:
    data = {
        "totp": {"secret": "JBSWY3DPEHPK3PXP"},
        "recovery_codes": {"seed": "seed", "used_mask": 0, "viewed_at": 1},
        "webauthn": {"name": "Key", "credential": a_passkey()},
    }
    create = Authenticator.objects.create
    return {kind: create(user=user, type=kind, data=data[kind]) for kind in data}


def a_passkey() -> dict:
    """What a browser sends when one is made."""
    public_key = ES256.from_cryptography_key(
        ec.generate_private_key(ec.SECP256R1()).public_key()
    )
    known = AttestedCredentialData.create(bytes(16), b"id", public_key)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.AT
    data = AuthenticatorData.create(bytes(32), flags, 0, known)
    about = CollectedClientData.create("webauthn.create", b"challenge", "https://x")
    return dict(
        RegistrationResponse(
            raw_id=b"id",
            response=AuthenticatorAttestationResponse(
                client_data=about,
                attestation_object=AttestationObject.create("none", data, {}),
            ),
        )
    )


def make_zone_with_pickup() -> ShippingZone:
    """A zone with all countries, in which orders cost nothing to deliver."""
    zone = ShippingZone.objects.create(name="Moon", has_rest=True)
    ShippingMethod.objects.create(zone=zone, name="Pick-up", is_pickup=True)
    return zone


def a_mail() -> Email:
    mail = EmailMultiAlternatives("Hello", "Text", to=["else@example.com"])
    mail.attach_alternative("<p>Hello</p>", "text/html")
    get_connection("project.mail.outbox.OutboxBackend").send_messages([mail])
    return Email.objects.get()


def filled(route: str, values: dict[str, str]) -> str:
    for parameter, value in values.items():
        route = route.replace(parameter, value)
    path = "/" + route.rstrip("$").replace("^", "")
    assert not set(path) & set("<>()\\"), f"ROUTES: what is {path} filled with?"
    return path


@pytest.fixture
def world() -> World:
    kinds = {
        "shopper": {},
        "unverified": {"verified": False},
        "staff": {"is_staff": True},
        "superuser": {"is_staff": True, "is_superuser": True},
    }
    people = {
        kind: make_shopper(username=kind, email=f"{kind}@example.com", **fields)
        for kind, fields in kinds.items()
    }
    people["staff"].user_permissions.set(staff_permissions())
    return World(people)


def answer(client: Client, path: str) -> tuple[str, str]:
    """What is answered, in the words of ROUTES, and the page."""
    response = client.get(path)
    if response.status_code not in (301, 302):
        return str(response.status_code), response.getvalue().decode(errors="replace")
    to = urlsplit(response["Location"]).path
    if to == "/admin/login/":  # which asks who it is
        return answer(client, response["Location"])
    names = {
        "/users/login/": "login",
        "/users/reauthenticate/": "again",
        "/users/2fa/reauthenticate/": "again",
        f"{path}change/": "change",
    }
    return names.get(to, to), ""


def rows_of_the_shop() -> dict[str, list]:
    """All that is stored, but for sessions."""
    models = set(apps.get_models()) - {Session, UserSession}
    return {
        model._meta.label: sorted(map(repr, model.objects.values_list()))
        for model in models
    }


# --- Looking ----------------------------------------------------------------------


def test_every_address_has_its_line():
    found = set(routes())

    assert found - set(ROUTES) == set(), "who may see these? Say so in ROUTES"
    optional = {"media/<path:path>"}  # SERVE_MEDIA
    assert set(ROUTES) - found - optional == set(), "these are gone"


@pytest.mark.parametrize("visitor", VISITORS)
def test_visitor_looks_at_everything_they_may_and_changes_nothing(world, visitor):
    """But for the checkout, which comes last: looking at it holds the units."""
    client, column = world.client(visitor), VISITORS.index(visitor)
    paths = dict(world.paths)
    checkout = paths.pop("checkout/")
    before = rows_of_the_shop()

    seen = {route: answer(client, path) for route, path in paths.items()}

    assert rows_of_the_shop() == before
    seen["checkout/"] = answer(client, checkout)
    answers = {route: status for route, (status, _page) in seen.items()}
    assert answers == {route: ROUTES[route][column] for route in answers}
    if visitor not in ("staff", "superuser"):
        expect_no_address_of_others(world, visitor, seen)


def expect_no_address_of_others(
    world: World, visitor: str, seen: dict[str, tuple[str, str]]
) -> None:
    """Except for the page of a link, to its holder."""
    emails = {user.email for user in world.people.values()} | {"else@example.com"}
    mine = world.people[visitor].email if visitor in world.people else ""
    pages = {route: page for route, (_, page) in seen.items() if route != CONFIRM}
    others = emails - {mine}

    assert {(p, e) for p, page in pages.items() for e in others if e in page} == set()
    assert mine in pages["users/profile/"] + pages["users/email/"]


@pytest.mark.parametrize("visitor", VISITORS[1:])
def test_visitor_who_signed_in_long_ago_confirms_what_is_sensitive(world, visitor):
    client = world.client(visitor, recently=False)

    answers = {route: answer(client, world.paths[route])[0] for route in SENSITIVE}

    assert "200" not in answers.values()
    assert list(answers.values()).count("again") >= 3


# --- Doing ------------------------------------------------------------------------


@pytest.mark.parametrize("visitor", ["anonymous", "shopper", "superuser"])
def test_post_without_a_token_is_refused_everywhere(world, visitor):
    client = world.client(visitor, enforce_csrf_checks=True)
    paths = dict(world.paths)
    del paths["payments/stripe/webhook/"]  # Stripe has none: its signature is asked for
    before = rows_of_the_shop()

    taken = {
        path
        for path in paths.values()
        if (response := client.post(path)).status_code != 403
        or "This page is out of date" not in response.text
    }

    assert taken == set()
    assert rows_of_the_shop() == before


@pytest.mark.parametrize("visitor", ["anonymous", "shopper", "unverified"])
def test_post_to_the_admin_does_nothing_for_those_who_are_not_staff(world, visitor):
    client = world.client(visitor)
    paths = [path for path in world.paths.values() if path.startswith("/admin/")]
    before = rows_of_the_shop()

    answers = {path: client.post(path, {"post": "yes"}) for path in paths}

    assert {r.status_code for r in answers.values()} <= {302, 403}
    assert rows_of_the_shop() == before


@pytest.mark.parametrize("model", MODELS)
def test_post_of_staff_does_what_they_may_and_nothing_else(world, model):
    client, may = world.client("staff"), MODELS[model][0]
    for right, page in {"add": "add/", "change": "<path:object_id>/change/"}.items():
        path = world.paths[f"admin/{model}/{page}"]

        assert client.post(path).status_code == (200 if right in may else 403), path

    path = world.paths[f"admin/{model}/<path:object_id>/delete/"]
    assert client.post(path, {"post": "yes"}).status_code == 403

"""A shop under a path: https://example.com/shop. A real nginx, with the file of
deploy/nginx, stands before it and has nothing else at that host."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from post_office.models import Email
from websockets.exceptions import InvalidStatus

from products.models import Order, Stock, Variant
from products.stock import services as stock
from project.mail import facts
from tests.support.client import Client
from tests.support.factories import make_picture, make_shopper, make_user, make_variant
from tests.support.http_server import serving
from tests.support.servers import Daphne, free_port, wait_until
from tests.support.shopper import CSRF, Shopper
from tests.support.stripe_server import SECRET, StripeServer
from tests.system.balancer import LOCATIONS, UNDER_PATH, Nginx

LIMIT_S = 60
PATH = "/shop"
COOKIES = {"session": "shop-sessionid", "token": "shop-csrftoken"}
ADDRESS = {
    "email": "ann@example.com",
    "full_name": "Ann Lee",
    "line1": "High Street 1",
    "postcode": "12345",
    "city": "Port",
    "country": "DE",
}
URL = re.compile(r"""https?://[^\s"'<>\\)]+""")
# Of style sheets and scripts.
NEEDED = re.compile(r"""(?:url\(|@import |from |import\(|import )["']?([^"')\s;]+)""")
ELSEWHERE = ("https://schema.org", "http://www.", "https://github.com")


class UnderPath(Daphne):
    path = PATH


class Site(NamedTuple):
    nginx: Nginx
    shop: Daphne
    stripe: StripeServer
    media: Path


@pytest.fixture(scope="module")
def shared_site(
    django_db_setup, shared_redis, static, tmp_path_factory
) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("under"), free_port()
    with ExitStack() as stack:
        stripe = stack.enter_context(serving(StripeServer()))
        variables = {
            "BEHIND_PROXY": "1",
            "DOMAIN_NAME": f"http://localhost:{port}{PATH}",
            "MEDIA_ROOT": str(folder / "media"),
            "LIVE_AUDIT_S": "3600",
            "STRIPE_SECRET_KEY": "sk_test_of_the_tests",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_BASE": stripe.url,
            "OAUTH_GITHUB_ID": "id",
            "OAUTH_GITHUB_SECRET": "secret",
        }
        shop = UnderPath(folder, shared_redis.url, **static, **variables)
        nginx = Nginx(folder, [shop], port, UNDER_PATH)
        for process in (shop, nginx):
            stack.callback(process.stop)
            process.launch()
        for process in (shop, nginx):
            wait_until(process.is_ready, process.name, LIMIT_S)
        yield Site(nginx, shop, stripe, folder / "media")


@pytest.fixture
def site(transactional_db, redis, shared_site, settings) -> Iterator[Site]:
    """Tests leave it running. Its log shows no traceback afterwards."""
    since = shared_site.shop.mark()
    settings.MEDIA_ROOT = shared_site.media
    settings.SESSION_COOKIE_NAME = COOKIES["session"]
    settings.CSRF_COOKIE_NAME = COOKIES["token"]
    yield shared_site
    assert "Traceback" not in shared_site.shop.said(since)


class Answer(NamedTuple):
    status: int
    headers: dict
    text: str


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments) -> None:
        return None


opener = urllib.request.build_opener(Stay)


def ask(url: str, cookie: str = "", **options) -> Answer:
    """An address as it answers, without following where it leads."""
    headers = options.pop("headers", {}) | ({"Cookie": cookie} if cookie else {})
    request = urllib.request.Request(url, headers=headers, **options)
    try:
        response = opener.open(request, timeout=LIMIT_S)
    except urllib.error.HTTPError as refused:
        response = refused
    with response:
        text = response.read().decode(errors="replace")
        return Answer(response.status, response.headers, text)


# --- Links ------------------------------------------------------------------------


class Addresses(HTMLParser):
    """Whatever a page's attributes say that is an address, and which are followed by a
    GET."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.asked: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        values = {name: value or "" for name, value in attributes}
        is_post = values.get("method", "").lower() == "post" or "formmethod" in values
        for name, value in values.items():
            each = [part.split()[0] for part in value.split(",") if part.strip()]
            for address in each if name == "srcset" else [value]:
                if address.startswith(("/", "http:", "https:", "?")) or name == "href":
                    self.found.add(address)
                    if not is_post and not name.startswith("data-seen"):
                        self.asked.add(address)


def astray(site: Site, page: str, addresses: set[str]) -> set[str]:
    """Those that leave the shop without meaning to."""
    return {
        address
        for address in addresses
        if not address.startswith(("mailto:", "data:", "#", *ELSEWHERE))
        and not f"{urljoin(page, address)}/".startswith(f"{site.nginx.url}/")
    }


def broken(site: Site, page: str, addresses: set[str], cookie: str) -> dict[str, int]:
    """Those that do not answer."""
    wanted = {urldefrag(urljoin(page, address)).url for address in addresses}
    answers = {
        address: ask(address, cookie).status
        for address in sorted(wanted - SEEN - {page})
        if address.startswith(f"{site.nginx.url}/") and "logout" not in address
    }
    SEEN.update(answers)
    return {url: status for url, status in answers.items() if status not in (200, 302)}


SEEN: set[str] = set()  # asked already, by whom does not matter


def look(site: Site, path: str, cookie: str = "", status: int = 200) -> Answer:
    """A page, all of whose addresses are under the path and answer."""
    url = site.nginx.url + path
    answer = ask(url, cookie)
    assert answer.status == status, (path, answer.text[:2000])
    page = Addresses(answer.text)
    assert astray(site, url, page.found) == set(), path
    # In texts too: structured data, scripts.
    assert astray(site, url, set(URL.findall(unescape(answer.text)))) == set(), path
    assert broken(site, url, page.asked, cookie) == {}, path
    return answer


@pytest.fixture
def lamp(site) -> Variant:
    return make_variant(slug="lamp", name="Lamp", image=make_picture(), on_hand=9)


def session_of(site: Site, user) -> str:
    return Shopper(site.nginx, user).cookie


SHOP = ["/", "/products/", "/products/?q=lamp", "/products/lamp/", "/basket/"]
ENTRANCE = ["/users/login/", "/users/signup/", "/users/password/reset/"]


def test_pages_for_everybody_stay_under_the_path(site, lamp):
    for path in SHOP + ENTRANCE:
        look(site, path)
    look(site, f"/products/category/{lamp.product.category.slug}/")
    look(site, "/nowhere/", status=404)
    detail = look(site, "/products/lamp/").text
    for name in ('rel="canonical" href', 'property="og:url" content'):
        assert f'{name}="{site.nginx.url}/products/lamp/"' in detail
    assert f'"url": "{site.nginx.url}/products/lamp/"' in detail
    (picture,) = re.findall(r'og:image" content="([^"]+)"', detail)
    assert picture.startswith(f"{site.nginx.url}/media/")
    assert ask(picture).status == 200


def test_pages_of_somebody_stay_under_the_path(site, lamp):
    person = make_shopper()
    shopper = Shopper(site.nginx, person)
    shopper.add(lamp)
    pages = ["/basket/", "/checkout/", "/orders/", "/users/profile/", "/users/email/"]
    pages += ["/users/addresses/add/", "/users/sessions/", "/users/2fa/"]

    for path in pages:
        look(site, path, shopper.cookie)


def test_pages_of_staff_stay_under_the_path(site, lamp):
    boss = make_user(is_staff=True, is_superuser=True)
    cookie = session_of(site, boss)
    pages = ["/staff/orders/", "/staff/pulse/", "/admin/", "/admin/products/product/"]
    pages += [f"/admin/products/product/{lamp.product.pk}/change/"]
    pages += [f"/admin/products/stock/{lamp.pk}/change/"]

    texts = [look(site, path, cookie).text for path in pages]

    for path, text in zip(pages, texts):  # else browsers ask for /favicon.ico
        assert re.search(rf'<link rel="icon" href="{PATH}/static/', text), path
    assert f'<a href="{PATH}/">' in texts[2]  # "View site"


def test_style_sheets_and_scripts_need_only_what_is_under_the_path(site, lamp):
    cookie = session_of(site, make_user(is_staff=True, is_superuser=True))
    todo = set()
    for path in ("/products/lamp/", "/staff/orders/", "/admin/"):
        page = Addresses(ask(site.nginx.url + path, cookie).text).found
        todo |= {
            urljoin(site.nginx.origin, each) for each in page if "/static/" in each
        }
    done: dict[str, str] = {}

    while todo:
        url = todo.pop()
        answer = ask(url)
        assert answer.status == 200, url
        done[url] = answer.text
        if url.endswith((".css", ".js")) and PATH in url:
            needed = {each for each in NEEDED.findall(answer.text) if each[0] in "./"}
            assert astray(site, url, needed) == set(), url
            todo |= {urldefrag(urljoin(url, each)).url for each in needed} - set(done)

    assert any("/js/live." in url for url in done)
    ours = [text for url, text in done.items() if "/admin/" not in url]
    roots = r"""["'`(]/(ws|static|media|basket|checkout|orders|products|staff|users)/"""
    assert not any(re.search(roots, text) for text in ours)


def test_machines_that_read_the_shop_are_led_under_the_path(site, lamp):
    robots = look(site, "/robots.txt").text
    index = look(site, "/sitemap.xml").text

    assert f"Disallow: {PATH}/basket/" in robots
    assert f"Sitemap: {site.nginx.url}/sitemap.xml" in robots
    sections = re.findall(r"<loc>([^<]+)</loc>", index)
    assert len(sections) == 3
    for section in sections:
        for page in re.findall(r"<loc>([^<]+)</loc>", ask(section).text):
            assert page.startswith(f"{site.nginx.url}/")
            assert ask(page).status == 200


# --- What is not under the path ---------------------------------------------------

OUTSIDE = ["/", "/products/", "/shopping/", "/shop2/", "/SHOP/", "/basket/", "/ws/"]
OUTSIDE += [
    "/static/css/base.css",
    "/media/",
    "/favicon.ico",
    "/admin/",
    "/users/login/",
]
OUTSIDE += [
    "//shop/",
    "/shop/../products/",
    "/%2Fshop/",
    "/shop/shop/",
    "/shop/healthz",
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_page_outside_the_path_is_not_there(site, method, path):
    data = b"" if method == "POST" else None
    token = {"Cookie": f"{COOKIES['token']}={CSRF}", "X-CSRFToken": CSRF}

    answer = ask(site.shop.origin + path, method=method, data=data, headers=token)

    assert answer.status == 404
    if "text/html" in answer.headers["Content-Type"]:
        assert f'href="{PATH}/"' in answer.text


def test_path_without_its_slash_leads_to_the_shop(site):
    for server in (site.nginx, site.shop):
        answer = ask(f"{server.origin}{PATH}?q=a")

        assert answer.status == 301
        assert urljoin(server.url, answer.headers["Location"]) == f"{server.url}/?q=a"


def test_machines_find_the_server_at_its_root_and_not_through_nginx(site):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert ask(site.shop.origin + path).status == 200
        assert ask(site.nginx.origin + path).status == 404
        assert ask(site.nginx.url + path).status == 404


@pytest.mark.parametrize("path", ["/ws/", "/", "/shop/ws", "/shop/", "/shopws/", "/x/"])
def test_socket_outside_its_address_is_refused(site, path):
    with pytest.raises(InvalidStatus) as refused:
        Client(site.shop, path=path).__enter__()

    assert refused.value.response.status_code == 403


# --- Sockets ----------------------------------------------------------------------


def test_socket_under_the_path_hears_of_changes(site, lamp):
    shopper = Shopper(site.nginx)
    shopper.add(lamp)
    with shopper.socket() as page:
        page.watch(f"stock:{lamp.pk}", "basket:lines")
        stock.receive(lamp.pk, 3)
        version = Stock.objects.get(pk=lamp.pk).version
        facts = page.shows(f"stock:{lamp.pk}", version)
        assert facts["available"] == 12

        shopper.add(lamp)
        page.until(lambda frame: "basket:lines" in str(frame.get("items")))
        html = page.page.html["basket:lines"]

    links = Addresses(html).found
    assert f"{PATH}/products/lamp/" in links
    assert astray(site, site.nginx.url, links) == set()


@pytest.mark.parametrize("origin", ["http://evil.example", "{url}", "{origin}/"])
def test_socket_of_another_origin_is_refused(site, origin):
    said = origin.format(url=site.nginx.url, origin=site.nginx.origin)

    with pytest.raises(InvalidStatus) as refused:
        Client(site.nginx, origin=said).__enter__()

    assert refused.value.response.status_code == 403


# --- What pages say to browsers and caches ----------------------------------------


def test_account_page_under_the_path_is_kept_by_nobody(site):
    answer = ask(f"{site.nginx.url}/users/inactive/")

    assert "no-store" in answer.headers["Cache-Control"]
    assert f"ws://localhost:{site.nginx.port};" in (
        f"{answer.headers['Content-Security-Policy']};".replace(" ;", ";")
    )


# --- Cookies and forms ------------------------------------------------------------


def test_cookies_belong_to_the_path(site, lamp):
    person = make_shopper()
    person.password = Argon2PasswordHasher().encode("password", "salt-of-16-letters-x")
    person.save()
    login = f"{site.nginx.url}/users/login/"
    cookie = f"{COOKIES['token']}={CSRF}"
    form = f"login={person.email}&password=password&csrfmiddlewaretoken={CSRF}"

    answers = [ask(login), ask(login, cookie, data=form.encode(), method="POST")]

    cookies = [line for each in answers for line in each.headers.get_all("Set-Cookie")]
    assert answers[1].status == 302
    names = {line.partition("=")[0] for line in cookies}
    assert {*COOKIES.values(), "shop-messages"} <= names
    for line in cookies:
        assert f"; Path={PATH}/;" in f"{line};".replace("path=", "Path="), line


def test_cookies_of_another_shop_at_the_same_host_change_nothing(site, lamp):
    """A browser sends those of "/" as well."""
    shopper = Shopper(site.nginx, make_shopper())
    shopper.cookies |= {"sessionid": "of-the-other", "csrftoken": "x" * 32}

    assert shopper.add(lamp)["items"]
    assert "Sign out" in shopper.get("/products/")


@pytest.mark.parametrize(
    "target, destination",
    [
        (f"{PATH}/products/", f"{PATH}/products/"),
        ("/products/", f"{PATH}/basket/"),
        ("/", f"{PATH}/basket/"),
        ("/other/", f"{PATH}/basket/"),
        ("{origin}/other/", f"{PATH}/basket/"),
        (f"{{origin}}{PATH}/products/", f"{{origin}}{PATH}/products/"),
        (f"{PATH}/../other/", f"{PATH}/basket/"),
        (f"//evil.example{PATH}/", f"{PATH}/basket/"),
    ],
)
def test_form_leads_to_pages_under_the_path_only(site, lamp, target, destination):
    url = f"{site.nginx.url}/basket/add/{lamp.pk}/"
    target, destination = (
        each.format(origin=site.nginx.origin) for each in (target, destination)
    )
    form = f"quantity=1&next={target}&csrfmiddlewaretoken={CSRF}".encode()

    answer = ask(url, f"{COOKIES['token']}={CSRF}", data=form, method="POST")

    assert (answer.status, answer.headers["Location"]) == (302, destination)


@pytest.mark.parametrize(
    "path, megabytes, status",
    [
        ("/", 2, 413),
        ("/users/profile/", 5, 403),  # no token: the shop itself answers
        ("/users/profile/", 7, 413),
    ],
)
def test_upload_may_be_as_large_as_its_page_needs(site, path, megabytes, status):
    body = bytes(megabytes * 2**20)

    for server in (site.nginx, site.shop):
        answer = ask(server.url + path, data=body, method="POST")

        assert answer.status == status, server.name


def test_refusal_of_an_upload_leads_back_to_the_shop(site):
    headers = {"Accept": "text/html"}

    said = ask(f"{site.shop.url}/", data=bytes(2**21), method="POST", headers=headers)

    links = Addresses(said.text).found
    assert said.status == 413 and f"{PATH}/" in links
    assert astray(site, site.nginx.url, links) == set()


# --- Mails, payments, sign-in elsewhere -------------------------------------------


def links_of(mail: Email) -> set[str]:
    facts.write(mail)
    links = URL.findall(f"{mail.message} {unescape(mail.html_message)}")
    return {each.rstrip(".") for each in links}


def ordered(site: Site, lamp: Variant, method: str) -> Shopper:
    """A guest orders by the forms."""
    guest = Shopper(site.nginx)
    guest.add(lamp)
    guest.get("/checkout/")
    assert guest.send("/checkout/", **ADDRESS) == 303
    assert guest.location == f"{PATH}/checkout/review/"
    (shown,) = re.findall(
        r'name="shown" value="([^"]*)"', guest.get("/checkout/review/")
    )
    guest.send("/checkout/review/", shown=unescape(shown), method=method)
    return guest


def test_mail_of_an_order_leads_to_it(site, lamp):
    guest = ordered(site, lamp, "delivery")
    order = Order.objects.get()

    assert guest.location.startswith(f"{PATH}/orders/{order.number}/")
    (mail,) = Email.objects.all()
    assert astray(site, site.nginx.url, links_of(mail)) == set()
    (link,) = {each for each in links_of(mail) if "/orders/" in each}
    reader = Shopper(site.nginx)
    reader._ask("GET", link.removeprefix(site.nginx.url))
    assert reader.location == f"{PATH}/orders/{order.number}/"  # without the token
    look(site, f"/orders/{order.number}/", reader.cookie)


def test_mail_that_confirms_an_address_leads_to_the_page(site):
    stranger = Shopper(site.nginx)
    password = "a-long-one-4711-of-hers"
    fields = {"email": "eve@example.com", "password1": password, "password2": password}

    assert stranger.send("/users/signup/", **fields) in (200, 302)

    (mail,) = Email.objects.all()
    assert astray(site, site.nginx.url, links_of(mail)) == set()
    (link,) = {each for each in links_of(mail) if "/confirm-email/" in each}
    assert ask(link).status == 200


def test_payment_page_leads_back_under_the_path(site, lamp):
    ordered(site, lamp, "stripe")

    order = Order.objects.get()
    (session,) = site.stripe.sessions.values()
    back = {session["success_url"], session["cancel_url"]}
    assert {each.partition("?")[0] for each in back} == {
        f"{site.nginx.url}/orders/{order.number}/"
    }


def test_provider_leads_back_under_the_path(site):
    stranger = Shopper(site.nginx)

    _status, html = stranger._ask("POST", "/users/github/login/", {})

    assert f"redirect_uri={site.nginx.url}/users/github/login/callback/" in unescape(
        urllib.request.unquote(html + stranger.location)
    )


# --- Tools ------------------------------------------------------------------------


def test_load_test_of_a_shop_under_a_path_passes(site, tmp_path):
    for _ in range(4):
        make_variant(on_hand=50)
    figures = tmp_path / "figures.json"
    flags = ["--sockets", "5", "--duration", "2", "--quiet", "0.5", "--buyers", "1"]
    command = [sys.executable, "-m", "realtime.loadtest", "--url", site.nginx.url]

    done = subprocess.run(
        [*command, *flags, "--json", str(figures)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(figures.read_text())["figures"]["pushes"]


def directives(text: str) -> dict[str, set[str]]:
    """What nginx is told for each location, inherited or not."""
    by_name: dict[str, set[str]] = {}
    for head, body in re.findall(r"^ *location ([^{\n]+) \{(?=([^{}]*))", text, re.M):
        lines = re.findall(r"^\s*([a-z_]+ [^#;]+);", body, re.MULTILINE)
        by_name[head] = {" ".join(line.split()) for line in lines}
    return by_name


def test_nginx_is_told_the_same_for_both_places_of_a_shop():
    root = directives(LOCATIONS.read_text())
    path = directives(UNDER_PATH.read_text())
    own = {
        " ".join(line.split())
        for line in re.findall(
            r"^([a-z_]+ [^#;{]+);", LOCATIONS.read_text(), re.MULTILINE
        )
    }
    server = {
        "client_header_timeout 15s",
        "large_client_header_buffers 4 16k",
        "error_page 494 =431 @headers",
        "server_tokens off",
    }

    assert path.pop("= /shop") and root.pop("~ ^/(healthz|readyz|metrics)$")
    assert root.pop("@headers")
    for name in ("@too_large", "@away"):
        path[name] = {line.replace("'/shop/'", "'/'") for line in path[name]}
    path["/shop/media/"].remove("alias /srv/shop/public/media/")
    assert path.pop("/shop/") == own - server | root.pop("/")
    assert {
        head.replace("/shop/", "/", 1): statements for head, statements in path.items()
    } == root
    statements = (
        line.partition(";")[0] for line in UNDER_PATH.read_text().splitlines()
    )
    assert server <= {line.strip(" #") for line in statements}

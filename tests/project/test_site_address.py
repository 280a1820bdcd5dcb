"""DOMAIN_NAME, and what follows from its path."""

import asyncio
import json
import os
import subprocess

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.asgi import application
from project.site_address import parsed
from tests.support import fork_server


@pytest.mark.parametrize(
    "text, origin, path",
    [
        ("https://shop.example", "https://shop.example", "/"),
        ("https://shop.example/", "https://shop.example", "/"),
        ("http://localhost:8000", "http://localhost:8000", "/"),
        ("http://[::1]:8000/shop", "http://[::1]:8000", "/shop/"),
        ("https://shop.example/shop", "https://shop.example", "/shop/"),
        ("https://shop.example/shop/", "https://shop.example", "/shop/"),
        (" https://shop.example/a/b ", "https://shop.example", "/a/b/"),
        ("HTTPS://Shop.Example/Shop", "https://shop.example", "/Shop/"),
        ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example", "/"),
        (
            "https://shop.example/~ann/v1.2_x-y",
            "https://shop.example",
            "/~ann/v1.2_x-y/",
        ),
        ("http://web_1:80/...", "http://web_1:80", "/.../"),
    ],
)
def test_address_is_an_origin_and_a_path(text, origin, path):
    address = parsed(text)

    assert address == (origin, path)
    assert address.url == f"{origin}{path}".rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "shop", "/shop", "shop.example", "//shop.example", "https://"),
        *("ftp://shop.example", "https:/shop.example", "https:///shop"),
        *("https://shop.example?a=b", "https://shop.example/shop?a", "https://a/#b"),
        *("https://ann:secret@shop.example", "https://shop.example:99999"),
        *("https://shop.example:", "https://shop.example:x", "https://[::1"),
        *("https://shop.example//shop", "https://shop.example/a//b"),
        *("https://shop.example/.", "https://shop.example/..", "https://a/b/../c"),
        *("https://shop.example/a b", "https://shop.example/%73hop"),
        *("https://shop.example/lädchen", "https://shop.example/a;b", "https://a/b\\c"),
        *(
            "https://a/b\nc",
            "https://a/\r\nX",
            'https://a/"',
            "https://a/<b>",
            "https://a/{x}",
        ),
        "https://one.example,https://two.example",
        *("https://-a.example", "https://a-.example", "https://a..example"),
        *("https://.", "https://shop.example.", "https://[::zz]", "https://[1:2]"),
        *("https://1.2.3.4.5", "https://999.1.1.1", "https://shop.example:0"),
        *("https://" + "a" * 64 + ".example", "https://" + "a." * 127 + "example"),
        "https://bücher.example",
    ],
)
def test_address_that_cannot_be_the_shops_is_refused_in_one_line(text):
    with pytest.raises(
        ImproperlyConfigured, match=r"\ADOMAIN_NAME must be .+\Z"
    ) as refused:
        parsed(text)

    assert "secret" not in str(refused.value), "a password is no matter for a log"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    production = {"DEBUG": "0", "SERVE_MEDIA": "0"}
    return fork_server.run([*arguments], os.environ | production | environment)


SERVER = ["-m", "realtime.server", "project.asgi:application"]


@pytest.mark.parametrize(
    "arguments, address, said",
    [
        (["manage.py", "check"], "shop.example", "DOMAIN_NAME"),
        (SERVER, "https://shop.example/a?b", "DOMAIN_NAME"),
        (
            [*SERVER, "--root-path", "/shop"],
            "https://shop.example",
            "--root-path /shop",
        ),
    ],
    ids=["manage", "server", "flag"],
)
def test_program_with_a_bad_address_ends_with_one_line(arguments, address, said):
    done = run(*arguments, DOMAIN_NAME=address)

    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(said)


UNDER_A_PATH = """
import json
import django
django.setup()
from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from products.pagecache import early
from project.views import absolute
from realtime.bodies import limit_of
from realtime.routing import ADDRESS


def opens(path):
    try:
        return bool(resolve(path))
    except Resolver404:
        return False


def is_early(path):
    headers = [(b"host", settings.ALLOWED_HOSTS[0].encode())]
    scope = {"method": "GET", "path": path, "query_string": b"", "headers": headers}
    return early.parse(scope) is not None


MB = 2**20
print(json.dumps({
    "site": [settings.DOMAIN_NAME, settings.BASE_PATH, settings.FORCE_SCRIPT_NAME],
    "origins": settings.CSRF_TRUSTED_ORIGINS,
    "policy": settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"],
    "domain": [settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, settings.SECURE_HSTS_PRELOAD],
    "files": [settings.STATIC_URL, settings.MEDIA_URL],
    "sender": settings.DEFAULT_FROM_EMAIL,
    "socket": ADDRESS,
    "page": [reverse("products:basket"), absolute(reverse("products:basket"))],
    "resolves": [opens(f"{p}basket/") for p in ("/", settings.BASE_PATH)],
    "early": [is_early(f"{p}products/") for p in ("/", settings.BASE_PATH)],
    "front": [is_early(p) for p in ("/", settings.BASE_PATH, settings.BASE_PATH[:-1])],
    "body": [limit_of("POST", f"{p}users/profile/") for p in ("/", settings.BASE_PATH)],
    "admin": admin.site.site_url,
    "machines": limit_of("POST", "/readyz"),
    "robots": Client().get(
        reverse("robots"), secure=True, headers={"host": settings.ALLOWED_HOSTS[0]}
    ).text.split(),
}))
"""


def test_settings_of_a_shop_under_a_path_follow_from_its_address():
    address = "https://shop.example:8443/eu/shop/"

    host = {"ALLOWED_HOSTS": "shop.example", "INSECURE_COOKIES": "0"}
    done = run("-c", UNDER_A_PATH, DOMAIN_NAME=address, **host)

    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    robots = values.pop("robots")
    assert values == {
        "site": ["https://shop.example:8443/eu/shop", "/eu/shop/", None],
        "origins": ["https://shop.example:8443"],
        "policy": ["'self'", "wss://shop.example:8443"],
        "domain": [False, False],  # that is the host's to say
        "files": ["/eu/shop/static/", "/eu/shop/media/"],
        "admin": "/eu/shop/",
        "sender": "Tidewater <shop@shop.example>",
        "socket": "eu/shop/ws/",
        "page": [
            "/eu/shop/basket/",
            "https://shop.example:8443/eu/shop/basket/",
        ],
        "resolves": [False, True],
        "early": [False, True],
        "front": [False, True, False],
        "body": [2**20, 6 * 2**20],
        "machines": 2**16,
    }
    assert "/eu/shop/admin/" in robots
    assert "https://shop.example:8443/eu/shop/sitemap.xml" in robots


# --- What a server says of the path ---------------------------------------------------


async def answered(scope: dict) -> list[dict]:
    """What the shop sends to somebody who asks once."""
    sent: list[dict] = []
    first = {"http": "http.request", "websocket": "websocket.connect"}[scope["type"]]
    coming = [{"type": first}]

    async def receive() -> dict:
        return coming.pop() if coming else await asyncio.Event().wait()

    async def send(message: dict) -> None:
        sent.append(message)

    headers = {
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "root_path": "/a",
    }
    await application({"http_version": "1.1", **headers, **scope}, receive, send)
    return sent


async def test_path_that_a_server_was_told_comes_before_no_link():
    page = {"type": "http", "method": "GET", "path": "/admin/password_change/"}

    start, _body = await answered({**page, "scheme": "http", "raw_path": b""})

    assert start["status"] == 302
    assert (b"Location", b"/users/password/change/") in start["headers"]


async def test_path_that_a_server_was_told_breaks_no_socket():
    sent = await answered({"type": "websocket", "path": "/ws/x", "subprotocols": []})

    assert sent == [{"type": "websocket.close"}]

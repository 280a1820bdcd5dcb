"""What counts as this shop's own page."""

import pytest

from realtime.origins import is_allowed


def scope(origin: str | None, host: str = "localhost:8000", **more) -> dict:
    headers = [(b"host", host.encode("latin1"))]
    if origin is not None:
        headers.append((b"origin", origin.encode("latin1")))
    for name, value in more.pop("headers", {}).items():
        headers.append((name.encode(), value.encode()))
    return {"type": "websocket", "headers": headers, **more}


@pytest.fixture(autouse=True)
def named(settings):
    settings.DOMAIN_NAME = "https://shop.example"
    settings.ALLOWED_HOSTS = ["localhost", ".shop.example"]
    settings.SECURE_PROXY_SSL_HEADER = None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8000", "localhost:8000"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://localhost", "localhost"),
        ("http://www.shop.example", "www.shop.example"),
        ("https://shop.example", "shop.example"),
        ("https://shop.example", "localhost:8000"),
        ("https://shop.example", ""),
        (None, "evil.com"),
    ],
)
def test_origin_of_the_shop_is_allowed(origin, host):
    assert is_allowed(scope(origin, host))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://localhost:8000", "localhost:8000"),
        ("http://localhost:8001", "localhost:8000"),
        ("http://localhost", "localhost:8000"),
        ("http://localhost:8000/", "localhost:8000"),
        ("http://localhost:8000.evil.com", "localhost:8000"),
        ("http://localhost:8000 http://evil.com", "localhost:8000"),
        ("http://localhost:8000, http://evil.com", "localhost:8000"),
        ("localhost:8000", "localhost:8000"),
        ("http://shop.example", "localhost:8000"),
        ("https://shop.example:443", "localhost:8000"),
        ("https://evil.com", "evil.com"),
        ("https://notshop.example", "notshop.example"),
        ("null", "localhost:8000"),
        ("*", "localhost:8000"),
        ("", "localhost:8000"),
        ("", ""),
        ("http://", ""),
        ("http://[", "["),
        ("http://a b", "a b"),
    ],
)
def test_other_origins_are_refused(origin, host):
    assert not is_allowed(scope(origin, host))


def test_configured_origins_are_allowed(settings):
    settings.LIVE = settings.LIVE | {"ORIGINS": ["https://app.example"]}

    assert is_allowed(scope("https://app.example"))
    assert not is_allowed(scope("http://app.example"))


def test_tls_of_the_server_means_https():
    assert is_allowed(scope("https://localhost:8000", scheme="wss"))
    assert not is_allowed(scope("http://localhost:8000", scheme="wss"))


@pytest.mark.parametrize(
    ("forwarded", "behind", "allowed"),
    [
        ("https", True, True),
        ("https, http", True, True),  # the first is the client's own
        ("http", True, False),
        ("http, https", True, False),
        ("https", False, False),
    ],
)
def test_forwarded_scheme_counts_only_behind_a_proxy(
    settings, forwarded, behind, allowed
):
    if behind:
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"x-forwarded-proto": forwarded}

    assert is_allowed(scope("https://localhost:8000", headers=headers)) is allowed

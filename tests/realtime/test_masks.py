"""Secrets and email addresses leave no trace in what those who run the shop read."""

import re
import time
from pathlib import Path

import pytest

from realtime.masks import is_secret, mask

KEY = "tOk3n-0123456789"
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "text, shown",
    [
        (f"GET /orders/confirm/{KEY}/ 500", "GET /orders/confirm/-/ 500"),
        (f"/users/password/reset/key/1a-{KEY}/", "/users/password/reset/key/-/"),
        (f"'/users/confirm-email/{KEY}/'", "'/users/confirm-email/-/'"),
        (
            f"https://shop.example/tell-me/stop/{KEY}/",
            "https://shop.example/tell-me/stop/-/",
        ),
        (f"/orders/A1/?t={KEY}&x=1 is gone", "/orders/A1/?- is gone"),
        (
            f"/users/password/reset/%6Bey/1-{KEY}/ 404",
            "/users/password/reset/%6Bey/-/ 404",
        ),
        (
            f"Not Found: /users//confirm-email/{KEY}",
            "Not Found: /users//confirm-email/-",
        ),
        (f"next=%2Forders%2Fconfirm%2F{KEY}", "next=%2Forders%2Fconfirm%2F-"),
        ("/orders/confirm/<str:token>/", "/orders/confirm/<str:token>/"),
        ("/orders/confirm/{token}/", "/orders/confirm/{token}/"),
        ("redis://:hunter2@redis:6379/0 is away", "redis://-@redis:6379/0 is away"),
        ("postgres://shop:p%40ss@db/shop", "postgres://-@db/shop"),
        ("Authorization: Bearer abcdef123456", "Authorization: -"),
        ("sent Bearer abcdef123456 there", "sent Bearer - there"),
        ("password=hunter2, user=ann", "password=-, user=ann"),
        ("{'password': 'hunter 2', 'n': 1}", "{'password': -, 'n': 1}"),
        ('{"access_token": "abc", "n": 1}', '{"access_token": -, "n": 1}'),
        ("csrfmiddlewaretoken=abc&n=1", "csrfmiddlewaretoken=-&n=1"),
        ("__Host-sessionid=abc; language=en", "__Host-sessionid=-; language=en"),
        ("key sk_live_51abcDEF is wrong", "key - is wrong"),
        ("topic order:" + "a" * 32, "topic order:-"),
        ("for Ann <ann.o'neil+shop@people.example>", "for Ann <[e-mail]>"),
        ("ann%40people.example", "[e-mail]"),
        (
            "no mail to 'ann@people.example'...bob@x.example",
            "no mail to '[e-mail]'...[e-mail]",
        ),
        ("Key (email)=(ann@people.example)", "Key (email)=([e-mail])"),
        (
            "duplicate key\nDETAIL:  Key (name)=(Ann Example) already exists.\n",
            "duplicate key\nDETAIL: -\n",
        ),
        (
            "Product 7 has 3 left; key of the order",
            "Product 7 has 3 left; key of the order",
        ),
        ("METRICS_TOKEN is needed", "METRICS_TOKEN is needed"),
        ("Authorization: Token hunter2 x\nnext", "Authorization: -\nnext"),
        ("authorization: Digest user=a, response=b", "authorization: -"),
        ("Cookie: a=hunter2; b=hunter3", "Cookie: -"),
        ("pwd=hunter2 host=db", "pwd=- host=db"),
        ("sync --api-token hunter2 --fast", "sync --api-token - --fast"),
        ("sync --token --fast", "sync --token --fast"),
        ("got eyJhbGciOi.eyJzdWIiOi.c2ln- there", "got - there"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----------END RSA PRIVATE KEY-----",
        ),
        ("  | DETAIL:  Key (name)=(Ann) is there", "  | DETAIL: -"),
        (
            'invalid input syntax for type integer: "hunter2"\n'
            "LINE 1: SELECT 'hunter2'\n",
            "invalid input syntax for type integer: -\nLINE 1: -\n",
        ),
        (
            "https://shop.example/products/teapot/",
            "https://shop.example/products/teapot/",
        ),
    ],
    ids=lambda text: re.sub(r"\W+", "-", text)[:40],
)
def test_mask_hides_secrets_and_nothing_else(text, shown):
    assert mask(text) == shown


@pytest.mark.parametrize(
    "piece",
    [
        *("a", "a.", "a@", "?a=", "password", "x://", "/orders/confirm/", "token:"),
        *("\\", " ", "a?", "token ", "a'", "a-", "token='", "bearer "),
    ],
    ids=range(16),
)
def test_long_text_is_masked_quickly(piece):
    """Visitors make some of them up: their addresses, their agents' names."""
    begun = time.thread_time()
    mask(piece * (100_000 // len(piece)))

    assert time.thread_time() - begun < 2


@pytest.mark.parametrize(
    "name, is_one",
    [
        ("Authorization", True),
        ("HTTP_COOKIE", True),
        ("new_password1", True),
        ("api_key", True),
        ("variant", False),
        ("monkey", False),
    ],
)
def test_secret_names_are_recognised(name, is_one):
    assert is_secret(name) is is_one


def test_nginx_masks_the_same_paths_as_the_shop(settings):
    text = (ROOT / "deploy/nginx/shop-http.conf").read_text()

    for path in settings.SECRET_PATHS:
        pattern = [p for p in re.findall(r"~\^\(\?<shown>(.+)\)\.", text)]
        assert any(re.fullmatch(p, path) for p in pattern), path

"""Shells, filled and compressed. The length does not depend on what is personal."""

import gzip
import random
import string

import pytest

from products.pagecache.shells import BADGE, TOKEN, Shell

LETTERS = string.ascii_letters + string.digits
EMPTY_BADGE = '<span class="badge">0</span>'


def token_of(seed: int) -> str:
    return "".join(random.Random(seed).choices(LETTERS, k=64))


def page(*parts: str) -> Shell:
    return Shell(200, "".join(parts), EMPTY_BADGE)


def form(n: int) -> str:
    return f'<form action="/basket/add/{n}/"><input value="{TOKEN}"><b>Lamp {n}</b>'


@pytest.fixture
def shell() -> Shell:
    return page("<h1>Läden</h1>", BADGE, *map(form, range(50)), "<p>" + "é" * 70_000)


def test_filled_has_each_token_and_the_badge(shell):
    text = shell.filled("T" * 64, b"[7]").decode()

    assert text.count("T" * 64) == 50
    assert "<h1>Läden</h1>[7]<form" in text
    assert TOKEN not in text and BADGE not in text


@pytest.mark.parametrize("badge", [EMPTY_BADGE.encode(), b"", "é".encode() * 500])
def test_zipped_is_the_filled_page(shell, badge):
    token = token_of(1)

    zipped = shell.zipped(token, badge)

    assert gzip.decompress(zipped) == shell.filled(token, badge)
    assert len(zipped) < len(shell.filled(token, badge)) / 10


@pytest.mark.parametrize("html", ["", "plain", TOKEN, BADGE, BADGE + TOKEN])
def test_zipped_of_a_tiny_page_is_the_filled_page(html):
    shell = page(html)

    assert gzip.decompress(shell.zipped(token_of(1), b"[7]")) == shell.filled(
        token_of(1), b"[7]"
    )


def test_zipped_is_no_shorter_when_the_page_contains_a_right_guess_of_the_token(shell):
    """BREACH: an attacker makes the page show their guess beside the secret, and learns
    from the length how much of it is right."""
    secret = token_of(1)
    right = page(f"<p>You searched for {secret}</p>", form(1), BADGE)
    wrong = page(f"<p>You searched for {token_of(2)}</p>", form(1), BADGE)

    sizes = {len(each.zipped(secret, b"[7]")) for each in (right, wrong)}
    control = {
        len(gzip.compress(each.filled(secret, b"[7]"))) for each in (right, wrong)
    }

    assert len(sizes) == 1 or max(sizes) - min(sizes) < 4  # the guesses' letters differ
    assert max(control) - min(control) > 20  # positive control


def test_zipped_is_as_long_for_every_token(shell):
    assert len({len(shell.zipped(token_of(n), b"[7]")) for n in range(20)}) == 1


def test_etag_differs_between_pages_secrets_and_baskets(shell):
    etags = {
        shell.etag("secret", "", EMPTY_BADGE),
        shell.etag("other", "", EMPTY_BADGE),
        shell.etag("secret", "u7", EMPTY_BADGE),
        shell.etag("secret", "", "[7]"),
        page("another").etag("secret", "", EMPTY_BADGE),
    }

    assert len(etags) == 5
    assert shell.etag("secret", "", EMPTY_BADGE) in etags
    assert all(etag.startswith('W/"') and "secret" not in etag for etag in etags)

"""Pages with holes, filled, and compressed so that lengths tell nothing."""

import gzip
import random
import string

import pytest

from products.pagecache.shells import BADGE, TOKEN, Shell

LETTERS = string.ascii_letters + string.digits
NOBODY = '<span class="badge">0</span>'


def token_of(seed: int) -> str:
    return "".join(random.Random(seed).choices(LETTERS, k=64))


def page(*parts: str) -> Shell:
    return Shell(200, "".join(parts), NOBODY)


def form(n: int) -> str:
    return f'<form action="/basket/add/{n}/"><input value="{TOKEN}"><b>Lamp {n}</b>'


@pytest.fixture
def shell() -> Shell:
    return page("<h1>Läden</h1>", BADGE, *map(form, range(50)), "<p>" + "é" * 70_000)


def test_shell_filled_has_each_token_and_the_badge(shell):
    text = shell.filled("T" * 64, b"[7]").decode()

    assert text.count("T" * 64) == 50
    assert "<h1>Läden</h1>[7]<form" in text
    assert TOKEN not in text and BADGE not in text


@pytest.mark.parametrize("badge", [NOBODY.encode(), b"", "é".encode() * 500])
def test_shell_zipped_is_the_filled_one(shell, badge):
    token = token_of(1)

    zipped = shell.zipped(token, badge)

    assert gzip.decompress(zipped) == shell.filled(token, badge)
    assert len(zipped) < len(shell.filled(token, badge)) / 10


@pytest.mark.parametrize("html", ["", "plain", TOKEN, BADGE, BADGE + TOKEN])
def test_shell_zipped_with_hardly_anything_in_it_is_the_filled_one(html):
    shell = page(html)

    assert gzip.decompress(shell.zipped(token_of(1), b"[7]")) == shell.filled(
        token_of(1), b"[7]"
    )


def test_shell_zipped_is_no_shorter_when_the_page_guesses_the_token(shell):
    """BREACH: an attacker has the page show their guess beside the secret, and sees in
    the length how much of it was right."""
    secret = token_of(1)
    right = page(f"<p>You searched for {secret}</p>", form(1), BADGE)
    wrong = page(f"<p>You searched for {token_of(2)}</p>", form(1), BADGE)

    sizes = {len(each.zipped(secret, b"[7]")) for each in (right, wrong)}
    control = {
        len(gzip.compress(each.filled(secret, b"[7]"))) for each in (right, wrong)
    }

    assert len(sizes) == 1 or max(sizes) - min(sizes) < 4  # the guesses' own letters
    assert max(control) - min(control) > 20  # the test can tell


def test_shell_zipped_is_as_long_for_every_token(shell):
    assert len({len(shell.zipped(token_of(n), b"[7]")) for n in range(20)}) == 1


def test_etag_is_another_for_another_page_secret_or_basket(shell):
    etags = {
        shell.etag("secret", "", NOBODY),
        shell.etag("other", "", NOBODY),
        shell.etag("secret", "u7", NOBODY),
        shell.etag("secret", "", "[7]"),
        page("another").etag("secret", "", NOBODY),
    }

    assert len(etags) == 5
    assert shell.etag("secret", "", NOBODY) in etags
    assert all(etag.startswith('W/"') and "secret" not in etag for etag in etags)

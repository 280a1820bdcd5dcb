"""Fixtures for the tests of accounts."""

from collections.abc import Callable

import pytest
from django.contrib.auth import hashers
from django.test import Client


@pytest.fixture
def hashed(monkeypatch) -> Callable[[Callable], int]:
    """Count how many passwords are hashed during a call, which takes most of the time.

    assert hashed(lambda: sign_in(client)) == 1
    """
    counts: list[str] = []
    encode = hashers.MD5PasswordHasher.encode  # verify() calls it too

    def counted(self, password: str, *args) -> str:
        counts.append(password)
        return encode(self, password, *args)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", counted)

    def count(call: Callable) -> int:
        counts.clear()
        call()
        return len(counts)

    return count


@pytest.fixture
def client_of() -> Callable[..., Client]:
    """Return another browser, signed in by password if a person is passed."""

    def browser(user=None, **headers) -> Client:
        client = Client(headers=headers)
        if user:
            form = {"login": user.username, "password": "password"}
            client.post("/users/login/", form)
            assert "_auth_user_id" in client.session
        return client

    return browser

"""A key that anybody could guess starts nothing."""

import os
import secrets
import subprocess
import sys

import pytest

from project.keys import fault_of

# The same in every process of the tests, as it names tests.
RANDOM = "E4Os72qqp0zzlddWXXOpLnEVqxwSW7DPrRX2hlt_V4vqwXDKyI301IA1"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "   ",
        "change-me-50-random-characters",
        "CHANGE_ME" * 10,
        "<50 random characters>",
        "django-insecure-" + RANDOM,
        "insecure-" + RANDOM,
        "your-secret-key-goes-here-and-it-has-to-be-very-long-0123456789",
        "x" * 60,
        "abc" * 30,
        "short",
        "k3Vd0pZsQ1xW8rTn5LbYcA7uEfo",
    ],
)
def test_fault_of_a_key_that_can_be_guessed_is_one_line(key):
    fault = fault_of(key)

    assert fault.startswith("SECRET_KEY is ") and "\n" not in fault
    assert len(key) < 10 or key not in fault


@pytest.mark.parametrize(
    "make", [secrets.token_urlsafe, secrets.token_hex], ids=["urlsafe", "hex"]
)
def test_fault_of_a_random_key_is_none(make):
    for _ in range(500):
        assert fault_of(make(50)) is None


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        ["-m", "realtime.server", "project.asgi:application"],
        ["-m", "celery", "--app", "project", "inspect", "ping"],
    ],
    ids=["manage", "server", "celery"],
)
def test_program_with_a_placeholder_ends_with_one_line(command):
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"SECRET_KEY": "change-me-50-random-characters"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("SECRET_KEY is the placeholder of an example. Make one: ")

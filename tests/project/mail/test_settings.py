"""What the EMAIL_* variables of the environment come to."""

import json
import os
import subprocess

import pytest

from project.mail.settings import mail_domain
from tests.support import fork_server

SHOW = """
import json
from project import settings as s
print(json.dumps([s.POST_OFFICE["BACKENDS"]["default"].rpartition(".")[2], s.EMAIL_PORT,
    s.EMAIL_USE_SSL, s.EMAIL_USE_TLS, s.EMAIL_TIMEOUT, s.DEFAULT_FROM_EMAIL,
    s.SERVER_EMAIL]))
"""
SHOP = "Tidewater <shop@shop.example>"


def settled(**environment: str) -> subprocess.CompletedProcess:
    others = {n: v for n, v in os.environ.items() if not n.startswith("EMAIL_")}
    environment = {"DOMAIN_NAME": "https://shop.example", **environment}
    return fork_server.run(["-c", SHOW], others | environment)


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({}, ["ConsoleBackend", 587, False, True, 10, SHOP, SHOP]),
        ({"EMAIL_HOST": "mx"}, ["SmtpBackend", 587, False, True, 10, SHOP, SHOP]),
        (
            {"EMAIL_HOST": "mx", "EMAIL_PORT": "465", "EMAIL_TIMEOUT": "3"},
            ["SmtpBackend", 465, True, False, 3, SHOP, SHOP],
        ),
        (
            {
                "EMAIL_HOST": "mx",
                "EMAIL_USE_SSL": "1",
                "DEFAULT_FROM_EMAIL": "a@b.example",
            },
            ["SmtpBackend", 465, True, False, 10, "a@b.example", "a@b.example"],
        ),
        (
            {"EMAIL_HOST": "mx", "EMAIL_PORT": "25", "SERVER_EMAIL": "a@b.example"},
            ["SmtpBackend", 25, False, False, 10, SHOP, "a@b.example"],
        ),
    ],
)
def test_mail_settings_follow_the_environment(environment, expected):
    done = settled(**environment)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {"EMAIL_USE_TLS": "1", "EMAIL_USE_SSL": "1"},
        {"EMAIL_USE_TLS": "1", "EMAIL_PORT": "465"},
    ],
)
def test_two_kinds_of_encryption_are_one_too_many(environment):
    done = settled(**environment)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "exclude each other" in line


@pytest.mark.parametrize(
    "name, value",
    [
        ("STAFF_ALERTS", '"x,victim@example.org,y"@example.com'),
        ("STAFF_ALERTS", "ann@example.com;bob@example.com"),
        ("STAFF_ALERTS", "ann@example.com,bob"),
        ("DEFAULT_FROM_EMAIL", "nobody"),
        ("SERVER_EMAIL", "Shop <shop@>"),
    ],
)
def test_setting_that_is_no_address_does_not_start(name, value):
    done = settled(**{name: value})

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert name in line and "is not one email address" in line


def test_sender_that_no_host_of_the_shop_makes_must_be_set():
    done = settled(DOMAIN_NAME="http://web_1:8000")

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "derived from DOMAIN_NAME. Set DEFAULT_FROM_EMAIL" in line


def test_staff_alerts_say_who_hears_of_what(monkeypatch):
    from products.settings import staff_alerts

    recipients = "a@example.com, orders:b@example.com,low:c@example.com"
    monkeypatch.setenv("STAFF_ALERTS", recipients)

    alerts = staff_alerts("STAFF_ALERTS")

    assert alerts == {
        "low": ["a@example.com", "c@example.com"],
        "orders": ["b@example.com"],
    }


def test_staff_alert_of_no_event_does_not_start():
    done = settled(STAFF_ALERTS="parcels:ann@example.com")

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "'parcels' is none of low, orders" in line


@pytest.mark.parametrize(
    "url, domain",
    [
        ("https://shop.example:8443", "shop.example"),
        ("http://localhost:8000", "localhost"),
        ("http://127.0.0.1:8000", "[127.0.0.1]"),
        ("http://[::1]:8000", "[::1]"),
    ],
)
def test_sender_has_an_address_wherever_the_shop_is(url, domain):
    from post_office.validators import validate_email_with_name

    assert mail_domain(url) == domain
    validate_email_with_name(f"Tidewater <shop@{mail_domain(url)}>")

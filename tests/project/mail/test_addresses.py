"""Which email addresses the shop takes, and which of them are one mailbox."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from products.models import Order, Waiting
from project.mail.addresses import (
    deliverable,
    mailbox,
    recipient,
    validate_email_address,
)
from tests.support.factories import make_order, make_user, make_variant
from users.models import User

# Each is taken by Django's own validator, or by what people write it into.
REFUSED = [
    '"x,victim@example.org,y"@example.com',
    '"x;victim@example.org"@example.com',
    '"<x>"@example.com',
    '"a b"@example.com',
    '"ann"@example.com',
    "ann@example.com,victim@example.org",
    "ann@example.com;victim@example.org",
    "ann@example.com victim@example.org",
    "Ann <ann@example.com>",
    "<ann@example.com>",
    "ann(note)@example.com",
    "ann\\@example.com",
    "ann@example.com\nBcc: victim@example.org",
    "ann@example.com\r",
    "ann@exam\x00ple.com",
    "ann@exam\u200bple.com",
    "\u202aann@example.com",
    "ann\u00a0@example.com",
    "=?utf-8?q?victim=40example.org=2C?=@example.com",
    "ann@victim@example.com",
    "ann@exa\uff0cmple.com",  # a comma once it is normalised
    "ann@exa\u2100mple.com",
    "ann@example\uff20victim.org",
    "ann@xn--0049.com",  # punycode of nothing that a domain may hold
    "ann@[192.0.2.1]",
    "ann@[IPv6:2001:db8::1]",
    "ann@example",
    "ann@-example.com",
    "ann@exam_ple.com",
    "ann@example..com",
    "ann@example.com.",
    ".ann@example.com",
    "a..b@example.com",
    "jos\u00e9@example.com",  # needs SMTPUTF8
    f"{'a' * 65}@example.com",
    "ann@" + "\u00fc" * 60 + ".example.com",  # too long for a label in ASCII
    "ann",
    "@example.com",
    "",
    None,
]
TAKEN = [
    "ann@example.com",
    "Ann.O'Neil+shop@mail.example.co.uk",
    "ann@localhost",
    "ann@b\u00fccher.example",
    "ann@stra\u00dfe.de",
    "ann@xn--bcher-kva.example",
    "ann@\u4f8b\u5b50.\u6d4b\u8bd5",
    "a/b=c{d}|e~f!g#h$i%j&k*l?m^n`o_p-q@example.com",
]


@pytest.mark.parametrize("address", REFUSED)
def test_address_that_is_not_exactly_one_is_refused(address):
    with pytest.raises(ValidationError, match="Enter one email address"):
        validate_email_address(address)


@pytest.mark.parametrize("address", TAKEN)
def test_address_that_can_be_delivered_is_taken(address):
    validate_email_address(address)

    assert deliverable(address).isascii()


def test_domain_in_another_script_is_written_to_where_it_is_registered():
    """Python's own codec makes strasse.de of it, which is somebody else's."""
    assert deliverable("ann@stra\u00dfe.de") == "ann@xn--strae-oqa.de"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("ann@example.com", "ann@example.com"),
        ('"Lee, Ann" <ann@example.com>', "Lee Ann <ann@example.com>"),
        ("<ann@example.com>", "ann@example.com"),
        ("Ann <ann@b\u00fccher.example>", "Ann <ann@xn--bcher-kva.example>"),
    ],
)
def test_recipient_is_one_address_with_a_plain_name(text, expected):
    assert recipient(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com, bob@example.com",
        "Ann <ann@example.com>, Bob <bob@example.com>",
        '"x,victim@example.org,y"@example.com',
        "Ann <ann@example.com> bob@example.com",
        "Ann <ann@example.com, bob@example.com>",
        "Ann",
    ],
)
def test_recipient_that_is_a_list_is_refused(text):
    with pytest.raises(ValidationError):
        recipient(text)


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com",
        "Ann@Example.COM",
        " ann@example.com",
        "ann+1@example.com",
        "ann+a+b@example.com",
        "ann@EXAMPLE\u3002com",
    ],
)
def test_mailbox_of_different_spellings_is_one(address):
    assert mailbox(address) == "ann@example.com"


def test_mailbox_at_gmail_ignores_dots_and_the_older_name():
    assert mailbox("a.n.n+x@googlemail.com") == mailbox("ann@gmail.com")


@pytest.mark.parametrize("text", ["", "ann", "@", "a@\x00", "+1@example.com"])
def test_mailbox_of_no_address_is_some_text(text):
    assert isinstance(mailbox(text), str)


# --- In the database --------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("address", [a for a in REFUSED[:12] if a])
def test_database_holds_no_list_of_addresses(address):
    """Whatever writes past forms and models."""
    order, user, variant = make_order(), make_user(), make_variant()

    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(email=address)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(email=address)
    with pytest.raises(IntegrityError), transaction.atomic():
        Waiting.objects.create(variant=variant, email=address, language="en")


@pytest.mark.django_db
def test_database_takes_every_address_that_forms_take():
    user = make_user()

    for address in TAKEN:
        assert User.objects.filter(pk=user.pk).update(email=address) == 1

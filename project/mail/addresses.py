"""E-mail addresses: which ones the shop takes, and when two of them are one mailbox.

One rule for every address, whoever brings it: forms, models, providers, settings, the
outbox. It is narrower than RFC 5321. What a mail library could split, fold or decode
into something else (quotes, commas, encoded words, look-alikes of punctuation in the
domain) is refused, because the order's private link would reach a stranger.
"""

import re

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _

MAX_LENGTH = 254  # RFC 5321, with both parts and the @
MAX_LOCAL = 64
# RFC 5322's atoms, but for what mail programs decode: "=?utf-8?q?=2C?=" is a comma.
# ASCII only: other letters need SMTPUTF8, which the outbox does not speak.
ATOM = r"[-!#$%&'*+/=?^_`{|}~0-9A-Za-z]+"
LOCAL = re.compile(rf"{ATOM}(\.{ATOM})*")
ENCODED_WORD = "=?"
NAMED = re.compile("(?P<name>[^<>]*)<(?P<address>[^<>]*)>", re.DOTALL)
SPECIALS = re.compile(r'[",;:()<>@\[\]\\\x00-\x1f\x7f]')  # of a header, in a name
# Their users write dots wherever they like: it stays the same mailbox.
DOTLESS = {"gmail.com", "googlemail.com"}
NOT_ONE_ADDRESS = _(
    "Enter one email address, like ann@example.com. It can’t contain quotes, "
    "commas, spaces or brackets."
)


def ascii_domain(domain: str) -> str:
    """`domain` in lower case as mail servers look it up, by IDNA 2008: Python's own
    codec would turn straße.de into strasse.de. Raises `ValueError`."""
    return idna.encode(domain, uts46=True, std3_rules=True).decode().lower()


def deliverable(address: str) -> str:
    """The address as mail servers take it: its domain in ASCII. Raises
    `ValidationError` for what is not exactly one address."""
    validate_email_address(address)
    local, _at, domain = address.rpartition("@")
    return f"{local}@{ascii_domain(domain)}"


def recipient(text: str) -> str:
    """`text`, an address with or without a name before it, as a header and a
    comma-separated list can hold it. Raises `ValidationError` unless it is one."""
    found = NAMED.fullmatch(text.strip())
    if found is None:
        return deliverable(text.strip())
    name = " ".join(SPECIALS.sub(" ", found["name"]).split())
    address = deliverable(found["address"])
    return f"{name} <{address}>" if name else address


def mailbox(address: str) -> str:
    """Whose mail it is, to count by: the same text for addresses that reach the same
    mailbox. Takes any text, and is for counting only: nobody is written to there."""
    local, _at, domain = address.strip().lower().rpartition("@")
    try:
        domain = ascii_domain(domain)
    except ValueError:
        return address.strip().lower()
    local = local.partition("+")[0] or local
    if domain in DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def validate_email_address(value: str | None) -> None:
    """Raises `ValidationError` for what is not exactly one address that the outbox can
    deliver."""
    local, _at, domain = str(value or "").rpartition("@")
    if not (_is_local_part(local) and _is_domain(domain, MAX_LENGTH - len(local) - 1)):
        raise ValidationError(NOT_ONE_ADDRESS, "invalid", {"value": value})


def is_email_address(text: str) -> bool:
    """Whether `validate_email_address` takes it."""
    try:
        validate_email_address(text)
    except ValidationError:
        return False
    return True


def _is_local_part(text: str) -> bool:
    is_short = len(text) <= MAX_LOCAL
    return bool(is_short and LOCAL.fullmatch(text)) and ENCODED_WORD not in text


def _is_domain(text: str, longest: int) -> bool:
    """Not `[192.0.2.1]`: no shopper has mail at a number."""
    try:
        plain = ascii_domain(text)
    except ValueError:
        return False
    if not text.isprintable() or len(plain) > longest:
        return False
    is_local = plain in EmailValidator.domain_allowlist
    return is_local or bool(EmailValidator.domain_regex.fullmatch(plain))

"""Email addresses: which ones the shop accepts, and when two reach one mailbox.

The same rule applies to forms, models, providers, settings and the outbox. It is
narrower than RFC 5321. Addresses that a mail library could split, fold or decode into
others (with quotes, commas, encoded words, or look-alikes of punctuation in the domain)
are rejected, because a stranger would get the order's private link.
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
# These providers ignore dots in the local part.
DOTLESS = {"gmail.com", "googlemail.com"}
NOT_ONE_ADDRESS = _(
    "Enter one email address, like ann@example.com. It can’t contain quotes, "
    "commas, spaces or brackets."
)


def ascii_domain(domain: str) -> str:
    """Return `domain` in lower case and ASCII, by IDNA 2008. Raises `ValueError`.

    Python's own codec follows an older standard: it turns straße.de into strasse.de.
    """
    return idna.encode(domain, uts46=True, std3_rules=True).decode().lower()


def deliverable(address: str) -> str:
    """Return the address with its domain in ASCII, as mail servers need it.

    Raises `ValidationError` unless it is exactly one address.
    """
    validate_email_address(address)
    local, _at, domain = address.rpartition("@")
    return f"{local}@{ascii_domain(domain)}"


def recipient(text: str) -> str:
    """Return an address, with or without a name, in a form that is safe in a header and
    in a comma-separated list. Raises `ValidationError` unless it is one address."""
    match = NAMED.fullmatch(text.strip())
    if match is None:
        return deliverable(text.strip())
    name = " ".join(SPECIALS.sub(" ", match["name"]).split())
    address = deliverable(match["address"])
    return f"{name} <{address}>" if name else address


def mailbox(address: str) -> str:
    """Return the same text for all addresses that reach the same mailbox.

    It takes any text. The result is for counting, not for sending mail.
    """
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
    """Raises `ValidationError` unless it is one address to which we can deliver."""
    local, _at, domain = str(value or "").rpartition("@")
    if not (_is_local_part(local) and _is_domain(domain, MAX_LENGTH - len(local) - 1)):
        raise ValidationError(NOT_ONE_ADDRESS, "invalid", {"value": value})


def is_email_address(text: str) -> bool:
    """Return whether `validate_email_address` accepts it."""
    try:
        validate_email_address(text)
    except ValidationError:
        return False
    return True


def _is_local_part(text: str) -> bool:
    is_short = len(text) <= MAX_LOCAL
    return bool(is_short and LOCAL.fullmatch(text)) and ENCODED_WORD not in text


def _is_domain(text: str, longest: int) -> bool:
    """Return whether it is a domain name. IP addresses (`[192.0.2.1]`) are rejected."""
    try:
        plain = ascii_domain(text)
    except ValueError:
        return False
    if not text.isprintable() or len(plain) > longest:
        return False
    is_local = plain in EmailValidator.domain_allowlist
    return is_local or bool(EmailValidator.domain_regex.fullmatch(plain))

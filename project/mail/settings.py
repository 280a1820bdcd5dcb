"""Settings of mail."""

from email.utils import parseaddr
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from products.settings import SHOP_NAME
from project.base_settings import env, site

# Whatever the shop sends is written to the outbox, in the transaction of its cause. A
# worker delivers it from there: by SMTP, or onto its console while there is no host.
EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
EMAIL_HOST = env.host("EMAIL_HOST")
EMAIL_PORT = env.int(
    "EMAIL_PORT", 465 if env.bool("EMAIL_USE_SSL", False) else 587, least=1, most=65_535
)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
# TLS from the first byte, which is usual on port 465, or STARTTLS, usual on 587. A
# server in a private network may do without TLS, on port 25.
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", EMAIL_PORT == 465)
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", EMAIL_PORT == 587)
if EMAIL_USE_SSL and EMAIL_USE_TLS:
    raise ImproperlyConfigured(
        f"EMAIL_USE_SSL (TLS from the first byte) and EMAIL_USE_TLS (STARTTLS) exclude"
        f" each other; port {EMAIL_PORT} decides when only one of them is set."
    )
EMAIL_TIMEOUT = env.float(
    "EMAIL_TIMEOUT", 10, least=0.1
)  # seconds, for each answer of the server


def mail_domain(url: str) -> str:
    """The part behind the @ for a shop at `url`; an IP address takes brackets."""
    host = urlsplit(url).hostname or "localhost"
    is_number = ":" in host or host.replace(".", "").isdigit()
    return f"[{host}]" if is_number else host


def sender(name: str, default: str) -> str:
    """One address, with or without a name, for a mail's From. Raises
    `ImproperlyConfigured`: with another one the outbox would refuse every mail."""
    text = env.str(name, default)
    try:
        validate_email(parseaddr(text)[1])
    except ValidationError as error:
        message = f"{name}: {text!r} is not one email address."
        if not env.str(name, ""):
            message += f" It was derived from DOMAIN_NAME. Set {name}."
        raise ImproperlyConfigured(message) from error
    return text


DEFAULT_FROM_EMAIL = sender(
    "DEFAULT_FROM_EMAIL", f"{SHOP_NAME} <shop@{mail_domain(site.url)}>"
)
SERVER_EMAIL = sender("SERVER_EMAIL", DEFAULT_FROM_EMAIL)
# The first retry comes after about so long, each further one after twice that, at most
# an hour; after 80 tries, which take three days, a mail has failed.
OUTBOX_RETRY_S = env.float("OUTBOX_RETRY_S", 30, least=0.1)
OUTBOX_TRIES = env.int("OUTBOX_TRIES", 80, least=1)
POST_OFFICE = {
    "BACKENDS": {
        "default": (
            "project.mail.backends.SmtpBackend"
            if EMAIL_HOST
            else "project.mail.backends.ConsoleBackend"
        )
    },
    "CELERY_ENABLED": False,  # project.mail.tasks delivers
    "FILE_STORAGE": "mail",
}

"""Personal data in the outbox: the mails to a person."""

from django.contrib.auth.models import AbstractUser
from post_office.models import Email

from project.personal import Section

SECTIONS = [
    Section(
        "mails",
        Email,
        ("subject", "to", "created"),  # not the texts: old links still open things
        by="",
        by_email="to",
    ),
]
NOT_THEIRS = {"post_office.EmailTemplate": "The shop writes its mails without it."}


def forget(user: AbstractUser, emails: list[str]) -> list[str]:
    """Delete the mails to them, sent or not: links in them lead nowhere any more."""
    for email in emails:
        Email.objects.filter(to__iexact=email).delete()
    return []

"""Personal data: the interface with which each app describes what it stores.

`settings.PERSONAL_DATA` names the modules that keep something. Each has

    SECTIONS   the stored data, for the download: a list of `Section`
    NOT_THEIRS models that refer to people but keep nothing of them: label → reason
    forget(user, emails) → what the person should know: a list of sentences

`forget` runs before the row of the person is deleted, in the same transaction. A test
finds models that refer to people and are in neither list.
"""

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db.models import Model, Q

LIMIT = 5_000  # rows of one section, the newest


class Section(NamedTuple):
    """Rows of one model that are about a person."""

    name: str  # in the file
    model: type[Model]
    fields: tuple[str, ...]
    by: str = "user"  # the lookup that names the person
    by_email: str = ""  # the lookup that names one of their addresses, in any case

    def rows(self, user: AbstractUser, emails: Iterable[str]) -> list[dict[str, Any]]:
        """The newest rows, as values."""
        wanted = Q(**{self.by: user.pk}) if self.by else Q()
        if self.by_email:
            for email in emails:
                wanted |= Q(**{f"{self.by_email}__iexact": email})
        if not wanted:
            return []
        rows = self.model._default_manager.filter(wanted).order_by("-pk")
        return list(rows.values(*self.fields)[:LIMIT])


def keepers() -> list[ModuleType]:
    return [import_module(name) for name in settings.PERSONAL_DATA]


def proven_addresses(user: AbstractUser) -> list[str]:
    """The addresses that are theirs: what is known by an address alone is shown and
    deleted only if they have followed a link that was sent there."""
    verified = EmailAddress.objects.filter(user=user, verified=True)
    return sorted(verified.values_list("email", flat=True))

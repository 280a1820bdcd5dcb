"""Reads in the admin's history who changed a row."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _


def entries_of(row: Model, *, since: int = 0) -> QuerySet[LogEntry]:
    """Return the row's entries in the admin's history, the newest first."""
    kind = ContentType.objects.get_for_model(row)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk))
    return entries.filter(pk__gt=since).select_related("user").order_by("-pk")


def newest_entry(row: Model) -> int:
    """Return the key of the row's newest entry, or 0."""
    return entries_of(row).values_list("pk", flat=True).first() or 0


def author_of(entries: list[LogEntry], label: str) -> str:
    """Return the name of the last person to change the field with this label."""
    naming = [e for e in entries if f'"{label}"' in e.change_message]
    for entry in naming or entries:
        return entry.user.get_full_name() or entry.user.get_username()
    return _("Somebody")

"""What a restored shop needs before it is started.

A backup is a moment of the past. Since then numbers were given out, money has moved at
the payment provider, and files have come and gone. This makes good what it can, and
finds what a person must look at.
"""

from collections.abc import Iterator
from itertools import chain

from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.db.models import FileField

from products.catalogue import pictures
from products.models import Payment
from products.payments import providers, webhooks
from products.payments.interface import Event, EventKind

SKIPPED = 100_000  # more rows than any table gets between two backups
MOVE_ON = """
SELECT count(setval(
    format('%%I.%%I', schemaname, sequencename)::regclass,
    least(coalesce(last_value, start_value) + %s, max_value)
))
FROM pg_sequences WHERE schemaname = ANY (current_schemas(false))
"""


def skip_numbers() -> int:
    """Move every sequence on, and return how many there are.

    Links in mails, open pages and lists of others may name rows that were made after
    the backup. Their numbers must not stand for other rows now.
    """
    with connection.cursor() as cursor:
        cursor.execute(MOVE_ON, [SKIPPED])
        return cursor.fetchone()[0]


def empty_cache() -> bool:
    """Drop pages, sessions and counts that are newer than the rows. Return whether the
    cache answers."""
    cache.clear()
    cache.set("restored", True, 60)
    return cache.get("restored") is True


def missing_files() -> list[str]:
    """Return the names of the files that rows name and that are not there, sorted.

    A product and its first picture name the same file; it is listed once.
    """
    missing = {name for field, name in _files() if not field.storage.exists(name)}
    return sorted(missing)


def _files() -> Iterator[tuple[FileField, str]]:
    """Every file that a row names."""
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, FileField):
                named = model._base_manager.exclude(**{field.name: ""})
                named = named.exclude(**{field.name: None}).order_by(field.name)
                for name in named.values_list(field.name, flat=True).distinct():
                    yield field, name


def draw_thumbnails() -> int:
    """Draw the thumbnails that are missing of pictures that are there; of how many."""
    return pictures.make_missing_thumbnails()


def hear_of_payments() -> tuple[int, list[Event]]:
    """Ask the providers what they have told since. Return how many events that were,
    and those of payments that no order here explains.

    What was heard before the backup does nothing when it is heard again. Raises
    `Refused`, `Unreachable`.
    """
    events = list(chain.from_iterable(p.past_events() for p in providers.configured()))
    for event in events:
        webhooks.hear(event)
    paid = [event for event in events if event.kind == EventKind.PAID]
    keys = {event.key for event in paid}
    known = Payment.objects.filter(idempotency_key__in=keys)
    ours = set(known.values_list("provider", "idempotency_key"))
    return len(events), [e for e in paid if (e.provider, e.key) not in ours]

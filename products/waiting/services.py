"""Tells people that a product is back: on its open page, or with one mail.

First come, first served, and only as many people as units came back: one lamp does not
cause ten mails. A sweep finds whom to tell, not the movement of the stock. So a claim
stays one statement on one row, and an outage of Redis or of a worker forgets nobody.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Q, Sum
from django.utils import timezone

from products.catalogue.exceptions import UnknownProduct
from products.models import StockMovement, Variant, Waiting
from products.sweeps import services as sweeps
from products.waiting import emails
from products.waiting.models import WaitingQuerySet

logger = logging.getLogger(__name__)

COLUMNS = "variant_id, email, user_id, language, asked_version, created_at"
# One statement, so that two requests at once for one address leave one row.
ASK = f"""
INSERT INTO products_waiting ({COLUMNS})
VALUES (%s, %s, %s, %s, %s, statement_timestamp())
ON CONFLICT DO NOTHING
RETURNING id
"""


def ask(
    variant_id: int, email: str, *, language: str, user: AbstractUser | None = None
) -> int | None:
    """Record that somebody waits for a variant. Return the key of the new request.

    Return 0 if there is a request already, and None if the variant is in stock. Return
    0 also if the address has too many requests by visitors. Nobody is told which,
    because the address may be somebody else's. Raises `UnknownProduct`.
    """
    variant = Variant.objects.for_sale().with_stock().filter(pk=variant_id).first()
    if variant is None:
        raise UnknownProduct
    if variant.stock.available > 0:  # it can be ordered, if only in advance
        return None
    if _at(email).open().count() >= settings.WAITING_PER_ADDRESS:
        return 0
    row = (
        variant_id,
        email,
        user.pk if user else None,
        language,
        variant.stock.version,
    )
    with connection.cursor() as cursor:
        cursor.execute(ASK, row)
        created = cursor.fetchone()
    return created[0] if created else 0


def is_waiting(variant_id: int, user: AbstractUser | None, request: int = 0) -> bool:
    """Return whether `user`, or the person with that request, still waits."""
    theirs = Q(user=user) if user else Q(pk=request)
    return Waiting.objects.open().filter(theirs, variant=variant_id).exists()


def is_link(token: str) -> bool:
    """Return whether `token` is from a link in one of our mails."""
    return emails.waiting_of(token) is not None


def stop(token: str) -> int:
    """Delete all requests for the address whose mail had this link. Return how many."""
    waiting = emails.waiting_of(token)
    return _at(waiting.email).open().delete()[0] if waiting else 0


def _at(email: str) -> WaitingQuerySet:
    return Waiting.objects.filter(email__iexact=email)


def tell_all() -> int:
    """Tell people what is back. Return how many. Several of these may run at once."""
    open_ones = Waiting.objects.due().filter(variant=OuterRef("pk"))
    back = Variant.objects.for_sale().filter(
        Exists(open_ones), stock__on_hand__gt=F("stock__reserved")
    )
    return sum(_tell_or_log(pk) for pk in back.values_list("pk", flat=True))


def _tell_or_log(variant_id: int) -> int:
    """Do as `tell`, and log an error: it must not hold up the other variants."""
    try:
        return tell(variant_id)
    except sweeps.OF_ALL:
        raise
    except Exception:
        logger.exception("Nobody was told that variant %s is back", variant_id)
        return 0


@transaction.atomic
def tell(variant_id: int) -> int:
    """Mail the first people who wait for a variant. Return how many.

    They are as many as units came back since the last mails. Units count a few seconds
    after they came, because people who have the page open see them there and need no
    mail. If a mail is refused, its request says why, and the next person gets one.
    """
    variant = _lock(variant_id, skip_locked=True)  # another sweep has it
    if variant is None:
        return 0
    patience = timedelta(seconds=settings.WAITING_PATIENCE_S)
    units, version = _units_back(variant, until=timezone.now() - patience)
    mailed: list[Waiting] = []
    tried: list[int] = []
    while people := _queue(variant, units - len(mailed), besides=tried):
        tried += [person.pk for person in people]
        mailed += [person for person in people if _write(person, variant)]
    for person in mailed:
        person.told_at, person.told_version = timezone.now(), version
    Waiting.objects.bulk_update(mailed, ["told_at", "told_version"])
    return len(mailed)


def _write(person: Waiting, variant: Variant) -> bool:
    """Put the mail into the outbox. If that is refused, note why and return False."""
    person.variant = variant
    try:
        with transaction.atomic():
            emails.back_in_stock(person)
    except sweeps.OF_ALL:
        raise
    except Exception as error:
        sweeps.note(person, error)
        return False
    sweeps.clear(person)
    return True


@transaction.atomic
def seen(variant_id: int, *, user: AbstractUser | None, request: int = 0) -> int:
    """Record that somebody saw on the product's page that it is back.

    It is `user`, or the person with that request. If it is their turn, they get no
    mail. Return how many requests that ends.
    """
    variant = _lock(variant_id)
    if variant is None:
        return 0
    units, version = _units_back(variant)
    people = _queue(variant, units)
    theirs = [p for p in people if p.pk == request or user and p.user_id == user.pk]
    for person in theirs:
        person.told_at, person.seen_version = timezone.now(), version
    Waiting.objects.bulk_update(theirs, ["told_at", "seen_version"])
    return len(theirs)


def _lock(variant_id: int, *, skip_locked: bool = False) -> Variant | None:
    """Lock and return the variant; None if it is not sold or, to be skipped, locked."""
    variants = Variant.objects.for_sale().with_stock()
    rows = variants.select_for_update(no_key=True, skip_locked=skip_locked, of=["self"])
    return rows.filter(pk=variant_id).first()


def _units_back(variant: Variant, *, until: datetime | None = None) -> tuple[int, int]:
    """Return how many people may be told, and the version of the last movement.

    Units count since the last mails or, if there were none, since the first person
    asked. People who saw it on the page since then are subtracted.
    """
    rows = Waiting.objects.filter(variant=variant)
    last_mails = rows.aggregate(last=Max("told_version"))["last"] or 0
    first_request = rows.open().aggregate(first=Min("asked_version"))["first"] or 0
    since = max(last_mails, first_request)
    movements = StockMovement.objects.filter(
        variant=variant, version__gt=since, d_on_hand__gt=F("d_reserved")
    )
    if until:
        movements = movements.filter(created_at__lte=until)
    gained = Sum(F("d_on_hand") - F("d_reserved"))
    back = movements.aggregate(units=gained, last=Max("version"))
    seen_by = rows.filter(seen_version__gt=since).count()
    units = min(variant.stock.unreserved, (back["units"] or 0) - seen_by)
    return units, back["last"] or 0


def _queue(
    variant: Variant, places: int, *, besides: Sequence[int] = ()
) -> list[Waiting]:
    """Return open requests, the oldest first, without those in `besides`."""
    people = Waiting.objects.due().filter(variant=variant).exclude(pk__in=besides)
    locked = people.order_by("pk").select_for_update(skip_locked=True)
    return list(locked[: max(places, 0)])

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
from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from products.catalogue.exceptions import UnknownProduct
from products.models import Product, StockMovement, Waiting
from products.sweeps import services as sweeps
from products.waiting import emails

logger = logging.getLogger(__name__)

COLUMNS = "product_id, email, user_id, language, asked_version, created_at"
# One statement, so that two requests at once for one address leave one row.
ASK = f"""
INSERT INTO products_waiting ({COLUMNS})
VALUES (%s, %s, %s, %s, %s, statement_timestamp())
ON CONFLICT DO NOTHING
RETURNING id
"""


def ask(
    product_id: int, email: str, *, language: str, user: AbstractUser | None = None
) -> int | None:
    """Record that somebody waits for a product. Return the key of the new request.

    Return 0 if there is a request already, and None if the product is in stock. Return
    0 also if the address has too many requests by visitors. Nobody is told which,
    because the address may be somebody else's. Raises `UnknownProduct`.
    """
    product = Product.objects.active().with_stock().filter(pk=product_id).first()
    if product is None:
        raise UnknownProduct
    if product.stock.available > 0:
        return None
    if _at(email).open().count() >= settings.WAITING_PER_ADDRESS:
        return 0
    row = (
        product_id,
        email,
        user.pk if user else None,
        language,
        product.stock.version,
    )
    with connection.cursor() as cursor:
        cursor.execute(ASK, row)
        created = cursor.fetchone()
    return created[0] if created else 0


def is_waiting(product_id: int, user: AbstractUser | None, request: int = 0) -> bool:
    """Return whether `user`, or the person with that request, still waits."""
    theirs = Q(user=user) if user else Q(pk=request)
    return Waiting.objects.open().filter(theirs, product=product_id).exists()


def is_link(token: str) -> bool:
    """Return whether `token` is from a link in one of our mails."""
    return emails.waiting_of(token) is not None


def stop(token: str) -> int:
    """Delete all requests for the address whose mail had this link. Return how many."""
    waiting = emails.waiting_of(token)
    return _at(waiting.email).open().delete()[0] if waiting else 0


def _at(email: str) -> QuerySet[Waiting]:
    return Waiting.objects.filter(email__iexact=email)


def tell_all() -> int:
    """Tell people what is back. Return how many. Several of these may run at once."""
    open_ones = Waiting.objects.due().filter(product=OuterRef("pk"))
    back = Product.objects.active().filter(
        Exists(open_ones), stock__on_hand__gt=F("stock__reserved")
    )
    return sum(_tell_or_log(pk) for pk in back.values_list("pk", flat=True))


def _tell_or_log(product_id: int) -> int:
    """Do as `tell`, and log an error: it must not hold up the other products."""
    try:
        return tell(product_id)
    except sweeps.OF_ALL:
        raise
    except Exception:
        logger.exception("Nobody was told that product %s is back", product_id)
        return 0


@transaction.atomic
def tell(product_id: int) -> int:
    """Mail the first people who wait for a product. Return how many.

    They are as many as units came back since the last mails. Units count a few seconds
    after they came, because people who have the page open see them there and need no
    mail. If a mail is refused, its request says why, and the next person gets one.
    """
    product = _lock(product_id, skip_locked=True)  # another sweep has it
    if product is None:
        return 0
    patience = timedelta(seconds=settings.WAITING_PATIENCE_S)
    units, version = _units_back(product, until=timezone.now() - patience)
    told, tried = [], []
    while people := _queue(product, units - len(told), besides=tried):
        tried += [person.pk for person in people]
        told += [person for person in people if _write(person, product)]
    for person in told:
        person.told_at, person.told_version = timezone.now(), version
    Waiting.objects.bulk_update(told, ["told_at", "told_version"])
    return len(told)


def _write(person: Waiting, product: Product) -> bool:
    """Put the mail into the outbox. If that is refused, note why and return False."""
    person.product = product
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
def seen(product_id: int, *, user: AbstractUser | None, request: int = 0) -> int:
    """Record that somebody saw on the product's page that it is back.

    It is `user`, or the person with that request. If it is their turn, they get no
    mail. Return how many requests that ends.
    """
    product = _lock(product_id)
    if product is None:
        return 0
    units, version = _units_back(product)
    people = _queue(product, units)
    theirs = [p for p in people if p.pk == request or user and p.user_id == user.pk]
    for person in theirs:
        person.told_at, person.seen_version = timezone.now(), version
    Waiting.objects.bulk_update(theirs, ["told_at", "seen_version"])
    return len(theirs)


def _lock(product_id: int, *, skip_locked: bool = False) -> Product | None:
    """Lock and return the product; None if it is not sold or, to be skipped, locked."""
    products = Product.objects.active().with_stock()
    rows = products.select_for_update(no_key=True, skip_locked=skip_locked, of=["self"])
    return rows.filter(pk=product_id).first()


def _units_back(product: Product, *, until: datetime | None = None) -> tuple[int, int]:
    """Return how many people may be told, and the version of the last movement.

    Units count since the last mails or, if there were none, since the first person
    asked. People who saw it on the page since then are subtracted.
    """
    rows = Waiting.objects.filter(product=product)
    told = rows.aggregate(last=Max("told_version"))["last"] or 0
    asked = rows.open().aggregate(first=Min("asked_version"))["first"] or 0
    since = max(told, asked)
    movements = StockMovement.objects.filter(
        product=product, version__gt=since, d_on_hand__gt=F("d_reserved")
    )
    if until:
        movements = movements.filter(created_at__lte=until)
    gained = Sum(F("d_on_hand") - F("d_reserved"))
    back = movements.aggregate(units=gained, last=Max("version"))
    seen_by = rows.filter(seen_version__gt=since).count()
    units = min(product.stock.available, (back["units"] or 0) - seen_by)
    return units, back["last"] or 0


def _queue(
    product: Product, places: int, *, besides: Sequence[int] = ()
) -> list[Waiting]:
    """Return open requests, the oldest first, without those in `besides`."""
    people = Waiting.objects.due().filter(product=product).exclude(pk__in=besides)
    locked = people.order_by("pk").select_for_update(skip_locked=True)
    return list(locked[: max(places, 0)])

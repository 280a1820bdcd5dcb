"""Back in stock: whoever asked reads it on the open page, or gets one mail; first
come, first served.

So many people are told as units came back, so that ten mails do not go out for one
lamp. A sweep of the beat finds them, not the movement itself: a claim stays one
statement on one row, and nobody is forgotten when Redis or the worker was away.
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
# One statement: two who ask at once for one address leave one row and no error.
ASK = f"""
INSERT INTO products_waiting ({COLUMNS})
VALUES (%s, %s, %s, %s, %s, statement_timestamp())
ON CONFLICT DO NOTHING
RETURNING id
"""


def ask(
    product_id: int, email: str, *, language: str, user: AbstractUser | None = None
) -> int | None:
    """Remember that somebody waits for a product. Gives the key of the new request, 0
    if none was made, None if the product is there.

    Asked twice it is once. An address for which strangers have left as many requests as
    it takes gets no more, and who asks is not told: it may be somebody else's.
    Raises `UnknownProduct`.
    """
    product = Product.objects.active().with_stock().filter(pk=product_id).first()
    if product is None:
        raise UnknownProduct
    if product.stock.available > 0:
        return None
    mine = _at(email).open()
    if mine.count() >= settings.WAITING_PER_ADDRESS:
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
        made = cursor.fetchone()
    return made[0] if made else 0


def is_waiting(product_id: int, user: AbstractUser | None, request: int = 0) -> bool:
    """Whether `user`, or whoever made that request, has not been told."""
    theirs = Q(user=user) if user else Q(pk=request)
    return Waiting.objects.open().filter(theirs, product=product_id).exists()


def is_link(token: str) -> bool:
    """Whether `token` is that of a link in a mail of ours."""
    return emails.waiting_of(token) is not None


def stop(token: str) -> int:
    """Forget everything that was asked for the address to which the mail with this
    link went; how much."""
    waiting = emails.waiting_of(token)
    return _at(waiting.email).open().delete()[0] if waiting else 0


def _at(email: str) -> QuerySet[Waiting]:
    return Waiting.objects.filter(email__iexact=email)


def tell_all() -> int:
    """Tell who waits for what has come back; how many. Any number may run at once."""
    open_ones = Waiting.objects.due().filter(product=OuterRef("pk"))
    back = Product.objects.active().filter(
        Exists(open_ones), stock__on_hand__gt=F("stock__reserved")
    )
    return sum(_tell_or_log(pk) for pk in back.values_list("pk", flat=True))


def _tell_or_log(product_id: int) -> int:
    """As `tell`. What goes wrong with one product holds up no other."""
    try:
        return tell(product_id)
    except sweeps.OF_ALL:
        raise
    except Exception:
        logger.exception("Nobody was told that product %s is back", product_id)
        return 0


@transaction.atomic
def tell(product_id: int) -> int:
    """Write to the first people who wait for a product, as many as units came back
    since the last were told; how many.

    Units count a few seconds after they came: who has the page open reads of them
    there, and needs no mail. A mail that cannot be written is noted beside its
    person, and the next one has their turn.
    """
    product = _lock(product_id, skip_locked=True)  # who has it tells them
    if product is None:
        return 0
    patience = timedelta(seconds=settings.WAITING_PATIENCE_S)
    units, version = _came(product, until=timezone.now() - patience)
    told, tried = [], []
    while people := _queue(product, units - len(told), besides=tried):
        tried += [person.pk for person in people]
        told += [person for person in people if _write(person, product)]
    for person in told:
        person.told_at, person.told_version = timezone.now(), version
    Waiting.objects.bulk_update(told, ["told_at", "told_version"])
    return len(told)


def _write(person: Waiting, product: Product) -> bool:
    """Whether their mail is in the outbox; if not, it is noted beside them why."""
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
    """`user`, or whoever made that request, reads on the product's page that it is
    back: they get no mail, if it is their turn; how many were told so."""
    product = _lock(product_id)
    if product is None:
        return 0
    units, version = _came(product)
    people = _queue(product, units)
    mine = [p for p in people if p.pk == request or user and p.user_id == user.pk]
    for person in mine:
        person.told_at, person.seen_version = timezone.now(), version
    Waiting.objects.bulk_update(mine, ["told_at", "seen_version"])
    return len(mine)


def _lock(product_id: int, *, skip_locked: bool = False) -> Product | None:
    """The product, if it is sold. One at a time looks whose turn it is."""
    products = Product.objects.active().with_stock()
    rows = products.select_for_update(no_key=True, skip_locked=skip_locked, of=["self"])
    return rows.filter(pk=product_id).first()


def _came(product: Product, *, until: datetime | None = None) -> tuple[int, int]:
    """How many may be told, and the version of the last movement that made it so.

    Counted from when the last mails were written, or from when the first who waits has
    asked; less those who have read it on the page since.
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
    came = movements.aggregate(units=gained, last=Max("version"))
    seen_by = rows.filter(seen_version__gt=since).count()
    units = min(product.stock.available, (came["units"] or 0) - seen_by)
    return units, came["last"] or 0


def _queue(
    product: Product, places: int, *, besides: Sequence[int] = ()
) -> list[Waiting]:
    """Whose turn it is, the first come first; `besides` are those who had theirs."""
    people = Waiting.objects.due().filter(product=product).exclude(pk__in=besides)
    locked = people.order_by("pk").select_for_update(skip_locked=True)
    return list(locked[: max(places, 0)])

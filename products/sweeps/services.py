"""Sweeps go row by row: one that fails is noted beside itself, and the others go on.

A failed row waits before its next try, four times as long after each: from a minute to
a day. Failures of the database or the worker are nobody's in particular: they end the
sweep, and the next one finds the rows as they were.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from products.exceptions import ShopError
from products.sweeps.models import PROBLEM_LENGTH, Swept, is_due

logger = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 60, 60 * 60 * 24
OF_ALL = (OperationalError, InterfaceError, SoftTimeLimitExceeded)


def one_by_one(
    rows: Callable[[], QuerySet], work: Callable[[Swept], object], *, at_most: int
) -> int:
    """Do `work` to the first of `rows()` until there is none; how many were done.

    Each row is locked, in a transaction of its own; rows that somebody else has locked
    are left alone, so any number of sweepers may run at once.
    """
    done = 0
    for _turn in range(at_most):
        row = None
        try:
            with transaction.atomic():
                row = _first_free(rows())
                if row is None:
                    break
                work(row)
                clear(row)
        except OF_ALL:
            raise
        except Exception as error:
            if row is None:
                raise
            note(row, error)
        else:
            done += 1
    return done


def _first_free(rows: QuerySet) -> Swept | None:
    return rows.filter(is_due()).select_for_update(skip_locked=True).first()


def each(rows: Iterable[Swept], work: Callable[[Swept], bool]) -> int:
    """Do `work` to each of `rows`, outside any transaction; of how many it said yes.
    It says no (`False`) of a row that is to be tried again."""
    done = 0
    for row in rows:
        try:
            answer = work(row)
            if answer is not False:
                clear(row)
            done += bool(answer)
        except OF_ALL:
            raise
        except Exception as error:
            note(row, error)
    return done


def note(row: Swept, error: Exception) -> None:
    """Write beside the row what went wrong, and when it is tried again."""
    failures = row.failures + 1
    pause = min(FIRST_PAUSE_S * 4 ** min(row.failures, 10), LONGEST_PAUSE_S)
    type(row).objects.filter(pk=row.pk).update(
        problem=reason(error),
        failures=failures,
        retry_at=timezone.now() + timedelta(seconds=pause),
    )
    is_ours = not isinstance(error, ShopError)
    logger.error(
        "%s %s: try %s failed: %s",
        *(row._meta.label, row.pk, failures, type(error).__name__),
        exc_info=error if is_ours else None,
    )


def clear(row: Swept) -> None:
    """The row is done: what stood beside it is over."""
    if row.failures:
        fields = {"problem": "", "failures": 0, "retry_at": None}
        type(row).objects.filter(pk=row.pk).update(**fields)


def reason(error: Exception) -> str:
    """What staff read: the words of a refusal, else the kind of error. Errors may quote
    the data of a person, so the rest of them is for the log alone."""
    if isinstance(error, ValidationError):
        return " ".join(error.messages)[:PROBLEM_LENGTH]
    if isinstance(error, ShopError):
        return str(error)[:PROBLEM_LENGTH]
    return f"{type(error).__name__} ({error.__class__.__module__})"[:PROBLEM_LENGTH]

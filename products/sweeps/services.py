"""Sweeps: periodic work on rows, where one failing row doesn't stop the others.

A failed row waits before its next try, from a minute to a day, four times as long after
each failure. A failure of the database or of the worker belongs to no row. It ends the
sweep, and the next sweep finds the rows unchanged.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from products.exceptions import ShopError
from products.sweeps.models import PROBLEM_LENGTH, Swept, is_due

Row = TypeVar("Row", bound=Swept)

logger = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 60, 60 * 60 * 24
# Failures that belong to no row.
OF_ALL = (OperationalError, InterfaceError, SoftTimeLimitExceeded)


def one_by_one(
    rows: Callable[[], QuerySet[Row]], work: Callable[[Row], object], *, at_most: int
) -> int:
    """Call `work` with the first of `rows()` until there is none; return how many.

    Each row is locked in a transaction of its own. Rows that are locked elsewhere are
    skipped, so several workers may sweep at once. At most `at_most` rows are tried.
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


def _first_free(rows: QuerySet[Row]) -> Row | None:
    return rows.filter(is_due()).select_for_update(skip_locked=True).first()


def each(rows: Iterable[Row], work: Callable[[Row], bool | None]) -> int:
    """Call `work` with each of `rows`, outside a transaction; return how many are done.

    `work` returns False for a row that is to be tried again.
    """
    done = 0
    for row in rows:
        try:
            result = work(row)
            if result is not False:
                clear(row)
            done += bool(result)
        except OF_ALL:
            raise
        except Exception as error:
            note(row, error)
    return done


def note(row: Swept, error: Exception) -> None:
    """Save on the row what went wrong and when to try again, and log it."""
    failures = row.failures + 1
    pause = min(FIRST_PAUSE_S * 4 ** min(row.failures, 10), LONGEST_PAUSE_S)
    type(row)._default_manager.filter(pk=row.pk).update(
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
    """Remove an earlier failure from a row that is done."""
    if row.failures:
        fields = {"problem": "", "failures": 0, "retry_at": None}
        type(row)._default_manager.filter(pk=row.pk).update(**fields)


def reason(error: Exception) -> str:
    """Return the text for staff: the message of a refusal, or the class of the error.

    The message of another error may contain personal data, so only the log has it.
    """
    if isinstance(error, ValidationError):
        return " ".join(error.messages)[:PROBLEM_LENGTH]
    if isinstance(error, ShopError):
        return str(error)[:PROBLEM_LENGTH]
    return f"{type(error).__name__} ({error.__class__.__module__})"[:PROBLEM_LENGTH]

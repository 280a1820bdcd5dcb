"""Stored pictures that no row has.

A picture is stored before a row has it and goes after its row gave it up, and no
storage takes part in a transaction. So a row of its own says that nobody uses a file:
it is committed before the file is stored, and with the change that gives it up. A sweep
deletes whatever is left (`project.tasks.delete_unused_files`).
"""

import logging
from collections.abc import Mapping
from datetime import timedelta

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from project.models import UnusedFiles

logger = logging.getLogger(__name__)

RETRY = timedelta(minutes=5)
MOST = 500  # rows in one sweep


def store(files: Mapping[str, File | bytes]) -> None:
    """Store files under names that no file has had before. They are deleted after an
    hour unless somebody claims them.

    Call it outside of transactions: it takes as long as the storage takes. Raises
    `OSError` if they cannot be stored.
    """
    due_at = timezone.now() + UnusedFiles.UPLOAD
    UnusedFiles.objects.create(names=list(files), due_at=due_at)
    for name, content in files.items():
        file = ContentFile(content) if isinstance(content, bytes) else content
        stored = default_storage.save(name, file)
        if stored != name:
            raise FileExistsError(17, "A picture of this name is stored already", name)


def claim(name: str) -> bool:
    """Keep what was stored together with the file `name`, if the open transaction
    commits. Returns whether it was stored by `store` and is there still."""
    return bool(UnusedFiles.objects.filter(names__contains=[name]).delete()[0])


def discard(name: str) -> None:
    """Delete a file once the open transaction has committed, which takes it from its
    row. It is tried again until it succeeds."""
    unused = UnusedFiles.objects.create(names=[name], due_at=timezone.now())

    def forget() -> None:
        _delete(unused.pk)

    transaction.on_commit(forget)


def sweep() -> int:
    """Delete the files that are due. Return how many."""
    due = UnusedFiles.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    return sum(map(_delete, list(due.values_list("pk", flat=True)[:MOST])))


@transaction.atomic
def _delete(pk: int) -> int:
    """Delete the files of one row, and it; how many files. If the storage fails, the
    row stays for a later sweep."""
    # A transaction that claims the file now waits, and then finds that it is gone.
    rows = UnusedFiles.objects.select_for_update(skip_locked=True).filter(pk=pk)
    unused = rows.first()
    if unused is None:
        return 0
    try:
        for name in unused.names:
            default_storage.delete(name)
    except OSError as error:
        logger.error("Unused pictures stay for now: %s", error)
        rows.update(due_at=timezone.now() + RETRY)
        return 0
    unused.delete()
    return len(unused.names)

"""Tasks that delete files."""

from celery import shared_task

from project import unused_files


@shared_task
def delete_unused_files() -> int:
    """Delete pictures that no row has, once they are due; how many."""
    return unused_files.sweep()

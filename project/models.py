"""What the shop remembers of its background work, for /metrics."""

from django.db import models


class JobRun(models.Model):
    """When a job of the beat schedule last ended well, and when it last failed.

    Only `project.beats` writes it.
    """

    job = models.CharField(primary_key=True, max_length=100)  # its name in the schedule
    # Of a job that has not run yet: when the shop was told of it, by `migrate`.
    ran_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.job


class WorkerHeartbeat(models.Model):
    """A worker that takes tasks. Only `project.beats` writes it."""

    worker = models.CharField(primary_key=True, max_length=255)
    alive_until = models.DateTimeField()  # unless it says so again

    def __str__(self) -> str:
        return self.worker

"""Records of background work, for /metrics; private files, and
stored pictures that no row has."""

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


class JobRun(models.Model):
    """When a job of the beat schedule last ended well, and when it last failed.

    Only `project.beats` writes it.
    """

    job = models.CharField(primary_key=True, max_length=100)  # its name in the schedule
    # For a job that has not run yet, the time when `migrate` added it.
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


class PrivateFile(models.Model):
    """A file that every process gets at and no web server can show: an import that
    waits, something attached to a mail. See `project.database_storage`."""

    folder = models.CharField(max_length=20)
    name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["folder", "name"], name="private_file_name")
        ]

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"


class PrivateFilePart(models.Model):
    """So many bytes of one, so that none has to be in memory as a whole."""

    file = models.ForeignKey(PrivateFile, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="private_file_part")
        ]

    def __str__(self) -> str:
        return f"{self.file_id}, {self.number}"


class UnusedFiles(models.Model):
    """Stored pictures that no row has yet, or any more. They are deleted when they are
    `due_at`, unless a row claims them before. See `project.unused_files`."""

    names = ArrayField(models.CharField(max_length=255))
    due_at = models.DateTimeField(db_index=True)

    # Longer than any request takes that has stored a picture and not saved its row yet.
    UPLOAD = timedelta(hours=1)

    class Meta:
        verbose_name_plural = "unused files"

    def __str__(self) -> str:
        return ", ".join(self.names)

"""Records when each job of the beat schedule has run, and which workers are alive.

The records are in the database, so they are there even if Redis is away or has lost its
data. All jobs together make less than one write a second. Times are the database's, so
the clocks of machines need not agree.
"""

import logging
import os
from datetime import timedelta
from itertools import pairwise

from celery import bootsteps
from celery.beat import Service
from celery.schedules import BaseSchedule, crontab, maybe_schedule
from celery.signals import beat_init, task_failure, task_success
from celery.worker.consumer import Consumer
from django.apps.registry import Apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models.functions import Now
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.utils import timezone

from project.celery import app
from project.models import JobRun, WorkerHeartbeat

logger = logging.getLogger(__name__)

MISSED = 3  # heartbeats, after which a worker counts as dead
STATEMENT_MS = 2000
PAUSES = 10  # of a crontab to compare: more than a week of workdays
KEPT = timedelta(days=1)  # the row of a worker that ended without a goodbye


# --- Jobs -------------------------------------------------------------------------


def intervals() -> dict[str, float]:
    """Return the longest time between two runs of each job, in seconds."""
    schedule = settings.CELERY_BEAT_SCHEDULE
    return {job: longest_pause(entry["schedule"]) for job, entry in schedule.items()}


def longest_pause(schedule: float | timedelta | BaseSchedule) -> float:
    """Return the seconds between two runs. For a crontab, it is the longest pause."""
    parsed = maybe_schedule(schedule)
    if not isinstance(parsed, crontab):
        return parsed.run_every.total_seconds()
    runs = [timezone.now()]
    for _turn in range(PAUSES + 1):
        last, delta, _now = parsed.remaining_delta(runs[-1])
        runs.append(last + delta)
    pauses = (after - before for before, after in pairwise(runs[1:]))
    return max(pauses).total_seconds()


def jobs_of(task: str) -> list[str]:
    """Return the jobs of the schedule that run this task."""
    schedule = settings.CELERY_BEAT_SCHEDULE
    return [job for job, entry in schedule.items() if entry["task"] == task]


@task_success.connect
def job_ran(sender, **kwargs) -> None:
    """Record a run, whether beat or somebody else sent the task."""
    _note(sender.name, "ran_at")


@task_failure.connect
def job_failed(sender, **kwargs) -> None:
    _note(sender.name, "failed_at")


def _note(task: str, field: str) -> None:
    JobRun.objects.bulk_create(
        [JobRun(job=job, **{field: Now()}) for job in jobs_of(task)],
        update_conflicts=True,
        unique_fields=["job"],
        update_fields=[field],
    )


@receiver(post_migrate)
def know_jobs(sender, apps: Apps, using: str, **kwargs) -> None:
    """Record new jobs as run now, so that a daily job is not late on its first day."""
    if sender.name != "project":
        return
    try:
        runs = apps.get_model("project", "JobRun").objects.using(using)
    except LookupError:  # the migration of its table was reversed
        return
    jobs = [runs.model(job=job, ran_at=Now()) for job in intervals()]
    runs.bulk_create(jobs, ignore_conflicts=True)
    runs.exclude(job__in=intervals()).delete()


@beat_init.connect
def remember_runs(sender: Service, **kwargs) -> None:
    """Give beat the time of each job's last run.

    Beat's own file may be lost with a container's disk. Then a daily job would wait for
    a day after each restart.
    """
    runs = dict(JobRun.objects.exclude(ran_at=None).values_list("job", "ran_at"))
    connection.close()
    for job, entry in sender.scheduler.schedule.items():
        entry.last_run_at = min(entry.last_run_at, runs.get(job, entry.last_run_at))


# --- Workers ----------------------------------------------------------------------


class Heartbeats(bootsteps.StartStopStep):
    """Records every few seconds that this worker takes tasks.

    The worker's own loop does this, so a worker that hangs or has lost its broker
    records nothing. The connection is closed each time, so no child inherits it.
    """

    requires = {"celery.worker.consumer.tasks:Tasks"}

    def __init__(self, consumer: Consumer, **kwargs) -> None:
        super().__init__(consumer, **kwargs)
        self._timer = None
        self._is_gone = False

    def start(self, consumer: Consumer) -> None:
        worker = name_of(consumer)
        _try(alive, worker)
        self._timer = consumer.timer.call_repeatedly(
            settings.WORKER_HEARTBEAT_S, _try, (alive, worker)
        )

    def stop(self, consumer: Consumer) -> None:
        """Stop the timer. Celery calls this when the worker has lost its broker, and
        when it ends.

        A worker that ends says so now, because it may wait for its tasks until it is
        killed. One that has lost its broker comes back.
        """
        if self._timer is not None:
            consumer.timer.cancel(self._timer)
            self._timer = None
        if consumer.blueprint.state == bootsteps.CLOSE:
            self._say_goodbye(consumer)

    def shutdown(self, consumer: Consumer) -> None:
        """Say goodbye if Celery has skipped `stop`, as it does while steps start."""
        self.stop(consumer)
        self._say_goodbye(consumer)

    def _say_goodbye(self, consumer: Consumer) -> None:
        if not self._is_gone:
            self._is_gone = True
            _try(gone, name_of(consumer))


app.steps["consumer"].add(Heartbeats)


def name_of(consumer: Consumer) -> str:
    """Return a name for this process, as workers of a machine may share a node name."""
    return f"{consumer.hostname}:{os.getpid()}"


def alive(worker: str) -> None:
    """Record that a worker takes tasks. It does so again before `alive_until`."""
    time = timedelta(seconds=MISSED * settings.WORKER_HEARTBEAT_S)
    WorkerHeartbeat.objects.bulk_create(
        [WorkerHeartbeat(worker=worker, alive_until=Now() + time)],
        update_conflicts=True,
        unique_fields=["worker"],
        update_fields=["alive_until"],
    )
    WorkerHeartbeat.objects.filter(alive_until__lt=Now() - KEPT).delete()


def gone(worker: str) -> None:
    """Record that a worker takes no more tasks."""
    WorkerHeartbeat.objects.filter(worker=worker).delete()


def _try(write, worker: str) -> None:
    """Call `write`. If the database is away, log it and go on."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
            write(worker)
    except (DatabaseError, InterfaceError):
        logger.exception("The heartbeat of this worker was not written")
    finally:
        connection.close()

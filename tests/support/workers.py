"""A real Celery worker on the test's database, with a broker and mail server of the
test's choice."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import project.celery
from project import redis_url
from project.celery import app
from tests.support.servers import START_S, Process, database_url, wait_until

_numbers = count(1)


class Worker(Process):
    """`celery worker`; with `beat`, its own beat as well, which sweeps often."""

    is_leader = True  # so that a crash takes its children along

    def __init__(
        self, folder: Path, redis_url: str, *, beat: bool = False, **environment: str
    ) -> None:
        super().__init__(folder / f"worker-{next(_numbers)}.log")
        self._beat = ["--beat", "--schedule", f"{self.log}.beat"] if beat else []
        self._environment = {"REDIS_URL": redis_url, **environment}

    def command(self) -> list[str]:
        quiet = ["--without-gossip", "--without-mingle", "--loglevel", "info"]
        return [
            *[sys.executable, "-m", "celery", "--app", "project", "worker"],
            *["--concurrency", "2", *quiet, *self._beat],
        ]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "DATABASE_URL": database_url(),
            "LOG_LEVEL": "INFO",
            **self._environment,
        }

    def is_ready(self) -> bool:
        return " ready." in self.said()

    def wait(self) -> None:
        """Until it has been launched and takes tasks."""
        wait_until(self._answers, f"the worker ({self.log})", START_S)

    def kill(self) -> None:
        """End it and its children at once, as a machine that stops would."""
        if self._process is not None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class Beat(Worker):
    """`celery beat`, a process of its own."""

    def command(self) -> list[str]:
        return [
            *[sys.executable, "-m", "celery", "--app", "project", "beat"],
            *["--loglevel", "info", "--schedule", f"{self.log}.beat", "--pidfile", ""],
        ]

    def is_ready(self) -> bool:
        return "Sending due task" in self.said()


@contextmanager
def broker_at(address: str) -> Iterator[None]:
    """This process hands its tasks to that Redis meanwhile."""
    redis, conf = redis_url.parse(address), app.conf
    ours = {
        "broker_url": redis.broker_url,
        "broker_use_ssl": redis.broker_tls,
        "broker_transport_options": conf.broker_transport_options
        | redis.broker_options,
    }
    before, sender = {name: conf[name] for name in ours}, project.celery.sender
    conf.update(ours)
    forget_connections()
    project.celery.sender = project.celery.make_sender()
    try:
        yield
        project.celery.flush()
    finally:
        conf.update(before)
        forget_connections()
        project.celery.sender = sender


def forget_connections() -> None:
    """Let `delay()` and `apply_async()` connect to the broker that is configured now,
    as they do in a process that has just begun."""
    app._pool = app.amqp._producer_pool = None

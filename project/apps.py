from django.apps import AppConfig
from django.conf import settings


class ProjectConfig(AppConfig):
    """The wiring: the outbox's admin is found through it."""

    name = "project"

    def ready(self) -> None:
        from project import beats, checks, logs, outages, traces  # noqa: F401
        from project.http import errors  # noqa: F401

        logs.set_up()
        traces.set_up()
        if settings.SENTRY_DSN:
            from project import sentry

            sentry.set_up()

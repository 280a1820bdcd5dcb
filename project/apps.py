from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The wiring: the outbox's admin and tasks are found through it."""

    name = "project"

    def ready(self) -> None:
        from project import beats, checks, errors, outages  # noqa: F401  (register)

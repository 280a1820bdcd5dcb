"""Settings of the log."""

from typing import Any


def logging(form: str, level: str) -> dict[str, Any]:
    """Return `settings.LOGGING`, as `logging.config.dictConfig` takes it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        # An outage of Redis or the database is one line.
        "filters": {
            "layer": {"()": "realtime.outages.NotAnOutage"},
            "redis": {"()": "realtime.outages.OneLine"},
            "database": {"()": "project.outages.OneLine"},
        },
        "formatters": {
            "text": {
                "()": "project.logs.line",
                "format": "%(levelname)s %(name)s: %(message)s",
            },
            "json": {"()": "project.logs.Json"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["database", "redis"],
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # Anybody can ask for a host that is not ours; it need not fill the log.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django_redis": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            "stripe": {"level": "WARNING"},  # else two lines for each request
            "channels_redis.pubsub": {"filters": ["layer"]},
            # Its own handler would print tracebacks with recipients in them.
            "post_office": {
                "handlers": ["console"],
                "level": "ERROR",
                "propagate": False,
            },
            # A receiver that is away is told in one line, by project.otel and .sentry.
            "opentelemetry": {"level": "ERROR"},
            "opentelemetry.exporter": {"level": "CRITICAL"},
            "urllib3": {"level": "ERROR"},
        },
    }

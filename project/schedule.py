"""The jobs that Celery beat sends."""

from typing import Any


def jobs(outbox_s: float, hold_s: float) -> dict[str, dict[str, Any]]:
    """Return the schedule. `outbox_s` and `hold_s` are the seconds between two
    sweeps."""
    return {
        "sweep-outbox": {
            "task": "project.mail.tasks.sweep_outbox",
            "schedule": outbox_s,
            "options": {"expires": outbox_s},  # none pile up while no worker runs
        },
        "clean-outbox": {
            "task": "project.mail.tasks.clean_outbox",
            "schedule": 60 * 60 * 24,
        },
        "delete-unused-files": {
            "task": "project.tasks.delete_unused_files",
            "schedule": 60,
            "options": {"expires": 60},
        },
        "retry-refunds": {
            "task": "products.tasks.retry_refunds",
            "schedule": 60,
            "options": {"expires": 60},
        },
        "close-payments": {
            "task": "products.tasks.close_payments",
            "schedule": 60,
            "options": {"expires": 60},
        },
        "forget-old-events": {
            "task": "products.tasks.forget_old_events",
            "schedule": 60 * 60 * 24,
        },
        "forget-limits": {
            "task": "products.tasks.forget_limits",
            "schedule": 60 * 60,
        },
        "release-lapsed-holds": {
            "task": "products.tasks.release_lapsed_holds",
            "schedule": hold_s,
            "options": {"expires": hold_s},
        },
        "expire-orders": {
            "task": "products.tasks.expire_orders",
            "schedule": hold_s,
            "options": {"expires": hold_s},
        },
        "tell-waiting": {
            "task": "products.tasks.tell_waiting",
            "schedule": hold_s,
            "options": {"expires": hold_s},
        },
        "warn-of-low-stock": {
            "task": "products.tasks.warn_of_low_stock",
            "schedule": 60,
            "options": {"expires": 60},
        },
        "forget-stale-baskets": {
            "task": "products.tasks.forget_stale_baskets",
            "schedule": 60 * 60,
        },
        "forget-old-thumbnails": {
            "task": "products.tasks.forget_old_thumbnails",
            "schedule": 60 * 60 * 24,
        },
        "make-missing-thumbnails": {
            "task": "products.tasks.make_missing_thumbnails",
            "schedule": 60 * 60 * 24,
        },
        "erase-departed": {
            "task": "products.tasks.erase_departed",
            "schedule": 60 * 60 * 24,
        },
        "relearn-words": {
            "task": "products.search.services.relearn",
            "schedule": 60 * 60 * 24,
        },
        "check-the-books": {"task": "products.tasks.check_books", "schedule": 60 * 60},
        "clear-sessions": {
            "task": "users.tasks.clear_sessions",
            "schedule": 60 * 60 * 24,
        },
        "forget-old-links": {
            "task": "users.tasks.forget_old_links",
            "schedule": 60 * 60 * 24,
        },
    }

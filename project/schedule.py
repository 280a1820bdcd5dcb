"""The jobs that Celery beat sends."""

from typing import Any

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def jobs(outbox_s: float, hold_s: float) -> dict[str, dict[str, Any]]:
    """Return the schedule. `outbox_s` and `hold_s` are the seconds between two
    sweeps."""
    often = {
        "sweep-outbox": ("project.mail.tasks.sweep_outbox", outbox_s),
        "delete-unused-files": ("project.tasks.delete_unused_files", MINUTE),
        "retry-refunds": ("products.tasks.retry_refunds", MINUTE),
        "close-payments": ("products.tasks.close_payments", MINUTE),
        "release-lapsed-holds": ("products.tasks.release_lapsed_holds", hold_s),
        "step-drops": ("products.tasks.step_drops", hold_s),
        "expire-orders": ("products.tasks.expire_orders", hold_s),
        "flip-prices": ("products.pricing.flips.flip_prices", hold_s),
        "follow-discounts": (
            "products.pricing.discount_flips.follow_discounts",
            hold_s,
        ),
        "follow-rules": ("products.pricing.rule_flips.follow_rules", hold_s),
        "tell-waiting": ("products.tasks.tell_waiting", hold_s),
        "fetch-pictures": ("products.tasks.fetch_pictures", 15),
        "check-vat-numbers": ("products.vat.services.check_vat_numbers", 60),
        "warn-of-low-stock": ("products.tasks.warn_of_low_stock", MINUTE),
    }
    seldom = {
        "clean-outbox": ("project.mail.tasks.clean_outbox", DAY),
        "forget-old-events": ("products.tasks.forget_old_events", DAY),
        "forget-limits": ("products.tasks.forget_limits", HOUR),
        "forget-stale-baskets": ("products.tasks.forget_stale_baskets", HOUR),
        "forget-old-thumbnails": ("products.tasks.forget_old_thumbnails", DAY),
        "make-missing-thumbnails": ("products.tasks.make_missing_thumbnails", DAY),
        "erase-departed": ("products.tasks.erase_departed", DAY),
        "relearn-words": ("products.search.services.relearn", DAY),
        "check-the-books": ("products.tasks.check_books", HOUR),
        "clear-sessions": ("users.tasks.clear_sessions", DAY),
        "forget-old-links": ("users.tasks.forget_old_links", DAY),
    }
    # Frequent jobs expire, so that they don't pile up while no worker runs.
    return {
        name: {"task": task, "schedule": pause, "options": {"expires": pause}}
        for name, (task, pause) in often.items()
    } | {
        name: {"task": task, "schedule": pause}
        for name, (task, pause) in seldom.items()
    }

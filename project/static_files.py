"""Which static files the shop has."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class StaticFiles(StaticFilesConfig):
    """Django's app, without the flags of django_countries.

    No page shows them. They are 256 of 428 files, which each server process looks at
    when it starts.
    """

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "flags"]

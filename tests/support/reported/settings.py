"""The shop with some pages and tasks more, which break."""

from project.settings import *  # noqa: F401,F403

ROOT_URLCONF = "tests.support.reported.urls"
CELERY_IMPORTS = ["tests.support.reported.tasks"]

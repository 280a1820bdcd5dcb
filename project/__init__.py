"""Wiring: settings, URLs, the ASGI application and the Celery application."""

import sys

from project import environment
from project.celery import app as celery_app

sys.excepthook = environment.in_one_line

__all__ = ["celery_app"]

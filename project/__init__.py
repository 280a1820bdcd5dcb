"""Wiring: settings, URLs, the ASGI application and the Celery application."""

from project.celery import app as celery_app

__all__ = ["celery_app"]

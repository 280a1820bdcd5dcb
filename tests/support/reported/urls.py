"""Pages that say something, hand over a task, and break; and topics that break."""

import logging
from typing import NoReturn

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from products.live.registry import registry
from project.celery import later
from project.urls import handler429, handler500  # noqa: F401
from tests.support.reported import tasks
from tests.support.reported.planted import EMAIL, PASSWORD, TOKEN

logger = logging.getLogger(__name__)


def works(request: HttpRequest, variant: int) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text AS planted", [TOKEN])
    logger.info("The page for %s", EMAIL)
    later(tasks.first, variant)
    return HttpResponse("It works.")


def fails(request: HttpRequest, token: str) -> HttpResponse:
    password = PASSWORD
    logger.info("Before it breaks: password=%s", password)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        raise ValueError(f"Key (email)=({EMAIL}), token: {token}")
    except ValueError as error:
        raise RuntimeError(f"The page broke: {request.get_full_path()}") from error


def task_fails(request: HttpRequest) -> HttpResponse:
    later(tasks.fails)
    return HttpResponse("Later.")


def breaks(name: str) -> NoReturn:
    raise KeyError(f"The socket broke: {EMAIL} token={TOKEN}")


def cannot_be_loaded(ids: list[str]) -> NoReturn:
    raise KeyError(f"The hub broke: {EMAIL} token={TOKEN}")


stock = registry.kinds["stock"]
registry.kinds["breaks"] = stock._replace(accepts=breaks)
registry.kinds["unloadable"] = stock._replace(load=cannot_be_loaded)

urlpatterns = [
    path("works/<int:variant>/", works),
    path("orders/confirm/<str:token>/", fails),
    path("task-fails/", task_fails),
    path("", include("project.urls")),
]

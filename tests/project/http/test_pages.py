"""Pages in one go: no middleware makes them wait for the event loop."""

import asyncio

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from project.http.pages import SyncPages


class Both(MiddlewareMixin):
    """Knows both ways, as most of Django's; notes which it was given."""

    ways: list[str] = []

    def __init__(self, get_response) -> None:
        super().__init__(get_response)
        is_async = iscoroutinefunction(get_response)
        self.ways.append("async" if is_async else "sync")


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Hello {request.GET['name']}")


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("broken on purpose")


urlpatterns = [path("hello/", hello), path("broken/", broken)]


async def answer(pages: ASGIHandler, path: str, query: bytes = b"") -> tuple:
    """The status and the body."""
    sent, messages = [], [{"type": "http.request", "body": b""}]

    async def receive() -> dict:
        if messages:
            return messages.pop()
        await forever

    async def send(message: dict) -> None:
        sent.append(message)

    forever = asyncio.get_running_loop().create_future()
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query}
    await pages(scope | {"headers": [(b"host", b"localhost")]}, receive, send)
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent)


@pytest.fixture(autouse=True)
def small_shop(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.Both"]
    Both.ways.clear()


async def test_page_is_answered_without_a_step_into_the_event_loop():
    status, body = await answer(SyncPages(), "/hello/", b"name=Ada")

    assert (status, body) == (200, b"Hello Ada")
    assert Both.ways == ["sync"]


async def test_django_as_it_comes_steps_into_the_event_loop():
    await answer(ASGIHandler(), "/hello/", b"name=Ada")

    assert Both.ways == ["async"]


async def test_page_that_fails_is_an_error_page_and_is_logged(caplog):
    status, body = await answer(SyncPages(), "/broken/")

    assert status == 500 and b"broken on purpose" not in body
    assert "Internal Server Error: /broken/" in caplog.text

"""Django's handler for pages that are synchronous, as all of ours are."""

from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse

from project import logs


class SyncPages(ASGIHandler):
    """Middleware and view of a request in one go, on one thread.

    Django's own goes to and fro between the event loop and that thread for each
    middleware that knows both ways, and for the view: the page has to wait each time.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    def create_request(self, scope: dict, body_file: IO[bytes]) -> tuple:
        request, refusal = super().create_request(scope, body_file)
        if request is not None:
            logs.of_page(request)
        return request, refusal

    async def get_response_async(self, request: HttpRequest) -> HttpResponse:
        return await sync_to_async(self.get_response)(request)

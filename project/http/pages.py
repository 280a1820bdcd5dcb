"""Django's request handler, for synchronous pages only. All our pages are."""

from collections.abc import Mapping
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from project import logs


class SyncPages(ASGIHandler):
    """Runs the middleware and the view of a request on one thread, without a switch.

    Django's own handler switches between the event loop and that thread for the view
    and for each middleware that supports both. Each switch delays the page.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    def create_request(self, scope: Mapping[str, Any], body_file: IO[bytes]) -> tuple:
        request, refusal = super().create_request(scope, body_file)
        if request is not None:
            logs.set_request(request)
        return request, refusal

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response)(request)

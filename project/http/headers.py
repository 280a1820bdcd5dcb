"""Headers that Django has no setting for."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]


def pages_for_own_site(get_response: Handler) -> Handler:
    """Middleware that keeps other sites from loading pages as pictures or scripts.

    They could guess from the result what a page says. Pictures stay open, because
    search engines show them.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    return middleware

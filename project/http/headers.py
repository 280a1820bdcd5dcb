"""Headers that Django has no setting for."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]


def pages_for_own_site(get_response: Handler) -> Handler:
    """No other site may load a page as if it were a picture or a script, and guess from
    how that goes what it says. Pictures stay open: search engines show them."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    return middleware

"""What is refused has a page. Those that Django knows of are templates only."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

RETRY_AFTER_S = 5 * 60  # "a few minutes", as the page says


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """For `handler429`: one of ACCOUNT_RATE_LIMITS is used up."""
    response = render(request, "429.html", status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response

"""What is refused has a page. Those that Django knows of are templates only."""

import logging
import sys
from http import HTTPStatus

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from realtime.masks import mask

logger = logging.getLogger(__name__)

REFUSALS = (Http404, PermissionDenied, BadRequest, SuspiciousOperation)
RETRY_AFTER_S = 5 * 60  # "a few minutes", as the page says


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """For `handler429`: one of ACCOUNT_RATE_LIMITS is used up."""
    response = render(request, "429.html", status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


@receiver(got_request_exception)
def log_broken_page(request: HttpRequest, **kwargs) -> None:
    """Say what broke the page of a refusal: Django answers 500 then, and logs nothing
    but that."""
    error = sys.exc_info()[1]
    if error and isinstance(error.__context__, REFUSALS):
        path = mask(request.path)
        logger.error("The page of a refusal broke: %s", path, exc_info=error)

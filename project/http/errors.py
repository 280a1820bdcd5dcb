"""Error pages that need more than Django's templates for 400, 403, 404 and 500."""

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
    """Return the page for `handler429`. One of ACCOUNT_RATE_LIMITS is used up."""
    response = render(request, "429.html", status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


@receiver(got_request_exception)
def log_broken_page(request: HttpRequest, **kwargs) -> None:
    """Log the error that broke an error page, as Django does not."""
    error = sys.exc_info()[1]
    if error and isinstance(error.__context__, REFUSALS):
        path = mask(request.path)
        logger.error("The page of a refusal broke: %s", path, exc_info=error)

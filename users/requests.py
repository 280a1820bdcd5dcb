"""Who makes a request."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from users.models import User


def user_of(request: HttpRequest) -> User:
    """Return who is signed in. Raises `PermissionDenied` for visitors."""
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user

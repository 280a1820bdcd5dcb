"""Forms that change how an account is protected."""

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.generic import View

from users import sessions


class LockedAccountMixin(View):
    """Locks the user's account before a form is handled.

    If a new password has ended the session in the meantime, nothing is written.
    """

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if request.method == "POST" and request.user.is_authenticated:
            if not sessions.lock_account(request):
                return redirect_to_login(request.get_full_path())
        return super().dispatch(request, *args, **kwargs)

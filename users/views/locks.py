"""Forms that change how an account is protected."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from users import sessions


class LockedAccountMixin:
    """Locks the user's account before a form is handled.

    If a new password has ended the session in the meantime, nothing is written.
    """

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if request.user.is_authenticated and not sessions.lock_account(request):
            return redirect_to_login(request.get_full_path())
        return super().post(request, *args, **kwargs)

"""Forms that change what an account is protected by."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from users import sessions


class HeldMixin:
    """A form of somebody signed in that waits for a new password being set elsewhere,
    and writes nothing if that has ended its session."""

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if request.user.is_authenticated and not sessions.hold(request):
            return redirect_to_login(request.get_full_path())
        return super().post(request, *args, **kwargs)

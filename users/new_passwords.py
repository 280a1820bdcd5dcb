"""A hook that runs after every new password."""

from allauth.core import context
from django.utils.translation import gettext as _

from users import notices, recovery
from users.models import User


class NewPassword:
    """One of AUTH_PASSWORD_VALIDATORS, because Django calls their `password_changed`.

    It does so for every new password, whether a page, the admin, a command or a shell
    sets it.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        """Accept any password."""

    def get_help_text(self) -> str:
        return _("A new password cancels any pending change of email address.")

    def password_changed(self, password: str, user: User) -> None:
        if user.was_added:  # their first password
            return
        recovery.after_new_password(user)
        if context.request is None:  # pages send this notice themselves
            notices.by_staff(user, "account/email/password_changed")

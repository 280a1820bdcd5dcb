"""Mails that tell people what happened to their account."""

from allauth.account.adapter import get_adapter
from allauth.core import context as allauth_context
from django.http import HttpRequest
from django.utils.translation import gettext as _

from users.models import User


def by_staff(
    user: User, template: str, context: dict | None = None, *, to: str = ""
) -> None:
    """Send one of allauth's notices, to the person's own address or to `to`.

    Such a mail names the computer that a change came from. The address and the browser
    of staff are private, so it names the shop instead.
    """
    origin = {"ip": _("the shop’s own"), "user_agent": _("our staff did this for you")}
    request = allauth_context.request or HttpRequest()  # a command has none
    with allauth_context.request_context(request):
        get_adapter().send_notification_mail(
            template, user, origin | (context or {}), to or user.email
        )


def account_deleted(user: User, remaining: list[str], *, is_by_staff: bool) -> None:
    """Confirm a deletion. `remaining` are sentences on what data stays, and why."""
    template, context = "account/email/account_deleted", {"kept": remaining}
    if is_by_staff or allauth_context.request is None:
        by_staff(user, template, context)
    else:
        get_adapter().send_notification_mail(template, user, context, user.email)

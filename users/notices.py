"""Mails that tell people what happened to their account."""

from allauth.account.adapter import get_adapter
from allauth.core import context as allauth_context
from django.http import HttpRequest
from django.utils.translation import gettext as _

from users.models import User


def by_staff(
    user: User, template: str, context: dict | None = None, *, to: str = ""
) -> None:
    """Write one of allauth's notices, to the person's own address or to `to`.

    Such a mail names the computer that a change came from: here that is the shop's,
    and staff's own address and browser are nobody else's business.
    """
    whence = {"ip": _("the shop’s own"), "user_agent": _("our staff did this for you")}
    request = allauth_context.request or HttpRequest()  # a command has none
    with allauth_context.request_context(request):
        get_adapter().send_notification_mail(
            template, user, whence | (context or {}), to or user.email
        )


def account_deleted(user: User, kept: list[str], *, is_by_staff: bool) -> None:
    """Say goodbye; `kept` are sentences on what stays, and why."""
    template, context = "account/email/account_deleted", {"kept": kept}
    if is_by_staff or allauth_context.request is None:
        by_staff(user, template, context)
    else:
        get_adapter().send_notification_mail(template, user, context, user.email)

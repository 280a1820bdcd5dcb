"""The outbox in the admin: mails, their recipients, and whether they were delivered.

Not post_office's own pages: they show every link, and send inside the request. A mail
may carry a link that opens an account (reset the password, confirm the address), so
only superusers see those: staff could otherwise become an administrator by asking for
a reset of an administrator's password, and reading the outbox.
"""

import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from post_office import admin as post_office_admin
from post_office.models import STATUS, Attachment, Email, EmailTemplate, Log

from project.mail import facts
from project.mail.delivery import WAITING
from project.mail.outbox import new_message_id
from project.mail.tasks import deliver_soon
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin

# Links to accounts' pages, and to orders with the token that opens them.
SECRET_LINK = re.compile(
    r"""(https?://[^\s"'<>/]*)?(/|%2F)"""
    r"""(users(/|%2F)|orders(/|%2F)[^\s"'<>?]*(\?|%3F)t(=|%3D))[^\s"'<>]*""",
    re.IGNORECASE,
)
# A mail's own styles and no more: no script, no picture from elsewhere, no cookie.
PREVIEW_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"

# What `list_display` may name.
Column = str | Callable[[Any], str | bool]

assert post_office_admin  # it registers the admins that are replaced here
for model in (Email, EmailTemplate, Attachment, Log):
    admin.site.unregister(model)


def without_secrets(text: str) -> str:
    """`text` with every link covered that opens an account or an order."""
    return SECRET_LINK.sub(_("[link hidden]"), text)


class AttemptsInline(ReadOnlyMixin, admin.TabularInline):
    model = Log
    verbose_name = gettext_lazy("attempt")
    verbose_name_plural = gettext_lazy("attempts")
    fields = readonly_fields = ("date", "status", "exception_type", "answer")
    ordering = ["-pk"]

    def has_view_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm("post_office.view_email")

    @admin.display(description=gettext_lazy("answer"))
    def answer(self, log: Log) -> str:
        return without_secrets(log.message)  # servers quote rejected mails


@admin.register(Email)
class OutboxAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["recipients", "about", "state", "attempts", "next_try", "created"]
    list_filter = ["status", "created"]
    search_fields = ["to", "subject"]
    ordering = ["-created", "-pk"]
    list_per_page = 50
    change_form_template = "admin/change_form.html"  # post_office's would send at once
    actions = ["send_again", "send_now"]
    inlines = [AttemptsInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("state", "next_try"),
                    ("created", "last_updated"),
                    ("from_email", "to"),
                    ("cc", "bcc"),
                    "subject",
                    "text",
                    "preview",
                    "files",
                    "message_id",
                ]
            },
        )
    ]

    # --- Who may what -------------------------------------------------------------

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("post_office.change_email")

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Exclude masked texts from the search, because a search would reveal them."""
        return self.search_fields if request.user.is_superuser else ["to"]

    def get_sortable_by(self, request: HttpRequest) -> tuple[Column, ...]:
        columns = self.get_list_display(request)
        may_see = request.user.is_superuser
        return tuple(column for column in columns if may_see or column != "about")

    # --- Display -----------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Email]:
        return super().get_queryset(request).annotate(tries=Count("logs"))

    def get_object(self, request: HttpRequest, object_id, from_field=None):
        """Return the mail as this user may see it, with secrets masked.

        A mail that is still facts is shown as it would be written now.
        """
        mail = super().get_object(request, object_id, from_field)
        if mail:
            facts.write(mail)
        if mail and not request.user.is_superuser:
            for field in ("subject", "message", "html_message"):
                setattr(mail, field, without_secrets(getattr(mail, field)))
        return mail

    def get_urls(self) -> list[URLPattern]:
        preview = path(
            "<int:pk>/preview/",
            self.admin_site.admin_view(self.preview_view),
            name="post_office_email_preview",
        )
        return [preview, *super().get_urls()]

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The HTML by itself, for the frame of the mail's page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        mail = self.get_object(request, str(pk))
        if mail is None or not mail.html_message:
            raise Http404
        return _framed(request, mail.html_message)

    @admin.display(description=gettext_lazy("to"), ordering="to")
    def recipients(self, mail: Email) -> str:
        return ", ".join(mail.to)

    @admin.display(description=gettext_lazy("subject"), ordering="subject")
    def about(self, mail: Email) -> str:
        return Truncator(without_secrets(mail.subject)).chars(100)

    @admin.display(description=gettext_lazy("state"), ordering="status")
    def state(self, mail: Email) -> str:
        return mail.get_status_display()

    @admin.display(description=gettext_lazy("attempts"), ordering="tries")
    def attempts(self, mail: Email) -> int:
        return mail.tries

    @admin.display(description=gettext_lazy("next attempt"), ordering="scheduled_time")
    def next_try(self, mail: Email):
        if mail.status in WAITING:
            return mail.scheduled_time or _("now")
        return None

    @admin.display(description=gettext_lazy("text"))
    def text(self, mail: Email) -> str:
        return format_html("<pre>{}</pre>", mail.message)

    @admin.display(description=gettext_lazy("preview"))
    def preview(self, mail: Email) -> str | None:
        if not mail.html_message:
            return None
        return format_html(
            '<iframe sandbox width="600" height="560" src="{}" title="{}"></iframe>',
            reverse("admin:post_office_email_preview", args=[mail.pk]),
            _("Email preview"),
        )

    @admin.display(description=gettext_lazy("attachments"))
    def files(self, mail: Email) -> str:
        return ", ".join(file.name for file in mail.attachments.all())

    # --- What can be done ---------------------------------------------------------

    @admin.action(
        description=gettext_lazy("Send selected emails again"),
        permissions=["send"],
    )
    def send_again(self, request: HttpRequest, queryset: QuerySet[Email]) -> None:
        """Failed and sent mails wait again, with all their tries."""
        over = Email.objects.filter(status__in=[STATUS.failed, STATUS.sent])
        with transaction.atomic():
            mails = _take(over, queryset)
            for mail in mails:
                fields = {"status": STATUS.queued, "number_of_retries": 0}
                fields |= {"scheduled_time": None, "expires_at": None}
                if mail.status == STATUS.sent:
                    # Else mail programs would hide it as a copy of the first.
                    fields["message_id"] = new_message_id()
                Email.objects.filter(pk=mail.pk).update(**fields)
                self.log_change(request, mail, _("Queued to be sent again."))
            deliver_soon([mail.pk for mail in mails])
        self._tell(request, len(mails))

    @admin.action(
        description=gettext_lazy("Send waiting emails now"), permissions=["send"]
    )
    def send_now(self, request: HttpRequest, queryset: QuerySet[Email]) -> None:
        """Waiting mails are due now, whenever their next try was planned."""
        with transaction.atomic():
            mails = _take(Email.objects.filter(status__in=WAITING), queryset)
            for mail in mails:
                Email.objects.filter(pk=mail.pk).update(scheduled_time=None)
                self.log_change(request, mail, _("Queued to be sent now."))
            deliver_soon([mail.pk for mail in mails])
        self._tell(request, len(mails))

    def _tell(self, request: HttpRequest, quantity: int) -> None:
        if not quantity:
            text = _("There is nothing to do for the emails you selected.")
            return self.message_user(request, text, messages.WARNING)
        text = ngettext(
            "%(count)d email will be sent within seconds.",
            "%(count)d emails will be sent within seconds.",
            quantity,
        )
        self.message_user(request, text % {"count": quantity}, messages.SUCCESS)


@xframe_options_sameorigin
def _framed(request: HttpRequest, html: str) -> HttpResponse:
    return HttpResponse(html, headers={"Content-Security-Policy": PREVIEW_POLICY})


def _take(mails: QuerySet[Email], chosen: QuerySet[Email]) -> list[Email]:
    """Lock and return the selected `mails`, without those that a worker holds."""
    keys = list(chosen.values_list("pk", flat=True))
    return list(mails.filter(pk__in=keys).select_for_update(skip_locked=True))

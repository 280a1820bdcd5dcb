"""The mixin for a `ModelAdmin` whose forms several people may have open."""

import contextlib
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from project.edits.forms import EditForm, ListEditForm
from project.edits.marks import mark_of_row, mark_of_rows

SEEN = "_seen"  # the form's hidden field


class SafeEditsMixin(admin.ModelAdmin):
    """A mixin for a `ModelAdmin`, so that no form overwrites another person's changes.

    `get_object` locks the row while a form is handled, so nobody can change the row
    between the comparison and the update.
    """

    delete_confirmation_template = "admin/delete_seen.html"
    delete_selected_confirmation_template = "admin/delete_several_seen.html"

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        if request.method == "POST" and connection.in_atomic_block:
            with contextlib.suppress(
                ValueError, ValidationError
            ):  # there is no such row
                rows = self.model._base_manager.select_for_update(no_key=True)
                rows.filter(pk=object_id).first()
        return super().get_object(request, object_id, from_field)

    def get_form(
        self,
        request: HttpRequest,
        obj: Model | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[forms.ModelForm]:
        if obj is not None:
            attributes = {"seen_text": request.POST.get(SEEN)}
            kwargs.setdefault("form", type("Edit", (EditForm, self.form), attributes))
        return super().get_form(request, obj, change=change, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        if isinstance(form, EditForm) and form.instance.pk:
            context["seen"] = form.page_seen().dumps(form.instance)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_related(
        self, request: HttpRequest, form: forms.ModelForm, formsets: list, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if fields := getattr(form, "changed_by_others", []):
            text = _(
                "Somebody else changed %(fields)s while you were editing. Their change "
                "was kept."
            )
            labels = ", ".join(str(form.fields[name].label) for name in fields)
            self.message_user(request, text % {"fields": labels}, messages.WARNING)

    # --- Deleting -------------------------------------------------------------

    @transaction.atomic
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict | None = None
    ) -> HttpResponse:
        """Delete the row, or ask again if it has changed since the page showed it."""
        row = self.get_object(request, unquote(object_id))
        now = mark_of_row(row) if row else ""
        shown = request.POST.get(SEEN)
        if (
            row
            and shown not in (None, now)
            and self.has_delete_permission(request, row)
        ):
            text = _(
                "Nothing was deleted. Somebody changed “%(name)s” before you "
                "confirmed. Please check it again."
            )
            self.message_user(request, text % {"name": row}, messages.ERROR)
            return redirect(f"admin:{self._url_name}_change", quote(row.pk))
        context = {"seen": now} | (extra_context or {})
        return super().delete_view(request, object_id, context)

    def get_actions(
        self, request: HttpRequest
    ) -> dict[str, tuple[Callable[..., str], str, str] | None]:
        """Replace Django's deletion of several rows by `delete_several`."""
        actions = super().get_actions(request)
        if standard := actions.get("delete_selected"):
            _function, name, description = standard
            action = (SafeEditsMixin.delete_several, name, description)
            # Actions return responses; the stubs say strings.
            actions[name] = action  # type: ignore[assignment]
        return actions

    def delete_several(
        self, request: HttpRequest, queryset: QuerySet
    ) -> HttpResponse | None:
        """Delete the rows, or ask again if they have changed meanwhile."""
        now = mark_of_rows(queryset.order_by("pk"))
        shown = request.POST.get(SEEN)
        if request.POST.get("post") and shown not in (None, now):
            text = _(
                "Nothing was deleted. Somebody changed what you chose before you "
                "confirmed. Please check it again."
            )
            self.message_user(request, text, messages.ERROR)
            return None
        answer = delete_selected(self, request, queryset)
        if answer is not None:
            answer.context_data = {**(answer.context_data or {}), "seen": now}
        return answer

    @property
    def _url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    # --- Lists that are edited ------------------------------------------------

    def get_changelist_form(
        self, request: HttpRequest, **kwargs: Any
    ) -> type[forms.ModelForm]:
        return super().get_changelist_form(request, form=ListEditForm, **kwargs)

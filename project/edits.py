"""Two people at one form of the admin: neither undoes what the other has saved.

A form carries a mark of each value that it showed. When it comes back, its row is
locked and three values of each field are compared: what was shown, what was entered,
and what is stored now.

- A field that only one of the two changed is saved as that one left it.
- A field that both changed is refused: nothing is saved, the page says who changed it
  to what, keeps what was typed, and takes it when it is sent again.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote, unquote
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.files import File
from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.crypto import salted_hmac
from django.utils.text import Truncator
from django.utils.translation import gettext as _

SEEN = "_seen"  # the form's hidden field
LONGEST = 120  # characters of a value in a message


# --- What a page showed -----------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a page showed of a row: a mark of each field's value, and the newest line
    of the row's history."""

    marks: dict[str, str] = field(default_factory=dict)
    entry: int = 0

    def dumps(self, row: Model) -> str:
        """As text, for the page of this row."""
        return signing.dumps([self.marks, self.entry], salt=_salt(row), compress=True)

    @classmethod
    def loads(cls, text: str, row: Model) -> "Seen":
        """What the page of `row` says; nothing if it cannot be read."""
        try:
            return cls(*signing.loads(text, salt=_salt(row)))
        except (signing.BadSignature, TypeError, ValueError):
            return cls()


def _salt(row: Model) -> str:
    return f"seen:{row._meta.label}:{row.pk}"


def marks_of(form: forms.ModelForm) -> dict[str, str]:
    """A mark of the stored value of each field that `form` can change."""
    return {
        name: mark(
            form.fields[name], form.get_initial_for_field(form.fields[name], name)
        )
        for name in _editable(form)
    }


def _editable(form: forms.ModelForm) -> Iterator[str]:
    opts = form._meta.model._meta
    stored = {f.name for f in (*opts.concrete_fields, *opts.many_to_many)}
    for name, form_field in form.fields.items():
        if name in stored and not form_field.disabled:
            yield name


def mark(form_field: forms.Field, value: Any) -> str:
    """The same for the same value, whether it was stored or entered."""
    return hashlib.sha256(_plain(form_field, value).encode()).hexdigest()[:16]


def _plain(form_field: forms.Field, value: Any) -> str:
    value = form_field.prepare_value(value)
    match value:
        case None | "" | False if not isinstance(form_field, forms.BooleanField):
            return ""
        case File():
            return value.name or ""
        case Decimal():
            return f"{value.normalize():f}"
        case str():
            return value.replace("\r\n", "\n").strip()
    if isinstance(form_field, forms.ModelMultipleChoiceField):
        return ",".join(sorted(str(getattr(one, "pk", one)) for one in value))
    return str(value)


# --- The form ---------------------------------------------------------------------


class EditForm(forms.ModelForm):
    """A form of a row that somebody else may have changed since it was shown."""

    seen_text: str | None = None  # what came back; None for a page that says nothing

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.kept: list[str] = []  # what others changed, and this form did not
        self.seen = Seen()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.seen_text is not None and self.instance.pk:
            self._compare(data, Seen.loads(self.seen_text, self.instance))
        return data

    def _compare(self, data: dict[str, Any], seen: Seen) -> None:
        now, disputed = marks_of(self), []
        for name in [name for name in now if name in data]:
            shown, entered = seen.marks.get(name), mark(self.fields[name], data[name])
            if now[name] in (shown, entered):
                continue
            if entered == shown:
                self.kept.append(name)
                del data[name]  # the row keeps what it has
            else:
                disputed.append(name)
        self.seen = seen
        if disputed:
            self._refuse(disputed, data, now)

    def _refuse(
        self, disputed: list[str], data: dict[str, Any], now: dict[str, str]
    ) -> None:
        """Say what is disputed. The page shows that from now on: sent again, it is
        meant."""
        entries = list(_entries(self.instance, since=self.seen.entry))
        for name in disputed:
            entered = _shown(self.fields[name], data[name])
            self.add_error(name, self._told(name, entered, entries))
        self.add_error(
            None,
            ValidationError(
                _(
                    "Nothing was saved. Somebody else changed the same fields while "
                    "you were editing. What you typed is still here. Change it, or "
                    "save again to replace their changes."
                ),
                code="changed_meanwhile",
            ),
        )
        shown = [*disputed, *(name for name in self.kept if self._show_stored(name))]
        marks = self.seen.marks | {name: now[name] for name in shown}
        self.seen = Seen(marks, self.seen.entry)

    def _show_stored(self, name: str) -> bool:
        """Fill in what somebody else saved and this form leaves alone; False for a
        field that is not one plain input, which goes on showing what it did."""
        form_field, key = self.fields[name], self.add_prefix(name)
        if isinstance(form_field, forms.FileField | forms.MultiValueField):
            return False
        stored = form_field.prepare_value(self.get_initial_for_field(form_field, name))
        self.data = self.data.copy()
        if isinstance(form_field, forms.BooleanField):
            self.data.pop(key, None)
            stored = "on" if stored else None
        if isinstance(form_field, forms.ModelMultipleChoiceField):
            self.data.setlist(key, [str(one) for one in stored])
        elif stored is not None:
            self.data[key] = str(stored)
        return True

    def _told(self, name: str, entered: str, entries: list[LogEntry]) -> str:
        text = _(
            "%(who)s changed this to “%(theirs)s”. You entered “%(yours)s”. Nothing was"
            " saved."
        )
        theirs = _shown(self.fields[name], _stored(self.instance, name))
        who = _author(entries, self.fields[name].label or name)
        return text % {"who": who, "theirs": theirs, "yours": entered}

    @property
    def changed_data(self) -> list[str]:
        """What this form changes, for the history."""
        return [name for name in super().changed_data if name not in self.kept]

    def page_seen(self) -> Seen:
        """What the page of this form shows, to be carried by it."""
        if self.is_bound and self.seen_text is not None:
            return self.seen
        return Seen(marks_of(self), _newest(self.instance))


def _stored(row: Model, name: str) -> Any:
    value = getattr(row, name)
    return list(value.all()) if hasattr(value, "all") else value


def _shown(form_field: forms.Field, value: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        text = _("yes") if value else _("no")
    elif isinstance(form_field, forms.ModelMultipleChoiceField):
        text = ", ".join(map(str, value))
    elif isinstance(form_field, forms.ChoiceField) and value is not None:
        is_row = isinstance(form_field, forms.ModelChoiceField)
        text = str(value if is_row else dict(form_field.choices).get(value, value))
    else:
        text = "" if value is None else str(value)
    return Truncator(text).chars(LONGEST) or _("(empty)")


# --- Who it was -------------------------------------------------------------------


def _entries(row: Model, *, since: int = 0) -> Iterable[LogEntry]:
    """The row's history in the admin, the newest first."""
    kind = ContentType.objects.get_for_model(row)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk))
    return entries.filter(pk__gt=since).select_related("user").order_by("-pk")


def _newest(row: Model) -> int:
    return _entries(row).values_list("pk", flat=True).first() or 0


def _author(entries: list[LogEntry], label: str) -> str:
    """Who changed the field with this label last, as far as the history tells."""
    naming = [e for e in entries if f'"{label}"' in e.change_message]
    for entry in naming or entries:
        return entry.user.get_full_name() or entry.user.get_username()
    return _("Somebody")


# --- The admin --------------------------------------------------------------------


class SafeEditsMixin:
    """A `ModelAdmin` whose forms nobody's changes are lost by.

    Its `get_object` locks the row while a form is handled, so nothing comes between the
    comparison and the writing.
    """

    delete_confirmation_template = "admin/delete_seen.html"
    delete_selected_confirmation_template = "admin/delete_several_seen.html"

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        if request.method == "POST" and connection.in_atomic_block:
            with contextlib.suppress(ValueError, ValidationError):  # no such key
                rows = self.model._base_manager.select_for_update(no_key=True)
                rows.filter(pk=object_id).first()
        return super().get_object(request, object_id, from_field)

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, **kwargs: Any
    ) -> type[forms.ModelForm]:
        if obj is not None:
            attributes = {"seen_text": request.POST.get(SEEN)}
            kwargs.setdefault("form", type("Edit", (EditForm, self.form), attributes))
        return super().get_form(request, obj, **kwargs)

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
        if kept := getattr(form, "kept", []):
            text = _(
                "Somebody else changed %(fields)s while you were editing. Their change "
                "was kept."
            )
            labels = ", ".join(str(form.fields[name].label) for name in kept)
            self.message_user(request, text % {"fields": labels}, messages.WARNING)

    # --- Deleting -------------------------------------------------------------

    @transaction.atomic
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict | None = None
    ) -> HttpResponse:
        """Deletes what the page showed, or asks again."""
        row = self.get_object(request, unquote(object_id))
        now = _row_mark(row) if row else ""
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

    def get_actions(self, request: HttpRequest) -> dict[str, tuple]:
        """Deletes several as it deletes one."""
        actions = super().get_actions(request)
        if "delete_selected" in actions:
            _django_s, name, description = actions["delete_selected"]
            actions[name] = (SafeEditsMixin.delete_several, name, description)
        return actions

    def delete_several(
        self, request: HttpRequest, queryset: QuerySet
    ) -> HttpResponse | None:
        """Deletes the rows that the question showed, or asks again."""
        now = _mark_of_rows(queryset.order_by("pk"))
        shown = request.POST.get(SEEN)
        if request.POST.get("post") and shown not in (None, now):
            text = _(
                "Nothing was deleted. Somebody changed what you chose before you "
                "confirmed. Please check it again."
            )
            return self.message_user(request, text, messages.ERROR)
        answer = delete_selected(self, request, queryset)
        if answer is not None:
            answer.context_data["seen"] = now
        return answer

    @property
    def _url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    # --- Lists that are edited ------------------------------------------------

    def get_changelist_form(
        self, request: HttpRequest, **kwargs: Any
    ) -> type[forms.ModelForm]:
        return super().get_changelist_form(request, form=ListEditForm, **kwargs)


def _mark_of_rows(rows: Iterable[Model]) -> str:
    return salted_hmac("seen rows", ",".join(map(_row_mark, rows))).hexdigest()[:20]


def _row_mark(row: Model) -> str:
    left_out = row.get_deferred_fields() | {"last_login"}
    fields = [f for f in row._meta.concrete_fields if f.attname not in left_out]
    values = repr([(f.attname, str(f.value_from_object(row))) for f in fields])
    return salted_hmac("seen row", values).hexdigest()[:20]


class ListEditForm(forms.ModelForm):
    """A row of a list that is edited: Django carries its values in hidden fields."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for form_field in self.fields.values():
            form_field.show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        mine = set(self.changed_data)
        for name in [name for name in self._meta.fields or () if name in data]:
            if name not in mine:
                del data[name]  # the row keeps what it has
            elif self._is_disputed(name, data[name]):
                self._refuse(name)
        return data

    def _is_disputed(self, name: str, entered: Any) -> bool:
        shown = self.data.get(self.add_initial_prefix(name))
        form_field = self.fields[name]
        now = self.get_initial_for_field(form_field, name)
        if shown is None or not form_field.has_changed(now, shown):
            return False
        return mark(form_field, entered) != mark(form_field, now)

    def _refuse(self, name: str) -> None:
        now = self.get_initial_for_field(self.fields[name], name)
        entries = list(_entries(self.instance))
        text = _("%(who)s changed this to “%(theirs)s”. Save again to replace it.")
        who = _author(entries, self.fields[name].label or name)
        self.add_error(name, text % {"who": who, "theirs": now})
        self.data = self.data.copy()
        self.data[self.add_initial_prefix(name)] = str(now)

"""Forms that notice when the row has changed since they were shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import QueryDict
from django.utils.choices import flatten_choices, normalize_choices
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from project.edits.history import author_of, entries_of, newest_entry
from project.edits.marks import Seen, mark, marks_of, stored_elsewhere

LONGEST = 120  # characters of a value in a message


class EditForm(forms.ModelForm):
    """A form for a row that another person may have changed since it was shown.

    `stored_elsewhere` of a form names fields whose values are in other rows, which this
    row's lock protects.
    """

    seen_text: str | None = None  # from the submitted form; None if it has no marks

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.changed_by_others: list[str] = []  # fields that this form left alone
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
                self.changed_by_others.append(name)
                del data[name]  # the row keeps what it has
            else:
                disputed.append(name)
        self.seen = seen
        if disputed:
            self._refuse(disputed, data, now)

    def _refuse(
        self, disputed: list[str], data: dict[str, Any], now: dict[str, str]
    ) -> None:
        """Add an error for each field that both changed.

        The page then counts as having shown the stored values, so the form is saved if
        it is submitted again.
        """
        entries = list(entries_of(self.instance, since=self.seen.entry))
        for name in disputed:
            entered = _shown(self.fields[name], data[name])
            self.add_error(name, self._error_text(name, entered, entries))
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
        shown = [
            *disputed,
            *(name for name in self.changed_by_others if self._show_stored(name)),
        ]
        marks = self.seen.marks | {name: now[name] for name in shown}
        self.seen = Seen(marks, self.seen.entry)

    def _show_stored(self, name: str) -> bool:
        """Show the stored value of a field that only others changed.

        Return False for a field that is not one plain input. It goes on showing the old
        value.
        """
        form_field, key = self.fields[name], self.add_prefix(name)
        if isinstance(form_field, forms.FileField | forms.MultiValueField):
            return False
        stored = form_field.prepare_value(self.get_initial_for_field(form_field, name))
        data = _changeable(self.data)
        if isinstance(form_field, forms.BooleanField):
            data.pop(key, None)
            stored = "on" if stored else None
        if isinstance(
            form_field, forms.ModelMultipleChoiceField | forms.MultipleChoiceField
        ):
            data.setlist(key, [str(one) for one in stored])
        elif stored is not None:
            data[key] = str(stored)
        self.data = data
        return True

    def _error_text(self, name: str, entered: str, entries: list[LogEntry]) -> str:
        text = _(
            "%(who)s changed this to “%(theirs)s”. You entered “%(yours)s”. Nothing was"
            " saved."
        )
        theirs = _shown(self.fields[name], self._stored(name))
        who = author_of(entries, str(self.fields[name].label or name))
        return text % {"who": who, "theirs": theirs, "yours": entered}

    def _stored(self, name: str) -> Any:
        if name in stored_elsewhere(self):
            return self.get_initial_for_field(self.fields[name], name)
        value = getattr(self.instance, name)
        return list(value.all()) if hasattr(value, "all") else value

    @property
    def changed_data(self) -> list[str]:
        """Return the fields that this form changes, for the history."""
        return [
            name for name in super().changed_data if name not in self.changed_by_others
        ]

    def page_seen(self) -> Seen:
        """Return what the page of this form shows. The page carries it."""
        if self.is_bound and self.seen_text is not None:
            return self.seen
        return Seen(marks_of(self), newest_entry(self.instance))


def _changeable(data: Mapping[str, Any]) -> QueryDict:
    """Return a copy of what was submitted."""
    copy = QueryDict(mutable=True)
    copy.update(data)
    return copy


def _labels(form_field: forms.ChoiceField) -> dict[Any, Any]:
    return dict(flatten_choices(normalize_choices(form_field.choices)))


def _shown(form_field: forms.Field, value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, bool):
        text = _("yes") if value else _("no")
    elif isinstance(form_field, forms.ModelMultipleChoiceField):
        text = ", ".join(map(str, value))
    elif isinstance(form_field, forms.MultipleChoiceField):
        labels = _labels(form_field)
        text = ", ".join(str(labels[one]) for one in form_field.prepare_value(value))
    elif isinstance(form_field, forms.ModelChoiceField) and value is not None:
        text = str(value)
    elif isinstance(form_field, forms.ChoiceField) and value is not None:
        text = str(_labels(form_field).get(value, value))
    else:
        text = "" if value is None else str(form_field.prepare_value(value))
    return Truncator(text).chars(LONGEST) or _("(empty)")


class ListEditForm(forms.ModelForm):
    """A row of a list that is edited. Its page carries the values in hidden fields."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for form_field in self.fields.values():
            form_field.show_hidden_initial = True

    @property
    def compared(self) -> Sequence[str]:
        """The fields of which three values are compared."""
        fields = self._meta.fields
        return [] if fields is None or isinstance(fields, str) else list(fields)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        mine = set(self.changed_data)
        for name in [name for name in self.compared if name in data]:
            if name not in mine:
                del data[name]  # the row keeps what it has
            elif self._is_disputed(name, data[name]):
                self._refuse(name)
        return data

    @property
    def logged_row(self) -> Model:
        """The row in whose history changes of this one are."""
        return self.instance

    def _is_disputed(self, name: str, entered: Any) -> bool:
        shown = self.data.get(self.add_initial_prefix(name))
        form_field = self.fields[name]
        now = self.get_initial_for_field(form_field, name)
        if shown is None or not form_field.has_changed(now, shown):
            return False
        return mark(form_field, entered) != mark(form_field, now)

    def _refuse(self, name: str) -> None:
        form_field = self.fields[name]
        now = self.get_initial_for_field(form_field, name)
        entries = list(entries_of(self.logged_row))
        text = _("%(who)s changed this to “%(theirs)s”. Save again to replace it.")
        who = author_of(entries, str(form_field.label or name))
        theirs = _shown(form_field, now)
        self.add_error(name, text % {"who": who, "theirs": theirs})
        data = _changeable(self.data)
        data[self.add_initial_prefix(name)] = str(form_field.prepare_value(now))
        self.data = data

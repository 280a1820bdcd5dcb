"""Marks of the values that a page of the admin showed."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django import forms
from django.core import signing
from django.core.files import File
from django.db.models import Model
from django.utils.crypto import salted_hmac


@dataclass(frozen=True)
class Seen:
    """What a page showed of a row: a mark of each field's value, and the key of the
    newest entry in the row's history."""

    marks: dict[str, str] = field(default_factory=dict)
    entry: int = 0

    def dumps(self, row: Model) -> str:
        """Return this as signed text for the page of `row`."""
        return signing.dumps([self.marks, self.entry], salt=_salt(row), compress=True)

    @classmethod
    def loads(cls, text: str, row: Model) -> "Seen":
        """Read the text from the page of `row`. If it is invalid, return no marks."""
        try:
            return cls(*signing.loads(text, salt=_salt(row)))
        except (signing.BadSignature, TypeError, ValueError):
            return cls()


def _salt(row: Model) -> str:
    return f"seen:{row._meta.label}:{row.pk}"


def marks_of(form: forms.ModelForm) -> dict[str, str]:
    """Return a mark of the stored value of each field that `form` can change."""
    return {
        name: mark(
            form.fields[name], form.get_initial_for_field(form.fields[name], name)
        )
        for name in _editable(form)
    }


def stored_elsewhere(form: forms.ModelForm) -> tuple[str, ...]:
    """Return the form's fields whose values are not in its own row."""
    return getattr(form, "stored_elsewhere", ())


def _editable(form: forms.ModelForm) -> Iterator[str]:
    opts = form._meta.model._meta
    stored = {f.name for f in (*opts.concrete_fields, *opts.many_to_many)}
    stored.update(stored_elsewhere(form))
    for name, form_field in form.fields.items():
        if name in stored and not form_field.disabled:
            yield name


def mark(form_field: forms.Field, value: Any) -> str:
    """Return a short hash that is the same for a stored value and an entered one."""
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


def mark_of_rows(rows: Iterable[Model]) -> str:
    """Return a mark of all values of these rows."""
    return salted_hmac("seen rows", ",".join(map(mark_of_row, rows))).hexdigest()[:20]


def mark_of_row(row: Model) -> str:
    """Return a mark of all values of a row that are not deferred."""
    left_out = row.get_deferred_fields() | {"last_login"}
    fields = [f for f in row._meta.concrete_fields if f.attname not in left_out]
    values = repr([(f.attname, str(f.value_from_object(row))) for f in fields])
    return salted_hmac("seen row", values).hexdigest()[:20]

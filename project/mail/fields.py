"""Fields of models and forms that hold one email address each."""

from typing import Any

from django import forms
from django.db import models

from project.mail.addresses import NOT_ONE_ADDRESS, validate_email_address

# What the database holds addresses to: one @, and nothing that separates addresses.
SHAPE = r"^[^\s[:cntrl:],;:<>()\[\]\\\"@]+@[^\s[:cntrl:],;:<>()\[\]\\\"@]+$"


class EmailFormField(forms.EmailField):
    """One address, as the shop takes it."""

    default_validators = [validate_email_address]


class EmailField(models.EmailField):
    """One address, as the shop takes it, in forms and wherever the model is cleaned."""

    default_validators = [validate_email_address]

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": EmailFormField} | kwargs)


def shape_constraint(field: str, *, name: str) -> models.CheckConstraint:
    """The database's own look at a column of addresses, for whatever writes past the
    models. It may be empty."""
    is_one = models.Q(**{f"{field}__regex": SHAPE})
    return models.CheckConstraint(
        condition=models.Q(**{field: ""}) | is_one,
        name=name,
        violation_error_message=NOT_ONE_ADDRESS,
    )

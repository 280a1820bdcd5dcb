"""The shop's own user model, in place from the first migration."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A shopper, a staff member or an administrator; the e-mail is theirs alone."""

    email = models.EmailField(
        _("e-mail address"),
        unique=True,
        error_messages={"unique": _("Someone already uses this e-mail address.")},
    )

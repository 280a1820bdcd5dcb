"""Users, their sessions and their postal addresses."""

from functools import cached_property

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from project import phones
from project.mail.fields import EmailField, shape_constraint
from project.phones import PhoneField
from project.sessions import SessionStore
from users.validators import no_control_characters


class PlainField(models.CharField):
    """One line of text as people write it, without control characters."""

    default_validators = [no_control_characters]


class User(AbstractUser):
    """A shopper, a staff member or an administrator, with a unique email address."""

    first_name = PlainField(_("first name"), max_length=150, blank=True)
    last_name = PlainField(_("last name"), max_length=150, blank=True)
    email = EmailField(
        _("email address"),
        unique=True,
        error_messages={"unique": _("Someone already uses this email address.")},
    )
    picture = models.ImageField(_("picture"), upload_to="people/", blank=True)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique_in_any_case",
                violation_error_message=_("Someone already uses this email address."),
            ),
            shape_constraint("email", name="user_email_is_one_address"),
        ]

    was_added = False  # whether the last `save()` inserted the row

    def save(self, *args, **kwargs) -> None:
        self.email = self.email.lower()
        self.was_added = self._state.adding
        super().save(*args, **kwargs)

    def get_short_name(self) -> str:
        """Return what the shop calls the user."""
        return self.first_name or self.username

    @cached_property
    def is_verified(self) -> bool:
        """Whether the user's present address is verified."""
        return EmailAddress.objects.filter(
            user=self, email=self.email, verified=True
        ).exists()


class Session(AbstractBaseSession):
    """A visitor's session with its user, for one query in `products.live.viewers`.

    The user is a copy of what the session's signed data say. A session may outlive the
    account, so there is no foreign key constraint in the database.
    """

    user = models.ForeignKey(
        User,
        models.DO_NOTHING,
        verbose_name=_("person"),
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore


class Address(models.Model):
    """A postal address. One of a person's addresses is their default."""

    user = models.ForeignKey(User, models.CASCADE, related_name="addresses")
    full_name = PlainField(_("full name"), max_length=120)
    line1 = PlainField(_("street and number"), max_length=120)
    line2 = PlainField(_("flat, floor, company"), max_length=120, blank=True)
    postcode = PlainField(_("postcode"), max_length=20, blank=True)
    city = PlainField(_("town or city"), max_length=80, blank=True)
    region = PlainField(_("state or region"), max_length=80, blank=True)
    country = CountryField(_("country"))
    phone = PhoneField(_("phone"), max_length=phones.MAX_LENGTH, blank=True)
    is_default = models.BooleanField(_("default address"), default=False)

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ["-is_default", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(is_default=True),
                name="one_default_address_a_person",
            )
        ]

    def __str__(self) -> str:
        place = f"{self.postcode} {self.city}".strip() or self.region
        return ", ".join(filter(None, [self.full_name, self.line1, place]))

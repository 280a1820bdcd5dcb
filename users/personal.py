"""The personal data of accounts. See `project.personal`."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from project.personal import Section
from users.models import Address, Session, User

SECTIONS = [
    Section(
        "account",
        User,
        (
            *("username", "email", "first_name", "last_name", "picture"),
            *("is_active", "is_staff", "is_superuser", "date_joined", "last_login"),
        ),
        by="pk",
    ),
    Section("email_addresses", EmailAddress, ("email", "verified", "primary")),
    Section(
        "postal_addresses",
        Address,
        (
            *("full_name", "line1", "line2", "postcode", "city", "region", "country"),
            *("phone", "is_default"),
        ),
    ),
    Section(
        "browsers", UserSession, ("ip", "user_agent", "created_at", "last_seen_at")
    ),
    Section(
        "connected_accounts",
        SocialAccount,
        ("provider", "uid", "extra_data", "date_joined", "last_login"),
    ),
    # Without their secrets.
    Section("second_factors", Authenticator, ("type", "created_at", "last_used_at")),
    Section("sessions", Session, ("expire_date",)),
    Section("groups", User.groups.through, ("group__name",)),
    Section("permissions", User.user_permissions.through, ("permission__codename",)),
    Section("work_in_the_admin", LogEntry, ("action_time", "object_repr")),
]
NOT_THEIRS: dict[str, str] = {}


def forget(user: User, emails: list[str]) -> list[str]:
    """End the user's sessions, and remove their name from the log of staff.

    Rows that refer to the account are deleted with it.
    """
    for session in Session.objects.filter(user=user):
        session.delete()  # one at a time, so that a signal closes its sockets
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    )
    entries.update(object_repr=f"#{user.pk}", change_message="")
    return []

"""Receivers for signals of Django and allauth: sessions end and accounts change.

Every process must know, because open sockets keep the identity of their handshake.
`QuerySet.update()` sends no signal; the hubs' audit finds its changes.
"""

from allauth.account.internal.flows.login import record_authentication
from allauth.account.signals import authentication_step_completed, password_reset
from allauth.mfa.signals import authenticator_added
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from project.sessions import SessionStore
from realtime.publish import EVERYBODY, announce, person, session
from users import pictures, recovery
from users.models import Session, User


@receiver(post_delete, sender=Session)
def session_ended(instance: Session, **kwargs) -> None:
    """Close the sockets of a session that was ended or got another key."""
    if instance.expire_date > timezone.now():  # sockets end expired sessions themselves
        # After the commit, because until then a request might cache it again.
        transaction.on_commit(SessionStore(instance.session_key).forget)
        _announce(session(instance.session_key))


@receiver([post_save, post_delete], sender=User)
def person_changed(instance: User, update_fields=None, **kwargs) -> None:
    if set(update_fields or ()) != {"last_login"}:  # as at every sign-in
        _announce(person(instance.pk))


@receiver(post_delete, sender=User)
def person_deleted(instance: User, **kwargs) -> None:
    """Delete the picture of a deleted user."""
    pictures.put(instance, "")


@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
def rights_changed(instance, action: str, reverse: bool, **kwargs) -> None:
    if action.startswith("post_"):
        _announce(EVERYBODY if reverse else person(instance.pk))


@receiver(m2m_changed, sender=Group.permissions.through)
@receiver(post_delete, sender=Group)
def group_changed(action: str = "post_delete", **kwargs) -> None:
    if action.startswith("post_"):
        _announce(EVERYBODY)


@receiver(password_reset)
def password_reset_by_mail(user: User, **kwargs) -> None:
    """Remove strangers' ways in before the mail that lists all ways in."""
    recovery.forget_strangers(user)


@receiver(authenticator_added)
def factor_set_up(request: HttpRequest, user: User, authenticator, **kwargs) -> None:
    """Record that the session has proven the new factor.

    Staff who have a factor already can only set up one in a session that has proven it.
    """
    if request.user == user:
        details = {"id": authenticator.pk, "type": authenticator.type}
        record_authentication(request, user, "mfa", **details)


@receiver(authentication_step_completed)
def factor_shown(request: HttpRequest, method: str, **kwargs) -> None:
    """Identify the session's sockets again, as they may have more rights now."""
    if method == "mfa" and request.user.is_authenticated:
        request.session.save()
        if key := request.session.session_key:
            _announce(session(key))


def _announce(name: str) -> None:
    def announce_name() -> None:
        announce(name)

    transaction.on_commit(announce_name)

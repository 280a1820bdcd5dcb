"""Signals of code that is not ours: sessions end and accounts change in Django's and
allauth's hands, and in the admin's. Every process must hear of it, for open sockets
keep the identity they came with.

`QuerySet.update()` sends none; the hubs' audit finds what it did.
"""

from allauth.account.signals import password_reset
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from project.sessions import SessionStore
from realtime.publish import EVERYBODY, announce, person, session
from users import pictures, recovery
from users.models import Session, User


@receiver(post_delete, sender=Session)
def session_ended(instance: Session, **kwargs) -> None:
    """Signed out, signed out from elsewhere, or given another key at sign-in."""
    if instance.expire_date > timezone.now():  # else its sockets know by themselves
        # After the commit: until then a page might copy it again.
        transaction.on_commit(SessionStore(instance.session_key).forget)
        _announce(session(instance.session_key))


@receiver([post_save, post_delete], sender=User)
def person_changed(instance: User, update_fields=None, **kwargs) -> None:
    if set(update_fields or ()) != {"last_login"}:  # as at every sign-in
        _announce(person(instance.pk))


@receiver(post_delete, sender=User)
def person_deleted(instance: User, **kwargs) -> None:
    """Their picture goes with them."""
    pictures.put(instance, None)


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
    """Before the mail about it leaves, which lists the other ways in."""
    recovery.forget_strangers(user)


def _announce(name: str) -> None:
    def tell() -> None:
        announce(name)

    transaction.on_commit(tell)

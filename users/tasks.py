"""The Celery tasks of accounts."""

from datetime import timedelta

from allauth.account.models import EmailConfirmation
from allauth.usersessions.models import UserSession
from celery import shared_task
from django.db.models import Exists, OuterRef
from django.utils import timezone

from project.sessions import SessionStore
from users import verification
from users.models import Session

# During this time, the page of an expired link says that it has expired.
EXPIRED_LINKS_KEPT = timedelta(days=30)


@shared_task
def clear_sessions() -> None:
    """Delete expired sessions, and the details of sessions that no longer exist."""
    SessionStore.clear_expired()
    exists = Session.objects.filter(session_key=OuterRef("session_key"))
    UserSession.objects.filter(~Exists(exists)).delete()


@shared_task
def forget_old_links() -> None:
    """Delete verification links that expired 30 days ago, followed or not."""
    before = timezone.now() - verification.lifetime() - EXPIRED_LINKS_KEPT
    links = verification.dated(EmailConfirmation.objects.all())
    links.filter(since__lt=before).delete()

"""What happens later, by a worker."""

from datetime import timedelta

from allauth.account.models import EmailConfirmation
from allauth.usersessions.models import UserSession
from celery import shared_task
from django.db.models import Exists, OuterRef
from django.utils import timezone

from project.sessions import SessionStore
from users import verification
from users.models import Session

# A link that ran out is remembered for so long, to say that it did.
LINKS_KEPT = timedelta(days=30)


@shared_task
def clear_sessions() -> None:
    """Delete sessions that have expired, and what is known of sessions that are gone:
    when, where and with which browser they began."""
    SessionStore.clear_expired()
    is_there = Session.objects.filter(session_key=OuterRef("session_key"))
    UserSession.objects.filter(~Exists(is_there)).delete()


@shared_task
def forget_old_links() -> None:
    """Delete verification links that ran out 30 days ago, followed or not."""
    before = timezone.now() - verification.lifetime() - LINKS_KEPT
    links = verification.dated(EmailConfirmation.objects.all())
    links.filter(since__lt=before).delete()

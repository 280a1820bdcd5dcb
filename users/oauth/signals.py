"""A signal of allauth's."""

from allauth.account.signals import password_reset
from allauth.socialaccount.models import SocialAccount
from django.dispatch import receiver

from users.models import User


@receiver(password_reset)
def forget_strangers(user: User, **kwargs) -> None:
    """Who resets a password by mail owns the address. Whoever signed up with it before,
    unverified, by a provider of theirs, must not keep that way in."""
    if not User.objects.get(pk=user.pk).is_verified:
        SocialAccount.objects.filter(user=user).delete()

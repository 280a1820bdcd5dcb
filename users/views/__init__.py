"""The pages of accounts, most of them allauth's views with our titles."""

from users.views.entrance import (
    UserLoginView,
    UserLogoutView,
    UserRegistrationView,
)
from users.views.profile import UserProfileView
from users.views.verification import EmailVerificationView

__all__ = [
    "EmailVerificationView",
    "UserLoginView",
    "UserLogoutView",
    "UserProfileView",
    "UserRegistrationView",
]

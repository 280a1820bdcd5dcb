"""The pages of accounts: allauth's views where they are enough, with our titles."""

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

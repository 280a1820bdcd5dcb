"""The adapter for allauth's accounts: signing in, addresses and mails."""

import logging
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import clear_authentication_records
from allauth.account.models import EmailAddress
from allauth.core import context as allauth_context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.mail import EmailMessage
from django.core.validators import MaxLengthValidator
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.http.redirects import is_page
from project.mail.addresses import validate_email_address
from project.views import absolute
from realtime.addresses import plain_address
from users import recovery
from users.limits import SignInLimits, may_mail
from users.models import User

logger = logging.getLogger(__name__)

# Unknown people, wrong passwords and deactivated accounts get the same message.
BAD_LOGIN = gettext_lazy("Incorrect email, username or password.")
UNKNOWN_IP = "0.0.0.0"

# A session key: the hash of the password with which the sign-in began.
BEGAN_WITH = "sign_in_began_with"
# Notices that list the other ways into the account.
NEW_PASSWORD_NOTICES = {
    f"account/email/password_{change}" for change in ("changed", "set", "reset")
}


class AccountAdapter(SignInLimits):
    """Mails and links carry the shop's name and address, never the request's Host."""

    error_messages = SignInLimits.error_messages | {
        "email_password_mismatch": BAD_LOGIN,
        "username_password_mismatch": BAD_LOGIN,
    }

    # --- Signing in ---------------------------------------------------------------

    def authenticate(self, request: HttpRequest, **credentials) -> User | None:
        """Return the user with these credentials; None if their account is deactivated.

        allauth would redirect to a page that reveals the deactivation.
        """
        user = super().authenticate(request, **credentials)
        return user if user and user.is_active else None

    def pre_login(
        self, request: HttpRequest, user: User, **kwargs
    ) -> HttpResponse | None:
        request.session[BEGAN_WITH] = user.get_session_auth_hash()
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign in, unless the password has changed since the sign-in began.

        A sign-in may wait for a second factor or a link. If the password has changed,
        this raises `ImmediateHttpResponse` with a redirect to the sign-in page.
        """
        began_with = request.session.pop(BEGAN_WITH, "")
        if not constant_time_compare(began_with, user.get_session_auth_hash()):
            clear_authentication_records(request)
            messages.error(request, _("Your password has changed. Please sign in."))
            raise ImmediateHttpResponse(redirect("account_login"))
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: User, **kwargs) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        if not user.is_verified:
            text = _(
                "You haven’t verified your email address yet. You can browse and "
                "fill your basket, but you can’t order."
            )
            link = format_html(
                '<a href="{}">{}</a>',
                reverse("users:verification-resend"),
                _("Resend the link."),
            )
            messages.warning(request, format_html("{} {}", text, link))
        return response

    def get_reauthentication_methods(self, user: User) -> list[dict]:
        """Return the ways in which `user` can confirm their identity.

        Only people without a password can get a code by mail. For others, the mailbox
        would become a second password.
        """
        is_offered = not user.has_usable_password() and user.is_verified
        return [
            method
            for method in super().get_reauthentication_methods(user)
            if is_offered or method["id"] != "reauthenticate_by_code"
        ]

    def set_password(self, user: User, password: str) -> None:
        """Save only the password, because `user` was read before a slow hash."""
        user.set_password(password)
        user.save(update_fields=["password"])

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("users:profile")

    def is_safe_url(self, url: str | None) -> bool:
        """Return whether `url` is a page of this shop.

        allauth would allow any text, and all of ALLOWED_HOSTS, which may be a domain
        with other people's sites in it.
        """
        return is_page(allauth_context.request, url)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client's address in the form that is counted and stored.

        It is `UNKNOWN_IP` for a Unix socket, unless a proxy names the address. For a
        request that bypasses our proxies, it is the address that it comes from.
        """
        try:
            client_ip = get_client_ip(request)
        except ImproperlyConfigured:  # the request came through too few proxies
            client_ip = request.META.get("REMOTE_ADDR")
        return str(plain_address(client_ip) or UNKNOWN_IP)

    # --- Addresses ----------------------------------------------------------------

    def clean_email(self, email: str) -> str:
        """Return the normalised address. Raises `ValidationError`.

        Django's form field accepts addresses that are too long for the model field.
        allauth would truncate them, and the result may be another person's address. The
        form field also accepts addresses that mail libraries split.
        """
        MaxLengthValidator(User._meta.get_field("email").max_length)(email)
        validate_email_address(email)
        return super().clean_email(email)

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Allow only a pending new address to be deleted: everybody has an address."""
        return email_address.email != email_address.user.email

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Make this the user's address, and notify their previous address.

        Return False if another account uses the address, verified or not. allauth
        checks the verified addresses only.
        """
        user = email_address.user
        others = EmailAddress.objects.filter(user=user).exclude(pk=email_address.pk)
        try:
            with transaction.atomic():
                others.exclude(email=user.email).delete()
                if email_address.email != user.email:
                    # allauth notifies the one other address, so there must be one.
                    others.get_or_create(user=user, email=user.email)
                return super().confirm_email(request, email_address)
        except IntegrityError:
            return False

    # --- Mails --------------------------------------------------------------------

    def should_send_confirmation_mail(
        self, request: HttpRequest, email_address: EmailAddress, signup: bool
    ) -> bool:
        return may_mail(request, email_address.email)

    def get_email_confirmation_url(self, request: HttpRequest, confirmation) -> str:
        return absolute(reverse("account_confirm_email", args=[confirmation.key]))

    def get_reset_password_from_key_url(self, key: str) -> str:
        uid, _dash, token = key.partition("-")
        return absolute(reverse("account_reset_password_from_key", args=[uid, token]))

    def send_account_already_exists_mail(self, email: str) -> None:
        if not may_mail(allauth_context.request, email):
            return
        links = {
            "signup_url": absolute(reverse("account_signup")),
            "login_url": absolute(reverse("account_login")),
            "password_reset_url": absolute(reverse("account_reset_password")),
        }
        self.send_mail("account/email/account_already_exists", email, links)

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict | None = None,
        email: str | None = None,
    ) -> None:
        """Notify `user` of a change to their account.

        The mail goes to their present address, never to a pending new one.
        """
        context = context or {}
        if template_prefix in NEW_PASSWORD_NOTICES:
            context |= {
                "ways_in": recovery.ways_in(user),
                "ways_in_url": absolute(reverse("users:ways-in")),
            }
        super().send_notification_mail(
            template_prefix, user, context, email or user.email
        )

    def send_mail(self, template_prefix: str, email: str, context: dict) -> None:
        try:
            self.write_mail(template_prefix, email, context).send()
        except ValidationError:
            # Forms refuse such addresses. The change to the account stays.
            logger.warning("A mail was refused: no mail can be sent to its address")

    def write_mail(
        self, template_prefix: str, email: str, context: dict
    ) -> EmailMessage:
        """Return a mail without sending it.

        Callers also write mails that nobody gets, so that a request takes the same time
        for an unknown address.
        """
        shop = {
            "request": allauth_context.request,
            "email": email,
            "shop_name": settings.SHOP_NAME,
            "shop_url": settings.DOMAIN_NAME,
            "current_site": {
                "name": settings.SHOP_NAME,
                "domain": urlsplit(settings.DOMAIN_NAME).netloc,
            },
        }
        return self.render_mail(template_prefix, email, shop | context)

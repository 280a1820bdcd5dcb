"""Where allauth asks us."""

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

# The same for whom we don't know, a wrong password and a deactivated account.
BAD_LOGIN = gettext_lazy("Incorrect email, username or password.")
UNKNOWN_IP = "0.0.0.0"

BEGAN_WITH = "sign_in_began_with"  # in the session: what the password was then
# Notices that list the other ways into the account.
NEW_PASSWORD_NOTICES = {
    f"account/email/password_{done}" for done in ("changed", "set", "reset")
}


class AccountAdapter(SignInLimits):
    """Mails and links carry the shop's name and address, never the request's Host."""

    error_messages = SignInLimits.error_messages | {
        "email_password_mismatch": BAD_LOGIN,
        "username_password_mismatch": BAD_LOGIN,
    }

    # --- Signing in ---------------------------------------------------------------

    def authenticate(self, request: HttpRequest, **credentials) -> User | None:
        """Whose credentials these are, unless the account is deactivated: allauth
        would lead its holder to a page that says so."""
        user = super().authenticate(request, **credentials)
        return user if user and user.is_active else None

    def pre_login(
        self, request: HttpRequest, user: User, **kwargs
    ) -> HttpResponse | None:
        request.session[BEGAN_WITH] = user.get_session_auth_hash()
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign in, unless the password was changed since: a sign-in that waits for its
        second factor or for a link was begun with the old one."""
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
        """How `user` can confirm that it is them. A code by mail is for people who have
        no password: for others the mailbox would become a second password."""
        is_offered = not user.has_usable_password() and user.is_verified
        return [
            method
            for method in super().get_reauthentication_methods(user)
            if is_offered or method["id"] != "reauthenticate_by_code"
        ]

    def set_password(self, user: User, password: str) -> None:
        """Writes nothing else: `user` was read before a slow hash."""
        user.set_password(password)
        user.save(update_fields=["password"])

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("users:profile")

    def is_safe_url(self, url: str | None) -> bool:
        """Whether it is a page of this shop. allauth would allow all of ALLOWED_HOSTS,
        which may be a domain with other people's sites in it, and any text."""
        return is_page(allauth_context.request, url)

    def get_client_ip(self, request: HttpRequest) -> str:
        """In the form that is counted and stored. Through a Unix socket, without a
        proxy that names it, there is none; who went round a proxy has their own."""
        try:
            found = get_client_ip(request)
        except ImproperlyConfigured:  # fewer proxies than we have
            found = request.META.get("REMOTE_ADDR")
        return str(plain_address(found) or UNKNOWN_IP)

    # --- Addresses ----------------------------------------------------------------

    def clean_email(self, email: str) -> str:
        """Django's form field takes longer ones than its model field, and allauth
        would cut them: they would be somebody else's. It also takes addresses that
        mail libraries split."""
        MaxLengthValidator(User._meta.get_field("email").max_length)(email)
        validate_email_address(email)
        return super().clean_email(email)

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Only one they meant to change to: everybody has an address."""
        return email_address.email != email_address.user.email

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Make it theirs, and tell the address they had until now. `False` if another
        account has it, verified or not: allauth looks at the verified ones only."""
        user = email_address.user
        theirs = EmailAddress.objects.filter(user=user).exclude(pk=email_address.pk)
        try:
            with transaction.atomic():
                theirs.exclude(email=user.email).delete()
                if email_address.email != user.email:
                    # allauth tells the one other address, so there must be one.
                    theirs.get_or_create(user=user, email=user.email)
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
        """Tell `user` what was done to their account, at their own address: not at one
        that somebody only wishes to change to."""
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
            # Forms let no such address in; what was done to the account stands.
            logger.warning("A mail was refused: no mail can be sent to its address")

    def write_mail(
        self, template_prefix: str, email: str, context: dict
    ) -> EmailMessage:
        """The mail, not sent: where nobody is to get one, this takes the same time."""
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

"""Settings of accounts: signing in, second factors, OAuth 2.0, rate limits."""

from operator import methodcaller
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from project.base_settings import env

# A limit is "number/time/what is counted": "ip" is the client's address (for IPv6 its
# /64), "user" the user who is signed in, "key" what the form is about. Many people may
# share an address (an office, a phone network), so limits by "ip" stop floods, and the
# others stop guessing. Windows slide, and most last minutes. So nobody is locked out
# for long, or by what others do elsewhere.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",  # all attempts: each hash takes 100 MB and 0.2 s of CPU
    # Key: the account at one address. This allows 5 typos, and 60 guesses an hour find
    # no password that has passed the validators. Codes of second factors count too.
    "login_failed": "20/m/ip,5/5m/key",
    # Key: the account, from all addresses but those where its owner is signed in.
    "guess": "100/h/key",
    # A sign-up sends a mail, so the number in an hour is limited too.
    "signup": "10/m/ip,60/h/ip",
    # Anybody can cause these mails, so each address gets one in three minutes and ten a
    # day. Further ones are silently dropped; earlier links are still valid.
    "confirm_email": "1/3m/key,10/d/key",
    "resend_verification": "10/m/ip",
    "reset_password": "10/m/ip,60/h/ip,3/5m/key,10/d/key",
    "reset_password_from_key": "20/m/ip",  # only against floods: a key has 128 bits
    # Nobody can guess the password in a stolen session, or fill strangers' mailboxes
    # from it.
    "reauthenticate": "10/5m/user",
    "request_login_code": "10/m/ip,3/5m/key,10/d/key",  # key: the address it goes to
    "change_password": "10/5m/user",
    "manage_email": "10/10m/user,30/d/user",
    # A process of its own decodes each picture, one at a time (project/pictures.py).
    "picture": "5/m/user,30/h/user",
    "product_picture": "20/m/user,300/h/user",
    # Products that visitors wait for, with an address that anybody can enter.
    "tell_me": "10/m/ip,60/h/ip,20/d/key",
}
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}  # only against floods

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "users:login"
LOGIN_REDIRECT_URL = "products:index"
LOGOUT_REDIRECT_URL = "products:index"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "users.new_passwords.NewPassword"}]

ACCOUNT_ADAPTER = "users.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# People can sign in before their address is verified, but not order. Signing up signs
# nobody in, so that its answer is the same whether the address is known or not.
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_CONFIRMATION_HMAC = False  # a row for each link
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 2
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # in the browser that signed up
ACCOUNT_LOGIN_TIMEOUT = 60 * 60  # to follow the mail or give the second factor
ACCOUNT_EMAIL_CONFIRMATION_AUTHENTICATED_REDIRECT_URL = "users:profile"
ACCOUNT_CHANGE_EMAIL = True  # one address; a new one replaces it once verified
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no mail to people who have no account
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # other sessions end, this one stays
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 15 * 60  # a code by mail, to confirm that it is you
ACCOUNT_USER_DISPLAY = methodcaller("get_short_name")
MFA_ADAPTER = "users.mfa.MFAAdapter"
MFA_FORMS = {
    "add_webauthn": "users.passkeys.AddForm",
    "login_webauthn": "users.passkeys.LoginForm",
    "authenticate_webauthn": "users.passkeys.SecondStepForm",
    "reauthenticate_webauthn": "users.passkeys.ReauthenticateForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Staff need a second factor to see a staff page.
STAFF_MFA_REQUIRED = env.bool("STAFF_MFA_REQUIRED", False)

# A provider is offered if it has keys. Register its callback there:
# DOMAIN_NAME/users/github/login/callback/, …/users/google/login/callback/ or
# …/users/oidc/sso/login/callback/.


def oauth_apps(name: str, /, **app: object) -> list[dict]:
    """Return the app that is registered at a provider; none without OAUTH_<name>_ID.

    Raises `ImproperlyConfigured` if only one of the two keys is set.
    """
    client, secret = (env.str(f"OAUTH_{name}_{key}", "") for key in ("ID", "SECRET"))
    if bool(client) != bool(secret):
        raise ImproperlyConfigured(
            f"Set both OAUTH_{name}_ID and OAUTH_{name}_SECRET, or neither."
        )
    return [{"client_id": client, "secret": secret, **app}] if client else []


OAUTH_OIDC_URL = env.url("OAUTH_OIDC_URL")  # the server's, the issuer
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    "github": {"APPS": oauth_apps("GITHUB"), "SCOPE": ["user:email"]},
    "google": {"APPS": oauth_apps("GOOGLE"), "SCOPE": ["profile", "email"]},
    "openid_connect": {
        "APPS": oauth_apps(
            "OIDC",
            provider_id="sso",  # stored and in the callback, so it must not change
            name=env.str("OAUTH_OIDC_NAME", "OpenID Connect"),  # on the button
            settings={"server_url": OAUTH_OIDC_URL},
        )
    },
}
for provider in SOCIALACCOUNT_PROVIDERS.values():
    provider["OAUTH_PKCE_ENABLED"] = True
if bool(OAUTH_OIDC_URL) != bool(SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]):
    raise ImproperlyConfigured("OAUTH_OIDC_URL goes with OAUTH_OIDC_ID and _SECRET.")
SOCIALACCOUNT_ADAPTER = "users.oauth.adapters.SocialAccountAdapter"
SOCIALACCOUNT_FORMS = {"signup": "users.oauth.forms.SignupForm"}
SOCIALACCOUNT_LOGIN_ON_GET = False  # require a POST
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # an address alone signs nobody in
# If the provider has not verified the address, we send a link.
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds, for each answer of a provider

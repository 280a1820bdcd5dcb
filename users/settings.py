"""Settings of accounts: signing in, second factors, OAuth 2.0, rate limits."""

from operator import methodcaller

from django.core.exceptions import ImproperlyConfigured

from project.base_settings import env

# How often, in what time, counted for whom: "ip", the address that asks (of IPv6 its
# /64); "user", who is signed in; "key", what the form is about. Many people may share
# an "ip" (an office, a phone network), so those stop floods, and the others guessing.
# Windows slide, and most are minutes long: nobody is locked out for longer, nor by what
# others do elsewhere.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",  # right or wrong: each is a hash, 100 MB and 0.2 s of CPU
    # Key: the account at one address. 5 typos are human, and 60 guesses an hour find
    # no password that passed the validators. The second factor's codes count so too.
    "login_failed": "20/m/ip,5/5m/key",
    # Key: the account, from all addresses; not where its owner is signed in.
    "guess": "100/h/key",
    # A sign-up writes a mail to somebody, so an hour's worth is limited too.
    "signup": "10/m/ip,60/h/ip",
    # One mail an address in three minutes, and ten a day of nobody's asking are enough;
    # beyond it none is sent and nothing is said, as earlier links are still good.
    "confirm_email": "1/3m/key,10/d/key",
    "resend_verification": "10/m/ip",
    "reset_password": "10/m/ip,60/h/ip,3/5m/key,10/d/key",
    "reset_password_from_key": "20/m/ip",  # the link's key has 128 bits: against floods
    # Of a session that was left open or stolen: the password can't be guessed in it,
    # nor strangers' mailboxes be filled from it.
    "reauthenticate": "10/5m/user",
    "request_login_code": "10/m/ip,3/5m/key,10/d/key",  # key: the address it goes to
    "change_password": "10/5m/user",
    "manage_email": "10/10m/user,30/d/user",
    # Each is decoded by a process of its own, one at a time (project/pictures.py).
    "picture": "5/m/user,30/h/user",
    "product_picture": "20/m/user,300/h/user",
    # "Tell me" for an address that anybody may type: so many products.
    "tell_me": "10/m/ip,60/h/ip,20/d/key",
}
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}  # nothing to guess there

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
# Signing in works before the address is verified, ordering does not. Signing up signs
# nobody in: its answer is the same whether the address is known or not.
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_CONFIRMATION_HMAC = False  # a row for each link
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 2
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # in the browser that signed up
ACCOUNT_LOGIN_TIMEOUT = 60 * 60  # for the mail to be found, or the second factor
ACCOUNT_EMAIL_CONFIRMATION_AUTHENTICATED_REDIRECT_URL = "users:profile"
ACCOUNT_CHANGE_EMAIL = True  # one address; a new one replaces it once verified
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no mail to people who have no account
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # here; everywhere else it does
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
# Staff must have a second factor before they see a staff page.
STAFF_MFA_REQUIRED = env.bool("STAFF_MFA_REQUIRED", False)

# A provider is offered once it has keys; its callback, to be registered there, is
# DOMAIN_NAME/users/github/login/callback/, …/users/google/login/callback/ or
# …/users/oidc/sso/login/callback/.


def oauth_apps(name: str, /, **app: object) -> list[dict]:
    """The shop as it is registered at a provider: none without OAUTH_<name>_ID. Raises
    `ImproperlyConfigured` for half of the keys."""
    client, secret = (env.str(f"OAUTH_{name}_{key}", "") for key in ("ID", "SECRET"))
    if bool(client) != bool(secret):
        raise ImproperlyConfigured(
            f"Set both OAUTH_{name}_ID and OAUTH_{name}_SECRET, or neither."
        )
    return [{"client_id": client, "secret": secret, **app}] if client else []


OAUTH_OIDC_URL = env.url("OAUTH_OIDC_URL")  # the server's, the issuer
SOCIALACCOUNT_PROVIDERS = {
    "github": {"APPS": oauth_apps("GITHUB"), "SCOPE": ["user:email"]},
    "google": {"APPS": oauth_apps("GOOGLE"), "SCOPE": ["profile", "email"]},
    "openid_connect": {
        "APPS": oauth_apps(
            "OIDC",
            provider_id="sso",  # in the database and the callback: it stays
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
SOCIALACCOUNT_LOGIN_ON_GET = False  # going to a provider takes a POST
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # an address alone opens no account
# What no provider vouches for opens this way in once a link of ours was followed.
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds, for each answer of a provider

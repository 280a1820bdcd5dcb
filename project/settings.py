"""One settings file; the environment decides.

`make run` writes `.local/env` with the addresses of the servers it started, so that
a second terminal (`manage.py shell`) finds them. Variables of the environment win.
"""

from email.utils import parseaddr
from importlib.util import find_spec
from operator import methodcaller
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _
from kombu import Exchange, Queue
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from project import bucket, redis_url, reporting, server_urls, site_address
from project.environment import Env
from project.keys import checked
from project.mail.addresses import recipient

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
LOCAL_DIR = Path(env.str("SHOP_LOCAL_DIR", str(BASE_DIR / ".local")))
if (LOCAL_DIR / "env").is_file():
    Env.read_env(LOCAL_DIR / "env")

# --- Security ---------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = checked(env.str("SECRET_KEY", ""))
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
site = site_address.parsed(env.str("DOMAIN_NAME", "http://localhost:8000"))
DOMAIN_NAME = site.url
# What every address of the shop begins with: "/", or "/shop/" for a shop whose
# DOMAIN_NAME has that path. `project.urls` puts it before all pages, so that `reverse`
# and `resolve` know it in every thread, without FORCE_SCRIPT_NAME.
BASE_PATH = site.base_path
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", default=[site.origin])

# Plain http on one's own machine is the only case for INSECURE_COOKIES.
INSECURE_COOKIES = env.bool("INSECURE_COOKIES", DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = not INSECURE_COOKIES
SECURE_HSTS_SECONDS = 0 if INSECURE_COOKIES else 60 * 60 * 24 * 365
# Whether the whole domain has https is not for a shop to say that is one path of it.
SECURE_HSTS_INCLUDE_SUBDOMAINS = not INSECURE_COOKIES and BASE_PATH == "/"
SECURE_HSTS_PRELOAD = SECURE_HSTS_INCLUDE_SUBDOMAINS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LANGUAGE_COOKIE_SECURE = not INSECURE_COOKIES
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = BASE_PATH
# A browser takes a cookie named __Host-… only over https and for this very host: no
# page of a neighbour (shop.example, evil.shop.example) and no plain http can plant one.
# It must have the path "/" and no domain. A shop under a path has cookies of that path,
# so that two shops on one host do not share them; __Secure- asks for https alone.
if INSECURE_COOKIES:
    COOKIE_PREFIX = ""
else:
    COOKIE_PREFIX = "__Host-" if BASE_PATH == "/" else "__Secure-"
# The path is also part of the name. A browser sends cookies of "/" to every path, and
# of two cookies with one name the pages would read the other site's.
COOKIE_PREFIX += BASE_PATH.removeprefix("/").replace("/", "-")
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
MESSAGES_COOKIE_NAME = f"{COOKIE_PREFIX}messages"
MESSAGE_STORAGE = "project.http.messages.MessageStorage"

# Nobody but a proxy of ours is believed who asks, and over what; X-Forwarded-For counts
# from its end, where ours have written.
TRUSTED_PROXY_COUNT = 0
if env.bool("BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 1, least=1, most=20)
    ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT

# Nothing inline, nothing from elsewhere. Forms go home too: Chromium holds the whole
# chain of redirects after a form to it, which is why going to a provider of OAuth 2.0
# takes a page in between.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # the QR code of a second factor
        "font-src": ["'self'"],
        # 'self' is not enough for a WebSocket in Safari before 15.4.
        "connect-src": ["'self'", site.origin.replace("http", "ws", 1)],
        "frame-src": ["'self'"],  # the outbox shows a mail so, in a sandbox
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
        "upgrade-insecure-requests": not INSECURE_COOKIES,
    }
}
# What the shop does not use, no script may use that gets in all the same.
PERMISSIONS_POLICY: dict[str, str | list[str]] = {
    "accelerometer": [],
    "autoplay": [],
    "browsing-topics": [],
    "camera": [],
    "display-capture": [],
    "encrypted-media": [],
    "fullscreen": [],
    "geolocation": [],
    "gyroscope": [],
    "hid": [],
    "identity-credentials-get": [],
    "idle-detection": [],
    "local-fonts": [],
    "magnetometer": [],
    "microphone": [],
    "midi": [],
    "otp-credentials": [],
    "payment": [],
    "picture-in-picture": [],
    "publickey-credentials-create": "self",  # passkeys
    "publickey-credentials-get": "self",
    "screen-wake-lock": [],
    "serial": [],
    "usb": [],
    "xr-spatial-tracking": [],
}

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

# --- Applications -----------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # first: its runserver serves the sockets too
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.sitemaps",
    "django.contrib.humanize",
    "django.contrib.postgres",  # lookups of arrays and vectors; no extension
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_countries",
    "django_prometheus",
    "imagekit",
    "post_office",
    "project",
    "users",
    "products",
    "realtime",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.http.compression.GZipMiddleware",
    "project.http.headers.pages_for_own_site",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "users.middleware.private_pages",
    "project.replicas.read_own_writes",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "products.pagecache.caching.fresh_for_staff",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "users.middleware.SecondFactorMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

# For who develops, on their own machine only. Its styles and scripts are files, so that
# the policy above needs no exception.
DEBUG_TOOLBAR = DEBUG and find_spec("debug_toolbar") is not None
if DEBUG_TOOLBAR:
    INSTALLED_APPS.append("debug_toolbar")
    place = MIDDLEWARE.index("project.http.compression.GZipMiddleware") + 1
    MIDDLEWARE.insert(place, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1", "::1"]

ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
TEST_RUNNER = "project.runner.PytestRunner"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "products.context_processors.shop",
                "products.context_processors.baskets",
            ],
        },
    },
]

# --- What comes in over HTTP ------------------------------------------------------

MB = 2**20
# What the admin imports while somebody waits; the command takes files of any size.
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", 20 * MB, least=1)
HTTP = {
    # The largest body of a request, in bytes, by the start of its path; the first that
    # fits counts. deploy/nginx/shop-locations.conf has the same numbers.
    "BODY_BYTES": [
        (f"{BASE_PATH}admin/products/product/import/", IMPORT_MAX_BYTES + MB),
        (f"{BASE_PATH}admin/products/product/", 9 * MB),  # with a picture
        (f"{BASE_PATH}users/profile/", 6 * MB),  # with a picture
        (f"{BASE_PATH}payments/stripe/webhook/", MB // 4),
        *((f"{BASE_PATH}{path}/", MB // 16) for path in ("static", "media", "ws")),
        *((path, MB // 16) for path in ("/healthz", "/readyz", "/metrics")),
        ("/", MB),
    ],
    # One header (cookies are one), with its name, and all of them together. A handshake
    # has the same limits as a page. deploy/nginx/shop-locations.conf has the first.
    "HEADER_BYTES": 16 * 1024,
    "HEADERS_BYTES": 32 * 1024,
    "SAFE_BODY_BYTES": MB // 16,  # of GET, HEAD and their like, whatever the path
    # All bodies that a process holds at a time; one address may have half of it.
    "BODIES_BYTES": env.int(
        "HTTP_BODIES_BYTES", max(64 * MB, 4 * IMPORT_MAX_BYTES), least=MB, most=2**40
    ),
    # Seconds for a request's headers (and TLS); for the next piece of its body, and to
    # begin with, a second more for each BODY_RATE bytes that have come; until the next
    # request of a connection, or for a client to read on.
    "HEADERS_S": env.float("HTTP_HEADERS_S", 15, least=0.1),
    "BODY_S": env.float("HTTP_BODY_S", 20, least=0.1),
    "BODY_RATE": env.int("HTTP_BODY_RATE", 16 * 1024, least=1),
    "KEEP_ALIVE_S": env.float("HTTP_KEEP_ALIVE_S", 60, least=0.1),
    # Connections that wait for their client, in a process; one more closes the one that
    # has been silent longest.
    "CONNECTIONS": env.int("HTTP_CONNECTIONS", 2000, least=1),
}
# Fields of a form without its files; Django keeps them in memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = MB

# --- PostgreSQL and Redis ---------------------------------------------------------

DATABASES = {"default": server_urls.database(env.str("DATABASE_URL"))}
DATABASES["default"].setdefault(
    "CONN_MAX_AGE", env.int("DATABASE_CONN_MAX_AGE", 600)
)  # a connection costs PostgreSQL a process: each thread keeps its own
if DATABASE_REPLICA_URL := env.str("DATABASE_REPLICA_URL", ""):
    DATABASES["replica"] = server_urls.replica(DATABASE_REPLICA_URL)
    DATABASES["replica"].setdefault(
        "CONN_MAX_AGE", DATABASES["default"]["CONN_MAX_AGE"]
    )
    DATABASE_ROUTERS = ["project.replicas.Router"]
# A replica that is further behind is not asked; so long, and a little longer, whoever
# has changed something reads the primary.
DATABASE_REPLICA_MAX_LAG_S = env.float(
    "DATABASE_REPLICA_MAX_LAG_S", 5, least=0.1, most=60
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Pages run on so many threads of a process, each with a connection of its own; so many
# requests may wait for one before others are told to come back later. More threads make
# fewer pages (CONTRIBUTING): one interpreter makes them all, and the sockets' frames.
HTTP_THREADS = env.int("HTTP_THREADS", 4, least=1, most=1000)
HTTP_LINE = env.int("HTTP_LINE", 1000)

REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
# The same Redis for all who use it: the layer, the cache, Celery and /readyz.
REDIS = redis_url.parse(REDIS_URL)
# Servers for the layer alone, which share its groups; none: the layer uses REDIS.
REDIS_LAYER = redis_url.parse_all(env.str("REDIS_LAYER_URLS", ""), "REDIS_LAYER_URLS")

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "realtime.layer.Layer",
        "CONFIG": {
            # Channels of Redis are the same in all its databases.
            "prefix": env.str("LAYER_PREFIX", f"shop{REDIS.db or ''}"),
            "hosts": [
                # redis-py's own read timeout of 5 s would end idle subscriptions; a
                # connection that broke while it was idle gets a second try at once.
                server.layer_host(
                    socket_timeout=None,
                    socket_connect_timeout=2,
                    retry=Retry(NoBackoff(), 1),
                )
                for server in REDIS_LAYER or [REDIS]
            ],
        },
    }
}

CACHES = {
    "default": {
        "BACKEND": "project.cache.ForgivingCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "shop",
        "VERSION": 1,  # another one when what is kept changes its meaning
        "OPTIONS": {
            "CONNECTION_FACTORY": "project.cache.Connections",
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
            # No second try: redis-py would wait four times for a Redis that hangs.
            # (Connections that broke while they were idle it finds by itself.)
            "CONNECTION_POOL_KWARGS": {"retry": redis.retry.Retry(NoBackoff(), 0)},
            # Who can write to Redis must not be able to run code here, as by pickle.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        },
    },
    # Which thumbnails exist is known to their storage alone: a Redis that outlives it
    # would say "made already" for ever.
    "thumbnails": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
}
SESSION_ENGINE = "project.sessions"

# --- Celery -----------------------------------------------------------------------

CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = REDIS.broker_url, REDIS.broker_tls
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A task that its worker never acknowledged is given to another after so long:
    # later than any task may take, or it would run twice.
    "visibility_timeout": 600,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    **REDIS.broker_options,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# These wait, as long as it takes, for a Redis that refuses.
CELERY_WORKER_CONSUMER = "project.broker:Consumer"
CELERY_BEAT_SCHEDULER = "project.broker:Scheduler"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
# Every task may run twice without harm; one that was cut off runs again.
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_REDIRECT_STDOUTS = False  # mails on the console are not log lines
CELERY_TIMEZONE = "UTC"
# A worker takes from all of them; `--queues mail` makes one that only delivers.
DEFAULT_QUEUE, MAIL_QUEUE, CACHE_QUEUE = "default", "mail", "cache"
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name)
    for name in (DEFAULT_QUEUE, MAIL_QUEUE, CACHE_QUEUE)
]
CELERY_TASK_DEFAULT_QUEUE = DEFAULT_QUEUE
CELERY_TASK_ROUTES = {
    "project.mail.tasks.deliver_mail": {"queue": MAIL_QUEUE},
    "project.mail.tasks.sweep_outbox": {"queue": MAIL_QUEUE},
    "project.mail.tasks.clean_outbox": {"queue": MAIL_QUEUE},
    "products.pagecache.invalidation.drop_products": {"queue": CACHE_QUEUE},
    "products.pagecache.invalidation.drop_everything": {"queue": CACHE_QUEUE},
}
OUTBOX_SWEEP_S = env.float("OUTBOX_SWEEP_S", 10, least=0.1)
HOLD_SWEEP_S = env.float("HOLD_SWEEP_S", 5, least=0.1)
# A worker says so often that it is alive; it counts as dead after three times that.
WORKER_HEARTBEAT_S = env.float("WORKER_HEARTBEAT_S", 10, least=0.1)
CELERY_BEAT_SCHEDULE = {
    "sweep-outbox": {
        "task": "project.mail.tasks.sweep_outbox",
        "schedule": OUTBOX_SWEEP_S,
        "options": {"expires": OUTBOX_SWEEP_S},  # none pile up while no worker runs
    },
    "clean-outbox": {
        "task": "project.mail.tasks.clean_outbox",
        "schedule": 60 * 60 * 24,
    },
    "delete-unused-files": {
        "task": "project.tasks.delete_unused_files",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "retry-refunds": {
        "task": "products.tasks.retry_refunds",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "close-payments": {
        "task": "products.tasks.close_payments",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "forget-old-events": {
        "task": "products.tasks.forget_old_events",
        "schedule": 60 * 60 * 24,
    },
    "forget-limits": {
        "task": "products.tasks.forget_limits",
        "schedule": 60 * 60,
    },
    "release-lapsed-holds": {
        "task": "products.tasks.release_lapsed_holds",
        "schedule": HOLD_SWEEP_S,
        "options": {"expires": HOLD_SWEEP_S},
    },
    "expire-orders": {
        "task": "products.tasks.expire_orders",
        "schedule": HOLD_SWEEP_S,
        "options": {"expires": HOLD_SWEEP_S},
    },
    "tell-waiting": {
        "task": "products.tasks.tell_waiting",
        "schedule": HOLD_SWEEP_S,
        "options": {"expires": HOLD_SWEEP_S},
    },
    "warn-of-low-stock": {
        "task": "products.tasks.warn_of_low_stock",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "forget-stale-baskets": {
        "task": "products.tasks.forget_stale_baskets",
        "schedule": 60 * 60,
    },
    "forget-old-thumbnails": {
        "task": "products.tasks.forget_old_thumbnails",
        "schedule": 60 * 60 * 24,
    },
    "make-missing-thumbnails": {
        "task": "products.tasks.make_missing_thumbnails",
        "schedule": 60 * 60 * 24,
    },
    "erase-departed": {
        "task": "products.tasks.erase_departed",
        "schedule": 60 * 60 * 24,
    },
    "relearn-words": {
        "task": "products.search.services.relearn",
        "schedule": 60 * 60 * 24,
    },
    "check-the-books": {"task": "products.tasks.check_books", "schedule": 60 * 60},
    "clear-sessions": {"task": "users.tasks.clear_sessions", "schedule": 60 * 60 * 24},
    "forget-old-links": {
        "task": "users.tasks.forget_old_links",
        "schedule": 60 * 60 * 24,
    },
}

# --- People -----------------------------------------------------------------------

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

# --- OAuth 2.0 --------------------------------------------------------------------

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

# --- Language, time, money --------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
TIME_ZONE = "UTC"
USE_I18N = USE_TZ = True

# --- Static files and pictures ----------------------------------------------------

STATIC_URL = f"{BASE_PATH}static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(LOCAL_DIR / "static")))
MEDIA_URL = f"{BASE_PATH}media/"
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(LOCAL_DIR / "media")))
# A web server in front serves the pictures; on one's own machine the shop does. Those
# in a bucket are fetched from there.
SERVE_MEDIA = env.bool("SERVE_MEDIA", DEBUG)
STORAGES = {
    "default": {"BACKEND": "project.storage.FolderStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "project.storage.HashedStaticFilesStorage"
        )
    },
}
MEDIA_BUCKET = bucket.from_environment(may_be_plain=INSECURE_COOKIES)
if MEDIA_BUCKET:
    SERVE_MEDIA = False
    MEDIA_URL = MEDIA_BUCKET.url
    STORAGES["default"] = {
        "BACKEND": "project.bucket_storage.BucketStorage",
        "OPTIONS": MEDIA_BUCKET.options,
    }
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"].append(MEDIA_BUCKET.source)
# Thumbnails are made when a picture is saved; a page never looks for them.
IMAGEKIT_DEFAULT_CACHEFILE_STRATEGY = "products.catalogue.thumbnails.MadeOnSave"
IMAGEKIT_SPEC_CACHEFILE_NAMER = "products.catalogue.thumbnails.named"
IMAGEKIT_CACHE_BACKEND = "thumbnails"

# --- The shop ---------------------------------------------------------------------

SHOP_NAME = "Tidewater"
CURRENCY = "EUR"  # ISO 4217
CURRENCY_SYMBOL = "€"
PRODUCTS_PER_PAGE = 24
PRICE_BANDS = [25, 50, 100, 250]  # where one ends and the next begins, in filters
RELATED_PRODUCTS = 4  # neighbours on a product's page: the newest of its category
# Pages and pieces of the catalogue are kept for so long at most, should no worker say
# that they are out of date; 0 keeps none.
CATALOGUE_MAX_AGE_S = env.float("CATALOGUE_MAX_AGE_S", 0 if DEBUG else 30)
IMPORT_MAX_ROWS = env.int("IMPORT_MAX_ROWS", 50_000, least=1)
# Uploads wait here until somebody has seen what they would do.
STORAGES["imports"] = {
    "BACKEND": "project.database_storage.DatabaseStorage",
    "OPTIONS": {"folder": "imports"},
}


def checked_address(name: str, text: str) -> str:
    """The e-mail address in a variable. Raises `ImproperlyConfigured` for one that no
    mail could be sent to."""
    try:
        return recipient(text)
    except ValidationError as error:
        raise ImproperlyConfigured(
            f"{name}: {error.params['value']!r} is not one e-mail address."
        ) from error


# Which modules keep something of people: `project.personal` says how they tell.
PERSONAL_DATA = ["products.personal", "users.personal", "project.mail.letters"]
# Tax law asks for invoices, with name and address, so long; in Germany eight years,
# elsewhere up to ten.
INVOICE_YEARS = env.int("INVOICE_YEARS", 10, most=100)


# Who hears of what by mail: nobody, unless told. An item is an address, which hears of
# what runs low, or `event:address`.
STAFF_EVENTS = ("low", "orders")


def staff_alerts(name: str) -> dict[str, list[str]]:
    """Event → the addresses that hear of it. Raises `ImproperlyConfigured`."""
    alerts: dict[str, list[str]] = {event: [] for event in STAFF_EVENTS}
    for item in env.list(name, default=[]):
        before, _colon, address = item.rpartition(":")
        event = before.strip() or "low"
        if event not in alerts:
            known = ", ".join(alerts)
            raise ImproperlyConfigured(f"{name}: {event!r} is none of {known}.")
        alerts[event].append(checked_address(name, address))
    return {event: list(dict.fromkeys(found)) for event, found in alerts.items()}


STAFF_ALERTS = staff_alerts("STAFF_ALERTS")
ORDERS_PER_PAGE = 20
# Who waits for a product reads of it on the open page; after so long by mail.
WAITING_PATIENCE_S = env.int("WAITING_PATIENCE_S", 10)
WAITING_PER_ADDRESS = 20  # products that one e-mail address may wait for
LOW_STOCK = 5  # at or below it the badge says "Only 3 left"
BASKET_LINE_LIMIT = env.int("BASKET_LINE_LIMIT", 20, least=1)  # of one product
BASKET_LINES_LIMIT = env.int("BASKET_LINES_LIMIT", 100, least=1)  # different products
# Checkout holds the units so long; each step prolongs it, up to so long altogether.
HOLD_MINUTES = env.float("HOLD_MINUTES", 10, least=0.01)
HOLD_MINUTES_AT_MOST = env.float("HOLD_MINUTES_AT_MOST", 30, least=0.01)
HOLD_PAUSE_MINUTES = env.float("HOLD_PAUSE_MINUTES", 15)  # then, before the next hold
# What follows limits visitors without an account; 0 is no limit, and a visitor on this
# very machine has none. Holds of one product in an hour that led to no order, by others
# of the same network:
HOLDS_PER_NETWORK = env.int("HOLDS_PER_NETWORK", 5)
# Orders of guests for one e-mail address or session; for one network.
GUEST_ORDERS_PER_HOUR = env.int("GUEST_ORDERS_PER_HOUR", 5)
GUEST_ORDERS_PER_DAY = env.int("GUEST_ORDERS_PER_DAY", 10)  # for one e-mail address
GUEST_ORDERS_PER_NETWORK = env.int("GUEST_ORDERS_PER_NETWORK", 30)  # in an hour
# Orders of guests that hold units and are not paid.
GUEST_OPEN_ORDERS_PER_EMAIL = env.int("GUEST_OPEN_ORDERS_PER_EMAIL", 3)
GUEST_OPEN_ORDERS_PER_ADDRESS = env.int("GUEST_OPEN_ORDERS_PER_ADDRESS", 5)
GUEST_OPEN_ORDERS_PER_NETWORK = env.int("GUEST_OPEN_ORDERS_PER_NETWORK", 10)
# A guest's order on delivery must be confirmed by the link in its mail within so long,
# else it expires; 0 asks for no confirmation.
GUEST_CONFIRM_MINUTES = env.float("GUEST_CONFIRM_MINUTES", 0)
PAYMENT_MINUTES = env.float(
    "PAYMENT_MINUTES", 30, least=0.01
)  # to pay what is not on delivery
STALE_BASKET_DAYS = env.int("STALE_BASKET_DAYS", 60, least=1, most=36_500)

# --- Payments ---------------------------------------------------------------------

# Cards by Stripe Checkout once both are set; without them one pays on delivery.
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
if bool(STRIPE_SECRET_KEY) != bool(STRIPE_WEBHOOK_SECRET):
    raise ImproperlyConfigured(
        "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET go together: without the second"
        " the shop would never hear that somebody has paid."
    )
STRIPE_API_BASE = env.url("STRIPE_API_BASE")  # another server, for tests
STRIPE_TIMEOUT = env.float(
    "STRIPE_TIMEOUT", 8, least=0.1
)  # seconds, for each of its answers
# What it told is kept so long: longer than it may be told again, which is 30 days.
WEBHOOK_EVENT_DAYS = env.int("WEBHOOK_EVENT_DAYS", 90, least=30, most=36_500)

# --- Mail -------------------------------------------------------------------------

# Whatever the shop sends is written to the outbox, in the transaction of its cause. A
# worker delivers it from there: by SMTP, or onto its console while there is no host.
EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
EMAIL_HOST = env.host("EMAIL_HOST")
EMAIL_PORT = env.int(
    "EMAIL_PORT", 465 if env.bool("EMAIL_USE_SSL", False) else 587, least=1, most=65_535
)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
# TLS from the first byte, which is usual on port 465, or STARTTLS, usual on 587. A
# server inside one's own network may do without, on port 25.
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", EMAIL_PORT == 465)
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", EMAIL_PORT == 587)
if EMAIL_USE_SSL and EMAIL_USE_TLS:
    raise ImproperlyConfigured(
        f"EMAIL_USE_SSL (TLS from the first byte) and EMAIL_USE_TLS (STARTTLS) exclude"
        f" each other; port {EMAIL_PORT} decides when only one of them is set."
    )
EMAIL_TIMEOUT = env.float(
    "EMAIL_TIMEOUT", 10, least=0.1
)  # seconds, for each answer of the server


def mail_domain(url: str) -> str:
    """The part behind the @ for a shop at `url`; an IP address takes brackets."""
    host = urlsplit(url).hostname or "localhost"
    is_number = ":" in host or host.replace(".", "").isdigit()
    return f"[{host}]" if is_number else host


def sender(name: str, default: str) -> str:
    """One address, with or without a name, for a mail's From. Raises
    `ImproperlyConfigured`: with another one the outbox would refuse every mail."""
    text = env.str(name, default)
    try:
        validate_email(parseaddr(text)[1])
    except ValidationError as error:
        told = f"{name}: {text!r} is not one e-mail address."
        if not env.str(name, ""):
            told += f" It was made of DOMAIN_NAME; set {name}."
        raise ImproperlyConfigured(told) from error
    return text


DEFAULT_FROM_EMAIL = sender(
    "DEFAULT_FROM_EMAIL", f"{SHOP_NAME} <shop@{mail_domain(DOMAIN_NAME)}>"
)
SERVER_EMAIL = sender("SERVER_EMAIL", DEFAULT_FROM_EMAIL)
# The first retry comes after about so long, each further one after twice that, at most
# an hour; after 80 tries, which take three days, a mail has failed.
OUTBOX_RETRY_S = env.float("OUTBOX_RETRY_S", 30, least=0.1)
OUTBOX_TRIES = env.int("OUTBOX_TRIES", 80, least=1)
POST_OFFICE = {
    "BACKENDS": {
        "default": (
            "project.mail.backends.SmtpBackend"
            if EMAIL_HOST
            else "project.mail.backends.ConsoleBackend"
        )
    },
    "CELERY_ENABLED": False,  # project.mail.tasks delivers
    "FILE_STORAGE": "mail",
}
STORAGES["mail"] = {
    "BACKEND": "project.database_storage.DatabaseStorage",
    "OPTIONS": {"folder": "mail"},
}

# --- Live updates -----------------------------------------------------------------

LIVE = {
    "TICK_MS": 50,  # one frame an audience a tick
    "HEARTBEAT_S": env.float("LIVE_HEARTBEAT_S", 15, least=0.1),
    "AUDIT_S": env.float(
        "LIVE_AUDIT_S", 3, least=0.1
    ),  # compare with the database, heal losses
    "PROBE_S": env.float(
        "LIVE_PROBE_S", 1, least=0.1
    ),  # a message to itself through Redis
    "LINGER_S": env.float(
        "LIVE_LINGER_S", 10, least=0.1
    ),  # keep an unwatched topic for so long
    "MAX_TOPICS": 64,
    "MAX_FRAME_BYTES": 4096,
    "MAX_FRAMES": 20,  # in FRAMES_WINDOW_S
    "FRAMES_WINDOW_S": 10,
    # In FRAMES_WINDOW_S, pings, pongs and parts of messages included.
    "MAX_BYTES": 2**20,
    "MAX_PARTS": 100,
    # A socket that takes nothing for so long while something waits for it is cut.
    "SLOW_S": env.float("LIVE_SLOW_S", 60, least=0.1),
    # How many sockets a process takes; of one address (an office, a phone network),
    # of one person or session; how many may wait for their first answer from us; and
    # how many of one address may have none yet, whoever it is that waits.
    "SOCKETS": env.int("LIVE_SOCKETS", 20_000, least=1),
    "SOCKETS_PER_ADDRESS": env.int("LIVE_SOCKETS_PER_ADDRESS", 1_000, least=1),
    "SOCKETS_PER_PERSON": env.int("LIVE_SOCKETS_PER_PERSON", 50, least=1),
    "HANDSHAKES": env.int("LIVE_HANDSHAKES", 1_000, least=1),
    "NEW_PER_ADDRESS": env.int("LIVE_NEW_PER_ADDRESS", 250, least=1),
    # A socket that has not asked for anything by then is closed.
    "SILENT_S": env.float("LIVE_SILENT_S", 15, least=0.1),
    # When a process is stopped: say so at /readyz for so long, and then take at most
    # so long to say goodbye to sockets, and again to answer the last pages.
    "NOTICE_S": env.float("LIVE_NOTICE_S", 0),
    "DRAIN_S": env.float("LIVE_DRAIN_S", 4),
    # Pages of other origins may not open sockets; http://host:port, as browsers say.
    "ORIGINS": env.origins("LIVE_ORIGINS", default=[]),
}

# --- Metrics ----------------------------------------------------------------------

# Who asks for /metrics with it as a bearer token gets them. Without one only programs
# on this machine do, and none that came through a proxy.
METRICS_TOKEN = env.token("METRICS_TOKEN")

# --- Errors and traces ------------------------------------------------------------

# Both are off unless set, and take deploy/requirements-monitoring.txt.
SENTRY_DSN = reporting.sentry_dsn(env.str("SENTRY_DSN", ""))
SENTRY_TRACES_SAMPLE_RATE = reporting.sample_rate(
    "SENTRY_TRACES_SAMPLE_RATE", env.str("SENTRY_TRACES_SAMPLE_RATE", "0")
)
IS_OTEL_ON = reporting.is_otel_on()
IS_TRACED = IS_OTEL_ON or bool(SENTRY_DSN)

# --- Logging ----------------------------------------------------------------------

# What follows such a beginning of a path is a key: no log line, error or trace shows
# it. deploy/nginx/shop-http.conf has the same ones.
SECRET_PATHS = [
    "/users/password/reset/key/",
    "/users/confirm-email/",
    "/orders/confirm/",
    "/tell-me/stop/",
]
LOG_FORMAT = env.one_of("LOG_FORMAT", "text", "text", "json")
LOG_LEVEL = env.one_of(
    "LOG_LEVEL", "INFO", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"
)
LOG_REQUESTS = env.bool("LOG_REQUESTS", LOG_FORMAT == "json")  # a line for each
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # An outage of Redis or the database is one line.
    "filters": {
        "layer": {"()": "realtime.outages.NotAnOutage"},
        "redis": {"()": "realtime.outages.OneLine"},
        "database": {"()": "project.outages.OneLine"},
    },
    "formatters": {
        "text": {
            "()": "project.logs.line",
            "format": "%(levelname)s %(name)s: %(message)s",
        },
        "json": {"()": "project.logs.Json"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["database", "redis"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # Anybody can ask for a host that is not ours; it need not fill the log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django_redis": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},  # else two lines for each request
        "channels_redis.pubsub": {"filters": ["layer"]},
        # Its own handler would print tracebacks with recipients in them.
        "post_office": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        # A receiver that is away is told in one line, by project.otel and .sentry.
        "opentelemetry": {"level": "ERROR"},
        "opentelemetry.exporter": {"level": "CRITICAL"},
        "urllib3": {"level": "ERROR"},
    },
}

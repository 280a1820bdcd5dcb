"""One settings file; the environment decides.

`make run` writes `.local/env` with the addresses of the servers it started, so that
a second terminal (`manage.py shell`) finds them. Variables of the environment win.
"""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import environ
from django.utils.translation import gettext_lazy as _
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
LOCAL_DIR = Path(env.str("SHOP_LOCAL_DIR", str(BASE_DIR / ".local")))
if (LOCAL_DIR / "env").is_file():
    environ.Env.read_env(LOCAL_DIR / "env")

# --- Security ---------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DOMAIN_NAME = env.str("DOMAIN_NAME", "http://localhost:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[DOMAIN_NAME])

# Plain http on one's own machine is the only case for INSECURE_COOKIES.
INSECURE_COOKIES = env.bool("INSECURE_COOKIES", DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = not INSECURE_COOKIES
SECURE_HSTS_SECONDS = 0 if INSECURE_COOKIES else 60 * 60 * 24 * 365
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_COOKIES
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Applications -----------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # first: its runserver serves the sockets too
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.sitemaps",
    "django.contrib.humanize",
    "imagekit",
    "users",
    "products",
    "realtime",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

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

# --- PostgreSQL and Redis ---------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# A Unix socket's folder comes as ?host=…; where Django looks for it, dbshell does too.
if host := DATABASES["default"].get("OPTIONS", {}).pop("host", ""):
    DATABASES["default"]["HOST"] = host
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")


def celery_broker(url: str) -> str:
    """The Redis URL as Celery spells it: a Unix socket takes another scheme."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    db = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={db}"


CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "prefix": env.str("LAYER_PREFIX", "shop"),
            "hosts": [
                # redis-py's own read timeout of 5 s would end idle subscriptions; a
                # connection that broke while it was idle gets a second try at once.
                {
                    "address": REDIS_URL,
                    "socket_timeout": None,
                    "socket_connect_timeout": 2,
                    "retry": Retry(NoBackoff(), 1),
                }
            ],
        },
    }
}

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "shop",
        "OPTIONS": {
            "IGNORE_EXCEPTIONS": True,
            "LOG_IGNORED_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
        },
    },
    # Which thumbnails exist is known to the folder alone: a Redis that outlives it
    # would say "made already" for ever.
    "thumbnails": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
}

# --- Celery -----------------------------------------------------------------------

CELERY_BROKER_URL = celery_broker(REDIS_URL)
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_ACKS_LATE = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {
    "forget-stale-baskets": {
        "task": "products.tasks.forget_stale_baskets",
        "schedule": 60 * 60,
    },
    "check-the-books": {"task": "products.tasks.check_books", "schedule": 60 * 60},
    "clear-sessions": {"task": "users.tasks.clear_sessions", "schedule": 60 * 60 * 24},
}

# --- People -----------------------------------------------------------------------

AUTH_USER_MODEL = "users.User"
LOGIN_URL = "users:login"
LOGIN_REDIRECT_URL = "products:index"
LOGOUT_REDIRECT_URL = "products:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Language, time, money --------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
TIME_ZONE = "UTC"
USE_I18N = USE_TZ = True

# --- Static files and pictures ----------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(LOCAL_DIR / "static")))
MEDIA_URL = "media/"
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(LOCAL_DIR / "media")))
# A web server in front serves the pictures; on one's own machine the shop does.
SERVE_MEDIA = env.bool("SERVE_MEDIA", DEBUG)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "project.storage.HashedStaticFilesStorage"
        )
    },
}
# Thumbnails are made when a picture is saved; a page never looks for them on disk.
IMAGEKIT_DEFAULT_CACHEFILE_STRATEGY = "products.thumbnails.MadeOnSave"
IMAGEKIT_CACHE_BACKEND = "thumbnails"

# --- The shop ---------------------------------------------------------------------

SHOP_NAME = "Tidewater"
CURRENCY = "EUR"  # ISO 4217
CURRENCY_SYMBOL = "€"
PRODUCTS_PER_PAGE = 24
LOW_STOCK = 5  # at or below it the badge says "Only 3 left"
BASKET_LINE_LIMIT = env.int("BASKET_LINE_LIMIT", 20)  # of one product
BASKET_LINES_LIMIT = env.int("BASKET_LINES_LIMIT", 100)  # different products
STALE_BASKET_DAYS = env.int("STALE_BASKET_DAYS", 60)

# --- Live updates -----------------------------------------------------------------

LIVE = {
    "TICK_MS": 50,  # one frame an audience a tick
    "HEARTBEAT_S": env.float("LIVE_HEARTBEAT_S", 15),
    "AUDIT_S": env.float("LIVE_AUDIT_S", 5),  # compare with the database, heal losses
    "PROBE_S": env.float("LIVE_PROBE_S", 1),  # a message to itself through Redis
    "LINGER_S": env.float("LIVE_LINGER_S", 10),  # keep an unwatched topic for so long
    "MAX_TOPICS": 64,
    "MAX_FRAME_BYTES": 4096,
    "MAX_FRAMES": 20,  # in FRAMES_WINDOW_S
    "FRAMES_WINDOW_S": 10,
    # Pages of other origins may not open sockets; http://host:port, as browsers say.
    "ORIGINS": env.list("LIVE_ORIGINS", default=[]),
}

# --- Logging ----------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # A Redis that is away is told in one line, by the hub.
    "filters": {"outages": {"()": "realtime.outages.NotAnOutage"}},
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "django_redis": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "channels_redis.pubsub": {"filters": ["outages"]},
    },
}

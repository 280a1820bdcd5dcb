"""The settings, most of them from environment variables.

Parts with many settings keep them in their own modules: accounts in `users.settings`,
the shop in `products.settings`, mail in `project.mail.settings`.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis
from django.utils.translation import gettext_lazy as _
from kombu import Exchange, Queue
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from products.settings import *  # noqa: F401,F403
from project import bucket, log_settings, redis_url, reporting, schedule, server_urls
from project.base_settings import BASE_DIR, DEBUG, LOCAL_DIR, env, site
from project.http import settings as http_settings
from project.keys import checked
from project.mail.settings import *  # noqa: F401,F403
from realtime import settings as live_settings
from users.settings import *  # noqa: F401,F403

# --- Security ---------------------------------------------------------------------

SECRET_KEY = checked(env.str("SECRET_KEY", ""))
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DOMAIN_NAME = site.url
# The path under which all pages are: "/", or "/shop/" if DOMAIN_NAME has that path.
# `project.urls` prefixes all pages with it, so `reverse` and `resolve` work in every
# thread without FORCE_SCRIPT_NAME.
BASE_PATH = site.base_path
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", default=[site.origin])

# INSECURE_COOKIES is only for plain http on a developer's machine.
INSECURE_COOKIES = env.bool("INSECURE_COOKIES", DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = not INSECURE_COOKIES
SECURE_HSTS_SECONDS = 0 if INSECURE_COOKIES else 60 * 60 * 24 * 365
# A shop under a path cannot promise https for the whole domain.
SECURE_HSTS_INCLUDE_SUBDOMAINS = not INSECURE_COOKIES and BASE_PATH == "/"
SECURE_HSTS_PRELOAD = SECURE_HSTS_INCLUDE_SUBDOMAINS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LANGUAGE_COOKIE_SECURE = not INSECURE_COOKIES
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = BASE_PATH
# Browsers accept a __Host- cookie only over https, with the path "/" and without a
# domain. So neither another subdomain nor plain http can set one. A shop under a path
# has cookies of that path, so that two shops on one host do not share them. They get
# the prefix __Secure-, which only requires https.
if INSECURE_COOKIES:
    COOKIE_PREFIX = ""
else:
    COOKIE_PREFIX = "__Host-" if BASE_PATH == "/" else "__Secure-"
# The path is also part of the name. Browsers send cookies of "/" to every path, so the
# pages could otherwise read a cookie of another site that has the same name.
COOKIE_PREFIX += BASE_PATH.removeprefix("/").replace("/", "-")
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
MESSAGES_COOKIE_NAME = f"{COOKIE_PREFIX}messages"
MESSAGE_STORAGE = "project.http.messages.MessageStorage"

# Trust the client address and scheme only from our own proxies. They append to
# X-Forwarded-For, so addresses are counted from its end.
TRUSTED_PROXY_COUNT = 0
if env.bool("BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 1, least=1, most=20)
    ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT

CONTENT_SECURITY_POLICY = http_settings.content_security(site.origin, INSECURE_COOKIES)
PERMISSIONS_POLICY = http_settings.PERMISSIONS


# --- Applications -----------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # first: its runserver serves the sockets too
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "project.static_files.StaticFiles",
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
    "project.replicas.routing.read_own_writes",
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

# Only on a developer's machine. Its styles and scripts are files, so the policy above
# needs no exception.
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
# The largest file for an import in the admin. The command has no limit.
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", 20 * MB, least=1)
HTTP = http_settings.limits(env, BASE_PATH, IMPORT_MAX_BYTES)
# The fields of a form, without its files. Django keeps them in memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = MB
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000  # the grid of 100 variants has 1,500

# --- PostgreSQL and Redis ---------------------------------------------------------

DATABASES = {"default": server_urls.database(env.str("DATABASE_URL"))}
DATABASES["default"].setdefault(
    "CONN_MAX_AGE", env.int("DATABASE_CONN_MAX_AGE", 600)
)  # each thread keeps its connection, because opening one is expensive
if DATABASE_REPLICA_URL := env.str("DATABASE_REPLICA_URL", ""):
    DATABASES["replica"] = server_urls.replica(DATABASE_REPLICA_URL)
    DATABASES["replica"].setdefault(
        "CONN_MAX_AGE", DATABASES["default"]["CONN_MAX_AGE"]
    )
    DATABASE_ROUTERS = ["project.replicas.routing.Router"]
# Replicas that lag more are not used. Visitors who have changed something read the
# primary for a little longer than this.
DATABASE_REPLICA_MAX_LAG_S = env.float(
    "DATABASE_REPLICA_MAX_LAG_S", 5, least=0.1, most=60
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# How many threads of a process render pages, each with its own database connection,
# and how many requests may wait for a thread. Further requests get 503. More threads
# render fewer pages (decision 0029): they share one interpreter with the frames.
HTTP_THREADS = env.int("HTTP_THREADS", 4, least=1, most=1000)
HTTP_QUEUE = env.int("HTTP_QUEUE", 1000)

REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
# The Redis of the layer, the cache, Celery and /readyz.
REDIS = redis_url.parse(REDIS_URL)
# Redis servers for the layer, which share its groups. Without any, it uses REDIS.
REDIS_LAYER = redis_url.parse_all(env.str("REDIS_LAYER_URLS", ""), "REDIS_LAYER_URLS")

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "realtime.layer.Layer",
        "CONFIG": {
            # Pub/sub channels are shared by all databases of a Redis.
            "prefix": env.str("LAYER_PREFIX", f"shop{REDIS.db or ''}"),
            "hosts": [
                # redis-py's read timeout of 5 s would end idle subscriptions. If an
                # idle connection broke, the command is retried at once.
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
        "VERSION": 1,  # raise it when cached values change their meaning
        "OPTIONS": {
            "CONNECTION_FACTORY": "project.cache.Connections",
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
            # No retries: redis-py would wait four times for a Redis that hangs.
            # (It detects idle connections that broke by itself.)
            "CONNECTION_POOL_KWARGS": {"retry": redis.retry.Retry(NoBackoff(), 0)},
            # Not pickle: with it, anyone who can write to Redis could run code here.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        },
    },
    # Only their storage knows which thumbnails exist. A cache that outlives it would
    # say forever that they are made.
    "thumbnails": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
}
SESSION_ENGINE = "project.sessions"

# --- Celery -----------------------------------------------------------------------

CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = REDIS.broker_url, REDIS.broker_tls
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # After this time, a task that was not acknowledged is given to another worker. It
    # must be longer than any task may take.
    "visibility_timeout": 600,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    **REDIS.broker_options,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# These wait until a Redis that refuses commands works again.
CELERY_WORKER_CONSUMER = "project.broker:Consumer"
CELERY_BEAT_SCHEDULER = "project.broker:Scheduler"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
# All tasks are idempotent. One that was interrupted runs again.
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_REDIRECT_STDOUTS = False  # mails on the console are not log lines
CELERY_TIMEZONE = "UTC"
# A worker serves all queues. With `--queues mail`, it only delivers mails.
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
# How often a worker records that it is alive. It counts as dead after three times that.
WORKER_HEARTBEAT_S = env.float("WORKER_HEARTBEAT_S", 10, least=0.1)
CELERY_BEAT_SCHEDULE = schedule.jobs(OUTBOX_SWEEP_S, HOLD_SWEEP_S)

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
# In production, a web server or a bucket serves the pictures. On a developer's machine,
# the shop does.
SERVE_MEDIA = env.bool("SERVE_MEDIA", DEBUG)
STORAGES: dict[str, dict[str, Any]] = {
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

# --- The shop ---------------------------------------------------------------------

# Uploaded imports are stored here until staff have seen the preview.
STORAGES["imports"] = {
    "BACKEND": "project.database_storage.DatabaseStorage",
    "OPTIONS": {"folder": "imports"},
}


# Modules that store personal data; `project.personal` describes their interface.
PERSONAL_DATA = ["products.personal", "users.personal", "project.mail.letters"]


# --- Mail -------------------------------------------------------------------------


STORAGES["mail"] = {
    "BACKEND": "project.database_storage.DatabaseStorage",
    "OPTIONS": {"folder": "mail"},
}

# --- Live updates -----------------------------------------------------------------

LIVE = live_settings.live(env, registry="products.live.registry.registry")

# --- Metrics ----------------------------------------------------------------------

# The bearer token for /metrics. Without a token, only programs on this machine may read
# them, and no request that came through a proxy.
METRICS_TOKEN = env.token("METRICS_TOKEN")

# --- Errors and traces ------------------------------------------------------------

# Both are off by default, and need deploy/requirements-monitoring.txt.
SENTRY_DSN = reporting.sentry_dsn(env.str("SENTRY_DSN", ""))
SENTRY_TRACES_SAMPLE_RATE = reporting.sample_rate(
    "SENTRY_TRACES_SAMPLE_RATE", env.str("SENTRY_TRACES_SAMPLE_RATE", "0")
)
IS_OTEL_ON = reporting.is_otel_on()
IS_TRACED = IS_OTEL_ON or bool(SENTRY_DSN)

# --- Logging ----------------------------------------------------------------------

# A secret key follows these prefixes. It is masked in log lines, errors and traces.
# deploy/nginx/shop-http.conf has the same list.
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
LOGGING = log_settings.logging(LOG_FORMAT, LOG_LEVEL)

"""The settings; the environment decides.

Settings of one part live beside it: accounts in `users.settings`, the shop in
`products.settings`, mail in `project.mail.settings`.
"""

from importlib.util import find_spec
from pathlib import Path

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
HTTP = http_settings.limits(env, BASE_PATH, IMPORT_MAX_BYTES)
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
    DATABASE_ROUTERS = ["project.replicas.routing.Router"]
# A replica that is further behind is not asked; so long, and a little longer, whoever
# has changed something reads the primary.
DATABASE_REPLICA_MAX_LAG_S = env.float(
    "DATABASE_REPLICA_MAX_LAG_S", 5, least=0.1, most=60
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The threads of a process that make pages, each with its own database connection, and
# the requests that may queue for a thread. Further requests get 503. More threads make
# fewer pages (decision 0029): one interpreter makes them all, and the frames, too.
HTTP_THREADS = env.int("HTTP_THREADS", 4, least=1, most=1000)
HTTP_QUEUE = env.int("HTTP_QUEUE", 1000)

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

# --- The shop ---------------------------------------------------------------------

# Uploads wait here until somebody has seen what they would do.
STORAGES["imports"] = {
    "BACKEND": "project.database_storage.DatabaseStorage",
    "OPTIONS": {"folder": "imports"},
}


# Which modules keep something of people: `project.personal` says how they tell.
PERSONAL_DATA = ["products.personal", "users.personal", "project.mail.letters"]


# --- Mail -------------------------------------------------------------------------


STORAGES["mail"] = {
    "BACKEND": "project.database_storage.DatabaseStorage",
    "OPTIONS": {"folder": "mail"},
}

# --- Live updates -----------------------------------------------------------------

LIVE = live_settings.live(env, registry="products.live.registry.registry")

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
LOGGING = log_settings.logging(LOG_FORMAT, LOG_LEVEL)

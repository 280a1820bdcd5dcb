"""Which address shows what."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.contrib.sitemaps import views as sitemaps_views
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView, TemplateView

from products.catalogue.sitemaps import SITEMAPS
from project.countries import CountriesView
from project.http.media import FaviconView, MediaView
from project.transactions import atomic

admin.site.site_url = settings.BASE_PATH
admin.site.site_header = admin.site.site_title = settings.SHOP_NAME
# Staff sign in as everybody does: with the same limits, and with their second factor.
# The admin's own form would still take a POST of somebody else's name and password.
setattr(admin.site, "login", secure_admin_login(require_safe(admin.site.login)))

handler429 = "project.http.errors.too_many_requests"
handler500 = "project.outages.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("products.urls")),
    path("staff/", include("products.staff_urls")),
    path("users/", include("users.urls")),
    path("users/", include(atomic("allauth.urls"))),
    path(
        "admin/password_change/",
        RedirectView.as_view(pattern_name="account_change_password"),
    ),
    path("admin/", admin.site.urls),
    path(
        "sitemap.xml",
        sitemaps_views.index,
        {"sitemaps": SITEMAPS, "sitemap_url_name": "sitemap-section"},
        name="sitemap",
    ),
    path(
        "sitemap-<section>.xml",
        sitemaps_views.sitemap,
        {"sitemaps": SITEMAPS},
        name="sitemap-section",
    ),
    path("countries.json", CountriesView.as_view(), name="countries"),
    path("favicon.ico", FaviconView.as_view()),
    path(
        "robots.txt",
        TemplateView.as_view(
            template_name="robots.txt",
            content_type="text/plain",
            extra_context={
                "domain": settings.DOMAIN_NAME,
                "base_path": settings.BASE_PATH,
            },
        ),
        name="robots",
    ),
]

if settings.SERVE_MEDIA:
    urlpatterns.append(path("media/<path:path>", MediaView.as_view(), name="media"))

if settings.DEBUG_TOOLBAR:
    urlpatterns.append(path("__debug__/", include("debug_toolbar.urls")))

# The path of DOMAIN_NAME comes before all of them.
urlpatterns = [path(settings.BASE_PATH.removeprefix("/"), include(urlpatterns))]

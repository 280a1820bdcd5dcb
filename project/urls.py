"""Which address shows what."""

from django.conf import settings
from django.contrib import admin
from django.contrib.sitemaps import views as sitemaps_views
from django.urls import include, path
from django.views.generic import TemplateView

from products.sitemaps import SITEMAPS
from project.media import FaviconView, MediaView

admin.site.site_header = admin.site.site_title = settings.SHOP_NAME

urlpatterns = [
    path("", include("products.urls")),
    path("users/", include("users.urls")),
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
    path("favicon.ico", FaviconView.as_view()),
    path(
        "robots.txt",
        TemplateView.as_view(
            template_name="robots.txt",
            content_type="text/plain",
            extra_context={"domain": settings.DOMAIN_NAME},
        ),
        name="robots",
    ),
]

if settings.SERVE_MEDIA:
    urlpatterns.append(path("media/<path:path>", MediaView.as_view(), name="media"))

"""allauth's addresses, and its names lead here, with views that come first."""

from django.urls import path, re_path

from users.oauth import views
from users.oauth.providers import GitHub, Google, OpenIDConnect

GITHUB = {"adapter_class": GitHub}
GOOGLE = {"adapter_class": Google}
OIDC = {"adapter_class": OpenIDConnect, "provider_id": "sso"}  # as in the settings

urlpatterns = [
    path("github/login/", views.start, GITHUB),
    path("github/login/callback/", views.callback, GITHUB),
    path("google/login/", views.start, GOOGLE),
    path("google/login/callback/", views.callback, GOOGLE),
    path("oidc/sso/login/", views.start, OIDC),
    path("oidc/sso/login/callback/", views.callback, OIDC),
    re_path(r"^(?:github|google|oidc)/", views.not_there),
]

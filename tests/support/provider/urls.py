from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("", include("allauth.idp.urls")),
    path("accounts/", include("allauth.urls")),
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]

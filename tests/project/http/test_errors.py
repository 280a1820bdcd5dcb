"""When something is not there, not allowed or broken, the shop still looks like one."""

import logging

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest
from django.test import Client
from django.urls import include, path


def fails(request: HttpRequest):
    raise RuntimeError("secret detail")


def forbids(request: HttpRequest):
    raise PermissionDenied


def suspects(request: HttpRequest):
    raise SuspiciousOperation


urlpatterns = [
    path("fails/", fails),
    path("forbids/", forbids),
    path("suspects/", suspects),
    path("", include("project.urls")),
]


@pytest.fixture
def visitor(settings):
    settings.ROOT_URLCONF = __name__
    settings.SERVE_MEDIA = False
    logging.getLogger("django.request").disabled = True
    yield Client(raise_request_exception=False)
    logging.getLogger("django.request").disabled = False


def test_page_that_fails_answers_500_in_the_shops_dress_without_the_detail(visitor):
    response = visitor.get("/fails/")

    assert response.status_code == 500
    assert "Something went wrong" in response.text
    assert "masthead" in response.text
    assert "secret" not in response.text


def test_page_500_needs_no_database(visitor, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        visitor.get("/fails/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address, status, text",
    [
        ("/nowhere/", 404, "Page not found"),
        ("/forbids/", 403, "You can’t open this page"),
        ("/suspects/", 400, ""),
    ],
)
def test_page_that_is_not_shown_says_why(visitor, address, status, text):
    response = visitor.get(address)

    assert response.status_code == status
    assert text in response.text
    assert "masthead" in response.text


@pytest.mark.django_db
def test_post_without_a_token_says_so_in_the_shops_dress():
    visitor = Client(enforce_csrf_checks=True)

    response = visitor.post("/users/logout/")

    assert response.status_code == 403
    assert "masthead" in response.text


@pytest.mark.django_db
def test_page_of_a_refusal_that_breaks_is_500_and_its_cause_is_logged(
    visitor, settings, tmp_path, caplog
):
    (tmp_path / "404.html").write_text("{% url 'what-broke' %}")
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [engine | {"DIRS": [tmp_path, *engine["DIRS"]]}]

    response = visitor.get("/nowhere/")

    assert response.status_code == 500
    (record,) = [r for r in caplog.records if r.name == "project.http.errors"]
    assert "/nowhere/" in record.getMessage()
    assert "what-broke" in str(record.exc_info[1])


@pytest.mark.django_db
def test_page_of_a_refusal_that_is_whole_logs_no_cause(visitor, caplog):
    visitor.get("/nowhere/")

    assert [r for r in caplog.records if r.name == "project.http.errors"] == []

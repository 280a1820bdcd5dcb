"""Models live in the folders of their domains; migrations do not notice."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

MODELS = list(apps.get_app_config("products").get_models())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_model_has_the_label_and_the_table_of_the_app(model):
    package, _domain, module, *_part = model.__module__.split(".")

    assert (package, module) == ("products", "models")
    assert model._meta.app_label == "products"
    assert model._meta.db_table == f"products_{model.__name__.lower()}"


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["products", "project", "users"])
def test_models_of_an_app_need_no_new_migration(app):
    known = MigrationLoader(connection).project_state()
    now = ProjectState.from_apps(apps)

    changes = MigrationAutodetector(known, now)._detect_changes(
        convert_apps={"products", "project", "users"}
    )

    assert [
        operation.describe()
        for migration in changes.get(app, [])
        for operation in migration.operations
    ] == []

"""What the settings make of the environment."""

from project.celery import app
from project.views import absolute


def test_tasks_that_beat_sends_exist():
    app.loader.import_default_modules()

    planned = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert planned
    assert planned <= set(app.tasks)


def test_absolute_of_a_path_is_under_the_shops_domain(settings):
    settings.DOMAIN_NAME = "https://shop.example"

    assert absolute("/basket/") == "https://shop.example/basket/"

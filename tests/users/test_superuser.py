"""The command `createsuperuser`."""

import pytest
from django.core.management import CommandError, call_command

from users.models import User

pytestmark = pytest.mark.django_db


def test_superuser_with_an_address_that_could_be_split_is_refused(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-long-pass-phrase")
    email = '"x,victim@example.org,y"@example.com'

    with pytest.raises(CommandError, match="Enter one email address"):
        call_command("createsuperuser", interactive=False, username="a", email=email)

    assert not User.objects.exists()

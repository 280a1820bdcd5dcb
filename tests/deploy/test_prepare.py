"""What is done before the shop opens."""

import prepare
import pytest
from django.core.management import CommandError
from django.db import connection


@pytest.mark.django_db
def test_database_from_before_the_first_release_is_refused_and_says_what_to_do():
    prepare.check_columns()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE users_session DROP COLUMN user_id")

    with pytest.raises(CommandError, match=r"no users_session\.user_id.*make clean"):
        prepare.check_columns()

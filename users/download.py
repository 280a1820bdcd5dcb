"""The download of all personal data of an account."""

from collections.abc import Iterator

from django.core.serializers.json import DjangoJSONEncoder

from project.personal import LIMIT, keepers, proven_addresses
from users.models import User

ENCODER = DjangoJSONEncoder(indent=2, ensure_ascii=False)


def as_json(user: User) -> Iterator[str]:
    """Yield the text of a JSON object, a section at a time.

    A section has at most `LIMIT` rows. Only one is in memory at a time.
    """
    emails = proven_addresses(user)
    yield "{\n"
    yield f'"rows_of_a_section_at_most": {LIMIT}'
    for keeper in keepers():
        for section in keeper.SECTIONS:
            rows = ENCODER.encode(section.rows(user, emails))
            yield f",\n{ENCODER.encode(section.name)}: {rows}"
    yield "\n}\n"

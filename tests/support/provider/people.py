"""Who has an account at the provider; the password of all is "password"."""

from typing import NamedTuple


class Person(NamedTuple):
    username: str
    first_name: str
    last_name: str
    verified: bool = True

    @property
    def email(self) -> str:
        return f"{self.username}@provider.example"


NADIA = Person("nadia", "Nadia", "Comăneci")
UMA = Person("uma", "Uma", "Unverified", verified=False)
EVERYBODY = [NADIA, UMA]

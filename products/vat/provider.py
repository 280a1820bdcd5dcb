"""The interface of a provider that checks VAT numbers, and VIES."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import requests

VIES = "https://ec.europa.eu/taxation_customs/vies/rest-api"


class Verdict(Enum):
    """What a provider says about a VAT number."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class Provider(Protocol):
    """Checks whether a business has a VAT number."""

    def check(self, number: str) -> Verdict:
        """Return what is known about a number. It never raises."""


@dataclass(frozen=True, slots=True)
class Vies:
    """The VAT Information Exchange System of the European Commission."""

    address: str = VIES
    timeout: float = 10

    def check(self, number: str) -> Verdict:
        """Return what the member state of the number says."""
        try:
            response = requests.post(
                f"{self.address}/check-vat-number",
                json={"countryCode": number[:2], "vatNumber": number[2:]},
                timeout=self.timeout,
                allow_redirects=False,
            )
            answer = response.json()
        except (requests.RequestException, ValueError):
            return Verdict.UNREACHABLE
        return _verdict(answer) if response.status_code == 200 else Verdict.UNREACHABLE


def _verdict(answer: Any) -> Verdict:
    """Return the verdict in an answer. Errors come with the status 200 too."""
    valid = answer.get("valid") if isinstance(answer, dict) else None
    if valid is True:
        return Verdict.ACCEPTED
    is_error = valid is not False or answer.get("userError", "INVALID") != "INVALID"
    return Verdict.UNREACHABLE if is_error else Verdict.REFUSED

"""What authenticator apps and passkeys learn about the shop, and may answer."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator

from tests.support.factories import make_shopper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def address(settings) -> None:
    settings.DOMAIN_NAME = "https://shop.example:8443"
    settings.ALLOWED_HOSTS = ["www.shop.example"]


@pytest.fixture
def client(client_of):
    client = client_of(make_shopper(), host="www.shop.example")
    client.post("/users/reauthenticate/", {"password": "password"})
    return client


def test_app_gets_the_shops_name_not_the_requests_host(client):
    answer = client.get("/users/2fa/totp/activate/")

    noted = parse_qs(urlsplit(answer.context["totp_url"]).query)
    assert noted["issuer"] == ["Tidewater"]


def test_passkey_is_for_the_shops_address_not_the_requests_host(client):
    answer = client.get("/users/2fa/webauthn/add/")

    options = answer.context["js_data"]["creation_options"]["publicKey"]
    assert options["rp"] == {"id": "shop.example", "name": "Tidewater"}


def test_passkey_is_requested_for_the_shops_address(client_of):
    visitor = client_of(host="www.shop.example")

    answer = visitor.get(
        "/users/2fa/webauthn/login/", headers={"accept": "application/json"}
    )

    options = answer.json()["request_options"]["publicKey"]
    assert options["rpId"] == "shop.example"
    assert options["userVerification"] == "required"


# --- Answers that are none --------------------------------------------------------

NOT_ACCEPTED = (
    "We couldn’t accept your passkey. Please try again, or sign in another way."
)
RESPONSE = {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}
MALFORMED = [
    1,
    "text",
    [1],
    {"id": "AA"},
    {"rawId": "AA", "response": []},
    {"rawId": "AA", "response": {"clientDataJSON": "e30"}},
    {"rawId": "AA", "response": RESPONSE},
    {"rawId": "AA", "response": RESPONSE | {"attestationObject": "AA"}},
    {"rawId": "AA", "response": RESPONSE | {"attestationObject": "oA"}},
    {"rawId": "é", "response": {}},
]


@pytest.mark.parametrize("answer", MALFORMED, ids=str)
def test_passkey_with_a_malformed_answer_is_refused_with_a_message(
    client, client_of, answer
):
    form = {"credential": json.dumps(answer)}

    visitor = client_of(host="www.shop.example")
    page = visitor.post("/users/2fa/webauthn/login/", form, follow=True)
    assert NOT_ACCEPTED in page.content.decode()

    page = client.post("/users/2fa/webauthn/add/", form)
    assert NOT_ACCEPTED in page.content.decode()
    assert not Authenticator.objects.exists()


def test_wrong_code_of_an_app_is_still_called_a_code(client):
    page = client.post("/users/2fa/totp/activate/", {"code": "12345"})

    assert "Incorrect code." in page.content.decode()

"""The provider's process: its tables, people and one client; then it serves.

python -m tests.support.provider.serve PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI
"""

import sys

import django
from django.core.management import call_command


def make_rows(client_id: str, secret: str, redirect_uri: str) -> None:
    from allauth.account.models import EmailAddress
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.models import User

    from tests.support.provider.people import EVERYBODY

    client = Client(id=client_id, name="The shop", scopes="openid\nprofile\nemail")
    client.set_secret(secret)
    client.set_redirect_uris([redirect_uri])
    client.save()
    for person in EVERYBODY:
        *names, verified = person
        fields = dict(zip(["username", "first_name", "last_name"], names))
        user = User.objects.create_user(
            **fields, email=person.email, password="password"
        )
        EmailAddress.objects.create(
            user=user, email=person.email, verified=verified, primary=True
        )


if __name__ == "__main__":
    port, *client = sys.argv[1:]
    django.setup()
    call_command("migrate", verbosity=0)
    from allauth.idp.oidc.models import Client

    if not Client.objects.exists():
        make_rows(*client)
    call_command("runserver", f"127.0.0.1:{port}", "--noreload", "--skip-checks")

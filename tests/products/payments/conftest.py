import pytest

from tests.support.http_server import serving
from tests.support.stripe_server import SECRET, StripeServer


@pytest.fixture
def stripe(settings):
    """A Stripe of our own, which the shop talks to."""
    with serving(StripeServer()) as server:
        settings.STRIPE_SECRET_KEY = "sk_test_of_the_tests"
        settings.STRIPE_WEBHOOK_SECRET = SECRET
        settings.STRIPE_API_BASE = server.url
        settings.STRIPE_TIMEOUT = (
            10  # nobody but the one that hangs is waited for so long
        )
        yield server

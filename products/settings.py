"""Settings of the shop itself."""

from django.core.exceptions import ImproperlyConfigured, ValidationError

from project.base_settings import DEBUG, env
from project.mail.addresses import recipient

# Thumbnails are made when a picture is saved, so pages never check for them.
IMAGEKIT_DEFAULT_CACHEFILE_STRATEGY = "products.catalogue.thumbnails.MadeOnSave"
IMAGEKIT_SPEC_CACHEFILE_NAMER = "products.catalogue.thumbnails.named"
IMAGEKIT_CACHEFILE_DIR = "CACHE/images"
IMAGEKIT_CACHE_BACKEND = "thumbnails"

SHOP_NAME = "Tidewater"
CURRENCY = "EUR"  # ISO 4217
CURRENCY_SYMBOL = "€"
# Where the shop is, which decides its tax area.
SHOP_COUNTRY = env.country("SHOP_COUNTRY", "DE")  # ISO 3166-1
PRICES_INCLUDE_TAX = env.bool("PRICES_INCLUDE_TAX", True)
# Whether orders that leave the shop's tax area have no tax.
EXPORT_ZERO_RATED = env.bool("EXPORT_ZERO_RATED", True)
# Whether VIES, of the European Commission, checks VAT numbers. Otherwise staff do.
VIES_CHECK = env.bool("VIES_CHECK", False)
VIES_ADDRESS = env.url("VIES_ADDRESS")  # another server, for tests
PRODUCTS_PER_PAGE = 24
PRICE_BANDS = [25, 50, 100, 250]  # where one price band ends and the next begins
RELATED_PRODUCTS = 4  # on a product's page: the newest of its category
# Pages and fragments of the catalogue are cached for so long at most, if no worker
# invalidates them; 0 caches none.
CATALOGUE_MAX_AGE_S = env.float("CATALOGUE_MAX_AGE_S", 0 if DEBUG else 30)
# Whether pictures may be fetched from servers on this machine: only in tests. Addresses
# in private networks are always refused.
FETCH_FROM_THIS_MACHINE = False
IMPORT_MAX_ROWS = env.int("IMPORT_MAX_ROWS", 50_000, least=1)


def checked_address(name: str, text: str) -> str:
    """Return the email address in a variable. Raises `ImproperlyConfigured`."""
    try:
        return recipient(text)
    except ValidationError as error:
        raise ImproperlyConfigured(
            f"{name}: {text!r} is not one email address."
        ) from error


# How long tax law requires invoices with name and address: in Germany eight years, in
# other countries up to ten.
INVOICE_YEARS = env.int("INVOICE_YEARS", 10, most=100)

# Mails to staff; by default there are none. An item is `event:address`, or an address
# alone for the event "low".
STAFF_EVENTS = ("low", "orders")


def staff_alerts(name: str) -> dict[str, list[str]]:
    """Return event → addresses to mail. Raises `ImproperlyConfigured`."""
    alerts: dict[str, list[str]] = {event: [] for event in STAFF_EVENTS}
    for item in env.list(name, default=[]):
        before, _colon, address = item.rpartition(":")
        event = before.strip() or "low"
        if event not in alerts:
            known = ", ".join(alerts)
            raise ImproperlyConfigured(f"{name}: {event!r} is none of {known}.")
        alerts[event].append(checked_address(name, address))
    return {event: list(dict.fromkeys(to)) for event, to in alerts.items()}


STAFF_ALERTS = staff_alerts("STAFF_ALERTS")
ORDERS_PER_PAGE = 20
# Visitors who wait for a product see on the open page that it is back; after so long we
# mail them.
WAITING_PATIENCE_S = env.int("WAITING_PATIENCE_S", 10)
WAITING_PER_ADDRESS = 20  # products that one email address may wait for
LOW_STOCK = 5  # with so many or fewer, the badge says "Only 3 left"
BASKET_LINE_LIMIT = env.int("BASKET_LINE_LIMIT", 20, least=1)  # of one product
BASKET_LINES_LIMIT = env.int("BASKET_LINES_LIMIT", 100, least=1)  # different products
# Checkout holds the units for HOLD_MINUTES. Each step extends that, up to
# HOLD_MINUTES_AT_MOST in all. Then there is a pause before the next hold.
HOLD_MINUTES = env.float("HOLD_MINUTES", 10, least=0.01)
HOLD_MINUTES_AT_MOST = env.float("HOLD_MINUTES_AT_MOST", 30, least=0.01)
HOLD_PAUSE_MINUTES = env.float("HOLD_PAUSE_MINUTES", 15)
# These limits are for visitors without an account; 0 is no limit. Visitors on this
# machine have no limit. The first one counts holds of one product in an hour that led
# to no order, by other visitors of the same network.
HOLDS_PER_NETWORK = env.int("HOLDS_PER_NETWORK", 5)
# Tickets of one drop for one network, with or without accounts.
DROP_TICKETS_PER_NETWORK = env.int("DROP_TICKETS_PER_NETWORK", 50)
# Orders of guests for one email address or session, and for one network.
GUEST_ORDERS_PER_HOUR = env.int("GUEST_ORDERS_PER_HOUR", 5)
GUEST_ORDERS_PER_DAY = env.int("GUEST_ORDERS_PER_DAY", 10)  # for one email address
GUEST_ORDERS_PER_NETWORK = env.int("GUEST_ORDERS_PER_NETWORK", 30)  # in an hour
# Orders of guests that reserve units and are not paid.
GUEST_OPEN_ORDERS_PER_EMAIL = env.int("GUEST_OPEN_ORDERS_PER_EMAIL", 3)
GUEST_OPEN_ORDERS_PER_ADDRESS = env.int("GUEST_OPEN_ORDERS_PER_ADDRESS", 5)
GUEST_OPEN_ORDERS_PER_NETWORK = env.int("GUEST_OPEN_ORDERS_PER_NETWORK", 10)
# Guests who pay on delivery must confirm their order within so long, by the link in its
# mail, or it expires; 0 asks for no confirmation.
GUEST_CONFIRM_MINUTES = env.float("GUEST_CONFIRM_MINUTES", 0)
# Orders that are paid in advance expire after so long.
PAYMENT_MINUTES = env.float("PAYMENT_MINUTES", 30, least=0.01)
STALE_BASKET_DAYS = env.int("STALE_BASKET_DAYS", 60, least=1, most=36_500)

# Card payments by Stripe Checkout, if both are set. Without them, payment is on
# delivery only.
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
if bool(STRIPE_SECRET_KEY) != bool(STRIPE_WEBHOOK_SECRET):
    raise ImproperlyConfigured(
        "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET go together: without the second"
        " the shop would never hear that somebody has paid."
    )
STRIPE_API_BASE = env.url("STRIPE_API_BASE")  # another server, for tests
STRIPE_TIMEOUT = env.float("STRIPE_TIMEOUT", 8, least=0.1)  # seconds for each request
# Stripe may repeat an event for 30 days, so events are kept for longer.
WEBHOOK_EVENT_DAYS = env.int("WEBHOOK_EVENT_DAYS", 90, least=30, most=36_500)

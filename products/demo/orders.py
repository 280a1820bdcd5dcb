"""A few orders in each status, so that the board is alive at first sight. Placed and
moved as in real life, through the services: the books are right, the history too."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from post_office.models import Email

from products.basket import holds
from products.basket import services as baskets
from products.exceptions import ShopError
from products.live.viewers import Owner
from products.models import Basket, Order, OrderEvent, Product
from products.orders import placing
from products.orders import services as orders
from products.orders.terms import Contact

Method = Order.Method
Step = Callable[[Order, AbstractUser], Order]

AT = "shop-demo.example"
PLENTY = 20  # products with fewer units are left to the shoppers
CARRIER = "Left with the carrier, 2 parcels"
CHANGED_MIND = "Called: ordered twice by mistake"


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who ordered `minutes` ago; `units` of so many products."""

    minutes: int
    name: str
    line1: str
    postcode: str
    city: str
    country: str
    units: tuple[int, ...]
    steps: tuple[str, ...] = ()
    method: str = Method.DELIVERY
    username: str = ""  # of who was signed in

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{AT}"


GUESTS = (
    Guest(95, "Alma Brandt", "Kaistraße 4", "20457", "Hamburg", "DE", (1,), ("pack",)),
    Guest(12, "Noor Haddad", "Rue du Port 9", "44000", "Nantes", "FR", (2, 1)),
    Guest(
        41, "Piet Visser", "Havenkade 12", "3011", "Rotterdam", "NL", (1, 1, 3, 1, 2)
    ),
    Guest(
        *(1560, "Ida Lund", "Strandgade 27", "1401", "København", "DK", (4,)),
        steps=("pack", "ship"),
    ),
    Guest(
        *(160, "Joan Ferrer", "Carrer de la Mar 3", "07012", "Palma", "ES", (1, 2)),
        steps=("pay",),
        method=Method.STRIPE,
    ),
    Guest(
        *(4, "Mara Costa", "Rua da Praia 61", "4150", "Porto", "PT", (1,)),
        method=Method.STRIPE,
    ),
    Guest(
        *(1720, "Tove Berg", "Brygga 8", "5003", "Bergen", "NO", (2, 2, 1)),
        steps=("pay", "pack"),
        method=Method.STRIPE,
    ),
    Guest(
        *(2100, "Sean Doyle", "Harbour Road 5", "H91", "Galway", "IE", (1, 1)),
        steps=("pack", "ship"),
    ),
    Guest(
        *(5800, "Lena Vogt", "Am Deich 15", "26506", "Norden", "DE", (3,)),
        steps=("pack", "ship", "deliver"),
    ),
    Guest(
        *(1300, "Emil Krause", "Lotsenweg 2", "18119", "Rostock", "DE", (1,)),
        steps=("cancel",),
    ),
    Guest(
        *(9300, "Sam Holm", "Mole 3", "24103", "Kiel", "DE", (1, 2)),
        steps=("pack", "ship", "deliver"),
        username="shopper",
    ),
)

STEPS: dict[str, Step] = {
    "pay": lambda order, staff: orders.pay(order),
    "pack": lambda order, staff: orders.pack(order, actor=staff),
    "ship": lambda order, staff: orders.ship(order, actor=staff, note=CARRIER),
    "deliver": lambda order, staff: orders.deliver(order, actor=staff),
    "cancel": lambda order, staff: orders.cancel(order, actor=staff, note=CHANGED_MIND),
}


def load() -> int:
    """Place the demo's orders that are missing; how many were placed. An order that
    people have moved on stays where it is."""
    staff = get_user_model().objects.filter(username="staff", is_staff=True).first()
    if staff is None:
        return 0
    theirs = Order.objects.filter(full_name__in=[guest.name for guest in GUESTS])
    present = set(theirs.values_list("full_name", flat=True))
    return sum(
        _place(guest, turn, staff)
        for turn, guest in enumerate(GUESTS)
        if guest.name not in present
    )


def _place(guest: Guest, turn: int, staff: AbstractUser) -> bool:
    """One order and its steps, all or nothing; not where too little is left."""
    try:
        with transaction.atomic():
            order = _ordered(guest, turn)
            for step in guest.steps:
                order = STEPS[step](order, staff)
            _date_back(order, timedelta(minutes=guest.minutes))
            # There is nobody to read what was written of it.
            Email.objects.filter(to=order.email).delete()
    except ShopError:
        return False
    return True


def _ordered(guest: Guest, turn: int) -> Order:
    user = get_user_model().objects.filter(username=guest.username).first()
    owner = Owner(user_id=user.pk) if user else Owner(token=baskets.new_token())
    basket = baskets.open_for(owner)
    for product, units in zip(
        _plentiful(turn, len(guest.units)), guest.units, strict=False
    ):
        baskets.add(basket, product.pk, units)
    basket = holds.start(Basket.objects.get(pk=basket.pk))
    contact = Contact(
        email=user.email if user else guest.email,
        full_name=guest.name,
        line1=guest.line1,
        postcode=guest.postcode,
        city=guest.city,
        country=guest.country,
    )
    options = {"method": guest.method, "language": "en", "user": user}
    seen = placing.terms(basket, contact)
    order = placing.place(basket, contact, seen=seen, **options)
    return orders.confirm(order) if order.awaits_confirmation else order


def _date_back(order: Order, age: timedelta) -> None:
    """As if it had been placed so long ago, and its steps taken since."""
    events = list(order.events.order_by("version"))
    placed = timezone.now() - age
    for turn, event in enumerate(events):
        event.created_at = placed + age * turn / len(events)
    OrderEvent.objects.bulk_update(events, ["created_at"])
    moved = events[-1].created_at
    Order.objects.filter(pk=order.pk).update(placed_at=placed, changed_at=moved)


def _plentiful(turn: int, count: int) -> list[Product]:
    """So many products of which there are enough; others each turn."""
    products = Product.objects.filter(
        is_active=True, stock__on_hand__gte=F("stock__reserved") + PLENTY
    )
    return list(products.order_by("pk")[turn * 5 : turn * 5 + count])

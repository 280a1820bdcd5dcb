"""Places a few orders in each status for the demo.

The services place and move them, so their books and their history are right.
"""

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
from products.models import Basket, Order, OrderEvent, Variant
from products.orders import placing
from products.orders import services as orders
from products.orders.machine import Actor, Move
from products.orders.states import CANCEL, DELIVER, PACK, PAY, SHIP
from products.orders.terms import Contact

Method = Order.Method

AT = "shop-demo.example"
PLENTY = 20  # the orders contain only products with at least so many units


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who ordered `minutes` ago, `units` of one product each."""

    minutes: int
    name: str
    line1: str
    postcode: str
    city: str
    country: str
    units: tuple[int, ...]
    moves: tuple[Move, ...] = ()
    method: str = Method.DELIVERY
    username: str = ""  # of the account, if they were signed in

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{AT}"


GUESTS = (
    Guest(95, "Alma Brandt", "Kaistraße 4", "20457", "Hamburg", "DE", (1,), (PACK,)),
    Guest(12, "Noor Haddad", "Rue du Port 9", "44000", "Nantes", "FR", (2, 1)),
    Guest(
        41, "Piet Visser", "Havenkade 12", "3011", "Rotterdam", "NL", (1, 1, 3, 1, 2)
    ),
    Guest(
        *(1560, "Ida Lund", "Strandgade 27", "1401", "København", "DK", (4,)),
        moves=(PACK, SHIP),
    ),
    Guest(
        *(160, "Joan Ferrer", "Carrer de la Mar 3", "07012", "Palma", "ES", (1, 2)),
        moves=(PAY,),
        method=Method.STRIPE,
    ),
    Guest(
        *(4, "Mara Costa", "Rua da Praia 61", "4150", "Porto", "PT", (1,)),
        method=Method.STRIPE,
    ),
    Guest(
        *(1720, "Tove Berg", "Brygga 8", "5003", "Bergen", "NO", (2, 2, 1)),
        moves=(PAY, PACK),
        method=Method.STRIPE,
    ),
    Guest(
        *(2100, "Sean Doyle", "Harbour Road 5", "H91", "Galway", "IE", (1, 1)),
        moves=(PACK, SHIP),
    ),
    Guest(
        *(5800, "Lena Vogt", "Am Deich 15", "26506", "Norden", "DE", (3,)),
        moves=(PACK, SHIP, DELIVER),
    ),
    Guest(
        *(1300, "Emil Krause", "Lotsenweg 2", "18119", "Rostock", "DE", (1,)),
        moves=(CANCEL,),
    ),
    Guest(
        *(9300, "Sam Holm", "Mole 3", "24103", "Kiel", "DE", (1, 2)),
        moves=(PACK, SHIP, DELIVER),
        username="shopper",
    ),
)

NOTES = {
    SHIP: "Left with the carrier, 2 parcels",
    CANCEL: "Called: ordered twice by mistake",
}


def load() -> int:
    """Place the missing orders; return how many. Present orders stay as they are."""
    staff = get_user_model().objects.filter(username="staff", is_staff=True).first()
    if staff is None:
        return 0
    of_guests = Order.objects.filter(full_name__in=[guest.name for guest in GUESTS])
    present = set(of_guests.values_list("full_name", flat=True))
    return sum(
        _place(guest, number, staff)
        for number, guest in enumerate(GUESTS)
        if guest.name not in present
    )


def _place(guest: Guest, number: int, staff: AbstractUser) -> bool:
    """Place an order and take its steps; return False if too few units are left."""
    try:
        with transaction.atomic():
            order = _order(guest, number)
            for move in guest.moves:
                order = _advance(order, move, staff)
            _date_back(order, timedelta(minutes=guest.minutes))
            # Its mails would have no reader.
            Email.objects.filter(to=order.email).delete()
    except ShopError:
        return False
    return True


def _advance(order: Order, move: Move, staff: AbstractUser) -> Order:
    actor = staff if Actor.STAFF in move.by else None
    return orders.advance(order, move, actor=actor, note=NOTES.get(move, ""))


def _order(guest: Guest, number: int) -> Order:
    user = get_user_model().objects.filter(username=guest.username).first()
    owner = Owner(user_id=user.pk) if user else Owner(token=baskets.new_token())
    basket = baskets.open_for(owner)
    variants = _plentiful(number, len(guest.units))
    for variant, units in zip(variants, guest.units, strict=False):
        baskets.add(basket, variant.pk, units)
    basket = holds.start(Basket.objects.get(pk=basket.pk))
    contact = Contact(
        email=user.email if user else guest.email,
        full_name=guest.name,
        line1=guest.line1,
        postcode=guest.postcode,
        city=guest.city,
        country=guest.country,
    )
    terms = placing.terms(basket, contact)
    order = placing.place(
        basket, contact, seen=terms, method=guest.method, language="en", user=user
    )
    return orders.confirm(order) if order.awaits_confirmation else order


def _date_back(order: Order, age: timedelta) -> None:
    """Change the times of an order as if it had been placed so long ago."""
    events = list(order.events.order_by("version"))
    placed = timezone.now() - age
    for number, event in enumerate(events):
        event.created_at = placed + age * number / len(events)
    OrderEvent.objects.bulk_update(events, ["created_at"])
    moved = events[-1].created_at
    Order.objects.filter(pk=order.pk).update(placed_at=placed, changed_at=moved)


def _plentiful(number: int, count: int) -> list[Variant]:
    """Return variants with enough units, different ones for each order's number."""
    variants = Variant.objects.for_sale().filter(
        stock__on_hand__gte=F("stock__reserved") + PLENTY
    )
    return list(variants.order_by("pk")[number * 5 : number * 5 + count])

"""Rows for tests: counters, no random data."""

from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from itertools import count

from allauth.account.models import EmailAddress
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from products.basket import holds
from products.basket import services as baskets
from products.live.viewers import Owner
from products.models import (
    Basket,
    BasketLine,
    Order,
    Product,
    ProductCategory,
    Stock,
)
from products.orders import placing
from products.orders.terms import Contact, Terms
from products.stock import services as stock
from users import addresses
from users.models import Address, User

_numbers = count(1)


def make_category(**fields) -> ProductCategory:
    n = next(_numbers)
    return ProductCategory.objects.create(
        **{"name": f"Category {n}", "slug": f"category-{n}"} | fields
    )


def make_product(*, on_hand: int = 10, reserved: int = 0, **fields) -> Product:
    """A product whose stock came about by movements, as in real life."""
    n = next(_numbers)
    if "category" not in fields:
        fields["category"] = make_category()
    product = Product.objects.create(
        **{
            "name": f"Lamp {n}",
            "slug": f"lamp-{n}",
            "sku": f"SKU-{n}",
            "description": f"Lamp number {n}.",
            "price": Decimal("12.50"),
        }
        | fields
    )
    Stock.objects.create(product=product)
    if on_hand:
        stock.receive(product.pk, on_hand)
    if reserved:
        stock.claim({product.pk: reserved})
    return product


def make_products(quantity: int, *, on_hand: int = 10, **fields) -> list[Product]:
    """Many products in a few queries; their stock has no movements."""
    category = fields.pop("category", None) or make_category()
    numbers = [next(_numbers) for _ in range(quantity)]
    products = Product.objects.bulk_create(
        Product(
            **{
                "category": category,
                "name": f"Vase {n}",
                "slug": f"vase-{n}",
                "sku": f"SKU-{n}",
                "price": Decimal(n),
            }
            | fields
        )
        for n in numbers
    )
    Stock.objects.bulk_create(Stock(product=p, on_hand=on_hand) for p in products)
    return products


def make_user(**fields) -> User:
    """Their password is "password"."""
    n = next(_numbers)
    fields = {"username": f"user{n}", "email": f"user{n}@example.com"} | fields
    return User.objects.create_user(**{"password": "password"} | fields)


def make_shopper(*, verified: bool = True, **fields) -> User:
    """Someone who signed up, and followed the link in the mail unless told otherwise.
    Their password is "password"."""
    user = make_user(**fields)
    EmailAddress.objects.create(
        user=user, email=user.email, primary=True, verified=verified
    )
    return user


def make_address(user: User, **fields) -> Address:
    """One more of theirs, as the form adds it."""
    place = {"line1": "Hafenstraße 7", "postcode": "20457", "city": "Hamburg"}
    fields = {"full_name": "Anna Núñez", "country": "DE"} | place | fields
    return addresses.add(user, Address(**fields))


def make_owner() -> Owner:
    """A visitor who has not signed in."""
    return Owner(token=f"token{next(_numbers)}")


def make_basket(
    owner: Owner | None = None, lines: dict[Product, int] | None = None
) -> Basket:
    """An open basket, filled as a shopper would."""
    basket = baskets.open_for(owner or make_owner())
    for product, quantity in (lines or {}).items():
        baskets.add(basket, product.pk, quantity)
    basket.refresh_from_db()
    return basket


def make_full_basket(owner: Owner, products: list[Product]) -> Basket:
    """One unit of each product, in two queries."""
    basket = baskets.open_for(owner)
    BasketLine.objects.bulk_create(
        BasketLine(basket=basket, product=p, quantity=1, price_when_added=p.price)
        for p in products
    )
    return basket


# What a product's form in the admin sends of its pictures if it has none.
NO_PICTURES = {"pictures-TOTAL_FORMS": 0, "pictures-INITIAL_FORMS": 0}

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP"}


def make_picture(
    name: str = "lamp.png", image: Image.Image | None = None, **save
) -> SimpleUploadedFile:
    """An upload that is a real picture; its format follows the name's ending."""
    image = image or Image.new("RGB", (64, 48), "teal")
    ending, data = name.rpartition(".")[2], BytesIO()
    image.save(data, FORMATS[ending], **save)
    return SimpleUploadedFile(name, data.getvalue(), f"image/{ending}")


def make_holder(*products: Product, units: int) -> Basket:
    """A checkout that holds so many units of each, which are claimed already."""
    basket = make_full_basket(make_owner(), list(products))
    basket.lines.update(quantity=units, held=units)
    now = timezone.now()
    Basket.objects.filter(pk=basket.pk).update(
        held_since=now, held_until=now + timedelta(minutes=10)
    )
    return basket


CONTACT = Contact(
    email="ann@example.com",
    full_name="Ann Lee",
    line1="High Street 1",
    postcode="12345",
    city="Port",
    country="DE",
)


def make_order(lines: dict[Product, int] | None = None, **fields) -> Order:
    """An order, placed as a shopper places it; to be paid on delivery."""
    user = fields.pop("user", None)
    owner = Owner(user_id=user.pk) if user else make_owner()
    basket = holds.start(make_basket(owner, lines or {make_product(): 1}))
    options = {"method": Order.Method.DELIVERY, "language": "en", "user": user}
    return placing.place(basket, CONTACT, seen=terms_of(basket), **options | fields)


def terms_of(basket: Basket) -> Terms:
    """What an order of it would be now."""
    return placing.terms(basket, CONTACT)

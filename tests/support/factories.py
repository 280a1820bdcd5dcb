"""Rows for tests: counters, no random data."""

from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from itertools import count

from allauth.account.models import EmailAddress
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from PIL import Image

from products.basket import holds
from products.basket import services as baskets
from products.live.viewers import Owner
from products.models import (
    Basket,
    BasketLine,
    Discount,
    Order,
    Product,
    ProductCategory,
    Sale,
    Stock,
    Variant,
)
from products.orders import placing
from products.orders.terms import Contact, Terms
from products.pricing import clock
from products.stock import services as stock
from products.variants.models import summarise
from users import addresses
from users.models import Address, User

MANY = 100  # rows, for which PostgreSQL's plan matters

_numbers = count(1)


def make_category(**fields) -> ProductCategory:
    n = next(_numbers)
    return ProductCategory.objects.create(
        **{"name": f"Category {n}", "slug": f"category-{n}"} | fields
    )


# Fields of the variant; others are the product's.
OF_VARIANTS = {"sku", "price", "weight", "option_values"}


def make_variant(*, on_hand: int = 10, reserved: int = 0, **fields) -> Variant:
    """The only variant of a new product; its stock came about by movements, as in real
    life. `fields` are those of both, such as `price`, `name` and `is_active`."""
    if "category" not in fields:
        fields["category"] = make_category()
    variant = _new_variant(next(_numbers), "Lamp", fields)
    variant.product.save()
    variant.product = variant.product  # copies its key
    variant.save()
    Stock.objects.create(variant=variant)
    if on_hand:
        stock.receive(variant.pk, on_hand)
    if reserved:
        stock.claim({variant.pk: reserved})
    return variant


def make_product(**fields) -> Product:
    """The page of the variant that `make_variant` makes with these fields."""
    return make_variant(**fields).product


def make_options(*rows: dict, names: list[str], **fields) -> list[Variant]:
    """The variants of a new product with these options.

    `rows` have `option_values` and other fields of `make_variant` for each of them,
    `fields` those of the product.
    """
    price = Decimal(fields.pop("price", "12.50"))
    first, *others = [{"price": price} | row for row in rows]
    made = [make_variant(option_names=names, **fields | first)]
    product = made[0].product
    for position, row in enumerate(others, start=1):
        units = row.pop("on_hand", 10)
        row.setdefault("sku", f"SKU-{next(_numbers)}")
        variant = Variant(product=product, position=position, **row)
        variant.save()
        Stock.objects.create(variant=variant)
        if units:
            stock.receive(variant.pk, units)
        made.append(variant)
    summarise(product, made)
    product.save()
    return made


def make_variants(quantity: int, *, on_hand: int = 10, **fields) -> list[Variant]:
    """Many products with one variant each, in a few queries; their stock has no
    movements."""
    fields["category"] = fields.get("category") or make_category()
    numbers = [next(_numbers) for _ in range(quantity)]
    variants = [
        _new_variant(n, "Vase", {"price": Decimal(n), "description": ""} | fields)
        for n in numbers
    ]
    Product.objects.bulk_create(variant.product for variant in variants)
    for variant in variants:
        variant.product = variant.product  # copies its key
    Variant.objects.bulk_create(variants)
    Stock.objects.bulk_create(Stock(variant=v, on_hand=on_hand) for v in variants)
    if quantity >= MANY:
        learn_how_many()
    return variants


def learn_how_many() -> None:
    """Let PostgreSQL plan for the products that there are.

    Autovacuum notes how many rows tables have, and between tests they have none. A page
    that shows 1000 products was planned for one, and took 30 s.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE products_product, products_variant, products_stock")


def make_products(quantity: int, **fields) -> list[Product]:
    """The pages of the variants that `make_variants` makes with these fields."""
    return [variant.product for variant in make_variants(quantity, **fields)]


def _new_variant(n: int, name: str, fields: dict) -> Variant:
    """An unsaved variant of an unsaved product, both with these fields."""
    own = {key: fields[key] for key in OF_VARIANTS & fields.keys()}
    shared = {key: fields[key] for key in fields.keys() - OF_VARIANTS}
    options = len(own.get("option_values", []))
    shared.setdefault("option_names", ["Colour", "Size", "Scent"][:options])
    page = {
        "name": f"{name} {n}",
        "slug": f"{name.lower()}-{n}",
        "description": f"{name} number {n}.",
    }
    product = Product(**page | shared)
    variant = Variant(
        **{"product": product, "sku": f"SKU-{n}", "price": Decimal("12.50")} | own
    )
    summarise(product, [variant])
    return variant


def make_sale(*targets: Product | ProductCategory | Variant, **fields) -> Sale:
    """A sale that has just begun, with 20 % off unless it has a reduced price.

    A variant stands for its product.
    """
    if "reduced_price" not in fields:
        fields.setdefault("percent", "20")
    fields = {"name": "Sale", "starts_at": clock.now()} | fields
    sale = Sale.objects.create(**fields)
    pages = [getattr(target, "product", target) for target in targets]
    sale.products.set(row for row in pages if isinstance(row, Product))
    sale.categories.set(row for row in pages if isinstance(row, ProductCategory))
    return sale


def make_discount(**fields) -> Discount:
    """A discount of 10 % that has just begun, with a code unless `code` is empty."""
    if "amount" not in fields:
        fields.setdefault("percent", "10")
    fields = {"name": "Spring", "code": "SPRING", "starts_at": clock.now()} | fields
    return Discount.objects.create(**fields)


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
    owner: Owner | None = None, lines: dict[Variant, int] | None = None
) -> Basket:
    """An open basket, filled as a shopper would."""
    basket = baskets.open_for(owner or make_owner())
    for variant, quantity in (lines or {}).items():
        baskets.add(basket, variant.pk, quantity)
    basket.refresh_from_db()
    return basket


def make_full_basket(owner: Owner, variants: list[Variant]) -> Basket:
    """One unit of each variant, in two queries."""
    basket = baskets.open_for(owner)
    BasketLine.objects.bulk_create(
        BasketLine(basket=basket, variant=v, quantity=1, price_when_added=v.price)
        for v in variants
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


def make_holder(*variants: Variant, units: int) -> Basket:
    """A checkout that holds so many units of each, which are claimed already."""
    basket = make_full_basket(make_owner(), list(variants))
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


def make_order(lines: dict[Variant, int] | None = None, **fields) -> Order:
    """An order, placed as a shopper places it; to be paid on delivery."""
    user = fields.pop("user", None)
    contact = fields.pop("contact", CONTACT)
    owner = Owner(user_id=user.pk) if user else make_owner()
    basket = holds.start(make_basket(owner, lines or {make_variant(): 1}))
    options = {"method": Order.Method.DELIVERY, "language": "en", "user": user}
    seen = terms_of(basket, contact)
    return placing.place(basket, contact, seen=seen, **options | fields)


def terms_of(basket: Basket, contact: Contact = CONTACT) -> Terms:
    """What an order of it would be now."""
    return placing.terms(basket, contact)

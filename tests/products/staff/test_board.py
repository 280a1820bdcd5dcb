"""The staff's board: who sees it, what it shows, and steps without a script."""

from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from products.models import Order, OrderLine, Stock
from products.orders import services as orders
from tests.support.factories import make_order, make_user, make_variant, make_variants
from users.models import User

pytestmark = pytest.mark.django_db

BOARD = "/staff/orders/"
BUDGET = 20


def make_clerk(*codenames: str, **fields) -> User:
    user = make_user(**{"is_staff": True} | fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def clerk(client) -> User:
    """Who works at the board, signed in."""
    user = make_clerk("view_order", "change_order", "view_stock", username="clerk")
    client.force_login(user)
    return user


def make_orders(count: int, **fields) -> list[Order]:
    """Many orders in two queries, with a line each; nothing is reserved for them."""
    (variant,) = make_variants(1)
    start = timezone.now() - timedelta(days=3)
    address = {"full_name": "Ann", "line1": "Street", "postcode": "1", "city": "Port"}
    defaults = {"method": "delivery", "currency": "EUR", "country": "DE"}
    orders = Order.objects.bulk_create(
        Order(
            email=f"ann{n}@example.com",
            placed_at=start + timedelta(seconds=n),
            goods=5,
            total=5,
            **address | defaults | {"language": "en"} | fields,
        )
        for n in range(count)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            variant=variant,
            name="Vase",
            sku="SKU",
            unit_price=5,
            quantity=1,
            amount=5,
        )
        for order in orders
    )
    return orders


def column(response, key: str) -> list[str]:
    """The numbers of a column's orders, as they stand in it."""
    columns = [c for c in response.context["columns"] if c.key == key]
    return [order.number for order in columns[0].orders] if columns else []


def move(client, order: Order, verb: str, **data):
    path = f"{BOARD}{order.number}/{verb}/"
    return client.post(path, {"next": BOARD} | data, follow=True)


# --- Who ----------------------------------------------------------------------------


def test_visitor_is_asked_to_sign_in(client):
    response = client.get(BOARD)

    assert response["Location"] == f"/users/login/?next={BOARD}"


@pytest.mark.parametrize(
    "user",
    [
        lambda: make_clerk(),
        lambda: make_clerk("change_order", "view_stock"),
        lambda: make_clerk("view_order", is_staff=False),
    ],
)
def test_staff_without_the_permission_get_a_page_that_says_so(client, user):
    client.force_login(user())
    order = make_order()

    for path in (BOARD, f"{BOARD}{order.number}/", f"{BOARD}export.csv"):
        response = client.get(path)

        assert response.status_code == 403
        assert "You can’t open this page" in response.text
        assert order.number not in response.text


def test_staff_without_a_second_factor_set_one_up_first(client, clerk, settings):
    settings.STAFF_MFA_REQUIRED = True

    assert client.get(BOARD)["Location"] == "/users/2fa/"


def test_staff_who_may_only_view_orders_have_no_buttons_and_change_nothing(client):
    client.force_login(make_clerk("view_order"))
    order = make_order()

    assert "data-move" not in client.get(BOARD).text
    assert client.post(f"{BOARD}{order.number}/pack/").status_code == 403
    order.refresh_from_db()
    assert order.status == "pending"


@pytest.mark.parametrize(
    "codenames, fields, is_there",
    [
        (["view_order"], {}, True),
        ([], {}, False),
        (["view_order"], {"is_staff": False}, False),
    ],
)
def test_header_links_to_the_board_for_staff_who_may_see_it(
    client, codenames, fields, is_there
):
    assert f'href="{BOARD}"' not in client.get("/").text
    client.force_login(make_clerk(*codenames, **fields))

    assert (f'href="{BOARD}"' in client.get("/").text) is is_there


# --- What ---------------------------------------------------------------------------


def test_orders_are_in_the_column_of_their_next_step(client, clerk):
    unpaid = make_order(method="stripe")
    on_delivery, paid = make_order(), orders.pay(make_order(method="stripe"))
    packed = orders.pack(make_order(), actor=clerk)
    shipped = orders.ship(orders.pack(make_order(), actor=clerk), actor=clerk)
    cancelled = orders.cancel(make_order(), actor=clerk, note="twice")

    response = client.get(BOARD)

    assert column(response, "pending") == [unpaid.number]
    assert column(response, "paid") == [paid.number, on_delivery.number]
    assert column(response, "packed") == [packed.number]
    assert column(response, "shipped") == [shipped.number]
    assert cancelled.number not in response.text


def test_card_shows_number_lines_total_method_and_handler(client, clerk):
    variants = [make_variant(name=f"Bowl {n}", price="2.00") for n in range(5)]
    order = make_order({variant: 2 for variant in variants})
    orders.pack(order, actor=clerk)

    text = unescape(client.get(BOARD).text)

    for part in (order.number, "<b>2</b> × Bowl 0", "€20.00", "on delivery", "clerk"):
        assert part in text
    assert "and 2 more lines" in text and "Bowl 4" not in text
    assert f'datetime="{order.placed_at.isoformat()}"' in text


def test_name_that_is_markup_is_shown_as_text(client, clerk):
    make_order({make_variant(name="<script>alert(1)</script>"): 1})

    text = client.get(BOARD).text

    assert "<script>alert" not in text and "&lt;script&gt;alert" in text


def test_filters_select_orders(client, clerk):
    mine = orders.pack(make_order(), actor=clerk)
    theirs = orders.pack(make_order(), actor=make_clerk())
    card = make_order(method="stripe")

    assert column(client.get(BOARD, {"mine": "on"}), "packed") == [mine.number]
    alone = client.get(BOARD, {"status": "packed"})
    assert column(alone, "packed") == [theirs.number, mine.number]
    assert [c.key for c in alone.context["columns"]] == ["packed"]
    by_card = client.get(BOARD, {"method": "stripe"})
    assert column(by_card, "pending") == [card.number]
    assert column(by_card, "packed") == []
    oldest = client.get(BOARD, {"status": "packed", "sort": "oldest"})
    assert column(oldest, "packed") == [mine.number, theirs.number]


@pytest.mark.parametrize(
    "text",
    ["{number}", "{start}", "{lower}", "ann@example.com", "ANN@ex", " {number} "],
)
def test_search_finds_by_the_beginning_of_number_or_address(client, clerk, text):
    order = make_order()
    orders.cancel(order, actor=clerk, note="done with it, and found all the same")
    Order.objects.filter(pk=make_order().pk).update(email="bob@example.com")
    number = order.number

    query = text.format(number=number, start=number[:6], lower=number.lower())
    response = client.get(BOARD, {"q": query})

    assert column(response, "cancelled") == [number]
    assert sum(c.count for c in response.context["columns"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"q": "\0"},
        {"q": "%"},
        {"q": "_______"},
        {"q": "' OR 1=1 --"},
        {"q": "x" * 5000},
        {"q": "<script>alert(1)</script>"},
        {"q": "ß🙂@"},
        {"q": ["a", "b"]},
        {"status": "nonsense", "method": "\0", "sort": "-pk", "mine": "\0"},
        {"status": "paid", "page": "-1"},
        {"status": "paid", "page": "9" * 30},
        {"page": "x", "fragment": "<"},
    ],
)
def test_hostile_filters_get_a_page(client, clerk, query):
    order = make_order()

    response = client.get(BOARD, query)

    assert response.status_code == 200
    assert "<script>alert" not in response.text
    if set(query.get("q", "")) & set("%_'<ß"):
        assert order.number not in response.text


@pytest.mark.parametrize("count", [10, 1000])
def test_board_stays_within_its_budget_of_queries(
    client, clerk, count, django_assert_max_num_queries
):
    make_orders(count)
    make_orders(count, status="packed", handler=clerk)

    for query in ({}, {"q": "ann"}, {"status": "packed"}, {"fragment": "1"}):
        with django_assert_max_num_queries(BUDGET):
            response = client.get(BOARD, query)

        assert response.status_code == 200
        assert response.text.count('class="order"') <= 4 * 40


def test_long_column_says_how_many_more_and_has_pages_of_its_own(client, clerk):
    made = make_orders(230)

    beside = client.get(BOARD)
    last = client.get(BOARD, {"status": "paid", "page": "3"})

    assert len(column(beside, "paid")) == 40
    assert "190 more" in beside.text
    assert column(last, "paid")[-1] == made[0].number
    assert len(column(last, "paid")) == 30


def test_fragment_is_the_board_and_nothing_around_it(client, clerk):
    order = make_order()

    text = client.get(BOARD, {"fragment": "1"}).text

    assert order.number in text and 'id="board"' in text
    assert "<html" not in text and "counter" not in text
    assert "fragment" not in text  # forms lead back to the page


def test_shelves_that_are_short_lead_to_their_stock(client, clerk, settings):
    low, out = make_variant(on_hand=settings.LOW_STOCK), make_variant(on_hand=0)
    make_variant(on_hand=settings.LOW_STOCK + 1, name="Plenty of lamps")

    text = client.get(BOARD).text

    for variant in (low, out):
        assert f"/admin/products/stock/{variant.pk}/change/" in text
    assert "Plenty of lamps" not in text


# --- Steps --------------------------------------------------------------------------


def test_order_is_packed_shipped_and_delivered_by_plain_forms(client, clerk):
    variant = make_variant(on_hand=5)
    order = make_order({variant: 2})

    for verb, status in (
        ("pack", "packed"),
        ("ship", "shipped"),
        ("deliver", "delivered"),
    ):
        response = move(client, order, verb)

        order.refresh_from_db()
        assert (order.status, order.handler) == (status, clerk)
        assert response.redirect_chain == [(BOARD, 302)]
        assert order.number in str(*response.context["messages"])
    assert Stock.objects.get(pk=variant.pk).on_hand == 3


def test_second_of_two_staff_reads_who_was_first(client, clerk):
    order = make_order()
    orders.pack(order, actor=make_clerk(username="bob"))

    plain = move(client, order, "pack")
    scripted = client.post(
        f"{BOARD}{order.number}/pack/", headers={"Accept": "application/json"}
    )

    for text in (unescape(plain.text), scripted.json()["messages"][0]["text"]):
        assert f"{order.number} is already “packed” (bob)." in text
    assert scripted.status_code == 409
    order.refresh_from_db()
    assert order.version == 2 and order.handler.username == "bob"


def test_cancellation_needs_a_reason_and_keeps_it(client, clerk):
    variant = make_variant(on_hand=5)
    order = make_order({variant: 2})

    for note in ("", "   ", "x" * 501):
        move(client, order, "cancel", note=note)
        order.refresh_from_db()
        assert order.status == "pending"
    move(client, order, "cancel", note="Broken on the shelf")

    order.refresh_from_db()
    assert order.status == "cancelled"
    assert order.events.last().note == "Broken on the shelf"
    assert Stock.objects.get(pk=variant.pk).reserved == 0


@pytest.mark.parametrize("verb", ["ship", "deliver"])
def test_move_that_is_not_possible_changes_nothing(client, clerk, verb):
    order = make_order()

    response = client.post(
        f"{BOARD}{order.number}/{verb}/", headers={"Accept": "application/json"}
    )

    assert response.status_code == 409
    order.refresh_from_db()
    assert (order.status, order.version) == ("pending", 1)


@pytest.mark.parametrize(
    "path", ["{number}/pay/", "{number}/delete/", "NOBODY22/pack/", "%00/pack/"]
)
def test_unknown_move_or_order_is_not_found(client, clerk, path):
    order = make_order()

    assert client.post(BOARD + path.format(number=order.number)).status_code == 404


def test_form_leads_back_into_the_shop_only(client, clerk):
    order = make_order()

    response = client.post(
        f"{BOARD}{order.number}/pack/", {"next": "https://evil.example/"}
    )

    assert response["Location"] == f"{BOARD}{order.number}/"

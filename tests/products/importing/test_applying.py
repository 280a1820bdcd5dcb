"""Files into the shop: what is written, what is left alone, and what is told."""

import io
import threading
import time
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection

from products import importing
from products.catalogue import services as catalogue
from products.importing import applying, batches
from products.live import baskets
from products.models import (
    Basket,
    Product,
    ProductCategory,
    Stock,
    StockMovement,
    Variant,
)
from products.stock import books
from products.stock import services as stock
from tests.support.concurrency import together
from tests.support.factories import (
    make_basket,
    make_category,
    make_holder,
    make_owner,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db

COLUMNS = "sku,name,category,price,description,stock,active"


def run(text: str | bytes, **options) -> importing.Report:
    content = text.encode() if isinstance(text, str) else text
    return importing.run(io.BytesIO(content), importing.Options(**options))


def places(report: importing.Report) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in report.problems]


def everything() -> list:
    """All rows of the catalogue and its stock."""
    models = (Product, ProductCategory, Stock, StockMovement, Variant)
    return [sorted(map(repr, model.objects.values_list())) for model in models]


# --- New and changed --------------------------------------------------------------


def test_import_of_a_new_product_writes_it_with_its_stock():
    user = make_user()

    report = run(
        f"{COLUMNS}\nL-1,Brass lamp,Lighting,12.50,Warm.,7,yes\n",
        actor=user,
        note="import a.csv",
    )

    variant = Variant.objects.get(sku="L-1")
    product = variant.product
    assert (product.name, product.slug) == ("Brass lamp", "brass-lamp")
    assert (variant.price, product.description) == (Decimal("12.50"), "Warm.")
    assert (product.category.name, product.is_active) == ("Lighting", True)
    assert (product.lowest_price, product.skus) == (variant.price, ["L-1"])
    assert (variant.stock.on_hand, variant.stock.version) == (7, 1)
    movement = StockMovement.objects.get()
    assert (movement.kind, movement.d_on_hand) == ("counted", 7)
    assert (movement.note, movement.actor) == ("import a.csv", user)
    assert report.counts == {"new": 1}
    assert books.reconcile() == []


def test_import_of_a_known_sku_changes_what_differs_and_keeps_the_slug():
    shelf = make_category(name="Lighting")
    lamp = make_variant(sku="L-1", slug="old-lamp", on_hand=3, category=shelf)

    report = run(
        "sku,handle,name,category,price,stock,active\n"
        "L-1,new-lamp,New lamp,LIGHTING,9.90,5,no\n"
    )

    lamp.refresh_from_db()
    page = lamp.product
    assert (page.name, page.slug, page.category) == ("New lamp", "old-lamp", shelf)
    assert (lamp.price, page.is_active) == (Decimal("9.90"), False)
    assert page.lowest_price == lamp.price
    kinds = StockMovement.objects.filter(variant=lamp).order_by("version")
    assert list(kinds.values_list("kind", "d_on_hand", "note")) == [
        ("received", 3, ""),
        ("offer", 0, "12.50 → 9.90, inactive"),
        ("counted", 2, ""),
    ]
    assert report.counts == {"changed": 1}
    assert books.reconcile() == []


def test_import_of_a_handle_without_sku_finds_the_product():
    lamp = make_variant(slug="lamp", sku="L-1")

    run(
        "Handle,Title,Variant Price\nlamp,Lamp!,5\nvase,Vase,6\n",
        category=lamp.product.category,
    )

    lamp.refresh_from_db()
    assert (lamp.name, lamp.sku) == ("Lamp!", "L-1")
    assert Variant.objects.get(product__slug="vase").sku == "vase"


def test_import_of_the_same_file_again_changes_nothing():
    text = f"{COLUMNS}\nL-1,Lamp,Lighting,5,Warm.,7,yes\n,x,,,,,\n"
    text += "L-2,Lamp,Lighting,5,,0,no\n"
    run(text)
    before = everything()

    report = run(text)

    assert everything() == before
    assert (dict(report.counts), report.failed) == ({"unchanged": 2}, 1)


def test_import_of_empty_cells_keeps_the_present_values():
    lamp = make_variant(sku="L-1", on_hand=4)
    before = everything()

    run(f"{COLUMNS}\nL-1,,,,,,\n")

    assert everything() == before
    assert Stock.objects.get(pk=lamp.pk).on_hand == 4


def test_import_of_products_with_one_name_gives_each_its_own_slug():
    make_variant(slug="lamp")
    rows = "".join(f"L-{n},Lamp,Lighting,5,,,\n" for n in range(3))

    run(f"{COLUMNS}\n{rows}")

    slugs = Variant.objects.filter(sku__startswith="L-")
    slugs = slugs.values_list("product__slug", flat=True)
    assert set(slugs) == {"lamp-l-0", "lamp-l-1", "lamp-l-2"}


def test_import_of_new_categories_puts_them_after_the_others():
    make_category(name="First", slug="first", position=7)

    report = run(
        f"{COLUMNS}\n"
        "L-1,A,Garden  tools,5,,,\nL-2,B,garden tools,5,,,\nL-3,C,Лампы,5,,,\n"
    )

    names = list(ProductCategory.objects.values_list("name", "position"))
    assert names == [("First", 7), ("Garden tools", 8), ("Лампы", 9)]
    assert report.categories == ["Garden tools", "Лампы"]
    assert Variant.objects.get(sku="L-2").product.category.slug == "garden-tools"


def test_import_of_too_many_categories_stops_creating_them(monkeypatch):
    monkeypatch.setattr("products.importing.categories.AT_MOST", 3)
    monkeypatch.setattr(applying, "BATCH", 2)
    rows = "".join(f"L-{n},Lamp,Thing {n},5,,,\n" for n in range(6))

    report = run(f"{COLUMNS}\n{rows}")

    assert ProductCategory.objects.count() == 3
    assert places(report) == [(5, "category"), (6, "category"), (7, "category")]


# --- Rows that are left out -------------------------------------------------------


def test_import_of_rows_with_errors_goes_on_and_reports_their_lines():
    lamp = make_variant(sku="L-1", name="Lamp")

    report = run(
        f"{COLUMNS}\n"
        "L-0,Good,Shelf,1,,,\n"
        "L-1,=cmd(),Shelf,-5,,,\n"
        "L-2,No price,Shelf,,,,\n"
        "L-3,No shelf,,5,,,\n"
        ",Nobody,Shelf,5,,,\n"
        "L-0,Twice,Shelf,5,,,\n"
        "L-9,Good,Shelf,9,,,\n"
    )

    assert places(report) == [
        (3, "name"),
        (3, "price"),
        (4, "price"),
        (5, "category"),
        (6, "sku"),
        (7, "sku"),
    ]
    assert (report.failed, dict(report.counts)) == (5, {"new": 2})
    lamp.refresh_from_db()
    assert (lamp.name, lamp.price) == ("Lamp", Decimal("12.50"))
    assert set(Variant.objects.values_list("sku", flat=True)) == {"L-0", "L-1", "L-9"}


def test_import_of_a_count_below_the_reserved_units_leaves_out_the_row():
    lamp, vase = make_variant(sku="L-1", on_hand=9), make_variant(sku="V-1", on_hand=9)
    make_holder(lamp, vase, units=4)
    for variant in (lamp, vase):
        stock.claim({variant.pk: 4})

    text = "sku,price,stock\nL-1,1,3\nV-1,1,4\n"
    trial = run(text, dry_run=True)
    report = run(text)

    assert places(trial) == places(report) == [(2, "stock")]
    assert "4 are reserved" in report.problems[0].text
    lamp.refresh_from_db()
    assert (lamp.price, lamp.stock.on_hand) == (Decimal("12.50"), 9)
    vase.refresh_from_db()
    assert (vase.price, vase.stock.on_hand) == (Decimal("1"), 4)
    assert books.reconcile() == []


def test_import_of_a_handle_of_another_product_is_refused():
    make_variant(slug="lamp", sku="L-1")

    report = run(
        "sku,handle,name,category,price\nL-2,lamp,Lamp,Shelf,5\n,lamp,Lamp,,6\n"
    )

    assert places(report) == [(2, "handle"), (3, "handle")]
    assert Variant.objects.get().price == Decimal("12.50")


@pytest.mark.parametrize("batch", [1, 500])
def test_import_of_one_product_by_sku_and_by_handle_uses_the_first_row(
    monkeypatch, batch
):
    monkeypatch.setattr(applying, "BATCH", batch)
    lamp = make_variant(slug="lamp", sku="L-1")

    report = run("sku,handle,price\nL-1,,5\n,lamp,6\n")

    lamp.refresh_from_db()
    assert lamp.price == Decimal("5")
    assert (report.problems[0].line, report.problems[0].column) == (3, "sku")
    assert "already on line 2" in report.problems[0].text


HOSTILE = [
    b"",
    b"PK\x03\x04nothing",
    b"sku\nL-1\n",
    b"price,stock\n1,2\n",
    b"sku,name,price\nL-1,\x00,1\n",
    b"sku,price\nL-1,-5\nL-1,1e9\n",
    b"sku,price\nL-1,nan\n",
    b"sku,stock\nL-1,-1\nL-1,99999999999999999999\n",
    b"sku,description\nL-1," + b"x" * 500_000 + b"\n",
    b"sku,name\nL-1,Caf\xe9\nZ,\xc5\xbb\xc3\xb3\xc5\x82\xc4\x87 \xc5\xbc\n",
    b'sku,name\nL-1,"never closed\n',
    b"sku,name,price\nL-1,moved,into,another\n",
    b'sku,name\n"L-1",=HYPERLINK(1)\n',
]


@pytest.mark.parametrize("content", HOSTILE)
def test_import_of_a_hostile_file_changes_nothing(content):
    make_variant(sku="L-1")
    before = everything()

    try:
        report = run(content)
    except importing.Unreadable as reason:
        assert str(reason)
    else:
        assert report.failed
    assert everything() == before


def test_import_without_the_checks_of_cells_would_change_something():
    """The positive control of the test above: its product is one that rows find."""
    make_variant(sku="L-1")
    before = everything()

    run(b"sku,name\nL-1,Caf\xc3\xa9\n")

    assert everything() != before


def test_import_reports_rows_with_warnings():
    report = run("sku,name,category,price\nL-1,A,Shelf,5\nL-1\nL-2,B,Shelf,5\nL-2,C\n")

    assert (report.warnings, report.failed) == ([], 2)  # those of refused rows are not
    report = run("sku,name,category,price\nL-1,B\n")

    assert [warning.line for warning in report.warnings] == [2]
    assert Variant.objects.get(sku="L-1").name == "B"


# --- Trial runs -------------------------------------------------------------------


def test_dry_run_reports_what_a_real_run_does_and_writes_nothing(monkeypatch):
    monkeypatch.setattr(applying, "BATCH", 2)
    make_variant(sku="L-1", slug="l-1")
    same = make_variant(sku="L-2", on_hand=3)
    text = (
        f"{COLUMNS}\nL-1,Other,Shelf,5,,,\nL-2,{same.name},,12.50,,3,yes\n"
        "L-3,Lamp,Shelf,5,,1,\nL-4,Lamp,Shelf,5,,1,\nL-4,x,,,,,\nL-5,Lamp,,,,,\n"
    )
    before = everything()

    trial = run(text, dry_run=True, preview=3)

    assert everything() == before
    real = run(text)
    assert (trial.counts, trial.problems) == (real.counts, real.problems)
    assert dict(real.counts) == {"changed": 1, "unchanged": 1, "new": 2}
    assert trial.categories == real.categories == ["Shelf"]
    assert [(line.line, line.action) for line in trial.first] == [
        (2, "changed"),
        (3, "unchanged"),
        (4, "new"),
    ]


# --- Telling ----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_import_pushes_each_changed_product_once_and_no_other(hear):
    one, two, same = (make_variant(on_hand=5) for _ in range(3))
    topics = [f"stock:{variant.pk}" for variant in (one, two, same)]

    with hear(*topics) as events:
        run(
            f"sku,price,stock\n{one.sku},9.90,3\n{two.sku},12.50,0\n"
            f"{same.sku},12.50,5\n"
        )

    assert [(e["topic"], e["version"]) for e in events] == [
        (topics[0], 3),
        (topics[1], 2),
    ]
    assert events[0]["facts"]["price"] == "9.90"
    assert events[1]["facts"]["state"] == "out"


@pytest.mark.django_db(transaction=True)
def test_import_of_prices_pushes_baskets_with_the_products(hear):
    one, two, owner = make_variant(), make_variant(), make_owner()
    basket = make_basket(owner, {one: 2, two: 1})

    with hear(f"basket:{owner.key}") as events:
        run(f"sku,price\n{one.sku},1\n{two.sku},2\n")

    assert [event["version"] for event in events] == [basket.version + 1]
    assert Basket.objects.get(pk=basket.pk).version == basket.version + 1
    assert baskets.summary(owner).facts["total"] == "4.00"


@pytest.mark.django_db(transaction=True)
def test_import_of_very_many_products_pushes_none(hear, monkeypatch):
    monkeypatch.setattr(batches, "MOST_PUSHED", 1)
    one, two = make_variant(), make_variant()

    with hear(f"stock:{one.pk}", f"stock:{two.pk}") as events:
        run(f"sku,price\n{one.sku},1\n{two.sku},2\n")

    assert events == []
    assert Stock.objects.get(pk=one.pk).version == 2  # which an audit sees


def test_import_invalidates_all_changed_products_once(monkeypatch):
    monkeypatch.setattr(applying, "BATCH", 1)
    calls = []
    monkeypatch.setattr(catalogue, "changed", lambda ids: calls.append(list(ids)))
    one, two, same = (make_variant() for _ in range(3))

    run(f"sku,name\n{one.sku},A\n{two.sku},B\n{same.sku},{same.name}\n")

    assert calls == [[one.product_id, two.product_id]]


@pytest.mark.parametrize("row", ["L-1,,Elsewhere,,,,", "L-2,New,New shelf,5,,,"])
def test_import_that_changes_categories_invalidates_everything(monkeypatch, row):
    make_category(name="Elsewhere")
    make_variant(sku="L-1")
    calls = []
    monkeypatch.setattr(catalogue, "everything_changed", lambda: calls.append(1))

    run(f"{COLUMNS}\n{row}\n")

    assert calls == [1]


def test_import_that_breaks_off_announces_what_was_written(monkeypatch):
    monkeypatch.setattr(applying, "BATCH", 1)
    calls = []
    monkeypatch.setattr(catalogue, "changed", lambda ids: calls.append(list(ids)))
    one, two = make_variant(), make_variant()
    write = batches.write

    def once(wanted, **rest):
        if calls_of_write:
            raise RuntimeError("the lights went out")
        calls_of_write.append(1)
        return write(wanted, **rest)

    calls_of_write: list[int] = []
    monkeypatch.setattr(batches, "write", once)

    with pytest.raises(RuntimeError):
        run(f"sku,name\n{one.sku},A\n{two.sku},B\n")

    assert calls == [[one.product_id]]
    assert set(Product.objects.values_list("name", flat=True)) == {"A", two.name}


# --- Others at the same time ------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_import_of_a_sku_created_in_the_meantime_changes_that_product(monkeypatch):
    shelf = make_category(name="Shelf")
    write, attempts = batches.write, []

    def while_somebody_adds(*args, **kwargs):
        if not attempts:
            attempts.append(1)
            in_another_connection(lambda: make_variant(sku="L-1", category=shelf))
        return write(*args, **kwargs)

    monkeypatch.setattr(batches, "write", while_somebody_adds)

    report = run(f"{COLUMNS}\nL-1,Mine,Shelf,5,,3,\nL-2,Mine too,Shelf,5,,3,\n")

    assert dict(report.counts) == {"changed": 1, "new": 1}
    assert Variant.objects.get(sku="L-1").name == "Mine"
    assert books.reconcile() == []


@pytest.mark.django_db(transaction=True)
def test_import_during_a_claim_never_counts_below_it(monkeypatch):
    """The claim comes after the comparison and before the lock."""
    lamp = make_variant(sku="L-1", on_hand=9)
    write = batches.write

    def while_somebody_claims(*args, **kwargs):
        in_another_connection(lambda: make_holder(lamp, units=4))
        in_another_connection(lambda: stock.claim({lamp.pk: 4}))
        return write(*args, **kwargs)

    monkeypatch.setattr(batches, "write", while_somebody_claims)

    report = run("sku,stock\nL-1,2\n")

    assert places(report) == [(2, "stock")]
    assert Stock.objects.get(pk=lamp.pk).on_hand == 9
    assert books.reconcile() == []


@pytest.mark.django_db(transaction=True)
def test_import_of_a_count_blocks_a_delivery_until_its_commit(monkeypatch):
    """Or the units would be counted that were on the shelf before it."""
    lamp = make_variant(sku="L-1", on_hand=9)
    move_all, threads = stock.move_all, []

    def while_goods_come_in(kind, moves, **rest):
        if moves:
            threads.append(threading.Thread(target=receive, args=[lamp.pk]))
            threads[0].start()
            wait_until(lambda: somebody_waits() or not threads[0].is_alive())
        return move_all(kind, moves, **rest)

    monkeypatch.setattr(stock, "move_all", while_goods_come_in)

    run("sku,stock\nL-1,5\n")

    threads[0].join(60)
    moved = StockMovement.objects.order_by("version").values_list("kind", "d_on_hand")
    assert list(moved) == [("received", 9), ("counted", -4), ("received", 10)]


def receive(variant_id: int) -> None:
    try:
        stock.receive(variant_id, 10)
    finally:
        connection.close()


WAITING = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid IN (
    SELECT pid FROM pg_locks JOIN pg_database AS d ON d.oid = database
    WHERE d.datname = current_database()))
"""


def somebody_waits() -> bool:
    """For a lock, in this database."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return cursor.fetchone()[0]


def wait_until(is_so) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_import_of_a_category_created_in_the_meantime_uses_it(monkeypatch):
    add, attempts = batches.add_categories, []

    def while_somebody_adds(*args, **kwargs):
        if not attempts:
            attempts.append(1)
            in_another_connection(lambda: make_category(name="Shelf", slug="shelf"))
        return add(*args, **kwargs)

    monkeypatch.setattr(batches, "add_categories", while_somebody_adds)

    report = run(f"{COLUMNS}\nL-1,A,Shelf,5,,,\nL-2,B,Shelf,5,,,\n")

    assert (dict(report.counts), report.categories) == ({"new": 2}, [])
    assert ProductCategory.objects.get().products.count() == 2


@pytest.mark.django_db(transaction=True)
def test_import_of_a_row_that_cannot_be_written_leaves_out_only_that_row(monkeypatch):
    """Whatever it is that the database has against it, again and again."""
    write = batches.write

    def refuse_one(wanted, **rest):
        short = write(wanted, **rest)
        if any(item.variant.sku == "L-2" for item in wanted):
            raise IntegrityError
        return short

    monkeypatch.setattr(batches, "write", refuse_one)

    rows = "".join(f"L-{n},Lamp {n},Shelf,5,,,\n" for n in range(1, 5))
    report = run(f"{COLUMNS}\n{rows}")

    assert places(report) == [(3, "")]
    assert dict(report.counts) == {"new": 3}
    skus = Variant.objects.order_by("sku").values_list("sku", flat=True)
    assert list(skus) == ["L-1", "L-3", "L-4"]


@pytest.mark.django_db(transaction=True)
def test_imports_of_the_same_products_at_once_both_count(hear):
    """In orders that would wait for each other in a circle, were rows not locked in
    one."""
    variants = [make_variant(on_hand=5) for _ in range(20)]
    rows = [f"{p.sku},{{price}},{{stock}}\n" for p in variants]
    texts = [
        "sku,price,stock\n" + "".join(rows).format(price=1, stock=7),
        "sku,price,stock\n" + "".join(reversed(rows)).format(price=2, stock=9),
    ]

    reports = together([lambda text=text: run(text) for text in texts])

    assert [report.failed for report in reports] == [0, 0]
    levels = set(Stock.objects.values_list("on_hand", "variant__price"))
    assert len(levels) == 1
    assert books.reconcile() == []


def in_another_connection(work) -> None:
    failed: list[BaseException] = []

    def done() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=done)
    thread.start()
    thread.join(30)
    assert not failed and not thread.is_alive()


# --- Many rows --------------------------------------------------------------------


def test_import_of_many_rows_takes_as_many_queries_a_batch(
    monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(applying, "BATCH", 50)
    rows = "".join(f"L-{n},Lamp {n},Shelf,{n},,{n},\n" for n in range(1, 101))
    run(f"{COLUMNS}\n{rows}")

    with django_assert_max_num_queries(40):
        report = run(f"{COLUMNS}\n{rows.replace('Lamp', 'Vase')}")

    assert report.counts == {"changed": 100}


def test_import_of_too_many_rows_stops(monkeypatch):
    monkeypatch.setattr(applying, "BATCH", 2)
    rows = "".join(f"L-{n},Lamp {n},Shelf,5,,,\n" for n in range(5))

    report = run(f"{COLUMNS}\n{rows}", most_rows=4)

    assert "more than 4 rows" in report.stopped
    assert report.rows == 4

"""Finding: words in any form, typos, counts that leave their own choice out."""

import json
import re
import unicodedata
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products.catalogue import services as catalogue
from products.models import Product, SearchWord
from products.search import folding
from products.search import services as search
from products.search.models import tolerance, trigrams
from products.search.queries import words
from products.search.services import ANY_PRICE, Band
from tests.support.factories import make_category, make_product, make_products

pytestmark = pytest.mark.django_db


def names_for(text: str) -> list[str]:
    """Names of the products that `text` finds, the best first."""
    products = Product.objects.active().matching(text).by_relevance(text)
    return [product.name for product in products]


def count(**filters) -> search.Facets:
    everything = {"text": "", "category": None, "price": ANY_PRICE, "in_stock": False}
    return search.facets(**everything | filters)


# --- Words ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Brass LAMP, brass", ["brass", "lamp"]),
        ("Crème brûlée", ["creme", "brulee"]),
        ("men's L’Oréal", ["mens", "loreal"]),
        ("TW-TB/101_x", ["tw", "tb", "101", "x"]),
        ("Стеклянный ёж", ["стеклянный", "еж"]),
        ("ﬁne ½ Ａ", ["fine", "1", "2", "a"]),
        (r"%_\ '\" ; -- | & ! ( ) : * <->", []),
        ("שלום \u202eabc", ["שלום", "abc"]),
        ("💡lamp💡", ["💡lamp💡"]),
        ("", []),
    ],
)
def test_words_of_a_text_are_plain(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Crème brûlée",
        "Стеклянный ёж",
        "men's L’Oréal",
        "TW-TB/101_x",
        "ﬁne ½ Ａ",
        "a·b",
    ],
)
def test_words_in_the_database_equal_those_in_python(text):
    """Two implementations of one rule: what Python asks for is what PostgreSQL has."""
    product = make_product(name=text, sku="-", description="")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tsvector_to_array(search) FROM products_product WHERE id = %s",
            [product.pk],
        )
        (lexemes,) = cursor.fetchone()

    assert set(words(text)) <= set(lexemes)


def test_spellings_of_every_letter_in_the_database_equal_those_in_python():
    letters = [
        chr(code)
        for code in [*range(1, 0x530), *range(0x1E00, 0x2100), *range(0xFB00, 0xFB07)]
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Mn")
    ]

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter, search_plain(search_written(letter)),"
            " search_spelt_out(search_written(letter)),"
            " search_skeleton(search_plain(search_written(letter)))"
            " FROM unnest(%s) AS letter",
            [[f"a{letter}e" for letter in letters]],
        )
        rows = cursor.fetchall()

    different = [
        text
        for text, *stored in rows
        for its in [folding.written(text)]
        if stored != [folding.plain(its), folding.spelt_out(its), folding.skeleton(its)]
    ]
    assert len(rows) == len(letters) > 1500
    assert different == []


# --- Spellings --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, query",
    [
        *[("Größe", "groesse"), ("Größe", "grosse"), ("Größe", "GRÖSSE")],
        *[("Groesse", "größe"), ("Groesse", "grosse"), ("Grosse", "größe")],
        *[("Grosse", "groesse"), ("GRÖẞE", "größe"), ("Gro\u0308ße", "groesse")],
        *[("Öl", "oel"), ("Oel", "öl"), ("Ol", "oel"), ("Oel", "ol"), ("Ol", "öl")],
        *[("Käse", "kaese"), ("Kaese", "kase"), ("Kase", "käse"), ("Kase", "kaese")],
        *[("Tür", "tuer"), ("Tuer", "tur"), ("Tur", "tuer"), ("Tur", "tür")],
        *[("Smørrebrød", "smorrebrod"), ("Smørrebrød", "smoerrebroed")],
        *[("Smorrebrod", "smørrebrød"), ("Smoerrebroed", "smorrebrod")],
        *[("Blåbær", "blabaer"), ("Blåbær", "blaabaer"), ("Blaabaer", "blåbær")],
        *[("Blabaer", "blaabaer"), ("Blabar", "blåbær"), ("Œuvre", "oeuvre")],
        *[
            ("Oeuvre", "œuvre"),
            ("Łódź", "lodz"),
            ("Lodz", "łódź"),
            ("Đorđe", "djordje"),
        ],
        *[("Đorđe", "dorde"), ("Dorde", "đorđe"), ("Þór", "thor"), ("Thor", "þór")],
        *[("Işık", "isik"), ("Isik", "ışık"), ("İstanbul", "istanbul")],
        *[("Istanbul", "İstanbul"), ("ISPARTA", "ısparta"), ("Ёлка", "елка")],
        *[("Елка", "ёлка"), ("Crème", "creme"), ("Creme", "crème"), ("Ñandú", "nandu")],
        *[("Žluťoučký", "zlutoucky"), ("Ħamrun", "hamrun"), ("Őrség", "orseg")],
        *[("Tiếng Việt", "tieng viet"), ("ΟΔΟΣ", "οδος"), ("Οδός", "ΟΔΟΣ")],
        *[("Straße", "STRASSE"), ("Ðuð", "dud"), ("Ǿre", "oere"), ("ﬂäche", "flaeche")],
    ],
)
def test_matching_finds_other_spellings(name, query):
    make_product(name=name, sku="-", description="")
    make_product(name="Jug", sku="J", description="")

    assert names_for(query) == ([] if query == "djordje" else [name])


@pytest.mark.parametrize("name, query", [("Größe", "groesse"), ("Kaese", "käse")])
def test_matching_finds_other_spellings_in_descriptions_and_skus(name, query):
    make_product(name="A", sku="-", description=f"Of {name}.")
    make_product(name="B", sku=name, description="")
    make_product(name="C", sku="C", description="")

    assert sorted(names_for(query)) == ["A", "B"]


@pytest.mark.parametrize(
    "name, query",
    [
        *[("Teapot", "tea pot"), ("Teapot", "tea-pot"), ("Teapot", "Tea/Pots")],
        *[("Tea pot", "teapot"), ("Tea-pot", "teapots"), ("Tea–pots", "teapot")],
        *[
            ("Tea pot", "tea-pot"),
            ("Tea\u00adpot", "teapot"),
            ("Teapot", "tea\u00adpot"),
        ],
        *[("Buttermesser", "butter messer"), ("Butter-Messer", "buttermesser")],
        *[
            ("Große Butter Messer", "buttermesser"),
            ("Handbrake lever", "hand brake lever"),
        ],
        *[
            ("Coffee table book", "coffeetablebook"),
            ("Coffeetablebook", "coffee table book"),
        ],
        *[("Größentabelle", "groessen tabelle"), ("Groessen-Tabelle", "größentabelle")],
        *[("Grossentabelle", "grössen tabelle"), ("Brass teapot", "brass tea pot")],
        *[("Brass tea pot", "teapot brass"), ("iPhone 12 case", "iphone12")],
        *[("iPhone12 case", "iphone 12"), ("Online sign", "on line"), ("A B", "ab")],
    ],
)
def test_matching_finds_words_written_as_one_or_as_several(name, query):
    make_product(name=name, description="", sku="-")
    make_product(name="Kettle", sku="J", description="")

    assert names_for(query) == [name]


@pytest.mark.parametrize(
    "text, query",
    [
        *[("A teapot.", "tea pot"), ("A tea-pot.", "teapot"), ("Tea‑pots!", "teapot")],
        *[("Ein Käse-Messer", "kaesemesser"), ("Käsemesser", "kase messer")],
    ],
)
def test_matching_finds_compounds_of_descriptions(text, query):
    make_product(name="Jug", description=text, sku="-")
    make_product(name="Kettle", sku="J", description="")

    assert names_for(query) == ["Jug"]


def test_correction_of_a_compound_with_known_parts_splits_it():
    make_product(name="Knife for butter", description="")
    make_product(name="Öl und Essig", description="")
    search.relearn()

    assert search.corrected("butterknife") == "butter knife"
    assert search.corrected("essigoel") == "essig oel"
    assert search.corrected("buttress") is None


@pytest.mark.parametrize(
    "query", ["kuechen", "kuche", "KÜCHEN", "küch", "küchenmesser", "kuechen messer"]
)
def test_suggestions_for_any_spelling_include_categories(query):
    knives = make_category(name="Küchen-Messer")
    make_category(name="Jugs")

    assert search.suggest(query).categories == [knives]


@pytest.mark.parametrize(
    "name, query",
    [
        *[("Shower curtain", "shoe"), ("Blurred print", "blue"), ("Set 1 5", "15")],
        *[("Vase 15", "1 5"), ("A table", "at"), ("Pot for tea", "teapot")],
        *[("Tea and pot", "teapot"), ("Teapot", "pot tea"), ("Йод", "иод")],
    ],
)
def test_matching_of_similar_words_finds_nothing(name, query):
    make_product(name=name, sku="-", description="")

    assert names_for(query) == []


@pytest.mark.parametrize(
    "query, expected",
    [
        ("größe", ["Größe", "Groesse", "Grosse"]),
        ("groesse", ["Groesse", "Größe", "Grosse"]),
        ("grosse", ["Grosse", "Größe", "Groesse"]),
        ("teapot", ["Teapot", "Jug", "Tea pot"]),
        ("tea pot", ["Tea pot", "Teapot", "Jug"]),
        ("dos", ["DOS", "Does"]),
        ("does", ["Does", "DOS"]),
        ("shoe", ["Shoe", "Shö", "Sho"]),
        ("neue", ["Neue", "Neu"]),
        ("neu", ["Neu", "Neue"]),
        ("creme", ["Creme", "Crème", "Bowl"]),
    ],
)
def test_relevance_puts_the_exact_spelling_first(query, expected):
    for name in reversed(["Größe", "Groesse", "Grosse", "Teapot", "Tea pot", "DOS"]):
        make_product(name=name, description="")
    for name in ["Sho", "Shö", "Shoe", "Neu", "Neue", "Does", "Crème", "Creme"]:
        make_product(name=name, description="")
    make_product(name="Jug", description="Matches the teapot.")
    make_product(name="Bowl", description="The colour is creme.")

    assert names_for(query) == expected


def test_vector_without_a_search_path_is_computed_after_a_restore():
    """`pg_restore` sets an empty one."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = ''")
        cursor.execute(
            "SELECT public.product_vector('Größe', '{SKU-1}', 'Tea-pot')::text"
        )
        (vector,) = cursor.fetchone()

    assert "'groesse'" in vector and "'teapot'" in vector


# --- Finding ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("reading lamp", "LAMPS", "read", "lam", "lamp brass", "warmly lit"),
        *("BL-7", "bl7", "bl 7", "the lamp", "«Lamp»", "lámp"),
    ],
)
def test_matching_finds_other_forms_and_beginnings(text):
    make_product(
        name="Brass reading lamp", sku="BL-7", description="Warm. The evening is lit."
    )
    make_product(name="Jug", sku="J-1", description="For water.")

    assert names_for(text) == ["Brass reading lamp"]


@pytest.mark.parametrize(
    "text", ["лампа", "ЛАМПУ", "настольных ламп", "светит", "елка"]
)
def test_matching_finds_russian_in_any_case(text):
    make_product(name="Настольная лампа «Ёлка»", description="Светит мягко.")
    make_product(name="Brass reading lamp")

    assert names_for(text) == ["Настольная лампа «Ёлка»"]


@pytest.mark.parametrize("text", ["jug lamp", "amp", "warmth of lamps", "evenin", ""])
def test_matching_finds_nothing_without_every_word(text):
    make_product(name="Brass lamp", description="For the evening.")

    assert names_for(text) == []


def test_matching_of_stop_words_alone_finds_names():
    make_product(name="The And", description="A lamp.")
    make_product(name="Jug", description="The jug and the water.")

    assert names_for("the and") == ["The And"]


def test_relevance_puts_a_sku_before_names_and_names_before_descriptions():
    make_product(name="Jug", description="Goes well with a lamp.")
    make_product(name="Lamp", description="A lamp.", sku="L-1")
    make_product(name="Another Lamp", sku="LAMP")

    assert names_for("lamp") == ["Another Lamp", "Lamp", "Jug"]


def test_vector_of_a_changed_row_is_updated():
    product = make_product(name="Brass lamp")
    product.name = "Jug"
    catalogue.save(product)

    assert names_for("brass") == []
    assert names_for("jug") == ["Jug"]


def test_vector_of_a_very_long_description_is_stored():
    text = " ".join(f"word{n}" for n in range(200_000))

    make_product(name="Novel", description=text)

    assert names_for("novel word7") == ["Novel"]


def test_dump_of_a_product_omits_its_vector():
    make_product()

    dump = StringIO()
    call_command("dumpdata", "products.product", stdout=dump)

    (row,) = json.loads(dump.getvalue())
    assert "name" in row["fields"] and "search" not in row["fields"]


def test_products_are_loaded_without_their_vectors():
    make_product()

    with CaptureQueriesContext(connection) as queries:
        list(Product.objects.with_offers())
        make_product()

    sql = [q["sql"] for q in queries if '"products_product"' in q["sql"]]
    assert sql and not any('"search"' in one for one in sql)


# --- Counting ---------------------------------------------------------------------


@pytest.fixture
def shelves():
    """Lamps at 10 (5 left), 30 (none left) and 60; jugs at 30 and, gone, at 10."""
    lamps, jugs = make_category(name="Lamps"), make_category(name="Jugs")
    make_product(category=lamps, name="Small lamp", price=10)
    make_product(category=lamps, name="Good lamp", price=30, on_hand=2, reserved=2)
    make_product(category=lamps, name="Big lamp", price=60)
    make_product(category=jugs, name="Lamplike jug", price=30)
    make_product(category=jugs, name="Old jug", price=10, is_active=False)
    return lamps, jugs


@pytest.fixture(autouse=True)
def two_bands(settings):
    settings.PRICE_BANDS = [25, 50]


def test_facets_count_active_products(shelves):
    lamps, jugs = shelves

    assert count() == (4, 4, {lamps.pk: 3, jugs.pk: 1}, 3, [1, 2, 1], [])


def test_facets_of_a_category_still_count_other_categories(shelves):
    lamps, jugs = shelves

    facets = count(category=lamps.pk)

    assert (facets.total, facets.categories) == (3, {lamps.pk: 3, jugs.pk: 1})
    assert (facets.in_stock, facets.bands) == (2, [1, 1, 1])


def test_facets_of_a_price_still_count_other_bands(shelves):
    lamps, jugs = shelves

    facets = count(price=Band(Decimal(25), Decimal("49.99")))

    assert (facets.total, facets.bands) == (2, [1, 2, 1])
    assert (facets.categories, facets.in_stock) == ({lamps.pk: 1, jugs.pk: 1}, 1)


def test_facets_in_stock_still_count_what_else_would_match(shelves):
    lamps, jugs = shelves

    facets = count(in_stock=True, text="lamp")

    assert (facets.matching, facets.total, facets.in_stock) == (4, 3, 3)
    assert (facets.bands, facets.categories) == ([1, 1, 1], {lamps.pk: 2, jugs.pk: 1})


def test_facets_of_everything_are_cached_and_narrower_ones_are_not(shelves, settings):
    settings.CATALOGUE_MAX_AGE_S = 30
    count(), count(in_stock=True)
    make_products(2)

    assert count().total == 4
    assert count(in_stock=True).total == 5


def test_bands_cover_all_prices_without_a_gap():
    first, second, third = search.bands()

    assert first == (None, Decimal("24.99"))
    assert second == (Decimal(25), Decimal("49.99"))
    assert third == (Decimal(50), None)


# --- Typos ------------------------------------------------------------------------


def test_trigrams_mark_the_beginning_of_a_word():
    assert trigrams("mug") == ["  m", " mu", "mug", "ug "]
    assert [tolerance(w) for w in ("mug", "kettle", "chandelier")] == [1, 2, 3]


@pytest.fixture
def known():
    make_product(name="Brass lamp", description="Speckled, for reading.")
    make_product(name="Enamel kettle", description="")
    make_product(name="Стеклянный кувшин", description="")
    search.relearn()


@pytest.mark.parametrize(
    "typed, meant",
    [
        *[("lmap", "lamp"), ("kettel", "kettle"), ("spekled", "speckled")],
        *[
            ("bras lmap", "bras lamp"),
            ("speckeld", "speckled"),
            ("Кувшыный", None),
            ("куфшин", "кувшин"),
        ],
        *[("lamp", None), ("lam", None), ("zzzzzz", None), ("ka", None), ("", None)],
        *[("12345", None), ("k" * 100, None), ("💡", None), ("%'\\", None)],
    ],
)
def test_correction_of_a_typo_is_a_word_of_the_catalogue(known, typed, meant):
    assert search.corrected(typed) == meant


def test_correction_with_equal_distances_is_the_most_common_word():
    for name in ("Bowl", "Bowl two", "Boil"):
        make_product(name=name, description="")
    search.relearn()

    assert search.corrected("bowil") == "bowl"


def test_learn_adds_words_and_keeps_the_others(known):
    product = make_product(name="Chandelier", description="")

    search.learn([product.pk])

    assert search.corrected("chandelir") == "chandelier"
    assert search.corrected("lmap") == "lamp"


@pytest.mark.parametrize("number, task", [(1, "learn"), (501, "relearn")])
def test_words_of_changed_products_are_learnt_after_the_commit(
    monkeypatch, django_capture_on_commit_callbacks, number, task
):
    """What is handed to the worker is done at once here."""
    handed = []

    def do_now(task, *arguments) -> None:
        handed.append(task.__name__)
        task(*arguments)

    monkeypatch.setattr(search, "later", do_now)
    products = make_products(number, name="Chandelier")

    with django_capture_on_commit_callbacks(execute=True):
        catalogue.changed(product.pk for product in products)
        assert search.corrected("chandelir") is None

    assert handed == [task]
    assert search.corrected("chandelir") == "chandelier"


def test_relearn_deletes_unused_words(known):
    Product.objects.filter(name="Brass lamp").update(is_active=False)

    search.relearn()

    assert search.corrected("lmap") is None
    assert SearchWord.objects.filter(text="kettle", products=1).exists()


# --- Suggesting -------------------------------------------------------------------


def test_suggestions_put_names_that_begin_with_the_text_first():
    lamps = make_category(name="Lamps")
    make_product(name="Brass lamp", category=lamps)
    make_product(name="Lamp, old", category=lamps, is_active=False)
    make_product(name="Lamp of glass", category=lamps)

    suggested = search.suggest("lamp")

    assert suggested.categories == [lamps]
    assert [p.name for p in suggested.products] == ["Lamp of glass", "Brass lamp"]


def test_suggestions_for_a_typo_are_for_its_correction(known):
    suggested = search.suggest("lmap")

    assert suggested.text == "lamp"
    assert [p.name for p in suggested.products] == ["Brass lamp"]


@pytest.mark.parametrize("text", ["", "l", "zzzzzz", "%", "\\", "__", "💡💡", "'--"])
def test_suggestions_without_a_word_are_empty(known, text):
    assert search.suggest(text).number == 0


# --- Many -------------------------------------------------------------------------

ORDERS = [
    *(["name", "pk"], ["lowest_price", "pk"]),
    *(["-created_at", "-pk"], ["-lowest_price", "-pk"]),
]


def rows_read(products) -> int:
    """The most rows that any step of the query handles."""
    plan = products.explain(analyze=True)
    return max(int(n) for n in re.findall(r"actual .*?rows=(\d+)", plan))


def test_page_at_the_end_of_20000_products_reads_no_more_than_the_first():
    """The plan, not the clock. Not before a VACUUM either: a test's rows have none."""
    make_products(20_000)

    for order in ORDERS:
        products = Product.objects.active().order_by(*order)
        first = products.page(0, 24, of=20_000)
        last = products.page(19_992, 20_016, of=20_000)

        assert [p.pk for p in last] == [p.pk for p in products[19_992:20_016]], order
        assert (rows_read(first), rows_read(last)) == (24, 8), order
        # The positive control: the slice that a ListView takes.
        assert rows_read(products.with_offers()[19_992:20_016]) == 20_000, order


@pytest.mark.parametrize("size", [1, 4, 5, 9, 10, 11])
def test_pages_of_a_list_show_each_product_once_in_order(size):
    products = make_products(10, price=Decimal(1))
    listed = Product.objects.active().order_by("lowest_price", "-pk")

    pages = [
        product.pk
        for start in range(0, 10, size)
        for product in listed.page(start, start + size, of=10)
    ]

    assert pages == [product.pk for product in reversed(products)]

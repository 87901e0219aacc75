"""What an item becomes abroad, and what keeps it off: English by a person, limits in Amazon's own units."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest

from connectors.amazon import CONNECTOR
from connectors.amazon.mapping import project
from models.catalogue import Money
from models.listing import Listing, Unlistable, facet_hash
from tests.connectors.amazon.shop import STAR, USD, dollars, english, image, item, listing


def problems(**changes):
    made = project(item(**changes), USD)
    return [(p.code, p.field) for p in made.problems] if isinstance(made, Unlistable) else []


def content(**changes):
    return listing(**changes).facets["content"]["attributes"]


def text(name, **changes):
    return content(**changes)[name][0]["value"]


@pytest.mark.parametrize("texts", [None, english(name=""), english(description="")])
def test_without_english_by_a_person_nothing_is_shown(texts):
    made = project(item(english=texts), USD)

    (problem,) = made.problems
    assert (problem.code, problem.field) == ("missing-english", "english")
    assert "name_en" in problem.next_step.vi
    assert "description_en" in problem.next_step.en


def test_no_vietnamese_text_goes_abroad():
    made = content(pack="500 g/hũ", certificate=STAR, storage="Nơi khô", usage="Ăn liền", warnings="Dị ứng", marks="CN")

    for name in ("item_name", "product_description", "bullet_point"):
        assert all(one["value"].isascii() for one in made[name]), made[name]


@pytest.mark.parametrize(("star", "shown"), [(STAR, True), (None, False)])
def test_a_star_is_told_only_while_its_certificate_holds(star, shown):
    made = repr(content(certificate=star))

    assert ("OCOP 4 star" in made) is shown
    assert ("OCOP" in made) is shown


def test_parts_of_the_english_text_are_captioned():
    made = text("product_description", english=english(storage="Keep dry", usage="Fry", warnings="Contains shrimp"))

    assert made.splitlines() == ["Sun dried shrimp, no colouring.", "Ingredients: Shrimp, salt", "Storage: Keep dry",
                                 "Directions: Fry", "Warnings: Contains shrimp"]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"english": english(name="x" * 68)}, []),
        ({"english": english(name="x" * 69)}, [("too-long", "name")]),
        ({"brand": "b" * 100}, []),
        ({"brand": "b" * 101}, [("too-long", "brand")]),
        ({"english": english(description="d" * 9_974)}, []),
        ({"english": english(description="d" * 9_975)}, [("too-many-bytes", "description")]),
        ({"english": english(description="ế" * 3_325)}, [("too-many-bytes", "description")]),
        ({"english": english(ingredients="i" * 587)}, []),
        ({"english": english(ingredients="i" * 588)}, [("too-long", "ingredients")]),
        ({"sku": "S" * 40}, []),
        ({"sku": "S" * 41}, [("too-long", "sku")]),
        ({"sku": "Ô" * 6}, []),
        ({"sku": "Ô" * 7}, [("too-long", "sku")]),
        ({"sku": ""}, [("missing", "sku")]),
        ({"sku": "A,B"}, [("forbidden", "sku")]),
        ({"sku": " A"}, [("forbidden", "sku")]),
        ({"sku": ".."}, [("forbidden", "sku")]),
        ({"stock": 0}, []),
        ({"stock": 2**31 - 1}, []),
        ({"stock": 2**31}, [("out-of-range", "stock")]),
        ({"stock": -1}, [("out-of-range", "stock")]),
        ({"price": dollars("0.01")}, []),
        ({"price": dollars("0")}, [("unusable", "price")]),
        ({"price": dollars("-1")}, [("unusable", "price")]),
        ({"price": dollars("1.005")}, [("unusable", "price")]),
        ({"list_price": dollars("1.005")}, [("unusable", "list_price")]),
        ({"price": Money(amount=Decimal(500), currency="JPY")}, []),
        ({"price": Money(amount=Decimal("500.5"), currency="JPY")}, [("unusable", "price")]),
        ({"price": Money(amount=Decimal(5), currency="SGD")}, []),
        ({"price": Money(amount=Decimal(5), currency="AUD")}, []),
        ({"price": Money(amount=Decimal(620_000))}, [("wrong-currency", "price")]),
        ({"price": Money(amount=Decimal(5), currency="EUR")}, [("wrong-currency", "price")]),
        ({"images": ()}, [("missing", "images")]),
        ({"images": (image(width=499, height=499),)}, [("no-usable-picture", "images")]),
        ({"images": (image(width=500, height=100),)}, []),
        ({"images": (image(width=10_000),)}, []),
        ({"images": (image(width=10_001),)}, [("no-usable-picture", "images")]),
        ({"images": (image(size=10 * 1024 * 1024),)}, []),
        ({"images": (image(size=10 * 1024 * 1024 + 1),)}, [("no-usable-picture", "images")]),
        ({"images": (image(media_type="image/webp"),)}, [("no-usable-picture", "images")]),
        ({"is_alcohol": True}, [("alcohol", "set_no")]),
        ({"set_no": 14}, [("alcohol", "set_no")]),
        ({"set_no": 15}, [("alcohol", "set_no")]),
        ({"set_no": 26}, [("unmapped-category", "set_no")]),
        ({"set_no": None}, [("unmapped-category", "set_no")]),
    ],
)
def test_a_limit_holds_at_its_border(changes, wanted):
    assert problems(**changes) == wanted


@pytest.mark.parametrize("sign", "!$?_{}^¬¦")
def test_signs_that_titles_may_not_hold_are_refused(sign):
    assert problems(english=english(name=f"Dried {sign} Shrimp")) == [("forbidden", "name")]


def test_a_word_of_a_title_comes_twice_at_most():
    assert problems(english=english(name="Shrimp shrimp")) == []
    assert problems(english=english(name="Shrimp shrimp SHRIMP")) == [("repeated-word", "name")]
    assert problems(english=english(name="Salt of the sea of the bay of the cape")) == []


def test_every_reason_is_told_at_once_in_both_tongues():
    made = project(item(english=None, price=Money(amount=Decimal(1)), images=(), is_alcohol=True), USD)

    assert {p.code for p in made.problems} == {"missing-english", "wrong-currency", "missing", "alcohol"}
    assert all(p.message.vi != p.message.en and p.next_step.vi and p.next_step.en for p in made.problems)


def test_the_next_step_for_another_currency_is_a_command():
    (problem,) = project(item(price=Money(amount=Decimal(1))), USD).problems

    assert "caybeo accounts rate TÊN --currency USD --rate 26.000" in problem.next_step.vi


@pytest.mark.parametrize(
    ("pack", "count"),
    [
        ("500 g/hũ", (500, "Gram")),
        ("1,5 kg", (1500, "Gram")),
        ("0.5 lít/chai", (500, "Milliliter")),
        ("40 túi × 5 g", (200, "Gram")),
        ("hộp 6 gói", (1, "Count")),
        ("", (1, "Count")),
    ],
)
def test_a_pack_says_how_much_is_in_it(pack, count):
    (unit,) = content(pack=pack)["unit_count"]

    assert (unit["value"], unit["type"]["value"]) == count
    assert isinstance(unit["value"], int)


def test_a_measure_is_not_told_twice():
    assert text("item_name", english=english(name="Shrimp 500 g")) == "Shrimp 500 g"
    assert text("item_name") == "Rach Goc Dried Shrimp, 500 g"


def test_a_shelf_life_is_told_in_days():
    assert content(shelf_life="6 tháng")["fc_shelf_life"] == [{"value": 180, "unit": "days"}]


@pytest.mark.parametrize("said", ["", "lâu"])
def test_food_without_a_shelf_life_is_kept_off(said):
    assert problems(shelf_life=said) == [("shelf-life", "shelf_life")]


@pytest.mark.parametrize(
    ("gtin", "kind"),
    [("8938505974194", "ean"), ("036000291452", "upc"), ("96385074", "ean"), ("18938505974191", "gtin")],
)
def test_a_barcode_goes_under_its_kind(gtin, kind):
    assert content(gtin=gtin)["externally_assigned_product_identifier"] == [{"type": kind, "value": gtin}]


@pytest.mark.parametrize("gtin", ["", "8938505974195", "abc"])
def test_without_a_right_barcode_the_exemption_is_claimed(gtin):
    made = content(gtin=gtin)

    assert "externally_assigned_product_identifier" not in made
    assert made["supplier_declared_has_product_identifier_exemption"] == [{"value": True}]


@pytest.mark.parametrize(
    ("price", "before", "shown"),
    [
        ("24.9", None, ("24.90", "24.90")),
        ("24.90", "30", ("24.90", "30.00")),
        ("24.90", "20", ("24.90", "24.90")),
    ],
)
def test_a_price_has_its_currencys_own_decimals(price, before, shown):
    made = listing(price=dollars(price), list_price=dollars(before) if before else None).facets["price"]

    assert (made["currency"], made["amount"], made["list"]) == ("USD", *shown)


def test_yen_have_none():
    made = listing(price=Money(amount=Decimal("500.0"), currency="JPY")).facets["price"]

    assert made["amount"] == "500"


def test_composed_and_decomposed_text_are_one_listing():
    spelt = {"brand": "Rạch Gốc", "pack": "1 lít", "shelf_life": "6 tháng"}
    plain, apart = (listing(**{n: unicodedata.normalize(form, t) for n, t in spelt.items()}) for form in ("NFC", "NFD"))

    assert facet_hash(plain.facets) == facet_hash(apart.facets)


def test_nine_pictures_each_once():
    many = tuple(image(sha256=f"{n:064}") for n in range(12))

    assert listing(images=(*many[:2], *many)).facets["images"] == [one.sha256 for one in many[:9]]


def test_a_brand_that_lacks_is_the_makers_name():
    assert text("brand", brand="") == "HTX Rạch Gốc"


def test_a_listing_names_no_marketplace():
    made = repr(listing().facets)

    assert "ATVPDKIKX0DER" not in made
    assert "en_US" not in made
    assert isinstance(listing(), Listing)


@pytest.mark.parametrize("currency", CONNECTOR.currencies)
def test_every_declared_currency_is_sold_in(currency):
    assert problems(price=Money(amount=Decimal(5), currency=currency)) == []

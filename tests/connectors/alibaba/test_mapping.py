"""What is shown of an item to buyers abroad, and every reason that keeps it off."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest

from connectors.alibaba import CONNECTOR
from connectors.alibaba.categories import CATEGORIES
from connectors.alibaba.mapping import project
from connectors.categories import SETS
from connectors.contract import Policy
from models.catalogue import English, Image, Money
from models.listing import FACETS, Unlistable, facet_hash
from tests.connectors.alibaba.shop import ABROAD, STAR, english, item, listing, priced


def problems(**changes: object) -> list[tuple[str, str]]:
    made = project(item(**changes), Policy(currency="USD", age_gate=True, cashless_only=True))
    assert isinstance(made, Unlistable)
    return [(problem.code, problem.field) for problem in made.problems]


def content(**changes: object) -> dict:
    return listing(**changes).facets["content"]


def picture(**changes: object) -> Image:
    return Image(**{"sha256": "a", "media_type": "image/png", "width": 800, "height": 800, "size": 9, **changes})


def test_a_plain_item():
    made = listing()

    assert made.facets["content"]["title"] == "Rach Goc Dried Shrimp, 500 g"
    assert made.facets["content"]["keywords"] == "rach goc dried shrimp\ndried seafood"
    assert made.facets["content"]["attributes"] == {"Place of Origin": "Viet Nam", "Brand Name": "Năm Căn"}
    assert made.facets["stock"] == {"inventory": 120}
    assert len(made.facets["images"]) == 2


def test_a_star_is_words_and_only_while_its_certificate_holds():
    assert (
        "<p>OCOP 4 stars (One Commune One Product programme of Vietnam)</p>" in content(certificate=STAR)["description"]
    )
    assert "OCOP" not in str(listing().facets)


def test_only_english_is_shown_but_for_names():
    shown = str(listing(usage="Ăn liền", warnings="Không", shelf_life="6 tháng", marks="ISO", origin="Cà Mau").facets)

    assert not any(word in shown for word in ("Tôm", "tháng", "Ăn liền", "Nơi khô", "hộp", "HTX"))


def test_every_english_text_is_shown():
    shown = content(english=english(usage="Fry", warnings="Contains shellfish"))["description"]

    for line in ("Ingredients: Shrimp, salt", "Storage: Keep dry", "Directions: Fry", "Warnings: Contains shellfish"):
        assert f"<p>{line}</p>" in shown


def test_text_is_escaped_once():
    assert "Sweet &amp; &lt;tender&gt;." in content()["description"]


def test_an_item_without_a_brand_names_none():
    assert "Brand Name" not in content(brand="")["attributes"]


@pytest.mark.parametrize(
    ("pack", "net", "weight"),
    [
        ("500 g/hộp", ", 500 g", "0.55"), ("1,5 kg", ", 1.5 kg", "1.65"), ("250ml", ", 250 ml", "0.28"),
        ("2 lít", ", 2 L", "2.2"), ("200 gram", ", 200 g", "0.22"), ("100 gr/gói", ", 100 g", "0.11"),
        ("hộp đẹp", "", "0.5"), ("", "", "0.5"), ("200 g (40 túi lọc × 5 g)", ", 200 g", "0.22"),
        ("40 túi × 5 g", ", 40 x 5 g", "0.22"), ("0 g", "", "0.5"),
    ],
)  # fmt: skip
def test_a_parcel_weighs_what_the_pack_says_and_its_wrapping(pack, net, weight):
    made = content(pack=pack)

    assert (made["title"], made["weight"]) == (f"Rach Goc Dried Shrimp{net}", weight)


def test_one_tier_begins_at_the_minimum_order():
    facets = listing(price=priced("17.30")).facets

    assert facets["price"] == {"price_type": "TIERED", "currency": "USD", "tiered_price": [[20, "17.3"]]}
    assert (facets["content"]["moq"], facets["content"]["unit"]) == (20, "Pack")


@pytest.mark.parametrize("amount", ["0.01", "9999999", "9999998.99", "1", "12.30"])
def test_prices_that_are_taken(amount):
    assert listing(price=priced(amount))


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1.005", "9999999.01"])
def test_prices_that_are_not(amount):
    assert problems(price=priced(amount)) == [("unusable", "price")]


@pytest.mark.parametrize("currency", ["VND", "EUR", "usd"])
def test_another_currency_asks_for_a_rate(currency):
    made = project(item(price=Money(amount=Decimal(450000), currency=currency)), Policy())

    assert isinstance(made, Unlistable)
    [problem] = made.problems
    assert (problem.code, problem.field) == ("wrong-currency", "price")
    assert "caybeo accounts rate TÊN --currency USD --rate 26.000" in problem.next_step.vi


@pytest.mark.parametrize(
    "texts", [None, English(name=""), English(name="Shrimp"), English(name=" ", description="x"),
              English(name="Shrimp", description=" ")],
)  # fmt: skip
def test_texts_that_no_person_wrote_are_never_made_up(texts):
    made = project(item(english=texts), ABROAD)

    assert isinstance(made, Unlistable)
    [problem] = made.problems
    assert (problem.code, problem.field) == ("missing-english", "english")
    assert "name_en" in problem.next_step.vi
    assert "description_en" in problem.next_step.en


def test_the_title_is_measured_in_bytes_with_its_pack():
    assert content(english=english(name="x" * 121))["title"] == "x" * 121 + ", 500 g"
    assert problems(english=english(name="x" * 122)) == [("too-many-bytes", "english")]
    assert len(content(pack="", english=english(name="x" * 128))["title"]) == 128


@pytest.mark.parametrize("name", ["Cà Mau Shrimp", "Shrimp – dried", "Shrimp ★"])
def test_a_title_is_ascii(name):
    assert problems(english=english(name=name)) == [("not-ascii", "english")]


@pytest.mark.parametrize(("field", "code"), [("brand", "too-long"), ("sku", "too-long")])
def test_values_have_seventy_characters(field, code):
    assert listing(**{field: "ế" * 70})
    assert problems(**{field: "ế" * 71}) == [(code, field)]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"stock": -1}, ("out-of-range", "stock")),
        ({"images": ()}, ("missing", "images")),
        ({"images": (picture(size=5_000_001),)}, ("no-usable-picture", "images")),
        ({"images": (picture(media_type="image/webp"),)}, ("no-usable-picture", "images")),
        ({"set_no": None}, ("unmapped-category", "set_no")),
        ({"set_no": 26}, ("unmapped-category", "set_no")),
        ({"set_no": 99}, ("unmapped-category", "set_no")),
    ],
)
def test_what_keeps_an_item_off(changes, wanted):
    assert problems(**changes) == [wanted]


def test_all_reasons_are_told_at_once():
    assert len(problems(english=None, stock=-1, images=(), set_no=None, price=priced("0"))) == 5


def test_pictures_at_the_border_are_taken_each_once_and_six_at_most():
    many = tuple(picture(sha256=str(n // 2), size=5_000_000) for n in range(20))

    assert listing(images=many).facets["images"] == ["0", "1", "2", "3", "4", "5"]


def test_no_stock_is_told_as_it_is():
    assert listing(stock=0).facets["stock"] == {"inventory": 0}


@pytest.mark.parametrize("changes", [{"set_no": 14}, {"set_no": 15}, {"set_no": 17, "is_alcohol": True}])
def test_alcohol_is_withheld_whatever_the_account_allows(changes):
    assert problems(**changes) == [("unmapped-category", "set_no")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_both_forms_of_a_letter_are_one_listing(form):
    def spelled(text: str) -> str:
        return unicodedata.normalize(form, text)

    same = listing(
        brand=spelled("Năm Căn"),
        english=english(description=spelled("Sun-dried shrimp from Rạch Gốc.\nSweet & <tender>.")),
    )

    assert {f: facet_hash(same.facets[f]) for f in FACETS} == {f: facet_hash(listing().facets[f]) for f in FACETS}


def test_unmapped_sets_are_listed_and_food_has_a_default():
    assert CATEGORIES.unmapped() == (14, 15, 18, 19, 20, 23, 24, 25, 26)
    assert CATEGORIES.of(1).name == "Other Food & Beverage"
    assert CATEGORIES.of(99) is None


def test_each_mapped_set_is_listed_on_terms_that_the_platform_takes():
    for made in (content(set_no=number) for number in SETS if CATEGORIES.of(number)):
        assert made["category_id"] in CATEGORIES.by_id
        assert made["moq"] >= 1
        assert made["keywords"].isascii()


def test_it_sells_in_dollars_only():
    assert CONNECTOR.currencies == ("USD",)
    assert CONNECTOR.rotates

"""What an article shows of an item, the limits at and above their borders, and the file for a Mini App."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import msgspec
import pytest

from connectors.addresses import Addresses
from connectors.contract import Policy
from connectors.zalo import CONNECTOR
from connectors.zalo.feed import feed
from connectors.zalo.mapping import description, offer_of, project
from models.catalogue import Money, Producer
from models.listing import Listing, Unlistable
from tests.connectors.zalo.shop import KEY, OTHER_SHA, SHA, STAR, image, item, listing

OURS = Addresses("https://cuahang.example/sp/{sku}", "https://cuahang.example/anh/{sha256}")


def problems(**changes):
    found = project(item(**changes), Policy(age_gate=True, cashless_only=True))
    assert isinstance(found, Unlistable), found
    return found.problems


def codes(**changes):
    return [(problem.code, problem.field) for problem in problems(**changes)]


def dong(amount):
    return Money(amount=Decimal(amount))


def test_a_plain_item():
    facets = listing().facets

    assert facets["content"]["title"] == "Tôm khô Rạch Gốc 500 g/hũ"
    assert facets["content"]["author"] == "Rạch Gốc"
    assert facets["content"]["body"] == [
        "Tôm đất phơi nắng.",
        "Thơm & ngọt.",
        "Nhãn hiệu: Rạch Gốc",
        "Thành phần: Tôm đất, muối",
        "Hạn sử dụng: 12 tháng",
        "Xuất xứ: Cà Mau",
        "Cơ sở: HTX Rạch Gốc, Phan Ngọc Hiển, Cà Mau",
    ]
    assert facets["price"] == {"price": 620_000, "list_price": 650_000, "unit": "hũ 500 g"}
    assert facets["stock"] == {"available": True}
    assert facets["images"] == [SHA, OTHER_SHA]


def test_the_star_stands_in_the_title_only_while_it_may_be_shown():
    assert listing(certificate=STAR).facets["content"]["title"].endswith("(OCOP 4 sao)")
    assert "OCOP" not in str(listing().facets)


def test_a_name_that_says_it_already_says_it_once():
    title = listing(certificate=STAR, name="Tôm khô OCOP 4 sao").facets["content"]["title"]

    assert title.count("OCOP") == 1


def test_a_pack_in_the_name_is_not_said_twice():
    assert listing(name="Tôm khô 500 g/hũ").facets["content"]["title"] == "Tôm khô 500 g/hũ"


@pytest.mark.parametrize(
    ("price", "list_price", "pack", "stock", "text"),
    [
        (620_000, None, "gói 500 g", 1, "620.000 ₫ / gói 500 g. Còn hàng."),
        (620_000, None, "500 g/gói", 0, "620.000 ₫ / gói 500 g. Hết hàng."),
        (620_000, 650_000, "", 1, "620.000 ₫ (giá niêm yết 650.000 ₫). Còn hàng."),
        (1_500_000, 1_500_000, "1 kg", 1, "1.500.000 ₫ / 1 kg. Còn hàng."),
        (900, 800, "", 1, "900 ₫. Còn hàng."),
        (1, None, "6 × 50 g/túi/thùng", 9, "1 ₫ / thùng 6 × 50 g/túi. Còn hàng."),
    ],
)
def test_a_price_is_written_as_people_write_it_and_read_back(price, list_price, pack, stock, text):
    changes = {"price": dong(price), "list_price": list_price and dong(list_price), "pack": pack, "stock": stock}
    facets = listing(**changes).facets

    assert description(facets["price"], facets["stock"]) == text
    assert offer_of(text) == (facets["price"], facets["stock"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "620.000 ₫",
        "620000 ₫. Còn hàng.",
        "620,000 ₫. Còn hàng.",
        "620.000 đ. Còn hàng.",
        "620.000 ₫. còn hàng.",
        "0620.000 ₫. Còn hàng.",
        "62.0000 ₫. Còn hàng.",
        ". ₫. Còn hàng.",
        " 620.000 ₫. Còn hàng.",
        "620.000 ₫. Còn hàng. Giao nhanh.",
        "620.000 ₫ (giá niêm yết 0 ₫). Còn hàng.",
        "620.000 ₫ / . Còn hàng.",
    ],
)
def test_what_is_written_otherwise_equals_no_price(text):
    assert offer_of(text) == ({"text": text}, {"text": text})


@pytest.mark.parametrize("pack", ["x (giá niêm yết 5 ₫)", "5 ₫) (giá niêm yết 6 ₫)"])
def test_a_pack_that_could_be_taken_for_a_price_is_refused(pack):
    assert codes(pack=pack, list_price=None) == [("ambiguous", "pack")]


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["ộ", unicodedata.normalize("NFD", "ộ"), "x"])
def test_a_title_has_room_for_149_characters_however_they_were_typed(letter):
    fits = listing(name=letter * 149, pack="").facets["content"]["title"]

    assert len(fits) == 149
    assert unicodedata.is_normalized("NFC", fits)
    assert codes(name=letter * 150, pack="") == [("too-long", "name")]


def test_a_star_needs_room_too():
    assert codes(name="x" * 140, pack="", certificate=STAR) == [("too-long", "name")]


@pytest.mark.parametrize(("length", "fits"), [(299, True), (300, False)])
def test_a_description_has_room_for_299_characters(length, fits):
    """The title holds the pack too, and is too long long before."""
    around = len("620.000 ₫ /  (giá niêm yết 650.000 ₫). Còn hàng.")

    assert (("too-long", "pack") not in codes(pack="x" * (length - around))) is fits


@pytest.mark.parametrize(
    ("brand", "maker", "author"),
    [
        ("x" * 50, "HTX", "x" * 50),
        ("x" * 51, "HTX Rạch Gốc", "HTX Rạch Gốc"),
        ("", "y" * 50, "y" * 50),
        ("x" * 51, "y" * 51, "Đặc sản Cà Mau"),
        ("", "", "Đặc sản Cà Mau"),
    ],
)
def test_an_author_is_the_first_name_that_fits(brand, maker, author):
    made = listing(brand=brand, producer=Producer(producer_id="P", legal_name=maker))

    assert made.facets["content"]["author"] == author


@pytest.mark.parametrize(
    ("amount", "found"),
    [
        (1, []),
        (10**9, []),
        (10**9 + 1, [("out-of-range", "price")]),
        (0, [("out-of-range", "price")]),
        ("1.5", [("out-of-range", "price")]),
    ],
)
def test_a_price_is_whole_dong(amount, found):
    made = project(item(price=dong(amount), list_price=None), Policy())

    assert [(p.code, p.field) for p in getattr(made, "problems", ())] == found


def test_a_price_in_another_currency_is_no_price_here():
    assert codes(price=Money(amount=Decimal(25), currency="USD"), list_price=None) == [("out-of-range", "price")]
    assert CONNECTOR.currencies == ("VND",)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"is_alcohol": True}, ("alcohol", "set_no")),
        ({"set_no": 14}, ("alcohol", "set_no")),
        ({"set_no": 15}, ("alcohol", "set_no")),
        ({"name": "", "pack": ""}, ("missing", "name")),
        ({"name": "Tôm <b>khô</b>"}, ("html", "name")),
        ({"description": "Ngon <br> lắm"}, ("html", "description")),
        ({"stock": -1}, ("out-of-range", "stock")),
        ({"list_price": Money(amount=Decimal(30), currency="USD")}, ("out-of-range", "list_price")),
        ({"images": ()}, ("missing", "images")),
        ({"images": (image(size=1_000_001),)}, ("no-usable-picture", "images")),
        ({"images": (image(media_type="image/webp"),)}, ("no-usable-picture", "images")),
    ],
)
def test_what_cannot_be_shown_says_why(changes, found):
    assert codes(**changes) == [found]


def test_an_article_needs_a_text():
    nothing = dict.fromkeys(("description", "brand", "ingredients", "shelf_life", "origin"), "")

    assert codes(**nothing, producer=Producer(producer_id="P", legal_name="")) == [("missing", "description")]


def test_a_less_than_sign_is_no_tag():
    assert isinstance(project(item(description="Ẩm < 5 %, thơm <3"), Policy()), Listing)


@pytest.mark.parametrize(("size", "fits"), [(1_000_000, True), (1_000_001, False)])
def test_a_picture_that_is_too_large_is_left_out_while_another_remains(size, fits):
    found = listing(images=(image(size=size), image(sha256=OTHER_SHA))).facets["images"]

    assert found == ([SHA, OTHER_SHA] if fits else [OTHER_SHA])


def test_ten_pictures_are_shown_each_once():
    many = tuple(image(sha256=f"{n % 12:064x}") for n in range(24))

    assert listing(images=many).facets["images"] == [f"{n:064x}" for n in range(10)]


def test_all_that_is_wrong_is_said_at_once():
    assert len(problems(set_no=14, name="x" * 150, stock=-1, images=())) == 4


def test_own_sentences_stand_in_both_languages():
    (problem,) = problems(set_no=14)

    assert all((problem.message.vi, problem.message.en, problem.next_step.vi, problem.next_step.en))


# --- addresses and the file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sku", [KEY, "A", "a/b", "ế", "%2F", "?x=1#y", "..", "{sku}"])
def test_a_product_is_known_by_its_page(sku):
    assert OURS.key(OURS.link(sku)) == sku


@pytest.mark.parametrize(
    "link", ["", "https://cuahang.example/sp/", "https://cuahang.example/sp/a/b", "http://cuahang.example/sp/a", "x"]
)
def test_another_address_is_nobodys_product(link):
    assert OURS.key(link) == ""


def test_a_mini_app_reads_the_same_facts():
    made = msgspec.json.decode(feed([listing(sku="B"), listing(sku="A", certificate=STAR, stock=0)], OURS))

    assert (made["format"], made["currency"], [p["sku"] for p in made["products"]]) == (1, "VND", ["A", "B"])
    first = made["products"][0]
    assert (first["name"], first["price"], first["list_price"]) == (
        "Tôm khô Rạch Gốc 500 g/hũ (OCOP 4 sao)", 620_000, 650_000
    )  # fmt: skip
    assert (first["available"], first["unit"], first["seller"]) == (False, "hũ 500 g", "Rạch Gốc")
    assert first["pictures"] == [f"https://cuahang.example/anh/{sha}" for sha in (SHA, OTHER_SHA)]
    assert first["link"] == "https://cuahang.example/sp/A"


def test_the_file_is_the_same_in_whatever_order_the_listings_come():
    both = [listing(sku="A"), listing(sku="B")]

    assert feed(both, OURS) == feed(both[::-1], OURS)

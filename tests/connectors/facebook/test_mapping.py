"""What Meta's catalogue shows of an item."""

from decimal import Decimal

import pytest

from connectors.contract import Policy
from connectors.facebook.mapping import category, project
from models.catalogue import Money
from models.listing import Listing


def facets(item):
    listing = project(item, Policy())
    assert isinstance(listing, Listing), listing
    return listing.facets


def codes(item):
    return [problem.code for problem in project(item, Policy(age_gate=True, cashless_only=True)).problems]


def test_a_plain_item(item):
    found = facets(item())

    assert found["content"]["title"] == "Tôm khô Rạch Gốc 500 g"
    assert found["price"] == {"price": 620_000, "sale_price": None}
    assert found["stock"] == {"inventory": 40, "availability": "in stock"}
    assert found["images"] == ["a" * 64, "b" * 64]


def test_the_star_is_text_only_while_it_may_be_shown(item, star):
    with_star, without = facets(item(certificate=star()))["content"], facets(item())["content"]

    assert with_star["description"].startswith("OCOP 4 sao.")
    assert with_star["custom_label_0"] == "OCOP-4"
    assert "OCOP" not in "".join(without.values())


@pytest.mark.parametrize("changed", [{"is_alcohol": True}, {"set_no": 14}, {"set_no": 15}])
def test_alcohol_is_withheld_whatever_the_account_allows(item, changed):
    assert codes(item(**changed)) == ["alcohol"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"set_no": 18}, "supplement"),
        ({"set_no": 24}, "unmapped-category"),
        ({"name": "TÔM KHÔ"}, "all-capitals"),
        ({"description": "Ngon <b>lắm</b>"}, "html"),
        ({"images": ()}, "missing"),
        ({"name": "x" * 145}, "too-long"),
        ({"description": "x" * 5_000}, "too-long"),
        ({"sku": "x" * 101}, "too-long"),
        ({"stock": -1}, "out-of-range"),
        ({"price": Money(amount=Decimal("1.5"))}, "out-of-range"),
    ],
)
def test_what_cannot_be_shown_says_why(item, changed, code):
    assert codes(item(**changed)) == [code]


def test_a_picture_that_is_too_small_is_left_out_while_another_remains(item, image):
    small = image(sha256="c" * 64, width=499)

    assert facets(item(images=(small, image())))["images"] == ["a" * 64]
    assert codes(item(images=(small,))) == ["no-usable-picture"]


def test_the_limit_of_a_title_counts_characters_and_not_bytes(item):
    assert len(facets(item(name="ộ" * 150, pack=""))["content"]["title"]) == 150


@pytest.mark.parametrize(("gtin", "sent"), [("8934563138165", "8934563138165"), ("8934563138166", ""), ("abc", "")])
def test_a_barcode_with_a_wrong_check_digit_is_left_out(item, gtin, sent):
    assert facets(item(gtin=gtin))["content"]["gtin"] == sent


def test_the_maker_stands_in_for_a_brand(item):
    assert facets(item(brand=""))["content"]["brand"] == "HTX Rạch Gốc"


@pytest.mark.parametrize(
    ("set_no", "name", "number"),
    [(4, "Mật ong U Minh", "4947"), (4, "Yến", "422"), (9, "Nước mắm", "5763"), (11, "", "2073")],
)
def test_categories_are_googles_numbers(item, set_no, name, number):
    assert category(item(set_no=set_no, name=name)) == number

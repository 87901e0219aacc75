"""What is shown of an item, and every reason that keeps it off."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.contract import Policy
from connectors.lazada.categories import CATEGORIES
from connectors.lazada.mapping import project
from models.catalogue import Image, Money
from models.listing import Unlistable
from tests.connectors.lazada.shop import STAR, item, listing


def problems(**changes: object) -> list[tuple[str, str]]:
    made = project(item(**changes), Policy(age_gate=True, cashless_only=True))
    assert isinstance(made, Unlistable)
    return [(problem.code, problem.field) for problem in made.problems]


def test_a_star_is_words_and_only_while_its_certificate_holds():
    assert "<li>OCOP 4 sao</li>" in listing(certificate=STAR).facets["content"]["short_description"]
    assert "OCOP" not in str(listing().facets)


def test_the_name_bears_the_pack_once():
    assert listing().facets["content"]["name"] == "Tôm khô Rạch Gốc – 500 g/hộp"
    assert listing(name="Mật ong 500 g/hộp").facets["content"]["name"] == "Mật ong 500 g/hộp"


def test_text_is_escaped_once():
    assert "Thơm &amp; ngọt &lt;3." in listing().facets["content"]["description"]


@pytest.mark.parametrize(
    ("pack", "weight"),
    [("500 g/hộp", "0.55"), ("1,5 kg", "1.65"), ("250ml", "0.28"), ("2 lít", "2.2"), ("hộp đẹp", "0.5"), ("", "0.5")],
)
def test_a_parcel_weighs_what_the_pack_says_and_its_wrapping(pack, weight):
    assert listing(pack=pack).facets["content"]["package"]["weight"] == weight


def test_the_name_is_measured_in_bytes():
    assert problems(name="ế" * 82) == [("too-many-bytes", "name")]
    assert listing(name="ế" * 79).facets["content"]["name"]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"name": 'Tôm "ngon"'}, ("forbidden", "name")),
        ({"sku": "A/1"}, ("forbidden", "sku")),
        ({"description": "x" * 25_001}, ("too-long", "description")),
        ({"price": Money(amount=Decimal("1.5"))}, ("unusable", "price")),
        ({"price": Money(amount=Decimal(0))}, ("unusable", "price")),
        ({"stock": -1}, ("unusable", "stock")),
        ({"images": ()}, ("missing", "images")),
        ({"images": (Image(sha256="a", media_type="image/png", width=329, height=800, size=9),)},
         ("no-usable-picture", "images")),
        ({"pack": "50 kg"}, ("too-heavy", "pack")),
        ({"set_no": None}, ("unmapped-category", "set_no")),
    ],
)  # fmt: skip
def test_what_keeps_an_item_off(changes, wanted):
    assert problems(**changes) == [wanted]


@pytest.mark.parametrize("changes", [{"set_no": 14}, {"set_no": 15}, {"set_no": 17, "is_alcohol": True}])
def test_alcohol_is_withheld_whatever_the_account_allows(changes):
    assert problems(**changes) == [("unmapped-category", "set_no")]


def test_unmapped_sets_are_listed_and_food_has_a_default():
    assert CATEGORIES.unmapped() == (14, 15, 23, 24, 25, 26)
    assert CATEGORIES.of(1).name == "Thực phẩm khác"
    assert CATEGORIES.of(99) is None

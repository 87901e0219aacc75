"""What an item says of itself, once."""

from __future__ import annotations

import pytest

from connectors.packs import held
from connectors.prose import USE, described, english_star, english_title, in_english
from models.catalogue import Certificate, English, Producer
from models.listing import Item
from models.value import replace
from tests.connectors.amazon.shop import item

MAKER = Producer(producer_id="P1", legal_name="HTX Rạch Gốc", commune="Phan Ngọc Hiển", province="Cà Mau")


def said(**changes: object) -> list[str]:
    plain: Item = replace(item(ingredients="Tôm đất", shelf_life="", origin="Cà Mau"), producer=MAKER)
    return described(replace(plain, **changes), (*USE, "origin"))


def test_every_part_has_its_line_and_the_maker_the_last() -> None:
    assert said(storage="Nơi khô") == [
        "Tôm đất phơi nắng.",
        "Thành phần: Tôm đất",
        "Bảo quản: Nơi khô",
        "Xuất xứ: Cà Mau",
        "Cơ sở: HTX Rạch Gốc, Phan Ngọc Hiển, Cà Mau",
    ]


def test_a_maker_who_was_named_is_not_named_again() -> None:
    facts = "Tôm khô (500 g).\nCơ sở: HTX Rạch Gốc.\nNơi sản xuất: Phan Ngọc Hiển, Cà Mau."

    assert sum("HTX Rạch Gốc" in line for line in said(description=facts)) == 1


def test_a_maker_without_a_name_has_no_line() -> None:
    assert not any("Cơ sở" in line for line in said(producer=replace(MAKER, legal_name="")))


def test_english_texts_are_captioned_and_blank_lines_left_out() -> None:
    texts = English(name="Shrimp", description="Dried.\n\nBy the sun.", storage="Keep dry", usage="Fry")

    assert in_english(texts) == ["Dried.", "By the sun.", "Storage: Keep dry", "Directions: Fry"]


@pytest.mark.parametrize(
    ("name", "pack", "title"),
    [
        ("Shrimp", "500 g/hũ", "Shrimp, 500 g"),
        ("Shrimp 500 g", "500 g/hũ", "Shrimp 500 g"),
        ("Shrimp", "hộp", "Shrimp"),
    ],
)
def test_an_english_title_tells_the_pack_once(name: str, pack: str, title: str) -> None:
    assert english_title(English(name=name), held(pack)) == title


def test_a_star_is_told_where_there_is_a_certificate() -> None:
    assert english_star(None) == []
    assert english_star(Certificate(star=4)) == ["OCOP 4 stars (One Commune One Product programme of Vietnam)"]

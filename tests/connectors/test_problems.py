"""Reasons that several marketplaces share name the field as a shop owner calls it, and say what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.conformance.bench import SHRIMP
from connectors.pictures import MEGABYTE, PictureRule
from connectors.problems import (
    ANY_SIDE,
    LABELS,
    elsewhere,
    forbidden,
    ill_sized,
    label,
    missing,
    no_usable_picture,
    too_long,
    too_many_bytes,
    unmapped,
    unsellable,
    with_html,
)
from models.catalogue import Image, Money
from models.listing import Item, Problem
from models.value import replace


def test_every_field_of_an_item_has_a_name_people_know() -> None:
    nested = {"group", "producer", "is_alcohol", "alcohol_percent"}  # told by their parts, or never a mapping's reason

    unnamed = set(Item.__struct_fields__) - nested - set(LABELS) - {"price_confirmed_on"}

    assert unnamed == set()


def test_an_unknown_field_keeps_its_own_name() -> None:
    assert label("video").vi == "video"


@pytest.mark.parametrize(
    "problem",
    [
        too_long("name", 1_234, 1_000),
        missing("brand"),
        unmapped(26),
        unmapped(None),
        too_many_bytes("name", "ế", 2, "Sàn"),
        forbidden("name", "!", "Sàn"),
        no_usable_picture(2),
        elsewhere("alcohol", "Sàn không bán rượu.", "No alcohol is sold here."),
        *with_html([("name", "<b>")], "Sàn"),
    ],
    ids=lambda problem: problem.code + (problem.message.vi if problem.code == "unmapped-category" else ""),
)
def test_every_reason_has_a_sentence_and_a_next_step(problem: Problem) -> None:
    for told in (problem.message, problem.next_step):
        assert told.vi.endswith(".")
        assert told.en.endswith(".")
        assert told.vi != told.en
    assert problem.code
    assert problem.field


def test_lengths_are_told_as_people_write_them() -> None:
    problem = too_long("name", 1_234, 1_000)

    assert problem.message.vi == "Mục tên sản phẩm dài 1.234 ký tự, sàn chỉ nhận 1.000."
    assert problem.field == "name"


def test_a_missing_field_is_named() -> None:
    assert missing("shelf_life").message.vi == "Thiếu hạn sử dụng, sàn bắt buộc phải có."


def test_a_set_without_a_category_is_told_apart_from_no_set() -> None:
    assert "số 26" in unmapped(26).message.vi
    assert "1–26" in unmapped(None).message.vi


def test_sizes_and_required_fields_are_judged_in_order() -> None:
    found = ill_sized([("name", "", 5), ("brand", "", 5), ("pack", "xxxxxx", 5)], required=("name",))

    assert [(p.code, p.field) for p in found] == [("missing", "name"), ("too-long", "pack")]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"price": Money(amount=Decimal(100))}, []),
        ({"price": Money(amount=Decimal(101))}, ["price"]),
        ({"price": Money(amount=Decimal(0))}, ["price"]),
        ({"price": Money(amount=Decimal("1.5"))}, ["price"]),
        (
            {"price": Money(amount=Decimal(5), currency="USD"), "list_price": Money(amount=Decimal(-1))},
            ["price", "list_price"],
        ),
        ({"stock": -1}, ["stock"]),
        ({"stock": 10}, []),
        ({"stock": 11}, ["stock"]),
    ],
)
def test_an_offer_is_whole_dong_and_a_stock_within_its_bounds(changes: dict[str, Any], found: list[str]) -> None:
    item = replace(SHRIMP, **{"price": Money(amount=Decimal(1)), "list_price": None, "stock": 0, **changes})

    assert [p.field for p in unsellable(item, 100, 10)] == found
    assert {p.code for p in unsellable(item, 100, 10, code="unusable")} <= {"unusable"}


def test_a_stock_may_have_no_upper_bound() -> None:
    item = replace(SHRIMP, price=Money(amount=Decimal(1)), list_price=None, stock=10**12)

    assert list(unsellable(item, 100)) == []


def test_a_price_below_the_least_is_told_with_both_bounds() -> None:
    (problem,) = unsellable(replace(SHRIMP, price=Money(amount=Decimal(999))), 2_000_000, least_price=1_000)

    assert problem.field == "price"
    assert problem.message.vi == "Mục giá bán phải là số đồng nguyên từ 1.000 đến 2.000.000."
    assert list(unsellable(replace(SHRIMP, price=Money(amount=Decimal(1_000))), 2_000_000, least_price=1_000)) == []


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"size": 2 * MEGABYTE + 1}, False),
        ({"media_type": "image/webp"}, False),
        ({"width": 499}, False),
        ({"height": 499}, False),
    ],
)
def test_a_picture_must_fit_every_rule(changes: dict[str, Any], fits: bool) -> None:
    image = Image(
        **{"sha256": "a" * 64, "media_type": "image/png", "width": 500, "height": 500, "size": 2 * MEGABYTE, **changes}
    )
    item = replace(SHRIMP, images=(image, image))
    rule = PictureRule(most=2, size=2 * MEGABYTE, sides=range(500, ANY_SIDE.stop))

    assert rule.usable(item) == (["a" * 64] if fits else [])
    assert [p.code for p in rule.problems(item)] == ([] if fits else ["no-usable-picture"])


def test_without_a_rule_for_its_sides_a_picture_of_unknown_size_is_taken() -> None:
    image = Image(sha256="a" * 64, media_type="image/png", width=0, height=0, size=1)

    assert PictureRule(most=1, size=1).fits(image)


def test_pictures_are_wanted_in_pixels_only_where_that_counts() -> None:
    sides = [ANY_SIDE, range(500, ANY_SIDE.stop), range(500, 10_001)]

    told = [no_usable_picture(2, one).message.vi.partition("MB")[2] for one in sides]

    assert told == [".", ", mỗi cạnh 500+ điểm ảnh.", ", mỗi cạnh 500–10.000 điểm ảnh."]
    assert "cạnh dài 500" in no_usable_picture(2, range(500, 10_001), longer=True).message.vi

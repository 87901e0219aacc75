"""Reasons that several marketplaces share name the field as a shop owner calls it, and say what to do."""

from __future__ import annotations

import pytest

from connectors.problems import LABELS, label, missing, too_long, unmapped
from models.listing import Item, Problem


def test_every_field_of_an_item_has_a_name_people_know() -> None:
    nested = {"group", "producer", "is_alcohol", "alcohol_percent"}  # told by their parts, or never a mapping's reason

    unnamed = set(Item.__struct_fields__) - nested - set(LABELS) - {"price_confirmed_on"}

    assert unnamed == set()


def test_an_unknown_field_keeps_its_own_name() -> None:
    assert label("video").vi == "video"


@pytest.mark.parametrize(
    "problem",
    [too_long("name", 1_234, 1_000), missing("brand"), unmapped(26), unmapped(None)],
    ids=["too-long", "missing", "unmapped", "unknown-set"],
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

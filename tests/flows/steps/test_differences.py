"""When two values are the same to a reader, and how a difference is told."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest

from flows.steps.differences import KEPT, SHOWN, Difference, brief, differences, same, there_instead, told


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (250000, 250000.0),
        (250000, "250000"),
        (Decimal("250000.00"), 250000),
        ("Tôm khô", unicodedata.normalize("NFD", "Tôm khô")),
        ("Tôm  khô\n200 g ", "Tôm khô 200 g"),
        (None, ""),
        ([], None),
        ({"star": 4, "note": None}, {"star": "4"}),
        (["a ", "b"], ["a", "b"]),
    ],
)
def test_M13_spelling_alone_is_no_difference(ours, theirs):
    assert same(ours, theirs)
    assert same(theirs, ours)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (250000, 250),
        ("250.000", 250),
        (True, 1.5),
        ("00123", "123"),  # a barcode is no number
        (0, None),
        ("", "0"),
        ("Tôm khô", "Tom kho"),
        (["a", "b"], ["b", "a"]),
        ({"star": 4}, {"star": 5}),
        ({"star": 4}, None),
        ("nan", 0),
    ],
)
def test_M13_another_value_is_a_difference(ours, theirs):
    assert not same(ours, theirs)
    assert not same(theirs, ours)


def test_fields_are_named_also_those_within_a_field():
    ours = {"name": "Tôm", "producer": {"commune": "Tân Ân", "province": "Cà Mau"}, "gtin": ""}
    theirs = {"name": "Tôm ", "producer": {"commune": "Đất Mũi", "province": "Cà Mau"}, "extra": "x"}

    found = differences("content", ours, theirs)

    assert [(d.field, d.ours, d.theirs) for d in found] == [
        ("producer.commune", "Tân Ân", "Đất Mũi"),
        ("extra", None, "x"),
    ]


def test_a_price_is_told_in_dong_on_both_sides():
    (found,) = differences("price", {"price_vnd": 250_000}, {"price_vnd": 200_000})

    assert told(found).en == "price: 250.000 ₫ on our side, 200.000 ₫ there"
    assert told(found).vi == "giá: 250.000 ₫ bên mình, 200.000 ₫ trên sàn"


def test_other_pictures_are_told_though_they_are_as_many():
    (found,) = differences("images", ["a", "b"], ["a", "c"])

    assert told(found).en == "pictures: 2 pictures on our side, 2 pictures of others there"


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (None, {"star": 4, "valid_until": "2028-01-22"}, "OCOP star: – on our side, 4, 2028-01-22 there"),
        (False, True, "OCOP star: no on our side, yes there"),
        (["a", "b"], ["a"], "OCOP star: a, b on our side, a there"),
    ],
)
def test_every_kind_of_value_can_be_told(ours, theirs, words):
    assert told(Difference(facet="content", field="ocop", ours=ours, theirs=theirs)).en == words


def test_of_a_long_text_the_place_is_told_where_it_begins_to_differ():
    text = "Tôm đất tự nhiên phơi nắng " * 20
    found = Difference(facet="content", field="description", ours=text + "hai ngày", theirs=text + "ba ngày")

    words = told(found).en

    assert "hai ngày" in words
    assert "ba ngày" in words
    assert len(words) < 3 * SHOWN
    assert len(brief(found)["ours"]) == KEPT + 1


def test_what_stands_there_instead_is_found_by_our_own_figure():
    ours, theirs = {"price_vnd": 250_000, "list_price_vnd": 300_000}, {"price_vnd": "99000", "list_price_vnd": None}

    assert there_instead(ours, Decimal(250_000), theirs) == 99_000
    assert there_instead(ours, Decimal(300_000), theirs) is None
    assert there_instead(ours, Decimal(250_000), None) is None
    assert there_instead(ours, Decimal(250_000), {"price_vnd": 10**30}) is None  # too large for any column

"""Categories, limits in bytes and characters, the OCOP badge, and all problems at once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.contract import Policy
from connectors.voso.mapping import project
from models.catalogue import Money
from models.listing import Unlistable
from models.value import replace
from tests.connectors.voso.shop import STAR, create, item, listing


def problems(**changes: object) -> list[tuple[str, str]]:
    made = project(item(**changes), Policy())
    return [(p.code, p.field) for p in made.problems] if isinstance(made, Unlistable) else []


@pytest.mark.parametrize(
    ("set_no", "name", "category"),
    [
        (1, "Chuối xiêm U Minh", 225),
        (1, "Táo Thới Bình", 225),
        (1, "Tảo xoắn", 140),
        (1, "Bồn bồn tươi", 140),
        (8, "Tôm khô", 140),
        (17, "Nước ép", 140),
        (19, "Dầu gội", 69),
        (21, "Giỏ lục bình", 236),
        (22, "Khăn rằn", 99),
    ],
)
def test_categories_of_2021(set_no, name, category):
    assert listing(set_no=set_no, name=name).facets["content"]["category_id"] == category


@pytest.mark.parametrize("set_no", [None, 14, 15, 16, 23, 24, 25, 26])
def test_sets_without_a_branch_are_not_sent(set_no):
    assert problems(set_no=set_no) == [("unmapped-category", "set_no")]


def test_the_badge_stands_only_where_a_star_may_be_shown():
    with_star, without = (listing(certificate=c).facets["content"] for c in (STAR, None))

    assert (with_star["short_description"][:13], with_star["ocop"]) == ("OCOP 4 sao. T", True)
    assert ("OCOP" in without["short_description"], without["ocop"]) == (False, False)


def test_names_count_in_characters():
    assert problems(name="ố" * 120) == []
    assert problems(name="ố" * 121) == [("too-long", "name")]


@pytest.mark.parametrize(
    ("given", "field"), [("pack", "unit"), ("brand", "brand"), ("origin", "origin"), ("sku", "sku")]
)
def test_short_texts_count_in_bytes(given, field):
    assert problems(**{given: "ố" * 50}) == []
    assert problems(**{given: "ố" * 51}) == [("too-many-bytes", field)]


def test_the_description_is_judged_as_it_is_sent():
    room = 5_000 - len(listing(description="x").facets["content"]["description"]) + 1

    assert problems(description="x" * room) == []
    assert problems(description="x" * (room + 1)) == [("too-long", "description")]


def test_all_problems_are_told_at_once():
    found = problems(
        set_no=14, name="", brand="<b>ngon</b>", stock=-1, images=(), price=Money(amount=Decimal("0.5"), currency="USD")
    )

    assert found == [
        ("unmapped-category", "set_no"),
        ("missing", "name"),
        ("html", "brand"),
        ("unusable", "price"),
        ("unusable", "stock"),
        ("missing", "images"),
    ]


def test_pictures_of_another_kind_or_size_are_named():
    first, second = item().images

    assert problems(images=(replace(first, media_type="image/webp"), replace(second, size=1_000_001))) == [
        ("unusable", "images"),
        ("unusable", "images"),
    ]


def test_the_first_five_different_pictures_are_sent():
    first = item().images[0]
    many = tuple(replace(first, sha256=f"{n:064x}") for n in (1, 1, 2, 3, 4, 5, 6))

    assert [int(sha, 16) for sha in listing(images=many).facets["images"]] == [1, 2, 3, 4, 5]


def test_a_listed_price_that_is_no_discount_is_left_out():
    same = listing(list_price=Money(amount=Decimal(450000)))

    assert same.facets["price"] == {"price": 450000, "list_price": None}


def test_line_breaks_stay_in_the_description_only():
    content = listing(name="Tôm\nkhô", description="a\nb").facets["content"]

    assert (content["name"], content["description"][:4]) == ("Tôm khô", "a\nb\n")


def test_what_fills_every_limit_is_taken_by_the_marketplace(shop):
    full = dict.fromkeys(("sku", "pack", "brand", "origin"), "ố" * 50)
    room = 5_000 - len(listing(description="x").facets["content"]["description"]) + 1

    result = shop.push(create(listing(name="ố" * 120, description="ố" * room, certificate=STAR, **full)))

    assert result.problem is None
    assert len(shop.shown()) == 1

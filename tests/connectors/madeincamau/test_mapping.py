"""What becomes a listing, what does not, and the sentence for each reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from connectors.contract import Policy
from connectors.madeincamau import CONNECTOR
from connectors.madeincamau.mapping import CATEGORY, CONTENT, body
from models.catalogue import Certificate, Money
from models.listing import FACETS, Listing, Unlistable
from models.value import replace
from tests.connectors.madeincamau.shop import JPEG, image_of, item_of, listing_of


def problems_of(**values):
    verdict = CONNECTOR.project(item_of(**values), Policy(sandbox=True))
    assert isinstance(verdict, Unlistable)
    return {(p.code, p.field) for p in verdict.problems}


def test_an_item_becomes_four_facets():
    listing = listing_of(list_price=Money(amount=Decimal(700_000)))

    assert tuple(listing.facets) == FACETS
    assert tuple(sorted(listing.facets["content"])) == tuple(sorted(CONTENT))
    assert listing.facets["price"] == {"price_vnd": 650_000, "list_price_vnd": 700_000}
    assert listing.facets["stock"] == {"stock": 40}
    assert [len(sha256) for sha256 in listing.facets["images"]] == [64, 64]


def test_the_badge_ends_on_the_last_valid_day():
    content = listing_of().facets["content"]

    assert content["ocop"] == {"star": 4, "decision_no": "123/QĐ-UBND", "valid_until": "2029-02-04"}


def test_without_a_certificate_there_is_no_badge_and_no_ocop_sticker_among_the_marks():
    """Seen in the shipped catalogue: marks "tem QR truy xuất nguồn gốc, tem OCOP trên bao bì" without a star."""
    content = listing_of(certificate=None, marks="tem OCOP trên bao bì").facets["content"]

    assert content["ocop"] is None
    assert content["marks"] == ""


def test_a_valid_certificate_keeps_the_marks():
    assert listing_of(marks="tem OCOP trên bao bì").facets["content"]["marks"] == "tem OCOP trên bao bì"


@pytest.mark.parametrize("set_no", range(1, 26))
def test_every_goods_set_has_a_category(set_no):
    assert listing_of(set_no=set_no).facets["content"]["category_id"] == CATEGORY[set_no]


@pytest.mark.parametrize("set_no", [26, None, 0])
def test_services_and_unknown_sets_have_none(set_no):
    assert problems_of(set_no=set_no) == {("unmapped-category", "set_no")}


def test_alcohol_keeps_its_strength_as_written():
    content = listing_of(set_no=14, is_alcohol=True, alcohol_percent=Decimal("40.00")).facets["content"]

    assert (content["category_id"], content["alcohol_percent"]) == ("ruou-trang", "40")


def test_limits_are_inclusive():
    assert listing_of(name="ô" * 150, description="ô" * 20_000, sku="ô" * 100)


def test_every_problem_of_an_item_is_named_at_once():
    broken = {
        "name": "ô" * 151,
        "description": " ",
        "set_no": 26,
        "stock": -1,
        "sku": "..",
        "price": Money(amount=Decimal("1.5")),
        "list_price": Money(amount=Decimal(5), currency="USD"),
        "images": (),
        "ingredients": "ô" * 2_001,
    }

    assert problems_of(**broken) == {
        ("too-long", "name"),
        ("too-long", "ingredients"),
        ("missing", "description"),
        ("unmapped-category", "set_no"),
        ("bad-sku", "sku"),
        ("out-of-range", "price"),
        ("out-of-range", "list_price"),
        ("out-of-range", "stock"),
        ("missing", "images"),
    }


def test_a_picture_that_comes_twice_is_sent_once() -> None:
    verdict = CONNECTOR.project(item_of(images=(image_of(JPEG), image_of(JPEG))), Policy())

    assert isinstance(verdict, Listing)
    assert len(verdict.facets["images"]) == 1


@pytest.mark.parametrize("flaw", [{"media_type": "image/webp"}, {"size": 2 * 1024 * 1024 + 1}])
def test_a_picture_the_marketplace_would_refuse_is_named_by_its_place(flaw):
    verdict = CONNECTOR.project(item_of(images=(image_of(JPEG), image_of(JPEG, **flaw))), Policy())

    assert isinstance(verdict, Unlistable)
    assert verdict.problems[0].message.vi.startswith("Ảnh thứ 2 ")


def test_the_first_nine_pictures_are_sent():
    many = tuple(image_of(b"\xff\xd8\xff" + bytes([n])) for n in range(12))

    assert listing_of(images=many).facets["images"] == [image.sha256 for image in many[:9]]


def test_no_personal_number_leaves_and_lines_stay_lines():
    item = item_of(name="Tôm\nkhô", producer=replace(item_of().producer, tax_code="079123456789"))
    listing = CONNECTOR.project(item, Policy())

    assert "079123456789" not in str(body(listing.facets))
    assert listing.facets["content"]["name"] == "Tôm khô"


def test_a_certificate_known_by_its_year_counts_from_new_year():
    content = listing_of(certificate=Certificate(star=3, year=2025)).facets["content"]

    assert content["ocop"]["valid_until"] == date(2027, 12, 31).isoformat()

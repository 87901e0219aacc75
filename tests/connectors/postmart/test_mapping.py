"""What an item becomes on Postmart, and why some become nothing."""

from datetime import date
from decimal import Decimal

import pytest

from connectors.contract import Policy
from connectors.postmart.mapping import project
from models.catalogue import Money
from models.listing import Listing
from models.value import replace


def codes(unlistable):
    return {(p.code, p.field) for p in unlistable.problems}


@pytest.mark.parametrize(
    ("set_no", "name", "slug"),
    [
        (1, "Dưa bồn bồn", "thuc-pham-va-dac-san"),
        (4, "MẬT ONG rừng U Minh Hạ", "thuc-pham-bo-duong"),
        (4, "Tổ yến thô", "thuc-pham-bo-duong"),
        (4, "Đông trùng hạ thảo khô", "thuc-pham-bo-duong"),
        (4, "Ba khía muối", "thuc-pham-va-dac-san"),
        (4, "Yêng sấy", "thuc-pham-va-dac-san"),
        (13, "Ca cao", "thuc-pham-va-dac-san"),
        (14, "Rượu gạo", "do-uong"),
        (17, "Nước cốt nhàu", "do-uong"),
        (18, "Trà túi lọc", "suc-khoe-va-lam-dep"),
        (20, "Tinh dầu tràm", "suc-khoe-va-lam-dep"),
    ],
)
def test_the_set_decides_the_category(item, set_no, name, slug):
    listing = project(item(set_no=set_no, name=name), Policy())

    assert listing.facets["content"]["categories"] == [slug]


@pytest.mark.parametrize("set_no", [21, 22, 23, 24, 25, None])
def test_sets_without_a_known_category_are_unlistable(item, set_no):
    assert codes(project(item(set_no=set_no), Policy())) == {("unmapped-category", "set_no")}


def test_a_certified_item_stands_in_the_ocop_category_until_the_last_valid_day(item, star):
    content = project(item(certificate=star()), Policy()).facets["content"]

    assert content["categories"] == ["thuc-pham-va-dac-san", "san-pham-ocop"]
    assert content["ocop"] == {"star": 4, "valid_until": "2029-02-04"}


def test_without_a_certificate_neither_category_nor_star_remains(item):
    content = project(item(), Policy()).facets["content"]

    assert "san-pham-ocop" not in content["categories"]
    assert content["ocop"] is None


def test_the_description_is_escaped_paragraphs_with_the_label(item):
    html = project(item(alcohol_percent=Decimal("29.5")), Policy()).facets["content"]["description"]

    assert html.startswith("<p>Tôm đất phơi nắng.</p><p>Vị ngọt &lt;tự nhiên&gt; &amp; thơm.</p><p>Quy cách: 500 g/túi")
    assert html.endswith("<p>Cơ sở: HTX Rạch Gốc, Phan Ngọc Hiển, Cà Mau</p><p>Độ cồn: 29,5% vol</p>")


def test_the_teaser_is_cut_at_a_word(item):
    teaser = project(item(description="tôm khô " * 100), Policy()).facets["content"]["short_description"]

    assert len(teaser) <= 500
    assert teaser.endswith("khô…")


def test_all_problems_are_told_at_once(item, image):
    broken = item(
        name="Tô",
        brand="b" * 101,
        description="x" * 30_001,
        price=Money(amount=Decimal("0.5")),
        list_price=Money(amount=Decimal(10), currency="USD"),
        stock=1_000_001,
        set_no=21,
        images=(image("a" * 64, media_type="image/webp"), image("b" * 64, size=3_000_000)),
    )

    assert codes(project(broken, Policy())) == {
        ("unmapped-category", "set_no"),
        ("too-short", "name"),
        ("too-long", "brand"),
        ("too-long", "description"),
        ("out-of-range", "price"),
        ("out-of-range", "list_price"),
        ("out-of-range", "stock"),
        ("no-usable-picture", "images"),
    }


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": "n" * 201}, ("too-long", "name")),
        ({"sku": "s" * 101}, ("too-long", "sku")),
        ({"images": ()}, ("missing", "images")),
        ({"stock": -1}, ("out-of-range", "stock")),
        ({"price": Money(amount=Decimal(10**9 + 1))}, ("out-of-range", "price")),
        ({"list_price": Money(amount=Decimal(649_999))}, ("list-price-too-low", "list_price")),
    ],
)
def test_each_limit_has_its_problem_in_both_languages(item, changed, problem):
    unlistable = project(item(**changed), Policy())

    assert codes(unlistable) == {problem}
    assert all(p.message.vi and p.message.en and p.next_step.vi and p.next_step.en for p in unlistable.problems)


def test_values_at_the_limits_are_taken(item, shop):
    extreme = {
        "name": "Ế" * 200,
        "brand": "b" * 100,
        "price": Money(amount=Decimal(10**9)),
        "list_price": Money(amount=Decimal(10**9)),
        "stock": 10**6,
    }

    results = shop.settle(shop.create("s" * 100, **extreme))

    assert {r.outcome for r in results.values()} == {"acknowledged"}


def test_the_first_eight_usable_pictures_are_taken_once(item, image):
    pictures = [image(f"{n:064x}") for n in range(12)]
    listing = project(item(images=(replace(pictures[0], media_type="image/gif"), *pictures[1:], pictures[1])), Policy())

    assert isinstance(listing, Listing)
    assert listing.facets["images"] == [p.sha256 for p in pictures[1:9]]


def test_an_override_moves_the_last_day(item, star):
    extended = star(issued_on=date(2024, 1, 10), valid_until_override=date(2027, 3, 1), override_dossier="HS-1")

    assert project(item(certificate=extended), Policy()).facets["content"]["ocop"]["valid_until"] == "2027-03-01"

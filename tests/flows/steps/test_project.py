"""What may be shown on a given day: the law's rules and common sense, before any marketplace's own."""

from __future__ import annotations

import re
from dataclasses import replace as replace_policy
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Policy
from connectors.registry import connector
from flows.steps.project import Projection, project
from models.catalogue import (
    Certificate,
    CertificateStatus,
    English,
    Image,
    Money,
    Product,
    Variant,
)
from models.listing import Item, Listing, Unlistable, facet_hash
from models.value import replace
from tests.scenarios.world import MARKETPLACES, shrimp

TODAY = date(2026, 11, 23)
LABEL = Image(sha256="a" * 64, media_type="image/png", width=800, height=800, size=1000, kind="label")
PLACEHOLDER = replace(LABEL, sha256="b" * 64, kind="placeholder")
SANDBOX, LIVE = Policy(sandbox=True), Policy()
STARRED = Certificate(star=4, issued_on=date(2025, 1, 23))


def product(**changes: Any) -> Product:
    return shrimp(1, LABEL, **changes)


def offered(**changes: Any) -> Product:
    """The same with another offer."""
    good = product()
    return replace(good, variants=(replace(good.variants[0], **changes),))


def shown(given: Product, policy: Policy = SANDBOX, today: date = TODAY) -> Item | tuple[str, ...]:
    """The item a mapping is given, or the codes of what stands against it."""
    seen: list[Item] = []

    def mapping(item: Item, policy: Policy) -> Listing:
        seen.append(item)
        return Listing(key=item.sku, facets={})

    projection = project(given, "TK001", policy, mapping, today)
    if isinstance(projection.listing, Unlistable):
        return tuple(problem.code for problem in projection.listing.problems)
    return seen[0]


def item(given: Product, policy: Policy = SANDBOX, today: date = TODAY) -> Item:
    found = shown(given, policy, today)
    assert isinstance(found, Item), found
    return found


def projection(given: Product, today: date = TODAY) -> Projection:
    return project(given, "TK001", SANDBOX, connector("madeincamau").project, today)


# --- the star ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "first", "last"),
    [
        (Certificate(star=4, issued_on=date(2024, 2, 29)), date(2024, 2, 29), date(2027, 2, 27)),
        (Certificate(star=3, issued_on=date(2025, 1, 23)), date(2025, 1, 23), date(2028, 1, 22)),
        (Certificate(star=5, year=2024), None, date(2026, 12, 31)),
        (
            Certificate(
                star=4,
                issued_on=date(2023, 12, 1),
                valid_until_override=date(2027, 1, 31),
                override_dossier="HS 12/2026",
            ),
            date(2023, 12, 1),
            date(2027, 1, 31),
        ),
        (  # never more than 180 days beyond the term
            Certificate(
                star=4,
                issued_on=date(2023, 12, 1),
                valid_until_override=date(2030, 1, 1),
                override_dossier="HS 12/2026",
            ),
            date(2023, 12, 1),
            date(2026, 12, 1) + timedelta(days=179),
        ),
        (  # an extension without its dossier is none
            Certificate(star=4, issued_on=date(2023, 12, 1), valid_until_override=date(2027, 1, 31)),
            date(2023, 12, 1),
            date(2026, 11, 30),
        ),
    ],
)
def test_a_star_is_shown_from_the_day_of_issue_to_its_last_day(
    certificate: Certificate, first: date | None, last: date
) -> None:
    given = product(certificates=(certificate,))

    assert item(given, today=last).certificate == certificate
    assert item(given, today=last + timedelta(days=1)).certificate is None
    if first:
        assert item(given, today=first).certificate == certificate
        assert item(given, today=first - timedelta(days=1)).certificate is None


@pytest.mark.parametrize(
    "certificate",
    [
        replace(STARRED, status=CertificateStatus.ASSESSED),
        replace(STARRED, status=CertificateStatus.WITHDRAWN),
        replace(STARRED, status=CertificateStatus.SUPERSEDED),
        replace(STARRED, star=2),
        Certificate(star=4),
    ],
    ids=["assessed", "withdrawn", "superseded", "two-stars", "no-date"],
)
def test_nothing_less_than_a_dated_recognition_proves_a_star(certificate: Certificate) -> None:
    assert item(product(certificates=(certificate,))).certificate is None


def test_of_two_valid_certificates_the_longer_one_counts() -> None:
    newer = Certificate(star=3, issued_on=date(2026, 6, 1))

    assert item(product(certificates=(STARRED, newer))).certificate == newer


# --- the word ---------------------------------------------------------------------------------------------------------

CLAIMS = [
    "OCOP",
    "ocop",
    "OCOP 4 sao",
    "OCOP 4*",
    "(đạt 3 sao OCOP)",
    "5 sao",
    "4 SAO",
    "4sao",
    "OCOP4",
    "_OCOP_",
    "★★★★",
    "⭐⭐⭐",
]


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("field", ["name", "brand", "description", "usage", "ingredients", "warnings", "origin"])
def test_without_a_certificate_no_text_claims_the_mark(field: str, claim: str) -> None:
    given = product(certificates=(), **{field: f"Tôm khô {claim} Rạch Gốc"})

    assert getattr(item(given), field) == "Tôm khô Rạch Gốc"


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("field", ["name", "brand", "description", "usage"])
def test_with_a_certificate_the_texts_stay_as_they_are(field: str, claim: str) -> None:
    given = product(**{field: f"Tôm khô {claim} Rạch Gốc"})

    assert getattr(item(given), field) == f"Tôm khô {claim} Rạch Gốc"


def test_of_the_marks_only_those_of_the_programme_go() -> None:
    given = product(certificates=(), marks="HACCP; tem OCOP trên bao bì; ISO 22000")

    assert item(given).marks == "HACCP; ISO 22000"
    assert item(replace(given, certificates=(STARRED,))).marks == "HACCP; tem OCOP trên bao bì; ISO 22000"


@pytest.mark.parametrize("text", ["Cua ngôi sao biển", "Rượu sao tẩm 12 lần", "Tại sao ngon?", "Gói 4 con tôm"])
def test_ordinary_words_are_no_claim(text: str) -> None:
    assert item(product(certificates=(), name=text)).name == text


def test_lines_of_a_description_stay_lines() -> None:
    given = product(certificates=(), description="Tôm khô OCOP 4 sao.\nPhơi nắng tự nhiên.")

    assert item(given).description == "Tôm khô .\nPhơi nắng tự nhiên."


def test_without_a_description_the_bare_facts_are_told() -> None:
    assert item(product()).description == (
        "Tôm khô Rạch Gốc số 1 (200 g).\nCơ sở: Hợp tác xã Tân Phát Lợi.\nNơi sản xuất: xã Tân Ân, Cà Mau."
    )


# --- what may not be sold ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "may"),
    [
        (Policy(sandbox=True), False),
        (Policy(sandbox=True, age_gate=True), False),
        (Policy(sandbox=True, cashless_only=True), False),
        (Policy(sandbox=True, age_gate=True, cashless_only=True), True),
    ],
)
def test_alcohol_needs_an_age_gate_and_cashless_payment(policy: Policy, *, may: bool) -> None:
    found = shown(product(is_alcohol=True), policy)

    assert isinstance(found, Item) if may else found == ("alcohol",)


def test_services_are_not_goods() -> None:
    assert shown(product(set_no=26)) == ("service",)


def test_a_sku_the_product_no_longer_has_is_removed() -> None:
    gone = project(product(), "TK999", SANDBOX, connector("voso").project, TODAY)

    assert [p.code for p in gone.listing.problems] == ["removed"]  # type: ignore[union-attr]  # it is unlistable


def test_a_made_up_price_is_for_the_sandbox_alone() -> None:
    assert isinstance(shown(product()), Item)
    assert shown(product(), LIVE) == ("illustrative-price",)
    assert isinstance(shown(offered(illustrative=False), LIVE), Item)


@pytest.mark.parametrize(
    ("offer", "codes"),
    [
        ({"price": None}, ("no-price",)),
        ({"price": Money(amount=Decimal(0))}, ("odd-price",)),
        ({"price": Money(amount=Decimal(-5))}, ("odd-price",)),
        ({"price": Money(amount=Decimal("1000.5"))}, ("odd-price",)),
        ({"price": Money(amount=Decimal(10), currency="USD")}, ("odd-price",)),
        ({"list_price": Money(amount=Decimal(249_999))}, ("price-above-list-price",)),
        ({"stock": None}, ("no-stock",)),
        ({"stock": None, "price": Money(amount=Decimal(0))}, ("odd-price", "no-stock")),
    ],
)
def test_an_offer_nobody_could_keep_is_not_shown(offer: dict[str, Any], codes: tuple[str, ...]) -> None:
    assert shown(offered(**offer)) == codes


@pytest.mark.parametrize("offer", [{"list_price": Money(amount=Decimal(250_000))}, {"stock": 0}])
def test_an_offer_at_its_limits_is_shown(offer: dict[str, Any]) -> None:
    assert isinstance(shown(offered(**offer)), Item)


@pytest.mark.parametrize(
    "contact",
    [
        "0912345678",
        "0912 345 678",
        "0912.345.678",
        "0912-345-678",
        "+84 912 345 678",
        "84912345678",
        "0290 3831 608",
        "(0290) 3831 608",
        "02903831608",
        "tanphat@gmail.com",
        "https://tanphat.store/tom-kho",
        "www.tanphat.store",
        "tanphat.com.vn",
    ],
)
@pytest.mark.parametrize("field", ["name", "description", "ingredients", "storage", "usage", "warnings"])
def test_contact_data_keeps_an_item_off_the_shelf(field: str, contact: str) -> None:
    assert shown(product(**{field: f"Tôm khô, liên hệ {contact} nhé"})) == ("contact-in-text",)


def test_a_contact_is_told_without_repeating_it() -> None:
    given = project(product(usage="Gọi 0912345678"), "TK001", SANDBOX, connector("voso").project, TODAY)

    (problem,) = given.listing.problems  # type: ignore[union-attr]  # it is unlistable
    assert problem.field == "usage"
    assert "0912345678" not in f"{problem.message}{problem.next_step}"


@pytest.mark.parametrize(
    "text",
    ["Hạn dùng 12 tháng, gói 500 g", "Tiêu chuẩn TCVN 5603:2008", "Giảm từ 250.000 còn 240.000 đồng", "100% tôm"],
)
def test_other_numbers_are_no_contact(text: str) -> None:
    assert isinstance(shown(product(description=text)), Item)


def test_every_reason_is_told_at_once() -> None:
    given = replace(offered(stock=None), is_alcohol=True, set_no=26, usage="www.a.vn")

    assert shown(given, LIVE) == ("service", "alcohol", "illustrative-price", "no-stock", "contact-in-text")


def test_a_placeholder_picture_is_for_the_sandbox_alone() -> None:
    given = replace(offered(illustrative=False), images=(PLACEHOLDER, LABEL))

    assert item(given, SANDBOX).images == (PLACEHOLDER, LABEL)
    assert item(given, LIVE).images == (LABEL,)


# --- the calendar and the notes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificates", "confirmed", "calendar"),
    [
        ((STARRED,), None, date(2028, 1, 23)),
        ((STARRED,), date(2026, 11, 15), date(2026, 12, 16)),
        ((STARRED,), date(2026, 10, 1), date(2028, 1, 23)),
        ((Certificate(star=4, issued_on=date(2026, 12, 1)),), None, date(2026, 12, 1)),
        ((Certificate(star=4, issued_on=date(2023, 11, 23)),), None, None),
        ((), None, None),
        ((STARRED, Certificate(star=3, issued_on=date(2024, 3, 1))), None, date(2027, 3, 1)),
    ],
)
def test_the_next_day_to_look_again(
    certificates: tuple[Certificate, ...], confirmed: date | None, calendar: date | None
) -> None:
    given = replace(offered(price_confirmed_on=confirmed), certificates=certificates)

    assert projection(given).calendar == calendar


def test_what_may_not_be_shown_today_has_its_day_too() -> None:
    assert projection(replace(product(), set_no=26)).calendar == date(2026, 12, 16)


@given(days=st.integers(min_value=0, max_value=900))
@settings(max_examples=60, deadline=None)
def test_between_today_and_the_calendar_day_nothing_changes(days: int) -> None:
    """The timetable may sleep until then."""
    day = TODAY + timedelta(days=days)
    now = projection(product(), day)
    eve = (now.calendar or day + timedelta(days=30)) - timedelta(days=1)

    later = projection(product(), max(day, eve))

    assert later.listing == now.listing
    assert [n.code for n in later.notes] == [n.code for n in now.notes]


def test_a_star_that_is_no_longer_shown_is_told() -> None:
    ended = product(certificates=(Certificate(star=4, issued_on=date(2023, 11, 23)),))

    (note,) = projection(ended).notes

    assert (note.code, note.field) == ("star-not-shown", "certificate")
    assert "23/11/2026" in note.message.vi


def test_a_product_that_never_had_a_star_is_not_noted() -> None:
    assert projection(product(certificates=())).notes == ()


@pytest.mark.parametrize(("age", "codes"), [(30, []), (31, ["old-price"])])
def test_a_price_confirmed_more_than_thirty_days_ago_is_told(age: int, codes: list[str]) -> None:
    given = offered(price_confirmed_on=TODAY - timedelta(days=age))

    assert [note.code for note in projection(given).notes] == codes


# --- over all texts ---------------------------------------------------------------------------------------------------

PIECES = [*CLAIMS, "Tôm khô", "Rạch Gốc", "sao", "4", " ", "\n", ";", "-", "“", "HACCP", "đạt", "hạng", "cua", "."]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join)
GLUED = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
ANY = st.one_of(TEXTS, GLUED)
FIELDS = (
    "name",
    "brand",
    "description",
    "marks",
    "usage",
    "ingredients",
    "warnings",
    "storage",
    "shelf_life",
    "origin",
)
CLAIM = re.compile(r"ocop|[★⭐]", re.IGNORECASE)
CERTIFICATES = st.sampled_from([(), (STARRED,), (Certificate(star=4, issued_on=date(2020, 1, 1)),)])


@st.composite
def products(draw: st.DrawFn) -> Product:
    texts = {field: draw(ANY) for field in FIELDS}
    pack = draw(st.sampled_from(["200 g", "hộp OCOP 4 sao", ""]))
    variant = Variant(sku="TK001", pack=pack, price=Money(amount=Decimal(120_000)), stock=4, illustrative=True)
    return product(**texts, variants=(variant,), certificates=draw(CERTIFICATES))


@pytest.mark.parametrize("name", MARKETPLACES)
@given(given=products())
@settings(max_examples=150, deadline=None)
def test_no_listing_anywhere_claims_the_mark_without_a_certificate(name: str, given: Product) -> None:
    listing = project(given, "TK001", SANDBOX, connector(name).project, TODAY).listing

    if isinstance(listing, Listing) and given.certificate_on(TODAY) is None:
        content = {field: value for field, value in listing.facets["content"].items() if field != "ocop"}
        assert not CLAIM.search(str(content)), content
        assert not listing.facets["content"]["ocop"]


@pytest.mark.parametrize("name", MARKETPLACES)
@given(given=products(), days=st.integers(min_value=0, max_value=1500))
@settings(max_examples=60, deadline=None)
def test_the_same_record_on_the_same_day_is_the_same_listing(name: str, given: Product, days: int) -> None:
    """Pure: no clock, and nothing remembered from one call to the next."""
    today = TODAY + timedelta(days=days)
    first = project(given, "TK001", SANDBOX, connector(name).project, today)
    project(product(name="Cua Năm Căn"), "TK001", SANDBOX, connector(name).project, TODAY)

    again = project(replace(given), "TK001", SANDBOX, connector(name).project, today)

    assert again == first
    if isinstance(first.listing, Listing):
        assert facet_hash(again.listing.facets) == facet_hash(first.listing.facets)  # type: ignore[union-attr]  # same


# --- abroad -----------------------------------------------------------------------------------------------------------

ABROAD = "Sun dried.\n4-star OCOP product (5-star)"
ENGLISH = English(name="Dried Shrimp, OCOP 4 star", description=ABROAD, usage="Soak.")


@pytest.mark.parametrize(
    ("currency", "rate", "price", "wanted"),
    [
        ("USD", Decimal(26_000), 620_000, Decimal("23.85")),  # 23.846…
        ("USD", Decimal(25_000), 250_000, Decimal("10.00")),
        ("SGD", Decimal("20123.45"), 1, Decimal("0.01")),
        ("JPY", Decimal("168.45"), 620_000, Decimal(3681)),  # no smaller coin
    ],
)
def test_a_price_abroad_is_rounded_up_to_a_coin(currency: str, rate: Decimal, price: int, wanted: Decimal) -> None:
    policy = replace_policy(SANDBOX, currency=currency, rate=rate)

    shown_there = item(offered(price=Money(amount=Decimal(price)), list_price=Money(amount=Decimal(price * 2))), policy)

    assert shown_there.price == Money(amount=wanted, currency=currency)
    assert shown_there.list_price is not None
    assert shown_there.list_price.currency == currency


def test_a_shop_abroad_without_a_rate_shows_nothing() -> None:
    assert shown(product(), replace_policy(SANDBOX, currency="USD")) == ("no-rate",)


@pytest.mark.parametrize(
    ("certificates", "name", "description"),
    [
        ((STARRED,), "Dried Shrimp, OCOP 4 star", ABROAD),
        ((), "Dried Shrimp", "Sun dried.\nproduct"),
    ],
)
def test_a_star_needs_its_certificate_in_english_too(certificates: Any, name: str, description: str) -> None:
    english = item(replace(product(), english=ENGLISH, certificates=certificates)).english

    assert english is not None
    assert (english.name, english.description, english.usage) == (name, description, "Soak.")


@pytest.mark.parametrize("said", ["star anise", "5 star anise pods", "3-star anise", "starch 4 g"])
def test_star_anise_is_no_star(said: str) -> None:
    english = item(replace(product(certificates=()), english=English(name="Salt", ingredients=said))).english

    assert english is not None
    assert english.ingredients == said


def test_sample_texts_are_for_the_sandbox_only() -> None:
    sample = replace(offered(illustrative=False), english=replace(ENGLISH, illustrative=True))

    assert item(sample, SANDBOX).english is not None
    assert item(sample, LIVE).english is None


def test_contact_data_in_english_keeps_an_item_off() -> None:
    assert shown(replace(product(), english=replace(ENGLISH, usage="See www.shop.example"))) == ("contact-in-text",)

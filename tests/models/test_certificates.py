"""A star may be shown for 36 months from its day of issue, and not one day longer."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import Certificate, CertificateStatus, Producer, Product, add_months

ISSUED = date(2023, 11, 23)
ENDED = date(2026, 11, 23)
ONE_DAY = timedelta(days=1)
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))


def test_the_last_day_counts_and_the_next_does_not() -> None:
    certificate = Certificate(star=4, issued_on=ISSUED)

    assert certificate.valid_on(ENDED - ONE_DAY)
    assert not certificate.valid_on(ENDED)


def test_it_begins_on_the_day_of_issue() -> None:
    certificate = Certificate(star=4, issued_on=ISSUED)

    assert certificate.valid_on(ISSUED)
    assert not certificate.valid_on(ISSUED - ONE_DAY)


def test_with_the_year_alone_it_ends_at_the_earliest_day_it_may() -> None:
    certificate = Certificate(star=3, year=2023)

    assert certificate.first_invalid_day() == date(2026, 1, 1)
    assert certificate.valid_on(date(2025, 12, 31))
    assert not certificate.valid_on(date(2026, 1, 1))


def test_the_day_of_issue_counts_more_than_the_year() -> None:
    assert Certificate(star=3, year=2022, issued_on=ISSUED).first_invalid_day() == ENDED


def test_without_day_and_year_it_proves_nothing() -> None:
    certificate = Certificate(star=5)

    assert certificate.first_invalid_day() is None
    assert not certificate.valid_on(ISSUED)


def test_one_of_a_leap_day_ends_with_february() -> None:
    certificate = Certificate(star=4, issued_on=date(2024, 2, 29))

    assert certificate.first_invalid_day() == date(2027, 2, 28)
    assert certificate.valid_on(date(2027, 2, 27))


@pytest.mark.parametrize(
    ("issued", "first_invalid"),
    [
        (date(2023, 11, 30), date(2026, 11, 30)),
        (date(2023, 12, 31), date(2026, 12, 31)),
        (date(2024, 1, 1), date(2027, 1, 1)),
        (date(2024, 2, 28), date(2027, 2, 28)),
        (date(2024, 2, 29), date(2027, 2, 28)),
        (date(2024, 3, 1), date(2027, 3, 1)),
        (date(2025, 2, 28), date(2028, 2, 28)),
        (date(2025, 3, 1), date(2028, 3, 1)),
    ],
)
def test_P14_a_term_ends_on_the_day_of_the_calendar(issued, first_invalid) -> None:
    certificate = Certificate(star=4, issued_on=issued)

    assert certificate.first_invalid_day() == first_invalid
    assert certificate.valid_on(first_invalid - ONE_DAY)
    assert not certificate.valid_on(first_invalid)


@pytest.mark.parametrize(
    ("override", "first_invalid"),
    [
        (ENDED + timedelta(days=30), ENDED + timedelta(days=31)),
        (ENDED + timedelta(days=179), ENDED + timedelta(days=180)),
        (ENDED + timedelta(days=180), ENDED + timedelta(days=180)),
        (ENDED + timedelta(days=999), ENDED + timedelta(days=180)),
        (ENDED - timedelta(days=90), ENDED),
    ],
    ids=["thirty-days", "last-allowed", "one-too-many", "far-too-long", "before-the-term"],
)
def test_a_pending_dossier_extends_it_by_180_days_at_most(override, first_invalid) -> None:
    certificate = Certificate(star=4, issued_on=ISSUED, valid_until_override=override, override_dossier="HS-12")

    assert certificate.first_invalid_day() == first_invalid


def test_an_extension_without_its_dossier_counts_for_nothing() -> None:
    certificate = Certificate(star=4, issued_on=ISSUED, valid_until_override=ENDED + timedelta(days=30))

    assert certificate.first_invalid_day() == ENDED


@pytest.mark.parametrize("status", [s for s in CertificateStatus if s is not CertificateStatus.RECOGNISED])
def test_only_a_recognition_proves_a_star(status) -> None:
    assert not Certificate(star=4, issued_on=ISSUED, status=status).valid_on(ISSUED)


@pytest.mark.parametrize("star", [0, 1, 2, 6])
def test_only_three_to_five_stars_are_shown(star) -> None:
    assert not Certificate(star=star, issued_on=ISSUED).valid_on(ISSUED)


def test_the_longest_valid_certificate_speaks_for_the_product() -> None:
    ended = Certificate(star=5, issued_on=date(2020, 1, 1))
    short, long = Certificate(star=4, issued_on=ISSUED), Certificate(star=3, issued_on=date(2024, 6, 1))
    product = _product(ended, short, long)

    assert product.certificate_on(date(2025, 1, 1)) is long


def test_no_certificate_speaks_once_all_have_ended() -> None:
    assert _product(Certificate(star=4, issued_on=ISSUED)).certificate_on(ENDED) is None


@given(DAYS, st.integers(0, 120))
def test_months_later_is_the_same_day_or_the_months_last(day, months) -> None:
    later = add_months(day, months)

    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later + ONE_DAY).day == 1


def _product(*certificates: Certificate) -> Product:
    producer = Producer(producer_id="p1", legal_name="Hợp tác xã Tân Phát Lợi")
    return Product(product_id="A", name="Tôm khô", producer=producer, variants=(), certificates=certificates)

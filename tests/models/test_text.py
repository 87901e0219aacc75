"""Text is kept in one form, and numbers, money and days are written as Vietnamese people write them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import Text, day, fold, local, money, nfc, number


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (999, "999"),
        (1_234_567, "1.234.567"),
        (-45_000, "-45.000"),
        (Decimal("1200000.00"), "1.200.000"),
        (Decimal("1234.5"), "1.234,5"),
        (Decimal("12.50"), "12,50"),
    ],
)
def test_thousands_have_dots_and_decimals_a_comma(value, written) -> None:
    assert number(value) == written


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_a_whole_number_written_and_read_back_is_itself(value) -> None:
    assert int(number(value).replace(".", "")) == value


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (1_200_000, "VND", "1.200.000 ₫"),
        (Decimal("120000.0000"), "VND", "120.000 ₫"),
        (Decimal("19.99"), "USD", "19,99 USD"),
        (Decimal("1234.5"), "USD", "1.234,50 USD"),
        (2, "SGD", "2,00 SGD"),
        (Decimal(500), "JPY", "500 JPY"),
    ],
)
def test_dong_has_its_sign_and_other_money_its_code(amount, currency, written) -> None:
    assert money(amount, currency) == written


def test_an_instant_is_told_in_the_time_of_ca_mau() -> None:
    assert local(datetime(2026, 11, 22, 18, 30, tzinfo=UTC)) == "23/11/2026 01:30"


def test_a_day_has_its_day_first() -> None:
    assert day(date(2026, 3, 5)) == "05/03/2026"


def test_decomposed_text_is_kept_composed() -> None:
    assert nfc(unicodedata.normalize("NFD", "Tôm khô Rạch Gốc")) == "Tôm khô Rạch Gốc"


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\ufeff", "\u200d", "\u202e", "\x00", "\x1b", "\u00ad"], ids=lambda c: f"U+{ord(c):04X}"
)
def test_characters_nobody_sees_are_dropped(hidden) -> None:
    assert nfc(f"Tôm{hidden} khô") == "Tôm khô"


def test_spaces_are_single_and_lines_stay_lines() -> None:
    assert nfc("  Tôm \t khô\u00a0 ngon \n\n  muối  1% ") == "Tôm khô ngon\n\nmuối 1%"


@given(st.text())
def test_keeping_a_kept_text_changes_nothing(text) -> None:
    once = nfc(text)

    assert nfc(once) == once
    assert unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    "spelling",
    [
        "Đầm Dơi",
        "Ðầm Dơi",  # U+00D0, the Icelandic letter old keyboards typed
        "đầm dơi",
        "ĐẦM DƠI",
        unicodedata.normalize("NFD", "Đầm Dơi"),
        "Đầm-Dơi.",
        "Dam  Doi",
    ],
)
def test_spellings_of_one_name_match(spelling) -> None:
    assert fold(spelling) == "dam doi"


def test_the_icelandic_letter_is_shown_as_it_came() -> None:
    """Folding is for matching: what is kept and shown is not rewritten."""
    assert nfc("Ðầm Dơi") == "Ðầm Dơi"


def test_different_names_do_not_match() -> None:
    assert fold("Cái Nước") != fold("Cái Đôi Vàm")


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Nd", "Zs", "Pd"])))
def test_folding_does_not_see_how_the_text_was_composed(text) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


def test_a_sentence_is_filled_and_spoken_in_either_language() -> None:
    text = Text("Có {n} tin.", "{n} listings.").fill(n="1.200")

    assert (text.to("vi"), text.to("en")) == ("Có 1.200 tin.", "1.200 listings.")

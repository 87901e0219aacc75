"""What people write into cells, and what is refused rather than guessed."""

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.sources import cells
from flows.sources.problems import BadValue
from models.text import number


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("120000", 120_000),
        ("1.200.000", 1_200_000),
        ("1.200.000 ₫", 1_200_000),
        ("1.200.000đ", 1_200_000),
        ("45.000 VNĐ", 45_000),
        ("45000 đồng", 45_000),
        ("1.200", 1_200),
        (" 90.000 ", 90_000),
        (120000, 120_000),
        (120000.0, 120_000),
        (Decimal("120000.00"), 120_000),
        ("", None),
        (None, None),
        ("   ", None),
    ],
)
def test_a_price_is_whole_dong(written, amount):
    assert cells.price(written) == amount


@pytest.mark.parametrize(
    "written",
    [
        *("1,5", "1,200,000", "1.20", "1.2000", "12.00.000", "120k", "90.000-120.000", "90.000 – 120.000"),
        *("Liên hệ", "NaN", "inf", "1_000", "1e5", "１２００００", "١٢٠", "-5000", "+5000", "0", "1.000.000.001"),
        *(1.5, float("nan"), float("inf"), -1, 0, 10**10, Decimal("1.2"), True, date(2026, 1, 1), time(1, 0)),
        cells.Broken("#REF!"),
    ],
)
def test_what_is_no_price_is_refused_with_a_next_step(written):
    with pytest.raises(BadValue) as refused:
        cells.price(written)

    assert refused.value.message.vi.endswith(".")
    assert refused.value.next_step.vi.endswith(".")


@given(st.integers(1, 1_000_000_000))
def test_every_price_survives_being_written_the_vietnamese_way(amount):
    assert cells.price(f"{number(amount)} ₫") == amount


@given(st.text())
def test_any_text_is_either_a_positive_whole_price_or_refused(written):
    try:
        amount = cells.price(written)
    except BadValue:
        return
    assert amount is None or 0 < amount <= cells.HIGHEST


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2026-11-15", "2026-11-15"),
        ("15/11/2026", "2026-11-15"),
        ("5/1/2026", "2026-01-05"),
        (date(2026, 11, 15), "2026-11-15"),
        (datetime(2026, 11, 15, 8, 30), "2026-11-15"),  # noqa: DTZ001
        ("", None),
        (None, None),
    ],
)
def test_a_day_is_read_from_iso_vietnamese_or_a_date_cell(written, iso):
    assert cells.day(written) == iso


@pytest.mark.parametrize("written", ["31/02/2026", "11/15/2026", "15/11/26", "15/11/2569", "2026", 45976, "hôm qua"])
def test_a_doubtful_day_is_refused(written):
    with pytest.raises(BadValue):
        cells.day(written)


@pytest.mark.parametrize(("written", "value"), [("1", True), ("Có", True), ("không", False), (0, False), (True, True)])
def test_yes_and_no_in_both_languages(written, value):
    assert cells.flag(written) is value


@pytest.mark.parametrize(("written", "value"), [("4", 4), ("5 sao", 5), (3, 3), ("", None)])
def test_stars_are_three_to_five(written, value):
    assert cells.star(written) == value


@pytest.mark.parametrize("written", ["2", "6", "4,5", "★★★★", "bốn"])
def test_other_stars_are_refused(written):
    with pytest.raises(BadValue):
        cells.star(written)


def test_a_barcode_needs_its_check_digit():
    assert cells.gtin("8934563138165") == "8934563138165"
    assert cells.gtin("") == ""
    with pytest.raises(BadValue):
        cells.gtin("8934563138166")


@pytest.mark.parametrize("written", [123, 1e10, "A\u200b1", "A\u00ad1", "A\n1", "A" * 301])
def test_a_code_is_text_without_hidden_characters(written):
    with pytest.raises(BadValue):
        cells.identifier(written)


@pytest.mark.parametrize("written", ["Tôm khÃ´", "bÃ¡nh phá»“ng", "Ä‘Æ°á»£c", "Tôm kh\ufffd"])
def test_garbled_text_is_refused_instead_of_shown(written):
    with pytest.raises(BadValue, match="garbled"):
        cells.text(written)


def test_text_is_composed_and_a_formula_guard_removed():
    assert cells.text("  Ma\u0306\u0301m   tôm\u200b ") == "Mắm tôm"
    assert cells.text("'=1+1") == "=1+1"
    assert cells.text("«cá» khô") == "«cá» khô"


@pytest.mark.parametrize(("written", "value"), [("29,5", "29.5"), ("40%", "40"), ("12.50", "12.5"), (29.5, "29.5")])
def test_alcohol_by_volume(written, value):
    assert cells.percent(written) == value

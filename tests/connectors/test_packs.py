"""Labels as they are printed in Cà Mau, and the numbers in them."""

from __future__ import annotations

import unicodedata

import pytest

from connectors.packs import held, shelf_days


@pytest.mark.parametrize(
    ("pack", "told", "sure", "parcel"),
    [
        ("500 g/hũ", "500 g", 500, "0.55"),
        ("1,5 kg", "1.5 kg", 1500, "1.65"),
        ("1.5 KG", "1.5 kg", 1500, "1.65"),
        ("250ml", "250 ml", 250, "0.28"),
        ("0.5 lít/chai", "0.5 L", 500, "0.55"),
        ("2 L", "2 L", 2000, "2.2"),
        ("200 gram", "200 g", 200, "0.22"),
        ("100 gr/gói", "100 g", 100, "0.11"),
        ("túi 1.200 g", "1200 g", 1200, "1.32"),
        ("1.250 kg", "1.25 kg", 1250, "1.38"),
        ("0,750 l", "0.75 L", 750, "0.83"),
        ("800–900 g/túi (2 con)", "800-900 g", 800, "0.99"),
        ("0,8 - 1 kg", "0.8-1 kg", 800, "1.1"),
        ("200 g (40 túi lọc × 5 g)", "200 g", 200, "0.22"),
        ("40 túi × 5 g", "40 x 5 g", 200, "0.22"),
        ("40 túi lọc x5g", "40 x 5 g", 200, "0.22"),
        ("5 g × 40 túi", "40 x 5 g", 200, "0.22"),
        ("thùng 24 x 330 ml", "24 x 330 ml", 7920, "8.72"),
        ("lốc 6 hộp", None, 0, ""),
        ("hộp đẹp", None, 0, ""),
        ("0 g", None, 0, ""),
        ("0 × 5 g", None, 0, ""),
        ("900–800 g", None, 0, ""),
        ("", None, 0, ""),
    ],
)
def test_a_label_says_how_much_is_inside(pack, told, sure, parcel):
    for spelt in (pack, unicodedata.normalize("NFD", pack)):
        found = held(spelt)

        assert (found and str(found)) == told
        assert found is None or (found.sure, found.parcel) == (sure, parcel)


@pytest.mark.parametrize(("pack", "liquid"), [("500 ml", True), ("1 lít", True), ("500 g", False), ("1 kg", False)])
def test_what_is_poured_is_told_from_what_is_weighed(pack, liquid):
    assert held(pack).is_liquid is liquid


def test_a_long_label_is_read_at_once():
    """Words that could be split in many ways must not be tried in all of them."""
    assert held("1 " + "a" * 20_000 + " " * 20_000 + "y") is None


@pytest.mark.parametrize(
    ("said", "days"),
    [("6 tháng", 180), ("1 năm", 365), ("30 ngày", 30), ("2 tuần", 14), ("12 months", 360), ("1 year", 365),
     ("12 tháng; mở nắp dùng trong 7 ngày", 360), ("lâu", 0), ("", 0)],
)  # fmt: skip
def test_a_shelf_life_is_told_in_days(said, days):
    assert shelf_days(said) == days
    assert shelf_days(unicodedata.normalize("NFD", said)) == days

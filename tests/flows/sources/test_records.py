"""Rows into records: what is set aside, how it is named, and that the order of rows never matters."""

import csv
import itertools

import pytest

from flows.sources.content import load
from flows.sources.problems import SourceRefused
from flows.sources.records import pack_suffix, producer_key, read

HEAD = ("Mã sản phẩm", "Tên sản phẩm", "Quy cách", "Giá bán")


def taken(tmp_path, head, *lines):
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *lines])
    return read(load("file", str(path)), path.name)


def test_a_bad_row_is_set_aside_whole_with_everything_that_is_wrong(tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Hạng sao", "Giá bán", "Mã vạch")
    reading = taken(tmp_path, head, ("A1", "Tôm khô", "6", "Liên hệ", "123"), ("A2", "Cá khô", "4", "90000", ""))

    assert [(p.file, p.row, p.column, p.value) for p in reading.set_aside] == [
        ("a.csv", 2, "Hạng sao", "6"),
        ("a.csv", 2, "Mã vạch", "123"),
        ("a.csv", 2, "Giá bán", "Liên hệ"),
    ]
    assert all(p.message.vi and p.message.en and p.next_step.vi and p.next_step.en for p in reading.set_aside)
    assert set(reading.products) == {"a2"}


@pytest.mark.parametrize(
    ("pack", "price", "ok"),
    [
        ("250 g; 500 g", "90000; 170000", True),
        ("250 g; 500 g", "", True),
        ("250 g; 500 g", "90000", False),
        ("250 g; 500 g", "1; 2; 3", False),
        ("250 g; 250G", "90000; 90000", False),
    ],
)
def test_packs_and_prices_must_go_together(tmp_path, pack, price, ok):
    lines = [("A1", "Tôm khô", pack, price), ("A2", "Cá khô", "", "")]

    assert (taken(tmp_path, HEAD, *lines).set_aside == []) is ok


def test_a_list_price_below_the_price_is_refused(tmp_path):
    head = ("Mã SKU", "Giá bán", "Giá niêm yết")
    reading = taken(tmp_path, head, ("A1", "90000", "80000"), ("A2", "90000", "95000"))

    assert [(p.row, p.code) for p in reading.set_aside] == [(2, "list-price")]


def test_of_two_rows_with_one_code_neither_is_taken_in_any_order(tmp_path):
    lines = [
        ("CM1", "Tôm khô", "", ""),
        ("cm1", "Cá khô", "", ""),
        ("CM2", "Ruốc khô", "", ""),
        ("ＣＭ1", "Mực khô", "", ""),
    ]
    for order in itertools.permutations(lines):
        reading = taken(tmp_path, HEAD, *order)
        assert set(reading.products) == {"cm2"}
        assert sorted(p.value for p in reading.set_aside) == sorted(["CM1", "cm1", "ＣＭ1"])


def test_alcohol_sets_are_alcohol_and_a_denial_is_a_contradiction(tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Bộ sản phẩm", "Có cồn")
    reading = taken(tmp_path, head, ("A1", "Rượu gạo", "14", ""), ("A2", "Rượu vang", "15", "không"))

    assert reading.product("a1").fields["is_alcohol"] is True
    assert [p.code for p in reading.set_aside] == ["alcohol"]


def test_unknown_columns_are_listed(tmp_path):
    reading = taken(tmp_path, ("Mã sản phẩm", "Tên sản phẩm", "Người nhập"), ("A1", "Tôm khô", "Lan"))

    assert reading.ignored == ["Người nhập"]


def test_a_sheet_without_one_usable_row_is_refused_with_the_first_reason(tmp_path):
    with pytest.raises(SourceRefused, match="Row 2"):
        taken(tmp_path, HEAD, ("A1", "", "", ""))


@pytest.mark.parametrize(
    ("pack", "suffix"),
    [("250 ml", "250ML"), ("1 kg", "1KG"), ("1,5 kg", "1-5KG"), ("800–900 g/túi (2 con)", "800-900GTUI2CON")],
)
def test_a_pack_becomes_the_end_of_a_sku(pack, suffix):
    assert pack_suffix(pack) == suffix


def test_abbreviations_of_producers_are_one_name():
    assert producer_key("HTX Sông Đầm") == producer_key("Hợp tác xã SÔNG ĐẦM")
    assert producer_key("Cty TNHH MTV Nam Á") == producer_key("Công ty TNHH Một thành viên Nam Á")

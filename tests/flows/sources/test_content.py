"""Bytes into rows: encodings, separators, quotes, workbooks, and what is refused before it can do harm."""

import io
import zipfile

import openpyxl
import pytest

from flows.sources.content import load
from flows.sources.problems import SourceRefused
from flows.sources.records import read

LINES = "Mã sản phẩm,Tên sản phẩm,Giá bán\nA1,Mắm tôm,120000\n"


def taken(path, **options):
    return read(load("file", str(path), **options), path.name)


def csv_file(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    return path


def workbook(tmp_path, *lines, title="Sheet"):
    book = openpyxl.Workbook()
    book.active.title = title
    for line in lines:
        book.active.append(line)
    book.save(tmp_path / "a.xlsx")
    return tmp_path / "a.xlsx"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (LINES, "utf-8"),
        (LINES, "utf-8-sig"),
        (LINES.replace(",", ";"), "utf-8"),
        (LINES.replace("\n", "\r\n"), "utf-8"),
        (LINES.replace("\n", "\r"), "utf-8"),
        ("DANH SÁCH,,\n\n" + LINES, "utf-8"),
        (LINES.replace("Mã sản phẩm", '"MÃ SẢN PHẨM (*)"'), "utf-8"),
    ],
)
def test_csv_as_spreadsheets_save_it(tmp_path, text, encoding):
    reading = taken(csv_file(tmp_path, text, encoding))

    assert reading.set_aside == []
    assert reading.product("a1").fields["name"] == "Mắm tôm"


def test_a_foreign_encoding_is_refused_with_its_line_and_read_when_named(tmp_path):
    path = csv_file(tmp_path, "product_id,product_name\nA1,Tom kho\nA2,Xúc xích\n", "latin-1")

    with pytest.raises(SourceRefused) as refused:
        taken(path)

    assert "dòng 3" in refused.value.message.vi
    assert "--encoding" in refused.value.next_step.vi
    assert taken(path, encoding="latin-1").product("a2").fields["name"] == "Xúc xích"


def test_an_encoding_that_does_not_exist_is_refused(tmp_path):
    for encoding in ("tcvn3000", "hex"):
        with pytest.raises(SourceRefused):
            taken(csv_file(tmp_path, LINES), encoding=encoding)


def test_a_quote_that_never_closes_does_not_swallow_the_file(tmp_path):
    with pytest.raises(SourceRefused, match="quote"):
        taken(csv_file(tmp_path, LINES + 'A2,"Tôm khô,1\nA3,Cá khô,2\n'))


def test_a_row_of_another_width_is_set_aside(tmp_path):
    reading = taken(csv_file(tmp_path, LINES + "A2,Tôm khô\nA3,Cá khô,1,2\nA4,Ruốc khô,50000\n"))

    assert [(p.row, p.code) for p in reading.set_aside] == [(3, "ragged"), (4, "ragged")]
    assert set(reading.products) == {"a1", "a4"}


def test_a_header_only_or_empty_file_is_refused(tmp_path):
    for text in ("", "\n", LINES.splitlines()[0]):
        with pytest.raises(SourceRefused, match="no data rows"):
            taken(csv_file(tmp_path, text))


def test_a_missing_essential_column_refuses_the_file_and_names_what_was_seen(tmp_path):
    with pytest.raises(SourceRefused) as refused:
        taken(csv_file(tmp_path, "Tên sản phẩm,Giá bán\nTôm khô,1\n"))

    assert "Tên sản phẩm, Giá bán" in refused.value.message.vi


def test_two_columns_of_one_meaning_are_refused(tmp_path):
    with pytest.raises(SourceRefused, match="same meaning"):
        taken(csv_file(tmp_path, "Mã sản phẩm,Tên sản phẩm,Giá bán,price\nA1,Tôm khô,1,2\n"))


def test_a_workbook_keeps_types_and_names_broken_cells(tmp_path):
    path = workbook(
        tmp_path,
        ["Mã sản phẩm", "Tên sản phẩm", "Giá bán", "Tồn kho"],
        ["A1", "Tôm khô", 120000, 5],
        [123, "Cá khô", 90000, 1],
        ["A3", "Ruốc khô", "=1+1", 1],
        ["A4", "Mắm ruốc", "#N/A", 1],
        ["A5", "Mắm tôm", 99.5, True],
    )

    reading = taken(path)

    assert [(p.row, p.column, p.code) for p in reading.set_aside] == [
        (3, "Mã sản phẩm", "number-cell"),
        (4, "Giá bán", "broken-cell"),
        (5, "Giá bán", "broken-cell"),
        (6, "Giá bán", "price"),
        (6, "Tồn kho", "not-text"),
    ]
    assert reading.product("a1").variants[0]["price"] == 120000


def test_an_unknown_sheet_is_refused_with_those_there_are(tmp_path):
    path = workbook(tmp_path, ["Mã sản phẩm", "Tên sản phẩm"], ["A1", "Tôm khô"], title="Tháng 11")

    with pytest.raises(SourceRefused) as refused:
        taken(path, sheet="Tháng 12")

    assert "Tháng 11" in refused.value.next_step.vi
    assert taken(path, sheet="Tháng 11").rows == 1


def test_a_cell_in_the_last_corner_costs_neither_time_nor_memory(tmp_path):
    path = workbook(tmp_path, ["Mã sản phẩm", "Tên sản phẩm"], ["A1", "Tôm khô"])
    book = openpyxl.load_workbook(path)
    book.active.cell(row=300_000, column=16384, value="x")
    book.save(path)

    assert taken(path).rows == 1


@pytest.mark.parametrize("member", ["xl/worksheets/sheet1.xml", "xl/styles.xml"])
def test_xml_with_a_document_type_is_refused(tmp_path, member):
    path = workbook(tmp_path, ["Mã sản phẩm", "Tên sản phẩm"], ["A1", "Tôm khô"])
    rewrite(path, member, lambda xml: b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + xml)

    with pytest.raises(SourceRefused):
        taken(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = workbook(tmp_path, ["Mã sản phẩm", "Tên sản phẩm"], ["A1", "Tôm khô"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/big.bin", bytes(30 * 1024 * 1024))

    with pytest.raises(SourceRefused, match="safe size"):
        taken(path)


def test_too_many_entries_are_refused(tmp_path):
    path = workbook(tmp_path, ["Mã sản phẩm", "Tên sản phẩm"], ["A1", "Tôm khô"])
    with zipfile.ZipFile(path, "a") as archive:
        for n in range(1001):
            archive.writestr(f"x/{n}", b"")

    with pytest.raises(SourceRefused, match="safe size"):
        taken(path)


def test_a_cut_or_locked_or_foreign_workbook_is_refused(tmp_path):
    whole = workbook(tmp_path, ["Mã sản phẩm", "Tên sản phẩm"], ["A1", "Tôm khô"]).read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as empty:
        empty.writestr("hello.txt", "x")
    for data in (whole[: len(whole) // 2], b"\xd0\xcf\x11\xe0" + bytes(600), archive.getvalue(), b"\x89PNG\0\0"):
        (tmp_path / "b.xlsx").write_bytes(data)
        with pytest.raises(SourceRefused):
            taken(tmp_path / "b.xlsx")


def rewrite(path, member, change):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[member] = change(parts[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)

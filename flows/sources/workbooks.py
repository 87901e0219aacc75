"""Rows of an xlsx workbook, after it was made sure that it cannot fill memory or run code."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, cast

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from flows.sources.cells import Broken, Cell
from flows.sources.problems import SourceRefused
from models.text import Text

FILE_BYTES = 20 * 1024 * 1024
UNPACKED_BYTES = 200 * 1024 * 1024
ENTRIES = 1_000
RATIO = 100
SMALL_ENTRY = 1024 * 1024  # below this a high ratio says nothing
COLUMNS = 200  # a single cell named XFD1 would otherwise make every row 16,384 wide
ERRORS = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"}

if not openpyxl.DEFUSEDXML:
    raise ImportError("openpyxl must find defusedxml: without it a workbook can expand XML entities")


def rows(name: str, data: bytes, sheet: str) -> Iterator[Sequence[Cell]]:
    """Values as the spreadsheet last calculated them; an error or an uncalculated formula is Broken."""
    formulas = _inspect(name, data)
    values = _values(_worksheet(name, data, sheet, data_only=True))
    try:
        if not formulas:
            yield from (_trimmed(row) for row in values)
            return
        written = _values(_worksheet(name, data, sheet, data_only=False))
        for value_row, written_row in zip_longest(values, written, fillvalue=()):
            yield _trimmed(tuple(map(_calculated, value_row, written_row)))
    except (zipfile.BadZipFile, ValueError, KeyError, SyntaxError):  # ParseError is a SyntaxError
        raise SourceRefused(*_damaged(name)) from None


def old_or_locked(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Tệp {name} là bảng tính kiểu cũ hoặc có mật khẩu.", f"File {name} is an old or locked workbook."),
        Text("Bỏ mật khẩu và lưu thành .xlsx.", "Remove the password and save it as .xlsx."),
    )


def _inspect(name: str, data: bytes) -> bool:
    """Refuses what is dangerous to open; answers whether there are formulas."""
    if len(data) > FILE_BYTES:
        raise SourceRefused(*_dangerous(name))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if _too_much(entries):
                raise SourceRefused(*_dangerous(name))
            formulas = [_has_formula(name, archive, entry) for entry in entries if entry.filename.endswith(".xml")]
            return any(formulas)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        raise SourceRefused(*_damaged(name)) from None


def _too_much(entries: list[zipfile.ZipInfo]) -> bool:
    return (
        len(entries) > ENTRIES
        or sum(entry.file_size for entry in entries) > UNPACKED_BYTES
        or any(e.file_size > SMALL_ENTRY and e.file_size > RATIO * max(e.compress_size, 1) for e in entries)
    )


def _has_formula(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Also reads every byte once, so that a lying size is found here."""
    found, tail = False, b""
    with archive.open(entry) as stream:
        while block := stream.read(1 << 20):
            seen = tail + block
            if b"<!DOCTYPE" in seen or b"<!ENTITY" in seen:
                raise SourceRefused(*_dangerous(name))
            found = found or b"<f>" in seen or b"<f " in seen or b"<f/>" in seen
            tail = block[-16:]
    return found and entry.filename.startswith("xl/worksheets/")


def _worksheet(name: str, data: bytes, sheet: str, *, data_only: bool) -> ReadOnlyWorksheet:
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=data_only)
    except (InvalidFileException, zipfile.BadZipFile, ValueError, KeyError, SyntaxError, TypeError):
        raise SourceRefused(*_damaged(name)) from None
    if sheet and sheet not in book.sheetnames:
        raise SourceRefused(*_no_sheet(name, sheet, book.sheetnames))
    chosen = book[sheet or book.sheetnames[0]]
    if not isinstance(chosen, ReadOnlyWorksheet):
        raise SourceRefused(*_damaged(name))  # a page that holds only a chart
    chosen.reset_dimensions()  # the size a workbook claims may be a lie
    return chosen


def _values(sheet: Any) -> Iterator[tuple[Cell, ...]]:  # the published types deny a read-only sheet its rows
    return cast(Iterator[tuple[Cell, ...]], sheet.iter_rows(max_col=COLUMNS, values_only=True))


def _trimmed(row: tuple[Cell, ...]) -> Sequence[Cell]:
    if row.count(None) == len(row):
        return ()  # a single cell in the last row brings a million of these
    end = len(row)
    while end and row[end - 1] is None:
        end -= 1
    return [Broken(cell) if isinstance(cell, str) and cell in ERRORS else cell for cell in row[:end]]


def _calculated(value: Cell, written: Cell) -> Cell:
    return Broken(str(written)) if value is None and written is not None else value


def _dangerous(name: str) -> tuple[Text, Text]:
    return (
        Text(
            f"Tệp {name} vượt giới hạn an toàn của một bảng tính (20 MB, bung ra 200 MB).",
            f"File {name} is beyond the safe size of a workbook (20 MB, 200 MB unpacked).",
        ),
        Text("Lưu bảng thành CSV UTF-8 rồi nhập lại.", "Save the table as CSV UTF-8 and import that."),
    )


def _damaged(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Bảng tính {name} bị hỏng hoặc chưa lưu xong.", f"Workbook {name} is damaged or incomplete."),
        Text("Mở tệp bằng Excel hoặc LibreOffice rồi lưu lại.", "Open it in Excel or LibreOffice and save it again."),
    )


def _no_sheet(name: str, sheet: str, there: list[str]) -> tuple[Text, Text]:
    return (
        Text(f"Bảng tính {name} không có trang “{sheet}”.", f"Workbook {name} has no sheet “{sheet}”."),
        Text(f"Chọn một trong các trang: {', '.join(there)}.", f"Choose one of: {', '.join(there)}."),
    )

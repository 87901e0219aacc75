"""One cell at a time: what people write into a spreadsheet, as a value or as a refusal that says why."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache

from flows.sources.problems import BadValue
from models.catalogue import is_gtin
from models.text import Text, fold, nfc

HIGHEST = 1_000_000_000  # đồng, and pieces in stock
KEY_LENGTH = 300
YEARS = range(2000, 2101)  # a Buddhist year, or 26 for 2026, is no year here


@dataclass(frozen=True, slots=True)
class Broken:
    """A spreadsheet cell without a usable value: an error, or a formula that was never calculated."""

    shown: str

    def __str__(self) -> str:
        return self.shown


Number = int | float | Decimal
Cell = str | Number | bool | date | datetime | time | timedelta | Broken | None
Value = str | int | bool | None  # what JSON can hold: dates and decimals are text
Parse = Callable[[Cell], Value]

GROUPED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+")
CURRENCY = re.compile(r" ?(?:₫|đ|đồng|vnd|vnđ)$")
DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
PERCENT = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,2}))? ?[%°]?")
STAR = re.compile(r"([3-5])(?: ?(?:sao|stars?))?")
YES = {"1", "true", "yes", "co", "x", "dung"}
NO = {"0", "false", "no", "khong", "sai"}
# A text opened as Windows-1252 although it was UTF-8: ế shows as "áº¿", à as "Ã ".
TWICE = re.compile("\ufffd|Ã[\u00a0-\u00bf]|á[º»][\u0080-\u00bf\u0152-\u0192\u02c6-\u02dc\u2013-\u2122]|Ä[‘\u0091]")
FORMULA_GUARD = re.compile(r"'(?=[=+\-@\t\r＝])")  # our own exports put it before what Excel would calculate


def text(cell: Cell) -> str:
    """One line of text."""
    said = paragraph(cell)
    if "\n" in said:
        raise BadValue("line-break", *LINE_BREAK)
    return said


def paragraph(cell: Cell) -> str:
    """Text of any number of lines."""
    if isinstance(cell, str):
        return _clean(cell)
    if cell is None:
        return ""
    if isinstance(cell, Broken):
        raise BadValue("broken-cell", *BROKEN)
    if isinstance(cell, bool) or not isinstance(cell, Number):
        raise BadValue("not-text", *NOT_TEXT)
    return _plain(cell)


def identifier(cell: Cell) -> str:
    """A SKU or another key: never a number cell, whose zeros in front Excel has already dropped."""
    if isinstance(cell, Number) and not isinstance(cell, bool):
        raise BadValue("number-cell", *NUMBER_CELL)
    if isinstance(cell, str) and any(unicodedata.category(c)[0] == "C" for c in cell.strip()):
        raise BadValue("hidden-character", *HIDDEN)
    said = text(cell)
    if len(said) > KEY_LENGTH:
        raise BadValue("too-long", *KEY_TOO_LONG)
    return said


def name(cell: Cell) -> str:
    said = text(cell)
    if said and not 3 <= len(said) <= 200:
        raise BadValue("name-length", *NAME_LENGTH)
    return said


def price(cell: Cell) -> int | None:
    """Đồng as Vietnamese people write them; a dot groups thousands and nothing else."""
    amount = _whole(cell, PRICE, currency=True)
    if amount is not None and not 0 < amount <= HIGHEST:
        raise BadValue("price-range", *PRICE_RANGE)
    return amount


def stock(cell: Cell) -> int | None:
    pieces = _whole(cell, STOCK)
    if pieces is not None and pieces > HIGHEST:
        raise BadValue("stock", *STOCK)
    return pieces


def day(cell: Cell) -> str | None:
    """An ISO date from 2026-11-15, 15/11/2026 or a date cell."""
    if isinstance(cell, datetime):
        cell = cell.date()
    if isinstance(cell, date):
        return _in_range(cell)
    found = DAY.fullmatch(_words(cell, DATE))
    if not found:
        _refuse_written(cell, "date", DATE)
        return None
    iso = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
    try:
        return _in_range(date(*map(int, iso)))
    except ValueError:
        raise BadValue("date", *DATE) from None


def year(cell: Cell) -> int | None:
    value = _whole(cell, YEAR)
    if value is not None and value not in YEARS:
        raise BadValue("year", *YEAR)
    return value


def star(cell: Cell) -> int | None:
    found = STAR.fullmatch(_words(cell, STARS).casefold())
    if found:
        return int(found[1])
    _refuse_written(cell, "stars", STARS)
    return None


def set_no(cell: Cell) -> int | None:
    value = _whole(cell, SET_NO)
    if value is not None and not 1 <= value <= 26:
        raise BadValue("set-no", *SET_NO)
    return value


def flag(cell: Cell) -> bool | None:
    if isinstance(cell, bool):
        return cell
    said = fold(_words(cell, FLAG))
    if said in YES | NO:
        return said in YES
    _refuse_written(cell, "flag", FLAG)
    return None


def percent(cell: Cell) -> str | None:
    found = PERCENT.fullmatch(_words(cell, ALCOHOL))
    if not found:
        _refuse_written(cell, "percent", ALCOHOL)
        return None
    value = Decimal(f"{found[1]}.{found[2] or 0}")
    if value > 100:
        raise BadValue("percent", *ALCOHOL)
    return decimal_text(value)


def gtin(cell: Cell) -> str:
    digits = _words(cell, GTIN)
    if digits and not is_gtin(digits):
        raise BadValue("gtin", *GTIN)
    return digits


def tax_code(cell: Cell) -> str:
    code = identifier(cell)
    if code and not re.fullmatch(r"[0-9]{10}(?:-?[0-9]{3})?|[0-9]{12}", code):
        raise BadValue("tax-code", *TAX_CODE)
    return code


def same_key(key: str) -> str:
    """Two spellings of one key are equal here: width, case, composed or not."""
    return unicodedata.normalize("NFKC", key).casefold().strip()


def decimal_text(value: Decimal | None) -> str | None:
    """12.50 and 12.5 alike as "12.5"."""
    return None if value is None else format(value.normalize(), "f")


@lru_cache(maxsize=8192)  # producers, sectors and places repeat on every row
def _clean(said: str) -> str:
    if TWICE.search(said):
        raise BadValue("garbled", *GARBLED)
    return nfc(FORMULA_GUARD.sub("", said, count=1) if said.startswith("'") else said)


def _plain(value: Number) -> str:
    exact = Decimal(str(value))
    if not exact.is_finite():
        raise BadValue("not-text", *NOT_TEXT)
    return format(exact.to_integral_value() if exact == exact.to_integral_value() else exact, "f")


def _words(cell: Cell, refusal: tuple[Text, Text]) -> str:
    """The cell as text where a value is expected; a yes/no or date cell is none."""
    try:
        return text(cell)
    except BadValue as error:
        raise BadValue(error.code, *(BROKEN if isinstance(cell, Broken) else refusal)) from None


def _whole(cell: Cell, refusal: tuple[Text, Text], *, currency: bool = False) -> int | None:
    code = CODES[refusal]
    if isinstance(cell, Number) and not isinstance(cell, bool):
        exact = Decimal(str(cell))
        if not exact.is_finite() or exact != exact.to_integral_value() or exact < 0:
            raise BadValue(code, *refusal)
        return int(exact)
    said = _words(cell, refusal).casefold()
    digits = CURRENCY.sub("", said) if currency else said
    if not GROUPED.fullmatch(digits):
        _refuse_written(cell, code, refusal)
        return None
    return int(digits.replace(".", ""))


def _refuse_written(cell: Cell, code: str, refusal: tuple[Text, Text]) -> None:
    """Nothing was written: nothing is known. Anything else is refused."""
    if cell is not None and text(cell):
        raise BadValue(code, *refusal)


def _in_range(on: date) -> str:
    if on.year not in YEARS:
        raise BadValue("date", *DATE)
    return on.isoformat()


LINE_BREAK = (
    Text("Ô này có xuống dòng, có thể do thiếu dấu ngoặc kép.", "The cell has a line break; a quote may be missing."),
    Text("Viết lại trên một dòng.", "Write it on one line."),
)
BROKEN = (
    Text("Ô này báo lỗi hoặc là công thức chưa tính.", "The cell holds an error or a formula without a result."),
    Text("Gõ thẳng giá trị vào ô rồi lưu lại.", "Type the value itself into the cell and save."),
)
NOT_TEXT = (
    Text("Ô này phải là chữ, nhưng bảng tính lưu thành kiểu khác.", "The cell should be text but has another type."),
    Text("Định dạng ô thành Văn bản rồi gõ lại.", "Format the cell as Text and type it again."),
)
NUMBER_CELL = (
    Text(
        "Mã được lưu thành số nên có thể đã mất số 0 ở đầu.",
        "The code is stored as a number; zeros may have been lost.",
    ),
    Text("Định dạng cột mã thành Văn bản rồi gõ lại mã.", "Format the code column as Text and type the code again."),
)
HIDDEN = (
    Text("Mã có ký tự ẩn.", "The code contains hidden characters."),
    Text("Xóa ô rồi gõ lại mã bằng tay.", "Clear the cell and type the code by hand."),
)
KEY_TOO_LONG = (
    Text("Mã dài quá 300 ký tự.", "The code is longer than 300 characters."),
    Text("Dùng mã ngắn hơn.", "Use a shorter code."),
)
NAME_LENGTH = (
    Text("Tên sản phẩm phải dài từ 3 đến 200 ký tự.", "A product name has 3 to 200 characters."),
    Text("Sửa lại tên sản phẩm.", "Correct the product name."),
)
GARBLED = (
    Text("Chữ bị lỗi phông, tệp đã được mở sai bảng mã.", "The text is garbled: the file was once read wrongly."),
    Text("Lấy lại tệp gốc và lưu thành CSV UTF-8.", "Take the original file and save it as CSV UTF-8."),
)
PRICE = (
    Text("Giá không đọc được.", "The price cannot be read."),
    Text("Ghi một số đồng, ví dụ 120000 hoặc 1.200.000.", "Write one amount in đồng, such as 120000 or 1.200.000."),
)
PRICE_RANGE = (
    Text("Giá phải lớn hơn 0 và không quá 1.000.000.000 ₫.", "A price is above 0 and at most 1.000.000.000 ₫."),
    Text("Kiểm tra lại giá; nếu chưa có giá thì để trống.", "Check the price; leave it empty where there is none."),
)
STOCK = (
    Text("Tồn kho phải là số nguyên từ 0 trở lên.", "Stock is a whole number from 0."),
    Text("Ghi số lượng đang có, ví dụ 25.", "Write the number of pieces, such as 25."),
)
DATE = (
    Text("Ngày không đọc được hoặc ngoài khoảng 2000–2100.", "The date cannot be read or is outside 2000-2100."),
    Text("Ghi ngày theo dạng 15/11/2026.", "Write the date like 15/11/2026."),
)
YEAR = (
    Text("Năm phải nằm trong khoảng 2000–2100.", "The year lies between 2000 and 2100."),
    Text("Ghi năm bằng bốn chữ số, ví dụ 2024.", "Write four digits, such as 2024."),
)
STARS = (
    Text("Hạng sao OCOP chỉ là 3, 4 hoặc 5.", "OCOP stars are 3, 4 or 5."),
    Text("Sửa hạng sao, hoặc để trống nếu chưa được công nhận.", "Correct it, or leave it empty."),
)
SET_NO = (
    Text("Bộ sản phẩm phải là số từ 1 đến 26.", "The product set is a number from 1 to 26."),
    Text("Tra bộ sản phẩm trong phụ lục II của QĐ 26/2026/QĐ-TTg.", "Look it up in appendix II of QĐ 26/2026/QĐ-TTg."),
)
FLAG = (
    Text("Ô này chỉ nhận có hoặc không.", "The cell takes yes or no."),
    Text("Ghi 1 hoặc 0, có hoặc không.", "Write 1 or 0."),
)
ALCOHOL = (
    Text("Độ cồn phải là số từ 0 đến 100.", "Alcohol is a number from 0 to 100."),
    Text("Ghi độ cồn theo phần trăm thể tích, ví dụ 29,5.", "Write per cent by volume, such as 29,5."),
)
GTIN = (
    Text("Mã vạch sai số chữ số hoặc sai chữ số kiểm tra.", "The barcode has a wrong length or check digit."),
    Text("Đọc lại mã vạch trên bao bì; không có thì để trống.", "Read it from the pack again; leave it empty if none."),
)
TAX_CODE = (
    Text("Mã số thuế phải có 10, 12 hoặc 13 chữ số.", "A tax code has 10, 12 or 13 digits."),
    Text("Kiểm tra lại mã số thuế; chưa rõ thì để trống.", "Check the tax code; leave it empty if unsure."),
)
CODES = {PRICE: "price", STOCK: "stock", YEAR: "year", SET_NO: "set-no"}

"""Which column of a sheet means what: by its Vietnamese, English or shipped name, however it is typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from flows.sources import cells
from flows.sources.cells import Cell, Parse
from flows.sources.problems import BadValue, SourceRefused
from models.text import Text, fold


class Kind(StrEnum):
    PRODUCTS = "products"
    OFFERS = "offers"
    ENGLISH = "english"
    COMMUNES = "communes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column as it stands in a sheet."""

    at: int
    header: str
    field: str
    parse: Parse


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    kind: Kind
    width: int
    columns: dict[str, Column]
    ignored: tuple[str, ...] = field(default=())


_KNOWN: dict[str, tuple[Parse, tuple[str, ...]]] = {
    "product_id": (cells.identifier, ("row_id", "product_id", "Mã sản phẩm", "Mã nội bộ", "Mã hàng")),
    "sku": (cells.identifier, ("sku", "Mã SKU", "seller_sku")),
    "name": (cells.name, ("product_name", "name", "Tên sản phẩm", "Tên hàng")),
    "brand": (cells.text, ("brand", "Nhãn hiệu", "Thương hiệu")),
    "producer_name": (cells.text, ("producer_name", "producer", "Chủ thể", "Tên chủ thể", "Chủ thể OCOP")),
    "producer_type": (cells.text, ("producer_type", "Loại hình", "Loại hình chủ thể")),
    "tax_code": (cells.tax_code, ("tax_code", "Mã số thuế", "MST")),
    "hamlet": (cells.text, ("hamlet", "Ấp", "Ấp/khóm")),
    "commune_old": (cells.text, ("commune_old", "Xã/phường cũ", "Xã cũ")),
    "district_old": (cells.text, ("district_old", "Huyện cũ", "Quận/huyện cũ")),
    "province_old": (cells.text, ("province_old", "Tỉnh cũ")),
    "commune": (cells.text, ("commune_new", "commune", "Xã/phường mới", "Xã mới", "Xã/phường")),
    "province": (cells.text, ("province_new", "province", "Tỉnh mới", "Tỉnh")),
    "stars": (cells.star, ("stars", "star", "Hạng sao", "Số sao")),
    "year": (cells.year, ("year_recognised", "year", "Năm công nhận")),
    "issued_on": (cells.day, ("issued_on", "Ngày cấp", "Ngày công nhận")),
    "decision_no": (cells.text, ("decision_no", "Số quyết định")),
    "evidence": (cells.text, ("evidence", "Căn cứ", "Mức chứng cứ")),
    "source_url": (cells.text, ("source_url", "Nguồn")),
    "sector": (cells.text, ("ocop_sector", "sector", "Ngành")),
    "product_group": (cells.text, ("ocop_group", "group", "Nhóm")),
    "subgroup": (cells.text, ("ocop_subgroup", "subgroup", "Phân nhóm")),
    "set_no": (cells.set_no, ("ocop_set_no", "set_no", "Bộ sản phẩm", "Bộ sản phẩm số")),
    "is_alcohol": (cells.flag, ("is_alcohol", "Có cồn", "Đồ uống có cồn")),
    "alcohol_percent": (cells.percent, ("alcohol_percent", "Độ cồn")),
    "pack": (cells.text, ("net_weight", "pack", "Quy cách", "Quy cách đóng gói", "Khối lượng tịnh")),
    "gtin": (cells.gtin, ("gtin", "ean", "barcode", "Mã vạch")),
    "price": (cells.price, ("price_vnd", "price", "Giá bán", "Giá")),
    "list_price": (cells.price, ("list_price_vnd", "list_price", "Giá niêm yết")),
    "stock": (cells.stock, ("stock", "Tồn kho", "Số lượng tồn")),
    "price_confirmed_on": (cells.day, ("price_confirmed_on", "Ngày xác nhận giá")),
    "illustrative": (cells.flag, ("illustrative", "Minh họa")),
    "ingredients": (cells.paragraph, ("ingredients", "Thành phần")),
    "shelf_life": (cells.paragraph, ("shelf_life", "Hạn sử dụng", "HSD")),
    "storage": (cells.paragraph, ("storage", "Bảo quản", "Hướng dẫn bảo quản")),
    "usage": (cells.paragraph, ("usage", "Hướng dẫn sử dụng", "Cách dùng")),
    "warnings": (cells.paragraph, ("warnings", "Cảnh báo")),
    "origin": (cells.text, ("origin", "Xuất xứ")),
    "marks": (cells.paragraph, ("marks_and_certificates", "marks", "Nhãn hiệu và chứng nhận", "Chứng nhận")),
    "description": (cells.paragraph, ("description_vi", "description", "Mô tả")),
    "name_en": (cells.name, ("name_en", "english_name", "Tên tiếng Anh", "Tên sản phẩm tiếng Anh")),
    "description_en": (cells.paragraph, ("description_en", "Mô tả tiếng Anh")),
    "ingredients_en": (cells.paragraph, ("ingredients_en", "Thành phần tiếng Anh")),
    "storage_en": (cells.paragraph, ("storage_en", "Bảo quản tiếng Anh")),
    "usage_en": (cells.paragraph, ("usage_en", "Hướng dẫn sử dụng tiếng Anh", "Cách dùng tiếng Anh")),
    "warnings_en": (cells.paragraph, ("warnings_en", "Cảnh báo tiếng Anh")),
    "images": (cells.paragraph, ("images", "image", "Ảnh", "Hình ảnh")),
    **{f"image_{n}": (cells.paragraph, (f"image_{n}", f"Ảnh {n}", f"Ảnh{n}")) for n in range(1, 10)},
    "new_type": (cells.text, ("new_type", "Loại đơn vị mới")),
    "new_name": (cells.text, ("new_name", "Tên đơn vị mới")),
    "old_type": (cells.text, ("old_type", "Loại đơn vị cũ")),
    "old_name": (cells.text, ("old_name", "Tên đơn vị cũ")),
    "old_city": (cells.text, ("old_city", "Thuộc thành phố cũ")),
    "split": (cells.flag, ("split", "Bị chia tách")),
    "note": (cells.text, ("note", "Ghi chú")),
}
_FIELD_OF = {fold(name): known for known, (_, names) in _KNOWN.items() for name in names}
PER_PACK = ("sku", "pack", "gtin", "price", "list_price", "stock")  # one value a pack, separated by ";"
ENGLISH = ("name_en", "description_en", "ingredients_en", "storage_en", "usage_en", "warnings_en")
OFFER = ("price", "list_price", "stock", "price_confirmed_on", "illustrative")
PICTURES = ("images", *(f"image_{n}" for n in range(1, 10)))  # file names beside the sheet, separated by ";"
COMMUNE = ("new_type", "new_name", "old_type", "old_name")
HEADER_WITHIN = 10  # rows: official lists have a title above their header


def recognise(rows: Sequence[Sequence[Cell]], file: str) -> tuple[int, Layout]:
    """The index of the header row and what it says; refuses a sheet that is none of ours."""
    for at, row in enumerate(rows[:HEADER_WITHIN]):
        layout = _layout(row, file)
        if layout:
            return at, layout
    raise SourceRefused(*_no_header(rows, file))


def field_names() -> set[str]:
    """Every folded header that is understood."""
    return set(_FIELD_OF)


def plain_header(cell: Cell) -> str:
    """A header for matching: folded, without a unit in brackets."""
    return fold(re.sub(r"\([^)]*\)", " ", cell)) if isinstance(cell, str) else ""


def _layout(row: Sequence[Cell], file: str) -> Layout | None:
    found: dict[str, Column] = {}
    ignored = []
    for at, cell in enumerate(row):
        field_name = _FIELD_OF.get(plain_header(cell))
        header = _shown(cell)
        if field_name is None:
            ignored += [header] if header else []
        elif field_name in found:
            raise SourceRefused(*_twice(found[field_name].header, header, file))
        else:
            parse = _KNOWN[field_name][0]
            found[field_name] = Column(at=at, header=header, field=field_name, parse=parse)
    kind = _kind(found)
    if kind is not Kind.PRODUCTS:  # a picture belongs to a product, and nobody should think it was taken
        ignored += [found.pop(name).header for name in PICTURES if name in found]
    width = max((at + 1 for at, cell in enumerate(row) if _shown(cell)), default=0)
    return Layout(kind=kind, width=width, columns=found, ignored=tuple(ignored)) if kind else None


def _kind(found: dict[str, Column]) -> Kind | None:
    if all(name in found for name in COMMUNE):
        return Kind.COMMUNES
    if not {"product_id", "sku"} & found.keys():
        return None
    if "name" in found:
        return Kind.PRODUCTS
    if {"product_id", "name_en"} <= found.keys():
        return Kind.ENGLISH
    return Kind.OFFERS if {"price", "stock"} & found.keys() else None


def _shown(cell: Cell) -> str:
    try:
        return " ".join(cells.paragraph(cell).split())
    except BadValue:
        return str(cell)


def _no_header(rows: Sequence[Sequence[Cell]], file: str) -> tuple[Text, Text]:
    first = next((row for row in rows if any(_shown(c) for c in row)), [])
    seen = ", ".join(filter(None, map(_shown, first)))[:200]
    return (
        Text(
            "Tệp {file} thiếu cột bắt buộc: cần “Mã sản phẩm” hoặc “Mã SKU”, cùng “Tên sản phẩm”, “Giá bán” hoặc "
            "“Tồn kho”. Các cột đọc được: {seen}.",
            "File {file} lacks an essential column: product id or SKU, and a name, a price or stock. Seen: {seen}.",
        ).fill(file=file, seen=seen or "—"),
        Text("Sửa dòng tiêu đề của bảng rồi thử lại.", "Correct the header row and try again."),
    )


def _twice(one: str, other: str, file: str) -> tuple[Text, Text]:
    return (
        Text(
            "Tệp {file} có hai cột cùng nghĩa: “{one}” và “{other}”.",
            "File {file} has two columns of the same meaning: “{one}” and “{other}”.",
        ).fill(file=file, one=one, other=other),
        Text("Xóa hoặc đổi tên một trong hai cột.", "Delete or rename one of them."),
    )

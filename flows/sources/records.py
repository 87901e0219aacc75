"""Sheets as records: every good row understood, every bad one set aside whole with all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from flows.sources import columns
from flows.sources.cells import Cell, Value, same_key
from flows.sources.columns import ENGLISH, OFFER, PER_PACK, PICTURES, Column, Kind, Layout, recognise
from flows.sources.content import Content, Sheet
from flows.sources.pictures import MOST, TOO_MANY, Pictures
from flows.sources.problems import BadValue, RowProblem, SourceRefused, row_problem
from models.catalogue import Image
from models.text import Text, fold

ROWS = 200_000
ALCOHOL_SETS = (14, 15)
ADDRESS = ("hamlet", "commune_old", "district_old", "province_old")
PRODUCT = (
    *("name", "brand", "set_no", "sector", "product_group", "subgroup", "is_alcohol", "alcohol_percent"),
    *("ingredients", "shelf_life", "storage", "usage", "warnings", "origin", "marks", "description"),
)
NOT_RECOGNISED = {"assessed", "da danh gia", "moi danh gia"}  # council result only: proves no star
ABBREVIATIONS = {
    "htx": "hop tac xa",
    "tht": "to hop tac",
    "cty": "cong ty",
    "hkd": "ho kinh doanh",
    "cssx": "co so san xuat",
    "dntn": "doanh nghiep tu nhan",
    "mtv": "mot thanh vien",
    "sx": "san xuat",
    "tm": "thuong mai",
    "dv": "dich vu",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductSaid:
    """One product as a sheet gives it. `implied`: neither a pack nor a SKU was stated."""

    product_id: str
    file: str
    row: int
    evidence: str
    producer: str  # key into Reading.producers; "" where none is named
    fields: dict[str, Any]
    variants: list[dict[str, Any]]
    implied: bool
    pictures: list[tuple[str, int, Image]] | None  # SKU of their row, place in it; None without such a column


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSaid:
    """What a sheet adds to a SKU or product that another one gave."""

    key: str
    file: str
    row: int
    fields: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProducerSaid:
    legal_name: str
    row: int
    producer_type: str = ""
    tax_code: str = ""
    commune: str = ""
    province: str = ""
    address_old: str = ""


_pack = msgspec.msgpack.Encoder().encode
_product = msgspec.msgpack.Decoder(ProductSaid).decode
_row = msgspec.msgpack.Decoder(RowSaid).decode


@dataclass(kw_only=True)
class Reading:
    """A whole source, understood. Records are kept packed: 100,000 of them as objects would not fit."""

    digest: str  # of the source, and of the pictures it names
    rows: int = 0
    products: dict[str, bytes] = field(default_factory=dict)  # same_key of the id ->
    offers: dict[str, bytes] = field(default_factory=dict)  # same_key of the SKU ->
    english: dict[str, bytes] = field(default_factory=dict)  # same_key of the product id ->
    producers: dict[str, ProducerSaid] = field(default_factory=dict)
    communes: list[dict[str, Any]] = field(default_factory=list)
    set_aside: list[RowProblem] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)  # keys of rows set aside: badly told is not gone
    doubled: set[str] = field(default_factory=set)  # those of them that several rows claim
    untold: bool = False  # a row set aside did not even say what it is about
    ignored: list[str] = field(default_factory=list)
    skus: dict[str, str] = field(default_factory=dict)  # same_key of every SKU given by products -> product key

    @property
    def adds(self) -> bool:
        """Whether it only speaks of products that others give."""
        return bool(self.offers or self.english) and not self.products

    def product(self, key: str) -> ProductSaid:
        return _product(self.products[key])

    def offer(self, key: str) -> RowSaid:
        return _row(self.offers[key])

    def texts(self, key: str) -> RowSaid:
        return _row(self.english[key])


def read(content: Content, name: str, media: Path | None = None) -> Reading:
    """Everything a source says. An empty one is refused: absence of all is a mistake, not a wish.

    Pictures are kept in `media`; without it they are only looked at.
    """
    pictures = Pictures(content.folder, media)
    reading = Reading(digest=content.digest)
    for sheet in content.sheets():
        _read_sheet(sheet, reading, pictures)
    reading.digest += pictures.mark
    if not reading.rows:
        raise SourceRefused(*_empty(name))
    if not (reading.products or reading.offers or reading.english or reading.communes):
        first = reading.set_aside[0]
        raise SourceRefused(*_nothing_usable(name, first))
    return reading


def pack_suffix(pack: str) -> str:
    """The pack as the end of a SKU: "250 ml" is 250ML, "1,5 kg" is 1-5KG."""
    ascii_only = fold(pack).encode("ascii", "ignore").decode()
    return re.sub(r"(?<=\d) (?=\d)", "-", ascii_only).replace(" ", "").upper()


def producer_key(legal_name: str) -> str:
    """A producer's name for matching: folded, abbreviations written out."""
    return " ".join(ABBREVIATIONS.get(word, word) for word in fold(legal_name).split())


def _read_sheet(sheet: Sheet, reading: Reading, pictures: Pictures) -> None:
    rows = iter(sheet.rows)
    head = list(islice(rows, columns.HEADER_WITHIN))
    if not any(map(_filled, head)):
        return
    at, layout = recognise(head, sheet.file)
    reading.ignored += [h for h in layout.ignored if h not in reading.ignored]
    take = TAKERS[layout.kind]
    for number, row in enumerate(chain(head[at + 1 :], rows), at + 2):
        if _filled(row):
            reading.rows += 1
            if reading.rows > ROWS:
                raise SourceRefused(*_too_many(sheet.file))
            take(_Line(sheet, layout, number, row, pictures), reading)


def _filled(row: Sequence[Cell]) -> bool:
    return any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in row)


class _Line:
    """One row being understood: values of its fields, and everything that is wrong with them."""

    def __init__(self, sheet: Sheet, layout: Layout, number: int, row: Sequence[Cell], pictures: Pictures) -> None:
        self.file, self.number, self.layout, self._row = sheet.file, number, layout, row
        self._beside = pictures
        self.problems: list[RowProblem] = []
        wide = any(cell is not None and cell != "" for cell in row[layout.width :])
        if wide or (sheet.even and len(row) < layout.width):
            self.refuse("", None, BadValue("ragged", *RAGGED))

    def has(self, name: str) -> bool:
        return name in self.layout.columns

    def value(self, name: str) -> Value:
        column = self.layout.columns.get(name)
        return self._parsed(column, self._cell(column)) if column else None

    def values(self, name: str) -> list[Value]:
        """One value a pack, where packs share a cell."""
        column = self.layout.columns.get(name)
        cell = self._cell(column) if column else None
        if column is None or not isinstance(cell, str) or ";" not in cell:
            return [self.value(name)]
        return [self._parsed(column, part) for part in cell.split(";") if part.strip()]

    def text(self, name: str) -> str:
        return str(self.value(name) or "")

    def pictures(self) -> list[Image] | None:
        """In the order of the columns, each once; None where the sheet has no such column."""
        there = sorted((self.layout.columns[name] for name in PICTURES if self.has(name)), key=lambda c: c.at)
        named = [(column, name) for column in there for name in self._names(column)]
        if len(named) > MOST:
            column, name = named[MOST]
            self.refuse(column.field, name, BadValue("pictures", *TOO_MANY))
        found = [self._picture(column, name) for column, name in named[:MOST]]
        return list(dict.fromkeys(filter(None, found))) if there else None

    def _names(self, column: Column) -> list[str]:
        said = str(self._parsed(column, self._cell(column)) or "")
        return [name.strip() for name in re.split("[;\n]", said) if name.strip()]

    def _picture(self, column: Column, name: str) -> Image | None:
        try:
            return self._beside.take(name)
        except BadValue as error:
            self.refuse(column.field, name, error)
            return None

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value and self.has(name) and not any(p.column == self.header(name) for p in self.problems):
            self.refuse(name, None, BadValue("missing", *MISSING))
        return value

    def header(self, name: str) -> str:
        column = self.layout.columns.get(name)
        return column.header if column else ""

    def refuse(self, name: str, value: object, error: BadValue) -> None:
        self.problems.append(row_problem(self.file, self.number, self.header(name), value, error))

    def _cell(self, column: Column) -> Cell:
        return self._row[column.at] if column.at < len(self._row) else None

    def _parsed(self, column: Column, cell: Cell) -> Value:
        try:
            return column.parse(cell)
        except BadValue as error:
            self.refuse(column.field, cell, error)
            return None


def _take_product(line: _Line, reading: Reading) -> None:
    skus = [str(sku) for sku in line.values("sku") if sku]
    product_id = line.required("product_id") if line.has("product_id") else (skus or [line.required("sku")])[0]
    producer = _producer(line)
    fields, variants, pictures = _product_fields(line), _variants(line, product_id, skus), line.pictures()
    said = ProductSaid(
        product_id=product_id,
        file=line.file,
        row=line.number,
        evidence=" ".join(filter(None, (line.text("evidence"), line.text("source_url")))),
        producer=_producer_id(producer),
        fields=fields,
        variants=variants,
        implied=not skus and not line.has("pack"),
        pictures=None if pictures is None else [(str(variants[0]["sku"]), n, p) for n, p in enumerate(pictures)],
    )
    if line.problems:
        _set_aside(reading, line.problems, product_id, *(v["sku"] for v in said.variants))
    else:
        _keep_product(reading, said, line)
    if producer.legal_name and not line.problems:
        _keep_producer(reading, said.producer, producer)


def _product_fields(line: _Line) -> dict[str, Any]:
    line.required("name")
    fields: dict[str, Any] = {name: _stated(line, name) for name in (*PRODUCT, *ENGLISH) if line.has(name)}
    if any(fields.get(name) for name in ENGLISH):
        fields["english_illustrative"] = False  # beside a product's own texts they are meant
    if line.has("stars") or line.has("evidence"):
        fields["certificate"] = _certificate(line)
    in_alcohol_set = fields.get("set_no") in ALCOHOL_SETS
    if in_alcohol_set and fields.get("is_alcohol") is False:
        line.refuse("is_alcohol", "0", BadValue("alcohol", *CONTRADICTION))
    if in_alcohol_set:
        fields["is_alcohol"] = True
    elif fields.get("is_alcohol") is None:
        fields.pop("is_alcohol", None)  # not stated: never taken for a no
    return fields


def _stated(line: _Line, name: str) -> Value:
    """Texts are never None, so that an empty cell equals an empty field."""
    value = line.value(name)
    return "" if value is None and name not in ("set_no", "is_alcohol", "alcohol_percent") else value


def _certificate(line: _Line) -> dict[str, Any] | None:
    star = line.value("stars")
    assessed = fold(line.text("evidence")) in NOT_RECOGNISED
    if not (star or assessed):
        return None
    return {
        "star": star or 0,
        "status": "assessed" if assessed else "recognised",
        "year": line.value("year"),
        "issued_on": line.value("issued_on"),
        "decision_no": line.text("decision_no"),
    }


def _variants(line: _Line, product_id: str, skus: list[str]) -> list[dict[str, Any]]:
    packs = [str(pack or "") for pack in line.values("pack")] or [""]
    count = max(len(packs), len(skus))
    if not skus:
        skus = [product_id] if count == 1 else [f"{product_id}-{pack_suffix(pack)}" for pack in packs]
    given = {name: _aligned(line, name, count) for name in PER_PACK if line.has(name) and name != "sku"}
    if len(skus) != count or len(set(map(same_key, skus))) != count:
        line.refuse("sku" if line.has("sku") else "pack", "; ".join(skus), BadValue("packs", *PACKS))
    shared = _offer_day(line, given)
    variants = [{"sku": sku, **{f: vs[n] for f, vs in given.items()}, **shared} for n, sku in enumerate(skus[:count])]
    for position, variant in enumerate(variants):
        variant["position"] = position
        _check_prices(line, variant)
    return variants


def _aligned(line: _Line, name: str, count: int) -> list[Value]:
    """As many values as packs: one price for three packs would be a guess."""
    values = line.values(name)
    if len(values) == count:
        return values
    if any(value is not None and value != "" for value in values):
        line.refuse(name, "; ".join(map(str, values)), BadValue("packs", *PACKS))
    return ["" if name in ("pack", "gtin") else None] * count


def _offer_day(line: _Line, given: dict[str, Any]) -> dict[str, Any]:
    """A price or stock given without a word on it is meant as real."""
    shared: dict[str, Any] = {}
    if line.has("price_confirmed_on"):
        shared["price_confirmed_on"] = line.value("price_confirmed_on")
    if any(v is not None for name in ("price", "stock") for v in given.get(name, ())):
        shared["illustrative"] = bool(line.value("illustrative"))
    return shared


def _check_prices(line: _Line, fields: dict[str, Any]) -> None:
    price, full = fields.get("price"), fields.get("list_price")
    if price and full and price > full:
        line.refuse("list_price", full, BadValue("list-price", *LIST_PRICE))


def _producer(line: _Line) -> ProducerSaid:
    return ProducerSaid(
        legal_name=line.text("producer_name"),
        row=line.number,
        producer_type=line.text("producer_type").lower(),
        tax_code=line.text("tax_code").replace("-", ""),
        commune=line.text("commune"),
        province=line.text("province"),
        address_old=", ".join(filter(None, map(line.text, ADDRESS))),
    )


def _producer_id(producer: ProducerSaid) -> str:
    if not producer.legal_name:
        return ""
    return producer.tax_code or f"{producer_key(producer.legal_name)}|{fold(producer.commune)}"


def _keep_producer(reading: Reading, key: str, said: ProducerSaid) -> None:
    """Rows may tell more or less of one producer: the fullest answer counts, whatever their order."""
    known = reading.producers.get(key)
    if known is None:
        reading.producers[key] = said
    elif known != replace(said, row=known.row):
        fullest = {
            name: max(getattr(known, name), getattr(said, name), key=lambda v: (len(v), v))
            for name in ("legal_name", "producer_type", "tax_code", "commune", "province", "address_old")
        }
        reading.producers[key] = ProducerSaid(row=min(known.row, said.row), **fullest)


def _keep_product(reading: Reading, said: ProductSaid, line: _Line) -> None:
    key = same_key(said.product_id)
    taken = [sku for sku in _keys(said) if sku in reading.skus]
    if key in reading.doubled or taken:
        _refuse_doubles(reading, said, line, taken)
        return
    if key not in reading.products:
        reading.products[key] = _pack(said)
    else:
        joined = _joined(reading.product(key), said)
        if joined is None:
            _refuse_doubles(reading, said, line, [])
            return
        reading.products[key] = _pack(joined)
    reading.skus.update(dict.fromkeys(_keys(said), key))


def _joined(one: ProductSaid, other: ProductSaid) -> ProductSaid | None:
    """Two rows of one product, a pack each; None where they contradict each other."""
    if one.fields != other.fields or one.producer != other.producer:
        return None
    variants = sorted((*one.variants, *other.variants), key=lambda v: str(v["sku"]))
    pictures = None
    if one.pictures is not None or other.pictures is not None:
        pictures = sorted((*(one.pictures or ()), *(other.pictures or ())), key=lambda p: p[:2])
    return replace(
        one,
        row=min(one.row, other.row),
        variants=[v | {"position": n} for n, v in enumerate(variants)],
        pictures=pictures,
    )


def _refuse_doubles(reading: Reading, said: ProductSaid, line: _Line, taken: list[str]) -> None:
    """Neither row is taken: which one is right is not for us to say, and must not hang on their order."""
    product_key = same_key(said.product_id)
    for key in {product_key, *(reading.skus[sku] for sku in taken)} & reading.products.keys():
        earlier = reading.product(key)
        column = line.header("product_id") or line.header("sku")
        problem = row_problem(earlier.file, earlier.row, column, earlier.product_id, BadValue("twice", *TWICE))
        _set_aside(reading, [problem], earlier.product_id, *(v["sku"] for v in earlier.variants))
        reading.doubled.add(key)
        del reading.products[key]
    line.refuse("product_id" if line.has("product_id") else "sku", said.product_id, BadValue("twice", *TWICE))
    _set_aside(reading, line.problems, said.product_id, *(v["sku"] for v in said.variants))


def _keys(said: ProductSaid) -> list[str]:
    return [same_key(str(v["sku"])) for v in said.variants]


def _take_offer(line: _Line, reading: Reading) -> None:
    by = "sku" if line.has("sku") else "product_id"
    sku = line.required(by)
    fields = {name: line.value(name) for name in OFFER if line.has(name) and name != "illustrative"}
    if fields.get("price") is not None or fields.get("stock") is not None:
        fields["illustrative"] = bool(line.value("illustrative"))
    _check_prices(line, fields)
    _keep_row(reading, reading.offers, line, by, RowSaid(key=sku, file=line.file, row=line.number, fields=fields))


def _take_english(line: _Line, reading: Reading) -> None:
    product_id = line.required("product_id")
    fields: dict[str, Any] = {name: _stated(line, name) for name in ENGLISH if line.has(name)}
    if any(fields.values()):
        line.required("name_en")
    fields["english_illustrative"] = bool(line.value("illustrative"))
    said = RowSaid(key=product_id, file=line.file, row=line.number, fields=fields)
    _keep_row(reading, reading.english, line, "product_id", said)


def _keep_row(reading: Reading, kept: dict[str, bytes], line: _Line, by: str, said: RowSaid) -> None:
    """Of two rows about the same neither is taken."""
    key = same_key(said.key)
    if not line.problems and (key in kept or key in reading.doubled):
        line.refuse(by, said.key, BadValue("twice", *TWICE))
        reading.doubled.add(key)
        if key in kept:
            earlier = _row(kept.pop(key))
            problem = row_problem(earlier.file, earlier.row, line.header(by), earlier.key, BadValue("twice", *TWICE))
            _set_aside(reading, [problem], earlier.key)
    if line.problems:
        _set_aside(reading, line.problems, said.key)
    else:
        kept[key] = _pack(said)


def _take_commune(line: _Line, reading: Reading) -> None:
    unit: dict[str, Any] = {name: line.required(name) for name in columns.COMMUNE}
    unit |= {"old_city": line.text("old_city"), "split": bool(line.value("split")), "note": line.text("note")}
    if line.problems:
        reading.set_aside += line.problems
    else:
        reading.communes.append(unit)


TAKERS = {
    Kind.PRODUCTS: _take_product,
    Kind.OFFERS: _take_offer,
    Kind.ENGLISH: _take_english,
    Kind.COMMUNES: _take_commune,
}


def _set_aside(reading: Reading, problems: Iterable[RowProblem], *keys: str) -> None:
    told = {same_key(key) for key in keys if key}
    reading.untold = reading.untold or not told
    reading.blocked |= told
    reading.set_aside += problems


def _empty(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Nguồn {name} không có dòng dữ liệu nào.", f"Source {name} holds no data rows."),
        Text(
            "Kiểm tra lại tệp; nếu không dùng nguồn này nữa, chạy “caybeo sources remove”.",
            "Check the file; run “caybeo sources remove” where the source is no longer used.",
        ),
    )


def _nothing_usable(name: str, first: RowProblem) -> tuple[Text, Text]:
    return (
        Text(
            f"Không dòng nào của {name} dùng được. Dòng {first.row}: {first.message.vi}",
            f"No row of {name} can be used. Row {first.row}: {first.message.en}",
        ),
        first.next_step,
    )


def _too_many(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Tệp {name} có hơn 200.000 dòng.", f"File {name} has more than 200.000 rows."),
        Text("Chia bảng thành nhiều tệp nhỏ hơn.", "Divide the table into smaller files."),
    )


RAGGED = (
    Text("Số ô của dòng khác số cột của tiêu đề.", "The row has not as many cells as the header."),
    Text("Kiểm tra dấu phân cách và dấu ngoặc kép ở dòng này.", "Check the separators and quotes of this row."),
)
MISSING = (
    Text("Ô bắt buộc còn trống.", "A required cell is empty."),
    Text("Điền ô này rồi nhập lại.", "Fill it in and import again."),
)
PACKS = (
    Text(
        "Số quy cách, mã SKU, giá hoặc tồn kho trong dòng không khớp nhau, hoặc hai quy cách trùng nhau.",
        "Packs, SKUs, prices or stocks of the row differ in number, or two packs are the same.",
    ),
    Text("Ghi mỗi quy cách một giá trị, cách nhau bằng dấu “;”.", "Give one value a pack, separated by “;”."),
)
LIST_PRICE = (
    Text("Giá niêm yết thấp hơn giá bán.", "The list price is below the price."),
    Text(
        "Kiểm tra hai giá; không giảm giá thì để trống giá niêm yết.", "Check both; leave it empty without a discount."
    ),
)
CONTRADICTION = (
    Text("Bộ 14 và 15 là đồ uống có cồn, nhưng dòng này ghi là không.", "Sets 14 and 15 are alcohol; the row says no."),
    Text("Sửa bộ sản phẩm hoặc ô có cồn.", "Correct the product set or the alcohol cell."),
)
TWICE = (
    Text("Mã này xuất hiện ở nhiều dòng nên chưa dòng nào được nhận.", "Several rows bear this code; none was taken."),
    Text("Chỉ giữ một dòng cho mỗi mã, hoặc thêm cột Mã SKU.", "Keep one row a code, or add a SKU column."),
)

"""Which fields of a facet differ once spelling alone does not count, and how people read the two values. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import takewhile
from typing import Any

from connectors.problems import label
from models.listing import FACET_NAMES
from models.text import Text, money, nfc, number
from models.value import Value

SHOWN = 60  # characters of a text that are told
CREDIBLE = 2_000_000_000  # a larger price or stock is no figure to compare with
KEPT = 200  # characters of a text that scripts are given
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]{1,2})?")  # not 1.200, which is twelve hundred here
FIELD_NAMES: dict[str, Text] = {
    "price_vnd": Text("giá", "price"),
    "price": Text("giá", "price"),
    "list_price_vnd": Text("giá niêm yết", "list price"),
    "qty": Text("tồn kho", "stock"),
    "short_description": Text("mô tả ngắn", "short description"),
    "category_id": Text("ngành hàng", "category"),
    "categories": Text("ngành hàng", "categories"),
    "unit": Text("quy cách", "pack"),
    "ocop": Text("sao OCOP", "OCOP star"),
    "star": Text("số sao", "stars"),
    "valid_until": Text("ngày hết hạn", "valid until"),
    "decision_no": Text("số quyết định", "decision"),
}


class Difference(Value, frozen=True, kw_only=True):
    """One field of which the two sides show different things; `field` is the marketplace's name of it."""

    facet: str
    field: str
    ours: Any
    theirs: Any
    currency: str = "VND"  # of prices


def differences(facet: str, ours: Any, theirs: Any) -> tuple[Difference, ...]:
    """Field by field; empty where only spelling differs: NFC, blanks, 250000 as a number or as text."""
    currency = str(ours.get("currency") or "VND") if isinstance(ours, Mapping) else "VND"
    return tuple(
        Difference(facet=facet, field=field, ours=here, theirs=there, currency=currency)
        for field, here, there in _fields(facet, ours, theirs)
        if not same(here, there)
    )


def same(ours: Any, theirs: Any) -> bool:
    """Whether a reader would take the two for the same value."""
    if _empty(ours) or _empty(theirs):
        return _empty(ours) and _empty(theirs)
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return all(same(ours.get(name), theirs.get(name)) for name in {*ours, *theirs})
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, str) and isinstance(theirs, str):
        return _plain(ours) == _plain(theirs)
    left, right = amount(ours), amount(theirs)
    return left == right if left is not None and right is not None else bool(ours == theirs)


def amount(value: Any) -> Decimal | None:
    """The number that a value is or spells."""
    if isinstance(value, str):
        return Decimal(value.strip()) if NUMBER.fullmatch(value.strip()) else None
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else None


def there_instead(ours: Any, value: Decimal | int | None, theirs: Any) -> Decimal | None:
    """What stands there in the field that holds `value` on our side."""
    if value is None or not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return None
    field = next((name for name, here in ours.items() if same(here, value)), "")
    found = amount(theirs.get(field))
    return found if found is not None and 0 <= found <= CREDIBLE else None


def told(difference: Difference) -> Text:
    """price: 250.000 ₫ on our side, 200.000 ₫ there."""
    last = difference.field.rpartition(".")[2]
    name = FACET_NAMES["images"] if difference.facet == "images" else FIELD_NAMES.get(last, label(last))
    ours, theirs = _excerpts(_words(difference, difference.ours), _words(difference, difference.theirs))
    other = OTHER if ours == theirs else SAID  # as many pictures, but not the same
    return Text(
        other.vi.format(name=name.vi, ours=ours.vi, theirs=theirs.vi),
        other.en.format(name=name.en, ours=ours.en, theirs=theirs.en),
    )


def brief(difference: Difference) -> dict[str, Any]:
    """The same for scripts; a long text is cut."""
    facet, field = difference.facet, difference.field
    return {"facet": facet, "field": field, "ours": _cut(difference.ours), "theirs": _cut(difference.theirs)}


def _fields(facet: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Pairs of values by field; a field within a field is named with a dot."""
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        yield facet, ours, theirs
        return
    for name in [*ours, *(other for other in theirs if other not in ours)]:
        here, there = ours.get(name), theirs.get(name)
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            yield from ((f"{name}.{inner}", a, b) for inner, a, b in _fields(name, here, there))
        else:
            yield name, here, there


def _plain(text: str) -> str:
    return " ".join(nfc(text).split())


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)


def _words(difference: Difference, value: Any) -> Text:
    if _empty(value):
        return Text("–", "–")
    if isinstance(value, bool):
        return Text("có", "yes") if value else Text("không", "no")
    if difference.facet == "images" and isinstance(value, list | tuple):
        return Text(f"{len(value)} ảnh", f"{len(value)} pictures")
    if isinstance(value, int | float | Decimal):
        figure = Decimal(str(value))
        told = money(figure, difference.currency) if difference.facet == "price" else number(figure)
        return Text(told, told)
    if isinstance(value, list | tuple):
        told = ", ".join(map(str, value))
        return Text(told, told)
    if isinstance(value, Mapping):
        told = ", ".join(str(inner) for inner in value.values() if not _empty(inner))
        return Text(told, told)
    return Text(f"“{_plain(value)}”", f"“{_plain(value)}”")


def _excerpts(ours: Text, theirs: Text) -> tuple[Text, Text]:
    """Long texts are told from shortly before the first place where they differ."""
    if max(len(ours.vi), len(theirs.vi)) <= SHOWN:
        return ours, theirs
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours.vi, theirs.vi, strict=False)))
    begin = max(0, alike - SHOWN // 3)
    return Text(_part(ours.vi, begin), _part(ours.en, begin)), Text(_part(theirs.vi, begin), _part(theirs.en, begin))


def _part(text: str, begin: int) -> str:
    part = text[begin : begin + SHOWN]
    return ("…" if begin else "") + part + ("…" if begin + SHOWN < len(text) else "")


def _cut(value: Any) -> Any:
    return value[:KEPT] + "…" if isinstance(value, str) and len(value) > KEPT else value


SAID = Text("{name}: {ours} bên mình, {theirs} trên sàn", "{name}: {ours} on our side, {theirs} there")
OTHER = Text("{name}: {ours} bên mình, {theirs} khác trên sàn", "{name}: {ours} on our side, {theirs} of others there")

"""What an item says of itself as one text, for marketplaces that have no fields for its parts."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from models.listing import Item
from models.text import nfc

CAPTIONS = {  # as a label has them: buyers read Vietnamese
    "brand": "Nhãn hiệu",
    "pack": "Quy cách",
    "ingredients": "Thành phần",
    "shelf_life": "Hạn sử dụng",
    "storage": "Bảo quản",
    "usage": "Hướng dẫn sử dụng",
    "warnings": "Cảnh báo",
    "origin": "Xuất xứ",
    "marks": "Nhãn hiệu, chỉ dẫn",
}
USE = ("ingredients", "shelf_life", "storage", "usage", "warnings")  # what a buyer needs at home


def one_line(text: str) -> str:
    """A spreadsheet's cell may hold line breaks; most fields may not."""
    return nfc(" ".join(text.split()))


def captioned(item: Item, fields: Iterable[str]) -> list[str]:
    """One line for each of the fields that is filled."""
    return [f"{CAPTIONS[field]}: {value}" for field in fields if (value := getattr(item, field))]


def maker(item: Item) -> str:
    producer = item.producer
    return ", ".join(part for part in (producer.legal_name, producer.commune, producer.province) if part)


def paragraphs(lines: Iterable[str]) -> str:
    """HTML with one escape for the whole text: lines become paragraphs."""
    return "<p>" + escape("\n".join(lines), quote=False).replace("\n", "</p><p>") + "</p>"

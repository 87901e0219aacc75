"""What an item says of itself as one text, for marketplaces without fields for its parts; in English abroad."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from connectors.packs import Held
from models.catalogue import Certificate, English
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

ABROAD = {"ingredients": "Ingredients", "storage": "Storage", "usage": "Directions", "warnings": "Warnings"}


def one_line(text: str) -> str:
    """A spreadsheet's cell may hold line breaks; most fields may not."""
    return nfc(" ".join(text.split()))


def captioned(item: Item, fields: Iterable[str]) -> list[str]:
    """One line for each of the fields that is filled."""
    return [f"{CAPTIONS[field]}: {value}" for field in fields if (value := getattr(item, field))]


def described(item: Item, fields: Iterable[str]) -> list[str]:
    """The lines of its description, one for each filled field, and who makes it, unless that was said already."""
    lines = [*item.description.split("\n"), *captioned(item, fields)]
    producer = item.producer
    if producer.legal_name and not any(producer.legal_name in line for line in lines):
        lines.append("Cơ sở: " + ", ".join(filter(None, (producer.legal_name, producer.commune, producer.province))))
    return [line for line in lines if line]


def paragraphs(lines: Iterable[str]) -> str:
    """HTML with one escape for the whole text: lines become paragraphs."""
    return "<p>" + escape("\n".join(lines), quote=False).replace("\n", "</p><p>") + "</p>"


def in_english(english: English) -> list[str]:
    """The lines of its description, and one for each other text a person wrote."""
    captioned = (f"{caption}: {text}" for field, caption in ABROAD.items() if (text := getattr(english, field)))
    return [line for line in nfc("\n".join((english.description, *captioned))).split("\n") if line]


def english_title(english: English, pack: Held | None) -> str:
    """With what the pack holds, once: each pack is a listing of its own."""
    name, holds = one_line(english.name), str(pack or "")
    return name if holds in name else f"{name}, {holds}"


def english_star(certificate: Certificate | None) -> list[str]:
    """A star is words abroad, and only while its certificate holds."""
    return [f"OCOP {certificate.star} stars (One Commune One Product programme of Vietnam)"] if certificate else []

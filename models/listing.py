"""What one account should show of one SKU, or why it shows nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from models.catalogue import Certificate, English, Image, Money, Producer
from models.text import Text
from models.value import Value

Status = Literal["live", "pending", "rejected", "hidden", "draft"]  # a draft is there, and nobody works on it
Facet = Literal["content", "price", "stock", "images"]
FACETS: tuple[Facet, ...] = ("content", "price", "stock", "images")
FACET_NAMES: dict[str, Text] = {
    "content": Text("nội dung", "content"),
    "price": Text("giá", "price"),
    "stock": Text("tồn kho", "stock"),
    "images": Text("ảnh", "pictures"),
}
Facets = dict[str, Any]  # facet -> JSON-able value in the marketplace's own fields

_encode = msgspec.json.Encoder(order="deterministic").encode


class Problem(Value, frozen=True, kw_only=True):
    """Something a person should know or do about one SKU. `code` is stable, the rest is for reading."""

    code: str
    field: str
    message: Text
    next_step: Text


class Item(Value, frozen=True, kw_only=True):
    """One SKU of one product as it may be shown on a given day: the domain's rules have been applied.

    `certificate` is None unless a star may be shown; then neither name nor description holds the word OCOP, nor does
    `english`. Prices are in the account's currency.
    """

    sku: str
    group: str  # product_id: the SKUs of one product share it
    name: str
    brand: str
    description: str
    producer: Producer
    price: Money
    list_price: Money | None
    price_confirmed_on: date | None
    stock: int
    pack: str
    gtin: str
    set_no: int | None
    certificate: Certificate | None
    is_alcohol: bool
    alcohol_percent: Decimal | None
    ingredients: str
    shelf_life: str
    storage: str
    usage: str
    warnings: str
    origin: str
    marks: str
    images: tuple[Image, ...]
    english: English | None = None


class Listing(Value, frozen=True, kw_only=True):
    """What one account should show of one SKU, in the marketplace's fields, split into facets."""

    key: str  # our SKU
    facets: Facets


class Unlistable(Value, frozen=True, kw_only=True):
    """Why one account must not show this SKU."""

    key: str
    problems: tuple[Problem, ...]


class Remote(Value, frozen=True, kw_only=True):
    """What a marketplace shows of one SKU, read back: facets in the same fields as a Listing's."""

    key: str
    remote_id: str
    status: Status
    revision: str = ""
    facets: Facets = msgspec.field(default_factory=dict)
    words: str = ""  # the marketplace's own reason where it rejected


def facet_hash(value: object) -> str:
    """16 bytes of blake2b over the sorted JSON: equal values hash equally in every process."""
    return blake2b(_encode(value), digest_size=16).hexdigest()


def differing(there: Facets, wanted: Facets, facets: Iterable[str] = FACETS) -> list[str]:
    """Which of these facets read otherwise there."""
    return [facet for facet in facets if facet_hash(there[facet]) != facet_hash(wanted[facet])]

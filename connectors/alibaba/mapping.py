"""An item as Alibaba.com shows it to buyers abroad, or everything that keeps it off; sources are in README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.alibaba.categories import CATEGORIES, Category
from connectors.contract import Policy
from connectors.parcel import packed, plain
from connectors.pictures import PictureRule
from connectors.problems import amiss, missing_english, too_long, too_many_bytes, unmapped, wrong_currency
from connectors.prose import one_line, paragraphs
from models.catalogue import English
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import nfc, number

VERSION = 1
TITLE, CURRENCY = "Alibaba.com", "USD"
TITLE_BYTES, VALUE_CHARS = 128, 70
PICTURES = PictureRule(most=6, size=5_000_000)
LEAST, MOST = Decimal("0.01"), Decimal(9_999_999)
BRAND = "Brand Name"
CAPTIONS = {"ingredients": "Ingredients", "storage": "Storage", "usage": "Usage", "warnings": "Warnings"}
SIDES = ("length", "width", "height")
# Of "40 túi × 5 g" neither number is the pack's own content.
NET = re.compile(r"(?<![\d.,×x])(?<![×x] )(\d+(?:[.,]\d+)?)\s*(kg|gram|gr|g|ml|lít|l)\b(?!\s*[×x])", re.IGNORECASE)
UNITS = {"kg": "kg", "l": "L", "lít": "L", "ml": "ml"}  # all others are grams


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    category = CATEGORIES.of(item.set_no)
    english = item.english or English(name="")
    content = _content(item, english, category or CATEGORIES.default)
    problems = [*_text_problems(item, english, content), *_offer_problems(item), *PICTURES.problems(item)]
    if category is None or item.is_alcohol:  # licences to export alcohol are beyond what an account can say
        problems.insert(0, unmapped(item.set_no))
    if problems:
        return Unlistable(key=item.sku, problems=tuple(problems))
    facets = {
        "content": content,
        "price": price_of("TIERED", CURRENCY, [(content["moq"], item.price.amount)]),
        "stock": {"inventory": item.stock},
        "images": PICTURES.usable(item),
    }
    return Listing(key=item.sku, facets=facets)


def price_of(kind: str, currency: str, tiers: list[tuple[int, Decimal]]) -> Facets:
    return {"price_type": kind, "currency": currency, "tiered_price": [[least, plain(each)] for least, each in tiers]}


def _content(item: Item, english: English, category: Category) -> Facets:
    net = _net(item.pack)
    brand = {BRAND: nfc(item.brand)} if item.brand else {}
    return {
        "category_id": category.id,
        "title": ", ".join(filter(None, (one_line(english.name), net))),  # each pack is a listing of its own
        "keywords": "\n".join(dict.fromkeys(filter(None, (one_line(english.name).lower(), category.keyword)))),
        "description": _html(item, english, net),
        "attributes": {**category.attributes, **brand},
        "moq": category.carton,
        "unit": category.unit,
        "weight": packed(net) or category.weight,
        "dimension": dict(zip(SIDES, category.box, strict=True)),
    }


def _net(pack: str) -> str:
    """Amount and unit of a pack's label, which is Vietnamese; empty where it names none."""
    found = NET.search(pack)
    return f"{found[1].replace(',', '.')} {UNITS.get(found[2].lower(), 'g')}" if found else ""


def _html(item: Item, english: English, net: str) -> str:
    """A star is words here, and only while its certificate holds."""
    lines = [line for line in nfc(english.description).split("\n") if line]
    if item.certificate:
        lines.append(f"OCOP {item.certificate.star} stars (One Commune One Product programme of Vietnam)")
    lines += [f"Net content: {net}"] if net else []
    lines += [f"{CAPTIONS[name]}: {one_line(text)}" for name in CAPTIONS if (text := getattr(english, name))]
    return paragraphs(lines)


def _text_problems(item: Item, english: English, content: Mapping[str, Any]) -> Iterator[Problem]:
    title = content["title"]
    if not (english.name.strip() and english.description.strip()):
        yield missing_english(TITLE)
    if not title.isascii():
        yield amiss(
            "not-ascii", "english", "có tên chứa chữ có dấu hoặc ký tự lạ", "have a name with letters beyond ASCII"
        )
    if len(title.encode()) > TITLE_BYTES:
        yield too_many_bytes("english", title, TITLE_BYTES, TITLE)
    for field, text in (("brand", item.brand), ("sku", item.sku)):
        if (length := len(nfc(text))) > VALUE_CHARS:
            yield too_long(field, length, VALUE_CHARS)


def _offer_problems(item: Item) -> Iterator[Problem]:
    amount, currency = item.price.amount, item.price.currency
    if currency != CURRENCY:
        yield wrong_currency(TITLE, (CURRENCY,), currency)
    elif not LEAST <= amount <= MOST or amount != round(amount, 2):
        vi = f"phải từ {number(LEAST)} đến {number(MOST)} {CURRENCY}, tối đa 2 số lẻ"
        yield amiss("unusable", "price", vi, f"must be {LEAST} to {MOST:,} {CURRENCY}, two decimals at most")
    if item.stock < 0:
        yield amiss("unusable", "stock", "không được nhỏ hơn 0", "must not be below 0")

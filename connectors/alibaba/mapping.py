"""An item as Alibaba.com shows it to buyers abroad, or everything that keeps it off; sources are in README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.alibaba.categories import CATEGORIES, Category
from connectors.contract import Policy
from connectors.packs import held, plain
from connectors.pictures import PictureRule
from connectors.problems import amiss, missing_english, too_long, too_many_bytes, unmapped, unsellable_abroad
from connectors.prose import english_star, english_title, in_english, one_line, paragraphs
from models.catalogue import English
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import nfc

VERSION = 2
TITLE, CURRENCY, DECIMALS = "Alibaba.com", "USD", 2
TITLE_BYTES, VALUE_CHARS = 128, 70
PICTURES = PictureRule(most=6, size=5_000_000)
MOST_PRICE = 9_999_999
BRAND = "Brand Name"
SIDES = ("length", "width", "height")


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    category = CATEGORIES.of(item.set_no)
    english = item.english or English(name="")
    content = _content(item, english, category or CATEGORIES.default)
    offer = unsellable_abroad(item, TITLE, {CURRENCY: DECIMALS}, most_price=MOST_PRICE)
    problems = [*_text_problems(item, english, content), *offer, *PICTURES.problems(item)]
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
    pack, name = held(item.pack), one_line(english.name)
    brand = {BRAND: nfc(item.brand)} if item.brand else {}
    net = [f"Net content: {pack}"] if pack else []
    return {
        "category_id": category.id,
        "title": english_title(english, pack),
        "keywords": "\n".join(dict.fromkeys(filter(None, (name.lower(), category.keyword)))),
        "description": paragraphs([*in_english(english), *english_star(item.certificate), *net]),
        "attributes": {**category.attributes, **brand},
        "moq": category.carton,
        "unit": category.unit,
        "weight": pack.parcel if pack else category.weight,
        "dimension": dict(zip(SIDES, category.box, strict=True)),
    }


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

"""Turns an item into Vỏ Sò's fields, or says everything that keeps it off that marketplace.

Category numbers are those of pages saved in 2021 [V, our page of November 2026]. The 150 bytes are the limit of Viettel
Post's partner API for strings [V]; every other limit is our own assumption [A], see README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from connectors.contract import Policy
from connectors.problems import amiss, ill_sized, missing, too_many_bytes, unmapped, unsellable, with_html
from connectors.prose import USE, captioned, one_line
from models.catalogue import Image
from models.listing import Facets, Item, Listing, Problem, Unlistable

TITLE = "Vỏ Sò"
NAME_CHARS, DESCRIPTION_CHARS = 120, 5_000
UNIT_BYTES = 150
IMAGES, IMAGE_BYTES, IMAGE_TYPES = 5, 1_000_000, ("image/jpeg", "image/png")
PRICE_MOST, STOCK_MOST = 2_000_000_000, 999_999

WESTERN, FRUIT, SUPPLEMENTS, HOUSEHOLD, ACCESSORIES = 140, 225, 69, 236, 99
CATEGORIES: dict[int, int] = {
    **dict.fromkeys([*range(1, 14), 17], WESTERN),
    **dict.fromkeys([18, 19, 20], SUPPLEMENTS),
    21: HOUSEHOLD,
    22: ACCESSORIES,
}  # not sent: 14-15 (alcohol), 16 (no branch known), 23-26 (plants, animals, services)
# Set 1 is vegetables, fruit, roots and nuts; only fruit has a branch of its own there. Tones matter: táo, not tảo.
FRUITS = re.compile(
    r"\b(trái cây|bưởi|cam|chanh|chôm chôm|chuối|dâu|dưa hấu|dưa lê|dứa|khóm|mãng cầu|mít|nhãn|ổi|quýt"
    r"|sầu riêng|táo|thanh long|vú sữa|xoài|dừa tươi|dừa xiêm)\b",
    re.IGNORECASE,
)


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    """What Vỏ Sò should show of this item."""
    facets = _facets(item)
    offer = unsellable(item, PRICE_MOST, STOCK_MOST, code="unusable")
    problems = (*_content_problems(item, facets["content"]), *offer, *_image_problems(item))
    return Unlistable(key=item.sku, problems=problems) if problems else Listing(key=item.sku, facets=facets)


def _facets(item: Item) -> Facets:
    listed = item.list_price if item.list_price and item.list_price.amount > item.price.amount else None
    return {
        "content": {
            "name": one_line(item.name),
            "short_description": _short_description(item),
            "description": _description(item),
            "category_id": category(item),
            "unit": one_line(item.pack),
            "brand": one_line(item.brand),
            "origin": one_line(item.origin),
            "ocop": item.certificate is not None,
        },
        # A listed price that is not above the price shows no discount: the page would only repeat the number.
        "price": {"price": int(item.price.amount), "list_price": int(listed.amount) if listed else None},
        "stock": {"stock": item.stock},
        "images": [image.sha256 for image in _images(item)],
    }


def category(item: Item) -> int | None:
    if item.set_no == 1 and FRUITS.search(item.name):
        return FRUIT
    return CATEGORIES.get(item.set_no or 0)


def _short_description(item: Item) -> str:
    """The badge is words here: this marketplace has no field for stars, only the landing page /ocop."""
    badge = f"OCOP {item.certificate.star} sao. " if item.certificate else ""
    return badge + ", ".join(filter(None, (one_line(item.name), one_line(item.pack))))


def _description(item: Item) -> str:
    return "\n".join(filter(None, [item.description, *captioned(item, USE)]))


def _images(item: Item) -> list[Image]:
    return list({image.sha256: image for image in item.images}.values())[:IMAGES]


def _content_problems(item: Item, content: Facets) -> Iterator[Problem]:
    if content["category_id"] is None:
        yield unmapped(item.set_no)
    limits = (("name", NAME_CHARS), ("description", DESCRIPTION_CHARS))
    yield from ill_sized([(field, content[field], limit) for field, limit in limits], required=("name", "description"))
    for field in ("sku", "unit", "brand", "origin"):
        text = content.get(field, item.sku)
        if len(text.encode()) > UNIT_BYTES:
            yield too_many_bytes(field, text, UNIT_BYTES, TITLE)
    yield from with_html([(f, content[f]) for f in ("name", "description", "unit", "brand", "origin")], TITLE)


def _image_problems(item: Item) -> Iterator[Problem]:
    if not item.images:
        yield missing("images")
    for place, image in enumerate(_images(item), start=1):
        if image.media_type not in IMAGE_TYPES or image.size > IMAGE_BYTES:
            wanted = (f"phải là JPEG hoặc PNG dưới 1 MB (ảnh {place})", f"must be JPEG or PNG below 1 MB (no. {place})")
            yield amiss("unusable", "images", *wanted)

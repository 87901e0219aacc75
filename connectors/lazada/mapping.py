"""An item as Lazada shows it, or everything that keeps it off; limits and their sources are in README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_UP, Decimal
from html import escape
from typing import Any

from connectors.contract import Policy
from connectors.lazada.categories import BY_SET, DEFAULT, Category, category_of
from connectors.problems import amiss, missing, too_long, unmapped
from connectors.prose import CAPTIONS, captioned, maker, paragraphs
from models.catalogue import Image
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import number

VERSION = 1
NAME_BYTES, DESCRIPTION_CHARS = 255, 25_000
IMAGES, IMAGE_BYTES, IMAGE_TYPES, PIXELS = 8, 3_145_728, ("image/jpeg", "image/png"), range(330, 5001)
MOST_KG = Decimal(40)
NO_BRAND = "No Brand"
MEASURES = ("height", "length", "width", "weight")
FORBIDDEN = {"name": '"^~<>|', "sku": '"*^~<>/\\|'}
WEIGHT = re.compile(r"(?<![\d.,])(\d+(?:[.,]\d+)?)\s*(kg|g|gr|gram|ml|l|lít)\b", re.IGNORECASE)
KILOGRAMS = {"kg": Decimal(1), "l": Decimal(1), "lít": Decimal(1)}  # a litre of food weighs about that
PACKAGING = Decimal("1.1")  # assumed
ATTRIBUTES = {c.id: tuple(c.attributes) for c in (DEFAULT, *BY_SET.values())}


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    category, pictures = category_of(item.set_no), _pictures(item.images)
    content = _content(item, category or DEFAULT)
    problems = [*_content_problems(item, content), *_offer_problems(item), *_picture_problems(item, pictures)]
    if category is None or item.is_alcohol:  # no branch for alcohol is known, whatever the account allows
        problems.insert(0, unmapped(item.set_no))
    if problems:
        return Unlistable(key=item.sku, problems=tuple(problems))
    facets = {
        "content": content,
        # No crossed-out price: how one is taken back is not documented, so it would outlive its record.
        "price": {"price": int(item.price.amount)},
        "stock": {"quantity": item.stock},
        "images": pictures,
    }
    return Listing(key=item.sku, facets=facets)


def attributes(content: Mapping[str, Any]) -> dict[str, str]:
    """The content as Lazada's normal attributes."""
    texts = {name: content[name] for name in ("name", "short_description", "description", "brand")}
    return {**content["attributes"], **texts}


def package(content: Mapping[str, Any]) -> dict[str, str]:
    return {f"package_{name}": content["package"][name] for name in MEASURES}


def content_of(category: str, shown: Mapping[str, Any], sku: Mapping[str, Any]) -> dict[str, Any]:
    """The content facet of an item read back; what Lazada fills in by itself is not ours."""
    return {
        "category_id": category,
        **{name: str(shown.get(name) or "") for name in ("name", "short_description", "description", "brand")},
        "attributes": {name: str(shown.get(name) or "") for name in ATTRIBUTES.get(category, ())},
        "package": {name: plain(sku.get(f"package_{name}") or 0) for name in MEASURES},
    }


def plain(value: Any) -> str:
    """20.00 -> 20: it is sent in one way and read back in another."""
    return format(Decimal(str(value)).normalize(), "f")


def _content(item: Item, category: Category) -> dict[str, Any]:
    measures = (*category.box, _weight(item.pack) or category.weight)
    return {
        "category_id": category.id,
        "name": _name(item),
        "short_description": _highlights(item),
        "description": _html(item),
        "brand": NO_BRAND,  # ours are not in Lazada's register; the true one stands in the description
        "attributes": dict(category.attributes),
        "package": dict(zip(MEASURES, map(plain, measures), strict=True)),
    }


def _name(item: Item) -> str:
    """With the pack, because each pack is an item of its own."""
    return " ".join((f"{item.name} – {item.pack}" if item.pack and item.pack not in item.name else item.name).split())


def _weight(pack: str) -> str:
    """Kilograms with packaging, two decimals, rounded up; empty where the pack does not say."""
    found = WEIGHT.search(pack)
    if found is None:
        return ""
    net = Decimal(found[1].replace(",", ".")) * KILOGRAMS.get(found[2].lower(), Decimal("0.001"))
    return str((net * PACKAGING).quantize(Decimal("0.01"), ROUND_UP)) if net else ""


def _highlights(item: Item) -> str:
    """Only ul and li are kept there. A star is words here, and only while its certificate holds."""
    star = f"OCOP {item.certificate.star} sao" if item.certificate else ""
    lines = (star, item.pack, item.origin)
    inner = "".join(f"<li>{escape(' '.join(line.split()), quote=False)}</li>" for line in lines if line)
    return f"<ul>{inner}</ul>" if inner else ""


def _html(item: Item) -> str:
    lines = [line for line in item.description.split("\n") if line]
    lines += captioned(item, CAPTIONS)
    lines += [f"Cơ sở: {who}"] if (who := maker(item)) else []
    return paragraphs(lines)


def _pictures(images: tuple[Image, ...]) -> list[str]:
    """The first eight that Lazada takes, each once: a repeated one is refused."""
    return list(dict.fromkeys(i.sha256 for i in images if _fits(i)))[:IMAGES]


def _fits(image: Image) -> bool:
    measured = image.width in PIXELS and image.height in PIXELS
    return image.media_type in IMAGE_TYPES and image.size <= IMAGE_BYTES and measured


def _content_problems(item: Item, content: Facets) -> Iterator[Problem]:
    if not content["name"]:
        yield missing("name")
    if (size := len(content["name"].encode())) > NAME_BYTES:
        yield _too_many_bytes(size)
    if len(content["description"]) > DESCRIPTION_CHARS:
        yield too_long("description", len(content["description"]), DESCRIPTION_CHARS)
    for field, text in (("name", content["name"]), ("sku", item.sku)):
        if found := " ".join(c for c in FORBIDDEN[field] if c in text):
            yield amiss("forbidden", field, f"chứa ký tự Lazada không nhận: {found}", f"holds what is refused: {found}")
    if Decimal(content["package"]["weight"]) > MOST_KG:
        yield amiss("too-heavy", "pack", f"nặng quá {MOST_KG} kg kể cả bao bì", f"weighs over {MOST_KG} kg packed")


def _offer_problems(item: Item) -> Iterator[Problem]:
    amount = item.price.amount
    if item.price.currency != "VND" or amount <= 0 or amount != int(amount):
        yield amiss("unusable", "price", "phải là số đồng nguyên, lớn hơn 0", "must be whole đồng above 0")
    if item.stock < 0:
        yield amiss("unusable", "stock", "không được nhỏ hơn 0", "must not be below 0")


def _picture_problems(item: Item, usable: list[str]) -> Iterator[Problem]:
    if not item.images:
        yield missing("images")
    elif not usable:
        wanted = f"{PIXELS[0]}–{number(PIXELS[-1])}"
        yield amiss(
            "no-usable-picture",
            "images",
            f"phải có ảnh JPG hoặc PNG tối đa 3 MB, mỗi cạnh {wanted} điểm ảnh",
            f"need a JPG or PNG of at most 3 MB, {wanted} pixels a side",
        )


def _too_many_bytes(size: int) -> Problem:
    vi = f"dài {size} byte, Lazada chỉ nhận {NAME_BYTES} (một chữ có dấu chiếm 2–3 byte)"
    return amiss(
        "too-many-bytes", "name", vi, f"has {size} bytes, Lazada takes {NAME_BYTES} (a marked letter needs 2-3)"
    )

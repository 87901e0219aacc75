"""An item as Lazada shows it, or everything that keeps it off; limits and their sources are in README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from html import escape
from typing import Any

from connectors.contract import Policy
from connectors.lazada.categories import CATEGORIES, Category
from connectors.packs import held, plain
from connectors.pictures import PictureRule
from connectors.problems import amiss, forbidden, missing, too_long, too_many_bytes, unmapped
from connectors.prose import CAPTIONS, described, paragraphs
from models.listing import Facets, Item, Listing, Problem, Unlistable

VERSION = 2
TITLE = "Lazada"
NAME_BYTES, DESCRIPTION_CHARS = 255, 25_000
PICTURES = PictureRule(most=8, size=3_145_728, sides=range(330, 5001))  # a repeated one is refused
MOST_KG = Decimal(40)
NO_BRAND = "No Brand"
MEASURES = ("height", "length", "width", "weight")
FORBIDDEN = {"name": '"^~<>|', "sku": '"*^~<>/\\|'}


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    category = CATEGORIES.of(item.set_no)
    content = _content(item, category or CATEGORIES.default)
    problems = [*_content_problems(item, content), *_offer_problems(item), *PICTURES.problems(item)]
    if category is None or item.is_alcohol:  # no branch for alcohol is known, whatever the account allows
        problems.insert(0, unmapped(item.set_no))
    if problems:
        return Unlistable(key=item.sku, problems=tuple(problems))
    facets = {
        "content": content,
        # No crossed-out price: how one is taken back is not documented, so it would outlive its record.
        "price": {"price": int(item.price.amount)},
        "stock": {"quantity": item.stock},
        "images": PICTURES.usable(item),
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
        "attributes": {name: str(shown.get(name) or "") for name in CATEGORIES.attributes(category)},
        "package": {name: plain(sku.get(f"package_{name}") or 0) for name in MEASURES},
    }


def _content(item: Item, category: Category) -> dict[str, Any]:
    pack = held(item.pack)
    measures = (*category.box, pack.parcel if pack else category.weight)
    return {
        "category_id": category.id,
        "name": _name(item),
        "short_description": _highlights(item),
        "description": paragraphs(described(item, CAPTIONS)),
        "brand": NO_BRAND,  # ours are not in Lazada's register; the true one stands in the description
        "attributes": dict(category.attributes),
        "package": dict(zip(MEASURES, map(plain, measures), strict=True)),
    }


def _name(item: Item) -> str:
    """With the pack, because each pack is an item of its own."""
    return " ".join((f"{item.name} – {item.pack}" if item.pack and item.pack not in item.name else item.name).split())


def _highlights(item: Item) -> str:
    """Only ul and li are kept there. A star is words here, and only while its certificate holds."""
    star = f"OCOP {item.certificate.star} sao" if item.certificate else ""
    lines = (star, item.pack, item.origin)
    inner = "".join(f"<li>{escape(' '.join(line.split()), quote=False)}</li>" for line in lines if line)
    return f"<ul>{inner}</ul>" if inner else ""


def _content_problems(item: Item, content: Facets) -> Iterator[Problem]:
    if not content["name"]:
        yield missing("name")
    if len(content["name"].encode()) > NAME_BYTES:
        yield too_many_bytes("name", content["name"], NAME_BYTES, TITLE)
    if len(content["description"]) > DESCRIPTION_CHARS:
        yield too_long("description", len(content["description"]), DESCRIPTION_CHARS)
    for field, text in (("name", content["name"]), ("sku", item.sku)):
        if found := " ".join(c for c in FORBIDDEN[field] if c in text):
            yield forbidden(field, found, TITLE)
    if Decimal(content["package"]["weight"]) > MOST_KG:
        yield amiss("too-heavy", "pack", f"nặng quá {MOST_KG} kg kể cả bao bì", f"weighs over {MOST_KG} kg packed")


def _offer_problems(item: Item) -> Iterator[Problem]:
    amount = item.price.amount
    if item.price.currency != "VND" or amount <= 0 or amount != int(amount):
        yield amiss("unusable", "price", "phải là số đồng nguyên, lớn hơn 0", "must be whole đồng above 0")
    if item.stock < 0:
        yield amiss("unusable", "stock", "không được nhỏ hơn 0", "must not be below 0")

"""An item as Postmart shows it; limits and categories as the README gives them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from connectors.contract import Policy
from connectors.pictures import MEGABYTE, PictureRule
from connectors.problems import amiss, ill_sized, unmapped, unsellable, whole_dong
from connectors.prose import USE, described, paragraphs
from models.catalogue import Certificate
from models.listing import Item, Listing, Problem, Unlistable
from models.text import fold, number

VERSION = 2
MIN_NAME, MAX_NAME, MAX_BRAND, MAX_SHORT, MAX_DESCRIPTION, MAX_SKU = 3, 200, 100, 500, 30_000, 100
PICTURES = PictureRule(most=8, size=2 * MEGABYTE)
MAX_PRICE, MAX_STOCK = 10**9, 10**6

OCOP = "san-pham-ocop"
NOURISHING = "thuc-pham-bo-duong"
KINDS: dict[int, str] = {
    **dict.fromkeys(range(1, 14), "thuc-pham-va-dac-san"),
    **dict.fromkeys(range(14, 18), "do-uong"),
    **dict.fromkeys(range(18, 21), "suc-khoe-va-lam-dep"),
}  # 21-25: no category known
HONEY_SET = 4  # honey and other gathered food: only here does the name decide
NOURISHING_WORDS = (" mat ong ", " yen ", " dong trung ")


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    content = _content(item)
    problems = (*_text_problems(item, content), *_offer_problems(item), *PICTURES.problems(item))
    if problems:
        return Unlistable(key=item.sku, problems=problems)
    images = PICTURES.usable(item)
    facets = {"content": content, "price": _price(item), "stock": {"qty": item.stock}, "images": images}
    return Listing(key=item.sku, facets=facets)


def categories(item: Item) -> list[str]:
    """The kind's slug and, while a star may be shown, the one of OCOP products."""
    kind = KINDS.get(item.set_no or 0)
    if kind is None:
        return []
    if item.set_no == HONEY_SET and _is_nourishing(item.name):
        kind = NOURISHING
    return [kind, OCOP] if item.certificate else [kind]


def _is_nourishing(name: str) -> bool:
    folded = f" {fold(name)} "
    return any(word in folded for word in NOURISHING_WORDS)


def _content(item: Item) -> dict[str, Any]:
    return {
        "name": item.name,
        "brand": item.brand,
        "short_description": _shortened(item.description.partition("\n")[0]),
        "description": _html(item),
        "categories": categories(item),
        "ocop": _ocop(item.certificate),
    }


def _ocop(certificate: Certificate | None) -> dict[str, Any] | None:
    """`valid_until` is the last day on which the star may be shown."""
    end = certificate.first_invalid_day() if certificate else None
    if certificate is None or end is None:
        return None
    return {"star": certificate.star, "valid_until": (end - timedelta(days=1)).isoformat()}


def _shortened(text: str) -> str:
    """The short description is only a teaser, so it is cut at a word rather than refused."""
    if len(text) <= MAX_SHORT:
        return text
    return text[: MAX_SHORT - 1].rpartition(" ")[0] + "…"


def _html(item: Item) -> str:
    lines = described(item, ("pack", *USE, "origin", "marks"))
    if item.alcohol_percent is not None:
        lines.append(f"Độ cồn: {number(item.alcohol_percent)}% vol")
    return paragraphs(lines)


def _price(item: Item) -> dict[str, int | None]:
    before = item.list_price
    return {"price_vnd": int(item.price.amount), "list_price_vnd": int(before.amount) if before else None}


def _text_problems(item: Item, content: dict[str, Any]) -> Iterator[Problem]:
    if not content["categories"]:
        yield unmapped(item.set_no)
    if len(item.name) < MIN_NAME:
        vi, en = f"quá ngắn, sàn cần ít nhất {MIN_NAME} ký tự", f"is too short, {MIN_NAME} characters are needed"
        yield amiss("too-short", "name", vi, en)
    yield from ill_sized(
        [
            ("sku", item.sku, MAX_SKU),
            ("name", item.name, MAX_NAME),
            ("brand", item.brand, MAX_BRAND),
            ("description", content["description"], MAX_DESCRIPTION),
        ]
    )


def _offer_problems(item: Item) -> Iterator[Problem]:
    yield from unsellable(item, MAX_PRICE, MAX_STOCK)
    before = item.list_price
    if before and whole_dong(before, MAX_PRICE) and before.amount < item.price.amount:
        yield amiss("list-price-too-low", "list_price", "thấp hơn giá bán", "is below the price")

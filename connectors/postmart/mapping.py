"""An item as Postmart shows it; limits and categories as the README gives them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from connectors.contract import Policy
from connectors.problems import correct, label, missing, too_long, unmapped
from connectors.prose import USE, captioned, maker, paragraphs
from models.catalogue import Certificate, Image, Money
from models.listing import Item, Listing, Problem, Unlistable
from models.text import Text, fold, number

VERSION = 1
MIN_NAME, MAX_NAME, MAX_BRAND, MAX_SHORT, MAX_DESCRIPTION, MAX_SKU = 3, 200, 100, 500, 30_000, 100
MAX_IMAGES, MAX_IMAGE_BYTES, IMAGE_TYPES = 8, 2 * 1024 * 1024, frozenset({"image/png", "image/jpeg"})
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
    content, pictures = _content(item), _pictures(item.images)
    problems = (*_text_problems(item, content), *_offer_problems(item), *_picture_problems(item, pictures))
    if problems:
        return Unlistable(key=item.sku, problems=problems)
    facets = {"content": content, "price": _price(item), "stock": {"qty": item.stock}, "images": pictures}
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
    lines = [line for line in item.description.split("\n") if line]
    lines += captioned(item, ("pack", *USE, "origin", "marks"))
    lines.append(f"Cơ sở: {maker(item)}")
    if item.alcohol_percent is not None:
        lines.append(f"Độ cồn: {number(item.alcohol_percent)}% vol")
    return paragraphs(lines)


def _price(item: Item) -> dict[str, int | None]:
    before = item.list_price
    return {"price_vnd": int(item.price.amount), "list_price_vnd": int(before.amount) if before else None}


def _pictures(images: tuple[Image, ...]) -> list[str]:
    """The first eight the marketplace takes, each once."""
    return list(dict.fromkeys(i.sha256 for i in images if _fits(i)))[:MAX_IMAGES]


def _fits(image: Image) -> bool:
    return image.media_type in IMAGE_TYPES and image.size <= MAX_IMAGE_BYTES


def _text_problems(item: Item, content: dict[str, Any]) -> Iterator[Problem]:
    if not content["categories"]:
        yield unmapped(item.set_no)
    if len(item.name) < MIN_NAME:
        yield _too_short(item.name)
    for field, text, limit in (
        ("sku", item.sku, MAX_SKU),
        ("name", item.name, MAX_NAME),
        ("brand", item.brand, MAX_BRAND),
        ("description", content["description"], MAX_DESCRIPTION),
    ):
        if len(text) > limit:
            yield too_long(field, len(text), limit)


def _offer_problems(item: Item) -> Iterator[Problem]:
    if not _sellable(item.price):
        yield _out_of_range("price", 1, MAX_PRICE)
    if item.list_price and not _sellable(item.list_price):
        yield _out_of_range("list_price", 1, MAX_PRICE)
    elif item.list_price and item.list_price.amount < item.price.amount:
        yield _list_price_too_low()
    if not 0 <= item.stock <= MAX_STOCK:
        yield _out_of_range("stock", 0, MAX_STOCK)


def _sellable(price: Money) -> bool:
    return price.currency == "VND" and 1 <= price.amount <= MAX_PRICE and price.amount == int(price.amount)


def _picture_problems(item: Item, usable: list[str]) -> Iterator[Problem]:
    if not usable:
        yield _no_usable_picture() if item.images else missing("images")


def _too_short(name: str) -> Problem:
    message = Text(
        f"Tên sản phẩm “{name}” quá ngắn, sàn cần ít nhất {MIN_NAME} ký tự.",
        f"The product name “{name}” is too short, the marketplace needs at least {MIN_NAME} characters.",
    )
    return _mend("too-short", "name", message)


def _out_of_range(field: str, low: int, high: int) -> Problem:
    name, unit = label(field), ("đồng", "VND") if low else ("đơn vị", "units")
    message = Text(
        f"Mục {name.vi} phải là số nguyên từ {number(low)} đến {number(high)} {unit[0]}.",
        f"The {name.en} must be a whole number from {number(low)} to {number(high)} {unit[1]}.",
    )
    return _mend("out-of-range", field, message)


def _list_price_too_low() -> Problem:
    message = Text("Giá niêm yết thấp hơn giá bán.", "The list price is below the price.")
    return _mend("list-price-too-low", "list_price", message)


def _no_usable_picture() -> Problem:
    message = Text(
        "Không có ảnh nào sàn nhận được: chỉ nhận PNG hoặc JPEG, mỗi ảnh tối đa 2 MB.",
        "None of the pictures can be sent: only PNG or JPEG of at most 2 MB each are taken.",
    )
    return _mend("no-usable-picture", "images", message)


def _mend(code: str, field: str, message: Text) -> Problem:
    return Problem(code=code, field=field, message=message, next_step=correct(field))

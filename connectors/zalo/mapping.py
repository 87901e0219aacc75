"""An item as the article that shows it, and an article's first lines read back; limits are in README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connectors.contract import Policy
from connectors.problems import amiss, missing, too_long
from connectors.prose import USE, captioned, maker
from models.catalogue import Image, Money
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import Text, fold, money, nfc, number

VERSION = 1
MAX_TITLE, MAX_AUTHOR, MAX_DESCRIPTION = 149, 50, 299  # 150 and 300 by the documents; exactly these were refused
MAX_IMAGES, MAX_IMAGE_BYTES, IMAGE_TYPES = 10, 1_000_000, frozenset({"image/jpeg", "image/png"})
MAX_PRICE = 10**9
ALCOHOL_SETS = (14, 15)
NOBODY = "Đặc sản Cà Mau"  # stands for an author whose names are all too long
IN_STOCK, OUT_OF_STOCK = "Còn hàng", "Hết hàng"
HTML = re.compile(r"<[a-zA-Z/!][^>]*>")
OFFER = re.compile(
    r"(?P<price>[0-9.]+) ₫(?: / (?P<unit>.+?))?(?: \(giá niêm yết (?P<list_price>[0-9.]+) ₫\))?"
    rf"\. (?P<stock>{IN_STOCK}|{OUT_OF_STOCK})\."
)


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    facets: Facets = {
        "content": {"title": _title(item), "author": _author(item), "body": _body(item)},
        "price": _price(item),
        "stock": {"available": item.stock > 0},
        "images": list(dict.fromkeys(image.sha256 for image in item.images if _fits(image)))[:MAX_IMAGES],
    }
    problems = (*_text_problems(item, facets), *_offer_problems(item), *_picture_problems(item, facets["images"]))
    if item.is_alcohol or item.set_no in ALCOHOL_SETS:  # whatever the account's policy says
        problems = (ALCOHOL, *problems)
    return Unlistable(key=item.sku, problems=problems) if problems else Listing(key=item.sku, facets=facets)


def description(price: dict[str, Any], stock: dict[str, Any]) -> str:
    """What a buyer reads below the title: 620.000 ₫ / gói 500 g (giá niêm yết 650.000 ₫). Còn hàng."""
    unit = f" / {price['unit']}" if price["unit"] else ""
    before = f" (giá niêm yết {money(price['list_price'])})" if price["list_price"] else ""
    return f"{money(price['price'])}{unit}{before}. {IN_STOCK if stock['available'] else OUT_OF_STOCK}."


def offer_of(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Price and stock in a description; of one that was written by hand the text itself, which equals no price."""
    found = OFFER.fullmatch(text)
    if found is not None:
        before = found["list_price"]
        price = {"price": _dong(found["price"]), "list_price": before and _dong(before), "unit": found["unit"] or ""}
        stock = {"available": found["stock"] == IN_STOCK}
        if description(price, stock) == text:
            return price, stock
    return {"text": text}, {"text": text}


def _dong(digits: str) -> int:
    return int(digits.replace(".", "") or "0")


def _title(item: Item) -> str:
    """A star is words here, and only while its certificate holds."""
    star = f"(OCOP {item.certificate.star} sao)" if item.certificate and "ocop" not in fold(item.name) else ""
    pack = "" if item.pack in item.name else item.pack
    return _line(f"{item.name} {pack} {star}")


def _author(item: Item) -> str:
    names = (_line(name) for name in (item.brand, item.producer.legal_name, NOBODY))
    return next(name for name in names if name and len(name) <= MAX_AUTHOR)


def _body(item: Item) -> list[str]:
    """A paragraph for each line: whether an article keeps line breaks is not documented."""
    lines = [*item.description.split("\n"), *captioned(item, ("brand", *USE, "origin", "marks"))]
    lines += [f"Cơ sở: {who}"] if (who := maker(item)) else []
    return [line for line in map(_line, lines) if line]


def _line(text: str) -> str:
    return nfc(" ".join(text.split()))


def _price(item: Item) -> dict[str, Any]:
    """A list price is shown only above the price."""
    now, before = int(item.price.amount), int(item.list_price.amount) if item.list_price else 0
    return {"price": now, "list_price": before if before > now else None, "unit": _unit(item.pack)}


def _unit(pack: str) -> str:
    """500 g/hũ -> hũ 500 g: behind a price that already has a stroke."""
    amount, stroke, container = _line(pack).rpartition("/")
    return f"{container.strip()} {amount.strip()}" if stroke else container


def _fits(image: Image) -> bool:
    return image.media_type in IMAGE_TYPES and image.size <= MAX_IMAGE_BYTES


def _text_problems(item: Item, facets: Facets) -> Iterator[Problem]:
    content, offer = facets["content"], description(facets["price"], facets["stock"])
    for field, text, limit in (
        ("name", content["title"], MAX_TITLE),
        ("pack", offer, MAX_DESCRIPTION),
    ):
        if len(text) > limit:
            yield too_long(field, len(text), limit)
    if not _line(item.name):
        yield missing("name")
    if not content["body"]:
        yield missing("description")
    if offer_of(offer) != (facets["price"], facets["stock"]):
        yield amiss("ambiguous", "pack", "không đọc lại được sau giá", "cannot be told from the price behind it")
    for field, text in (("name", content["title"]), ("description", "\n".join(content["body"]))):
        if HTML.search(text):
            yield amiss("html", field, "có thẻ HTML, bài viết chỉ nhận chữ thường", "holds HTML, plain text is taken")


def _offer_problems(item: Item) -> Iterator[Problem]:
    for field, price in (("price", item.price), ("list_price", item.list_price)):
        if price and not _whole_dong(price):
            most = number(MAX_PRICE)
            yield amiss("out-of-range", field, f"phải là số đồng từ 1 đến {most}", f"must be 1 to {most} whole đồng")
    if item.stock < 0:
        yield amiss("out-of-range", "stock", "không được nhỏ hơn 0", "must not be below 0")


def _whole_dong(price: Money) -> bool:
    return price.currency == "VND" and price.amount == int(price.amount) and 1 <= price.amount <= MAX_PRICE


def _picture_problems(item: Item, usable: list[str]) -> Iterator[Problem]:
    if not item.images:
        yield missing("images")
    elif not usable:
        vi, en = "phải có ít nhất một ảnh JPG hoặc PNG tối đa 1 MB", "need one JPG or PNG of at most 1 MB"
        yield amiss("no-usable-picture", "images", vi, en)


ALCOHOL = Problem(
    code="alcohol",
    field="set_no",
    message=Text("Không giới thiệu đồ uống có cồn trên Zalo OA.", "Alcohol is not shown in a Zalo OA."),
    next_step=Text("Bán mặt hàng này ở kênh khác.", "Sell this item elsewhere."),
)

"""An item as the article that shows it, and an article's first lines read back; limits are in README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connectors.contract import Policy
from connectors.pictures import PictureRule
from connectors.problems import amiss, elsewhere, ill_sized, missing, unsellable, with_html
from connectors.prose import USE, described, one_line
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import fold, money

VERSION = 2
MAX_TITLE, MAX_AUTHOR, MAX_DESCRIPTION = 149, 50, 299  # 150 and 300 by the documents; exactly these were refused
PICTURES = PictureRule(most=10, size=1_000_000)
MAX_PRICE = 10**9
ALCOHOL_SETS = (14, 15)
ALCOHOL = elsewhere("alcohol", "Không giới thiệu đồ uống có cồn trên Zalo OA.", "Alcohol is not shown in a Zalo OA.")
NOBODY = "Đặc sản Cà Mau"  # stands for an author whose names are all too long
IN_STOCK, OUT_OF_STOCK = "Còn hàng", "Hết hàng"
OFFER = re.compile(
    r"(?P<price>[0-9.]+) ₫(?: / (?P<unit>.+?))?(?: \(giá niêm yết (?P<list_price>[0-9.]+) ₫\))?"
    rf"\. (?P<stock>{IN_STOCK}|{OUT_OF_STOCK})\."
)


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    facets: Facets = {
        "content": {"title": _title(item), "author": _author(item), "body": _body(item)},
        "price": _price(item),
        "stock": {"available": item.stock > 0},
        "images": PICTURES.usable(item),
    }
    problems = (*_text_problems(item, facets), *unsellable(item, MAX_PRICE), *PICTURES.problems(item))
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
    return one_line(f"{item.name} {pack} {star}")


def _author(item: Item) -> str:
    names = (one_line(name) for name in (item.brand, item.producer.legal_name, NOBODY))
    return next(name for name in names if name and len(name) <= MAX_AUTHOR)


def _body(item: Item) -> list[str]:
    """A paragraph for each line: whether an article keeps line breaks is not documented."""
    return [line for line in map(one_line, described(item, ("brand", *USE, "origin", "marks"))) if line]


def _price(item: Item) -> dict[str, Any]:
    """A list price is shown only above the price."""
    now, before = int(item.price.amount), int(item.list_price.amount) if item.list_price else 0
    return {"price": now, "list_price": before if before > now else None, "unit": _unit(item.pack)}


def _unit(pack: str) -> str:
    """500 g/hũ -> hũ 500 g: behind a price that already has a stroke."""
    amount, stroke, container = one_line(pack).rpartition("/")
    return f"{container.strip()} {amount.strip()}" if stroke else container


def _text_problems(item: Item, facets: Facets) -> Iterator[Problem]:
    content, offer = facets["content"], description(facets["price"], facets["stock"])
    yield from ill_sized([("name", content["title"], MAX_TITLE), ("pack", offer, MAX_DESCRIPTION)])
    if not one_line(item.name):
        yield missing("name")
    if not content["body"]:
        yield missing("description")
    if offer_of(offer) != (facets["price"], facets["stock"]):
        yield amiss("ambiguous", "pack", "không đọc lại được sau giá", "cannot be told from the price behind it")
    yield from with_html([("name", content["title"]), ("description", "\n".join(content["body"]))], "Zalo")

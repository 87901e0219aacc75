"""An item as Meta's catalogue shows it, and read back; limits and categories as the README gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from connectors.contract import Policy
from connectors.pictures import MEGABYTE, PictureRule
from connectors.problems import ANY_SIDE, amiss, elsewhere, ill_sized, unmapped, unsellable, with_html
from connectors.prose import USE, described, one_line
from models.catalogue import is_gtin
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import fold, nfc

VERSION = 2
MAX_SKU, MAX_TITLE, MAX_DESCRIPTION, MAX_BRAND = 100, 150, 5_000, 100
PICTURES = PictureRule(most=11, size=8 * MEGABYTE, sides=range(500, ANY_SIDE.stop))
MAX_PRICE, MAX_STOCK = 10**9, 10**6
IN_STOCK, OUT_OF_STOCK = "in stock", "out of stock"

FOOD, HONEY, FISH_SAUCE = "422", "4947", "5763"
CATEGORIES: dict[int, str] = {  # product set -> Google's number
    1: "430",
    2: "432",
    3: "431",
    4: FOOD,
    5: "423",
    6: "431",
    7: "430",
    8: "432",
    9: "427",
    10: "4608",
    11: "2073",
    12: "2073",
    13: "1868",
    16: "413",
    17: "413",
}
NARROWER = {4: (" mat ong ", HONEY), 9: (" nuoc mam ", FISH_SAUCE)}  # set -> (what the name must hold, category)
SHOWN_DONG = re.compile(r"[0-9]{1,3}(?:[.,\u00a0\u202f ][0-9]{3})+|[0-9]+")

READ = {  # our field of an item -> the name it is read back under
    "title": "name",
    "description": "description",
    "brand": "brand",
    "google_product_category": "category",
    "product_type": "product_type",
    "origin_country": "origin_country",
    "gtin": "gtin",
    "custom_label_0": "custom_label_0",
}
ALCOHOL = elsewhere("alcohol", "Facebook không cho bán đồ uống có cồn.", "Facebook takes no alcohol.")
SUPPLEMENT = elsewhere(
    "supplement", "Facebook không cho bán thực phẩm chức năng.", "Facebook takes no food supplements."
)


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    content = _content(item)
    offer = (*unsellable(item, MAX_PRICE, MAX_STOCK), *PICTURES.problems(item))
    problems = (*_policy_problems(item), *_text_problems(item, content), *offer)
    if problems:
        return Unlistable(key=item.sku, problems=problems)
    facets: Facets = {
        "content": content,
        "price": _price(item),
        "stock": _stock(item.stock),
        "images": PICTURES.usable(item),
    }
    return Listing(key=item.sku, facets=facets)


def category(item: Item) -> str:
    words, narrower = NARROWER.get(item.set_no or 0, ("", ""))
    if words and words in f" {fold(item.name)} ":
        return narrower
    return CATEGORIES.get(item.set_no or 0, "")


def price_text(dong: int | None) -> str:
    """Number and currency, nothing multiplied: the đồng has no hundredth. An empty text takes a price away."""
    return "" if dong is None else f"{dong} VND"


def dong_of(shown: str) -> int | None:
    """The amount in a price as it is shown: "₫620,000", "620.000 ₫", "620000 VND"; None where it is unclear.

    Read only because the đồng has no decimals, so that every sign between digits can only group them.
    """
    amounts = SHOWN_DONG.findall(shown)
    rest = SHOWN_DONG.sub("", shown).replace("VND", "").replace("₫", "").strip("\u00a0\u202f đ")
    return int(re.sub(r"\D", "", amounts[0])) if len(amounts) == 1 and not rest else None


def _content(item: Item) -> dict[str, str]:
    """Every field stands there, an empty one too: so a text that goes away here goes away there."""
    star = item.certificate.star if item.certificate else 0
    return {
        "title": one_line(f"{item.name} {item.pack}"),
        "description": _description(item, star),
        "brand": one_line(item.brand) or one_line(item.producer.legal_name),
        "google_product_category": category(item),
        "product_type": "Đặc sản Cà Mau",
        "origin_country": "VN",
        # Meta refuses the item for a wrong check digit, which is worse than none.
        "gtin": item.gtin if is_gtin(item.gtin) else "",
        "custom_label_0": f"OCOP-{star}" if star else "",
    }


def _description(item: Item, star: int) -> str:
    """The star is words here: the catalogue has no field for it."""
    badge = [f"OCOP {star} sao."] if star else []
    return nfc("\n".join([*badge, *described(item, (*USE, "origin", "marks"))]))


def _price(item: Item) -> dict[str, int | None]:
    """Meta's `price` is the one before, where `sale_price` is below it."""
    now, before = int(item.price.amount), item.list_price and int(item.list_price.amount)
    return {"price": before, "sale_price": now} if before and before > now else {"price": now, "sale_price": None}


def _stock(quantity: int) -> dict[str, int | str]:
    return {"inventory": quantity, "availability": IN_STOCK if quantity else OUT_OF_STOCK}


def _policy_problems(item: Item) -> Iterator[Problem]:
    """Whatever the account's policy says: Meta takes no alcohol at all."""
    if item.is_alcohol or item.set_no in (14, 15):
        yield ALCOHOL
    elif item.set_no == 18:
        yield SUPPLEMENT
    elif not category(item):
        yield unmapped(item.set_no)


def _text_problems(item: Item, content: dict[str, str]) -> Iterator[Problem]:
    texts = [
        ("sku", item.sku, MAX_SKU),
        ("name", content["title"], MAX_TITLE),
        ("brand", content["brand"], MAX_BRAND),
        ("description", content["description"], MAX_DESCRIPTION),
    ]
    yield from ill_sized(texts, required=("sku", "name", "brand", "description"))
    yield from with_html([(field, text) for field, text, _ in texts if field != "sku"], "Facebook")
    for field, text in (("name", item.name), ("description", item.description)):
        if text.isupper():
            yield amiss("all-capitals", field, "viết toàn chữ hoa, Facebook không duyệt", "is all in capitals")

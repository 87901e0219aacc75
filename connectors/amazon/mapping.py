"""An item as Amazon shows it abroad, or everything that keeps it off; limits and their sources are in README.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.amazon.marketplaces import CURRENCIES, DECIMALS, money_text
from connectors.categories import Categories, Category
from connectors.contract import Policy
from connectors.pictures import MEGABYTE, PictureRule
from connectors.problems import (
    amiss,
    elsewhere,
    forbidden,
    ill_sized,
    missing,
    missing_english,
    too_long,
    too_many_bytes,
    unmapped,
    wrong_currency,
)
from connectors.prose import one_line
from models.catalogue import English, Money, is_gtin
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import fold, nfc, number

TITLE = "Amazon"
VERSION = 1
ALCOHOL_SETS = {14, 15}
ALCOHOL = elsewhere("alcohol", "Đồ uống có cồn không đăng lên Amazon được.", "Alcohol cannot be listed on Amazon.")
PRODUCT_TYPES = Categories.beside(__file__, Category)
MAX_SKU, MAX_TITLE, MAX_BRAND, MAX_BULLET = 40, 75, 100, 600
MAX_DESCRIPTION = 10_000  # bytes
MAX_STOCK = 2**31 - 1
PICTURES = PictureRule(most=9, size=10 * MEGABYTE, sides=range(500, 10_001), longer=True)
BANNED = "!$?_{}^¬¦"
TWICE = 2  # a word of a title may come as often as that
LESSER = {"a", "an", "and", "by", "for", "from", "in", "of", "or", "the", "to", "with"}  # these may come more often
MEASURE = re.compile(r"(?<![\d.,])(\d+(?:[.,]\d+)?)\s*(kg|g|gr|gram|ml|l|lít)\b", re.IGNORECASE)
UNITS = {  # as a pack has it -> for buyers abroad, of Amazon's, how many of these
    "kg": ("kg", "Gram", 1000),
    **dict.fromkeys(("g", "gr", "gram"), ("g", "Gram", 1)),
    "ml": ("ml", "Milliliter", 1),
    **dict.fromkeys(("l", "lít"), ("L", "Milliliter", 1000)),
}
SHELF_LIFE = re.compile(r"(\d{1,4})\s*(ngày|tuần|tháng|năm|days?|weeks?|months?|years?)", re.IGNORECASE)
DAYS = {"ng": 1, "da": 1, "tu": 7, "we": 7, "th": 30, "mo": 30, "nă": 365, "ye": 365}
BARCODES = {8: "ean", 12: "upc", 13: "ean", 14: "gtin"}

Attributes = dict[str, list[dict[str, Any]]]


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    problems = [*_policy_problems(item), *_offer_problems(item), *PICTURES.problems(item)]
    if item.english is None or not item.english.name or not item.english.description:
        return Unlistable(key=item.sku, problems=(*problems, missing_english(TITLE)))
    kind = PRODUCT_TYPES.of(item.set_no) or PRODUCT_TYPES.default
    attributes = _attributes(item, item.english) | {name: [{"value": said}] for name, said in kind.attributes.items()}
    problems += _text_problems(item, attributes)
    if problems:
        return Unlistable(key=item.sku, problems=tuple(problems))
    facets: Facets = {
        "content": {"product_type": kind.id, "attributes": attributes},
        "price": _price(item),
        "stock": {"quantity": item.stock},
        "images": PICTURES.usable(item),
    }
    return Listing(key=item.sku, facets=facets)


def _attributes(item: Item, english: English) -> Attributes:
    """Without marketplace and language, which the account adds."""
    measure, unit, count = measured(item.pack)
    single: dict[str, Any] = {
        "item_name": {"value": _title(english.name, measure)},
        "brand": {"value": one_line(item.brand or item.producer.legal_name)},
        "manufacturer": {"value": one_line(item.producer.legal_name)},
        "product_description": {"value": _description(english)},
        "is_expiration_dated_product": {"value": True},
        "product_expiration_type": {"value": "Shelf Life"},
        "fc_shelf_life": {"value": shelf_days(item.shelf_life), "unit": "days"},
        "unit_count": {"value": count, "type": {"value": unit}},
        **_barcode(item.gtin),
    }
    return {name: [value] for name, value in single.items()} | {
        "bullet_point": [{"value": line} for line in _bullets(item, english)]
    }


def _title(name: str, measure: str) -> str:
    """With what the pack holds, in letters both tongues share: each pack is a listing of its own."""
    return one_line(f"{name}, {measure}" if measure and measure not in name else name)


def _description(english: English) -> str:
    captions = {"Ingredients": "ingredients", "Storage": "storage", "Directions": "usage", "Warnings": "warnings"}
    captioned = [f"{caption}: {text}" for caption, name in captions.items() if (text := getattr(english, name))]
    return nfc("\n".join([english.description, *captioned]))


def _bullets(item: Item, english: English) -> list[str]:
    """A star is words here, and only while its certificate holds."""
    star = f"OCOP {item.certificate.star} star product of Vietnam" if item.certificate else ""
    lines = [star, f"Ingredients: {english.ingredients}" if english.ingredients else "", "Product of Vietnam"]
    return [one_line(line) for line in lines if line]


def measured(pack: str) -> tuple[str, str, int | float]:
    """What a pack says in its own tongue, for buyers abroad, and in one of Amazon's units: "1 kg/hũ" -> "1 kg", Gram,
    1000. One of it, without words, where it does not say."""
    found = MEASURE.search(nfc(pack))
    amount = Decimal(found[1].replace(",", ".")) if found else Decimal()
    if not found or not amount:
        return "", "Count", 1
    sign, unit, times = UNITS[found[2].lower()]
    return f"{plain(amount)} {sign}", unit, plain(amount * times)


def plain(value: Decimal | float) -> int | float:
    """500.0 and 500 are one number: it is sent in one way and read back in another."""
    return int(value) if value == int(value) else float(value)


def shelf_days(text: str) -> int:
    """0 where the text does not say."""
    found = SHELF_LIFE.search(nfc(text))
    return int(found[1]) * DAYS[found[2].lower()[:2]] if found else 0


def _barcode(gtin: str) -> dict[str, Any]:
    """Without one the brand's exemption is claimed, which Amazon must have granted before."""
    if is_gtin(gtin):
        return {"externally_assigned_product_identifier": {"type": BARCODES[len(gtin)], "value": gtin}}
    return {"supplier_declared_has_product_identifier_exemption": {"value": True}}


def _price(item: Item) -> dict[str, str]:
    """A list price always stands there, so that one that goes away here does not stay there."""
    currency = item.price.currency
    before = item.list_price.amount if item.list_price else item.price.amount
    return {
        "currency": currency,
        "amount": money_text(item.price.amount, currency),
        "list": money_text(max(before, item.price.amount), currency),
    }


def _policy_problems(item: Item) -> Iterator[Problem]:
    """Whatever the account's policy says: an exporter's licence for alcohol is beyond this program."""
    if item.is_alcohol or item.set_no in ALCOHOL_SETS:
        yield ALCOHOL
    elif PRODUCT_TYPES.of(item.set_no) is None:
        yield unmapped(item.set_no)
    if not item.sku:
        yield missing("sku")
    elif (length := len(quote(nfc(item.sku), safe=""))) > MAX_SKU:  # Amazon has been seen to count it so
        yield too_long("sku", length, MAX_SKU)
    if "," in item.sku or item.sku != item.sku.strip() or item.sku in (".", ".."):
        yield amiss("forbidden", "sku", "có dấu phẩy hoặc khoảng trắng ở đầu, cuối", "has a comma or blanks around it")


def _text_problems(item: Item, attributes: Attributes) -> Iterator[Problem]:
    name, brand, maker, description = (
        attributes[field][0]["value"] for field in ("item_name", "brand", "manufacturer", "product_description")
    )
    texts = [("name", name, MAX_TITLE), ("brand", brand, MAX_BRAND), ("legal_name", maker, MAX_BRAND)]
    texts += [("ingredients", bullet["value"], MAX_BULLET) for bullet in attributes["bullet_point"]]
    yield from ill_sized(texts, required=("name", "brand"))
    if not shelf_days(item.shelf_life):  # of food it is always asked for
        yield amiss("shelf-life", "shelf_life", "phải ghi rõ bao nhiêu ngày, tháng hoặc năm",
                    "must say how many days, months or years")  # fmt: skip
    if found := " ".join(sign for sign in BANNED if sign in name):
        yield forbidden("name", found, TITLE)
    if often := [w for w, times in Counter(fold(name).split()).items() if times > TWICE and w not in LESSER]:
        yield amiss("repeated-word", "name", f"lặp từ “{often[0]}” quá hai lần", f"has “{often[0]}” more than twice")
    if len(description.encode()) > MAX_DESCRIPTION:
        yield too_many_bytes("description", description, MAX_DESCRIPTION, TITLE)


def _offer_problems(item: Item) -> Iterator[Problem]:
    for field, price in (("price", item.price), ("list_price", item.list_price)):
        if price and price.currency not in CURRENCIES:
            yield wrong_currency(TITLE, CURRENCIES, price.currency)
        elif price and not _is_price(price):
            digits = DECIMALS[price.currency]
            yield amiss("unusable", field, f"phải lớn hơn 0, tối đa {digits} số lẻ", f"must be above 0 with at most "
                        f"{digits} decimals")  # fmt: skip
    if not 0 <= item.stock <= MAX_STOCK:
        yield amiss("out-of-range", "stock", f"phải từ 0 đến {number(MAX_STOCK)}", f"must be 0 to {number(MAX_STOCK)}")


def _is_price(price: Money) -> bool:
    return price.amount > 0 and Decimal(money_text(price.amount, price.currency)) == price.amount

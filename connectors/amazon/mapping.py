"""An item as Amazon shows it abroad, or everything that keeps it off; limits and their sources are in README.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.amazon.marketplaces import DECIMALS, money_text
from connectors.categories import Categories, Category
from connectors.contract import Policy
from connectors.packs import held, shelf_days
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
    unsellable_abroad,
)
from connectors.prose import english_star, english_title, in_english, one_line
from models.catalogue import English, is_gtin
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import fold, nfc

TITLE = "Amazon"
VERSION = 2
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
BARCODES = {8: "ean", 12: "upc", 13: "ean", 14: "gtin"}

Attributes = dict[str, list[dict[str, Any]]]


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    offer = unsellable_abroad(item, TITLE, DECIMALS, ("price", "list_price"), most_stock=MAX_STOCK)
    problems = [*_policy_problems(item), *offer, *PICTURES.problems(item)]
    if item.english is None or not item.english.name or not item.english.description:
        return Unlistable(key=item.sku, problems=(*problems, missing_english(TITLE)))
    kind = PRODUCT_TYPES.of(item.set_no) or PRODUCT_TYPES.default
    attributes = _attributes(item, item.english, kind)
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


def _attributes(item: Item, english: English, kind: Category) -> Attributes:
    """Without marketplace and language, which the account adds."""
    pack, maker = held(item.pack), one_line(item.producer.legal_name)
    unit = "Count" if pack is None else "Milliliter" if pack.is_liquid else "Gram"
    single: dict[str, Any] = {
        "item_name": {"value": english_title(english, pack)},
        "brand": {"value": one_line(item.brand) or maker},
        "manufacturer": {"value": maker},
        "product_description": {"value": "\n".join(in_english(english))},
        "is_expiration_dated_product": {"value": True},
        "fc_shelf_life": {"value": shelf_days(item.shelf_life), "unit": "days"},
        "unit_count": {"value": figure(pack.sure) if pack else 1, "type": {"value": unit}},
        **_barcode(item.gtin),
        **{name: {"value": said} for name, said in kind.attributes.items()},
    }
    ingredients = [f"Ingredients: {english.ingredients}"] if english.ingredients else []
    bullets = [*english_star(item.certificate), *ingredients, "Product of Vietnam"]
    return {name: [value] for name, value in single.items()} | {
        "bullet_point": [{"value": one_line(bullet)} for bullet in bullets]
    }


def figure(value: Decimal | float) -> int | float:
    """500.0 and 500 are one number: it is sent in one way and read back in another."""
    return int(value) if value == int(value) else float(value)


def _barcode(gtin: str) -> dict[str, Any]:
    """Without one the brand's exemption is claimed, which Amazon must have granted before."""
    if is_gtin(gtin):
        return {"externally_assigned_product_identifier": {"type": BARCODES[len(gtin)], "value": gtin}}
    return {"supplier_declared_has_product_identifier_exemption": {"value": True}}


def _price(item: Item) -> dict[str, str]:
    """A list price always stands there, so that one that goes away here does not stay there."""
    price, before = item.price, item.list_price or item.price
    return {
        "currency": price.currency,
        "amount": money_text(price.amount, price.currency),
        "list": money_text(max(before.amount, price.amount), price.currency),
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
        vi, en = "phải ghi rõ bao nhiêu ngày, tháng hoặc năm", "must say how many days, months or years"
        yield amiss("shelf-life", "shelf_life", vi, en)
    if found := " ".join(sign for sign in BANNED if sign in name):
        yield forbidden("name", found, TITLE)
    if often := [w for w, times in Counter(fold(name).split()).items() if times > TWICE and w not in LESSER]:
        yield amiss("repeated-word", "name", f"lặp từ “{often[0]}” quá hai lần", f"has “{often[0]}” more than twice")
    if len(description.encode()) > MAX_DESCRIPTION:
        yield too_many_bytes("description", description, MAX_DESCRIPTION, TITLE)

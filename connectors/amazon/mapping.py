"""An item as Amazon shows it abroad, or everything that keeps it off; limits and their sources are in README.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.amazon.categories import ALCOHOL, PRODUCT_TYPES
from connectors.amazon.marketplaces import CURRENCIES, DECIMALS, money_text
from connectors.contract import Policy
from connectors.problems import amiss, missing, missing_english, too_long, unmapped, wrong_currency
from models.catalogue import English, Image, Money, is_gtin
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import Text, fold, nfc, number

TITLE = "Amazon"
VERSION = 1
MAX_SKU, MAX_TITLE, MAX_BRAND, MAX_BULLET, MAX_BULLETS = 40, 75, 100, 600, 10
MAX_DESCRIPTION = 10_000  # bytes
MAX_STOCK = 2**31 - 1
MAX_IMAGES, IMAGE_BYTES, IMAGE_TYPES, SIDES = 9, 10 * 1024 * 1024, ("image/jpeg", "image/png"), range(500, 10_001)
BANNED = "!$?_{}^¬¦"
TWICE = 2  # a word of a title may come as often as that
LESSER = {"a", "an", "and", "by", "for", "from", "in", "of", "or", "the", "to", "with"}  # these may come more often
MEASURE = re.compile(r"(?<![\d.,])(\d+(?:[.,]\d+)?)\s*(kg|g|gr|gram|ml|l|lít)\b", re.IGNORECASE)
UNITS = {"kg": ("kg", "Gram", 1000), "l": ("L", "Milliliter", 1000), "ml": ("ml", "Milliliter", 1)}
SHELF_LIFE = re.compile(r"(\d{1,4})\s*(ngày|tuần|tháng|năm|days?|weeks?|months?|years?)", re.IGNORECASE)
DAYS = {"ng": 1, "da": 1, "tu": 7, "we": 7, "th": 30, "mo": 30, "nă": 365, "ye": 365}
BARCODES = {8: "ean", 12: "upc", 13: "ean", 14: "gtin"}

Attributes = dict[str, list[dict[str, Any]]]


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    problems = [*_policy_problems(item), *_offer_problems(item), *_picture_problems(item)]
    if item.english is None or not item.english.name or not item.english.description:
        return Unlistable(key=item.sku, problems=(*problems, missing_english(TITLE)))
    attributes = _attributes(item, item.english)
    problems += _text_problems(item, attributes)
    if problems:
        return Unlistable(key=item.sku, problems=tuple(problems))
    facets: Facets = {
        "content": {"product_type": PRODUCT_TYPES[item.set_no or 0], "attributes": attributes},
        "price": _price(item),
        "stock": {"quantity": item.stock},
        "images": _pictures(item.images),
    }
    return Listing(key=item.sku, facets=facets)


def _attributes(item: Item, english: English) -> Attributes:
    """Without marketplace and language, which the account adds."""
    days = shelf_days(item.shelf_life)
    single: dict[str, Any] = {
        "item_name": {"value": _title(item, english)},
        "brand": {"value": _line(item.brand or item.producer.legal_name)},
        "manufacturer": {"value": _line(item.producer.legal_name)},
        "product_description": {"value": _description(english)},
        "country_of_origin": {"value": "VN"},
        "condition_type": {"value": "new_new"},
        "supplier_declared_dg_hz_regulation": {"value": "not_applicable"},
        "is_expiration_dated_product": {"value": True},
        "product_expiration_type": {"value": "Shelf Life"},
        "fc_shelf_life": {"value": days, "unit": "days"},
        "unit_count": _unit_count(item.pack),
        **_barcode(item.gtin),
    }
    found = {name: [value] for name, value in single.items() if value}
    return found | {"bullet_point": [{"value": line} for line in _bullets(item, english)]}


def _title(item: Item, english: English) -> str:
    """With what the pack holds, in letters both tongues share: each pack is a listing of its own."""
    measure = measure_of(item.pack)
    return _line(f"{english.name}, {measure}" if measure and measure not in english.name else english.name)


def _description(english: English) -> str:
    return nfc("\n".join([english.description, *_captioned(english)]))


def _captioned(english: English) -> list[str]:
    captions = {"Ingredients": "ingredients", "Storage": "storage", "Directions": "usage", "Warnings": "warnings"}
    return [f"{caption}: {text}" for caption, name in captions.items() if (text := getattr(english, name))]


def _bullets(item: Item, english: English) -> list[str]:
    """A star is words here, and only while its certificate holds."""
    star = f"OCOP {item.certificate.star} star product of Vietnam" if item.certificate else ""
    lines = [star, f"Ingredients: {english.ingredients}" if english.ingredients else "", "Product of Vietnam"]
    return [_line(line) for line in lines if line]


def _line(text: str) -> str:
    return nfc(" ".join(text.split()))


def _measured(pack: str) -> tuple[Decimal, str] | None:
    found = MEASURE.search(nfc(pack))
    if found is None or not Decimal(found[1].replace(",", ".")):
        return None
    unit = found[2].lower()
    return Decimal(found[1].replace(",", ".")), {"lít": "l", "gr": "g", "gram": "g"}.get(unit, unit)


def measure_of(pack: str) -> str:
    """What a pack says in its own tongue, for buyers abroad: "500 g/hũ" -> "500 g"."""
    measured = _measured(pack)
    return f"{plain(measured[0])} {UNITS.get(measured[1], (measured[1],))[0]}" if measured else ""


def _unit_count(pack: str) -> dict[str, Any]:
    measured = _measured(pack)
    if measured is None:
        return {"value": 1, "type": {"value": "Count"}}
    _, name, times = UNITS.get(measured[1], ("g", "Gram", 1))
    return {"value": plain(measured[0] * times), "type": {"value": name}}


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


def _pictures(images: tuple[Image, ...]) -> list[str]:
    return list(dict.fromkeys(image.sha256 for image in images if _fits(image)))[:MAX_IMAGES]


def _fits(image: Image) -> bool:
    known = image.media_type in IMAGE_TYPES and image.size <= IMAGE_BYTES
    return known and max(image.width, image.height) in SIDES


def _policy_problems(item: Item) -> Iterator[Problem]:
    """Whatever the account's policy says: an exporter's licence for alcohol is beyond this program."""
    if item.is_alcohol or item.set_no in ALCOHOL:
        yield NO_ALCOHOL
    elif item.set_no not in PRODUCT_TYPES:
        yield unmapped(item.set_no)
    if not item.sku:
        yield missing("sku")
    elif (length := len(quote(nfc(item.sku), safe=""))) > MAX_SKU:  # Amazon has been seen to count it so
        yield too_long("sku", length, MAX_SKU)
    if "," in item.sku or item.sku != item.sku.strip() or item.sku in (".", ".."):
        yield amiss("forbidden", "sku", "có dấu phẩy hoặc khoảng trắng ở đầu, cuối", "has a comma or blanks around it")


def _text_problems(item: Item, attributes: Attributes) -> Iterator[Problem]:
    title, brand = attributes["item_name"][0]["value"], attributes["brand"][0]["value"]
    for field, text, limit in (("name", title, MAX_TITLE), ("brand", brand, MAX_BRAND)):
        if not text:
            yield missing(field)
        if len(text) > limit:
            yield too_long(field, len(text), limit)
    if len(attributes["manufacturer"][0]["value"]) > MAX_BRAND:
        yield too_long("legal_name", len(attributes["manufacturer"][0]["value"]), MAX_BRAND)
    if not shelf_days(item.shelf_life):  # of food it is always asked for
        yield amiss("shelf-life", "shelf_life", "phải ghi rõ bao nhiêu ngày, tháng hoặc năm",
                    "must say how many days, months or years")  # fmt: skip
    if found := " ".join(sign for sign in BANNED if sign in title):
        yield amiss("forbidden", "name", f"chứa ký tự Amazon không nhận: {found}", f"holds what is refused: {found}")
    if often := [w for w, times in Counter(fold(title).split()).items() if times > TWICE and w not in LESSER]:
        yield amiss("repeated-word", "name", f"lặp từ “{often[0]}” quá hai lần", f"has “{often[0]}” more than twice")
    if (size := len(attributes["product_description"][0]["value"].encode())) > MAX_DESCRIPTION:
        most = number(MAX_DESCRIPTION)
        yield amiss("too-many-bytes", "description", f"dài {number(size)} byte, Amazon chỉ nhận {most}",
                    f"has {number(size)} bytes, Amazon takes {most}")  # fmt: skip
    for bullet in attributes["bullet_point"]:
        if len(bullet["value"]) > MAX_BULLET:
            yield too_long("ingredients", len(bullet["value"]), MAX_BULLET)


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


def _picture_problems(item: Item) -> Iterator[Problem]:
    if not item.images:
        yield missing("images")
    elif not _pictures(item.images):
        sides = f"{SIDES[0]}–{number(SIDES[-1])}"
        yield amiss(
            "no-usable-picture",
            "images",
            f"phải có ảnh JPEG hoặc PNG tối đa 10 MB, cạnh dài {sides} điểm ảnh",
            f"need a JPEG or PNG of at most 10 MB whose longer side has {sides} pixels",
        )


NO_ALCOHOL = Problem(
    code="alcohol",
    field="set_no",
    message=Text("Đồ uống có cồn không đăng lên Amazon được.", "Alcohol cannot be listed on Amazon."),
    next_step=Text("Bán mặt hàng này ở kênh khác.", "Sell this item elsewhere."),
)

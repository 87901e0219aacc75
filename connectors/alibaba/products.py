"""Alibaba.com's answers as values: one thing is spelled in several ways, and numbers may come as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.alibaba.categories import CATEGORIES
from connectors.alibaba.mapping import BRAND, SIDES, price_of
from connectors.packs import plain
from connectors.transport import Reply
from connectors.typed import Number, Whole
from models.listing import Facets, Remote, Status
from models.text import nfc

REJECTED = {"rejected", "reject", "tbd", "audit_failed"}  # before anything else: such a listing is on no shelf
APPROVED = {"approved", "pass"}


class Basic(msgspec.Struct, frozen=True, kw_only=True):
    product_id: Whole
    status: str
    audit_status: str
    title: str = ""
    keywords: str = ""
    description: str = ""
    model_number: str = ""
    product_images: list[str | dict[str, Any]] = []


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    category_id: Whole
    attributes: list[dict[str, Any]] = []


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    quantity: Whole
    price: Number


class Price(msgspec.Struct, frozen=True, kw_only=True):
    price_type: str = ""
    currency: str = ""
    tiered_price: list[Tier] = []


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    moq: Number = 0
    unit: str = ""
    inventory: Number = 0
    price: Price = Price()
    sku_info: list[dict[str, Any]] = []


class Logistics(msgspec.Struct, frozen=True, kw_only=True):
    weight: Number = "0"
    dimension: dict[str, Number] = {}


class Product(msgspec.Struct, frozen=True, kw_only=True):
    basic_info: Basic
    category_info: Placed
    trade_info: Trade
    logistics_info: Logistics = Logistics()
    attributes: list[dict[str, Any]] = []


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    page_index: Whole
    total_item: Whole


class Found(msgspec.Struct, frozen=True, kw_only=True):
    product_info: list[Product]
    page: Paging


class Made(msgspec.Struct, frozen=True, kw_only=True):
    data: Whole


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    status_desc: str | None = ""


class Hosted(msgspec.Struct, frozen=True, kw_only=True):
    photobank_url: str


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    category_id: Whole
    category_name: str
    leaf_category: bool | str = False


class Value(msgspec.Struct, frozen=True, kw_only=True):
    attribute_value_name: str


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    attribute_name: str
    required: bool | str = False
    support_custom_value: bool | str = True
    attribute_value_list: list[Value] | None = None

    def takes(self, value: str | None) -> bool:
        if value is None:
            return not is_true(self.required)
        listed = {one.attribute_value_name for one in self.attribute_value_list or []}
        return not listed or value in listed or is_true(self.support_custom_value)


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    category_attributes: list[Attribute] = []


def is_true(flag: Any) -> bool:
    return str(flag).lower() == "true"


def inside(reply: Reply, name: str) -> Any:
    """The reference draws the data at the top, live answers have it in `result`: both are read."""
    result = reply.data.get("result")
    return result[name] if isinstance(result, dict) and name in result else reply.data.get(name)


def remote_of(reply: Reply, product: Product, whose: Callable[[str], str]) -> Remote | None:
    """One listing, or None for a deleted one. `whose` names the picture that a URL shows."""
    basic = product.basic_info
    if basic.status.lower() == "deleted":
        return None
    try:
        facets = _facets(product, whose)
    except (InvalidOperation, ValueError) as error:
        raise reply.other_shape(f"Product: {type(error).__name__}", reply.data) from None
    number = str(basic.product_id)
    key = basic.model_number or number  # somebody's listing without a model number bears its own
    return Remote(key=key, remote_id=number, status=_status(basic), facets=facets)


def _status(basic: Basic) -> Status:
    """A listing under review is pending whichever shelf it lies on; so is one in a state nobody has described."""
    state, audit = basic.status.lower(), basic.audit_status.lower()
    if audit in REJECTED:
        return "rejected"
    if audit in APPROVED and state == "offline":
        return "hidden"
    return "live" if audit in APPROVED and state == "online" else "pending"


def _facets(product: Product, whose: Callable[[str], str]) -> Facets:
    trade, tiers = product.trade_info, product.trade_info.price.tiered_price
    priced = [(int(tier.quantity), Decimal(str(tier.price))) for tier in tiers]
    return {
        "content": _content(product),
        "price": price_of(trade.price.price_type, trade.price.currency, priced),
        "stock": {"inventory": int(Decimal(str(trade.inventory)))},
        "images": [whose(full(image)) for image in product.basic_info.product_images],
    }


def _content(product: Product) -> Facets:
    basic, trade, parcel = product.basic_info, product.trade_info, product.logistics_info
    category = int(product.category_info.category_id)
    variants = {"variants": len(trade.sku_info)} if len(trade.sku_info) > 1 else {}
    return {
        "category_id": category,
        **{name: nfc(getattr(basic, name)) for name in ("title", "keywords", "description")},
        "attributes": _attributes(category, product.category_info.attributes or product.attributes),
        "moq": int(Decimal(str(trade.moq))),
        "unit": trade.unit,
        "weight": plain(parcel.weight),
        "dimension": {side: int(Decimal(str(parcel.dimension.get(side, 0)))) for side in SIDES},
        **variants,
    }


def _attributes(category: int, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Those that we send; what the platform fills in by itself is not ours."""
    ours = {BRAND, *CATEGORIES.attributes(category)}
    said = {str(row.get("attribute_name")): nfc(str(row.get("attribute_value") or "")) for row in rows}
    return {name: value for name, value in said.items() if name in ours and value}


def full(image: str | Mapping[str, Any]) -> str:
    """The address, which may come without its scheme or inside an object."""
    url = image if isinstance(image, str) else str(image.get("image_url") or "")
    return f"https:{url}" if url.startswith("//") else url

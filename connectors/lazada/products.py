"""Lazada's answers as values: its samples spell one thing in several ways, numbers and lists as text among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.lazada.mapping import content_of
from connectors.transport import Reply
from connectors.typed import Number
from models.listing import Facets, Remote, Status

PENDING, DELETED = "pending qc", "deleted"
REFUSED = {"reject", "live_reject", "lock", "admin"}  # of subStatus: each needs a person


class Sku(msgspec.Struct, frozen=True, kw_only=True):
    SellerSku: str
    SkuId: int | str
    Status: str
    quantity: Number
    price: Number
    special_price: Number = 0


class Product(msgspec.Struct, frozen=True, kw_only=True, rename={"sub_status": "subStatus", "reasons": "rejectReason"}):
    item_id: int | str
    primary_category: int | str
    status: str
    sub_status: str = ""
    images: list[str] | str = []
    attributes: dict[str, Any]
    skus: list[dict[str, Any]]
    reasons: list[dict[str, Any]] = []


class Found(msgspec.Struct, frozen=True, kw_only=True):
    total_products: int | str = 0
    products: list[dict[str, Any]] = []


class MadeSku(msgspec.Struct, frozen=True, kw_only=True):
    seller_sku: str
    sku_id: int | str


class Made(msgspec.Struct, frozen=True, kw_only=True):
    item_id: int | str
    sku_list: list[MadeSku]
    item_status: str = "Pending QC"


class Updated(msgspec.Struct, frozen=True, kw_only=True):
    item_status: str = "Pending QC"


class Hosted(msgspec.Struct, frozen=True, kw_only=True):
    url: str


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    image: Hosted


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    images: list[Hosted] = []
    errors: list[dict[str, Any]] = []


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    category_id: int | str
    name: str
    leaf: bool = False
    children: list[Branch] = []

    def leaves(self) -> Iterator[tuple[str, str]]:
        if self.leaf:
            yield str(self.category_id), self.name
        for child in self.children:
            yield from child.leaves()


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    is_mandatory: int | str = 0


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    seller_id: int | str
    name: str


def remotes_of(reply: Reply, raw: dict[str, Any], whose: Callable[[str], str]) -> list[Remote]:
    """Every SKU of one item; a deleted one is not there. `whose` names the picture that a URL shows."""
    product = reply.read(Product, raw)
    if product.status.lower() == DELETED:
        return []
    rows = [(reply.read(Sku, row), row) for row in product.skus]
    try:
        return [
            Remote(
                key=sku.SellerSku,
                remote_id=f"{product.item_id}_{sku.SkuId}",
                status=_status(product, sku),
                facets=_facets(product, sku, row, whose),
                words="; ".join(str(why.get("suggestion") or why) for why in product.reasons),
            )
            for sku, row in rows
            if sku.Status.lower() != DELETED
        ]
    except (InvalidOperation, ValueError) as error:
        raise reply.other_shape(f"Product: {type(error).__name__}", raw) from None


def _status(product: Product, sku: Sku) -> Status:
    """An item that waits for its check is pending even where the SKU reads active, and hidden where it does not."""
    state = product.status.lower()
    if product.sub_status.lower() in REFUSED or state == "suspended":
        return "rejected"
    if sku.Status.lower() != "active" or state == "inactive":
        return "hidden"
    return "live" if state == "active" else "pending"


def _facets(product: Product, sku: Sku, row: Mapping[str, Any], whose: Callable[[str], str]) -> Facets:
    price = {"price": _whole(sku.price)}
    if _whole(sku.special_price):  # somebody's discount, which buyers pay instead
        price["special_price"] = _whole(sku.special_price)
    return {
        "content": content_of(str(product.primary_category), product.attributes, row),
        "price": price,
        "stock": {"quantity": _whole(sku.quantity)},
        "images": [whose(url) for url in _urls(product.images)],
    }


def _whole(value: Number) -> int:
    return int(Decimal(str(value or 0)))


def _urls(images: list[str] | str) -> list[str]:
    """A list, or a text that holds one; empty texts pad it."""
    found = msgspec.json.decode(images or "[]", type=list[str]) if isinstance(images, str) else images
    return [url for url in found if url]

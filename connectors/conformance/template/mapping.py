"""Turns an item into the marketplace's fields, or says everything that keeps it off it."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.contract import Policy
from connectors.problems import amiss, missing, too_long
from models.catalogue import Money
from models.listing import Facets, Item, Listing, Problem, Unlistable

MAX_NAME, MAX_IMAGES = 120, 5


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    problems = tuple(_problems(item))
    return Unlistable(key=item.sku, problems=problems) if problems else Listing(key=item.sku, facets=_facets(item))


def _facets(item: Item) -> Facets:
    return {
        "content": {"name": item.name, "brand": item.brand, "description": item.description, "pack": item.pack},
        "price": {"price": int(item.price.amount), "list_price": _whole(item.list_price)},
        "stock": {"stock": item.stock},
        "images": list(dict.fromkeys(image.sha256 for image in item.images))[:MAX_IMAGES],
    }


def _whole(price: Money | None) -> int | None:
    return int(price.amount) if price else None


def _problems(item: Item) -> Iterator[Problem]:
    if not item.name:
        yield missing("name")
    if len(item.name) > MAX_NAME:
        yield too_long("name", len(item.name), MAX_NAME)
    for price in filter(None, (item.price, item.list_price)):
        if price.currency != "VND" or price.amount != int(price.amount) or price.amount < 1:
            yield amiss("unusable", "price", "phải là số đồng nguyên, từ 1 trở lên", "must be whole đồng, 1 or more")

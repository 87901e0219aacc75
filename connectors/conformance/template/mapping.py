"""Turns an item into the marketplace's fields, or says everything that keeps it off it."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.contract import Policy
from connectors.pictures import MEGABYTE, PictureRule
from connectors.problems import ill_sized, unsellable
from connectors.prose import one_line
from models.listing import Facets, Item, Listing, Problem, Unlistable

MAX_NAME, MAX_PRICE = 120, 10**9
PICTURES = PictureRule(most=5, size=2 * MEGABYTE)


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    problems = tuple(_problems(item))
    return Unlistable(key=item.sku, problems=problems) if problems else Listing(key=item.sku, facets=_facets(item))


def _facets(item: Item) -> Facets:
    before = item.list_price
    return {
        "content": {
            "name": one_line(item.name),
            "brand": item.brand,
            "description": item.description,
            "pack": item.pack,
        },
        "price": {"price": int(item.price.amount), "list_price": before and int(before.amount)},
        "stock": {"stock": item.stock},
        "images": PICTURES.usable(item),
    }


def _problems(item: Item) -> Iterator[Problem]:
    yield from ill_sized([("name", one_line(item.name), MAX_NAME)], required=("name",))
    yield from unsellable(item, MAX_PRICE)
    yield from PICTURES.problems(item)

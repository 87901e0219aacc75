"""The catalogue that a Mini App reads: Zalo takes no products for one, so the shop publishes this file itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from connectors.addresses import Addresses
from models.listing import Listing

FORMAT = 1  # raise it whenever a Mini App would have to read the file differently


def feed(listings: Iterable[Listing], ours: Addresses) -> bytes:
    """JSON in UTF-8; the same listings give the same bytes, in whatever order they come."""
    products = [_product(listing, ours) for listing in sorted(listings, key=lambda one: one.key)]
    return msgspec.json.encode({"format": FORMAT, "currency": "VND", "products": products})


def _product(listing: Listing, ours: Addresses) -> dict[str, Any]:
    content, price = listing.facets["content"], listing.facets["price"]
    return {
        "sku": listing.key,
        "name": content["title"],
        "seller": content["author"],
        "texts": content["body"],
        **price,
        **listing.facets["stock"],
        "pictures": [ours.photo(sha256) for sha256 in listing.facets["images"]],
        "link": ours.link(listing.key),
    }

"""The marketplace's calls: a product is put, changed, hidden and read under our own SKU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import quote

import msgspec

from connectors.contract import Seller
from connectors.errors import Conflict, Refused, Unanswered
from connectors.paging import pages
from connectors.results import result_of
from connectors.transport import Session
from models.change import Change, Kind
from models.listing import Remote
from models.outcome import Outcome, Result
from models.value import replace

PAGE = "50"


class _Shop(msgspec.Struct, frozen=True):
    shop_id: str
    name: str


class _Product(msgspec.Struct, frozen=True):
    sku: str
    product_id: str
    status: Literal["live", "hidden"]
    content: dict[str, str]
    price: dict[str, int | None]
    stock: dict[str, int]
    images: list[str]


class _Page(msgspec.Struct, frozen=True):
    products: list[_Product]
    next: str | None


class Client:
    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self) -> Seller:
        shop = self._session.call("shop", "GET", "shop").read(_Shop)
        return Seller(id=shop.shop_id, name=shop.name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        return [self._push(change) for change in changes]

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        """Nothing is ever under way here: whatever asks is told to look it up."""
        return [Result(key=result.key, outcome=Outcome.UNKNOWN) for result in pending]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        found = (self._find(key) for key in keys)
        return [remote for remote in found if remote]

    def everything(self) -> Iterator[list[Remote]]:
        return pages(self._page)

    def _page(self, after: str) -> tuple[list[Remote], str | None]:
        page = self._session.call("list", "GET", "products", params={"limit": PAGE, "after": after}).read(_Page)
        return [_remote(product) for product in page.products], page.next

    def _push(self, change: Change) -> Result:
        try:
            return self._hide(change) if change.kind is Kind.DELIST else self._put(change)
        except Refused as error:
            return result_of(change, Outcome.REJECTED, error)

    def _put(self, change: Change) -> Result:
        """Everything at once for what may not be there; else the facets that differ."""
        if "images" in change.facets:
            self._upload(change.listing["images"])
        whole = change.kind is Kind.CREATE
        body = {facet: change.listing[facet] for facet in (change.listing if whole else change.facets)}
        if change.kind is not Kind.UPDATE:
            body["status"] = "live"
        method = "PUT" if whole else "PATCH"
        reply = self._session.call("write", method, _path(change.key), json=body, repeatable=True)
        return _acknowledged(change, reply.read(_Product))

    def _hide(self, change: Change) -> Result:
        """What was never there is as hidden as anything can be."""
        try:
            reply = self._session.call("write", "PATCH", _path(change.key), json={"status": "hidden"}, repeatable=True)
        except Conflict:
            return result_of(change, Outcome.ACKNOWLEDGED)
        return _acknowledged(change, reply.read(_Product))

    def _upload(self, pictures: Sequence[str]) -> None:
        media = self._session.media
        for sha256 in pictures:
            if media.remote_id(sha256) is None:
                path = f"pictures/{sha256}"
                self._session.call("picture", "PUT", path, content=media.read(sha256), repeatable=True)
                media.remember(sha256, sha256)

    def _find(self, key: str) -> Remote | None:
        try:
            product = self._session.call("read", "GET", _path(key)).read(_Product)
        except Conflict:
            return None
        if product.sku != key:
            raise Unanswered("other-product")
        return _remote(product)


def _path(key: str) -> str:
    return f"products/{quote(key, safe='')}"


def _acknowledged(change: Change, product: _Product) -> Result:
    if product.sku != change.key:
        raise Unanswered("other-product")
    return replace(result_of(change, Outcome.ACKNOWLEDGED), remote_id=product.product_id)


def _remote(product: _Product) -> Remote:
    facets = {"content": product.content, "price": product.price, "stock": product.stock, "images": product.images}
    return Remote(key=product.sku, remote_id=product.product_id, status=product.status, facets=facets)

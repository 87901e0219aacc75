"""The calls to madeincamau.com: a full upsert, a feed for price and stock, pictures, review and read-back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Refused, Unanswered, problem_of
from connectors.madeincamau.errors import refusal
from connectors.madeincamau.mapping import OFFER, body, facets_of
from connectors.paging import pages
from connectors.transport import Reply, Session
from models.change import Change, Kind
from models.listing import Facets, Remote
from models.outcome import Outcome, Result
from models.value import replace

ROOT = "/api/partner/v1"
PAGE = "100"
OFFER_FACETS = {"price", "stock"}

T = TypeVar("T")


class Moderation(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["pending", "approved", "rejected"]
    code: str | None = None
    field: str | None = None
    message_vi: str | None = None


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str
    media_id: str


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a product that steers us; its facets are read by mapping.facets_of."""

    external_id: str
    product_id: str
    revision: str
    status: Literal["live", "pending", "rejected", "hidden"]
    moderation: Moderation
    images: list[str]
    media: list[Medium]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    products: list[dict[str, Any]]
    next_cursor: str | None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    seller_id: str
    name: str


class MadeInCamauClient:
    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self) -> Seller:
        account = self._session.call("account", "GET", f"{ROOT}/account").read(Account)
        return Seller(id=account.seller_id, name=account.name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        return [self._push(change) for change in changes]

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        return [self._poll(result) for result in pending]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        found = (self._find(key) for key in keys)
        return [remote for remote in found if remote]

    def everything(self) -> Iterator[list[Remote]]:
        return pages(self._page)

    def _page(self, cursor: str) -> tuple[list[Remote], str | None]:
        params = {"limit": PAGE, "cursor": cursor} if cursor else {"limit": PAGE}
        reply = self._session.call("list", "GET", f"{ROOT}/products", params=params)
        page = reply.read(Page)
        return [remote_of(reply, product) for product in page.products], page.next_cursor

    def _push(self, change: Change) -> Result:
        try:
            if change.kind is Kind.DELIST:
                return self._hide(change)
            if change.kind is Kind.UPDATE and OFFER_FACETS.issuperset(change.facets):
                return self._offer(change)
            return self._put(change)
        except Refused as refusal:
            return Result(key=change.key, outcome=Outcome.REJECTED, problem=problem_of(refusal))

    def _put(self, change: Change) -> Result:
        """The product first, since only announced pictures are taken; then the pictures it says it lacks."""
        headers = {"Idempotency-Key": change.token}
        if change.kind is not Kind.CREATE and change.revision:
            headers["If-Match"] = f'"{change.revision}"'
        reply = self._session.call("put", "PUT", product_path(change.key), json=body(change.listing), headers=headers)
        product = product_of(reply, change.key)
        under_review = judged(result_of(change.key, product), product.moderation)
        try:
            self._upload(change, product)
        except ConnectorError as error:
            return without_pictures(change, under_review, error)
        return under_review

    def _upload(self, change: Change, product: Product) -> None:
        """The marketplace's word counts, not our memory: it keeps pictures per account and may have lost one."""
        held = {medium.sha256 for medium in product.media}
        for sha256 in product.images:
            if sha256 not in held:
                self._session.media.remember(sha256, self._send_picture(change.key, sha256))

    def _send_picture(self, key: str, sha256: str) -> str:
        file = ("picture", self._session.media.read(sha256), "application/octet-stream")
        path = f"{product_path(key)}/media"
        reply = self._session.call("media", "POST", path, files={"file": file}, repeatable=True)
        medium = reply.read(Medium)
        if medium.sha256 != sha256:
            raise Unanswered("other-picture")
        return medium.media_id

    def _offer(self, change: Change) -> Result:
        offer = {name: value for facet in change.facets for name, value in change.listing[facet].items()}
        reply = self._session.call("offers", "PATCH", f"{product_path(change.key)}/offers", json=offer)
        product = product_of(reply, change.key)
        if any(reply.data.get(name) != offer[name] for name in OFFER if name in offer):
            raise Unanswered("other-offer")
        return replace(result_of(change.key, product), outcome=Outcome.ACKNOWLEDGED)

    def _hide(self, change: Change) -> Result:
        """What was never there is as hidden as anything can be."""
        try:
            reply = self._session.call("hide", "DELETE", product_path(change.key))
        except Conflict as conflict:
            if conflict.code != "not_found":
                raise
            return Result(key=change.key, outcome=Outcome.ACKNOWLEDGED)
        product = product_of(reply, change.key)
        if product.status != "hidden":
            raise Unanswered("not-hidden")
        return replace(result_of(change.key, product), outcome=Outcome.ACKNOWLEDGED)

    def _poll(self, result: Result) -> Result:
        try:
            reply = self._session.call("moderation", "GET", f"{product_path(result.key)}/moderation")
        except Conflict:
            return replace(result, outcome=Outcome.UNKNOWN)  # gone meanwhile: to be looked up
        return judged(result, reply.read(Moderation))

    def _find(self, key: str) -> Remote | None:
        try:
            reply = self._session.call("fetch", "GET", product_path(key))
        except Conflict as conflict:
            if conflict.code != "not_found":
                raise
            return None
        product_of(reply, key)
        return remote_of(reply, reply.data)


def product_path(key: str) -> str:
    return f"{ROOT}/products/{quote(key, safe='')}"


def product_of(reply: Reply, key: str) -> Product:
    product = reply.read(Product)
    if product.external_id != key:
        raise Unanswered("other-product", product.external_id)
    return product


def result_of(key: str, product: Product) -> Result:
    return Result(key=key, outcome=Outcome.ACCEPTED, remote_id=product.product_id, revision=product.revision)


def judged(result: Result, moderation: Moderation) -> Result:
    """As the review leaves it. Asked is by key: the handle only says that there is something to ask."""
    if moderation.status == "pending":
        return replace(result, outcome=Outcome.ACCEPTED, handle=result.handle or result.remote_id)
    if moderation.status == "approved":
        return replace(result, outcome=Outcome.ACKNOWLEDGED, handle="")
    verdict = refusal(moderation.code or "rejected", moderation.field or "", moderation.message_vi or "")
    return replace(result, outcome=Outcome.REJECTED, handle="", problem=problem_of(verdict))


def without_pictures(change: Change, result: Result, error: ConnectorError) -> Result:
    """The product was stored: only the pictures stay due."""
    taken = tuple(facet for facet in change.facets if facet != "images")
    if not taken:
        raise error
    return replace(result, facets=taken, problem=result.problem or problem_of(error))


def remote_of(reply: Reply, product: dict[str, Any]) -> Remote:
    """One product of an answer."""
    known = reply.read(Product, product)
    try:
        facets: Facets = facets_of(product)
    except (KeyError, TypeError) as error:
        raise reply.other_shape(f"facets: {error}", product) from None
    return Remote(
        key=known.external_id,
        remote_id=known.product_id,
        status=known.status,
        revision=known.revision,
        facets=facets,
        words=known.moderation.message_vi or "",
    )

"""Postmart's calls: prices and stock go through the feed, everything else as one batch that is polled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Refused, Unanswered, problem_of
from connectors.paging import looked_up, pages
from connectors.postmart.errors import UNKNOWN_BATCH, UNKNOWN_MEDIA, Fault, error_of
from connectors.results import batch_by_batch
from connectors.transport import Session
from models.change import Change, Kind
from models.listing import Remote
from models.outcome import Outcome, Result

NDJSON = "application/x-ndjson"
OFFERS = frozenset({"price", "stock"})
LOOKED_UP = 50  # external ids in one GET /products
PAGE = 100

_T = TypeVar("_T")

# Sorted keys: the bytes of a resend equal those of the first time, even if the facets came out of a database between.
_lines = msgspec.json.Encoder(order="deterministic").encode_lines


class _Account(msgspec.Struct, frozen=True):
    shop_name: str


class _Medium(msgspec.Struct, frozen=True):
    media_id: str
    sha256: str


class _Accepted(msgspec.Struct, frozen=True):
    batch_id: str


class _Line(msgspec.Struct, frozen=True):
    external_id: str
    status: Literal["ok", "error"]
    remote_id: str | None = None
    revision: int | None = None
    errors: list[Fault] = []


class _Feed(msgspec.Struct, frozen=True):
    results: list[_Line]


class _Batch(msgspec.Struct, frozen=True):
    status: Literal["queued", "processing", "done"]
    results: list[_Line] = []


class _Product(msgspec.Struct, frozen=True):
    external_id: str
    remote_id: str
    status: Literal["live", "hidden"]
    revision: int
    content: dict[str, Any]
    price: dict[str, Any]
    stock: dict[str, Any]
    images: list[str]


class _Page(msgspec.Struct, frozen=True):
    products: list[_Product]
    next_cursor: str | None  # null is the end; an answer without it is of another shape


class PostmartClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._media = session.media

    def check(self) -> Seller:
        name = self._get("account", "account", _Account).shop_name
        return Seller(id=name, name=name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        """Every write states what shall be, so an error of the batch costs no more than sending the feed again."""
        feed = [change for change in changes if _is_offer(change)]
        batch = [change for change in changes if not _is_offer(change)]
        return [*self._send_feed(feed), *self._send_batch(batch)]

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        return batch_by_batch(pending, self._poll_batch)

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        return looked_up(keys, LOOKED_UP, lambda part: [self._page(f"external_ids={','.join(map(_quoted, part))}")[0]])

    def everything(self) -> Iterator[list[Remote]]:
        return pages(lambda cursor: self._page(f"limit={PAGE}" + (f"&cursor={_quoted(cursor)}" if cursor else "")))

    def _send_feed(self, changes: Sequence[Change]) -> list[Result]:
        if not changes:
            return []
        body = _lines([_fields(change) for change in changes])
        reply = self._session.call(
            "offers", "POST", "offers", content=body, headers={"Content-Type": NDJSON}, repeatable=True
        )
        return self._settled([c.key for c in changes], reply.read(_Feed).results)

    def _send_batch(self, changes: Sequence[Change]) -> list[Result]:
        refused = self._upload(changes)
        results = [_rejected(key, error) for key, error in refused.items()]
        fit = sorted((c for c in changes if c.key not in refused), key=lambda c: c.key)
        if fit:
            handle = self._post_batch(fit)
            results += [Result(key=c.key, outcome=Outcome.ACCEPTED, handle=handle) for c in fit]
        return results

    def _post_batch(self, changes: Sequence[Change]) -> str:
        body = _lines([_batch_item(change) for change in changes])
        headers = {"Content-Type": NDJSON, "Idempotency-Key": _idempotency_key(changes, body)}
        reply = self._session.call("batches", "POST", "batches", content=body, headers=headers, repeatable=True)
        return reply.read(_Accepted).batch_id

    def _upload(self, changes: Iterable[Change]) -> dict[str, Refused]:
        """Sends the pictures the marketplace lacks; answers which changes cannot go because of one."""
        users: dict[str, list[str]] = {}
        for change in changes:
            if "images" in change.facets:
                for sha256 in change.listing["images"]:
                    users.setdefault(sha256, []).append(change.key)
        refused: dict[str, Refused] = {}
        for sha256, keys in users.items():
            try:
                self._ensure(sha256)
            except Refused as error:
                refused |= dict.fromkeys(keys, error)
        return refused

    def _ensure(self, sha256: str) -> None:
        if self._media.remote_id(sha256):
            return
        body = self._media.read(sha256)
        kind = "image/png" if body.startswith(b"\x89PNG") else "image/jpeg"
        reply = self._session.call(
            "media", "POST", "media", content=body, headers={"Content-Type": kind}, repeatable=True
        )
        medium = reply.read(_Medium)
        if medium.sha256 != sha256:
            raise Unanswered("other-picture")
        self._media.remember(sha256, medium.media_id)

    def _poll_batch(self, handle: str, pending: Sequence[Result]) -> list[Result]:
        try:
            batch = self._get("poll", f"batches/{_quoted(handle)}", _Batch)
        except Refused as error:
            if error.code != UNKNOWN_BATCH:
                raise
            return [Result(key=r.key, outcome=Outcome.UNKNOWN, problem=problem_of(error)) for r in pending]
        if batch.status != "done":
            return list(pending)
        return self._settled([r.key for r in pending], batch.results)

    def _settled(self, keys: Iterable[str], lines: Iterable[_Line]) -> list[Result]:
        """Matched by key alone; a key without a line, or with two, is unknown."""
        by_key: dict[str, _Line | None] = {}
        for line in lines:
            by_key[line.external_id] = None if line.external_id in by_key else line
        return [self._result(key, by_key.get(key)) for key in keys]

    def _result(self, key: str, line: _Line | None) -> Result:
        if line is None:
            return Result(key=key, outcome=Outcome.UNKNOWN)
        if line.status == "ok":
            revision = "" if line.revision is None else str(line.revision)
            return Result(key=key, outcome=Outcome.ACKNOWLEDGED, remote_id=line.remote_id or "", revision=revision)
        return self._failed(key, line.errors or [Fault(code="unspecified")])

    def _failed(self, key: str, faults: Sequence[Fault]) -> Result:
        lost = [f.field.removeprefix("images.") for f in faults if f.code == UNKNOWN_MEDIA]
        for sha256 in lost:
            self._media.remember(sha256, "")  # forgotten there: the next push uploads it again
        error = error_of(faults[0])
        self._session.heard("item", error)
        if len(lost) == len(faults):
            return Result(key=key, outcome=Outcome.DEFERRED, problem=problem_of(error))
        if isinstance(error, Conflict):  # not what we believed to be there: look before the next plan
            return Result(key=key, outcome=Outcome.UNKNOWN, problem=problem_of(error))
        return _rejected(key, error)

    def _page(self, query: str) -> tuple[list[Remote], str | None]:
        page = self._get("products", f"products?{query}", _Page)
        return [_remote(product) for product in page.products], page.next_cursor

    def _get(self, operation: str, path: str, shape: type[_T]) -> _T:
        return self._session.call(operation, "GET", path).read(shape)


def _is_offer(change: Change) -> bool:
    return change.kind is Kind.UPDATE and OFFERS.issuperset(change.facets)


def _fields(change: Change) -> dict[str, Any]:
    """An item carries exactly the facets that shall change."""
    listing = change.listing
    return {"external_id": change.key, **{facet: listing[facet] for facet in change.facets}}


def _batch_item(change: Change) -> dict[str, Any]:
    """An upsert also puts a hidden product on sale again, so `show` is only for a relist that changes nothing else."""
    if change.kind is Kind.DELIST:
        return {"op": "hide", "external_id": change.key}
    return {"op": "upsert" if change.facets else "show", **_fields(change)}


def _idempotency_key(changes: Iterable[Change], body: bytes) -> str:
    tokens = "\n".join(sorted(change.token for change in changes))
    return hashlib.sha256(tokens.encode() + b"\n" + hashlib.sha256(body).digest()).hexdigest()


def _rejected(key: str, error: ConnectorError) -> Result:
    return Result(key=key, outcome=Outcome.REJECTED, problem=problem_of(error))


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _remote(product: _Product) -> Remote:
    facets = {"content": product.content, "price": product.price, "stock": product.stock, "images": product.images}
    return Remote(
        key=product.external_id,
        remote_id=product.remote_id,
        status=product.status,
        revision=str(product.revision),
        facets=facets,
    )

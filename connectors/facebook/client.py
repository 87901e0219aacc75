"""Meta's calls: every change is an item of a batch, and no batch is believed before its handle was asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from connectors.addresses import Addresses
from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Refused, Unanswered, problem_of
from connectors.facebook.errors import TOO_MUCH, item_error
from connectors.facebook.mapping import OUT_OF_STOCK, READ, dong_of, price_text
from connectors.paging import looked_up, pages
from connectors.results import batch_by_batch
from connectors.transport import Reply, Session
from models.change import Change, Kind
from models.listing import Facets, Remote
from models.outcome import Outcome, Result

PAGE = 100
LOOKED_UP = 50  # SKUs in one filter
HIDING = "hide:"  # before the handle of a change that hides: what is not there is hidden already
FIELDS = (
    "id", "retailer_id", *READ.values(), "price", "sale_price", "currency", "inventory", "availability", "visibility",
    "image_url", "additional_image_urls", "review_status", "review_rejection_reasons",
)  # fmt: skip

_json = msgspec.json.Encoder(order="deterministic").encode


class _Catalog(msgspec.Struct, frozen=True):
    id: str
    name: str


class _Note(msgspec.Struct, frozen=True):
    message: str = ""


class _Validation(msgspec.Struct, frozen=True):
    retailer_id: str
    errors: list[_Note] = []


class _Accepted(msgspec.Struct, frozen=True):
    handles: list[str]
    validation_status: list[_Validation] = []


class _ItemError(msgspec.Struct, frozen=True):
    id: str = ""
    message: str = ""


class _Batch(msgspec.Struct, frozen=True):
    status: Literal["scheduled", "dispatched", "started", "finished", "canceled", "error"]
    errors_total_count: int = 0
    errors: list[_ItemError] = []  # a sample
    ids_of_invalid_requests: list[str] = []


class _Status(msgspec.Struct, frozen=True):
    data: list[_Batch]


class _Item(msgspec.Struct, frozen=True):
    """Empty fields are left out of a read, as Graph has it."""

    id: str
    retailer_id: str
    price: str
    currency: str
    availability: str
    visibility: Literal["published", "staging"]
    image_url: str
    inventory: int = 0
    sale_price: str = ""
    additional_image_urls: list[str] = []
    review_status: str = ""
    review_rejection_reasons: list[str] = []


class _Cursors(msgspec.Struct, frozen=True):
    after: str = ""


class _Paging(msgspec.Struct, frozen=True):
    cursors: _Cursors = _Cursors()
    next: str = ""


class _Page(msgspec.Struct, frozen=True):
    data: list[dict[str, Any]]
    paging: _Paging | None = None


class FacebookClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        known = session.credentials
        self._root = f"{known.api_version}/{known.catalog_id}"
        self._ours = Addresses(known.product_page, known.picture)

    def check(self) -> Seller:
        catalog = self._session.call("catalog", "GET", self._root, params={"fields": "id,name"}).read(_Catalog)
        return Seller(id=catalog.id, name=catalog.name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        """A batch that is too much work for Meta goes again as two."""
        try:
            return self._send(changes)
        except Refused as error:
            if error.code != TOO_MUCH or len(changes) == 1:
                raise
        half = len(changes) // 2
        return [*self.push(changes[:half]), *self.push(changes[half:])]

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        return batch_by_batch(pending, self._poll_batch, prefix=HIDING)

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        return looked_up(keys, LOOKED_UP, lambda part: self._pages({"filter": _named(part)}))

    def everything(self) -> Iterator[list[Remote]]:
        return self._pages({})

    # Writing

    def _send(self, changes: Sequence[Change]) -> list[Result]:
        """As the official SDK sends it: a form, with the items as JSON in one of its fields."""
        items = [self._request(change) for change in changes]
        form = {"item_type": "PRODUCT_ITEM", "allow_upsert": "true", "requests": _json(items).decode()}
        reply = self._session.call(
            "items_batch",
            "POST",
            f"{self._root}/items_batch",
            content=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            repeatable=True,
        )
        return list(self._accepted(changes, reply.read(_Accepted)))

    def _request(self, change: Change) -> dict[str, Any]:
        """Only a create carries the required `condition`: an update of what was deleted there makes nothing anew."""
        if change.kind is Kind.DELIST:
            data = {"visibility": "staging", "availability": OUT_OF_STOCK}
        else:
            facets = {*change.facets, "stock"} if change.kind is Kind.RELIST else {*change.facets}
            data = self._fields(change.key, change.listing, facets)
            if change.kind is not Kind.UPDATE:
                data["visibility"] = "published"
        if change.kind is Kind.CREATE:
            data |= {"condition": "new", "link": self._ours.link(change.key)}
        method = "CREATE" if change.kind is Kind.CREATE else "UPDATE"
        return {"method": method, "data": {"id": change.key, **data}}

    def _fields(self, key: str, listing: Facets, facets: Iterable[str]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for facet in facets:
            value = listing[facet]
            if facet == "price":
                fields |= {name: price_text(dong) for name, dong in value.items()}
            elif facet == "images":
                first, *more = map(self._ours.photo, value)
                fields |= {"image_link": first, "additional_image_link": more}
            else:
                fields |= value
        return fields

    def _accepted(self, changes: Sequence[Change], answer: _Accepted) -> Iterator[Result]:
        """A handle is no success; without one nothing was taken, also what nothing is said about."""
        refused = {line.retailer_id: line.errors[0].message for line in answer.validation_status if line.errors}
        handle = answer.handles[0] if answer.handles else ""
        for change in changes:
            hides = change.kind is Kind.DELIST
            if change.key in refused:
                yield self._failed(change.key, refused[change.key], hides=hides)
            elif handle:
                told = HIDING + handle if hides else handle
                yield Result(key=change.key, outcome=Outcome.ACCEPTED, handle=told)
            else:
                yield Result(key=change.key, outcome=Outcome.DEFERRED)

    def _failed(self, key: str, words: str, *, hides: bool) -> Result:
        error = item_error(words)
        if isinstance(error, Conflict) and hides:
            return Result(key=key, outcome=Outcome.ACKNOWLEDGED)
        outcome = Outcome.UNKNOWN if isinstance(error, Conflict) else Outcome.REJECTED
        return Result(key=key, outcome=outcome, problem=problem_of(error))

    # Asking about a batch

    def _poll_batch(self, handle: str, pending: Sequence[Result]) -> list[Result]:
        params = {"handle": handle, "load_ids_of_invalid_requests": "true"}
        try:
            reply = self._session.call("status", "GET", f"{self._root}/check_batch_request_status", params=params)
        except Refused as error:  # a handle that is no longer known
            return [_unknown(result, error) for result in pending]
        found = reply.read(_Status).data
        if len(found) != 1:
            raise reply.other_shape("one batch", reply.data)
        (batch,) = found
        if batch.status == "finished":
            return self._finished(batch, pending)
        if batch.status in ("canceled", "error"):  # some of it may have been saved
            return [_unknown(result, Unanswered(batch.status)) for result in pending]
        return list(pending)

    def _finished(self, batch: _Batch, pending: Sequence[Result]) -> list[Result]:
        """Errors are a sample, so the ids decide; where some failed that nobody names, the rest is in doubt."""
        words = {error.id: error.message for error in batch.errors}
        failed = {*batch.ids_of_invalid_requests, *words}
        in_doubt = batch.errors_total_count > 0 and not batch.ids_of_invalid_requests
        return [self._verdict(r, words.get(r.key, ""), failed=r.key in failed, in_doubt=in_doubt) for r in pending]

    def _verdict(self, result: Result, words: str, *, failed: bool, in_doubt: bool) -> Result:
        hides = result.handle.startswith(HIDING)
        if failed and not words:  # beyond the sample: why is not said, so it is looked up
            return _unknown(result, Unanswered("no-reason-given"))
        if failed:
            return self._failed(result.key, words, hides=hides)
        return Result(key=result.key, outcome=Outcome.UNKNOWN if in_doubt else Outcome.ACKNOWLEDGED)

    # Reading

    def _pages(self, filters: dict[str, str]) -> Iterator[list[Remote]]:
        return pages(lambda cursor: self._page({**filters, "after": cursor} if cursor else filters))

    def _page(self, asked: dict[str, str]) -> tuple[list[Remote], str | None]:
        """The last one is where Meta names no next page. Its address is not followed: it holds the token."""
        params = {"fields": ",".join(FIELDS), "limit": str(PAGE), **asked}
        reply = self._session.call("products", "GET", f"{self._root}/products", params=params)
        page = reply.read(_Page)
        if page.data and page.paging is None:
            raise reply.other_shape("paging", reply.data)
        after = page.paging.cursors.after if page.paging and page.paging.next else None
        return [self._remote(reply, item) for item in page.data], after

    def _remote(self, reply: Reply, raw: dict[str, Any]) -> Remote:
        item = reply.read(_Item, raw)
        status: Literal["live", "rejected", "hidden"] = "rejected" if item.review_status == "rejected" else "live"
        return Remote(
            key=item.retailer_id,
            remote_id=item.id,
            status="hidden" if item.visibility == "staging" else status,
            facets=self._facets(reply, raw, item),
            words="; ".join(item.review_rejection_reasons),
        )

    def _facets(self, reply: Reply, raw: dict[str, Any], item: _Item) -> Facets:
        pictures = [item.image_url, *item.additional_image_urls]
        return {
            "content": {ours: str(raw.get(theirs, "")) for ours, theirs in READ.items()},
            "price": {name: self._dong(reply, item, name) for name in ("price", "sale_price")},
            "stock": {"inventory": item.inventory, "availability": item.availability},
            "images": [self._ours.sha256(link) for link in pictures],
        }

    def _dong(self, reply: Reply, item: _Item, field: str) -> int | str | None:
        """A price that nobody can read is noted and kept as its text: it equals no price, and stops no other item."""
        shown: str = getattr(item, field)
        dong = dong_of(shown) if item.currency == "VND" else None
        if shown and dong is None:
            reply.other_shape(f"{field} in đồng", reply.data)
        return shown or None if dong is None else dong


def _named(keys: Sequence[str]) -> str:
    return _json({"retailer_id": {"is_any": list(keys)}}).decode()


def _unknown(result: Result, error: ConnectorError) -> Result:
    return Result(key=result.key, outcome=Outcome.UNKNOWN, problem=problem_of(error))

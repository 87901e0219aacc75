"""Calls of one account: a draft is created, then submitted for review, and nothing changes while it is reviewed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Refused, Unanswered, problem_of
from connectors.paging import Page, counted, looked_up
from connectors.results import accepted, judged, result_of
from connectors.transport import Session
from connectors.voso.errors import MEANINGS, STATE_FORBIDS
from models.change import Change, Kind
from models.listing import FACETS, Facets, Remote, differing
from models.outcome import Outcome, Result
from models.value import replace

PAGE = 50
JPEG = b"\xff\xd8\xff"
DRAFT, IN_REVIEW, ON_SALE, REJECTED = "NHAP", "Chờ duyệt", "Đang bán", "Từ chối"
STATUS: dict[str, Literal["live", "pending", "rejected", "draft"]] = {
    DRAFT: "draft",
    IN_REVIEW: "pending",
    ON_SALE: "live",
    REJECTED: "rejected",
}
REVIEWED, OFFERED = ("content", "images"), ("price", "stock")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    media_id: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """One product as the marketplace answers it; `reason` is the reviewer's."""

    product_id: int
    product_code: str
    name: str
    short_description: str
    description: str
    category_id: int
    unit: str
    brand: str
    origin: str
    ocop: bool
    price: int
    list_price: int | None
    stock: int
    images: tuple[Picture, ...]
    status: Literal["NHAP", "Chờ duyệt", "Đang bán", "Từ chối"]
    hidden: bool
    reason: str

    @property
    def key(self) -> str:
        return self.product_code

    @property
    def remote_id(self) -> str:
        return str(self.product_id)

    def facets(self) -> Facets:
        content = ("name", "short_description", "description", "category_id", "unit", "brand", "origin", "ocop")
        return {
            "content": {field: getattr(self, field) for field in content},
            "price": {"price": self.price, "list_price": self.list_price},
            "stock": {"stock": self.stock},
            "images": [picture.sha256 for picture in self.images],
        }

    def remote(self) -> Remote:
        return Remote(
            key=self.key,
            remote_id=self.remote_id,
            status="hidden" if self.hidden else STATUS[self.status],
            facets=self.facets(),
            words=self.reason,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    page: int
    total: int
    items: tuple[Product, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    media_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    user_id: int
    shop_name: str


class Client:
    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self) -> Seller:
        user = self._ask("user/info", {}, User, repeatable=True)
        return Seller(id=str(user.user_id), name=user.shop_name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        return [self._push(change) for change in changes]

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        found = {p.remote_id: p for p in self._search([result.key for result in pending])}
        return [_verdict(result, found.get(result.handle)) for result in pending]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        """Two products of one code are two answers: this marketplace allows that."""
        return [product.remote() for product in self._search(keys)]

    def everything(self) -> Iterator[list[Remote]]:
        for page in self._pages({}):
            yield [product.remote() for product in page]

    # Writing

    def _push(self, change: Change) -> Result:
        try:
            return self._do(change)
        except Refused as error:
            return result_of(change, Outcome.REJECTED, error)
        except Conflict as error:
            if error.code != STATE_FORBIDS:
                raise
            return self._locked(change)

    def _do(self, change: Change) -> Result:
        if change.kind is Kind.CREATE and not change.remote_id:
            return self._create(change)
        if change.kind is Kind.CREATE:
            return self._continue(change)
        if change.kind is Kind.DELIST:
            self._write("product/hide", change)
            return result_of(change, Outcome.ACKNOWLEDGED)
        return self._revise(change, change.facets, show=change.kind is Kind.RELIST)

    def _create(self, change: Change) -> Result:
        """From the draft on, any doubt keeps its id: without it the next run would make a second product."""
        body = {"product_code": change.key, **self._fields(change, FACETS)}
        product = self._ask("product/create", body, Product)
        if product.product_code != change.key:
            raise Unanswered("other-product")
        created = replace(change, remote_id=product.remote_id)
        try:
            return self._finish(created, product)
        except Refused as error:
            return result_of(created, Outcome.REJECTED, error)
        except ConnectorError as error:
            return result_of(created, Outcome.UNKNOWN, error)

    def _continue(self, change: Change) -> Result:
        """Goes on from what an earlier, unfinished create left there."""
        product = self._ask("product/detail", _named(change), Product, repeatable=True)
        due = differing(product.facets(), change.listing)
        if product.status == IN_REVIEW and due:
            return self._locked(change)
        return self._revise(change, due, show=product.hidden, product=product)

    def _locked(self, change: Change) -> Result:
        return judged(change, MEANINGS["in-review"].error(STATE_FORBIDS), self._session.clock.now())

    def _revise(
        self, change: Change, facets: Iterable[str], *, show: bool = False, product: Product | None = None
    ) -> Result:
        """Price and stock first, because they need no review; showing before submitting, which closes the product."""
        offered = tuple(f for f in OFFERED if f in facets)
        reviewed = tuple(f for f in REVIEWED if f in facets)
        if offered:
            product = self._write("product/updatePrice", change, offered)
        try:
            if reviewed:
                product = self._write("product/update", change, reviewed)
            if show:
                product = self._write("product/show", change)
        except Refused as error:
            if not offered or change.kind is not Kind.UPDATE:  # nothing of what is not shown was taken
                raise
            return replace(result_of(change, Outcome.ACKNOWLEDGED, error), facets=offered)
        return self._finish(change, product)

    def _finish(self, change: Change, product: Product | None) -> Result:
        """Submits what is still a draft, and says how the product then stands."""
        product = product or self._ask("product/detail", _named(change), Product, repeatable=True)
        if product.status == DRAFT:
            product = self._ask("product/submit", _named(change), Product)  # a second one would find it in review
        if product.status == REJECTED:  # a new price does not bring back what a reviewer took down
            raise _rejected(product)
        if product.status == IN_REVIEW:
            return accepted(replace(change, remote_id=product.remote_id))
        return result_of(change, Outcome.ACKNOWLEDGED)

    def _write(self, operation: str, change: Change, facets: Iterable[str] = ()) -> Product:
        """These set values, so doing them twice does no harm."""
        body = {**_named(change), **self._fields(change, facets)}
        return self._ask(operation, body, Product, repeatable=True)

    def _fields(self, change: Change, facets: Iterable[str]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for facet in facets:
            value = change.listing[facet]
            fields |= {"images": [self._media_id(sha) for sha in value]} if facet == "images" else value
        return fields

    def _media_id(self, sha256: str) -> int:
        media = self._session.media
        known = media.remote_id(sha256)
        if known is None:
            known = self._upload(sha256, media.read(sha256))
            media.remember(sha256, known)
        return int(known)

    def _upload(self, sha256: str, data: bytes) -> str:
        """Repeatable: the same picture twice is answered with the id it has."""
        kind = "jpeg" if data.startswith(JPEG) else "png"
        files = {"file": (f"{sha256}.{kind}", data, f"image/{kind}")}
        reply = self._session.call("media/upload", "POST", "/v2/media/upload", files=files, repeatable=True)
        return str(reply.held(Uploaded).media_id)

    # Reading

    def _search(self, keys: Sequence[str]) -> list[Product]:
        """All products of these codes, also where one code has several."""
        return looked_up(keys, PAGE, lambda part: self._pages({"product_codes": part}))

    def _pages(self, filters: dict[str, Any]) -> Iterator[list[Product]]:
        return counted(lambda number, came: self._page({"page": number, "size": PAGE, **filters}))

    def _page(self, asked: dict[str, Any]) -> Page[Product]:
        found = self._ask("product/list", asked, Found, repeatable=True)
        ids = [product.remote_id for product in found.items]
        return Page(ids=ids, rows=list(found.items), total=found.total, number=found.page)

    def _ask(self, operation: str, body: dict[str, Any], kind: type[T], *, repeatable: bool = False) -> T:
        reply = self._session.call(operation, "POST", f"/v2/{operation}", json=body, repeatable=repeatable)
        return reply.held(kind)


def _named(change: Change) -> dict[str, Any]:
    """Id and code together: the marketplace refuses where they do not belong together."""
    if not (change.remote_id.isascii() and change.remote_id.isdigit()):
        raise Conflict("no-product-id")
    return {"product_id": int(change.remote_id), "product_code": change.key}


def _rejected(product: Product) -> ConnectorError:
    return MEANINGS["rejected"].error("review-rejected", product.reason)


def _verdict(result: Result, product: Product | None) -> Result:
    """What became of a submitted product."""
    if product is None:
        return replace(result, outcome=Outcome.UNKNOWN)
    if product.status == ON_SALE:
        return replace(result, outcome=Outcome.ACKNOWLEDGED, remote_id=product.remote_id)
    if product.status == REJECTED:
        return replace(result, outcome=Outcome.REJECTED, problem=problem_of(_rejected(product)))
    if product.status == DRAFT:
        return replace(result, outcome=Outcome.DEFERRED, problem=problem_of(MEANINGS["draft"].error("draft")))
    return result

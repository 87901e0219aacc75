"""Calls of one account: one item per SKU, found by seller SKU before it is created, named by item and SKU id after."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from html import escape
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Refused, Unanswered, problem_of
from connectors.iop import FORM
from connectors.lazada.categories import NAMES
from connectors.lazada.errors import (
    BEING_CHECKED,
    NOT_ONLINE,
    TIMED_OUT,
    Locked,
    RowsRefused,
    lacking,
    rejected_by_check,
    unready,
)
from connectors.lazada.mapping import attributes, package
from connectors.lazada.products import (
    PENDING,
    Attribute,
    Batch,
    Branch,
    Brands,
    Found,
    Made,
    Migrated,
    Shop,
    Updated,
    Uploaded,
    remotes_of,
)
from connectors.transport import Reply, Session
from models.change import Change, Kind
from models.listing import FACETS, Facets, Problem, Remote, facet_hash
from models.outcome import Outcome, Result
from models.text import fold
from models.value import replace

PAGE, OFFSET_MOST, BRANDS_PAGE = 50, 10_000, 200
LOCKED_FOR, CHECKED_FOR = timedelta(hours=6), timedelta(minutes=30)
MIGRATE_SECONDS, MIGRATE_LOOKS = 1.0, 10  # documented: at least half a second
OFFERED, REVIEWED = ("price", "stock"), ("content", "images")
GONE = {"E0002", "E0003"}
IDS = re.compile(r"([0-9]+)_([0-9]+)")
JPEG = b"\xff\xd8\xff"

T = TypeVar("T")


class LazadaClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._leaves: dict[str, str] = {}  # of the live tree: id -> name
        self._mandatory: dict[str, list[str]] = {}  # by category
        self._shown: dict[str, str] = {}  # URL -> sha256 of the picture that was uploaded

    def check(self) -> Seller:
        shop = self._get("seller", "/seller/get", {}, Shop)
        return Seller(id=str(shop.seller_id), name=shop.name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        """Every change by itself, except prices and stocks, which share a call.

        Once something was written an error speaks of its own change alone: were it raised, what is known of the others
        would be lost.
        """
        creates = [c.key for c in changes if c.kind is Kind.CREATE]
        there = self.fetch(creates) if creates else []
        offers = [c for c in changes if c.kind is Kind.UPDATE and set(OFFERED).issuperset(c.facets)]
        parts = [[c] for c in changes if c not in offers] + ([offers] if offers else [])
        results: list[Result] = []
        for number, part in enumerate(parts):
            try:
                results += self._offer(part) if part is offers else [self._do(part[0], there)]
            except (Refused, Conflict) as error:
                results += [self._judged(change, error) for change in part]
            except ConnectorError as error:
                if not results:
                    raise
                results += [self._judged(change, error) for change in part]
                return results + [_result(c, Outcome.DEFERRED, error) for rest in parts[number + 1 :] for c in rest]
        return results

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        found = {remote.remote_id: remote for remote in self.fetch([result.key for result in pending])}
        return [_verdict(result, found.get(result.handle or result.remote_id)) for result in pending]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        """Two items of one SKU are two answers: nothing there forbids them."""
        wanted = list(dict.fromkeys(keys))
        asked = set(wanted)
        parts = [wanted[start : start + PAGE] for start in range(0, len(wanted), PAGE)]
        found = [r for part in parts for page in self._pages({"sku_seller_list": _text(part)}) for r in page]
        return [remote for remote in found if remote.key in asked]

    def everything(self) -> Iterator[list[Remote]]:
        yield from self._pages({})

    def remove(self, remote_ids: Sequence[str]) -> None:
        """For good; at most 50. The engine only delists: this is for an operator's hand."""
        named = _text([f"SkuId_{remote_id}" for remote_id in remote_ids])
        self._session.call("remove", "POST", "/rest/product/remove", params={"sku_id_list": named})

    def migrate(self, url: str) -> str:
        """A public picture, fetched by Lazada: one URL a batch, as answers do not say whose they are."""
        payload = f"<Request><Images><Url>{escape(url, quote=False)}</Url></Images></Request>"
        batch = self._post("migrate", "/images/migrate", payload, repeatable=True).read(Batch).batch_id
        for _ in range(MIGRATE_LOOKS):
            self._session.clock.sleep(MIGRATE_SECONDS)
            done = self._get("migrate", "/image/response/get", {"batch_id": batch}, Migrated)
            if done.errors:
                raise Refused("migrate", str(done.errors[0].get("msg", "")), field="images")
            if len(done.images) == 1:
                return done.images[0].url
        raise Unanswered("migrate")

    def brand_id(self, name: str) -> str | None:
        """Raises where a page comes empty too early: so the brands look when too many ask at once."""
        seen, total = 0, 1
        while seen < total:
            asked = {"startRow": str(seen), "pageSize": str(BRANDS_PAGE)}
            page = self._get("brands", "/category/brands/query", asked, Brands)
            seen, total = seen + len(page.module), int(page.total_record)
            found = next((str(brand.brand_id) for brand in page.module if fold(brand.name) == fold(name)), None)
            if found:
                return found
            if not page.module and seen < total:
                raise Unanswered("brands-empty", f"{seen}/{total}")
        return None

    # Writing

    def _judged(self, change: Change, error: ConnectorError) -> Result:
        """A conflict is looked up like a doubt: what is there then decides."""
        if isinstance(error, RowsRefused):  # a row tells the cause more sharply than the call
            error = next(iter(error.rows.values()))
        if isinstance(error, Locked):
            return replace(_result(change, Outcome.DEFERRED, error), until=self._session.clock.now() + LOCKED_FOR)
        if isinstance(error, Refused):
            return _result(change, Outcome.REJECTED, error)
        doubtful = isinstance(error, Unanswered | Conflict)
        return _result(change, Outcome.UNKNOWN if doubtful else Outcome.DEFERRED, error)

    def _do(self, change: Change, there: Sequence[Remote]) -> Result:
        if change.kind in (Kind.DELIST, Kind.CLOSE):
            return self._deactivate(change)
        if change.kind is not Kind.CREATE:
            return self._revise(change, change.facets, show=change.kind is Kind.RELIST)
        mine = [remote for remote in there if remote.key == change.key]
        named = [remote for remote in mine if change.remote_id in ("", remote.remote_id)]
        if len(named) > 1:
            raise Conflict("several-items", ", ".join(remote.remote_id for remote in named))
        return self._adopt(change, named[0]) if named else self._create(change)

    def _create(self, change: Change) -> Result:
        self._ready(change.listing["content"])
        images = {"Images": {"Image": [self._url(sha) for sha in change.listing["images"]]}}
        content = change.listing["content"]
        row = {"SellerSku": change.key, **_offered(change.listing, FACETS), **package(content)}
        product = {
            "PrimaryCategory": content["category_id"],
            **images,
            "disableAutoFillAttribute": True,
            "Attributes": attributes(content),
            "Skus": {"Sku": [row]},
        }
        reply = self._post("create", "/product/create", _product(product))
        made = reply.read(Made, _data(reply))
        if [sku.seller_sku for sku in made.sku_list] != [change.key]:
            raise Unanswered("other-product")
        created = replace(change, remote_id=f"{made.item_id}_{made.sku_list[0].sku_id}")
        return _standing(created, made.item_status)

    def _adopt(self, change: Change, remote: Remote) -> Result:
        """Goes on from what is already there under our SKU, whoever made it."""
        known = replace(change, remote_id=remote.remote_id)
        differing = [f for f in FACETS if facet_hash(remote.facets[f]) != facet_hash(change.listing[f])]
        if differing or remote.status == "hidden":
            return self._revise(known, differing, show=remote.status == "hidden")
        accepted = replace(_result(known, Outcome.ACCEPTED), handle=remote.remote_id)
        return _verdict(accepted, remote)

    def _revise(self, change: Change, facets: Iterable[str], *, show: bool) -> Result:
        """Price and stock by their own call, which needs no check, and first: what is shown again has its new price."""
        offered = tuple(f for f in OFFERED if f in facets)
        reviewed = tuple(f for f in REVIEWED if f in facets)
        if offered:
            self._send_offers([replace(change, facets=offered)])
        try:
            return self._update(change, reviewed) if reviewed or show else _result(change, Outcome.ACKNOWLEDGED)
        except Refused as error:
            if not offered or change.kind is not Kind.UPDATE:
                raise
            return replace(_result(change, Outcome.ACKNOWLEDGED, error), facets=offered)

    def _update(self, change: Change, facets: Sequence[str]) -> Result:
        """Omitted fields keep their values; status and parcel always go, as the documents contradict themselves."""
        item, sku = _ids(change)
        content = change.listing["content"]
        row = {"SkuId": sku, "Status": "active", **package(content)}
        product: dict[str, Any] = {"ItemId": item, "Attributes": {}, "Skus": {"Sku": [row]}}
        if "content" in facets:
            self._ready(content)
            product |= {"PrimaryCategory": content["category_id"], "Attributes": attributes(content)}
        if "images" in facets:
            product["Images"] = {"Image": [self._url(sha) for sha in change.listing["images"]]}
        product["disableAutoFillAttribute"] = True
        reply = self._post("update", "/product/update", _product(product), repeatable=True)
        return _standing(change, reply.read(Updated, _data(reply)).item_status)

    def _offer(self, changes: Sequence[Change]) -> list[Result]:
        """Of rows that a partly refused call does not name nothing is promised, so they are looked up."""
        try:
            self._send_offers(changes)
        except RowsRefused as error:
            if len(changes) == 1:
                raise
            return [self._of_row(change, error) for change in changes]
        except Refused:
            if len(changes) == 1:
                raise
            return [result for change in changes for result in self._alone(change)]
        return [_result(change, Outcome.ACKNOWLEDGED) for change in changes]

    def _alone(self, change: Change) -> list[Result]:
        try:
            return self._offer([change])
        except ConnectorError as error:
            return [self._judged(change, error)]

    def _of_row(self, change: Change, error: RowsRefused) -> Result:
        item, sku = _ids(change)
        said = [error.rows[name] for name in (change.key, item, sku) if name in error.rows]
        return self._judged(change, said[0] if said else Unanswered(error.code, error.words))

    def _send_offers(self, changes: Sequence[Change]) -> None:
        rows = []
        for change in changes:
            item, sku = _ids(change)
            values = _offered(change.listing, change.facets)
            rows.append({"ItemId": item, "SkuId": sku, **{name.capitalize(): v for name, v in values.items()}})
        payload = _product({"Skus": {"Sku": rows}})
        self._post("offers", "/product/price_quantity/update", payload, repeatable=True)

    def _deactivate(self, change: Change) -> Result:
        """What is not online is as hidden as can be, unless it only waits for its check and goes online after it."""
        item, sku = _ids(change)
        body = _product({"ItemId": int(item), "Skus": {"SkuId": [int(sku)]}})
        try:
            params = {"apiRequestBody": body}
            self._session.call("deactivate", "POST", "/rest/product/deactivate", params=params, repeatable=True)
        except Conflict as error:
            if error.code == NOT_ONLINE and self._is_pending(change):
                until = self._session.clock.now() + CHECKED_FOR
                return replace(_result(change, Outcome.DEFERRED, BEING_CHECKED), until=until)
            if error.code != NOT_ONLINE and error.code not in GONE:
                raise
        return _result(change, Outcome.ACKNOWLEDGED)

    def _is_pending(self, change: Change) -> bool:
        found = self.fetch([change.key])
        return any(r.remote_id == change.remote_id and r.status == "pending" for r in found)

    def _ready(self, content: Facets) -> None:
        """Whether the live tree and its mandatory attributes are those of our table. Raises Refused."""
        category = content["category_id"]
        if not self._leaves:
            reply = self._session.call("tree", "GET", "/rest/category/tree/get", params={"language_code": "vi_VN"})
            tree = reply.read(list[Branch], _data(reply))
            self._leaves = dict(leaf for branch in tree for leaf in branch.leaves())
        if category not in self._leaves or fold(self._leaves[category]) != fold(NAMES.get(category, "")):
            raise unready(category)
        if category not in self._mandatory:
            asked = {"primary_category_id": category, "language_code": "vi_VN"}
            reply = self._session.call("attributes", "GET", "/rest/category/attributes/get", params=asked)
            found = reply.read(list[Attribute], _data(reply))
            self._mandatory[category] = [a.name for a in found if str(a.is_mandatory) == "1"]
        sent = {*attributes(content), *package(content), "SellerSku", "price", "quantity", "brand_id"}
        if lacks := [name for name in self._mandatory[category] if name not in sent]:
            raise lacking(lacks)

    def _url(self, sha: str) -> str:
        media = self._session.media
        url = media.remote_id(sha)
        if url is None:
            data = media.read(sha)
            kind = "jpeg" if data.startswith(JPEG) else "png"
            files = {"image": (f"{sha}.{kind}", data, f"image/{kind}")}
            reply = self._session.call("image", "POST", "/rest/image/upload", files=files, repeatable=True)
            url = reply.read(Uploaded, _data(reply)).image.url
            media.remember(sha, url)
        self._shown[url] = sha
        media.remember(_digest(url), sha)  # Lazada names pictures by URL alone: so a later run knows whose it is
        return url

    # Reading

    def _pages(self, filters: dict[str, str]) -> Iterator[list[Remote]]:
        """Ends only where the marketplace's own total is reached: a short read must not look like a small shop."""
        seen: set[str] = set()
        size, total = PAGE, 1
        while len(seen) < total:
            offset = str(len(seen))
            reply, size = self._read({"filter": "all", "offset": offset, **filters}, size)
            page = reply.read(Found, reply.data.get("data") or {})
            ids = [str(product.get("item_id")) for product in page.products]
            total = int(page.total_products)
            if total > OFFSET_MOST:
                raise Unanswered("too-many-items", str(total))  # no way beyond that offset is documented well enough
            if seen.intersection(ids) or len(set(ids)) < len(ids):
                raise Unanswered("page-repeated", offset)
            if not ids and len(seen) < total:
                raise Unanswered("page-missing", offset)
            seen.update(ids)
            yield [r for product in page.products for r in remotes_of(reply, product, self._whose)]

    def _read(self, asked: dict[str, str], size: int) -> tuple[Reply, int]:
        """One page; of half as many where so many take too long, which is documented of items with many variants."""
        path, params = "/rest/products/get", asked | {"limit": str(size)}
        try:
            return self._session.call("products", "GET", path, params=params, repeatable=False), size
        except Unanswered as error:
            if error.code == TIMED_OUT and size > 1:
                return self._read(asked, size // 2)
            return self._session.call("products", "GET", path, params=params), size

    def _whose(self, url: str) -> str:
        """The picture that was uploaded under this URL; for a foreign one the URL itself."""
        return self._shown.get(url) or self._session.media.remote_id(_digest(url)) or url

    def _get(self, operation: str, path: str, params: dict[str, str], kind: type[T]) -> T:
        reply = self._session.call(operation, "GET", f"/rest{path}", params=params)
        return reply.read(kind, _data(reply))

    def _post(self, operation: str, path: str, payload: str, *, repeatable: bool = False) -> Reply:
        form, kind = urlencode({"payload": payload}).encode(), {"Content-Type": FORM}
        return self._session.call(operation, "POST", f"/rest{path}", content=form, headers=kind, repeatable=repeatable)


def _data(reply: Reply) -> Any:
    return reply.data.get("data")


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _product(product: dict[str, Any]) -> str:
    return _text({"Request": {"Product": product}})


def _digest(url: str) -> str:
    return sha256(url.encode()).hexdigest()


def _offered(listing: Facets, facets: Iterable[str]) -> dict[str, str]:
    """Numbers as text: the documents ask for that."""
    values = [listing[facet] for facet in OFFERED if facet in facets]
    return {name: str(value) for facet in values for name, value in facet.items()}


def _ids(change: Change) -> tuple[str, str]:
    found = IDS.fullmatch(change.remote_id)
    if found is None:
        raise Conflict("no-item-id")
    return found[1], found[2]


def _result(change: Change, outcome: Outcome, error: ConnectorError | None = None) -> Result:
    problem: Problem | None = problem_of(error) if error else None
    return Result(key=change.key, outcome=outcome, remote_id=change.remote_id, problem=problem)


def _standing(change: Change, status: str) -> Result:
    if status.lower() == PENDING:
        return replace(_result(change, Outcome.ACCEPTED), handle=change.remote_id)
    return _result(change, Outcome.ACKNOWLEDGED)


def _verdict(result: Result, remote: Remote | None) -> Result:
    """What became of an item that was checked."""
    if remote is None:
        return replace(result, outcome=Outcome.UNKNOWN)
    if remote.status == "rejected":
        return replace(result, outcome=Outcome.REJECTED, problem=problem_of(rejected_by_check(remote.words)))
    if remote.status == "pending":
        return result
    return replace(result, outcome=Outcome.ACKNOWLEDGED, remote_id=remote.remote_id)

"""Calls of one account: one item per SKU, found by seller SKU before it is created, named by item and SKU id after."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from typing import Any, TypeVar

from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Refused, Unanswered
from connectors.iop import as_text, form
from connectors.lazada.categories import CATEGORIES
from connectors.lazada.errors import MEANINGS, NOT_ONLINE, TIMED_OUT, RowsRefused
from connectors.lazada.mapping import attributes, package
from connectors.lazada.products import (
    PENDING,
    Attribute,
    Branch,
    Found,
    Made,
    Migrated,
    Shop,
    Updated,
    Uploaded,
    remotes_of,
)
from connectors.live_tree import LiveTree
from connectors.paging import Page, counted, looked_up
from connectors.pictures import HostedPictures
from connectors.results import accepted, judged, one_by_one, part_by_part, result_of
from connectors.standing import at_least, reviewed, sole
from connectors.transport import Reply, Session
from models.change import Change, Kind
from models.listing import FACETS, Facets, Remote, differing
from models.outcome import Outcome, Result
from models.value import replace

PAGE, OFFSET_MOST = 50, 10_000
MIGRATE_SECONDS, MIGRATE_LOOKS = 1.0, 10  # documented: at least half a second
OFFERED, REVIEWED = ("price", "stock"), ("content", "images")
GONE = {"E0002", "E0003"}
IDS = re.compile(r"([0-9]+)_([0-9]+)")

T = TypeVar("T")


class LazadaClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._pictures = HostedPictures(session.media, self._upload)
        leaves = cache(self._read_leaves)
        self._tree = LiveTree(CATEGORIES, MEANINGS, lambda ours: leaves(), self._read_mandatory)

    def check(self) -> Seller:
        shop = self._get("seller", "/seller/get", {}, Shop)
        return Seller(id=str(shop.seller_id), name=shop.name)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        """Every change by itself, except prices and stocks, which share a call."""
        creates = [c.key for c in changes if c.kind is Kind.CREATE]
        there = self.fetch(creates) if creates else []
        offers = [c for c in changes if c.kind is Kind.UPDATE and set(OFFERED).issuperset(c.facets)]
        parts = [[c] for c in changes if c not in offers] + ([offers] if offers else [])
        return part_by_part(parts, lambda p: self._offer(p) if p is offers else [self._do(p[0], there)], self._judged)

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        found = {remote.remote_id: remote for remote in self.fetch([result.key for result in pending])}
        return [_verdict(result, found.get(result.handle or result.remote_id)) for result in pending]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        """Two items of one SKU are two answers: nothing there forbids them."""
        return looked_up(keys, PAGE, lambda part: self._pages({"sku_seller_list": as_text(part)}))

    def everything(self) -> Iterator[list[Remote]]:
        return self._pages({})

    def remove(self, remote_ids: Sequence[str]) -> None:
        """For good; at most 50. The engine only delists: this is for an operator's hand."""
        named = as_text([f"SkuId_{remote_id}" for remote_id in remote_ids])
        self._session.call("remove", "POST", "/rest/product/remove", params={"sku_id_list": named})

    def migrate(self, url: str) -> str:
        """A public picture, fetched by Lazada: one URL a batch, as answers do not say whose they are."""
        payload = f"<Request><Images><Url>{escape(url, quote=False)}</Url></Images></Request>"
        batch = self._post("migrate", "/images/migrate", payload, repeatable=True).text("batch_id")
        for _ in range(MIGRATE_LOOKS):
            self._session.clock.sleep(MIGRATE_SECONDS)
            done = self._get("migrate", "/image/response/get", {"batch_id": batch}, Migrated)
            if done.errors:
                raise Refused("migrate", str(done.errors[0].get("msg", "")), field="images")
            if len(done.images) == 1:
                return done.images[0].url
        raise Unanswered("migrate")

    # Writing

    def _judged(self, change: Change, error: ConnectorError) -> Result:
        if isinstance(error, RowsRefused):  # a row tells the cause more sharply than the call
            error = next(iter(error.rows.values()))
        return judged(change, error, self._session.clock.now())

    def _do(self, change: Change, there: Sequence[Remote]) -> Result:
        if change.kind in (Kind.DELIST, Kind.CLOSE):
            return self._deactivate(change)
        if change.kind is not Kind.CREATE:
            return self._revise(change, change.facets, show=change.kind is Kind.RELIST)
        mine = [remote for remote in there if remote.key == change.key]
        known = sole([remote for remote in mine if change.remote_id in ("", remote.remote_id)], "several-items")
        return self._adopt(change, known) if known else self._create(change)

    def _create(self, change: Change) -> Result:
        content = change.listing["content"]
        self._ready(content)
        row = {"SellerSku": change.key, **_offered(change.listing, FACETS), **package(content)}
        product = {
            "PrimaryCategory": content["category_id"],
            "Images": {"Image": [self._pictures.url(sha) for sha in change.listing["images"]]},
            "disableAutoFillAttribute": True,
            "Attributes": attributes(content),
            "Skus": {"Sku": [row]},
        }
        made = self._post("create", "/product/create", _product(product)).held(Made)
        if [sku.seller_sku for sku in made.sku_list] != [change.key]:
            raise Unanswered("other-product")
        created = replace(change, remote_id=f"{made.item_id}_{made.sku_list[0].sku_id}")
        return _standing(created, made.item_status)

    def _adopt(self, change: Change, remote: Remote) -> Result:
        """Goes on from what is already there under our SKU, whoever made it."""
        known = replace(change, remote_id=remote.remote_id)
        due = differing(remote.facets, change.listing)
        if due or remote.status == "hidden":
            return self._revise(known, due, show=remote.status == "hidden")
        return _verdict(accepted(known), remote)

    def _revise(self, change: Change, facets: Iterable[str], *, show: bool) -> Result:
        """Price and stock by their own call, which needs no check, and first: what is shown again has its new price."""
        offered = tuple(f for f in OFFERED if f in facets)
        texts = tuple(f for f in REVIEWED if f in facets)
        if offered:
            self._send_offers([replace(change, facets=offered)])
        if not (texts or show):
            return result_of(change, Outcome.ACKNOWLEDGED)
        return at_least(change, offered, lambda: self._update(change, texts))

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
            product["Images"] = {"Image": [self._pictures.url(sha) for sha in change.listing["images"]]}
        product["disableAutoFillAttribute"] = True
        reply = self._post("update", "/product/update", _product(product), repeatable=True)
        return _standing(change, reply.held(Updated).item_status)

    def _offer(self, changes: Sequence[Change]) -> list[Result]:
        """Of rows that a partly refused call does not name nothing is promised, so they are looked up."""
        try:
            self._send_offers(changes)
        except Refused as error:
            if len(changes) == 1:
                raise
            if isinstance(error, RowsRefused):
                return [self._of_row(change, error) for change in changes]
            return one_by_one(changes, lambda change: self._offer([change])[0], self._judged)
        return [result_of(change, Outcome.ACKNOWLEDGED) for change in changes]

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
                raise MEANINGS["being-checked"].error(NOT_ONLINE) from None
            if error.code not in {NOT_ONLINE, *GONE}:
                raise
        return result_of(change, Outcome.ACKNOWLEDGED)

    def _is_pending(self, change: Change) -> bool:
        found = self.fetch([change.key])
        return any(r.remote_id == change.remote_id and r.status == "pending" for r in found)

    def _ready(self, content: Facets) -> None:
        """Whether the live tree and its mandatory attributes are those of our table. Raises Refused."""
        sent = {*attributes(content), *package(content), "SellerSku", "price", "quantity", "brand_id"}
        self._tree.check(content["category_id"], lambda mandatory: [name for name in mandatory if name not in sent])

    def _read_leaves(self) -> dict[str, str]:
        tree = self._get("tree", "/category/tree/get", {"language_code": "vi_VN"}, list[Branch])
        return dict(leaf for branch in tree for leaf in branch.leaves())

    def _read_mandatory(self, category: int | str) -> list[str]:
        asked = {"primary_category_id": str(category), "language_code": "vi_VN"}
        found = self._get("attributes", "/category/attributes/get", asked, list[Attribute])
        return [a.name for a in found if str(a.is_mandatory) == "1"]

    def _upload(self, name: str, data: bytes, kind: str) -> str:
        files = {"image": (name, data, kind)}
        reply = self._session.call("image", "POST", "/rest/image/upload", files=files, repeatable=True)
        return reply.held(Uploaded).image.url

    # Reading

    def _pages(self, filters: dict[str, str]) -> Iterator[list[Remote]]:
        size = PAGE

        def read(number: int, came: int) -> Page[Remote]:
            nonlocal size
            reply, size = self._read({"filter": "all", "offset": str(came), **filters}, size)
            return self._page(reply)

        return counted(read)

    def _page(self, reply: Reply) -> Page[Remote]:
        found = reply.read(Found, reply.data.get("data") or {})
        total = int(found.total_products)
        if total > OFFSET_MOST:
            raise Unanswered("too-many-items", str(total))  # no way beyond that offset is documented well enough
        return Page(
            ids=[str(product.get("item_id")) for product in found.products],
            rows=[r for product in found.products for r in remotes_of(reply, product, self._pictures.whose)],
            total=total,
        )

    def _read(self, asked: dict[str, str], size: int) -> tuple[Reply, int]:
        """One page; of half as many where so many take too long, which is documented of items with many variants."""
        path, params = "/rest/products/get", asked | {"limit": str(size)}
        try:
            return self._session.call("products", "GET", path, params=params, repeatable=False), size
        except Unanswered as error:
            if error.code == TIMED_OUT and size > 1:
                return self._read(asked, size // 2)
            return self._session.call("products", "GET", path, params=params), size

    def _get(self, operation: str, path: str, params: dict[str, str], kind: type[T]) -> T:
        return self._session.call(operation, "GET", f"/rest{path}", params=params).held(kind)

    def _post(self, operation: str, path: str, payload: str, *, repeatable: bool = False) -> Reply:
        return self._session.call(operation, "POST", f"/rest{path}", **form(payload=payload), repeatable=repeatable)


def _product(product: dict[str, Any]) -> str:
    return as_text({"Request": {"Product": product}})


def _offered(listing: Facets, facets: Iterable[str]) -> dict[str, str]:
    """Numbers as text: the documents ask for that."""
    values = [listing[facet] for facet in OFFERED if facet in facets]
    return {name: str(value) for facet in values for name, value in facet.items()}


def _ids(change: Change) -> tuple[str, str]:
    found = IDS.fullmatch(change.remote_id)
    if found is None:
        raise Conflict("no-item-id")
    return found[1], found[2]


def _standing(change: Change, status: str) -> Result:
    return accepted(change) if status.lower() == PENDING else result_of(change, Outcome.ACKNOWLEDGED)


def _verdict(result: Result, remote: Remote | None) -> Result:
    """A hidden item is as it should be once its check is over: a revision leaves it hidden, or shows it by itself."""
    verdict = MEANINGS["rejected"]
    return reviewed(result, remote, lambda words: verdict.error("qc-rejected", words), hidden=Outcome.ACKNOWLEDGED)

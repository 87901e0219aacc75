"""Calls of one account: one listing per SKU, found by model number before it is created, named by product id after."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from connectors.alibaba.categories import CATEGORIES
from connectors.alibaba.errors import GONE, MEANINGS, SomeRefused, not_published
from connectors.alibaba.products import (
    Attribute,
    Branch,
    Found,
    Hosted,
    Made,
    Product,
    Schema,
    Verdict,
    full,
    inside,
    is_true,
    remote_of,
)
from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Unanswered, problem_of
from connectors.iop import as_text, form
from connectors.live_tree import LiveTree
from connectors.paging import Page, counted
from connectors.pictures import HostedPictures
from connectors.results import accepted, judged, part_by_part, result_of
from connectors.standing import at_least, reviewed, sole
from connectors.transport import Reply, Session
from models.change import Change, Kind
from models.listing import FACETS, Facets, Remote, differing
from models.outcome import Outcome, Result
from models.value import replace

PAGE = 20
REVIEWED = {"content", "images"}
ID = re.compile(r"[0-9]{1,19}")
OFFLINE, ONLINE = "offline", "online"


class AlibabaClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._pictures = HostedPictures(session.media, self._upload)
        leaves = cache(self._read_leaves)
        self._tree = LiveTree(CATEGORIES, MEANINGS, lambda ours: leaves(ours.parent), self._read_schema)

    def check(self) -> Seller:
        """That the tokens may read; whose they are no call says, so the credentials' own word counts."""
        next(self._pages({}, size=1), None)
        account: str = self._session.credentials.account_id
        return Seller(id=account, name=account)

    def push(self, changes: Sequence[Change]) -> list[Result]:
        """Every change by itself, except what is taken down, which shares a call."""
        down = [change for change in changes if change.kind in (Kind.DELIST, Kind.CLOSE)]
        parts = [[change] for change in changes if change not in down] + ([down] if down else [])
        return part_by_part(parts, lambda p: self._take_down(p) if p is down else [self._do(p[0])], self._judged)

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        return [self._verdict(result) for result in pending]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        """Several listings may bear one model number: nothing there forbids it."""
        searches = {key: self._pages({"model_number": key}) for key in keys}
        return [r for key, pages in searches.items() for page in pages for r in page if r.key == key]

    def everything(self) -> Iterator[list[Remote]]:
        return self._pages({})

    # Writing

    def _judged(self, change: Change, error: ConnectorError) -> Result:
        result = judged(change, error, self._session.clock.now())
        if result.outcome is Outcome.REJECTED and error.field == "images":  # the photo bank may have lost one
            self._pictures.forget(change.listing.get("images", ()))
        return result

    def _do(self, change: Change) -> Result:
        """An id that is known counts more than a search, which lags; a create may take over what bears our SKU."""
        there = self._read(change.remote_id) if ID.fullmatch(change.remote_id) else None
        if there is None and change.kind is not Kind.CREATE:
            raise Conflict("gone", change.remote_id)
        known = there or sole(self.fetch([change.key]), "several-listings")
        return self._bring(change, known) if known else self._create(change)

    def _create(self, change: Change) -> Result:
        """A product id says that it was taken, not that it is published."""
        reply = self._publish("listing", change)
        made = reply.read(Made, {"data": inside(reply, "data")})
        return accepted(replace(change, remote_id=str(made.data)))

    def _bring(self, change: Change, remote: Remote) -> Result:
        """Sends what differs from what is there, and no more: each text that is written begins a review."""
        if "variants" in remote.facets["content"]:
            raise MEANINGS["several-variants"].error("several-variants", remote.remote_id)
        facets = change.facets if change.kind is Kind.UPDATE else FACETS
        known = replace(change, remote_id=remote.remote_id, listing=_mixed(change, remote, facets))
        again = remote.status == "rejected" or remote.key != change.key
        due = list(facets) if again else differing(remote.facets, change.listing, facets)
        result = self._update(known) if REVIEWED.intersection(due) else self._edit(known, due)
        hidden = remote.status == "hidden" and change.kind is not Kind.UPDATE
        if hidden and (errors := self._switch([known.remote_id], ONLINE)):
            raise errors[known.remote_id]
        reviewed = change.kind is not Kind.UPDATE or REVIEWED.intersection(change.facets)
        return accepted(known) if reviewed and remote.status == "pending" else result

    def _update(self, change: Change) -> Result:
        """The whole listing: whether what is left out keeps its value is told in two ways."""
        self._publish("update", change, product_id=int(change.remote_id))
        return accepted(change)

    def _publish(self, action: str, change: Change, **named: int) -> Reply:
        self._ready(change.listing["content"])
        asked = {"product_info": as_text(self._product(change, named))}
        return self._write(action, f"/alibaba/icbu/product/{action}/v2", asked, repeatable=False)

    def _edit(self, change: Change, facets: Sequence[str]) -> Result:
        """Price, then stock, each by its own call; what was taken counts even where the other is not."""
        asked, listing = {"product_id": change.remote_id}, change.listing
        if "price" in facets:
            self._write("price", "/icbu/product/edit-price", asked | {"price": as_text(_price(listing["price"]))})
        if "stock" not in facets:
            return result_of(change, Outcome.ACKNOWLEDGED)
        taken = [facet for facet in facets if facet == "price"]
        return at_least(change, taken, lambda: self._restock(change, asked))

    def _restock(self, change: Change, asked: dict[str, str]) -> Result:
        inventory = str(change.listing["stock"]["inventory"])
        self._write("stock", "/icbu/product/edit-inventory", asked | {"inventory": inventory})
        return result_of(change, Outcome.ACKNOWLEDGED)

    def _take_down(self, changes: Sequence[Change]) -> list[Result]:
        named = [change.remote_id for change in changes if ID.fullmatch(change.remote_id)]
        errors = self._switch(named, OFFLINE) if named else {}
        return [self._taken_down(change, errors.get(change.remote_id)) for change in changes]

    def _taken_down(self, change: Change, error: ConnectorError | None) -> Result:
        """What is refused because of its state may be down already, or be gone."""
        if not ID.fullmatch(change.remote_id):
            error = Conflict("no-product-id")
        elif isinstance(error, Conflict):
            remote = self._read(change.remote_id)
            error = None if remote is None or remote.status in ("hidden", "rejected") else error
        return self._judged(change, error) if error else result_of(change, Outcome.ACKNOWLEDGED)

    def _switch(self, ids: list[str], action: str) -> dict[str, ConnectorError]:
        """Why each product was not switched; one that the answer does not name is in doubt."""
        asked = {"product_id_list": as_text([int(one) for one in ids]), "action": action}
        try:
            reply = self._call("status", "/alibaba/icbu/product/batch/update/status", asked)
            done, errors = {str(one) for one in reply.read(list, inside(reply, "updated_product_ids"))}, {}
        except SomeRefused as refused:
            done, errors = refused.done, refused.refused
            for error in errors.values():
                self._session.heard("status", error)
        return {one: errors.get(one) or Unanswered("not-named") for one in ids if one in errors or one not in done}

    def _product(self, change: Change, named: dict[str, int]) -> dict[str, Any]:
        """A listing in the fields of Product V2; prices are numbers there."""
        content, facets = change.listing["content"], change.listing
        template = self._session.credentials.shipping_template_id
        attributes = content["attributes"].items()
        return {
            "basic_info": {
                **named,
                **{name: content[name] for name in ("title", "keywords", "description")},
                "language": "en_US",
                "model_number": change.key,
                "product_image": [{"image_url": self._pictures.url(sha)} for sha in facets["images"]],
            },
            "category_info": {
                "category_id": content["category_id"],
                "attributes": [{"attribute_name": name, "attribute_value": value} for name, value in attributes],
            },
            "trade_info": {
                "moq": content["moq"],
                "unit": content["unit"],
                "price": _price(facets["price"]),
                "inventory": facets["stock"]["inventory"],
            },
            "logistics_info": {
                **({"shipping_template_id": template} if template else {}),
                "weight": content["weight"],
                "dimension": content["dimension"],
            },
        }

    def _ready(self, content: Facets) -> None:
        """Whether the live tree and its attributes are those of our table. Raises Refused."""
        sent = content["attributes"]

        def wrong(schema: list[Attribute]) -> list[str]:
            return [one.attribute_name for one in schema if not one.takes(sent.get(one.attribute_name))]

        self._tree.check(content["category_id"], wrong)

    def _read_leaves(self, parent: int) -> dict[str, str]:
        reply = self._call("tree", "/alibaba/icbu/category/get/v2", {"parent_category_id": str(parent)})
        found = reply.read(list[Branch], inside(reply, "data"))
        return {str(b.category_id): b.category_name for b in found if is_true(b.leaf_category)}

    def _read_schema(self, number: int | str) -> list[Attribute]:
        reply = self._call("schema", "/alibaba/icbu/category/attribute/get/v2", {"category_id": str(number)})
        return reply.read(Schema, inside(reply, "data")).category_attributes

    def _upload(self, name: str, data: bytes, kind: str) -> str:
        path, files = "/rest/alibaba/icbu/photobank/upload", {"image_bytes": (name, data, kind)}
        params = {"file_name": name}
        reply = self._session.call("image", "POST", path, files=files, params=params, repeatable=True)
        return full(_succeeded(reply).read(Hosted, inside(reply, "response_object")).photobank_url)

    # Reading

    def _verdict(self, result: Result) -> Result:
        """The outcome first, which alone has reasons; it knows only what came through this door, so the listing too."""
        number = result.handle or result.remote_id
        reply = self._found("outcome", "/alibaba/icbu/product/status/get/v2", {"product_id": number})
        said = _succeeded(reply).read(Verdict, inside(reply, "data")) if reply else None
        if said and said.status in ("failed", "draft"):
            refused = not_published(said.status_desc or "")
            self._session.heard("outcome", refused)
            return replace(result, outcome=Outcome.REJECTED, problem=problem_of(refused))
        if said and said.status != ONLINE:
            return result
        return reviewed(result, self._read(number), not_published)

    def _read(self, number: str) -> Remote | None:
        reply = self._found("product", "/alibaba/icbu/product/get/v2", {"product_id": number})
        if reply is None:
            return None
        found = remote_of(reply, reply.read(Product, inside(reply, "product_info")), self._pictures.whose)
        if found is not None and found.remote_id != number:
            raise reply.other_shape("another product", found.remote_id)
        return found

    def _pages(self, filters: dict[str, str], size: int = PAGE) -> Iterator[list[Remote]]:
        return counted(lambda number, came: self._page({"page_size": str(size), **filters}, number))

    def _page(self, asked: dict[str, str], number: int) -> Page[Remote]:
        reply = self._found("search", "/alibaba/icbu/product/search/v2", {"page_index": str(number), **asked})
        if reply is None:
            return Page(ids=(), rows=[], total=0)
        found = reply.read(Found, {name: inside(reply, name) for name in ("product_info", "page")})
        remotes = (remote_of(reply, product, self._pictures.whose) for product in found.product_info)
        return Page(
            ids=[str(product.basic_info.product_id) for product in found.product_info],
            rows=[remote for remote in remotes if remote is not None],
            total=int(found.page.total_item),
            number=int(found.page.page_index),
        )

    def _found(self, operation: str, path: str, asked: dict[str, str]) -> Reply | None:
        """None where there is none, which is told as an error."""
        try:
            return self._call(operation, path, asked)
        except Conflict as error:
            if error.code not in GONE or isinstance(error, SomeRefused):
                raise
            return None

    def _write(self, operation: str, path: str, fields: dict[str, str], *, repeatable: bool = True) -> Reply:
        return _succeeded(self._call(operation, path, fields, repeatable=repeatable))

    def _call(self, operation: str, path: str, fields: dict[str, str], *, repeatable: bool = True) -> Reply:
        """Everything is a form: a listing is longer than an address may be."""
        return self._session.call(operation, "POST", f"/rest{path}", **form(**fields), repeatable=repeatable)


def _succeeded(reply: Reply) -> Reply:
    """Raises where an answer without an error does not say either that it was a success."""
    if not is_true(inside(reply, "success")):
        raise reply.other_shape("success", reply.data)
    return reply


def _mixed(change: Change, remote: Remote, facets: Sequence[str]) -> Facets:
    """An update is sent whole, so what it is not about stays as somebody may have set it there."""
    there = {f: value for f, value in remote.facets.items() if f not in facets}
    if not there.get("price", {}).get("tiered_price"):
        there.pop("price", None)  # of another kind, whose figures are not kept
    return {**change.listing, **there}


def _price(value: Facets) -> Facets:
    tiers = [{"quantity": least, "price": float(each)} for least, each in value["tiered_price"]]
    return {**value, "tiered_price": tiers}

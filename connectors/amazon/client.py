"""Calls of one seller on one marketplace: acceptance is no success, only a listing that reads as it was sent is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from connectors.addresses import Addresses
from connectors.amazon.attributes import Tongue
from connectors.amazon.auth import Credentials
from connectors.amazon.definitions import Definitions
from connectors.amazon.errors import ERROR, TOO_LARGE, Issue, Resting, ours, refused_for
from connectors.amazon.feeds import OVER, Feed, Feeds, Report, message
from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, Refused, Unanswered, problem_of
from connectors.paging import Page, looked_up, pages, whole
from connectors.results import accepted, before_writing, judged, one_by_one, result_of
from connectors.transport import Reply, Session
from models.change import Change, Kind
from models.listing import FACETS, Facets, Listing, Problem, Remote, Status, facet_hash
from models.outcome import Outcome, Result
from models.value import replace

ITEMS = "listings/2021-08-01/items"
PAGE, LAST = 20, 1_000  # no search pages beyond that many results
FEED_FROM = 200  # changes that are worth a feed: singly they take forty seconds, a feed takes minutes
READ = "summaries,attributes,issues"
HIDES, FEED = "hide", "feed "
HIDING = (Kind.DELIST, Kind.CLOSE)

Body = dict[str, Any]


class _Submission(msgspec.Struct, frozen=True, rename="camel"):
    sku: str
    status: Literal["ACCEPTED", "INVALID", "VALID"]
    submission_id: str
    issues: list[Issue] = []


class _Summary(msgspec.Struct, frozen=True, rename="camel"):
    marketplace_id: str
    product_type: str
    status: list[str]
    created_date: str
    last_updated_date: str


class _Item(msgspec.Struct, frozen=True):
    sku: str
    summaries: list[_Summary] = []
    attributes: dict[str, Any] = {}
    issues: list[Issue] = []

    @property
    def key(self) -> str:
        return self.sku

    @property
    def errors(self) -> list[Issue]:
        return [issue for issue in self.issues if issue.severity == ERROR]


class _Found(msgspec.Struct, frozen=True, rename="camel"):
    number_of_results: int
    items: list[_Item]
    pagination: dict[str, str] = {}


class AmazonClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Credentials = session.credentials
        self._here = self._known.sold_in
        self._items_of_seller = f"{ITEMS}/{self._known.seller_id}"
        self._tongue = Tongue(marketplace=self._here, pictures=Addresses("", self._known.picture))
        self._definitions, self._feeds = Definitions(session), Feeds(session)

    def check(self) -> Seller:
        """A seller has no name here; one who is not ours is refused."""
        self._search({"pageSize": "1", "includedData": "summaries"})
        known = self._known
        return Seller(id=f"{known.seller_id}/{known.marketplace}", name=f"{known.seller_id} ({known.marketplace})")

    def push(self, changes: Sequence[Change]) -> list[Result]:
        with before_writing():
            bodies, settled = self._bodies(changes)
        ready = [change for change in changes if change.key in bodies]
        if len(ready) >= FEED_FROM:
            return settled + self._fed(ready, bodies)
        return settled + one_by_one(ready, lambda change: self._submit(change, bodies[change.key]), self._judged)

    def preview(self, listing: Listing) -> Problem | None:
        change = Change(key=listing.key, kind=Kind.CREATE, facets=FACETS, listing=listing.facets, token="")
        try:
            reply = self._write(listing.key, self._body(change), mode="VALIDATION_PREVIEW")
        except Refused as error:
            return problem_of(error)
        answer = reply.read(_Submission)
        if answer.status == "ACCEPTED":
            raise reply.other_shape("a preview", reply.data)
        return None if answer.status == "VALID" else problem_of(refused_for(answer.issues))

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        by_feed: dict[str, list[Result]] = {"": []}
        for result in pending:
            feed = result.handle.split(" ")[1] if result.handle.startswith(FEED) else ""
            by_feed.setdefault(feed, []).append(result)
        single = by_feed.pop("")
        there = {item.sku: item for item in self._items([result.key for result in single])}
        results = [self._verdict(result, there.get(result.key)) for result in single]
        return results + [r for feed, those in by_feed.items() for r in self._poll_feed(feed, those)]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        return [self._remote(item) for item in self._items(keys)]

    def everything(self) -> Iterator[list[Remote]]:
        """Oldest first, so that nothing moves while it is read. A search pages no further than its first thousand, so
        the next one begins where it ended."""
        seen: set[str] = set()
        since = ""
        while True:
            begun, came, total = since, 0, 0
            asked = {"sortBy": "createdDate", "sortOrder": "ASC"} | ({"createdAfter": since} if since else {})
            for page in self._pages(asked):
                came, total = came + len(page.rows), page.total
                since = max([since, *(s.created_date for item in page.rows for s in item.summaries)])
                yield [self._remote(item) for item in page.rows if item.sku not in seen]
                seen.update(page.ids)
            if came >= total:
                return
            if since == begun:
                raise Unanswered("too-many-at-once", since)  # more of one second than can be paged

    # Writing

    def _bodies(self, changes: Sequence[Change]) -> tuple[dict[str, Body], list[Result]]:
        """What can be sent, by key, and what is settled without."""
        bodies: dict[str, Body] = {}
        settled: list[Result] = []
        there = {item.sku: item for item in self._items([c.key for c in changes if c.kind in HIDING])}
        for change in changes:
            if change.kind in HIDING and change.key not in there:
                settled.append(result_of(change, Outcome.ACKNOWLEDGED))
                continue
            try:
                bodies[change.key] = self._body(change, there.get(change.key))
            except Refused as error:
                settled.append(self._judged(change, error))
        return bodies, settled

    def _body(self, change: Change, there: _Item | None = None) -> Body:
        """Of a call, or of a message in a feed."""
        if there is not None:
            summary = self._summary(there)
            patches = self._tongue.withdrawal(there.attributes, self._session.clock.now())
            return {"productType": summary.product_type if summary else "PRODUCT", "patches": patches}
        listing, facets, creates = change.listing, _facets(change), change.kind is Kind.CREATE
        if listing["price"]["currency"] != self._here.currency:
            raise ours("wrong-currency", self._here.currency)
        product_type = listing["content"]["product_type"]
        attributes = self._tongue.attributes(listing, facets)
        self._definitions.check(product_type, attributes, whole=creates)
        if creates:
            return {"productType": product_type, "requirements": "LISTING", "attributes": attributes}
        return {"productType": product_type, "patches": self._tongue.patches(attributes, facets)}

    def _submit(self, change: Change, body: Body) -> Result:
        reply = self._write(change.key, body)
        answer = reply.read(_Submission)
        if answer.sku != change.key:
            raise Unanswered("other-sku", answer.sku)
        if answer.status == "VALID":
            raise reply.other_shape("a submission", reply.data)
        if answer.status == "INVALID":
            raise self._heard(answer.issues)
        return _taken(change, _proof(change))

    def _write(self, key: str, body: Body, **more: str) -> Reply:
        """By SKU, so that sent twice it is still one listing."""
        method = "PATCH" if "patches" in body else "PUT"
        asked = self._asked(includedData="issues", **more)
        return self._session.call(method.lower(), method, self._path(key), json=body, params=asked, repeatable=True)

    def _heard(self, issues: Sequence[Issue]) -> ConnectorError:
        """Why a listing was not taken, inside an answer that is a success."""
        error = refused_for(issues)
        self._session.heard("issues", error)
        return error

    def _judged(self, change: Change, error: ConnectorError) -> Result:
        """An update of what is not there is looked up: deleted there, it must not come back by itself."""
        if isinstance(error, Resting) and change.kind is not Kind.CREATE:
            return result_of(change, Outcome.UNKNOWN, error)
        return judged(change, error, self._session.clock.now())

    # Feeds

    def _fed(self, ready: Sequence[Change], bodies: dict[str, Body]) -> list[Result]:
        try:
            feed = self._feeds.send(message(n, change.key, bodies[change.key]) for n, change in enumerate(ready, 1))
        except ConnectorError as error:
            if error.code == TOO_LARGE and len(ready) > 1:
                half = len(ready) // 2
                return self._fed(ready[:half], bodies) + self._fed(ready[half:], bodies)
            return [self._judged(change, error) for change in ready]
        return [_taken(change, f"{FEED}{feed} {n} {_proof(change)}") for n, change in enumerate(ready, 1)]

    def _poll_feed(self, feed_id: str, pending: Sequence[Result]) -> list[Result]:
        try:
            feed = self._feeds.look(feed_id)
        except Conflict:  # forgotten there after ninety days: what is shown decides
            return [_to_be_shown(result) for result in pending]
        if feed.processing_status not in OVER:
            return list(pending)
        if feed.processing_status == "CANCELLED":  # only ever before it was begun
            return [result_of(result, Outcome.DEFERRED) for result in pending]
        report = self._feeds.report(feed)
        return [self._reported(result, feed, report) for result in pending]

    def _reported(self, result: Result, feed: Feed, report: Report) -> Result:
        """A report says what was refused; what was taken must still be seen."""
        own, whole = report.errors(int(result.handle.split(" ")[2]))
        if own or (whole and report.summary.messages_accepted == 0):
            return judged(result, self._heard(own or whole), self._session.clock.now())
        if whole or feed.processing_status == "FATAL":
            doubt = Unanswered("feed", "; ".join(issue.message for issue in whole))
            return result_of(result, Outcome.UNKNOWN, doubt)
        return _to_be_shown(result)

    # Reading

    def _verdict(self, result: Result, there: _Item | None) -> Result:
        remote = self._remote(there) if there else None
        if result.handle == HIDES:
            return result if remote and remote.status != "hidden" else _done(result, remote)
        if there is None or remote is None or not _shows(remote, result.handle):
            return result  # it may take hours; after a day the engine looks it up
        if remote.status == "rejected":
            return judged(result, self._heard(there.issues), self._session.clock.now())
        if remote.status == "hidden":  # by somebody's hand: the look-up knows whether this change was to show it
            return replace(result, outcome=Outcome.UNKNOWN)
        return _done(result, remote) if remote.status == "live" else result

    def _items(self, keys: Sequence[str]) -> list[_Item]:
        """Twenty in one search; a comma would part a SKU in two there, so such a one is asked for alone."""
        wanted = list(dict.fromkeys(keys))
        listed, alone = [key for key in wanted if "," not in key], [key for key in wanted if "," in key]
        return looked_up(listed, PAGE, self._named) + [item for key in alone for item in self._one(key)]

    def _named(self, skus: Sequence[str]) -> Iterator[list[_Item]]:
        return (page.rows for page in self._pages({"identifiers": ",".join(skus), "identifiersType": "SKU"}))

    def _one(self, key: str) -> list[_Item]:
        asked = self._asked(includedData=READ)
        try:
            return [self._session.call("get", "GET", self._path(key), params=asked).read(_Item)]
        except Conflict:
            return []

    def _pages(self, asked: dict[str, str]) -> Iterator[Page[_Item]]:
        return whole(pages(lambda token: self._page(asked, token)), LAST)

    def _page(self, asked: dict[str, str], token: str) -> tuple[Page[_Item], str | None]:
        page = {"pageSize": str(PAGE), "includedData": READ} | ({"pageToken": token} if token else {})
        found = self._search(asked | page)
        skus = [item.sku for item in found.items]
        shown = Page(ids=skus, rows=found.items, total=found.number_of_results)
        return shown, found.pagination.get("nextToken") or None

    def _search(self, asked: dict[str, str]) -> _Found:
        return self._session.call("search", "GET", self._items_of_seller, params=self._asked(**asked)).read(_Found)

    def _asked(self, **more: str) -> dict[str, str]:
        return {"marketplaceIds": self._here.id, "issueLocale": self._here.language, **more}

    def _path(self, key: str) -> str:
        return f"{self._items_of_seller}/{quote(key, safe='')}"

    def _summary(self, item: _Item) -> _Summary | None:
        """None where it is so new that the catalogue does not have it yet."""
        return next((summary for summary in item.summaries if summary.marketplace_id == self._here.id), None)

    def _remote(self, item: _Item) -> Remote:
        summary = self._summary(item)
        facets = self._tongue.facets(item.attributes, summary.product_type if summary else "")
        return Remote(
            key=item.sku,
            remote_id=item.sku,  # the ASIN is Amazon's own, and may become another
            status=self._status(item, summary, facets),
            revision=summary.last_updated_date if summary else "",
            facets=facets,
            words="; ".join(issue.message for issue in item.errors),
        )

    def _status(self, item: _Item, summary: _Summary | None, facets: Facets) -> Status:
        """What is sold out cannot be bought and is not hidden for all that."""
        if summary is None:
            return "pending"
        if self._tongue.ended(item.attributes, self._session.clock.now()):
            return "hidden"
        if item.errors:
            return "rejected"
        return "live" if "BUYABLE" in summary.status or facets["stock"]["quantity"] == 0 else "pending"


def _taken(change: Change, handle: str) -> Result:
    return accepted(replace(change, remote_id=change.key), handle)


def _done(result: Result, remote: Remote | None) -> Result:
    return replace(result_of(result, Outcome.ACKNOWLEDGED), revision=remote.revision if remote else "")


def _to_be_shown(result: Result) -> Result:
    """The feed is over: from here on the listing itself is asked."""
    return replace(result, handle=result.handle.split(" ")[3])


def _facets(change: Change) -> Sequence[str]:
    """What is sent of it; a relist needs a new offer, because the old one has ended."""
    offered = ("price", "stock") if change.kind is Kind.RELIST else ()
    return FACETS if change.kind is Kind.CREATE else [f for f in FACETS if f in (*change.facets, *offered)]


def _proof(change: Change) -> str:
    """What a later read must show, short enough to be kept."""
    return HIDES if change.kind in HIDING else _hashed(change.listing, _facets(change))


def _hashed(facets: Facets, names: Sequence[str]) -> str:
    return f"{','.join(names)}:{facet_hash({name: facets[name] for name in names})}"


def _shows(remote: Remote, proof: str) -> bool:
    """After a crash the handle may say nothing of the facets: then the status alone decides."""
    facets, colon, _ = proof.partition(":")
    names = facets.split(",")
    return not colon or not set(names) <= set(FACETS) or _hashed(remote.facets, names) == proof

"""Calls of one seller on one marketplace: acceptance is no success, only a listing that reads as it was sent is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from connectors.amazon.attributes import Tongue
from connectors.amazon.auth import Credentials
from connectors.amazon.definitions import Definitions
from connectors.amazon.errors import ERROR, TOO_LARGE, Issue, Resting, ours, refused_for
from connectors.amazon.feeds import BYTES, DONE, OVER, Feeds, Report, halves, message
from connectors.contract import Seller
from connectors.errors import Conflict, ConnectorError, NotSent, Refused, Throttled, Unanswered, problem_of
from connectors.transport import Reply, Session
from models.change import Change, Kind
from models.listing import FACETS, Facets, Problem, Remote, facet_hash
from models.outcome import Outcome, Result
from models.value import replace

ITEMS = "listings/2021-08-01/items"
PAGE, LAST = 20, 1_000  # no search pages beyond that many results
FEED_FROM = 200  # changes that are worth a feed: singly they take forty seconds, a feed takes minutes
FEED_AGAIN = timedelta(minutes=2)  # until another feed may be made
READ = "summaries,attributes,issues"
HIDES, FEED = "hide", "feed"
HIDING = (Kind.DELIST, Kind.CLOSE)


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


class _Pagination(msgspec.Struct, frozen=True, rename="camel"):
    next_token: str = ""


class _Found(msgspec.Struct, frozen=True, rename="camel"):
    number_of_results: int
    items: list[_Item]
    pagination: _Pagination = _Pagination()


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One change as it goes out; `proof` is what a later read must show."""

    change: Change
    body: dict[str, Any]
    proof: str


class AmazonClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Credentials = session.credentials
        self._here = self._known.sold_in
        self._tongue = Tongue(marketplace=self._here, picture=self._known.picture)
        self._definitions, self._feeds = Definitions(session), Feeds(session)

    def check(self) -> Seller:
        """A seller has no name here; one who is not ours is refused."""
        self._search({"pageSize": "1", "includedData": "summaries"})
        known = self._known
        return Seller(id=f"{known.seller_id}/{known.marketplace}", name=f"{known.seller_id} ({known.marketplace})")

    def push(self, changes: Sequence[Change]) -> list[Result]:
        ready, results = self._ready(changes)
        return results + (self._fed(ready) if len(ready) >= FEED_FROM else self._singly(ready))

    def preview(self, change: Change) -> Problem | None:
        """What Amazon would say of a new listing; nothing is kept there. The engine never asks: this is for a person.

        Raises where it says neither yes nor no.
        """
        submission = self._submission(change, None)
        reply = self._write(submission, {"mode": "VALIDATION_PREVIEW"})
        answer = reply.read(_Submission)
        if answer.status == "ACCEPTED":
            raise reply.other_shape("a preview", reply.data)
        return None if answer.status == "VALID" else problem_of(refused_for(answer.issues))

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        fed: dict[str, list[Result]] = {}
        for result in pending:
            if result.handle.startswith(FEED):
                fed.setdefault(result.handle.split(" ")[1], []).append(result)
        rest = [result for result in pending if not result.handle.startswith(FEED)]
        there = {item.sku: item for item in self._items([result.key for result in rest])}
        results = [self._verdict(result, there.get(result.key)) for result in rest]
        return results + [r for feed, those in fed.items() for r in self._poll_feed(feed, those)]

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        return [self._remote(item) for item in self._items(keys)]

    def everything(self) -> Iterator[list[Remote]]:
        """Oldest first, so that nothing moves while it is read. A search pages no further than its first thousand, so
        the next one begins where it ended."""
        seen: set[str] = set()
        since = ""
        while True:
            begun, came, total = since, 0, 0
            for found in self._pages(_from(since)):
                came, total = came + len(found.items), found.number_of_results
                since = max([since, *(s.created_date for item in found.items for s in item.summaries)])
                yield [self._remote(item) for item in found.items if item.sku not in seen]
                seen.update(item.sku for item in found.items)
            if came >= total:
                return
            if since == begun:
                raise Unanswered("too-many-at-once", since)  # more of one second than can be paged

    # Writing

    def _ready(self, changes: Sequence[Change]) -> tuple[list[Submission], list[Result]]:
        """What can be sent, and what is settled without. Nothing was sent yet, whatever goes wrong here."""
        try:
            there = {item.sku: item for item in self._items([c.key for c in changes if c.kind in HIDING])}
            ready, results = [], []
            for change in changes:
                if change.kind in HIDING and change.key not in there:
                    results.append(_result(change.key, Outcome.ACKNOWLEDGED))
                    continue
                try:
                    ready.append(self._submission(change, there.get(change.key)))
                except Refused as error:
                    results.append(_result(change.key, Outcome.REJECTED, error))
        except Unanswered as error:
            raise NotSent(error.code, error.words) from None
        return ready, results

    def _submission(self, change: Change, there: _Item | None) -> Submission:
        if there is not None:
            product_type = next((s.product_type for s in self._summaries(there)), "PRODUCT")
            patches = self._tongue.withdrawal(there.attributes, self._session.clock.now())
            return Submission(change=change, body={"productType": product_type, "patches": patches}, proof=HIDES)
        listing, creates = change.listing, change.kind is Kind.CREATE
        if listing["price"]["currency"] != self._here.currency:
            raise ours("wrong-currency", self._here.currency)
        offered = {"price", "stock"} if change.kind is Kind.RELIST else set()
        facets = FACETS if creates else tuple(f for f in FACETS if f in {*change.facets, *offered})
        attributes = self._tongue.attributes(listing, facets)
        body: dict[str, Any] = {"productType": listing["content"]["product_type"]}
        self._definitions.check(body["productType"], attributes, whole=creates)
        if creates:
            body |= {"requirements": "LISTING", "attributes": attributes}
        else:
            body |= {"patches": self._tongue.patches(listing, facets)}
        return Submission(change=change, body=body, proof=_proof(listing, facets))

    def _singly(self, ready: Sequence[Submission]) -> list[Result]:
        """Once something was written an error speaks of its own change alone, and the rest waits."""
        results: list[Result] = []
        for number, submission in enumerate(ready):
            try:
                results.append(self._submit(submission))
            except (Refused, Conflict, Unanswered) as error:
                results.append(self._judged(submission.change, error))
            except ConnectorError as error:
                if number == 0:
                    raise
                return results + [self._judged(rest.change, error) for rest in ready[number:]]
        return results

    def _submit(self, submission: Submission) -> Result:
        reply, key = self._write(submission, {}), submission.change.key
        answer = reply.read(_Submission)
        if answer.sku != key:
            raise Unanswered("other-sku", answer.sku)
        if answer.status == "VALID":
            raise reply.other_shape("a submission", reply.data)
        if answer.status == "INVALID":
            error = refused_for(answer.issues)
            self._session.heard("issues", error)
            return self._judged(submission.change, error)
        return replace(_result(key, Outcome.ACCEPTED), handle=submission.proof)

    def _write(self, submission: Submission, more: dict[str, str]) -> Reply:
        """By SKU, so that sent twice it is still one listing."""
        method = "PATCH" if "patches" in submission.body else "PUT"
        return self._session.call(
            method.lower(),
            method,
            self._path(submission.change.key),
            json=submission.body,
            params=self._asked({"includedData": "issues", **more}),
            repeatable=True,
        )

    def _judged(self, change: Change, error: ConnectorError) -> Result:
        """An update of what is not there is looked up: deleted there, it must not come back by itself."""
        if isinstance(error, Resting) and change.kind is not Kind.CREATE:
            return _result(change.key, Outcome.UNKNOWN, error)
        if isinstance(error, Refused):
            return self._refused(change.key, error)
        doubtful = isinstance(error, Unanswered | Conflict)
        return _result(change.key, Outcome.UNKNOWN if doubtful else Outcome.DEFERRED, error)

    def _refused(self, key: str, error: ConnectorError) -> Result:
        if isinstance(error, Resting):
            return replace(
                _result(key, Outcome.DEFERRED, error),
                until=self._session.clock.now() + timedelta(seconds=error.seconds),
            )
        return _result(key, Outcome.REJECTED, error)

    # Feeds

    def _fed(self, ready: Sequence[Submission]) -> list[Result]:
        document = self._feeds.document(message(n, s.change.key, s.body) for n, s in enumerate(ready, 1))
        if len(document) > BYTES and len(ready) > 1:
            return [result for half in halves(ready) for result in self._fed(half)]
        try:
            uploaded = self._feeds.upload(document)
        except ConnectorError as error:
            if error.code == TOO_LARGE and len(ready) > 1:
                return [result for half in halves(ready) for result in self._fed(half)]
            unsent = NotSent(error.code, error.words) if isinstance(error, Unanswered | Conflict) else error
            return [self._judged(submission.change, unsent) for submission in ready]
        try:
            feed = self._feeds.begin(uploaded)
        except Throttled as error:
            until = self._session.clock.now() + FEED_AGAIN
            return [replace(_result(s.change.key, Outcome.DEFERRED, error), until=until) for s in ready]
        except ConnectorError as error:
            return [self._judged(submission.change, error) for submission in ready]
        handles = [f"{FEED} {feed} {number} {submission.proof}" for number, submission in enumerate(ready, 1)]
        accepted = [_result(submission.change.key, Outcome.ACCEPTED) for submission in ready]
        return [replace(result, handle=handle) for result, handle in zip(accepted, handles, strict=True)]

    def _poll_feed(self, feed_id: str, pending: Sequence[Result]) -> list[Result]:
        try:
            feed = self._feeds.look(feed_id)
        except Conflict:  # forgotten there after ninety days: what is shown decides
            return [_to_be_shown(result) for result in pending]
        if feed.processing_status not in OVER:
            return list(pending)
        if feed.processing_status == "CANCELLED":  # only ever before it was begun
            return [_result(result.key, Outcome.DEFERRED) for result in pending]
        finished = feed.processing_status == DONE
        if not feed.result_feed_document_id:
            doubt = Unanswered(feed.processing_status)
            return [_to_be_shown(r) if finished else _result(r.key, Outcome.UNKNOWN, doubt) for r in pending]
        report = self._feeds.report(feed)
        return [self._reported(result, report, finished=finished) for result in pending]

    def _reported(self, result: Result, report: Report, *, finished: bool) -> Result:
        """A report says what was refused; what was taken must still be seen."""
        errors = report.errors(int(result.handle.split(" ")[2]))
        own = [issue for issue in errors if issue.message_id]
        if own or (errors and report.summary.messages_accepted == 0):
            error = refused_for(own or errors)
            self._session.heard("issues", error)
            return self._refused(result.key, error)
        if errors or not finished:
            return _result(result.key, Outcome.UNKNOWN, Unanswered("feed", "; ".join(e.message for e in errors)))
        return _to_be_shown(result)

    # Reading

    def _verdict(self, result: Result, there: _Item | None) -> Result:
        remote = self._remote(there) if there else None
        if result.handle == HIDES:
            return result if remote and remote.status != "hidden" else _done(result, remote)
        if there is None or remote is None or not _shows(remote, result.handle):
            return result  # it may take hours; after a day the engine looks it up
        if remote.status == "rejected":
            error = refused_for(there.issues)
            self._session.heard("issues", error)
            return self._refused(result.key, error)
        if remote.status == "hidden":  # by somebody's hand: the look-up knows whether this change was to show it
            return replace(result, outcome=Outcome.UNKNOWN)
        return _done(result, remote) if remote.status == "live" else result

    def _items(self, keys: Sequence[str]) -> list[_Item]:
        """Twenty in one search; a comma would part a SKU in two there, so such a one is asked for alone."""
        wanted = list(dict.fromkeys(keys))
        listed = [key for key in wanted if "," not in key]
        parts = [listed[start : start + PAGE] for start in range(0, len(listed), PAGE)]
        asked = [{"identifiers": ",".join(part), "identifiersType": "SKU"} for part in parts]
        found = [item for one in asked for page in self._pages(one) for item in page.items if item.sku in wanted]
        return found + [item for key in wanted if "," in key for item in self._one(key)]

    def _one(self, key: str) -> list[_Item]:
        try:
            params = self._asked({"includedData": READ})
            return [self._session.call("get", "GET", self._path(key), params=params).read(_Item)]
        except Conflict:
            return []

    def _pages(self, asked: dict[str, str]) -> Iterator[_Found]:
        """Ends where no next page is named, which must not be before all were shown that one search can show."""
        seen: set[str] = set()
        token: dict[str, str] = {}
        tokens: set[str] = set()
        while True:
            found = self._search({"pageSize": str(PAGE), "includedData": READ, **asked, **token})
            skus = [item.sku for item in found.items]
            if seen.intersection(skus) or len(set(skus)) < len(skus):
                raise Unanswered("page-repeated", skus[0])
            seen.update(skus)
            following = found.pagination.next_token
            if not following and len(seen) < min(found.number_of_results, LAST):
                raise Unanswered("page-missing", f"{len(seen)}/{found.number_of_results}")
            yield found
            if not following:
                return
            if following in tokens:
                raise Unanswered("repeated-token")
            tokens.add(following)
            token = {"pageToken": following}

    def _search(self, asked: dict[str, str]) -> _Found:
        path = f"{ITEMS}/{self._known.seller_id}"
        return self._session.call("search", "GET", path, params=self._asked(asked)).read(_Found)

    def _asked(self, more: dict[str, str]) -> dict[str, str]:
        return {"marketplaceIds": self._here.id, "issueLocale": self._here.language, **more}

    def _path(self, key: str) -> str:
        return f"{ITEMS}/{self._known.seller_id}/{quote(key, safe='')}"

    def _summaries(self, item: _Item) -> list[_Summary]:
        return [summary for summary in item.summaries if summary.marketplace_id == self._here.id]

    def _remote(self, item: _Item) -> Remote:
        """Without a summary it is so new that the catalogue does not have it yet."""
        summary = next(iter(self._summaries(item)), None)
        facets = self._tongue.facets(item.attributes, summary.product_type if summary else "")
        return Remote(
            key=item.sku,
            remote_id=item.sku,  # the ASIN is Amazon's own, and may become another
            status=self._status(item, summary, facets),
            revision=summary.last_updated_date if summary else "",
            facets=facets,
            words="; ".join(issue.message for issue in item.issues if issue.severity == ERROR),
        )

    def _status(
        self, item: _Item, summary: _Summary | None, facets: Facets
    ) -> Literal["live", "pending", "rejected", "hidden"]:
        """What is sold out cannot be bought and is not hidden for all that."""
        if summary is None:
            return "pending"
        if self._tongue.ended(item.attributes, self._session.clock.now()):
            return "hidden"
        if any(issue.severity == ERROR for issue in item.issues):
            return "rejected"
        return "live" if "BUYABLE" in summary.status or facets["stock"]["quantity"] == 0 else "pending"


def _from(since: str) -> dict[str, str]:
    return {"sortBy": "createdDate", "sortOrder": "ASC", **({"createdAfter": since} if since else {})}


def _result(key: str, outcome: Outcome, error: ConnectorError | None = None) -> Result:
    return Result(key=key, outcome=outcome, remote_id=key, problem=problem_of(error) if error else None)


def _done(result: Result, remote: Remote | None) -> Result:
    return replace(_result(result.key, Outcome.ACKNOWLEDGED), revision=remote.revision if remote else "")


def _to_be_shown(result: Result) -> Result:
    """The feed is over: from here on the listing itself is asked."""
    return replace(_result(result.key, Outcome.ACCEPTED), handle=result.handle.split(" ")[3])


def _proof(listing: Facets, facets: Sequence[str]) -> str:
    """What a later read must show, short enough to be kept: which facets, and their hash."""
    return f"{','.join(facets)}:{facet_hash({facet: listing[facet] for facet in facets})}"


def _shows(remote: Remote, proof: str) -> bool:
    """After a crash the handle may say nothing of the facets: then the status alone decides."""
    facets, colon, _ = proof.partition(":")
    names = facets.split(",")
    return not colon or not set(names) <= set(FACETS) or _proof(remote.facets, names) == proof

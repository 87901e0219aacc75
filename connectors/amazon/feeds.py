"""Many changes in one document: uploaded, taken up later, and reported on message by message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from connectors.amazon.auth import Credentials
from connectors.amazon.errors import ERROR, TOO_LARGE, Issue, ours
from connectors.errors import ConnectorError, Throttled, Unanswered
from connectors.results import before_writing
from connectors.transport import Session

PATH, KIND, VERSION = "feeds/2021-06-30", "JSON_LISTINGS_FEED", "2.0"
CONTENT_TYPE = "application/json; charset=UTF-8"
BYTES = 10 * 1024 * 1024
SKEW = timedelta(seconds=60)  # between their clock and ours
OVER = ("DONE", "FATAL", "CANCELLED")


class Feed(msgspec.Struct, frozen=True, rename="camel"):
    feed_id: str
    processing_status: Literal["IN_QUEUE", "IN_PROGRESS", "DONE", "FATAL", "CANCELLED"]
    result_feed_document_id: str = ""


class _Feeds(msgspec.Struct, frozen=True):
    feeds: list[Feed]


class _Summary(msgspec.Struct, frozen=True, rename="camel"):
    messages_accepted: int


class Report(msgspec.Struct, frozen=True):
    issues: list[Issue]
    summary: _Summary

    def errors(self, message_id: int) -> tuple[list[Issue], list[Issue]]:
        """What kept one message from being taken; and what speaks of the whole feed, as it bears no number."""
        errors = [issue for issue in self.issues if issue.severity == ERROR]
        return [e for e in errors if e.message_id == message_id], [e for e in errors if not e.message_id]


class Feeds:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Credentials = session.credentials
        self._mine: set[str] = set()

    def send(self, messages: Iterable[dict[str, Any]]) -> str:
        """The new feed's id. Until a feed names a document nothing has happened."""
        header = {"sellerId": self._known.seller_id, "version": VERSION, "issueLocale": self._known.sold_in.language}
        document = msgspec.json.encode({"header": header, "messages": list(messages)})
        if len(document) > BYTES:
            raise ours(TOO_LARGE)
        with before_writing():
            uploaded = self._uploaded(document)
        feed = self._begun(uploaded)
        self._mine.add(feed)
        return feed

    def _uploaded(self, document: bytes) -> str:
        kind, headers = {"contentType": CONTENT_TYPE}, {"Content-Type": CONTENT_TYPE}
        made = self._session.call("document", "POST", f"{PATH}/documents", json=kind, repeatable=True)
        document_id, url = made.text("feedDocumentId"), made.text("url")
        self._session.call("upload", "PUT", url, content=document, headers=headers, repeatable=True)
        return document_id

    def _begun(self, document_id: str) -> str:
        since = self._session.clock.now() - SKEW
        body = {
            "feedType": KIND,
            "marketplaceIds": [self._known.sold_in.id],  # one, though the model would allow 25
            "inputFeedDocumentId": document_id,
        }
        try:
            return self._session.call("feed", "POST", f"{PATH}/feeds", json=body).text("feedId")
        except Throttled as error:
            raise ours("feed-too-soon", error.code) from None
        except Unanswered as doubt:
            return self._only_new(since, doubt)

    def _only_new(self, since: datetime, doubt: Unanswered) -> str:
        """The feed whose answer was lost: a second one would cost two minutes."""
        asked = {"feedTypes": KIND, "createdSince": f"{since:%Y-%m-%dT%H:%M:%SZ}", "pageSize": "100"}
        try:
            found = self._session.call("feeds", "GET", f"{PATH}/feeds", params=asked).read(_Feeds).feeds
        except ConnectorError:
            raise doubt from None
        new = [feed.feed_id for feed in found if feed.feed_id not in self._mine]
        if len(new) != 1:
            raise doubt
        return new[0]

    def look(self, feed_id: str) -> Feed:
        reply = self._session.call("feed_status", "GET", f"{PATH}/feeds/{feed_id}")
        feed = reply.read(Feed)
        if feed.feed_id != feed_id:
            raise reply.other_shape("the feed asked for", reply.data)
        return feed

    def report(self, feed: Feed) -> Report:
        """An empty one where there is none. It may be packed: then its address says so in a header, as we asked."""
        if not feed.result_feed_document_id:
            return Report(issues=[], summary=_Summary(messages_accepted=0))
        path = f"{PATH}/documents/{feed.result_feed_document_id}"
        asked = {"enableContentEncodingUrlHeader": "true"}
        address = self._session.call("result", "GET", path, params=asked).text("url")
        reply = self._session.call("download", "GET", address)
        if reply.text("header", "feedId") != feed.feed_id:
            raise reply.other_shape("the report of this feed", reply.data)
        return reply.read(Report)


def message(number: int, sku: str, body: dict[str, Any]) -> dict[str, Any]:
    """A call's body as a message of a feed: PUT is UPDATE there."""
    return {"messageId": number, "sku": sku, "operationType": "PATCH" if "patches" in body else "UPDATE", **body}

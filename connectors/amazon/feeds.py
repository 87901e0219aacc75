"""Many changes in one document: uploaded, taken up later, and reported on message by message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec

from connectors.amazon.auth import Credentials
from connectors.amazon.errors import ERROR, Issue
from connectors.errors import Unanswered
from connectors.transport import Reply, Session

PATH, KIND, VERSION = "feeds/2021-06-30", "JSON_LISTINGS_FEED", "2.0"
CONTENT_TYPE = "application/json; charset=UTF-8"
BYTES = 10 * 1024 * 1024
SKEW = timedelta(seconds=60)  # between their clock and ours
DONE, OVER = "DONE", ("DONE", "FATAL", "CANCELLED")


class _Upload(msgspec.Struct, frozen=True, rename="camel"):
    feed_document_id: str
    url: str
    compression_algorithm: str = ""


class _Made(msgspec.Struct, frozen=True, rename="camel"):
    feed_id: str


class Feed(msgspec.Struct, frozen=True, rename="camel"):
    feed_id: str
    processing_status: Literal["IN_QUEUE", "IN_PROGRESS", "DONE", "FATAL", "CANCELLED"]
    result_feed_document_id: str = ""


class _Feeds(msgspec.Struct, frozen=True):
    feeds: list[Feed]


class _Header(msgspec.Struct, frozen=True, rename="camel"):
    feed_id: str


class _Summary(msgspec.Struct, frozen=True, rename="camel"):
    messages_processed: int
    messages_accepted: int


class Report(msgspec.Struct, frozen=True):
    header: _Header
    issues: list[Issue]
    summary: _Summary

    def errors(self, message_id: int) -> list[Issue]:
        """What kept one message from being taken; an issue without a number speaks of the whole feed."""
        return [issue for issue in self.issues if issue.severity == ERROR and issue.message_id in (0, message_id)]


class Feeds:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Credentials = session.credentials
        self._mine: set[str] = set()

    def document(self, messages: Iterable[dict[str, Any]]) -> bytes:
        header = {"sellerId": self._known.seller_id, "version": VERSION, "issueLocale": self._known.sold_in.language}
        return msgspec.json.encode({"header": header, "messages": list(messages)})

    def upload(self, document: bytes) -> str:
        """Until a feed names it nothing has happened."""
        kind = {"contentType": CONTENT_TYPE}
        reply = self._session.call("document", "POST", f"{PATH}/documents", json=kind, repeatable=True)
        made = reply.read(_Upload)
        headers = {"Content-Type": CONTENT_TYPE}
        self._session.call("upload", "PUT", made.url, content=document, headers=headers, repeatable=True)
        return made.feed_document_id

    def begin(self, document_id: str) -> str:
        """Where the answer is lost the feed is looked for: a second one would cost two minutes."""
        since = self._session.clock.now() - SKEW
        body = {
            "feedType": KIND,
            "marketplaceIds": [self._known.sold_in.id],  # one, though the model would allow 25
            "inputFeedDocumentId": document_id,
        }
        try:
            feed = self._session.call("feed", "POST", f"{PATH}/feeds", json=body).read(_Made).feed_id
        except Unanswered as error:
            asked = {"feedTypes": KIND, "createdSince": f"{since:%Y-%m-%dT%H:%M:%SZ}", "pageSize": "100"}
            found = self._session.call("feeds", "GET", f"{PATH}/feeds", params=asked).read(_Feeds).feeds
            new = [feed.feed_id for feed in found if feed.feed_id not in self._mine]
            if len(new) != 1:
                raise error from None
            feed = new[0]
        self._mine.add(feed)
        return feed

    def look(self, feed_id: str) -> Feed:
        reply = self._session.call("feed_status", "GET", f"{PATH}/feeds/{feed_id}")
        feed = reply.read(Feed)
        if feed.feed_id != feed_id:
            raise reply.other_shape("the feed asked for", reply.data)
        return feed

    def report(self, feed: Feed) -> Report:
        """It may be packed: then its address says so in a header, because we asked for that."""
        asked = {"enableContentEncodingUrlHeader": "true"}
        path = f"{PATH}/documents/{feed.result_feed_document_id}"
        made = self._session.call("result", "GET", path, params=asked).read(_Upload)
        reply: Reply = self._session.call("download", "GET", made.url)
        report = reply.read(Report)
        if report.header.feed_id != feed.feed_id:
            raise reply.other_shape("the report of this feed", reply.data)
        return report


def message(number: int, sku: str, body: dict[str, Any]) -> dict[str, Any]:
    """A call's body as a message of a feed: PUT is UPDATE there."""
    return {"messageId": number, "sku": sku, "operationType": "PATCH" if "patches" in body else "UPDATE", **body}


def halves(changes: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    return changes[: len(changes) // 2], changes[len(changes) // 2 :]

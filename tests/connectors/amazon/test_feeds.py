"""Many changes at once: one document, uploaded under a signed address, reported on message by message."""

from __future__ import annotations

import json

import httpx
import pytest

from connectors.amazon import client, feeds
from connectors.errors import ConnectorError
from models.listing import FACETS
from models.outcome import Outcome
from tests.connectors.amazon.shop import MODELS, create, delist, english, image, listing, update

FEEDS = "feeds/2021-06-30"
RESTRICTED = "Cures everything."


@pytest.fixture(autouse=True)
def _small_feeds(monkeypatch):
    """Three changes are many here."""
    monkeypatch.setattr(client, "FEED_FROM", 3)


def some(count=3, **changes):
    return [listing(sku=f"CM-{n}", **changes) for n in range(count)]


def done_feed(shop, *changes):
    results = shop.client.push(changes)
    shop.clock.sleep(8)
    return shop.client.poll(results)


def report_of(shop, **changes):
    """Answers with this report instead of the one that lies there."""
    made = {
        "header": {"sellerId": "A1CAMAUSELLER", "version": "2.0", "feedId": "50071"},
        "issues": [],
        "summary": {"errors": 0, "warnings": 0, "messagesProcessed": 3, "messagesAccepted": 3, "messagesInvalid": 0},
    }
    is_report = lambda request: request.method == "GET" and "/documents/amzn1" in request.url.path  # noqa: E731
    answer = httpx.Response(200, json={**made, **changes})
    shop.wire.before = lambda r: answer if is_report(r) and FEEDS not in r.url.path else None


def feed_status(shop, status, **more):
    feed = {"feedId": "50071", "feedType": "JSON_LISTINGS_FEED", "createdTime": "2026-11-23T01:30:00Z"}
    answer = httpx.Response(200, json={**feed, "processingStatus": status, **more})
    shop.wire.before = lambda r: answer if r.method == "GET" and "/feeds/50071" in r.url.path else None


def test_a_feed_makes_what_single_calls_would(shop):
    made = some()

    done = shop.settle(*map(create, made))

    assert {r.outcome for r in done.values()} == {Outcome.ACKNOWLEDGED}
    assert {r.key: r.facets for r in shop.client.fetch([one.key for one in made])} == {o.key: o.facets for o in made}
    assert (shop.wire.count("PUT", "/listings"), shop.wire.count("POST", f"{FEEDS}/feeds")) == (0, 1)


def test_fewer_changes_go_one_by_one(shop):
    shop.client.push([create(one) for one in some(2)])

    assert (shop.wire.count("PUT", "/listings"), shop.wire.count("POST", f"{FEEDS}/feeds")) == (2, 0)


def test_the_document_is_one_that_the_schema_allows(shop):
    made = some()
    shop.live(*made)
    shop.client.push([create(listing(sku="CM-NEW")), update(made[0], "stock"), delist(made[1])])

    (upload,) = [call for call in shop.wire.calls if call.method == "PUT"]
    document = json.loads(upload.request.content)
    MODELS.check_feed(document)
    assert [one["operationType"] for one in document["messages"]] == ["UPDATE", "PATCH", "PATCH"]


def test_the_upload_bears_the_announced_type_and_no_token(shop):
    shop.client.push([create(one) for one in some()])

    (upload,) = [call for call in shop.wire.calls if call.method == "PUT"]
    assert upload.request.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert "x-amz-access-token" not in upload.request.headers


def test_updates_and_delists_settle_by_feed_too(shop):
    made = some()
    shop.live(*made)
    new = listing(sku="CM-0", stock=3)

    done = shop.settle(update(new, "stock"), delist(made[1]), update(listing(sku="CM-2", stock=0), "stock"))

    assert {r.outcome for r in done.values()} == {Outcome.ACKNOWLEDGED}
    assert {r.key: r.status for r in shop.client.fetch(["CM-0", "CM-1", "CM-2"])} == {
        "CM-0": "live", "CM-1": "hidden", "CM-2": "live"
    }  # fmt: skip


def test_a_feed_is_under_way_until_it_is_over(shop):
    sent = shop.client.push([create(one) for one in some()])
    early = shop.client.poll(sent)
    shop.clock.sleep(5)
    halfway = shop.client.poll(early)
    shop.clock.sleep(5)
    over = shop.client.poll(halfway)

    assert {r.outcome for r in (*sent, *early, *halfway, *over)} == {Outcome.ACCEPTED}
    assert {r.handle.split(" ")[0] for r in halfway} == {"feed"}
    assert not any(r.handle.startswith("feed") for r in over), "from here on the listings are asked"


def test_a_part_refused_is_told_by_its_own_message(shop):
    made = some()
    changes = [create(made[0]), update(listing(sku="CM-NONE"), "stock"), create(made[2])]

    results = {r.key: r for r in done_feed(shop, *changes)}

    assert results["CM-NONE"].outcome is Outcome.DEFERRED
    assert results["CM-NONE"].problem.code == "13013"
    assert {results[k].outcome for k in ("CM-0", "CM-2")} == {Outcome.ACCEPTED}


@pytest.mark.parametrize(
    ("issues", "accepted", "outcomes"),
    [
        ([], 3, "AAA"),
        ([{"messageId": 2, "severity": "ERROR", "message": "no", "code": "90220", "attributeName": "brand"}], 2, "ARA"),
        ([{"messageId": 2, "severity": "WARNING", "message": "hm"}], 3, "AAA"),
        ([{"messageId": 9, "severity": "ERROR", "message": "no"}], 3, "AAA"),
        ([{"severity": "ERROR", "message": "beyond allowed size"}], 0, "RRR"),
        ([{"severity": "ERROR", "message": "partly"}], 1, "UUU"),
        ([{"severity": "WARNING", "message": "hm"}], 3, "AAA"),
        ([{"messageId": 1, "severity": "ERROR", "message": "no", "code": "13013"}], 2, "DAA"),
    ],
)
def test_a_report_is_read_issue_by_issue(shop, issues, accepted, outcomes):
    results = shop.client.push([create(one) for one in some()])
    shop.clock.sleep(8)
    summary = {"errors": 1, "warnings": 0, "messagesProcessed": 3, "messagesAccepted": accepted, "messagesInvalid": 0}
    report_of(shop, issues=issues, summary=summary)

    polled = {r.key: r.outcome for r in shop.client.poll(results)}

    letters = {"A": Outcome.ACCEPTED, "R": Outcome.REJECTED, "U": Outcome.UNKNOWN, "D": Outcome.DEFERRED}
    assert [polled[f"CM-{n}"] for n in range(3)] == [letters[letter] for letter in outcomes]


@pytest.mark.parametrize(
    "changes",
    [{"header": {"feedId": "1"}}, {"header": {}}, {"summary": {}}, {"issues": None}, {"issues": [{"code": "1"}]}],
)
def test_a_report_of_another_shape_proves_nothing(shop, changes):
    results = shop.client.push([create(one) for one in some()])
    shop.clock.sleep(8)
    report_of(shop, **changes)

    with pytest.raises(ConnectorError):
        shop.client.poll(results)


def test_a_packed_report_is_unpacked_because_its_address_says_so(shop):
    done_feed(shop, *(create(one) for one in some()))

    (asked,) = [c for c in shop.wire.calls if c.method == "GET" and f"{FEEDS}/documents" in c.path]
    assert b"enableContentEncodingUrlHeader=true" in asked.request.url.query


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("IN_QUEUE", Outcome.ACCEPTED), ("IN_PROGRESS", Outcome.ACCEPTED), ("FATAL", Outcome.UNKNOWN),
     ("CANCELLED", Outcome.DEFERRED), ("DONE", Outcome.ACCEPTED)],
)  # fmt: skip
def test_every_end_of_a_feed_without_a_report_has_its_meaning(shop, status, outcome):
    results = shop.client.push([create(one) for one in some()])
    feed_status(shop, status)

    assert {r.outcome for r in shop.client.poll(results)} == {outcome}


def test_a_fatal_feed_with_a_report_leaves_the_rest_in_doubt(shop):
    results = shop.client.push([create(one) for one in some()])
    shop.clock.sleep(8)
    document = shop.client._feeds.look("50071").result_feed_document_id
    feed_status(shop, "FATAL", resultFeedDocumentId=document)

    assert {r.outcome for r in shop.client.poll(results)} == {Outcome.UNKNOWN}


@pytest.mark.parametrize("body", [{}, {"feedId": "50071"}, {"feedId": "1", "processingStatus": "DONE"}])
def test_a_status_of_another_shape_proves_nothing(shop, body):
    results = shop.client.push([create(one) for one in some()])
    shop.wire.before = lambda r: httpx.Response(200, json=body) if "/feeds/50071" in r.url.path else None

    with pytest.raises(ConnectorError):
        shop.client.poll(results)


def test_a_feed_that_is_forgotten_there_leaves_it_to_the_listings(shop):
    results = shop.client.push([create(one) for one in some()])
    shop.clock.sleep(8)
    shop.client.fetch(["CM-0"])
    shop.sandbox.state.delete("feed", "50071")

    polled = shop.client.poll(results)
    shop.clock.sleep(5)
    late = shop.client.poll(polled)

    assert {r.outcome for r in late} == {Outcome.ACKNOWLEDGED}


def test_a_lost_answer_of_the_feed_is_found_again(shop):
    def lose(request):
        if request.method == "POST" and request.url.path.endswith("/feeds"):
            raise httpx.ReadTimeout("lost", request=request)

    shop.wire.after = lose

    results = shop.client.push([create(one) for one in some()])

    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert shop.wire.count("POST", f"{FEEDS}/feeds") == 1, "a second one would cost two minutes"


def test_a_feed_that_was_never_made_is_a_doubt(shop):
    def lose(request):
        if request.method == "POST" and request.url.path.endswith("/feeds"):
            raise httpx.ReadTimeout("lost", request=request)

    shop.wire.before = lose

    results = shop.client.push([create(one) for one in some()])

    assert {r.outcome for r in results} == {Outcome.UNKNOWN}


def test_a_look_for_a_lost_feed_that_fails_leaves_the_doubt(shop):
    """It may have been made: throttling of the look says nothing about it."""
    made, listed = [], httpx.Response(429, json={"errors": [{"code": "QuotaExceeded", "message": ""}]})

    def lose(request):
        if request.url.path.endswith("/feeds") and request.method == "POST":
            made.append(request)
            raise httpx.ReadTimeout("lost", request=request)

    shop.wire.after = lose
    shop.wire.before = lambda r: listed if r.method == "GET" and r.url.path.endswith("/feeds") else None

    results = shop.client.push([create(one) for one in some()])

    assert len(made) == 1
    assert {r.outcome for r in results} == {Outcome.UNKNOWN}


def test_an_upload_that_fails_has_changed_nothing(shop):
    def lose(request):
        if request.method == "PUT":
            raise httpx.ReadTimeout("lost", request=request)

    shop.wire.after = lose

    results = shop.client.push([create(one) for one in some()])

    assert {r.outcome for r in results} == {Outcome.DEFERRED}
    assert shop.wire.count("POST", f"{FEEDS}/feeds") == 0


def test_a_feed_too_many_waits_two_minutes(shop):
    quota = httpx.Response(429, json={"errors": [{"code": "QuotaExceeded", "message": ""}]})
    shop.wire.before = lambda r: quota if r.method == "POST" and r.url.path.endswith("/feeds") else None

    results = shop.client.push([create(one) for one in some()])

    assert {r.outcome for r in results} == {Outcome.DEFERRED}
    assert {(r.until - shop.clock.now()).total_seconds() for r in results} == {120}


def test_a_refused_feed_is_a_refusal_of_all(shop):
    body = {"errors": [{"code": "InvalidInput", "message": "Too many"}]}
    refused = httpx.Response(400, json=body)
    shop.wire.before = lambda r: refused if r.method == "POST" and r.url.path.endswith("/feeds") else None

    results = shop.client.push([create(one) for one in some()])

    assert {r.outcome for r in results} == {Outcome.REJECTED}


def test_a_document_that_is_too_large_goes_as_two(shop):
    large = httpx.Response(413, json={"errors": [{"code": "RequestTooLarge", "message": ""}]})
    first = iter([large])
    shop.wire.before = lambda r: next(first, None) if r.method == "PUT" else None

    results = shop.client.push([create(one) for one in some(4)])

    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert len({r.handle.split(" ")[1] for r in results}) == 2


def test_a_document_over_ten_mebibytes_is_halved_before_it_is_sent(shop, monkeypatch):
    monkeypatch.setattr(feeds, "BYTES", 9_000)

    results = shop.client.push([create(one) for one in some(8)])

    assert len({r.handle.split(" ")[1] for r in results}) > 1
    assert all(len(c.request.content) <= 9_000 for c in shop.wire.calls if c.method == "PUT")


def test_a_rejected_review_is_told_after_the_feed_too(shop):
    made = some(english=english(description=RESTRICTED))

    results = done_feed(shop, *map(create, made))
    shop.clock.sleep(30)

    assert {r.outcome for r in shop.client.poll(results)} == {Outcome.REJECTED}


def test_what_the_definition_forbids_stays_out_of_the_feed(shop):
    made = some(4)
    made[1].facets["content"]["attributes"]["brand"] = [{"value": "x" * 101}]

    results = {r.key: r for r in shop.client.push([create(one) for one in made])}

    assert results["CM-1"].outcome is Outcome.REJECTED
    assert {results[f"CM-{n}"].outcome for n in (0, 2, 3)} == {Outcome.ACCEPTED}


def test_pictures_change_by_feed(shop):
    made = some()
    shop.live(*made)
    new = [listing(sku=one.key, images=(image(sha256="d" * 64),)) for one in made]

    done = shop.settle(*(update(one, "images") for one in new))

    assert {r.outcome for r in done.values()} == {Outcome.ACKNOWLEDGED}
    assert all(r.facets == one.facets for r, one in zip(shop.client.fetch([o.key for o in new]), new, strict=True))
    assert set(new[0].facets) == set(FACETS)

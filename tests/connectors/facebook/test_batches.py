"""Batches: accepted, polled, and believed item by item; every trap of the documents."""

from urllib.parse import parse_qs

import msgspec
import pytest

from connectors.errors import OtherShape, Throttled, Unanswered
from models.change import Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome, Result


def requests_of(request):
    return msgspec.json.decode(parse_qs(request.content.decode())["requests"][0])


def finished(**more):
    return {"data": [{"handle": "H", "status": "finished", **more}]}


def accepted(*keys, handle="H"):
    return [Result(key=key, outcome=Outcome.ACCEPTED, handle=handle) for key in keys]


def test_a_handle_is_no_success_and_what_was_saved_is_read_back(shop, star):
    change = shop.change(Kind.CREATE, certificate=star(), list_price=None)

    pushed = shop.client.push([change])
    early = shop.client.poll(pushed)
    shop.clock.sleep(1)
    (polled,) = shop.client.poll(pushed)

    assert early == pushed
    assert (pushed[0].outcome, polled.outcome) == (Outcome.ACCEPTED, Outcome.ACKNOWLEDGED)
    (remote,) = shop.client.fetch(["TOM-500"])
    assert {f: facet_hash(remote.facets[f]) for f in FACETS} == {f: facet_hash(change.listing[f]) for f in FACETS}


def test_the_price_is_sent_as_a_text_with_its_currency_and_never_times_a_hundred(shop):
    shop.settle(shop.change(Kind.CREATE))

    (sent,) = requests_of(shop.wire.sent[0])

    assert sent["data"]["price"] == "620000 VND"
    assert "retailer_id" not in sent["data"]
    assert shop.shown()["TOM-500"]["price"] == 620_000


def test_a_discount_is_sent_as_sale_price_and_taken_away_again(shop, item):
    before = item().price
    shop.settle(shop.change(Kind.CREATE, list_price=before.__class__(amount=before.amount + 30_000)))
    assert shop.shown()["TOM-500"]["payload"]["sale_price"] == "620000 VND"

    shop.settle(shop.change(Kind.UPDATE, facets=["price"]))

    assert "sale_price" not in shop.shown()["TOM-500"]["payload"]
    assert shop.client.fetch(["TOM-500"])[0].facets["price"] == {"price": 620_000, "sale_price": None}


def test_an_update_carries_only_its_facets(shop):
    shop.settle(shop.change(Kind.CREATE))

    shop.settle(shop.change(Kind.UPDATE, facets=["stock"], stock=0))

    (sent,) = requests_of(next(r for r in reversed(shop.wire.sent) if r.method == "POST"))
    assert sent["data"] == {"id": "TOM-500", "inventory": 0, "availability": "out of stock"}


def test_an_update_of_what_was_deleted_there_makes_nothing_and_is_looked_up(shop):
    results = shop.settle(shop.change(Kind.UPDATE, facets=FACETS))

    assert results["TOM-500"].outcome is Outcome.UNKNOWN
    assert shop.shown() == {}


def test_hiding_and_showing_again(shop):
    shop.settle(shop.change(Kind.CREATE))

    assert shop.settle(shop.change(Kind.DELIST))["TOM-500"].outcome is Outcome.ACKNOWLEDGED
    hidden = shop.client.fetch(["TOM-500"])[0].status
    shop.settle(shop.change(Kind.RELIST))

    (remote,) = shop.client.fetch(["TOM-500"])
    assert (hidden, remote.status) == ("hidden", "live")
    assert remote.facets["stock"] == {"inventory": 40, "availability": "in stock"}


def test_hiding_what_is_not_there_is_done(shop):
    assert shop.settle(shop.change(Kind.DELIST))["TOM-500"].outcome is Outcome.ACKNOWLEDGED


def test_M04_bad_items_are_rejected_alone_also_beyond_the_sample(shop):
    good, *bad = [shop.change(Kind.CREATE, f"SP-{n:02}") for n in range(13)]
    for change in bad:
        change.listing["price"]["price"] = -1

    results = shop.settle(good, *bad)

    assert results["SP-00"].outcome is Outcome.ACKNOWLEDGED
    outcomes = [results[change.key].outcome for change in bad]
    assert outcomes.count(Outcome.REJECTED) == 10  # what the sample tells
    assert outcomes.count(Outcome.UNKNOWN) == 2  # refused without a reason: looked up
    assert results["SP-01"].problem.field == "price"


def test_an_item_refused_in_the_answer_itself_does_not_stop_the_others(shop):
    bad = shop.change(Kind.CREATE, "BAD")
    bad.listing["content"]["retailer_id"] = "BAD"

    results = shop.settle(shop.change(Kind.CREATE, "GOOD"), bad)

    assert (results["GOOD"].outcome, results["BAD"].outcome) == (Outcome.ACKNOWLEDGED, Outcome.REJECTED)


def test_without_a_handle_nothing_was_taken(shop):
    shop.instead(200, {"handles": [], "validation_status": [{"retailer_id": "A", "errors": [{"message": "title"}]}]})

    results = {
        r.key: r.outcome for r in shop.client.push([shop.change(Kind.CREATE, "A"), shop.change(Kind.CREATE, "B")])
    }

    assert results == {"A": Outcome.REJECTED, "B": Outcome.DEFERRED}


def test_warnings_are_no_errors(shop):
    warned = {"retailer_id": "A", "errors": [], "warnings": [{"message": "no dates"}]}
    shop.instead(200, {"handles": ["H"], "validation_status": [warned]})

    assert [r.outcome for r in shop.client.push([shop.change(Kind.CREATE, "A")])] == [Outcome.ACCEPTED]


@pytest.mark.parametrize("status", ["canceled", "error"])
def test_a_batch_that_ended_badly_is_looked_up(shop, status):
    shop.instead(200, {"data": [{"handle": "H", "status": status}]})

    assert [r.outcome for r in shop.client.poll(accepted("A", "B"))] == [Outcome.UNKNOWN] * 2


def test_errors_that_nobody_names_leave_all_in_doubt(shop):
    shop.instead(200, finished(errors_total_count=1))

    assert [r.outcome for r in shop.client.poll(accepted("A", "B"))] == [Outcome.UNKNOWN] * 2


def test_a_handle_that_is_no_longer_known_is_looked_up(shop):
    results = shop.settle(shop.change(Kind.CREATE))
    old = accepted("TOM-500", handle="nobody's")

    assert results["TOM-500"].outcome is Outcome.ACKNOWLEDGED
    assert shop.client.poll(old)[0].outcome is Outcome.UNKNOWN


def test_an_unknown_status_is_an_answer_of_another_shape(shop):
    shop.instead(200, {"data": [{"handle": "H", "status": "paused"}]})

    with pytest.raises(OtherShape):
        shop.client.poll(accepted("A"))
    assert [oddity.kind for oddity in shop.session.oddities.take()] == ["shape"]


def test_a_batch_that_is_too_much_goes_again_as_two(shop):
    words = "Please reduce the amount of data you're asking for, then retry your request"
    shop.instead(400, {"error": {"message": words, "code": 1}})

    results = shop.settle(*[shop.change(Kind.CREATE, key) for key in "ABC"])

    assert {r.outcome for r in results.values()} == {Outcome.ACKNOWLEDGED}
    sizes = [len(requests_of(r)) for r in shop.wire.sent if r.method == "POST"]
    assert sizes == [3, 1, 2]


def test_five_thousand_items_are_taken_and_one_more_refuses_the_call(shop):
    items = [{"method": "DELETE", "data": {"id": str(n)}} for n in range(5_001)]

    assert shop.batch(*items[:-1]).status_code == 200
    refused = shop.batch(*items)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 100)


def test_a_SKU_twice_in_a_batch_is_refused_once(shop):
    twice = [{"method": "DELETE", "data": {"id": "A"}}] * 2

    status = shop.status(shop.batch(*twice).json()["handles"][0])

    assert any("Duplicate retailer_id in batch api call" in error["message"] for error in status["errors"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"price": "620.000 VND"}, "price"),
        ({"price": "620000"}, "price"),
        ({"price": 62000000}, "price"),
        ({"availability": "IN_STOCK"}, "availability"),
        ({"title": "x" * 151}, "title"),
        ({"link": "http://cuahang.example"}, "link"),
        ({"inventory": -1}, "inventory"),
        ({"gtin": "8930000000009"}, "gtin"),
        ({"brand": ""}, "brand, gtin or mpn"),
        ({"condition": ""}, "condition"),
    ],
)
def test_the_simulator_refuses_what_the_documents_refuse(shop, changed, words):
    shop.client.push([shop.change(Kind.CREATE)])
    (sent,) = requests_of(shop.wire.sent[-1])

    status = shop.status(shop.batch({**sent, "data": {**sent["data"], "id": "NEW", **changed}}).json()["handles"][0])

    assert status["ids_of_invalid_requests"] == ["NEW"]
    assert words in status["errors"][0]["message"]


def test_without_upsert_an_unknown_item_is_not_made(shop):
    answer = shop.batch({"method": "UPDATE", "data": {"id": "A"}}, allow_upsert=False).json()

    assert "not completed" in shop.status(answer["handles"][0])["errors"][0]["message"]


def test_nine_batches_in_a_minute_are_throttled_with_400_and_waited_for(shop):
    for _ in range(8):
        assert shop.batch({"method": "DELETE", "data": {"id": "A"}}).status_code == 200
    refused = shop.batch({"method": "DELETE", "data": {"id": "A"}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 80014)
    assert "Retry-After" not in refused.headers

    begun = shop.clock.monotonic()
    results = shop.settle(shop.change(Kind.CREATE))

    assert results["TOM-500"].outcome is Outcome.ACKNOWLEDGED
    assert shop.clock.monotonic() - begun >= 60  # estimated_time_to_regain_access is in minutes


def test_a_long_wait_is_left_to_the_next_run(shop):
    entry = {"estimated_time_to_regain_access": 30}
    usage = msgspec.json.encode({"1": [{}], "2": [entry]}).decode()
    headers = {"X-Business-Use-Case-Usage": usage}
    shop.instead(400, {"error": {"message": "wait", "code": 80014}}, **headers)

    with pytest.raises(Throttled) as caught:
        shop.client.push([shop.change(Kind.CREATE)])
    assert caught.value.retry_after == 1_800


def test_a_lost_answer_is_sent_again_and_stays_one_item(shop):
    shop.instead(400, {"error": {"message": "try later", "code": 2, "is_transient": True}})

    results = shop.settle(shop.change(Kind.CREATE))

    assert results["TOM-500"].outcome is Outcome.ACKNOWLEDGED
    assert len(shop.shown()) == 1


@pytest.mark.parametrize("body", [{"success": False}, {"error": {"message": "x", "code": 2}}])
def test_a_failure_with_HTTP_200_is_none_the_less_a_failure(shop, body):
    shop.instead(200, body, times=3)

    with pytest.raises(Unanswered):
        shop.client.push([shop.change(Kind.CREATE)])

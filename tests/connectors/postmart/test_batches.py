"""Batches: accepted, processed, answered in no order, matched by key."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from connectors.errors import Refused, Throttled, Unanswered
from connectors.postmart.simulator import Simulator
from connectors.simulator import Fault
from models.change import Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome

ODD = ["a/b", "a,b", "100%", "a%2Cb", "Mật ong #1?&=", "..", "Ð+đ \"'"]


def ndjson(*items):
    return msgspec.json.Encoder().encode_lines(items)


def test_what_was_pushed_is_read_back_facet_by_facet(shop, star):
    changes = shop.create("A", "B", certificate=star())

    pushed = shop.client.push(changes)
    shop.clock.sleep(0.3)
    polled = shop.client.poll(pushed)

    assert {r.outcome for r in pushed} == {Outcome.ACCEPTED}
    assert {r.outcome for r in polled} == {Outcome.ACKNOWLEDGED}
    remotes = {r.key: r for r in shop.client.fetch(["A", "B"])}
    for change in changes:
        for facet in FACETS:
            assert facet_hash(remotes[change.key].facets[facet]) == facet_hash(change.listing[facet])
    assert {(r.remote_id, r.revision) for r in polled} == {(r.remote_id, r.revision) for r in remotes.values()}


def test_a_batch_is_not_applied_before_its_processing_is_over(shop):
    pushed = shop.client.push(shop.create("A"))

    early = shop.client.poll(pushed)
    shop.clock.sleep(0.15)
    processing = shop.raw("GET", f"batches/{pushed[0].handle}").json()

    assert early == pushed
    assert processing == {"status": "processing", "results": []}
    assert shop.client.fetch(["A"]) == []


def test_M05_results_in_another_order_find_their_keys(shop):
    keys = [f"SP-{n:02}" for n in range(50)]
    results = shop.settle([shop.change(Kind.CREATE, key, name=f"Khô cá {key}") for key in keys])

    (handle,) = {entry["path"].rpartition("/")[2] for entry in shop.requests("batches/")}
    answered = [line["external_id"] for line in shop.raw("GET", f"batches/{handle}").json()["results"]]
    assert sorted(answered) == keys
    assert answered != keys
    titles = {listing["remote_id"]: listing["title"] for listing in shop.shown().values()}
    assert all(titles[results[key].remote_id] == f"Khô cá {key}" for key in keys)


def test_M04_one_bad_item_is_rejected_alone(shop, star):
    good, bad = shop.create("A", "B")
    expired = {"star": 3, "valid_until": "2026-11-22"}
    bad.listing["content"] |= {"ocop": expired, "categories": ["do-uong", "san-pham-ocop"]}

    results = shop.settle([good, bad])

    assert results["A"].outcome is Outcome.ACKNOWLEDGED
    assert results["B"].outcome is Outcome.REJECTED
    assert results["B"].problem.code == "ocop_expired"
    assert results["B"].problem.message.vi == "Giấy chứng nhận OCOP đã hết hạn."


def test_two_hundred_items_are_taken_and_one_more_refuses_the_batch(shop):
    items = [{"op": "hide", "external_id": str(n)} for n in range(201)]

    assert shop.post_batch(ndjson(*items[:200]), "a").status_code == 202
    refused = shop.post_batch(ndjson(*items), "b")

    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_many_items")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"op":"hide","external_id":"A"}\n{broken', "bad_ndjson"),
        (b"[]\n", "bad_ndjson"),
        (b'{"op":"hide","external_id":NaN}\n', "bad_ndjson"),
        (b'{"op":"hide"}\n', "bad_ndjson"),
        (b"\xff\n", "bad_ndjson"),
        (b"", "empty_batch"),
        (b'{"op":"hide","external_id":"A"}\n{"op":"show","external_id":"A"}\n', "duplicate_external_id"),
    ],
)
def test_a_malformed_batch_is_refused_whole(shop, content, code):
    response = shop.post_batch(content)

    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert shop.sandbox.show()["requests"]["write"] == 0


def test_a_refused_batch_is_raised_and_not_counted_as_done(shop):
    twice = [*shop.create("A"), *shop.create("A")]

    with pytest.raises(Refused) as caught:
        shop.client.push(twice)
    assert caught.value.code == "duplicate_external_id"


def test_the_same_batch_under_its_key_is_the_same_batch(shop):
    body = ndjson({"op": "hide", "external_id": "A"})
    first = shop.post_batch(body).json()

    assert shop.post_batch(body).json() == first
    clash = shop.post_batch(ndjson({"op": "show", "external_id": "A"}))
    assert (clash.status_code, clash.json()["error"]["code"]) == (409, "idempotency_clash")


def test_after_a_day_the_key_is_free_again(shop):
    body = ndjson({"op": "hide", "external_id": "A"})
    first = shop.post_batch(body).json()
    shop.clock.sleep(24 * 3600)

    assert shop.post_batch(body).json() != first


def test_a_resend_in_another_order_is_recognised(shop):
    changes = shop.create("A", "B", "C")

    first = shop.client.push(changes)
    again = shop.client.push(changes[::-1])

    assert {r.handle for r in first} == {r.handle for r in again}


def test_other_tokens_make_another_batch(shop):
    (first,) = shop.client.push(shop.create("A"))
    (second,) = shop.client.push(shop.create("A"))

    assert first.handle != second.handle


def test_M08_a_lost_answer_and_a_resend_make_one_listing(shop):
    changes = shop.create("A")
    shop.client._upload(changes)
    shop.sandbox.fault(Fault(times=1, drop=True))

    results = shop.settle(changes)

    assert len(shop.requests("batches")) == 3  # lost, recognised, polled
    assert results["A"].revision == "1"
    assert list(shop.shown()) == ["A"]


def test_nothing_but_lost_answers_is_unanswered_and_a_later_resend_still_one_listing(shop):
    changes = shop.create("A")
    shop.client._upload(changes)
    shop.sandbox.fault(Fault(times=3, drop=True))

    with pytest.raises(Unanswered):
        shop.client.push(changes)
    results = shop.settle(changes)

    assert (results["A"].outcome, results["A"].revision) == (Outcome.ACKNOWLEDGED, "1")


def test_M06_a_batch_the_marketplace_forgot_is_unknown(shop):
    pushed = shop.client.push(shop.create("A"))
    shop.sandbox.reset()

    (result,) = shop.client.poll(pushed)

    assert result.outcome is Outcome.UNKNOWN


def test_each_batch_is_asked_for_once(shop):
    pushed = [*shop.client.push(shop.create("A", "B")), *shop.client.push(shop.create("C"))]
    shop.clock.sleep(1)

    results = shop.client.poll(pushed)

    assert {r.key for r in results} == {"A", "B", "C"}
    assert len(shop.requests("batches/")) == 2


class Careless(Simulator):
    """Answers A twice and forgets B."""

    def _batch(self, batch_id):
        batch = super()._batch(batch_id)
        lines = {line["external_id"]: line for line in batch["results"]}
        return batch | {"results": [lines["A"], lines["A"], lines["C"]]}


def test_M05_a_missing_or_doubled_line_is_unknown(open_shop):
    shop = open_shop(Careless)

    pushed = shop.client.push(shop.create("A", "B", "C"))
    shop.clock.sleep(0.3)
    outcomes = {r.key: r.outcome for r in shop.client.poll(pushed)}

    assert outcomes == {"A": Outcome.UNKNOWN, "B": Outcome.UNKNOWN, "C": Outcome.ACKNOWLEDGED}


class Cryptic(Simulator):
    """Speaks of things the documents do not know."""

    def _upsert(self, item):
        return {"external_id": item.external_id, "status": "error", "errors": [{"code": "E-77", "message_vi": "Lạ."}]}


def test_M03_an_unknown_code_is_a_refusal_in_the_marketplaces_words(open_shop):
    shop = open_shop(Cryptic)

    result = shop.settle(shop.create("A"))["A"]

    assert result.outcome is Outcome.REJECTED
    assert result.problem.message.vi == "Sàn từ chối: Lạ. (mã E-77)."


class Mumbling(Simulator):
    def _batch(self, batch_id):
        return {"status": "finished", "results": []}


def test_M17_an_unknown_batch_state_is_no_answer(open_shop):
    shop = open_shop(Mumbling)
    pushed = shop.client.push(shop.create("A"))

    with pytest.raises(Unanswered):
        shop.client.poll(pushed)


class Tight(Simulator):
    quota = (1, 60.0)


def test_a_spent_quota_is_waited_for_and_then_raised(open_shop):
    shop = open_shop(Tight)
    shop.client.check()
    begun = shop.clock.now()

    assert shop.client.check()
    assert (shop.clock.now() - begun).total_seconds() >= 60
    refused = shop.raw("GET", "account")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0


class Closed(Simulator):
    """Promises a permit in a second that takes ten hours to grow."""

    quota = (1, 36_000.0)

    def throttled(self, seconds):
        return super().throttled(1)


def test_a_quota_that_stays_spent_is_throttled(open_shop):
    shop = open_shop(Closed)
    shop.client.check()

    with pytest.raises(Throttled):
        shop.client.push(shop.create("A"))


def test_eight_pushes_at_once_share_one_client(shop):
    shop.settle(shop.create("A"))  # the picture is there
    batches = [shop.create(*[f"{n}-{m}" for m in range(10)]) for n in range(8)]

    with ThreadPoolExecutor(8) as pool:
        pushed = [result for results in pool.map(shop.client.push, batches) for result in results]
    shop.clock.sleep(1)

    assert {r.outcome for r in shop.client.poll(pushed)} == {Outcome.ACKNOWLEDGED}
    assert len(shop.shown()) == 81


def test_odd_keys_travel_whole(shop):
    results = shop.settle(shop.create(*ODD))

    assert {r.outcome for r in results.values()} == {Outcome.ACKNOWLEDGED}
    assert sorted(r.key for r in shop.client.fetch(ODD)) == sorted(ODD)
    assert [r.key for r in shop.client.fetch(["a,b"])] == ["a,b"]


def test_hide_and_show(shop):
    shop.settle(shop.create("A"))

    shop.settle([shop.change(Kind.DELIST, "A")])
    hidden = shop.client.fetch(["A"])[0].status
    shop.settle([shop.change(Kind.RELIST, "A")])

    assert hidden == "hidden"
    assert shop.client.fetch(["A"])[0].status == "live"


def test_a_relist_with_news_is_one_upsert_that_shows_it_too(shop):
    shop.settle(shop.create("A"))
    shop.settle([shop.change(Kind.DELIST, "A")])

    shop.settle([shop.change(Kind.RELIST, "A", ("price",))])

    assert shop.client.fetch(["A"])[0].status == "live"
    assert shop.requests("offers") == []


def test_hiding_what_is_not_there_is_done_and_showing_it_must_be_looked_up(shop):
    results = shop.settle([shop.change(Kind.DELIST, "A"), shop.change(Kind.RELIST, "B")])

    assert results["A"].outcome is Outcome.ACKNOWLEDGED
    assert results["B"].outcome is Outcome.UNKNOWN


def test_a_partial_upsert_leaves_the_other_facets_alone(shop):
    shop.settle(shop.create("A", stock=5))

    shop.settle([shop.change(Kind.UPDATE, "A", ("content",), name="Tôm khô loại 1", stock=9)])

    listing = shop.shown()["A"]
    assert (listing["title"], listing["stock"]) == ("Tôm khô loại 1", 5)


def test_the_end_of_a_certificate_takes_the_item_out_of_the_ocop_category(shop, star):
    shop.settle(shop.create("A", certificate=star()))

    shop.settle([shop.change(Kind.UPDATE, "A", ("content",), certificate=None)])

    content = shop.shown()["A"]["payload"]["content"]
    assert content["categories"] == ["thuc-pham-va-dac-san"]
    assert content["ocop"] is None

"""Writing: what is created, changed, taken down and shown again, and what is never called a success."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from connectors.amazon import CONNECTOR
from connectors.errors import AuthorisationFailed, Misconfigured, NotSent, OtherShape, Throttled, problem_of
from models.change import Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome
from models.value import replace
from tests.connectors.amazon.shop import (
    ITEMS,
    STAR,
    change,
    create,
    delist,
    dollars,
    english,
    image,
    listing,
    update,
)

GTIN = "8938505974194"


def read(shop, key="CM-TOMKHO-500G"):
    (remote,) = shop.client.fetch([key])
    return remote


def answer(status, body):
    return httpx.Response(status, json=body)


def submission(**changes):
    made = {"sku": "CM-TOMKHO-500G", "status": "ACCEPTED", "submissionId": "5f6c", "issues": []}
    return {name: value for name, value in (made | changes).items() if value is not None}


def issue(code="90220", severity="ERROR", **more):
    return {"code": code, "message": "said so", "severity": severity, "categories": [], **more}


def instead_of_writes(shop, made):
    shop.wire.before = lambda request: made if request.method in ("PUT", "PATCH") else None


def test_what_was_created_reads_as_it_was_sent(shop):
    made = listing(certificate=STAR, list_price=dollars("29.5"), gtin=GTIN)

    done = shop.settle(create(made))

    remote = read(shop)
    assert done[made.key].outcome is Outcome.ACKNOWLEDGED
    assert (remote.status, remote.facets) == ("live", made.facets)
    assert {f: facet_hash(remote.facets[f]) for f in FACETS} == {f: facet_hash(made.facets[f]) for f in FACETS}


@pytest.mark.parametrize(
    ("facet", "changes"),
    [
        ("content", {"english": english(name="Dried Shrimp of Rach Goc")}),
        ("content", {"certificate": STAR}),
        ("content", {"gtin": GTIN}),
        ("content", {"pack": "1 kg"}),
        ("content", {"shelf_life": "1 năm"}),
        ("price", {"price": dollars("31")}),
        ("price", {"list_price": dollars("40.10")}),
        ("stock", {"stock": 7}),
        ("stock", {"stock": 0}),
        ("images", {"images": (image(sha256="c" * 64),)}),
        ("images", {"images": tuple(image(sha256=f"{n:064}") for n in range(9))}),
    ],
)
def test_each_facet_is_changed_by_itself(shop, facet, changes):
    shop.live(listing())
    new = listing(**changes)

    done = shop.settle(update(new, facet))

    remote = read(shop)
    assert done[new.key].outcome is Outcome.ACKNOWLEDGED
    assert (remote.status, remote.facets) == ("live", new.facets)


@pytest.mark.parametrize("before", [{"certificate": STAR}, {"gtin": GTIN}, {"list_price": dollars("40")}])
def test_what_goes_away_here_goes_away_there(shop, before):
    shop.live(listing(**before))
    plain = listing()

    shop.settle(update(plain, *FACETS))

    assert read(shop).facets == plain.facets


def test_a_change_sends_only_its_own_attributes(shop):
    made = listing()
    shop.live(made)

    shop.client.push([update(listing(price=dollars("9.9")), "price")])

    (call,) = [call for call in shop.wire.calls if call.method == "PATCH"]
    sent = json.loads(call.request.content)
    assert [patch["path"] for patch in sent["patches"]] == ["/attributes/purchasable_offer", "/attributes/list_price"]
    assert sent["patches"][0]["value"][0]["our_price"] == [{"schedule": [{"value_with_tax": 9.9}]}]


def test_what_a_person_added_there_stays(shop):
    made = listing()
    shop.live(made)
    keyword = [{"value": "prawns", "language_tag": "en_US", "marketplace_id": "ATVPDKIKX0DER"}]
    patch = {"op": "add", "path": "/attributes/generic_keyword", "value": keyword}
    body = {"productType": "GROCERY", "patches": [patch]}
    shop.raw("PATCH", f"{ITEMS}/{made.key}", params={"marketplaceIds": "ATVPDKIKX0DER"}, json=body)
    shop.clock.sleep(5)

    shop.settle(update(listing(certificate=STAR), "content"))

    assert shop.shown()[made.key]["payload"]["attributes"]["generic_keyword"] == keyword


def test_the_same_batch_twice_is_one_listing(shop):
    made = [listing(), listing(sku="CM-2")]

    first, second = (shop.settle(*map(create, made)) for _ in range(2))

    assert {r.outcome for r in (*first.values(), *second.values())} == {Outcome.ACKNOWLEDGED}
    assert len(shop.shown()) == 2


def test_acceptance_is_no_success_until_it_shows(shop):
    made = listing()

    (sent,) = shop.client.push([create(made)])
    (early,) = shop.client.poll([sent])
    shop.clock.sleep(1.5)
    (halfway,) = shop.client.poll([early])
    shop.clock.sleep(5)
    (late,) = shop.client.poll([halfway])

    assert [r.outcome for r in (sent, early, halfway, late)] == [Outcome.ACCEPTED] * 3 + [Outcome.ACKNOWLEDGED]
    assert late.revision


def test_an_update_is_believed_only_when_the_new_one_shows(shop):
    shop.live(listing())

    (sent,) = shop.client.push([update(listing(stock=1), "stock")])
    (early,) = shop.client.poll([sent])
    shop.clock.sleep(5)
    (late,) = shop.client.poll([early])

    assert (early.outcome, late.outcome) == (Outcome.ACCEPTED, Outcome.ACKNOWLEDGED)


def test_a_change_of_what_somebody_hid_meanwhile_is_looked_up(shop):
    changed = listing(english=english(name="Dried shrimp of Rach Goc"))
    shop.live(listing())

    (sent,) = shop.client.push([update(changed, "content")])
    shop.client.push([delist(changed)])
    shop.clock.sleep(5)
    (late,) = shop.client.poll([sent])

    assert late.outcome is Outcome.UNKNOWN


def test_a_handle_that_says_nothing_is_judged_by_the_status(shop):
    made = listing()
    shop.live(made)
    (sent,) = shop.client.push([update(made, "stock")])

    (late,) = shop.client.poll([replace(sent, handle=sent.remote_id)])

    assert late.outcome is Outcome.ACKNOWLEDGED


def test_a_listing_is_taken_down_and_shown_again(shop):
    made = listing()
    shop.live(made)

    down = shop.settle(delist(made))
    hidden = read(shop)
    up = shop.settle(change(Kind.RELIST, made))
    shown = read(shop)

    assert (down[made.key].outcome, hidden.status) == (Outcome.ACKNOWLEDGED, "hidden")
    assert (up[made.key].outcome, shown.status, shown.facets) == (Outcome.ACKNOWLEDGED, "live", made.facets)


def test_taking_down_keeps_the_listing_and_its_asin(shop):
    made = listing()
    shop.live(made)
    asin = shop.sandbox.state.get("item", made.key)["asin"]

    shop.settle(delist(made))

    assert shop.sandbox.state.get("item", made.key)["asin"] == asin
    assert shop.wire.count("DELETE") == 0
    assert shop.shown()[made.key]["status"] == "hidden"
    assert shop.shown()[made.key]["stock"] == 0


def test_a_delist_is_no_success_before_it_shows(shop):
    made = listing()
    shop.live(made)

    (sent,) = shop.client.push([delist(made)])
    (early,) = shop.client.poll([sent])

    assert early.outcome is Outcome.ACCEPTED


def test_what_is_not_there_is_down_already(shop):
    (result,) = shop.client.push([delist(listing())])

    assert result.outcome is Outcome.ACKNOWLEDGED
    assert shop.wire.count("PATCH") == 0


def test_a_second_delist_changes_nothing(shop):
    made = listing()
    shop.live(made)

    outcomes = [shop.settle(delist(made))[made.key].outcome for _ in range(2)]

    assert outcomes == [Outcome.ACKNOWLEDGED] * 2


def test_a_relist_with_another_price_shows_that_price(shop):
    shop.live(listing())
    shop.settle(delist(listing()))
    new = listing(price=dollars("19"), stock=3)

    shop.settle(change(Kind.RELIST, new, ("price",)))

    assert read(shop).facets == new.facets


def test_an_update_of_what_was_deleted_there_is_looked_up(shop):
    (result,) = shop.client.push([update(listing(), "stock")])

    assert (result.outcome, result.problem.code) == (Outcome.UNKNOWN, "13013")
    assert shop.client.fetch([result.key]) == []


def test_a_sku_deleted_today_waits_a_day(shop):
    made = listing()
    shop.live(made)
    shop.raw("DELETE", f"{ITEMS}/{made.key}", params={"marketplaceIds": "ATVPDKIKX0DER"})
    shop.clock.sleep(5)

    now = shop.clock.now()
    (early,) = shop.client.push([create(made)])
    shop.clock.advance(hours=25)
    late = shop.settle(create(made))

    assert (early.outcome, early.until) == (Outcome.DEFERRED, now + timedelta(hours=24))
    assert late[made.key].outcome is Outcome.ACKNOWLEDGED


def test_a_review_that_rejects_comes_after_acceptance(shop):
    made = listing(english=english(description="Cures everything."))

    (sent,) = shop.client.push([create(made)])
    shop.clock.sleep(30)
    (late,) = shop.client.poll([sent])

    assert (late.outcome, late.problem.code) == (Outcome.REJECTED, "18742")
    assert "claims to cure" in late.problem.message.en
    assert read(shop).status == "rejected"
    assert "claims to cure" in read(shop).words


def test_one_refused_does_not_hold_up_the_others(shop):
    bad = listing(sku="CM-BAD", english=english(description="x" * 10))
    bad.facets["content"]["attributes"]["country_of_origin"] = [{"value": "XX"}]

    results = {r.key: r for r in shop.client.push([create(listing()), create(bad), create(listing(sku="CM-3"))])}

    assert results["CM-BAD"].outcome is Outcome.REJECTED
    assert {results[k].outcome for k in ("CM-TOMKHO-500G", "CM-3")} == {Outcome.ACCEPTED}


def test_what_the_definition_forbids_is_never_sent(shop):
    bad = listing()
    bad.facets["content"]["attributes"]["brand"] = [{"value": "x" * 101}]

    (result,) = shop.client.push([create(bad)])

    assert (result.outcome, result.problem.code, result.problem.field) == (Outcome.REJECTED, "definition", "brand")
    assert shop.wire.count("PUT") == 0


def test_a_whole_refused_batch_is_refused_one_by_one(shop):
    instead_of_writes(shop, answer(400, {"errors": [{"code": "InvalidInput", "message": "no"}]}))

    results = shop.client.push([create(listing()), create(listing(sku="CM-2"))])

    assert [r.outcome for r in results] == [Outcome.REJECTED] * 2


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        (submission(status="INVALID", issues=[issue()]), Outcome.REJECTED, "90220"),
        (submission(status="INVALID", issues=[]), Outcome.REJECTED, "no-issue"),
        (submission(status="INVALID", issues=[issue("555")]), Outcome.REJECTED, "555"),
        (submission(status="VALID"), Outcome.UNKNOWN, "unexpected-answer"),
        (submission(status="DONE"), Outcome.UNKNOWN, "unexpected-answer"),
        (submission(status=None), Outcome.UNKNOWN, "unexpected-answer"),
        (submission(submissionId=None), Outcome.UNKNOWN, "unexpected-answer"),
        (submission(sku="OTHER"), Outcome.UNKNOWN, "other-sku"),
        ({}, Outcome.UNKNOWN, "unexpected-answer"),
        ([], Outcome.UNKNOWN, "unexpected-answer"),
    ],
)
def test_only_an_acceptance_counts_as_one(shop, body, outcome, code):
    instead_of_writes(shop, answer(200, body))

    (result,) = shop.client.push([create(listing())])

    assert (result.outcome, result.problem.code) == (outcome, code)


@pytest.mark.parametrize("severity", ["WARNING", "INFO", "ERROR", "NEWS"])
def test_an_acceptance_with_issues_is_looked_at_like_any_other(shop, severity):
    """An error inside an acceptance is not live: only what is read later says so."""
    instead_of_writes(shop, answer(200, submission(issues=[issue(severity=severity)])))

    (result,) = shop.client.push([create(listing())])

    assert result.outcome is Outcome.ACCEPTED


def test_a_lost_answer_is_asked_for_by_the_same_write_again(shop):
    """A put by SKU may be repeated: it is still one listing."""
    lost = iter([True])

    def lose(request):
        if request.method == "PUT" and next(lost, False):
            raise httpx.ReadTimeout("lost", request=request)

    shop.wire.after = lose

    done = shop.settle(create(listing()))

    assert done["CM-TOMKHO-500G"].outcome is Outcome.ACKNOWLEDGED
    assert shop.wire.count("PUT") == 2
    assert len(shop.shown()) == 1


def test_an_answer_that_never_comes_is_looked_up(shop):
    def lose(request):
        if request.method == "PUT":
            raise httpx.ReadTimeout("lost", request=request)

    shop.wire.after = lose

    (result,) = shop.client.push([create(listing())])
    shop.clock.sleep(5)

    assert result.outcome is Outcome.UNKNOWN
    assert read(shop).facets == listing().facets


def test_the_first_that_cannot_leave_stops_the_batch(shop):
    shop.client.push([create(listing(sku="CM-0"))])

    def refuse(request):
        if request.method == "PUT":
            raise httpx.ConnectError("away", request=request)

    shop.wire.before = refuse

    with pytest.raises(NotSent):
        shop.client.push([create(listing()), create(listing(sku="CM-2"))])


def test_after_a_first_success_the_rest_waits(shop):
    writes = iter([False] + [True] * 20)

    def refuse(request):
        if request.method == "PUT" and next(writes):
            raise httpx.ConnectError("away", request=request)

    shop.wire.before = refuse

    results = shop.client.push([create(listing(sku=f"CM-{n}")) for n in range(3)])

    assert [r.outcome for r in results] == [Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.DEFERRED]


def test_throttling_leaves_the_changes_due(shop):
    shop.client.check()
    quota = {"errors": [{"code": "QuotaExceeded", "message": "You exceeded your quota."}]}
    instead_of_writes(shop, answer(429, quota))

    with pytest.raises(Throttled):
        shop.client.push([create(listing())])


def test_a_short_throttling_is_waited_out(shop):
    quota = iter([answer(429, {"errors": [{"code": "QuotaExceeded", "message": ""}]})])
    shop.wire.before = lambda request: next(quota, None) if request.method == "PUT" else None

    done = shop.settle(create(listing()))

    assert done["CM-TOMKHO-500G"].outcome is Outcome.ACKNOWLEDGED


def test_a_server_error_is_a_doubt(shop):
    shop.client.push([create(listing(sku="CM-0"))])
    instead_of_writes(shop, answer(503, {}))

    (result,) = shop.client.push([create(listing())])

    assert result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("marketplace", ["SG", "AU", "JP"])
def test_a_price_in_another_currency_is_refused_before_it_is_sent(shop, marketplace):
    client = shop.open(marketplace=marketplace)

    (result,) = client.push([create(listing())])

    assert (result.outcome, result.problem.code, result.problem.field) == (Outcome.REJECTED, "wrong-currency", "price")
    assert "caybeo accounts rate" in result.problem.next_step.en
    assert shop.wire.count("PUT") == 0


def test_a_marketplace_the_seller_is_not_in_stops_the_account(shop):
    with pytest.raises(AuthorisationFailed):
        shop.open(marketplace="SG").check()


def test_a_preview_keeps_nothing(shop):
    good = shop.client.preview(listing())

    assert good is None
    assert shop.shown() == {}


def test_a_preview_tells_what_amazon_would_refuse(shop):
    made = listing()
    invalid = submission(status="INVALID", issues=[issue(attributeNames=["brand"])])
    instead_of_writes(shop, answer(200, invalid))

    problem = shop.client.preview(made)

    assert (problem.code, problem.field) == ("90220", "brand")


def test_a_preview_tells_what_the_definition_forbids(shop):
    bad = listing()
    bad.facets["content"]["attributes"]["brand"] = [{"value": "x" * 101}]

    assert shop.client.preview(bad).code == "definition"
    assert shop.wire.count("PUT") == 0


def test_a_preview_that_accepts_was_none(shop):
    instead_of_writes(shop, answer(200, submission()))

    with pytest.raises(OtherShape):
        shop.client.preview(listing())


def test_nothing_but_numbers_and_ascii_paths_leave_for_odd_skus(shop):
    made = listing(sku="TÔM KHÔ/5+%")

    shop.live(made)
    shop.settle(update(listing(sku="TÔM KHÔ/5+%", stock=2), "stock"))

    assert shop.client.fetch([made.key])[0].facets["stock"] == {"quantity": 2}


def test_a_live_address_of_another_region_is_noticed_before_anything_is_sent(shop):
    client = shop.open(base="https://sellingpartnerapi-na.amazon.com", marketplace="SG")

    with pytest.raises(Misconfigured) as caught:
        client.check()

    assert caught.value.code == "other-region"
    assert "sellingpartnerapi-fe" in problem_of(caught.value).next_step.en
    assert shop.wire.calls == []


def test_the_limits_declare_every_operation_that_is_called(shop):
    named = {operation for rate in CONNECTOR.limits.rates for operation in rate.operations}

    assert {
        "put",
        "patch",
        "get",
        "search",
        "definition",
        "document",
        "feed",
        "feed_status",
        "feeds",
        "result",
    } == named

"""Articles made, changed, hidden and shown again; every doubt looked up and no success taken for granted."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from connectors.errors import AuthorisationFailed, Misconfigured, NotSent, Throttled
from connectors.zalo import CONNECTOR
from models.change import Kind
from models.listing import FACETS
from models.outcome import Outcome, Result
from models.value import replace
from tests.connectors.zalo.shop import (
    KEY,
    OTHER_SHA,
    SHA,
    STAR,
    change,
    create,
    image,
    item,
    listing,
    outcomes,
    said,
    update,
)

ACKNOWLEDGED, ACCEPTED, REJECTED = Outcome.ACKNOWLEDGED, Outcome.ACCEPTED, Outcome.REJECTED
DEFERRED, UNKNOWN = Outcome.DEFERRED, Outcome.UNKNOWN


def body(request: httpx.Request):
    return msgspec.json.decode(request.content)


def last(shop, call):
    return body(next(r for r in reversed(shop.wire.sent) if r.url.path.endswith(f"article/{call}")))


# --- making -----------------------------------------------------------------------------------------------------------


def test_a_token_is_no_success_and_becomes_an_id(shop):
    pushed = shop.push(create(listing()))
    early = shop.client.poll(pushed)
    shop.clock.sleep(5)
    (polled,) = shop.client.poll(pushed)

    assert outcomes(pushed) == [ACCEPTED]
    assert early == pushed
    assert polled.outcome is ACKNOWLEDGED
    assert [polled.remote_id] == [one["remote_id"] for one in shop.shown()]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"certificate": STAR},
        {"stock": 0},
        {"list_price": None},
        {"pack": ""},
        {"pack": "gói 500 g"},
        {"pack": "lốc 4 hũ (mỗi hũ 100 g)"},
        {"images": (image(),)},
        {"brand": ""},
        {"description": ""},
        {"name": "Bánh phồng tôm “Năm Căn” – loại 1"},
        {"sku": "CM/1 %2F?#&"},
    ],
)
def test_what_was_sent_is_read_back(shop, changes):
    wanted = listing(**changes)
    shop.live(wanted)

    remote = shop.read(wanted.key)

    assert (remote.key, remote.status, remote.facets) == (wanted.key, "live", wanted.facets)


def test_an_article_is_shown_with_its_cover_and_its_link(shop):
    shop.live(listing(certificate=STAR))

    (shown,) = shop.shown()

    assert (shown["key"], shown["status"], shown["price"], shown["stock"]) == (KEY, "live", 620_000, 1)
    assert shown["title"] == "Tôm khô Rạch Gốc 500 g/hũ (OCOP 4 sao)"
    article = shown["payload"]
    assert article["description"] == "620.000 ₫ / hũ 500 g (giá niêm yết 650.000 ₫). Còn hàng."
    assert article["cover"] == {
        "cover_type": "photo",
        "photo_url": f"https://cuahang.example/anh/{SHA}",
        "status": "show",
    }
    assert article["body"][-1] == {"type": "image", "url": f"https://cuahang.example/anh/{OTHER_SHA}"}
    assert (article["status"], article["comment"], article["type"]) == ("show", "show", "normal")


def test_many_products_are_many_articles(shop):
    shop.live(*(listing(sku=f"SP-{n:02}") for n in range(23)))

    assert sorted(one["key"] for one in shop.shown()) == [f"SP-{n:02}" for n in range(23)]


def test_the_same_batch_twice_makes_nothing_twice(shop):
    changes = [create(listing(sku=f"SP-{n}")) for n in range(3)]
    shop.settle(*changes)

    again = shop.settle(*changes)

    assert outcomes(again) == [ACKNOWLEDGED] * 3
    assert (len(shop.shown()), shop.count("create"), shop.count("update")) == (3, 3, 0)


def test_a_lost_answer_is_unknown_and_found_by_the_look_up(shop):
    shop.lose("article/create")

    (result,) = shop.push(create(listing()))
    shop.clock.sleep(CONNECTOR.limits.settle_after)

    assert result.outcome is UNKNOWN
    assert shop.read().facets == listing().facets
    assert outcomes(shop.settle(create(listing()))) == [ACKNOWLEDGED]
    assert len(shop.shown()) == 1


def test_a_lost_answer_leaves_the_others_of_the_batch_alone(shop):
    shop.lose("article/create")

    results = shop.settle(*(create(listing(sku=sku)) for sku in "ABC"))

    assert outcomes(results) == [UNKNOWN, ACKNOWLEDGED, ACKNOWLEDGED]


def test_a_create_goes_on_from_an_article_that_is_there_and_differs(shop):
    shop.live(listing(stock=0))

    (result,) = shop.settle(create(listing()))

    assert (result.outcome, shop.count("create"), shop.count("update")) == (ACKNOWLEDGED, 0, 1)
    assert shop.read().facets == listing().facets


def test_a_create_shows_an_article_that_is_hidden(shop):
    (done,) = shop.live(listing())
    shop.tamper(done.remote_id, status="hide")

    shop.settle(create(listing()))

    assert [one["status"] for one in shop.shown()] == ["live"]


def doubled(shop):
    """A second article of the same product, as a colleague would copy it."""
    (done,) = shop.live(listing())
    article = shop.raw("GET", "article/getdetail", id=done.remote_id)["data"]
    shop.raw("POST", "article/create", {name: value for name, value in article.items() if name != "id"})
    shop.clock.sleep(5)
    return done


def test_two_articles_of_one_product_are_two_answers_and_a_doubt_for_a_create(shop):
    doubled(shop)

    assert len(shop.client.fetch([KEY])) == 2
    assert outcomes(shop.push(create(listing()))) == [UNKNOWN]


def test_of_two_articles_the_one_that_is_named_or_shown_counts(shop):
    done = doubled(shop)

    named = shop.push(replace(create(listing()), remote_id=done.remote_id))
    shop.tamper(done.remote_id, status="hide")
    shown = shop.push(create(listing()))

    assert (outcomes(named), named[0].remote_id) == ([ACKNOWLEDGED], done.remote_id)
    assert outcomes(shown) == [ACKNOWLEDGED]
    assert shown[0].remote_id != done.remote_id


# --- changing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facet", "changes"),
    [
        ("content", {"name": "Tôm khô loại 1"}),
        ("content", {"certificate": STAR}),
        ("content", {"description": "Mới."}),
        ("price", {"list_price": None}),
        ("stock", {"stock": 0}),
        ("images", {"images": (image(sha256="c" * 64),)}),
    ],
)
def test_an_update_changes_one_facet_and_leaves_the_rest(shop, facet, changes):
    (done,) = shop.live(listing())
    before = shop.read().facets

    (result,) = shop.settle(update(listing(**changes), done, facet))

    assert (result.outcome, result.remote_id) == (ACKNOWLEDGED, done.remote_id)
    assert shop.read().facets == before | {facet: listing(**changes).facets[facet]}
    assert len(shop.shown()) == 1


def test_an_update_goes_out_whole(shop):
    (done,) = shop.live(listing())

    shop.push(update(listing(stock=0), done, "stock"))

    sent = last(shop, "update")
    assert sent["id"] == done.remote_id
    assert sent["status"] == "show"
    assert set(sent) == {
        "id", "type", "title", "author", "cover", "description", "body", "tracking_link", "status", "comment"
    }  # fmt: skip


def test_an_update_of_what_is_so_already_sends_nothing(shop):
    (done,) = shop.live(listing())

    assert outcomes(shop.push(update(listing(stock=7), done, "stock"))) == [ACKNOWLEDGED]
    assert shop.wire.calls == ["article/getdetail"]


def test_an_update_leaves_what_a_person_wrote_in_another_facet(shop):
    (done,) = shop.live(listing())
    shop.tamper(done.remote_id, title="Viết tay", comment="hide")

    shop.settle(update(listing(stock=0), done, "stock"))

    (shown,) = shop.shown()
    assert (shown["title"], shown["stock"], shown["payload"]["comment"]) == ("Viết tay", 0, "hide")


def test_a_description_written_by_hand_equals_no_price_and_is_written_anew_as_a_whole(shop):
    (done,) = shop.live(listing())
    shop.tamper(done.remote_id, description="Giảm giá sốc!")
    by_hand = shop.read().facets

    shop.settle(update(listing(stock=0), done, "stock"))

    assert by_hand["price"] == by_hand["stock"] == {"text": "Giảm giá sốc!"}
    assert shop.read().facets == listing(stock=0).facets


@pytest.mark.parametrize(
    ("lacks", "kind"),
    [("description", Kind.UPDATE), ("author", Kind.UPDATE), ("comment", Kind.UPDATE), ("type", Kind.DELIST)],
)
def test_what_a_read_left_out_is_not_taken_away(shop, lacks, kind):
    (done,) = shop.live(listing())
    article = shop.raw("GET", "article/getdetail", id=done.remote_id)["data"]
    kept = article.pop(lacks)
    shop.instead("getdetail", {"error": 0, "data": article})

    shop.settle(change(kind, listing(name="Tôm khô loại 1"), done.remote_id, ("content",)))

    assert shop.raw("GET", "article/getdetail", id=done.remote_id)["data"][lacks] == kept


def test_a_cover_without_its_own_status_is_given_back_shown(shop):
    (done,) = shop.live(listing())
    article = shop.raw("GET", "article/getdetail", id=done.remote_id)["data"]
    del article["cover"]["status"]
    shop.instead("getdetail", {"error": 0, "data": article})

    assert outcomes(shop.settle(change(Kind.DELIST, listing(), done.remote_id))) == [ACKNOWLEDGED]


@pytest.mark.parametrize("lacks", ["body", "cover", "title", "status"])
def test_an_article_that_was_not_read_whole_is_not_sent_back(shop, lacks):
    (done,) = shop.live(listing())
    article = shop.raw("GET", "article/getdetail", id=done.remote_id)["data"]
    del article[lacks]
    shop.instead("getdetail", {"error": 0, "data": article})

    assert outcomes(shop.push(update(listing(stock=0), done, "stock"))) == [UNKNOWN]
    assert shop.count("update") == 0


def test_a_video_that_a_person_put_in_stays(shop):
    (done,) = shop.live(listing())
    video = {"type": "video", "video_id": "v1"}
    shop.tamper(done.remote_id, body=[video, *shop.shown()[0]["payload"]["body"]])

    shop.settle(update(listing(description="Mới."), done, "content"))

    assert shop.shown()[0]["payload"]["body"][-1] == video


def test_one_hidden_by_hand_stays_hidden(shop):
    (done,) = shop.live(listing())
    shop.tamper(done.remote_id, status="hide")

    shop.settle(update(listing(stock=0), done, "stock"))

    assert [(one["status"], one["stock"]) for one in shop.shown()] == [("hidden", 0)]


@pytest.mark.parametrize("remote_id", ["", "nobody's"])
def test_an_update_of_what_is_not_there_is_looked_up(shop, remote_id):
    assert outcomes(shop.push(change(Kind.UPDATE, listing(), remote_id))) == [UNKNOWN]
    assert shop.shown() == []


def test_an_article_is_not_changed_while_it_is_worked_on(shop):
    (done,) = shop.live(listing())
    shop.push(update(listing(stock=0), done, "stock"))

    (result,) = shop.push(update(listing(list_price=None), done, "price"))

    assert (result.outcome, result.problem.code) == (DEFERRED, "-214")


def test_a_new_address_of_the_shop_is_written_into_the_articles(shop):
    (done,) = shop.live(listing())
    moved = {"product_page": "https://moi.example/{sku}", "picture": "https://moi.example/anh/{sha256}.jpg"}
    shop.client = shop.open(**moved)
    assert shop.client.fetch([KEY]) == []

    shop.settle(update(listing(), done, *FACETS))

    (remote,) = shop.client.fetch([KEY])
    assert (remote.remote_id, remote.facets) == (done.remote_id, listing().facets)


# --- hiding and showing -----------------------------------------------------------------------------------------------


def test_hiding_and_showing_again(shop):
    (done,) = shop.live(listing())

    hidden = shop.settle(change(Kind.DELIST, listing(), done.remote_id))
    between = shop.read()
    shown = shop.settle(change(Kind.RELIST, listing(stock=0), done.remote_id))

    assert (outcomes(hidden), between.status, between.facets) == ([ACKNOWLEDGED], "hidden", listing().facets)
    assert (outcomes(shown), shop.read().status) == ([ACKNOWLEDGED], "live")
    assert shop.read().facets == listing(stock=0).facets


def test_hiding_keeps_what_a_person_wrote(shop):
    (done,) = shop.live(listing())
    video = {"type": "video", "video_id": "v1"}
    shop.tamper(done.remote_id, description="Giảm giá sốc!", body=[video])

    shop.settle(change(Kind.DELIST, listing(), done.remote_id))

    (shown,) = shop.shown()
    assert (shown["status"], shown["payload"]["description"], shown["payload"]["body"]) == (
        "hidden",
        "Giảm giá sốc!",
        [video],
    )


@pytest.mark.parametrize("kind", [Kind.DELIST, Kind.RELIST])
def test_what_is_so_already_is_not_sent_again(shop, kind):
    (done,) = shop.live(listing())
    shop.settle(change(kind, listing(), done.remote_id))
    shop.wire.sent.clear()

    assert outcomes(shop.push(change(kind, listing(), done.remote_id))) == [ACKNOWLEDGED]
    assert shop.count("update") == 0


@pytest.mark.parametrize("remote_id", ["", "nobody's"])
def test_hiding_what_is_not_there_is_done(shop, remote_id):
    assert outcomes(shop.push(change(Kind.DELIST, listing(), remote_id))) == [ACKNOWLEDGED]


def test_hiding_under_an_id_that_is_no_more_while_another_article_shows_it_is_a_doubt(shop):
    shop.live(listing())

    assert outcomes(shop.push(change(Kind.DELIST, listing(), "nobody's"))) == [UNKNOWN]


def test_a_lost_answer_to_hiding_is_unknown_and_hidden(shop):
    (done,) = shop.live(listing())
    shop.lose("article/update")

    (result,) = shop.push(change(Kind.DELIST, listing(), done.remote_id))
    shop.clock.sleep(5)

    assert (result.outcome, shop.read().status) == (UNKNOWN, "hidden")


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_one_that_is_refused_does_not_stop_the_others(shop):
    bad = create(listing(sku="BAD"))
    bad.listing["content"]["title"] = "x" * 150

    results = shop.settle(create(listing(sku="A")), bad, create(listing(sku="B")))

    assert outcomes(results) == [ACKNOWLEDGED, REJECTED, ACKNOWLEDGED]
    assert (results[1].problem.code, results[1].problem.field) == ("-210", "name")


def test_a_whole_batch_refused_is_refused_one_by_one(shop):
    shop.instead("article/create", *[{"error": -201, "message": "body value is invalid"}] * 3)

    results = shop.push(*(create(listing(sku=sku)) for sku in "ABC"))

    assert outcomes(results) == [REJECTED] * 3
    assert {result.problem.field for result in results} == {"description"}


def test_a_picture_that_zalo_cannot_fetch_is_refused_when_the_token_is_asked_about(shop):
    shop.client = shop.open(picture="https://cuahang.example/qua-lon/{sha256}")

    (result,) = shop.settle(create(listing()))

    assert (result.outcome, result.problem.field) == (REJECTED, "images")
    assert shop.shown() == []


def test_the_quota_of_articles_is_a_refusal_with_a_way_out(shop):
    shop.simulator.settle_on("articles", 1)

    first, second = shop.push(create(listing(sku="A")), create(listing(sku="B")))

    assert (first.outcome, second.outcome, second.problem.code) == (ACCEPTED, REJECTED, "-223")
    assert "oa.zalo.me" in second.problem.next_step.vi


@pytest.mark.parametrize(
    ("code", "until"),
    [(-211, datetime(2026, 11, 23, 17, tzinfo=UTC)), (-234, datetime(2026, 11, 23, 23, tzinfo=UTC))],
)
def test_what_is_refused_until_an_hour_waits_for_it_with_all_the_rest(shop, code, until):
    shop.instead("article/create", {"error": code, "message": "no"})

    results = shop.push(*(create(listing(sku=sku)) for sku in "ABC"))

    assert [(r.outcome, r.until) for r in results] == [(DEFERRED, until)] * 3
    assert shop.count("create") == 1


def test_before_six_the_night_ends_the_same_day(shop):
    shop.clock.advance(hours=20)  # 4.30 in Vietnam
    shop.instead("article/create", {"error": -234, "message": "no"})

    (result,) = shop.push(create(listing()))

    assert result.until == datetime(2026, 11, 23, 23, tzinfo=UTC)


def test_over_the_rate_it_waits_a_minute_and_goes_on(shop):
    shop.instead("article/create", {"error": -32, "message": "rate limit"})
    begun = shop.clock.monotonic()

    assert outcomes(shop.push(create(listing()))) == [ACCEPTED]
    assert shop.clock.monotonic() - begun >= 60


def test_throttled_for_good_the_rest_stays_due(shop):
    shop.instead("article/create", {"data": {"token": "t"}, "error": 0}, *[{"error": -32}] * 3)

    results = shop.push(*(create(listing(sku=sku)) for sku in "ABC"))

    assert outcomes(results) == [ACCEPTED, DEFERRED, DEFERRED]


def test_throttled_at_once_the_call_says_so(shop):
    shop.instead("article/create", *[{"error": -32}] * 3)

    with pytest.raises(Throttled):
        shop.push(create(listing()))


@pytest.mark.parametrize(("code", "kind"), [(-221, AuthorisationFailed), (-209, Misconfigured)])
def test_what_is_true_of_the_whole_account_stops_it(shop, code, kind):
    shop.instead("article/create", {"error": code, "message": "no"})

    with pytest.raises(kind):
        shop.push(create(listing()))


def test_a_look_up_without_an_answer_leaves_no_doubt_about_creates(shop):
    shop.wire.before = lambda request: said({}, 503)

    with pytest.raises(NotSent):
        shop.push(create(listing()))


# --- asking about tokens ----------------------------------------------------------------------------------------------


def pending(handle="tok", **more):
    return Result(key=KEY, outcome=ACCEPTED, handle=handle, **more)


def test_a_token_that_nobody_knows_is_looked_up(shop):
    (result,) = shop.client.poll([pending()])

    assert result.outcome is UNKNOWN


@pytest.mark.parametrize("handle", ["", "id"])
def test_an_id_is_no_token(shop, handle):
    (result,) = shop.client.poll([pending(handle, remote_id="id")])

    assert (result.outcome, shop.wire.calls) == (UNKNOWN, [])


@pytest.mark.parametrize(
    "answer",
    [
        {"error": 0, "data": {}},
        {"error": 0, "data": {"id": 12}},
        {"error": 0},
        {"data": {"id": "x"}},
        {"error": -214, "message": "Media is being processed"},
        {"error": -200, "message": "failed"},
        {"error": -211, "message": "quota"},
    ],
)
def test_what_is_no_clear_answer_is_asked_again(shop, answer):
    shop.instead("article/verify", *[answer] * 3)
    asked = pending()

    assert shop.client.poll([asked]) == [asked]


def test_an_empty_id_is_looked_up(shop):
    shop.instead("article/verify", {"error": 0, "data": {"id": ""}})

    assert outcomes(shop.client.poll([pending()])) == [UNKNOWN]


def test_what_was_heard_is_kept_where_zalo_asks_to_wait(shop):
    shop.instead("article/verify", {"error": 0, "data": {"id": "x"}}, *[{"error": -32}] * 3)

    results = shop.client.poll([pending("one"), pending("two")])

    assert outcomes(results) == [ACKNOWLEDGED, ACCEPTED]


def test_told_to_wait_at_once_the_poll_says_so(shop):
    shop.instead("article/verify", *[{"error": -32}] * 3)

    with pytest.raises(Throttled):
        shop.client.poll([pending()])


def test_a_lost_answer_to_the_question_is_asked_again(shop):
    pushed = shop.push(create(listing()))
    shop.clock.sleep(5)
    shop.lose("article/verify")

    assert outcomes(shop.client.poll(pushed)) == [ACKNOWLEDGED]


@pytest.mark.parametrize("answer", [{"error": 0, "data": {}}, {"error": 0, "data": {"token": ""}}, {"error": 0}, {}])
def test_a_create_without_a_token_is_unknown_and_noted(shop, answer):
    shop.instead("article/create", answer)

    assert outcomes(shop.push(create(listing()))) == [UNKNOWN]
    assert [oddity.kind for oddity in shop.sessions[0].oddities.take()] == ["shape"]


def test_a_star_that_ends_leaves_the_article(shop):
    (done,) = shop.live(listing(certificate=STAR))

    shop.settle(update(listing(), done, "content"))

    assert "OCOP" not in str(shop.shown())


def test_composed_text_goes_out_whatever_came_in(shop):
    """NFD would count as more characters, and read back as another text."""
    decomposed = unicodedata.normalize("NFD", item().name)
    shop.live(listing(name=decomposed))

    assert shop.shown()[0]["title"] == "Tôm khô Rạch Gốc 500 g/hũ"

"""Draft, review, sale; changes, withdrawal, and calls that break half-way."""

from __future__ import annotations

import httpx
import pytest

from connectors.errors import Conflict, Unanswered
from connectors.simulator import Fault, respond
from models.change import Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome, Result
from models.value import replace
from tests.connectors.voso.shop import KEY, STAR, Shop, change, create, listing


def breaks(shop: Shop, path: str, *, applied: bool, times: int = 1) -> None:
    """The next calls of that path get no answer."""
    left = [times]

    def lose(request: httpx.Request) -> None:
        if request.url.path.endswith(path) and left[0]:
            left[0] -= 1
            raise httpx.ReadTimeout("no answer", request=request)

    setattr(shop.wire, "after" if applied else "before", lose)


def envelope(code: int, words: str, data: object = None) -> httpx.Response:
    return respond(200, {"status": code, "error": code != 200, "message": words, "data": data})


def test_a_create_is_accepted_and_live_after_the_review(shop):
    result = shop.push(create(listing()))
    early = shop.client.poll([result])[0]
    shop.clock.sleep(1)
    late = shop.client.poll([result])[0]

    assert (result.outcome, early.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)
    assert (late.outcome, late.remote_id) == (Outcome.ACKNOWLEDGED, "1")
    assert shop.shown()[0]["status"] == "live"


def test_what_is_read_back_hashes_like_what_was_sent(shop):
    wanted = listing(certificate=STAR)
    shop.live(wanted)

    [remote] = shop.client.fetch([KEY])

    assert (remote.key, remote.remote_id, remote.status) == (KEY, "1", "live")
    assert {f: facet_hash(remote.facets[f]) for f in FACETS} == {f: facet_hash(wanted.facets[f]) for f in FACETS}


def test_a_rejected_review_says_why_in_vietnamese(shop):
    result = shop.live(listing(description="Mật ong chữa bệnh dạ dày."))

    assert result.outcome is Outcome.REJECTED
    assert "quảng cáo công dụng" in result.problem.message.vi
    assert shop.client.fetch([KEY])[0].status == "rejected"


def test_a_rejected_product_is_mended_and_reviewed_again(shop):
    bad = shop.live(listing(description="Đặc trị đau lưng."))
    again = shop.push(change(Kind.UPDATE, listing(), bad.remote_id, ("content",)))
    shop.clock.sleep(1)

    assert again.outcome is Outcome.ACCEPTED
    assert shop.client.poll([again])[0].outcome is Outcome.ACKNOWLEDGED


def test_the_same_words_after_a_rejection_stay_rejected(shop):
    bad = listing(description="Đặc trị đau lưng.")
    done = shop.live(bad)

    assert shop.push(change(Kind.UPDATE, bad, done.remote_id, ("content",))).outcome is Outcome.REJECTED


@pytest.mark.parametrize("facets", [("content",), ("price", "stock"), ("images",)])
def test_nothing_changes_while_the_product_is_reviewed(shop, facets):
    pending = shop.push(create(listing()))
    before = shop.shown()

    result = shop.push(change(Kind.UPDATE, listing(stock=1, brand="Khác"), pending.remote_id, facets))

    assert result.outcome is Outcome.DEFERRED
    assert "đang duyệt" in result.problem.message.vi
    assert shop.shown() == before


def test_withdrawing_waits_for_the_review_too(shop):
    pending = shop.push(create(listing()))

    assert shop.push(change(Kind.DELIST, listing(), pending.remote_id)).outcome is Outcome.DEFERRED


def test_price_and_stock_need_no_review(shop):
    done = shop.live(listing())
    shop.wire.calls.clear()

    result = shop.push(change(Kind.UPDATE, listing(stock=7), done.remote_id, ("stock",)))

    assert (result.outcome, shop.wire.calls) == (Outcome.ACKNOWLEDGED, ["product/updatePrice"])
    assert (shop.shown()[0]["stock"], shop.shown()[0]["status"]) == (7, "live")


def test_new_content_goes_through_the_review_again(shop):
    done = shop.live(listing())
    shop.wire.calls.clear()

    result = shop.push(change(Kind.UPDATE, listing(brand="Ngọc Hiển"), done.remote_id, ("content",)))

    assert (result.outcome, result.handle) == (Outcome.ACCEPTED, done.remote_id)
    assert shop.wire.calls == ["product/update", "product/submit"]


def test_taken_price_is_reported_where_the_content_is_refused(shop):
    done = shop.live(listing())
    new = listing(stock=9)
    new.facets["content"]["category_id"] = 137

    result = shop.push(change(Kind.UPDATE, new, done.remote_id, ("content", "price", "stock")))

    assert (result.outcome, result.facets) == (Outcome.ACKNOWLEDGED, ("price", "stock"))
    assert result.problem.field == "category"
    assert shop.shown()[0]["stock"] == 9


def test_hide_and_show(shop):
    done = shop.live(listing())

    hidden = shop.push(change(Kind.DELIST, listing(), done.remote_id))
    status = shop.client.fetch([KEY])[0].status
    shown = shop.push(change(Kind.RELIST, listing(), done.remote_id, ()))

    assert (hidden.outcome, status) == (Outcome.ACKNOWLEDGED, "hidden")
    assert (shown.outcome, shop.shown()[0]["status"]) == (Outcome.ACKNOWLEDGED, "live")


def test_relisting_with_new_content_never_shows_the_old(shop):
    done = shop.live(listing(certificate=STAR))
    shop.push(change(Kind.DELIST, listing(), done.remote_id))
    shop.wire.calls.clear()

    result = shop.push(change(Kind.RELIST, listing(), done.remote_id, ("content",)))

    assert result.outcome is Outcome.ACCEPTED
    assert shop.wire.calls == ["product/update", "product/show", "product/submit"]


def test_M24_a_product_id_of_another_code_is_never_touched(shop):
    shop.live(listing())
    before = shop.shown()

    with pytest.raises(Conflict, match="206"):
        shop.push(change(Kind.UPDATE, listing(sku="OTHER", stock=1), "1", ("stock",)))
    assert shop.shown() == before


@pytest.mark.parametrize("remote_id", ["", "abc", "٣"])
def test_a_change_without_a_usable_id_is_a_conflict(shop, remote_id):
    with pytest.raises(Conflict):
        shop.push(change(Kind.UPDATE, listing(), remote_id))


def test_a_refused_field_is_a_rejection_in_vietnamese_with_a_next_step(shop):
    new = listing()
    new.facets["content"]["category_id"] = 137

    result = shop.push(create(new))

    assert (result.outcome, result.problem.code, result.problem.field) == (Outcome.REJECTED, "204", "category")
    assert result.problem.message.vi.startswith("Vỏ Sò không nhận mục ngành hàng: ")
    assert "nhập lại" in result.problem.next_step.vi


# Class C


def test_two_blind_creates_make_two_products_and_both_are_found(shop):
    shop.push(create(listing()))
    shop.push(create(listing()))

    assert [r.remote_id for r in shop.client.fetch([KEY])] == ["1", "2"]


def test_M08_a_lost_answer_to_a_create_is_a_doubt_not_a_second_create(shop):
    breaks(shop, "product/create", applied=True)

    with pytest.raises(Unanswered):
        shop.push(create(listing()))
    assert [r.status for r in shop.client.fetch([KEY])] == ["draft"]


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_submission_keeps_the_id_and_a_second_push_goes_on_from_there(shop, applied):
    breaks(shop, "product/submit", applied=applied)
    doubtful = shop.push(create(listing()))
    again = shop.push(create(listing(), doubtful.remote_id))
    shop.clock.sleep(1)

    assert (doubtful.outcome, doubtful.remote_id) == (Outcome.UNKNOWN, "1")
    assert again.outcome is Outcome.ACCEPTED
    assert shop.client.poll([again])[0].outcome is Outcome.ACKNOWLEDGED
    assert len(shop.shown()) == 1


@pytest.mark.parametrize("answer", [(203, "Tài khoản bị khóa"), (999, "?"), (500, "System error")])
def test_whatever_stops_a_submission_the_drafts_id_survives(shop, answer):
    shop.wire.before = lambda request: envelope(*answer) if request.url.path.endswith("submit") else None

    result = shop.push(create(listing()))

    assert (result.outcome, result.remote_id) == (Outcome.UNKNOWN, "1")


def test_a_continued_create_sends_only_what_differs(shop):
    breaks(shop, "product/submit", applied=False)
    shop.push(create(listing()))
    shop.wire.calls.clear()

    shop.push(create(listing(stock=4), "1"))

    assert shop.wire.calls == ["product/detail", "product/updatePrice", "product/submit"]


def test_a_continued_create_of_other_content_waits_for_the_review(shop):
    shop.push(create(listing()))

    assert shop.push(create(listing(stock=4), "1")).outcome is Outcome.DEFERRED


def test_a_continued_create_shows_a_hidden_product(shop):
    done = shop.live(listing())
    shop.push(change(Kind.DELIST, listing(), done.remote_id))

    shop.push(create(listing(), done.remote_id))

    assert shop.shown()[0]["status"] == "live"


def test_polling_a_draft_makes_the_change_due_again(shop):
    breaks(shop, "product/submit", applied=False)
    draft = shop.push(create(listing()))

    [result] = shop.client.poll([_accepted(draft)])

    assert (result.outcome, result.remote_id) == (Outcome.DEFERRED, "1")


def test_polling_a_product_that_is_gone_is_a_doubt(shop):
    pending = shop.push(create(listing()))
    shop.sandbox.reset()

    assert shop.client.poll([pending])[0].outcome is Outcome.UNKNOWN


def test_a_lost_answer_to_a_price_is_repeated_because_it_sets_a_value(shop):
    done = shop.live(listing())
    breaks(shop, "updatePrice", applied=True)

    result = shop.push(change(Kind.UPDATE, listing(stock=2), done.remote_id, ("stock",)))

    assert (result.outcome, shop.shown()[0]["stock"]) == (Outcome.ACKNOWLEDGED, 2)


def test_a_lost_answer_to_an_upload_stores_the_picture_once(shop):
    breaks(shop, "media/upload", applied=True)

    shop.push(create(listing()))

    assert shop.shown()[0]["payload"]["images"] == [
        {"media_id": n, "sha256": sha} for n, sha in enumerate(listing().facets["images"], start=1)
    ]


def test_a_known_picture_is_not_uploaded_again(shop):
    shop.live(listing())
    shop.wire.calls.clear()

    shop.push(create(listing(sku="OTHER")))

    assert "media/upload" not in shop.wire.calls


def test_refused_connections_are_tried_again(shop):
    shop.client.check()
    shop.sandbox.fault(Fault(times=1))

    assert shop.push(create(listing())).outcome is Outcome.ACCEPTED


def test_the_declared_rate_stays_inside_the_sandbox_quota(shop):
    done = shop.live(listing())
    for stock in range(700):
        shop.push(change(Kind.UPDATE, listing(stock=stock), done.remote_id, ("stock",)))

    assert shop.sandbox.show()["requests"]["refused"] == 0


def _accepted(result: Result) -> Result:
    return replace(result, outcome=Outcome.ACCEPTED, handle=result.remote_id)

"""Listings through the client, judged by reading them back."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import unquote

import httpx
import pytest

from connectors.errors import Conflict, Throttled, Unanswered
from connectors.madeincamau import CONNECTOR
from connectors.simulator import Fault, SandboxTransport
from models.catalogue import Money
from models.change import Change, Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome
from models.value import replace
from tests.connectors.madeincamau.shop import (
    JPEG,
    PNG,
    change_of,
    image_of,
    listing_of,
    open_session,
    unread,
)


def hashes(facets):
    return {facet: facet_hash(facets[facet]) for facet in FACETS}


def listed(client, clock, listing):
    """Created, reviewed and acknowledged."""
    [accepted] = client.push([change_of(listing)])
    clock.sleep(1)
    [result] = client.poll([accepted])
    assert result.outcome is Outcome.ACKNOWLEDGED
    return result


def requests(sandbox, method):
    return [e for e in sandbox.log() if e["method"] == method and "oauth" not in e["path"]]


def test_create_price_content_delist_relist_read_back_equal(client, clock, sandbox):
    first = listing_of()
    [created] = client.push([change_of(first)])
    assert created.outcome is Outcome.ACCEPTED
    assert client.poll([created])[0].outcome is Outcome.ACCEPTED
    clock.sleep(1)
    [live] = client.poll([created])
    assert (live.outcome, live.remote_id) == (Outcome.ACKNOWLEDGED, "MCM-000001")
    assert hashes(client.fetch([first.key])[0].facets) == hashes(first.facets)

    cheaper = listing_of(price=Money(amount=Decimal(600_000)), stock=3)
    [priced] = client.push(
        [change_of(cheaper, Kind.UPDATE, ("price", "stock"), "t-2", revision=live.revision, remote_id=live.remote_id)]
    )
    assert priced.outcome is Outcome.ACKNOWLEDGED
    assert requests(sandbox, "PATCH")

    renamed = listing_of(price=Money(amount=Decimal(600_000)), stock=3, name="Tôm khô loại 1")
    [reviewed] = client.push([change_of(renamed, Kind.UPDATE, ("content",), "t-3", revision=priced.revision)])
    assert reviewed.outcome is Outcome.ACCEPTED
    clock.sleep(1)
    [remote] = client.fetch([first.key])
    assert (remote.status, hashes(remote.facets)) == ("live", hashes(renamed.facets))

    [hidden] = client.push([Change(key=first.key, kind=Kind.DELIST, facets=(), listing={}, token="t-4")])
    assert hidden.outcome is Outcome.ACKNOWLEDGED
    assert client.fetch([first.key])[0].status == "hidden"

    [shown] = client.push([change_of(renamed, Kind.RELIST, token="t-5", revision=hidden.revision)])
    assert shown.outcome is Outcome.ACKNOWLEDGED  # the same content was approved before
    [remote] = client.fetch([first.key])
    assert (remote.status, hashes(remote.facets)) == ("live", hashes(renamed.facets))
    assert len(sandbox.show()["listings"]) == 1


@pytest.mark.parametrize("key", ["Tôm khô/500 g", "100%#?&=+", "a/../b", "Ðặc-sản đ", "x" * 100])
def test_any_sku_makes_the_round_trip(client, clock, key):
    listing = listing_of(sku=key)
    listed(client, clock, listing)

    [remote] = client.fetch([key])
    assert (remote.key, hashes(remote.facets)) == (key, hashes(listing.facets))
    assert [r.key for page in client.everything() for r in page] == [key]


def test_a_key_is_one_segment_of_the_path(client, clock, sandbox):
    listed(client, clock, listing_of(sku="a/b"))

    assert unquote(requests(sandbox, "PUT")[0]["path"]).endswith("/products/a/b")
    assert sandbox.marketplace.listings()[0]["key"] == "a/b"


def test_an_absent_key_is_missing_from_the_answer(client, clock):
    listed(client, clock, listing_of())

    assert [r.key for r in client.fetch(["khong-co", "TOMKHO-500"])] == ["TOMKHO-500"]


def test_delisting_what_was_never_there_is_done(client):
    [result] = client.push([Change(key="khong-co", kind=Kind.DELIST, facets=(), listing={}, token="t")])

    assert result.outcome is Outcome.ACKNOWLEDGED


def test_M08_a_lost_answer_is_looked_up_and_sending_again_makes_no_second_listing(client, sandbox):
    client.check()
    listing = listing_of()
    sandbox.fault(Fault(times=1, drop=True))
    with pytest.raises(Unanswered):
        client.push([change_of(listing)])

    [found] = client.fetch([listing.key])
    [again] = client.push([change_of(listing)])

    assert (again.outcome, again.remote_id) == (Outcome.ACCEPTED, found.remote_id)
    assert len(sandbox.show()["listings"]) == 1
    assert client.fetch([listing.key])[0].revision == found.revision


def test_a_price_whose_answer_is_lost_can_be_sent_again(client, clock, sandbox):
    live = listed(client, clock, listing_of())
    change = change_of(listing_of(stock=1), Kind.UPDATE, ("stock",), "t-2", revision=live.revision)
    sandbox.fault(Fault(times=1, drop=True))
    with pytest.raises(Unanswered):
        client.push([change])

    assert client.push([change])[0].outcome is Outcome.ACKNOWLEDGED
    assert client.fetch([change.key])[0].facets["stock"] == {"stock": 1}


def test_a_server_error_on_a_write_is_no_answer(client, sandbox):
    client.check()
    sandbox.fault(Fault(times=1, status=500))

    with pytest.raises(Unanswered):
        client.push([change_of(listing_of())])


def test_someone_elses_edit_is_a_conflict(client, clock, partner):
    live = listed(client, clock, listing_of())
    partner.patch("products/TOMKHO-500/offers", json={"stock": 7}).raise_for_status()

    with pytest.raises(Conflict, match="stale_revision"):
        client.push([change_of(listing_of(name="Khác"), Kind.UPDATE, ("content",), "t-2", revision=live.revision)])


def test_a_refusal_names_our_field_and_the_next_step(client):
    listing = listing_of()
    listing.facets["price"]["price_vnd"] = 0
    [result] = client.push([change_of(listing)])

    assert result.outcome is Outcome.REJECTED
    assert (result.problem.code, result.problem.field) == ("out_of_range", "price")
    assert result.problem.message.vi == "Sàn từ chối: Số nằm ngoài khoảng cho phép. (mã out_of_range)."
    assert "“giá bán”" in result.problem.next_step.vi


def test_contact_data_is_rejected_in_review_with_the_moderators_words(client, clock):
    [accepted] = client.push([change_of(listing_of(description="Gọi 0918 123 456 để đặt hàng"))])
    clock.sleep(1)
    [result] = client.poll([accepted])

    assert (result.outcome, result.problem.code, result.problem.field) == (
        Outcome.REJECTED,
        "contact_data",
        "description",
    )
    assert "Không được ghi số điện thoại" in result.problem.message.vi
    [remote] = client.fetch([result.key])
    assert (remote.status, remote.words) == ("rejected", "Không được ghi số điện thoại, email hoặc đường dẫn.")


def test_a_listing_gone_while_under_review_is_unknown(client, sandbox):
    [accepted] = client.push([change_of(listing_of())])
    sandbox.state.delete("product", accepted.key)

    assert client.poll([accepted])[0].outcome is Outcome.UNKNOWN


def test_a_picture_is_uploaded_once_for_all_packs_of_a_product(client, clock, sandbox, pictures):
    listed(client, clock, listing_of())
    client.push([change_of(listing_of(sku="TOMKHO-1000"), token="t-2")])

    assert [e["status"] for e in requests(sandbox, "POST")] == [201, 201]
    assert sorted(pictures.ids.values()) == ["IMG-000001", "IMG-000002"]
    assert len(client.fetch(["TOMKHO-1000"])[0].facets["images"]) == 2


def test_a_lost_answer_to_a_picture_is_repeated_there_and_then(sandbox, clock, pictures):
    class LosesPictures(SandboxTransport):
        lost = 0

        def handle_request(self, request):
            response = super().handle_request(request)
            if request.url.path.endswith("/media") and not self.lost:
                self.lost += 1
                raise httpx.ReadTimeout("no answer", request=request)
            return response

    client = CONNECTOR.client(open_session(LosesPictures(sandbox), clock, pictures))
    [result] = client.push([change_of(listing_of())])

    assert (result.outcome, result.facets, result.problem) == (Outcome.ACCEPTED, None, None)
    assert [e["status"] for e in requests(sandbox, "POST")] == [201, 200, 201]


def test_when_a_picture_is_refused_the_other_facets_were_taken(client, pictures):
    listing = listing_of()
    pictures.kept[listing.facets["images"][1]] = b"GIF89a"
    [result] = client.push([change_of(listing)])

    assert (result.outcome, result.facets) == (Outcome.ACCEPTED, ("content", "price", "stock"))
    assert (result.problem.code, result.problem.field) == ("unsupported_media", "images")
    assert client.fetch([listing.key])[0].facets["images"] == listing.facets["images"][:1]


def test_when_pictures_were_all_there_was_to_change_their_refusal_is_the_result(client, clock, pictures):
    live = listed(client, clock, listing_of())
    listing = listing_of(images=(image_of(b"\xff\xd8\xff moi"),))
    pictures.kept[listing.facets["images"][0]] = b"GIF89a"
    [result] = client.push([change_of(listing, Kind.UPDATE, ("images",), "t-2", revision=live.revision)])

    assert (result.outcome, result.facets) == (Outcome.REJECTED, None)


def test_pictures_keep_their_order(client, clock):
    live = listed(client, clock, listing_of())
    turned = listing_of(images=(image_of(PNG, media_type="image/png"), image_of(JPEG)))
    client.push([change_of(turned, Kind.UPDATE, ("images",), "t-2", revision=live.revision)])

    assert client.fetch([turned.key])[0].facets["images"] == turned.facets["images"]


def test_all_pages_are_read(client, sandbox):
    keys = [f"sku-{n:03}" for n in range(205)]
    client.push([change_of(listing_of(sku=keys[0]))])
    for key in keys:
        sandbox.state.put("product", key, sandbox.state.get("product", keys[0]))

    pages = list(client.everything())

    assert [len(page) for page in pages] == [100, 100, 5]
    assert [remote.key for page in pages for remote in page] == keys


def answering(answer, clock, pictures):
    """The client of a marketplace that says this to everything but a token request."""

    def handle(request):
        token = {"access_token": "x", "token_type": "Bearer", "expires_in": 3600}
        asked = request.url.path.endswith("/oauth/token")
        return unread(httpx.Response(200, json=token if asked else answer))

    return CONNECTOR.client(open_session(httpx.MockTransport(handle), clock, pictures))


def test_M21_a_cursor_that_comes_again_is_not_the_end(clock, pictures):
    client = answering({"products": [], "next_cursor": "YQ=="}, clock, pictures)

    with pytest.raises(Unanswered, match="repeated-cursor"):
        list(client.everything())


@pytest.mark.parametrize("answer", [{}, {"external_id": "TOMKHO-500"}, [], None])
def test_M17_an_answer_without_the_product_proves_nothing(clock, pictures, answer):
    client = answering(answer, clock, pictures)

    with pytest.raises(Unanswered):
        client.push([change_of(listing_of())])
    with pytest.raises(Unanswered):
        client.fetch(["TOMKHO-500"])


def test_an_answer_about_another_product_proves_nothing(client, clock, sandbox, pictures):
    class Confused(SandboxTransport):
        def handle_request(self, request):
            response = super().handle_request(request)
            if request.method != "PUT":
                return response
            return unread(httpx.Response(200, content=response.read().replace(b"TOMKHO-500", b"TOMKHO-501")))

    with pytest.raises(Unanswered, match="other-product"):
        CONNECTOR.client(open_session(Confused(sandbox), clock, pictures)).push([change_of(listing_of())])


def test_a_spent_quota_waits_as_long_as_it_is_told(client, clock, sandbox):
    client.check()
    sandbox.state.put("quota", "all", (0.0, clock.now().timestamp()))
    before = clock.now()
    client.check()

    assert (clock.now() - before).total_seconds() >= 1.0
    assert [e["status"] for e in sandbox.log()][-2:] == [429, 200]


def test_a_quota_that_stays_spent_defers(client, clock, sandbox):
    client.check()
    sandbox.fault(Fault(times=9, status=429))

    with pytest.raises(Throttled):
        client.push([change_of(listing_of())])


def test_a_run_again_with_nothing_new_writes_nothing(client, clock, sandbox):
    live = listed(client, clock, listing_of())
    writes = sandbox.show()["requests"]["write"]
    [again] = client.push([change_of(listing_of(), Kind.UPDATE, token="t-9", revision=live.revision)])

    assert replace(again, remote_id="") == replace(live, remote_id="")
    assert sandbox.show()["requests"]["write"] == writes

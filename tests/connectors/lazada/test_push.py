"""Creates, changes, withdrawals, and everything that goes wrong with them."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from connectors.errors import Throttled, Unanswered
from connectors.simulator import Fault
from connectors.throttle import InMemory
from models.change import Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome
from tests.connectors.lazada.shop import (
    KEY,
    STAR,
    Shop,
    change,
    create,
    listing,
    outcomes,
    update,
)

ACK, ACCEPTED, REJECTED, DEFERRED, UNKNOWN = (
    Outcome.ACKNOWLEDGED,
    Outcome.ACCEPTED,
    Outcome.REJECTED,
    Outcome.DEFERRED,
    Outcome.UNKNOWN,
)
CREATE, UPDATE, OFFER = "/product/create", "/product/update", "/product/price_quantity/update"


def payload(shop: Shop, api: str) -> dict:
    """What the last call of that API was given."""
    form = [form for call, form in zip(shop.wire.calls, shop.wire.forms, strict=True) if call == api][-1]
    return msgspec.json.decode(form["payload"])["Request"]["Product"]


def several(count: int) -> list:
    return [listing(sku=f"CM-{n:02}", name=f"Tôm khô {n}") for n in range(count)]


def lose(shop: Shop, api: str, *, applied: bool, times: int = 1) -> None:
    """The next calls of that API get no answer."""
    left = [times]

    def cut(request: httpx.Request) -> None:
        if request.url.path.endswith(api) and left[0]:
            left[0] -= 1
            raise httpx.ReadTimeout("no answer", request=request)

    setattr(shop.wire, "after" if applied else "before", cut)


# Creating


def test_a_create_is_accepted_and_live_after_the_check(shop):
    [made] = shop.push(create(listing()))
    shop.clock.sleep(1.9)
    early = shop.shown()[0]["status"]
    shop.clock.sleep(3)
    [late] = shop.client.poll([made])

    assert (made.outcome, made.handle, early) == (ACCEPTED, made.remote_id, "pending")
    assert (late.outcome, late.remote_id, shop.shown()[0]["status"]) == (ACK, "3069252001_15298395001", "live")


def test_while_the_check_lasts_it_stays_accepted(shop):
    shop.simulator.check_seconds = 3_600
    [made] = shop.push(create(listing()))
    shop.clock.sleep(600)

    assert outcomes(shop.client.poll([made])) == [ACCEPTED]
    assert shop.client.fetch([KEY])[0].status == "pending"


def test_an_answer_without_a_status_is_polled(shop):
    def forget(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(CREATE):
            return None
        made = {"item_id": "5", "sku_list": [{"seller_sku": KEY, "sku_id": "6"}]}
        return httpx.Response(200, json={"code": "0", "data": made})

    shop.wire.before = forget

    assert [(r.outcome, r.remote_id) for r in shop.push(create(listing()))] == [(ACCEPTED, "5_6")]


def test_the_payload_is_as_documented(shop):
    shop.push(create(listing()))

    product = payload(shop, CREATE)
    [row] = product["Skus"]["Sku"]
    assert isinstance(product["Images"]["Image"], list)
    assert product["disableAutoFillAttribute"] is True
    assert all(isinstance(value, str) for value in row.values())
    assert (row["price"], row["quantity"], row["package_weight"]) == ("450000", "20", "0.55")


def test_what_is_read_back_hashes_like_what_was_sent(shop):
    wanted = listing(certificate=STAR)
    shop.live(wanted)

    [remote] = shop.client.fetch([KEY])

    assert {f: facet_hash(remote.facets[f]) for f in FACETS} == {f: facet_hash(wanted.facets[f]) for f in FACETS}


def test_a_later_run_still_knows_whose_pictures_the_urls_are(shop):
    shop.live(listing())

    [remote] = shop.open().fetch([KEY])

    assert remote.facets["images"] == listing().facets["images"]


def test_a_check_that_fails_says_why_and_a_mended_text_passes(shop):
    [bad] = shop.live(listing(description="Mật ong chữa bệnh dạ dày."))
    [status] = [remote.status for remote in shop.client.fetch([KEY])]
    [again] = shop.push(update(listing(), bad, "content"))
    shop.clock.sleep(5)

    assert (bad.outcome, status) == (REJECTED, "rejected")
    assert "quảng cáo công dụng" in bad.problem.message.vi
    assert outcomes(shop.client.poll([again])) == [ACK]


def test_the_seller_sku_is_looked_up_before_it_is_created(shop):
    shop.push(create(listing()))

    assert shop.wire.calls.index("/products/get") < shop.wire.calls.index(CREATE)


def test_M08_a_lost_answer_makes_no_second_item(shop):
    lose(shop, CREATE, applied=True)
    with pytest.raises(Unanswered):
        shop.push(create(listing()))
    shop.clock.sleep(5)

    [again] = shop.push(create(listing()))

    assert again.outcome is ACK
    assert (len(shop.shown()), shop.count(CREATE)) == (1, 1)


def test_M08_a_timeout_after_the_effect_is_a_doubt_too(shop):
    shop.simulator.will_fail(CREATE, "ServiceTimeout", after=True)
    with pytest.raises(Unanswered):
        shop.push(create(listing()))
    shop.clock.sleep(5)

    assert outcomes(shop.push(create(listing(stock=3)))) == [ACK]
    assert [one["stock"] for one in shop.shown()] == [3]


def test_a_create_inside_the_searchs_lag_meets_the_duplicate_code_and_is_looked_up(shop):
    shop.push(create(listing()))

    [again] = shop.push(create(listing()))

    assert (again.outcome, again.problem.code, len(shop.shown())) == (UNKNOWN, "4135", 1)


def test_two_items_of_one_sku_are_both_found_and_none_is_guessed(shop):
    shop.live(listing())
    first = shop.simulator._state.get("item", "3069252001")
    shop.simulator._state.put("item", "9", first | {"item_id": 9, "sku": first["sku"] | {"SkuId": 8}})

    assert {r.remote_id for r in shop.client.fetch([KEY])} == {"3069252001_15298395001", "9_8"}
    assert outcomes(shop.push(create(listing()))) == [UNKNOWN]
    assert CREATE not in shop.wire.calls


def test_creates_of_one_push_share_one_look_up(shop):
    results = shop.push(*map(create, several(20)))

    assert outcomes(results) == [ACCEPTED] * 20
    assert (shop.count("/products/get"), shop.count("/category/tree/get")) == (1, 1)


def test_an_error_in_the_midst_keeps_what_is_known_of_the_others(shop):
    calls = []

    def ban(request: httpx.Request) -> None:
        calls.append(request.url.path)
        if request.url.path.endswith(CREATE) and sum(p.endswith(CREATE) for p in calls) == 2:
            shop.simulator.will_fail(CREATE, "998", "API disabled", times=9)

    shop.wire.before = ban

    results = shop.push(*map(create, several(4)))

    assert outcomes(results) == [ACCEPTED, DEFERRED, DEFERRED, DEFERRED]
    assert results[0].remote_id


def test_a_category_that_the_live_tree_does_not_have_is_never_used(shop):
    bad = listing()
    bad.facets["content"]["category_id"] = "6588"

    [result] = shop.push(create(bad))

    assert (result.outcome, result.problem.code) == (REJECTED, "category-unknown")
    assert "bảng ngành hàng" in result.problem.next_step.vi
    assert CREATE not in shop.wire.calls


def test_a_mandatory_attribute_that_we_lack_is_named(shop):
    shop.simulator.demand("shelf_life_vn")

    [result] = shop.push(create(listing()))

    assert (result.outcome, result.problem.code) == (REJECTED, "attribute-missing")
    assert "shelf_life_vn" in result.problem.message.vi


def test_a_mandatory_attribute_that_is_new_today_is_named_by_its_detail(shop):
    shop.push(create(listing()))
    shop.simulator.demand("shelf_life_vn")

    [result] = shop.push(create(listing(sku="OTHER")))

    assert (result.outcome, result.problem.code) == (REJECTED, "4108")
    assert "shelf_life_vn is mandatory" in result.problem.message.vi


# Changing


def test_price_and_stock_share_one_call_and_need_no_check(shop):
    done = shop.live(*several(20))
    new = [update(one, was, "price", "stock") for one, was in zip(several(20), done, strict=True)]

    results = shop.push(*new)

    assert outcomes(results) == [ACK] * 20
    assert shop.wire.calls == [OFFER]
    assert set(payload(shop, OFFER)["Skus"]["Sku"][0]) == {"ItemId", "SkuId", "Price", "Quantity"}


def test_rows_that_a_partly_refused_call_names_are_rejected_and_the_others_looked_up(shop):
    done = shop.live(*several(3))
    shop.simulator.held = 5
    stocks = [7, 1, 9]
    new = [listing(sku=f"CM-{n:02}", name=f"Tôm khô {n}", stock=stock) for n, stock in enumerate(stocks)]

    results = shop.push(*(update(one, was, "stock") for one, was in zip(new, done, strict=True)))

    assert outcomes(results) == [UNKNOWN, REJECTED, UNKNOWN]
    assert "đang giữ cho đơn hàng" in results[1].problem.message.vi
    assert [one["stock"] for one in shop.shown()] == [7, 20, 9]


def test_a_single_row_is_refused_in_the_sentence_of_its_own_cause(shop):
    [done] = shop.live(listing())
    shop.simulator.held = 5

    for facets in (("stock",), ("stock", "content")):
        [result] = shop.push(update(listing(stock=1), done, *facets))

        assert (result.outcome, result.problem.field) == (REJECTED, "stock")
        assert "đang giữ cho đơn hàng" in result.problem.message.vi


def test_rows_that_nobody_sent_leave_a_doubt(shop):
    done = shop.live(*several(2))
    shop.simulator.will_fail(OFFER, "501", "E501", {"seller_sku": "NOBODY", "message": "x"})

    results = shop.push(*(update(one, was, "stock") for one, was in zip(several(2), done, strict=True)))

    assert outcomes(results) == [UNKNOWN, UNKNOWN]


def test_a_refusal_without_details_is_narrowed_down_to_single_rows(shop):
    done = shop.live(*several(3))
    shop.simulator.will_fail(OFFER, "4157", "special price")

    results = shop.push(*(update(one, was, "stock") for one, was in zip(several(3), done, strict=True)))

    assert outcomes(results) == [ACK] * 3
    assert shop.wire.calls == [OFFER] * 4


def test_new_content_goes_through_the_check_and_says_its_status(shop):
    [done] = shop.live(listing())

    [result] = shop.push(update(listing(storage="Tủ lạnh"), done, "content"))

    row = payload(shop, UPDATE)["Skus"]["Sku"][0]
    assert (result.outcome, result.handle) == (ACCEPTED, done.remote_id)
    assert row["Status"] == "active"
    assert {"package_height", "package_length", "package_width", "package_weight"} <= set(row)
    assert not {"price", "quantity"} & set(row)


def test_taken_price_is_reported_where_the_content_is_refused(shop):
    [done] = shop.live(listing())
    shop.simulator.will_fail(UPDATE, "4123", "MANGROVE")

    [result] = shop.push(update(listing(stock=9, storage="x"), done, "content", "stock"))

    assert (result.outcome, result.facets, shop.shown()[0]["stock"]) == (ACK, ("stock",), 9)
    assert result.problem.code == "4123"


def test_new_pictures_are_uploaded_once(shop):
    [done] = shop.live(listing())

    shop.push(update(listing(), done, "images"))

    assert shop.wire.calls == [UPDATE]
    assert payload(shop, UPDATE)["Attributes"] == {}


@pytest.mark.parametrize("remote_id", ["", "5", "٣_٤", "1_2_3"])
def test_a_change_without_usable_ids_is_looked_up(shop, remote_id):
    assert outcomes(shop.push(change(Kind.UPDATE, listing(), remote_id, ("stock",)))) == [UNKNOWN]
    assert shop.wire.calls == []


def test_an_item_that_is_gone_is_looked_up(shop):
    assert outcomes(shop.push(change(Kind.UPDATE, listing(), "1_2", ("stock",)))) == [UNKNOWN]


@pytest.mark.parametrize(
    ("code", "message"), [("4170", "locked"), ("4162", ""), ("501", "THD_IC_ERR_F_IC_ABILITY_PG_003")]
)
def test_a_campaigns_lock_parks_the_change_for_hours(shop, code, message):
    [done] = shop.live(listing())
    shop.simulator.will_fail(OFFER, code, message)

    [result] = shop.push(update(listing(stock=1), done, "stock"))

    assert result.outcome is DEFERRED
    assert (result.until - shop.clock.now()).total_seconds() == 6 * 3600
    assert shop.wire.calls == [OFFER]


def test_a_create_whose_id_is_known_goes_on_from_there(shop):
    [done] = shop.live(listing())

    [same] = shop.push(create(listing(), done.remote_id))
    [other] = shop.push(create(listing(stock=4), done.remote_id))

    assert (same.outcome, other.outcome, shop.shown()[0]["stock"]) == (ACK, ACK, 4)
    assert shop.wire.calls.count(CREATE) == 0


def test_an_adopted_item_that_was_hidden_is_shown_again(shop):
    [done] = shop.live(listing())
    shop.push(change(Kind.DELIST, listing(), done.remote_id))

    [result] = shop.push(create(listing()))

    assert (result.outcome, result.remote_id) == (ACK, done.remote_id)
    assert shop.shown()[0]["status"] == "live"


# Taking down


def test_take_down_and_bring_back(shop):
    [done] = shop.live(listing())

    hidden = shop.push(change(Kind.DELIST, listing(), done.remote_id))
    status = shop.client.fetch([KEY])[0].status
    again = shop.push(change(Kind.DELIST, listing(), done.remote_id))
    back = shop.push(change(Kind.RELIST, listing(), done.remote_id, ()))

    assert (outcomes(hidden), status, outcomes(again)) == ([ACK], "hidden", [ACK])
    assert outcomes(back) == [ACK]
    assert shop.shown()[0]["status"] == "live"


def test_what_only_waits_for_its_check_is_not_taken_for_hidden(shop):
    """Lazada answers “not online”, and puts it online an hour later."""
    shop.simulator.check_seconds = 3_600
    [made] = shop.push(create(listing()))
    shop.clock.sleep(5)

    [result] = shop.push(change(Kind.DELIST, listing(), made.remote_id))

    assert (result.outcome, result.problem.code) == (DEFERRED, "E0004")
    assert result.until > shop.clock.now()


def test_what_is_not_there_is_hidden_enough(shop):
    assert outcomes(shop.push(change(Kind.DELIST, listing(), "1_2"))) == [ACK]


def test_a_removed_item_is_gone_for_good(shop):
    [done] = shop.live(listing())

    shop.client.remove([done.remote_id])

    assert shop.client.fetch([KEY]) == []


# The gateway


@pytest.mark.parametrize("code", ["ApiCallLimit", "SellerCallLimit", "AppCallLimit"])
def test_a_ban_is_waited_out_as_long_as_it_says(shop, code):
    [done] = shop.live(listing())
    shop.simulator.will_fail(OFFER, code, "frequency exceeds the limit. this ban will last 17 seconds")
    before = shop.clock.monotonic()

    assert outcomes(shop.push(update(listing(stock=2), done, "stock"))) == [ACK]
    assert shop.clock.monotonic() - before >= 17


@pytest.mark.parametrize("code", ["901", "4154"])
def test_too_fast_is_tried_a_few_times_and_no_more(shop, code):
    [done] = shop.live(listing())
    shop.simulator.will_fail(OFFER, code, "E901", times=99)

    with pytest.raises(Throttled):
        shop.push(update(listing(stock=2), done, "stock"))
    assert shop.wire.calls == [OFFER] * 3


def test_a_concurrent_edit_is_looked_up(shop):
    [done] = shop.live(listing())
    shop.simulator.will_fail(OFFER, "4147")

    assert outcomes(shop.push(update(listing(stock=2), done, "stock"))) == [UNKNOWN]


def test_a_lost_answer_to_a_stock_is_repeated_because_it_sets_a_value(shop):
    [done] = shop.live(listing())
    lose(shop, OFFER, applied=True)

    assert outcomes(shop.push(update(listing(stock=2), done, "stock"))) == [ACK]


def test_a_lost_answer_to_a_picture_is_repeated(shop):
    lose(shop, "/image/upload", applied=True)

    assert outcomes(shop.push(create(listing()))) == [ACCEPTED]


@pytest.mark.parametrize("fault", [Fault(times=9, status=503), Fault(times=9, status=429)])
def test_errors_of_the_edge_are_no_success(shop, fault):
    [done] = shop.live(listing())
    shop.sandbox.fault(fault)

    with pytest.raises((Unanswered, Throttled)):
        shop.push(update(listing(stock=2), done, "stock"))


def test_a_token_that_ends_in_the_midst_of_a_push_is_renewed(shop):
    [done] = shop.live(listing())
    shop.simulator.expire()

    assert outcomes(shop.push(update(listing(stock=2), done, "stock"))) == [Outcome.ACKNOWLEDGED]
    assert shop.count("/auth/token/refresh") == 1


def test_the_declared_rate_stays_inside_a_quota_of_as_much(shop):
    [done] = shop.live(listing())
    shop.simulator.quota = (6, 1.2)
    for stock in range(60):
        shop.push(update(listing(stock=stock), done, "stock"))

    assert shop.sandbox.show()["requests"]["refused"] == 0


def test_a_ban_told_under_http_200_holds_every_process_of_the_account(shop):
    quota = InMemory()
    one, other = shop.open(quota=quota), shop.open(quota=quota)
    shop.simulator.will_fail("/seller/get", "ApiCallLimit", "this ban will last 300 seconds")

    for client in (one, other):
        with pytest.raises(Throttled):
            client.check()

    assert shop.count("/seller/get") == 1
    shop.clock.advance(seconds=301)
    other.check()


def test_a_description_of_the_longest_kind_is_sent(shop):
    """Encoded it has more than the 64 KiB that a query may hold."""
    [done] = shop.live(listing(description="ế" * 20_000))

    assert done.outcome is Outcome.ACKNOWLEDGED
    assert "ế" * 20_000 in shop.shown()[0]["payload"]["attributes"]["description"]

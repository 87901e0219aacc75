"""Creates, changes, withdrawals, and everything that goes wrong with them."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from connectors.errors import AuthorisationFailed, Throttled, Unanswered
from connectors.simulator import Fault
from models.change import Kind
from models.listing import FACETS, facet_hash
from models.outcome import Outcome
from tests.connectors.alibaba.shop import (
    BIZ,
    CREATE,
    GET,
    KEY,
    OUTCOME,
    PRICE,
    SEARCH,
    STAR,
    STOCK,
    SWITCH,
    UPDATE,
    UPLOAD,
    Shop,
    api_of,
    business,
    change,
    create,
    delist,
    english,
    gateway,
    item,
    listing,
    outcomes,
    priced,
    several,
    update,
)

ACK, ACCEPTED, REJECTED, DEFERRED, UNKNOWN = (
    Outcome.ACKNOWLEDGED,
    Outcome.ACCEPTED,
    Outcome.REJECTED,
    Outcome.DEFERRED,
    Outcome.UNKNOWN,
)
FIRST = "1601314875038"


# Creating


def test_a_create_is_accepted_and_live_after_the_check(shop):
    [made] = shop.push(create(listing()))
    shop.clock.advance(seconds=20)
    early = shop.client.poll([made])
    shop.clock.advance(seconds=20)
    [late] = shop.client.poll([made])

    assert (made.outcome, made.handle, outcomes(early)) == (ACCEPTED, FIRST, [ACCEPTED])
    assert (late.outcome, late.remote_id, shop.shown()[0]["status"]) == (ACK, FIRST, "live")


def test_what_is_read_back_hashes_like_what_was_sent(shop):
    wanted = listing(certificate=STAR)
    shop.live(wanted)

    [remote] = shop.client.fetch([KEY])

    assert remote.facets == wanted.facets
    assert {f: facet_hash(remote.facets[f]) for f in FACETS} == {f: facet_hash(wanted.facets[f]) for f in FACETS}


def test_a_later_run_still_knows_whose_pictures_the_urls_are(shop):
    shop.live(listing())

    [remote] = shop.open().fetch([KEY])

    assert remote.facets["images"] == listing().facets["images"]


def test_a_second_push_of_the_same_batch_sends_nothing(shop):
    shop.live(*several(3))

    results = shop.push(*map(create, several(3)))

    assert outcomes(results) == [ACK] * 3
    assert shop.wire.calls == [SEARCH] * 3
    assert len(shop.shown()) == 3


def test_the_listing_is_as_documented(shop):
    shop.push(create(listing(certificate=STAR)))

    product = msgspec.json.decode(shop.form(CREATE)["product_info"])
    assert set(product) == {"basic_info", "category_info", "trade_info", "logistics_info"}
    assert product["basic_info"]["model_number"] == KEY
    assert product["basic_info"]["language"] == "en_US"
    assert all(one["image_url"].startswith("https://sc04.") for one in product["basic_info"]["product_image"])
    assert product["trade_info"]["price"]["tiered_price"] == [{"quantity": 20, "price": 17.31}]
    assert product["logistics_info"]["shipping_template_id"] == "123456"
    assert "ai_optimization_config" not in shop.form(CREATE)


def test_a_listing_may_go_without_a_shipping_template(shop):
    client = shop.open(shipping_template_id="")

    assert outcomes(client.push([create(listing())])) == [ACCEPTED]
    assert "shipping_template_id" not in shop.form(CREATE)["product_info"]


def test_a_check_that_fails_says_why_and_a_mended_text_passes(shop):
    [bad] = shop.live(listing(english=english(description="It cures cancer.")))
    [status] = [remote.status for remote in shop.client.fetch([KEY])]
    [again] = shop.push(update(listing(), bad, "content"))
    shop.reviewed()

    assert (bad.outcome, bad.problem.code, status) == (REJECTED, f"{BIZ}SUSPICIOUS", "rejected")
    assert "duyệt không đạt" in bad.problem.message.vi
    assert (again.outcome, outcomes(shop.client.poll([again]))) == (ACCEPTED, [ACK])


def test_a_rejected_listing_is_sent_again_even_where_nothing_differs(shop):
    bad = listing(english=english(description="It cures cancer."))
    [done] = shop.live(bad)

    assert outcomes(shop.push(create(bad))) == [ACCEPTED]
    assert shop.count(UPDATE) == 1
    assert done.remote_id == FIRST


def test_the_model_number_is_looked_up_before_it_is_created(shop):
    shop.push(create(listing()))

    assert shop.wire.calls.index(SEARCH) < shop.wire.calls.index(CREATE)


def test_pictures_travel_once_and_before_the_listing(shop):
    shop.push(*map(create, several(3)))

    assert shop.count(UPLOAD) == 2
    assert shop.wire.calls.index(UPLOAD) < shop.wire.calls.index(CREATE)


def test_pictures_that_the_photo_bank_lost_are_uploaded_anew(shop):
    shop.push(create(listing()))
    for key, _ in shop.sandbox.state.items("picture"):
        shop.sandbox.state.delete("picture", key)
    other = create(listing(sku="OTHER"))

    first, second = shop.push(other), shop.push(other)

    assert (outcomes(first), outcomes(second)) == ([REJECTED], [ACCEPTED])
    assert first[0].problem.field == "images"
    assert shop.count(UPLOAD) == 4


def test_the_tree_and_the_schema_are_read_once_a_run(shop):
    shop.push(*map(create, several(3)))

    assert shop.count("/alibaba/icbu/category/get/v2") == 1
    assert shop.count("/alibaba/icbu/category/attribute/get/v2") == 1


def test_a_lost_answer_makes_no_second_listing(shop):
    shop.lose(CREATE, applied=True)
    with pytest.raises(Unanswered):
        shop.push(create(listing()))
    shop.reviewed()

    [again] = shop.push(create(listing()))

    assert (again.outcome, again.remote_id) == (ACK, FIRST)
    assert (len(shop.shown()), shop.count(CREATE)) == (1, 1)


def test_an_answer_lost_before_the_effect_is_created_by_the_next_run(shop):
    shop.lose(CREATE, applied=False)
    with pytest.raises(Unanswered):
        shop.push(create(listing()))

    assert outcomes(shop.push(create(listing()))) == [ACCEPTED]
    assert len(shop.shown()) == 1


def test_a_timeout_after_the_effect_is_a_doubt_too(shop):
    shop.simulator.will_fail(CREATE, gateway("ServiceTimeout"), after=True)
    with pytest.raises(Unanswered):
        shop.push(create(listing()))
    shop.reviewed()

    assert outcomes(shop.push(create(listing(stock=3)))) == [ACK]
    assert [one["stock"] for one in shop.shown()] == [3]


def test_a_create_is_never_repeated_by_itself(shop):
    shop.simulator.will_fail(CREATE, gateway("ServiceUnavailable"), times=9)
    with pytest.raises(Unanswered):
        shop.push(create(listing()))

    assert shop.count(CREATE) == 1


@pytest.mark.parametrize("data", [None, "", "x", -5, 1.5, [], {"id": 1}, True])
def test_an_answer_without_a_product_id_proves_nothing(shop, data):
    shop.answers(CREATE, {"code": "0", "result": {"success": True, "data": data}})

    with pytest.raises(Unanswered):
        shop.push(create(listing()))


@pytest.mark.parametrize("result", [{"data": 5}, {"success": False, "data": 5}, {"success": None, "data": 5}, None])
def test_an_answer_without_the_inner_success_is_none(shop, result):
    shop.answers(CREATE, {"code": "0", "result": result})

    with pytest.raises(Unanswered):
        shop.push(create(listing()))


def test_ids_beyond_floating_point_stay_whole(shop):
    number = 2**53 + 1
    shop.answers(CREATE, {"code": "0", "result": {"success": True, "data": number}})

    assert [result.remote_id for result in shop.push(create(listing()))] == [str(number)]


def test_two_listings_of_one_model_number_are_both_found_and_none_is_guessed(shop):
    shop.live(listing())
    state = shop.sandbox.state
    state.put("product", "9", state.get("product", FIRST) | {"id": 9})

    assert {remote.remote_id for remote in shop.client.fetch([KEY])} == {FIRST, "9"}
    assert outcomes(shop.push(create(listing()))) == [UNKNOWN]
    assert CREATE not in shop.wire.calls


def test_of_two_listings_the_one_whose_id_is_known_is_ours(shop):
    [done] = shop.live(listing())
    state = shop.sandbox.state
    state.put("product", "9", state.get("product", FIRST) | {"id": 9})

    [result] = shop.push(create(listing(stock=4), done.remote_id))

    assert (result.outcome, result.remote_id) == (ACK, FIRST)
    assert sorted(one["stock"] for one in shop.shown()) == [4, 120]


def test_an_id_that_is_known_counts_more_than_a_search_that_lags(shop):
    [made] = shop.push(create(listing()))

    [again] = shop.push(create(listing(), made.remote_id))

    assert (again.outcome, again.remote_id, shop.count(CREATE)) == (ACCEPTED, FIRST, 1)


def test_an_id_that_is_gone_makes_room_for_a_new_listing(shop):
    assert outcomes(shop.push(create(listing(), "12"))) == [ACCEPTED]


def test_a_model_number_that_was_changed_by_hand_is_put_right(shop):
    [done] = shop.live(listing())
    basic = shop.sandbox.state.get("product", FIRST)["basic_info"]
    shop.alter(FIRST, basic_info=basic | {"model_number": "HAND"})

    assert outcomes(shop.push(update(listing(), done, "content"))) == [ACCEPTED]
    shop.reviewed()
    assert [remote.remote_id for remote in shop.client.fetch([KEY])] == [FIRST]


@pytest.mark.parametrize("success", [True, False])
def test_errors_beside_a_product_id_are_a_doubt(shop, success):
    inner = {"success": success, "data": 5, "errors": [{"msg_code": "B_NEW", "message": "m"}]}
    shop.answers(CREATE, {"code": "0", "result": inner})

    assert outcomes(shop.push(create(listing()))) == [UNKNOWN]


def several_skus(shop: Shop) -> None:
    trade = shop.sandbox.state.get("product", FIRST)["trade_info"]
    skus = [{"sku_id": n, "sku_code": f"x{n}", "sku_price": {"price": 1, "currency": "USD"}} for n in (105, 106)]
    shop.alter(FIRST, trade_info=trade | {"sku_info": skus})


@pytest.mark.parametrize("facets", [("stock",), ("price",), ("content",), FACETS])
def test_a_listing_with_several_variants_is_left_alone(shop, facets):
    [done] = shop.live(listing())
    several_skus(shop)

    [result] = shop.push(update(listing(stock=1), done, *facets))

    assert (result.outcome, result.problem.code, result.problem.field) == (REJECTED, "several-variants", "sku")
    assert "Model Number" in result.problem.next_step.vi
    assert shop.wire.calls == [GET]


def test_a_listing_with_several_variants_is_not_adopted(shop):
    shop.live(listing())
    several_skus(shop)

    assert [result.problem.code for result in shop.push(create(listing()))] == ["several-variants"]
    assert shop.client.fetch([KEY])[0].facets["content"]["variants"] == 2


def test_a_listing_with_one_variant_is_adopted(shop):
    shop.live(listing())
    trade = shop.sandbox.state.get("product", FIRST)["trade_info"]
    shop.alter(FIRST, trade_info=trade | {"sku_info": [{"sku_id": 105}]})

    assert outcomes(shop.push(create(listing()))) == [ACK]


def test_an_adopted_listing_that_was_hidden_is_shown_again(shop):
    [done] = shop.live(listing())
    shop.push(delist(done))

    [result] = shop.push(create(listing()))

    assert (result.outcome, result.remote_id) == (ACK, done.remote_id)
    assert shop.shown()[0]["status"] == "live"


def test_an_adopted_listing_under_review_is_polled(shop):
    shop.push(create(listing()))
    shop.clock.advance(seconds=5)

    [again] = shop.push(create(listing()))
    shop.reviewed()

    assert (again.outcome, again.handle, outcomes(shop.client.poll([again]))) == (ACCEPTED, FIRST, [ACK])


def test_an_error_in_the_midst_keeps_what_is_known_of_the_others(shop):
    def ban(request: httpx.Request) -> None:
        if api_of(request) == CREATE and shop.count(CREATE) == 2:
            shop.simulator.will_fail(CREATE, gateway("ApiCallLimit", "this ban will last 900 seconds"), times=9)

    shop.wire.before = ban

    results = shop.push(*map(create, several(4)))

    assert outcomes(results) == [ACCEPTED, DEFERRED, DEFERRED, DEFERRED]
    assert results[0].remote_id


def test_one_refused_listing_leaves_the_others(shop):
    def refuse(request: httpx.Request) -> None:
        if api_of(request) == CREATE and shop.count(CREATE) == 2:
            shop.simulator.will_fail(CREATE, business("B_ATTRIBUTE_INVALID"))

    shop.wire.before = refuse

    results = shop.push(*map(create, several(3)))

    assert outcomes(results) == [ACCEPTED, REJECTED, ACCEPTED]
    assert results[1].problem.code == "B_ATTRIBUTE_INVALID"


def test_a_whole_push_may_be_refused(shop):
    shop.simulator.will_fail(CREATE, business(f"{BIZ}CAT_PUB_RESTRICT"), times=9)

    results = shop.push(*map(create, several(3)))

    assert outcomes(results) == [REJECTED] * 3
    assert "My Alibaba" in results[0].problem.next_step.vi


# The category


def test_a_category_that_the_live_tree_does_not_have_is_never_used(shop):
    bad = listing()
    bad.facets["content"]["category_id"] = 100009999

    [result] = shop.push(create(bad))

    assert (result.outcome, result.problem.code) == (REJECTED, "category-unknown")
    assert "bảng ngành hàng" in result.problem.next_step.vi
    assert CREATE not in shop.wire.calls


@pytest.mark.parametrize(
    "leaf", [{"category_name": "Dried Fruit"}, {"leaf_category": "false"}, {"leaf_category": False}, {"category_id": 7}]
)
def test_a_category_that_is_another_one_there_is_never_used(shop, leaf):
    whole = {"category_id": 100009031, "category_name": "Dried Seafood", "leaf_category": "true", "level": 2}
    shop.answers("/alibaba/icbu/category/get/v2", {"code": "0", "data": [whole | leaf]})

    assert [result.problem.code for result in shop.push(create(listing()))] == ["category-unknown"]


@pytest.mark.parametrize("required", [True, "true"])
def test_a_required_attribute_that_we_lack_is_named(shop, required):
    shop.simulator.demand(attribute_name="Shelf Life", required=required)

    [result] = shop.push(create(listing()))

    assert (result.outcome, result.problem.code) == (REJECTED, "attribute-missing")
    assert "Shelf Life" in result.problem.message.vi
    assert CREATE not in shop.wire.calls


@pytest.mark.parametrize("required", [False, "false"])
def test_an_attribute_that_is_not_required_may_be_lacking(shop, required):
    shop.simulator.demand(attribute_name="Shelf Life", required=required)

    assert outcomes(shop.push(create(listing()))) == [ACCEPTED]


@pytest.mark.parametrize(("custom", "outcome"), [("false", REJECTED), (False, REJECTED), ("true", ACCEPTED)])
def test_a_value_outside_the_list_needs_the_categorys_leave(shop, custom, outcome):
    listed = [{"attribute_value_id": 1, "attribute_value_name": "OEM"}]
    rule = {"attribute_name": "Brand Name", "support_custom_value": custom, "attribute_value_list": listed}
    shop.simulator.demand(**rule)

    assert outcomes(shop.push(create(listing()))) == [outcome]


def test_a_required_attribute_that_is_new_today_is_refused_by_its_code(shop):
    shop.push(create(listing()))
    shop.simulator.demand(attribute_name="Shelf Life", required=True)

    [result] = shop.push(create(listing(sku="OTHER")))

    assert (result.outcome, result.problem.code) == (REJECTED, "CHK_BASIC_REQUIRED")


# Changing


def test_price_and_stock_have_calls_of_their_own_and_no_review(shop):
    [done] = shop.live(listing())

    results = shop.push(update(listing(stock=7, price=priced("9.5")), done, "price", "stock"))

    [remote] = shop.client.fetch([KEY])
    assert outcomes(results) == [ACK]
    assert shop.wire.calls[:3] == [GET, PRICE, STOCK]
    assert (remote.status, remote.facets["stock"]) == ("live", {"inventory": 7})
    assert remote.facets["price"]["tiered_price"] == [[20, "9.5"]]
    assert not {"sku_price", "sku_inventory"} & {name for form in shop.wire.forms for name in form}


@pytest.mark.parametrize("facet", ["price", "stock"])
def test_one_facet_is_one_call(shop, facet):
    [done] = shop.live(listing())

    shop.push(update(listing(stock=7, price=priced("9.5")), done, facet))

    assert shop.wire.calls == [GET, {"price": PRICE, "stock": STOCK}[facet]]


def test_what_is_there_already_is_not_sent_again(shop):
    [done] = shop.live(listing())

    assert outcomes(shop.push(update(listing(), done, *FACETS))) == [ACK]
    assert shop.wire.calls == [GET]


def test_taken_price_is_reported_where_the_stock_is_refused(shop):
    [done] = shop.live(listing())
    shop.simulator.offers_reviewed = True

    [result] = shop.push(update(listing(stock=7, price=priced("9.5")), done, "price", "stock"))

    assert (result.outcome, result.facets) == (ACK, ("price",))
    assert result.problem.code == f"{BIZ}PRODUCT_IN_AUDITING"
    assert (shop.shown()[0]["price"], shop.shown()[0]["stock"]) == (9.5, 120)


def test_new_content_is_sent_whole_and_goes_through_the_review(shop):
    [done] = shop.live(listing())

    [result] = shop.push(update(listing(stock=9, english=english(storage="Freeze")), done, "content", "stock"))
    pending = shop.client.fetch([KEY])[0].status
    shop.reviewed()
    [late] = shop.client.poll([result])

    product = msgspec.json.decode(shop.form(UPDATE)["product_info"])
    assert (result.outcome, result.handle, pending, late.outcome) == (ACCEPTED, FIRST, "pending", ACK)
    assert product["basic_info"]["product_id"] == int(FIRST)
    assert len(product["basic_info"]["product_image"]) == 2
    assert product["trade_info"]["inventory"] == 9


def test_new_pictures_are_a_new_listing_text_too(shop):
    [done] = shop.live(listing())
    one = listing(images=item().images[:1])

    assert outcomes(shop.push(update(one, done, "images"))) == [ACCEPTED]
    shop.reviewed()
    assert shop.client.fetch([KEY])[0].facets["images"] == one.facets["images"]


def test_a_text_does_not_overwrite_what_somebody_set_beside_it(shop):
    [done] = shop.live(listing())
    record = shop.sandbox.state.get("product", FIRST)
    trade = record["trade_info"] | {"inventory": 3, "price": {**record["trade_info"]["price"]}}
    trade["price"]["tiered_price"] = [{"quantity": 20, "price": 9.99}, {"quantity": 90, "price": 8}]
    shop.sandbox.state.put("picture", "https://x/hand.jpg", 1)
    basic = record["basic_info"] | {"product_image": [{"image_url": "https://x/hand.jpg"}]}
    shop.alter(FIRST, trade_info=trade, basic_info=basic)

    shop.push(update(listing(english=english(storage="Freeze")), done, "content"))
    shop.reviewed()

    [remote] = shop.client.fetch([KEY])
    assert remote.facets["stock"] == {"inventory": 3}
    assert remote.facets["price"]["tiered_price"] == [[20, "9.99"], [90, "8"]]
    assert remote.facets["images"] == ["https://x/hand.jpg"]
    assert "Freeze" in remote.facets["content"]["description"]


def test_pictures_do_not_overwrite_a_text_that_somebody_set(shop):
    [done] = shop.live(listing())
    basic = shop.sandbox.state.get("product", FIRST)["basic_info"]
    shop.alter(FIRST, basic_info=basic | {"title": "By hand"})

    shop.push(update(listing(images=item().images[:1]), done, "images"))
    shop.reviewed()

    assert shop.client.fetch([KEY])[0].facets["content"]["title"] == "By hand"


def test_a_price_of_another_kind_gives_way(shop):
    [done] = shop.live(listing())
    span = {"price_type": "RANGE", "currency": "USD", "range_price": {"min_price": 1, "max_price": 2}}
    trade = shop.sandbox.state.get("product", FIRST)["trade_info"]
    shop.alter(FIRST, trade_info=trade | {"price": span})

    shop.push(update(listing(english=english(storage="Freeze")), done, "content"))
    shop.reviewed()

    assert shop.client.fetch([KEY])[0].facets["price"] == listing().facets["price"]


def test_edits_during_a_review_wait_for_its_end(shop):
    [done] = shop.live(listing())
    shop.push(update(listing(english=english(storage="Freeze")), done, "content"))

    results = shop.push(update(listing(english=english(storage="Chill")), done, "content"))
    price = shop.push(update(listing(price=priced("3")), done, "price"))

    assert outcomes(results + price) == [DEFERRED, DEFERRED]
    assert (results[0].until - shop.clock.now()).total_seconds() == 1800
    assert results[0].problem.code == f"{BIZ}PRODUCT_IN_AUDITING"


@pytest.mark.parametrize(
    ("code", "minutes"),
    [
        (f"{BIZ}PRODUCT_NOT_EDITABLE", 30),
        ("PUB_EDIT_PROMOTION_LOCK", 360),
        ("COMP_PROMOTION_LOCK_ERROR", 360),
        (f"{BIZ}AUDITING_COMPANY_INFO", 1440),
    ],
)
def test_a_lock_parks_the_change(shop, code, minutes):
    [done] = shop.live(listing())
    shop.simulator.will_fail(STOCK, business(code))

    [result] = shop.push(update(listing(stock=1), done, "stock"))

    assert result.outcome is DEFERRED
    assert (result.until - shop.clock.now()).total_seconds() == 60 * minutes
    assert shop.count(STOCK) == 1


def test_a_lost_answer_to_a_text_is_not_repeated_and_looked_up(shop):
    [done] = shop.live(listing())
    shop.lose(UPDATE, applied=True)
    new = listing(english=english(storage="Freeze"))
    with pytest.raises(Unanswered):
        shop.push(update(new, done, "content"))

    [again] = shop.push(update(new, done, "content"))

    assert (shop.count(UPDATE), again.outcome) == (1, ACCEPTED)


@pytest.mark.parametrize("api", [PRICE, STOCK])
def test_a_lost_answer_to_an_offer_is_repeated_because_it_sets_a_value(shop, api):
    [done] = shop.live(listing())
    shop.lose(api, applied=True)

    results = shop.push(update(listing(stock=2, price=priced("2")), done, "price", "stock"))

    assert (outcomes(results), shop.count(api)) == ([ACK], 2)


def test_a_lost_answer_to_a_picture_is_repeated(shop):
    shop.lose(UPLOAD, applied=True)

    assert outcomes(shop.push(create(listing()))) == [ACCEPTED]


@pytest.mark.parametrize("remote_id", ["", "x", "٣", "5_6", "-5", "1" * 20])
def test_a_change_without_a_usable_id_is_looked_up(shop, remote_id):
    kinds = (Kind.UPDATE, Kind.RELIST, Kind.DELIST)

    results = shop.push(*(change(kind, listing(), remote_id, ("stock",)) for kind in kinds))

    assert outcomes(results) == [UNKNOWN] * 3
    assert shop.wire.calls == []


def test_a_listing_that_is_gone_is_looked_up(shop):
    assert outcomes(shop.push(change(Kind.UPDATE, listing(), "12", ("stock",)))) == [UNKNOWN]


def test_a_deleted_listing_is_looked_up(shop):
    [done] = shop.live(listing())
    shop.alter(FIRST, status="deleted")

    assert outcomes(shop.push(update(listing(stock=1), done, "stock"))) == [UNKNOWN]
    assert shop.client.fetch([KEY]) == []


def test_a_listing_of_another_member_is_refused(shop):
    [done] = shop.live(listing())
    shop.alter(FIRST, owner="200099999")

    [result] = shop.push(update(listing(stock=1), done, "stock"))

    assert (result.outcome, result.problem.code) == (REJECTED, f"{BIZ}NOT_PRODUCT_OWNER")


def test_a_template_of_another_member_is_refused(shop):
    [result] = shop.open(shipping_template_id="999").push([create(listing())])

    assert (result.outcome, result.problem.code) == (REJECTED, f"{BIZ}TEMPLATE_OWNER_ERROR")


@pytest.mark.parametrize("body", [{"code": "0"}, {"code": "0", "result": {"data": None}}, {"code": "0", "result": []}])
def test_an_offer_that_nobody_calls_a_success_is_none(shop, body):
    [done] = shop.live(listing())
    shop.answers(STOCK, body)

    with pytest.raises(Unanswered):
        shop.push(update(listing(stock=1), done, "stock"))


# Taking down and bringing back


def test_take_down_and_bring_back(shop):
    [done] = shop.live(listing())

    hidden = shop.push(delist(done))
    status = shop.client.fetch([KEY])[0].status
    again = shop.push(delist(done))
    back = shop.push(change(Kind.RELIST, listing(), done.remote_id, ()))

    assert (outcomes(hidden), status, outcomes(again)) == ([ACK], "hidden", [ACK])
    assert (outcomes(back), shop.shown()[0]["status"]) == ([ACK], "live")


def test_what_is_taken_down_shares_a_call(shop):
    done = shop.live(*several(5))

    assert outcomes(shop.push(*map(delist, done))) == [ACK] * 5
    assert shop.wire.calls == [SWITCH]
    assert {one["status"] for one in shop.shown()} == {"hidden"}


def test_a_part_of_what_is_taken_down_may_be_refused(shop):
    done = shop.live(*several(4))
    shop.push(update(listing(sku="CM-000", english=english(storage="Freeze")), done[0], "content"))
    shop.alter(done[1].remote_id, status="offline")
    shop.sandbox.state.delete("product", done[2].remote_id)

    results = shop.push(*map(delist, done))

    assert outcomes(results) == [DEFERRED, ACK, ACK, ACK]
    assert results[0].problem.code == f"{BIZ}PRODUCT_IN_AUDITING"
    assert results[0].until > shop.clock.now()


def test_what_was_rejected_is_down_already(shop):
    [bad] = shop.live(listing(english=english(description="It cures cancer.")))

    assert outcomes(shop.push(delist(bad))) == [ACK]


def test_what_could_not_be_taken_down_and_still_shows_is_looked_up(shop):
    [done] = shop.live(listing())
    error = {"product_id": int(FIRST), "errors": [{"msg_code": f"{BIZ}PRODUCT_STATUS_INVALID"}]}
    shop.answers(SWITCH, {"code": "0", "success": False, "updated_product_ids": [], "errors": [error]})

    assert outcomes(shop.push(delist(done))) == [UNKNOWN]


@pytest.mark.parametrize(
    "error",
    [
        {"product_id": int(FIRST), "msg_code": "FUNCTION_FORBIDDEN", "message": "m"},
        {"product_id": FIRST, "errors": [{"msg_code": "FUNCTION_FORBIDDEN", "message": "m"}]},
    ],
)
@pytest.mark.parametrize("success", [True, False])
def test_errors_of_one_product_count_beside_a_success(shop, error, success):
    [done] = shop.live(listing())
    shop.answers(SWITCH, {"code": "0", "success": success, "updated_product_ids": [int(FIRST)], "errors": [error]})

    [result] = shop.push(delist(done))

    assert (result.outcome, result.problem.code) == (REJECTED, "FUNCTION_FORBIDDEN")


def test_a_code_inside_a_batch_that_nobody_knows_is_noted(shop):
    [done] = shop.live(listing())
    error = {"product_id": int(FIRST), "errors": [{"msg_code": f"{BIZ}NEW", "message": "m"}]}
    shop.answers(SWITCH, {"code": "0", "success": False, "updated_product_ids": [], "errors": [error]})

    assert outcomes(shop.push(delist(done))) == [REJECTED]
    assert [oddity.name for oddity in shop.sessions[0].oddities.take()] == [f"{BIZ}NEW"]


@pytest.mark.parametrize("where", ["top", "result"])
def test_a_product_that_the_answer_does_not_name_is_in_doubt(shop, where):
    done = shop.live(*several(2))
    ids = {"success": True, "updated_product_ids": [int(done[0].remote_id)], "errors": []}
    shop.answers(SWITCH, {"code": "0", **(ids if where == "top" else {"result": ids})})

    assert outcomes(shop.push(*map(delist, done))) == [ACK, UNKNOWN]


def test_what_is_brought_back_has_its_new_price_first(shop):
    [done] = shop.live(listing())
    shop.push(delist(done))
    shop.wire.calls.clear()

    assert outcomes(shop.push(change(Kind.RELIST, listing(price=priced("5")), done.remote_id))) == [ACK]
    assert shop.wire.calls == [GET, PRICE, SWITCH]


def test_what_is_brought_back_with_a_new_text_waits_for_its_review(shop):
    [done] = shop.live(listing())
    shop.push(delist(done))
    back = change(Kind.RELIST, listing(english=english(storage="Freeze")), done.remote_id)

    [first] = shop.push(back)
    shop.reviewed()
    [second] = shop.push(back)

    assert (first.outcome, first.problem.code) == (DEFERRED, f"{BIZ}PRODUCT_IN_AUDITING")
    assert (second.outcome, shop.count(UPDATE)) == (ACK, 1)
    assert shop.shown()[0]["status"] == "live"


# Polling


def test_a_listing_that_the_outcome_does_not_know_is_read_itself(shop):
    [made] = shop.push(create(listing()))
    shop.alter(FIRST, audit="pending", by_hand=True)
    early = shop.client.poll([made])
    shop.reviewed()

    assert outcomes(early + shop.client.poll([made])) == [ACCEPTED, ACK]


def test_a_rejection_that_the_outcome_does_not_know_is_one(shop):
    [made] = shop.push(create(listing(english=english(description="It cures cancer."))))
    shop.alter(FIRST, audit="pending", by_hand=True)
    shop.reviewed()

    assert outcomes(shop.client.poll([made])) == [REJECTED]


@pytest.mark.parametrize(("status", "outcome"), [("draft", REJECTED), ("failed", REJECTED), ("new-word", ACCEPTED)])
def test_words_of_the_outcome(shop, status, outcome):
    [made] = shop.push(create(listing()))
    shop.answers(OUTCOME, {"code": "0", "result": {"success": True, "data": {"status": status}}})

    assert outcomes(shop.client.poll([made])) == [outcome]


def test_a_listing_that_vanished_meanwhile_is_looked_up(shop):
    [made] = shop.push(create(listing()))
    shop.sandbox.state.delete("product", FIRST)

    assert outcomes(shop.client.poll([made])) == [UNKNOWN]


def test_a_listing_that_was_hidden_meanwhile_is_looked_up(shop):
    [made] = shop.push(create(listing()))
    shop.alter(FIRST, audit="approved", status="offline")

    assert outcomes(shop.client.poll([made])) == [UNKNOWN]


def test_a_refused_poll_is_no_verdict(shop):
    [made] = shop.push(create(listing()))
    shop.simulator.will_fail(OUTCOME, gateway("ServiceUnavailable"), times=9)

    with pytest.raises(Unanswered):
        shop.client.poll([made])


# The gateway


@pytest.mark.parametrize("code", ["ApiCallLimit", "AppCallLimit"])
def test_a_ban_is_waited_out_as_long_as_it_says(shop, code):
    [done] = shop.live(listing())
    shop.simulator.will_fail(STOCK, gateway(code, "frequency exceeds the limit. this ban will last 17 seconds"))
    before = shop.clock.monotonic()

    assert outcomes(shop.push(update(listing(stock=2), done, "stock"))) == [ACK]
    assert shop.clock.monotonic() - before >= 17


def test_a_throttled_translation_is_tried_a_few_times_and_no_more(shop):
    shop.simulator.will_fail(CREATE, business("B_PRODUCT_INFO_TRANSLATION_FAILED"), times=99)

    with pytest.raises(Throttled):
        shop.push(create(listing()))
    assert shop.count(CREATE) == 3


@pytest.mark.parametrize("fault", [Fault(times=9, status=503), Fault(times=9, status=429), Fault(times=9, status=502)])
def test_errors_of_the_edge_are_no_success(shop, fault):
    [done] = shop.live(listing())
    shop.sandbox.fault(fault)

    with pytest.raises((Unanswered, Throttled)):
        shop.push(update(listing(stock=2), done, "stock"))


def test_an_expired_token_in_the_midst_of_a_push_is_renewed(shop):
    [done] = shop.live(listing())
    shop.simulator.expire()

    assert outcomes(shop.push(update(listing(stock=2), done, "stock"))) == [ACK]


def test_a_token_that_cannot_be_renewed_raises(shop):
    [done] = shop.live(listing())
    shop.simulator.expire()
    client = shop.open(refresh_token=None)

    with pytest.raises(AuthorisationFailed):
        client.push([update(listing(stock=2), done, "stock")])


def test_a_spent_quota_is_waited_out(shop):
    [done] = shop.live(listing())
    shop.simulator.quota = (3, 6.0)

    for stock in range(5):
        assert outcomes(shop.push(update(listing(stock=stock), done, "stock"))) == [ACK]

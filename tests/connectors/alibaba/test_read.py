"""Reading back: pages that must not end early, odd spellings, states, and answers of another shape."""

from __future__ import annotations

import unicodedata

import httpx
import pytest

from connectors.errors import OtherShape, Unanswered
from tests.connectors.alibaba.shop import GET, KEY, SEARCH, Shop, api_of, business, create, gateway, listing, several

FIRST = "1601314875038"


def fill(shop: Shop, count: int) -> None:
    """One listing as it is made, and copies of it under other model numbers."""
    shop.live(*several(1))
    shop.alter(FIRST)
    with shop.sandbox.state.transaction():
        first = shop.sandbox.state.get("product", FIRST)
        for n in range(1, count):
            number = int(FIRST) + n
            basic = first["basic_info"] | {"model_number": f"CM-{n:03}"}
            shop.sandbox.state.put("product", str(number), first | {"id": number, "basic_info": basic})


def altered(shop: Shop, **changes: object) -> None:
    """Every page says so instead; what is not named stays as it was."""

    def alter(request: httpx.Request) -> httpx.Response | None:
        if api_of(request) != SEARCH:
            return None
        answer = shop.sandbox.handle(request).json()
        page = {**answer.get("page", {}), **changes.pop("page", {})}
        return httpx.Response(200, json={**answer, "page": page, **changes})

    shop.wire.before = alter


def test_everything_is_read_page_by_page(shop):
    fill(shop, 45)

    pages = list(shop.client.everything())

    assert [len(page) for page in pages] == [20, 20, 5]
    assert len({remote.key for page in pages for remote in page}) == 45
    assert [form["page_index"] for form in shop.wire.forms] == ["1", "2", "3"]


def test_an_empty_shop_has_nothing(shop):
    assert [remote for page in shop.client.everything() for remote in page] == []
    assert shop.client.check().id


def test_a_full_last_page_is_the_last(shop):
    fill(shop, 20)

    assert [len(page) for page in shop.client.everything()] == [20]
    assert shop.count(SEARCH) == 1


def test_a_page_that_comes_twice_is_an_error(shop):
    fill(shop, 40)
    first: list[httpx.Response] = []

    def repeat(request: httpx.Request) -> httpx.Response:
        first.append(shop.sandbox.handle(request))
        return first[0]

    shop.wire.before = repeat

    with pytest.raises(Unanswered, match="page-repeated"):
        list(shop.client.everything())


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ({"total_item": 99}, "page-missing"),
        ({"total_item": "2"}, "page-missing"),
        ({"total_page": 0}, ""),
        ({"page_index": 7}, "page-repeated"),
    ],
)
def test_totals_that_do_not_agree_are_no_answer(shop, page, code):
    fill(shop, 3)
    altered(shop, page=page)

    if code:
        with pytest.raises(Unanswered, match=code):
            list(shop.client.everything())
    else:
        assert sum(map(len, shop.client.everything())) == 3


def test_a_page_that_names_a_listing_twice_is_an_error(shop):
    fill(shop, 1)
    one = shop.sandbox.marketplace._shown(shop.sandbox.state.get("product", FIRST))
    altered(shop, product_info=[one, one])

    with pytest.raises(Unanswered, match="page-repeated"):
        list(shop.client.everything())


def test_a_page_that_is_left_out_is_an_error(shop):
    fill(shop, 25)
    shop.wire.before = lambda request: (
        httpx.Response(200, json=business("B_PRODUCT_NOT_FOUND"))
        if shop.wire.forms[-1].get("page_index") == "2"
        else None
    )

    with pytest.raises(Unanswered, match="page-missing"):
        list(shop.client.everything())


def test_an_empty_page_in_the_midst_is_an_error(shop):
    fill(shop, 45)

    def empty(request: httpx.Request) -> httpx.Response | None:
        if shop.wire.forms[-1].get("page_index") != "2":
            return None
        return httpx.Response(200, json={**shop.sandbox.handle(request).json(), "product_info": []})

    shop.wire.before = empty

    with pytest.raises(Unanswered, match="page-missing"):
        list(shop.client.everything())


def test_a_listing_removed_meanwhile_is_no_full_read(shop):
    """What stood behind has moved up, and one of it was never shown."""
    fill(shop, 25)
    pages = shop.client.everything()
    next(pages)
    shop.sandbox.state.delete("product", FIRST)

    with pytest.raises(Unanswered, match="page-missing"):
        list(pages)


def test_numbers_of_pages_may_be_text(shop):
    fill(shop, 3)
    altered(shop, page={"page_index": "1", "total_item": "3", "total_page": "1"})

    assert sum(map(len, shop.client.everything())) == 3


def test_a_page_may_lie_inside_the_result(shop):
    fill(shop, 1)
    answer = {}

    def wrap(request: httpx.Request) -> httpx.Response:
        answer.update(shop.sandbox.handle(request).json())
        inner = {"success": True, "product_info": answer["product_info"], "page": answer["page"]}
        return httpx.Response(200, json={"code": "0", "result": inner})

    shop.wire.before = wrap

    assert [remote.key for page in shop.client.everything() for remote in page] == ["CM-000"]


def test_a_search_that_fails_is_asked_again(shop):
    fill(shop, 3)
    shop.simulator.will_fail(SEARCH, business("S_PRODUCT_SEARCH_ERROR"))

    assert sum(map(len, shop.client.everything())) == 3


def test_keys_are_asked_one_by_one_and_matched_whole(shop):
    fill(shop, 3)

    found = shop.client.fetch(["CM-001", "NO", "CM-0", "CM-001"])

    assert [remote.key for remote in found] == ["CM-001"]
    assert [form["model_number"] for form in shop.wire.forms] == ["CM-001", "NO", "CM-0"]


def test_a_listing_of_another_model_number_is_not_taken_for_ours(shop):
    fill(shop, 1)
    shop.wire.before = lambda request: shop.sandbox.handle(request)
    one = shop.simulator._shown(shop.sandbox.state.get("product", FIRST))
    page = {"page_index": 1, "page_size": 20, "total_item": 1, "total_page": 1}
    shop.answers(SEARCH, {"code": "0", "product_info": [one], "page": page})

    assert shop.client.fetch(["ANOTHER"]) == []


def test_a_new_listing_is_found_only_after_the_searchs_lag(shop):
    shop.push(create(listing()))
    early = shop.client.fetch([KEY])
    shop.clock.advance(seconds=2)

    assert (early, len(shop.client.fetch([KEY]))) == ([], 1)


def test_a_listing_without_a_model_number_bears_its_own(shop):
    fill(shop, 1)
    basic = shop.sandbox.state.get("product", FIRST)["basic_info"]
    shop.alter(FIRST, basic_info=basic | {"model_number": ""})

    assert [remote.key for page in shop.client.everything() for remote in page] == [FIRST]


def one(**changes: object) -> dict:
    """A listing as the documents draw it; a dotted name changes an inner field, None drops it."""
    made: dict = {
        "basic_info": {
            "product_id": 5, "title": "Shrimp", "keywords": "a\nb", "description": "<p>x</p>", "model_number": KEY,
            "product_images": [], "status": "online", "audit_status": "approved",
        },
        "category_info": {"category_id": 100009031, "category_name": "Dried Seafood"},
        "attributes": [],
        "trade_info": {
            "moq": 20, "unit": "Pack", "inventory": 7, "sku_info": [],
            "price": {"price_type": "TIERED", "currency": "USD", "tiered_price": [{"quantity": 20, "price": 2.5}]},
        },
        "logistics_info": {"weight": "0.55", "dimension": {"length": 20, "width": 15, "height": 10}},
    }  # fmt: skip
    for name, value in changes.items():
        part, _, field = name.partition("__")
        made[part] = {**made[part], field: value} if field else value
        if value is None:
            (made[part] if field else made).pop(field or part)
    return made


def read(shop: Shop, **changes: object):
    shop.answers(
        SEARCH,
        {
            "code": "0",
            "product_info": [one(**changes)],
            "page": {"page_index": 1, "page_size": 20, "total_item": 1, "total_page": 1},
        },
    )
    return shop.client.fetch([KEY])


@pytest.mark.parametrize(
    ("status", "audit", "wanted"),
    [
        ("online", "approved", "live"), ("ONLINE", "Approved", "live"), ("offline", "approved", "hidden"),
        ("online", "pending", "pending"), ("offline", "pending", "pending"), ("online", "auditing", "pending"),
        ("online", "wait_audit", "pending"), ("online", "rejected", "rejected"), ("offline", "rejected", "rejected"),
        ("online", "tbd", "rejected"), ("online", "unheard-of", "pending"), ("unheard-of", "approved", "pending"),
    ],
)  # fmt: skip
def test_states(shop, status, audit, wanted):
    [remote] = read(shop, basic_info__status=status, basic_info__audit_status=audit)

    assert remote.status == wanted


def test_a_deleted_listing_is_not_there(shop):
    assert read(shop, basic_info__status="deleted") == []


@pytest.mark.parametrize(
    ("changes", "facet", "wanted"),
    [
        ({"trade_info__inventory": "7"}, "stock", {"inventory": 7}),
        ({"trade_info__inventory": 7.0}, "stock", {"inventory": 7}),
        ({"trade_info__inventory": None}, "stock", {"inventory": 0}),
        ({"basic_info__product_images": ["//x/a.jpg"]}, "images", ["https://x/a.jpg"]),
        ({"basic_info__product_images": [{"image_url": "https://x/a.jpg"}]}, "images", ["https://x/a.jpg"]),
    ],
)
def test_numbers_and_pictures_are_spelled_in_several_ways(shop, changes, facet, wanted):
    [remote] = read(shop, **changes)

    assert remote.facets[facet] == wanted


@pytest.mark.parametrize("price", ["2.50", 2.5, "2.5"])
def test_a_price_is_the_same_in_every_spelling(shop, price):
    tiers = [{"quantity": "20", "price": price}, {"quantity": 100, "price": 2}]
    [remote] = read(shop, trade_info__price={"price_type": "TIERED", "currency": "USD", "tiered_price": tiers})

    assert remote.facets["price"]["tiered_price"] == [[20, "2.5"], [100, "2"]]


def test_a_price_of_another_kind_is_seen(shop):
    span = {"min_price": 1, "max_price": 2}
    [remote] = read(shop, trade_info__price={"price_type": "RANGE", "currency": "USD", "range_price": span})

    assert remote.facets["price"] == {"price_type": "RANGE", "currency": "USD", "tiered_price": []}


@pytest.mark.parametrize("place", ["category_info", "attributes"])
def test_attributes_lie_in_one_of_two_places_and_only_ours_count(shop, place):
    rows = [
        {"attribute_name": "Place of Origin", "attribute_value": "Viet Nam"},
        {"attribute_name": "Colour", "attribute_value": "red"},
        {"attribute_name": "Brand Name", "attribute_value": ""},
    ]
    inner = {"category_id": "100009031", "attributes": rows}
    [remote] = read(shop, **({place: inner} if place == "category_info" else {place: rows}))

    assert remote.facets["content"]["attributes"] == {"Place of Origin": "Viet Nam"}
    assert remote.facets["content"]["category_id"] == 100009031


def test_both_forms_of_a_letter_read_alike(shop):
    [remote] = read(shop, basic_info__description=unicodedata.normalize("NFD", "<p>Rạch Gốc</p>"))

    assert remote.facets["content"]["description"] == "<p>Rạch Gốc</p>"


@pytest.mark.parametrize(
    "changes",
    [
        {"basic_info": None}, {"basic_info__product_id": None}, {"basic_info__product_id": "5x"},
        {"basic_info__product_id": 5.5}, {"basic_info__status": None}, {"basic_info__audit_status": None},
        {"basic_info__title": 5}, {"category_info": None}, {"category_info__category_id": "x"}, {"trade_info": None},
        {"trade_info__inventory": "many"}, {"trade_info__moq": "a few"}, {"trade_info__sku_info": 5},
        {"trade_info__price": 5}, {"logistics_info": []}, {"logistics_info__weight": "heavy"},
        {"logistics_info__dimension": {"length": "x"}}, {"basic_info__product_images": [5]},
    ],
)  # fmt: skip
def test_another_shape_is_no_answer(shop, changes):
    with pytest.raises(OtherShape):
        read(shop, **changes)


@pytest.mark.parametrize(
    "body",
    [
        {"code": "0"}, {"code": "0", "product_info": []}, {"code": "0", "page": {}},
        {"code": "0", "product_info": {}, "page": {"page_index": 1, "total_item": 0, "total_page": 0}},
        {"code": "0", "product_info": [], "page": {"page_index": "x", "total_item": 0, "total_page": 0}},
        {"code": "0", "product_info": [5], "page": {"page_index": 1, "total_item": 1, "total_page": 1}},
    ],
)  # fmt: skip
def test_a_page_of_another_shape_is_no_empty_shop(shop, body):
    shop.answers(SEARCH, body)

    with pytest.raises(OtherShape):
        shop.client.fetch([KEY])
    with pytest.raises(OtherShape):
        list(shop.client.everything())
    with pytest.raises(OtherShape):
        shop.client.check()


def test_an_answer_about_another_product_is_none(shop):
    [done] = shop.live(listing())
    shop.answers(GET, {"code": "0", "product_info": one()})

    with pytest.raises(OtherShape, match="another product"):
        shop.client.poll([done])


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"<html>502</html>", b'{"code":"0"', b'{"code":"0","x":NaN}', b"\xff"]
)
def test_what_is_no_document_is_no_empty_shop(shop, body):
    shop.wire.before = lambda request: httpx.Response(200, content=body)

    with pytest.raises(Unanswered):
        list(shop.client.everything())


def test_a_code_that_nobody_knows_is_noted(shop):
    shop.answers(SEARCH, gateway("SomethingNew"))

    with pytest.raises(Unanswered):
        shop.client.fetch([KEY])
    assert [oddity.name for oddity in shop.sessions[0].oddities.take()] == ["SomethingNew"]

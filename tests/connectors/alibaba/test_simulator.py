"""The simulator refuses what the documents refuse."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import httpx
import msgspec
import pytest

from connectors.alibaba.simulator import Simulator
from connectors.iop import sign
from connectors.server import application
from connectors.simulator import Sandbox
from tests.connectors.alibaba.shop import (
    BIZ,
    CREATE,
    GET,
    OUTCOME,
    PRICE,
    SEARCH,
    STOCK,
    SWITCH,
    UPDATE,
    UPLOAD,
    Shop,
    create,
    listing,
    several,
    update,
)
from tests.scenarios.world import HandClock

FIRST = "1601314875038"
PNG = b"\x89PNG\r\n\x1a\n"


def ask(shop: Shop, api: str, files: dict[str, Any] | None = None, **fields: Any) -> dict:
    """One signed call with whatever is given; what is no text goes as JSON."""
    texts = {name: value if isinstance(value, str) else text(value) for name, value in fields.items()}
    texts |= {"app_key": "500001", "sign_method": "sha256", "access_token": "sandbox-alibaba-access"}
    texts["timestamp"] = str(int(shop.clock.now().timestamp() * 1000))
    texts["sign"] = sign("sandbox-alibaba-secret", api, texts)
    request = httpx.Request("POST", f"https://x/alibaba/rest{api}", data=texts, files=files)
    return shop.sandbox.handle(request).json()


def text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def code(answer: dict) -> str:
    inside = answer.get("result") or answer
    return str(inside.get("msg_code") or answer.get("code"))


def good(shop: Shop) -> dict:
    """A listing that is taken: what our own client sends."""
    shop.push(create(listing()))
    product = msgspec.json.decode(shop.form(CREATE)["product_info"])
    product["basic_info"]["model_number"] = "OTHER"
    return product


def changed(product: dict, path: str, value: Any) -> dict:
    made = copy.deepcopy(product)
    *parts, last = path.split(".")
    inner = made
    for part in parts:
        inner = inner[part]
    inner[last] = value
    return made


def tiers(*steps: tuple[int, float]) -> list[dict]:
    return [{"quantity": quantity, "price": price} for quantity, price in steps]


RANGE = {"price_type": "RANGE", "currency": "USD", "range_price": {"min_price": 1, "max_price": 2}}
BAD = [
    ("basic_info.title", "", "B_TITLE_NOT_FOUND"),
    ("basic_info.title", "x" * 129, "CHK_MAX_LENGTH"),
    ("basic_info.title", "Cà Mau", "CHK_MAX_LENGTH"),
    ("basic_info.keywords", "", "B_KEYWORD_NOT_FOUND"),
    ("basic_info.keywords", "x" * 385, "B_KEYWORD_NOT_FOUND"),
    ("basic_info.description", "", f"{BIZ}DESCRIPTION_IS_REQUIRED"),
    ("basic_info.language", "vi_VN", "B_PRODUCT_INFO_TRANSLATION_FAILED"),
    ("basic_info.product_image", [], "CHK_IMAGE_FILE_COUNT_EXCEED"),
    ("basic_info.product_image", [{"image_url": "https://x/a.jpg"}], "B_IMAGE_UPLOAD_FAILED"),
    ("basic_info.product_image", [{}] * 7, "CHK_IMAGE_FILE_COUNT_EXCEED"),
    ("category_info.category_id", 2, "CHK_CAT_NOT_LEAF"),
    ("category_info.category_id", "100009031", "CHK_CAT_NOT_LEAF"),
    ("category_info.attributes", [], "CHK_BASIC_REQUIRED"),
    ("category_info.attributes", [{"attribute_name": "x", "attribute_value": "x" * 71}], "B_ATTRIBUTE_INVALID"),
    ("category_info.attributes", [{"attribute_name": "x", "attribute_value": 5}], "B_ATTRIBUTE_INVALID"),
    ("trade_info.moq", 0, "B_PRODUCT_PARAM_INVALID"),
    ("trade_info.moq", 100_000, "B_PRODUCT_PARAM_INVALID"),
    ("trade_info.unit", "Hộp", "B_PRODUCT_PARAM_INVALID"),
    ("trade_info.inventory", -1, "B_PRODUCT_PARAM_INVALID"),
    ("trade_info.price", None, "B_PRICE_ALL_NULL"),
    ("trade_info.price", {"price_type": "TIERED", "currency": "USD", "tiered_price": []}, "B_PRICE_ALL_NULL"),
    ("trade_info.price.currency", "VND", f"{BIZ}PRICE_TYPE_REQUIRED"),
    ("trade_info.price.price_type", "FOB", f"{BIZ}PRICE_TYPE_REQUIRED"),
    ("trade_info.price.tiered_price", tiers((20, 1.005)), "B_PRICE_SCALE_INVALID"),
    ("trade_info.price.tiered_price", tiers((20, 0)), "B_PRICE_SCALE_INVALID"),
    ("trade_info.price.tiered_price", tiers((20, 2), (100, 2)), "B_PRICE_SEQUENCE_INVALID"),
    ("trade_info.price.tiered_price", tiers((20, 2), (100, 3)), "B_PRICE_SEQUENCE_INVALID"),
    ("trade_info.price.tiered_price", tiers((20, 2), (20, 1)), "B_PRICE_SEQUENCE_INVALID"),
    ("trade_info.price.tiered_price", tiers((100, 2), (20, 1)), "B_PRICE_SEQUENCE_INVALID"),
    ("trade_info.price.tiered_price", tiers((19, 2)), "B_PRICE_SEQUENCE_INVALID"),
    ("trade_info.price.tiered_price", tiers(*((20 * n, 9 - n) for n in range(1, 6))), "B_PRICE_SEQUENCE_INVALID"),
    ("trade_info.sku_info", [{"sku_code": "x", "sku_price": 2.5}], "InvalidParameter"),
    ("logistics_info.shipping_template_id", "9", f"{BIZ}TEMPLATE_OWNER_ERROR"),
    ("logistics_info.weight", 0.5, "B_PRODUCT_PARAM_INVALID"),
    ("logistics_info.weight", "0", "B_PRODUCT_PARAM_INVALID"),
    ("logistics_info.dimension", {}, "B_PRODUCT_PARAM_INVALID"),
]


@pytest.mark.parametrize(("path", "value", "wanted"), BAD)
def test_what_a_listing_may_not_hold(shop, path, value, wanted):
    product = good(shop)

    assert code(ask(shop, CREATE, product_info=changed(product, path, value))) == wanted
    assert len(shop.shown()) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("basic_info.title", "x" * 128),
        ("trade_info.moq", 1),
        ("trade_info.price.tiered_price", tiers((20, 3), (100, 2.99), (500, 2), (900, 1))),
        (
            "trade_info.price",
            {"price_type": "RANGE", "currency": "USD", "range_price": {"min_price": 1, "max_price": 2}},
        ),
        ("trade_info.sku_info", [{"sku_code": "x", "sku_price": {"price": 2.5, "currency": "USD"}}]),
        ("attributes", [{"attribute_name": "Place of Origin", "attribute_value": "x" * 70}]),
    ],
)
def test_what_a_listing_may_hold(shop, path, value):
    product = good(shop)

    answer = ask(shop, CREATE, product_info=changed(product, path, value))

    assert answer["result"]["success"] is True
    assert answer["result"]["data"] == int(FIRST) + 1


def test_a_range_of_prices_rises(shop):
    flat = RANGE | {"range_price": {"min_price": 2, "max_price": 2}}

    answer = ask(shop, CREATE, product_info=changed(good(shop), "trade_info.price", flat))

    assert code(answer) == "B_MIN_PRICE_RANGE_INVALID"


def test_a_listing_without_any_stock_is_refused(shop):
    product = good(shop)
    del product["trade_info"]["inventory"]

    assert code(ask(shop, CREATE, product_info=product)) == f"{BIZ}INVENTORY_REQUIRED"


@pytest.mark.parametrize("given", ["no json", "[]", "{}", '{"basic_info":[]}'])
def test_a_listing_is_one_json_text(shop, given):
    assert code(ask(shop, CREATE, product_info=given)) in ("InvalidParameter", "B_PRODUCT_PARAM_INVALID")


def test_model_numbers_may_repeat(shop):
    product = good(shop)
    for _ in range(2):
        ask(shop, CREATE, product_info=product)
    shop.clock.advance(seconds=5)

    assert len(ask(shop, SEARCH, model_number="OTHER")["product_info"]) == 2


PRICED = {"price_type": "TIERED", "currency": "USD", "tiered_price": tiers((20, 5))}


@pytest.mark.parametrize(
    ("api", "fields", "wanted"),
    [
        (PRICE, {}, "B_PRICE_ALL_NULL"),
        (PRICE, {"price": PRICED, "sku_price": [{"sku_id": 1, "price": 2}]}, "B_PRICE_CONFLICT"),
        (PRICE, {"price": {**PRICED, "currency": "VND"}}, f"{BIZ}PRICE_TYPE_REQUIRED"),
        (PRICE, {"price": {**PRICED, "tiered_price": tiers((20, 5), (40, 5))}}, "B_PRICE_SEQUENCE_INVALID"),
        (PRICE, {"sku_price": [{"sku_id": 1, "price": 2}]}, f"{BIZ}PRODUCT_SKU_INVALID"),
        (STOCK, {}, "B_INVENTORY_ALL_NULL"),
        (STOCK, {"inventory": "5", "sku_inventory": [{"sku_id": 1, "inventory": 2}]}, "B_INVENTORY_CONFLICT"),
        (STOCK, {"inventory": "-5"}, "B_PRODUCT_PARAM_INVALID"),
        (STOCK, {"sku_inventory": [{"sku_id": 1, "inventory": 2}]}, f"{BIZ}PRODUCT_SKU_INVALID"),
    ],
)
def test_offers_that_are_refused(shop, api, fields, wanted):
    shop.live(listing())

    assert code(ask(shop, api, product_id=FIRST, **fields)) == wanted


@pytest.mark.parametrize("api", [PRICE, STOCK, UPDATE])
def test_nothing_is_edited_during_a_review(shop, api):
    product = good(shop)
    product["basic_info"]["product_id"] = int(FIRST)
    fields = {PRICE: {"price": PRICED}, STOCK: {"inventory": "5"}, UPDATE: {"product_info": product}}[api]

    assert f"{BIZ}PRODUCT_IN_AUDITING" in code(ask(shop, api, product_id=FIRST, **fields))


def test_a_stock_of_the_whole_listing_overwrites_every_variant(shop):
    shop.live(listing())
    trade = shop.sandbox.state.get("product", FIRST)["trade_info"]
    skus = [{"sku_id": n, "sku_price": {"price": 1, "currency": "USD"}, "inventory": n} for n in (1, 2)]
    shop.alter(FIRST, trade_info=trade | {"sku_info": skus})

    ask(shop, STOCK, product_id=FIRST, sku_inventory=[{"sku_id": 1, "inventory": 9}])
    ask(shop, PRICE, product_id=FIRST, sku_price=[{"sku_id": 2, "price": 3}])
    apart = ask(shop, GET, product_id=FIRST)["product_info"]["trade_info"]["sku_info"]
    ask(shop, STOCK, product_id=FIRST, inventory="5")
    together = ask(shop, GET, product_id=FIRST)["product_info"]["trade_info"]["sku_info"]

    assert [sku["inventory"] for sku in apart] == [9, 2]
    assert apart[1]["sku_price"]["price"] == 3
    assert [sku["inventory"] for sku in together] == [5, 5]


def test_what_an_update_leaves_out_is_lost(shop):
    product = good(shop)
    shop.clock.advance(seconds=40)
    del product["category_info"]["attributes"]
    product["basic_info"]["product_id"] = int(FIRST)

    assert code(ask(shop, UPDATE, product_info=product)) == "CHK_BASIC_REQUIRED"


@pytest.mark.parametrize(
    "fields",
    [
        {"product_id_list": [], "action": "offline"},
        {"product_id_list": [1], "action": "hide"},
        {"product_id_list": list(range(21)), "action": "offline"},
        {"product_id_list": 5, "action": "offline"},
    ],
)
def test_a_switch_that_is_refused_as_a_whole(shop, fields):
    assert code(ask(shop, SWITCH, **fields)) == "B_PRODUCT_PARAM_INVALID"


def test_a_switch_tells_products_apart(shop):
    shop.live(*several(2))
    numbers = [int(FIRST), int(FIRST) + 1, 7]
    ask(shop, SWITCH, product_id_list=numbers[1:2], action="offline")

    answer = ask(shop, SWITCH, product_id_list=numbers, action="offline")

    assert (answer["success"], answer["updated_product_ids"]) == (False, numbers[:1])
    said = {one["product_id"]: one["errors"][0]["msg_code"] for one in answer["errors"]}
    assert said == {numbers[1]: f"{BIZ}PRODUCT_STATUS_INVALID", 7: "B_PRODUCT_NOT_FOUND"}


@pytest.mark.parametrize("fields", [{"page_size": "21"}, {"page_size": "0"}, {"page_index": "0"}, {"page_size": "x"}])
def test_pages_have_twenty_at_most(shop, fields):
    shop.live(listing())

    assert code(ask(shop, SEARCH, **fields)) == "B_PRODUCT_PARAM_INVALID"


def test_a_product_that_is_not_there(shop):
    assert ask(shop, OUTCOME, product_id="5")["message"] == "Product not found."
    assert "code" not in ask(shop, OUTCOME, product_id="5")
    assert code(ask(shop, GET, product_id="5")) == "B_PRODUCT_NOT_FOUND"


def test_a_leaf_has_no_children(shop):
    roots = ask(shop, "/alibaba/icbu/category/get/v2")["data"]

    assert {one["leaf_category"] for one in roots} == {"false"}
    answer = ask(shop, "/alibaba/icbu/category/get/v2", parent_category_id="100009031")
    assert code(answer) == "BUSINESS_CATEGORY_NOT_EXIST"


def test_templates_are_listed(shop):
    answer = ask(shop, "/alibaba/icbu/product/list/shipping/templates")

    assert answer["result"]["template_info_list"][0]["template_id"] == "123456"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [(PNG, "0"), (PNG.ljust(5_000_000), "0"), (PNG.ljust(5_000_001), "SIZE_TOO_LARGE"),
     (b"GIF89a", "B_CONTAINS_INVALID_IMAGE")],
)  # fmt: skip
def test_pictures_have_five_megabytes_at_most(shop, data, wanted):
    answer = ask(shop, UPLOAD, files={"image_bytes": ("a.png", data, "image/png")}, file_name="a.png")

    assert code(answer) == wanted
    assert wanted != "0" or answer["result"]["response_object"]["photobank_url"].startswith("//")


def test_a_review_ends_whether_or_not_anyone_looks(shop):
    shop.simulator.check_seconds = 3_600
    shop.push(create(listing()))
    shop.clock.advance(seconds=3_599)
    early = shop.shown()[0]["status"]
    shop.clock.advance(seconds=1)

    assert (early, shop.shown()[0]["status"]) == ("pending", "live")


def test_prices_may_begin_a_review(shop):
    [done] = shop.live(listing())
    shop.simulator.offers_reviewed = True

    shop.push(update(listing(stock=3), done, "stock"))

    assert shop.shown()[0]["status"] == "pending"


def test_what_is_listed_for_looking(shop):
    shop.live(listing())

    [one] = shop.shown()
    del one["payload"], one["updated_at"]
    assert one == {
        "key": listing().key,
        "remote_id": FIRST,
        "title": "Rach Goc Dried Shrimp, 500 g",
        "price": 17.31,
        "currency": "USD",
        "stock": 120,
        "status": "live",
    }


def test_parameters_belong_in_the_form(shop):
    request = httpx.Request("POST", f"https://x/alibaba/rest{SEARCH}?a=b", data={"app_key": "500001"})

    assert shop.sandbox.handle(request).json()["code"] == "MissingParameter"


def test_it_is_served_below_its_folder():
    sandbox = Sandbox(Simulator, clock=HandClock(), seed=1)
    transport = httpx.ASGITransport(application({"alibaba": sandbox}))

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post(f"/alibaba/rest{SEARCH}", data={"app_key": "500001"})

    answer = asyncio.run(call())
    sandbox.state.close()

    assert answer.json()["code"] == "MissingParameter"

"""The simulator is as strict as the documents: what Lazada refuses is refused here, under its code."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from connectors.iop import sign
from connectors.lazada.simulator import Simulator
from tests.connectors.lazada.shop import KEY, Shop, create, listing

URL = "https://vn-live-02.slatic.net/p/a.jpg"
ROW = {
    "SellerSku": KEY, "quantity": "20", "price": "450000", "package_height": "10", "package_length": "20",
    "package_width": "15", "package_weight": "0.55",
}  # fmt: skip
ATTRIBUTES = {"name": "Tôm khô", "brand": "No Brand", "description": "<p>x</p>", "short_description": "<ul></ul>"}


def ask(shop: Shop, method: str, api: str, **fields: str) -> dict[str, Any]:
    """One signed call, as somebody else's software would make it."""
    known = Simulator.credentials
    given = {**fields, "app_key": known["app_key"], "access_token": known["access_token"], "sign_method": "sha256"}
    given["timestamp"] = str(int(shop.clock.now().timestamp() * 1000))
    given["sign"] = sign(known["app_secret"], api, given)
    place = {"params": given} if method == "GET" else {"data": given}
    answer = shop.sandbox.handle(httpx.Request(method, f"https://x/lazada/rest{api}", **place))
    assert answer.status_code == 200
    return answer.json()


def post(shop: Shop, api: str, product: Any) -> str:
    return ask(shop, "POST", api, payload=msgspec.json.encode({"Request": {"Product": product}}).decode())["code"]


def made(row: dict[str, Any] | None = None, attributes: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    product = {
        "PrimaryCategory": "12347",
        "Images": {"Image": [URL]},
        "Attributes": ATTRIBUTES | (attributes or {}),
        "Skus": {"Sku": [ROW | (row or {})]},
    }
    return product | changes


@pytest.mark.parametrize(
    ("product", "code"),
    [
        (made(), "0"),
        (made(PrimaryCategory="6588"), "4134"),
        (made(PrimaryCategory="1"), "201"),
        (made(Images={"Image": URL}), "1001"),
        (made(Images={"Image": []}), "4139"),
        (made(Images={"Image": [URL, URL]}), "4116"),
        (made(Images={"Image": [f"{URL}{n}" for n in range(9)]}), "4169"),
        (made(Images={"Image": ["https://example.vn/a.jpg"]}), "4138"),
        (made(Skus={"Sku": ROW}), "4132"),
        (made(row={"quantity": 20}), "1001"),
        (made(row={"quantity": "-1"}), "4152"),
        (made(row={"price": "0"}), "4118"),
        (made(row={"price": "1.5"}), "4118"),
        (made(row={"package_weight": ""}), "4108"),
        (made(row={"package_weight": "0.555"}), "4149"),
        (made(row={"package_weight": "41"}), "4164"),
        (made(row={"package_height": "300"}), "4165"),
        (made(row={"SellerSku": "A/B"}), "4150"),
        (made(row={"colour": "x"}), "4106"),
        (made(attributes={"name": "ế" * 86}), "4160"),
        (made(attributes={"name": "<b>"}), "4129"),
        (made(attributes={"name": ""}), "4108"),
        (made(attributes={"brand": "Năm Căn"}), "4142"),
        (made(attributes={"short_description": "<p>x</p>"}), "4129"),
        (made(attributes={"description": "x" * 25_001}), "4120"),
        ("text", "1"),
    ],
)
def test_a_create_is_refused_under_its_code(shop, product, code):
    for url in (URL, *(f"{URL}{n}" for n in range(9))):
        shop.simulator._state.put("picture", url, 1)

    assert post(shop, "/product/create", product) == code


def test_a_seller_sku_is_taken_once(shop):
    shop.push(create(listing()))
    shop.simulator._state.put("picture", URL, 1)

    assert post(shop, "/product/create", made()) == "4135"


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([{"ItemId": "1", "SkuId": "2"}], "4137"),
        ([{"SellerSku": KEY, "Quantity": "1"}], "4193"),
        ([{"ItemId": "1", "SkuId": "2", "Quantity": 1}], "1001"),
        ([{"ItemId": "1", "SkuId": "2"}] * 51, "4171"),
    ],
)
def test_an_offer_is_refused_under_its_code(shop, rows, code):
    assert post(shop, "/product/price_quantity/update", {"Skus": {"Sku": rows}}) == code


@pytest.mark.parametrize(
    ("product", "code"),
    [({"Skus": {"Sku": [ROW]}}, "1001"), ({"Attributes": {}, "Skus": {"Sku": [ROW]}}, "4216")],
)
def test_an_update_is_refused_under_its_code(shop, product, code):
    assert post(shop, "/product/update", product) == code


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "36"),
        ({"filter": "all", "limit": "51"}, "19"),
        ({"filter": "all", "offset": "10001"}, "14"),
        ({"filter": "all", "sku_seller_list": "[" + ",".join('"x"' for _ in range(101)) + "]"}, "70"),
        ({"filter": "all", "limit": "50"}, "0"),
    ],
)
def test_a_page_is_refused_under_its_code(shop, asked, code):
    assert ask(shop, "GET", "/products/get", **asked)["code"] == code


def test_a_deactivation_goes_by_its_own_parameter(shop):
    body = msgspec.json.encode({"Request": {"Product": {"ItemId": 1}}}).decode()

    assert ask(shop, "POST", "/product/deactivate", payload=body)["code"] == "5"
    assert ask(shop, "POST", "/product/deactivate", apiRequestBody=body)["code"] == "E0002"


def test_an_ampersand_in_xml_must_be_escaped(shop):
    xml = "<Request><Images><Url>https://example.vn/a?b=1&c=2</Url></Images></Request>"

    assert ask(shop, "POST", "/images/migrate", payload=xml)["code"] == "5"


def test_a_batch_of_pictures_is_partly_done_and_only_later(shop):
    xml = "<Request><Images><Url>https://example.vn/a</Url><Url>http://10.0.0.1/b</Url></Images></Request>"
    batch = ask(shop, "POST", "/images/migrate", payload=xml)["batch_id"]
    early = ask(shop, "GET", "/image/response/get", batch_id=batch)["data"]
    shop.clock.sleep(0.5)
    late = ask(shop, "GET", "/image/response/get", batch_id=batch)["data"]

    assert early == {"images": [], "errors": []}
    assert (len(late["images"]), late["errors"][0]["original_url"]) == (1, "http://10.0.0.1/b")


def test_a_parameter_that_was_not_signed_is_refused(shop):
    fields = {"app_key": "100001", "timestamp": str(int(shop.clock.now().timestamp() * 1000)), "sign_method": "sha256"}
    fields["sign"] = sign(Simulator.credentials["app_secret"], "/seller/get", fields)

    answer = shop.sandbox.handle(
        httpx.Request("GET", "https://x/lazada/rest/seller/get", params=fields | {"more": "1"})
    )

    assert answer.json()["code"] == "IncompleteSignature"


def test_a_spent_quota_is_a_ban_with_http_200(shop):
    shop.simulator.quota = (5, 60.0)

    answers = [ask(shop, "GET", "/seller/get") for _ in range(6)]

    assert answers[-1]["code"] == "ApiCallLimit"
    assert "ban will last 13 seconds" in answers[-1]["message"]

"""Lazada's own client against the simulator: what it signs and sends is taken, and read as it reads it."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import requests

from connectors.lazada.simulator import Simulator
from models.clock import SystemClock
from tests.connectors.lazada.shop import Shop, create, listing
from tests.connectors.requests_wire import RequestsWire

KNOWN = Simulator.credentials
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("lazop_sdk"), reason="lazop-sdk is not installed")


@pytest.fixture
def lazop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Imported with a home of its own: it opens a log file there at once."""
    monkeypatch.setenv("HOME", str(tmp_path))
    module = importlib.import_module("lazop_sdk")
    yield module
    for handler in logging.getLogger("lazop_sdk.base").handlers:
        handler.close()


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """It stamps its requests with the real time."""
    shop = Shop()
    shop.clock.at = SystemClock().now()
    wire = RequestsWire(shop.sandbox, "/lazada")
    monkeypatch.setattr(requests.Session, "get_adapter", lambda self, url: wire)
    yield shop
    wire.close()


def asked(lazop: ModuleType, path: str, method: str, **fields: str) -> dict[str, object]:
    client = lazop.LazopClient(lazop.P_API_GATEWAY_URL_VN, KNOWN["app_key"], KNOWN["app_secret"])
    request = lazop.LazopRequest(path, method)
    for name, value in fields.items():
        request.add_api_param(name, value)
    answer = client.execute(request, KNOWN["access_token"])
    assert answer.code == "0", answer.body
    return answer.body


def test_the_official_sdk_reads_what_we_listed(lazop: ModuleType, shop: Shop) -> None:
    [done] = shop.live(listing())

    seller = asked(lazop, "/seller/get", "GET")
    found = asked(lazop, "/products/get", "GET", filter="all", sku_seller_list=json.dumps([listing().key]))

    assert seller["data"]["seller_id"]
    (product,) = found["data"]["products"]
    assert f"{product['item_id']}_{product['skus'][0]['SkuId']}" == done.remote_id


def test_we_read_what_the_official_sdk_changed(lazop: ModuleType, shop: Shop) -> None:
    [done] = shop.live(listing())
    item, sku = done.remote_id.split("_")
    row = {"ItemId": item, "SkuId": sku, "Price": "777000", "Quantity": "7"}

    payload = json.dumps({"Request": {"Product": {"Skus": {"Sku": [row]}}}})
    asked(lazop, "/product/price_quantity/update", "POST", payload=payload)
    shop.clock.sleep(5)

    (remote,) = shop.client.fetch([listing().key])
    assert (remote.facets["price"], remote.facets["stock"]) == ({"price": 777_000}, {"quantity": 7})


def test_the_official_sdk_creates_an_item_from_our_payload(lazop: ModuleType, shop: Shop) -> None:
    """The payload is ours, but for its SKU; the form and its signature are theirs."""
    shop.push(create(listing()))
    payload = next(form["payload"] for form in shop.wire.forms if "PrimaryCategory" in form.get("payload", ""))

    made = asked(lazop, "/product/create", "POST", payload=payload.replace(listing().key, "HANG-2"))
    shop.clock.sleep(5)

    (remote,) = shop.client.fetch(["HANG-2"])
    assert remote.remote_id == f"{made['data']['item_id']}_{made['data']['sku_list'][0]['sku_id']}"
    assert remote.facets == listing().facets

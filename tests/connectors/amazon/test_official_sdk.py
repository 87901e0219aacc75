"""The widely used Python SDK against the simulator: what it sends is what the documents mean."""

from __future__ import annotations

import httpx
import pytest

from connectors.amazon.simulator import Simulator
from connectors.simulator import SandboxTransport
from tests.connectors.amazon.shop import listing

base = pytest.importorskip("sp_api.base", reason="python-amazon-sp-api is not installed")
api = pytest.importorskip("sp_api.api", reason="python-amazon-sp-api is not installed")
auth = pytest.importorskip("sp_api.auth.access_token_client")
wire = pytest.importorskip("sp_api.base._transport_httpx")

KNOWN = {
    "refresh_token": Simulator.credentials["refresh_token"],
    "lwa_app_id": Simulator.credentials["client_id"],
    "lwa_client_secret": Simulator.credentials["client_secret"],
}
SELLER = Simulator.credentials["seller_id"]


class ToSandbox(wire.HttpxTransport):
    """The SDK's own transport, on another wire."""

    sandbox = None

    def __init__(self, **_):
        super().__init__()
        self._client.close()
        self._client = httpx.Client(transport=SandboxTransport(self.sandbox))


@pytest.fixture
def sdk(shop, monkeypatch):
    ToSandbox.sandbox = shop.sandbox
    auth.cache.clear()
    monkeypatch.setattr("sp_api.base.client.HttpxTransport", ToSandbox)
    monkeypatch.setattr("sp_api.auth.access_token_client.HttpxTransport", ToSandbox)
    yield lambda kind, **more: kind(marketplace=base.Marketplaces.US, credentials=KNOWN, **more)
    auth.cache.clear()


def test_the_sdk_reads_what_our_client_made(shop, sdk):
    made = listing()
    shop.live(made)

    listings = sdk(api.ListingsItems, version="2021-08-01")
    found = listings.get_listings_item(SELLER, made.key, includedData="summaries,attributes").payload

    assert found["summaries"][0]["itemName"] == "Rach Goc Dried Shrimp, 500 g"
    assert found["attributes"]["brand"][0]["value"] == "Rạch Gốc"
    listings.close()


def test_the_sdk_changes_what_our_client_reads(shop, sdk):
    made = listing()
    shop.live(made)
    patch = {"op": "replace", "path": "/attributes/fulfillment_availability",
             "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 9}]}  # fmt: skip

    listings = sdk(api.ListingsItems, version="2021-08-01")
    answer = listings.patch_listings_item(SELLER, made.key, body={"productType": "GROCERY", "patches": [patch]})
    shop.clock.sleep(5)
    (remote,) = shop.client.fetch([made.key])

    assert answer.payload["status"] == "ACCEPTED"
    assert remote.facets["stock"] == {"quantity": 9}
    listings.close()


def test_the_sdk_finds_the_definition(shop, sdk):
    types = sdk(api.ProductTypeDefinitions)
    found = types.get_definitions_product_type("GROCERY", requirements="LISTING", locale="en_US").payload

    assert found["productTypeVersion"]["latest"]
    types.close()


def test_the_sdk_is_told_an_error_as_it_knows_it(shop, sdk):
    listings = sdk(api.ListingsItems, version="2021-08-01")

    with pytest.raises(base.SellingApiForbiddenException):
        listings.get_listings_item("A1SOMEBODYELSE", "A")
    listings.close()

"""Meta's own client against the simulator: what it sends is what the documents mean."""

import pytest

from connectors.facebook.simulator import Simulator

api = pytest.importorskip("facebook_business.api")
session = pytest.importorskip("facebook_business.session")
RequestsWire = pytest.importorskip("tests.connectors.requests_wire").RequestsWire
ProductCatalog = pytest.importorskip("facebook_business.adobjects.productcatalog").ProductCatalog


@pytest.mark.filterwarnings("ignore::UserWarning")  # its own types do not fit a list of items
def test_the_official_sdk_is_answered_as_it_expects(shop):
    known = Simulator.credentials
    made = session.FacebookSession(app_secret=known["app_secret"], access_token=known["access_token"])
    made.requests.mount("https://", RequestsWire(shop.sandbox))
    catalog = ProductCatalog(known["catalog_id"], api=api.FacebookAdsApi(made))
    request = {"method": "DELETE", "data": {"id": "A"}}

    sent = catalog.create_items_batch(params={"item_type": "PRODUCT_ITEM", "requests": [request]})
    shop.clock.sleep(1)
    (status,) = catalog.get_check_batch_request_status(params={"handle": sent["handles"][0]})

    assert (status["status"], status["errors_total_count"]) == ("finished", 1)
    made.requests.close()

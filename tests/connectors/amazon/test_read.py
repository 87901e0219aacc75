"""Reading: pages end only where Amazon says so, and what is there reads as it was sent."""

from __future__ import annotations

import httpx
import pytest

from connectors.amazon import client, simulator
from connectors.errors import ConnectorError, OtherShape, Unanswered
from tests.connectors.amazon.shop import ITEMS, delist, listing

MARKET = "ATVPDKIKX0DER"
STAMP = "2026-08-01T02:00:00Z"


def entry(sku, created=STAMP, **changes):
    summary = {
        "marketplaceId": MARKET, "productType": "GROCERY", "status": ["BUYABLE"], "createdDate": created,
        "lastUpdatedDate": created,
    }  # fmt: skip
    return {"sku": sku, "summaries": [summary], "attributes": {}, "issues": [], **changes}


def pages(shop, *bodies):
    left = list(bodies)
    is_search = lambda request: request.method == "GET" and request.url.path.endswith(ITEMS)  # noqa: E731
    shop.wire.before = lambda r: httpx.Response(200, json=left.pop(0)) if is_search(r) and left else None


def page(items, total, token=""):
    made = {"numberOfResults": total, "items": items}
    return made | ({"pagination": {"nextToken": token}} if token else {})


def fill(shop, count, created=lambda n: 1_760_000_000.0 + n):
    """Straight into the simulator: nobody waits for a thousand calls."""
    attributes = {"purchasable_offer": [{"marketplace_id": MARKET, "currency": "USD", "audience": "ALL", "our_price": [
        {"schedule": [{"value_with_tax": 5}]}]}], "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT",
                                                                                "quantity": 1}]}  # fmt: skip
    with shop.sandbox.state.transaction():
        for n in range(count):
            known = {"asin": f"B{n:09}", "created": created(n), "at": created(n), "type": "GROCERY", "gone": False}
            shop.sandbox.state.put("item", f"S{n:05}", known | {"visible": attributes, "latest": attributes,
                                                                "new_type": "GROCERY"})  # fmt: skip


def keys(pages_read):
    return [remote.key for one in pages_read for remote in one]


def test_an_empty_shop_is_one_empty_page(shop):
    assert keys(shop.client.everything()) == []


@pytest.mark.parametrize("count", [1, 19, 20, 21, 40, 61])
def test_everything_is_read_once(shop, count):
    fill(shop, count)

    assert sorted(keys(shop.client.everything())) == [f"S{n:05}" for n in range(count)]
    assert shop.wire.count("GET", ITEMS) == max(1, -(-count // 20))


@pytest.fixture
def small_searches(monkeypatch):
    """Sixty results can be paged here, not a thousand."""
    for module in (client, simulator):
        monkeypatch.setattr(module, "LAST", 60)


@pytest.mark.parametrize("count", [59, 60, 61, 130])
@pytest.mark.usefixtures("small_searches")
def test_beyond_what_one_search_can_page_another_begins(shop, count):
    fill(shop, count)

    read = keys(shop.client.everything())

    assert len(read) == len(set(read)) == count


@pytest.mark.usefixtures("small_searches")
def test_more_of_one_second_than_can_be_paged_is_no_end(shop):
    fill(shop, 61, created=lambda n: 1_760_000_000.0)

    with pytest.raises(Unanswered, match="too-many-at-once"):
        keys(shop.client.everything())


@pytest.mark.parametrize(
    ("bodies", "code"),
    [
        ([page([entry("A")], 2)], "page-missing"),
        ([page([], 1)], "page-missing"),
        ([page([entry("A")], 2, "t"), page([entry("A")], 2)], "page-repeated"),
        ([page([entry("A"), entry("A")], 2)], "page-repeated"),
        ([page([entry("A")], 9, "t"), page([entry("B")], 9, "t")], "repeated-cursor"),
        ([page([entry("A")], 3, "t"), page([entry("B")], 3)], "page-missing"),
        ([page([entry("A")], 3, "t"), page([], 3)], "page-missing"),
    ],
)
def test_pages_that_repeat_or_skip_are_no_shop(shop, bodies, code):
    pages(shop, *bodies)

    with pytest.raises(Unanswered, match=code):
        keys(shop.client.everything())


def test_an_empty_page_with_a_next_one_is_not_the_end(shop):
    pages(shop, page([], 1, "t"), page([entry("A")], 1))

    assert keys(shop.client.everything()) == ["A"]


@pytest.mark.parametrize(
    "body",
    [{}, [], {"items": []}, {"numberOfResults": 0}, {"numberOfResults": "1", "items": []},
     {"numberOfResults": 1, "items": [{}]}, {"numberOfResults": 1, "items": [{"sku": 5}]},
     {"numberOfResults": 1, "items": [entry("A", summaries=[{}])]},
     {"numberOfResults": 1, "items": [entry("A", issues=[{"code": "1"}])]}, {"success": True}],
)  # fmt: skip
def test_a_page_of_another_shape_is_no_shop(shop, body):
    pages(shop, *[body] * 6)

    with pytest.raises(OtherShape):
        keys(shop.client.everything())
    pages(shop, *[body] * 6)
    with pytest.raises(ConnectorError):
        shop.client.fetch(["A"])


def test_fetch_asks_for_twenty_at_a_time_and_keeps_what_was_asked(shop):
    fill(shop, 45)
    wanted = [f"S{n:05}" for n in range(41)]

    found = shop.client.fetch([*wanted, "absent", wanted[0]])

    assert sorted(r.key for r in found) == wanted
    assert shop.wire.count("GET", ITEMS) == 3


def test_nothing_asked_for_costs_nothing(shop):
    assert shop.client.fetch([]) == []
    assert shop.wire.calls == []


def test_a_sku_with_a_comma_is_asked_for_by_itself(shop):
    fill(shop, 1)
    item = shop.sandbox.state.get("item", "S00000")
    shop.sandbox.state.put("item", "A,B", item)

    found = shop.client.fetch(["A,B", "C,D", "S00000"])

    assert sorted(r.key for r in found) == ["A,B", "S00000"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "hidden"),
        ({"summaries": []}, "pending"),
        ({"summaries": [{**entry("A")["summaries"][0], "marketplaceId": "OTHER"}]}, "pending"),
    ],
)
def test_a_listing_without_an_offer_of_ours_is_not_live(shop, changes, status):
    pages(shop, page([entry("A", **changes)], 1))

    (remote,) = shop.client.fetch(["A"])

    assert remote.status == status


@pytest.mark.parametrize(
    ("states", "stock", "issues", "end", "status"),
    [
        (["BUYABLE", "DISCOVERABLE"], 5, [], None, "live"),
        (["DISCOVERABLE"], 5, [], None, "pending"),
        ([], 5, [], None, "pending"),
        ([], 0, [], None, "live"),
        (["BUYABLE"], 5, ["WARNING"], None, "live"),
        (["BUYABLE"], 5, ["ERROR"], None, "rejected"),
        ([], 0, ["ERROR"], None, "rejected"),
        (["BUYABLE"], 5, [], "2026-11-23T01:30:00Z", "hidden"),
        (["BUYABLE"], 5, [], "2026-11-23T01:30:01Z", "live"),
        (["BUYABLE"], 5, [], "tomorrow", "live"),
        (["NEW_WORD"], 5, [], None, "pending"),
    ],
)
def test_what_a_listing_says_of_itself_is_its_status(shop, states, stock, issues, end, status):
    offer = {"marketplace_id": MARKET, "currency": "USD", "audience": "ALL"} | (
        {"end_at": {"value": end}} if end else {}
    )
    stocks = [{"fulfillment_channel_code": "DEFAULT", "quantity": stock}]
    made = entry("A", attributes={"purchasable_offer": [offer], "fulfillment_availability": stocks})
    made["summaries"][0]["status"] = states
    made["issues"] = [{"code": "1", "message": "no", "severity": s, "categories": []} for s in issues]
    pages(shop, page([made], 1))

    (remote,) = shop.client.fetch(["A"])

    assert remote.status == status
    assert remote.words == ("no" if status == "rejected" else "")


def offers(**changes):
    offer = {"marketplace_id": MARKET, "currency": "USD", "audience": "ALL"}
    return {"purchasable_offer": [{**offer, "our_price": [{"schedule": [{"value_with_tax": 5}]}], **changes}]}


@pytest.mark.parametrize(
    ("attributes", "amount"),
    [
        (offers(), "5.00"),
        (offers(our_price=[{"schedule": [{"value_with_tax": 5.5}]}]), "5.50"),
        (offers(our_price=[{"schedule": [{"value_with_tax": "5.5"}]}]), "5.50"),
        (offers(our_price=[{"schedule": [{"value_with_tax": 5.555}]}]), "5.555"),
        (offers(our_price=[]), ""),
        (offers(our_price=None), ""),
        (offers(our_price=[{"schedule": []}]), ""),
        (offers(our_price=[{"schedule": [{"value_with_tax": True}]}]), ""),
        (offers(our_price=[{"schedule": [{"value_with_tax": "much"}]}]), ""),
        (offers(currency="VND"), ""),
        (offers(audience="B2B"), ""),
        (offers(marketplace_id="OTHER"), ""),
        ({}, ""),
        ({"purchasable_offer": "?"}, ""),
    ],
)
def test_a_price_that_cannot_be_read_never_passes_for_ours(shop, attributes, amount):
    pages(shop, page([entry("A", attributes=attributes)], 1))

    (remote,) = shop.client.fetch(["A"])

    assert remote.facets["price"]["amount"] == amount


def test_a_foreign_picture_keeps_its_address(shop):
    link = {"media_location": "https://other.example/x.jpg", "marketplace_id": MARKET}
    pages(shop, page([entry("A", attributes={"main_product_image_locator": [link]})], 1))

    (remote,) = shop.client.fetch(["A"])

    assert remote.facets["images"] == ["https://other.example/x.jpg"]


def test_another_tongue_beside_ours_is_not_ours(shop):
    names = [{"value": "Camarones", "language_tag": "es_US", "marketplace_id": MARKET},
             {"value": "Shrimp", "language_tag": "en_US", "marketplace_id": MARKET}]  # fmt: skip
    pages(shop, page([entry("A", attributes={"item_name": names, "color": [{"value": "red"}]})], 1))

    (remote,) = shop.client.fetch(["A"])

    assert remote.facets["content"]["attributes"] == {"item_name": [{"value": "Shrimp"}]}


def test_everything_tells_of_hidden_ones_too(shop):
    made = listing()
    shop.live(made)
    shop.settle(delist(made))

    ((remote,),) = shop.client.everything()

    assert (remote.key, remote.status) == (made.key, "hidden")


def test_the_seller_is_named_with_the_marketplace(shop):
    assert shop.client.check().id == "A1CAMAUSELLER/US"

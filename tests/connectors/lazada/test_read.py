"""Reading back: pages that must not end early, odd spellings and public pictures."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from connectors.errors import ConnectorError, OtherShape, Refused, Unanswered
from tests.connectors.lazada.shop import KEY, Shop, create, listing

LIST = "/products/get"


def fill(shop: Shop, count: int) -> None:
    shop.live(*(listing(sku=f"CM-{n:03}") for n in range(count)))


def altered(shop: Shop, **changes: object) -> None:
    """Every page says so instead."""

    def alter(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(LIST):
            return None
        shop.wire.before = lambda request: None
        answer = shop.sandbox.handle(request).json()
        shop.wire.before = alter
        answer["data"] |= changes
        return httpx.Response(200, json=answer)

    shop.wire.before = alter


def test_everything_is_read_page_by_page(shop):
    fill(shop, 55)

    pages = list(shop.client.everything())

    assert [len(page) for page in pages] == [50, 5]
    assert len({remote.key for page in pages for remote in page}) == 55


def test_an_empty_shop_is_one_empty_page(shop):
    assert [remote for page in shop.client.everything() for remote in page] == []


def test_a_page_that_comes_twice_is_an_error(shop):
    fill(shop, 60)
    first = []

    def repeat(request: httpx.Request, response: httpx.Response | None = None) -> httpx.Response | None:
        shop.wire.before = lambda request: None
        answer = first[0] if first else shop.sandbox.handle(request).json()
        first.append(answer)
        shop.wire.before = repeat
        return httpx.Response(200, json=answer)

    shop.wire.before = repeat

    with pytest.raises(Unanswered, match="page-repeated"):
        list(shop.client.everything())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"total_products": "99"}, "page-missing"),
        ({"total_products": "2"}, "page-missing"),
        ({"products": []}, "page-missing"),
        ({"total_products": "10001"}, "too-many-items"),
    ],
)
def test_a_short_read_is_no_small_shop(shop, changes, code):
    fill(shop, 3)
    altered(shop, **changes)

    with pytest.raises(Unanswered, match=code):
        list(shop.client.everything())


def test_an_item_removed_meanwhile_is_no_full_read(shop):
    """What stood behind has moved up, and one of it was never shown."""
    fill(shop, 55)
    pages = shop.client.everything()
    next(pages)
    first, _ = shop.sandbox.state.items("item")[0]
    shop.sandbox.state.delete("item", first)

    with pytest.raises(Unanswered, match="page-missing"):
        list(pages)


def test_a_page_that_takes_too_long_is_asked_for_by_halves(shop):
    fill(shop, 30)
    shop.simulator.will_fail(LIST, "ServiceTimeout", times=1)

    assert sum(map(len, shop.client.everything())) == 30
    assert [form["limit"] for form in shop.wire.forms][-2:] == ["25", "25"]


def test_keys_are_asked_by_fifty_and_matched_whole(shop):
    fill(shop, 3)

    found = shop.client.fetch(["CM-001", *(f"NO-{n}" for n in range(60)), "CM-0"])

    assert [remote.key for remote in found] == ["CM-001"]
    assert [len(msgspec.json.decode(form["sku_seller_list"])) for form in shop.wire.forms] == [50, 12]


def test_a_new_item_is_found_only_after_the_searchs_lag(shop):
    shop.push(create(listing()))
    early = shop.client.fetch([KEY])
    shop.clock.sleep(2)

    assert (early, len(shop.client.fetch([KEY]))) == ([], 1)


def product(**changes: object) -> dict:
    sku = {
        "SellerSku": KEY, "SkuId": 6, "Status": "active", "quantity": "20", "price": "450000.00", "special_price": 0,
        "package_height": "10.00", "package_length": 20, "package_width": "15", "package_weight": 0.55,
    }  # fmt: skip
    made = {
        "item_id": 5, "primary_category": 12347, "status": "Active", "images": [""], "attributes": {"name": "x"},
        "skus": [sku],
    }  # fmt: skip
    return made | changes


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "live"),
        ({"status": "active"}, "live"),
        ({"status": "Pending QC"}, "pending"),
        ({"status": "InActive"}, "hidden"),
        ({"status": "Suspended"}, "rejected"),
        ({"subStatus": "Lock"}, "rejected"),
        ({"subStatus": "Live_Reject", "status": "InActive"}, "rejected"),
        ({"status": "unheard-of"}, "pending"),
    ],
)
def test_states_of_the_check(shop, changes, status):
    altered(shop, total_products=1, products=[product(**changes)])

    assert [remote.status for remote in shop.client.fetch([KEY])] == [status]


def test_a_deleted_item_is_not_there(shop):
    altered(shop, total_products="1", products=[product(status="Deleted")])

    assert shop.client.fetch([KEY]) == []


def test_numbers_and_lists_may_be_text(shop):
    altered(shop, total_products=1, products=[product(images='["https://x/a.jpg", ""]')])

    [remote] = shop.client.fetch([KEY])

    assert (remote.facets["price"], remote.facets["stock"]) == ({"price": 450000}, {"quantity": 20})
    assert remote.facets["images"] == ["https://x/a.jpg"]
    assert remote.facets["content"]["package"]["weight"] == "0.55"


def test_somebodys_discount_is_seen(shop):
    cheap = product()
    cheap["skus"][0]["special_price"] = "399000.00"
    altered(shop, total_products=1, products=[cheap])

    assert shop.client.fetch([KEY])[0].facets["price"] == {"price": 450000, "special_price": 399000}


@pytest.mark.parametrize(
    "changes", [{"skus": None}, {"item_id": None}, {"images": "[1"}, {"skus": [{"SellerSku": KEY}]}, {"attributes": 7}]
)
def test_another_shape_is_no_answer(shop, changes):
    altered(shop, total_products=1, products=[product(**changes)])

    with pytest.raises(OtherShape):
        shop.client.fetch([KEY])


def test_a_success_that_says_false_is_none(shop):
    shop.wire.before = lambda request: httpx.Response(200, json={"code": "0", "success": "false", "error_code": "B1"})

    with pytest.raises(ConnectorError):
        shop.client.check()


def test_a_public_picture_is_migrated_in_two_steps(shop):
    url = shop.client.migrate("https://example.vn/a.jpg?x=1&y=<2>")

    assert url.startswith("https://vn-live-02.slatic.net/")
    assert shop.clock.monotonic() >= 0.5
    assert "&amp;" in shop.wire.forms[0]["payload"]


def test_a_picture_that_lazada_cannot_fetch_is_refused(shop):
    with pytest.raises(Refused, match="fetch failed"):
        shop.client.migrate("http://10.0.0.1/a.jpg")

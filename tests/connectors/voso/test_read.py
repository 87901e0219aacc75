"""Searching by our code, and paging that never ends early."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from connectors.errors import Unanswered
from connectors.simulator import respond
from tests.connectors.voso.shop import KEY, Shop, create, listing


def fill(shop: Shop, most: int) -> None:
    for n in range(most):
        shop.push(create(listing(sku=f"SKU {n:03}")))


def rewrite(shop: Shop, **changes: object) -> None:
    """Every list answer says something else than the marketplace holds."""

    def other(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("product/list"):
            return None
        shop.wire.after = lambda request: None
        answer = msgspec.json.decode(shop.wire.handle_request(request).read())
        shop.wire.after = other
        answer["data"] |= changes
        return respond(200, answer)

    shop.wire.after = other


def test_absent_keys_are_missing_from_the_answer(shop):
    shop.push(create(listing()))

    assert [r.key for r in shop.client.fetch(["none", KEY, "%", "SKU"])] == [KEY]


def test_nothing_asked_is_nothing_sent(shop):
    assert shop.client.fetch([]) == []
    assert shop.wire.calls == []


def test_more_keys_than_a_page_are_all_found(shop):
    fill(shop, 60)

    assert len(shop.client.fetch([f"SKU {n:03}" for n in range(60)])) == 60


def test_everything_comes_page_by_page(shop):
    fill(shop, 120)

    pages = list(shop.client.everything())

    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({r.key for page in pages for r in page}) == 120


def test_an_empty_shop_is_one_empty_page(shop):
    assert list(shop.client.everything()) == [[]]


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"page": 1, "total": 999}, "page-repeated"),
        ({"total": 999}, "page-missing"),
        ({"total": 2}, "page-missing"),
        ({"items": [], "total": 3}, "page-missing"),
        ({"items": [{"product_id": "1"}]}, "unexpected-answer"),
    ],
)
def test_M21_a_page_that_cannot_be_right_is_a_doubt(shop, lie, code):
    fill(shop, 3)
    rewrite(shop, **lie)

    with pytest.raises(Unanswered, match=code):
        list(shop.client.everything())


def test_M21_the_same_products_under_a_new_page_number_are_a_repeated_page(shop):
    fill(shop, 3)
    answers = []

    def repeat(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("product/list"):
            return None
        body = msgspec.json.decode(request.content)
        shop.wire.after = lambda request: None
        first = httpx.Request("POST", request.url, headers=_headers(request), json=body | {"page": 1})
        answer = msgspec.json.decode(shop.wire.handle_request(first).read())
        shop.wire.after = repeat
        answers.append(body["page"])
        answer["data"] |= {"page": body["page"], "total": 999}
        return respond(200, answer)

    shop.wire.after = repeat

    with pytest.raises(Unanswered, match="page-repeated"):
        list(shop.client.everything())
    assert answers == [1, 2]


def test_check_names_the_shop(shop):
    assert str(shop.client.check()) == "Đặc sản Cà Mau (thử nghiệm) (1001)"


def _headers(request: httpx.Request) -> dict[str, str]:
    return {"Token": request.headers["Token"], "Content-Type": "application/json"}

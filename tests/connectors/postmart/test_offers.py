"""The feed for prices and stock: answered at once, line by line."""

from decimal import Decimal

import pytest

from models.catalogue import Money
from models.change import Kind
from models.outcome import Outcome

NDJSON = {"Content-Type": "application/x-ndjson"}


def cheaper(shop, sku, facets=("price", "stock")):
    return shop.change(Kind.UPDATE, sku, facets, price=Money(amount=Decimal(600_000)), stock=3)


def test_price_and_stock_alone_are_acknowledged_at_once(shop):
    shop.settle(shop.create("A", "B"))
    batches = len(shop.requests("batches"))

    results = {r.key: r for r in shop.client.push([cheaper(shop, "A"), cheaper(shop, "B", ("stock",))])}

    assert {r.outcome for r in results.values()} == {Outcome.ACKNOWLEDGED}
    shown = shop.shown()
    assert (shown["A"]["price"], shown["A"]["stock"]) == (600_000, 3)
    assert (shown["B"]["price"], shown["B"]["stock"]) == (650_000, 3)
    assert results["A"].revision == shop.client.fetch(["A"])[0].revision == "2"
    assert len(shop.requests("batches")) == batches


def test_a_mixed_push_goes_both_ways_with_one_result_each(shop):
    shop.settle(shop.create("A"))

    results = {r.key: r.outcome for r in shop.client.push([*shop.create("B"), cheaper(shop, "A")])}

    assert results == {"A": Outcome.ACKNOWLEDGED, "B": Outcome.ACCEPTED}


def test_a_price_with_news_of_the_content_goes_by_batch(shop):
    shop.settle(shop.create("A"))

    (result,) = shop.client.push([cheaper(shop, "A", ("content", "price"))])

    assert result.outcome is Outcome.ACCEPTED
    assert shop.requests("offers") == []


def test_the_feed_leaves_a_hidden_product_hidden(shop):
    shop.settle(shop.create("A"))
    shop.settle([shop.change(Kind.DELIST, "A")])

    shop.client.push([cheaper(shop, "A")])

    assert shop.shown()["A"]["status"] == "hidden"


def test_a_price_for_what_is_not_there_must_be_looked_up(shop):
    (result,) = shop.client.push([cheaper(shop, "A")])

    assert result.outcome is Outcome.UNKNOWN
    assert result.problem.code == "unknown_product"
    assert shop.sandbox.show()["requests"] == {"read": 0, "write": 0, "refused": 1}


def test_M04_a_bad_line_is_rejected_alone(shop):
    shop.settle(shop.create("A", "B"))
    bad = cheaper(shop, "B")
    bad.listing["price"]["list_price_vnd"] = 599_999

    results = {r.key: r for r in shop.client.push([cheaper(shop, "A"), bad])}

    assert results["A"].outcome is Outcome.ACKNOWLEDGED
    assert results["B"].outcome is Outcome.REJECTED
    assert results["B"].problem.field == "list_price"


@pytest.mark.parametrize(("lines", "status"), [(500, 200), (501, 413)])
def test_the_feed_takes_five_hundred_lines(shop, lines, status):
    body = "".join(f'{{"external_id":"{n}","stock":{{"qty":1}}}}\n' for n in range(lines))

    assert shop.raw("POST", "offers", content=body.encode(), headers=NDJSON).status_code == status

"""Reading back: pages that end where they say so, prices as they are shown, and the review that comes later."""

import pytest

from connectors.errors import OtherShape, Unanswered
from connectors.facebook.mapping import dong_of
from models.change import Kind


def an_answer(key="A", **changed):
    item = {"id": "77", "retailer_id": key, "price": "₫620,000", "currency": "VND", "availability": "in stock"}
    return item | {"visibility": "published", "image_url": "https://khac.example/1.jpg"} | changed


def page(*items, **paging):
    return {"data": list(items), "paging": paging}


def test_all_items_come_page_by_page(shop):
    keys = [f"SP-{n:03}" for n in range(205)]
    for start in (0, 150):
        shop.settle(*[shop.change(Kind.CREATE, key) for key in keys[start : start + 150]])

    pages = list(shop.client.everything())

    assert [len(p) for p in pages] == [100, 100, 5]
    assert [remote.key for p in pages for remote in p] == keys


def test_a_short_page_is_not_the_end(shop):
    shop.instead(200, page(an_answer("A"), next="https://graph.facebook.com/x", cursors={"after": "1"}))
    shop.instead(200, page(an_answer("B"), cursors={"after": "2"}))

    assert [remote.key for p in shop.client.everything() for remote in p] == ["A", "B"]
    assert shop.wire.sent[1].url.params["after"] == "1"


def test_a_cursor_that_comes_back_is_an_error(shop):
    shop.instead(200, page(an_answer(), next="https://x", cursors={"after": "1"}), times=2)

    with pytest.raises(Unanswered, match="repeated-cursor"):
        list(shop.client.everything())


def test_a_next_page_without_a_cursor_is_an_error(shop):
    shop.instead(200, page(an_answer(), next="https://x"))

    with pytest.raises(Unanswered):
        list(shop.client.everything())


def test_items_without_paging_are_no_whole_answer(shop):
    shop.instead(200, {"data": [an_answer()]})

    with pytest.raises(OtherShape):
        list(shop.client.everything())


def test_a_catalogue_without_items_is_empty(shop):
    assert [remote for p in shop.client.everything() for remote in p] == []


def test_a_foreign_picture_keeps_its_address_and_so_differs(shop):
    shop.instead(200, page(an_answer()))

    assert shop.client.fetch(["A"])[0].facets["images"] == ["https://khac.example/1.jpg"]


@pytest.mark.parametrize("changed", [{"price": "620,00 ₫"}, {"currency": "USD"}, {"price": "about 5"}])
def test_a_price_nobody_can_read_is_never_the_right_one_and_stops_no_other(shop, changed):
    shop.instead(200, page(an_answer(**changed), an_answer(retailer_id="B")))

    odd, plain = shop.client.fetch(["A", "B"])

    assert isinstance(odd.facets["price"]["price"], str)
    assert isinstance(plain.facets["price"]["price"], int)
    assert [oddity.kind for oddity in shop.session.oddities.take()] == ["shape"]


@pytest.mark.parametrize("shown", ["₫620,000", "620.000 ₫", "620000 VND", "620\u00a0000\u00a0₫", "₫620000"])
def test_a_price_is_read_in_every_spelling(shown):
    assert dong_of(shown) == 620_000


def test_what_a_review_refuses_is_read_back_as_rejected(shop):
    change = shop.change(Kind.CREATE)
    change.listing["content"]["title"] = "TÔM KHÔ"
    shop.settle(change)
    before = shop.client.fetch(["TOM-500"])[0].status

    shop.clock.sleep(61)

    (remote,) = shop.client.fetch(["TOM-500"])
    assert (before, remote.status) == ("live", "rejected")
    assert "capitals" in remote.words


@pytest.mark.parametrize("key", ["a/b", "a,b", "100%", "Mật ong #1?&=", "Ð+đ \"'"])
def test_odd_SKUs_come_back_as_they_went(shop, key):
    shop.settle(shop.change(Kind.CREATE, key))

    assert [remote.key for remote in shop.client.fetch([key])] == [key]

"""Reading all articles: foreign ones, pages that repeat or skip, and answers of another shape."""

from __future__ import annotations

import httpx
import pytest

from connectors.errors import AuthorisationFailed, OtherShape, Unanswered
from tests.connectors.zalo.shop import KEY, create, listing, said

NEWS = {
    "type": "normal",
    "title": "Tin của OA",
    "cover": {"cover_type": "photo", "photo_url": "https://x.example/a.jpg", "status": "show"},
    "body": [{"type": "text", "content": "Chào."}],
    "status": "show",
}


def fill(shop, most):
    shop.live(*(listing(sku=f"SP-{n:02}") for n in range(most)))


def news(shop, most=1, **fields):
    for _ in range(most):
        shop.raw("POST", "article/create", {**NEWS, **fields})
    shop.clock.sleep(5)


def entries(*ids, total):
    medias = [{"id": one, "type": "normal", "title": "x", "status": "show"} for one in ids]
    return {"error": 0, "data": {"medias": medias, "total": total}}


def test_who_the_tokens_belong_to(shop):
    seller = shop.client.check()

    assert str(seller) == "Đặc sản Cà Mau (thử nghiệm) (2876543210987654321)"


@pytest.mark.parametrize(
    ("data", "found"), [({"oaid": "7", "name": "A"}, "7"), ({"oa_id": "8", "oaid": "7", "name": "A"}, "8")]
)
def test_another_OA_is_told_by_its_id(shop, data, found):
    shop.instead("getoa", {"error": 0, "data": data})

    assert shop.client.check().id == found


@pytest.mark.parametrize("data", [{}, {"name": "A"}, {"oa_id": 8, "name": "A"}, None])
def test_an_OA_without_an_id_is_no_answer(shop, data):
    shop.instead("getoa", *[{"error": 0, "data": data}] * 5)

    with pytest.raises(OtherShape):
        shop.client.check()


def test_everything_comes_page_by_page(shop):
    fill(shop, 23)

    pages = list(shop.client.everything())

    assert [len(page) for page in pages] == [10, 10, 3]
    assert len({remote.key for page in pages for remote in page}) == 23


def test_an_empty_OA_has_no_listings(shop):
    assert list(shop.client.everything()) == []
    assert shop.client.fetch([KEY]) == []


def test_an_OAs_own_news_are_no_listings(shop):
    fill(shop, 2)
    news(shop, 12)
    news(shop, tracking_link="https://cuahang.example/sp/A/B")
    news(shop, tracking_link="https://khac.example/sp/SP-00")

    assert sorted(r.key for page in shop.client.everything() for r in page) == ["SP-00", "SP-01"]


def test_absent_keys_are_missing_from_the_answer(shop):
    fill(shop, 3)

    assert [remote.key for remote in shop.client.fetch(["SP-01", "nobody's", "SP", ""])] == ["SP-01"]


def test_nothing_asked_is_nothing_sent(shop):
    assert shop.client.fetch([]) == []
    assert shop.wire.sent == []


def test_a_second_look_up_opens_only_what_it_is_about(shop):
    fill(shop, 12)
    shop.client = shop.open()
    shop.client.fetch(["SP-00"])
    first = shop.count("getdetail")

    shop.client.fetch(["SP-01"])

    assert (first, shop.count("getdetail")) == (12, 13)


def test_an_article_is_read_anew_each_time(shop):
    (done,) = shop.live(listing())
    shop.client.fetch([KEY])
    shop.tamper(done.remote_id, title="Viết tay")

    assert shop.client.fetch([KEY])[0].facets["content"]["title"] == "Viết tay"


def test_a_foreign_picture_keeps_its_address_and_so_differs(shop):
    (done,) = shop.live(listing())
    cover = {"cover_type": "photo", "photo_url": "https://photo.zadn.vn/1.jpg", "status": "show"}
    shop.tamper(done.remote_id, cover=cover)

    assert shop.read().facets["images"][0] == "https://photo.zadn.vn/1.jpg"


# --- pages that cannot be believed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pages",
    [
        [entries("a", total=2), entries(total=2)],
        [entries("a", total=3), entries("a", total=3)],
        [entries("a", "b", total=4), entries("c", total=3)],
        [entries("a", "a", total=2)],
        [entries("a", "b", total=3), entries("b", "c", total=4)],
    ],
    ids=["ends early", "repeats itself", "count falls", "one twice", "one repeated, one missed"],
)
def test_pages_that_do_not_add_up_are_no_read(shop, pages):
    article = {**NEWS, "tracking_link": "https://cuahang.example/sp/A"}
    left = list(pages)

    def before(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("getslice"):
            return said(left.pop(0))
        return said({"error": 0, "data": {**article, "id": request.url.params["id"]}})

    shop.wire.before = before

    with pytest.raises(Unanswered, match="page-"):
        list(shop.client.everything())


def test_an_article_added_meanwhile_only_shifts_the_pages(shop):
    """The first page is read again a little, and the new one is missed: that is said."""
    fill(shop, 12)
    pages = shop.client.everything()
    next(pages)
    news(shop)

    with pytest.raises(Unanswered, match="page-repeated"):
        list(pages)


def test_an_article_removed_meanwhile_is_no_full_read(shop):
    fill(shop, 12)
    pages = shop.client.everything()
    (first, *_) = next(pages)
    shop.remove(first.remote_id)

    with pytest.raises(Unanswered, match="page-missing"):
        list(pages)


def test_an_article_that_the_list_names_and_nobody_finds_is_no_full_read(shop):
    fill(shop, 1)
    shop.instead("getdetail", {"error": -201, "message": "id is invalid"})

    with pytest.raises(Unanswered, match="articles-changed"):
        shop.client.fetch(["SP-00"])


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"medias": []},
        {"total": 1},
        {"medias": [{"id": 5}], "total": 1},
        {"medias": [{}], "total": 1},
        {"medias": "", "total": 0},
        {"medias": [], "total": "0"},
        {"articles": [], "total": 0},
    ],
)
def test_a_list_of_another_shape_is_no_empty_OA(shop, data):
    shop.instead("getslice", *[{"error": 0, "data": data}] * 5)

    with pytest.raises(OtherShape):
        shop.client.fetch([KEY])


def test_an_article_of_ours_without_its_link_is_not_gone(shop):
    """An answer that leaves the field out would have it made again."""
    (done,) = shop.live(listing())
    article = shop.raw("GET", "article/getdetail", id=done.remote_id)["data"]
    del article["tracking_link"]
    shop.instead("getdetail", {"error": 0, "data": article})

    with pytest.raises(OtherShape):
        shop.client.fetch([KEY])


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "another"},
        {"id": 7},
        {"status": "draft"},
        {"title": None},
        {"body": "text"},
        {"body": [{"content": "x"}]},
        {"body": [{"type": "text"}]},
        {"body": [{"type": "image", "url": None}]},
        {"body": [{"type": "poll"}]},
        {"cover": []},
        {"cover": {"cover_type": "photo"}},
        {"comment": "moderated"},
        {"tracking_link": 5},
    ],
)
def test_an_article_of_another_shape_is_no_answer(shop, changed):
    (done,) = shop.live(listing())
    article = {**NEWS, "id": done.remote_id, "tracking_link": "https://cuahang.example/sp/A", **changed}
    shop.instead("getdetail", *[{"error": 0, "data": article}] * 5)

    with pytest.raises(OtherShape):
        shop.client.fetch([KEY])
    assert [oddity.kind for oddity in shop.sessions[0].oddities.take()] == ["shape"]


def test_a_read_without_rights_stops_the_account(shop):
    shop.instead("getslice", {"error": -223, "message": "Not authorised"})

    with pytest.raises(AuthorisationFailed):
        list(shop.client.everything())


def test_a_lost_answer_to_a_read_is_asked_again(shop):
    shop.push(create(listing()))
    shop.clock.sleep(5)
    shop.lose("getslice")

    assert len(shop.client.fetch([KEY])) == 1


# --- the store that closed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("open_there", [False, True])
def test_the_probe_says_whether_a_shop_answers_and_harms_nothing(shop, open_there):
    shop.simulator.settle_on("store", open_there)

    assert shop.client.probe_store() is open_there
    assert shop.client.check().id


def test_a_shop_whose_address_is_gone_does_not_answer(shop):
    shop.instead("getproductofoa", {}, status=404)

    assert shop.client.probe_store() is False


def test_a_probe_without_an_answer_says_nothing(shop):
    shop.instead("getproductofoa", *[{"data": {}}] * 5)

    with pytest.raises(Unanswered):
        shop.client.probe_store()

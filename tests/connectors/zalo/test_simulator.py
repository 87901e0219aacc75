"""The simulator refuses what the documents refuse."""

from __future__ import annotations

import httpx
import pytest

from connectors.addresses import Addresses
from connectors.simulator import SandboxTransport
from connectors.zalo.articles import new_article
from connectors.zalo.simulator import Simulator
from tests.connectors.zalo.shop import BASE, KEY, listing

OURS = Addresses(Simulator.credentials["product_page"], Simulator.credentials["picture"])
COVER = {"cover_type": "photo", "photo_url": "https://x.example/a.jpg", "status": "show"}


def article(**changed):
    return new_article(KEY, listing().facets, OURS) | changed


def send(shop, method="POST", path="article/create", headers=None, **more):
    with httpx.Client(transport=SandboxTransport(shop.sandbox)) as client:
        return client.request(method, f"{BASE}/v2.0/{path}", headers=headers, **more)


def refresh(shop, headers=None, **form):
    known = Simulator.credentials
    plain = {"refresh_token": known["refresh_token"], "app_id": known["app_id"], "grant_type": "refresh_token"}
    headers = {"secret_key": known["app_secret"]} if headers is None else headers
    with httpx.Client(transport=SandboxTransport(shop.sandbox)) as client:
        return client.post(f"{BASE}/v4/oa/access_token", headers=headers, data={**plain, **form}).json()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"title": "x" * 149}, 0),
        ({"title": "x" * 150}, -210),
        ({"title": ""}, -210),
        ({"title": "o\u0302\u0323" * 50}, -210),
        ({"author": "x" * 50}, 0),
        ({"author": "x" * 51}, -210),
        ({"description": "x" * 299}, 0),
        ({"description": "x" * 300}, -210),
        ({"type": "audio"}, -201),
        ({"status": "public"}, -201),
        ({"comment": "on"}, -201),
        ({"cover": None}, -201),
        ({"cover": COVER | {"cover_type": "video"}}, -201),
        ({"cover": COVER | {"photo_url": "https://x.example/ảnh.jpg"}}, -201),
        ({"cover": {"cover_type": "photo", "photo_url": "https://x.example/a.jpg"}}, -201),
        ({"body": []}, -201),
        ({"body": "text"}, -201),
        ({"body": [{"type": "text", "content": ""}]}, -201),
        ({"body": [{"type": "text", "text": "x"}]}, -201),
        ({"body": [{"type": "image", "url": "x"}]}, -201),
        ({"body": [{"type": "image", "url": "https://x.example/a.jpg", "caption": "x"}]}, 0),
        ({"body": [{"type": "table"}]}, -201),
        ({"body": ["x"]}, -201),
        ({"tracking_link": "cuahang"}, -201),
        ({"price": 620_000}, -201),
        ({"id": "1"}, -201),
    ],
)
def test_an_article_is_refused_under_its_code(shop, changed, code):
    assert shop.raw("POST", "article/create", article(**changed))["error"] == code


@pytest.mark.parametrize("name", ["type", "title", "cover", "body"])
def test_a_field_that_is_required(shop, name):
    made = article()
    del made[name]

    assert shop.raw("POST", "article/create", made)["error"] < 0


def test_an_article_without_a_status_is_hidden(shop):
    made = article()
    del made["status"]
    shop.raw("POST", "article/create", made)
    shop.clock.sleep(5)

    assert [one["status"] for one in shop.shown()] == ["hidden"]


def test_an_update_takes_the_place_of_the_whole_article(shop):
    (done,) = shop.live(listing())
    plain = {"id": done.remote_id, "type": "normal", "title": "x", "cover": COVER, "body": article()["body"]}

    shop.raw("POST", "article/update", plain)
    shop.clock.sleep(5)

    (shown,) = shop.shown()
    assert (shown["status"], shown["payload"]["description"], shown["payload"]["tracking_link"]) == ("hidden", "", "")


@pytest.mark.parametrize("call", ["update", "remove", "verify"])
def test_what_is_not_there_is_refused(shop, call):
    body = article(id="x") if call == "update" else {"id": "x", "token": "x"}

    assert shop.raw("POST", f"article/{call}", body)["error"] == -201
    assert shop.raw("GET", "article/getdetail", id="x")["error"] == -201


def test_an_article_that_is_removed_is_gone(shop):
    (done,) = shop.live(listing())

    assert shop.raw("POST", "article/remove", {"id": done.remote_id})["error"] == 0
    assert shop.shown() == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"offset": "0", "limit": "10", "type": "normal"}, 0),
        ({"offset": "0", "limit": "10", "type": "video"}, 0),
        ({"offset": "0", "limit": "11", "type": "normal"}, -201),
        ({"offset": "0", "limit": "0", "type": "normal"}, -201),
        ({"offset": "-1", "limit": "10", "type": "normal"}, -201),
        ({"offset": "0", "limit": "10"}, -201),
        ({"offset": "0", "limit": "10", "type": "all"}, -201),
        ({"limit": "10", "type": "normal"}, -201),
    ],
)
def test_a_list_is_asked_for_in_tens(shop, asked, code):
    assert shop.raw("GET", "article/getslice", **asked)["error"] == code


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer aT-sandbox-0"}, {"access_token": "Bearer aT-sandbox-0"}, {"access_token": "x"}],
)
def test_only_a_bare_token_in_its_header_opens(shop, headers):
    answer = send(shop, "GET", "oa/getoa", headers)

    assert (answer.status_code, answer.json()["error"]) == (200, -216)


@pytest.mark.parametrize(
    "more",
    [
        {"content": b"{"},
        {"content": b"[]"},
        {"content": b""},
        {"data": {"title": "x"}},
    ],
)
def test_a_body_must_be_an_object_in_json(shop, more):
    headers = {"access_token": "aT-sandbox-0"} | ({"Content-Type": "application/json"} if "content" in more else {})

    assert send(shop, headers=headers, **more).json()["error"] == -201


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "article/create", -209),
        ("POST", "article/upload_image", -209),
        ("GET", "oa/other", -209),
        ("GET", "mstore/product/getproductofoa", -212),
        ("POST", "store/product/create", -212),
    ],
)
def test_what_is_no_api_or_no_more_one_says_so(shop, method, path, code):
    assert shop.raw(method, path)["error"] == code


def test_a_refresh_token_works_once(shop):
    first, again = refresh(shop), refresh(shop)

    assert (first["expires_in"], "access_token" in again) == ("90000", False)
    assert again["error_name"] == "Invalid refresh token"
    assert "access_token" in refresh(shop, refresh_token=first["refresh_token"])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"headers": {}}, -14004),
        ({"app_id": "1"}, -14002),
        ({"grant_type": "authorization_code"}, -14001),
        ({"secret_key": "x"}, -14001),
        ({"refresh_token": "x"}, -14014),
    ],
)
def test_a_refresh_is_refused_with_HTTP_200_and_a_shape_of_its_own(shop, changed, code):
    answer = refresh(shop, **changed)

    assert answer["error"] == code
    assert "message" not in answer


def test_a_token_of_before_a_renewal_opens_nothing_more(shop):
    refresh(shop)

    assert shop.raw("GET", "oa/getoa")["error"] == -216


def test_every_answer_counts_the_minute_and_beyond_it_is_32(shop):
    first = send(shop, "GET", "oa/getoa", {"access_token": "aT-sandbox-0"})
    shop.sandbox.state.put("quota", "all", (0.0, shop.clock.now().timestamp()))
    over = send(shop, "GET", "oa/getoa", {"access_token": "aT-sandbox-0"})

    assert first.headers["X-RateLimit-Limit"] == "4000"
    assert int(first.headers["X-RateLimit-Remain"]) < 4_000
    assert (over.status_code, over.json()["error"], over.headers["X-RateLimit-Remain"]) == (200, -32, "0")


def test_a_listing_shows_what_a_buyer_sees(shop):
    shop.live(listing(stock=0))

    (shown,) = shop.shown()

    assert {name: shown[name] for name in ("key", "price", "currency", "stock", "status")} == {
        "key": KEY, "price": 620_000, "currency": "VND", "stock": 0, "status": "live"
    }  # fmt: skip
    assert shown["updated_at"].startswith("2026-11-23T")
    assert shown["payload"]["tracking_link"].startswith("https://cuahang.example/sp/")

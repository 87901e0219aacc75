"""The sandbox refuses what the documented contract forbids, in its envelope and with HTTP 200."""

from __future__ import annotations

import unicodedata

import httpx
import msgspec
import pytest

from tests.connectors.voso.shop import Shop, create, listing

ROOT = "https://sandbox.invalid/voso/v2/"
FACETS = ("content", "price", "stock")


def say(shop: Shop, path: str, body: object, token: str = "") -> tuple[int, object]:
    request = httpx.Request("POST", ROOT + path, json=body, headers={"Token": token} if token else {})
    response = shop.sandbox.handle(request)
    answer = msgspec.json.decode(response.content)
    assert response.status_code == 200
    assert answer["error"] is (answer["status"] != 200)
    return answer["status"], answer["data"]


def token_of(shop: Shop) -> str:
    names = dict(shop.simulator.credentials)
    _, data = say(shop, "user/Login", names)
    return say(shop, "user/ownerconnect", names, data["token"])[1]["token"]


def product(shop: Shop) -> dict[str, object]:
    """A body that the marketplace takes; its pictures are there already."""
    shop.push(create(listing()))
    fields = {k: v for facet in FACETS for k, v in listing().facets[facet].items()}
    return {"product_code": "B", **fields, "images": [1, 2]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("product_code", ""),
        ("product_code", "ố" * 51),
        ("name", "ố" * 121),
        ("name", unicodedata.normalize("NFD", "Tôm khô")),
        ("name", "Tôm\nkhô"),
        ("name", 5),
        ("short_description", ""),
        ("description", "x" * 5_001),
        ("description", "a <br> b"),
        ("category_id", 137),
        ("category_id", "140"),
        ("category_id", True),
        ("unit", "ố" * 51),
        ("brand", None),
        ("origin", "x" * 151),
        ("ocop", 1),
        ("ocop", True),
        ("price", 450000.0),
        ("price", "450000"),
        ("price", 0),
        ("list_price", 449_999),
        ("stock", -1),
        ("stock", False),
        ("images", []),
        ("images", [1, 1]),
        ("images", [1, 2, 3, 4, 5, 6]),
        ("images", ["1"]),
        ("images", [99]),
        ("weight", 5),
    ],
)
def test_a_wrong_field_is_named(shop, field, value):
    body = product(shop) | {field: value}

    assert say(shop, "product/create", body, token_of(shop)) == (204, {"field": field})


def test_every_field_of_a_product_is_required(shop):
    body, token = product(shop), token_of(shop)

    for field in body:
        short = {k: v for k, v in body.items() if k != field}
        assert say(shop, "product/create", short, token) == (204, {"field": field})


def test_a_right_product_is_taken(shop):
    code, data = say(shop, "product/create", product(shop), token_of(shop))

    assert (code, data["status"], data["product_id"]) == (200, "NHAP", 2)


@pytest.mark.parametrize("token", ["", "invented"])
def test_without_a_valid_token_nothing_works(shop, token):
    assert say(shop, "user/info", {}, token)[0] == 202


def test_a_temporary_token_opens_no_shop(shop):
    _, data = say(shop, "user/Login", dict(shop.simulator.credentials))

    assert say(shop, "user/info", {}, data["token"])[0] == 202


@pytest.mark.parametrize("body", [[], "x", None, 5])
def test_a_body_that_is_no_object_is_unreadable(shop, body):
    assert say(shop, "product/list", body, token_of(shop))[0] == 209


@pytest.mark.parametrize(
    "body", [{"page": 0, "size": 50}, {"page": 1, "size": 51}, {"page": 1, "size": 50, "product_codes": ["x"] * 51}]
)
def test_list_has_limits(shop, body):
    assert say(shop, "product/list", body, token_of(shop))[0] == 204


def test_a_draft_is_submitted_once(shop):
    body, token = product(shop), token_of(shop)
    _, data = say(shop, "product/create", body, token)
    named = {"product_id": data["product_id"], "product_code": "B"}

    assert [say(shop, "product/submit", named, token)[0] for _ in range(2)] == [200, 205]


def test_an_update_that_changes_nothing_needs_no_review(shop):
    shop.live(listing())
    named = {"product_id": 1, "product_code": listing().key}

    code, data = say(shop, "product/update", named | {"brand": "Năm Căn"}, token_of(shop))

    assert (code, data["status"]) == (200, "Đang bán")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GIF89a", "image/gif"),
        (b"\x89PNG\r\n\x1a\n", "image/jpeg"),
        (b"\xff\xd8\xff" + bytes(1_000_000), "image/jpeg"),
    ],
)
def test_pictures_of_wrong_kind_or_size_are_refused(shop, data, kind):
    files = {"file": ("a", data, kind)}
    request = httpx.Request("POST", ROOT + "media/upload", files=files, headers={"Token": token_of(shop)})

    assert msgspec.json.decode(shop.sandbox.handle(request).content)["status"] == 208


def test_the_same_picture_twice_names_the_first(shop):
    token, seen = token_of(shop), []
    for _ in range(2):
        files = {"file": ("a", b"\xff\xd8\xff", "image/jpeg")}
        request = httpx.Request("POST", ROOT + "media/upload", files=files, headers={"Token": token})
        answer = msgspec.json.decode(shop.sandbox.handle(request).content)
        seen.append((answer["status"], answer["data"]["media_id"]))

    assert seen == [(200, 1), (207, 1)]


def test_beyond_the_quota_comes_429_with_a_time_to_wait(shop):
    token = token_of(shop)
    requests = [httpx.Request("POST", ROOT + "user/info", json={}, headers={"Token": token}) for _ in range(600)]

    answers = [shop.sandbox.handle(request) for request in requests]

    assert [a.status_code for a in answers].count(429) == 2  # two went into the login
    assert answers[-1].headers["Retry-After"] == "1"


def test_reads_writes_and_refusals_are_counted_apart(shop):
    before = shop.sandbox.show()["requests"]
    product(shop)
    say(shop, "user/info", {}, "invented")

    counts = shop.sandbox.show()["requests"]
    assert before == {"read": 0, "write": 0, "refused": 0}
    assert counts == {"read": 2, "write": 4, "refused": 1}  # two logins; two pictures, a draft, its submission


def test_unknown_addresses_and_methods_are_http_errors(shop):
    unknown = shop.sandbox.handle(httpx.Request("POST", ROOT + "order/createOrder", json={}))
    get = shop.sandbox.handle(httpx.Request("GET", ROOT + "user/info"))

    assert (unknown.status_code, get.status_code) == (404, 405)

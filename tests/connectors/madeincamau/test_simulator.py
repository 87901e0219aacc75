"""The marketplace's side on the wire: what another partner's program would meet."""

from __future__ import annotations

import hashlib
import unicodedata

import httpx
import pytest

from connectors.madeincamau.mapping import CATEGORY, body
from connectors.simulator import SandboxTransport
from tests.connectors.madeincamau.shop import BASE, JPEG, PNG, listing_of

MISSING = object()


def product(**values):
    fields = body(listing_of().facets) | values
    return {name: value for name, value in fields.items() if value is not MISSING}


def put(partner, fields, key="A", token="t-1", **headers):
    return partner.put(f"products/{key}", json=fields, headers={"Idempotency-Key": token, **headers})


def faults(response):
    return {(e["field"], e["code"]) for e in response.json()["errors"]}


def live(partner, clock, **values):
    response = put(partner, product(**values))
    clock.sleep(1)
    return response


# Review


def test_new_and_changed_content_waits_for_review_price_and_stock_do_not(partner, clock):
    assert put(partner, product()).status_code == 202
    assert partner.get("products/A/moderation").json() == {"status": "pending"}
    clock.sleep(0.3)
    assert partner.get("products/A").json()["status"] == "live"
    assert put(partner, product(price_vnd=1), token="t-2").status_code == 200
    assert partner.patch("products/A/offers", json={"stock": 0}).json()["status"] == "live"
    assert put(partner, product(name="Khác"), token="t-3").status_code == 202


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("description", "Gọi 0918123456"),
        ("description", "Zalo +84 918 123 456"),
        ("description", "xem https://example.vn/a"),
        ("description", "thư: htx@example.vn"),
        ("name", "Tôm khô tomkho.com"),
    ],
)
def test_contact_data_is_rejected(partner, clock, field, text):
    live(partner, clock, **{field: text})

    verdict = partner.get("products/A/moderation").json()
    assert (verdict["status"], verdict["field"], verdict["code"]) == ("rejected", field, "contact_data")


def test_numbers_that_are_no_telephone_pass(partner, clock):
    live(partner, clock, description="Đạt 0,5 kg; lô 2026-11-23; mã 8930000000012; giá 650.000 đ.")

    assert partner.get("products/A/moderation").json() == {"status": "approved"}


# Revisions and idempotency


def test_the_same_key_with_the_same_body_gives_the_same_answer(partner, sandbox):
    first = put(partner, product())
    partner.patch("products/A/offers", json={"stock": 1})
    again = put(partner, product())

    assert (again.status_code, again.content, again.headers["ETag"]) == (202, first.content, '"1"')
    assert partner.get("products/A").json()["stock"] == 1
    assert sandbox.show()["requests"]["write"] == 2


@pytest.mark.parametrize(("key", "fields"), [("A", {"stock": 1}), ("B", {})])
def test_the_same_key_for_something_else_is_refused(partner, key, fields):
    put(partner, product())
    response = put(partner, product(**fields), key=key)

    assert response.status_code == 422
    assert faults(response) == {("Idempotency-Key", "idempotency_key_reused")}


def test_an_idempotency_key_lives_for_a_day(sandbox, partner, clock):
    put(partner, product())
    clock.sleep(24 * 3600)
    form = {"grant_type": "client_credentials", **sandbox.marketplace.credentials}
    token = partner.post("oauth/token", data=form).json()["access_token"]

    assert put(partner, product(stock=1), Authorization=f"Bearer {token}").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "fault"),
    [
        ({"If-Match": '"9"'}, 409, ("If-Match", "stale_revision")),
        ({"If-Match": "1"}, 400, ("If-Match", "bad_header")),
        ({"If-None-Match": "*"}, 409, ("If-None-Match", "already_exists")),
        ({"If-None-Match": '"1"'}, 400, ("If-None-Match", "bad_header")),
    ],
)
def test_preconditions(partner, headers, status, fault):
    put(partner, product())
    response = put(partner, product(stock=1), token="t-2", **headers)

    assert (response.status_code, faults(response)) == (status, {fault})
    assert partner.get("products/A").json()["revision"] == "1"


def test_a_revision_of_something_absent_is_stale(partner):
    assert put(partner, product(), **{"If-Match": '"1"'}).status_code == 409


def test_a_matching_revision_is_taken_and_what_changes_nothing_keeps_it(partner):
    put(partner, product())

    assert put(partner, product(stock=1), token="t-2", **{"If-Match": '"1"'}).headers["ETag"] == '"2"'
    assert partner.patch("products/A/offers", json={"stock": 1}).headers["ETag"] == '"2"'


def test_hiding_erases_nothing_and_may_be_repeated(partner, clock):
    live(partner, clock)

    assert partner.delete("products/A").json()["status"] == "hidden"
    assert partner.delete("products/A").json()["revision"] == "2"
    assert partner.get("products/A").json()["name"] == product()["name"]
    assert put(partner, product(), token="t-2").json()["status"] == "live"


# Refusals


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"name": "ô" * 151}, ("name", "too_long")),
        ({"name": ""}, ("name", "too_short")),
        ({"name": "Tôm\nkhô"}, ("name", "control_character")),
        ({"name": "Tôm\u200bkhô"}, ("name", "control_character")),
        ({"name": unicodedata.normalize("NFD", "Tôm khô")}, ("name", "not_nfc")),
        ({"name": 5}, ("name", "wrong_type")),
        ({"description": "ô" * 20_001}, ("description", "too_long")),
        ({"brand": MISSING}, ("brand", "missing")),
        ({"phone": "x"}, ("phone", "unknown_field")),
        ({"category_id": "dich-vu"}, ("category_id", "unknown_category")),
        ({"category_id": "thuc-pham"}, ("category_id", "unknown_category")),
        ({"category_id": "Tôm"}, ("category_id", "bad_format")),
        ({"price_vnd": 0}, ("price_vnd", "out_of_range")),
        ({"price_vnd": 1.0}, ("price_vnd", "wrong_type")),
        ({"price_vnd": True}, ("price_vnd", "wrong_type")),
        ({"price_vnd": 10**30}, ("price_vnd", "out_of_range")),
        ({"list_price_vnd": 1}, ("list_price_vnd", "list_price_below_price")),
        ({"stock": -1}, ("stock", "out_of_range")),
        ({"gtin": "123"}, ("gtin", "bad_format")),
        ({"alcohol_percent": "101"}, ("alcohol_percent", "bad_format")),
        ({"producer": {"legal_name": "x"}}, ("producer.commune", "missing")),
        ({"images": []}, ("images", "too_short")),
        ({"images": [f"{n:064}" for n in range(10)]}, ("images", "too_long")),
        ({"images": ["0" * 64] * 2}, ("images", "duplicate")),
        ({"images": ["x"]}, ("images", "bad_format")),
        ({"ocop": {"star": 2, "decision_no": "", "valid_until": "2029-01-01"}}, ("ocop.star", "out_of_range")),
        ({"ocop": {"star": 3, "decision_no": "", "valid_until": "2029-02-30"}}, ("ocop.valid_until", "bad_format")),
        ({"ocop": {"star": 3, "decision_no": "", "valid_until": "2026-11-23"}}, ("ocop.valid_until", "ocop_expired")),
        ({"ocop": None, "name": "Tôm khô ocop 4 sao"}, ("name", "ocop_claim")),
        ({"ocop": None, "description": "Đạt OCOP."}, ("description", "ocop_claim")),
        ({"ocop": None, "marks": "tem OCOP"}, ("marks", "ocop_claim")),
    ],
)
def test_a_bad_field_is_refused_with_its_own_error(partner, values, fault):
    """It is 24 November 2026 in Cà Mau."""
    response = put(partner, product(**values))

    assert response.status_code == 422
    assert fault in faults(response)
    assert partner.get("products/A").status_code == 404


def test_the_error_body_word_for_word(partner):
    response = put(partner, product(name="ô" * 151, stock="nhiều"))

    assert response.json() == {
        "errors": [
            {"field": "name", "code": "too_long", "message_vi": "Quá dài hoặc quá nhiều."},
            {"field": "stock", "code": "wrong_type", "message_vi": "Sai kiểu dữ liệu."},
        ]
    }
    assert response.headers["Content-Type"] == "application/json"


def test_a_word_that_only_contains_ocop_is_no_claim(partner):
    assert put(partner, product(ocop=None, name="Bánh Ocopa")).status_code == 202


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"stock":NaN}'])
def test_a_malformed_body_is_400(partner, content):
    headers = {"Idempotency-Key": "t", "Content-Type": "application/json"}
    response = partner.put("products/A", content=content, headers=headers)

    assert (response.status_code, faults(response)) == (400, {("", "malformed")})


def test_an_external_id_may_be_100_characters_long(partner):
    assert put(partner, product(), key="x" * 100).status_code == 202
    response = put(partner, product(), key="x" * 101, token="t-2")
    assert (response.status_code, faults(response)) == (422, {("external_id", "too_long")})


@pytest.mark.parametrize("token", [None, "", "có dấu".encode(), "x" * 101])
def test_a_put_needs_an_idempotency_key(partner, token):
    headers = {} if token is None else {"Idempotency-Key": token}

    assert partner.put("products/A", json=product(), headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("offer", "fault"),
    [
        ({}, ("", "too_short")),
        ({"name": "x"}, ("name", "unknown_field")),
        ({"stock": None}, ("stock", "wrong_type")),
        ({"list_price_vnd": 5}, ("list_price_vnd", "list_price_below_price")),
    ],
)
def test_a_bad_offer_is_refused(partner, clock, offer, fault):
    live(partner, clock)
    response = partner.patch("products/A/offers", json=offer)

    assert (response.status_code, faults(response)) == (422, {fault})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "products/X"),
        ("DELETE", "products/X"),
        ("GET", "products/X/moderation"),
        ("PATCH", "products/X/offers"),
        ("POST", "products/X/media"),
    ],
)
def test_an_unknown_product_is_404(partner, method, path):
    response = partner.request(method, path)

    assert (response.status_code, faults(response)) == (404, {("external_id", "not_found")})


@pytest.mark.parametrize("path", ["", "product", "products/A/price", "products/A/media/1", "products/"])
def test_an_unknown_address_is_404(partner, path):
    assert faults(partner.get(path)) == {("", "unknown_path")}


def test_a_wrong_method_is_405_with_the_right_ones(partner):
    response = partner.post("products/A")

    assert (response.status_code, response.headers["Allow"]) == (405, "DELETE, GET, PUT")


@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer x", "Basic c2FuZGJveA=="])
def test_without_a_valid_token_nothing_is_told(sandbox, authorization):
    headers = {"Authorization": authorization} if authorization else {}
    with httpx.Client(transport=SandboxTransport(sandbox), base_url=f"{BASE}/api/partner/v1/", headers=headers) as http:
        response = http.get("products")

    assert (response.status_code, faults(response)) == (401, {("Authorization", "invalid_token")})
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password", "client_id": "a", "client_secret": "b"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "a"}, 400, "invalid_request"),
    ],
)
def test_a_refused_grant_speaks_as_oauth_says(partner, form, status, error):
    response = partner.post("oauth/token", data=form)

    assert (response.status_code, response.json()) == (status, {"error": error})


# Pictures


def upload(partner, picture, name="file"):
    return partner.post("products/A/media", files={name: ("x.gif", picture, "image/gif")})


def announced(*pictures):
    return product(images=[hashlib.sha256(picture).hexdigest() for picture in pictures])


def test_a_picture_is_judged_by_content_and_known_by_its_hash(partner):
    put(partner, announced(JPEG, PNG))
    first, again, other = upload(partner, JPEG), upload(partner, JPEG), upload(partner, PNG)

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json() == again.json()
    assert first.json()["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert partner.get("products/A").json()["media"] == [first.json(), other.json()]


def test_bytes_that_look_like_a_boundary_survive(partner):
    picture = JPEG + b"\r\n--\r\n\r\n--x--\r\n"
    put(partner, announced(picture))

    assert upload(partner, picture).json()["sha256"] == hashlib.sha256(picture).hexdigest()


@pytest.mark.parametrize(
    ("picture", "status", "code"),
    [
        (b"GIF89a", 422, "unsupported_media"),
        (b"", 422, "unsupported_media"),
        (JPEG + b"other", 422, "not_announced"),
        (JPEG.ljust(2 * 1024 * 1024 + 1), 413, "too_large"),
    ],
)
def test_an_unfit_picture_is_refused(partner, picture, status, code):
    put(partner, announced(JPEG))
    response = upload(partner, picture)

    assert (response.status_code, faults(response)) == (status, {("file", code)})


def test_two_megabytes_are_taken(partner):
    picture = JPEG.ljust(2 * 1024 * 1024)
    put(partner, announced(picture))

    assert upload(partner, picture).status_code == 201


def test_a_form_without_the_one_file_is_malformed(partner):
    put(partner, announced(JPEG))

    assert upload(partner, JPEG, name="picture").status_code == 400
    assert partner.post("products/A/media", content=JPEG).status_code == 400
    two = partner.post("products/A/media", files=[("file", JPEG), ("file", PNG)])
    assert faults(two) == {("file", "malformed")}


# Lists, categories, limits


def test_pages_follow_the_cursor(partner):
    for n in range(5):
        put(partner, product(), key=f"K{n}", token=f"t-{n}")
    first = partner.get("products", params={"limit": 3}).json()
    rest = partner.get("products", params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [p["external_id"] for p in first["products"] + rest["products"]] == ["K0", "K1", "K2", "K3", "K4"]
    assert rest["next_cursor"] is None


def test_only_what_changed_since_and_the_end_of_a_review_is_a_change(partner, clock):
    live(partner, clock)
    put(partner, product(), key="B", token="t-2")
    since = partner.get("products/B").json()["updated_at"]
    clock.sleep(1)

    page = partner.get("products", params={"updated_since": since}).json()
    assert [p["external_id"] for p in page["products"]] == ["B"]
    assert since.endswith("+07:00")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "1e1"},
        {"limit": ""},
        {"cursor": ""},
        {"cursor": "@@@"},
        {"cursor": "_w=="},
        {"updated_since": "2026-11-23"},
        {"updated_since": "2026-13-23T00:00:00Z"},
        {"updated_since": "2026-11-23T00:00:00"},
        {"page": "1"},
    ],
)
def test_a_bad_parameter_is_400(partner, query):
    response = partner.get("products", params=query)

    assert (response.status_code, faults(response)) == (400, {(next(iter(query)), "bad_parameter")})


def test_the_tree_has_a_leaf_for_every_goods_set_and_is_not_sent_twice(partner):
    response = partner.get("categories")
    leaves = [leaf for sector in response.json()["categories"] for leaf in sector["children"]]

    assert {leaf["product_set"]: leaf["id"] for leaf in leaves} == CATEGORY
    assert [leaf["product_set"] for leaf in leaves if leaf["age_restricted"]] == [14, 15]
    again = partner.get("categories", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_spent_quota_says_when_to_come_back(partner, sandbox, clock):
    sandbox.state.put("quota", "all", (0.0, clock.now().timestamp()))
    response = partner.get("account")

    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    assert faults(response) == {("", "rate_limited")}
    clock.sleep(1)
    assert partner.get("account").json()["requests_per_minute"] == 600


def test_listings_show_what_is_stored(partner, sandbox, clock):
    live(partner, clock)
    [listing] = sandbox.show()["listings"]

    assert listing | {"payload": None, "updated_at": None} == {
        "key": "A",
        "remote_id": "MCM-000001",
        "title": "Tôm khô Rạch Gốc",
        "price": 650_000,
        "currency": "VND",
        "stock": 40,
        "status": "live",
        "updated_at": None,
        "payload": None,
    }
    assert listing["payload"] == product()

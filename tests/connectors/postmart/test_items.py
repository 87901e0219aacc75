"""The simulator takes no field, type, limit or state that the README does not allow."""

import hashlib
import unicodedata

import msgspec
import pytest

from models.change import Kind
from models.outcome import Outcome

LOST = "0" * 64


def nfd(text):
    return unicodedata.normalize("NFD", text)


def refused(shop, **groups):
    """The error codes with which an upsert of a sound item, changed like this, comes back."""
    (change,) = shop.create("A")
    shop.client._upload([change])
    whole = {"op": "upsert", "external_id": "A", **change.listing}
    item = {name: value for name, value in (whole | groups).items() if value is not ...}
    batch_id = shop.post_batch(msgspec.json.encode(item)).json()["batch_id"]
    shop.clock.sleep(1)
    (line,) = shop.raw("GET", f"batches/{batch_id}").json()["results"]
    return {(e["code"], e["field"]) for e in line["errors"]}


def content(shop, **fields):
    whole = shop.create("A")[0].listing["content"] | fields
    return {"content": {name: value for name, value in whole.items() if value is not ...}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, set()),
        ({"name": "ab"}, {("invalid_value", "content.name")}),
        ({"name": "n" * 201}, {("invalid_value", "content.name")}),
        ({"name": 5}, {("invalid_value", "content.name")}),
        ({"name": nfd("Tôm khô")}, {("not_nfc", "content.name")}),
        ({"brand": ...}, {("missing_field", "content.brand")}),
        ({"colour": "đỏ"}, {("unknown_field", "content.colour")}),
        ({"short_description": "x" * 501}, {("invalid_value", "content.short_description")}),
        ({"description": "x" * 30_001}, {("invalid_value", "content.description")}),
        ({"description": "<p>a</p><script>"}, {("html_not_allowed", "content.description")}),
        ({"description": '<p onclick="x">'}, {("html_not_allowed", "content.description")}),
        ({"categories": []}, {("invalid_value", "content.categories")}),
        ({"categories": ["tom"]}, {("unknown_category", "content.categories")}),
        ({"categories": ["do-uong", "do-uong"]}, {("invalid_value", "content.categories")}),
        ({"categories": ["san-pham-ocop"]}, {("ocop_mismatch", "content.ocop")}),
        ({"ocop": {"star": 3, "valid_until": "2028-01-01"}}, {("ocop_mismatch", "content.ocop")}),
        ({"ocop": {"star": 2, "valid_until": "2028-01-01"}}, {("invalid_value", "content.ocop.star")}),
        ({"ocop": {"star": 3, "valid_until": "1/1/2028"}}, {("invalid_value", "content.ocop.valid_until")}),
    ],
)
def test_content(shop, fields, expected):
    assert refused(shop, **content(shop, **fields)) == expected


@pytest.mark.parametrize(
    ("valid_until", "expected"),
    [("2026-11-22", {("ocop_expired", "content.ocop")}), ("2026-11-23", set())],
)
def test_the_last_day_of_a_star_is_still_taken(shop, valid_until, expected):
    starred = {"categories": ["san-pham-ocop"], "ocop": {"star": 5, "valid_until": valid_until}}

    assert refused(shop, **content(shop, **starred)) == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"price": {"price_vnd": 0, "list_price_vnd": None}}, {("invalid_value", "price.price_vnd")}),
        ({"price": {"price_vnd": 10**9 + 1, "list_price_vnd": None}}, {("invalid_value", "price.price_vnd")}),
        ({"price": {"price_vnd": 1.5, "list_price_vnd": None}}, {("invalid_value", "price.price_vnd")}),
        ({"price": {"price_vnd": "1", "list_price_vnd": None}}, {("invalid_value", "price.price_vnd")}),
        ({"price": {"price_vnd": 1}}, {("missing_field", "price.list_price_vnd")}),
        ({"price": {"price_vnd": 9, "list_price_vnd": 8}}, {("list_price_too_low", "price.list_price_vnd")}),
        ({"stock": {"qty": -1}}, {("invalid_value", "stock.qty")}),
        ({"stock": {"qty": True}}, {("invalid_value", "stock.qty")}),
        ({"stock": None}, {("invalid_value", "stock")}),
        ({"images": []}, {("invalid_value", "images")}),
        ({"images": ["x"]}, {("invalid_value", "images")}),
        ({"images": [LOST]}, {("unknown_media", f"images.{LOST}")}),
        ({"images": [LOST] * 9}, {("invalid_value", "images")}),
        ({"op": "erase"}, {("invalid_value", "op")}),
        ({"op": "hide"}, {("unknown_field", "content")}),
        ({"external_id": "s" * 101}, {("invalid_value", "external_id")}),
        ({"external_id": nfd("Tôm")}, {("not_nfc", "external_id")}),
        ({"stock": ...}, {("unknown_product", "external_id")}),
        (dict.fromkeys(("content", "price", "stock", "images"), ...), {("missing_field", "content")}),
    ],
)
def test_other_groups(shop, groups, expected):
    assert refused(shop, **groups) == expected


def test_pictures_are_kept_by_their_content(shop):
    jpeg = b"\xff\xd8\xff" + b"x"
    first, again = (
        shop.raw("POST", "media", content=jpeg, headers={"Content-Type": "image/jpeg"}).json() for _ in range(2)
    )

    assert first == again
    assert first["sha256"] == hashlib.sha256(jpeg).hexdigest()


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"\xff\xd8\xff", "image/png", "unsupported_media"),
        (b"GIF89a", "image/gif", "unsupported_media"),
        (b"", "image/png", "unsupported_media"),
        (b"\xff\xd8\xff" + b"x" * 2 * 1024 * 1024, "image/jpeg", "media_too_large"),
    ],
)
def test_other_pictures_are_refused(shop, content, kind, code):
    assert shop.raw("POST", "media", content=content, headers={"Content-Type": kind}).json()["error"]["code"] == code


def test_a_picture_is_uploaded_once_for_all_that_use_it(shop):
    shop.settle(shop.create("A", "B"))
    shop.settle(shop.create("C"))

    assert len(shop.requests("media")) == 1


def test_a_picture_that_is_refused_stops_only_its_items(shop, image):
    rubbish = shop.pictures.add(b"not a picture")
    good, bad = shop.create("A")[0], shop.change(Kind.CREATE, "B", images=(image(rubbish),))

    results = shop.settle([good, bad])

    assert results["A"].outcome is Outcome.ACKNOWLEDGED
    assert results["B"].outcome is Outcome.REJECTED
    assert results["B"].problem.code == "unsupported_media"


def test_a_picture_the_marketplace_lost_is_uploaded_again(shop):
    shop.settle(shop.create("A"))
    shop.sandbox.reset()

    lost = shop.settle(shop.create("A"))["A"]
    again = shop.settle(shop.create("A"))["A"]

    assert lost.outcome is Outcome.DEFERRED
    assert again.outcome is Outcome.ACKNOWLEDGED


def test_only_ndjson_with_a_key_is_a_batch(shop):
    line = b'{"op":"hide","external_id":"A"}\n'
    without_key = shop.raw("POST", "batches", content=line, headers={"Content-Type": "application/x-ndjson"})
    as_json = shop.raw(
        "POST", "batches", content=line, headers={"Content-Type": "application/json", "Idempotency-Key": "k"}
    )

    assert (without_key.status_code, without_key.json()["error"]["code"]) == (400, "idempotency_key_required")
    assert (as_json.status_code, as_json.json()["error"]["code"]) == (415, "unsupported_type")

"""The simulator refuses what the documents refuse, in their words and under their status."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64encode
from hashlib import md5

import httpx
import pytest

from connectors.addresses import Addresses
from connectors.amazon import CONNECTOR
from connectors.amazon.attributes import Tongue
from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.simulator import Simulator, patched
from connectors.server import application
from connectors.simulator import SandboxTransport
from models.listing import FACETS
from tests.connectors.amazon.shop import BASE, HERE, ITEMS, MODELS, create, delist, english, listing

KEY = "CM-TOMKHO-500G"
PATH = f"{ITEMS}/{KEY}"
TONGUE = Tongue(marketplace=MARKETPLACES["US"], pictures=Addresses("", Simulator.credentials["picture"]))
FEEDS = "feeds/2021-06-30"
TYPES = "definitions/2020-09-01/productTypes"
M = "ATVPDKIKX0DER"


def whole(**changes):
    attributes = TONGUE.attributes(listing().facets, FACETS)
    return {"productType": "GROCERY", "requirements": "LISTING", "attributes": attributes} | changes


def without(name):
    attributes = whole()["attributes"]
    return whole(attributes={key: value for key, value in attributes.items() if key != name})


def having(**more):
    return whole(attributes=whole()["attributes"] | more)


def patches(*made):
    return {"productType": "GROCERY", "patches": list(made)}


def stock(op="replace", path="/attributes/fulfillment_availability", value=None):
    given = [{"fulfillment_channel_code": "DEFAULT", "quantity": 1}] if value is None else value
    return {"op": op, "path": path, "value": given}


def fault(answer):
    return answer.status_code, answer.json()["errors"][0]["code"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-access-token": ""}, (403, "MissingAuthenticationToken")),
        ({"x-amz-access-token": "Atza|other"}, (403, "Unauthorized")),
        ({"Authorization": "Bearer x"}, (403, "MissingAuthenticationToken")),
        ({"x-amz-date": ""}, (400, "InvalidInput")),
        ({"x-amz-date": "2026-11-23"}, (400, "InvalidInput")),
    ],
)
def test_the_door_asks_for_token_and_date(shop, headers, code):
    assert fault(shop.raw("GET", ITEMS, params=HERE, headers=headers)) == code


def test_a_token_ends_after_an_hour(shop):
    shop.client.check()
    ((token, ends),) = shop.sandbox.state.items("token")
    shop.clock.advance(seconds=3_600)

    answer = shop.raw("GET", ITEMS, params=HERE, headers={"x-amz-access-token": token})

    assert ends - shop.clock.now().timestamp() < 0
    assert answer.json()["errors"][0]["details"] == "The access token you provided has expired."


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        (ITEMS, {}, (400, "InvalidInput")),
        (ITEMS, {"marketplaceIds": f"{M},A1VC38T7YXB528"}, (400, "InvalidInput")),
        (ITEMS, {"marketplaceIds": "A1VC38T7YXB528"}, (403, "Unauthorized")),
        (ITEMS, HERE | {"pageSize": "21"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"pageSize": "0"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"sortBy": "price"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"includedData": "everything"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"withStatus": "SOLD"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"identifiers": "1", "identifiersType": "NAME"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"unheard": "1"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"pageToken": "?"}, (400, "InvalidInput")),
        (ITEMS, HERE | {"createdAfter": "yesterday"}, (400, "InvalidInput")),
        (ITEMS.replace("SELLER", "OTHER"), HERE, (403, "Unauthorized")),
        (f"{ITEMS}/absent", HERE, (404, "NOT_FOUND")),
        (f"{ITEMS}/{'S' * 41}", HERE, (400, "InvalidInput")),
        (TYPES + "/NOTHING", HERE, (404, "NOT_FOUND")),
        (TYPES, HERE | {"keywords": "a", "itemName": "b"}, (400, "InvalidInput")),
        (FEEDS + "/feeds", {}, (400, "InvalidInput")),
        (FEEDS + "/feeds/1", {}, (404, "NotFound")),
        (FEEDS + "/documents/1", {}, (404, "NotFound")),
        ("orders/v0/orders", HERE, (403, "Unauthorized")),
    ],
)
def test_a_read_is_refused_under_its_code(shop, path, params, code):
    assert fault(shop.raw("GET", path, params=params)) == code


def test_more_than_twenty_identifiers_are_refused(shop):
    many = HERE | {"identifiers": ",".join("x" * 21), "identifiersType": "SKU"}

    assert fault(shop.raw("GET", ITEMS, params=many)) == (400, "InvalidInput")
    assert fault(shop.raw("GET", ITEMS, params=HERE | {"identifiers": "x"})) == (400, "InvalidInput")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (without("brand"), "90220"),
        (without("main_product_image_locator"), "90220"),
        (without("fc_shelf_life"), "90220"),
        (without("supplier_declared_has_product_identifier_exemption"), "90220"),
        (having(colour_name=[{"value": "red", "marketplace_id": M}]), "90000900"),
        (having(country_of_origin=[{"value": "XX", "marketplace_id": M}]), "4000001"),
        (having(country_of_origin=[]), "99022"),
        (having(fulfillment_availability=[{"fulfillment_channel_code": "DEFAULT", "quantity": -1}]), "4000001"),
        (having(item_name=[{"value": "x" * 201, "language_tag": "en_US", "marketplace_id": M}]), "4000001"),
        (having(list_price=[{"currency": "VND", "value": 5, "marketplace_id": M}]), "4000001"),
        (having(product_description=[{"value": "ế" * 3_334, "language_tag": "en_US", "marketplace_id": M}]), "99300"),
        (whole(productType="NOTHING"), "4000001"),
    ],
)
def test_content_that_is_wrong_is_invalid_with_http_200(shop, body, code):
    answer = shop.raw("PUT", PATH, params=HERE, json=body)

    assert (answer.status_code, answer.json()["status"]) == (200, "INVALID")
    assert code in [one["code"] for one in answer.json()["issues"]]
    assert shop.shown() == {}


@pytest.mark.parametrize(
    ("method", "body", "params"),
    [
        ("PUT", {"attributes": {}}, {}),
        ("PUT", {"productType": "GROCERY"}, {}),
        ("PUT", whole(more=1), {}),
        ("PUT", whole(requirements="EVERYTHING"), {}),
        ("PUT", whole(), {"mode": "TRY"}),
        ("PUT", whole(), {"includedData": "identifiers"}),
        ("PUT", whole(), {"includedData": "summaries"}),
        ("PUT", [], {}),
        ("PATCH", {"productType": "GROCERY"}, {}),
        ("PATCH", patches(), {}),
        ("PATCH", patches(stock(op="remove")), {}),
        ("PATCH", patches(stock(path="/attributes/purchasable_offer/0")), {}),
        ("PATCH", patches(stock(path="fulfillment_availability")), {}),
        ("PATCH", patches(stock(value=[])), {}),
        ("PATCH", patches(stock(value=[{}])), {}),
        ("PATCH", patches(stock(op="merge", path="/attributes/list_price")), {}),
    ],
)
def test_a_write_of_another_shape_is_a_bad_request(shop, method, body, params):
    assert fault(shop.raw(method, PATH, params=HERE | params, json=body)) == (400, "InvalidInput")


def test_another_content_type_is_refused(shop):
    answer = shop.raw("PUT", PATH, params=HERE, content=b"{}", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 415


def test_a_body_beyond_all_measure_is_refused(shop):
    answer = shop.raw("PUT", PATH, params=HERE, json={"productType": "x" * 1_100_000})

    assert answer.status_code == 413


def test_a_preview_says_valid_and_stores_nothing(shop):
    answer = shop.raw("PUT", PATH, params=HERE | {"mode": "VALIDATION_PREVIEW"}, json=whole())
    shop.clock.sleep(5)

    assert answer.json()["status"] == "VALID"
    assert shop.shown() == {}


def test_a_listing_appears_late_and_its_summary_later(shop):
    shop.raw("PUT", PATH, params=HERE, json=whole())
    statuses = [shop.raw("GET", PATH, params=HERE) for _ in range(2)]

    assert [one.status_code for one in statuses] == [200, 200]
    assert (statuses[0].json()["summaries"], len(statuses[1].json()["summaries"])) == ([], 1)


def test_a_put_replaces_everything(shop):
    shop.live(listing())
    body = having(generic_keyword=[{"value": "prawns", "language_tag": "en_US", "marketplace_id": M}])
    for sent in (body, whole()):
        shop.raw("PUT", PATH, params=HERE, json=sent)
        shop.clock.sleep(5)

    assert "generic_keyword" not in shop.shown()[KEY]["payload"]["attributes"]


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        (["en_US:A"], ("replace", ["es_US:B"]), ["en_US:A", "es_US:B"]),
        (["en_US:A"], ("replace", ["en_US:B"]), ["en_US:B"]),
        (["en_US:A", "es_US:B"], ("delete", ["es_US"]), ["en_US:A"]),
        (["en_US:A"], ("add", ["es_US:B"]), ["en_US:A", "es_US:B"]),
        ([], ("replace", ["en_US:B"]), ["en_US:B"]),
        ([], ("delete", ["en_US"]), []),
    ],
)
def test_a_patch_matches_instances_by_their_selectors(before, patch, after):
    def one(text):
        tongue, _, value = text.partition(":")
        return {"language_tag": tongue, "marketplace_id": M} | ({"value": value} if value else {})

    sent = {"op": patch[0], "path": "/attributes/item_name", "value": [one(text) for text in patch[1]]}

    made = patched({"item_name": [one(text) for text in before]}, sent)

    assert made.get("item_name", []) == [one(text) for text in after]


def test_a_replaced_instance_loses_what_is_not_sent_again_and_a_merged_one_keeps_it():
    before = {"fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": 1,
                                            "lead_time_to_ship_max_days": 3}]}  # fmt: skip

    replaced, merged = (patched(before, stock(op=op)) for op in ("replace", "merge"))

    assert "lead_time_to_ship_max_days" not in replaced["fulfillment_availability"][0]
    assert merged["fulfillment_availability"][0]["lead_time_to_ship_max_days"] == 3


@pytest.mark.parametrize(
    ("body", "code"), [(patches(stock()), "13013"), ({"productType": "HONEY", "patches": [stock()]}, "13013")]
)
def test_a_patch_of_what_is_not_there_is_invalid(shop, body, code):
    answer = shop.raw("PATCH", PATH, params=HERE, json=body)

    assert (answer.json()["status"], answer.json()["issues"][0]["code"]) == ("INVALID", code)


def test_a_patch_names_the_listings_own_type_or_the_general_one(shop):
    shop.live(listing())

    said = [
        shop.raw("PATCH", PATH, params=HERE, json={"productType": kind, "patches": [stock()]}).json()["status"]
        for kind in ("GROCERY", "PRODUCT", "HONEY")
    ]

    assert said == ["ACCEPTED", "ACCEPTED", "INVALID"]


def test_a_deleted_listing_goes_later_and_rests_a_day(shop):
    shop.live(listing())
    accepted = shop.raw("DELETE", PATH, params=HERE).json()["status"]
    early = shop.raw("GET", PATH, params=HERE).status_code
    shop.clock.sleep(5)
    late = shop.raw("GET", PATH, params=HERE).status_code
    again = shop.raw("PUT", PATH, params=HERE, json=whole()).json()

    assert (accepted, early, late) == ("ACCEPTED", 200, 404)
    assert again["issues"][0]["code"] == "13013"


def test_a_delete_of_what_is_not_there_is_accepted(shop):
    assert shop.raw("DELETE", PATH, params=HERE).json()["status"] == "ACCEPTED"


def test_money_is_a_text_on_the_way_out(shop):
    shop.live(listing())
    params = HERE | {"includedData": "offers,fulfillmentAvailability,productTypes,attributes,issues"}

    shown = shop.raw("GET", PATH, params=params).json()

    assert shown["offers"][0]["price"] == {"currencyCode": "USD", "amount": "24.99"}
    assert shown["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "DEFAULT", "quantity": 40}]
    assert "summaries" not in shown


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"withStatus": "BUYABLE"}, ["CM-1"]),
        ({"withoutStatus": "BUYABLE"}, ["CM-2"]),
        ({"withIssueSeverity": "ERROR"}, []),
        ({"identifiers": "CM-2,CM-9", "identifiersType": "SKU"}, ["CM-2"]),
        ({"createdAfter": "2026-11-23T00:00:00Z"}, ["CM-1", "CM-2"]),
        ({"createdBefore": "2026-11-23T00:00:00Z"}, []),
        ({"lastUpdatedAfter": "2027-01-01T00:00:00Z"}, []),
        ({"sortBy": "sku", "sortOrder": "DESC"}, ["CM-2", "CM-1"]),
    ],
)
def test_a_search_keeps_to_its_filters(shop, params, found):
    shop.live(listing(sku="CM-1"), listing(sku="CM-2", stock=0))

    answer = shop.raw("GET", ITEMS, params=HERE | {"sortBy": "sku", "sortOrder": "ASC"} | params).json()

    assert [one["sku"] for one in answer["items"]] == found
    assert answer["numberOfResults"] == len(found)


def test_each_operation_has_its_own_bucket(shop):
    shop.client.check()
    ((token, _),) = shop.sandbox.state.items("token")
    headers = {"x-amz-access-token": token, "x-amz-date": "20261123T013000Z", "User-Agent": "t"}
    shop.clock.sleep(5)
    with httpx.Client(base_url=BASE, transport=SandboxTransport(shop.sandbox), headers=headers) as client:
        searches = [client.get(ITEMS, params=HERE) for _ in range(6)]
        other = client.get(f"{ITEMS}/absent", params=HERE)

    assert [one.status_code for one in searches] == [200] * 5 + [429]
    assert searches[0].headers["x-amzn-RateLimit-Limit"] == "5"
    assert "x-amzn-RateLimit-Limit" not in searches[5].headers
    assert "Retry-After" not in searches[5].headers
    assert searches[5].json()["errors"][0]["code"] == "QuotaExceeded"
    assert other.status_code == 404


def test_a_spent_quota_of_the_sandbox_speaks_as_amazon_does(shop):
    assert fault(shop.simulator.throttled(3)) == (429, "QuotaExceeded")


# --- definitions ------------------------------------------------------------------------------------------------------


def test_a_definition_names_its_schema_and_what_it_hashes_to(shop):
    made = shop.raw("GET", f"{TYPES}/GROCERY", params=HERE | {"locale": "en_US"}).json()

    with httpx.Client(transport=SandboxTransport(shop.sandbox)) as client:
        schema = client.get(made["schema"]["link"]["resource"]).content

    assert b64encode(md5(schema).digest()).decode() == made["schema"]["checksum"]
    assert "/amazon/schemas/GROCERY" in made["schema"]["link"]["resource"]
    assert b64encode(md5(b'{"title":"GROCERY"}').digest()) == b"F9jkG/crmNfUxvEcXxj1Fw=="


def test_product_types_are_found(shop):
    made = shop.raw("GET", TYPES, params=HERE | {"keywords": "shrimp"}).json()

    assert [one["name"] for one in made["productTypes"]] == ["GROCERY"]


def test_a_definition_is_read_once_in_a_run(shop):
    shop.client.push([create(listing(sku=f"CM-{n}")) for n in range(3)])

    assert (shop.wire.count("GET", "/definitions"), shop.wire.count("GET", "/schemas")) == (1, 1)


def test_a_type_that_this_marketplace_lacks_refuses_the_listing(shop):
    made = listing()
    made.facets["content"]["product_type"] = "HONEY"

    (result,) = shop.client.push([create(made)])

    assert (result.outcome, result.problem.code) == ("rejected", "product-type")


@pytest.mark.parametrize("body", [{}, [], {"productType": "OTHER"}])
def test_a_definition_of_another_shape_lets_nothing_out(shop, body):
    shop.client.check()
    shop.wire.before = lambda r: httpx.Response(200, json=body) if "/definitions" in r.url.path else None

    with pytest.raises(Exception, match="unexpected-answer"):
        shop.client.push([create(listing())])
    assert shop.wire.count("PUT") == 0


# --- feeds ------------------------------------------------------------------------------------------------------------


def document(shop):
    return shop.raw("POST", f"{FEEDS}/documents", json={"contentType": "application/json; charset=UTF-8"}).json()


def put(shop, url, content=b"{}", kind="application/json; charset=UTF-8", **headers):
    with httpx.Client(transport=SandboxTransport(shop.sandbox)) as client:
        return client.put(url, content=content, headers={"Content-Type": kind, **headers})


def feed(shop, **changes):
    made = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [M], **changes}
    return shop.raw("POST", f"{FEEDS}/feeds", json=made)


def run(shop, body):
    """One feed from its document to its report."""
    made = document(shop)
    put(shop, made["url"], json.dumps(body).encode())
    feed_id = feed(shop, inputFeedDocumentId=made["feedDocumentId"]).json()["feedId"]
    shop.clock.sleep(10)
    done = shop.raw("GET", f"{FEEDS}/feeds/{feed_id}").json()
    if "resultFeedDocumentId" not in done:
        return done, None
    result = shop.raw("GET", f"{FEEDS}/documents/{done['resultFeedDocumentId']}").json()
    with httpx.Client(transport=SandboxTransport(shop.sandbox)) as client:
        packed = client.get(result["url"])
    report = json.loads(gzip.decompress(packed.content))
    MODELS.check_report(report)
    return done, report


def header(**changes):
    return {"sellerId": "A1CAMAUSELLER", "version": "2.0", **changes}


@pytest.mark.parametrize(
    ("kind", "headers", "wait", "status"),
    [
        ("application/json; charset=UTF-8", {}, 0, 200),
        ("application/json", {}, 0, 403),
        ("application/json; charset=UTF-8", {"x-amz-access-token": "t"}, 0, 403),
        ("application/json; charset=UTF-8", {}, 301, 403),
    ],
)
def test_a_signed_address_takes_what_was_announced_and_for_five_minutes(shop, kind, headers, wait, status):
    made = document(shop)
    shop.clock.sleep(wait)

    assert put(shop, made["url"], kind=kind, **headers).status_code == status


def test_a_signed_address_cannot_be_made_up(shop):
    made = document(shop)

    assert put(shop, made["url"][:-3] + "abc").status_code == 403


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"feedType": "POST_PRODUCT_DATA"}, 400), ({"marketplaceIds": [M, M]}, 400), ({"marketplaceIds": []}, 400),
     ({"marketplaceIds": ["A1VC38T7YXB528"]}, 403), ({"inputFeedDocumentId": "none"}, 400), ({}, 202)],
)  # fmt: skip
def test_a_feed_is_refused_for_what_it_names(shop, changes, status):
    made = document(shop)
    put(shop, made["url"])

    assert feed(shop, **{"inputFeedDocumentId": made["feedDocumentId"], **changes}).status_code == status


def test_a_feed_needs_its_document_uploaded(shop):
    assert feed(shop, inputFeedDocumentId=document(shop)["feedDocumentId"]).status_code == 400


def test_five_feeds_in_five_minutes(shop):
    made = document(shop)
    put(shop, made["url"])

    said = [feed(shop, inputFeedDocumentId=made["feedDocumentId"]).status_code for _ in range(6)]

    assert said == [202] * 5 + [429]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"header": header(), "messages": []},
        {"header": header(version="1.0"), "messages": [{"messageId": 1, "sku": "A", "operationType": "DELETE"}]},
        {"header": header(sellerId="A2"), "messages": [{"messageId": 1, "sku": "A", "operationType": "DELETE"}]},
        {"header": header(), "messages": [{"messageId": 0, "sku": "A", "operationType": "DELETE"}]},
        {"header": header(), "messages": [{"messageId": 1, "sku": "A", "operationType": "DELETE"}] * 2},
    ],
)
def test_a_document_nobody_can_read_is_fatal_and_has_no_report(shop, body):
    done, report = run(shop, body)

    assert (done["processingStatus"], report) == ("FATAL", None)


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        ({"operationType": "DELETE"}, 1),
        ({"operationType": "DELETE", "productType": "GROCERY"}, 0),
        ({"operationType": "UPDATE", **whole()}, 1),
        ({"operationType": "UPDATE", "productType": "GROCERY", "patches": []}, 0),
        ({"operationType": "PATCH", **patches(stock())}, 0),
        ({"operationType": "PATCH", **whole()}, 0),
        ({"operationType": "PARTIAL_UPDATE", "productType": "GROCERY", "attributes": {}}, 0),
        ({"operationType": "SOMETHING"}, 0),
    ],
)
def test_a_message_fits_its_operation(shop, message, taken):
    _, report = run(shop, {"header": header(), "messages": [{"messageId": 1, "sku": "A", **message}]})

    assert report["summary"]["messagesAccepted"] == taken
    assert bool(report["issues"]) is not bool(taken)


def test_too_many_messages_are_refused_as_a_whole(shop, monkeypatch):
    monkeypatch.setattr("connectors.amazon.simulator.MESSAGES", 1)
    messages = [{"messageId": n, "sku": f"S{n}", "operationType": "DELETE"} for n in (1, 2)]

    _, report = run(shop, {"header": header(), "messages": messages})

    assert report["summary"]["messagesAccepted"] == 0
    assert "messageId" not in report["issues"][0]


def test_a_queued_feed_can_be_taken_back_and_no_other(shop):
    made = document(shop)
    put(shop, made["url"])
    ids = [feed(shop, inputFeedDocumentId=made["feedDocumentId"]).json()["feedId"] for _ in range(2)]

    first = shop.raw("DELETE", f"{FEEDS}/feeds/{ids[1]}").status_code
    shop.clock.sleep(5)
    second = shop.raw("DELETE", f"{FEEDS}/feeds/{ids[0]}").status_code

    assert (first, second) == (200, 400)
    assert shop.raw("GET", f"{FEEDS}/feeds/{ids[1]}").json()["processingStatus"] == "CANCELLED"


# --- the window and the server ----------------------------------------------------------------------------------------


def test_the_window_shows_what_a_buyer_sees(shop):
    made = listing(english=english(name="Dried Shrimp"))
    shop.live(made, listing(sku="CM-DOWN"))
    shop.settle(delist(listing(sku="CM-DOWN")))

    shown = shop.shown()

    assert {key: one["status"] for key, one in shown.items()} == {KEY: "live", "CM-DOWN": "hidden"}
    one = shown[KEY]
    assert (one["title"], one["price"], one["currency"], one["stock"]) == ("Dried Shrimp, 500 g", 24.99, "USD", 40)
    assert set(one) == {"key", "remote_id", "title", "price", "currency", "stock", "status", "updated_at", "payload"}


def test_it_is_served_in_a_folder_like_the_others(shop):
    async def upload():
        wire = httpx.ASGITransport(application({"amazon": shop.sandbox}))
        async with httpx.AsyncClient(transport=wire, base_url="http://127.0.0.1:8000") as client:
            form = {name: Simulator.credentials[name] for name in ("client_id", "client_secret", "refresh_token")}
            login = await client.post("/amazon/auth/o2/token", data={"grant_type": "refresh_token", **form})
            headers = {"x-amz-access-token": login.json()["access_token"], "x-amz-date": "20261123T013000Z"}
            kind = {"contentType": "text/plain"}
            made = (await client.post(f"/amazon/{FEEDS}/documents", json=kind, headers=headers)).json()
            return made, await client.put(made["url"], content=b"x", headers={"Content-Type": "text/plain"})

    made, stored = asyncio.run(upload())

    assert made["url"].startswith("http://127.0.0.1:8000/amazon/documents/")
    assert stored.status_code == 200


def test_the_sandbox_account_has_every_credential():
    assert CONNECTOR.credentials(**Simulator.credentials).sold_in.currency == CONNECTOR.currencies[0]

"""Amazon's side of the wire, written from its documents: tokens, listings that appear late, feeds, definitions."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
from jsonschema import Draft201909Validator  # type: ignore[import-untyped]  # it has no types

from connectors.simulator import Answer, State, respond
from models.clock import Clock

MARKETPLACE, CURRENCY, LOCALE = "ATVPDKIKX0DER", "USD", "en_US"
TOKEN_SECONDS, UPLOAD_SECONDS, SCHEMA_SECONDS, REST_SECONDS = 3_600, 300, 7 * 86_400, 86_400
APPEARS_AFTER, APPLIED_AFTER, REVIEWED_AFTER = 1.0, 2.0, 20.0
FEED_STARTS, FEED_ENDS = 4.0, 8.0
PAGE, LAST, IDENTIFIERS = 20, 1_000, 20
BODY_BYTES, FEED_BYTES, MESSAGES = 1024 * 1024, 10 * 1024 * 1024, 25_000
FEED_KIND = "JSON_LISTINGS_FEED"
RATES = {  # requests a second, burst
    "put": (5, 10),
    "patch": (5, 5),
    "delete": (5, 5),
    "get": (5, 10),
    "search": (5, 5),
    "definition": (5, 5),
    "document": (0.5, 15),
    "feed": (1 / 120, 15),
    "feed_status": (2, 15),
    "feeds": (1 / 45, 10),
    "result": (1 / 45, 10),
    "cancel": (2, 15),
}
FEEDS_IN, FEEDS_SECONDS = 5, 300
DATASETS = {
    "summaries", "attributes", "issues", "offers", "fulfillmentAvailability", "procurement", "relationships",
    "productTypes",
}  # fmt: skip
FILTERS = {
    "identifiers", "identifiersType", "variationParentSku", "packageHierarchySku", "createdAfter", "createdBefore",
    "lastUpdatedAfter", "lastUpdatedBefore", "withIssueSeverity", "withStatus", "withoutStatus", "sortBy", "sortOrder",
    "pageSize", "pageToken",
}  # fmt: skip
IDENTIFIER_TYPES = {"ASIN", "EAN", "FNSKU", "GTIN", "ISBN", "JAN", "MINSAN", "SKU", "UPC"}
IGNORED = {"MarketplaceId", "MarketplaceIds", "marketplace_ids"}  # a widely used SDK adds these to every call
CLAIM = re.compile(r"\bcures?\b", re.IGNORECASE)  # what a later review finds
DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")


class Refusal(Exception):
    """A whole call refused."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"errors": [{"code": code, "message": message, "details": details}]}


class Signed(Exception):
    """Refused by the store behind a signed address, which speaks XML."""


def bad(message: str) -> Refusal:
    return Refusal(400, "InvalidInput", message)


def denied(details: str) -> Refusal:
    return Refusal(403, "Unauthorized", "Access to requested resource is denied.", details)


class Simulator:
    name = "amazon"
    quota = (600, 60.0)
    pace = (0.3, 0.5)
    credentials = {  # noqa: RUF012  # constant
        "marketplace": "US",
        "seller_id": "A1CAMAUSELLER",
        "client_id": "amzn1.application-oa2-client.thunghiem",
        "client_secret": "amzn1.oa2-cs.v1.thunghiem",
        "refresh_token": "Atzr|IwEBIThuNghiem+/==",
        "picture": "https://cuahang.example/anh/{sha256}",
    }

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock, self._rng = state, clock, rng

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        self._settle()
        try:
            answer = self._route(request, path)
        except Signed as refusal:
            text = f"<?xml version='1.0'?><Error><Code>{refusal}</Code></Error>"
            return Answer(httpx.Response(403, text=text, headers={"Content-Type": "application/xml"}), "refused")
        except Refusal as refusal:
            answer = Answer(respond(refusal.status, refusal.body), "refused")
        answer.response.headers["x-amzn-RequestId"] = f"{self._rng.getrandbits(64):016x}"
        return answer

    def throttled(self, seconds: int) -> httpx.Response:
        """How long is not said."""
        return respond(429, QUOTA.body)

    def listings(self) -> list[dict[str, Any]]:
        self._settle()
        return [self._shelf(sku, item) for sku, item in self._state.items("item") if item["visible"]]

    # The door

    def _route(self, request: httpx.Request, path: list[str]) -> Answer:
        match request.method, path:
            case "POST", ["auth", "o2", "token"]:
                return self._grant(request)
            case "PUT", ["documents", document]:
                return self._uploaded(request, document)
            case "GET", ["documents", document]:
                return self._downloaded(request, document)
            case "GET", ["schemas", product_type]:
                self._signed(request)
                return Answer(httpx.Response(200, content=schema_bytes(product_type)), "read")
        self._authorise(request)
        operation, answer = self._operation(request, path)
        self._spend(operation)
        made = answer()
        made.response.headers["x-amzn-RateLimit-Limit"] = f"{RATES[operation][0]:.4g}"
        return made  # type: ignore[no-any-return]  # the table below holds nothing else

    def _operation(self, request: httpx.Request, path: list[str]) -> tuple[str, Any]:
        asked = self._query(request)
        match request.method, path:
            case method, ["listings", "2021-08-01", "items", seller, sku]:
                self._own(seller)
                return self._on_item(method, request, sku, asked)
            case "GET", ["listings", "2021-08-01", "items", seller]:
                self._own(seller)
                return "search", lambda: self._search(asked)
            case "GET", ["definitions", "2020-09-01", "productTypes"]:
                return "definition", lambda: self._types(asked)
            case "GET", ["definitions", "2020-09-01", "productTypes", product_type]:
                return "definition", lambda: self._definition(request, product_type, asked)
            case "POST", ["feeds", "2021-06-30", "documents"]:
                return "document", lambda: self._document(request)
            case "GET", ["feeds", "2021-06-30", "documents", document]:
                return "result", lambda: self._result(request, document, asked)
            case "POST", ["feeds", "2021-06-30", "feeds"]:
                return "feed", lambda: self._create_feed(request)
            case "GET", ["feeds", "2021-06-30", "feeds"]:
                return "feeds", lambda: self._feeds(asked)
            case "GET", ["feeds", "2021-06-30", "feeds", feed]:
                return "feed_status", lambda: Answer(respond(200, self._feed(feed)), "read")
            case "DELETE", ["feeds", "2021-06-30", "feeds", feed]:
                return "cancel", lambda: self._cancel(feed)
        raise denied("")  # an unknown path is answered as one that is not allowed

    def _on_item(self, method: str, request: httpx.Request, sku: str, asked: dict[str, str]) -> tuple[str, Any]:
        if len(sku) > 40 or not sku:
            raise bad("Invalid 'sku' provided.")
        match method:
            case "PUT":
                allow(asked, "marketplaceIds", "includedData", "mode", "issueLocale")
                return "put", lambda: self._put(sku, body_of(request), asked)
            case "PATCH":
                allow(asked, "marketplaceIds", "includedData", "mode", "issueLocale")
                return "patch", lambda: self._patch(sku, body_of(request), asked)
            case "DELETE":
                allow(asked, "marketplaceIds", "issueLocale")
                return "delete", lambda: self._delete(sku)
            case "GET":
                allow(asked, "marketplaceIds", "includedData", "issueLocale")
                return "get", lambda: self._get(sku, asked)
        raise denied("")

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _grant(self, request: httpx.Request) -> Answer:
        if not request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return Answer(respond(400, login_body("invalid_request", "The content type is not supported")), "refused")
        form = dict(parse_qsl(request.content.decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("grant_type") != "refresh_token":
            return Answer(respond(400, login_body("unsupported_grant_type", "The grant type is unknown")), "refused")
        if any(form.get(name) != self.credentials[name] for name in ("client_id", "client_secret")):
            return Answer(respond(401, login_body("invalid_client", "Client authentication failed")), "refused")
        if form.get("refresh_token") != self.credentials["refresh_token"]:
            return Answer(respond(400, login_body("invalid_grant", "The request has an invalid grant")), "refused")
        token = f"Atza|{self._rng.getrandbits(128):032x}"
        self._state.put("token", token, self._now() + TOKEN_SECONDS)
        granted = {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}
        return Answer(respond(200, granted | {"refresh_token": form["refresh_token"]}), "read")

    def _authorise(self, request: httpx.Request) -> None:
        token = request.headers.get("x-amz-access-token", "")
        if not token or "Authorization" in request.headers:
            raise Refusal(403, "MissingAuthenticationToken", "Missing Authentication Token")
        ends = self._state.get("token", token)
        if ends is None:
            raise denied("The access token you provided is revoked, malformed or invalid.")
        if ends <= self._now():
            raise denied("The access token you provided has expired.")
        if not DATE.fullmatch(request.headers.get("x-amz-date", "")) or not request.headers.get("User-Agent"):
            raise bad("The headers x-amz-date and user-agent are required.")

    def _own(self, seller: str) -> None:
        if seller != self.credentials["seller_id"]:
            raise denied("")

    def _query(self, request: httpx.Request) -> dict[str, str]:
        pairs = parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)
        if len({name for name, _ in pairs}) < len(pairs):
            raise bad("A parameter is given twice; lists are joined by commas.")
        return {name: value for name, value in pairs if name not in IGNORED}

    def _here(self, asked: Mapping[str, str]) -> None:
        """The seller sells in one marketplace only."""
        ids = asked.get("marketplaceIds", "")
        if not ids:
            raise bad("Missing required 'marketplaceIds'.")
        if "," in ids:
            raise bad("Too many 'marketplaceIds' values provided. Expected a maximum of 1.")
        if ids != MARKETPLACE:
            raise denied("")

    def _spend(self, operation: str) -> None:
        rate, burst = RATES[operation]
        now = self._now()
        tokens, at = self._state.get("quota", operation) or (burst, now)
        tokens = min(burst, tokens + (now - at) * rate)
        if tokens < 1:
            raise QUOTA
        self._state.put("quota", operation, (tokens - 1, now))

    # Listings

    def _settle(self) -> None:
        """What has had its time since somebody looked last."""
        now = self._now()
        for sku, at in self._state.items("due"):
            if now < at:
                continue
            item = self._state.get("item", sku)
            self._state.delete("due", sku)
            if item["gone"]:
                self._state.delete("item", sku)
                self._state.put("deleted", sku, now)
            else:
                self._state.put("item", sku, item | {"visible": item["latest"], "type": item["new_type"], "at": at})
        for feed_id, at in self._state.items("feed_due"):
            if now >= at:
                self._state.delete("feed_due", feed_id)
                self._carry_out(feed_id)

    def _put(self, sku: str, body: dict[str, Any], asked: dict[str, str]) -> Answer:
        preview = self._mode(asked)
        if not isinstance(body.get("productType"), str) or not isinstance(body.get("attributes"), dict):
            raise bad("Missing required 'productType' or 'attributes'.")
        if set(body) - {"productType", "requirements", "attributes"}:
            raise bad("Unknown field in the body.")
        if body.get("requirements", "LISTING") != "LISTING":
            raise bad("Only the requirements LISTING are simulated.")
        return self._submitted(sku, self._replace(sku, body, keep=not preview), preview=preview)

    def _replace(self, sku: str, body: dict[str, Any], *, keep: bool) -> list[dict[str, Any]]:
        at = self._state.get("deleted", sku)
        if at is not None and self._now() - at < REST_SECONDS:
            return [issue("13013", "The SKU was deleted. Wait 24 hours before submitting it again.")]
        issues = list(issues_of(body["productType"], body["attributes"]))
        if keep and not blocked(issues):
            self._store(sku, body["productType"], body["attributes"])
        return issues

    def _patch(self, sku: str, body: dict[str, Any], asked: dict[str, str]) -> Answer:
        preview = self._mode(asked)
        if not isinstance(body.get("productType"), str) or set(body) - {"productType", "patches"}:
            raise bad("Missing required 'productType', or an unknown field.")
        check_patches(body.get("patches"))
        return self._submitted(sku, self._change(sku, body, keep=not preview), preview=preview)

    def _change(self, sku: str, body: dict[str, Any], *, keep: bool) -> list[dict[str, Any]]:
        item = self._state.get("item", sku)
        if item is None or item["gone"]:
            return [issue("13013", "The SKU does not match any item in the catalog.")]
        if body["productType"] not in (item["new_type"], "PRODUCT"):
            return [issue("4000001", "The product type is not the one of this listing.", "product_type")]
        attributes = item["latest"]
        for patch in body["patches"]:
            attributes = patched(attributes, patch)
        issues = list(issues_of(item["new_type"], attributes))
        if keep and not blocked(issues):
            self._store(sku, item["new_type"], attributes)
        return issues

    def _store(self, sku: str, product_type: str, attributes: dict[str, Any], *, gone: bool = False) -> None:
        now = self._now()
        item = self._state.get("item", sku)
        if item is None:
            asin = f"B0{self._state.next_number('asin'):08}"
            item = {"asin": asin, "created": now, "visible": None, "type": product_type, "at": now}
        self._state.put("item", sku, item | {"latest": attributes, "new_type": product_type, "gone": gone})
        self._state.put("due", sku, now + APPLIED_AFTER)

    def _delete(self, sku: str) -> Answer:
        item = self._state.get("item", sku)
        if item is not None:
            self._store(sku, item["new_type"], item["latest"], gone=True)
        return self._submitted(sku, [], preview=False)

    def _mode(self, asked: dict[str, str]) -> bool:
        self._here(asked)
        preview = asked.get("mode")
        if preview not in (None, "VALIDATION_PREVIEW"):
            raise bad("Invalid 'mode' provided.")
        included = set(asked.get("includedData", "issues").split(","))
        if not included <= {"issues", "identifiers"} or ("identifiers" in included and not preview):
            raise bad("Invalid 'includedData' provided.")
        return preview is not None

    def _submitted(self, sku: str, issues: list[dict[str, Any]], *, preview: bool) -> Answer:
        """An error of the content comes with HTTP 200."""
        status = "INVALID" if blocked(issues) else "VALID" if preview else "ACCEPTED"
        body = {"sku": sku, "status": status, "submissionId": f"{self._rng.getrandbits(64):016x}", "issues": issues}
        return Answer(respond(200, body), "write" if status == "ACCEPTED" else "refused")

    def _get(self, sku: str, asked: dict[str, str]) -> Answer:
        self._here(asked)
        included = datasets(asked)
        item = self._state.get("item", sku)
        if item is None or not self._appeared(item):
            raise Refusal(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {MARKETPLACE}")
        return Answer(respond(200, self._shown(sku, item, included)), "read")

    def _appeared(self, item: dict[str, Any]) -> bool:
        return item["visible"] is not None or self._now() - item["created"] >= APPEARS_AFTER

    def _search(self, asked: dict[str, str]) -> Answer:
        self._here(asked)
        check_filters(asked)
        size, included = whole(asked.get("pageSize", "10"), 1, PAGE), datasets(asked)
        rows = [(sku, i) for sku, i in self._state.items("item") if self._appeared(i) and self._matches(sku, i, asked)]
        by, order = asked.get("sortBy", "lastUpdatedDate"), asked.get("sortOrder", "DESC")
        if by not in ("sku", "createdDate", "lastUpdatedDate") or order not in ("ASC", "DESC"):
            raise bad("Invalid 'sortBy' or 'sortOrder' provided.")
        rows.sort(key=lambda row: (sort_key(by, row), row[0]), reverse=order == "DESC")
        start = page_start(asked.get("pageToken"))
        page = rows[start : min(start + size, LAST)]
        answer: dict[str, Any] = {
            "numberOfResults": len(rows),
            "items": [self._shown(sku, item, included) for sku, item in page],
        }
        if start + size < min(len(rows), LAST):
            answer["pagination"] = {"nextToken": b64encode(str(start + size).encode()).decode()}
        return Answer(respond(200, answer), "read")

    def _matches(self, sku: str, item: dict[str, Any], asked: Mapping[str, str]) -> bool:
        if (named := asked.get("identifiers")) is not None:
            own = sku if asked["identifiersType"] == "SKU" else item["asin"]
            if own not in named.split(","):
                return False
        for name, field in (("created", "created"), ("lastUpdated", "at")):
            at = item[field]
            if asked.get(f"{name}After") and stamp(at) < instant(asked[f"{name}After"]):
                return False
            if asked.get(f"{name}Before") and stamp(at) > instant(asked[f"{name}Before"]):
                return False
        status, severity = set(self._status(item)), {one["severity"] for one in self._issues(item)}
        with_, without = asked.get("withStatus", ""), asked.get("withoutStatus", "")
        wanted = (not with_ or status & set(with_.split(","))) and not (status & set(without.split(",")))
        return bool(wanted) and (not (of := asked.get("withIssueSeverity")) or bool(severity & set(of.split(","))))

    def _issues(self, item: dict[str, Any]) -> list[dict[str, Any]]:
        """A review comes later than acceptance, and judges what no validation does."""
        visible = item["visible"]
        if not visible or self._now() - item["at"] < REVIEWED_AFTER:
            return []
        found = [issue("18448", "Relevant attributes are incomplete.", "item_weight", severity="WARNING")]
        if any(CLAIM.search(text_of(visible, name)) for name in ("item_name", "product_description")):
            words = "This product is restricted: it claims to cure."
            restricted = issue("18742", words, "product_description", category="INVALID_ATTRIBUTE")
            actions = {"actions": [{"action": "LISTING_SUPPRESSED"}], "exemption": {"status": "NOT_EXEMPT"}}
            found.append(restricted | {"enforcements": actions})
        return found

    def _status(self, item: dict[str, Any]) -> list[str]:
        visible = item["visible"]
        if not visible or blocked(self._issues(item)):
            return []
        offers = visible.get("purchasable_offer", [])
        open_ = any(not over(offer, self._now()) for offer in offers)
        return ["BUYABLE", "DISCOVERABLE"] if open_ and quantity(visible) else ["DISCOVERABLE"]

    def _shown(self, sku: str, item: dict[str, Any], included: set[str]) -> dict[str, Any]:
        visible = item["visible"] or {}
        everything: dict[str, Any] = {
            "summaries": [self._summary(item)] if item["visible"] else [],
            "attributes": visible,
            "issues": self._issues(item),
            "offers": [offer_of(offer) for offer in visible.get("purchasable_offer", [])],
            "fulfillmentAvailability": [
                {"fulfillmentChannelCode": one["fulfillment_channel_code"], "quantity": one.get("quantity", 0)}
                for one in visible.get("fulfillment_availability", [])
            ],
            "procurement": [],
            "relationships": [],
            "productTypes": [{"marketplaceId": MARKETPLACE, "productType": item["type"]}],
        }
        return {"sku": sku} | {name: everything[name] for name in everything if name in included}

    def _summary(self, item: dict[str, Any]) -> dict[str, Any]:
        summary = {
            "marketplaceId": MARKETPLACE,
            "asin": item["asin"],
            "productType": item["type"],
            "conditionType": "new_new",
            "status": self._status(item),
            "itemName": text_of(item["visible"], "item_name"),
            "createdDate": stamp(item["created"]),
            "lastUpdatedDate": stamp(item["at"]),
        }
        links = item["visible"].get("main_product_image_locator")
        image = {"link": f"https://m.media.example/I/{item['asin']}.jpg", "height": 1600, "width": 1600}
        return summary | ({"mainImage": image} if links else {})

    def _shelf(self, sku: str, item: dict[str, Any]) -> dict[str, Any]:
        visible = item["visible"]
        offer: dict[str, Any] = next(iter(visible.get("purchasable_offer", [])), {})
        hidden = not offer or over(offer, self._now())
        status = "rejected" if blocked(self._issues(item)) else "live"
        return {
            "key": sku,
            "remote_id": sku,
            "title": text_of(visible, "item_name"),
            "price": offer["our_price"][0]["schedule"][0]["value_with_tax"] if offer else 0,
            "currency": offer.get("currency", CURRENCY),
            "stock": quantity(visible),
            "status": "hidden" if hidden else status,
            "updated_at": datetime.fromtimestamp(item["at"], UTC).isoformat(),
            "payload": {"productType": item["type"], "attributes": visible},
        }

    # Product types

    def _types(self, asked: dict[str, str]) -> Answer:
        self._here(asked)
        allow(asked, "marketplaceIds", "keywords", "itemName", "locale", "searchLocale")
        if asked.get("keywords") and asked.get("itemName"):
            raise bad("Only one of 'keywords' and 'itemName' may be given.")
        kinds = [{"name": name, "displayName": name.title(), "marketplaceIds": [MARKETPLACE]} for name in SCHEMAS]
        return Answer(respond(200, {"productTypes": kinds, "productTypeVersion": VERSION}), "read")

    def _definition(self, request: httpx.Request, product_type: str, asked: dict[str, str]) -> Answer:
        self._here(asked)
        allow(
            asked, "marketplaceIds", "sellerId", "productTypeVersion", "requirements", "requirementsEnforced", "locale",
            "parentageLevel",
        )  # fmt: skip
        if product_type not in SCHEMAS:
            raise Refusal(404, "NOT_FOUND", f"Product type {product_type} was not found.")
        schema = self._link(request, f"schemas/{product_type}", SCHEMA_SECONDS, schema_bytes(product_type))
        body = {
            "metaSchema": schema,
            "schema": schema,
            "requirements": asked.get("requirements", "LISTING"),
            "requirementsEnforced": asked.get("requirementsEnforced", "ENFORCED"),
            "propertyGroups": {"offer": {"title": "Offer", "propertyNames": ["purchasable_offer"]}},
            "locale": asked.get("locale", LOCALE),
            "marketplaceIds": [MARKETPLACE],
            "productType": product_type,
            "displayName": product_type.title(),
            "productTypeVersion": {"version": VERSION, "latest": True},
        }
        return Answer(respond(200, body), "read")

    def _link(self, request: httpx.Request, place: str, seconds: int, content: bytes) -> dict[str, Any]:
        checksum = b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        return {"link": {"resource": self._address(request, place, seconds), "verb": "GET"}, "checksum": checksum}

    # Signed addresses

    def _address(self, request: httpx.Request, place: str, seconds: int, **more: str) -> str:
        """In the same folder as the API itself."""
        folder = b"/amazon" if request.url.raw_path.startswith(b"/amazon/") else b""
        secret = f"{self._rng.getrandbits(128):032x}"
        self._state.put("signature", secret, [place, self._now() + seconds])
        query = "".join(f"&{name}={value}" for name, value in more.items())
        return str(request.url.copy_with(raw_path=folder + f"/{place}?X-Amz-Signature={secret}{query}".encode()))

    def _signed(self, request: httpx.Request) -> dict[str, str]:
        asked = dict(parse_qsl(request.url.query.decode("ascii")))
        place, ends = self._state.get("signature", asked.get("X-Amz-Signature", "")) or ("", 0)
        if not place or not request.url.path.endswith("/" + place):
            raise Signed("SignatureDoesNotMatch")
        if ends <= self._now():
            raise Signed("AccessDenied")
        if "x-amz-access-token" in request.headers or "Authorization" in request.headers:
            raise Signed("InvalidArgument")
        return asked

    def _uploaded(self, request: httpx.Request, document: str) -> Answer:
        self._signed(request)
        known = self._state.get("document", document)
        if known is None or known["kind"] != request.headers.get("Content-Type"):
            raise Signed("SignatureDoesNotMatch")
        content = b64encode(request.content).decode()
        self._state.put("document", document, known | {"content": content})
        return Answer(httpx.Response(200), "write")

    def _downloaded(self, request: httpx.Request, document: str) -> Answer:
        """Packed; whether a header says so was settled when the address was asked for."""
        asked = self._signed(request)
        content = b64decode(self._state.get("document", document)["content"])
        headers = {"Content-Type": "application/json"}
        response = httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))
        response.read()
        if asked.get("encoded") == "gzip":
            response.headers["Content-Encoding"] = "gzip"
        return Answer(response, "read")

    # Feeds

    def _document(self, request: httpx.Request) -> Answer:
        kind = body_of(request).get("contentType")
        if not isinstance(kind, str) or not kind:
            raise bad("Missing required 'contentType'.")
        document = f"amzn1.tortuga.4.na.{self._state.next_number('document'):08}"
        self._state.put("document", document, {"kind": kind, "content": None})
        address = self._address(request, f"documents/{document}", UPLOAD_SECONDS)
        return Answer(respond(201, {"feedDocumentId": document, "url": address}), "write")

    def _create_feed(self, request: httpx.Request) -> Answer:
        body = body_of(request)
        ids, document = body.get("marketplaceIds"), self._state.get("document", str(body.get("inputFeedDocumentId")))
        if body.get("feedType") != FEED_KIND:
            raise bad("Invalid 'feedType' provided.")
        if not isinstance(ids, list) or len(ids) != 1:
            raise bad("Too many 'marketplaceIds' values provided. Expected a maximum of 1.")
        if ids != [MARKETPLACE]:
            raise denied("")
        if document is None or document["content"] is None:
            raise bad("Invalid 'inputFeedDocumentId' provided.")
        recent = [f for _, f in self._state.items("feed") if self._now() - f["created"] < FEEDS_SECONDS]
        if len(recent) >= FEEDS_IN:
            raise QUOTA
        feed_id = f"{50_070 + self._state.next_number('feed')}"
        feed = {"created": self._now(), "document": body["inputFeedDocumentId"], "cancelled": False, "result": ""}
        self._state.put("feed", feed_id, feed | {"fatal": False})
        self._state.put("feed_due", feed_id, self._now() + FEED_ENDS)
        return Answer(respond(202, {"feedId": feed_id}), "write")

    def _feed(self, feed_id: str) -> dict[str, Any]:
        feed = self._state.get("feed", feed_id)
        if feed is None:
            raise Refusal(404, "NotFound", f"Feed {feed_id} was not found.")
        age = self._now() - feed["created"]
        status = "IN_QUEUE" if age < FEED_STARTS else "IN_PROGRESS" if age < FEED_ENDS else "DONE"
        ended = "CANCELLED" if feed["cancelled"] else "FATAL" if feed["fatal"] else status
        shown = {
            "feedId": feed_id,
            "feedType": FEED_KIND,
            "marketplaceIds": [MARKETPLACE],
            "createdTime": stamp(feed["created"]),
            "processingStatus": ended,
        }
        return shown | ({"resultFeedDocumentId": feed["result"]} if feed["result"] else {})

    def _feeds(self, asked: dict[str, str]) -> Answer:
        allow(asked, "feedTypes", "marketplaceIds", "pageSize", "processingStatuses", "createdSince", "createdUntil")
        if asked.get("feedTypes") != FEED_KIND:
            raise bad("Missing required 'feedTypes'.")
        size, since = whole(asked.get("pageSize", "10"), 1, 100), instant(asked.get("createdSince", "2026-01-01"))
        feeds = [self._feed(feed_id) for feed_id, _ in self._state.items("feed")]
        recent = [feed for feed in reversed(feeds) if feed["createdTime"] >= since]
        return Answer(respond(200, {"feeds": recent[:size]}), "read")

    def _cancel(self, feed_id: str) -> Answer:
        if self._feed(feed_id)["processingStatus"] != "IN_QUEUE":
            raise bad("The feed is not in the queue any more.")
        self._state.put("feed", feed_id, self._state.get("feed", feed_id) | {"cancelled": True})
        self._state.delete("feed_due", feed_id)
        return Answer(respond(200, {}), "write")

    def _carry_out(self, feed_id: str) -> None:
        feed = self._state.get("feed", feed_id)
        content = b64decode(self._state.get("document", feed["document"])["content"])
        try:
            messages = self._messages(content)
        except ValueError:
            self._state.put("feed", feed_id, feed | {"fatal": True})
            return
        issues = [reported(one, found) for one in messages for found in self._message(one) if len(messages) <= MESSAGES]
        if len(messages) > MESSAGES:
            issues = [{"code": "4000003", "severity": "ERROR", "message": "The feed messages list is beyond allowed "
                       "size."}]  # fmt: skip
        errors = [one for one in issues if one["severity"] == "ERROR"]
        refused = {one["messageId"] for one in errors if "messageId" in one}
        taken = len(messages) - len(refused) if len(messages) <= MESSAGES else 0
        summary = {
            "errors": len(errors),
            "warnings": len(issues) - len(errors),
            "messagesProcessed": len(messages),
            "messagesAccepted": taken,
            "messagesInvalid": len(messages) - taken,
        }
        header = {"sellerId": self.credentials["seller_id"], "version": "2.0", "feedId": feed_id}
        report = msgspec.json.encode({"header": header, "issues": issues, "summary": summary})
        result = f"amzn1.tortuga.4.na.{self._state.next_number('document'):08}"
        packed = b64encode(gzip.compress(report, mtime=0)).decode()
        self._state.put("document", result, {"kind": "application/json", "content": packed, "report": True})
        self._state.put("feed", feed_id, feed | {"result": result})

    def _messages(self, content: bytes) -> list[dict[str, Any]]:
        """ValueError where the feed as a whole cannot be read."""
        if len(content) > FEED_BYTES:
            raise ValueError("size")
        feed = msgspec.json.decode(content, type=dict[str, Any])
        header, messages = feed.get("header"), feed.get("messages")
        if not isinstance(header, dict) or not isinstance(messages, list) or not messages:
            raise ValueError("shape")
        if header.get("sellerId") != self.credentials["seller_id"] or header.get("version") != "2.0":
            raise ValueError("header")
        numbers = [one.get("messageId") for one in messages]
        if not all(isinstance(n, int) and 1 <= n <= 2**31 - 1 for n in numbers) or len(set(numbers)) < len(numbers):
            raise ValueError("messageId")
        return messages

    def _message(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        sku, kind = str(one.get("sku", "")), one.get("operationType")
        if not 0 < len(sku) <= 40:
            return [issue("4000001", "Invalid 'sku' provided.", "sku")]
        match kind:
            case "UPDATE" if isinstance(one.get("attributes"), dict) and "patches" not in one:
                return self._replace(sku, one, keep=True)
            case "PATCH" if not {"attributes", "requirements"} & set(one):
                try:
                    check_patches(one.get("patches"))
                except Refusal as refusal:
                    return [issue("4000001", str(refusal))]
                return self._change(sku, one, keep=True)
            case "PARTIAL_UPDATE" if not {"patches", "requirements"} & set(one):
                patches = [
                    {"op": "replace", "path": f"/attributes/{name}", "value": value}
                    for name, value in one["attributes"].items()
                ]
                return self._change(sku, {"productType": one["productType"], "patches": patches}, keep=True)
            case "DELETE" if not {"productType", "requirements", "attributes", "patches"} & set(one):
                self._delete(sku)
                return []
        return [issue("4000001", "The message does not fit its operationType.")]

    def _result(self, request: httpx.Request, document: str, asked: dict[str, str]) -> Answer:
        allow(asked, "enableContentEncodingUrlHeader")
        known = self._state.get("document", document)
        if known is None or "report" not in known:
            raise Refusal(404, "NotFound", f"Document {document} was not found.")
        encoded = "gzip" if asked.get("enableContentEncodingUrlHeader") == "true" else "identity"
        address = self._address(request, f"documents/{document}", UPLOAD_SECONDS, encoded=encoded)
        return Answer(
            respond(200, {"feedDocumentId": document, "url": address, "compressionAlgorithm": "GZIP"}), "read"
        )


QUOTA = Refusal(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


def login_body(code: str, words: str) -> dict[str, str]:
    return {"error": code, "error_description": words, "error_index": "0", "request_id": "1f2e3d"}


def allow(asked: Mapping[str, str], *names: str) -> None:
    if unknown := sorted(set(asked) - set(names)):
        raise bad(f"Invalid '{unknown[0]}' provided.")


def check_filters(asked: Mapping[str, str]) -> None:
    allow(asked, "marketplaceIds", "issueLocale", "includedData", *FILTERS)
    if named := asked.get("identifiers"):
        if asked.get("identifiersType") not in IDENTIFIER_TYPES or len(named.split(",")) > IDENTIFIERS:
            raise bad("Invalid 'identifiers' or 'identifiersType' provided.")
        if asked["identifiersType"] not in ("SKU", "ASIN"):
            raise bad("Only SKU and ASIN are simulated.")
    for name in FILTERS & set(asked):
        if name.endswith(("After", "Before")):
            instant(asked[name])
        if name.endswith("Status") and not set(asked[name].split(",")) <= {"BUYABLE", "DISCOVERABLE"}:
            raise bad(f"Invalid '{name}' provided.")


def whole(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not least <= int(text) <= most:
        raise bad(f"Invalid number {text}: {least} to {most}.")
    return int(text)


def datasets(asked: Mapping[str, str]) -> set[str]:
    included = set(asked.get("includedData", "summaries").split(","))
    if not included <= DATASETS:
        raise bad("Invalid 'includedData' provided.")
    return included


def body_of(request: httpx.Request) -> dict[str, Any]:
    if request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
        raise Refusal(415, "UnsupportedMediaType", "The content type is not supported.")
    if len(request.content) > BODY_BYTES:
        raise Refusal(413, "RequestTooLarge", "The request is too large.")
    try:
        body = msgspec.json.decode(request.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad("The body is no JSON object.")
    return body


def stamp(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise bad(f"Invalid date {text}.") from None
    return stamp((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def sort_key(by: str, row: tuple[str, dict[str, Any]]) -> Any:
    return row[0] if by == "sku" else row[1]["created" if by == "createdDate" else "at"]


def page_start(token: str | None) -> int:
    try:
        return int(b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise bad("Invalid 'pageToken' provided.") from None


def text_of(attributes: dict[str, Any], name: str) -> str:
    return next((str(one.get("value", "")) for one in attributes.get(name, [])), "")


def quantity(attributes: dict[str, Any]) -> int:
    return sum(int(one.get("quantity", 0)) for one in attributes.get("fulfillment_availability", []))


def over(offer: dict[str, Any], now: float) -> bool:
    end = offer.get("end_at") or {}
    return "value" in end and instant(end["value"]) <= stamp(now)


def offer_of(offer: dict[str, Any]) -> dict[str, Any]:
    """Money is a number on the way in and a text on the way out."""
    amount = str(offer["our_price"][0]["schedule"][0]["value_with_tax"])
    price = {"currencyCode": offer["currency"], "amount": amount}
    return {"marketplaceId": MARKETPLACE, "offerType": "B2C", "price": price, "audience": {"value": "ALL"}}


def issue(
    code: str, message: str, *names: str, severity: str = "ERROR", category: str = "INVALID_ATTRIBUTE"
) -> dict[str, Any]:
    found = {"code": code, "message": message, "severity": severity, "categories": [category]}
    return found | ({"attributeNames": list(names)} if names else {})


def blocked(issues: list[dict[str, Any]]) -> bool:
    return any(one["severity"] == "ERROR" for one in issues)


def reported(message: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """In a report an issue names its message and one attribute."""
    known = {name: found[name] for name in ("code", "severity", "message")}
    names = found.get("attributeNames", [])
    named = {"attributeName": names[0]} if names else {}
    return {"messageId": message["messageId"], "sku": message["sku"], **known, **named}


def check_patches(patches: Any) -> None:
    if not isinstance(patches, list) or not patches:
        raise bad("Missing required 'patches'.")
    for index, patch in enumerate(patches):
        known = isinstance(patch, dict) and patch.get("op") in ("add", "replace", "merge", "delete")
        if not known or set(patch) - {"op", "path", "value"}:
            raise bad(f"Invalid operation provided in patch at index of {index}.")
        if not re.fullmatch(r"/attributes/[a-z0-9_]+", str(patch.get("path"))):
            raise bad(f"Invalid path provided in patch at index of {index}.")
        value = patch.get("value")
        if not isinstance(value, list) or not value or not all(isinstance(one, dict) and one for one in value):
            raise bad(f"Invalid empty value provided in patch at index of {index}.")
        if patch["op"] == "merge" and patch["path"] != "/attributes/fulfillment_availability":
            raise bad(f"Invalid merge in patch at index of {index}.")


def patched(attributes: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Instances are matched by the attribute's selectors; a match is swapped as a whole, unless it is merged."""
    name = patch["path"].rpartition("/")[2]
    selectors = SELECTORS.get(name, ("marketplace_id",))
    kept = list(attributes.get(name, []))
    for value in patch["value"]:
        wanted = {key: value[key] for key in selectors if key in value}
        matched = [one for one in kept if all(one.get(key) == text for key, text in wanted.items())]
        kept = [one for one in kept if one not in matched]
        if patch["op"] == "merge":
            kept.append({**(matched[0] if matched else {}), **value})
    if patch["op"] in ("add", "replace"):
        kept += patch["value"]
    rest = {key: value for key, value in attributes.items() if key != name}
    return rest | ({name: kept} if kept else {})


# A small product type, in the words of the real ones.

VERSION = "UHqSqmb4FNUk="
TEXT = {"type": "string", "minLength": 1}
HERE = {"marketplace_id": {"type": "string", "enum": [MARKETPLACE]}}
SPOKEN = {**HERE, "language_tag": {"type": "string", "enum": ["en_US", "es_US"]}}


def attribute(
    properties: dict[str, Any], required: tuple[str, ...], selectors: tuple[str, ...], most: int = 1
) -> dict[str, Any]:
    inner = {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}
    return {"type": "array", "minItems": 1, "minUniqueItems": 1, "maxUniqueItems": most, "selectors": list(selectors),
            "items": inner}  # fmt: skip


def spoken(most: int = 1, **limits: int) -> dict[str, Any]:
    """A text in a language."""
    value = {"value": TEXT | limits}
    return attribute(
        SPOKEN | value, ("value", "language_tag", "marketplace_id"), ("marketplace_id", "language_tag"), most
    )


def plain(**value: Any) -> dict[str, Any]:
    return attribute(HERE | {"value": value}, ("value", "marketplace_id"), ("marketplace_id",))


PICTURE = attribute(
    HERE | {"media_location": {"type": "string", "pattern": "^(https?|s3)://"}},
    ("media_location", "marketplace_id"),
    ("marketplace_id",),
)
AMOUNT = {"type": "number", "exclusiveMinimum": 0}
SCHEDULE = {"type": "array", "items": {"type": "object", "required": ["schedule"], "properties": {
    "schedule": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["value_with_tax"],
                 "properties": {"value_with_tax": AMOUNT}, "additionalProperties": False}}}}}  # fmt: skip
MOMENT = {"type": "object", "required": ["value"], "properties": {"value": TEXT}, "additionalProperties": False}
GROCERY: dict[str, Any] = {
    "$schema": "https://schemas.amazon.com/selling-partners/definitions/product-types/meta-schema/v1",
    "$id": "https://schemas.amazon.com/selling-partners/definitions/product-types/schema/v1/GROCERY",
    "type": "object",
    "required": [
        "item_name", "brand", "manufacturer", "bullet_point", "product_description", "country_of_origin",
        "condition_type", "supplier_declared_dg_hz_regulation", "is_expiration_dated_product", "unit_count",
        "list_price", "purchasable_offer", "fulfillment_availability", "main_product_image_locator",
    ],
    "anyOf": [
        {"required": ["externally_assigned_product_identifier"]},
        {"required": ["supplier_declared_has_product_identifier_exemption"]},
    ],
    "if": {"properties": {"is_expiration_dated_product": {"items": {"properties": {"value": {"const": True}}}}}},
    "then": {"required": ["product_expiration_type", "fc_shelf_life"]},
    "properties": {
        "item_name": spoken(maxLength=200),
        "brand": spoken(maxLength=100),
        "manufacturer": spoken(maxLength=100),
        "bullet_point": spoken(10, maxLength=600),
        "product_description": spoken(maxUtf8ByteLength=10_000),
        "generic_keyword": spoken(maxLength=500),
        "country_of_origin": plain(type="string", enum=["VN", "US", "TH"]),
        "condition_type": plain(type="string", enum=["new_new"]),
        "supplier_declared_dg_hz_regulation": plain(type="string", enum=["not_applicable", "ghs"]),
        "is_expiration_dated_product": plain(type="boolean"),
        "product_expiration_type": plain(type="string", enum=["Shelf Life", "Expiration On Package"]),
        "fc_shelf_life": attribute(
            HERE | {"value": {"type": "integer", "minimum": 1}, "unit": {"enum": ["days"]}},
            ("value", "unit", "marketplace_id"),
            ("marketplace_id",),
        ),
        "unit_count": attribute(
            HERE | {
                "value": AMOUNT,
                "type": {"type": "object", "required": ["value", "language_tag"], "properties": {
                    "value": {"enum": ["Count", "Gram", "Milliliter", "Ounce"]},
                    "language_tag": SPOKEN["language_tag"],
                }},
            },
            ("value", "type", "marketplace_id"),
            ("marketplace_id",),
        ),
        "externally_assigned_product_identifier": attribute(
            HERE | {"type": {"enum": ["ean", "gtin", "upc"]}, "value": TEXT | {"maxLength": 14}},
            ("type", "value", "marketplace_id"),
            ("marketplace_id",),
        ),
        "supplier_declared_has_product_identifier_exemption": plain(type="boolean"),
        "list_price": attribute(
            HERE | {"currency": {"enum": [CURRENCY]}, "value": AMOUNT},
            ("currency", "value", "marketplace_id"),
            ("marketplace_id", "currency"),
        ),
        "purchasable_offer": attribute(
            HERE | {"currency": {"enum": [CURRENCY]}, "audience": {"enum": ["ALL", "B2B"]}, "our_price": SCHEDULE,
                    "discounted_price": SCHEDULE, "start_at": MOMENT, "end_at": MOMENT},
            ("currency", "our_price", "marketplace_id"),
            ("marketplace_id", "currency", "audience"),
            2,
        ),
        "fulfillment_availability": attribute(
            {
                "fulfillment_channel_code": {"enum": ["DEFAULT"]},
                "quantity": {"type": "integer", "minimum": 0},
                "lead_time_to_ship_max_days": {"type": "integer", "minimum": 0, "maximum": 30},
            },
            ("fulfillment_channel_code",),
            ("fulfillment_channel_code",),
        ),
        "main_product_image_locator": PICTURE,
        **{f"other_product_image_locator_{n}": PICTURE for n in range(1, 9)},
    },
    "additionalProperties": False,
}  # fmt: skip
SCHEMAS = {"GROCERY": GROCERY}
SELECTORS: dict[str, tuple[str, ...]] = {name: tuple(one["selectors"]) for name, one in GROCERY["properties"].items()}
CODES = {"required": "90220", "anyOf": "90220", "additionalProperties": "90000900", "minItems": "99022"}


def schema_bytes(product_type: str) -> bytes:
    return json.dumps(SCHEMAS[product_type]).encode()


def issues_of(product_type: str, attributes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the definition says; lengths in bytes are counted here, as no validator knows them."""
    if product_type not in SCHEMAS:
        yield issue("4000001", f"The product type {product_type} is not known.", "product_type")
        return
    for error in Draft201909Validator(SCHEMAS[product_type]).iter_errors(attributes):
        name = str(error.path[0]) if error.path else error.message.split("'")[1]
        lacking = "MISSING_ATTRIBUTE" if error.validator in ("required", "anyOf") else "INVALID_ATTRIBUTE"
        yield issue(CODES.get(str(error.validator), "4000001"), error.message[:300], name, category=lacking)
    if len(text_of(attributes, "product_description").encode()) > 10_000:
        yield issue("99300", "The description has too many bytes.", "product_description")
    for name, most in (("purchasable_offer", 2), ("item_name", 2), ("brand", 2)):
        if len(attributes.get(name, [])) > most:
            yield issue("99300", f"{name} has too many values.", name)

"""Meta's side of the wire, written from its documents: forms, proofs, handles, samples of errors, 400 for 429."""

from __future__ import annotations

import hashlib
import hmac
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec

from connectors.simulator import Answer, State, respond
from models.clock import Clock

ITEMS, BODY_BYTES, PAGE, LOOKED_UP, SAMPLE = 5_000, 28 * 1024 * 1024, 100, 100, 10
BATCHES_A_MINUTE = 8
STARTED_AFTER, FINISHED_AFTER, APPROVED_AFTER = 0.3, 0.6, 60.0
HANDLE_SECONDS = 24 * 3600
VERSION = re.compile(r"v(2[1-9]|3[0-9])\.0")
MONEY = re.compile(r"[0-9]+(\.[0-9]{1,2})? [A-Z]{3}")
HTML = re.compile(r"<[a-zA-Z/!][^>]*>")
FORM = "application/x-www-form-urlencoded"
REQUIRED = ("title", "description", "availability", "condition", "price", "link", "image_link")
CHOICES = {
    "availability": {"in stock", "out of stock", "preorder", "available for order", "discontinued"},
    "condition": {"new", "refurbished", "used"},
    "visibility": {"published", "staging"},
}
LENGTHS = {"id": 100, "title": 150, "description": 5_000, "brand": 100, "custom_label_0": 100, "product_type": 750}
OTHER = {"google_product_category", "origin_country", "gtin", "mpn", "sale_price_effective_date"}
LEGACY = ("retailer_id", "name", "url", "image_url", "additional_image_urls", "category", "currency")
# How an item's fields are read back; the rest has one name on both sides.
READ = {
    "title": "name",
    "link": "url",
    "image_link": "image_url",
    "additional_image_link": "additional_image_urls",
    "google_product_category": "category",
}
SPIRITS = re.compile(r"\brượu\b|\bvodka\b", re.IGNORECASE)


class Refusal(Exception):
    """A whole call refused."""

    def __init__(self, code: int, message: str, *, status: int = 400, subcode: int = 0) -> None:
        super().__init__(message)
        self.status, self.body = status, error_body(code, message, subcode)


def error_body(code: int, message: str, subcode: int = 0) -> dict[str, Any]:
    fault = {"message": message, "type": "OAuthException", "code": code, "is_transient": code in (1, 2)}
    fault |= {"error_subcode": subcode} if subcode else {}
    return {"error": fault | {"fbtrace_id": "AbCdEf123"}}


def usage(percent: int, minutes: int = 0) -> dict[str, str]:
    entry = {"type": "catalog_batch", "call_count": percent, "total_cputime": 5, "total_time": 5}
    entry |= {"estimated_time_to_regain_access": minutes}
    return {"X-Business-Use-Case-Usage": msgspec.json.encode({"1234567890": [entry]}).decode()}


class Simulator:
    name = "facebook"
    quota = (600, 60.0)
    pace = (0.3, 0.0)
    credentials = {  # noqa: RUF012  # constant
        "catalog_id": "712345678901234",
        "access_token": "EAAGhopthucat",
        "app_secret": "0123456789abcdef0123456789abcdef",
        "product_page": "https://cuahang.example/sp/{sku}",
        "picture": "https://cuahang.example/anh/{sha256}",
    }

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock, self._rng = state, clock, rng

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        self._settle()
        try:
            asked = parameters(request)
            self._authorise(request, asked)
            return self._route(request, path, asked)
        except Throttling as refusal:
            return Answer(respond(400, refusal.body, usage(100, 1)), "refused")
        except Refusal as refusal:
            return Answer(respond(refusal.status, refusal.body), "refused")

    def throttled(self, seconds: int) -> httpx.Response:
        """Meta says it with 400, and when to come again in minutes."""
        words = "(#80009) There have been too many calls to this Catalog account. Wait a bit and try again."
        return respond(400, error_body(80009, words), usage(100, -(-seconds // 60)))

    def refused_batch(self) -> httpx.Response:
        return respond(400, error_body(100, "(#100) Param requests must be an array of valid items"))

    def listings(self) -> list[dict[str, Any]]:
        self._settle()
        return [_shown(key, item) for key, item in self._state.items("item")]

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _authorise(self, request: httpx.Request, asked: dict[str, Any]) -> None:
        """Token in the header or as a parameter; the proof always as a parameter."""
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if asked.pop("access_token", bearer) != self.credentials["access_token"]:
            raise Refusal(190, "Invalid OAuth access token - Cannot parse access token", status=401)
        mac = hmac.new(self.credentials["app_secret"].encode("ascii"), digestmod=hashlib.sha256)
        mac.update(self.credentials["access_token"].encode("ascii"))
        given = asked.pop("appsecret_proof", "")
        if not given:
            raise Refusal(100, "API calls from the server require an appsecret_proof argument")
        if not hmac.compare_digest(mac.hexdigest().encode(), str(given).encode()):
            raise Refusal(100, "Invalid appsecret_proof provided in the API argument")

    def _route(self, request: httpx.Request, path: list[str], asked: dict[str, Any]) -> Answer:
        if len(path) < 2 or not VERSION.fullmatch(path[0]):
            raise Refusal(2500, "Unknown path components", status=400)
        if path[1] != self.credentials["catalog_id"]:
            raise Refusal(100, f"Unsupported request. Object with ID '{path[1]}' does not exist", subcode=33)
        match request.method, path[2:]:
            case "GET", []:
                allow(asked, "fields")
                return Answer(respond(200, {"id": path[1], "name": SHOP}), "read")
            case "GET", ["products"]:
                allow(asked, "fields", "filter", "limit", "after", "summary")
                return Answer(respond(200, self._products(asked)), "read")
            case "GET", ["check_batch_request_status"]:
                allow(asked, "handle", "load_ids_of_invalid_requests", "error_priority", "fields", "summary")
                return Answer(respond(200, {"data": [self._status(asked)]}), "read")
            case "POST", ["items_batch"]:
                return self._accept(request, asked)
        raise Refusal(2500, "Unknown path components")

    # Batches

    def _accept(self, request: httpx.Request, asked: dict[str, Any]) -> Answer:
        percent = self._spend()
        allow(asked, "item_type", "item_sub_type", "requests", "allow_upsert", "version", "summary")
        if len(request.content) > BODY_BYTES:
            raise Refusal(1, "Please reduce the amount of data you're asking for, then retry your request")
        if asked.get("item_type") != "PRODUCT_ITEM":
            raise Refusal(100, "(#100) The parameter item_type is required")
        requests = items_of(asked.get("requests"))
        upsert = str(asked.get("allow_upsert", "true")).lower() != "false"
        notes = [note for entry in requests if (note := at_once(entry))]
        refused = {note["retailer_id"] for note in notes if note["errors"]}
        taken = [entry for entry in requests if str(entry["data"]["id"]) not in refused]
        answer: dict[str, Any] = {"handles": [self._keep(taken, upsert=upsert)] if taken else []}
        answer |= {"validation_status": notes} if notes else {}
        return Answer(respond(200, answer, usage(percent)), "write" if taken else "refused")

    def _spend(self) -> int:
        """A bucket of its own: eight calls a minute for a catalogue that nobody looks at yet."""
        now = self._now()
        tokens, at = self._state.get("quota", "batch") or (BATCHES_A_MINUTE, now)
        tokens = min(BATCHES_A_MINUTE, tokens + (now - at) * BATCHES_A_MINUTE / 60)
        if tokens < 1:
            raise Throttling
        self._state.put("quota", "batch", (tokens - 1, now))
        return int(100 * (1 - (tokens - 1) / BATCHES_A_MINUTE))

    def _keep(self, requests: list[dict[str, Any]], *, upsert: bool) -> str:
        handle = f"Acz{self._state.next_number('batch'):08}{self._rng.getrandbits(48):012x}"
        batch = {"at": self._now(), "requests": requests, "upsert": upsert, "errors": []}
        self._state.put("batch", handle, batch)
        self._state.put("waiting", handle, True)
        return handle

    def _settle(self) -> None:
        """What has had its time since somebody looked last."""
        for handle, _ in self._state.items("waiting"):
            batch = self._state.get("batch", handle)
            if self._now() - batch["at"] >= FINISHED_AFTER:
                errors = list(self._carried_out(batch))
                self._state.put("batch", handle, batch | {"errors": errors, "requests": []})
                self._state.delete("waiting", handle)

    def _carried_out(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """In no order that was promised; a SKU that comes twice is refused the second time."""
        times = Counter(str(entry["data"]["id"]) for entry in batch["requests"])
        for line, entry in enumerate(batch["requests"], 1):
            key = str(entry["data"]["id"])
            times[key] -= 1
            words = f"Duplicate retailer_id in batch api call - {key}" if times[key] else self._apply(entry, batch)
            if words:
                yield {"line": line, "id": key, "message": words}

    def _apply(self, entry: dict[str, Any], batch: dict[str, Any]) -> str:
        """Empty, or why not."""
        method, data = entry["method"], entry["data"]
        key = data["id"]
        item = self._state.get("item", key)
        if method == "DELETE":
            self._state.delete("item", key)
            catalog = self.credentials["catalog_id"]
            return "" if item else f"(#100) Could not find Product Item for catalog id {catalog}, retailer id {key}"
        if not batch["upsert"] and (item is None) is (method == "UPDATE"):
            return "The request was not completed: upsert is not allowed"
        if wrong := next(faults(data), ""):
            return wrong
        merged = {k: v for k, v in {**(item or {}), **data}.items() if v not in ("", [])}
        lacking = next((name for name in REQUIRED if name not in merged), "")
        if not lacking and not {"brand", "gtin", "mpn"} & set(merged):
            lacking = "brand, gtin or mpn"
        if lacking:
            return f"You cannot create a product item without the required field {lacking}"
        if item is None:
            merged["remote_id"] = f"77{self._state.next_number('item'):014}"
        self._state.put("item", key, merged | {"at": self._now()})
        return ""

    def _status(self, asked: dict[str, Any]) -> dict[str, Any]:
        handle = str(asked.get("handle", ""))
        batch = self._state.get("batch", handle)
        if batch is None or self._now() - batch["at"] > HANDLE_SECONDS:
            raise Refusal(100, "(#100) Invalid parameter: handle")
        age, errors = self._now() - batch["at"], batch["errors"]
        state = "scheduled" if age < STARTED_AFTER else "started" if age < FINISHED_AFTER else "finished"
        with_ids = str(asked.get("load_ids_of_invalid_requests", "false")).lower() == "true"
        return {
            "handle": handle,
            "status": state,
            "errors_total_count": len(errors),
            "errors": errors[:SAMPLE],
            "warnings_total_count": 0,
            "warnings": [],
            "ids_of_invalid_requests": [error["id"] for error in errors] if with_ids else [],
        }

    # Items

    def _products(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A page may be short, and a cursor is there on the last one too: only `next` says whether there is more."""
        limit = str(asked.get("limit", "25"))
        if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= PAGE:
            raise Refusal(100, "(#100) Param limit must be between 1 and 100")
        wanted = named(asked.get("filter"))
        rows = self._state.items(
            "item", after=after(asked.get("after")), most=-1 if wanted is not None else int(limit) + 1
        )
        rows = [row for row in rows if wanted is None or row[0] in wanted]
        page = rows[: int(limit)]
        if not page:
            return {"data": []}
        fields = set(str(asked.get("fields", "id,retailer_id,name")).split(",")) | {"id"}
        data = [{k: v for k, v in self._item(key, item).items() if k in fields} for key, item in page]
        cursor = page[-1][0].encode().hex()
        paging: dict[str, Any] = {"cursors": {"before": page[0][0].encode().hex(), "after": cursor}}
        if len(rows) > len(page):
            token = self.credentials["access_token"]
            paging["next"] = f"https://graph.facebook.com/v25.0/products?access_token={token}&after={cursor}"
        return {"data": data, "paging": paging}

    def _item(self, key: str, item: dict[str, Any]) -> dict[str, Any]:
        """As Graph reads it: other names, prices as a buyer sees them, empty fields left out."""
        known = {READ.get(name, name): value for name, value in item.items() if name not in ("id", "at", "remote_id")}
        known |= {name: localised(item[name]) for name in ("price", "sale_price") if name in item}
        known |= {"id": item["remote_id"], "retailer_id": key, "currency": item["price"][-3:]}
        known.setdefault("visibility", "published")
        return known | self._review(item)

    def _review(self, item: dict[str, Any]) -> dict[str, Any]:
        """Comes later than the batch, and judges what no validation does."""
        status = {"review_status": "pending", "image_fetch_status": "FETCHED"}
        if self._now() - item["at"] < APPROVED_AFTER:
            return status
        reasons = list(policy_faults(item))
        return status | {"review_status": "rejected" if reasons else "approved", "review_rejection_reasons": reasons}


class Throttling(Refusal):
    def __init__(self) -> None:
        words = "(#80014) There have been too many calls for the batch uploads to this catalog account. Wait a bit."
        super().__init__(80014, words)


SHOP = "Đặc sản Cà Mau (thử nghiệm)"


def parameters(request: httpx.Request) -> dict[str, Any]:
    """Of the address and of a body, which is a form as the official SDK sends it, or JSON."""
    asked: dict[str, Any] = dict(parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True))
    kind = request.headers.get("Content-Type", "").partition(";")[0]
    if not request.content:
        return asked
    try:
        if kind == FORM:
            return asked | dict(parse_qsl(request.content.decode("utf-8"), keep_blank_values=True, strict_parsing=True))
        if kind == "application/json":
            return asked | msgspec.json.decode(request.content, type=dict[str, Any])
    except ValueError:
        pass
    raise Refusal(100, "(#100) The body could not be read")


def allow(asked: Mapping[str, Any], *names: str) -> None:
    unknown = sorted(set(asked) - set(names))
    if unknown:
        raise Refusal(100, f"(#100) Unknown parameter {unknown[0]}")


def items_of(raw: Any) -> list[dict[str, Any]]:
    """The requests: JSON text in a form, a list in a JSON body."""
    try:
        found = msgspec.json.decode(raw) if isinstance(raw, str) else raw
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(map(is_request, found)):
        raise Refusal(100, "(#100) Param requests must be an array of requests")
    if len(found) > ITEMS:
        raise Refusal(100, f"(#100) Too many requests in one batch: at most {ITEMS}")
    return found


def is_request(entry: Any) -> bool:
    known = isinstance(entry, dict) and entry.get("method") in ("CREATE", "UPDATE", "DELETE")
    return known and isinstance(entry.get("data"), dict) and isinstance(entry["data"].get("id"), str)


def at_once(entry: dict[str, Any]) -> dict[str, Any] | None:
    """What is said in the answer itself: of items that are refused unread, and of odd ones."""
    data = entry["data"]
    wrong = next((f"{name} must not be set: unknown field in items_batch" for name in LEGACY if name in data), "")
    wrong = wrong or next((f"Unknown field {name}" for name in data if not is_field(name)), "")
    sale = data.get("sale_price") and "sale_price_effective_date" not in data
    warnings = [{"message": "A sale price was given without dates"}] if sale else []
    if not wrong and not warnings:
        return None
    return {"retailer_id": data["id"], "errors": [{"message": wrong}] if wrong else [], "warnings": warnings}


def is_field(name: str) -> bool:
    return name in {*REQUIRED, *CHOICES, *LENGTHS, *OTHER, "sale_price", "inventory", "additional_image_link"}


def faults(data: dict[str, Any]) -> Iterator[str]:
    for name, most in LENGTHS.items():
        value = data.get(name, "")
        if not isinstance(value, str) or len(value) > most or (name == "id" and not value):
            yield f"The field {name} must be a text of at most {most} characters"
    for name, choices in CHOICES.items():
        if name in data and data[name] not in choices:
            yield f"The value of {name} is invalid: {data[name]}"
    for name in ("price", "sale_price"):
        value = data.get(name, "")
        empty = value == "" and name == "sale_price"
        if name in data and not empty and not (isinstance(value, str) and MONEY.fullmatch(value)):
            yield f"The field {name} must be a number and a currency code, such as 24.99 USD"
    yield from link_faults(data)
    stock = data.get("inventory", 0)
    if not isinstance(stock, int) or isinstance(stock, bool) or stock < 0:
        yield "The field inventory must be a whole number"
    if (gtin := data.get("gtin")) and not is_gtin(gtin):
        yield "The field gtin is invalid"
    if data.get("sale_price") and data.get("price") and amount(data["sale_price"]) >= amount(data["price"]):
        yield "The field sale_price must be below the price"


def link_faults(data: dict[str, Any]) -> Iterator[str]:
    for name in ("link", "image_link"):
        if name in data and not is_link(data[name]):
            yield f"The field {name} must be an https address"
    more = data.get("additional_image_link", [])
    if not isinstance(more, list) or len(more) > 20 or not all(map(is_link, more)) or len(",".join(more)) > 2_000:
        yield "The field additional_image_link takes up to 20 addresses of 2000 characters in all"


def is_link(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https://\S+", value) is not None


def is_gtin(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", value):
        return False
    return sum(int(sign) * (3 if place % 2 else 1) for place, sign in enumerate(reversed(value))) % 10 == 0


def policy_faults(item: dict[str, Any]) -> Iterator[str]:
    if item["title"].isupper() or HTML.search(item["title"] + item["description"]):
        yield "Text is in capitals or holds HTML"
    if SPIRITS.search(item["title"]):
        yield "Alcohol may not be sold"


def amount(price: str) -> float:
    return float(price.split(" ")[0])


def localised(price: str) -> str:
    """620000 VND -> ₫620,000: what a buyer sees, not what was sent."""
    number, currency = price.split(" ")
    return f"₫{int(float(number)):,}" if currency == "VND" else f"{currency} {float(number):,.2f}"


def named(raw: Any) -> set[str] | None:
    """The SKUs of a filter; None without one."""
    if raw is None:
        return None
    try:
        rule = msgspec.json.decode(raw, type=dict[str, dict[str, Any]])["retailer_id"]
        keys = rule["is_any"] if "is_any" in rule else [rule["eq"]]
    except (ValueError, KeyError, TypeError):
        raise Refusal(100, "(#100) Invalid filter") from None
    if not isinstance(keys, list) or len(keys) > LOOKED_UP:
        raise Refusal(100, "(#100) Invalid filter")
    return set(map(str, keys))


def after(cursor: Any) -> str:
    try:
        return bytes.fromhex(str(cursor or "")).decode()
    except ValueError:
        raise Refusal(100, "(#100) Invalid cursor") from None


def _shown(key: str, item: dict[str, Any]) -> dict[str, Any]:
    price = item.get("sale_price") or item["price"]
    return {
        "key": key,
        "remote_id": item["remote_id"],
        "title": item["title"],
        "price": int(amount(price)),
        "currency": price[-3:],
        "stock": item.get("inventory", 0),
        "status": "hidden" if item.get("visibility") == "staging" else "live",
        "updated_at": datetime.fromtimestamp(item["at"], UTC).isoformat(),
        "payload": {name: value for name, value in item.items() if name not in ("at", "remote_id")},
    }

"""Postmart's side of the wire, written from the README alone: strict, asynchronous, keeping no order."""

from __future__ import annotations

import hashlib
import hmac
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import httpx
import msgspec
from msgspec import UNSET, Meta, UnsetType

from connectors.simulator import Answer, State, respond
from models.clock import Clock, today

SKEW_SECONDS = 300
KEY_SECONDS = 24 * 3600
BATCH_ITEMS, FEED_LINES, PAGE, LOOKED_UP = 200, 500, 100, 50
MEDIA_BYTES = 2 * 1024 * 1024
NDJSON = "application/x-ndjson"
MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
OCOP = "san-pham-ocop"
CATEGORIES = {
    OCOP: "Sản phẩm OCOP",
    "thuc-pham-bo-duong": "Thực phẩm bổ dưỡng",
    "suc-khoe-va-lam-dep": "Sức khỏe và làm đẹp",
    "thuc-pham-va-dac-san": "Thực phẩm và đặc sản",
    "do-uong": "Đồ uống",
}
GROUPS = ("content", "price", "stock", "images")
FORBIDDEN_HTML = re.compile(r"<(?!/?(?:p|br|strong|em|ul|ol|li)>)")
WORDS = {
    "unknown_client": "Không có mã khách này.",
    "bad_signature": "Chữ ký không khớp.",
    "clock_skew": "Đồng hồ lệch quá 5 phút (clock skew).",
    "unknown_path": "Không có địa chỉ này.",
    "not_nfc": "Văn bản phải ở dạng Unicode NFC.",
    "ocop_mismatch": "Danh mục san-pham-ocop và thông tin ocop phải đi cùng nhau.",
    "ocop_expired": "Giấy chứng nhận OCOP đã hết hạn.",
    "list_price_too_low": "Giá niêm yết thấp hơn giá bán.",
    "html_not_allowed": "Mô tả chứa thẻ HTML không được phép.",
    "unknown_media": "Không có ảnh này.",
    "unknown_product": "Không có sản phẩm này.",
    "media_too_large": "Ảnh lớn hơn 2 MB.",
    "unsupported_media": "Nội dung không phải PNG hay JPEG.",
    "idempotency_clash": "Khóa đã dùng cho nội dung khác.",
    "unknown_batch": "Không có lô này.",
    "bad_ndjson": "Mỗi dòng phải là một đối tượng JSON có external_id.",
    "empty_batch": "Không có dòng nào.",
    "too_many_items": "Quá nhiều dòng.",
    "duplicate_external_id": "external_id lặp lại.",
    "idempotency_key_required": "Thiếu Idempotency-Key (1–64 ký tự).",
    "unsupported_type": "Content-Type phải là application/x-ndjson.",
    "rate_limited": "Quá nhiều yêu cầu.",
}

Dong = Annotated[int, Meta(ge=1, le=10**9)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Key = Annotated[str, Meta(min_length=1, max_length=100)]


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Ocop(Strict):
    star: Annotated[int, Meta(ge=3, le=5)]
    valid_until: date


class Content(Strict):
    name: Annotated[str, Meta(min_length=3, max_length=200)]
    brand: Annotated[str, Meta(max_length=100)]
    short_description: Annotated[str, Meta(max_length=500)]
    description: Annotated[str, Meta(max_length=30_000)]
    categories: Annotated[list[str], Meta(min_length=1, max_length=5)]
    ocop: Ocop | None


class Price(Strict):
    price_vnd: Dong
    list_price_vnd: Dong | None


class Stock(Strict):
    qty: Annotated[int, Meta(ge=0, le=10**6)]


class Offer(Strict):
    external_id: Key
    price: Price | UnsetType = UNSET
    stock: Stock | UnsetType = UNSET


class Upsert(Strict):
    op: Literal["upsert"]
    external_id: Key
    content: Content | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    stock: Stock | UnsetType = UNSET
    images: Annotated[list[Sha256], Meta(min_length=1, max_length=8)] | UnsetType = UNSET


class Visibility(Strict):
    op: Literal["hide", "show"]
    external_id: Key


class Refusal(Exception):
    """A whole call refused."""

    def __init__(self, status: int, code: str, *, field: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.fault = fault(code, field)


def fault(code: str, field: str = "", words: str = "") -> dict[str, str]:
    return {"code": code, "message_vi": words or WORDS.get(code, code), "field": field}


def signature(secret: str, method: str, target: bytes, timestamp: str, body: bytes) -> str:
    """As the README's section on signatures says, in lines of its own."""
    mac = hmac.new(secret.encode("utf-8"), digestmod=hashlib.sha256)
    mac.update(f"{method}\n{target.decode('ascii')}\n{timestamp}\n".encode())
    mac.update(hashlib.sha256(body).hexdigest().encode("ascii"))
    return mac.hexdigest()


class Simulator:
    name = "postmart"
    quota = (600, 60.0)
    pace = (0.3, 0.5)
    credentials = {"client_id": "hop-thu-cat", "client_secret": "khoa-hop-cat-khong-bi-mat"}  # noqa: RUF012  # constant
    processing_seconds = 0.2

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state = state
        self._clock = clock
        self._rng = rng

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        self._settle()
        try:
            self._authorise(request)
            return self._route(request, path)
        except Refusal as refusal:
            return Answer(respond(refusal.status, {"error": refusal.fault}), "refused")

    def throttled(self, seconds: int) -> httpx.Response:
        return respond(429, {"error": fault("rate_limited")}, {"Retry-After": str(seconds)})

    def refused_batch(self) -> httpx.Response:
        return respond(400, {"error": fault("bad_ndjson")})

    def listings(self) -> list[dict[str, Any]]:
        self._settle()
        return [_shown(product) for _, product in self._state.items("product")]

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _authorise(self, request: httpx.Request) -> None:
        """In this order: who, when, what. A clock that is wrong is told so before its signature is judged."""
        if request.headers.get("X-Client-Id") != self.credentials["client_id"]:
            raise Refusal(401, "unknown_client")
        timestamp = request.headers.get("X-Timestamp", "")
        if not re.fullmatch(r"[0-9]{1,12}", timestamp):
            raise Refusal(401, "bad_signature")
        if abs(self._now() - int(timestamp)) > SKEW_SECONDS:
            raise Refusal(401, "clock_skew")
        secret, given = self.credentials["client_secret"], request.headers.get("X-Signature", "")
        expected = signature(secret, request.method, request.url.raw_path, timestamp, request.content)
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise Refusal(401, "bad_signature")

    def _route(self, request: httpx.Request, path: list[str]) -> Answer:
        match request.method, path:
            case "GET", ["account"]:
                query(request, set())
                return Answer(respond(200, {"client_id": self.credentials["client_id"], "shop_name": SHOP}), "read")
            case "GET", ["categories"]:
                query(request, set())
                tree = [{"slug": slug, "name": name} for slug, name in CATEGORIES.items()]
                return Answer(respond(200, {"version": "2026-11", "categories": tree}), "read")
            case "GET", ["products"]:
                return Answer(respond(200, self._products(request)), "read")
            case "GET", ["batches", batch_id]:
                query(request, set())
                return Answer(respond(200, self._batch(batch_id)), "read")
            case "POST", ["batches"]:
                return self._accept(request)
            case "POST", ["offers"]:
                return self._offers(request)
            case "POST", ["media"]:
                return self._keep_medium(request)
        raise Refusal(404, "unknown_path")

    # Products

    def _products(self, request: httpx.Request) -> dict[str, Any]:
        asked = query(request, {"cursor", "limit", "external_ids"})
        if "external_ids" in asked:
            return {"products": self._looked_up(asked), "next_cursor": None}
        return self._page(asked)

    def _looked_up(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        ids = [decoded(part, "external_ids") for part in asked["external_ids"].split(",")]
        if len(asked) > 1 or not all(ids) or len(ids) > LOOKED_UP or len(set(ids)) < len(ids):
            raise Refusal(400, "bad_parameter", field="external_ids")
        return [product for key in ids if (product := self._state.get("product", key)) is not None]

    def _page(self, asked: dict[str, str]) -> dict[str, Any]:
        limit = asked.get("limit", str(PAGE))
        if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= PAGE:
            raise Refusal(400, "bad_parameter", field="limit")
        rows = self._state.items("product", after=self._after(asked.get("cursor")), most=int(limit) + 1)
        page = rows[: int(limit)]
        cursor = page[-1][0].encode().hex() if len(rows) > len(page) else None
        return {"products": [product for _, product in page], "next_cursor": cursor}

    def _after(self, cursor: str | None) -> str:
        """A cursor names the last product of the page before."""
        if cursor is None:
            return ""
        try:
            return bytes.fromhex(cursor).decode()
        except ValueError:
            raise Refusal(400, "bad_parameter", field="cursor") from None

    # Pictures

    def _keep_medium(self, request: httpx.Request) -> Answer:
        kind, body = request.headers.get("Content-Type", ""), request.content
        if kind not in MAGIC or not body.startswith(MAGIC[kind]):
            raise Refusal(415, "unsupported_media")
        if len(body) > MEDIA_BYTES:
            raise Refusal(413, "media_too_large")
        sha256 = hashlib.sha256(body).hexdigest()
        medium = {"media_id": f"m-{sha256[:20]}", "sha256": sha256}
        self._state.put("media", sha256, medium)
        return Answer(respond(201, medium), "write")

    # Batches

    def _accept(self, request: httpx.Request) -> Answer:
        key, body_hash = request.headers.get("Idempotency-Key", ""), hashlib.sha256(request.content).hexdigest()
        if not re.fullmatch(r"[!-~]{1,64}", key):
            raise Refusal(400, "idempotency_key_required")
        known = self._state.get("idempotency", key)
        if known and self._now() - known["at"] < KEY_SECONDS:
            return self._replayed(known, body_hash)
        items = lines_of(request, BATCH_ITEMS)
        batch_id = f"B{self._state.next_number('batch'):08}"
        self._state.put("batch", batch_id, {"at": self._now(), "items": items, "results": None})
        self._state.put("waiting", batch_id, True)
        self._state.put("idempotency", key, {"at": self._now(), "batch_id": batch_id, "body": body_hash})
        return Answer(respond(202, {"batch_id": batch_id}), "write")

    def _replayed(self, known: dict[str, Any], body_hash: str) -> Answer:
        if known["body"] != body_hash:
            raise Refusal(409, "idempotency_clash")
        return Answer(respond(202, {"batch_id": known["batch_id"]}), "read")

    def _batch(self, batch_id: str) -> dict[str, Any]:
        batch = self._state.get("batch", batch_id)
        if batch is None:
            raise Refusal(404, "unknown_batch")
        if batch["results"] is not None:
            return {"status": "done", "results": batch["results"]}
        half = self._now() < batch["at"] + self.processing_seconds / 2
        return {"status": "queued" if half else "processing", "results": []}

    def _settle(self) -> None:
        """Applies, in the order of their arrival, the batches whose processing time is over."""
        for batch_id, _ in self._state.items("waiting"):
            batch = self._state.get("batch", batch_id)
            if self._now() >= batch["at"] + self.processing_seconds:
                results = self._applied(batch["items"], self._apply_item)
                self._state.put("batch", batch_id, batch | {"results": results, "items": []})
                self._state.delete("waiting", batch_id)

    def _offers(self, request: httpx.Request) -> Answer:
        results = self._applied(lines_of(request, FEED_LINES), self._apply_offer)
        stored = any(result["status"] == "ok" for result in results)
        return Answer(respond(200, {"results": results}), "write" if stored else "refused")

    def _applied(self, items: list[Any], apply: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
        results = [apply(item) for item in items]
        self._rng.shuffle(results)
        return results

    def _apply_item(self, raw: dict[str, Any]) -> dict[str, Any]:
        if raw.get("op") == "upsert":
            return self._checked(raw, Upsert, self._upsert)
        return self._checked(raw, Visibility, self._set_visibility)

    def _apply_offer(self, raw: dict[str, Any]) -> dict[str, Any]:
        return self._checked(raw, Offer, self._change_offer)

    def _checked(self, raw: dict[str, Any], shape: type[Any], apply: Callable[[Any], Any]) -> dict[str, Any]:
        try:
            item = msgspec.convert(raw, shape)
        except msgspec.ValidationError as error:
            return failed(raw["external_id"], [misshapen(str(error))])
        faults = list(self._faults(item))
        return failed(item.external_id, faults) if faults else apply(item)

    def _faults(self, item: Upsert | Offer | Visibility) -> Iterator[dict[str, str]]:
        if not unicodedata.is_normalized("NFC", item.external_id):
            yield fault("not_nfc", "external_id")
        if isinstance(item, Visibility):
            return
        yield from _price_faults(item.price)
        if isinstance(item, Upsert):
            yield from self._content_faults(item.content)
            yield from self._image_faults(item.images)
        if not _groups(item):
            yield fault("missing_field", "content")

    def _content_faults(self, content: Content | UnsetType) -> Iterator[dict[str, str]]:
        if content is UNSET:
            return
        for field in ("name", "brand", "short_description", "description"):
            if not unicodedata.is_normalized("NFC", getattr(content, field)):
                yield fault("not_nfc", f"content.{field}")
        if FORBIDDEN_HTML.search(content.description):
            yield fault("html_not_allowed", "content.description")
        for slug in content.categories:
            if slug not in CATEGORIES:
                yield fault("unknown_category", "content.categories", f"“{slug}”")
        if len(set(content.categories)) < len(content.categories):
            yield fault("invalid_value", "content.categories", "Danh mục lặp lại.")
        yield from self._ocop_faults(content)

    def _ocop_faults(self, content: Content) -> Iterator[dict[str, str]]:
        if (OCOP in content.categories) is not (content.ocop is not None):
            yield fault("ocop_mismatch", "content.ocop")
        if content.ocop and content.ocop.valid_until < today(self._clock):
            yield fault("ocop_expired", "content.ocop")

    def _image_faults(self, images: list[str] | UnsetType) -> Iterator[dict[str, str]]:
        if images is UNSET:
            return
        for sha256 in images:
            if self._state.get("media", sha256) is None:
                yield fault("unknown_media", f"images.{sha256}")
        if len(set(images)) < len(images):
            yield fault("invalid_value", "images", "Ảnh lặp lại.")

    def _upsert(self, item: Upsert) -> dict[str, Any]:
        """The groups an item carries replace those stored; a new product needs all four."""
        groups = _groups(item)
        product = self._state.get("product", item.external_id)
        if product is None and len(groups) < len(GROUPS):
            return failed(item.external_id, [fault("unknown_product", "external_id")])
        return self._store(product or self._new(item.external_id), {**groups, "status": "live"})

    def _set_visibility(self, item: Visibility) -> dict[str, Any]:
        """What is not there is hidden already."""
        product = self._state.get("product", item.external_id)
        if product is not None:
            return self._store(product, {"status": "hidden" if item.op == "hide" else "live"})
        if item.op == "hide":
            return succeeded(item.external_id, None, None)
        return failed(item.external_id, [fault("unknown_product", "external_id")])

    def _change_offer(self, item: Offer) -> dict[str, Any]:
        product = self._state.get("product", item.external_id)
        if product is None:
            return failed(item.external_id, [fault("unknown_product", "external_id")])
        return self._store(product, _groups(item))

    def _new(self, external_id: str) -> dict[str, Any]:
        return {
            "external_id": external_id,
            "remote_id": f"BD{self._state.next_number('product'):07}",
            "revision": 0,
        }

    def _store(self, product: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
        stamp = {"revision": product["revision"] + 1, "updated_at": self._clock.now().isoformat()}
        stored = product | changed | stamp
        self._state.put("product", stored["external_id"], stored)
        return succeeded(stored["external_id"], stored["remote_id"], stored["revision"])


SHOP = "Đặc sản Cà Mau (thử nghiệm)"


def succeeded(external_id: str, remote_id: str | None, revision: int | None) -> dict[str, Any]:
    return {"external_id": external_id, "status": "ok", "remote_id": remote_id, "revision": revision, "errors": []}


def failed(external_id: str, faults: list[dict[str, str]]) -> dict[str, Any]:
    return {"external_id": external_id, "status": "error", "remote_id": None, "revision": None, "errors": faults}


def misshapen(message: str) -> dict[str, str]:
    """msgspec's sentence as the documented code: `Expected ... - at `$.price.price_vnd``."""
    reason, _, place = message.partition(" - at `$.")
    field = re.sub(r"\[.*", "", place.rstrip("`"))
    for words, code in (("unknown field", "unknown_field"), ("missing required field", "missing_field")):
        if words in reason:
            named = reason.rpartition(words)[2].strip(" `")
            return fault(code, f"{field}.{named}".lstrip("."))
    return fault("invalid_value", field, reason)


def lines_of(request: httpx.Request, most: int) -> list[dict[str, Any]]:
    """The lines of an NDJSON body; one that nobody could answer by its external_id refuses them all."""
    if request.headers.get("Content-Type") != NDJSON:
        raise Refusal(415, "unsupported_type")
    try:
        items = msgspec.json.Decoder().decode_lines(request.content)
    except (ValueError, RecursionError):
        raise Refusal(400, "bad_ndjson") from None
    if not items:
        raise Refusal(400, "empty_batch")
    if len(items) > most:
        raise Refusal(413, "too_many_items")
    if not all(isinstance(item, dict) and isinstance(item.get("external_id"), str) for item in items):
        raise Refusal(400, "bad_ndjson")
    if len({item["external_id"] for item in items}) < len(items):
        raise Refusal(400, "duplicate_external_id")
    return items


def query(request: httpx.Request, allowed: set[str]) -> dict[str, str]:
    """Parameters with their values still encoded: a comma in an external_id must not split the list."""
    parts = [part.partition("=") for part in request.url.query.decode("ascii").split("&") if part]
    asked = {name: value for name, _, value in parts}
    unknown = set(asked) - allowed
    if unknown or len(asked) < len(parts):
        raise Refusal(400, "bad_parameter", field=min(unknown, default="query"))
    return asked


def decoded(text: str, field: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Refusal(400, "bad_parameter", field=field) from None


def _price_faults(price: Price | UnsetType) -> Iterator[dict[str, str]]:
    if price is not UNSET and price.list_price_vnd and price.list_price_vnd < price.price_vnd:
        yield fault("list_price_too_low", "price.list_price_vnd")


def _groups(item: Upsert | Offer) -> dict[str, Any]:
    given = {group: getattr(item, group, UNSET) for group in GROUPS}
    return {group: msgspec.to_builtins(value) for group, value in given.items() if value is not UNSET}


def _shown(product: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": product["external_id"],
        "remote_id": product["remote_id"],
        "title": product["content"]["name"],
        "price": product["price"]["price_vnd"],
        "currency": "VND",
        "stock": product["stock"]["qty"],
        "status": product["status"],
        "updated_at": product["updated_at"],
        "payload": {group: product[group] for group in GROUPS},
    }

"""The marketplace's side: replace it by what the documents say, at least as strict as the real one."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import httpx

from connectors.simulator import Answer, State, json_of, respond
from models.clock import Clock

FACETS = ("content", "price", "stock", "images")
TEXTS = ("name", "brand", "description", "pack")
MOST_NAME, MOST_PRICE, MOST_PICTURES = 120, 10**9, 5


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message, "field": field}}


class Simulator:
    name = "template"
    quota = (600, 60.0)
    pace = (0.3, 0.0)  # seconds until the sandbox is asked about what is under way, and until it shows what was written
    credentials: ClassVar[Mapping[str, str]] = {"token": "sandbox-secret-of-template"}

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock = state, clock

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        try:
            self._authorise(request)
            return self._route(request, path)
        except Refusal as refusal:
            return Answer(respond(refusal.status, refusal.body), "refused")

    def throttled(self, seconds: int) -> httpx.Response:
        return respond(429, {"error": {"code": "slow_down"}}, {"Retry-After": str(seconds)})

    def listings(self) -> list[dict[str, Any]]:
        return [_shown(product) for _, product in self._state.items("product")]

    def _authorise(self, request: httpx.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.credentials['token']}":
            raise Refusal(401, "bad_token", "Mã truy cập không đúng")

    def _route(self, request: httpx.Request, path: list[str]) -> Answer:
        match request.method, path:
            case "GET", ["shop"]:
                return Answer(respond(200, {"shop_id": "S1", "name": "Đặc sản Cà Mau (thử nghiệm)"}), "read")
            case "GET", ["products"]:
                return Answer(respond(200, self._page(request)), "read")
            case "GET", ["products", key]:
                return Answer(respond(200, self._found(key)), "read")
            case "PUT", ["products", key]:
                return self._stored(self._state.get("product", key) or self._new(key), request, FACETS)
            case "PATCH", ["products", key]:
                return self._stored(self._found(key), request, ())
            case "PUT", ["pictures", sha256]:
                self._state.put("picture", sha256, len(request.content))
                return Answer(respond(201), "write")
        raise Refusal(404, "invalid", "Không có địa chỉ này")

    def _page(self, request: httpx.Request) -> dict[str, Any]:
        limit = int(request.url.params.get("limit", "50"))
        rows = self._state.items("product", request.url.params.get("after", ""), limit + 1)
        more = rows[limit - 1][0] if len(rows) > limit else None
        return {"products": [product for _, product in rows[:limit]], "next": more}

    def _found(self, key: str) -> dict[str, Any]:
        product: dict[str, Any] | None = self._state.get("product", key)
        if product is None:
            raise Refusal(404, "not_found", "Không có sản phẩm này")
        return product

    def _new(self, key: str) -> dict[str, Any]:
        return {"sku": key, "product_id": f"P{self._state.next_number('product'):06}", "status": "live"}

    def _stored(self, product: dict[str, Any], request: httpx.Request, required: tuple[str, ...]) -> Answer:
        body = json_of(request)
        for field in required:
            if field not in body:
                raise Refusal(422, "invalid", "Thiếu mục", field)
        for field, words in faults(body):
            raise Refusal(422, "invalid", words, field)
        if any(self._state.get("picture", sha256) is None for sha256 in body.get("images", [])):
            raise Refusal(422, "unknown_picture", "Ảnh chưa được gửi", "images")
        stored = product | body | {"updated_at": self._clock.now().isoformat()}
        self._state.put("product", product["sku"], stored)
        return Answer(respond(200, stored), "write")


def faults(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in body.keys() - {*FACETS, "status"}:
        yield field, "Mục không có trong tài liệu"
    content, price, stock = body.get("content"), body.get("price"), body.get("stock")
    if content is not None and (set(content) != set(TEXTS) or not 1 <= len(content["name"]) <= MOST_NAME):
        yield "name", f"Thiếu mục, hoặc tên không từ 1 đến {MOST_NAME} ký tự"
    if content is not None and not all(unicodedata.is_normalized("NFC", text) for text in content.values()):
        yield "name", "Chữ phải ở dạng NFC"
    if price is not None and not all(_is_price(value) for value in (price["price"], price["list_price"] or 1)):
        yield "price", f"Giá phải là số đồng nguyên, từ 1 đến {MOST_PRICE}"
    if stock is not None and not (type(stock["stock"]) is int and stock["stock"] >= 0):
        yield "stock", "Tồn kho phải là số nguyên, từ 0"
    if len(body.get("images", [])) > MOST_PICTURES:
        yield "images", f"Tối đa {MOST_PICTURES} ảnh"


def _is_price(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MOST_PRICE


def _shown(product: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": product["sku"],
        "remote_id": product["product_id"],
        "title": product["content"]["name"],
        "price": product["price"]["price"],
        "currency": "VND",
        "stock": product["stock"]["stock"],
        "status": product["status"],
        "updated_at": product["updated_at"],
        "payload": {facet: product[facet] for facet in FACETS},
    }

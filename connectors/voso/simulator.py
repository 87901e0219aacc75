"""Vỏ Sò's side of the contract in README.md: drafts, a review, and no thought of two products with one code."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar

import httpx

from connectors.simulator import Answer, Effect, State, json_of, respond
from models.clock import Clock

DRAFT, IN_REVIEW, ON_SALE, REJECTED = "NHAP", "Chờ duyệt", "Đang bán", "Từ chối"
SHOWN = {DRAFT: "pending", IN_REVIEW: "pending", ON_SALE: "live", REJECTED: "rejected"}
LEAVES = {65, 69, 72, 73, 99, 138, 139, 140, 141, 142, 225, 227, 229, 231, 233, 235, 236}
TEMPORARY_SECONDS = 300
PICTURE_BYTES, PICTURES = 1_000_000, 5
MAGIC = {b"image/jpeg": b"\xff\xd8\xff", b"image/png": b"\x89PNG\r\n\x1a\n"}
HTML = re.compile(r"<[a-zA-Z/!][^>]*>")
CLAIM = re.compile(r"chữa bệnh|chữa khỏi|đặc trị", re.IGNORECASE)
BADGE = re.compile(r"OCOP [345] sao\. ")

Fields = dict[str, Any]
Check = Callable[[Any], str]  # what is wrong with a value, "" where nothing is


class Refusal(Exception):
    """A business error: HTTP 200 all the same."""

    def __init__(self, code: int, message: str, **data: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


def text(*, least: int = 0, chars: int = 0, octets: int = 0, lines: bool = False) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            return "phải là chuỗi"
        if unicodedata.normalize("NFC", value) != value:
            return "phải là Unicode NFC"
        if any(unicodedata.category(c) == "Cc" and not (lines and c == "\n") for c in value) or HTML.search(value):
            return "chỉ nhận chữ thường, không HTML, không ký tự điều khiển"
        if len(value) < least:
            return "không được để trống"
        if chars and len(value) > chars:
            return f"dài quá {chars} ký tự"
        return f"dài quá {octets} byte" if octets and len(value.encode()) > octets else ""

    return check


def integer(low: int, high: int) -> Check:
    return lambda v: "" if type(v) is int and low <= v <= high else f"phải là số nguyên từ {low} đến {high}"


def listed_price(value: Any) -> str:
    return "" if value is None else PRICE["price"](value)


def category(value: Any) -> str:
    return "" if type(value) is int and value in LEAVES else "danh mục không tồn tại hoặc không phải cấp cuối"


def boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "phải là true hoặc false"


def several(of: Check, least: int, most: int) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, list) or not least <= len(value) <= most:
            return f"phải là danh sách từ {least} đến {most} phần tử"
        return next(filter(None, map(of, value)), "") or ("" if len(set(value)) == len(value) else "bị trùng")

    return check


ANY_ID = integer(1, 2**53)
LOGIN: dict[str, Check] = {"username": text(least=1, chars=100), "password": text(least=1, chars=100)}
CODE: dict[str, Check] = {"product_code": text(least=1, octets=150)}
NAMED: dict[str, Check] = {"product_id": ANY_ID, **CODE}
CONTENT: dict[str, Check] = {
    "name": text(least=1, chars=120),
    "short_description": text(least=1, chars=400),
    "description": text(least=1, chars=5_000, lines=True),
    "category_id": category,
    "unit": text(octets=150),
    "brand": text(octets=150),
    "origin": text(octets=150),
    "ocop": boolean,
}
PICTURE_IDS: dict[str, Check] = {"images": several(ANY_ID, 1, PICTURES)}
PRICE: dict[str, Check] = {"price": integer(1, 2_000_000_000)}
OFFER: dict[str, Check] = {**PRICE, "list_price": listed_price, "stock": integer(0, 999_999)}
LIST: dict[str, Check] = {"page": integer(1, 1_000_000), "size": integer(1, 50)}
CODES: dict[str, Check] = {"product_codes": several(CODE["product_code"], 1, 50)}


@dataclass(frozen=True, slots=True)
class Route:
    run: Callable[[httpx.Request], Fields]
    effect: Effect
    token: str = "long"  # noqa: S105  # the kind of token it asks for


class Simulator:
    name = "voso"
    quota = (600, 60.0)
    pace = (0.3, 0.0)
    credentials: ClassVar[Mapping[str, str]] = {"username": "sandbox", "password": "sandbox-voso"}
    review_seconds = 0.3
    token_seconds = 86_400.0
    refused_later: ClassVar[Mapping[str, str]] = {"description": "Chữa bệnh đau lưng."}

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock, self._rng = state, clock, rng
        self._routes = {
            "v2/user/Login": Route(self._login, "read", ""),
            "v2/user/ownerconnect": Route(self._connect, "read", "temporary"),
            "v2/user/info": Route(self._info, "read"),
            "v2/media/upload": Route(self._upload, "write"),
            "v2/product/create": Route(self._create, "write"),
            "v2/product/submit": Route(self._submit, "write"),
            "v2/product/update": Route(self._update, "write"),
            "v2/product/updatePrice": Route(self._update_price, "write"),
            "v2/product/hide": Route(lambda request: self._set_hidden(request, hidden=True), "write"),
            "v2/product/show": Route(lambda request: self._set_hidden(request, hidden=False), "write"),
            "v2/product/detail": Route(self._detail, "read"),
            "v2/product/list": Route(self._list, "read"),
        }

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        route = self._routes.get("/".join(path))
        if route is None:
            return Answer(envelope(206, "Không có địa chỉ này", http=404), "refused")
        if request.method != "POST":
            return Answer(envelope(209, "Chỉ nhận POST", http=405), "refused")
        try:
            self._authorise(request, route.token)
            return Answer(envelope(200, "OK", route.run(request)), route.effect)
        except Refusal as refusal:
            return Answer(envelope(refusal.code, refusal.message, refusal.data), "refused")

    def throttled(self, seconds: int) -> httpx.Response:
        response = envelope(429, "Quá nhiều yêu cầu", http=429)
        response.headers["Retry-After"] = str(seconds)
        return response

    def listings(self) -> list[Fields]:
        return [self._listing(self._reviewed(product)) for _, product in self._state.items("product")]

    def _listing(self, product: Fields) -> Fields:
        return {
            "key": product["product_code"],
            "remote_id": str(product["product_id"]),
            "title": product["name"],
            "price": product["price"],
            "currency": "VND",
            "stock": product["stock"],
            "status": "hidden" if product["hidden"] else SHOWN[product["status"]],
            "updated_at": product["updated_at"],
            "payload": self._shown(product),
        }

    # Accounts

    def _authorise(self, request: httpx.Request, kind: str) -> None:
        if not kind:
            return
        token = self._state.get("token", request.headers.get("Token", ""))
        if token is None or token["kind"] != kind or self._clock.now() >= datetime.fromisoformat(token["until"]):
            raise Refusal(202, "Token invalid")

    def _login(self, request: httpx.Request) -> Fields:
        self._know(request)
        return self._issue("temporary", TEMPORARY_SECONDS)

    def _connect(self, request: httpx.Request) -> Fields:
        self._know(request)
        return self._issue("long", self.token_seconds)

    def _know(self, request: httpx.Request) -> None:
        if fields_of(request, LOGIN) != self.credentials:
            raise Refusal(201, "Sai tên đăng nhập hoặc mật khẩu")

    def _issue(self, kind: str, seconds: float) -> Fields:
        token = f"{self._state.next_number('token'):06}{self._rng.getrandbits(128):032x}"
        until = self._clock.now() + timedelta(seconds=seconds)
        self._state.put("token", token, {"kind": kind, "until": until.isoformat()})
        return {"token": token, "expired": until.isoformat()}

    def expire(self) -> None:
        for token, _ in self._state.items("token"):
            self._state.delete("token", token)

    def _info(self, request: httpx.Request) -> Fields:
        fields_of(request, {})
        return {"user_id": 1001, "shop_name": "Đặc sản Cà Mau (thử nghiệm)"}

    # Pictures

    def _upload(self, request: httpx.Request) -> Fields:
        data = picture_of(request)
        digest = sha256(data).hexdigest()
        known = self._state.get("picture", digest)
        if known is not None:
            raise Refusal(207, "Ảnh đã có", media_id=known)
        number = self._state.next_number("media")
        self._state.put("picture", digest, number)
        self._state.put("media", str(number), digest)
        return {"media_id": number}

    # Products

    def _create(self, request: httpx.Request) -> Fields:
        fields = fields_of(request, CODE | CONTENT | PICTURE_IDS | OFFER)
        self._judge(fields)
        number = self._state.next_number("product")
        codes = self._state.get("code", fields["product_code"]) or []
        self._state.put("code", fields["product_code"], [*codes, number])  # two of one code: nobody minds here
        return self._store({"product_id": number, **fields, "status": DRAFT, "hidden": False, "reason": ""})

    def _submit(self, request: httpx.Request) -> Fields:
        product = self._named(fields_of(request, NAMED))
        if product["status"] != DRAFT:
            raise Refusal(205, f"Trạng thái “{product['status']}” không gửi duyệt được")
        due = self._clock.now() + timedelta(seconds=self.review_seconds)
        return self._store(product | {"status": IN_REVIEW, "review_until": due.isoformat(), "reason": ""})

    def _update(self, request: httpx.Request) -> Fields:
        return self._change(fields_of(request, NAMED, CONTENT | PICTURE_IDS), reviewed=True)

    def _update_price(self, request: httpx.Request) -> Fields:
        return self._change(fields_of(request, NAMED, OFFER), reviewed=False)

    def _change(self, fields: Fields, *, reviewed: bool) -> Fields:
        product = self._open(fields)
        if len(fields) == len(NAMED):
            raise Refusal(209, "Không có mục nào để sửa")
        changed = product | fields
        self._judge(changed)
        if reviewed and changed != product:
            changed |= {"status": DRAFT, "reason": ""}
        return self._store(changed)

    def _set_hidden(self, request: httpx.Request, *, hidden: bool) -> Fields:
        return self._store(self._open(fields_of(request, NAMED)) | {"hidden": hidden})

    def _detail(self, request: httpx.Request) -> Fields:
        return self._shown(self._named(fields_of(request, NAMED)))

    def _list(self, request: httpx.Request) -> Fields:
        asked = fields_of(request, LIST, CODES)
        page, size = asked["page"], asked["size"]
        if "product_codes" in asked:
            numbers = sorted(n for code in asked["product_codes"] for n in self._state.get("code", code) or [])
        else:
            numbers = list(range(1, int(self._state.get("counter", "product") or 0) + 1))  # nothing is ever erased
        items = [self._shown(self._stored(n)) for n in numbers[(page - 1) * size : page * size]]
        return {"page": page, "size": size, "total": len(numbers), "items": items}

    def _judge(self, product: Fields) -> None:
        """What one field alone does not tell."""
        for number in product["images"]:
            if self._state.get("media", str(number)) is None:
                raise invalid("images", f"ảnh {number} không tồn tại")
        if product["list_price"] is not None and product["list_price"] < product["price"]:
            raise invalid("list_price", "phải từ giá bán trở lên")
        badge = BADGE.match(product["short_description"]) is not None
        if badge != product["ocop"] or "OCOP" in product["name"]:
            raise invalid("ocop", "dấu OCOP và mô tả ngắn không khớp")

    def _open(self, fields: Fields) -> Fields:
        product = self._named(fields)
        if product["status"] == IN_REVIEW:
            raise Refusal(205, "Sản phẩm đang chờ duyệt, không sửa được")
        return product

    def _named(self, fields: Fields) -> Fields:
        product = self._state.get("product", f"{fields['product_id']:012}")
        if product is None or product["product_code"] != fields["product_code"]:
            raise Refusal(206, "Không tìm thấy sản phẩm")
        return self._reviewed(product)

    def _stored(self, number: int) -> Fields:
        return self._reviewed(self._state.get("product", f"{number:012}"))

    def _reviewed(self, product: Fields) -> Fields:
        """A review that is over has happened, whether or not anyone looked."""
        if product["status"] != IN_REVIEW or self._clock.now() < datetime.fromisoformat(product["review_until"]):
            return product
        claim = CLAIM.search(f"{product['name']}\n{product['short_description']}\n{product['description']}")
        reason = f"Nội dung không được quảng cáo công dụng “{claim[0]}”" if claim else ""
        verdict = {"status": REJECTED if claim else ON_SALE, "reason": reason}
        return product | verdict | {"updated_at": product["review_until"]}

    def _store(self, product: Fields) -> Fields:
        product = product | {"updated_at": self._clock.now().isoformat()}
        self._state.put("product", f"{product['product_id']:012}", product)
        return self._shown(product)

    def _shown(self, product: Fields) -> Fields:
        """The fields as answered: pictures with the hash of the bytes that were taken."""
        pictures = [{"media_id": n, "sha256": self._state.get("media", str(n))} for n in product["images"]]
        return {name: value for name, value in product.items() if name != "review_until"} | {"images": pictures}


def envelope(code: int, message: str, data: Any = None, *, http: int = 200) -> httpx.Response:
    return respond(http, {"status": code, "error": code != 200, "message": message, "data": data})


def invalid(field: str, words: str) -> Refusal:
    return Refusal(204, f"{field} {words}", field=field)


def fields_of(
    request: httpx.Request, required: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> Fields:
    """The body's fields, every one known and checked."""
    known = {**required, **(optional or {})}
    body = body_of(request)
    for field in [f for f in {**body, **required} if f not in known or f not in body]:
        raise invalid(field, "không có trong tài liệu" if field in body else "bắt buộc phải có")
    for field, value in body.items():
        if words := known[field](value):
            raise invalid(field, words)
    return body


def body_of(request: httpx.Request) -> Fields:
    try:
        body = json_of(request)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not request.headers.get("Content-Type", "").startswith("application/json"):
        raise Refusal(209, "Nội dung phải là một đối tượng JSON")
    return body


def picture_of(request: httpx.Request) -> bytes:
    """The bytes of the one part named `file`."""
    kind = re.fullmatch(r'multipart/form-data; ?boundary="?([^";]+)"?', request.headers.get("Content-Type", ""))
    if kind is None:
        raise Refusal(209, "Ảnh phải gửi dạng multipart/form-data")
    mark = b"--" + kind[1].encode()
    before, _, rest = request.content.partition(mark + b"\r\n")
    head, _, tail = rest.partition(b"\r\n\r\n")
    data, _, end = tail.partition(b"\r\n" + mark)
    if before or end.strip() != b"--" or b'name="file"' not in head:
        raise Refusal(209, "Phải có đúng một phần tên “file”")
    declared = re.search(rb"(?i)content-type: *([a-z/]+)", head)
    magic = MAGIC.get(declared[1] if declared else b"")
    if magic is None or not data.startswith(magic) or len(data) > PICTURE_BYTES:
        raise Refusal(208, "Ảnh phải là JPEG hoặc PNG, tối đa 1 MB", field="images")
    return data

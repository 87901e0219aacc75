"""The marketplace's side of openapi.yaml: OAuth, products with revisions, pictures, review, paging, refusals."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx

from connectors.simulator import Answer, State, json_of, respond
from models.clock import Clock, today
from models.text import VIETNAM

TOKEN_SECONDS = 3600
REPLAY_SECONDS = 24 * 3600
PAGE_SIZE = 100
MEDIA_BYTES = 2 * 1024 * 1024
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
SHA256 = re.compile(r"[0-9a-f]{64}")
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,100}")
ETAG = re.compile(r'"([1-9][0-9]{0,17})"')
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
BOUNDARY = re.compile(r"""boundary="?([\w'()+,./:=? -]{1,70})"?""", re.ASCII)
OFFER = ("price_vnd", "list_price_vnd", "stock")

MESSAGES = {
    "invalid_token": "Thiếu mã truy cập, hoặc mã đã hết hạn.",
    "unknown_path": "Không có địa chỉ này.",
    "method_not_allowed": "Địa chỉ này không nhận phương thức đó.",
    "not_found": "Không có sản phẩm này.",
    "stale_revision": "Sản phẩm đã được sửa sau lần đọc của bạn.",
    "already_exists": "Sản phẩm đã có trên sàn.",
    "malformed": "Nội dung gửi lên không đọc được.",
    "missing_header": "Thiếu tiêu đề bắt buộc.",
    "bad_header": "Tiêu đề không đúng định dạng.",
    "bad_parameter": "Tham số không hợp lệ.",
    "idempotency_key_reused": "Khóa chống gửi trùng đã dùng cho nội dung khác.",
    "missing": "Thiếu trường bắt buộc.",
    "unknown_field": "Không có trường này.",
    "wrong_type": "Sai kiểu dữ liệu.",
    "too_short": "Quá ngắn hoặc quá ít.",
    "too_long": "Quá dài hoặc quá nhiều.",
    "out_of_range": "Số nằm ngoài khoảng cho phép.",
    "bad_format": "Không đúng định dạng.",
    "control_character": "Có ký tự điều khiển hoặc ký tự vô hình.",
    "not_nfc": "Văn bản phải ở dạng Unicode NFC.",
    "duplicate": "Có giá trị lặp lại.",
    "unknown_category": "Không có danh mục này.",
    "list_price_below_price": "Giá niêm yết không được thấp hơn giá bán.",
    "ocop_claim": "Có chữ OCOP nhưng không có thông tin chứng nhận OCOP.",
    "ocop_expired": "Giấy chứng nhận OCOP đã hết hạn.",
    "too_large": "Ảnh nặng hơn 2 MB.",
    "unsupported_media": "Ảnh phải là JPEG hoặc PNG.",
    "not_announced": "Ảnh không có trong danh sách ảnh của sản phẩm.",
    "contact_data": "Không được ghi số điện thoại, email hoặc đường dẫn.",
    "rate_limited": "Gửi quá nhanh, hãy chờ rồi gửi tiếp.",
}

# (sector id, vi, en, leaves); a leaf is (id, product set, vi, en). Ids never change and are never used again.
TREE: tuple[tuple[str, str, str, tuple[tuple[str, int, str, str], ...]], ...] = (
    (
        "thuc-pham",
        "Thực phẩm",
        "Food",
        (
            ("rau-cu-qua", 1, "Rau, củ, quả, hạt tươi", "Fresh vegetables and fruit"),
            ("thit-thuy-san-tuoi", 2, "Thịt, thủy sản, trứng, sữa tươi", "Fresh meat, seafood, eggs, milk"),
            ("gao-ngu-coc", 3, "Gạo, ngũ cốc, hạt sơ chế", "Rice and grains"),
            ("mat-ong", 4, "Mật ong, mật và nông sản khác", "Honey and other farm produce"),
            ("do-an-nhanh", 5, "Đồ ăn nhanh", "Ready food"),
            ("che-bien-tu-gao", 6, "Chế biến từ gạo, ngũ cốc", "Made from rice and grains"),
            ("che-bien-tu-rau-qua", 7, "Chế biến từ rau, củ, quả, hạt", "Made from vegetables and fruit"),
            ("che-bien-tu-thit-thuy-san", 8, "Chế biến từ thịt, trứng, sữa, thủy sản", "Made from meat and seafood"),
            ("nuoc-mam-tuong", 9, "Tương, nước mắm, gia vị lỏng", "Fish sauce and liquid seasonings"),
            ("gia-vi-kho", 10, "Gia vị khác", "Dry seasonings"),
            ("tra", 11, "Chè tươi, chè chế biến", "Tea"),
            ("tra-thao-moc", 12, "Chè từ thực vật khác", "Herbal tea"),
            ("ca-phe-ca-cao", 13, "Cà phê, ca cao", "Coffee and cocoa"),
        ),
    ),
    (
        "do-uong",
        "Đồ uống",
        "Drinks",
        (
            ("ruou-trang", 14, "Rượu trắng", "Rice spirits"),
            ("do-uong-co-con-khac", 15, "Đồ uống có cồn khác", "Other alcoholic drinks"),
            ("nuoc-dong-chai", 16, "Nước khoáng, nước đóng chai", "Bottled water"),
            ("do-uong-khong-con", 17, "Đồ uống không cồn", "Soft drinks"),
        ),
    ),
    (
        "duoc-lieu",
        "Dược liệu và sản phẩm từ dược liệu",
        "Medicinal plants",
        (
            ("thuc-pham-chuc-nang", 18, "Thực phẩm chức năng, thuốc dược liệu", "Food supplements and remedies"),
            ("my-pham-thao-duoc", 19, "Mỹ phẩm từ dược liệu", "Herbal cosmetics"),
            ("tinh-dau-duoc-lieu", 20, "Tinh dầu và dược liệu khác", "Essential oils and other herbs"),
        ),
    ),
    (
        "thu-cong",
        "Hàng thủ công mỹ nghệ",
        "Handicraft",
        (
            ("thu-cong-my-nghe", 21, "Thủ công mỹ nghệ gia dụng, trang trí", "Household and decorative handicraft"),
            ("vai-may-mac", 22, "Vải, may mặc", "Cloth and clothing"),
        ),
    ),
    (
        "sinh-vat-canh",
        "Sinh vật cảnh",
        "Ornamental plants and animals",
        (
            ("hoa", 23, "Hoa", "Flowers"),
            ("cay-canh", 24, "Cây cảnh", "Ornamental plants"),
            ("dong-vat-canh", 25, "Động vật cảnh", "Ornamental animals"),
        ),
    ),
)
LEAVES = {leaf[0] for *_, leaves in TREE for leaf in leaves}
ALCOHOL_SETS = (14, 15)

Fault = tuple[str, str]  # field, code
Check = Callable[[Any], Iterator[Fault]]


class Refusal(Exception):
    """An answer with the documented error body."""

    def __init__(self, status: int, *faults: Fault, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, faults)
        self.response = respond(status, {"errors": [error(*fault) for fault in faults]}, headers)


def error(field: str, code: str) -> dict[str, str]:
    return {"field": field, "code": code, "message_vi": MESSAGES[code]}


class Simulator:
    name = "madeincamau"
    # The contract assumes 60 requests a minute; the sandbox grants ten times that, so that a first run takes seconds.
    quota = (600, 60.0)
    pace = (0.3, 0.0)
    credentials: Mapping[str, str] = {"client_id": "sandbox", "client_secret": "cha-la-ca-mau"}
    review_seconds = 0.3
    refused_later: Mapping[str, str] = {"description": "Gọi 0912 345 678 để đặt hàng."}

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state = state
        self._clock = clock
        self._rng = rng

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        try:
            return self._route(request, path)
        except Refusal as refusal:
            return Answer(refusal.response, "refused")

    def throttled(self, seconds: int) -> httpx.Response:
        return Refusal(429, ("", "rate_limited"), headers={"Retry-After": str(seconds)}).response

    def listings(self) -> list[dict[str, Any]]:
        return [self._listing(key, document) for key, document in self._state.items("product")]

    def _listing(self, key: str, document: dict[str, Any]) -> dict[str, Any]:
        fields = document["fields"]
        return {
            "key": key,
            "remote_id": document["product_id"],
            "title": fields["name"],
            "price": fields["price_vnd"],
            "currency": "VND",
            "stock": fields["stock"],
            "status": self._status(document),
            "updated_at": self._updated_at(document),
            "payload": fields,
        }

    # Routes

    def _route(self, request: httpx.Request, path: list[str]) -> Answer:
        routes = self._routes(path)
        if routes is None:
            raise Refusal(404, ("", "unknown_path"))
        if path[-2:] != ["oauth", "token"]:
            self._authorise(request)
        if request.method not in routes:
            raise Refusal(405, ("", "method_not_allowed"), headers={"Allow": ", ".join(sorted(routes))})
        return routes[request.method](request)

    def _routes(self, path: list[str]) -> dict[str, Callable[[httpx.Request], Answer]] | None:
        match path:
            case ["api", "partner", "v1", "oauth", "token"]:
                return {"POST": self._grant}
            case ["api", "partner", "v1", "account"]:
                return {"GET": self._account}
            case ["api", "partner", "v1", "categories"]:
                return {"GET": self._categories}
            case ["api", "partner", "v1", "products"]:
                return {"GET": self._page}
            case ["api", "partner", "v1", "products", key, *rest] if key:
                return self._product_routes(key, rest)
        return None

    def _product_routes(self, key: str, rest: list[str]) -> dict[str, Callable[[httpx.Request], Answer]] | None:
        match rest:
            case []:
                return {
                    "GET": lambda request: self._get(key, request),
                    "PUT": lambda request: self._put(key, request),
                    "DELETE": lambda request: self._delete(key, request),
                }
            case ["offers"]:
                return {"PATCH": lambda request: self._patch(key, request)}
            case ["media"]:
                return {"POST": lambda request: self._post_media(key, request)}
            case ["moderation"]:
                return {"GET": lambda request: self._get_moderation(key, request)}
        return None

    # OAuth and account

    def _grant(self, request: httpx.Request) -> Answer:
        code = self._refused_grant(request)
        if code:
            status = 401 if code == "invalid_client" else 400
            return Answer(respond(status, {"error": code}, {"Cache-Control": "no-store"}), "refused")
        token = f"{self._rng.getrandbits(128):032x}"
        self._state.put("token", token, self._now() + TOKEN_SECONDS)
        data = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return Answer(respond(200, data, {"Cache-Control": "no-store"}), "read")

    def _refused_grant(self, request: httpx.Request) -> str | None:
        """The code of RFC 6749 §5.2, or None."""
        form = form_of(request)
        if form is None or set(form) != {"grant_type", "client_id", "client_secret"}:
            return "invalid_request"
        if form.pop("grant_type") != "client_credentials":
            return "unsupported_grant_type"
        return None if form == self.credentials else "invalid_client"

    def _authorise(self, request: httpx.Request) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        ends = self._state.get("token", token) if kind == "Bearer" else None
        if ends is None or ends <= self._now():
            raise Refusal(401, ("Authorization", "invalid_token"), headers={"WWW-Authenticate": "Bearer"})

    def expire(self) -> None:
        for token, _ in self._state.items("token"):
            self._state.delete("token", token)

    def _account(self, request: httpx.Request) -> Answer:
        parameters(request)
        permits, seconds = self.quota
        account = {
            "seller_id": "CM-SANDBOX",
            "name": "Gian hàng thử nghiệm Cà Mau",
            "requests_per_minute": int(permits * 60 / seconds),
        }
        return Answer(respond(200, account), "read")

    def _categories(self, request: httpx.Request) -> Answer:
        parameters(request)
        tree = respond(200, {"categories": [branch(*sector) for sector in TREE]})
        etag = f'"{hashlib.sha256(tree.content).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return Answer(httpx.Response(304, headers={"ETag": etag}), "read")
        tree.headers["ETag"] = etag
        return Answer(tree, "read")

    # Reading

    def _get(self, key: str, request: httpx.Request) -> Answer:
        parameters(request)
        return self._answer(key, 200, "read")

    def _get_moderation(self, key: str, request: httpx.Request) -> Answer:
        parameters(request)
        return Answer(respond(200, self._moderation(self._document(key))), "read")

    def _page(self, request: httpx.Request) -> Answer:
        """The next `limit` keys, of them what changed since: a page may be empty and still have a successor."""
        asked = parameters(request, "limit", "cursor", "updated_since")
        limit, after, since = page_size(asked), key_behind(asked), instant(asked)
        rows = self._state.items("product", after=after, most=limit + 1)
        shown = [self._product(key, document) for key, document in rows[:limit]]
        page = [p for p in shown if datetime.fromisoformat(p["updated_at"]).timestamp() >= since]
        more = len(rows) > limit
        return Answer(
            respond(200, {"products": page, "next_cursor": cursor_of(rows[limit - 1][0]) if more else None}), "read"
        )

    # Writing

    def _put(self, key: str, request: httpx.Request) -> Answer:
        parameters(request)
        token = put_headers(request)
        fingerprint = hashlib.sha256(b"\0".join((key.encode(), request.content))).hexdigest()
        replay = self._replay(token, fingerprint)
        if replay:
            return Answer(respond(replay["status"], replay["product"], {"ETag": replay["etag"]}), "read")
        fields = self._body(key, request)
        before = self._state.get("product", key)
        self._preconditions(request, before)
        document = self._stored(key, before, fields)
        status = 202 if self._moderation(document)["status"] == "pending" else 200 if before else 201
        answer = self._answer(key, status, "write" if document != before else "read")
        self._remember(token, fingerprint, status, key)
        return answer

    def _replay(self, token: str, fingerprint: str) -> Any:
        earlier = self._state.get("idempotency", token)
        if earlier is None or earlier["until"] <= self._now():
            return None
        if earlier["fingerprint"] != fingerprint:
            raise Refusal(422, ("Idempotency-Key", "idempotency_key_reused"))
        return earlier

    def _remember(self, token: str, fingerprint: str, status: int, key: str) -> None:
        document = self._document(key)
        answer = {"status": status, "product": self._product(key, document), "etag": etag_of(document)}
        self._state.put(
            "idempotency", token, answer | {"fingerprint": fingerprint, "until": self._now() + REPLAY_SECONDS}
        )

    def _body(self, key: str, request: httpx.Request) -> dict[str, Any]:
        fields = object_of(request)
        faults = [*KEY({"external_id": key}), *PRODUCT(fields)]
        faults = faults or list(self._contradictions(fields))
        if faults:
            raise Refusal(422, *faults)
        return fields

    def _contradictions(self, fields: dict[str, Any]) -> Iterator[Fault]:
        """What no single field shows."""
        if fields["category_id"] not in LEAVES:
            yield "category_id", "unknown_category"
        yield from below_price(fields)
        if fields["ocop"] is None:
            yield from ((f, "ocop_claim") for f in ("name", "description", "marks") if claims_ocop(fields[f]))
        elif date.fromisoformat(fields["ocop"]["valid_until"]) < today(self._clock):
            yield "ocop.valid_until", "ocop_expired"

    def _preconditions(self, request: httpx.Request, before: dict[str, Any] | None) -> None:
        expected, absent = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        if expected is not None and (before is None or etag_of(before) != expected):
            raise Refusal(409, ("If-Match", "stale_revision"))
        if absent is not None and before is not None:
            raise Refusal(409, ("If-None-Match", "already_exists"))

    def _stored(self, key: str, before: dict[str, Any] | None, fields: dict[str, Any]) -> dict[str, Any]:
        """New content is reviewed; the same content, a price or a stock is not."""
        if before is None:
            number = self._state.next_number("product")
            before = {"product_id": f"MCM-{number:06}", "revision": 0, "fields": {}, "hidden": False}
        reviewed = content_of(before["fields"]) == content_of(fields)
        until = before["review_until"] if reviewed else self._now() + self.review_seconds
        return self._save(key, before, fields=fields, hidden=False, review_until=until)

    def _save(self, key: str, before: dict[str, Any], **values: Any) -> dict[str, Any]:
        """A change that changes nothing keeps its revision."""
        after = before | values
        if after != before:
            after |= {"revision": before["revision"] + 1, "updated_at": self._now()}
            self._state.put("product", key, after)
        return after

    def _patch(self, key: str, request: httpx.Request) -> Answer:
        parameters(request)
        before = self._document(key)
        offer = object_of(request)
        fields = before["fields"] | offer
        faults = list(OFFERS(offer)) or list(below_price(fields))
        if faults:
            raise Refusal(422, *faults)
        after = self._save(key, before, fields=fields)
        return self._answer(key, 200, "write" if after != before else "read")

    def _delete(self, key: str, request: httpx.Request) -> Answer:
        parameters(request)
        before = self._document(key)
        after = self._save(key, before, hidden=True)
        return self._answer(key, 200, "write" if after != before else "read")

    def _post_media(self, key: str, request: httpx.Request) -> Answer:
        parameters(request)
        document = self._document(key)
        picture = file_of(request)
        if len(picture) > MEDIA_BYTES:
            raise Refusal(413, ("file", "too_large"))
        if not picture.startswith(MAGIC):
            raise Refusal(422, ("file", "unsupported_media"))
        sha256 = hashlib.sha256(picture).hexdigest()
        if sha256 not in document["fields"]["images"]:
            raise Refusal(422, ("file", "not_announced"))
        known = self._state.get("media", sha256)
        medium = known or {"sha256": sha256, "media_id": f"IMG-{self._state.next_number('media'):06}"}
        self._state.put("media", sha256, medium)
        return Answer(respond(200 if known else 201, medium), "read" if known else "write")

    # What is stored, and how it is shown

    def _document(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] | None = self._state.get("product", key)
        if document is None:
            raise Refusal(404, ("external_id", "not_found"))
        return document

    def _answer(self, key: str, status: int, effect: Any) -> Answer:
        document = self._document(key)
        return Answer(respond(status, self._product(key, document), {"ETag": etag_of(document)}), effect)

    def _product(self, key: str, document: dict[str, Any]) -> dict[str, Any]:
        found = (self._state.get("media", sha256) for sha256 in document["fields"]["images"])
        return {
            "external_id": key,
            "product_id": document["product_id"],
            "revision": str(document["revision"]),
            "status": self._status(document),
            "moderation": self._moderation(document),
            "updated_at": self._updated_at(document),
            "media": [medium for medium in found if medium],
            **document["fields"],
        }

    def _status(self, document: dict[str, Any]) -> str:
        if document["hidden"]:
            return "hidden"
        status = str(self._moderation(document)["status"])
        return "live" if status == "approved" else status

    def _moderation(self, document: dict[str, Any]) -> dict[str, str]:
        """Follows from the clock and the content, so nothing has to happen when the review is over."""
        if self._now() < document["review_until"]:
            return {"status": "pending"}
        for field in ("name", "description"):
            if CONTACT.search(document["fields"][field]):
                return {"status": "rejected", **error(field, "contact_data")}
        return {"status": "approved"}

    def _updated_at(self, document: dict[str, Any]) -> str:
        """The end of a review is a change too."""
        over = document["review_until"] if self._now() >= document["review_until"] else 0.0
        changed = max(document["updated_at"], over)
        return datetime.fromtimestamp(changed, VIETNAM).isoformat(timespec="microseconds")

    def _now(self) -> float:
        return self._clock.now().timestamp()


CONTACT = re.compile(
    r"https?://|www\.|[\w.+-]+@[\w-]+\.\w|\b[\w-]+\.(?:com|vn|net|org)\b|(?<!\d)(?:\+?84|0)(?:[ .-]?\d){9,10}(?!\d)",
    re.IGNORECASE,
)


def claims_ocop(text: str) -> bool:
    return re.search(r"\bocop\b", text, re.IGNORECASE) is not None


def below_price(fields: Mapping[str, Any]) -> Iterator[Fault]:
    listed = fields["list_price_vnd"]
    if listed is not None and listed < fields["price_vnd"]:
        yield "list_price_vnd", "list_price_below_price"


def content_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in OFFER}


def etag_of(document: Mapping[str, Any]) -> str:
    return f'"{document["revision"]}"'


def branch(sector: str, vi: str, en: str, leaves: tuple[tuple[str, int, str, str], ...]) -> dict[str, Any]:
    children = [
        {"id": i, "name_vi": v, "name_en": e, "product_set": number, "age_restricted": number in ALCOHOL_SETS}
        for i, number, v, e in leaves
    ]
    return {"id": sector, "name_vi": vi, "name_en": en, "children": children}


# Reading a request


def parameters(request: httpx.Request, *known: str) -> dict[str, str]:
    """The query; 400 for an unknown or repeated parameter."""
    pairs = parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)
    values = dict(pairs)
    wrong = [name for name in values if name not in known] or ([""] if len(values) < len(pairs) else [])
    if wrong:
        raise Refusal(400, *((name, "bad_parameter") for name in wrong))
    return values


def put_headers(request: httpx.Request) -> str:
    """The idempotency key; the conditions, where there are any, must be well formed too."""
    token = str(request.headers.get("Idempotency-Key", ""))
    if not IDEMPOTENCY_KEY.fullmatch(token):
        raise Refusal(400, ("Idempotency-Key", "bad_header" if token else "missing_header"))
    if not ETAG.fullmatch(request.headers.get("If-Match", '"1"')):
        raise Refusal(400, ("If-Match", "bad_header"))
    if request.headers.get("If-None-Match", "*") != "*":
        raise Refusal(400, ("If-None-Match", "bad_header"))
    return token


def page_size(asked: Mapping[str, str]) -> int:
    value = asked.get("limit", str(PAGE_SIZE))
    if not re.fullmatch("[1-9][0-9]{0,2}", value) or int(value) > PAGE_SIZE:
        raise Refusal(400, ("limit", "bad_parameter"))
    return int(value)


def cursor_of(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def key_behind(asked: Mapping[str, str]) -> str:
    if "cursor" not in asked:
        return ""
    try:
        key = base64.b64decode(asked["cursor"], altchars=b"-_", validate=True).decode()
    except ValueError:
        raise Refusal(400, ("cursor", "bad_parameter")) from None
    if not key or cursor_of(key) != asked["cursor"]:
        raise Refusal(400, ("cursor", "bad_parameter"))
    return key


def instant(asked: Mapping[str, str]) -> float:
    value = asked.get("updated_since")
    if value is None:
        return 0.0
    try:
        if INSTANT.fullmatch(value):
            return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        pass
    raise Refusal(400, ("updated_since", "bad_parameter"))


def media_type(request: httpx.Request) -> str:
    return str(request.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def form_of(request: httpx.Request) -> dict[str, str] | None:
    """None where the body is no form, or names something twice."""
    if media_type(request) != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qsl(request.content.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) else None


def object_of(request: httpx.Request) -> dict[str, Any]:
    try:
        data = json_of(request) if media_type(request) == "application/json" else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Refusal(400, ("", "malformed"))
    return data


def file_of(request: httpx.Request) -> bytes:
    """The one part of a multipart form, which must be named `file`."""
    boundary = BOUNDARY.search(request.headers.get("Content-Type", ""))
    if media_type(request) != "multipart/form-data" or boundary is None:
        raise Refusal(400, ("file", "malformed"))
    delimiter = b"\r\n--" + boundary[1].encode()
    _, *parts, end = (b"\r\n" + request.content).split(delimiter)
    head, blank, data = (parts[0] if len(parts) == 1 else b"").partition(b"\r\n\r\n")
    named = re.search(rb'content-disposition: form-data;[^\r\n]*\bname="file"', head, re.IGNORECASE)
    if not (blank and named and end.rstrip() == b"--"):
        raise Refusal(400, ("file", "malformed"))
    return data


# Fields


def line(least: int, most: int, *, breaks: bool = False) -> Check:
    """Text in NFC without control and invisible characters; `breaks` allows several lines."""

    def check(value: Any) -> Iterator[Fault]:
        if not isinstance(value, str):
            yield "", "wrong_type"
        elif not least <= len(value) <= most:
            yield "", "too_short" if len(value) < least else "too_long"
        elif any(unicodedata.category(c) in ("Cc", "Cf") for c in value if not (breaks and c in "\n\t")):
            yield "", "control_character"
        elif not unicodedata.is_normalized("NFC", value):
            yield "", "not_nfc"

    return check


def whole(least: int, most: int) -> Check:
    def check(value: Any) -> Iterator[Fault]:
        if type(value) is not int:
            yield "", "wrong_type"
        elif not least <= value <= most:
            yield "", "out_of_range"

    return check


def matching(pattern: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any) -> Iterator[Fault]:
        if not isinstance(value, str):
            yield "", "wrong_type"
        elif not compiled.fullmatch(value):
            yield "", "bad_format"

    return check


def calendar_day(value: Any) -> Iterator[Fault]:
    faults = list(matching(r"\d{4}-\d\d-\d\d")(value))
    try:
        date.fromisoformat("" if faults else value)
    except ValueError:
        faults = faults or [("", "bad_format")]
    yield from faults


def optional(inner: Check) -> Check:
    return lambda value: iter(()) if value is None else inner(value)


def pictures(value: Any) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield "", "wrong_type"
    elif not 1 <= len(value) <= 9:
        yield "", "too_short" if not value else "too_long"
    elif not all(isinstance(sha256, str) and SHA256.fullmatch(sha256) for sha256 in value):
        yield "", "bad_format"
    elif len(set(value)) < len(value):
        yield "", "duplicate"


def record(required: Mapping[str, Check], *, partial: bool = False) -> Check:
    """An object with exactly these fields, or at least one of them."""

    def check(value: Any) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield "", "wrong_type"
            return
        if partial and not value:
            yield "", "too_short"
        yield from ((name, "unknown_field") for name in value if name not in required)
        for name, inner in required.items():
            if name in value:
                yield from ((f"{name}.{sub}".rstrip("."), code) for sub, code in inner(value[name]))
            elif not partial:
                yield name, "missing"

    return check


OFFER_FIELDS: dict[str, Check] = {
    "price_vnd": whole(1, 1_000_000_000),
    "list_price_vnd": optional(whole(1, 1_000_000_000)),
    "stock": whole(0, 1_000_000),
}
KEY = record({"external_id": line(1, 100)})
OFFERS = record(OFFER_FIELDS, partial=True)
PRODUCT = record(
    {
        "group_id": line(1, 100),
        "category_id": matching(r"[a-z]+(-[a-z]+)*"),
        "name": line(1, 150),
        "brand": line(0, 100),
        "description": line(1, 20_000, breaks=True),
        "producer": record(
            {
                "legal_name": line(0, 200),
                "producer_type": line(0, 50),
                "commune": line(0, 100),
                "province": line(0, 100),
            }
        ),
        "pack": line(0, 100),
        "gtin": matching(r"(\d{8}|\d{12,14})?"),
        "alcohol_percent": optional(matching(r"(100|\d{1,2})(\.\d{1,2})?")),
        "ingredients": line(0, 2_000, breaks=True),
        "shelf_life": line(0, 500, breaks=True),
        "storage": line(0, 1_000, breaks=True),
        "usage": line(0, 2_000, breaks=True),
        "warnings": line(0, 1_000, breaks=True),
        "origin": line(0, 500, breaks=True),
        "marks": line(0, 1_000, breaks=True),
        "ocop": optional(record({"star": whole(3, 5), "decision_no": line(0, 100), "valid_until": calendar_day})),
        "images": pictures,
        **OFFER_FIELDS,
    }
)

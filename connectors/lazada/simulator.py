"""Lazada's side, from its documents: signed forms, string codes under HTTP 200, a quality check, a lagging search."""

from __future__ import annotations

import hashlib
import hmac
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import format_datetime
from typing import Any, ClassVar

import httpx
import msgspec

from connectors.simulator import Answer, Effect, State, parameters_of, respond
from models.clock import Clock

SKEW_SECONDS = 7200
SYSTEM = ("app_key", "timestamp", "sign_method", "sign")
HOST = "https://vn-live-02.slatic.net/p/"
PICTURE_BYTES, PICTURES, ROWS, PAGE, OFFSET_MOST, KEYS = 3_145_728, 8, 50, 50, 10_000, 100
FILTERS = ("all", "live", "inactive", "deleted", "pending", "rejected", "sold-out")
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
CLAIM = re.compile(r"chữa bệnh|chữa khỏi|đặc trị", re.IGNORECASE)
# A small tree in the documented shape. What food needs in Vietnam is not published: these attributes are assumed.
LEAVES = {
    12345: "Thực phẩm khác",
    12346: "Mật ong",
    12347: "Hải sản khô",
    12348: "Nước uống",
    12349: "Trà và cà phê",
    12350: "Thực phẩm bổ dưỡng",
    12351: "Đồ thủ công",
    12352: "Vải và phụ kiện",
}
PARCEL = ("package_height", "package_length", "package_width", "package_weight")
NORMAL = ("name", "description", "short_description", "brand", "brand_id")
ROW = {"SellerSku", "SkuId", "Status", "quantity", "price", "special_price", "saleProp", "package_content", *PARCEL}
BRANDS = (("30767", "Vinamilk"), ("30768", "No Brand"))

Fields = dict[str, Any]


class Refusal(Exception):
    """An error, with HTTP 200 all the same."""

    def __init__(self, code: str, message: str, *detail: Fields) -> None:
        super().__init__(message)
        self.code, self.message, self.detail = code, message, list(detail)


@dataclass(frozen=True, slots=True)
class Route:
    run: Callable[[Fields], Fields]
    effect: Effect
    method: str = "POST"
    public: bool = False  # works without a token


class Simulator:
    name = "lazada"
    quota = (600, 60.0)
    credentials: ClassVar[Mapping[str, str]] = {
        "app_key": "100001",
        "app_secret": "sandbox-lazada-secret",
        "access_token": "sandbox-lazada-access",
        "refresh_token": "sandbox-lazada-refresh",
    }
    pace = (0.3, 0.5)
    check_seconds = 0.3  # of the quality check; the real one takes up to 24 hours
    lag_seconds = 0.3  # until a search sees a new item: assumed
    token_seconds = 604_800  # of a refreshed one: those of a test app
    refresh_seconds = 1_209_600
    refused_later: ClassVar[Mapping[str, str]] = {"description": "Chữa bệnh đau lưng."}
    held = 0  # pieces that orders hold of every SKU

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock, self._rng = state, clock, rng
        self._routes = {
            "/auth/token/refresh": Route(self._refresh, "write", public=True),
            "/seller/get": Route(self._seller, "read", "GET"),
            "/category/tree/get": Route(self._tree, "read", "GET", public=True),
            "/category/attributes/get": Route(self._attributes, "read", "GET", public=True),
            "/image/upload": Route(self._upload, "write"),
            "/images/migrate": Route(self._migrate, "write"),
            "/image/response/get": Route(self._migrated, "read", "GET"),
            "/product/create": Route(self._create, "write"),
            "/product/update": Route(self._update, "write"),
            "/product/price_quantity/update": Route(self._offer, "write"),
            "/product/deactivate": Route(self._deactivate, "write"),
            "/product/remove": Route(self._remove, "write"),
            "/products/get": Route(self._products, "read", "GET"),
        }

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        api = "/" + "/".join(path[1:])
        route = self._routes.get(api) if path[:1] == ["rest"] else None
        try:
            return self._answer(api, route, request)
        except Refusal as refusal:
            return Answer(self._refused(refusal), "refused")

    def _answer(self, api: str, route: Route | None, request: httpx.Request) -> Answer:
        if route is None or route.method != request.method:
            raise Refusal("InvalidApiPath", "The specified API path is invalid")
        fields = fields_of(request)
        self._admit(api, fields, route)
        fault = self._next_fault(api)
        if fault and not fault["after"]:
            raise Refusal(fault["code"], fault["message"], *fault["detail"])
        answer = route.run(fields)
        if fault:
            return Answer(self._refused(Refusal(fault["code"], fault["message"])), route.effect)
        return Answer(self._respond({"code": "0", **answer}), route.effect)

    def throttled(self, seconds: int) -> httpx.Response:
        """A ban, not a 429: the gateway says so with HTTP 200."""
        words = f"Api access frequency exceeds the limit. this ban will last {seconds} seconds"
        return self._refused(Refusal("ApiCallLimit", words))

    def listings(self) -> list[Fields]:
        return [self._listing(item) for item in self._items()]

    def will_fail(
        self, api: str, code: str, message: str = "", *detail: Fields, times: int = 1, after: bool = False
    ) -> None:
        """The next calls of that API are answered so; `after` they have had their effect."""
        fault = {"code": code, "message": message, "detail": list(detail), "times": times, "after": after}
        self._state.put("lazada-fault", api, fault)

    def _listing(self, item: Fields) -> Fields:
        sku = item["sku"]
        shown = {"Active": "live", "Pending QC": "pending", "Suspended": "rejected"}.get(item["status"], "hidden")
        return {
            "key": sku["SellerSku"],
            "remote_id": f"{item['item_id']}_{sku['SkuId']}",
            "title": item["attributes"]["name"],
            "price": int(sku["price"]),
            "currency": "VND",
            "stock": int(sku["quantity"]),
            "status": shown if sku["Status"] == "active" else "hidden",
            "updated_at": self._at(item["updated"]).isoformat(),
            "payload": self._shown(item),
        }

    # The gateway

    def _respond(self, body: Fields) -> httpx.Response:
        body["request_id"] = f"{self._rng.getrandbits(64):016x}"
        return respond(200, body, {"Date": format_datetime(self._clock.now().astimezone(UTC), usegmt=True)})

    def _refused(self, refusal: Refusal) -> httpx.Response:
        body: Fields = {"code": refusal.code, "type": "ISP", "message": refusal.message}
        return self._respond(body | ({"detail": refusal.detail} if refusal.detail else {}))

    def _next_fault(self, api: str) -> Fields | None:
        fault: Fields | None = self._state.get("lazada-fault", api)
        if fault and fault["times"] > 1:
            self._state.put("lazada-fault", api, fault | {"times": fault["times"] - 1})
        elif fault:
            self._state.delete("lazada-fault", api)
        return fault

    def _admit(self, api: str, fields: Fields, route: Route) -> None:
        """Parameters, key, time, signature, token: in this order, which is assumed."""
        if lacking := [name for name in SYSTEM if not fields.get(name)]:
            raise Refusal("MissingParameter", f"The input parameter “{lacking[0]}” is missing")
        if fields["app_key"] != self.credentials["app_key"]:
            raise Refusal("InvalidAppKey", "The specified App Key is invalid")
        if fields["sign_method"] != "sha256" or not re.fullmatch(r"\d{13}", fields["timestamp"]):
            raise Refusal("IllegalTimestamp", "The specified timestamp is invalid")
        if abs(int(fields["timestamp"]) / 1000 - self._now()) > SKEW_SECONDS:
            raise Refusal("IllegalTimestamp", "The specified timestamp is out of range")
        text = api + "".join(f"{k}{fields[k]}" for k in sorted(fields) if k not in ("sign", ""))
        wanted = hmac.new(self.credentials["app_secret"].encode(), text.encode(), hashlib.sha256).hexdigest().upper()
        if not hmac.compare_digest(wanted.encode(), fields["sign"].encode()):
            raise Refusal("IncompleteSignature", "The request signature does not conform to platform standards")
        if not route.public and not self._is_valid(fields.get("access_token", "")):
            raise Refusal("IllegalAccessToken", "The specified access token is invalid or expired")

    def _is_valid(self, token: str) -> bool:
        """The sandbox's own token never ends, unless a test says so."""
        until = self._state.get("token", token)
        return token == self.credentials["access_token"] if until is None else self._now() < float(until)

    def expire(self) -> None:
        """The sandbox's own token is at its end."""
        self._state.put("token", self.credentials["access_token"], 1)

    def _refresh(self, fields: Fields) -> Fields:
        """Each refresh token works once: the documents leave it open, so this is the stricter reading."""
        latest = self._state.get("refresh", "latest") or self.credentials["refresh_token"]
        if fields.get("refresh_token") != latest:
            raise Refusal("IllegalRefreshToken", "The specified refresh token is invalid or expired")
        token, refresh = (f"5{self._rng.getrandbits(160):040x}" for _ in range(2))
        self._state.put("token", token, self._now() + self.token_seconds)
        self._state.put("refresh", "latest", refresh)
        return {
            "access_token": token,
            "refresh_token": refresh,
            "expires_in": self.token_seconds,
            "refresh_expires_in": str(self.refresh_seconds),
            "country": "vn",
            "account_platform": "seller_center",
            "country_user_info_list": [{"country": "vn", "seller_id": "200168201", "short_code": "VN3ABC"}],
        }

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _at(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    # What is looked up

    def _seller(self, fields: Fields) -> Fields:
        shop = {"seller_id": "200168201", "name": "Đặc sản Cà Mau (thử nghiệm)", "status": "ACTIVE", "verified": "true"}
        return {"data": shop}

    def _tree(self, fields: Fields) -> Fields:
        leaves = [{"category_id": n, "name": name, "leaf": True, "var": True} for n, name in LEAVES.items()]
        return {"data": [{"category_id": 6588, "name": "Bách hóa", "leaf": False, "var": False, "children": leaves}]}

    def _attributes(self, fields: Fields) -> Fields:
        leaf(fields.get("primary_category_id"))
        normal = [("name", 1), ("description", "0"), ("short_description", 0), ("brand", "1")]
        rows = [("SellerSku", 1), ("price", 1), ("quantity", "1"), *((name, 1) for name in PARCEL)]
        extra = [(name, 1) for name in self._state.get("mandatory", "names") or []]
        kinds = [*((*one, "normal") for one in normal + extra), *((*one, "sku") for one in rows)]
        return {
            "data": [
                {"name": name, "label": name, "is_mandatory": must, "attribute_type": kind, "is_sale_prop": 0}
                for name, must, kind in kinds
            ]
        }

    def demand(self, *names: str) -> None:
        """From now on every category makes these attributes mandatory."""
        self._state.put("mandatory", "names", names)

    # Pictures

    def _upload(self, fields: Fields) -> Fields:
        data = fields.get("")
        if not isinstance(data, bytes) or not data.startswith(MAGIC):
            raise Refusal("302", "E302: image is not valid")
        if len(data) > PICTURE_BYTES:
            raise Refusal("303", "E303: image is too large")
        return {"data": {"image": self._host(hashlib.md5(data, usedforsecurity=False).hexdigest())}}

    def _host(self, digest: str) -> Fields:
        url = f"{HOST}{digest}.jpg"
        self._state.put("picture", url, 1)
        return {"url": url, "hash_code": digest}

    def _migrate(self, fields: Fields) -> Fields:
        payload = fields.get("payload", "")
        if re.search(r"&(?!amp;|lt;|gt;)", payload):
            raise Refusal("5", "E005: Invalid Request Format")
        urls = re.findall(r"<Url>([^<]+)</Url>", payload)
        if not 1 <= len(urls) <= PICTURES:
            raise Refusal("301", "E301: too many urls")
        batch = f"2122{self._state.next_number('batch'):08}"
        self._state.put("batch", batch, {"urls": urls, "ready": self._now() + 0.5})
        return {"batch_id": batch}

    def _migrated(self, fields: Fields) -> Fields:
        batch = self._state.get("batch", fields.get("batch_id", ""))
        if batch is None:
            raise Refusal("301", "E301: no such batch")
        if self._now() < batch["ready"]:
            return {"data": {"images": [], "errors": []}}
        bad = [u for u in batch["urls"] if not u.startswith("https://")]
        good = [
            self._host(hashlib.md5(u.encode(), usedforsecurity=False).hexdigest())
            for u in batch["urls"]
            if u not in bad
        ]
        return {
            "data": {
                "images": good,
                "errors": [{"field": "Url", "msg": "fetch failed", "original_url": u} for u in bad],
            }
        }

    # Products

    def _create(self, fields: Fields) -> Fields:
        product = product_of(fields, "payload")
        leaf(product.get("PrimaryCategory"))
        row = one_row(product)
        attributes = checked_attributes(product)
        for name in ("name", "brand", *(self._state.get("mandatory", "names") or [])):
            if not attributes.get(name):
                raise lacks(name)
        for name in ("SellerSku", "quantity", "price", *PARCEL):
            if not row.get(name):
                raise lacks(name)
        checked_row(row)
        if re.search(r'["*^~<>/\\|]', row["SellerSku"]):
            raise Refusal("4150", "SellerSku holds forbidden characters")
        if any(i["sku"]["SellerSku"] == row["SellerSku"] and i["status"] != "Deleted" for i in self._items()):
            words = f"outerId already exists, outer ID:{row['SellerSku']}"
            raise Refusal("4135", f"THD_IC_ERR_F_IC_INFRA_PRODUCT_036:{words}")
        images = self._pictures(product, required=True)
        number = self._state.next_number("item")
        item: Fields = {
            "item_id": 3069252000 + number,
            "category": int(product["PrimaryCategory"]),
            "attributes": attributes,
            "images": images,
            "sku": {**row, "SkuId": 15298395000 + number, "Status": "active"},
            "created": self._now(),
        }
        self._submit(item)
        sku = item["sku"]
        made = {"seller_sku": sku["SellerSku"], "sku_id": sku["SkuId"], "shop_sku": f"{item['item_id']}_VNAMZ-x"}
        return {"data": {"item_id": item["item_id"], "item_status": item["status"], "sku_list": [made]}}

    def _update(self, fields: Fields) -> Fields:
        product = product_of(fields, "payload")
        row = one_row(product)
        if not isinstance(product.get("Attributes"), dict):
            raise Refusal("1001", "Attributes is required")
        if "SkuId" not in row:
            raise Refusal("4216", "SkuId is mandatory")
        item = self._found(product.get("ItemId"), row["SkuId"])
        for name in PARCEL:
            if not row.get(name):
                raise lacks(name)
        checked_row(row)
        if "PrimaryCategory" in product:
            item["category"] = int(leaf(product["PrimaryCategory"]))
        item["attributes"] |= checked_attributes(product)
        item["images"] = self._pictures(product, required=False) or item["images"]
        # Whether an omitted status brings an item back is not documented: here it does.
        item["sku"] |= {k: v for k, v in row.items() if k not in ("SellerSku", "SkuId")}
        item["sku"] |= {"Status": row.get("Status", "active"), "SkuId": item["sku"]["SkuId"]}
        changed = bool(product["Attributes"]) or "Images" in product
        self._submit(item) if changed else self._store(
            item | {"status": "Active"} if item["status"] == "InActive" else item
        )
        return {"data": {"item_status": item["status"]}}

    def _offer(self, fields: Fields) -> Fields:
        """Rows that are refused do not keep the others from being applied."""
        rows = rows_of(product_of(fields, "payload"))
        if len(rows) > ROWS:
            raise Refusal("4171", "more than 50 SKUs")
        refused = [detail for row in rows if (detail := self._offered(row))]
        if refused:
            raise Refusal("501", "E501: Update product failed", *refused)
        return {"data": {}}

    def _offered(self, row: Fields) -> Fields | None:
        if "SkuId" not in row or "ItemId" not in row:
            raise Refusal("4193", "SellerSku is no longer a key")
        item = self._found(row["ItemId"], row["SkuId"])
        sku = item["sku"]
        if "Quantity" in row and number(row["Quantity"], "4152") < self.held:
            return {"seller_sku": sku["SellerSku"], "message": "negative sellable on channel inventory"}
        if "Price" in row and not whole_price(row["Price"]):
            return {"seller_sku": sku["SellerSku"], "message": "price is not valid"}
        sku |= {ours: row[theirs] for theirs, ours in (("Price", "price"), ("Quantity", "quantity")) if theirs in row}
        self._store(item)
        return None

    def _deactivate(self, fields: Fields) -> Fields:
        product = product_of(fields, "apiRequestBody")
        if "ItemId" not in product:
            raise Refusal("E0001", "ItemId is missing")
        skus = product.get("Skus", {}).get("SkuId")
        item = self._state.get("item", str(product["ItemId"]))
        if item is None:
            raise Refusal("E0002", "item not found")
        item = self._checked(item)
        if skus is not None and item["sku"]["SkuId"] not in skus:
            raise Refusal("E0003", "SKU not found")
        if item["status"] != "Active" or item["sku"]["Status"] != "active":
            raise Refusal("E0004", "the product is not online")
        item["sku"]["Status"] = "inactive"
        self._store(item | {"status": "InActive"})
        return {"data": {}}

    def _remove(self, fields: Fields) -> Fields:
        names = msgspec.json.decode(fields.get("sku_id_list", "[]"))
        if not 1 <= len(names) <= ROWS:
            raise Refusal("204", "too many SKUs")
        for name in names:
            kind, item_id, sku_id = name.split("_")
            if kind != "SkuId":
                raise Refusal("503", "E503: Remove product failed", {"field": "sku_id_list", "message": name})
            self._store(self._found(item_id, sku_id) | {"status": "Deleted"})
        return {"data": {}}

    def _products(self, fields: Fields) -> Fields:
        limit, offset = whole(fields, "limit", 20), whole(fields, "offset", 0)
        if fields.get("filter") not in FILTERS:
            raise Refusal("36", "E036: Invalid status filter")
        if not 1 <= limit <= PAGE:
            raise Refusal("19", "E019: Invalid Limit")
        if not 0 <= offset <= OFFSET_MOST:
            raise Refusal("14", "E014: Invalid Offset")
        items = [
            i for i in self._items() if self._now() >= i["created"] + self.lag_seconds and i["status"] != "Deleted"
        ]
        if "sku_seller_list" in fields:
            keys = msgspec.json.decode(fields["sku_seller_list"])
            if len(keys) > KEYS:
                raise Refusal("70", "E070: too many SKUs")
            items = [i for i in items if i["sku"]["SellerSku"] in keys]
        if not items:
            return {"data": {}}
        shown = [self._shown(item) for item in items[offset : offset + limit]]
        return {"data": {"total_products": str(len(items)), "products": shown}}

    def _pictures(self, product: Fields, *, required: bool) -> list[str]:
        if "Images" not in product and not required:
            return []
        urls = product.get("Images", {}).get("Image")
        if not isinstance(urls, list):
            raise Refusal("1001", "Images.Image must be an array")
        if not urls:
            raise Refusal("4139", "no image")
        if len(urls) > PICTURES:
            raise Refusal("4169", "more than 8 images")
        if len(set(urls)) < len(urls):
            raise Refusal("4116", "duplicate images")
        if any(self._state.get("picture", url) is None for url in urls):
            raise Refusal("4138", "image is not hosted by Lazada")
        return urls

    def _found(self, item_id: Any, sku_id: Any) -> Fields:
        item = self._state.get("item", str(item_id))
        if item is None or item["status"] == "Deleted" or str(item["sku"]["SkuId"]) != str(sku_id):
            raise Refusal("4137", "item not found in this shop")
        return self._checked(item)

    def _items(self) -> Iterator[Fields]:
        return (self._checked(item) for _, item in self._state.items("item"))

    def _submit(self, item: Fields) -> None:
        """To the quality check; that an edited text goes through it again is assumed."""
        item |= {"status": "Pending QC", "sub": "", "reason": [], "checked": self._now() + self.check_seconds}
        self._store(item)

    def _checked(self, item: Fields) -> Fields:
        """A check that is over has happened, whether or not anyone looked."""
        if item["status"] != "Pending QC" or self._now() < item["checked"]:
            return item
        text = "\n".join(str(value) for value in item["attributes"].values())
        claim = CLAIM.search(text)
        if claim:
            why = {"suggestion": f"Không được quảng cáo công dụng “{claim[0]}”", "violationDetail": "QC"}
            return item | {"status": "Suspended", "sub": "Reject", "reason": [why]}
        return item | {"status": "Active"}

    def _store(self, item: Fields) -> None:
        item["updated"] = self._now()
        self._state.put("item", str(item["item_id"]), item)

    def _shown(self, item: Fields) -> Fields:
        """As documented, odd spellings included: images as a text, ids as text here and numbers there."""
        sku = item["sku"]
        return {
            "item_id": str(item["item_id"]),
            "primary_category": str(item["category"]),
            "status": item["status"],
            "subStatus": item.get("sub", ""),
            "created_time": str(int(item["created"] * 1000)),
            "updated_time": str(int(item["updated"] * 1000)),
            "images": msgspec.json.encode(item["images"]).decode(),
            "marketImages": [],
            "attributes": item["attributes"],
            "suspendedSkus": [],
            "rejectReason": item.get("reason", []),
            "skus": [
                {
                    "SellerSku": sku["SellerSku"],
                    "SkuId": sku["SkuId"],
                    "ShopSku": f"{item['item_id']}_VNAMZ-{sku['SkuId']}",
                    "Status": sku["Status"],
                    "quantity": int(sku["quantity"]),
                    "Available": int(sku["quantity"]) - self.held,
                    "price": float(sku["price"]),
                    "special_price": float(sku.get("special_price", 0)),
                    **{name: f"{Decimal(sku[name]):.2f}" for name in PARCEL},
                    "Images": ["", ""],
                }
            ],
        }


def fields_of(request: httpx.Request) -> Fields:
    """All parameters; a picture's bytes under the empty name, as they are not signed."""
    fields = parameters_of(request, file="image")
    if fields is None:
        raise Refusal("MissingParameter", "parameters belong in the form")
    return fields


def product_of(fields: Fields, name: str) -> Fields:
    try:
        product = msgspec.json.decode(fields.get(name, ""))["Request"]["Product"]
    except (ValueError, KeyError, TypeError):
        raise Refusal("5", "E005: Invalid Request Format") from None
    if not isinstance(product, dict):
        raise Refusal("1", "E001: Parameter Product is mandatory")
    return product


def rows_of(product: Fields) -> list[Fields]:
    rows = product.get("Skus", {}).get("Sku")
    if not isinstance(rows, list) or not rows:
        raise Refusal("4132", "Skus.Sku must be an array")
    if any(not isinstance(value, str) for row in rows for value in row.values()):
        raise Refusal("1001", "values of a SKU must be text")
    return rows


def one_row(product: Fields) -> Fields:
    (row,) = rows_of(product)
    if unknown := set(row) - ROW:
        raise Refusal("4106", f"attribute {unknown.pop()} does not exist")
    return row


def leaf(number: Any) -> str:
    if not str(number).isdecimal() or int(number) not in LEAVES:
        raise Refusal("4134" if str(number) == "6588" else "201", "E201: Invalid category")
    return str(number)


def checked_attributes(product: Fields) -> Fields:
    given: Fields = product.get("Attributes", {})
    if len(str(given.get("name", "")).encode()) > 255:
        raise Refusal("4160", "title is longer than 255 bytes")
    if re.search(r'["^~<>|]', str(given.get("name", ""))):
        raise Refusal("4129", "forbidden characters")
    if len(str(given.get("description", ""))) > 25_000:
        raise Refusal("4120", "description is too long")
    if re.search(r"</?(?!ul|li|ol)\w+", str(given.get("short_description", ""))):
        raise Refusal("4129", "only ul, ol and li")
    if given.get("brand", "No Brand") not in {name for _, name in BRANDS}:
        raise Refusal("4142", "invalid brand")
    return given


def checked_row(row: Fields) -> None:
    if "price" in row and not whole_price(row["price"]):
        raise Refusal("4118", "price must be above 0")
    if "quantity" in row:
        number(row["quantity"], "4152")
    sizes = [Decimal(row[name]) for name in PARCEL]
    if any(size <= 0 or size != round(size, 2) for size in sizes):
        raise Refusal("4149", "at most two decimals")
    if sizes[3] > 40:
        raise Refusal("4164", "heavier than 40 kg")
    if sum(sizes[:3]) > 300:
        raise Refusal("4165", "larger than 300 cm")


def lacks(name: str) -> Refusal:
    detail = {"field": name, "message": f"{name} is mandatory", "code": "CHK_BASIC_REQUIRED"}
    return Refusal("4108", "E500: Create product failed", detail)


def number(text: str, code: str) -> int:
    if not text.isdecimal():
        raise Refusal(code, "negative quantity")
    return int(text)


def whole(fields: Fields, name: str, default: int) -> int:
    text = str(fields.get(name, default))
    return int(text) if text.isdecimal() else -1


def whole_price(text: str) -> bool:
    try:
        return Decimal(text) > 0 and Decimal(text) == int(Decimal(text))
    except InvalidOperation:
        return False

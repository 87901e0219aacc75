"""Alibaba.com's side, from its documents: signed forms, three levels of success, checks after the answer, a review."""

from __future__ import annotations

import hashlib
import hmac
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from itertools import pairwise
from typing import Any, ClassVar

import httpx
import msgspec

from connectors.simulator import Answer, Effect, State, parameters_of, respond
from models.clock import Clock

SKEW_SECONDS, CODE_SECONDS = 7200, 1800
SYSTEM = ("app_key", "timestamp", "sign_method", "sign")
HOST = "//sc04.alicdn.com/kf/"
TITLE_BYTES, KEYWORD_BYTES, VALUE_CHARS, PICTURES, PICTURE_BYTES = 128, 384, 70, 6, 5_000_000
PAGE, BATCH, TIERS, MOQ_MOST = 20, 20, 4, 99_999
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
CLAIM = re.compile(r"\b(?:cures?|heals?|treats?) (?:cancer|diabetes|disease)", re.IGNORECASE)
UNITS = {
    "Piece", "Bag", "Pair", "Set", "Box", "Carton", "Kilogram", "Gram", "Ton", "Liter", "Pack", "Dozen",
}  # fmt: skip
# A small tree in the documented shape; numbers and names are assumed.
TREE = {
    2: {
        100009001: "Other Food & Beverage", 100009003: "Honey", 100009004: "Sauce",
        100009005: "Seasonings & Condiments", 100009006: "Herbal Tea", 100009007: "Coffee",
        100009008: "Soft Drinks", 100009031: "Dried Seafood",
    },
    17: {100009009: "Folk Crafts"},
}  # fmt: skip
ROOTS = {2: "Food & Beverage", 17: "Gifts & Crafts"}
LEAVES = {number for leaves in TREE.values() for number in leaves}
TEMPLATE = "123456"
BIZ = "PUB_BIZCHECK_"

Fields = dict[str, Any]


class Refusal(Exception):
    """A gateway's error, with HTTP 200 all the same."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.body: Fields = {"type": "ISV", "code": code, "message": message}


class Business(Exception):
    """An error inside an answer that the gateway was content with."""

    def __init__(self, code: str, message: str = "", *, top: bool = False) -> None:
        super().__init__(code)
        error = {"success": False, "msg_code": code, "message": message or code}
        self.body: Fields = {"code": "0", **(error if top else {"result": error})}


@dataclass(frozen=True, slots=True)
class Route:
    run: Callable[[Fields], Fields]
    effect: Effect
    public: bool = False  # works without a token


class Simulator:
    name = "alibaba"
    quota = (600, 60.0)
    pace = (0.3, 0.5)
    credentials: ClassVar[Mapping[str, str]] = {
        "app_key": "500001",
        "app_secret": "sandbox-alibaba-secret",
        "access_token": "sandbox-alibaba-access",
        "refresh_token": "sandbox-alibaba-refresh",
        "account_id": "200042360",
        "shipping_template_id": TEMPLATE,
    }
    check_seconds = 0.3  # from an answer to the verdict; really 20 to 60 seconds, and a review after them
    lag_seconds = 0.3  # until a search sees a new listing: assumed
    token_seconds, refresh_seconds = 2_592_000, 5_184_000  # of a renewed pair: the documents' sample
    offers_reviewed = False  # whether prices and stocks begin a review too: not documented

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock, self._rng = state, clock, rng
        self._routes = {
            "/auth/token/create": Route(self._authorise, "write", public=True),
            "/auth/token/refresh": Route(self._refresh, "write", public=True),
            "/alibaba/icbu/category/get/v2": Route(self._tree, "read"),
            "/alibaba/icbu/category/attribute/get/v2": Route(self._schema, "read"),
            "/alibaba/icbu/photobank/upload": Route(self._upload, "write"),
            "/alibaba/icbu/product/list/shipping/templates": Route(self._templates, "read"),
            "/alibaba/icbu/product/listing/v2": Route(self._create, "write"),
            "/alibaba/icbu/product/update/v2": Route(self._update, "write"),
            "/alibaba/icbu/product/status/get/v2": Route(self._outcome, "read"),
            "/alibaba/icbu/product/get/v2": Route(self._get, "read"),
            "/alibaba/icbu/product/search/v2": Route(self._search, "read"),
            "/alibaba/icbu/product/batch/update/status": Route(self._switch, "write"),
            "/icbu/product/edit-price": Route(self._edit_price, "write"),
            "/icbu/product/edit-inventory": Route(self._edit_stock, "write"),
        }

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        try:
            fields = fields_of(request)
            plain = path == ["sync"]
            api = f"/{fields.get('method', '').replace('.', '/')}" if plain else f"/{'/'.join(path[1:])}"
            known = plain or path[:1] == ["rest"]
            return self._answer(api, self._routes.get(api) if known else None, fields, plain=plain)
        except Refusal as refusal:
            body = refusal.body
            if path == ["sync"]:
                body = {"error_response": {**body, "msg": body["message"]}}
            return Answer(self._respond(body), "refused")
        except Business as business:
            return Answer(self._respond(business.body), "refused")

    def _answer(self, api: str, route: Route | None, fields: Fields, *, plain: bool) -> Answer:
        if route is None:
            raise Refusal("InvalidApiPath", "The specified API path is invalid")
        self._admit("" if plain else api, fields, route)
        fault = self._next_fault(api)
        if fault and not fault["after"]:
            return Answer(self._respond(fault["body"]), "refused")
        answer = {"code": "0", **route.run(fields)}
        return Answer(self._respond(fault["body"] if fault else answer), route.effect)

    def throttled(self, seconds: int) -> httpx.Response:
        """A ban, not a 429: the gateway says so with HTTP 200."""
        words = f"Api access frequency exceeds the limit. this ban will last {seconds} seconds"
        return self._respond(Refusal("ApiCallLimit", words).body)

    def listings(self) -> list[Fields]:
        return [self._listing(item) for item in self._items()]

    def will_fail(self, api: str, body: Fields, *, times: int = 1, after: bool = False) -> None:
        """The next calls of that API are answered so; `after` they have had their effect."""
        self._state.put("alibaba-fault", api, {"body": body, "times": times, "after": after})

    def expire(self) -> None:
        """The sandbox's own token is at its end."""
        self._state.put("token", self.credentials["access_token"], 1)

    def demand(self, **rule: Any) -> None:
        """From now on every category has this attribute too."""
        self._state.put("schema", "more", rule)

    def _listing(self, item: Fields) -> Fields:
        basic, trade = item["basic_info"], item["trade_info"]
        tiers = trade["price"].get("tiered_price") or [{"price": 0}]
        return {
            "key": basic["model_number"],
            "remote_id": str(item["id"]),
            "title": basic["title"],
            "price": float(tiers[0]["price"]),
            "currency": trade["price"].get("currency", "USD"),
            "stock": trade["inventory"],
            "status": shown(item),
            "updated_at": datetime.fromtimestamp(item["updated"], UTC).isoformat(),
            "payload": self._shown(item),
        }

    # The gateway

    def _respond(self, body: Fields) -> httpx.Response:
        now = self._clock.now().astimezone(UTC)
        answer = {**body, "request_id": f"{self._rng.getrandbits(64):016x}"}
        return respond(200, answer, {"Date": format_datetime(now, usegmt=True)})

    def _next_fault(self, api: str) -> Fields | None:
        fault: Fields | None = self._state.get("alibaba-fault", api)
        if fault and fault["times"] > 1:
            self._state.put("alibaba-fault", api, fault | {"times": fault["times"] - 1})
        elif fault:
            self._state.delete("alibaba-fault", api)
        return fault

    def _admit(self, prefix: str, fields: Fields, route: Route) -> None:
        """Parameters, key, time, signature, token: in this order, which is assumed."""
        if lacking := [name for name in SYSTEM if not fields.get(name)]:
            raise Refusal("MissingParameter", f"The input parameter “{lacking[0]}” is missing")
        if fields["app_key"] != self.credentials["app_key"]:
            raise Refusal("InvalidAppKey", "The specified App Key is invalid")
        if not re.fullmatch(r"[0-9]{13}", fields["timestamp"]):
            raise Refusal("IllegalTimestamp", "The specified timestamp is invalid")
        if abs(int(fields["timestamp"]) / 1000 - self._now()) > SKEW_SECONDS:
            raise Refusal("IllegalTimestamp", "The specified timestamp is out of range")
        text = prefix + "".join(f"{k}{fields[k]}" for k in sorted(fields) if k not in ("sign", ""))
        wanted = hmac.new(self.credentials["app_secret"].encode(), text.encode(), hashlib.sha256).hexdigest().upper()
        right = hmac.compare_digest(wanted.encode(), fields["sign"].encode())
        if fields["sign_method"] != "sha256" or not right:
            raise Refusal("IncompleteSignature", "The request signature does not conform to platform standards")
        if not route.public and not self._is_valid(fields.get("access_token") or fields.get("session", "")):
            raise Refusal("IllegalAccessToken", "The specified access token is invalid or expired")

    def _is_valid(self, token: str) -> bool:
        """The sandbox's own token never ends, unless a test says so."""
        until = self._state.get("token", token)
        return token == self.credentials["access_token"] if until is None else self._now() < float(until)

    def authorise(self) -> str:
        """The shop's owner agrees: a code that works once, for half an hour."""
        code = f"3_{self.credentials['app_key']}_{self._rng.getrandbits(80):020x}"
        self._state.put("code", code, self._now() + CODE_SECONDS)
        return code

    def _authorise(self, fields: Fields) -> Fields:
        code = fields.get("code", "")
        until = self._state.get("code", code)
        self._state.delete("code", code)
        if until is None or self._now() >= until:
            raise Refusal("InvalidCode", "The specified code is invalid or expired")
        return self._pair()

    def _refresh(self, fields: Fields) -> Fields:
        """Each refresh token works once: the documents leave it open, so this is the stricter reading."""
        latest = self._state.get("refresh", "latest") or self.credentials["refresh_token"]
        if fields.get("refresh_token") != latest:
            raise Refusal("IllegalRefreshToken", "The specified refresh token is invalid or expired")
        return self._pair()

    def _pair(self) -> Fields:
        token, refresh = (f"5{self._rng.getrandbits(160):040x}" for _ in range(2))
        self._state.put("token", token, self._now() + self.token_seconds)
        self._state.put("refresh", "latest", refresh)
        return {
            "access_token": token,
            "refresh_token": refresh,
            "expires_in": self.token_seconds,
            "refresh_expires_in": self.refresh_seconds,
            "account": "seller@example.vn",
            "account_id": self.credentials["account_id"],
            "account_platform": "seller_center",
            "country": "VN",
        }

    def _now(self) -> float:
        return self._clock.now().timestamp()

    # What is looked up

    def _tree(self, fields: Fields) -> Fields:
        parent = int(fields.get("parent_category_id") or 0)
        children = TREE.get(parent) if parent else ROOTS
        if children is None:
            raise Business("BUSINESS_CATEGORY_NOT_EXIST", "no children", top=True)
        kind = {"leaf_category": "true" if parent else "false", "level": 2 if parent else 1}
        return {"data": [{"category_id": n, "category_name": name, **kind} for n, name in children.items()]}

    def _schema(self, fields: Fields) -> Fields:
        if int(fields.get("category_id") or 0) not in LEAVES:
            raise Business("BUSINESS_CATEGORY_NOT_EXIST", "no such category", top=True)
        place = {"attribute_id": 1, "attribute_name": "Place of Origin", "required": "true"}
        values = [
            {"attribute_value_id": n, "attribute_value_name": name} for n, name in enumerate(("Viet Nam", "China"))
        ]
        brand = {"attribute_id": 2, "attribute_name": "Brand Name", "required": False, "support_custom_value": "true"}
        more = self._state.get("schema", "more")
        found = [place | {"support_custom_value": "false", "attribute_value_list": values}, brand]
        return {"data": {"category_attributes": [*found, *([more] if more else [])], "sale_attributes": []}}

    def _templates(self, fields: Fields) -> Fields:
        return {"result": {"success": True, "template_info_list": [{"template_id": TEMPLATE, "template_name": "Sea"}]}}

    def _upload(self, fields: Fields) -> Fields:
        data = fields.get("")
        if not isinstance(data, bytes) or not data.startswith(MAGIC) or not fields.get("file_name"):
            raise Business("B_CONTAINS_INVALID_IMAGE", "not an image")
        if len(data) > PICTURE_BYTES:
            raise Business("SIZE_TOO_LARGE", "more than 5 MB")
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        url = f"{HOST}H{digest}.jpg"
        self._state.put("picture", f"https:{url}", 1)
        inner = {
            "file_id": str(self._state.next_number("file")),
            "photobank_url": url,
            "file_name": fields["file_name"],
        }
        return {"result": {"success": True, "response_object": inner}}

    # Products

    def _create(self, fields: Fields) -> Fields:
        product = product_of(fields)
        basic = product["basic_info"]
        self._check(product)
        number = 1601314875037 + self._state.next_number("product")
        basic.setdefault("model_number", "")
        item = {**product, "id": number, "status": "offline", "wanted": "online", "created": self._now()}
        self._submit(item)
        return {"result": {"success": True, "data": number, "trace_id": f"{self._rng.getrandbits(64):016x}"}}

    def _update(self, fields: Fields) -> Fields:
        """Replaces the listing: the stricter of two readings, as whoever leaves something out would lose it."""
        product = product_of(fields)
        item = self._found(product["basic_info"].get("product_id"))
        if item["audit"] == "pending":
            raise Business(f"isp.system-service-error:{BIZ}PRODUCT_IN_AUDITING;")
        self._check(product)
        wanted = "online" if item["status"] == "online" or item["audit"] == "rejected" else "offline"
        self._submit({**item, **product, "wanted": wanted})
        return {"result": {"success": True, "data": item["id"]}}

    def _check(self, product: Fields) -> None:
        basic = product["basic_info"]
        category = product.get("category_info", {})
        trade = product.get("trade_info", {})
        check_texts(basic)
        if category.get("category_id") not in LEAVES:
            raise Business("CHK_CAT_NOT_LEAF")
        rows = product.get("attributes") or category.get("attributes") or []
        if any(not isinstance(r.get("attribute_value"), str) or len(r["attribute_value"]) > VALUE_CHARS for r in rows):
            raise Business("B_ATTRIBUTE_INVALID")
        named = {row["attribute_name"] for row in rows}
        more = self._state.get("schema", "more") or {}
        if "Place of Origin" not in named or (
            str(more.get("required")).lower() == "true" and more["attribute_name"] not in named
        ):
            raise Business("CHK_BASIC_REQUIRED")
        self._check_pictures(basic)
        check_trade(trade)
        check_parcel(product.get("logistics_info", {}))

    def _check_pictures(self, basic: Fields) -> None:
        pictures = basic.get("product_image")
        if not isinstance(pictures, list) or not 1 <= len(pictures) <= PICTURES:
            raise Business("CHK_IMAGE_FILE_COUNT_EXCEED")
        if any(self._state.get("picture", one.get("image_url", "")) is None for one in pictures):
            raise Business("B_IMAGE_UPLOAD_FAILED", "only pictures of the photo bank are taken here")

    def _submit(self, item: Fields) -> None:
        item |= {"audit": "pending", "desc": "", "checked": self._now() + self.check_seconds}
        self._store(item)

    def _checked(self, item: Fields) -> Fields:
        """A check that is over has happened, whether or not anyone looked."""
        if item["audit"] != "pending" or self._now() < item["checked"]:
            return item
        basic = item["basic_info"]
        if CLAIM.search(f"{basic['title']}\n{basic['description']}"):
            return item | {"audit": "rejected", "status": "offline", "desc": f"{BIZ}SUSPICIOUS;"}
        return item | {"audit": "approved", "status": item["wanted"]}

    def _outcome(self, fields: Fields) -> Fields:
        item = self._state.get("product", fields.get("product_id", ""))
        if item is None or item.get("by_hand"):
            error = Refusal("", "Product not found.")
            error.body = {"type": "ISP", "message": "Product not found."}
            raise error
        item = self._checked(item)
        said = {"pending": "pending", "rejected": "failed"}.get(item["audit"], "online")
        return {"result": {"success": True, "data": {"status": said, "status_desc": item["desc"]}}}

    def _get(self, fields: Fields) -> Fields:
        return {"product_info": self._shown(self._found(fields.get("product_id")))}

    def _search(self, fields: Fields) -> Fields:
        number, size = whole(fields, "page_index", 1), whole(fields, "page_size", PAGE)
        if number < 1 or not 1 <= size <= PAGE:
            raise Business("B_PRODUCT_PARAM_INVALID", "page", top=True)
        items = [i for i in self._items() if self._now() >= i["created"] + self.lag_seconds]
        if "model_number" in fields:
            items = [i for i in items if i["basic_info"]["model_number"] == fields["model_number"]]
        if not items:
            raise Business("B_PRODUCT_NOT_FOUND", "no product", top=True)
        pages = -(-len(items) // size)
        part = items[(number - 1) * size : number * size]
        page = {"page_index": number, "page_size": size, "total_item": len(items), "total_page": pages}
        return {"product_info": [self._shown(item) for item in part], "page": page}

    def _switch(self, fields: Fields) -> Fields:
        ids, action = decoded(fields, "product_id_list"), fields.get("action")
        if not isinstance(ids, list) or not 1 <= len(ids) <= BATCH or action not in ("online", "offline"):
            raise Business("B_PRODUCT_PARAM_INVALID", top=True)
        errors, done = [], []
        for number in ids:
            code = self._switched(number, action)
            if code:
                nested = [{"msg_code": code, "message": code.replace("_", " ").lower()}]
                errors.append({"product_id": number, "errors": nested})
            else:
                done.append(number)
        return {"success": not errors, "updated_product_ids": done, "errors": errors}

    def _switched(self, number: Any, action: str) -> str:
        """The code of what keeps a listing from that shelf, or nothing."""
        item = self._state.get("product", str(number))
        if item is None:
            return "B_PRODUCT_NOT_FOUND"
        item = self._checked(item)
        if item["audit"] == "pending":
            return f"{BIZ}PRODUCT_IN_AUDITING"
        if item["status"] == action or item["audit"] == "rejected":
            return f"{BIZ}PRODUCT_STATUS_INVALID"
        self._store(item | {"status": action})
        return ""

    def _edit_price(self, fields: Fields) -> Fields:
        item = self._editable(fields, "price", "PRICE")
        if "price" in fields:
            price = decoded(fields, "price")
            check_price(price, item["trade_info"]["moq"])
            item["trade_info"]["price"] = price
        for row in decoded(fields, "sku_price") if "sku_price" in fields else []:
            variant(item, row)["sku_price"] = {"price": row["price"], "currency": "USD"}
        self._offered(item)
        return {"result": {"success": True, "data": None}}

    def _edit_stock(self, fields: Fields) -> Fields:
        item = self._editable(fields, "inventory", "INVENTORY")
        if "inventory" in fields:
            count = pieces(fields["inventory"])
            item["trade_info"]["inventory"] = count  # and of every variant: so a careless client overwrites them all
            item["trade_info"]["sku_info"] = [sku | {"inventory": count} for sku in skus_of(item)]
        for row in decoded(fields, "sku_inventory") if "sku_inventory" in fields else []:
            variant(item, row)["inventory"] = pieces(row["inventory"])
        self._offered(item)
        return {"result": {"success": True, "data": None}}

    def _editable(self, fields: Fields, name: str, word: str) -> Fields:
        if name in fields and f"sku_{name}" in fields:
            raise Business(f"B_{word}_CONFLICT")
        if name not in fields and f"sku_{name}" not in fields:
            raise Business(f"B_{word}_ALL_NULL")
        item = self._found(fields.get("product_id"))
        if item["audit"] == "pending":
            raise Business(f"{BIZ}PRODUCT_IN_AUDITING")
        return item

    def _offered(self, item: Fields) -> None:
        if self.offers_reviewed:
            self._submit(item | {"wanted": item["status"]})
        else:
            self._store(item)

    def _found(self, number: Any) -> Fields:
        item = self._state.get("product", str(number))
        if item is None:
            raise Business("B_PRODUCT_NOT_FOUND", "no product", top=True)
        if item.get("owner", self.credentials["account_id"]) != self.credentials["account_id"]:
            raise Business(f"{BIZ}NOT_PRODUCT_OWNER")
        return self._checked(item)

    def _items(self) -> Iterator[Fields]:
        return (self._checked(item) for _, item in self._state.items("product"))

    def _store(self, item: Fields) -> None:
        item["updated"] = self._now()
        self._state.put("product", str(item["id"]), item)

    def _shown(self, item: Fields) -> Fields:
        """As documented, where the pictures' name differs from the one that is written."""
        given = item["basic_info"]
        basic = {name: given.get(name, "") for name in ("title", "keywords", "description", "language", "model_number")}
        category, trade = item["category_info"], item["trade_info"]
        times = {
            "create_timestamp": int(item["created"] * 1000),
            "last_modified_timestamp": int(item["updated"] * 1000),
        }
        basic |= {
            **times,
            "product_id": item["id"],
            "product_images": [one["image_url"] for one in given["product_image"]],
            "owner_ali_id": item.get("owner", self.credentials["account_id"]),
            "status": item["status"],
            "audit_status": item["audit"],
        }
        return {
            "basic_info": basic,
            "category_info": {"category_id": category["category_id"], "category_name": "as in the tree"},
            "attributes": item.get("attributes") or category.get("attributes", []),
            "trade_info": {"sku_info": [], **trade},
            "logistics_info": item["logistics_info"],
        }


def shown(item: Fields) -> str:
    if item["audit"] == "approved":
        return "live" if item["status"] == "online" else "hidden"
    return str(item["audit"])


def skus_of(item: Fields) -> list[Fields]:
    found: list[Fields] = item["trade_info"].get("sku_info") or []
    return found


def variant(item: Fields, row: Fields) -> Fields:
    found = next((sku for sku in skus_of(item) if sku.get("sku_id") == row.get("sku_id")), None)
    if found is None:
        raise Business(f"{BIZ}PRODUCT_SKU_INVALID")
    return found


def check_texts(basic: Fields) -> None:
    title, keywords = basic.get("title") or "", basic.get("keywords") or ""
    if not title:
        raise Business("B_TITLE_NOT_FOUND")
    if len(title.encode()) > TITLE_BYTES or not title.isascii():
        raise Business("CHK_MAX_LENGTH", "title")
    if not keywords or len(keywords.encode()) > KEYWORD_BYTES:
        raise Business("B_KEYWORD_NOT_FOUND")
    if not basic.get("description"):
        raise Business(f"{BIZ}DESCRIPTION_IS_REQUIRED")
    if basic.get("language") != "en_US":
        raise Business("B_PRODUCT_INFO_TRANSLATION_FAILED", "other languages are translated, and that is throttled")


def check_trade(trade: Fields) -> None:
    moq = trade.get("moq")
    if not isinstance(moq, int) or not 1 <= moq <= MOQ_MOST or trade.get("unit") not in UNITS:
        raise Business("B_PRODUCT_PARAM_INVALID", "moq or unit")
    for sku in trade.get("sku_info") or []:
        if not isinstance(sku.get("sku_price"), dict):
            raise Refusal("InvalidParameter", "sku_price null#null")
    if "inventory" not in trade and not trade.get("sku_info"):
        raise Business(f"{BIZ}INVENTORY_REQUIRED")
    pieces(trade.get("inventory", 0))
    check_price(trade.get("price"), moq)


def check_price(price: Any, moq: int) -> None:
    if not isinstance(price, dict) or not (price.get("tiered_price") or price.get("range_price")):
        raise Business("B_PRICE_ALL_NULL")
    if price.get("price_type") not in ("TIERED", "RANGE") or price.get("currency") != "USD":
        raise Business(f"{BIZ}PRICE_TYPE_REQUIRED")
    if price["price_type"] == "RANGE":
        span = price["range_price"]
        if Decimal(str(span["min_price"])) >= Decimal(str(span["max_price"])):
            raise Business("B_MIN_PRICE_RANGE_INVALID")
        return
    check_tiers([(tier["quantity"], Decimal(str(tier["price"]))) for tier in price["tiered_price"]], moq)


def check_tiers(tiers: list[tuple[int, Decimal]], moq: int) -> None:
    """Quantities rise, prices fall; that the first is the minimum order is assumed."""
    if any(each != round(each, 2) or not Decimal("0.01") <= each <= 9_999_999 for _, each in tiers):
        raise Business("B_PRICE_SCALE_INVALID")
    steps = list(pairwise(tiers))
    if len(tiers) > TIERS or any(a[0] >= b[0] or a[1] <= b[1] for a, b in steps) or tiers[0][0] < moq:
        raise Business("B_PRICE_SEQUENCE_INVALID")


def check_parcel(parcel: Fields) -> None:
    if parcel.get("shipping_template_id", TEMPLATE) != TEMPLATE:
        raise Business(f"{BIZ}TEMPLATE_OWNER_ERROR")
    weight, sides = parcel.get("weight"), parcel.get("dimension", {})
    if not isinstance(weight, str) or not Decimal("0.01") <= Decimal(weight) <= 9_999_999:
        raise Business("B_PRODUCT_PARAM_INVALID", "weight")
    if any(not sides.get(side) for side in ("length", "width", "height")):
        raise Business("B_PRODUCT_PARAM_INVALID", "dimension")


def fields_of(request: httpx.Request) -> Fields:
    """All parameters; a picture's bytes under the empty name, as they are not signed."""
    fields = parameters_of(request, file="image_bytes")
    if fields is None:
        raise Refusal("MissingParameter", "parameters belong in the form")
    return fields


def product_of(fields: Fields) -> Fields:
    product = decoded(fields, "product_info")
    if not isinstance(product, dict) or not isinstance(product.get("basic_info"), dict):
        raise Business("B_PRODUCT_PARAM_INVALID", "product_info")
    return product


def decoded(fields: Fields, name: str) -> Any:
    """Arrays and objects are JSON text in one field of the form."""
    try:
        return msgspec.json.decode(fields.get(name, ""))
    except ValueError:
        raise Refusal("InvalidParameter", f"{name} is no JSON") from None


def pieces(value: Any) -> int:
    if not str(value).isdecimal():
        raise Business("B_PRODUCT_PARAM_INVALID", "inventory")
    return int(value)


def whole(fields: Fields, name: str, default: int) -> int:
    text = str(fields.get(name, default))
    return int(text) if text.isdecimal() else -1

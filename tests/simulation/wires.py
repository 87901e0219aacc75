"""What the simulation knows of each marketplace's wire: one declared value for each, and nothing of it elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import httpx
import msgspec

from connectors.alibaba import simulator as alibaba
from connectors.amazon import simulator as amazon
from connectors.facebook import simulator as facebook
from connectors.lazada import simulator as lazada
from connectors.madeincamau import simulator as madeincamau
from connectors.postmart import simulator as postmart
from connectors.voso import simulator as voso
from connectors.zalo import simulator as zalo
from tests.simulation.workload import PACK, REFUSED_WORDS, vietnamese

if TYPE_CHECKING:
    from tests.simulation.market import Documents

Fields = dict[str, Any]
_decode = msgspec.json.decode


EMPTIED = -1  # the stock of what was taken down, where that leaves nothing


class Shown(NamedTuple):
    """What matters of one stored product."""

    sku: str
    price: int
    stock: int
    title: str
    up: bool  # offered to buyers, or about to be: neither hidden nor a draft nor refused


def itself(value: Any) -> Any:
    return value


def nothing(request: httpx.Request) -> str:
    return ""


def never(request: httpx.Request) -> bool:
    return False


def forget_tokens(simulator: Any) -> None:
    simulator._state.kinds.pop("token", None)


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How one marketplace does what all of them do, and what people may do there by hand."""

    classes: tuple[str, ...]  # of create-safety: as declared, and stricter
    kind: str = "product"  # under which its simulator keeps the products
    emptied: tuple[str, ...] = ()  # what a search that misses everything does not see
    current: tuple[str, ...] = ("token", "media", "picture")  # kinds that no copy lags behind in
    read: Callable[[str, Fields], Shown]
    dong: Callable[[Any], int] = itself  # a price there -> đồng
    stock: Callable[[int], int] = itself  # the catalogue's -> as much of it as is shown there
    title: Callable[[str], str] = itself  # a title there -> the catalogue's
    writes: Callable[[httpx.Request], bool]  # of a product: what only the newest run may send
    lags: Callable[[httpx.Request], bool]  # searches and read-backs come from copies
    searches: Callable[[httpx.Request], bool] = never  # a look-up of some SKUs, and not a page of all there is
    creates: Callable[[httpx.Request], str] = nothing  # the SKU, where the request sent twice makes two listings
    lines: Callable[[httpx.Request], str] = nothing  # under which name the answer holds a line for each change
    stranger: Callable[[Any], Any] = itself  # such a line about nothing we sent
    contradiction: Callable[[Any], Any] = itself  # such a line that says the opposite
    error: bytes  # under HTTP 200, and one nobody has heard of
    refuses: Callable[[Any, str], None]  # from now on the simulator has a rule against this SKU
    refusable: Callable[[str], bool]  # whether a review refuses such a title
    reviewed_late: bool = False  # what was shown and acknowledged may be refused after that
    revoke: Callable[[Any], None] = forget_tokens  # of the simulator: the access tokens end
    authorise: Callable[[Any], Mapping[str, str]] | None = None  # its owner gives us a new pair of tokens
    trusted: Callable[[Any], None] | None = None  # a setting under which a create needs no second request
    polls_by_reading: bool = False
    done_after: float = 0.0  # seconds from a write's answer to what it does; the simulator does it when it is looked at
    answered_within: float = 3 * 3600.0  # what is still open then is looked up
    runs: int = 2  # until everything is right: answers come later, and a second listing is closed after them
    named_by_sku: bool = False  # and an id of its own need not be known
    policy: Mapping[str, Any] = field(default_factory=dict)
    set_price: Callable[[Fields, int], None]
    set_hidden: Callable[[Fields, bool], None]
    copied: Callable[[Documents, str, Fields, str], tuple[str, Fields]]  # a foreign product, made from one of ours
    beside: tuple[str, ...] = ()  # kinds whose documents of the same key go with a product that is deleted
    erases: bool = True  # by hand


def harmless(title: str) -> bool:
    return False


def claims(title: str) -> bool:
    return REFUSED_WORDS in title


# Made in Cà Mau


def _madeincamau(key: str, product: Fields) -> Shown:
    fields = product["fields"]
    return Shown(key, fields["price_vnd"], fields["stock"], fields["name"], not product["hidden"])


def _refuse_at_madeincamau(simulator: Any, sku: str) -> None:
    body = simulator._body

    def strict(key: str, request: httpx.Request) -> Any:
        if key == sku:
            raise madeincamau.Refusal(422, ("category_id", "unknown_category"))
        return body(key, request)

    simulator._body = strict


MADEINCAMAU = Ways(
    classes=("A",),
    read=_madeincamau,
    writes=lambda request: request.method != "GET" and not request.url.path.endswith("/oauth/token"),
    lags=lambda request: "/products" in request.url.path,
    error=b'{"errors":[{"field":"","code":"he_thong_ban","message_vi":"ban"}]}',
    refuses=_refuse_at_madeincamau,
    refusable=harmless,
    set_price=lambda product, price: product["fields"].update(price_vnd=price),
    set_hidden=lambda product, hidden: product.update(hidden=hidden),
    copied=lambda state, key, product, sku: (sku, product | {"product_id": f"MCM-{sku}"}),
)

# PostMart


def _postmart(key: str, product: Fields) -> Shown:
    price, stock, title = product["price"]["price_vnd"], product["stock"]["qty"], product["content"]["name"]
    return Shown(product["external_id"], price, stock, title, product["status"] == "live")


def _refuse_at_postmart(simulator: Any, sku: str) -> None:
    faults = simulator._faults

    def strict(item: Any) -> Iterator[dict[str, str]]:
        if item.external_id == sku and not isinstance(item, postmart.Visibility):
            yield postmart.fault("unknown_category", "content.categories")
        yield from faults(item)

    simulator._faults = strict


POSTMART = Ways(
    classes=("B",),
    read=_postmart,
    writes=lambda request: request.method == "POST",
    lags=lambda request: "/products" in request.url.path,
    lines=lambda request: "results",
    stranger=lambda line: line | {"external_id": "KHAC-1"},
    contradiction=lambda line: (
        line | {"status": "error", "errors": [{"code": "invalid_value", "field": "", "message_vi": ""}]}
    ),
    error=b'{"error":{"code":"he_thong_ban","message_vi":"ban","field":""}}',
    refuses=_refuse_at_postmart,
    refusable=harmless,
    set_price=lambda product, price: product["price"].update(price_vnd=price),
    set_hidden=lambda product, hidden: product.update(status="hidden" if hidden else "live"),
    copied=lambda state, key, product, sku: (sku, product | {"external_id": sku, "remote_id": f"BD-{sku}"}),
)

# Vỏ Sò

VOSO_WRITES = ("create", "submit", "update", "updatePrice", "hide", "show")


def _voso(key: str, product: Fields) -> Shown:
    status = product["status"]  # a review that is over is written down only when the product changes next
    up = not product["hidden"] and (
        status == "Đang bán" or (status == "Chờ duyệt" and REFUSED_WORDS not in product["name"])
    )
    return Shown(product["product_code"], product["price"], product["stock"], product["name"], up)


def _is_voso_write(request: httpx.Request) -> bool:
    path = request.url.path
    return path.rpartition("/")[2] in VOSO_WRITES or path.endswith("/media/upload")


def _is_voso_list(request: httpx.Request) -> bool:
    """What one product's own address answers at a write does not lag."""
    return request.url.path.endswith("/product/list")


def _created_at_voso(request: httpx.Request) -> str:
    return _decode(request.content)["product_code"] if request.url.path.endswith("/create") else ""


def _refuse_at_voso(simulator: Any, sku: str) -> None:
    judge = simulator._judge

    def strict(product: Fields) -> None:
        if product["product_code"] == sku:
            raise voso.invalid("category_id", "danh mục không còn")
        judge(product)

    simulator._judge = strict


def _submit_at_once(simulator: Any) -> None:
    """As for a trusted shop: a create that is sent twice is live twice."""
    create = simulator._create

    def created(request: httpx.Request) -> Fields:
        product = simulator._state.get("product", f"{create(request)['product_id']:012}")
        due = simulator._clock.now() + timedelta(seconds=simulator.review_seconds)
        return dict(simulator._store(product | {"status": "Chờ duyệt", "review_until": due.isoformat()}))

    simulator._routes["v2/product/create"] = voso.Route(created, "write")


def _copied_at_voso(state: Documents, key: str, product: Fields, sku: str) -> tuple[str, Fields]:
    number = state.next_number("product")
    state.put("code", sku, [number])
    return f"{number:012}", product | {"product_id": number, "product_code": sku, "status": "Đang bán"}


VOSO = Ways(
    classes=("C", "C", "D"),
    emptied=("product", "code"),
    read=_voso,
    writes=_is_voso_write,
    lags=_is_voso_list,
    searches=lambda request: _is_voso_list(request) and b"product_codes" in request.content,
    creates=_created_at_voso,
    error=b'{"status":500,"error":true,"message":"System error","data":null}',
    refuses=_refuse_at_voso,
    refusable=claims,
    trusted=_submit_at_once,
    set_price=lambda product, price: product.update(price=price),
    set_hidden=lambda product, hidden: product.update(hidden=hidden),
    copied=_copied_at_voso,
    erases=False,
)

# Facebook / Instagram


def _facebook(key: str, item: Fields) -> Shown:
    price = int(float((item.get("sale_price") or item["price"]).split(" ")[0]))
    up = item.get("visibility") != "staging"
    return Shown(key, price, item.get("inventory", 0), _before_pack(item["title"]), up)


def _before_pack(title: str) -> str:
    return title.removesuffix(f" {PACK}")


def _refuse_at_facebook(simulator: Any, sku: str) -> None:
    apply = simulator._apply

    def strict(entry: Fields, batch: Fields) -> Any:
        if entry["data"]["id"] == sku and entry["data"].get("visibility") != "staging":
            return "The value of google_product_category is invalid"
        return apply(entry, batch)

    simulator._apply = strict


FACEBOOK = Ways(
    classes=("A",),
    kind="item",
    read=_facebook,
    title=_before_pack,
    writes=lambda request: request.method == "POST",
    lags=lambda request: request.url.path.endswith("/products"),
    lines=lambda request: "data" if request.url.path.endswith("/check_batch_request_status") else "",
    stranger=lambda line: line | {"handle": "AczKHAC"},
    contradiction=lambda line: line | {"status": "error"},
    error=b'{"error":{"code":99901,"message":"He thong ban","type":"OAuthException","is_transient":true}}',
    refuses=_refuse_at_facebook,
    refusable=harmless,
    done_after=facebook.FINISHED_AFTER,
    named_by_sku=True,
    revoke=lambda simulator: None,  # a system user's token does not end
    set_price=lambda item, price: item.update(price=f"{price} VND"),
    set_hidden=lambda item, hidden: item.update(visibility="staging" if hidden else "published"),
    copied=lambda state, key, item, sku: (sku, item | {"remote_id": f"77{state.next_number('item'):014}"}),
)

# Lazada


def _lazada(key: str, item: Fields) -> Shown:
    sku, name, status = item["sku"], item["attributes"]["name"], item["status"]
    up = sku["Status"] == "active" and (status == "Active" or (status == "Pending QC" and REFUSED_WORDS not in name))
    return Shown(sku["SellerSku"], int(sku["price"]), int(sku["quantity"]), _before_dash(name), up)


def _before_dash(name: str) -> str:
    return name.removesuffix(f" – {PACK}")


def _is_lazada_write(request: httpx.Request) -> bool:
    path = request.url.path
    return request.method == "POST" and ("/product/" in path or path.endswith("/image/upload"))


def _created_at_lazada(request: httpx.Request) -> str:
    if not request.url.path.endswith("/product/create"):
        return ""
    payload = _decode(dict(parse_qsl(request.content.decode()))["payload"])
    return str(payload["Request"]["Product"]["Skus"]["Sku"][0]["SellerSku"])


def _refuse_at_lazada(simulator: Any, sku: str) -> None:
    submit = simulator._submit

    def strict(item: Fields) -> None:
        if item["sku"]["SellerSku"] == sku:
            raise lazada.Refusal("201", "E201: Invalid category")
        submit(item)

    simulator._submit = strict


def _end_tokens(simulator: Any) -> None:
    forget_tokens(simulator)
    simulator.expire()


def _authorise_by_gateway(simulator: Any) -> Mapping[str, str]:
    number = simulator._state.next_number("authorisation")
    access, refresh = f"access-{number}", f"refresh-{number}"
    simulator._state.put("token", access, simulator._now() + simulator.token_seconds)
    simulator._state.put("refresh", "latest", refresh)
    return {**simulator.credentials, "access_token": access, "refresh_token": refresh}


def _hide_at_lazada(item: Fields, hidden: bool) -> None:
    item["sku"]["Status"] = "inactive" if hidden else "active"
    item["status"] = "InActive" if hidden else "Active"


def _copied_at_lazada(state: Documents, key: str, item: Fields, sku: str) -> tuple[str, Fields]:
    number = state.next_number("item")
    row = item["sku"] | {"SellerSku": sku, "SkuId": 15298395000 + number}
    item_id = 3069252000 + number
    return str(item_id), item | {"item_id": item_id, "sku": row}


LAZADA = Ways(
    classes=("C", "C", "D"),
    kind="item",
    emptied=("item",),
    current=("token", "refresh", "media", "picture"),
    read=_lazada,
    title=_before_dash,
    writes=_is_lazada_write,
    lags=lambda request: request.url.path.endswith("/products/get"),
    searches=lambda request: b"sku_seller_list" in request.url.query,
    creates=_created_at_lazada,
    error=b'{"code":"HE_THONG_BAN","type":"ISP","message":"System error","request_id":"0"}',
    refuses=_refuse_at_lazada,
    refusable=claims,
    revoke=_end_tokens,
    authorise=_authorise_by_gateway,
    polls_by_reading=True,
    set_price=lambda item, price: item["sku"].update(price=str(price)),
    set_hidden=_hide_at_lazada,
    copied=_copied_at_lazada,
)

# Zalo

OFFER = re.compile(r"([0-9.]+)( ₫.*\. )(Còn hàng|Hết hàng)\.", re.DOTALL)


def _zalo(key: str, article: Fields) -> Shown:
    sku = article["tracking_link"].rpartition("/")[2]
    offer = OFFER.fullmatch(article["description"])
    assert offer is not None
    up = article["status"] == "show"
    return Shown(sku, int(offer[1].replace(".", "")), int(offer[3] == "Còn hàng"), _before_star(article["title"]), up)


def _before_star(title: str) -> str:
    return title.removesuffix(f" {PACK} (OCOP 4 sao)")


def _is_zalo_write(request: httpx.Request) -> bool:
    return request.url.path.endswith(("/article/create", "/article/update", "/article/remove"))


def _created_at_zalo(request: httpx.Request) -> str:
    if not request.url.path.endswith("/article/create"):
        return ""
    return str(_decode(request.content)["tracking_link"].rpartition("/")[2])


def _refuse_at_zalo(simulator: Any, sku: str) -> None:
    job = simulator._job

    def strict(article_id: str, article: Fields) -> Any:
        if article["tracking_link"].endswith(f"/{sku}") and article["status"] == "show":
            raise zalo.Refusal(-201, "body value is invalid")
        return job(article_id, article)

    simulator._job = strict


def _authorise_at_zalo(simulator: Any) -> Mapping[str, str]:
    number = simulator._state.next_number("authorisation")
    access, refresh = f"access-{number}", f"refresh-{number}"
    for kind, token, seconds in (
        ("token", access, zalo.ACCESS_SECONDS),
        ("refresh", refresh, zalo.REFRESH_SECONDS),
    ):
        simulator._state.put(kind, "latest", token)
        simulator._state.put("ends", kind, simulator._now() + seconds)
    return {**simulator.credentials, "access_token": access, "refresh_token": refresh}


def _set_price_at_zalo(article: Fields, price: int) -> None:
    told = f"{price:,}".replace(",", ".")
    article["description"] = OFFER.sub(rf"{told}\g<2>\g<3>.", article["description"])


def _copied_at_zalo(state: Documents, key: str, article: Fields, sku: str) -> tuple[str, Fields]:
    link = article["tracking_link"].rpartition("/")[0]
    return f"{state.next_number('article'):08}bytaytay", article | {"tracking_link": f"{link}/{sku}"}


ZALO = Ways(
    classes=("C", "C", "D"),
    kind="article",
    current=("token", "refresh", "ends", "quota", "setting"),
    read=_zalo,
    done_after=zalo.WORKED_ON,
    runs=3,
    stock=lambda count: int(count > 0),  # an article tells no more than whether there is any
    title=_before_star,
    writes=_is_zalo_write,
    lags=lambda request: request.url.path.endswith("/article/getslice"),
    creates=_created_at_zalo,
    error=b'{"error":-200,"message":"System error"}',
    refuses=_refuse_at_zalo,
    refusable=harmless,
    revoke=lambda simulator: simulator.expire(),
    authorise=_authorise_at_zalo,
    set_price=_set_price_at_zalo,
    set_hidden=lambda article, hidden: article.update(status="hide" if hidden else "show"),
    copied=_copied_at_zalo,
)

# Alibaba.com


def _alibaba(key: str, item: Fields) -> Shown:
    basic, trade = item["basic_info"], item["trade_info"]
    title = _from_english(basic["title"])
    waits = item["audit"] == "pending" and item["wanted"] == "online" and not claims(title)
    up = waits or (item["audit"] == "approved" and item["status"] == "online")
    price = _cents(trade["price"]["tiered_price"][0]["price"])
    return Shown(basic["model_number"], price, trade["inventory"], title, up)


def _cents(dollars: Any) -> int:
    """At a hundred đồng for a dollar, which makes of every price an exact number of cents."""
    return int(Decimal(str(dollars)) * 100)


def _from_english(title: str) -> str:
    return vietnamese(title.removesuffix(f", {PACK}"))


def _is_alibaba_write(request: httpx.Request) -> bool:
    path = request.url.path
    ends = ("/product/listing/v2", "/product/update/v2", "/update/status", "/edit-price", "/edit-inventory", "/upload")
    return path.endswith(ends)


def _is_alibaba_search(request: httpx.Request) -> bool:
    return request.url.path.endswith("/product/search/v2")


def _created_at_alibaba(request: httpx.Request) -> str:
    if not request.url.path.endswith("/product/listing/v2"):
        return ""
    product = _decode(dict(parse_qsl(request.content.decode()))["product_info"])
    return str(product["basic_info"]["model_number"])


def _refuse_at_alibaba(simulator: Any, sku: str) -> None:
    check = simulator._check

    def strict(product: Fields) -> None:
        if product["basic_info"].get("model_number") == sku:
            raise alibaba.Business("CHK_CAT_NOT_LEAF")
        check(product)

    simulator._check = strict


def _set_price_at_alibaba(item: Fields, price: int) -> None:
    item["trade_info"]["price"]["tiered_price"][0]["price"] = price / 100


def _hide_at_alibaba(item: Fields, hidden: bool) -> None:
    item["status"] = item["wanted"] = "offline" if hidden else "online"


def _copied_at_alibaba(state: Documents, key: str, item: Fields, sku: str) -> tuple[str, Fields]:
    number = 1601314875037 + state.next_number("product")
    return str(number), item | {"id": number, "basic_info": item["basic_info"] | {"model_number": sku}}


ALIBABA = Ways(
    classes=("C", "C", "D"),
    emptied=("product",),
    current=("token", "refresh", "media", "picture"),
    read=_alibaba,
    dong=_cents,
    title=_from_english,
    writes=_is_alibaba_write,
    lags=_is_alibaba_search,
    searches=lambda request: _is_alibaba_search(request) and b"model_number" in request.content,
    creates=_created_at_alibaba,
    lines=lambda request: "updated_product_ids" if request.url.path.endswith("/update/status") else "",
    stranger=lambda line: 1601314000000,
    error=b'{"code":"HE_THONG_BAN","type":"ISP","message":"System error","request_id":"0"}',
    refuses=_refuse_at_alibaba,
    refusable=claims,
    revoke=_end_tokens,
    authorise=_authorise_by_gateway,
    policy={"currency": "USD", "rate": Decimal(100)},
    set_price=_set_price_at_alibaba,
    set_hidden=_hide_at_alibaba,
    copied=_copied_at_alibaba,
)

# Amazon


def _amazon(sku: str, item: Fields) -> Shown:
    """What is taken and not shown yet is about to be."""
    attributes = item["visible"] or item["latest"]
    (offer,) = attributes["purchasable_offer"]
    (available,) = attributes["fulfillment_availability"]
    title = _from_english(attributes["item_name"][0]["value"])
    price, stock = _cents(offer["our_price"][0]["schedule"][0]["value_with_tax"]), available["quantity"]
    if "end_at" in offer:
        return Shown(sku, price, stock or EMPTIED, title, up=False)
    return Shown(sku, price, stock, title, not claims(title))


def _is_amazon_search(request: httpx.Request) -> bool:
    path = request.url.path.partition("/listings/2021-08-01/items/")[2]
    return path != "" and "/" not in path


def _refuse_at_amazon(simulator: Any, sku: str) -> None:
    replaced, changed = simulator._replace, simulator._change
    issues = [amazon.issue("18299", "You cannot list in this category.", "item_name")]

    def strict(key: str, body: Fields, *, keep: bool) -> Any:
        return issues if key == sku else replaced(key, body, keep=keep)

    def strictly_changed(key: str, body: Fields, *, keep: bool) -> Any:
        hides = "end_at" in str(body)
        return issues if key == sku and not hides else changed(key, body, keep=keep)

    simulator._replace, simulator._change = strict, strictly_changed


def _offers_at_amazon(item: Fields) -> Iterator[Fields]:
    return (offer for attributes in (item["visible"], item["latest"]) for offer in attributes["purchasable_offer"])


def _set_price_at_amazon(item: Fields, price: int) -> None:
    item["visible"] = item["visible"] or item["latest"]
    for offer in _offers_at_amazon(item):
        offer["our_price"][0]["schedule"][0]["value_with_tax"] = price / 100


def _hide_at_amazon(item: Fields, hidden: bool) -> None:
    item["visible"] = item["visible"] or item["latest"]
    for offer in _offers_at_amazon(item):
        offer.pop("end_at", None)
        offer.update({"end_at": {"value": "2026-01-01T00:00:00Z"}} if hidden else {})


AMAZON = Ways(
    classes=("A",),
    kind="item",
    current=("token", "signature", "quota"),
    read=_amazon,
    dong=_cents,
    title=_from_english,
    writes=lambda request: request.method in ("PUT", "PATCH", "DELETE") and "/listings/" in request.url.path,
    lags=_is_amazon_search,
    error=b'{"errors":[{"code":"HeThongBan","message":"System error","details":""}]}',
    refuses=_refuse_at_amazon,
    refusable=claims,
    reviewed_late=True,
    done_after=amazon.APPLIED_AFTER,
    answered_within=25 * 3600.0,
    policy={"currency": "USD", "rate": Decimal(100)},
    set_price=_set_price_at_amazon,
    set_hidden=_hide_at_amazon,
    copied=lambda state, key, item, sku: (sku, item | {"asin": f"B0{state.next_number('asin'):08}"}),
    beside=("due",),
)

WAYS = {
    "madeincamau": MADEINCAMAU,
    "postmart": POSTMART,
    "voso": VOSO,
    "facebook": FACEBOOK,
    "lazada": LAZADA,
    "zalo": ZALO,
    "alibaba": ALIBABA,
    "amazon": AMAZON,
}

"""What Lazada's codes mean: HTTP 200 says nothing, the string `code` does, and `detail` for umbrella codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from connectors.errors import (
    AuthorisationFailed,
    ClockSkew,
    Conflict,
    ConnectorError,
    Misconfigured,
    OtherShape,
    Refused,
    Throttled,
    Unanswered,
    unlisted,
)
from models.text import Text

OK, NOT_ONLINE, TIMED_OUT = "0", "E0004", "ServiceTimeout"
WORDS = 500  # characters of the marketplace's own that are kept
BAN = re.compile(r"ban will last (\d+) second")
FINAL = re.compile(r"4[12]\d\d")  # all of these speak of one product's data


class Locked(Refused):
    """Not now, for hours or days: a campaign holds the item. A later run asks again."""


class RowsRefused(Refused):
    """Some rows of one call; of the others nothing is said, so they are read back."""

    def __init__(self, code: str, words: str, rows: dict[str, Refused]) -> None:
        super().__init__(code, words)
        self.rows = rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    error: type[ConnectorError]
    message: Text | None = None
    next_step: Text | None = None
    field: str = ""
    seconds: float | None = None  # to wait at least


MEND = Text(
    "Sửa mục “{field}” trong danh mục rồi nhập lại; đêm sau hệ thống tự gửi.",
    "Correct “{field}” in the catalogue and import it again; the next night sends it.",
)
TELL = Text("Báo mã lỗi này cho người phụ trách kỹ thuật.", "Report this code to whoever maintains the software.")
TABLE_STEP = Text(
    "Báo người phụ trách kỹ thuật cập nhật bảng ngành hàng của Lazada (categories.py); không cần nhập lại danh mục.",
    "Ask whoever maintains the software to update Lazada's table of categories (categories.py); the data is right.",
)
SELLER_CENTER = Text(
    "Mở Lazada Seller Center xem lý do và xử lý ở đó, rồi chạy “caybeo sync --sku …”.",
    "See the reason in Lazada Seller Center and settle it there, then run “caybeo sync --sku …”.",
)
AUTHORISE = Text(
    "Chủ gian hàng ủy quyền lại trên Lazada, rồi chạy “caybeo accounts add” để nhập mã truy cập mới.",
    "The shop's owner authorises the app on Lazada again; then enter the new access token with “caybeo accounts add”.",
)
LATER = Text(
    "Không cần làm gì: hết chương trình hệ thống tự gửi lại.", "Nothing to do: it is sent when that has ended."
)


def _refused(vi: str, en: str, field: str = "", step: Text = MEND, kind: type[ConnectorError] = Refused) -> Meaning:
    said = Text(f"{vi}: {{words}} (mã {{code}}).", f"{en}: {{words}} (code {{code}}).")
    return Meaning(error=kind, message=said, next_step=step, field=field)


CATEGORY = _refused("Lazada không nhận ngành hàng", "Lazada refuses the category", "category", TABLE_STEP)
PICTURES = _refused("Lazada không nhận ảnh", "Lazada refuses the pictures", "images")
PRICE = _refused("Lazada không nhận giá", "Lazada refuses the price", "price")
NAME = _refused("Lazada không nhận tên sản phẩm", "Lazada refuses the product's name", "name")
BRAND = _refused("Lazada không nhận nhãn hiệu", "Lazada refuses the brand", "brand", SELLER_CENTER)
ATTRIBUTE = _refused("Lazada đòi thuộc tính của ngành hàng", "The category's attributes are at fault", "", TABLE_STEP)
SKU = _refused("Lazada không nhận mã SKU", "Lazada refuses the SKU", "sku")
PARCEL = _refused("Lazada không nhận kích thước kiện hàng", "Lazada refuses the parcel's measures", "pack", TABLE_STEP)
CONTENT = _refused("Lazada không nhận nội dung", "Lazada refuses the content", "description")
POLICY = _refused("Lazada khóa hoặc chặn sản phẩm này", "Lazada has locked or blocked this product", "", SELLER_CENTER)
SHOP = _refused("Gian hàng chưa được phép", "The shop is not allowed to", "", SELLER_CENTER)
OURS = _refused("Lazada không đọc được yêu cầu", "Lazada cannot read the request", "", TELL)
STOCK = _refused(
    "Tồn kho mới nhỏ hơn số đang giữ cho đơn hàng", "The new stock is less than what orders already hold", "stock"
)
CAMPAIGN = _refused("Chương trình của Lazada đang khóa tin", "A campaign of Lazada locks it", "", LATER, Locked)
LOGIN = Meaning(
    error=AuthorisationFailed,
    message=Text("Lazada không nhận ủy quyền nữa ({code}).", "Lazada no longer takes the authorisation ({code})."),
    next_step=AUTHORISE,
)
SETTING = Meaning(
    error=Misconfigured,
    message=Text("Lazada từ chối ứng dụng của mình: {words} ({code}).", "Lazada refuses our app: {words} ({code})."),
    next_step=Text(
        "Kiểm tra app key, app secret và quyền của ứng dụng.", "Check the app's key, secret and permissions."
    ),
)
THEIRS = Meaning(error=Conflict)  # already there, or gone, or being edited: read back, then planned again
DOUBT = Meaning(error=Unanswered)

TABLE: dict[str, Meaning] = {
    **dict.fromkeys(("ApiCallLimit", "SellerCallLimit", "AppCallLimit"), Meaning(error=Throttled, seconds=1)),
    "901": Meaning(error=Throttled, seconds=1),
    "4154": Meaning(error=Throttled, seconds=2),
    "998": Meaning(error=Throttled, seconds=1800),  # switched off for a campaign
    **dict.fromkeys((TIMED_OUT, "ServiceUnavailable", "6", "15", "513", "1000", "4159"), DOUBT),
    **dict.fromkeys(("500", "501", "503", "504"), _refused("Lazada không nhận", "Lazada refuses")),
    **dict.fromkeys(("IllegalAccessToken", "IllegalRefreshToken", "InvalidCode", "AppNotSubscribed"), LOGIN),
    **dict.fromkeys(("IncompleteSignature", "InvalidAppKey", "MissingParameter", "InvalidApi"), SETTING),
    **dict.fromkeys(("InvalidApiPath", "AppWhiteIpLimit", "InsufficientPermission"), SETTING),
    **dict.fromkeys(("AUTH_TYPE_UNSUPPORTED", "SellerNotActive", "SellerNotVerified", "4128"), SETTING),
    "IllegalTimestamp": Meaning(error=ClockSkew),  # assumed: the name is that of a sister gateway
    **dict.fromkeys(("1", "5", "30", "36", "14", "17", "19", "70", "204", "1001", "4105", "4132"), OURS),
    **dict.fromkeys(("4152", "4171", "4193", "4216", "4127", "E0001"), OURS),
    **dict.fromkeys(("57", "201", "701", "4134", "4227", "4228"), CATEGORY),
    **dict.fromkeys(("4106", "4107", "4108", "4110", "4111", "4115", "4120", "4125", "4140", "4167"), ATTRIBUTE),
    **dict.fromkeys(("209", "4109", "4112", "4113", "4133", "4143", "4144", "4145", "4146"), ATTRIBUTE),
    **dict.fromkeys(("203", "300", "301", "302", "303", "4116", "4138", "4139", "4153", "4158", "4169"), PICTURES),
    **dict.fromkeys(("4104", "4117", "4118", "4119", "4121", "4157"), PRICE),
    **dict.fromkeys(("512", "4123", "4124", "4129", "4131"), CONTENT),
    "4160": NAME,
    **dict.fromkeys(("4130", "4142", "4156", "4168"), BRAND),
    **dict.fromkeys(("4150", "4166"), SKU),
    **dict.fromkeys(("4149", "4164", "4165"), PARCEL),
    **dict.fromkeys(("4151", "4155", "4218", "4221", "E0006"), POLICY),
    **dict.fromkeys(("4148", "4163", "4225", "10002", "10006"), SHOP),
    **dict.fromkeys(("4162", "4170"), CAMPAIGN),
    **dict.fromkeys(("4126", "4135", "4136", "4137", "4141", "4147", "200", "207", "208"), THEIRS),
    **dict.fromkeys((NOT_ONLINE, "E0002", "E0003", "EDIT_ITEM_NOT_BELONG_SELLER"), THEIRS),
}
# What umbrella codes hide in `message` and `detail`, sharper than the code itself.
INSIDE: tuple[tuple[str, Meaning], ...] = (
    ("IC_INFRA_PRODUCT_036", THEIRS),
    ("outerId already exists", THEIRS),
    ("BIZ_CHECK_SELLER_SKU_DB_DUPLICATE", THEIRS),
    ("IC_ABILITY_PG_003", CAMPAIGN),
    ("IC_ABILITY_PG_004", CAMPAIGN),
    ("negative sellable", STOCK),
    ("PRE_QC_LISTING_LIMIT", SHOP),
    ("Category is inactive", CATEGORY),
)
UMBRELLAS = {"500", "501", "503", "504", "4108", "4135"}
FIELDS = {
    "name": "name", "description": "description", "short_description": "description", "price": "price",
    "special_price": "price", "quantity": "stock", "brand": "brand", "images": "images", "sellersku": "sku",
    "primarycategory": "category",
}  # fmt: skip


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return AuthorisationFailed(f"HTTP {response.status_code}", next_step=AUTHORISE)
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return Misconfigured(f"HTTP {response.status_code}", field="base_url")
    if response.status_code != httpx.codes.OK or not isinstance(data, dict) or not isinstance(data.get("code"), str):
        return OtherShape("no-envelope", f"HTTP {response.status_code}")
    if data["code"] != OK:
        return _error(data)
    if str(data.get("success", "true")).lower() == "false":  # the brands say so beside a code of success
        return unlisted(Unanswered(str(data.get("error_code") or "success-false"), str(data.get("error_msg", ""))))
    return None


def _error(data: dict[str, Any]) -> ConnectorError:
    code, details = data["code"], list(_details(data.get("detail")))
    message = str(data.get("message") or "")
    words = "; ".join(filter(None, (str(d.get("message") or "") for d in details))) or message
    rows = {_row(d): _of(code, str(d.get("message") or "") or words, str(d), "") for d in details if _row(d)}
    if rows and code in UMBRELLAS and all(isinstance(error, Refused) for error in rows.values()):
        return RowsRefused(code, words[:WORDS], rows)  # type: ignore[arg-type]  # the line above has seen to it
    field = next((str(d["field"]) for d in details if d.get("field")), "")
    return _of(code, words, f"{message} {details}", field)


def _details(detail: Any) -> Iterator[dict[str, Any]]:
    return (one for one in detail if isinstance(one, dict)) if isinstance(detail, list) else iter(())


def _row(detail: dict[str, Any]) -> str:
    return str(detail.get("seller_sku") or detail.get("sku") or "")


def _of(code: str, words: str, everything: str, field: str) -> ConnectorError:
    words = words[:WORDS]
    meaning = _meaning(code, everything)
    if meaning is None:
        return unlisted(Refused(code, words) if FINAL.fullmatch(code) else Unanswered(code, words))
    if meaning.error is Throttled:
        ban = BAN.search(everything)
        return Throttled(code, words, retry_after=float(ban[1]) if ban else meaning.seconds)
    ours = FIELDS.get(field.lower(), meaning.field)
    return meaning.error(code, words, field=ours, message=meaning.message, next_step=meaning.next_step)


def _meaning(code: str, everything: str) -> Meaning | None:
    """A duplicate is told by several codes, one of them generic; a lock and a floor by none of their own."""
    if code in UMBRELLAS:
        found = next((meaning for sign, meaning in INSIDE if sign in everything), None)
        if found or code != "4135":  # without its sign it is no duplicate
            return found or TABLE[code]
        return _refused("Lazada không nhận", "Lazada refuses")
    return TABLE.get(code) or next((meaning for sign, meaning in INSIDE if sign in everything), None)


def unready(category: str) -> Refused:
    return Refused("category-unknown", category, field="category", message=CATEGORY.message, next_step=TABLE_STEP)


def lacking(names: list[str]) -> Refused:
    """A mandatory attribute that the table of categories gives no value for."""
    words = ", ".join(names)
    return Refused("attribute-missing", words, message=ATTRIBUTE.message, next_step=TABLE_STEP)


def rejected_by_check(reason: str) -> Refused:
    return Refused(
        "qc-rejected",
        reason,
        message=Text("Lazada kiểm duyệt không đạt: {words}.", "Lazada's quality check rejected it: {words}."),
        next_step=MEND,
    )


BEING_CHECKED = Refused(
    NOT_ONLINE,
    message=Text(
        "Lazada đang kiểm duyệt tin này nên chưa gỡ được.",
        "Lazada is checking this item, so it cannot be taken down yet.",
    ),
    next_step=Text("Không cần làm gì: lần chạy sau tự gỡ.", "Nothing to do: the next run takes it down."),
)

"""What Alibaba.com's codes mean: HTTP 200 says nothing, and success is said on three levels of one answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
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

OK, NOT_FOUND, STATUS_INVALID = "0", "B_PRODUCT_NOT_FOUND", "PUB_BIZCHECK_PRODUCT_STATUS_INVALID"
NO_PRODUCT = "Product not found."  # told in words alone, without a code
GONE = (NOT_FOUND, NO_PRODUCT)
WORDS = 500  # characters of the marketplace's own that are kept
BAN = re.compile(r"ban will last (\d+) second")
DATA = ("B_", "CHK_", "PUB_BIZCHECK_")  # what bears one of these speaks of one product's data
BIZ = "PUB_BIZCHECK_"


class Locked(Refused):
    """Not now, for minutes or days: a review or a promotion holds the listing. A later run asks again."""

    lasts = timedelta()


class InReview(Locked):
    lasts = timedelta(minutes=30)


class InPromotion(Locked):
    lasts = timedelta(hours=6)


class CompanyInReview(Locked):
    lasts = timedelta(hours=24)


class SomeRefused(Conflict):
    """Of a call for several: which products were done, and why the others were not. Of any other call it is a doubt."""

    def __init__(self, code: str, words: str, done: set[str], refused: dict[str, ConnectorError]) -> None:
        super().__init__(code, words)
        self.done, self.refused = done, refused


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
    "Báo người phụ trách kỹ thuật cập nhật bảng ngành hàng của Alibaba.com (categories.py); danh mục không sai.",
    "Ask whoever maintains the software to update Alibaba.com's table (categories.py); the data is right.",
)
BACK_OFFICE = Text(
    "Mở trang quản lý My Alibaba xem lý do và xử lý ở đó, rồi chạy “caybeo sync --sku …”.",
    "See the reason in My Alibaba and settle it there, then run “caybeo sync --sku …”.",
)
AUTHORISE = Text(
    "Chủ gian hàng ủy quyền lại trên Alibaba.com, rồi chạy “caybeo accounts add” để nhập mã truy cập mới.",
    "The shop's owner authorises the app on Alibaba.com again; then enter the new tokens with “caybeo accounts add”.",
)
LATER = Text("Không cần làm gì: hệ thống tự gửi lại sau.", "Nothing to do: it is sent again later.")


def _refused(vi: str, en: str, field: str = "", step: Text = MEND, kind: type[ConnectorError] = Refused) -> Meaning:
    said = Text(f"{vi}: {{words}} (mã {{code}}).", f"{en}: {{words}} (code {{code}}).")
    return Meaning(error=kind, message=said, next_step=step, field=field)


TITLE = _refused("Alibaba.com không nhận tên tiếng Anh", "Alibaba.com refuses the English name", "english")
CONTENT = _refused("Alibaba.com không nhận mô tả tiếng Anh", "Alibaba.com refuses the English texts", "english")
PICTURES = _refused("Alibaba.com không nhận ảnh", "Alibaba.com refuses the pictures", "images")
PRICE = _refused("Alibaba.com không nhận giá", "Alibaba.com refuses the price", "price")
STOCK = _refused("Alibaba.com không nhận tồn kho", "Alibaba.com refuses the stock", "stock")
SKU = _refused("Alibaba.com không nhận mã SKU", "Alibaba.com refuses the SKU", "sku")
CATEGORY = _refused("Alibaba.com không nhận ngành hàng", "Alibaba.com refuses the category", "category", TABLE_STEP)
ATTRIBUTE = _refused(
    "Alibaba.com đòi thuộc tính của ngành hàng", "The category's attributes are at fault", "", TABLE_STEP
)
SELLER = _refused("Alibaba.com chưa cho gian hàng làm việc này", "Alibaba.com does not let the shop", "", BACK_OFFICE)
OURS = _refused("Alibaba.com không đọc được yêu cầu", "Alibaba.com cannot read the request", "", TELL)
REVIEW = _refused("Alibaba.com đang duyệt tin này", "Alibaba.com is reviewing this listing", "", LATER, InReview)
PROMOTION = _refused("Chương trình khuyến mãi đang khóa tin", "A promotion locks the listing", "", LATER, InPromotion)
COMPANY = _refused(
    "Alibaba.com đang duyệt hồ sơ công ty", "Alibaba.com is reviewing the company", "", LATER, CompanyInReview
)
LOGIN = Meaning(
    error=AuthorisationFailed,
    message=Text("Alibaba.com không nhận ủy quyền nữa ({code}).", "Alibaba.com no longer takes the tokens ({code})."),
    next_step=AUTHORISE,
)
SETTING = Meaning(
    error=Misconfigured,
    message=Text("Alibaba.com từ chối ứng dụng: {words} ({code}).", "Alibaba.com refuses our app: {words} ({code})."),
    next_step=Text(
        "Kiểm tra app key, app secret, địa chỉ IP và các quyền API của ứng dụng.",
        "Check the app's key, secret, IP address and API permissions.",
    ),
)
THEIRS = Meaning(error=Conflict)  # gone, or not in the state it was taken for: read back, then planned again
DOUBT = Meaning(error=Unanswered)

TABLE: dict[str, Meaning] = {
    **dict.fromkeys(("AppCallLimit", "ApiCallLimit"), Meaning(error=Throttled, seconds=2)),
    **dict.fromkeys(
        ("B_PRODUCT_INFO_TRANSLATION_FAILED", "B_CATEGORY_PREDICT_FAIL"), Meaning(error=Throttled, seconds=2)
    ),
    f"{BIZ}CAT_PUB_LIMIT": Meaning(error=Throttled, seconds=60),
    **dict.fromkeys(("ServiceTimeout", "ServiceUnavailable", "S_COMMON_INTERNAL_ERROR"), DOUBT),
    **dict.fromkeys(("S_PRODUCT_SEARCH_ERROR", "-2"), DOUBT),
    **dict.fromkeys(("IllegalAccessToken", "IllegalRefreshToken", "InvalidCode"), LOGIN),
    **dict.fromkeys(("IncompleteSignature", "InvalidAppKey", "MissingParameter", "InvalidApiPath"), SETTING),
    **dict.fromkeys(("InsufficientPermission", "InsufficientIsvPermissions", "AppWhiteIpLimit"), SETTING),
    "IllegalTimestamp": Meaning(error=ClockSkew),
    **dict.fromkeys((f"{BIZ}PRODUCT_IN_AUDITING", f"{BIZ}PRODUCT_NOT_EDITABLE"), REVIEW),
    **dict.fromkeys(("PUB_EDIT_PROMOTION_LOCK", "COMP_PROMOTION_LOCK_ERROR"), PROMOTION),
    f"{BIZ}AUDITING_COMPANY_INFO": COMPANY,
    **dict.fromkeys((NOT_FOUND, NO_PRODUCT, STATUS_INVALID), THEIRS),
    **dict.fromkeys((f"{BIZ}CAT_PUB_RESTRICT", f"{BIZ}ASSURANCE_ACCOUNT_REQUIRED"), SELLER),
    **dict.fromkeys((f"{BIZ}PRIVILEGE_REQUIRED", f"{BIZ}TEMPLATE_OWNER_ERROR", f"{BIZ}SUSPICIOUS"), SELLER),
    **dict.fromkeys((f"{BIZ}SUSPICIOUS_CATEGORY", f"{BIZ}PRODUCT_COUNT_EXCEED"), SELLER),
    **dict.fromkeys((f"{BIZ}PRODUCT_SKETCH_COUNT_EXCEED", f"{BIZ}NOT_PRODUCT_OWNER"), SELLER),
    **dict.fromkeys(("FUNCTION_FORBIDDEN", "NOCAPACITY"), SELLER),
    **dict.fromkeys(("CHK_CAT_NOT_LEAF", f"{BIZ}CAT_ID_NOTEXIST", "BUSINESS_CATEGORY_NOT_EXIST"), CATEGORY),
    "CHK_STEP_CATEGORY_QUALITY_MINSIZE_ERROR": CATEGORY,  # our carton is less than the category's floor
    **dict.fromkeys(("B_ATTRIBUTE_INVALID", "CHK_BASIC_REQUIRED"), ATTRIBUTE),
    **dict.fromkeys(("B_TITLE_NOT_FOUND", "CHK_MAX_LENGTH"), TITLE),
    **dict.fromkeys(("B_KEYWORD_NOT_FOUND", f"{BIZ}DESCRIPTION_IS_REQUIRED"), CONTENT),
    **dict.fromkeys((f"{BIZ}DESCRIPTION_IMAGE_SOURCE_ERROR", f"{BIZ}DESCRIPTION_IMAGE_COUNT_EXCEED"), CONTENT),
    **dict.fromkeys(("B_CONTAINS_INVALID_IMAGE", "B_IMAGE_UPLOAD_FAILED", "SIZE_TOO_LARGE"), PICTURES),
    **dict.fromkeys(("CHK_IMAGE_FILE_COUNT_EXCEED", "CHK_IMAGE_FILE_ID_EMPTY"), PICTURES),
    **dict.fromkeys(("B_PRICE_ALL_NULL", "B_PRICE_SCALE_INVALID", "B_PRICE_SEQUENCE_INVALID"), PRICE),
    **dict.fromkeys(("B_MIN_PRICE_RANGE_INVALID", f"{BIZ}PRICE_TYPE_REQUIRED", f"{BIZ}SKU_PRICE"), PRICE),
    **dict.fromkeys(("B_INVENTORY_ALL_NULL", f"{BIZ}INVENTORY_REQUIRED"), STOCK),
    f"{BIZ}PRODUCT_SKU_INVALID": SKU,
    **dict.fromkeys(("B_PRICE_CONFLICT", "B_INVENTORY_CONFLICT", "B_PRODUCT_PARAM_INVALID"), OURS),
    **dict.fromkeys(("InvalidParameter", "API_SCHEMA_XML_PARSE_ERROR"), OURS),
}


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return AuthorisationFailed(f"HTTP {response.status_code}", next_step=AUTHORISE)
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return Misconfigured(f"HTTP {response.status_code}", field="base_url")
    if response.status_code != httpx.codes.OK or not isinstance(data, dict):
        return OtherShape("no-envelope", f"HTTP {response.status_code}")
    if isinstance(gateway := data.get("error_response"), dict):
        return error_of(gateway)
    if "code" not in data and data.get("type") and data.get("message"):
        return error_of(data)
    if not isinstance(data.get("code"), str):
        return OtherShape("no-envelope", "code")
    return error_of(data) if data["code"] != OK else _business(data)


def _business(data: dict[str, Any]) -> ConnectorError | None:
    """The gateway was content; what stands inside may still be a refusal, even beside a success."""
    result = data.get("result")
    levels = [data, result] if isinstance(result, dict) else [data]
    for level in levels:
        if isinstance(level.get("errors"), list) and level["errors"]:
            return _some(level)
    return next((error_of(level) for level in levels if said_no(level)), None)


def said_no(level: dict[str, Any]) -> bool:
    return str(level.get("success", "")).lower() == "false"


def _some(level: dict[str, Any]) -> SomeRefused:
    refused: dict[str, ConnectorError] = {}
    for one in filter(lambda one: isinstance(one, dict), level["errors"]):
        nested = one.get("errors")
        inner = nested[0] if isinstance(nested, list) and nested and isinstance(nested[0], dict) else one
        refused[str(one.get("product_id", ""))] = error_of(inner)
    done = level.get("updated_product_ids")
    first = next(iter(refused.values()), Unanswered("errors"))
    return SomeRefused(first.code, first.words, set(map(str, done if isinstance(done, list) else [])), refused)


def error_of(said: dict[str, Any]) -> ConnectorError:
    """Of one error as the marketplace words it, in any of its places."""
    names = ("msg_code", "code", "error_code")
    raw = next((str(said[name]) for name in names if said.get(name) and str(said[name]) != OK), "")
    texts = ("message", "msg", "error_msg", "message_info")
    words = next((str(said[name]) for name in texts if said.get(name)), "")[:WORDS]
    return of_codes(raw or (words if words == NO_PRODUCT else ""), words)


def of_codes(raw: str, words: str) -> ConnectorError:
    """Several codes may come joined, each behind a prefix: one that refuses for good outranks one that asks to wait."""
    errors = [_one(code, words or raw) for code in codes_in(raw)] or [unlisted(Unanswered("no-code", words))]
    return min(errors, key=_rank)


def codes_in(raw: str) -> Iterator[str]:
    """isp.system-service-error:PUB_BIZCHECK_X;B_Y -> PUB_BIZCHECK_X, B_Y."""
    return (part.strip().rpartition(":")[2].strip() for part in raw.split(";") if part.strip())


def _rank(error: ConnectorError) -> int:
    final = isinstance(error, Refused) and not isinstance(error, Locked)
    return (not final) + isinstance(error, Throttled)


def _one(code: str, words: str) -> ConnectorError:
    meaning = TABLE.get(code)
    if meaning is None:
        return unlisted(Refused(code, words) if code.startswith(DATA) else Unanswered(code, words))
    if meaning.error is Throttled:
        ban = BAN.search(words)
        return Throttled(code, words, retry_after=float(ban[1]) if ban else meaning.seconds)
    return meaning.error(code, words, field=meaning.field, message=meaning.message, next_step=meaning.next_step)


def unready(category: int) -> Refused:
    return Refused("category-unknown", str(category), field="category", message=CATEGORY.message, next_step=TABLE_STEP)


def lacking(names: Iterable[str]) -> Refused:
    """Attributes that the category demands, or takes only from a list, and our table has not."""
    return Refused("attribute-missing", ", ".join(names), message=ATTRIBUTE.message, next_step=TABLE_STEP)


def several_variants(product_id: str) -> Refused:
    return Refused(
        "several-variants",
        product_id,
        field="sku",
        message=Text(
            "Tin {words} trên Alibaba.com có nhiều phân loại nên hệ thống không đụng tới.",
            "Listing {words} on Alibaba.com has several variants, so it is left alone.",
        ),
        next_step=Text(
            "Trên My Alibaba đổi “Model Number” của tin đó sang mã khác, rồi chạy “caybeo sync --sku …”.",
            "Give that listing another “Model Number” in My Alibaba, then run “caybeo sync --sku …”.",
        ),
    )


def not_published(reason: str) -> ConnectorError:
    """The verdict of checks or review; its codes have their sentences, whatever else they would mean in an answer."""
    found = of_codes(reason, reason) if reason else Refused("not-published")
    said = Text("Alibaba.com duyệt không đạt: {words}.", "Alibaba.com did not publish it: {words}.")
    step = found.next_step or BACK_OFFICE
    refused = Refused(found.code, reason, field=found.field, message=said, next_step=step)
    return unlisted(refused) if found.unlisted else refused

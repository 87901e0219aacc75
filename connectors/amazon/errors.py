"""What Amazon's refusals mean: of a whole call by status and code, of one listing by its issues inside a success."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import msgspec

from connectors.errors import (
    AuthorisationFailed,
    Conflict,
    ConnectorError,
    Misconfigured,
    OtherShape,
    Refused,
    Throttled,
    Unanswered,
    unlisted,
)
from connectors.typed import typed
from models.text import Text

WORDS = 500  # characters of the marketplace's own that are kept
ERROR = "ERROR"
TAKEN = {httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED}
TOO_LARGE = "too-large"


class Resting(Refused):
    """Not now: the SKU was deleted there less than a day ago. A later run asks again."""


class Meaning(NamedTuple):
    """Without own sentences stand those of the kind."""

    kind: type[ConnectorError]
    message: Text | None = None
    next_step: Text | None = None
    field: str = ""


class Issue(msgspec.Struct, frozen=True, rename="camel"):
    """Of one listing; a feed's report names one attribute where the API names several."""

    severity: str  # ERROR, WARNING or INFO; one that is new is no error we know of, and no success either
    message: str
    code: str = ""
    attribute_names: list[str] = []
    attribute_name: str = ""
    categories: list[str] = []
    message_id: int = 0


class _Fault(msgspec.Struct, frozen=True):
    code: str
    message: str = ""
    details: str | None = None


class _Body(msgspec.Struct, frozen=True):
    errors: list[_Fault]


MEND = Text(
    "Sửa mục “{field}” trong danh mục rồi nhập lại; đêm sau hệ thống tự gửi.",
    "Correct “{field}” in the catalogue and import it again; the next night sends it.",
)
TELL = Text(
    "Báo mã lỗi này cho người phụ trách kỹ thuật; danh mục không sai.",
    "Report this code to whoever maintains the software; the catalogue is right as it is.",
)
SELLER_CENTRAL = Text(
    "Mở Seller Central xem lý do và xử lý ở đó, rồi chạy “caybeo sync --sku …”.",
    "See the reason in Seller Central and settle it there, then run “caybeo sync --sku …”.",
)
AUTHORISE = Text(
    "Ủy quyền lại ứng dụng trong Seller Central, rồi nhập refresh token mới bằng “caybeo accounts add”.",
    "Authorise the app again in Seller Central, then enter the new refresh token with “caybeo accounts add”.",
)
SECRET = Text(
    "Xem client ID và client secret hiện hành trong Developer Central (secret phải đổi định kỳ), rồi nhập lại bằng "
    "“caybeo accounts add”.",
    "Look up the current client id and secret in Developer Central (a secret must be rotated), then enter them with "
    "“caybeo accounts add”.",
)
ROLE = Text(
    "Kiểm tra quyền “Product Listing” của ứng dụng, seller_id, và địa chỉ đúng vùng của thị trường.",
    "Check the app's role “Product Listing”, seller_id, and that the address is of the marketplace's region.",
)
DENIED = Meaning(
    AuthorisationFailed,
    Text("Amazon không cho ứng dụng này vào gian hàng.", "Amazon does not let this app into the account."),
    ROLE,
)
ENDED = Meaning(
    AuthorisationFailed,
    Text("Amazon không nhận mã truy cập vừa cấp.", "Amazon refuses the token it has just given."),
    AUTHORISE,
)


def _refused(vi: str, en: str, field: str = "", step: Text = MEND, kind: type[ConnectorError] = Refused) -> Meaning:
    said = Text(f"{vi}: {{words}} (mã {{code}}).", f"{en}: {{words}} (code {{code}}).")
    return Meaning(kind, said, step, field)


OURS = _refused("Amazon không hiểu yêu cầu", "Amazon cannot read the request", step=TELL)
SKU = _refused("Amazon không nhận mã SKU", "Amazon refuses the SKU", "sku")
LARGE = _refused("Amazon báo yêu cầu quá lớn", "The request is too large for Amazon", step=TELL)
CALLS: dict[str, Meaning] = {  # of a whole call; a 400 comes under either of two codes, so its status decides
    "Unauthorized": DENIED,
    "AccessDenied": DENIED,
    "MissingAuthenticationToken": ENDED,
    "InvalidInput": OURS,
    "BAD_REQUEST": OURS,
    "InvalidSku": SKU,
    "NOT_FOUND": Meaning(Conflict),
    "NotFound": Meaning(Conflict),
    TOO_LARGE: LARGE,
    "415": OURS,
    "QuotaExceeded": Meaning(Throttled),
    "InternalFailure": Meaning(Unanswered),
    "ServiceUnavailable": Meaning(Unanswered),
}
# What only the words tell, sharper than the code.
INSIDE: tuple[tuple[str, str, Meaning], ...] = (
    ("Unauthorized", "expired", ENDED),
    ("Unauthorized", "revoked, malformed or invalid", ENDED),
    ("InvalidInput", "'sku'", SKU),
    ("BAD_REQUEST", "'sku'", SKU),
    ("InvalidInput", "beyond allowed size", LARGE),
)

LACKING = _refused("Amazon đòi thêm thông tin", "Amazon requires more")
INVALID = _refused("Amazon không nhận thông tin", "Amazon refuses what was given")
UNKNOWN = _refused("Loại sản phẩm này không có trường đó", "The product type has no such field", step=TELL)
PRICE = _refused("Amazon không nhận giá", "Amazon refuses the price", "price")
PICTURE = _refused("Amazon không nhận ảnh", "Amazon refuses the picture", "images")
POLICY = _refused("Amazon không cho bán mặt hàng này", "Amazon does not allow this product", step=SELLER_CENTRAL)
GATED = _refused("Cần Amazon duyệt trước khi bán", "Amazon must approve the sale first", step=SELLER_CENTRAL)
TWICE = _refused("Amazon cho là trùng với sản phẩm khác", "Amazon takes it for another product", "gtin", SELLER_CENTRAL)
DELETED = _refused(
    "Amazon chưa có hoặc vừa xóa mã SKU này",
    "Amazon does not have this SKU, or has just deleted it",
    step=Text(
        "Không cần làm gì: sau 24 giờ hệ thống tự gửi lại.", "Nothing to do: it is sent again when 24 hours are over."
    ),
    kind=Resting,
)
ISSUES: dict[str, Meaning] = {
    "90220": LACKING,
    "90000900": UNKNOWN,
    "4000001": INVALID,
    "99022": LACKING,
    "99300": INVALID,
    "99005": PRICE,
    "18155": PRICE,
    "18027": PICTURE,
    "18448": LACKING,
    "18742": POLICY,
    "13013": DELETED,
}
CATEGORIES: dict[str, Meaning] = {  # what every issue is sorted under, whatever its code
    "QUALIFICATION_REQUIRED": GATED,
    "DUPLICATE": TWICE,
    "MISSING_PRICE": PRICE,
    "INVALID_PRICE": PRICE,
    "MISSING_IMAGE": PICTURE,
    "INVALID_IMAGE": PICTURE,
    "MISSING_ATTRIBUTE": LACKING,
    "INVALID_ATTRIBUTE": INVALID,
}
FIELDS = {
    "item_name": "name",
    "brand": "brand",
    "manufacturer": "legal_name",
    "product_description": "description",
    "bullet_point": "description",
    "ingredients": "ingredients",
    "fc_shelf_life": "shelf_life",
    "unit_count": "pack",
    "externally_assigned_product_identifier": "gtin",
    "supplier_declared_has_product_identifier_exemption": "gtin",
    "main_product_image_locator": "images",
    "purchasable_offer": "price",
    "list_price": "list_price",
    "fulfillment_availability": "stock",
}


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    status = response.status_code
    if status in TAKEN:
        return None
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return _of(CALLS[TOO_LARGE], TOO_LARGE, _words(data))
    try:
        fault = typed(data, _Body).errors[0]
    except (msgspec.ValidationError, IndexError):
        return OtherShape("no-errors", f"HTTP {status}")
    words = " ".join(filter(None, (fault.message, fault.details)))[:WORDS]
    meaning = _meaning(fault.code, words)
    if meaning is not None:
        return _of(meaning, fault.code, words)
    return unlisted(_of(BY_STATUS.get(status, Meaning(Unanswered)), fault.code or f"HTTP {status}", words))


BY_STATUS = {  # where the code is a new one
    400: Meaning(Refused, next_step=TELL),
    401: DENIED,
    403: DENIED,
    404: Meaning(Conflict),
    415: OURS,
}


def _meaning(code: str, words: str) -> Meaning | None:
    inside = (meaning for known, sign, meaning in INSIDE if code == known and sign in words)
    return next(inside, CALLS.get(code))


def _words(data: Any) -> str:
    try:
        return typed(data, _Body).errors[0].message[:WORDS]
    except (msgspec.ValidationError, IndexError):
        return ""


def _of(meaning: Meaning, code: str, words: str, field: str = "") -> ConnectorError:
    if meaning.kind is Throttled:
        return Throttled(code, words)
    return meaning.kind(code, words, field=field or meaning.field, message=meaning.message, next_step=meaning.next_step)


def refused_for(issues: Sequence[Issue]) -> ConnectorError:
    """The first error among them, with the words of all; it stands for a listing that was not taken."""
    errors = [issue for issue in issues if issue.severity == ERROR] or list(issues)
    if not errors:
        return unlisted(Refused("no-issue", next_step=SELLER_CENTRAL))
    first = next((issue for issue in errors if issue.code == "13013"), errors[0])
    words = "; ".join(dict.fromkeys(issue.message for issue in errors))[:WORDS]
    names = first.attribute_names or [first.attribute_name]
    field = next((FIELDS[name] for name in names if name in FIELDS), "")
    sorted_under = next((CATEGORIES[name] for name in first.categories if name in CATEGORIES), None)
    meaning = ISSUES.get(first.code) or sorted_under
    if meaning is None:
        return unlisted(_of(Meaning(Refused), first.code or "issue", words, field))
    return _of(meaning, first.code or first.categories[0], words, field)


def unfit(attribute: str, words: str) -> Refused:
    """What the product type's own definition says of a listing before it is sent."""
    said = Text("Chưa đúng khuôn của Amazon: {words}.", "Not as Amazon's definition has it: {words}.")
    return Refused("definition", words[:WORDS], field=FIELDS.get(attribute, attribute), message=said, next_step=MEND)


def no_definition(product_type: str) -> Refused:
    said = Text(
        "Thị trường này của Amazon không có loại sản phẩm {words}.", "This marketplace has no product type {words}."
    )
    return Refused("product-type", product_type, field="category", message=said, next_step=TELL)


def other_currency(given: str, wanted: str) -> Refused:
    return Refused(
        "wrong-currency",
        given,
        field="price",
        message=Text(
            f"Giá tính bằng {given}, thị trường này chỉ nhận {wanted}.",
            f"The price is in {given}, this marketplace only takes {wanted}.",
        ),
        next_step=Text(
            f"Chạy “caybeo accounts rate TÊN --currency {wanted} --rate …” cho tài khoản này.",
            f"Run “caybeo accounts rate NAME --currency {wanted} --rate …” for this account.",
        ),
    )


def other_region(host: str, wanted: str) -> Misconfigured:
    return Misconfigured(
        "other-region",
        host,
        field="base_url",
        message=Text(f"Địa chỉ {host} thuộc vùng khác của Amazon.", f"{host} is of another region of Amazon."),
        next_step=Text(f"Đặt --base-url https://{wanted}.", f"Give the account --base-url https://{wanted}."),
    )


LOGINS: dict[str, tuple[Text, Text]] = {
    "invalid_grant": (
        Text("Ủy quyền của gian hàng đã hết hoặc bị thu hồi.", "The account's authorisation has ended or was revoked."),
        AUTHORISE,
    ),
    "invalid_client": (
        Text("Client ID hoặc client secret không đúng.", "The client id or the client secret is wrong."),
        SECRET,
    ),
    "unauthorized_client": (
        Text("Ứng dụng này chưa được phép đăng nhập.", "This app may not log in."),
        SECRET,
    ),
}


def login_error(status: int, data: Any) -> ConnectorError | None:
    """Of Login with Amazon; None where it is no refusal, so that it may be asked again."""
    code = data.get("error") if isinstance(data, dict) else None
    if status not in (400, 401) or not isinstance(code, str):
        return None
    words = str(data.get("error_description") or "")[:WORDS]
    if code not in LOGINS:
        return unlisted(AuthorisationFailed(code, words))
    message, next_step = LOGINS[code]
    return AuthorisationFailed(code, words, message=message, next_step=next_step)

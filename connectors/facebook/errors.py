"""What Meta's codes mean, of a whole call and of one item; HTTP's status says nearly nothing there."""

from __future__ import annotations

import re
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


class Meaning(NamedTuple):
    """Without own sentences stand those of the kind."""

    kind: type[ConnectorError]
    message: Text | None = None
    next_step: Text | None = None


class GraphError(msgspec.Struct, frozen=True):
    """The documented error object; `type` is nearly always OAuthException and says nothing."""

    code: int
    message: str = ""
    error_subcode: int = 0
    is_transient: bool = False
    fbtrace_id: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: GraphError


class _Usage(msgspec.Struct, frozen=True):
    estimated_time_to_regain_access: float = 0.0  # minutes


USAGE = "X-Business-Use-Case-Usage"
TOO_MUCH = "too-much"
REDUCE = "reduce the amount of data"
TOKENS = re.compile(r"EAA\w+|[A-Za-z0-9_|-]{40,}")

NEW_TOKEN = Text(
    "Tạo mã truy cập mới cho người dùng hệ thống trong Cài đặt doanh nghiệp của Meta, rồi nhập lại bằng “caybeo "
    "accounts add”.",
    "Make a new token for the system user in Meta's Business settings and enter it with “caybeo accounts add”.",
)
GRANT = Text(
    "Trong Cài đặt doanh nghiệp của Meta, cấp cho người dùng hệ thống catalog_management và quyền quản lý danh mục.",
    "In Meta's Business settings give the system user catalog_management and the task of managing this catalogue.",
)
TELL_MAINTAINER = Text(
    "Báo mã lỗi này cho người phụ trách kỹ thuật; danh mục không sai.",
    "Report this code to whoever maintains the software; the catalogue is right as it is.",
)
PROOF = Meaning(
    AuthorisationFailed,
    Text("Khóa bí mật của ứng dụng không khớp với mã truy cập.", "The app's secret does not belong to the token."),
    Text("Nhập lại app_secret bằng “caybeo accounts add”.", "Enter app_secret again with “caybeo accounts add”."),
)
FORBIDDEN = Meaning(
    AuthorisationFailed,
    Text("Mã truy cập không có quyền với danh mục này.", "The token has no permission for this catalogue."),
    GRANT,
)


def _token(vi: str, en: str) -> Meaning:
    return Meaning(AuthorisationFailed, Text(vi, en), NEW_TOKEN)


CODES: dict[str, Meaning] = {
    "1": Meaning(Unanswered),
    "2": Meaning(Unanswered),
    TOO_MUCH: Meaning(
        Refused, Text("Facebook báo lô quá lớn.", "The batch is too large for Facebook."), TELL_MAINTAINER
    ),
    **dict.fromkeys(("4", "17", "32", "341", "613", *map(str, range(80000, 80015))), Meaning(Throttled)),
    "368": Meaning(
        AuthorisationFailed,
        Text("Facebook tạm khóa tài khoản này vì chính sách: {words}", "Facebook has blocked this account: {words}"),
        Text(
            "Mở Chất lượng tài khoản của Meta để xem lý do và khiếu nại; khi được mở lại, chạy lại.",
            "Open Meta's Account Quality for the reason and to appeal; run again once it is lifted.",
        ),
    ),
    "3": FORBIDDEN,
    "10": FORBIDDEN,
    **dict.fromkeys(map(str, range(200, 300)), FORBIDDEN),
    "102": _token("Mã truy cập không còn hiệu lực.", "The token is no longer valid."),
    "190": _token("Mã truy cập không còn hiệu lực.", "The token is no longer valid."),
    "190/458": _token("Ứng dụng đã bị gỡ khỏi tài khoản.", "The app was removed from the account."),
    "190/460": _token("Mật khẩu đã đổi nên mã truy cập hết hiệu lực.", "The password was changed: the token ended."),
    "190/463": _token("Mã truy cập đã hết hạn.", "The token has expired."),
    "190/464": _token("Tài khoản Facebook chưa được xác nhận.", "The Facebook account is not confirmed."),
    "104": PROOF,
    "100/proof": PROOF,
    "100/33": Meaning(
        Misconfigured,
        Text("Facebook không thấy danh mục có số này.", "Facebook finds no catalogue of that number."),
        Text("Kiểm tra catalog_id và quyền của mã truy cập.", "Check catalog_id and the token's permissions."),
    ),
    "100": Meaning(
        Refused,
        Text("Facebook không hiểu yêu cầu: {words}", "Facebook did not take the call: {words}"),
        TELL_MAINTAINER,
    ),
    "506": Meaning(Refused, Text("Tin bị trùng.", "A duplicate post."), TELL_MAINTAINER),
    "10800": Meaning(Refused, Text("Mã SKU đã có trong danh mục.", "The SKU is there already."), TELL_MAINTAINER),
}

# An item's errors are words alone [V CB]; what stands in them -> our field. The first that fits counts.
FIELDS = (
    ("image", "images"), ("sale_price", "list_price"), ("price", "price"), ("description", "description"),
    ("title", "name"), ("brand", "brand"), ("gtin", "gtin"), ("google_product_category", "category"),
    ("inventory", "stock"), ("availability", "stock"), ("retailer_id", "sku"),
)  # fmt: skip
NO_SUCH_ITEM = re.compile(r"cannot create a product item|could not find product item", re.IGNORECASE)
OUR_MISTAKE = re.compile(r"duplicate retailer_id|unknown field|must not", re.IGNORECASE)


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here. An error may come with HTTP 200, a throttle comes with 400."""
    if not isinstance(data, dict):
        return OtherShape("not-an-object") if response.is_success else Unanswered(f"HTTP {response.status_code}")
    if "error" in data:
        try:
            return error_of(typed(data, _Body).error, response.headers)
        except msgspec.ValidationError:
            return OtherShape("unexpected-error")
    if data.get("success") is False:
        return Unanswered("not-successful")
    return None if response.is_success else Unanswered(f"HTTP {response.status_code}")


def error_of(fault: GraphError, headers: httpx.Headers) -> ConnectorError:
    """A code that the table lacks is a refusal in Meta's own words, unless it calls itself transient."""
    code = _code(fault)
    words = _words(fault)
    meaning = CODES.get(code)
    if meaning is not None and meaning.kind is Throttled:
        return Throttled(code, words, retry_after=seconds_to_wait(headers))
    if fault.is_transient:
        return Unanswered(code, words) if meaning else unlisted(Unanswered(code, words))
    if meaning is None:
        return unlisted(Refused(code, words))
    return meaning.kind(code, words, message=meaning.message, next_step=meaning.next_step)


def item_error(words: str) -> ConnectorError:
    """Of one item. That it could not be made says that what we believed to be there is not."""
    field = next((ours for theirs, ours in FIELDS if theirs in words.lower()), "")
    if NO_SUCH_ITEM.search(words):
        return Conflict("no-such-item", words)
    step = TELL_MAINTAINER if OUR_MISTAKE.search(words) else None
    return Refused("item", words or "?", field=field, next_step=step)


def seconds_to_wait(headers: httpx.Headers) -> float | None:
    """The longest of all entries: an object by business, each with a list. There is no Retry-After."""
    try:
        said = msgspec.json.decode(headers.get(USAGE, ""), type=dict[str, list[_Usage]])
    except (msgspec.MsgspecError, RecursionError):
        return None
    minutes = max((entry.estimated_time_to_regain_access for some in said.values() for entry in some), default=0.0)
    return minutes * 60 or None


def _code(fault: GraphError) -> str:
    if fault.code in (1, 2) and REDUCE in fault.message:
        return TOO_MUCH
    if fault.code == 100 and "appsecret_proof" in fault.message:
        return "100/proof"
    exact = f"{fault.code}/{fault.error_subcode}"
    return exact if exact in CODES else str(fault.code)


def _words(fault: GraphError) -> str:
    """With the trace id that Meta's support asks for; a token that the message repeats is cut out."""
    words = TOKENS.sub("…", fault.message)
    return f"{words} [{fault.fbtrace_id[:40]}]" if fault.fbtrace_id else words

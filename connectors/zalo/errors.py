"""What Zalo's codes mean: HTTP 200 for nearly every failure, so the number in `error` says it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import httpx

from connectors.errors import (
    AuthorisationFailed,
    ConnectorError,
    Misconfigured,
    OtherShape,
    Refused,
    Throttled,
    Unanswered,
    unlisted,
)
from models.text import Text

OK, TOKEN_REFUSED = 0, frozenset({-216, -220, -124})
WORDS = 300  # characters of Zalo's own that are kept
MINUTE = 60.0  # the rate is counted in windows of a minute


class Processing(Refused):
    """The article is still being worked on: asked again later, and nothing else is done with it meanwhile."""


class NotBefore(Refused):
    """Refused until an hour of the Vietnamese day, whatever is sent."""

    hour = 0


class Quota(NotBefore):
    pass


class Night(NotBefore):
    hour = 6


class Meaning(NamedTuple):
    """Without own sentences stand those of the kind."""

    kind: type[ConnectorError]
    message: Text | None = None
    next_step: Text | None = None
    field: str = ""


MEND = Text(
    "Sửa mục “{field}” trong danh mục rồi nhập lại; đêm sau hệ thống tự gửi.",
    "Correct “{field}” in the catalogue and import it again; the next night sends it.",
)
TELL = Text(
    "Báo mã lỗi này cho người phụ trách kỹ thuật; danh mục không sai.",
    "Report this code to whoever maintains the software; the catalogue is right as it is.",
)
CONSENT = Text(
    "Quản trị viên của OA cấp quyền lại cho ứng dụng trên developers.zalo.me, rồi nhập cặp mã mới bằng “caybeo "
    "accounts add”.",
    "An administrator of the OA grants the app access again on developers.zalo.me; then enter the new pair of tokens "
    "with “caybeo accounts add”.",
)
OA_PAGE = Text(
    "Mở oa.zalo.me, xử lý ở đó (xác thực, gói dịch vụ), rồi chạy lại.",
    "Settle it on oa.zalo.me (verification, package), then run again.",
)
APP_PAGE = Text(
    "Mở developers.zalo.me, kiểm tra ứng dụng và các nhóm API đã bật, rồi chạy lại.",
    "Check the app and its API groups on developers.zalo.me, then run again.",
)
PICTURE = Text(
    "Kiểm tra ảnh có mở được từ Internet và không quá 1 MB, rồi nhập lại.",
    "See that the picture opens from the Internet and has at most 1 MB, then import it again.",
)
MORE_ARTICLES = Text(
    "Nâng gói OA hoặc gỡ bớt bài viết cũ trên oa.zalo.me, rồi chạy “caybeo sync --sku …”.",
    "Take a larger package or remove old articles on oa.zalo.me, then run “caybeo sync --sku …”.",
)


def _account(vi: str, en: str, step: Text = OA_PAGE, kind: type[ConnectorError] = AuthorisationFailed) -> Meaning:
    """True of every call: the whole account stops."""
    return Meaning(kind, Text(f"{vi} ({{code}}).", f"{en} ({{code}})."), step)


def _refused(vi: str, en: str, step: Text = MEND, field: str = "", kind: type[ConnectorError] = Refused) -> Meaning:
    said = Text(f"{vi}: {{words}} (mã {{code}}).", f"{en}: {{words}} (code {{code}}).")
    return Meaning(kind, said, step, field)


TOKEN = _account("Zalo không nhận mã truy cập nữa", "Zalo no longer takes the access token", CONSENT)
NO_APP = _account("Zalo không nhận ứng dụng", "Zalo does not know the app, or has switched it off", APP_PAGE)
NO_API = _account("Ứng dụng chưa được bật API này", "The app may not use this API", APP_PAGE, Misconfigured)
OLD_API = _account("Zalo đã đóng API này", "Zalo has closed this API", TELL, Misconfigured)
PARAMETER = _refused("Zalo không nhận dữ liệu", "Zalo does not take the data")
MESSAGE = _refused("Zalo từ chối theo quy định về tin nhắn", "A rule for messages, which are not sent from here", TELL)
MEDIA = _refused("Zalo không tải được ảnh", "Zalo cannot fetch a picture", PICTURE, "images")
ARTICLES = _refused("OA đã hết số bài viết", "The OA may have no more articles", MORE_ARTICLES)
LATER = Text("Không cần làm gì: đến giờ hệ thống tự gửi lại.", "Nothing to do: it is sent again when that is over.")

TABLE: dict[int, Meaning] = {
    -32: Meaning(Throttled),
    -200: Meaning(Unanswered),
    -214: _refused("Zalo đang xử lý bài viết", "Zalo is still working on the article", LATER, kind=Processing),
    **dict.fromkeys(TOKEN_REFUSED, TOKEN),
    **dict.fromkeys((-201, -210), PARAMETER),
    **dict.fromkeys((-202, -240, -241), OLD_API),
    **dict.fromkeys((-204, -205), _account("OA đã bị xóa hoặc không tồn tại", "The OA was deleted or does not exist")),
    **dict.fromkeys(
        (-207, -208), _account("OA chưa liên kết với ứng dụng", "The OA is not linked to the app", APP_PAGE)
    ),
    **dict.fromkeys((-209, -212), NO_API),
    -211: _refused("OA đã hết lượt gọi hôm nay", "The OA's calls of today are spent", LATER, kind=Quota),
    **dict.fromkeys((-213, -217, -218, -222, -227, -230, -232, -233, -235, -244, -248, -249, -305, -311), MESSAGE),
    **dict.fromkeys((-215, -219), NO_APP),
    -221: _account("OA chưa được xác thực", "The OA is not verified"),
    -223: _account("Ứng dụng không có quyền với OA này", "The app has no permission for this OA", CONSENT),
    -224: _account("Gói dịch vụ của OA không đủ", "The OA's package does not allow it"),
    -234: _refused("Zalo không nhận vào ban đêm", "Zalo does not take it at night", LATER, kind=Night),
    -242: _account(
        "appsecret_proof sai hoặc thiếu",
        "appsecret_proof is wrong or missing",
        Text(
            "Nhập lại app_secret và đặt appsecret_proof là true bằng “caybeo accounts add”.",
            "Enter app_secret again and set appsecret_proof to true with “caybeo accounts add”.",
        ),
        Misconfigured,
    ),
    **dict.fromkeys((-320, -321), _account("Tài khoản ZCA chưa liên kết hoặc hết tiền", "ZCA is not linked or empty")),
    **dict.fromkeys((-100, -144, -1241), _refused("Zalo từ chối", "Zalo refused", TELL)),
}
# What the words of a code that means several things tell apart.
INSIDE: dict[int, tuple[re.Pattern[str], Meaning]] = {
    -200: (re.compile(r"media|photo|image|ảnh", re.IGNORECASE), MEDIA),
    -223: (re.compile(r"quota|limit|hạn mức|giới hạn|số lượng", re.IGNORECASE), ARTICLES),
}
FIELDS = (  # what the words of a refusal name -> our field; the first that fits counts
    ("title", "name"), ("author", "brand"), ("description", "price"), ("photo", "images"), ("cover", "images"),
    ("image", "images"), ("body", "description"), ("content", "description"), ("tracking_link", "sku"),
)  # fmt: skip
OAUTH: dict[str, Meaning] = {
    "-14002": _account("Zalo không nhận app_id", "Zalo does not take app_id", APP_PAGE),
    "-14003": _account("Địa chỉ chuyển hướng của ứng dụng sai", "The app's redirect address is wrong", APP_PAGE),
}
ENDED = _account(
    "Zalo không nhận mã làm mới: nó đã được dùng, hoặc đã quá 3 tháng",
    "Zalo does not take the refresh token: it was used already, or is older than three months",
    CONSENT,
)


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here. Only `error` 0 is a success; an answer without it says nothing."""
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return TOKEN.kind(f"HTTP {response.status_code}", message=TOKEN.message, next_step=CONSENT)
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return Misconfigured(f"HTTP {response.status_code}", field="base_url")
    code = code_of(data)
    if response.status_code != httpx.codes.OK or code is None:
        return OtherShape("no-envelope", f"HTTP {response.status_code}")
    return None if code == OK else _error(code, str(data.get("message") or "")[:WORDS])


def code_of(data: Any) -> int | None:
    """The number in `error`; None where there is none."""
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _error(code: int, words: str) -> ConnectorError:
    """A code that the table lacks is a refusal in Zalo's own words, and noted."""
    sign, sharper = INSIDE.get(code, (None, None))
    meaning = sharper if sign and sharper and sign.search(words) else TABLE.get(code)
    if meaning is None:
        return unlisted(Refused(str(code), words))
    if meaning.kind is Throttled:
        return Throttled(str(code), words, retry_after=MINUTE)
    field = meaning.field or (_field(words) if meaning is PARAMETER else "")
    return meaning.kind(str(code), words, field=field, message=meaning.message, next_step=meaning.next_step)


def _field(words: str) -> str:
    return next((ours for theirs, ours in FIELDS if theirs in words.lower()), "")


def refresh_refused(data: dict[str, Any]) -> AuthorisationFailed:
    """An error of the token host: another shape, known by what it lacks. Its description may hold what was sent."""
    code = str(data.get("error") or "oauth")
    meaning = OAUTH.get(code, ENDED)
    words = str(data.get("error_name") or "")[:WORDS]
    return AuthorisationFailed(code, words, message=meaning.message, next_step=meaning.next_step)

"""What the business codes of the envelope mean. The table is our own proposal: no list of Vỏ Sò's is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from connectors.errors import (
    AuthorisationFailed,
    Conflict,
    ConnectorError,
    Misconfigured,
    OtherShape,
    Refused,
    Unanswered,
    unlisted,
)
from connectors.problems import LABELS
from models.text import Text

OK, TOKEN_INVALID, STATE_FORBIDS, DUPLICATE_MEDIA = 200, 202, 205, 207
WORDS = 500  # characters of the marketplace's own that are kept
CONTENT = Text("nội dung", "content")
FIELDS = LABELS | {
    "product_code": LABELS["sku"],
    "category_id": LABELS["category"],
    "short_description": Text("mô tả ngắn", "short description"),
    "ocop": Text("sao OCOP", "OCOP star"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What the engine does, and for a refusal the sentence and the next step; `<field>` is the field's name."""

    error: type[ConnectorError]
    message: Text | None = None
    next_step: Text | None = None


TABLE: dict[int, Meaning] = {
    201: Meaning(error=AuthorisationFailed),  # wrong name or password
    TOKEN_INVALID: Meaning(error=AuthorisationFailed),  # seen only where a fresh token is refused too
    203: Meaning(error=AuthorisationFailed),  # account locked
    204: Meaning(
        error=Refused,
        message=Text(
            "Vỏ Sò không nhận mục <field>: {words} (mã {code}).", "Vỏ Sò refuses the <field>: {words} (code {code})."
        ),
        next_step=Text(
            "Sửa mục <field> trong danh mục rồi nhập lại; đêm sau hệ thống tự gửi.",
            "Correct the <field> in the catalogue and import it again; the next night sends it.",
        ),
    ),
    STATE_FORBIDS: Meaning(error=Conflict),
    206: Meaning(error=Conflict),  # no such product, or its id and code do not belong together
    208: Meaning(
        error=Refused,
        message=Text("Vỏ Sò không nhận ảnh: {words} (mã {code}).", "Vỏ Sò refuses a picture: {words} (code {code})."),
        next_step=Text(
            "Thay bằng ảnh JPEG hoặc PNG dưới 1 MB rồi nhập lại.",
            "Replace it with a JPEG or PNG below 1 MB and import again.",
        ),
    ),
    209: Meaning(
        error=Refused,
        message=Text(
            "Vỏ Sò không đọc được yêu cầu: {words} (mã {code}).", "Vỏ Sò cannot read the request: {words} ({code})."
        ),
        next_step=Text(
            "Không sửa được trong danh mục: báo người phụ trách kỹ thuật kiểm tra kết nối Vỏ Sò.",
            "Nothing in the catalogue mends this: ask the technical staff to check the Vỏ Sò connector.",
        ),
    ),
    500: Meaning(error=Unanswered),  # "System error" does not say what was done (as in Viettel Post's partner API)
}

UPDATE_TABLE = Text(  # people never wrote a category: it follows from the product set
    "Báo người phụ trách kỹ thuật cập nhật bảng ngành hàng của Vỏ Sò; không cần nhập lại danh mục.",
    "Ask whoever maintains the software to update the table of categories; the catalogue is right as it is.",
)


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """The error in an answer; HTTP says little here, and an unlisted code is a doubt, never a success."""
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return AuthorisationFailed(f"HTTP {response.status_code}")
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return Misconfigured(f"HTTP {response.status_code}", field="base_url")
    if response.status_code != httpx.codes.OK or not is_envelope(data):
        return OtherShape("no-envelope", f"HTTP {response.status_code}")
    return None if succeeded(data) else error_of(data)


def is_envelope(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and type(data.get("status")) is int
        and isinstance(data.get("error"), bool)
        and isinstance(data.get("message"), str)
        and "data" in data
    )


def succeeded(envelope: dict[str, Any]) -> bool:
    """A picture that is already there is answered with an error and its id: all that an upload wants."""
    if envelope["status"] == DUPLICATE_MEDIA:
        return isinstance(envelope["data"], dict) and type(envelope["data"].get("media_id")) is int
    return envelope["status"] == OK and not envelope["error"]


def error_of(envelope: dict[str, Any]) -> ConnectorError:
    code, words, data = str(envelope["status"]), envelope["message"][:WORDS], envelope["data"]
    meaning = TABLE.get(envelope["status"])
    if meaning is None:
        return unlisted(Unanswered(code, words))
    if meaning.message is None or meaning.next_step is None:
        return meaning.error(code, words)
    field = str(data.get("field") or "") if isinstance(data, dict) else ""
    next_step = UPDATE_TABLE if field == "category_id" else _name(meaning.next_step, field)
    return Refused(code, words, field=field, message=_name(meaning.message, field), next_step=next_step)


def _name(sentence: Text, field: str) -> Text:
    label = FIELDS.get(field, CONTENT)  # never the marketplace's raw name: it may hold braces
    return Text(sentence.vi.replace("<field>", label.vi), sentence.en.replace("<field>", label.en))


BEING_REVIEWED = Refused(
    str(STATE_FORBIDS),
    message=Text(
        "Vỏ Sò đang duyệt sản phẩm này nên chưa nhận thay đổi.",
        "Vỏ Sò is reviewing this product and takes no change meanwhile.",
    ),
    next_step=Text("Không cần làm gì: duyệt xong hệ thống tự gửi.", "Nothing to do: it is sent after the review."),
)
NEVER_SUBMITTED = Refused(
    "draft",
    message=Text("Sản phẩm mới là bản nháp, chưa được gửi duyệt.", "The product is a draft, not yet submitted."),
    next_step=Text("Không cần làm gì: lần chạy sau tự gửi duyệt.", "Nothing to do: the next run submits it."),
)


def rejected_by_review(reason: str) -> Refused:
    return Refused(
        "review-rejected",
        reason,
        message=Text("Vỏ Sò không duyệt sản phẩm: {words}.", "Vỏ Sò's review rejected the product: {words}."),
        next_step=Text(
            "Sửa sản phẩm theo lý do trên rồi nhập lại; đêm sau hệ thống gửi duyệt lại.",
            "Correct the product as the reason says and import it again; the next night submits it again.",
        ),
    )

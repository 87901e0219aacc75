"""What the marketplace's codes mean: a table with the sentence for the person and the next step."""

from __future__ import annotations

from collections.abc import Mapping
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
from models.text import Text

STORED = (200, 201, 202)

# The marketplace's field -> ours, so that the sentence names what stands in the catalogue.
OURS = {
    "external_id": "sku",
    "group_id": "product_id",
    "category_id": "set_no",
    "price_vnd": "price",
    "list_price_vnd": "list_price",
    "ocop": "certificates",
    "file": "images",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Without own sentences the marketplace's words are shown."""

    kind: type[ConnectorError] = Refused
    message: Text | None = None
    next_step: Text | None = None


DATA = Failure()  # its message_vi names field and limit well enough, MEND names the field to correct
BUG = Failure(
    message=Text(
        "Sàn không hiểu yêu cầu: {words} (mã {code}).", "The marketplace did not understand: {words} ({code})."
    ),
    next_step=Text(
        "Gửi mã lỗi này cho người phụ trách kỹ thuật; dữ liệu của anh/chị không sai.",
        "Give this code to whoever maintains the software; your data are not at fault.",
    ),
)

CODES: dict[str, Failure] = {
    # the account
    "invalid_token": Failure(kind=AuthorisationFailed),
    "forbidden": Failure(kind=AuthorisationFailed),
    "unknown_path": Failure(kind=Misconfigured),
    # the state over there
    "not_found": Failure(kind=Conflict),
    "stale_revision": Failure(kind=Conflict),
    "already_exists": Failure(kind=Conflict),
    # the request itself
    "malformed": BUG,
    "method_not_allowed": BUG,
    "missing_header": BUG,
    "bad_header": BUG,
    "bad_parameter": BUG,
    "unknown_field": BUG,
    "wrong_type": BUG,
    "idempotency_key_reused": BUG,
    "not_announced": BUG,
    "not_nfc": BUG,
    # the data
    "missing": DATA,
    "too_short": DATA,
    "too_long": DATA,
    "out_of_range": DATA,
    "bad_format": DATA,
    "control_character": DATA,
    "duplicate": DATA,
    "list_price_below_price": Failure(
        message=Text("Giá niêm yết thấp hơn giá bán.", "The list price is below the selling price."),
        next_step=Text("Sửa giá niêm yết hoặc bỏ trống rồi nhập lại.", "Correct or clear the list price, then import."),
    ),
    "unknown_category": Failure(
        message=Text("Sàn không còn ngành hàng đang dùng.", "The marketplace no longer has the category in use."),
        next_step=Text(
            "Báo người phụ trách kỹ thuật cập nhật bảng ngành hàng của sàn.",
            "Ask whoever maintains the software to update the table of categories.",
        ),
    ),
    "ocop_claim": Failure(
        message=Text(
            "Tên, mô tả hoặc mục nhãn hiệu có chữ OCOP nhưng sản phẩm không có giấy chứng nhận còn hạn.",
            "Name, description or marks say OCOP, but the product has no valid certificate.",
        ),
        next_step=Text(
            "Bổ sung giấy chứng nhận còn hạn, hoặc bỏ chữ OCOP rồi nhập lại.",
            "Add the valid certificate, or remove the word OCOP, then import again.",
        ),
    ),
    "ocop_expired": Failure(
        message=Text("Giấy chứng nhận OCOP đã hết hạn.", "The OCOP certificate has expired."),
        next_step=Text(
            "Nhập giấy chứng nhận mới; nếu chưa có, sao sẽ được gỡ khỏi tin.",
            "Import the new certificate; without one the star is taken off the listing.",
        ),
    ),
    # pictures
    "too_large": Failure(
        message=Text("Ảnh nặng hơn 2 MB.", "A picture is larger than 2 MB."),
        next_step=Text("Lưu lại ảnh cho nhỏ hơn 2 MB rồi nhập lại.", "Save it below 2 MB and import it again."),
    ),
    "unsupported_media": Failure(
        message=Text("Ảnh không phải JPEG hoặc PNG.", "A picture is neither JPEG nor PNG."),
        next_step=Text("Lưu lại ảnh dạng JPEG rồi nhập lại.", "Save the picture as JPEG and import it again."),
    ),
    # moderation
    "contact_data": Failure(
        message=Text("Sàn không duyệt tin: {words}", "The marketplace did not approve the listing: {words}"),
        next_step=Text(
            "Bỏ số điện thoại, email và đường dẫn khỏi mục “{field}” rồi nhập lại.",
            "Remove phone numbers, e-mail addresses and links from “{field}”, then import again.",
        ),
    ),
}

# For a 4xx whose code the table does not know.
STATUSES: dict[int, type[ConnectorError]] = {401: AuthorisationFailed, 403: AuthorisationFailed, 409: Conflict}


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """None for the documented successes; any other status below 400 is no answer that can be trusted."""
    status = response.status_code
    if status in STORED:
        return None if isinstance(data, dict) else OtherShape("not-an-object")
    if status < httpx.codes.BAD_REQUEST:
        return Unanswered(f"HTTP {status}")
    faults = faults_in(data)
    if not faults:
        return STATUSES.get(status, Refused)(f"HTTP {status}")
    words = " ".join(fault["message_vi"] for fault in faults)
    return failure(faults[0], words, STATUSES.get(status, Refused))


def failure(fault: Mapping[str, str], words: str, otherwise: type[ConnectorError]) -> ConnectorError:
    """One entry of `errors` as the engine knows it."""
    code = fault["code"]
    kind = CODES[code].kind if code in CODES else otherwise
    error = refusal(code, fault["field"], words) if kind is Refused else kind(code, words)
    return error if code in CODES else unlisted(error)


def refusal(code: str, field: str, words: str) -> Refused:
    """This one product is refused: by a rule, or by a moderator."""
    known = CODES.get(code, DATA)
    return Refused(code, words, field=OURS.get(field, field), message=known.message, next_step=known.next_step)


def faults_in(data: Any) -> list[dict[str, str]]:
    """The documented error body; empty where it is something else."""
    faults = data.get("errors") if isinstance(data, dict) else None
    return faults if isinstance(faults, list) and all(map(is_fault, faults)) else []


def is_fault(fault: Any) -> bool:
    return isinstance(fault, dict) and all(isinstance(fault.get(name), str) for name in ("field", "code", "message_vi"))

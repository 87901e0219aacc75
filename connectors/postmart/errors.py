"""What Postmart's codes mean, of a whole call and of one item alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx
import msgspec

from connectors.errors import (
    AuthorisationFailed,
    ClockSkew,
    Conflict,
    ConnectorError,
    Misconfigured,
    OtherShape,
    Refused,
    Unanswered,
    unlisted,
)
from connectors.typed import typed
from models.text import Text


class Meaning(NamedTuple):
    kind: type[ConnectorError]
    message: Text
    next_step: Text


class Fault(msgspec.Struct, frozen=True):
    """The documented error object; `field` is a path such as `content.name`."""

    code: str
    message_vi: str = ""
    field: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: Fault


MEND = Text(
    "Sửa mục “{field}” trong danh mục rồi nhập lại; đêm sau hệ thống tự gửi.",
    "Correct “{field}” in the catalogue and import it again; the next night sends it.",
)
TELL_MAINTAINER = Text(
    "Báo mã lỗi này cho người phụ trách kỹ thuật.", "Report this code to the maintainer of the software."
)
UPDATE_TABLE = Text(
    "Báo người phụ trách kỹ thuật cập nhật bảng ngành hàng của sàn; không cần nhập lại danh mục.",
    "Ask whoever maintains the software to update the table of categories; the catalogue is right as it is.",
)
ENTER_AGAIN = Text(
    "Nhập lại mã khách (client id) và khóa bí mật (client secret) bằng “caybeo accounts add”.",
    "Enter client id and secret again with “caybeo accounts add”.",
)
NOTHING = Text("Không cần làm gì: lần chạy sau tự đọc lại rồi gửi.", "Nothing to do: the next run reads it back first.")

OUR_FIELDS = {
    "content.name": "name",
    "content.brand": "brand",
    "content.short_description": "description",
    "content.description": "description",
    "content.categories": "category",
    "content.ocop": "certificate",
    "price.price_vnd": "price",
    "price.list_price_vnd": "list_price",
    "stock.qty": "stock",
    "external_id": "sku",
}
UNKNOWN_MEDIA = "unknown_media"
UNKNOWN_BATCH = "unknown_batch"


def _mend(vi: str, en: str) -> Meaning:
    return Meaning(Refused, Text(vi, en), MEND)


def _ours(vi: str, en: str) -> Meaning:
    return Meaning(Refused, Text(vi, en), TELL_MAINTAINER)


CODES: dict[str, Meaning] = {
    # the account
    "unknown_client": Meaning(
        AuthorisationFailed, Text("Sàn không biết mã khách này.", "The client id is unknown there."), ENTER_AGAIN
    ),
    "bad_signature": Meaning(
        AuthorisationFailed, Text("Chữ ký không khớp với khóa bí mật.", "The signature is wrong."), ENTER_AGAIN
    ),
    "clock_skew": Meaning(
        ClockSkew,
        Text("Đồng hồ máy này lệch quá 5 phút so với sàn.", "This machine's clock is more than 5 minutes off."),
        Text("Bật đồng bộ giờ cho máy rồi chạy lại.", "Turn on time synchronisation, then run again."),
    ),
    "unknown_path": Meaning(
        Misconfigured,
        Text("Địa chỉ API không đúng.", "The API's address is wrong."),
        Text("Kiểm tra --base-url của tài khoản.", "Check the account's --base-url."),
    ),
    # one item
    "invalid_value": _mend("Giá trị ở “{field}” không hợp lệ: {words}", "The value of “{field}” is invalid: {words}"),
    "not_nfc": _mend("Chữ ở “{field}” không đúng chuẩn Unicode NFC.", "The text of “{field}” is not in Unicode NFC."),
    "unknown_category": Meaning(
        Refused,
        Text("Ngành hàng không có trên sàn: {words}", "The marketplace has no such category: {words}"),
        UPDATE_TABLE,
    ),
    "ocop_mismatch": _mend(
        "Ngành hàng OCOP và thông tin sao không đi cùng nhau.", "OCOP category and star details must come together."
    ),
    "ocop_expired": Meaning(
        Refused,
        Text("Giấy chứng nhận OCOP đã hết hạn.", "The OCOP certificate has expired."),
        Text(
            "Nhập giấy chứng nhận mới, hoặc bỏ hạng sao của sản phẩm rồi nhập lại danh mục.",
            "Import the new certificate, or remove the star and import the catalogue again.",
        ),
    ),
    "list_price_too_low": _mend("Giá niêm yết thấp hơn giá bán.", "The list price is below the price."),
    "html_not_allowed": _mend("Mô tả chứa thẻ HTML sàn không nhận.", "The description holds HTML that is refused."),
    UNKNOWN_MEDIA: Meaning(
        Refused,
        Text("Sàn không còn giữ một ảnh của sản phẩm.", "The marketplace no longer has one of the pictures."),
        Text("Không cần làm gì: lần chạy sau tải ảnh lên lại.", "Nothing to do: the next run uploads it again."),
    ),
    "unknown_product": Meaning(
        Conflict, Text("Sàn không có sản phẩm này.", "The marketplace has no such product."), NOTHING
    ),
    # a picture
    "media_too_large": _mend("Ảnh lớn hơn 2 MB.", "The picture is larger than 2 MB."),
    "unsupported_media": _mend("Ảnh không phải PNG hay JPEG.", "The picture is neither PNG nor JPEG."),
    # a whole call: our mistake, whatever the data
    "idempotency_clash": Meaning(
        Conflict, Text("Khóa chống trùng đã dùng cho lô khác.", "The idempotency key names another batch."), NOTHING
    ),
    UNKNOWN_BATCH: _ours("Sàn không biết lô này.", "The marketplace does not know this batch."),
    "unknown_field": _ours("Sàn không biết trường “{field}”.", "The marketplace has no field “{field}”."),
    "missing_field": _ours("Thiếu trường “{field}”.", "The field “{field}” is missing."),
    "bad_ndjson": _ours("Lô gửi đi không đúng dạng NDJSON.", "The batch is not NDJSON."),
    "empty_batch": _ours("Lô gửi đi không có dòng nào.", "The batch is empty."),
    "too_many_items": _ours("Lô gửi đi có quá nhiều dòng.", "The batch has too many lines."),
    "duplicate_external_id": _ours("Một mã SKU có hai lần trong lô.", "A SKU is twice in the batch."),
    "idempotency_key_required": _ours("Thiếu khóa chống trùng.", "The idempotency key is missing."),
    "unsupported_type": _ours("Sàn không nhận kiểu nội dung này.", "This content type is not accepted."),
    "bad_parameter": _ours("Tham số “{field}” không hợp lệ.", "The parameter “{field}” is invalid."),
}


def error_of(fault: Fault) -> ConnectorError:
    """A code that the documents do not know is a refusal in the marketplace's own words, never a success."""
    meaning = CODES.get(fault.code)
    field = OUR_FIELDS.get(fault.field, fault.field)
    if meaning is None:
        return unlisted(Refused(fault.code, fault.message_vi, field=field))
    said = {"message": meaning.message, "next_step": meaning.next_step}
    return meaning.kind(fault.code, fault.message_vi, field=field, **said)


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here; anything but 2xx without the documented body cannot be trusted."""
    if response.is_success:
        return None if isinstance(data, dict) else OtherShape("not-an-object")
    try:
        return error_of(typed(data, _Body).error)
    except msgspec.ValidationError:
        return Unanswered(f"HTTP {response.status_code}")

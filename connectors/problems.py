"""Why a mapping calls an item unlistable: the reasons several marketplaces share, each with its next step."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from models.catalogue import Money
from models.listing import Item, Problem
from models.text import Text, number

LABELS: dict[str, Text] = {
    "name": Text("tên sản phẩm", "product name"),
    "brand": Text("nhãn hiệu", "brand"),
    "description": Text("mô tả", "description"),
    "category": Text("ngành hàng", "category"),
    "price": Text("giá bán", "price"),
    "list_price": Text("giá niêm yết", "list price"),
    "stock": Text("tồn kho", "stock"),
    "images": Text("ảnh", "pictures"),
    "sku": Text("mã SKU", "SKU"),
    "set_no": Text("bộ sản phẩm", "product set"),
    "pack": Text("quy cách", "pack"),
    "english": Text("tên và mô tả tiếng Anh", "English name and texts"),
    "name_en": Text("tên tiếng Anh", "English name"),
    "description_en": Text("mô tả tiếng Anh", "English description"),
    "ingredients_en": Text("thành phần tiếng Anh", "English ingredients"),
    "storage_en": Text("cách bảo quản tiếng Anh", "English storage"),
    "usage_en": Text("hướng dẫn sử dụng tiếng Anh", "English directions"),
    "warnings_en": Text("cảnh báo tiếng Anh", "English warnings"),
    "english_illustrative": Text("bản tiếng Anh chỉ để thử", "English text is a sample"),
    "gtin": Text("mã vạch", "barcode"),
    "certificate": Text("chứng nhận OCOP", "OCOP certificate"),
    "ingredients": Text("thành phần", "ingredients"),
    "shelf_life": Text("hạn sử dụng", "shelf life"),
    "storage": Text("cách bảo quản", "storage"),
    "usage": Text("hướng dẫn sử dụng", "usage"),
    "warnings": Text("cảnh báo", "warnings"),
    "origin": Text("xuất xứ", "origin"),
    "marks": Text("nhãn hiệu, chứng nhận", "marks"),
    "legal_name": Text("tên chủ thể", "producer"),
    "producer_type": Text("loại hình chủ thể", "kind of producer"),
    "commune": Text("xã/phường", "commune"),
    "province": Text("tỉnh", "province"),
    "price_confirmed_on": Text("ngày xác nhận giá", "price confirmed on"),
    "illustrative": Text("giá minh họa", "made-up price"),
    "product_id": Text("mã sản phẩm", "product id"),
    "unit": Text("quy cách", "pack"),
}

ANY_SIDE = range(1, sys.maxsize)
HTML = re.compile(r"<[a-zA-Z/!][^>]*>")


def label(field: str) -> Text:
    """The field as a shop owner calls it."""
    return LABELS.get(field, Text(field, field))


def correct(field: str) -> Text:
    """The next step where a person has to mend one field."""
    name = label(field)
    return Text(f"Sửa {name.vi} rồi nhập lại.", f"Correct the {name.en} and import it again.")


def amiss(code: str, field: str, vi: str, en: str) -> Problem:
    """What is wrong with one field, as the end of a sentence that begins with its name."""
    name = label(field)
    message = Text(f"Mục {name.vi} {vi}.", f"The {name.en} {en}.")
    return Problem(code=code, field=field, message=message, next_step=correct(field))


def too_long(field: str, length: int, limit: int) -> Problem:
    name = label(field)
    return Problem(
        code="too-long",
        field=field,
        message=Text(
            f"Mục {name.vi} dài {number(length)} ký tự, sàn chỉ nhận {number(limit)}.",
            f"The {name.en} has {number(length)} characters, the marketplace takes {number(limit)}.",
        ),
        next_step=Text(f"Rút ngắn {name.vi} rồi nhập lại.", f"Shorten the {name.en} and import it again."),
    )


def ill_sized(texts: Iterable[tuple[str, str, int]], required: Collection[str] = ()) -> Iterator[Problem]:
    """Of each field its text as it is sent, and how many characters are taken."""
    for field, text, limit in texts:
        if not text and field in required:
            yield missing(field)
        if len(text) > limit:
            yield too_long(field, len(text), limit)


def with_html(texts: Iterable[tuple[str, str]], title: str) -> Iterator[Problem]:
    """Of a marketplace that takes plain text."""
    for field, text in texts:
        if HTML.search(text):
            vi, en = f"có thẻ HTML, {title} chỉ nhận chữ thường", f"holds HTML, {title} takes plain text"
            yield amiss("html", field, vi, en)


def too_many_bytes(field: str, text: str, limit: int, title: str) -> Problem:
    size = number(len(text.encode()))
    vi = f"dài {size} byte, {title} chỉ nhận {number(limit)} (một chữ có dấu chiếm 2–3 byte)"
    en = f"has {size} bytes, {title} takes {number(limit)} (a marked letter needs 2-3)"
    return amiss("too-many-bytes", field, vi, en)


def forbidden(field: str, found: str, title: str) -> Problem:
    return amiss("forbidden", field, f"chứa ký tự {title} không nhận: {found}", f"holds what is refused: {found}")


def whole_dong(price: Money, most: int, least: int = 1) -> bool:
    return price.currency == "VND" and price.amount == int(price.amount) and least <= price.amount <= most


def unsellable(
    item: Item, most_price: int, most_stock: int | None = None, *, least_price: int = 1, code: str = "out-of-range"
) -> Iterator[Problem]:
    """Prices that are not `least_price` to `most_price` whole đồng, and a stock beyond its bounds."""
    for field, price in (("price", item.price), ("list_price", item.list_price)):
        if price and not whole_dong(price, most_price, least_price):
            least, most = number(least_price), number(most_price)
            vi, en = f"phải là số đồng nguyên từ {least} đến {most}", f"must be {least} to {most} whole đồng"
            yield amiss(code, field, vi, en)
    yield from _ill_stocked(item.stock, most_stock, code)


def unsellable_abroad(
    item: Item,
    title: str,
    decimals: Mapping[str, int],
    fields: Iterable[str] = ("price",),
    *,
    most_price: int | None = None,
    most_stock: int | None = None,
) -> Iterator[Problem]:
    """The same of prices in one of the currencies that have so many `decimals`; what is in đồng lacks its rate."""
    if item.price.currency not in decimals:
        yield wrong_currency(title, tuple(decimals), item.price.currency)
        fields = ()
    for field in fields:
        price: Money | None = getattr(item, field)
        digits = decimals[item.price.currency]
        if price and (price.amount <= 0 or price.amount != round(price.amount, digits)):
            vi, en = f"phải lớn hơn 0, tối đa {digits} số lẻ", f"must be above 0 with at most {digits} decimals"
            yield amiss("unusable", field, vi, en)
        elif price and most_price is not None and price.amount > most_price:
            most = f"{number(most_price)} {price.currency}"
            yield amiss("unusable", field, f"không được lớn hơn {most}", f"must not be above {most}")
    yield from _ill_stocked(item.stock, most_stock, "out-of-range")


def _ill_stocked(stock: int, most: int | None, code: str) -> Iterator[Problem]:
    if stock < 0:
        yield amiss(code, "stock", "không được nhỏ hơn 0", "must not be below 0")
    elif most is not None and stock > most:
        yield amiss(code, "stock", f"không được lớn hơn {number(most)}", f"must not be above {number(most)}")


def elsewhere(code: str, vi: str, en: str) -> Problem:
    """What a marketplace never sells, whatever is written about it."""
    step = Text("Bán mặt hàng này ở kênh khác.", "Sell this item elsewhere.")
    return Problem(code=code, field="set_no", message=Text(vi, en), next_step=step)


def no_usable_picture(megabytes: int, sides: range = ANY_SIDE, *, longer: bool = False) -> Problem:
    """Of JPEG and PNG; `sides` in pixels, of both or of the longer one alone."""
    vi, en = f"phải có ảnh JPEG hoặc PNG tối đa {megabytes} MB", f"need a JPEG or PNG of at most {megabytes} MB"
    if sides != ANY_SIDE:
        wanted = number(sides[0]) + (f"–{number(sides[-1])}" if sides.stop < ANY_SIDE.stop else "+")
        which = ("cạnh dài", "on its longer side") if longer else ("mỗi cạnh", "a side")
        vi, en = f"{vi}, {which[0]} {wanted} điểm ảnh", f"{en}, {wanted} pixels {which[1]}"
    return amiss("no-usable-picture", "images", vi, en)


def missing(field: str) -> Problem:
    name = label(field)
    return Problem(
        code="missing",
        field=field,
        message=Text(
            f"Thiếu {name.vi}, sàn bắt buộc phải có.", f"Missing: the {name.en}; the marketplace requires it."
        ),
        next_step=Text(f"Bổ sung {name.vi} rồi nhập lại.", f"Add the {name.en} and import it again."),
    )


def unmapped(set_no: int | None) -> Problem:
    return Problem(
        code="unmapped-category",
        field="set_no",
        message=Text(
            f"Sàn chưa có ngành hàng cho bộ sản phẩm số {set_no}." if set_no else "Chưa biết bộ sản phẩm (1–26).",
            f"The marketplace has no category for product set {set_no}."
            if set_no
            else "The product set (1-26) is unknown.",
        ),
        next_step=Text(
            "Ghi đúng bộ sản phẩm, hoặc không bán mặt hàng này trên sàn này.",
            "Enter the right product set, or do not sell this item here.",
        ),
    )


def missing_english(title: str) -> Problem:
    """Of a marketplace whose buyers read English; nothing is ever translated by a machine."""
    return Problem(
        code="missing-english",
        field="english",
        message=Text(
            f"Thiếu tên hoặc mô tả tiếng Anh do người viết; {title} bán cho người mua nước ngoài.",
            f"Missing: an English name and description written by a person; {title} sells to buyers abroad.",
        ),
        next_step=Text(
            "Thêm cột name_en và description_en vào danh mục rồi nhập lại.",
            "Add the columns name_en and description_en to the catalogue and import it again.",
        ),
    )


def wrong_currency(title: str, taken: Sequence[str], currency: str) -> Problem:
    names = ", ".join(taken)
    return Problem(
        code="wrong-currency",
        field="price",
        message=Text(
            f"{title} chỉ nhận giá bằng {names}, gian hàng này đang đặt {currency}.",
            f"{title} takes prices in {names} only, this shop has {currency}.",
        ),
        next_step=Text(
            f"Đặt tỷ giá: “caybeo accounts rate TÊN --currency {taken[0]} --rate 26.000”.",
            f"Set a rate: “caybeo accounts rate NAME --currency {taken[0]} --rate 26000”.",
        ),
    )

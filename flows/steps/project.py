"""Product -> what may be shown today -> Listing or Unlistable. Pure: no clock, network or database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_UP, Decimal

from connectors.contract import Policy
from models.catalogue import PRICE_FRESH_DAYS, SERVICE_SET, Certificate, English, Image, Money, Product, Variant
from models.listing import Item, Listing, Problem, Unlistable
from models.text import WHOLE, Text, day, money
from models.value import Value, replace

SHOWN_TEXTS = ("name", "description", "ingredients", "storage", "usage", "warnings")
TOO_OLD = timedelta(days=PRICE_FRESH_DAYS + 1)
# domain.md §9.8: no telephone number, e-mail, bank account or outside link inside a listing's texts.
CONTACT = re.compile(
    r"(?P<link>https?://|www\.|\b[\w-]+\.(?:com|vn|net|org)\b)"
    r"|(?P<mail>[\w.+-]+@[\w-]+\.\w+)"
    r"|(?P<phone>(?<!\d)(?:\+?84|0)(?:[ .()\-]{0,2}\d){8,10}(?!\d))",
    re.IGNORECASE,
)
# The mark and its stars: "OCOP", "#OCOP4", "OCOP 4 sao", "(đạt 3 sao OCOP)", "4 SAO", "★★★★".
MARK = re.compile(
    r"\(?\s*(?:đạt\s+)?(?:[3-5][\s-]*(?:sao|stars?)\s*)?[_#]*OCOP_*(?:\s*[3-5][\s-]*(?:sao\b|stars?\b|\*)|[3-5]\b)?\s*\)?"
    r"|\(?\s*(?:đạt\s+)?\b[3-5]\s*sao\b\s*\)?"
    r"|\(?\s*[3-5]-stars?\b(?!\s+anise)\s*\)?"
    r"|[★⭐]+",
    re.IGNORECASE,
)
PROSE = ("ingredients", "shelf_life", "storage", "usage", "warnings", "origin")


class Projection(Value, frozen=True, kw_only=True):
    """`calendar` is the next day on which the same record must be judged again; `notes` are worth telling anyway."""

    listing: Listing | Unlistable
    notes: tuple[Problem, ...]
    calendar: date | None
    price: Decimal | None
    stock: int | None


def project(
    product: Product,
    sku: str,
    policy: Policy,
    mapping: Callable[[Item, Policy], Listing | Unlistable],
    today: date,
) -> Projection:
    """Applies the domain's rules, then the marketplace's mapping."""
    variant = next((v for v in product.variants if v.sku == sku), None)
    if variant is None:
        return nothing(sku, (GONE,))
    problems = _refusals(product, variant, policy)
    calendar = _calendar(product, variant, today)
    if problems:
        return nothing(sku, problems, calendar)
    certificate = product.certificate_on(today)
    listing = mapping(_item(product, variant, certificate, policy), policy)
    price = variant.price.amount if variant.price else None
    notes = _notes(product, variant, certificate, today)
    return Projection(listing=listing, notes=notes, calendar=calendar, price=price, stock=variant.stock)


def nothing(sku: str, problems: tuple[Problem, ...], calendar: date | None = None) -> Projection:
    """This SKU must not be shown."""
    return Projection(
        listing=Unlistable(key=sku, problems=problems), notes=(), calendar=calendar, price=None, stock=None
    )


def _refusals(product: Product, variant: Variant, policy: Policy) -> tuple[Problem, ...]:
    """Every reason of the law or of common sense why this must not be shown; empty means it may."""
    found = []
    if product.set_no == SERVICE_SET:
        found.append(SERVICE)
    if product.is_alcohol and not (policy.age_gate and policy.cashless_only):
        found.append(ALCOHOL)
    if variant.illustrative and not policy.sandbox:
        found.append(ILLUSTRATIVE)
    found += _price_refusals(variant)
    if policy.currency != "VND" and not policy.rate:
        found.append(_no_rate(policy.currency))
    found += [_contact(field, hit) for field, hit in _contacts(product)]
    return tuple(found)


def _price_refusals(variant: Variant) -> list[Problem]:
    if variant.price is None:
        return [NO_PRICE]
    found = []
    amount, listed = variant.price.amount, variant.list_price
    if variant.price.currency != "VND" or amount <= 0 or amount != amount.to_integral_value():
        found.append(ODD_PRICE)
    if listed and amount > listed.amount:
        found.append(_above_list_price(amount, listed.amount))
    if variant.stock is None:
        found.append(NO_STOCK)
    return found


def _contacts(product: Product) -> list[tuple[str, str]]:
    """Every text that a listing may show, with the contact data found in it."""
    texts = ((name, getattr(product, name)) for name in SHOWN_TEXTS)
    abroad = [("english", getattr(product.english, name)) for name in SHOWN_TEXTS] if product.english else []
    return [(field, hit.group(0)) for field, text in (*texts, *abroad) if text and (hit := CONTACT.search(text))]


def _item(product: Product, variant: Variant, certificate: Certificate | None, policy: Policy) -> Item:
    assert variant.price is not None  # noqa: S101  # _refusals has seen to it
    said = {field: getattr(product, field) for field in PROSE}
    prose = said if certificate else {field: unmarked_lines(text) for field, text in said.items()}
    return Item(
        sku=variant.sku,
        group=product.product_id,
        name=product.name if certificate else unmarked(product.name),
        brand=product.brand if certificate else unmarked(product.brand),
        description=description(product, variant, certificate),
        producer=product.producer,
        price=_abroad(variant.price, policy),
        list_price=variant.list_price and _abroad(variant.list_price, policy),
        price_confirmed_on=variant.price_confirmed_on,
        stock=variant.stock or 0,
        pack=variant.pack if certificate else unmarked(variant.pack),
        gtin=variant.gtin,
        set_no=product.set_no,
        certificate=certificate,
        is_alcohol=product.is_alcohol,
        alcohol_percent=product.alcohol_percent,
        **prose,
        marks=product.marks if certificate else unmarked_parts(product.marks),
        images=_images(product.images, policy),
        english=_english(product.english, certificate, policy),
    )


def _abroad(price: Money, policy: Policy) -> Money:
    """In the account's currency, rounded up to its smallest coin: never cheaper than the record."""
    if policy.rate is None or policy.currency == price.currency:
        return price
    coin = Decimal(1) if policy.currency in WHOLE else Decimal("0.01")
    return Money(amount=(price.amount / policy.rate).quantize(coin, ROUND_UP), currency=policy.currency)


def _english(texts: English | None, certificate: Certificate | None, policy: Policy) -> English | None:
    """Sample texts are for the sandbox only; a star needs its certificate in every language."""
    if texts is None or (texts.illustrative and not policy.sandbox):
        return None
    if certificate:
        return texts
    return replace(texts, **{name: unmarked_lines(getattr(texts, name)) for name in SHOWN_TEXTS})


def unmarked(text: str) -> str:
    """The text without the OCOP mark and its stars, which only a valid certificate allows."""
    upper = text.upper()
    if not any(word in upper for word in ("OCOP", "SAO", "STAR")) and "★" not in text and "⭐" not in text:
        return text
    return " ".join(MARK.sub(" ", text).split()).strip(" -–,;:")


def unmarked_parts(marks: str) -> str:
    """The marks that are not the programme's: "tem OCOP trên bao bì" is a claim as a whole."""
    return "; ".join(part for part in map(str.strip, marks.split(";")) if unmarked(part) == part)


def description(product: Product, variant: Variant, certificate: Certificate | None) -> str:
    """The catalogue's own text, or the bare facts of the record where it has none."""
    if product.description:
        return product.description if certificate else unmarked_lines(product.description)
    producer = product.producer
    place = ", ".join(p for p in (producer.commune, producer.province) if p)
    facts = (
        (product.name, f" ({variant.pack})" if variant.pack else ""),
        ("Cơ sở: " if producer.legal_name else "", producer.legal_name),
        ("Nơi sản xuất: " if place else "", place),
    )
    text = "\n".join(f"{name}{value}." for name, value in facts if name or value)
    return text if certificate else unmarked_lines(text)


def unmarked_lines(text: str) -> str:
    return "\n".join(unmarked(line) for line in text.split("\n"))


def _images(images: tuple[Image, ...], policy: Policy) -> tuple[Image, ...]:
    """A generated placeholder is for the sandbox only."""
    return images if policy.sandbox else tuple(i for i in images if i.kind != "placeholder")


def _calendar(product: Product, variant: Variant, today: date) -> date | None:
    """The next day on which a certificate begins or ends, or the price grows old."""
    days = [variant.price_confirmed_on + TOO_OLD] if variant.price_confirmed_on else []
    for certificate in product.certificates:
        days += [d for d in (certificate.issued_on, certificate.first_invalid_day()) if d]
    return min((d for d in days if d > today), default=None)


def _notes(product: Product, variant: Variant, certificate: Certificate | None, today: date) -> tuple[Problem, ...]:
    notes = []
    if certificate is None and product.certificates:
        notes.append(_star_not_shown(product, today))
    confirmed = variant.price_confirmed_on
    if confirmed and (today - confirmed).days > PRICE_FRESH_DAYS:
        notes.append(_old_price(confirmed))
    return tuple(notes)


# --- what a shop owner reads ------------------------------------------------------------------------------------------


GONE = Problem(
    code="removed",
    field="sku",
    message=Text("Mặt hàng không còn trong danh mục.", "The item is no longer in the catalogue."),
    next_step=Text("Nếu vẫn bán, nhập lại mặt hàng này.", "If it is still sold, import it again."),
)
SERVICE = Problem(
    code="service",
    field="set_no",
    message=Text("Dịch vụ du lịch (bộ 26) không đăng lên sàn hàng hóa.", "Tourism services (set 26) are not goods."),
    next_step=Text("Không cần làm gì.", "Nothing to do."),
)
ALCOHOL = Problem(
    code="alcohol",
    field="is_alcohol",
    message=Text(
        "Rượu bia: sàn này chưa chặn được người dưới 18 tuổi và chưa bắt buộc thanh toán không tiền mặt.",
        "Alcohol: this account has no age gate with cashless payment.",
    ),
    next_step=Text(
        "Chỉ bán khi sàn xác nhận hai điều kiện đó; người phụ trách bật trong chính sách tài khoản.",
        "Sell it only once the marketplace confirms both; then set them in the account's policy.",
    ),
)
ILLUSTRATIVE = Problem(
    code="illustrative-price",
    field="price",
    message=Text("Giá minh họa, không phải giá bán thật.", "The price is made up for the sandbox."),
    next_step=Text("Nhập giá bán và tồn kho thật của cơ sở.", "Import the producer's real price and stock."),
)
NO_PRICE = Problem(
    code="no-price",
    field="price",
    message=Text("Chưa có giá bán.", "There is no price."),
    next_step=Text("Nhập giá bán (số đồng, ví dụ 120000) cho mã này.", "Import a price in đồng for this SKU."),
)
NO_STOCK = Problem(
    code="no-stock",
    field="stock",
    message=Text("Chưa có số tồn kho.", "There is no stock figure."),
    next_step=Text("Nhập số lượng còn bán cho mã này (0 nếu hết hàng).", "Import the quantity on sale (0 if none)."),
)
ODD_PRICE = Problem(
    code="odd-price",
    field="price",
    message=Text("Giá phải là số đồng nguyên dương.", "The price must be a whole positive number of đồng."),
    next_step=Text("Sửa giá rồi nhập lại.", "Correct the price and import it again."),
)


def _no_rate(currency: str) -> Problem:
    return Problem(
        code="no-rate",
        field="price",
        message=Text(
            f"Gian hàng này bán bằng {currency} nhưng chưa có tỷ giá.",
            f"This shop sells in {currency} and has no rate.",
        ),
        next_step=Text(
            f"Đặt tỷ giá: “caybeo accounts rate TÊN --currency {currency} --rate SỐ_ĐỒNG”.",
            f"Set it: “caybeo accounts rate NAME --currency {currency} --rate DONG”.",
        ),
    )


def withdrawn(sku: str, reason: str) -> Problem:
    return Problem(
        code="withdrawn",
        field="sku",
        message=Text(f"Đã gỡ khỏi mọi sàn: {reason}.", f"Taken down everywhere: {reason}."),
        next_step=Text(
            f"Muốn bán lại: “caybeo withdraw --sku {sku} --undo --reason …”.",
            f"To sell it again: “caybeo withdraw --sku {sku} --undo --reason …”.",
        ),
    )


def deleted_there(sku: str, account: str) -> Problem:
    return Problem(
        code="deleted-there",
        field="sku",
        message=Text(
            "Có người đã xóa tin này trên sàn; hệ thống không tự đăng lại.",
            "Someone deleted this listing there; it is not made again unasked.",
        ),
        next_step=Text(
            f"Muốn đăng lại: “caybeo sync --account {account} --sku {sku}”.",
            f"To list it again: “caybeo sync --account {account} --sku {sku}”.",
        ),
    )


def _above_list_price(amount: Decimal, listed: Decimal) -> Problem:
    return Problem(
        code="price-above-list-price",
        field="price",
        message=Text(
            f"Giá bán {money(amount)} cao hơn giá niêm yết {money(listed)}.",
            f"The price {money(amount)} is above the list price {money(listed)}.",
        ),
        next_step=Text("Sửa một trong hai giá rồi nhập lại.", "Correct one of them and import it again."),
    )


def _contact(field: str, hit: str) -> Problem:
    return Problem(
        code="contact-in-text",
        field=field,
        message=Text(
            f"Văn bản có số điện thoại, e-mail hoặc đường dẫn (“{hit[:3]}…”).",
            f"The text holds a telephone number, e-mail or link (“{hit[:3]}…”).",
        ),
        next_step=Text(
            "Xóa thông tin liên hệ khỏi tên, mô tả và hướng dẫn sử dụng.",
            "Remove contact data from name and description.",
        ),
    )


def _star_not_shown(product: Product, today: date) -> Problem:
    ends = [end for c in product.certificates if (end := c.first_invalid_day())]
    ended = max(ends, default=None)
    if ended and ended <= today:
        message = Text(
            f"Không hiện sao OCOP: chứng nhận được coi là hết hạn từ {day(ended)}.",
            f"No OCOP star shown: the certificate counts as expired since {day(ended)}.",
        )
    else:
        message = Text(
            "Không hiện sao OCOP: chưa có chứng nhận còn hiệu lực.", "No OCOP star shown: no certificate proves one."
        )
    return Problem(
        code="star-not-shown",
        field="certificate",
        message=message,
        next_step=Text(
            "Nếu đã được công nhận lại, nhập số quyết định và ngày cấp mới.",
            "If it was recognised again, import the new decision and its date.",
        ),
    )


def _old_price(confirmed: date) -> Problem:
    return Problem(
        code="old-price",
        field="price",
        message=Text(
            f"Giá xác nhận lần cuối ngày {day(confirmed)}, đã quá {PRICE_FRESH_DAYS} ngày.",
            f"The price was last confirmed on {day(confirmed)}, more than {PRICE_FRESH_DAYS} days ago.",
        ),
        next_step=Text("Hỏi lại cơ sở và nhập ngày xác nhận giá mới.", "Ask the producer and import the new date."),
    )

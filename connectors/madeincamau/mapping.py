"""What madeincamau.com should show of one SKU: an item's facets in the fields of openapi.yaml, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from connectors.contract import Policy
from connectors.pictures import MEGABYTE, PictureRule
from connectors.problems import ill_sized, missing, unmapped, unsellable
from connectors.prose import one_line
from models.catalogue import Certificate, Money, Producer
from models.listing import Facets, Item, Listing, Problem, Unlistable
from models.text import Text, fold

VERSION = 2
MAX_NAME = 150  # [A] vn-marketplaces §1, as are 20 000 characters, 1-9 pictures of at most 2 MB, JPEG or PNG
PICTURES = PictureRule(most=9, size=2 * MEGABYTE)
MAX_SKU = 100
MAX_PRICE = 1_000_000_000
MAX_STOCK = 1_000_000

LINES = {"name": MAX_NAME, "brand": 100, "pack": 100}
PROSE = {
    "description": 20_000,
    "ingredients": 2_000,
    "shelf_life": 500,
    "storage": 1_000,
    "usage": 2_000,
    "warnings": 1_000,
    "origin": 500,
    "marks": 1_000,
}
PRODUCER = {"legal_name": 200, "producer_type": 50, "commune": 100, "province": 100}
OFFER = ("price_vnd", "list_price_vnd", "stock")
CONTENT = ("group_id", "category_id", "producer", "gtin", "alcohol_percent", "ocop", *LINES, *PROSE)

CATEGORY = {  # product set -> category; set 26 is a service and has none
    1: "rau-cu-qua",
    2: "thit-thuy-san-tuoi",
    3: "gao-ngu-coc",
    4: "mat-ong",
    5: "do-an-nhanh",
    6: "che-bien-tu-gao",
    7: "che-bien-tu-rau-qua",
    8: "che-bien-tu-thit-thuy-san",
    9: "nuoc-mam-tuong",
    10: "gia-vi-kho",
    11: "tra",
    12: "tra-thao-moc",
    13: "ca-phe-ca-cao",
    14: "ruou-trang",
    15: "do-uong-co-con-khac",
    16: "nuoc-dong-chai",
    17: "do-uong-khong-con",
    18: "thuc-pham-chuc-nang",
    19: "my-pham-thao-duoc",
    20: "tinh-dau-duoc-lieu",
    21: "thu-cong-my-nghe",
    22: "vai-may-mac",
    23: "hoa",
    24: "cay-canh",
    25: "dong-vat-canh",
}


def project(item: Item, policy: Policy) -> Listing | Unlistable:
    """The listing, or every reason against it; what the law asks was judged before."""
    fields = content(item)
    found = (*texts(item, fields), *requirements(item), *unsellable(item, MAX_PRICE, MAX_STOCK), *pictures(item))
    if found:
        return Unlistable(key=item.sku, problems=found)
    facets: Facets = {
        "content": fields,
        "price": {"price_vnd": vnd(item.price), "list_price_vnd": item.list_price and vnd(item.list_price)},
        "stock": {"stock": item.stock},
        "images": shown(item),
    }
    return Listing(key=item.sku, facets=facets)


def body(facets: Facets) -> dict[str, Any]:
    """All four facets as the body of a PUT."""
    return {**facets["content"], **facets["price"], **facets["stock"], "images": facets["images"]}


def facets_of(product: Mapping[str, Any]) -> Facets:
    """A product read back; a picture that was announced but never arrived is not shown."""
    held = {medium["sha256"] for medium in product["media"]}
    return {
        "content": {field: product[field] for field in CONTENT},
        "price": {field: product[field] for field in ("price_vnd", "list_price_vnd")},
        "stock": {"stock": product["stock"]},
        "images": [sha256 for sha256 in product["images"] if sha256 in held],
    }


def content(item: Item) -> dict[str, Any]:
    return {
        "group_id": item.group,
        "category_id": CATEGORY.get(item.set_no or 0, ""),
        "producer": producer(item.producer),
        "gtin": item.gtin,
        "alcohol_percent": percent(item.alcohol_percent),
        "ocop": ocop(item.certificate),
        **{field: one_line(getattr(item, field)) for field in LINES},
        **{field: getattr(item, field) for field in PROSE},
        "marks": marks(item),
    }


def producer(who: Producer) -> dict[str, str]:
    """No tax code: a household's may be a person's own number."""
    return {field: one_line(getattr(who, field)) for field in PRODUCER}


def ocop(certificate: Certificate | None) -> dict[str, Any] | None:
    """The badge, ending with the last day on which the star may be shown."""
    end = certificate.first_invalid_day() if certificate else None
    if certificate is None or end is None:
        return None
    last = end - timedelta(days=1)
    return {"star": certificate.star, "decision_no": certificate.decision_no, "valid_until": last.isoformat()}


def marks(item: Item) -> str:
    """Labels list their OCOP sticker among the marks; without a valid certificate it must not be shown."""
    claims = "ocop" in fold(item.marks).split()
    return "" if claims and item.certificate is None else item.marks


def percent(value: Decimal | None) -> str | None:
    """12.50 -> "12.5": a string, so that no reader changes it into another number."""
    return None if value is None else f"{round(value, 2).normalize():f}"


def vnd(money: Money) -> int:
    return int(money.amount)


def texts(item: Item, fields: Mapping[str, Any]) -> Iterator[Problem]:
    """Whatever is longer than its field."""
    sizes = [("sku", item.sku, MAX_SKU), ("product_id", item.group, MAX_SKU)]
    sizes += [(field, fields[field], most) for field, most in {**LINES, **PROSE}.items()]
    sizes += [(field, fields["producer"][field], most) for field, most in PRODUCER.items()]
    yield from ill_sized(sizes)


def requirements(item: Item) -> Iterator[Problem]:
    for field in ("name", "description"):
        if not getattr(item, field).strip():
            yield missing(field)
    if item.set_no not in CATEGORY:
        yield unmapped(item.set_no)
    if item.sku in (".", ".."):
        yield UNADDRESSABLE
    if not item.images:
        yield missing("images")


def shown(item: Item) -> list[str]:
    """The first nine, each once: the marketplace refuses a picture that comes twice."""
    return list(dict.fromkeys(image.sha256 for image in item.images))[: PICTURES.most]


def pictures(item: Item) -> Iterator[Problem]:
    """Only the ones that are sent, by their place in the catalogue."""
    sent = shown(item)
    for position, image in enumerate(item.images, 1):
        if image.sha256 in sent and not PICTURES.fits(image):
            yield unfit_picture(position)


UNADDRESSABLE = Problem(
    code="bad-sku",
    field="sku",
    message=Text(
        "Mã SKU chỉ gồm dấu chấm nên không gửi lên sàn được.", "A SKU of dots alone cannot be sent to the marketplace."
    ),
    next_step=Text("Đặt mã SKU khác rồi nhập lại.", "Choose another SKU and import it again."),
)


def unfit_picture(position: int) -> Problem:
    return Problem(
        code="unfit-picture",
        field="images",
        message=Text(
            f"Ảnh thứ {position} không phải JPEG/PNG hoặc nặng hơn 2 MB.",
            f"Picture {position} is not JPEG or PNG, or is larger than 2 MB.",
        ),
        next_step=Text(
            "Lưu lại ảnh dạng JPEG dưới 2 MB rồi nhập lại.", "Save it as a JPEG below 2 MB and import it again."
        ),
    )

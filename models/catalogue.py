"""Canonical records: a product and what belongs to it, knowing no marketplace."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from models.value import Value

TERM_MONTHS = 36  # QĐ 26/2026/QĐ-TTg art. 4: a certificate runs 36 months from the day it is issued
EXTENSION_DAYS = 180  # the same, art. 12.3: at most 180 days beyond its term, while a dossier is judged
PRICE_FRESH_DAYS = 30
SERVICE_SET = 26


class CertificateStatus(StrEnum):
    ASSESSED = "assessed"  # council result, no decision yet: proves no star
    RECOGNISED = "recognised"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class Money(Value, frozen=True, kw_only=True):
    amount: Decimal
    currency: str = "VND"


class Producer(Value, frozen=True, kw_only=True):
    producer_id: str
    legal_name: str
    producer_type: str = ""
    tax_code: str = ""
    commune: str = ""  # since 01/07/2025
    province: str = ""
    address_old: str = ""  # as printed before 01/07/2025


class Certificate(Value, frozen=True, kw_only=True):
    """One recognition. `star` is 3, 4 or 5; where `issued_on` is unknown only `year` is."""

    star: int
    status: CertificateStatus = CertificateStatus.RECOGNISED
    year: int | None = None
    issued_on: date | None = None
    valid_until_override: date | None = None  # art. 12.3 only, with its dossier
    override_dossier: str = ""
    decision_no: str = ""

    def first_invalid_day(self) -> date | None:
        """The first day the star may no longer be shown; None where nothing proves any day.

        With only the year known the earliest possible day of issue counts, 1 January: a star is shown too short
        rather than too long.
        """
        issued = self.issued_on or (date(self.year, 1, 1) if self.year else None)
        if issued is None:
            return None
        end = add_months(issued, TERM_MONTHS)
        if self.valid_until_override and self.override_dossier:
            latest = end + timedelta(days=EXTENSION_DAYS)
            return max(end, min(self.valid_until_override + timedelta(days=1), latest))
        return end

    def valid_on(self, day: date) -> bool:
        end = self.first_invalid_day()
        begun = self.issued_on is None or self.issued_on <= day
        return (
            self.status is CertificateStatus.RECOGNISED
            and self.star in (3, 4, 5)
            and begun
            and end is not None
            and day < end
        )


class Image(Value, frozen=True, kw_only=True):
    """A picture by the hash of its bytes; the bytes lie in the home under that name."""

    sha256: str
    media_type: str
    width: int
    height: int
    size: int  # bytes
    kind: str = "label"


class Variant(Value, frozen=True, kw_only=True):
    """One pack of a product: what a buyer puts into the basket."""

    sku: str
    pack: str = ""  # as printed: "500 g/hũ"
    gtin: str = ""
    price: Money | None = None  # VAT included
    list_price: Money | None = None
    price_confirmed_on: date | None = None
    stock: int | None = None
    illustrative: bool = False  # made-up price and stock: sandbox accounts only


class English(Value, frozen=True, kw_only=True):
    """The same texts for buyers abroad, written by a person: nothing here is ever translated by a machine."""

    name: str
    description: str = ""
    ingredients: str = ""
    storage: str = ""
    usage: str = ""
    warnings: str = ""
    illustrative: bool = False  # a sample text: sandbox accounts only


class Product(Value, frozen=True, kw_only=True):
    product_id: str
    name: str
    producer: Producer
    variants: tuple[Variant, ...]
    brand: str = ""
    set_no: int | None = None  # 1-26, appendix II of QĐ 26/2026/QĐ-TTg
    sector: str = ""
    group: str = ""
    subgroup: str = ""
    is_alcohol: bool = False
    alcohol_percent: Decimal | None = None
    ingredients: str = ""
    shelf_life: str = ""
    storage: str = ""
    usage: str = ""
    warnings: str = ""
    origin: str = ""
    marks: str = ""
    description: str = ""
    certificates: tuple[Certificate, ...] = ()
    images: tuple[Image, ...] = ()
    english: English | None = None

    def certificate_on(self, day: date) -> Certificate | None:
        """The certificate that allows a star on that day: the longest one valid then."""
        valid = [c for c in self.certificates if c.valid_on(day)]
        return max(valid, key=lambda c: (c.first_invalid_day(), c.star), default=None)


@lru_cache(maxsize=4096)  # the same few days of issue, asked for by every listing
def add_months(day: date, months: int) -> date:
    """The same day of the month later, or the month's last: 29/02/2024 + 36 months = 28/02/2027."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise AssertionError("every month has a 28th")


def is_gtin(digits: str) -> bool:
    """A barcode number of GS1: 8 or 12 to 14 digits, the last of which checks the others."""
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", digits):
        return False
    return sum(int(d) * (3 if n % 2 else 1) for n, d in enumerate(reversed(digits))) % 10 == 0

"""What is printed on a pack, as numbers: how much it holds, what it weighs in its parcel, how long it keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any

from models.text import nfc

PACKAGING = Decimal("1.1")  # assumed
AMOUNT = r"(\d+(?:[.,]\d+)?)"
HELD = re.compile(
    rf"""(?<![\d.,])(?:(\d{{1,4}})\s*(?:[^\W\d_]{{1,12}}\s*){{0,2}}[×x]\s*)?  # 12 gói ×
    {AMOUNT}(?:\s*[-–]\s*{AMOUNT})?\s*(kg|gram|gr|g|ml|lít|l)\b             # 20–25 g
    (?:\s*[×x]\s*(\d{{1,4}})\b)?                                            # × 12""",
    re.IGNORECASE | re.VERBOSE,
)
THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
UNITS = {"kg": "kg", "ml": "ml", "lít": "L", "l": "L"}  # all others are grams
LARGE = {"kg", "L"}
KEEPS = re.compile(r"(\d{1,4})\s*(ngày|tuần|tháng|năm|days?|weeks?|months?|years?)", re.IGNORECASE)
DAYS = {"ng": 1, "da": 1, "tu": 7, "we": 7, "th": 30, "mo": 30, "nă": 365, "ye": 365}


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What one pack holds: `times` inner packs of `least` to `most` each; kg, g, L or ml."""

    times: int
    least: Decimal
    most: Decimal
    unit: str

    def __str__(self) -> str:
        """In letters that all tongues share."""
        amount = plain(self.least) if self.least == self.most else f"{plain(self.least)}-{plain(self.most)}"
        return f"{amount} {self.unit}" if self.times == 1 else f"{self.times} x {amount} {self.unit}"

    @property
    def sure(self) -> Decimal:
        """Grams or millilitres that are inside in any case."""
        return self.least * self.times * self._thousand

    @property
    def is_liquid(self) -> bool:
        return self.unit in ("L", "ml")

    @property
    def parcel(self) -> str:
        """Kilograms with packaging, two decimals, rounded up; a litre of food weighs about a kilogram."""
        kilograms = self.most * self.times * self._thousand / 1000
        return plain((kilograms * PACKAGING).quantize(Decimal("0.01"), ROUND_UP))

    @property
    def _thousand(self) -> int:
        return 1000 if self.unit in LARGE else 1


def held(pack: str) -> Held | None:
    """None where the label does not say: "hộp 6 gói", "0 g"."""
    found = HELD.search(nfc(pack))
    if found is None:
        return None
    before, first, last, said, behind = found.groups()
    unit = UNITS.get(said.lower(), "g")
    least = _amount(first, unit)
    made = Held(times=int(before or 1) * int(behind or 1), least=least, most=_amount(last or first, unit), unit=unit)
    return made if made.sure > 0 and least <= made.most else None


def shelf_days(text: str) -> int:
    """0 where the text does not say; the first time it names, as what is after opening comes behind."""
    found = KEEPS.search(nfc(text))
    return int(found[1]) * DAYS[found[2].lower()[:2]] if found else 0


def plain(value: Any) -> str:
    """20.00 -> 20: it is sent in one way and read back in another."""
    return format(Decimal(str(value)).normalize(), "f")


def _amount(text: str, unit: str) -> Decimal:
    """1.200 g is more than a kilogram, 1.200 kg is not more than a ton."""
    if unit not in LARGE and THOUSANDS.fullmatch(text):
        return Decimal(re.sub("[.,]", "", text))
    return Decimal(text.replace(",", "."))

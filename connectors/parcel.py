"""What a pack weighs, and numbers in the one form in which they are sent and read back."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from typing import Any

PACKAGING = Decimal("1.1")  # assumed
HEAVY = {"kg", "l", "lít"}  # a litre of food weighs about a kilogram


def plain(value: Any) -> str:
    """20.00 -> 20: it is sent in one way and read back in another."""
    return format(Decimal(str(value)).normalize(), "f")


def packed(net: str) -> str:
    """Kilograms with packaging, two decimals, rounded up; empty where nothing is said. `net` is like "1,5 kg"."""
    amount, _, unit = net.partition(" ")
    kilograms = Decimal(amount.replace(",", ".") or 0) * (Decimal(1) if unit.lower() in HEAVY else Decimal("0.001"))
    return plain((kilograms * PACKAGING).quantize(Decimal("0.01"), ROUND_UP)) if kilograms else ""

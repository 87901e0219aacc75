"""Sentences in Vietnamese and English, and numbers and times as Vietnamese people write them."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

Lang = Literal["vi", "en"]
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")

WHOLE = {"VND", "JPY", "KRW"}  # currencies without a smaller coin
MARKS = str.maketrans(",.", ".,")  # what English writes -> what Vietnamese does


class Text(msgspec.Struct, frozen=True, gc=False):
    """One sentence in both languages; `{names}` are filled by `fill`."""

    vi: str
    en: str

    def fill(self, **values: object) -> Text:
        return Text(self.vi.format(**values), self.en.format(**values))

    def to(self, lang: Lang) -> str:
        return self.vi if lang == "vi" else self.en


def nfc(text: str) -> str:
    """NFC with single spaces and no zero-width or control characters: how every text is kept."""
    kept = "".join(c for c in unicodedata.normalize("NFC", text) if c in "\n\t" or unicodedata.category(c)[0] != "C")
    return "\n".join(" ".join(line.split()) for line in kept.split("\n")).strip()


def fold(text: str) -> str:
    """Case, tone marks, đ/Đ/Ð and punctuation folded away: for matching, never for showing."""
    plain = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d").replace("Ð", "D").casefold())
    letters = "".join(c if c.isalnum() else " " for c in plain if unicodedata.category(c) != "Mn")
    return " ".join(letters.split())


def number(value: int | Decimal) -> str:
    """1234567 -> "1.234.567"."""
    value = int(value) if value == int(value) else value
    return f"{value:,}".translate(MARKS)


def money(amount: Decimal | int, currency: str = "VND") -> str:
    """1200000 VND -> "1.200.000 ₫", 1.2 USD -> "1,20 USD"."""
    if currency == "VND":
        return f"{number(amount)} ₫"
    return f"{amount:,.{0 if currency in WHOLE else 2}f} {currency}".translate(MARKS)


def local(at: datetime) -> str:
    """An instant as people here read it: 23/11/2026 01:30."""
    return at.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M")


def day(on: date) -> str:
    """23/11/2026."""
    return on.strftime("%d/%m/%Y")

"""Big damage needs a person: what a plan would do, against what one may do unasked."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from models.text import Text, money, number

DELETES_LEAST, DELETES_SHARE = 5, 0.05  # more than both of the live listings
MOVED_BY, MOVED_SHARE = Decimal("0.30"), 0.20
TO_ZERO_SHARE = 0.20
ITEM_FACTOR = 3
EXAMPLES = 10


@dataclass(kw_only=True)
class Watch:
    """Counts what one plan does to one account. `live` is how many listings it shows now."""

    live: int
    earlier: int = 0  # deletes of the last 24 hours that nobody was asked about, and those that wait for approval
    deletes: int = 0
    moved: int = 0
    emptied: int = 0
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def delete(self, sku: str, name: str) -> None:
        self.deletes += 1
        self._example("mass-delist", {"sku": sku, "name": name})

    def price(self, sku: str, name: str, old: Decimal | None, new: Decimal | None) -> bool:
        """False where this one price alone must wait for a person."""
        if not old or not new or old == new:
            return True
        if abs(new - old) > old * MOVED_BY:
            self.moved += 1
            self._example("mass-price", {"sku": sku, "name": name, "old": int(old), "new": int(new)})
        return old / ITEM_FACTOR <= new <= old * ITEM_FACTOR

    def stock(self, sku: str, name: str, old: int | None, new: int | None) -> None:
        if old and new == 0:
            self.emptied += 1
            self._example("mass-zero-stock", {"sku": sku, "name": name, "old": old, "new": 0})

    def verdict(self) -> list[dict[str, Any]]:
        """Why the whole plan must wait; empty where it may go."""
        found = []
        deletes = self.earlier + self.deletes
        if self.deletes and deletes > max(DELETES_LEAST, self.live * DELETES_SHARE):
            found.append(self._reason("mass-delist", deletes, DELISTS))
        if self.live and self.moved > self.live * MOVED_SHARE:
            found.append(self._reason("mass-price", self.moved, PRICES))
        if self.live and self.emptied > self.live * TO_ZERO_SHARE:
            found.append(self._reason("mass-zero-stock", self.emptied, ZEROS))
        return found

    def _reason(self, code: str, count: int, text: Text) -> dict[str, Any]:
        said = text.fill(count=number(count), live=number(self.live))
        return {"code": code, "vi": said.vi, "en": said.en, "count": count, "examples": self.examples.get(code, [])}

    def _example(self, code: str, example: dict[str, Any]) -> None:
        kept = self.examples.setdefault(code, [])
        if len(kept) < EXAMPLES:
            kept.append(example)


def price_jump(sku: str, name: str, old: Decimal, new: Decimal) -> dict[str, Any]:
    """Why one item waits: its price moved by more than three times."""
    said = JUMP.fill(name=name, sku=sku, old=money(old), new=money(new))
    example = {"sku": sku, "name": name, "old": int(old), "new": int(new)}
    return {"code": "price-jump", "vi": said.vi, "en": said.en, "count": 1, "examples": [example]}


DELISTS = Text("Sẽ gỡ {count} tin trong số {live} tin đang bán.", "Would take down {count} of {live} live listings.")
PRICES = Text(
    "Giá của {count} trong số {live} mặt hàng thay đổi hơn 30 %.", "{count} of {live} prices move by more than 30 %."
)
ZEROS = Text("Tồn kho của {count} trong số {live} mặt hàng về 0.", "{count} of {live} stocks fall to zero.")
JUMP = Text(
    "Giá {name} ({sku}) đổi từ {old} thành {new}, chênh hơn 3 lần.",
    "The price of {name} ({sku}) goes from {old} to {new}, more than threefold.",
)

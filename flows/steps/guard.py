"""Big damage needs a person: what 24 hours and a plan do to an account, against what one may do unasked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from models.change import ChangeStatus, Kind
from models.text import Text, money, number

WINDOW_HOURS = 24
DELETES_LEAST, DELETES_SHARE = 5, 0.05  # more than both of the live listings
MOVED_BY, MOVED_SHARE = Decimal("0.30"), 0.20
TO_ZERO_SHARE = 0.20
ITEM_FACTOR = 3
EXAMPLES = 10


@dataclass(kw_only=True)
class Tally:
    """The SKUs to which one kind of damage is done: before this plan, within the window, and by it."""

    earlier: set[str] = field(default_factory=set)
    planned: set[str] = field(default_factory=set)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.earlier | self.planned)

    def add(self, sku: str, **example: Any) -> None:
        self.planned.add(sku)
        if len(self.examples) < EXAMPLES:
            self.examples.append({"sku": sku, **example})

    def remember(self, sku: str, *, done: bool) -> None:
        (self.earlier.add if done else self.earlier.discard)(sku)


class Watch:
    """Counts what the window and one plan do to one account. `live` is how many listings it shows now.

    `sent` are the changes of the window in the order they were planned; `waiting` are those that may still be sent.
    Each listing is compared with what it was before the first of its changes that nobody approved, so that small
    steps add up to what they come to. A step back takes one away once it was sent: until then the harm is there.
    """

    def __init__(self, *, live: int, sent: Iterable[Row[Any]] = (), waiting: Iterable[Row[Any]] = ()) -> None:
        self._live = live
        self._prices: dict[str, Decimal] = {}  # before the first change of the window
        self._stocks: dict[str, int] = {}
        self._taken: set[str] = set()  # down since then: live when the window began
        self._returning: set[str] = set()
        self._deletes, self._moved, self._emptied = Tally(), Tally(), Tally()
        for move in sent:
            self._remember(move)
        self._waiting = {move.sku: move for move in waiting}

    def give_way(self, skus: Iterable[str]) -> None:
        """What waited for these SKUs is judged anew by this plan."""
        for sku in skus:
            self._waiting.pop(sku, None)

    def delete(self, sku: str, name: str) -> None:
        self._deletes.add(sku, name=name)

    def returns(self, sku: str) -> None:
        """A listing that is not shown now comes back with this plan."""
        self._returning.add(sku)

    def price(self, sku: str, name: str, now: Decimal | None, new: Decimal | None) -> Decimal | None:
        """From which price this one moved so far that it alone must wait for a person; None where it may go."""
        if not now or not new or now == new:
            return None
        was = self._prices.get(sku, now)
        moved = _moved(was, new)
        if moved:
            self._moved.add(sku, name=name, old=int(was), new=int(new))
        if _jumped(was, new):
            return was
        return now if moved and _jumped(now, new) else None

    def stock(self, sku: str, name: str, now: int | None, new: int | None) -> None:
        if new is None or now == new:
            return
        was = self._stocks.get(sku, now)
        if was and new == 0:
            self._emptied.add(sku, name=name, old=was, new=0)

    def verdict(self) -> list[dict[str, Any]]:
        """Why the whole plan must wait; empty where it may go."""
        for move in self._waiting.values():
            if move.kind == Kind.DELIST or move.status == ChangeStatus.PLANNED:  # the rest is not sent unapproved
                self._remember(move)
        taken = self._taken & self._deletes.earlier
        live, shown = self._live + len(taken), self._live + len(taken | self._returning)
        judged = (
            ("mass-delist", self._deletes, max(DELETES_LEAST, live * DELETES_SHARE), live, DELISTS),
            ("mass-price", self._moved, shown * MOVED_SHARE, shown, PRICES),
            ("mass-zero-stock", self._emptied, shown * TO_ZERO_SHARE, shown, ZEROS),
        )
        return [
            _reason(code, tally, of, text)
            for code, tally, most, of, text in judged
            if tally.planned and len(tally) > most
        ]

    def _remember(self, move: Row[Any]) -> None:
        if move.kind == Kind.DELIST:
            self._remember_delete(move)
        elif move.counted:
            self._remember_step(move)
        elif move.kind != Kind.CLOSE:
            self._begin_again(move.sku)

    def _remember_delete(self, move: Row[Any]) -> None:
        """One that is back by now is no loss, and an approved one nobody's fault."""
        taken = move.status == ChangeStatus.ACKNOWLEDGED
        self._deletes.remember(move.sku, done=move.counted and not (taken and move.shown == "live"))
        (self._taken.add if taken else self._taken.discard)(move.sku)

    def _remember_step(self, move: Row[Any]) -> None:
        if move.old_price:
            was = self._prices.setdefault(move.sku, move.old_price)
            self._moved.remember(move.sku, done=_moved(was, move.price or was))
        if move.old_stock is not None:
            had = self._stocks.setdefault(move.sku, move.old_stock)
            self._emptied.remember(move.sku, done=had > 0 and move.stock == 0)

    def _begin_again(self, sku: str) -> None:
        """What a person approved is the new normal."""
        self._prices.pop(sku, None)
        self._stocks.pop(sku, None)
        self._moved.remember(sku, done=False)
        self._emptied.remember(sku, done=False)


def _moved(was: Decimal, new: Decimal) -> bool:
    return abs(new - was) > was * MOVED_BY


def _jumped(was: Decimal, new: Decimal) -> bool:
    return not was / ITEM_FACTOR <= new <= was * ITEM_FACTOR


def _reason(code: str, tally: Tally, of: int, text: Text) -> dict[str, Any]:
    said = text.fill(count=number(len(tally)), live=number(of))
    if earlier := len(tally.earlier - tally.planned):
        more = EARLIER.fill(earlier=number(earlier))
        said = Text(f"{said.vi} {more.vi}", f"{said.en} {more.en}")
    return {"code": code, "vi": said.vi, "en": said.en, "count": len(tally), "examples": tally.examples}


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
EARLIER = Text(
    "Trong đó {earlier} là của 24 giờ vừa qua hoặc đang chờ.", "{earlier} of these are of the last 24 hours, or wait."
)
JUMP = Text(
    "Giá {name} ({sku}) đổi từ {old} thành {new}, chênh hơn 3 lần.",
    "The price of {name} ({sku}) goes from {old} to {new}, more than threefold.",
)

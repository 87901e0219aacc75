"""One rate of one account: what may have arrived when, and so when the next request may leave."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

SLOTS = 60  # of a window: a request is forgotten at most that fraction of a window late, never early
ROUNDING = 0.001  # seconds; instants are floats
LONGEST_SECONDS = 7200.0  # of a silence that was asked for, as long as a run: then one request asks again
BACK_OFF = 0.7  # of what was allowed is left after a refusal
RECOVERY = 10  # quiet windows until everything that was declared is allowed again


class NotKept(Exception):
    """What was to be noted could not be stored: no request may leave."""


@dataclass(slots=True, kw_only=True)
class Window:
    """Never more than its permits in any stretch of `seconds`, wherever the marketplace begins to count.

    A request stands in the last slot in which it can arrive: its deadline while it is on its way, the moment of its
    answer afterwards. All instants are seconds of UTC, so that every process counts in the same slots.
    """

    permits: int  # as declared
    seconds: float
    slots: dict[int, int] = field(default_factory=dict)  # slot number -> requests
    lowered: int = 0  # permits after what the marketplace reported; 0 = as declared
    lowered_at: float = 0.0
    closed_until: float = 0.0
    changed: bool = False  # since it was read

    @property
    def allowed(self) -> int:
        return self.lowered or self.permits

    @property
    def used(self) -> int:
        return sum(self.slots.values())

    def come_to(self, now: float, within: float) -> None:
        """Forgets what has left the window, and what only a clock that was set back can have left behind."""
        for slot in [slot for slot in self.slots if self._gone(slot) <= now]:
            del self.slots[slot]
        latest = self.slot(now + within)
        for slot in [slot for slot in self.slots if slot > latest]:
            self._add(latest, self.slots.pop(slot))
        if self.closed_until > now + LONGEST_SECONDS:
            self.closed_until, self.changed = now + LONGEST_SECONDS, True
        self._recover(now)

    def wait(self, now: float) -> float:
        """Seconds after which it is worth asking again; 0 where a request may leave now."""
        opens = max(self.closed_until, self._opens_after_a_close(now), self._has_room(now))
        return opens - now + ROUNDING if opens > now else 0.0

    def take(self, until: float) -> int:
        """Notes a request that arrives by `until`, and says in which slot it stands."""
        slot = self.slot(until)
        self._add(slot, 1)
        return slot

    def arrived(self, slot: int, at: float) -> None:
        """The request noted in `slot` was answered: it cannot arrive later than that."""
        if self.slots.get(slot, 0) > 0:
            self._add(slot, -1)
            self._add(self.slot(at), 1)

    def unused(self, slot: int) -> None:
        """What was noted in `slot` never left."""
        if self.slots.get(slot, 0) > 0:
            self._add(slot, -1)

    def close(self, now: float, seconds: float) -> None:
        """Nothing for that long, and then one by one: a crowd at the door would be refused again."""
        until = now + min(seconds, LONGEST_SECONDS)
        if until > self.closed_until:
            self.closed_until, self.changed = until, True

    def lower(self, now: float, permits: float) -> None:
        """The marketplace allows less than was declared, at least for now."""
        if max(1, int(permits)) < self.allowed:
            self.lowered, self.lowered_at, self.changed = max(1, int(permits)), now, True

    def slot(self, at: float) -> int:
        return int(at * SLOTS // self.seconds)

    def _has_room(self, now: float) -> float:
        """When one more fits in: what is still on its way may be answered now, and is then gone a window later."""
        excess = self.used + 1 - self.allowed
        for slot in sorted(self.slots) if excess > 0 else ():
            excess -= self.slots[slot]
            if excess <= 0:
                return self._gone(min(slot, self.slot(now)))
        return now

    def _opens_after_a_close(self, now: float) -> float:
        """For one window after it was closed, permits come free evenly."""
        if now >= self.closed_until + self.seconds:
            return now
        since = sum(count for slot, count in self.slots.items() if slot >= self.slot(self.closed_until))
        return self.closed_until + since * self.seconds / self.allowed

    def _gone(self, slot: int) -> float:
        """When nothing of that slot can be in a window any more."""
        return (slot + 1) * self.seconds / SLOTS + self.seconds + ROUNDING

    def _add(self, slot: int, count: int) -> None:
        self.changed = True
        left = self.slots.get(slot, 0) + count
        if left:
            self.slots[slot] = left
        else:
            del self.slots[slot]

    def _recover(self, now: float) -> None:
        """A tenth of the declared rate comes back with every quiet window."""
        if not self.lowered:
            return
        quiet = int(max(0.0, now - self.lowered_at) // self.seconds)
        if quiet:
            self.lowered_at += quiet * self.seconds
            self.lowered += quiet * max(1, self.permits // RECOVERY)
            self.changed = True
        if self.lowered >= self.permits:
            self.lowered = 0
        self.lowered_at = min(self.lowered_at, now)


class QuotaStore(Protocol):
    """Where an account's windows are kept: for as long as whoever keeps them lives."""

    def open(self, declared: Mapping[str, tuple[int, float]]) -> AbstractContextManager[Mapping[str, Window]]:
        """The windows of these rates (name -> permits, seconds), meanwhile nobody else's; changes are kept at the end.

        Raises NotKept where they could not be.
        """

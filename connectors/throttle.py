"""Sliding windows that keep an account inside the rates its connector declares."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Iterable

from connectors.contract import Rate
from connectors.errors import Throttled
from models.clock import Clock

UNUSED = 0.98  # of a rate: clocks differ, and a marketplace may count its windows from elsewhere
PATIENCE_SECONDS = 120.0  # a longer wait is left to the next run


class Window:
    """One rate: never more than its permits in any stretch of its length, wherever the marketplace begins to count."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._length = rate.seconds / UNUSED
        self._sent: list[float] = []  # the latest `permits` moments, some of them still to come
        self._closed_until = 0.0

    def opens(self, now: float) -> float:
        """When the next request may leave."""
        full = len(self._sent) == self.rate.permits
        return max(now, self._closed_until, self._sent[0] + self._length if full else now)

    def take(self, at: float) -> None:
        insort(self._sent, at)
        del self._sent[: -self.rate.permits]

    def close(self, until: float) -> None:
        """Nothing before `until`, and then evenly spread: a crowd at the door would be refused again."""
        self._closed_until = max(self._closed_until, until)
        step = self._length / self.rate.permits
        self._sent = [self._closed_until - self._length + n * step for n in range(self.rate.permits)]


class Throttle:
    """All rates of one account; safe to share between threads."""

    def __init__(self, rates: Iterable[Rate], clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows = [Window(rate) for rate in rates]
        self.throttled = 0

    def wait(self, operation: str) -> None:
        """Returns when one request of `operation` may leave. Raises Throttled where that is too far away."""
        with self._lock:
            now, windows = self._clock.monotonic(), self._of(operation)
            at = max((window.opens(now) for window in windows), default=now)
            if at - now > PATIENCE_SECONDS:
                raise Throttled("rate", retry_after=at - now)
            for window in windows:
                window.take(at)
        if at > now:
            self._clock.sleep(at - now)

    def refused(self, operation: str, seconds: float) -> None:
        """The marketplace said 429: nobody sends before `seconds` are over."""
        with self._lock:
            self.throttled += 1
            for window in self._of(operation):
                window.close(self._clock.monotonic() + seconds)

    def _of(self, operation: str) -> list[Window]:
        return [w for w in self._windows if not w.rate.operations or operation in w.rate.operations]

"""Token buckets that keep an account inside the rates its connector declares."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from connectors.contract import Rate
from models.clock import Clock

UNUSED = 0.98  # of a rate: clocks differ and windows are counted differently there (performance.md, limiter)


class Bucket:
    """One rate. `take` reserves a permit and says how long to wait before using it."""

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self.capacity = max(1.0, rate.burst - 1 if rate.burst > 1 else 1.0)
        self.per_second = rate.permits / rate.seconds * UNUSED
        self.tokens = self.capacity
        self.at = now

    def take(self, now: float) -> float:
        self._refill(now)
        self.tokens -= 1
        return max(0.0, -self.tokens / self.per_second)

    def empty_until(self, seconds: float, now: float) -> None:
        self._refill(now)
        self.tokens = min(self.tokens, -seconds * self.per_second)

    def _refill(self, now: float) -> None:
        self.tokens = min(self.capacity, self.tokens + (now - self.at) * self.per_second)
        self.at = now


class Throttle:
    """All rates of one account; safe to share between threads."""

    def __init__(self, rates: Iterable[Rate], clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets = [Bucket(rate, clock.monotonic()) for rate in rates]
        self.waited = 0.0
        self.throttled = 0

    def wait(self, operation: str) -> None:
        """Returns when one request of `operation` may leave."""
        with self._lock:
            now = self._clock.monotonic()
            seconds = max((b.take(now) for b in self._of(operation)), default=0.0)
            self.waited += seconds
        if seconds:
            self._clock.sleep(seconds)

    def refused(self, operation: str, seconds: float) -> None:
        """The marketplace said 429: nobody sends before `seconds` are over."""
        with self._lock:
            self.throttled += 1
            for bucket in self._of(operation):
                bucket.empty_until(seconds, self._clock.monotonic())

    def _of(self, operation: str) -> list[Bucket]:
        return [b for b in self._buckets if not b.rate.operations or operation in b.rate.operations]

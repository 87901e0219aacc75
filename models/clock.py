"""The one port through which the rest of the project may read time or wait."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol

from models.text import VIETNAM


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall clock, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never jump."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def today(clock: Clock) -> date:
    """The day it is in Cà Mau."""
    return clock.now().astimezone(VIETNAM).date()

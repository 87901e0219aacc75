"""What an answer's headers say of a marketplace's limits: read with care, because anything may stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from models.clock import Clock
from models.window import Window

SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
EPOCH_FROM = 1_000_000_000.0  # a reset that large is an instant, not a wait
PARAMETER = re.compile(r";\s*([rtqw])\s*=\s*([0-9]{1,12})")
ITEMS = 8  # of one header that are looked at
NAMES = ("ratelimit", "x-ratelimit", "x-rate-limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`remaining` requests in the next `reset` seconds, or `limit` in any `window` seconds; None where not said."""

    remaining: float | None = None
    reset: float | None = None
    limit: float | None = None
    window: float | None = None

    def apply(self, to: Window, now: float) -> None:
        """Takes what is less than was declared; a limit over a far longer or shorter time does not compare."""
        if self.limit is not None and self.window and to.seconds / 2 <= self.window <= to.seconds * 2:
            to.lower(now, self.limit * to.seconds / self.window)
        if self.remaining is None or self.reset is None:
            return
        if self.remaining < 1:
            to.close(now, self.reset)
        elif self.reset >= to.seconds / 2:
            to.lower(now, to.used + self.remaining)


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Retry-After in seconds or as an HTTP date; None where it is missing or rubbish."""
    value = headers.get("Retry-After", "").strip()
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - clock.now()).total_seconds())
    except (ValueError, OverflowError):
        return None


def allowances(headers: Mapping[str, str], clock: Clock) -> list[Allowance]:
    """RateLimit-* of the IETF drafts, old and new, and the X- forms."""
    said = {name.lower(): value for name, value in headers.items() if "rate" in name.lower()}
    found = _items(said.get("ratelimit-policy", "")) + _items(said.get("ratelimit", "")) if said else []
    for name in NAMES if said else ():
        remaining, reset = (_number(said.get(f"{name}-{what}", "")) for what in ("remaining", "reset"))
        if remaining is not None:
            found.append(Allowance(remaining=remaining, reset=_wait(reset, clock)))
            found += _items(said.get(f"{name}-limit", ""))
    return found


def _items(value: str) -> list[Allowance]:
    """`"default";r=50;t=30`, `"burst";q=100;w=60, "day";q=5000;w=86400`, and the older `100, 100;w=60`."""
    found = []
    for item in value.split(",")[:ITEMS]:
        said = {name: float(number) for name, number in PARAMETER.findall(item)}
        limit = said.get("q", _number(item.split(";")[0]))
        if said:
            found.append(Allowance(remaining=said.get("r"), reset=said.get("t"), limit=limit, window=said.get("w")))
    return found


def _wait(reset: float | None, clock: Clock) -> float | None:
    if reset is None or reset < EPOCH_FROM:
        return reset
    return max(0.0, reset - clock.now().timestamp())


def _number(value: str) -> float | None:
    value = value.strip()
    return float(value) if SECONDS.fullmatch(value) else None

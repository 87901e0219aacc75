"""What an answer's headers say of a marketplace's limits: read with care, because anything may stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from models.clock import Clock
from models.window import Window

SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
EPOCH_FROM = 1_000_000_000.0  # a reset that large is an instant, not a wait
PARAMETER = re.compile(r";\s*([rtqw])\s*=\s*([0-9]{1,12})")
ITEMS = 8  # of one header that are looked at
NAMES = ("ratelimit", "x-ratelimit", "x-rate-limit")
USAGE = ("x-app-usage", "x-business-use-case-usage")  # Meta's: percentages, of the app or by business
PERCENTAGES = ("call_count", "total_time", "total_cputime")
NEARLY_SPENT = 80  # per cent, from which Meta advises to slow down
USAGE_BYTES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`remaining` requests in the next `reset` seconds, or `limit` in any `window` seconds; None where not said.

    `spent` is the percentage of an allowance whose size nobody tells.
    """

    remaining: float | None = None
    reset: float | None = None
    limit: float | None = None
    window: float | None = None
    spent: float = 0.0

    def apply(self, to: Window, now: float) -> None:
        """Takes what is less than was declared; a limit over a far longer or shorter time does not compare."""
        if self.spent >= NEARLY_SPENT:
            to.lower(now, to.permits / 2)
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
    """RateLimit-* of the IETF drafts, old and new, the X- forms, and Meta's percentages."""
    said = {name.lower(): value for name, value in headers.items() if "rate" in name.lower() or "usage" in name.lower()}
    found = _items(said.get("ratelimit-policy", "")) + _items(said.get("ratelimit", "")) if said else []
    for name in NAMES if said else ():
        remaining, reset = (_number(said.get(f"{name}-{what}", "")) for what in ("remaining", "reset"))
        if remaining is not None:
            found.append(Allowance(remaining=remaining, reset=_wait(reset, clock)))
            found += _items(said.get(f"{name}-limit", ""))
    spent = max(_spent(said.get(name, "")) for name in USAGE) if said else 0.0
    return [*found, Allowance(spent=spent)] if spent else found


def _spent(value: str) -> float:
    """The largest percentage in there, however deep: of the app itself, or of each business a list."""
    try:
        said = msgspec.json.decode(value) if 0 < len(value) <= USAGE_BYTES else None
    except (msgspec.DecodeError, RecursionError):
        return 0.0
    entries = [said] if isinstance(said, dict) else []
    for lists in list(said.values()) if isinstance(said, dict) else []:
        entries += [entry for entry in lists if isinstance(entry, dict)] if isinstance(lists, list) else []
    figures = [entry.get(name) for entry in entries for name in PERCENTAGES]
    return float(max((f for f in figures if isinstance(f, int | float) and 0 <= f <= 1_000), default=0))


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

"""The tokens that renew themselves: what a connector holds between two calls, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenPair:
    """What the marketplace gave last. `ends` is when the access token ends, `refresh_ends` the other, where known."""

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    ends: datetime | None = None
    refresh_ends: datetime | None = None


class Tokens(Protocol):
    """Where the latest pair of one account is kept.

    A refresh token that works once is worth nothing in memory: `save` comes before the pair's first use.
    """

    def read(self) -> TokenPair | None:
        """The latest, also where another process renewed it; None where the credentials hold the first."""

    def save(self, pair: TokenPair) -> None:
        """On disk when it returns. Raises where the account is no longer ours, or the database refuses."""


class InMemory:
    """For one process that needs to remember nothing: a look at who the credentials belong to, and tests."""

    def __init__(self, pair: TokenPair | None = None) -> None:
        self._pair = pair

    def read(self) -> TokenPair | None:
        return self._pair

    def save(self, pair: TokenPair) -> None:
        self._pair = pair

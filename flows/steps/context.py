"""What every step is given from outside: database, time, randomness, connectors, and the way to a marketplace."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import httpx
from sqlalchemy import Connection, Engine

from connectors.contract import Connector, Policy
from connectors.tokens import Tokens
from models.clock import Clock, SystemClock

LEASE_SECONDS = 60.0
RUN_SECONDS = 7200.0  # after which a run sends nothing more; the next one goes on
PATIENCE_SECONDS = 30.0  # how long a run waits for what a marketplace accepted but has not finished


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One shop of ours, with everything a run needs but its secrets' owner."""

    name: str
    connector: Connector
    sandbox: bool
    mode: str
    base_url: str
    policy: Policy
    credentials: Any  # the connector's credentials model
    seller: str = ""  # the shop's id there, once it is known: credentials of another shop are refused
    transport: httpx.BaseTransport | None = None
    tokens: Callable[[Clock, str, Callable[[Connection], None]], Tokens] | None = None  # of (clock, account, fence)

    @property
    def shown_mode(self) -> str:
        """As the run report says it: sandbox, live, file or dormant."""
        if self.mode != "api":
            return self.mode
        return "sandbox" if self.sandbox else "live"


class Progress(Protocol):
    """Told how far an account has come; `total` may grow."""

    def __call__(self, account: str, stage: str, done: int, total: int) -> None: ...


def silent(account: str, stage: str, done: int, total: int) -> None:
    pass


def never() -> bool:
    """Nobody asks this process to end."""
    return False


@dataclass(frozen=True, kw_only=True)
class Context:
    database: Engine
    home: Path
    accounts: Callable[[], list[Account]]
    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.Random)
    new_id: Callable[[], str] = lambda: uuid4().hex
    pool: Callable[[int], Executor] = ThreadPoolExecutor
    progress: Progress = silent
    lease_seconds: float = LEASE_SECONDS
    patience: float = PATIENCE_SECONDS
    run_seconds: float = RUN_SECONDS
    stopping: Callable[[], bool] = never  # asked to end: nothing new is begun, what is under way is ended
    cut_off: Callable[[], bool] = never  # that took too long: nothing leaves any more

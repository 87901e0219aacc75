"""The tokens that renew themselves: what a connector holds between two calls, and where it is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import httpx

from connectors.errors import ConnectorError, Misconfigured, NotSent, Throttled
from connectors.rate_headers import retry_after
from models.clock import Clock

TRIES = 2  # of one run with one refresh token: an answer that was lost may have used it up


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


def no_token(response: httpx.Response, clock: Clock) -> ConnectorError | None:
    """Why an answer holds no token, where its status alone says so. The caller's request has not left, or was refused:
    no answer to a login or renewal leaves a doubt about it."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Throttled("429", retry_after=retry_after(response.headers, clock))
    if response.is_redirect:
        return Misconfigured("redirect", f"HTTP {response.status_code}", field="base_url")
    return None


Renewal = Generator[httpx.Request, httpx.Response, TokenPair]
Step = Generator[httpx.Request, httpx.Response, str]


class OneToken:
    """One access token for all threads of an account, in memory: whoever needs it first asks for all of them.

    `ask` sends the requests that give one; it is given up `early`, rather than refused in the middle of a batch.
    """

    def __init__(
        self, clock: Clock, ask: Callable[[httpx.Request], Renewal], *, early: timedelta = timedelta()
    ) -> None:
        self._clock, self._ask, self._early = clock, ask, early
        self._lock = threading.Lock()
        self._held: TokenPair | None = None

    @property
    def known(self) -> str:
        return self._held.access if self._held else ""

    def access(self, request: httpx.Request, refused: str = "") -> Step:
        """The token in use; a fresh one where that is the refused one, has ended, or there is none."""
        with self._lock:
            held = self._held
            if held is None or held.access == refused or _ended(held, self._clock, self._early):
                self._held = held = yield from self._ask(request)
            return held.access


class Rotation:
    """One valid pair for all threads of an account; only one of them renews it at a time.

    `ask` sends the one request that gives a new pair for a refresh token; `early` is how long before its end an access
    token is renewed. Where that fails the old one still does until it ends.
    """

    def __init__(
        self,
        tokens: Tokens,
        first: TokenPair,
        clock: Clock,
        ask: Callable[[httpx.Request, TokenPair], Renewal],
        *,
        early: timedelta,
    ) -> None:
        self._tokens, self._first, self._clock, self._ask, self._early = tokens, first, clock, ask, early
        self._lock = threading.Lock()
        self._pair: TokenPair | None = None
        self._tries = 0
        self._unkept: TokenPair | None = None  # given, and not on disk yet

    def access(self, request: httpx.Request) -> Step:
        """The access token that `request` is to carry."""
        with self._lock:
            pair = self._latest()
            if pair.refresh and _ended(pair, self._clock):
                pair = yield from self._renewed(pair, request)
            elif pair.refresh and not self._tries and _ended(pair, self._clock, self._early):
                pair = yield from self._renewed_early(pair, request)
            return pair.access

    def instead_of(self, refused: str, request: httpx.Request) -> Step:
        """Another access token than the one that was refused; empty where there is none to be had."""
        with self._lock:
            pair = self._latest()
            if pair.access != refused:
                return pair.access
            return (yield from self._renewed(pair, request)).access if pair.refresh else ""

    def _latest(self) -> TokenPair:
        if self._pair is None:
            self._pair = self._tokens.read() or self._first
        return self._pair

    def _renewed(self, pair: TokenPair, request: httpx.Request) -> Renewal:
        newer = self._tokens.read()
        if newer is not None and newer.access != pair.access:  # another process was faster
            self._pair = newer
            return newer
        if self._unkept is None:
            if self._tries >= TRIES:
                raise NotSent("token")
            self._tries += 1
            self._unkept = yield from self._ask(request, pair)
        new = self._unkept
        self._tokens.save(new)
        self._pair, self._unkept, self._tries = new, None, 0
        return new

    def _renewed_early(self, pair: TokenPair, request: httpx.Request) -> Renewal:
        try:
            return (yield from self._renewed(pair, request))
        except ConnectorError:
            return pair


def _ended(pair: TokenPair, clock: Clock, early: timedelta = timedelta()) -> bool:
    return pair.ends is not None and pair.ends - early <= clock.now()

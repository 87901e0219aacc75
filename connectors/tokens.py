"""Tokens: asking for one, what a connector holds between two calls, and where it is kept."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol, TypeVar

import httpx
import msgspec

from connectors.bodies import parse
from connectors.errors import AuthorisationFailed, ConnectorError, Misconfigured, NotSent, Throttled
from connectors.rate_headers import retry_after
from connectors.typed import typed
from models.clock import Clock

TRIES = 2  # of one run with one refresh token: an answer that was lost may have used it up
LONGEST = 10**9  # seconds of a token's life, thirty years: a date far beyond is none

T = TypeVar("T")
HeaderToken = Annotated[str, msgspec.Meta(pattern=r"^[!-~]+\Z")]  # it goes into a header


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


Renewal = Generator[httpx.Request, httpx.Response, TokenPair]
Step = Generator[httpx.Request, httpx.Response, str]
Flow = Generator[httpx.Request, httpx.Response, None]


class Granted(msgspec.Struct, frozen=True):
    """A token as RFC 6749 has it; it lives from when it was asked for."""

    access_token: HeaderToken
    expires_in: Annotated[int, msgspec.Meta(gt=0)]

    def pair(self, asked: datetime) -> TokenPair:
        return TokenPair(access=self.access_token, ends=after(asked, self.expires_in))


def after(start: datetime, seconds: int) -> datetime:
    return start + timedelta(seconds=min(seconds, LONGEST))


def proof(app_secret: str, access_token: str) -> str:
    """That whoever sends the token knows its app's secret too, as Meta and Zalo ask for it."""
    return hmac.digest(app_secret.encode(), access_token.encode(), "sha256").hex()


def asking(
    request: httpx.Request, url: httpx.URL, *, headers: Mapping[str, str] | None = None, **body: Any
) -> httpx.Request:
    """The request for a token that `request` is to carry: a permit of the same operation, an answer as it is."""
    known = {"Accept-Encoding": "identity", **(headers or {})}
    return httpx.Request("POST", url, headers=known, extensions=request.extensions, **body)


def granted(
    response: httpx.Response,
    kind: type[T],
    clock: Clock,
    refusal: Callable[[httpx.Response, Any], Exception | None],
) -> T:
    """What a login or renewal gave, or why it gave nothing. `refusal` is what the connector makes of the answer.

    The caller's request has not left, or was refused: no answer leaves a doubt about it.
    """
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled("429", retry_after=retry_after(response.headers, clock))
    if response.is_redirect:
        raise Misconfigured("redirect", f"HTTP {response.status_code}", field="base_url")
    data = parse(response.read())
    error = refusal(response, data)
    if isinstance(error, AuthorisationFailed | Misconfigured | Throttled):
        raise error
    try:
        return typed(None if error or response.is_error else data, kind)
    except msgspec.ValidationError:
        raise NotSent("token", f"HTTP {response.status_code}") from None


class Source(Protocol):
    def access(self, request: httpx.Request) -> Step:
        """The access token that `request` is to carry."""

    def instead_of(self, refused: str, request: httpx.Request) -> Step:
        """Another access token than the one that was refused; empty where there is none to be had."""


def bearing(
    source: Source,
    request: httpx.Request,
    carry: Callable[[httpx.Request, str], httpx.Request],
    refused: Callable[[httpx.Response], bool],
) -> Flow:
    """Sends a request with its token, and once more with another: what is refused for its token was not done."""
    token = yield from source.access(request)
    response = yield carry(request, token)
    if refused(response) and (other := (yield from source.instead_of(token, request))):
        yield carry(request, other)


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

    def access(self, request: httpx.Request) -> Step:
        return self.instead_of("", request)

    def instead_of(self, refused: str, request: httpx.Request) -> Step:
        """The one in use; a fresh one where that is the refused one, has ended, or there is none."""
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
        with self._lock:
            pair = self._latest()
            if pair.refresh and _ended(pair, self._clock):
                pair = yield from self._renewed(pair, request)
            elif pair.refresh and not self._tries and _ended(pair, self._clock, self._early):
                pair = yield from self._renewed_early(pair, request)
            return pair.access

    def instead_of(self, refused: str, request: httpx.Request) -> Step:
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

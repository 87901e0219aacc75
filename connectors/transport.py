"""The only way to a marketplace: one guarded httpx client, and the only place that retries."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

import httpx
import msgspec
from pydantic import BaseModel, SecretStr
from tenacity import RetryCallState, Retrying

from connectors.bodies import Unparsed, parse
from connectors.breaker import Breaker, Health, ThisRunOnly
from connectors.contract import Connector, Media, Policy, Rate
from connectors.errors import (
    AuthorisationFailed,
    ClockSkew,
    ConnectorError,
    Down,
    Interrupted,
    Misconfigured,
    NotRecorded,
    NotSent,
    OtherShape,
    OutOfTime,
    Refused,
    Throttled,
    Unanswered,
)
from connectors.gate import AUTH, NOTHING_LEFT, open_client
from connectors.oddities import Oddities
from connectors.rate_headers import allowances, retry_after
from connectors.throttle import PATIENCE_SECONDS, STEP_SECONDS, Permit, Throttle
from connectors.tokens import InMemory, TokenPair, Tokens
from connectors.typed import typed
from models.clock import Clock
from models.window import QuotaStore

T = TypeVar("T")

READ_ATTEMPTS = 5
WRITE_ATTEMPTS = 3
BASE_SECONDS, THROTTLED_SECONDS, CAP_SECONDS = 0.5, 1.0, 60.0
BUDGET, RETRY_COSTS, TIMEOUT_COSTS = 100, 5, 10  # tokens; a success at once gives one back
TIMEOUTS = {"ConnectTimeout", "PoolTimeout", "ReadTimeout", "WriteTimeout", "deadline"}
OTHER_TLS = ("WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "HANDSHAKE_FAILURE")


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: httpx.Headers
    data: Any  # parsed JSON, or None for an empty body
    strange: Callable[[OtherShape, Any], None]  # told of an answer that is not as documented

    def read(self, kind: type[T], *part: Any) -> T:
        """The answer, or the part of it that is given, as documented. Raises OtherShape: it proves nothing then."""
        (data,) = part or (self.data,)
        try:
            return typed(data, kind)
        except msgspec.ValidationError as error:
            raise self.other_shape(f"{kind.__name__.strip('_')}: {error}", data) from None

    def held(self, kind: type[T]) -> T:
        """What stands under `data`, where every answer is an envelope of that form."""
        return self.read(kind, self.data.get("data"))

    def text(self, *names: str) -> str:
        """The one text that is wanted of an answer, below these names, as documented. Raises OtherShape."""
        found = self.data
        for name in names:
            found = self.read(dict[str, Any], found).get(name)
        return self.read(str, found)

    def other_shape(self, lack: str, data: Any) -> OtherShape:
        error = OtherShape("unexpected-answer", lack)
        self.strange(error, data)
        return error


class Session:
    """One account for one run: client, limits, media. Connectors call it and never httpx.

    `ends` is when the run must be over, on the monotonic clock; `before_send` may still stop a request at the last
    moment. `quota` and `health` remember for the next run.
    """

    def __init__(
        self,
        connector: Connector,
        base_url: str,
        credentials: Any,
        *,
        policy: Policy,
        clock: Clock,
        media: Media,
        rng: random.Random,
        transport: httpx.BaseTransport | None = None,
        before_send: Callable[[], None] = lambda: None,
        quota: QuotaStore | None = None,
        health: Health | None = None,
        ends: float | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        limits = connector.limits
        self.clock = clock
        self.media = media
        self.credentials = credentials
        self._seconds = limits.request_seconds
        self._ends = ends
        self.throttle = Throttle(agreed_rates(connector, policy), clock, quota, self._seconds)
        self.requests = 0
        self.oddities = Oddities(_secrets(credentials))
        self._breaker = Breaker(clock, health or ThisRunOnly())
        self._budget = Budget()
        self._lock = threading.Lock()
        self._before_send = before_send
        self._classify = connector.classify
        self._rng = rng
        self._refused: AuthorisationFailed | None = None
        self._theirs = TheirClock(clock)
        self._client = open_client(
            base_url,
            auth=self._auth(connector, tokens or InMemory()),
            seconds=self._seconds,
            in_flight=limits.in_flight,
            hosts=connector.hosts,
            clock=clock,
            gate=self,
            transport=transport,
        )

    def _auth(self, connector: Connector, tokens: Tokens) -> httpx.Auth:
        if connector.rotates:
            return connector.auth(self.credentials, self._theirs, Watched(tokens, self.oddities))
        return connector.auth(self.credentials, self._theirs)

    def close(self) -> None:
        self._client.close()

    def settle(self) -> None:
        """Writes down when the last requests ended: without it their permits are held until their deadlines."""
        with suppress(NotRecorded):
            self.throttle.settle()

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        files: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Reply:
        """Sends one request and returns its parsed answer, or raises what `classify` makes of it.

        `repeatable` says that sending twice does no harm (default: only for GET). `path` is relative to the base URL
        and already percent-encoded.
        """
        repeat = method == "GET" if repeatable is None else repeatable
        kind = dict(headers or {})
        if json is not None:
            content = msgspec.json.encode(json)
            kind.setdefault("Content-Type", "application/json")
        arguments: dict[str, Any] = {"content": content, "files": files, "params": params, "headers": kind}
        attempts = Attempts(READ_ATTEMPTS if method == "GET" else WRITE_ATTEMPTS, repeat=repeat)
        was_down = self._breaker.down_since
        try:
            reply = self._attempted(attempts, operation, method, path, arguments)
        except (NotSent, Throttled, Refused, AuthorisationFailed, Misconfigured) as error:
            if attempts.doubt is not None and method != "GET":
                raise attempts.doubt from None  # it may have been carried out then, whatever the last attempt met
            if was_down and type(error) is NotSent and self._breaker.down_since:
                raise Down(was_down) from None
            raise
        if was_down:
            self.throttle.ease()
        return reply

    def heard(self, operation: str, error: Exception) -> None:
        """Of each error that an answer speaks of, also one inside a success: whether its code is a new one."""
        if isinstance(error, ConnectorError) and error.unlisted:
            self.oddities.code(operation, error.code)

    def leave(self, request: httpx.Request) -> Permit:
        """A permit to send, and the last look whether to."""
        self._go_on()
        permit = self.throttle.wait(request.extensions.get("operation", AUTH), self._still)
        try:
            self._still()
        except Exception:
            self.throttle.arrived(permit)
            raise
        with self._lock:
            self.requests += 1
        return permit

    def arrived(self, permit: Permit, response: httpx.Response | None) -> None:
        self.throttle.arrived(permit)
        if response is None:
            return
        said = allowances(response.headers, self.clock)
        if said:
            self.throttle.reported(permit, said)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self.throttle.refused(permit, retry_after(response.headers, self.clock) or THROTTLED_SECONDS)

    def _still(self) -> None:
        """Raises where a request that has waited may not leave any more."""
        self._go_on()
        self._before_send()

    def _go_on(self) -> None:
        if self._refused is not None:
            error = self._refused
            raise AuthorisationFailed(error.code, error.words, message=error.message, next_step=error.next_step)
        if self._ends is not None and self.clock.monotonic() + self._seconds > self._ends:
            raise OutOfTime

    def _attempted(
        self, attempts: Attempts, operation: str, method: str, path: str, arguments: dict[str, Any]
    ) -> Reply:
        for attempt in Retrying(
            retry=attempts.may_repeat,
            wait=self._back_off,
            stop=self._gives_up(attempts),
            sleep=self._rest,
            reraise=True,
        ):
            with attempt:
                reply = self._once(operation, method, path, arguments)
                if attempts.error is None:
                    self._budget.earn()
                return reply
        raise AssertionError("tenacity reraises")

    def _gives_up(self, attempts: Attempts) -> Callable[[RetryCallState], bool]:
        def stop(state: RetryCallState) -> bool:
            if state.attempt_number >= attempts.most or self._breaker.down_since is not None:
                return True
            wait = state.upcoming_sleep
            if wait > PATIENCE_SECONDS or self._runs_out_in(wait):
                return True
            return not self._budget.pays(attempts.error)

        return stop

    def _runs_out_in(self, seconds: float) -> bool:
        return self._ends is not None and self.clock.monotonic() + seconds + self._seconds > self._ends

    def _rest(self, seconds: float) -> None:
        """In steps, so that the account stays ours meanwhile and a run that is asked to end does."""
        while seconds > 0:
            step = min(seconds, STEP_SECONDS)
            self.clock.sleep(step)
            seconds -= step
            self._still()

    def _back_off(self, state: RetryCallState) -> float:
        """Full jitter; what the marketplace asked for is the floor."""
        error = state.outcome.exception() if state.outcome else None
        base = THROTTLED_SECONDS if isinstance(error, Throttled) else BASE_SECONDS
        jitter = self._rng.uniform(0, min(CAP_SECONDS, base * 2 ** (state.attempt_number - 1)))
        floor = (error.retry_after or 0.0) if isinstance(error, Throttled) else 0.0
        return max(floor, jitter)

    def _once(self, operation: str, method: str, path: str, arguments: dict[str, Any]) -> Reply:
        with self._breaker.watching():
            try:
                with self._client.stream(method, path, extensions={"operation": operation}, **arguments) as response:
                    body = b"".join(response.iter_raw())
            except AuthorisationFailed as error:
                self._refused = error
                raise
            except ConnectorError:
                raise
            except NOTHING_LEFT as error:
                raise _unreachable(error) from None
            except (httpx.HTTPError, httpx.StreamError, OSError) as error:
                raise Unanswered(type(error).__name__) from None
            return self._judge(operation, response, body)

    def _judge(self, operation: str, response: httpx.Response, body: bytes) -> Reply:
        if response.is_redirect:
            raise Misconfigured("redirect", f"HTTP {response.status_code}", field="base_url")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Throttled("429", retry_after=retry_after(response.headers, self.clock))
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unanswered(f"HTTP {response.status_code}")
        data = parse(body)
        if isinstance(data, Unparsed):
            unread = OtherShape(data.reason)
            self._strange(operation, unread, {"status": response.status_code, "body": body.decode("latin-1")})
            raise unread
        error = self._classify(response, data)
        if isinstance(error, AuthorisationFailed):
            self._refused = error
        if isinstance(error, Throttled):  # a 429 in other words
            self.throttle.refused(response.extensions["permit"], error.retry_after or THROTTLED_SECONDS)
        if isinstance(error, ClockSkew):
            error.corrected = self._theirs.learn(response.headers)
        if isinstance(error, OtherShape):
            self._strange(operation, error, data)
        if error is not None:
            self.heard(operation, error)
            raise error
        return Reply(response.status_code, response.headers, data, partial(self._strange, operation))

    def _strange(self, operation: str, error: OtherShape, data: Any) -> None:
        self.oddities.shape(operation, error.words or error.code, data)


class Attempts:
    """What the attempts of one call have met so far."""

    def __init__(self, most: int, *, repeat: bool) -> None:
        self.most, self._repeat = most, repeat
        self.doubt: Unanswered | None = None
        self.error: BaseException | None = None

    def may_repeat(self, state: RetryCallState) -> bool:
        """Whether it does no harm to send again."""
        self.error = error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Unanswered):
            self.doubt = error
            return self._repeat
        if isinstance(error, ClockSkew):  # refused, hence not done; once, with the marketplace's own time
            return error.corrected and state.attempt_number == 1
        return isinstance(error, NotSent | Throttled) and not isinstance(error, Interrupted | OutOfTime | Down)


class Budget:
    """What an account may spend on retries in one run: where much fails, more of it helps nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = BUDGET

    def earn(self) -> None:
        with self._lock:
            self._tokens = min(BUDGET, self._tokens + 1)

    def pays(self, error: BaseException | None) -> bool:
        """Whether one more retry can be afforded; one after a time-out costs twice as much."""
        cost = TIMEOUT_COSTS if isinstance(error, ConnectorError) and error.code in TIMEOUTS else RETRY_COSTS
        with self._lock:
            if self._tokens < cost:
                return False
            self._tokens -= cost
            return True


class Watched:
    """Tokens whose values no sample of an answer may repeat."""

    def __init__(self, tokens: Tokens, oddities: Oddities) -> None:
        self._tokens, self._oddities = tokens, oddities

    def read(self) -> TokenPair | None:
        return self._hidden(self._tokens.read())

    def save(self, pair: TokenPair) -> None:
        self._hidden(pair)
        self._tokens.save(pair)

    def _hidden(self, pair: TokenPair | None) -> TokenPair | None:
        if pair is not None:
            self._oddities.hide((pair.access, pair.refresh))
        return pair


class TheirClock:
    """Our clock, put right by the marketplace once it has refused a signature for its time; only signatures use it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = timedelta()

    def now(self) -> datetime:
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def learn(self, headers: Mapping[str, str]) -> bool:
        """From an answer's Date; False where it has none."""
        try:
            at = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            return False
        self._ahead = (at if at.tzinfo else at.replace(tzinfo=UTC)) - self._clock.now()
        return True


def agreed_rates(connector: Connector, policy: Policy) -> tuple[Rate, ...]:
    """What the connector declares, unless the marketplace's operator granted this account another number."""
    if policy.requests_per_minute:
        return (Rate(permits=policy.requests_per_minute, seconds=60),)
    return connector.limits.rates


def _unreachable(error: httpx.HTTPError) -> ConnectorError:
    words = str(error).upper()
    if "CERTIFICATE" in words:
        return Misconfigured("certificate", field="base_url")
    if any(sign in words for sign in OTHER_TLS):
        return Misconfigured("tls", field="base_url")
    return NotSent(type(error).__name__)


def _secrets(credentials: Any) -> list[str]:
    """What must never lie in a sample, wherever the marketplace may have repeated it."""
    values = [value for _, value in credentials] if isinstance(credentials, BaseModel) else []
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]

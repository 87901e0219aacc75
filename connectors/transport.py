"""The only way to a marketplace: one guarded httpx client, and the only place that retries."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from connectors.contract import Connector, Media, Policy, Rate
from connectors.errors import ConnectorError, Misconfigured, NotSent, Throttled, Unanswered
from connectors.throttle import PATIENCE_SECONDS, Throttle
from models.clock import Clock

BODY_BYTES = 10 * 1024 * 1024
READ_ATTEMPTS = 5
WRITE_ATTEMPTS = 3
BASE_SECONDS, THROTTLED_SECONDS, CAP_SECONDS = 0.5, 1.0, 60.0
AUTH = "auth"  # the operation of requests that only fetch a token
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder().decode  # refuses NaN and Infinity


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: httpx.Headers
    data: Any  # parsed JSON, or None for an empty body


def open_client(
    base_url: str,
    *,
    auth: httpx.Auth,
    seconds: float,
    in_flight: int,
    before: Callable[[httpx.Request], None] = lambda request: None,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """Builds every httpx client of the project; refuses plain http beyond loopback."""
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    parts = urlsplit(base_url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise Misconfigured("insecure-address", f"{parts.scheme}://{parts.hostname}", field="base_url")
    return httpx.Client(
        base_url=base_url,
        auth=auth,
        transport=Paced(transport or httpx.HTTPTransport(limits=limits, trust_env=False), before),
        timeout=httpx.Timeout(seconds, connect=min(10.0, seconds)),
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "caybeo"},
    )


class Paced(httpx.BaseTransport):
    """Asks before every request that really leaves, the ones for a token included."""

    def __init__(self, inner: httpx.BaseTransport, before: Callable[[httpx.Request], None]) -> None:
        self._inner, self._before = inner, before

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._before(request)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


class Session:
    """One account for one run: client, limits, media. Connectors call it and never httpx."""

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
    ) -> None:
        limits = connector.limits
        self.clock = clock
        self.media = media
        self.credentials = credentials
        self.throttle = Throttle(agreed_rates(connector, policy), clock)
        self.requests = 0
        self._lock = threading.Lock()
        self._before_send = before_send
        self._classify = connector.classify
        self._rng = rng
        self._client = open_client(
            base_url,
            auth=connector.auth(credentials, clock),
            seconds=limits.request_seconds,
            in_flight=limits.in_flight,
            before=self._before,
            transport=transport,
        )

    def close(self) -> None:
        self._client.close()

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
        for attempt in self._attempts(READ_ATTEMPTS if method == "GET" else WRITE_ATTEMPTS, repeat=repeat):
            with attempt:
                return self._once(operation, method, path, arguments)
        raise AssertionError("tenacity reraises")

    def _attempts(self, most: int, *, repeat: bool) -> Retrying:
        kinds = (NotSent, Throttled, Unanswered) if repeat else (NotSent, Throttled)
        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, kinds) and not _too_far(error)),
            stop=stop_after_attempt(most),
            wait=self._back_off,
            sleep=self.clock.sleep,
            reraise=True,
        )

    def _back_off(self, state: RetryCallState) -> float:
        """Full jitter; what the marketplace asked for is the floor."""
        error = state.outcome.exception() if state.outcome else None
        base = THROTTLED_SECONDS if isinstance(error, Throttled) else BASE_SECONDS
        jitter = self._rng.uniform(0, min(CAP_SECONDS, base * 2 ** (state.attempt_number - 1)))
        floor = (error.retry_after or 0.0) if isinstance(error, Throttled) else 0.0
        return max(floor, jitter)

    def _once(self, operation: str, method: str, path: str, arguments: dict[str, Any]) -> Reply:
        try:
            with self._client.stream(method, path, extensions={"operation": operation}, **arguments) as response:
                body = _read(response)
        except ConnectorError:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _unreachable(error) from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise Unanswered(type(error).__name__) from None
        return self._judge(operation, response, body)

    def _before(self, request: httpx.Request) -> None:
        self.throttle.wait(request.extensions.get("operation", AUTH))
        self._before_send()
        with self._lock:
            self.requests += 1

    def _judge(self, operation: str, response: httpx.Response, body: bytes) -> Reply:
        if response.is_redirect:
            raise Misconfigured("redirect", f"HTTP {response.status_code}", field="base_url")
        data = parse(body)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            seconds = retry_after(response.headers, self.clock)
            self.throttle.refused(operation, seconds or THROTTLED_SECONDS)
            raise Throttled("429", retry_after=seconds)
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unanswered(f"HTTP {response.status_code}")
        if isinstance(data, Unparsed):
            raise Unanswered(data.reason)
        error = self._classify(response, data)
        if error is not None:
            raise error
        return Reply(response.status_code, response.headers, data)


@dataclass(frozen=True, slots=True)
class Unparsed:
    reason: str


def parse(body: bytes) -> Any:
    """The JSON in a body, None for an empty one, Unparsed where it is something else."""
    if not body:
        return None
    try:
        return _decode(body)
    except (ValueError, RecursionError):
        return Unparsed("not-json")


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Retry-After in seconds or as an HTTP date; None where it is missing or rubbish."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - clock.now()).total_seconds())


def agreed_rates(connector: Connector, policy: Policy) -> tuple[Rate, ...]:
    """What the connector declares, unless the marketplace's operator granted this account another number."""
    if policy.requests_per_minute:
        return (Rate(permits=policy.requests_per_minute, seconds=60),)
    return connector.limits.rates


def _too_far(error: BaseException) -> bool:
    """Asked to wait longer than a run does: the next run goes on."""
    return isinstance(error, Throttled) and (error.retry_after or 0.0) > PATIENCE_SECONDS


def _read(response: httpx.Response) -> bytes:
    chunks, size = [], 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > BODY_BYTES:
            raise Unanswered("body-too-large")
        chunks.append(chunk)
    return b"".join(chunks)


def _unreachable(error: httpx.HTTPError) -> ConnectorError:
    if "CERTIFICATE" in str(error).upper():
        return Misconfigured("certificate", field="base_url")
    return NotSent(type(error).__name__)

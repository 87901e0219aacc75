"""Every request passes here: where it may go, when, for how long, and how much may come back."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

import httpx

from connectors.bodies import Bounded
from connectors.errors import Misconfigured
from connectors.throttle import Permit, Throttle
from connectors.wire import Wire, tls
from models.clock import Clock, SystemClock
from models.faultpoint import fp

AUTH = "auth"  # the operation of requests that only fetch a token
CONNECT_SECONDS = 10.0  # at most, of a request's own
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
NOTHING_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)  # not a byte of the request


def _without_query(record: logging.LogRecord) -> bool:
    """httpx logs every address, and some marketplaces want the access token or a proof of it in there."""
    if isinstance(record.args, tuple):
        record.args = tuple(a.copy_with(query=None) if isinstance(a, httpx.URL) else a for a in record.args)
    return True


logging.getLogger("httpx").addFilter(_without_query)
logging.getLogger("httpcore").setLevel(logging.WARNING)  # below it every header of an answer is logged


class Gate(Protocol):
    """Asked before every request that really leaves, and told what became of it."""

    def leave(self, request: httpx.Request) -> Permit: ...

    def arrived(self, permit: Permit, response: httpx.Response | None) -> None:
        """With None where not a byte of it left."""


class OpenGate:
    """For a client without limits: only the deadline."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._throttle = Throttle((), clock, within=seconds)

    def leave(self, request: httpx.Request) -> Permit:
        return self._throttle.wait(AUTH)

    def arrived(self, permit: Permit, response: httpx.Response | None) -> None:
        pass


def open_client(
    base_url: str,
    *,
    auth: httpx.Auth,
    seconds: float,
    in_flight: int,
    hosts: Iterable[str] = (),
    clock: Clock | None = None,
    gate: Gate | None = None,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """Builds every httpx client of the project: to this address and the hosts named, over TLS, and nowhere else."""
    clock = clock or SystemClock()
    allowed = Addresses(base_url, hosts)
    inner = transport or Wire(clock, in_flight, tls() if allowed.base.scheme == "https" else None)
    return httpx.Client(
        base_url=base_url,
        auth=auth,
        transport=Paced(inner, gate or OpenGate(clock, seconds), allowed, clock),
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "caybeo"},
    )


class Addresses:
    """Where requests may go."""

    def __init__(self, base_url: str, hosts: Iterable[str]) -> None:
        self.base = _url(base_url)
        self._hosts = {(self.base.host, self.base.port), *((host, None) for host in hosts)}
        self.check(self.base)

    def check(self, url: httpx.URL) -> None:
        """Plain http only on this machine, and nothing to a host that the connector does not name."""
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            raise Misconfigured("insecure-address", f"{url.scheme}://{url.host}", field="base_url")
        if (url.host, url.port) not in self._hosts:
            raise Misconfigured("foreign-host", url.host, field="base_url")


class Paced(httpx.BaseTransport):
    """Every request passes here, the ones for a token included: address, permit, deadline, and what may come back."""

    def __init__(self, inner: httpx.BaseTransport, gate: Gate, allowed: Addresses, clock: Clock) -> None:
        self._inner, self._gate, self._allowed, self._clock = inner, gate, allowed, clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._allowed.check(request.url)
        fp("request.ready")
        permit = self._gate.leave(request)
        fp("request.leaving")
        try:
            left = permit.ends - self._clock.monotonic()
            if left <= 0:  # it stood still since: the permit is none any more
                raise httpx.ConnectTimeout("too late to leave")
            wait = {"connect": min(CONNECT_SECONDS, left), "read": left, "write": left, "pool": left}
            request.extensions.update(ends=permit.ends, timeout=wait)
            response = self._inner.handle_request(request)
        except NOTHING_LEFT:
            self._gate.arrived(permit, None)
            raise
        fp("request.answered")
        self._gate.arrived(permit, response)
        response.extensions["permit"] = permit
        response.stream = Bounded(response, lambda: self._clock.monotonic() >= permit.ends)
        return response

    def close(self) -> None:
        self._inner.close()


def _url(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise Misconfigured("insecure-address", field="base_url") from None
    return url

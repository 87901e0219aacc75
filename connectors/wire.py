"""The sockets behind an account's client: TLS that cannot be loosened, and one deadline for a whole request."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from models.clock import Clock

IDLE_SECONDS = 5.0  # a connection that rested longer may be closed at the other end: a request on it would be a doubt
PIECE = 64 * 1024


def tls(authorities: str = "") -> ssl.SSLContext:
    """Certificate and name are verified, TLS is 1.2 at least; `authorities` is a PEM of whom to trust instead."""
    context = (
        ssl.create_default_context(cadata=authorities) if authorities else httpx.create_ssl_context(trust_env=False)
    )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire(httpx.BaseTransport):
    """One account's connections. `extensions["ends"]` is when, on the monotonic clock, the last byte must be here.

    httpx's own timeouts begin anew with every chunk, so a server that drips would be waited for without end.
    """

    def __init__(self, clock: Clock, in_flight: int, context: ssl.SSLContext | None) -> None:
        self._backend = Timed(clock)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=in_flight,
            max_keepalive_connections=in_flight,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=self._backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)  # noqa: S101  # only synchronous clients are built here
        self._backend.begin(request.extensions["ends"])
        call = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            response = self._pool.handle_request(call)
        assert isinstance(response.stream, Iterable)  # noqa: S101  # the same
        return httpx.Response(response.status, headers=response.headers, stream=Chunks(response))

    def close(self) -> None:
        self._pool.close()


class Chunks(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class UnderWay(threading.local):
    """The request that this thread is working on."""

    ends = 0.0
    begun = False  # whether a byte of it may have left


class Timed(httpcore.NetworkBackend):
    """Sockets that give up when the request of their thread has had its time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sockets = httpcore.SyncBackend()
        self.request = UnderWay()

    def begin(self, ends: float) -> None:
        """From now on this thread works on a request that ends then."""
        self.request.ends, self.request.begun = ends, False

    def left(self) -> float:
        return self.request.ends - self._clock.monotonic()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            stream = self._sockets.connect_tcp(host, port, timeout, local_address, socket_options)
        except UnicodeError:
            raise httpcore.ConnectError("no host has that name") from None
        return TimedStream(stream, self)


class TimedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, line: Timed) -> None:
        self._inner, self._line = inner, line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._of(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """In pieces: a socket's own time-out begins anew whenever the other end takes a little."""
        for start in range(0, len(buffer), PIECE):
            late = httpcore.WriteTimeout if self._line.request.begun else httpcore.ConnectTimeout
            seconds = self._of(timeout, late)
            self._line.request.begun = True
            self._inner.write(buffer[start : start + PIECE], seconds)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secure = self._inner.start_tls(ssl_context, server_hostname, self._of(timeout, httpcore.ConnectTimeout))
        return TimedStream(secure, self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def _of(self, timeout: float | None, late: type[Exception]) -> float:
        """The time-out that is asked for, where the request still has so much time."""
        left = self._line.left()
        if left <= 0:
            raise late("the request's own deadline")
        return left if timeout is None else min(timeout, left)


@contextmanager
def _as_httpx() -> Iterator[None]:
    """httpcore's errors under httpx's names: what a transport raises is the same whoever carries the bytes."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error

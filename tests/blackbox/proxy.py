"""A loopback HTTP proxy that spoils the line to a marketplace, for the next n requests that match.

In a test: `proxy.add("drop", times=3, path="/products")`. By hand, before `caybeo sandbox serve`:

    python -m tests.blackbox.proxy --target http://127.0.0.1:8800 --port 8801 --toxic "drop times=3 path=/products"

It prints every request, takes further toxics as lines on stdin, and `calm` ends them all.
"""

from __future__ import annotations

import argparse
import re
import shlex
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

HELD_SECONDS = 120.0  # a test that forgets to let go must not hang for ever
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset instead of a farewell
MIB = 1024 * 1024
OURS = {"connection", "keep-alive", "transfer-encoding", "content-length"}  # headers of one line, not of the way


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def saying(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        """The same with another body, and these headers in the place of its own."""
        given = headers or {}
        kept = tuple((name, value) for name, value in self.headers if name.title() not in given)
        return replace(self, headers=(*kept, *given.items()), body=body)

    def head(self, length: int | None) -> bytes:
        """`length` is what the body claims to be; without one it ends with the connection."""
        end = ("Connection", "close") if length is None else ("Content-Length", str(length))
        lines = [f"HTTP/1.1 {self.status} Told", *(f"{name}: {value}" for name, value in (*self.headers, end))]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(kw_only=True)
class Toxic:
    """One kind of trouble for the next `times` requests that match, after `skip` of them have passed unharmed."""

    kind: str
    times: int = 1
    skip: int = 0
    method: str = ".*"  # a regular expression
    path: str = ""  # another, searched in the path with its query
    seconds: float = 1.0  # waited before the answer, between its slices, or before the connection ends
    size: int = 1  # bytes of a slice, or let through; MiB of a bomb
    status: int = 200
    body: bytes = b"<html><body>Bad gateway</body></html>"
    type: str = "text/html"
    location: str = "http://127.0.0.1:9/"
    retry_after: str = ""
    edit: Callable[[bytes], bytes] = lambda body: body
    met: int = 0  # how many requests it harmed
    hits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind}: it must be one of {', '.join(KINDS)}")

    def takes(self, method: str, path: str) -> bool:
        """Whether this request is one of its own; counts it."""
        if self.met >= self.times or not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.met += 1
        return True

    def reached(self, many: int = 1, seconds: float = 60) -> bool:
        """Waits until so many requests were held, or refused."""
        return all(self.hits.acquire(timeout=seconds) for _ in range(many))

    @classmethod
    def parse(cls, line: str) -> Self:
        """From words: `drop times=3 method=POST path=/products`."""
        kind, *pairs = shlex.split(line)
        return cls(kind=kind, **{name: READ[name](value) for name, value in (pair.split("=", 1) for pair in pairs)})


READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("times", "skip", "size", "status"), int),
    **dict.fromkeys(("method", "path", "type", "location", "retry_after"), str),
    "seconds": float,
    "body": str.encode,
}


@dataclass(slots=True)
class Passed:
    """One request that reached the proxy."""

    method: str
    path: str
    toxic: str
    delivered: int = 0  # how often the target got it
    status: int = 0  # what the client was told; 0 = nothing
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __str__(self) -> str:
        told = str(self.status) if self.status else "no answer"
        return f"{self.at:%H:%M:%S.%f} {self.method} {self.path} → {told} {self.toxic}".rstrip()


class Exchange(BaseHTTPRequestHandler):
    """A client's connection; what becomes of each request on it is one function of KINDS."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def pass_on(self) -> None:
        self.toxic, self.passed = self.server.meet(self.command, self.path)
        self._body: bytes | None = None
        try:
            KINDS[self.toxic.kind](self)
        except (OSError, HTTPException):
            self.close_connection = True  # the target or the client is gone
        finally:
            self.server.told(self.passed)

    def __getattr__(self, name: str) -> Any:
        """Every method is passed on alike."""
        if name.startswith("do_"):
            return self.pass_on
        raise AttributeError(name)

    def setup(self) -> None:
        super().setup()
        self.server.lines.add(self.connection)

    def finish(self) -> None:
        self.server.lines.discard(self.connection)
        super().finish()

    def log_message(self, *_: Any) -> None:
        """The proxy keeps a log of its own."""

    def body(self) -> bytes:
        if self._body is None:
            self._body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return self._body

    def forward(self) -> Answer:
        """Delivers the request as it came, signatures and all, and reads the whole answer."""
        content = self.body()
        far = HTTPConnection(*self.server.target, timeout=60)
        try:
            far.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                far.putheader(name, value)
            far.endheaders(content)
            self.passed.delivered += 1
            response = far.getresponse()
            headers = tuple((name, value) for name, value in response.getheaders() if name.lower() not in OURS)
            return Answer(response.status, headers, response.read())
        finally:
            far.close()

    def wait(self, event: threading.Event | None = None) -> None:
        """For the toxic's seconds, or for the event; a proxy that closes waits no longer."""
        (event or self.server.closing).wait(HELD_SECONDS if event else self.toxic.seconds)

    def send(self, answer: Answer, *, size: int = 0) -> None:
        """The whole answer, or slice by slice with a pause before each."""
        self.passed.status = answer.status
        raw = answer.head(len(answer.body)) + answer.body
        for part in _slices(raw, size or len(raw)):
            if size:
                self.wait()
            self.wfile.write(part)

    def send_part(self, answer: Answer, *, claimed: int | None) -> None:
        """The answer with the length it claims, and the end of the connection."""
        self.passed.status = answer.status
        self.close_connection = True
        self.wfile.write(answer.head(claimed) + answer.body)

    def reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.rfile.close()
        self.connection.close()


def _slices(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


# What each kind does. Those that call `forward` have been applied by the target, whatever the client is told.


def calm(x: Exchange) -> None:
    """Nothing happens to it."""
    x.send(x.forward())


def latency(x: Exchange) -> None:
    """Applied at once, answered after `seconds`."""
    answer = x.forward()
    x.wait()
    x.send(answer)


def hold(x: Exchange) -> None:
    """Applied at once, answered when the test lets go."""
    answer = x.forward()
    x.toxic.hits.release()
    x.wait(x.toxic.released)
    x.send(answer)


def bandwidth(x: Exchange) -> None:
    """The answer drips: one byte, then `seconds` of nothing, and so on, head and all."""
    x.send(x.forward(), size=1)


def slicer(x: Exchange) -> None:
    """The answer comes in slices of `size` bytes with `seconds` between: slow, but whole."""
    x.send(x.forward(), size=x.toxic.size)


def slow_close(x: Exchange) -> None:
    """An answer without a length, whose end is seen only `seconds` later."""
    x.send_part(x.forward(), claimed=None)
    x.wait()


def timeout(x: Exchange) -> None:
    """Swallowed: the target never sees it, and the connection ends after `seconds`."""
    x.body()
    x.wait()
    x.close_connection = True


def reset_peer(x: Exchange) -> None:
    """Reset before the body is read; the target never sees it."""
    x.reset()


def reset_late(x: Exchange) -> None:
    """Applied, then reset instead of an answer."""
    x.forward()
    x.reset()


def drop(x: Exchange) -> None:
    """Applied, then the connection ends without an answer."""
    x.forward()
    x.close_connection = True


def limit_data(x: Exchange) -> None:
    """Applied; only `size` bytes of the body arrive of all that were promised."""
    answer = x.forward()
    x.send_part(answer.saying(answer.body[: x.toxic.size]), claimed=len(answer.body))


def cut(x: Exchange) -> None:
    """Applied; the body is `size` bytes long and claims to be whole."""
    answer = x.forward()
    x.send(answer.saying(answer.body[: x.toxic.size]))


def gzip_bomb(x: Exchange) -> None:
    """Applied; the body is small and unpacks to `size` MiB."""
    x.send(x.forward().saying(bomb(x.toxic.size), {"Content-Encoding": "gzip"}))


@cache
def bomb(size: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size)), packer.flush()])


def bad_gzip(x: Exchange) -> None:
    """Applied; the body says it is packed, and is not."""
    x.send(x.forward().saying(x.toxic.body, {"Content-Encoding": "gzip"}))


def redirect(x: Exchange) -> None:
    """Sent to `location`; the target never sees it."""
    x.body()
    x.send(Answer(307, (("Location", x.toxic.location),), b""))


def garbage(x: Exchange) -> None:
    """Applied; `body` of `type` with `status` is the answer."""
    answer = x.forward().saying(x.toxic.body, {"Content-Type": x.toxic.type})
    x.send(replace(answer, status=x.toxic.status))


def refuse(x: Exchange) -> None:
    """`body` of `type` with `status` is the answer, with `retry_after` if given; the target never sees the request."""
    x.body()
    later = (("Retry-After", x.toxic.retry_after),) if x.toxic.retry_after else ()
    x.send(Answer(x.toxic.status, (("Content-Type", x.toxic.type), *later), x.toxic.body))
    x.toxic.hits.release()


def rewrite(x: Exchange) -> None:
    """Applied; the body went through `edit`, with `status`."""
    answer = x.forward()
    x.send(replace(answer.saying(x.toxic.edit(answer.body)), status=x.toxic.status))


def duplicate(x: Exchange) -> None:
    """Delivered twice; the answer is the second one."""
    x.forward()
    x.send(x.forward())


KINDS: dict[str, Callable[[Exchange], None]] = {
    kind.__name__: kind
    for kind in (
        calm, latency, hold, bandwidth, slicer, slow_close, timeout, reset_peer, reset_late, drop, limit_data, cut,
        gzip_bomb, bad_gzip, redirect, garbage, refuse, rewrite, duplicate,
    )
}  # fmt: skip


class Proxy(ThreadingHTTPServer):
    """Listens on 127.0.0.1 from the beginning of `with` to its end."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: str, port: int = 0, tell: Callable[[Passed], None] = lambda passed: None) -> None:
        parts = urlsplit(target)
        self.target = str(parts.hostname), parts.port or 80
        self.told = tell
        self.closing = threading.Event()
        self.lines: set[socket.socket] = set()
        self.log: list[Passed] = []
        self._toxics: list[Toxic] = []
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Exchange)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.calm()
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()
        for line in list(self.lines):
            with suppress(OSError):  # some have ended by themselves
                line.shutdown(socket.SHUT_RDWR)

    def add(self, kind: str, **how: Any) -> Toxic:
        """From now on, until it met its number of requests."""
        return self.take(Toxic(kind=kind, **how))

    def take(self, toxic: Toxic) -> Toxic:
        with self._lock:
            self._toxics.append(toxic)
        return toxic

    def calm(self) -> None:
        """No trouble any more: what is held is let go."""
        with self._lock:
            toxics, self._toxics = self._toxics, []
        for toxic in toxics:
            toxic.released.set()

    def meet(self, method: str, path: str) -> tuple[Toxic, Passed]:
        """What happens to this request; it stands in the log from here on."""
        with self._lock:
            toxic = next((one for one in self._toxics if one.takes(method, path)), None)
            passed = Passed(method, path, toxic.kind if toxic else "")
            self.log.append(passed)
        return toxic or Toxic(kind="calm"), passed

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, or is killed, is no news."""


def main() -> None:
    words = argparse.ArgumentParser(prog="tests.blackbox.proxy", description=__doc__.splitlines()[0])
    words.add_argument("--target", required=True, help="where requests go, such as http://127.0.0.1:8800")
    words.add_argument("--port", type=int, default=8801)
    words.add_argument("--toxic", type=Toxic.parse, action="append", default=[], help=", ".join(KINDS))
    given = words.parse_args()
    with Proxy(given.target, given.port, tell=lambda passed: print(passed, flush=True)) as proxy:
        for toxic in given.toxic:
            proxy.take(toxic)
        print(f"{proxy.url} → {given.target}", flush=True)
        for line in sys.stdin:
            _obey(proxy, line.strip())
        threading.Event().wait()  # stdin has ended: until Ctrl-C


def _obey(proxy: Proxy, line: str) -> None:
    try:
        proxy.calm() if line == "calm" else proxy.take(Toxic.parse(line))
    except (ValueError, KeyError, TypeError) as error:
        print(f"? {error}", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()

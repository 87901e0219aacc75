"""What every simulated marketplace shares: state that survives the process, quotas, faults, and a request log."""

from __future__ import annotations

import random
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, unquote

import httpx
import msgspec

from connectors.typed import typed
from models.clock import Clock, SystemClock

Effect = Literal["read", "write", "refused"]
MULTIPART = re.compile(r'multipart/form-data; ?boundary="?([^";]+)"?')
PART = re.compile(rb'name="([^"]+)"')
LOGGED = 2_000  # requests kept for `sandbox show`


@dataclass(frozen=True, slots=True)
class Answer:
    """A response and what it did; an error said with HTTP 200 is `refused` all the same."""

    response: httpx.Response
    effect: Effect


class Marketplace(Protocol):
    """The far side of one connector, written from its documents.

    `quota` is (requests, seconds): a token bucket with that capacity. `credentials` are what the sandbox account uses.
    `pace` is (poll_after, settle_after) for it: here things happen sooner than its connector must expect.
    """

    name: str
    quota: tuple[int, float]
    credentials: Mapping[str, str]
    pace: tuple[float, float]

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None: ...

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        """Answers in the real wire format; `path` is the decoded path below the marketplace's root."""

    def throttled(self, seconds: int) -> httpx.Response:
        """The documented 429."""

    def listings(self) -> list[dict[str, Any]]:
        """All listings: key, remote_id, title, price, currency, stock, status, updated_at, payload."""


class State:
    """Documents by (kind, key) in one SQLite file, or in memory. One request is one transaction."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None, timeout=30)
        self._db.execute("PRAGMA synchronous=OFF")  # outlives its process; losing power loses only a sandbox
        self._db.execute("PRAGMA journal_mode=TRUNCATE")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS document"
            " (kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one at a time, across threads and processes."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def get(self, kind: str, key: str) -> Any:
        row = self._db.execute("SELECT value FROM document WHERE kind=? AND key=?", (kind, key)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def put(self, kind: str, key: str, value: Any) -> None:
        self._db.execute(
            "INSERT INTO document VALUES (?,?,?) ON CONFLICT (kind, key) DO UPDATE SET value=excluded.value",
            (kind, key, msgspec.json.encode(value)),
        )

    def delete(self, kind: str, key: str) -> None:
        self._db.execute("DELETE FROM document WHERE kind=? AND key=?", (kind, key))

    def items(self, kind: str, after: str = "", most: int = -1) -> list[tuple[str, Any]]:
        """In key order, beginning behind `after`: what a page cursor needs."""
        rows = self._db.execute(
            "SELECT key, value FROM document WHERE kind=? AND key>? ORDER BY key LIMIT ?", (kind, after, most)
        )
        return [(key, msgspec.json.decode(value)) for key, value in rows]

    def next_number(self, name: str) -> int:
        """1, 2, 3 …"""
        value = int(self.get("counter", name) or 0) + 1
        self.put("counter", name, value)
        return value

    def clear(self) -> None:
        self._db.execute("DELETE FROM document")

    def close(self) -> None:
        self._db.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What goes wrong with the next `times` requests.

    `status` answers with that HTTP status; `drop` applies the request and gives no answer; with neither the connection
    is refused. `seconds` delays the answer.
    """

    times: int
    status: int | None = None
    drop: bool = False
    seconds: float = 0.0


class Dropped(Exception):  # an event on the wire, not an error of ours
    """No answer leaves the marketplace; `applied` says whether it did what was asked."""

    def __init__(self, *, applied: bool) -> None:
        super().__init__("dropped")
        self.applied = applied


class Sandbox:
    """One simulated marketplace: answers requests in process or behind a server, and can be looked at."""

    def __init__(
        self, kind: type[Marketplace], path: Path | None = None, *, clock: Clock | None = None, seed: int = 0
    ) -> None:
        self.state = State(path)
        self.clock = clock or SystemClock()
        self.marketplace = kind(self.state, self.clock, random.Random(seed))
        self.name = self.marketplace.name

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Raises Dropped where no answer may leave."""
        request.read()
        with self.state.transaction():
            fault = self._next_fault()
            answer = self._answer(request, fault)
            self._log(request, answer)
        if fault and fault.seconds:
            self.clock.sleep(fault.seconds)
        if fault and fault.status is None and (fault.drop or not fault.seconds):
            raise Dropped(applied=fault.drop)
        return answer.response

    def show(self) -> dict[str, Any]:
        with self.state.transaction():
            counts = {e: int(self.state.get("requests", e) or 0) for e in ("read", "write", "refused")}
            return {"marketplace": self.name, "listings": self.marketplace.listings(), "requests": counts}

    def log(self) -> list[dict[str, Any]]:
        """The latest requests, oldest first."""
        with self.state.transaction():
            return [entry for _, entry in self.state.items("log")]

    def reset(self) -> None:
        with self.state.transaction():
            self.state.clear()

    def fault(self, fault: Fault) -> None:
        with self.state.transaction():
            self.state.put("fault", "next", msgspec.to_builtins(fault))

    def _next_fault(self) -> Fault | None:
        raw = self.state.get("fault", "next")
        if raw is None:
            return None
        fault = typed(raw, Fault)
        if fault.times <= 1:
            self.state.delete("fault", "next")
        else:
            self.state.put("fault", "next", raw | {"times": fault.times - 1})
        return fault

    def _answer(self, request: httpx.Request, fault: Fault | None) -> Answer:
        if fault and fault.status is not None:
            return Answer(httpx.Response(fault.status, text="simulated fault"), "refused")
        if fault and not fault.drop and not fault.seconds:
            return Answer(httpx.Response(503), "refused")
        seconds = self._wait_for_quota()
        if seconds:
            return Answer(self.marketplace.throttled(seconds), "refused")
        return self.marketplace.handle(request, below(request, self.name))

    def _wait_for_quota(self) -> int:
        """0 where a permit was left, else the seconds until there is one."""
        permits, window = self.marketplace.quota
        now = self.clock.now().timestamp()
        tokens, at = self.state.get("quota", "all") or (permits, now)
        tokens = min(permits, tokens + (now - at) * permits / window)
        if tokens < 1:
            return int((1 - tokens) * window / permits) + 1
        self.state.put("quota", "all", (tokens - 1, now))
        return 0

    def _log(self, request: httpx.Request, answer: Answer) -> None:
        self.state.put("requests", answer.effect, int(self.state.get("requests", answer.effect) or 0) + 1)
        number = self.state.next_number("log")
        self.state.put(
            "log",
            f"{number:012}",
            {
                "at": self.clock.now().isoformat(),
                "method": request.method,
                "path": request.url.path,
                "status": answer.response.status_code,
                "effect": answer.effect,
            },
        )
        self.state.delete("log", f"{number - LOGGED:012}")


class SandboxTransport(httpx.BaseTransport):
    """The sandbox as an httpx transport: the whole wire format, no socket."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._sandbox.handle(request)
            return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))
        except Dropped as dropped:
            if dropped.applied:
                raise httpx.ReadTimeout("no answer", request=request) from None
            raise httpx.ConnectError("connection refused", request=request) from None


def below(request: httpx.Request, root: str) -> list[str]:
    """The path's segments, each decoded by itself, without the marketplace's own folder: keys may hold slashes."""
    raw = request.url.raw_path.split(b"?")[0].decode("ascii")
    segments = [unquote(s) for s in raw.split("/")[1:]]
    return segments[1:] if segments[:1] == [root] else segments


def json_of(request: httpx.Request) -> Any:
    """The request's JSON body; ValueError where it is none."""
    return msgspec.json.decode(request.content)


def parameters_of(request: httpx.Request, *, file: str) -> dict[str, Any] | None:
    """Those of the query of a GET and of the form of any other; None where they do not stand there.

    The bytes of the file come under the empty name.
    """
    if request.method == "GET":
        return dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
    kind = request.headers.get("Content-Type", "")
    if request.url.query:
        return None
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.content.decode(), keep_blank_values=True))
    mark = MULTIPART.fullmatch(kind)
    return None if mark is None else dict(_parts(request.content, mark[1].encode(), file.encode()))


def _parts(body: bytes, mark: bytes, file: bytes) -> Iterator[tuple[str, Any]]:
    for part in body.split(b"--" + mark)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = PART.search(head)
        if name is not None and name[1] == file and b"filename=" in head:
            yield "", value[:-2]
        else:
            yield name[1].decode() if name else "?", value[:-2].decode()


def respond(status: int, data: Any = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """A JSON response in UTF-8."""
    content = b"" if data is None else msgspec.json.encode(data)
    return httpx.Response(status, content=content, headers={"Content-Type": "application/json", **(headers or {})})

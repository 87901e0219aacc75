"""The smallest marketplace there is, and a connector value for it: shared files are tested without a real one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, SecretStr

from connectors.contract import Capabilities, Connector, Limits, Policy, Rate
from connectors.errors import Refused
from connectors.simulator import Answer, State, respond
from connectors.transport import Session
from models.clock import Clock
from tests.scenarios.world import HandClock

ADDRESS = "https://stall.example/api"


class Stall:
    """Counts what it is asked, keeps what it is given, and says what it saw."""

    name = "stall"
    quota = (50, 10.0)
    credentials: ClassVar[Mapping[str, str]] = {"token": "stall-token"}

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock, self._rng = state, clock, rng

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        if path == ["broken"]:
            self._state.put("item", "half", {"title": "half"})
            raise ZeroDivisionError
        if request.method == "GET":
            seen = {"raw_path": request.url.raw_path.decode(), "path": path, "number": self._state.get("counter", "n")}
            return Answer(respond(200, seen), "read")
        number = self._state.next_number("n")
        self._state.put("item", "/".join(path), {"title": request.content.decode() or "không tên"})
        return Answer(respond(201, {"number": number}), "write")

    def throttled(self, seconds: int) -> httpx.Response:
        return respond(429, {"error": "too many"}, {"Retry-After": str(seconds)})

    def listings(self) -> list[dict[str, Any]]:
        fixed = {"price": 1000, "currency": "VND", "stock": 1, "status": "live", "updated_at": "", "payload": {}}
        return [{"key": key, "remote_id": key, **item, **fixed} for key, item in self._state.items("item")]


class Token(BaseModel):
    token: SecretStr = SecretStr("stall-token")


class NoMedia:
    def read(self, sha256: str) -> bytes:
        raise FileNotFoundError(sha256)

    def remote_id(self, sha256: str) -> str | None:
        return None

    def remember(self, sha256: str, remote_id: str) -> None:
        pass


def classify(response: httpx.Response, data: Any) -> Exception | None:
    return Refused(str(response.status_code)) if response.is_client_error else None


def declared(*rates: Rate, seconds: float = 20.0) -> Connector:
    return Connector(
        name="stall",
        title="Sạp thử",
        safety="C",
        mapping_version=1,
        credentials=Token,
        capabilities=Capabilities(),
        limits=Limits(batch_size=1, in_flight=2, rates=rates, request_seconds=seconds),
        project=lambda item, policy: None,
        auth=lambda credentials, clock: httpx.Auth(),
        client=lambda session: None,
        classify=classify,
        simulator="tests.connectors.stall.Stall",
    )


@dataclass
class Pieces(httpx.SyncByteStream):
    """A body as it comes from a socket: piece by piece, and only once. `taken` counts the pieces."""

    pieces: Iterable[bytes]
    taken: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.taken += 1
            yield piece


def answer(status: int = 200, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=Pieces([body]))


@dataclass
class Wire(httpx.BaseTransport):
    """Gives the prepared answers in turn, the last one for ever; an exception is raised instead."""

    answers: list[Callable[[], httpx.Response] | Exception]
    requests: list[httpx.Request] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        prepared = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(prepared, Exception):
            raise prepared
        return prepared()


class RecordingClock(HandClock):
    """Remembers every wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        super().sleep(seconds)


def session(
    transport: httpx.BaseTransport | None,
    clock: Clock,
    *,
    connector: Connector | None = None,
    base_url: str = ADDRESS,
    credentials: Any = None,
    seed: int = 7,
    **more: Any,
) -> Session:
    return Session(
        connector or declared(),
        base_url,
        credentials or Token(),
        policy=Policy(sandbox=True),
        clock=clock,
        media=NoMedia(),
        rng=random.Random(seed),
        transport=transport,
        **more,
    )

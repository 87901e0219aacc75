"""A Vỏ Sò account on the simulator, with a clock that only moves when told."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import httpx

from connectors.contract import Policy
from connectors.simulator import Sandbox, SandboxTransport
from connectors.transport import Session
from connectors.voso import CONNECTOR
from connectors.voso.auth import Credentials
from connectors.voso.client import Client
from connectors.voso.mapping import project
from connectors.voso.simulator import Simulator
from models.catalogue import Certificate, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing
from models.outcome import Result
from models.value import replace

PICTURES = {sha256(data).hexdigest(): data for data in (b"\xff\xd8\xffone", b"\x89PNG\r\n\x1a\ntwo\r\n--x\r\n")}
KEY = "TÔM KHÔ/1 #2?a&b%20"


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Pictures:
    known: dict[str, str] = field(default_factory=dict)

    def read(self, sha: str) -> bytes:
        return PICTURES[sha]

    def remote_id(self, sha: str) -> str | None:
        return self.known.get(sha)

    def remember(self, sha: str, remote_id: str) -> None:
        self.known[sha] = remote_id


Intercept = Callable[[httpx.Request], httpx.Response | None]


class Once(httpx.SyncByteStream):
    """A body as it comes from a socket: in pieces, and only once."""

    def __init__(self, body: bytes) -> None:
        self._pieces = iter([body[:10], body[10:]])

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces


class Wire(httpx.BaseTransport):
    """The sandbox, with a listener that may break single calls; `calls` are the paths that went over it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = SandboxTransport(sandbox)
        self.calls: list[str] = []
        self.timeouts: list[object] = []
        self.before: Intercept = lambda request: None
        self.after: Intercept = lambda request: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.url.path.partition("/v2/")[2])
        self.timeouts.append(request.extensions.get("timeout"))
        answer = self.before(request)
        if answer is None:
            response = self._inner.handle_request(request)
            answer = self.after(request) or response
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Once(answer.read()))


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sandbox = Sandbox(Simulator, clock=self.clock, seed=1)
        self.simulator: Simulator = self.sandbox.marketplace
        self.wire = Wire(self.sandbox)
        self.media = Pictures()
        self.sessions: list[Session] = []
        self.client = self.open()

    def open(self, password: str = "sandbox-voso") -> Client:
        session = Session(
            CONNECTOR,
            "https://sandbox.invalid/voso",
            Credentials(username="sandbox", password=password),
            policy=Policy(sandbox=True),
            clock=self.clock,
            media=self.media,
            rng=random.Random(1),
            transport=self.wire,
        )
        self.sessions.append(session)
        return Client(session)

    def push(self, change: Change) -> Result:
        return self.client.push([change])[0]

    def live(self, listing: Listing) -> Result:
        """Creates it and waits for the review."""
        result = self.push(create(listing))
        self.clock.sleep(1)
        return self.client.poll([result])[0]

    def shown(self) -> list[dict]:
        return self.sandbox.show()["listings"]


def item(**changes: object) -> Item:
    return replace(
        Item(
            sku=KEY,
            group="tom-kho",
            name="Tôm khô Rạch Gốc",
            brand="Năm Căn",
            description="Tôm đất phơi nắng.\nThơm, ngọt.",
            producer=Producer(producer_id="p1", legal_name="HTX Rạch Gốc"),
            price=Money(amount=Decimal(450000)),
            list_price=Money(amount=Decimal(500000)),
            price_confirmed_on=None,
            stock=20,
            pack="500 g/hộp",
            gtin="",
            set_no=8,
            certificate=None,
            is_alcohol=False,
            alcohol_percent=None,
            ingredients="Tôm, muối",
            shelf_life="6 tháng",
            storage="Nơi khô mát",
            usage="",
            warnings="",
            origin="Cà Mau",
            marks="",
            images=tuple(
                Image(sha256=sha, media_type="image/jpeg", width=800, height=800, size=len(data))
                for sha, data in PICTURES.items()
            ),
        ),
        **changes,
    )


def listing(**changes: object) -> Listing:
    made = project(item(**changes), Policy())
    assert isinstance(made, Listing), made
    return made


def change(kind: Kind, of: Listing, remote_id: str = "", facets: tuple[str, ...] = FACETS) -> Change:
    return Change(key=of.key, kind=kind, facets=facets, listing=of.facets, token="t", remote_id=remote_id)


def create(of: Listing, remote_id: str = "") -> Change:
    return change(Kind.CREATE, of, remote_id)


STAR = Certificate(star=4, year=2025)

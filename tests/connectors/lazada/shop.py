"""A Lazada account on the simulator, with a clock that only moves when told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from urllib.parse import parse_qsl

import httpx

from connectors.contract import Policy
from connectors.iop import Credentials
from connectors.lazada import CONNECTOR
from connectors.lazada.client import LazadaClient
from connectors.lazada.mapping import project
from connectors.lazada.simulator import Simulator
from connectors.simulator import Sandbox, SandboxTransport
from connectors.tokens import Tokens
from connectors.transport import Session
from models.catalogue import Certificate, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing
from models.outcome import Outcome, Result
from models.value import replace
from models.window import QuotaStore
from tests.connectors.stall import Pieces
from tests.scenarios.world import HandClock

PICTURES = {sha256(data).hexdigest(): data for data in (b"\xff\xd8\xffone", b"\x89PNG\r\n\x1a\ntwo\r\n--x\r\n")}
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
KEY = "TÔM-KHÔ #1?a&b%20"
STAR = Certificate(star=4, year=2025)


@dataclass
class Pictures:
    known: dict[str, str] = field(default_factory=dict)

    def read(self, sha: str) -> bytes:
        return PICTURES[sha]

    def remote_id(self, sha: str) -> str | None:
        return self.known.get(sha)

    def remember(self, sha: str, remote_id: str) -> None:
        self.known[sha] = remote_id


class Wire(httpx.BaseTransport):
    """The sandbox, with a listener on each side; `calls` are the APIs asked, `forms` their parameters."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = SandboxTransport(sandbox)
        self.calls: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.after: Callable[[httpx.Request], httpx.Response | None] = lambda request: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        api = request.url.path.partition("/rest")[2]
        self.calls.append(api)
        form = request.url.query if request.method == "GET" else request.read()
        self.forms.append(dict(parse_qsl(form.decode("utf-8", "replace"))))
        answer = self.before(request)
        if answer is None:
            response = self._inner.handle_request(request)
            answer = self.after(request) or response
        return httpx.Response(answer.status_code, headers=answer.headers, stream=_as_from_a_socket(answer.read()))


def _as_from_a_socket(body: bytes) -> Pieces:
    return Pieces(iter([body[:10], body[10:]]))


class Shop:
    def __init__(self) -> None:
        self.clock = HandClock(BEGIN)
        self.sandbox = Sandbox(Simulator, clock=self.clock, seed=1)
        self.simulator: Simulator = self.sandbox.marketplace
        self.simulator.check_seconds = self.simulator.lag_seconds = 2.0  # slow enough to be seen
        self.wire = Wire(self.sandbox)
        self.media = Pictures()
        self.sessions: list[Session] = []
        self.client = self.open()

    def open(
        self, *, tokens: Tokens | None = None, quota: QuotaStore | None = None, **known: str | None
    ) -> LazadaClient:
        session = Session(
            CONNECTOR,
            "https://sandbox.invalid/lazada",
            Credentials(**{**Simulator.credentials, **known}),
            policy=Policy(sandbox=True),
            clock=self.clock,
            media=self.media,
            rng=random.Random(1),
            transport=self.wire,
            tokens=tokens,
            quota=quota,
        )
        self.sessions.append(session)
        return LazadaClient(session)

    def push(self, *changes: Change) -> list[Result]:
        return self.client.push(changes)

    def live(self, *listings: Listing) -> list[Result]:
        """Created, checked, and to be found."""
        made = self.push(*map(create, listings))
        self.clock.sleep(5)
        done = self.client.poll(made)
        self.wire.calls.clear()
        self.wire.forms.clear()
        return done

    def shown(self) -> list[dict]:
        return self.sandbox.show()["listings"]

    def count(self, api: str) -> int:
        return self.wire.calls.count(api)


def item(**changes: object) -> Item:
    made = Item(
        sku=KEY,
        group="tom-kho",
        name="Tôm khô Rạch Gốc",
        brand="Năm Căn",
        description="Tôm đất phơi nắng.\nThơm & ngọt <3.",
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
    )
    return replace(made, **changes)


def listing(**changes: object) -> Listing:
    made = project(item(**changes), Policy())
    assert isinstance(made, Listing), made
    return made


def change(kind: Kind, of: Listing, remote_id: str = "", facets: tuple[str, ...] = FACETS) -> Change:
    return Change(key=of.key, kind=kind, facets=facets, listing=of.facets, token="t", remote_id=remote_id)


def create(of: Listing, remote_id: str = "") -> Change:
    return change(Kind.CREATE, of, remote_id)


def update(of: Listing, done: Result, *facets: str) -> Change:
    return change(Kind.UPDATE, of, done.remote_id, facets)


def outcomes(results: list[Result]) -> list[Outcome]:
    return [result.outcome for result in results]

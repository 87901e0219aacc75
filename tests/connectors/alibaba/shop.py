"""An account on Alibaba.com's simulator, with a clock that only moves when told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from urllib.parse import parse_qsl

import httpx

from connectors.alibaba import CONNECTOR
from connectors.alibaba.auth import Credentials
from connectors.alibaba.client import AlibabaClient
from connectors.alibaba.mapping import project
from connectors.alibaba.simulator import Simulator
from connectors.contract import Policy
from connectors.simulator import Sandbox, SandboxTransport
from connectors.tokens import Tokens
from connectors.transport import Session
from models.catalogue import Certificate, English, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing
from models.outcome import Outcome, Result
from models.value import replace
from tests.connectors.stall import Pieces
from tests.scenarios.world import HandClock

PICTURES = {sha256(data).hexdigest(): data for data in (b"\xff\xd8\xffone", b"\x89PNG\r\n\x1a\ntwo\r\n--x\r\n")}
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
KEY = "TÔM-KHÔ #1?a&b%20"
STAR = Certificate(star=4, year=2025)
ABROAD = Policy(sandbox=True, currency="USD", rate=Decimal(26_000))
CREATE, UPDATE = "/alibaba/icbu/product/listing/v2", "/alibaba/icbu/product/update/v2"
PRICE, STOCK = "/icbu/product/edit-price", "/icbu/product/edit-inventory"
SWITCH, SEARCH = "/alibaba/icbu/product/batch/update/status", "/alibaba/icbu/product/search/v2"
GET, OUTCOME = "/alibaba/icbu/product/get/v2", "/alibaba/icbu/product/status/get/v2"
UPLOAD, REFRESH = "/alibaba/icbu/photobank/upload", "/auth/token/refresh"
BIZ = "PUB_BIZCHECK_"


@dataclass
class Pictures:
    known: dict[str, str] = field(default_factory=dict)

    def read(self, sha: str) -> bytes:
        return PICTURES[sha]

    def remote_id(self, sha: str) -> str | None:
        return self.known.get(sha) or None

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
        self.calls.append(api_of(request))
        self.forms.append(dict(parse_qsl(request.read().decode("utf-8", "replace"))))
        answer = self.before(request)
        if answer is None:
            response = self._inner.handle_request(request)
            answer = self.after(request) or response
        body = answer.read()
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Pieces(iter([body[:10], body[10:]])))


def api_of(request: httpx.Request) -> str:
    return request.url.path.partition("/rest")[2]


class Shop:
    def __init__(self) -> None:
        self.clock = HandClock(BEGIN)
        self.sandbox = Sandbox(Simulator, clock=self.clock, seed=1)
        self.simulator: Simulator = self.sandbox.marketplace
        self.simulator.check_seconds, self.simulator.lag_seconds = 30.0, 2.0  # slow enough to be seen
        self.wire = Wire(self.sandbox)
        self.media = Pictures()
        self.sessions: list[Session] = []
        self.client = self.open()

    def open(self, *, tokens: Tokens | None = None, **credentials: str | None) -> AlibabaClient:
        session = Session(
            CONNECTOR,
            "https://sandbox.invalid/alibaba",
            Credentials(**{**Simulator.credentials, **credentials}),
            policy=ABROAD,
            clock=self.clock,
            media=self.media,
            rng=random.Random(1),
            transport=self.wire,
            tokens=tokens,
        )
        self.sessions.append(session)
        return AlibabaClient(session)

    def push(self, *changes: Change) -> list[Result]:
        return self.client.push(changes)

    def live(self, *listings: Listing) -> list[Result]:
        """Created, checked, and to be found."""
        made = self.push(*map(create, listings))
        self.clock.advance(seconds=40)
        done = self.client.poll(made)
        self.wire.calls.clear()
        self.wire.forms.clear()
        return done

    def reviewed(self) -> None:
        self.clock.advance(seconds=40)

    def shown(self) -> list[dict]:
        return self.sandbox.show()["listings"]

    def count(self, api: str) -> int:
        return self.wire.calls.count(api)

    def form(self, api: str) -> dict[str, str]:
        """What the last call of that API was given."""
        return [form for call, form in zip(self.wire.calls, self.wire.forms, strict=True) if call == api][-1]

    def alter(self, number: str, **changes: object) -> None:
        """Somebody's hand in the back office, after the review: fields of the simulator's own record."""
        state = self.sandbox.state
        with state.transaction():
            state.put(
                "product", number, state.get("product", number) | {"audit": "approved", "status": "online"} | changes
            )

    def answers(self, api: str, body: dict, *, status: int = 200) -> None:
        """From now on every call of that API is answered so, and nothing is done."""
        self.wire.before = lambda request: httpx.Response(status, json=body) if api_of(request) == api else None

    def lose(self, api: str, *, applied: bool, times: int = 1) -> None:
        """The next calls of that API get no answer."""
        left = [times]

        def cut(request: httpx.Request) -> None:
            if api_of(request) == api and left[0]:
                left[0] -= 1
                raise httpx.ReadTimeout("no answer", request=request)

        setattr(self.wire, "after" if applied else "before", cut)


def business(code: str, message: str = "") -> dict:
    """A refusal inside an answer that the gateway was content with."""
    error = {"success": False, "msg_code": f"isp.system-service-error:{code};", "message": message or code}
    return {"code": "0", "result": error, "request_id": "1"}


def gateway(code: str, message: str = "m") -> dict:
    return {"type": "ISP", "code": code, "message": message, "request_id": "1"}


def item(**changes: object) -> Item:
    made = Item(
        sku=KEY,
        group="tom-kho",
        name="Tôm khô Rạch Gốc",
        brand="Năm Căn",
        description="Tôm đất phơi nắng.",
        producer=Producer(producer_id="p1", legal_name="HTX Rạch Gốc"),
        price=Money(amount=Decimal("17.31"), currency="USD"),
        list_price=None,
        price_confirmed_on=None,
        stock=120,
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
        english=ENGLISH,
    )
    return replace(made, **changes)


ENGLISH = English(
    name="Rach Goc Dried Shrimp",
    description="Sun-dried shrimp from Rạch Gốc.\nSweet & <tender>.",
    ingredients="Shrimp, salt",
    storage="Keep dry",
)


def english(**changes: object) -> English:
    return replace(ENGLISH, **changes)


def priced(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def listing(**changes: object) -> Listing:
    made = project(item(**changes), ABROAD)
    assert isinstance(made, Listing), made
    return made


def change(kind: Kind, of: Listing, remote_id: str = "", facets: tuple[str, ...] = FACETS) -> Change:
    return Change(key=of.key, kind=kind, facets=facets, listing=of.facets, token="t", remote_id=remote_id)


def create(of: Listing, remote_id: str = "") -> Change:
    return change(Kind.CREATE, of, remote_id)


def update(of: Listing, done: Result, *facets: str) -> Change:
    return change(Kind.UPDATE, of, done.remote_id, facets)


def delist(done: Result) -> Change:
    return Change(key=done.key, kind=Kind.DELIST, facets=(), listing={}, token="t", remote_id=done.remote_id)


def several(count: int) -> list[Listing]:
    return [listing(sku=f"CM-{n:03}") for n in range(count)]


def outcomes(results: list[Result]) -> list[Outcome]:
    return [result.outcome for result in results]

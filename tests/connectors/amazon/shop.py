"""An Amazon seller on the simulator, with a clock that only moves when told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from connectors.amazon import CONNECTOR
from connectors.amazon.client import AmazonClient
from connectors.amazon.simulator import Simulator
from connectors.contract import Policy
from connectors.simulator import Sandbox, SandboxTransport
from connectors.transport import Session
from models.catalogue import Certificate, English, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing
from models.outcome import Outcome, Result
from models.value import replace
from tests.connectors.amazon.official import Models
from tests.connectors.stall import NoMedia, Pieces
from tests.scenarios.world import HandClock

BASE = "https://sandbox.invalid/amazon"
ITEMS = f"listings/2021-08-01/items/{Simulator.credentials['seller_id']}"
HERE = {"marketplaceIds": "ATVPDKIKX0DER"}
STAR = Certificate(star=4, year=2025)
USD = Policy(sandbox=True, currency="USD", requests_per_minute=100_000)
DECLARED = Policy(sandbox=True, currency="USD")
MODELS = Models()


@dataclass
class Call:
    method: str
    path: str
    request: httpx.Request


class Wire(httpx.BaseTransport):
    """The sandbox, with a listener on each side; what passes is held against Amazon's own models."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = SandboxTransport(sandbox)
        self.calls: list[Call] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.after: Callable[[httpx.Request], httpx.Response | None] = lambda request: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        path = request.url.path.partition("/amazon")[2]
        self.calls.append(Call(request.method, path, request))
        MODELS.check_request(request, path)
        answer = self.before(request)
        if answer is None:
            response = self._inner.handle_request(request)
            answer = self.after(request)
        if answer is None:
            body = b"".join(response.iter_raw())
            MODELS.check_answer(request, path, response.status_code, body)
            return httpx.Response(response.status_code, headers=response.headers, stream=Pieces([body]))
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Pieces([answer.content]))

    def count(self, method: str, part: str = "") -> int:
        return sum(call.method == method and part in call.path for call in self.calls)


class Shop:
    def __init__(self) -> None:
        self.clock = HandClock(datetime(2026, 11, 23, 1, 30, tzinfo=UTC))
        self.sandbox = Sandbox(Simulator, clock=self.clock, seed=7)
        self.simulator: Simulator = self.sandbox.marketplace
        self.simulator.quota = (100_000, 60.0)
        self.wire = Wire(self.sandbox)
        self.sessions: list[Session] = []
        self.client = self.open()

    def open(self, base: str = BASE, policy: Policy = DECLARED, **credentials: str) -> AmazonClient:
        session = Session(
            CONNECTOR,
            base,
            CONNECTOR.credentials(**{**Simulator.credentials, **credentials}),
            policy=policy,
            clock=self.clock,
            media=NoMedia(),
            rng=random.Random(1),
            transport=self.wire,
        )
        self.sessions.append(session)
        return AmazonClient(session)

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    def close(self) -> None:
        for session in self.sessions:
            session.close()
        self.sandbox.state.close()

    def raw(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """A request that no client of ours would send; quotas have time to fill up before."""
        self.clock.sleep(1)
        form = {"grant_type": "refresh_token", **{n: Simulator.credentials[n] for n in FORM}}
        headers = {"x-amz-date": "20261123T013000Z", "User-Agent": "Test/1.0 (Language=Python)"}
        with httpx.Client(base_url=BASE, transport=SandboxTransport(self.sandbox)) as client:
            token = client.post("/auth/o2/token", data=form).json()["access_token"]
            headers |= {"x-amz-access-token": token} | arguments.pop("headers", {})
            sent = {name: value for name, value in headers.items() if value}
            answer = client.request(method, path, headers=sent, **arguments)
        MODELS.check_answer(answer.request, "", answer.status_code, answer.content)
        return answer

    def settle(self, *changes: Change, client: AmazonClient | None = None) -> dict[str, Result]:
        """Pushes and polls until nothing is under way."""
        client = client or self.client
        results = {r.key: r for r in client.push(changes)}
        for _ in range(40):
            pending = [r for r in results.values() if r.outcome is Outcome.ACCEPTED]
            if not pending:
                return results
            self.clock.sleep(CONNECTOR.limits.poll_after)
            results |= {r.key: r for r in client.poll(pending)}
        return results

    def live(self, *listings: Listing) -> None:
        done = self.settle(*map(create, listings))
        assert {r.outcome for r in done.values()} == {Outcome.ACKNOWLEDGED}, done
        self.wire.calls.clear()

    def shown(self) -> dict[str, dict[str, Any]]:
        return {one["key"]: one for one in self.sandbox.show()["listings"]}


FORM = ("client_id", "client_secret", "refresh_token")


def item(**changes: Any) -> Item:
    made = Item(
        sku="CM-TOMKHO-500G",
        group="TOM",
        name="Tôm khô Rạch Gốc",
        brand="Rạch Gốc",
        description="Tôm đất phơi nắng.",
        producer=Producer(producer_id="P1", legal_name="HTX Rạch Gốc", commune="Phan Ngọc Hiển", province="Cà Mau"),
        price=Money(amount=Decimal("24.99"), currency="USD"),
        list_price=None,
        price_confirmed_on=None,
        stock=40,
        pack="500 g/hũ",
        gtin="",
        set_no=8,
        certificate=None,
        is_alcohol=False,
        alcohol_percent=None,
        ingredients="Tôm đất, muối",
        shelf_life="6 tháng",
        storage="",
        usage="",
        warnings="",
        origin="Cà Mau",
        marks="",
        images=(image(), image(sha256="b" * 64)),
        english=english(),
    )
    return replace(made, **changes)


def english(**changes: Any) -> English:
    made = English(
        name="Rach Goc Dried Shrimp", description="Sun dried shrimp, no colouring.", ingredients="Shrimp, salt"
    )
    return replace(made, **changes)


def image(**changes: Any) -> Image:
    return replace(Image(sha256="a" * 64, media_type="image/png", width=800, height=800, size=900), **changes)


def dollars(text: str) -> Money:
    return Money(amount=Decimal(text), currency="USD")


def listing(**changes: Any) -> Listing:
    made = CONNECTOR.project(item(**changes), USD)
    assert isinstance(made, Listing), made
    return made


def change(kind: Kind, of: Listing, facets: Sequence[str] = ()) -> Change:
    shown = {} if kind in (Kind.DELIST, Kind.CLOSE) else of.facets
    return Change(key=of.key, kind=kind, facets=tuple(facets), listing=shown, token="t", remote_id=of.key)


def create(of: Listing) -> Change:
    return change(Kind.CREATE, of, FACETS)


def update(of: Listing, *facets: str) -> Change:
    return change(Kind.UPDATE, of, facets)


def delist(of: Listing) -> Change:
    return change(Kind.DELIST, of)

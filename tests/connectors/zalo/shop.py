"""An OA on the simulator, with a clock that only moves when told."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from connectors.contract import Policy
from connectors.simulator import Sandbox, SandboxTransport
from connectors.tokens import InMemory
from connectors.transport import Session
from connectors.zalo import CONNECTOR
from connectors.zalo.client import ZaloClient
from connectors.zalo.mapping import project
from connectors.zalo.simulator import Simulator
from models.catalogue import Certificate, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing, Remote
from models.outcome import Outcome, Result
from models.value import replace
from tests.connectors.stall import NoMedia
from tests.scenarios.world import HandClock

BASE = "https://sandbox.invalid/zalo"
BEGIN = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
KEY = "TÔM-KHÔ #1?a&b/c%20"
STAR = Certificate(star=4, issued_on=datetime(2026, 2, 5, tzinfo=UTC).date())
SHA, OTHER_SHA = "a" * 64, "b" * 64


class Wire(httpx.BaseTransport):
    """The sandbox, with a listener on each side; `calls` are the paths asked."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = SandboxTransport(sandbox)
        self.sent: list[httpx.Request] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.after: Callable[[httpx.Request], None] = lambda request: None

    @property
    def calls(self) -> list[str]:
        return [request.url.path.removeprefix("/zalo/").removeprefix("v2.0/") for request in self.sent]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.before(request)
        if answer is None:
            answer = self._inner.handle_request(request)
            self.after(request)
        return answer


def said(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    """An answer as it comes from a socket."""
    raw = httpx.Response(status, json=body)
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(raw.content))


class Shop:
    def __init__(self) -> None:
        self.clock = HandClock(BEGIN)
        self.sandbox = Sandbox(Simulator, clock=self.clock, seed=1)
        self.simulator: Simulator = self.sandbox.marketplace
        self.wire = Wire(self.sandbox)
        self.tokens = InMemory()
        self.sessions: list[Session] = []
        self.client = self.open()

    def open(self, **credentials: Any) -> ZaloClient:
        session = Session(
            CONNECTOR,
            BASE,
            CONNECTOR.credentials(**{**Simulator.credentials, **credentials}),
            policy=Policy(sandbox=True, requests_per_minute=100_000),
            clock=self.clock,
            media=NoMedia(),
            rng=random.Random(1),
            transport=self.wire,
            tokens=self.tokens,
        )
        self.sessions.append(session)
        return ZaloClient(session)

    def push(self, *changes: Change) -> list[Result]:
        return self.client.push(changes)

    def settle(self, *changes: Change) -> list[Result]:
        """Pushes and polls until nothing is under way."""
        results = self.push(*changes)
        for _ in range(9):
            self.clock.sleep(CONNECTOR.limits.poll_after)
            asked = self.client.poll([r for r in results if r.outcome is Outcome.ACCEPTED])
            results = [next((a for a in asked if a.key == r.key), r) for r in results]
        return results

    def live(self, *listings: Listing) -> list[Result]:
        done = self.settle(*map(create, listings))
        assert {result.outcome for result in done} <= {Outcome.ACKNOWLEDGED}, done
        self.wire.sent.clear()
        return done

    def read(self, key: str = KEY) -> Remote:
        """What is there under one key, seen by a client that remembers nothing."""
        (found,) = self.open().fetch([key])
        return found

    def shown(self) -> list[dict[str, Any]]:
        return self.sandbox.show()["listings"]

    def count(self, call: str) -> int:
        return self.wire.calls.count(f"article/{call}")

    def tamper(self, article_id: str, **fields: Any) -> None:
        """As somebody does by hand."""
        with self.sandbox.state.transaction():
            article = self.sandbox.state.get("article", article_id)
            self.sandbox.state.put("article", article_id, article | fields)

    def remove(self, article_id: str) -> None:
        with self.sandbox.state.transaction():
            self.sandbox.state.delete("article", article_id)

    def instead(self, call: str, *bodies: Any, status: int = 200) -> None:
        """The next answers to one call, which then does nothing there."""
        left = list(bodies)

        def before(request: httpx.Request) -> httpx.Response | None:
            return said(left.pop(0), status) if left and request.url.path.endswith(call) else None

        self.wire.before = before

    def lose(self, call: str, times: int = 1) -> None:
        """The next ones are done and not answered."""
        left = times

        def after(request: httpx.Request) -> None:
            nonlocal left
            if left and request.url.path.endswith(call):
                left -= 1
                raise httpx.ReadTimeout("no answer", request=request)

        self.wire.after = after

    def raw(self, method: str, path: str, json: Any = None, **params: str) -> dict[str, Any]:
        """A request that no client of ours would send."""
        pair = self.tokens.read()
        headers = {"access_token": pair.access if pair else Simulator.credentials["access_token"]}
        with httpx.Client(transport=SandboxTransport(self.sandbox)) as client:
            return client.request(method, f"{BASE}/v2.0/{path}", json=json, params=params, headers=headers).json()


def item(**changes: Any) -> Item:
    plain = Item(
        sku=KEY,
        group="TOM",
        name="Tôm khô Rạch Gốc",
        brand="Rạch Gốc",
        description="Tôm đất phơi nắng.\n\nThơm & ngọt.",
        producer=Producer(producer_id="P1", legal_name="HTX Rạch Gốc", commune="Phan Ngọc Hiển", province="Cà Mau"),
        price=Money(amount=Decimal(620_000)),
        list_price=Money(amount=Decimal(650_000)),
        price_confirmed_on=None,
        stock=40,
        pack="500 g/hũ",
        gtin="",
        set_no=8,
        certificate=None,
        is_alcohol=False,
        alcohol_percent=None,
        ingredients="Tôm đất, muối",
        shelf_life="12 tháng",
        storage="",
        usage="",
        warnings="",
        origin="Cà Mau",
        marks="",
        images=(image(), image(sha256=OTHER_SHA)),
    )
    return replace(plain, **changes)


def image(**changes: Any) -> Image:
    return replace(Image(sha256=SHA, media_type="image/png", width=800, height=800, size=900), **changes)


def listing(**changes: Any) -> Listing:
    made = project(item(**changes), Policy())
    assert isinstance(made, Listing), made
    return made


def change(kind: Kind, of: Listing, remote_id: str = "", facets: tuple[str, ...] = FACETS) -> Change:
    shown = {} if kind is Kind.DELIST else of.facets
    return Change(key=of.key, kind=kind, facets=facets, listing=shown, token="t", remote_id=remote_id)


def create(of: Listing) -> Change:
    return change(Kind.CREATE, of)


def update(of: Listing, done: Result, *facets: str) -> Change:
    return change(Kind.UPDATE, of, done.remote_id, facets)


def outcomes(results: list[Result]) -> list[Outcome]:
    return [result.outcome for result in results]

"""A shop in the simulated catalogue: the real client over the simulator, with a clock that only moves when told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connectors.contract import Policy
from connectors.facebook import CONNECTOR
from connectors.facebook.auth import ProvenRequests
from connectors.facebook.simulator import Simulator
from connectors.simulator import Sandbox, SandboxTransport
from connectors.transport import Session
from models.catalogue import Certificate, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing
from models.outcome import Outcome, Result
from models.value import replace
from tests.connectors.stall import NoMedia
from tests.scenarios.world import HandClock

BASE = "https://sandbox.invalid/facebook"
CATALOG = f"v25.0/{Simulator.credentials['catalog_id']}"


class Wire(httpx.BaseTransport):
    """The sandbox, unless an answer was put in its place; keeps what was sent."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = SandboxTransport(sandbox)
        self.sent: list[httpx.Request] = []
        self.instead: list[httpx.Response] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self.instead.pop(0) if self.instead else self._inner.handle_request(request)


def an_item(**changed: Any) -> Item:
    plain = Item(
        sku="TOM-500",
        group="TOM",
        name="Tôm khô Rạch Gốc",
        brand="Rạch Gốc",
        description="Tôm đất phơi nắng.",
        producer=Producer(producer_id="P1", legal_name="HTX Rạch Gốc", commune="Phan Ngọc Hiển", province="Cà Mau"),
        price=Money(amount=Decimal(620_000)),
        list_price=None,
        price_confirmed_on=date(2026, 11, 20),
        stock=40,
        pack="500 g",
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
        images=(an_image(), an_image(sha256="b" * 64)),
    )
    return replace(plain, **changed)


def an_image(**changed: Any) -> Image:
    return replace(Image(sha256="a" * 64, media_type="image/png", width=800, height=800, size=900), **changed)


def a_star() -> Certificate:
    return Certificate(star=4, issued_on=date(2026, 2, 5))


class Shop:
    def __init__(self) -> None:
        self.clock = HandClock(datetime(2026, 11, 23, 1, 30, tzinfo=UTC))
        self.sandbox = Sandbox(Simulator, clock=self.clock, seed=7)
        self.wire = Wire(self.sandbox)
        self.credentials = CONNECTOR.credentials(**Simulator.credentials)
        self.session = self.open()
        self.client = CONNECTOR.client(self.session)
        self._tokens = 0

    def open(self, **credentials: Any) -> Session:
        known = CONNECTOR.credentials(**{**Simulator.credentials, **credentials})
        policy = Policy(sandbox=True, requests_per_minute=100_000)
        given: dict[str, Any] = {"policy": policy, "clock": self.clock, "media": NoMedia(), "rng": random.Random(1)}
        return Session(CONNECTOR, BASE, known, transport=self.wire, **given)

    def instead(self, status: int, body: Any, times: int = 1, **headers: str) -> None:
        """The next answers, whatever is asked."""
        for _ in range(times):
            raw = httpx.Response(status, json=body, headers=headers)
            stream = httpx.ByteStream(raw.content)
            self.wire.instead.append(httpx.Response(status, headers=headers, stream=stream))

    def raw(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """A request that no client of ours would send."""
        auth = ProvenRequests(self.credentials, self.clock)
        with httpx.Client(base_url=BASE, auth=auth, transport=SandboxTransport(self.sandbox)) as client:
            return client.request(method, f"{CATALOG}/{path}", **arguments)

    def batch(self, *requests: dict[str, Any], **more: Any) -> httpx.Response:
        return self.raw("POST", "items_batch", json={"item_type": "PRODUCT_ITEM", "requests": list(requests), **more})

    def status(self, handle: str) -> dict[str, Any]:
        self.clock.sleep(1)
        params = {"handle": handle, "load_ids_of_invalid_requests": "true"}
        return self.raw("GET", "check_batch_request_status", params=params).json()["data"][0]

    def change(self, kind: Kind, sku: str = "TOM-500", facets: Sequence[str] | None = None, **item: Any) -> Change:
        listing = CONNECTOR.project(an_item(sku=sku, **item), Policy())
        assert isinstance(listing, Listing), listing
        named = {Kind.CREATE: FACETS}.get(kind, ()) if facets is None else facets
        self._tokens += 1
        facets_sent = {} if kind is Kind.DELIST else listing.facets
        return Change(key=sku, kind=kind, facets=tuple(named), listing=facets_sent, token=f"t{self._tokens}")

    def settle(self, *changes: Change) -> dict[str, Result]:
        """Pushes and polls until nothing is under way."""
        results = {r.key: r for r in self.client.push(changes)}
        while pending := [r for r in results.values() if r.outcome is Outcome.ACCEPTED]:
            self.clock.sleep(CONNECTOR.limits.poll_after)
            results |= {r.key: r for r in self.client.poll(pending)}
        return results

    def shown(self) -> dict[str, dict[str, Any]]:
        return {listing["key"]: listing for listing in self.sandbox.show()["listings"]}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def item() -> Callable[..., Item]:
    return an_item


@pytest.fixture
def image() -> Callable[..., Image]:
    return an_image


@pytest.fixture
def star() -> Callable[..., Certificate]:
    return a_star

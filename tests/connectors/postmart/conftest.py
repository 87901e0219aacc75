"""A shop in the simulated Postmart: the real client over the simulator, with a clock that only moves when told."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connectors.contract import Policy
from connectors.postmart import CONNECTOR
from connectors.postmart.auth import SignedRequests
from connectors.postmart.simulator import Simulator
from connectors.simulator import Sandbox, SandboxTransport
from connectors.transport import Session
from models.catalogue import Certificate, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing
from models.outcome import Outcome, Result
from models.value import replace

BASE = "https://san.example/postmart"
PNG = b"\x89PNG\r\n\x1a\n" + b"nhan" * 10


class HandClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Pictures:
    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.ids: dict[str, str] = {}

    def add(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self.bytes[sha256] = content
        return sha256

    def read(self, sha256: str) -> bytes:
        return self.bytes[sha256]

    def remote_id(self, sha256: str) -> str | None:
        return self.ids.get(sha256)

    def remember(self, sha256: str, remote_id: str) -> None:
        self.ids[sha256] = remote_id


def an_item(**changed: Any) -> Item:
    plain = Item(
        sku="TOM-500",
        group="TOM",
        name="Tôm khô Rạch Gốc",
        brand="Rạch Gốc",
        description="Tôm đất phơi nắng.\nVị ngọt <tự nhiên> & thơm.",
        producer=Producer(producer_id="P1", legal_name="HTX Rạch Gốc", commune="Phan Ngọc Hiển", province="Cà Mau"),
        price=Money(amount=Decimal(650_000)),
        list_price=None,
        price_confirmed_on=date(2026, 11, 20),
        stock=40,
        pack="500 g/túi",
        gtin="",
        set_no=8,
        certificate=None,
        is_alcohol=False,
        alcohol_percent=None,
        ingredients="Tôm đất, muối",
        shelf_life="12 tháng",
        storage="Nơi khô mát",
        usage="",
        warnings="",
        origin="Cà Mau",
        marks="",
        images=(an_image(hashlib.sha256(PNG).hexdigest()),),
    )
    return replace(plain, **changed)


def an_image(sha256: str, **changed: Any) -> Image:
    return replace(Image(sha256=sha256, media_type="image/png", width=800, height=800, size=900), **changed)


def a_star(**changed: Any) -> Certificate:
    return replace(Certificate(star=4, issued_on=date(2026, 2, 5)), **changed)


class Shop:
    def __init__(self, kind: type[Simulator] = Simulator, *, seed: int = 7) -> None:
        self.clock = HandClock()
        self.pictures = Pictures()
        self.pictures.add(PNG)
        self.sandbox = Sandbox(kind, clock=self.clock, seed=seed)
        self.credentials = CONNECTOR.credentials(**kind.credentials)
        self.session = self.open()
        self.client = CONNECTOR.client(self.session)
        self._tokens = 0

    def open(self, **arguments: Any) -> Session:
        given: dict[str, Any] = {"credentials": self.credentials, "transport": SandboxTransport(self.sandbox)}
        given |= {"policy": Policy(sandbox=True), "clock": self.clock, "media": self.pictures, "rng": random.Random(1)}
        return Session(CONNECTOR, BASE, **(given | arguments))

    def raw(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """A signed request that no client of ours would send."""
        auth = SignedRequests(self.credentials, self.clock)
        with httpx.Client(base_url=BASE, auth=auth, transport=SandboxTransport(self.sandbox)) as client:
            return client.request(method, path, **arguments)

    def post_batch(self, content: bytes, key: str = "k1") -> httpx.Response:
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
        return self.raw("POST", "batches", content=content, headers=headers)

    def change(self, kind: Kind, sku: str = "TOM-500", facets: Sequence[str] | None = None, **item: Any) -> Change:
        listing = CONNECTOR.project(an_item(sku=sku, **item), Policy())
        assert isinstance(listing, Listing), listing
        named = {Kind.CREATE: FACETS}.get(kind, ()) if facets is None else facets
        self._tokens += 1
        facets_sent = {} if kind is Kind.DELIST else listing.facets
        return Change(key=sku, kind=kind, facets=tuple(named), listing=facets_sent, token=f"t{self._tokens}")

    def create(self, *skus: str, **item: Any) -> list[Change]:
        return [self.change(Kind.CREATE, sku, **item) for sku in skus]

    def settle(self, changes: Sequence[Change]) -> dict[str, Result]:
        """Pushes and polls until nothing is under way."""
        results = {r.key: r for r in self.client.push(changes)}
        while pending := [r for r in results.values() if r.outcome is Outcome.ACCEPTED]:
            self.clock.sleep(CONNECTOR.limits.poll_after)
            results |= {r.key: r for r in self.client.poll(pending)}
        return results

    def requests(self, path: str) -> list[dict[str, Any]]:
        return [entry for entry in self.sandbox.log() if entry["path"].startswith(f"/postmart/{path}")]

    def shown(self) -> dict[str, dict[str, Any]]:
        return {listing["key"]: listing for listing in self.sandbox.show()["listings"]}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def open_shop() -> Callable[..., Shop]:
    return Shop


@pytest.fixture
def item() -> Callable[..., Item]:
    return an_item


@pytest.fixture
def image() -> Callable[..., Image]:
    return an_image


@pytest.fixture
def star() -> Callable[..., Certificate]:
    return a_star

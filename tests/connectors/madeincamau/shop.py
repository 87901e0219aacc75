"""What the tests put into the shop: items, pictures, changes, and a clock that only moves when told."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx

from connectors.contract import Policy
from connectors.madeincamau import CONNECTOR
from connectors.transport import Session
from models.catalogue import Certificate, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Item, Listing

BASE = "http://localhost/madeincamau"
JPEG = b"\xff\xd8\xff\xe0" + b"t\xc3\xb4m" * 20
PNG = b"\x89PNG\r\n\x1a\n" + b"cua" * 20


def unread(response):
    """As a socket would hand it over; httpx.MockTransport hands over what was read already."""
    return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(response.read()))


class FakeClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Pictures:
    def __init__(self, *pictures: bytes) -> None:
        self.kept = {hashlib.sha256(p).hexdigest(): p for p in pictures}
        self.ids: dict[str, str] = {}

    def read(self, sha256: str) -> bytes:
        return self.kept[sha256]

    def remote_id(self, sha256: str) -> str | None:
        return self.ids.get(sha256)

    def remember(self, sha256: str, remote_id: str) -> None:
        self.ids[sha256] = remote_id


def image_of(data: bytes, **values) -> Image:
    known = {"media_type": "image/jpeg", "width": 800, "height": 800, "size": len(data)}
    return Image(sha256=hashlib.sha256(data).hexdigest(), **(known | values))


def item_of(**values) -> Item:
    known = {
        "sku": "TOMKHO-500",
        "group": "CM007",
        "name": "Tôm khô Rạch Gốc",
        "brand": "Rạch Gốc",
        "description": "Tôm đất tự nhiên, phơi nắng.\nKhông phẩm màu.",
        "producer": Producer(producer_id="P1", legal_name="HTX Tân Phát Lợi", province="Cà Mau"),
        "price": Money(amount=Decimal(650_000)),
        "list_price": None,
        "price_confirmed_on": date(2026, 11, 1),
        "stock": 40,
        "pack": "500 g/hộp",
        "gtin": "",
        "set_no": 8,
        "certificate": Certificate(star=4, issued_on=date(2026, 2, 5), decision_no="123/QĐ-UBND"),
        "is_alcohol": False,
        "alcohol_percent": None,
        "ingredients": "tôm đất, muối",
        "shelf_life": "6 tháng",
        "storage": "",
        "usage": "",
        "warnings": "",
        "origin": "Cà Mau",
        "marks": "",
        "images": (image_of(JPEG), image_of(PNG, media_type="image/png")),
    }
    return Item(**(known | values))


def listing_of(**values) -> Listing:
    listing = CONNECTOR.project(item_of(**values), Policy(sandbox=True))
    assert isinstance(listing, Listing), listing
    return listing


def change_of(listing: Listing, kind: Kind = Kind.CREATE, facets=FACETS, token: str = "t-1", **values) -> Change:
    return Change(key=listing.key, kind=kind, facets=facets, listing=listing.facets, token=token, **values)


def open_session(transport, clock, pictures, **credentials) -> Session:
    known = {"client_id": "sandbox", "client_secret": "cha-la-ca-mau"} | credentials
    return Session(
        CONNECTOR,
        BASE,
        CONNECTOR.credentials(**known),
        policy=Policy(sandbox=True, requests_per_minute=600),
        clock=clock,
        media=pictures,
        rng=random.Random(0),
        transport=transport,
    )

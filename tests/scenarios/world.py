"""A small world for the engine: a real database, real connectors, simulated marketplaces, and a clock moved by hand."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from connectors.contract import Policy
from connectors.registry import connector
from connectors.simulator import Sandbox, SandboxTransport
from flows.steps.context import Account, Context
from flows.steps.night import resync
from flows.steps.plan import DUE, Selection
from models import value
from models.catalogue import Certificate, Image, Money, Producer, Product, Variant
from models.database import open_database, upsert, writing
from models.migrations import ensure
from models.records import snapshot_of
from models.report import AccountReport, RunReport
from models.tables import AccountRow, ProductRow, VariantRow, core
from models.text import fold
from models.timetable import STATE, due_products, enrol

PICTURE = b"\x89PNG\r\n\x1a\n" + b"picture of a product"
TODAY = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MARKETPLACES = ("madeincamau", "postmart", "voso")


class HandClock:
    """Stands still until told, or until someone sleeps."""

    def __init__(self, at: datetime = TODAY) -> None:
        self.at, self.ticks = at, 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ticks

    def sleep(self, seconds: float) -> None:
        self.advance(seconds=seconds)

    def advance(self, **how: float) -> None:
        step = timedelta(**how)
        self.at += step
        self.ticks += step.total_seconds()


class World:
    def __init__(self, folder: Path, marketplaces: Iterable[str] = MARKETPLACES, url: str = "") -> None:
        self.clock = HandClock()
        self.home = folder
        (folder / "media").mkdir(exist_ok=True)
        self.database = open_database(url or f"sqlite:///{folder / 'caybeo.sqlite'}")
        ensure(self.database)
        self.sandboxes = {
            name: Sandbox(connector(name).simulator_class(), clock=self.clock, seed=1) for name in marketplaces
        }
        self.policies = dict.fromkeys(marketplaces, Policy(sandbox=True, requests_per_minute=100_000))
        self._open_accounts()

    def context(self, **changes: Any) -> Context:
        base = Context(
            database=self.database,
            home=self.home,
            accounts=self.accounts,
            clock=self.clock,
            rng=random.Random(7),
        )
        return replace(base, **changes)

    def accounts(self) -> list[Account]:
        return [self._account(name, sandbox) for name, sandbox in self.sandboxes.items()]

    def put(self, *products: Product) -> None:
        """Takes products in as the intake does: snapshot, revision, and everything shown of them due."""
        with writing(self.database) as db:
            table = core(ProductRow)
            for product in products:
                snapshot, content = snapshot_of(product)
                where = table.c.product_id == product.product_id
                before = db.execute(select(table.c.revision).where(where)).scalar() or 0
                row = {"product_id": product.product_id, "name": product.name, "name_key": fold(product.name)}
                row |= {"snapshot": snapshot, "content_hash": content, "revision": before + 1, "removed_by": ""}
                upsert(db, table, [row | BLANK], ["product_id"])
                upsert(db, core(VariantRow), [_variant(product, v) for v in product.variants], ["sku"])
            due_products(db, [p.product_id for p in products], self.clock.now())
            enrol(db, self.clock.now())

    def remove(self, *product_ids: str) -> None:
        table = core(ProductRow)
        with writing(self.database) as db:
            gone = table.c.product_id.in_(product_ids)
            db.execute(update(table).where(gone).values(removed_at=self.clock.now()))
            due_products(db, product_ids, self.clock.now())

    def night(self, selection: Selection = DUE, **changes: Any) -> RunReport:
        """Every account once; the marketplaces get a minute to themselves first."""
        self.clock.advance(minutes=1)
        return resync(self.context(**changes), selection=selection)

    def shown(self, marketplace: str) -> dict[str, dict[str, Any]]:
        """Live listings by SKU; more than one of a SKU fails the test at once."""
        live = [one for one in self.sandboxes[marketplace].show()["listings"] if one["status"] == "live"]
        keys = [one["key"] for one in live]
        assert len(keys) == len(set(keys)), f"{marketplace} shows a SKU twice"
        return {one["key"]: one for one in live}

    def writes(self, marketplace: str) -> int:
        return int(self.sandboxes[marketplace].show()["requests"]["write"])

    def state(self, marketplace: str, sku: str) -> Any:
        with self.database.connect() as db:
            return db.execute(select(STATE).where(STATE.c.account == marketplace, STATE.c.sku == sku)).one()

    def _open_accounts(self) -> None:
        with writing(self.database) as db:
            rows = [
                {
                    "name": name,
                    "marketplace": name,
                    "sandbox": True,
                    "mode": "api",
                    "base_url": "",
                    "policy": {},
                    "seller": "",
                    "mapping_version": connector(name).mapping_version,
                    "needs_reconcile": False,
                    "created_at": self.clock.now(),
                }
                for name in self.sandboxes
            ]
            upsert(db, core(AccountRow), rows, ["name"])

    def _account(self, name: str, sandbox: Sandbox) -> Account:
        found = connector(name)
        return Account(
            name=name,
            connector=found,
            sandbox=True,
            mode="api",
            base_url=f"https://sandbox.invalid/{name}",
            policy=self.policies[name],
            credentials=found.credentials(**sandbox.marketplace.credentials),
            transport=SandboxTransport(sandbox),
        )

    def picture(self) -> Image:
        """A label whose bytes lie in the home."""
        digest = sha256(PICTURE).hexdigest()
        (self.home / "media" / f"{digest}.png").write_bytes(PICTURE)
        return Image(sha256=digest, media_type="image/png", width=800, height=800, size=len(PICTURE), kind="placeholder")


BLANK = {
    "producer_id": None,
    "brand": "",
    "set_no": None,
    "sector": "",
    "product_group": "",
    "subgroup": "",
    "is_alcohol": False,
    "alcohol_percent": None,
    "ingredients": "",
    "shelf_life": "",
    "storage": "",
    "usage": "",
    "warnings": "",
    "origin": "",
    "marks": "",
    "description": "",
    "removed_at": None,
}


def _variant(product: Product, variant: Variant) -> dict[str, Any]:
    price = variant.price.amount if variant.price else None
    return {
        "sku": variant.sku,
        "sku_key": variant.sku.casefold(),
        "product_id": product.product_id,
        "position": 0,
        "pack": variant.pack,
        "gtin": variant.gtin,
        "price": price,
        "list_price": None,
        "currency": "VND",
        "price_confirmed_on": variant.price_confirmed_on,
        "stock": variant.stock,
        "illustrative": variant.illustrative,
    }


def shrimp(number: int, image: Image, *, price: int = 250_000, stock: int = 40, **changes: Any) -> Product:
    """Dried shrimp number n, fit for every marketplace, with a star that is valid until 2028."""
    base = Product(
        product_id=f"TK{number:03}",
        name=f"Tôm khô Rạch Gốc số {number}",
        brand="Rạch Gốc",
        producer=Producer(producer_id="p1", legal_name="Hợp tác xã Tân Phát Lợi", commune="xã Tân Ân", province="Cà Mau"),
        set_no=8,
        sector="Thực phẩm",
        group="Thực phẩm chế biến",
        ingredients="tôm 99%; muối 1%",
        shelf_life="6 tháng",
        storage="nơi khô ráo",
        variants=(
            Variant(
                sku=f"TK{number:03}",
                pack="200 g",
                price=Money(amount=Decimal(price)),
                price_confirmed_on=date(2026, 11, 15),
                stock=stock,
                illustrative=True,
            ),
        ),
        certificates=(Certificate(star=4, issued_on=date(2025, 1, 23)),),
        images=(image,),
    )
    return value.replace(base, **changes)


def part(report: RunReport, account: str) -> AccountReport:
    return next(a for a in report.accounts if a.account == account)

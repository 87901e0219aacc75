"""A small world for the engine: a real database, real connectors, simulated marketplaces, and a clock moved by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select, update

import connectors.madeincamau.simulator as madeincamau
import connectors.postmart.simulator as postmart
import connectors.voso.simulator as voso
from connectors.contract import Connector, Policy
from connectors.registry import connector
from connectors.simulator import Fault, Sandbox, SandboxTransport
from connectors.transport import Session
from flows.safe import Safe
from flows.settings import Settings
from flows.steps.context import Account, Context
from flows.steps.media import MediaShelf, known_media
from flows.steps.night import begin, choose, each, resync
from flows.steps.plan import DUE, Selection
from flows.steps.project import project
from flows.steps.reconcile import reconcile
from flows.steps.tokens import StoredTokens
from models import value
from models.catalogue import Certificate, English, Image, Money, Producer, Product, Variant
from models.database import upsert, writing
from models.ledger import LEDGER, OUTBOX
from models.listing import Listing, Remote
from models.records import product_of, snapshot_of
from models.report import AccountReport, RunReport
from models.tables import AccountRow, ProductRow, VariantRow, core
from models.text import VIETNAM, fold
from models.timetable import STATE, due_products, enrol
from tests.databases import opened

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


class Killed(BaseException):
    """The process ends here: nothing of it runs after this."""


class Inline(Executor):
    """A pool of one that works while it is given the work: what happens when is always the same."""

    def __init__(self, workers: int = 1) -> None:
        del workers

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # as any pool: the one who asks for the result gets it
            future.set_exception(error)
        return future


class Wire(httpx.BaseTransport):
    """The line to one simulated marketplace. `before` and `after` see every request, and may break the line."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._far = SandboxTransport(sandbox)
        self.sent: list[str] = []  # "PUT /madeincamau/api/…"
        self.before: Callable[[httpx.Request], None] = lambda request: None
        self.after: Callable[[httpx.Request], None] = lambda request: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(f"{request.method} {request.url.path}")
        self.before(request)
        response = self._far.handle_request(request)
        self.after(request)
        return response


class World:
    def __init__(
        self,
        folder: Path,
        marketplaces: Iterable[str] = MARKETPLACES,
        url: str = "",
        pool: Callable[[int], Executor] = ThreadPoolExecutor,
        *,
        clock: HandClock | None = None,
        kept: bool = False,
    ) -> None:
        """`kept` marketplaces lie in the folder too, so that a copy of it is a copy of this world."""
        self.pool = pool
        self.clock = clock or HandClock()
        self.home = folder
        (folder / "media").mkdir(exist_ok=True)
        self.database = opened(url or f"sqlite:///{folder / 'caybeo.sqlite'}")
        self.sandboxes = {
            name: Sandbox(
                connector(name).simulator_class(),
                folder / f"{name}.sandbox" if kept else None,
                clock=self.clock,
                seed=1,
            )
            for name in marketplaces
        }
        self.wires = {name: Wire(sandbox) for name, sandbox in self.sandboxes.items()}
        self.policies = {name: trial_policy(connector(name)) for name in self.sandboxes}
        self.credentials = {name: sandbox.marketplace.credentials for name, sandbox in self.sandboxes.items()}
        self._commit: Callable[[object], None] | None = None
        self._open_accounts()

    def close(self) -> None:
        self.database.dispose()
        for sandbox in self.sandboxes.values():
            sandbox.state.close()

    def context(self, **changes: Any) -> Context:
        base = Context(
            database=self.database,
            home=self.home,
            accounts=self.accounts,
            clock=self.clock,
            rng=random.Random(7),
            pool=self.pool,
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

    def reconcile(self, *names: str, heal: bool = False) -> RunReport:
        self.clock.advance(minutes=1)
        context = self.context()
        report = begin(context, "reconcile")
        return each(context, report, choose(context, names), lambda a: reconcile(context, a, report.run_id, heal=heal))

    def due(self, marketplace: str, sku: str) -> Any:
        return self.state(marketplace, sku).due_at

    def outbox(self, marketplace: str) -> list[Any]:
        with self.database.connect() as db:
            return list(db.execute(select(OUTBOX).where(OUTBOX.c.account == marketplace).order_by(OUTBOX.c.id)))

    def ledger(self, marketplace: str, sku: str = "") -> list[str]:
        """What happened, oldest first."""
        query = select(LEDGER.c.event).where(LEDGER.c.account == marketplace).order_by(LEDGER.c.id)
        with self.database.connect() as db:
            return list(db.scalars(query.where(LEDGER.c.sku == sku) if sku else query))

    def projected(self, marketplace: str) -> dict[str, Any]:
        """SKU -> facets: what the account should show today, from the records alone."""
        policy, mapping = self.policies[marketplace], connector(marketplace).project
        today = self.clock.now().astimezone(VIETNAM).date()
        found = {}
        with self.database.connect() as db:
            for row in db.execute(select(core(ProductRow)).where(core(ProductRow).c.removed_at.is_(None))):
                product = product_of(row.snapshot)
                for variant in product.variants:
                    listing = project(product, variant.sku, policy, mapping, today).listing
                    if isinstance(listing, Listing):
                        found[variant.sku] = listing.facets
        return found

    def read_back(self, marketplace: str) -> dict[str, Any]:
        """SKU -> facets of what is live there, read past every fault; a SKU shown twice fails the test at once."""
        self.shown(marketplace)
        found = connector(marketplace)
        with self.database.connect() as db:
            known = known_media(db, marketplace)
        session = Session(
            found,
            f"https://sandbox.invalid/{marketplace}",
            found.credentials(**self.sandboxes[marketplace].marketplace.credentials),
            policy=self.policies[marketplace],
            clock=self.clock,
            media=MediaShelf(self.home / "media", known),
            rng=random.Random(1),
            transport=SandboxTransport(self.sandboxes[marketplace]),
            tokens=StoredTokens(self.database, self._safe, self.clock, marketplace, lambda db: None),
        )
        remotes: list[Remote] = [r for page in found.client(session).everything() for r in page]
        session.close()
        return {r.key: r.facets for r in remotes if r.status == "live"}

    def assert_in_step(self) -> None:
        """Every marketplace shows exactly what the records say, each SKU once."""
        self.clock.advance(minutes=1)
        for name in self.sandboxes:
            assert self.read_back(name) == self.projected(name), name

    def dump(self, *without: str) -> dict[str, list[Any]]:
        """Every table's rows but those of the tables named."""
        tables = core(ProductRow).metadata.sorted_tables
        with self.database.connect() as db:
            return {t.name: sorted(map(repr, db.execute(select(t)))) for t in tables if t.name not in without}

    def kill_at_commit(self, nth: int) -> None:
        """The process ends when it is about to commit for the nth time from now."""
        left = nth

        def commit(_: object) -> None:
            nonlocal left
            left -= 1
            if left <= 0:  # a killed process commits nothing any more
                raise Killed

        self._commit = commit
        event.listen(self.database, "commit", commit)

    def unhook(self) -> None:
        """A new process: no trap of the old one is left."""
        for wire in self.wires.values():
            wire.before = wire.after = lambda request: None
        if self._commit is not None:
            event.remove(self.database, "commit", self._commit)
            self._commit = None

    def change_locks(self, marketplace: str) -> None:
        """The marketplace takes our credentials no longer."""
        far = self.sandboxes[marketplace].marketplace
        far.credentials = dict.fromkeys(far.credentials, "khac")

    # What people do by hand in a marketplace's own back office.

    def edit_by_hand(self, marketplace: str, sku: str, price: int) -> None:
        self._tamper(
            marketplace, sku, {"madeincamau": ("fields", "price_vnd"), "postmart": ("price", "price_vnd")}, price
        )

    def hide_by_hand(self, marketplace: str, sku: str, *, hidden: bool = True) -> None:
        if marketplace == "postmart":
            self._tamper(marketplace, sku, {"postmart": ("status",)}, "hidden" if hidden else "live")
        else:
            self._tamper(marketplace, sku, {"madeincamau": ("hidden",), "voso": ("hidden",)}, hidden)

    def delete_by_hand(self, marketplace: str, sku: str) -> None:
        state = self.sandboxes[marketplace].state
        with state.transaction():
            state.delete("product", sku)

    def add_by_hand(self, marketplace: str, like: str, sku: str) -> None:
        """A copy of one of our listings under a key that our catalogue does not know."""
        state = self.sandboxes[marketplace].state
        with state.transaction():
            key, product = next((k, p) for k, p in state.items("product") if _names(k, p) == like)
            if marketplace == "voso":
                number = state.next_number("product")
                state.put("code", sku, [number])
                key, product = f"{number:012}", product | {"product_id": number, "product_code": sku}
            elif marketplace == "postmart":
                key, product = sku, product | {"external_id": sku, "remote_id": "BD9999999"}
            else:
                key, product = sku, product | {"product_id": "MCM-999999"}
            state.put("product", key, product)

    def _tamper(self, marketplace: str, sku: str, places: dict[str, tuple[str, ...]], value: Any) -> None:
        state = self.sandboxes[marketplace].state
        with state.transaction():
            key, product = next((k, p) for k, p in state.items("product") if _names(k, p) == sku)
            *path, last = places.get(marketplace, ("price",))
            inner = product
            for name in path:
                inner = inner[name]
            inner[last] = value
            if isinstance(product.get("revision"), int):
                product["revision"] += 1
            state.put("product", key, product)

    def _open_accounts(self) -> None:
        """Those of a home that was kept stay as they are: their mapping may be of an older version."""
        accounts = core(AccountRow)
        with writing(self.database) as db:
            known = set(db.scalars(select(accounts.c.name)))
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
                if name not in known
            ]
            upsert(db, accounts, rows, ["name"])

    def _account(self, name: str, sandbox: Sandbox) -> Account:
        found = connector(name)
        return Account(
            name=name,
            connector=found,
            sandbox=True,
            mode="api",
            base_url=f"https://sandbox.invalid/{name}",
            policy=self.policies[name],
            credentials=found.credentials(**self.credentials[name]),
            transport=self.wires[name],
            tokens=partial(StoredTokens, self.database, self._safe) if found.rotates else None,
        )

    def _safe(self) -> Safe:
        return Safe(Settings(home=self.home))

    def picture(self, number: int = 0) -> Image:
        """A label whose bytes lie in the home; each number is another picture."""
        data = PICTURE + str(number or "").encode()
        digest = sha256(data).hexdigest()
        (self.home / "media" / f"{digest}.png").write_bytes(data)
        return Image(sha256=digest, media_type="image/png", width=800, height=800, size=len(data), kind="placeholder")

    def shrimps(self, count: int, **changes: Any) -> list[Product]:
        """Products 0, 1, 2 …, each with a picture of its own."""
        return [shrimp(n, self.picture(n + 1), **changes) for n in range(count)]


def _names(key: str, product: dict[str, Any]) -> str:
    return str(product.get("product_code") or product.get("external_id") or key)


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
        producer=Producer(
            producer_id="p1", legal_name="Hợp tác xã Tân Phát Lợi", commune="xã Tân Ân", province="Cà Mau"
        ),
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
        english=English(name=f"Rach Goc Dried Shrimp No. {number}", description="Sun dried, from Ca Mau, Vietnam."),
    )
    return value.replace(base, **changes)


def trial_policy(found: Connector) -> Policy:
    """Of a sandbox account that nobody slows down; abroad 100 đồng are worth a unit, so that no price is rounded."""
    abroad = found.currencies[0] != "VND"
    rate = Decimal(100) if abroad else None
    return Policy(sandbox=True, requests_per_minute=100_000, currency=found.currencies[0], rate=rate)


def part(report: RunReport, account: str) -> AccountReport:
    return next(a for a in report.accounts if a.account == account)


def priced(product: Product, amount: int) -> Product:
    variant = value.replace(product.variants[0], price=Money(amount=Decimal(amount)))
    return value.replace(product, variants=(variant,))


def stocked(product: Product, count: int) -> Product:
    return value.replace(product, variants=(value.replace(product.variants[0], stock=count),))


WRITES = {  # the requests that change a product there
    "madeincamau": ("PUT", "PATCH", "DELETE"),
    "postmart": ("/batches", "/offers"),
    "voso": ("/create", "/submit", "/update", "/updatePrice", "/hide", "/show"),
}


def is_write(market: str, request: httpx.Request) -> bool:
    return request.method in WRITES[market] or (request.method == "POST" and request.url.path.endswith(WRITES[market]))


def lose_answers(world: World, market: str, times: int) -> None:
    """The next writes are applied and never answered."""
    left = times

    def after(request: httpx.Request) -> None:
        nonlocal left
        if left and is_write(market, request):
            left -= 1
            raise httpx.ReadTimeout("no answer", request=request)

    world.wires[market].after = after


def refuse_writes(world: World, market: str, times: int) -> None:
    """The next writes are answered 503 before anything is done with them."""
    left = times

    def before(request: httpx.Request) -> None:
        nonlocal left
        if left and is_write(market, request):
            left -= 1
            world.sandboxes[market].fault(Fault(times=1, status=503))

    world.wires[market].before = before


def kill_after_a_write(world: World, market: str) -> None:
    """The marketplace does it; the answer finds nobody."""

    def after(request: httpx.Request) -> None:
        if is_write(market, request):
            raise Killed

    world.wires[market].after = after


def retire(market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marketplace closes the category of dried shrimp."""
    if market == "madeincamau":
        monkeypatch.setattr(madeincamau, "LEAVES", madeincamau.LEAVES - {"che-bien-tu-thit-thuy-san"})
    elif market == "voso":
        monkeypatch.setattr(voso, "LEAVES", voso.LEAVES - {140})
    else:
        monkeypatch.delitem(postmart.CATEGORIES, "thuc-pham-va-dac-san")

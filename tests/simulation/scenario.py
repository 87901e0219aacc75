"""One seed: a workload, workers that overlap, faults, and then quiet, in which everything must come right."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import blake2b
from typing import Any

from sqlalchemy import delete, insert, update

from connectors.contract import Connector, Policy
from connectors.registry import connector
from flows.steps.approve import PlanRefused, approve, refuse
from flows.steps.context import Account, Context
from flows.steps.night import begin, choose, each, resync
from flows.steps.plan import Selection
from flows.steps.reconcile import reconcile
from flows.steps.tokens import StoredTokens, forget
from flows.steps.withdraw import withdraw
from models import faultpoint, lease
from models.catalogue import Product
from models.database import upsert, writing
from models.records import snapshot_of
from models.report import AUTHORISE, RunReport
from models.tables import AccountRow, ProductRow, VariantRow, Withdrawal, core
from models.text import fold
from models.timetable import due_products, due_skus, enrol
from tests.scenarios.world import BLANK, _variant
from tests.simulation.market import Market, Wire, Wiring
from tests.simulation.oracle import Oracle, Wanted
from tests.simulation.pool import OneByOne
from tests.simulation.schedule import BEGIN, EndlessLoop, Hub, Worker, WorkerClock
from tests.simulation.store import OpenSafe, Store, store
from tests.simulation.wires import WAYS
from tests.simulation.workload import PROFILES, Catalogue, Profile

LEASE_SECONDS = 60.0
PATIENCE = 10.0
OWNER_SECONDS = 60.0  # until the shop's owner has agreed once more
QUIET = 3 * 3600.0  # longer than any back-off that a run may have left behind


OF_SEEDS = 13
NEWER = {1: "facebook", 5: "lazada", 6: "zalo", 7: "alibaba", 9: "amazon"}  # by the remainder of a seed


@dataclass(kw_only=True)
class Outcome:
    seed: int
    profile: str
    violations: list[str]
    trace: list[str]
    crashes: int
    pauses: int
    faults: int
    requests: int
    visited: frozenset[str]

    @property
    def digest(self) -> str:
        return blake2b("\n".join(self.trace).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Focus:
    """What is settled before the seed draws: where one kind of bug is best hunted."""

    profile: str = ""
    market: tuple[str, str] | None = None
    permits: int = 0
    rounds: int = 0  # of edits
    wire: float = 0.0  # of a fault, for each request
    unguarded: bool = False
    cold: bool = False  # nothing is listed yet


def run(seed: int, focus: Focus | None = None) -> Outcome:
    """The whole of one seed."""
    return Scenario(seed, focus or Focus()).run()


class Scenario:
    def __init__(self, seed: int, focus: Focus) -> None:
        self.seed, self.focus = seed, focus
        self.rng = random.Random(f"{seed}/workload")
        drawn = self.rng.choice(list(PROFILES))
        self.profile = focus.profile or drawn
        self.kind: Profile = PROFILES[self.profile]
        self.store: Store = store()
        self.hub = Hub(random.Random(f"{seed}/schedule"), self.kind.chances, in_transaction=self.store.in_transaction)
        self.oracle = Oracle(self.hub, self.store.raw)
        self.hub.lease_left, self.hub.at_commit = self._left, self.oracle.committed
        self.hub.stop, self.hub.at_trouble = lambda: bool(self.oracle.violations), self._start_another
        self._started = 0
        self.workers: list[Worker] = []
        self.count = self.rng.choice((6, 6, 6, 6, 7, 7, 8, 10))
        self.markets = self._open_markets()
        self.policies = {market.name: self._policy(market) for market in self.markets}
        self.catalogue = Catalogue(self.rng, self.store.pictures, self.oracle.wanted)
        self.edits = 0
        self._authorised = False  # since the quiet's latest run began
        self._busy = True  # the latest run of the quiet sent something
        self._kept: deque[Any] = deque(maxlen=30)  # copies of the database, one a commit

    # Beginning

    def _open_markets(self) -> list[Market]:
        rng = self.rng
        name, safety = rng.choice(
            (("voso", "C"), ("voso", "C"), ("voso", "D"), ("postmart", "B"), ("madeincamau", "A"))
        )
        name, safety = self.focus.market or newer(self.seed) or (name, safety)
        lag = rng.uniform(0.5, self.kind.lag) if self.kind.lag else 0.0
        wiring = Wiring(chance=self.focus.wire or self.kind.wire, lag=lag, flaps=self.kind.flaps)
        names = [(name, safety, wiring)]
        if rng.random() < 0.1:
            other = ("postmart", "B") if name != "postmart" else ("madeincamau", "A")
            names.append((*other, Wiring()))
            self.oracle.healthy = other[0]
        if safety == "C" and (rng.random() < 0.15 or self.focus.unguarded):
            self.hub.unguarded = True
        markets = []
        for each_name, each_safety, each_wiring in names:
            found, draws = declared(each_name, each_safety, each_wiring.lag), random.Random(f"{self.seed}/{each_name}")
            markets.append(Market(self.hub, found, draws, each_wiring, self.oracle))
        markets[0].wiring.doubled = safety != "D"  # there nobody could tell what the network did
        if self.kind.poison:
            self._poison(markets[0])
        trusted = markets[0].ways.trusted
        if trusted and (rng.random() < 0.5 or self.focus.market):
            trusted(markets[0].simulator)
        return markets

    def _poison(self, market: Market) -> None:
        """One SKU that can never be sent: answered 500 there, refused by a rule there, or a bug of the connector."""
        sku = f"TK{self.rng.randrange(self.count):03}"
        what = self.rng.random()
        if what < 0.35:
            market.wiring.poison = frozenset({sku})
        elif what < 0.7:
            market.refuse(sku)
        else:
            market.connector = replace(market.connector, client=stumbling(market.connector, sku))
        self.oracle.poison.add((market.name, sku))

    def _policy(self, market: Market) -> Policy:
        permits = self.focus.permits or self.rng.choice((12, 30, 100_000, 100_000, 100_000))
        if permits < 1000:
            self.oracle.rates[market.name] = (permits, 60.0)
        return Policy(sandbox=True, requests_per_minute=permits, **market.ways.policy)

    def run(self) -> Outcome:
        start = warm(tuple((m.name, m.connector.safety) for m in self.markets), self.count) if self._warm() else None
        with self._on_stage():
            try:
                self._live(start)
            except EndlessLoop:
                self.oracle.fail("I13", "work without end")
            finally:
                self._bury()
        hub = self.hub
        return Outcome(
            seed=self.seed,
            profile=self.profile,
            violations=self.oracle.violations,
            trace=hub.trace,
            crashes=hub.crashes,
            pauses=hub.pauses,
            faults=sum(m.faults for m in self.markets),
            requests=sum(m.requests for m in self.markets),
            visited=frozenset(hub.names),
        )

    def _warm(self) -> bool:
        """Most scenarios begin with everything listed: what comes then is worth more than the same first sync."""
        return self.rng.random() < 0.85 and not self.focus.cold

    def _live(self, start: Start | None) -> None:
        names = ", ".join(f"{m.name}/{m.connector.safety}" for m in self.markets)
        self.hub.note(f"seed {self.seed} {self.profile} {names}" + (" warm" if start else ""))
        if start is None:
            self._begin()
        else:
            self._begin_from(start)
        self._draw()
        self.hub.run()
        if not self.oracle.violations:
            self._come_to_rest()

    @contextmanager
    def _on_stage(self) -> Iterator[None]:
        before, quiet = (lease.holder, lease.gone), logging.root.manager.disable
        logging.disable()  # writing log lines costs more than what they tell about
        lease.holder = lambda: self.hub.current.holder if self.hub.current else "driver"
        lease.gone = self._gone
        self.store.hub = self.hub
        faultpoint.on_visit(self._visit)
        try:
            yield
        finally:
            faultpoint.on_visit(None)
            self.store.hub = None
            lease.holder, lease.gone = before
            logging.disable(quiet)

    def _visit(self, name: str) -> None:
        self.hub.visit(name)
        if self.kind.restore and name.endswith(".end") and self.hub.faults:
            self._kept.append(self.store.copy())

    def _gone(self, holder: str) -> bool:
        """A process of this machine that has ended; of another machine nobody can tell."""
        worker = next((w for w in self.workers if w.holder == holder), None)
        return worker is not None and worker.same_host and (worker.dead or worker.ended)

    def _left(self, worker: Worker) -> float:
        """How long a process may be frozen at the wire without harm: as reliability.md §1 has it."""
        for seconds in self.oracle.lease_left(worker):
            return max(0.0, seconds + 20.0 - 0.5)
        return 0.0

    def _bury(self) -> None:
        for worker in self.workers:
            worker.bury()

    def _begin(self) -> None:
        self.store.put_back(self.store.empty)
        with writing(self.store.engine) as db:
            upsert(db, core(AccountRow), [self._account_row(m) for m in self.markets], ["name"])
        self._put(self.catalogue.first(self.count))

    def _begin_from(self, start: Start) -> None:
        self.store.put_back(start.database)
        for market in self.markets:
            market.state.kinds = {kind: dict(these) for kind, these in start.kinds[market.name].items()}
            market.listed_already()
        self.hub.seconds = self.oracle.warm = start.seconds
        self.edits = 1
        self._know(self.catalogue.first(self.count))

    def _account_row(self, market: Market) -> dict[str, Any]:
        blank = {"sandbox": True, "mode": "api", "base_url": "", "policy": {}, "seller": "", "needs_reconcile": False}
        version = market.connector.mapping_version
        return {
            "name": market.name,
            "marketplace": market.name,
            "mapping_version": version,
            "created_at": BEGIN,
        } | blank

    # What is edited in the catalogue

    def _put(self, products: list[Product]) -> None:
        """Takes products in as the intake does: snapshot, revision, and everything shown of them due."""
        if not products:
            return
        self.edits += 1
        now = self.hub.now()
        with writing(self.store.engine) as db:
            upsert(db, core(ProductRow), [self._row(product) for product in products], ["product_id"])
            upsert(db, core(VariantRow), [_variant(p, v) for p in products for v in p.variants], ["sku"])
            due_products(db, [p.product_id for p in products], now)
            enrol(db, now)
        self.hub.note(f"put {[p.product_id for p in products]}")
        self._know(products)

    def _know(self, products: list[Product]) -> None:
        for product in products:
            self.catalogue.products[product.product_id] = product
            self.catalogue.removed.discard(product.product_id)
            variant = product.variants[0]
            assert variant.price is not None
            assert variant.stock is not None
            wanted = self.oracle.wanted.setdefault(variant.sku, Wanted())
            wanted.edit(int(variant.price.amount), variant.stock, product.name)
            wanted.show(up=variant.sku not in self.oracle.withdrawn)

    def _row(self, product: Product) -> dict[str, Any]:
        snapshot, content = snapshot_of(product)
        row = {"product_id": product.product_id, "name": product.name, "name_key": fold(product.name)}
        return row | {"snapshot": snapshot, "content_hash": content, "revision": self.edits, "removed_by": ""} | BLANK

    def _remove(self, product_ids: list[str]) -> None:
        if not product_ids:
            return
        table, now = core(ProductRow), self.hub.now()
        with writing(self.store.engine) as db:
            db.execute(update(table).where(table.c.product_id.in_(product_ids)).values(removed_at=now))
            due_products(db, product_ids, now)
        self.catalogue.removed |= set(product_ids)
        for sku in product_ids:  # each product has one SKU of the same name
            self.oracle.wanted[sku].show(up=False)
        self.hub.note(f"removed {product_ids}")

    def _take_down(self, sku: str, *, undo: bool) -> None:
        """The record of a withdrawal, without the run that follows it."""
        table = core(Withdrawal)
        with writing(self.store.engine) as db:
            db.execute(delete(table).where(table.c.sku == sku))
            if not undo:
                db.execute(insert(table).values(sku=sku, reason="thu hồi", who="sim", at=self.hub.now()))
            due_skus(db, [sku], self.hub.now())
        self._withdrawn(sku, undo=undo)

    def _withdrawn(self, sku: str, *, undo: bool) -> None:
        if undo:
            self.oracle.withdrawn.discard(sku)
        else:
            self.oracle.withdrawn.add(sku)
        self.oracle.wanted[sku].show(up=undo and sku not in self.catalogue.removed)
        self.hub.note(f"withdrawn {sku} undo={undo}")

    # What happens when

    def _draw(self) -> None:
        """Rounds of edits, with runs that begin while older ones may still be frozen."""
        rng, hub = self.rng, self.hub
        at = hub.seconds + 1.0
        for number in range(self.focus.rounds or rng.choice((1, 2, 2, 3, 4))):
            if number or self.edits == 1:
                hub.at(at, self._edit)
            for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3)) if number else 1):
                self._spawn(*self._drawn_job(), at + rng.choice((0.1, rng.uniform(0, 5), rng.uniform(0, 300))))
            if rng.random() < 0.15:
                hub.at(at + rng.uniform(0, 300), self._by_hand)
            at += rng.uniform(100, 1500) if rng.random() < 0.9 else rng.uniform(20, 30) * 3600
        if self.kind.restore:
            hub.at(rng.uniform(hub.seconds + 5, at), self._restore)
        if self.markets[0].ways.authorise:
            self._end_tokens(hub.seconds, at)

    def _end_tokens(self, begin: float, end: float) -> None:
        """Access tokens end when nobody expects it, so that refresh tokens, which work once, are used."""
        rng, market = random.Random(f"{self.seed}/tokens"), self.markets[0]
        for _ in range(rng.choice((0, 1, 2))):
            self.hub.at(rng.uniform(begin, end), lambda: market.ways.revoke(market.simulator))

    def _drawn_job(self) -> tuple[str, Callable[[Worker], Any]]:
        draw = self.rng.random()
        if draw < 0.80:
            return "sync", self._sync
        if draw < 0.86:
            return "approve", self._decide
        if draw < 0.89:
            return "reconcile", self._reconcile
        if draw < 0.92:
            return "failed", self._failed
        if draw < 0.96:
            return "chosen", self._chosen
        return "withdraw", self._withdraw

    def _edit(self) -> None:
        """One import, or an operator's hand: some products change, some go, some come back, some are new."""
        catalogue, rng = self.catalogue, self.rng
        self._put(catalogue.changed())
        self._put(catalogue.returning())
        self._remove(catalogue.leaving())
        if self.count < 12 and rng.random() < 0.5:
            some = rng.randrange(1, 3)
            self._put(catalogue.new(self.count, some))
            self.count += some
        if rng.random() < 0.12:
            sku = rng.choice(list(self.oracle.wanted))
            self._take_down(sku, undo=sku in self.oracle.withdrawn)

    def _by_hand(self) -> None:
        """Somebody works in the marketplace's own back office."""
        market, rng = self.markets[0], self.rng
        live = sorted(key for key, shown in market.shown().items() if shown.up)
        if not live:
            return
        key, what = rng.choice(live), rng.random()
        with self.oracle.hand():
            if what < 0.35:
                market.set_price(key, rng.randrange(50_000, 60_000))
            elif what < 0.55:
                market.set_hidden(key, hidden=True)
            elif what < 0.7 and market.ways.erases:
                self.oracle.deleted.add((market.name, market.sku(key)))
                market.drop(key)
            else:
                market.add_foreign(key, f"LA{rng.randrange(100):02}")
        self.hub.note(f"by hand: {key} {what:.2f}")

    def _restore(self) -> None:
        """The database is put back to an older copy, as `caybeo db restore` does, with every run stopped first."""
        if not self._kept:
            return
        for worker in self.workers:
            if worker.begun and not worker.ended:
                worker.bury()
        back = self.rng.randrange(len(self._kept))
        self.hub.note(f"restored to {len(self._kept) - back} commits ago")
        self.store.put_back(self._kept[back])
        self._kept.clear()
        with writing(self.store.engine) as db:
            db.execute(update(core(AccountRow)).values(needs_reconcile=True))
        self._import_again()
        self.oracle.went_back()
        self._spawn("reconcile", self._reconcile, self.hub.seconds + self.rng.uniform(0, 400))

    def _import_again(self) -> None:
        """The sources still say what they said before the backup was put back."""
        removed = sorted(self.catalogue.removed)
        withdrawn = set(self.oracle.withdrawn)
        self._put(list(self.catalogue.products.values()))
        self._remove(removed)
        for sku in sorted(self.oracle.wanted):
            self._take_down(sku, undo=sku not in withdrawn)

    # What a process does

    def _spawn(self, name: str, job: Callable[[Worker], Any], at: float) -> Worker:
        number = len(self.workers) + 1
        same_host = random.Random(f"{self.seed}/host/{number}").random() < 0.5
        worker = Worker(self.hub, number, f"{name}{number}", job, same_host=same_host)
        self.workers.append(worker)
        self.hub.spawn(worker, at)
        return worker

    def _start_another(self, after: float) -> None:
        """As a supervisor or an operator does where a run ended abruptly or does not move."""
        if self._started < 3 and self.rng.random() < 0.7:
            self._started += 1
            self._spawn("sync", self._sync, self.hub.seconds + after + self.rng.uniform(0, 5))

    def _sync(self, worker: Worker) -> str:
        return self._told(resync(self.context(worker)))

    def _failed(self, worker: Worker) -> str:
        return self._told(resync(self.context(worker), selection=Selection(failed=True)))

    def _chosen(self, worker: Worker) -> str:
        skus = tuple(self.rng.sample(list(self.oracle.wanted), 2))
        return self._told(resync(self.context(worker), selection=Selection(skus=skus, force=self.rng.random() < 0.3)))

    def _reconcile(self, worker: Worker, *, heal: bool = False) -> str:
        context = self.context(worker)
        report = begin(context, "reconcile")
        return self._told(
            each(context, report, choose(context, ()), lambda a: reconcile(context, a, report.run_id, heal=heal))
        )

    def _withdraw(self, worker: Worker) -> str:
        sku = self.rng.choice(list(self.oracle.wanted))
        undo = sku in self.oracle.withdrawn
        self._withdrawn(sku, undo=undo)
        return self._told(withdraw(self.context(worker), (sku,), "thu hồi", "sim", undo=undo))

    def _decide(self, worker: Worker, *, always: bool = False) -> str:
        """An operator looks at a held plan, thinks, and decides about exactly that."""
        held = self.oracle.ask("SELECT id, digest FROM plan WHERE status = 'held' AND account <> '' ORDER BY id")
        if not held:
            return "nothing waits"
        plan, digest = self.rng.choice(held)
        seen = self.oracle.rows_of(plan)
        self.hub.sleep(1.0 if always else self.rng.uniform(1, 600))
        try:
            if not always and self.rng.random() < 0.3:
                refuse(self.context(worker), plan, "sim", "không đúng")
                self.oracle.refused |= {(market, sku) for market, sku, _, _ in seen}
                return "refused"
            self.oracle.approved |= seen
            return self._told(approve(self.context(worker), plan, "sim", "đúng", digest=digest))
        except PlanRefused as refused:
            return f"not decided: {refused}"

    def _told(self, report: RunReport) -> str:
        for part in report.accounts:
            if part.code == AUTHORISE:
                self.hub.at(self.hub.seconds + OWNER_SECONDS, partial(self._authorise, part.account))
            if part.account == self.oracle.healthy and part.code in (2, 6, 7):
                self.oracle.fail("I11", f"{part.account} is healthy and ended with code {part.code}")
        return ", ".join(f"{part.account} {part.status} {part.code}" for part in report.accounts)

    def _authorise(self, name: str) -> None:
        """The shop's owner agrees once more, and the new pair is entered: the old one may be used up and lost."""
        market = next(m for m in self.markets if m.name == name)
        if market.authorise():
            with writing(self.store.engine) as db:
                forget(db, name)
            self._authorised = True
            self.hub.note(f"{name} is authorised anew")

    def context(self, worker: Worker) -> Context:
        numbers = iter(range(10_000))
        return Context(
            database=self.store.engine,
            home=self.store.home,
            accounts=lambda: [self._account(market, worker) for market in self.markets],
            clock=WorkerClock(worker),
            rng=random.Random(f"{self.seed}/{worker.number}"),
            new_id=lambda: f"{worker.name}-{next(numbers)}",
            pool=OneByOne,
            lease_seconds=LEASE_SECONDS,
            patience=PATIENCE,
        )

    def _account(self, market: Market, worker: Worker) -> Account:
        found = market.connector
        return Account(
            name=market.name,
            connector=found,
            sandbox=True,
            mode="api",
            base_url=f"https://sandbox.invalid/{market.name}",
            policy=self.policies[market.name],
            credentials=found.credentials(**market.credentials),
            transport=Wire(market, worker),
            tokens=partial(StoredTokens, self.store.engine, OpenSafe) if found.rotates else None,
        )

    # Quiet

    def _come_to_rest(self) -> None:
        """Faults stop; then one more run, two where answers come later, must make everything right."""
        self.hub.faults = False
        self.hub.note("faults stop")
        if self.oracle.waits_for_reconcile():
            self._quiet("reconcile", self._reconcile)
        self._settle_down()
        self._compare(holding=True)
        self._person_decides()
        self._heal()
        if self._busy and self._again():
            self.oracle.fail("I9", "a run sent writes although nothing had changed")
        self.oracle.at_rest()
        self._bounded()

    def _settle_down(self) -> None:
        """What can never be sent is given up only after some runs that failed in the same way."""
        for number in range(4 if self.kind.poison else self.markets[0].ways.runs):
            if not self._again() and (number > 2 or not self.kind.poison):
                break

    def _again(self) -> bool:
        """One more run; whether it sent anything, or left anything open. One that did not was an idle one."""
        before = sum(market.writes for market in self.markets)
        self._quiet("sync", self._sync)
        self._busy = sum(market.writes for market in self.markets) > before or self.oracle.still_open()
        return self._busy and not self.oracle.violations

    def _person_decides(self) -> None:
        """What is held is approved, so that nothing may be excused by it."""
        if not self.oracle.held():
            return
        for _ in range(20):
            if not self.oracle.held() or self.oracle.violations:
                break
            self._quiet("approve", lambda worker: self._decide(worker, always=True), after=60.0)
            if not self.oracle.held():
                self._settle_down()
        else:
            self.oracle.fail("I1", "approved again and again, and still something waits")
        self._compare(holding=False)

    def _heal(self) -> None:
        """What was edited there by hand is put right when somebody asks for it."""
        if not self.oracle.touched or self.oracle.violations:
            return
        later = max(market.ways.answered_within for market in self.markets)  # what is open is nobody's to heal
        self._quiet("heal", lambda worker: self._reconcile(worker, heal=True), after=later)
        self._person_decides()
        self._settle_down()
        self.oracle.touched.clear()
        self._compare(holding=False)

    def _compare(self, *, holding: bool) -> None:
        if not self.oracle.violations:
            for market in self.markets:
                for wrong in self.oracle.in_step(market, holding=holding):
                    self.oracle.fail("I1", wrong)

    def _quiet(self, name: str, job: Callable[[Worker], Any], after: float = QUIET) -> None:
        """Once more where the account had to be authorised anew: nobody expects anything of the run before."""
        for _ in range(2):
            self._authorised = False
            if not self.oracle.violations:
                self._spawn(name, job, self.hub.seconds + after)
                self.hub.run()
            if not self._authorised:
                break

    def _bounded(self) -> None:
        """I13, and that nothing but what is meant to be raised is raised."""
        for worker in self.workers:
            self.oracle.bounded(worker, len(self.oracle.wanted))


@dataclass(frozen=True, kw_only=True)
class Start:
    """A world in which everything is listed."""

    database: Any
    kinds: dict[str, dict[str, dict[str, bytes]]]
    seconds: float


class First(Scenario):
    """A first sync without faults."""

    def __init__(self, names: tuple[tuple[str, str], ...], count: int) -> None:
        self._names = names
        super().__init__(0, Focus(profile="none"))
        self.count = count

    def _open_markets(self) -> list[Market]:
        return [
            Market(self.hub, declared(name, safety, 0.0), random.Random(name), Wiring(), self.oracle)
            for name, safety in self._names
        ]

    def start(self) -> Start:
        with self._on_stage():
            self.hub.faults = False
            self._begin()
            self.policies = {name: replace(it, requests_per_minute=100_000) for name, it in self.policies.items()}
            self.oracle.rates.clear()
            self._spawn("first", self._sync, 1.0)
            self.hub.run()
            assert not self.oracle.violations, self.hub.trace
            assert not self.workers[0].error, self.hub.trace
        kinds = {market.name: market.state.copy() for market in self.markets}
        return Start(database=self.store.copy(), kinds=kinds, seconds=self.hub.seconds + 600)


@cache
def warm(names: tuple[tuple[str, str], ...], count: int) -> Start:
    return First(names, count).start()


def newer(seed: int) -> tuple[str, str] | None:
    """The marketplace of a seed that is given to one that came later; none of these seeds had failed before it."""
    name = NEWER.get(seed % OF_SEEDS, "")
    return (name, random.Random(f"{seed}/safety").choice(WAYS[name].classes)) if name else None


@cache
def declared(name: str, safety: str, lag: float) -> Connector:
    found = connector(name)
    limits = replace(found.limits, settle_after=found.limits.settle_after + lag)
    if WAYS[name].polls_by_reading:
        limits = replace(limits, poll_after=max(limits.poll_after, limits.settle_after))
    return replace(found, safety=safety, limits=limits)  # type: ignore[arg-type]  # one of the four letters


def stumbling(found: Connector, sku: str) -> Callable[[Any], Any]:
    """The connector's client, with a bug that one SKU brings out."""

    class Stumbling:
        def __init__(self, session: Any) -> None:
            self._client = found.client(session)

        def push(self, changes: Any) -> Any:
            if any(change.key == sku for change in changes):
                raise ValueError("a bug of the connector")
            return self._client.push(changes)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

    return Stumbling

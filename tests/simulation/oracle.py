"""What must be true: a model of its own, fed by what was edited and by what the marketplaces were seen to store."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from tests.simulation.market import Arrival, Market
from tests.simulation.schedule import BEGIN, Hub, Worker
from tests.simulation.wires import EMPTIED, WAYS, Shown

DAY = 24 * 3600.0
OURS_TO_WRITE = ("lease-", "quota", "run-", "approve", "refuse", "withdraw", "oddities")  # outside the lease
FINAL = ("acknowledged", "rejected", "deferred", "quarantined", "superseded", "cancelled")


@dataclass
class Wanted:
    """Every value one SKU ever had in the catalogue, in the order in which they were edited."""

    prices: list[int] = field(default_factory=list)
    stocks: list[int] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    up: bool = True
    ever_down: bool = False

    def edit(self, price: int, stock: int, title: str) -> None:
        for values, value in ((self.prices, price), (self.stocks, stock), (self.titles, title)):
            if values[-1:] != [value]:
                values.append(value)  # type: ignore[arg-type]  # each value is of its own list's kind

    def show(self, *, up: bool) -> None:
        self.up = up
        self.ever_down = self.ever_down or not up


@dataclass
class Listing:
    """One product as one marketplace stores it, and what became of it."""

    sku: str
    ours: bool
    touched: bool = False  # by hand
    history: list[tuple[float, Shown | None]] = field(default_factory=list)


HARM: dict[str, Callable[[Shown, Shown], bool]] = {
    "delist": lambda was, now: was.up and not now.up,
    "price": lambda was, now: abs(now.price - was.price) > was.price * 0.3,
    "zero": lambda was, now: was.stock > 0 and now.stock == 0,
}


class Oracle:
    """Checks while things happen, and once they have come to rest."""

    def __init__(self, hub: Hub, raw: Any) -> None:
        self.hub, self.raw = hub, raw
        self.wanted: dict[str, Wanted] = {}
        self.violations: list[str] = []
        self.listings: dict[tuple[str, str], Listing] = {}
        self.by_hand = False
        self.approved: set[tuple[str, str, str, int | None]] = set()  # (market, sku, kind, price)
        self.touched: set[tuple[str, str]] = set()  # SKUs somebody edited there
        self.deleted: set[tuple[str, str]] = set()
        self.doubtful: set[tuple[str, str]] = set()  # a frozen process may have made a second one
        self.creates: dict[tuple[str, str], int] = defaultdict(int)
        self.withdrawn: set[str] = set()
        self.poison: set[tuple[str, str]] = set()
        self.refused: set[tuple[str, str]] = set()  # by an operator
        self.healthy = ""  # the account that nothing is wrong with
        self.restored = False
        self.warm = -1.0  # until then everything was listed without faults
        self.rates: dict[str, tuple[int, float]] = {}
        self._arrivals: dict[str, deque[float]] = defaultdict(deque)
        self._moves: dict[tuple[str, str], deque[tuple[float, str, Shown]]] = defaultdict(deque)
        self._now: dict[tuple[str, str], Shown] = {}
        self._ever_up: dict[str, set[str]] = defaultdict(set)
        self._up: dict[tuple[str, str], set[str]] = defaultdict(set)  # (market, sku) -> keys of ours that are shown
        self.requests_of: dict[int, int] = defaultdict(int)

    def fail(self, invariant: str, text: str) -> None:
        self.hub.note(f"VIOLATION {invariant} {text}")
        self.violations.append(f"{invariant} {text}")

    def ask(self, sql: str, *values: Any) -> list[Any]:
        return list(self.raw.execute(sql, values))

    # While things happen

    def counts(self, market: Market) -> bool:
        return market.name in self.rates

    def arrived(self, market: Market, arrival: Arrival, write: bool) -> None:
        worker, request = arrival.worker, arrival.request
        self.requests_of[worker.number] += 1
        verb = f"{request.method} {request.url.path.partition('/' + market.name)[2]}"
        self.hub.note(f"{market.name} <- {worker.name} {verb}{' (late)' if arrival.late else ''}")
        if market.name in self.rates and not arrival.late:
            self._rate(market.name)
        if arrival.fault == "double" and (sku := market.ways.creates(request)):
            self.doubtful.add((market.name, sku))  # one request, delivered twice by the network
        if write and not arrival.late and not worker.dead:
            self._newest(market.name, worker)
            if self.restored and self.ask("SELECT 1 FROM account WHERE name = ? AND needs_reconcile", market.name):
                self.fail("P20", f"{worker.name} writes before everything was read back")
        if write and arrival.late:
            self._too_late(market, arrival)

    def known(self, market: Market, key: str, shown: Shown) -> None:
        """Listed before the scenario began."""
        here = self.listings.setdefault((market.name, key), Listing(shown.sku, ours=True))
        here.history.append((0.0, shown))
        self.creates[market.name, shown.sku] = 1
        self._count(market.name, key, here, shown)

    def stored(self, market: Market, key: str, before: Shown | None, after: Shown | None) -> None:
        """A product changed there: somebody must have asked for it."""
        sku = (after or before).sku  # type: ignore[union-attr]  # one of them is there
        here = self.listings.setdefault((market.name, key), Listing(sku, not self.by_hand))
        if here.history:
            before = here.history[-1][1]
        if before is not None and after is not None and after.stock == EMPTIED:
            after = after._replace(stock=before.stock)  # nobody sees either
        here.history.append((self.hub.seconds, after))
        if self.by_hand:
            here.touched = True
            self.touched.add((market.name, sku))
        elif before != after:
            self._explained(market, key, here, before, after)
        self._count(market.name, key, here, after)

    def committed(self, worker: Worker, name: str) -> None:
        """Inside a transaction that is about to be committed."""
        if name == "lease-acquire.commit":
            for account, token in self.ask("SELECT account, token FROM lease WHERE holder = ?", worker.holder):
                if account != worker.account or token != worker.token:
                    worker.account, worker.token = account, token
        elif worker.account and not name.startswith(OURS_TO_WRITE):
            self._newest(worker.account, worker, name)

    def went_back(self) -> None:
        """The database is an older one: it has forgotten what it did, and nobody can count that any more."""
        self.restored = True
        self._moves.clear()

    @contextmanager
    def hand(self) -> Iterator[None]:
        """What is stored meanwhile is a person's work."""
        self.by_hand = True
        yield
        self.by_hand = False

    def lease_left(self, worker: Worker) -> list[float]:
        rows = self.ask("SELECT expires_at FROM lease WHERE account = ? AND token = ?", worker.account, worker.token)
        return [self._seconds(expires) - self.hub.seconds for (expires,) in rows if expires]

    def _seconds(self, instant: str) -> float:
        return (datetime.fromisoformat(instant).replace(tzinfo=UTC) - BEGIN).total_seconds()

    def _too_late(self, market: Market, arrival: Arrival) -> None:
        """Frozen behind its last check for longer than anybody can guard against: a second listing may come of it."""
        sku = market.ways.creates(arrival.request)
        if self.hub.unguarded and sku:
            self.doubtful.add((market.name, sku))

    def _rate(self, market: str) -> None:
        permits, seconds = self.rates[market]
        window, now = self._arrivals[market], self.hub.seconds
        window.append(now)
        while window[0] <= now - seconds:
            window.popleft()
        if len(window) > permits:
            self.fail("I6", f"{market}: {len(window)} requests in {seconds:.0f} s, {permits} are allowed")

    def _newest(self, account: str, worker: Worker, name: str = "a request") -> None:
        if worker.account != account:
            return
        for (token,) in self.ask("SELECT token FROM lease WHERE account = ?", account):
            if token != worker.token:
                self.fail("I7", f"{worker.name} holds token {worker.token}, the newest is {token}: {name}")

    def _explained(self, market: Market, key: str, here: Listing, before: Shown | None, after: Shown | None) -> None:
        sku = here.sku
        wanted = self.wanted.get(sku)
        if wanted is None or not here.ours:
            self.fail("I3", f"{market.name}: a foreign listing ({sku}, {key}) was changed")
            return
        if after is None:
            self.fail("I3", f"{market.name}: {sku} ({key}) was deleted")
            return
        if before is None:
            self._created(market, sku)
        self._now[market.name, sku] = after
        self._values(market.name, sku, wanted, before, after)
        if before is not None and before.up and not after.up and after[1:4] == before[1:4]:
            self._hidden(market.name, sku, key, wanted, before)
        if before is not None and before.price != after.price:
            self._moved(market.name, sku, before, after)
        if before is not None and before.up and before.stock and not after.stock:
            self._guarded(market.name, sku, "zero", before, 0.2, 0)

    def _created(self, market: Market, sku: str) -> None:
        at = (market.name, sku)
        self.creates[at] += 1
        if market.connector.safety == "D" and self.creates[at] > 1 and at not in self.deleted:
            self.fail("I2", f"{market.name}: {sku} was created {self.creates[at]} times on a class D marketplace")

    def _values(self, market: str, sku: str, wanted: Wanted, before: Shown | None, after: Shown) -> None:
        """Every value was one of the catalogue's, and none is older than the one it replaces."""
        stocks = [WAYS[market].stock(count) for count in wanted.stocks]
        columns: tuple[tuple[str, list[Any], int], ...] = (
            ("price", wanted.prices, 1), ("stock", stocks, 2), ("title", wanted.titles, 3),
        )  # fmt: skip
        for name, values, place in columns:
            new, old = after[place], before[place] if before is not None else None
            if new == old:
                continue
            if new not in values:
                self.fail("I3", f"{market}: {sku} got a {name} nobody asked for: {new}")
            elif old in values and _last(values, new) < values.index(old):  # a value may come back
                self.fail("I8", f"{market}: {sku} went back from {name} {old} to the older {new}")

    def _hidden(self, market: str, sku: str, key: str, wanted: Wanted, before: Shown) -> None:
        others = self._up[market, sku] - {key}
        if others:
            return  # one of two of the same SKU: the other one stays
        if not wanted.ever_down:
            self.fail("I3", f"{market}: {sku} was taken down, and nobody had removed it")
        elif sku in self.withdrawn:
            self._forget(market, sku, "delist")
        else:
            self._guarded(market, sku, "delist", before, 0.05, 5)

    def _moved(self, market: str, sku: str, before: Shown, after: Shown) -> None:
        if (market, sku) in self.touched or sku not in self._ever_up[market]:
            return  # a draft that nobody ever saw has no price yet
        if self.restored and self._is_forgotten(market, sku):
            return
        if self._was_approved(market, sku, "", after.price):
            self._forget(market, sku, "price")
            return
        if not before.price / 3 <= after.price <= before.price * 3:
            self.fail("I3", f"{market}: {sku} went from {before.price} to {after.price} without approval")
        elif before.up and abs(after.price - before.price) > before.price * 0.3:
            self._guarded(market, sku, "price", before, 0.2, 0)

    def _is_forgotten(self, market: str, sku: str) -> bool:
        """Listed after the copy that was put back: no guard can know from which price it moves."""
        known = self.ask("SELECT 1 FROM listing_state WHERE account = ? AND sku = ? AND price NOT NULL", market, sku)
        return not known

    def _guarded(self, market: str, sku: str, what: str, before: Shown, share: float, least: int) -> None:
        """Listings that are worse off than 24 hours ago, by changes that nobody approved."""
        if self._was_approved(market, sku, "delist" if what == "delist" else "", None):
            self._forget(market, sku, what)
            return
        moves, now = self._moves[market, what], self.hub.seconds
        moves.append((now, sku, before))
        while moves[0][0] <= now - DAY:
            moves.popleft()
        first = {sku: was for _, sku, was in reversed(moves)}
        worse = sorted(sku for sku, was in first.items() if HARM[what](was, self._now[market, sku]))
        allowed = max(least, int(len(self._ever_up[market]) * share))
        if len(worse) > allowed:
            self.fail("I14", f"{market}: {len(worse)} unapproved {what} changes in 24 h, {allowed} are allowed {worse}")

    def _forget(self, market: str, sku: str, what: str) -> None:
        """What a person asked for is the new normal."""
        moves = self._moves[market, what]
        self._moves[market, what] = deque(move for move in moves if move[1] != sku)

    def _was_approved(self, market: str, sku: str, kind: str, price: int | None) -> bool:
        for m, s, k, p in self.approved:
            if (m, s) == (market, sku) and (k == kind or not kind) and (price is None or p == price):
                return True
        return False

    def _count(self, market: str, key: str, here: Listing, after: Shown | None) -> None:
        up = self._up[market, here.sku]
        if not here.ours:
            return
        if after is not None and after.up:
            up.add(key)
        else:
            up.discard(key)
        if len(up) > 1 and (market, here.sku) not in self.doubtful:
            self.fail("I2", f"{market}: {here.sku} is live {len(up)} times")
        if after is not None and after.up:
            self._ever_up[market].add(here.sku)

    # At rest

    def waits_for_reconcile(self) -> bool:
        return bool(self.ask("SELECT 1 FROM account WHERE needs_reconcile"))

    def still_open(self) -> bool:
        return bool(self.ask("SELECT 1 FROM outbox WHERE done_at IS NULL AND status <> 'held'"))

    def held(self) -> bool:
        return bool(self.ask("SELECT 1 FROM outbox WHERE done_at IS NULL AND status = 'held'"))

    def rows_of(self, plan: int) -> set[tuple[str, str, str, int | None]]:
        """What an approver is shown of a plan."""
        rows = self.ask("SELECT account, sku, kind, price FROM outbox WHERE plan_id = ? AND status = 'held'", plan)
        return {(account, sku, kind, None if price is None else int(price)) for account, sku, kind, price in rows}

    def expected(self) -> dict[str, tuple[int, int, str]]:
        """SKU -> price, stock, title of what must be live, from the raw records alone."""
        down = {sku for (sku,) in self.ask("SELECT sku FROM withdrawal")}
        found = {}
        for (snapshot,) in self.ask("SELECT snapshot FROM product WHERE removed_at IS NULL ORDER BY product_id"):
            product = msgspec.json.decode(snapshot)
            variant = product["variants"][0]
            if variant["sku"] not in down:
                price = int(Decimal(variant["price"]["amount"]))
                found[variant["sku"]] = (price, variant["stock"], product["name"])
        return found

    def in_step(self, market: Market, *, holding: bool) -> list[str]:
        """What differs between the marketplace and the records; `holding` excuses what waits for a person."""
        expected = self.expected()
        live: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for one in market.live():
            live[one["key"]].append((one["price"], one["stock"], one["title"]))
        wrong = []
        for sku in sorted(self.wanted):
            there, should = live[sku], shown_of(market, expected.get(sku))
            if there != ([should] if should else []):
                why = self._last(market.name, sku)
                if not self._excused(market, sku, should, why, holding=holding):
                    wrong.append(f"{market.name}: {sku} should be {should} and is {there}; its last change: {why}")
        return wrong or self._known_by_name(market, expected)

    def _known_by_name(self, market: Market, expected: dict[str, Any]) -> list[str]:
        """What our records call live must be that very listing: the next edit goes there."""
        live = {(one["key"], str(one["remote_id"])) for one in market.live()}
        if market.ways.named_by_sku:
            live |= {(key, "") for key, _ in live}
        rows = self.ask("SELECT sku, remote_id FROM listing_state WHERE account = ? AND status = 'live'", market.name)
        return [
            f"{market.name}: {sku} is known as {remote_id}, which is not live"
            for sku, remote_id in sorted(rows)
            if (sku, remote_id) not in live
            and not self._excused(market, sku, expected.get(sku), self._last(market.name, sku), holding=True)
        ]

    def _last(self, market: str, sku: str) -> str:
        mine = "account = ? AND sku = ? AND kind <> 'close'"  # which is about another listing of it
        rows = self.ask(f"SELECT kind, status FROM outbox WHERE {mine} ORDER BY id DESC LIMIT 1", market, sku)
        return " ".join(rows[0]) if rows else "none"

    def _excused(self, market: Market, sku: str, should: Any, last: str, *, holding: bool) -> bool:
        """Whether an item may differ: its last change ended otherwise for a reason this model knows, and is told."""
        at, status = (market.name, sku), last.rpartition(" ")[2]
        if at in self.touched or (market.ways.reviewed_late and should and market.ways.refusable(should[2])):
            return True
        if status == "held":
            return holding
        if status == "rejected":
            meant = at in self.poison | self.deleted or (should is not None and market.ways.refusable(should[2]))
            return meant and self._noted(at, "rejected")
        if status == "quarantined":
            known = at in self.poison or market.connector.safety == "D" or self.restored
            return known and self._noted(at, "quarantined")
        return status == "cancelled" and at in self.refused

    def _noted(self, at: tuple[str, str], event: str) -> bool:
        return bool(self.ask("SELECT 1 FROM ledger WHERE account = ? AND sku = ? AND event LIKE ?", *at, f"%{event}%"))

    def at_rest(self) -> None:
        """I4 and I5, from the outbox and from what was stored there."""
        if self.violations:
            return
        for (text,) in self.ask("SELECT text FROM sim_violation"):
            self.fail("I4", text)
        rows = "SELECT account, sku, status FROM outbox WHERE done_at IS NULL AND status <> 'held'"
        for account, sku, status in self.ask(rows):
            self.fail("I4", f"{account}: a change of {sku} is still {status} after everything came to rest")
        self._truthful()

    def _truthful(self) -> None:
        """`acknowledged` implies that it was so there at some moment between the plan and the acknowledgement."""
        histories: dict[tuple[str, str], list[Listing]] = defaultdict(list)
        for (market, _), listing in sorted(self.listings.items()):
            histories[market, listing.sku].append(listing)
        rows = self.ask(
            "SELECT o.account, o.sku, o.kind, o.facets, o.price, o.stock, p.created_at, o.done_at, o.status"
            " FROM outbox o JOIN plan p ON p.id = o.plan_id"
            " WHERE o.status IN ('acknowledged', 'rejected') ORDER BY o.id"
        )
        for market, sku, kind, facets, price, stock, made, done, status in rows:
            told = histories.get((market, sku))
            if any(listing.touched for listing in told or ()):
                continue
            if status == "rejected":
                if (market, sku) not in self.poison and not any(map(WAYS[market].refusable, self.wanted[sku].titles)):
                    self.fail("I5", f"{market}: {kind} of {sku} counts as rejected, and nothing refused it")
                continue
            asked = {"price": price, "stock": WAYS[market].stock(stock or 0)} if kind != "delist" else {}
            asked = {name: value for name, value in asked.items() if name in facets.split(",")}
            span = self._seconds(made) - 0.001, self._seconds(done) + 0.001
            if told and span[0] > self.warm and not any(_was_so(one, kind, asked, span) for one in told):
                self.fail("I5", f"{market}: {kind} of {sku} counts as done, and was never so: {asked}")

    def bounded(self, worker: Worker, skus: int) -> None:
        """I13: a run ends in time and does not ask without end; and whatever it raises is one of our own endings."""
        if self.violations:
            return
        if worker.error is not None:
            self.fail("I13", f"{worker.name} ended in {type(worker.error).__name__}: {worker.error}")
        if worker.lasted - worker.frozen > 2 * 3600 + 300:
            self.fail("I13", f"{worker.name} took {worker.lasted:.0f} s")
        if self.requests_of[worker.number] > 40 + 30 * skus:
            self.fail("I13", f"{worker.name} sent {self.requests_of[worker.number]} requests")


def _last(values: list[Any], value: Any) -> int:
    return len(values) - 1 - values[::-1].index(value)


def shown_of(market: Market, wanted: tuple[int, int, str] | None) -> tuple[int, int, str] | None:
    """As much of it as that marketplace shows."""
    return wanted and (wanted[0], market.ways.stock(wanted[1]), wanted[2])


def _was_so(listing: Listing, kind: str, asked: dict[str, Any], span: tuple[float, float]) -> bool:
    """Whether the listing was as a change wanted it at some moment of the span."""
    begun, ended = span
    states = [*listing.history, (float("inf"), None)]
    for (since, shown), (until, _) in pairwise(states):
        if since <= ended and until >= begun:
            if kind in ("delist", "close"):
                if shown is None or not shown.up:
                    return True
            elif shown is not None and all(int(value) == getattr(shown, name) for name, value in asked.items()):
                return True
    return False

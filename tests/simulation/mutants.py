"""Deliberate bugs, each a switch: one that no seed of its budget catches means that the workload is too tame."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from connectors.postmart.client import PostmartClient
from connectors.throttle import InMemory
from connectors.voso.client import Client as VosoClient
from flows.steps import account, approve, plan, push, settle
from flows.steps.guard import Watch
from flows.steps.unfinished import Unfinished
from models.lease import HeldLease
from models.ledger import mark_sending, release
from models.outcome import Outcome as Result
from tests.simulation.scenario import Focus, Outcome, run

BUDGET = 150  # seeds where it is best hunted, and as many anywhere
ANYWHERE = Focus()
Patch = tuple[Any, str, Any]  # where, what, by what


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A bug, and where it is best hunted."""

    name: str
    patches: Callable[[], list[Patch]]
    focus: Focus = ANYWHERE

    @contextmanager
    def switched_on(self) -> Iterator[None]:
        with ExitStack() as undo:
            for owner, name, replacement in self.patches():
                undo.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, replacement)
            yield


def caught(mutant: Mutant, budget: int, *, focused: bool) -> Outcome | None:
    """The first outcome that gives the bug away."""
    focus = mutant.focus if focused else ANYWHERE
    for seed in range(budget):
        with mutant.switched_on():
            outcome = run(seed, focus)
        if outcome.violations and not run(seed, focus).violations:  # without the bug all is well
            return outcome
    return None


def hunt(mutant: Mutant, budget: int = BUDGET) -> Outcome | None:
    """First where such a bug lives, then anywhere."""
    return caught(mutant, budget, focused=True) or caught(mutant, budget, focused=False)


def by_position() -> list[Patch]:
    def settled(self: Any, keys: Any, lines: Any) -> list[Any]:
        return [self._result(key, line) for key, line in zip(keys, lines, strict=False)]

    return [(PostmartClient, "_settled", settled)]


def blind_create() -> list[Patch]:
    ask = VosoClient._ask

    def again(self: Any, operation: str, body: Any, kind: Any, *, repeatable: bool = False) -> Any:
        del repeatable
        return ask(self, operation, body, kind, repeatable=True)

    return [(VosoClient, "_ask", again)]


def no_guard() -> list[Patch]:
    return [(Watch, "verdict", lambda self: [])]


def short_memory_guard() -> list[Patch]:
    return [(plan, "recent_moves", lambda db, name, since: [])]


def forgetful_quota() -> list[Patch]:
    return [(account, "StoredQuota", lambda database, name: InMemory())]


def no_settle_time() -> list[Patch]:
    def now(self: Any, rows: Any, first: Any) -> Any:
        second = self._client.fetch([row.sku for row in rows])
        return [row for row in rows if second is not None]

    def at_once(self: Any, now: Any) -> Any:
        return now

    return [(Unfinished, "_read_again", now), (settle.Settler, "_settled", at_once)]


def one_absent_read() -> list[Patch]:
    return [(Unfinished, "_read_again", lambda self, rows, first: rows)]


def trusting_200() -> list[Patch]:
    whole_batch = settle.Settler.whole_batch
    silent = ("ReadTimeout", "ReadError", "RemoteProtocolError", "HTTP 5")

    def trusting(self: Any, keys: Any, error: Any, now: Any) -> Any:
        keys = list(keys)
        results = whole_batch(self, keys, error, now)
        answered = type(error).__name__ in ("Unanswered", "OtherShape") and not error.code.startswith(silent)
        return [settle.Result(key=key, outcome=Result.ACKNOWLEDGED) for key in keys] if answered else results

    return [(settle.Settler, "whole_batch", trusting)]


def no_fencing() -> list[Patch]:
    return [(HeldLease, "fence", lambda self, db: None), (HeldLease, "check", lambda self, needed: None)]


def no_takeover_wait() -> list[Patch]:
    interrupted = settle.Settler.interrupted

    def at_once(self: Any, db: Any, rows: Any, now: Any, *, last: Any, event: str) -> None:
        interrupted(self, db, rows, now, last=min(last, now) - timedelta(days=1), event=event)

    return [(settle.Settler, "interrupted", at_once)]


def early_baseline() -> list[Patch]:
    moved = text(
        "UPDATE listing_state SET baseline = o.hashes, price = o.price, stock = o.stock FROM outbox AS o"
        " WHERE o.plan_id = :plan AND o.batch = :batch AND o.kind <> 'delist'"
        " AND listing_state.account = o.account AND listing_state.sku = o.sku"
    )

    def early(db: Any, plan_id: int, batch: int, changes: Any, lease: int, now: Any) -> Any:
        left = mark_sending(db, plan_id, batch, changes, lease, now)
        db.execute(moved, {"plan": plan_id, "batch": batch})
        return left

    return [(push, "mark_sending", early)]


def other_approval() -> list[Patch]:
    def any_held(db: Any, plan_id: int, now: Any, who: str, why: str) -> int:
        done = release(db, plan_id, now, who, why)
        others = db.execute(text("SELECT id FROM plan WHERE status = 'held' AND account <> ''")).fetchall()
        return done + sum(release(db, row.id, now, who, why) for row in others)

    return [(approve, "release", any_held)]


def unknown_as_failed() -> list[Patch]:
    whole_batch = settle.Settler.whole_batch

    def deferred(self: Any, keys: Any, error: Any, now: Any) -> Any:
        results = whole_batch(self, keys, error, now)
        return [
            settle.Result(key=r.key, outcome=Result.DEFERRED, problem=r.problem) if r.outcome is Result.UNKNOWN else r
            for r in results
        ]

    return [(settle.Settler, "whole_batch", deferred)]


def forgetful_restore() -> list[Patch]:
    in_order = account.AccountRun._put_in_order

    def carefree(self: Any, db: Any, *, reading_all: bool = False) -> None:
        del reading_all
        in_order(self, db, reading_all=True)

    return [(account.AccountRun, "_put_in_order", carefree)]


def wrong_one_closed() -> list[Patch]:
    extra = Unfinished._extra

    def swapped(self: Any, db: Any, sku: str, remotes: Any) -> Any:
        kept, closing = extra(self, db, sku, remotes)
        return (closing, kept) if closing else (kept, closing)

    return [(Unfinished, "_extra", swapped)]


def no_sweep() -> list[Patch]:
    return [(Unfinished, "sweep", lambda self: (None, []))]


D, C, A, B = ("voso", "D"), ("voso", "C"), ("madeincamau", "A"), ("postmart", "B")
LATE = Focus(market=C, profile="lag-heavy", cold=True, wire=0.25)  # creates that are lost and then seen late
MUTANTS = (
    Mutant(name="match results by position", patches=by_position, focus=Focus(market=B, profile="poison")),
    Mutant(name="blind retry of a create", patches=blind_create, focus=Focus(market=D, profile="heavy")),
    Mutant(name="no guard on mass changes", patches=no_guard),
    Mutant(name="guard forgets earlier runs", patches=short_memory_guard, focus=Focus(rounds=4)),
    Mutant(name="quota only in memory", patches=forgetful_quota, focus=Focus(profile="crash-heavy", permits=12)),
    Mutant(name="look-up without settle time", patches=no_settle_time, focus=LATE),
    Mutant(name="one absent read is believed", patches=one_absent_read, focus=LATE),
    Mutant(name="trusting status 200", patches=trusting_200, focus=Focus(profile="heavy")),
    Mutant(name="no fencing", patches=no_fencing, focus=Focus(profile="pause-heavy")),
    Mutant(name="no takeover wait", patches=no_takeover_wait, focus=Focus(market=C, profile="takeover", cold=True)),
    Mutant(
        name="baseline moved before the acknowledgement",
        patches=early_baseline,
        focus=Focus(market=A, profile="heavy"),
    ),
    Mutant(name="approval releases another plan", patches=other_approval, focus=Focus(rounds=4)),
    Mutant(name="unknown treated as failed", patches=unknown_as_failed, focus=Focus(market=D, profile="heavy")),
    Mutant(name="restored backup writes at once", patches=forgetful_restore, focus=Focus(profile="restore")),
    Mutant(
        name="duplicate sweep closes the wrong one",
        patches=wrong_one_closed,
        focus=Focus(market=C, profile="pause-heavy", unguarded=True),
    ),
    Mutant(name="no duplicate sweep", patches=no_sweep, focus=Focus(market=C, profile="pause-heavy", unguarded=True)),
)


def _hunted(name: str) -> tuple[str, Outcome | None, float]:
    begun = time.monotonic()
    return name, hunt(next(mutant for mutant in MUTANTS if mutant.name == name)), time.monotonic() - begun


def main() -> int:
    """Prints the seed that catches each; one that survives fails the gate."""
    survivors = 0
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for name, outcome, seconds in pool.imap_unordered(_hunted, [mutant.name for mutant in MUTANTS]):
            survivors += outcome is None
            told = f"seed {outcome.seed:3}  {name}: {outcome.violations[0]}" if outcome else f"SURVIVED  {name}"
            print(f"{told} ({seconds:.0f} s)", flush=True)
    return 1 if survivors else 0

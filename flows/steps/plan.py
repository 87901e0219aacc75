"""Due listings -> changes: written to the outbox in the transaction that read the records, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, func, insert, select, true, update

from flows.steps.context import Account
from flows.steps.guard import Watch, price_jump
from flows.steps.project import GONE, Projection, nothing, project, withdrawn
from models.catalogue import Product
from models.change import Change, ChangeStatus, Kind
from models.database import chunks
from models.ledger import BATCH, OPEN_ROW, OUTBOX, PLAN, SAME_LISTING, hold, open_plan, recent_delists
from models.listing import FACETS, Unlistable, facet_hash
from models.records import product_of
from models.tables import ProductRow, Withdrawal, core
from models.text import VIETNAM
from models.timetable import BOUND, STATE

PRODUCT = core(ProductRow)
WITHDRAWAL = core(Withdrawal)
CHUNK = 500
UNDER_WAY = (ChangeStatus.SENDING, ChangeStatus.ACCEPTED, ChangeStatus.UNKNOWN)
PRIORITY = {"stock": 1, "price": 2, "content": 3, "images": 4}  # peers.md: stop selling > stock > price > content

_json = msgspec.json.Encoder(order="deterministic").encode


@dataclass(kw_only=True)
class Planned:
    """What a look at the due listings came to. `plan_id` is None where nothing is to be sent or held."""

    plan_id: int | None = None
    held_id: int | None = None  # the plan of items that wait alone
    looked_at: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    held: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)  # the first changes, for showing


Drafted = tuple[Change, dict[str, Any]]  # what to send, and its outbox row
UNSENT = {"status": ChangeStatus.PLANNED.value, "lease": 0, "turn": 0, "handle": "", "remote_revision": ""}
INSERT = insert(OUTBOX)
SHOWN = 500  # changes kept for showing a plan
FAILED = ("rejected", "deferred", "unknown", "quarantined")


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What an operator asked for, due or not; nothing asked means what is due. `force` ignores the hashes."""

    skus: tuple[str, ...] = ()
    failed: bool = False
    force: bool = False
    due: bool = False  # of the SKUs only those that are due

    def again(self) -> Selection:
        """For a second look in the same run: what the answers made due of what was asked for."""
        return Selection(skus=self.skus, due=True)


DUE = Selection()


class Planner:
    """One look at everything due on one account."""

    def __init__(
        self, db: Connection, account: Account, run_id: str, now: datetime, selection: Selection = DUE
    ) -> None:
        self._db, self._account, self._run_id, self._now, self._selection = db, account, run_id, now, selection
        self._today = now.astimezone(VIETNAM).date()
        self._digest = blake2b(digest_size=16)
        self._jumps: dict[str, tuple[Drafted, dict[str, Any]]] = {}
        self._size = account.connector.limits.batch_size
        self._filling: dict[int, list[Change]] = {}  # by priority
        self._numbers: dict[int, int] = {}  # of the batches being filled
        self._last_number = 0
        self._watch = self._begin_watch()
        self.planned = Planned()

    def plan(self) -> Planned:
        """Writes the changes and says what they are; a guard may hold all or some of them."""
        planned = self.planned
        for rows in self._due():
            self._one_chunk(rows)
        if planned.plan_id is not None:
            for priority in list(self._filling):
                self._close_batch(priority)
            self._hold_jumps()
            self._rest_planned()
            self._judge()
            self._describe()
        return planned

    def _begin_watch(self) -> Watch:
        db, name = self._db, self._account.name
        live = db.execute(
            select(func.count()).select_from(STATE).where(STATE.c.account == name, STATE.c.status == "live")
        ).scalar_one()
        waiting = select(func.count()).select_from(OUTBOX)
        waiting = waiting.where(OUTBOX.c.account == name, OPEN_ROW, OUTBOX.c.status == ChangeStatus.HELD)
        held = db.execute(waiting.where(OUTBOX.c.kind == Kind.DELIST)).scalar_one()
        return Watch(live=live, earlier=held + recent_delists(db, name, self._now - timedelta(hours=24)))

    def _due(self) -> Iterator[list[Row[Any]]]:
        """Due or chosen rows with their product, chunk by chunk; what is under way waits for its answer."""
        query = (
            select(
                STATE.c.id,
                STATE.c.sku,
                STATE.c.status,
                STATE.c.remote_id,
                STATE.c.revision,
                STATE.c.baseline,
                STATE.c.price,
                STATE.c.stock,
                STATE.c.note,
                PRODUCT.c.revision.label("product_revision"),
                PRODUCT.c.snapshot,
                PRODUCT.c.name,
                PRODUCT.c.removed_at,
                PRODUCT.c.removed_by,
                WITHDRAWAL.c.reason.label("withdrawn"),
            )
            .join(PRODUCT, PRODUCT.c.product_id == STATE.c.product_id)
            .outerjoin(WITHDRAWAL, WITHDRAWAL.c.sku == STATE.c.sku)
            .where(STATE.c.account == self._account.name, self._chosen(), ~self._open(UNDER_WAY))
            .order_by(STATE.c.id)
            .limit(CHUNK)
        )
        skus = self._selection.skus
        for some in chunks(skus, BOUND) if skus else [()]:
            after = 0
            chosen = query.where(STATE.c.sku.in_(some)) if some else query
            while rows := self._db.execute(chosen.where(STATE.c.id > after)).fetchall():
                yield list(rows)
                after = rows[-1].id

    def _chosen(self) -> Any:
        if self._selection.failed:
            return STATE.c.outcome.in_(FAILED)
        asked = self._selection
        anyway = (asked.skus or asked.force) and not asked.due
        return true() if anyway else STATE.c.due_at <= self._now

    def _open(self, statuses: tuple[ChangeStatus, ...]) -> Any:
        these = (SAME_LISTING, OPEN_ROW, OUTBOX.c.status.in_(statuses))
        return select(OUTBOX.c.id).where(*these).exists()

    def _one_chunk(self, rows: list[Row[Any]]) -> None:
        drafts, rests, notes = [], [], []
        for row in rows:
            projection = self._project(row, product_of(row.snapshot))
            drafted = self._draft(row, projection)
            if drafted is None:
                rests.append(self._state(row, projection))
                continue
            drafts.append(drafted)
            if row.note or projection.notes or isinstance(projection.listing, Unlistable):
                notes.append(self._state(row, projection))
        self.planned.looked_at += len(rows)
        self._supersede([row.sku for row in rows])
        self._write(drafts)
        self._write_states(rests, due=True)
        self._write_states(notes, due=False)

    def _draft(self, row: Row[Any], projection: Projection) -> Drafted | None:
        """The change one listing needs, if any; the guards see it."""
        listing = projection.listing
        if isinstance(listing, Unlistable):
            return self._delist(row, projection) if row.status == "live" else None
        hashes = {facet: facet_hash(value) for facet, value in listing.facets.items()}
        kind, facets = decide(row.status, row.baseline, hashes, force=self._selection.force)
        if kind is None:
            return None
        drafted = self._change(row, projection, kind, facets, hashes)
        if row.status != "absent":
            self._guard(row, projection, drafted)
        return drafted

    def _delist(self, row: Row[Any], projection: Projection) -> Drafted:
        counted = not row.removed_by and row.withdrawn is None
        if counted:
            self._watch.delete(row.sku, row.name)
        return self._change(row, projection, Kind.DELIST, (), {}, counted=counted)

    def _project(self, row: Row[Any], product: Product) -> Projection:
        account = self._account
        if row.withdrawn is not None:
            return nothing(row.sku, (withdrawn(row.sku, row.withdrawn),))
        if row.removed_at:
            return nothing(row.sku, (GONE,))
        return project(product, row.sku, account.policy, account.connector.project, self._today)

    def _guard(self, row: Row[Any], projection: Projection, drafted: Drafted) -> None:
        self._watch.stock(row.sku, row.name, row.stock, projection.stock)
        if not self._watch.price(row.sku, row.name, row.price, projection.price):
            self._jumps[row.sku] = (drafted, price_jump(row.sku, row.name, row.price, drafted[1]["price"]))

    def _change(
        self,
        row: Row[Any],
        projection: Projection,
        kind: Kind,
        facets: tuple[str, ...],
        hashes: dict[str, str],
        *,
        counted: bool = True,
    ) -> Drafted:
        listing = projection.listing
        change = Change(
            key=row.sku,
            kind=kind,
            facets=facets,
            listing={} if isinstance(listing, Unlistable) else listing.facets,
            token=self._token(row, kind),
            remote_id=row.remote_id,
            revision=row.revision,
        )
        intent = {
            "sku": row.sku,
            "kind": kind.value,
            "facets": ",".join(facets),
            "hashes": hashes,
            "product_revision": row.product_revision,
            "price": projection.price,
            "stock": projection.stock,
            "calendar": midnight(projection.calendar),
            "counted": counted,
            "remote_id": row.remote_id,
        }
        self._digest.update(_json((row.sku, kind, hashes)))
        return change, intent

    def _token(self, row: Row[Any], kind: Kind) -> str:
        """Unique to this intent, the same however often it is sent."""
        parts = f"{self._account.name}\0{row.sku}\0{kind}\0{row.product_revision}\0{self._run_id}"
        return blake2b(parts.encode(), digest_size=16).hexdigest()

    def _state(self, row: Row[Any], projection: Projection) -> dict[str, Any]:
        """What the listing's state says while it rests."""
        listing = projection.listing
        unlistable = isinstance(listing, Unlistable)
        problems = listing.problems if isinstance(listing, Unlistable) else projection.notes
        calendar = midnight(projection.calendar)
        return {
            "row_id": row.id,
            "outcome": "unlistable" if unlistable else "listed",
            "problems": [msgspec.to_builtins(p) for p in problems],
            "note": problems[0].code if problems else "",
            "due_at": calendar,
            "due_reason": "calendar" if calendar else None,
            "updated_at": self._now,
        }

    def _supersede(self, skus: list[str]) -> None:
        """A change that still waited gives way to this newer one."""
        waiting = (ChangeStatus.HELD, ChangeStatus.PLANNED)
        for some in chunks(skus, BOUND):
            mine = (OUTBOX.c.account == self._account.name, OUTBOX.c.sku.in_(some))
            these = (*mine, OPEN_ROW, OUTBOX.c.status.in_(waiting))
            self._db.execute(update(OUTBOX).where(*these).values(status=ChangeStatus.SUPERSEDED, done_at=self._now))

    def _write(self, drafts: list[Drafted]) -> None:
        if not drafts:
            return
        planned = self.planned
        if planned.plan_id is None:
            planned.plan_id = open_plan(self._db, self._account.name, self._run_id, self._now)
        waiting = [drafted for drafted in drafts if drafted[0].key not in self._jumps]
        self._insert(planned.plan_id, [intent | {"batch": self._into_batch(c)} for c, intent in waiting])
        planned.changes += len(drafts)
        for change, intent in drafts:
            planned.kinds[change.kind] = planned.kinds.get(change.kind, 0) + 1
            if len(planned.examples) < SHOWN:
                planned.examples.append({k: intent[k] for k in ("sku", "kind", "facets", "price", "stock")})

    def _insert(self, plan_id: int, intents: list[dict[str, Any]]) -> None:
        if intents:
            same = {"plan_id": plan_id, "account": self._account.name, **UNSENT}
            self._db.execute(INSERT, [intent | same for intent in intents])

    def _into_batch(self, change: Change) -> int:
        """The number of the batch this change is sent in; batches hold changes of one priority."""
        priority = 0 if change.kind is Kind.DELIST else min((PRIORITY[f] for f in change.facets), default=5)
        filling = self._filling.setdefault(priority, [])
        if not filling:
            self._last_number += 1
            self._numbers[priority] = self._last_number
        filling.append(change)
        number = self._numbers[priority]
        if len(filling) == self._size:
            self._close_batch(priority)
        return number

    def _close_batch(self, priority: int) -> None:
        changes = self._filling.pop(priority)
        row = {"plan_id": self.planned.plan_id, "number": self._numbers[priority], "priority": priority}
        self._db.execute(insert(BATCH), {**row, "changes": _json(changes)})

    def _write_states(self, states: list[dict[str, Any]], *, due: bool) -> None:
        if not states:
            return
        names = ["problems", "note"] + (["outcome", "due_at", "due_reason", "updated_at"] if due else [])
        statement = update(STATE).where(STATE.c.id == bindparam("row_id"))
        statement = statement.values({name: bindparam(f"new_{name}", type_=STATE.c[name].type) for name in names})
        rows = [{"row_id": s["row_id"], **{f"new_{name}": s[name] for name in names}} for s in states]
        self._db.execute(statement, rows)

    def _hold_jumps(self) -> None:
        """Items whose own price jumped go into a plan of their own, which waits for a person."""
        if not self._jumps:
            return
        planned = self.planned
        planned.held_id = open_plan(self._db, self._account.name, self._run_id, self._now)
        drafts = [drafted for drafted, _ in self._jumps.values()]
        self._insert(planned.held_id, [intent | {"batch": n} for n, (_, intent) in enumerate(drafts, 1)])
        rows = [
            {"plan_id": planned.held_id, "number": n, "priority": PRIORITY["price"], "changes": _json([change])}
            for n, (change, _) in enumerate(drafts, 1)
        ]
        self._db.execute(insert(BATCH), rows)

    def _rest_planned(self) -> None:
        """What is planned is no longer due: whatever makes it due again from here on came later."""
        mine = select(OUTBOX.c.sku).where(OUTBOX.c.plan_id.in_(self._plan_ids()))
        where = (STATE.c.account == self._account.name, STATE.c.sku.in_(mine))
        self._db.execute(update(STATE).where(*where).values(due_at=None, due_reason=None))

    def _judge(self) -> None:
        """Holds what must wait: the items whose own price jumped, or everything."""
        planned, verdict = self.planned, self._watch.verdict()
        jumps = [reason for _, reason in self._jumps.values()]
        if planned.held_id is not None:
            hold(self._db, planned.held_id, self._now, jumps)
        if verdict and planned.plan_id is not None:
            hold(self._db, planned.plan_id, self._now, verdict)
        planned.held = planned.changes if verdict else len(jumps)
        planned.reasons = [*verdict, *jumps]

    def _plan_ids(self) -> list[int]:
        return [plan_id for plan_id in (self.planned.plan_id, self.planned.held_id) if plan_id is not None]

    def _describe(self) -> None:
        counts = {"looked_at": self.planned.looked_at, **self.planned.kinds, "held": self.planned.held}
        for plan_id in self._plan_ids():
            values = {"digest": self._digest.hexdigest(), "counts": counts}
            self._db.execute(update(PLAN).where(PLAN.c.id == plan_id).values(**values))


@lru_cache(maxsize=4096)  # the same few days, asked for by every listing
def midnight(day: date | None) -> datetime | None:
    """The first moment of a day in Cà Mau."""
    return datetime.combine(day, clock_time(), VIETNAM).astimezone(UTC) if day else None


def decide(
    status: str, baseline: dict[str, str], hashes: dict[str, str], *, force: bool
) -> tuple[Kind | None, tuple[str, ...]]:
    """The change that makes what the marketplace acknowledged equal to what it should show, and the facets of it."""
    if status == "absent":
        return Kind.CREATE, FACETS
    changed = tuple(f for f in FACETS if force or hashes[f] != baseline.get(f))
    if status == "hidden":
        return Kind.RELIST, changed
    return (Kind.UPDATE, changed) if changed else (None, ())

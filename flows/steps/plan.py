"""Due listings -> changes: written to the outbox in the transaction that read the records, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, true, update

from flows.steps.context import Account
from flows.steps.guard import WINDOW_HOURS, Watch, price_jump
from flows.steps.project import GONE, Projection, deleted_there, nothing, project, withdrawn
from flows.steps.verdict import in_doubt
from models.change import Change, ChangeStatus, Kind
from models.database import chunks
from models.ledger import (
    BATCH,
    OPEN_ROW,
    OUTBOX,
    PLAN,
    SAME_LISTING,
    hold,
    open_plan,
    recent_moves,
    waiting_moves,
)
from models.listing import FACETS, Unlistable, facet_hash
from models.records import product_of
from models.tables import ProductRow, Withdrawal, core
from models.text import VIETNAM
from models.timetable import ASKED_FOR, BOUND, STATE

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
INSERT, INSERT_BATCH = insert(OUTBOX), insert(BATCH)
SHOWN = 500  # changes kept for showing a plan
FEW = 8  # a listing that went without an answer travels with an eighth of a batch, and after a second time alone
ALONE = 2
BEHIND = 1_000_000  # added to the number of such a batch: sent after the others of its priority
NOTED = ("problems", "note")
RESTING = (*NOTED, "outcome", "due_at", "due_reason", "updated_at")
DOUBTFUL = (*RESTING, "doubt")
FAILED = ("rejected", "deferred", "unknown", "quarantined")


CAUSES = {
    "due": STATE.c.due_at <= bindparam("now"),
    "failed": STATE.c.outcome.in_(FAILED),
    "asked": true(),
}


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
        self._asked = bool(selection.skus) and not selection.due  # a person names these SKUs
        self._jumps: dict[str, tuple[Drafted, dict[str, Any]]] = {}
        self._doubts: dict[str, int | None] = {}  # SKU -> the change that left the doubt
        self._size = account.connector.limits.batch_size
        self._apart: dict[str, int] = {}  # SKU -> how many it may travel with, where that is fewer
        self._filling: dict[tuple[int, int], list[Change]] = {}  # by priority and size
        self._numbers: dict[tuple[int, int], int] = {}  # of the batches being filled
        self._last_number = 0
        self.planned = Planned()

    def plan(self) -> Planned:
        """Writes the changes and says what they are; a guard may hold all or some of them."""
        planned = self.planned
        for rows in self._due():
            self._one_chunk(rows)
        if planned.looked_at:
            self._close_replaced()
        if planned.plan_id is not None:
            for place in list(self._filling):
                self._close_batch(place)
            self._hold_jumps()
            self._rest_planned()
            self._judge()
            self._describe()
        return planned

    @cached_property
    def _watch(self) -> Watch:
        """Begun with the first listing that is due: a night without one looks at nothing more."""
        db, name = self._db, self._account.name
        live = db.execute(
            select(func.count()).select_from(STATE).where(STATE.c.account == name, STATE.c.status == "live")
        ).scalar_one()
        sent = recent_moves(db, name, self._now - timedelta(hours=WINDOW_HOURS))
        return Watch(live=live, sent=sent, waiting=self._waiting)

    @cached_property
    def _waiting(self) -> list[Row[Any]]:
        return waiting_moves(self._db, self._account.name)

    @cached_property
    def _repeats(self) -> set[str]:
        """SKUs of which a doubtful create waits to be repeated."""
        return {move.sku for move in self._waiting if move.follows}

    def _due(self) -> Iterator[list[Row[Any]]]:
        """Due or chosen rows with their product, chunk by chunk; what is under way waits for its answer."""
        skus = self._selection.skus
        query = _chosen(self._cause(), named=bool(skus), asked=self._asked)
        asked = {"of": self._account.name, "now": self._now}
        for some in chunks(skus, BOUND) if skus else [()]:
            after = 0
            while rows := self._db.execute(query, asked | {"after": after, "skus": list(some)}).fetchall():
                yield list(rows)
                after = rows[-1].id

    def _cause(self) -> str:
        asked = self._selection
        if asked.failed:
            return "failed"
        return "asked" if (asked.skus or asked.force) and not asked.due else "due"

    def _one_chunk(self, rows: list[Row[Any]]) -> None:
        drafts, rests, notes, doubtful = [], [], [], []
        self._doubts = self._doubted(rows)
        for row in rows:
            projection = projected(self._account, row, self._today)
            drafted = self._draft(row, projection)
            if row.sku in self._doubts and drafted is None:
                doubtful.append(self._doubtful(row, projection))
            elif drafted is None:
                rests.append(self._state(row, projection))
            else:
                drafts.append(drafted)
                if row.note or projection.notes or isinstance(projection.listing, Unlistable):
                    notes.append(self._state(row, projection))
        self.planned.looked_at += len(rows)
        self._supersede([row.sku for row in rows])
        self._write(drafts)
        self._write_states(rests, RESTING)
        self._write_states(notes, NOTED)
        self._write_states(doubtful, DOUBTFUL)
        self._let_repeat([change.key for change, _ in drafts if change.key in self._doubts])

    def _doubted(self, rows: list[Row[Any]]) -> dict[str, int | None]:
        """Of these the SKUs whose create may have been taken, and the change that came to nothing clear."""
        skus = [row.sku for row in rows if row.status == "absent" and (row.doubt or row.sku in self._repeats)]
        if not skus:
            return {}
        mine = (OUTBOX.c.account == self._account.name, OUTBOX.c.sku.in_(skus), OUTBOX.c.kind == Kind.CREATE)
        ended = select(OUTBOX.c.sku, func.max(OUTBOX.c.id).label("id")).group_by(OUTBOX.c.sku)
        found = self._db.execute(ended.where(*mine, OUTBOX.c.status == ChangeStatus.QUARANTINED))
        return dict.fromkeys(skus) | {row.sku: row.id for row in found}

    def _let_repeat(self, skus: list[str]) -> None:
        """A person has looked there and asks for these creates once more."""
        if skus:
            where = (STATE.c.account == self._account.name, STATE.c.sku.in_(skus))
            self._db.execute(update(STATE).where(*where).values(doubt=False))

    def _draft(self, row: Row[Any], projection: Projection) -> Drafted | None:
        """The change one listing needs, if any; the guards see it."""
        listing = projection.listing
        if isinstance(listing, Unlistable):
            return self._delist(row, projection) if row.status == "live" else None
        hashes = {facet: facet_hash(value) for facet, value in listing.facets.items()}
        kind, facets = decide(row.status, row.baseline, hashes, force=self._selection.force)
        if kind is None or (row.sku in self._doubts and not self._asked):
            return None
        drafted = self._change(row, projection, kind, facets, hashes)
        if row.status != "absent" or row.price is not None:
            self._guard(row, projection, drafted)
        return drafted

    def _delist(self, row: Row[Any], projection: Projection) -> Drafted:
        counted = not row.removed_by and row.withdrawn is None
        if counted:
            self._watch.delete(row.sku, row.name)
        return self._change(row, projection, Kind.DELIST, (), {}, counted=counted)

    def _guard(self, row: Row[Any], projection: Projection, drafted: Drafted) -> None:
        """What was shown once is compared with what it cost then, even where it has to be made again."""
        watch, new = self._watch, projection.price
        if row.status != "absent":
            watch.stock(row.sku, row.name, row.stock, projection.stock)
        if row.status != "live":
            watch.returns(row.sku)
        was = watch.price(row.sku, row.name, row.price, new)
        if was is not None and new is not None:
            self._jumps[row.sku] = (drafted, price_jump(row.sku, row.name, was, new))

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
            "old_price": row.price,
            "old_stock": row.stock,
            "calendar": midnight(projection.calendar),
            "counted": counted,
            "remote_id": row.remote_id,
            "follows": self._doubts.get(row.sku),
        }
        if row.attempts and row.outcome == "unknown":
            self._apart[row.sku] = 1 if row.attempts >= ALONE else max(1, self._size // FEW)
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

    def _doubtful(self, row: Row[Any], projection: Projection) -> dict[str, Any]:
        """The doubt outlasts every look; why the item must not be shown is told beside it."""
        state = self._state(row, projection)
        unlistable = state["problems"] if state["outcome"] == "unlistable" else []
        problems = [msgspec.to_builtins(in_doubt()), *unlistable]
        return state | {"outcome": "quarantined", "problems": problems, "note": "", "doubt": True}

    def _supersede(self, skus: list[str]) -> None:
        """A change that still waited gives way to this newer one."""
        self._watch.give_way(skus)
        waiting = (ChangeStatus.HELD, ChangeStatus.PLANNED)
        for some in chunks(skus, BOUND):
            mine = (OUTBOX.c.account == self._account.name, OUTBOX.c.sku.in_(some))
            these = (*mine, OPEN_ROW, OUTBOX.c.status.in_(waiting))
            self._db.execute(update(OUTBOX).where(*these).values(status=ChangeStatus.SUPERSEDED, done_at=self._now))

    def _close_replaced(self) -> None:
        """A held plan of which newer ones have taken everything over waits no more."""
        if not any(move.status == ChangeStatus.HELD for move in self._waiting):
            return
        still = select(OUTBOX.c.id).where(OUTBOX.c.plan_id == PLAN.c.id, OUTBOX.c.status == ChangeStatus.HELD)
        empty = (PLAN.c.account == self._account.name, PLAN.c.status == "held", ~still.exists())
        self._db.execute(update(PLAN).where(*empty).values(status="superseded", decided_at=self._now))

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
        place = (priority, self._apart.get(change.key, self._size))
        filling = self._filling.setdefault(place, [])
        if not filling:
            self._last_number += 1
            self._numbers[place] = self._last_number + (BEHIND if place[1] < self._size else 0)
        filling.append(change)
        number = self._numbers[place]
        if len(filling) == place[1]:
            self._close_batch(place)
        return number

    def _close_batch(self, place: tuple[int, int]) -> None:
        plan_id = self.planned.plan_id
        assert plan_id is not None  # noqa: S101  # a batch is filled only for a plan
        self._insert_batch(plan_id, self._numbers[place], place[0], self._filling.pop(place))

    def _insert_batch(self, plan_id: int, number: int, priority: int, changes: list[Change]) -> None:
        row = {"plan_id": plan_id, "number": number, "priority": priority}
        self._db.execute(INSERT_BATCH, {**row, "changes": _json(changes)})

    def _write_states(self, states: list[dict[str, Any]], names: tuple[str, ...]) -> None:
        if not states:
            return
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
        for number, (change, _) in enumerate(drafts, 1):
            self._insert_batch(planned.held_id, number, PRIORITY["price"], [change])

    def _rest_planned(self) -> None:
        """What is planned is no longer due: whatever makes it due again from here on came later."""
        mine = select(OUTBOX.c.sku).where(OUTBOX.c.plan_id.in_(self._plan_ids()))
        where = (STATE.c.account == self._account.name, STATE.c.sku.in_(mine))
        self._db.execute(update(STATE).where(*where).values(due_at=None, due_reason=None))

    def _judge(self) -> None:
        """Holds what must wait: the items whose own price jumped, or everything."""
        planned, verdict = self.planned, self._watch.verdict()
        jumps = [reason for _, reason in self._jumps.values()]
        self._hold(planned.held_id, jumps)
        self._hold(planned.plan_id, verdict)
        planned.held = planned.changes if verdict else len(jumps)
        planned.reasons = [*verdict, *jumps]

    def _hold(self, plan_id: int | None, reasons: list[dict[str, Any]]) -> None:
        """Under a seal: a person approves exactly what lies there now."""
        if plan_id is not None and reasons:
            hold(self._db, plan_id, self._now, reasons)
            self._db.execute(update(PLAN).where(PLAN.c.id == plan_id).values(digest=seal(self._db, plan_id)))

    def _plan_ids(self) -> list[int]:
        return [plan_id for plan_id in (self.planned.plan_id, self.planned.held_id) if plan_id is not None]

    def _describe(self) -> None:
        alone = Counter(change.kind.value for (change, _), _ in self._jumps.values())
        rest = Counter(self.planned.kinds) - alone
        for plan_id, kinds in ((self.planned.plan_id, rest), (self.planned.held_id, alone)):
            if plan_id is not None:
                counts = {"looked_at": self.planned.looked_at, **kinds, "held": self.planned.held}
                self._db.execute(update(PLAN).where(PLAN.c.id == plan_id).values(counts=counts))


@cache
def _chosen(cause: str, *, named: bool, asked: bool) -> Select[Any]:
    """Listings with that cause and their products; what is under way waits for its answer.

    What was deleted there by hand is made again where a person asks for it by name; planning alone changes nothing.
    """
    under_way = select(OUTBOX.c.id).where(SAME_LISTING, OPEN_ROW, OUTBOX.c.status.in_(UNDER_WAY))
    status = ASKED_FOR.label("status") if asked else STATE.c.status
    of_state = ("id", "sku", "remote_id", "revision", "baseline", "price", "stock")
    query = (
        select(
            status,
            *(STATE.c[name] for name in (*of_state, "note", "outcome", "attempts", "doubt")),
            PRODUCT.c.revision.label("product_revision"),
            *(PRODUCT.c[name] for name in ("snapshot", "name", "removed_at", "removed_by")),
            WITHDRAWAL.c.reason.label("withdrawn"),
        )
        .join(PRODUCT, PRODUCT.c.product_id == STATE.c.product_id)
        .outerjoin(WITHDRAWAL, WITHDRAWAL.c.sku == STATE.c.sku)
        .where(STATE.c.account == bindparam("of"), STATE.c.id > bindparam("after"), CAUSES[cause], ~under_way.exists())
        .order_by(STATE.c.id)
        .limit(CHUNK)
    )
    return query.where(STATE.c.sku.in_(bindparam("skus", expanding=True))) if named else query


def seal(db: Connection, plan_id: int) -> str:
    """The fingerprint of a plan: of what a person is shown of it, and of the very bytes that are to be sent."""
    digest = blake2b(digest_size=16)
    for row in db.execute(select(OUTBOX).where(OUTBOX.c.plan_id == plan_id).order_by(OUTBOX.c.id)):
        price = None if row.price is None else f"{row.price:.4f}"
        shown = (row.sku, row.kind, row.facets, row.hashes, price, row.stock, row.remote_id)
        digest.update(_json(shown))
    for row in db.execute(select(BATCH).where(BATCH.c.plan_id == plan_id).order_by(BATCH.c.id)):
        digest.update(_json((row.number, row.priority)) + row.changes)
    return digest.hexdigest()


def projected(account: Account, row: Row[Any], today: date, *, again: bool = False) -> Projection:
    """What the account should show of one SKU today; `again` also counts what was deleted there by hand."""
    if row.withdrawn is not None:
        return nothing(row.sku, (withdrawn(row.sku, row.withdrawn),))
    if row.removed_at:
        return nothing(row.sku, (GONE,))
    if row.status == "gone" and not again:
        return nothing(row.sku, (deleted_there(row.sku, account.name),))
    return project(product_of(row.snapshot), row.sku, account.policy, account.connector.project, today)


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

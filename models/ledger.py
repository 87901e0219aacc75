"""The outbox and the ledger: intents before effects, outcomes after, in the transaction that moves the state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    TextClause,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from models.change import Change, ChangeStatus, Kind
from models.database import chunks
from models.tables import IS_OPEN, Batch, Instant, Ledger, Outbox, PlanRow, Withdrawal, core
from models.timetable import ACCOUNT, BOUND, PRODUCT, STATE

BATCH = core(Batch)
OUTBOX = core(Outbox)
LEDGER = core(Ledger)
PLAN = core(PlanRow)
WITHDRAWAL = core(Withdrawal)
SAME_LISTING = and_(STATE.c.account == OUTBOX.c.account, STATE.c.sku == OUTBOX.c.sku)
OPEN_ROW: ColumnElement[bool] = literal_column(
    f"({IS_OPEN})"
)  # spelt as the partial index spells it, so that it is used
MOVED = [
    OUTBOX.c[name] for name in ("id", "sku", "kind", "counted", "status", "old_price", "price", "old_stock", "stock")
]  # what a guard wants to know of a change
APPROVAL_HOURS = 24
RESTORED, READ_BACK = "restored", "read-back"  # events: all, or one account, may have forgotten sends; no more so
INTERRUPTED, OVERTAKEN = "interrupted", "overtaken"  # events: the sender of a change is dead, or may only be frozen
MINE = OUTBOX.c.account == bindparam("of")
NO_CREATE: ColumnElement[bool] = literal_column(f"kind <> '{Kind.CREATE.value}'")  # as its index spells it
THERE = (ChangeStatus.ACKNOWLEDGED, ChangeStatus.ACCEPTED, ChangeStatus.UNKNOWN, ChangeStatus.SENDING)
RECENT = (
    select(*MOVED, STATE.c.status.label("shown"))
    .outerjoin(STATE, SAME_LISTING)
    .where(MINE, OUTBOX.c.sent_at >= bindparam("since"), NO_CREATE, OUTBOX.c.status.in_(THERE))
)
WAITING = select(*MOVED, literal_column("NULL").label("shown"), OUTBOX.c.follows).where(
    MINE, OPEN_ROW, OUTBOX.c.status.in_((ChangeStatus.HELD, ChangeStatus.PLANNED))
)
CREATED = (INTERRUPTED, "looked-up-absent", "acknowledged")
NOT_SWEPT = LEDGER.c.id > select(ACCOUNT.c.swept_to).where(ACCOUNT.c.name == bindparam("of")).scalar_subquery()
DOUBTFUL = (
    select(LEDGER.c.sku, func.max(LEDGER.c.id).label("latest"))
    .join(OUTBOX, OUTBOX.c.id == LEDGER.c.change_id)
    .where(LEDGER.c.account == bindparam("of"), LEDGER.c.at >= bindparam("since"), OUTBOX.c.kind == Kind.CREATE)
    .where(or_(NOT_SWEPT & LEDGER.c.event.in_(CREATED), LEDGER.c.event == OVERTAKEN))
    .group_by(LEDGER.c.sku)
    .order_by(LEDGER.c.sku)
)


def _hot(sql: str, **types: Any) -> TextClause:
    """A statement of the push loop: written out, because composing one costs more than running it."""
    return text(sql).bindparams(*(bindparam(name, type_=kind) for name, kind in types.items()))


SEND = _hot(
    "UPDATE outbox SET status = 'sending', lease = :lease, sent_at = :now"
    " WHERE plan_id = :plan AND batch = :batch AND status = 'planned'",
    now=Instant(),
    lease=BigInteger(),
)
ACCEPT = _hot(
    "UPDATE outbox SET status = 'accepted', handle = :handle, settle_at = :settle"
    " WHERE plan_id = :plan AND batch = :batch AND status = 'sending'",
    settle=Instant(),
)
END = _hot(
    "UPDATE outbox SET status = :status, remote_id = :remote_id, remote_revision = :revision, handle = :handle,"
    " problem = :problem, done_at = :done, turn = :turn, settle_at = :settle"
    f" WHERE account = :account AND sku = :sku AND {IS_OPEN}",
    done=Instant(),
    settle=Instant(),
    problem=JSON(none_as_null=True),
    turn=BigInteger(),
)
# A cause that came up while the change was under way keeps the listing due; only waiting for this answer ends here.
MOVE = _hot(
    "UPDATE listing_state SET"
    " status = CASE WHEN o.kind = 'delist' THEN 'hidden' ELSE 'live' END,"
    " outcome = CASE WHEN o.kind = 'delist' THEN 'unlistable' ELSE 'listed' END,"
    " baseline = CASE WHEN o.kind = 'delist' THEN listing_state.baseline ELSE o.hashes END,"
    " price = CASE WHEN o.kind = 'delist' THEN listing_state.price ELSE o.price END,"
    " stock = CASE WHEN o.kind = 'delist' THEN listing_state.stock ELSE o.stock END,"
    " remote_id = CASE WHEN o.remote_id = '' THEN listing_state.remote_id ELSE o.remote_id END,"
    " revision = CASE WHEN o.remote_revision = '' THEN listing_state.revision ELSE o.remote_revision END,"
    " due_reason = CASE WHEN listing_state.due_at IS NULL OR listing_state.due_reason = 'retry'"
    " THEN CASE WHEN o.calendar IS NULL THEN NULL ELSE 'calendar' END ELSE listing_state.due_reason END,"
    " due_at = CASE WHEN listing_state.due_at IS NULL OR listing_state.due_reason = 'retry'"
    " THEN o.calendar ELSE listing_state.due_at END,"
    " attempts = 0, doubt = FALSE, updated_at = :now"
    " FROM outbox AS o WHERE o.plan_id = :plan AND o.batch = :batch AND o.turn = :turn AND o.status = 'acknowledged'"
    " AND o.kind <> 'close' AND listing_state.account = o.account AND listing_state.sku = o.sku",
    now=Instant(),
    turn=BigInteger(),
)
# A rejected listing rests, but not beyond the day on which what it shows must be judged again.
REST = _hot(
    "UPDATE listing_state SET due_at = o.calendar,"
    " due_reason = CASE WHEN o.calendar IS NULL THEN NULL ELSE 'calendar' END FROM outbox AS o"
    " WHERE o.plan_id = :plan AND o.batch = :batch AND o.turn = :turn AND o.status = 'rejected'"
    " AND (listing_state.due_at IS NULL OR listing_state.due_reason = 'retry')"
    " AND listing_state.account = o.account AND listing_state.sku = o.sku",
    turn=BigInteger(),
)
NOTE = _hot(
    "INSERT INTO ledger (at, run_id, account, sku, event, change_id, detail)"
    " SELECT :now, :run, account, sku, status, id, problem FROM outbox"
    " WHERE plan_id = :plan AND batch = :batch AND turn = :turn",
    now=Instant(),
    turn=BigInteger(),
)


def record(
    db: Connection, now: datetime, run_id: str, account: str, event: str, rows: Iterable[tuple[str, int | None, Any]]
) -> None:
    """Adds one ledger line per (SKU, change id, detail)."""
    lines = [
        {"at": now, "run_id": run_id, "account": account, "sku": sku, "event": event, "change_id": change, "detail": d}
        for sku, change, d in rows
    ]
    if lines:
        db.execute(insert(LEDGER), lines)


def open_plan(db: Connection, account: str, run_id: str, now: datetime, status: str = "ready") -> int:
    row = {"account": account, "run_id": run_id, "status": status, "digest": "", "created_at": now}
    made = db.execute(insert(PLAN).values(**row, counts={}, reasons=[], detail={}, decided_by="", decision=""))
    return int(made.inserted_primary_key[0])  # type: ignore[index]  # a single insert has one


def close_plan(db: Connection, plan_id: int, now: datetime, status: str, who: str = "", why: str = "") -> None:
    decided = {"decided_at": now, "decided_by": who, "decision": why} if who else {}
    db.execute(update(PLAN).where(PLAN.c.id == plan_id).values(status=status, **decided))


def hold(db: Connection, plan_id: int, now: datetime, reasons: list[dict[str, Any]]) -> None:
    """Keeps what a plan still has to send from being sent until a person approves."""
    values = {"status": "held", "reasons": reasons, "expires_at": now + timedelta(hours=APPROVAL_HOURS)}
    db.execute(update(PLAN).where(PLAN.c.id == plan_id).values(**values))
    db.execute(_move(OUTBOX.c.plan_id == plan_id, ChangeStatus.PLANNED, ChangeStatus.HELD))
    held = select(OUTBOX.c.sku).where(OUTBOX.c.plan_id == plan_id, OUTBOX.c.status == ChangeStatus.HELD)
    account = select(PLAN.c.account).where(PLAN.c.id == plan_id).scalar_subquery()
    db.execute(update(STATE).where(STATE.c.account == account, STATE.c.sku.in_(held)).values(outcome="held"))


def release(db: Connection, plan_id: int, now: datetime, who: str, why: str) -> int:
    """Approves a held plan: its rows may be sent."""
    close_plan(db, plan_id, now, "approved", who, why)
    these = OUTBOX.c.plan_id == plan_id
    return db.execute(_move(these, ChangeStatus.HELD, ChangeStatus.PLANNED, counted=False)).rowcount


def drop(
    db: Connection, where: Any, from_: ChangeStatus, to: ChangeStatus, now: datetime, *, due: datetime | None
) -> None:
    """Ends rows without an effect. Their listings are looked at again at `due`, else on their calendar day."""
    picked = select(OUTBOX.c.account, OUTBOX.c.sku, OUTBOX.c.kind, OUTBOX.c.calendar, OUTBOX.c.follows)
    rows = db.execute(picked.where(OPEN_ROW, OUTBOX.c.status == from_, where)).fetchall()
    if not rows:
        return
    db.execute(_move(where, from_, to, done_at=now))
    if due is None:
        _leave(db, rows)
    for some in chunks(rows if due else [], BOUND):
        these = STATE.c.sku.in_([row.sku for row in some]) & STATE.c.account.in_({row.account for row in some})
        db.execute(update(STATE).where(these).values(due_at=due, due_reason="changed"))
    if from_ in (ChangeStatus.PLANNED, ChangeStatus.HELD):
        _doubt_again(db, [row for row in rows if row.follows])
    _sweep_again(db, {row.account for row in rows if row.kind == Kind.CLOSE})


def _doubt_again(db: Connection, rows: Sequence[Row[Any]]) -> None:
    """A doubtful create that a person let repeat was not sent after all: the doubt is as it was."""
    for row in rows:
        where = (STATE.c.account == row.account, STATE.c.sku == row.sku)
        db.execute(update(STATE).where(*where).values(doubt=True, outcome="quarantined"))


def _sweep_again(db: Connection, accounts: set[str]) -> None:
    """A second listing that was to be closed is still there: the next sweep has to find it once more."""
    if accounts:
        db.execute(update(ACCOUNT).where(ACCOUNT.c.name.in_(accounts)).values(swept_to=0))


def _leave(db: Connection, rows: Sequence[Any]) -> None:
    """Listings that stay as they are; a cause that came up while their change waited still counts."""
    mine = (STATE.c.account == bindparam("of"), STATE.c.sku == bindparam("key"))
    names = [{"of": row.account, "key": row.sku} for row in rows]
    stays = case((STATE.c.status == "live", "listed"), else_="")
    db.execute(update(STATE).where(*mine, STATE.c.outcome == "held").values(outcome=stays), names)
    days = [{"of": row.account, "key": row.sku, "day": row.calendar} for row in rows if row.calendar]
    if days:
        day = bindparam("day", type_=STATE.c.due_at.type)
        rests = update(STATE).where(*mine, STATE.c.due_at.is_(None))
        db.execute(rests.values(due_at=day, due_reason="calendar"), days)


def mark_sending(
    db: Connection, plan_id: int, batch: int, changes: list[Change], lease: int, now: datetime
) -> list[Change]:
    """Committed before the first byte leaves. Gives the changes that are still to be sent."""
    marked = db.execute(SEND, {"plan": plan_id, "batch": batch, "lease": lease, "now": now}).rowcount
    if marked == len(changes):
        return changes
    left = select(OUTBOX.c.sku).where(OUTBOX.c.plan_id == plan_id, OUTBOX.c.batch == batch)
    skus = {row.sku for row in db.execute(left.where(OUTBOX.c.status == ChangeStatus.SENDING))}
    return [change for change in changes if change.key in skus]


def end(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Moves open rows to what they came to; see END for the names."""
    db.execute(END, list(rows))


def doubtful_creates(db: Connection, account: str, since: datetime) -> dict[str, int]:
    """SKUs that may be there twice, because the network may deliver their create again or late, each with its entry.

    One whose sender may only be frozen counts for as long as that one may wake up, every other until a sweep saw it:
    the run that sent it may not have come to that.
    """
    return {row.sku: row.latest for row in db.execute(DOUBTFUL, {"of": account, "since": since})}


def forgetful(db: Connection, account: str) -> bool:
    """Whether sends of this account may have been forgotten since it was last read back whole.

    The ledger knows it also of an account that was removed meanwhile, or that the backup did not hold yet.
    """
    latest = select(LEDGER.c.id).order_by(LEDGER.c.id.desc()).limit(1)
    read_back = latest.where(LEDGER.c.account == account, LEDGER.c.event == READ_BACK)
    since = db.execute(read_back).scalar() or 0
    restored = (LEDGER.c.account.in_(("", account)), LEDGER.c.event == RESTORED, LEDGER.c.id > since)
    return db.execute(latest.where(*restored)).scalar() is not None


def made_by_us(db: Connection, account: str, sku: str) -> set[str]:
    """Ids of the listings of this SKU that a create of ours was answered with."""
    mine = (OUTBOX.c.account == account, OUTBOX.c.sku == sku, OUTBOX.c.kind == Kind.CREATE, OUTBOX.c.remote_id != "")
    return set(db.scalars(select(OUTBOX.c.remote_id).where(*mine)))


def open_rows(account: str, status: ChangeStatus) -> Select[Any]:
    return select(OUTBOX).where(OUTBOX.c.account == account, OPEN_ROW, OUTBOX.c.status == status).order_by(OUTBOX.c.id)


def withdrawn() -> ColumnElement[bool]:
    """Rows that would show an item which a person took down everywhere."""
    return _shows() & OUTBOX.c.sku.in_(select(WITHDRAWAL.c.sku))


def outdated(now: datetime) -> ColumnElement[bool]:
    """Rows to be judged again before they are sent: other data since, a new day, or nothing to show any more."""
    other = PRODUCT.c.revision != OUTBOX.c.product_revision
    removed = _shows() & PRODUCT.c.removed_at.is_not(None)
    joined = STATE.join(PRODUCT, PRODUCT.c.product_id == STATE.c.product_id)
    changed = select(PRODUCT.c.product_id).select_from(joined).where(SAME_LISTING, or_(other, removed)).exists()
    return or_(changed, OUTBOX.c.calendar <= now, withdrawn())


def _shows() -> ColumnElement[bool]:
    return OUTBOX.c.kind.not_in((Kind.DELIST, Kind.CLOSE))


def recent_moves(db: Connection, account: str, since: datetime) -> list[Row[Any]]:
    """What was sent of the listings there since then and may have arrived, in the order it was planned.

    `shown` is what the listing is now. Creates are no moves, so that a first sync finds nothing here.
    """
    return sorted(db.execute(RECENT, {"of": account, "since": since}).fetchall(), key=lambda move: int(move.id))


def waiting_moves(db: Connection, account: str) -> list[Row[Any]]:
    """What is planned or held and not sent."""
    return list(db.execute(WAITING, {"of": account}).fetchall())


def _move(where: Any, from_: ChangeStatus, to: ChangeStatus, **values: Any) -> Any:
    """Never touches a row that has ended."""
    return update(OUTBOX).where(where, OUTBOX.c.status == from_).values(status=to, **values)

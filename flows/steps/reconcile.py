"""Reads an account back and says what differs from what it acknowledged; an incomplete read changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select, update

from connectors.contract import Policy
from connectors.errors import Unanswered
from flows.steps.account import AccountRun, guarded
from flows.steps.context import Account, Context
from flows.steps.drift import QUIET, Drift, differing, drifts_of, message_of, pair, problem_of
from flows.steps.guard import DELETES_LEAST, DELETES_SHARE
from flows.steps.plan import PRODUCT, UNDER_WAY, WITHDRAWAL, Selection, projected
from flows.steps.project import deleted_there
from flows.steps.settle import believe
from models import value as values
from models.change import ChangeStatus
from models.clock import today
from models.database import chunks, reading
from models.ledger import OPEN_ROW, OUTBOX, PLAN, READ_BACK, drop, record
from models.listing import Remote
from models.report import PEOPLE, AccountReport
from models.text import Text
from models.timetable import ACCOUNT, BOUND, STATE

ASKED = 50  # SKUs that a read left out, asked for by name at once
FRUITLESS = 50  # pages in a row without a listing that was not read before: this read has no end

There = dict[str, dict[str, Remote]]  # SKU -> remote id -> what is there


def reconcile(context: Context, account: Account, run_id: str, *, heal: bool = False) -> AccountReport:
    """Compares every listing of the account with its baseline and its record.

    What the account's policy says is healed, or everything with `heal`, is sent through plan and guards.
    """
    with guarded(context, account, run_id) as (run, report):
        if run is None:
            return report
        run.identify()
        run.recover(reading_all=True)
        drifts = _compare(run, _read(run), heal=heal)
        _write_down(run, drifts)
        _heal(run, [drift for drift in drifts if drift.heal])
        run.finish()
        _tell(report, drifts)
    return report


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(run: AccountRun) -> There:
    """All listings; raises rather than give a part. What equals its baseline is kept without its facets."""
    there: There = {}
    fruitless = 0
    for page in run.pages():
        found = [remote for remote in _light(run, page) if remote.remote_id not in there.get(remote.key, {})]
        for remote in found:
            there.setdefault(remote.key, {})[remote.remote_id] = remote
        fruitless = 0 if found else fruitless + 1
        if fruitless > FRUITLESS:
            raise Unanswered("endless-pages", message=INCOMPLETE, next_step=AGAIN)
    _doubt_gaps(run, there)
    return there


def _light(run: AccountRun, page: Sequence[Remote]) -> Iterator[Remote]:
    """A whole shop fits into memory: of most listings it is enough to know that they are as we left them."""
    known = _states(run, [remote.key for remote in page])
    for remote in page:
        row = known.get(remote.key)
        if row is None:
            yield values.replace(remote, facets={})
        elif row.status == remote.status == "live":
            yield values.replace(remote, facets={facet: remote.facets[facet] for facet in differing(row, remote)})
        else:
            yield remote


def _states(run: AccountRun, skus: Sequence[str]) -> dict[str, Row[Any]]:
    mine = STATE.c.account == run.account.name
    with reading(run.context.database) as db:
        found = (db.execute(select(STATE).where(mine, STATE.c.sku.in_(some))) for some in chunks(skus, BOUND))
        return {row.sku: row for rows in found for row in rows}


def _doubt_gaps(run: AccountRun, there: There) -> None:
    """What the pages left out is asked for by name: if it is there after all, the read was incomplete."""
    with reading(run.context.database) as db:
        live = select(STATE.c.sku).where(STATE.c.account == run.account.name, STATE.c.status == "live")
        missing = [sku for sku in db.scalars(live.order_by(STATE.c.sku)) if sku not in there]
    if any(run.fetch(some) for some in chunks(missing, ASKED)):
        raise Unanswered("incomplete-read", message=INCOMPLETE, next_step=AGAIN)


# --- comparing --------------------------------------------------------------------------------------------------------


def _compare(run: AccountRun, there: There, *, heal: bool) -> list[Drift]:
    """Every drift of the account. A listing of which a change is under way is left to the answer."""
    policy = _policy(run)
    found: list[Drift] = []
    known: set[str] = set()
    for rows in _chunks_of_states(run):
        known.update(row.sku for row in rows)
        found += _compare_some(run, rows, there, policy, heal=heal)
    foreign = [Drift(sku=sku, kind="foreign") for sku in sorted(there) if sku not in known]
    return [*_ask_about_many(found, len(known), heal=heal), *foreign]


def _policy(run: AccountRun) -> Policy:
    """After a restored backup nothing is sent unasked: the records may be as old as the backup."""
    policy = run.account.policy
    if not _is_restored(run):
        return policy
    careful = {facet: "report" if rule == "heal" else rule for facet, rule in policy.drift.items()}
    fields = {name: getattr(policy, name) for name in ("sandbox", "age_gate", "cashless_only")}
    deleted = "ask" if policy.deleted == "recreate" else policy.deleted
    return Policy(**fields, drift=careful, deleted=deleted)  # type: ignore[arg-type]  # the same words


def _is_restored(run: AccountRun) -> bool:
    with reading(run.context.database) as db:
        query = select(ACCOUNT.c.needs_reconcile).where(ACCOUNT.c.name == run.account.name)
        return bool(db.execute(query).scalar_one())


def _chunks_of_states(run: AccountRun) -> Iterator[Sequence[Row[Any]]]:
    query = select(STATE).where(STATE.c.account == run.account.name).order_by(STATE.c.id).limit(BOUND)
    after = 0
    while True:
        with reading(run.context.database) as db:
            rows = db.execute(query.where(STATE.c.id > after)).fetchall()
        if not rows:
            return
        yield rows
        after = rows[-1].id


def _compare_some(
    run: AccountRun, rows: Sequence[Row[Any]], there: There, policy: Policy, *, heal: bool
) -> Iterator[Drift]:
    skus = [row.sku for row in rows]
    waiting = _open(run, skus)
    doubtful = [row for row in rows if waiting.get(row.sku) not in UNDER_WAY and _is_odd(row, there.get(row.sku, {}))]
    records = _records(run, [row.sku for row in doubtful])
    day = today(run.context.clock)
    for row in (row for row in doubtful if row.sku in records):
        remotes = list(there.get(row.sku, {}).values())
        projection = projected(run.account, records[row.sku], day, again=True)
        for drift in drifts_of(row, remotes, projection, policy, heal=heal):
            # Of what waits for approval a newer plan would take the place.
            yield replace(drift, heal=drift.heal and row.sku not in waiting)


def _is_odd(row: Row[Any], there: Mapping[str, Remote]) -> bool:
    """Whether more than a glance is needed. Most listings are as we left them, and their records are not read."""
    remotes = list(there.values())
    if row.status != "live":
        begun = bool(remotes) and row.status == "absent" and not row.remote_id
        return begun or row.status == "gone" or any(remote.status == "live" for remote in remotes)
    if len(remotes) != 1 or remotes[0].status != "live" or remotes[0].facets:
        return True
    return bool(row.healed or row.adopted or remotes[0].remote_id != row.remote_id)


def _open(run: AccountRun, skus: Sequence[str]) -> dict[str, str]:
    """Status of what is open of these SKUs."""
    with reading(run.context.database) as db:
        mine = (OUTBOX.c.account == run.account.name, OPEN_ROW, OUTBOX.c.sku.in_(skus))
        return {row.sku: row.status for row in db.execute(select(OUTBOX.c.sku, OUTBOX.c.status).where(*mine))}


def _records(run: AccountRun, skus: Sequence[str]) -> dict[str, Row[Any]]:
    """The product of each SKU, and what stands against it."""
    columns = (STATE.c.sku, STATE.c.status, PRODUCT.c.snapshot, PRODUCT.c.removed_at)
    query = (
        select(*columns, WITHDRAWAL.c.reason.label("withdrawn"))
        .join(PRODUCT, PRODUCT.c.product_id == STATE.c.product_id)
        .outerjoin(WITHDRAWAL, WITHDRAWAL.c.sku == STATE.c.sku)
        .where(STATE.c.account == run.account.name)
    )
    with reading(run.context.database) as db:
        return {row.sku: row for row in db.execute(query.where(STATE.c.sku.in_(skus)))}


def _ask_about_many(drifts: list[Drift], known: int, *, heal: bool) -> list[Drift]:
    """A shop that lost many listings at once is looked at by a person before any of them is made again."""
    many = sum(drift.kind == "gone" for drift in drifts) > max(DELETES_LEAST, known * DELETES_SHARE)
    if heal or not many:
        return drifts
    return [replace(drift, heal=drift.heal and drift.kind != "gone") for drift in drifts]


# --- writing down -----------------------------------------------------------------------------------------------------


def _write_down(run: AccountRun, drifts: Sequence[Drift]) -> None:
    """The ledger's lines and what the state learns; only from here on an account of a restored backup may send."""
    restored = _is_restored(run)
    account, now = run.account.name, run.context.clock.now()
    with run.transaction("drift") as db:
        lines = [(drift.sku, None, _detail(drift)) for drift in drifts if drift.kind not in QUIET]
        record(db, now, run.run_id, account, "drift", lines)
        for drift in drifts:
            _learn(db, account, drift)
        _go_on(db, account, [drift.sku for drift in drifts if drift.row is not None and drift.row.doubt], now)
        if restored:
            _take_their_word(db, run, drifts)


def _detail(drift: Drift) -> dict[str, Any]:
    return {"kind": drift.kind, "facets": list(drift.facets), "message": msgspec.to_builtins(message_of(drift))}


def _learn(db: Connection, account: str, drift: Drift) -> None:
    """What is so whether or not anything is sent."""
    row, remote = _state(db, account, drift.sku), drift.remote
    if row is None:
        return
    if drift.kind in ("gone", "left"):
        _set(db, row, **_deleted(account, drift.sku))
    elif drift.kind in ("moved", "agreed") and remote:
        shown = {facet: drift.theirs[facet] for facet in drift.facets}
        known = {"remote_id": remote.remote_id, "revision": remote.revision}
        _set(db, row, **known, baseline={**row.baseline, **shown})
    elif drift.kind == "adopted":
        pairs = {facet: pair(row.baseline[facet], drift.theirs[facet]) for facet in drift.facets}
        _set(db, row, adopted={**row.adopted, **pairs})
    elif drift.kind == "proven":
        left = {name: {f: v for f, v in getattr(row, name).items() if f not in drift.facets} for name in NOTED}
        _set(db, row, **left)
    elif drift.kind == "begun":
        believe(db, account, drift.sku, remote)
    elif drift.kind == "found":
        _believe(db, account, drift)
        _set(db, row, doubt=False)


def _deleted(account: str, sku: str) -> dict[str, Any]:
    """The state of a listing that is made again only when a person or the policy says so."""
    problem = msgspec.to_builtins(deleted_there(sku, account))
    there = {"status": "gone", "remote_id": "", "revision": "", "baseline": {}, "adopted": {}, "healed": {}}
    return there | {"outcome": "unlistable", "note": problem["code"], "problems": [problem]}


def _state(db: Connection, account: str, sku: str) -> Row[Any] | None:
    return db.execute(select(STATE).where(STATE.c.account == account, STATE.c.sku == sku)).one_or_none()


def _set(db: Connection, row: Row[Any], **new: Any) -> None:
    db.execute(update(STATE).where(STATE.c.id == row.id).values(**new))


def _take_their_word(db: Connection, run: AccountRun, drifts: Sequence[Drift]) -> None:
    """A restored backup has forgotten sends: what is there is the baseline, and all that waited is planned afresh."""
    account, now = run.account.name, run.context.clock.now()
    mine = OUTBOX.c.account == account
    drop(db, mine, ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, now, due=now)
    drop(db, mine, ChangeStatus.HELD, ChangeStatus.CANCELLED, now, due=now)
    waiting = (PLAN.c.account == account, PLAN.c.status.in_(("ready", "held", "approved")))
    db.execute(update(PLAN).where(*waiting).values(status="superseded", decided_at=now))
    told = [drift for drift in drifts if drift.kind in STANDING]
    for drift in told:
        _believe(db, account, drift)
    _go_on(db, account, [drift.sku for drift in told], now)
    db.execute(update(ACCOUNT).where(ACCOUNT.c.name == account).values(needs_reconcile=False))
    record(db, now, run.run_id, account, READ_BACK, [("", None, None)])


def _believe(db: Connection, account: str, drift: Drift) -> None:
    """What stands there is where the next plan begins, and what its guards compare with."""
    row, remote = _state(db, account, drift.sku), drift.remote
    if row is None:
        return
    if drift.kind == "gone":
        _set(db, row, status="absent")
    elif drift.kind in ("edited", "rewritten") and remote:
        shown = {facet: drift.theirs[facet] for facet in drift.facets}
        known = {"remote_id": remote.remote_id, "revision": remote.revision}
        _set(db, row, **known, baseline={**row.baseline, **shown})
    else:
        believe(db, account, drift.sku, remote)
        _let_be(db, row, drift)
    there = {name: value for name in ("price", "stock") if (value := getattr(drift, name)) is not None}
    if there:
        _set(db, row, **there)


def _let_be(db: Connection, row: Row[Any], drift: Drift) -> None:
    """What the policy leaves to the marketplace is no difference to be sent."""
    if drift.let_be:
        _set(db, row, baseline=drift.theirs | {facet: row.baseline[facet] for facet in drift.let_be})


def _go_on(db: Connection, account: str, skus: Sequence[str], now: datetime) -> None:
    """Due from here on: where this run ends early, the next one does it."""
    for some in chunks(skus, BOUND):
        mine = (STATE.c.account == account, STATE.c.sku.in_(some))
        db.execute(update(STATE).where(*mine).values(due_at=now, due_reason="resync"))


# --- healing ----------------------------------------------------------------------------------------------------------


def _heal(run: AccountRun, drifts: Sequence[Drift]) -> None:
    """Sends ours again, through plan and guards like any change. Foreign listings are left alone."""
    if not drifts:
        return
    skus = tuple(dict.fromkeys(drift.sku for drift in drifts))
    with run.transaction("heal") as db:
        for drift in drifts:
            _believe(db, run.account.name, drift)
            _count_try(db, run.account.name, drift)
        _go_on(db, run.account.name, skus, run.context.clock.now())
    planned = run.plan(Selection(skus=skus))
    if planned.plan_id is not None:
        run.find(planned.plan_id)
        run.carry_out(planned.plan_id)
        run.settle()
        run.sweep()


def _count_try(db: Connection, account: str, drift: Drift) -> None:
    """How often the same content of ours was sent again because it did not stay."""
    row = _state(db, account, drift.sku)
    if drift.kind != "edited" or row is None:
        return
    healed = dict(row.healed)
    for facet in drift.facets:
        before, tries = healed.get(facet, ["", 0])
        healed[facet] = [drift.ours[facet], tries + 1 if before == drift.ours[facet] else 1]
    _set(db, row, healed=healed)


def _tell(report: AccountReport, drifts: Sequence[Drift]) -> None:
    report.problems += [problem_of(drift, report.account) for drift in drifts if drift.kind not in QUIET]
    if report.status == "completed" and any(drift.asks for drift in drifts):
        report.status, report.code = "partly_failed", PEOPLE


STANDING = ("edited", "rewritten", "not-shown", "draft", "rejected", "shown", "found")  # something of ours is there
NOTED = ("healed", "adopted")
INCOMPLETE = Text(
    "Sàn chưa trả về đủ danh sách tin nên không so sánh được.",
    "The marketplace did not give all of its listings, so nothing was compared.",
)
AGAIN = Text(
    "Không có gì bị đổi. Chạy lại “caybeo reconcile” sau ít phút.",
    "Nothing was changed. Run “caybeo reconcile” again in a few minutes.",
)

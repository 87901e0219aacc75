"""What the database says after a run, as the report that people and scripts read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from models.change import ChangeStatus
from models.ledger import OPEN_ROW, OUTBOX, PLAN
from models.report import HELD, PEOPLE, TROUBLE, AccountReport
from models.timetable import STATE

MOST_PROBLEMS = 500
TELLING = ("unlistable", *TROUBLE, "held")
STANDS = (STATE.c.outcome, STATE.c.status, STATE.c.note)
TOTALS = select(*STANDS, func.count().label("many")).where(STATE.c.account == bindparam("of")).group_by(*STANDS)
PENDING = (
    select(func.count())
    .select_from(OUTBOX)
    .where(OUTBOX.c.account == bindparam("of"), OPEN_ROW, OUTBOX.c.status == ChangeStatus.ACCEPTED)
)
PROBLEMS = (
    select(STATE.c.sku, STATE.c.problems)
    .where(STATE.c.account == bindparam("of"), STATE.c.outcome.in_(TELLING))
    .order_by(STATE.c.sku)
    .limit(MOST_PROBLEMS)
)
HELD_CHANGES = select(func.count()).where(OUTBOX.c.plan_id == PLAN.c.id, OUTBOX.c.status == "held").scalar_subquery()
HELD_PLANS = (
    select(PLAN, HELD_CHANGES.label("held"))
    .where(PLAN.c.status == "held")
    .where(or_(HELD_CHANGES > 0, PLAN.c.account == ""))  # newer plans may have taken all its changes over
    .order_by(PLAN.c.id)
)
HELD_PLANS_OF = HELD_PLANS.where(PLAN.c.account == bindparam("of"))


def finish(db: Connection, report: AccountReport, counts: Mapping[str, int]) -> None:
    """Fills in totals, problems and held plans; the worst of them decides status and exit code."""
    report.counts |= dict(counts)
    _totals(db, report)
    report.counts["unchanged"] = max(0, report.live - report.counts["created"] - report.counts["updated"])
    report.problems += _problems(db, report.account)
    report.plans = held_plans(db, report.account)
    report.counts["held"] = sum(plan["held"] for plan in report.plans)
    _judge(report)


def held_plans(db: Connection, account: str | None = None) -> list[dict[str, Any]]:
    """Plans that wait for a person, with why and how many changes."""
    rows = db.execute(HELD_PLANS) if account is None else db.execute(HELD_PLANS_OF, {"of": account})
    names = ("id", "account", "status", "counts", "reasons", "held", "created_at", "expires_at")
    return [{name: getattr(row, name) for name in names} for row in rows]


def _totals(db: Connection, report: AccountReport) -> None:
    """One pass over a covering index: what the account shows, withholds, and waits for."""
    for row in db.execute(TOTALS, {"of": report.account}):
        if row.status == "live":
            report.live += row.many
            if row.note and row.outcome == "listed":
                report.notes[row.note] = report.notes.get(row.note, 0) + row.many
        if row.outcome == "unlistable":
            report.counts["unlistable"] += row.many
            report.withheld[row.note] = report.withheld.get(row.note, 0) + row.many
        elif row.outcome in TROUBLE:
            report.counts[row.outcome] += row.many
    report.counts["accepted"] = pending(db, report.account)


def pending(db: Connection, account: str) -> int:
    """Changes the marketplace has accepted and not finished."""
    return int(db.execute(PENDING, {"of": account}).scalar_one())


def _problems(db: Connection, account: str) -> list[dict[str, Any]]:
    rows = db.execute(PROBLEMS, {"of": account})
    return [{"key": row.sku, **problem} for row in rows for problem in row.problems]


def _judge(report: AccountReport) -> None:
    if report.status == "failed":
        return
    if report.plans:
        report.status, report.code = "held", HELD
    elif any(report.counts[name] for name in TROUBLE):
        report.status, report.code = "partly_failed", PEOPLE

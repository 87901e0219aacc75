"""What a person decides about held plans: show, approve, refuse, apply."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from flows.steps.account import AccountRun, guarded
from flows.steps.context import Context
from flows.steps.night import begin, choose, end
from flows.steps.plan import seal
from flows.steps.pull import SourceReport, approve_intake
from models.change import ChangeStatus
from models.database import reading, writing
from models.ledger import OUTBOX, PLAN, close_plan, drop, record, release
from models.listing import Problem
from models.report import RunReport
from models.text import Text
from models.timetable import STATE

SHORT = 8  # signs of a digest that people are shown, and at least must give


class PlanRefused(Exception):
    """This plan cannot be approved or applied (any more)."""

    def __init__(self, message: Text, next_step: Text) -> None:
        super().__init__(message.en)
        self.message, self.next_step = message, next_step


def show(context: Context, plan_id: int, most: int = 500) -> dict[str, Any]:
    """A plan with its changes, as they would be sent, and the digest under which it can be approved."""
    row = _plan(context, plan_id)
    names = ("sku", "kind", "facets", "status", "old_price", "price", "old_stock", "stock")
    mine = select(*(OUTBOX.c[name] for name in names)).where(OUTBOX.c.plan_id == plan_id)
    with reading(context.database) as db:
        changes = db.execute(mine.order_by(OUTBOX.c.id).limit(most))
        digest = row["digest"] or seal(db, plan_id)
        return {**row, "digest": digest, "changes": [dict(change._mapping) for change in changes]}


def approve(context: Context, plan_id: int, who: str, why: str, *, digest: str = "") -> RunReport | SourceReport:
    """Lets exactly this plan through and carries it out; `digest` is what the approver saw, or its first signs."""
    plan = _decidable(context, plan_id)
    if digest and (len(digest) < SHORT or not plan["digest"].startswith(digest)):
        raise PlanRefused(CHANGED.fill(plan=plan_id), LOOK_AGAIN)
    if not plan["account"]:
        return approve_intake(context.database, context.home, plan_id, who, why, context.clock)
    now = context.clock.now()
    with writing(context.database, "approve") as db:
        _claim(db, plan, now)
        if seal(db, plan_id) != plan["digest"]:
            raise PlanRefused(CHANGED.fill(plan=plan_id), LOOK_AGAIN)
        released = _release(db, plan_id, now, who, why)
        detail = {"plan": plan_id, "digest": plan["digest"], "who": who, "why": why, "changes": released}
        record(db, now, "", plan["account"], "approved", [("", None, detail)])
    return _run(context, plan)[0]


def _claim(db: Connection, plan: dict[str, Any], now: datetime) -> None:
    """Of two people who decide at once, one does."""
    waits = (PLAN.c.id == plan["id"], PLAN.c.status == "held", PLAN.c.expires_at > now)
    if db.execute(update(PLAN).where(*waits).values(decided_at=now)).rowcount != 1:
        found = db.execute(select(PLAN).where(PLAN.c.id == plan["id"])).one()
        raise PlanRefused(_not_open(dict(found._mapping)), LOOK_AGAIN)


def _release(db: Connection, plan_id: int, now: datetime, who: str, why: str) -> int:
    """Frees what still waits; what has a new day behind it since is judged again first."""
    released = release(db, plan_id, now, who, why)
    if not released:
        raise PlanRefused(REPLACED.fill(plan=plan_id), LOOK_AGAIN)
    late = (OUTBOX.c.plan_id == plan_id) & (OUTBOX.c.calendar <= now)
    drop(db, late, ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, now, due=now)
    return released


def refuse(context: Context, plan_id: int, who: str, why: str) -> None:
    """Nothing of the plan is sent; its items rest until their data change or someone asks for them."""
    plan = _decidable(context, plan_id)
    now = context.clock.now()
    with writing(context.database, "refuse") as db:
        _claim(db, plan, now)
        close_plan(db, plan_id, now, "refused", who, why)
        _park(db, plan_id, who, why)
        drop(db, OUTBOX.c.plan_id == plan_id, ChangeStatus.HELD, ChangeStatus.CANCELLED, now, due=None)
        detail = {"plan": plan_id, "digest": plan["digest"], "who": who, "why": why}
        record(db, now, "", plan["account"], "refused", [("", None, detail)])


def _park(db: Connection, plan_id: int, who: str, why: str) -> None:
    """What was refused waits for a person: new data, or someone who asks for it. A doubt keeps its own sentence."""
    said = REFUSED.fill(who=who, why=why or "–")
    problem = Problem(code="refused-plan", field="", message=said, next_step=MEND)
    held = select(OUTBOX.c.sku).where(OUTBOX.c.plan_id == plan_id, OUTBOX.c.status == ChangeStatus.HELD)
    held = held.where(OUTBOX.c.follows.is_(None))
    account = select(PLAN.c.account).where(PLAN.c.id == plan_id).scalar_subquery()
    parked = {"outcome": "refused", "problems": [msgspec.to_builtins(problem)]}
    db.execute(update(STATE).where(STATE.c.account == account, STATE.c.sku.in_(held)).values(**parked))


def apply(context: Context, plan_id: int) -> RunReport:
    """Does that very plan: what has changed since it was made is left to the next plan."""
    plan = _plan(context, plan_id)
    if plan["status"] == "held":
        raise PlanRefused(HELD.fill(plan=plan_id), APPROVE_IT.fill(plan=plan_id))
    if plan["status"] not in ("ready", "approved"):
        raise PlanRefused(_not_open(plan), LOOK_AGAIN)
    report, done = _run(context, plan)
    if not done:
        raise PlanRefused(REPLACED.fill(plan=plan_id), LOOK_AGAIN)
    return report


def _run(context: Context, plan: dict[str, Any]) -> tuple[RunReport, bool]:
    """A run for one plan; False where another run has closed the plan first."""
    account = choose(context, (plan["account"],))[0]
    report, done = begin(context, f"plan {plan['id']}"), True
    with guarded(context, account, report.run_id) as (run, part):
        if run is not None:
            done = _carry_out(run, plan["id"])
    report.accounts.append(part)
    return end(context, report), done


def _carry_out(run: AccountRun, plan_id: int) -> bool:
    with run.transaction("approved") as db:
        still = (PLAN.c.id == plan_id, PLAN.c.status.in_(("ready", "approved")))
        ours = db.execute(update(PLAN).where(*still).values(status="approved")).rowcount == 1
    run.recover()
    if ours:
        run.carry_out(plan_id)
    run.settle()
    run.finish()
    return ours


def _plan(context: Context, plan_id: int) -> dict[str, Any]:
    with reading(context.database) as db:
        row = db.execute(select(PLAN).where(PLAN.c.id == plan_id)).one_or_none()
    if row is None:
        raise PlanRefused(UNKNOWN.fill(plan=plan_id), LOOK_AGAIN)
    return dict(row._mapping)


def _decidable(context: Context, plan_id: int) -> dict[str, Any]:
    """The plan while it waits; of a source's content the intake itself says that it waited too long."""
    plan = _plan(context, plan_id)
    late = bool(plan["account"]) and plan["expires_at"] <= context.clock.now()
    if plan["status"] != "held" or late:
        raise PlanRefused(_not_open(plan), LOOK_AGAIN)
    return plan


def _not_open(plan: dict[str, Any]) -> Text:
    if plan["status"] == "held":
        return EXPIRED.fill(plan=plan["id"])
    status = STATUSES.get(plan["status"], Text(plan["status"], plan["status"]))
    return Text(
        NOT_OPEN.vi.format(plan=plan["id"], status=status.vi), NOT_OPEN.en.format(plan=plan["id"], status=status.en)
    )


STATUSES = {
    "ready": Text("chưa gửi, dùng “caybeo apply”", "not sent, use “caybeo apply”"),
    "approved": Text("đã duyệt", "approved"),
    "applied": Text("đã thực hiện", "applied"),
    "refused": Text("đã bị từ chối", "refused"),
    "expired": Text("đã hết hạn", "expired"),
    "superseded": Text("đã có kế hoạch mới hơn", "replaced by a newer one"),
}
HELD = Text("Kế hoạch {plan} đang chờ duyệt.", "Plan {plan} waits for approval.")
APPROVE_IT = Text("Dùng “caybeo approve {plan}”.", "Use “caybeo approve {plan}”.")
UNKNOWN = Text("Không có kế hoạch số {plan}.", "There is no plan {plan}.")
NOT_OPEN = Text(
    "Kế hoạch {plan} không còn chờ (trạng thái: {status}).", "Plan {plan} does not wait any more ({status})."
)
EXPIRED = Text("Kế hoạch {plan} đã quá 24 giờ, không duyệt được nữa.", "Plan {plan} is older than 24 hours.")
REPLACED = Text(
    "Kế hoạch {plan} không còn gì để gửi: đã có kế hoạch mới hơn.",
    "Plan {plan} has nothing left to send: a newer one took its place.",
)
CHANGED = Text("Kế hoạch {plan} không còn giống bản anh/chị đã xem.", "Plan {plan} is no longer the one you saw.")
REFUSED = Text("{who} không duyệt thay đổi này: {why}.", "{who} refused this change: {why}.")
MEND = Text(
    "Sửa dữ liệu rồi nhập lại; muốn gửi đúng như cũ: “caybeo sync --sku …”.",
    "Correct the data and import it again; to plan the same once more: “caybeo sync --sku …”.",
)
LOOK_AGAIN = Text("Xem các kế hoạch đang chờ bằng “caybeo status”.", "“caybeo status” shows the plans that wait.")

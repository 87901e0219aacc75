"""Takes items down everywhere at once, and keeps them down until a person takes that back."""

from __future__ import annotations

from sqlalchemy import delete

from flows.steps.account import sync
from flows.steps.context import Context
from flows.steps.night import begin, choose, each, know
from flows.steps.plan import Selection
from models.database import upsert, writing
from models.ledger import record
from models.report import RunReport
from models.tables import Withdrawal, core
from models.timetable import due_skus

WITHDRAWAL = core(Withdrawal)


def withdraw(context: Context, skus: tuple[str, ...], reason: str, who: str, *, undo: bool = False) -> RunReport:
    """Marks the items and syncs every account for them. Raises UnknownSku before anything is changed."""
    know(context, skus)
    now = context.clock.now()
    with writing(context.database, "withdraw") as db:
        if undo:
            db.execute(delete(WITHDRAWAL).where(WITHDRAWAL.c.sku.in_(skus)))
        else:
            upsert(db, WITHDRAWAL, [{"sku": s, "reason": reason, "who": who, "at": now} for s in skus], ["sku"])
        due_skus(db, skus, now)
        event = "withdrawal-undone" if undo else "withdrawn"
        record(db, now, "", "", event, [(sku, None, {"reason": reason, "who": who}) for sku in skus])
    report = begin(context, "withdraw")
    return each(
        context,
        report,
        choose(context, ()),
        lambda a: sync(context, a, report.run_id, selection=Selection(skus=skus, due=True)),
    )

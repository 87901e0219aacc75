"""Takes items down on every account at once, and keeps them down until someone takes that back."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed
from sqlalchemy import func, select

from flows.artifacts import plain
from flows.choices import skus_of
from flows.endings import ended
from flows.stages import InputRefused, lang, opened, readable, stage
from flows.steps import withdraw as step
from flows.steps.context import Context
from models.database import reading
from models.text import Text, number
from models.timetable import STATE


@flow(name="withdraw", flow_run_name="withdraw")
@readable
def withdraw(skus: list[str], reason: str, who: str, undo: bool = False, dry_run: bool = True) -> State[Any]:
    """Gỡ mặt hàng khỏi mọi sàn. / Takes items down everywhere.

    Args:
        skus: Mã SKU cần gỡ, tối đa 500; dán nhiều mã vào một ô cũng được. / SKUs to take down, at most 500.
        reason: Lý do, được ghi vào sổ. / Why; it is kept in the ledger.
        who: Tên người yêu cầu, được ghi vào sổ. / Who asks for it; kept in the ledger.
        undo: Cho bán lại những mặt hàng đã gỡ. / Let items that were taken down be sold again.
        dry_run: Chỉ xem trước, không gỡ gì. Tắt đi để gỡ thật. / Only a preview; switch it off to do it.
    """
    with opened() as context:
        chosen = _checked(context, skus, reason, who)
        if dry_run:
            return _preview(context, chosen)
        return ended(context, stage("withdraw", step.withdraw, context, chosen, reason, who, undo=undo), "withdraw")


def _checked(context: Context, skus: list[str], reason: str, who: str) -> tuple[str, ...]:
    chosen = skus_of(context.database, skus)
    if not chosen or not reason.strip() or not who.strip():
        raise InputRefused(INCOMPLETE, FILL_IN)
    return chosen


def _preview(context: Context, skus: tuple[str, ...]) -> State[Any]:
    shown = STATE.c.sku.in_(skus) & (STATE.c.status == "live")
    with reading(context.database) as db:
        rows = db.execute(select(STATE.c.account, func.count()).where(shown).group_by(STATE.c.account)).fetchall()
    lines = [f"- {plain(account)}: **{number(count)}**" for account, count in rows]
    create_markdown_artifact("\n".join([f"# {LIVE.to(lang())}", "", *lines]), key="report-withdraw")
    total = sum(count for _, count in rows)
    return Completed(message=WOULD.fill(items=number(len(skus)), listings=number(total)).to(lang()))


INCOMPLETE = Text("Thiếu mã SKU, lý do hoặc tên người yêu cầu.", "SKUs, the reason or the name are missing.")
FILL_IN = Text("Điền đủ các ô rồi chạy lại.", "Fill in every field and run again.")
LIVE = Text("Tin đang bán của các mặt hàng này", "Live listings of these items")
WOULD = Text(
    "Chạy thử: {items} mặt hàng có {listings} tin đang bán. Tắt dry_run để làm thật.",
    "Dry run: {items} items have {listings} live listings. Switch dry_run off to do it.",
)

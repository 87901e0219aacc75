"""Reads accounts back and says what differs from the catalogue; weekly, or when an operator asks."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.choices import ALL, AccountOrAll
from flows.endings import ended
from flows.stages import opened, readable, stage
from flows.steps import reconcile as step
from flows.steps.night import begin, choose, end


@flow(name="reconcile", flow_run_name="reconcile-{account}")
@readable
def reconcile(account: AccountOrAll, heal: bool = False) -> State[Any]:
    """Đối chiếu tin trên sàn với danh mục. / Compares the listings with the catalogue.

    Args:
        account: Tài khoản cần đối chiếu, hoặc tất cả. / The account to compare, or all of them.
        heal: Sửa luôn trên sàn cho khớp danh mục; thay đổi lớn vẫn phải chờ duyệt. / Also correct the listings.
    """
    with opened() as context:
        chosen = choose(context, () if account == ALL else (account,))
        report = begin(context, "reconcile")
        for one in chosen:
            found = stage(f"reconcile-{one.name}", step.reconcile, context, one, report.run_id, heal=heal)
            report.accounts.append(found)
        return ended(context, end(context, report), "reconcile")

"""Proves that the timetable forgot nothing; weekly, or when an operator asks."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.artifacts import publish_audit
from flows.choices import ALL, AccountOrAll
from flows.endings import NAMES
from flows.stages import lang, opened, readable, stage
from flows.steps import audit as step
from flows.steps.audit import AuditReport
from flows.steps.night import choose
from models.text import Text, number


@flow(name="audit", flow_run_name="audit-{account}")
@readable
def audit(account: AccountOrAll) -> State[Any]:
    """So từng tin với danh mục; chỉ đọc. / Compares every listing with its record; only reads.

    Args:
        account: Tài khoản cần so, hoặc tất cả. / The account to compare, or all of them.
    """
    with opened() as context:
        chosen = choose(context, () if account == ALL else (account,))
        report = stage("audit", step.audit, context, chosen)
        publish_audit(report.findings, lang())
        name = NAMES["partly_failed" if report.forgotten else "completed"]
        return Completed(name=name, message=sentence(report).to(lang()))


def sentence(report: AuditReport) -> Text:
    checked = number(sum(part.checked for part in report.accounts))
    return (FORGOTTEN if report.forgotten else IN_ORDER).fill(checked=checked, forgotten=number(report.forgotten))


IN_ORDER = Text(
    "Đã so {checked} tin: lịch không bỏ sót gì.", "{checked} listings compared: the timetable forgot nothing."
)
FORGOTTEN = Text(
    "Đã so {checked} tin: lịch bỏ sót {forgotten} mục (xem bảng).",
    "{checked} listings compared: the timetable forgot {forgotten} (see the table).",
)

"""How a run ends: its artifacts, the reviews it asks for, and the state that operators see in the list."""

from __future__ import annotations

import logging
from typing import Any

from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed

from flows.artifacts import publish, publish_preview
from flows.screens import COUNTED, KINDS
from flows.stages import lang, start
from flows.steps.context import Context
from flows.steps.plan import Planned
from flows.steps.report import held_plans
from flows.telling import courtesy
from models.database import reading
from models.report import COUNTS, RunReport
from models.text import Text, number

_log = logging.getLogger(__name__)

NAMES = {"partly_failed": "Partly failed", "held": "Held", "completed": "Completed"}


def ended(context: Context, report: RunReport, name: str, planned: Planned | None = None) -> State[Any]:
    """Leaves the artifacts, asks people about what is held, and gives the final state; `planned` is a dry run's."""
    publish(report, name, lang())
    if planned:
        publish_preview(planned, name, lang())
    for account in report.accounts:
        ask_people(context, account.account)
    return state_of(report, planned)


def state_of(report: RunReport, planned: Planned | None = None) -> State[Any]:
    """Failed only where nothing could be done; what needs a person is in the state's name and message."""
    message = sentence(report, planned).to(lang())
    if report.status == "failed":
        return Failed(message=message)
    return Completed(name=NAMES[report.status], message=message)


def sentence(report: RunReport, planned: Planned | None = None) -> Text:
    """The counts of all accounts together, or what would be sent, and what stopped any of them."""
    parts = [DRY, _would(planned)] if report.dry_run else [_done(report)]
    parts += [_stopped(report)] if any(a.status == "failed" for a in report.accounts) else []
    parts += [SANDBOX] if any(a.mode == "sandbox" for a in report.accounts) else []
    return _joined(parts, " · ")


def _done(report: RunReport) -> Text:
    totals = {name: sum(account.counts[name] for account in report.accounts) for name in COUNTS}
    return _joined([_counted(totals[name], text) for name, text in COUNTED.items() if totals[name]] or [NOTHING], ", ")


def _would(planned: Planned | None) -> Text:
    if planned is None:
        return SEE_PREVIEW
    counts = [_counted(count, KINDS[kind]) for kind, count in planned.kinds.items()]
    return _joined([*counts, *([_counted(planned.held, COUNTED["held"])] if planned.held else [])] or [NOTHING], ", ")


def _counted(count: int, text: Text) -> Text:
    return Text(f"{number(count)} {text.vi}", f"{number(count)} {text.en}")


def ask_people(context: Context, account: str) -> None:
    """Starts the review of each plan that waits, once; "" are plans that would change the catalogue."""
    with reading(context.database) as db:
        waiting = [plan["id"] for plan in held_plans(db, account)]
    for plan_id in waiting:
        start_review(plan_id)


@courtesy()
def start_review(plan_id: int) -> None:
    try:
        start("review/review", {"plan_id": plan_id}, key=f"review-plan-{plan_id}")
    except ObjectNotFound:
        _log.info("plan %s waits; there is no review deployment to ask with", plan_id)


def _stopped(report: RunReport) -> Text:
    names = ", ".join(account.account for account in report.accounts if account.status == "failed")
    return STOPPED.fill(names=names)


def _joined(parts: list[Text], by: str) -> Text:
    return Text(by.join(part.vi for part in parts), by.join(part.en for part in parts))


DRY = Text("Chạy thử, chưa gửi gì", "Dry run, nothing was sent")
SEE_PREVIEW = Text("xem phần “Xem trước” của từng tài khoản", "see the preview of each account")
NOTHING = Text("không có thay đổi", "no changes")
STOPPED = Text("không chạy được: {names} (xem báo cáo)", "could not run: {names} (see the report)")
SANDBOX = Text("SANDBOX", "SANDBOX")

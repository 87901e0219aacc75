"""The night: sources are pulled, then every account gets a run of its own, so that workers share them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from sqlalchemy import select

from flows.artifacts import publish
from flows.endings import ask_people, state_of
from flows.stages import lang, note, opened, readable, stage, start
from flows.steps.context import Account, Context
from flows.steps.night import RUN, begin, choose, end, take_sources
from flows.sync import trigger
from flows.telling import courtesy
from models.database import reading
from models.report import PEOPLE, AccountReport, RunReport
from models.text import Text

POLL_SECONDS = 5.0
NIGHT_SECONDS = 20 * 3600.0  # then the next night is near; what still runs goes on and reports itself


@flow(name="nightly", flow_run_name="nightly")
@readable
def nightly(dry_run: bool = False) -> State[Any]:
    """Lượt chạy hằng đêm: đọc các nguồn, rồi gửi lên mọi tài khoản. / Pulls the sources, then sends every account.

    Args:
        dry_run: Chỉ xem trước, không đọc nguồn và không gửi gì. / Only shows what would be sent.
    """
    with opened() as context:
        report = begin(context, "nightly", dry_run=dry_run)
        if not dry_run:
            _pull(context, report)
        report.accounts = _accounts(context, report)
        publish(end(context, report), "nightly", lang())
        ask_people(context, "")
        return state_of(report)


def _pull(context: Context, report: RunReport) -> None:
    """Sources that cannot be pulled stop no account: what is due there does not depend on them."""
    try:
        stage("pull", take_sources, context, report)
    except Exception as error:  # noqa: BLE001  # the task says it; the night goes on
        note(error)
        report.source_code = PEOPLE


def _accounts(context: Context, report: RunReport) -> list[AccountReport]:
    """Starts a run per account, waits for all, and gathers what they wrote down."""
    accounts = choose(context, ())
    started = {account.name: _start(account, report) for account in accounts}
    ended = _wait(context, started, report.run_id)
    parts = _parts(context, report.run_id)
    return [parts.get(account.name) or _lost(account, ended.get(account.name)) for account in accounts]


def _start(account: Account, report: RunReport) -> UUID:
    parameters = {"account": account.name, "dry_run": report.dry_run, "night": report.run_id}
    return start("sync/sync", parameters, parent=True)


def _wait(context: Context, started: dict[str, UUID], night: str) -> dict[str, State[Any]]:
    """Until every account's run has written its report or, as Prefect knows, has ended without one."""
    latest = context.clock.monotonic() + NIGHT_SECONDS
    ended: dict[str, State[Any]] = {}
    while (open_ := started.keys() - ended.keys() - _parts(context, night).keys()) and not context.stopping():
        if context.clock.monotonic() >= latest:
            break
        context.clock.sleep(POLL_SECONDS)
        with courtesy():
            ended |= _final({name: started[name] for name in open_})
    return ended


def _final(runs: dict[str, UUID]) -> dict[str, State[Any]]:
    """Those that have ended."""
    with get_client(sync_client=True) as client:
        states = {name: client.read_flow_run(run).state for name, run in runs.items()}
    return {name: state for name, state in states.items() if state and state.is_final()}


def _parts(context: Context, night: str) -> dict[str, AccountReport]:
    """What the accounts' runs wrote down."""
    with reading(context.database) as db:
        rows = db.execute(select(RUN.c.report).where(RUN.c.trigger == trigger(night), RUN.c.finished_at.is_not(None)))
        parts = [AccountReport(**part) for row in rows for part in row.report["accounts"]]
    return {part.account: part for part in parts}


def _lost(account: Account, state: State[Any] | None) -> AccountReport:
    """The report of a run that ended without one: killed, cancelled, or still going on."""
    report = AccountReport(account=account.name, marketplace=account.connector.name, mode=account.shown_mode)
    message = CUT_OFF if state else STILL_RUNNING
    problem = {"key": "", "field": "", "code": "run-lost", "message": message, "next_step": LOOK}
    report.status, report.problems = "failed", [problem]
    return report


CUT_OFF = Text("Lượt chạy của tài khoản này bị ngắt giữa chừng.", "This account's run was cut off.")
STILL_RUNNING = Text("Lượt chạy của tài khoản này chưa xong.", "This account's run has not ended yet.")
LOOK = Text(
    "Mở lượt chạy sync của tài khoản để xem; lượt chạy sau tự làm tiếp.",
    "Open the account's sync run to see why; the next run goes on from there.",
)

"""One account: what is due there is planned, sent and settled, each stage a task."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import ended
from flows.stages import opened, readable, stage
from flows.steps.account import guarded
from flows.steps.context import Account, Context
from flows.steps.night import begin, choose, end
from flows.steps.plan import DUE, Planned, Selection
from models.report import AccountReport


@flow(name="sync", flow_run_name="sync-{account}")
@readable
def sync(account: str, dry_run: bool = False, night: str = "") -> State[Any]:
    """Gửi lên một tài khoản mọi thứ đến hạn. / Sends one account everything that is due.

    Args:
        account: Tên tài khoản. / Name of the account.
        dry_run: Chỉ xem trước, không gửi gì. / Only shows what would be sent.
        night: Mã lượt chạy đêm đã gọi; để trống khi chạy tay. / Run that started this one; empty by hand.
    """
    with opened() as context:
        report = begin(context, trigger(night), dry_run=dry_run)
        chosen = choose(context, (account,))[0]
        part, planned = run_account(context, chosen, report.run_id, dry_run=dry_run)
        report.accounts.append(part)
        return ended(context, end(context, report), account, planned)


def trigger(night: str) -> str:
    """What the run's record says it was started by: this is how the nightly run finds its accounts' records."""
    return f"nightly {night}" if night else "sync"


def run_account(
    context: Context, account: Account, run_id: str, selection: Selection = DUE, *, dry_run: bool = False
) -> tuple[AccountReport, Planned | None]:
    """What `flows.steps.account.sync` does, with a task per stage and shard to watch; a dry run's plan comes along."""
    previewed = None
    with guarded(context, account, run_id) as (run, report):
        if run is None:
            return report, None
        if dry_run:
            previewed = stage("plan", run.plan, selection, dry_run=True)
        else:
            stage("recover", run.recover)
            run.work(selection, stage)
        run.finish()
    return report, previewed

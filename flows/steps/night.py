"""A whole run in this process: pull, then every account once, and its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import insert, select, update

from connectors.errors import Interrupted
from flows.steps.account import sync
from flows.steps.context import Account, Context
from flows.steps.intake import Progress
from flows.steps.plan import DUE, Selection
from flows.steps.pull import SourceReport, pull
from models.database import chunks, reading, writing
from models.report import DONE, HELD, PEOPLE, AccountReport, RunReport
from models.tables import Run, core
from models.timetable import BOUND, VARIANT

RUN = core(Run)


class UnknownAccount(LookupError):
    """No account of that name runs."""


class UnknownSku(LookupError):
    """No product of ours has this SKU."""


def night(
    context: Context, accounts: tuple[str, ...] = (), *, dry_run: bool = False, trigger: str = "manual"
) -> RunReport:
    """What the schedule runs each night."""
    chosen = choose(context, accounts)
    report = begin(context, trigger, dry_run=dry_run)
    if not dry_run:
        take_sources(context, report)
    return each(context, report, chosen, lambda a: sync(context, a, report.run_id, dry_run=dry_run))


def resync(
    context: Context,
    accounts: tuple[str, ...] = (),
    selection: Selection = DUE,
    *,
    dry_run: bool = False,
    trigger: str = "manual",
) -> RunReport:
    """Accounts again without a pull: what is due, or what the selection names."""
    chosen = choose(context, accounts)
    know(context, selection.skus)
    report = begin(context, trigger, dry_run=dry_run)
    return each(
        context, report, chosen, lambda a: sync(context, a, report.run_id, selection=selection, dry_run=dry_run)
    )


def choose(context: Context, names: tuple[str, ...]) -> list[Account]:
    """The named accounts, or all. Raises UnknownAccount."""
    there = {account.name: account for account in context.accounts()}
    for name in names:
        if name not in there:
            raise UnknownAccount(name)
    return [there[name] for name in names] if names else list(there.values())


def know(context: Context, skus: Sequence[str]) -> None:
    """Raises UnknownSku for the first SKU that the catalogue does not hold."""
    with reading(context.database) as db:
        there = select(VARIANT.c.sku)
        known = {row.sku for some in chunks(skus, BOUND) for row in db.execute(there.where(VARIANT.c.sku.in_(some)))}
    for sku in skus:
        if sku not in known:
            raise UnknownSku(sku)


def begin(context: Context, trigger: str, *, dry_run: bool = False) -> RunReport:
    """Opens the run's record."""
    report = RunReport(run_id=context.new_id(), trigger=trigger, started_at=context.clock.now(), dry_run=dry_run)
    with writing(context.database, "run-begin") as db:
        row = {"run_id": report.run_id, "trigger": trigger, "started_at": report.started_at}
        db.execute(insert(RUN).values(**row, status="running", report={}))
    return report


def end(context: Context, report: RunReport) -> RunReport:
    """Closes the run's record."""
    report.finished_at = context.clock.now()
    values = {"finished_at": report.finished_at, "status": report.status, "report": report.as_json()}
    with writing(context.database, "run-end") as db:
        db.execute(update(RUN).where(RUN.c.run_id == report.run_id).values(**values))
    return report


def take_sources(context: Context, report: RunReport) -> list[SourceReport]:
    """Pulls every registered source; what one of them holds back or cannot give stops nothing else."""
    pulled = pull(context.database, context.home, context.clock, progress=until_stopped(context))
    report.sources = [msgspec.to_builtins(one) for one in pulled]
    report.source_code = source_code(pulled)
    return pulled


def until_stopped(context: Context) -> Progress:
    """Follows an intake and breaks it off where this process is asked to end: the source is taken whole or not."""

    def told(source: str, done: int, total: int) -> None:
        if context.stopping():
            raise Interrupted

    return told


def source_code(pulled: list[SourceReport]) -> int:
    if any(one.status == "held" for one in pulled):
        return HELD
    trouble = any(one.status in ("failed", "refused") or one.set_aside for one in pulled)
    return PEOPLE if trouble else DONE


def each(
    context: Context, report: RunReport, accounts: list[Account], run: Callable[[Account], AccountReport]
) -> RunReport:
    """One account after the other; what happens to one is its own affair."""
    for account in accounts:
        report.accounts.append(run(account))
    return end(context, report)

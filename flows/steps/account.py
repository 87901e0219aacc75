"""One account's run: lease, recover, plan, guard, push, settle, report. The same with and without Prefect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import get_ident
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from connectors.errors import (
    AuthorisationFailed,
    ConnectorError,
    Misconfigured,
    NotSent,
    Throttled,
    Unanswered,
    problem_of,
)
from connectors.transport import Session
from flows.steps.context import Account, Context
from flows.steps.media import MediaShelf, known_media
from flows.steps.plan import DUE, Planned, Planner, Selection
from flows.steps.push import Pusher, Stopped, count_planned
from flows.steps.report import finish
from flows.steps.settle import COUNTED, Sent, Settler
from models.change import ChangeStatus, Kind
from models.database import chunks, reading
from models.lease import Busy, HeldLease, LeaseLost
from models.ledger import OUTBOX, PLAN, close_plan, drop, open_rows, present_revision
from models.listing import Remote
from models.outcome import Outcome, Result
from models.report import AUTHORISE, BUSY, DOWN, PEOPLE, USAGE, AccountReport
from models.tables import AccountRow, core
from models.text import Text, local
from models.timetable import due_account

ACCOUNT = core(AccountRow)
SHARD = 100  # batches: 10-120 s of work, one Prefect task
ROUNDS = 3  # of planning in one run: an answer may make something due at once
POLLED = 500  # changes asked about before their answers are written down
POLL_SECONDS = 0.25  # at least, between two looks at what a marketplace has accepted

Stage = Callable[..., Any]  # (name, call, *arguments) -> what the call gives: Prefect shows each as a task


def direct(name: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A stage that nobody watches."""
    return call(*arguments, **options)


class NeedsReconcile(Exception):
    """The database was restored from a backup: nothing may be written before everything was read back."""


class AccountRun:
    """Holds the account's lease from `with` to its end. Steps are public so that Prefect can show each as a task."""

    def __init__(self, context: Context, account: Account, run_id: str) -> None:
        self.context, self.account, self.run_id = context, account, run_id
        self.report = AccountReport(account=account.name, marketplace=account.connector.name, mode=account.shown_mode)
        self._clock, self._database = context.clock, context.database
        self._totals: dict[int, int] = {}  # changes of each plan when its sending began

    def __enter__(self) -> AccountRun:
        context, account, connector = self.context, self.account, self.account.connector
        self._begun, self._thread = self._clock.monotonic(), get_ident()
        self.lease = HeldLease(self._database, account.name, context.lease_seconds, self._clock)
        try:
            with reading(self._database) as db:
                self._media = MediaShelf(context.home / "media", known_media(db, account.name))
            self._settler = Settler(account.name, connector, self.run_id, self.lease.token)
            self._session = Session(
                connector,
                account.base_url,
                account.credentials,
                policy=account.policy,
                clock=self._clock,
                media=self._media,
                rng=context.rng,
                transport=account.transport,
                before_send=self._before_send,
            )
            self._client = connector.client(self._session)
        except BaseException:
            self.lease.release()
            raise
        self._pusher = Pusher(
            self._database,
            self._clock,
            connector,
            self._client,
            self.lease,
            self._settler,
            self._media,
            context.pool,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._session.close()
        self.report.requests = self._session.requests
        self.report.throttled = self._session.throttle.throttled
        self.report.seconds = round(self._clock.monotonic() - self._begun, 3)
        if kind is None or issubclass(kind, Exception):
            self.lease.release()

    def _before_send(self) -> None:
        """The last moment: the account must still be ours until the answer is here.

        Only this run's own thread may touch the database; on it a long read keeps the lease alive by itself.
        """
        if get_ident() == self._thread:
            self.lease.renew_if_due()
        self.lease.check(self.account.connector.limits.request_seconds)

    def recover(self, *, reading_all: bool = False) -> None:
        """Puts what an earlier run left open in order: nothing new is planned for a SKU before that."""
        with self.transaction() as db:
            self._put_in_order(db, reading_all=reading_all)
        self.look_up()
        self.poll()

    def look_up(self) -> None:
        """Reads what became of changes without an answer, once a read surely sees what a write did."""
        limits = self.account.connector.limits
        for number, batch in enumerate(self._open(ChangeStatus.UNKNOWN, limits.fetch_size)):
            if number == 0:
                self._clock.sleep(limits.settle_after)
            found = self._client.fetch([row.sku for row in batch])
            with self.transaction() as db:
                self._settler.looked_up(db, batch, found, self._clock.now())

    def find(self, plan_id: int) -> None:
        """Before a first create: what a marketplace without unique keys has already is adopted, not made again.

        Costs one read per page of SKUs, and only where two listings of one SKU are possible and can be searched.
        """
        if self.account.connector.safety != "C":
            return
        new = (OUTBOX.c.plan_id == plan_id, OUTBOX.c.kind == Kind.CREATE, OUTBOX.c.remote_id == "")
        with reading(self._database) as db:
            rows = db.execute(select(OUTBOX).where(*new, OUTBOX.c.status == ChangeStatus.PLANNED)).fetchall()
        for some in chunks(rows, self.account.connector.limits.fetch_size):
            found = self._client.fetch([row.sku for row in some])
            with self.transaction() as db:
                self._settler.adopt(db, some, found, self._clock.now())

    def poll(self) -> None:
        """Asks once about everything the marketplace accepted but had not finished."""
        for batch in self._open(ChangeStatus.ACCEPTED, POLLED):
            pending = [
                Result(
                    key=r.sku,
                    outcome=Outcome.ACCEPTED,
                    handle=r.handle,
                    remote_id=r.remote_id,
                    revision=r.remote_revision,
                )
                for r in batch
            ]
            results = self._client.poll(pending)
            asked = {result.key: result for result in pending}
            still = {result.key for result in results if result == asked.get(result.key)}  # nothing to write down
            with self.transaction() as db:
                for (plan_id, number), rows in _by_batch([r for r in batch if r.sku not in still]).items():
                    mine = [result for result in results if result.key in rows]
                    sent = [Sent.of(row) for row in rows.values()]
                    self._settler.results(db, plan_id, number, sent, mine, self._clock.now())

    def plan(self, selection: Selection = DUE, *, dry_run: bool = False) -> Planned:
        """Writes what is due, or what was asked for, to the outbox; a dry run writes nothing and says the same."""
        with _maybe(self.transaction(), undo=dry_run) as db:
            if dry_run:
                self._put_in_order(db)
            return Planner(db, self.account, self.run_id, self._clock.now(), selection).plan()

    def approved(self) -> list[int]:
        """Plans a person has let through and that still have something to send."""
        with reading(self._database) as db:
            mine = select(PLAN.c.id).where(PLAN.c.account == self.account.name, PLAN.c.status == "approved")
            return [row.id for row in db.execute(mine.order_by(PLAN.c.id))]

    def check(self) -> str:
        """Reads who the credentials belong to."""
        return self._client.check()

    def everything(self) -> list[Remote]:
        """All listings of the account as the marketplace has them; raises rather than give a part."""
        return [remote for page in self._client.everything() for remote in page]

    def transaction(self) -> AbstractContextManager[Connection]:
        """A write that only this run, while it holds the account, can make."""
        return self._pusher.transaction()

    def work(self, selection: Selection = DUE, stage: Stage = direct) -> None:
        """Sends what is approved and what is due, and once more what the answers made due."""
        for plan_id in self.approved():
            self.carry_out(plan_id, stage)
        for number in range(ROUNDS):
            planned = stage("plan", self.plan, selection.again() if number else selection)
            if planned.plan_id is not None:
                stage("find", self.find, planned.plan_id)
                self.carry_out(planned.plan_id, stage)
            if planned.plan_id is not None or number == 0:
                stage("settle", self.settle)
            if planned.plan_id is None or selection.failed or (selection.force and not selection.skus):
                return

    def carry_out(self, plan_id: int, stage: Stage = direct) -> None:
        """Sends the whole plan, shard by shard."""
        for number in range(1, self.shards(plan_id) + 1):
            stage(f"push-{plan_id}-{number}", self.push, plan_id)
        self.close(plan_id)

    def preview(self, selection: Selection = DUE) -> None:
        """What a run would do, in the report's counts, without doing it."""
        planned = self.plan(selection, dry_run=True)
        for kind, many in planned.kinds.items():
            self._settler.counts[COUNTED[kind]] = many

    def shards(self, plan_id: int) -> int:
        """How many pushes of SHARD batches the plan needs."""
        with reading(self._database) as db:
            _, batches = count_planned(db, plan_id)
        return -(-batches // SHARD)

    def push(self, plan_id: int) -> int:
        """Sends one shard of the plan and says how many changes that were."""
        with reading(self._database) as db:
            left, _ = count_planned(db, plan_id)
        total = self._totals.setdefault(plan_id, left)
        done = total - left

        def told(count: int) -> None:
            nonlocal done
            done += count
            self.context.progress(self.account.name, "push", done, total)

        return self._pusher.push(plan_id, SHARD, told)

    def close(self, plan_id: int) -> None:
        """The plan has nothing left to send; one that is held waits for a person."""
        with self.transaction() as db:
            status = db.execute(select(PLAN.c.status).where(PLAN.c.id == plan_id)).scalar_one()
            if status != "held" and count_planned(db, plan_id) == (0, 0):
                close_plan(db, plan_id, self._clock.now(), "applied")

    def settle(self) -> None:
        """Polls and looks up until nothing is open, or for as long as a run waits."""
        end = self._clock.monotonic() + self.context.patience
        total = left = self._waiting()
        while left:
            self.lease.renew_if_due()
            self.poll()
            self.look_up()
            left = self._waiting()
            self.context.progress(self.account.name, "settle", total - left, total)
            if not left or self._clock.monotonic() >= end:
                return
            self._clock.sleep(max(POLL_SECONDS, self.account.connector.limits.poll_after))

    def stopped(self, error: ConnectorError) -> None:
        """Notes why the account could not go on."""
        problem = problem_of(error)
        self.report.status = "failed"
        self.report.code = code_of(error)
        self.report.problems.append(_problem(problem.code, problem.message, problem.next_step))

    def finish(self) -> AccountReport:
        """Completes the report from what the database now says."""
        with reading(self._database) as db:
            finish(db, self.report, self._settler.counts)
        return self.report

    def _open(self, status: ChangeStatus, size: int) -> Iterator[list[Row[Any]]]:
        after = 0
        while True:
            with reading(self._database) as db:
                query = open_rows(self.account.name, status).where(OUTBOX.c.id > after).limit(size)
                batch = list(db.execute(query).fetchall())
            if not batch:
                return
            yield batch
            after = batch[-1].id

    def _waiting(self) -> int:
        with reading(self._database) as db:
            rows = (open_rows(self.account.name, s) for s in (ChangeStatus.ACCEPTED, ChangeStatus.UNKNOWN))
            counts = (r.order_by(None).with_only_columns(func.count()) for r in rows)
            return sum(db.execute(count).scalar_one() for count in counts)

    def _put_in_order(self, db: Connection, *, reading_all: bool = False) -> None:
        now = self._clock.now()
        mine = select(ACCOUNT.c.needs_reconcile).where(ACCOUNT.c.name == self.account.name)
        if not reading_all and db.execute(mine).scalar_one():
            raise NeedsReconcile
        self._mapping_changed(db)
        self._expire(db)
        ours = OUTBOX.c.account == self.account.name
        approved = select(PLAN.c.id).where(PLAN.c.account == self.account.name, PLAN.c.status == "approved")
        stale = ours & OUTBOX.c.plan_id.not_in(approved)
        for old in (stale, OUTBOX.c.plan_id.in_(approved) & (OUTBOX.c.product_revision != present_revision())):
            drop(db, old, ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, now, due=now)
        self._supersede_ready(db)
        left = db.execute(open_rows(self.account.name, ChangeStatus.SENDING)).fetchall()
        for some in chunks(left, 500):
            self._settler.interrupted(db, some, now)

    def _mapping_changed(self, db: Connection) -> None:
        """A connector that maps differently than last time makes the whole account due."""
        version = self.account.connector.mapping_version
        mine = ACCOUNT.c.name == self.account.name
        if db.execute(select(ACCOUNT.c.mapping_version).where(mine)).scalar_one() == version:
            return
        db.execute(update(ACCOUNT).where(mine).values(mapping_version=version))
        due_account(db, self.account.name, self._clock.now(), "mapping")

    def _expire(self, db: Connection) -> None:
        """An approval that did not come in time: the changes are planned afresh."""
        now = self._clock.now()
        late = (PLAN.c.account == self.account.name, PLAN.c.status == "held", PLAN.c.expires_at <= now)
        for row in db.execute(select(PLAN.c.id).where(*late)).fetchall():
            close_plan(db, row.id, now, "expired")
            drop(db, OUTBOX.c.plan_id == row.id, ChangeStatus.HELD, ChangeStatus.CANCELLED, now, due=now)

    def _supersede_ready(self, db: Connection) -> None:
        ready = (PLAN.c.account == self.account.name, PLAN.c.status == "ready")
        db.execute(update(PLAN).where(*ready).values(status="superseded", decided_at=self._clock.now()))


def sync(
    context: Context,
    account: Account,
    run_id: str,
    *,
    selection: Selection = DUE,
    dry_run: bool = False,
) -> AccountReport:
    """Everything one account needs, in this process."""
    with guarded(context, account, run_id) as (run, report):
        if run is None:
            return report
        if dry_run:
            run.preview(selection)
        else:
            run.recover()
            run.work(selection)
        run.finish()
    return report


@contextmanager
def guarded(context: Context, account: Account, run_id: str) -> Iterator[tuple[AccountRun | None, AccountReport]]:
    """A run of the account, with everything that can end it early turned into its report.

    Gives None instead of a run where there is nothing to run: a dormant or file account, or one held by another run.
    """
    run = AccountRun(context, account, run_id)
    report = run.report
    if account.mode != "api":
        yield None, _resting(context, run)
        return
    try:
        with run:
            try:
                yield run, report
            except ConnectorError as error:
                run.stopped(error)
                run.finish()
            except Stopped as stop:
                run.stopped(stop.error)
                run.finish()
            except LeaseLost:
                run.finish()
                raise
    except Busy as busy:
        yield None, _busy(report, busy)
    except NeedsReconcile:
        report.status, report.code = "failed", PEOPLE
        report.problems.append(_problem("needs-reconcile", RESTORED, RECONCILE))
    except LeaseLost:
        report.status, report.code = "failed", BUSY
        report.problems.append(_problem("lease-lost", LOST, LOST_NEXT))


def _resting(context: Context, run: AccountRun) -> AccountReport:
    note = run.account.connector.live_note if run.account.mode == "dormant" else None
    message = note or FILE_MODE
    run.report.problems.append(_problem(run.account.mode, message, RESTING_NEXT))
    with reading(context.database) as db:
        finish(db, run.report, {})
    return run.report


def _busy(report: AccountReport, busy: Busy) -> AccountReport:
    report.status, report.code = "failed", BUSY
    text = BUSY_TEXT.fill(holder=busy.holder, until=local(busy.until))
    report.problems.append(_problem("busy", text, BUSY_NEXT))
    return report


def _by_batch(rows: Sequence[Row[Any]]) -> dict[tuple[int, int], dict[str, Row[Any]]]:
    """Rows by the batch they were sent in, and in it by SKU."""
    found: dict[tuple[int, int], dict[str, Row[Any]]] = {}
    for row in rows:
        found.setdefault((row.plan_id, row.batch), {})[row.sku] = row
    return found


@contextmanager
def _maybe(transaction: Any, *, undo: bool) -> Iterator[Connection]:
    """The transaction, undone at its end where `undo` says so."""
    with transaction as db:
        if not undo:
            yield db
            return
        nested = db.begin_nested()
        yield db
        nested.rollback()


def code_of(error: ConnectorError) -> int:
    """The exit code of what stopped an account."""
    for kinds, code in (((AuthorisationFailed,), AUTHORISE), ((Misconfigured,), USAGE)):
        if isinstance(error, kinds):
            return code
    return DOWN if isinstance(error, NotSent | Throttled | Unanswered) else PEOPLE


def _problem(code: str, message: Text, next_step: Text) -> dict[str, Any]:
    return {"key": "", "field": "", "code": code, "message": message, "next_step": next_step}


BUSY_TEXT = Text(
    "Một lượt chạy khác đang giữ tài khoản này ({holder}, đến {until}).",
    "Another run holds this account ({holder}, until {until}).",
)
BUSY_NEXT = Text("Đợi lượt đó xong rồi chạy lại.", "Wait for it to end, then run again.")
RESTORED = Text(
    "Dữ liệu vừa được khôi phục từ bản sao lưu nên có thể thiếu những lần gửi sau bản sao đó.",
    "The data was restored from a backup and may have forgotten later sends.",
)
RECONCILE = Text("Trước hết chạy “caybeo reconcile” để đọc lại toàn bộ các sàn.", "Run “caybeo reconcile” first.")
LOST = Text(
    "Lượt chạy này đã mất quyền ghi vì tạm dừng quá lâu; không gửi gì thêm.",
    "This run lost the account because it paused too long; it sent nothing more.",
)
LOST_NEXT = Text("Không cần làm gì: lượt chạy sau làm tiếp.", "Nothing to do: the next run goes on.")
FILE_MODE = Text(
    "Tài khoản này đăng bằng tệp, hệ thống không tự gửi.", "This account is filled by file; nothing is sent."
)
RESTING_NEXT = Text("Xem “caybeo accounts list”.", "See “caybeo accounts list”.")

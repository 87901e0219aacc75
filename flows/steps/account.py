"""One account's run: lease, recover, plan, guard, push, settle, report. The same with and without Prefect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import get_ident
from types import TracebackType
from typing import Any, cast

from sqlalchemy import Connection, bindparam, select, update

from connectors.contract import Previews, Seller
from connectors.errors import (
    AuthorisationFailed,
    ConnectorError,
    Interrupted,
    Misconfigured,
    NotSent,
    Throttled,
    Unanswered,
    problem_of,
)
from connectors.transport import Session
from flows.steps.context import Account, Context
from flows.steps.media import MediaShelf, known_media
from flows.steps.oddities import keep_oddities, told_oddities
from flows.steps.plan import DUE, Planned, Planner, Selection
from flows.steps.push import Pusher, Stopped, count_planned
from flows.steps.report import finish
from flows.steps.settle import COUNTED, Settler
from flows.steps.tokens import ending
from flows.steps.unfinished import Unfinished
from models.change import ChangeStatus
from models.database import chunks, reading, writing
from models.lease import Busy, ClockJumped, HeldLease, HoldingOff, LeaseLost, shortest
from models.ledger import (
    INTERRUPTED,
    OPEN_ROW,
    OUTBOX,
    OVERTAKEN,
    PLAN,
    close_plan,
    drop,
    open_rows,
    outdated,
    record,
)
from models.listing import Listing, Problem, Remote
from models.quota import StoredHealth, StoredQuota
from models.report import AUTHORISE, BUSY, DOWN, PEOPLE, USAGE, AccountReport
from models.tables import AccountRow, core
from models.text import Text, local
from models.timetable import due_account

ACCOUNT = core(AccountRow)
MINE = PLAN.c.account == bindparam("of")
KNOWN = select(ACCOUNT.c.needs_reconcile, ACCOUNT.c.mapping_version).where(ACCOUNT.c.name == bindparam("of"))
LEFT = select(OUTBOX.c.status).where(OUTBOX.c.account == bindparam("of"), OPEN_ROW).distinct()
APPROVED = select(PLAN.c.id).where(MINE, PLAN.c.status == "approved").order_by(PLAN.c.id)
EXPIRED = select(PLAN.c.id).where(MINE, PLAN.c.status == "held", PLAN.c.expires_at <= bindparam("now"))
SUPERSEDE = (
    update(PLAN)
    .where(MINE, PLAN.c.status == "ready")
    .values(status="superseded", decided_at=bindparam("now", type_=PLAN.c.decided_at.type))
)
SHARD = 100  # batches: 10-120 s of work, one Prefect task
ROUNDS = 3  # of planning in one run: an answer may make something due at once
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
        self._identified = False
        self._totals: dict[int, int] = {}  # changes of each plan when its sending began

    def __enter__(self) -> AccountRun:
        context, account, connector = self.context, self.account, self.account.connector
        if context.stopping():
            raise Interrupted
        self._begun, self._thread = self._clock.monotonic(), get_ident()
        seconds = max(context.lease_seconds, shortest(connector.limits.request_seconds))
        self.lease = HeldLease(self._database, account.name, seconds, self._clock)
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
                quota=StoredQuota(self._database, account.name),
                health=StoredHealth(self._database, account.name),
                ends=self._begun + context.run_seconds,
                tokens=account.tokens(self._clock, account.name, self.lease.fence) if account.tokens else None,
            )
            self._client = connector.client(self._session)
        except BaseException:
            self.lease.release()
            raise
        self._pusher = pusher = Pusher(
            self._database,
            self._clock,
            connector,
            self._client,
            self.lease,
            self._settler,
            self._media,
            context.pool,
            context.stopping,
        )
        self._unfinished = Unfinished(
            self._database,
            self._clock,
            account.name,
            connector,
            self._client,
            self._settler,
            pusher.transaction,
            self.run_id,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._session.close()
        self.report.requests = self._session.requests
        self.report.throttled = self._session.throttle.throttled
        self.report.seconds = round(self._clock.monotonic() - self._begun, 3)
        if kind is None or issubclass(kind, Exception):
            self._session.settle()
            self.lease.release()

    def _before_send(self) -> None:
        """The last moment: the account must still be ours until the answer is here.

        Only this run's own thread may touch the database; on it a long read keeps the lease alive by itself. A run
        that was asked to end reads nothing more, and what the pool sends has a while to be ended in.
        """
        ours = get_ident() == self._thread
        if self.context.cut_off() or (ours and self.context.stopping()):
            raise Interrupted
        if ours:
            self.lease.renew_if_due()
        self.lease.check(self.account.connector.limits.request_seconds)

    def recover(self, *, reading_all: bool = False) -> None:
        """Puts what an earlier run left open in order: nothing new is planned for a SKU before that."""
        with self.transaction("recover") as db:
            self._put_in_order(db, reading_all=reading_all)
        self._unfinished.go_on(self._unfinished.standing())

    def find(self, plan_id: int) -> None:
        """Before a first create: what is there already is adopted."""
        self._unfinished.find(plan_id)

    def sweep(self) -> None:
        """After the last create: what arrived twice is closed or told."""
        plan_id, problems = self._unfinished.sweep()
        self.report.problems += problems
        if any(problem["code"] == "duplicate" for problem in problems):
            self.report.status, self.report.code = "partly_failed", PEOPLE
        if plan_id is not None:
            self.carry_out(plan_id)

    def identify(self) -> None:
        """Once in a run, before anything is sent: the credentials must belong to the shop they were given for."""
        if self.account.seller and not self._identified:
            self.known()

    def known(self) -> Seller:
        """Reads who the credentials belong to; the first answer is remembered, another shop's is refused."""
        seller = self._client.check()
        if self.account.seller not in ("", seller.id):
            raise AuthorisationFailed(
                "wrong-shop", message=WRONG_SHOP.fill(ours=self.account.seller, theirs=seller.id), next_step=RIGHT_SHOP
            )
        if not self.account.seller:
            with self.transaction("seller") as db:
                db.execute(update(ACCOUNT).where(ACCOUNT.c.name == self.account.name).values(seller=seller.id))
        self._identified = True
        return seller

    def opinion(self, listing: Listing) -> Problem | None:
        """What the marketplace itself says of a new listing, of which it keeps nothing."""
        self.identify()
        return cast(Previews, self._client).preview(listing)

    def plan(self, selection: Selection = DUE, *, dry_run: bool = False) -> Planned:
        """Writes what is due, or what was asked for, to the outbox; a dry run writes nothing and says the same."""
        with _maybe(self.transaction("plan"), undo=dry_run) as db:
            if dry_run:
                self._put_in_order(db)
            return Planner(db, self.account, self.run_id, self._clock.now(), selection).plan()

    def approved(self) -> list[int]:
        """Plans a person has let through and that still have something to send."""
        with reading(self._database) as db:
            return list(db.scalars(APPROVED, {"of": self.account.name}))

    def pages(self) -> Iterator[list[Remote]]:
        """All listings of the account as the marketplace has them, page by page; raises rather than end early."""
        return self._client.everything()

    def fetch(self, skus: Sequence[str]) -> list[Remote]:
        """What is there now of these SKUs."""
        pages = chunks(skus, self.account.connector.limits.fetch_size)
        return [remote for some in pages for remote in self._client.fetch(some)]

    def transaction(self, name: str) -> AbstractContextManager[Connection]:
        """A write that only this run, while it holds the account, can make."""
        return self._pusher.transaction(name)

    def work(self, selection: Selection = DUE, stage: Stage = direct) -> None:
        """Sends what is approved and what is due, and once more what the answers made due."""
        for plan_id in self.approved():
            self.carry_out(plan_id, stage)
        self._plan_and_send(selection, stage)
        stage("sweep", self.sweep)

    def _plan_and_send(self, selection: Selection, stage: Stage) -> None:
        for number in range(ROUNDS):
            planned = stage("plan", self.plan, selection.again() if number else selection)
            if planned.plan_id is not None:
                stage("find", self.find, planned.plan_id)
                self.carry_out(planned.plan_id, stage)
            answered = stage("settle", self.settle) if planned.plan_id is not None or number == 0 else 0
            nothing = planned.plan_id is None and not answered
            if nothing or selection.failed or (selection.force and not selection.skus):
                return

    def carry_out(self, plan_id: int, stage: Stage = direct) -> None:
        """Sends the whole plan, shard by shard."""
        self.identify()
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
        with self.transaction("close") as db:
            status = db.execute(select(PLAN.c.status).where(PLAN.c.id == plan_id)).scalar_one()
            if status != "held" and count_planned(db, plan_id) == (0, 0):
                close_plan(db, plan_id, self._clock.now(), "applied")

    def settle(self) -> int:
        """Polls and looks up until nothing is open, or for as long as a run waits; says how many were answered."""
        end = self._clock.monotonic() + self.context.patience
        standing = self._unfinished.standing()
        total = left = sum(standing.values())
        while standing:
            self.lease.renew_if_due()
            self._unfinished.go_on(standing)
            standing = self._unfinished.standing()
            left = sum(standing.values())
            self.context.progress(self.account.name, "settle", total - left, total)
            if not left or self._clock.monotonic() >= end:
                break
            self._clock.sleep(max(POLL_SECONDS, self.account.connector.limits.poll_after))
        return total - left

    def stopped(self, error: ConnectorError) -> None:
        """Notes why the account could not go on."""
        problem = problem_of(error)
        self.report.status = "failed"
        self.report.code = code_of(error)
        self.report.problems.append(_problem(problem.code, problem.message, problem.next_step))

    def finish(self) -> AccountReport:
        """Completes the report from what the database now says."""
        self._keep_oddities()
        with reading(self._database) as db:
            finish(db, self.report, self._settler.counts)
            if self.account.tokens:
                self.report.problems += ending(db, self.account.name, self._clock.now())
        return self.report

    def _keep_oddities(self) -> None:
        """Also where the lease is lost: they are about the marketplace, not about a listing."""
        met = self._session.oddities.take()
        if met:
            with writing(self._database, "oddities") as db:
                keep_oddities(db, self.account.name, met, self._clock.now())
            self.report.problems += told_oddities(self.account.name, met)

    def _put_in_order(self, db: Connection, *, reading_all: bool = False) -> None:
        known = db.execute(KNOWN, {"of": self.account.name}).one()
        if known.needs_reconcile and not reading_all:
            raise NeedsReconcile
        if known.mapping_version != self.account.connector.mapping_version:
            self._mapping_changed(db)
        self._expire(db)
        self._supersede_ready(db)
        left = {row.status for row in db.execute(LEFT, {"of": self.account.name})}
        if ChangeStatus.PLANNED in left:
            self._drop_stale(db)
        if ChangeStatus.SENDING in left:
            self._interrupted(db)

    def _drop_stale(self, db: Connection) -> None:
        """Planned rows that no approval holds, or whose product has changed since, are planned afresh."""
        now = self._clock.now()
        ours = OUTBOX.c.account == self.account.name
        approved = select(PLAN.c.id).where(PLAN.c.account == self.account.name, PLAN.c.status == "approved")
        stale = ours & OUTBOX.c.plan_id.not_in(approved)
        for old in (stale, OUTBOX.c.plan_id.in_(approved) & outdated(now)):
            drop(db, old, ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, now, due=now)

    def _interrupted(self, db: Connection) -> None:
        """What the holder before us was sending when it ended, or stood still."""
        event = OVERTAKEN if self.lease.overtaken else INTERRUPTED
        rows = db.execute(open_rows(self.account.name, ChangeStatus.SENDING)).fetchall()
        for some in chunks(rows, 500):
            self._settler.interrupted(db, some, self._clock.now(), last=self.lease.before, event=event)

    def _mapping_changed(self, db: Connection) -> None:
        """A connector that maps differently than last time makes the whole account due."""
        version = self.account.connector.mapping_version
        db.execute(update(ACCOUNT).where(ACCOUNT.c.name == self.account.name).values(mapping_version=version))
        due_account(db, self.account.name, self._clock.now(), "mapping")

    def _expire(self, db: Connection) -> None:
        """An approval that did not come in time: the changes are planned afresh."""
        now = self._clock.now()
        for row in db.execute(EXPIRED, {"of": self.account.name, "now": now}).fetchall():
            close_plan(db, row.id, now, "expired")
            drop(db, OUTBOX.c.plan_id == row.id, ChangeStatus.HELD, ChangeStatus.CANCELLED, now, due=now)
            record(db, now, self.run_id, self.account.name, "expired", [("", None, {"plan": row.id})])

    def _supersede_ready(self, db: Connection) -> None:
        db.execute(SUPERSEDE, {"of": self.account.name, "now": self._clock.now()})


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
    except HoldingOff as waiting:
        yield None, _busy(report, waiting, HOLDING_OFF, HOLDING_OFF_NEXT)
    except Busy as busy:
        yield None, _busy(report, busy, BUSY_TEXT, BUSY_NEXT)
    except Interrupted as error:
        run.stopped(error)
        yield None, report
    except NeedsReconcile:
        report.status, report.code = "failed", PEOPLE
        report.problems.append(_problem("needs-reconcile", RESTORED, RECONCILE))
    except ClockJumped:
        report.status, report.code = "failed", USAGE
        report.problems.append(_problem("clock-jumped", JUMPED, SET_CLOCK))
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


def _busy(report: AccountReport, busy: Busy, message: Text, next_step: Text) -> AccountReport:
    report.status, report.code = "failed", BUSY
    text = message.fill(holder=busy.holder, until=local(busy.until))
    report.problems.append(_problem("holding-off" if isinstance(busy, HoldingOff) else "busy", text, next_step))
    return report


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
    for kinds, code in (((AuthorisationFailed,), AUTHORISE), ((Misconfigured,), USAGE), ((Interrupted,), PEOPLE)):
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
HOLDING_OFF = Text(
    "Nhiều lượt chạy liền của tài khoản này bị ngắt đột ngột (lần cuối: {holder}); tạm dừng đến {until}.",
    "Run after run of this account ended abruptly (last: {holder}); it rests until {until}.",
)
HOLDING_OFF_NEXT = Text(
    "Xem máy có bị tắt ngang hoặc thiếu bộ nhớ không (“caybeo doctor”), rồi chạy lại sau giờ đó.",
    "See whether the machine is switched off or out of memory (“caybeo doctor”), then run again after that.",
)
JUMPED = Text(
    "Đồng hồ của máy vừa bị chỉnh trong lúc chạy nên lượt này dừng lại; không gửi gì thêm.",
    "This machine's clock was set while the run was going, so it stopped; it sent nothing more.",
)
SET_CLOCK = Text(
    "Bật đồng bộ giờ tự động cho máy rồi chạy lại.", "Let the machine set its clock by itself, then run again."
)
WRONG_SHOP = Text(
    "Thông tin đăng nhập là của gian hàng khác ({theirs}), không phải {ours}; không gửi gì.",
    "The credentials belong to another shop ({theirs}), not to {ours}; nothing was sent.",
)
RIGHT_SHOP = Text(
    "Nhập lại thông tin đăng nhập của đúng gian hàng bằng “caybeo accounts add”.",
    "Enter the right shop's credentials with “caybeo accounts add”.",
)
LOST = Text(
    "Lượt chạy này đã mất quyền ghi vì tạm dừng quá lâu; không gửi gì thêm.",
    "This run lost the account because it paused too long; it sent nothing more.",
)
LOST_NEXT = Text("Không cần làm gì: lượt chạy sau làm tiếp.", "Nothing to do: the next run goes on.")
FILE_MODE = Text(
    "Tài khoản này đăng bằng tệp, hệ thống không tự gửi.", "This account is filled by file; nothing is sent."
)
RESTING_NEXT = Text("Xem “caybeo accounts list”.", "See “caybeo accounts list”.")

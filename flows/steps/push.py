"""Planned changes -> the marketplace: batches in flight on a small pool, one thread for the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile

import msgspec
from sqlalchemy import Connection, Engine, bindparam, func, select, tuple_

from connectors.contract import Client, Connector
from connectors.errors import (
    AuthorisationFailed,
    ConnectorError,
    Down,
    Interrupted,
    Misconfigured,
    NotSent,
    OutOfTime,
    Refused,
    Throttled,
    Unanswered,
)
from flows.steps.media import MediaShelf, keep_media
from flows.steps.settle import Settler, sent_of
from models.change import Change, ChangeStatus
from models.clock import Clock
from models.database import writing
from models.lease import HeldLease, LeaseLost
from models.ledger import BATCH, OUTBOX, drop, mark_sending, withdrawn
from models.outcome import Result

# True of every other call too:
ENDS = (AuthorisationFailed, Misconfigured, Throttled, Interrupted, Down, OutOfTime)
DOWN_AFTER = 5  # calls in a row without a usable answer: this marketplace is down, the rest stays planned
NEXT = (
    select(BATCH.c.priority, BATCH.c.number, BATCH.c.changes)
    .where(
        BATCH.c.plan_id == bindparam("plan"),
        tuple_(BATCH.c.priority, BATCH.c.number) > tuple_(bindparam("priority"), bindparam("number")),
    )
    .order_by(BATCH.c.priority, BATCH.c.number)
    .limit(1)
)

PLANNED = (
    select(func.count(), func.count(OUTBOX.c.batch.distinct()))
    .select_from(OUTBOX)
    .where(OUTBOX.c.plan_id == bindparam("plan"), OUTBOX.c.status == ChangeStatus.PLANNED)
)

_log = logging.getLogger(__name__)
_changes_of = msgspec.json.Decoder(list[Change]).decode


class Stopped(Exception):
    """The account cannot go on: `error` says why, the rows not sent stay due."""

    def __init__(self, error: ConnectorError) -> None:
        super().__init__(error.code)
        self.error = error


@dataclass(frozen=True, slots=True)
class UnderWay:
    """One request's worth of changes, marked as being sent."""

    number: int
    changes: list[Change]


Answer = tuple[list[Change], list[Result] | Exception]  # what one call was given, and what came of it


class Pusher:
    """Sends the planned changes of plans of one account."""

    def __init__(
        self,
        database: Engine,
        clock: Clock,
        connector: Connector,
        client: Client,
        lease: HeldLease,
        settler: Settler,
        media: MediaShelf,
        pool: Callable[[int], Executor],
        stopping: Callable[[], bool],
    ) -> None:
        self._database, self._clock, self._connector, self._client = database, clock, connector, client
        self._lease, self._settler, self._media, self._pool = lease, settler, media, pool
        self._stopping = stopping
        self._place: dict[int, tuple[int, int]] = {}  # how far into each plan: (priority, number) of the last batch
        self._silent = 0
        self._stop: ConnectorError | None = None

    def push(self, plan_id: int, batches: int, told: Callable[[int], None]) -> int:
        """Sends at most `batches` batches, most urgent first, and says how many changes that were. Raises Stopped."""
        under_way: dict[Future[list[Answer]], UnderWay] = {}
        sent, left = 0, batches
        with self._pool(self._connector.limits.in_flight) as pool:
            left -= self._start(pool, plan_id, under_way, left)
            while under_way:
                done, _ = wait(under_way, timeout=self._lease.due_in(), return_when=FIRST_COMPLETED)
                self._lease.renew_if_due()
                for future in done:
                    batch = under_way.pop(future)
                    results = self._results(future)
                    with self.transaction("settle") as db:
                        self._settle(db, plan_id, batch, results)
                        following = self._take(db, plan_id) if left else None
                    left -= self._submit(pool, following, under_way)
                    sent += len(batch.changes)
                    told(len(batch.changes))
        if self._stop is None and self._stopping():
            self._stop = Interrupted()
        if self._stop:
            raise Stopped(self._stop)
        return sent

    def _start(self, pool: Executor, plan_id: int, under_way: dict[Future[list[Answer]], UnderWay], most: int) -> int:
        """Fills the pool once; from then on each answer makes room for the next batch, in one transaction."""
        with self.transaction("send") as db:
            self._leave_withdrawn(db, plan_id)
            places = range(min(most, self._connector.limits.in_flight))
            taken = list(takewhile(bool, (self._take(db, plan_id) for _ in places)))
        return sum(self._submit(pool, batch, under_way) for batch in taken)

    def _leave_withdrawn(self, db: Connection, plan_id: int) -> None:
        """Whoever takes an item down need not wait for the end of a long run, or of a plan that was approved before."""
        now, these = self._clock.now(), (OUTBOX.c.plan_id == plan_id) & withdrawn()
        drop(db, these, ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, now, due=now)

    def _submit(self, pool: Executor, batch: UnderWay | None, under_way: dict[Future[list[Answer]], UnderWay]) -> int:
        """After its mark was committed."""
        if batch is None:
            return 0
        under_way[pool.submit(self._send, batch.changes)] = batch
        return 1

    def _take(self, db: Connection, plan_id: int) -> UnderWay | None:
        """The next batch that still has something to send, marked as being sent."""
        while self._stop is None and not self._stopping():
            priority, number = self._place.get(plan_id, (-1, -1))
            row = db.execute(NEXT, {"plan": plan_id, "priority": priority, "number": number}).one_or_none()
            if row is None:
                return None
            self._place[plan_id] = (row.priority, row.number)
            changes = _changes_of(row.changes)
            changes = mark_sending(db, plan_id, row.number, changes, self._lease.token, self._clock.now())
            if changes:
                return UnderWay(row.number, changes)
        return None

    def _settle(self, db: Connection, plan_id: int, batch: UnderWay, results: list[Result]) -> None:
        now = self._clock.now()
        self._settler.results(db, plan_id, batch.number, sent_of(batch.changes), results, now)
        keep_media(db, self._lease.account, self._media.take_learned())

    def _send(self, changes: list[Change]) -> list[Answer]:
        """On a thread of the pool: the batch, or its halves until what is refused stands alone."""
        try:
            return [(changes, self._client.push(changes))]
        except LeaseLost:
            raise
        except Refused as error:
            if len(changes) == 1:
                return [(changes, error)]
            middle = len(changes) // 2
            return self._send(changes[:middle]) + self._send(changes[middle:])
        except Exception as error:  # noqa: BLE001  # a connector's own fault must not lose the other batches' outcomes
            return [(changes, error)]

    def _results(self, future: Future[list[Answer]]) -> list[Result]:
        results: list[Result] = []
        for changes, answer in future.result():
            if isinstance(answer, Exception):
                error = self._known(answer)
                self._judge(error)
                keys = [change.key for change in changes]
                results += self._settler.whole_batch(keys, error, self._clock.now())
            else:
                self._silent = 0
                results += answer
        return results

    def _known(self, error: Exception) -> ConnectorError:
        if isinstance(error, ConnectorError):
            return error
        _log.error("connector %s failed", self._connector.name, exc_info=error)
        return Unanswered(type(error).__name__)

    def _judge(self, error: ConnectorError) -> None:
        """Whether to go on with the account after a failed call."""
        self._silent = self._silent + 1 if isinstance(error, NotSent | Unanswered) else 0
        if isinstance(error, ENDS) or self._silent >= DOWN_AFTER:
            self._stop = error

    @contextmanager
    def transaction(self, name: str) -> Iterator[Connection]:
        """A write that only the account's present holder can make."""
        with writing(self._database, name) as db:
            self._lease.fence(db)
            yield db


def count_planned(db: Connection, plan_id: int) -> tuple[int, int]:
    """Changes and batches of the plan that are still to be sent."""
    changes, batches = db.execute(PLANNED, {"plan": plan_id}).one()
    return int(changes), int(batches)

"""Results -> outbox, listing state and ledger, in one transaction; unknown outcomes are looked up, never guessed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, or_, select, update

from connectors.contract import Connector
from connectors.errors import Conflict, ConnectorError, Refused, Throttled, Unanswered, problem_of
from flows.steps.verdict import in_doubt, pick, poisoned, verdict
from models.change import Change, ChangeStatus, Kind
from models.ledger import ACCEPT, MOVE, NOTE, OUTBOX, REST, drop, end, record
from models.listing import Problem, Remote, facet_hash
from models.outcome import Outcome, Result
from models.timetable import ASKED_FOR, STATE

COUNTED: dict[str, str] = {
    Kind.CREATE: "created",
    Kind.RELIST: "created",
    Kind.UPDATE: "updated",
    Kind.DELIST: "delisted",
    Kind.CLOSE: "delisted",
}
# These teach no id: closing a second listing is sent as a delist, and what we know of the first one stays.
DOWN = (Kind.DELIST, Kind.CLOSE)
POISONED = 3  # runs in a row in which one listing failed in the same way
LONGEST_SECONDS = 7200.0  # a run's length: whoever asks for a longer wait is asked again by a later run
AGAIN_SECONDS = 1.0  # between two reads that must agree

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """A change that is under way, wherever it was read from."""

    key: str
    kind: str
    facets: tuple[str, ...]
    remote_id: str
    handle: str = ""

    @classmethod
    def of(cls, row: Row[Any]) -> Sent:
        return cls(row.sku, row.kind, tuple(row.facets.split(",")) if row.facets else (), row.remote_id, row.handle)


class Settler:
    """Writes what became of changes of one account. Every method runs inside the caller's fenced transaction."""

    def __init__(self, account: str, connector: Connector, run_id: str, lease: int) -> None:
        self._account, self._connector, self._run_id = account, connector, run_id
        self._turns = count(lease << 32)  # no two transactions of any run share one
        self._failed: set[str] = set()  # SKUs whose attempt of this run is counted
        self.counts: dict[str, int] = {}

    def results(
        self, db: Connection, plan_id: int, batch: int, sent: Sequence[Sent], results: Sequence[Result], now: datetime
    ) -> None:
        """Exactly one outcome for each change of a batch, by key; a missing or contradicted answer is unknown."""
        answers = self._by_key(sent, results)
        pairs = [(one, answers.get(one.key) or Result(key=one.key, outcome=Outcome.UNKNOWN)) for one in sent]
        where = {"plan": plan_id, "batch": batch}
        if self._all_accepted(db, pairs, where, now):
            return
        turn = next(self._turns)
        self._narrow(db, [pair for pair in pairs if _partly(*pair)])
        end(db, [self._end(one, result, turn, now) for one, result in pairs])
        outcomes = {result.outcome for _, result in pairs}
        if Outcome.ACKNOWLEDGED in outcomes:
            db.execute(MOVE, {**where, "turn": turn, "now": now})
        if Outcome.REJECTED in outcomes:
            db.execute(REST, {**where, "turn": turn})
        db.execute(NOTE, {**where, "turn": turn, "now": now, "run": self._run_id})
        for one, result in pairs:
            self._mark(db, one, result, now)

    def whole_batch(self, keys: Iterable[str], error: ConnectorError, now: datetime) -> list[Result]:
        """What one failed call means for every change in it."""
        outcomes = ((Unanswered, Outcome.UNKNOWN), (Conflict, Outcome.UNKNOWN), (Refused, Outcome.REJECTED))
        outcome = next((known for kind, known in outcomes if isinstance(error, kind)), Outcome.DEFERRED)
        problem = problem_of(error)
        wait = error.retry_after if isinstance(error, Throttled) else None
        until = now + timedelta(seconds=min(wait, LONGEST_SECONDS)) if wait else None
        return [Result(key=key, outcome=outcome, problem=problem, until=until) for key in keys]

    def looked_up(self, db: Connection, rows: Sequence[Row[Any]], found: Sequence[Remote], now: datetime) -> None:
        """Judges rows of unknown outcome by what the marketplace shows: once where it is there, twice where not."""
        for row in rows:
            remote = pick(row, found)
            result = verdict(row, remote)
            if result is not None:
                self.results(db, row.plan_id, row.batch, [Sent.of(row)], [result], now)
                if remote is None and row.kind == Kind.UPDATE:  # deleted there: nothing is sent until a person asks
                    self._set(db, row.sku, status="gone")
            elif remote is None and row.kind == Kind.CREATE and self._connector.safety == "D":
                self._quarantine(db, row, now, in_doubt(), doubt=True)
            elif self._attempts(db, row) >= POISONED:
                self._learn(db, row, remote, now)
                self._quarantine(db, row, now, poisoned(row.problem), doubt=False)
            else:
                self._plan_again(db, row, remote, now)

    def doubt(self, db: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
        """Accepted so long ago that no answer is to be expected: looked up instead."""
        if not rows:
            return
        these = OUTBOX.c.id.in_([row.id for row in rows])
        db.execute(update(OUTBOX).where(these).values(status=ChangeStatus.UNKNOWN, settle_at=now))
        record(db, now, self._run_id, self._account, "answer-overdue", [(row.sku, row.id, None) for row in rows])

    def wait(self, db: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
        """Two reads did not agree: these rows are judged later."""
        ids = [row.id for row in rows]
        later = now + timedelta(seconds=max(self._connector.limits.settle_after, AGAIN_SECONDS))
        db.execute(update(OUTBOX).where(OUTBOX.c.id.in_(ids)).values(settle_at=later))

    def adopt(self, db: Connection, rows: Sequence[Row[Any]], found: Sequence[Remote], now: datetime) -> None:
        """Creates of what is there already give way to a plan that begins from it."""
        there = {remote.key: remote for remote in found}
        for row in rows:
            if remote := there.get(row.sku):
                drop(db, OUTBOX.c.id == row.id, ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, now, due=now)
                believe(db, self._account, row.sku, remote)
                record(db, now, self._run_id, self._account, "looked-up-found", [(row.sku, row.id, None)])

    def interrupted(
        self, db: Connection, rows: Sequence[Row[Any]], now: datetime, *, last: datetime, event: str
    ) -> None:
        """Rows an ended run left behind while sending: unknown, and not to be judged while a request may travel.

        `last` is the latest moment at which that run may have begun one.
        """
        limits = self._connector.limits
        settled = last + timedelta(seconds=limits.request_seconds + limits.settle_after)
        these = OUTBOX.c.id.in_([row.id for row in rows])
        db.execute(update(OUTBOX).where(these).values(status=ChangeStatus.UNKNOWN, settle_at=settled))
        record(db, now, self._run_id, self._account, event, [(row.sku, row.id, None) for row in rows])

    def _by_key(self, sent: Sequence[Sent], results: Sequence[Result]) -> dict[str, Result]:
        wanted = {one.key for one in sent}
        answers: dict[str, Result] = {}
        for result in results:
            if result.key not in wanted:
                _log.warning("%s answered about a SKU that was not sent", self._account)
            elif answers.setdefault(result.key, result) != result:
                answers[result.key] = Result(key=result.key, outcome=Outcome.UNKNOWN)
        return answers

    def _all_accepted(
        self, db: Connection, pairs: Sequence[tuple[Sent, Result]], where: dict[str, int], now: datetime
    ) -> bool:
        """The common case of an asynchronous marketplace: one job took the whole batch."""
        handle = pairs[0][1].handle
        for one, result in pairs:
            alike = result.outcome is Outcome.ACCEPTED and result.handle == handle and not result.remote_id
            if not alike or one.handle not in ("", handle) or _partly(one, result):
                return False
        db.execute(
            ACCEPT, {**where, "handle": handle, "settle": self._settled(now)}
        )  # a row that is accepted already stays as it is
        return True

    def _end(self, one: Sent, result: Result, turn: int, now: datetime) -> dict[str, Any]:
        under_way = result.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)
        return {
            "account": self._account,
            "sku": one.key,
            "status": result.outcome.value,
            "remote_id": result.remote_id or one.remote_id,
            "revision": result.revision,
            "handle": result.handle or one.handle,
            "problem": msgspec.to_builtins(result.problem) if result.problem else None,
            "done": None if under_way else now,
            "turn": turn,
            "settle": self._settled(now) if under_way else None,
        }

    def _mark(self, db: Connection, one: Sent, result: Result, now: datetime) -> None:
        """What the outcome means for the report, and for a listing that did not come through whole."""
        if result.outcome is Outcome.ACKNOWLEDGED:
            self._count(COUNTED[one.kind])
            if not _partly(one, result):
                return
        where = (STATE.c.account == self._account, STATE.c.sku == one.key)
        if result.outcome is Outcome.ACCEPTED:
            self._accepted(db, where, one, result, now)
            return
        if result.outcome is Outcome.REJECTED:
            self._doubt(db, where, one)
        db.execute(update(STATE).where(*where).values(**self._trouble(db, one, result)))
        self._due_again(db, where, one, result, now)

    def _accepted(self, db: Connection, where: Any, one: Sent, result: Result, now: datetime) -> None:
        """What was left out is due as soon as the answer about the rest is there."""
        if result.remote_id and one.kind not in DOWN:
            db.execute(update(STATE).where(*where).values(remote_id=result.remote_id))
        if _partly(one, result):
            db.execute(update(STATE).where(*where).values(due_at=now, due_reason="changed"))

    def _doubt(self, db: Connection, where: Any, one: Sent) -> None:
        """A review may reject what the marketplace has already stored: going back to the old text is a change too."""
        baseline = db.execute(select(STATE.c.baseline).where(*where)).scalar_one()
        left = {facet: known for facet, known in baseline.items() if facet not in one.facets}
        db.execute(update(STATE).where(*where).values(baseline=left))

    def _trouble(self, db: Connection, one: Sent, result: Result) -> dict[str, Any]:
        problem = msgspec.to_builtins(result.problem) if result.problem else None
        partly = result.outcome is Outcome.ACKNOWLEDGED
        values: dict[str, Any] = {
            "outcome": Outcome.DEFERRED.value if partly else result.outcome.value,
            "problems": [problem] if problem else [],
            "attempts": self._counted(db, one, result),
        }
        if one.kind == Kind.CREATE:
            values["status"] = ASKED_FOR
        known = {"remote_id": "" if one.kind in DOWN else result.remote_id, "revision": result.revision}
        return values | {name: value for name, value in known.items() if value}

    def _counted(self, db: Connection, one: Sent, result: Result) -> Any:
        """Runs in a row in which this listing failed in the same way; a run counts once, however often it tried."""
        if one.key in self._failed:
            return STATE.c.attempts
        self._failed.add(one.key)
        ended = (OUTBOX.c.account == self._account, OUTBOX.c.sku == one.key, OUTBOX.c.done_at.is_not(None))
        query = select(OUTBOX.c.problem).where(*ended).order_by(OUTBOX.c.id.desc()).limit(1)
        before = db.execute(query).scalar() or {}
        code = result.problem.code if result.problem else None
        return STATE.c.attempts + 1 if before.get("code") == code else 1

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def _due_again(self, db: Connection, where: Any, one: Sent, result: Result, now: datetime) -> None:
        due = self._when(result, now)
        if due is None:
            return
        causes = [STATE.c.due_at.is_(None), STATE.c.due_reason == "calendar"][: 2 if _partly(one, result) else 1]
        db.execute(update(STATE).where(*where, or_(*causes)).values(due_at=due, due_reason="retry"))

    def _when(self, result: Result, now: datetime) -> datetime | None:
        """Rejected rests until a cause comes up; what was not taken is planned again; unknown is looked up."""
        if result.outcome in (Outcome.DEFERRED, Outcome.ACKNOWLEDGED):
            return result.until or now
        return self._settled(now) if result.outcome is Outcome.UNKNOWN else None

    def _settled(self, now: datetime) -> datetime:
        """When a read surely sees what an attempt that has just ended did."""
        return now + timedelta(seconds=self._connector.limits.settle_after)

    def _narrow(self, db: Connection, some: Sequence[tuple[Sent, Result]]) -> None:
        """Only the facets that were taken move the baseline, and the figures that the next guards compare with."""
        for one, result in some:
            mine = (OUTBOX.c.account == self._account, OUTBOX.c.sku == one.key, OUTBOX.c.done_at.is_(None))
            left = {f: OUTBOX.c[f"old_{f}"] for f in ("price", "stock") if f in _left_out(one, result)}
            hashes = db.execute(select(OUTBOX.c.hashes).where(*mine)).scalar_one()
            where = (STATE.c.account == self._account, STATE.c.sku == one.key)
            baseline = db.execute(select(STATE.c.baseline).where(*where)).scalar_one()
            taken = {f: h for f, h in hashes.items() if f in (result.facets or ())}
            db.execute(update(OUTBOX).where(*mine).values(hashes={**baseline, **taken}, **left))

    def _set(self, db: Connection, sku: str, **values: Any) -> None:
        db.execute(update(STATE).where(STATE.c.account == self._account, STATE.c.sku == sku).values(**values))

    def _attempts(self, db: Connection, row: Row[Any]) -> int:
        where = (STATE.c.account == self._account, STATE.c.sku == row.sku)
        return int(db.execute(select(STATE.c.attempts).where(*where)).scalar() or 0)

    def _quarantine(self, db: Connection, row: Row[Any], now: datetime, problem: Problem, *, doubt: bool) -> None:
        """Nothing more is sent of it until its record changes or a person asks; a doubtful create waits for a person.

        Class D can neither repeat nor find a create.
        """
        drop(db, OUTBOX.c.id == row.id, ChangeStatus.UNKNOWN, ChangeStatus.QUARANTINED, now, due=None)
        said = msgspec.to_builtins(problem)
        where = (STATE.c.account == self._account, STATE.c.sku == row.sku)
        values = {"outcome": "quarantined", "problems": [said], "doubt": doubt, "attempts": 0}
        db.execute(update(STATE).where(*where).values(**values))
        day = {"due_at": row.calendar, "due_reason": "calendar" if row.calendar else None}
        db.execute(update(STATE).where(*where, STATE.c.due_reason == "retry").values(**day))
        record(db, now, self._run_id, self._account, "quarantined", [(row.sku, row.id, said)])

    def _plan_again(self, db: Connection, row: Row[Any], remote: Remote | None, now: datetime) -> None:
        """The marketplace does not show what was sent: take its word for what is there, and plan from that."""
        drop(db, OUTBOX.c.id == row.id, ChangeStatus.UNKNOWN, ChangeStatus.SUPERSEDED, now, due=now)
        self._learn(db, row, remote, now)

    def _learn(self, db: Connection, row: Row[Any], remote: Remote | None, now: datetime) -> None:
        """An update is judged by its own facets: what people changed beside them is for reconcile to report."""
        if row.kind in (Kind.CREATE, Kind.RELIST):
            believe(db, self._account, row.sku, remote, known=row.remote_id if row.kind == Kind.CREATE else "")
            if shown := _as_sent(row, remote):  # what the next guards compare with
                self._set(db, row.sku, **shown)
        elif row.kind == Kind.UPDATE and remote:
            believe_facets(db, self._account, row.sku, remote, Sent.of(row).facets)
        event = "looked-up-found" if remote else "looked-up-absent"
        record(db, now, self._run_id, self._account, event, [(row.sku, row.id, None)])


def believe_facets(db: Connection, account: str, sku: str, remote: Remote, facets: Iterable[str]) -> None:
    """Takes the marketplace's word for these facets only; nothing is shown of a draft, or of what was rejected."""
    where = (STATE.c.account == account, STATE.c.sku == sku)
    baseline = db.execute(select(STATE.c.baseline).where(*where)).scalar_one()
    known = {facet: value for facet, value in baseline.items() if facet not in facets}
    hashes = {facet: facet_hash(remote.facets.get(facet)) for facet in facets}
    shown = {} if remote.status in ("draft", "rejected") else hashes
    db.execute(update(STATE).where(*where).values(baseline=known | shown, revision=remote.revision))


def believe(db: Connection, account: str, sku: str, remote: Remote | None, *, known: str = "") -> None:
    """Takes the marketplace's word for what it shows: that is the baseline now.

    `known` is the id of an unfinished create, which is worth going on from even where no search finds it yet.
    """
    values: dict[str, Any] = {"status": "absent", "baseline": {}, "remote_id": known, "revision": ""}
    if remote and remote.status == "draft":
        values["remote_id"] = remote.remote_id
    elif remote:
        shown = {f: facet_hash(v) for f, v in remote.facets.items() if remote.status != "rejected"}
        status = "live" if remote.status == "live" else "hidden"
        values = {"status": status, "baseline": shown, "remote_id": remote.remote_id, "revision": remote.revision}
    db.execute(update(STATE).where(STATE.c.account == account, STATE.c.sku == sku).values(**values))


def _as_sent(row: Row[Any], remote: Remote | None) -> dict[str, Any]:
    """Price and stock of this change, where the marketplace shows them."""
    facets = remote.facets if remote and remote.status != "draft" else {}
    shown = [f for f in ("price", "stock") if f in facets and facet_hash(facets[f]) == row.hashes.get(f)]
    return {f: getattr(row, f) for f in shown}


def sent_of(changes: Sequence[Change]) -> list[Sent]:
    return [Sent(c.key, c.kind, c.facets, c.remote_id) for c in changes]


def _partly(one: Sent, result: Result) -> bool:
    taken = result.outcome in (Outcome.ACKNOWLEDGED, Outcome.ACCEPTED)
    return taken and result.facets is not None and set(result.facets) != set(one.facets)


def _left_out(one: Sent, result: Result) -> set[str]:
    """What was asked for and not taken."""
    return set(one.facets) - set(result.facets or ())

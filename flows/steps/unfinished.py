"""What is open on an account: accepted is polled, unknown is looked up, what is there already is adopted or closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, bindparam, func, insert, select, update

from connectors.contract import Client, Connector
from connectors.errors import OtherShape
from flows.steps.settle import AGAIN_SECONDS, Sent, Settler
from flows.steps.verdict import agree, settled_by
from models.change import Change, ChangeStatus, Kind
from models.clock import Clock
from models.database import chunks, reading
from models.ledger import BATCH, OPEN_ROW, OUTBOX, doubtful_creates, made_by_us, open_plan, record
from models.listing import Remote, facet_hash
from models.outcome import Outcome, Result
from models.text import Text
from models.timetable import ACCOUNT, STATE

POLLED = 500  # changes asked about before their answers are written down
ACCEPTED_HOURS = 24  # after that an acceptance that came to nothing is looked up
ILLEGIBLE = 3  # listings in one look: so many are the marketplace's doing, not theirs
SWEPT_HOURS = 72  # for so long a run that was overtaken may wake up and send what it held

MINE = OUTBOX.c.account == bindparam("of")
UNFINISHED = (
    select(OUTBOX.c.status, func.count().label("many"))
    .where(MINE, OPEN_ROW, OUTBOX.c.status.in_((ChangeStatus.ACCEPTED, ChangeStatus.UNKNOWN)))
    .group_by(OUTBOX.c.status)
)
RIPE = (
    select(OUTBOX)
    .where(MINE, OPEN_ROW, OUTBOX.c.status == bindparam("stands"), OUTBOX.c.id > bindparam("after"))
    .where((OUTBOX.c.settle_at <= bindparam("now")) | OUTBOX.c.settle_at.is_(None))
    .order_by(OUTBOX.c.id)
    .limit(bindparam("size"))
)

_json = msgspec.json.encode


class Unfinished:
    """The open rows of one account, for the run that holds it."""

    def __init__(
        self,
        database: Engine,
        clock: Clock,
        account: str,
        connector: Connector,
        client: Client,
        settler: Settler,
        transaction: Callable[[str], AbstractContextManager[Connection]],
        run_id: str,
    ) -> None:
        self._database, self._clock, self._account, self._connector = database, clock, account, connector
        self._client, self._settler, self._transaction, self._run_id = client, settler, transaction, run_id

    def standing(self) -> dict[str, int]:
        """How many changes wait for an answer (accepted), and for a look-up (unknown)."""
        with reading(self._database) as db:
            return {row.status: row.many for row in db.execute(UNFINISHED, {"of": self._account})}

    def go_on(self, standing: Mapping[str, int]) -> None:
        """Asks once about all of these of which something may be known by now."""
        if ChangeStatus.UNKNOWN in standing:
            self.look_up()
        if ChangeStatus.ACCEPTED in standing:
            self.poll()

    def poll(self) -> None:
        """Asks once about everything the marketplace accepted but had not finished."""
        for batch in self._open(ChangeStatus.ACCEPTED, POLLED):
            late, timely = self._by_age(batch)
            results = self._client.poll([_pending(row) for row in timely]) if timely else []
            asked = {row.sku: _pending(row) for row in timely}
            still = {result.key for result in results if result == asked.get(result.key)}  # nothing to write down
            with self._transaction("polled") as db:
                self._settler.doubt(db, late, self._clock.now())
                for (plan_id, number), rows in _by_batch([r for r in timely if r.sku not in still]).items():
                    mine = [result for result in results if result.key in rows]
                    sent = [Sent.of(row) for row in rows.values()]
                    self._settler.results(db, plan_id, number, sent, mine, self._clock.now())

    def look_up(self) -> None:
        """Reads what became of changes without an answer, once a read surely sees what a write did."""
        for rows in self._open(ChangeStatus.UNKNOWN, self._connector.limits.fetch_size):
            legible, found = self._legible([row.sku for row in rows])
            known = [row for row in rows if row.sku in legible]
            sure = [row for row in known if settled_by(row, found)]
            doubtful = [row for row in known if row not in sure]
            agreed = self._read_again(doubtful, found) if doubtful else []
            judged = sure + agreed
            with self._transaction("looked-up") as db:
                self._settler.looked_up(db, judged, found, self._clock.now())
                self._settler.wait(db, [row for row in rows if row not in judged], self._clock.now())

    def find(self, plan_id: int) -> None:
        """Before a first create: what a marketplace without unique keys has already is adopted, not made again.

        Costs one read per page of SKUs, and only where two listings of one SKU are possible and can be searched.
        """
        if self._connector.safety != "C":
            return
        new = (OUTBOX.c.plan_id == plan_id, OUTBOX.c.kind == Kind.CREATE, OUTBOX.c.remote_id == "")
        with reading(self._database) as db:
            rows = db.execute(select(OUTBOX).where(*new, OUTBOX.c.status == ChangeStatus.PLANNED)).fetchall()
        for some in chunks(rows, self._connector.limits.fetch_size):
            found = self._client.fetch([row.sku for row in some])
            with self._transaction("adopt") as db:
                self._settler.adopt(db, some, found, self._clock.now())

    def sweep(self) -> tuple[int | None, list[dict[str, Any]]]:
        """Looks for second listings of SKUs whose create may have arrived twice.

        Gives the plan that closes those the ledger proves to be ours, and what to tell about all of them.
        """
        if self._connector.safety != "C":
            return None, []
        with reading(self._database) as db:
            skus = doubtful_creates(db, self._account, self._clock.now() - timedelta(hours=SWEPT_HOURS))
        if not skus:
            return None, []
        first, sure = self._too_many(list(skus))
        found, too = self._too_many(list(first)) if first else (first, True)
        agreed = sure and too and found.keys() == first.keys()
        with self._transaction("sweep") as db:
            return self._close(db, found, max(skus.values()) if agreed else None)

    def _too_many(self, skus: Sequence[str]) -> tuple[dict[str, list[Remote]], bool]:
        """SKUs of which more is live than we know of, with all their live listings, and whether to believe that read.

        One that misses a listing we know of may as well miss a second one.
        """
        self._clock.sleep(self._connector.limits.settle_after)
        found: dict[str, list[Remote]] = {}
        sure = True
        for some in chunks(skus, self._connector.limits.fetch_size):
            legible, there = self._legible(some)
            sure = sure and len(legible) == len(some)
            live = [remote for remote in there if remote.status == "live"]
            with reading(self._database) as db:
                where = (STATE.c.account == self._account, STATE.c.sku.in_(some), STATE.c.status == "live")
                known = set(db.scalars(select(STATE.c.sku).where(*where)))
            for sku in some:
                mine = [remote for remote in live if remote.key == sku]
                sure = sure and len(mine) >= (sku in known)
                if len(mine) > (sku in known):
                    found[sku] = mine
        return found, sure

    def _close(
        self, db: Connection, twice: dict[str, list[Remote]], latest: int | None
    ) -> tuple[int | None, list[dict[str, Any]]]:
        closing, problems, left = [], [], latest is None
        for sku, remotes in twice.items():
            kept, extra = self._extra(db, sku, remotes)
            closing += extra[:1]  # one open change of a SKU at a time: a third one is the next run's
            left = left or len(kept) > 1 or len(extra) > 1
            if extra or len(kept) > 1:
                problems.append(_told(sku, kept, extra))
        if not left:
            db.execute(update(ACCOUNT).where(ACCOUNT.c.name == self._account).values(swept_to=latest))
        if not closing:
            return None, problems
        now = self._clock.now()
        plan_id = open_plan(db, self._account, self._run_id, now)
        db.execute(insert(BATCH), [_batch(plan_id, number, remote) for number, remote in enumerate(closing, 1)])
        rows = [self._row(plan_id, number, remote) for number, remote in enumerate(closing, 1)]
        db.execute(insert(OUTBOX), rows)
        told = [(remote.key, None, {"remote_id": remote.remote_id}) for remote in closing]
        record(db, now, self._run_id, self._account, "duplicate-found", told)
        return plan_id, problems

    def _extra(self, db: Connection, sku: str, remotes: Sequence[Remote]) -> tuple[list[Remote], list[Remote]]:
        """What stays, and what our ledger proves we made beside it; nothing while a change of it is open."""
        where = (STATE.c.account == self._account, STATE.c.sku == sku)
        status, known = db.execute(select(STATE.c.status, STATE.c.remote_id).where(*where)).one()
        mine = (OUTBOX.c.account == self._account, OUTBOX.c.sku == sku)
        busy = db.execute(select(OUTBOX.c.id).where(*mine, OUTBOX.c.done_at.is_(None))).first()
        if busy or (status == "live" and known not in {remote.remote_id for remote in remotes}):
            return list(remotes), []
        ids, contents = made_by_us(db, self._account, sku), self._sent_contents(db, sku)
        ours = [r for r in remotes if r.remote_id != known and (r.remote_id in ids or _hashes(r) in contents)]
        return [remote for remote in remotes if remote not in ours], ours

    def _sent_contents(self, db: Connection, sku: str) -> list[dict[str, str]]:
        """Creates of ours: a listing that is word for word one of them is its work, delivered late or twice."""
        mine = (OUTBOX.c.account == self._account, OUTBOX.c.sku == sku, OUTBOX.c.kind == Kind.CREATE)
        return list(db.scalars(select(OUTBOX.c.hashes).where(*mine, OUTBOX.c.sent_at.is_not(None))))

    def _row(self, plan_id: int, number: int, remote: Remote) -> dict[str, Any]:
        where = {"plan_id": plan_id, "batch": number, "account": self._account, "sku": remote.key}
        what = {"kind": Kind.CLOSE.value, "facets": "", "hashes": {}, "remote_id": remote.remote_id, "counted": False}
        unsent = {"status": ChangeStatus.PLANNED.value, "lease": 0, "turn": 0, "handle": "", "remote_revision": ""}
        return where | what | unsent | {"product_revision": 0}

    def _open(self, status: ChangeStatus, size: int) -> Iterator[list[Row[Any]]]:
        """Open rows of that status that can be judged by reading now, `size` at a time."""
        asked = {"of": self._account, "stands": status, "after": 0, "size": size}
        while True:
            with reading(self._database) as db:
                batch = list(db.execute(RIPE, asked | {"now": self._clock.now()}).fetchall())
            if batch:
                yield batch
            if len(batch) < size:
                return
            asked["after"] = batch[-1].id

    def _legible(self, skus: Sequence[str]) -> tuple[set[str], list[Remote]]:
        """The SKUs of which the answer could be read, and what it says of them.

        One listing that looks like nothing documented must not keep its neighbours waiting, nor the account.
        """
        unread: list[str] = []

        def read(some: Sequence[str]) -> list[Remote]:
            try:
                return self._client.fetch(some)
            except OtherShape:
                if len(some) == 1:
                    unread.append(some[0])
                    if len(unread) == ILLEGIBLE:
                        raise
                    return []
            half = len(some) // 2
            return read(some[:half]) + read(some[half:])

        found = read(skus)
        return set(skus).difference(unread), found

    def _read_again(self, rows: Sequence[Row[Any]], first: Sequence[Remote]) -> list[Row[Any]]:
        """The rows of which a second read shows the same as the first."""
        self._clock.sleep(max(self._connector.limits.settle_after, AGAIN_SECONDS))
        second = self._client.fetch([row.sku for row in rows])
        return [row for row in rows if agree(row, first, second)]

    def _by_age(self, rows: Sequence[Row[Any]]) -> tuple[list[Row[Any]], list[Row[Any]]]:
        oldest = self._clock.now() - timedelta(hours=ACCEPTED_HOURS)
        late = [row for row in rows if row.settle_at and row.settle_at < oldest]
        return late, [row for row in rows if row not in late]


def _pending(row: Row[Any]) -> Result:
    known = {"handle": row.handle, "remote_id": row.remote_id, "revision": row.remote_revision}
    return Result(key=row.sku, outcome=Outcome.ACCEPTED, **known)


def _by_batch(rows: Sequence[Row[Any]]) -> dict[tuple[int, int], dict[str, Row[Any]]]:
    """Rows by the batch they were sent in, and in it by SKU."""
    found: dict[tuple[int, int], dict[str, Row[Any]]] = {}
    for row in rows:
        found.setdefault((row.plan_id, row.batch), {})[row.sku] = row
    return found


def _batch(plan_id: int, number: int, remote: Remote) -> dict[str, Any]:
    token = facet_hash(["close", plan_id, remote.key, remote.remote_id])
    change = Change(
        key=remote.key,
        kind=Kind.DELIST,
        facets=(),
        listing={},
        token=token,
        remote_id=remote.remote_id,
        revision=remote.revision,
    )
    return {"plan_id": plan_id, "number": number, "priority": 0, "changes": _json([change])}


def _hashes(remote: Remote) -> dict[str, str]:
    return {facet: facet_hash(value) for facet, value in remote.facets.items()}


def _told(sku: str, kept: Sequence[Remote], extra: Sequence[Remote]) -> dict[str, Any]:
    ids = {"kept": ", ".join(r.remote_id for r in kept), "extra": ", ".join(r.remote_id for r in extra)}
    code, message, next_step = ("duplicate-closed", CLOSED, NOTHING) if extra else ("duplicate", TWICE, CHOOSE)
    return {"key": sku, "field": "", "code": code, "message": message.fill(**ids), "next_step": next_step}


CLOSED = Text(
    "Sàn có hai tin của cùng mặt hàng vì một lần gửi đến muộn; đã đóng tin thừa {extra}, giữ tin {kept}.",
    "Two listings of one item, because a request arrived late: closed {extra}, kept {kept}.",
)
NOTHING = Text("Không cần làm gì.", "Nothing to do.")
TWICE = Text(
    "Sàn đang có nhiều tin của cùng mặt hàng: {kept}; không rõ tin nào do hệ thống đăng.",
    "The marketplace shows several listings of one item: {kept}; it is not certain which of them are ours.",
)
CHOOSE = Text(
    "Mở sàn, giữ lại một tin và ẩn các tin kia, rồi chạy “caybeo reconcile”.",
    "Keep one of them there, hide the others, then run “caybeo reconcile”.",
)

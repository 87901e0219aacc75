"""What an account has sent and whether it was answered, kept for the processes that come after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from models.database import DatabaseDown, reading, writing
from models.tables import AccountRow, Quota, core
from models.window import NotKept, Window

QUOTA = core(Quota)
ACCOUNT = core(AccountRow)
# Rows are locked in one order, so that two processes cannot wait for each other.
ROWS = select(QUOTA).where(QUOTA.c.account == bindparam("name")).order_by(QUOTA.c.rate).with_for_update()
KEEP = (
    update(QUOTA)
    .where(QUOTA.c.account == bindparam("name"), QUOTA.c.rate == bindparam("which"))
    .values({c: bindparam(c.name) for c in (QUOTA.c.slots, QUOTA.c.permits, QUOTA.c.permits_at, QUOTA.c.closed_until)})
)


class StoredQuota:
    """The windows of one account in the table `quota`; each opening is a transaction of its own."""

    def __init__(self, database: Engine, account: str) -> None:
        self._database, self._account = database, account

    @contextmanager
    def open(self, declared: Mapping[str, tuple[int, float]]) -> Iterator[Mapping[str, Window]]:
        try:
            with writing(self._database, "quota") as db:
                windows = self._windows(db, declared)
                yield windows
                changed = [{"name": self._account, "which": k, **_row(w)} for k, w in windows.items() if w.changed]
                if changed:
                    db.execute(KEEP, changed)
        except (DatabaseDown, SQLAlchemyError) as error:
            raise NotKept(type(error).__name__) from None

    def _windows(self, db: Connection, declared: Mapping[str, tuple[int, float]]) -> dict[str, Window]:
        rows = self._rows(db)
        if not declared.keys() <= rows.keys():
            self._begin(db, declared.keys() - rows.keys())
            rows = self._rows(db)
        return {rate: _window(rows[rate], *declared[rate]) for rate in declared}

    def _begin(self, db: Connection, rates: Iterable[str]) -> None:
        """Another process may begin at the same moment: whoever comes first makes the rows, and both then lock them."""
        empty = _row(Window(permits=0, seconds=1.0))
        insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
        rows = [{"account": self._account, "rate": rate, **empty} for rate in sorted(rates)]
        db.execute(insert(QUOTA).on_conflict_do_nothing(), rows)

    def _rows(self, db: Connection) -> dict[str, Row[Any]]:
        return {row.rate: row for row in db.execute(ROWS, {"name": self._account})}


class StoredHealth:
    """Since when an account has not been answered. Forgetting it costs a few requests more, so it stops nobody."""

    def __init__(self, database: Engine, account: str) -> None:
        self._database, self._mine = database, ACCOUNT.c.name == account

    def down_since(self) -> datetime | None:
        with reading(self._database) as db:
            return db.execute(select(ACCOUNT.c.down_since).where(self._mine)).scalar()

    def went_down(self, since: datetime) -> None:
        self._keep(since)

    def came_back(self) -> None:
        self._keep(None)

    def _keep(self, since: datetime | None) -> None:
        with suppress(DatabaseDown, SQLAlchemyError), writing(self._database, "health") as db:
            db.execute(update(ACCOUNT).where(self._mine).values(down_since=since))


def _window(row: Row[Any], permits: int, seconds: float) -> Window:
    return Window(
        permits=permits,
        seconds=seconds,
        slots={int(slot): count for slot, count in row.slots.items()},
        lowered=min(row.permits, permits),
        lowered_at=row.permits_at.timestamp() if row.permits_at else 0.0,
        closed_until=row.closed_until.timestamp() if row.closed_until else 0.0,
    )


def _row(window: Window) -> dict[str, Any]:
    return {
        "slots": {str(slot): count for slot, count in window.slots.items()},
        "permits": window.lowered,
        "permits_at": _instant(window.lowered_at),
        "closed_until": _instant(window.closed_until),
    }


def _instant(at: float) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None

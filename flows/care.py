"""Looking after a home: health checks, backup and restore, and forgetting a sandbox."""

from __future__ import annotations

import platform
import shutil
import stat
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, delete, select, update
from sqlalchemy.exc import DatabaseError

from connectors.registry import connector, names
from flows.accounts import AccountRefused, accounts, sandbox_of
from flows.settings import Settings
from flows.steps.tokens import forget
from models.change import ChangeStatus
from models.clock import Clock, SystemClock
from models.database import (
    WAL_SAFE,
    DatabaseBroken,
    DatabaseDown,
    check,
    copy_file,
    finish_replacing,
    open_database,
    reading,
    replace_file,
    sqlite3,
    sqlite_file,
    upsert,
    writing,
)
from models.lease import LEASE, Busy, gone
from models.ledger import OPEN_ROW, OUTBOX, RESTORED, record
from models.migrations import HEAD, ensure
from models.migrations import version as schema_version
from models.tables import Quota, RemoteMedia, core
from models.text import Text
from models.timetable import ACCOUNT, STATE

QUOTA = core(Quota)
FORGOTTEN_TOKENS = 1_000_000  # more than there are runs between a backup and its restoring

Finding = dict[str, Any]  # name, ok, message


def examine(settings: Settings, database: Engine) -> list[Finding]:
    """Every check with its verdict; nothing here stops at the first failure."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", platform.python_version),
        ("prefect", lambda: version("prefect")),
        ("home", lambda: _private(settings.place)),
        ("disk", lambda: f"{shutil.disk_usage(settings.place).free // 2**20} MB"),
        ("database", lambda: _sound(database)),
        ("schema", lambda: _current(database)),
        ("sqlite", lambda: _journal(database)),
        ("connectors", lambda: ", ".join(connector(name).name for name in names())),
        ("accounts", lambda: ", ".join(a.name for a in accounts(settings, database)) or "-"),
    ]
    return [_try(name, look) for name, look in checks]


def backup(settings: Settings, target: Path) -> None:
    """A consistent copy of a database in use. Raises AccountRefused for one that is not SQLite."""
    copy_file(_own_file(settings), target)


def restore(settings: Settings, source: Path) -> None:
    """Puts a backup in the place of the database; every account must be read back before anything is written.

    That is written into a copy before the copy takes the place: a crash leaves the old database, or one that knows.
    """
    target = _own_file(settings)
    finish_replacing(target)
    used = _quotas(target)
    copy_file(source, copy := target.with_name(f"{target.name}.restoring"))
    trial = open_database(f"sqlite:///{copy}")
    try:
        _prepare(trial, source, used)
    finally:
        trial.dispose()
    replace_file(copy, target)


def mark_restored(database: Engine, used: Sequence[Row[Any]] = ()) -> int:
    """A database that comes from an earlier time has forgotten sends, and who held which account since.

    Every account has to be read back first; the tokens leap over all that were given in the forgotten time. `used`
    are the quotas that the later database knew. Gives the number of accounts.
    """
    with writing(database, "restored") as db:
        db.execute(update(LEASE).values(token=LEASE.c.token + FORGOTTEN_TOKENS, holder="", expires_at=None, crashes=0))
        upsert(db, QUOTA, [dict(row._mapping) for row in used], ["account", "rate"])
        record(db, SystemClock().now(), "", "", RESTORED, [("", None, None)])
        return db.execute(update(ACCOUNT).values(needs_reconcile=True)).rowcount


def _prepare(trial: Engine, source: Path, used: Sequence[Row[Any]]) -> None:
    check(trial)
    if schema_version(trial) is None:
        raise DatabaseBroken("no schema", str(source))
    ensure(trial)
    mark_restored(trial, used)


def _quotas(target: Path) -> Sequence[Row[Any]]:
    """What the marketplaces have counted, where the present database can still say. Raises Busy while a run writes."""
    if not target.exists():
        return ()
    database = open_database(f"sqlite:///{target}")
    try:
        with reading(database) as db:
            for row in db.execute(select(LEASE).where(LEASE.c.expires_at > SystemClock().now())):
                if not gone(row.holder):
                    raise Busy(row.account, row.holder, row.expires_at)
            return db.execute(select(QUOTA)).fetchall()
    except (DatabaseBroken, DatabaseError):  # damaged, or of a schema that does not know them
        return ()
    finally:
        database.dispose()


def reset_sandbox(settings: Settings, database: Engine, marketplace: str, clock: Clock) -> list[str]:
    """An empty simulated marketplace, and records that know it is empty. Gives the accounts that begin anew."""
    sandbox_of(settings, marketplace).reset()
    now = clock.now()
    with writing(database, "sandbox-reset") as db:
        where = (ACCOUNT.c.marketplace == marketplace, ACCOUNT.c.sandbox)
        mine = [row.name for row in db.execute(select(ACCOUNT.c.name).where(*where))]
        rows = (OUTBOX.c.account.in_(mine), OPEN_ROW)
        db.execute(update(OUTBOX).where(*rows).values(status=ChangeStatus.CANCELLED, done_at=now))
        fresh: dict[str, Any] = {
            "status": "absent",
            "remote_id": "",
            "revision": "",
            "baseline": {},
            "price": None,
            "stock": None,
            "adopted": {},
            "healed": {},
            "doubt": False,
        }
        due = {"due_at": now, "due_reason": "changed", "attempts": 0, "problems": [], "note": "", "outcome": ""}
        db.execute(update(STATE).where(STATE.c.account.in_(mine)).values(**fresh, **due))
        media = core(RemoteMedia)
        db.execute(delete(media).where(media.c.account.in_(mine)))
        forget(db, *mine)
    return mine


def _try(name: str, look: Callable[[], str]) -> Finding:
    try:
        return {"name": name, "ok": True, "message": look()}
    except (AccountRefused, DatabaseDown, OSError, LookupError, ImportError, ValueError) as error:
        return {"name": name, "ok": False, "message": str(error)}


def _private(home: Path) -> str:
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        raise ValueError(f"{home} is open to others ({mode:o})")
    return str(home)


def _sound(database: Engine) -> str:
    check(database)
    return database.dialect.name


def _current(database: Engine) -> str:
    at = schema_version(database)
    if at != HEAD:
        raise ValueError(f"{at}, this version needs {HEAD}: run “caybeo db upgrade”")
    return str(at)


def _journal(database: Engine) -> str:
    if database.dialect.name != "sqlite":
        return "-"
    with reading(database) as db:
        mode = db.exec_driver_sql("PRAGMA journal_mode").scalar()
    safe = "" if sqlite3.sqlite_version_info >= WAL_SAFE else " (WAL is safe only from 3.51.3 on)"
    return f"{sqlite3.sqlite_version}, journal {mode}{safe}"


def _own_file(settings: Settings) -> Path:
    file = sqlite_file(settings.url)
    if file is None:
        raise AccountRefused(NOT_SQLITE, USE_PG_DUMP)
    return file


NOT_SQLITE = Text("Cơ sở dữ liệu này không phải SQLite.", "This database is not SQLite.")
USE_PG_DUMP = Text("Dùng pg_dump và pg_restore của PostgreSQL.", "Use PostgreSQL's pg_dump and pg_restore.")

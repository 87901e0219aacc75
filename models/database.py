"""The database: opened safely, migrated, and written to in short transactions. SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

try:
    from pysqlite3 import dbapi2 as sqlite3  # carries SQLite 3.53, whose WAL is safe
except ImportError:  # no wheel for this platform: the system's SQLite does, with a slower journal
    import sqlite3

__all__ = [
    "BUSY_SECONDS",
    "WAL_SAFE",
    "DatabaseBroken",
    "check",
    "chunks",
    "open_database",
    "reading",
    "sqlite3",
    "sqlite_file",
    "upsert",
    "writing",
]

WAL_SAFE = (3, 51, 3)  # 3.7.0-3.51.2 can corrupt a WAL that two connections reset at once
BUSY_SECONDS = 15


class DatabaseBroken(Exception):
    """The file is damaged, or is no database of ours."""


def open_database(url: str) -> Engine:
    """An engine for one process; SQLite with foreign keys, full sync and a busy time-out."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, json_serializer=_dumps, json_deserializer=_loads, pool_pre_ping=True)
    memory = make_url(url).database in (None, "", ":memory:")
    extra: dict[str, Any] = {"poolclass": StaticPool} if memory else {}
    engine = create_engine(
        url,
        module=sqlite3,
        json_serializer=_dumps,
        json_deserializer=_loads,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        **extra,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def check(engine: Engine) -> None:
    """Raises DatabaseBroken where SQLite finds the file damaged."""
    if engine.dialect.name != "sqlite":
        return
    try:
        with engine.connect() as db:
            verdict = db.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except DBAPIError as error:
        raise DatabaseBroken(str(error.orig)) from None
    if verdict != "ok":
        raise DatabaseBroken(str(verdict))


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction; SQLite takes its write lock at the start, so it cannot deadlock later."""
    with engine.connect().execution_options(writes=True) as db, db.begin():
        yield db


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as db, db.begin():
        yield db


def upsert(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Inserts rows, or sets the columns they name where `keys` are there already."""
    if not rows:
        return
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    if changed:
        db.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed), list(rows))
    else:
        db.execute(statement.on_conflict_do_nothing(index_elements=list(keys)), list(rows))


def sqlite_file(url: str) -> Path | None:
    """The file behind a SQLite URL, if it is one."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def chunks(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's `begin` event below starts transactions, not the driver
    mode = "WAL" if sqlite3.sqlite_version_info >= WAL_SAFE else "DELETE"
    for pragma in (f"journal_mode={mode}", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(db: Connection) -> None:
    writes = db.get_execution_options().get("writes")
    db.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _dumps(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _loads(value: str | bytes) -> Any:
    return msgspec.json.decode(value)

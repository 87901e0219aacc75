"""The database: opened safely, migrated, and written to in short transactions. SQLite and PostgreSQL alike."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.pool import StaticPool

from models.faultpoint import fp

try:
    from pysqlite3 import dbapi2 as sqlite3  # carries SQLite 3.53, whose WAL is safe
except ImportError:  # no wheel for this platform: the system's SQLite does, with a slower journal
    import sqlite3

__all__ = [
    "BUSY_SECONDS",
    "WAL_SAFE",
    "DatabaseBroken",
    "DatabaseClosed",
    "DatabaseDown",
    "DatabaseFaulty",
    "DatabaseFull",
    "DatabaseLocked",
    "DatabaseNewer",
    "check",
    "chunks",
    "copy_file",
    "finish_replacing",
    "kind_of",
    "open_database",
    "reading",
    "replace_file",
    "sqlite3",
    "sqlite_file",
    "upsert",
    "writing",
]

WAL_SAFE = (3, 51, 3)  # 3.7.0-3.51.2 can corrupt a WAL that two connections reset at once
BUSY_SECONDS = 15
LEAST_ROOM = 64 * 1024


class DatabaseDown(Exception):
    """The database can give or take nothing now; `file` is where to look, empty for a server."""

    def __init__(self, words: str, file: str = "") -> None:
        super().__init__(words)
        self.file = file


class DatabaseBroken(DatabaseDown):
    """The file is damaged, or is no database of ours."""


class DatabaseFull(DatabaseDown):
    """No room is left for what was to be written."""


class DatabaseFaulty(DatabaseDown):
    """The disk failed to read, to write, or to keep what was written."""


class DatabaseLocked(DatabaseDown):
    """Another program kept the database for longer than we wait."""


class DatabaseClosed(DatabaseDown):
    """It cannot be opened, or not be written: a wrong address, missing rights, a server that is away."""


class DatabaseNewer(DatabaseDown):
    """A later version than this one has written its schema."""


# By the low byte of SQLite's result code, and by the beginning of PostgreSQL's SQLSTATE.
SQLITE_SAYS: dict[int, type[DatabaseDown]] = {
    sqlite3.SQLITE_BUSY: DatabaseLocked,
    sqlite3.SQLITE_LOCKED: DatabaseLocked,
    sqlite3.SQLITE_READONLY: DatabaseClosed,
    sqlite3.SQLITE_PERM: DatabaseClosed,
    sqlite3.SQLITE_AUTH: DatabaseClosed,
    sqlite3.SQLITE_CANTOPEN: DatabaseClosed,
    sqlite3.SQLITE_IOERR: DatabaseFaulty,
    sqlite3.SQLITE_CORRUPT: DatabaseBroken,
    sqlite3.SQLITE_NOTADB: DatabaseBroken,
    sqlite3.SQLITE_FULL: DatabaseFull,
}
POSTGRES_SAYS: dict[str, type[DatabaseDown]] = {
    "08": DatabaseClosed,
    "28": DatabaseClosed,
    "3D": DatabaseClosed,
    "53100": DatabaseFull,
    "53": DatabaseClosed,
    "55P03": DatabaseLocked,
    "57P": DatabaseClosed,
    "58": DatabaseFaulty,
    "XX001": DatabaseBroken,
    "XX002": DatabaseBroken,
}
LASTING = (DatabaseBroken, DatabaseFull, DatabaseFaulty)  # what the same handle is not asked again after


def open_database(url: str) -> Engine:
    """An engine for one process; SQLite with foreign keys, full sync and a busy time-out.

    What a database fails with comes out as a DatabaseDown, whoever asked it.
    """
    if make_url(url).get_backend_name() != "sqlite":
        server = create_engine(url, json_serializer=_dumps, json_deserializer=_loads, pool_pre_ping=True)
        event.listen(server, "handle_error", _server_down)
        return server
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
    handle = _Handle("" if memory else str(make_url(url).database))
    event.listen(engine, "connect", handle.prepare)
    event.listen(engine, "handle_error", handle.judge)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


class _Handle:
    """How one engine meets its SQLite file: what failed once is closed, and looked through before it is used again."""

    def __init__(self, file: str) -> None:
        self._file, self._doubtful = file, False

    def prepare(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's `begin` event below starts transactions, not the driver
        mode = "WAL" if sqlite3.sqlite_version_info >= WAL_SAFE else "DELETE"
        for pragma in (f"journal_mode={mode}", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if self._doubtful:
            self._look_through(connection)

    def judge(self, context: ExceptionContext) -> BaseException | None:
        """What SQLite said in our words; a handle whose writes cannot be relied on is closed with its whole pool."""
        kind = kind_of(context.original_exception)
        if kind is None:
            return None
        kind = DatabaseFull if kind is DatabaseFaulty and self._without_room() else kind
        if issubclass(kind, LASTING) and self._file:
            self._doubtful = context.is_disconnect = context.invalidate_pool_on_disconnect = True
        return kind(str(context.original_exception), self._file)

    def _without_room(self) -> bool:
        """SQLite calls it an I/O error where the file it could not lengthen is its index."""
        disk = os.statvfs(Path(self._file).parent)
        return disk.f_bavail * disk.f_frsize < LEAST_ROOM

    def _look_through(self, connection: sqlite3.Connection) -> None:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DatabaseBroken(str(verdict), self._file)
        self._doubtful = False


def kind_of(error: BaseException) -> type[DatabaseDown] | None:
    """What SQLite says of itself, whichever of its libraries says it."""
    code = getattr(error, "sqlite_errorcode", None)
    return SQLITE_SAYS.get(code & 0xFF) if code is not None else None


def _server_down(context: ExceptionContext) -> BaseException | None:
    """What PostgreSQL said in our words; without a state the connection itself failed."""
    state = getattr(context.original_exception, "sqlstate", None)
    if state is None:
        return DatabaseClosed(str(context.original_exception)) if context.is_disconnect else None
    kind = next((POSTGRES_SAYS[start] for start in (state, state[:3], state[:2]) if start in POSTGRES_SAYS), None)
    return kind(str(context.original_exception)) if kind else None


def check(engine: Engine) -> None:
    """Raises DatabaseBroken where SQLite finds the file damaged."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as db:
        verdict = db.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if verdict != "ok":
        raise DatabaseBroken(str(verdict), str(engine.url.database or ""))


@contextmanager
def writing(engine: Engine, name: str = "write") -> Iterator[Connection]:
    """One write transaction; SQLite takes its write lock at the start, so it cannot deadlock later.

    `name` is what its fault points are called by.
    """
    fp(f"{name}.begin")
    with engine.connect().execution_options(writes=True) as db, db.begin():
        yield db
        fp(f"{name}.commit")
    fp(f"{name}.end")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as db, db.begin():
        yield db


def upsert(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Inserts rows, or sets the columns they name where `keys` are there already."""
    if rows:
        statement = _upserting(db.dialect, table, tuple(rows[0]), tuple(keys))
        db.execute(statement, list(rows))


@lru_cache
def _upserting(dialect: Dialect, table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    """Compiled, which SQLAlchemy does anew for each ON CONFLICT, at ten times the cost of running it."""
    statement = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    changed = {name: statement.excluded[name] for name in names if name not in keys}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    return statement.compile(dialect=dialect, column_keys=names, for_executemany=True)


def sqlite_file(url: str) -> Path | None:
    """The file behind a SQLite URL, if it is one."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


# --- whole files of SQLite --------------------------------------------------------------------------------------------


def copy_file(source: Path, target: Path) -> None:
    """A consistent copy of a database that may be in use: one file by itself, for its owner's eyes."""
    with _scratch(part := target.with_name(f"{target.name}.part")):
        part.touch(mode=0o600)
        _copy(source, part)
        with _judged(part), closing(sqlite3.connect(part)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")  # no second file beside it
        _flush(part)
        fp("copy.written")
        part.replace(target)
        _flush(target.parent)
        fp("copy.placed")


def replace_file(copy: Path, target: Path) -> None:
    """Puts a finished copy in a database's place, whole or not at all.

    A sound file is written over by SQLite itself, in one transaction that others who have it open respect. Around a
    damaged one, which is kept beside it, no such way leads.
    """
    if target.exists() and _sound(target):
        _copy(copy, target)
        copy.unlink()
        return
    _flush(copy)
    copy.replace(_ready(target))
    fp("replace.ready")
    finish_replacing(target)


def finish_replacing(target: Path) -> None:
    """Goes on where a replacement was broken off; a look where there was none."""
    ready = _ready(target)
    if not ready.exists():
        return
    with ready.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if ready.exists():  # nobody was faster
            _put_aside(target)
            fp("replace.aside")
            ready.replace(target)
            _flush(target.parent)
            fp("replace.done")


def _ready(target: Path) -> Path:
    return target.with_name(f"{target.name}.restored")


def _put_aside(target: Path) -> None:
    """Its log would be read as a part of the new file; a damaged file may still be of use to someone who knows how."""
    names = (target.with_name(f"{target.name}.damaged-{number}") for number in count(1))
    kept = next(name for name in names if not name.exists())
    if target.exists():
        kept.hardlink_to(target)
    for log in ("-wal", "-journal"):
        if (old := target.with_name(target.name + log)).exists():
            old.replace(kept.with_name(kept.name + log))
    target.with_name(f"{target.name}-shm").unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with _judged(source), closing(sqlite3.connect(source, timeout=BUSY_SECONDS)) as whole:
        whole.execute("PRAGMA schema_version").fetchone()  # what is no database says so before the other is blamed
        _pour(whole, target)


def _pour(whole: sqlite3.Connection, target: Path) -> None:
    with _judged(target), closing(sqlite3.connect(target, timeout=BUSY_SECONDS)) as copy:
        whole.backup(copy)


def _sound(file: Path) -> bool:
    try:
        with _judged(file), closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except DatabaseBroken:
        return False


@contextmanager
def _judged(file: Path) -> Iterator[None]:
    """What SQLite says of this file, in our words."""
    try:
        yield
    except sqlite3.Error as error:
        kind = kind_of(error)
        if kind is None:
            raise
        raise kind(str(error), str(file)) from None


@contextmanager
def _scratch(file: Path) -> Iterator[None]:
    """Nothing of an earlier attempt is there before, nothing of this one after it failed."""
    whole = [file.with_name(file.name + part) for part in ("", "-wal", "-shm", "-journal")]
    for one in whole:
        one.unlink(missing_ok=True)
    try:
        yield
    except Exception:
        for one in whole:
            one.unlink(missing_ok=True)
        raise


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def chunks(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _begin_sqlite(db: Connection) -> None:
    writes = db.get_execution_options().get("writes")
    db.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _dumps(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _loads(value: str | bytes) -> Any:
    return msgspec.json.decode(value)

"""SQLite and PostgreSQL keep the same values the same way, and a damaged file is said to be damaged."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from models.change import ChangeStatus
from models.database import DatabaseBroken, check, chunks, open_database, reading, sqlite_file, upsert, writing
from models.ledger import OUTBOX
from models.tables import AccountRow, Credential, Provenance, RemoteMedia, core
from models.timetable import STATE
from tests.scenarios.world import TODAY

MEDIA = core(RemoteMedia)
PROVENANCE = core(Provenance)
ACCOUNT = core(AccountRow)
CHANGE = {
    "plan_id": 1,
    "batch": 1,
    "account": "voso",
    "sku": "A",
    "kind": "create",
    "facets": "price",
    "hashes": {},
    "product_revision": 1,
    "counted": True,
    "remote_id": "",
    "remote_revision": "",
    "lease": 0,
    "turn": 0,
    "handle": "",
}


def test_upsert_inserts_new_rows_and_sets_known_ones(database: Engine) -> None:
    with writing(database) as db:
        upsert(db, MEDIA, [_media("a", "1"), _media("b", "2")], ["account", "sha256"])

    with writing(database) as db:
        upsert(db, MEDIA, [_media("b", "20"), _media("c", "30")], ["account", "sha256"])

    with reading(database) as db:
        rows = {row.sha256: row.remote_id for row in db.execute(select(MEDIA))}
    assert rows == {"a": "1", "b": "20", "c": "30"}


def test_upsert_leaves_columns_it_does_not_name(database: Engine) -> None:
    row = {"record": "product:A", "field": "name", "source": "tệp", "row": 3, "evidence": "QĐ 12", "imported_at": TODAY}
    with writing(database) as db:
        upsert(db, PROVENANCE, [row], ["record", "field"])

    with writing(database) as db:
        named = {"record": "product:A", "field": "name", "source": "trang tính", "row": 4, "imported_at": TODAY}
        upsert(db, PROVENANCE, [named], ["record", "field"])

    with reading(database) as db:
        kept = db.execute(select(PROVENANCE)).one()
    assert (kept.source, kept.row, kept.evidence) == ("trang tính", 4, "QĐ 12")


def test_upsert_of_nothing_does_nothing(database: Engine) -> None:
    with writing(database) as db:
        upsert(db, MEDIA, [], ["account", "sha256"])

        assert db.execute(select(MEDIA)).fetchall() == []


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=7))),
        datetime(2028, 2, 29, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-5))),
    ],
    ids=["utc", "ca-mau", "leap-day-elsewhere"],
)
def test_an_instant_comes_back_as_the_same_moment_in_utc(database: Engine, at) -> None:
    with writing(database) as db:
        db.execute(insert(ACCOUNT).values(**_account("voso") | {"created_at": at}))

    with reading(database) as db:
        kept = db.execute(select(ACCOUNT.c.created_at)).scalar_one()

    assert kept == at
    assert kept.utcoffset() == timedelta(0)


def test_instants_compare_as_moments_whatever_their_zone(database: Engine) -> None:
    with writing(database) as db:
        db.execute(insert(ACCOUNT).values(**_account("voso")))
    earlier = (TODAY - timedelta(seconds=1)).astimezone(timezone(timedelta(hours=7)))

    with reading(database) as db:
        since = select(ACCOUNT.c.name).where(ACCOUNT.c.created_at > earlier)
        assert db.execute(since).scalars().all() == ["voso"]
        assert db.execute(select(ACCOUNT.c.name).where(ACCOUNT.c.created_at < earlier)).fetchall() == []


def test_money_and_documents_come_back_as_they_went_in(database: Engine) -> None:
    hashes = {"content": "ab", "price": "cd"}
    with writing(database) as db:
        db.execute(insert(OUTBOX).values(**CHANGE | {"status": "planned", "price": Decimal(250000), "hashes": hashes}))

    with reading(database) as db:
        row = db.execute(select(OUTBOX.c.price, OUTBOX.c.hashes, OUTBOX.c.problem, OUTBOX.c.done_at)).one()

    assert row == (Decimal(250000), hashes, None, None)
    assert isinstance(row.price, Decimal)


OPEN = ("planned", "sending", "accepted", "unknown", "held")


@pytest.mark.parametrize("first", OPEN)
@pytest.mark.parametrize("second", ["planned", "unknown"])
def test_one_listing_has_one_open_change(database: Engine, first, second) -> None:
    with writing(database) as db:
        db.execute(insert(OUTBOX).values(**CHANGE, status=first))

    with pytest.raises(IntegrityError), writing(database) as db:
        db.execute(insert(OUTBOX).values(**CHANGE, status=second))


def test_ended_changes_and_other_accounts_do_not_stand_in_the_way(database: Engine) -> None:
    ended = [s.value for s in ChangeStatus if s not in OPEN]
    rows = [CHANGE | {"status": status, "done_at": TODAY} for status in (*ended, *ended)]

    with writing(database) as db:
        db.execute(insert(OUTBOX), rows)
        for other in ({}, {"account": "postmart"}, {"sku": "B"}):
            db.execute(insert(OUTBOX).values(**CHANGE | {"status": "planned"} | other))

        assert len(db.execute(select(OUTBOX.c.id)).fetchall()) == 2 * len(ended) + 3


def test_a_listing_has_one_state_on_an_account(database: Engine) -> None:
    state = {"account": "voso", "sku": "A", "product_id": "A", "baseline": {}, "problems": [], "attempts": 0}
    state |= {"status": "absent", "remote_id": "", "revision": "", "note": "", "outcome": ""}
    with writing(database) as db:
        db.execute(insert(STATE).values(**state))

    with pytest.raises(IntegrityError), writing(database) as db:
        db.execute(insert(STATE).values(**state))


def test_credentials_of_no_account_are_refused(database: Engine) -> None:
    """SQLite checks this only where it is switched on."""
    with pytest.raises(IntegrityError), writing(database) as db:
        db.execute(insert(core(Credential)).values(account="nobody", ciphertext=b"x", saved_at=TODAY))


def test_a_write_that_fails_leaves_nothing_behind(database: Engine) -> None:
    def broken() -> None:
        with writing(database) as db:
            upsert(db, MEDIA, [_media("a", "1")], ["account", "sha256"])
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        broken()

    with reading(database) as db:
        assert db.execute(select(MEDIA)).fetchall() == []


def test_two_writers_wait_for_each_other(database: Engine) -> None:
    """Each reads, then writes what it read plus one: a lost update would show."""
    with writing(database) as db:
        upsert(db, MEDIA, [_media("a", "0")], ["account", "sha256"])

    def count(times: int) -> None:
        for _ in range(times):
            with writing(database) as db:
                now = db.execute(select(MEDIA.c.remote_id).with_for_update()).scalar_one()
                db.execute(update(MEDIA).values(remote_id=str(int(now) + 1)))

    threads = [threading.Thread(target=count, args=(20,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with reading(database) as db:
        assert db.execute(select(MEDIA.c.remote_id)).scalar_one() == "40"


def test_a_sound_database_is_found_sound(database: Engine) -> None:
    check(database)


@pytest.mark.parametrize("damage", ["no database at all", "torn pages"])
def test_P21_a_damaged_file_is_refused(tmp_path: Path, damage) -> None:
    file = tmp_path / "caybeo.sqlite"
    if damage == "no database at all":
        file.write_bytes("không phải cơ sở dữ liệu".encode() * 200)
    else:
        _fill(file)
        whole = file.read_bytes()
        file.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    engine = open_database(f"sqlite:///{file}")

    with pytest.raises(DatabaseBroken):
        check(engine)

    engine.dispose()


def test_a_database_in_memory_is_one_for_all_connections() -> None:
    engine = open_database("sqlite://")
    with writing(engine) as db:
        db.exec_driver_sql("CREATE TABLE one (x)")

    with reading(engine) as db:
        assert db.exec_driver_sql("SELECT count(*) FROM one").scalar() == 0

    engine.dispose()


def test_sqlite_loses_nothing_when_the_power_goes(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.sqlite'}")

    with engine.connect() as db:
        pragmas = {n: db.exec_driver_sql(f"PRAGMA {n}").scalar() for n in ("synchronous", "foreign_keys")}

    assert pragmas == {"synchronous": 2, "foreign_keys": 1}
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////srv/a.sqlite", Path("/srv/a.sqlite")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql+psycopg://u:p@h/db", None),
    ],
)
def test_only_a_file_of_sqlite_is_a_file(url, file) -> None:
    assert sqlite_file(url) == file


def test_chunks_lose_and_repeat_nothing() -> None:
    assert [list(some) for some in chunks(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]


def _media(sha256: str, remote_id: str) -> dict[str, str]:
    return {"account": "voso", "sha256": sha256, "remote_id": remote_id}


def _account(name: str) -> dict[str, object]:
    return {
        "name": name,
        "marketplace": name,
        "sandbox": True,
        "mode": "api",
        "base_url": "",
        "policy": {},
        "seller": "",
        "mapping_version": 1,
        "needs_reconcile": False,
        "created_at": TODAY,
    }


def _fill(file: Path) -> None:
    """Enough rows for several pages, all of them in the file itself."""
    engine = open_database(f"sqlite:///{file}")
    with writing(engine) as db:
        db.exec_driver_sql("CREATE TABLE filler (x TEXT)")
        for _ in range(50):
            db.exec_driver_sql("INSERT INTO filler VALUES (hex(randomblob(500)))")
    engine.dispose()  # the last connection to close moves everything from the log into the file

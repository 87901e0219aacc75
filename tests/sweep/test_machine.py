"""The machine fails under a real process: it is killed, out of memory, out of disk, or its database is locked."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from models.migrations import HEAD
from tests.sweep.child import HASTY_BUSY_SECONDS
from tests.sweep.conftest import scenario_of
from tests.sweep.nursery import QUICK, ROOT, Ended, Nursery
from tests.sweep.scenarios import CATALOGUE, Yard, frozen_at, of, rows
from tests.sweep.sweep import Workshop, facts

pytestmark = pytest.mark.slow
USAGE, BUSY = 2, 5
NIGHT = of("postmart")
HASTY = {"HASTY": "1"}
OLD_HOME = ROOT / "tests" / "scenarios" / "home_0001"


def in_step(yard: Yard, workshop: Workshop) -> bool:
    """After two undisturbed nights the home is as one in which nothing ever failed."""
    for _ in range(2):
        yard.do(*NIGHT)
    return facts(yard) == workshop.control(scenario_of("first night, postmart"))


def unrecorded(yard: Yard) -> list[str]:
    """What the marketplace was sent though no line of ours says so."""
    shown = {one["key"] for one in yard.tell("sandbox", "show", "postmart")["listings"]}
    with closing(sqlite3.connect(yard.home / "caybeo.sqlite")) as db:
        marked = {
            sku for (sku,) in db.execute("SELECT sku FROM outbox WHERE account = 'postmart' AND sent_at NOT NULL")
        }
    return sorted(shown - marked)


def spoke(ended: Ended, words: str) -> bool:
    return ended.spoke_plainly and words in ended.out + ended.err


# --- killed in other places than a night ------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["import.begin", "picture.written:3", "import.commit", "import.end"])
def test_P06_a_killed_import_is_in_whole_or_not_at_all(yard_of, point: str) -> None:
    yard = yard_of("import")
    sheet = yard.sheet("all.csv", rows(CATALOGUE))
    name, _, nth = point.partition(":")

    yard.do("import", sheet, codes=(-9,), env={"FAULTPOINT": f"{name}:{nth or 1}:kill"})

    assert len(facts(yard)["products"]) == (4 if point == "import.end" else 0)
    yard.do("import", sheet)
    assert len(facts(yard)["products"]) == 4


def old_home(yard: Yard) -> Path:
    """A database of schema 0001."""
    yard.home.mkdir()
    file = yard.home / "caybeo.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.executescript((OLD_HOME / "caybeo.sql").read_text("utf-8"))
    return file


def schema(file: Path) -> tuple[str, bool]:
    """The version it says it has, and whether a table of the new one is there."""
    with closing(sqlite3.connect(file)) as db:
        (version,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
        return version, bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'quota'").fetchone())


@pytest.mark.parametrize(
    ("point", "after"),
    [("migrate.begin", ("0001", False)), ("migrate.commit", ("0001", False)), ("migrate.end", (HEAD, True))],
)
def test_P07_a_killed_migration_leaves_the_old_schema_or_the_new_one(yard_of, point: str, after) -> None:
    yard = yard_of("first start")
    file = old_home(yard)

    yard.do("db", "upgrade", codes=(-9,), env={"FAULTPOINT": f"{point}:1:kill"})

    assert schema(file) == after
    yard.do("status")
    assert schema(file) == (HEAD, True)


def test_P07_a_schema_of_a_later_version_is_named_and_left_alone(yard_of) -> None:
    yard = yard_of("first start")
    yard.do("status")
    with closing(sqlite3.connect(yard.home / "caybeo.sqlite")) as db:
        db.execute("UPDATE alembic_version SET version_num = '0999'")
        db.commit()

    ended = yard.do("status", codes=(USAGE,))

    assert spoke(ended, "phiên bản mới hơn")
    assert schema(yard.home / "caybeo.sqlite")[0] == "0999"


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("megabytes", [2, 12, 24, 48, 96])
def test_P09_out_of_memory_is_a_sentence_or_as_a_kill_and_loses_nothing(yard_of, workshop, megabytes: int) -> None:
    yard = yard_of("first night, postmart")

    ended = yard.nursery.run(yard.home, *NIGHT, limits={"RLIMIT_AS": megabytes * 2**20})

    assert ended.spoke_plainly
    assert unrecorded(yard) == []
    assert in_step(yard, workshop)


# --- the disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kilobytes", [8, 64, 128, 192, 256, 320])
def test_P10_a_file_that_may_not_grow_ends_the_run_with_a_sentence(yard_of, workshop, kilobytes: int) -> None:
    """As a full disk does, at another place each time; what cannot be marked as being sent is not sent."""
    yard = yard_of("first night, postmart")

    ended = yard.nursery.run(yard.home, *NIGHT, limits={"RLIMIT_FSIZE": kilobytes * 1024})

    assert ended.spoke_plainly
    assert ended.code in range(8)
    assert ended.out
    assert unrecorded(yard) == []
    assert in_step(yard, workshop)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("left", [0, 50, 150, 250, 350])
def test_P10_a_full_disk_is_said_and_work_goes_on_once_there_is_room(
    yard_of, workshop, nursery: Nursery, small_disk: Path, left: int
) -> None:
    prepared = yard_of("first night, postmart")
    yard = Yard(nursery, small_disk / "yard")
    shutil.copytree(prepared.folder, yard.folder)
    with closing(sqlite3.connect(yard.home / "caybeo.sqlite")) as db:
        db.execute("UPDATE source SET location = replace(location, ?, ?)", (str(prepared.folder), str(yard.folder)))
        db.commit()
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * max(0, shutil.disk_usage(small_disk).free - left * 1024))

    with tempfile.TemporaryDirectory() as said:  # not on that disk
        ended = nursery.start(yard.home, *NIGHT, said=Path(said)).wait()

    assert spoke(ended, "đầy" if ended.code else "xong")
    filler.unlink()
    assert unrecorded(yard) == []
    assert in_step(yard, workshop)


def started(yard: Yard, *words: str, **streams: object) -> subprocess.CompletedProcess[str]:
    """A program of its own, its output wherever the test wants it."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    command = [sys.executable, "-m", "flows.cli", *words]
    env = QUICK | {"CAYBEO_HOME": str(yard.home)}
    return subprocess.run(command, cwd=ROOT, env=env, text=True, timeout=120, check=False, **streams)


def test_P10_a_report_that_cannot_be_written_down_is_told_elsewhere(yard_of) -> None:
    yard = yard_of("first night, postmart")

    with Path("/dev/full").open("w") as full:
        ended = started(yard, *NIGHT, stdout=full)

    assert ended.returncode == USAGE
    assert "Ổ đĩa đã đầy" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(yard.tell("sandbox", "show", "postmart")["listings"]) == 4  # the work itself was done


def test_P10_a_log_that_cannot_be_written_stops_nothing(yard_of) -> None:
    yard = yard_of("first night, postmart")

    with Path("/dev/full").open("w") as full:
        ended = started(yard, *NIGHT, "--json", stderr=full)

    assert ended.returncode == 0


def test_a_reader_that_goes_away_is_no_failure(yard_of) -> None:
    """`caybeo status | head -1`"""
    yard = yard_of("new prices, voso")
    read, write = os.pipe()
    os.close(read)

    ended = started(yard, "status", stdout=write)

    os.close(write)
    assert ended.returncode == 141
    assert ended.stderr == ""


def faulty_flush(nth: int) -> list[str]:
    """A wrapper under which the nth flush to disk and all later ones fail; libfiu can only fail all of them."""
    if strace := shutil.which("strace"):
        wrapper = [strace, "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync,fdatasync", "-e"]
        wrapper.append(f"inject=fsync,fdatasync:error=EIO:when={nth}+")
        if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0:
            return wrapper
    libfiu = shutil.which("fiu-run")
    if libfiu is None or nth > 1:
        pytest.skip("no strace that may trace is here, and libfiu fails every flush or none")
    return [libfiu, "-x", "-c", "enable name=posix/io/sync/*,failinfo=5"]


@pytest.mark.parametrize("nth", [1, 2, 4, 7, 10, 13])
def test_P11_a_flush_that_fails_ends_the_run_and_what_is_on_disk_is_sound(yard_of, workshop, nth: int) -> None:
    yard = yard_of("first night, postmart")
    command = [*faulty_flush(nth), sys.executable, "-m", "flows.cli", *NIGHT]

    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=QUICK | {"CAYBEO_HOME": str(yard.home)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode == USAGE, ended.stdout + ended.stderr
    assert "Ổ đĩa báo lỗi" in ended.stdout
    assert unrecorded(yard) == []
    with closing(sqlite3.connect(yard.home / "caybeo.sqlite")) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert in_step(yard, workshop)


# --- a lock -----------------------------------------------------------------------------------------------------------


def test_P12_a_database_that_stays_locked_is_given_up_before_anything_is_sent(yard_of, workshop) -> None:
    yard = yard_of("first night, postmart")

    with closing(sqlite3.connect(yard.home / "caybeo.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = yard.nursery.run(yard.home, *NIGHT, env=HASTY)

    assert ended.code == BUSY
    assert ended.seconds >= HASTY_BUSY_SECONDS
    assert spoke(ended, "caybeo.sqlite")
    assert yard.tell("sandbox", "show", "postmart", "--log")["log"] == []
    assert in_step(yard, workshop)


def test_P12_locked_in_the_middle_the_run_ends_and_the_next_one_finds_out_what_was_sent(yard_of, workshop) -> None:
    yard = yard_of("first night, postmart")
    child = frozen_at(yard, *NIGHT, point="settle.begin:1:stop", **HASTY)

    with closing(sqlite3.connect(yard.home / "caybeo.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        child.signal(18)
        ended = child.wait()

    assert ended.code == BUSY
    assert ended.spoke_plainly
    assert unrecorded(yard) == []
    assert in_step(yard, workshop)


# --- a damaged file ---------------------------------------------------------------------------------------------------


def damage(file: Path) -> None:
    """Pages in the middle are rubbish; the head of the file looks well."""
    whole = bytearray(file.read_bytes())
    whole[8192 : len(whole) // 2] = os.urandom(len(whole) // 2 - 8192)
    file.write_bytes(whole)


@pytest.mark.parametrize("words", [NIGHT, ("status",), ("sync",), ("reconcile",), ("db", "backup", "COPY")])
def test_P21_a_damaged_file_is_not_worked_with_and_the_way_back_is_named(yard_of, words) -> None:
    yard = yard_of("restore")
    damage(yard.home / "caybeo.sqlite")
    named = tuple(str(yard.folder / "other.sqlite") if word == "COPY" else word for word in words)

    ended = yard.do(*named, codes=(USAGE,))

    assert spoke(ended, "caybeo.sqlite")
    assert "caybeo db restore" in ended.out


def test_P21_a_backup_takes_the_place_of_a_damaged_file_which_is_kept(yard_of) -> None:
    yard = yard_of("restore")
    file = yard.home / "caybeo.sqlite"
    damage(file)
    bad = file.read_bytes()

    yard.do("db", "restore", str(yard.folder / "copy.sqlite"))

    assert (yard.home / "caybeo.sqlite.damaged-1").read_bytes() == bad
    refused = yard.tell(*NIGHT)["accounts"][0]["problems"]
    assert [problem["code"] for problem in refused] == ["needs-reconcile"]
    yard.do("reconcile")
    yard.do("nightly")
    assert facts(yard)["open"] == []

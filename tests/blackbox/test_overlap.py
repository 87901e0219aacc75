"""Two processes on one account: one works, the other says so; one that was frozen does nothing more when it wakes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flows.settings import Settings
from models.database import open_database, sqlite3
from models.ledger import LEDGER, OUTBOX
from models.timetable import STATE
from tests.blackbox.shop import ACCOUNT, BUSY, DONE, FILLED, PRODUCTS, Shop, ended

LONG = {"CAYBEO_REQUEST_SECONDS": "20"}
SHORT = {"CAYBEO_LEASE_SECONDS": "8", "CAYBEO_REQUEST_SECONDS": "1"}

pytestmark = pytest.mark.slow


@contextmanager
def frozen(process: subprocess.Popen[str], home: Path) -> Iterator[None]:
    """Stopped by `kill -STOP`, as a laptop that is shut or a machine that is moved; wakes at the end.

    While it is being stopped we hold the database: had it been in a transaction, nobody could write until it woke.
    """
    with closing(sqlite3.connect(home / "caybeo.sqlite", timeout=30, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        db.execute("ROLLBACK")
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def memory(shop: Shop) -> dict[str, list[str]]:
    """Everything that the database knows about the account's listings and changes."""
    database = open_database(Settings(home=shop.home).url)
    with database.connect() as db:
        rows = {t.name: sorted(map(repr, db.execute(select(t)))) for t in (OUTBOX, STATE, LEDGER)}
    database.dispose()
    return rows


def test_P15_a_second_sync_ends_at_once_and_says_who_holds_the_account(shop: Shop) -> None:
    held = shop.proxy.add("hold", **shop.create)
    with shop.running("sync", "-a", ACCOUNT, "--json", **LONG) as first:
        assert held.reached()

        before = len(shop.proxy.log)
        second = shop.sync()
        people = shop.run("sync", "-a", ACCOUNT, CAYBEO_LANG="vi")
        meanwhile = shop.proxy.log[before:]
        shop.proxy.calm()
        said = ended(first)

    assert (said.code, second.code, people.code) == (DONE, BUSY, BUSY)
    (problem,) = second.problems
    assert problem["code"] == "busy"
    assert str(first.pid) in problem["message"]
    assert problem["next_step"]
    assert "đang giữ tài khoản" in people.out
    assert [one for one in meanwhile if one.path.endswith("/oauth/token")] == []  # neither of them began to speak
    assert shop.shelf == FILLED


def test_P17_a_resync_during_the_night_waits_for_its_turn(shop: Shop) -> None:
    """The person is told to come back; what they asked for is never mixed into the run that works."""
    held = shop.proxy.add("hold", **shop.create)
    with shop.running("nightly", "-a", ACCOUNT, "--json", **LONG) as night:
        assert held.reached()

        resync = shop.run("sync", "-a", ACCOUNT, "-s", PRODUCTS[0], "--force", "--json")
        withdrawn = shop.run("withdraw", "-s", PRODUCTS[1], "--reason", "hàng lỗi", "--json")
        shop.proxy.calm()
        said = ended(night)
    after = shop.sync()

    assert (resync.code, withdrawn.code) == (BUSY, BUSY), (resync, withdrawn)
    assert (said.code, after.code) == (DONE, DONE), (said, after)
    assert [one for one in shop.shelf if one[1] == "live"] == [one for one in FILLED if one[0] != PRODUCTS[1]]


BUSY_THERE = {"kind": "refuse", "status": 429, "retry_after": "3"}


@pytest.mark.parametrize(
    ("shop", "moment"),
    [("voso", {"kind": "hold"}), ("madeincamau", {"kind": "hold"}), ("madeincamau", BUSY_THERE)],
    indirect=["shop"],
    ids=["voso-in-a-request", "madeincamau-in-a-request", "madeincamau-between-two"],
)
def test_P16_a_frozen_run_is_taken_over_and_sends_and_writes_nothing_when_it_wakes(
    shop: Shop, moment: dict[str, Any]
) -> None:
    """It freezes when all its creates are out, or refused for now and about to be repeated."""
    met = shop.proxy.add(times=len(PRODUCTS), **moment, **shop.create)
    with shop.running("sync", "-a", ACCOUNT, "--json", **SHORT) as first:
        assert met.reached(len(PRODUCTS))

        with frozen(first, shop.home):
            others = [shop.sync(**SHORT)]
            while others[-1].code != DONE and len(others) < 20:  # busy for a lease, then not yet certain
                others.append(shop.sync(**SHORT))
            filled, asked, known = shop.shelf, len(shop.proxy.log), memory(shop)
            shop.proxy.calm()
        said = ended(first)

    assert others[-1].code == DONE, others
    assert filled == shop.shelf == FILLED
    assert [str(one) for one in shop.proxy.log[asked:]] == []
    assert memory(shop) == known
    assert said.code == BUSY, said
    (problem,) = said.problems
    assert (problem["code"], bool(problem["next_step"])) == ("lease-lost", True)

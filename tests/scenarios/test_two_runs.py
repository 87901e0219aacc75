"""One writer for each account: a second run waits its turn, and one that was asleep too long does no more harm."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import CodeType

import httpx
import pytest

from flows.steps.context import Account
from flows.steps.night import resync
from models.lease import HeldLease
from models.report import BUSY, DONE, RunReport
from tests.scenarios.world import World, is_write, part, shrimp


def test_P15_a_second_run_of_one_account_is_busy_and_the_others_run(world: World, market: str) -> None:
    world.put(*world.shrimps(2))
    lease = HeldLease(world.database, market, 600, world.clock)

    report = world.night()

    assert report.exit_code == BUSY
    assert part(report, market).code == BUSY
    assert [p["code"] for p in part(report, market).problems] == ["busy"]
    assert world.wires[market].sent == []
    assert all(a.counts["created"] == 2 for a in report.accounts if a.account != market)
    lease.release()
    assert world.night().exit_code == DONE


def test_P18_an_expired_lease_is_taken_over(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(2))
    HeldLease(lone.database, market, 60, lone.clock)  # never released
    lone.clock.advance(seconds=61)

    report = resync(lone.context())

    assert report.exit_code == DONE
    assert len(lone.shown(market)) == 2


def overtaken(world: World, market: str, moment: str) -> tuple[RunReport, RunReport, int]:
    """A run that falls asleep at a write, around which another run does everything; and how much it sent after."""
    other: list[RunReport] = []
    sent = 0

    def asleep(request: httpx.Request) -> None:
        nonlocal sent
        if not is_write(market, request):
            return
        wire = world.wires[market]
        wire.before = wire.after = lambda request: None
        world.clock.advance(minutes=5)
        other.append(resync(world.context()))
        sent = len(wire.sent)

    setattr(world.wires[market], moment, asleep)
    first = world.night()
    return first, other[0], len(world.wires[market].sent) - sent


def test_P16_a_run_that_slept_through_its_lease_writes_and_sends_no_more(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(6))

    first, second, sent_after = overtaken(lone, market, "after")

    assert (first.exit_code, second.exit_code) == (BUSY, DONE)
    assert [p["code"] for p in part(first, market).problems] == ["lease-lost"]
    assert part(first, market).counts["created"] == 0
    assert sent_after == 0
    assert part(second, market).counts["created"] + part(second, market).counts["updated"] == 6
    assert all(row.done_at for row in lone.outbox(market))
    lone.assert_in_step()


def test_P16_a_run_that_slept_before_sending_is_fenced_from_the_records(lone: World, market: str) -> None:
    """Its one request was on the wire already and may still arrive; the records stay those of the newer run."""
    lone.put(*lone.shrimps(3))

    first, second, _ = overtaken(lone, market, "before")

    assert (first.exit_code, second.exit_code) == (BUSY, DONE)
    assert lone.ledger(market).count("acknowledged") == 3
    assert lone.night().exit_code == DONE


@pytest.mark.parametrize("market", ["madeincamau", "voso"], indirect=True)
def test_a_long_run_renews_its_lease(lone: World, market: str) -> None:
    """Each request takes a second: in the end more than the lease's 60."""
    lone.put(*(shrimp(n, lone.picture()) for n in range(80)))
    begun = lone.clock.monotonic()
    lone.wires[market].after = lambda request: lone.clock.advance(seconds=1)

    report = lone.night()

    assert report.exit_code == DONE, report.as_json()
    assert len(lone.shown(market)) == 80
    assert lone.clock.monotonic() - begun > 60


def test_nothing_leaves_that_could_outlive_the_lease(tmp_path: Path, market: str) -> None:
    """Fifteen seconds of the lease are left and a request may take fifty: the second one of a change stays here."""
    world = World(tmp_path, [market], pool=lambda workers: ThreadPoolExecutor(1))
    world.put(shrimp(1, world.picture()))
    patient = [_patient(account, 50.0) for account in world.accounts()]
    slow, ours = iter([45.0]), threading.get_ident()

    def after(request: httpx.Request) -> None:
        if is_write(market, request) or "media" in request.url.path:
            _await_waiting(ours)
            world.clock.advance(seconds=next(slow, 0.0))

    world.wires[market].after = after

    report = world.night(accounts=lambda: patient)

    assert report.exit_code == BUSY
    assert [p["code"] for p in part(report, market).problems] == ["lease-lost"]
    world.unhook()
    world.clock.advance(minutes=2)
    assert world.night().exit_code == DONE
    world.assert_in_step()
    world.close()


def _await_waiting(thread: int) -> None:
    """Until the run's own thread waits for its pool: a clock moved before that would make it renew the lease first.

    It waits for a thread of the pool to start, too, which is not that.
    """
    while thread != threading.get_ident() and futures.wait.__code__ not in _running(thread):
        time.sleep(0.001)


def _running(thread: int) -> list[CodeType]:
    return [frame.f_code for frame, _ in traceback.walk_stack(sys._current_frames()[thread])]


def test_an_account_whose_requests_may_take_long_is_kept_for_as_long(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(2))
    patient = [_patient(account, 100.0) for account in lone.accounts()]

    report = lone.night(accounts=lambda: patient)

    assert report.exit_code == DONE
    assert len(lone.shown(market)) == 2


def _patient(account: Account, seconds: float) -> Account:
    """The account, with a request's deadline so far away."""
    limits = replace(account.connector.limits, request_seconds=seconds)
    return replace(account, connector=replace(account.connector, limits=limits))

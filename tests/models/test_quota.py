"""What was sent is remembered by whoever sends next, in this process, another one, or one after a crash."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select

from connectors.contract import Rate
from connectors.errors import NotRecorded, Throttled
from connectors.throttle import BLOCK, Throttle
from models.database import writing
from models.quota import QUOTA, StoredHealth, StoredQuota
from models.tables import AccountRow, core
from models.window import LONGEST_SECONDS, Window
from tests.connectors.stall import Wire, answer, declared, session
from tests.connectors.test_throttle import most_in
from tests.scenarios.world import HandClock

WITHIN = 20.0
FIVE = Rate(permits=5, seconds=10.0)


def process(database: Engine, clock: HandClock, *rates: Rate, account: str = "shop") -> Throttle:
    """One more process that sends for the account; whoever leaves one without a word has killed it."""
    return Throttle(rates or (FIVE,), clock, StoredQuota(database, account), WITHIN)


def send(throttle: Throttle, times: int = 1) -> None:
    for _ in range(times):
        throttle.arrived(throttle.wait("push"))


def rows(database: Engine) -> dict[str, object]:
    with database.connect() as db:
        return {row.rate: row for row in db.execute(select(QUOTA))}


@pytest.fixture
def commits(database: Engine) -> Iterator[list[object]]:
    """One for each commit from now on."""
    found: list[object] = []
    note = found.append
    event.listen(database, "commit", note)
    yield found
    event.remove(database, "commit", note)


# --- across processes -------------------------------------------------------------------------------------------------


def test_P04_what_a_killed_process_sent_still_counts(database, clock) -> None:
    send(process(database, clock), 5)

    send(process(database, clock))

    assert clock.ticks >= FIVE.seconds


def test_P03_a_permit_without_a_request_is_wasted_and_never_used_twice(database, clock) -> None:
    """Nobody knows whether the killed one sent; it may until its deadline."""
    killed = process(database, clock)
    for _ in range(5):
        killed.wait("push")

    send(process(database, clock))

    assert WITHIN + FIVE.seconds <= clock.ticks <= WITHIN + FIVE.seconds + 2


def test_a_run_that_ends_well_leaves_nothing_reserved(database, clock) -> None:
    """The next one waits for what was sent, not for deadlines."""
    ended = process(database, clock)
    send(ended, 5)
    ended.settle()

    send(process(database, clock))

    assert FIVE.seconds <= clock.ticks <= FIVE.seconds + 0.5


def test_accounts_do_not_share_their_permits(database, clock) -> None:
    send(process(database, clock), 5)

    send(process(database, clock, account="other"), 5)

    assert clock.ticks == 0


def test_a_rate_that_is_declared_anew_begins_with_an_empty_window(database, clock) -> None:
    send(process(database, clock), 5)

    send(process(database, clock, Rate(permits=6, seconds=10.0)))

    assert clock.ticks == 0
    assert set(rows(database)) == {"5/10 *", "6/10 *"}


def test_M01_a_refusal_holds_the_next_process_too(database, clock) -> None:
    refused = process(database, clock)
    refused.refused(refused.wait("push"), 90.0)

    send(process(database, clock))

    assert clock.ticks >= 90.0


def test_M19_a_lowered_rate_stays_lowered_and_recovers_over_nights(database, clock) -> None:
    lowered = process(database, clock, Rate(permits=60, seconds=60.0))
    lowered.refused(lowered.wait("push"), 1.0)
    clock.advance(seconds=2)

    assert 40 <= _fit(process(database, clock, Rate(permits=60, seconds=60.0)), clock) <= 42
    clock.advance(hours=24)
    assert _fit(process(database, clock, Rate(permits=60, seconds=60.0)), clock) == 60


def _fit(throttle: Throttle, clock: HandClock) -> int:
    """How many requests the minute that begins now takes."""
    begun, count = clock.ticks, 0
    while True:
        throttle.arrived(throttle.wait("push"))
        if clock.ticks - begun >= 60:
            return count
        count += 1


# --- the clock --------------------------------------------------------------------------------------------------------


def test_P13_a_clock_that_jumps_ahead_in_a_run_gives_nothing_away(database, clock) -> None:
    throttle = process(database, clock)
    send(throttle, 5)

    clock.at += timedelta(hours=1)
    send(throttle)

    assert clock.ticks >= FIVE.seconds


def test_P13_a_clock_that_was_set_back_holds_nobody_for_an_hour(database, clock) -> None:
    """Requests that stand in the future can only have been noted by a clock that was ahead."""
    killed = process(database, clock)
    for _ in range(5):
        killed.wait("push")
    clock.at -= timedelta(hours=1)

    send(process(database, clock))

    assert FIVE.seconds <= clock.ticks <= WITHIN + FIVE.seconds + 3


def test_P13_a_refusal_from_the_future_ends_after_the_length_of_a_run(database, clock) -> None:
    refused = process(database, clock)
    refused.refused(refused.wait("push"), 60.0)
    clock.at -= timedelta(days=365)

    with pytest.raises(Throttled) as waiting:
        process(database, clock).wait("push")

    assert (waiting.value.retry_after or 0) <= LONGEST_SECONDS + 1


# --- how it is stored -------------------------------------------------------------------------------------------------


def test_the_permit_is_committed_before_the_request_leaves(database, clock) -> None:
    """Seen from another connection while the request is on the wire."""
    seen = []

    def look() -> httpx.Response:
        seen.append(sum(rows(database)["5/10 *"].slots.values()))
        return answer()

    account = session(Wire([look]), clock, connector=declared(FIVE), quota=StoredQuota(database, "shop"))
    account.call("create", "POST", "items", json={})
    account.call("create", "POST", "items", json={})

    assert seen == [1, 2]


def test_when_an_answer_came_costs_no_commit_of_its_own(database, clock, commits) -> None:
    throttle = process(database, clock)

    send(throttle, 5)

    assert len(commits) == 5


def test_a_large_rate_is_taken_in_blocks(database, clock, commits) -> None:
    throttle = process(database, clock, Rate(permits=6_000, seconds=60.0))

    send(throttle, 10 * BLOCK)
    throttle.settle()

    assert len(commits) == 11
    assert sum(rows(database)["6000/60 *"].slots.values()) == 10 * BLOCK


def test_permits_of_a_block_that_were_never_used_are_given_back(database, clock) -> None:
    throttle = process(database, clock, Rate(permits=6_000, seconds=60.0))
    send(throttle)
    clock.advance(seconds=5)

    send(throttle)
    throttle.settle()

    assert sum(rows(database)["6000/60 *"].slots.values()) == 2


def test_a_run_that_sends_nothing_stores_nothing(database, clock, commits) -> None:
    account = session(Wire([answer]), clock, connector=declared(FIVE), quota=StoredQuota(database, "shop"))

    account.settle()
    account.close()

    assert (commits, rows(database)) == ([], {})


def test_a_row_stays_small_however_much_was_sent(database, clock) -> None:
    throttle = process(database, clock, Rate(permits=100_000, seconds=60.0))

    for _ in range(300):
        send(throttle, 3)
        clock.advance(seconds=0.7)

    assert len(rows(database)["100000/60 *"].slots) <= 61 + 21


def test_P12_nothing_leaves_while_it_cannot_be_recorded(database, clock) -> None:
    def forbid(db: object, *_: object) -> None:
        raise_on = "PRAGMA query_only=ON" if database.dialect.name == "sqlite" else "SET TRANSACTION READ ONLY"
        db.exec_driver_sql(raise_on)

    wire = Wire([answer])
    account = session(wire, clock, connector=declared(FIVE), quota=StoredQuota(database, "shop"))
    event.listen(database, "begin", forbid)

    with pytest.raises(NotRecorded):
        account.call("create", "POST", "items", json={})

    event.remove(database, "begin", forbid)
    assert wire.requests == []


# --- one file, several writers ----------------------------------------------------------------------------------------

RACER = """
import sys, time
from connectors.contract import Rate
from connectors.throttle import Throttle
from models.clock import SystemClock
from models.database import open_database
from models.quota import StoredQuota
url, permits, seconds, times = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
store = StoredQuota(open_database(url), "shop")
throttle = Throttle([Rate(permits=permits, seconds=seconds)], SystemClock(), store, 0.3)
for _ in range(times):
    permit = throttle.wait("push")
    print(time.time(), flush=True)
    throttle.arrived(permit)
"""


def test_P15_two_processes_together_never_pass_the_rate(database, database_url) -> None:
    """Real processes, a real clock: what `caybeo check` sends beside a night that is running."""
    arguments = [sys.executable, "-c", RACER, database_url, "8", "0.5", "25"]
    racers = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    arrivals = [float(line) for racer in racers for line in racer.communicate(timeout=120)[0].split()]

    assert [racer.returncode for racer in racers] == [0, 0]
    assert len(arrivals) == 50
    assert most_in(arrivals, 0.5) <= 8


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["send", "send", "crash", "pause"]), st.floats(0, 12)), max_size=40
    )
)
def test_P15_any_order_of_three_processes_keeps_the_window(database, steps) -> None:
    with writing(database) as db:
        db.execute(QUOTA.delete())
    clock, arrivals = HandClock(), []
    them = [process(database, clock) for _ in range(3)]
    for who, what, pause in steps:
        if what == "crash":
            them[who] = process(database, clock)
        elif what == "pause":
            clock.advance(seconds=pause)
        else:
            permit = them[who].wait("push")
            clock.advance(seconds=pause / 6)
            arrivals.append(clock.ticks)
            them[who].arrived(permit)

    assert most_in(arrivals, FIVE.seconds) <= FIVE.permits


# --- since when a marketplace has not answered ------------------------------------------------------------------------


def test_M23_a_silence_is_remembered_until_an_answer(database, clock) -> None:
    with writing(database) as db:
        row = AccountRow(name="shop", marketplace="stall", sandbox=True, created_at=clock.now())
        db.execute(core(AccountRow).insert().values(row.model_dump(exclude_none=True)))
    health = StoredHealth(database, "shop")

    assert health.down_since() is None
    health.went_down(clock.now())
    assert StoredHealth(database, "shop").down_since() == clock.now()
    health.came_back()
    assert health.down_since() is None


def test_a_window_forgets_late_and_never_early() -> None:
    """Over the whole range of instants, wherever in a slot a request stands."""
    for seconds in (0.5, 1.0, 7.0, 60.0, 3600.0):
        for part in range(120):
            window, at = Window(permits=1, seconds=seconds), 1_790_000_000.0 + part * seconds / 117
            window.take(at)
            window.come_to(at + seconds, WITHIN)
            assert window.wait(at + seconds) > 0
            window.come_to(at + seconds * 62 / 60, WITHIN)
            assert window.wait(at + seconds * 62 / 60) == 0

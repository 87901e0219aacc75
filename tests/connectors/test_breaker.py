"""A marketplace that does not answer is left alone: by this run, by the next one, and by all threads at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import httpx
import pytest

from connectors.breaker import IN_A_ROW, LAST, OPEN_SECONDS, Breaker
from connectors.contract import Rate
from connectors.errors import (
    AuthorisationFailed,
    ConnectorError,
    Down,
    Interrupted,
    Misconfigured,
    NotRecorded,
    NotSent,
    OutOfTime,
    Refused,
    Throttled,
    Unanswered,
)
from connectors.transport import Session
from models.lease import LeaseLost
from tests.connectors.stall import RecordingClock, Wire, answer, declared, session
from tests.scenarios.world import TODAY, HandClock

RESET = httpx.ReadError("reset")


class Memory:
    """What one run tells the next."""

    def __init__(self, since: datetime | None = None) -> None:
        self.since = since
        self.told: list[datetime | None] = []

    def down_since(self) -> datetime | None:
        return self.since

    def went_down(self, since: datetime) -> None:
        self.since = since
        self.told.append(since)

    def came_back(self) -> None:
        self.since = None
        self.told.append(None)


@pytest.fixture
def clock() -> RecordingClock:
    return RecordingClock()


def create(account: Session) -> object:
    """One attempt, whatever happens."""
    return account.call("create", "POST", "items", json={}).data


def failing(account: Session, times: int, clock: HandClock | None = None) -> list[str]:
    """What each of so many calls ends as."""
    ends = []
    for _ in range(times):
        try:
            create(account)
            ends.append("ok")
        except ConnectorError as error:
            ends.append(type(error).__name__)
        if clock:
            clock.advance(seconds=1)
    return ends


# --- opening ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (RESET, "Unanswered"),
        (lambda: answer(503, b"{}"), "Unanswered"),
        (lambda: answer(200, b"<html>"), "OtherShape"),
    ],
    ids=["reset", "down", "html"],
)
def test_M23_after_five_failures_in_a_row_nothing_is_sent(fault, kind, clock) -> None:
    wire = Wire([fault])
    account = session(wire, clock)

    ends = failing(account, 8)

    assert ends == [kind] * IN_A_ROW + ["Down"] * 3
    assert len(wire.requests) == IN_A_ROW


def test_N01_a_host_that_cannot_be_found_is_asked_five_times_in_all(clock) -> None:
    wire = Wire([httpx.ConnectError("[Errno -2] Name or service not known")])
    account = session(wire, clock)

    ends = failing(account, 5)

    assert set(ends) == {"NotSent", "Down"}
    assert len(wire.requests) == IN_A_ROW


def test_an_answer_in_between_begins_the_count_anew(clock) -> None:
    wire = Wire([*[RESET] * 4, answer, *[RESET] * 4, answer])
    account = session(wire, clock)

    assert failing(account, 10) == [*["Unanswered"] * 4, "ok", *["Unanswered"] * 4, "ok"]


def test_more_than_half_of_the_last_twenty_opens_it_too(clock) -> None:
    pattern = [RESET, RESET, answer] * 10
    account = session(Wire(pattern), clock)

    ends = failing(account, 22)

    assert ends[:LAST].count("Unanswered") > LAST / 2
    assert ends[LAST:] == ["Down"] * 2


def test_exactly_half_does_not_open_it(clock) -> None:
    account = session(Wire([RESET, answer] * 30), clock)

    assert "Down" not in failing(account, 60)


NO_NEWS = [
    Refused("E1"),
    AuthorisationFailed("x"),
    Throttled("429"),
    Throttled("rate"),
    Misconfigured("certificate"),
    Interrupted(),
    OutOfTime(),
    NotRecorded("x"),
    NotSent("PoolTimeout"),
    LeaseLost("x"),
]


@pytest.mark.parametrize("error", NO_NEWS, ids=repr)
def test_what_says_nothing_about_the_marketplace_never_opens_it(error) -> None:
    """An item that is refused, a limit, and everything that happened on our own side."""
    breaker = Breaker(HandClock(), Memory())

    for _ in range(3 * LAST):
        with pytest.raises(type(error)), breaker.watching():
            raise error

    assert breaker.down_since is None


def test_a_run_of_4xx_about_items_never_opens_it(clock) -> None:
    wire = Wire([lambda: answer(422, b'{"error": "name"}')])

    assert failing(session(wire, clock), 40) == ["Refused"] * 40


# --- the probe --------------------------------------------------------------------------------------------------------


def test_M23_after_a_minute_one_attempt_decides(clock) -> None:
    wire = Wire([RESET])
    account = session(wire, clock)
    failing(account, 6)

    clock.advance(seconds=OPEN_SECONDS)
    ends = failing(account, 4)

    assert ends == ["Unanswered", "Down", "Down", "Down"]
    assert len(wire.requests) == IN_A_ROW + 1


def test_M23_a_probe_that_is_answered_closes_it(clock) -> None:
    memory, wire = Memory(), Wire([*[RESET] * 5, answer])
    account = session(wire, clock, health=memory)
    begun = clock.now()
    failing(account, 5)

    clock.advance(seconds=OPEN_SECONDS)

    assert failing(account, 30) == ["ok"] * 30
    assert memory.told == [begun, None]


def test_a_probe_is_a_single_attempt_also_of_a_read(clock) -> None:
    wire = Wire([RESET])
    account = session(wire, clock, health=Memory(TODAY))

    with pytest.raises(Unanswered):
        account.call("list", "GET", "items")

    assert len(wire.requests) == 1


def test_M23_a_refusal_of_the_item_is_an_answer_too(clock) -> None:
    memory = Memory(TODAY)
    account = session(Wire([lambda: answer(422, b"{}")]), clock, health=memory)

    assert failing(account, 2) == ["Refused", "Refused"]
    assert memory.since is None


def test_a_probe_that_says_nothing_leaves_the_question_to_the_next() -> None:
    breaker = Breaker(HandClock(), Memory(TODAY))
    with pytest.raises(Interrupted), breaker.watching():
        raise Interrupted

    with breaker.watching():
        pass

    assert breaker.down_since is None


def test_while_one_asks_the_others_wait_and_go_on_with_its_answer(clock) -> None:
    """Eight threads meet a marketplace that was down: one request, and then all of them."""
    asked, moment = threading.Event(), threading.Event()

    def slow() -> httpx.Response:
        asked.set()
        moment.wait(10)
        return answer()

    wire = Wire([slow, answer])
    account = session(wire, clock, health=Memory(TODAY))
    ends: list[str] = []
    threads = [threading.Thread(target=lambda: ends.extend(failing(account, 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    asked.wait(10)
    before = len(wire.requests)
    moment.set()
    for thread in threads:
        thread.join()

    assert before == 1
    assert ends == ["ok"] * 8


def test_while_one_asks_in_vain_the_others_send_nothing(clock) -> None:
    moment = threading.Event()
    wire = Wire([lambda: moment.wait(10) and answer(503)])
    account = session(wire, clock, health=Memory(TODAY))
    ends: list[str] = []
    threads = [threading.Thread(target=lambda: ends.extend(failing(account, 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    moment.set()
    for thread in threads:
        thread.join()

    assert len(wire.requests) == 1
    assert sorted(ends) == ["Down"] * 7 + ["Unanswered"]


def test_who_is_killed_while_asking_leaves_nobody_waiting() -> None:
    class Killed(BaseException):
        pass

    breaker = Breaker(HandClock(), Memory(TODAY))
    with pytest.raises(Killed), breaker.watching():
        raise Killed

    with breaker.watching():
        pass


# --- from one run to the next -----------------------------------------------------------------------------------------


def test_M23_the_next_run_begins_with_one_question_and_says_since_when(clock) -> None:
    """Hours of maintenance: one request a run, one sentence a run, always with the same beginning."""
    memory, wire = Memory(), Wire([httpx.ConnectError("refused")])
    begun = clock.now()
    failing(session(wire, clock, health=memory), 5)
    before = len(wire.requests)

    for _ in range(4):
        clock.advance(hours=1)
        account = session(wire, clock, health=memory)
        with pytest.raises(Down) as down:
            create(account)
        assert down.value.since == begun

    assert len(wire.requests) == before + 4
    assert memory.told == [begun]


def test_M23_catching_up_begins_without_a_burst(clock) -> None:
    """Ten a second are allowed; after a silence they do not all go in its first moment."""
    left: list[float] = []

    def answered() -> httpx.Response:
        left.append(clock.ticks)
        return answer()

    ten = declared(Rate(permits=10, seconds=1.0))
    account = session(Wire([answered]), clock, connector=ten, health=Memory(TODAY))

    failing(account, 11)

    assert sum(at < 0.5 for at in left) <= 6
    assert left[-1] < 2


# --- N15 --------------------------------------------------------------------------------------------------------------


class Flaky(httpx.BaseTransport):
    """Fails as `fails` says, in one of the ways a network has."""

    def __init__(self, fails: Callable[[int], bool], rng: random.Random) -> None:
        self._fails, self._rng = fails, rng
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if not self._fails(self.requests):
            return answer()
        way = self._rng.choice([lambda: answer(503), lambda: answer(200, b"<html>"), RESET, httpx.ConnectError("no")])
        if isinstance(way, Exception):
            raise way
        return way()


def an_hour(fails: Callable[[int], bool], seed: int) -> float:
    """Requests for each call, in an hour with one call a second."""
    clock = RecordingClock()
    far = Flaky(fails, random.Random(seed))
    account = session(far, clock, seed=seed)
    calls = 0
    while clock.ticks < 3600:
        calls += 1
        begun = clock.ticks
        with suppress(ConnectorError):
            account.call("list", "GET", "items")
        clock.advance(seconds=max(0.0, 1.0 - (clock.ticks - begun)))
    return far.requests / calls


@pytest.mark.parametrize("seed", range(5))
def test_N15_an_hour_in_which_half_of_all_requests_fail_is_no_more_load_than_peace(seed) -> None:
    dice = random.Random(seed)

    assert an_hour(lambda _: dice.random() < 0.5, seed) <= 1.1


def test_N15_neither_is_one_in_which_every_other_fails() -> None:
    """The breaker never sees more than half of them: the budget for retries alone keeps the load down."""
    assert 1.0 < an_hour(lambda number: number % 2 == 1, 1) <= 1.1


def test_N15_in_peace_every_call_is_one_request() -> None:
    assert an_hour(lambda _: False, 1) == 1.0

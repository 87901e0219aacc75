"""An account keeps inside the rates its connector declares, whatever it sends and however long answers take."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Rate
from connectors.errors import Throttled
from connectors.rate_headers import allowances
from connectors.throttle import BLOCK, SPARE_SECONDS, InMemory, Throttle
from tests.scenarios.world import HandClock

PAUSES = st.lists(st.floats(0, 3, allow_nan=False), min_size=10, max_size=120)
WITHIN = 20.0


def sent(rates: list[Rate], pauses: list[float], operation: str = "push") -> list[float]:
    """When each request left, with these pauses between them beside what the throttle asks for."""
    clock, left = HandClock(), []
    throttle = Throttle(rates, clock)
    for pause in pauses:
        clock.advance(seconds=pause)
        permit = throttle.wait(operation)
        left.append(clock.monotonic())
        throttle.arrived(permit)
    return left


def most_in(arrivals: Iterable[float], seconds: float) -> int:
    """The most requests in any window of that length."""
    ordered = sorted(arrivals)
    return max((bisect_left(ordered, at + seconds - 1e-6) - n for n, at in enumerate(ordered)), default=0)


@given(st.integers(2, 20), st.sampled_from([1.0, 10.0, 60.0]), PAUSES)
def test_a_marketplace_with_a_token_bucket_never_refuses(permits, seconds, pauses) -> None:
    tokens, last = float(permits), 0.0
    for at in sent([Rate(permits=permits, seconds=seconds)], pauses):
        tokens, last = min(permits, tokens + (at - last) * permits / seconds), at
        tokens -= 1
        assert tokens >= 0


@given(st.integers(1, 20), st.sampled_from([1.0, 10.0, 60.0]), PAUSES)
def test_no_window_holds_more_than_its_permits(permits, seconds, pauses) -> None:
    left = sent([Rate(permits=permits, seconds=seconds)], pauses)

    assert most_in(left, seconds) <= permits


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "answer", "late-answer", "pause", "crash"]),
        st.floats(0, 1, allow_nan=False),
    ),
    min_size=5,
    max_size=150,
)


@given(st.sampled_from([(1, 1.0), (3, 1.0), (5, 10.0), (60, 60.0), (100, 2.0)]), STEPS)
def test_M19_no_window_is_passed_however_long_requests_are_under_way(rate, steps) -> None:
    """Each may arrive when it left, when it is answered, or at its deadline; a crash forgets which were answered."""
    permits, seconds = rate
    clock, store, arrivals = HandClock(), InMemory(), []
    throttle = Throttle([Rate(permits=permits, seconds=seconds)], clock, store, WITHIN)
    under_way = []
    for what, chance in steps:
        if what == "send":
            try:
                under_way.append(throttle.wait("push"))
            except Throttled:
                clock.advance(seconds=WITHIN)
        elif what == "pause":
            clock.advance(seconds=chance * seconds)
        elif what == "crash":
            arrivals += [permit.ends for permit in under_way]
            under_way = []
            throttle = Throttle([Rate(permits=permits, seconds=seconds)], clock, store, WITHIN)
        elif under_way:
            permit = under_way.pop(int(chance * len(under_way)) % len(under_way))
            if permit.ends > clock.ticks:
                arrivals.append(clock.ticks if what == "late-answer" else permit.begun)
                throttle.arrived(permit)
            else:
                arrivals.append(permit.ends)
    arrivals += [permit.ends for permit in under_way]

    assert most_in(arrivals, seconds) <= permits


def test_a_marketplace_that_counts_by_the_window_never_refuses() -> None:
    left = sent([Rate(permits=60, seconds=60.0)], [0.0] * 200)

    assert most_in(left, 60.0) <= 60


@pytest.mark.parametrize("rate", [Rate(permits=1, seconds=1.0), Rate(permits=10, seconds=1.0)], ids=str)
def test_at_least_nine_tenths_of_the_rate_are_used(rate) -> None:
    """Too careful is slow: a first night of a large catalogue is bound by this, and deadlines are far away."""
    left = sent([rate], [0.0] * 1000)

    assert 1000 / left[-1] >= 0.9 * rate.permits


def test_an_answer_frees_its_permit_a_window_later_and_not_at_its_deadline() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=1, seconds=1.0)], clock, None, WITHIN)
    first = throttle.wait("push")
    clock.advance(seconds=0.4)
    throttle.arrived(first)

    second = throttle.wait("push")

    assert 1.4 <= second.begun <= 1.45


def test_a_request_without_an_answer_holds_its_permit_until_its_deadline() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=1, seconds=1.0)], clock, None, WITHIN)
    throttle.wait("push")

    second = throttle.wait("push")

    assert WITHIN + 1 <= second.begun <= WITHIN + 2.1


def test_a_permit_is_good_for_no_longer_than_is_noted_however_long_the_commit_took() -> None:
    class Slow(InMemory):
        @contextmanager
        def open(self, declared):
            with super().open(declared) as windows:
                yield windows
            clock.advance(seconds=15)

    clock = HandClock()

    permit = Throttle([Rate(permits=1, seconds=1.0)], clock, Slow(), WITHIN).wait("push")

    assert permit.begun == 15
    assert permit.ends <= WITHIN + SPARE_SECONDS


def test_a_permit_taken_in_advance_is_not_used_when_it_has_grown_old() -> None:
    """It was noted for a request that leaves at once: later, its request could arrive after it is forgotten."""
    clock, store = HandClock(), Counting()
    throttle = Throttle([Rate(permits=6_000, seconds=60.0)], clock, store, WITHIN)
    throttle.wait("push")
    clock.advance(seconds=SPARE_SECONDS / 2)
    throttle.wait("push")
    assert store.opened == 1

    clock.advance(seconds=SPARE_SECONDS)
    throttle.wait("push")

    assert store.opened == 2


def test_the_strictest_of_several_rates_counts() -> None:
    rates = [Rate(permits=100, seconds=1.0), Rate(permits=6, seconds=60.0)]

    left = sent(rates, [0.0] * 12)

    assert most_in(left, 60.0) <= 6


def test_a_rate_of_one_operation_does_not_slow_the_others() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=1, seconds=60.0, operations=frozenset({"upload"}))], clock)
    for _ in range(20):
        throttle.arrived(throttle.wait("push"))
    assert clock.ticks == 0

    throttle.arrived(throttle.wait("upload"))
    throttle.arrived(throttle.wait("upload"))

    assert clock.ticks >= 60


def test_who_waits_for_a_strict_rate_does_not_hold_up_the_others() -> None:
    clock = Doing()
    uploads = Rate(permits=1, seconds=5.0, operations=frozenset({"upload"}))
    throttle = Throttle([Rate(permits=4, seconds=1.0), uploads], clock)
    throttle.arrived(throttle.wait("upload"))

    clock.meanwhile = lambda: [throttle.arrived(throttle.wait("push")) for _ in range(3)]
    throttle.wait("upload")

    assert clock.asked == 1
    assert clock.waits == pytest.approx([5.0, 0.1], abs=0.1)


def test_a_wait_of_more_than_two_minutes_is_left_to_the_next_run() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=1, seconds=3600.0)], clock)
    throttle.arrived(throttle.wait("push"))

    with pytest.raises(Throttled) as refused:
        throttle.wait("push")

    assert 3600 <= (refused.value.retry_after or 0) <= 3661
    assert clock.ticks == 0


def test_a_long_wait_asks_every_few_seconds_whether_it_still_has_a_sense() -> None:
    class Enough(Exception):
        pass

    def still() -> None:
        if clock.ticks > 12:
            raise Enough

    clock = HandClock()
    throttle = Throttle([Rate(permits=1, seconds=60.0)], clock)
    throttle.arrived(throttle.wait("push"))

    with pytest.raises(Enough):
        throttle.wait("push", still)

    assert clock.ticks == 15


def test_M01_after_a_refusal_nobody_sends_before_its_time_is_over() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=10, seconds=1.0)], clock)
    permit = throttle.wait("push")
    throttle.arrived(permit)

    throttle.refused(permit, 30.0)
    throttle.wait("push")

    assert 30.0 <= clock.ticks <= 31.0
    assert throttle.throttled == 1


def test_M01_permits_taken_in_advance_are_given_back_at_a_refusal() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=6000, seconds=60.0)], clock)
    permit = throttle.wait("push")

    throttle.refused(permit, 30.0)
    throttle.wait("push")

    assert clock.ticks >= 30.0


def test_M01_after_a_refusal_there_is_no_burst() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=10, seconds=1.0)], clock)
    throttle.refused(throttle.wait("push"), 5.0)

    left = []
    for _ in range(10):
        throttle.arrived(throttle.wait("push"))
        left.append(clock.ticks)

    assert most_in(left, 0.5) <= 5


def test_M01_a_short_refusal_does_not_shorten_a_long_one() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=10, seconds=1.0)], clock)
    permit = throttle.wait("push")

    throttle.refused(permit, 30.0)
    throttle.refused(permit, 1.0)
    throttle.wait("push")

    assert clock.ticks >= 30.0


def test_M01_who_asks_for_days_is_asked_again_after_the_length_of_a_run() -> None:
    clock, store = HandClock(), InMemory()
    throttle = Throttle([Rate(permits=10, seconds=1.0)], clock, store)
    throttle.refused(throttle.wait("push"), 999_999.0)
    clock.advance(hours=2, seconds=1)

    Throttle([Rate(permits=10, seconds=1.0)], clock, store).wait("push")

    assert clock.ticks <= 7202


# --- a quota that is lower than declared ------------------------------------------------------------------------------


def per_minute(throttle: Throttle, clock: HandClock, minutes: int) -> list[int]:
    """How many requests each minute takes of one that never rests."""
    begun, counts = clock.ticks, [0] * minutes
    while True:
        permit = throttle.wait("push")
        minute = int((clock.ticks - begun) // 60)
        if minute >= minutes:
            return counts
        counts[minute] += 1
        throttle.arrived(permit)


def test_M19_a_refusal_lowers_the_rate_and_it_recovers_slowly() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=60, seconds=60.0)], clock)
    throttle.refused(throttle.wait("push"), 1.0)

    counts = per_minute(throttle, clock, 8)

    assert counts[0] <= 0.75 * 60
    assert counts[0] < counts[-1] <= 60


def test_M19_requests_that_left_together_are_refused_for_one_reason() -> None:
    """Eight answers of 429 at once are one piece of news, not eight."""
    clock = HandClock()
    throttle = Throttle([Rate(permits=100, seconds=60.0)], clock)
    permits = [throttle.wait("push") for _ in range(8)]
    clock.advance(seconds=1)

    for permit in permits:
        throttle.arrived(permit)
        throttle.refused(permit, 1.0)
    clock.advance(seconds=1)

    assert 60 <= per_minute(throttle, clock, 2)[1] <= 80


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "29", "X-RateLimit-Reset": "60"},
        {"RateLimit-Remaining": "29", "RateLimit-Reset": "60"},
        {"RateLimit": '"default";r=29;t=60'},
        {"RateLimit-Policy": '"burst";q=30;w=60, "day";q=100000;w=86400'},
        {"RateLimit-Limit": "30, 30;w=60", "RateLimit-Remaining": "29", "RateLimit-Reset": "60"},
        {"X-App-Usage": '{"call_count":80,"total_time":25,"total_cputime":25}'},
        {"X-Business-Use-Case-Usage": '{"1":[{"type":"x","call_count":2}],"2":[{"call_count":1,"total_time":97.5}]}'},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_M19_the_rate_follows_what_the_marketplace_reports(headers) -> None:
    """Declared are sixty a minute; another program uses the other half. Two more may be under way meanwhile."""
    clock = HandClock()
    throttle = Throttle([Rate(permits=60, seconds=60.0)], clock)
    permit = throttle.wait("push")
    throttle.arrived(permit)

    throttle.reported(permit, allowances(httpx.Headers(headers), clock))

    assert per_minute(throttle, clock, 1)[0] in (29, 30, 31)


@pytest.mark.parametrize("reset", ["30", None], ids=["seconds", "instant"])
def test_M19_nothing_is_sent_before_an_empty_quota_is_filled_again(reset) -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=600, seconds=60.0)], clock)
    permit = throttle.wait("push")
    at = str(int((clock.now() + timedelta(seconds=30)).timestamp()))

    headers = httpx.Headers({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset or at})
    throttle.reported(permit, allowances(headers, clock))
    throttle.wait("push")

    assert 29 <= clock.ticks <= 31


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Remaining": "soon", "X-RateLimit-Reset": "1"},
        {"X-RateLimit-Remaining": "-3", "X-RateLimit-Reset": "60"},
        {"X-RateLimit-Remaining": "5"},
        {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "4", "X-RateLimit-Reset": "1"},  # per second: no news
        {"X-RateLimit-Limit": "9000", "X-RateLimit-Remaining": "8999", "X-RateLimit-Reset": "60"},
        {"RateLimit": ";;;r=;t=x"},
        {"RateLimit-Policy": '"day";q=1000;w=86400'},  # over a day: a burst is allowed
        {"RateLimit-Policy": "x" * 10_000},
        {"X-App-Usage": '{"call_count":79,"total_time":25,"total_cputime":25}'},
        {"X-App-Usage": '{"call_count":"99","total_time":true,"total_cputime":-9}'},
        {"X-Business-Use-Case-Usage": '{"1":[99],"2":{"call_count":99},"3":[]}'},
        {"X-Business-Use-Case-Usage": '{"a":' * 2_000},
        {"X-Business-Use-Case-Usage": "[]"},
    ],
    ids=str,
)
def test_M19_what_says_nothing_of_this_rate_lowers_nothing(headers) -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=60, seconds=60.0)], clock)
    permit = throttle.wait("push")
    throttle.arrived(permit)

    throttle.reported(permit, allowances(httpx.Headers(headers), clock))

    assert per_minute(throttle, clock, 1)[0] == 59


@given(
    st.dictionaries(
        st.sampled_from(["RateLimit", "RateLimit-Policy", "X-RateLimit-Remaining", "X-App-Usage"]), st.text()
    )
)
def test_M19_no_header_breaks_the_reader(headers) -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=60, seconds=60.0)], clock)
    permit = throttle.wait("push")

    throttle.reported(permit, allowances(headers, clock))
    throttle.settle()


# --- several threads --------------------------------------------------------------------------------------------------


def test_threads_take_their_permits_one_by_one() -> None:
    """Each reserves its own: none may be counted twice or lost between two threads."""
    clock, left = SharedClock(), []
    throttle = Throttle([Rate(permits=5, seconds=1.0)], clock)

    def work() -> None:
        for _ in range(25):
            permit = throttle.wait("push")
            left.append(permit.begun)
            throttle.arrived(permit)

    run_all([work] * 4)

    assert len(left) == 100
    assert most_in(left, 1.0) <= 5


def test_threads_share_what_one_of_them_took_in_advance() -> None:
    clock, store = SharedClock(), Counting()
    throttle = Throttle([Rate(permits=60_000, seconds=60.0)], clock, store)

    run_all([lambda: [throttle.arrived(throttle.wait("push")) for _ in range(4 * BLOCK)]] * 4)

    assert store.opened == BLOCK


def run_all(works: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Counting(InMemory):
    """How often a process that keeps its windows on a disk would have gone there."""

    opened = 0

    def open(self, declared):
        self.opened += 1
        return super().open(declared)


class SharedClock(HandClock):
    """For several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def advance(self, **how: float) -> None:
        with self._lock:
            super().advance(**how)


class Doing(HandClock):
    """While someone sleeps, others do something; `waits` is how long each sleep was."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.asked = 0

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        what, self.meanwhile = self.meanwhile, lambda: None
        self.asked += what() is not None
        super().sleep(seconds)

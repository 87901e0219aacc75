"""An account keeps inside the rates its connector declares, whatever pattern it sends in."""

from __future__ import annotations

import threading
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Rate
from connectors.errors import Throttled
from connectors.throttle import Throttle
from tests.scenarios.world import HandClock

PAUSES = st.lists(st.floats(0, 3, allow_nan=False), min_size=10, max_size=120)


def _sent(rates: list[Rate], pauses: list[float], operation: str = "push") -> list[float]:
    """When each request left, with these pauses between them beside what the throttle asks for."""
    clock, left = HandClock(), []
    throttle = Throttle(rates, clock)
    for pause in pauses:
        clock.advance(seconds=pause)
        throttle.wait(operation)
        left.append(clock.monotonic())
    return left


def _most_in(left: list[float], seconds: float) -> int:
    """The most requests in any window of that length."""
    return max(bisect_left(left, at + seconds - 1e-6) - n for n, at in enumerate(left))


@given(st.integers(2, 20), st.sampled_from([1.0, 10.0, 60.0]), PAUSES)
def test_a_marketplace_with_a_token_bucket_never_refuses(permits, seconds, pauses) -> None:
    tokens, last = float(permits), 0.0
    for at in _sent([Rate(permits=permits, seconds=seconds)], pauses):
        tokens, last = min(permits, tokens + (at - last) * permits / seconds), at
        tokens -= 1
        assert tokens >= 0


@given(st.integers(1, 20), st.sampled_from([1.0, 10.0, 60.0]), PAUSES)
def test_no_window_holds_more_than_its_permits(permits, seconds, pauses) -> None:
    left = _sent([Rate(permits=permits, seconds=seconds)], pauses)

    assert _most_in(left, seconds) <= permits


def test_a_marketplace_that_counts_by_the_window_never_refuses() -> None:
    left = _sent([Rate(permits=60, seconds=60.0)], [0.0] * 200)

    assert _most_in(left, 60.0) <= 60


def test_at_least_nine_tenths_of_the_rate_are_used() -> None:
    """Too careful is slow: a first night of a large catalogue is bound by this."""
    left = _sent([Rate(permits=10, seconds=1.0)], [0.0] * 1000)

    assert 1000 / left[-1] >= 9.0


def test_the_strictest_of_several_rates_counts() -> None:
    rates = [Rate(permits=100, seconds=1.0), Rate(permits=6, seconds=60.0)]

    left = _sent(rates, [0.0] * 12)

    assert _most_in(left, 60.0) <= 6


def test_a_rate_of_one_operation_does_not_slow_the_others() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=1, seconds=60.0, operations=frozenset({"upload"}))], clock)
    for _ in range(20):
        throttle.wait("push")
    assert clock.ticks == 0

    throttle.wait("upload")
    throttle.wait("upload")

    assert clock.ticks >= 60


@given(st.integers(1, 6), st.lists(st.tuples(st.sampled_from(["push", "upload"]), st.floats(0, 2)), max_size=40))
def test_threads_that_wait_for_different_rates_keep_the_common_one(permits, calls) -> None:
    """An upload holds a place in the common rate long before it leaves; pushes that pass it must leave it free."""
    clock, left = StillClock(), []
    rates = [Rate(permits=permits, seconds=1.0), Rate(permits=1, seconds=5.0, operations=frozenset({"upload"}))]
    throttle = Throttle(rates, clock)
    for operation, pause in calls:
        clock.advance(seconds=pause)
        clock.waits = [0.0]
        try:
            throttle.wait(operation)
        except Throttled:
            continue
        left.append(clock.ticks + clock.waits[-1])

    assert not left or _most_in(sorted(left), 1.0) <= permits


def test_who_waits_for_a_strict_rate_does_not_hold_up_the_others() -> None:
    clock = StillClock()
    uploads = Rate(permits=1, seconds=5.0, operations=frozenset({"upload"}))
    throttle = Throttle([Rate(permits=3, seconds=1.0), uploads], clock)

    for operation in ("upload", "upload", "push", "push", "push"):
        throttle.wait(operation)

    assert [wait for wait in clock.waits if wait < 5] == pytest.approx([1 / 0.98] * 2)


def test_after_a_refusal_nobody_sends_before_its_time_is_over() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=10, seconds=1.0)], clock)
    throttle.wait("push")
    begun = clock.ticks

    throttle.refused("push", 30.0)
    throttle.wait("push")

    assert 30.0 <= clock.ticks - begun <= 31.0
    assert throttle.throttled == 1


def test_after_a_refusal_there_is_no_burst() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=10, seconds=1.0)], clock)
    throttle.refused("push", 5.0)

    left = []
    for _ in range(10):
        throttle.wait("push")
        left.append(clock.ticks)

    assert _most_in(left, 0.5) <= 5


def test_a_short_refusal_does_not_shorten_a_long_one() -> None:
    clock = HandClock()
    throttle = Throttle([Rate(permits=10, seconds=1.0)], clock)

    throttle.refused("push", 30.0)
    throttle.refused("push", 1.0)
    throttle.wait("push")

    assert clock.ticks >= 30.0


def test_threads_take_their_permits_one_by_one() -> None:
    """Each reserves its own: none may be counted twice or lost between two threads."""
    clock = StillClock()
    throttle = Throttle([Rate(permits=1, seconds=0.98)], clock)
    threads = [threading.Thread(target=lambda: [throttle.wait("push") for _ in range(25)]) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(clock.waits) == pytest.approx(list(range(1, 100)))


class StillClock(HandClock):
    """Time stands still, so that every wait shows its place in the queue."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

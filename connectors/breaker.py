"""Leaves a marketplace alone that does not answer: one question a minute instead of all of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from connectors.errors import (
    ConnectorError,
    Down,
    Interrupted,
    Misconfigured,
    NotRecorded,
    NotSent,
    OutOfTime,
    Unanswered,
)
from models.clock import Clock

IN_A_ROW = 5
LAST = 20  # attempts, of which no more than half may fail
OPEN_SECONDS = 60.0
OWN_CODES = ("rate", "PoolTimeout")
OURS = (Down, Interrupted, NotRecorded, OutOfTime)  # say nothing of the marketplace, like a rate of our own


class Health(Protocol):
    """Remembers from one run to the next since when an account's marketplace has not answered."""

    def down_since(self) -> datetime | None: ...

    def went_down(self, since: datetime) -> None: ...

    def came_back(self) -> None: ...


class ThisRunOnly:
    """For tools without a database."""

    def down_since(self) -> datetime | None:
        return None

    def went_down(self, since: datetime) -> None:
        pass

    def came_back(self) -> None:
        pass


class Breaker:
    """Open: nothing is sent. After a minute, or at the start of a run that finds it open, one attempt decides."""

    def __init__(self, clock: Clock, health: Health) -> None:
        self._clock, self._health = clock, health
        self._turn = threading.Condition()
        self._failures: deque[bool] = deque(maxlen=LAST)
        self._in_a_row = 0
        self._failing_since = clock.now()
        self._down_since = health.down_since()
        self._opens_at = clock.monotonic()
        self._probing = False

    @property
    def down_since(self) -> datetime | None:
        """None while the marketplace answers."""
        return self._down_since

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Around one attempt. Raises Down instead where the marketplace is to be left alone."""
        probe = self._enter()
        answered: bool | None = None
        try:
            yield
            answered = True
        except ConnectorError as error:
            answered = _answered(error)
            raise
        finally:
            self._leave(answered, probe=probe)

    def _enter(self) -> bool:
        """Whether this attempt decides for all; meanwhile the others wait for what comes of it."""
        with self._turn:
            while self._probing:
                self._turn.wait()
            if self._down_since is None:
                return False
            if self._clock.monotonic() < self._opens_at:
                raise Down(self._down_since)
            self._probing = True
            return True

    def _leave(self, answered: bool | None, *, probe: bool) -> None:
        with self._turn:
            if answered is not None:
                self._count(failed=not answered)
            if probe:
                self._probing = False
                self._turn.notify_all()  # before anything that may fail: nobody else would ever wake them
                self._decide(answered)
            elif self._down_since is None and self._is_too_much():
                self._opens_at = self._clock.monotonic() + OPEN_SECONDS
                self._down_since = self._failing_since
                self._health.went_down(self._failing_since)

    def _count(self, *, failed: bool) -> None:
        if failed and self._in_a_row == 0:
            self._failing_since = self._clock.now()
        self._in_a_row = self._in_a_row + 1 if failed else 0
        self._failures.append(failed)

    def _decide(self, answered: bool | None) -> None:
        """One that says nothing leaves the question to the next."""
        if answered:
            self._down_since = None
            self._failures.clear()
            self._health.came_back()
        elif answered is False:
            self._opens_at = self._clock.monotonic() + OPEN_SECONDS

    def _is_too_much(self) -> bool:
        return self._in_a_row >= IN_A_ROW or (len(self._failures) == LAST and sum(self._failures) > LAST / 2)


def _answered(error: ConnectorError) -> bool | None:
    """Whether the marketplace is there; None where the attempt does not say."""
    if isinstance(error, (*OURS, Misconfigured)) or error.code in OWN_CODES:
        return None
    return not isinstance(error, NotSent | Unanswered)

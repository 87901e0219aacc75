"""Virtual time in one thread: at every fault point the seed decides who goes on, who freezes and who dies."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from greenlet import getcurrent, greenlet

BEGIN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MOST_STEPS = 60_000  # a scenario takes some hundreds: more is a loop that never ends


class Crash(BaseException):
    """This process is dead: nothing of it runs any more."""


class EndlessLoop(Exception):
    """Work without bound."""


@dataclass(frozen=True, kw_only=True)
class Chances:
    """How likely each fault is, at one fault point (crash, pause, switch) or for one request (the others)."""

    crash: float = 0.0
    pause: float = 0.0
    switch: float = 0.15
    wire: float = 0.0
    orphan: float = 0.0  # of a create: its process dies while it travels, and it arrives all the same
    long_pause: float = 0.5  # of the pauses: longer than the lease


class Worker:
    """One process: a run, or what an operator does."""

    def __init__(self, hub: Hub, number: int, name: str, job: Callable[[Worker], Any], *, same_host: bool) -> None:
        self.hub, self.number, self.name, self._job = hub, number, name, job
        self.same_host = same_host
        self.dead = False
        self.ended = False
        self.frozen = 0.0  # seconds spent frozen
        self.late = False  # frozen between its last check and the wire
        self.account, self.token = "", 0
        self.begun = self.lasted = 0.0
        self.result: Any = None
        self.error: Exception | None = None
        self._greenlet = greenlet(self._run, parent=hub.main)  # not whoever happens to start it: it may be frozen

    @property
    def holder(self) -> str:
        return f"w{self.number}"

    def resume(self) -> None:
        self.hub.current = self
        self._greenlet.switch()
        self.hub.current = None

    def check(self) -> None:
        if self.dead:
            raise Crash

    def die(self, where: str) -> None:
        self.dead = True
        self.hub.crashes += 1
        self.hub.note(f"{self.name} dies at {where}")
        self.hub.at_trouble(0.5)
        raise Crash

    def bury(self) -> None:
        """Ends a process that is still waiting for something."""
        self.dead = True
        if self._greenlet and not self.ended:
            self.resume()

    def _run(self) -> None:
        self.begun = self.hub.seconds
        self.hub.note(f"{self.name} begins")
        try:
            self.result = self._job(self)
            self.hub.note(f"{self.name} ends: {self.result}")
        except Crash:
            self.dead = True
        except Exception as error:  # noqa: BLE001  # the oracle judges it: no traceback may reach an operator
            self.error = error
            self.hub.note(f"{self.name} fails: {type(error).__name__}")
        self.lasted = self.hub.seconds - self.begun
        self.ended = True


@dataclass
class Hub:
    """Everything that will happen, by virtual time; what falls together is ordered by the seed."""

    rng: random.Random
    chances: Chances
    in_transaction: Callable[[], bool] = lambda: False
    lease_left: Callable[[Worker], float] = lambda worker: 0.0
    at_commit: Callable[[Worker, str], None] = lambda worker, name: None
    stop: Callable[[], bool] = lambda: False
    at_trouble: Callable[[float], None] = lambda seconds: None  # a process is dead or frozen: somebody starts another
    seconds: float = 0.0
    current: Worker | None = None
    faults: bool = True
    unguarded: bool = False  # freezes at the wire may be longer than anybody can guard against
    crashes: int = 0
    pauses: int = 0
    visits: int = 0
    trace: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._queue: list[tuple[float, float, int, Callable[[], None]]] = []
        self._numbers = 0
        self._steps = 0
        self.main = getcurrent()

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    def note(self, text: str) -> None:
        self.trace.append(f"{self.seconds:.3f} {text}")

    def at(self, when: float, call: Callable[[], None]) -> None:
        self._numbers += 1
        heappush(self._queue, (round(max(when, self.seconds), 6), self.rng.random(), self._numbers, call))

    def spawn(self, worker: Worker, when: float) -> None:
        self.at(when, worker.resume)

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._queue and not self.stop():
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise EndlessLoop
            self.seconds, _, _, call = heappop(self._queue)
            call()

    def sleep(self, seconds: float) -> None:
        """The present worker lets time pass."""
        worker = self.current
        if worker is None:  # the driver itself
            self.seconds = round(self.seconds + seconds, 6)
            return
        worker.check()
        self.at(self.seconds + seconds, worker.resume)
        self.main.switch()
        worker.check()

    def visit(self, name: str) -> None:
        """A fault point was passed."""
        worker = self.current
        if worker is None:
            return
        worker.check()
        self.visits += 1
        commit = name.endswith(".commit")
        self.names.add(name)
        if commit:
            self.at_commit(worker, name)
        if name == "request.leaving":
            worker.late = False
        chances = self.chances
        draw = self.rng.random()
        if not self.faults:
            return
        if draw < chances.crash:
            worker.die(name)
        elif commit or self.in_transaction():
            return
        elif draw < chances.crash + chances.pause:
            self._freeze(worker, name)
        elif draw > 1 - chances.switch:
            self.sleep(self.rng.random() ** 4 * 5)

    def _freeze(self, worker: Worker, name: str) -> None:
        seconds = self.rng.uniform(70, 320) if self.rng.random() < self.chances.long_pause else self.rng.uniform(0, 70)
        if name == "request.leaving":
            worker.late = True
            if not self.unguarded:
                seconds = min(seconds, self.lease_left(worker))
        self.freeze(worker, name, seconds)

    def freeze(self, worker: Worker, name: str, seconds: float) -> None:
        self.pauses += 1
        worker.frozen += seconds
        self.note(f"{worker.name} frozen at {name} for {seconds:.1f}")
        if seconds > 90:
            self.at_trouble(90.0)
        self.sleep(seconds)


class WorkerClock:
    """The clock one process sees; after its death it sees nothing."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def now(self) -> datetime:
        self._worker.check()
        return self._worker.hub.now()

    def monotonic(self) -> float:
        self._worker.check()
        return self._worker.hub.seconds

    def sleep(self, seconds: float) -> None:
        self._worker.hub.sleep(seconds)


class HubClock:
    """The clock on the marketplaces' wall."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def now(self) -> datetime:
        return self._hub.now()

    def monotonic(self) -> float:
        return self._hub.seconds

    def sleep(self, seconds: float) -> None:
        self._hub.sleep(seconds)

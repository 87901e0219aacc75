"""Keeps an account inside the rates its connector declares, whoever else sends for it and whenever it last did."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

from connectors.contract import Rate
from connectors.errors import NotRecorded, Throttled
from connectors.rate_headers import Allowance
from models.clock import Clock
from models.window import BACK_OFF, NotKept, QuotaStore, Window

PATIENCE_SECONDS = 120.0  # a longer wait is left to the next run
STEP_SECONDS = 5.0  # of a wait, after which it is asked whether there is still something to wait for
BLOCK = 16  # permits taken in one commit, where a rate is so large
SHARE = 20  # a block is no more than that fraction of a rate: what a crash wastes is little
SPARE_SECONDS = 1.0  # how long a permit of a block waits for its request

Note = Callable[[Mapping[str, Window], float], None]  # what is to be written down with the next permits
Slots = Mapping[str, int]  # rate -> where a request is noted


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave for one request, which may arrive until `ends` and not later."""

    begun: float  # both on the monotonic clock
    ends: float
    slots: Slots


class InMemory:
    """Windows that are forgotten with their owner: for tools without a database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, Window] = {}

    @contextmanager
    def open(self, declared: Mapping[str, tuple[int, float]]) -> Iterator[Mapping[str, Window]]:
        with self._lock:
            for name, (permits, seconds) in declared.items():
                self._windows.setdefault(name, Window(permits=permits, seconds=seconds))
            yield self._windows


class Throttle:
    """All rates of one account; safe to share between threads.

    Permits are stored before their requests leave, and each counts until its request's deadline. When an answer came
    earlier is noted with the next ones, so it costs no commit of its own; a process that ends before that has wasted
    a few permits for the length of a deadline, and passed no limit.
    """

    def __init__(self, rates: Iterable[Rate], clock: Clock, store: QuotaStore | None = None, within: float = 20.0):
        self._rates = {name_of(rate): rate for rate in rates}
        self._declared = {name: (rate.permits, rate.seconds) for name, rate in self._rates.items()}
        self._clock, self._store, self._within = clock, store or InMemory(), within
        self._epoch = clock.now().timestamp() - clock.monotonic()  # a wall clock that jumps gives nothing away
        self._turn = threading.RLock()  # one thread at the store
        self._lock = threading.Lock()  # of what follows
        self._notes: list[Note] = []
        self._spare: dict[tuple[str, ...], list[tuple[float, Slots]]] = defaultdict(list)
        self.throttled = 0

    def wait(self, operation: str, still: Callable[[], None] = lambda: None) -> Permit:
        """Returns when one request of `operation` may leave. Raises Throttled where that is too far away.

        `still` raises where a long wait has lost its sense.
        """
        names = tuple(name for name, rate in self._rates.items() if not rate.operations or operation in rate.operations)
        patience = PATIENCE_SECONDS
        while True:
            found = self._one(names)
            if isinstance(found, Permit):
                return found
            if found > patience:
                raise Throttled("rate", retry_after=found)
            step = min(found, STEP_SECONDS)
            self._clock.sleep(step)
            patience -= step
            still()

    def arrived(self, permit: Permit) -> None:
        """The request is there, or will never be."""
        at = self._epoch + self._clock.monotonic()

        def correct(windows: Mapping[str, Window], _: float) -> None:
            for name, slot in permit.slots.items():
                windows[name].arrived(slot, at)

        if permit.slots:
            self._note(correct)

    def reported(self, permit: Permit, said: Sequence[Allowance]) -> None:
        """What the marketplace says it still allows: only ever less than was declared."""

        def lower(windows: Mapping[str, Window], now: float) -> None:
            for name, allowance in product(permit.slots, said):
                allowance.apply(windows[name], now)

        if permit.slots:
            if any(allowance.remaining is not None and allowance.remaining <= BLOCK for allowance in said):
                self._give_back()
            self._note(lower)

    def refused(self, permit: Permit, seconds: float) -> None:
        """The marketplace said 429: nobody sends before `seconds` are over, also not another process."""
        sent = self._epoch + permit.begun
        with self._lock:
            self.throttled += 1
        if not permit.slots:
            return
        self._give_back()
        with self._opened() as (windows, now):
            for window in (windows[name] for name in permit.slots):
                if window.lowered_at <= sent:  # of requests that left together only the first one says something new
                    window.lower(now, window.allowed * BACK_OFF)
                window.close(now, seconds)

    def ease(self) -> None:
        """After a silence: begin one by one."""

        def close(windows: Mapping[str, Window], now: float) -> None:
            for name in self._rates:
                windows[name].close(now, 0.0)

        if self._rates:
            self._note(close)
            self._give_back()

    def settle(self) -> None:
        """Writes down what no further permit will: when the last requests ended, and what was never used."""
        self._give_back()
        if self._notes:
            with self._opened():
                pass

    def _one(self, names: tuple[str, ...]) -> Permit | float:
        """A permit, or the seconds after which to ask again."""
        if not names:
            return self._permit({}, self._clock.monotonic())
        found = self._kept(names)
        if found is None:
            with self._turn:  # whoever had to wait may find that the one before took enough for both
                found = self._kept(names)
                return found if found is not None else self._more(names)
        return found

    def _kept(self, names: tuple[str, ...]) -> Permit | None:
        """A permit of an earlier block that has not grown old."""
        now = self._clock.monotonic()
        with self._lock:
            spare = self._spare[names]
            while spare:
                fresh_until, slots = spare.pop()
                if now <= fresh_until:
                    return self._permit(slots, fresh_until)
                self._notes.append(_unused(slots))
        return None

    def _more(self, names: tuple[str, ...]) -> Permit | float:
        with self._opened() as (windows, now):
            mine = [windows[name] for name in names]
            seconds = max(window.wait(now) for window in mine)
            if seconds > 0:
                return seconds
            most = max(1, min(BLOCK, *(window.allowed // SHARE for window in mine)))
            block: list[Slots] = []
            while len(block) < most and not any(window.wait(now) for window in mine):
                block.append({name: windows[name].take(now + SPARE_SECONDS + self._within) for name in names})
        fresh_until = now - self._epoch + SPARE_SECONDS
        with self._lock:
            self._spare[names] += [(fresh_until, slots) for slots in block[1:]]
        return self._permit(block[0], fresh_until)

    def _permit(self, slots: Slots, fresh_until: float) -> Permit:
        """Never good for longer than is noted, however long the commit took."""
        begun = self._clock.monotonic()
        return Permit(begun=begun, ends=min(begun, fresh_until) + self._within, slots=slots)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Mapping[str, Window], float]]:
        """The windows as of now, with everything noted so far."""
        try:
            with self._turn, self._store.open(self._declared) as windows:
                with self._lock:
                    notes, self._notes = self._notes, []
                now = self._epoch + self._clock.monotonic()
                for note in notes:
                    note(windows, now)
                for name in self._declared:
                    windows[name].come_to(now, SPARE_SECONDS + self._within)
                yield windows, now
        except NotKept as error:
            raise NotRecorded(str(error)) from None

    def _note(self, note: Note) -> None:
        with self._lock:
            self._notes.append(note)

    def _give_back(self) -> None:
        """Permits that no request will use: what comes next asks the store."""
        with self._lock:
            for spare in self._spare.values():
                self._notes += [_unused(slots) for _, slots in spare]
                spare.clear()


def name_of(rate: Rate) -> str:
    """How a rate is stored: one that is declared differently begins with an empty window."""
    return f"{rate.permits}/{rate.seconds:g} {','.join(sorted(rate.operations)) or '*'}"


def _unused(slots: Slots) -> Note:
    def free(windows: Mapping[str, Window], _: float) -> None:
        for name, slot in slots.items():
            windows[name].unused(slot)

    return free

"""SIGTERM and Ctrl-C: a run begins nothing new, ends what is under way, and the process says so and goes.

the signal      no new batch, account or source is begun; no further read is made
5 seconds       no request leaves any more, every wait ends; what is then on the wire has its own deadline
28 seconds      what hangs all the same is ended by the kernel, as a kill would: what was being sent is marked so,
                and the next run looks it up
second signal   the process ends at once, as if killed
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from models.clock import SystemClock

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_SECONDS = 5.0
LAST_SECONDS = 28.0  # a service manager, or Prefect's worker, kills after 30
STEP_SECONDS = 0.2


class Stopping:
    """What was asked of this process. Plain attributes: a handler that takes a lock may wait for itself."""

    def __init__(self) -> None:
        self.signal = 0
        self._cut_off = False

    def asked(self) -> bool:
        return self.signal != 0

    def cut_off(self) -> bool:
        return self._cut_off

    @property
    def code(self) -> int:
        """What the shell itself says of a process that a signal ended: a service manager takes 143 for a clean end."""
        return 128 + self.signal

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals ask instead of killing; on another thread than the first, where Python has no signals, nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self._ask) for one in SIGNALS}
        try:
            yield
        finally:
            if self.signal:
                signal.setitimer(signal.ITIMER_REAL, 0)
            for one, handler in before.items():
                signal.signal(one, handler)

    def pass_on(self) -> None:
        """Tells whoever listened before, now that our own work is in order."""
        if self.signal:
            signal.raise_signal(self.signal)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:
            os._exit(128 + number)
        self.signal = number
        signal.signal(signal.SIGALRM, self._cut)
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _cut(self, _number: int, _frame: FrameType | None) -> None:
        self._cut_off = True
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, LAST_SECONDS - GRACE_SECONDS)


class StoppableClock(SystemClock):
    """Whoever sleeps wakes up where nothing may leave any more."""

    def __init__(self, stop: Stopping) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        while seconds > 0 and not self._stop.cut_off():
            step = min(seconds, STEP_SECONDS)
            super().sleep(step)
            seconds -= step

"""`caybeo`, ended, frozen or disturbed at one fault point: FAULTPOINT=name:nth:action python -m tests.sweep.child …

The actions: kill (signal 9), exit (no clean-up), stop (frozen until SIGCONT), hang (for good), raise (a defect of
ours), enospc and eio (the disk), memory. VISITS=file notes every point that is passed, in order. HASTY=1 shortens what
the product waits for a locked database and for its own end, in proportion.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from flows import stopping
from models import database
from models.faultpoint import on_visit

REST_SECONDS, MOST_REST_SECONDS = 0.05, 20.0
HASTY_BUSY_SECONDS, HASTY_LAST_SECONDS = 2, 8.0  # the latter beyond stopping.GRACE_SECONDS


def act(action: str) -> None:
    ACTIONS[action]()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit() -> None:
    os._exit(9)


def _stop() -> None:
    _others_at_rest()  # one that froze inside a transaction would keep everybody waiting
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # sent to the process, this thread might run on a while


def _others_at_rest() -> None:
    """Returns once every other thread has slept through a moment: none is running, ready to run or at the disk."""
    latest, before = time.monotonic() + MOST_REST_SECONDS, _activity()
    while time.monotonic() < latest:
        time.sleep(REST_SECONDS)
        now = _activity()
        if now == before and all(state == "S" for state, _ in now.values()):
            return
        before = now


def _activity() -> dict[str, tuple[str, str]]:
    """The state of every other thread and how often it has given up or lost its processor, by its id."""
    seen = {}
    for task in Path("/proc/self/task").iterdir():
        if task.name != str(threading.get_native_id()):
            with suppress(OSError):  # it has just ended
                lines = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
                switches = f"{lines['voluntary_ctxt_switches']} {lines['nonvoluntary_ctxt_switches']}"
                seen[task.name] = lines["State"][0], switches
    return seen


def _hang() -> None:
    while True:
        time.sleep(60)


def _raise() -> NoReturn:
    raise RuntimeError("fault point")


def _enospc() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "du-lieu.tmp")


def _eio() -> NoReturn:
    raise OSError(errno.EIO, os.strerror(errno.EIO), "du-lieu.tmp")


def _memory() -> NoReturn:
    raise MemoryError


ACTIONS: dict[str, Callable[[], None]] = {
    "kill": _kill,
    "exit": _exit,
    "stop": _stop,
    "hang": _hang,
    "raise": _raise,
    "enospc": _enospc,
    "eio": _eio,
    "memory": _memory,
}


class Trap:
    """Acts when its point is passed for the nth time, on whichever thread."""

    def __init__(self, name: str, nth: int, action: str) -> None:
        self._name, self._left, self._action, self._lock = name, nth, action, threading.Lock()

    def visit(self, name: str) -> None:
        if name == self._name:
            with self._lock:
                self._left -= 1
                here = self._left == 0
            if here:
                act(self._action)


class Diary:
    """Writes down every point that is passed."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")

    def visit(self, name: str) -> None:
        self._file.write(f"{name}\n")
        self._file.flush()


def set_trap(environment: dict[str, str]) -> None:
    """What this process is to meet, as its environment says."""
    if environment.get("HASTY"):
        database.BUSY_SECONDS, stopping.LAST_SECONDS = HASTY_BUSY_SECONDS, HASTY_LAST_SECONDS
    if told := environment.get("FAULTPOINT"):
        name, nth, action = told.split(":")
        on_visit(Trap(name, int(nth), action).visit)
    elif file := environment.get("VISITS"):
        on_visit(Diary(Path(file)).visit)


if __name__ == "__main__":
    from flows.cli import main

    set_trap(dict(os.environ))
    sys.argv[0] = "caybeo"
    main()

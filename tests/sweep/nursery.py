"""Many short lives of `caybeo`: each a process of its own, born by fork from one that has everything imported.

A start from nothing costs a second of processor time, a birth here some milliseconds; hundreds of kills become
affordable. The nursery itself opens nothing and has one thread, so a child begins as a fresh process would.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
QUICK = {"CAYBEO_LEASE_SECONDS": "20", "CAYBEO_REQUEST_SECONDS": "1", "PYTHONUTF8": "1"}
TOO_LONG = 60  # seconds: no command of these homes takes that


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: its exit code, or minus the signal that ended it."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    processor: float  # seconds of it

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def spoke_plainly(self) -> bool:
        """No traceback reached the operator."""
        return "Traceback" not in self.out + self.err


@dataclass(frozen=True, kw_only=True)
class Child:
    """A command under way."""

    pid: int
    ended: Future[Ended]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = TOO_LONG) -> Ended:
        """One that hangs is ended, and its stderr holds where each of its threads was."""
        try:
            return self.ended.result(seconds)
        except TimeoutError:
            self.signal(signal.SIGABRT)
            return self.ended.result(TOO_LONG)


class Nursery:
    """Starts commands and tells how they ended. As a context manager it ends its own process."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.sweep.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lock = threading.Lock()
        self._born: dict[int, Future[int]] = {}
        self._gone: dict[int, tuple[dict[str, Any], Future[Ended]]] = {}
        self._count = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()
        self._server.wait(30)
        self._server.stdout.close()

    def run(self, home: Path, *words: str, **how: Any) -> Ended:
        """The command to its end."""
        return self.start(home, *words, **how).wait()

    def start(
        self,
        home: Path,
        *words: str,
        env: Mapping[str, str] | None = None,
        limits: Mapping[str, int] | None = None,
        said: Path | None = None,
    ) -> Child:
        """`limits` are names of the resource module; RLIMIT_AS counts from what the process has at its birth.

        `said` is where its output is kept until it has ended, beside the home if nothing else is given.
        """
        said = Path(tempfile.mkdtemp(prefix="said-", dir=said or home.parent))
        environment = QUICK | {"CAYBEO_HOME": str(home)} | dict(env or {})
        with self._lock:
            self._count += 1
            order = {
                "id": self._count,
                "words": words,
                "env": environment,
                "limits": dict(limits or {}),
                "said": str(said),
            }
            born, ended = self._born[self._count], (_, ended) = Future(), (order, Future())
            self._gone[self._count] = (order, ended)
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
        return Child(pid=born.result(30), ended=ended)

    def _listen(self) -> None:
        for line in self._server.stdout:
            told = json.loads(line)
            if "pid" in told:
                self._born.pop(told["id"]).set_result(told["pid"])
            else:
                order, ended = self._gone.pop(told["id"])
                try:
                    ended.set_result(_ended(order, told))
                except OSError as error:
                    ended.set_exception(error)


def _ended(order: dict[str, Any], told: dict[str, Any]) -> Ended:
    said = Path(order["said"])
    out, err = ((said / name).read_text("utf-8", errors="replace") for name in ("out", "err"))
    for name in ("out", "err"):
        (said / name).unlink()
    said.rmdir()
    figures = {name: told[name] for name in ("code", "seconds", "processor")}
    return Ended(words=tuple(order["words"]), out=out, err=err, **figures)


# --- inside the nursery -----------------------------------------------------------------------------------------------


def serve() -> None:
    """Reads orders, forks, and tells each child's birth and end; until there is no more to read."""
    _import_everything()
    import gc
    import selectors
    import time

    gc.freeze()
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    alive: dict[int, tuple[int, float]] = {}
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.buffer.raw, selectors.EVENT_READ)
    waiting.register(wake, selectors.EVENT_READ)
    unread, open_ = b"", True
    while open_ or alive:
        for key, _ in waiting.select():
            if key.fileobj == wake:
                os.read(wake, 4096)
                continue
            more = os.read(sys.stdin.fileno(), 65536)
            if not more:
                open_ = False
                waiting.unregister(sys.stdin.buffer.raw)
            *lines, unread = (unread + more).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _live(order)
                alive[pid] = (order["id"], time.monotonic())
                _tell(id=order["id"], pid=pid)
        while alive:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                break
            number, since = alive.pop(pid)
            _tell(
                id=number,
                code=os.waitstatus_to_exitcode(status),
                seconds=round(time.monotonic() - since, 3),
                processor=round(used.ru_utime + used.ru_stime, 3),
            )


def _tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _live(order: dict[str, Any]) -> NoReturn:
    """The whole life of one child."""
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _redirect(Path(order["said"]))
        faulthandler.enable(2)
        for name in [name for name in os.environ if name.startswith("CAYBEO_")]:
            del os.environ[name]
        os.environ.update(order["env"])
        _limit(order["limits"])
        code = _speak(order["words"])
    finally:
        os._exit(code)


def _redirect(said: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _limit(limits: dict[str, int]) -> None:
    for name, most in limits.items():
        value = most + _address_space() if name == "RLIMIT_AS" else most
        resource.setrlimit(getattr(resource, name), (value, value))


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _speak(words: Sequence[str]) -> int:
    from flows.cli import main
    from tests.sweep.child import set_trap

    set_trap(dict(os.environ))
    sys.argv = ["caybeo", *words]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


def _import_everything() -> None:
    """What the first child needed, every later one finds there already."""
    import flows.cli  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "modules"
        pid = os.fork()
        if pid == 0:
            try:
                _first_life(Path(folder), listed)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        for name in listed.read_text().split():
            if name not in sys.modules and not name.startswith("_"):
                __import__(name)


def _first_life(folder: Path, listed: Path) -> None:
    _redirect(folder)
    os.environ.update(QUICK | {"CAYBEO_HOME": str(folder / "home")})
    sheet = folder / "a.csv"
    for name in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        lines = (ROOT / "data" / name).read_text("utf-8-sig").splitlines()[:2]
        sheet.write_text("\n".join(lines), "utf-8")
        _speak(["import", str(sheet)])
    _speak(["nightly", "--account", "postmart"])
    _speak(["status"])
    listed.write_text("\n".join(sorted(sys.modules)))


if __name__ == "__main__":
    serve()

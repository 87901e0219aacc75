"""A whole `caybeo up` as tests need it: a home with a small catalogue, a free port, and the children's end."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.settings import Settings
from flows.steps.pull import add_source, pull
from flows.wiring import open_home
from models.clock import SystemClock

ROOT = Path(__file__).parents[2]
PRODUCTS = ("CM001", "CM002", "CM003", "CM004", "CM005", "CM006")
UP = "import sys; from flows.settings import Settings; from flows.up import up; sys.exit(up(Settings(), {port}))"
READY_SECONDS = 120


def stock(home: Path) -> Path:
    database = open_home(Settings(home=home))
    for source in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        file = home / "inbox" / Path(source).name
        _few(ROOT / "data" / source, file)
        add_source(database, str(file), SystemClock())
    pull(database, home, SystemClock())
    database.dispose()
    return home


def _few(whole: Path, part: Path) -> None:
    """The rows of PRODUCTS alone."""
    part.parent.mkdir(exist_ok=True)
    with whole.open(encoding="utf-8-sig", newline="") as source, part.open("w", encoding="utf-8", newline="") as target:
        rows = list(csv.reader(source))
        csv.writer(target).writerows([rows[0], *(row for row in rows[1:] if row[0].startswith(PRODUCTS))])


@dataclass(frozen=True)
class Instance:
    """A running `caybeo up`."""

    home: Path
    port: int
    process: subprocess.Popen

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        with temporary_settings({PREFECT_API_URL: f"{self.ui}/api"}), get_client(sync_client=True) as client:
            yield client

    def log(self, name: str) -> str:
        return (self.home / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def running(home: Path) -> Iterator[Instance]:
    port = free_port()
    process = start(home, port)
    try:
        await_ready(process)
        yield Instance(home, port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def start(home: Path, port: int) -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.Popen(
        [sys.executable, "-c", UP.format(port=port)],
        cwd=ROOT,
        env=environment | {"CAYBEO_HOME": str(home), "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def await_ready(process: subprocess.Popen) -> str:
    """Everything it said up to the address to open."""
    said, latest = [], time.monotonic() + READY_SECONDS
    while time.monotonic() < latest:
        line = process.stdout.readline()
        said.append(line)
        if "http://127.0.0.1" in line:
            return "".join(said)
        if not line:
            break
    raise AssertionError("not ready: " + "".join(said))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

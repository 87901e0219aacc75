"""An operator's desk and the marketplace it sells on: a home with a few products, real processes, a line between."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from connectors.registry import names
from connectors.simulator import Sandbox
from flows.accounts import sandbox_of
from flows.cli import app
from flows.settings import Settings
from flows.steps.pull import add_source, pull
from flows.wiring import open_home
from models.clock import SystemClock
from models.database import writing
from models.tables import SourceRow, core
from tests.blackbox.proxy import Proxy

ROOT = Path(__file__).parents[2]
PRODUCTS = ("CM001", "CM002", "CM003")
ACCOUNT = "gian-hang"
DONE, PEOPLE, USAGE, REFUSED, HELD, BUSY, AUTHORISE, DOWN = range(8)
CREATES = {  # what makes a listing: the request whose lost answer is worst
    "madeincamau": {"method": "PUT", "path": r"/products/[^/]+$"},
    "postmart": {"method": "POST", "path": r"/batches$"},
    "voso": {"method": "POST", "path": r"/product/create$"},
}
QUEUED = {"postmart"}  # takes what it is sent and does it later
QUICK = {"CAYBEO_REQUEST_SECONDS": "2", "CAYBEO_LANG": "en", "PYTHONUTF8": "1"}


@dataclass(frozen=True, slots=True)
class Said:
    """What one command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def problems(self) -> list[dict[str, str]]:
        return [problem for account in self.json["accounts"] for problem in account["problems"]]


class Market:
    """The marketplaces behind a real `caybeo sandbox serve`."""

    def __init__(self, home: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._sandboxes = {name: sandbox_of(Settings(home=home), name) for name in names()}
        self._home = home

    def sandbox(self, marketplace: str) -> Sandbox:
        return self._sandboxes[marketplace]

    def shown(self, marketplace: str) -> dict[str, Any]:
        """As the person who runs the marketplace sees it: `caybeo sandbox show`."""
        return caybeo(self._home, "sandbox", "show", marketplace, "--json").json

    def shelf(self, marketplace: str) -> list[tuple[str, str]]:
        """SKU and status of every listing, hidden ones and drafts too."""
        return sorted((one["key"], one["status"]) for one in self.sandbox(marketplace).show()["listings"])

    def jobs(self, marketplace: str) -> int:
        """How many batches it took for later; the same one sent again is one."""
        state = self.sandbox(marketplace).state
        with state.transaction():
            return len(state.items("batch"))

    def requests(self, marketplace: str) -> dict[str, int]:
        found: dict[str, int] = self.sandbox(marketplace).show()["requests"]
        return found

    def empty(self) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.reset()

    def close(self) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.state.close()


@contextmanager
def serving(home: Path) -> Iterator[Market]:
    """`caybeo sandbox serve` as a process of its own."""
    port = free_port()
    process = start(home, "sandbox", "serve", "--port", str(port))
    try:
        await_listening(process, port)
        market = Market(home, port)
        yield market
        market.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@dataclass(frozen=True)
class Shop:
    """An account of ours on one marketplace, reached through the proxy."""

    home: Path
    marketplace: str
    market: Market
    proxy: Proxy
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, **env: str) -> Said:
        return caybeo(self.home, *words, **self.env, **env)

    def here(self, *words: str, stdin: str = "", **env: str) -> Said:
        """The same in this process: a second less, where no process has to die, sleep or be looked into."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (QUICK | self.env | env | {"CAYBEO_HOME": str(self.home)}).items():
                patch.setenv(name, value)
            result = CliRunner().invoke(app, list(words), input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.stdout + result.stderr, result.stderr
        return Said(result.exit_code, result.stdout, result.stderr)

    def sync(self, **env: str) -> Said:
        return self.run("sync", "-a", ACCOUNT, "--json", **env)

    def night(self, **env: str) -> Said:
        return self.run("nightly", "-a", ACCOUNT, "--json", **env)

    @contextmanager
    def running(self, *words: str, **env: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on beside the test; it does not outlive it."""
        with start(self.home, *words, **self.env, **env) as process:
            try:
                yield process
            finally:
                process.kill()

    def set_price(self, sku: str, price: int) -> None:
        """As a person with a spreadsheet does."""
        file = self.home / "inbox" / "offers.csv"
        rewrite(file, lambda row: row | {"price_vnd": str(price), "list_price_vnd": ""} if row["sku"] == sku else row)

    @property
    def create(self) -> dict[str, str]:
        return CREATES[self.marketplace]

    @property
    def runs(self) -> int:
        """How many it takes after the last fault until everything is in step."""
        return 2 if self.marketplace in QUEUED else 1

    @property
    def shelf(self) -> list[tuple[str, str]]:
        return self.market.shelf(self.marketplace)

    @property
    def prices(self) -> dict[str, int]:
        listings = self.market.sandbox(self.marketplace).show()["listings"]
        return {one["key"]: one["price"] for one in listings}

    @property
    def requests(self) -> dict[str, int]:
        return self.market.requests(self.marketplace)


FILLED = [(sku, "live") for sku in PRODUCTS]  # what the shelf looks like when all is well


def caybeo(home: Path, *words: str, stdin: str = "", **env: str) -> Said:
    """One command as a process of its own, with no traceback for people to see."""
    with start(home, *words, **env) as process:
        return ended(process, stdin)


def start(home: Path, *words: str, **env: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CAYBEO_", "PREFECT_"))}
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "flows.cli", *words],
        cwd=ROOT,
        env=clean | QUICK | env | {"CAYBEO_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], stdin: str = "", seconds: float = 90) -> Said:
    """What it answered; one that does not end says where it hangs."""
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        raise AssertionError(process.communicate()) from None
    assert "Traceback" not in out + err, out + err
    return Said(process.returncode, out, err)


def stock(home: Path) -> Path:
    """A home whose catalogue holds PRODUCTS; nothing is listed yet."""
    database = open_home(Settings(home=home))
    for source in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        file = home / "inbox" / Path(source).name
        file.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "data" / source, file)
        rewrite(file, lambda row: row if next(iter(row.values())).startswith(PRODUCTS) else None)
        add_source(database, str(file), SystemClock())
    pull(database, home, SystemClock())
    database.dispose()
    return home


def copied(home: Path, to: Path) -> Path:
    """A home of its own, that reads its own files."""
    shutil.copytree(home, to)
    sources = core(SourceRow)
    database = open_home(Settings(home=to))
    with writing(database) as db:
        for file in (to / "inbox").iterdir():
            db.execute(update(sources).where(sources.c.name == file.name).values(location=str(file)))
    database.dispose()
    return to


def rewrite(file: Path, change: Callable[[dict[str, str]], dict[str, str] | None]) -> None:
    with file.open(encoding="utf-8-sig", newline="") as source:
        rows = list(csv.DictReader(source))
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(changed for row in rows if (changed := change(row)))


def open_shop(home: Path, marketplace: str, base_url: str, credentials: Any, **env: str) -> Said:
    """What an operator types to connect a shop; the rate is what the sandbox grants."""
    words = (
        "accounts",
        "add",
        ACCOUNT,
        "-m",
        marketplace,
        "--base-url",
        base_url,
        "--mode",
        "api",
        "--no-check",
        "--stdin",
    )
    return caybeo(home, *words, "--per-minute", "600", "--sandbox", stdin=json.dumps(dict(credentials)), **env)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_listening(process: subprocess.Popen[str], port: int, seconds: float = 60) -> None:
    latest = time.monotonic() + seconds
    while time.monotonic() < latest and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens: {ended(process)}")

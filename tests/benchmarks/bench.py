"""Speed and memory as ratios measured in one run: `make bench`. Absolute seconds belong to the machine."""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx

from connectors.contract import Policy
from flows.steps.account import sync
from flows.steps.context import Account, Context
from models.catalogue import Image
from models.clock import SystemClock
from tests.scenarios.world import World, shrimp

PRODUCTS, ROUNDS, IN_FLIGHT = 10_000, 3, 8
START_UP = {
    "import": ["-m", "flows.cli", "import", "--help"],
    "status": ["-m", "flows.cli", "status"],
    "timeline": ["-m", "flows.cli", "timeline", "CM007"],
    "preview": ["-m", "flows.cli", "preview", "CM007", "--account", "postmart"],
    "plan": ["-m", "flows.cli", "plan", "--account", "postmart"],
}


def main() -> None:
    start_up()
    first_sync()


def start_up() -> None:
    """Commands that need no Prefect against importing three libraries."""
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {"CAYBEO_HOME": home}
        for arguments in (["sources", "add", "data/catalogue", "data/sandbox/offers.csv"], ["nightly"]):
            command = [sys.executable, "-m", "flows.cli", *arguments]
            subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        base = _best(["-c", "import sqlalchemy, httpx, pydantic"], env)
        print(f"start-up: import sqlalchemy, httpx, pydantic = {base:.2f} s (1x)")
        for name, arguments in START_UP.items():
            took = _best(arguments, env)
            print(f"start-up: caybeo {name:9} {took:.2f} s = {took / base:.2f}x (must stay under 3x)")


def _best(arguments: list[str], env: dict[str, str]) -> float:
    def once() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], env=env, check=False, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun

    return min(once() for _ in range(5))


def first_sync() -> None:
    """10,000 new products to one marketplace over loopback HTTP, against a bare client sending the same bytes.

    Once with listings alone (404 requests carry everything, so this is the ledger's whole price), and once as a real
    first night is: with a picture of its own for each product.
    """
    for label, size in (("listings alone", 0), ("with a picture each", 20_000)):
        rounds = [one_sync(label, number, size) for number in range(1, ROUNDS + 1)]
        ratio, idle = (statistics.median(figures) for figures in zip(*rounds, strict=True))
        print(
            f"first sync, {label}: median {ratio:.2f}x of bare httpx (to reach: 2x); idle run {idle:.3f} s (under 1 s)"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process, recorded requests included: {peak:.0f} MB")


def one_sync(label: str, number: int, size: int) -> tuple[float, float]:
    """The ratio of our CPU to a bare client's, and the seconds an idle run takes."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address:
        world, sent = World(Path(folder), ("postmart",)), Recorder()
        world.clock = SystemClock()  # type: ignore[assignment]  # real time against a real server
        world.put(*(shrimp(n, picture(world, n, size)) for n in range(PRODUCTS)))
        account = _account(world, address, sent)
        context = _context(world, account)
        ours = cpu(lambda: sync(context, account, "first"))
        writes = sent.writes
        began = time.perf_counter()
        report = sync(context, account, "second")
        idle = time.perf_counter() - began
        assert report.live == PRODUCTS, report
        assert sent.writes == writes, "the idle run wrote"
        bare = cpu(lambda: replay(address, sent.requests))
    print(
        f"  {label} {number}: ours {ours:.2f} s, bare {bare:.2f} s CPU "
        f"for {len(sent.requests)} requests = {ours / bare:.2f}x"
    )
    return ours / bare, idle


def picture(world: World, number: int, size: int) -> Image:
    """The shared label, or one of its own of that many bytes."""
    if not size:
        return world.picture()
    data = b"\x89PNG\r\n\x1a\n" + random.Random(number).randbytes(size)
    digest = sha256(data).hexdigest()
    (world.home / "media" / f"{digest}.png").write_bytes(data)
    return Image(sha256=digest, media_type="image/png", width=800, height=800, size=len(data), kind="placeholder")


class Recorder(httpx.HTTPTransport):
    """A plain transport that remembers what went over it."""

    def __init__(self) -> None:
        super().__init__(limits=httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT))
        self.requests: list[tuple[str, str, list[tuple[bytes, bytes]], bytes]] = []
        self.writes = 0
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append((request.method, str(request.url), request.headers.raw, request.content))
            self.writes += request.method != "GET"
        return super().handle_request(request)


def replay(address: str, requests: list[tuple[str, str, list[tuple[bytes, bytes]], bytes]]) -> None:
    """The same bytes with nothing round them."""
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    with httpx.Client(trust_env=False, limits=limits) as client, ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(lambda r: client.request(r[0], r[1], headers=r[2], content=r[3]).read(), requests))


def cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The simulated marketplace in a process of its own, without a quota: the client is measured, not its patience."""
    code = (
        "import sys, pathlib, uvicorn\n"
        "from connectors.registry import connector\n"
        "from connectors.server import application\n"
        "from connectors.simulator import Sandbox\n"
        "kind = connector('postmart').simulator_class()\n"
        "kind.quota = (10**9, 1.0)\n"
        "sandbox = Sandbox(kind, pathlib.Path(sys.argv[1]) / 'postmart.sqlite')\n"
        "uvicorn.run(application({'postmart': sandbox}), port=int(sys.argv[2]), log_level='critical')\n"
    )
    port = _free_port()
    server = subprocess.Popen([sys.executable, "-c", code, str(folder), str(port)])
    address = f"http://127.0.0.1:{port}/postmart"
    try:
        _wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str) -> None:
    for _ in range(100):
        try:
            httpx.get(address, trust_env=False)
            return
        except httpx.ConnectError:
            time.sleep(0.1)
    raise RuntimeError("the simulated marketplace did not start")


def _account(world: World, address: str, transport: httpx.BaseTransport) -> Account:
    policy = Policy(sandbox=True, requests_per_minute=10**7)
    return replace(world.accounts()[0], base_url=address, transport=transport, policy=policy)


def _context(world: World, account: Account) -> Context:
    return world.context(accounts=lambda: [account], clock=SystemClock())


if __name__ == "__main__":
    main()

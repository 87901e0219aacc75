"""Prefect's API goes away in the middle of a run: the marketplace and the ledger are finished without it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.events import Event
from prefect.settings import PREFECT_API_URL
from sqlalchemy import func, select
from websockets.exceptions import WebSocketException

from flows import nightly, sync
from flows.accounts import sandbox_of
from flows.settings import Settings
from flows.telling import SeldomEvents
from flows.wiring import open_home
from models.database import reading
from models.ledger import OUTBOX
from tests.flows.line import Line

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENGINE = """
import os, runpy
from tests.sweep.child import set_trap
set_trap(dict(os.environ))
runpy.run_module("prefect.engine", run_name="__main__")
"""
ACCOUNT = "voso"
EXPECTED = ["CM001", "CM002", "CM003", "CM004-250ML", "CM004-500ML", "CM006-100G", "CM006-150G", "CM006-200G"]
# and not CM005, which is a spirit
MIDST = "request.leaving:6:stop"
LATEST = 60  # seconds; most of it only where something hangs
MOST_ATTEMPTS = 60  # of all that Prefect's client does by itself in such a run: requests, events, log lines


@pytest.fixture
def line(prefect_api):
    with Line(urlsplit(PREFECT_API_URL.value()).port) as line:
        yield line


def deployed_run():
    """A run of sync as a worker finds it."""
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("sync")
        deployment = client.create_deployment(flow, "away", entrypoint="flows.sync.sync")
        return client.create_flow_run_from_deployment(deployment, parameters={"account": ACCOUNT}).id


@contextmanager
def frozen(home, run_id, line, log, repeats):
    """What a worker starts for a run, standing still in the midst of its requests to the marketplace."""
    told = {"PREFECT_API_URL": line.api, "PREFECT__FLOW_RUN_ID": str(run_id), "PREFECT_CLIENT_MAX_RETRIES": repeats}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", ENGINE],
            cwd=ROOT,
            env=os.environ | told | {"CAYBEO_HOME": str(home), "FAULTPOINT": MIDST, "PYTHONUTF8": "1"},
            stdout=file,
            stderr=file,
        )
    try:
        latest = time.monotonic() + LATEST
        while status(process.pid) != "T":
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < latest, log.read_text("utf-8")
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def status(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def shelf(home):
    """SKUs on sale there, and how many writes the marketplace has seen."""
    sandbox = sandbox_of(Settings(home=home), ACCOUNT)
    shown = sandbox.show()
    sandbox.state.close()
    return sorted(one["key"] for one in shown["listings"] if one["status"] == "live"), shown["requests"]["write"]


def still_open(home):
    database = open_home(Settings(home=home))
    with reading(database) as db:
        count = db.execute(select(func.count()).select_from(OUTBOX).where(OUTBOX.c.done_at.is_(None))).scalar_one()
    database.dispose()
    return count


def night(home):
    """A plain `caybeo nightly`, which knows no Prefect."""
    words = [sys.executable, "-m", "flows.cli", "nightly", "--account", ACCOUNT, "--json"]
    environment = os.environ | {"CAYBEO_HOME": str(home), "PYTHONUTF8": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=False)
    return json.loads(done.stdout)["accounts"][0]


@pytest.mark.parametrize(("how", "repeats"), [("cut", "1"), ("close", "0")])  # 4 in earnest: half a minute a request
def test_P19_a_run_whose_prefect_goes_away_finishes_its_work_and_ends(home, line, tmp_path, how, repeats):
    log = tmp_path / "log"
    with frozen(home, deployed_run(), line, log, repeats) as process:
        _, begun = shelf(home)
        getattr(line, how)()
        process.send_signal(signal.SIGCONT)
        process.wait(LATEST)
    said = log.read_text("utf-8")

    listed, writes = shelf(home)
    assert 0 < begun < writes
    assert listed == EXPECTED
    assert still_open(home) == 0
    assert "the work goes on without it" in said
    assert f'File "{ROOT / "flows"}' not in said  # Prefect's own log shows where Prefect failed, not where we did
    assert "Lỗi ngoài dự kiến" not in said
    assert line.attempts <= MOST_ATTEMPTS
    assert night(home)["status"] == "completed"
    assert shelf(home) == (listed, writes)


def test_P19_a_long_queue_of_events_is_not_offered_one_by_one(line):
    """Task runs are told as events; hundreds of them wait where a long run has lost the API."""
    event = Event(event="caybeo.test", resource={"prefect.resource.id": "caybeo.test"})

    async def offer():
        async with SeldomEvents(line.api, reconnection_attempts=2) as client:
            line.cut()
            for _ in range(300):
                with suppress(OSError, WebSocketException):
                    await client.emit(event)

    asyncio.run(offer())

    assert 0 < line.attempts < 10


def test_P19_a_night_that_cannot_ask_prefect_waits_for_the_reports(home, prefect_api, monkeypatch):
    """The accounts' runs are started while the night finds the API away, and write down how they ended."""
    asked = []

    def start(_deployment, parameters, **_):
        asked.append(parameters)
        return uuid4()

    def away(**_):
        while asked:
            sync.sync(**asked.pop(), return_state=True)
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(nightly, "start", start)
    monkeypatch.setattr(nightly, "get_client", away)
    monkeypatch.setattr(nightly, "POLL_SECONDS", 0.01)
    state = nightly.nightly(return_state=True)

    assert state.is_completed()
    assert "không chạy được" not in state.message

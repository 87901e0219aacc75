"""A real process, killed with signal 9 in the middle of a night, in real time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.registry import names
from flows.accounts import accounts, sandbox_of
from flows.settings import Settings
from flows.steps.context import Account
from flows.steps.project import project
from flows.steps.pull import add_source, pull
from flows.wiring import open_home
from models.clock import SystemClock, today
from models.listing import Listing
from models.records import product_of
from models.timetable import PRODUCT

ROOT = Path(__file__).parents[2]
MOMENTS = 3
ROWS = 10

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Engine]:
    """A part of the shipped catalogue, taken in and not yet listed anywhere."""
    settings = Settings(home=tmp_path)
    database = open_home(settings)
    for file in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        part = tmp_path / Path(file).name
        part.write_text("\n".join((ROOT / "data" / file).read_text("utf-8-sig").splitlines()[: ROWS + 1]), "utf-8")
        add_source(database, str(part), SystemClock())
    pull(database, settings.place, SystemClock())
    yield database
    database.dispose()


def night(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "nightly", "--json"],
        cwd=ROOT,
        env=os.environ | {"CAYBEO_HOME": str(home), "CAYBEO_REQUEST_SECONDS": "2", "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shelves(home: Path) -> dict[str, Any]:
    found = {}
    for name in names():
        sandbox = sandbox_of(Settings(home=home), name)
        found[name] = sandbox.show()
        sandbox.state.close()
    return found


def await_writes(home: Path, count: int) -> None:
    for _ in range(3000):
        if sum(shelf["requests"]["write"] for shelf in shelves(home).values()) >= count:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the child wrote nothing")


def wanted(database: Engine, account: Account) -> list[str]:
    """What the records alone say should be on this shelf."""
    day, found = today(SystemClock()), []
    with database.connect() as db:
        for row in db.execute(PRODUCT.select().where(PRODUCT.c.removed_at.is_(None))):
            product = product_of(row.snapshot)
            for variant in product.variants:
                listing = project(product, variant.sku, account.policy, account.connector.project, day).listing
                found += [variant.sku] * isinstance(listing, Listing)
    return sorted(found)


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_P04_a_killed_night_is_finished_by_the_next_one(home: Engine, tmp_path: Path, seed: int) -> None:
    killed = night(tmp_path)
    await_writes(tmp_path, random.Random(seed).randint(1, 40))
    killed.kill()
    killed.communicate(timeout=30)

    following = night(tmp_path)
    out, err = following.communicate(timeout=120)

    assert following.returncode == 0, out + err
    shown = shelves(tmp_path)
    for account in accounts(Settings(home=tmp_path), home):
        live = [one["key"] for one in shown[account.name]["listings"] if one["status"] == "live"]
        assert sorted(live) == wanted(home, account)
        assert len(shown[account.name]["listings"]) == len(live)
    assert {a["counts"]["unknown"] for a in json.loads(out)["accounts"]} == {0}

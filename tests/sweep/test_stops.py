"""SIGTERM and SIGINT: a run ends what is under way, writes it down, gives the account back, and says so."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from flows.stopping import GRACE_SECONDS, LAST_SECONDS
from tests.sweep.child import HASTY_LAST_SECONDS
from tests.sweep.conftest import scenario_of
from tests.sweep.nursery import QUICK, ROOT, Child, Ended
from tests.sweep.scenarios import CATALOGUE, MARKETS, Yard, frozen_at, of, rows
from tests.sweep.sweep import facts, words_of

pytestmark = pytest.mark.slow
DEADLINE = 30.0  # what a service manager gives us
STOPPED = "Đã dừng theo yêu cầu"


def asked(child: Child, number: int = signal.SIGTERM) -> Ended:
    """The frozen command is asked to end, and goes on."""
    child.signal(number)
    child.signal(signal.SIGCONT)
    return child.wait(DEADLINE)


def run_records(yard: Yard) -> list[tuple[str, bool]]:
    with closing(sqlite3.connect(yard.home / "caybeo.sqlite")) as db:
        return db.execute("SELECT status, finished_at IS NOT NULL FROM run ORDER BY started_at").fetchall()


def requests(yard: Yard, market: str) -> int:
    return len(yard.tell("sandbox", "show", market, "--log")["log"])


@pytest.mark.parametrize("market", ["madeincamau", "postmart", "voso"])
def test_P08_the_request_in_flight_is_ended_and_written_down(yard_of: Callable[[str], Yard], market: str) -> None:
    """Frozen on its way out; whatever else was on the wire then is ended too, and nothing new is begun."""
    yard = yard_of(f"first night, {market}")
    child = frozen_at(yard, *of(market), point="request.leaving:3:stop")

    ended = asked(child)

    assert ended.code == 128 + signal.SIGTERM
    assert STOPPED in ended.out
    assert ended.spoke_plainly
    found = facts(yard)
    assert found["held"] == []  # the account is free at once
    assert run_records(yard)[-1][1]
    assert "sending" not in {status for _, _, status in found["open"]}


@pytest.mark.parametrize("market", ["madeincamau", "postmart", "voso"])
def test_P08_the_next_run_goes_on_from_there(yard_of: Callable[[str], Yard], market: str) -> None:
    yard = yard_of(f"first night, {market}")
    asked(frozen_at(yard, *of(market), point="send.end:1:stop"))

    yard.do(*of(market))
    yard.do(*of(market))

    assert facts(yard)["open"] == []
    assert len(yard.tell("sandbox", "show", market)["listings"]) == 4


def test_P08_accounts_that_were_not_begun_are_told_and_left_alone(yard_of: Callable[[str], Yard]) -> None:
    yard = yard_of("first night, voso")
    child = frozen_at(yard, "nightly", "--json", point="request.leaving:1:stop")

    ended = asked(child)

    parts = {part["account"]: part for part in ended.json["accounts"]}
    stopped = {name: [p["code"] for p in part["problems"]] for name, part in parts.items() if name in MARKETS}
    assert stopped == {market: ["interrupted"] for market in MARKETS}
    assert parts["voso"]["requests"] == parts["postmart"]["requests"] == 0
    assert ended.code == 143
    assert STOPPED in ended.err


@pytest.mark.parametrize(
    ("scenario", "point"),
    [
        ("new prices, postmart", "request.leaving"),
        ("apply", "request.leaving"),
        ("approval", "request.leaving"),
        ("healing", "request.leaving"),
        ("withdrawal", "request.leaving"),
        ("plan", "plan.begin"),
        ("import", "import.begin"),
        ("source approved", "run-begin.end"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_P08_every_command_that_works_ends_in_time_with_a_sentence(yard_of, scenario, point, number) -> None:
    yard = yard_of(scenario)
    child = frozen_at(yard, *words_of(scenario_of(scenario).words, yard), point=f"{point}:1:stop")

    ended = asked(child, number)  # one that is not gone by the deadline is aborted, and has another code

    assert ended.code == 128 + number
    assert STOPPED in ended.out + ended.err
    assert ended.spoke_plainly
    assert facts(yard)["held"] == []


def test_P08_an_import_that_is_stopped_takes_nothing_in(yard_of: Callable[[str], Yard]) -> None:
    yard = yard_of("import")
    sheet = yard.sheet("all.csv", rows(CATALOGUE))

    asked(frozen_at(yard, "import", sheet, point="import.begin:1:stop"))

    assert facts(yard)["products"] == []
    assert yard.do("import", sheet).code == 0
    assert len(facts(yard)["products"]) == 4


def test_P08_a_second_signal_ends_at_once(yard_of: Callable[[str], Yard]) -> None:
    """As a kill would: the lease is left, and the next run finds that its holder is gone."""
    yard = yard_of("first night, postmart")
    yard.do("sandbox", "fault", "postmart", "--seconds", "20", "--times", "1")
    child = yard.nursery.start(
        yard.home, *of("postmart"), env={"CAYBEO_REQUEST_SECONDS": "60", "CAYBEO_LEASE_SECONDS": "120"}
    )
    while not requests(yard, "postmart"):
        time.sleep(0.05)
    child.signal(signal.SIGTERM)
    time.sleep(0.5)  # the first signal has arrived

    child.signal(signal.SIGTERM)
    ended = child.wait(15)  # the answer itself would come after 20

    assert ended.code == 143
    assert facts(yard)["held"] == [("postmart",)]
    yard.do(*of("postmart"))
    yard.do(*of("postmart"))
    assert len(yard.tell("sandbox", "show", "postmart")["listings"]) == 4


def test_P08_one_that_hangs_is_gone_before_it_would_be_killed(yard_of: Callable[[str], Yard]) -> None:
    """The kernel ends what does not end by itself; what was being sent is marked, and looked up by the next run."""
    yard = yard_of("first night, postmart")
    child = yard.nursery.start(yard.home, *of("postmart"), env={"FAULTPOINT": "settle.begin:1:hang", "HASTY": "1"})
    while facts(yard).get("held") != [("postmart",)]:
        time.sleep(0.05)
    while "sending" not in {status for _, _, status in facts(yard)["open"]}:
        time.sleep(0.05)

    child.signal(signal.SIGTERM)
    ended = child.wait(DEADLINE)

    assert ended.code == -signal.SIGALRM
    assert GRACE_SECONDS < HASTY_LAST_SECONDS < LAST_SECONDS < DEADLINE
    yard.do(*of("postmart"))
    yard.do(*of("postmart"))
    assert facts(yard)["open"] == []
    assert len(yard.tell("sandbox", "show", "postmart")["listings"]) == 4


def test_P08_a_run_started_by_a_shell_ends_like_that_too(yard_of: Callable[[str], Yard]) -> None:
    """Nothing of the nursery: a program of its own, in the middle of a slow answer."""
    yard = yard_of("first night, voso")
    yard.do("sandbox", "fault", "voso", "--seconds", "2", "--times", "1")
    started = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *of("voso"), "--json"],
        cwd=ROOT,
        env=QUICK | {"CAYBEO_HOME": str(yard.home), "CAYBEO_REQUEST_SECONDS": "10"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not requests(yard, "voso"):
        time.sleep(0.05)

    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=DEADLINE)

    assert started.returncode == 130
    assert json.loads(out)["accounts"][0]["problems"][0]["code"] == "interrupted"
    assert STOPPED in err
    assert facts(yard)["held"] == []

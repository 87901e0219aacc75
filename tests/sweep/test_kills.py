"""Killed with signal 9 at the places that matter most; `make sweep` does the same everywhere."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.sweep.conftest import scenario_of
from tests.sweep.scenarios import MARKETS, Yard, of
from tests.sweep.sweep import Workshop, facts, trial

pytestmark = pytest.mark.slow
CREATES = {"madeincamau": "PUT", "postmart": "/batches", "voso": "/create"}
BY_THEN_CREATED = {
    "madeincamau": 2,
    "postmart": 5,
    "voso": 8,
}  # requests of a first night, in whatever order they leave


def recovers(workshop: Workshop, market: str, point: str, action: str = "kill") -> str:
    return trial(workshop, scenario_of(f"first night, {market}"), point, action).wrong


def killed(yard: Yard, market: str, point: str, nth: int = 1) -> None:
    yard.do(*of(market), codes=(-9,), env={"FAULTPOINT": f"{point}:{nth}:kill"})


def created(yard: Yard, market: str) -> Counter[str]:
    """How often each path was asked to create something."""
    log = yard.tell("sandbox", "show", market, "--log")["log"]
    made = [one for one in log if CREATES[market] in (one["method"], "/" + one["path"].rsplit("/", 1)[1])]
    return Counter(one["path"] for one in made)


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("point", ["plan.begin", "plan.commit"])
def test_P01_killed_before_the_plan_is_committed_nothing_was_sent(workshop: Workshop, yard_of, market, point) -> None:
    yard = yard_of(f"first night, {market}")
    killed(yard, market, point)

    assert created(yard, market) == {}
    assert facts(yard)["open"] == []
    assert recovers(workshop, market, point) == ""


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("point", ["plan.end", "send.begin", "send.commit"])
def test_P02_killed_with_a_plan_and_nothing_marked_as_sent(workshop: Workshop, yard_of, market, point) -> None:
    yard = yard_of(f"first night, {market}")
    killed(yard, market, point)

    assert {status for _, _, status in facts(yard)["open"]} == {"planned"}
    assert created(yard, market) == {}
    assert recovers(workshop, market, point) == ""


@pytest.mark.parametrize("market", MARKETS)
def test_P03_killed_after_the_mark_and_before_the_wire_it_is_sent_once(yard_of, market) -> None:
    yard = yard_of(f"first night, {market}")
    killed(yard, market, "request.leaving", BY_THEN_CREATED[market])
    assert "sending" in {status for _, _, status in facts(yard)["open"]}

    yard.do(*of(market))
    yard.do(*of(market))

    assert facts(yard)["open"] == []
    shown = yard.tell("sandbox", "show", market)["listings"]
    assert Counter(one["key"] for one in shown) == dict.fromkeys(("CM001", "CM002", "CM003", "CM007"), 1)


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("point", ["request.answered", "settle.begin", "settle.commit"])
def test_P04_P05_killed_after_the_marketplace_did_it_what_is_there_is_adopted(yard_of, market, point) -> None:
    """Voso would take a second product of one code without a word."""
    yard = yard_of(f"first night, {market}")
    killed(yard, market, point, BY_THEN_CREATED[market] if point == "request.answered" else 1)
    assert created(yard, market)

    yard.do(*of(market))
    yard.do(*of(market))

    found = facts(yard)
    assert (found["unknown ids"], found["without id"]) == ([], [])
    assert found["open"] == []
    assert len(yard.tell("sandbox", "show", market)["listings"]) == 4
    if market == "voso":
        assert sum(created(yard, market).values()) == 4


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("point", ["settle.end", "close.commit", "lease-release.begin", "run-end.commit"])
def test_P05_killed_once_it_is_written_down_the_next_night_is_silent(workshop: Workshop, market, point) -> None:
    assert recovers(workshop, market, point) == ""


@pytest.mark.parametrize("action", ["enospc", "eio", "raise", "memory"])
@pytest.mark.parametrize("point", ["send.commit", "settle.commit", "picture.written"])
def test_whatever_fails_there_is_said_in_a_sentence_and_nothing_is_lost(workshop: Workshop, action, point) -> None:
    """P09, P10, P11: what the machine fails with, at a commit and at a file."""
    assert recovers(workshop, "postmart", point, action) == ""


def test_a_sweep_notices_what_was_not_put_right(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the next run nothing is recovered, and without a fault nothing is met."""
    scenario = scenario_of("first night, voso")
    monkeypatch.setattr("tests.sweep.sweep.afterwards", lambda *_: iter(()))

    assert "shelves voso" in trial(workshop, scenario, "plan.end", "kill").wrong
    assert "not met" in trial(workshop, scenario, "heal.begin", "kill").wrong

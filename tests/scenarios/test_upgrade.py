"""A home of schema 0001 whose run was killed with changes open in every state, met by this version.

`home_0001` is a dump of it: the database as that version wrote it, and what the three marketplaces held then. On each
of them TK000 was planned, TK001 and TK002 were being sent and only TK002 arrived, TK003 was accepted, TK004 was held
for its price, and the creation of TK005 arrived without an answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from flows.steps.approve import PlanRefused, approve
from models.change import ChangeStatus
from models.ledger import PLAN
from models.migrations import HEAD, version
from models.report import DONE, HELD
from tests.scenarios.world import MARKETPLACES, HandClock, Inline, World

DUMP = Path(__file__).parent / "home_0001"
THEN = datetime(2026, 11, 23, 2, 11, 3, tzinfo=UTC)
OLD_ROWS = 33  # that the old version wrote
OPEN = {
    "TK000": "planned",
    "TK001": "sending",
    "TK002": "sending",
    "TK003": "accepted",
    "TK004": "held",
    "TK005": "unknown",
}


def prices(world: World, market: str) -> dict[str, int]:
    return {one["key"]: one["price"] for one in world.sandboxes[market].show()["listings"]}


def held_plans(world: World) -> list[int]:
    with world.database.connect() as db:
        return list(db.scalars(select(PLAN.c.id).where(PLAN.c.status == "held").order_by(PLAN.c.id)))


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[World]:
    """The old home, opened by this version ten minutes later."""
    for name, file in {"caybeo": "caybeo.sqlite", **{name: f"{name}.sandbox" for name in MARKETPLACES}}.items():
        with closing(sqlite3.connect(tmp_path / file)) as db:
            db.executescript((DUMP / f"{name}.sql").read_text("utf-8"))
    clock = HandClock(THEN)
    clock.advance(minutes=10)
    world = World(tmp_path, pool=Inline, kept=True, clock=clock)
    world.shrimps(6)  # their pictures
    yield world
    world.close()


def open_rows(world: World, market: str) -> dict[str, str]:
    return {row.sku: row.status for row in world.outbox(market) if row.done_at is None}


def test_P24_the_upgrade_leaves_open_rows_as_they_were(upgraded: World) -> None:
    assert version(upgraded.database) == HEAD
    assert [open_rows(upgraded, market) for market in MARKETPLACES] == [OPEN] * 3


def test_P24_the_next_night_finishes_what_the_old_version_had_begun(upgraded: World) -> None:
    report = upgraded.night()

    assert report.exit_code == HELD, report.as_json()
    for market in MARKETPLACES:
        assert open_rows(upgraded, market) == {"TK004": "held"}, market
        shown = {one["key"]: one for one in upgraded.sandboxes[market].show()["listings"]}
        assert len(upgraded.sandboxes[market].show()["listings"]) == 6, market
        assert [shown[f"TK00{n}"]["price"] for n in range(6)] == [255_000, 250_000, 245_000, 250_000, 250_000, 250_000]
        assert shown["TK001"]["stock"] == 30
        assert "loại 1" in shown["TK003"]["title"]


def test_P24_what_had_arrived_is_recognised_and_not_sent_again(upgraded: World) -> None:
    """The creation most of all: a second one would be a second listing."""
    upgraded.night()

    for market in MARKETPLACES:
        old = [row for row in upgraded.outbox(market) if row.id <= OLD_ROWS]
        ended = {(row.sku, row.kind): row.status for row in old}
        assert ended["TK002", "update"] == ChangeStatus.ACKNOWLEDGED, market
        assert ended["TK003", "update"] == ChangeStatus.ACKNOWLEDGED, market
        assert ended["TK005", "create"] == ChangeStatus.ACKNOWLEDGED, market


def test_P24_a_plan_held_by_the_old_version_is_not_approved_under_this_ones_seal(upgraded: World) -> None:
    """It is asked anew when its day is over, and that plan can be approved."""
    for plan_id in held_plans(upgraded):
        with pytest.raises(PlanRefused):
            approve(upgraded.context(), plan_id, "chị Lan", "đúng giá")
    upgraded.night()
    assert {prices(upgraded, market)["TK004"] for market in MARKETPLACES} == {250_000}

    upgraded.clock.advance(hours=25)
    upgraded.night()
    for plan_id in held_plans(upgraded):
        report = approve(upgraded.context(), plan_id, "chị Lan", "đúng giá")
        assert report.exit_code == DONE, report.as_json()

    assert {prices(upgraded, market)["TK004"] for market in MARKETPLACES} == {1_000_000}
    upgraded.assert_in_step()


def test_P24_a_second_night_is_silent(upgraded: World) -> None:
    upgraded.night()
    before = {market: upgraded.sandboxes[market].show()["requests"]["write"] for market in MARKETPLACES}

    upgraded.night()

    assert {market: upgraded.sandboxes[market].show()["requests"]["write"] for market in MARKETPLACES} == before

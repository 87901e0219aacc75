"""What answers do to the records: matched by key, never by position; a doubt stays a doubt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from connectors.errors import (
    AuthorisationFailed,
    Conflict,
    ConnectorError,
    Misconfigured,
    NotSent,
    OtherShape,
    Refused,
    Throttled,
    Unanswered,
)
from connectors.registry import connector
from flows.steps.account import AccountRun
from flows.steps.settle import Sent, Settler, believe
from models.database import writing
from models.ledger import OUTBOX
from models.listing import Problem, Remote, facet_hash
from models.outcome import Outcome, Result
from models.text import Text
from models.timetable import STATE
from tests.scenarios.world import Inline, World, shrimp

PROBLEM = Problem(code="x", field="name", message=Text("Sai", "Wrong"), next_step=Text("Sửa", "Mend"))


class Desk:
    """Three creates on their way to postmart, marked as being sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.put(*(shrimp(n, world.picture()) for n in range(3)))
        with AccountRun(world.context(), world.accounts()[0], "r1") as run:
            planned = run.plan()
        assert planned.plan_id is not None
        self.plan = planned.plan_id
        with writing(world.database) as db:
            rows = update(OUTBOX).where(OUTBOX.c.plan_id == self.plan)
            db.execute(rows.values(status="sending", sent_at=world.clock.now()))
        self.rows = world.outbox("postmart")
        self.settler = Settler("postmart", connector("postmart"), "r1", 1)

    def answer(self, *results: Result) -> None:
        sent: Sequence[Sent] = [Sent.of(row) for row in self.rows]
        with writing(self.world.database) as db:
            self.settler.results(db, self.plan, self.rows[0].batch, sent, list(results), self.world.clock.now())

    def stands(self) -> dict[str, str]:
        return {row.sku: row.status for row in self.world.outbox("postmart")}

    def state(self, sku: str) -> Any:
        return self.world.state("postmart", sku)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(World(tmp_path, ["postmart"], pool=Inline))


def ok(key: str, **more: Any) -> Result:
    return Result(key=key, outcome=Outcome.ACKNOWLEDGED, remote_id=f"BD-{key}", revision="1", **more)


def test_M05_answers_in_any_order_find_their_change(desk: Desk) -> None:
    desk.answer(ok("TK002"), Result(key="TK000", outcome=Outcome.REJECTED, problem=PROBLEM), ok("TK001"))

    assert desk.stands() == {"TK000": "rejected", "TK001": "acknowledged", "TK002": "acknowledged"}
    assert desk.state("TK002").remote_id == "BD-TK002"
    assert desk.state("TK001").status == "live"
    assert desk.state("TK000").status == "absent"
    assert desk.state("TK000").problems[0]["code"] == "x"
    assert desk.settler.counts == {"created": 2}


def test_M05_a_missing_answer_is_a_doubt(desk: Desk) -> None:
    desk.answer(ok("TK000"), ok("TK001"))

    assert desk.stands()["TK002"] == "unknown"
    assert desk.state("TK002").outcome == "unknown"


def test_M05_two_answers_that_differ_are_a_doubt(desk: Desk) -> None:
    desk.answer(
        ok("TK000"),
        Result(key="TK000", outcome=Outcome.REJECTED, problem=PROBLEM),
        ok("TK001"),
        ok("TK001"),
        ok("TK002"),
    )

    assert desk.stands() == {"TK000": "unknown", "TK001": "acknowledged", "TK002": "acknowledged"}


def test_M05_an_answer_about_something_else_changes_nothing(desk: Desk) -> None:
    desk.answer(ok("TK000"), ok("TK001"), ok("TK002"), ok("CUA-NGUOI-KHAC"))

    assert set(desk.stands().values()) == {"acknowledged"}


def test_what_was_taken_in_part_is_known_in_part_and_due_again(desk: Desk) -> None:
    desk.answer(ok("TK000", facets=("content", "price", "stock"), problem=PROBLEM), ok("TK001"), ok("TK002"))

    assert set(desk.state("TK000").baseline) == {"content", "price", "stock"}
    assert desk.state("TK000").due_at == desk.world.clock.now()
    assert set(desk.state("TK001").baseline) == {"content", "price", "stock", "images"}


def test_what_was_accepted_in_part_is_known_in_part_when_the_answer_comes(desk: Desk) -> None:
    part = Result(key="TK000", outcome=Outcome.ACCEPTED, handle="B1", facets=("content", "price", "stock"))
    rest = [Result(key=key, outcome=Outcome.ACCEPTED, handle="B1") for key in ("TK001", "TK002")]
    desk.answer(part, *rest)

    desk.answer(ok("TK000"), ok("TK001"), ok("TK002"))

    assert set(desk.state("TK000").baseline) == {"content", "price", "stock"}
    assert desk.state("TK000").due_reason == "changed"
    assert set(desk.state("TK001").baseline) == {"content", "price", "stock", "images"}


def test_a_price_and_a_stock_that_were_not_taken_are_not_what_is_shown(desk: Desk) -> None:
    """The next guard compares with what the marketplace has, not with what it was asked for."""
    desk.answer(ok("TK000", facets=("content", "stock", "images")), ok("TK001", facets=("price",)), ok("TK002"))

    figures = {sku: (desk.state(sku).price, desk.state(sku).stock) for sku in ("TK000", "TK001", "TK002")}
    price, stock = figures["TK002"]
    assert price is not None
    assert figures == {"TK000": (None, stock), "TK001": (price, None), "TK002": (price, stock)}


def test_what_was_accepted_in_part_is_looked_up_by_that_part(desk: Desk) -> None:
    """Without the pictures it was taken without, whose answer never came."""
    facets = {f: value for f, value in intended(desk, "TK000").items() if f != "images"}
    there = Remote(key="TK000", remote_id="BD1", status="live", revision="4", facets=facets)
    part = Result(key="TK000", outcome=Outcome.ACCEPTED, handle="B1", facets=tuple(facets))
    desk.answer(part, ok("TK001"), ok("TK002"))

    with writing(desk.world.database) as db:
        (row,) = (row for row in desk.world.outbox("postmart") if row.sku == "TK000")
        desk.settler.doubt(db, [row], desk.world.clock.now())
        desk.settler.looked_up(db, [row], [there], desk.world.clock.now())

    assert desk.stands()["TK000"] == "acknowledged"
    assert set(desk.state("TK000").baseline) == set(facets)


def test_an_ended_change_never_changes_again(desk: Desk) -> None:
    desk.answer(ok("TK000"), ok("TK001"), ok("TK002"))

    desk.answer(*(Result(key=row.sku, outcome=Outcome.REJECTED, problem=PROBLEM) for row in desk.rows))

    assert set(desk.stands().values()) == {"acknowledged"}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unanswered("timeout"), Outcome.UNKNOWN),
        (OtherShape("unexpected-answer"), Outcome.UNKNOWN),
        (Conflict("stale"), Outcome.UNKNOWN),
        (Refused("bad"), Outcome.REJECTED),
        (NotSent("refused"), Outcome.DEFERRED),
        (Throttled("429"), Outcome.DEFERRED),
        (AuthorisationFailed("401"), Outcome.DEFERRED),
        (Misconfigured("redirect"), Outcome.DEFERRED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ConnectorError) else str(value),
)
def test_what_a_failed_call_means_for_every_change_in_it(desk: Desk, error: ConnectorError, outcome: Outcome) -> None:
    results = desk.settler.whole_batch(["TK000", "TK001"], error, desk.world.clock.now())

    assert [(r.key, r.outcome) for r in results] == [("TK000", outcome), ("TK001", outcome)]
    assert all(r.problem and r.problem.next_step.vi for r in results)


def intended(desk: Desk, sku: str) -> dict[str, Any]:
    facets = desk.world.projected("postmart")[sku]
    assert desk.rows[0].hashes["price"] == facet_hash(facets["price"])
    return dict(facets)


@pytest.mark.parametrize(
    ("status", "ours", "stands"),
    [
        ("live", True, "acknowledged"),
        ("pending", True, "accepted"),
        ("rejected", True, "rejected"),
        ("hidden", True, "superseded"),
        ("live", False, "superseded"),
        ("pending", False, "superseded"),
        ("rejected", False, "superseded"),
    ],
)
def test_a_look_up_proves_only_what_is_there_word_for_word(desk: Desk, status: Any, stands: str, *, ours: bool) -> None:
    facets = intended(desk, "TK000") | ({} if ours else {"price": {"price_vnd": 1, "list_price_vnd": None}})
    there = Remote(key="TK000", remote_id="BD1", status=status, revision="4", facets=facets, words="không được")

    with writing(desk.world.database) as db:
        db.execute(update(OUTBOX).where(OUTBOX.c.id == desk.rows[0].id).values(status="unknown"))
        desk.settler.looked_up(db, [desk.rows[0]], [there], desk.world.clock.now())

    assert desk.stands()["TK000"] == stands


def test_where_nothing_is_found_it_is_planned_again(desk: Desk) -> None:
    with writing(desk.world.database) as db:
        db.execute(update(OUTBOX).where(OUTBOX.c.id == desk.rows[0].id).values(status="unknown"))
        desk.settler.looked_up(db, [desk.rows[0]], [], desk.world.clock.now())

    assert desk.stands()["TK000"] == "superseded"
    assert desk.state("TK000").due_at == desk.world.clock.now()
    assert desk.world.ledger("postmart", "TK000") == ["looked-up-absent"]


def test_a_listing_that_is_gone_there_is_no_longer_known_by_its_id(desk: Desk) -> None:
    desk.answer(ok("TK000"), ok("TK001"), ok("TK002"))

    with writing(desk.world.database) as db:
        believe(db, "postmart", "TK000", None)

    state = desk.state("TK000")
    assert (state.status, state.remote_id, state.revision, state.baseline) == ("absent", "", "", {})


def test_the_id_of_an_unfinished_create_is_kept(desk: Desk) -> None:
    with writing(desk.world.database) as db:
        db.execute(update(STATE).where(STATE.c.sku == "TK000").values(remote_id="17"))
        believe(db, "postmart", "TK000", None, known="17")

    assert desk.state("TK000").remote_id == "17"

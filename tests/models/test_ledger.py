"""The outbox says what is to be sent before it is sent, and rows that have ended never move again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select, update

from models.change import Change, ChangeStatus, Kind
from models.database import reading, writing
from models.ledger import (
    APPROVAL_HOURS,
    LEDGER,
    OUTBOX,
    PLAN,
    close_plan,
    drop,
    end,
    hold,
    mark_sending,
    open_plan,
    open_rows,
    recent_moves,
    record,
    release,
    waiting_moves,
)
from models.timetable import STATE
from tests.scenarios.world import TODAY

LATER = TODAY + timedelta(hours=1)


@pytest.fixture
def plan(database: Engine) -> int:
    """A plan of voso with three changes in one batch, and the state of each listing."""
    with writing(database) as db:
        plan_id = open_plan(db, "voso", "run-1", TODAY)
        db.execute(insert(OUTBOX), [_row(sku, plan_id=plan_id) for sku in ("A", "B", "C")])
        db.execute(insert(STATE), [_state(sku) for sku in ("A", "B", "C")])
    return plan_id


def test_sending_is_marked_once_with_the_lease_that_sends(database: Engine, plan: int) -> None:
    changes = [_change(sku) for sku in ("A", "B", "C")]

    with writing(database) as db:
        assert mark_sending(db, plan, 1, changes, 7, LATER) == changes
    with writing(database) as db:
        again = mark_sending(db, plan, 1, changes, 8, LATER)

    assert again == changes  # marked already, by this very plan
    assert {(r.status, r.lease, r.sent_at) for r in _rows(database)} == {("sending", 7, LATER)}


def test_a_change_given_up_meanwhile_is_not_sent(database: Engine, plan: int) -> None:
    with writing(database) as db:
        drop(db, OUTBOX.c.sku == "B", ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, TODAY, due=LATER)

        left = mark_sending(db, plan, 1, [_change(sku) for sku in ("A", "B", "C")], 7, LATER)

    assert [change.key for change in left] == ["A", "C"]


def test_a_dropped_change_makes_its_own_listing_due(database: Engine, plan: int) -> None:
    with writing(database) as db:
        drop(db, OUTBOX.c.sku == "B", ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, LATER, due=LATER)

    assert _statuses(database) == {"A": "planned", "B": "superseded", "C": "planned"}
    with reading(database) as db:
        due = db.execute(select(STATE.c.sku, STATE.c.due_at).where(STATE.c.due_at.is_not(None))).fetchall()
    assert [tuple(row) for row in due] == [("B", LATER)]


def test_a_held_plan_waits_and_expires(database: Engine, plan: int) -> None:
    with writing(database) as db:
        hold(db, plan, TODAY, [{"code": "mass-delist"}])

    with reading(database) as db:
        kept = db.execute(select(PLAN)).one()
        outcomes = set(db.execute(select(STATE.c.outcome)).scalars())
    assert (kept.status, kept.reasons) == ("held", [{"code": "mass-delist"}])
    assert kept.expires_at == TODAY + timedelta(hours=APPROVAL_HOURS)
    assert set(_statuses(database).values()) == {"held"}
    assert outcomes == {"held"}


def test_an_approval_frees_the_rows_that_still_wait_and_no_guard_counts_them(database: Engine, plan: int) -> None:
    with writing(database) as db:
        hold(db, plan, TODAY, [])
        drop(db, OUTBOX.c.sku == "B", ChangeStatus.HELD, ChangeStatus.SUPERSEDED, TODAY, due=None)

        released = release(db, plan, LATER, "lan", "đúng giá mới")

    assert released == 2
    assert _statuses(database) == {"A": "planned", "B": "superseded", "C": "planned"}
    assert [row.counted for row in _rows(database)] == [False, True, False]
    with reading(database) as db:
        kept = db.execute(select(PLAN)).one()
    assert (kept.status, kept.decided_by, kept.decision, kept.decided_at) == ("approved", "lan", "đúng giá mới", LATER)


def test_what_has_ended_is_not_ended_again(database: Engine, plan: int) -> None:
    with writing(database) as db:
        end(db, [_end("A", "acknowledged", turn=1)])
    with writing(database) as db:
        end(db, [_end("A", "rejected", turn=2), _end("B", "rejected", turn=2)])

    assert _statuses(database) == {"A": "acknowledged", "B": "rejected", "C": "planned"}


def test_a_problem_is_kept_with_the_change(database: Engine, plan: int) -> None:
    problem = {"code": "204", "message": {"vi": "Tên quá dài", "en": "Too long"}}

    with writing(database) as db:
        end(db, [_end("A", "rejected", turn=1) | {"problem": problem}, _end("B", "acknowledged", turn=1)])

    assert [row.problem for row in _rows(database)] == [problem, None, None]


def test_open_rows_are_those_of_one_account_and_status(database: Engine, plan: int) -> None:
    with writing(database) as db:
        db.execute(insert(OUTBOX).values(**_row("A", account="postmart", status="unknown")))
        end(db, [_end("B", "unknown", turn=1) | {"done": None}])

    with reading(database) as db:
        skus = [row.sku for row in db.execute(open_rows("voso", ChangeStatus.UNKNOWN))]
    assert skus == ["B"]


def test_guards_see_what_was_sent_of_one_account_and_may_have_arrived(database: Engine) -> None:
    """Approved changes among them: what a guard compares with begins anew there."""
    sent = {"kind": "delist", "status": "acknowledged", "sent_at": TODAY}
    rows = [
        _row("acknowledged", **sent),
        _row("accepted", **sent | {"status": "accepted"}),
        _row("unknown", **sent | {"status": "unknown"}),
        _row("sending", **sent | {"status": "sending"}),
        _row("approved", **sent | {"counted": False}),
        _row("a-day-ago", **sent | {"sent_at": TODAY - timedelta(hours=24)}),
        _row("update", **sent | {"kind": "update"}),
        _row("rejected", **sent | {"status": "rejected"}),
        _row("long-ago", **sent | {"sent_at": TODAY - timedelta(hours=24, seconds=1)}),
        _row("first", **sent | {"kind": "create"}),
        _row("elsewhere", **sent | {"account": "postmart"}),
    ]
    with writing(database) as db:
        for row in rows:
            db.execute(insert(OUTBOX).values(**row))

        found = recent_moves(db, "voso", TODAY - timedelta(hours=24))

    assert [move.sku for move in found] == [row["sku"] for row in rows[:7]]
    assert {move.shown for move in found} == {None}


def test_what_guards_see_is_found_by_its_own_index(database: Engine) -> None:
    """A first sync of 10,000 listings leaves nothing there: its creates are not in it."""
    if database.dialect.name != "sqlite":
        pytest.skip("PostgreSQL chooses by the statistics of full tables")
    said = []

    @event.listens_for(database, "before_cursor_execute")
    def keep(*call: Any) -> None:
        said.append(call[2:4])

    with reading(database) as db:
        recent_moves(db, "voso", TODAY)
        statement, values = said[-1]
        steps = [row[-1] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]

    assert any("ix_outbox_moves (account=? AND sent_at>?)" in step for step in steps), steps


def test_guards_see_what_waits(database: Engine, plan: int) -> None:
    with writing(database) as db:
        drop(db, OUTBOX.c.sku == "B", ChangeStatus.PLANNED, ChangeStatus.SUPERSEDED, TODAY, due=None)
        db.execute(insert(OUTBOX).values(**_row("D", status="held", follows=7)))
        db.execute(insert(OUTBOX).values(**_row("E", status="unknown")))
        db.execute(insert(OUTBOX).values(**_row("F", account="postmart")))

        waiting = waiting_moves(db, "voso")

    assert {(move.sku, move.status, move.follows) for move in waiting} == {
        ("A", "planned", None),
        ("C", "planned", None),
        ("D", "held", 7),
    }


@pytest.mark.parametrize("due", [None, LATER])
def test_a_repeated_create_that_was_not_sent_leaves_the_doubt_it_followed(
    database: Engine, plan: int, due: datetime | None
) -> None:
    with writing(database) as db:
        db.execute(update(OUTBOX).where(OUTBOX.c.sku == "A").values(follows=7))
        hold(db, plan, TODAY, [])

        drop(db, OUTBOX.c.plan_id == plan, ChangeStatus.HELD, ChangeStatus.CANCELLED, TODAY, due=due)

    with reading(database) as db:
        rows = db.execute(select(STATE.c.sku, STATE.c.doubt).order_by(STATE.c.sku)).fetchall()
        outcome = db.execute(select(STATE.c.outcome).where(STATE.c.sku == "A")).scalar_one()
    assert [tuple(row) for row in rows] == [("A", True), ("B", False), ("C", False)]
    assert outcome == "quarantined"


def test_the_ledger_keeps_its_lines_in_order(database: Engine) -> None:
    with writing(database) as db:
        record(db, TODAY, "run-1", "voso", "interrupted", [("A", 1, None), ("B", 2, {"kind": "gone"})])
        record(db, LATER, "run-2", "voso", "drift", [])
        record(db, LATER, "run-2", "voso", "drift", [("A", None, {"facets": ["price"]})])

    with reading(database) as db:
        lines = db.execute(select(LEDGER).order_by(LEDGER.c.id)).fetchall()
    assert [(r.sku, r.event, r.change_id, r.detail) for r in lines] == [
        ("A", "interrupted", 1, None),
        ("B", "interrupted", 2, {"kind": "gone"}),
        ("A", "drift", None, {"facets": ["price"]}),
    ]


def test_a_plan_that_closes_by_itself_keeps_who_approved_it(database: Engine, plan: int) -> None:
    with writing(database) as db:
        hold(db, plan, TODAY, [])
        release(db, plan, LATER, "lan", "giá mới")

        close_plan(db, plan, LATER + timedelta(hours=1), "applied")

    with reading(database) as db:
        kept = db.execute(select(PLAN)).one()
    assert (kept.status, kept.decided_by, kept.decided_at) == ("applied", "lan", LATER)


def test_a_cancelled_change_is_judged_again_on_its_calendar_day(database: Engine) -> None:
    """And its listing says again what it was before it waited."""
    with writing(database) as db:
        plan_id = open_plan(db, "voso", "run-1", TODAY)
        days = {"A": LATER, "B": None}
        db.execute(insert(OUTBOX), [_row(sku, plan_id=plan_id, calendar=day) for sku, day in days.items()])
        db.execute(insert(STATE), [_state(sku) | {"status": "live"} for sku in days])
        hold(db, plan_id, TODAY, [])

        drop(db, OUTBOX.c.plan_id == plan_id, ChangeStatus.HELD, ChangeStatus.CANCELLED, TODAY, due=None)

    with reading(database) as db:
        rows = db.execute(select(STATE.c.due_at, STATE.c.due_reason, STATE.c.outcome).order_by(STATE.c.sku)).fetchall()
    assert [tuple(row) for row in rows] == [(LATER, "calendar", "listed"), (None, None, "listed")]


def test_a_closed_plan_says_who_decided_and_why(database: Engine, plan: int) -> None:
    with writing(database) as db:
        close_plan(db, plan, LATER, "refused", "lan", "chưa chắc")

    with reading(database) as db:
        kept = db.execute(select(PLAN)).one()
    assert (kept.status, kept.decided_by, kept.decision) == ("refused", "lan", "chưa chắc")


def _row(sku: str, **changes: Any) -> dict[str, Any]:
    row = {
        "plan_id": 1,
        "batch": 1,
        "account": "voso",
        "sku": sku,
        "kind": "create",
        "facets": "content,price,stock,images",
        "hashes": {"price": "ab"},
        "product_revision": 1,
        "counted": True,
        "remote_id": "",
        "remote_revision": "",
        "status": "planned",
        "lease": 0,
        "turn": 0,
        "handle": "",
    }
    return row | changes


def _state(sku: str) -> dict[str, Any]:
    fixed = {"status": "absent", "remote_id": "", "revision": "", "baseline": {}, "attempts": 0, "problems": []}
    return {"account": "voso", "sku": sku, "product_id": sku, **fixed, "note": "", "outcome": ""}


def _end(sku: str, status: str, *, turn: int) -> dict[str, Any]:
    known = {"remote_id": "9", "revision": "", "handle": "", "problem": None, "done": LATER, "settle": None}
    return {"account": "voso", "sku": sku, "status": status, "turn": turn, **known}


def _change(sku: str) -> Change:
    return Change(key=sku, kind=Kind.CREATE, facets=(), listing={}, token=sku)


def _rows(database: Engine) -> list[Any]:
    with reading(database) as db:
        return list(db.execute(select(OUTBOX).order_by(OUTBOX.c.sku)))


def _statuses(database: Engine) -> dict[str, str]:
    return {row.sku: row.status for row in _rows(database)}

"""Big damage waits for a person, who decides about exactly what was shown."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from flows.steps.approve import PlanRefused, approve, refuse, show
from flows.steps.plan import Selection
from models.database import writing
from models.ledger import PLAN
from models.report import DONE, HELD, RunReport
from models.tables import ProductRow, core
from models.value import replace
from tests.scenarios.world import MARKETPLACES, World, part, priced, shrimp, stocked


def held_plan(report: RunReport, market: str) -> int:
    (plan,) = part(report, market).plans
    return int(plan["id"])


def skus(count: int) -> list[str]:
    return [f"TK{n:03}" for n in range(count)]


everywhere = pytest.mark.parametrize("market", MARKETPLACES, indirect=True)


@pytest.fixture
def market(request: pytest.FixtureRequest) -> str:
    """Guards know no marketplace: most of these need only one."""
    return str(getattr(request, "param", "postmart"))


@pytest.fixture
def stall(lone: World) -> World:
    """Thirty live listings."""
    lone.put(*(shrimp(n, lone.picture()) for n in range(30)))
    lone.night()
    return lone


def test_five_delists_go_unasked(stall: World, market: str) -> None:
    stall.remove(*skus(5))

    report = stall.night()

    assert report.exit_code == DONE
    assert part(report, market).counts["delisted"] == 5


@everywhere
def test_six_delists_of_thirty_wait(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    writes = stall.writes(market)

    report = stall.night()

    (plan,) = part(report, market).plans
    assert report.exit_code == HELD
    assert part(report, market).counts["held"] == 6
    assert [r["code"] for r in plan["reasons"]] == ["mass-delist"]
    assert plan["reasons"][0]["count"] == 6
    assert plan["reasons"][0]["examples"][0] == {"sku": "TK000", "name": "Tôm khô Rạch Gốc số 0"}
    assert (stall.writes(market), len(stall.shown(market))) == (writes, 30)


@everywhere
def test_small_runs_cannot_walk_round_the_guard(stall: World, market: str) -> None:
    """Three a night are few; three, three and three within a day are many."""
    stall.remove(*skus(3))
    first = stall.night()
    stall.remove("TK003", "TK004")
    second = stall.night()
    stall.remove("TK005")
    third = stall.night()

    assert [r.exit_code for r in (first, second, third)] == [DONE, DONE, HELD]
    assert len(stall.shown(market)) == 25


def test_the_guard_forgets_after_a_day(stall: World, market: str) -> None:
    stall.remove(*skus(5))
    stall.night()
    stall.clock.advance(hours=25)
    stall.remove("TK005", "TK006")

    report = stall.night()

    assert report.exit_code == DONE
    assert len(stall.shown(market)) == 23


def test_what_waits_counts_too(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    stall.night()
    stall.remove("TK007")

    report = stall.night()

    assert report.exit_code == HELD
    assert len(stall.shown(market)) == 30


@everywhere
def test_an_approved_plan_is_carried_out_at_once_and_remembered(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    digest = show(stall.context(), plan)["digest"]

    report = approve(stall.context(), plan, "Lan", "hết mùa", digest=digest)

    decided = show(stall.context(), plan)
    assert isinstance(report, RunReport)
    assert report.exit_code == DONE
    assert part(report, market).counts["delisted"] == 6
    assert (decided["status"], decided["decided_by"], decided["decision"]) == ("applied", "Lan", "hết mùa")
    assert stall.ledger(market).count("approved") == 1
    assert len(stall.shown(market)) == 24


def test_an_approved_delist_leaves_room_for_the_day(stall: World, market: str) -> None:
    """What a person has let through does not count against what may go unasked."""
    stall.remove(*skus(6))
    approve(stall.context(), held_plan(stall.night(), market), "Lan", "hết mùa")
    stall.remove("TK006", "TK007")

    assert stall.night().exit_code == DONE
    assert len(stall.shown(market)) == 22


def test_an_approval_is_of_what_was_seen(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)

    with pytest.raises(PlanRefused):
        approve(stall.context(), plan, "Lan", "", digest="f" * 32)

    assert len(stall.shown(market)) == 30
    assert show(stall.context(), plan)["status"] == "held"


def test_what_changed_after_the_plan_is_not_approved_with_it(stall: World, market: str) -> None:
    """One of six comes back before the approval: it stays on sale."""
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    stall.put(shrimp(3, stall.picture()))

    approve(stall.context(), plan, "Lan", "")
    stall.night()

    assert set(skus(6)) - set(stall.shown(market)) == set(skus(6)) - {"TK003"}


def test_an_approval_comes_too_late_after_a_day(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    stall.clock.advance(hours=24, minutes=1)

    with pytest.raises(PlanRefused):
        approve(stall.context(), plan, "Lan", "")
    report = stall.night()

    assert show(stall.context(), plan)["status"] == "expired"
    assert {c["status"] for c in show(stall.context(), plan)["changes"]} == {"cancelled"}
    assert report.exit_code == HELD
    assert held_plan(report, market) != plan


def test_a_refused_plan_rests_until_its_data_change(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    refuse(stall.context(), held_plan(stall.night(), market), "Lan", "nhầm tệp")

    rested = stall.night()
    stall.put(shrimp(0, stall.picture(), price=251_000))
    changed = stall.night()

    assert (rested.exit_code, part(rested, market).counts["held"]) == (DONE, 0)
    assert changed.exit_code == DONE
    assert stall.shown(market)["TK000"]["price"] == 251_000
    assert len(stall.shown(market)) == 30
    assert stall.ledger(market).count("refused") == 1
    assert stall.state(market, "TK001").outcome == "refused"


def test_a_change_that_came_before_the_refusal_is_not_lost(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    stall.put(shrimp(0, stall.picture(), price=251_000))

    refuse(stall.context(), plan, "Lan", "nhầm tệp")
    stall.night()

    assert stall.shown(market)["TK000"]["price"] == 251_000


def test_nobody_is_asked_again_about_a_removal_that_was_approved_at_the_source(stall: World, market: str) -> None:
    stall.remove(*skus(10))
    with writing(stall.database) as db:
        gone = core(ProductRow).c.removed_at.is_not(None)
        db.execute(update(core(ProductRow)).where(gone).values(removed_by="17"))

    report = stall.night()

    assert report.exit_code == DONE
    assert part(report, market).counts["delisted"] == 10


def test_prices_that_move_by_more_than_a_third_in_a_fifth_of_the_stall_wait(stall: World, market: str) -> None:
    stall.put(*(shrimp(n, stall.picture(), price=340_000) for n in range(7)))

    report = stall.night()

    assert report.exit_code == HELD
    assert [r["code"] for r in part(report, market).plans[0]["reasons"]] == ["mass-price"]
    assert {one["price"] for one in stall.shown(market).values()} == {250_000}


def test_a_few_such_prices_go(stall: World, market: str) -> None:
    stall.put(*(shrimp(n, stall.picture(), price=340_000) for n in range(6)))

    assert stall.night().exit_code == DONE
    assert stall.shown(market)["TK005"]["price"] == 340_000


def test_a_fifth_of_the_stall_falling_to_no_stock_waits(stall: World, market: str) -> None:
    stall.put(*(shrimp(n, stall.picture(), stock=0) for n in range(7)))

    report = stall.night()

    assert report.exit_code == HELD
    assert [r["code"] for r in part(report, market).plans[0]["reasons"]] == ["mass-zero-stock"]
    assert {one["stock"] for one in stall.shown(market).values()} == {40}


@pytest.mark.parametrize(("price", "held"), [(750_000, False), (751_000, True), (84_000, False), (83_000, True)])
def test_one_price_that_moves_more_than_threefold_waits_alone(
    stall: World, market: str, price: int, *, held: bool
) -> None:
    stall.put(shrimp(1, stall.picture(), price=price), shrimp(2, stall.picture(), price=255_000))

    report = stall.night()

    shown = stall.shown(market)
    assert shown["TK002"]["price"] == 255_000
    assert shown["TK001"]["price"] == (250_000 if held else price)
    assert report.exit_code == (HELD if held else DONE)
    assert [r["code"] for p in part(report, market).plans for r in p["reasons"]] == ["price-jump"] * held


@everywhere
def test_a_held_price_goes_when_a_person_says_so(stall: World, market: str) -> None:
    stall.put(shrimp(1, stall.picture(), price=900_000))
    plan = held_plan(stall.night(), market)

    report = approve(stall.context(), plan, "Lan", "đúng giá")

    assert report.exit_code == DONE
    assert stall.shown(market)["TK001"]["price"] == 900_000
    assert stall.night().exit_code == DONE


def test_a_corrected_price_replaces_the_one_that_waits(stall: World, market: str) -> None:
    stall.put(shrimp(1, stall.picture(), price=2_600_000))
    plan = held_plan(stall.night(), market)
    stall.put(shrimp(1, stall.picture(), price=260_000))

    report = stall.night()

    assert stall.shown(market)["TK001"]["price"] == 260_000
    assert {c["status"] for c in show(stall.context(), plan)["changes"]} == {"superseded"}
    assert report.exit_code == DONE, report.as_json()


def test_force_does_not_force_a_guard(stall: World, market: str) -> None:
    stall.remove(*skus(6))

    report = stall.night(Selection(skus=tuple(skus(6)), force=True))

    assert report.exit_code == HELD
    assert len(stall.shown(market)) == 30


def test_the_first_night_of_a_stall_is_never_held(lone: World, market: str) -> None:
    lone.put(*(stocked(priced(shrimp(n, lone.picture()), 1_000 + n), 0) for n in range(12)))

    assert lone.night().exit_code == DONE
    assert len(lone.shown(market)) == 12


def test_a_held_plan_keeps_nothing_else_from_going_the_next_night(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    stall.night()
    new = replace(shrimp(40, stall.picture()), name="Ba khía muối Rạch Gốc")
    stall.put(new)

    report = stall.night()

    assert report.exit_code == HELD
    with stall.database.connect() as db:
        open_plans = list(db.scalars(select(PLAN.c.status).where(PLAN.c.status.in_(("held", "ready")))))
    assert open_plans == ["held"]
    assert "TK040" in stall.shown(market)

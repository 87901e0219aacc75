"""Big damage waits for a person, who decides about exactly what was shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, update

from flows.steps.account import AccountRun
from flows.steps.approve import PlanRefused, apply, approve, refuse, show
from flows.steps.night import resync
from flows.steps.plan import Selection
from flows.steps.withdraw import withdraw
from models.catalogue import Certificate, Product
from models.database import writing
from models.faultpoint import on_visit
from models.ledger import BATCH, LEDGER, OUTBOX, PLAN
from models.report import BUSY, DONE, HELD, RunReport
from models.tables import ProductRow, core
from models.value import replace
from tests.scenarios.world import MARKETPLACES, Inline, World, lose_answers, part, priced, shrimp, stocked


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


# --- walking round: many small runs are one large one (I14) ---------------------------------------------------------

DEARER = 340_000  # 36 % above what every listing costs
HANOI_MIDNIGHT = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def dearer(world: World, *numbers: int, price: int = DEARER) -> None:
    world.put(*(shrimp(n, world.picture(), price=price) for n in numbers))


def prices(world: World, market: str) -> dict[int, int]:
    """How many listings show which price."""
    return dict(Counter(one["price"] for one in world.shown(market).values()))


def why(report: RunReport, market: str) -> list[str]:
    return [reason["code"] for plan in part(report, market).plans for reason in plan["reasons"]]


def test_three_steps_of_a_fifth_within_a_day_wait(stall: World, market: str) -> None:
    """Each is small; together they are 73 %."""
    reports = []
    for price in (300_000, 360_000, 432_000):
        dearer(stall, *range(7), price=price)
        reports.append(stall.night())

    assert [r.exit_code for r in reports] == [DONE, HELD, HELD]
    assert why(reports[-1], market) == ["mass-price"]
    assert prices(stall, market) == {250_000: 23, 300_000: 7}


def test_other_items_in_each_run_add_up(stall: World, market: str) -> None:
    reports = []
    for numbers in ((0, 1, 2), (3, 4, 5), (6,)):
        dearer(stall, *numbers)
        reports.append(stall.night())

    assert [r.exit_code for r in reports] == [DONE, DONE, HELD]
    assert prices(stall, market) == {250_000: 24, DEARER: 6}
    (reason,) = part(reports[-1], market).plans[0]["reasons"]
    assert reason["count"] == 7
    assert "6 là của 24 giờ vừa qua" in reason["vi"]


@pytest.mark.parametrize("force", [False, True])
def test_naming_one_sku_after_the_other_gets_no_more_through(stall: World, market: str, *, force: bool) -> None:
    dearer(stall, *range(10))

    codes = [stall.night(Selection(skus=(sku,), force=force)).exit_code for sku in skus(10)]

    assert codes == [DONE] * 6 + [HELD] * 4
    assert prices(stall, market)[DEARER] == 6


def test_stock_that_is_emptied_item_by_item_waits_in_the_end(stall: World, market: str) -> None:
    for n in range(8):
        stall.put(shrimp(n, stall.picture(), stock=0))
        report = stall.night()

    assert why(report, market) == ["mass-zero-stock"] * 2
    assert Counter(one["stock"] for one in stall.shown(market).values()) == {40: 24, 0: 6}


def test_a_listing_that_is_emptied_and_filled_and_emptied_counts_once(stall: World, market: str) -> None:
    for stock in (0, 40, 0, 40, 0):
        stall.put(*(shrimp(n, stall.picture(), stock=stock) for n in range(6)))

        assert stall.night().exit_code == DONE
    assert [one["stock"] for one in stall.shown(market).values()].count(0) == 6


def test_prices_that_went_back_leave_room_for_others(stall: World, market: str) -> None:
    dearer(stall, *range(6))
    stall.night()
    dearer(stall, *range(6), price=250_000)
    stall.night()
    dearer(stall, *range(10, 16))

    assert stall.night().exit_code == DONE
    assert prices(stall, market) == {250_000: 24, DEARER: 6}


def test_one_price_cannot_climb_threefold_in_two_runs(stall: World, market: str) -> None:
    dearer(stall, 1, price=700_000)
    first = stall.night()
    dearer(stall, 1, price=800_000)
    second = stall.night()

    assert (first.exit_code, second.exit_code) == (DONE, HELD)
    assert why(second, market) == ["price-jump"]
    assert "từ 250.000 ₫ thành 800.000 ₫" in part(second, market).plans[0]["reasons"][0]["vi"]
    assert stall.shown(market)["TK001"]["price"] == 700_000


def test_healing_counts_like_any_other_change(stall: World, market: str) -> None:
    dearer(stall, *range(6))
    stall.night()
    stall.edit_by_hand(market, "TK010", 400_000)

    report = stall.reconcile(heal=True)

    assert report.exit_code == HELD
    assert why(report, market) == ["mass-price"]
    assert stall.shown(market)["TK010"]["price"] == 400_000


def test_what_failed_and_is_sent_again_is_judged_again(stall: World, market: str) -> None:
    """Seven texts were refused; sent again with other prices, they are seven prices that move."""
    for n in range(7):
        bad = shrimp(n, stall.picture())
        stall.put(replace(bad, name=bad.name.replace("ô", "o\u0302")))
    refused = stall.night()
    dearer(stall, *range(7))

    report = stall.night(Selection(failed=True))

    assert part(refused, market).counts["rejected"] == 7
    assert report.exit_code == HELD
    assert prices(stall, market) == {250_000: 30}


def test_a_removal_that_was_tried_twice_counts_once(stall: World, market: str) -> None:
    """The first answers are lost: looked up, counted as done, and not counted again."""
    stall.remove(*skus(5))
    lose_answers(stall, market, 3)
    stall.night()
    stall.unhook()
    unasked = stall.night()
    stall.remove("TK005")

    report = stall.night()

    assert unasked.exit_code == DONE, unasked.as_json()
    assert why(report, market) == ["mass-delist"]
    assert part(report, market).plans[0]["reasons"][0]["count"] == 6
    assert len(stall.shown(market)) == 25


def test_an_approval_frees_its_own_plan_and_no_more(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    approve(stall.context(), held_plan(stall.night(), market), "Lan", "hết mùa")
    stall.remove(*skus(11)[6:])
    five = stall.night()
    stall.remove("TK011")

    report = stall.night()

    assert (five.exit_code, report.exit_code) == (DONE, HELD)
    assert len(stall.shown(market)) == 30 - 11


def test_an_approved_price_is_where_the_next_step_begins(stall: World, market: str) -> None:
    dearer(stall, 1, price=900_000)
    approve(stall.context(), held_plan(stall.night(), market), "Lan", "hàng tuyển")
    dearer(stall, 1, price=1_000_000)

    assert stall.night().exit_code == DONE
    assert stall.shown(market)["TK001"]["price"] == 1_000_000


def test_what_was_refused_does_not_come_through_piece_by_piece(stall: World, market: str) -> None:
    dearer(stall, *range(7))
    refuse(stall.context(), held_plan(stall.night(), market), "Lan", "nhầm")

    codes = [stall.night(Selection(skus=(sku,))).exit_code for sku in skus(7)]

    assert codes == [DONE] * 6 + [HELD]


def test_what_expired_yesterday_is_asked_again_today(stall: World, market: str) -> None:
    dearer(stall, *range(7))
    stall.night()
    stall.clock.advance(hours=25)

    codes = [stall.night(Selection(skus=(sku,))).exit_code for sku in skus(3)]
    rest = stall.night()

    assert codes == [DONE] * 3
    assert why(rest, market) == ["mass-price"]  # four more of the same day make seven in all
    assert prices(stall, market) == {250_000: 27, DEARER: 3}


def test_listings_do_not_come_back_at_other_prices_unasked(stall: World, market: str) -> None:
    """Ten were taken down with approval; what they cost then is what they are compared with, a few at a time too."""
    stall.remove(*skus(10))
    approve(stall.context(), held_plan(stall.night(), market), "Lan", "hết mùa")
    codes = []
    for numbers in ((0, 1, 2), (3, 4), (5, 6)):
        dearer(stall, *numbers, price=500_000)
        codes.append(stall.night().exit_code)

    assert codes == [DONE, DONE, HELD]
    assert prices(stall, market) == {250_000: 20, 500_000: 5}


def test_what_is_made_again_may_not_cost_four_times_as_much_unasked(stall: World, market: str) -> None:
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()
    dearer(stall, 1, price=1_000_000)

    report = stall.night(Selection(skus=("TK001",)))

    assert why(report, market) == ["price-jump"]
    assert "TK001" not in stall.shown(market)


def test_midnight_is_no_new_day(stall: World, market: str) -> None:
    stall.clock.at = HANOI_MIDNIGHT - timedelta(minutes=10)
    stall.remove(*skus(5))
    stall.night()
    stall.clock.at = HANOI_MIDNIGHT + timedelta(minutes=10)
    stall.remove("TK005")

    assert stall.night().exit_code == HELD


@pytest.mark.parametrize(("seconds", "code"), [(0, HELD), (1, DONE)])
def test_a_day_is_24_hours_to_the_second(stall: World, market: str, seconds: int, code: int) -> None:
    stall.remove(*skus(5))
    stall.night()
    sent = max(row.sent_at for row in stall.outbox(market) if row.kind == "delist")
    stall.remove("TK005")
    stall.clock.at = sent + timedelta(hours=24, seconds=seconds)

    assert resync(stall.context()).exit_code == code


def test_one_accounts_day_is_not_anothers(tmp_path: Path) -> None:
    """madeincamau took its five down yesterday, postmart today."""
    world = World(tmp_path, ("madeincamau", "postmart"), pool=Inline)
    world.put(*(shrimp(n, world.picture()) for n in range(30)))
    world.night()
    world.remove(*skus(5))
    world.night()
    with writing(world.database) as db:
        yesterday = world.clock.now() - timedelta(hours=25)
        db.execute(update(OUTBOX).where(OUTBOX.c.account == "madeincamau").values(sent_at=yesterday))
    world.remove("TK005")

    report = world.night()

    assert {a.account: a.code for a in report.accounts} == {"madeincamau": DONE, "postmart": HELD}
    world.close()


def test_the_first_night_counts_for_nothing_the_day_after(stall: World, market: str) -> None:
    """Thirty creates are no moves: what is changed an hour later is compared with them."""
    stall.put(*(shrimp(n, stall.picture(), price=DEARER, stock=0) for n in range(6)))

    assert stall.night().exit_code == DONE


# --- approval -------------------------------------------------------------------------------------------------------


def test_of_two_people_who_decide_at_once_one_does(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    with (
        meanwhile("approve.begin", lambda: refuse(stall.context(), plan, "Tư", "chờ đã")),
        pytest.raises(PlanRefused, match="refused"),
    ):
        approve(stall.context(), plan, "Lan", "hết mùa")

    assert show(stall.context(), plan)["decided_by"] == "Tư"
    assert [e for e in stall.ledger(market) if e in ("approved", "refused")] == ["refused"]
    assert len(stall.shown(market)) == 30


def test_a_plan_is_approved_once(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    with (
        meanwhile("approve.begin", lambda: approve(stall.context(), plan, "Tư", "hết mùa")),
        pytest.raises(PlanRefused, match="applied"),
    ):
        approve(stall.context(), plan, "Lan", "hết mùa")

    assert show(stall.context(), plan)["decided_by"] == "Tư"
    assert stall.ledger(market).count("approved") == 1


def test_a_plan_that_was_replaced_while_its_approver_waited_sends_nothing(stall: World, market: str) -> None:
    dearer(stall, 1, price=2_600_000)
    plan = held_plan(stall.night(), market)
    dearer(stall, 1, price=260_000)
    with meanwhile("approve.begin", stall.night), pytest.raises(PlanRefused, match="replaced"):
        approve(stall.context(), plan, "Lan", "")

    assert stall.shown(market)["TK001"]["price"] == 260_000


@pytest.mark.parametrize(("signs", "accepted"), [(32, True), (8, True), (7, False), (0, True)])
def test_an_approval_may_name_the_first_signs_of_the_digest(
    stall: World, market: str, signs: int, *, accepted: bool
) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    digest = show(stall.context(), plan)["digest"][:signs]

    if accepted:
        approve(stall.context(), plan, "Lan", "", digest=digest)
    else:
        with pytest.raises(PlanRefused):
            approve(stall.context(), plan, "Lan", "", digest=digest)
    assert len(stall.shown(market)) == (24 if accepted else 30)


def touch_price(db: Connection, plan: int) -> None:
    db.execute(update(OUTBOX).where(OUTBOX.c.plan_id == plan).values(price=1))


def touch_stock(db: Connection, plan: int) -> None:
    db.execute(update(OUTBOX).where(OUTBOX.c.plan_id == plan).values(stock=1))


def touch_facets(db: Connection, plan: int) -> None:
    db.execute(update(OUTBOX).where(OUTBOX.c.plan_id == plan).values(facets="price,content"))


def touch_bytes(db: Connection, plan: int) -> None:
    batch = BATCH.c.plan_id == plan
    changes = db.execute(select(BATCH.c.changes).where(batch)).scalar_one()
    db.execute(update(BATCH).where(batch).values(changes=changes.replace(b"900000", b"900001")))


def add_a_row(db: Connection, plan: int) -> None:
    row = dict(db.execute(select(OUTBOX).where(OUTBOX.c.plan_id == plan)).one()._mapping)
    db.execute(insert(OUTBOX).values(**row | {"id": None, "sku": "TK002"}))


@pytest.mark.parametrize("touch", [touch_price, touch_stock, touch_facets, touch_bytes, add_a_row])
def test_the_seal_covers_everything_that_is_sent(stall: World, market: str, touch: Callable[..., None]) -> None:
    dearer(stall, 1, price=900_000)
    plan = held_plan(stall.night(), market)
    digest = show(stall.context(), plan)["digest"]
    with writing(stall.database) as db:
        touch(db, plan)

    with pytest.raises(PlanRefused, match="no longer the one you saw"):
        approve(stall.context(), plan, "Lan", "", digest=digest)

    assert stall.shown(market)["TK001"]["price"] == 250_000
    assert show(stall.context(), plan)["status"] == "held"


def test_plans_that_differ_have_other_seals(stall: World, market: str) -> None:
    seals = set()
    for price in (900_000, 900_001, 900_000):
        dearer(stall, 1, price=price)
        plan = held_plan(stall.night(Selection(skus=("TK001",))), market)
        seals.add(show(stall.context(), plan)["digest"])

    assert len(seals) == 3  # the same change planned again carries another token


def test_a_plan_that_a_newer_one_replaced_says_so(stall: World, market: str) -> None:
    dearer(stall, 1, price=2_600_000)
    plan = held_plan(stall.night(), market)
    dearer(stall, 1, price=260_000)
    stall.night()

    with pytest.raises(PlanRefused, match="replaced by a newer one"):
        approve(stall.context(), plan, "Lan", "")
    assert show(stall.context(), plan)["status"] == "superseded"


def test_a_plan_that_expired_says_so_and_is_in_the_ledger(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    stall.clock.advance(hours=24)

    with pytest.raises(PlanRefused, match="older than 24 hours"):
        approve(stall.context(), plan, "Lan", "")
    stall.night()

    assert stall.ledger(market).count("expired") == 1
    assert "approved" not in stall.ledger(market)


def test_an_approval_is_recorded_with_who_when_and_what(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    stall.clock.advance(hours=3)

    approve(stall.context(), plan, "Lan", "hết mùa")

    with stall.database.connect() as db:
        line = db.execute(select(LEDGER).where(LEDGER.c.event == "approved")).one()
    seen = show(stall.context(), plan)
    assert line.detail == {"plan": plan, "digest": seen["digest"], "who": "Lan", "why": "hết mùa", "changes": 6}
    assert seen["decided_at"] == line.at


def test_a_star_that_ends_before_the_approval_is_not_sent(stall: World, market: str) -> None:
    """Held on its last day, approved on the morning after: judged again first."""
    ends = replace(shrimp(1, stall.picture()), certificates=(Certificate(star=4, issued_on=date(2023, 12, 1)),))
    stall.put(ends)
    stall.night()
    stall.clock.at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    stall.put(priced(ends, 900_000))
    plan = held_plan(stall.night(), market)
    stall.clock.at = datetime(2026, 11, 30, 18, tzinfo=UTC)  # 1 December in Cà Mau

    approve(stall.context(), plan, "Lan", "")

    assert stall.shown(market)["TK001"]["price"] == 250_000
    assert {c["status"] for c in show(stall.context(), plan)["changes"]} == {"superseded"}
    assert why(stall.night(), market) == ["price-jump"]


# --- approved while another run holds the account: what happens before it can be sent ------------------------------


def approved_unsent(world: World, market: str, product: Product) -> int:
    """This product's jump of the price is held, then approved by a run that finds the account busy."""
    world.put(priced(product, 900_000))
    plan = held_plan(world.night(), market)
    with AccountRun(world.context(), world.accounts()[0], "another"):
        assert approve(world.context(), plan, "Lan", "").exit_code == BUSY
    return plan


def test_an_approved_change_of_an_item_withdrawn_since_is_never_sent(stall: World, market: str) -> None:
    plan = approved_unsent(stall, market, shrimp(1, stall.picture()))

    withdraw(stall.context(), ("TK001",), "lô bị nghi nhiễm", "Lan")

    assert "TK001" not in stall.shown(market)
    assert sent_prices(stall, market) == {250_000}
    assert {c["status"] for c in show(stall.context(), plan)["changes"]} == {"superseded"}


def test_an_approved_change_of_an_item_removed_since_is_never_sent(stall: World, market: str) -> None:
    approved_unsent(stall, market, shrimp(1, stall.picture()))
    stall.remove("TK001")

    stall.night()

    assert "TK001" not in stall.shown(market)
    assert sent_prices(stall, market) == {250_000}


def test_an_approved_change_whose_day_is_over_is_judged_again(stall: World, market: str) -> None:
    ends = replace(shrimp(1, stall.picture()), certificates=(Certificate(star=4, issued_on=date(2023, 12, 1)),))
    stall.put(ends)
    stall.night()
    stall.clock.at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    approved_unsent(stall, market, ends)
    stall.clock.at = datetime(2026, 11, 30, 18, tzinfo=UTC)  # 1 December in Cà Mau

    assert why(stall.night(), market) == ["price-jump"]
    assert sent_prices(stall, market) == {250_000}


def test_an_approved_delist_of_an_item_withdrawn_since_is_sent(stall: World, market: str) -> None:
    stall.remove(*skus(6))
    plan = held_plan(stall.night(), market)
    with AccountRun(stall.context(), stall.accounts()[0], "another"):
        approve(stall.context(), plan, "Lan", "hết mùa")
        withdraw(stall.context(), ("TK001",), "thu hồi", "Lan")

    stall.night()

    assert set(stall.shown(market)) == set(skus(30)) - set(skus(6))
    assert {c["status"] for c in show(stall.context(), plan)["changes"]} == {"acknowledged"}


def test_an_item_withdrawn_before_the_approval_is_never_sent(stall: World, market: str) -> None:
    """The approval comes between another run's putting in order and its sending."""
    stall.put(priced(shrimp(1, stall.picture()), 900_000))
    plan = held_plan(stall.night(), market)
    with AccountRun(stall.context(), stall.accounts()[0], "another") as run:
        run.recover()
        withdraw(stall.context(), ("TK001",), "thu hồi", "Lan")
        approve(stall.context(), plan, "Lan", "")
        run.work()

    assert "TK001" not in stall.shown(market)
    assert sent_prices(stall, market) == {250_000}


def sent_prices(world: World, market: str) -> set[int]:
    """Prices of all that was ever sent of TK001."""
    return {int(row.price) for row in world.outbox(market) if row.sku == "TK001" and row.sent_at and row.price}


def test_what_waits_alone_is_counted_alone(stall: World, market: str) -> None:
    dearer(stall, 1, price=900_000)
    dearer(stall, 2, 3, price=260_000)

    plan = held_plan(stall.night(), market)

    seen = show(stall.context(), plan)
    assert seen["counts"]["update"] == 1
    (change,) = seen["changes"]
    assert (change["old_price"], change["price"]) == (250_000, 900_000)


def test_a_plan_that_was_only_looked_at_is_not_applied_after_another_run(stall: World, market: str) -> None:
    stall.remove(*skus(5))
    with AccountRun(stall.context(), stall.accounts()[0], "looking") as run:
        planned = run.plan()
    assert planned.plan_id is not None
    with meanwhile("run-begin.begin", stall.night), pytest.raises(PlanRefused, match="a newer one took its place"):
        apply(stall.context(), planned.plan_id)

    assert show(stall.context(), planned.plan_id)["status"] == "superseded"
    assert len(stall.shown(market)) == 25


@contextmanager
def meanwhile(point: str, act: Callable[[], object]) -> Iterator[None]:
    """Somebody else does something at the first visit of this point."""
    left = [act]

    def visit(name: str) -> None:
        if name == point and left:
            left.pop()()

    on_visit(visit)
    try:
        yield
    finally:
        on_visit(None)

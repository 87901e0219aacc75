"""What fails every time is set aside and takes nothing with it; what may be there already is not made unasked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import func, select, update

from flows.steps.account import AccountRun
from flows.steps.approve import approve, refuse
from flows.steps.context import Account
from flows.steps.plan import Selection
from flows.steps.withdraw import withdraw
from models.database import writing
from models.ledger import BATCH, PLAN
from models.report import DONE, HELD, PEOPLE, RunReport
from models.timetable import STATE
from models.value import replace
from tests.scenarios.test_doubts import Blind, creates, lose_the_create
from tests.scenarios.world import Inline, World, is_write, part, priced, shrimp

POISON = "TK004"
NIGHTS = 4  # until a poison item is alone and has failed three times


class Poisoned(World):
    """postmart goes silent over every request that holds TK004."""

    mapping = 0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ["postmart"], pool=Inline)
        self.asked = 0
        self.wires["postmart"].before = self._before

    def _before(self, request: httpx.Request) -> None:
        if is_write("postmart", request) and POISON.encode() in request.read():
            self.asked += 1
            raise httpx.ReadTimeout("no answer", request=request)

    def _account(self, name: str, sandbox: Any) -> Account:
        account = super()._account(name, sandbox)
        version = account.connector.mapping_version + self.mapping
        return dataclasses.replace(account, connector=dataclasses.replace(account.connector, mapping_version=version))


@pytest.fixture
def stall(tmp_path: Path) -> Iterator[Poisoned]:
    world = Poisoned(tmp_path)
    world.put(*world.shrimps(20))
    yield world
    world.close()


@pytest.fixture
def aside(stall: Poisoned) -> Poisoned:
    """TK004 has been set aside."""
    for _ in range(NIGHTS):
        stall.night()
    return stall


def others(count: int) -> set[str]:
    return {f"TK{n:03}" for n in range(count)} - {POISON}


def test_P22_a_poison_item_is_set_aside_and_takes_no_other_with_it(aside: Poisoned) -> None:
    report = aside.night()

    assert set(aside.shown("postmart")) == others(20)
    assert aside.state("postmart", POISON).outcome == "quarantined"
    assert part(report, "postmart").counts["quarantined"] == 1
    assert report.exit_code == PEOPLE
    (problem,) = part(report, "postmart").problems
    assert (problem["key"], problem["code"]) == (POISON, "same-failure")
    assert all(aside.state("postmart", sku).outcome == "listed" for sku in others(20))


def test_P22_what_is_set_aside_is_left_alone(aside: Poisoned) -> None:
    asked = aside.asked

    for _ in range(3):
        aside.clock.advance(days=2)
        aside.night()

    assert aside.asked == asked


def test_P22_a_changed_record_is_tried_again(aside: Poisoned) -> None:
    aside.unhook()
    aside.put(shrimp(4, aside.picture(5), price=260_000))

    report = aside.night()

    assert report.exit_code == DONE, report.as_json()
    aside.assert_in_step()


def test_P22_another_record_releases_nothing(aside: Poisoned) -> None:
    aside.put(shrimp(5, aside.picture(6), price=260_000))
    asked = aside.asked

    aside.night()

    assert aside.asked == asked


def test_P22_a_new_mapping_is_tried(aside: Poisoned) -> None:
    aside.unhook()
    aside.mapping = 1

    assert aside.night().exit_code == DONE
    aside.assert_in_step()


@pytest.mark.parametrize("asking", [Selection(skus=(POISON,)), Selection(failed=True), Selection(force=True)])
def test_P22_a_person_may_have_it_tried_at_once(aside: Poisoned, asking: Selection) -> None:
    aside.unhook()

    assert aside.night(asking).exit_code == DONE
    aside.assert_in_step()


def test_P22_what_is_tried_again_and_fails_again_is_set_aside_again(aside: Poisoned) -> None:
    aside.put(shrimp(4, aside.picture(5), price=260_000))

    for _ in range(NIGHTS):
        aside.night()
    asked = aside.asked
    aside.night()

    assert aside.state("postmart", POISON).outcome == "quarantined"
    assert aside.asked == asked
    assert set(aside.shown("postmart")) == others(20)


# --- which changes travel together ----------------------------------------------------------------------------------


@pytest.fixture
def full(tmp_path: Path) -> Iterator[World]:
    """Seventy live listings, of which the newest prices have not been sent."""
    world = World(tmp_path, ["postmart"], pool=Inline)
    world.put(*(shrimp(n, world.picture()) for n in range(70)))
    world.night()
    world.put(*(shrimp(n, world.picture(), price=251_000) for n in range(70)))
    yield world
    world.close()


def remember(world: World, numbers: range, outcome: str, attempts: int) -> None:
    """These went so the last time they were sent."""
    skus = [f"TK{n:03}" for n in numbers]
    with writing(world.database) as db:
        db.execute(update(STATE).where(STATE.c.sku.in_(skus)).values(outcome=outcome, attempts=attempts))


def batches(world: World) -> list[tuple[int, list[str]]]:
    """Priority and SKUs of the batches of a new plan, in the order they are sent."""
    with AccountRun(world.context(), world.accounts()[0], "looking") as run:
        plan = run.plan().plan_id
    with world.database.connect() as db:
        rows = db.execute(select(BATCH).where(BATCH.c.plan_id == plan).order_by(BATCH.c.priority, BATCH.c.number))
        return [(row.priority, [one["key"] for one in msgspec.json.decode(row.changes)]) for row in rows]


def test_P22_a_second_try_travels_in_small_company_and_a_third_alone(full: World) -> None:
    remember(full, range(10), "unknown", 1)
    remember(full, range(10, 13), "unknown", 2)
    remember(full, range(13, 15), "unknown", 7)

    sent = batches(full)

    assert [len(skus) for _, skus in sent[:2]] == [50, 5]
    assert sorted(len(skus) for _, skus in sent[2:]) == [1] * 5 + [4, 6]
    assert {sku for _, skus in sent[2:] for sku in skus} == {f"TK{n:03}" for n in range(15)}
    assert sum(len(skus) for _, skus in sent) == 70


def test_what_was_answered_travels_with_all_others(full: World) -> None:
    """Also what a busy marketplace put off: small batches would only make it busier."""
    for numbers, outcome, attempts in (
        (range(20), "unknown", 0),
        (range(20, 40), "deferred", 2),
        (range(40, 60), "rejected", 5),
    ):
        remember(full, numbers, outcome, attempts)

    assert [len(skus) for _, skus in batches(full)] == [50, 20]


def test_urgency_outlasts_suspicion(full: World) -> None:
    """An empty shelf goes before a new price, however often it went unanswered."""
    full.put(shrimp(3, full.picture(), stock=0), shrimp(4, full.picture(), stock=0))
    remember(full, range(3, 5), "unknown", 3)

    sent = batches(full)

    assert [(priority, len(skus)) for priority, skus in sent] == [(1, 1), (1, 1), (2, 50), (2, 18)]


# --- a create that may have arrived, where nobody can look it up ----------------------------------------------------


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[Blind]:
    """TK000's create went unanswered at a marketplace of class D; TK001 is live."""
    world = Blind(tmp_path, ["voso"], pool=Inline)
    world.put(*world.shrimps(2))
    lose_the_create(world)
    world.night()
    world.night()
    yield world
    world.close()


def assert_in_doubt(world: World, *beside: str) -> None:
    state = world.state("voso", "TK000")
    assert (state.doubt, state.outcome, state.status) == (True, "quarantined", "absent")
    assert [problem["code"] for problem in state.problems] == ["create-unknown", *beside]


@pytest.mark.parametrize("asking", [Selection(failed=True), Selection(force=True), Selection(skus=("TK001",))])
def test_M08_only_the_sku_itself_releases_a_doubtful_create(blind: Blind, asking: Selection) -> None:
    before = creates(blind)

    blind.night(asking)
    blind.night()

    assert creates(blind) == before
    assert_in_doubt(blind)


def test_M08_looking_at_a_plan_releases_no_doubtful_create(blind: Blind) -> None:
    """A person looked at what naming it would do, and did not do it."""
    before = creates(blind)
    with AccountRun(blind.context(), blind.accounts()[0], "looking") as run:
        assert run.plan(Selection(skus=("TK000",))).kinds == {"create": 1}

    blind.night()

    assert creates(blind) == before
    assert_in_doubt(blind)


def test_M08_a_dry_run_leaves_the_doubt(blind: Blind) -> None:
    with AccountRun(blind.context(), blind.accounts()[0], "looking") as run:
        run.plan(Selection(skus=("TK000",)), dry_run=True)

    assert_in_doubt(blind)


def test_M08_a_withdrawal_is_told_beside_the_doubt_and_taking_it_back_makes_nothing(blind: Blind) -> None:
    before = creates(blind)

    withdraw(blind.context(), ("TK000",), "thu hồi", "Lan")
    assert_in_doubt(blind, "withdrawn")
    withdraw(blind.context(), ("TK000",), "nhầm", "Lan", undo=True)

    assert_in_doubt(blind)
    assert creates(blind) == before


def test_M08_a_removed_product_is_told_beside_the_doubt(blind: Blind) -> None:
    blind.remove("TK000")

    report = blind.night()

    assert_in_doubt(blind, "removed")
    assert part(report, "voso").counts["quarantined"] == 1


def hold_it(world: World) -> int:
    """A person names TK000 together with a price that a guard holds."""
    world.put(priced(shrimp(1, world.picture(2)), 400_000))
    report = world.night(Selection(skus=("TK000", "TK001")))
    assert report.exit_code == HELD
    assert world.state("voso", "TK000").outcome == "held"
    (plan,) = part(report, "voso").plans
    return int(plan["id"])


def refused(world: World, plan: int) -> None:
    refuse(world.context(), plan, "Lan", "nhầm giá")


def expired(world: World, plan: int) -> None:
    world.clock.advance(hours=25)


def replaced(world: World, plan: int) -> None:
    world.put(shrimp(1, world.picture(2)))


@pytest.mark.parametrize("end", [refused, expired, replaced])
def test_M08_a_repeat_that_was_held_and_not_sent_leaves_the_doubt(
    blind: Blind, end: Callable[[World, int], None]
) -> None:
    before = creates(blind)
    end(blind, hold_it(blind))

    blind.put(shrimp(0, blind.picture(1), price=255_000))
    blind.night()
    blind.night()

    assert creates(blind) == before
    assert_in_doubt(blind)


def test_M08_a_refused_repeat_keeps_telling_its_doubt(blind: Blind) -> None:
    """Not that somebody refused it: whoever reads of it must look there first."""
    refused(blind, hold_it(blind))

    assert_in_doubt(blind)
    assert blind.state("voso", "TK001").outcome == "refused"


def test_M08_a_repeat_that_is_approved_is_sent_once(blind: Blind) -> None:
    first = next(row.id for row in blind.outbox("voso") if row.status == "quarantined")

    report = approve(blind.context(), hold_it(blind), "Lan", "đã xem trên sàn")

    assert isinstance(report, RunReport)
    assert report.exit_code == DONE, report.as_json()
    assert [row.follows for row in blind.outbox("voso") if row.sku == "TK000"] == [None, first]
    assert set(blind.shown("voso")) == {"TK000", "TK001"}
    assert not blind.state("voso", "TK000").doubt


def test_M08_a_repeat_that_surely_never_arrived_needs_no_second_word(blind: Blind) -> None:
    """The person has looked; that the marketplace was down then changes nothing about it."""

    def before(request: httpx.Request) -> None:
        if request.url.path.endswith("/create"):
            raise httpx.ConnectError("down", request=request)

    blind.wires["voso"].before = before
    blind.night(Selection(skus=("TK000",)))
    blind.unhook()

    report = blind.night()

    assert report.exit_code == DONE, report.as_json()
    assert set(blind.shown("voso")) == {"TK000", "TK001"}


def test_M08_a_repeat_without_an_answer_is_in_doubt_again(blind: Blind) -> None:
    lose_the_create(blind)
    blind.night(Selection(skus=("TK000",)))
    blind.night()
    before = creates(blind)

    blind.put(shrimp(0, blind.picture(1), price=255_000))
    blind.night()

    assert creates(blind) == before
    assert_in_doubt(blind)
    rows = [row for row in blind.outbox("voso") if row.sku == "TK000"]
    assert [row.status for row in rows] == ["quarantined", "quarantined"]
    assert rows[1].follows == rows[0].id


def test_a_night_of_doubts_sends_nothing(blind: Blind) -> None:
    sent = len(blind.wires["voso"].sent)

    blind.put(replace(shrimp(0, blind.picture(1)), name="Tôm khô Rạch Gốc loại một"))
    blind.night()

    with blind.database.connect() as db:
        ready = select(func.count()).select_from(PLAN).where(PLAN.c.status.in_(("ready", "held")))
        assert db.execute(ready).scalar_one() == 0
    assert len(blind.wires["voso"].sent) == sent

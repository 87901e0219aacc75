"""What nobody can know at once: judged only when a read can tell, twice where nothing is there, and never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from connectors.errors import Refused
from connectors.registry import connector
from flows.steps.context import Account
from flows.steps.night import resync
from flows.steps.plan import Selection
from models.database import writing
from models.faultpoint import on_visit
from models.lease import LEASE
from models.ledger import OUTBOX
from models.report import AUTHORISE, BUSY, DONE, PEOPLE, USAGE
from models.tables import AccountRow, core
from models.timetable import STATE
from tests.scenarios.world import (
    Inline,
    Killed,
    World,
    is_write,
    kill_after_a_write,
    lose_answers,
    part,
    priced,
    shrimp,
    stocked,
)


def test_what_a_frozen_run_sent_is_judged_only_when_its_request_can_no_longer_arrive(lone: World, market: str) -> None:
    """Expiry of its lease, a request's deadline, and the time until a read sees a write."""
    lone.put(shrimp(1, lone.picture()))
    kill_after_a_write(lone, market)
    with pytest.raises(Killed):
        lone.night()
    lone.unhook()
    ends = lone.clock.now() + timedelta(seconds=60)
    lone.clock.advance(seconds=61)

    resync(lone.context(patience=0))

    limits = connector(market).limits
    waiting = [row for row in lone.outbox(market) if row.status == "unknown"]
    assert [row.settle_at for row in waiting] == [
        ends + timedelta(seconds=limits.request_seconds + limits.settle_after) for _ in waiting
    ]
    assert waiting
    lone.night()
    lone.night()
    lone.assert_in_step()


class Flapping:
    """A marketplace whose reads show its products only every other time."""

    def __init__(self, world: World) -> None:
        self._state, self.reads = world.sandboxes["voso"].state, 0
        self._hidden: list[tuple[str, list[int]]] = []
        world.wires["voso"].before, world.wires["voso"].after = self._before, self._after

    def _before(self, request: httpx.Request) -> None:
        if not request.url.path.endswith("/product/list"):
            return
        self.reads += 1
        if self.reads % 2:
            with self._state.transaction():
                self._hidden = self._state.items("code")
                for code, _ in self._hidden:
                    self._state.delete("code", code)

    def _after(self, request: httpx.Request) -> None:
        with self._state.transaction():
            for code, numbers in self._hidden:
                self._state.put("code", code, numbers)
        self._hidden = []


def test_M07_one_read_without_the_listing_proves_nothing(tmp_path: Path) -> None:
    """voso takes two products of one code: believing the first look would make the second."""
    world = World(tmp_path, ["voso"], pool=Inline)
    world.put(shrimp(1, world.picture()))
    kill_after_a_write(world, "voso")  # the draft is there, and its answer found nobody
    with pytest.raises(Killed):
        world.night()
    world.unhook()
    world.clock.advance(minutes=5)
    flapping = Flapping(world)

    resync(world.context())
    assert flapping.reads >= 2
    world.unhook()
    world.night()

    assert [one["key"] for one in world.sandboxes["voso"].show()["listings"]] == ["TK001"]
    world.assert_in_step()
    world.close()


class Blind(World):
    """voso, as if it could neither be searched by our code nor took a second create for the first."""

    def _account(self, name: str, sandbox) -> Account:
        account = super()._account(name, sandbox)
        return replace(account, connector=replace(account.connector, safety="D"))


@pytest.fixture
def blind(tmp_path: Path):
    world = Blind(tmp_path, ["voso"], pool=Inline)
    world.put(*world.shrimps(2))
    yield world
    world.close()


def lose_the_create(world: World) -> None:
    """The first create neither arrives nor is answered."""
    left = 1

    def before(request: httpx.Request) -> None:
        nonlocal left
        if left and request.url.path.endswith("/create"):
            left -= 1
            raise httpx.ReadTimeout("no answer", request=request)

    world.wires["voso"].before = before


def creates(world: World) -> int:
    return sum(one.endswith("/create") for one in world.wires["voso"].sent)


def test_M08_a_create_that_nobody_can_look_up_waits_for_a_person(blind: World) -> None:
    lose_the_create(blind)

    blind.night()
    report = blind.night()

    assert creates(blind) == 2
    assert report.exit_code == PEOPLE
    assert part(report, "voso").counts["quarantined"] == 1
    assert [p["code"] for p in part(report, "voso").problems if p["key"] == "TK000"] == ["create-unknown"]
    assert blind.state("voso", "TK000").doubt


@pytest.mark.parametrize("change", [{"price": 260_000}, {"stock": 3}, {"ingredients": "tôm"}])
def test_M08_no_new_price_makes_a_doubtful_create_be_sent_again(blind: World, change: dict) -> None:
    lose_the_create(blind)
    blind.night()
    blind.night()
    before = creates(blind)

    blind.put(shrimp(0, blind.picture(1), **change))
    blind.night()
    blind.clock.advance(days=40)
    report = blind.night()

    assert creates(blind) == before
    assert blind.state("voso", "TK000").doubt
    assert part(report, "voso").counts["quarantined"] == 1


def test_M08_a_person_who_looked_may_have_a_doubtful_create_sent_again(blind: World) -> None:
    lose_the_create(blind)
    blind.night()
    blind.night()
    first = next(row for row in blind.outbox("voso") if row.status == "quarantined")

    blind.night(Selection(skus=("TK000",)))
    blind.night()

    again = next(row for row in blind.outbox("voso") if row.sku == "TK000" and row.id > first.id)
    assert again.follows == first.id
    assert set(blind.shown("voso")) == {"TK000", "TK001"}
    assert not blind.state("voso", "TK000").doubt


def twice_live(world: World, sku: str) -> None:
    """The first create, sent by a run that slept, comes through after all."""
    state = world.sandboxes["voso"].state
    with state.transaction():
        product = next(p for _, p in state.items("product") if p["product_code"] == sku)
        number = state.next_number("product")
        state.put("product", f"{number:012}", product | {"product_id": number})
        state.put("code", sku, [*state.get("code", sku), number])


def overtaken(tmp_path: Path) -> World:
    """A run that froze with a create in its hands, and another that did everything instead."""
    world = World(tmp_path, ["voso"], pool=Inline)
    world.put(*world.shrimps(2))

    def before(request: httpx.Request) -> None:
        if request.url.path.endswith("/create"):
            raise Killed

    world.wires["voso"].before = before
    with pytest.raises(Killed):
        world.night()
    world.unhook()
    world.clock.advance(minutes=5)
    assert world.night().exit_code == DONE
    return world


def test_M08_a_late_second_listing_is_closed_and_told(tmp_path: Path) -> None:
    world = overtaken(tmp_path)
    twice_live(world, "TK000")
    assert len([one for one in world.sandboxes["voso"].show()["listings"] if one["key"] == "TK000"]) == 2

    report = world.night()

    assert [p["code"] for p in part(report, "voso").problems] == ["duplicate-closed"]
    assert set(world.shown("voso")) == {"TK000", "TK001"}
    world.assert_in_step()
    writes = world.writes("voso")
    assert world.night().exit_code == DONE
    assert world.writes("voso") == writes
    world.close()


def test_M08_what_arrived_twice_is_closed_though_its_run_died_before_it_looked(tmp_path: Path) -> None:
    """The next night sends nothing itself, and yet looks after the creates of the one that died."""
    world = World(tmp_path, ["voso"], pool=Inline)
    world.put(*world.shrimps(2))
    with dying_at("sweep.begin"), pytest.raises(Killed):
        world.night()
    twice_live(world, "TK000")
    world.clock.advance(minutes=5)

    report = world.night()

    assert [p["code"] for p in part(report, "voso").problems] == ["duplicate-closed"]
    assert set(world.shown("voso")) == {"TK000", "TK001"}
    asked = world.sandboxes["voso"].show()["requests"]
    assert world.night().exit_code == DONE
    assert world.sandboxes["voso"].show()["requests"] == asked  # once they were looked after, nobody looks again
    world.close()


def with_a_second_article(folder: Path) -> tuple[World, str]:
    """Zalo shows TK000 twice, as the network may make it; and the id of the one that we know."""
    world = World(folder, ["zalo"], pool=Inline)
    world.put(*world.shrimps(1))
    with dying_at("sweep.begin"), pytest.raises(Killed):
        world.night()
    known, state = world.state("zalo", "TK000").remote_id, world.sandboxes["zalo"].state
    with state.transaction():
        state.put("article", "99999999", state.get("article", known))
    world.clock.advance(minutes=5)
    return world, known


def test_M08_the_listing_we_know_keeps_its_id_while_a_second_one_is_being_closed(tmp_path: Path) -> None:
    """Closing is answered later: until then nothing may take the id of what is closed for that of what stays."""
    world, known = with_a_second_article(tmp_path)

    report = world.night()
    world.night()

    assert [p["code"] for p in part(report, "zalo").problems if p["code"].startswith("dup")] == ["duplicate-closed"]
    assert world.state("zalo", "TK000").remote_id == known
    assert world.shown("zalo")["TK000"]["remote_id"] == known
    world.close()


@pytest.mark.parametrize("point", ["", "send.begin", "send.end"])
def test_M08_a_closing_that_did_not_happen_is_made_again(tmp_path: Path, point: str) -> None:
    """Its request was lost on the way, or its run ended before it could be sent."""
    world, known = with_a_second_article(tmp_path)
    lost = []

    def lose(request: httpx.Request) -> None:
        if request.url.path.endswith("/update") and not lost:
            lost.append(request)
            raise httpx.ReadTimeout("lost", request=request)

    if point:
        with dying_at(point), pytest.raises(Killed):
            world.night()
    else:
        world.wires["zalo"].before = lose
        world.night()
    for _ in range(3):
        world.clock.advance(minutes=5)
        world.night()

    assert bool(lost) is not bool(point)
    assert world.shown("zalo")["TK000"]["remote_id"] == known
    world.close()


@contextmanager
def dying_at(point: str) -> Iterator[None]:
    def visit(name: str) -> None:
        if name == point:
            raise Killed

    on_visit(visit)
    try:
        yield
    finally:
        on_visit(None)


def test_M08_a_late_listing_of_what_was_removed_meanwhile_is_closed(tmp_path: Path) -> None:
    world = overtaken(tmp_path)
    world.remove("TK000")
    world.night()
    twice_live(world, "TK000")
    world.hide_by_hand("voso", "TK000", hidden=True)
    late = max(world.sandboxes["voso"].state.items("product"))
    with world.sandboxes["voso"].state.transaction():
        world.sandboxes["voso"].state.put("product", late[0], late[1] | {"hidden": False})
    assert "TK000" in world.shown("voso")

    report = world.night()

    assert [p["code"] for p in part(report, "voso").problems if p["code"].startswith("dup")] == ["duplicate-closed"]
    assert set(world.shown("voso")) == {"TK001"}
    world.close()


def test_M08_a_second_listing_that_is_not_surely_ours_is_only_told(tmp_path: Path) -> None:
    world = overtaken(tmp_path)
    twice_live(world, "TK000")
    world.edit_by_hand("voso", "TK000", 111_000)  # the first of the two: not what we sent

    writes = world.writes("voso")
    state = world.state("voso", "TK000")
    with writing(world.database) as db:
        late = max(int(one["remote_id"]) for one in world.sandboxes["voso"].show()["listings"])
        db.execute(update(STATE).where(STATE.c.id == state.id).values(remote_id=str(late)))
        db.execute(update(OUTBOX).values(remote_id=str(late)))
    report = world.night()

    assert report.exit_code == PEOPLE
    assert [p["code"] for p in part(report, "voso").problems] == ["duplicate"]
    assert world.writes("voso") == writes
    world.close()


def test_M06_a_job_that_never_ends_is_looked_up_after_a_day(tmp_path: Path) -> None:
    world = World(tmp_path, ["postmart"], pool=Inline)
    world.put(shrimp(1, world.picture()))
    state = world.sandboxes["postmart"].state

    def lose_the_job(request: httpx.Request) -> None:
        with state.transaction():
            for job, _ in state.items("waiting"):
                state.delete("waiting", job)

    world.wires["postmart"].after = lose_the_job
    world.night()
    world.unhook()
    assert world.outbox("postmart")[-1].status == "accepted"
    world.clock.advance(hours=25)

    world.night()

    assert "answer-overdue" in world.ledger("postmart", "TK001")
    assert set(world.shown("postmart")) == {"TK001"}
    world.close()


def test_P13_a_clock_that_is_set_during_a_run_ends_it(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))

    def after(request: httpx.Request) -> None:
        if is_write(market, request):
            lone.wires[market].after = lambda request: None
            lone.clock.at += timedelta(hours=1)  # the wall clock alone

    lone.wires[market].after = after

    report = lone.night()

    assert report.exit_code == USAGE
    assert [p["code"] for p in part(report, market).problems] == ["clock-jumped"]
    lone.clock.advance(hours=2)
    lone.night()
    lone.night()
    lone.assert_in_step()


def test_P13_a_clock_set_back_holds_nobody_up_for_good(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(2))
    lone.clock.at -= timedelta(hours=1)

    assert lone.night().exit_code == DONE
    lone.clock.advance(hours=1)
    assert lone.night().exit_code == DONE
    lone.assert_in_step()


def crash(world: World, market: str) -> None:
    kill_after_a_write(world, market)
    with pytest.raises(Killed):
        world.night()
    world.unhook()


def test_P23_a_crash_loop_waits_longer_each_time_and_says_so(lone: World, market: str) -> None:
    products = lone.shrimps(1)
    for number in range(4):
        lone.put(*(stocked(p, 30 + number) for p in products))
        crash(lone, market)
        lone.clock.advance(minutes=2)
    asked = len(lone.wires[market].sent)
    with writing(lone.database) as db:
        db.execute(update(LEASE).values(expires_at=lone.clock.now()))

    report = resync(lone.context())

    assert report.exit_code == BUSY
    assert [p["code"] for p in part(report, market).problems] == ["holding-off"]
    assert len(lone.wires[market].sent) == asked
    lone.clock.advance(minutes=10)
    lone.night()
    lone.night()
    lone.assert_in_step()


def test_M22_credentials_of_another_shop_send_nothing(lone: World, market: str) -> None:
    with writing(lone.database) as db:
        db.execute(update(core(AccountRow)).values(seller="cua-hang-khac"))
    lone.put(*lone.shrimps(1))
    known = replace(lone.accounts()[0], seller="cua-hang-khac")

    report = resync(lone.context(accounts=lambda: [known]))

    assert report.exit_code == AUTHORISE
    assert [p["code"] for p in part(report, market).problems] == ["wrong-shop"]
    assert lone.writes(market) == 0


def test_a_batch_refused_for_one_item_arrives_without_it(tmp_path: Path) -> None:
    """Halves of halves, until what is refused stands alone."""
    world = Picky(tmp_path, ["postmart"], pool=Inline)
    world.put(*world.shrimps(9))

    report = world.night()

    assert set(world.shown("postmart")) == {f"TK{n:03}" for n in range(9)} - {"TK004"}
    assert part(report, "postmart").counts["rejected"] == 1
    assert world.state("postmart", "TK004").outcome == "rejected"
    world.close()


class Picky(World):
    """A marketplace that refuses a whole batch for TK004's sake."""

    def _account(self, name: str, sandbox) -> Account:
        account = super()._account(name, sandbox)

        def client(session):
            real = account.connector.client(session)
            push = real.push

            def picky(changes):
                if any(change.key == "TK004" for change in changes):
                    raise Refused("BAD_BATCH", "một mặt hàng sai")
                return push(changes)

            real.push = picky
            return real

        return replace(account, connector=replace(account.connector, client=client))


def test_an_update_without_answer_leaves_what_people_edited_beside_it_alone(lone: World, market: str) -> None:
    """The stock was ours to change; the price that somebody set there meanwhile is for reconcile to report."""
    product = shrimp(1, lone.picture())
    lone.put(product)
    lone.night()
    lone.put(stocked(product, 3))
    lose_answers(lone, market, 1)
    resync(lone.context(patience=0))
    lone.unhook()
    lone.edit_by_hand(market, "TK001", 199_000)

    lone.night()
    lone.night()

    assert lone.shown(market)["TK001"]["price"] == 199_000
    assert lone.shown(market)["TK001"]["stock"] == 3


@pytest.mark.parametrize("market", ["madeincamau", "postmart"])
def test_M14_an_update_of_a_listing_that_was_deleted_there_asks_a_person(tmp_path: Path, market: str) -> None:
    world = World(tmp_path, [market], pool=Inline)
    product = shrimp(1, world.picture())
    world.put(product)
    world.night()
    world.put(priced(product, 260_000))
    kill_before_a_write(world, market)
    with pytest.raises(Killed):
        world.night()
    world.unhook()
    world.delete_by_hand(market, "TK001")
    world.clock.advance(minutes=5)

    report = world.night()

    assert world.shown(market) == {}
    assert [p["code"] for p in part(report, market).problems] == ["listing-gone"]
    world.close()


def kill_before_a_write(world: World, market: str) -> None:
    def before(request: httpx.Request) -> None:
        if is_write(market, request):
            raise Killed

    world.wires[market].before = before


@pytest.fixture
def stall(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, ["voso"], pool=Inline)
    world.put(*world.shrimps(4))
    yield world
    world.close()


def misspell(world: World, sku: str, price: object) -> None:
    world._tamper("voso", sku, {"voso": ("price",)}, price)


def lose_creates(world: World, odd: set[str]) -> None:
    """Every create is carried out and not answered; odd ones are shown with a price that is no number."""

    def after(request: httpx.Request) -> None:
        if request.url.path.endswith("/product/create"):
            for sku in odd & {key for key, _ in world.sandboxes["voso"].state.items("code")}:
                misspell(world, sku, "rẻ")
            raise httpx.ReadTimeout("no answer", request=request)

    world.wires["voso"].after = after


def unknown(world: World) -> list[str]:
    return [row.sku for row in world.outbox("voso") if row.status == "unknown"]


def test_a_listing_that_cannot_be_read_keeps_only_itself_waiting(stall: World) -> None:
    lose_creates(stall, {"TK001"})
    stall.night()
    stall.unhook()
    assert "TK001" in unknown(stall)
    stall.clock.advance(hours=1)

    report = part(stall.night(), "voso")

    assert unknown(stall) == ["TK001"]
    assert {stall.state("voso", sku).outcome for sku in ("TK000", "TK002", "TK003")} == {"listed"}
    assert "other-shape" in {problem["code"] for problem in report.problems}
    misspell(stall, "TK001", 250_000)
    stall.clock.advance(hours=1)
    stall.night()
    stall.assert_in_step()


def test_a_marketplace_that_cannot_be_read_at_all_stops_the_account(stall: World) -> None:
    lose_creates(stall, {"TK000", "TK001", "TK002", "TK003"})
    stall.night()
    stall.unhook()
    assert len(unknown(stall)) == 4
    stall.clock.advance(hours=1)
    sent = stall.writes("voso")

    report = part(stall.night(), "voso")

    assert report.status == "failed"
    assert stall.writes("voso") == sent

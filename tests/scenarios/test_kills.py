"""A run that is killed anywhere is carried on by the next one: nothing is lost, nothing is there twice."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from flows.steps.night import resync
from models.database import writing
from models.lease import LEASE
from models.report import DONE
from models.value import replace
from tests.scenarios.world import MARKETPLACES, HandClock, Inline, Killed, World, kill_after_a_write, shrimp

Trap = Callable[[World, str, int], None]


def before_a_request(world: World, market: str, nth: int) -> None:
    world.wires[market].before = _dying(nth)


def after_a_request(world: World, market: str, nth: int) -> None:
    """The marketplace has done it, the answer is on its way."""
    world.wires[market].after = _dying(nth)


def before_a_commit(world: World, market: str, nth: int) -> None:
    world.kill_at_commit(nth)


def _dying(nth: int) -> Callable[[httpx.Request], None]:
    left = nth

    def die(request: httpx.Request) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Killed

    return die


def half_done(world: World) -> None:
    """Work of every kind: one to create, one to update, one to take down."""
    first = shrimp(0, world.picture(1), price=260_000)
    world.put(replace(first, name="Tôm khô Rạch Gốc loại 1"), shrimp(3, world.picture(4)))
    world.remove("TK001")


@pytest.fixture(scope="module", params=MARKETPLACES)
def settled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, HandClock]:
    """A world after its first night, as a folder to be copied."""
    market = str(request.param)
    folder = tmp_path_factory.mktemp(market)
    world = World(folder, [market], pool=Inline, kept=True)
    world.put(*world.shrimps(3))
    world.night()
    half_done(world)
    world.close()
    return market, folder, world.clock


def copies(settled: tuple[str, Path, HandClock], place: Path, step: int) -> Iterator[tuple[int, World]]:
    """A fresh copy for each point at which a run may be killed, until the caller stops."""
    market, folder, clock = settled
    for nth in range(1, 200, step):
        here = place / str(nth)
        shutil.copytree(folder, here)
        world = World(here, [market], pool=Inline, kept=True, clock=HandClock(clock.at))
        yield nth, world
        world.close()


@pytest.mark.parametrize(("trap", "step"), [(before_a_request, 1), (after_a_request, 1), (before_a_commit, 2)])
def test_P03_killed_anywhere_the_next_run_puts_it_right(settled, trap: Trap, step: int, tmp_path: Path) -> None:
    market = settled[0]
    points = 0
    for nth, world in copies(settled, tmp_path, step):
        trap(world, market, nth)
        try:
            world.night()
        except Killed:
            points += 1
        else:
            break
        world.unhook()
        world.clock.advance(minutes=2)  # beyond the dead run's lease

        report = world.night()

        assert report.exit_code == DONE, (nth, report.as_json())
        assert len(world.sandboxes[market].show()["listings"]) == 4, nth  # each SKU once, the hidden one included
        assert all(row.done_at for row in world.outbox(market)), nth
        world.assert_in_step()
    assert points > 5


def test_P04_a_dead_process_of_this_machine_keeps_nobody_waiting(tmp_path: Path, market: str) -> None:
    """Its lease is taken at once; what it sent is judged only when a read surely sees it."""
    world = World(tmp_path, [market], pool=Inline)
    world.put(*world.shrimps(3))
    kill_after_a_write(world, market)
    with pytest.raises(Killed):
        world.night()
    world.unhook()
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    with writing(world.database) as db:
        db.execute(update(LEASE).values(holder=f"{socket.gethostname()}/{int(ended.stdout)}"))

    report = resync(world.context())

    assert report.exit_code == DONE, report.as_json()
    assert len(world.sandboxes[market].show()["listings"]) == 3
    made = [one for one in world.wires[market].sent if one.endswith(("/batches", "/create"))]
    assert len(made) == {"madeincamau": 0, "postmart": 1, "voso": 3}[market]
    world.assert_in_step()
    world.close()


def test_P05_a_run_killed_between_draft_and_submission_leaves_no_second_product(tmp_path: Path) -> None:
    """voso takes two products of one code without a word: the draft that lies there is gone on from."""
    world = World(tmp_path, ["voso"], pool=Inline)
    world.put(*world.shrimps(2))

    def before(request: httpx.Request) -> None:
        if request.url.path.endswith("/submit"):
            raise Killed

    world.wires["voso"].before = before
    with pytest.raises(Killed):
        world.night()
    world.unhook()
    world.clock.advance(minutes=2)

    world.night()

    created = [one for one in world.wires["voso"].sent if one.endswith("/create")]
    assert len(created) == 2
    assert len(world.sandboxes["voso"].show()["listings"]) == 2
    world.assert_in_step()
    world.close()


def test_what_a_killed_run_left_open_is_told(lone: World, market: str) -> None:
    lone.put(shrimp(1, lone.picture()))
    kill_after_a_write(lone, market)
    with pytest.raises(Killed):
        lone.night()
    lone.unhook()
    lone.clock.advance(minutes=2)

    lone.night()

    assert "overtaken" in lone.ledger(market, "TK001")
    assert lone.ledger(market, "TK001")[-1] == "acknowledged"

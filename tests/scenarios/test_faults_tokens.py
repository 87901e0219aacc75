"""An access token that ends in the middle of a night: one new one for everybody, and only refused calls again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from flows.steps.night import resync
from flows.steps.tokens import forget
from models.database import writing
from models.report import AUTHORISE, BUSY, DONE
from tests.scenarios.world import Inline, Killed, World, is_write, part

TOKEN = {"madeincamau": "/oauth/token", "voso": "/v2/user/ownerconnect"}


def tokens_end_at(world: World, market: str, nth: int) -> None:
    """Right before the nth write the marketplace forgets every token it gave out."""
    left, lock = nth, threading.Lock()

    def before(request: httpx.Request) -> None:
        nonlocal left
        with lock:
            left -= is_write(market, request)
            if left == 0 and is_write(market, request):
                state = world.sandboxes[market].state
                with state.transaction():
                    for token, _ in state.items("token"):
                        state.delete("token", token)

    world.wires[market].before = before


def asked_for_tokens(world: World, market: str) -> int:
    return sum(one.endswith(TOKEN[market]) for one in world.wires[market].sent)


def refused(world: World, market: str) -> int:
    return int(world.sandboxes[market].show()["requests"]["refused"])


@pytest.mark.parametrize("nth", [1, 3, 5])
@pytest.mark.parametrize("market", sorted(TOKEN))
def test_M09_a_token_that_ends_mid_batch_is_renewed_once_and_only_the_refused_call_repeated(
    tmp_path: Path, market: str, nth: int
) -> None:
    world = World(tmp_path, [market], pool=Inline)
    world.put(*world.shrimps(6))
    tokens_end_at(world, market, nth)

    report = world.night()

    assert report.exit_code == DONE, report.as_json()
    assert part(report, market).counts["created"] == 6
    assert len(world.sandboxes[market].show()["listings"]) == 6
    assert asked_for_tokens(world, market) == 2
    assert refused(world, market) == 1
    world.assert_in_step()
    world.close()


@pytest.mark.parametrize("market", sorted(TOKEN))
def test_M09_threads_whose_token_ends_together_fetch_one(tmp_path: Path, market: str) -> None:
    world = World(tmp_path, [market], pool=ThreadPoolExecutor)
    world.put(*world.shrimps(24))
    tokens_end_at(world, market, 10)

    report = world.night()

    assert report.exit_code == DONE, report.as_json()
    assert asked_for_tokens(world, market) == 2
    assert 1 <= refused(world, market) <= 8  # those that were on their way at that moment
    assert len(world.sandboxes[market].show()["listings"]) == 24
    world.assert_in_step()
    world.close()


REFRESH = "/lazada/rest/auth/token/refresh"


def abroad(folder: Path, pool: type[Executor] = Inline) -> World:
    """Six products on Lazada, whose access token is at its end."""
    world = World(folder, ["lazada"], pool=pool)
    world.put(*world.shrimps(6))
    far = world.sandboxes["lazada"]
    with far.state.transaction():
        far.marketplace.expire()
    return world


def renewals(world: World) -> int:
    return world.wires["lazada"].sent.count(f"POST {REFRESH}")


def on(path: str, do: Callable[[], object]) -> Callable[[httpx.Request], None]:
    """Does it once, at the first request of that path."""
    waiting = [do]

    def seen(request: httpx.Request) -> None:
        if request.url.path == path and waiting:
            waiting.pop()()

    return seen


@pytest.mark.parametrize("pool", [Inline, ThreadPoolExecutor])
def test_M10_a_refresh_token_that_works_once_is_used_once_by_all_threads(tmp_path: Path, pool: type[Executor]) -> None:
    world = abroad(tmp_path, pool)

    report = world.night()

    assert report.exit_code == DONE, report.as_json()
    assert renewals(world) == 1
    world.assert_in_step()
    world.close()


def test_M10_who_comes_during_a_renewal_finds_the_account_busy_and_asks_for_nothing(tmp_path: Path) -> None:
    world, other = abroad(tmp_path), []
    world.wires["lazada"].before = on(REFRESH, lambda: other.append(resync(world.context())))

    report = world.night()

    assert (report.exit_code, other[0].exit_code) == (DONE, BUSY)
    assert renewals(world) == 1
    world.assert_in_step()
    world.close()


def test_M10_who_slept_past_its_lease_asks_for_no_token_any_more(tmp_path: Path) -> None:
    """It was refused, fell asleep, and another run renewed the tokens meanwhile."""
    world, other = abroad(tmp_path), []

    def sleep() -> None:
        world.clock.advance(minutes=5)
        other.append(world.night())

    world.wires["lazada"].after = on("/lazada/rest/products/get", sleep)

    report = world.night()

    assert other[0].exit_code == DONE, other[0].as_json()
    assert part(report, "lazada").status == "failed"
    assert renewals(world) == 1
    world.assert_in_step()
    world.close()


def test_M11_a_pair_that_was_kept_is_the_one_after_a_crash(tmp_path: Path) -> None:
    world = abroad(tmp_path)
    world.wires["lazada"].after = on(REFRESH, lambda: world.kill_at_commit(2))
    with pytest.raises(Killed):
        world.night()
    world.unhook()
    world.clock.advance(minutes=5)

    report = world.night()

    assert report.exit_code == DONE, report.as_json()
    assert renewals(world) == 1
    world.assert_in_step()
    world.close()


def test_M11_a_pair_lost_in_a_crash_asks_a_person_and_knocks_no_more_than_it_must(tmp_path: Path) -> None:
    world = abroad(tmp_path)
    world.wires["lazada"].after = on(REFRESH, lambda: world.kill_at_commit(1))
    with pytest.raises(Killed):
        world.night()
    world.unhook()
    world.clock.advance(minutes=5)
    world.wires["lazada"].sent.clear()

    report = world.night()

    assert report.exit_code == AUTHORISE
    assert part(report, "lazada").problems[0]["code"] == "IllegalRefreshToken"
    assert renewals(world) == 1
    assert len(world.wires["lazada"].sent) == 2
    authorise_again(world)
    assert world.night().exit_code == DONE
    world.assert_in_step()
    world.close()


def authorise_again(world: World) -> None:
    """The shop's owner gives the app new tokens, and somebody enters them."""
    state = world.sandboxes["lazada"].state
    with state.transaction():
        for kind in ("token", "refresh"):
            for key, _ in state.items(kind):
                state.delete(kind, key)
    with writing(world.database) as db:
        forget(db, "lazada")


@pytest.mark.parametrize(("days", "warned"), [(6.5, True), (0.5, True), (7.5, False)])
def test_an_authorisation_that_ends_within_a_week_is_told_of(tmp_path: Path, days: float, warned: bool) -> None:
    world = abroad(tmp_path)
    world.sandboxes["lazada"].marketplace.refresh_seconds = int(days * 86_400)

    report = world.night()

    told = [p for p in part(report, "lazada").problems if p["code"] == "token-ends"]
    assert bool(told) is warned
    assert all(f"còn {int(days)} ngày" in p["message"].vi and "lazada" in p["next_step"].vi for p in told)
    assert report.exit_code == DONE
    world.close()


def test_tokens_lie_encrypted(tmp_path: Path) -> None:
    world = abroad(tmp_path)
    world.night()
    state = world.sandboxes["lazada"].state
    with state.transaction():
        secret = state.get("refresh", "latest")
    world.close()

    assert secret
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

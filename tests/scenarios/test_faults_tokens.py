"""An access token that ends in the middle of a night: one new one for everybody, and only refused calls again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from models.report import DONE
from tests.scenarios.world import Inline, World, is_write, part

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

"""What a marketplace accepted and never ends, loses, or keeps under lock: waited for, looked up, not sent again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.report import DONE
from tests.scenarios.retold import Retold, body_of, envelope
from tests.scenarios.world import Inline, World, is_write, part, priced, shrimp

HOUR = 3_600.0
AGES = 10.0**9  # seconds; nobody waits that long
REVIEWED = ["madeincamau", "voso"]


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[World]:
    """postmart, which has accepted a batch of three and needs an hour for it."""
    world = World(tmp_path, ["postmart"], pool=Inline)
    world.sandboxes["postmart"].marketplace.processing_seconds = HOUR
    world.put(*world.shrimps(3))
    accepted = world.night()
    assert part(accepted, "postmart").counts["accepted"] == 3
    yield world
    world.close()


def written(world: World, market: str, since: int = 0) -> list[str]:
    """Batches, products and prices that were sent, as the wire saw them."""
    sent = world.wires[market].sent[since:]
    return [one for one in sent if is_write(market, httpx.Request(one.split()[0], f"https://x{one.split()[1]}"))]


def forget_batches(world: World, *, applied: bool) -> None:
    """The marketplace knows no batch any more; what was in it has been done, or will never be."""
    sandbox = world.sandboxes["postmart"]
    if applied:
        world.clock.advance(hours=2)
        sandbox.show()
    with sandbox.state.transaction():
        for kind in ("batch", "waiting"):
            for key, _ in sandbox.state.items(kind):
                sandbox.state.delete(kind, key)


# --- jobs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("applied", [True, False])
def test_M06_a_job_whose_handle_is_lost_is_looked_up(slow: World, *, applied: bool) -> None:
    forget_batches(slow, applied=applied)
    slow.sandboxes["postmart"].marketplace.processing_seconds = 0.2
    before = len(slow.wires["postmart"].sent)

    slow.night()
    report = slow.night()

    assert report.exit_code == DONE, report.as_json()
    assert len(written(slow, "postmart", before)) == (0 if applied else 1)
    assert all(row.done_at for row in slow.outbox("postmart"))
    slow.assert_in_step()


def test_M06_a_job_that_ended_without_its_results_is_looked_up(slow: World) -> None:
    def told(request: httpx.Request, answer: Any) -> Any:
        return answer | {"results": []} if "results" in answer else answer

    Retold(slow, "postmart").told = told
    slow.clock.advance(hours=2)

    slow.night()
    report = slow.night()

    assert report.exit_code == DONE, report.as_json()
    assert written(slow, "postmart") == []
    assert slow.ledger("postmart", "TK001")[-1] == "acknowledged"
    slow.assert_in_step()


def test_M06_a_job_that_never_ends_is_a_doubt_in_the_end(slow: World) -> None:
    """After its deadline it is looked up like any doubt, and somebody is told: it is not asked about for ever."""
    slow.sandboxes["postmart"].marketplace.processing_seconds = AGES

    for _ in range(8):
        slow.clock.advance(hours=24)
        slow.night()

    first = slow.outbox("postmart")[0]
    assert first.status != "accepted"
    assert "looked-up-absent" in slow.ledger("postmart", "TK000")


def test_M06_what_a_lost_job_left_undone_arrives_once(slow: World) -> None:
    """The marketplace woke up after all: the old batch and the new one are of one listing."""
    slow.sandboxes["postmart"].marketplace.processing_seconds = AGES
    for _ in range(8):
        slow.clock.advance(hours=24)
        slow.night()
    slow.sandboxes["postmart"].marketplace.processing_seconds = 0.2

    for _ in range(2):
        slow.night()

    assert slow.night().exit_code == DONE
    assert len(slow.sandboxes["postmart"].show()["listings"]) == 3
    slow.assert_in_step()


# --- under review, locked, banned -------------------------------------------------------------------------------------


@pytest.mark.parametrize("market", REVIEWED, indirect=True)
def test_M20_a_review_of_ten_days_is_waited_for_and_nothing_sent_meanwhile(lone: World, market: str) -> None:
    lone.sandboxes[market].marketplace.review_seconds = 10 * 24 * HOUR
    lone.put(*lone.shrimps(3))
    lone.night()
    lone.put(priced(shrimp(1, lone.picture(2)), 260_000))
    before = len(lone.wires[market].sent)

    for _ in range(9):
        lone.clock.advance(hours=24)
        waiting = lone.night()
    sent = written(lone, market, before)
    lone.sandboxes[market].marketplace.review_seconds = 0.3
    lone.clock.advance(hours=48)
    lone.night()
    report = lone.night()

    assert sent == []
    assert part(waiting, market).counts["accepted"] == 3
    assert report.exit_code == DONE, report.as_json()
    assert lone.shown(market)["TK001"]["price"] == 260_000
    lone.assert_in_step()


def lock(world: World, sku: str) -> list[str]:
    """A campaign at voso forbids every change of this listing; gives the attempts that are made all the same."""
    wire, tries = Retold(world, "voso"), []

    def instead(request: httpx.Request) -> httpx.Response | None:
        if not is_write("voso", request) or body_of(request)["product_code"] != sku:
            return None
        tries.append(request.url.path)
        return envelope(205, "Sản phẩm đang trong chương trình, không sửa được")

    wire.instead = instead
    return tries


@pytest.mark.parametrize("market", ["voso"], indirect=True)
def test_M20_a_locked_listing_is_asked_for_once_a_night_and_mended_when_the_lock_ends(lone: World, market: str) -> None:
    """Four nights of a campaign; the other listings are none of its business."""
    lone.put(*lone.shrimps(3))
    lone.night()
    tries = lock(lone, "TK001")
    lone.put(*(priced(product, 260_000) for product in lone.shrimps(3)))

    a_night = []
    for _ in range(4):
        before = len(tries)
        locked = lone.night()
        a_night.append(len(tries) - before)
        lone.clock.advance(hours=24)
    others = {sku: one["price"] for sku, one in lone.shown(market).items()}
    Retold(lone, market)
    lone.night()
    report = lone.night()

    assert others == {"TK000": 260_000, "TK001": 250_000, "TK002": 260_000}
    assert [p["key"] for p in part(locked, market).problems] == ["TK001"]
    assert a_night == [1, 1, 1, 1]
    assert report.exit_code == DONE, report.as_json()
    lone.assert_in_step()


@pytest.mark.parametrize("market", REVIEWED, indirect=True)
def test_M20_a_banned_listing_rests_with_the_marketplaces_words(lone: World, market: str) -> None:
    """A moderator takes down what was live: that is told when it is read back, and not sent again unasked."""
    lone.put(*lone.shrimps(3))
    lone.night()
    ban(lone, market, "TK001")
    writes = lone.writes(market)

    told = lone.reconcile()
    for _ in range(3):
        lone.clock.advance(hours=24)
        lone.night()

    assert [p["key"] for p in part(told, market).problems] == ["TK001"]
    assert lone.writes(market) == writes
    assert set(lone.shown(market)) == {"TK000", "TK002"}


def ban(world: World, market: str, sku: str) -> None:
    """As a moderator does it: the words of the listing are against the rules."""
    if market == "madeincamau":
        world._tamper(market, sku, {market: ("fields", "description")}, "Gọi 0912 345 678 để đặt hàng.")
        return
    world._tamper(market, sku, {market: ("status",)}, "Từ chối")
    world._tamper(market, sku, {market: ("reason",)}, "Hàng bị khóa")

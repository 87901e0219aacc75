"""A marketplace that keeps to its own version of what we send: tried twice, then told, never in a loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from flows.steps.approve import approve
from models.report import DONE, PEOPLE, RunReport
from tests.scenarios.world import World, part, priced, shrimp

ODD, ROUND = 250_500, 250_000


@pytest.fixture
def stall(lone: World, market: str) -> World:
    """Prices are rounded down to whole thousands there, whatever was sent."""
    lone.policies[market] = replace(lone.policies[market], drift={"price": "heal"})
    lone.put(priced(shrimp(1, lone.picture()), ODD), shrimp(2, lone.picture()))
    lone.wires[market].after = rounding(lone, market)
    lone.night()
    return lone


def rounding(world: World, market: str) -> Callable[[httpx.Request], None]:
    def after(request: httpx.Request) -> None:
        price = world.shown(market).get("TK001", {"price": ROUND})["price"]
        if price % 1_000:
            world.edit_by_hand(market, "TK001", price - price % 1_000)

    return after


def codes(report: RunReport, market: str) -> list[tuple[str, str]]:
    problems = [p for p in part(report, market).problems if p["code"].startswith("drift")]
    return [(p["key"], p["code"].removeprefix("drift-")) for p in problems]


def sent(world: World, market: str) -> int:
    return len([row for row in world.outbox(market) if (row.sku, row.kind) == ("TK001", "update")])


def test_M18_a_rewritten_field_is_sent_twice_more_and_then_told(stall: World, market: str) -> None:
    reports = [stall.reconcile() for _ in range(5)]

    kinds = [codes(report, market) for report in reports]
    assert kinds == [[("TK001", "edited")]] * 2 + [[("TK001", "rewritten")]] * 3
    assert [report.exit_code for report in reports] == [DONE, DONE, PEOPLE, PEOPLE, PEOPLE]
    assert sent(stall, market) == 2
    told = part(reports[-1], market).problems[-1]
    assert "250.500 ₫ bên mình, 250.000 ₫ trên sàn" in told["message"].vi


def test_M18_not_even_a_person_s_heal_sends_it_a_third_time(stall: World, market: str) -> None:
    for _ in range(4):
        stall.reconcile(heal=True)

    assert sent(stall, market) == 2


def test_M18_nights_between_send_nothing(stall: World, market: str) -> None:
    for _ in range(4):
        stall.reconcile()
        stall.night()
        stall.night()

    assert sent(stall, market) == 2


def test_M18_a_new_record_is_sent_and_may_be_tried_anew(stall: World, market: str) -> None:
    for _ in range(3):
        stall.reconcile()
    stall.put(priced(shrimp(1, stall.picture()), 260_700))
    stall.night()
    before = sent(stall, market)

    kinds = [codes(stall.reconcile(), market) for _ in range(3)]

    assert kinds == [[("TK001", "edited")], [("TK001", "edited")], [("TK001", "rewritten")]]
    assert sent(stall, market) - before == 2


def test_M18_a_record_made_to_fit_ends_it(stall: World, market: str) -> None:
    for _ in range(3):
        stall.reconcile()
    stall.put(priced(shrimp(1, stall.picture()), ROUND))
    stall.night()

    assert codes(stall.reconcile(), market) == []
    stall.assert_in_step()


def test_M18_edits_by_people_do_not_add_up(stall: World, market: str) -> None:
    """Each of them was healed and seen to be: the next one is another story."""
    stall.wires[market].after = lambda request: None
    stall.put(priced(shrimp(1, stall.picture()), ROUND))
    stall.night()

    for price in (240_000, 241_000, 242_000, 243_000):
        stall.edit_by_hand(market, "TK001", price)
        assert codes(stall.reconcile(), market) == [("TK001", "edited")]
        assert codes(stall.reconcile(), market) == []
    stall.assert_in_step()


def test_M18_a_heal_that_waits_for_approval_is_no_try(stall: World, market: str) -> None:
    """More than threefold: held, expired, held again. Nothing was sent, so nothing was rewritten."""
    stall.wires[market].after = lambda request: None
    stall.edit_by_hand(market, "TK002", 25_000)

    for _ in range(4):
        stall.reconcile()
        stall.clock.advance(hours=25)
        stall.night()
    report = stall.reconcile()

    assert "rewritten" not in {kind for _, kind in codes(report, market)}
    assert stall.shown(market)["TK002"]["price"] == 25_000


def test_M18_a_heal_that_was_approved_late_counts_once(stall: World, market: str) -> None:
    """Held over a reconcile, let through, rounded: then one more try, not two."""
    stall.edit_by_hand(market, "TK001", 25_000)
    plan = part(stall.reconcile(), market).plans[0]
    stall.reconcile()
    approve(stall.context(), plan["id"], "Chị Lan", "đúng giá")

    kinds = [codes(stall.reconcile(), market) for _ in range(2)]

    assert kinds == [[("TK001", "edited")], [("TK001", "rewritten")]]
    assert sent(stall, market) == 2

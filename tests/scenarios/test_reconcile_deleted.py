"""Deleted by hand, put there twice, or given another id: what is asked, what is made again, what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.steps.account import guarded
from flows.steps.plan import Selection
from models.report import DONE, PEOPLE, RunReport
from tests.scenarios.world import Inline, World, part, priced, retire, shrimp

ERASING = ("madeincamau", "postmart")  # nothing is ever erased on Vỏ Sò


@pytest.fixture(params=ERASING)
def market(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stall(lone: World) -> World:
    lone.put(*(shrimp(n, lone.picture()) for n in range(5)))
    lone.night()
    return lone


@pytest.fixture
def voso(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, ["voso"], pool=Inline)
    world.put(*(shrimp(n, world.picture()) for n in range(5)))
    world.night()
    yield world
    world.close()


def codes(report: RunReport, market: str) -> list[tuple[str, str]]:
    problems = [p for p in part(report, market).problems if p["code"].startswith("drift")]
    return [(p["key"], p["code"].removeprefix("drift-")) for p in problems]


def settle(world: World, market: str, deleted: str) -> None:
    world.policies[market] = replace(world.policies[market], deleted=deleted)


def test_M14_a_listing_deleted_by_hand_is_asked_about_each_time(stall: World, market: str) -> None:
    stall.delete_by_hand(market, "TK001")
    writes = stall.writes(market)

    first, second = stall.reconcile(), stall.reconcile()

    assert codes(first, market) == codes(second, market) == [("TK001", "gone")]
    assert (first.exit_code, second.exit_code) == (PEOPLE, PEOPLE)
    found = next(p for p in part(first, market).problems if p["code"] == "drift-gone")
    assert f"caybeo sync --account {market} --sku TK001" in found["next_step"].vi
    assert stall.writes(market) == writes


def test_M14_a_change_of_the_product_does_not_make_it_again(stall: World, market: str) -> None:
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()
    stall.put(priced(shrimp(1, stall.picture()), 260_000))
    writes = stall.writes(market)

    report = stall.night()

    assert "TK001" not in stall.shown(market)
    assert stall.writes(market) == writes
    assert part(report, market).withheld == {"deleted-there": 1}
    told = next(p for p in part(report, market).problems if p["key"] == "TK001")
    assert "--sku TK001" in told["next_step"]["vi"]


def test_M14_a_change_that_meets_the_gap_before_any_reconcile_makes_no_listing(stall: World, market: str) -> None:
    stall.delete_by_hand(market, "TK001")
    stall.put(priced(shrimp(1, stall.picture()), 260_000))

    report = stall.night()
    stall.night()

    assert "TK001" not in stall.shown(market)
    assert report.exit_code == PEOPLE
    assert [p["code"] for p in part(report, market).problems if p["key"] == "TK001"] == ["listing-gone"]
    assert codes(stall.reconcile(), market) == [("TK001", "gone")]


def test_M14_a_person_who_names_it_gets_it_again(stall: World, market: str) -> None:
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()

    report = stall.night(Selection(skus=("TK001",)))

    assert report.exit_code == DONE, report.as_json()
    assert codes(stall.reconcile(), market) == []
    stall.assert_in_step()


def test_M14_looking_at_the_plan_for_it_makes_nothing_and_it_is_asked_about_again(stall: World, market: str) -> None:
    """The plan was made and never carried out; then its data change."""
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()
    (account,) = stall.accounts()
    with guarded(stall.context(), account, "plan") as (run, _):
        assert run is not None
        assert run.plan(Selection(skus=("TK001",))).kinds == {"create": 1}
    stall.clock.advance(days=2)
    stall.put(priced(shrimp(1, stall.picture()), 260_000))

    report = stall.night()

    assert "TK001" not in stall.shown(market)
    assert part(report, market).withheld == {"deleted-there": 1}


def test_M14_one_that_was_asked_for_and_refused_there_is_made_once_its_data_are_mended(
    stall: World, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()
    with monkeypatch.context() as closed:
        retire(market, closed)
        assert stall.night(Selection(skus=("TK001",))).exit_code == PEOPLE
    stall.put(priced(shrimp(1, stall.picture()), 260_000))

    stall.night()

    assert stall.shown(market)["TK001"]["price"] == 260_000


def test_M14_the_policy_may_make_it_again(stall: World, market: str) -> None:
    settle(stall, market, "recreate")
    stall.delete_by_hand(market, "TK001")

    report = stall.reconcile()

    assert report.exit_code == DONE, report.as_json()
    assert part(report, market).counts["created"] == 1
    stall.assert_in_step()


def test_M14_the_policy_may_leave_it_and_then_nobody_is_asked(stall: World, market: str) -> None:
    settle(stall, market, "leave")
    stall.delete_by_hand(market, "TK001")

    first, second = stall.reconcile(), stall.reconcile(heal=True)
    stall.put(priced(shrimp(1, stall.picture()), 260_000))
    third = stall.night()

    assert codes(first, market) == [("TK001", "left")]
    assert codes(second, market) == []
    assert {first.exit_code, second.exit_code, third.exit_code} == {DONE}
    assert "TK001" not in stall.shown(market)


def test_M14_a_policy_changed_to_recreate_reaches_what_was_found_before(stall: World, market: str) -> None:
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()
    settle(stall, market, "recreate")

    stall.reconcile()

    stall.assert_in_step()


def test_M14_a_shop_that_lost_many_listings_is_left_to_a_person(lone: World, market: str) -> None:
    """Six of ten at once may be an accident, or another shop."""
    settle(lone, market, "recreate")
    lone.put(*(shrimp(n, lone.picture()) for n in range(10)))
    lone.night()
    for n in range(6):
        lone.delete_by_hand(market, f"TK{n:03}")

    report = lone.reconcile()

    assert report.exit_code == PEOPLE
    assert len(lone.shown(market)) == 4
    lone.reconcile(heal=True)
    lone.assert_in_step()


def test_M14_a_deleted_listing_whose_product_was_removed_is_no_drift(stall: World, market: str) -> None:
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()
    stall.remove("TK001")
    stall.night()

    assert codes(stall.reconcile(), market) == []


def test_M14_a_listing_that_comes_back_by_itself_is_taken_over(stall: World, market: str) -> None:
    """A person made it again in the shop's own back office."""
    state = stall.sandboxes[market].state
    kept = state.get("product", "TK001")
    stall.delete_by_hand(market, "TK001")
    stall.reconcile()
    with state.transaction():
        state.put("product", "TK001", kept)

    report = stall.reconcile()
    stall.night()

    assert codes(report, market) == [("TK001", "found")]
    assert codes(stall.reconcile(), market) == []
    stall.assert_in_step()


def test_M15_foreign_listings_are_told_once_a_run_and_left(stall: World, market: str) -> None:
    for n in range(3):
        stall.add_by_hand(market, like="TK001", sku=f"LA{n}")
    before = {sku: one for sku, one in stall.shown(market).items() if sku.startswith("LA")}

    report = stall.reconcile(heal=True)
    stall.night()

    assert codes(report, market) == [("LA0", "foreign"), ("LA1", "foreign"), ("LA2", "foreign")]
    assert {sku: one for sku, one in stall.shown(market).items() if sku.startswith("LA")} == before


def renumber(world: World, market: str, sku: str, new_id: str) -> None:
    """A migration over there: the same listing under another id."""
    state = world.sandboxes[market].state
    with state.transaction():
        product = state.get("product", sku)
        name = "product_id" if market == "madeincamau" else "remote_id"
        state.put("product", sku, product | {name: new_id})


def test_M24_another_id_of_the_same_sku_is_followed_and_told_once(stall: World, market: str) -> None:
    renumber(stall, market, "TK001", "MOI-77")
    writes = stall.writes(market)

    first, second = stall.reconcile(), stall.reconcile()

    assert codes(first, market) == [("TK001", "moved")]
    told = next(p for p in part(first, market).problems if p["code"] == "drift-moved")
    assert "MOI-77" in told["message"].vi
    assert codes(second, market) == []
    assert (first.exit_code, stall.writes(market)) == (DONE, writes)
    assert stall.state(market, "TK001").remote_id == "MOI-77"


def copy_on_voso(world: World, sku: str, **changes: Any) -> str:
    """A second product of the same code, as Vỏ Sò allows; gives its id."""
    state = world.sandboxes["voso"].state
    with state.transaction():
        (number,) = state.get("code", sku)
        product = state.get("product", f"{number:012}")
        new = state.next_number("product")
        state.put("code", sku, [number, new])
        state.put("product", f"{new:012}", product | {"product_id": new} | changes)
    return str(new)


def live_on_voso(world: World, sku: str) -> list[str]:
    listings = world.sandboxes["voso"].show()["listings"]
    return [one["remote_id"] for one in listings if (one["key"], one["status"]) == (sku, "live")]


def test_M24_a_copy_that_took_the_place_of_the_hidden_first_is_followed(voso: World) -> None:
    new = copy_on_voso(voso, "TK001")
    voso.hide_by_hand("voso", "TK001")  # the first of the code

    report = voso.reconcile()
    voso.put(priced(shrimp(1, voso.picture()), 260_000))
    voso.night()

    assert codes(report, "voso") == [("TK001", "moved")]
    assert live_on_voso(voso, "TK001") == [new]
    voso.assert_in_step()


def test_M24_two_listings_of_one_sku_are_told_with_both_ids_and_neither_is_touched(voso: World) -> None:
    old = voso.state("voso", "TK001").remote_id
    new = copy_on_voso(voso, "TK001", price=111_000)
    writes, before = voso.writes("voso"), voso.state("voso", "TK001")

    report = voso.reconcile(heal=True)

    told = next(p for p in part(report, "voso").problems if p["code"] == "drift-duplicate")
    assert report.exit_code == PEOPLE
    assert f"{old}, {new}" in told["message"].vi
    assert sorted(live_on_voso(voso, "TK001")) == sorted([old, new])
    assert (voso.writes("voso"), voso.state("voso", "TK001")) == (writes, before)


def test_M24_a_second_one_that_is_hidden_is_no_duplicate(voso: World) -> None:
    copy_on_voso(voso, "TK001", hidden=True)

    assert codes(voso.reconcile(), "voso") == []

"""Edited by hand: which field, whose word counts, and what the account's policy makes of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.steps.approve import approve
from models.report import DONE, HELD, PEOPLE, RunReport
from tests.scenarios.world import Inline, World, part, priced, shrimp

NAME = {"madeincamau": ("fields", "name"), "postmart": ("content", "name")}
STOCK = {"madeincamau": ("fields", "stock"), "postmart": ("stock", "qty"), "voso": ("stock",)}


@pytest.fixture
def stall(lone: World) -> World:
    lone.put(*(shrimp(n, lone.picture()) for n in range(5)))
    lone.night()
    return lone


def drifts(report: RunReport, market: str) -> list[dict[str, Any]]:
    return [problem for problem in part(report, market).problems if problem["code"].startswith("drift")]


def codes(report: RunReport, market: str) -> list[tuple[str, str, str]]:
    return [(d["key"], d["code"].removeprefix("drift-"), d["field"]) for d in drifts(report, market)]


def settle(world: World, market: str, deleted: str = "ask", **drift: str) -> None:
    world.policies[market] = replace(world.policies[market], drift=drift, deleted=deleted)


def rename(world: World, market: str, sku: str, name: str) -> None:
    world._tamper(market, sku, NAME | {"voso": ("name",)}, name)


def price_of(world: World, market: str, sku: str = "TK001") -> int:
    return int(world.shown(market)[sku]["price"])


def test_M13_the_field_is_named_with_both_values(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 200_000)

    (found,) = drifts(stall.reconcile(), market)

    assert "giá: 250.000 ₫ bên mình, 200.000 ₫ trên sàn" in found["message"].vi
    assert "price: 250.000 ₫ on our side, 200.000 ₫ there" in found["message"].en
    assert [(f["facet"], f["ours"], f["theirs"]) for f in found["fields"]] == [("price", 250_000, 200_000)]
    assert "--heal" in found["next_step"].vi


def test_M13_two_facets_of_one_listing_are_told_in_one_line(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 200_000)
    rename(stall, market, "TK001", "Tôm khô loại một")

    report = stall.reconcile()

    assert codes(report, market) == [("TK001", "edited", "content,price")]
    assert {f["field"].rpartition(".")[2] for f in drifts(report, market)[0]["fields"]} >= {"name"}


def test_M13_spelling_alone_is_no_drift_and_is_never_sent(stall: World, market: str) -> None:
    """The name as a careless marketplace stores it: decomposed, with blanks at its end."""
    name = stall.shown(market)["TK001"]["title"]
    rename(stall, market, "TK001", unicodedata.normalize("NFD", name) + "  ")
    writes = stall.writes(market)

    report = stall.reconcile(heal=True)

    assert drifts(report, market) == []
    assert report.exit_code == DONE
    assert stall.writes(market) == writes


def test_M13_healing_one_facet_does_not_send_another_that_is_only_spelt_otherwise(stall: World, market: str) -> None:
    name = stall.shown(market)["TK001"]["title"]
    rename(stall, market, "TK001", name + " ")
    stall.edit_by_hand(market, "TK001", 240_000)

    stall.reconcile(heal=True)

    (*_, change) = stall.outbox(market)
    assert (change.sku, change.facets, change.status) == ("TK001", "price", "acknowledged")


def test_M13_a_record_corrected_to_what_is_there_ends_the_drift_without_a_request(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 200_000)
    stall.put(priced(shrimp(1, stall.picture()), 200_000))
    writes = stall.writes(market)

    report = stall.reconcile()
    stall.night()

    assert drifts(report, market) == []
    assert stall.writes(market) == writes
    stall.assert_in_step()


def test_M13_with_a_change_of_ours_on_its_way_only_the_facet_is_named(stall: World, market: str) -> None:
    """Two values of today would not say who changed what."""
    stall.edit_by_hand(market, "TK001", 200_000)
    stall.put(priced(shrimp(1, stall.picture()), 255_000))

    (found,) = drifts(stall.reconcile(), market)

    assert (found["field"], found["fields"]) == ("price", [])


def test_M13_the_policy_heals_one_facet_and_reports_the_other(stall: World, market: str) -> None:
    settle(stall, market, price="heal")
    stall.edit_by_hand(market, "TK001", 240_000)
    rename(stall, market, "TK002", "Tôm khô loại một")

    report = stall.reconcile()

    assert codes(report, market) == [("TK001", "edited", "price"), ("TK002", "edited", "content")]
    assert report.exit_code == PEOPLE
    assert price_of(stall, market) == 250_000
    assert stall.shown(market)["TK002"]["title"] == "Tôm khô loại một"


def test_M13_what_the_policy_healed_needs_nobody(stall: World, market: str) -> None:
    settle(stall, market, price="heal")
    stall.edit_by_hand(market, "TK001", 240_000)

    report = stall.reconcile()

    assert report.exit_code == DONE, report.as_json()
    assert part(report, market).counts["updated"] == 1
    assert drifts(stall.reconcile(), market) == []
    stall.assert_in_step()


def test_M13_what_is_adopted_is_told_once_and_stays(stall: World, market: str) -> None:
    settle(stall, market, price="adopt")
    stall.edit_by_hand(market, "TK001", 200_000)

    first, second = stall.reconcile(), stall.reconcile(heal=True)
    stall.night()

    assert codes(first, market) == [("TK001", "adopted", "price")]
    assert (first.exit_code, second.exit_code) == (DONE, DONE)
    assert drifts(second, market) == []
    assert price_of(stall, market) == 200_000


def test_M13_another_edit_of_an_adopted_facet_is_told_again(stall: World, market: str) -> None:
    settle(stall, market, price="adopt")
    stall.edit_by_hand(market, "TK001", 200_000)
    stall.reconcile()
    stall.edit_by_hand(market, "TK001", 190_000)

    assert codes(stall.reconcile(), market) == [("TK001", "adopted", "price")]


def test_M13_a_new_record_ends_the_adoption(stall: World, market: str) -> None:
    """The same hand edit beside another price of ours is another matter, and is told."""
    settle(stall, market, price="adopt")
    stall.edit_by_hand(market, "TK001", 200_000)
    stall.reconcile()
    stall.put(priced(shrimp(1, stall.picture()), 260_000))
    stall.night()
    sent = price_of(stall, market)
    stall.edit_by_hand(market, "TK001", 200_000)

    report = stall.reconcile()

    assert sent == 260_000
    assert codes(report, market) == [("TK001", "adopted", "price")]


def test_M13_an_ignored_facet_is_never_compared(stall: World, market: str) -> None:
    settle(stall, market, stock="ignore")
    stall._tamper(market, "TK001", STOCK, 7)
    stall.edit_by_hand(market, "TK001", 240_000)

    report = stall.reconcile(heal=True)

    assert codes(report, market) == [("TK001", "edited", "price")]
    assert stall.shown(market)["TK001"]["stock"] == 7
    assert price_of(stall, market) == 250_000


@pytest.mark.parametrize("market", ["postmart", "voso"])
def test_M13_showing_a_hidden_listing_again_leaves_an_ignored_facet(stall: World, market: str) -> None:
    """madeincamau has no request that shows a product and leaves its stock."""
    settle(stall, market, stock="ignore")
    stall._tamper(market, "TK001", STOCK, 7)
    stall.hide_by_hand(market, "TK001")

    stall.reconcile(heal=True)

    assert stall.shown(market)["TK001"]["stock"] == 7


def test_M13_healing_many_prices_waits_for_a_person(lone: World, market: str) -> None:
    """Half of the shop was repriced there, by more than a guard lets pass: perhaps it was us who are wrong."""
    settle(lone, market, price="heal")
    lone.put(*(shrimp(n, lone.picture()) for n in range(10)))
    lone.night()
    for n in range(5):
        lone.edit_by_hand(market, f"TK{n:03}", 150_000)

    report = lone.reconcile()

    assert report.exit_code == HELD
    assert part(report, market).counts["held"] == 5
    assert price_of(lone, market) == 150_000
    again = lone.reconcile()
    assert drifts(again, market) == []  # the plan tells it
    assert again.exit_code == HELD
    approve(lone.context(), part(again, market).plans[0]["id"], "Chị Lan", "giá của mình đúng")
    assert price_of(lone, market) == 250_000


def test_M13_healing_one_mistyped_price_waits_alone(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 25_000)
    stall.edit_by_hand(market, "TK002", 240_000)

    report = stall.reconcile(heal=True)

    assert part(report, market).counts["held"] == 1
    assert price_of(stall, market, "TK001") == 25_000
    assert price_of(stall, market, "TK002") == 250_000


def test_M13_a_heal_does_not_take_the_place_of_a_plan_that_waits(stall: World, market: str) -> None:
    """The approver has that very plan before him."""
    stall.put(priced(shrimp(1, stall.picture()), 900_000))
    waiting = part(stall.night(), market).plans[0]["id"]
    rename(stall, market, "TK001", "Tôm khô loại một")

    report = stall.reconcile(heal=True)

    assert codes(report, market) == [("TK001", "edited", "content")]
    assert [plan["id"] for plan in part(report, market).plans] == [waiting]
    assert stall.shown(market)["TK001"]["title"] == "Tôm khô loại một"


def test_M13_the_record_of_what_differs_is_kept_in_words(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 200_000)
    stall.reconcile()

    lines = [line for line in stall.dump()["ledger"] if "'drift'" in line]

    assert len(lines) == 1
    assert "200.000 ₫" in lines[0]


def test_M13_a_listing_that_comes_down_anyway_is_not_compared(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 200_000)
    stall.remove("TK001")

    report = stall.reconcile()

    assert drifts(report, market) == []


@pytest.fixture
def voso(tmp_path: Path) -> Iterator[World]:
    """Alone has states of its own for listings under review and banned."""
    world = World(tmp_path, ["voso"], pool=Inline)
    world.put(*(shrimp(n, world.picture()) for n in range(2)))
    world.night()
    yield world
    world.close()


def test_M20_a_listing_that_is_reviewed_again_is_told_and_not_sent(voso: World) -> None:
    """Someone edited the text in the shop's own back office, which sends it back to the reviewers."""
    voso._tamper("voso", "TK001", {"voso": ("review_until",)}, "2026-12-24T00:00:00+00:00")
    voso._tamper("voso", "TK001", {"voso": ("status",)}, "Chờ duyệt")
    writes = voso.writes("voso")

    report = voso.reconcile(heal=True)

    assert codes(report, "voso") == [("TK001", "pending", "")]
    assert report.exit_code == DONE
    assert voso.writes("voso") == writes


def test_M20_a_listing_that_somebody_left_as_a_draft_is_told_and_submitted_on_request(voso: World) -> None:
    voso._tamper("voso", "TK001", {"voso": ("status",)}, "NHAP")

    told = voso.reconcile()
    voso.reconcile(heal=True)

    assert codes(told, "voso") == [("TK001", "draft", "")]
    assert told.exit_code == PEOPLE
    voso.assert_in_step()


def test_M20_a_listing_the_marketplace_bans_is_told_in_its_words(voso: World) -> None:
    voso._tamper("voso", "TK001", {"voso": ("status",)}, "Từ chối")
    voso._tamper("voso", "TK001", {"voso": ("reason",)}, "Ảnh không rõ nhãn")
    writes = voso.writes("voso")

    report = voso.reconcile()
    voso.night()

    assert codes(report, "voso") == [("TK001", "rejected", "")]
    assert "Ảnh không rõ nhãn" in drifts(report, "voso")[0]["message"].vi
    assert voso.writes("voso") == writes


def test_a_listing_of_ours_that_our_records_missed_is_taken_over(stall: World, market: str) -> None:
    """Hidden as far as we know, on sale there: what it shows is where the next plan begins."""
    stall.remove("TK001")
    stall.night()
    stall.put(shrimp(1, stall.picture()))
    stall.hide_by_hand(market, "TK001", hidden=False)
    writes = stall.writes(market)

    report = stall.reconcile()
    stall.night()

    assert codes(report, market) == [("TK001", "found", "")]
    assert report.exit_code == DONE
    assert stall.state(market, "TK001").status == "live"
    assert stall.writes(market) == writes

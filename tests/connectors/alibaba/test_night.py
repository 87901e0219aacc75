"""Nights of the engine against the simulator: what was sent is in step, and a second night sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from models import value
from models.catalogue import Certificate, English
from tests.connectors.alibaba.shop import ABROAD, CREATE, api_of
from tests.scenarios.world import Inline, World, part, priced, shrimp, stocked

TEXTS = English(name="Rach Goc Dried Shrimp", description="Sun-dried shrimp. OCOP 4-star product.")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, ["alibaba"], pool=Inline)
    made.policies["alibaba"] = replace(ABROAD, requests_per_minute=100_000)
    made.put(*(shrimp(n, made.picture(n), english=TEXTS) for n in range(3)))
    yield made
    made.close()


def test_a_second_night_sends_nothing_and_nothing_has_drifted(world):
    world.night()
    sent = world.writes("alibaba")
    world.night()
    report = world.reconcile()

    assert len(world.shown("alibaba")) == 3
    assert world.writes("alibaba") == sent
    assert part(report, "alibaba").problems == []
    world.assert_in_step()


def test_changes_of_every_kind_arrive(world):
    world.night()
    first, second, third = (shrimp(n, world.picture(n), english=TEXTS) for n in range(3))
    ended = value.replace(third, certificates=(Certificate(star=4, year=2019),))

    world.put(priced(first, 300_000), stocked(second, 7), ended)
    world.night()

    shown = world.shown("alibaba")
    assert (shown["TK000"]["price"], shown["TK001"]["stock"]) == (11.54, 7)
    assert "OCOP" not in shown["TK002"]["payload"]["basic_info"]["description"]
    world.assert_in_step()


def test_what_is_removed_is_taken_down_and_comes_back(world):
    world.night()
    world.remove("TK001")
    world.night()
    down = set(world.shown("alibaba"))
    world.put(shrimp(1, world.picture(1), english=TEXTS))
    world.night()

    assert down == {"TK000", "TK002"}
    assert set(world.shown("alibaba")) == {"TK000", "TK001", "TK002"}
    world.assert_in_step()


def test_lost_answers_make_no_second_listing(world):
    def lose(request: httpx.Request) -> None:
        if api_of(request) == CREATE:
            raise httpx.ReadTimeout("no answer", request=request)

    world.wires["alibaba"].after = lose
    world.night()
    world.wires["alibaba"].after = lambda request: None
    world.night()

    assert len(world.shown("alibaba")) == 3
    assert len(world.sandboxes["alibaba"].show()["listings"]) == 3
    world.assert_in_step()


def test_prices_that_begin_a_review_arrive_all_the_same(world):
    world.night()
    world.sandboxes["alibaba"].marketplace.offers_reviewed = True

    world.put(stocked(priced(shrimp(0, world.picture(0), english=TEXTS), 300_000), 7))
    for _ in range(2):
        world.night()
        world.clock.advance(hours=1)

    assert (world.shown("alibaba")["TK000"]["price"], world.shown("alibaba")["TK000"]["stock"]) == (11.54, 7)
    world.assert_in_step()


def test_a_listing_that_was_given_variants_by_hand_is_left_to_a_person(world):
    world.night()
    state = world.sandboxes["alibaba"].state
    number, found = next((k, v) for k, v in state.items("product") if v["basic_info"]["model_number"] == "TK000")
    skus = [{"sku_id": n, "sku_code": str(n)} for n in (1, 2)]
    state.put("product", number, found | {"trade_info": found["trade_info"] | {"sku_info": skus}})

    world.put(stocked(shrimp(0, world.picture(0), english=TEXTS), 7))
    world.night()

    assert world.shown("alibaba")["TK000"]["stock"] == 40
    assert "several-variants" in str(world.outbox("alibaba")[-1])

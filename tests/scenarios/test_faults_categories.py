"""A marketplace changes what it takes: the listings it then refuses wait for a person, all others go on."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from models.catalogue import Product
from models.database import writing
from models.report import DONE, PEOPLE, RunReport
from models.tables import AccountRow, core
from models.value import replace
from tests.scenarios.retold import Retold, body_of, envelope
from tests.scenarios.world import World, is_write, part, retire, shrimp

HERBS = 19  # a product set whose category is another one than that of dried shrimp, everywhere
DRIED, HERBAL = {"TK001", "TK002"}, {"TK003", "TK004"}


def stock(world: World) -> list[Product]:
    """Two products of dried shrimp, two of herbs."""
    dried = [shrimp(n, world.picture(n)) for n in (1, 2)]
    return [*dried, *(replace(shrimp(n, world.picture(n)), set_no=HERBS, brand="") for n in (3, 4))]


def problems(report: RunReport, market: str) -> dict[str, dict[str, Any]]:
    return {problem["key"]: problem for problem in part(report, market).problems}


def maps_differently(world: World, market: str) -> None:
    """As a new version of the software does: it has not yet been seen by this account."""
    with writing(world.database) as db:
        db.execute(update(core(AccountRow)).where(core(AccountRow).c.name == market).values(mapping_version=0))


def test_M16_what_stands_in_a_retired_category_waits_with_the_way_out_and_the_rest_is_shown(
    lone: World, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lone.put(*stock(lone))

    with monkeypatch.context() as closed:
        retire(market, closed)
        report = lone.night()
        shown, sent = set(lone.shown(market)), len(lone.wires[market].sent)
        resting = lone.night()
        rested = len(lone.wires[market].sent) - sent
    maps_differently(lone, market)
    mended = lone.night()

    assert (report.exit_code, resting.exit_code) == (PEOPLE, PEOPLE)
    assert shown == HERBAL
    assert part(report, market).counts["rejected"] == 2
    assert set(problems(report, market)) == DRIED
    for problem in problems(report, market).values():
        assert "ngành hàng" in problem["message"]["vi"].lower()
        assert "cập nhật bảng ngành hàng" in problem["next_step"]["vi"]  # it stands in no column of the catalogue
    assert rested == 0
    assert mended.exit_code == DONE, mended.as_json()
    lone.assert_in_step()


def demand_a_brand(world: World, market: str) -> None:
    """From now on no product is taken without one."""
    if market == "postmart":
        _demand_in_batches(world)
        return
    wire = Retold(world, market)

    def instead(request: httpx.Request) -> httpx.Response | None:
        if not is_write(market, request) or (body_of(request) or {"brand": "x"}).get("brand", "x"):
            return None
        if market == "voso":
            return envelope(204, "brand bắt buộc phải có", {"field": "brand"})
        missing = {"field": "brand", "code": "missing", "message_vi": "Thiếu trường bắt buộc."}
        return httpx.Response(422, json={"errors": [missing]})

    wire.instead = instead


def _demand_in_batches(world: World) -> None:
    marketplace = world.sandboxes["postmart"].marketplace
    faults = marketplace._content_faults

    def stricter(content: Any) -> Any:
        yield from faults(content)
        if not content.brand:
            yield {"code": "missing_field", "field": "content.brand", "message_vi": "Thiếu trường."}

    marketplace._content_faults = stricter


def test_M16_an_attribute_that_becomes_required_stops_those_without_it_alone(lone: World, market: str) -> None:
    demand_a_brand(lone, market)
    lone.put(*stock(lone))

    report = lone.night()
    shown, sent = set(lone.shown(market)), len(lone.wires[market].sent)
    lone.night()
    rested = len(lone.wires[market].sent) - sent
    lone.put(*(replace(product, brand="Năm Căn") for product in stock(lone)))
    mended = lone.night()

    assert report.exit_code == PEOPLE
    assert shown == DRIED
    assert set(problems(report, market)) == HERBAL
    assert {problem["field"] for problem in problems(report, market).values()} == {"brand"}
    assert all("nhãn hiệu" in (p["message"]["vi"] + p["next_step"]["vi"]) for p in problems(report, market).values())
    assert rested == 0
    assert mended.exit_code == DONE, mended.as_json()
    lone.assert_in_step()

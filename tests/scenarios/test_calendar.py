"""Days that change what may be shown although nobody changed the records."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from models.catalogue import Certificate
from models.report import DONE
from models.text import VIETNAM
from models.value import replace
from tests.scenarios.world import World, part, shrimp

LAST_DAY = date(2026, 11, 30)
ENDING = Certificate(star=4, issued_on=date(2023, 12, 1))  # 36 months: ends with 30 November 2026


def midnight(day: date) -> datetime:
    """The first moment of that day in Cà Mau."""
    return datetime(day.year, day.month, day.day, tzinfo=VIETNAM).astimezone(UTC)


@pytest.fixture
def starred(lone: World) -> World:
    lone.put(replace(shrimp(1, lone.picture()), certificates=(ENDING,)), shrimp(2, lone.picture()))
    lone.night()
    return lone


def star_shown(world: World, market: str, sku: str) -> bool:
    facets = world.read_back(market)[sku]["content"]
    if market == "postmart":
        assert ("san-pham-ocop" in facets["categories"]) == (facets["ocop"] is not None)
    if market == "voso":
        assert ("OCOP" in facets["short_description"]) == facets["ocop"]
    return bool(facets["ocop"])


def test_the_star_is_shown_on_its_last_day(starred: World, market: str) -> None:
    starred.clock.at = midnight(LAST_DAY) + timedelta(hours=23)

    starred.night()

    assert star_shown(starred, market, "TK001")


def test_the_star_vanishes_overnight_without_a_change_of_data(starred: World, market: str) -> None:
    assert starred.due(market, "TK001") == midnight(LAST_DAY + timedelta(days=1))
    starred.clock.at = midnight(LAST_DAY + timedelta(days=1))
    before = len(starred.outbox(market))

    report = starred.night()

    (change,) = starred.outbox(market)[before:]
    assert (change.sku, change.kind, change.facets) == ("TK001", "update", "content")
    assert not star_shown(starred, market, "TK001")
    assert star_shown(starred, market, "TK002")
    assert "OCOP" not in str(starred.read_back(market)["TK001"])
    assert part(report, market).counts["updated"] == 1
    assert part(report, market).notes == {"star-not-shown": 1}
    starred.assert_in_step()


def test_a_new_certificate_brings_the_star_back(starred: World, market: str) -> None:
    starred.clock.at = midnight(LAST_DAY + timedelta(days=1))
    starred.night()
    renewed = Certificate(star=5, issued_on=date(2026, 12, 1))
    starred.put(replace(shrimp(1, starred.picture()), certificates=(ENDING, renewed)))

    report = starred.night()

    assert report.exit_code == DONE
    assert star_shown(starred, market, "TK001")


def test_a_certificate_that_begins_later_is_shown_from_that_day(lone: World, market: str) -> None:
    begins = date(2026, 11, 25)
    lone.put(replace(shrimp(1, lone.picture()), certificates=(Certificate(star=3, issued_on=begins),)))
    lone.night()
    before = star_shown(lone, market, "TK001")
    lone.clock.at = midnight(begins)

    lone.night()

    assert (before, star_shown(lone, market, "TK001")) == (False, True)


def test_a_price_that_grows_old_is_told_and_sends_nothing(starred: World, market: str) -> None:
    """Confirmed on 15 November: on 16 December it is older than 30 days."""
    starred.clock.at = midnight(date(2026, 12, 1))
    starred.night()
    writes = starred.writes(market)
    starred.clock.at = midnight(date(2026, 12, 16))

    report = starred.night()

    assert starred.writes(market) == writes
    assert part(report, market).notes["old-price"] == 1  # the other one is noted for its star first
    assert report.exit_code == DONE


def test_nothing_is_looked_at_before_its_day(starred: World, market: str) -> None:
    starred.clock.at = midnight(LAST_DAY + timedelta(days=1)) - timedelta(minutes=2)
    sent = len(starred.wires[market].sent)

    starred.night()

    assert len(starred.wires[market].sent) == sent

"""What a marketplace's review says no to rests with its words; what changes meanwhile is not lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from models.catalogue import Certificate, Producer, Product
from models.report import DONE, PEOPLE
from models.value import replace
from tests.scenarios.world import Inline, World, is_write, part, priced, shrimp

REVIEWED = ["madeincamau", "voso"]


def refused(market: str, product: Product) -> Product:
    """The product with a text that only the marketplace itself objects to."""
    if market == "madeincamau":  # its moderation reads the producer's name in the description
        return replace(product, producer=Producer(producer_id="p9", legal_name="Cơ sở tanphat.store www.tanphat.store"))
    if market == "postmart":  # it takes composed Unicode alone; the intake would have mended this
        return replace(product, name="Tôm khô loại đặc biệt".replace("ô", "o\u0302"))
    return replace(product, description="Tôm khô chữa bệnh còi xương.")


WORDS = {"madeincamau": "Không được ghi số điện thoại", "postmart": "Unicode", "voso": "chữa bệnh"}


def listed_then_rejected(lone: World, market: str) -> Product:
    """TK001 as it was listed; a later text of it was rejected."""
    good = shrimp(1, lone.picture())
    lone.put(good)
    lone.night()
    lone.put(refused(market, good))
    lone.night()
    return good


def test_a_rejected_listing_rests_with_the_marketplaces_words_until_it_is_changed(lone: World, market: str) -> None:
    good = shrimp(1, lone.picture(1))
    lone.put(refused(market, good), shrimp(2, lone.picture(2)))

    report = lone.night()
    sent = len(lone.wires[market].sent)
    resting = lone.night()
    rested = len(lone.wires[market].sent) - sent
    lone.put(good)
    mended = lone.night()

    problem = next(p for p in part(report, market).problems if p["key"] == "TK001")
    assert report.exit_code == PEOPLE
    assert part(report, market).counts["rejected"] == 1
    assert part(report, market).counts["created"] == 1
    assert WORDS[market] in problem["message"]["vi"]
    assert problem["next_step"]["vi"]
    assert (resting.exit_code, rested) == (PEOPLE, 0)
    assert mended.exit_code == DONE, mended.as_json()
    assert len(lone.sandboxes[market].show()["listings"]) == 2
    lone.assert_in_step()


def test_going_back_to_the_old_text_after_a_rejection_is_sent(lone: World, market: str) -> None:
    """The marketplace holds the rejected text by then: what it once acknowledged is no longer there."""
    good = listed_then_rejected(lone, market)
    refusals = lone.sandboxes[market].show()["requests"]["refused"]

    lone.put(good)
    report = lone.night()

    assert report.exit_code == DONE, report.as_json()
    assert lone.sandboxes[market].show()["requests"]["refused"] == refusals
    lone.assert_in_step()


@pytest.mark.parametrize("market", REVIEWED, indirect=True)
def test_healing_does_not_call_a_rejected_listing_live(lone: World, market: str) -> None:
    listed_then_rejected(lone, market)

    healed = lone.reconcile(heal=True)
    report = lone.night()

    assert healed.exit_code == report.exit_code == PEOPLE
    assert lone.state(market, "TK001").outcome == "rejected"
    assert WORDS[market] in lone.state(market, "TK001").problems[0]["message"]["vi"]


def test_a_resting_listing_still_loses_its_star_in_time(lone: World, market: str) -> None:
    """An update was refused; the star that is shown ends all the same."""
    good = shrimp(1, lone.picture(), price=250_000)
    good = replace(good, certificates=(Certificate(star=4, issued_on=date(2023, 12, 1)),))
    lone.put(good)
    lone.night()
    lone.put(refused(market, good))
    lone.night()

    lone.clock.at = datetime(2026, 12, 1, 20, tzinfo=UTC)  # 2 December in Cà Mau
    before = len(lone.wires[market].sent)
    lone.night()

    assert len(lone.wires[market].sent) > before


@pytest.mark.parametrize("market", REVIEWED, indirect=True)
def test_a_rejected_text_that_a_look_up_finds_there_is_no_success(lone: World, market: str) -> None:
    """The text was rejected; then it and a new price were sent, and nobody answered."""
    good = listed_then_rejected(lone, market)
    lone.put(priced(refused(market, good), 260_000))
    lone.wires[market].before = _cutting(market)
    lone.night()
    lone.unhook()

    report = lone.night()

    assert report.exit_code == PEOPLE, report.as_json()
    assert lone.state(market, "TK001").outcome == "rejected"
    assert WORDS[market] in lone.state(market, "TK001").problems[0]["message"]["vi"]


@pytest.mark.parametrize("market", REVIEWED, indirect=True)
def test_a_stale_rejection_does_not_speak_about_what_never_arrived(lone: World, market: str) -> None:
    """The mended text met a dead marketplace; the old verdict there is about the old text."""
    good = shrimp(1, lone.picture())
    lone.put(refused(market, good))
    lone.night()
    lone.put(good)
    lone.wires[market].before = _cutting(market)
    lone.night()
    lone.unhook()

    report = lone.night()

    assert report.exit_code == DONE, report.as_json()
    lone.assert_in_step()


def _cutting(market: str) -> Callable[[httpx.Request], None]:
    """Every write is cut off half-way."""

    def before(request: httpx.Request) -> None:
        if is_write(market, request):
            raise httpx.ReadError("reset", request=request)

    return before


@pytest.mark.parametrize("market", REVIEWED, indirect=True)
def test_a_change_that_comes_while_an_earlier_one_is_reviewed_is_not_lost(lone: World, market: str) -> None:
    lone.sandboxes[market].marketplace.review_seconds = 3600.0
    good = shrimp(1, lone.picture())
    lone.put(good)
    waiting = lone.night()

    lone.put(priced(replace(good, name="Tôm khô Rạch Gốc thượng hạng"), 270_000))
    still = lone.night()
    lone.clock.advance(hours=2)
    lone.night()
    lone.clock.advance(hours=2)
    report = lone.night()

    assert part(waiting, market).counts["accepted"] == part(still, market).counts["accepted"] == 1
    assert report.exit_code == DONE, report.as_json()
    assert lone.shown(market)["TK001"]["price"] == 270_000
    assert lone.shown(market)["TK001"]["title"] == "Tôm khô Rạch Gốc thượng hạng"
    lone.assert_in_step()


def test_a_change_that_comes_while_a_batch_is_worked_on_is_not_lost(tmp_path: Path) -> None:
    """postmart reviews nothing, but takes its time over a batch."""
    world = World(tmp_path, ["postmart"], pool=Inline)
    world.sandboxes["postmart"].marketplace.processing_seconds = 3600.0
    good = shrimp(1, world.picture())
    world.put(good)
    world.night()

    world.put(priced(good, 270_000))
    world.night()
    world.clock.advance(hours=2)
    report = world.night()

    assert report.exit_code == DONE, report.as_json()
    assert world.shown("postmart")["TK001"]["price"] == 270_000
    world.close()


@pytest.mark.parametrize("market", REVIEWED, indirect=True)
def test_waiting_for_a_review_is_told_once(lone: World, market: str) -> None:
    """A run asks every second for half a minute; the record says once that it waits."""
    lone.sandboxes[market].marketplace.review_seconds = 3600.0
    lone.put(shrimp(1, lone.picture()))

    lone.night()
    lone.night()

    assert lone.ledger(market, "TK001") == ["accepted"]

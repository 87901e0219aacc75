"""An answer that never came is looked up, not guessed; a marketplace that is down costs nothing but a night."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from connectors.simulator import Fault
from models.listing import facet_hash
from models.report import DONE, DOWN, PEOPLE
from tests.scenarios.world import World, lose_answers, part, priced, refuse_writes, shrimp


@pytest.mark.parametrize("times", [1, 3])
def test_N06_a_create_without_answer_is_looked_up_and_never_made_twice(lone: World, market: str, times: int) -> None:
    lone.put(*lone.shrimps(4))
    lose_answers(lone, market, times)

    lone.night()
    report = lone.night()

    assert report.exit_code == DONE, report.as_json()
    assert len(lone.shown(market)) == len(lone.sandboxes[market].show()["listings"]) == 4
    lone.assert_in_step()


def test_an_update_without_answer_arrives_once(lone: World, market: str) -> None:
    products = lone.shrimps(3)
    lone.put(*products)
    lone.night()
    lone.put(*(priced(p, 260_000) for p in products))
    lose_answers(lone, market, 3)

    lone.night()
    lone.night()

    assert {one["price"] for one in lone.shown(market).values()} == {260_000}
    lone.assert_in_step()


def test_a_delist_without_answer_is_not_undone(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))
    lone.night()
    lone.remove("TK001")
    lose_answers(lone, market, 3)

    lone.night()
    lone.night()

    assert set(lone.shown(market)) == {"TK000", "TK002"}
    assert lone.state(market, "TK001").status == "hidden"


def test_M08_what_was_applied_without_answer_is_not_sent_again(lone: World, market: str) -> None:
    """One create, one lost answer: the look-up finds it, so the marketplace never sees a second write of it."""
    lone.put(shrimp(1, lone.picture(1)))
    lone.night()
    undisturbed = lone.writes(market)
    lone.put(shrimp(2, lone.picture(2)))
    lose_answers(lone, market, 3)

    lone.night()
    lone.night()

    assert lone.writes(market) - undisturbed <= undisturbed  # what the first product needed in peace
    lone.assert_in_step()


def test_M02_a_503_before_anything_was_done_is_healed(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))
    refuse_writes(lone, market, 4)

    lone.night()
    lone.night()

    assert len(lone.sandboxes[market].show()["listings"]) == 3
    lone.assert_in_step()


def test_N02_a_refused_connection_is_healed(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(3))
    lone.sandboxes[market].fault(Fault(times=5))

    lone.night()
    report = lone.night()

    assert report.exit_code == DONE
    lone.assert_in_step()


@pytest.mark.parametrize("fault", [Fault(times=10_000, status=503), Fault(times=10_000)], ids=["503", "refused"])
def test_a_marketplace_that_is_down_ends_alone(world: World, market: str, fault: Fault) -> None:
    world.put(*world.shrimps(8))
    world.sandboxes[market].fault(fault)

    down = world.night()
    world.sandboxes[market].fault(Fault(times=1, seconds=0.001))  # it is up again
    healed = world.night()

    assert down.exit_code == part(down, market).code
    assert down.exit_code in (DOWN, PEOPLE)  # one batch that could not leave is only deferred
    assert all(a.counts["created"] == 8 for a in down.accounts if a.account != market)
    assert healed.exit_code == DONE, healed.as_json()
    assert part(healed, market).counts["created"] == 8
    world.assert_in_step()


def test_a_down_marketplace_is_not_hammered(lone: World, market: str) -> None:
    """After five calls in a row without an answer the rest of the night is left for another one."""
    lone.put(*lone.shrimps(40))
    lone.night()
    lone.put(*lone.shrimps(40, price=260_000))
    before = len(lone.wires[market].sent)
    lone.sandboxes[market].fault(Fault(times=10_000, status=503))

    report = lone.night()

    assert report.exit_code == DOWN
    assert len(lone.wires[market].sent) - before < 40  # not even one for each listing


def test_pictures_that_failed_after_the_product_was_made_come_the_next_night(tmp_path: Path) -> None:
    """madeincamau takes the product first and its pictures after."""
    world = World(tmp_path, ["madeincamau"])
    world.put(shrimp(1, world.picture()))

    def before(request: httpx.Request) -> None:
        if request.url.path.endswith("/media"):
            raise httpx.ReadTimeout("no answer", request=request)

    world.wires["madeincamau"].before = before

    failed = world.night()
    state = world.state("madeincamau", "TK001")
    world.unhook()
    report = world.night()

    wanted = {facet: facet_hash(value) for facet, value in world.projected("madeincamau")["TK001"].items()}
    assert failed.exit_code == PEOPLE
    assert {f for f, known in state.baseline.items() if known == wanted[f]} == {"content", "price", "stock"}
    assert report.exit_code == DONE, report.as_json()
    world.assert_in_step()
    world.close()

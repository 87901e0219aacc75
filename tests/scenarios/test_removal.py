"""Off the shelf and on again: removals, returns, withdrawals; and changes that a marketplace does not show."""

from __future__ import annotations

import pytest

from connectors.simulator import Fault
from flows.steps.night import UnknownSku
from flows.steps.withdraw import withdraw
from models.catalogue import Product
from models.report import DONE
from models.value import replace
from tests.scenarios.world import MARKETPLACES, World, part, shrimp


def test_a_removed_product_leaves_every_marketplace(world: World) -> None:
    world.put(*world.shrimps(3))
    world.night()
    world.remove("TK001")

    report = world.night()

    for name in MARKETPLACES:
        assert set(world.shown(name)) == {"TK000", "TK002"}
        assert part(report, name).counts["delisted"] == 1
        assert part(report, name).withheld == {"removed": 1}
    assert world.night().exit_code == DONE


def test_a_product_that_comes_back_is_shown_again_as_the_same_listing(world: World) -> None:
    products = world.shrimps(3)
    world.put(*products)
    world.night()
    ids = {name: world.shown(name)["TK001"]["remote_id"] for name in MARKETPLACES}
    world.remove("TK001")
    world.night()
    world.put(products[1])

    report = world.night()

    for name in MARKETPLACES:
        assert world.shown(name)["TK001"]["remote_id"] == ids[name]
        assert part(report, name).counts["created"] == 1
    world.assert_in_step()


def test_a_product_that_comes_back_changed_is_shown_as_it_is_now(world: World) -> None:
    world.put(*world.shrimps(3))
    world.night()
    world.remove("TK001")
    world.night()
    world.put(replace(shrimp(1, world.picture(2), price=300_000), name="Tôm khô Rạch Gốc loại lớn"))

    world.night()

    world.assert_in_step()


def test_a_product_removed_before_it_was_ever_shown_is_never_sent(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(2))
    lone.remove("TK001")

    lone.night()

    assert [one["key"] for one in lone.sandboxes[market].show()["listings"]] == ["TK000"]


# What a marketplace has no place for changes nothing there.
INVISIBLE = {
    "madeincamau": {"subgroup": "Chế biến từ thủy sản"},
    "postmart": {"subgroup": "Chế biến từ thủy sản"},
    "voso": {"marks": "HACCP"},
}


def test_a_change_that_does_not_show_there_sends_nothing(lone: World, market: str) -> None:
    product = shrimp(1, lone.picture())
    lone.put(product)
    lone.night()
    sent = len(lone.wires[market].sent)
    lone.put(replace(product, **INVISIBLE[market]))

    report = lone.night()

    assert len(lone.wires[market].sent) == sent
    assert part(report, market).counts["unchanged"] == 1
    assert lone.outbox(market)[-1].kind == "create"


def test_one_change_is_sent_only_where_it_shows(world: World) -> None:
    product = shrimp(1, world.picture())
    world.put(product)
    world.night()
    before = {name: world.writes(name) for name in MARKETPLACES}
    world.put(replace(product, marks="HACCP"))

    world.night()

    assert [name for name in MARKETPLACES if world.writes(name) > before[name]] == ["madeincamau", "postmart"]
    world.assert_in_step()


@pytest.mark.parametrize(
    ("change", "facets"),
    [
        ({"price": 260_000}, "price"),
        ({"stock": 3}, "stock"),
        ({"price": 260_000, "stock": 3}, "price,stock"),
        ({"name": "Tôm khô thượng hạng"}, "content"),
    ],
)
def test_only_the_facets_that_differ_are_sent(lone: World, market: str, change: dict[str, object], facets: str) -> None:
    lone.put(shrimp(1, lone.picture()))
    lone.night()
    lone.put(_changed(lone, change))

    lone.night()

    assert [row.facets for row in lone.outbox(market)[1:]] == [facets]
    lone.assert_in_step()


def _changed(world: World, change: dict[str, object]) -> Product:
    offer = {name: value for name, value in change.items() if name in ("price", "stock")}
    rest = {name: value for name, value in change.items() if name not in offer}
    return replace(shrimp(1, world.picture(), **offer), **rest)


def test_a_withdrawn_item_goes_at_once_and_stays_away(world: World) -> None:
    world.put(*world.shrimps(3))
    world.night()

    report = withdraw(world.context(), ("TK001",), "lô bị nghi nhiễm", "Lan")
    world.put(shrimp(1, world.picture(2), price=300_000))
    world.night()

    for name in MARKETPLACES:
        assert part(report, name).counts["delisted"] == 1
        assert set(world.shown(name)) == {"TK000", "TK002"}
        assert part(report, name).withheld == {"withdrawn": 1}
        assert "lô bị nghi nhiễm" in world.state(name, "TK001").problems[0]["message"]["vi"]


def test_withdrawing_many_needs_no_second_word(lone: World, market: str) -> None:
    """The person who withdraws has decided; the guard is for accidents."""
    lone.put(*(shrimp(n, lone.picture()) for n in range(10)))
    lone.night()

    report = withdraw(lone.context(), tuple(f"TK{n:03}" for n in range(8)), "thu hồi", "Lan")

    assert report.exit_code == DONE
    assert len(lone.shown(market)) == 2


def test_a_withdrawal_that_is_taken_back_shows_the_item_again(world: World) -> None:
    world.put(*world.shrimps(2))
    world.night()
    withdraw(world.context(), ("TK001",), "nhầm", "Lan")

    withdraw(world.context(), ("TK001",), "nhầm", "Lan", undo=True)

    world.assert_in_step()
    assert all(len(world.shown(name)) == 2 for name in MARKETPLACES)


def test_withdrawing_an_unknown_sku_changes_nothing(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(1))
    lone.night()

    with pytest.raises(UnknownSku):
        withdraw(lone.context(), ("TK000", "NONE"), "thu hồi", "Lan")

    assert lone.night().exit_code == DONE
    assert set(lone.shown(market)) == {"TK000"}


def test_a_withdrawal_reaches_an_account_that_was_down(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(2))
    lone.night()
    lone.sandboxes[market].fault(Fault(times=10_000, status=503))
    withdraw(lone.context(), ("TK001",), "thu hồi", "Lan")
    lone.sandboxes[market].fault(Fault(times=1, seconds=0.001))

    lone.night()

    assert set(lone.shown(market)) == {"TK000"}

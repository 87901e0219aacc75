"""A night on three unlike marketplaces: everything is shown once, and the next night is silent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from models.catalogue import Money
from models.value import replace
from tests.scenarios.world import MARKETPLACES, World, part, shrimp


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_first_night_shows_every_product_everywhere(world: World) -> None:
    world.put(*(shrimp(n, world.picture()) for n in range(30)))

    report = world.night()

    assert report.status == "completed", report.as_json()
    for name in MARKETPLACES:
        assert len(world.shown(name)) == 30
        assert part(report, name).counts["created"] == 30


def test_second_night_writes_nothing(world: World) -> None:
    world.put(*(shrimp(n, world.picture()) for n in range(30)))
    world.night()
    before = {name: world.writes(name) for name in MARKETPLACES}

    report = world.night()

    assert {name: world.writes(name) for name in MARKETPLACES} == before
    assert all(a.counts["unchanged"] == 30 for a in report.accounts)


def test_one_price_is_one_update_of_that_facet(world: World) -> None:
    products = [shrimp(n, world.picture()) for n in range(30)]
    world.put(*products)
    world.night()
    variant = replace(products[3].variants[0], price=Money(amount=Decimal(260_000)))

    world.put(replace(products[3], variants=(variant,)))
    report = world.night()

    for name in MARKETPLACES:
        assert world.shown(name)["TK003"]["price"] == 260_000
        assert part(report, name).counts["updated"] == 1

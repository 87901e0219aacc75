"""The same nights on PostgreSQL: every statement of a run is one that it takes too."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.simulator import Fault
from flows.steps.approve import approve, refuse
from flows.steps.audit import audit
from flows.steps.night import resync
from flows.steps.plan import Selection
from flows.steps.pull import add_source, import_file, list_sources, pull, remove_source
from flows.steps.reconcile import reconcile
from flows.steps.withdraw import withdraw
from flows.views import ledger, quarantine, status, timeline
from models.catalogue import Money, Product
from models.database import reading
from models.report import HELD
from models.timetable import STATE
from models.value import replace
from tests.scenarios import test_night as nights
from tests.scenarios.world import MARKETPLACES, World, part, shrimp

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def world(tmp_path: Path, postgres_url: str) -> Iterator[World]:
    made = World(tmp_path, url=postgres_url)
    yield made
    made.database.dispose()


@pytest.mark.parametrize(
    "scenario",
    [
        nights.test_first_night_shows_every_product_everywhere,
        nights.test_second_night_writes_nothing,
        nights.test_one_price_is_one_update_of_that_facet,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("test_"),
)
def test_as_on_sqlite(world: World, scenario) -> None:
    assert world.database.dialect.name == "postgresql"

    scenario(world)


def test_a_removed_product_is_taken_down_and_a_returning_one_shown_again(world: World) -> None:
    products = _stock(world, 4)
    world.night()

    world.remove("TK001")
    world.night()
    assert set(world.shown("voso")) == {"TK000", "TK002", "TK003"}
    world.put(products[1])
    world.night()

    assert all(len(world.shown(name)) == 4 for name in MARKETPLACES)


def test_N06_a_lost_answer_is_looked_up_and_nothing_is_sent_twice(world: World) -> None:
    _stock(world, 3)
    for name in MARKETPLACES:
        world.sandboxes[name].fault(Fault(times=6, drop=True))

    for _ in range(4):
        world.night()

    assert all(len(world.shown(name)) == 3 for name in MARKETPLACES)


def test_a_price_that_jumps_is_held_until_a_person_approves(world: World) -> None:
    products = _stock(world, 10)
    world.night()
    world.put(_priced(products[0], 2_500_000))

    held = world.night()
    plan = part(held, "voso").plans[0]
    assert held.exit_code == HELD
    assert world.shown("voso")["TK000"]["price"] == 250_000
    approve(world.context(), plan["id"], "lan", "giá mới")

    assert world.shown("voso")["TK000"]["price"] == 2_500_000
    assert world.shown("postmart")["TK000"]["price"] == 250_000


def test_a_refused_plan_sends_nothing(world: World) -> None:
    products = _stock(world, 10)
    world.night()
    world.put(_priced(products[0], 2_500_000))
    plan = part(world.night(), "voso").plans[0]

    refuse(world.context(), plan["id"], "lan", "gõ nhầm")
    world.night()

    assert world.shown("voso")["TK000"]["price"] == 250_000


def test_a_held_plan_that_nobody_approves_is_planned_afresh(world: World) -> None:
    products = _stock(world, 10)
    world.night()
    world.put(_priced(products[0], 2_500_000))
    first = part(world.night(), "voso").plans[0]
    world.clock.advance(hours=25)

    second = part(world.night(), "voso").plans[0]

    assert second["id"] > first["id"]


def test_items_withdrawn_by_a_person_come_down_everywhere_and_return(world: World) -> None:
    _stock(world, 3)
    world.night()

    withdraw(world.context(), ("TK001",), "thu hồi lô", "lan")
    assert all("TK001" not in world.shown(name) for name in MARKETPLACES)
    withdraw(world.context(), ("TK001",), "đã kiểm tra", "lan", undo=True)
    world.night()

    assert all("TK001" in world.shown(name) for name in MARKETPLACES)


def test_reading_back_finds_no_drift_after_a_night(world: World) -> None:
    _stock(world, 3)
    world.night()

    for account in world.accounts():
        report = reconcile(world.context(), account, "run-r", heal=True)
        assert report.problems == []


def test_what_was_edited_or_deleted_by_hand_is_told_and_the_timetable_forgets_nothing(world: World) -> None:
    _stock(world, 3)
    world.night()
    world.edit_by_hand("postmart", "TK000", 240_000)
    world.delete_by_hand("postmart", "TK001")

    told, healed = world.reconcile("postmart"), world.reconcile("postmart", heal=True)

    drifts = [p["code"] for p in part(told, "postmart").problems if p["code"].startswith("drift")]
    assert drifts == ["drift-edited", "drift-gone"]
    assert part(healed, "postmart").status == "completed"
    world.assert_in_step()
    assert audit(world.context(), world.accounts()).findings == []


def test_what_an_operator_asks_for_is_sent_again(world: World) -> None:
    _stock(world, 3)
    world.night()
    before = world.writes("postmart")

    report = world.night(Selection(skus=("TK001",), force=True))

    assert part(report, "postmart").counts["updated"] == 1
    assert world.writes("postmart") > before


def test_a_dry_run_writes_nothing(world: World) -> None:
    _stock(world, 3)

    report = resync(world.context(), dry_run=True)

    assert all(a.counts["created"] == 3 for a in report.accounts)
    assert all(world.writes(name) == 0 for name in MARKETPLACES)
    with reading(world.database) as db:
        assert set(db.execute(select(STATE.c.status)).scalars()) == {"absent"}


def test_the_shipped_catalogue_is_taken_in_and_shown(world: World) -> None:
    for file in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        add_source(world.database, str(DATA / file), world.clock)

    reports = pull(world.database, world.home, world.clock)
    world.night()

    assert [report.status for report in reports] == ["taken", "taken"]
    assert len(world.shown("madeincamau")) > 10
    assert len(list_sources(world.database)) == 2
    assert remove_source(world.database, list_sources(world.database)[0].name)


def test_a_second_import_of_the_same_file_changes_nothing(world: World) -> None:
    file = DATA / "catalogue" / "ocop_ca_mau.csv"
    import_file(world.database, world.home, file, world.clock)
    before = _revisions(world)
    world.clock.advance(days=1)

    import_file(world.database, world.home, file, world.clock)

    assert _revisions(world) == before


def test_people_can_look_at_everything(world: World) -> None:
    _stock(world, 3)
    world.night()

    assert status(world.database, world.accounts(), world.clock)["accounts"]
    assert timeline(world.database, "TK001")["events"]
    assert ledger(world.database, "voso", "TK001", 10)
    assert quarantine(world.database, "") == []


def _stock(world: World, many: int) -> list[Product]:
    products = [shrimp(n, world.picture()) for n in range(many)]
    world.put(*products)
    return products


def _priced(product: Product, price: int) -> Product:
    variant = replace(product.variants[0], price=Money(amount=Decimal(price)))
    return replace(product, variants=(variant,))


def _revisions(world: World) -> dict[str, int]:
    with reading(world.database) as db:
        return dict(db.exec_driver_sql("SELECT product_id, revision FROM product").fetchall())

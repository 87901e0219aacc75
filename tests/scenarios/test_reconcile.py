"""Reading back: what people did by hand on a marketplace is told, and mended only when someone asks for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from connectors.simulator import Fault
from models.database import reading, writing
from models.ledger import RESTORED, forgetful, record
from models.report import DONE, DOWN, PEOPLE, RunReport
from models.tables import AccountRow, core
from models.value import replace
from tests.scenarios.world import Inline, World, part, priced, shrimp


@pytest.fixture
def stall(lone: World) -> World:
    lone.put(*(shrimp(n, lone.picture()) for n in range(5)))
    lone.night()
    return lone


def drifts(report: RunReport, market: str) -> list[tuple[str, str, str]]:
    return [(p["key"], p["code"], p["field"]) for p in part(report, market).problems if p["code"].startswith("drift")]


def test_a_stall_nobody_touched_shows_no_drift(stall: World, market: str) -> None:
    writes = stall.writes(market)

    report = stall.reconcile()

    assert report.exit_code == DONE
    assert drifts(report, market) == []
    assert stall.writes(market) == writes


def test_M13_a_price_edited_by_hand_is_told_and_left(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 111_000)

    report = stall.reconcile()

    assert report.exit_code == PEOPLE
    assert drifts(report, market) == [("TK001", "drift-edited", "price")]
    assert stall.shown(market)["TK001"]["price"] == 111_000
    assert "drift" in stall.ledger(market, "TK001")


def test_healing_puts_back_what_was_edited_hidden_or_deleted(stall: World, market: str) -> None:
    stall.edit_by_hand(market, "TK001", 240_000)
    stall.hide_by_hand(market, "TK002")
    if market != "voso":  # nothing is ever erased there
        stall.delete_by_hand(market, "TK003")

    told = stall.reconcile()
    report = stall.reconcile(heal=True)

    expected = [("TK001", "drift-edited"), ("TK002", "drift-not-shown")]
    expected += [("TK003", "drift-gone")] if market != "voso" else []
    assert [(key, code) for key, code, _ in drifts(told, market)] == expected
    assert report.exit_code == DONE, report.as_json()
    assert drifts(stall.reconcile(), market) == []
    stall.assert_in_step()


def test_a_listing_put_on_sale_again_by_hand_is_taken_down_again(stall: World, market: str) -> None:
    stall.remove("TK001")
    stall.night()
    stall.hide_by_hand(market, "TK001", hidden=False)

    told = stall.reconcile()
    stall.reconcile(heal=True)

    assert [d[:2] for d in drifts(told, market)] == [("TK001", "drift-shown")]
    assert "TK001" not in stall.shown(market)


def test_M15_foreign_listings_are_told_and_never_touched(stall: World, market: str) -> None:
    stall.add_by_hand(market, like="TK001", sku="CUA-NGUOI-KHAC")
    before = stall.shown(market)["CUA-NGUOI-KHAC"]

    told = stall.reconcile()
    stall.reconcile(heal=True)
    stall.night()

    assert drifts(told, market) == [("CUA-NGUOI-KHAC", "drift-foreign", "")]
    assert stall.shown(market)["CUA-NGUOI-KHAC"] == before


def test_healing_goes_through_the_guards(lone: World, market: str) -> None:
    """Six listings that were put on sale again by hand: taking them down takes a person's word."""
    lone.put(*(shrimp(n, lone.picture()) for n in range(10)))
    lone.night()
    skus = [f"TK{n:03}" for n in range(6)]
    for some in (skus[:5], skus[5:]):
        lone.remove(*some)
        lone.night()
        lone.clock.advance(hours=25)
    for sku in skus:
        lone.hide_by_hand(market, sku, hidden=False)

    report = lone.reconcile(heal=True)

    assert part(report, market).counts["held"] == 6
    assert len(lone.shown(market)) == 10


def test_a_change_meets_a_hand_edit_and_wins_without_a_reconcile(stall: World, market: str) -> None:
    """The marketplace refuses a write that builds on a revision it no longer has: read back, plan again."""
    stall.edit_by_hand(market, "TK001", 111_000)
    stall.put(replace(shrimp(1, stall.picture(), price=255_000), name="Tôm khô Rạch Gốc loại lớn"))

    report = stall.night()

    assert report.exit_code == DONE, report.as_json()
    stall.assert_in_step()


def test_M21_a_read_that_breaks_off_changes_nothing(stall: World, market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two listings a page: the second page never comes."""
    monkeypatch.setattr(f"connectors.{market}.client.PAGE", 2 if market != "madeincamau" else "2")
    stall.edit_by_hand(market, "TK000", 111_000)
    stall.hide_by_hand(market, "TK004")
    pages = 0

    def before(request: httpx.Request) -> None:
        nonlocal pages
        if request.url.path.endswith(("/products", "/list")):
            pages += 1
            if pages > 1:
                stall.sandboxes[market].fault(Fault(times=1, status=503))

    stall.wires[market].before = before
    ledger, outbox, state = stall.ledger(market), stall.outbox(market), stall.dump()["listing_state"]

    report = stall.reconcile(heal=True)

    assert report.exit_code == DOWN
    assert pages > 1
    assert (stall.ledger(market), stall.outbox(market)) == (ledger, outbox)
    assert stall.dump()["listing_state"] == state


def needs_reconcile(world: World, market: str) -> bool:
    accounts = core(AccountRow)
    with world.database.connect() as db:
        return bool(db.execute(select(accounts.c.needs_reconcile).where(accounts.c.name == market)).scalar_one())


def forgotten(world: World, market: str) -> bool:
    """Whether an account that takes its place would have to be read back."""
    with reading(world.database) as db:
        return forgetful(db, market)


@pytest.fixture
def restored(market: str, tmp_path: Path) -> World:
    """A database that has gone back to the first night, while the marketplace has seen a second one."""
    world = World(tmp_path, [market], pool=Inline)
    world.put(*(shrimp(n, world.picture()) for n in range(3)))
    world.night()
    world.database.dispose()
    kept = tmp_path / "backup.sqlite"
    shutil.copy(tmp_path / "caybeo.sqlite", kept)
    world.put(priced(shrimp(1, world.picture()), 260_000), shrimp(3, world.picture()), shrimp(4, world.picture()))
    world.remove("TK002")
    world.night()
    world.database.dispose()
    for file in tmp_path.glob("caybeo.sqlite*"):
        file.unlink()
    shutil.copy(kept, tmp_path / "caybeo.sqlite")
    with writing(world.database) as db:
        db.execute(update(core(AccountRow)).values(needs_reconcile=True))
        record(db, world.clock.now(), "", "", RESTORED, [("", None, None)])
    return world


def pulled_again(world: World) -> None:
    """The sources say again what they said before the accident."""
    world.put(priced(shrimp(1, world.picture()), 260_000), shrimp(3, world.picture()), shrimp(4, world.picture()))
    world.remove("TK002")


def test_P20_a_restored_database_sends_nothing_before_everything_was_read_back(restored: World, market: str) -> None:
    sent = len(restored.wires[market].sent)

    report = restored.night()

    assert report.exit_code == PEOPLE
    assert [p["code"] for p in part(report, market).problems] == ["needs-reconcile"]
    assert len(restored.wires[market].sent) == sent
    assert needs_reconcile(restored, market)


def test_after_a_reconcile_a_restored_database_goes_on(restored: World, market: str) -> None:
    """The nightly pull comes first, so the records are those of today when the marketplace is read."""
    pulled_again(restored)
    restored.night()

    restored.reconcile()
    report = restored.night()

    assert not needs_reconcile(restored, market)
    assert not forgotten(restored, market)
    assert report.exit_code == DONE, report.as_json()
    assert len(restored.sandboxes[market].show()["listings"]) == 5
    restored.assert_in_step()


def test_reading_back_before_the_sources_are_pulled_makes_no_second_listing(
    restored: World, market: str, request: pytest.FixtureRequest
) -> None:
    """Products that came after the backup are foreign to the reconcile, and new to the pull that follows."""
    restored.reconcile()
    pulled_again(restored)

    report = restored.night()

    assert report.exit_code == DONE, report.as_json()
    assert len(restored.sandboxes[market].show()["listings"]) == 5
    restored.assert_in_step()
